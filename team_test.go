package authdb_test

import (
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestTeams(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
		{"Create", testTeamCreate},
		{"CreateLimit", testTeamLimit},
		{"CreateReference", testTeamReference},
		{"Get", testTeamGet},
		{"NotFound", testTeamNotFound},
		{"Update", testTeamUpdate},
		{"DeleteCascade", testTeamDelete},
		{"DeleteLast", testTeamDeleteLast},
		{"DeleteRewritesInvitations", testTeamDeleteInvitations},
		{"RecountMembers", testTeamRecount},
		{"List", testTeamList},
	})
}

func testTeamCreate(t *testing.T, s *kit.Fixture) {
	org := authdbtest.Organization(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for _, name := range []string{"Red", "Red", ""} {
		team := authdb.Team{ID: s.Id(1), Name: name, OrganizationID: org.ID, CreatedAt: s.Now, UpdatedAt: &s.Now}
		kit.Returns(t, team)(s.Teams.Create(t.Context(), authdb.CreateTeamParams{OrganizationID: org.ID, Name: name}))
		want["team"][team.ID] = kit.AsRow(team)
	}
	s.Holds(t, want)
}

func testTeamLimit(t *testing.T, s *kit.Fixture) {
	team := authdbtest.Team(t, s.Store)
	create := func(limit int) error {
		return kit.ErrOf(s.Teams.Create(t.Context(), authdb.CreateTeamParams{OrganizationID: team.OrganizationID, MaxTeams: limit}))
	}
	authdbtest.Team(t, s.Store) // of another organization
	want := kit.ReadTables(t, s.Store)
	kit.Fails(t, create(1), authdb.ErrLimitReached, "Teams.Create", "max_teams")
	kit.Fails(t, create(-1), authdb.ErrInvalidInput, "Teams.Create", "max_teams")
	s.Holds(t, want)
	if err := create(2); err != nil {
		t.Error(err)
	}
	kit.Fails(t, create(2), authdb.ErrLimitReached, "Teams.Create", "max_teams")
}

func testTeamReference(t *testing.T, s *kit.Fixture) {
	want := kit.ReadTables(t, s.Store)
	_, err := s.Teams.Create(t.Context(), authdb.CreateTeamParams{OrganizationID: "none"})
	kit.Fails(t, err, authdb.ErrReference, "Teams.Create", "organization_id")
	s.Holds(t, want)
}

func testTeamGet(t *testing.T, s *kit.Fixture) {
	org := authdbtest.Organization(t, s.Store)
	team, untouched := authdbtest.Team(t, s.Store, kit.TeamOf(org.ID)), authdbtest.Team(t, s.Store, kit.TeamOf(org.ID))
	kit.Exec(t, s.Store, `UPDATE team SET updated_at = NULL WHERE id = $1`, untouched.ID)
	untouched.UpdatedAt = nil
	for _, team := range []authdb.Team{team, untouched} {
		kit.Returns(t, team)(s.Teams.Get(t.Context(), org.ID, team.ID))
		joined := authdb.TeamWithOrganization{Team: team, Organization: org}
		kit.Returns(t, joined)(s.Teams.GetWithOrganization(t.Context(), org.ID, team.ID))
	}
}

func testTeamNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	team, other := authdbtest.Team(t, s.Store), authdbtest.Organization(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for orgID, id := range map[string]string{team.OrganizationID: "none", other.ID: team.ID} {
		kit.NotFound(t, map[string]error{
			"Teams.Get":                 kit.ErrOf(s.Teams.Get(ctx, orgID, id)),
			"Teams.GetWithOrganization": kit.ErrOf(s.Teams.GetWithOrganization(ctx, orgID, id)),
			"Teams.Update":              kit.ErrOf(s.Teams.Update(ctx, orgID, id, authdb.UpdateTeamParams{})),
			"Teams.Delete":              s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: orgID, TeamID: id, AllowLast: true}),
		})
	}
	s.Holds(t, want)
}

func testTeamUpdate(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateTeamParams
	team := authdbtest.Team(t, s.Store)
	authdbtest.Team(t, s.Store, kit.TeamOf(team.OrganizationID))
	kit.CheckUpdates(t, s, "team", team,
		func(p params) (authdb.Team, error) {
			return s.Teams.Update(t.Context(), team.OrganizationID, team.ID, p)
		},
		kit.Steps[params, authdb.Team]{
			{"nothing", params{}, func(*authdb.Team) {}},
			{"name", params{Name: authdb.Set("New")}, func(t *authdb.Team) { t.Name = "New" }},
		})
}

func testTeamDelete(t *testing.T, s *kit.Fixture) {
	gone := kit.NewTenant(t, s)
	authdbtest.TeamMember(t, s.Store, func(p *authdb.CreateTeamMemberParams) { p.OrganizationID = gone.Org.ID })
	want := kit.ReadTables(t, s.Store)
	delete(want["team"], gone.Team.ID)
	delete(want["team_member"], gone.TeamMember.ID)
	s.Clears(want, gone.Session.ID, kit.ActiveTeam)
	want.Set("invitation", gone.Invitation.ID, map[string]any{"team_id": nil})
	s.Deletes(t, want, "Teams.Delete", func() error {
		return s.Teams.Delete(t.Context(), authdb.DeleteTeamParams{OrganizationID: gone.Org.ID, TeamID: gone.Team.ID})
	})
}

