package authdb_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
		{"Create", testSessionCreate},
		{"CreateReference", testSessionReference},
		{"CreateConflict", testSessionConflict},
		{"WithoutPlugin", testSessionWithoutPlugin},
		{"Get", testSessionGet},
		{"ListByTokens", testSessionListByTokens},
		{"NotFound", testSessionNotFound},
		{"Live", testSessionLive},
		{"Authenticate", testSessionAuthenticate},
		{"AuthenticateWithoutMembership", testSessionAuthenticateOutside},
		{"Update", testSessionUpdate},
		{"Refresh", testSessionRefresh},
		{"RefreshOfNone", testSessionRefreshNone},
		{"SetActiveOrganization", testSessionSetActiveOrganization},
		{"SetActiveTeam", testSessionSetActiveTeam},
		{"SetActiveRefused", testSessionSetActiveRefused},
		{"Delete", testSessionDelete},
		{"DeleteMany", testSessionDeleteMany},
		{"DeleteOthers", testSessionDeleteOthers},
		{"DeleteExpired", testSessionDeleteExpired},
		{"List", testSessionList},
	})
}

// testSessionWithoutPlugin: where users cannot be banned, a sign-in waits for nobody who changes one.
func testSessionWithoutPlugin(t *testing.T, s *kit.Fixture) {
	ctx, user := t.Context(), authdbtest.User(t, s.Store).ID
	create := func(tx *authdb.Store) error {
		if _, err := tx.Tx().Exec(ctx, "SET LOCAL lock_timeout = 100"); err != nil {
			return err
		}
		_, err := tx.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user})
		_, manyErr := tx.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: user}})
		return cmp.Or(err, manyErr)
	}
	change := func(want error) {
		t.Helper()
		if err := s.InTx(ctx, func(other *authdb.Store) error {
			if err := s.InTx(ctx, create); err != nil { // prepares
				return err
			}
			_, err := other.Users.Update(ctx, user, authdb.UpdateUserParams{Name: authdb.Set("new")})
			if got := s.InTx(ctx, create); !errors.Is(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	change(nil)
	if _, err := s.Pool().Exec(ctx, `ALTER TABLE "user" ADD COLUMN banned boolean`); err != nil {
		t.Fatal(err)
	}
	change(authdb.ErrTimeout) // the control
}

func testSessionCreate(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	least := authdb.Session{
		ID: s.Id(1), ExpiresAt: s.Now.Add(7 * 24 * time.Hour), Token: authdb.Secret(s.Token(1)), CreatedAt: s.Now, UpdatedAt: s.Now,
		IPAddress: new(""), UserAgent: new(""), UserID: user.ID,
	}
	kit.Returns(t, least)(s.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: user.ID}))
	full := authdb.Session{
		ID: s.Id(1), ExpiresAt: s.Now.Add(time.Hour), Token: authdb.Secret(s.Token(1)), CreatedAt: s.Now, UpdatedAt: s.Now,
		IPAddress: new("2001:db8::1"), UserAgent: new("curl"), UserID: user.ID,
		ActiveOrganizationID: new("gone"), ActiveTeamID: new("gone too"),
	}
	kit.Returns(t, full)(s.Sessions.Create(t.Context(), authdb.CreateSessionParams{
		UserID: user.ID, ExpiresAt: full.ExpiresAt.Add(999 * time.Microsecond), IPAddress: "2001:db8::1", UserAgent: "curl",
		ActiveOrganizationID: new("gone"), ActiveTeamID: new("gone too"),
	}))
	want["session"][least.ID], want["session"][full.ID] = kit.AsRow(least), kit.AsRow(full)
	s.Holds(t, want)
}

func testSessionReference(t *testing.T, s *kit.Fixture) {
	want := kit.ReadTables(t, s.Store)
	_, err := s.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: "none"})
	kit.Fails(t, err, authdb.ErrReference, "Sessions.Create", "user_id")
	s.Holds(t, want)
}

