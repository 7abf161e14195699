package betterauth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/kit"
	"golang.org/x/text/unicode/norm"
)

// vectors is what a real server sent and answered.
type vectors struct {
	BetterAuthVersion string
	Secret            string
	Cookies           []struct {
		Token, CookieName, CookieValue string
		Live                           bool
	}
	Passwords []struct {
		UserID, Password, Hash string
		SamePassword           []string
	}
	GetSession []struct {
		CookieValue, Note string
		Response          *struct {
			Session struct {
				Token     string
				ExpiresAt time.Time
			}
			User struct{ ID string }
		}
	}
}

var versions = []string{"1.6.34", "1.7.25"}

func readJSON(t testing.TB, path string, to any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatal(err)
	}
}

func readVectors(t testing.TB, version string) vectors {
	t.Helper()
	var v vectors
	readJSON(t, "testdata/better-auth-"+version+"/vectors.json", &v)
	if v.BetterAuthVersion != version || len(v.Cookies) != 133 || len(v.Passwords) != 40 || len(v.GetSession) != 18 {
		t.Fatalf("version %s: %d cookies, %d passwords, %d sessions", v.BetterAuthVersion, len(v.Cookies),
			len(v.Passwords), len(v.GetSession))
	}
	return v
}

func newCookies(t testing.TB, o betterauth.CookieOptions, secrets ...string) *betterauth.Cookies {
	t.Helper()
	c, err := betterauth.NewCookies(o, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// request is a GET with a Cookie header as it is.
func request(cookie string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", cookie)
	return r
}

func TestVectorCookies(t *testing.T) {
	for _, version := range versions {
		v := readVectors(t, version)
		cookies := newCookies(t, betterauth.CookieOptions{}, v.Secret)
		rotated := newCookies(t, betterauth.CookieOptions{}, anotherSecret, v.Secret)
		other := newCookies(t, betterauth.CookieOptions{}, v.Secret+"x")
		for _, c := range v.Cookies {
			if cookies.Name() != c.CookieName || cookies.Sign(authdb.Secret(c.Token)) != c.CookieValue {
				t.Errorf("%s: sends %s=%s, want %s=%s", version, cookies.Name(), cookies.Sign(authdb.Secret(c.Token)), c.CookieName, c.CookieValue)
			}
			w := httptest.NewRecorder()
			http.SetCookie(w, cookies.Cookie(authdb.Secret(c.Token), authdb.SessionLifetime))
			line := c.CookieName + "=" + c.CookieValue + "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"
			if got := w.Header().Get("Set-Cookie"); got != line {
				t.Errorf("%s: sets %s, want %s", version, got, line)
			}
			for _, by := range []*betterauth.Cookies{cookies, rotated} {
				if token, err := by.Token(request("theme=dark; " + c.CookieName + "=" + c.CookieValue)); err != nil || string(token) != c.Token {
					t.Errorf("%s: %s: got token %q, %v", version, c.CookieValue, token, err)
				}
			}
			if token, err := other.Verify(c.CookieValue); !errors.Is(err, betterauth.ErrForgedCookie) || token != "" {
				t.Errorf("%s: %s with another secret: got %q, %v", version, c.CookieValue, token, err)
			}
		}
	}
}

// Require and the server agree on every cookie that the server was asked about: live, expired, revoked and forged.
func TestVectorSessions(t *testing.T) {
	for _, version := range versions {
		v := readVectors(t, version)
		rows := &fakeSessions{rows: map[string]authdb.Authentication{}}
		for _, s := range v.GetSession {
			if s.Response != nil {
				rows.rows[s.Response.Session.Token] = authdb.Authentication{
					Session: authdb.Session{Token: authdb.Secret(s.Response.Session.Token), ExpiresAt: s.Response.Session.ExpiresAt},
					User:    authdb.User{ID: s.Response.User.ID},
				}
			}
		}
		auth := &betterauth.Authenticator{
			Sessions: rows, Cookies: newCookies(t, betterauth.CookieOptions{}, v.Secret), NoRefresh: true,
		}
		live := 0
		for _, s := range v.GetSession {
			found, err := auth.Authenticate(httptest.NewRecorder(), request("better-auth.session_token="+s.CookieValue))
			switch {
			case s.Response == nil && !errors.Is(err, betterauth.ErrUnauthenticated):
				t.Errorf("%s: %s: got %v, %v", version, s.Note, found, err)
			case s.Response != nil && (err != nil || found.User.ID != s.Response.User.ID):
				t.Errorf("%s: %s: got %v, %v", version, s.CookieValue, found, err)
			case s.Response != nil:
				live++
			}
		}
		t.Logf("Better Auth %s: %d cookies live, %d not", version, live, len(v.GetSession)-live)
	}
}

// everyHash says how many of the hashes are verified: one in that many.
var everyHash = 1

func TestVectorPasswords(t *testing.T) {
	for _, version := range versions {
		for i, p := range readVectors(t, version).Passwords {
			if i%everyHash != 0 {
				continue
			}
			t.Run(version+"/"+p.UserID, func(t *testing.T) {
				t.Parallel()
				if ok, err := betterauth.VerifyPassword(t.Context(), new(authdb.Secret(p.Hash)), p.Password); !ok || err != nil {
					t.Errorf("%q: got %v, %v", p.Password, ok, err)
				}
				for i, same := range p.SamePassword {
					if norm.NFKC.String(same) != norm.NFKC.String(p.Password) {
						t.Errorf("%q is not %q", same, p.Password)
					}
					if i == 0 && kit.Hard(t, 0, 1) == 0 { // the hash is of the normal form, which is the same
						continue
					}
					if ok, err := betterauth.VerifyPassword(t.Context(), new(authdb.Secret(p.Hash)), same); !ok || err != nil {
						t.Errorf("%q for %q: got %v, %v", same, p.Password, ok, err)
					}
				}
			})
		}
	}
}

// Every vector's token and hash is that of a row.
func TestVectorsAreRows(t *testing.T) {
	for _, version := range versions {
		v := readVectors(t, version)
		data, err := os.ReadFile("../testdata/better-auth-" + version + "/data.sql")
		if err != nil {
			t.Fatal(err)
		}
		tokens, hashes := 0, 0
		for _, c := range v.Cookies {
			if strings.Contains(string(data), "'"+c.Token+"'") {
				tokens++
			}
		}
		for _, p := range v.Passwords {
			if strings.Contains(string(data), "'"+p.UserID+"', NULL, NULL, NULL, NULL, NULL, NULL, '"+p.Hash+"'") {
				hashes++
			}
		}
		if tokens != 131 || hashes != 40 { // two sessions are signed out
			t.Errorf("%s: %d tokens and %d hashes are in rows", version, tokens, hashes)
		}
	}
}
