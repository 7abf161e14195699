package authdb_test

import (
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestTeams(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
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

func teamOf(orgID string) func(*authdb.CreateTeamParams) {
	return func(p *authdb.CreateTeamParams) { p.OrganizationID = orgID }
}

func testTeamCreate(t *testing.T, s *fixture) {
	org := authdbtest.Organization(t, s.Store)
	want := readTables(t, s.Store)
	for _, name := range []string{"Red", "Red", ""} {
		team := authdb.Team{ID: s.id(1), Name: name, OrganizationID: org.ID, CreatedAt: s.now, UpdatedAt: &s.now}
		returns(t, team)(s.Teams.Create(t.Context(), authdb.CreateTeamParams{OrganizationID: org.ID, Name: name}))
		want["team"][team.ID] = asRow(team)
	}
	s.holds(t, want)
}

func testTeamLimit(t *testing.T, s *fixture) {
	team := authdbtest.Team(t, s.Store)
	create := func(limit int) error {
		return errOf(s.Teams.Create(t.Context(), authdb.CreateTeamParams{OrganizationID: team.OrganizationID, MaxTeams: limit}))
	}
	authdbtest.Team(t, s.Store) // of another organization
	want := readTables(t, s.Store)
	fails(t, create(1), authdb.ErrLimitReached, "Teams.Create", "max_teams")
	fails(t, create(-1), authdb.ErrInvalidInput, "Teams.Create", "max_teams")
	s.holds(t, want)
	if err := create(2); err != nil {
		t.Error(err)
	}
	fails(t, create(2), authdb.ErrLimitReached, "Teams.Create", "max_teams")
}

func testTeamReference(t *testing.T, s *fixture) {
	want := readTables(t, s.Store)
	_, err := s.Teams.Create(t.Context(), authdb.CreateTeamParams{OrganizationID: "none"})
	fails(t, err, authdb.ErrReference, "Teams.Create", "organization_id")
	s.holds(t, want)
}

func testTeamGet(t *testing.T, s *fixture) {
	org := authdbtest.Organization(t, s.Store)
	team, untouched := authdbtest.Team(t, s.Store, teamOf(org.ID)), authdbtest.Team(t, s.Store, teamOf(org.ID))
	exec(t, s.Store, `UPDATE team SET updated_at = NULL WHERE id = $1`, untouched.ID)
	untouched.UpdatedAt = nil
	for _, team := range []authdb.Team{team, untouched} {
		returns(t, team)(s.Teams.Get(t.Context(), org.ID, team.ID))
		joined := authdb.TeamWithOrganization{Team: team, Organization: org}
		returns(t, joined)(s.Teams.GetWithOrganization(t.Context(), org.ID, team.ID))
	}
}

func testTeamNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	team, other := authdbtest.Team(t, s.Store), authdbtest.Organization(t, s.Store)
	want := readTables(t, s.Store)
	for orgID, id := range map[string]string{team.OrganizationID: "none", other.ID: team.ID} {
		notFound(t, map[string]error{
			"Teams.Get":                 errOf(s.Teams.Get(ctx, orgID, id)),
			"Teams.GetWithOrganization": errOf(s.Teams.GetWithOrganization(ctx, orgID, id)),
			"Teams.Update":              errOf(s.Teams.Update(ctx, orgID, id, authdb.UpdateTeamParams{})),
			"Teams.Delete":              s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: orgID, TeamID: id, AllowLast: true}),
		})
	}
	s.holds(t, want)
}

func testTeamUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateTeamParams
	team := authdbtest.Team(t, s.Store)
	authdbtest.Team(t, s.Store, teamOf(team.OrganizationID))
	checkUpdates(t, s, "team", team,
		func(p params) (authdb.Team, error) {
			return s.Teams.Update(t.Context(), team.OrganizationID, team.ID, p)
		},
		[]step[params, authdb.Team]{
			{"nothing", params{}, func(*authdb.Team) {}},
			{"name", params{Name: authdb.Set("New")}, func(t *authdb.Team) { t.Name = "New" }},
		})
}

func testTeamDelete(t *testing.T, s *fixture) {
	gone := newTenant(t, s)
	authdbtest.TeamMember(t, s.Store, func(p *authdb.CreateTeamMemberParams) { p.OrganizationID = gone.org.ID })
	want := readTables(t, s.Store)
	delete(want["team"], gone.team.ID)
	delete(want["team_member"], gone.teamMember.ID)
	s.clears(want, gone.session.ID, activeTeam)
	want.set("invitation", gone.invitation.ID, map[string]any{"team_id": nil})
	s.deletes(t, want, "Teams.Delete", func() error {
		return s.Teams.Delete(t.Context(), authdb.DeleteTeamParams{OrganizationID: gone.org.ID, TeamID: gone.team.ID})
	})
}