func testSessionConflict(t *testing.T, s *kit.Fixture) {
	session := authdbtest.Session(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	same := authdb.New(s.Pool(), authdb.WithTokens(func() string { return string(session.Token) }))
	_, err := same.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: session.UserID})
	kit.Fails(t, err, authdb.ErrConflict, "Sessions.Create", "token")
	s.Holds(t, want)
}

func testSessionGet(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
		session := authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, lifetime))
		kit.Returns(t, session)(s.Sessions.Get(ctx, user.ID, session.ID))
		kit.Returns(t, session)(s.Sessions.GetByToken(ctx, session.Token))
	}
}

func testSessionListByTokens(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	var joined []authdb.SessionWithUser
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour, time.Minute, time.Second} {
		user := authdbtest.User(t, s.Store)
		joined = append(joined, authdb.SessionWithUser{
			Session: authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, lifetime)), User: user,
		})
	}
	a, b, c := joined[0], joined[1], joined[2]
	for _, test := range []struct {
		tokens []authdb.Secret
		want   []authdb.SessionWithUser
	}{
		{[]authdb.Secret{c.Token, a.Token, b.Token}, []authdb.SessionWithUser{c, a, b}},
		{[]authdb.Secret{b.Token, "unknown", a.Token}, []authdb.SessionWithUser{b, a}},
		{[]authdb.Secret{a.Token, c.Token, a.Token}, []authdb.SessionWithUser{a, c}},
		{[]authdb.Secret{"unknown"}, []authdb.SessionWithUser{}},
		{[]authdb.Secret{}, []authdb.SessionWithUser{}},
		{nil, []authdb.SessionWithUser{}},
	} {
		kit.Returns(t, test.want)(s.Sessions.ListByTokens(ctx, test.tokens))
		want := []authdb.Authentication{}
		for _, row := range test.want {
			if row.ExpiresAt.After(s.Now) {
				want = append(want, authdb.Authentication{Session: row.Session, User: row.User})
			}
		}
		kit.Returns(t, want)(s.Sessions.AuthenticateMany(ctx, test.tokens))
	}
}

func testSessionNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	session, other := authdbtest.Session(t, s.Store), authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for userID, id := range map[string]string{session.UserID: "none", other.ID: session.ID} {
		kit.NotFound(t, map[string]error{
			"Sessions.Get":    kit.ErrOf(s.Sessions.Get(ctx, userID, id)),
			"Sessions.Delete": s.Sessions.Delete(ctx, userID, id),
		})
	}
	kit.NotFound(t, map[string]error{
		"Sessions.GetByToken":    kit.ErrOf(s.Sessions.GetByToken(ctx, "none")),
		"Sessions.UpdateByToken": kit.ErrOf(s.Sessions.UpdateByToken(ctx, "none", authdb.UpdateSessionParams{})),
		"Sessions.DeleteByToken": s.Sessions.DeleteByToken(ctx, "none"),
		"Sessions.Authenticate":  kit.ErrOf(s.Sessions.Authenticate(ctx, "none")),
		"Sessions.Refresh":       kit.ErrOf(s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: "none"})),
	})
	s.Holds(t, want)
}

func testSessionLive(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	live := []authdb.Session{}
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour, 0, time.Millisecond, -time.Millisecond} {
		session := authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, lifetime))
		if lifetime > 0 {
			live = append(live, session)
		}
	}
	p := authdb.ListSessionsParams{UserID: user.ID, Live: true}
	for _, p.Limit = range []int{1, 2, 0} {
		kit.Returns(t, live)(kit.Collect(s.Sessions.All(ctx, p), 10))
	}
	page := kit.Must[authdb.Page[authdb.Session]](t)(s.Sessions.List(ctx, p))
	kit.Returns(t, live)(page.Items, nil)
	kit.Returns(t, int64(2))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID, Live: true}))
	kit.Returns(t, int64(5))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID}))
	s.Now = s.Now.Add(time.Millisecond)
	kit.Returns(t, live[:1])(kit.Collect(s.Sessions.All(ctx, p), 10))
	kit.Returns(t, int64(1))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID, Live: true}))
}

