package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateOrganization(
	ctx context.Context, name string, p dbgen.CreateOrganizationParams,
) (dbgen.Organization, error) {
	name = about(ctx, name, p)
	p.ID, p.MemberID, p.TeamID, p.TeamMemberID = r.idOr(p.ID), r.sources.ID(), r.sources.ID(), r.sources.ID()
	p.Now = r.Now()
	var row dbgen.CreateOrganizationRow
	done, err := r.write(ctx, name, Key{"organization", p.ID}, ask((*queries).CreateOrganization, p, &row))
	if done != "" {
		return Read(ctx, r, name, (*queries).GetOrganization, done)
	}
	return dbgen.Organization(row), err
}

// DeleteOrganization returns the sessions in which the organization was the active one.
func (r *Repo) DeleteOrganization(ctx context.Context, name, id string) (sessions []dbgen.Session, err error) {
	name = about(ctx, name, id)
	err = r.writeOnce(ctx, name, Key{}, append([]Step{
		lock((*queries).LockOrganizationToDelete, id),
		ask((*queries).ClearActiveOrganization, dbgen.ClearActiveOrganizationParams{
			OrganizationID: id, Now: r.Now(),
		}, &sessions),
		verdict((*queries).DeleteOrganization, id),
	}, r.keysOfGone(id)...)...)
	return sessions, err
}
