package authdb

import (
	"context"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// OrganizationWith selects the relations of [OrganizationRepository.GetFull].
type OrganizationWith struct {
	Members            Rows // with their users
	Teams              Rows
	TeamMembers        Rows // of each of Teams, with their users; without Teams, of all teams
	Invitations        Rows // with their inviters
	PendingInvitations bool // of Invitations only those that are pending and have not expired
}

// OrganizationWithRelations is an organization and what belongs to it. A relation is nil if it was not asked for, and
// empty if there are no rows. It is ordered by created_at and id, from the end that [Rows] says.
type OrganizationWithRelations struct {
	Organization
	Members     []MemberWithUser        `json:"members,omitzero"`
	Teams       []TeamWithRelations     `json:"teams,omitzero"` // with Members as TeamMembers asks
	Invitations []InvitationWithInviter `json:"invitations,omitzero"`
}

// GetFull returns the organization with that id and the relations in with, all as of one moment and in one round trip.
// In a transaction it sees what the transaction's isolation shows. It returns [ErrNotFound] or [ErrInvalidInput].
func (r OrganizationRepository) GetFull(
	ctx context.Context, organizationID string, with OrganizationWith,
) (OrganizationWithRelations, error) {
	return getFull(ctx, "Organizations.GetFull", r.repo(), (*queries).GetOrganization, organizationID, toOrganization,
		func(l *loader) func(Organization) OrganizationWithRelations {
			return organizationRelations(l, []string{organizationID}, with, r.repo().Now())
		}, id("organization_id", organizationID))
}

// Load is GetFull for any number of organizations that were read before, in their order, still in one round trip and
// as of one moment. It returns [ErrInvalidInput].
func (r OrganizationRepository) Load(
	ctx context.Context, orgs []Organization, with OrganizationWith,
) ([]OrganizationWithRelations, error) {
	return load(ctx, "Organizations.Load", r.repo(), orgs, func(l *loader) func(Organization) OrganizationWithRelations {
		ids := keysOf(l, orgs, func(o Organization) string { return o.ID })
		return organizationRelations(l, ids, with, r.repo().Now())
	})
}

func organizationRelations(
	l *loader, ids []string, with OrganizationWith, now time.Time,
) func(Organization) OrganizationWithRelations {
	if with.TeamMembers.asked && !with.Teams.asked {
		with.Teams = All()
	}
	members := toMany(l, "members", with.Members, with.Members.isAll(),
		func(m *MemberWithUser) string { return m.OrganizationID },
		(*queries).ListMembersByOrganizations, ids, memberWithUser,
		(*queries).PickMembersByOrganizations, dbgen.PickMembersByOrganizationsParams{
			OrganizationIds: ids, Newest: with.Members.newest, RowLimit: with.Members.rowLimit(),
		}, memberWithUser)
	teams := toMany(l, "teams", with.Teams, with.Teams.isAll(),
		func(t *TeamWithRelations) string { return t.OrganizationID },
		(*queries).ListTeamsByOrganizations, ids, teamAlone,
		(*queries).PickTeamsByOrganizations, dbgen.PickTeamsByOrganizationsParams{
			OrganizationIds: ids, Newest: with.Teams.newest, RowLimit: with.Teams.rowLimit(),
		}, teamAlone)
	teamMembers := toMany(l, "team_members", with.TeamMembers, with.TeamMembers.isAll() && with.Teams.isAll(),
		func(m *TeamMemberWithUser) string { return m.TeamID },
		(*queries).ListTeamMembersByOrganizations, ids, teamMemberWithUser,
		(*queries).PickTeamMembersByOrganizations, dbgen.PickTeamMembersByOrganizationsParams{
			OrganizationIds: ids, NewestTeams: with.Teams.newest, TeamLimit: new(with.Teams.rowLimit()),
			Newest: with.TeamMembers.newest, RowLimit: new(with.TeamMembers.rowLimit()),
		}, teamMemberWithUser)
	invitations := toMany(l, "invitations", with.Invitations, with.Invitations.isAll(),
		func(i *InvitationWithInviter) string { return i.OrganizationID },
		(*queries).ListInvitationsByOrganizations, dbgen.ListInvitationsByOrganizationsParams{
			OrganizationIds: ids, Pending: with.PendingInvitations, Now: now,
		}, invitationWithInviter,
		(*queries).PickInvitationsByOrganizations, dbgen.PickInvitationsByOrganizationsParams{
			OrganizationIds: ids, Pending: with.PendingInvitations, Now: now,
			Newest: with.Invitations.newest, RowLimit: with.Invitations.rowLimit(),
		}, invitationWithInviter)
	return func(o Organization) OrganizationWithRelations {
		full := OrganizationWithRelations{o, members.Of(o.ID), teams.Of(o.ID), invitations.Of(o.ID)}
		for i := range full.Teams {
			full.Teams[i].Members = teamMembers.Of(full.Teams[i].ID)
		}
		return full
	}
}
