//go:build betterauth

package betterauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// signUp is a user whom the server made, with a session.
func (w *world) signUp(name string) (*browser, string) {
	b := w.browser()
	a := w.done("sign up", b.post("/sign-up/email", object{"name": name, "email": email(name), "password": password}))
	return b, a.text("user", "id")
}

func email(name string) string { return strings.ToLower(name) + "@example.com" }

// goUser is a user whom this package made, with a session and, if asked, a password.
func (w *world) goUser(name string, withPassword bool) (*browser, authdb.User) {
	p := authdb.CreateUserParams{Name: name, Email: email(name), EmailVerified: true}
	var user authdb.User
	if withPassword {
		hash := one[authdb.Secret](w.check)(betterauth.HashPassword(w.ctx, password))
		made := one[authdb.UserWithAccount](w.check)(w.Users.CreateWithAccount(w.ctx, authdb.CreateUserWithAccountParams{
			User: p, Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: (*authdb.Secret)(&hash)},
		}))
		w.equal("account id of a credential account", made.Account.AccountID, made.ID)
		user = made.User
	} else {
		user = one[authdb.User](w.check)(w.Users.Create(w.ctx, p))
	}
	session := one[authdb.Session](w.check)(w.Sessions.Create(w.ctx, authdb.CreateSessionParams{UserID: user.ID}))
	return w.with(string(session.Token)), user
}

// authenticate asks this package who sends that cookie, and which cookies it sets.
func (w *world) authenticate(cookie string) (found authdb.Authentication, set []*http.Cookie, err error) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", w.cookies.Name()+"="+cookie)
	recorder := httptest.NewRecorder()
	found, err = w.auth.Authenticate(recorder, r)
	for _, line := range recorder.Header()["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		w.must(err == nil || w.is("Set-Cookie", err, nil))
		set = append(set, c)
	}
	return found, set, err
}

