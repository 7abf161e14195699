package signin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/signin"
)

// TestProof: a link and a code sign in, and take away what a squatter left, by the version.
func TestProof(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		w := newWorld(t, version)
		link := func(email string) (signin.SignedIn, error) {
			w.must(w.SendLink(w.ctx, signin.SendLinkParams{Email: upper(email), Name: "Ada"}))
			m := w.mail(signin.MailLink, email)
			in, err := w.SignInByLink(w.ctx, signin.LinkParams{Token: m.Token, Client: signin.Client{UserAgent: agent}})
			_, again := w.SignInByLink(w.ctx, signin.LinkParams{Token: m.Token})
			w.is("a link again", again, signin.ErrInvalidToken)
			return in, err
		}
		code := func(email string) (signin.SignedIn, error) {
			w.must(w.SendCode(w.ctx, upper(email)))
			p := signin.CodeParams{Email: upper(email), Code: w.mail(signin.MailCode, email).Token, Name: "Ada", Client: signin.Client{UserAgent: agent}}
			w.equal("digits", strings.Trim(string(p.Code), "0123456789")+fmt.Sprint(len(p.Code)), "6")
			in, err := w.SignInByCode(w.ctx, p)
			_, again := w.SignInByCode(w.ctx, p)
			w.is("a code again", again, signin.ErrInvalidCode)
			return in, err
		}
		for name, prove := range map[string]func(email string) (signin.SignedIn, error){"link": link, "code": code} {
			squat, known := w.user(false), w.user(true)
			for _, u := range []authdb.User{squat, known} {
				w.session(u.ID)
				_, err := w.Store.Accounts.Link(w.ctx, authdb.CreateAccountParams{UserID: u.ID, ProviderID: "github", AccountID: name + u.ID})
				w.must(err)
			}
			in, err := prove(squat.Email)
			w.must(err)
			w.equal("verified", in.User.EmailVerified, true)
			w.equal("agent", *in.Session.UserAgent, agent)
			left := map[string][3]int{"1.6.34": {1, 1, 1}, "1.7.25": {0, 1, 1}}[version]
			if version < "1.6" {
				left = [3]int{2, 2, 0}
			}
			w.equal("accounts left by a "+name, w.count("account", "user_id = $1", squat.ID), left[0])
			w.equal("sessions left by a "+name, w.count("session", "user_id = $1", squat.ID), left[1])
			w.equal("sessions that ended", len(in.Ended), left[2])
			_, err = w.sign(squat.Email)
			if version >= "1.6" {
				w.is("the squatter's password", err, signin.ErrInvalidCredentials)
			} else {
				w.must(err)
			}

			in, err = prove(known.Email)
			w.must(err)
			w.equal("accounts of who is known", w.count("account", "user_id = $1", known.ID), 2)
			w.equal("sessions of who is known", w.count("session", "user_id = $1", known.ID), 2)
			w.equal("ended", len(in.Ended), 0)
			w.equal("user", in.User, known)
			w.exec(`UPDATE "user" SET two_factor_enabled = true, banned = true, ban_expires = '2020-01-01' WHERE id = $1`, known.ID)
			_, err = prove(known.Email) // which asks for no second factor, and lifts a ban that is over
			w.must(err)
			w.equal("banned", w.one(`SELECT banned FROM "user" WHERE id = $1`, known.ID), false)

			fresh := name + "@example.com"
			in, err = prove(fresh)
			w.must(err)
			w.equal("new user", []any{in.User.Email, in.User.Name, in.User.EmailVerified, in.Session.UserID == in.User.ID}, []any{fresh, "Ada", true, true})
			again, err := prove(fresh)
			w.must(err)
			w.equal("the same user", again.User, in.User)

			barred := w.user(false)
			w.session(barred.ID)
			w.exec(`UPDATE "user" SET banned = true WHERE id = $1`, barred.ID)
			_, err = prove(barred.Email)
			w.is("banned", err, authdb.ErrBanned)
			w.equal("proved all the same", w.one(`SELECT email_verified FROM "user" WHERE id = $1`, barred.ID), true)
			w.equal("sessions of who is banned", w.count("session", "user_id = $1", barred.ID), 1-left[2])
		}

		w.DisableSignUp = true
		_, err := link("late@example.com")
		w.is("a link to nobody", err, signin.ErrSignUpDisabled)
		w.must(w.SendCode(w.ctx, "late@example.com"))
		w.noMail()
		w.equal("users", w.count(`"user"`, "email = 'late@example.com'"), 0)
		w.equal("codes", w.count("verification", "identifier LIKE 'sign-in-otp-%'"), 0)
		w.DisableSignUp = false
	}
}

