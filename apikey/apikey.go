// Package apikey makes and verifies API keys as Better Auth's plugin of that name does, in its table and beside the
// server (1.3 to 1.7; from 1.5 on the plugin is the package @better-auth/api-key). The application makes the table; no
// migration of authdb does.
//
//	keys, err := apikey.New(ctx, store, apikey.Options{}) // finds the table, or says what it lacks
//
//	made, err := keys.Create(ctx, apikey.CreateParams{OwnerID: user.ID, Permissions: permission.Set{"files": {"read"}}})
//	show(string(made.Secret)) // only now: the row has a hash of it
//
//	key, err := keys.Verify(ctx, sent, permission.Set{"files": {"read"}})
//	switch {
//	case errors.Is(err, apikey.ErrRateLimited): // and so on
//	}
//
// [Authenticator] is middleware for net/http that does the same.
//
// Verify is one statement and one round trip, and locks the row of the key: however many requests arrive at once, no
// more pass than the key has left or its rate limit allows, and a change made meanwhile counts. docs/better-auth.md
// lists where the server does otherwise.
package apikey

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/permission"
)

// Why [Keys.Verify] refuses a key. Each comes in an [*authdb.Error]; [Code] returns the server's name for it.
var (
	// ErrInvalidKey: there is no such key, or it belongs to another configuration.
	ErrInvalidKey = errors.New("invalid API key")
	// ErrDisabled: somebody has disabled it.
	ErrDisabled = errors.New("API key disabled")
	// ErrExpired: it has expired, and is now deleted.
	ErrExpired = errors.New("API key expired")
	// ErrNotPermitted: its permissions lack something that is wanted.
	ErrNotPermitted = errors.New("API key does not permit it")
	// ErrUsageExceeded: it has no uses left. If it is never refilled, it is now deleted.
	ErrUsageExceeded = errors.New("API key used up")
	// ErrRateLimited: it was used too often. The error is also a [*RateLimitError].
	ErrRateLimited = errors.New("API key rate limited")
)

// RateLimitError is an [ErrRateLimited] that says when to try again.
type RateLimitError struct {
	RetryAfter time.Duration // until the limit ends, if the key is not used until then; in whole milliseconds
}

func (e *RateLimitError) Error() string { return ErrRateLimited.Error() }

// Unwrap returns [ErrRateLimited].
func (e *RateLimitError) Unwrap() error { return ErrRateLimited }

var refusals = map[repo.RefusalError]error{
	repo.ErrInvalidKey: ErrInvalidKey, "disabled": ErrDisabled, "key expired": ErrExpired,
	repo.ErrNoPermission: ErrNotPermitted, "used up": ErrUsageExceeded, "usage exceeded": ErrUsageExceeded,
}

// Key is one row of the table of API keys. Where nil has a default in the plugin, nil means that default.
type Key struct {
	ID                  string        `json:"id"`
	ConfigID            string        `json:"configId"` // the plugin's configuration; "default" before 1.5
	Name                *string       `json:"name"`
	Start               *string       `json:"start"`          // the key's first characters, to recognize it by
	ReferenceID         string        `json:"referenceId"`    // the owner: a user or, if so configured, an organization
	Prefix              *string       `json:"prefix"`         // of the key
	Key                 authdb.Secret `json:"-"`              // the hash by which the key is found
	RefillInterval      *int32        `json:"refillInterval"` // milliseconds
	RefillAmount        *int32        `json:"refillAmount"`
	LastRefillAt        *time.Time    `json:"lastRefillAt"`
	Enabled             *bool         `json:"enabled"`             // nil: true
	RateLimitEnabled    *bool         `json:"rateLimitEnabled"`    // nil: true
	RateLimitTimeWindow *int32        `json:"rateLimitTimeWindow"` // milliseconds; nil: no limit
	RateLimitMax        *int32        `json:"rateLimitMax"`        // nil: no limit
	RequestCount        *int32        `json:"requestCount"`        // since a window without a request
	Remaining           *int32        `json:"remaining"`           // uses left; nil: no limit
	LastRequest         *time.Time    `json:"lastRequest"`
	ExpiresAt           *time.Time    `json:"expiresAt"` // nil: never
	CreatedAt           time.Time     `json:"createdAt"`
	UpdatedAt           time.Time     `json:"updatedAt"`
	Permissions         *string       `json:"permissions"` // JSON: lists of actions by resource
	Metadata            *string       `json:"metadata"`    // JSON
}

// Permits reports whether the key permits all that is wanted, as [Keys.Verify] does.
func (k Key) Permits(wanted permission.Set) bool {
	if k.Permissions == nil {
		return false
	}
	set, err := permission.Parse(*k.Permissions)
	return err == nil && permission.Rules{Roles: permission.Roles{"key": set}}.Can("key", wanted)
}

