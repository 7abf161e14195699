package repo

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Together runs queries in one round trip and, unless the Repo is on a transaction already, as one transaction: the
// implicit one of a batch, which the server ends with it. Each query has a snapshot of its own and so sees what
// another transaction did while the one before waited for a lock. A query's result counts only when Together has
// returned nil.
//
// Alone, it starts again where the server chose it as the victim of a deadlock.
func (r *Repo) Together(ctx context.Context, queries ...Query) error {
	return r.whole(ctx, func() error {
		batch := &pgx.Batch{}
		if err := r.record(batch, queries); err != nil {
			return err
		}
		return r.play(ctx, batch, false, queries)
	})
}

// whole runs what is a transaction by itself, again where it was the victim of another one, unless it is part of one.
func (r *Repo) whole(ctx context.Context, run func() error) error {
	if r.InTx() {
		return run()
	}
	return Retry(ctx, run)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// noRows makes a query without a row one that says so by its zero value.
func noRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// madeFirst is made for rows that were copied in together: the first decides for all.
func madeFirst[R any](r *Repo, table string, rows []R, id func(R) string, err error) error {
	if len(rows) == 0 {
		return err
	}
	return r.made(table, id(rows[0]), err)
}