func testSessionUpdate(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateSessionParams
	authdbtest.Session(t, s.Store)
	session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
		p.IPAddress, p.UserAgent, p.ActiveOrganizationID, p.ActiveTeamID = "::1", "curl", new("org"), new("team")
	})
	later, past := s.Now.Add(time.Hour), s.Now.Add(-time.Hour)
	kit.CheckUpdates(t, s, "session", session,
		func(p params) (authdb.Session, error) {
			return s.Sessions.UpdateByToken(t.Context(), session.Token, p)
		},
		kit.Steps[params, authdb.Session]{
			{"nothing", params{}, func(*authdb.Session) {}},
			{"end", params{ExpiresAt: authdb.Set(past)}, func(s *authdb.Session) { s.ExpiresAt = past }},
			{"revive", params{ExpiresAt: authdb.Set(later.Add(time.Microsecond))}, func(s *authdb.Session) { s.ExpiresAt = later }},
			{"address", params{IPAddress: authdb.Set("::2")}, func(s *authdb.Session) { s.IPAddress = new("::2") }},
			{"no address", params{IPAddress: authdb.SetNull[string]()}, func(s *authdb.Session) { s.IPAddress = nil }},
			{"agent", params{UserAgent: authdb.Set("")}, func(s *authdb.Session) { s.UserAgent = new("") }},
			{"no agent", params{UserAgent: authdb.SetNull[string]()}, func(s *authdb.Session) { s.UserAgent = nil }},
		})
}

func testSessionDelete(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	remove := map[string]func(authdb.Session) error{
		"Sessions.Delete":        func(row authdb.Session) error { return s.Sessions.Delete(ctx, row.UserID, row.ID) },
		"Sessions.DeleteByToken": func(row authdb.Session) error { return s.Sessions.DeleteByToken(ctx, row.Token) },
	}
	for op, remove := range remove {
		want := kit.ReadTables(t, s.Store)
		session := authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Hour))
		s.Deletes(t, want, op, func() error { return remove(session) })
	}
}

func testSessionDeleteMany(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	authdbtest.Session(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	var tokens []authdb.Secret
	var sessions []authdb.Session
	for i := range 5 {
		sessions = append(sessions, authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Duration(i-2)*time.Hour)))
		tokens = append(tokens, sessions[i].Token)
	}
	kit.Returns(t, int64(0))(s.Sessions.DeleteByTokens(ctx, nil))
	kit.Returns(t, int64(2))(s.Sessions.DeleteByTokens(ctx, []authdb.Secret{tokens[1], "unknown", tokens[3], tokens[1]}))
	kit.Returns(t, int64(3))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID}))
	kit.Returns(t, int64(1))(s.Sessions.DeleteByTokens(ctx, tokens[1:3]))
	kit.Returns(t, []authdb.Session{sessions[0], sessions[4]})(kit.Sorted(s.Sessions.DeleteByUser(ctx, user.ID)))
	kit.Returns(t, []authdb.Session{})(s.Sessions.DeleteByUser(ctx, user.ID))
	s.Holds(t, want)
}

func testSessionDeleteOthers(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user, other := authdbtest.User(t, s.Store), authdbtest.Session(t, s.Store)
	kept := authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Hour))
	want := kit.ReadTables(t, s.Store)
	gone := []authdb.Session{
		authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Hour)), authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, -time.Hour)),
	}
	kit.Returns(t, gone)(kit.Sorted(s.Sessions.DeleteOthers(ctx, user.ID, kept.ID)))
	kit.Returns(t, []authdb.Session{})(s.Sessions.DeleteOthers(ctx, user.ID, kept.ID))
	s.Holds(t, want)
	delete(want["session"], kept.ID)
	kit.Returns(t, []authdb.Session{kept})(s.Sessions.DeleteOthers(ctx, user.ID, other.ID))
	s.Holds(t, want)
}

