package repo

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// fnError is the error of the function that a transaction runs.
type fnError struct {
	error
	closed bool // the transaction's connection was closed
}

func (e fnError) Unwrap() error { return e.error }

// TxOptions say how a transaction is to run.
type TxOptions struct {
	IsoLevel pgx.TxIsoLevel
	ReadOnly bool
	Attempts int
}

// check returns a MisuseError for options that r cannot begin with.
func (o TxOptions) check(r *Repo) error {
	levels := []pgx.TxIsoLevel{"", pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable}
	_, begins := r.db.(beginner)
	switch nested := r.tx != nil; {
	case !slices.Contains(levels, o.IsoLevel):
		return MisuseError{"iso_level", "none of read committed, repeatable read and serializable"}
	case o.Attempts < 0:
		return MisuseError{"attempts", "out of range"}
	case nested && o.IsoLevel != "" && o.IsoLevel != r.tx.level:
		return MisuseError{"iso_level", notSo}
	case nested && o.ReadOnly && !r.tx.readOnly:
		return MisuseError{"read_only", notSo}
	case nested && o.Attempts > 1:
		return MisuseError{"attempts", "in a transaction, which is repeated as a whole or not at all"}
	case !nested && !begins && o.IsoLevel != "":
		return MisuseError{"iso_level", "handle without BeginTx"}
	case !nested && !begins && o.ReadOnly:
		return MisuseError{"read_only", "handle without BeginTx"}
	}
	return nil
}

const notSo = "in a transaction that InTxWith did not begin so"

// InTx calls fn in a transaction, READ COMMITTED unless o says otherwise. It calls fn again if nothing was applied for
// a reason that may pass. On a Repo in a transaction it uses a savepoint. own reports whether err is fn's, which is
// returned unchanged. A read-only transaction leaves no mark.
func (r *Repo) InTx(ctx context.Context, o TxOptions, fn func(in *Repo) error) (own bool, err error) {
	const name = "InTx"
	r = r.where()
	if _, begins := r.db.(beginner); begins && r.tx != nil { // a connection can make no savepoint
		return false, ErrInTransaction
	}
	if err := r.check(ctx); err != nil {
		return false, err
	}
	if err := o.check(r); err != nil {
		return false, err
	}
	var m *mark
	if !o.ReadOnly {
		if m, err = r.newMark(ctx, name, ""); err != nil {
			return false, err
		}
	}
	err = r.tryTimes(ctx, o.Attempts, name, m, func(ctx context.Context) error {
		err := r.transact(ctx, o, m, fn)
		if isTaken(err) {
			var done string
			if done, err = r.answered(ctx, m); done != "" {
				err = ErrAlreadyDone
			}
		}
		return err
	})
	if inner, ok := err.(fnError); ok { //nolint:errorlint // as transact made it
		return true, inner.error
	}
	return false, err
}

func (r *Repo) transact(ctx context.Context, o TxOptions, m *mark, fn func(in *Repo) error) error {
	tx, level, err := r.begin(ctx, o)
	if err != nil {
		return NotSent(ctx, err)
	}
	in := *r
	in.db, in.begun = tx, true
	if r.tx == nil {
		in.tx = &transaction{level: level, readOnly: o.ReadOnly}
	}
	made, ended := len(in.tx.made), false
	defer func() {
		if !ended { // also after a panic
			r.rollback(ctx, tx)
			in.tx.made = in.tx.made[:made]
		}
	}()
	if err := in.take(ctx, m); err != nil {
		return err
	}
	if key, named := keyOf(ctx); named && m != nil {
		in.tx.key = &key
	}
	if err := fn(&in); err != nil {
		return fnError{err, tx.Conn().IsClosed()}
	}
	if err := r.commit(ctx, tx, &in); err != nil {
		return m.lostBy(err)
	}
	ended = true
	return nil
}

type beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// begin begins a transaction or a savepoint. It returns the isolation level if it chose one.
func (r *Repo) begin(ctx context.Context, o TxOptions) (tx pgx.Tx, level pgx.TxIsoLevel, err error) {
	if conn := connOf(r.db); conn != nil && conn.PgConn().IsBusy() { // pgx would close it
		return nil, "", errBusy
	}
	db, ok := r.db.(beginner)
	if !ok {
		tx, err = r.db.Begin(ctx)
		return tx, "", err
	}
	options := pgx.TxOptions{IsoLevel: cmp.Or(o.IsoLevel, pgx.ReadCommitted)}
	if o.ReadOnly {
		options.AccessMode = pgx.ReadOnly
	}
	tx, err = db.BeginTx(ctx, options)
	return tx, options.IsoLevel, err
}

// commit first looks whether it can commit: if fn kept an error to itself, releasing the savepoint would fail the outer
// transaction, too.
func (r *Repo) commit(ctx context.Context, tx pgx.Tx, in *Repo) error {
	conn, alone := tx.Conn(), r.tx == nil
	writes := alone && !in.tx.readOnly
	switch {
	case conn.IsClosed():
		return NotSent(ctx, pgconn.ErrConnClosed)
	case conn.PgConn().TxStatus() == 'I': // a statement of the caller's ended it, one way or the other
		return &FailureError{err: errEndedIn, Lost: &Lost{made: in.tx.made, at: time.Now()}}
	case ctx.Err() != nil:
		return NotSent(ctx, ctx.Err())
	case conn.PgConn().TxStatus() == 'E':
		return Failed(ctx, conn, pgx.ErrTxCommitRollback, writes)
	}
	err := tx.Commit(ctx)
	if err != nil && !alone && conn.PgConn().TxStatus() == 'T' {
		r.drop(ctx, conn) // the savepoint was not released, and pgx would not roll it back
	}
	return Failed(ctx, conn, err, writes, in.tx.made...)
}

// rollbackTimeout bounds the rollback to a savepoint after its context is over.
const rollbackTimeout = 5 * time.Second

// rollback ends what begin began. A transaction whose rollback fails ends with its connection. A savepoint that is not
// rolled back would leave its writes to the outer transaction, so it has a context of its own, and closes the
// connection if it fails.
func (r *Repo) rollback(ctx context.Context, tx pgx.Tx) {
	if r.tx == nil {
		open := !tx.Conn().IsClosed()
		if err := tx.Rollback(ctx); err != nil && open && !errors.Is(err, pgx.ErrTxClosed) {
			r.logDrop(ctx, tx.Conn())
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		r.drop(ctx, tx.Conn())
	}
}
