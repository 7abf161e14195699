package betterauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zerostarter/authdb"
)

// The names of Better Auth's cookies, and of one of authdb's, after the prefix and a dot (1.7.25:
// dist/cookies/index.mjs).
const (
	sessionToken = "session_token"
	sessionData  = "session_data" // a copy of session and user, if session.cookieCache is on
	accountData  = "account_data" // a provider's tokens, if account.storeAccountCookie is on
	dontRemember = "dont_remember"
	adminSession = "admin_session" // the token of the admin's own session, while impersonating

	position = "authdb_position" // authdb's own
)

const (
	// defaultSecret is Better Auth's in development, if none is configured: everybody can sign with it.
	defaultSecret = "better-auth-secret-12345678901234567890"

	signatureLength = 44   // base64 of 32 bytes, with its padding
	maxCookieLength = 4096 // name and value, in browsers

	// Below these a Better Auth server warns about its secret (1.7.25: dist/context/create-context.mjs).
	minSecretLength  = 32  // as JavaScript counts
	minSecretEntropy = 120 // bits
)

// CookieOptions are the server's options for its cookies, and must agree with them: a cookie that is set again with
// another name or domain does not replace the first.
//
// As on the server and in browsers, some things hold whatever is set here: cookies whose names begin with __Secure-,
// __Host- or __Http-, in any case of letters, are Secure, as are those with SameSite=None or Partitioned; those with
// __Host- have no Domain.
type CookieOptions struct {
	Prefix      string        // advanced.cookiePrefix; empty: better-auth
	Secure      bool          // advanced.useSecureCookies, or a baseURL of https: the names begin with __Secure-
	Domain      string        // advanced.crossSubDomainCookies.domain, a host without port; empty: the host that sets it
	SameSite    http.SameSite // advanced.defaultCookieAttributes.sameSite; zero: Lax
	Partitioned bool          // advanced.defaultCookieAttributes.partitioned
}

// Cookies verifies and makes the cookies of a Better Auth server, 1.3 to 1.7. It is safe for concurrent use, and shows
// no secret when printed or logged. [NewCookies] makes one.
type Cookies struct {
	options CookieOptions
	signers []signer
}

// signer hides a secret from fmt and reflection.
type signer func(token string) [signatureLength]byte

func newSigner(secret string) signer {
	key := []byte(secret)
	return func(token string) (signature [signatureLength]byte) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(token))
		base64.StdEncoding.Encode(signature[:], mac.Sum(nil))
		return signature
	}
}

// NewCookies returns the cookies of the server with those secrets: the first signs, all verify. Better Auth 1.7.25
// itself verifies cookies by its first secret alone, so pass an old one only while its cookies are still to sign people
// in.
//
// It returns [ErrInvalidOption] if browsers would not take such a cookie, or if any secret is not UTF-8 or can be
// guessed, which the server also warns about: one of less than 32 characters, of less than 120 bits (characters times
// the logarithm of how many are different), or the server's default.
func NewCookies(o CookieOptions, secrets ...string) (*Cookies, error) {
	if o.Prefix == "" {
		o.Prefix = "better-auth"
	}
	if o.SameSite == 0 {
		o.SameSite = http.SameSiteLaxMode
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%w: no secret", ErrInvalidOption)
	}
	c := &Cookies{options: o}
	for i, secret := range secrets {
		if reason := weakness(secret); reason != "" {
			return nil, fmt.Errorf("%w: secret %d %s", ErrInvalidOption, i+1, reason)
		}
		c.signers = append(c.signers, newSigner(secret))
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidOption, err)
	}
	return c, nil
}

// weakness says why a secret is refused, without showing any of it.
func weakness(secret string) string {
	length, different := utf16Length(secret), map[rune]bool{}
	for _, r := range secret {
		different[r] = true
	}
	switch {
	case !utf8.ValidString(secret):
		return "is not UTF-8"
	case length < minSecretLength:
		return fmt.Sprintf("has less than %d characters", minSecretLength)
	case secret == defaultSecret:
		return "is Better Auth's default"
	case float64(length)*math.Log2(float64(len(different))) < minSecretEntropy:
		return "repeats too few characters: make one with openssl rand -base64 32"
	}
	return ""
}

// check returns why a browser would drop the cookies.
func (c *Cookies) check() error {
	cookie := c.Cookie("", authdb.SessionLifetime)
	domain := strings.TrimPrefix(cookie.Domain, ".")
	size := len(c.multiSession()) + 32 + 33 + 3*signatureLength // a name has the token, too
	switch s := c.options.SameSite; {
	case s < http.SameSiteDefaultMode || s > http.SameSiteNoneMode:
		return fmt.Errorf("SameSite is %d", s)
	case strings.HasSuffix(domain, "."):
		return errors.New("the domain ends in a dot")
	case domain != "" && domain != "localhost" && (net.ParseIP(domain) != nil || !strings.Contains(domain, ".")):
		return errors.New("no host can be in that domain: leave it empty")
	case size > maxCookieLength:
		return fmt.Errorf("a cookie of that prefix takes %d bytes, of at most %d", size, maxCookieLength)
	}
	return cookie.Valid()
}