func testSessionDeleteExpired(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	kit.Exec(t, s.Store, `DELETE FROM session WHERE expires_at <= $1`, s.Now)
	user := authdbtest.User(t, s.Store)
	authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Millisecond))
	want := kit.ReadTables(t, s.Store)
	var last authdb.Session
	for _, lifetime := range []time.Duration{0, -time.Hour, -time.Millisecond} {
		session := authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, lifetime))
		if lifetime == 0 {
			last = session
		}
	}
	kit.Returns(t, int64(2))(s.Sessions.DeleteExpired(ctx, 2)) // the oldest first
	kit.Returns(t, last)(s.Sessions.Get(ctx, user.ID, last.ID))
	kit.Returns(t, int64(1))(s.Sessions.DeleteExpired(ctx, 10_000))
	kit.Returns(t, int64(0))(s.Sessions.DeleteExpired(ctx, 1))
	for _, limit := range []int{-1, 0, 10_001} {
		kit.Fails(t, kit.ErrOf(s.Sessions.DeleteExpired(ctx, limit)), authdb.ErrInvalidInput, "Sessions.DeleteExpired", "limit")
	}
	s.Holds(t, want)
}

func testSessionAuthenticate(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a := kit.NewTenant(t, s)
	kit.Returns(t, authdb.Authentication{Session: a.Session, User: a.User, Member: &a.Member, Team: &a.Team})(
		s.Sessions.Authenticate(ctx, a.Session.Token))
	kit.Exec(t, s.Store, `UPDATE team SET updated_at = NULL WHERE id = $1`, a.Team.ID)
	a.Team.UpdatedAt = nil
	kit.Returns(t, authdb.Authentication{Session: a.Session, User: a.User, Member: &a.Member, Team: &a.Team})(
		s.Sessions.Authenticate(ctx, a.Session.Token))
	plain := authdbtest.Session(t, s.Store, kit.SessionOf(s, a.User.ID, time.Millisecond))
	kit.Returns(t, authdb.Authentication{Session: plain, User: a.User})(s.Sessions.Authenticate(ctx, plain.Token))
	for range 2 {
		s.Now = s.Now.Add(time.Millisecond)
		kit.NotFound(t, map[string]error{"Sessions.Authenticate": kit.ErrOf(s.Sessions.Authenticate(ctx, plain.Token))})
	}
	if err := s.Sessions.DeleteByToken(ctx, a.Session.Token); err != nil {
		t.Fatal(err)
	}
	kit.NotFound(t, map[string]error{"Sessions.Authenticate": kit.ErrOf(s.Sessions.Authenticate(ctx, a.Session.Token))})
}

// testSessionAuthenticateOutside: the ids in a session open nothing by themselves.
func testSessionAuthenticateOutside(t *testing.T, s *kit.Fixture) {
	a, b := kit.NewTenant(t, s), kit.NewTenant(t, s)
	empty := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID)) // the user is not in it
	joined := authdbtest.Organization(t, s.Store)
	authdbtest.Member(t, s.Store, kit.MemberOf(joined.ID, a.User.ID))
	elsewhere := authdbtest.Team(t, s.Store, kit.TeamOf(joined.ID))
	authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(elsewhere, a.User.ID))
	for name, test := range map[string]struct {
		org, team *string
		member    *authdb.Member
	}{
		"no member":              {&b.Org.ID, &b.Team.ID, nil},
		"no such organization":   {new("none"), new("none"), nil},
		"not in the team":        {&a.Org.ID, &empty.ID, &a.Member},
		"no such team":           {&a.Org.ID, new("none"), &a.Member},
		"another's team":         {&a.Org.ID, &b.Team.ID, &a.Member},
		"team of another":        {&a.Org.ID, &elsewhere.ID, &a.Member},
		"team, no organization":  {nil, &a.Team.ID, nil},
		"organization, no team":  {&a.Org.ID, nil, &a.Member},
		"team of a left company": {&b.Org.ID, &a.Team.ID, nil},
	} {
		t.Run(name, func(t *testing.T) {
			session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
				kit.SessionOf(s, a.User.ID, time.Hour)(p)
				p.ActiveOrganizationID, p.ActiveTeamID = test.org, test.team
			})
			kit.Returns(t, authdb.Authentication{Session: session, User: a.User, Member: test.member})(
				s.Sessions.Authenticate(t.Context(), session.Token))
		})
	}
}

