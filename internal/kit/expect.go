package kit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func AccountOf(userID, providerID, accountID string) func(*authdb.CreateAccountParams) {
	return func(p *authdb.CreateAccountParams) {
		p.UserID, p.ProviderID, p.AccountID, p.Password = userID, providerID, accountID, new(authdb.Secret("old"))
	}
}

func Invite(t *testing.T, s *Fixture, orgID, inviterID string, edit ...func(*authdb.CreateInvitationParams)) authdb.Invitation {
	t.Helper()
	return authdbtest.Invitation(t, s.Store, append(edit, func(p *authdb.CreateInvitationParams) {
		p.OrganizationID, p.InviterID = orgID, inviterID
	})...)
}

func To(email string) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.Email = email }
}

func toTeams(ids ...string) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.TeamIDs = ids }
}

// Owned makes an organization and its owner.
func Owned(t *testing.T, s *Fixture) (authdb.Organization, authdb.User) {
	t.Helper()
	owner := authdbtest.User(t, s.Store)
	return authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = owner.ID }), owner
}

// Guest is a user who was invited.
type Guest struct {
	Tenant
	User authdb.User
	Inv  authdb.Invitation
}

func NewGuest(t *testing.T, s *Fixture, edit ...func(*authdb.CreateInvitationParams)) Guest {
	t.Helper()
	a, user := NewTenant(t, s), authdbtest.User(t, s.Store)
	return Guest{a, user, Invite(t, s, a.Org.ID, a.User.ID, append(edit, To(user.Email))...)}
}

func MemberOf(orgID, userID string) func(*authdb.CreateMemberParams) {
	return func(p *authdb.CreateMemberParams) { p.OrganizationID, p.UserID = orgID, userID }
}

// SessionOf edits the factory's session; lifetime counts from the fixture's clock.
func SessionOf(s *Fixture, userID string, lifetime time.Duration) func(*authdb.CreateSessionParams) {
	return func(p *authdb.CreateSessionParams) { p.UserID, p.ExpiresAt = userID, s.Now.Add(lifetime) }
}

func TeamMemberOf(team authdb.Team, userID string) func(*authdb.CreateTeamMemberParams) {
	return func(p *authdb.CreateTeamMemberParams) {
		p.OrganizationID, p.TeamID, p.UserID = team.OrganizationID, team.ID, userID
	}
}

// MembershipKey is what Better Auth 1.7 computes: base64url(sha256(JSON.stringify([teamId, userId]))).
func MembershipKey(teamID, userID string) *string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode([]string{teamID, userID})
	sum := sha256.Sum256(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return new(base64.RawURLEncoding.EncodeToString(sum[:]))
}

func TeamOf(orgID string) func(*authdb.CreateTeamParams) {
	return func(p *authdb.CreateTeamParams) { p.OrganizationID = orgID }
}

// Tenant is a user with a session and a password, and the user's organization with a team and an invitation to it.
type Tenant struct {
	User       authdb.User
	Session    authdb.Session
	Account    authdb.Account
	Org        authdb.Organization
	Member     authdb.Member
	CoOwner    authdb.Member
	Team       authdb.Team
	TeamMember authdb.TeamMember
	Invitation authdb.Invitation
}

func NewTenant(t *testing.T, s *Fixture) (a Tenant) {
	t.Helper()
	a.User = authdbtest.User(t, s.Store)
	a.Org = authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = a.User.ID })
	a.Member = Must[authdb.Member](t)(s.Members.GetByUser(t.Context(), a.Org.ID, a.User.ID))
	a.CoOwner = authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) {
		p.OrganizationID, p.Role = a.Org.ID, authdb.RoleOwner
	})
	a.Team = authdbtest.Team(t, s.Store, TeamOf(a.Org.ID))
	a.TeamMember = authdbtest.TeamMember(t, s.Store, TeamMemberOf(a.Team, a.User.ID))
	a.Team.MemberCount = 1
	a.Session = authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
		p.UserID, p.ActiveOrganizationID, p.ActiveTeamID = a.User.ID, &a.Org.ID, &a.Team.ID
	})
	a.Account = authdbtest.Account(t, s.Store, AccountOf(a.User.ID, "credential", a.User.ID))
	a.Invitation = Invite(t, s, a.Org.ID, a.User.ID, toTeams(a.Team.ID))
	return a
}

func NewVerification(t *testing.T, s *Fixture, identifier string, lifetime time.Duration) authdb.Verification {
	t.Helper()
	return Must[authdb.Verification](t)(s.Verifications.Create(t.Context(), authdb.CreateVerificationParams{
		Identifier: authdb.Secret(identifier), Value: "123456:0", ExpiresAt: s.Now.Add(lifetime),
	}))
}
