package authdb_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
		{"Create", testUserCreate},
		{"CreateWithAccount", testUserCreateWithAccount},
		{"CreateWithAccountRefused", testUserCreateWithAccountRefused},
		{"CreateConflict", testUserCreateConflict},
		{"Email", testUserEmail},
		{"Get", testUserGet},
		{"NotFound", testUserNotFound},
		{"Update", testUserUpdate},
		{"SetEmail", testUserSetEmail},
		{"VerifyEmail", testUserVerifyEmail},
		{"DeleteCascade", testUserDelete},
		{"DeleteLastOwner", testUserDeleteLastOwner},
		{"DeleteWithSuccessor", testUserDeleteSuccessor},
		{"DeleteOrganizations", testUserDeleteOrganizations},
		{"DeleteRefused", testUserDeleteRefused},
		{"List", testUserList},
		{"list filters", testUserFilters},
		{"Search", testUserSearch},
	})
}

func testUserCreate(t *testing.T, s *kit.Fixture) {
	want := kit.ReadTables(t, s.Store)
	least := authdb.User{ID: s.Id(1), Name: "Ada", Email: "ada@example.com", CreatedAt: s.Now, UpdatedAt: s.Now}
	kit.Returns(t, least)(s.Users.Create(t.Context(), authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"}))
	full := authdb.User{
		ID: s.Id(1), Name: "Grace", Email: "grace@example.com", EmailVerified: true, Image: new("https://example.com/g"),
		CreatedAt: s.Now, UpdatedAt: s.Now,
	}
	kit.Returns(t, full)(s.Users.Create(t.Context(), authdb.CreateUserParams{
		Name: full.Name, Email: full.Email, EmailVerified: true, Image: full.Image,
	}))
	want["user"][least.ID], want["user"][full.ID] = kit.AsRow(least), kit.AsRow(full)
	s.Holds(t, want)
}

func testUserCreateWithAccount(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	want := kit.ReadTables(t, s.Store)
	at := s.Now.Add(time.Hour)
	for _, account := range []authdb.Account{
		{ProviderID: "credential", Password: new(authdb.Secret("hash"))},
		{
			ProviderID: "github", AccountID: "sign-up", AccessToken: new(authdb.Secret("access")), RefreshToken: new(authdb.Secret("refresh")), IDToken: new(authdb.Secret("id")),
			AccessTokenExpiresAt: &at, RefreshTokenExpiresAt: &at, Scope: new("a,b"),
		},
	} {
		user := authdb.User{
			ID: s.Id(1), Name: "New", Email: account.ProviderID + "@sign-up.example", EmailVerified: true, Image: new("i"),
			CreatedAt: s.Now, UpdatedAt: s.Now,
		}
		account.ID, account.UserID, account.CreatedAt, account.UpdatedAt = s.Id(2), user.ID, s.Now, s.Now
		p := authdb.CreateAccountParams{
			ProviderID: account.ProviderID, AccountID: account.AccountID, AccessToken: account.AccessToken,
			RefreshToken: account.RefreshToken, IDToken: account.IDToken, AccessTokenExpiresAt: account.AccessTokenExpiresAt,
			RefreshTokenExpiresAt: account.RefreshTokenExpiresAt, Scope: account.Scope, Password: account.Password,
		}
		if account.ProviderID == authdb.ProviderCredential {
			account.AccountID, p.AccountID = user.ID, "whatever"
		}
		got, err := s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{User: authdb.CreateUserParams{
			Name: user.Name, Email: strings.ToUpper(user.Email), EmailVerified: true, Image: user.Image,
		}, Account: p})
		kit.Returns(t, authdb.UserWithAccount{User: user, Account: account})(got, err)
		want["user"][user.ID], want["account"][account.ID] = kit.AsRow(user), kit.AsRow(account)
	}
	s.Holds(t, want)
}

func testUserCreateWithAccountRefused(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	account := authdbtest.Account(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	github := authdb.CreateAccountParams{ProviderID: "github", AccountID: "refused"}
	for _, test := range []struct {
		email   string
		account authdb.CreateAccountParams
		kind    error
		field   string
	}{
		{strings.ToUpper(user.Email), github, authdb.ErrEmailTaken, "email"},
		{"new@sign-up.example", authdb.CreateAccountParams{ProviderID: "github", AccountID: account.AccountID}, authdb.ErrAccountTaken, "account_id"},
		{"no address", github, authdb.ErrInvalidInput, "email"},
		{"new@sign-up.example", authdb.CreateAccountParams{AccountID: "x"}, authdb.ErrInvalidInput, "provider_id"},
		{"new@sign-up.example", authdb.CreateAccountParams{ProviderID: "github"}, authdb.ErrInvalidInput, "account_id"},
		{"new@sign-up.example", authdb.CreateAccountParams{ProviderID: "github", AccountID: "x", UserID: user.ID}, authdb.ErrInvalidInput, "user_id"},
		{"new@sign-up.example", authdb.CreateAccountParams{ProviderID: "credential", Scope: new("\x00")}, authdb.ErrInvalidInput, "scope"},
	} {
		_, err := s.Users.CreateWithAccount(t.Context(), authdb.CreateUserWithAccountParams{User: authdb.CreateUserParams{Email: test.email}, Account: test.account})
		kit.Fails(t, err, test.kind, "Users.CreateWithAccount", test.field)
	}
	s.Holds(t, want)
}

func testUserCreateConflict(t *testing.T, s *kit.Fixture) {
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	taken := strings.ToUpper(user.Email)
	_, err := s.Users.Create(t.Context(), authdb.CreateUserParams{Email: taken})
	kit.Fails(t, err, authdb.ErrEmailTaken, "Users.Create", "email")
	if !errors.Is(err, authdb.ErrConflict) {
		t.Errorf("%v is no ErrConflict", err)
	}
	_, err = s.Users.SetEmail(t.Context(), other.ID, authdb.SetEmailParams{Email: taken, Verified: true})
	kit.Fails(t, err, authdb.ErrEmailTaken, "Users.SetEmail", "email")
	_, err = authdb.New(s.Pool(), authdb.WithIDs(func() string { return user.ID })).Users.
		Create(t.Context(), authdb.CreateUserParams{Email: "new@example.com"})
	kit.Fails(t, err, authdb.ErrConflict, "Users.Create", "id")
	s.Holds(t, want)
}

func testUserEmail(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	for given, stored := range map[string]string{
		"Linus@Example.COM": "linus@example.com", "ÄÖẞ@Example.com": "äöß@example.com",
		"İpek@example.com": "i\u0307pek@example.com", "ΟΔΟΣ@example.com": "οδος@example.com",
	} {
		user := kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Email: given}))
		if user.Email != stored {
			t.Errorf("Create(%q) stores %q", given, user.Email)
		}
		kit.Returns(t, user)(s.Users.GetByEmail(ctx, given))
		kit.Returns(t, user)(s.Users.GetByEmail(ctx, stored))
		user.EmailVerified = true
		kit.Returns(t, authdb.VerifiedUser{User: user, Sessions: []authdb.Session{}})(
			s.Users.VerifyEmail(ctx, user.ID, authdb.VerifyEmailParams{Email: given}))
		kit.Returns(t, user)(s.Users.SetEmail(ctx, user.ID, authdb.SetEmailParams{Email: given, Verified: true}))
	}
}

