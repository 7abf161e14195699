package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateMember(
	ctx context.Context, name string, p dbgen.CreateMemberParams,
) (row dbgen.Member, err error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	read := dbgen.GetMemberParams{ID: p.ID, OrganizationID: p.OrganizationID}
	done, err := r.write(ctx, name, Key{"member", p.ID},
		lock((*queries).LockOrganization, p.OrganizationID),
		verdict((*queries).CreateMember, p),
		ask((*queries).GetMember, read, &row))
	if done != "" {
		read.ID = done
		return Read(ctx, r, (*queries).GetMember, read)
	}
	return row, err
}

// CreateMembers copies the rows in, all or none, and returns them in order.
func (r *Repo) CreateMembers(
	ctx context.Context, name string, rows []dbgen.CreateMembersParams,
) ([]dbgen.Member, error) {
	now := r.Now()
	var made Key
	created := make([]dbgen.Member, len(rows))
	for i := range rows {
		rows[i].ID, rows[i].CreatedAt = r.sources.ID(), now
		created[i] = dbgen.Member(rows[i])
		made = Key{"member", rows[i].ID}
	}
	return created, r.writeOnce(ctx, name, made, copyIn((*queries).CreateMembers, rows))
}

func (r *Repo) UpdateMember(
	ctx context.Context, name string, p dbgen.UpdateMemberParams,
) (row dbgen.Member, err error) {
	p.OwnerPattern = ownerPattern
	read := dbgen.GetMemberParams{ID: p.ID, OrganizationID: p.OrganizationID}
	err = r.writeThenRead(ctx, name, ask((*queries).GetMember, read, &row),
		lock((*queries).LockOrganization, p.OrganizationID), verdict((*queries).UpdateMember, p))
	return row, err
}

func (r *Repo) DeleteMember(ctx context.Context, name string, p dbgen.DeleteMemberParams) error {
	p.Now, p.OwnerPattern = r.Now(), ownerPattern
	_, err := r.write(ctx, name, Key{},
		lock((*queries).LockOrganization, p.OrganizationID),
		lock((*queries).LockMember, dbgen.LockMemberParams{OrganizationID: p.OrganizationID, ID: p.ID, UserID: p.UserID}),
		verdict((*queries).DeleteMember, p))
	return err
}
