package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// CreateTeam returns pgx.ErrNoRows where the limit is reached.
func (r *Repo) CreateTeam(ctx context.Context, p dbgen.CreateTeamParams) (row dbgen.Team, err error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) (err error) { row, err = q.Queries.CreateTeam(ctx, p); return err },
	)
	return row, r.made("team", p.ID, err)
}

func (r *Repo) UpdateTeam(ctx context.Context, p dbgen.UpdateTeamParams) (dbgen.Team, error) {
	p.Now = r.Now()
	return r.Queries.UpdateTeam(ctx, p)
}

func (r *Repo) RecountTeamMembers(ctx context.Context, p dbgen.RecountTeamMembersParams) (n int64, err error) {
	p.Now = r.Now()
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) (err error) { n, err = q.Queries.RecountTeamMembers(ctx, p); return err },
	)
	return n, err
}

func (r *Repo) DeleteTeam(ctx context.Context, p dbgen.DeleteTeamParams) (outcome string, err error) {
	p.Now = r.Now()
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) error {
			return q.LockTeam(ctx, dbgen.LockTeamParams{ID: p.ID, OrganizationID: p.OrganizationID})
		},
		func(q *Repo) (err error) { outcome, err = q.Queries.DeleteTeam(ctx, p); return err },
	)
	return outcome, err
}

func (r *Repo) CreateTeamMembers(ctx context.Context, p dbgen.CreateTeamMembersParams) (string, error) {
	p.Ids, p.Now = make([]string, len(p.UserIds)), r.Now()
	for i := range p.Ids {
		p.Ids[i] = r.sources.ID()
	}
	return r.Queries.CreateTeamMembers(ctx, p)
}

// JoinTeam makes every one of p.UserIds, each there once, a member of a team, or nobody. It returns the rows in that
// order, also of those who were members already.
func (r *Repo) JoinTeam(
	ctx context.Context, p dbgen.CreateTeamMembersParams,
) (rows []dbgen.TeamMember, outcome string, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) error {
			return q.LockMembership(ctx, dbgen.LockMembershipParams{OrganizationID: p.OrganizationID, UserIds: p.UserIds})
		},
		func(q *Repo) error {
			return q.LockTeamToJoin(ctx, dbgen.LockTeamToJoinParams{ID: p.TeamID, OrganizationID: p.OrganizationID})
		},
		func(q *Repo) error {
			return q.LockSeats(ctx, dbgen.LockSeatsParams{TeamID: p.TeamID, UserIds: p.UserIds})
		},
		func(q *Repo) (err error) { outcome, err = q.CreateTeamMembers(ctx, p); return err },
		func(q *Repo) (err error) {
			rows, err = q.ListTeamMembersOfUsers(ctx, dbgen.ListTeamMembersOfUsersParams{
				OrganizationID: p.OrganizationID, TeamID: p.TeamID, UserIds: p.UserIds,
			})
			return err
		},
	)
	return rows, outcome, err
}

func (r *Repo) DeleteTeamMember(ctx context.Context, p dbgen.DeleteTeamMemberParams) (n int64, err error) {
	p.Now = r.Now()
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) error {
			return q.LockTeamMember(ctx, dbgen.LockTeamMemberParams{
				ID: p.ID, TeamID: p.TeamID, UserID: p.UserID, OrganizationID: p.OrganizationID,
			})
		},
		func(q *Repo) (err error) { n, err = q.Queries.DeleteTeamMember(ctx, p); return err },
	)
	return n, err
}
