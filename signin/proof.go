package signin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// SendVerification sends a MailVerification to an address that a user has and has not verified, as
// /send-verification-email does, in one round trip. For any other address it does nothing. It returns
// [authdb.ErrInvalidInput], or the error of Send.
func (f *Flows) SendVerification(ctx context.Context, email string) error {
	const op = "signin.SendVerification"
	email, malformed := address("email", email)
	if err := bridge.Check(op, malformed, needs("send", f.Send != nil), needs("cookies", f.Cookies != nil)); err != nil {
		return err
	}
	row, err := repo.Read(ctx, f.repo(), op, (*repo.Queries).GetUserByEmail, email)
	if err = bridge.Error(op, err, nil); err != nil || row.EmailVerified {
		if errors.Is(err, authdb.ErrNotFound) {
			err = nil
		}
		return err
	}
	return f.sendVerification(ctx, authdb.User(row))
}

func (f *Flows) sendVerification(ctx context.Context, u authdb.User) error {
	return f.sendToken(ctx, Mail{Kind: MailVerification, To: u.Email, UserID: u.ID}, betterauth.MailToken{Email: u.Email})
}

// sendToken signs a mail token and sends it.
func (f *Flows) sendToken(ctx context.Context, m Mail, t betterauth.MailToken) (err error) {
	if err := bridge.Check("signin.Send", needs("cookies", f.Cookies != nil)); err != nil {
		return err
	}
	t.Email, t.UserID, t.IssuedAt = strings.ToLower(t.Email), m.UserID, f.repo().Now()
	if m.Token, err = f.Cookies.SignMailToken(t); err != nil {
		return err
	}
	return f.Send(ctx, m)
}

// VerifyEmailParams are the token of a mail, and who follows its link.
type VerifyEmailParams struct {
	Token  authdb.Secret
	UserID string // who is signed in already; empty: nobody
	Client Client
}

// VerifiedEmail is what became of an address.
type VerifiedEmail struct {
	User authdb.User
	// Pending: the user has confirmed by the former address, and a MailVerification was sent to the new one.
	Pending bool
	// Session is nil unless SignInAfterVerification made one.
	Session *authdb.Session
}

// VerifyEmail does what the token of a MailVerification or MailChange says, as /verify-email does, in one round trip.
// It verifies the address and leaves accounts and sessions; or, for a change of address, it sends the second token, or
// changes the address. A token works until it expires, while the user has the address in it; that of a change which was
// asked for before the address was proved, until it is: a squatter may have asked. It returns [ErrInvalidToken], which
// is also [betterauth.ErrMailTokenExpired] for a token that came too late, [authdb.ErrEmailTaken], or the error of
// Send.
//
// With SignInAfterVerification, who proves an address for the first time is signed in, unless signed in already. A ban
// refuses that with [authdb.ErrBanned], once the address is proved. Like the server it asks for no second factor.
//
// Before 1.7 a changed address is verified; from 1.7 on, only if the former one was. If somebody else who is signed in
// follows the link, the caller must refuse that.
func (f *Flows) VerifyEmail(ctx context.Context, p VerifyEmailParams) (VerifiedEmail, error) {
	const op = "signin.VerifyEmail"
	if err := bridge.Check(op, append(p.Client.faults(), needs("cookies", f.Cookies != nil))...); err != nil {
		return VerifiedEmail{}, err
	}
	t, err := f.Cookies.VerifyMailToken(p.Token, f.repo().Now())
	if errors.Is(err, betterauth.ErrMailTokenExpired) {
		return VerifiedEmail{}, errors.Join(fail(op, ErrInvalidToken), err)
	}
	if err != nil || !isAddress(t.Email) || t.UpdateTo != "" && !isAddress(t.UpdateTo) {
		return VerifiedEmail{}, fail(op, ErrInvalidToken)
	}
	var done VerifiedEmail
	switch {
	case t.UpdateTo == "" && f.SignInAfterVerification && p.UserID != t.UserID:
		return f.verified(ctx, op, dbgen.SignInProvedParams{Email: t.Email, UserID: t.UserID}, p.Client, ErrInvalidToken)
	case t.UpdateTo == "":
		proved, err := f.Store.Users.VerifyEmail(ctx, t.UserID, authdb.VerifyEmailParams{Email: t.Email, KeepAccess: true})
		return VerifiedEmail{User: proved.User}, stale(op, err)
	case t.RequestType == betterauth.ChangeEmailConfirmation:
		done.Pending = true
		done.User, err = f.confirmChange(ctx, op, t)
	case t.RequestType == betterauth.ChangeEmailVerification:
		done.User, err = f.changeEmail(ctx, op, t)
	default: // it would change the address to an unverified one
		err = fail(op, ErrInvalidToken)
	}
	return done, err
}

