package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateMember(
	ctx context.Context, name string, p dbgen.CreateMemberParams,
) (row dbgen.Member, err error) {
	name = about(ctx, name, p)
	p.ID, p.Now = r.idOr(p.ID), r.Now()
	read := dbgen.GetMemberParams{ID: p.ID, OrganizationID: p.OrganizationID}
	done, err := r.write(ctx, name, Key{"member", p.ID},
		lock((*queries).LockOrganization, p.OrganizationID),
		verdict((*queries).CreateMember, p),
		ask((*queries).GetMember, read, &row))
	if done != "" {
		read.ID = done
		return Read(ctx, r, name, (*queries).GetMember, read)
	}
	return row, err
}

// CreateMembers makes all rows or none, and returns them in order. limits are, for each row, how many members its
// organization may have.
func (r *Repo) CreateMembers(
	ctx context.Context, name string, rows []dbgen.Member, limits []int64,
) ([]dbgen.Member, error) {
	name = about(ctx, name, args[[]dbgen.Member, []int64]{rows, limits})
	p := dbgen.CreateMembersParams{Now: r.Now(), MaxMembers: limits}
	for i := range rows {
		m := &rows[i]
		m.ID, m.CreatedAt = r.idOr(m.ID), p.Now
		p.Ids, p.OrganizationIds = append(p.Ids, m.ID), append(p.OrganizationIds, m.OrganizationID)
		p.UserIds, p.Roles = append(p.UserIds, m.UserID), append(p.Roles, m.Role)
	}
	return rows, short(r.writeOnce(ctx, name, last("member", p.Ids),
		lock((*queries).LockOrganizations, p.OrganizationIds), verdict((*queries).CreateMembers, p)))
}

func (r *Repo) UpdateMember(
	ctx context.Context, name string, p dbgen.UpdateMemberParams,
) (row dbgen.Member, err error) {
	name = about(ctx, name, p)
	p.OwnerPattern = r.owners
	read := dbgen.GetMemberParams{ID: p.ID, OrganizationID: p.OrganizationID}
	err = r.writeThenRead(ctx, name, ask((*queries).GetMember, read, &row),
		lock((*queries).LockOrganization, p.OrganizationID), verdict((*queries).UpdateMember, p))
	return row, err
}

func (r *Repo) DeleteMember(ctx context.Context, name string, p dbgen.DeleteMemberParams) error {
	name = about(ctx, name, p)
	p.Now, p.OwnerPattern = r.Now(), r.owners
	_, err := r.write(ctx, name, Key{},
		lock((*queries).LockOrganization, p.OrganizationID),
		lock((*queries).LockMember, dbgen.LockMemberParams{OrganizationID: p.OrganizationID, ID: p.ID, UserID: p.UserID}),
		verdict((*queries).DeleteMember, p))
	return err
}
