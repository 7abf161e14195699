package stale_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/betterauth/stale"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/internal/kit"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// cookies are those that servers of five versions set.
type cookies struct {
	Secret   string
	Versions map[string]struct {
		SessionData []cookie `json:"session_data"`
	}
}

type cookie struct {
	Strategy, Value string
	MadeWith        string         `json:"made_with"`
	Token           authdb.Secret  `json:"session_token"`
	TokenCookie     string         `json:"session_token_cookie"`
	Row             map[string]any `json:"session_row"`
	version         string         // of the server
}

func (c cookie) strategy() stale.Strategy {
	if c.Strategy == "only one" {
		return stale.Compact
	}
	return stale.Strategy(c.Strategy)
}

// versioned is the version that the cookie has.
func (c cookie) versioned() string {
	if strings.HasSuffix(c.MadeWith, "version 2") && c.version != "1.3.34" {
		return "2"
	}
	return ""
}

// at is a time shortly after the cookie was made.
func (c cookie) at(t testing.TB) time.Time {
	return must[time.Time](t)(time.Parse("2006-01-02T15:04:05.999", c.Row["created_at"].(string))).Add(time.Second)
}

func loadCookies(t testing.TB) (secret string, all []cookie) {
	t.Helper()
	var v cookies
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile("testdata/session-data-cookies.json")), &v); err != nil {
		t.Fatal(err)
	}
	for version, made := range v.Versions {
		for _, c := range made.SessionData {
			c.version = version
			all = append(all, c)
		}
	}
	return v.Secret, all
}

func (c cookie) reader(t testing.TB, now time.Time, secrets ...string) *stale.Cookies {
	t.Helper()
	return must[*stale.Cookies](t)(stale.NewCookies(stale.Options{
		Strategy: c.strategy(), Version: c.versioned(), Now: func() time.Time { return now },
	}, secrets...))
}

func request(token, data string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "better-auth.session_token="+token+"; better-auth.session_data="+data)
	return r
}

// TestCookies: each cookie of each strategy and version is read, while it lasts, and says what the row said.
func TestCookies(t *testing.T) {
	t.Parallel()
	secret, all := loadCookies(t)
	for _, c := range all {
		name := fmt.Sprint(c.version, " ", c.Strategy, " ", c.MadeWith)
		s, err := c.reader(t, c.at(t), "another secret of thirty-two characters", secret).Read(request(c.TokenCookie, c.Value))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := must[time.Time](t)(time.Parse("2006-01-02T15:04:05.999", c.Row["expires_at"].(string)))
		if s.Session.ID != c.Row["id"] || s.Session.UserID != c.Row["user_id"] || s.Session.Token != c.Token || s.User.ID != c.Row["user_id"] ||
			!s.Session.ExpiresAt.Equal(want) || *s.Session.UserAgent != c.Row["user_agent"] || !strings.HasSuffix(s.User.Email, "@example.com") ||
			*s.User.Role != "user" || s.TakenAt.IsZero() != (c.version == "1.3.34") {
			t.Errorf("%s: %+v of %v", name, s, c.Row)
		}
		if shown := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(shown, string(c.Token)) {
			t.Errorf("%s: shows the token", name)
		}
		last := s.ExpiresAt.Add(-time.Millisecond)
		if _, err := c.reader(t, last, secret).Read(request(c.TokenCookie, c.Value)); err != nil {
			t.Errorf("%s: at last: %v", name, err)
		}
		for what, r := range map[string]struct {
			reader *stale.Cookies
			r      *http.Request
			want   error
		}{
			"when it has expired":   {c.reader(t, s.ExpiresAt, secret), request(c.TokenCookie, c.Value), stale.ErrExpired},
			"when the session has":  {c.reader(t, s.Session.ExpiresAt.AddDate(1, 0, 0), secret), request(c.TokenCookie, c.Value), stale.ErrExpired},
			"with another secret":   {c.reader(t, c.at(t), strings.ToUpper(secret)), request(must[*betterauth.Cookies](t)(betterauth.NewCookies(betterauth.CookieOptions{}, strings.ToUpper(secret))).Sign(c.Token), c.Value), stale.ErrForged},
			"without session_token": {c.reader(t, c.at(t), secret), request("", c.Value), betterauth.ErrNoCookie},
			"without session_data":  {c.reader(t, c.at(t), secret), request(c.TokenCookie, ""), betterauth.ErrNoCookie},
			"of another session": {
				c.reader(t, c.at(t), secret), request(must[*betterauth.Cookies](t)(betterauth.NewCookies(betterauth.CookieOptions{}, secret)).Sign("another"), c.Value), stale.ErrMismatch,
			},
			"with a forged session_token": {c.reader(t, c.at(t), secret), request(string(c.Token)+"."+strings.Repeat("A", 43)+"=", c.Value), betterauth.ErrForgedCookie},
			"of another version": {
				must[*stale.Cookies](t)(stale.NewCookies(stale.Options{Strategy: c.strategy(), Version: "3", Now: func() time.Time { return c.at(t) }}, secret)),
				request(c.TokenCookie, c.Value), stale.ErrMismatch,
			},
		} {
			if _, err := r.reader.Read(r.r); !errors.Is(err, r.want) {
				t.Errorf("%s, %s: %v, want %v", name, what, err, r.want)
			}
		}
		for _, other := range []stale.Strategy{stale.Compact, stale.JWT, stale.JWE} {
			if other == c.strategy() {
				continue
			}
			reader := must[*stale.Cookies](t)(stale.NewCookies(stale.Options{Strategy: other, Now: func() time.Time { return c.at(t) }}, secret))
			if _, err := reader.Read(request(c.TokenCookie, c.Value)); !errors.Is(err, stale.ErrMalformed) {
				t.Errorf("%s as %s: %v", name, other, err)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", fmt.Sprintf("better-auth.session_data.1=%s; better-auth.session_token=%s; better-auth.session_data.2=%s; better-auth.session_data.0=%s",
			c.Value[100:200], c.TokenCookie, c.Value[200:], c.Value[:100]))
		if got, err := c.reader(t, c.at(t), secret).Read(r); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s in parts: %v", name, err)
		}
	}
	t.Logf("%d cookies", len(all))
	if len(all) != 39 {
		t.Error("there are 39")
	}
}