func testSessionRefresh(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user, day := authdbtest.User(t, s.Store), 24*time.Hour
	authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Hour))
	for name, test := range map[string]struct {
		made, left, lifetime, updateAge, want time.Duration // want is 0 where it is not prolonged
	}{
		"due":                        {7 * day, 6 * day, 0, 0, 7 * day},
		"not due":                    {7 * day, 6*day + time.Millisecond, 0, 0, 0},
		"new":                        {7 * day, 7 * day, 0, 0, 0},
		"at its end":                 {7 * day, time.Millisecond, 0, 0, 7 * day},
		"own rule, due":              {time.Hour, 50 * time.Minute, time.Hour, 10 * time.Minute, time.Hour},
		"own rule, not due":          {time.Hour, 50*time.Minute + time.Millisecond, time.Hour, 10 * time.Minute, 0},
		"longer than lifetime":       {30 * day, 30 * day, 0, 0, 0},
		"longer, due":                {30 * day, day, 0, 0, 7 * day},
		"always":                     {time.Hour, time.Hour, time.Hour, time.Nanosecond, 0},
		"without remember me":        {day, time.Hour, 0, 0, 0},
		"made for an hour":           {time.Hour, 30 * time.Minute, 0, 0, 0},
		"made for an hour, new":      {time.Hour, time.Hour, 0, 0, 0},
		"a second short":             {7*day - time.Second, day, 0, 0, 0},
		"short by less":              {7*day - 999*time.Millisecond, day, 0, 0, 7 * day},
		"short of an own lifetime":   {7 * day, day, 30 * day, 0, 0},
		"short of it, made for days": {2 * day, day, 2*day + time.Second, time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			session := authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, test.made))
			s.Now = s.Now.Add(test.made - test.left)
			want := kit.ReadTables(t, s.Store)
			p := authdb.RefreshSessionParams{Token: session.Token, Lifetime: test.lifetime, UpdateAge: test.updateAge}
			if test.want > 0 {
				session.ExpiresAt, session.UpdatedAt = s.Now.Add(test.want), s.Now
				want["session"][session.ID] = kit.AsRow(session)
			}
			kit.Returns(t, authdb.RefreshedSession{Session: session, Refreshed: test.want > 0})(s.Sessions.Refresh(ctx, p))
			kit.Returns(t, authdb.RefreshedSession{Session: session})(s.Sessions.Refresh(ctx, p)) // once
			s.Holds(t, want)
			if test.want > 0 { // and again when it is due again
				s.Now = session.ExpiresAt.Add(-time.Millisecond)
				session.ExpiresAt, session.UpdatedAt = s.Now.Add(test.want), s.Now
				kit.Returns(t, authdb.RefreshedSession{Session: session, Refreshed: true})(s.Sessions.Refresh(ctx, p))
			}
		})
	}
	for _, p := range []authdb.RefreshSessionParams{{Token: "x", Lifetime: -1}, {Token: "x", Lifetime: 101 * 365 * day}} {
		kit.Fails(t, kit.ErrOf(s.Sessions.Refresh(ctx, p)), authdb.ErrInvalidInput, "Sessions.Refresh", "lifetime")
	}
	kit.Fails(t, kit.ErrOf(s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: "x", UpdateAge: -1})), authdb.ErrInvalidInput,
		"Sessions.Refresh", "update_age")
}

func testSessionRefreshNone(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	ended := authdbtest.Session(t, s.Store)
	ended = kit.Must[authdb.Session](t)(s.Sessions.UpdateByToken(ctx, ended.Token, authdb.UpdateSessionParams{ExpiresAt: authdb.Set(s.Now)}))
	revoked := authdbtest.Session(t, s.Store)
	if err := s.Sessions.Delete(ctx, revoked.UserID, revoked.ID); err != nil {
		t.Fatal(err)
	}
	want := kit.ReadTables(t, s.Store)
	for _, token := range []string{string(ended.Token), string(revoked.Token)} {
		kit.NotFound(t, map[string]error{
			"Sessions.Refresh": kit.ErrOf(s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret(token)})),
		})
	}
	s.Holds(t, want)
}