// Name is the name of the session cookie, such as __Secure-better-auth.session_token.
func (c *Cookies) Name() string { return c.name(sessionToken) }

func (c *Cookies) name(of string) string {
	name := c.options.Prefix + "." + of
	if c.options.Secure {
		name = "__Secure-" + name
	}
	return name
}

// Token returns the token of the request's session cookie, if the server signed it. Whether its session is live,
// Authenticate tells. It returns [ErrNoCookie], [ErrMalformedCookie] or [ErrForgedCookie]. Of several cookies with that
// name the first counts, as on the server.
func (c *Cookies) Token(r *http.Request) (authdb.Secret, error) { return c.read(r, sessionToken) }

// DontRemember reports whether the request's session is one without "remember me": the request has the server's cookie
// that says so. Such a session is not refreshed.
func (c *Cookies) DontRemember(r *http.Request) bool {
	_, err := c.read(r, dontRemember)
	return err == nil
}

func (c *Cookies) read(r *http.Request, name string) (authdb.Secret, error) {
	cookie, err := r.Cookie(c.name(name))
	if err != nil || cookie.Value == "" {
		return "", ErrNoCookie
	}
	return c.Verify(cookie.Value)
}

// Verify returns the token in the value of a cookie, percent-encoded or not, if one of the secrets signed it. It
// returns [ErrMalformedCookie] or [ErrForgedCookie]. It always takes the time of one signature per secret, whichever
// secret it was and wherever a forged signature differs.
//
// The signature must be as [Cookies.Sign] makes it, in standard base64 with padding. Better Auth also takes the three
// other spellings of the last digit, whose two lowest bits encode nothing.
func (c *Cookies) Verify(value string) (authdb.Secret, error) {
	if len(value) > maxCookieLength {
		return "", ErrMalformedCookie
	}
	plain, err := url.PathUnescape(value)
	dot := strings.LastIndexByte(plain, '.')
	if err != nil || dot < 1 || len(plain)-dot-1 != signatureLength || plain[len(plain)-1] != '=' {
		return "", ErrMalformedCookie
	}
	token, signature, genuine := plain[:dot], []byte(plain[dot+1:]), 0
	for _, sign := range c.signers {
		want := sign(token)
		genuine |= subtle.ConstantTimeCompare(want[:], signature)
	}
	if genuine != 1 {
		return "", ErrForgedCookie
	}
	return authdb.Secret(token), nil
}

// Sign returns the value of a cookie for a token, as the server sends it: token, dot and signature, percent-encoded.
func (c *Cookies) Sign(token authdb.Secret) string {
	signature := c.signers[0](string(token))
	return escape(string(token) + "." + string(signature[:]))
}

// escape is JavaScript's encodeURIComponent. [http.Cookie] quotes or drops nothing of its result.
func escape(s string) string { return componentEscaper.Replace(url.QueryEscape(s)) }

var componentEscaper = strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// Cookie returns the session cookie for a token, for [http.SetCookie]. It lasts for the lifetime, in whole seconds and
// at least one; that is [authdb.SessionLifetime] unless the server's session.expiresIn differs. With lifetime zero it
// lasts until the browser closes, as for a session without "remember me"; then add [Cookies.DontRememberCookie].
func (c *Cookies) Cookie(token authdb.Secret, lifetime time.Duration) *http.Cookie {
	cookie := c.cookie(sessionToken, c.Sign(token))
	if lifetime > 0 {
		cookie.MaxAge = max(1, int(lifetime/time.Second))
	}
	return cookie
}

// DontRememberCookie returns the cookie that marks a session as one without "remember me".
func (c *Cookies) DontRememberCookie() *http.Cookie { return c.cookie(dontRemember, c.Sign("true")) }

// AdminSessionCookie returns the cookie in which the browser keeps the token of an administrator's own session while
// impersonating; notRemembered is what [Cookies.DontRemember] says of that session. It lasts as [Cookies.Cookie] does.
func (c *Cookies) AdminSessionCookie(token authdb.Secret, notRemembered bool, lifetime time.Duration) *http.Cookie {
	value := token + ":"
	if notRemembered {
		value += "true"
	}
	cookie := c.Cookie(value, lifetime)
	cookie.Name = c.name(adminSession)
	return cookie
}

