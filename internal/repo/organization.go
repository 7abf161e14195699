package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateOrganization(
	ctx context.Context, p dbgen.CreateOrganizationParams,
) (dbgen.CreateOrganizationRow, error) {
	p.ID, p.MemberID, p.TeamID, p.TeamMemberID = r.sources.ID(), r.sources.ID(), r.sources.ID(), r.sources.ID()
	p.Now = r.Now()
	row, err := r.Queries.CreateOrganization(ctx, p)
	return row, r.made("organization", p.ID, err)
}

// RemoveOrganization deletes an organization and returns the sessions in which it was active, and how many
// organizations that were: one or none.
func (r *Repo) RemoveOrganization(ctx context.Context, id string) (sessions []dbgen.Session, rows int64, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganizationToDelete(ctx, id) },
		func(q *Repo) (err error) {
			sessions, err = q.ClearActiveOrganization(ctx, dbgen.ClearActiveOrganizationParams{OrganizationID: id})
			return err
		},
		func(q *Repo) (err error) { rows, err = q.DeleteOrganization(ctx, id); return err },
	)
	return sessions, rows, err
}
