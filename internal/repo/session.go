package repo

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/admindb"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/secret"
)

func (r *Repo) CreateSession(
	ctx context.Context, name string, p dbgen.CreateSessionParams,
) (row dbgen.Session, err error) {
	name = about(ctx, name, p)
	p.ID, p.Token, p.Now, p.ExpiresAt = r.idOr(p.ID), r.sources.Token(), r.Now(), utc(p.ExpiresAt)
	done, err := r.signIn(ctx, name, Key{"session", p.ID}, []string{p.UserID}, createSession(p, &row))
	if done != "" {
		return Read(ctx, r, name, (*queries).GetSession, dbgen.GetSessionParams{ID: done, UserID: p.UserID})
	}
	return row, err
}

// createSession makes a session.
func createSession(p dbgen.CreateSessionParams, row *dbgen.Session) Step {
	return judge((*queries).CreateSession, p, new(dbgen.CreateSessionRow), func(made dbgen.CreateSessionRow) string {
		*row = madeSession(dbgen.SignInByPasswordRow(made))
		return made.Outcome
	})
}

// madeSession is the session of a row; the zero value if none was made.
func madeSession(made dbgen.SignInByPasswordRow) dbgen.Session {
	if made.ID == nil {
		return dbgen.Session{}
	}
	return dbgen.Session{
		ID: *made.ID, ExpiresAt: *made.ExpiresAt, Token: secret.Text(*made.Token), CreatedAt: *made.CreatedAt,
		UpdatedAt: *made.UpdatedAt, IPAddress: made.IPAddress, UserAgent: made.UserAgent, UserID: *made.UserID,
		ActiveOrganizationID: made.ActiveOrganizationID, ActiveTeamID: made.ActiveTeamID,
	}
}

// signIn makes sessions. If bans are over, it first lifts them.
func (r *Repo) signIn(ctx context.Context, name string, made Key, userIDs []string, steps ...Step) (string, error) {
	done, err := r.write(ctx, name, made, steps...)
	if errors.Is(err, ErrBanOver) {
		lift := lock((*queries).LiftBans, admindb.LiftBansParams{Ids: userIDs, Now: r.Now()})
		return r.write(ctx, name, made, append([]Step{lift}, steps...)...)
	}
	return done, err
}

// ErrBanOver is the refusal of a user whose ban has expired but is not lifted yet.
const ErrBanOver RefusalError = "ban over"

// CreateSessions makes all rows or none, and returns them in order.
func (r *Repo) CreateSessions(ctx context.Context, name string, rows []dbgen.Session) ([]dbgen.Session, error) {
	name = about(ctx, name, rows)
	p := dbgen.CreateSessionsParams{Now: r.Now()}
	for i := range rows {
		s := &rows[i]
		s.ID, s.Token, s.ExpiresAt = r.idOr(s.ID), secret.Text(r.sources.Token()), utc(s.ExpiresAt)
		s.CreatedAt, s.UpdatedAt = p.Now, p.Now
		p.Ids, p.Tokens, p.Expiries = append(p.Ids, s.ID), append(p.Tokens, string(s.Token)), append(p.Expiries, s.ExpiresAt)
		p.IPAddresses, p.UserAgents = append(p.IPAddresses, s.IPAddress), append(p.UserAgents, s.UserAgent)
		p.UserIds, p.ActiveTeamIds = append(p.UserIds, s.UserID), append(p.ActiveTeamIds, s.ActiveTeamID)
		p.ActiveOrganizationIds = append(p.ActiveOrganizationIds, s.ActiveOrganizationID)
	}
	create := judge((*queries).CreateSessions, p, new(dbgen.CreateSessionsRow),
		func(made dbgen.CreateSessionsRow) string { return made.Outcome })
	done, err := r.signIn(ctx, name, last("session", p.Ids), p.UserIds, create)
	return rows, short(unanswered(done, err))
}

// Authenticate returns a live session, its user, and the membership and team that are active in it.
func (r *Repo) Authenticate(ctx context.Context, name, token string) (dbgen.AuthenticateSessionRow, error) {
	return r.authentications.lookup(ctx, token, func() (dbgen.AuthenticateSessionRow, error) {
		return Read(ctx, r, name, (*queries).AuthenticateSession, dbgen.AuthenticateSessionParams{Token: token, Now: r.Now()})
	}, func(tokens []string) ([]dbgen.AuthenticateSessionRow, error) {
		return r.AuthenticateAll(ctx, name, tokens)
	}, func(row *dbgen.AuthenticateSessionRow) string { return string(row.Session.Token) })
}

