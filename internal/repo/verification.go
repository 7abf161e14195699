package repo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"github.com/zerostarter/authdb/internal/dbgen"
)

func (r *Repo) CreateVerification(
	ctx context.Context, name string, p dbgen.CreateVerificationParams,
) (row dbgen.Verification, err error) {
	name = about(ctx, name, p)
	p.ID, p.Now, p.ExpiresAt = r.idOr(p.ID), r.Now(), utc(p.ExpiresAt)
	done, err := r.write(ctx, name, Key{"verification", p.ID}, ask((*queries).CreateVerification, p, &row))
	if done != "" {
		return Read(ctx, r, name, (*queries).GetVerification, done)
	}
	return row, err
}

// ReserveVerification makes the id as Better Auth 1.7 does, so that it and the server exclude each other.
func (r *Repo) ReserveVerification(ctx context.Context, name string, p dbgen.ReserveVerificationParams) error {
	name = about(ctx, name, p)
	digest := sha256.Sum256([]byte("reserve:" + p.Identifier))
	p.ID = base64.RawURLEncoding.EncodeToString(digest[:])
	p.Now, p.ExpiresAt = r.Now(), utc(p.ExpiresAt)
	_, err := r.write(ctx, name, Key{}, verdict((*queries).ReserveVerification, p))
	return err
}

// ConsumeVerification waits for those who change the value.
func (r *Repo) ConsumeVerification(
	ctx context.Context, name string, p dbgen.ConsumeVerificationParams,
) (dbgen.Verification, error) {
	name = about(ctx, name, p)
	p.Now = r.Now()
	var gone dbgen.ConsumeVerificationRow
	err := r.writeOnce(ctx, name, Key{},
		lock((*queries).LockVerifications, p.Identifier), ask((*queries).ConsumeVerification, p, &gone))
	return dbgen.Verification(gone), err
}

// ErrInTransaction is the refusal to do in the caller's transaction what no rollback may undo.
const ErrInTransaction RefusalError = "in a transaction"

// ConsumeCode takes guesses at a code one by one, so that each is counted.
func (r *Repo) ConsumeCode(ctx context.Context, name string, p dbgen.ConsumeCodeParams, inTx bool) error {
	name = about(ctx, name, args[dbgen.ConsumeCodeParams, bool]{p, inTx})
	if !inTx && r.where().IsTx() {
		return ErrInTransaction
	}
	p.Now = r.Now()
	_, err := r.write(ctx, name, Key{},
		lock((*queries).LockVerifications, p.Identifier), verdict((*queries).ConsumeCode, p))
	return err
}
