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
)

func TestSessions(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
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

// sessionOf edits the factory's session; lifetime counts from the fixture's clock.
func sessionOf(s *fixture, userID string, lifetime time.Duration) func(*authdb.CreateSessionParams) {
	return func(p *authdb.CreateSessionParams) { p.UserID, p.ExpiresAt = userID, s.now.Add(lifetime) }
}

// testSessionWithoutPlugin: where users cannot be banned, a sign-in waits for nobody who changes one.
func testSessionWithoutPlugin(t *testing.T, s *fixture) {
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

func testSessionCreate(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	least := authdb.Session{
		ID: s.id(1), ExpiresAt: s.now.Add(7 * 24 * time.Hour), Token: authdb.Secret(s.token(1)), CreatedAt: s.now, UpdatedAt: s.now,
		IPAddress: new(""), UserAgent: new(""), UserID: user.ID,
	}
	returns(t, least)(s.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: user.ID}))
	full := authdb.Session{
		ID: s.id(1), ExpiresAt: s.now.Add(time.Hour), Token: authdb.Secret(s.token(1)), CreatedAt: s.now, UpdatedAt: s.now,
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
	same := authdb.New(s.Pool(), authdb.WithTokens(func() string { return string(session.Token) }))
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
		returns(t, session)(s.Sessions.GetByToken(ctx, session.Token))
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
		returns(t, test.want)(s.Sessions.ListByTokens(ctx, test.tokens))
		want := []authdb.Authentication{}
		for _, row := range test.want {
			if row.ExpiresAt.After(s.now) {
				want = append(want, authdb.Authentication{Session: row.Session, User: row.User})
			}
		}
		returns(t, want)(s.Sessions.AuthenticateMany(ctx, test.tokens))
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
		"Sessions.Authenticate":  errOf(s.Sessions.Authenticate(ctx, "none")),
		"Sessions.Refresh":       errOf(s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: "none"})),
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
	returns(t, int64(2))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID, Live: true}))
	returns(t, int64(5))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID}))
	s.now = s.now.Add(time.Millisecond)
	returns(t, live[:1])(collect(s.Sessions.All(ctx, p), 10))
	returns(t, int64(1))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID, Live: true}))
}

func testSessionUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateSessionParams
	authdbtest.Session(t, s.Store)
	session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
		p.IPAddress, p.UserAgent, p.ActiveOrganizationID, p.ActiveTeamID = "::1", "curl", new("org"), new("team")
	})
	later, past := s.now.Add(time.Hour), s.now.Add(-time.Hour)
	checkUpdates(t, s, "session", session,
		func(p params) (authdb.Session, error) {
			return s.Sessions.UpdateByToken(t.Context(), session.Token, p)
		},
		[]step[params, authdb.Session]{
			{"nothing", params{}, func(*authdb.Session) {}},
			{"end", params{ExpiresAt: authdb.Set(past)}, func(s *authdb.Session) { s.ExpiresAt = past }},
			{"revive", params{ExpiresAt: authdb.Set(later.Add(time.Microsecond))}, func(s *authdb.Session) { s.ExpiresAt = later }},
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
	var tokens []authdb.Secret
	var sessions []authdb.Session
	for i := range 5 {
		sessions = append(sessions, authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Duration(i-2)*time.Hour)))
		tokens = append(tokens, sessions[i].Token)
	}
	returns(t, int64(0))(s.Sessions.DeleteByTokens(ctx, nil))
	returns(t, int64(2))(s.Sessions.DeleteByTokens(ctx, []authdb.Secret{tokens[1], "unknown", tokens[3], tokens[1]}))
	returns(t, int64(3))(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user.ID}))
	returns(t, int64(1))(s.Sessions.DeleteByTokens(ctx, tokens[1:3]))
	returns(t, []authdb.Session{sessions[0], sessions[4]})(sorted(s.Sessions.DeleteByUser(ctx, user.ID)))
	returns(t, []authdb.Session{})(s.Sessions.DeleteByUser(ctx, user.ID))
	s.holds(t, want)
}

