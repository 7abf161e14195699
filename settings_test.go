package authdb_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestSettingsThatAreNone: each is refused by its name, when the store is opened and by all that it does.
func TestSettingsThatAreNone(t *testing.T) {
	t.Parallel()
	sound := authdbtest.New(t)
	fields, longest := 0, strings.Repeat("x", 1025)
	for field, s := range map[string][]authdb.Settings{
		"creator_role":            {{CreatorRole: "owner,admin"}, {CreatorRole: " owner"}, {CreatorRole: "a\x00b"}, {CreatorRole: longest}},
		"session_lifetime":        {{SessionLifetime: -1}, {SessionLifetime: math.MaxInt64}},
		"session_update_age":      {{SessionUpdateAge: -time.Hour}},
		"invitation_lifetime":     {{InvitationLifetime: math.MinInt64}},
		"max_members":             {{MaxMembers: -1}},
		"max_pending_invitations": {{MaxPendingInvitations: math.MinInt}},
		"max_teams":               {{MaxTeams: -1, MaxTeamMembers: -1}},
		"max_team_members":        {{MaxTeamMembers: -1}},
	} {
		fields++
		for _, s := range s {
			with := authdb.WithSettings(s)
			opened, err := authdb.Open(t.Context(), sound.Pool().Config().ConnString(), with)
			if opened != nil {
				t.Errorf("%+v: opened", s)
			}
			says(t, map[string]error{"Open": err}, authdb.ErrInvalidInput, field, "")
			says(t, calls(t.Context(), authdb.New(sound.Pool(), with)), authdb.ErrInvalidInput, field, "")
		}
	}
	if want := reflect.TypeFor[authdb.Settings]().NumField(); fields != want {
		t.Errorf("%d fields of %d", fields, want)
	}
}

// TestSettings: the rules go by what the other side is configured with.
func TestSettings(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	store := authdb.New(s.Pool(), authdb.WithClock(func() time.Time { return s.Now }), authdb.WithSettings(authdb.Settings{
		CreatorRole: "superadmin", SessionLifetime: time.Hour, SessionUpdateAge: time.Minute, InvitationLifetime: time.Minute,
		MaxMembers: 4, MaxPendingInvitations: 1, MaxTeams: 2, MaxTeamMembers: 1,
	}))
	owner, heir := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	org := kit.Must[authdb.Organization](t)(store.Organizations.Create(ctx, authdb.CreateOrganizationParams{Slug: "x", OwnerID: owner.ID, DefaultTeam: true}))
	first := kit.Must[authdb.Member](t)(store.Members.GetByUser(ctx, org.ID, owner.ID))
	if first.Role != "superadmin" {
		t.Errorf("the creator is %s", first.Role)
	}
	join := func(role string) (authdb.User, error) {
		user := authdbtest.User(t, s.Store)
		return user, kit.ErrOf(store.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: user.ID, Role: role}))
	}
	plain, err := join(authdb.RoleOwner) // a role like any other here
	if err != nil {
		t.Fatal(err)
	}
	kit.Fails(t, store.Members.Leave(ctx, org.ID, owner.ID), authdb.ErrLastOwner, "Members.Leave", "")
	kit.Fails(t, kit.ErrOf(store.Members.Update(ctx, org.ID, first.ID, authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleOwner)})),
		authdb.ErrLastOwner, "Members.Update", "")
	invite := func(inviter, email, role string) (authdb.Invitation, error) {
		return store.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: inviter, Email: email, Role: role})
	}
	kit.Fails(t, kit.ErrOf(invite(plain.ID, "a@x.io", "superadmin")), authdb.ErrNotPermitted, "Invitations.Create", "role")
	invitation := kit.Must[authdb.Invitation](t)(invite(owner.ID, "a@x.io", "superadmin"))
	if want := s.Now.Add(time.Minute); !invitation.ExpiresAt.Equal(want) {
		t.Errorf("the invitation expires at %v, want %v", invitation.ExpiresAt, want)
	}
	kit.Fails(t, kit.ErrOf(invite(owner.ID, "b@x.io", "")), authdb.ErrLimitReached, "Invitations.Create", "max_pending")
	kit.Must[authdb.Invitation](t)(store.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: org.ID, InviterID: owner.ID, Email: "b@x.io", MaxPending: 2, // a call's own limit goes first
	}))

	for range 2 {
		if _, err := join(""); err != nil {
			t.Fatal(err)
		}
	}
	_, err = join("")
	kit.Fails(t, err, authdb.ErrLimitReached, "Members.Create", "max_members")
	kit.Fails(t, kit.ErrOf(store.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: org.ID, UserID: heir.ID}})),
		authdb.ErrLimitReached, "Members.CreateMany", "max_members")
	team := kit.Must[authdb.Team](t)(store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID}))
	kit.Fails(t, kit.ErrOf(store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID})), authdb.ErrLimitReached, "Teams.Create", "max_teams")
	kit.Must[[]authdb.TeamMember](t)(store.TeamMembers.CreateMany(ctx, kit.SeatsOf(org.ID, team.ID, 0, owner.ID)))
	kit.Fails(t, kit.ErrOf(store.TeamMembers.CreateMany(ctx, kit.SeatsOf(org.ID, team.ID, 0, plain.ID))), authdb.ErrLimitReached, "TeamMembers.CreateMany", "max_members")

	session := kit.Must[authdb.Session](t)(store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: owner.ID}))
	refresh := func() authdb.RefreshedSession {
		return kit.Must[authdb.RefreshedSession](t)(store.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: session.Token}))
	}
	if got := refresh(); got.Refreshed || !got.ExpiresAt.Equal(s.Now.Add(time.Hour)) {
		t.Errorf("a new session until %v is due: %v", got.ExpiresAt, got.Refreshed)
	}
	s.Now = s.Now.Add(time.Minute)
	if got := refresh(); !got.Refreshed || !got.ExpiresAt.Equal(s.Now.Add(time.Hour)) {
		t.Errorf("a session of a minute until %v is due: %v", got.ExpiresAt, got.Refreshed)
	}

	kit.Must[authdb.DeletedUser](t)(store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: owner.ID, SuccessorID: heir.ID}))
	if role := kit.Must[authdb.Member](t)(store.Members.GetByUser(ctx, org.ID, heir.ID)).Role; role != "superadmin" {
		t.Errorf("the successor is %s", role)
	}
	inside := func(tx *authdb.Store) error {
		if tx.Sessions.Settings() != store.Sessions.Settings() {
			t.Error("a transaction has other settings")
		}
		return nil
	}
	if err := store.InTx(ctx, inside); err != nil {
		t.Error(err)
	}
	if got := s.Sessions.Settings(); got != (authdb.Settings{
		CreatorRole: authdb.RoleOwner, SessionLifetime: authdb.SessionLifetime, SessionUpdateAge: authdb.SessionUpdateAge,
		InvitationLifetime: authdb.InvitationLifetime,
	}) {
		t.Errorf("by default: %+v", got)
	}
}