// TestCodesAreGuessed three times.
func TestCodesAreGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	w.must(w.SendCode(w.ctx, ada.Email))
	right := w.mail(signin.MailCode, ada.Email).Token
	wrong := authdb.Secret("000000")
	if right == wrong {
		wrong = "000001"
	}
	for range 3 {
		_, err := w.SignInByCode(w.ctx, signin.CodeParams{Email: ada.Email, Code: wrong})
		w.is("a guess", err, signin.ErrInvalidCode)
	}
	_, err := w.SignInByCode(w.ctx, signin.CodeParams{Email: ada.Email, Code: right})
	w.is("the right one, too late", err, authdb.ErrTooManyAttempts)
	w.equal("sessions", w.count("session", "true"), 0)
	for _, code := range []authdb.Secret{"", "\x00", authdb.Secret(strings.Repeat("1", 1000))} {
		_, err = w.SignInByCode(w.ctx, signin.CodeParams{Email: "nobody@example.com", Code: code})
		w.is("no code", err, signin.ErrInvalidCode)
	}
	err = w.Store.InTx(w.ctx, func(tx *authdb.Store) error {
		in := *w.Flows
		in.Store = tx
		_, err := in.SignInByCode(w.ctx, signin.CodeParams{Email: ada.Email, Code: right})
		return err
	})
	w.is("in a transaction", err, authdb.ErrInTransaction)
}

// TestExpiry: what is late is as if it were not there.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	w.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ada := w.user(false)
	w.must(w.RequestPasswordReset(w.ctx, ada.Email))
	reset := w.mail(signin.MailReset, ada.Email).Token
	w.must(w.SendLink(w.ctx, signin.SendLinkParams{Email: ada.Email}))
	link := w.mail(signin.MailLink, ada.Email).Token
	w.must(w.SendCode(w.ctx, ada.Email))
	code := w.mail(signin.MailCode, ada.Email).Token
	w.must(w.SendVerification(w.ctx, ada.Email))
	mail := w.mail(signin.MailVerification, ada.Email).Token

	w.now = w.now.Add(5 * time.Minute)
	_, err := w.SignInByLink(w.ctx, signin.LinkParams{Token: link})
	w.is("link", err, signin.ErrInvalidToken)
	_, err = w.SignInByCode(w.ctx, signin.CodeParams{Email: ada.Email, Code: code})
	w.is("code", err, signin.ErrInvalidCode)
	w.now = w.now.Add(55 * time.Minute)
	_, err = w.ResetPassword(w.ctx, signin.ResetPasswordParams{Token: reset, NewPassword: "another password"})
	w.is("reset", err, signin.ErrInvalidToken)
	_, err = w.VerifyEmail(w.ctx, signin.VerifyEmailParams{Token: mail})
	w.is("mail token", err, betterauth.ErrMailTokenExpired)
	w.is("mail token", err, signin.ErrInvalidToken)
}

