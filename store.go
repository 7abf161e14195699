package authdb

import (
	"context"

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
// It returns the error of fn unchanged, or the [*Error] of the begin or the commit. After a failed commit whose
// answer was lost, the transaction may have been committed.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	var failed error
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		failed = fn(newStore(tx, s.repo.On(tx)))
		if failed == nil && tx.Conn().PgConn().TxStatus() == 'E' {
			// fn kept an error to itself. A savepoint that is released now would take the outer transaction along.
			return pgx.ErrTxCommitRollback
		}
		return failed
	})
	if failed != nil {
		return failed
	}
	return translate("InTx", err)
}

// Ping reports whether the database answers: nil, or an [*Error].
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.db.Exec(ctx, "SELECT 1")
	return translate("Ping", err)
}

// Pool returns the pool that [Open] made, for the caller's own queries; nil on any other store.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Close closes the pool that [Open] made, waiting for connections in use. It does nothing on any other store.
func (s *Store) Close() {
	if s.pool != nil {
		s.pool.Close()
	}
}
