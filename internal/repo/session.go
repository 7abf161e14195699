package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateSession(ctx context.Context, p dbgen.CreateSessionParams) (dbgen.Session, error) {
	p.ID, p.Token, p.Now, p.ExpiresAt = r.sources.ID(), r.sources.Token(), r.Now(), utc(p.ExpiresAt)
	return r.Queries.CreateSession(ctx, p)
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
	_, err := r.Queries.CreateSessions(ctx, rows)
	return created, err
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