func testUserGet(t *testing.T, s *kit.Fixture) {
	user, _ := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	kit.Returns(t, user)(s.Users.Get(t.Context(), user.ID))
	kit.Returns(t, user)(s.Users.GetByEmail(t.Context(), user.Email))
}

func testUserNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	kit.NotFound(t, map[string]error{
		"Users.Get":         kit.ErrOf(s.Users.Get(ctx, "none")),
		"Users.GetByEmail":  kit.ErrOf(s.Users.GetByEmail(ctx, "none@example.com")),
		"Users.Update":      kit.ErrOf(s.Users.Update(ctx, "none", authdb.UpdateUserParams{})),
		"Users.SetEmail":    kit.ErrOf(s.Users.SetEmail(ctx, "none", authdb.SetEmailParams{Email: "none@example.com", Verified: true})),
		"Users.VerifyEmail": kit.ErrOf(s.Users.VerifyEmail(ctx, "none", authdb.VerifyEmailParams{Email: "none@example.com"})),
		"Users.Delete":      kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: "none"})),
	})
	s.Holds(t, want)
}

func testUserUpdate(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateUserParams
	authdbtest.User(t, s.Store)
	user := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Image = new("https://example.com/1") })
	authdbtest.User(t, s.Store)
	kit.CheckUpdates(t, s, "user", user,
		func(p params) (authdb.User, error) { return s.Users.Update(t.Context(), user.ID, p) },
		kit.Steps[params, authdb.User]{
			{"nothing", params{}, func(*authdb.User) {}},
			{"name", params{Name: authdb.Set("New")}, func(u *authdb.User) { u.Name = "New" }},
			{"image", params{Image: authdb.Set("https://example.com/2")}, func(u *authdb.User) { u.Image = new("https://example.com/2") }},
			{"no image", params{Image: authdb.SetNull[string]()}, func(u *authdb.User) { u.Image = nil }},
			{"empty name", params{Name: authdb.Set("")}, func(u *authdb.User) { u.Name = "" }},
		})
}