func testSessionDeleteOthers(t *testing.T, s *fixture) {
	ctx := t.Context()
	user, other := authdbtest.User(t, s.Store), authdbtest.Session(t, s.Store)
	kept := authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Hour))
	want := readTables(t, s.Store)
	gone := []authdb.Session{
		authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Hour)), authdbtest.Session(t, s.Store, sessionOf(s, user.ID, -time.Hour)),
	}
	returns(t, gone)(sorted(s.Sessions.DeleteOthers(ctx, user.ID, kept.ID)))
	returns(t, []authdb.Session{})(s.Sessions.DeleteOthers(ctx, user.ID, kept.ID))
	s.holds(t, want)
	delete(want["session"], kept.ID)
	returns(t, []authdb.Session{kept})(s.Sessions.DeleteOthers(ctx, user.ID, other.ID))
	s.holds(t, want)
}

func testSessionDeleteExpired(t *testing.T, s *fixture) {
	ctx := t.Context()
	exec(t, s.Store, `DELETE FROM session WHERE expires_at <= $1`, s.now)
	user := authdbtest.User(t, s.Store)
	authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Millisecond))
	want := readTables(t, s.Store)
	var last authdb.Session
	for _, lifetime := range []time.Duration{0, -time.Hour, -time.Millisecond} {
		session := authdbtest.Session(t, s.Store, sessionOf(s, user.ID, lifetime))
		if lifetime == 0 {
			last = session
		}
	}
	returns(t, int64(2))(s.Sessions.DeleteExpired(ctx, 2)) // the oldest first
	returns(t, last)(s.Sessions.Get(ctx, user.ID, last.ID))
	returns(t, int64(1))(s.Sessions.DeleteExpired(ctx, 10_000))
	returns(t, int64(0))(s.Sessions.DeleteExpired(ctx, 1))
	for _, limit := range []int{-1, 0, 10_001} {
		fails(t, errOf(s.Sessions.DeleteExpired(ctx, limit)), authdb.ErrInvalidInput, "Sessions.DeleteExpired", "limit")
	}
	s.holds(t, want)
}

func testSessionAuthenticate(t *testing.T, s *fixture) {
	ctx := t.Context()
	a := newTenant(t, s)
	returns(t, authdb.Authentication{Session: a.session, User: a.user, Member: &a.member, Team: &a.team})(
		s.Sessions.Authenticate(ctx, a.session.Token))
	exec(t, s.Store, `UPDATE team SET updated_at = NULL WHERE id = $1`, a.team.ID)
	a.team.UpdatedAt = nil
	returns(t, authdb.Authentication{Session: a.session, User: a.user, Member: &a.member, Team: &a.team})(
		s.Sessions.Authenticate(ctx, a.session.Token))
	plain := authdbtest.Session(t, s.Store, sessionOf(s, a.user.ID, time.Millisecond))
	returns(t, authdb.Authentication{Session: plain, User: a.user})(s.Sessions.Authenticate(ctx, plain.Token))
	for range 2 {
		s.now = s.now.Add(time.Millisecond)
		notFound(t, map[string]error{"Sessions.Authenticate": errOf(s.Sessions.Authenticate(ctx, plain.Token))})
	}
	if err := s.Sessions.DeleteByToken(ctx, a.session.Token); err != nil {
		t.Fatal(err)
	}
	notFound(t, map[string]error{"Sessions.Authenticate": errOf(s.Sessions.Authenticate(ctx, a.session.Token))})
}