func (w *world) serverWritesAccounts() {
	ada, adaID := w.signUp("Ada")

	// Go reads the rows of a sign-up.
	user := one[authdb.User](w.check)(w.Users.GetByEmail(w.ctx, "ADA@example.com"))
	w.equal("user", user.ID, adaID)
	w.equal("name", user.Name, "Ada")
	w.equal("verified", user.EmailVerified, false)
	account := one[authdb.Account](w.check)(w.Accounts.GetCredential(w.ctx, adaID))
	w.equal("account id", account.AccountID, adaID)
	good, err := betterauth.VerifyPassword(w.ctx, account.Password, password)
	w.is("verify the server's hash", err, nil)
	w.equal("the server's hash verifies", good, true)
	bad, err := betterauth.VerifyPassword(w.ctx, account.Password, password+"x")
	w.is("verify a wrong password", err, nil)
	w.equal("a wrong password verifies", bad, false)

	// Sign-in: a second session, by cookie.
	second := w.browser()
	w.done("sign in", second.post("/sign-in/email", object{"email": "ada@example.com", "password": password}))
	found, set, err := w.authenticate(second.cookie())
	w.must(w.is("authenticate the server's cookie", err, nil))
	w.equal("cookie set again", len(set), 0)
	w.equal("user of the session", found.User.ID, adaID)
	byToken := one[authdb.Session](w.check)(w.Sessions.GetByToken(w.ctx, authdb.Secret(second.token())))
	w.equal("session", byToken.ID, found.Session.ID)
	w.equal("user by token", byToken.UserID, user.ID)
	w.equal("server's session", second.get("/get-session").text("session", "id"), found.Session.ID)
	page := one[authdb.Page[authdb.Session]](w.check)(w.Sessions.List(w.ctx, authdb.ListSessionsParams{UserID: adaID, Live: true}))
	w.equal("sessions", len(page.Items), 2)
	w.ok(within(found.Session.ExpiresAt, authdb.SessionLifetime), "session expires at %v", found.Session.ExpiresAt)
	w.ok(within(user.CreatedAt, 0), "user created at %v", user.CreatedAt)
	loaded := one[authdb.UserWithRelations](w.check)(w.Users.GetFull(w.ctx, user.ID, authdb.UserWith{Sessions: authdb.All(), Accounts: authdb.All()}))
	w.equal("loaded sessions", len(loaded.Sessions), 2)
	w.equal("loaded accounts", len(loaded.Accounts), 1)

	// Both update the user.
	w.done("update user", ada.post("/update-user", object{"name": "Ada Lovelace", "image": "https://example.com/a.png"}))
	user = one[authdb.User](w.check)(w.Users.Get(w.ctx, adaID))
	w.equal("name that the server wrote", user.Name, "Ada Lovelace")
	w.ok(user.Image != nil && *user.Image == "https://example.com/a.png", "image %v", user.Image)
	name := "Countess Ada"
	one[authdb.User](w.check)(w.Users.Update(w.ctx, adaID, authdb.UpdateUserParams{Name: authdb.Set(name), Image: authdb.SetNull[string]()}))
	shown := w.done("get session", ada.get("/get-session"))
	w.equal("name that Go wrote", shown.text("user", "name"), name)
	w.equal("image that Go took", shown.at("user", "image"), nil)
	one[authdb.VerifiedUser](w.check)(w.Users.VerifyEmail(w.ctx, adaID, authdb.VerifyEmailParams{Email: "ada@example.com", KeepAccess: true}))
	w.equal("verified by Go", ada.get("/get-session").at("user", "emailVerified"), true)

	// Password reset: the server's row is used by the server, and by Go.
	for _, byGo := range []bool{false, true} {
		w.done("request a reset", ada.post("/request-password-reset", object{"email": "ada@example.com", "redirectTo": "/"}))
		token := w.done("reset token", ada.post("/test/reset-token", object{"email": "ada@example.com"})).body.(string)
		w.equal("length of the token", len(token), 24)
		row := one[authdb.Verification](w.check)(w.Verifications.GetByIdentifier(w.ctx, w.version.ResetPassword(token)))
		w.equal("value of the reset", string(row.Value), adaID)
		w.ok(within(row.ExpiresAt, time.Hour), "reset expires at %v", row.ExpiresAt)
		if !byGo {
			w.done("reset", ada.post("/reset-password", object{"token": token, "newPassword": "a new password"}))
			_, err = w.Verifications.Consume(w.ctx, w.version.ResetPassword(token))
			w.is("consume what the server consumed", err, authdb.ErrNotFound)
			continue
		}
		one[authdb.Verification](w.check)(w.Verifications.Consume(w.ctx, w.version.ResetPassword(token)))
		hash := one[authdb.Secret](w.check)(betterauth.HashPassword(w.ctx, "a newer password"))
		w.is("set password", w.Accounts.SetPassword(w.ctx, adaID, authdb.Secret(hash)), nil)
		w.refused("reset by a token that Go used", ada.post("/reset-password", object{"token": token, "newPassword": "another password"}), 400)
	}
	w.refused("sign in with the password before", w.browser().post("/sign-in/email", object{"email": "ada@example.com", "password": "a new password"}), 401)
	w.done("sign in with the password of Go", w.browser().post("/sign-in/email", object{"email": "ada@example.com", "password": "a newer password"}))

	// A reset that Go made is good on the server.
	token := betterauth.NewID()[:24]
	one[authdb.Verification](w.check)(w.Verifications.Create(w.ctx, authdb.CreateVerificationParams{
		Identifier: authdb.Secret(w.version.ResetPassword(token)), Value: authdb.Secret(adaID), ExpiresAt: time.Now().Add(time.Hour),
	}))
	w.done("reset by a row of Go", ada.post("/reset-password", object{"token": token, "newPassword": password}))
	ada = w.browser()
	w.done("sign in after it", ada.post("/sign-in/email", object{"email": "ada@example.com", "password": password}))

	// An account at a provider, as the server's sign-in through GitHub writes it.
	made := w.done("create user by a provider", ada.post("/test/adapter", object{"method": "createOAuthUser", "args": []any{
		object{"name": "Grace", "email": "grace@example.com", "emailVerified": true},
		object{"providerId": "github", "accountId": "4711", "accessToken": "gho_x", "scope": "read:user,user:email"},
	}}))
	owner := one[authdb.AccountWithUser](w.check)(w.Accounts.GetWithUserByProvider(w.ctx, "github", "4711"))
	w.equal("user of the account", owner.User.ID, made.text("user", "id"))
	w.equal("address of the account", owner.User.Email, "grace@example.com")
	w.equal("scope", *owner.Scope, "read:user,user:email")
	_, err = w.Accounts.Link(w.ctx, authdb.CreateAccountParams{UserID: adaID, ProviderID: "github", AccountID: "4711"})
	w.is("link an identity of another", err, authdb.ErrAccountTaken)
	one[authdb.Account](w.check)(w.Accounts.Link(w.ctx, authdb.CreateAccountParams{UserID: adaID, ProviderID: "github", AccountID: "4712"}))
	w.equal("accounts that the server lists", sorted(w.done("list accounts", ada.get("/list-accounts")).texts("providerId")), []string{"credential", "github"})

	// Signing out and revoking on the server ends sessions in Go.
	last := ada.token()
	w.done("sign out", ada.post("/sign-out", object{}))
	_, err = w.Sessions.Authenticate(w.ctx, authdb.Secret(last))
	w.is("authenticate after signing out", err, authdb.ErrNotFound)
}