func testUserSetEmail(t *testing.T, s *kit.Fixture) {
	type params = struct {
		email    string
		verified bool
	}
	authdbtest.User(t, s.Store)
	user := authdbtest.User(t, s.Store)
	kit.CheckUpdates(t, s, "user", user,
		func(p params) (authdb.User, error) {
			return s.Users.SetEmail(t.Context(), user.ID, authdb.SetEmailParams{Email: p.email, Verified: p.verified})
		},
		kit.Steps[params, authdb.User]{
			{"unverified", params{"a@set.example", false}, func(u *authdb.User) { u.Email, u.EmailVerified = "a@set.example", false }},
			{"verified", params{"B@set.example", true}, func(u *authdb.User) { u.Email, u.EmailVerified = "b@set.example", true }},
			{"the same", params{"b@set.example", true}, func(*authdb.User) {}},
		})
}

func testUserVerifyEmail(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	unverified := func(p *authdb.CreateUserParams) { p.EmailVerified = false }
	bystander := authdbtest.User(t, s.Store, unverified)
	authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = bystander.ID })
	for name, keep := range map[string]bool{"a proof that signs in": false, "a proof of one who is signed in": true} {
		t.Run(name, func(t *testing.T) {
			user := authdbtest.User(t, s.Store, unverified)
			session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
			account := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", s.Id(1)))
			s.Now = s.Now.Add(time.Minute)
			want := kit.ReadTables(t, s.Store)
			p := authdb.VerifyEmailParams{Email: strings.ToUpper(user.Email), KeepAccess: keep}
			kit.Fails(t, kit.ErrOf(s.Users.VerifyEmail(ctx, bystander.ID, p)), authdb.ErrNotFound, "Users.VerifyEmail", "")
			s.Holds(t, want)
			user.EmailVerified, user.UpdatedAt = true, s.Now
			want["user"][user.ID] = kit.AsRow(user)
			ended := []authdb.Session{}
			if !keep {
				ended = append(ended, session)
				delete(want["session"], session.ID)
				delete(want["account"], account.ID)
			}
			kit.Returns(t, authdb.VerifiedUser{User: user, Sessions: ended})(s.Users.VerifyEmail(ctx, user.ID, p))
			s.Holds(t, want)

			// What the user makes now is not a squatter's.
			authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
			s.Now = s.Now.Add(time.Minute)
			want = kit.ReadTables(t, s.Store)
			kit.Returns(t, authdb.VerifiedUser{User: user, Sessions: []authdb.Session{}})(s.Users.VerifyEmail(ctx, user.ID,
				authdb.VerifyEmailParams{Email: user.Email}))
			s.Holds(t, want)
		})
	}
}

