package signin_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/signin"
)

// code returns the code that was sent to an address for something.
func (w *world) code(of betterauth.OTPType, to string) authdb.Secret {
	w.t.Helper()
	m := w.mail(signin.MailCode, to)
	w.equal("what the code is for", m.For, of)
	return m.Token
}

// ban bans a user, whose sessions stay.
func (w *world) ban(u authdb.User) { w.exec(`UPDATE "user" SET banned = true WHERE id = $1`, u.ID) }

func (w *world) isVerified(u authdb.User) bool {
	return w.count(`"user"`, "id = $1 AND email_verified", u.ID) == 1
}

// TestVerificationCodes prove an address, and take nothing away.
func TestVerificationCodes(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		w := newWorld(t, version)
		ada := w.user(false)
		w.session(ada.ID)
		for _, signsIn := range []bool{false, true} {
			w.SignInAfterVerification = signsIn
			w.must(w.SendVerificationCode(w.ctx, upper(ada.Email)))
			p := signin.CodeParams{
				Email: upper(ada.Email), Code: w.code(betterauth.OTPEmailVerification, ada.Email), Client: signin.Client{UserAgent: agent},
			}
			w.equal("row", w.count("verification", "identifier = $1 AND value = $2", "email-verification-otp-"+ada.Email, string(p.Code)+":0"), 1)
			_, err := w.SignInByCode(w.ctx, p)
			w.is("to sign in", err, signin.ErrInvalidCode)
			done, err := w.VerifyEmailByCode(w.ctx, p)
			w.must(err)
			w.equal("done", []any{done.User.ID, done.User.EmailVerified, done.Session != nil}, []any{ada.ID, true, signsIn})
			_, err = w.VerifyEmailByCode(w.ctx, p)
			w.is("again", err, signin.ErrInvalidCode)
		}
		w.equal("accounts", w.count("account", "true"), 1)
		w.equal("sessions", w.count("session", "true"), 2)
		w.equal("agents", w.count("session", "user_agent = $1", agent), 1)

		eve := w.user(false)
		w.ban(eve)
		w.must(w.SendVerificationCode(w.ctx, eve.Email))
		_, err := w.VerifyEmailByCode(w.ctx, signin.CodeParams{Email: eve.Email, Code: w.code(betterauth.OTPEmailVerification, eve.Email)})
		w.is("banned", err, authdb.ErrBanned)
		w.equal("proved all the same", w.isVerified(eve), true)

		w.must(w.SendVerificationCode(w.ctx, "nobody@example.com"))
		w.must(w.SendResetCode(w.ctx, "nobody@example.com"))
		w.noMail()
		w.equal("rows left", w.count("verification", "true"), 0)
	}
}

// TestVerifyAndSignIn: who proves an address by a mail token is signed in, if the flows say so: once, and not twice.
func TestVerifyAndSignIn(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		w := newWorld(t, version)
		w.SignInAfterVerification = true
		verify := func(u authdb.User, by string) (signin.VerifiedEmail, error) {
			w.must(w.SendVerification(w.ctx, u.Email))
			return w.VerifyEmail(w.ctx, signin.VerifyEmailParams{
				Token: w.mail(signin.MailVerification, u.Email).Token, UserID: by, Client: signin.Client{IPAddress: "192.0.2.1", UserAgent: agent},
			})
		}
		ada, bob := w.user(false), w.user(false)
		w.must(w.SendVerification(w.ctx, ada.Email))
		twice := w.mail(signin.MailVerification, ada.Email).Token
		done, err := verify(ada, bob.ID)
		w.must(err)
		w.equal("user", []any{done.User.ID, done.User.EmailVerified}, []any{ada.ID, true})
		if done.Session == nil || done.Session.UserID != ada.ID || *done.Session.UserAgent != agent || *done.Session.IPAddress != "192.0.2.1" ||
			done.Session.ExpiresAt.Sub(done.Session.CreatedAt) != authdb.SessionLifetime {
			t.Errorf("%s: session %+v", version, done.Session)
		}
		w.equal("accounts", w.count("account", "user_id = $1", ada.ID), 1)
		done, err = w.VerifyEmail(w.ctx, signin.VerifyEmailParams{Token: twice})
		w.must(err)
		w.equal("again", []any{done.User.ID, done.Session == nil}, []any{ada.ID, true})

		done, err = verify(bob, bob.ID)
		w.must(err)
		w.equal("signed in already", []any{done.User.EmailVerified, done.Session == nil}, []any{true, true})

		eve := w.user(false)
		w.ban(eve)
		_, err = verify(eve, "")
		w.is("banned", err, authdb.ErrBanned)
		w.equal("proved all the same", w.isVerified(eve), true)

		cyd := w.user(false)
		w.exec(`UPDATE "user" SET email = 'cyd@example.com' WHERE id = $1`, cyd.ID)
		token, err := w.Cookies.SignMailToken(betterauth.MailToken{Email: "cyd@example.com", UserID: ada.ID, IssuedAt: time.Now()})
		w.must(err)
		_, err = w.VerifyEmail(w.ctx, signin.VerifyEmailParams{Token: token})
		w.is("another's address", err, signin.ErrInvalidToken)
		w.equal("not proved", w.isVerified(cyd), false)
		w.equal("sessions", w.count("session", "true"), 1)
	}
}

