package authdb

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/permission"
)

// How long a session lives by default, and how long after its last refresh it is due again: Better Auth's expiresIn
// and updateAge.
const (
	SessionLifetime  = 7 * 24 * time.Hour
	SessionUpdateAge = 24 * time.Hour
)

// Session is a signed-in browser or client: one row of the session table.
type Session struct {
	ID                   string    `json:"id"`
	ExpiresAt            time.Time `json:"expiresAt"` // from then on the session is not live
	Token                Secret    `json:"-"`         // the secret in the cookie, unique
	CreatedAt            time.Time `json:"createdAt"`
	UpdatedAt            time.Time `json:"updatedAt"`
	IPAddress            *string   `json:"ipAddress"`            // empty or nil if not known
	UserAgent            *string   `json:"userAgent"`            // empty or nil if not known
	UserID               string    `json:"userId"`               // references user
	ActiveOrganizationID *string   `json:"activeOrganizationId"` // no foreign key: it may name one that is gone
	ActiveTeamID         *string   `json:"activeTeamId"`         // no foreign key: it may name one that is gone
}

func (s Session) cursor() Cursor { return Cursor{s.CreatedAt, s.ID} }

func toSession(row dbgen.Session) Session { return Session(row) }

// SessionWithUser is a session and its user.
type SessionWithUser struct {
	Session
	User User `json:"user"`
}

func sessionWithUser(row dbgen.ListSessionsByTokensRow) SessionWithUser {
	return SessionWithUser{Session(row.Session), User(row.User)}
}

// Authentication is a live session, its user, and the user's membership and team in the active organization.
type Authentication struct {
	Session Session `json:"session"`
	User    User    `json:"user"`
	Member  *Member `json:"member"` // in the active organization; nil if none is active or the user is no member of it
	Team    *Team   `json:"team"`   // the active one; nil unless it is the active organization's and the user is in it
	// Platform holds the columns of the admin plugin; nil unless the store has [Plugins].
	Platform *Platform `json:"platform,omitempty"`
	// Roles are the roles in Member.Role that the active organization defined itself, for [permission.Rules.Can]; nil
	// unless the store has Plugins with DynamicRoles. A row that [permission.Parse] refuses grants nothing. Actions are in
	// no order.
	Roles permission.Roles `json:"roles,omitempty"`
}

// Platform is what Better Auth's admin plugin keeps about a user and a session.
type Platform struct {
	Role           string     `json:"role"`           // one or more, separated by commas; empty: the plugin's defaultRole
	Banned         bool       `json:"banned"`         // the user or ImpersonatedBy is, or the latter was deleted
	BanReason      string     `json:"banReason"`      // empty if none is given
	BanExpires     *time.Time `json:"banExpires"`     // the end of the user's ban; nil if it has none
	ImpersonatedBy string     `json:"impersonatedBy"` // id of the administrator who acts as the user; empty: nobody does
}

// platformOf is authentication with what the plugins say.
func platformOf(row repo.Authenticated) Authentication {
	a := authentication(dbgen.AuthenticateSessionRow{
		Session: row.Session, User: row.User,
		MemberID: row.MemberID, MemberRole: row.MemberRole, MemberCreatedAt: row.MemberCreatedAt,
		TeamID: row.TeamID, TeamName: row.TeamName, TeamCreatedAt: row.TeamCreatedAt, TeamUpdatedAt: row.TeamUpdatedAt,
		TeamMemberCount: row.TeamMemberCount,
	})
	a.Platform = &Platform{row.Role, row.Banned, row.BanReason, nil, row.ImpersonatedBy}
	if row.BanExpires != repo.Infinity {
		a.Platform.BanExpires = &row.BanExpires
	}
	for pair := range slices.Chunk(row.Roles, 2) {
		if !repo.HasRole(a.Member.Role, pair[0]) {
			continue
		}
		if a.Roles == nil {
			a.Roles = permission.Roles{}
		}
		granted, _ := permission.Parse(pair[1]) // nil: nothing
		a.Roles.Add(pair[0], granted)
	}
	return a
}

// authentication sets member and team by position, so that a new column of theirs does not compile.
func authentication(row dbgen.AuthenticateSessionRow) Authentication {
	a := Authentication{Session: Session(row.Session), User: User(row.User)}
	if row.MemberID != nil {
		a.Member = &Member{
			*row.MemberID, *a.Session.ActiveOrganizationID, a.User.ID, *row.MemberRole, *row.MemberCreatedAt,
		}
	}
	if row.TeamID != nil {
		a.Team = &Team{
			*row.TeamID, *row.TeamName, *a.Session.ActiveOrganizationID, *row.TeamCreatedAt, row.TeamUpdatedAt,
			*row.TeamMemberCount,
		}
	}
	return a
}

