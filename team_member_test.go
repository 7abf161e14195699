package authdb_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestTeamMembers(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
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

func teamMemberOf(team authdb.Team, userID string) func(*authdb.CreateTeamMemberParams) {
	return func(p *authdb.CreateTeamMemberParams) {
		p.OrganizationID, p.TeamID, p.UserID = team.OrganizationID, team.ID, userID
	}
}

// seat makes a user a member of a team and of its organization.
func seat(t *testing.T, s *fixture, team authdb.Team, userID string) authdb.TeamMember {
	t.Helper()
	authdbtest.Member(t, s.Store, memberOf(team.OrganizationID, userID))
	return authdbtest.TeamMember(t, s.Store, teamMemberOf(team, userID))
}

// membershipKey is what Better Auth 1.7 computes: base64url(sha256(JSON.stringify([teamId, userId]))).
func membershipKey(teamID, userID string) *string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode([]string{teamID, userID})
	sum := sha256.Sum256(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return new(base64.RawURLEncoding.EncodeToString(sum[:]))
}

func testTeamMemberCreate(t *testing.T, s *fixture) {
	team := authdbtest.Team(t, s.Store)
	member := authdbtest.Member(t, s.Store, memberOf(team.OrganizationID, ""))
	authdbtest.TeamMember(t, s.Store, teamMemberOf(authdbtest.Team(t, s.Store, teamOf(team.OrganizationID)), member.UserID))
	want := readTables(t, s.Store)
	s.now = s.now.Add(time.Minute)
	tm := authdb.TeamMember{
		ID: s.id(1), TeamID: team.ID, UserID: member.UserID, CreatedAt: new(s.now), MembershipKey: membershipKey(team.ID, member.UserID),
	}
	want["team_member"][tm.ID] = asRow(tm)
	s.seats(want, team.ID, 1)
	for range 2 { // the second time nothing is left to do
		returns(t, tm)(s.TeamMembers.Create(t.Context(), authdb.CreateTeamMemberParams{
			OrganizationID: team.OrganizationID, TeamID: team.ID, UserID: member.UserID,
		}))
		s.holds(t, want)
		s.now = s.now.Add(time.Minute)
	}
}

func testTeamMemberCreateMany(t *testing.T, s *fixture) {
	team := authdbtest.Team(t, s.Store)
	var users []string
	for range 4 {
		users = append(users, authdbtest.Member(t, s.Store, memberOf(team.OrganizationID, "")).UserID)
	}
	there := authdbtest.TeamMember(t, s.Store, teamMemberOf(team, users[1]))
	exec(t, s.Store, `UPDATE team_member SET created_at = NULL, membership_key = NULL WHERE id = $1`, there.ID) // an old row
	there.CreatedAt, there.MembershipKey = nil, nil
	want := readTables(t, s.Store)
	s.now = s.now.Add(time.Minute)
	row := func(n int, userID string) authdb.TeamMember {
		return authdb.TeamMember{
			ID: s.id(n), TeamID: team.ID, UserID: userID, CreatedAt: new(s.now), MembershipKey: membershipKey(team.ID, userID),
		}
	}
	rows := []authdb.TeamMember{row(1, users[3]), there, row(3, users[0])}
	for _, tm := range rows {
		want["team_member"][tm.ID] = asRow(tm)
	}
	s.seats(want, team.ID, 2)
	p := seatsOf(team.OrganizationID, team.ID, 0, users[3], users[1], users[3], users[0], users[1])
	returns(t, rows)(s.TeamMembers.CreateMany(t.Context(), p))
	s.holds(t, want)
	s.now = s.now.Add(time.Minute)
	returns(t, rows)(s.TeamMembers.CreateMany(t.Context(), p))
	returns(t, []authdb.TeamMember{})(s.TeamMembers.CreateMany(t.Context(), nil))
	s.holds(t, want)
}

func testTeamMemberRefused(t *testing.T, s *fixture) {
	ctx := t.Context()
	a, b := newTenant(t, s), newTenant(t, s)
	want := readTables(t, s.Store)
	for _, test := range []struct {
		org, team, user string
		kind            error
		field           string
	}{
		{a.org.ID, a.team.ID, "none", authdb.ErrNotMember, "user_id"},
		{a.org.ID, a.team.ID, b.user.ID, authdb.ErrNotMember, "user_id"},
		{a.org.ID, b.team.ID, a.user.ID, authdb.ErrNotFound, ""},
		{a.org.ID, "none", a.user.ID, authdb.ErrNotFound, ""},
		{"none", a.team.ID, a.user.ID, authdb.ErrNotFound, ""},
		{a.org.ID, a.team.ID, "", authdb.ErrInvalidInput, "user_id"},
	} {
		_, err := s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: test.org, TeamID: test.team, UserID: test.user})
		fails(t, err, test.kind, "TeamMembers.Create", test.field)
		_, err = s.TeamMembers.CreateMany(ctx, seatsOf(test.org, test.team, 0, a.coOwner.UserID, test.user))
		fails(t, err, test.kind, "TeamMembers.CreateMany", test.field)
	}
	s.holds(t, want)
}

