package authdb

import (
	"context"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// UserWith selects the relations of [UserRepository.GetFull].
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
// are no rows. It is ordered by created_at and id, from the end that [Rows] says.
type UserWithRelations struct {
	User
	Sessions    []Session                    `json:"sessions,omitzero"`
	Accounts    []Account                    `json:"accounts,omitzero"`
	Members     []MemberWithOrganization     `json:"members,omitzero"`
	TeamMembers []TeamMemberWithTeam         `json:"teamMembers,omitzero"`
	Invitations []InvitationWithOrganization `json:"invitations,omitzero"`
}

// GetFull returns the user with that id and the relations in with, all as of one moment and in one round trip. In a
// transaction it sees what the transaction's isolation shows. It returns [ErrNotFound] or [ErrInvalidInput].
func (r UserRepository) GetFull(ctx context.Context, userID string, with UserWith) (UserWithRelations, error) {
	return getFull(ctx, "Users.GetFull", r.repo(), (*queries).GetUser, userID, toUser,
		func(l *loader) func(User) UserWithRelations {
			return userRelations(l, []string{userID}, with, r.repo().Now())
		}, id("user_id", userID))
}

// Load is GetFull for any number of users that were read before, in their order, still in one round trip and as of one
// moment. It returns [ErrInvalidInput].
func (r UserRepository) Load(ctx context.Context, users []User, with UserWith) ([]UserWithRelations, error) {
	return load(ctx, "Users.Load", r.repo(), users, func(l *loader) func(User) UserWithRelations {
		return userRelations(l, keysOf(l, users, func(u User) string { return u.ID }), with, r.repo().Now())
	})
}

func userRelations(l *loader, ids []string, with UserWith, now time.Time) func(User) UserWithRelations {
	sessions := toMany(l, "sessions", with.Sessions, with.Sessions.isAll(),
		func(s *Session) string { return s.UserID },
		(*queries).ListSessionsByUsers, dbgen.ListSessionsByUsersParams{
			UserIds: ids, Live: with.LiveSessions, Now: now,
		}, toSession,
		(*queries).PickSessionsByUsers, dbgen.PickSessionsByUsersParams{
			UserIds: ids, Live: with.LiveSessions, Now: now,
			Newest: with.Sessions.newest, RowLimit: with.Sessions.rowLimit(),
		}, toSession)
	accounts := toMany(l, "accounts", with.Accounts, with.Accounts.isAll(),
		func(a *Account) string { return a.UserID },
		(*queries).ListAccountsByUsers, ids, toAccount,
		(*queries).PickAccountsByUsers, dbgen.PickAccountsByUsersParams{
			UserIds: ids, Newest: with.Accounts.newest, RowLimit: with.Accounts.rowLimit(),
		}, toAccount)
	members := toMany(l, "members", with.Members, with.Members.isAll(),
		func(m *MemberWithOrganization) string { return m.UserID },
		(*queries).ListMembersByUsers, ids, memberWithOrganization,
		(*queries).PickMembersByUsers, dbgen.PickMembersByUsersParams{
			UserIds: ids, Newest: with.Members.newest, RowLimit: with.Members.rowLimit(),
		}, memberWithOrganization)
	teamMembers := toMany(l, "team_members", with.TeamMembers, with.TeamMembers.isAll(),
		func(m *TeamMemberWithTeam) string { return m.UserID },
		(*queries).ListTeamMembersByUsers, ids, teamMemberWithTeam,
		(*queries).PickTeamMembersByUsers, dbgen.PickTeamMembersByUsersParams{
			UserIds: ids, Newest: with.TeamMembers.newest, RowLimit: with.TeamMembers.rowLimit(),
		}, teamMemberWithTeam)
	invitations := toMany(l, "invitations", with.Invitations, with.Invitations.isAll(),
		func(i *InvitationWithOrganization) string { return i.InviterID },
		(*queries).ListInvitationsByInviters, dbgen.ListInvitationsByInvitersParams{
			InviterIds: ids, Pending: with.PendingInvitations, Now: now,
		}, invitationWithOrganization,
		(*queries).PickInvitationsByInviters, dbgen.PickInvitationsByInvitersParams{
			InviterIds: ids, Pending: with.PendingInvitations, Now: now,
			Newest: with.Invitations.newest, RowLimit: with.Invitations.rowLimit(),
		}, invitationWithOrganization)
	return func(u User) UserWithRelations {
		return UserWithRelations{
			u, sessions.Of(u.ID), accounts.Of(u.ID), members.Of(u.ID), teamMembers.Of(u.ID), invitations.Of(u.ID),
		}
	}
}
