package authdb_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestCreateMany writes many rows in one call, in each exec mode of pgx, and reads them back.
func TestCreateMany(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	for _, mode := range kit.ExecModes {
		t.Run(mode.String(), func(t *testing.T) {
			n := 1_000
			if mode == pgx.QueryExecModeCacheStatement {
				n = 10_000
			}
			b := bulk{s, authdb.New(kit.PoolIn(t, s.Store, "UTC", mode), s.Options()...), kit.ModeName(mode) + ".example"}
			t.Run("users", func(t *testing.T) { b.users(t, n) })
			t.Run("sessions", func(t *testing.T) { b.sessions(t, n) })
			t.Run("members", func(t *testing.T) { b.members(t, n) })
			t.Run("team members", func(t *testing.T) { b.teamMembers(t, n) })
		})
	}
}

type bulk struct {
	*kit.Fixture
	db     *authdb.Store // the fixture's in another exec mode
	domain string        // of e-mail addresses, different in each mode
}

// refuses puts each wrong row into the middle of many good ones, and expects that none of them is there afterwards.
func refuses[P comparable, T any](
	t *testing.T, op string, good []P, create func([]P) ([]T, error), count func() (int64, error), wrong map[P]refusal,
) {
	t.Helper()
	before := kit.Must[int64](t)(count())
	for row, want := range wrong {
		ps := append(good[:len(good)/2:len(good)/2], row)
		rows, err := create(append(ps, good[len(good)/2:]...))
		kit.Fails(t, err, want.kind, op, want.field)
		if rows != nil {
			t.Errorf("%d rows beside an error", len(rows))
		}
		kit.Returns(t, before)(count())
	}
}

type refusal struct {
	kind  error
	field string
}

func (b bulk) users(t *testing.T, n int) {
	ctx := t.Context()
	create := func(ps []authdb.CreateUserParams) ([]authdb.User, error) { return b.db.Users.CreateMany(ctx, ps) }
	kit.Exec(t, b.Store, `DELETE FROM "user"`)
	kit.Returns(t, []authdb.User{})(create(nil))
	params := func(prefix string) (ps []authdb.CreateUserParams) {
		for i := range n {
			ps = append(ps, authdb.CreateUserParams{Name: fmt.Sprint(n - i), Email: fmt.Sprintf("%s%d@%s", prefix, n-i, b.domain)})
		}
		return ps
	}
	ps, want := params("Ä"), []authdb.User{}
	for i := range ps {
		ps[i].EmailVerified = i%2 == 0
		if i%3 == 0 {
			ps[i].Image = new(fmt.Sprint("https://example.com/", i))
		}
		want = append(want, authdb.User{
			ID: b.Id(i + 1), Name: ps[i].Name, Email: fmt.Sprintf("ä%d@%s", n-i, b.domain), EmailVerified: ps[i].EmailVerified,
			Image: ps[i].Image, CreatedAt: b.Now, UpdatedAt: b.Now,
		})
	}
	kit.Returns(t, want)(create(ps))
	kit.Returns(t, want)(kit.Collect(b.db.Users.All(ctx, authdb.ListUsersParams{Limit: n}), 2*n))
	more := params("b")
	refuses(t, "Users.CreateMany", more, create, func() (int64, error) { return b.db.Users.Count(ctx, authdb.ListUsersParams{}) },
		map[authdb.CreateUserParams]refusal{
			{Email: more[0].Email}: {authdb.ErrEmailTaken, "email"},
			{Email: ps[n-1].Email}: {authdb.ErrEmailTaken, "email"},
			{Email: "no address"}:  {authdb.ErrInvalidInput, "email"},
		})
}

func (b bulk) sessions(t *testing.T, n int) {
	ctx := t.Context()
	create := func(ps []authdb.CreateSessionParams) ([]authdb.Session, error) {
		return b.db.Sessions.CreateMany(ctx, ps)
	}
	user := authdbtest.User(t, b.Store)
	kit.Returns(t, []authdb.Session{})(create(nil))
	ps, want := []authdb.CreateSessionParams{}, []authdb.Session{}
	for i := range n {
		p := authdb.CreateSessionParams{UserID: user.ID, UserAgent: fmt.Sprint(n - i), ActiveTeamID: new(fmt.Sprint(i))}
		expiresAt := b.Now.Add(authdb.SessionLifetime)
		if i%2 == 1 {
			expiresAt = b.Now.Add(time.Duration(i) * time.Hour)
			p.ExpiresAt = expiresAt.In(time.FixedZone("odd", 5*3600+45*60))
		}
		ps = append(ps, p)
		want = append(want, authdb.Session{
			ID: b.Id(i + 1), ExpiresAt: expiresAt, Token: authdb.Secret(b.Token(i + 1)), CreatedAt: b.Now, UpdatedAt: b.Now,
			IPAddress: new(""), UserAgent: &ps[i].UserAgent, UserID: user.ID, ActiveTeamID: ps[i].ActiveTeamID,
		})
	}
	kit.Returns(t, want)(create(ps))
	kit.Returns(t, want)(kit.Collect(b.db.Sessions.All(ctx, authdb.ListSessionsParams{UserID: user.ID, Limit: n}), 2*n))
	refuses(t, "Sessions.CreateMany", ps, create,
		func() (int64, error) { return b.db.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID}) },
		map[authdb.CreateSessionParams]refusal{{UserID: "none"}: {authdb.ErrReference, "user_id"}, {}: {authdb.ErrInvalidInput, "user_id"}})
}

