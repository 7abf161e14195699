package authdb_test

import (
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testSessionCreate},
		{"CreateReference", testSessionReference},
		{"CreateConflict", testSessionConflict},
		{"Get", testSessionGet},
		{"ListByTokens", testSessionListByTokens},
		{"NotFound", testSessionNotFound},
		{"Live", testSessionLive},
		{"Update", testSessionUpdate},
		{"Delete", testSessionDelete},
		{"DeleteMany", testSessionDeleteMany},
		{"List", testSessionList},
	})
}

// sessionOf edits the factory's session; lifetime counts from the fixture's clock.
func sessionOf(s *fixture, userID string, lifetime time.Duration) func(*authdb.CreateSessionParams) {
	return func(p *authdb.CreateSessionParams) { p.UserID, p.ExpiresAt = userID, s.now.Add(lifetime) }
}

func testSessionCreate(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	least := authdb.Session{
		ID: s.id(1), ExpiresAt: s.now.Add(7 * 24 * time.Hour), Token: s.token(1), CreatedAt: s.now, UpdatedAt: s.now,
		IPAddress: new(""), UserAgent: new(""), UserID: user.ID,
	}
	returns(t, least)(s.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: user.ID}))
	full := authdb.Session{
		ID: s.id(1), ExpiresAt: s.now.Add(time.Hour), Token: s.token(1), CreatedAt: s.now, UpdatedAt: s.now,
		IPAddress: new("2001:db8::1"), UserAgent: new("curl"), UserID: user.ID,
		ActiveOrganizationID: new("gone"), ActiveTeamID: new("gone too"),
	}
	returns(t, full)(s.Sessions.Create(t.Context(), authdb.CreateSessionParams{
		UserID: user.ID, ExpiresAt: full.ExpiresAt.Add(999 * time.Microsecond), IPAddress: "2001:db8::1", UserAgent: "curl",
		ActiveOrganizationID: new("gone"), ActiveTeamID: new("gone too"),
	}))
	want["session"][least.ID], want["session"][full.ID] = asRow(least), asRow(full)
	s.holds(t, want)
}

func testSessionReference(t *testing.T, s *fixture) {
	want := readTables(t, s.Store)
	_, err := s.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: "none"})
	fails(t, err, authdb.ErrReference, "Sessions.Create", "user_id")
	s.holds(t, want)
}

func testSessionConflict(t *testing.T, s *fixture) {
	session := authdbtest.Session(t, s.Store)
	want := readTables(t, s.Store)
	same := authdb.New(s.Pool(), authdb.WithTokens(func() string { return session.Token }))
	_, err := same.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: session.UserID})
	fails(t, err, authdb.ErrConflict, "Sessions.Create", "token")
	s.holds(t, want)
}

func testSessionGet(t *testing.T, s *fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
		session := authdbtest.Session(t, s.Store, sessionOf(s, user.ID, lifetime))
		returns(t, session)(s.Sessions.Get(ctx, user.ID, session.ID))
		returns(t, authdb.SessionWithUser{Session: session, User: user})(s.Sessions.GetByToken(ctx, session.Token))
	}
}

func testSessionListByTokens(t *testing.T, s *fixture) {
	ctx := t.Context()
	var joined []authdb.SessionWithUser
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour, time.Minute, time.Second} {
		user := authdbtest.User(t, s.Store)
		joined = append(joined, authdb.SessionWithUser{
			Session: authdbtest.Session(t, s.Store, sessionOf(s, user.ID, lifetime)), User: user,
		})
	}
	a, b, c := joined[0], joined[1], joined[2]
	for _, test := range []struct {
		tokens []string
		want   []authdb.SessionWithUser
	}{
		{[]string{c.Token, a.Token, b.Token}, []authdb.SessionWithUser{c, a, b}},
		{[]string{b.Token, "unknown", a.Token}, []authdb.SessionWithUser{b, a}},
		{[]string{a.Token, c.Token, a.Token}, []authdb.SessionWithUser{a, c}},
		{[]string{"unknown"}, []authdb.SessionWithUser{}},
		{[]string{}, []authdb.SessionWithUser{}},
		{nil, []authdb.SessionWithUser{}},
	} {
		returns(t, test.want)(s.Sessions.ListByTokens(ctx, test.tokens))
	}
}

func testSessionNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	session, other := authdbtest.Session(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for userID, id := range map[string]string{session.UserID: "none", other.ID: session.ID} {
		notFound(t, map[string]error{
			"Sessions.Get":    errOf(s.Sessions.Get(ctx, userID, id)),
			"Sessions.Delete": s.Sessions.Delete(ctx, userID, id),
		})
	}
	notFound(t, map[string]error{
		"Sessions.GetByToken":    errOf(s.Sessions.GetByToken(ctx, "none")),
		"Sessions.UpdateByToken": errOf(s.Sessions.UpdateByToken(ctx, "none", authdb.UpdateSessionParams{})),
		"Sessions.DeleteByToken": s.Sessions.DeleteByToken(ctx, "none"),
	})
	s.holds(t, want)
}

