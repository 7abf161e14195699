package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// customers makes a table of the caller's own, and returns what counts its rows.
func customers(t *testing.T, store *authdb.Store) (count func() int) {
	t.Helper()
	ctx := t.Context()
	if _, err := store.Pool().Exec(ctx, `CREATE TABLE customer (user_id text PRIMARY KEY REFERENCES "user")`); err != nil {
		t.Fatal(err)
	}
	return func() (n int) {
		t.Helper()
		if err := store.Pool().QueryRow(ctx, "SELECT count(*) FROM customer").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

const insertCustomer = "INSERT INTO customer (user_id) VALUES ($1)"

func TestTxIsTheTransactionOfTheStore(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	count := customers(t, store)
	ctx := t.Context()
	if store.Tx() != nil {
		t.Error("a store on a pool has a transaction")
	}

	boom := errors.New("boom")
	for want, end := range []error{boom, nil} {
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			user := authdbtest.User(t, tx)
			if _, err := tx.Tx().Exec(ctx, insertCustomer, user.ID); err != nil {
				t.Error(err)
			}
			return end
		})
		if !errors.Is(err, end) || count() != want {
			t.Errorf("%v: %d customers, want %d", err, count(), want)
		}
	}

	t.Run("of New it is the caller's own", func(t *testing.T) {
		tx, err := store.Pool().Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if authdb.New(tx).Tx() != tx || store.WithTx(tx).Tx() != tx {
			t.Error("another")
		}
		if err := authdb.New(tx).Tx().Rollback(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Run("on a connection there is none", func(t *testing.T) {
		conn, err := store.Pool().Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		if authdb.New(conn.Conn()).Tx() != nil {
			t.Error("a connection is none")
		}
	})
}

func TestTxIsEndedByInTxAlone(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	count := customers(t, store)
	ctx := t.Context()
	const reason = "InTx ends it: return nil to commit, an error to roll back"
	refused := func(t *testing.T, err error, op string) {
		t.Helper()
		kit.Fails(t, err, authdb.ErrInvalidInput, op, "tx")
		if e, ok := errors.AsType[*authdb.Error](err); !ok || e.Reason != reason {
			t.Errorf("%v", err)
		}
	}
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		own := tx.Tx()
		defer func() { refused(t, own.Rollback(ctx), "Tx.Rollback") }()
		user := authdbtest.User(t, tx)
		refused(t, own.Commit(ctx), "Tx.Commit")
		if _, err := own.Exec(ctx, insertCustomer, user.ID); err != nil {
			t.Error(err)
		}
		if count() != 0 {
			t.Error("the caller's commit was one")
		}
		return tx.InTx(ctx, func(inner *authdb.Store) error {
			refused(t, inner.Tx().Commit(ctx), "Tx.Commit")
			refused(t, store.WithTx(inner.Tx()).Tx().Rollback(ctx), "Tx.Rollback")
			return nil
		})
	}); err != nil {
		t.Error(err)
	}
	if count() != 1 {
		t.Error("the caller's rollback was one")
	}
}

func TestTxTakesSavepoints(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	count := customers(t, store)
	ctx := t.Context()
	boom := errors.New("boom")
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		kept, lost := authdbtest.User(t, tx), authdb.User{}
		err := pgx.BeginFunc(ctx, tx.Tx(), func(sp pgx.Tx) error {
			if tx.WithTx(sp).Tx() != sp {
				t.Error("a savepoint of the caller's is not its own")
			}
			lost = authdbtest.User(t, tx.WithTx(sp))
			if _, err := sp.Exec(ctx, insertCustomer, lost.ID); err != nil {
				t.Error(err)
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Error(err)
		}
		if _, err := tx.Users.Get(ctx, lost.ID); !errors.Is(err, authdb.ErrNotFound) {
			t.Errorf("rolled back, and there: %v", err)
		}
		return pgx.BeginFunc(ctx, tx.Tx(), func(sp pgx.Tx) error {
			_, err := sp.Exec(ctx, insertCustomer, kept.ID)
			return err
		})
	}); err != nil {
		t.Error(err)
	}
	if n, err := store.Users.Count(ctx, authdb.ListUsersParams{}); n != 1 || err != nil || count() != 1 {
		t.Errorf("%d users, %d customers, %v", n, count(), err)
	}
}

// An error of the caller's own statement is as good a reason to call fn again as one of ours.
func TestInTxRepeatsForTheCallersStatement(t *testing.T) {
	t.Parallel()
	const victim = "DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = '%s'; END $$"
	for name, test := range map[string]struct {
		sql     string
		wrap    func(error) error
		repeats bool
	}{
		"serialization failure": {fmt.Sprintf(victim, "40001"), nil, true},
		"deadlock, wrapped":     {fmt.Sprintf(victim, "40P01"), func(err error) error { return fmt.Errorf("own: %w", err) }, true},
		"lost connection":       {"SELECT pg_terminate_backend(pg_backend_pid())", nil, true},
		"lost connection, hidden": {
			"SELECT pg_terminate_backend(pg_backend_pid())", func(error) error { return errors.New("own") }, true,
		},
		"lost connection, kept quiet": {
			"SELECT pg_terminate_backend(pg_backend_pid())", func(error) error { return nil }, true,
		},
		"refusal": {"DO $$ BEGIN RAISE EXCEPTION 'own'; END $$", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := authdbtest.New(t)
			count := customers(t, store)
			calls := 0
			err := store.InTx(t.Context(), func(tx *authdb.Store) error {
				calls++
				user := authdbtest.User(t, tx)
				if _, err := tx.Tx().Exec(t.Context(), insertCustomer, user.ID); err != nil {
					return err
				}
				if calls > 1 {
					return nil
				}
				_, err := tx.Tx().Exec(t.Context(), test.sql)
				if err == nil {
					t.Error("no error")
				}
				if test.wrap != nil {
					return test.wrap(err)
				}
				return err
			})
			want := 0
			if test.repeats {
				want = 1
			}
			if calls != 1+want || count() != want || (err == nil) != test.repeats {
				t.Errorf("%d calls, %d rows, %v", calls, count(), err)
			}
		})
	}
}

