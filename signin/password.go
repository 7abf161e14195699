package signin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// PasswordParams are an address, a password, and who sent them.
type PasswordParams struct {
	Email    string // in any case
	Password authdb.Secret
	// DontRememberMe makes a session of a day. Its cookies, betterauth.Cookies.Cookie without a lifetime and
	// DontRememberCookie, last until the browser closes.
	DontRememberMe bool
	Device         authdb.Secret // from betterauth.Cookies.TrustedDevice of the request
	Client         Client
}

// Password signs a user in, as /sign-in/email does, in two round trips, with the hash between them outside of any
// transaction. It returns the first of these that applies: [authdb.ErrInvalidInput] if Email is no address;
// [ErrInvalidCredentials], after the time of a hash, also if nobody has the address; [authdb.ErrEmailNotVerified] if
// RequireEmailVerification is set, after a mail if SendOnSignIn is set; [authdb.ErrBanned]; a [*SecondFactorError] if
// the user has two_factor_enabled and the request no trusted device. It may also return [betterauth.ErrBusy], and from
// 1.7 on [betterauth.ErrPasswordTooLong].
//
// Password, ban and second factor count as they are when the session is made: a password that was changed meanwhile
// makes none. A ban that is over is lifted, in another round trip.
func (f *Flows) Password(ctx context.Context, p PasswordParams) (SignedIn, error) {
	const op = "signin.Password"
	email, malformed := address("email", p.Email)
	if err := bridge.Check(op, append(p.Client.faults(), malformed)...); err != nil {
		return SignedIn{}, err
	}
	row, err := repo.Read(ctx, f.repo(), op, (*repo.Queries).GetSignIn, dbgen.GetSignInParams{
		Email: email, AnyAccountID: f.before(7),
	})
	if err = bridge.Error(op, err, nil); err != nil && !errors.Is(err, authdb.ErrNotFound) {
		return SignedIn{}, err
	}
	if err := f.verify(ctx, op, row.Password, p.Password); err != nil {
		return SignedIn{}, err
	}
	device, isTrusted := f.device(row.User.ID, p.Device)
	factor := f.secondFactor()
	in, err := f.repo().SignInByPassword(ctx, op, dbgen.SignInByPasswordParams{
		UserID: row.User.ID, AccountID: row.AccountID, Password: row.Password, VerifiedOnly: f.RequireEmailVerification,
		Device: string(device), Trusted: isTrusted,
		IPAddress: &p.Client.IPAddress, UserAgent: &p.Client.UserAgent,
	}, f.lifetime(p.DontRememberMe), factor)
	err = bridge.Error(op, err, refusals)
	if errors.Is(err, authdb.ErrEmailNotVerified) && f.SendOnSignIn && f.Send != nil {
		return SignedIn{}, errors.Join(err, f.sendVerification(ctx, authdb.User(row.User)))
	}
	if err != nil {
		return SignedIn{}, err
	}
	if in.Challenge != "" {
		return SignedIn{}, &SecondFactorError{row.User.ID, authdb.Secret(in.Challenge), factor.ChallengeLifetime}
	}
	done := SignedIn{User: authdb.User(row.User), Session: authdb.Session(in.Session)}
	switch {
	case in.Trusted && f.before(4):
		done.Device = f.Cookies.SignDevice(done.User.ID, done.Session.Token)
	case in.Trusted:
		done.Device = f.Cookies.SignDevice(done.User.ID, authdb.Secret(in.Device))
	}
	return done, nil
}

// lifetime returns a new session's.
func (f *Flows) lifetime(isBrief bool) time.Duration {
	if isBrief {
		return BriefLifetime
	}
	return f.repo().Settings().SessionLifetime
}

// verify takes the time of a hash also if there is none.
func (f *Flows) verify(ctx context.Context, op, hash string, password authdb.Secret) error {
	var stored *authdb.Secret
	if hash != "" {
		stored = (*authdb.Secret)(&hash)
	}
	ok, err := f.hasher().Verify(ctx, stored, string(password))
	if errors.Is(err, betterauth.ErrPasswordTooLong) && f.before(7) {
		ok, err = false, nil
	}
	if err == nil && !ok {
		return fail(op, ErrInvalidCredentials)
	}
	return err
}

// device returns the identifier of the verification that a trusted device needs. Before 1.4 it needs none: isTrusted.
func (f *Flows) device(userID string, value authdb.Secret) (identifier authdb.Secret, isTrusted bool) {
	if f.Cookies == nil || value == "" {
		return "", false
	}
	id, ok := f.Cookies.VerifyDevice(userID, value)
	if !ok || f.before(4) {
		return "", ok
	}
	return f.stored(id), false
}