// testSessionAuthenticateOutside: the ids in a session open nothing by themselves.
func testSessionAuthenticateOutside(t *testing.T, s *fixture) {
	a, b := newTenant(t, s), newTenant(t, s)
	empty := authdbtest.Team(t, s.Store, teamOf(a.org.ID)) // the user is not in it
	joined := authdbtest.Organization(t, s.Store)
	authdbtest.Member(t, s.Store, memberOf(joined.ID, a.user.ID))
	elsewhere := authdbtest.Team(t, s.Store, teamOf(joined.ID))
	authdbtest.TeamMember(t, s.Store, teamMemberOf(elsewhere, a.user.ID))
	for name, test := range map[string]struct {
		org, team *string
		member    *authdb.Member
	}{
		"no member":              {&b.org.ID, &b.team.ID, nil},
		"no such organization":   {new("none"), new("none"), nil},
		"not in the team":        {&a.org.ID, &empty.ID, &a.member},
		"no such team":           {&a.org.ID, new("none"), &a.member},
		"another's team":         {&a.org.ID, &b.team.ID, &a.member},
		"team of another":        {&a.org.ID, &elsewhere.ID, &a.member},
		"team, no organization":  {nil, &a.team.ID, nil},
		"organization, no team":  {&a.org.ID, nil, &a.member},
		"team of a left company": {&b.org.ID, &a.team.ID, nil},
	} {
		t.Run(name, func(t *testing.T) {
			session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
				sessionOf(s, a.user.ID, time.Hour)(p)
				p.ActiveOrganizationID, p.ActiveTeamID = test.org, test.team
			})
			returns(t, authdb.Authentication{Session: session, User: a.user, Member: test.member})(
				s.Sessions.Authenticate(t.Context(), session.Token))
		})
	}
}

func testSessionRefresh(t *testing.T, s *fixture) {
	ctx := t.Context()
	user, day := authdbtest.User(t, s.Store), 24*time.Hour
	authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Hour))
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
			session := authdbtest.Session(t, s.Store, sessionOf(s, user.ID, test.made))
			s.now = s.now.Add(test.made - test.left)
			want := readTables(t, s.Store)
			p := authdb.RefreshSessionParams{Token: session.Token, Lifetime: test.lifetime, UpdateAge: test.updateAge}
			if test.want > 0 {
				session.ExpiresAt, session.UpdatedAt = s.now.Add(test.want), s.now
				want["session"][session.ID] = asRow(session)
			}
			returns(t, authdb.RefreshedSession{Session: session, Refreshed: test.want > 0})(s.Sessions.Refresh(ctx, p))
			returns(t, authdb.RefreshedSession{Session: session})(s.Sessions.Refresh(ctx, p)) // once
			s.holds(t, want)
			if test.want > 0 { // and again when it is due again
				s.now = session.ExpiresAt.Add(-time.Millisecond)
				session.ExpiresAt, session.UpdatedAt = s.now.Add(test.want), s.now
				returns(t, authdb.RefreshedSession{Session: session, Refreshed: true})(s.Sessions.Refresh(ctx, p))
			}
		})
	}
	for _, p := range []authdb.RefreshSessionParams{{Token: "x", Lifetime: -1}, {Token: "x", Lifetime: 101 * 365 * day}} {
		fails(t, errOf(s.Sessions.Refresh(ctx, p)), authdb.ErrInvalidInput, "Sessions.Refresh", "lifetime")
	}
	fails(t, errOf(s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: "x", UpdateAge: -1})), authdb.ErrInvalidInput,
		"Sessions.Refresh", "update_age")
}

func testSessionRefreshNone(t *testing.T, s *fixture) {
	ctx := t.Context()
	ended := authdbtest.Session(t, s.Store)
	ended = must[authdb.Session](t)(s.Sessions.UpdateByToken(ctx, ended.Token, authdb.UpdateSessionParams{ExpiresAt: authdb.Set(s.now)}))
	revoked := authdbtest.Session(t, s.Store)
	if err := s.Sessions.Delete(ctx, revoked.UserID, revoked.ID); err != nil {
		t.Fatal(err)
	}
	want := readTables(t, s.Store)
	for _, token := range []string{string(ended.Token), string(revoked.Token)} {
		notFound(t, map[string]error{
			"Sessions.Refresh": errOf(s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret(token)})),
		})
	}
	s.holds(t, want)
}

