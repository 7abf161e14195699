package repo

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/admindb"
	"github.com/zerostarter/authdb/internal/dbgen"
)

const (
	beginSnapshot      = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginReadCommitted = "BEGIN ISOLATION LEVEL READ COMMITTED"
	commit             = "COMMIT"
	// Changes nothing in a READ COMMITTED transaction, and fails in any other: its level cannot change any more.
	requireReadCommitted = "SELECT pg_catalog.set_config('transaction_isolation', 'read committed', true)"
)

// Queries are all generated queries. Those of admindb may use columns of plugins; the core's may not.
type Queries struct {
	coreQueries
	adminQueries
}

type (
	coreQueries  = dbgen.Queries
	adminQueries = admindb.Queries
	// queries is short for the receiver in the name of a generated query, such as (*queries).GetUser.
	queries = Queries
)

func newQueries(db dbgen.DBTX) *Queries { return &Queries{*dbgen.New(db), *admindb.New(db)} }

// Step is one statement. Its answer counts only if all steps that were sent with it succeed.
type Step struct {
	run  func(ctx context.Context, q *queries) error
	sql  string // in place of run: a statement without arguments or answer
	lock bool   // it answers nothing but its error
}

// within returns steps with begin before and end after them.
func within(begin string, steps []Step, end ...string) []Step {
	all := append(make([]Step, 0, len(steps)+2), raw(begin))
	all = append(all, steps...)
	for _, sql := range end {
		all = append(all, raw(sql))
	}
	return all
}

func (s Step) locks() bool { return s.lock }

func raw(sql string) Step { return Step{sql: sql} }

// lock is a query that returns nothing.
func lock[P any](query func(*queries, context.Context, P) error, p P) Step {
	return Step{lock: true, run: func(ctx context.Context, q *queries) error { return query(q, ctx, p) }}
}

// ask is a query whose answer is kept. "No rows" is an answer too, and the flight goes on.
func ask[P, R any](query func(*queries, context.Context, P) (R, error), p P, answer *R) Step {
	return Step{run: func(ctx context.Context, q *queries) error {
		got, err := query(q, ctx, p)
		if err == nil {
			*answer = got
		}
		return err
	}}
}

// verdict is a query that decides: it answers an empty word, or the word of its refusal.
func verdict[P any](query func(*queries, context.Context, P) (string, error), p P) Step {
	return judge(query, p, new(string), func(outcome string) string { return outcome })
}

// judge is a verdict whose answer has more than the word, which outcome takes from it. The answer is kept as with ask.
func judge[P, R any](
	query func(*queries, context.Context, P) (R, error), p P, answer *R, outcome func(R) string,
) Step {
	kept := ask(query, p, answer)
	return Step{run: func(ctx context.Context, q *queries) error {
		if err := kept.run(ctx, q); err != nil {
			return err
		}
		if word := outcome(*answer); word != "" {
			return RefusalError(word)
		}
		return nil
	}}
}

// must is a query that must meet a row.
func must[P any](query func(*queries, context.Context, P) (int64, error), p P) Step {
	return Step{run: func(ctx context.Context, q *queries) error {
		n, err := query(q, ctx, p)
		if err == nil && n == 0 {
			return pgx.ErrNoRows
		}
		return err
	}}
}

// run runs one step by itself, and several as a flight. If the step is a write that commits by itself, its answer is
// read to the end before it counts.
func (h held) run(ctx context.Context, commits bool, steps []Step) error {
	if len(steps) > 1 || steps[0].run == nil {
		return fly(ctx, h, steps)
	}
	return steps[0].run(ctx, generated(ctx, &alone{held: h, commits: commits}))
}

// flight is a batch that its steps use as a database. A generated query sends and reads in one call, so each is called
// twice: before the batch is sent it only queues its statement, afterwards it reads the answer.
type flight struct {
	batch   pgx.Batch
	results pgx.BatchResults // nil before the batch is sent
	row     row
}

// errQueued ends a query's first call.
var errQueued = errors.New("queued")

// fly sends steps in one round trip and returns their first error: PostgreSQL's, or else a RefusalError or
// pgx.ErrNoRows. Outside of an explicit transaction they are one implicit transaction, which ends with them.
func fly(ctx context.Context, db DB, steps []Step) (first error) {
	f := &flight{}
	q := generated(ctx, f)
	for _, s := range steps {
		if s.run == nil {
			f.batch.Queue(s.sql)
		} else {
			_ = s.run(ctx, q) // errQueued
		}
	}
	f.results = db.SendBatch(ctx, &f.batch)
	for _, s := range steps {
		var err error
		if s.run == nil || s.lock {
			_, err = f.results.Exec()
		} else {
			err = s.run(ctx, q)
		}
		if first == nil {
			first = err
		}
	}
	// What the steps did is durable only now.
	if err := f.results.Close(); err != nil {
		if _, ok := errors.AsType[*pgconn.PgError](first); ok {
			return first
		}
		return err
	}
	return first
}

func (f *flight) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if f.queues(sql, args) {
		return pgconn.CommandTag{}, errQueued
	}
	return f.results.Exec()
}

func (f *flight) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	if f.queues(sql, args) {
		return nil, errQueued
	}
	rows, err := f.results.Query()
	return scanned{rows}, err
}

func (f *flight) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	f.row = row{err: errQueued}
	if !f.queues(sql, args) {
		rows, err := f.results.Query()
		f.row = row{scanned{rows}, err}
	}
	return &f.row
}

// queues puts a statement into the batch and returns true, or returns false if the batch was sent.
func (f *flight) queues(sql string, args []any) bool {
	if f.results == nil {
		f.batch.Queue(sql, infinite(args)...)
		return true
	}
	return false
}
