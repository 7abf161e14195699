package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateUser(ctx context.Context, p dbgen.CreateUserParams) (dbgen.User, error) {
	p.ID, p.Now = r.sources.ID(), r.Now()
	return r.Queries.CreateUser(ctx, p)
}

// CreateUsers copies the rows in, all or none, and returns them in order.
func (r *Repo) CreateUsers(ctx context.Context, rows []dbgen.CreateUsersParams) ([]dbgen.User, error) {
	now := r.Now()
	created := make([]dbgen.User, len(rows))
	for i := range rows {
		rows[i].ID, rows[i].CreatedAt, rows[i].UpdatedAt = r.sources.ID(), now, now
		created[i] = dbgen.User(rows[i])
	}
	_, err := r.Queries.CreateUsers(ctx, rows)
	return created, err
}

func (r *Repo) UpdateUser(ctx context.Context, p dbgen.UpdateUserParams) (dbgen.User, error) {
	p.Now = r.Now()
	return r.Queries.UpdateUser(ctx, p)
}

func (r *Repo) SetUserEmail(ctx context.Context, p dbgen.SetUserEmailParams) (dbgen.User, error) {
	p.Now = r.Now()
	return r.Queries.SetUserEmail(ctx, p)
}

func (r *Repo) VerifyUserEmail(ctx context.Context, p dbgen.VerifyUserEmailParams) (dbgen.User, error) {
	p.Now = r.Now()
	return r.Queries.VerifyUserEmail(ctx, p)
}