func testTeamMemberLimit(t *testing.T, s *fixture) {
	ctx := t.Context()
	a := newTenant(t, s)
	var users []string
	for range 2 {
		users = append(users, authdbtest.Member(t, s.Store, memberOf(a.org.ID, "")).UserID)
	}
	create := func(limit int, userIDs ...string) error {
		return errOf(s.TeamMembers.CreateMany(ctx, seatsOf(a.org.ID, a.team.ID, limit, userIDs...)))
	}
	count := func(n int) { exec(t, s.Store, `UPDATE team SET member_count = $1 WHERE id = $2`, n, a.team.ID) }
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, authdb.ErrLimitReached) {
			t.Errorf("got %v, want %v", err, authdb.ErrLimitReached)
		}
	}
	before := readTables(t, s.Store)
	refused(create(1, users[0]))
	refused(create(2, users...)) // all or none
	refused(create(2, a.user.ID, users[0], users[1]))
	refused(errOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
		OrganizationID: a.org.ID, TeamID: a.team.ID, UserID: users[0], MaxMembers: 1,
	})))
	fails(t, create(-1, users...), authdb.ErrInvalidInput, "TeamMembers.CreateMany", "max_members")
	if err := create(1, a.user.ID); err != nil {
		t.Errorf("one who is there already: %v", err)
	}
	s.holds(t, before)
	count(2) // a seat that Better Auth has reserved
	refused(create(2, users[0]))
	count(0) // of a Better Auth that does not count
	refused(create(1, users[0]))
	count(1)
	s.holds(t, before)
	if err := create(3, users...); err != nil {
		t.Error(err)
	}
	returns(t, int64(3))(s.TeamMembers.Count(ctx, authdb.ListTeamMembersParams{OrganizationID: a.org.ID, TeamID: a.team.ID}))
}

func testTeamMemberKey(t *testing.T, s *fixture) {
	if got, want := *membershipKey("t1", "u1"), "zvgff7WeYkeF-_knMfCIgYKEgYHUMdUsDbvpoKRzSsY"; got != want {
		t.Errorf("of t1 and u1: %s, want %s", got, want)
	}
	for i, id := range []string{`a"b\c`, "é😀", "\t\n\r\b\f\x01\x7f", "</script>&", `["x","y"]`, "a/b"} {
		odd := authdb.New(s.Pool(), authdb.WithIDs(func() string { return fmt.Sprint(id, i) }))
		org := authdbtest.Organization(t, s.Store)
		team := authdbtest.Team(t, odd, teamOf(org.ID))
		user := authdbtest.User(t, odd)
		tm := seat(t, s, team, user.ID)
		if diff := cmp.Diff(membershipKey(team.ID, user.ID), tm.MembershipKey); diff != "" {
			t.Errorf("%q (-JSON +SQL):\n%s", id, diff)
		}
	}
}