func testTeamDeleteLast(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a, _ := kit.NewTenant(t, s), kit.NewTenant(t, s) // the other organization's team does not count
	want := kit.ReadTables(t, s.Store)
	kit.Fails(t, s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: a.Org.ID, TeamID: a.Team.ID}), authdb.ErrLastTeam, "Teams.Delete", "")
	s.Holds(t, want)
	delete(want["team"], a.Team.ID)
	delete(want["team_member"], a.TeamMember.ID)
	s.Clears(want, a.Session.ID, kit.ActiveTeam)
	want.Set("invitation", a.Invitation.ID, map[string]any{"team_id": nil})
	s.Deletes(t, want, "Teams.Delete", func() error {
		return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: a.Org.ID, TeamID: a.Team.ID, AllowLast: true})
	})
}

// testTeamDeleteInvitations: what is left of a list of teams is written as Better Auth does, and what is settled stays.
func testTeamDeleteInvitations(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, other := authdbtest.Organization(t, s.Store), authdbtest.Invitation(t, s.Store)
	gone, kept := authdbtest.Team(t, s.Store, kit.TeamOf(org.ID)), authdbtest.Team(t, s.Store, kit.TeamOf(org.ID))
	inviter := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, ""))
	g, k := gone.ID, kept.ID
	settled := map[string]string{} // by id: what the invitations say that are not pending, or another organization's
	left := map[string]any{}
	for lists, rest := range map[string]any{
		g: nil, g + "," + k: k, k + "," + g: k, " " + g + " , " + k + " ": k, g + "," + g: nil, k + "," + g + ",x": k + ",x",
		k: k, "x" + g: "x" + g, g + "x," + k: g + "x," + k, "": "",
	} {
		inv := kit.Invite(t, s, org.ID, inviter.UserID)
		kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, lists, inv.ID)
		left[inv.ID] = rest
		for _, status := range []string{"accepted", "rejected", "canceled"} {
			inv := kit.Invite(t, s, org.ID, inviter.UserID)
			kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1, status = $2 WHERE id = $3`, lists, status, inv.ID)
			settled[inv.ID] = lists
		}
	}
	expired := kit.Invite(t, s, org.ID, inviter.UserID)
	kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1, expires_at = '2000-01-01' WHERE id = $2`, g, expired.ID)
	kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, g, other.ID)
	settled[other.ID] = g
	left[expired.ID] = nil
	none := kit.Invite(t, s, org.ID, inviter.UserID)
	left[none.ID] = nil
	want := kit.ReadTables(t, s.Store)
	delete(want["team"], g)
	for id, rest := range left {
		want.Set("invitation", id, map[string]any{"team_id": rest})
	}
	for id, lists := range settled {
		if got := want["invitation"][id]["team_id"]; got != lists {
			t.Fatalf("%v, want %q", got, lists)
		}
	}
	s.Deletes(t, want, "Teams.Delete", func() error { return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: org.ID, TeamID: g}) })
}

func testTeamRecount(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a, b := kit.NewTenant(t, s), kit.NewTenant(t, s)
	right := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID))
	empty := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID))
	kit.Exec(t, s.Store, `UPDATE team SET member_count = 7 WHERE id = ANY($1)`, []string{a.Team.ID, b.Team.ID, empty.ID})
	want := kit.ReadTables(t, s.Store)
	s.Now = s.Now.Add(time.Minute)
	want.Set("team", a.Team.ID, map[string]any{"member_count": 1.0, "updated_at": kit.JSONTime(s.Now)})
	want.Set("team", empty.ID, map[string]any{"member_count": 0.0, "updated_at": kit.JSONTime(s.Now)})
	kit.Returns(t, int64(2))(s.Teams.RecountMembers(ctx, a.Org.ID))
	kit.Returns(t, int64(0))(s.Teams.RecountMembers(ctx, a.Org.ID))
	kit.Returns(t, int64(0))(s.Teams.RecountMembers(ctx, "none"))
	kit.Returns(t, right)(s.Teams.Get(ctx, a.Org.ID, right.ID))
	s.Holds(t, want)
}

func testTeamList(t *testing.T, s *kit.Fixture) {
	org := authdbtest.Organization(t, s.Store)
	authdbtest.Team(t, s.Store)
	teams := rowsOf(func() authdb.Team { return authdbtest.Team(t, s.Store, kit.TeamOf(org.ID)) })
	kit.Returns(t, int64(54))(s.Teams.Count(t.Context(), authdb.ListTeamsParams{OrganizationID: org.ID}))
	checkList(t, s, "Teams.List", "team", teams, func(after authdb.Cursor, limit int) authdb.ListTeamsParams {
		return authdb.ListTeamsParams{OrganizationID: org.ID, After: after, Limit: limit}
	}, s.Teams.List, s.Teams.All)
}
