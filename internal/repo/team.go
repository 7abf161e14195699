package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateTeam(ctx context.Context, name string, p dbgen.CreateTeamParams) (row dbgen.Team, err error) {
	name = about(ctx, name, p)
	p.ID, p.Now = r.idOr(p.ID), r.Now()
	read := dbgen.GetTeamParams{ID: p.ID, OrganizationID: p.OrganizationID}
	done, err := r.write(ctx, name, Key{"team", p.ID},
		lock((*queries).LockOrganization, p.OrganizationID),
		verdict((*queries).CreateTeam, p),
		ask((*queries).GetTeam, read, &row))
	if done != "" {
		read.ID = done
		return Read(ctx, r, name, (*queries).GetTeam, read)
	}
	return row, err
}

func (r *Repo) RecountTeamMembers(ctx context.Context, name, organizationID string) (n int64, err error) {
	name = about(ctx, name, organizationID)
	err = r.writeOnce(ctx, name, Key{},
		lock((*queries).LockOrganization, organizationID),
		ask((*queries).RecountTeamMembers, dbgen.RecountTeamMembersParams{
			OrganizationID: organizationID, Now: r.Now(),
		}, &n))
	return n, err
}

func (r *Repo) DeleteTeam(ctx context.Context, name string, p dbgen.DeleteTeamParams) error {
	name = about(ctx, name, p)
	p.Now = r.Now()
	_, err := r.write(ctx, name, Key{},
		lock((*queries).LockOrganization, p.OrganizationID),
		lock((*queries).LockTeam, dbgen.LockTeamParams{ID: p.ID, OrganizationID: p.OrganizationID}),
		verdict((*queries).DeleteTeam, p))
	return err
}

// CreateTeamMembers makes all of p.UserIds, which are distinct, members of a team, or none. It returns the rows in that
// order, also of those who were members already.
func (r *Repo) CreateTeamMembers(
	ctx context.Context, name string, p dbgen.CreateTeamMembersParams,
) (rows []dbgen.TeamMember, err error) {
	name = about(ctx, name, p)
	p.Now = r.Now()
	for i, id := range p.Ids {
		p.Ids[i] = r.idOr(id)
	}
	err = r.writeThenRead(ctx, name, ask((*queries).ListTeamMembersOfUsers, dbgen.ListTeamMembersOfUsersParams{
		OrganizationID: p.OrganizationID, TeamID: p.TeamID, UserIds: p.UserIds,
	}, &rows),
		lock((*queries).LockOrganization, p.OrganizationID),
		lock((*queries).LockMembership, dbgen.LockMembershipParams{
			OrganizationID: p.OrganizationID, UserIds: p.UserIds,
		}),
		lock((*queries).LockTeamToJoin, dbgen.LockTeamToJoinParams{ID: p.TeamID, OrganizationID: p.OrganizationID}),
		verdict((*queries).CreateTeamMembers, p))
	return rows, short(err)
}

func (r *Repo) DeleteTeamMember(ctx context.Context, name string, p dbgen.DeleteTeamMemberParams) error {
	name = about(ctx, name, p)
	p.Now = r.Now()
	_, err := r.write(ctx, name, Key{},
		lock((*queries).LockOrganization, p.OrganizationID),
		lock((*queries).LockTeamMember, dbgen.LockTeamMemberParams{
			ID: p.ID, TeamID: p.TeamID, UserID: p.UserID, OrganizationID: p.OrganizationID,
		}),
		verdict((*queries).DeleteTeamMember, p))
	return err
}