// AuthenticateAll is Authenticate for each token of a list, in order, without those that are not live.
func (r *Repo) AuthenticateAll(
	ctx context.Context, name string, tokens []string,
) ([]dbgen.AuthenticateSessionRow, error) {
	rows, err := Read(ctx, r, name, (*queries).AuthenticateSessions,
		dbgen.AuthenticateSessionsParams{Tokens: tokens, Now: r.Now()})
	same := make([]dbgen.AuthenticateSessionRow, len(rows))
	for i, row := range rows {
		same[i] = dbgen.AuthenticateSessionRow(row)
	}
	return same, err
}

// Plugins are the server's; see the root's type of that name.
type Plugins struct{ Admin, RefuseBanned, DynamicRoles, APIKeys bool }

// Authenticate reports whether one of them matters to who is signed in.
func (p Plugins) Authenticate() bool { return p.Admin || p.RefuseBanned || p.DynamicRoles }

// Authenticated is what Authenticate returns, with what the plugins say.
type Authenticated = dbgen.AuthenticatePlatformsRolesRow

// AuthenticateWithPlugins is Authenticate with what the plugins say.
func (r *Repo) AuthenticateWithPlugins(ctx context.Context, name, token string) (row Authenticated, err error) {
	joint := func(tokens []string) ([]Authenticated, error) { return r.AuthenticateAllWithPlugins(ctx, name, tokens) }
	row, err = r.plugged.lookup(ctx, token, func() (row Authenticated, err error) {
		if r.Plugins.Admin {
			return r.authenticatePlatform(ctx, name, token)
		}
		rows, err := joint([]string{token})
		if err == nil && len(rows) == 0 {
			err = pgx.ErrNoRows
		}
		if err != nil {
			return row, err
		}
		return rows[0], nil
	}, joint, func(row *Authenticated) string { return string(row.Session.Token) })
	if err == nil && row.Banned && r.Plugins.RefuseBanned {
		return Authenticated{}, RefusalError("banned")
	}
	return row, err
}

// authenticatePlatform names the plugin's columns, which costs half as much as finding out whether they exist.
func (r *Repo) authenticatePlatform(ctx context.Context, name, token string) (row Authenticated, err error) {
	var found admindb.AuthenticatePlatformRolesRow
	if r.Plugins.DynamicRoles {
		found, err = Read(ctx, r, name, (*queries).AuthenticatePlatformRoles,
			admindb.AuthenticatePlatformRolesParams{Token: token, Now: r.Now()})
	} else {
		var one admindb.AuthenticatePlatformRow
		one, err = Read(ctx, r, name, (*queries).AuthenticatePlatform,
			admindb.AuthenticatePlatformParams{Token: token, Now: r.Now()})
		found = admindb.AuthenticatePlatformRolesRow(one)
	}
	if err != nil {
		return row, err
	}
	s, u := &found.Session, &found.User
	row = Authenticated{
		Session: dbgen.Session{
			ID: s.ID, ExpiresAt: s.ExpiresAt, Token: s.Token, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
			IPAddress: s.IPAddress, UserAgent: s.UserAgent, UserID: s.UserID,
			ActiveOrganizationID: s.ActiveOrganizationID, ActiveTeamID: s.ActiveTeamID,
		},
		User: dbgen.User{
			ID: u.ID, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Image: u.Image,
			CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
		},
		MemberID: found.MemberID, MemberRole: found.MemberRole, MemberCreatedAt: found.MemberCreatedAt,
		TeamID: found.TeamID, TeamName: found.TeamName, TeamCreatedAt: found.TeamCreatedAt,
		TeamUpdatedAt: found.TeamUpdatedAt, TeamMemberCount: found.TeamMemberCount,
		Role: deref(u.Role), Banned: found.Barred, BanReason: deref(u.BanReason), BanExpires: Infinity,
		ImpersonatedBy: deref(s.ImpersonatedBy), Roles: found.Roles,
	}
	if u.BanExpires != nil {
		row.BanExpires = *u.BanExpires
	}
	return row, nil
}

// AuthenticateAllWithPlugins is AuthenticateAll with what the plugins say.
func (r *Repo) AuthenticateAllWithPlugins(
	ctx context.Context, name string, tokens []string,
) ([]Authenticated, error) {
	p := dbgen.AuthenticatePlatformsRolesParams{Tokens: tokens, Now: r.Now()}
	if r.Plugins.DynamicRoles {
		return Read(ctx, r, name, (*queries).AuthenticatePlatformsRoles, p)
	}
	rows, err := Read(ctx, r, name, (*queries).AuthenticatePlatforms,
		dbgen.AuthenticatePlatformsParams{Tokens: tokens, Now: p.Now})
	same := make([]Authenticated, len(rows))
	for i, row := range rows {
		same[i] = Authenticated(row)
	}
	return same, err
}

