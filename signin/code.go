package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// SendCode sends a MailCode of six digits to sign in with, as /email-otp/send-verification-otp does with the type
// sign-in, in one round trip. If DisableSignUp is set and nobody has the address, it does nothing. It returns
// [authdb.ErrInvalidInput], or the error of Send.
func (f *Flows) SendCode(ctx context.Context, email string) error {
	return f.sendCode(ctx, "signin.SendCode", betterauth.OTPSignIn, email, !f.DisableSignUp)
}

// SendVerificationCode is SendCode for [Flows.VerifyEmailByCode], as with the type email-verification. It does nothing
// if nobody has the address.
func (f *Flows) SendVerificationCode(ctx context.Context, email string) error {
	return f.sendCode(ctx, "signin.SendVerificationCode", betterauth.OTPEmailVerification, email, false)
}

// SendResetCode is SendCode for [Flows.ResetPasswordByCode], as with the type forget-password. It does nothing if
// nobody has the address.
func (f *Flows) SendResetCode(ctx context.Context, email string) error {
	return f.sendCode(ctx, "signin.SendResetCode", betterauth.OTPForgetPassword, email, false)
}

// sendCode sends a code to an address. With anybody, it also does if no user has the address.
func (f *Flows) sendCode(ctx context.Context, op string, of betterauth.OTPType, email string, anybody bool) error {
	code, value, err := f.newCode()
	if err != nil {
		return err
	}
	identifier := f.version().EmailOTP(of, strings.ToLower(email))
	to, user, err := f.request(ctx, op, email, dbgen.CreateVerificationOfUserParams{
		Identifier: string(identifier), Value: &value, Anybody: anybody,
	}, CodeLifetime)
	if err != nil || user.ID == "" && !anybody {
		return err
	}
	return f.Send(ctx, Mail{Kind: MailCode, For: of, To: to, UserID: user.ID, Token: code})
}

// newCode returns a code, and the value of its verification.
func (f *Flows) newCode() (code authdb.Secret, value string, err error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", "", err
	}
	code = authdb.Secret(fmt.Sprintf("%06d", n))
	stored := code
	switch {
	case f.HashCodes:
		stored = betterauth.HashedIdentifier(code)
	case f.EncryptCode != nil:
		stored, err = f.EncryptCode(code)
	}
	return code, string(stored) + ":0", err
}

// consumeCode uses a code up, or counts a guess. It returns ErrInvalidCode, or what ConsumeCode does.
func (f *Flows) consumeCode(ctx context.Context, op string, identifier, code authdb.Secret) (err error) {
	identifier = f.stored(identifier)
	switch {
	case f.HashCodes:
		code = betterauth.HashedIdentifier(code)
	case f.DecryptCode != nil:
		code, err = f.encrypted(ctx, identifier, code)
	}
	if err == nil {
		err = f.Store.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: identifier, Code: code})
	}
	if errors.Is(err, authdb.ErrNotFound) || errors.Is(err, authdb.ErrWrongCode) ||
		errors.Is(err, authdb.ErrInvalidInput) {
		return fail(op, ErrInvalidCode)
	}
	return err
}

// encrypted returns the stored form of a code, or another text if code is not the stored one. It decrypts that, since
// encrypting again would give another text.
func (f *Flows) encrypted(ctx context.Context, identifier, code authdb.Secret) (authdb.Secret, error) {
	row, err := f.Store.Verifications.GetByIdentifier(ctx, identifier)
	if err != nil {
		return "", err
	}
	stored := row.Value[:max(0, strings.LastIndexByte(string(row.Value), ':'))]
	plain, err := f.DecryptCode(stored)
	if err == nil && subtle.ConstantTimeCompare([]byte(plain), []byte(code)) != 1 {
		stored += " "
	}
	return stored, err
}

// CodeParams are a guess at a code, and who sent it.
type CodeParams struct {
	Email  string
	Code   authdb.Secret
	Name   string // of the new user, if nobody has the address; at most 255 characters
	Client Client
}

