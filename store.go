package authdb

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/repo"
)

// DB is what a [Store] works on: a [*pgxpool.Pool], a [*pgx.Conn], a [pgx.Tx], or the caller's type that wraps one of
// them. If a wrapper lacks the method Conn of pgx.Tx, GetFull and Load cannot tell whether they are in a transaction,
// so they begin none, and each relation is read as of its own moment.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Store holds a repository for each table, all on one [DB]; make it with [Open] or [New]. It has no state of its own:
// on a pool it may be used by any number of goroutines, on a connection or a transaction by one at a time.
//
// Its methods, and those of its repositories, return [ErrInvalidInput] with Field "store" if it has no DB, like the
// zero Store, if its transaction has ended, or if its connection is busy: rows are still open, or another goroutine
// uses it. If it is closed, they return [ErrUnavailable].
type Store struct {
	Users         UserRepository
	Sessions      SessionRepository
	Accounts      AccountRepository
	Verifications VerificationRepository
	Organizations OrganizationRepository
	Members       MemberRepository
	Teams         TeamRepository
	TeamMembers   TeamMemberRepository
	Invitations   InvitationRepository

	door door
	pool *pgxpool.Pool // the one that Open made; otherwise nil
}

// door is the way of a store and its repositories to the database.
type door struct{ made *repo.Repo }

// nowhere refuses everything. A zero store leads to it.
var nowhere = repo.New(nil, newConfig(nil).repo)

func (d door) repo() *repo.Repo {
	if d.made == nil {
		return nowhere
	}
	return d.made
}

// New returns a store on the caller's pool, connection or transaction, which the caller closes. The options that are
// about the connection have no effect; see [Option].
//
// Its sessions need client_encoding UTF8, standard_conforming_strings and array_nulls, which are PostgreSQL's defaults.
// They may run in any time zone, unless columns are with time zone: then it must be UTC, as [Open] sets it and
// [Store.CheckSchema] checks. Tables are found along their search path. That should name pg_temp last and not "$user"
// (see [Open]). It must not name another schema before pg_catalog, where others could make functions that run in place
// of PostgreSQL's own; CheckSchema refuses that.
func New(db DB, opts ...Option) *Store {
	c := newConfig(opts)
	return newStore(repo.New(db, c.repo))
}

func newStore(r *repo.Repo) *Store {
	d := door{r}
	return &Store{
		Users:         UserRepository{d},
		Sessions:      SessionRepository{d},
		Accounts:      AccountRepository{d},
		Verifications: VerificationRepository{d},
		Organizations: OrganizationRepository{d},
		Members:       MemberRepository{d},
		Teams:         TeamRepository{d},
		TeamMembers:   TeamMemberRepository{d},
		Invitations:   InvitationRepository{d},
		door:          d,
	}
}

// InTx calls fn with a store on a new READ COMMITTED transaction. It commits when fn returns nil, and rolls back when
// fn returns an error or panics. On a store that is itself in a transaction, it makes a savepoint, so that the outer
// transaction survives an inner failure.
//
// fn may run more than once, so it should do nothing that a rollback does not undo. InTx calls it again if nothing was
// applied and the reason may pass: PostgreSQL ended the transaction because of another one (SQLSTATE 40001, 40P01), a
// table had changed, or the connection was lost before the commit. InTx pauses in between, and gives up after 10 calls,
// after 5 seconds, or when ctx is over. Inside another transaction fn runs once, since that one has failed as a whole.
//
// It returns the error of fn unchanged, or the [*Error] of the begin or the commit. If the answer to the commit was
// lost, the error is [ErrCommitUnknown], and [Store.Resolve] finds out what happened. Any other error means that
// nothing was applied. Under [Once], a second call returns [ErrAlreadyDone] without calling fn.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	return s.inTx(ctx, "InTx", TxOptions{}, fn)
}

// TxOptions say how the transaction of [Store.InTxWith] is to run. The zero value is as for [Store.InTx].
type TxOptions struct {
	// IsoLevel is pgx.ReadCommitted, the default, pgx.RepeatableRead or pgx.Serializable. Reads, and writes without a
	// lock, work in all of them. Methods that rely on their locks return [ErrIsolation] in the latter two.
	IsoLevel pgx.TxIsoLevel
	// ReadOnly lets PostgreSQL refuse every write, with SQLSTATE 25006. Such a transaction leaves no mark of [Once] or
	// [WithOnce], and may be on a standby.
	ReadOnly bool
	// Attempts is how often fn may run, however long that takes: 1 is once, 0 is at most 10 times in 5 seconds. Under
	// Once, it is also how often a lost answer is asked for again.
	Attempts int
}

