package authdb

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// UserWith selects the relations of [UserRepository.Load].
type UserWith struct {
	Sessions           Rows
	LiveSessions       bool // of Sessions only those that have not expired
	Accounts           Rows
	Members            Rows // memberships, with their organizations
	TeamMembers        Rows // team memberships, with their teams
	Invitations        Rows // sent by the user, with their organizations
	PendingInvitations bool // of Invitations only those that are pending and have not expired
}

// UserWithRelations is a user and what belongs to it. A relation is nil if it was not asked for, and empty if there
// are no rows; its order is that of created_at and id, from the end that [Rows] says.
type UserWithRelations struct {
	User
	Sessions    []Session
	Accounts    []Account
	Members     []MemberWithOrganization
	TeamMembers []TeamMemberWithTeam
	Invitations []InvitationWithOrganization
}

// Load brings the relations of a user that with asks for, in one round trip and as of one moment. The user itself was
// read before that moment. In a transaction, Load runs there and sees what the transaction's isolation shows. It
// returns [ErrInvalidInput].
func (r *UserRepository) Load(ctx context.Context, user User, with UserWith) (UserWithRelations, error) {
	return first(r.load(ctx, "Users.Load", []User{user}, with))
}

// LoadMany is Load for any number of users, in their order, still in one round trip.
func (r *UserRepository) LoadMany(ctx context.Context, users []User, with UserWith) ([]UserWithRelations, error) {
	return r.load(ctx, "Users.LoadMany", users, with)
}

func (r *UserRepository) load(ctx context.Context, op string, users []User, with UserWith) ([]UserWithRelations, error) {
	return loadMany(ctx, op, r.repo, users, func(u User) string { return u.ID },
		func(l *loader, ids []string) func(User) UserWithRelations { return userRelations(ctx, l, ids, with) })
}

func userRelations(ctx context.Context, l *loader, ids []string, with UserWith) func(User) UserWithRelations {
	sessions := toMany(l, "sessions", with.Sessions, func(s *Session) string { return s.UserID }, func(r *repo.Repo) ([]Session, error) {
		if with.Sessions.isAll() {
			rows, err := r.ListSessionsByUsers(ctx, dbgen.ListSessionsByUsersParams{UserIds: ids, Live: with.LiveSessions})
			return each(rows, toSession, err), err
		}
		rows, err := r.PickSessionsByUsers(ctx, dbgen.PickSessionsByUsersParams{
			UserIds: ids, Live: with.LiveSessions,
			Newest: with.Sessions.newest, RowLimit: with.Sessions.rowLimit(),
		})
		return each(rows, toSession, err), err
	})
	accounts := toMany(l, "accounts", with.Accounts, func(a *Account) string { return a.UserID }, func(r *repo.Repo) ([]Account, error) {
		if with.Accounts.isAll() {
			rows, err := r.ListAccountsByUsers(ctx, ids)
			return each(rows, toAccount, err), err
		}
		rows, err := r.PickAccountsByUsers(ctx, dbgen.PickAccountsByUsersParams{
			UserIds: ids, Newest: with.Accounts.newest, RowLimit: with.Accounts.rowLimit(),
		})
		return each(rows, toAccount, err), err
	})
	members := toMany(l, "members", with.Members, func(m *MemberWithOrganization) string { return m.UserID }, func(r *repo.Repo) ([]MemberWithOrganization, error) {
		if with.Members.isAll() {
			rows, err := r.ListMembersByUsers(ctx, ids)
			return each(rows, memberWithOrganization, err), err
		}
		rows, err := r.PickMembersByUsers(ctx, dbgen.PickMembersByUsersParams{
			UserIds: ids, Newest: with.Members.newest, RowLimit: with.Members.rowLimit(),
		})
		return each(rows, memberWithOrganization, err), err
	})
	teamMembers := toMany(l, "team_members", with.TeamMembers, func(m *TeamMemberWithTeam) string { return m.UserID }, func(r *repo.Repo) ([]TeamMemberWithTeam, error) {
		if with.TeamMembers.isAll() {
			rows, err := r.ListTeamMembersByUsers(ctx, ids)
			return each(rows, teamMemberWithTeam, err), err
		}
		rows, err := r.PickTeamMembersByUsers(ctx, dbgen.PickTeamMembersByUsersParams{
			UserIds: ids, Newest: with.TeamMembers.newest, RowLimit: with.TeamMembers.rowLimit(),
		})
		return each(rows, teamMemberWithTeam, err), err
	})
	invitations := toMany(l, "invitations", with.Invitations, func(i *InvitationWithOrganization) string { return i.InviterID }, func(r *repo.Repo) ([]InvitationWithOrganization, error) {
		if with.Invitations.isAll() {
			rows, err := r.ListInvitationsByInviters(ctx, dbgen.ListInvitationsByInvitersParams{
				InviterIds: ids, Pending: with.PendingInvitations,
			})
			return each(rows, invitationWithOrganization, err), err
		}
		rows, err := r.PickInvitationsByInviters(ctx, dbgen.PickInvitationsByInvitersParams{
			InviterIds: ids, Pending: with.PendingInvitations,
			Newest: with.Invitations.newest, RowLimit: with.Invitations.rowLimit(),
		})
		return each(rows, invitationWithOrganization, err), err
	})
	return func(u User) UserWithRelations {
		return UserWithRelations{
			User: u, Sessions: sessions.of(u.ID), Accounts: accounts.of(u.ID), Members: members.of(u.ID),
			TeamMembers: teamMembers.of(u.ID), Invitations: invitations.of(u.ID),
		}
	}
}
