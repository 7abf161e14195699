package signin_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/signin"
)

// TestSignInVectors: what real servers of five versions answered to /sign-in/email.
func TestSignInVectors(t *testing.T) {
	t.Parallel()
	w, vectors := newWorld(t, "1.7.25"), find(t, "sign_in")
	ada := w.user(true)
	none, empty, mixed, fresh := w.user(true), w.user(true), w.user(true), w.user(false)
	w.exec(`DELETE FROM account WHERE user_id = $1`, none.ID)
	w.exec(`UPDATE account SET password = NULL WHERE user_id = $1`, empty.ID)
	w.exec(`UPDATE "user" SET email = 'Mixed@example.com' WHERE id = $1`, mixed.ID)
	tried := map[string]bool{"no password": true} // which is no string there
	for _, version := range versions {
		w.as(version)
		for name, p := range map[string]signin.PasswordParams{
			"right":                               {Email: ada.Email, Password: password},
			"upper case":                          {Email: upper(ada.Email), Password: password},
			"spaces around":                       {Email: " " + ada.Email + " ", Password: password},
			"not an address":                      {Email: "ada", Password: password},
			"unknown":                             {Email: "nobody@example.com", Password: password},
			"empty password":                      {Email: ada.Email},
			"129 characters":                      {Email: ada.Email, Password: authdb.Secret(strings.Repeat("a", 129))},
			"credential account without password": {Email: empty.Email, Password: password},
			"no credential account":               {Email: none.Email, Password: password},
			"address stored in mixed case":        {Email: "Mixed@example.com", Password: password},
		} {
			tried[name] = true
			_, err := w.Password(w.ctx, p)
			w.agrees(name, err, vectors[name].of(t, version))
		}
		w.RequireEmailVerification = true
		_, err := w.sign(fresh.Email)
		w.agrees("unverified", err, vectors["unverified"].of(t, version))
		_, err = w.Password(w.ctx, signin.PasswordParams{Email: fresh.Email, Password: "another password"})
		w.agrees("unverified, wrong password", err, vectors["unverified, wrong password"].of(t, version))
		w.RequireEmailVerification = false
		for name, brief := range map[string]bool{
			"session: default": false, "session: rememberMe true": false, "session: rememberMe false": true,
		} {
			tried[name] = true
			want := vectors[name].of(t, version)
			in, err := w.Password(w.ctx, signin.PasswordParams{
				Email: ada.Email, Password: password, DontRememberMe: brief, Client: signin.Client{UserAgent: agent},
			})
			w.must(err)
			row, _ := w.one(`SELECT to_jsonb(s.*) FROM session s WHERE id = $1`, in.Session.ID).(map[string]any)
			w.equal("lifetime", in.Session.ExpiresAt.Sub(in.Session.CreatedAt).Seconds(), want.Lifetime)
			w.equal("updated", in.Session.UpdatedAt, in.Session.CreatedAt)
			w.equal("token", len(in.Session.Token), 32)
			w.equal("user", in.Session.UserID, ada.ID)
			for column, value := range want.Row {
				if value != "…" {
					w.equal(name+": "+column, row[column], value)
				}
			}
			found, err := w.Store.Sessions.Authenticate(w.ctx, in.Session.Token)
			w.must(err)
			w.equal("who is signed in", found.User, in.User)
		}
	}
	for _, name := range []string{"no user agent", "long user agent"} {
		tried[name] = true
		agent := map[string]string{"no user agent": "", "long user agent": strings.Repeat("a", 2000)}[name]
		in, err := w.Password(w.ctx, signin.PasswordParams{
			Email: ada.Email, Password: password, Client: signin.Client{UserAgent: agent},
		})
		w.must(err)
		w.equal(name, *in.Session.UserAgent, agent)
	}
	for name := range vectors {
		if !tried[name] && !strings.HasPrefix(name, "x-forwarded-for") && !strings.HasPrefix(name, "unverified") {
			t.Errorf("not tried: %s", name)
		}
	}
}

// TestClientIPVectors: what they wrote of x-forwarded-for.
func TestClientIPVectors(t *testing.T) {
	t.Parallel()
	n := 0
	for name, v := range find(t, "sign_in") {
		header, ok := strings.CutPrefix(name, "x-forwarded-for ")
		if !ok {
			continue
		}
		var lines []string
		if header != "undefined" {
			lines = []string{""}
			if err := json.Unmarshal([]byte(header), &lines[0]); err != nil {
				t.Fatal(err)
			}
		}
		for _, version := range versions {
			n++
			w := &world{Flows: &signin.Flows{}, t: t}
			w.as(version)
			w.equal(name+" in "+version, w.ClientIP(lines...), *v.of(t, version).IPAddress)
		}
	}
	if n != 30 {
		t.Errorf("%d cases", n)
	}
}