func testUserDelete(t *testing.T, s *kit.Fixture) {
	gone, _ := kit.NewTenant(t, s), kit.NewTenant(t, s)
	want := kit.ReadTables(t, s.Store)
	for table, id := range map[string]string{
		"user": gone.User.ID, "session": gone.Session.ID, "account": gone.Account.ID, "member": gone.Member.ID,
		"team_member": gone.TeamMember.ID, "invitation": gone.Invitation.ID,
	} {
		delete(want[table], id)
	}
	s.Seats(want, gone.Team.ID, -1)
	second := authdbtest.Session(t, s.Store, kit.SessionOf(s, gone.User.ID, -time.Hour))
	kit.Returns(t, authdb.DeletedUser{Sessions: []authdb.Session{gone.Session, second}, OrganizationIDs: []string{}})(
		sortedSessions(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: gone.User.ID})))
	s.Holds(t, want)
	kit.NotFound(t, map[string]error{"Users.Delete": kit.ErrOf(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: gone.User.ID}))})
}

func sortedSessions(deleted authdb.DeletedUser, err error) (authdb.DeletedUser, error) {
	deleted.Sessions, err = kit.Sorted(deleted.Sessions, err)
	return deleted, err
}

// lastOwner is a user who is the only owner of two organizations, one of two of a third, and a member of a fourth.
type lastOwner struct {
	user               authdb.User
	one, two           kit.Tenant // whose coOwner is no owner
	shared, membership kit.Tenant
	session            authdb.Session
	wantGone           func(want kit.Tables) // drops what is the user's
}

func newLastOwner(t *testing.T, s *kit.Fixture) (o lastOwner) {
	t.Helper()
	o.one, o.two, o.shared, o.membership = kit.NewTenant(t, s), kit.NewTenant(t, s), kit.NewTenant(t, s), kit.NewTenant(t, s)
	o.user = o.one.User
	for i, a := range []*kit.Tenant{&o.one, &o.two} {
		kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, noOwners[i], a.CoOwner.ID)
		kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, owners[i+2], a.Member.ID)
	}
	// The second and the third owner are gone in favor of the user.
	for _, a := range []*kit.Tenant{&o.two, &o.shared} {
		kit.Exec(t, s.Store, `UPDATE member SET user_id = $1 WHERE id = $2`, o.user.ID, a.Member.ID)
	}
	authdbtest.Member(t, s.Store, kit.MemberOf(o.membership.Org.ID, o.user.ID))
	authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(o.membership.Team, o.user.ID))
	o.session = authdbtest.Session(t, s.Store, kit.SessionOf(s, o.user.ID, -time.Hour))
	s.Now = s.Now.Add(time.Minute)
	o.wantGone = func(want kit.Tables) {
		delete(want["user"], o.user.ID)
		for _, table := range []string{"session", "account", "member", "team_member", "invitation"} {
			for id, row := range want[table] {
				if row["user_id"] == o.user.ID || row["inviter_id"] == o.user.ID {
					delete(want[table], id)
				}
			}
		}
		s.Seats(want, o.membership.Team.ID, -1)
	}
	return o
}

func (o lastOwner) organizationIDs() []string {
	ids := []string{o.one.Org.ID, o.two.Org.ID}
	slices.Sort(ids)
	return ids
}

func testUserDeleteLastOwner(t *testing.T, s *kit.Fixture) {
	o := newLastOwner(t, s)
	want := kit.ReadTables(t, s.Store)
	deleted, err := s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: o.user.ID})
	kit.Fails(t, err, authdb.ErrLastOwner, "Users.Delete", "")
	kit.Returns(t, authdb.DeletedUser{OrganizationIDs: o.organizationIDs()})(deleted, nil)
	s.Holds(t, want)
}

