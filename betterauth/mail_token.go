package betterauth

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
)

// MailTokenLifetime is the default of the server's emailVerification.expiresIn.
const MailTokenLifetime = time.Hour

// The request types of a [MailToken] that changes an address, since 1.4 (1.7.25: dist/api/routes/update-user.mjs).
const (
	ChangeEmailConfirmation = "change-email-confirmation" // sent to the address that the user has
	ChangeEmailVerification = "change-email-verification" // sent to the one that the user wants
)

// MailToken is the content of the token in a mail that verifies or changes an address: a JWT for /verify-email, without
// a row. Until it expires it works any number of times, while the user has the address.
type MailToken struct {
	Email       string // the user's address, in lower case
	UserID      string
	UpdateTo    string // the address that the user wants instead; empty: none
	RequestType string // ChangeEmailConfirmation, ChangeEmailVerification, or empty: it verifies Email
	// Unproved says that nobody had proved Email when UpdateTo was asked for. Once somebody has, who may be another than
	// who asked, the token is void. It is authdb's own claim; the server reads and writes none.
	Unproved  bool
	IssuedAt  time.Time
	ExpiresAt time.Time // zero: never or, in SignMailToken, MailTokenLifetime after IssuedAt
}

// mailClaims are in the order in which 1.7.25 writes them.
type mailClaims struct {
	Email       string `json:"email"`
	UpdateTo    string `json:"updateTo,omitempty"`
	RequestType string `json:"requestType,omitempty"`
	Unproved    bool   `json:"unproved,omitempty"` // authdb's
	UserID      string `json:"userId"`
	IssuedAt    int64  `json:"iat"`
	ExpiresAt   int64  `json:"exp"`
}

// mailTokenHeader is {"alg":"HS256"}.
const mailTokenHeader = "eyJhbGciOiJIUzI1NiJ9"

// SignMailToken returns the token as Better Auth 1.7 makes it. All versions take it: 1.3 to 1.6 ignore the user's id.
// It returns [ErrInvalidMailToken] if t has no address or no user.
func (c *Cookies) SignMailToken(t MailToken) (authdb.Secret, error) {
	if t.Email == "" || t.UserID == "" {
		return "", ErrInvalidMailToken
	}
	if t.ExpiresAt.IsZero() {
		t.ExpiresAt = t.IssuedAt.Add(MailTokenLifetime)
	}
	var claims bytes.Buffer
	encoder := json.NewEncoder(&claims)
	encoder.SetEscapeHTML(false) // like JavaScript
	if err := encoder.Encode(mailClaims{
		t.Email, t.UpdateTo, t.RequestType, t.Unproved, t.UserID, t.IssuedAt.Unix(), t.ExpiresAt.Unix(),
	}); err != nil {
		return "", err
	}
	text := mailTokenHeader + "." + base64.RawURLEncoding.EncodeToString(bytes.TrimSuffix(claims.Bytes(), []byte("\n")))
	return authdb.Secret(text + "." + c.macs(text)[0]), nil
}

// VerifyMailToken returns the content of a token, if one of the secrets signed it with HS256 and it is valid at the
// time now. It returns [ErrMailTokenExpired], or [ErrInvalidMailToken] for any other token. Tokens without the user's
// id, as Better Auth made before 1.7, are invalid: they would verify the address for any user who has it by then.
func (c *Cookies) VerifyMailToken(token authdb.Secret, now time.Time) (MailToken, error) {
	parts := strings.Split(string(token), ".")
	if len(token) > maxCookieLength || len(parts) != 3 {
		return MailToken{}, ErrInvalidMailToken
	}
	genuine := 0
	for _, want := range c.macs(parts[0] + "." + parts[1]) {
		genuine |= subtle.ConstantTimeCompare([]byte(want), []byte(parts[2]))
	}
	header, claims := decodeObject(parts[0]), decodeObject(parts[1])
	// This package knows no critical extensions.
	if genuine != 1 || header["alg"] != "HS256" || header["crit"] != nil || claims == nil {
		return MailToken{}, ErrInvalidMailToken
	}
	return claims.mailToken(now)
}

// object is a JSON object with its keys as written; a struct would match them in any case.
type object map[string]any

func decodeObject(part string) (o object) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || json.Unmarshal(text, &o) != nil {
		return nil
	}
	return o
}

func (o object) mailToken(now time.Time) (t MailToken, err error) {
	valid := true
	for name, to := range map[string]*string{
		"email": &t.Email, "userId": &t.UserID, "updateTo": &t.UpdateTo, "requestType": &t.RequestType,
	} {
		if value, there := o[name]; there {
			text, isText := value.(string)
			*to, valid = text, valid && isText
		}
	}
	if value, there := o["unproved"]; there {
		isUnproved, isBool := value.(bool)
		t.Unproved, valid = isUnproved, valid && isBool
	}
	var notBefore time.Time
	for name, to := range map[string]*time.Time{"iat": &t.IssuedAt, "exp": &t.ExpiresAt, "nbf": &notBefore} {
		if value, there := o[name]; there {
			seconds, isNumber := value.(float64)
			valid = valid && isNumber && math.Abs(seconds) < 1<<40
			if valid {
				*to = time.UnixMilli(int64(seconds * 1000)).UTC()
			}
		}
	}
	second := now.Truncate(time.Second) // the server compares whole seconds
	switch {
	case !valid, t.Email == "", t.UserID == "", notBefore.After(second):
		return MailToken{}, ErrInvalidMailToken
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(second):
		return MailToken{}, ErrMailTokenExpired
	}
	return t, nil
}

// macs returns the HMAC-SHA256 of a text by each secret, in base64url without padding.
func (c *Cookies) macs(text string) []string {
	all := make([]string, len(c.signers))
	for i, sign := range c.signers {
		mac := sign(text)
		all[i] = urlAlphabet.Replace(string(mac[:]))
	}
	return all
}

var urlAlphabet = strings.NewReplacer("+", "-", "/", "_", "=", "")
