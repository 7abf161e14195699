package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateUser(ctx context.Context, p dbgen.CreateUserParams) (dbgen.User, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	row, err := r.Queries.CreateUser(ctx, p)
	return row, r.made("user", p.ID, err)
}

// CreateUserWithAccount makes both rows or neither; the account's user and stamps are set here. For a credential
// account it also sets the account's id at its provider, which is the user's.
func (r *Repo) CreateUserWithAccount(
	ctx context.Context, u dbgen.CreateUserParams, a dbgen.CreateAccountParams,
) (user dbgen.User, account dbgen.Account, err error) {
	u.ID, u.Now = r.sources.ID(), r.Now()
	a.ID, a.UserID, a.Now = r.sources.ID(), u.ID, u.Now
	a.AccessTokenExpiresAt, a.RefreshTokenExpiresAt = utcPtr(a.AccessTokenExpiresAt), utcPtr(a.RefreshTokenExpiresAt)
	if a.AccountID == "" {
		a.AccountID = u.ID
	}
	err = r.Together(ctx,
		func(q *Repo) (err error) { user, err = q.Queries.CreateUser(ctx, u); return err },
		func(q *Repo) (err error) { account, err = q.Queries.CreateAccount(ctx, a); return err },
	)
	return user, account, r.made("user", u.ID, err)
}

// CreateUsers copies the rows in, all or none, and returns them in order.
func (r *Repo) CreateUsers(ctx context.Context, rows []dbgen.CreateUsersParams) ([]dbgen.User, error) {
	now := r.Now()
	created := make([]dbgen.User, len(rows))
	for i := range rows {
		rows[i].ID, rows[i].CreatedAt, rows[i].UpdatedAt = r.sources.ID(), now, now
		created[i] = dbgen.User(rows[i])
	}
	err := r.whole(ctx, func() error {
		_, err := r.Queries.CreateUsers(ctx, rows)
		return err
	})
	return created, madeFirst(r, "user", created, func(row dbgen.User) string { return row.ID }, err)
}

func (r *Repo) UpdateUser(ctx context.Context, p dbgen.UpdateUserParams) (dbgen.User, error) {
	p.Now = r.Now()
	return r.Queries.UpdateUser(ctx, p)
}

func (r *Repo) SetUserEmail(ctx context.Context, p dbgen.SetUserEmailParams) (dbgen.User, error) {
	p.Now = r.Now()
	return r.Queries.SetUserEmail(ctx, p)
}

func (r *Repo) VerifyUserEmail(ctx context.Context, p dbgen.VerifyUserEmailParams) (dbgen.User, error) {
	p.Now = r.Now()
	return r.Queries.VerifyUserEmail(ctx, p)
}

func (r *Repo) DeleteUser(ctx context.Context, p dbgen.DeleteUserParams) (dbgen.DeleteUserRow, error) {
	p.Now, p.Seed, p.OwnerPattern = r.Now(), r.sources.ID(), ownerPattern
	return r.Queries.DeleteUser(ctx, p)
}

// RemoveUser deletes a user while nobody can sign in as it or join with it, and returns the sessions it had.
func (r *Repo) RemoveUser(
	ctx context.Context, p dbgen.DeleteUserParams,
) (row dbgen.DeleteUserRow, sessions []dbgen.Session, err error) {
	err = r.Together(ctx,
		func(q *Repo) error {
			if p.DeleteOrganizations {
				return q.LockOrganizationsOfUserToDelete(ctx, p.ID)
			}
			return q.LockOrganizationsOfUser(ctx, p.ID)
		},
		func(q *Repo) error { return q.LockMembersOfUser(ctx, p.ID) },
		func(q *Repo) error { return q.LockUser(ctx, p.ID) },
		func(q *Repo) error { return q.LockUserAsIs(ctx, deref(p.SuccessorID)) },
		func(q *Repo) (err error) { sessions, err = q.ListSessionsOfUser(ctx, []string{p.ID}); return err },
		func(q *Repo) (err error) { row, err = q.DeleteUser(ctx, p); return err },
	)
	return row, sessions, err
}
