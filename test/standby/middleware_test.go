package standby_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// middleware: who carries a position is answered by no standby that is behind it. Who carries none is, at times by what
// is over.
func (p pair) middleware(t *testing.T) {
	ctx := t.Context()
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, "a secret of the test, with 32 characters and more")
	if err != nil {
		t.Fatal(err)
	}
	a := &betterauth.Authenticator{Sessions: p.primary.Sessions, Cookies: cookies, Standby: p.standby}
	h := a.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := betterauth.FromContext(r.Context())
		_, _ = fmt.Fprint(w, who.User.Name)
	}))
	answers := func(what string, token authdb.Secret, want string, carried ...*http.Cookie) {
		t.Helper()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
		r.AddCookie(cookies.Cookie(token, authdb.SessionLifetime))
		for _, c := range carried {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	const gone = `401 {"message":"Unauthorized","code":"UNAUTHORIZED"}`
	signIn := func(u authdb.User) authdb.Secret {
		t.Helper()
		s, err := p.primary.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: u.ID})
		if err != nil {
			t.Fatal(err)
		}
		return s.Token
	}
	write := func(err error) *http.Cookie {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return cookies.PositionCookie(p.position(t))
	}
	u := user(t, p.primary)
	token := signIn(u)
	_, err = p.primary.Users.Update(ctx, u.ID, authdb.UpdateUserParams{Name: authdb.Set("first")})
	first := write(err)
	answers("replayed", token, "200 first", first)

	exec(t, p.standby, "SELECT pg_wal_replay_pause()")
	_, err = p.primary.Users.Update(ctx, u.ID, authdb.UpdateUserParams{Name: authdb.Set("second")})
	second := write(err)
	answers("carries nothing", token, "200 first")
	answers("carries what the standby has", token, "200 first", first)
	answers("carries what it has not", token, "200 second", second)
	forged := *second
	forged.Value = "ffff" + forged.Value
	answers("carries what nobody signed", token, "200 first", &forged)
	answers("signed in just now", signIn(u), "200 second")
	revoked := write(p.primary.Sessions.DeleteByToken(ctx, token))
	answers("revoked, carries nothing", token, "200 first")
	answers("revoked", token, gone, revoked)
	exec(t, p.standby, "SELECT pg_wal_replay_resume()")

	closed := open(t, p.servers[1])
	closed.Close()
	a.Standby = closed
	answers("without the standby", signIn(u), "200 second", revoked)
}
