package signin_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/signin"
)

// awaitLock returns when somebody waits for a lock of this database.
func (w *world) awaitLock() {
	w.t.Helper()
	for w.count("pg_stat_activity", "datname = current_database() AND wait_event_type = 'Lock'") == 0 {
		if w.ctx.Err() != nil {
			w.t.Fatal("nobody waits")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestRaceBan: a sign-in that meets a ban under way makes no session. The control inserts a session as the server does,
// which has looked before.
func TestRaceBan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signIn func(w *world, u authdb.User) error
		waits  bool
		want   error
		left   int
	}{
		"password": {func(w *world, u authdb.User) error { return errOf(w.sign(u.Email)) }, true, authdb.ErrBanned, 0},
		"link": {func(w *world, u authdb.User) error {
			w.must(w.SendLink(w.ctx, signin.SendLinkParams{Email: u.Email}))
			return errOf(w.SignInByLink(w.ctx, signin.LinkParams{Token: w.mail(signin.MailLink, u.Email).Token}))
		}, true, authdb.ErrBanned, 0},
		"control": {func(w *world, u authdb.User) error {
			_, err := w.Store.Pool().Exec(w.ctx, `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at)
				VALUES ('s', 't', $1, '2030-01-01', '2026-01-01', '2026-01-01')`, u.ID)
			return err
		}, false, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "1.7.25")
			ada := w.user(true)
			w.session(ada.ID)
			done := make(chan error, 1)
			w.must(w.Store.InTx(w.ctx, func(tx *authdb.Store) error {
				if _, err := tx.Tx().Exec(w.ctx, `UPDATE "user" SET banned = true WHERE id = $1`, ada.ID); err != nil {
					return err
				}
				if _, err := tx.Tx().Exec(w.ctx, `DELETE FROM session WHERE user_id = $1`, ada.ID); err != nil {
					return err
				}
				go func() { done <- c.signIn(w, ada) }()
				if c.waits {
					w.awaitLock()
				} else {
					done <- <-done
				}
				return nil
			}))
			w.is("sign-in", <-done, c.want)
			w.equal("sessions", w.count("session", "true"), c.left)
		})
	}
}

// TestRaceReset: a sign-in with a password that is reset meanwhile makes no session. The control makes one as
// Sessions.Create does, which knows nothing of passwords.
func TestRaceReset(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signIn func(w *world, u authdb.User) error
		want   error
		left   int
	}{
		"password": {func(w *world, u authdb.User) error { return errOf(w.sign(u.Email)) }, signin.ErrInvalidCredentials, 0},
		"control": {func(w *world, u authdb.User) error {
			return errOf(w.Store.Sessions.Create(w.ctx, authdb.CreateSessionParams{UserID: u.ID}))
		}, nil, 1},
	} {
		for way, set := range map[string]func(tx *signin.Flows, w *world, u authdb.User) error{
			"reset": func(tx *signin.Flows, w *world, u authdb.User) error {
				w.must(w.RequestPasswordReset(w.ctx, u.Email))
				return errOf(tx.ResetPassword(w.ctx, signin.ResetPasswordParams{
					Token: w.mail(signin.MailReset, u.Email).Token, NewPassword: "another password",
				}))
			},
			"change": func(tx *signin.Flows, w *world, u authdb.User) error {
				_, err := tx.ChangePassword(w.ctx, signin.ChangePasswordParams{
					UserID: u.ID, Current: password, New: "another password", RevokeOthers: true,
				})
				if err == nil {
					_, err = tx.Store.Sessions.DeleteByUser(w.ctx, u.ID) // its own
				}
				return err
			},
		} {
			t.Run(name+" against "+way, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "1.7.25")
				w.RevokeSessionsOnReset = true
				ada := w.user(true)
				w.session(ada.ID)
				done := make(chan error, 1)
				w.must(w.Store.InTx(w.ctx, func(tx *authdb.Store) error {
					in := *w.Flows
					in.Store = tx
					if err := set(&in, w, ada); err != nil {
						return err
					}
					go func() { done <- c.signIn(w, ada) }()
					w.awaitLock()
					return nil
				}))
				w.is("sign-in", <-done, c.want)
				w.equal("sessions", w.count("session", "true"), c.left)
			})
		}
	}
}