func testUserDeleteSuccessor(t *testing.T, s *kit.Fixture) {
	o := newLastOwner(t, s)
	// One is no member of the first organization, but of the second.
	heir := authdbtest.User(t, s.Store)
	member := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) {
		p.OrganizationID, p.UserID, p.Role = o.two.Org.ID, heir.ID, "admin"
	})
	want := kit.ReadTables(t, s.Store)
	o.wantGone(want)
	s.Seats(want, o.one.Team.ID, -1)
	want.Set("member", member.ID, map[string]any{"role": "admin,owner"})
	kit.Returns(t, authdb.DeletedUser{Sessions: []authdb.Session{o.one.Session, o.session}, OrganizationIDs: o.organizationIDs()})(
		sortedSessions(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: o.user.ID, SuccessorID: heir.ID})))
	joined := kit.Must[authdb.Member](t)(s.Members.GetByUser(t.Context(), o.one.Org.ID, heir.ID))
	if len(joined.ID) != 32 {
		t.Errorf("a member with the id %q", joined.ID)
	}
	kit.Returns(t, authdb.Member{
		ID: joined.ID, OrganizationID: o.one.Org.ID, UserID: heir.ID, Role: "owner", CreatedAt: s.Now,
	})(joined, nil)
	want["member"][joined.ID] = kit.AsRow(joined)
	s.Holds(t, want)
	// A member without a role becomes owner, and nothing else.
	bare := kit.NewTenant(t, s)
	kit.Exec(t, s.Store, `UPDATE member SET role = '' WHERE id = $1`, bare.CoOwner.ID)
	kit.Must[authdb.DeletedUser](t)(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: bare.User.ID, SuccessorID: bare.CoOwner.UserID}))
	bare.CoOwner.Role = "owner"
	kit.Returns(t, bare.CoOwner)(s.Members.Get(t.Context(), bare.Org.ID, bare.CoOwner.ID))
}

func testUserDeleteOrganizations(t *testing.T, s *kit.Fixture) {
	o := newLastOwner(t, s)
	session := func(userID string, org, team *string) authdb.Session {
		return authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
			kit.SessionOf(s, userID, time.Hour)(p)
			p.ActiveOrganizationID, p.ActiveTeamID = org, team
		})
	}
	cleared := session(o.two.CoOwner.UserID, &o.two.Org.ID, &o.two.Team.ID)
	session(o.two.CoOwner.UserID, &o.shared.Org.ID, &o.two.Team.ID)
	session(o.shared.CoOwner.UserID, &o.shared.Org.ID, nil)
	s.Now = s.Now.Add(time.Minute)
	want := kit.ReadTables(t, s.Store)
	o.wantGone(want)
	for _, id := range o.organizationIDs() {
		delete(want["organization"], id)
		for _, table := range []string{"team", "member", "invitation"} {
			for rowID, row := range want[table] {
				if row["organization_id"] == id {
					delete(want[table], rowID)
				}
			}
		}
	}
	delete(want["team_member"], o.two.TeamMember.ID)
	s.Clears(want, cleared.ID, kit.ActiveOrganization, kit.ActiveTeam)
	kit.Returns(t, authdb.DeletedUser{Sessions: []authdb.Session{o.one.Session, o.session}, OrganizationIDs: o.organizationIDs()})(
		sortedSessions(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: o.user.ID, DeleteOrganizations: true})))
	s.Holds(t, want)
}

func testUserDeleteRefused(t *testing.T, s *kit.Fixture) {
	o, heir := newLastOwner(t, s), authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for _, test := range []struct {
		userID string
		p      authdb.DeleteUserParams
		kind   error
		field  string
	}{
		{o.user.ID, authdb.DeleteUserParams{SuccessorID: "none"}, authdb.ErrReference, "successor_id"},
		{o.shared.CoOwner.UserID, authdb.DeleteUserParams{SuccessorID: "none"}, authdb.ErrReference, "successor_id"},
		{o.user.ID, authdb.DeleteUserParams{SuccessorID: o.user.ID}, authdb.ErrInvalidInput, "successor_id"},
		{o.user.ID, authdb.DeleteUserParams{SuccessorID: heir.ID, DeleteOrganizations: true}, authdb.ErrInvalidInput, "successor_id"},
		{"none", authdb.DeleteUserParams{DeleteOrganizations: true}, authdb.ErrNotFound, ""},
		{"none", authdb.DeleteUserParams{SuccessorID: heir.ID}, authdb.ErrNotFound, ""},
	} {
		test.p.UserID = test.userID
		deleted, err := s.Users.Delete(t.Context(), test.p)
		kit.Fails(t, err, test.kind, "Users.Delete", test.field)
		if deleted.Sessions != nil {
			t.Errorf("%v beside an error", deleted.Sessions)
		}
	}
	s.Holds(t, want)
}

