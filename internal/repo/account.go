package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateAccount(
	ctx context.Context, name string, p dbgen.CreateAccountParams,
) (row dbgen.Account, err error) {
	name = about(ctx, name, p)
	p.ID, p.Now = r.idOr(p.ID), r.Now()
	p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = UTC(p.AccessTokenExpiresAt), UTC(p.RefreshTokenExpiresAt)
	done, err := r.write(ctx, name, Key{"account", p.ID}, ask((*queries).CreateAccount, p, &row))
	if done != "" {
		return Read(ctx, r, name, (*queries).GetAccount, dbgen.GetAccountParams{ID: done, UserID: p.UserID})
	}
	return row, err
}

func (r *Repo) LinkAccount(
	ctx context.Context, name string, p dbgen.LinkAccountParams,
) (row dbgen.Account, err error) {
	name = about(ctx, name, p)
	p.ID, p.Now = r.idOr(p.ID), r.Now()
	p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = UTC(p.AccessTokenExpiresAt), UTC(p.RefreshTokenExpiresAt)
	err = r.writeThenRead(ctx, name, ask((*queries).GetLinkedAccount, dbgen.GetLinkedAccountParams{
		ProviderID: p.ProviderID, AccountID: p.AccountID, UserID: p.UserID,
	}, &row), verdict((*queries).LinkAccount, p))
	return row, err
}

func (r *Repo) DeleteAccount(ctx context.Context, name string, p dbgen.DeleteAccountParams) error {
	name = about(ctx, name, p)
	_, err := r.write(ctx, name, Key{},
		lock((*queries).LockUserAccounts, p.UserID), verdict((*queries).DeleteAccount, p))
	return err
}
