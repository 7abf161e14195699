package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/permission"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
		{"Create", testMemberCreate},
		{"CreateConflict", testMemberConflict},
		{"CreateLimit", testMemberLimit},
		{"CreateReference", testMemberReference},
		{"Get", testMemberGet},
		{"NotFound", testMemberNotFound},
		{"Update", testMemberUpdate},
		{"UpdateLastOwner", testMemberUpdateLastOwner},
		{"Delete", testMemberDelete},
		{"Leave", testMemberLeave},
		{"DeleteLastOwner", testMemberDeleteLastOwner},
		{"List", testMemberList},
		{"list filters", testMemberFilters},
		{"ListByUser", testMemberListByUser},
	})
}

func testMemberCreate(t *testing.T, s *kit.Fixture) {
	org := authdbtest.Organization(t, s.Store)
	users := []authdb.User{authdbtest.User(t, s.Store), authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)}
	want := kit.ReadTables(t, s.Store)
	for given, stored := range map[string]string{"": "member", "admin,member": "admin,member", " x ,\ty\u00a0": "x,y"} {
		user := users[0]
		users = users[1:]
		member := authdb.Member{ID: s.Id(1), OrganizationID: org.ID, UserID: user.ID, Role: stored, CreatedAt: s.Now}
		kit.Returns(t, member)(s.Members.Create(t.Context(), authdb.CreateMemberParams{
			OrganizationID: org.ID, UserID: user.ID, Role: given,
		}))
		want["member"][member.ID] = kit.AsRow(member)
	}
	s.Holds(t, want)
}

func testMemberConflict(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	member := authdbtest.Member(t, s.Store)
	p := authdb.CreateMemberParams{OrganizationID: member.OrganizationID, UserID: member.UserID, Role: authdb.RoleOwner}
	want := kit.ReadTables(t, s.Store)
	_, err := s.Members.Create(ctx, p)
	kit.Fails(t, err, authdb.ErrAlreadyMember, "Members.Create", "user_id")
	_, many := s.Members.CreateMany(ctx, []authdb.CreateMemberParams{p})
	kit.Fails(t, many, authdb.ErrAlreadyMember, "Members.CreateMany", "user_id")
	if !errors.Is(err, authdb.ErrConflict) {
		t.Errorf("%v is no ErrConflict", err)
	}
	s.Holds(t, want)
}

func testMemberLimit(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, user := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	create := func(limit int) error {
		return kit.ErrOf(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: user.ID, MaxMembers: limit}))
	}
	authdbtest.Member(t, s.Store) // of another organization
	want := kit.ReadTables(t, s.Store)
	kit.Fails(t, create(1), authdb.ErrLimitReached, "Members.Create", "max_members")
	kit.Fails(t, create(-1), authdb.ErrInvalidInput, "Members.Create", "max_members")
	s.Holds(t, want)
	if err := create(2); err != nil {
		t.Error(err)
	}
	kit.Returns(t, int64(2))(s.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: org.ID}))
}

func testMemberReference(t *testing.T, s *kit.Fixture) {
	org, user := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	_, err := s.Members.Create(t.Context(), authdb.CreateMemberParams{OrganizationID: "none", UserID: user.ID})
	kit.Fails(t, err, authdb.ErrReference, "Members.Create", "organization_id")
	_, err = s.Members.Create(t.Context(), authdb.CreateMemberParams{OrganizationID: org.ID, UserID: "none"})
	kit.Fails(t, err, authdb.ErrReference, "Members.Create", "user_id")
	s.Holds(t, want)
}

func testMemberGet(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org := authdbtest.Organization(t, s.Store)
	user := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = "Ægir@example.com" })
	authdbtest.Member(t, s.Store, kit.MemberOf("", user.ID))
	member := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, user.ID))
	joined := authdb.MemberWithUser{Member: member, User: user}
	kit.Returns(t, member)(s.Members.Get(ctx, org.ID, member.ID))
	kit.Returns(t, joined)(s.Members.GetWithUser(ctx, org.ID, member.ID))
	kit.Returns(t, member)(s.Members.GetByUser(ctx, org.ID, user.ID))
	kit.Returns(t, member)(s.Members.GetByEmail(ctx, org.ID, "ægir@example.com"))
	kit.Returns(t, member)(s.Members.GetByEmail(ctx, org.ID, "ÆGIR@example.com"))
}

func testMemberNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	member, stranger, other := authdbtest.Member(t, s.Store), authdbtest.User(t, s.Store), authdbtest.Organization(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for orgID, id := range map[string]string{member.OrganizationID: "none", other.ID: member.ID} {
		kit.NotFound(t, map[string]error{
			"Members.Get":         kit.ErrOf(s.Members.Get(ctx, orgID, id)),
			"Members.GetWithUser": kit.ErrOf(s.Members.GetWithUser(ctx, orgID, id)),
			"Members.GetByUser":   kit.ErrOf(s.Members.GetByUser(ctx, orgID, stranger.ID)),
			"Members.GetByEmail":  kit.ErrOf(s.Members.GetByEmail(ctx, orgID, stranger.Email)),
			"Members.Update":      kit.ErrOf(s.Members.Update(ctx, orgID, id, authdb.UpdateMemberParams{})),
			"Members.Delete":      s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: orgID, MemberID: id}),
			"Members.Leave":       s.Members.Leave(ctx, orgID, stranger.ID),
		})
	}
	s.Holds(t, want)
}

func testMemberUpdate(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateMemberParams
	member := authdbtest.Member(t, s.Store)
	authdbtest.Member(t, s.Store, kit.MemberOf(member.OrganizationID, ""))
	authdbtest.Member(t, s.Store, kit.MemberOf("", member.UserID))
	kit.CheckUpdates(t, s, "member", member,
		func(p params) (authdb.Member, error) {
			return s.Members.Update(t.Context(), member.OrganizationID, member.ID, p)
		},
		kit.Steps[params, authdb.Member]{
			{"nothing", params{}, func(*authdb.Member) {}},
			{"role", params{Role: authdb.Set("owner,billing")}, func(m *authdb.Member) { m.Role = "owner,billing" }},
			{"nothing again", params{}, func(*authdb.Member) {}},
			{"no owner", params{Role: authdb.Set("ownership")}, func(m *authdb.Member) { m.Role = "ownership" }},
			{"plain", params{Role: authdb.Set("member")}, func(m *authdb.Member) { m.Role = "member" }},
		})
}

// owners are role lists that make an owner, and noOwners are such as do not.
var (
	owners   = []string{"owner", "admin,owner", "admin, owner", " owner ,admin", "owner,", "admin\t,\towner"}
	noOwners = []string{"member", "Owner", "owners", "co-owner", "admin;owner", "owner admin", " x "}
)

func testMemberUpdateLastOwner(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org := authdbtest.Organization(t, s.Store)
	owner := kit.Must[authdb.Page[authdb.MemberWithUser]](t)(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: org.ID})).Items[0].Member
	other := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, ""))
	update := func(role string) error {
		return kit.ErrOf(s.Members.Update(ctx, org.ID, owner.ID, authdb.UpdateMemberParams{Role: authdb.Set(role)}))
	}
	set := func(id, role string) { kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, role, id) }
	for _, role := range owners {
		set(owner.ID, role)
		for _, others := range noOwners {
			set(other.ID, others)
			want := kit.ReadTables(t, s.Store)
			for _, to := range noOwners {
				kit.Fails(t, update(to), authdb.ErrLastOwner, "Members.Update", "")
			}
			s.Holds(t, want)
		}
		for _, to := range owners { // an owner still
			if err := update(to); err != nil {
				t.Errorf("%q to %q: %v", role, to, err)
			}
		}
		set(owner.ID, role)
		set(other.ID, role)
		if err := update(authdb.RoleAdmin); err != nil {
			t.Errorf("beside %q: %v", role, err)
		}
	}
}

