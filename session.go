package authdb

import (
	"context"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// SessionLifetime is how long a new session lives unless its ExpiresAt says otherwise: Better Auth's expiresIn.
const SessionLifetime = 7 * 24 * time.Hour

// Session is a signed-in browser or client: one row of the session table.
type Session struct {
	ID                   string
	ExpiresAt            time.Time // from then on the session counts for nothing
	Token                string    `json:"-"` // the secret in the cookie, unique
	CreatedAt            time.Time
	UpdatedAt            time.Time
	IPAddress            *string // empty or nil if not known
	UserAgent            *string // empty or nil if not known
	UserID               string  // references user
	ActiveOrganizationID *string // no foreign key: it may name an organization that is gone
	ActiveTeamID         *string // no foreign key: it may name a team that is gone
}

func (s Session) cursor() Cursor { return Cursor{s.CreatedAt, s.ID} }

func toSession(row dbgen.Session) Session { return Session(row) }

// SessionWithUser is a session and whose it is.
type SessionWithUser struct {
	Session
	User User
}

// sessionWithUser converts the row of any query that joins the two.
func sessionWithUser[R interface {
	~struct {
		Session dbgen.Session
		User    dbgen.User
	}
}](row R) SessionWithUser {
	r := dbgen.GetSessionByTokenRow(row)
	return SessionWithUser{Session(r.Session), User(r.User)}
}

// CreateSessionParams are the columns of a new session; its token is made for it.
type CreateSessionParams struct {
	UserID               string
	ExpiresAt            time.Time // zero: SessionLifetime from now
	IPAddress            string    // empty if not known; at most 255 characters
	UserAgent            string    // empty if not known; at most 1,024 characters
	ActiveOrganizationID *string
	ActiveTeamID         *string
}

func (p CreateSessionParams) check(op string) error {
	return check(op, required("user_id", p.UserID, maxID), instant("expires_at", &p.ExpiresAt),
		text("ip_address", p.IPAddress, maxIPAddress), text("user_agent", p.UserAgent, maxUserAgent),
		optionalRequired("active_organization_id", p.ActiveOrganizationID, maxID),
		optionalRequired("active_team_id", p.ActiveTeamID, maxID))
}

// UpdateSessionParams says what to change; the zero value changes nothing but UpdatedAt.
type UpdateSessionParams struct {
	ExpiresAt *time.Time // nil leaves it
	IPAddress Change[string]
	UserAgent Change[string]
}

// ListSessionsParams selects a page of a user's sessions.
type ListSessionsParams struct {
	UserID string
	Live   bool // only those that have not expired
	After  Cursor
	Limit  int // rows in a page; defaults to DefaultLimit
}

// CountSessionsParams selects the sessions of a user to count.
type CountSessionsParams struct {
	UserID string
	Live   bool // only those that have not expired
}

// SessionRepository reads and writes the session table. It is [Store.Sessions].
type SessionRepository struct{ repo *repo.Repo }

// Create signs a user in: it adds a session with a new token. It returns [ErrReference] if there is no such user, or
// [ErrInvalidInput].
func (r *SessionRepository) Create(ctx context.Context, p CreateSessionParams) (Session, error) {
	const op = "Sessions.Create"
	if err := p.check(op); err != nil {
		return Session{}, err
	}
	row, err := r.repo.CreateSession(ctx, dbgen.CreateSessionParams{
		UserID: p.UserID, ExpiresAt: r.repo.NowOr(p.ExpiresAt, SessionLifetime),
		IPAddress: &p.IPAddress, UserAgent: &p.UserAgent,
		ActiveOrganizationID: p.ActiveOrganizationID, ActiveTeamID: p.ActiveTeamID,
	})
	return Session(row), translate(op, err)
}

// CreateMany adds any number of sessions by COPY, all or none, and returns them in the order given. It returns
// [ErrReference] or [ErrInvalidInput].
func (r *SessionRepository) CreateMany(ctx context.Context, ps []CreateSessionParams) ([]Session, error) {
	const op = "Sessions.CreateMany"
	rows := make([]dbgen.CreateSessionsParams, len(ps))
	for i, p := range ps {
		if err := p.check(op); err != nil {
			return nil, err
		}
		rows[i] = dbgen.CreateSessionsParams{
			UserID: p.UserID, ExpiresAt: r.repo.NowOr(p.ExpiresAt, SessionLifetime),
			IPAddress: &p.IPAddress, UserAgent: &p.UserAgent,
			ActiveOrganizationID: p.ActiveOrganizationID, ActiveTeamID: p.ActiveTeamID,
		}
	}
	created, err := r.repo.CreateSessions(ctx, rows)
	return each(created, toSession, err), translate(op, err)
}

// Get returns the session with that id if it is the user's, or [ErrNotFound]. It does not look at ExpiresAt.
func (r *SessionRepository) Get(ctx context.Context, userID, sessionID string) (Session, error) {
	const op = "Sessions.Get"
	if err := check(op, id("user_id", userID), id("id", sessionID)); err != nil {
		return Session{}, err
	}
	row, err := r.repo.GetSession(ctx, dbgen.GetSessionParams{UserID: userID, ID: sessionID})
	return Session(row), translate(op, err)
}

// GetByToken returns the session with that token and its user in one round trip, or [ErrNotFound]. It does not look
// at ExpiresAt: an expired session that nobody has deleted is returned too.
func (r *SessionRepository) GetByToken(ctx context.Context, token string) (SessionWithUser, error) {
	const op = "Sessions.GetByToken"
	if err := check(op, key("token", token, maxToken)); err != nil {
		return SessionWithUser{}, err
	}
	row, err := r.repo.GetSessionByToken(ctx, token)
	return sessionWithUser(row), translate(op, err)
}

// ListByTokens returns the sessions with those tokens and their users, in the order of the tokens; a token without a
// session is left out. It does not look at ExpiresAt. It returns [ErrInvalidInput].
func (r *SessionRepository) ListByTokens(ctx context.Context, tokens []string) ([]SessionWithUser, error) {
	const op = "Sessions.ListByTokens"
	if err := check(op, eachOf("token", tokens, maxToken)); err != nil {
		return nil, err
	}
	rows, err := r.repo.ListSessionsByTokens(ctx, tokens)
	return each(rows, sessionWithUser, err), translate(op, err)
}

// List returns a page of a user's sessions, oldest first. It returns [ErrInvalidInput].
func (r *SessionRepository) List(ctx context.Context, p ListSessionsParams) (Page[Session], error) {
	const op = "Sessions.List"
	if err := check(op, id("user_id", p.UserID), pageSize(p.Limit)); err != nil {
		return Page[Session]{}, err
	}
	limit := rowLimit(p.Limit)
	rows, err := r.repo.ListSessions(ctx, dbgen.ListSessionsParams{
		UserID: p.UserID, Live: p.Live,
		AfterCreatedAt: p.After.createdAt, AfterID: p.After.id, RowLimit: limit,
	})
	return newPage(rows, limit, toSession, Session.cursor), translate(op, err)
}

// All iterates over the sessions of [SessionRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error
// ends it.
func (r *SessionRepository) All(ctx context.Context, p ListSessionsParams) iter.Seq2[Session, error] {
	return eachItem(ctx, p, func(p *ListSessionsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns the number of a user's sessions. It returns [ErrInvalidInput].
func (r *SessionRepository) Count(ctx context.Context, p CountSessionsParams) (int64, error) {
	const op = "Sessions.Count"
	if err := check(op, id("user_id", p.UserID)); err != nil {
		return 0, err
	}
	n, err := r.repo.CountSessions(ctx, dbgen.CountSessionsParams{UserID: p.UserID, Live: p.Live})
	return n, translate(op, err)
}

// UpdateByToken changes what p says and returns the session. It returns [ErrNotFound] or [ErrInvalidInput]. It sets
// ExpiresAt as given, also on an expired session.
func (r *SessionRepository) UpdateByToken(ctx context.Context, token string, p UpdateSessionParams) (Session, error) {
	const op = "Sessions.UpdateByToken"
	if err := check(op, key("token", token, maxToken), instant("expires_at", p.ExpiresAt),
		optional("ip_address", p.IPAddress.value, maxIPAddress),
		optional("user_agent", p.UserAgent.value, maxUserAgent)); err != nil {
		return Session{}, err
	}
	row, err := r.repo.UpdateSessionByToken(ctx, dbgen.UpdateSessionByTokenParams{
		Token: token, ExpiresAt: p.ExpiresAt,
		SetIPAddress: p.IPAddress.set, IPAddress: p.IPAddress.value,
		SetUserAgent: p.UserAgent.set, UserAgent: p.UserAgent.value,
	})
	return Session(row), translate(op, err)
}

// Delete signs out the session with that id if it is the user's. It returns [ErrNotFound].
func (r *SessionRepository) Delete(ctx context.Context, userID, sessionID string) error {
	const op = "Sessions.Delete"
	if err := check(op, id("user_id", userID), id("id", sessionID)); err != nil {
		return err
	}
	n, err := r.repo.DeleteSession(ctx, dbgen.DeleteSessionParams{UserID: userID, ID: sessionID})
	return affected(op, n, err)
}

// DeleteByToken signs out the session with that token. It returns [ErrNotFound].
func (r *SessionRepository) DeleteByToken(ctx context.Context, token string) error {
	const op = "Sessions.DeleteByToken"
	if err := check(op, key("token", token, maxToken)); err != nil {
		return err
	}
	n, err := r.repo.DeleteSessionByToken(ctx, token)
	return affected(op, n, err)
}

// DeleteByTokens signs out the sessions with those tokens and returns how many there were. It returns
// [ErrInvalidInput].
func (r *SessionRepository) DeleteByTokens(ctx context.Context, tokens []string) (int64, error) {
	const op = "Sessions.DeleteByTokens"
	if err := check(op, eachOf("token", tokens, maxToken)); err != nil {
		return 0, err
	}
	n, err := r.repo.DeleteSessionsByTokens(ctx, tokens)
	return n, translate(op, err)
}

// DeleteByUser signs a user out everywhere and returns how many sessions there were. It returns [ErrInvalidInput].
func (r *SessionRepository) DeleteByUser(ctx context.Context, userID string) (int64, error) {
	const op = "Sessions.DeleteByUser"
	if err := check(op, id("user_id", userID)); err != nil {
		return 0, err
	}
	n, err := r.repo.DeleteSessionsByUser(ctx, userID)
	return n, translate(op, err)
}
