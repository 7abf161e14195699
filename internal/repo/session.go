package repo

import (
	"context"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateSession(ctx context.Context, p dbgen.CreateSessionParams) (dbgen.Session, error) {
	p.ID, p.Token, p.Now, p.ExpiresAt = r.sources.ID(), r.sources.Token(), r.Now(), utc(p.ExpiresAt)
	row, err := r.Queries.CreateSession(ctx, p)
	return row, r.made("session", p.ID, err)
}

// CreateSessions copies the rows in, all or none, and returns them in order.
func (r *Repo) CreateSessions(ctx context.Context, rows []dbgen.CreateSessionsParams) ([]dbgen.Session, error) {
	now := r.Now()
	created := make([]dbgen.Session, len(rows))
	for i := range rows {
		rows[i].ID, rows[i].Token, rows[i].ExpiresAt = r.sources.ID(), r.sources.Token(), utc(rows[i].ExpiresAt)
		rows[i].CreatedAt, rows[i].UpdatedAt = now, now
		created[i] = dbgen.Session(rows[i])
	}
	err := r.whole(ctx, func() error {
		_, err := r.Queries.CreateSessions(ctx, rows)
		return err
	})
	return created, madeFirst(r, "session", created, func(row dbgen.Session) string { return row.ID }, err)
}

func (r *Repo) AuthenticateSession(
	ctx context.Context, p dbgen.AuthenticateSessionParams,
) (dbgen.AuthenticateSessionRow, error) {
	p.Now = r.Now()
	return r.Queries.AuthenticateSession(ctx, p)
}

func (r *Repo) GetLiveSession(ctx context.Context, p dbgen.GetLiveSessionParams) (dbgen.Session, error) {
	p.Now = r.Now()
	return r.Queries.GetLiveSession(ctx, p)
}

func (r *Repo) GetLiveSessionByToken(ctx context.Context, p dbgen.GetLiveSessionByTokenParams) (dbgen.Session, error) {
	p.Now = r.Now()
	return r.Queries.GetLiveSessionByToken(ctx, p)
}

func (r *Repo) ListSessions(ctx context.Context, p dbgen.ListSessionsParams) ([]dbgen.Session, error) {
	p.Now = r.Now()
	return r.Queries.ListSessions(ctx, p)
}

func (r *Repo) CountSessions(ctx context.Context, p dbgen.CountSessionsParams) (int64, error) {
	p.Now = r.Now()
	return r.Queries.CountSessions(ctx, p)
}

func (r *Repo) UpdateSessionByToken(ctx context.Context, p dbgen.UpdateSessionByTokenParams) (dbgen.Session, error) {
	p.Now, p.ExpiresAt = r.Now(), utcPtr(p.ExpiresAt)
	return r.Queries.UpdateSessionByToken(ctx, p)
}

func (r *Repo) RefreshSession(ctx context.Context, p dbgen.RefreshSessionParams) (int64, error) {
	p.Now, p.ExpiresAt, p.Due = r.Now(), utc(p.ExpiresAt), utc(p.Due)
	return r.Queries.RefreshSession(ctx, p)
}

// Refresh prolongs a session that is due and returns it with whether it was; pgx.ErrNoRows if it is not live.
func (r *Repo) Refresh(
	ctx context.Context, token string, lifetime, updateAge time.Duration,
) (row dbgen.Session, refreshed bool, err error) {
	now := r.Now()
	p := dbgen.RefreshSessionParams{
		Token: token, Now: now, ExpiresAt: utc(now.Add(lifetime)), Due: utc(now.Add(lifetime - updateAge)),
	}
	err = r.Together(ctx,
		func(q *Repo) error {
			n, err := q.Queries.RefreshSession(ctx, p)
			refreshed = n > 0
			return err
		},
		func(q *Repo) (err error) {
			row, err = q.Queries.GetLiveSessionByToken(ctx, dbgen.GetLiveSessionByTokenParams{Token: token, Now: now})
			return err
		},
	)
	return row, refreshed, err
}

func (r *Repo) SetActiveOrganization(ctx context.Context, p dbgen.SetActiveOrganizationParams) (int64, error) {
	p.Now = r.Now()
	return r.Queries.SetActiveOrganization(ctx, p)
}

// ActivateOrganization returns the session as it is then, and false if the user is no member; pgx.ErrNoRows if the
// session is not live.
func (r *Repo) ActivateOrganization(
	ctx context.Context, p dbgen.SetActiveOrganizationParams,
) (row dbgen.Session, done bool, err error) {
	var lock dbgen.LockMembershipOfOrganizationParams
	if p.OrganizationID != nil {
		lock.OrganizationID, lock.UserID = *p.OrganizationID, p.UserID
	}
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockMembershipOfOrganization(ctx, lock) },
		func(q *Repo) error {
			n, err := q.SetActiveOrganization(ctx, p)
			done = n > 0
			return err
		},
		func(q *Repo) (err error) {
			row, err = q.GetLiveSession(ctx, dbgen.GetLiveSessionParams{Token: p.Token, UserID: p.UserID})
			return err
		},
	)
	return row, done, err
}