func testSessionSetActiveOrganization(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a, b := kit.NewTenant(t, s), kit.NewTenant(t, s)
	authdbtest.Member(t, s.Store, kit.MemberOf(b.Org.ID, a.User.ID))
	authdbtest.Session(t, s.Store, kit.SessionOf(s, a.User.ID, time.Hour)) // the user's other session stays
	set := func(orgID string) (authdb.Session, error) {
		return s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: a.User.ID, Token: a.Session.Token, OrganizationID: orgID,
		})
	}
	kit.CheckUpdates(t, s, "session", a.Session, set, kit.Steps[string, authdb.Session]{
		{"again", a.Org.ID, func(*authdb.Session) {}}, // the team stays
		{"another", b.Org.ID, func(s *authdb.Session) { s.ActiveOrganizationID, s.ActiveTeamID = &b.Org.ID, nil }},
		{"back", a.Org.ID, func(s *authdb.Session) { s.ActiveOrganizationID = &a.Org.ID }},
	})
	// A team of the organization which the user has left does not stay.
	team := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID))
	kit.Exec(t, s.Store, `UPDATE session SET active_team_id = $1 WHERE id = $2`, team.ID, a.Session.ID)
	kit.CheckUpdates(t, s, "session", a.Session, set, kit.Steps[string, authdb.Session]{
		{"left team", a.Org.ID, func(s *authdb.Session) { s.ActiveTeamID = nil }},
		{"none", "", func(s *authdb.Session) { s.ActiveOrganizationID = nil }},
	})
}

func testSessionSetActiveTeam(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a := kit.NewTenant(t, s)
	other := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID))
	authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(other, a.User.ID))
	kit.CheckUpdates(t, s, "session", a.Session, func(teamID string) (authdb.Session, error) {
		return s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{UserID: a.User.ID, Token: a.Session.Token, TeamID: teamID})
	}, kit.Steps[string, authdb.Session]{
		{"other", other.ID, func(s *authdb.Session) { s.ActiveTeamID = &other.ID }},
		{"none", "", func(s *authdb.Session) { s.ActiveTeamID = nil }},
		{"first", a.Team.ID, func(s *authdb.Session) { s.ActiveTeamID = &a.Team.ID }},
	})
}