// sealed are payloads that the server would not make, in each strategy.
func sealed(t testing.TB, secret string, strategy stale.Strategy, payload string, expires time.Time) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	sign := func(text string) string {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(text))
		return b64(h.Sum(nil))
	}
	switch strategy {
	case stale.Compact:
		at := fmt.Sprintf(`,"expiresAt":%d`, expires.UnixMilli())
		return b64([]byte(`{"session":` + payload + at + `,"signature":"` + sign(payload[:len(payload)-1]+at+`}`) + `"}`))
	case stale.JWT:
		text := b64([]byte(`{"alg":"HS256"}`)) + "." + b64([]byte(fmt.Sprintf(`%s,"exp":%d}`, payload[:len(payload)-1], expires.Unix())))
		return text + "." + sign(text)
	}
	key := must[[]byte](t)(hkdf.Key(sha256.New, []byte(secret), []byte("better-auth-session"), "BetterAuth.js Generated Encryption Key", 64))
	plain := []byte(fmt.Sprintf(`%s,"exp":%d}`, payload[:len(payload)-1], expires.Unix()))
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, strings.Repeat(string(rune(padding)), padding)...)
	iv := make([]byte, aes.BlockSize)
	block := must[cipher.Block](t)(aes.NewCipher(key[32:]))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	header := b64([]byte(`{"alg":"dir","enc":"A256CBC-HS512"}`))
	h := hmac.New(sha512.New, key[:32])
	h.Write([]byte(header))
	h.Write(iv)
	h.Write(plain)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(header))*8))
	return strings.Join([]string{header, "", b64(iv), b64(plain), b64(h.Sum(nil)[:32])}, ".")
}

