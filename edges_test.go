package authdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// TestNothingComesBesideAnError: of a sign-up that was refused half-way, nothing is returned.
func TestNothingComesBesideAnError(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	account := authdbtest.Account(t, s.Store)
	want := readTables(t, s.Store)
	got, err := s.Users.CreateWithAccount(t.Context(), authdb.CreateUserWithAccountParams{User: authdb.CreateUserParams{Email: "new@sign-up.example"}, Account: authdb.CreateAccountParams{ProviderID: "github", AccountID: account.AccountID}})
	if !errors.Is(err, authdb.ErrAccountTaken) || got != (authdb.UserWithAccount{}) {
		t.Errorf("%v %v", got, err)
	}
	s.holds(t, want)
}

// TestExpiryWithinTheMillisecond: what the database would keep as now is over.
func TestExpiryWithinTheMillisecond(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	org, owner := owned(t, s)
	_, err := s.Invitations.Create(t.Context(), authdb.CreateInvitationParams{
		OrganizationID: org.ID, InviterID: owner.ID, Email: "a@b", ExpiresAt: s.now.Add(999 * time.Microsecond),
	})
	fails(t, err, authdb.ErrInvalidInput, "Invitations.Create", "expires_at")
}

// TestOwnersByWhiteSpace: whoever Better Auth takes for an owner is one here, whatever white space another server has
// left around the role.
func TestOwnersByWhiteSpace(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	for role, is := range map[string]bool{
		"\towner": true, "owner\n": true, "owner\r": true, "\u00a0owner": true, "admin,\u00a0owner": true,
		"admin,owner\t": true, "\ufeffowner\u3000,x": true, "owner": true,
		"owners": false, "co owner": false, "\u0085owner": false, "Owner": false, "": false, "own,er": false,
	} {
		if got := (authdb.Member{Role: role}).HasRole(authdb.RoleOwner); got != is {
			t.Errorf("%q: HasRole says %v", role, got)
		}
		org, owner := owned(t, s)
		admin := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.Role = org.ID, "admin" })
		_, err := s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: org.ID, InviterID: admin.UserID, Email: "a@b", Role: role,
		})
		if errors.Is(err, authdb.ErrNotPermitted) != is {
			t.Errorf("an admin invites %q: %v", role, err)
		}
		m := must[authdb.Member](t)(s.Members.GetByUser(ctx, org.ID, owner.ID))
		exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, role, m.ID)
		page := must[authdb.Page[authdb.MemberWithUser]](t)(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: org.ID, Role: "owner"}))
		if (len(page.Items) == 1) != is {
			t.Errorf("%q: %d owners are listed", role, len(page.Items))
		}
		if err := s.Members.Leave(ctx, org.ID, owner.ID); errors.Is(err, authdb.ErrLastOwner) != is {
			t.Errorf("%q leaves: %v", role, err)
		}
	}
}

// TestRefreshWritesMilliseconds: Better Auth reads no more.
func TestRefreshWritesMilliseconds(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.ExpiresAt = s.now.Add(time.Hour) })
	s.now = s.now.Add(59 * time.Minute)
	got := must[authdb.RefreshedSession](t)(s.Sessions.Refresh(t.Context(), authdb.RefreshSessionParams{
		Token: session.Token, Lifetime: time.Hour + 1500*time.Microsecond, UpdateAge: time.Minute, // a millisecond more than it was made for
	}))
	if want := s.now.Add(time.Hour + time.Millisecond); !got.ExpiresAt.Equal(want) {
		t.Errorf("expires at %v, want %v", got.ExpiresAt, want)
	}
}

// TestLimitsNameTheirField: a form can show which limit it was.
func TestLimitsNameTheirField(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	a := newTenant(t, s)
	fails(t, errOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
		OrganizationID: a.org.ID, TeamID: a.team.ID, UserID: a.coOwner.UserID, MaxMembers: 1,
	})), authdb.ErrLimitReached, "TeamMembers.Create", "max_members")
	fails(t, errOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: a.org.ID, InviterID: a.user.ID, Email: "a@b", MaxPending: 1,
	})), authdb.ErrLimitReached, "Invitations.Create", "max_pending")
	g := newGuest(t, s)
	fails(t, errOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: g.inv.ID, UserID: g.user.ID, AllowUnverified: true, MaxMembers: 1})),
		authdb.ErrLimitReached, "Invitations.Accept", "max_members")
}

// TestKeyOfAnotherRow: Better Auth 1.7's key is unique, and one that is somebody else's stands in the way.
func TestKeyOfAnotherRow(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	a := newTenant(t, s)
	exec(t, s.Store, `UPDATE team_member SET membership_key = $1`, membershipKey(a.team.ID, a.coOwner.UserID))
	want := readTables(t, s.Store)
	_, err := s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: a.org.ID, TeamID: a.team.ID, UserID: a.coOwner.UserID})
	fails(t, err, authdb.ErrConflict, "TeamMembers.Create", "membership_key")
	s.holds(t, want)
}

// TestDeletingWhatTheSameTransactionMade: a foreign key is looked at again there.
func TestDeletingWhatTheSameTransactionMade(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	want := readTables(t, s.Store)
	if err := s.InTx(ctx, func(tx *authdb.Store) error {
		user, err := tx.Users.Create(ctx, authdb.CreateUserParams{Email: "short@example.com"})
		if err != nil {
			return err
		}
		if _, err := tx.Organizations.Create(ctx, authdb.CreateOrganizationParams{
			Name: "Short", Slug: "short", OwnerID: user.ID, DefaultTeam: true,
		}); err != nil {
			return err
		}
		_, err = tx.Users.Delete(ctx, authdb.DeleteUserParams{UserID: user.ID, DeleteOrganizations: true})
		return err
	}); err != nil {
		t.Error(err)
	}
	s.holds(t, want)
}