// TestResetCodes set a password, and prove the address.
func TestResetCodes(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		w := newWorld(t, version)
		for _, revoke := range []bool{false, true} {
			w.RevokeSessionsOnReset = revoke
			for _, hasPassword := range []bool{true, false} {
				ada := w.user(false)
				w.session(ada.ID)
				if !hasPassword {
					w.exec(`DELETE FROM account WHERE user_id = $1`, ada.ID)
				}
				w.must(w.SendResetCode(w.ctx, upper(ada.Email)))
				p := signin.ResetPasswordByCodeParams{
					Email: upper(ada.Email), Code: w.code(betterauth.OTPForgetPassword, ada.Email), NewPassword: "1234567",
				}
				_, err := w.ResetPasswordByCode(w.ctx, p)
				w.is("short", err, betterauth.ErrPasswordTooShort)
				p.NewPassword = "another password"
				ended, err := w.ResetPasswordByCode(w.ctx, p)
				w.must(err)
				left := map[bool]int{false: 1}[revoke]
				w.equal("sessions", []int{len(ended), w.count("session", "user_id = $1", ada.ID)}, []int{1 - left, left})
				w.equal("proved", w.isVerified(ada), true)
				w.equal("accounts", w.count("account", "user_id = $1 AND account_id = $1 AND provider_id = 'credential'", ada.ID), 1)
				_, err = w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: "another password"})
				w.must(err)
				_, err = w.ResetPasswordByCode(w.ctx, p)
				w.is("again", err, signin.ErrInvalidCode)
			}
		}
	}
}

// TestEmailChangeCodes: the new address is proved by the code that is sent there.
func TestEmailChangeCodes(t *testing.T) {
	t.Parallel()
	for _, version := range versions[2:] {
		w := newWorld(t, version)
		ada, bob := w.user(true), w.user(true)
		ask := func(to string, current authdb.Secret) error {
			return w.SendEmailChangeCode(w.ctx, signin.SendEmailChangeCodeParams{UserID: ada.ID, NewEmail: to, Code: current})
		}
		change := func(to string, code authdb.Secret) (authdb.User, error) {
			return w.ChangeEmailByCode(w.ctx, signin.ChangeEmailByCodeParams{UserID: ada.ID, NewEmail: to, Code: code})
		}
		w.is("the same", ask(upper(ada.Email), ""), authdb.ErrInvalidInput)
		w.is("no address", ask("ada", ""), authdb.ErrInvalidInput)
		w.must(ask(bob.Email, ""))
		w.noMail()
		w.equal("rows of an address that is taken", w.count("verification", "true"), 0)

		w.must(ask("NEXT@example.com", ""))
		code := w.code(betterauth.OTPChangeEmail, "next@example.com")
		identifier := w.Version.ChangeEmailOTP(ada.ID, ada.Email, "next@example.com")
		w.equal("row", w.count("verification", "identifier = $1 AND value = $2", string(identifier), string(code)+":0"), 1)
		_, err := change("other@example.com", code)
		w.is("to another address", err, signin.ErrInvalidCode)
		changed, err := change("Next@example.com", code)
		w.must(err)
		w.equal("changed", []any{changed.ID, changed.Email, changed.EmailVerified}, []any{ada.ID, "next@example.com", true})
		_, err = change("next@example.com", code)
		w.is("the same", err, authdb.ErrInvalidInput)

		w.must(ask("late@example.com", ""))
		code = w.code(betterauth.OTPChangeEmail, "late@example.com")
		w.exec(`UPDATE "user" SET email = 'late@example.com' WHERE id = $1`, bob.ID)
		_, err = change("late@example.com", code)
		w.is("taken meanwhile", err, authdb.ErrEmailTaken)

		w.VerifyCurrentEmail = true
		w.is("without a code", ask("third@example.com", ""), signin.ErrInvalidCode)
		w.must(w.SendVerificationCode(w.ctx, "next@example.com"))
		current := w.code(betterauth.OTPEmailVerification, "next@example.com")
		w.must(ask("third@example.com", current))
		_, err = change("third@example.com", w.code(betterauth.OTPChangeEmail, "third@example.com"))
		w.must(err)
	}
}