func testSessionSetActiveRefused(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a, b := kit.NewTenant(t, s), kit.NewTenant(t, s)
	empty := authdbtest.Team(t, s.Store, kit.TeamOf(a.Org.ID))
	bare := authdbtest.Session(t, s.Store, kit.SessionOf(s, a.User.ID, time.Millisecond)) // nothing is active there
	authdbtest.Member(t, s.Store, kit.MemberOf(b.Org.ID, a.User.ID))
	kit.Exec(t, s.Store, `INSERT INTO team_member (id, team_id, user_id) VALUES ('stray', $1, $2)`, b.Team.ID, b.CoOwner.UserID)
	kit.Exec(t, s.Store, `DELETE FROM member WHERE id = $1`, b.CoOwner.ID) // a team member who is no member
	stray := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
		kit.SessionOf(s, b.CoOwner.UserID, time.Hour)(p)
		p.ActiveOrganizationID = &b.Org.ID
	})
	want := kit.ReadTables(t, s.Store)
	org := func(userID, token, orgID string, kind error, field string) {
		t.Helper()
		_, err := s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{UserID: userID, Token: authdb.Secret(token), OrganizationID: orgID})
		kit.Fails(t, err, kind, "Sessions.SetActiveOrganization", field)
	}
	team := func(userID, token, teamID string, kind error, field string) {
		t.Helper()
		_, err := s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{UserID: userID, Token: authdb.Secret(token), TeamID: teamID})
		kit.Fails(t, err, kind, "Sessions.SetActiveTeam", field)
	}
	org(b.User.ID, string(b.Session.Token), a.Org.ID, authdb.ErrNotMember, "user_id")
	org(a.User.ID, string(a.Session.Token), "none", authdb.ErrNotMember, "user_id")
	team(a.User.ID, string(a.Session.Token), empty.ID, authdb.ErrNotMember, "user_id")
	team(a.User.ID, string(a.Session.Token), b.Team.ID, authdb.ErrNotMember, "user_id")
	team(a.User.ID, string(a.Session.Token), "none", authdb.ErrNotMember, "user_id")
	team(a.User.ID, string(bare.Token), a.Team.ID, authdb.ErrNotMember, "user_id")
	team(b.CoOwner.UserID, string(stray.Token), b.Team.ID, authdb.ErrNotMember, "user_id")
	for _, orgID := range []string{"", b.Org.ID} {
		org(b.User.ID, string(a.Session.Token), orgID, authdb.ErrNotFound, "") // another's session
		org(a.User.ID, "none", orgID, authdb.ErrNotFound, "")
	}
	for _, teamID := range []string{"", b.Team.ID} {
		team(b.User.ID, string(a.Session.Token), teamID, authdb.ErrNotFound, "")
		team(a.User.ID, "none", teamID, authdb.ErrNotFound, "")
	}
	s.Now = bare.ExpiresAt
	org(a.User.ID, string(bare.Token), a.Org.ID, authdb.ErrNotFound, "")
	org(a.User.ID, string(bare.Token), "", authdb.ErrNotFound, "")
	team(a.User.ID, string(bare.Token), a.Team.ID, authdb.ErrNotFound, "")
	team(a.User.ID, string(bare.Token), "", authdb.ErrNotFound, "")
	s.Holds(t, want)
}

func testSessionList(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Session(t, s.Store)
	sessions := rowsOf(func() authdb.Session {
		return authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Duration(s.IDs%5-2)*time.Hour))
	})
	kit.Returns(t, int64(54))(s.Sessions.Count(t.Context(), authdb.ListSessionsParams{UserID: user.ID}))
	checkList(t, s, "Sessions.List", "session", sessions, func(after authdb.Cursor, limit int) authdb.ListSessionsParams {
		return authdb.ListSessionsParams{UserID: user.ID, After: after, Limit: limit}
	}, s.Sessions.List, s.Sessions.All)
}

// TestManyTokens: twice the tokens cost twice, not four times.
func TestManyTokens(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	const n = 40_000
	kit.Exec(t, s.Store, `INSERT INTO session (id, expires_at, token, created_at, updated_at, user_id)
		SELECT 's' || i, now(), 'token' || i, now(), now(), $1 FROM generate_series(1, $2::integer) i`, authdbtest.User(t, s.Store).ID, n)
	tokens := make([]authdb.Secret, n)
	for i := range tokens {
		tokens[i] = authdb.Secret(fmt.Sprint("token", n-i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	for i, row := range kit.Must[[]authdb.SessionWithUser](t)(s.Sessions.ListByTokens(ctx, tokens)) {
		if row.Token != tokens[i] {
			t.Fatalf("at %d: %s", i, row.ID)
		}
	}
}

// TestImpersonationBesideAColumn: a column with the name of the table does not stand for the row.
func TestImpersonationBesideAColumn(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	kit.Exec(t, s.Store, `ALTER TABLE session ADD COLUMN impersonated_by text, ADD COLUMN session jsonb, ADD COLUMN s jsonb`)
	row := authdbtest.Session(t, s.Store)
	kit.Exec(t, s.Store, `UPDATE session SET impersonated_by = 'admin', session = '{}', s = '{}'`)
	s.Now = s.Now.Add(48 * time.Hour)
	if got, err := s.Sessions.Refresh(t.Context(), authdb.RefreshSessionParams{Token: row.Token}); err != nil || got.Refreshed {
		t.Errorf("prolonged: %v, %v", got.Refreshed, err)
	}
}
