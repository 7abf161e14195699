package repo

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateVerification(ctx context.Context, p dbgen.CreateVerificationParams) (dbgen.Verification, error) {
	p.ID, p.Now, p.ExpiresAt = r.sources.ID(), r.Now(), utc(p.ExpiresAt)
	return r.Queries.CreateVerification(ctx, p)
}

func (r *Repo) GetVerificationByIdentifier(
	ctx context.Context, p dbgen.GetVerificationByIdentifierParams,
) (dbgen.Verification, error) {
	p.Now = r.Now()
	return r.Queries.GetVerificationByIdentifier(ctx, p)
}

func (r *Repo) UpdateVerification(ctx context.Context, p dbgen.UpdateVerificationParams) (dbgen.Verification, error) {
	p.Now, p.ExpiresAt = r.Now(), utcPtr(p.ExpiresAt)
	return r.Queries.UpdateVerification(ctx, p)
}

func (r *Repo) UpdateVerificationsByIdentifier(
	ctx context.Context, p dbgen.UpdateVerificationsByIdentifierParams,
) (int64, error) {
	p.Now, p.ExpiresAt = r.Now(), utcPtr(p.ExpiresAt)
	return r.Queries.UpdateVerificationsByIdentifier(ctx, p)
}
