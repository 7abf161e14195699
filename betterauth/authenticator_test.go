package betterauth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/permission"
)

// fakeSessions answers as a session repository does, or with an error.
type fakeSessions struct {
	rows       map[string]authdb.Authentication
	err        error // of Authenticate
	refreshErr error
	late       bool // somebody else refreshed just before
	leaves     bool // Refresh prolongs none, as one that impersonates

	settings  authdb.Settings
	asked     []string
	refreshed []authdb.RefreshSessionParams
}

func (f *fakeSessions) Settings() authdb.Settings { return f.settings }

func fakeOf(token string, expiresAt time.Time) *fakeSessions {
	usual := authdb.Settings{SessionLifetime: authdb.SessionLifetime, SessionUpdateAge: authdb.SessionUpdateAge}
	return &fakeSessions{settings: usual, rows: map[string]authdb.Authentication{token: {
		Session: authdb.Session{ID: "s1", Token: authdb.Secret(token), ExpiresAt: expiresAt, UserID: "u1", ActiveOrganizationID: new("o1")},
		User:    authdb.User{ID: "u1", Name: "Ada"},
		Member:  &authdb.Member{OrganizationID: "o1", UserID: "u1", Role: authdb.RoleOwner},
	}}}
}

func (f *fakeSessions) Authenticate(_ context.Context, token authdb.Secret) (authdb.Authentication, error) {
	f.asked = append(f.asked, string(token))
	found, ok := f.rows[string(token)]
	if f.err == nil && !ok {
		return authdb.Authentication{}, fmt.Errorf("no row: %w", authdb.ErrNotFound)
	}
	return found, f.err
}

func (f *fakeSessions) Refresh(_ context.Context, p authdb.RefreshSessionParams) (authdb.RefreshedSession, error) {
	f.refreshed = append(f.refreshed, p)
	if f.refreshErr != nil {
		return authdb.RefreshedSession{}, f.refreshErr
	}
	s := f.rows[string(p.Token)].Session
	if f.leaves {
		return authdb.RefreshedSession{Session: s}, nil
	}
	s.ExpiresAt, s.UpdatedAt = now.Add(authdb.SessionLifetime), now
	s.ActiveOrganizationID = new("o2") // changed meanwhile
	return authdb.RefreshedSession{Session: s, Refreshed: !f.late}, nil
}

var (
	now     = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	fresh   = now.Add(authdb.SessionLifetime)
	due     = now.Add(authdb.SessionLifetime - authdb.SessionUpdateAge)
	errOfPG = errors.New("authdb: Sessions.Authenticate: connection refused at 10.0.0.1")
	hello   = http.HandlerFunc(greet)
	bodyOf  = map[int]string{401: `{"message":"Unauthorized","code":"UNAUTHORIZED"}`, 403: `{"message":"Forbidden","code":"FORBIDDEN"}`, 503: `{"message":"Service Unavailable","code":"SERVICE_UNAVAILABLE"}`}
	errGone = fmt.Errorf("gone: %w", authdb.ErrNotFound)
)

func greet(w http.ResponseWriter, r *http.Request) {
	name := "nobody"
	if a, ok := betterauth.FromContext(r.Context()); ok {
		name = a.User.Name + " until " + a.Session.ExpiresAt.Format(time.DateOnly)
	}
	_, _ = io.WriteString(w, "hello "+name)
}

