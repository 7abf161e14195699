package authdb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestInTx(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	boom := errors.New("boom")
	newUser := func(t *testing.T, s *authdb.Store, email string) {
		t.Helper()
		if _, err := s.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: email}); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(t *testing.T, email string, want bool) {
		t.Helper()
		if _, err := store.Users.GetByEmail(ctx, email); errors.Is(err, authdb.ErrNotFound) == want {
			t.Errorf("%s: %v, want it to exist: %v", email, err, want)
		}
	}

	t.Run("commits", func(t *testing.T) {
		if err := store.InTx(ctx, func(tx *authdb.Store) error {
			newUser(t, tx, "commit@example.com")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		exists(t, "commit@example.com", true)
	})
	t.Run("rolls back and returns the error as it is", func(t *testing.T) {
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			newUser(t, tx, "error@example.com")
			return boom
		})
		if err != boom { //nolint:errorlint // the very error is the contract
			t.Errorf("got %v, want boom", err)
		}
		exists(t, "error@example.com", false)
	})
	t.Run("rolls back on panic", func(t *testing.T) {
		func() {
			defer func() { _ = recover() }()
			_ = store.InTx(ctx, func(tx *authdb.Store) error {
				newUser(t, tx, "panic@example.com")
				panic("boom")
			})
		}()
		exists(t, "panic@example.com", false)
	})
	t.Run("nests by savepoint", func(t *testing.T) {
		if err := store.InTx(ctx, func(tx *authdb.Store) error {
			newUser(t, tx, "outer@example.com")
			err := tx.InTx(ctx, func(inner *authdb.Store) error {
				newUser(t, inner, "inner@example.com")
				_, err := inner.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: "outer@example.com"})
				return err
			})
			if !errors.Is(err, authdb.ErrEmailTaken) {
				t.Errorf("inner: %v, want ErrEmailTaken", err)
			}
			newUser(t, tx, "after@example.com")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		exists(t, "outer@example.com", true)
		exists(t, "inner@example.com", false)
		exists(t, "after@example.com", true)
	})
	t.Run("an inner error that is kept quiet ends the inner part alone", func(t *testing.T) {
		if err := store.InTx(ctx, func(tx *authdb.Store) error {
			newUser(t, tx, "before@example.com")
			err := tx.InTx(ctx, func(inner *authdb.Store) error {
				_, _ = inner.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: "before@example.com"})
				return nil
			})
			if e, ok := errors.AsType[*authdb.Error](err); !ok || !errors.Is(e.Cause(), pgx.ErrTxCommitRollback) {
				t.Errorf("inner: %v", err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		exists(t, "before@example.com", true)
	})
	t.Run("a failed commit is an *Error", func(t *testing.T) {
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			// The caller swallows the error that aborted the transaction.
			_, _ = tx.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: "nobody"})
			return nil
		})
		e, ok := errors.AsType[*authdb.Error](err)
		if !ok || e.Op != "InTx" || !errors.Is(e.Cause(), pgx.ErrTxCommitRollback) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNewWorksOnWhatTheCallerHas(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := authdbtest.New(t).Pool()
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })

	for name, db := range map[string]authdb.DB{"pool": pool, "conn": conn} {
		user := authdbtest.User(t, authdb.New(db))
		if got, err := authdb.New(pool).Users.Get(ctx, user.ID); err != nil || got.ID != user.ID {
			t.Errorf("%s: %v", name, err)
		}
	}

	var inside authdb.User
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		inside = authdbtest.User(t, authdb.New(tx))
		if _, err := authdb.New(pool).Users.Get(ctx, inside.ID); !errors.Is(err, authdb.ErrNotFound) {
			t.Errorf("seen outside before the commit: %v", err)
		}
		_, err := tx.Exec(ctx, "SELECT 1")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := authdb.New(pool).Users.Get(ctx, inside.ID); err != nil {
		t.Errorf("after the commit: %v", err)
	}

	s := authdb.New(pool)
	s.Close() // not its pool
	if s.Pool() != nil {
		t.Error("New's store claims the caller's pool")
	}
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
}