// TestRaceOnce: of many at once, one uses a token, a code or a trusted device. The control reads and deletes as servers
// up to 1.5 do.
func TestRaceOnce(t *testing.T) {
	t.Parallel()
	const n = 6
	all := func(use func() error, isWon func(err error) bool) (won int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range n {
			wg.Go(func() {
				ok := isWon(use())
				mu.Lock()
				defer mu.Unlock()
				if ok {
					won++
				}
			})
		}
		wg.Wait()
		return won
	}
	isNil := func(err error) bool { return err == nil }
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	w.must(w.RequestPasswordReset(w.ctx, ada.Email))
	reset := w.mail(signin.MailReset, ada.Email).Token
	w.equal("resets", all(func() error {
		return errOf(w.ResetPassword(w.ctx, signin.ResetPasswordParams{Token: reset, NewPassword: password}))
	}, isNil), 1)
	w.must(w.SendLink(w.ctx, signin.SendLinkParams{Email: ada.Email}))
	link := w.mail(signin.MailLink, ada.Email).Token
	w.equal("links", all(func() error {
		return errOf(w.SignInByLink(w.ctx, signin.LinkParams{Token: link}))
	}, isNil), 1)
	w.must(w.SendCode(w.ctx, ada.Email))
	code := w.mail(signin.MailCode, ada.Email).Token
	w.equal("codes", all(func() error {
		return errOf(w.SignInByCode(w.ctx, signin.CodeParams{Email: ada.Email, Code: code}))
	}, isNil), 1)
	w.exec(`UPDATE "user" SET two_factor_enabled = true`)
	_, err := w.Store.Verifications.Create(w.ctx, authdb.CreateVerificationParams{
		Identifier: "trust-device-x", Value: authdb.Secret(ada.ID), ExpiresAt: time.Now().Add(time.Hour),
	})
	w.must(err)
	device := w.Cookies.SignDevice(ada.ID, "trust-device-x")
	w.equal("devices", all(func() error {
		return errOf(w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: password, Device: device}))
	}, isNil), 1)
	w.equal("challenges", w.count("verification", "identifier LIKE '2fa-attempts-%'"), n-1)
	fresh := "fresh@example.com"
	w.equal("sign-ups", all(func() error {
		return errOf(w.SignUp(w.ctx, signin.SignUpParams{Name: "Ada", Email: fresh, Password: password}))
	}, isNil), 1)
	w.equal("sessions of the new user", w.count("session", `user_id = (SELECT id FROM "user" WHERE email = $1)`, fresh), 1)

	looked := sync.WaitGroup{}
	looked.Add(n)
	_, err = w.Store.Verifications.Create(w.ctx, authdb.CreateVerificationParams{
		Identifier: "control", Value: "x", ExpiresAt: time.Now().Add(time.Hour),
	})
	w.must(err)
	w.equal("control", all(func() error {
		_, err := w.Store.Verifications.GetByIdentifier(w.ctx, "control")
		looked.Done()
		looked.Wait()
		if err == nil {
			_, err = w.Store.Verifications.DeleteByIdentifier(w.ctx, "control")
		}
		return err
	}, isNil), n)
}

