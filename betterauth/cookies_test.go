package betterauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/kit"
)

const (
	secret        = "a secret for these tests, and no other"
	anotherSecret = "another secret for them, which is as long"
)

func TestMalformedCookies(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret)
	good := cookies.Sign("token")
	plain, err := url.PathUnescape(good)
	if err != nil {
		t.Fatal(err)
	}
	signature := strings.TrimPrefix(plain, "token.")
	for _, test := range []struct {
		what, value string
		want        error
	}{
		{"genuine", good, nil},
		{"not percent-encoded", plain, nil},
		{"empty", "", betterauth.ErrMalformedCookie},
		{"dot", ".", betterauth.ErrMalformedCookie},
		{"no dot", "token" + signature, betterauth.ErrMalformedCookie},
		{"no token", "." + signature, betterauth.ErrMalformedCookie},
		{"no signature", "token.", betterauth.ErrMalformedCookie},
		{"no padding", strings.TrimSuffix(plain, "="), betterauth.ErrMalformedCookie},
		{"two paddings", plain + "=", betterauth.ErrMalformedCookie},
		{"a digit for the padding", strings.TrimSuffix(plain, "=") + "A", betterauth.ErrMalformedCookie},
		{"broken percent-encoding", "%zz" + good, betterauth.ErrMalformedCookie},
		{"percent sign at the end", good + "%", betterauth.ErrMalformedCookie},
		{"too long", strings.Repeat("a", 4096) + "." + signature, betterauth.ErrMalformedCookie},
		{"another token", "Token." + signature, betterauth.ErrForgedCookie},
		{"dot in the token", "a.token." + signature, betterauth.ErrForgedCookie},
		{"no base64", "token." + strings.Repeat("?", 43) + "=", betterauth.ErrForgedCookie},
		{"NUL", "token%00." + signature, betterauth.ErrForgedCookie},
		{"not UTF-8", "%ff." + signature, betterauth.ErrForgedCookie},
		{"plus for a space", cookies.Sign("a token")[3:], betterauth.ErrForgedCookie},
	} {
		token, err := cookies.Verify(test.value)
		if !errors.Is(err, test.want) || (err == nil) != (token == "token") || err != nil && !errors.Is(err, betterauth.ErrUnauthenticated) {
			t.Errorf("%s: got %q, %v, want %v", test.what, token, err, test.want)
		}
	}
	for _, header := range []string{"", "theme=dark", cookies.Name() + "=", strings.ToUpper(cookies.Name()) + "=" + good} {
		if token, err := cookies.Token(request(header)); !errors.Is(err, betterauth.ErrNoCookie) {
			t.Errorf("%q: got %q, %v", header, token, err)
		}
	}
}

func TestTokensKeepTheirDots(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret)
	for _, token := range []string{"a.b", ".", "..", "a.", ".a"} {
		if got, err := cookies.Verify(cookies.Sign(authdb.Secret(token))); err != nil || string(got) != token {
			t.Errorf("%q: got %q, %v", token, got, err)
		}
	}
}

func TestSecretRotation(t *testing.T) {
	before := newCookies(t, betterauth.CookieOptions{}, secret)
	during := newCookies(t, betterauth.CookieOptions{}, anotherSecret, secret)
	after := newCookies(t, betterauth.CookieOptions{}, anotherSecret)
	if during.Sign("token") != after.Sign("token") {
		t.Error("it does not sign by the first secret")
	}
	for _, value := range []string{before.Sign("token"), after.Sign("token")} {
		if token, err := during.Verify(value); err != nil || token != "token" {
			t.Errorf("got %q, %v", token, err)
		}
	}
	if _, err := after.Verify(before.Sign("token")); !errors.Is(err, betterauth.ErrForgedCookie) {
		t.Errorf("the old secret still verifies: %v", err)
	}
	if _, err := new(betterauth.Cookies).Verify(after.Sign("token")); !errors.Is(err, betterauth.ErrForgedCookie) {
		t.Errorf("no secret verifies: %v", err)
	}
}

