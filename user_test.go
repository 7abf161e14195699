package authdb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testUserCreate},
		{"CreateConflict", testUserCreateConflict},
		{"Email", testUserEmail},
		{"Get", testUserGet},
		{"NotFound", testUserNotFound},
		{"Update", testUserUpdate},
		{"SetEmail", testUserSetEmail},
		{"VerifyEmail", testUserVerifyEmail},
		{"DeleteCascade", testUserDelete},
		{"List", testUserList},
	})
}

func testUserCreate(t *testing.T, s *fixture) {
	want := readTables(t, s.Store)
	least := authdb.User{ID: s.id(1), Name: "Ada", Email: "ada@example.com", CreatedAt: s.now, UpdatedAt: s.now}
	returns(t, least)(s.Users.Create(t.Context(), authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"}))
	full := authdb.User{
		ID: s.id(1), Name: "Grace", Email: "grace@example.com", EmailVerified: true, Image: new("https://example.com/g"),
		CreatedAt: s.now, UpdatedAt: s.now,
	}
	returns(t, full)(s.Users.Create(t.Context(), authdb.CreateUserParams{
		Name: full.Name, Email: full.Email, EmailVerified: true, Image: full.Image,
	}))
	want["user"][least.ID], want["user"][full.ID] = asRow(least), asRow(full)
	s.holds(t, want)
}

func testUserCreateConflict(t *testing.T, s *fixture) {
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	taken := strings.ToUpper(user.Email)
	_, err := s.Users.Create(t.Context(), authdb.CreateUserParams{Email: taken})
	fails(t, err, authdb.ErrEmailTaken, "Users.Create", "email")
	if !errors.Is(err, authdb.ErrConflict) {
		t.Errorf("%v is no ErrConflict", err)
	}
	_, err = s.Users.SetEmail(t.Context(), other.ID, taken, true)
	fails(t, err, authdb.ErrEmailTaken, "Users.SetEmail", "email")
	_, err = authdb.New(s.Pool(), authdb.WithIDs(func() string { return user.ID })).Users.
		Create(t.Context(), authdb.CreateUserParams{Email: "new@example.com"})
	fails(t, err, authdb.ErrConflict, "Users.Create", "id")
	s.holds(t, want)
}

func testUserEmail(t *testing.T, s *fixture) {
	ctx := t.Context()
	for given, stored := range map[string]string{
		"Linus@Example.COM": "linus@example.com", "ÄÖẞ@Example.com": "äöß@example.com",
		"İpek@example.com": "i\u0307pek@example.com", "ΟΔΟΣ@example.com": "οδος@example.com",
	} {
		user := must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Email: given}))
		if user.Email != stored {
			t.Errorf("Create(%q) stores %q", given, user.Email)
		}
		returns(t, user)(s.Users.GetByEmail(ctx, given))
		returns(t, user)(s.Users.GetByEmail(ctx, stored))
		user.EmailVerified = true
		returns(t, user)(s.Users.VerifyEmail(ctx, given))
		returns(t, user)(s.Users.SetEmail(ctx, user.ID, given, true))
	}
}

func testUserGet(t *testing.T, s *fixture) {
	user, _ := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	returns(t, user)(s.Users.Get(t.Context(), user.ID))
	returns(t, user)(s.Users.GetByEmail(t.Context(), user.Email))
}

func testUserNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	notFound(t, map[string]error{
		"Users.Get":         errOf(s.Users.Get(ctx, "none")),
		"Users.GetByEmail":  errOf(s.Users.GetByEmail(ctx, "none@example.com")),
		"Users.Update":      errOf(s.Users.Update(ctx, "none", authdb.UpdateUserParams{})),
		"Users.SetEmail":    errOf(s.Users.SetEmail(ctx, "none", "none@example.com", true)),
		"Users.VerifyEmail": errOf(s.Users.VerifyEmail(ctx, "none@example.com")),
		"Users.Delete":      s.Users.Delete(ctx, "none"),
	})
	s.holds(t, want)
}

func testUserUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateUserParams
	authdbtest.User(t, s.Store)
	user := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Image = new("https://example.com/1") })
	authdbtest.User(t, s.Store)
	checkUpdates(t, s, "user", user,
		func(p params) (authdb.User, error) { return s.Users.Update(t.Context(), user.ID, p) },
		[]step[params, authdb.User]{
			{"nothing", params{}, func(*authdb.User) {}},
			{"name", params{Name: new("New")}, func(u *authdb.User) { u.Name = "New" }},
			{"image", params{Image: authdb.Set("https://example.com/2")}, func(u *authdb.User) { u.Image = new("https://example.com/2") }},
			{"no image", params{Image: authdb.SetNull[string]()}, func(u *authdb.User) { u.Image = nil }},
			{"empty name", params{Name: new("")}, func(u *authdb.User) { u.Name = "" }},
		})
}

func testUserSetEmail(t *testing.T, s *fixture) {
	type params = struct {
		email    string
		verified bool
	}
	authdbtest.User(t, s.Store)
	user := authdbtest.User(t, s.Store)
	checkUpdates(t, s, "user", user,
		func(p params) (authdb.User, error) {
			return s.Users.SetEmail(t.Context(), user.ID, p.email, p.verified)
		},
		[]step[params, authdb.User]{
			{"unverified", params{"a@set.example", false}, func(u *authdb.User) { u.Email, u.EmailVerified = "a@set.example", false }},
			{"verified", params{"B@set.example", true}, func(u *authdb.User) { u.Email, u.EmailVerified = "b@set.example", true }},
			{"the same", params{"b@set.example", true}, func(*authdb.User) {}},
		})
}

func testUserVerifyEmail(t *testing.T, s *fixture) {
	unverified := func(p *authdb.CreateUserParams) { p.EmailVerified = false }
	authdbtest.User(t, s.Store, unverified)
	user := authdbtest.User(t, s.Store, unverified)
	verify := func(email string) (authdb.User, error) { return s.Users.VerifyEmail(t.Context(), email) }
	checkUpdates(t, s, "user", user, verify, []step[string, authdb.User]{
		{"first", user.Email, func(u *authdb.User) { u.EmailVerified = true }},
		{"again", strings.ToUpper(user.Email), func(*authdb.User) {}},
	})
	must[authdb.User](t)(s.Users.SetEmail(t.Context(), user.ID, "changed@verify.example", false))
	want := readTables(t, s.Store)
	notFound(t, map[string]error{"Users.VerifyEmail": errOf(verify(user.Email))})
	s.holds(t, want)
}

func testUserDelete(t *testing.T, s *fixture) {
	gone, _ := newTenant(t, s), newTenant(t, s)
	want := readTables(t, s.Store)
	for table, id := range map[string]string{
		"user": gone.user.ID, "session": gone.session.ID, "account": gone.account.ID, "member": gone.member.ID,
		"team_member": gone.teamMember.ID, "invitation": gone.invitation.ID,
	} {
		delete(want[table], id)
	}
	s.deletes(t, want, "Users.Delete", func() error { return s.Users.Delete(t.Context(), gone.user.ID) })
}

func testUserList(t *testing.T, s *fixture) {
	exec(t, s.Store, `DELETE FROM "user"`)
	users := rowsOf(func() authdb.User { return authdbtest.User(t, s.Store) })
	returns(t, int64(54))(s.Users.Count(t.Context()))
	checkList(t, s, "Users.List", "user", users, func(after authdb.Cursor, limit int) authdb.ListUsersParams {
		return authdb.ListUsersParams{After: after, Limit: limit}
	}, s.Users.List, s.Users.All)
}
