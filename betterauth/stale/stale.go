// Package stale verifies a Better Auth server's own tokens without asking the database: the cookies session_data of
// session.cookieCache, and the tokens of the JWT plugin (1.3 to 1.7). They are fast, and they are stale: a sign-out, a
// revoked or deleted session, a ban, a new role or a new name go unseen until they expire, by default after 5 and 15
// minutes. Use them for what may be wrong for that long, and [betterauth.Authenticator] for everything else.
//
// Their content is a [Snapshot] or [Claims]. It signs nobody in: nothing here puts anything into a context.
package stale

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// Why a token is refused. No error shows anything of it.
var (
	// ErrMalformed: it does not have the form of such a token.
	ErrMalformed = errors.New("stale: malformed token")
	// ErrForged: the signature is not made by any of the secrets or keys.
	ErrForged = errors.New("stale: forged token")
	// ErrExpired: it, or the session in it, has expired.
	ErrExpired = errors.New("stale: expired token")
	// ErrMismatch: it belongs to another session, version, issuer or audience, or to an OAuth client.
	ErrMismatch = errors.New("stale: token of something else")
	// ErrUnknownKey: its key was not in the table when that was last read. See [Tokens.Refresh].
	ErrUnknownKey = errors.New("stale: unknown key")
	// ErrInvalidOption: [NewTokens] was given no issuer, or [NewCookies] an unknown strategy, or keys but no issuer or
	// another strategy than JWT.
	ErrInvalidOption = errors.New("stale: invalid option")
)

// User is what a token says about a user. Other fields are in the token's Raw.
type User struct {
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Email         string  `json:"email"`
	EmailVerified bool    `json:"emailVerified"`
	Image         *string `json:"image"`
	Role          *string `json:"role"` // of the admin plugin
}

// Session is what a token says about a session.
type Session struct {
	ID                   string        `json:"id"`
	UserID               string        `json:"userId"`
	Token                authdb.Secret `json:"token"`
	ExpiresAt            time.Time     `json:"expiresAt"`
	CreatedAt            time.Time     `json:"createdAt"`
	UpdatedAt            time.Time     `json:"updatedAt"`
	IPAddress            *string       `json:"ipAddress"`
	UserAgent            *string       `json:"userAgent"`
	ActiveOrganizationID *string       `json:"activeOrganizationId"`
	ActiveTeamID         *string       `json:"activeTeamId"`
	ImpersonatedBy       *string       `json:"impersonatedBy"` // of the admin plugin
}

// Snapshot is what the server knew of a session when it set the cookie.
type Snapshot struct {
	Session   Session
	User      User
	TakenAt   time.Time     // zero if 1.3 set the cookie
	ExpiresAt time.Time     // of the snapshot
	Raw       authdb.Secret // JSON with the members session and user, for other fields
}

// Strategy is session.cookieCache.strategy.
type Strategy string

// The strategies. 1.3 has only the first.
const (
	Compact Strategy = "compact"
	JWT     Strategy = "jwt" // signed with the secret, or with Keys
	JWE     Strategy = "jwe"
)

// Options are the server's options for the cookie.
type Options struct {
	Cookies  betterauth.CookieOptions
	Strategy Strategy // empty: Compact
	Version  string   // session.cookieCache.version; empty: "1"
	// Keys, of [NewTokens], sign the cookies, where the JWT plugin of 1.7 has the option sessionCookieCache. Of strategy JWT.
	Keys *Tokens
	// Issuer is with Keys the origin of the server's baseURL, such as https://app.example.com, also where jwt.issuer is
	// another.
	Issuer string
	// Now is the clock that says what has expired; nil: time.Now.
	Now func() time.Time
}

// Cookies reads session_data. It is safe for concurrent use, and shows no secret.
type Cookies struct {
	tokens  *betterauth.Cookies
	name    string
	options Options
	open    []opener
}

// opener returns the payload of a cookie and, if that does not say it, when the cookie expires. Being a function, it
// hides the secret.
type opener func(value string) (payload []byte, expires time.Time, err error)