func authenticator(t testing.TB, sessions betterauth.Sessions) *betterauth.Authenticator {
	t.Helper()
	return &betterauth.Authenticator{
		Sessions: sessions, Cookies: newCookies(t, betterauth.CookieOptions{}, secret), Now: func() time.Time { return now },
	}
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// check compares status and body, and that the headers of a refusal are those of one.
func check(t *testing.T, what string, res *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if res.Code != status || res.Body.String() != body {
		t.Errorf("%s: got %d %s, want %d %s", what, res.Code, res.Body, status, body)
	}
	h := res.Header()
	if status != 200 && (h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" ||
		h.Get("Set-Cookie") != "" || !json.Valid(res.Body.Bytes())) {
		t.Errorf("%s: headers %v", what, h)
	}
}

func TestMiddleware(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret)
	forged := newCookies(t, betterauth.CookieOptions{}, anotherSecret).Sign("token")
	cookie := func(value string) string { return cookies.Name() + "=" + value }
	const ada, nobody = "hello Ada until 2026-12-01", "hello nobody"
	for _, test := range []struct {
		what, cookie       string
		err                error
		required, optional int    // statuses
		greeting           string // where it is 200
		asks               bool
	}{
		{"no cookie", "", nil, 401, 200, nobody, false},
		{"malformed", cookie("token"), nil, 401, 200, nobody, false},
		{"forged", cookie(forged), nil, 401, 200, nobody, false},
		{"unknown", cookie(cookies.Sign("unknown")), nil, 401, 200, nobody, true},
		{"live", cookie(cookies.Sign("token")), nil, 200, 200, ada, true},
		{"database down", cookie(cookies.Sign("token")), errOfPG, 503, 503, "", true},
		{"database down, nobody", "", errOfPG, 401, 200, nobody, false},
		{"request given up", cookie(cookies.Sign("token")), context.Canceled, 503, 503, "", true},
	} {
		for _, anonymous := range []bool{false, true} {
			sessions := fakeOf("token", fresh)
			sessions.err = test.err
			auth, want := authenticator(t, sessions), test.required
			h := auth.Require(hello)
			if anonymous {
				h, want = auth.Optional(hello), test.optional
			}
			body := bodyOf[want]
			if want == 200 {
				body = test.greeting
			}
			res := serve(h, request(test.cookie))
			check(t, fmt.Sprint(test.what, ", optional ", anonymous), res, want, body)
			if _, there := res.Header()["Www-Authenticate"]; there {
				t.Errorf("%s: WWW-Authenticate without bearer tokens", test.what)
			}
			if (len(sessions.asked) == 1) != test.asks || len(sessions.refreshed) != 0 {
				t.Errorf("%s: asked for %q, refreshed %v", test.what, sessions.asked, sessions.refreshed)
			}
		}
	}
	if want := readServer(t).Unauthorized; want.Status != 401 || want.Body != bodyOf[401] {
		t.Errorf("the server's own refusal is %d %s", want.Status, want.Body)
	}
}

func TestErrorsOfAuthenticate(t *testing.T) {
	sessions := fakeOf("token", fresh)
	auth := authenticator(t, sessions)
	auth.Bearer = betterauth.BearerSigned
	forged := newCookies(t, betterauth.CookieOptions{}, anotherSecret).Sign("token")
	for _, test := range []struct {
		cookie, bearer string
		want           error
	}{
		{"", "", betterauth.ErrNoCookie},
		{"", "Bearer ", betterauth.ErrNoCookie},
		{"", "Basic dXNlcg==", betterauth.ErrNoCookie},
		{"", "Bearer token", betterauth.ErrMalformedCookie},
		{"", "Bearer " + forged, betterauth.ErrForgedCookie},
		{"token", "Bearer " + forged, betterauth.ErrMalformedCookie},
		{forged, "", betterauth.ErrForgedCookie},
		{auth.Cookies.Sign("gone"), "", betterauth.ErrNoSession},
		{"", "Bearer " + auth.Cookies.Sign("gone"), betterauth.ErrNoSession},
	} {
		r := request(auth.Cookies.Name() + "=" + test.cookie)
		r.Header.Set("Authorization", test.bearer)
		w := httptest.NewRecorder()
		found, err := auth.Authenticate(w, r)
		if !errors.Is(err, test.want) || !errors.Is(err, betterauth.ErrUnauthenticated) || found.User.ID != "" {
			t.Errorf("%q, %q: got %v, %v", test.cookie, test.bearer, found, err)
		}
		if len(w.Header()) != 0 {
			t.Errorf("%q, %q: headers %v", test.cookie, test.bearer, w.Header())
		}
	}
	sessions.err = errOfPG
	_, err := auth.Authenticate(httptest.NewRecorder(), request(auth.Cookies.Name()+"="+auth.Cookies.Sign("token")))
	if !errors.Is(err, errOfPG) || errors.Is(err, betterauth.ErrUnauthenticated) {
		t.Errorf("database down: got %v", err)
	}
}