func testTeamDeleteLast(t *testing.T, s *fixture) {
	ctx := t.Context()
	a, _ := newTenant(t, s), newTenant(t, s) // the other organization's team does not count
	want := readTables(t, s.Store)
	fails(t, s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: a.org.ID, TeamID: a.team.ID}), authdb.ErrLastTeam, "Teams.Delete", "")
	s.holds(t, want)
	delete(want["team"], a.team.ID)
	delete(want["team_member"], a.teamMember.ID)
	s.clears(want, a.session.ID, activeTeam)
	want.set("invitation", a.invitation.ID, map[string]any{"team_id": nil})
	s.deletes(t, want, "Teams.Delete", func() error {
		return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: a.org.ID, TeamID: a.team.ID, AllowLast: true})
	})
}

// testTeamDeleteInvitations: what is left of a list of teams is written as Better Auth does, and what is settled stays.
func testTeamDeleteInvitations(t *testing.T, s *fixture) {
	ctx := t.Context()
	org, other := authdbtest.Organization(t, s.Store), authdbtest.Invitation(t, s.Store)
	gone, kept := authdbtest.Team(t, s.Store, teamOf(org.ID)), authdbtest.Team(t, s.Store, teamOf(org.ID))
	inviter := authdbtest.Member(t, s.Store, memberOf(org.ID, ""))
	g, k := gone.ID, kept.ID
	settled := map[string]string{} // by id: what the invitations say that are not pending, or another organization's
	left := map[string]any{}
	for lists, rest := range map[string]any{
		g: nil, g + "," + k: k, k + "," + g: k, " " + g + " , " + k + " ": k, g + "," + g: nil, k + "," + g + ",x": k + ",x",
		k: k, "x" + g: "x" + g, g + "x," + k: g + "x," + k, "": "",
	} {
		inv := invite(t, s, org.ID, inviter.UserID)
		exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, lists, inv.ID)
		left[inv.ID] = rest
		for _, status := range []string{"accepted", "rejected", "canceled"} {
			inv := invite(t, s, org.ID, inviter.UserID)
			exec(t, s.Store, `UPDATE invitation SET team_id = $1, status = $2 WHERE id = $3`, lists, status, inv.ID)
			settled[inv.ID] = lists
		}
	}
	expired := invite(t, s, org.ID, inviter.UserID)
	exec(t, s.Store, `UPDATE invitation SET team_id = $1, expires_at = '2000-01-01' WHERE id = $2`, g, expired.ID)
	exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, g, other.ID)
	settled[other.ID] = g
	left[expired.ID] = nil
	none := invite(t, s, org.ID, inviter.UserID)
	left[none.ID] = nil
	want := readTables(t, s.Store)
	delete(want["team"], g)
	for id, rest := range left {
		want.set("invitation", id, map[string]any{"team_id": rest})
	}
	for id, lists := range settled {
		if got := want["invitation"][id]["team_id"]; got != lists {
			t.Fatalf("%v, want %q", got, lists)
		}
	}
	s.deletes(t, want, "Teams.Delete", func() error { return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: org.ID, TeamID: g}) })
}

func testTeamRecount(t *testing.T, s *fixture) {
	ctx := t.Context()
	a, b := newTenant(t, s), newTenant(t, s)
	right := authdbtest.Team(t, s.Store, teamOf(a.org.ID))
	empty := authdbtest.Team(t, s.Store, teamOf(a.org.ID))
	exec(t, s.Store, `UPDATE team SET member_count = 7 WHERE id = ANY($1)`, []string{a.team.ID, b.team.ID, empty.ID})
	want := readTables(t, s.Store)
	s.now = s.now.Add(time.Minute)
	want.set("team", a.team.ID, map[string]any{"member_count": 1.0, "updated_at": jsonTime(s.now)})
	want.set("team", empty.ID, map[string]any{"member_count": 0.0, "updated_at": jsonTime(s.now)})
	returns(t, int64(2))(s.Teams.RecountMembers(ctx, a.org.ID))
	returns(t, int64(0))(s.Teams.RecountMembers(ctx, a.org.ID))
	returns(t, int64(0))(s.Teams.RecountMembers(ctx, "none"))
	returns(t, right)(s.Teams.Get(ctx, a.org.ID, right.ID))
	s.holds(t, want)
}

func testTeamList(t *testing.T, s *fixture) {
	org := authdbtest.Organization(t, s.Store)
	authdbtest.Team(t, s.Store)
	teams := rowsOf(func() authdb.Team { return authdbtest.Team(t, s.Store, teamOf(org.ID)) })
	returns(t, int64(54))(s.Teams.Count(t.Context(), authdb.ListTeamsParams{OrganizationID: org.ID}))
	checkList(t, s, "Teams.List", "team", teams, func(after authdb.Cursor, limit int) authdb.ListTeamsParams {
		return authdb.ListTeamsParams{OrganizationID: org.ID, After: after, Limit: limit}
	}, s.Teams.List, s.Teams.All)
}