// RefreshSessionParams say which session to prolong, and by what rule.
type RefreshSessionParams struct {
	Token Secret
	// Lifetime is how long a session that is due lives from now. One made for less is not prolonged. Zero: that of
	// Settings.
	Lifetime  time.Duration
	UpdateAge time.Duration // a session is due this long after its last refresh; zero: that of Settings
}

// RefreshedSession is a live session, and whether it was prolonged.
type RefreshedSession struct {
	Session
	Refreshed bool `json:"refreshed"` // if true, the cookie needs a new Max-Age
}

// SetActiveOrganizationParams name a user's session and the organization to make active in it.
type SetActiveOrganizationParams struct {
	UserID         string // whose session it is
	Token          Secret
	OrganizationID string // empty: none
}

// SetActiveTeamParams name a user's session and the team of its active organization to make active in it.
type SetActiveTeamParams struct {
	UserID string // whose session it is
	Token  Secret
	TeamID string // empty: none
}

// CreateSessionParams are the columns of a new session; its token is made for it.
type CreateSessionParams struct {
	ID                   string // empty: a new one
	UserID               string
	ExpiresAt            time.Time // zero: the SessionLifetime of Settings from now
	IPAddress            string    // empty if not known; at most 255 characters
	UserAgent            string    // empty if not known; at most 1,024 characters
	ActiveOrganizationID *string   // not checked: Authenticate ignores it without a membership
	ActiveTeamID         *string   // not checked either
}

func (p CreateSessionParams) check(op string) error {
	return check(op, text("id", p.ID, maxID), required("user_id", p.UserID, maxID), instant("expires_at", &p.ExpiresAt),
		text("ip_address", p.IPAddress, maxIPAddress), text("user_agent", p.UserAgent, maxUserAgent),
		optionalRequired("active_organization_id", p.ActiveOrganizationID, maxID),
		optionalRequired("active_team_id", p.ActiveTeamID, maxID))
}

// UpdateSessionParams says what to change; the zero value changes nothing but UpdatedAt.
type UpdateSessionParams struct {
	ExpiresAt Change[time.Time] `json:"expiresAt,omitzero"`
	IPAddress Change[string]    `json:"ipAddress,omitzero"`
	UserAgent Change[string]    `json:"userAgent,omitzero"`
}