// verified proves an address, and makes a session where p wants one. nobody is the error if it is nobody's.
func (f *Flows) verified(
	ctx context.Context, op string, p dbgen.SignInProvedParams, c Client, nobody error,
) (VerifiedEmail, error) {
	p.IPAddress, p.UserAgent = &c.IPAddress, &c.UserAgent
	user, in, err := f.repo().SignInProved(ctx, op, p)
	if err = bridge.Error(op, err, map[repo.RefusalError]error{"nobody": nobody}); err != nil {
		return VerifiedEmail{}, err
	}
	done := VerifiedEmail{User: authdb.User(user)}
	if in.Session.ID != "" {
		done.Session = new(authdb.Session(in.Session))
	}
	return done, nil
}

// stale turns ErrNotFound into ErrInvalidToken.
func stale(op string, err error) error {
	if errors.Is(err, authdb.ErrNotFound) {
		return fail(op, ErrInvalidToken)
	}
	return err
}

// confirmChange sends the second token of a change of address.
func (f *Flows) confirmChange(ctx context.Context, op string, t betterauth.MailToken) (authdb.User, error) {
	if err := bridge.Check(op, needs("send", f.Send != nil)); err != nil {
		return authdb.User{}, err
	}
	user, err := f.Store.Users.Get(ctx, t.UserID)
	if err != nil {
		return authdb.User{}, stale(op, err)
	}
	if strings.ToLower(user.Email) != t.Email {
		return authdb.User{}, fail(op, ErrInvalidToken)
	}
	to := strings.ToLower(t.UpdateTo)
	return user, f.sendToken(ctx, Mail{Kind: MailVerification, To: to, UserID: user.ID}, betterauth.MailToken{
		Email: t.Email, UpdateTo: to, RequestType: betterauth.ChangeEmailVerification,
	})
}

// changeEmail changes an address that is still the token's.
func (f *Flows) changeEmail(ctx context.Context, op string, t betterauth.MailToken) (authdb.User, error) {
	var isProved *bool
	if f.before(7) {
		isProved = new(true)
	}
	row, err := repo.Update(ctx, f.repo(), op, (*repo.Queries).SetUserEmail, dbgen.SetUserEmailParams{
		ID: t.UserID, Email: strings.ToLower(t.UpdateTo), Former: &t.Email, Unproved: t.Unproved, EmailVerified: isProved,
		Now: f.repo().Now(),
	}, (*repo.Queries).GetUser, t.UserID)
	return authdb.User(row), stale(op, bridge.Error(op, err, nil))
}

// RequestEmailChangeParams are the new address that a signed-in user wants.
type RequestEmailChangeParams struct {
	UserID   string
	NewEmail string
}

// RequestEmailChange begins a change of address, as /change-email does, in one round trip: by a MailChange to the
// present address, if that is verified and ConfirmEmailChange is set, otherwise by a MailVerification to the new one.
// If UpdateUnverifiedEmail is set, and before 1.4, an unverified address is changed at once, in another round trip. If
// somebody has the new address, it does nothing, and does not say so. It returns [authdb.ErrInvalidInput], also if the
// user has the new address already, [authdb.ErrNotFound], or the error of Send.
func (f *Flows) RequestEmailChange(ctx context.Context, p RequestEmailChangeParams) error {
	const op = "signin.RequestEmailChange"
	user, email, isTaken, err := f.changing(ctx, op, p.UserID, p.NewEmail, needs("send", f.Send != nil))
	if err != nil {
		return err
	}
	m := Mail{Kind: MailVerification, To: email, UserID: user.ID}
	t := betterauth.MailToken{
		Email: user.Email, UpdateTo: email, RequestType: betterauth.ChangeEmailVerification, Unproved: !user.EmailVerified,
	}
	switch {
	case user.Email == email:
		set := dbgen.SetUserEmailParams{ID: user.ID, Email: email, EmailVerified: new(false)}
		err := again(ctx, f, "Users.SetEmail", set, unchanged(op))
		if errors.Is(err, authdb.ErrAlreadyDone) { // the mail may not have been sent
			err = f.sendVerification(ctx, user)
		}
		return err
	case isTaken:
		return nil
	case !user.EmailVerified && (f.UpdateUnverifiedEmail || f.before(4)):
		user, err = f.Store.Users.SetEmail(ctx, user.ID, authdb.SetEmailParams{Email: email})
		if errors.Is(err, authdb.ErrEmailTaken) {
			return nil
		}
		if err != nil {
			return err
		}
		return f.sendVerification(ctx, user)
	case user.EmailVerified && f.ConfirmEmailChange:
		m.Kind, m.To, m.NewTo = MailChange, user.Email, email
		t.RequestType = betterauth.ChangeEmailConfirmation
	}
	return f.sendToken(ctx, m, t)
}