// TestHashed: what the server stores as a hash.
func TestHashed(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.5.6", "1.7.25"} {
		w := newWorld(t, version)
		w.HashIdentifiers, w.HashCodes, w.HashLinks = true, true, true
		ada := w.user(true)
		w.must(w.SendCode(w.ctx, ada.Email))
		code := w.mail(signin.MailCode, ada.Email).Token
		w.equal("codes", w.count("verification", "identifier = $1 AND value = $2",
			string(betterauth.HashedIdentifier("sign-in-otp-"+authdb.Secret(ada.Email))), string(betterauth.HashedIdentifier(code))+":0"), 1)
		_, err := w.SignInByCode(w.ctx, signin.CodeParams{Email: ada.Email, Code: code})
		w.must(err)
		w.must(w.SendLink(w.ctx, signin.SendLinkParams{Email: ada.Email}))
		link := w.mail(signin.MailLink, ada.Email).Token
		w.equal("links", w.count("verification", "identifier = $1",
			string(betterauth.HashedIdentifier(w.Version.MagicLink(string(betterauth.HashedIdentifier(link)))))), 1)
		_, err = w.SignInByLink(w.ctx, signin.LinkParams{Token: link})
		w.must(err)
		w.must(w.RequestPasswordReset(w.ctx, ada.Email))
		reset := w.mail(signin.MailReset, ada.Email).Token
		w.equal("resets", w.count("verification", "identifier = $1", string(betterauth.HashedIdentifier("reset-password:"+reset))), 1)
		_, err = w.ResetPassword(w.ctx, signin.ResetPasswordParams{Token: reset, NewPassword: password})
		w.must(err)
		w.exec(`UPDATE "user" SET two_factor_enabled = true`)
		challenge := w.challenge(ada)
		w.equal("challenges", w.count("verification", "identifier = $1", string(betterauth.HashedIdentifier(challenge))), 1)
	}
}

// TestOthersAreNoLinks: what is verified beside links is not used up by their route.
func TestOthersAreNoLinks(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		w := newWorld(t, version)
		ada := w.user(true)
		w.must(w.SendCode(w.ctx, ada.Email))
		w.must(w.RequestPasswordReset(w.ctx, ada.Email))
		for _, token := range []string{
			"sign-in-otp-" + ada.Email, "reset-password:" + string(w.mails[1].Token), string(w.mails[1].Token), "", "\x00",
		} {
			_, err := w.SignInByLink(w.ctx, signin.LinkParams{Token: authdb.Secret(token)})
			w.is(token, err, signin.ErrInvalidToken)
		}
		w.equal("rows", w.count("verification", "true"), 2)
		for i, value := range []string{`{}`, `x`, `{"email":"ada"}`, `["a@b.co"]`, `{"type":"code","email":"` + ada.Email + `"}`} {
			token := fmt.Sprintf("token%d", i)
			_, err := w.Store.Verifications.Create(w.ctx, authdb.CreateVerificationParams{
				Identifier: w.Version.MagicLink(token), Value: authdb.Secret(value), ExpiresAt: time.Now().Add(time.Minute),
			})
			w.must(err)
			_, err = w.SignInByLink(w.ctx, signin.LinkParams{Token: authdb.Secret(token)})
			if i < 4 || version >= "1.7" {
				w.is(value, err, signin.ErrInvalidToken)
			}
		}
	}
}

// TestMadeUpUser: who is made up has an id of the store's, as who is made.
func TestMadeUpUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	w.DisableAutoSignIn = true
	n := 0
	w.Store = plugged.New(t, authdb.WithIDs(func() string { n++; return fmt.Sprint("id-", n) }))
	for _, who := range []string{"made", "made up"} {
		in, err := w.SignUp(w.ctx, signin.SignUpParams{Name: "Ada", Email: "ada@example.com", Password: password})
		w.must(err)
		w.equal("the id of who is "+who, strings.HasPrefix(in.User.ID, "id-"), true)
	}
}

// TestStateIsNoLink: the state of a sign-in at a provider, which before 1.7.7 has an identifier like a link's, and
// from 1.4 on whatever additionalData the browser sent, signs nobody in; nor is a code by phone used up.
func TestStateIsNoLink(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		w := newWorld(t, version)
		ada := w.user(true)
		for token, value := range map[string]string{
			"aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeF": `{"email":"` + ada.Email + `","name":"Eve","callbackURL":"/","codeVerifier":"v","expiresAt":4102444800000}`,
			"4915112345678":                    "123456:0",
		} {
			_, err := w.Store.Verifications.Create(w.ctx, authdb.CreateVerificationParams{
				Identifier: authdb.Secret(token), Value: authdb.Secret(value), ExpiresAt: time.Now().Add(time.Minute),
			})
			w.must(err)
			_, err = w.SignInByLink(w.ctx, signin.LinkParams{Token: authdb.Secret(token)})
			w.is(version+": "+token, err, signin.ErrInvalidToken)
		}
		w.equal("sessions", w.count("session", "true"), 0)
		w.equal("codes by phone", w.count("verification", "identifier = '4915112345678'"), 1)
	}
}