// TestLostAnswers: under a key, no flow does twice what it did.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	ada := w.user(true)
	once := func(key string, do func(ctx context.Context) error) {
		ctx := authdb.Once(w.ctx, key)
		w.must(do(ctx))
		before := w.count("session", "true") + w.count("verification", "true") + w.count(`"user"`, "true")
		w.is(key+" again", do(ctx), authdb.ErrAlreadyDone)
		w.equal(key+": rows", w.count("session", "true")+w.count("verification", "true")+w.count(`"user"`, "true"), before)
	}
	once("password", func(ctx context.Context) error {
		return errOf(w.Password(ctx, signin.PasswordParams{Email: ada.Email, Password: password}))
	})
	once("sign-up", func(ctx context.Context) error {
		return errOf(w.SignUp(ctx, signin.SignUpParams{Name: "Bob", Email: "bob@example.com", Password: password}))
	})
	once("request", func(ctx context.Context) error { return w.RequestPasswordReset(ctx, ada.Email) })
	once("code", func(ctx context.Context) error { return w.SendCode(ctx, ada.Email) })
	once("code to nobody", func(ctx context.Context) error { return w.SendCode(ctx, "eve@example.com") })
	once("link", func(ctx context.Context) error {
		return w.SendLink(ctx, signin.SendLinkParams{Email: ada.Email})
	})
	token := w.mails[len(w.mails)-1].Token
	once("by link", func(ctx context.Context) error {
		return errOf(w.SignInByLink(ctx, signin.LinkParams{Token: token}))
	})
	w.must(w.SendCode(w.ctx, ada.Email))
	code := w.mails[len(w.mails)-1].Token
	once("by code", func(ctx context.Context) error {
		return errOf(w.SignInByCode(ctx, signin.CodeParams{Email: ada.Email, Code: code}))
	})
	w.must(w.RequestPasswordReset(w.ctx, ada.Email))
	token = w.mails[len(w.mails)-1].Token
	once("reset", func(ctx context.Context) error {
		return errOf(w.ResetPassword(ctx, signin.ResetPasswordParams{Token: token, NewPassword: password}))
	})
	once("change to the same", func(ctx context.Context) error {
		return errOf(w.ChangePassword(ctx, signin.ChangePasswordParams{UserID: ada.ID, Current: password, New: password}))
	})
	once("change", func(ctx context.Context) error {
		return errOf(w.ChangePassword(ctx, signin.ChangePasswordParams{
			UserID: ada.ID, Current: password, New: "another password",
		}))
	})
	// Another call, and one that was never made, have no part in it.
	w.is("a key of another call", errOf(w.ResetPassword(authdb.Once(w.ctx, "change"),
		signin.ResetPasswordParams{Token: token, NewPassword: password})), signin.ErrInvalidToken)
	w.is("a new key", errOf(w.ResetPassword(authdb.Once(w.ctx, "new"),
		signin.ResetPasswordParams{Token: token, NewPassword: password})), signin.ErrInvalidToken)

	// Nor has one that was given something else.
	ctx := authdb.Once(w.ctx, "change")
	bob := w.user(true)
	w.is("a change of another's password", errOf(w.ChangePassword(ctx, signin.ChangePasswordParams{
		UserID: bob.ID, Current: "nonsense", New: "another password",
	})), signin.ErrInvalidCredentials)
	w.is("a change that ends sessions", errOf(w.ChangePassword(ctx, signin.ChangePasswordParams{
		UserID: ada.ID, Current: password, New: "another password", RevokeOthers: true,
	})), signin.ErrInvalidCredentials)
	w.is("a reset by another token", errOf(w.ResetPassword(authdb.Once(w.ctx, "reset"),
		signin.ResetPasswordParams{Token: "nonsense", NewPassword: password})), signin.ErrInvalidToken)
	w.is("a sign-up for a day", errOf(w.SignUp(authdb.Once(w.ctx, "sign-up"),
		signin.SignUpParams{Name: "Bob", Email: "bob@example.com", Password: password, DontRememberMe: true})), authdb.ErrInvalidInput)
	w.is("a link with a name", w.SendLink(authdb.Once(w.ctx, "link"), signin.SendLinkParams{Email: ada.Email, Name: "Ada"}), authdb.ErrInvalidInput)

	// A change of address returns only an error, and its mail may be sent again.
	w.UpdateUnverifiedEmail = true
	w.exec(`UPDATE "user" SET email_verified = false WHERE id = $1`, ada.ID)
	w.mails = nil
	change := signin.RequestEmailChangeParams{UserID: ada.ID, NewEmail: "other@example.com"}
	w.must(w.RequestEmailChange(authdb.Once(w.ctx, "address"), change))
	w.mail(signin.MailVerification, change.NewEmail)
	w.must(w.RequestEmailChange(authdb.Once(w.ctx, "address"), change))
	w.mail(signin.MailVerification, change.NewEmail)
	w.is("the same address", w.RequestEmailChange(authdb.Once(w.ctx, "address anew"), change), authdb.ErrInvalidInput)
}