// link is the value of a link's verification, which 1.7 reads strictly.
type link struct {
	Type    string `json:"type,omitempty"`
	Email   string `json:"email"`
	Name    string `json:"name,omitempty"`
	Attempt int    `json:"attempt,omitempty"` // of 1.5
}

const magicLink = "magic-link"

// SendLinkParams say for whom a link is.
type SendLinkParams struct {
	Email string
	Name  string // of the new user, if nobody has the address; at most 255 characters
}

// SendLink sends a MailLink to sign in with, as /sign-in/magic-link does, in one round trip, whether or not somebody
// has the address. It returns [authdb.ErrInvalidInput], or the error of Send.
func (f *Flows) SendLink(ctx context.Context, p SendLinkParams) error {
	const op = "signin.SendLink"
	email, malformed := address("email", p.Email)
	if err := bridge.Check(op, malformed, bridge.Text("name", p.Name, 255), needs("send", f.Send != nil)); err != nil {
		return err
	}
	token, value := authdb.Secret(f.repo().NewToken(32)), link{Email: email, Name: p.Name}
	if f.isTyped() {
		value.Type = magicLink
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err := f.repo().CreateVerificationOfUser(ctx, op, dbgen.CreateVerificationOfUserParams{
		Email: email, Identifier: string(f.link(token)), Value: new(string(text)), Anybody: true,
	}, LinkLifetime, p.Name); err != nil {
		return bridge.Error(op, err, nil)
	}
	return f.Send(ctx, Mail{Kind: MailLink, To: email, Token: token})
}

// isTyped reports whether the identifier of a link says that it is one, as since 1.7.7.
func (f *Flows) isTyped() bool { return f.version().MagicLink("") != "" }

// link returns the identifier of a link as the table has it.
func (f *Flows) link(token authdb.Secret) authdb.Secret {
	if f.HashLinks {
		token = betterauth.HashedIdentifier(token)
	}
	return f.stored(f.version().MagicLink(string(token)))
}

// LinkParams are the token of a MailLink, and who follows it.
type LinkParams struct {
	Token  authdb.Secret
	Client Client
}

// SignInByLink signs in the user of an address by a link of SendLink or of the server, as /magic-link/verify does, in
// two round trips. It returns [ErrInvalidToken], [ErrSignUpDisabled] or [authdb.ErrBanned]. Like the server it asks for
// no second factor.
//
// It verifies the address, also if a ban refuses the session. If the address was unverified, a squatter may have made
// the user's accounts and sessions, and they are deleted, as by SignInByCode: from 1.7 on all, in 1.6 the password and
// the sessions, before 1.6 nothing. If nobody has the address, a user is made, unless DisableSignUp is set.
func (f *Flows) SignInByLink(ctx context.Context, p LinkParams) (SignedIn, error) {
	const op = "signin.SignInByLink"
	if err := bridge.Check(op, p.Client.faults()...); err != nil {
		return SignedIn{}, err
	}
	// Before 1.7.7 the token is an identifier like those of all else that is verified. Digits alone are a phone number.
	if strings.Trim(string(p.Token), letters) != "" || !f.isTyped() && strings.Trim(string(p.Token), digits) == "" {
		return SignedIn{}, fail(op, ErrInvalidToken)
	}
	row, err := f.Store.Verifications.Consume(ctx, f.link(p.Token))
	if err != nil {
		return SignedIn{}, stale(op, err)
	}
	var value link
	decoder := json.NewDecoder(strings.NewReader(string(row.Value)))
	if !f.isTyped() { // the state of a sign-in at a provider has an address that the browser wrote, and other members
		decoder.DisallowUnknownFields()
	}
	err = decoder.Decode(&value)
	email, malformed := address("email", value.Email)
	if err != nil || malformed.Reason != "" || f.isTyped() && value.Type != magicLink {
		return SignedIn{}, fail(op, ErrInvalidToken)
	}
	return f.prove(ctx, op, email, value.Name, p.Client)
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits
)

// prove signs in whoever has proved an address.
func (f *Flows) prove(ctx context.Context, op, email, name string, c Client) (SignedIn, error) {
	user, in, err := f.repo().SignInProved(ctx, op, dbgen.SignInProvedParams{
		Email: email, Name: name, SignUp: !f.DisableSignUp, RevokeAccounts: !f.before(7), RevokePassword: !f.before(6),
		IPAddress: &c.IPAddress, UserAgent: &c.UserAgent,
	})
	if err = bridge.Error(op, err, refusals); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{User: authdb.User(user), Session: authdb.Session(in.Session), Ended: secrets(in.Ended)}, nil
}
