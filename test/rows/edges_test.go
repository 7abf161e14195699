package rows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestNothingComesBesideAnError: of a sign-up that was refused half-way, nothing is returned.
func TestNothingComesBesideAnError(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	account := authdbtest.Account(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	got, err := s.Users.CreateWithAccount(t.Context(), authdb.CreateUserWithAccountParams{User: authdb.CreateUserParams{Email: "new@sign-up.example"}, Account: authdb.CreateAccountParams{ProviderID: "github", AccountID: account.AccountID}})
	if !errors.Is(err, authdb.ErrAccountTaken) || got != (authdb.UserWithAccount{}) {
		t.Errorf("%v %v", got, err)
	}
	s.Holds(t, want)
}

// TestExpiryWithinTheMillisecond: what the database would keep as now is over.
func TestExpiryWithinTheMillisecond(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	org, owner := kit.Owned(t, s)
	_, err := s.Invitations.Create(t.Context(), authdb.CreateInvitationParams{
		OrganizationID: org.ID, InviterID: owner.ID, Email: "a@b", ExpiresAt: s.Now.Add(999 * time.Microsecond),
	})
	kit.Fails(t, err, authdb.ErrInvalidInput, "Invitations.Create", "expires_at")
}

// TestOwnersByWhiteSpace: whoever Better Auth takes for an owner is one here, whatever white space another server has
// left around the role.
func TestOwnersByWhiteSpace(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	for role, is := range map[string]bool{
		"\towner": true, "owner\n": true, "owner\r": true, "\u00a0owner": true, "admin,\u00a0owner": true,
		"admin,owner\t": true, "\ufeffowner\u3000,x": true, "owner": true,
		"owners": false, "co owner": false, "\u0085owner": false, "Owner": false, "": false, "own,er": false,
	} {
		if got := (authdb.Member{Role: role}).HasRole(authdb.RoleOwner); got != is {
			t.Errorf("%q: HasRole says %v", role, got)
		}
		org, owner := kit.Owned(t, s)
		admin := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.Role = org.ID, "admin" })
		_, err := s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: org.ID, InviterID: admin.UserID, Email: "a@b", Role: role,
		})
		if errors.Is(err, authdb.ErrNotPermitted) != is {
			t.Errorf("an admin invites %q: %v", role, err)
		}
		m := kit.Must[authdb.Member](t)(s.Members.GetByUser(ctx, org.ID, owner.ID))
		kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, role, m.ID)
		page := kit.Must[authdb.Page[authdb.MemberWithUser]](t)(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: org.ID, Role: "owner"}))
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
	s := kit.NewFixture(t)
	session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.ExpiresAt = s.Now.Add(time.Hour) })
	s.Now = s.Now.Add(59 * time.Minute)
	got := kit.Must[authdb.RefreshedSession](t)(s.Sessions.Refresh(t.Context(), authdb.RefreshSessionParams{
		Token: session.Token, Lifetime: time.Hour + 1500*time.Microsecond, UpdateAge: time.Minute, // a millisecond more than it was made for
	}))
	if want := s.Now.Add(time.Hour + time.Millisecond); !got.ExpiresAt.Equal(want) {
		t.Errorf("expires at %v, want %v", got.ExpiresAt, want)
	}
}

// TestLimitsNameTheirField: a form can show which limit it was.
func TestLimitsNameTheirField(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	a := kit.NewTenant(t, s)
	kit.Fails(t, kit.ErrOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
		OrganizationID: a.Org.ID, TeamID: a.Team.ID, UserID: a.CoOwner.UserID, MaxMembers: 1,
	})), authdb.ErrLimitReached, "TeamMembers.Create", "max_members")
	kit.Fails(t, kit.ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: a.Org.ID, InviterID: a.User.ID, Email: "a@b", MaxPending: 1,
	})), authdb.ErrLimitReached, "Invitations.Create", "max_pending")
	g := kit.NewGuest(t, s)
	kit.Fails(t, kit.ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID, AllowUnverified: true, MaxMembers: 1})),
		authdb.ErrLimitReached, "Invitations.Accept", "max_members")
}

// TestKeyOfAnotherRow: Better Auth 1.7's key is unique, and one that is somebody else's stands in the way.
func TestKeyOfAnotherRow(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	a := kit.NewTenant(t, s)
	kit.Exec(t, s.Store, `UPDATE team_member SET membership_key = $1`, kit.MembershipKey(a.Team.ID, a.CoOwner.UserID))
	want := kit.ReadTables(t, s.Store)
	_, err := s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: a.Org.ID, TeamID: a.Team.ID, UserID: a.CoOwner.UserID})
	kit.Fails(t, err, authdb.ErrConflict, "TeamMembers.Create", "membership_key")
	s.Holds(t, want)
}

// TestDeletingWhatTheSameTransactionMade: a foreign key is looked at again there.
func TestDeletingWhatTheSameTransactionMade(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	want := kit.ReadTables(t, s.Store)
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
	s.Holds(t, want)
}
