package authdb

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// OrganizationWith selects the relations of [OrganizationRepository.Load].
type OrganizationWith struct {
	Members            Rows // with their users
	Teams              Rows
	TeamMembers        Rows // of each of Teams, with their users; alone, it asks for all teams
	Invitations        Rows // with their inviters
	PendingInvitations bool // of Invitations only those that are pending and have not expired
}

// OrganizationWithRelations is an organization and what belongs to it. A relation is nil if it was not asked for, and
// empty if there are no rows; its order is that of created_at and id, from the end that [Rows] says.
type OrganizationWithRelations struct {
	Organization
	Members     []MemberWithUser
	Teams       []TeamWithRelations // with Members as TeamMembers asks; their Organization is nil
	Invitations []InvitationWithInviter
}

// GetFull returns the organization with that id and the relations that with asks for, all as of one moment and in one
// round trip. It returns [ErrNotFound] or [ErrInvalidInput].
func (r *OrganizationRepository) GetFull(ctx context.Context, organizationID string, with OrganizationWith) (OrganizationWithRelations, error) {
	l := &loader{op: "Organizations.GetFull", faults: []fault{id("id", organizationID)}}
	var org dbgen.Organization
	l.queries = append(l.queries, func(r *repo.Repo) (err error) {
		org, err = r.GetOrganization(ctx, organizationID)
		return err
	})
	attach := organizationRelations(ctx, l, []string{organizationID}, with)
	if err := l.run(ctx, r.repo); err != nil {
		return OrganizationWithRelations{}, err
	}
	return attach(Organization(org)), nil
}

// GetFullBySlug is GetFull by slug. It takes a second round trip, for the id.
func (r *OrganizationRepository) GetFullBySlug(ctx context.Context, slug string, with OrganizationWith) (OrganizationWithRelations, error) {
	org, err := r.GetBySlug(ctx, slug)
	if err != nil {
		return OrganizationWithRelations{}, err
	}
	return r.GetFull(ctx, org.ID, with)
}

// Load brings the relations of an organization that with asks for, in one round trip and as of one moment. The
// organization itself was read before that moment; see [OrganizationRepository.GetFull]. In a transaction, Load runs
// there and sees what the transaction's isolation shows. It returns [ErrInvalidInput].
func (r *OrganizationRepository) Load(ctx context.Context, org Organization, with OrganizationWith) (OrganizationWithRelations, error) {
	return first(r.load(ctx, "Organizations.Load", []Organization{org}, with))
}

// LoadMany is Load for any number of organizations, in their order, still in one round trip.
func (r *OrganizationRepository) LoadMany(ctx context.Context, orgs []Organization, with OrganizationWith) ([]OrganizationWithRelations, error) {
	return r.load(ctx, "Organizations.LoadMany", orgs, with)
}

func (r *OrganizationRepository) load(
	ctx context.Context, op string, orgs []Organization, with OrganizationWith,
) ([]OrganizationWithRelations, error) {
	return loadMany(ctx, op, r.repo, orgs, func(o Organization) string { return o.ID },
		func(l *loader, ids []string) func(Organization) OrganizationWithRelations {
			return organizationRelations(ctx, l, ids, with)
		})
}

func organizationRelations(
	ctx context.Context, l *loader, ids []string, with OrganizationWith,
) func(Organization) OrganizationWithRelations {
	if with.TeamMembers.asked && !with.Teams.asked {
		with.Teams = All()
	}
	members := toMany(l, "members", with.Members, func(m *MemberWithUser) string { return m.OrganizationID }, func(r *repo.Repo) ([]MemberWithUser, error) {
		if with.Members.isAll() {
			rows, err := r.ListMembersByOrganizations(ctx, ids)
			return each(rows, memberWithUser, err), err
		}
		rows, err := r.PickMembersByOrganizations(ctx, dbgen.PickMembersByOrganizationsParams{
			OrganizationIds: ids, Newest: with.Members.newest, RowLimit: with.Members.rowLimit(),
		})
		return each(rows, memberWithUser, err), err
	})
	teams := toMany(l, "teams", with.Teams, func(t *TeamWithRelations) string { return t.OrganizationID }, func(r *repo.Repo) ([]TeamWithRelations, error) {
		if with.Teams.isAll() {
			rows, err := r.ListTeamsByOrganizations(ctx, ids)
			return each(rows, teamAlone, err), err
		}
		rows, err := r.PickTeamsByOrganizations(ctx, dbgen.PickTeamsByOrganizationsParams{
			OrganizationIds: ids, Newest: with.Teams.newest, RowLimit: with.Teams.rowLimit(),
		})
		return each(rows, teamAlone, err), err
	})
	teamMembers := toMany(l, "team_members", with.TeamMembers, func(m *TeamMemberWithUser) string { return m.TeamID }, func(r *repo.Repo) ([]TeamMemberWithUser, error) {
		if with.TeamMembers.isAll() && with.Teams.isAll() {
			rows, err := r.ListTeamMembersByOrganizations(ctx, ids)
			return each(rows, teamMemberWithUser, err), err
		}
		rows, err := r.PickTeamMembersByOrganizations(ctx, dbgen.PickTeamMembersByOrganizationsParams{
			OrganizationIds: ids, NewestTeams: with.Teams.newest, TeamLimit: new(with.Teams.rowLimit()),
			Newest: with.TeamMembers.newest, RowLimit: new(with.TeamMembers.rowLimit()),
		})
		return each(rows, teamMemberWithUser, err), err
	})
	invitations := toMany(l, "invitations", with.Invitations, func(i *InvitationWithInviter) string { return i.OrganizationID }, func(r *repo.Repo) ([]InvitationWithInviter, error) {
		if with.Invitations.isAll() {
			rows, err := r.ListInvitationsByOrganizations(ctx, dbgen.ListInvitationsByOrganizationsParams{
				OrganizationIds: ids, Pending: with.PendingInvitations,
			})
			return each(rows, invitationWithInviter, err), err
		}
		rows, err := r.PickInvitationsByOrganizations(ctx, dbgen.PickInvitationsByOrganizationsParams{
			OrganizationIds: ids, Pending: with.PendingInvitations,
			Newest: with.Invitations.newest, RowLimit: with.Invitations.rowLimit(),
		})
		return each(rows, invitationWithInviter, err), err
	})
	return func(o Organization) OrganizationWithRelations {
		full := OrganizationWithRelations{
			Organization: o, Members: members.of(o.ID), Teams: teams.of(o.ID), Invitations: invitations.of(o.ID),
		}
		for i := range full.Teams {
			full.Teams[i].Members = teamMembers.of(full.Teams[i].ID)
		}
		return full
	}
}