// SignInByCode signs in the user of an address by a code of SendCode or of the server, as /sign-in/email-otp does, in
// two round trips, with DecryptCode in three. It verifies the address: see [Flows.SignInByLink]. It returns
// [ErrInvalidCode], [authdb.ErrTooManyAttempts] after three guesses, [ErrSignUpDisabled], [authdb.ErrBanned] or
// [authdb.ErrInvalidInput]. Like the server it asks for no second factor. On a store in a transaction, whose rollback
// would forget the guess, it returns [authdb.ErrInTransaction].
func (f *Flows) SignInByCode(ctx context.Context, p CodeParams) (SignedIn, error) {
	const op = "signin.SignInByCode"
	email, malformed := address("email", p.Email)
	if err := bridge.Check(op, append(p.Client.faults(), malformed, bridge.Text("name", p.Name, 255))...); err != nil {
		return SignedIn{}, err
	}
	if err := f.consumeCode(ctx, op, f.version().EmailOTP(betterauth.OTPSignIn, email), p.Code); err != nil {
		return SignedIn{}, err
	}
	return f.prove(ctx, op, email, p.Name, p.Client)
}

// VerifyEmailByCode verifies an address by a code of SendVerificationCode or of the server, as /email-otp/verify-email
// does, in two round trips. It leaves accounts and sessions. With SignInAfterVerification it makes a session, also if
// somebody is signed in. It does not use the Name in p. It returns the errors of [Flows.SignInByCode].
func (f *Flows) VerifyEmailByCode(ctx context.Context, p CodeParams) (VerifiedEmail, error) {
	const op = "signin.VerifyEmailByCode"
	email, malformed := address("email", p.Email)
	if err := bridge.Check(op, append(p.Client.faults(), malformed)...); err != nil {
		return VerifiedEmail{}, err
	}
	if err := f.consumeCode(ctx, op, f.version().EmailOTP(betterauth.OTPEmailVerification, email), p.Code); err != nil {
		return VerifiedEmail{}, err
	}
	return f.verified(ctx, op, dbgen.SignInProvedParams{
		Email: email, NoSession: !f.SignInAfterVerification,
	}, p.Client, ErrInvalidCode)
}

// ResetPasswordByCodeParams are a guess at a code, and the password to set.
type ResetPasswordByCodeParams struct {
	Email             string
	Code, NewPassword authdb.Secret
}

// ResetPasswordByCode sets a password by a code of SendResetCode or of the server, as /email-otp/reset-password does,
// in three round trips with the hash before the last. It also proves the address. It returns what [Flows.ResetPassword]
// does, with the errors of a password first, and [ErrInvalidCode], [authdb.ErrTooManyAttempts],
// [authdb.ErrInvalidInput] or [authdb.ErrInTransaction] as [Flows.SignInByCode].
func (f *Flows) ResetPasswordByCode(
	ctx context.Context, p ResetPasswordByCodeParams,
) (ended []authdb.Secret, err error) {
	const op = "signin.ResetPasswordByCode"
	email, malformed := address("email", p.Email)
	if err := bridge.Check(op, malformed); err != nil {
		return nil, err
	}
	if err := f.hasher().Check(string(p.NewPassword)); err != nil {
		return nil, err
	}
	if err := f.consumeCode(ctx, op, f.version().EmailOTP(betterauth.OTPForgetPassword, email), p.Code); err != nil {
		return nil, err
	}
	row, err := repo.Read(ctx, f.repo(), op, (*repo.Queries).GetUserByEmail, email)
	if err = bridge.Error(op, err, nil); err != nil {
		if errors.Is(err, authdb.ErrNotFound) {
			err = fail(op, ErrInvalidCode)
		}
		return nil, err
	}
	hash, err := f.hasher().Hash(ctx, string(p.NewPassword))
	if err != nil {
		return nil, err
	}
	tokens, err := f.repo().ResetPassword(ctx, op, dbgen.ResetPasswordParams{
		UserID: row.ID, Email: email, Password: string(hash), AnyAccountID: f.before(7),
		RevokeSessions: f.RevokeSessionsOnReset,
	})
	return secrets(tokens), bridge.Error(op, err, map[repo.RefusalError]error{"invalid token": ErrInvalidCode})
}

// SendEmailChangeCodeParams are the address that a user who is signed in wants.
type SendEmailChangeCodeParams struct {
	UserID   string
	NewEmail string
	Code     authdb.Secret // of SendVerificationCode to the address that the user has, where VerifyCurrentEmail is set
}

