package authdb_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
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

func testUserCreateWithAccount(t *testing.T, s *fixture) {
	ctx := t.Context()
	want := readTables(t, s.Store)
	at := s.now.Add(time.Hour)
	for _, account := range []authdb.Account{
		{ProviderID: "credential", Password: new(authdb.Secret("hash"))},
		{
			ProviderID: "github", AccountID: "sign-up", AccessToken: new(authdb.Secret("access")), RefreshToken: new(authdb.Secret("refresh")), IDToken: new(authdb.Secret("id")),
			AccessTokenExpiresAt: &at, RefreshTokenExpiresAt: &at, Scope: new("a,b"),
		},
	} {
		user := authdb.User{
			ID: s.id(1), Name: "New", Email: account.ProviderID + "@sign-up.example", EmailVerified: true, Image: new("i"),
			CreatedAt: s.now, UpdatedAt: s.now,
		}
		account.ID, account.UserID, account.CreatedAt, account.UpdatedAt = s.id(2), user.ID, s.now, s.now
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
		returns(t, authdb.UserWithAccount{User: user, Account: account})(got, err)
		want["user"][user.ID], want["account"][account.ID] = asRow(user), asRow(account)
	}
	s.holds(t, want)
}

func testUserCreateWithAccountRefused(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	account := authdbtest.Account(t, s.Store)
	want := readTables(t, s.Store)
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
		fails(t, err, test.kind, "Users.CreateWithAccount", test.field)
	}
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
	_, err = s.Users.SetEmail(t.Context(), other.ID, authdb.SetEmailParams{Email: taken, Verified: true})
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
		returns(t, authdb.VerifiedUser{User: user, Sessions: []authdb.Session{}})(
			s.Users.VerifyEmail(ctx, user.ID, authdb.VerifyEmailParams{Email: given}))
		returns(t, user)(s.Users.SetEmail(ctx, user.ID, authdb.SetEmailParams{Email: given, Verified: true}))
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
		"Users.SetEmail":    errOf(s.Users.SetEmail(ctx, "none", authdb.SetEmailParams{Email: "none@example.com", Verified: true})),
		"Users.VerifyEmail": errOf(s.Users.VerifyEmail(ctx, "none", authdb.VerifyEmailParams{Email: "none@example.com"})),
		"Users.Delete":      errOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: "none"})),
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
			{"name", params{Name: authdb.Set("New")}, func(u *authdb.User) { u.Name = "New" }},
			{"image", params{Image: authdb.Set("https://example.com/2")}, func(u *authdb.User) { u.Image = new("https://example.com/2") }},
			{"no image", params{Image: authdb.SetNull[string]()}, func(u *authdb.User) { u.Image = nil }},
			{"empty name", params{Name: authdb.Set("")}, func(u *authdb.User) { u.Name = "" }},
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
			return s.Users.SetEmail(t.Context(), user.ID, authdb.SetEmailParams{Email: p.email, Verified: p.verified})
		},
		[]step[params, authdb.User]{
			{"unverified", params{"a@set.example", false}, func(u *authdb.User) { u.Email, u.EmailVerified = "a@set.example", false }},
			{"verified", params{"B@set.example", true}, func(u *authdb.User) { u.Email, u.EmailVerified = "b@set.example", true }},
			{"the same", params{"b@set.example", true}, func(*authdb.User) {}},
		})
}

func testUserVerifyEmail(t *testing.T, s *fixture) {
	ctx := t.Context()
	unverified := func(p *authdb.CreateUserParams) { p.EmailVerified = false }
	bystander := authdbtest.User(t, s.Store, unverified)
	authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = bystander.ID })
	for name, keep := range map[string]bool{"a proof that signs in": false, "a proof of one who is signed in": true} {
		t.Run(name, func(t *testing.T) {
			user := authdbtest.User(t, s.Store, unverified)
			session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
			account := authdbtest.Account(t, s.Store, accountOf(user.ID, "github", s.id(1)))
			s.now = s.now.Add(time.Minute)
			want := readTables(t, s.Store)
			p := authdb.VerifyEmailParams{Email: strings.ToUpper(user.Email), KeepAccess: keep}
			fails(t, errOf(s.Users.VerifyEmail(ctx, bystander.ID, p)), authdb.ErrNotFound, "Users.VerifyEmail", "")
			s.holds(t, want)
			user.EmailVerified, user.UpdatedAt = true, s.now
			want["user"][user.ID] = asRow(user)
			ended := []authdb.Session{}
			if !keep {
				ended = append(ended, session)
				delete(want["session"], session.ID)
				delete(want["account"], account.ID)
			}
			returns(t, authdb.VerifiedUser{User: user, Sessions: ended})(s.Users.VerifyEmail(ctx, user.ID, p))
			s.holds(t, want)

			// What the user makes now is not a squatter's.
			authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
			s.now = s.now.Add(time.Minute)
			want = readTables(t, s.Store)
			returns(t, authdb.VerifiedUser{User: user, Sessions: []authdb.Session{}})(s.Users.VerifyEmail(ctx, user.ID,
				authdb.VerifyEmailParams{Email: user.Email}))
			s.holds(t, want)
		})
	}
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
	s.seats(want, gone.team.ID, -1)
	second := authdbtest.Session(t, s.Store, sessionOf(s, gone.user.ID, -time.Hour))
	returns(t, authdb.DeletedUser{Sessions: []authdb.Session{gone.session, second}, OrganizationIDs: []string{}})(
		sortedSessions(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: gone.user.ID})))
	s.holds(t, want)
	notFound(t, map[string]error{"Users.Delete": errOf(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: gone.user.ID}))})
}