func TestNewCookiesRefuses(t *testing.T) {
	for what, o := range map[string]betterauth.CookieOptions{
		"blank in the prefix":     {Prefix: "a b"},
		"semicolon in the prefix": {Prefix: "a;"},
		"sign of equality":        {Prefix: "a=b"},
		"prefix not ASCII":        {Prefix: "café"},
		"line end":                {Prefix: "a\r\nSet-Cookie: b"},
		"prefix too long":         {Prefix: strings.Repeat("a", 3900)},
		"no domain":               {Domain: "a b;"},
		"line end in the domain":  {Domain: "example.com\r\n"},
		"port":                    {Domain: "example.com:8080"},
		"scheme":                  {Domain: "https://example.com"},
		"path":                    {Domain: "example.com/"},
		"domain ends in a dot":    {Domain: "example.com."},
		"two dots before it":      {Domain: "..example.com"},
		"wildcard":                {Domain: "*.example.com"},
		"not ASCII":               {Domain: "exämple.com"},
		"underscore":              {Domain: "a_b.example.com"},
		"domain too long":         {Domain: strings.Repeat("a.", 200) + "com"},
		"IPv4":                    {Domain: "192.0.2.1"},
		"IPv4 after a dot":        {Domain: ".192.0.2.1"},
		"IPv6":                    {Domain: "2001:db8::1"},
		"IPv6 in brackets":        {Domain: "[2001:db8::1]"},
		"top level":               {Domain: "com"},
		"top level after a dot":   {Domain: ".com"},
		"dot":                     {Domain: "."},
		"SameSite":                {SameSite: 5},
		"negative SameSite":       {SameSite: -1},
	} {
		if c, err := betterauth.NewCookies(o, secret); c != nil || !errors.Is(err, betterauth.ErrInvalidOption) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	for _, o := range []betterauth.CookieOptions{
		{Prefix: strings.Repeat("a", 3800)},
		{Domain: ".example.com"},
		{Domain: "EXAMPLE.com"},
		{Domain: "localhost"},
		{Domain: "a-b.example.co.uk"},
		{Domain: "xn--exmple-cua.com"},
		{SameSite: http.SameSiteDefaultMode},
	} {
		newCookies(t, o, secret)
	}
}

// What a Better Auth server warns of, as it reckons, signs and verifies nothing here, nor does it show in an error.
func TestWeakSecretsAreRefused(t *testing.T) {
	long := func(s string) string { return strings.Repeat(s, 100)[:64] }
	for _, weak := range []string{
		"", "a", "secret", "better-auth-secret-123456789", "better-auth-secret-12345678901234567890",
		"0123456789abcdefABCDEFghijklmno", // 31 characters
		"ééééééééééééééééééééééééèàùôîûï", // 31 of two bytes
		"😀😁😂😃😄😅😆😇😈😉😊😋😌😍😎",                 // 30 code units
		long("a"), long("\x00"), long("ab"), long("abc")[:60], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
		"0123456789abcdefABCDEFghijklmnop\xff", "aaaabbbbccccddddaaaabbbbccccdddd",
	} {
		for _, secrets := range [][]string{{weak}, {secret, weak}, {weak, secret}, {secret, anotherSecret, weak}} {
			c, err := betterauth.NewCookies(betterauth.CookieOptions{}, secrets...)
			if c != nil || !errors.Is(err, betterauth.ErrInvalidOption) {
				t.Errorf("%d with %q: got %v", len(secrets), weak, err)
			} else if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) || len(weak) > 8 &&
				strings.Contains(text, weak) {
				t.Errorf("%q: the error shows it: %s", weak, text)
			}
		}
	}
	if c, err := betterauth.NewCookies(betterauth.CookieOptions{}); c != nil || !errors.Is(err, betterauth.ErrInvalidOption) {
		t.Errorf("no secret: got %v", err)
	}
	for _, good := range []string{
		"0123456789abcdefABCDEFghijklmnop", "kR7vTqY2nPzX9mWcB4sLhJ6dFgA1eU8o", long("abcd"), long("0123456789abcdef")[:32],
		"s3dfqsRwL0kCe0SEtD5hzr9BwDPjTz5z5y4dBNHzDkg=", "😀😁😂😃😄😅😆😇😈😉😊😋😌😍😎😏", secret, anotherSecret,
	} {
		newCookies(t, betterauth.CookieOptions{}, good)
	}
}