// NewCookies returns a reader of the server's cookies; any of the secrets counts. It returns
// [betterauth.ErrInvalidOption] for what [betterauth.NewCookies] refuses, and [ErrInvalidOption].
func NewCookies(o Options, secrets ...string) (*Cookies, error) {
	tokens, err := betterauth.NewCookies(o.Cookies, secrets...)
	if err != nil {
		return nil, err
	}
	if o.Version == "" {
		o.Version = "1"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cookies{tokens: tokens, name: strings.TrimSuffix(tokens.Name(), "session_token") + "session_data", options: o}
	if o.Keys != nil {
		if o.Strategy != JWT || o.Issuer == "" {
			return nil, ErrInvalidOption
		}
		c.open = []opener{jwksOpener(o.Keys, o.Issuer)}
		return c, nil
	}
	for _, secret := range secrets {
		switch o.Strategy {
		case "", Compact:
			c.open = append(c.open, compactOpener([]byte(secret)))
		case JWT:
			c.open = append(c.open, jwtOpener([]byte(secret)))
		case JWE:
			key, err := hkdf.Key(sha256.New, []byte(secret), []byte("better-auth-session"),
				"BetterAuth.js Generated Encryption Key", 64)
			if err != nil {
				return nil, err
			}
			c.open = append(c.open, jweOpener(key))
		default:
			return nil, ErrInvalidOption
		}
	}
	return c, nil
}

// Read returns the snapshot in the request's cookies, which must be of the session in its session cookie. It returns
// an error of [betterauth.Cookies.Token], [betterauth.ErrNoCookie] if there is no session_data, [ErrMalformed],
// [ErrForged], [ErrExpired], [ErrMismatch] or, with Keys, [ErrUnknownKey]. A refused client may still be signed in: ask
// the database.
func (c *Cookies) Read(r *http.Request) (Snapshot, error) {
	token, err := c.tokens.Token(r)
	if err != nil {
		return Snapshot{}, err
	}
	value := c.value(r)
	if value == "" {
		return Snapshot{}, betterauth.ErrNoCookie
	}
	return c.verify(value, token)
}

// value returns the cookie, or its parts joined in order.
func (c *Cookies) value(r *http.Request) string {
	if whole, err := r.Cookie(c.name); err == nil {
		return whole.Value
	}
	var value strings.Builder
	for i := 0; ; i++ {
		part, err := r.Cookie(c.name + "." + strconv.Itoa(i))
		if err != nil || value.Len() > maxLength {
			return value.String()
		}
		value.WriteString(part.Value)
	}
}

// maxLength is more than the server's parts have together.
const maxLength = 100 * 4096

func (c *Cookies) verify(value string, token authdb.Secret) (Snapshot, error) {
	if len(value) > maxLength {
		return Snapshot{}, ErrMalformed
	}
	var payload []byte
	var expires time.Time
	err := ErrForged
	for _, open := range c.open {
		if payload, expires, err = open(value); !errors.Is(err, ErrForged) {
			break
		}
	}
	if err != nil {
		return Snapshot{}, err
	}
	var said struct {
		Session   *Session
		User      *User
		UpdatedAt int64
		Version   *string
		Exp       *int64
	}
	if json.Unmarshal(payload, &said) != nil || said.Session == nil || said.User == nil {
		return Snapshot{}, ErrMalformed
	}
	if expires.IsZero() {
		if said.Exp == nil {
			return Snapshot{}, ErrMalformed
		}
		expires = time.Unix(*said.Exp, 0).UTC()
	}
	now := c.options.Now()
	switch {
	case said.Version == nil && c.options.Version != "1", said.Version != nil && *said.Version != c.options.Version,
		said.Session.Token != token, said.Session.UserID != said.User.ID, said.User.ID == "":
		return Snapshot{}, ErrMismatch
	case !expires.After(now), !said.Session.ExpiresAt.After(now):
		return Snapshot{}, ErrExpired
	}
	s := Snapshot{Session: *said.Session, User: *said.User, ExpiresAt: expires, Raw: authdb.Secret(payload)}
	if said.UpdatedAt != 0 {
		s.TakenAt = time.UnixMilli(said.UpdatedAt).UTC()
	}
	return s, nil
}

// strict refuses other spellings of the same bytes.
var strict = base64.RawURLEncoding.Strict()

func mac(secret, text []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(text)
	return h.Sum(nil)
}

// compactOpener opens {"session":payload,"expiresAt":ms,"signature":s}. The signature is that of the payload with the
// time in it. The payload is cut out of the text unchanged, so that what is read is what was signed.
func compactOpener(secret []byte) opener {
	return func(value string) ([]byte, time.Time, error) {
		raw, err := strict.DecodeString(value)
		text, ok := strings.CutPrefix(string(raw), `{"session":`)
		signed, signature := cutLast(text, `,"signature":"`)
		payload, at := cutLast(signed, `,"expiresAt":`)
		if err != nil || !ok || !strings.HasSuffix(payload, "}") || !strings.HasSuffix(signature, `"}`) {
			return nil, time.Time{}, ErrMalformed
		}
		ms, err := strconv.ParseUint(at, 10, 52)
		sent, sigErr := strict.DecodeString(strings.TrimSuffix(signature, `"}`))
		if err != nil || sigErr != nil {
			return nil, time.Time{}, ErrMalformed
		}
		if !hmac.Equal(sent, mac(secret, []byte(payload[:len(payload)-1]+`,"expiresAt":`+at+`}`))) {
			return nil, time.Time{}, ErrForged
		}
		return []byte(payload), time.UnixMilli(int64(ms)).UTC(), nil
	}
}

// cutLast cuts around the last occurrence; if there is none, both are empty.
func cutLast(s, sep string) (before, after string) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return "", ""
	}
	return s[:at], s[at+len(sep):]
}
