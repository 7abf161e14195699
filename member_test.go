package authdb_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testMemberCreate},
		{"CreateReference", testMemberReference},
		{"Get", testMemberGet},
		{"GetOldest", testMemberGetOldest},
		{"NotFound", testMemberNotFound},
		{"Update", testMemberUpdate},
		{"Delete", testMemberDelete},
		{"List", testMemberList},
		{"ListByUser", testMemberListByUser},
	})
}

func memberOf(orgID, userID string) func(*authdb.CreateMemberParams) {
	return func(p *authdb.CreateMemberParams) { p.OrganizationID, p.UserID = orgID, userID }
}

func testMemberCreate(t *testing.T, s *fixture) {
	org, user := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for given, stored := range map[string]string{"": "member", "admin,member": "admin,member", " x ": " x "} {
		member := authdb.Member{ID: s.id(1), OrganizationID: org.ID, UserID: user.ID, Role: stored, CreatedAt: s.now}
		returns(t, member)(s.Members.Create(t.Context(), authdb.CreateMemberParams{
			OrganizationID: org.ID, UserID: user.ID, Role: given,
		}))
		want["member"][member.ID] = asRow(member)
	}
	s.holds(t, want)
}

func testMemberReference(t *testing.T, s *fixture) {
	org, user := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	_, err := s.Members.Create(t.Context(), authdb.CreateMemberParams{OrganizationID: "none", UserID: user.ID})
	fails(t, err, authdb.ErrReference, "Members.Create", "organization_id")
	_, err = s.Members.Create(t.Context(), authdb.CreateMemberParams{OrganizationID: org.ID, UserID: "none"})
	fails(t, err, authdb.ErrReference, "Members.Create", "user_id")
	s.holds(t, want)
}

func testMemberGet(t *testing.T, s *fixture) {
	ctx := t.Context()
	org := authdbtest.Organization(t, s.Store)
	user := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = "Ægir@example.com" })
	authdbtest.Member(t, s.Store, memberOf("", user.ID))
	member := authdbtest.Member(t, s.Store, memberOf(org.ID, user.ID))
	joined := authdb.MemberWithUser{Member: member, User: user}
	returns(t, member)(s.Members.Get(ctx, org.ID, member.ID))
	returns(t, joined)(s.Members.GetWithUser(ctx, org.ID, member.ID))
	returns(t, joined)(s.Members.GetByUser(ctx, org.ID, user.ID))
	returns(t, joined)(s.Members.GetByEmail(ctx, org.ID, "ægir@example.com"))
	returns(t, joined)(s.Members.GetByEmail(ctx, org.ID, "ÆGIR@example.com"))
}

func testMemberGetOldest(t *testing.T, s *fixture) {
	ctx := t.Context()
	org, user := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	var twins []authdb.MemberWithUser
	for range 3 {
		twins = append(twins, authdb.MemberWithUser{Member: authdbtest.Member(t, s.Store, memberOf(org.ID, user.ID)), User: user})
	}
	oldest := func(want authdb.MemberWithUser) {
		t.Helper()
		returns(t, want)(s.Members.GetByUser(ctx, org.ID, user.ID))
		returns(t, want)(s.Members.GetByEmail(ctx, org.ID, user.Email))
	}
	oldest(twins[0])
	twins[2].CreatedAt = s.now.Add(-time.Microsecond)
	exec(t, s.Store, `UPDATE member SET created_at = $1 WHERE id = $2`, twins[2].CreatedAt, twins[2].ID)
	oldest(twins[2])
}

func testMemberNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	member, stranger, other := authdbtest.Member(t, s.Store), authdbtest.User(t, s.Store), authdbtest.Organization(t, s.Store)
	want := readTables(t, s.Store)
	for orgID, id := range map[string]string{member.OrganizationID: "none", other.ID: member.ID} {
		notFound(t, map[string]error{
			"Members.Get":         errOf(s.Members.Get(ctx, orgID, id)),
			"Members.GetWithUser": errOf(s.Members.GetWithUser(ctx, orgID, id)),
			"Members.GetByUser":   errOf(s.Members.GetByUser(ctx, orgID, stranger.ID)),
			"Members.GetByEmail":  errOf(s.Members.GetByEmail(ctx, orgID, stranger.Email)),
			"Members.Update":      errOf(s.Members.Update(ctx, orgID, id, authdb.UpdateMemberParams{})),
			"Members.Delete":      s.Members.Delete(ctx, orgID, id),
		})
	}
	s.holds(t, want)
}

func testMemberUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateMemberParams
	member := authdbtest.Member(t, s.Store)
	authdbtest.Member(t, s.Store, memberOf(member.OrganizationID, member.UserID))
	checkUpdates(t, s, "member", member,
		func(p params) (authdb.Member, error) {
			return s.Members.Update(t.Context(), member.OrganizationID, member.ID, p)
		},
		[]step[params, authdb.Member]{
			{"nothing", params{}, func(*authdb.Member) {}},
			{"role", params{Role: new("owner,billing")}, func(m *authdb.Member) { m.Role = "owner,billing" }},
		})
}

func testMemberDelete(t *testing.T, s *fixture) {
	mine := newTenant(t, s)
	authdbtest.Member(t, s.Store, memberOf(mine.org.ID, mine.user.ID))
	want := readTables(t, s.Store)
	delete(want["member"], mine.member.ID)
	s.deletes(t, want, "Members.Delete", func() error { return s.Members.Delete(t.Context(), mine.org.ID, mine.member.ID) })
}

func testMemberList(t *testing.T, s *fixture) {
	org := authdbtest.Organization(t, s.Store)
	exec(t, s.Store, `DELETE FROM member WHERE organization_id = $1`, org.ID)
	authdbtest.Member(t, s.Store)
	members := rowsOf(func() authdb.MemberWithUser {
		user := authdbtest.User(t, s.Store)
		return authdb.MemberWithUser{Member: authdbtest.Member(t, s.Store, memberOf(org.ID, user.ID)), User: user}
	})
	returns(t, int64(54))(s.Members.Count(t.Context(), org.ID))
	checkList(t, s, "Members.List", "member", members, func(after authdb.Cursor, limit int) authdb.ListMembersParams {
		return authdb.ListMembersParams{OrganizationID: org.ID, After: after, Limit: limit}
	}, s.Members.List, s.Members.All)
}

func testMemberListByUser(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	members := rowsOf(func() authdb.MemberWithOrganization {
		org := authdbtest.Organization(t, s.Store)
		return authdb.MemberWithOrganization{Member: authdbtest.Member(t, s.Store, memberOf(org.ID, user.ID)), Organization: org}
	})
	returns(t, int64(54))(s.Members.CountByUser(t.Context(), user.ID))
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
	s := newFixture(t)
	org := authdbtest.Organization(t, s.Store)
	for _, roles := range []string{"admin", "admin,member", " admin , member", "member", "administrator", "team lead, member"} {
		authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.Role = org.ID, roles })
	}
	all := s.Members.All(t.Context(), authdb.ListMembersParams{OrganizationID: org.ID})
	members := must[[]authdb.MemberWithUser](t)(collect(all, 100))
	for _, role := range []string{"owner", "admin", "member", "team lead", "teamlead", "nobody"} {
		want := slices.DeleteFunc(slices.Clone(members), func(m authdb.MemberWithUser) bool { return !m.HasRole(role) })
		p := authdb.ListMembersParams{OrganizationID: org.ID, Role: role, Limit: 1}
		got := must[[]authdb.MemberWithUser](t)(collect(s.Members.All(t.Context(), p), 100))
		if !slices.EqualFunc(want, got, func(a, b authdb.MemberWithUser) bool { return a.ID == b.ID }) {
			t.Errorf("%s: HasRole says %v, SQL %v", role, want, got)
		}
	}
}
