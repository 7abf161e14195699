package betterauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The names of Better Auth's cookies after the prefix and a dot (1.7.25: dist/cookies/index.mjs).
const (
	sessionToken = "session_token"
	sessionData  = "session_data" // a copy of session and user, if session.cookieCache is on
	accountData  = "account_data" // a provider's tokens, if account.storeAccountCookie is on
	dontRemember = "dont_remember"
)

const (
	// defaultSecret is what Better Auth uses in development where none is configured: everybody can sign with it.
	defaultSecret = "better-auth-secret-12345678901234567890"

	signatureLength = 44 // base64 of 32 bytes, with its padding
	maxCookieLength = 4096
)

// CookieOptions are what the other side's options say about its cookies. They have to agree: a cookie that is set again
// with another name or domain stands beside the first.
type CookieOptions struct {
	Prefix      string        // advanced.cookiePrefix; empty: better-auth
	Secure      bool          // advanced.useSecureCookies, or a baseURL of https: the names begin with __Secure-
	Domain      string        // advanced.crossSubDomainCookies.domain; empty: the host that sets the cookie, no other
	SameSite    http.SameSite // advanced.defaultCookieAttributes.sameSite; zero: Lax
	Partitioned bool          // advanced.defaultCookieAttributes.partitioned
}

// Cookies verifies and makes the cookies of a Better Auth server, 1.3 to 1.7. It is safe for concurrent use, and
// neither printed nor logged does it show a secret. [NewCookies] makes one.
type Cookies struct {
	options CookieOptions
	signers []signer
}

// signer holds a secret where neither fmt nor reflection finds it.
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
// itself verifies a cookie by the first of its secrets alone, so pass an old one for as long as its cookies shall still
// sign in. It returns [ErrInvalidOption].
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
		if secret == "" || secret == defaultSecret {
			return nil, fmt.Errorf("%w: secret %d is empty or Better Auth's default", ErrInvalidOption, i+1)
		}
		c.signers = append(c.signers, newSigner(secret))
	}
	if err := c.DontRememberCookie().Valid(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidOption, err)
	}
	return c, nil
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

// Token returns the token of the request's session cookie, which says that the server once signed it, not that its
// session is live: that is Authenticate's to say. It returns [ErrNoCookie], [ErrMalformedCookie] or [ErrForgedCookie].
// Of several cookies with the name, the first counts, as it does on the other side.
func (c *Cookies) Token(r *http.Request) (string, error) { return c.read(r, sessionToken) }

// DontRemember reports whether the request's session is one without "remember me": it has a cookie for it, made by
// the server. Such a session is not refreshed.
func (c *Cookies) DontRemember(r *http.Request) bool {
	_, err := c.read(r, dontRemember)
	return err == nil
}

func (c *Cookies) read(r *http.Request, name string) (string, error) {
	cookie, err := r.Cookie(c.name(name))
	if err != nil || cookie.Value == "" {
		return "", ErrNoCookie
	}
	return c.Verify(cookie.Value)
}

// Verify returns the token in the value of a cookie, percent-encoded or not, if one of the secrets signed it. It
// returns [ErrMalformedCookie] or [ErrForgedCookie]. It takes the time of one signature per secret, whichever it was
// and wherever a forged one differs.
//
// It asks for the very signature that [Cookies.Sign] makes, in standard base64 with padding. Better Auth also takes the
// three other spellings of the last digit, whose two lowest bits encode nothing.
func (c *Cookies) Verify(value string) (string, error) {
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
	return token, nil
}

// Sign returns the value of a cookie for a token, as the server sends it: token, dot and signature, percent-encoded.
func (c *Cookies) Sign(token string) string {
	signature := c.signers[0](token)
	return escape(token + "." + string(signature[:]))
}

// escape is JavaScript's encodeURIComponent. Nothing of it is quoted or dropped by [http.Cookie].
func escape(s string) string { return componentEscaper.Replace(url.QueryEscape(s)) }

var componentEscaper = strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// Cookie returns the session cookie for a token, for [http.SetCookie]. It lasts for the lifetime, in whole seconds and
// at least one, which is [authdb.SessionLifetime] unless the other side's session.expiresIn says otherwise, or, if that
// is zero, until the browser closes: that is how a session without "remember me" gets it, beside
// [Cookies.DontRememberCookie].
func (c *Cookies) Cookie(token string, lifetime time.Duration) *http.Cookie {
	cookie := c.cookie(sessionToken, c.Sign(token))
	if lifetime > 0 {
		cookie.MaxAge = max(1, int(lifetime/time.Second))
	}
	return cookie
}

// DontRememberCookie returns the cookie that goes with the session cookie of a session without "remember me".
func (c *Cookies) DontRememberCookie() *http.Cookie { return c.cookie(dontRemember, c.Sign("true")) }

// Clear returns the cookies that make a browser forget its session, for [http.SetCookie]: the session token, the
// cached copies of session and account with those parts that the request shows, and dont_remember. The session itself
// stays until it is deleted.
func (c *Cookies) Clear(r *http.Request) []*http.Cookie {
	names := []string{c.Name(), c.name(sessionData), c.name(accountData), c.name(dontRemember)}
	for _, sent := range r.Cookies() {
		if c.isPart(sent.Name) && !slices.Contains(names, sent.Name) {
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

// isPart tells a part of a cached copy that was too large for one cookie, such as better-auth.session_data.0.
func (c *Cookies) isPart(name string) bool {
	for _, whole := range []string{sessionData, accountData} {
		if number, ok := strings.CutPrefix(name, c.name(whole)+"."); ok {
			n, err := strconv.Atoi(number)
			return err == nil && n >= 0 && n < 100 && strconv.Itoa(n) == number // Better Auth makes no more
		}
	}
	return false
}

func (c *Cookies) cookie(name, value string) *http.Cookie {
	o := c.options
	return &http.Cookie{
		Name: c.name(name), Value: value, Path: "/", Domain: o.Domain, HttpOnly: true,
		Secure:   o.Secure || o.Partitioned || o.SameSite == http.SameSiteNoneMode,
		SameSite: o.SameSite, Partitioned: o.Partitioned,
	}
}