// TestChangePassword: the rows of /change-password.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	change := func(current, next authdb.Secret, revoke bool) (signin.SignedIn, error) {
		return w.ChangePassword(w.ctx, signin.ChangePasswordParams{
			UserID: ada.ID, Current: current, New: next, RevokeOthers: revoke, Client: signin.Client{UserAgent: agent},
		})
	}
	first := w.session(ada.ID).Token
	in, err := change(password, "second password", false)
	w.must(err)
	w.equal("session", in.Session, authdb.Session{})
	w.equal("sessions", w.count("session", "true"), 1)
	_, err = change(password, "third password", true)
	w.is("the password before", err, signin.ErrInvalidCredentials)
	_, err = change("second password", "short", true)
	w.is("too short", err, betterauth.ErrPasswordTooShort)
	w.exec(`UPDATE "user" SET banned = true WHERE id = $1`, ada.ID)
	_, err = change("second password", "third password", true)
	w.is("banned", err, authdb.ErrBanned)
	w.exec(`UPDATE "user" SET ban_expires = '2020-01-01', two_factor_enabled = true WHERE id = $1`, ada.ID)
	in, err = change("second password", "third password", true)
	w.must(err)
	w.equal("ended", in.Ended, []authdb.Secret{first})
	w.equal("sessions", w.count("session", "true"), 1)
	w.equal("of", in.Session.UserID, ada.ID)
	w.equal("ban", w.one(`SELECT banned FROM "user"`), false)
	w.exec(`DELETE FROM account`)
	_, err = change("third password", "fourth password", true)
	w.is("no account", err, signin.ErrNoPassword)
	_, err = w.ChangePassword(w.ctx, signin.ChangePasswordParams{UserID: "nobody", Current: password, New: password})
	w.is("nobody", err, authdb.ErrNotFound)
}

// TestOtherAccountID: 1.7 goes by the credential account that has the user's id, those before by any.
func TestOtherAccountID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	w.exec(`UPDATE account SET account_id = 'other'`)
	for _, version := range versions {
		w.as(version)
		_, err := w.sign(ada.Email)
		if version < "1.7" {
			w.must(err)
		} else {
			w.is("1.7", err, signin.ErrInvalidCredentials)
		}
	}
	w.as("1.6.34")
	w.must(w.RequestPasswordReset(w.ctx, ada.Email))
	_, err := w.ResetPassword(w.ctx, signin.ResetPasswordParams{Token: w.mail(signin.MailReset, ada.Email).Token, NewPassword: password})
	w.must(err)
	w.equal("accounts", w.count("account", "true"), 1)
}

// TestSendOnSignIn: who has not proved the address gets the mail again, once the password was right.
func TestSendOnSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	w.RequireEmailVerification, w.SendOnSignIn = true, true
	ada := w.user(false)
	_, err := w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: "another password"})
	w.is("wrong", err, signin.ErrInvalidCredentials)
	w.noMail()
	_, err = w.sign(ada.Email)
	w.is("right", err, authdb.ErrEmailNotVerified)
	_, err = w.VerifyEmail(w.ctx, signin.VerifyEmailParams{Token: w.mail(signin.MailVerification, ada.Email).Token})
	w.must(err)
	_, err = w.sign(ada.Email)
	w.must(err)
	broken := errors.New("no mail today")
	w.Send = func(context.Context, signin.Mail) error { return broken }
	bob := w.user(false)
	_, err = w.sign(bob.Email)
	w.is("no mail", err, broken)
	w.is("no mail", err, authdb.ErrEmailNotVerified)
	w.is("no mail", w.RequestPasswordReset(w.ctx, bob.Email), broken)
}

