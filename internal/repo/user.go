package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateUser(ctx context.Context, name string, p dbgen.CreateUserParams) (row dbgen.User, err error) {
	name = about(ctx, name, p)
	p.ID, p.Now = r.idOr(p.ID), r.Now()
	done, err := r.write(ctx, name, Key{"user", p.ID}, ask((*queries).CreateUser, p, &row))
	if done != "" {
		return Read(ctx, r, name, (*queries).GetUser, done)
	}
	return row, err
}

// CreateUserWithAccount makes both rows or neither. It sets the account's user and stamps, and the account_id of a
// credential account, which is the user's id.
func (r *Repo) CreateUserWithAccount(
	ctx context.Context, name string, u dbgen.CreateUserParams, a dbgen.CreateAccountParams,
) (user dbgen.User, account dbgen.Account, err error) {
	name = about(ctx, name, args[dbgen.CreateUserParams, dbgen.CreateAccountParams]{u, a})
	u.ID, u.Now = r.idOr(u.ID), r.Now()
	a.ID, a.UserID, a.Now = r.idOr(a.ID), u.ID, u.Now
	a.AccessTokenExpiresAt, a.RefreshTokenExpiresAt = UTC(a.AccessTokenExpiresAt), UTC(a.RefreshTokenExpiresAt)
	isCredential := a.AccountID == ""
	if isCredential {
		a.AccountID = u.ID
	}
	done, err := r.write(ctx, name, Key{"user", u.ID},
		ask((*queries).CreateUser, u, &user), ask((*queries).CreateAccount, a, &account))
	if done != "" {
		if isCredential {
			a.AccountID = done
		}
		err = r.Snapshot(ctx, name, ask((*queries).GetUser, done, &user),
			ask((*queries).GetLinkedAccount, dbgen.GetLinkedAccountParams{
				ProviderID: a.ProviderID, AccountID: a.AccountID, UserID: done,
			}, &account))
	}
	return user, account, err
}

// CreateUsers makes all rows or none, and returns them in order.
func (r *Repo) CreateUsers(ctx context.Context, name string, rows []dbgen.User) ([]dbgen.User, error) {
	name = about(ctx, name, rows)
	p := dbgen.CreateUsersParams{Now: r.Now()}
	for i := range rows {
		u := &rows[i]
		u.ID, u.CreatedAt, u.UpdatedAt = r.idOr(u.ID), p.Now, p.Now
		p.Ids, p.Names, p.Emails = append(p.Ids, u.ID), append(p.Names, u.Name), append(p.Emails, u.Email)
		p.EmailsVerified, p.Images = append(p.EmailsVerified, u.EmailVerified), append(p.Images, u.Image)
	}
	var missing int32
	return rows, short(r.writeOnce(ctx, name, last("user", p.Ids), ask((*queries).CreateUsers, p, &missing)))
}

// VerifyUserEmail returns the user and the sessions that end. It waits for sign-ins, and later ones wait for it.
func (r *Repo) VerifyUserEmail(
	ctx context.Context, name string, p dbgen.VerifyUserEmailParams,
) (row dbgen.User, revoked []dbgen.Session, err error) {
	name = about(ctx, name, p)
	p.Now = r.Now()
	steps := []Step{lock((*queries).LockUser, p.ID)}
	if r.Plugins.APIKeys && !p.KeepAccess {
		keys := dbgen.DeleteAPIKeysOfUnverifiedParams{ID: p.ID, Email: p.Email}
		steps = append(steps, ask((*queries).DeleteAPIKeysOfUnverified, keys, new(int64)))
	}
	steps = append(steps, ask((*queries).DeleteSessionsOfUnverified, dbgen.DeleteSessionsOfUnverifiedParams{
		UserID: p.ID, Email: p.Email, KeepAccess: p.KeepAccess,
	}, &revoked), verdict((*queries).VerifyUserEmail, p))
	err = r.writeThenRead(ctx, name, ask((*queries).GetUser, p.ID, &row), steps...)
	return row, revoked, err
}

// DeleteUser deletes a user, while nobody can sign in as that user or make it a member, and returns its sessions. If it
// refuses, the row names the organizations that are in the way.
func (r *Repo) DeleteUser(
	ctx context.Context, name string, p dbgen.DeleteUserParams,
) (row dbgen.DeleteUserRow, sessions []dbgen.Session, err error) {
	name = about(ctx, name, p)
	p.Now, p.Seed, p.OwnerPattern, p.OwnerRole = r.Now(), r.sources.ID(), r.owners, r.other.CreatorRole
	organizations := lock((*queries).LockOrganizationsOfUser, p.ID)
	if p.DeleteOrganizations {
		organizations = lock((*queries).LockOrganizationsOfUserToDelete, p.ID)
	}
	err = r.writeOnce(ctx, name, Key{}, append([]Step{
		organizations,
		lock((*queries).LockMembersOfUser, p.ID),
		lock((*queries).LockPendingInvitationsOfUser, dbgen.LockPendingInvitationsOfUserParams{
			UserID: p.ID, SuccessorID: deref(p.SuccessorID),
		}),
		lock((*queries).LockUser, p.ID),
		organizations, // again: from now on the user cannot join another
		lock((*queries).LockUserAsIs, deref(p.SuccessorID)),
		ask((*queries).ListSessionsOfUser, []string{p.ID}, &sessions),
		judge((*queries).DeleteUser, p, &row, func(row dbgen.DeleteUserRow) string { return row.Outcome }),
	}, r.keysOfGone(p.ID)...)...)
	return row, sessions, err
}