// Options are those of one configuration of the plugin, and must agree with it.
type Options struct {
	// ConfigID is the configuration of the keys that are made and accepted. Empty: keys of any configuration are accepted,
	// and "default" is the one of new keys.
	ConfigID string
	// Organizations says that organizations own the keys (references "organization"), and not users.
	Organizations bool
	// RateLimit is the limit of keys that are made without one. Zero: 10 requests a day, the plugin's own.
	RateLimit RateLimit
	// NoRateLimit turns limits off, whatever the keys say: rateLimit.enabled false.
	NoRateLimit bool
	// Prefix is the prefix of keys that are made without one: defaultPrefix.
	Prefix string
	// Plain stores the keys themselves in place of a hash: disableKeyHashing. Whoever can read the table has them.
	Plain bool
}

// RateLimit lets a key pass Max times, and again once it was not used for a Window.
type RateLimit struct {
	Max    int
	Window time.Duration // in whole milliseconds, at most 2,147,483,647 of them
}

// Refill sets the uses left of a key to Amount at the first use after each Interval.
type Refill struct {
	Amount   int
	Interval time.Duration // in whole milliseconds, at most 2,147,483,647 of them
}

// Keys are the API keys of a store. They are safe for concurrent use.
type Keys struct {
	repo *repo.Repo
	Options
}

// New looks for the table and returns the keys in it. The table may have the form before 1.5, with user_id, or that
// with reference_id and config_id. New returns [authdb.ErrSchema] if something is missing; the Reason of the
// [*authdb.Error] lists it.
func New(ctx context.Context, store *authdb.Store, o Options) (*Keys, error) {
	const op = "apikey.New"
	if o.RateLimit == (RateLimit{}) {
		o.RateLimit = RateLimit{10, 24 * time.Hour}
	}
	if err := bridge.Check(op, bridge.Text("config_id", o.ConfigID, maxText), prefix(o.Prefix),
		o.RateLimit.fault()); err != nil {
		return nil, err
	}
	r, err := bridge.Repo(store).APIKeys(ctx)
	if err != nil {
		return nil, bridge.Error(op, err, nil)
	}
	return &Keys{r, o}, nil
}

// On returns the same keys on the store of a transaction, such as that of [authdb.Store.InTx].
func (k *Keys) On(tx *authdb.Store) *Keys {
	return &Keys{bridge.Repo(tx).LikeAPIKeys(k.repo), k.Options}
}

// CreateParams describe a new key.
type CreateParams struct {
	ID          string // empty: a new one
	OwnerID     string // the user, or with [Options.Organizations] the organization
	Name        string // empty: none; the plugin takes at most 32 characters
	Prefix      string // at most 32 of a-zA-Z0-9_-; empty: that of [Options]
	ExpiresAt   *time.Time
	Remaining   *int // how often it can be used; nil: no limit
	Refill      *Refill
	RateLimit   *RateLimit // nil: that of [Options]
	NoRateLimit bool
	Permissions permission.Set // nil: none
	Metadata    *string        // JSON; nil: null
}

// Created is a new key. Its Secret is known only here.
type Created struct {
	Key
	Secret authdb.Secret `json:"-"` // what its owner sends
}

// Create makes a key of 64 random letters after its prefix. It returns [authdb.ErrReference] if there is no such owner,
// [authdb.ErrConflict] if another key has the id, or [authdb.ErrInvalidInput]. A second call under [authdb.Once]
// returns [authdb.ErrAlreadyDone], since nobody knows the key any more.
func (k *Keys) Create(ctx context.Context, p CreateParams) (Created, error) {
	const op = "APIKeys.Create"
	if p.Prefix == "" {
		p.Prefix = k.Prefix
	}
	if p.RateLimit == nil {
		p.RateLimit = &k.RateLimit
	}
	permissions, faulty := encoded(p.Permissions)
	if err := bridge.Check(op, bridge.Text("id", p.ID, maxText), bridge.Required("owner_id", p.OwnerID, maxText),
		bridge.Text("name", p.Name, maxText), prefix(p.Prefix), instant("expires_at", p.ExpiresAt),
		count("remaining", p.Remaining, 0, math.MaxInt32), p.Refill.fault(), p.RateLimit.fault(), faulty,
		document(p.Metadata)); err != nil {
		return Created{}, err
	}
	if p.Metadata == nil {
		p.Metadata = new("null")
	}
	secret := p.Prefix + repo.RandomLetters(keyLength)
	interval, amount := p.Refill.columns()
	window, limit := p.RateLimit.columns()
	row, err := k.repo.CreateAPIKey(ctx, op, k.ConfigID, dbgen.CreateAPIKeyParams{
		ID: p.ID, ReferenceID: p.OwnerID, OfOrganization: k.Organizations, Name: nonEmpty(p.Name),
		Start: new(secret[:startLength]), Prefix: nonEmpty(p.Prefix), Key: k.stored(authdb.Secret(secret)), Enabled: true,
		ExpiresAt: p.ExpiresAt, Remaining: integer(p.Remaining), RefillInterval: interval, RefillAmount: amount,
		RateLimitTimeWindow: window, RateLimitMax: limit, RateLimitEnabled: !k.NoRateLimit && !p.NoRateLimit,
		Permissions: permissions, Metadata: p.Metadata,
	})
	if err != nil {
		return Created{}, bridge.Error(op, err, map[repo.RefusalError]error{repo.ErrNoOwner: authdb.ErrReference})
	}
	return Created{Key(row), authdb.Secret(secret)}, nil
}

