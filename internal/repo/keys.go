package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Key is the primary key of a row that this package made. Its id comes from the client, so it is known even where the
// database's answer is lost.
type Key struct{ Table, ID string }

// tracker remembers the rows that a transaction made: it is atomic, so that one of them tells what became of all.
type tracker struct{ keys []Key }

// Keys returns the rows that the transaction has made so far; none outside of one.
func (r *Repo) Keys() []Key {
	if r.tracker == nil {
		return nil
	}
	return slices.Clone(r.tracker.keys)
}

// Forget drops all keys but the first n: a savepoint that was rolled back has taken the others along.
func (r *Repo) Forget(n int) { r.tracker.keys = r.tracker.keys[:n] }

// KeyedError is the error of a statement that was to make a row.
type KeyedError struct {
	Key Key
	err error
}

func (k *KeyedError) Error() string { return k.err.Error() }

func (k *KeyedError) Unwrap() error { return k.err }

// made notes that a statement has made a row, or returns its error with the key by which to look whether it has.
func (r *Repo) made(table, id string, err error) error {
	if err != nil {
		return &KeyedError{Key{table, id}, err}
	}
	if r.tracker != nil {
		r.tracker.keys = append(r.tracker.keys, Key{table, id})
	}
	return nil
}

// KeysOf returns the key in err, if there is one.
func KeysOf(err error) []Key {
	if k, ok := errors.AsType[*KeyedError](err); ok {
		return []Key{k.Key}
	}
	return nil
}

// lookups are the queries by which a row is looked for, whatever organization or user it belongs to.
var lookups = map[string]string{
	"user":         `SELECT EXISTS (SELECT FROM "user" WHERE id = $1)`,
	"session":      `SELECT EXISTS (SELECT FROM session WHERE id = $1)`,
	"account":      `SELECT EXISTS (SELECT FROM account WHERE id = $1)`,
	"verification": `SELECT EXISTS (SELECT FROM verification WHERE id = $1)`,
	"organization": `SELECT EXISTS (SELECT FROM organization WHERE id = $1)`,
	"member":       `SELECT EXISTS (SELECT FROM member WHERE id = $1)`,
	"team":         `SELECT EXISTS (SELECT FROM team WHERE id = $1)`,
	"team_member":  `SELECT EXISTS (SELECT FROM team_member WHERE id = $1)`,
	"invitation":   `SELECT EXISTS (SELECT FROM invitation WHERE id = $1)`,
}

// Exists reports whether the row is there.
func (r *Repo) Exists(ctx context.Context, k Key) (found bool, err error) {
	query, ok := lookups[k.Table]
	if !ok {
		return false, fmt.Errorf("no lookup for table %s", k.Table)
	}
	err = r.db.QueryRow(ctx, query, k.ID).Scan(&found)
	return found, err
}

// The old process is known on a direct connection. A pooler such as PgBouncer hides it, so any statement of the same
// role counts that was running already at $2, which is the moment of the first look.
const unfinished = `SELECT coalesce($2::timestamptz, clock_timestamp()), EXISTS (
	SELECT FROM pg_stat_activity
	WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid()
		AND (pid = $1::bigint OR state = 'active' AND query_start <= coalesce($2::timestamptz, clock_timestamp()))
)`

// Unfinished reports whether a statement that process was given may still be running, or may still arrive. since is the
// server's time of the first call, which gets nil.
func (r *Repo) Unfinished(ctx context.Context, process uint32, since *time.Time) (now time.Time, is bool, err error) {
	err = r.db.QueryRow(ctx, unfinished, int64(process), since).Scan(&now, &is)
	return now, is, err
}