func (f *Flows) secondFactor() repo.SecondFactor {
	s := repo.SecondFactor{
		ChallengeLifetime: 10 * time.Minute, DeviceLifetime: DeviceLifetime, CountsAttempts: !f.before(6),
		Stored: func(identifier string) string { return string(f.stored(authdb.Secret(identifier))) },
	}
	if f.before(4) {
		s.ChallengeLifetime = 3 * time.Minute
	}
	return s
}

// SignUpParams are a new user, and who sent them.
type SignUpParams struct {
	Name           string // at most 255 characters
	Email          string // stored in lower case; at most 254 characters
	Password       authdb.Secret
	Image          *string // at most 2,048 characters
	DontRememberMe bool    // as in PasswordParams
	Client         Client
}

// SignedUp is a new user.
type SignedUp struct {
	User authdb.User
	// Session is nil if RequireEmailVerification or DisableAutoSignIn is set.
	Session *authdb.Session
}

// SignUp adds a user with a password and signs it in, as /sign-up/email does, in one round trip after the hash. Then it
// sends the mail that verifies the address. It returns [authdb.ErrEmailTaken], [authdb.ErrInvalidInput], the errors of
// [betterauth.Hasher] or, when all else is done, that of Send.
//
// If no session is to be made, SignUp does not reveal who has an account: from 1.6 on, and from 1.5 on with
// RequireEmailVerification, it returns an invented user in place of [authdb.ErrEmailTaken].
func (f *Flows) SignUp(ctx context.Context, p SignUpParams) (SignedUp, error) {
	const op = "signin.SignUp"
	email, malformed := address("email", p.Email)
	if malformed.Reason == "" {
		malformed = bridge.Text("email", email, 254)
	}
	faults := append(p.Client.faults(), malformed, bridge.Text("name", p.Name, 255))
	if p.Image != nil {
		faults = append(faults, bridge.Text("image", *p.Image, 2048))
	}
	if err := bridge.Check(op, faults...); err != nil {
		return SignedUp{}, err
	}
	hash, err := f.hasher().Hash(ctx, string(p.Password))
	if err != nil {
		return SignedUp{}, err
	}
	made, err := f.signUp(ctx, op, email, hash, p)
	if errors.Is(err, authdb.ErrEmailTaken) &&
		(f.RequireEmailVerification && !f.before(5) || f.DisableAutoSignIn && !f.before(6)) {
		now := f.repo().Now()
		return SignedUp{User: authdb.User{
			ID: f.repo().NewID(), Name: p.Name, Email: email, Image: p.Image, CreatedAt: now, UpdatedAt: now,
		}}, nil
	}
	if err == nil && (f.SendOnSignUp || f.RequireEmailVerification) && f.Send != nil {
		err = f.sendVerification(ctx, made.User)
	}
	return made, err
}

// signUp makes the rows.
func (f *Flows) signUp(
	ctx context.Context, op, email string, hash authdb.Secret, p SignUpParams,
) (made SignedUp, err error) {
	user := dbgen.CreateUserParams{Name: p.Name, Email: email, Image: p.Image}
	account := dbgen.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: (*string)(&hash)}
	var row dbgen.User
	if f.RequireEmailVerification || f.DisableAutoSignIn {
		row, _, err = f.repo().CreateUserWithAccount(ctx, op, user, account)
		return SignedUp{User: authdb.User(row)}, bridge.Error(op, err, nil)
	}
	row, session, err := f.repo().SignUp(ctx, op, user, account, dbgen.CreateSessionParams{
		IPAddress: &p.Client.IPAddress, UserAgent: &p.Client.UserAgent,
	}, f.lifetime(p.DontRememberMe))
	if err != nil { // the answer has the user's row even if the account was refused
		return SignedUp{}, bridge.Error(op, err, nil)
	}
	return SignedUp{authdb.User(row), new(authdb.Session(session))}, nil
}

// RequestPasswordReset sends a MailReset, as /request-password-reset does, in one round trip. If nobody has the
// address, it does nothing. It returns [authdb.ErrInvalidInput], or the error of Send.
func (f *Flows) RequestPasswordReset(ctx context.Context, email string) error {
	const op = "signin.RequestPasswordReset"
	token := f.repo().NewToken(24)
	email, user, err := f.request(ctx, op, email, dbgen.CreateVerificationOfUserParams{
		Identifier: string(f.version().ResetPassword(token)),
	}, ResetLifetime)
	if err != nil || user.ID == "" {
		return err
	}
	return f.Send(ctx, Mail{Kind: MailReset, To: email, UserID: user.ID, Token: authdb.Secret(token)})
}

