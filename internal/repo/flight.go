package repo

import (
	"context"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/dbgen"
)

const (
	beginSnapshot      = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginReadCommitted = "BEGIN ISOLATION LEVEL READ COMMITTED"
	commit             = "COMMIT"
	// Changes nothing in a READ COMMITTED transaction and fails in any other, where the level cannot change any more.
	requireReadCommitted = "SELECT pg_catalog.set_config('transaction_isolation', 'read committed', true)"
)

// queries is short for the receiver in the name of a generated query, such as (*queries).GetUser.
type queries = dbgen.Queries

// Step is one statement. Its answer counts only when all steps that were sent with it have succeeded.
type Step struct {
	run  func(ctx context.Context, q *queries) error
	sql  string // in place of run: a statement without arguments and answer
	lock bool   // it has no answer but its error
}

// within returns steps with one before and, if asked, one behind them.
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

// ask is a query whose answer is kept. That there is no row is an answer too, and the flight goes on.
func ask[P, R any](query func(*queries, context.Context, P) (R, error), p P, answer *R) Step {
	return Step{run: func(ctx context.Context, q *queries) error {
		got, err := query(q, ctx, p)
		if err == nil {
			*answer = got
		}
		return err
	}}
}

// verdict is a query that says whether it did what it is for, or in a word why not.
func verdict[P any](query func(*queries, context.Context, P) (string, error), p P) Step {
	return Step{run: func(ctx context.Context, q *queries) error {
		outcome, err := query(q, ctx, p)
		if err == nil && outcome != "" {
			return RefusalError(outcome)
		}
		return err
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

// run runs one step by itself, and several as a flight. The answer to a write that commits by itself is read to its
// end before it counts.
func (h held) run(ctx context.Context, commits bool, steps []Step) error {
	if len(steps) > 1 || steps[0].run == nil {
		return fly(ctx, h, steps)
	}
	return steps[0].run(ctx, generated(ctx, &alone{held: h, commits: commits}))
}

// flight is a batch under way.
type flight struct {
	batch   pgx.Batch
	results pgx.BatchResults
	seats   []seat
}

// seat is what one step of a flight takes for a database. It waits for its answer until another sends, or sends; or it
// needs none but whether it failed.
type seat struct {
	*flight
	yield func(struct{}) bool
	send  func()
	read  func() (struct{}, bool) // goes on to read the answer
	row   row
	err   error
}

// fly sends steps in one round trip and returns the first of their errors: the server's, or else a RefusalError or
// pgx.ErrNoRows. Outside of an explicit transaction they are one implicit transaction, which ends with them.
//
// A generated query reads its rows before it returns. So each but the last is a coroutine, which queues its statement,
// waits until all are sent, and goes on to read. The last to wait for an answer sends them.
func fly(ctx context.Context, db DB, steps []Step) error {
	f := &flight{seats: make([]seat, len(steps))}
	last := len(steps) - 1
	for last >= 0 && (steps[last].run == nil || steps[last].lock) {
		last--
	}
	run := func(i int) {
		f.seats[i].flight = f
		f.seats[i].err = steps[i].run(ctx, generated(ctx, &f.seats[i]))
	}
	queue := func(i int) {
		if steps[i].run == nil {
			f.batch.Queue(steps[i].sql)
		} else {
			run(i)
		}
	}
	send := func() {
		for i := last + 1; i < len(steps); i++ {
			queue(i)
		}
		f.results = db.SendBatch(ctx, &f.batch)
		f.read(0, last)
	}
	for i := range max(last, 0) {
		if steps[i].run == nil || steps[i].lock {
			queue(i)
			continue
		}
		f.seats[i].read, _ = iter.Pull(func(yield func(struct{}) bool) {
			f.seats[i].yield = yield
			run(i)
		})
		f.seats[i].read()
	}
	if last >= 0 {
		f.seats[last].send = send
		run(last)
	} else {
		send()
	}
	f.read(last+1, len(steps))
	return f.end()
}

// read reads the answers of steps from and below to, in the order in which they were sent.
func (f *flight) read(from, to int) {
	for i := from; i < to; i++ {
		if s := &f.seats[i]; s.read != nil {
			s.read()
		} else {
			_, s.err = f.results.Exec()
		}
	}
}

func (f *flight) end() (first error) {
	for i := range f.seats {
		if first == nil {
			first = f.seats[i].err
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

func (s *seat) wait() {
	if s.send != nil {
		s.send()
	} else {
		s.yield(struct{}{})
	}
}

func (s *seat) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	s.batch.Queue(sql, infinite(args)...)
	if s.send == nil && s.yield == nil {
		return pgconn.CommandTag{}, nil
	}
	s.wait()
	return s.results.Exec()
}

func (s *seat) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.batch.Queue(sql, infinite(args)...)
	s.wait()
	rows, err := s.results.Query()
	return scanned{rows}, err
}

func (s *seat) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	s.batch.Queue(sql, infinite(args)...)
	s.wait()
	rows, err := s.results.Query()
	s.row = row{scanned{rows}, err}
	return &s.row
}