// TestEncryptedCodes: what the table has of a code is another text each time, and no code.
func TestEncryptedCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	broken := errors.New("broken")
	w.EncryptCode = func(code authdb.Secret) (authdb.Secret, error) {
		nonce := make([]byte, 12)
		_, _ = rand.Read(nonce)
		for i := range 6 {
			nonce[6+i] = nonce[i] ^ code[i]
		}
		return authdb.Secret(base64.RawURLEncoding.EncodeToString(nonce)), nil
	}
	w.DecryptCode = func(stored authdb.Secret) (authdb.Secret, error) {
		nonce, err := base64.RawURLEncoding.DecodeString(string(stored))
		if err != nil || len(nonce) != 12 {
			return "", broken
		}
		for i := range 6 {
			nonce[i] ^= nonce[6+i]
		}
		return authdb.Secret(nonce[:6]), nil
	}
	ada := w.user(true)
	signIn := func(code authdb.Secret) error {
		_, err := w.SignInByCode(w.ctx, signin.CodeParams{Email: ada.Email, Code: code})
		return err
	}
	w.is("none yet", signIn("000000"), signin.ErrInvalidCode)
	w.must(w.SendCode(w.ctx, ada.Email))
	code := w.code(betterauth.OTPSignIn, ada.Email)
	stored, _ := w.one(`SELECT value FROM verification`).(string)
	if len(stored) != 18 {
		t.Errorf("stored: %q", stored)
	}
	w.is("what is stored", signIn(authdb.Secret(stored[:16])), signin.ErrInvalidCode)
	w.is("a guess", signIn(code[1:]+"x"), signin.ErrInvalidCode)
	w.equal("guesses", w.one(`SELECT value FROM verification`), any(stored[:17]+"2"))
	w.must(signIn(code))
	w.is("again", signIn(code), signin.ErrInvalidCode)

	w.must(w.SendCode(w.ctx, ada.Email))
	code = w.code(betterauth.OTPSignIn, ada.Email)
	for range 3 {
		w.is("a guess", signIn(code[1:]+"x"), signin.ErrInvalidCode)
	}
	w.is("too late", signIn(code), authdb.ErrTooManyAttempts)
	w.exec(`UPDATE verification SET value = '000000:0'`)
	w.is("what is not encrypted", signIn("000000"), broken)
	w.EncryptCode = func(authdb.Secret) (authdb.Secret, error) { return "", broken }
	w.is("no encryption", w.SendCode(w.ctx, ada.Email), broken)
	w.noMail()
}

// TestCodesOnce: each call by a code under a key of Once is done once.
func TestCodesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	w.SignInAfterVerification, w.VerifyCurrentEmail = true, true
	ada := w.user(true)
	send := func(of betterauth.OTPType, ask func(ctx context.Context) error) authdb.Secret {
		w.t.Helper()
		w.must(ask(authdb.Once(w.ctx, "send "+string(of))))
		m := w.mails[len(w.mails)-1]
		w.equal("for", m.For, of)
		w.is(string(of)+" again", ask(authdb.Once(w.ctx, "send "+string(of))), authdb.ErrAlreadyDone)
		return m.Token
	}
	verify := send(betterauth.OTPEmailVerification, func(ctx context.Context) error { return w.SendVerificationCode(ctx, ada.Email) })
	reset := send(betterauth.OTPForgetPassword, func(ctx context.Context) error { return w.SendResetCode(ctx, ada.Email) })
	change := send(betterauth.OTPChangeEmail, func(ctx context.Context) error {
		return w.SendEmailChangeCode(ctx, signin.SendEmailChangeCodeParams{UserID: ada.ID, NewEmail: "next@example.com", Code: verify})
	})
	w.must(w.SendVerificationCode(w.ctx, ada.Email))
	verify = w.mails[len(w.mails)-1].Token
	for _, c := range []struct {
		name  string
		do    func(ctx context.Context) error
		again error
	}{
		{"verify", func(ctx context.Context) error {
			return errOf(w.VerifyEmailByCode(ctx, signin.CodeParams{Email: ada.Email, Code: verify}))
		}, authdb.ErrAlreadyDone},
		{"reset", func(ctx context.Context) error {
			return errOf(w.ResetPasswordByCode(ctx, signin.ResetPasswordByCodeParams{Email: ada.Email, Code: reset, NewPassword: password}))
		}, authdb.ErrAlreadyDone},
		{"change", func(ctx context.Context) error {
			return errOf(w.ChangeEmailByCode(ctx, signin.ChangeEmailByCodeParams{UserID: ada.ID, NewEmail: "next@example.com", Code: change}))
		}, nil},
	} {
		w.must(c.do(authdb.Once(w.ctx, c.name)))
		w.is(c.name+" again", c.do(authdb.Once(w.ctx, c.name)), c.again)
	}
	w.equal("sessions", w.count("session", "true"), 1)
}