// request makes a verification for an address. It returns the address as stored, and its user, the zero value if nobody
// has it.
func (f *Flows) request(
	ctx context.Context, op, to string, p dbgen.CreateVerificationOfUserParams, lifetime time.Duration,
) (email string, user authdb.User, err error) {
	email, malformed := address("email", to)
	if err := bridge.Check(op, malformed, needs("send", f.Send != nil)); err != nil {
		return "", user, err
	}
	p.Email, p.Identifier = email, string(f.stored(authdb.Secret(p.Identifier)))
	row, err := f.repo().CreateVerificationOfUser(ctx, op, p, lifetime, "")
	return email, authdb.User(row), bridge.Error(op, err, nil)
}

// ResetPasswordParams are the token of a MailReset and the new password.
type ResetPasswordParams struct {
	Token       authdb.Secret
	NewPassword authdb.Secret
}

// ResetPassword uses up a reset and sets the user's password, possibly the first one, as /reset-password does, in two
// round trips with the hash between them. It returns the tokens of the sessions that ended: all of the user's if
// RevokeSessionsOnReset is set, otherwise none. It returns [ErrInvalidToken], or the errors of [betterauth.Hasher].
func (f *Flows) ResetPassword(ctx context.Context, p ResetPasswordParams) (ended []authdb.Secret, err error) {
	const op = "signin.ResetPassword"
	identifier := f.stored(f.version().ResetPassword(string(p.Token)))
	// Before the hash, which is expensive, as on the server.
	row, err := f.Store.Verifications.GetByIdentifier(ctx, identifier)
	reset := dbgen.ResetPasswordParams{
		Identifier: string(identifier), AnyAccountID: f.before(7), RevokeSessions: f.RevokeSessionsOnReset,
	}
	if errors.Is(err, authdb.ErrNotFound) {
		return nil, again(ctx, f, op, reset, fail(op, ErrInvalidToken))
	}
	if err != nil {
		return nil, err
	}
	hash, err := f.hasher().Hash(ctx, string(p.NewPassword))
	if err != nil {
		return nil, err
	}
	reset.UserID, reset.Password = string(row.Value), string(hash)
	tokens, err := f.repo().ResetPassword(ctx, op, reset)
	return secrets(tokens), bridge.Error(op, err, refusals)
}

// ChangePasswordParams are the passwords of a user who is signed in.
type ChangePasswordParams struct {
	UserID       string
	Current, New authdb.Secret
	// RevokeOthers ends all sessions and makes a new one: set its cookie.
	RevokeOthers bool
	Client       Client // of the new session
}

// ChangePassword sets a new password, as /change-password does, in two round trips with two hashes between them. The
// Session that it returns is zero unless RevokeOthers is set. It returns [ErrNoPassword], [ErrInvalidCredentials] if
// Current is not the password, or no longer is when it is changed, [authdb.ErrBanned] if a session would be made,
// [authdb.ErrNotFound], or the errors of [betterauth.Hasher].
func (f *Flows) ChangePassword(ctx context.Context, p ChangePasswordParams) (SignedIn, error) {
	const op = "signin.ChangePassword"
	if err := bridge.Check(op, append(p.Client.faults(), bridge.Key("user_id", p.UserID))...); err != nil {
		return SignedIn{}, err
	}
	row, err := repo.Read(ctx, f.repo(), op, (*repo.Queries).GetPassword, dbgen.GetPasswordParams{
		UserID: p.UserID, AnyAccountID: f.before(7),
	})
	if err != nil {
		return SignedIn{}, bridge.Error(op, err, nil)
	}
	if row.Password == "" {
		return SignedIn{}, fail(op, ErrNoPassword)
	}
	hash, err := f.hasher().Hash(ctx, string(p.New))
	if err != nil {
		return SignedIn{}, err
	}
	change := dbgen.ChangePasswordParams{UserID: p.UserID, AccountID: row.AccountID, RevokeSessions: p.RevokeOthers}
	session := dbgen.SignInByPasswordParams{IPAddress: &p.Client.IPAddress, UserAgent: &p.Client.UserAgent}
	if err := f.verify(ctx, op, row.Password, p.Current); err != nil {
		return SignedIn{}, again(ctx, f, op, repo.Given(change, session), err)
	}
	change.Current, change.Password = row.Password, string(hash)
	in, err := f.repo().ChangePassword(ctx, op, change, session, f.secondFactor())
	if err = bridge.Error(op, err, refusals); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{
		User: authdb.User(row.User), Session: authdb.Session(in.Session), Ended: secrets(slices.Clip(in.Ended)),
	}, nil
}
