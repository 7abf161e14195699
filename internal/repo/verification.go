package repo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateVerification(ctx context.Context, p dbgen.CreateVerificationParams) (dbgen.Verification, error) {
	p.ID, p.Now, p.ExpiresAt = r.sources.ID(), r.Now(), utc(p.ExpiresAt)
	row, err := r.Queries.CreateVerification(ctx, p)
	return row, r.made("verification", p.ID, err)
}

// ReserveVerification makes the id as Better Auth 1.7 does, so that the two sides exclude each other.
func (r *Repo) ReserveVerification(ctx context.Context, p dbgen.ReserveVerificationParams) (int64, error) {
	digest := sha256.Sum256([]byte("reserve:" + p.Identifier))
	p.ID = base64.RawURLEncoding.EncodeToString(digest[:])
	p.Now, p.ExpiresAt = r.Now(), utc(p.ExpiresAt)
	return r.Queries.ReserveVerification(ctx, p)
}

func (r *Repo) GetVerificationByIdentifier(
	ctx context.Context, p dbgen.GetVerificationByIdentifierParams,
) (dbgen.Verification, error) {
	p.Now = r.Now()
	return r.Queries.GetVerificationByIdentifier(ctx, p)
}

// ConsumeVerification waits for whoever changes the value.
func (r *Repo) ConsumeVerification(
	ctx context.Context, p dbgen.ConsumeVerificationParams,
) (dbgen.ConsumeVerificationRow, error) {
	p.Now = r.Now()
	var row dbgen.ConsumeVerificationRow
	err := r.Together(ctx,
		func(q *Repo) error { return q.LockVerifications(ctx, p.Identifier) },
		func(q *Repo) (err error) { row, err = q.Queries.ConsumeVerification(ctx, p); return err },
	)
	return row, err
}

// ConsumeCode takes the guesses at a code one after the other, so that each is counted.
func (r *Repo) ConsumeCode(ctx context.Context, p dbgen.ConsumeCodeParams) (outcome string, err error) {
	p.Now = r.Now()
	err = r.Together(ctx,
		func(q *Repo) error { return q.LockVerifications(ctx, p.Identifier) },
		func(q *Repo) (err error) { outcome, err = q.Queries.ConsumeCode(ctx, p); return err },
	)
	return outcome, err
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

func (r *Repo) DeleteExpiredVerifications(
	ctx context.Context, p dbgen.DeleteExpiredVerificationsParams,
) (int64, error) {
	p.Now = r.Now()
	return r.Queries.DeleteExpiredVerifications(ctx, p)
}
