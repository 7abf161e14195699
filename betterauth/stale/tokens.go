package stale

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/repo"
)

// TokenOptions are the options of the JWT plugin.
type TokenOptions struct {
	Issuer   string // jwt.issuer: the server's baseURL, unless it says otherwise
	Audience string // jwt.audience; empty: the issuer
	// GracePeriod is jwks.gracePeriod: how long an expired key still counts. Zero: 30 days, the plugin's own.
	GracePeriod time.Duration
	// Now is the clock that says what has expired; nil: time.Now.
	Now func() time.Time
}

// Tokens verifies the tokens of the JWT plugin that are signed with Ed25519, its default, by the keys in the table
// jwks. It is safe for concurrent use.
type Tokens struct {
	repo    *repo.Repo
	options TokenOptions
	keys    atomic.Pointer[map[string]publicKey]
}

type publicKey struct {
	key ed25519.PublicKey
	end time.Time
}

// NewTokens reads the keys. It returns [authdb.ErrSchema] if there is no such table, and [ErrInvalidOption].
func NewTokens(ctx context.Context, store *authdb.Store, o TokenOptions) (*Tokens, error) {
	if o.Issuer == "" {
		return nil, ErrInvalidOption
	}
	if o.Audience == "" {
		o.Audience = o.Issuer
	}
	if o.GracePeriod == 0 {
		o.GracePeriod = 30 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &Tokens{repo: bridge.Repo(store), options: o}
	if err := t.repo.CheckSchema(ctx, repo.Plugin{Name: "the JWT plugin", Columns: map[string]reflect.Kind{
		"jwks.id": reflect.String, "jwks.public_key": reflect.String, "jwks.created_at": reflect.Struct,
	}}); err != nil {
		return nil, bridge.Error("stale.NewTokens", err, nil)
	}
	return t, t.Refresh(ctx)
}

// maxKeys is how many keys count, the newest: a server makes few.
const maxKeys = 100

// Refresh reads the keys again, in one round trip. Nothing else does: call it now and then, such as each minute, and
// when [Tokens.Verify] returns [ErrUnknownKey], but not each time, since anybody can cause that. If it fails, the keys
// stay as they are.
func (t *Tokens) Refresh(ctx context.Context) error {
	const op = "Tokens.Refresh"
	rows, err := repo.Read(ctx, t.repo, op, (*repo.Queries).ListJWKS, maxKeys)
	if err != nil {
		return bridge.Error(op, err, nil)
	}
	keys := map[string]publicKey{}
	for _, row := range rows {
		var jwk struct{ Kty, Crv, X string }
		if json.Unmarshal([]byte(row.PublicKey), &jwk) != nil || jwk.Kty != "OKP" || jwk.Crv != "Ed25519" {
			continue // of another algorithm
		}
		if x, err := strict.DecodeString(jwk.X); err == nil && len(x) == ed25519.PublicKeySize {
			keys[row.ID] = publicKey{x, row.ExpiresAt}
		}
	}
	t.keys.Store(&keys)
	return nil
}

// Claims are the content of a token.
type Claims struct {
	Subject   string // the user's id
	User      User   // what the plugin puts into a token unless jwt.definePayload says otherwise
	IssuedAt  time.Time
	ExpiresAt time.Time
	Raw       json.RawMessage // all claims
}

// Verify returns the content of a token, without asking the database. A token of an OAuth client is not the user's own:
// [ErrMismatch]. It returns [ErrMalformed], [ErrUnknownKey],
// [ErrForged], [ErrExpired] or [ErrMismatch].
func (t *Tokens) Verify(token authdb.Secret) (Claims, error) {
	header, payload, err := t.open(string(token))
	if err != nil {
		return Claims{}, err
	}
	now := t.options.Now()
	var said struct {
		Iss, Sub string
		Aud      audience
		Iat, Exp int64
		Nbf      int64
		Azp      string
		ClientID string `json:"client_id"`
	}
	claims := Claims{Raw: payload}
	if json.Unmarshal(payload, &said) != nil || json.Unmarshal(payload, &claims.User) != nil || said.Sub == "" {
		return Claims{}, ErrMalformed
	}
	claims.Subject = said.Sub
	claims.IssuedAt, claims.ExpiresAt = time.Unix(said.Iat, 0).UTC(), time.Unix(said.Exp, 0).UTC()
	switch {
	// What the server gives an OAuth client, for some of the user's rights, or tells it, is signed by the same keys.
	case header.Type != "" && header.Type != "JWT", said.Azp != "", said.ClientID != "":
		return Claims{}, ErrMismatch
	case said.Iss != t.options.Issuer, !slices.Contains(said.Aud, t.options.Audience):
		return Claims{}, ErrMismatch
	case !claims.ExpiresAt.After(now), time.Unix(said.Nbf, 0).After(now):
		return Claims{}, ErrExpired
	}
	return claims, nil
}

// open returns what is signed by one of the keys.
func (t *Tokens) open(token string) (header joseHeader, payload []byte, err error) {
	if len(token) > maxLength {
		return header, nil, ErrMalformed
	}
	header, decoded, ok := parts(token, 3)
	if !ok || header.Alg != "EdDSA" {
		return header, nil, ErrMalformed
	}
	key, ok := (*t.keys.Load())[header.KeyID]
	if !ok || key.end.Add(t.options.GracePeriod).Before(t.options.Now()) {
		return header, nil, ErrUnknownKey
	}
	if !ed25519.Verify(key.key, signedText(token), decoded[2]) {
		return header, nil, ErrForged
	}
	return header, decoded[1], nil
}

// audience is one text or several, as in the token.
type audience []string

// UnmarshalJSON reads a text or a list.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}