// TestRolesAreStoredAsTheyAreRead: by every door, without white space and empty ones; a list of none is no role.
func TestRolesAreStoredAsTheyAreRead(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	ctx := t.Context()
	org, owner := kit.Owned(t, s)
	member := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, ""))
	params := func(role string) authdb.CreateMemberParams {
		return authdb.CreateMemberParams{OrganizationID: org.ID, UserID: authdbtest.User(t, s.Store).ID, Role: role}
	}
	doors := map[string]func(role string) (string, error){
		"Members.Create": func(role string) (string, error) {
			m, err := s.Members.Create(ctx, params(role))
			return m.Role, err
		},
		"Members.CreateMany": func(role string) (string, error) {
			ms, err := s.Members.CreateMany(ctx, []authdb.CreateMemberParams{params(role)})
			if err != nil {
				return "", err
			}
			return ms[0].Role, nil
		},
		"Members.Update": func(role string) (string, error) {
			m, err := s.Members.Update(ctx, org.ID, member.ID, authdb.UpdateMemberParams{Role: authdb.Set(role)})
			return m.Role, err
		},
		"Invitations.Create": func(role string) (string, error) {
			i, err := s.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: owner.ID, Email: "a@x.io", Role: role})
			if err != nil {
				return "", err
			}
			return *i.Role, nil
		},
	}
	for op, door := range doors {
		for given, want := range map[string]string{
			"admin,,member,": "admin,member", ",\u2003, admin ,": "admin", "team lead,\ufeff": "team lead", strings.Repeat(",", 1024) + "x": "x",
		} {
			if got := kit.Must[string](t)(door(given)); got != want {
				t.Errorf("%s: %.20q is stored as %q", op, given, got)
			}
		}
		for _, none := range []string{",", strings.Repeat(",", 1024), " , ", "\u00a0,\n"} {
			kit.Fails(t, kit.ErrOf(door(none)), authdb.ErrInvalidInput, op, "role")
		}
	}
}

func testMemberDelete(t *testing.T, s *kit.Fixture) {
	mine := kit.NewTenant(t, s)
	authdbtest.Member(t, s.Store, kit.MemberOf(mine.Org.ID, ""))
	want := kit.ReadTables(t, s.Store)
	delete(want["member"], mine.Member.ID)
	delete(want["team_member"], mine.TeamMember.ID)
	s.Seats(want, mine.Team.ID, -1)
	s.Clears(want, mine.Session.ID, kit.ActiveOrganization, kit.ActiveTeam)
	s.Deletes(t, want, "Members.Delete", func() error {
		return s.Members.Delete(t.Context(), authdb.DeleteMemberParams{OrganizationID: mine.Org.ID, MemberID: mine.Member.ID})
	})
}

// testMemberLeave: Leave does what Delete does, and neither touches another organization.
func testMemberLeave(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	for op, remove := range map[string]func(m authdb.Member) error{
		"Members.Delete": func(m authdb.Member) error {
			return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: m.OrganizationID, MemberID: m.ID})
		},
		"Members.Leave": func(m authdb.Member) error { return s.Members.Leave(ctx, m.OrganizationID, m.UserID) },
	} {
		t.Run(op, func(t *testing.T) {
			a, b := kit.NewTenant(t, s), kit.NewTenant(t, s)
			user := a.User.ID
			authdbtest.Member(t, s.Store, kit.MemberOf(b.Org.ID, user))
			authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(b.Team, user))
			second := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID))
			seat := authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(second, user))
			authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(second, a.CoOwner.UserID))
			session := func(userID string, org, team *string) string {
				return authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
					kit.SessionOf(s, userID, time.Hour)(p)
					p.ActiveOrganizationID, p.ActiveTeamID = org, team
				}).ID
			}
			session(user, &b.Org.ID, &b.Team.ID)
			teamOnly := session(user, &b.Org.ID, &second.ID)
			noTeam, expired := session(user, &a.Org.ID, nil), session(user, &a.Org.ID, &second.ID)
			kit.Exec(t, s.Store, `UPDATE session SET expires_at = '2000-01-01' WHERE id = $1`, expired)
			session(a.CoOwner.UserID, &a.Org.ID, &a.Team.ID) // another's
			session(user, nil, nil)
			s.Now = s.Now.Add(time.Minute)

			want := kit.ReadTables(t, s.Store)
			delete(want["member"], a.Member.ID)
			delete(want["team_member"], a.TeamMember.ID)
			delete(want["team_member"], seat.ID)
			s.Seats(want, a.Team.ID, -1)
			s.Seats(want, second.ID, -1)
			for _, id := range []string{a.Session.ID, noTeam, expired} {
				s.Clears(want, id, kit.ActiveOrganization, kit.ActiveTeam)
			}
			s.Clears(want, teamOnly, kit.ActiveTeam)
			s.Deletes(t, want, op, func() error { return remove(a.Member) })
		})
	}
}