func (r *Repo) SetActiveTeam(ctx context.Context, p dbgen.SetActiveTeamParams) (int64, error) {
	p.Now = r.Now()
	return r.Queries.SetActiveTeam(ctx, p)
}

// ActivateTeam is ActivateOrganization for a team of the active organization.
func (r *Repo) ActivateTeam(
	ctx context.Context, p dbgen.SetActiveTeamParams,
) (row dbgen.Session, done bool, err error) {
	var lock dbgen.LockTeamMembershipParams
	if p.TeamID != nil {
		lock.TeamID, lock.UserID = *p.TeamID, p.UserID
	}
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockTeamMembership(ctx, lock) },
		func(q *Repo) error {
			n, err := q.SetActiveTeam(ctx, p)
			done = n > 0
			return err
		},
		func(q *Repo) (err error) {
			row, err = q.GetLiveSession(ctx, dbgen.GetLiveSessionParams{Token: p.Token, UserID: p.UserID})
			return err
		},
	)
	return row, done, err
}

// DeleteSessionsByUser also ends a sign-in that is under way: it waits for it, and those after it wait for this.
func (r *Repo) DeleteSessionsByUser(ctx context.Context, userID string) (rows []dbgen.Session, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockUser(ctx, userID) },
		func(q *Repo) (err error) { rows, err = q.Queries.DeleteSessionsByUser(ctx, userID); return err },
	)
	return rows, err
}

// DeleteOtherSessions is DeleteSessionsByUser but for one.
func (r *Repo) DeleteOtherSessions(
	ctx context.Context, p dbgen.DeleteOtherSessionsParams,
) (rows []dbgen.Session, err error) {
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockUser(ctx, p.UserID) },
		func(q *Repo) (err error) { rows, err = q.Queries.DeleteOtherSessions(ctx, p); return err },
	)
	return rows, err
}

func (r *Repo) DeleteExpiredSessions(ctx context.Context, p dbgen.DeleteExpiredSessionsParams) (int64, error) {
	p.Now = r.Now()
	return r.Queries.DeleteExpiredSessions(ctx, p)
}

func (r *Repo) ClearActiveOrganization(
	ctx context.Context, p dbgen.ClearActiveOrganizationParams,
) ([]dbgen.Session, error) {
	p.Now = r.Now()
	return r.Queries.ClearActiveOrganization(ctx, p)
}

func (r *Repo) ListSessionsByUsers(
	ctx context.Context, p dbgen.ListSessionsByUsersParams,
) ([]dbgen.Session, error) {
	p.Now = r.Now()
	return r.Queries.ListSessionsByUsers(ctx, p)
}

func (r *Repo) PickSessionsByUsers(
	ctx context.Context, p dbgen.PickSessionsByUsersParams,
) ([]dbgen.Session, error) {
	p.Now = r.Now()
	return r.Queries.PickSessionsByUsers(ctx, p)
}
