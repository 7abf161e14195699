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
	db      DB // raw, but its errors are FaultErrors
	raw     DB // what the Repo was given
	sources Sources
	tracker *tracker // nil outside of a transaction
}

// New returns a Repo on db.
func New(db DB, s Sources) *Repo {
	faulty := withFaults(db)
	r := &Repo{Queries: dbgen.New(faulty), db: faulty, raw: db, sources: s}
	if r.InTx() {
		r.tracker = &tracker{}
	}
	return r
}

// On returns the same Repo on another handle, such as a transaction or a savepoint in it.
func (r *Repo) On(db DB) *Repo {
	on := New(db, r.sources)
	if r.tracker != nil {
		on.tracker = r.tracker
	}
	return on
}

// InTx reports whether the Repo's handle is a transaction: whether it can be committed.
func (r *Repo) InTx() bool {
	_, ok := r.raw.(interface {
		Commit(ctx context.Context) error
		Rollback(ctx context.Context) error
	})
	return ok
}

// Now is the clock's time as the database gets it.
func (r *Repo) Now() time.Time { return utc(r.sources.Now()) }

// NowOr returns t, or the clock's time plus d where t is zero.
func (r *Repo) NowOr(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return r.Now().Add(d)
	}
	return utc(t)
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