func testMemberDeleteLastOwner(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org := authdbtest.Organization(t, s.Store)
	owner := kit.Must[authdb.Page[authdb.MemberWithUser]](t)(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: org.ID})).Items[0].Member
	other := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, ""))
	authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.UserID, p.Role = owner.UserID, "owner" })
	for _, role := range owners {
		kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, role, owner.ID)
		for _, others := range noOwners {
			kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, others, other.ID)
			want := kit.ReadTables(t, s.Store)
			kit.Fails(t, s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: org.ID, MemberID: owner.ID}), authdb.ErrLastOwner, "Members.Delete", "")
			kit.Fails(t, s.Members.Leave(ctx, org.ID, owner.UserID), authdb.ErrLastOwner, "Members.Leave", "")
			s.Holds(t, want)
		}
	}
	want := kit.ReadTables(t, s.Store)
	delete(want["member"], other.ID)
	s.Deletes(t, want, "Members.Leave", func() error { return s.Members.Leave(ctx, org.ID, other.UserID) })
	for i, role := range owners {
		heir := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.Role = org.ID, role })
		if err := s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: org.ID, MemberID: owner.ID}); err != nil {
			t.Errorf("%d: beside %q: %v", i, role, err)
		}
		owner = heir
	}
}

func testMemberList(t *testing.T, s *kit.Fixture) {
	org := authdbtest.Organization(t, s.Store)
	kit.Exec(t, s.Store, `DELETE FROM member WHERE organization_id = $1`, org.ID)
	authdbtest.Member(t, s.Store)
	members := rowsOf(func() authdb.MemberWithUser {
		user := authdbtest.User(t, s.Store)
		return authdb.MemberWithUser{Member: authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, user.ID)), User: user}
	})
	kit.Returns(t, int64(54))(s.Members.Count(t.Context(), authdb.ListMembersParams{OrganizationID: org.ID}))
	checkList(t, s, "Members.List", "member", members, func(after authdb.Cursor, limit int) authdb.ListMembersParams {
		return authdb.ListMembersParams{OrganizationID: org.ID, After: after, Limit: limit}
	}, s.Members.List, s.Members.All)
}