// SendEmailChangeCode sends a MailCode for [Flows.ChangeEmailByCode] to the new address, as
// /email-otp/request-email-change does from 1.5 on, in two round trips, and another for the code in p. If somebody has
// that address, it sends nothing, and does not tell. It returns [authdb.ErrInvalidInput], also if it is the user's
// already, [authdb.ErrNotFound], the error of Send, or with VerifyCurrentEmail [ErrInvalidCode] and so on as
// [Flows.SignInByCode].
func (f *Flows) SendEmailChangeCode(ctx context.Context, p SendEmailChangeCodeParams) error {
	const op = "signin.SendEmailChangeCode"
	user, to, isTaken, err := f.changing(ctx, op, p.UserID, p.NewEmail, needs("send", f.Send != nil))
	if err != nil {
		return err
	}
	if strings.ToLower(user.Email) == to {
		return unchanged(op)
	}
	if f.VerifyCurrentEmail {
		current := f.version().EmailOTP(betterauth.OTPEmailVerification, strings.ToLower(user.Email))
		if err := f.consumeCode(ctx, op, current, p.Code); err != nil {
			return err
		}
		ctx = f.repo().Second(ctx)
	}
	if isTaken {
		return nil
	}
	code, value, err := f.newCode()
	if err != nil {
		return err
	}
	identifier := f.stored(f.version().ChangeEmailOTP(user.ID, strings.ToLower(user.Email), to))
	_, err = f.repo().CreateVerificationOfUser(ctx, op, dbgen.CreateVerificationOfUserParams{
		Email: to, Identifier: string(identifier), Value: &value, Anybody: true,
	}, CodeLifetime, user.ID)
	if err = bridge.Error(op, err, nil); err != nil {
		return err
	}
	return f.Send(ctx, Mail{Kind: MailCode, For: betterauth.OTPChangeEmail, To: to, UserID: user.ID, Token: code})
}

// changing checks an address that a user wants, and returns the user, the address, and whether somebody has it.
func (f *Flows) changing(
	ctx context.Context, op, userID, newEmail string, others ...bridge.Fault,
) (user authdb.User, to string, isTaken bool, err error) {
	to, malformed := address("new_email", newEmail)
	if malformed.Reason == "" {
		malformed = bridge.Text("new_email", to, 254)
	}
	if err := bridge.Check(op, append(others, bridge.Key("user_id", userID), malformed)...); err != nil {
		return user, "", false, err
	}
	row, err := repo.Read(ctx, f.repo(), op, (*repo.Queries).GetUserToChange, dbgen.GetUserToChangeParams{
		UserID: userID, Email: to,
	})
	if err != nil {
		return user, "", false, bridge.Error(op, err, nil)
	}
	return authdb.User(row.User), to, row.Taken, nil
}

// unchanged is the error for an address that is the user's already.
func unchanged(op string) error {
	return bridge.Check(op, bridge.Fault{Field: "new_email", Reason: "the same"})
}

// ChangeEmailByCodeParams are the address that a user who is signed in has proved by a code.
type ChangeEmailByCodeParams struct {
	UserID   string
	NewEmail string
	Code     authdb.Secret
}

// ChangeEmailByCode changes an address by a code of SendEmailChangeCode or of the server, as /email-otp/change-email
// does from 1.5 on, in three round trips, and returns the user. The new address is proved then. It returns
// [ErrInvalidCode], also if the address is another by then, [authdb.ErrTooManyAttempts], [authdb.ErrEmailTaken],
// [authdb.ErrInvalidInput], also if it is the user's already, [authdb.ErrNotFound] or [authdb.ErrInTransaction].
func (f *Flows) ChangeEmailByCode(ctx context.Context, p ChangeEmailByCodeParams) (authdb.User, error) {
	const op = "signin.ChangeEmailByCode"
	user, to, _, err := f.changing(ctx, op, p.UserID, p.NewEmail)
	if err != nil {
		return authdb.User{}, err
	}
	set := dbgen.SetUserEmailParams{
		ID: user.ID, Email: to, Former: &user.Email, EmailVerified: new(true), Now: f.repo().Now(),
	}
	if strings.ToLower(user.Email) == to {
		err := again(f.repo().Second(ctx), f, op, set, unchanged(op))
		if errors.Is(err, authdb.ErrAlreadyDone) {
			return user, nil
		}
		return authdb.User{}, err
	}
	identifier := f.version().ChangeEmailOTP(user.ID, strings.ToLower(user.Email), to)
	if err := f.consumeCode(ctx, op, identifier, p.Code); err != nil {
		return authdb.User{}, err
	}
	row, err := repo.Update(f.repo().Second(ctx), f.repo(), op, (*repo.Queries).SetUserEmail, set,
		(*repo.Queries).GetUser, user.ID)
	if err = bridge.Error(op, err, nil); errors.Is(err, authdb.ErrNotFound) {
		err = fail(op, ErrInvalidCode)
	}
	return authdb.User(row), err
}