func testUserList(t *testing.T, s *kit.Fixture) {
	kit.Exec(t, s.Store, `DELETE FROM "user"`)
	users := rowsOf(func() authdb.User { return authdbtest.User(t, s.Store) })
	kit.Returns(t, int64(54))(s.Users.Count(t.Context(), authdb.ListUsersParams{}))
	checkList(t, s, "Users.List", "user", users, func(after authdb.Cursor, limit int) authdb.ListUsersParams {
		return authdb.ListUsersParams{After: after, Limit: limit}
	}, s.Users.List, s.Users.All)
}

func testUserFilters(t *testing.T, s *kit.Fixture) {
	kit.Exec(t, s.Store, `DELETE FROM "user"`)
	var users []authdb.User
	for i := range 7 {
		users = append(users, authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.EmailVerified = i%3 == 0 }))
	}
	users = spread(t, s, "user", users)
	verified := func(is bool) []authdb.User {
		return slices.DeleteFunc(slices.Clone(users), func(u authdb.User) bool { return u.EmailVerified != is })
	}
	checkFilter(t, authdb.ListUsersParams{}, users, s.Users.All, s.Users.Count)
	checkFilter(t, authdb.ListUsersParams{Verified: new(true)}, verified(true), s.Users.All, s.Users.Count)
	checkFilter(t, authdb.ListUsersParams{Verified: new(false)}, verified(false), s.Users.All, s.Users.Count)
}

func testUserSearch(t *testing.T, s *kit.Fixture) {
	kit.Exec(t, s.Store, `DELETE FROM "user"`)
	users := map[string]authdb.User{}
	for email, name := range map[string]string{
		"ada@a.example": "Ada", "adam@a.example": "Zoe", "bob@a.example": "ADA Bob", "carl@a.example": "Adb", "d%a@a.example": `a\d%`,
		"d_a@a.example": "a_d", "élan@a.example": "Élan", "a@a.example": "",
	} {
		users[email] = authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email, p.Name = email, name })
	}
	for _, test := range []struct {
		prefix string
		limit  int
		want   []string // what is before the @
	}{
		{"ada", 0, []string{"ada", "adam", "bob"}},
		{"ADA", 3, []string{"ada", "adam", "bob"}},
		{"ada", 2, []string{"ada", "adam"}},
		{"ada", 1, []string{"ada"}},
		{"Ada B", 0, []string{"bob"}},
		{"ada@A.example", 0, []string{"ada"}},
		{"ad%", 0, nil},
		{"%", 0, nil},
		{"_", 0, nil},
		{"d%", 0, []string{"d%a"}},
		{"D_", 0, []string{"d_a"}},
		{`A\`, 0, []string{"d%a"}},
		{"Él", 0, []string{"élan"}},
		{"da", 0, nil}, // not within
		{"a@a.example", 0, []string{"a"}},
	} {
		want := []authdb.User{}
		for _, local := range test.want {
			want = append(want, users[local+"@a.example"])
		}
		got, err := s.Users.Search(t.Context(), authdb.SearchUsersParams{Prefix: test.prefix, Limit: test.limit})
		t.Log(test.prefix, test.limit)
		kit.Returns(t, want)(got, err)
	}
	for _, test := range []struct {
		p     authdb.SearchUsersParams
		field string
	}{{authdb.SearchUsersParams{}, "prefix"}, {authdb.SearchUsersParams{Prefix: "x", Limit: -1}, "limit"}} {
		kit.Fails(t, kit.ErrOf(s.Users.Search(t.Context(), test.p)), authdb.ErrInvalidInput, "Users.Search", test.field)
	}
}