func TestWithTxKeepsWhatTheStoreHas(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	ctx := t.Context()
	if err := pgx.BeginFunc(ctx, s.Pool(), func(tx pgx.Tx) error {
		store := s.WithTx(tx)
		user := authdbtest.User(t, store)
		if want := s.Id(0); user.ID != want || !user.CreatedAt.Equal(s.Now) {
			t.Errorf("id %s at %s, want %s at %s", user.ID, user.CreatedAt, want, s.Now)
		}
		session := authdbtest.Session(t, store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
		if want := s.Token(0); string(session.Token) != want {
			t.Errorf("token %s, want %s", session.Token, want)
		}
		return store.InTx(ctx, func(inner *authdb.Store) error {
			if id := authdbtest.User(t, inner).ID; id != s.Id(0) {
				t.Errorf("id %s, want %s", id, s.Id(0))
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Users.Count(ctx, authdb.ListUsersParams{}); n != 2 || err != nil {
		t.Errorf("%d users, %v", n, err)
	}
}

// What an InTx under Once has done, it has done with all its writes, those on a savepoint of the caller's, too. A
// transaction of the caller's own is under no key.
func TestWithTxUnderOnce(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := authdb.Once(t.Context(), "key")
	create := func(s *authdb.Store) error {
		_, err := s.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: fmt.Sprint(time.Now().UnixNano(), "@example.com")})
		return err
	}
	for i, want := range []error{nil, authdb.ErrAlreadyDone} {
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			return pgx.BeginFunc(ctx, tx.Tx(), func(sp pgx.Tx) error { return create(tx.WithTx(sp)) })
		})
		if !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", i+1, err, want)
		}
	}
	tx, err := store.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	kit.Fails(t, create(store.WithTx(tx)), authdb.ErrInvalidInput, "Users.Create", "once")
	// Nor is it under that of another transaction.
	if err := store.InTx(authdb.Once(t.Context(), "other"), func(in *authdb.Store) error {
		kit.Fails(t, create(in.WithTx(tx)), authdb.ErrInvalidInput, "Users.Create", "once")
		return nil
	}); err != nil {
		t.Error(err)
	}
}
