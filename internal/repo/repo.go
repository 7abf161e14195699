// Package repo is what SQL cannot do for authdb: the clock, ids and tokens, and transactions.
//
// [Repo] embeds the generated queries, so a plain read needs no code here. A query that writes or compares a time, or
// that makes a row, is shadowed by a method of the same name that sets those parameters, whatever the caller put
// there; stamp_test.go calls every generated query to prove that none was forgotten.
package repo

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// Sources are where times, ids and tokens come from.
type Sources struct {
	Now   func() time.Time
	ID    func() string
	Token func() string
}

// DefaultSources are the system's clock and random ids and tokens.
func DefaultSources() Sources {
	return Sources{Now: time.Now, ID: RandomID, Token: RandomID}
}

// DB is a handle that also pipelines.
type DB interface {
	dbgen.DBTX
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Repo runs the generated queries on one database handle.
type Repo struct {
	*dbgen.Queries
	db      DB
	sources Sources
}

// New returns a Repo on db.
func New(db DB, s Sources) *Repo {
	return &Repo{Queries: dbgen.New(db), db: db, sources: s}
}

// On returns the same Repo on another handle, such as a transaction.
func (r *Repo) On(db DB) *Repo { return New(db, r.sources) }

// Now is the clock's time as the database gets it.
func (r *Repo) Now() time.Time { return utc(r.sources.Now()) }

// NowOr returns t, or the clock's time plus d where t is zero.
func (r *Repo) NowOr(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return r.Now().Add(d)
	}
	return t
}

// utc makes t fit a timestamp column: pgx drops the zone of what it writes there, and the other side reads
// milliseconds.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func utcPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(utc(*t))
}
