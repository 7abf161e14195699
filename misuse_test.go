package authdb_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// calls are one of each kind: a read, several statements in one flight, a write, one that locks, an iterator, and what a
// store itself does.
func calls(ctx context.Context, s *authdb.Store) map[string]error {
	user := authdb.User{ID: "id"}
	errs := map[string]error{
		"Users.Get":             kit.ErrOf(s.Users.Get(ctx, "id")),
		"Users.GetFull":         kit.ErrOf(s.Users.GetFull(ctx, user.ID, authdb.UserWith{Accounts: authdb.All(), Sessions: authdb.All()})),
		"Users.Create":          kit.ErrOf(s.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: "x@example.com"})),
		"Sessions.Authenticate": kit.ErrOf(s.Sessions.Authenticate(ctx, "token")),
		"Sessions.DeleteByUser": kit.ErrOf(s.Sessions.DeleteByUser(ctx, "id")),
		"Verifications.Delete":  s.Verifications.Delete(ctx, "id"),
	}
	for _, err := range s.Users.All(ctx, authdb.ListUsersParams{}) {
		errs["Users.List"] = err
	}
	for op, err := range ownCalls(ctx, s) {
		errs[op] = err
	}
	return errs
}

func ownCalls(ctx context.Context, s *authdb.Store) map[string]error {
	fn := func(*authdb.Store) error { return errors.New("called") }
	return map[string]error{
		"Ping":               s.Ping(ctx),
		"InTx":               s.InTx(ctx, fn),
		"InTxWith":           s.InTxWith(ctx, authdb.TxOptions{ReadOnly: true}, fn),
		"DeleteExpiredMarks": kit.ErrOf(s.DeleteExpiredMarks(ctx, 1)),
	}
}

// says checks that each error is kind, names its method, has a sentence that starts with reason, and says that nothing
// was done and need not be tried again.
func says(t *testing.T, errs map[string]error, kind error, field, reason string) {
	t.Helper()
	for op, err := range errs {
		e, ok := errors.AsType[*authdb.Error](err)
		if !ok || !errors.Is(err, kind) || e.Op != op || e.Field != field || !strings.HasPrefix(e.Reason, reason) ||
			e.Outcome != authdb.OutcomeNotApplied || e.Retry != authdb.RetryNever || !strings.Contains(err.Error(), e.Reason) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestMisuseWithoutADatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var noPool *pgxpool.Pool
	var noConn *pgx.Conn
	var noTx *pgxpool.Tx
	sound := authdbtest.New(t)
	tx, err := sound.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	const reason = "without a database"
	for name, s := range map[string]*authdb.Store{
		"zero": {}, "nil": authdb.New(nil), "nil pool": authdb.New(noPool), "nil connection": authdb.New(noConn), "nil tx": authdb.New(noTx),
		"marks": authdb.New(nil, authdb.WithOnce()), "WithTx(nil)": sound.WithTx(nil), "WithTx(nil tx)": sound.WithTx(noTx),
		"WithTx of none": authdb.New(nil).WithTx(tx), "WithTx of nil": (*authdb.Store)(nil).WithTx(tx),
	} {
		t.Run(name, func(t *testing.T) {
			says(t, calls(ctx, s), authdb.ErrInvalidInput, "store", reason)
			says(t, calls(authdb.Once(ctx, "key"), s), authdb.ErrInvalidInput, "store", reason)
			if s.Tx() != nil || s.Pool() != nil {
				t.Error("it has something")
			}
			s.Close()
		})
	}
	says(t, ownCalls(ctx, nil), authdb.ErrInvalidInput, "store", reason) // its repositories are Go's nil pointer
}

func TestMisuseWithoutAContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	store := authdbtest.New(t)
	says(t, calls(none, store), authdb.ErrInvalidInput, "ctx", "nil")
	says(t, calls(none, authdb.New(store.Pool(), authdb.WithOnce())), authdb.ErrInvalidInput, "ctx", "nil")
	says(t, map[string]error{"InTx": store.InTx(t.Context(), nil)}, authdb.ErrInvalidInput, "fn", "nil")
}