func testMemberFilters(t *testing.T, s *kit.Fixture) {
	org := authdbtest.Organization(t, s.Store)
	kit.Exec(t, s.Store, `DELETE FROM member WHERE organization_id = $1`, org.ID)
	var rows []authdb.MemberWithUser
	for i, given := range [][2]string{{"Ada Lovelace", "owner"}, {`100%_\`, "admin,member"}, {"Élan", "member"}, {"", "admin"}} {
		user := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) {
			p.Name, p.Email = given[0], fmt.Sprintf("filter%d@example.com", i)
		})
		member := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, user.ID), func(p *authdb.CreateMemberParams) { p.Role = given[1] })
		rows = append(rows, authdb.MemberWithUser{Member: member, User: user})
	}
	authdbtest.Member(t, s.Store, kit.MemberOf(authdbtest.Organization(t, s.Store).ID, rows[0].UserID))
	rows = spread(t, s, "member", rows)
	for _, test := range []struct {
		search, role string
		want         string // of the addresses
	}{
		{"", "", "0123"},
		{"LOVE", "", "0"},
		{"a l", "owner", "0"},
		{"love", "admin", ""},
		{"FILTER", "admin", "13"},
		{"Filter2@", "", "2"},
		{"%", "", "1"},
		{"_", "", "1"},
		{`\`, "", "1"},
		{".", "", "0123"},
		{"Éla", "", "2"},
		{"e@f", "", ""}, // not across the two
		{"@example.com ", "", ""},
	} {
		t.Run(test.search+" "+test.role, func(t *testing.T) {
			want := slices.DeleteFunc(slices.Clone(rows), func(m authdb.MemberWithUser) bool {
				return !strings.Contains(test.want, m.User.Email[6:7])
			})
			checkFilter(t, authdb.ListMembersParams{OrganizationID: org.ID, Search: test.search, Role: test.role},
				want, s.Members.All, s.Members.Count)
			checkFilter(t, authdb.ListMembersParams{OrganizationID: "none", Search: test.search, Role: test.role},
				nil, s.Members.All, s.Members.Count)
		})
	}
}

func testMemberListByUser(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	members := rowsOf(func() authdb.MemberWithOrganization {
		org := authdbtest.Organization(t, s.Store)
		return authdb.MemberWithOrganization{Member: authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, user.ID)), Organization: org}
	})
	kit.Returns(t, int64(54))(s.Members.CountByUser(t.Context(), authdb.ListMembersByUserParams{UserID: user.ID}))
	checkList(t, s, "Members.ListByUser", "member", members, func(after authdb.Cursor, limit int) authdb.ListMembersByUserParams {
		return authdb.ListMembersByUserParams{UserID: user.ID, After: after, Limit: limit}
	}, s.Members.ListByUser, s.Members.AllByUser)
}

func TestMemberHasRole(t *testing.T) {
	t.Parallel()
	for roles, has := range map[string]string{
		"member": "member", "admin,member": "admin member", " admin , member": "admin member", "owner": "owner",
		"administrator,memberships": "", "Admin": "", "admin member": "", "": "",
		"admin,": "admin", ",": "",
	} {
		for _, role := range []string{"owner", "admin", "member", "min", ""} {
			want := role != "" && strings.Contains(" "+has+" ", " "+role+" ")
			if got := (authdb.Member{Role: roles}).HasRole(role); got != want {
				t.Errorf("a member with roles %q has %q: %v", roles, role, got)
			}
		}
	}
}

// TestMembersByRole: SQL takes a list of roles apart as HasRole does.
func TestMembersByRole(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	org := authdbtest.Organization(t, s.Store)
	for _, roles := range []string{"admin", "admin,member", " admin , member", "member", "administrator", "team lead, member", "x,\u2003admin\ufeff\t"} {
		m := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID = org.ID })
		kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, roles, m.ID) // as another server may write it
	}
	all := s.Members.All(t.Context(), authdb.ListMembersParams{OrganizationID: org.ID})
	members := kit.Must[[]authdb.MemberWithUser](t)(kit.Collect(all, 100))
	for _, role := range []string{"owner", "admin", "member", "team lead", "teamlead", "nobody"} {
		want := slices.DeleteFunc(slices.Clone(members), func(m authdb.MemberWithUser) bool { return !m.HasRole(role) })
		p := authdb.ListMembersParams{OrganizationID: org.ID, Role: role, Limit: 1}
		got := kit.Must[[]authdb.MemberWithUser](t)(kit.Collect(s.Members.All(t.Context(), p), 100))
		if !slices.EqualFunc(want, got, func(a, b authdb.MemberWithUser) bool { return a.ID == b.ID }) {
			t.Errorf("%s: HasRole says %v, SQL %v", role, want, got)
		}
		p.Limit = 0
		if n, err := s.Members.Count(t.Context(), p); err != nil || n != int64(len(want)) {
			t.Errorf("%s: HasRole says %d, Count %d, %v", role, len(want), n, err)
		}
	}
	for _, role := range []string{"admin,member", ",", " admin", "admin\u00a0", " "} {
		_, list := s.Members.List(t.Context(), authdb.ListMembersParams{OrganizationID: org.ID, Role: role})
		_, count := s.Members.Count(t.Context(), authdb.ListMembersParams{OrganizationID: org.ID, Role: role})
		for _, err := range []error{list, count} {
			if e, ok := errors.AsType[*authdb.Error](err); !ok || !errors.Is(err, authdb.ErrInvalidInput) || e.Field != "role" {
				t.Errorf("%q is no single role: %v", role, err)
			}
		}
	}
}

// TestRolesAreLinear: a filter of any length, and roles of any length, cost what they are long.
func TestRolesAreLinear(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	org := authdbtest.Organization(t, s.Store)
	kit.Exec(t, s.Store, `INSERT INTO "user" (id, name, email, updated_at) SELECT 'u' || i, '', 'u' || i, now() FROM generate_series(1, 500) i`)
	kit.Exec(t, s.Store, `INSERT INTO member SELECT 'm' || i, $1, 'u' || i, repeat('member ,', 127) || 'memberx', now() FROM generate_series(1, 500) i`, org.ID)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, role := range []string{strings.Repeat("member ", 146), strings.Repeat("a", 1024), "memberx"} {
		want := int64(0)
		if role == "memberx" {
			want = 500
		}
		if n, err := s.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: org.ID, Role: strings.TrimSpace(role)}); err != nil || n != want {
			t.Errorf("%.10s: %d, %v", role, n, err)
		}
	}
}

// TestByIsCan: who acts is permitted what the rules say of his roles, however these are spelled.
func TestByIsCan(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	organization := authdbtest.Organization(t, store).ID
	member := func() authdb.Member {
		return authdbtest.Member(t, store, func(p *authdb.CreateMemberParams) { p.OrganizationID = organization })
	}
	actor := member()
	grant := permission.Set{"member": {"delete"}}
	for _, tt := range []struct {
		rules   permission.Rules
		dynamic permission.Roles
		role    string
	}{
		{permission.Rules{}, nil, "member, admin"},
		{permission.Rules{}, nil, "x\n,admin\n"},
		{permission.Rules{}, nil, "member,\u200badmin"},
		{permission.Rules{Minor: 6}, nil, "member, admin"},
		{permission.Rules{Minor: 6}, nil, "member,admin"},
		{permission.Rules{Minor: 6}, nil, "member, owner"},
		{permission.Rules{Minor: 4}, permission.Roles{"member": grant}, "member"},
		{permission.Rules{Platform: true, Roles: permission.Roles{"x": grant}}, nil, "y, x"},
		{permission.Rules{}, permission.Roles{"x,y": grant}, "x,y"},
		{permission.Rules{}, permission.Roles{" x": grant}, "y, x"},
		{permission.Rules{}, permission.Roles{".*": grant}, "x"},
		{permission.Rules{}, permission.Roles{"x|member": grant}, "member"},
		{permission.Rules{}, permission.Roles{"(?i)X": grant}, "x"},
		{permission.Rules{}, permission.Roles{`\w+`: grant}, "x"},
		{permission.Rules{}, permission.Roles{"": grant}, "x"},
	} {
		if _, err := store.Pool().Exec(ctx, `UPDATE member SET role = $2 WHERE id = $1`, actor.ID, tt.role); err != nil {
			t.Fatal(err)
		}
		err := store.Members.Delete(ctx, authdb.DeleteMemberParams{
			OrganizationID: organization, MemberID: member().ID, By: authdb.By(actor.UserID, tt.rules, tt.dynamic),
		})
		if can := tt.rules.Can(tt.role, grant, tt.dynamic); can != (err == nil) || !can && !errors.Is(err, authdb.ErrNotPermitted) {
			t.Errorf("%+v: the rules say %t, By: %v", tt, can, err)
		}
	}
}
