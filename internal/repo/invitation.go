package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateInvitation(ctx context.Context, p dbgen.CreateInvitationParams) (dbgen.Invitation, error) {
	p.ID, p.Now, p.ExpiresAt = r.sources.ID(), r.Now(), utc(p.ExpiresAt)
	return r.Queries.CreateInvitation(ctx, p)
}

func (r *Repo) GetPendingInvitation(
	ctx context.Context, p dbgen.GetPendingInvitationParams,
) (dbgen.Invitation, error) {
	p.Now = r.Now()
	return r.Queries.GetPendingInvitation(ctx, p)
}

func (r *Repo) ListInvitations(
	ctx context.Context, p dbgen.ListInvitationsParams,
) ([]dbgen.ListInvitationsRow, error) {
	p.Now = r.Now()
	return r.Queries.ListInvitations(ctx, p)
}

func (r *Repo) ListInvitationsByEmail(
	ctx context.Context, p dbgen.ListInvitationsByEmailParams,
) ([]dbgen.ListInvitationsByEmailRow, error) {
	p.Now = r.Now()
	return r.Queries.ListInvitationsByEmail(ctx, p)
}

func (r *Repo) CountInvitations(ctx context.Context, p dbgen.CountInvitationsParams) (int64, error) {
	p.Now = r.Now()
	return r.Queries.CountInvitations(ctx, p)
}

func (r *Repo) UpdateInvitation(ctx context.Context, p dbgen.UpdateInvitationParams) (dbgen.Invitation, error) {
	p.ExpiresAt = utcPtr(p.ExpiresAt)
	return r.Queries.UpdateInvitation(ctx, p)
}

func (r *Repo) ListInvitationsByOrganizations(
	ctx context.Context, p dbgen.ListInvitationsByOrganizationsParams,
) ([]dbgen.ListInvitationsByOrganizationsRow, error) {
	p.Now = r.Now()
	return r.Queries.ListInvitationsByOrganizations(ctx, p)
}

func (r *Repo) PickInvitationsByOrganizations(
	ctx context.Context, p dbgen.PickInvitationsByOrganizationsParams,
) ([]dbgen.PickInvitationsByOrganizationsRow, error) {
	p.Now = r.Now()
	return r.Queries.PickInvitationsByOrganizations(ctx, p)
}

func (r *Repo) ListInvitationsByInviters(
	ctx context.Context, p dbgen.ListInvitationsByInvitersParams,
) ([]dbgen.ListInvitationsByInvitersRow, error) {
	p.Now = r.Now()
	return r.Queries.ListInvitationsByInviters(ctx, p)
}

func (r *Repo) PickInvitationsByInviters(
	ctx context.Context, p dbgen.PickInvitationsByInvitersParams,
) ([]dbgen.PickInvitationsByInvitersRow, error) {
	p.Now = r.Now()
	return r.Queries.PickInvitationsByInviters(ctx, p)
}