func (b bulk) members(t *testing.T, n int) {
	ctx := t.Context()
	create := func(ps []authdb.CreateMemberParams) ([]authdb.Member, error) { return b.db.Members.CreateMany(ctx, ps) }
	org := authdbtest.Organization(t, b.Store)
	owner := kit.Must[authdb.Page[authdb.MemberWithUser]](t)(b.db.Members.List(ctx, authdb.ListMembersParams{OrganizationID: org.ID})).Items[0]
	users := b.allUsers(t, n, owner.UserID)
	kit.Returns(t, []authdb.Member{})(create(nil))
	ps, want := []authdb.CreateMemberParams{}, []authdb.Member{}
	stored := []authdb.MemberWithUser{owner}
	for i := range n {
		user := users[n-1-i]
		role := []string{"", "admin", fmt.Sprint("x", n-i)}[i%3]
		ps = append(ps, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: user.ID, Role: role})
		if role == "" {
			role = "member"
		}
		member := authdb.Member{ID: b.Id(i + 1), OrganizationID: org.ID, UserID: user.ID, Role: role, CreatedAt: b.Now}
		want, stored = append(want, member), append(stored, authdb.MemberWithUser{Member: member, User: user})
	}
	kit.Returns(t, want)(create(ps))
	kit.Returns(t, stored)(kit.Collect(b.db.Members.All(ctx, authdb.ListMembersParams{OrganizationID: org.ID, Limit: n}), 2*n))
	org = authdbtest.Organization(t, b.Store)
	for i := range ps {
		ps[i].OrganizationID = org.ID
	}
	user := users[0]
	refuses(t, "Members.CreateMany", ps, create, func() (int64, error) {
		return b.db.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: org.ID})
	},
		map[authdb.CreateMemberParams]refusal{
			{OrganizationID: org.ID, UserID: "none"}:  {authdb.ErrReference, "user_id"},
			{OrganizationID: "none", UserID: user.ID}: {authdb.ErrReference, "organization_id"},
			{OrganizationID: org.ID}:                  {authdb.ErrInvalidInput, "user_id"},
			{OrganizationID: org.ID, UserID: user.ID}: {authdb.ErrAlreadyMember, "user_id"},
		})
}

// allUsers returns n users but for one, oldest first.
func (b bulk) allUsers(t *testing.T, n int, except string) []authdb.User {
	t.Helper()
	users := kit.Must[[]authdb.User](t)(kit.Collect(b.db.Users.All(t.Context(), authdb.ListUsersParams{}), n+1))
	return slices.DeleteFunc(users, func(u authdb.User) bool { return u.ID == except })[:n]
}

func (b bulk) teamMembers(t *testing.T, n int) {
	ctx := t.Context()
	team := authdbtest.Team(t, b.Store)
	organizationID := team.OrganizationID
	create := func(userIDs []string) ([]authdb.TeamMember, error) {
		return b.db.TeamMembers.CreateMany(ctx, kit.SeatsOf(organizationID, team.ID, 0, userIDs...))
	}
	kit.Returns(t, []authdb.TeamMember{})(create(nil))
	users := b.allUsers(t, n, "")
	kit.Exec(t, b.Store, `INSERT INTO member (id, organization_id, user_id, role, created_at)
		SELECT $1 || id, $1, id, 'member', now() FROM "user" ON CONFLICT DO NOTHING`, team.OrganizationID)
	stranger := authdbtest.User(t, b.Store)
	userIDs, want, stored := []string{}, []authdb.TeamMember{}, []authdb.TeamMemberWithUser{}
	for i := range n {
		user := users[n-1-i]
		tm := authdb.TeamMember{ID: b.Id(i + 1), TeamID: team.ID, UserID: user.ID, CreatedAt: &b.Now, MembershipKey: kit.MembershipKey(team.ID, user.ID)}
		userIDs, want = append(userIDs, user.ID), append(want, tm)
		stored = append(stored, authdb.TeamMemberWithUser{TeamMember: tm, User: user})
	}
	kit.Returns(t, want)(create(userIDs))
	kit.Returns(t, want)(create(append(userIDs, userIDs...))) // nothing is left to do
	team.MemberCount = int32(n)
	kit.Returns(t, team)(b.db.Teams.Get(ctx, team.OrganizationID, team.ID))
	kit.Returns(t, stored)(kit.Collect(b.db.TeamMembers.All(ctx, authdb.ListTeamMembersParams{
		OrganizationID: team.OrganizationID, TeamID: team.ID, Limit: n,
	}), 2*n))
	team = authdbtest.Team(t, b.Store, kit.TeamOf(team.OrganizationID))
	count := func() (int64, error) {
		return b.db.TeamMembers.Count(ctx, authdb.ListTeamMembersParams{OrganizationID: team.OrganizationID, TeamID: team.ID})
	}
	refuses(t, "TeamMembers.CreateMany", userIDs, create, count, map[string]refusal{
		"none": {authdb.ErrNotMember, "user_id"}, stranger.ID: {authdb.ErrNotMember, "user_id"}, "": {authdb.ErrInvalidInput, "user_id"},
	})
	organizationID = "none"
	refuses(t, "TeamMembers.CreateMany", userIDs, create, count, map[string]refusal{users[0].ID: {authdb.ErrNotFound, ""}})
}
