package authdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestTeamMembers(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
		{"Create", testTeamMemberCreate},
		{"CreateMany", testTeamMemberCreateMany},
		{"CreateRefused", testTeamMemberRefused},
		{"CreateLimit", testTeamMemberLimit},
		{"MembershipKey", testTeamMemberKey},
		{"Get", testTeamMemberGet},
		{"NotFound", testTeamMemberNotFound},
		{"Delete", testTeamMemberDelete},
		{"List", testTeamMemberList},
		{"ListByUser", testTeamMemberListByUser},
	})
}

// seat makes a user a member of a team and of its organization.
func seat(t *testing.T, s *kit.Fixture, team authdb.Team, userID string) authdb.TeamMember {
	t.Helper()
	authdbtest.Member(t, s.Store, kit.MemberOf(team.OrganizationID, userID))
	return authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(team, userID))
}

func testTeamMemberCreate(t *testing.T, s *kit.Fixture) {
	team := authdbtest.Team(t, s.Store)
	member := authdbtest.Member(t, s.Store, kit.MemberOf(team.OrganizationID, ""))
	authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(authdbtest.Team(t, s.Store, kit.TeamOf(team.OrganizationID)), member.UserID))
	want := kit.ReadTables(t, s.Store)
	s.Now = s.Now.Add(time.Minute)
	tm := authdb.TeamMember{
		ID: s.Id(1), TeamID: team.ID, UserID: member.UserID, CreatedAt: new(s.Now), MembershipKey: kit.MembershipKey(team.ID, member.UserID),
	}
	want["team_member"][tm.ID] = kit.AsRow(tm)
	s.Seats(want, team.ID, 1)
	for range 2 { // the second time nothing is left to do
		kit.Returns(t, tm)(s.TeamMembers.Create(t.Context(), authdb.CreateTeamMemberParams{
			OrganizationID: team.OrganizationID, TeamID: team.ID, UserID: member.UserID,
		}))
		s.Holds(t, want)
		s.Now = s.Now.Add(time.Minute)
	}
}

func testTeamMemberCreateMany(t *testing.T, s *kit.Fixture) {
	team := authdbtest.Team(t, s.Store)
	var users []string
	for range 4 {
		users = append(users, authdbtest.Member(t, s.Store, kit.MemberOf(team.OrganizationID, "")).UserID)
	}
	there := authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(team, users[1]))
	kit.Exec(t, s.Store, `UPDATE team_member SET created_at = NULL, membership_key = NULL WHERE id = $1`, there.ID) // an old row
	there.CreatedAt, there.MembershipKey = nil, nil
	want := kit.ReadTables(t, s.Store)
	s.Now = s.Now.Add(time.Minute)
	row := func(n int, userID string) authdb.TeamMember {
		return authdb.TeamMember{
			ID: s.Id(n), TeamID: team.ID, UserID: userID, CreatedAt: new(s.Now), MembershipKey: kit.MembershipKey(team.ID, userID),
		}
	}
	rows := []authdb.TeamMember{row(1, users[3]), there, row(3, users[0])}
	for _, tm := range rows {
		want["team_member"][tm.ID] = kit.AsRow(tm)
	}
	s.Seats(want, team.ID, 2)
	p := kit.SeatsOf(team.OrganizationID, team.ID, 0, users[3], users[1], users[3], users[0], users[1])
	kit.Returns(t, rows)(s.TeamMembers.CreateMany(t.Context(), p))
	s.Holds(t, want)
	s.Now = s.Now.Add(time.Minute)
	kit.Returns(t, rows)(s.TeamMembers.CreateMany(t.Context(), p))
	kit.Returns(t, []authdb.TeamMember{})(s.TeamMembers.CreateMany(t.Context(), nil))
	s.Holds(t, want)
}

func testTeamMemberRefused(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a, b := kit.NewTenant(t, s), kit.NewTenant(t, s)
	want := kit.ReadTables(t, s.Store)
	for _, test := range []struct {
		org, team, user string
		kind            error
		field           string
	}{
		{a.Org.ID, a.Team.ID, "none", authdb.ErrNotMember, "user_id"},
		{a.Org.ID, a.Team.ID, b.User.ID, authdb.ErrNotMember, "user_id"},
		{a.Org.ID, b.Team.ID, a.User.ID, authdb.ErrNotFound, ""},
		{a.Org.ID, "none", a.User.ID, authdb.ErrNotFound, ""},
		{"none", a.Team.ID, a.User.ID, authdb.ErrNotFound, ""},
		{a.Org.ID, a.Team.ID, "", authdb.ErrInvalidInput, "user_id"},
	} {
		_, err := s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: test.org, TeamID: test.team, UserID: test.user})
		kit.Fails(t, err, test.kind, "TeamMembers.Create", test.field)
		_, err = s.TeamMembers.CreateMany(ctx, kit.SeatsOf(test.org, test.team, 0, a.CoOwner.UserID, test.user))
		kit.Fails(t, err, test.kind, "TeamMembers.CreateMany", test.field)
	}
	s.Holds(t, want)
}