// TestSealed: what is signed counts only if it says all that it must.
func TestSealed(t *testing.T) {
	t.Parallel()
	const secret = "a secret of thirty-two characters or so"
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	tokens := must[*betterauth.Cookies](t)(betterauth.NewCookies(betterauth.CookieOptions{}, secret))
	const session = `"session":{"id":"s","userId":"u","token":"t","expiresAt":"2026-06-02T12:00:00.000Z","createdAt":"2026-06-01T11:00:00.000Z","updatedAt":"2026-06-01T11:00:00.000Z"}`
	for payload, want := range map[string]error{
		`{` + session + `,"user":{"id":"u"},"version":"1"}`:                              nil,
		`{` + session + `,"user":{"id":"u","name":",\"expiresAt\":1,\"signature\":\""}}`: nil,
		`{` + session + `,"user":{"id":"u"},"version":"2"}`:                              stale.ErrMismatch,
		`{` + session + `,"user":{"id":"v"},"version":"1"}`:                              stale.ErrMismatch,
		`{` + session + `,"user":null,"version":"1"}`:                                    stale.ErrMalformed,
		`{` + session + `,"version":"1"}`:                                                stale.ErrMalformed,
		`{"session":null,"user":{"id":"u"},"version":"1"}`:                               stale.ErrMalformed,
		`{"user":{"id":"u"},"version":"1"}`:                                              stale.ErrMalformed,
		`{"email":"a@example.com"}`:                                                      stale.ErrMalformed, // a token of a mail
		`{"session":{"token":"t"},"user":{},"version":"1"}`:                              stale.ErrMismatch,
		`{"session":{"token":"t","userId":"u"},"user":{"id":"u"}}`:                       stale.ErrExpired,
		`{"session":"s","user":{"id":"u"}}`:                                              stale.ErrMalformed,
	} {
		for _, strategy := range []stale.Strategy{stale.Compact, stale.JWT, stale.JWE} {
			reader := must[*stale.Cookies](t)(stale.NewCookies(stale.Options{Strategy: strategy, Now: func() time.Time { return now }}, secret))
			_, err := reader.Read(request(tokens.Sign("t"), sealed(t, secret, strategy, payload, now.Add(time.Minute))))
			if !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", strategy, payload, err, want)
			}
		}
	}
	for _, o := range []struct {
		options stale.Options
		secret  string
		want    error
	}{
		{stale.Options{Strategy: "none"}, secret, stale.ErrInvalidOption}, {stale.Options{}, "short", betterauth.ErrInvalidOption},
	} {
		if _, err := stale.NewCookies(o.options, o.secret); !errors.Is(err, o.want) {
			t.Errorf("%+v: %v", o.options, err)
		}
	}
}

// tokens are those of the JWT plugin.
type tokens map[string]struct {
	Token  authdb.Secret
	Claims struct {
		Iss, Sub string
		Iat      int64
	}
	Row map[string]any `json:"jwks_row"`
}

func loadTokens(t testing.TB) tokens {
	t.Helper()
	var v struct {
		Plugin tokens `json:"jwt_plugin"`
	}
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile("testdata/verification-jwt.json")), &v); err != nil {
		t.Fatal(err)
	}
	return v.Plugin
}

// TestTokens: the token of each version counts, while it and its key last, without another round trip.
func TestTokens(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := loadTokens(t)
	if len(all) != 5 {
		t.Error("there are five versions")
	}
	for version, made := range all {
		old := version < "1.4"
		schema := plugins.Tables
		if old {
			schema += `; ALTER TABLE jwks DROP COLUMN expires_at, DROP COLUMN alg, DROP COLUMN crv`
		}
		store := authdbtest.WithSchema(schema).New(t)
		insert := func(row map[string]any) {
			t.Helper()
			if _, err := store.Pool().Exec(ctx, `INSERT INTO jwks SELECT * FROM jsonb_populate_record(NULL::jwks, $1)`, row); err != nil {
				t.Fatal(err)
			}
		}
		for id, key := range map[string]string{"broken": "nonsense", "rsa": `{"kty":"RSA"}`, "short": `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`} {
			insert(map[string]any{"id": id, "public_key": key, "private_key": "", "created_at": "2026-01-01"})
		}
		now := time.Unix(made.Claims.Iat, 0).Add(time.Minute)
		o := stale.TokenOptions{Issuer: made.Claims.Iss, Now: func() time.Time { return now }}
		keys := must[*stale.Tokens](t)(stale.NewTokens(ctx, store, o))
		if _, err := keys.Verify(made.Token); !errors.Is(err, stale.ErrUnknownKey) {
			t.Errorf("%s, before: %v", version, err)
		}
		insert(made.Row)
		if _, err := keys.Verify(made.Token); !errors.Is(err, stale.ErrUnknownKey) {
			t.Errorf("%s: asked the database: %v", version, err)
		}
		if err := keys.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		claims, err := keys.Verify(made.Token)
		if err != nil || claims.Subject != made.Claims.Sub || claims.User.ID != made.Claims.Sub || !strings.HasSuffix(claims.User.Email, "@example.com") ||
			claims.ExpiresAt.Sub(claims.IssuedAt) != 15*time.Minute {
			t.Errorf("%s: %+v, %v", version, claims, err)
		}
		is := func(what string, keys *stale.Tokens, token authdb.Secret, want error) {
			t.Helper()
			if _, err := keys.Verify(token); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", version, what, err, want)
			}
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		if err := keys.Refresh(canceled); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		is("after a failure", keys, made.Token, nil)
		is("nothing", keys, "", stale.ErrMalformed)
		for what, wrong := range map[string]stale.TokenOptions{
			"issuer": {Issuer: "https://example.org", Audience: o.Issuer, Now: o.Now}, "audience": {Issuer: o.Issuer, Audience: "https://example.org", Now: o.Now},
		} {
			is(what, must[*stale.Tokens](t)(stale.NewTokens(ctx, store, wrong)), made.Token, stale.ErrMismatch)
		}
		parts := strings.Split(string(made.Token), ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"` + made.Row["id"].(string) + `"}`))
		is("no algorithm", keys, authdb.Secret(none+"."+parts[1]+"."), stale.ErrMalformed)
		hs := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"` + made.Row["id"].(string) + `"}`))
		is("another algorithm", keys, authdb.Secret(hs+"."+parts[1]+"."+parts[2]), stale.ErrMalformed)
		crit := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","crit":["x"],"kid":"` + made.Row["id"].(string) + `"}`))
		is("what must be understood", keys, authdb.Secret(crit+"."+parts[1]+"."+parts[2]), stale.ErrMalformed)
		now = claims.ExpiresAt.Add(-time.Second)
		is("at last", keys, made.Token, nil)
		now = claims.ExpiresAt
		is("expired", keys, made.Token, stale.ErrExpired)
		now = claims.IssuedAt.Add(time.Second)
		if !old {
			end := now.Add(-30*24*time.Hour - time.Second)
			if _, err := store.Pool().Exec(ctx, `UPDATE jwks SET expires_at = $1 WHERE id = $2`, end.UTC(), made.Row["id"]); err != nil {
				t.Fatal(err)
			}
			is("not yet", keys, made.Token, nil)
			if err := keys.Refresh(ctx); err != nil {
				t.Fatal(err)
			}
			is("a key that has expired", keys, made.Token, stale.ErrUnknownKey)
			now = now.Add(-2 * time.Second)
			is("a key that has nearly expired", keys, made.Token, nil)
		}
	}
	store := authdbtest.New(t)
	if _, err := stale.NewTokens(ctx, store, stale.TokenOptions{Issuer: "x"}); !errors.Is(err, authdb.ErrSchema) || !strings.Contains(err.Error(), "no table jwks") {
		t.Error(err)
	}
	if _, err := stale.NewTokens(ctx, store, stale.TokenOptions{}); !errors.Is(err, stale.ErrInvalidOption) {
		t.Error(err)
	}
}