func TestRefresh(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret)
	session := cookies.Name() + "=" + cookies.Sign("token")
	forgetful := "; better-auth.dont_remember=" + cookies.Sign("true")
	const week = "better-auth.session_token=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax"
	made := func(length time.Duration, byBearer bool) func(*betterauth.Authenticator, *fakeSessions, *http.Request) {
		return func(a *betterauth.Authenticator, f *fakeSessions, r *http.Request) {
			row := f.rows["token"]
			row.Session.CreatedAt = row.Session.ExpiresAt.Add(-length)
			f.rows["token"] = row
			if byBearer {
				a.Bearer = betterauth.BearerPlain
				r.Header.Set("Cookie", "")
				r.Header.Set("Authorization", "Bearer token")
			}
		}
	}
	for _, test := range []struct {
		what    string
		expires time.Time
		change  func(*betterauth.Authenticator, *fakeSessions, *http.Request)
		sets    int // Max-Age of the cookie that is set
		asks    bool
		status  int
	}{
		{"fresh", fresh, nil, 0, false, 200},
		{"a millisecond before it is due", due.Add(time.Millisecond), nil, 0, false, 200},
		{"due", due, nil, 604800, true, 200},
		{"long due", now.Add(time.Minute), nil, 604800, true, 200},
		{"another has refreshed it", due, func(_ *betterauth.Authenticator, f *fakeSessions, _ *http.Request) { f.late = true }, 604800, true, 200},
		{"without remember me", due, func(_ *betterauth.Authenticator, _ *fakeSessions, r *http.Request) {
			r.Header.Set("Cookie", session+forgetful)
		}, 0, false, 200},
		{"forged dont_remember", due, func(_ *betterauth.Authenticator, _ *fakeSessions, r *http.Request) {
			r.Header.Set("Cookie", session+forgetful[:len(forgetful)-4])
		}, 604800, true, 200},
		{"left to the other side", due, func(a *betterauth.Authenticator, _ *fakeSessions, _ *http.Request) { a.NoRefresh = true }, 0, false, 200},
		{"signed out meanwhile", due, func(_ *betterauth.Authenticator, f *fakeSessions, _ *http.Request) { f.refreshErr = errGone }, 0, true, 401},
		{"cannot be written", due, func(_ *betterauth.Authenticator, f *fakeSessions, _ *http.Request) { f.refreshErr = errOfPG }, 0, true, 200},
		{"other lifetime, not due", now.Add(21 * time.Minute), func(_ *betterauth.Authenticator, f *fakeSessions, _ *http.Request) {
			f.settings.SessionLifetime, f.settings.SessionUpdateAge = 30*time.Minute, 10*time.Minute
		}, 0, false, 200},
		{"other lifetime, due", now.Add(20 * time.Minute), func(_ *betterauth.Authenticator, f *fakeSessions, _ *http.Request) {
			f.settings.SessionLifetime, f.settings.SessionUpdateAge = 30*time.Minute, 10*time.Minute
		}, 1800, true, 200},
		{"by bearer token", due, func(a *betterauth.Authenticator, _ *fakeSessions, r *http.Request) {
			a.Bearer = betterauth.BearerSigned
			r.Header.Set("Cookie", "")
			r.Header.Set("Authorization", "Bearer "+cookies.Sign("token"))
		}, 0, true, 200},
		// However it is sent, and whether the cookie dont_remember came or was dropped.
		{"made for an hour", now.Add(30 * time.Minute), made(time.Hour, false), 0, false, 200},
		{"made for an hour, by bearer token", now.Add(time.Second), made(time.Hour, true), 0, false, 200},
		{"made for a day", now.Add(time.Hour), made(24*time.Hour, false), 0, false, 200},
		{"made for a day, by bearer token", now.Add(time.Hour), made(24*time.Hour, true), 0, false, 200},
		{"made for a second less", due, made(authdb.SessionLifetime-time.Second, false), 0, false, 200},
		{"made for some milliseconds less", due, made(authdb.SessionLifetime-999*time.Millisecond, false), 604800, true, 200},
		{"made for the lifetime", due, made(authdb.SessionLifetime, false), 604800, true, 200},
		{"made for more", due, made(30*24*time.Hour, false), 604800, true, 200},
		{"made for less than another lifetime", now.Add(20 * time.Minute), func(a *betterauth.Authenticator, f *fakeSessions, r *http.Request) {
			f.settings.SessionLifetime, f.settings.SessionUpdateAge = 30*time.Minute, 10*time.Minute
			made(25*time.Minute, false)(a, f, r)
		}, 0, false, 200},
		{"impersonates", due, func(_ *betterauth.Authenticator, f *fakeSessions, _ *http.Request) { f.leaves = true }, 0, true, 200},
	} {
		sessions := fakeOf("token", test.expires)
		auth, r := authenticator(t, sessions), request(session)
		var failed error
		auth.OnRefreshError = func(_ *http.Request, err error) { failed = err }
		if test.change != nil {
			test.change(auth, sessions, r)
		}
		res := serve(auth.Require(hello), r)
		body := "hello Ada until " + test.expires.Format(time.DateOnly)
		switch {
		case test.status != 200:
			body = bodyOf[test.status]
		case test.asks && sessions.refreshErr == nil && !sessions.leaves:
			body = "hello Ada until 2026-12-01"
		}
		check(t, test.what, res, test.status, body)
		if (len(sessions.refreshed) == 1) != test.asks {
			t.Errorf("%s: refreshed %v", test.what, sessions.refreshed)
		}
		if test.asks && sessions.refreshed[0] != (authdb.RefreshSessionParams{Token: "token"}) {
			t.Errorf("%s: refreshed %v", test.what, sessions.refreshed)
		}
		want, cache := "", ""
		if test.sets != 0 {
			want, cache = fmt.Sprintf(week, cookies.Sign("token"), test.sets), "private, no-store"
		}
		if got := strings.Join(res.Header()["Set-Cookie"], "\n"); got != want || test.status == 200 && res.Header().Get("Cache-Control") != cache {
			t.Errorf("%s: sets %q, want %q; headers %v", test.what, got, want, res.Header())
		}
		if unwritten := errors.Is(sessions.refreshErr, errOfPG); unwritten != (failed != nil) {
			t.Errorf("%s: told %v", test.what, failed)
		}
	}

	// Nobody has to be told.
	sessions := fakeOf("token", due)
	sessions.refreshErr = errOfPG
	check(t, "nobody is told", serve(authenticator(t, sessions).Require(hello), request(session)), 200, "hello Ada until 2026-11-30")
}