func testTeamMemberLimit(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a := kit.NewTenant(t, s)
	var users []string
	for range 2 {
		users = append(users, authdbtest.Member(t, s.Store, kit.MemberOf(a.Org.ID, "")).UserID)
	}
	create := func(limit int, userIDs ...string) error {
		return kit.ErrOf(s.TeamMembers.CreateMany(ctx, kit.SeatsOf(a.Org.ID, a.Team.ID, limit, userIDs...)))
	}
	count := func(n int) { kit.Exec(t, s.Store, `UPDATE team SET member_count = $1 WHERE id = $2`, n, a.Team.ID) }
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, authdb.ErrLimitReached) {
			t.Errorf("got %v, want %v", err, authdb.ErrLimitReached)
		}
	}
	before := kit.ReadTables(t, s.Store)
	refused(create(1, users[0]))
	refused(create(2, users...)) // all or none
	refused(create(2, a.User.ID, users[0], users[1]))
	refused(kit.ErrOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
		OrganizationID: a.Org.ID, TeamID: a.Team.ID, UserID: users[0], MaxMembers: 1,
	})))
	kit.Fails(t, create(-1, users...), authdb.ErrInvalidInput, "TeamMembers.CreateMany", "max_members")
	if err := create(1, a.User.ID); err != nil {
		t.Errorf("one who is there already: %v", err)
	}
	s.Holds(t, before)
	count(2) // a seat that Better Auth has reserved
	refused(create(2, users[0]))
	count(0) // of a Better Auth that does not count
	refused(create(1, users[0]))
	count(1)
	s.Holds(t, before)
	if err := create(3, users...); err != nil {
		t.Error(err)
	}
	kit.Returns(t, int64(3))(s.TeamMembers.Count(ctx, authdb.ListTeamMembersParams{OrganizationID: a.Org.ID, TeamID: a.Team.ID}))
}

func testTeamMemberKey(t *testing.T, s *kit.Fixture) {
	if got, want := *kit.MembershipKey("t1", "u1"), "zvgff7WeYkeF-_knMfCIgYKEgYHUMdUsDbvpoKRzSsY"; got != want {
		t.Errorf("of t1 and u1: %s, want %s", got, want)
	}
	for i, id := range []string{`a"b\c`, "é😀", "\t\n\r\b\f\x01\x7f", "</script>&", `["x","y"]`, "a/b"} {
		odd := authdb.New(s.Pool(), authdb.WithIDs(func() string { return fmt.Sprint(id, i) }))
		org := authdbtest.Organization(t, s.Store)
		team := authdbtest.Team(t, odd, kit.TeamOf(org.ID))
		user := authdbtest.User(t, odd)
		tm := seat(t, s, team, user.ID)
		if diff := cmp.Diff(kit.MembershipKey(team.ID, user.ID), tm.MembershipKey); diff != "" {
			t.Errorf("%q (-JSON +SQL):\n%s", id, diff)
		}
	}
}

func testTeamMemberGet(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	team, user := authdbtest.Team(t, s.Store), authdbtest.User(t, s.Store)
	tm := seat(t, s, team, user.ID)
	seat(t, s, authdbtest.Team(t, s.Store), user.ID)
	team.MemberCount = 1
	kit.Returns(t, tm)(s.TeamMembers.Get(ctx, team.OrganizationID, tm.ID))
	kit.Returns(t, authdb.TeamMemberWithUser{TeamMember: tm, User: user})(s.TeamMembers.GetWithUser(ctx, team.OrganizationID, tm.ID))
	kit.Returns(t, tm)(s.TeamMembers.GetByUser(ctx, team.OrganizationID, team.ID, user.ID))
}

func testTeamMemberNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	mine, other := kit.NewTenant(t, s), kit.NewTenant(t, s)
	stranger, empty := authdbtest.User(t, s.Store), authdbtest.Team(t, s.Store, kit.TeamOf(mine.Org.ID))
	want := kit.ReadTables(t, s.Store)
	for orgID, id := range map[string]string{mine.Org.ID: "none", other.Org.ID: mine.TeamMember.ID} {
		kit.NotFound(t, map[string]error{
			"TeamMembers.Get":         kit.ErrOf(s.TeamMembers.Get(ctx, orgID, id)),
			"TeamMembers.GetWithUser": kit.ErrOf(s.TeamMembers.GetWithUser(ctx, orgID, id)),
			"TeamMembers.Delete":      s.TeamMembers.Delete(ctx, orgID, id),
		})
	}
	for _, key := range []struct{ org, team, user string }{
		{mine.Org.ID, mine.Team.ID, stranger.ID},
		{mine.Org.ID, empty.ID, mine.User.ID},
		{mine.Org.ID, other.Team.ID, other.User.ID},
		{other.Org.ID, mine.Team.ID, mine.User.ID},
	} {
		kit.NotFound(t, map[string]error{
			"TeamMembers.GetByUser":    kit.ErrOf(s.TeamMembers.GetByUser(ctx, key.org, key.team, key.user)),
			"TeamMembers.DeleteByUser": s.TeamMembers.DeleteByUser(ctx, key.org, key.team, key.user),
		})
	}
	for orgID, teamID := range map[string]string{mine.Org.ID: other.Team.ID, other.Org.ID: mine.Team.ID, "none": mine.Team.ID} {
		kit.NotFound(t, map[string]error{"TeamMembers.Create": kit.ErrOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
			OrganizationID: orgID, TeamID: teamID, UserID: stranger.ID,
		}))})
	}
	s.Holds(t, want)
}

