package betterauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/testdb"
)

// exampleStore opens a store on a fresh database.
func exampleStore(ctx context.Context) *authdb.Store {
	db, err := testdb.Migrated(ctx)
	if err != nil {
		log.Fatal(err)
	}
	store, err := authdb.Open(ctx, db.DSN)
	if err != nil {
		log.Fatal(err)
	}
	return store
}

// A service beside a Better Auth server: Ada signs up, is greeted, and signs out.
func Example() {
	ctx := context.Background()
	store := exampleStore(ctx) // authdb.Open(ctx, os.Getenv("DATABASE_URL"))
	defer store.Close()

	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
	if err != nil {
		log.Fatal(err)
	}
	auth := &betterauth.Authenticator{Sessions: store.Sessions, Cookies: cookies}

	mux := http.NewServeMux()
	mux.Handle("GET /me", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		me, _ := betterauth.FromContext(r.Context())
		_, _ = fmt.Fprint(w, "hello "+me.User.Name)
	})))
	mux.Handle("POST /sign-out", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		me, _ := betterauth.FromContext(r.Context())
		_, err := store.Sessions.DeleteByTokens(r.Context(), append(cookies.Tokens(r), me.Session.Token))
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		for _, c := range cookies.Clear(r) {
			http.SetCookie(w, c)
		}
		_, _ = fmt.Fprint(w, "goodbye")
	})))
	// The other side does as much when somebody signs up.
	mux.HandleFunc("POST /sign-up", func(w http.ResponseWriter, r *http.Request) {
		ctx, password := r.Context(), r.FormValue("password")
		hash, err := betterauth.HashPassword(ctx, password)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var session authdb.Session
		err = store.InTx(ctx, func(store *authdb.Store) error {
			ada, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: r.FormValue("email")})
			if err != nil {
				return err
			}
			if _, err := store.Accounts.Create(ctx, authdb.CreateAccountParams{
				UserID: ada.ID, ProviderID: authdb.ProviderCredential, Password: &hash,
			}); err != nil {
				return err
			}
			session, err = store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: ada.ID})
			return err
		})
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		http.SetCookie(w, cookies.Cookie(session.Token, store.Sessions.Settings().SessionLifetime))
		_, _ = fmt.Fprint(w, "welcome")
	})

	handler := cookies.NoStore(mux)

	var sent []*http.Cookie
	for _, target := range []string{"/sign-up?email=ada@example.com&password=correct+horse", "/me", "/sign-out", "/me"} {
		method := http.MethodPost
		if target == "/me" {
			method = http.MethodGet
		}
		r := httptest.NewRequest(method, target, nil)
		for _, c := range sent {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(r.Method, r.URL.Path, w.Code, w.Body)
		if len(sent) == 0 {
			sent = w.Result().Cookies()
		}
	}
	// Output:
	// POST /sign-up 200 welcome
	// GET /me 200 hello Ada
	// POST /sign-out 200 goodbye
	// GET /me 401 {"message":"Unauthorized","code":"UNAUTHORIZED"}
}

func ExampleVerifyPassword() {
	ctx, password := context.Background(), "password123"
	hash, err := betterauth.HashPassword(ctx, "ｐａｓｓｗｏｒｄ１２３") // full-width letters
	if err != nil {
		log.Fatal(err)
	}
	ok, err := betterauth.VerifyPassword(ctx, &hash, password)
	fmt.Println(ok, err)
	// Output: true <nil>
}

// Signing in takes as long for an address that nobody has, or that has no password, as for a wrong password.
func ExampleVerifyPassword_signIn() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()

	signIn := func(email, password string) (authdb.Session, error) {
		errWrong := errors.New("wrong e-mail address or password")
		user, err := store.Users.GetByEmail(ctx, email)
		switch {
		case errors.Is(err, authdb.ErrNotFound), errors.Is(err, authdb.ErrInvalidInput):
			user.ID = betterauth.NewID() // nobody's: the same reads follow
		case err != nil:
			return authdb.Session{}, err
		}
		account, err := store.Accounts.GetCredential(ctx, user.ID)
		if err != nil && !errors.Is(err, authdb.ErrNotFound) {
			return authdb.Session{}, err
		}
		ok, err := betterauth.VerifyPassword(ctx, account.Password, password) // nil where there is no hash
		if err != nil && !errors.Is(err, betterauth.ErrInvalidPassword) {
			return authdb.Session{}, err // such as betterauth.ErrBusy
		}
		if !ok {
			return authdb.Session{}, errWrong
		}
		return store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user.ID})
	}

	_, err := signIn("nobody@example.com", "?")
	fmt.Println(err)
	_, err = signIn("not an address", "correct horse")
	fmt.Println(err)
	// Output:
	// wrong e-mail address or password
	// wrong e-mail address or password
}

func ExampleVersion() {
	server := betterauth.Version{1, 7, 25}
	fmt.Println(string(server.MagicLink("fYxTqZkPmNbVcXsWdErTgHyUjIkOlAzQ")))
	fmt.Println(string(betterauth.Version{1, 6, 34}.MagicLink("fYxTqZkPmNbVcXsWdErTgHyUjIkOlAzQ")))
	fmt.Println(string(server.EmailOTP(betterauth.OTPSignIn, "ada@example.com")))
	// Output:
	// magic-link:fYxTqZkPmNbVcXsWdErTgHyUjIkOlAzQ
	// fYxTqZkPmNbVcXsWdErTgHyUjIkOlAzQ
	// sign-in-otp-ada@example.com
}
