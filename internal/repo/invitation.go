package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// CreateInvitation returns the only pending invitation that the address then has.
func (r *Repo) CreateInvitation(
	ctx context.Context, name string, p dbgen.CreateInvitationParams,
) (row dbgen.Invitation, err error) {
	name = about(ctx, name, p)
	p.ID, p.Now, p.ExpiresAt = r.idOr(p.ID), r.Now(), utc(p.ExpiresAt)
	p.OwnerPattern, p.PlainPattern = r.owners, plainPattern
	err = r.writeThenRead(ctx, name, ask((*queries).GetPendingInvitation, dbgen.GetPendingInvitationParams{
		OrganizationID: p.OrganizationID, Email: p.Email, Now: p.Now,
	}, &row),
		lock((*queries).LockOrganization, p.OrganizationID),
		lock((*queries).LockPendingInvitations, dbgen.LockPendingInvitationsParams{
			OrganizationID: p.OrganizationID, Email: p.Email,
		}),
		verdict((*queries).CreateInvitation, p))
	return row, err
}

// ErrAlreadyAccepted is the refusal to accept an invitation again that has led to a membership.
const ErrAlreadyAccepted RefusalError = "already accepted"

// AcceptInvitation returns the invitation and its membership, also with ErrAlreadyAccepted.
func (r *Repo) AcceptInvitation(
	ctx context.Context, name string, p dbgen.AcceptInvitationParams,
) (row dbgen.GetAcceptedInvitationRow, err error) {
	name = about(ctx, name, p)
	p.Now, p.MemberID = r.Now(), r.sources.ID()
	p.OwnerPattern, p.PlainPattern = r.owners, plainPattern
	read := dbgen.GetAcceptedInvitationParams{ID: p.ID, UserID: p.UserID}
	err = r.writeThenRead(ctx, name, ask((*queries).GetAcceptedInvitation, read, &row),
		lock((*queries).LockOrganizationOfInvitation, p.ID),
		lock((*queries).LockInvitation, p.ID),
		lock((*queries).LockMembershipOfInvitation, dbgen.LockMembershipOfInvitationParams{
			InvitationID: p.ID, UserID: p.UserID,
		}),
		lock((*queries).LockUserAsIs, p.UserID),
		lock((*queries).LockTeamsOfInvitation, p.ID),
		verdict((*queries).AcceptInvitation, p))
	return row, err
}

func (r *Repo) RejectInvitation(
	ctx context.Context, name string, p dbgen.RejectInvitationParams,
) (row dbgen.Invitation, err error) {
	name = about(ctx, name, p)
	read := ask((*queries).GetInvitationOfRecipient, dbgen.GetInvitationOfRecipientParams{
		ID: p.ID, UserID: p.UserID,
	}, &row)
	err = r.writeThenRead(ctx, name, read,
		lock((*queries).LockInvitation, p.ID),
		lock((*queries).LockUserAsIs, p.UserID), // the answer goes by the address
		verdict((*queries).RejectInvitation, p))
	return row, err
}

func (r *Repo) CancelInvitation(
	ctx context.Context, name string, p dbgen.CancelInvitationParams,
) (row dbgen.Invitation, err error) {
	name = about(ctx, name, p)
	err = r.writeThenRead(ctx, name, ask((*queries).GetInvitation, dbgen.GetInvitationParams(p), &row),
		lock((*queries).LockInvitation, p.ID), verdict((*queries).CancelInvitation, p))
	return row, err
}

// OfRecipient returns what query finds by the user's address, if the user has verified that.
func OfRecipient[P, R any](
	ctx context.Context, r *Repo, name string, query func(*queries, context.Context, P) (R, error), p P,
	recipient dbgen.CheckRecipientParams,
) (answer R, err error) {
	err = r.Snapshot(ctx, name, verdict((*queries).CheckRecipient, recipient), ask(query, p, &answer))
	return answer, err
}