// TestSettings: the lifetime of sessions is the store's.
func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	brief := plugged.New(t, authdb.WithSettings(authdb.Settings{SessionLifetime: time.Hour}))
	w.exec(`UPDATE "user" SET name = 'Ada'`)
	w.Store = brief
	_, err := brief.Users.CreateWithAccount(w.ctx, authdb.CreateUserWithAccountParams{
		User:    authdb.CreateUserParams{Name: "Ada", Email: ada.Email},
		Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: &hash},
	})
	w.must(err)
	in, err := w.sign(ada.Email)
	w.must(err)
	w.equal("lifetime", in.Session.ExpiresAt.Sub(in.Session.CreatedAt), time.Hour)
}

// TestWithoutPlugins: on the nine tables alone, all goes as if nobody were banned or had a second factor.
func TestWithoutPlugins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	w.exec(`ALTER TABLE "user" DROP COLUMN banned, DROP COLUMN ban_reason, DROP COLUMN ban_expires, DROP COLUMN role,
		DROP COLUMN two_factor_enabled; DROP TABLE two_factor`)
	made, err := w.SignUp(w.ctx, signin.SignUpParams{Name: "Ada", Email: "ada@example.com", Password: password})
	w.must(err)
	_, err = w.sign("ada@example.com")
	w.must(err)
	_, err = w.ChangePassword(w.ctx, signin.ChangePasswordParams{UserID: made.User.ID, Current: password, New: password, RevokeOthers: true})
	w.must(err)
	w.must(w.SendLink(w.ctx, signin.SendLinkParams{Email: "ada@example.com"}))
	_, err = w.SignInByLink(w.ctx, signin.LinkParams{Token: w.mail(signin.MailLink, "ada@example.com").Token})
	w.must(err)
}

// TestBadInput is refused before it reaches the server, by the name of the field.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	long := strings.Repeat("a", 20_000)
	for name, c := range map[string]struct {
		err   error
		field string
	}{
		"agent":    {errOf(w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Client: signin.Client{UserAgent: long}})), "user_agent"},
		"ip":       {errOf(w.SignUp(w.ctx, signin.SignUpParams{Email: ada.Email, Client: signin.Client{IPAddress: "\x00"}})), "ip_address"},
		"address":  {errOf(w.Password(w.ctx, signin.PasswordParams{Email: "ada@example"})), "email"},
		"kelvin":   {errOf(w.Password(w.ctx, signin.PasswordParams{Email: "\u212aelvin@example.com"})), "email"},
		"long":     {errOf(w.SignUp(w.ctx, signin.SignUpParams{Email: long[:250] + "@example.com"})), "email"},
		"name":     {errOf(w.SignUp(w.ctx, signin.SignUpParams{Email: "x@example.com", Name: long})), "name"},
		"image":    {errOf(w.SignUp(w.ctx, signin.SignUpParams{Email: "x@example.com", Image: &long})), "image"},
		"reset":    {w.RequestPasswordReset(w.ctx, "ada"), "email"},
		"code":     {w.SendCode(w.ctx, "ada"), "email"},
		"by code":  {errOf(w.SignInByCode(w.ctx, signin.CodeParams{Email: "ada"})), "email"},
		"verify":   {errOf(w.VerifyEmail(w.ctx, signin.VerifyEmailParams{Client: signin.Client{UserAgent: long}})), "user_agent"},
		"proof":    {errOf(w.VerifyEmailByCode(w.ctx, signin.CodeParams{Email: "ada"})), "email"},
		"by proof": {errOf(w.VerifyEmailByCode(w.ctx, signin.CodeParams{Email: ada.Email, Client: signin.Client{UserAgent: long}})), "user_agent"},
		"new":      {errOf(w.ResetPasswordByCode(w.ctx, signin.ResetPasswordByCodeParams{Email: "ada"})), "email"},
		"next":     {errOf(w.ChangeEmailByCode(w.ctx, signin.ChangeEmailByCodeParams{UserID: ada.ID, NewEmail: "ada"})), "new_email"},
		"link":     {w.SendLink(w.ctx, signin.SendLinkParams{Email: "ada"}), "email"},
		"by link":  {errOf(w.SignInByLink(w.ctx, signin.LinkParams{Client: signin.Client{UserAgent: long}})), "user_agent"},
		"mail":     {w.SendVerification(w.ctx, "ada"), "email"},
		"change":   {w.RequestEmailChange(w.ctx, signin.RequestEmailChangeParams{UserID: ada.ID, NewEmail: "ada"}), "new_email"},
		"user":     {w.RequestEmailChange(w.ctx, signin.RequestEmailChangeParams{NewEmail: "x@example.com"}), "user_id"},
		"password": {errOf(w.ChangePassword(w.ctx, signin.ChangePasswordParams{})), "user_id"},
	} {
		e, ok := errors.AsType[*authdb.Error](c.err)
		if !ok || !errors.Is(e, authdb.ErrInvalidInput) || e.Field != c.field {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	w.Send, w.Cookies = nil, nil
	for name, err := range map[string]error{
		"reset": w.RequestPasswordReset(w.ctx, ada.Email), "code": w.SendCode(w.ctx, ada.Email),
		"link": w.SendLink(w.ctx, signin.SendLinkParams{Email: ada.Email}), "verification": w.SendVerification(w.ctx, ada.Email),
		"verify": errOf(w.VerifyEmail(w.ctx, signin.VerifyEmailParams{Token: "x"})),
	} {
		w.is(name+" without what it needs", err, authdb.ErrInvalidInput)
	}
	w.equal("rows", w.count("verification", "true"), 0)
}

func errOf[T any](_ T, err error) error { return err }

// TestNothingIsShown: no secret in what prints, whatever is printed.
func TestNothingIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	w.exec(`UPDATE "user" SET two_factor_enabled = true`)
	params := signin.PasswordParams{Email: ada.Email, Password: password}
	_, err := w.Password(w.ctx, params)
	second := secondFactor(err)
	w.must(w.RequestPasswordReset(w.ctx, ada.Email))
	m := w.mail(signin.MailReset, ada.Email)
	for _, v := range []any{params, err, second, m, w.Flows, signin.SignedIn{Device: "hidden", Ended: []authdb.Secret{"hidden"}}} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "v", v)
		for _, text := range []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), log.String()} {
			for _, hidden := range []string{password, secret, string(second.Challenge), string(m.Token), "hidden"} {
				if strings.Contains(text, hidden) {
					t.Errorf("%T shows a secret: %s", v, text)
				}
			}
		}
	}
}