// The context's session is the refreshed one, but for the organization: the membership belongs to the one before.
func TestRefreshKeepsTheOrganization(t *testing.T) {
	auth := authenticator(t, fakeOf("token", due))
	r := request(auth.Cookies.Name() + "=" + auth.Cookies.Sign("token"))
	found, err := auth.Authenticate(httptest.NewRecorder(), r)
	if err != nil || *found.Session.ActiveOrganizationID != found.Member.OrganizationID ||
		!found.Session.ExpiresAt.Equal(fresh) || !found.Session.UpdatedAt.Equal(now) {
		t.Errorf("got %v in %v, %v", found.Session.ExpiresAt, *found.Session.ActiveOrganizationID, err)
	}
}

// Without middleware, the answer is private unless the caller says otherwise afterwards.
func TestAuthenticateAloneForbidsCaches(t *testing.T) {
	auth, w := authenticator(t, fakeOf("token", due)), httptest.NewRecorder()
	public(w.Header())
	if _, err := auth.Authenticate(w, request(auth.Cookies.Name()+"="+auth.Cookies.Sign("token"))); err != nil {
		t.Error(err)
	}
	checkPrivate(t, "alone", w.Header())
	checkVary(t, "alone", w.Header(), "Accept-Encoding")
}

func TestDefaultClock(t *testing.T) {
	sessions := fakeOf("token", time.Now().Add(authdb.SessionLifetime-authdb.SessionUpdateAge+time.Hour))
	auth := authenticator(t, sessions)
	auth.Now = nil
	r := request(auth.Cookies.Name() + "=" + auth.Cookies.Sign("token"))
	if _, err := auth.Authenticate(httptest.NewRecorder(), r); err != nil || len(sessions.refreshed) != 0 {
		t.Errorf("refreshed %d times, %v", len(sessions.refreshed), err)
	}
}

