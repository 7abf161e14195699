package authdb_test

import (
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestTeamMembers(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testTeamMemberCreate},
		{"CreateReference", testTeamMemberReference},
		{"Get", testTeamMemberGet},
		{"GetByUserOldest", testTeamMemberOldest},
		{"NotFound", testTeamMemberNotFound},
		{"Delete", testTeamMemberDelete},
		{"DeleteByUser", testTeamMemberDeleteByUser},
		{"List", testTeamMemberList},
		{"ListByUser", testTeamMemberListByUser},
	})
}

func teamMemberOf(team authdb.Team, userID string) func(*authdb.CreateTeamMemberParams) {
	return func(p *authdb.CreateTeamMemberParams) {
		p.OrganizationID, p.TeamID, p.UserID = team.OrganizationID, team.ID, userID
	}
}

func testTeamMemberCreate(t *testing.T, s *fixture) {
	team, user := authdbtest.Team(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for range 2 {
		tm := authdb.TeamMember{ID: s.id(1), TeamID: team.ID, UserID: user.ID, CreatedAt: &s.now}
		returns(t, tm)(s.TeamMembers.Create(t.Context(), authdb.CreateTeamMemberParams{
			OrganizationID: team.OrganizationID, TeamID: team.ID, UserID: user.ID,
		}))
		want["team_member"][tm.ID] = asRow(tm)
	}
	s.holds(t, want)
}

func testTeamMemberReference(t *testing.T, s *fixture) {
	team := authdbtest.Team(t, s.Store)
	want := readTables(t, s.Store)
	_, err := s.TeamMembers.Create(t.Context(), authdb.CreateTeamMemberParams{
		OrganizationID: team.OrganizationID, TeamID: team.ID, UserID: "none",
	})
	fails(t, err, authdb.ErrReference, "TeamMembers.Create", "user_id")
	s.holds(t, want)
}

func testTeamMemberGet(t *testing.T, s *fixture) {
	ctx := t.Context()
	team, user := authdbtest.Team(t, s.Store), authdbtest.User(t, s.Store)
	tm := authdbtest.TeamMember(t, s.Store, teamMemberOf(team, user.ID))
	authdbtest.TeamMember(t, s.Store, func(p *authdb.CreateTeamMemberParams) { p.UserID = user.ID })
	returns(t, tm)(s.TeamMembers.Get(ctx, team.OrganizationID, tm.ID))
	returns(t, authdb.TeamMemberWithUser{TeamMember: tm, User: user})(s.TeamMembers.GetWithUser(ctx, team.OrganizationID, tm.ID))
	returns(t, authdb.TeamMemberWithTeam{TeamMember: tm, Team: team})(s.TeamMembers.GetByUser(ctx, team.OrganizationID, team.ID, user.ID))
}

func testTeamMemberOldest(t *testing.T, s *fixture) {
	team, user := authdbtest.Team(t, s.Store), authdbtest.User(t, s.Store)
	var twins []authdb.TeamMemberWithTeam
	for range 3 {
		twins = append(twins, authdb.TeamMemberWithTeam{
			TeamMember: authdbtest.TeamMember(t, s.Store, teamMemberOf(team, user.ID)), Team: team,
		})
	}
	oldest := func(want authdb.TeamMemberWithTeam) {
		t.Helper()
		returns(t, want)(s.TeamMembers.GetByUser(t.Context(), team.OrganizationID, team.ID, user.ID))
	}
	oldest(twins[0])
	for i, at := range map[int]*time.Time{1: new(s.now.Add(-time.Microsecond)), 2: nil} {
		twins[i].CreatedAt = at
		exec(t, s.Store, `UPDATE team_member SET created_at = $1 WHERE id = $2`, at, twins[i].ID)
	}
	oldest(twins[2])
	if err := s.TeamMembers.Delete(t.Context(), team.OrganizationID, twins[2].ID); err != nil {
		t.Fatal(err)
	}
	oldest(twins[1])
}

func testTeamMemberNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	mine, other := newTenant(t, s), newTenant(t, s)
	stranger, empty := authdbtest.User(t, s.Store), authdbtest.Team(t, s.Store, teamOf(mine.org.ID))
	want := readTables(t, s.Store)
	for orgID, id := range map[string]string{mine.org.ID: "none", other.org.ID: mine.teamMember.ID} {
		notFound(t, map[string]error{
			"TeamMembers.Get":         errOf(s.TeamMembers.Get(ctx, orgID, id)),
			"TeamMembers.GetWithUser": errOf(s.TeamMembers.GetWithUser(ctx, orgID, id)),
			"TeamMembers.Delete":      s.TeamMembers.Delete(ctx, orgID, id),
		})
	}
	for _, key := range []struct{ org, team, user string }{
		{mine.org.ID, mine.team.ID, stranger.ID},
		{mine.org.ID, empty.ID, mine.user.ID},
		{mine.org.ID, other.team.ID, other.user.ID},
		{other.org.ID, mine.team.ID, mine.user.ID},
	} {
		notFound(t, map[string]error{
			"TeamMembers.GetByUser":    errOf(s.TeamMembers.GetByUser(ctx, key.org, key.team, key.user)),
			"TeamMembers.DeleteByUser": s.TeamMembers.DeleteByUser(ctx, key.org, key.team, key.user),
		})
	}
	for orgID, teamID := range map[string]string{mine.org.ID: other.team.ID, other.org.ID: mine.team.ID, "none": mine.team.ID} {
		notFound(t, map[string]error{"TeamMembers.Create": errOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
			OrganizationID: orgID, TeamID: teamID, UserID: stranger.ID,
		}))})
	}
	s.holds(t, want)
}