func sortedSessions(deleted authdb.DeletedUser, err error) (authdb.DeletedUser, error) {
	deleted.Sessions, err = sorted(deleted.Sessions, err)
	return deleted, err
}

// lastOwner is a user who is the only owner of two organizations, one of two of a third, and a member of a fourth.
type lastOwner struct {
	user               authdb.User
	one, two           tenant // whose coOwner is no owner
	shared, membership tenant
	session            authdb.Session
	wantGone           func(want tables) // drops what is the user's
}

func newLastOwner(t *testing.T, s *fixture) (o lastOwner) {
	t.Helper()
	o.one, o.two, o.shared, o.membership = newTenant(t, s), newTenant(t, s), newTenant(t, s), newTenant(t, s)
	o.user = o.one.user
	for i, a := range []*tenant{&o.one, &o.two} {
		exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, noOwners[i], a.coOwner.ID)
		exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, owners[i+2], a.member.ID)
	}
	// The second and the third owner are gone in favor of the user.
	for _, a := range []*tenant{&o.two, &o.shared} {
		exec(t, s.Store, `UPDATE member SET user_id = $1 WHERE id = $2`, o.user.ID, a.member.ID)
	}
	authdbtest.Member(t, s.Store, memberOf(o.membership.org.ID, o.user.ID))
	authdbtest.TeamMember(t, s.Store, teamMemberOf(o.membership.team, o.user.ID))
	o.session = authdbtest.Session(t, s.Store, sessionOf(s, o.user.ID, -time.Hour))
	s.now = s.now.Add(time.Minute)
	o.wantGone = func(want tables) {
		delete(want["user"], o.user.ID)
		for _, table := range []string{"session", "account", "member", "team_member", "invitation"} {
			for id, row := range want[table] {
				if row["user_id"] == o.user.ID || row["inviter_id"] == o.user.ID {
					delete(want[table], id)
				}
			}
		}
		s.seats(want, o.membership.team.ID, -1)
	}
	return o
}

func (o lastOwner) organizationIDs() []string {
	ids := []string{o.one.org.ID, o.two.org.ID}
	slices.Sort(ids)
	return ids
}

func testUserDeleteLastOwner(t *testing.T, s *fixture) {
	o := newLastOwner(t, s)
	want := readTables(t, s.Store)
	deleted, err := s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: o.user.ID})
	fails(t, err, authdb.ErrLastOwner, "Users.Delete", "")
	returns(t, authdb.DeletedUser{OrganizationIDs: o.organizationIDs()})(deleted, nil)
	s.holds(t, want)
}

func testUserDeleteSuccessor(t *testing.T, s *fixture) {
	o := newLastOwner(t, s)
	// One is no member of the first organization, but of the second.
	heir := authdbtest.User(t, s.Store)
	member := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) {
		p.OrganizationID, p.UserID, p.Role = o.two.org.ID, heir.ID, "admin"
	})
	want := readTables(t, s.Store)
	o.wantGone(want)
	s.seats(want, o.one.team.ID, -1)
	want.set("member", member.ID, map[string]any{"role": "admin,owner"})
	returns(t, authdb.DeletedUser{Sessions: []authdb.Session{o.one.session, o.session}, OrganizationIDs: o.organizationIDs()})(
		sortedSessions(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: o.user.ID, SuccessorID: heir.ID})))
	joined := must[authdb.Member](t)(s.Members.GetByUser(t.Context(), o.one.org.ID, heir.ID))
	if len(joined.ID) != 32 {
		t.Errorf("a member with the id %q", joined.ID)
	}
	returns(t, authdb.Member{
		ID: joined.ID, OrganizationID: o.one.org.ID, UserID: heir.ID, Role: "owner", CreatedAt: s.now,
	})(joined, nil)
	want["member"][joined.ID] = asRow(joined)
	s.holds(t, want)
	// A member without a role becomes owner, and nothing else.
	bare := newTenant(t, s)
	exec(t, s.Store, `UPDATE member SET role = '' WHERE id = $1`, bare.coOwner.ID)
	must[authdb.DeletedUser](t)(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: bare.user.ID, SuccessorID: bare.coOwner.UserID}))
	bare.coOwner.Role = "owner"
	returns(t, bare.coOwner)(s.Members.Get(t.Context(), bare.org.ID, bare.coOwner.ID))
}