func TestBearerChallenge(t *testing.T) {
	for _, bearer := range []betterauth.Bearer{betterauth.BearerOff, betterauth.BearerSigned, betterauth.BearerPlain} {
		for _, broken := range []error{nil, errOfPG} {
			sessions := fakeOf("token", fresh)
			sessions.err = broken
			auth := authenticator(t, sessions)
			auth.Bearer = bearer
			want := ""
			if bearer != betterauth.BearerOff && broken == nil {
				want = "Bearer"
			}
			res := serve(auth.Require(hello), request(auth.Cookies.Name()+"="+auth.Cookies.Sign("unknown")))
			if got := res.Header().Get("WWW-Authenticate"); got != want {
				t.Errorf("%v, %v: %q", bearer, broken, got)
			}
		}
	}
}

func TestWriteErrorSaysWhenToComeBack(t *testing.T) {
	for err, want := range map[error]string{betterauth.ErrBusy: "1", errOfPG: "", betterauth.ErrNoSession: ""} {
		w := httptest.NewRecorder()
		betterauth.WriteError(w, fmt.Errorf("sign in: %w", err))
		status := 503
		if errors.Is(err, betterauth.ErrUnauthenticated) {
			status = 401
		}
		check(t, err.Error(), w, status, bodyOf[status])
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: Retry-After %q", err, got)
		}
	}
}

func TestOnError(t *testing.T) {
	sessions := fakeOf("token", fresh)
	auth := authenticator(t, sessions)
	var told error
	auth.OnError = func(w http.ResponseWriter, r *http.Request, err error) {
		told = err
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	}
	if res := serve(auth.Require(hello), request("")); res.Code != 303 || !errors.Is(told, betterauth.ErrNoCookie) {
		t.Errorf("got %d, told %v", res.Code, told)
	}
	sessions.err = errOfPG
	serve(auth.Optional(hello), request(auth.Cookies.Name()+"="+auth.Cookies.Sign("token")))
	if !errors.Is(told, errOfPG) {
		t.Errorf("told %v", told)
	}
}

// Require inside Optional asks once, and inside a test's own context not at all.
func TestNested(t *testing.T) {
	sessions := fakeOf("token", fresh)
	auth := authenticator(t, sessions)
	h := auth.Optional(auth.Require(hello))
	check(t, "signed in", serve(h, request(auth.Cookies.Name()+"="+auth.Cookies.Sign("token"))), 200, "hello Ada until 2026-12-01")
	if len(sessions.asked) != 1 {
		t.Errorf("asked %d times", len(sessions.asked))
	}
	check(t, "not signed in", serve(h, request("")), 401, bodyOf[401])
	r := request("")
	r = r.WithContext(auth.NewContext(r.Context(), sessions.rows["token"]))
	check(t, "of a test", serve(h, r), 200, "hello Ada until 2026-12-01")
	if _, ok := betterauth.FromContext(t.Context()); ok {
		t.Error("an empty context says who is signed in")
	}
}

