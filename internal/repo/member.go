package repo

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateMember(ctx context.Context, p dbgen.CreateMemberParams) (dbgen.Member, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	return r.Queries.CreateMember(ctx, p)
}

// CreateMembers copies the rows in, all or none, and returns them in order.
func (r *Repo) CreateMembers(ctx context.Context, rows []dbgen.CreateMembersParams) ([]dbgen.Member, error) {
	now := r.Now()
	created := make([]dbgen.Member, len(rows))
	for i := range rows {
		rows[i].ID, rows[i].CreatedAt = r.sources.ID(), now
		created[i] = dbgen.Member(rows[i])
	}
	_, err := r.Queries.CreateMembers(ctx, rows)
	return created, err
}

func (r *Repo) CreateTeamMember(ctx context.Context, p dbgen.CreateTeamMemberParams) (dbgen.TeamMember, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	return r.Queries.CreateTeamMember(ctx, p)
}

// CreateTeamMembers inserts a row for each of p.UserIds, all or none, and returns them in that order. It returns
// pgx.ErrNoRows where the organization has no such team.
func (r *Repo) CreateTeamMembers(
	ctx context.Context, p dbgen.CreateTeamMembersParams,
) ([]dbgen.TeamMember, error) {
	p.Ids, p.Now = make([]string, len(p.UserIds)), r.Now()
	created := make([]dbgen.TeamMember, len(p.UserIds))
	for i, userID := range p.UserIds {
		p.Ids[i] = r.sources.ID()
		created[i] = dbgen.TeamMember{ID: p.Ids[i], TeamID: p.TeamID, UserID: userID, CreatedAt: new(p.Now)}
	}
	n, err := r.Queries.CreateTeamMembers(ctx, p)
	if err == nil && int(n) != len(created) {
		err = pgx.ErrNoRows
	}
	return created, err
}