func testSessionSetActiveOrganization(t *testing.T, s *fixture) {
	ctx := t.Context()
	a, b := newTenant(t, s), newTenant(t, s)
	authdbtest.Member(t, s.Store, memberOf(b.org.ID, a.user.ID))
	authdbtest.Session(t, s.Store, sessionOf(s, a.user.ID, time.Hour)) // the user's other session stays
	set := func(orgID string) (authdb.Session, error) {
		return s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: a.user.ID, Token: a.session.Token, OrganizationID: orgID,
		})
	}
	checkUpdates(t, s, "session", a.session, set, []step[string, authdb.Session]{
		{"again", a.org.ID, func(*authdb.Session) {}}, // the team stays
		{"another", b.org.ID, func(s *authdb.Session) { s.ActiveOrganizationID, s.ActiveTeamID = &b.org.ID, nil }},
		{"back", a.org.ID, func(s *authdb.Session) { s.ActiveOrganizationID = &a.org.ID }},
	})
	// A team of the organization which the user has left does not stay.
	team := authdbtest.Team(t, s.Store, teamOf(a.org.ID))
	exec(t, s.Store, `UPDATE session SET active_team_id = $1 WHERE id = $2`, team.ID, a.session.ID)
	checkUpdates(t, s, "session", a.session, set, []step[string, authdb.Session]{
		{"left team", a.org.ID, func(s *authdb.Session) { s.ActiveTeamID = nil }},
		{"none", "", func(s *authdb.Session) { s.ActiveOrganizationID = nil }},
	})
}

func testSessionSetActiveTeam(t *testing.T, s *fixture) {
	ctx := t.Context()
	a := newTenant(t, s)
	other := authdbtest.Team(t, s.Store, teamOf(a.org.ID))
	authdbtest.TeamMember(t, s.Store, teamMemberOf(other, a.user.ID))
	checkUpdates(t, s, "session", a.session, func(teamID string) (authdb.Session, error) {
		return s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{UserID: a.user.ID, Token: a.session.Token, TeamID: teamID})
	}, []step[string, authdb.Session]{
		{"other", other.ID, func(s *authdb.Session) { s.ActiveTeamID = &other.ID }},
		{"none", "", func(s *authdb.Session) { s.ActiveTeamID = nil }},
		{"first", a.team.ID, func(s *authdb.Session) { s.ActiveTeamID = &a.team.ID }},
	})
}

