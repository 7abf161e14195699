package authdb_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
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
	s, ctx := newFixture(t), t.Context()
	store := authdb.New(s.Pool(), authdb.WithClock(func() time.Time { return s.now }), authdb.WithSettings(authdb.Settings{
		CreatorRole: "superadmin", SessionLifetime: time.Hour, SessionUpdateAge: time.Minute, InvitationLifetime: time.Minute,
		MaxMembers: 4, MaxPendingInvitations: 1, MaxTeams: 2, MaxTeamMembers: 1,
	}))
	owner, heir := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	org := must[authdb.Organization](t)(store.Organizations.Create(ctx, authdb.CreateOrganizationParams{Slug: "x", OwnerID: owner.ID, DefaultTeam: true}))
	first := must[authdb.Member](t)(store.Members.GetByUser(ctx, org.ID, owner.ID))
	if first.Role != "superadmin" {
		t.Errorf("the creator is %s", first.Role)
	}
	join := func(role string) (authdb.User, error) {
		user := authdbtest.User(t, s.Store)
		return user, errOf(store.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: user.ID, Role: role}))
	}
	plain, err := join(authdb.RoleOwner) // a role like any other here
	if err != nil {
		t.Fatal(err)
	}
	fails(t, store.Members.Leave(ctx, org.ID, owner.ID), authdb.ErrLastOwner, "Members.Leave", "")
	fails(t, errOf(store.Members.Update(ctx, org.ID, first.ID, authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleOwner)})),
		authdb.ErrLastOwner, "Members.Update", "")
	invite := func(inviter, email, role string) (authdb.Invitation, error) {
		return store.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: inviter, Email: email, Role: role})
	}
	fails(t, errOf(invite(plain.ID, "a@x.io", "superadmin")), authdb.ErrNotPermitted, "Invitations.Create", "role")
	invitation := must[authdb.Invitation](t)(invite(owner.ID, "a@x.io", "superadmin"))
	if want := s.now.Add(time.Minute); !invitation.ExpiresAt.Equal(want) {
		t.Errorf("the invitation expires at %v, want %v", invitation.ExpiresAt, want)
	}
	fails(t, errOf(invite(owner.ID, "b@x.io", "")), authdb.ErrLimitReached, "Invitations.Create", "max_pending")
	must[authdb.Invitation](t)(store.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: org.ID, InviterID: owner.ID, Email: "b@x.io", MaxPending: 2, // a call's own limit goes first
	}))

	for range 2 {
		if _, err := join(""); err != nil {
			t.Fatal(err)
		}
	}
	_, err = join("")
	fails(t, err, authdb.ErrLimitReached, "Members.Create", "max_members")
	fails(t, errOf(store.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: org.ID, UserID: heir.ID}})),
		authdb.ErrLimitReached, "Members.CreateMany", "max_members")
	team := must[authdb.Team](t)(store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID}))
	fails(t, errOf(store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID})), authdb.ErrLimitReached, "Teams.Create", "max_teams")
	must[[]authdb.TeamMember](t)(store.TeamMembers.CreateMany(ctx, seatsOf(org.ID, team.ID, 0, owner.ID)))
	fails(t, errOf(store.TeamMembers.CreateMany(ctx, seatsOf(org.ID, team.ID, 0, plain.ID))), authdb.ErrLimitReached, "TeamMembers.CreateMany", "max_members")

	session := must[authdb.Session](t)(store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: owner.ID}))
	refresh := func() authdb.RefreshedSession {
		return must[authdb.RefreshedSession](t)(store.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: session.Token}))
	}
	if got := refresh(); got.Refreshed || !got.ExpiresAt.Equal(s.now.Add(time.Hour)) {
		t.Errorf("a new session until %v is due: %v", got.ExpiresAt, got.Refreshed)
	}
	s.now = s.now.Add(time.Minute)
	if got := refresh(); !got.Refreshed || !got.ExpiresAt.Equal(s.now.Add(time.Hour)) {
		t.Errorf("a session of a minute until %v is due: %v", got.ExpiresAt, got.Refreshed)
	}

	must[authdb.DeletedUser](t)(store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: owner.ID, SuccessorID: heir.ID}))
	if role := must[authdb.Member](t)(store.Members.GetByUser(ctx, org.ID, heir.ID)).Role; role != "superadmin" {
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