func testTeamMemberDelete(t *testing.T, s *fixture) {
	team, user := authdbtest.Team(t, s.Store), authdbtest.User(t, s.Store)
	authdbtest.TeamMember(t, s.Store, teamMemberOf(team, user.ID))
	want := readTables(t, s.Store)
	tm := authdbtest.TeamMember(t, s.Store, teamMemberOf(team, user.ID))
	s.deletes(t, want, "TeamMembers.Delete", func() error { return s.TeamMembers.Delete(t.Context(), team.OrganizationID, tm.ID) })
}

func testTeamMemberDeleteByUser(t *testing.T, s *fixture) {
	team, user := authdbtest.Team(t, s.Store), authdbtest.User(t, s.Store)
	authdbtest.TeamMember(t, s.Store, teamMemberOf(team, authdbtest.User(t, s.Store).ID))
	authdbtest.TeamMember(t, s.Store, teamMemberOf(authdbtest.Team(t, s.Store, teamOf(team.OrganizationID)), user.ID))
	want := readTables(t, s.Store)
	for range 2 {
		authdbtest.TeamMember(t, s.Store, teamMemberOf(team, user.ID))
	}
	s.deletes(t, want, "TeamMembers.DeleteByUser", func() error {
		return s.TeamMembers.DeleteByUser(t.Context(), team.OrganizationID, team.ID, user.ID)
	})
}

func testTeamMemberList(t *testing.T, s *fixture) {
	team := authdbtest.Team(t, s.Store)
	authdbtest.TeamMember(t, s.Store, func(p *authdb.CreateTeamMemberParams) { p.OrganizationID = team.OrganizationID })
	rows := rowsOf(func() authdb.TeamMemberWithUser {
		user := authdbtest.User(t, s.Store)
		return authdb.TeamMemberWithUser{TeamMember: authdbtest.TeamMember(t, s.Store, teamMemberOf(team, user.ID)), User: user}
	})
	returns(t, int64(54))(s.TeamMembers.Count(t.Context(), team.OrganizationID, team.ID))
	checkList(t, s, "TeamMembers.List", "team_member", rows, func(after authdb.Cursor, limit int) authdb.ListTeamMembersParams {
		return authdb.ListTeamMembersParams{OrganizationID: team.OrganizationID, TeamID: team.ID, After: after, Limit: limit}
	}, s.TeamMembers.List, s.TeamMembers.All)
}

func testTeamMemberListByUser(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.TeamMember(t, s.Store)
	rows := rowsOf(func() authdb.TeamMemberWithTeam {
		team := authdbtest.Team(t, s.Store)
		return authdb.TeamMemberWithTeam{TeamMember: authdbtest.TeamMember(t, s.Store, teamMemberOf(team, user.ID)), Team: team}
	})
	checkList(t, s, "TeamMembers.ListByUser", "team_member", rows, func(after authdb.Cursor, limit int) authdb.ListTeamMembersByUserParams {
		return authdb.ListTeamMembersByUserParams{UserID: user.ID, After: after, Limit: limit}
	}, s.TeamMembers.ListByUser, s.TeamMembers.AllByUser)
}
