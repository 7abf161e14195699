package authdb

import "context"

// The relations of the rows that belong to others. Each Load and LoadMany here takes one round trip and shows one
// moment; in a transaction it runs there and sees what the transaction's isolation shows. A relation is nil if it was
// not asked for, or if its row is gone meanwhile. Rows with the same parent share it.

// SessionWith selects the relations of [SessionRepository.Load].
type SessionWith struct {
	User bool
}

// SessionWithRelations is a session and what it belongs to.
type SessionWithRelations struct {
	Session
	User *User // nil if not asked for, or gone
}

// Load brings the rows that a session belongs to, as with asks, in one round trip. It returns [ErrInvalidInput].
func (r *SessionRepository) Load(ctx context.Context, row Session, with SessionWith) (SessionWithRelations, error) {
	return first(r.load(ctx, "Sessions.Load", []Session{row}, with))
}

// LoadMany is Load for any number of sessions, in their order, still in one round trip.
func (r *SessionRepository) LoadMany(
	ctx context.Context, rows []Session, with SessionWith,
) ([]SessionWithRelations, error) {
	return r.load(ctx, "Sessions.LoadMany", rows, with)
}

func (r *SessionRepository) load(
	ctx context.Context, op string, rows []Session, with SessionWith,
) ([]SessionWithRelations, error) {
	return load(ctx, op, r.repo, rows, func(l *loader) func(Session) SessionWithRelations {
		user := usersOf(l, with.User, rows, func(row Session) string { return row.UserID })
		return func(row Session) SessionWithRelations {
			return SessionWithRelations{Session: row, User: user.Of(row.UserID)}
		}
	})
}

// AccountWith selects the relations of [AccountRepository.Load].
type AccountWith struct {
	User bool
}

// AccountWithRelations is an account and what it belongs to.
type AccountWithRelations struct {
	Account
	User *User // nil if not asked for, or gone
}

// Load brings the rows that an account belongs to, as with asks, in one round trip. It returns [ErrInvalidInput].
func (r *AccountRepository) Load(ctx context.Context, row Account, with AccountWith) (AccountWithRelations, error) {
	return first(r.load(ctx, "Accounts.Load", []Account{row}, with))
}

// LoadMany is Load for any number of accounts, in their order, still in one round trip.
func (r *AccountRepository) LoadMany(
	ctx context.Context, rows []Account, with AccountWith,
) ([]AccountWithRelations, error) {
	return r.load(ctx, "Accounts.LoadMany", rows, with)
}

func (r *AccountRepository) load(
	ctx context.Context, op string, rows []Account, with AccountWith,
) ([]AccountWithRelations, error) {
	return load(ctx, op, r.repo, rows, func(l *loader) func(Account) AccountWithRelations {
		user := usersOf(l, with.User, rows, func(row Account) string { return row.UserID })
		return func(row Account) AccountWithRelations {
			return AccountWithRelations{Account: row, User: user.Of(row.UserID)}
		}
	})
}

// MemberWith selects the relations of [MemberRepository.Load].
type MemberWith struct {
	User         bool
	Organization bool
}

// MemberWithRelations is a member and what it belongs to.
type MemberWithRelations struct {
	Member
	User         *User         // nil if not asked for, or gone
	Organization *Organization // nil if not asked for, or gone
}

// Load brings the rows that a member belongs to, as with asks, in one round trip. It returns [ErrInvalidInput].
func (r *MemberRepository) Load(ctx context.Context, row Member, with MemberWith) (MemberWithRelations, error) {
	return first(r.load(ctx, "Members.Load", []Member{row}, with))
}

// LoadMany is Load for any number of members, in their order, still in one round trip.
func (r *MemberRepository) LoadMany(
	ctx context.Context, rows []Member, with MemberWith,
) ([]MemberWithRelations, error) {
	return r.load(ctx, "Members.LoadMany", rows, with)
}

