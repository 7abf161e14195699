package repo

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// fnError is the error of the function that a transaction runs.
type fnError struct {
	error
	closed bool // the transaction's connection was
}

func (e fnError) Unwrap() error { return e.error }

// InTx calls fn in a transaction, READ COMMITTED, and again where nothing was applied for a reason that may pass. On a
// Repo that is in a transaction it is a savepoint. It says whether an error is fn's own, which is returned unchanged.
func (r *Repo) InTx(ctx context.Context, fn func(in *Repo) error) (own bool, err error) {
	const name = "InTx"
	r = r.where()
	if _, begins := r.db.(beginner); begins && r.tx != nil { // no savepoint can be had from a connection
		return false, ErrInTransaction
	}
	m, err := r.newMark(ctx, name, "")
	if err != nil {
		return false, err
	}
	err = r.try(ctx, m, func() error {
		err := r.transact(ctx, m, fn)
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

func (r *Repo) transact(ctx context.Context, m *mark, fn func(in *Repo) error) error {
	tx, err := r.begin(ctx)
	if err != nil {
		return NotSent(ctx, err)
	}
	in := *r
	in.db, in.begun = tx, true
	if r.tx == nil {
		in.tx = &transaction{own: true}
	}
	made, ended := len(in.tx.made), false
	defer func() {
		if !ended { // by a panic, too
			r.rollback(ctx, tx)
			in.tx.made = in.tx.made[:made]
		}
	}()
	if err := in.take(ctx, m); err != nil {
		return err
	}
	_, named := ctx.Value(keyName{}).(string)
	in.tx.named = in.tx.named || m != nil && named
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

func (r *Repo) begin(ctx context.Context) (pgx.Tx, error) {
	if db, ok := r.db.(beginner); ok {
		return db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	}
	return r.db.Begin(ctx) // a savepoint
}

// commit looks first whether there is anything to commit: fn may have kept an error to itself, and a savepoint that is
// released after it would take the outer transaction along.
func (r *Repo) commit(ctx context.Context, tx pgx.Tx, in *Repo) error {
	conn, alone := tx.Conn(), r.tx == nil
	switch {
	case conn.IsClosed():
		return NotSent(ctx, pgconn.ErrConnClosed)
	case ctx.Err() != nil:
		return NotSent(ctx, ctx.Err())
	case conn.PgConn().TxStatus() == 'E':
		return Failed(ctx, conn, pgx.ErrTxCommitRollback, alone)
	}
	err := tx.Commit(ctx)
	if err != nil && !alone && conn.PgConn().TxStatus() == 'T' {
		_ = conn.Close(ctx) // the savepoint was not released, and pgx would not roll back to it
	}
	return Failed(ctx, conn, err, alone, in.tx.made...)
}

// rollbackTimeout bounds the rollback to a savepoint after its context is over.
const rollbackTimeout = 5 * time.Second

// rollback ends what begin began. A transaction whose rollback fails ends with its connection. A savepoint would leave
// what was done since to the outer transaction, so it is rolled back under a context of its own, or takes the
// connection along.
func (r *Repo) rollback(ctx context.Context, tx pgx.Tx) {
	if r.tx == nil {
		_ = tx.Rollback(ctx)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		_ = tx.Conn().Close(ctx)
	}
}
