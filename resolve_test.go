package authdb

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/internal/testdb"
)

func TestResolveWithoutQuery(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "host=127.0.0.1 port=1 connect_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := New(pool)
	for name, tt := range map[string]struct {
		err  error
		want Outcome
	}{
		"nil":       {nil, OutcomeApplied},
		"own error": {errors.New("boom"), OutcomeNotApplied},
		"definite":  {translate("x", pgx.ErrNoRows), OutcomeNotApplied},
	} {
		if got, err := s.Resolve(t.Context(), tt.err); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	lost := translate("x", repo.Failed(t.Context(), nil, pgconn.ErrConnClosed, true, repo.Key{TableName: "user", ID: "1"}))
	got, err := s.Resolve(t.Context(), fmt.Errorf("wrapped: %w", lost))
	if got != OutcomeUnknown || !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestResolveInTransaction: a lost answer without keys says nothing, and what a transaction has seen once says nothing of now.
func TestResolveInTransaction(t *testing.T) {
	t.Parallel()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	pool, err := pgxpool.New(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	o := New(pool)
	lost := translate("x", repo.Failed(t.Context(), nil, pgconn.ErrConnClosed, true))
	if got, err := o.Resolve(t.Context(), lost); got != OutcomeUnknown || !errors.Is(err, ErrCommitUnknown) {
		t.Errorf("%v, %v", got, err)
	}
	err = o.InTx(t.Context(), func(tx *Store) error {
		_, err := tx.Resolve(t.Context(), lost)
		return err
	})
	if !errors.Is(err, ErrInvalidInput) {
		t.Error(err)
	}
}
