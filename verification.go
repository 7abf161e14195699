package authdb

import (
	"context"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// Verification is a value that proves something once, such as a reset token, a code or an OAuth state: one row of the
// verification table. Several rows may have one identifier.
type Verification struct {
	ID         string    `json:"id"`
	Identifier Secret    `json:"-"` // what is proved, such as "reset-password:" and a token: it can be the secret itself
	Value      Secret    `json:"-"` // such as the user's id, a code with its count of attempts, or JSON
	ExpiresAt  time.Time `json:"expiresAt"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

func (v Verification) cursor() Cursor { return Cursor{v.CreatedAt, v.ID} }

func toVerification(row dbgen.Verification) Verification { return Verification(row) }

// CreateVerificationParams are the columns of a new verification.
type CreateVerificationParams struct {
	ID         string // empty: a new one; always empty for Reserve, which makes its own
	Identifier Secret // at most 512 characters
	Value      Secret // at most 65,536 characters
	ExpiresAt  time.Time
}

// noID refuses an id, since Reserve makes it from the identifier.
func (p CreateVerificationParams) noID() fault {
	if p.ID != "" {
		return fault{field: "id", reason: "malformed"}
	}
	return fault{}
}

// UpdateVerificationParams says what to change; the zero value changes nothing but UpdatedAt.
type UpdateVerificationParams struct {
	Value     Change[Secret]    `json:"value,omitzero"`
	ExpiresAt Change[time.Time] `json:"expiresAt,omitzero"`
}

func (p UpdateVerificationParams) check(op string, key fault) error {
	return check(op, key, p.Value.notNull("value"), p.ExpiresAt.notNull("expires_at"),
		optional("value", p.Value.value, maxValue), instant("expires_at", p.ExpiresAt.value))
}

// ConsumeCodeParams are a guess at a one-time code.
type ConsumeCodeParams struct {
	Identifier  Secret
	Code        Secret // as it is stored: hashed, if Better Auth's storeOTP says so
	MaxAttempts int    // wrong guesses after which the code is void; zero: 3, Better Auth's allowedAttempts
	InTx        bool   // run in the caller's transaction, whose rollback forgets a wrong guess
}

// ListVerificationsParams selects a page of an identifier's verifications.
type ListVerificationsParams struct {
	Identifier Secret
	Newest     bool // newest first; otherwise oldest first
	After      Cursor
	Limit      int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// VerificationRepository reads and writes the verification table. It is [Store.Verifications].
type VerificationRepository struct{ door }

// Create adds a verification, which becomes the newest of its identifier: if another program's clock was ahead, its
// CreatedAt is a millisecond after the newest. It returns [ErrInvalidInput].
func (r VerificationRepository) Create(ctx context.Context, p CreateVerificationParams) (Verification, error) {
	const op = "Verifications.Create"
	if err := check(op, text("id", p.ID, maxID), required("identifier", p.Identifier, maxToken),
		text("value", p.Value, maxValue),
		requiredInstant("expires_at", p.ExpiresAt)); err != nil {
		return Verification{}, err
	}
	row, err := r.repo().CreateVerification(ctx, op, dbgen.CreateVerificationParams{
		ID: p.ID, Identifier: string(p.Identifier), Value: string(p.Value), ExpiresAt: p.ExpiresAt,
	})
	return answer(op, row, err, toVerification)
}

// Reserve adds a verification whose identifier can be reserved once, such as the id of a message that must not be
// replayed. It returns [ErrConflict] if it is reserved, here or by Better Auth 1.7, until that row is deleted, or
// [ErrInvalidInput]. In a transaction that is rolled back it was not reserved.
func (r VerificationRepository) Reserve(ctx context.Context, p CreateVerificationParams) error {
	const op = "Verifications.Reserve"
	if err := check(op, p.noID(), required("identifier", p.Identifier, maxToken), text("value",
		string(p.Value), maxValue),
		requiredInstant("expires_at", p.ExpiresAt)); err != nil {
		return err
	}
	return translate(op, r.repo().ReserveVerification(ctx, op, dbgen.ReserveVerificationParams{
		Identifier: string(p.Identifier), Value: string(p.Value), ExpiresAt: p.ExpiresAt,
	}))
}

// Get returns the verification with that id, or [ErrNotFound]. It does not look at ExpiresAt.
func (r VerificationRepository) Get(ctx context.Context, verificationID string) (Verification, error) {
	const op = "Verifications.Get"
	if err := check(op, id("verification_id", verificationID)); err != nil {
		return Verification{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetVerification, verificationID, toVerification)
}

// GetByIdentifier returns the newest verification of an identifier, or [ErrNotFound] if there is none or the newest
// has expired: an older one is never taken in its place. It does not use up the verification.
func (r VerificationRepository) GetByIdentifier(ctx context.Context, identifier Secret) (Verification, error) {
	const op = "Verifications.GetByIdentifier"
	if err := check(op, key("identifier", identifier)); err != nil {
		return Verification{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetVerificationByIdentifier, dbgen.GetVerificationByIdentifierParams{
		Identifier: string(identifier), Now: r.repo().Now(),
	}, toVerification)
}

// List returns a page of the verifications of an identifier, expired ones too, oldest first unless p.Newest. It returns
// [ErrInvalidInput].
func (r VerificationRepository) List(ctx context.Context, p ListVerificationsParams) (Page[Verification], error) {
	const op = "Verifications.List"
	if err := check(op, key("identifier", p.Identifier), pageOf(p.After, p.Limit)); err != nil {
		return Page[Verification]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListVerificationsParams{
		Identifier: string(p.Identifier), AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListVerificationsNewest, dbgen.ListVerificationsNewestParams(args),
			p.Limit, toVerification, Verification.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListVerifications, args, p.Limit, toVerification, Verification.cursor)
}

// All iterates over the verifications of [VerificationRepository.List] from p.After on, p.Limit (1,000 if 0) at a time.
// An error ends it.
func (r VerificationRepository) All(ctx context.Context, p ListVerificationsParams) iter.Seq2[Verification, error] {
	return eachItem(ctx, p, func(p *ListVerificationsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns how many verifications [VerificationRepository.List] has on all its pages. It returns
// [ErrInvalidInput].
func (r VerificationRepository) Count(ctx context.Context, p ListVerificationsParams) (int64, error) {
	const op = "Verifications.Count"
	if err := check(op, key("identifier", p.Identifier), pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountVerifications, string(p.Identifier), itself)
}

// Consume deletes the newest verification of an identifier, with all older ones, and returns it. However many callers
// ask at once, one gets it and the others get [ErrNotFound]. All get that if there is none, or if the newest has
// expired. A rollback brings it back. It suits an identifier that holds the secret, such as "reset-password:" and a
// token.
func (r VerificationRepository) Consume(ctx context.Context, identifier Secret) (Verification, error) {
	const op = "Verifications.Consume"
	if err := check(op, key("identifier", identifier)); err != nil {
		return Verification{}, err
	}
	row, err := r.repo().ConsumeVerification(ctx, op, dbgen.ConsumeVerificationParams{Identifier: string(identifier)})
	return answer(op, row, err, toVerification)
}

// ConsumeValue is Consume if the newest verification has that value. Otherwise it changes nothing and returns
// [ErrNotFound]. It counts no attempts: use ConsumeCode for a value that can be guessed.
func (r VerificationRepository) ConsumeValue(ctx context.Context, identifier, value Secret) (Verification, error) {
	const op = "Verifications.ConsumeValue"
	if err := check(op, key("identifier", identifier), text("value", value, maxValue)); err != nil {
		return Verification{}, err
	}
	row, err := r.repo().ConsumeVerification(ctx, op, dbgen.ConsumeVerificationParams{
		Identifier: string(identifier), Value: new(string(value)),
	})
	return answer(op, row, err, toVerification)
}

// ConsumeCode uses up a one-time code, whose verification has the value "code:attempts" as Better Auth writes it. It
// returns [ErrWrongCode] after counting the guess, [ErrTooManyAttempts] if there were MaxAttempts wrong ones before,
// also for the right code, [ErrNotFound] if there is no code or it has expired, or [ErrInvalidInput].
//
// In a transaction it returns [ErrInTransaction] unless p.InTx is set, since a rollback would forget the guess: call it
// before [Store.InTx]. It cannot see a transaction behind the caller's own type of handle.
func (r VerificationRepository) ConsumeCode(ctx context.Context, p ConsumeCodeParams) error {
	const op = "Verifications.ConsumeCode"
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 3
	}
	if err := check(op, key("identifier", p.Identifier), required("code", p.Code, maxToken),
		limitOf("max_attempts", p.MaxAttempts)); err != nil {
		return err
	}
	return translate(op, r.repo().ConsumeCode(ctx, op, dbgen.ConsumeCodeParams{
		Identifier: string(p.Identifier), Code: string(p.Code), MaxAttempts: int32(min(p.MaxAttempts, 1000)),
	}, p.InTx))
}

// Update changes what p says of the verification with that id and returns it. It returns [ErrNotFound] or
// [ErrInvalidInput].
func (r VerificationRepository) Update(
	ctx context.Context, verificationID string, p UpdateVerificationParams,
) (Verification, error) {
	const op = "Verifications.Update"
	if err := p.check(op, id("verification_id", verificationID)); err != nil {
		return Verification{}, err
	}
	row, err := repo.Update(ctx, r.repo(), op, (*queries).UpdateVerification, dbgen.UpdateVerificationParams{
		ID: verificationID, Value: (*string)(p.Value.value), ExpiresAt: repo.UTC(p.ExpiresAt.value), Now: r.repo().Now(),
	}, (*queries).GetVerification, verificationID)
	return answer(op, row, err, toVerification)
}

// UpdateByIdentifier changes what p says of every verification of an identifier and returns how many there are. It
// returns [ErrInvalidInput].
func (r VerificationRepository) UpdateByIdentifier(
	ctx context.Context, identifier Secret, p UpdateVerificationParams,
) (int64, error) {
	const op = "Verifications.UpdateByIdentifier"
	if err := p.check(op, key("identifier", identifier)); err != nil {
		return 0, err
	}
	query := (*queries).UpdateVerificationsByIdentifier
	n, err := repo.Count(ctx, r.repo(), op, query, dbgen.UpdateVerificationsByIdentifierParams{
		Identifier: string(identifier), Value: (*string)(p.Value.value),
		ExpiresAt: repo.UTC(p.ExpiresAt.value), Now: r.repo().Now(),
	})
	return n, translate(op, err)
}

// Delete removes the verification with that id, and those of the same identifier that it had replaced, so that none of
// them counts again. It returns [ErrNotFound].
func (r VerificationRepository) Delete(ctx context.Context, verificationID string) error {
	const op = "Verifications.Delete"
	if err := check(op, id("verification_id", verificationID)); err != nil {
		return err
	}
	return deleted(op, repo.Delete(ctx, r.repo(), op, (*queries).DeleteVerification, verificationID))
}

// DeleteByIdentifier removes the verifications of an identifier and returns how many there were. It returns
// [ErrInvalidInput].
func (r VerificationRepository) DeleteByIdentifier(ctx context.Context, identifier Secret) (int64, error) {
	const op = "Verifications.DeleteByIdentifier"
	if err := check(op, key("identifier", identifier)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, r.repo(), op, (*queries).DeleteVerificationsByIdentifier, string(identifier))
	return n, translate(op, err)
}

// DeleteExpired deletes up to limit expired verifications, oldest first, each with those of the same identifier that it
// had replaced, and returns how many; see [SessionRepository.DeleteExpired].
func (r VerificationRepository) DeleteExpired(ctx context.Context, limit int) (int64, error) {
	const op = "Verifications.DeleteExpired"
	if err := check(op, batchSize(limit)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, r.repo(), op, (*queries).DeleteExpiredVerifications, dbgen.DeleteExpiredVerificationsParams{
		Now: r.repo().Now(), RowLimit: int32(limit),
	})
	return n, translate(op, err)
}
