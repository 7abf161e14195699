package signin_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/signin"
)

// signIn is the route that a form with an address and a password is sent to.
func signIn(flows *signin.Flows, cookies *betterauth.Cookies) http.Handler {
	lifetime := flows.Store.Sessions.Settings().SessionLifetime
	return cookies.NoStore(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := flows.Password(r.Context(), signin.PasswordParams{
			Email: r.FormValue("email"), Password: authdb.Secret(r.FormValue("password")), Device: cookies.TrustedDevice(r),
			Client: signin.Client{IPAddress: flows.ClientIP(r.Header["X-Forwarded-For"]...), UserAgent: r.UserAgent()},
		})
		if second, ok := errors.AsType[*signin.SecondFactorError](err); ok {
			http.SetCookie(w, cookies.SecondFactorCookie(second.Challenge, second.Lifetime))
			http.Redirect(w, r, "/two-factor", http.StatusSeeOther) // where the web application asks for it
			return
		}
		switch {
		case errors.Is(err, signin.ErrInvalidCredentials):
			w.WriteHeader(http.StatusUnauthorized)
			return
		case errors.Is(err, authdb.ErrBanned), errors.Is(err, authdb.ErrEmailNotVerified):
			w.WriteHeader(http.StatusForbidden)
			return
		case err != nil:
			betterauth.WriteError(w, err)
			return
		}
		http.SetCookie(w, cookies.Cookie(in.Session.Token, lifetime))
	}))
}

func Example() {
	ctx := context.Background()
	db, err := testdb.Migrated(ctx)
	if err != nil {
		log.Fatal(err)
	}
	store, err := authdb.Open(ctx, db.DSN)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, "a secret of 32 characters, or more of them")
	if err != nil {
		log.Fatal(err)
	}

	flows := &signin.Flows{Store: store, Cookies: cookies, Version: betterauth.Version{1, 7, 25}}
	_, err = flows.SignUp(ctx, signin.SignUpParams{Name: "Ada", Email: "Ada@example.com", Password: "correct horse"})
	if err != nil {
		log.Fatal(err)
	}
	for _, password := range []string{"wrong horse", "correct horse"} {
		form := url.Values{"email": {"ada@example.com"}, "password": {password}}
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/sign-in", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		signIn(flows, cookies).ServeHTTP(w, r)
		fmt.Println(w.Code, len(w.Result().Cookies()), "cookie")
	}
	// Output:
	// 401 0 cookie
	// 200 1 cookie
}
