package authdb

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/repo"
)

// DB is what a [Store] works on. A [*pgxpool.Pool], a [*pgx.Conn] and a [pgx.Tx] are one. So may be a type of the
// caller's that wraps one of them; unless it has a method Conn like that of pgx.Tx, Load and LoadMany begin no
// transaction there, which could be inside another, and so each relation is of its own moment.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Store holds one repository per table, all on the same [DB]. It has no state of its own: on a pool it may be used
// by any number of goroutines, on a connection or a transaction by one at a time.
type Store struct {
	Users         *UserRepository
	Sessions      *SessionRepository
	Accounts      *AccountRepository
	Verifications *VerificationRepository
	Organizations *OrganizationRepository
	Members       *MemberRepository
	Teams         *TeamRepository
	TeamMembers   *TeamMemberRepository
	Invitations   *InvitationRepository

	db   DB
	repo *repo.Repo
	pool *pgxpool.Pool // the one that Open made, else nil
}

// New returns a store on the caller's pool, connection or transaction, which stays the caller's to close. Times are
// right whatever time zone its sessions have. The options of the connection have no effect here; see [Option].
func New(db DB, opts ...Option) *Store {
	c := newConfig(opts)
	return newStore(db, repo.New(db, c.sources))
}

func newStore(db DB, r *repo.Repo) *Store {
	return &Store{
		Users:         &UserRepository{r},
		Sessions:      &SessionRepository{r},
		Accounts:      &AccountRepository{r},
		Verifications: &VerificationRepository{r},
		Organizations: &OrganizationRepository{r},
		Members:       &MemberRepository{r},
		Teams:         &TeamRepository{r},
		TeamMembers:   &TeamMemberRepository{r},
		Invitations:   &InvitationRepository{r},
		db:            db,
		repo:          r,
	}
}

// InTx calls fn with a store on a new transaction: committed when fn returns nil, rolled back when it returns an
// error or panics. On a store that is itself in a transaction it is a savepoint, so that the outer transaction
// survives an inner failure.
//
// fn may run more than once: where PostgreSQL ends a transaction for another's sake (a serialization failure or a
// deadlock, SQLSTATE 40001 and 40P01, which fn must not keep to itself), InTx rolls it back and calls fn again after a
// pause, up to 10 times, until ctx is over. So fn should do nothing that a rollback does not undo. Inside another
// transaction it runs once, for that one has failed as a whole.
//
// It returns the error of fn unchanged, or the [*Error] of the begin or the commit. If the answer to the commit was
// lost, that is [ErrCommitUnknown], with the rows that fn made as [Error.Keys]; [Store.Resolve] tells what became of
// it. All other errors mean that nothing was applied.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	if s.repo.InTx() {
		return s.inTx(ctx, fn)
	}
	var last error
	err := repo.Retry(ctx, func() error {
		last = s.inTx(ctx, fn)
		if e, ok := errors.AsType[*Error](last); ok && e.Outcome == OutcomeNotApplied {
			return e.cause // what Retry goes by
		}
		return last
	})
	if ctxErr := ctx.Err(); ctxErr != nil && errors.Is(err, ctxErr) && !errors.Is(last, ctxErr) {
		return translate("InTx", err) // ended while it waited to try again
	}
	return last
}

// inTx runs one transaction, or a savepoint in the one that s is on.
func (s *Store) inTx(ctx context.Context, fn func(tx *Store) error) (err error) {
	const op = "InTx"
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return translate(op, repo.NotBegun(ctx, err))
	}
	conn := tx.Conn()
	inner := s.repo.On(tx)
	made := len(inner.Keys())
	ended := false
	defer func() {
		if !ended { // by a panic, too
			s.rollback(ctx, tx)
			inner.Forget(made)
		}
	}()
	if err := fn(newStore(tx, inner)); err != nil {
		return err
	}
	if conn.IsClosed() {
		// Whatever fn kept to itself, no commit can be sent.
		return translate(op, repo.NewFault(ctx, conn, pgconn.ErrConnClosed))
	}
	if err := ctx.Err(); err != nil {
		return translate(op, err) // while a savepoint can still be rolled back to
	}
	if conn.PgConn().TxStatus() == 'E' {
		// fn kept an error to itself. A savepoint that is released now would take the outer transaction along.
		return translate(op, pgx.ErrTxCommitRollback)
	}
	if err := tx.Commit(ctx); err != nil {
		err = repo.NewFault(ctx, conn, err)
		if s.repo.InTx() && conn.PgConn().TxStatus() == 'T' {
			_ = conn.Close(ctx) // the savepoint was not released, and pgx would not roll back to it
		}
		if s.repo.InTx() || isNotApplied(err) {
			return translate(op, err)
		}
		return unknown(op, err, inner.Keys(), repo.ProcessOf(err))
	}
	ended = true
	return nil
}

// rollbackTimeout bounds the rollback to a savepoint after its context is over.
const rollbackTimeout = 5 * time.Second

// rollback ends what Begin began on s. A transaction whose rollback fails ends with its connection. A savepoint would
// leave what was done since to the outer transaction, so it is rolled back under a context of its own, or takes the
// connection along.
func (s *Store) rollback(ctx context.Context, tx pgx.Tx) {
	if !s.repo.InTx() {
		_ = tx.Rollback(ctx)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		_ = tx.Conn().Close(ctx)
	}
}

// Ping reports whether the database answers: nil, or an [*Error].
func (s *Store) Ping(ctx context.Context) error {
	return translate("Ping", s.repo.Ping(ctx))
}

// Pool returns the pool that [Open] made, for the caller's own queries; nil on any other store.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Close closes the pool that [Open] made, waiting for connections in use. It does nothing on any other store.
func (s *Store) Close() {
	if s.pool != nil {
		s.pool.Close()
	}
}