// Where it asks nothing again, the inner one still sees to the header: the cookie may be there already, and a cache in
// between.
func TestNestedGuards(t *testing.T) {
	auth := authenticator(t, fakeOf("token", due))
	opens := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		opensTo(w.Header())
		w.WriteHeader(http.StatusOK)
	})
	r := request(auth.Cookies.Name() + "=" + auth.Cookies.Sign("token"))
	for what, middleware := range map[string]func(http.Handler) http.Handler{"Require": auth.Require, "Optional": auth.Optional} {
		w := httptest.NewRecorder()
		found, err := auth.Authenticate(w, r)
		if err != nil {
			t.Fatal(err)
		}
		middleware(opens).ServeHTTP(w, r.WithContext(auth.NewContext(r.Context(), found)))
		checkPrivate(t, what+" in its context", w.Header())
		checkVary(t, what+" in its context", w.Header(), "Cookie")

		var cached http.Header
		caches := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			middleware(opens).ServeHTTP(&late{ResponseWriter: w}, r)
			cached = w.Header().Clone()
		})
		serve(auth.Require(caches), r)
		checkPrivate(t, what+" in a cache", cached)
		checkVary(t, what+" in a cache", cached, "Cookie")
	}
}

// What one Authenticator found counts for no other: neither to be let in nor to be told who is signed in.
func TestNestedOthers(t *testing.T) {
	site, admin := authenticator(t, fakeOf("token", fresh)), authenticator(t, fakeOf("root", fresh))
	admin.Cookies = newCookies(t, betterauth.CookieOptions{Prefix: "admin"}, anotherSecret)
	root := admin.Sessions.(*fakeSessions).rows["root"]
	root.User.Name = "Root"
	admin.Sessions.(*fakeSessions).rows["root"] = root
	copied := *site // has all that site has, but is another
	copied.Sessions = admin.Sessions
	siteCookie := site.Cookies.Name() + "=" + site.Cookies.Sign("token")
	adminCookie := admin.Cookies.Name() + "=" + admin.Cookies.Sign("root")
	const ada, rootName, nobody = "hello Ada until 2026-12-01", "hello Root until 2026-12-01", "hello nobody"
	known := func(next http.Handler) http.Handler { // what a test says, or another program
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(betterauth.NewContext(r.Context(), site.Sessions.(*fakeSessions).rows["token"])))
		})
	}
	for _, test := range []struct {
		what, cookie string
		handler      http.Handler
		status       int
		body         string
	}{
		{"site's cookie, required", siteCookie, site.Optional(admin.Require(hello)), 401, bodyOf[401]},
		{"site's cookie, required twice", siteCookie, site.Require(admin.Require(hello)), 401, bodyOf[401]},
		{"site's cookie, optional", siteCookie, site.Optional(admin.Optional(hello)), 200, nobody},
		{"site's cookie, required and optional", siteCookie, site.Require(admin.Optional(hello)), 200, nobody},
		{"a copy", siteCookie, site.Optional(copied.Require(hello)), 401, bodyOf[401]},
		{"three deep", siteCookie, site.Optional(site.Optional(admin.Optional(admin.Require(hello)))), 401, bodyOf[401]},
		{"there and back", siteCookie, site.Require(admin.Optional(site.Require(hello))), 200, ada},
		{"nobody in between", siteCookie, site.Require(admin.Optional(admin.Optional(hello))), 200, nobody},
		{"both cookies", siteCookie + "; " + adminCookie, site.Require(admin.Require(hello)), 200, rootName},
		{"both cookies, the other way", siteCookie + "; " + adminCookie, admin.Require(site.Require(hello)), 200, ada},
		{"admin's cookie", adminCookie, site.Optional(admin.Require(hello)), 200, rootName},
		{"admin's cookie, site required", adminCookie, admin.Require(site.Require(hello)), 401, bodyOf[401]},
		{"a context of nobody's, required", "", known(site.Require(hello)), 401, bodyOf[401]},
		{"a context of nobody's, optional", "", known(site.Optional(hello)), 200, nobody},
		{"a context of nobody's, no middleware", "", known(hello), 200, ada},
	} {
		check(t, test.what, serve(test.handler, request(test.cookie)), test.status, test.body)
	}
	r := request("")
	r = r.WithContext(site.NewContext(r.Context(), site.Sessions.(*fakeSessions).rows["token"]))
	check(t, "a context of site's", serve(admin.Require(hello), r), 401, bodyOf[401])
}