func (r *MemberRepository) load(
	ctx context.Context, op string, rows []Member, with MemberWith,
) ([]MemberWithRelations, error) {
	return load(ctx, op, r.repo, rows, func(l *loader) func(Member) MemberWithRelations {
		user := usersOf(l, with.User, rows, func(row Member) string { return row.UserID })
		organization := organizationsOf(l, with.Organization, rows, func(row Member) string { return row.OrganizationID })
		return func(row Member) MemberWithRelations {
			return MemberWithRelations{Member: row, User: user.Of(row.UserID), Organization: organization.Of(row.OrganizationID)}
		}
	})
}

// TeamMemberWith selects the relations of [TeamMemberRepository.Load].
type TeamMemberWith struct {
	User bool
	Team bool
}

// TeamMemberWithRelations is a team member and what it belongs to.
type TeamMemberWithRelations struct {
	TeamMember
	User *User // nil if not asked for, or gone
	Team *Team // nil if not asked for, or gone
}

// Load brings the rows that a team member belongs to, as with asks, in one round trip. It returns [ErrInvalidInput].
func (r *TeamMemberRepository) Load(
	ctx context.Context, row TeamMember, with TeamMemberWith,
) (TeamMemberWithRelations, error) {
	return first(r.load(ctx, "TeamMembers.Load", []TeamMember{row}, with))
}

// LoadMany is Load for any number of team members, in their order, still in one round trip.
func (r *TeamMemberRepository) LoadMany(
	ctx context.Context, rows []TeamMember, with TeamMemberWith,
) ([]TeamMemberWithRelations, error) {
	return r.load(ctx, "TeamMembers.LoadMany", rows, with)
}

func (r *TeamMemberRepository) load(
	ctx context.Context, op string, rows []TeamMember, with TeamMemberWith,
) ([]TeamMemberWithRelations, error) {
	return load(ctx, op, r.repo, rows, func(l *loader) func(TeamMember) TeamMemberWithRelations {
		user := usersOf(l, with.User, rows, func(row TeamMember) string { return row.UserID })
		team := teamsOf(l, with.Team, rows, func(row TeamMember) string { return row.TeamID })
		return func(row TeamMember) TeamMemberWithRelations {
			return TeamMemberWithRelations{TeamMember: row, User: user.Of(row.UserID), Team: team.Of(row.TeamID)}
		}
	})
}

// InvitationWith selects the relations of [InvitationRepository.Load].
type InvitationWith struct {
	Organization bool
	Inviter      bool
}

// InvitationWithRelations is an invitation and what it belongs to.
type InvitationWithRelations struct {
	Invitation
	Organization *Organization // nil if not asked for, or gone
	Inviter      *User         // nil if not asked for, or gone
}

// Load brings the rows that an invitation belongs to, as with asks, in one round trip. It returns [ErrInvalidInput].
func (r *InvitationRepository) Load(
	ctx context.Context, row Invitation, with InvitationWith,
) (InvitationWithRelations, error) {
	return first(r.load(ctx, "Invitations.Load", []Invitation{row}, with))
}

// LoadMany is Load for any number of invitations, in their order, still in one round trip.
func (r *InvitationRepository) LoadMany(
	ctx context.Context, rows []Invitation, with InvitationWith,
) ([]InvitationWithRelations, error) {
	return r.load(ctx, "Invitations.LoadMany", rows, with)
}

func (r *InvitationRepository) load(
	ctx context.Context, op string, rows []Invitation, with InvitationWith,
) ([]InvitationWithRelations, error) {
	return load(ctx, op, r.repo, rows, func(l *loader) func(Invitation) InvitationWithRelations {
		organization := organizationsOf(l, with.Organization, rows, func(row Invitation) string { return row.OrganizationID })
		inviter := usersOf(l, with.Inviter, rows, func(row Invitation) string { return row.InviterID })
		return func(row Invitation) InvitationWithRelations {
			return InvitationWithRelations{row, organization.Of(row.OrganizationID), inviter.Of(row.InviterID)}
		}
	})
}