// testTeamMemberDelete: both ways to end a membership do the same.
func testTeamMemberDelete(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	for op, remove := range map[string]func(a kit.Tenant) error{
		"TeamMembers.Delete":       func(a kit.Tenant) error { return s.TeamMembers.Delete(ctx, a.Org.ID, a.TeamMember.ID) },
		"TeamMembers.DeleteByUser": func(a kit.Tenant) error { return s.TeamMembers.DeleteByUser(ctx, a.Org.ID, a.Team.ID, a.User.ID) },
	} {
		t.Run(op, func(t *testing.T) {
			a := kit.NewTenant(t, s)
			authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(a.Team, a.CoOwner.UserID))
			other := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID))
			authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(other, a.User.ID))
			session := func(userID, teamID string) string {
				return authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
					kit.SessionOf(s, userID, time.Hour)(p)
					p.ActiveOrganizationID, p.ActiveTeamID = &a.Org.ID, &teamID
				}).ID
			}
			session(a.User.ID, other.ID)
			session(a.CoOwner.UserID, a.Team.ID)
			second := session(a.User.ID, a.Team.ID)
			s.Now = s.Now.Add(time.Minute)
			want := kit.ReadTables(t, s.Store)
			delete(want["team_member"], a.TeamMember.ID)
			s.Seats(want, a.Team.ID, -1)
			s.Clears(want, a.Session.ID, kit.ActiveTeam)
			s.Clears(want, second, kit.ActiveTeam)
			s.Deletes(t, want, op, func() error { return remove(a) })
		})
	}
	t.Run("count", func(t *testing.T) { // never below none
		a := kit.NewTenant(t, s)
		kit.Exec(t, s.Store, `UPDATE team SET member_count = 0 WHERE id = $1`, a.Team.ID)
		if err := s.TeamMembers.Delete(ctx, a.Org.ID, a.TeamMember.ID); err != nil {
			t.Fatal(err)
		}
		a.Team.MemberCount, a.Team.UpdatedAt = 0, &s.Now
		kit.Returns(t, a.Team)(s.Teams.Get(ctx, a.Org.ID, a.Team.ID))
	})
}

func testTeamMemberList(t *testing.T, s *kit.Fixture) {
	team := authdbtest.Team(t, s.Store)
	authdbtest.TeamMember(t, s.Store, func(p *authdb.CreateTeamMemberParams) { p.OrganizationID = team.OrganizationID })
	rows := rowsOf(func() authdb.TeamMemberWithUser {
		user := authdbtest.User(t, s.Store)
		return authdb.TeamMemberWithUser{TeamMember: seat(t, s, team, user.ID), User: user}
	})
	kit.Returns(t, int64(54))(s.TeamMembers.Count(t.Context(), authdb.ListTeamMembersParams{OrganizationID: team.OrganizationID, TeamID: team.ID}))
	checkList(t, s, "TeamMembers.List", "team_member", rows, func(after authdb.Cursor, limit int) authdb.ListTeamMembersParams {
		return authdb.ListTeamMembersParams{OrganizationID: team.OrganizationID, TeamID: team.ID, After: after, Limit: limit}
	}, s.TeamMembers.List, s.TeamMembers.All)
}

func testTeamMemberListByUser(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.TeamMember(t, s.Store)
	rows := rowsOf(func() authdb.TeamMemberWithTeam {
		team := authdbtest.Team(t, s.Store)
		tm := seat(t, s, team, user.ID)
		team.MemberCount = 1
		return authdb.TeamMemberWithTeam{TeamMember: tm, Team: team}
	})
	checkList(t, s, "TeamMembers.ListByUser", "team_member", rows, func(after authdb.Cursor, limit int) authdb.ListTeamMembersByUserParams {
		return authdb.ListTeamMembersByUserParams{UserID: user.ID, After: after, Limit: limit}
	}, s.TeamMembers.ListByUser, s.TeamMembers.AllByUser)
}
