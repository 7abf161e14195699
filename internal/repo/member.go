package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// CreateMember returns pgx.ErrNoRows where the limit is reached.
func (r *Repo) CreateMember(ctx context.Context, p dbgen.CreateMemberParams) (row dbgen.Member, err error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) (err error) { row, err = q.Queries.CreateMember(ctx, p); return err },
	)
	return row, r.made("member", p.ID, err)
}

// CreateMembers copies the rows in, all or none, and returns them in order.
func (r *Repo) CreateMembers(ctx context.Context, rows []dbgen.CreateMembersParams) ([]dbgen.Member, error) {
	now := r.Now()
	created := make([]dbgen.Member, len(rows))
	for i := range rows {
		rows[i].ID, rows[i].CreatedAt = r.sources.ID(), now
		created[i] = dbgen.Member(rows[i])
	}
	err := r.whole(ctx, func() error {
		_, err := r.Queries.CreateMembers(ctx, rows)
		return err
	})
	return created, madeFirst(r, "member", created, func(row dbgen.Member) string { return row.ID }, err)
}

func (r *Repo) UpdateMember(ctx context.Context, p dbgen.UpdateMemberParams) (int64, error) {
	p.OwnerPattern = ownerPattern
	return r.Queries.UpdateMember(ctx, p)
}

// ChangeMember returns the member as it is then, and false if the change would leave no owner; pgx.ErrNoRows if there
// is no such member.
func (r *Repo) ChangeMember(
	ctx context.Context, p dbgen.UpdateMemberParams,
) (row dbgen.Member, done bool, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) error {
			n, err := q.UpdateMember(ctx, p)
			done = n > 0
			return err
		},
		func(q *Repo) (err error) {
			row, err = q.GetMember(ctx, dbgen.GetMemberParams{ID: p.ID, OrganizationID: p.OrganizationID})
			return err
		},
	)
	return row, done, err
}

func (r *Repo) DeleteMember(ctx context.Context, p dbgen.DeleteMemberParams) (outcome string, err error) {
	p.Now, p.OwnerPattern = r.Now(), ownerPattern
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) error {
			return q.LockMember(ctx, dbgen.LockMemberParams{
				OrganizationID: p.OrganizationID, ID: p.ID, UserID: p.UserID,
			})
		},
		func(q *Repo) (err error) { outcome, err = q.Queries.DeleteMember(ctx, p); return err },
	)
	return outcome, err
}
