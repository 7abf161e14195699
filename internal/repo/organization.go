package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateOrganization(
	ctx context.Context, p dbgen.CreateOrganizationParams,
) (dbgen.CreateOrganizationRow, error) {
	p.ID, p.MemberID, p.Now = r.sources.ID(), r.sources.ID(), r.Now()
	return r.Queries.CreateOrganization(ctx, p)
}

func (r *Repo) CreateTeam(ctx context.Context, p dbgen.CreateTeamParams) (dbgen.Team, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	return r.Queries.CreateTeam(ctx, p)
}

func (r *Repo) UpdateTeam(ctx context.Context, p dbgen.UpdateTeamParams) (dbgen.Team, error) {
	p.Now = r.Now()
	return r.Queries.UpdateTeam(ctx, p)
}