// TestBanVectors: what they answered to who is banned, and what they left of the ban.
func TestBanVectors(t *testing.T) {
	t.Parallel()
	var file struct{ Cases []vector }
	readJSON(t, "ban-cases.json", &file)
	if len(file.Cases) != 9 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	w := newWorld(t, "1.7.25")
	for _, version := range versions {
		w.as(version)
		for _, v := range file.Cases {
			want, ada := v.of(t, version), w.user(true)
			var set string
			w.must(json.Unmarshal(want.Set, &set))
			set = strings.Replace(set, "2 seconds", "2 minutes", 1) // on a slow machine, too
			w.exec(`UPDATE "user" SET `+set+` WHERE id = $1`, ada.ID)
			_, err := w.sign(ada.Email)
			status, _ := statusOf(err)
			w.equal(v.Name, status, want.SignIn.Status)
			got, _ := w.one(`SELECT jsonb_build_object('banned', banned, 'ban_reason', ban_reason,
				'ban_expires', CASE WHEN ban_expires IS NOT NULL THEN 'set' END) FROM "user" WHERE id = $1`, ada.ID).(map[string]any)
			w.equal(v.Name+": what is left", got, want.After)
			w.equal(v.Name+": sessions", w.count("session", "user_id = $1", ada.ID), map[int]int{200: 1, 403: 0}[status])
		}
	}
}

// TestSignUpVectors: what they answered to /sign-up/email, and the rows.
func TestSignUpVectors(t *testing.T) {
	t.Parallel()
	w, vectors := newWorld(t, "1.7.25"), find(t, "sign_up")
	taken := w.user(true)
	for i, version := range versions {
		w.as(version)
		fresh := func(kind string) string { return kind + string(rune('a'+i)) + "@example.com" }
		up := func(email string) (signin.SignedUp, error) {
			return w.SignUp(w.ctx, signin.SignUpParams{Name: "Ada", Email: email, Password: password})
		}
		_, err := up(upper(taken.Email))
		w.agrees("taken address", err, vectors["taken address"].of(t, version))
		made, err := up(upper(fresh("rows")))
		w.must(err)
		w.equal("address", made.User.Email, fresh("rows"))
		w.equal("session of", made.Session.UserID, made.User.ID)
		w.equal("verified", made.User.EmailVerified, false)
		w.equal("stamps", made.User.CreatedAt, made.User.UpdatedAt)
		account, err := w.Store.Accounts.GetCredential(w.ctx, made.User.ID)
		w.must(err)
		w.equal("account id", account.AccountID, made.User.ID)
		w.must(betterauth.CheckHash(*account.Password))
		_, err = w.sign(fresh("rows"))
		w.must(err)
		w.noMail()

		for _, c := range []struct {
			set         *bool
			name, taken string
		}{
			{&w.RequireEmailVerification, "with requireEmailVerification", "taken address with requireEmailVerification"},
			{&w.DisableAutoSignIn, "autoSignIn false", "taken address, autoSignIn false"},
		} {
			*c.set = true
			made, err = up(fresh(c.name[:4]))
			w.agrees(c.name, err, vectors[c.name].of(t, version))
			w.equal("session", made.Session, (*authdb.Session)(nil))
			w.equal("sessions", w.count("session", "user_id = $1", made.User.ID), 0)
			if w.RequireEmailVerification {
				w.equal("user of the mail", w.mail(signin.MailVerification, fresh("with")).UserID, made.User.ID)
			}
			n := w.count(`"user"`, "true")
			made, err = up(taken.Email)
			w.agrees(c.taken, err, vectors[c.taken].of(t, version))
			w.equal("users", w.count(`"user"`, "true"), n)
			w.noMail()
			if err == nil {
				w.equal("made up", w.count(`"user"`, "id = $1", made.User.ID), 0)
				w.equal("length of the id", len(made.User.ID), 32)
				w.equal("address", made.User.Email, taken.Email)
			}
			*c.set = false
		}
	}
}

