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
	patience   = 5 * time.Second // while PostgreSQL cannot be reached
	lostCause  = time.Minute     // while a write may have been applied
)

// try is the door. It calls attempt, which sends something, and calls it again if PostgreSQL ended it for another's
// sake, if its prepared statement is older than a change of the table, if the connection was lost and certainly nothing
// applied, or if a mark tells the attempts apart. The pauses between attempts grow and vary, and end with ctx. In a
// transaction nothing is repeated: it has failed as a whole.
func (r *Repo) try(ctx context.Context, name string, m *mark, attempt func(context.Context) error) error {
	return r.tryTimes(ctx, 0, name, m, attempt)
}

// tryTimes is try with that many attempts, however long they take; 0 leaves the number to try.
func (r *Repo) tryTimes(
	ctx context.Context, times int, name string, m *mark, attempt func(context.Context) error,
) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	name, _, _ = strings.Cut(name, " ") // without about's digest
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

// repeats reports whether what ended with err is to be tried again.
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

// cause is the error behind err, also behind one of authdb's own.
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

// held is the connection, or the handle in its place, that one attempt uses.
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

// sends is db, or what rewrites statements before they reach it.
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

// connOf returns the connection that db is or uses; nil for a pool or an unknown type.
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

// Snapshot runs steps that change nothing in one round trip (two if the connection has not prepared them yet) and on
// one snapshot: that of a read-only REPEATABLE READ transaction, or of the transaction that the Repo is on. On a handle
// of an unknown type, where a COMMIT could end the caller's transaction, each step has its own snapshot.
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

// write runs steps in one round trip and one transaction, the Repo's if it is on one. name is the method, as a mark
// shows it; made is the row that the steps make, if that is known.
//
// If an earlier call under the same key did the write, nothing is done, and done is the id of the row that it made, or
// what stands for it.
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

// writeOnce is write for what cannot be answered a second time.
func (r *Repo) writeOnce(ctx context.Context, name string, made Key, steps ...Step) error {
	return unanswered(r.write(ctx, name, made, steps...))
}

// unanswered is err, or ErrAlreadyDone if an earlier call did the write.
func unanswered(done string, err error) error {
	if done != "" {
		return ErrAlreadyDone
	}
	return err
}

// writeThenRead is write with a last step that reads the answer, also of an earlier call.
func (r *Repo) writeThenRead(ctx context.Context, name string, read Step, steps ...Step) error {
	done, err := r.write(ctx, name, Key{}, append(steps, read)...)
	if done != "" {
		return r.Snapshot(ctx, name, read)
	}
	return err
}

// Update runs a write that returns a row. read with key returns that row again later.
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

// Delete runs a write that must meet a row.
func Delete[P any](
	ctx context.Context, r *Repo, name string, query func(*queries, context.Context, P) (int64, error), p P,
) error {
	_, err := r.write(ctx, about(ctx, name, p), Key{}, must(query, p))
	return err
}

// Count runs a write and returns how many rows it met.
func Count[P any](
	ctx context.Context, r *Repo, name string, query func(*queries, context.Context, P) (int64, error), p P,
) (n int64, err error) {
	err = r.writeOnce(ctx, about(ctx, name, p), Key{}, ask(query, p, &n))
	return n, err
}

// once is one attempt at a write that leaves no mark. What comes after a lock must see what others did before it was
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

// endOpen rolls back what an error left open on a connection or, if that fails, closes the connection, as pgx does.
func (r *Repo) endOpen(ctx context.Context, conn *pgx.Conn) {
	if conn == nil || conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil { // the error that matters is the first one
		r.drop(ctx, conn)
	}
}

// Ping makes a round trip to the database.
func (r *Repo) Ping(ctx context.Context) error { return r.Snapshot(ctx, "Ping", raw("SELECT 1")) }