// InTxWith is [Store.InTx] with options. On a store in a transaction it makes a savepoint, which cannot have another
// IsoLevel or ReadOnly than the transaction, nor more than one attempt. For these, and for an invalid value, it returns
// [ErrInvalidInput] with Field "iso_level", "read_only" or "attempts".
func (s *Store) InTxWith(ctx context.Context, options TxOptions, fn func(tx *Store) error) error {
	return s.inTx(ctx, "InTxWith", options, fn)
}

func (s *Store) inTx(ctx context.Context, op string, o TxOptions, fn func(tx *Store) error) error {
	if fn == nil {
		return check(op, fault{field: "fn", reason: "nil"})
	}
	own, err := s.repo().InTx(ctx, repo.TxOptions(o), func(tx *repo.Repo) error { return fn(newStore(tx)) })
	if own {
		return err
	}
	return translate(op, err)
}

// Tx returns the store's transaction, for the caller's own SQL and for other libraries, such as sqlc's New and River's
// InsertTx; nil if it is on none.
//
//	err := store.InTx(ctx, func(tx *authdb.Store) error {
//		user, err := tx.Users.Create(ctx, params)
//		if err != nil {
//			return err
//		}
//		_, err = tx.Tx().Exec(ctx, "INSERT INTO customer (user_id) VALUES ($1)", user.ID)
//		return err
//	})
//
// Its errors are pgx's own. If fn returns one, wrapped or not, InTx rolls back, and calls fn again as it would for an
// error of this package. Begin makes a savepoint, which the caller ends. Only InTx ends its transaction: Commit and
// Rollback do nothing and return [ErrInvalidInput]. On a store of New or WithTx, Tx is the caller's transaction itself.
func (s *Store) Tx() pgx.Tx {
	tx, begun := s.repo().Tx()
	if begun {
		return lentTx{tx}
	}
	return tx
}

// WithTx returns a store on the caller's transaction, which the caller ends. It has the clock, the ids, the tokens and
// all other options of s, where [New] would take the defaults. tx may be a savepoint in s's transaction.
func (s *Store) WithTx(tx pgx.Tx) *Store { return newStore(s.repo().On(tx)) }

// lentTx is the transaction of an InTx, lent to its function.
type lentTx struct{ pgx.Tx }

// Commit does nothing, and says so.
func (lentTx) Commit(context.Context) error { return errLent("Tx.Commit") }

// Rollback does nothing, and says so.
func (lentTx) Rollback(context.Context) error { return errLent("Tx.Rollback") }

func errLent(op string) error {
	return check(op, fault{field: "tx", reason: "InTx ends it: return nil to commit, an error to roll back"})
}

// Ping reports whether the database answers: nil, or an [*Error].
func (s *Store) Ping(ctx context.Context) error {
	return translate("Ping", s.repo().Ping(ctx))
}

// CheckSchema returns [ErrSchema] if the database lacks a column or a unique key that this package relies on, if a
// column has another type, or if a schema is searched before pg_catalog. [Error.Reason] lists everything that is
// missing, and which migration makes it. CheckSchema finds the tables by the sessions' search_path. It reads only the
// catalog, so any role may call it: call it when the program starts, before a request fails. On a store of [WithOnce]
// it checks authdb.mark too.
func (s *Store) CheckSchema(ctx context.Context) error {
	return translate("CheckSchema", s.repo().CheckSchema(ctx))
}

// Pool returns the pool that [Open] made, for the caller's own queries; nil on any other store.
func (s *Store) Pool() *pgxpool.Pool {
	if s == nil {
		return nil
	}
	return s.pool
}

// Close closes the pool that [Open] made, waiting for connections in use. It does nothing on any other store.
func (s *Store) Close() {
	if pool := s.Pool(); pool != nil {
		pool.Close()
	}
}

// repo returns the store's Repo; a nil store has one, too.
func (s *Store) repo() *repo.Repo {
	if s == nil {
		return nowhere
	}
	return s.door.repo()
}