// TestResetVectors: what they answered to a reset, and the rows.
func TestResetVectors(t *testing.T) {
	t.Parallel()
	w, vectors := newWorld(t, "1.7.25"), find(t, "reset")
	for _, version := range versions {
		w.as(version)
		ada := w.user(false)
		w.session(ada.ID)
		w.must(w.RequestPasswordReset(w.ctx, upper(ada.Email)))
		m := w.mail(signin.MailReset, ada.Email)
		w.equal("length of the token", len(m.Token), 24)
		row, err := w.Store.Verifications.GetByIdentifier(w.ctx, "reset-password:"+m.Token)
		w.must(err)
		w.equal("value", string(row.Value), ada.ID)
		w.equal("lifetime", row.ExpiresAt.Sub(row.CreatedAt), time.Hour)
		rows := w.count("verification", "true")
		w.must(w.RequestPasswordReset(w.ctx, "nobody@example.com"))
		w.noMail()
		w.equal("rows after a request for nobody", w.count("verification", "true"), rows)

		reset := signin.ResetPasswordParams{Token: m.Token, NewPassword: "another password"}
		ended, err := w.ResetPassword(w.ctx, reset)
		w.agrees("reset", err, vectors["reset"].of(t, version))
		w.equal("ended", len(ended), 0)
		w.equal("sessions", w.count("session", "user_id = $1", ada.ID), 1)
		w.equal("rows left", w.count("verification", "true"), rows-1)
		w.equal("verified", w.one(`SELECT email_verified FROM "user" WHERE id = $1`, ada.ID), false)
		_, err = w.ResetPassword(w.ctx, reset)
		w.agrees("twice", err, vectors["twice"].of(t, version))
		_, err = w.sign(ada.Email)
		w.is("the password before", err, signin.ErrInvalidCredentials)
		_, err = w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: "another password"})
		w.must(err)

		w.RevokeSessionsOnReset = true
		none := w.user(true)
		token := w.session(none.ID).Token
		w.exec(`DELETE FROM account WHERE user_id = $1`, none.ID)
		w.must(w.RequestPasswordReset(w.ctx, none.Email))
		ended, err = w.ResetPassword(w.ctx, signin.ResetPasswordParams{
			Token: w.mail(signin.MailReset, none.Email).Token, NewPassword: password,
		})
		w.agrees("of a user without", err, vectors["of a user without a credential account"].of(t, version))
		w.equal("ended", ended, []authdb.Secret{token})
		w.equal("sessions after", w.count("session", "user_id = $1", none.ID),
			vectors["with revokeSessionsOnPasswordReset"].of(t, version).Sessions)
		w.RevokeSessionsOnReset = false
		account, err := w.Store.Accounts.GetCredential(w.ctx, none.ID)
		w.must(err)
		w.equal("account id", account.AccountID, none.ID)
	}
}

// TestSecondFactorVectors: the rows of a challenge, and a trusted device.
func TestSecondFactorVectors(t *testing.T) {
	t.Parallel()
	w, vectors := newWorld(t, "1.7.25"), find(t, "two_factor")
	for _, version := range versions {
		w.as(version)
		w.exec(`DELETE FROM verification`)
		ada, bob := w.user(true), w.user(true)
		w.exec(`UPDATE "user" SET two_factor_enabled = true WHERE id = ANY($1)`, []string{ada.ID, bob.ID})
		want := vectors["sign-in by password"].of(t, version)
		challenge := w.challenge(ada)
		w.equal("sessions", w.count("session", "user_id = $1", ada.ID), 0)
		var rows []string
		for _, v := range want.Verification {
			replace := strings.NewReplacer("2fa-<20 characters>", string(challenge), "<user id>", ada.ID)
			rows = append(rows, replace.Replace(v.Identifier+" = "+v.Value))
		}
		slices.Sort(rows)
		got, _ := w.one(`SELECT jsonb_agg(identifier || ' = ' || value ORDER BY identifier) FROM verification`).([]any)
		w.equal("rows of "+version, got, anys(rows))

		// As the server makes a trusted device.
		id := authdb.Secret("trust-device-" + betterauth.NewID())
		if version > "1.4" {
			_, err := w.Store.Verifications.Create(w.ctx, authdb.CreateVerificationParams{
				Identifier: id, Value: authdb.Secret(ada.ID), ExpiresAt: time.Now().Add(time.Hour),
			})
			w.must(err)
		}
		device := w.Cookies.SignDevice(ada.ID, id)
		for range 2 {
			in, err := w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: password, Device: device})
			w.must(err)
			if in.Device == device || in.Device == "" {
				t.Error("the device is not another")
			}
			_, err = w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: password, Device: device})
			if version > "1.4" {
				w.is("the device before", err, signin.ErrSecondFactor)
			}
			_, err = w.Password(w.ctx, signin.PasswordParams{Email: bob.Email, Password: password, Device: in.Device})
			w.is("another's device", err, signin.ErrSecondFactor)
			device = in.Device
		}
		w.exec(`UPDATE verification SET expires_at = created_at WHERE identifier LIKE 'trust-device-%'`)
		_, err := w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: password, Device: device})
		if version > "1.4" {
			w.is("a device that is trusted no longer", err, signin.ErrSecondFactor)
		}
		_, err = w.Password(w.ctx, signin.PasswordParams{Email: ada.Email, Password: "another password"})
		w.is("a wrong password", err, signin.ErrInvalidCredentials)
		w.exec(`UPDATE "user" SET banned = true WHERE id = $1`, ada.ID)
		_, err = w.sign(ada.Email)
		w.is("banned", err, authdb.ErrBanned)
	}
}

// challenge signs a user in whom a second factor is wanted of.
func (w *world) challenge(u authdb.User) authdb.Secret {
	w.t.Helper()
	_, err := w.sign(u.Email)
	second := secondFactor(err)
	if second == nil || second.UserID != u.ID {
		w.t.Fatalf("returns %v", err)
	}
	return second.Challenge
}
