package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateAccount(ctx context.Context, p dbgen.CreateAccountParams) (dbgen.Account, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = utcPtr(p.AccessTokenExpiresAt), utcPtr(p.RefreshTokenExpiresAt)
	row, err := r.Queries.CreateAccount(ctx, p)
	return row, r.made("account", p.ID, err)
}

func (r *Repo) LinkAccount(ctx context.Context, p dbgen.LinkAccountParams) (dbgen.Account, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = utcPtr(p.AccessTokenExpiresAt), utcPtr(p.RefreshTokenExpiresAt)
	return r.Queries.LinkAccount(ctx, p)
}

func (r *Repo) UpdateAccount(ctx context.Context, p dbgen.UpdateAccountParams) (dbgen.Account, error) {
	p.Now = r.Now()
	p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = utcPtr(p.AccessTokenExpiresAt), utcPtr(p.RefreshTokenExpiresAt)
	return r.Queries.UpdateAccount(ctx, p)
}

func (r *Repo) SetAccountPassword(ctx context.Context, p dbgen.SetAccountPasswordParams) (int64, error) {
	p.Now = r.Now()
	return r.Queries.SetAccountPassword(ctx, p)
}

// Unlink deletes an account and says whether it was there and whether it is gone.
func (r *Repo) Unlink(ctx context.Context, p dbgen.DeleteAccountParams) (found, gone bool, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockUserAccounts(ctx, p.UserID) },
		func(q *Repo) error {
			n, err := q.DeleteAccount(ctx, p)
			gone = n > 0
			return err
		},
		func(q *Repo) error {
			row, err := q.GetAccount(ctx, dbgen.GetAccountParams{ID: p.ID, UserID: p.UserID})
			found = row.ID != ""
			return noRows(err)
		},
	)
	return found || gone, gone, err
}
