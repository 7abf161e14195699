package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateAccount(ctx context.Context, p dbgen.CreateAccountParams) (dbgen.Account, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = utcPtr(p.AccessTokenExpiresAt), utcPtr(p.RefreshTokenExpiresAt)
	return r.Queries.CreateAccount(ctx, p)
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