// The plugin's defaults.
const (
	keyLength   = 64
	startLength = 6
)

// stored returns the form in which the row has a key.
func (k *Keys) stored(key authdb.Secret) string {
	if k.Plain {
		return string(key)
	}
	digest := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// Verify uses a key once, and returns it as it then is. The key must permit everything in wanted, if that is not nil;
// no key permits an empty Set, nor a resource without actions. Verify returns the first of these that applies:
// [ErrInvalidKey], [ErrDisabled], [ErrExpired], [ErrNotPermitted], [ErrUsageExceeded], [ErrRateLimited]. A refused key
// is not charged, and the attempt does not count as its last use.
//
// A row whose permissions are not JSON fails the caller's transaction. In a transaction that is rolled back, a call
// uses no key up and counts for no limit: verify before [authdb.Store.InTx]. A second call under [authdb.Once] returns
// [authdb.ErrAlreadyDone]. If the answer is lost ([authdb.ErrCommitUnknown]), the key may have been charged.
func (k *Keys) Verify(ctx context.Context, key authdb.Secret, wanted permission.Set) (Key, error) {
	const op = "APIKeys.Verify"
	asked, faulty := encoded(wanted)
	if faulty.Reason != "" {
		asked = new("{}") // no key permits that
	}
	if bridge.Required("key", string(key), maxKey).Reason != "" {
		return Key{}, bridge.Error(op, repo.ErrInvalidKey, refusals)
	}
	row, wait, err := k.repo.VerifyAPIKey(ctx, op, dbgen.VerifyAPIKeyParams{
		Key: k.stored(key), Limits: !k.NoRateLimit, ConfigID: k.ConfigID, Permissions: asked,
	})
	if err != nil {
		refused := refusals
		if errors.Is(err, repo.ErrRateLimited) {
			refused = map[repo.RefusalError]error{repo.ErrRateLimited: &RateLimitError{wait}}
		}
		return Key{}, bridge.Error(op, err, refused)
	}
	return Key(row), nil
}

// Get returns the key with that id if it is the owner's, or [authdb.ErrNotFound].
func (k *Keys) Get(ctx context.Context, ownerID, id string) (Key, error) {
	const op = "APIKeys.Get"
	if err := bridge.Check(op, bridge.Key("owner_id", ownerID), bridge.Key("id", id)); err != nil {
		return Key{}, err
	}
	row, err := repo.Read(ctx, k.repo, op, (*repo.Queries).GetAPIKey, dbgen.GetAPIKeyParams{
		ID: id, ReferenceID: ownerID, ConfigID: k.ConfigID,
	})
	return Key(row), bridge.Error(op, err, nil)
}

// ListParams selects a page of the keys of an owner.
type ListParams struct {
	OwnerID string
	Newest  bool // newest first; otherwise oldest first
	After   authdb.Cursor
	Limit   int // rows in a page, at most [authdb.MaxLimit]; zero: [authdb.DefaultLimit]
}

// List returns a page of an owner's keys, expired ones too, in the order of created_at and id. It returns
// [authdb.ErrInvalidInput].
func (k *Keys) List(ctx context.Context, p ListParams) (authdb.Page[Key], error) {
	const op = "APIKeys.List"
	if p.Limit == 0 {
		p.Limit = authdb.DefaultLimit
	}
	createdAt, id := p.After.Key()
	if err := bridge.Check(op, bridge.Key("owner_id", p.OwnerID), bridge.Text("after", id, maxText),
		count("limit", &p.Limit, 1, authdb.MaxLimit)); err != nil {
		return authdb.Page[Key]{}, err
	}
	if p.After.IsZero() {
		createdAt, id = repo.PageStart(p.Newest)
	}
	query := (*repo.Queries).ListAPIKeys
	if p.Newest {
		query = func(q *repo.Queries, ctx context.Context, p dbgen.ListAPIKeysParams) ([]dbgen.Apikey, error) {
			return q.ListAPIKeysNewest(ctx, dbgen.ListAPIKeysNewestParams(p))
		}
	}
	asked := int32(p.Limit) + 1
	rows, err := repo.Read(ctx, k.repo, op, query, dbgen.ListAPIKeysParams{
		ReferenceID: p.OwnerID, ConfigID: k.ConfigID, AfterCreatedAt: createdAt, AfterID: id, RowLimit: asked,
	})
	if err != nil {
		return authdb.Page[Key]{}, bridge.Error(op, err, nil)
	}
	rows, more := repo.CutPage(rows, asked)
	page := authdb.Page[Key]{Items: make([]Key, len(rows))}
	for i, row := range rows {
		page.Items[i] = Key(row)
	}
	if more {
		last := rows[len(rows)-1]
		page.Next = authdb.CursorAt(last.CreatedAt, last.ID)
	}
	return page, nil
}

// UpdateParams say what to change; the zero value changes nothing but UpdatedAt.
type UpdateParams struct {
	Name             authdb.Change[string]
	Enabled          authdb.Change[bool]
	ExpiresAt        authdb.Change[time.Time] // NULL: never
	Remaining        authdb.Change[int]       // NULL: any number of times
	Refill           authdb.Change[Refill]    // NULL: none
	RateLimit        authdb.Change[RateLimit]
	RateLimitEnabled authdb.Change[bool]
	Permissions      authdb.Change[permission.Set] // NULL: none
	Metadata         authdb.Change[string]         // JSON
}

// Update changes an owner's key and returns it. What p does not set stays, also as a Verify changes it meanwhile. It
// returns [authdb.ErrNotFound] or [authdb.ErrInvalidInput].
func (k *Keys) Update(ctx context.Context, ownerID, id string, p UpdateParams) (Key, error) {
	const op = "APIKeys.Update"
	row := dbgen.UpdateAPIKeyParams{ID: id, ReferenceID: ownerID, ConfigID: k.ConfigID}
	row.Name, row.SetName = p.Name.Get()
	row.ExpiresAt, row.SetExpiresAt = p.ExpiresAt.Get()
	row.Enabled, _ = p.Enabled.Get()
	row.RateLimitEnabled, _ = p.RateLimitEnabled.Get()
	row.Metadata, row.SetMetadata = p.Metadata.Get()
	remaining, setRemaining := p.Remaining.Get()
	refill, setRefill := p.Refill.Get()
	limit, _ := p.RateLimit.Get()
	set, setPermissions := p.Permissions.Get()
	var permissions *string
	var faulty bridge.Fault
	if set != nil {
		permissions, faulty = encoded(*set)
	}
	if err := bridge.Check(op, bridge.Key("owner_id", ownerID), bridge.Key("id", id), text("name", row.Name, maxText),
		notNull("enabled", p.Enabled), instant("expires_at", row.ExpiresAt), count("remaining", remaining, 0, math.MaxInt32),
		refill.fault(), notNull("rate_limit", p.RateLimit), limit.fault(), notNull("rate_limit_enabled", p.RateLimitEnabled),
		faulty, document(row.Metadata)); err != nil {
		return Key{}, err
	}
	row.SetRemaining, row.Remaining = setRemaining, integer(remaining)
	row.SetRefill = setRefill
	row.RefillInterval, row.RefillAmount = refill.columns()
	row.RateLimitTimeWindow, row.RateLimitMax = limit.columns()
	row.SetPermissions, row.Permissions = setPermissions, permissions
	updated, err := k.repo.UpdateAPIKey(ctx, op, row)
	return Key(updated), bridge.Error(op, err, nil)
}

// Revoke deletes an owner's key. It returns [authdb.ErrNotFound].
func (k *Keys) Revoke(ctx context.Context, ownerID, id string) error {
	const op = "APIKeys.Revoke"
	if err := bridge.Check(op, bridge.Key("owner_id", ownerID), bridge.Key("id", id)); err != nil {
		return err
	}
	return bridge.Error(op, repo.Delete(ctx, k.repo, op, (*repo.Queries).DeleteAPIKey, dbgen.DeleteAPIKeyParams{
		ID: id, ReferenceID: ownerID, ConfigID: k.ConfigID,
	}), nil)
}

// RevokeAll deletes an owner's keys and returns how many there were. With [authdb.Plugins], Users.Delete and
// Organizations.Delete do that, too; call it for each of DeletedUser.OrganizationIDs. It returns
// [authdb.ErrInvalidInput].
func (k *Keys) RevokeAll(ctx context.Context, ownerID string) (int64, error) {
	const op = "APIKeys.RevokeAll"
	if err := bridge.Check(op, bridge.Key("owner_id", ownerID)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, k.repo, op, (*repo.Queries).DeleteAPIKeysByOwner, dbgen.DeleteAPIKeysByOwnerParams{
		ReferenceID: ownerID, ConfigID: k.ConfigID,
	})
	return n, bridge.Error(op, err, nil)
}