func testSessionSetActiveRefused(t *testing.T, s *fixture) {
	ctx := t.Context()
	a, b := newTenant(t, s), newTenant(t, s)
	empty := authdbtest.Team(t, s.Store, teamOf(a.org.ID))
	bare := authdbtest.Session(t, s.Store, sessionOf(s, a.user.ID, time.Millisecond)) // nothing is active there
	authdbtest.Member(t, s.Store, memberOf(b.org.ID, a.user.ID))
	exec(t, s.Store, `INSERT INTO team_member (id, team_id, user_id) VALUES ('stray', $1, $2)`, b.team.ID, b.coOwner.UserID)
	exec(t, s.Store, `DELETE FROM member WHERE id = $1`, b.coOwner.ID) // a team member who is no member
	stray := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
		sessionOf(s, b.coOwner.UserID, time.Hour)(p)
		p.ActiveOrganizationID = &b.org.ID
	})
	want := readTables(t, s.Store)
	org := func(userID, token, orgID string, kind error, field string) {
		t.Helper()
		_, err := s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{UserID: userID, Token: authdb.Secret(token), OrganizationID: orgID})
		fails(t, err, kind, "Sessions.SetActiveOrganization", field)
	}
	team := func(userID, token, teamID string, kind error, field string) {
		t.Helper()
		_, err := s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{UserID: userID, Token: authdb.Secret(token), TeamID: teamID})
		fails(t, err, kind, "Sessions.SetActiveTeam", field)
	}
	org(b.user.ID, string(b.session.Token), a.org.ID, authdb.ErrNotMember, "user_id")
	org(a.user.ID, string(a.session.Token), "none", authdb.ErrNotMember, "user_id")
	team(a.user.ID, string(a.session.Token), empty.ID, authdb.ErrNotMember, "user_id")
	team(a.user.ID, string(a.session.Token), b.team.ID, authdb.ErrNotMember, "user_id")
	team(a.user.ID, string(a.session.Token), "none", authdb.ErrNotMember, "user_id")
	team(a.user.ID, string(bare.Token), a.team.ID, authdb.ErrNotMember, "user_id")
	team(b.coOwner.UserID, string(stray.Token), b.team.ID, authdb.ErrNotMember, "user_id")
	for _, orgID := range []string{"", b.org.ID} {
		org(b.user.ID, string(a.session.Token), orgID, authdb.ErrNotFound, "") // another's session
		org(a.user.ID, "none", orgID, authdb.ErrNotFound, "")
	}
	for _, teamID := range []string{"", b.team.ID} {
		team(b.user.ID, string(a.session.Token), teamID, authdb.ErrNotFound, "")
		team(a.user.ID, "none", teamID, authdb.ErrNotFound, "")
	}
	s.now = bare.ExpiresAt
	org(a.user.ID, string(bare.Token), a.org.ID, authdb.ErrNotFound, "")
	org(a.user.ID, string(bare.Token), "", authdb.ErrNotFound, "")
	team(a.user.ID, string(bare.Token), a.team.ID, authdb.ErrNotFound, "")
	team(a.user.ID, string(bare.Token), "", authdb.ErrNotFound, "")
	s.holds(t, want)
}

func testSessionList(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Session(t, s.Store)
	sessions := rowsOf(func() authdb.Session {
		return authdbtest.Session(t, s.Store, sessionOf(s, user.ID, time.Duration(s.ids%5-2)*time.Hour))
	})
	returns(t, int64(54))(s.Sessions.Count(t.Context(), authdb.ListSessionsParams{UserID: user.ID}))
	checkList(t, s, "Sessions.List", "session", sessions, func(after authdb.Cursor, limit int) authdb.ListSessionsParams {
		return authdb.ListSessionsParams{UserID: user.ID, After: after, Limit: limit}
	}, s.Sessions.List, s.Sessions.All)
}

// TestManyTokens: twice the tokens cost twice, not four times.
func TestManyTokens(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	const n = 40_000
	exec(t, s.Store, `INSERT INTO session (id, expires_at, token, created_at, updated_at, user_id)
		SELECT 's' || i, now(), 'token' || i, now(), now(), $1 FROM generate_series(1, $2::integer) i`, authdbtest.User(t, s.Store).ID, n)
	tokens := make([]authdb.Secret, n)
	for i := range tokens {
		tokens[i] = authdb.Secret(fmt.Sprint("token", n-i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	for i, row := range must[[]authdb.SessionWithUser](t)(s.Sessions.ListByTokens(ctx, tokens)) {
		if row.Token != tokens[i] {
			t.Fatalf("at %d: %s", i, row.ID)
		}
	}
}

// TestImpersonationBesideAColumn: a column with the name of the table does not stand for the row.
func TestImpersonationBesideAColumn(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	exec(t, s.Store, `ALTER TABLE session ADD COLUMN impersonated_by text, ADD COLUMN session jsonb, ADD COLUMN s jsonb`)
	row := authdbtest.Session(t, s.Store)
	exec(t, s.Store, `UPDATE session SET impersonated_by = 'admin', session = '{}', s = '{}'`)
	s.now = s.now.Add(48 * time.Hour)
	if got, err := s.Sessions.Refresh(t.Context(), authdb.RefreshSessionParams{Token: row.Token}); err != nil || got.Refreshed {
		t.Errorf("prolonged: %v, %v", got.Refreshed, err)
	}
}