func testUserDeleteOrganizations(t *testing.T, s *fixture) {
	o := newLastOwner(t, s)
	session := func(userID string, org, team *string) authdb.Session {
		return authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
			sessionOf(s, userID, time.Hour)(p)
			p.ActiveOrganizationID, p.ActiveTeamID = org, team
		})
	}
	cleared := session(o.two.coOwner.UserID, &o.two.org.ID, &o.two.team.ID)
	session(o.two.coOwner.UserID, &o.shared.org.ID, &o.two.team.ID)
	session(o.shared.coOwner.UserID, &o.shared.org.ID, nil)
	s.now = s.now.Add(time.Minute)
	want := readTables(t, s.Store)
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
	delete(want["team_member"], o.two.teamMember.ID)
	s.clears(want, cleared.ID, activeOrganization, activeTeam)
	returns(t, authdb.DeletedUser{Sessions: []authdb.Session{o.one.session, o.session}, OrganizationIDs: o.organizationIDs()})(
		sortedSessions(s.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: o.user.ID, DeleteOrganizations: true})))
	s.holds(t, want)
}

func testUserDeleteRefused(t *testing.T, s *fixture) {
	o, heir := newLastOwner(t, s), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for _, test := range []struct {
		userID string
		p      authdb.DeleteUserParams
		kind   error
		field  string
	}{
		{o.user.ID, authdb.DeleteUserParams{SuccessorID: "none"}, authdb.ErrReference, "successor_id"},
		{o.shared.coOwner.UserID, authdb.DeleteUserParams{SuccessorID: "none"}, authdb.ErrReference, "successor_id"},
		{o.user.ID, authdb.DeleteUserParams{SuccessorID: o.user.ID}, authdb.ErrInvalidInput, "successor_id"},
		{o.user.ID, authdb.DeleteUserParams{SuccessorID: heir.ID, DeleteOrganizations: true}, authdb.ErrInvalidInput, "successor_id"},
		{"none", authdb.DeleteUserParams{DeleteOrganizations: true}, authdb.ErrNotFound, ""},
		{"none", authdb.DeleteUserParams{SuccessorID: heir.ID}, authdb.ErrNotFound, ""},
	} {
		test.p.UserID = test.userID
		deleted, err := s.Users.Delete(t.Context(), test.p)
		fails(t, err, test.kind, "Users.Delete", test.field)
		if deleted.Sessions != nil {
			t.Errorf("%v beside an error", deleted.Sessions)
		}
	}
	s.holds(t, want)
}

func testUserList(t *testing.T, s *fixture) {
	exec(t, s.Store, `DELETE FROM "user"`)
	users := rowsOf(func() authdb.User { return authdbtest.User(t, s.Store) })
	returns(t, int64(54))(s.Users.Count(t.Context(), authdb.ListUsersParams{}))
	checkList(t, s, "Users.List", "user", users, func(after authdb.Cursor, limit int) authdb.ListUsersParams {
		return authdb.ListUsersParams{After: after, Limit: limit}
	}, s.Users.List, s.Users.All)
}

func testUserFilters(t *testing.T, s *fixture) {
	exec(t, s.Store, `DELETE FROM "user"`)
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

func testUserSearch(t *testing.T, s *fixture) {
	exec(t, s.Store, `DELETE FROM "user"`)
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
		returns(t, want)(got, err)
	}
	for _, test := range []struct {
		p     authdb.SearchUsersParams
		field string
	}{{authdb.SearchUsersParams{}, "prefix"}, {authdb.SearchUsersParams{Prefix: "x", Limit: -1}, "limit"}} {
		fails(t, errOf(s.Users.Search(t.Context(), test.p)), authdb.ErrInvalidInput, "Users.Search", test.field)
	}
}
