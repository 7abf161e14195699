package stale_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/betterauth/stale"
	"github.com/zerostarter/authdb/db/plugins"
)

// keyed are cookies that a server of 1.7.25 signed with a key of its JWT plugin, and tokens of that key.
type keyed struct {
	Secret  string
	Cookies []struct {
		MadeWith    string        `json:"made_with"`
		Value       string        `json:"value"`
		TokenCookie string        `json:"token_cookie"`
		PluginToken authdb.Secret `json:"plugin_token"`
		Session     struct {
			ID, Token, UserID string
			ExpiresAt         time.Time
		}
		Row     map[string]any `json:"jwks_row"`
		Payload struct {
			Iss, Version string
			Exp          int64
		}
	}
}

// TestKeys: a cookie that is signed by a key counts as one that is signed with the secret does, for who has the keys; a
// token of the plugin is none, nor is it a token.
func TestKeys(t *testing.T) {
	t.Parallel()
	var v keyed
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile("testdata/session-data-jwks.json")), &v); err != nil {
		t.Fatal(err)
	}
	store := authdbtest.WithSchema(plugins.Tables).New(t)
	for i, c := range v.Cookies {
		now := time.Unix(c.Payload.Exp, 0).Add(-time.Second)
		clock := func() time.Time { return now }
		o := stale.TokenOptions{Issuer: "https://app.example.com", Now: clock}
		keys := must[*stale.Tokens](t)(stale.NewTokens(t.Context(), store, o))
		reader := must[*stale.Cookies](t)(stale.NewCookies(stale.Options{
			Strategy: stale.JWT, Version: c.Payload.Version, Keys: keys, Issuer: c.Payload.Iss, Now: clock,
		}, v.Secret))
		is := func(what string, reader *stale.Cookies, token, value string, want error) {
			t.Helper()
			if _, err := reader.Read(request(token, value)); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", c.MadeWith, what, err, want)
			}
		}
		is("before the keys are read", reader, c.TokenCookie, c.Value, stale.ErrUnknownKey)
		if _, err := store.Pool().Exec(t.Context(), `INSERT INTO jwks SELECT * FROM jsonb_populate_record(NULL::jwks, $1)`, c.Row); err != nil {
			t.Fatal(err)
		}
		if err := keys.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := reader.Read(request(c.TokenCookie, c.Value))
		if err != nil || s.Session.ID != c.Session.ID || string(s.Session.Token) != c.Session.Token || s.User.ID != c.Session.UserID ||
			!s.Session.ExpiresAt.Equal(c.Session.ExpiresAt) || *s.User.Role != "user" || s.ExpiresAt.Unix() != c.Payload.Exp {
			t.Errorf("%s: %+v, %v", c.MadeWith, s, err)
		}
		is("a token of the plugin", reader, c.TokenCookie, string(c.PluginToken), stale.ErrMismatch)
		if _, err := keys.Verify(authdb.Secret(c.Value)); !errors.Is(err, stale.ErrMismatch) {
			t.Errorf("%s, as a token: %v", c.MadeWith, err)
		}
		is("another session", reader, v.Cookies[(i+1)%len(v.Cookies)].TokenCookie, c.Value, stale.ErrMismatch)
		parts := strings.Split(c.Value, ".")
		is("another signature", reader, c.TokenCookie, parts[0]+"."+parts[1]+"."+strings.Repeat("A", len(parts[2])), stale.ErrForged)
		secret := must[*stale.Cookies](t)(stale.NewCookies(stale.Options{Strategy: stale.JWT, Now: clock}, v.Secret))
		is("for who has the secret alone", secret, c.TokenCookie, c.Value, stale.ErrMalformed)
		now = now.Add(time.Second)
		is("expired", reader, c.TokenCookie, c.Value, stale.ErrExpired)
	}
	if len(v.Cookies) != 3 {
		t.Error("there are three")
	}
}

// TestKeysSay: what a key signs counts only if it says all that it must.
func TestKeysSay(t *testing.T) {
	t.Parallel()
	const secret = "a secret of thirty-two characters or so"
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return now }
	keys := stale.TokensOf(stale.TokenOptions{Now: clock}, map[string]ed25519.PublicKey{"k": public})
	o := stale.Options{Strategy: stale.JWT, Keys: keys, Issuer: "https://example.com", Now: clock}
	reader := must[*stale.Cookies](t)(stale.NewCookies(o, secret))
	tokens := must[*betterauth.Cookies](t)(betterauth.NewCookies(betterauth.CookieOptions{}, secret))
	const header, payload = `{"alg":"EdDSA","kid":"k","typ":"better-auth.session-cache+jwt"}`, `{"session":{"id":"s","userId":"u","token":"t",` +
		`"expiresAt":"2026-06-02T12:00:00.000Z"},"user":{"id":"u"},"version":"1","sid":"t","sub":"u","iss":"https://example.com",` +
		`"aud":"better-auth:session-cache","exp":1780315300}`
	for _, c := range []struct {
		what, header, old, new string
		want                   error
	}{
		{"all", header, "", "", nil},
		{"no type", `{"alg":"EdDSA","kid":"k"}`, "", "", stale.ErrMismatch},
		{"another key", `{"alg":"EdDSA","kid":"l","typ":"better-auth.session-cache+jwt"}`, "", "", stale.ErrUnknownKey},
		{"another algorithm", `{"alg":"HS256","kid":"k","typ":"better-auth.session-cache+jwt"}`, "", "", stale.ErrMalformed},
		{"another audience", header, "better-auth:session-cache", "https://example.com", stale.ErrMismatch},
		{"another issuer", header, `"iss":"https://example.com"`, `"iss":"https://example.org"`, stale.ErrMismatch},
		{"another subject", header, `"sub":"u"`, `"sub":"v"`, stale.ErrMismatch},
		{"no subject", header, `"sub":"u",`, ``, stale.ErrMismatch},
		{"another session", header, `"sid":"t"`, `"sid":"s"`, stale.ErrMismatch},
		{"another version", header, `"version":"1"`, `"version":"2"`, stale.ErrMismatch},
		{"no end", header, `,"exp":1780315300`, ``, stale.ErrMalformed},
		{"a number for a subject", header, `"sub":"u"`, `"sub":1`, stale.ErrMalformed},
		{"an end in the past", header, `1780315300`, `1780315200`, stale.ErrExpired},
	} {
		b64 := base64.RawURLEncoding.EncodeToString
		text := b64([]byte(c.header)) + "." + b64([]byte(strings.Replace(payload, c.old, c.new, 1)))
		value := text + "." + b64(ed25519.Sign(private, []byte(text)))
		if _, err := reader.Read(request(tokens.Sign("t"), value)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	for _, wrong := range []stale.Options{{Keys: keys, Issuer: "x"}, {Strategy: stale.JWE, Keys: keys, Issuer: "x"}, {Strategy: stale.JWT, Keys: keys}} {
		if _, err := stale.NewCookies(wrong, secret); !errors.Is(err, stale.ErrInvalidOption) {
			t.Errorf("%s: %v", wrong.Strategy, err)
		}
	}
}