func (w *world) goWritesAccounts() {
	bob, user := w.goUser("Bob", true)

	// The cookie that Go signed.
	shown := w.done("get session", bob.get("/get-session"))
	session := one[authdb.Session](w.check)(w.Sessions.GetByToken(w.ctx, authdb.Secret(bob.token())))
	w.equal("session of Go's cookie", shown.text("session", "id"), session.ID)
	w.equal("user of Go's cookie", shown.text("user", "id"), user.ID)
	w.equal("address", shown.text("user", "email"), "bob@example.com")
	expires, err := time.Parse(time.RFC3339, shown.text("session", "expiresAt"))
	w.is("expiry", err, nil)
	w.ok(expires.Equal(session.ExpiresAt), "the server says %v, Go %v", expires, session.ExpiresAt)

	// The password that Go hashed.
	other := w.browser()
	w.done("sign in with Go's hash", other.post("/sign-in/email", object{"email": "Bob@Example.com", "password": password}))
	w.refused("sign in with a wrong password", w.browser().post("/sign-in/email", object{"email": "bob@example.com", "password": "wrong password"}), 401)
	w.refused("sign up with an address of Go", w.browser().post("/sign-up/email", object{"name": "B", "email": "BOB@example.com", "password": password}), 422)
	_, err = w.Users.Create(w.ctx, authdb.CreateUserParams{Name: "B", Email: "Bob@example.com"})
	w.is("the same in Go", err, authdb.ErrEmailTaken)
	w.equal("accounts", w.done("list accounts", bob.get("/list-accounts")).texts("providerId"), []string{"credential"})
	w.done("change the password", other.post("/change-password", object{"currentPassword": password, "newPassword": "changed password"}))
	account := one[authdb.Account](w.check)(w.Accounts.GetCredential(w.ctx, user.ID))
	good, err := betterauth.VerifyPassword(w.ctx, account.Password, "changed password")
	w.is("verify", err, nil)
	w.equal("the changed password verifies", good, true)

	// Sessions: listed, refreshed, revoked by either side.
	w.equal("sessions that the server lists", len(w.done("list sessions", other.get("/list-sessions")).list()), 2)
	age := func(token string) { // until it is due
		w.exec(`UPDATE session SET created_at = created_at - interval '25 hours', expires_at = expires_at - interval '25 hours'
			WHERE token = $1`, token)
	}
	for _, byGo := range []bool{false, true} {
		age(bob.token())
		if byGo {
			_, set, err := w.authenticate(bob.cookie())
			w.is("authenticate", err, nil)
			w.ok(len(set) == 1 && set[0].Value == bob.cookie() && set[0].MaxAge == int(authdb.SessionLifetime.Seconds()), "Go sets %v", set)
		} else {
			a := w.done("get session", bob.get("/get-session"))
			w.equal("the server sets the cookie", len(a.header["Set-Cookie"]), 1)
		}
		row := one[authdb.Session](w.check)(w.Sessions.GetByToken(w.ctx, authdb.Secret(bob.token())))
		w.ok(within(row.ExpiresAt, authdb.SessionLifetime), "refreshed to %v", row.ExpiresAt)
		again := w.done("get session", bob.get("/get-session"))
		w.equal("nothing is due after a refresh", len(again.header["Set-Cookie"]), 0)
		refreshed := one[authdb.RefreshedSession](w.check)(w.Sessions.Refresh(w.ctx, authdb.RefreshSessionParams{Token: authdb.Secret(bob.token())}))
		w.equal("due in Go", refreshed.Refreshed, false)
	}
	third := w.browser()
	w.done("sign in again", third.post("/sign-in/email", object{"email": "bob@example.com", "password": "changed password"}))
	age(third.token())
	_, set, err := w.authenticate(third.cookie())
	w.is("authenticate with the server's session", err, nil)
	w.equal("Go prolongs what the server made", len(set), 1)
	brief := w.browser()
	w.done("sign in without remember me", brief.post("/sign-in/email", object{
		"email": "bob@example.com", "password": "changed password", "rememberMe": false,
	}))
	before := one[authdb.Session](w.check)(w.Sessions.GetByToken(w.ctx, authdb.Secret(brief.token())))
	_, set, err = w.authenticate(brief.cookie()) // without the cookie dont_remember
	w.is("authenticate without remember me", err, nil)
	w.equal("cookies that Go sets for a session of a day", len(set), 0)
	refreshed := one[authdb.RefreshedSession](w.check)(w.Sessions.Refresh(w.ctx, authdb.RefreshSessionParams{Token: authdb.Secret(brief.token())}))
	w.ok(refreshed.ExpiresAt.Equal(before.ExpiresAt), "a session of a day is prolonged to %v", refreshed.ExpiresAt)
	w.done("revoke", other.post("/revoke-session", object{"token": bob.token()}))
	_, _, err = w.authenticate(bob.cookie())
	w.is("authenticate what the server revoked", err, betterauth.ErrNoSession)
	w.is("revoke in Go", w.Sessions.DeleteByToken(w.ctx, authdb.Secret(other.token())), nil)
	w.equal("session that Go revoked", w.done("get session", other.get("/get-session")).body, nil)
	w.refused("list sessions with it", other.get("/list-sessions"), 401)

	var browsers []*browser
	for range 3 {
		s := one[authdb.Session](w.check)(w.Sessions.Create(w.ctx, authdb.CreateSessionParams{UserID: user.ID, IPAddress: "192.0.2.1", UserAgent: "test"}))
		browsers = append(browsers, w.with(string(s.Token)))
	}
	first := one[authdb.Session](w.check)(w.Sessions.GetByToken(w.ctx, authdb.Secret(browsers[0].token())))
	one[[]authdb.Session](w.check)(w.Sessions.DeleteOthers(w.ctx, user.ID, first.ID))
	for i, b := range browsers {
		w.equal("signed in after the others were ended", b.get("/get-session").body != nil, i == 0)
	}
	w.equal("agent", browsers[0].get("/get-session").text("session", "userAgent"), "test")
	one[[]authdb.Session](w.check)(w.Sessions.DeleteByUser(w.ctx, user.ID))
	w.equal("session after all were ended", browsers[0].get("/get-session").body, nil)

	// A change of address in Go moves the sign-in.
	one[authdb.User](w.check)(w.Users.SetEmail(w.ctx, user.ID, authdb.SetEmailParams{Email: "Robert@example.com", Verified: true}))
	w.refused("sign in by the old address", w.browser().post("/sign-in/email", object{"email": "bob@example.com", "password": "changed password"}), 401)
	w.done("sign in by the new one", w.browser().post("/sign-in/email", object{"email": "robert@example.com", "password": "changed password"}))
}

// within tells a time that is so far from now, give or take a minute.
func within(at time.Time, from time.Duration) bool {
	return (time.Until(at) - from).Abs() < time.Minute
}