// A cookie is what its name promises to a browser, and as better-call 1.4.5 sends it.
func TestPrefixesAsABrowserTakesThem(t *testing.T) {
	for _, test := range []struct {
		options betterauth.CookieOptions
		want    string // what follows the pair
	}{
		{betterauth.CookieOptions{Prefix: "__Host-app"}, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{betterauth.CookieOptions{Prefix: "__Host-app", Domain: "example.com"}, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{betterauth.CookieOptions{Prefix: "__host-app", Domain: "example.com"}, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{betterauth.CookieOptions{Prefix: "__HOST-", Domain: "example.com"}, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{betterauth.CookieOptions{Prefix: "__Host-Http-app", Domain: "example.com"}, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{
			betterauth.CookieOptions{Prefix: "__Http-app", Domain: "example.com"},
			"; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax",
		},
		{
			betterauth.CookieOptions{Prefix: "__Secure-app", Domain: "example.com"},
			"; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax",
		},
		{betterauth.CookieOptions{Prefix: "__sEcUrE-app"}, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{betterauth.CookieOptions{Prefix: "__Host-app", Secure: true, Domain: "example.com"}, // __Secure-__Host-app
			"; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{betterauth.CookieOptions{Prefix: "__Hostapp", Domain: ".example.com"}, "; Path=/; Domain=example.com; HttpOnly; SameSite=Lax"},
		{betterauth.CookieOptions{SameSite: http.SameSiteNoneMode}, "; Path=/; HttpOnly; Secure; SameSite=None"},
		{betterauth.CookieOptions{Partitioned: true}, "; Path=/; HttpOnly; Secure; SameSite=Lax; Partitioned"},
	} {
		cookies := newCookies(t, test.options, secret)
		all := append(cookies.Clear(request("")), cookies.Cookie("token", 0), cookies.DontRememberCookie())
		for _, c := range all {
			pair := c.Name + "=" + c.Value
			if got := strings.Replace(c.String(), "; Max-Age=0", "", 1); got != pair+test.want || c.Valid() != nil {
				t.Errorf("%+v: sets %s, %v", test.options, c, c.Valid())
			}
		}
	}
}

func TestCookieLifetime(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret)
	for lifetime, want := range map[time.Duration]string{
		0: "", time.Millisecond: "; Max-Age=1;", 90*time.Second + 999*time.Millisecond: "; Max-Age=90;", time.Hour: "; Max-Age=3600;",
	} {
		got := cookies.Cookie("token", lifetime).String()
		if !strings.Contains(got, want) || strings.Contains(got, "Max-Age") != (want != "") {
			t.Errorf("%v: %s", lifetime, got)
		}
	}
}

// Browsers drop a cookie with SameSite=None or Partitioned that is not Secure; better-call makes it so.
func TestCrossSiteCookiesAreSecure(t *testing.T) {
	for _, o := range []betterauth.CookieOptions{{SameSite: http.SameSiteNoneMode}, {Partitioned: true}, {SameSite: http.SameSiteStrictMode}} {
		c := newCookies(t, o, secret).Cookie("token", 0)
		if c.Name != "better-auth.session_token" || c.Secure == (o.SameSite == http.SameSiteStrictMode) {
			t.Errorf("%+v: sets %s", o, c)
		}
	}
}

// A cookie of the plain name does not sign in where the name has to be __Secure-: any host of the domain can set it.
func TestNamesDoNotMix(t *testing.T) {
	all := []*betterauth.Cookies{
		newCookies(t, betterauth.CookieOptions{}, secret),
		newCookies(t, betterauth.CookieOptions{Secure: true}, secret),
		newCookies(t, betterauth.CookieOptions{Prefix: "acme"}, secret),
		newCookies(t, betterauth.CookieOptions{Prefix: "acme", Secure: true}, secret),
	}
	names := []string{
		"better-auth.session_token", "__Secure-better-auth.session_token", "acme.session_token", "__Secure-acme.session_token",
	}
	for i, c := range all {
		if c.Name() != names[i] {
			t.Errorf("got %s, want %s", c.Name(), names[i])
		}
		for j, other := range all {
			r := request(other.Name() + "=" + c.Sign("token"))
			if _, err := c.Token(r); (err == nil) != (i == j) || i != j && !errors.Is(err, betterauth.ErrNoCookie) {
				t.Errorf("%s for %s: %v", names[j], names[i], err)
			}
			if c.DontRemember(r) {
				t.Errorf("%s is taken for dont_remember", names[j])
			}
		}
	}
}

func TestDontRemember(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret)
	for cookie, want := range map[string]bool{
		"better-auth.dont_remember=" + cookies.Sign("true"):     true,
		"better-auth.dont_remember=true":                        false,
		"better-auth.dont_remember=":                            false,
		"better-auth.dont_remember=true" + cookies.Sign("true"): false,
	} {
		if got := cookies.DontRemember(request(cookie)); got != want {
			t.Errorf("%s: got %v", cookie, got)
		}
	}
}

// TestPosition comes back as it was, and of no cookie that nobody signed, nor of one that holds another thing.
func TestPosition(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{Secure: true}, secret)
	var at authdb.Position
	if err := at.UnmarshalText([]byte("16b374d848")); err != nil {
		t.Fatal(err)
	}
	cookie := cookies.PositionCookie(at)
	if cookie.Name != "__Secure-better-auth.authdb_position" || !cookie.Secure || !cookie.HttpOnly || cookie.MaxAge != 300 || cookie.Valid() != nil {
		t.Errorf("got %s", cookie)
	}
	other := newCookies(t, betterauth.CookieOptions{Secure: true}, anotherSecret)
	for value, want := range map[string]authdb.Position{
		cookie.Value: at, "": {}, other.PositionCookie(at).Value: {}, cookies.Sign("token"): {}, at.String(): {},
		cookies.PositionCookie(authdb.Position{}).Value: {}, "f" + cookie.Value: {},
	} {
		if got := cookies.Position(request(cookie.Name + "=" + value)); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestClear(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{Secure: true, Domain: "example.com"}, secret)
	r := request("__Secure-better-auth.session_data.0=a; __Secure-better-auth.session_data.99=b; other=c; " +
		"__Secure-better-auth.account_data.1=d; __Secure-better-auth.session_data.0=again; " +
		"__Secure-better-auth.session_data.01=e; __Secure-better-auth.session_data.-1=f; " +
		"__Secure-better-auth.session_data.100=g; __Secure-better-auth.session_data.x=h; better-auth.session_data.0=i; " +
		"__Secure-better-auth.session_token_multi-abc=j; __Secure-better-auth.session_token_multi-" + strings.Repeat("x", 32) +
		"=forged; better-auth.session_token_multi-abc=k; __Secure-better-auth.admin_session=l; " +
		"__Secure-better-auth.trust_device=m; __Secure-better-auth.session_token_multi=n")
	var names []string
	for _, c := range cookies.Clear(r) {
		name, ok := strings.CutSuffix(c.String(), "=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
		if !ok {
			t.Errorf("sets %s", c)
		}
		names = append(names, strings.TrimPrefix(name, "__Secure-better-auth."))
	}
	if got := strings.Join(names, " "); got != "session_token session_data account_data dont_remember session_data.0 session_data.99 "+
		"account_data.1 session_token_multi-abc session_token_multi-"+strings.Repeat("x", 32)+" admin_session" {
		t.Errorf("clears %s", got)
	}
}

// The tokens of all sessions that a browser shows, which are those that the server signed.
func TestTokens(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret)
	forged := newCookies(t, betterauth.CookieOptions{}, anotherSecret).Sign("C")
	name := cookies.Name()
	for header, want := range map[string]string{
		"":                                     "",
		name + "=" + cookies.Sign("A"):         "A",
		name + "_multi-a=" + cookies.Sign("A"): "A",
		name + "_multi-b=" + cookies.Sign("B") + "; " + name + "=" + cookies.Sign("A") + "; " + name + "_multi-a=" + cookies.Sign("A"):                            "B A",
		name + "_multi-c=" + forged + "; " + name + "_multi-d=C; better-auth.session_tokens=" + cookies.Sign("E") + "; " + name + "_multi-a=" + cookies.Sign("A"): "A",
	} {
		if got := joined(cookies.Tokens(request(header))); got != want {
			t.Errorf("%s: got %q, want %q", header, got, want)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	cookies := newCookies(t, betterauth.CookieOptions{}, secret, anotherSecret)
	type service struct {
		Cookies  betterauth.Cookies
		Pointer  *betterauth.Cookies
		value    betterauth.Cookies
		pointer  *betterauth.Cookies
		sessions betterauth.Authenticator
	}
	s := service{*cookies, cookies, *cookies, cookies, betterauth.Authenticator{Cookies: cookies}}
	var shown strings.Builder
	for _, value := range []any{cookies, *cookies, s, &s, []any{cookies, s}, map[string]any{"a": s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			_, _ = fmt.Fprintf(&shown, verb+"\n", value)
		}
		if text, err := json.Marshal(value); err == nil {
			shown.Write(text)
		}
		slog.New(slog.NewTextHandler(&shown, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("JSON", "value", value)
	}
	for _, s := range []string{secret, anotherSecret} {
		for _, form := range []string{s, fmt.Sprintf("%x", s), strings.Trim(fmt.Sprintf("%d", []byte(s)), "[]"), fmt.Sprintf("%#v", []byte(s))[7:]} {
			if strings.Contains(shown.String(), form) {
				t.Errorf("shows %s", form)
			}
		}
	}
}

// genuine is a set of cookies of real servers, which share a secret, by what their values decode to.
func genuine(t testing.TB) (cookies *betterauth.Cookies, values []string, tokens map[string]string) {
	t.Helper()
	tokens = map[string]string{}
	var key string
	for _, version := range versions {
		v := readVectors(t, version)
		key = v.Secret
		for _, c := range v.Cookies {
			plain, err := url.PathUnescape(c.CookieValue)
			if err != nil {
				t.Fatal(err)
			}
			tokens[plain] = c.Token
			values = append(values, c.CookieValue)
		}
	}
	return newCookies(t, betterauth.CookieOptions{}, key), values, tokens
}

// joined shows tokens.
func joined(tokens []authdb.Secret) string {
	var all []string
	for _, t := range tokens {
		all = append(all, string(t))
	}
	return strings.Join(all, " ")
}

// checkMutant fails if a value is accepted that is not, byte for byte after percent-decoding, what a server once
// signed, or if one that is so is refused. It reports whether it is.
func checkMutant(t testing.TB, value string, tokens map[string]string, verify func(string) (authdb.Secret, error)) bool {
	t.Helper()
	got, err := verify(value)
	plain, undecodable := url.PathUnescape(value)
	token, same := tokens[plain]
	same = same && undecodable == nil
	switch {
	case same && (err != nil || string(got) != token):
		t.Fatalf("%q is genuine, but got %q, %v", value, string(got), err)
	case !same && (err == nil || got != ""):
		t.Fatalf("%q is accepted as %q, %v", value, string(got), err)
	case !same && !errors.Is(err, betterauth.ErrMalformedCookie) && !errors.Is(err, betterauth.ErrForgedCookie):
		t.Fatalf("%q: %v", value, err)
	}
	return same
}

// mutate changes a value in one of many ways. Some keep what it decodes to.
func mutate(rnd *rand.Rand, value string, others []string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=.%-_ \";,"
	if value == "" {
		return alphabet[:1+rnd.IntN(len(alphabet))]
	}
	b, i := []byte(value), rnd.IntN(len(value))
	switch rnd.IntN(14) {
	case 0:
		b[i] = byte(rnd.Uint32())
	case 1:
		b[i] = alphabet[rnd.IntN(len(alphabet))]
	case 2:
		b[i] ^= 1 << rnd.IntN(8)
	case 3:
		return value[:i] + string(alphabet[rnd.IntN(len(alphabet))]) + value[i:]
	case 4:
		return value[:i] + value[i+1:]
	case 5:
		j := rnd.IntN(len(b))
		b[i], b[j] = b[j], b[i]
	case 6:
		return value[:i]
	case 7:
		return value[i:]
	case 8:
		return value[:i] + value[rnd.IntN(len(value)):]
	case 9: // the token of one, the signature of another
		token, _, _ := strings.Cut(value, ".")
		_, signature, _ := strings.Cut(others[rnd.IntN(len(others))], ".")
		return token + "." + signature
	case 10: // one byte percent-encoded: the same, unless it stood in an encoding
		return fmt.Sprintf("%s%%%02x%s", value[:i], value[i], value[i+1:])
	case 11: // the case of a letter: the same in an encoding
		if b[i] >= 'A' {
			b[i] ^= 0x20
		}
	case 12: // the digit before the padding, whose lowest bits encode nothing
		if j := strings.LastIndexAny(value, "=%") - 1; j >= 0 {
			b[j] ^= 1 + byte(rnd.IntN(3))
		}
	case 13: // other ways to write base64
		return strings.NewReplacer("%2B", "-", "%2F", "_", "%3D", "=").Replace(value)
	}
	return string(b)
}

// No mutated cookie is accepted: neither by Verify nor, one in 16, from a Cookie header. What still decodes to the
// token and signature that a server sent is no mutant, and is counted apart.
func TestMutatedCookies(t *testing.T) {
	cookies, values, tokens := genuine(t)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	n, same, fromHeader := kit.Hard(t, 200_000, 10_000_000), 0, 0
	start := time.Now()
	for i := range n {
		value := values[rnd.IntN(len(values))]
		for range 1 + rnd.IntN(3) {
			value = mutate(rnd, value, values)
		}
		if checkMutant(t, value, tokens, cookies.Verify) {
			same++
		}
		if i%16 != 0 {
			continue
		}
		r := &http.Request{Header: http.Header{"Cookie": {cookies.Name() + "=" + value}}}
		sent, err := r.Cookie(cookies.Name())
		if err != nil || sent.Value == "" {
			if token, err := cookies.Token(r); !errors.Is(err, betterauth.ErrNoCookie) {
				t.Fatalf("%q: got %q, %v", value, token, err)
			}
			continue
		}
		checkMutant(t, sent.Value, tokens, func(string) (authdb.Secret, error) { return cookies.Token(r) })
		fromHeader++
	}
	t.Logf("%d mutations of %d cookies in %v: %d still decode to a genuine cookie and are accepted, %d others are not; "+
		"%d of all also from a header", n, len(values), time.Since(start).Round(time.Millisecond), same, n-same, fromHeader)
	if same == 0 || same > n/2 {
		t.Errorf("the mutations are poor: %d of %d change nothing", same, n)
	}
}

func FuzzVerify(f *testing.F) {
	cookies, values, tokens := genuine(f)
	for _, value := range values[:8] {
		plain, _ := url.PathUnescape(value)
		f.Add(value)
		f.Add(plain)
		f.Add(strings.ToLower(value))
	}
	f.Add("")
	f.Add("%")
	f.Add(".")
	f.Add("." + strings.Repeat("A", 43) + "=")
	f.Add(strings.Repeat("%2E", 2000))
	f.Fuzz(func(t *testing.T, value string) {
		checkMutant(t, value, tokens, cookies.Verify)
		r := &http.Request{Header: http.Header{"Cookie": {value, cookies.Name() + "=" + value}, "Authorization": {"Bearer " + value}}}
		if token, err := cookies.Token(r); err == nil {
			sent, _ := r.Cookie(cookies.Name())
			if plain, _ := url.PathUnescape(sent.Value); tokens[plain] != string(token) {
				t.Errorf("%q is accepted as %q", value, string(token))
			}
		}
		cookies.DontRemember(r)
		cookies.Clear(r)
		if signed, err := cookies.Verify(cookies.Sign(authdb.Secret(value))); len(value) < 1000 && value != "" && (err != nil || string(signed) != value) {
			t.Errorf("%q signed and verified is %q, %v", value, signed, err)
		}
	})
}
