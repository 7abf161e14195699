package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateInvitation(ctx context.Context, p dbgen.CreateInvitationParams) (string, error) {
	p.ID, p.Now, p.ExpiresAt, p.OwnerPattern = r.sources.ID(), r.Now(), utc(p.ExpiresAt), ownerPattern
	return r.Queries.CreateInvitation(ctx, p)
}

// Invite returns the one invitation that an address has pending then.
func (r *Repo) Invite(
	ctx context.Context, p dbgen.CreateInvitationParams,
) (row dbgen.Invitation, outcome string, err error) {
	p.ID, p.Now, p.ExpiresAt, p.OwnerPattern = r.sources.ID(), r.Now(), utc(p.ExpiresAt), ownerPattern
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganization(ctx, p.OrganizationID) },
		func(q *Repo) error {
			return q.LockMembership(ctx, dbgen.LockMembershipParams{
				OrganizationID: p.OrganizationID, UserIds: []string{p.InviterID},
			})
		},
		func(q *Repo) error {
			return q.LockPendingInvitations(ctx, dbgen.LockPendingInvitationsParams{
				OrganizationID: p.OrganizationID, Email: p.Email,
			})
		},
		func(q *Repo) (err error) { outcome, err = q.Queries.CreateInvitation(ctx, p); return err },
		func(q *Repo) (err error) {
			row, err = q.Queries.GetPendingInvitation(ctx, dbgen.GetPendingInvitationParams{
				OrganizationID: p.OrganizationID, Email: p.Email, Now: p.Now,
			})
			return noRows(err)
		},
	)
	return row, outcome, err
}

func (r *Repo) AcceptInvitation(ctx context.Context, p dbgen.AcceptInvitationParams) (string, error) {
	p.Now, p.MemberID = r.Now(), r.sources.ID()
	return r.Queries.AcceptInvitation(ctx, p)
}

// Accept returns the invitation and the membership that it led to.
func (r *Repo) Accept(
	ctx context.Context, p dbgen.AcceptInvitationParams,
) (row dbgen.GetAcceptedInvitationRow, outcome string, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockOrganizationOfInvitation(ctx, p.ID) },
		func(q *Repo) error { return q.LockInvitation(ctx, p.ID) },
		func(q *Repo) error {
			return q.LockMembershipOfInvitation(ctx, dbgen.LockMembershipOfInvitationParams{InvitationID: p.ID, UserID: p.UserID})
		},
		func(q *Repo) error { return q.LockUserAsIs(ctx, p.UserID) },
		func(q *Repo) error { return q.LockTeamsOfInvitation(ctx, p.ID) },
		func(q *Repo) (err error) { outcome, err = q.AcceptInvitation(ctx, p); return err },
		func(q *Repo) (err error) {
			row, err = q.GetAcceptedInvitation(ctx, dbgen.GetAcceptedInvitationParams{ID: p.ID, UserID: p.UserID})
			return noRows(err)
		},
	)
	return row, outcome, err
}

// Reject returns the invitation if it is rejected then.
func (r *Repo) Reject(
	ctx context.Context, p dbgen.RejectInvitationParams,
) (row dbgen.Invitation, outcome string, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockInvitation(ctx, p.ID) },
		func(q *Repo) (err error) { outcome, err = q.RejectInvitation(ctx, p); return err },
		func(q *Repo) (err error) {
			row, err = q.GetInvitationOfRecipient(ctx, dbgen.GetInvitationOfRecipientParams(p))
			return noRows(err)
		},
	)
	return row, outcome, err
}

// Cancel returns the invitation as it is then, and whether that is this call's doing; pgx.ErrNoRows if there is none.
func (r *Repo) Cancel(
	ctx context.Context, p dbgen.CancelInvitationParams,
) (row dbgen.Invitation, done bool, err error) {
	err = r.Together(ctx,
		func(q *Repo) error {
			n, err := q.CancelInvitation(ctx, p)
			done = n > 0
			return err
		},
		func(q *Repo) (err error) {
			row, err = q.GetInvitation(ctx, dbgen.GetInvitationParams(p))
			return err
		},
	)
	return row, done, err
}

func (r *Repo) CancelExpiredInvitations(
	ctx context.Context, p dbgen.CancelExpiredInvitationsParams,
) (int64, error) {
	p.Now = r.Now()
	return r.Queries.CancelExpiredInvitations(ctx, p)
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
