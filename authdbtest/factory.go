package authdbtest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
)

// Each factory makes one row, and fails the test if it cannot. The test sets what it cares about in edit functions; the
// rest is made up, including the rows that the new one belongs to.

// User makes a user with a verified address.
func User(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateUserParams)) authdb.User {
	t.Helper()
	p := authdb.CreateUserParams{Name: "User " + unique(), Email: unique() + "@example.com", EmailVerified: true}
	return create(t, s.Users.Create, p, edit, nil)
}

// Session makes a live session, of a new user unless UserID is set.
func Session(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateSessionParams)) authdb.Session {
	t.Helper()
	return create(t, s.Sessions.Create, authdb.CreateSessionParams{}, edit, func(p *authdb.CreateSessionParams) {
		fill(&p.UserID, func() string { return User(t, s).ID })
	})
}

// Account makes an account at the provider "github", of a new user unless UserID is set.
func Account(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateAccountParams)) authdb.Account {
	t.Helper()
	p := authdb.CreateAccountParams{ProviderID: "github", AccountID: unique()}
	return create(t, s.Accounts.Create, p, edit, func(p *authdb.CreateAccountParams) {
		fill(&p.UserID, func() string { return User(t, s).ID })
	})
}

// Verification makes a verification that lives for an hour.
func Verification(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateVerificationParams)) authdb.Verification {
	t.Helper()
	p := authdb.CreateVerificationParams{
		Identifier: authdb.Secret("reset-password:" + unique()), Value: authdb.Secret(unique()), ExpiresAt: time.Now().Add(time.Hour),
	}
	return create(t, s.Verifications.Create, p, edit, nil)
}

// Organization makes an organization, owned by a new user unless OwnerID is set.
func Organization(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateOrganizationParams)) authdb.Organization {
	t.Helper()
	p := authdb.CreateOrganizationParams{Name: "Organization " + unique(), Slug: unique()}
	return create(t, s.Organizations.Create, p, edit, func(p *authdb.CreateOrganizationParams) {
		fill(&p.OwnerID, func() string { return User(t, s).ID })
	})
}

// Member makes a plain member, of a new organization unless OrganizationID is set and a new user unless UserID is.
func Member(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateMemberParams)) authdb.Member {
	t.Helper()
	return create(t, s.Members.Create, authdb.CreateMemberParams{}, edit, func(p *authdb.CreateMemberParams) {
		fill(&p.OrganizationID, func() string { return Organization(t, s).ID })
		fill(&p.UserID, func() string { return User(t, s).ID })
	})
}

// Team makes a team, of a new organization unless OrganizationID is set.
func Team(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateTeamParams)) authdb.Team {
	t.Helper()
	p := authdb.CreateTeamParams{Name: "Team " + unique()}
	return create(t, s.Teams.Create, p, edit, func(p *authdb.CreateTeamParams) {
		fill(&p.OrganizationID, func() string { return Organization(t, s).ID })
	})
}

// TeamMember makes a team member, of a new team unless TeamID and OrganizationID are set, and of a new user unless
// UserID is. The new user becomes a member of the organization, too.
func TeamMember(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateTeamMemberParams)) authdb.TeamMember {
	t.Helper()
	return create(t, s.TeamMembers.Create, authdb.CreateTeamMemberParams{}, edit, func(p *authdb.CreateTeamMemberParams) {
		if p.TeamID == "" {
			team := Team(t, s, func(team *authdb.CreateTeamParams) { team.OrganizationID = p.OrganizationID })
			p.TeamID, p.OrganizationID = team.ID, team.OrganizationID
		}
		fill(&p.UserID, func() string {
			return Member(t, s, func(m *authdb.CreateMemberParams) { m.OrganizationID = p.OrganizationID }).UserID
		})
	})
}

// Invitation makes a pending invitation, to a new organization from its owner, or to OrganizationID from a new member
// unless InviterID is set too.
func Invitation(t testing.TB, s *authdb.Store, edit ...func(*authdb.CreateInvitationParams)) authdb.Invitation {
	t.Helper()
	p := authdb.CreateInvitationParams{Email: unique() + "@example.com"}
	return create(t, s.Invitations.Create, p, edit, func(p *authdb.CreateInvitationParams) {
		if p.OrganizationID == "" {
			fill(&p.InviterID, func() string { return User(t, s).ID })
			p.OrganizationID = Organization(t, s, func(o *authdb.CreateOrganizationParams) { o.OwnerID = p.InviterID }).ID
		}
		fill(&p.InviterID, func() string {
			return Member(t, s, func(m *authdb.CreateMemberParams) { m.OrganizationID = p.OrganizationID }).UserID
		})
	})
}

func create[P, R any](
	t testing.TB, create func(context.Context, P) (R, error), p P, edits []func(*P), parents func(*P),
) R {
	t.Helper()
	for _, edit := range edits {
		edit(&p)
	}
	if parents != nil {
		parents(&p)
	}
	row, err := create(t.Context(), p)
	if err != nil {
		t.Fatalf("authdbtest: %v", err)
	}
	return row
}

// fill sets an id that the test left empty.
func fill(id *string, parent func() string) {
	if *id == "" {
		*id = parent()
	}
}

func unique() string { return strings.ToLower(rand.Text()) }