func testTeamMemberGet(t *testing.T, s *fixture) {
	ctx := t.Context()
	team, user := authdbtest.Team(t, s.Store), authdbtest.User(t, s.Store)
	tm := seat(t, s, team, user.ID)
	seat(t, s, authdbtest.Team(t, s.Store), user.ID)
	team.MemberCount = 1
	returns(t, tm)(s.TeamMembers.Get(ctx, team.OrganizationID, tm.ID))
	returns(t, authdb.TeamMemberWithUser{TeamMember: tm, User: user})(s.TeamMembers.GetWithUser(ctx, team.OrganizationID, tm.ID))
	returns(t, tm)(s.TeamMembers.GetByUser(ctx, team.OrganizationID, team.ID, user.ID))
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

// testTeamMemberDelete: both ways to end a membership do the same.
func testTeamMemberDelete(t *testing.T, s *fixture) {
	ctx := t.Context()
	for op, remove := range map[string]func(a tenant) error{
		"TeamMembers.Delete":       func(a tenant) error { return s.TeamMembers.Delete(ctx, a.org.ID, a.teamMember.ID) },
		"TeamMembers.DeleteByUser": func(a tenant) error { return s.TeamMembers.DeleteByUser(ctx, a.org.ID, a.team.ID, a.user.ID) },
	} {
		t.Run(op, func(t *testing.T) {
			a := newTenant(t, s)
			authdbtest.TeamMember(t, s.Store, teamMemberOf(a.team, a.coOwner.UserID))
			other := authdbtest.Team(t, s.Store, teamOf(a.org.ID))
			authdbtest.TeamMember(t, s.Store, teamMemberOf(other, a.user.ID))
			session := func(userID, teamID string) string {
				return authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
					sessionOf(s, userID, time.Hour)(p)
					p.ActiveOrganizationID, p.ActiveTeamID = &a.org.ID, &teamID
				}).ID
			}
			session(a.user.ID, other.ID)
			session(a.coOwner.UserID, a.team.ID)
			second := session(a.user.ID, a.team.ID)
			s.now = s.now.Add(time.Minute)
			want := readTables(t, s.Store)
			delete(want["team_member"], a.teamMember.ID)
			s.seats(want, a.team.ID, -1)
			s.clears(want, a.session.ID, activeTeam)
			s.clears(want, second, activeTeam)
			s.deletes(t, want, op, func() error { return remove(a) })
		})
	}
	t.Run("count", func(t *testing.T) { // never below none
		a := newTenant(t, s)
		exec(t, s.Store, `UPDATE team SET member_count = 0 WHERE id = $1`, a.team.ID)
		if err := s.TeamMembers.Delete(ctx, a.org.ID, a.teamMember.ID); err != nil {
			t.Fatal(err)
		}
		a.team.MemberCount, a.team.UpdatedAt = 0, &s.now
		returns(t, a.team)(s.Teams.Get(ctx, a.org.ID, a.team.ID))
	})
}

func testTeamMemberList(t *testing.T, s *fixture) {
	team := authdbtest.Team(t, s.Store)
	authdbtest.TeamMember(t, s.Store, func(p *authdb.CreateTeamMemberParams) { p.OrganizationID = team.OrganizationID })
	rows := rowsOf(func() authdb.TeamMemberWithUser {
		user := authdbtest.User(t, s.Store)
		return authdb.TeamMemberWithUser{TeamMember: seat(t, s, team, user.ID), User: user}
	})
	returns(t, int64(54))(s.TeamMembers.Count(t.Context(), authdb.ListTeamMembersParams{OrganizationID: team.OrganizationID, TeamID: team.ID}))
	checkList(t, s, "TeamMembers.List", "team_member", rows, func(after authdb.Cursor, limit int) authdb.ListTeamMembersParams {
		return authdb.ListTeamMembersParams{OrganizationID: team.OrganizationID, TeamID: team.ID, After: after, Limit: limit}
	}, s.TeamMembers.List, s.TeamMembers.All)
}

func testTeamMemberListByUser(t *testing.T, s *fixture) {
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