// TestTokensOfClients: what the server gives an OAuth client, or tells it, is signed by the same keys, and is no token of
// the user's own.
func TestTokensOfClients(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens := stale.TokensOf(stale.TokenOptions{Issuer: "https://example.com", Audience: "https://api.example.com", Now: time.Now},
		map[string]ed25519.PublicKey{"k": public})
	for _, c := range []struct {
		header, claims string
		want           error
	}{
		{``, ``, nil},
		{`,"typ":"JWT"`, ``, nil},
		{`,"typ":"at+jwt"`, ``, stale.ErrMismatch},
		{`,"typ":"application/at+jwt"`, ``, stale.ErrMismatch},
		{`,"typ":"logout+jwt"`, ``, stale.ErrMismatch},
		{``, `,"azp":"client","scope":"openid"`, stale.ErrMismatch},
		{``, `,"client_id":"client"`, stale.ErrMismatch},
	} {
		encode := base64.RawURLEncoding.EncodeToString
		text := encode([]byte(`{"alg":"EdDSA","kid":"k"`+c.header+`}`)) + "." + encode(fmt.Appendf(nil,
			`{"sub":"u","iss":"https://example.com","aud":["https://api.example.com"],"exp":%d%s}`, time.Now().Unix()+60, c.claims))
		_, err := tokens.Verify(authdb.Secret(text + "." + encode(ed25519.Sign(private, []byte(text)))))
		if !errors.Is(err, c.want) {
			t.Errorf("%s %s: %v, want %v", c.header, c.claims, err, c.want)
		}
	}
}

// mutate changes a token somewhere, somehow.
func mutate(r *rand.Rand, token string, other string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ %\x00\xff{}\""
	b := []byte(token)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(b))
		switch r.IntN(9) {
		case 0, 1, 2:
			b[at] = alphabet[r.IntN(len(alphabet))]
		case 3:
			b = append(b[:at], b[at+1:]...)
		case 4:
			b = append(b[:at], append([]byte{alphabet[r.IntN(len(alphabet))]}, b[at:]...)...)
		case 5: // other spare bits of the last digit of a part
			end := strings.IndexByte(string(b[at:]), '.')
			if end < 0 {
				end = len(b) - at
			}
			b[max(0, at+end-1)] = alphabet[r.IntN(64)]
		case 6:
			b[at] ^= 1 << r.IntN(8)
		case 7: // a part of another token
			to := min(len(other), at+1+r.IntN(60))
			if at < to {
				b = append(append(append([]byte{}, b[:at]...), other[at:to]...), b[min(len(b), to):]...)
			}
		case 8:
			b = b[:max(1, at)]
		}
		if len(b) == 0 {
			return "."
		}
	}
	return string(b)
}