// Nor is it told to the functions of another's: who refuses somebody, or cannot prolong a session.
func TestNestedOthersErrors(t *testing.T) {
	site, admin := authenticator(t, fakeOf("token", fresh)), authenticator(t, fakeOf("root", due))
	admin.Cookies = newCookies(t, betterauth.CookieOptions{Prefix: "admin"}, anotherSecret)
	admin.Sessions.(*fakeSessions).refreshErr = errOfPG
	told := 0
	look := func(r *http.Request) {
		told++
		if who, ok := betterauth.FromContext(r.Context()); ok || who.User.ID != "" {
			t.Errorf("told of %s, %v", who.User.ID, ok)
		}
	}
	admin.OnError = func(w http.ResponseWriter, r *http.Request, err error) {
		look(r)
		betterauth.WriteError(w, err)
	}
	admin.OnRefreshError = func(r *http.Request, _ error) { look(r) }
	cookie := site.Cookies.Name() + "=" + site.Cookies.Sign("token")
	both := cookie + "; " + admin.Cookies.Name() + "=" + admin.Cookies.Sign("root")
	check(t, "refused", serve(site.Require(admin.Require(hello)), request(cookie)), 401, bodyOf[401])
	check(t, "not prolonged", serve(site.Require(admin.Require(hello)), request(both)), 200, "hello Ada until 2026-11-30")
	admin.Sessions.(*fakeSessions).err = errOfPG
	check(t, "broken", serve(site.Require(admin.Optional(hello)), request(both)), 503, bodyOf[503])
	if told != 3 {
		t.Errorf("told %d times", told)
	}
}

// A context that is printed, as by a test that fails or a log, shows nothing of who is signed in.
func TestContextPrintsNoSecret(t *testing.T) {
	auth := authenticator(t, fakeOf("a-token", fresh))
	who := auth.Sessions.(*fakeSessions).rows["a-token"]
	who.User.Email = "ada@example.com"
	auth.Sessions.(*fakeSessions).rows["a-token"] = who
	for what, h := range map[string]func(http.Handler) http.Handler{
		"Require": auth.Require, "Optional": auth.Optional,
		"NewContext": func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(betterauth.NewContext(r.Context(), who)))
			})
		},
	} {
		r := request("")
		r.AddCookie(auth.Cookies.Cookie("a-token", 0))
		serve(h(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got, ok := betterauth.FromContext(r.Context()); !ok || got.User.Email != who.User.Email {
				t.Errorf("%s: nobody is signed in", what)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				got := fmt.Sprintf(verb, r.Context())
				for _, secret := range []string{"a-token", who.User.Email, "612d746f6b656e"} {
					if strings.Contains(got, secret) {
						t.Errorf("%s: %s prints %s", what, verb, got)
					}
				}
			}
		})), r)
	}
}