// AdminSession returns from a request what [Cookies.AdminSessionCookie] was given. It returns [ErrNoCookie],
// [ErrMalformedCookie] or [ErrForgedCookie].
func (c *Cookies) AdminSession(r *http.Request) (token authdb.Secret, notRemembered bool, err error) {
	value, err := c.read(r, adminSession)
	if err != nil {
		return "", false, err
	}
	plain, flag, ok := strings.Cut(string(value), ":")
	if !ok || plain == "" {
		return "", false, ErrMalformedCookie
	}
	return authdb.Secret(plain), flag != "", nil
}

// positionAge is how long a browser keeps a position: a standby that is further behind is not worth asking.
const positionAge = 5 * time.Minute

// PositionCookie returns a cookie with a position of [authdb.Store.Position], for [http.SetCookie], signed like the
// others. A handler sets it after a write, so that the browser's next requests are not answered by a standby that lacks
// that write. It lasts for 5 minutes. The server ignores it.
func (c *Cookies) PositionCookie(at authdb.Position) *http.Cookie {
	cookie := c.cookie(position, c.Sign(authdb.Secret(at.String())))
	cookie.MaxAge = int(positionAge / time.Second)
	return cookie
}

// Position returns the position in the request's cookie of [Cookies.PositionCookie]; zero if there is none that one of
// the secrets signed.
func (c *Cookies) Position(r *http.Request) (at authdb.Position) {
	text, err := c.read(r, position)
	if err != nil || at.UnmarshalText([]byte(text)) != nil {
		return authdb.Position{}
	}
	return at
}

// Clear returns the cookies that make a browser forget its session, for [http.SetCookie]: the session token, the cached
// copies of session and account, and dont_remember. If the request has them, it also clears the parts of those copies,
// the multi-session plugin's sessions, and the admin's own session while impersonating (admin_session). The sessions
// themselves stay until they are deleted: see [Cookies.Tokens].
func (c *Cookies) Clear(r *http.Request) []*http.Cookie {
	names := []string{c.Name(), c.name(sessionData), c.name(accountData), c.name(dontRemember)}
	for _, sent := range r.Cookies() {
		shown := c.isPart(sent.Name) || c.isMultiSession(sent.Name) || sent.Name == c.name(adminSession)
		if shown && !slices.Contains(names, sent.Name) {
			names = append(names, sent.Name)
		}
	}
	cookies := make([]*http.Cookie, len(names))
	for i, name := range names {
		cookies[i] = c.cookie("", "")
		cookies[i].Name, cookies[i].MaxAge = name, -1 // sent as Max-Age=0
	}
	return cookies
}

// isPart reports whether a name is that of a part of a cached copy that was too large for one cookie, such as
// better-auth.session_data.0.
func (c *Cookies) isPart(name string) bool {
	for _, whole := range []string{sessionData, accountData} {
		if number, ok := strings.CutPrefix(name, c.name(whole)+"."); ok {
			n, err := strconv.Atoi(number)
			return err == nil && n >= 0 && n < 100 && strconv.Itoa(n) == number // Better Auth makes no more
		}
	}
	return false
}

// Tokens returns the tokens in all genuine cookies of the request, each once: the session cookie's and those of the
// multi-session plugin. To sign out of all of them, as that plugin does, delete them by
// [authdb.SessionRepository.DeleteByTokens].
func (c *Cookies) Tokens(r *http.Request) []authdb.Secret {
	var tokens []authdb.Secret
	for _, sent := range r.Cookies() {
		if sent.Name != c.Name() && !c.isMultiSession(sent.Name) {
			continue
		}
		if token, err := c.Verify(sent.Value); err == nil && !slices.Contains(tokens, token) {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// multiSession is the start of the names of the multi-session plugin's cookies, before a token in lower case (1.3.34 to
// 1.7.25: dist/plugins/multi-session/index.mjs).
func (c *Cookies) multiSession() string { return c.Name() + "_multi-" }

func (c *Cookies) isMultiSession(name string) bool { return strings.HasPrefix(name, c.multiSession()) }

func (c *Cookies) cookie(name, value string) *http.Cookie {
	o := c.options
	cookie := &http.Cookie{
		Name: c.name(name), Value: value, Path: "/", Domain: o.Domain, HttpOnly: true,
		Secure:   o.Secure || o.Partitioned || o.SameSite == http.SameSiteNoneMode,
		SameSite: o.SameSite, Partitioned: o.Partitioned,
	}
	// What the name promises, as in better-call 1.4.5 (dist/cookies.mjs), and __Http-, which only browsers know yet.
	switch lower := strings.ToLower(cookie.Name); {
	case strings.HasPrefix(lower, "__host-"):
		cookie.Secure, cookie.Domain = true, ""
	case strings.HasPrefix(lower, "__secure-"), strings.HasPrefix(lower, "__http-"):
		cookie.Secure = true
	}
	return cookie
}
