package authdb

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// InvitationLifetime is how long a new invitation stands by default, as Better Auth's invitationExpiresIn.
const InvitationLifetime = 48 * time.Hour

// The states of an invitation. None is "expired": an expired row stays pending, and only its ExpiresAt shows it.
const (
	StatusPending  = "pending"
	StatusAccepted = "accepted"
	StatusRejected = "rejected"
	StatusCanceled = "canceled"
)

// Invitation is an offer to an e-mail address to join an organization: one row of the invitation table.
type Invitation struct {
	ID             string    `json:"id"`
	OrganizationID string    `json:"organizationId"` // references organization
	Email          string    `json:"email"`          // lower case; there need not be a user with it
	Role           *string   `json:"role"`           // one role, or several joined by commas
	TeamID         *string   `json:"teamId"`         // no foreign key: ids joined by commas; see TeamIDs
	Status         string    `json:"status"`         // StatusPending and so on
	ExpiresAt      time.Time `json:"expiresAt"`
	CreatedAt      time.Time `json:"createdAt"`
	InviterID      string    `json:"inviterId"` // references user
}

func toInvitation(row dbgen.Invitation) Invitation { return Invitation(row) }

// TeamIDs returns the teams that the invitation is for; nil if there are none. Blanks around an id are not part of it,
// here as in every query.
func (i Invitation) TeamIDs() []string {
	if i.TeamID == nil {
		return nil
	}
	var ids []string
	for id := range strings.SplitSeq(*i.TeamID, ",") {
		if id = strings.Trim(id, " "); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// InvitationWithInviter is an invitation and the user who sent it.
type InvitationWithInviter struct {
	Invitation
	Inviter User `json:"inviter"`
}

func (i InvitationWithInviter) cursor() Cursor { return Cursor{i.CreatedAt, i.ID} }

// invitationWithInviter converts the row of any query that joins the two.
func invitationWithInviter[R interface {
	~struct {
		Invitation dbgen.Invitation
		User       dbgen.User
	}
}](row R) InvitationWithInviter {
	r := dbgen.ListInvitationsRow(row)
	return InvitationWithInviter{Invitation(r.Invitation), User(r.User)}
}

// InvitationWithOrganization is an invitation and its organization.
type InvitationWithOrganization struct {
	Invitation
	Organization Organization `json:"organization"`
}

// invitationWithOrganization converts the row of any query that joins the two.
func invitationWithOrganization[R interface {
	~struct {
		Invitation   dbgen.Invitation
		Organization dbgen.Organization
	}
}](row R) InvitationWithOrganization {
	r := dbgen.ListInvitationsByInvitersRow(row)
	return InvitationWithOrganization{Invitation(r.Invitation), Organization(r.Organization)}
}

// ReceivedInvitation is an invitation as its recipient may see it, with its organization and inviter.
type ReceivedInvitation struct {
	Invitation
	Organization Organization `json:"organization"`
	Inviter      User         `json:"inviter"`
}

func (i ReceivedInvitation) cursor() Cursor { return Cursor{i.CreatedAt, i.ID} }

// receivedInvitation converts the row of any query that joins the three.
func receivedInvitation[R interface {
	~struct {
		Invitation   dbgen.Invitation
		Organization dbgen.Organization
		User         dbgen.User
	}
}](row R) ReceivedInvitation {
	r := dbgen.ListInvitationsByRecipientRow(row)
	return ReceivedInvitation{Invitation(r.Invitation), Organization(r.Organization), User(r.User)}
}

// CreateInvitationParams are the columns of a new invitation.
type CreateInvitationParams struct {
	ID             string // empty: a new one; ignored if a pending invitation is changed
	OrganizationID string
	InviterID      string    // the user who invites
	Email          string    // stored in lower case; at most 254 characters
	Role           string    // empty: RoleMember; several joined by commas; at most 1,024 characters
	TeamIDs        []string  // teams of the organization, to join on acceptance; ids without commas and white space
	ExpiresAt      time.Time // zero: the InvitationLifetime of Settings from now
	MaxPending     int       // of the organization, the new one included; zero: that of Settings
	By             Actor     // needs the permission invitation:create; zero: the inviter's role decides alone
}

// AcceptInvitationParams say which user accepts which invitation, and on what conditions.
type AcceptInvitationParams struct {
	InvitationID    string
	UserID          string // the user to whose address it was sent
	AllowUnverified bool   // also if the user has not proved that address
	MaxMembers      int    // of the organization, the new one included; zero: that of Settings
	MaxTeamMembers  int    // of each team that the user joins; zero: that of Settings
}

// RejectInvitationParams say which user rejects which invitation.
type RejectInvitationParams struct {
	InvitationID    string
	UserID          string // the user to whose address it was sent
	AllowUnverified bool   // also if the user has not proved that address
}

// GetInvitationByRecipientParams say which user looks at which invitation.
type GetInvitationByRecipientParams struct {
	InvitationID    string
	UserID          string // the user to whose address it was sent
	AllowUnverified bool   // also if the user has not proved that address
}

// AcceptedInvitation is an invitation and the membership that it led to.
type AcceptedInvitation struct {
	Invitation      `json:"invitation"`
	Member          Member `json:"member"`          // an earlier membership is kept, with its role
	AlreadyAccepted bool   `json:"alreadyAccepted"` // an earlier call did it
}

// ListInvitationsParams selects a page of an organization's invitations.
type ListInvitationsParams struct {
	OrganizationID string
	TeamID         string // only those to this team; empty: to any or none
	Status         string // only those with it, as stored: pending ones that have expired too; empty: any
	Pending        bool   // only those that are pending and have not expired
	Newest         bool   // newest first; otherwise oldest first
	After          Cursor
	Limit          int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// ListInvitationsByRecipientParams selects a page of the invitations to a user's address.
type ListInvitationsByRecipientParams struct {
	UserID          string
	AllowUnverified bool   // also if the user has not proved that address
	Status          string // only those with it, as stored: pending ones that have expired too; empty: any
	Pending         bool   // only those that are pending and have not expired
	Newest          bool   // newest first; otherwise oldest first
	After           Cursor
	Limit           int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// InvitationRepository reads and writes the invitation table. It is [Store.Invitations].
type InvitationRepository struct{ door }

// Create invites an address. If the address already has a pending invitation that could be accepted, Create changes
// that one and returns it: it gets the new role, teams and inviter, and the later of the two expiries. Any other is
// canceled. So an address has one pending invitation in an organization, however many invite it at once.
//
// It returns [ErrNotMember] if the inviter is not a member, [ErrNotPermitted] if the inviter's role does not allow the
// new role, or a change of the pending invitation, [ErrAlreadyMember] if a member has the address, [ErrReference] if a
// team is not the organization's, [ErrLimitReached], or [ErrInvalidInput], also for an ExpiresAt in the past.
func (r InvitationRepository) Create(ctx context.Context, p CreateInvitationParams) (Invitation, error) {
	const op = "Invitations.Create"
	p.Email = canonicalEmail(p.Email)
	p.Role = newRole(p.Role)
	if err := check(op, text("id", p.ID, maxID), required("organization_id", p.OrganizationID, maxID),
		required("inviter_id", p.InviterID, maxID),
		emailAddress(p.Email), required("role", p.Role, maxRole), teamList(p.TeamIDs), limitOf("max_pending", p.MaxPending),
		p.By.check(), r.standing(&p)); err != nil {
		return Invitation{}, err
	}
	row, err := r.repo().CreateInvitation(ctx, op, dbgen.CreateInvitationParams{
		ID: p.ID, OrganizationID: p.OrganizationID, InviterID: p.InviterID, Email: p.Email, Role: p.Role,
		TeamIds: distinct(p.TeamIDs, itself), ExpiresAt: p.ExpiresAt, MaxPending: limit(p.MaxPending,
			r.repo().Settings().MaxPendingInvitations),
		ActorID: p.By.id(), PermittedPattern: p.By.permitted("invitation", "create"),
		ActingPattern: p.By.owning(r.repo().Settings().CreatorRole),
	})
	return answer(op, row, err, toInvitation)
}

// standing sets the expiry of a new invitation, and refuses one that nobody could accept.
func (r InvitationRepository) standing(p *CreateInvitationParams) fault {
	p.ExpiresAt = r.repo().NowOr(p.ExpiresAt, r.repo().Settings().InvitationLifetime)
	if !p.ExpiresAt.After(r.repo().Now()) {
		return fault{field: "expires_at", reason: "out of range"}
	}
	return instant("expires_at", &p.ExpiresAt)
}

func teamList(ids []string) fault {
	for _, s := range ids {
		if strings.ContainsAny(s, ","+repo.Spaces) {
			return fault{field: "team_id", reason: "malformed"}
		}
	}
	if f := eachOf("team_id", ids, maxID); f.reason != "" {
		return f
	}
	return text("team_id", strings.Join(ids, ","), maxCredential)
}

// Get returns the invitation with that id if it is the organization's, or [ErrNotFound]. It does not look at its
// state.
func (r InvitationRepository) Get(ctx context.Context, organizationID, invitationID string) (Invitation, error) {
	const op = "Invitations.Get"
	if err := check(op, id("organization_id", organizationID), id("invitation_id", invitationID)); err != nil {
		return Invitation{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetInvitation, dbgen.GetInvitationParams{
		OrganizationID: organizationID, ID: invitationID,
	}, toInvitation)
}

// GetWithInviter is Get with the inviter joined.
func (r InvitationRepository) GetWithInviter(
	ctx context.Context, organizationID, invitationID string,
) (InvitationWithInviter, error) {
	const op = "Invitations.GetWithInviter"
	if err := check(op, id("organization_id", organizationID), id("invitation_id", invitationID)); err != nil {
		return InvitationWithInviter{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetInvitationWithInviter, dbgen.GetInvitationWithInviterParams{
		OrganizationID: organizationID, ID: invitationID,
	}, invitationWithInviter)
}

// GetByRecipient returns the invitation with that id if it was sent to the user's address, with its organization and
// inviter: what an invited user may see before being a member. It does not look at its state. It returns
// [ErrEmailNotVerified], [ErrNotFound] or [ErrInvalidInput].
func (r InvitationRepository) GetByRecipient(
	ctx context.Context, p GetInvitationByRecipientParams,
) (ReceivedInvitation, error) {
	const op = "Invitations.GetByRecipient"
	if err := check(op, id("invitation_id", p.InvitationID), id("user_id", p.UserID)); err != nil {
		return ReceivedInvitation{}, err
	}
	query := (*queries).GetInvitationByRecipient
	row, err := repo.OfRecipient(ctx, r.repo(), op, query, dbgen.GetInvitationByRecipientParams{
		ID: p.InvitationID, UserID: p.UserID, AllowUnverified: p.AllowUnverified,
	}, recipient(p.UserID, p.AllowUnverified))
	return answer(op, row, err, receivedInvitation)
}

func recipient(userID string, allowUnverified bool) dbgen.CheckRecipientParams {
	return dbgen.CheckRecipientParams{UserID: userID, AllowUnverified: allowUnverified}
}

// GetPending returns the newest invitation of an organization to an address that is pending and has not expired, or
// [ErrNotFound].
func (r InvitationRepository) GetPending(ctx context.Context, organizationID, email string) (Invitation, error) {
	const op = "Invitations.GetPending"
	email = canonicalEmail(email)
	if err := check(op, id("organization_id", organizationID), key("email", email)); err != nil {
		return Invitation{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetPendingInvitation, dbgen.GetPendingInvitationParams{
		OrganizationID: organizationID, Email: email, Now: r.repo().Now(),
	}, toInvitation)
}

// List returns a page of an organization's invitations with their inviters, oldest first unless p.Newest. It returns
// [ErrInvalidInput].
func (r InvitationRepository) List(ctx context.Context, p ListInvitationsParams) (Page[InvitationWithInviter], error) {
	const op = "Invitations.List"
	if err := check(op, id("organization_id", p.OrganizationID), text("team_id", p.TeamID, maxID),
		text("status", p.Status, maxKey), pageOf(p.After, p.Limit)); err != nil {
		return Page[InvitationWithInviter]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListInvitationsParams{
		OrganizationID: p.OrganizationID, TeamID: nonEmpty(p.TeamID), Status: nonEmpty(p.Status), Pending: p.Pending,
		Now:            r.repo().Now(),
		AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListInvitationsNewest, dbgen.ListInvitationsNewestParams(args),
			p.Limit, invitationWithInviter, InvitationWithInviter.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListInvitations, args, p.Limit,
		invitationWithInviter, InvitationWithInviter.cursor)
}

// All iterates over the invitations of [InvitationRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An
// error ends it.
func (r InvitationRepository) All(
	ctx context.Context, p ListInvitationsParams,
) iter.Seq2[InvitationWithInviter, error] {
	return eachItem(ctx, p, func(p *ListInvitationsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// ListByRecipient returns a page of the invitations to a user's address with their organizations and inviters, oldest
// first unless p.Newest. It returns [ErrEmailNotVerified], [ErrNotFound] if there is no such user, or
// [ErrInvalidInput].
func (r InvitationRepository) ListByRecipient(
	ctx context.Context, p ListInvitationsByRecipientParams,
) (Page[ReceivedInvitation], error) {
	const op = "Invitations.ListByRecipient"
	if err := check(op, id("user_id", p.UserID), text("status", p.Status, maxKey), pageOf(p.After, p.Limit)); err != nil {
		return Page[ReceivedInvitation]{}, err
	}
	after, asker := p.After.from(p.Newest), recipient(p.UserID, p.AllowUnverified)
	args := dbgen.ListInvitationsByRecipientParams{
		UserID: p.UserID, AllowUnverified: p.AllowUnverified, Status: nonEmpty(p.Status), Pending: p.Pending,
		Now: r.repo().Now(), AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		rows, err := repo.OfRecipient(inPage(ctx, p.Limit), r.repo(), op, (*queries).ListInvitationsByRecipientNewest,
			dbgen.ListInvitationsByRecipientNewestParams(args), asker)
		return page(op, rows, err, p.Limit, receivedInvitation, ReceivedInvitation.cursor)
	}
	rows, err := repo.OfRecipient(inPage(ctx, p.Limit), r.repo(), op, (*queries).ListInvitationsByRecipient, args, asker)
	return page(op, rows, err, p.Limit, receivedInvitation, ReceivedInvitation.cursor)
}

// AllByRecipient iterates over the invitations of [InvitationRepository.ListByRecipient] from p.After on, p.Limit
// (1,000 if 0) at a time. An error ends it.
func (r InvitationRepository) AllByRecipient(
	ctx context.Context, p ListInvitationsByRecipientParams,
) iter.Seq2[ReceivedInvitation, error] {
	return eachItem(ctx, p,
		func(p *ListInvitationsByRecipientParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.ListByRecipient)
}

// Count returns how many invitations [InvitationRepository.List] has on all its pages. It returns [ErrInvalidInput].
func (r InvitationRepository) Count(ctx context.Context, p ListInvitationsParams) (int64, error) {
	const op = "Invitations.Count"
	if err := check(op, id("organization_id", p.OrganizationID), text("team_id", p.TeamID, maxID),
		text("status", p.Status, maxKey), pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountInvitations, dbgen.CountInvitationsParams{
		OrganizationID: p.OrganizationID, TeamID: nonEmpty(p.TeamID), Status: nonEmpty(p.Status), Pending: p.Pending,
		Now: r.repo().Now(),
	}, itself)
}

// Accept makes the user to whose address an invitation was sent a member, with the role and in the teams that the
// invitation names. Teams that no longer exist are skipped. Other pending invitations of the address to that
// organization are canceled. Of any number of calls one does all that; the user's other calls return the same, with
// AlreadyAccepted. Accept does not make the organization active; see [SessionRepository.SetActiveOrganization].
//
// It returns [ErrNotFound] (which [ErrNotRecipient] is), [ErrEmailNotVerified], [ErrNotPending], [ErrExpired],
// [ErrNotPermitted] if the inviter has left the organization or no longer has a role that may send the invitation,
// [ErrLimitReached] or [ErrInvalidInput].
func (r InvitationRepository) Accept(ctx context.Context, p AcceptInvitationParams) (AcceptedInvitation, error) {
	const op = "Invitations.Accept"
	if err := check(op, id("invitation_id", p.InvitationID), id("user_id", p.UserID), limitOf("max_members", p.MaxMembers),
		limitOf("max_team_members", p.MaxTeamMembers)); err != nil {
		return AcceptedInvitation{}, err
	}
	row, err := r.repo().AcceptInvitation(ctx, op, dbgen.AcceptInvitationParams{
		ID: p.InvitationID, UserID: p.UserID, AllowUnverified: p.AllowUnverified,
		MaxMembers: limit(p.MaxMembers, r.repo().Settings().MaxMembers), MaxTeamMembers: limit(p.MaxTeamMembers,
			r.repo().Settings().MaxTeamMembers),
	})
	again := errors.Is(err, repo.ErrAlreadyAccepted)
	if err != nil && !again {
		return AcceptedInvitation{}, translate(op, err)
	}
	return AcceptedInvitation{Invitation(row.Invitation), Member(row.Member), again}, nil
}

// Reject declines a pending invitation that was sent to the user's address, even an expired one, and returns it. It
// returns [ErrNotFound] (which [ErrNotRecipient] is), [ErrEmailNotVerified], [ErrNotPending] or [ErrInvalidInput].
func (r InvitationRepository) Reject(ctx context.Context, p RejectInvitationParams) (Invitation, error) {
	const op = "Invitations.Reject"
	if err := check(op, id("invitation_id", p.InvitationID), id("user_id", p.UserID)); err != nil {
		return Invitation{}, err
	}
	row, err := r.repo().RejectInvitation(ctx, op, dbgen.RejectInvitationParams{
		ID: p.InvitationID, UserID: p.UserID, AllowUnverified: p.AllowUnverified,
	})
	return answer(op, row, err, toInvitation)
}

// Cancel takes back a pending invitation of the organization and returns it. It returns [ErrNotFound], or
// [ErrNotPending] if it was accepted, rejected or canceled before.
func (r InvitationRepository) Cancel(ctx context.Context, organizationID, invitationID string) (Invitation, error) {
	const op = "Invitations.Cancel"
	if err := check(op, id("organization_id", organizationID), id("invitation_id", invitationID)); err != nil {
		return Invitation{}, err
	}
	row, err := r.repo().CancelInvitation(ctx, op, dbgen.CancelInvitationParams{
		OrganizationID: organizationID, ID: invitationID,
	})
	return answer(op, row, err, toInvitation)
}

// CancelExpired cancels an organization's pending invitations that have expired and returns how many there were.
// Nothing else does: an invitation has no state for it. It returns [ErrInvalidInput].
func (r InvitationRepository) CancelExpired(ctx context.Context, organizationID string) (int64, error) {
	const op = "Invitations.CancelExpired"
	if err := check(op, id("organization_id", organizationID)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, r.repo(), op, (*queries).CancelExpiredInvitations, dbgen.CancelExpiredInvitationsParams{
		OrganizationID: organizationID, Now: r.repo().Now(),
	})
	return n, translate(op, err)
}

// Delete removes an invitation. It returns [ErrNotFound].
func (r InvitationRepository) Delete(ctx context.Context, organizationID, invitationID string) error {
	const op = "Invitations.Delete"
	if err := check(op, id("organization_id", organizationID), id("invitation_id", invitationID)); err != nil {
		return err
	}
	return deleted(op, repo.Delete(ctx, r.repo(), op, (*queries).DeleteInvitation, dbgen.DeleteInvitationParams{
		OrganizationID: organizationID, ID: invitationID,
	}))
}