func TestRequirePermission(t *testing.T) {
	cookie := newCookies(t, betterauth.CookieOptions{}, secret)
	wanted := permission.Set{"organization": {"delete"}}
	signed := cookie.Name() + "=" + cookie.Sign("token")
	members, platform := permission.Rules{}, permission.Rules{Platform: true, Roles: permission.Roles{"boss": wanted, "owner": wanted}}
	as := func(role string) authdb.Authentication {
		return authdb.Authentication{Member: &authdb.Member{Role: role}}
	}
	for _, test := range []struct {
		what, cookie string
		rules        permission.Rules
		who          authdb.Authentication
		status       int
	}{
		{"owner", signed, members, as("member, owner"), 200},
		{"admin", signed, members, as("admin"), 403},
		{"in no organization", signed, members, authdb.Authentication{Roles: permission.Roles{"": wanted}}, 403},
		{"by a role of the organization's own", signed, members, authdb.Authentication{Member: &authdb.Member{Role: "boss"}, Roles: permission.Roles{"boss": wanted}}, 200},
		{"by a role that another organization has", signed, members, as("boss"), 403},
		{"platform", signed, platform, authdb.Authentication{Platform: &authdb.Platform{Role: "user,boss"}}, 200},
		{"platform, without", signed, platform, authdb.Authentication{Platform: &authdb.Platform{}}, 403},
		{"platform, owner of an organization", signed, platform, as("owner"), 403},
		{"nobody", "", members, authdb.Authentication{}, 401},
	} {
		sessions := fakeOf("token", fresh)
		row := sessions.rows["token"]
		row.Member, row.Platform, row.Roles = test.who.Member, test.who.Platform, test.who.Roles
		sessions.rows["token"] = row
		body := bodyOf[test.status]
		if test.status == 200 {
			body = "hello Ada until 2026-12-01"
		}
		auth := authenticator(t, sessions)
		check(t, test.what, serve(auth.RequirePermission(test.rules, wanted, hello), request(test.cookie)), test.status, body)
		if len(sessions.asked) > 1 {
			t.Errorf("%s: asked %d times", test.what, len(sessions.asked))
		}
	}
}

func TestBanned(t *testing.T) {
	sessions := fakeOf("token", fresh)
	sessions.err = fmt.Errorf("Sessions.Authenticate: %w", authdb.ErrBanned)
	auth := authenticator(t, sessions)
	signed := auth.Cookies.Name() + "=" + auth.Cookies.Sign("token")
	const body = `{"message":"You have been banned from this application.","code":"BANNED_USER"}`
	check(t, "Require", serve(auth.Require(hello), request(signed)), 403, body)
	check(t, "Optional", serve(auth.Optional(hello), request(signed)), 403, body)
}

func TestMiddlewareNeedsItsParts(t *testing.T) {
	whole := authenticator(t, fakeOf("token", fresh))
	for _, a := range []*betterauth.Authenticator{{}, {Sessions: whole.Sessions}, {Cookies: whole.Cookies}} {
		ask := func(http.Handler) http.Handler {
			_, _ = a.Authenticate(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			return nil
		}
		for _, wrap := range []func(http.Handler) http.Handler{a.Require, a.Optional, ask} {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				wrap(hello)
			}()
		}
	}
}

// Over a real connection: the cookie of a refresh comes with a response that the handler streams.
func TestOverTheWire(t *testing.T) {
	auth := authenticator(t, fakeOf("token", due))
	srv := httptest.NewServer(auth.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, " second")
	})))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	value := auth.Cookies.Sign("token")
	_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b;%s=%s\r\n\r\n", auth.Cookies.Name(), value)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "first second" || len(res.Cookies()) != 1 || res.Cookies()[0].Value != value {
		t.Errorf("got %q with %v, %v", body, res.Cookies(), err)
	}
}

// TestStandbyWithOtherPlugins: who is banned does not come in by a standby whose store was not told of bans.
func TestStandbyWithOtherPlugins(t *testing.T) {
	t.Parallel()
	refuse := authdb.WithPlugins(authdb.Plugins{RefuseBanned: true})
	store := authdbtest.WithSchema(plugins.Admin).New(t, refuse)
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, "a secret of the test, with 32 characters and more")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.AddCookie(cookies.Cookie(authdbtest.Session(t, store).Token, authdb.SessionLifetime))
	if _, err := store.Pool().Exec(t.Context(), `UPDATE "user" SET banned = true`); err != nil {
		t.Fatal(err)
	}
	for _, sessions := range []betterauth.Sessions{store.Sessions, &store.Sessions} {
		for _, standby := range []*authdb.Store{authdb.New(store.Pool()), authdb.New(store.Pool(), refuse)} {
			a := &betterauth.Authenticator{Sessions: sessions, Cookies: cookies, Standby: standby}
			if _, err := a.Authenticate(httptest.NewRecorder(), r); !errors.Is(err, authdb.ErrBanned) {
				t.Errorf("%T: %v", sessions, err)
			}
		}
	}
}
