package repo

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/secret"
)

// CreateAPIKey returns a RefusalError if the owner does not exist.
func (r *Repo) CreateAPIKey(
	ctx context.Context, name, configID string, p dbgen.CreateAPIKeyParams,
) (row dbgen.Apikey, err error) {
	given := p
	given.Key, given.Start = "", nil // they differ on each call
	name = about(ctx, name, args[string, dbgen.CreateAPIKeyParams]{configID, given})
	p.ID, p.Now, p.ExpiresAt = r.idOr(p.ID), r.Now(), UTC(p.ExpiresAt)
	steps := []Step{ask((*queries).CreateAPIKey, p, &row)}
	if configID != "" && configID != "default" {
		config := dbgen.SetAPIKeyConfigParams{ID: p.ID, ConfigID: configID, Now: p.Now}
		steps = append(steps, ask((*queries).SetAPIKeyConfig, config, &row))
	}
	err = r.writeOnce(ctx, name, Key{}, steps...)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoOwner
	}
	return row, err
}

// Refusals of an API key: its owner or the key itself does not exist, it lacks the permission, it is used too often.
const (
	ErrNoOwner      RefusalError = "no owner"
	ErrInvalidKey   RefusalError = "invalid key"
	ErrNoPermission RefusalError = "no permission"
	ErrRateLimited  RefusalError = "rate limited"
)

// VerifyAPIKey returns the charged key, or a RefusalError with how long a rate limit lasts.
func (r *Repo) VerifyAPIKey(
	ctx context.Context, name string, p dbgen.VerifyAPIKeyParams,
) (key dbgen.Apikey, wait time.Duration, err error) {
	name = about(ctx, name, p)
	p.Now = r.Now()
	err = r.writeOnce(ctx, name, Key{}, judge((*queries).VerifyAPIKey, p, new(dbgen.VerifyAPIKeyRow),
		func(row dbgen.VerifyAPIKeyRow) string {
			if row.ID != nil {
				key = dbgen.Apikey{
					ID: *row.ID, ConfigID: *row.ConfigID, Name: row.Name, Start: row.Start, ReferenceID: *row.ReferenceID,
					Prefix: row.Prefix, Key: secret.Text(*row.Key), RefillInterval: row.RefillInterval,
					RefillAmount: row.RefillAmount, LastRefillAt: row.LastRefillAt, Enabled: row.Enabled,
					RateLimitEnabled: row.RateLimitEnabled, RateLimitTimeWindow: row.RateLimitTimeWindow,
					RateLimitMax: row.RateLimitMax, RequestCount: row.RequestCount, Remaining: row.Remaining,
					LastRequest: row.LastRequest, ExpiresAt: row.ExpiresAt, CreatedAt: *row.CreatedAt,
					UpdatedAt: *row.UpdatedAt, Permissions: row.Permissions, Metadata: row.Metadata,
				}
			} else if row.LimitedSince != nil && row.LimitedFor != nil {
				until := row.LimitedSince.Truncate(time.Millisecond).Add(time.Duration(*row.LimitedFor) * time.Millisecond)
				wait = until.Sub(p.Now)
			}
			return row.Outcome
		}))
	switch code := pgError(err).Code; {
	case errors.Is(err, pgx.ErrNoRows):
		err = ErrInvalidKey
	case slices.Contains([]string{InvalidText, UntranslatableCharacter, NumberOutOfRange}, code):
		err = ErrNoPermission // PostgreSQL cannot read the row's permissions as JSON
	}
	return key, wait, err
}

// UpdateAPIKey returns the updated row.
func (r *Repo) UpdateAPIKey(ctx context.Context, name string, p dbgen.UpdateAPIKeyParams) (dbgen.Apikey, error) {
	name = about(ctx, name, p)
	p.Now, p.ExpiresAt = r.Now(), UTC(p.ExpiresAt)
	return Update(ctx, r, name, (*queries).UpdateAPIKey, p, (*queries).GetAPIKey, dbgen.GetAPIKeyParams{
		ID: p.ID, ReferenceID: p.ReferenceID, ConfigID: p.ConfigID,
	})
}

// keysOfGone deletes the keys of a user or an organization that was deleted; no steps without the plugin.
func (r *Repo) keysOfGone(id string) []Step {
	if !r.Plugins.APIKeys {
		return nil
	}
	return []Step{ask((*queries).DeleteAPIKeysOfGone, id, new(int64))}
}

// APIKeys returns a Repo for the table of API keys that the database has, or a SchemaError.
func (r *Repo) APIKeys(ctx context.Context) (*Repo, error) {
	columns := map[string]reflect.Kind{}
	for field := range reflect.TypeFor[dbgen.Apikey]().Fields() {
		kind := field.Type.Kind()
		if kind == reflect.Pointer {
			kind = field.Type.Elem().Kind()
		}
		columns["apikey."+ColumnName(field.Name)] = kind
	}
	err := r.CheckSchema(ctx, Plugin{"the API key plugin", columns})
	schema, ok := errors.AsType[SchemaError](err)
	if !ok || !slices.ContainsFunc(schema.Missing, func(lack string) bool {
		return strings.HasPrefix(lack, "no "+owner15)
	}) {
		return r, err
	}
	delete(columns, owner15)
	delete(columns, "apikey.config_id")
	columns["apikey.user_id"] = reflect.String
	return r.withUserKeys(), r.CheckSchema(ctx, Plugin{"the API key plugin before 1.5", columns})
}

const owner15 = "apikey.reference_id"

// withUserKeys returns a Repo for the table of API keys before Better Auth 1.5: user_id is the owner, and there is no
// column for the configuration.
func (r *Repo) withUserKeys() *Repo {
	on := *r
	on.userKeys = true
	return &on
}

// LikeAPIKeys returns a Repo like r for the same table of API keys as other, which APIKeys returned.
func (r *Repo) LikeAPIKeys(other *Repo) *Repo {
	if other.userKeys {
		return r.withUserKeys()
	}
	return r
}

// userKeys is a database with that table. It rewrites statements that are written for the table of 1.5.
type userKeys struct{ DB }

var (
	configColumn = regexp.MustCompile(`\b(?:\w+\.)?config_id\b`)
	ownerColumn  = regexp.MustCompile(`\breference_id\b`)
	userKeyTexts sync.Map // rewritten texts, by the original
)

func (k userKeys) text(sql string) string {
	if known, ok := userKeyTexts.Load(sql); ok {
		return known.(string)
	}
	text := ownerColumn.ReplaceAllString(configColumn.ReplaceAllString(sql, "'default'::text"), "user_id")
	userKeyTexts.Store(sql, text)
	return text
}

func (k userKeys) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return k.DB.Query(ctx, k.text(sql), args...)
}

func (k userKeys) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		q.SQL = k.text(q.SQL)
	}
	return k.DB.SendBatch(ctx, b)
}
