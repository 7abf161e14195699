package authdb_test

import (
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestTeams(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testTeamCreate},
		{"CreateReference", testTeamReference},
		{"Get", testTeamGet},
		{"NotFound", testTeamNotFound},
		{"Update", testTeamUpdate},
		{"DeleteCascade", testTeamDelete},
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
			"Teams.Delete":              s.Teams.Delete(ctx, orgID, id),
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
			{"name", params{Name: new("New")}, func(t *authdb.Team) { t.Name = "New" }},
		})
}

func testTeamDelete(t *testing.T, s *fixture) {
	gone := newTenant(t, s)
	authdbtest.TeamMember(t, s.Store, func(p *authdb.CreateTeamMemberParams) { p.OrganizationID = gone.org.ID })
	want := readTables(t, s.Store)
	delete(want["team"], gone.team.ID)
	delete(want["team_member"], gone.teamMember.ID)
	s.deletes(t, want, "Teams.Delete", func() error { return s.Teams.Delete(t.Context(), gone.org.ID, gone.team.ID) })
}

func testTeamList(t *testing.T, s *fixture) {
	org := authdbtest.Organization(t, s.Store)
	authdbtest.Team(t, s.Store)
	teams := rowsOf(func() authdb.Team { return authdbtest.Team(t, s.Store, teamOf(org.ID)) })
	returns(t, int64(54))(s.Teams.Count(t.Context(), org.ID))
	checkList(t, s, "Teams.List", "team", teams, func(after authdb.Cursor, limit int) authdb.ListTeamsParams {
		return authdb.ListTeamsParams{OrganizationID: org.ID, After: after, Limit: limit}
	}, s.Teams.List, s.Teams.All)
}
