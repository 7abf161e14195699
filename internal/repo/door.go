package repo

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	maxTries   = 10
	firstPause = 5 * time.Millisecond
	maxPause   = 500 * time.Millisecond
	patience   = 5 * time.Second // with a server that cannot be reached
	lostCause  = time.Minute     // with one that may have applied a write
)

// try is the door: it calls attempt, which sends something, and again where the server chose it as a victim, has
// prepared it for a table that has changed since, or certainly applied nothing because the connection was lost, and
// where a mark tells the attempts apart. The pauses between grow and vary, and end with ctx. In a transaction nothing
// is repeated: it has failed as a whole.
func (r *Repo) try(ctx context.Context, name string, m *mark, attempt func(context.Context) error) error {
	return r.tryTimes(ctx, 0, name, m, attempt)
}

// tryTimes is try, but for so many attempts that are asked for, however long they take; 0 leaves it to try.
func (r *Repo) tryTimes(
	ctx context.Context, times int, name string, m *mark, attempt func(context.Context) error,
) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	name, _, _ = strings.Cut(name, " ") // about may have added to it
	if r.traced {
		ctx = context.WithValue(ctx, methodName{}, name)
	}
	if columnsOf(ctx) != nil {
		attempt = keeping(attempt)
	}
	if r.where().tx != nil {
		return attempt(ctx)
	}
	begin, pause := time.Now(), firstPause
	for n := 1; ; n++ {
		err := attempt(ctx)
		if f, ok := err.(*FailureError); ok && f.Lost != nil && m != nil { //nolint:errorlint // as attempt made it
			m.lost = true
		}
		if !m.isLost() && !repeats(err) {
			return err
		}
		ends := n == times
		switch {
		case times > 0:
		case m.isLost():
			n, ends = 1, time.Since(begin) > lostCause
		default:
			ends = n == maxTries || time.Since(begin) > patience
		}
		if ends {
			return m.unknown(err)
		}
		r.logRepeat(ctx, name, n, err)
		if ctxErr := wait(ctx, rand.N(pause)); ctxErr != nil {
			return m.unknown(&FailureError{err: cause(err), ctx: ctxErr})
		}
		pause = min(2*pause, maxPause)
	}
}