// TestClientIP: lists, proxies and odd addresses.
func TestClientIP(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		version, lines, want string
		proxies              []netip.Prefix
	}{
		{"1.7.25", "203.0.113.7, 10.0.0.1", "203.0.113.7", proxies},
		{"1.7.25", "198.51.100.1, 203.0.113.7, 10.0.0.2, fd00::1", "203.0.113.7", proxies},
		{"1.7.25", "203.0.113.7, garbage, 10.0.0.1", "", proxies},
		{"1.7.25", "10.0.0.1", "", proxies},
		{"1.7.25", "203.0.113.7, ::ffff:10.0.0.1", "203.0.113.7", proxies},
		{"1.7.25", "203.0.113.7,", "203.0.113.7", nil},
		{"1.7.25", "203.0.113.7|10.0.0.1", "", nil},
		{"1.5.6", "203.0.113.7|10.0.0.1", "203.0.113.7", proxies},
		{"1.5.6", ", 10.0.0.1", "", nil},
		{"1.3.34", "2001:DB8::1", "2001:DB8::1", nil},
		{"1.4.22", "2001:DB8::1", "2001:0db8:0000:0000:0000:0000:0000:0000", nil},
		{"1.4.22", "::ffff:c000:201", "192.0.2.1", nil},
		{"1.4.22", "fe80::1%eth0", "", nil},
		{"1.4.22", "192.0.2.01", "", nil},
		{"1.7.25", "", "", nil},
	} {
		w := &world{Flows: &signin.Flows{TrustedProxies: c.proxies}, t: t}
		w.as(c.version)
		w.equal(c.version+" of "+c.lines, w.ClientIP(strings.Split(c.lines, "|")...), c.want)
	}
}
