package betterauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// server is what a real Better Auth 1.7.25 sent and accepted.
type server struct {
	Secret     string
	SetCookies []struct {
		What    string
		Options struct {
			Prefix, Domain, SameSite string
			Secure, Partitioned      bool
		}
		Lines []string
	}
	Requests []struct {
		Bearer, What string
		Headers      map[string]string
		Accepted     bool
	}
	Unauthorized struct {
		Status int
		Body   string
	}
	Signed []struct{ Secret, Token, Value string }
}

func readServer(t testing.TB) server {
	t.Helper()
	var s server
	readJSON(t, "testdata/server-1.7.25.json", &s)
	return s
}

// attributes are those of a Set-Cookie line, whose order says nothing, after the pair itself.
func attributes(line string) []string {
	parts := strings.Split(line, "; ")
	slices.Sort(parts[1:])
	return parts
}

// Whatever the server sets, Cookies sets too: names, values byte for byte, attributes.
func TestSetCookiesAsTheServer(t *testing.T) {
	s, compared := readServer(t), 0
	for _, c := range s.SetCookies {
		o := betterauth.CookieOptions{
			Prefix: c.Options.Prefix, Secure: c.Options.Secure, Domain: c.Options.Domain, Partitioned: c.Options.Partitioned,
		}
		if c.Options.SameSite == "none" {
			o.SameSite = http.SameSiteNoneMode
		}
		cookies := newCookies(t, o, s.Secret)
		var cleared []string
		for _, cookie := range cookies.Clear(request("")) {
			cleared = append(cleared, strings.Join(attributes(cookie.String()), "; "))
		}
		for _, line := range c.Lines {
			want := attributes(line)
			name, value, _ := strings.Cut(want[0], "=")
			compared++
			if value == "" {
				if !slices.Contains(cleared, strings.Join(want, "; ")) {
					t.Errorf("%s: %s is not among %q", c.What, line, cleared)
				}
				continue
			}
			token, err := cookies.Verify(value)
			if err != nil {
				t.Errorf("%s: %s: %v", c.What, line, err)
			}
			got := cookies.DontRememberCookie()
			if name == cookies.Name() {
				lifetime := time.Duration(0)
				if strings.Contains(line, "Max-Age") {
					lifetime = authdb.SessionLifetime
				}
				got = cookies.Cookie(token, lifetime)
			}
			if !slices.Equal(attributes(got.String()), want) {
				t.Errorf("%s: sets %s, the server %s", c.What, got, line)
			}
		}
	}
	if compared != 55 {
		t.Errorf("compared %d lines", compared)
	}
}

// The server's rules of refreshing, as its Set-Cookie lines show them.
func TestRefreshAsTheServer(t *testing.T) {
	s := readServer(t)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	due := map[string]struct {
		left     time.Duration
		remember bool
	}{
		"get-session, due, dont_remember": {5 * 24 * time.Hour, false},
		"get-session, due":                {5 * 24 * time.Hour, true},
		"get-session, not due":            {7 * 24 * time.Hour, true},
		"get-session, 2 s before due":     {6*24*time.Hour + 2*time.Second, true},
		"get-session, due to the instant": {6 * 24 * time.Hour, true},
	}
	compared := 0
	for _, c := range s.SetCookies {
		test, ok := due[c.What]
		if !ok || c.Options.Prefix != "" || c.Options.Secure || c.Options.Partitioned {
			continue
		}
		cookies := newCookies(t, betterauth.CookieOptions{}, s.Secret)
		sessions := fakeOf("token", now.Add(test.left))
		auth := &betterauth.Authenticator{Sessions: sessions, Cookies: cookies, Now: func() time.Time { return now }}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(cookies.Cookie("token", 0))
		if !test.remember {
			r.AddCookie(cookies.DontRememberCookie())
		}
		w := httptest.NewRecorder()
		if _, err := auth.Authenticate(w, r); err != nil {
			t.Errorf("%s: %v", c.What, err)
		}
		if len(w.Header()["Set-Cookie"]) != len(c.Lines) || len(sessions.refreshed) != len(c.Lines) {
			t.Errorf("%s: sets %q after %d refreshes, the server %q", c.What, w.Header()["Set-Cookie"], len(sessions.refreshed), c.Lines)
		}
		compared++
	}
	if compared != len(due) {
		t.Errorf("compared %d of %d", compared, len(due))
	}
}

// Each request signs in here if and only if it does there, but for the one spelling that is refused on purpose.
func TestAcceptsAsTheServer(t *testing.T) {
	s := readServer(t)
	modes := map[string]betterauth.Bearer{
		"none": betterauth.BearerOff, "signed": betterauth.BearerSigned, "plain": betterauth.BearerPlain,
	}
	sessions := fakeOf("quMkgoPvFX0sqGTfEe0exnbO2mFBaZmP", time.Now().Add(authdb.SessionLifetime))
	accepted := 0
	for _, c := range s.Requests {
		auth := &betterauth.Authenticator{
			Sessions: sessions, Cookies: newCookies(t, betterauth.CookieOptions{}, s.Secret), Bearer: modes[c.Bearer],
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for name, value := range c.Headers {
			r.Header.Set(name, value)
		}
		_, err := auth.Authenticate(httptest.NewRecorder(), r)
		if err != nil && !errors.Is(err, betterauth.ErrUnauthenticated) {
			t.Errorf("%s, %s: %v", c.Bearer, c.What, err)
		}
		want := c.Accepted && c.What != "unused bits of the last digit set"
		if (err == nil) != want {
			t.Errorf("%s, %s: accepted %v (%v), the server %v", c.Bearer, c.What, err == nil, err, c.Accepted)
		}
		if err == nil {
			accepted++
		}
	}
	t.Logf("%d requests, %d accepted", len(s.Requests), accepted)
}

func TestSignsAsTheServer(t *testing.T) {
	s := readServer(t)
	for _, c := range s.Signed {
		cookies := betterauth.NewWeakCookies(c.Secret)
		if got := cookies.Sign(authdb.Secret(c.Token)); got != c.Value {
			t.Errorf("%q: got %s, want %s", c.Token, got, c.Value)
		}
		sent := cookies.Cookie(authdb.Secret(c.Token), 0).String()
		if want := cookies.Name() + "=" + c.Value + "; Path=/; HttpOnly; SameSite=Lax"; sent != want {
			t.Errorf("%q: sets %s, want %s", c.Token, sent, want)
		}
		if token, err := cookies.Token(request(cookies.Name() + "=" + c.Value)); err != nil || string(token) != c.Token {
			t.Errorf("%q: read as %q, %v", c.Token, token, err)
		}
	}
	if len(s.Signed) != 40 {
		t.Errorf("compared %d", len(s.Signed))
	}
}