// ListSessionsParams selects a page of a user's sessions.
type ListSessionsParams struct {
	UserID string
	Live   bool // only those that have not expired
	Newest bool // newest first; otherwise oldest first
	After  Cursor
	Limit  int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// SessionRepository reads and writes the session table. It is [Store.Sessions].
type SessionRepository struct{ door }

// Create signs a user in: it adds a session with a new token. It returns [ErrReference] if there is no such user,
// [ErrBanned] or [ErrInvalidInput].
//
// Bans are those of Better Auth's admin plugin, if the user table has its columns. Create waits for a ban that is being
// set, and lifts one that is over, as the server does, in another round trip.
//
// Create waits for a [SessionRepository.DeleteByUser] that is under way, which does not delete the new session. To keep
// an old password out, create the session and read the password again in one [Store.InTx]: DeleteByUser waits for it.
func (r SessionRepository) Create(ctx context.Context, p CreateSessionParams) (Session, error) {
	const op = "Sessions.Create"
	if err := p.check(op); err != nil {
		return Session{}, err
	}
	row, err := r.repo().CreateSession(ctx, op, dbgen.CreateSessionParams{
		ID: p.ID, UserID: p.UserID, ExpiresAt: r.repo().NowOr(p.ExpiresAt, r.repo().Settings().SessionLifetime),
		IPAddress: &p.IPAddress, UserAgent: &p.UserAgent,
		ActiveOrganizationID: p.ActiveOrganizationID, ActiveTeamID: p.ActiveTeamID,
	})
	return answer(op, row, err, toSession)
}

// CreateMany adds any number of sessions, all or none, and returns them in the order given. It returns
// [ErrReference], [ErrBanned] as Create does, or [ErrInvalidInput].
func (r SessionRepository) CreateMany(ctx context.Context, ps []CreateSessionParams) ([]Session, error) {
	const op = "Sessions.CreateMany"
	rows := make([]dbgen.Session, len(ps))
	for i, p := range ps {
		if err := p.check(op); err != nil {
			return nil, err
		}
		rows[i] = dbgen.Session{
			ID: p.ID, UserID: p.UserID, ExpiresAt: r.repo().NowOr(p.ExpiresAt, r.repo().Settings().SessionLifetime),
			IPAddress: &p.IPAddress, UserAgent: &p.UserAgent,
			ActiveOrganizationID: p.ActiveOrganizationID, ActiveTeamID: p.ActiveTeamID,
		}
	}
	created, err := r.repo().CreateSessions(ctx, op, rows)
	return answers(op, created, err, toSession)
}

// Get returns the session with that id if it is the user's, or [ErrNotFound]. It does not look at ExpiresAt.
func (r SessionRepository) Get(ctx context.Context, userID, sessionID string) (Session, error) {
	const op = "Sessions.Get"
	if err := check(op, id("user_id", userID), id("session_id", sessionID)); err != nil {
		return Session{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetSession, dbgen.GetSessionParams{UserID: userID, ID: sessionID}, toSession)
}

// Authenticate returns the live session with that token, its user, the membership in its active organization and its
// active team, in one round trip. It returns [ErrNotFound] if the token is unknown, revoked or expired: the caller
// cannot tell, and need not. On a store [WithPlugins] it also sets Platform and Roles, and returns [ErrBanned] if
// Plugins.RefuseBanned is set.
func (r SessionRepository) Authenticate(ctx context.Context, token Secret) (Authentication, error) {
	const op = "Sessions.Authenticate"
	if err := check(op, key("token", token)); err != nil {
		return Authentication{}, err
	}
	if r.repo().Plugins.Authenticate() {
		row, err := r.repo().AuthenticateWithPlugins(ctx, op, string(token))
		return answer(op, row, err, platformOf)
	}
	row, err := r.repo().Authenticate(ctx, op, string(token))
	return answer(op, row, err, authentication)
}

// AuthenticateMany is [SessionRepository.Authenticate] for a list of tokens, such as those of open connections. Its
// answers are in the order of the tokens, each once; a token that Authenticate would refuse is left out. It returns
// [ErrInvalidInput].
func (r SessionRepository) AuthenticateMany(ctx context.Context, tokens []Secret) ([]Authentication, error) {
	const op = "Sessions.AuthenticateMany"
	if err := check(op, eachOf("token", tokens, maxKey)); err != nil {
		return nil, err
	}
	if plugins := r.repo().Plugins; plugins.Authenticate() {
		rows, err := r.repo().AuthenticateAllWithPlugins(ctx, op, distinct(tokens, plain))
		if plugins.RefuseBanned {
			rows = slices.DeleteFunc(rows, func(row repo.Authenticated) bool { return row.Banned })
		}
		return answers(op, rows, err, platformOf)
	}
	rows, err := r.repo().AuthenticateAll(ctx, op, distinct(tokens, plain))
	return answers(op, rows, err, authentication)
}

// GetByToken returns the session with that token, or [ErrNotFound]. It does not look at ExpiresAt: an expired session
// that nobody has deleted is returned too.
func (r SessionRepository) GetByToken(ctx context.Context, token Secret) (Session, error) {
	const op = "Sessions.GetByToken"
	if err := check(op, key("token", token)); err != nil {
		return Session{}, err
	}
	row, err := r.repo().GetSessionByToken(ctx, op, string(token))
	return answer(op, row, err, toSession)
}

// ListByTokens returns the sessions with those tokens and their users, in the order of the tokens; a token without a
// session is left out. It does not look at ExpiresAt. It returns [ErrInvalidInput].
func (r SessionRepository) ListByTokens(ctx context.Context, tokens []Secret) ([]SessionWithUser, error) {
	const op = "Sessions.ListByTokens"
	if err := check(op, eachOf("token", tokens, maxKey)); err != nil {
		return nil, err
	}
	rows, err := repo.Read(ctx, r.repo(), op, (*queries).ListSessionsByTokens, distinct(tokens, plain))
	return answers(op, rows, err, sessionWithUser)
}

// List returns a page of a user's sessions, oldest first unless p.Newest. It returns [ErrInvalidInput].
func (r SessionRepository) List(ctx context.Context, p ListSessionsParams) (Page[Session], error) {
	const op = "Sessions.List"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return Page[Session]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListSessionsParams{
		UserID: p.UserID, Live: p.Live, Now: r.repo().Now(),
		AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListSessionsNewest, dbgen.ListSessionsNewestParams(args),
			p.Limit, toSession, Session.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListSessions, args, p.Limit, toSession, Session.cursor)
}

// All iterates over the sessions of [SessionRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error
// ends it.
func (r SessionRepository) All(ctx context.Context, p ListSessionsParams) iter.Seq2[Session, error] {
	return eachItem(ctx, p, func(p *ListSessionsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns how many sessions [SessionRepository.List] has on all its pages. It returns [ErrInvalidInput].
func (r SessionRepository) Count(ctx context.Context, p ListSessionsParams) (int64, error) {
	const op = "Sessions.Count"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountSessions, dbgen.CountSessionsParams{
		UserID: p.UserID, Live: p.Live, Now: r.repo().Now(),
	}, itself)
}

// UpdateByToken changes what p says and returns the session. It returns [ErrNotFound] or [ErrInvalidInput]. It sets
// ExpiresAt as given, also on an expired session.
//
// A short session that is kept alive in this way for [SessionLifetime] looks like a long one: from then on
// [SessionRepository.Refresh], and with it betterauth.Authenticator, prolongs it by a whole lifetime. To prevent that,
// set the Authenticator's NoRefresh, or make a new session in time.
func (r SessionRepository) UpdateByToken(ctx context.Context, token Secret, p UpdateSessionParams) (Session, error) {
	const op = "Sessions.UpdateByToken"
	if err := check(op, key("token", token), p.ExpiresAt.notNull("expires_at"),
		instant("expires_at", p.ExpiresAt.value),
		optional("ip_address", p.IPAddress.value, maxIPAddress),
		optional("user_agent", p.UserAgent.value, maxUserAgent)); err != nil {
		return Session{}, err
	}
	row, err := repo.Update(ctx, r.repo(), op, (*queries).UpdateSessionByToken, dbgen.UpdateSessionByTokenParams{
		Token: string(token), ExpiresAt: repo.UTC(p.ExpiresAt.value), Now: r.repo().Now(),
		SetIPAddress: p.IPAddress.set, IPAddress: p.IPAddress.value,
		SetUserAgent: p.UserAgent.set, UserAgent: p.UserAgent.value,
	}, (*queries).GetSessionByToken, string(token))
	return answer(op, row, err, toSession)
}

// Refresh prolongs a live session if it is due, at most once per UpdateAge however many ask at once, and returns it as
// it then is. It never shortens a session, and does not revive one that was revoked or has expired. It returns
// [ErrNotFound] if the session is not live, or [ErrInvalidInput].
//
// It does not prolong a session that was made to end sooner: one whose ExpiresAt is a second or more short of CreatedAt
// plus Lifetime. A session without "remember me", which lives for a day, is one of these; a session by which an
// administrator impersonates its user (column impersonated_by of Better Auth's admin plugin) is another. One that was
// prolonged once, or that [SessionRepository.UpdateByToken] kept alive for Lifetime, is prolonged like any other. When
// the server's expiresIn grows, older sessions end as they were made to, unless the server prolongs them: it knows
// "remember me" by a cookie alone.
func (r SessionRepository) Refresh(ctx context.Context, p RefreshSessionParams) (RefreshedSession, error) {
	const op = "Sessions.Refresh"
	if p.Lifetime == 0 {
		p.Lifetime = r.repo().Settings().SessionLifetime
	}
	if p.UpdateAge == 0 {
		p.UpdateAge = r.repo().Settings().SessionUpdateAge
	}
	if err := check(op, key("token", p.Token), duration("lifetime", p.Lifetime),
		duration("update_age", p.UpdateAge)); err != nil {
		return RefreshedSession{}, err
	}
	row, refreshed, err := r.repo().RefreshSession(ctx, op, string(p.Token), p.Lifetime, p.UpdateAge)
	if err != nil {
		return RefreshedSession{}, translate(op, err)
	}
	return RefreshedSession{Session(row), refreshed}, nil
}

// SetActiveOrganization makes an organization the active one of a user's live session and returns the session. The
// active team stays if it is a team of that organization which the user is in. It returns [ErrNotMember] if the user is
// no member, [ErrNotFound] if the session is not live or not the user's, or [ErrInvalidInput].
func (r SessionRepository) SetActiveOrganization(ctx context.Context, p SetActiveOrganizationParams) (Session, error) {
	const op = "Sessions.SetActiveOrganization"
	if err := check(op, id("user_id", p.UserID), key("token", p.Token),
		text("organization_id", p.OrganizationID, maxID)); err != nil {
		return Session{}, err
	}
	row, err := r.repo().SetActiveOrganization(ctx, op, dbgen.SetActiveOrganizationParams{
		UserID: p.UserID, Token: string(p.Token), OrganizationID: nonEmpty(p.OrganizationID),
	})
	return answer(op, row, err, toSession)
}

// SetActiveTeam makes a team of the active organization the active one of a user's live session and returns the
// session. It returns [ErrNotMember] if the user is not in the team or the team is not the active organization's,
// [ErrNotFound] if the session is not live or not the user's, or [ErrInvalidInput].
func (r SessionRepository) SetActiveTeam(ctx context.Context, p SetActiveTeamParams) (Session, error) {
	const op = "Sessions.SetActiveTeam"
	if err := check(op, id("user_id", p.UserID), key("token", p.Token),
		text("team_id", p.TeamID, maxID)); err != nil {
		return Session{}, err
	}
	row, err := r.repo().SetActiveTeam(ctx, op, dbgen.SetActiveTeamParams{
		UserID: p.UserID, Token: string(p.Token), TeamID: nonEmpty(p.TeamID),
	})
	return answer(op, row, err, toSession)
}

// Delete signs out the session with that id if it is the user's. It returns [ErrNotFound].
func (r SessionRepository) Delete(ctx context.Context, userID, sessionID string) error {
	const op = "Sessions.Delete"
	if err := check(op, id("user_id", userID), id("session_id", sessionID)); err != nil {
		return err
	}
	return deleted(op, repo.Delete(ctx, r.repo(), op, (*queries).DeleteSession, dbgen.DeleteSessionParams{
		UserID: userID, ID: sessionID,
	}))
}

// DeleteByToken signs out the session with that token. It returns [ErrNotFound].
func (r SessionRepository) DeleteByToken(ctx context.Context, token Secret) error {
	const op = "Sessions.DeleteByToken"
	if err := check(op, key("token", token)); err != nil {
		return err
	}
	return deleted(op, repo.Delete(ctx, r.repo(), op, (*queries).DeleteSessionByToken, string(token)))
}

// DeleteByTokens signs out the sessions with those tokens and returns how many there were. It returns
// [ErrInvalidInput].
func (r SessionRepository) DeleteByTokens(ctx context.Context, tokens []Secret) (int64, error) {
	const op = "Sessions.DeleteByTokens"
	if err := check(op, eachOf("token", tokens, maxKey)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, r.repo(), op, (*queries).DeleteSessionsByTokens, each(tokens, plain))
	return n, translate(op, err)
}

// DeleteByUser signs a user out everywhere, also from a session that is being made at that moment. It returns the
// deleted sessions in no order, so that a cache can forget their tokens, or [ErrInvalidInput].
func (r SessionRepository) DeleteByUser(ctx context.Context, userID string) ([]Session, error) {
	const op = "Sessions.DeleteByUser"
	if err := check(op, id("user_id", userID)); err != nil {
		return nil, err
	}
	rows, err := r.repo().DeleteSessionsByUser(ctx, op, userID)
	return answers(op, rows, err, toSession)
}

// DeleteOthers is DeleteByUser, but keeps the session with that id, usually the caller's own.
func (r SessionRepository) DeleteOthers(ctx context.Context, userID, sessionID string) ([]Session, error) {
	const op = "Sessions.DeleteOthers"
	if err := check(op, id("user_id", userID), id("session_id", sessionID)); err != nil {
		return nil, err
	}
	rows, err := r.repo().DeleteOtherSessions(ctx, op, dbgen.DeleteOtherSessionsParams{UserID: userID, ID: sessionID})
	return answers(op, rows, err, toSession)
}

// DeleteExpired deletes up to limit expired sessions, oldest first, and returns how many. It skips rows that others
// have locked, and a session that is refreshed meanwhile stays. To delete all, call it until it returns less than
// limit. It returns [ErrInvalidInput] unless limit is 1 to 10,000.
func (r SessionRepository) DeleteExpired(ctx context.Context, limit int) (int64, error) {
	const op = "Sessions.DeleteExpired"
	if err := check(op, batchSize(limit)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, r.repo(), op, (*queries).DeleteExpiredSessions, dbgen.DeleteExpiredSessionsParams{
		Now: r.repo().Now(), RowLimit: int32(limit),
	})
	return n, translate(op, err)
}
