package answers_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
)

// begun are what a server says of the transaction that a store is on.
func begun(t *testing.T, tx *authdb.Store) (level, readOnly string) {
	t.Helper()
	if err := tx.Tx().QueryRow(t.Context(),
		"SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')").Scan(&level, &readOnly); err != nil {
		t.Fatal(err)
	}
	return level, readOnly
}

func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	if e, ok := errors.AsType[*authdb.Error](err); ok {
		return e.SQLState
	}
	return ""
}

func TestTxOptions(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	cfg := parsePool(t, dsn)
	cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
	s := authdb.New(openPool(t, cfg))
	ctx := t.Context()
	ada, err := s.Users.Create(ctx, newUser("ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}

	for _, level := range []pgx.TxIsoLevel{"", pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
		for _, readOnly := range []bool{false, true} {
			want, wantReadOnly := string(level), "off"
			if level == "" {
				want = "read committed"
			}
			if readOnly {
				wantReadOnly = "on"
			}
			if err := s.InTxWith(ctx, authdb.TxOptions{IsoLevel: level, ReadOnly: readOnly}, func(tx *authdb.Store) error {
				if is, isReadOnly := begun(t, tx); is != want || isReadOnly != wantReadOnly {
					t.Errorf("%s, read only %s; want %s, %s", is, isReadOnly, want, wantReadOnly)
				}
				_, err := tx.Users.Get(ctx, ada.ID)
				return err
			}); err != nil {
				t.Errorf("%s: %v", level, err)
			}
		}
	}

	t.Run("read only", func(t *testing.T) {
		err := s.InTxWith(ctx, authdb.TxOptions{ReadOnly: true}, func(tx *authdb.Store) error {
			_, err := tx.Users.Create(ctx, newUser("never@example.com"))
			return err
		})
		if e := asError(t, err); e.SQLState != "25006" || e.Outcome != authdb.OutcomeNotApplied || e.Retry != authdb.RetryNever {
			t.Errorf("%v, %s, %s", err, e.Outcome, e.Retry)
		}
	})
	t.Run("one snapshot", func(t *testing.T) {
		for level, want := range map[pgx.TxIsoLevel]int64{pgx.ReadCommitted: 1, pgx.RepeatableRead: 0} {
			var before, after int64
			err := s.InTxWith(ctx, authdb.TxOptions{IsoLevel: level}, func(tx *authdb.Store) (err error) {
				before, err = tx.Users.Count(ctx, authdb.ListUsersParams{})
				if err != nil {
					return err
				}
				if _, err := s.Users.Create(ctx, newUser(string(level[:4])+"@example.com")); err != nil {
					return err
				}
				after, err = tx.Users.Count(ctx, authdb.ListUsersParams{})
				return err
			})
			if err != nil || after-before != want {
				t.Errorf("%s: %d rows came, want %d; %v", level, after-before, want, err)
			}
		}
	})
	t.Run("writes", func(t *testing.T) {
		name := "Ada"
		for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
			for what, test := range map[string]struct {
				write func(tx *authdb.Store) error
				want  error
			}{
				"without a lock": {func(tx *authdb.Store) error {
					_, err := tx.Users.Update(ctx, ada.ID, authdb.UpdateUserParams{Name: authdb.Set(name)})
					return err
				}, nil},
				"with a lock": {func(tx *authdb.Store) error {
					_, err := tx.Sessions.DeleteByUser(ctx, ada.ID)
					return err
				}, authdb.ErrIsolation},
				"with a lock, on a savepoint": {func(tx *authdb.Store) error {
					return tx.InTx(ctx, func(tx *authdb.Store) error {
						_, err := tx.Sessions.DeleteByUser(ctx, ada.ID)
						return err
					})
				}, authdb.ErrIsolation},
				"with a lock, on a savepoint of the caller's": {func(tx *authdb.Store) error {
					return pgx.BeginFunc(ctx, tx.Tx(), func(sp pgx.Tx) error {
						_, err := tx.WithTx(sp).Sessions.DeleteByUser(ctx, ada.ID)
						return err
					})
				}, authdb.ErrIsolation},
			} {
				if err := s.InTxWith(ctx, authdb.TxOptions{IsoLevel: level}, test.write); !errors.Is(err, test.want) {
					t.Errorf("%s %s: %v, want %v", level, what, err, test.want)
				}
			}
		}
	})
	t.Run("a conflict of the caller's own is repeated", func(t *testing.T) {
		o := newObserver(t, dsn)
		o.exec(t, "CREATE TABLE seat (taken_by text)")
		book := func(tx *authdb.Store, who string) (taken int, err error) {
			if err := tx.Tx().QueryRow(ctx, "SELECT count(*) FROM seat").Scan(&taken); err != nil || taken > 0 {
				return taken, err
			}
			_, err = tx.Tx().Exec(ctx, "INSERT INTO seat VALUES ($1)", who)
			return 0, err
		}
		calls := 0
		err := s.InTxWith(ctx, authdb.TxOptions{IsoLevel: pgx.Serializable}, func(tx *authdb.Store) error {
			calls++
			_, err := book(tx, "one")
			if calls == 1 && err == nil {
				err = s.InTxWith(ctx, authdb.TxOptions{IsoLevel: pgx.Serializable}, func(tx *authdb.Store) error {
					_, err := book(tx, "other")
					return err
				})
			}
			return err
		})
		if err != nil || calls != 2 || o.count(t, "SELECT count(*) FROM seat") != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
	t.Run("attempts", func(t *testing.T) {
		for attempts, want := range map[int]int{0: 10, 1: 1, 3: 3, 11: 11} {
			calls := 0
			err := s.InTxWith(ctx, authdb.TxOptions{Attempts: attempts}, func(tx *authdb.Store) error {
				calls++
				_, err := tx.Tx().Exec(ctx, "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$")
				return err
			})
			if calls != want || sqlState(err) != "40001" {
				t.Errorf("%d: %d calls, %v", attempts, calls, err)
			}
		}
	})
}

func TestTxOptionsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	pool := openPool(t, parsePool(t, newDSN(t)))
	s := authdb.New(pool)
	ctx := t.Context()
	ran := false
	try := func(t *testing.T, s *authdb.Store, o authdb.TxOptions, field string) {
		t.Helper()
		ran = false
		err := s.InTxWith(ctx, o, func(*authdb.Store) error { ran = true; return nil })
		if field == "" {
			if err != nil || !ran {
				t.Errorf("%+v: %v", o, err)
			}
			return
		}
		if e := asError(t, err); !errors.Is(err, authdb.ErrInvalidInput) || e.Op != "InTxWith" || e.Field != field || e.Reason == "" || ran {
			t.Errorf("%+v: %v, want field %s", o, err, field)
		}
	}
	try(t, s, authdb.TxOptions{IsoLevel: pgx.ReadUncommitted}, "iso_level")
	try(t, s, authdb.TxOptions{IsoLevel: "read committed; DROP TABLE x"}, "iso_level")
	try(t, s, authdb.TxOptions{Attempts: -1}, "attempts")

	type options struct {
		authdb.TxOptions
		field string
	}
	nested := func(outer authdb.TxOptions, inner ...options) {
		t.Helper()
		if err := s.InTxWith(ctx, outer, func(tx *authdb.Store) error {
			for _, o := range inner {
				try(t, tx, o.TxOptions, o.field)
				try(t, tx.WithTx(tx.Tx()), o.TxOptions, o.field)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	nested(authdb.TxOptions{},
		options{authdb.TxOptions{}, ""}, options{authdb.TxOptions{Attempts: 1}, ""}, options{authdb.TxOptions{IsoLevel: pgx.ReadCommitted}, ""},
		options{authdb.TxOptions{Attempts: 2}, "attempts"}, options{authdb.TxOptions{ReadOnly: true}, "read_only"},
		options{authdb.TxOptions{IsoLevel: pgx.Serializable}, "iso_level"})
	nested(authdb.TxOptions{IsoLevel: pgx.Serializable, ReadOnly: true},
		options{authdb.TxOptions{}, ""}, options{authdb.TxOptions{IsoLevel: pgx.Serializable, ReadOnly: true}, ""},
		options{authdb.TxOptions{IsoLevel: pgx.ReadCommitted}, "iso_level"})

	// What the caller began may be anything.
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	try(t, authdb.New(tx), authdb.TxOptions{}, "")
	try(t, authdb.New(tx), authdb.TxOptions{Attempts: 1}, "")
	try(t, authdb.New(tx), authdb.TxOptions{IsoLevel: pgx.ReadCommitted}, "iso_level")
	try(t, authdb.New(tx), authdb.TxOptions{ReadOnly: true}, "read_only")

	// A handle that can only Begin takes what the session has.
	begins := authdb.New(struct{ authdb.DB }{openPool(t, parsePool(t, newDSN(t)))})
	try(t, begins, authdb.TxOptions{Attempts: 2}, "")
	try(t, begins, authdb.TxOptions{IsoLevel: pgx.ReadCommitted}, "iso_level")
	try(t, begins, authdb.TxOptions{ReadOnly: true}, "read_only")
}

// A handle that can only Begin has the isolation of the session, and operations that lock look at it.
func TestIsolationOfAHandleThatOnlyBegins(t *testing.T) {
	t.Parallel()
	cfg := parsePool(t, newDSN(t))
	cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	err := authdb.New(struct{ authdb.DB }{openPool(t, cfg)}).InTx(t.Context(), func(tx *authdb.Store) error {
		_, err := tx.Sessions.DeleteByUser(t.Context(), "nobody")
		return err
	})
	if !errors.Is(err, authdb.ErrIsolation) {
		t.Errorf("%v", err)
	}
}

func TestTxOptionsAndMarks(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	o := newObserver(t, dsn)
	s := authdb.New(openPool(t, parsePool(t, dsn)), authdb.WithOnce())
	marks := func() int { return o.count(t, "SELECT count(*) FROM authdb.mark") }
	ctx := t.Context()

	if err := s.InTxWith(ctx, authdb.TxOptions{ReadOnly: true}, func(tx *authdb.Store) error {
		_, err := tx.Users.Count(ctx, authdb.ListUsersParams{})
		return err
	}); err != nil || marks() != 0 {
		t.Errorf("%d marks of what only reads, %v", marks(), err)
	}
	for i, level := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
		ctx := authdb.Once(ctx, string(level))
		for _, want := range []error{nil, authdb.ErrAlreadyDone} {
			err := s.InTxWith(ctx, authdb.TxOptions{IsoLevel: level}, func(tx *authdb.Store) error {
				_, err := tx.Users.Create(ctx, newUser(string(level[:4])+"@example.com"))
				return err
			})
			if !errors.Is(err, want) || marks() != i+1 {
				t.Errorf("%s: %d marks, %v, want %v", level, marks(), err, want)
			}
		}
	}

	t.Run("one attempt leaves a lost answer to Resolve", func(t *testing.T) {
		f := newFaultyPool(t, dsn, pgx.QueryExecModeExec, false)
		ctx := authdb.Once(ctx, "lost")
		calls := 0
		err := f.InTxWith(ctx, authdb.TxOptions{Attempts: 1}, func(tx *authdb.Store) error {
			calls++
			_, err := tx.Users.Create(ctx, newUser("lost@example.com"))
			f.conn.arm(cut{"drop read", 0})
			return err
		})
		if !errors.Is(err, authdb.ErrCommitUnknown) || calls != 1 {
			t.Fatalf("%d calls, %v", calls, err)
		}
		if outcome, err := f.Resolve(t.Context(), err); outcome != authdb.OutcomeApplied || err != nil {
			t.Errorf("%s, %v", outcome, err)
		}
	})
}