// GetSessionByToken returns a session, live or not.
func (r *Repo) GetSessionByToken(ctx context.Context, name, token string) (dbgen.Session, error) {
	return r.sessions.lookup(ctx, token, func() (dbgen.Session, error) {
		return Read(ctx, r, name, (*queries).GetSessionByToken, token)
	}, func(tokens []string) ([]dbgen.Session, error) {
		rows, err := Read(ctx, r, name, (*queries).ListSessionsByTokens, tokens)
		sessions := make([]dbgen.Session, len(rows))
		for i, row := range rows {
			sessions[i] = row.Session
		}
		return sessions, err
	}, func(row *dbgen.Session) string { return string(row.Token) })
}

// RefreshSession prolongs a session that is due. It returns the session and whether it was prolonged, or pgx.ErrNoRows
// if it is not live. A session may be a second short: its maker computes ExpiresAt before it writes CreatedAt.
func (r *Repo) RefreshSession(
	ctx context.Context, name, token string, lifetime, updateAge time.Duration,
) (row dbgen.Session, refreshed bool, err error) {
	name = about(ctx, name, args[string, [2]time.Duration]{token, [2]time.Duration{lifetime, updateAge}})
	now := r.Now()
	read := ask((*queries).GetLiveSessionByToken, dbgen.GetLiveSessionByTokenParams{Token: token, Now: now}, &row)
	err = r.writeThenRead(ctx, name, read, ask((*queries).RefreshSession, dbgen.RefreshSessionParams{
		Token: token, Now: now, ExpiresAt: utc(now.Add(lifetime)), Due: utc(now.Add(lifetime - updateAge)),
		Nearly: utc(now.Add(lifetime - time.Second)),
	}, &refreshed))
	return row, refreshed, err
}

func (r *Repo) SetActiveOrganization(
	ctx context.Context, name string, p dbgen.SetActiveOrganizationParams,
) (dbgen.Session, error) {
	name = about(ctx, name, p)
	p.Now = r.Now()
	return r.activate(ctx, name, dbgen.GetLiveSessionParams{Token: p.Token, UserID: p.UserID, Now: p.Now},
		lock((*queries).LockMembershipOfOrganization, dbgen.LockMembershipOfOrganizationParams{
			OrganizationID: deref(p.OrganizationID), UserID: p.UserID,
		}),
		verdict((*queries).SetActiveOrganization, p))
}

func (r *Repo) SetActiveTeam(
	ctx context.Context, name string, p dbgen.SetActiveTeamParams,
) (dbgen.Session, error) {
	name = about(ctx, name, p)
	p.Now = r.Now()
	return r.activate(ctx, name, dbgen.GetLiveSessionParams{Token: p.Token, UserID: p.UserID, Now: p.Now},
		lock((*queries).LockTeamMembership, dbgen.LockTeamMembershipParams{TeamID: deref(p.TeamID), UserID: p.UserID}),
		verdict((*queries).SetActiveTeam, p))
}

// activate returns the session as change leaves it. The membership that it relies on is locked meanwhile.
func (r *Repo) activate(
	ctx context.Context, name string, s dbgen.GetLiveSessionParams, membership, change Step,
) (row dbgen.Session, err error) {
	err = r.writeThenRead(ctx, name, ask((*queries).GetLiveSession, s, &row),
		membership, lock((*queries).LockLiveSession, dbgen.LockLiveSessionParams(s)), change)
	return row, err
}

// DeleteSessionsByUser waits for a sign-in that is under way and ends that session, too. Later sign-ins wait for it.
func (r *Repo) DeleteSessionsByUser(ctx context.Context, name, userID string) (rows []dbgen.Session, err error) {
	name = about(ctx, name, userID)
	err = r.writeOnce(ctx, name, Key{},
		lock((*queries).LockUser, userID), ask((*queries).DeleteSessionsByUser, userID, &rows))
	return rows, err
}

// DeleteOtherSessions is DeleteSessionsByUser for all sessions but one.
func (r *Repo) DeleteOtherSessions(
	ctx context.Context, name string, p dbgen.DeleteOtherSessionsParams,
) (rows []dbgen.Session, err error) {
	name = about(ctx, name, p)
	err = r.writeOnce(ctx, name, Key{},
		lock((*queries).LockUser, p.UserID), ask((*queries).DeleteOtherSessions, p, &rows))
	return rows, err
}
