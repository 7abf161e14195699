package authdbtest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// TestNewIsFreshAndFast: no store sees another's rows, and a store costs little once the template stands.
func TestNewIsFreshAndFast(t *testing.T) {
	t.Parallel()
	authdbtest.User(t, authdbtest.New(t))
	const stores = 10
	begin := time.Now()
	for range stores {
		store := authdbtest.New(t)
		if n, err := store.Users.Count(t.Context(), authdb.ListUsersParams{}); err != nil || n != 0 {
			t.Errorf("%d users, %v", n, err)
		}
		authdbtest.User(t, store)
	}
	t.Logf("%v a store", time.Since(begin)/stores)
}

func TestOptionsReachTheStore(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	store := authdbtest.New(t, authdb.WithClock(func() time.Time { return at }), authdb.WithIDs(func() string { return "one" }))
	user := authdbtest.User(t, store)
	if user.ID != "one" || !user.CreatedAt.Equal(at) {
		t.Errorf("id %s, created %v", user.ID, user.CreatedAt)
	}
}

// TestFactories: each makes one row and its parents, and keeps what the test sets.
func TestFactories(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	user := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.Name = "Ada" })
	org := authdbtest.Organization(t, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = user.ID })
	team := authdbtest.Team(t, store, func(p *authdb.CreateTeamParams) { p.OrganizationID = org.ID })
	member := authdbtest.TeamMember(t, store, func(p *authdb.CreateTeamMemberParams) {
		p.OrganizationID, p.TeamID = org.ID, team.ID
	})
	invitation := authdbtest.Invitation(t, store, func(p *authdb.CreateInvitationParams) { p.OrganizationID = org.ID })

	if user.Name != "Ada" || team.OrganizationID != org.ID || member.TeamID != team.ID || invitation.OrganizationID != org.ID {
		t.Error("what the test set was not kept")
	}
	for who, userID := range map[string]string{"owner": user.ID, "team member": member.UserID, "inviter": invitation.InviterID} {
		if _, err := store.Members.GetByUser(ctx, org.ID, userID); err != nil {
			t.Errorf("the %s is no member: %v", who, err)
		}
	}

	authdbtest.Session(t, store)
	authdbtest.Account(t, store)
	authdbtest.Verification(t, store)
	authdbtest.Member(t, store)
	authdbtest.Invitation(t, store)
	authdbtest.TeamMember(t, store)
	rows := map[string]int{}
	for _, table := range []string{"session", "account", "verification", "member", "invitation", "team_member"} {
		var n int
		if err := store.Pool().QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows[table] = n
	}
	// Four organizations have an owner; a team member and the inviter to org are members of theirs, and one is plain.
	want := map[string]int{"session": 1, "account": 1, "verification": 1, "member": 8, "invitation": 2, "team_member": 2}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