// A closed store is no fault of a request that meets it while the program ends.
func TestMisuseOfAClosedStore(t *testing.T) {
	t.Parallel()
	pool := authdbtest.New(t).Pool()
	store, err := authdb.Open(t.Context(), pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	says(t, calls(t.Context(), store), authdb.ErrUnavailable, "store", "closed")
	store.Close() // again, for nothing
}

func TestMisuseAfterTheTransaction(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	var kept, inner *authdb.Store
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		kept = tx
		if err := tx.InTx(ctx, func(tx *authdb.Store) error { inner = tx; return nil }); err != nil {
			return err
		}
		errs := calls(ctx, inner)
		delete(errs, "InTxWith") // which asks for what this transaction is not
		says(t, errs, authdb.ErrInvalidInput, "store", "its transaction has ended")
		_, err := tx.Users.Count(ctx, authdb.ListUsersParams{}) // which is as sound as before
		return err
	}); err != nil {
		t.Fatal(err)
	}
	own, err := store.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*authdb.Store{kept, inner, authdb.New(own)} {
		errs := calls(ctx, s)
		delete(errs, "InTxWith")
		says(t, errs, authdb.ErrInvalidInput, "store", "its transaction has ended")
	}
	if _, err := kept.Tx().Exec(ctx, "SELECT 1"); !errors.Is(err, pgx.ErrTxClosed) {
		t.Errorf("the caller's own: %v", err)
	}
}

func TestMisuseOfABusyConnection(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	const reason = "its connection is busy"
	open := func(t *testing.T, tx *authdb.Store) pgx.Rows {
		t.Helper()
		rows, err := tx.Tx().Query(ctx, "SELECT generate_series(1, 3)")
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	t.Run("with rows that are open", func(t *testing.T) {
		if err := store.InTx(ctx, func(tx *authdb.Store) error {
			rows := open(t, tx)
			errs := calls(ctx, tx)
			delete(errs, "InTxWith")
			says(t, errs, authdb.ErrInvalidInput, "store", reason)
			rows.Close()
			_, err := tx.Users.Count(ctx, authdb.ListUsersParams{}) // nothing was sent, so nothing is lost
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	t.Run("at the commit", func(t *testing.T) {
		runs := 0
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			runs++
			authdbtest.User(t, tx)
			open(t, tx)
			return nil
		})
		says(t, map[string]error{"InTx": err}, authdb.ErrInvalidInput, "store", reason)
		if n, err := store.Users.Count(ctx, authdb.ListUsersParams{}); runs != 1 || n != 0 || err != nil {
			t.Errorf("%d runs, %d users, %v", runs, n, err)
		}
	})
	t.Run("a connection of the caller's", func(t *testing.T) {
		conn, err := store.Pool().Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		rows, err := conn.Query(ctx, "SELECT generate_series(1, 3)")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		says(t, calls(ctx, authdb.New(conn.Conn())), authdb.ErrInvalidInput, "store", reason)
	})
	t.Run("two goroutines", func(t *testing.T) {
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			reading, asked := make(chan struct{}), make(chan struct{})
			var other sync.WaitGroup
			other.Go(func() {
				rows, err := tx.Tx().Query(ctx, "SELECT 1")
				if err != nil {
					t.Error(err)
				}
				close(reading)
				<-asked
				rows.Close()
			})
			<-reading
			says(t, map[string]error{"Users.Get": kit.ErrOf(tx.Users.Get(ctx, "id"))}, authdb.ErrInvalidInput, "store", reason)
			close(asked)
			other.Wait()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Whoever ends InTx's transaction by a statement of its own hears of it, and that nobody else knows what became of it.
func TestMisuseEndsTheTransaction(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	for end, want := range map[string]authdb.Outcome{"COMMIT": authdb.OutcomeApplied, "ROLLBACK": authdb.OutcomeUnknown} {
		runs := 0
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			runs++
			authdbtest.User(t, tx)
			_, err := tx.Tx().Exec(ctx, end)
			return err
		})
		e, ok := errors.AsType[*authdb.Error](err)
		if !ok || !errors.Is(err, authdb.ErrInvalidInput) || !errors.Is(err, authdb.ErrCommitUnknown) || e.Field != "tx" ||
			e.Outcome != authdb.OutcomeUnknown || e.Retry != authdb.RetryResolve || runs != 1 {
			t.Errorf("%s: %d runs, %v", end, runs, err)
		}
		if outcome, _ := store.Resolve(ctx, err); outcome != want {
			t.Errorf("%s: %s, want %s", end, outcome, want)
		}
	}
}