// repeats reports whether to do again what ended with err.
func repeats(err error) bool {
	switch err := err.(type) { //nolint:errorlint // as attempt returned it
	case *FailureError:
		return err.Lost == nil && !err.Applied && (err.Gone || IsVictim(err) || IsStalePlan(err) || IsIsolation(err))
	case fnError:
		inner := cause(err)
		return IsVictim(inner) || IsStalePlan(inner) || err.closed && !isContext(err) && !isContext(inner)
	}
	return false
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// cause is what is behind an error, which may be authdb's own.
func cause(err error) error {
	if own, ok := errors.AsType[interface {
		error
		Cause() error
	}](err); ok && own.Cause() != nil {
		return own.Cause()
	}
	return Cause(err)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// held is a connection for one attempt, or the handle that stands for it.
type held struct {
	DB
	conn   *pgx.Conn // nil for a handle of an unknown type
	pooled *pgxpool.Conn
}

func (r *Repo) acquire(ctx context.Context) (held, error) {
	if pool, ok := r.db.(*pgxpool.Pool); ok {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return held{}, NotSent(ctx, err)
		}
		return held{r.sends(conn), conn.Conn(), conn}, nil
	}
	conn := connOf(r.db)
	if conn != nil && conn.IsClosed() {
		return held{}, NotSent(ctx, pgconn.ErrConnClosed)
	}
	return held{DB: r.sends(r.db), conn: conn}, nil
}

// sends is what statements go through.
func (r *Repo) sends(db DB) DB {
	if r.userKeys {
		return userKeys{db}
	}
	return db
}

func (h held) release() {
	if h.pooled != nil {
		h.pooled.Release()
	}
}

// connOf returns the one connection that db is, or is on; nil for a pool or an unknown type.
func connOf(db DB) *pgx.Conn {
	switch db := db.(type) {
	case *pgx.Conn:
		return db
	case interface{ Conn() *pgx.Conn }: // pgx.Tx, pgxpool.Conn
		return db.Conn()
	}
	return nil
}

// Read runs a query that changes nothing.
func Read[P, R any](
	ctx context.Context, r *Repo, name string, query func(*queries, context.Context, P) (R, error), p P,
) (R, error) {
	var answer R
	err := r.try(ctx, name, nil, func(ctx context.Context) error {
		on, err := r.acquire(ctx)
		if err != nil {
			return err
		}
		defer on.release()
		answer, err = query(generated(ctx, &alone{held: on}), ctx, p)
		return Failed(ctx, on.conn, err, false)
	})
	if err != nil {
		var none R
		return none, err
	}
	return answer, nil
}

// Snapshot runs steps that change nothing in one round trip (two where a connection has not prepared them yet) and on
// one snapshot: a read-only REPEATABLE READ transaction that travels along, or the transaction that the Repo is on. On
// a handle of an unknown type, where a COMMIT could end the caller's transaction, each step has a snapshot of its own.
func (r *Repo) Snapshot(ctx context.Context, name string, steps ...Step) error {
	return r.try(ctx, name, nil, func(ctx context.Context) error {
		on, err := r.acquire(ctx)
		if err != nil {
			return err
		}
		defer on.release()
		if len(steps) > 1 && r.tx == nil && on.conn != nil && on.conn.PgConn().TxStatus() == 'I' {
			err = fly(ctx, on, within(beginSnapshot, steps, commit))
			if err != nil && err != pgx.ErrNoRows { //nolint:errorlint // as fly returns it
				r.endOpen(ctx, on.conn)
			}
		} else {
			err = on.run(ctx, false, steps)
		}
		return Failed(ctx, on.conn, err, false)
	})
}

// write runs steps in one round trip, as one transaction; in the transaction that the Repo is on, if there is one. name
// is the method, as a mark shows it; made is the row that the steps make, if that is known.
//
// Where a first call under the same key did it, nothing is done, and done is the id of the row that it made, or what
// stands for it.
func (r *Repo) write(ctx context.Context, name string, made Key, steps ...Step) (done string, err error) {
	r = r.where()
	m, err := r.newMark(ctx, name, made.ID)
	if err != nil {
		return "", err
	}
	if m == nil {
		return "", r.try(ctx, name, nil, func(ctx context.Context) error { return r.once(ctx, made, steps) })
	}
	return r.writeMarked(ctx, m, steps)
}

// writeOnce is write where the answer to a first call is gone.
func (r *Repo) writeOnce(ctx context.Context, name string, made Key, steps ...Step) error {
	return unanswered(r.write(ctx, name, made, steps...))
}

// unanswered is the error of a write where the answer to a first call is gone.
func unanswered(done string, err error) error {
	if done != "" {
		return ErrAlreadyDone
	}
	return err
}

// writeThenRead is write with a last step that reads what a first call answered, too.
func (r *Repo) writeThenRead(ctx context.Context, name string, read Step, steps ...Step) error {
	done, err := r.write(ctx, name, Key{}, append(steps, read)...)
	if done != "" {
		return r.Snapshot(ctx, name, read)
	}
	return err
}

// Update runs a write that returns a row; read, given key, returns the same row later.
func Update[P, K, R any](
	ctx context.Context, r *Repo, name string, query func(*queries, context.Context, P) (R, error), p P,
	read func(*queries, context.Context, K) (R, error), key K,
) (row R, err error) {
	done, err := r.write(ctx, about(ctx, name, p), Key{}, ask(query, p, &row))
	if done != "" {
		return Read(ctx, r, name, read, key)
	}
	return row, err
}

// Delete runs a write that must meet a row and answers nothing.
func Delete[P any](
	ctx context.Context, r *Repo, name string, query func(*queries, context.Context, P) (int64, error), p P,
) error {
	_, err := r.write(ctx, about(ctx, name, p), Key{}, must(query, p))
	return err
}

// Count runs a write that says how many rows it met.
func Count[P any](
	ctx context.Context, r *Repo, name string, query func(*queries, context.Context, P) (int64, error), p P,
) (n int64, err error) {
	err = r.writeOnce(ctx, about(ctx, name, p), Key{}, ask(query, p, &n))
	return n, err
}

// once is one attempt at a write that leaves no mark. Where steps lock, each sees what others did before the lock was
// had, which needs READ COMMITTED.
func (r *Repo) once(ctx context.Context, made Key, steps []Step) error {
	on, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	defer on.release()
	alone, begun := r.tx == nil, false
	switch {
	case !slices.ContainsFunc(steps, Step.locks) || !alone && r.tx.level == pgx.ReadCommitted:
	case alone && r.strict.Load() && on.conn != nil:
		steps, begun = within(beginReadCommitted, steps, commit), true
	default:
		steps = within(requireReadCommitted, steps)
	}
	err = on.run(ctx, alone, steps)
	if begun && err != nil {
		r.endOpen(ctx, on.conn)
	}
	if alone && IsIsolation(err) {
		r.strict.Store(true)
	}
	err = Failed(ctx, on.conn, err, alone, made)
	if err == nil && !alone && made.ID != "" {
		r.tx.made = append(r.tx.made, made)
	}
	return err
}

// endOpen ends what an error left open on a connection, or closes that, as pgx does where a rollback fails.
func (r *Repo) endOpen(ctx context.Context, conn *pgx.Conn) {
	if conn == nil || conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil { // the error that matters is the first one
		r.drop(ctx, conn)
	}
}

// Ping asks the database for nothing.
func (r *Repo) Ping(ctx context.Context) error { return r.Snapshot(ctx, "Ping", raw("SELECT 1")) }