func testSessionLive(t *testing.T, s *fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	live := []authdb.Session{}
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour, 0, time.Millisecond, -time.Millisecond} {
		session := authdbtest.Session(t, s.Store, sessionOf(s, user.ID, lifetime))
		if lifetime > 0 {
			live = append(live, session)
		}
	}
	p := authdb.ListSessionsParams{UserID: user.ID, Live: true}
	for _, p.Limit = range []int{1, 2, 0} {
		returns(t, live)(collect(s.Sessions.All(ctx, p), 10))
	}
	page := must[authdb.Page[authdb.Session]](t)(s.Sessions.List(ctx, p))
	returns(t, live)(page.Items, nil)
	returns(t, int64(2))(s.Sessions.Count(ctx, authdb.CountSessionsParams{UserID: user.ID, Live: true}))
	returns(t, int64(5))(s.Sessions.Count(ctx, authdb.CountSessionsParams{UserID: user.ID}))
	s.now = s.now.Add(time.Millisecond)
	returns(t, live[:1])(collect(s.Sessions.All(ctx, p), 10))
	returns(t, int64(1))(s.Sessions.Count(ctx, authdb.CountSessionsParams{UserID: user.ID, Live: true}))
}

func testSessionUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateSessionParams
	authdbtest.Session(t, s.Store)
	session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
		p.IPAddress, p.UserAgent, p.ActiveOrganizationID, p.ActiveTeamID = "::1", "curl", new("org"), new("team")
	})
	later, past := s.now.Add(time.Hour), s.now.Add(-time.Hour)
	checkUpdates(t, s, "session", session,
		func(p params) (authdb.Session, error) { return s.Sessions.UpdateByToken(t.Context(), session.Token, p) },
		[]step[params, authdb.Session]{
			{"nothing", params{}, func(*authdb.Session) {}},
			{"end", params{ExpiresAt: &past}, func(s *authdb.Session) { s.ExpiresAt = past }},
			{"revive", params{ExpiresAt: new(later.Add(time.Microsecond))}, func(s *authdb.Session) { s.ExpiresAt = later }},
			{"address", params{IPAddress: authdb.Set("::2")}, func(s *authdb.Session) { s.IPAddress = new("::2") }},
			{"no address", params{IPAddress: authdb.SetNull[string]()}, func(s *authdb.Session) { s.IPAddress = nil }},
			{"agent", params{UserAgent: authdb.Set("")}, func(s *authdb.Session) { s.UserAgent = new("") }},
			{"no agent", params{UserAgent: authdb.SetNull[string]()}, func(s *authdb.Session) { s.UserAgent = nil }},
		})
}

func testSessionDelete(t *testing.T, s *fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	remove := map[string]func(authdb.Session) error{
		"Sessions.Delete":        func(row authdb.Session) error { return s.Sessions.Delete(ctx, row.UserID, row.ID) },
		"Sessions.DeleteByToken": func(row authdb.Session) error { return s.Sessions.DeleteByToken(ctx, row.Token) },
	}
	for op, remove := range remove {
		want := readTables(t, s.Store)
		session := authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Hour))
		s.deletes(t, want, op, func() error { return remove(session) })
	}
}

func testSessionDeleteMany(t *testing.T, s *fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	authdbtest.Session(t, s.Store)
	want := readTables(t, s.Store)
	var tokens []string
	for range 4 {
		tokens = append(tokens, authdbtest.Session(t, s.Store, sessionOf(s, user.ID, -time.Hour)).Token)
	}
	returns(t, int64(0))(s.Sessions.DeleteByTokens(ctx, nil))
	returns(t, int64(2))(s.Sessions.DeleteByTokens(ctx, []string{tokens[1], "unknown", tokens[3], tokens[1]}))
	returns(t, int64(2))(s.Sessions.Count(ctx, authdb.CountSessionsParams{UserID: user.ID}))
	returns(t, int64(1))(s.Sessions.DeleteByTokens(ctx, tokens[1:3]))
	returns(t, int64(1))(s.Sessions.DeleteByUser(ctx, user.ID))
	returns(t, int64(0))(s.Sessions.DeleteByUser(ctx, user.ID))
	s.holds(t, want)
}

func testSessionList(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Session(t, s.Store)
	sessions := rowsOf(func() authdb.Session {
		return authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Duration(s.ids%5-2)*time.Hour))
	})
	returns(t, int64(54))(s.Sessions.Count(t.Context(), authdb.CountSessionsParams{UserID: user.ID}))
	checkList(t, s, "Sessions.List", "session", sessions, func(after authdb.Cursor, limit int) authdb.ListSessionsParams {
		return authdb.ListSessionsParams{UserID: user.ID, After: after, Limit: limit}
	}, s.Sessions.List, s.Sessions.All)
}