// TestMutated: no token that was changed counts, whatever was changed; at full size a million.
func TestMutated(t *testing.T) {
	t.Parallel()
	n := kit.Hard(t, 50_000, 1_000_000)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	secret, all := loadCookies(t)
	type target struct {
		token  string
		verify func(token string) error
	}
	var targets []target
	for _, c := range all {
		reader := c.reader(t, c.at(t), secret)
		targets = append(targets, target{c.Value, func(value string) error {
			rq := &http.Request{Header: http.Header{}}
			rq.Header.Set("Cookie", "better-auth.session_token="+c.TokenCookie+"; better-auth.session_data="+value)
			_, err := reader.Read(rq)
			return err
		}})
	}
	store := authdbtest.WithSchema(plugins.Tables).New(t)
	for _, made := range loadTokens(t) {
		if _, err := store.Pool().Exec(t.Context(), `INSERT INTO jwks SELECT * FROM jsonb_populate_record(NULL::jwks, $1)`, made.Row); err != nil {
			t.Fatal(err)
		}
		now := time.Unix(made.Claims.Iat, 0).Add(time.Second)
		keys := must[*stale.Tokens](t)(stale.NewTokens(t.Context(), store, stale.TokenOptions{Issuer: made.Claims.Iss, Now: func() time.Time { return now }}))
		targets = append(targets, target{string(made.Token), func(token string) error {
			_, err := keys.Verify(authdb.Secret(token))
			return err
		}})
	}
	changed, reasons := 0, map[string]int{}
	for _, x := range targets {
		if err := x.verify(x.token); err != nil {
			t.Fatal(err) // else the rest says nothing
		}
	}
	for changed < n {
		x := targets[r.IntN(len(targets))]
		mutant := mutate(r, x.token, targets[r.IntN(len(targets))].token)
		if mutant == x.token || strings.ContainsAny(mutant, "; ,\"") || strings.TrimSpace(mutant) == x.token { // no cookie, or the same
			continue
		}
		changed++
		err := x.verify(mutant)
		if err == nil {
			t.Errorf("seed %d: accepted:\n%q of\n%q", seed, mutant, x.token)
			continue
		}
		reasons[err.Error()]++
	}
	t.Logf("%d mutated tokens, none accepted: %v", changed, reasons)
	if reasons[stale.ErrForged.Error()] == 0 || reasons[stale.ErrMalformed.Error()] == 0 {
		t.Error("mutants of one kind only")
	}
}

func FuzzCookies(f *testing.F) {
	secret, all := loadCookies(f)
	known, readers := map[string]bool{}, map[string]*stale.Cookies{} // by the session cookie
	for _, c := range all {
		f.Add(c.Value)
		known[c.Value] = true
		if c.MadeWith == "as made" {
			readers[c.TokenCookie] = c.reader(f, c.at(f), secret)
		}
	}
	f.Fuzz(func(t *testing.T, value string) {
		sent := &http.Request{Header: http.Header{"Cookie": {"better-auth.session_data=" + value}}}
		if got, err := sent.Cookie("better-auth.session_data"); err != nil || known[got.Value] {
			return // no cookie, or one of those with something around it
		}
		for token, reader := range readers {
			r := &http.Request{Header: http.Header{"Cookie": {"better-auth.session_token=" + token + "; better-auth.session_data=" + value}}}
			if _, err := reader.Read(r); err == nil {
				t.Errorf("accepted: %q", value)
			}
		}
	})
}

func FuzzTokens(f *testing.F) {
	known, keys := map[string]bool{}, map[string]ed25519.PublicKey{}
	var o stale.TokenOptions
	for _, made := range loadTokens(f) {
		f.Add(string(made.Token))
		known[string(made.Token)] = true
		var jwk struct{ X string }
		if err := json.Unmarshal([]byte(made.Row["public_key"].(string)), &jwk); err != nil {
			f.Fatal(err)
		}
		keys[made.Row["id"].(string)] = must[[]byte](f)(base64.RawURLEncoding.DecodeString(jwk.X))
		o = stale.TokenOptions{Issuer: made.Claims.Iss, Audience: made.Claims.Iss, Now: func() time.Time { return time.Unix(made.Claims.Iat, 0) }}
	}
	tokens := stale.TokensOf(o, keys)
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := tokens.Verify(authdb.Secret(token)); err == nil && !known[token] {
			t.Errorf("accepted: %q", token)
		}
	})
}
