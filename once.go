package authdb

import (
	"context"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// MarkLifetime is how long a mark is kept, and so how late a second call under the same key of [Once], or a call of
// [Store.Resolve], may come.
const MarkLifetime = 24 * time.Hour

// Once returns a context under which a write, or an [Store.InTx] with all its writes, is done at most once: a second
// call with the same key, from this process or another, changes nothing. A key stands for one write, such as the id of
// a message, or an Idempotency-Key header together with who sent it. Whoever knows a key can read its answer.
//
// The second call returns what the first one made or changed, as it is now, or nil if the method returns only an error.
// It returns [ErrAlreadyDone] if the answer is gone: from InTx, Consume, CreateMany except of team members, and every
// method that returns deleted rows or a count. A refused call leaves no mark, and may be made again with the same key;
// but [ErrNotFound] and [ErrWrongCode] are remembered and returned again. While the first call is under way, the second
// waits for it.
//
// If an answer is lost, the method tries again by itself until ctx is over, for a minute at most. Only then it returns
// [ErrCommitUnknown], and the answer of [Store.Resolve] is final. An attempt takes two round trips in place of one.
//
// The marks are rows of authdb.mark (migration 15), on which the role needs SELECT, INSERT, UPDATE and DELETE, and
// USAGE on the schema; [Store.DeleteExpiredMarks] purges them. Once needs a store on a pool or a connection. A method
// returns [ErrInvalidInput] with Field "once" for an empty key, for one that was used for another method or with
// another argument or given up by Resolve, and in the caller's transaction. Times, password hashes and a provider's
// tokens may differ in the second call, since they are made anew. A single connection that was lost cannot try again.
// After a failover to a standby that lacks the write, it was never done.
func Once(ctx context.Context, key string) context.Context { return repo.WithKey(ctx, key) }

// WithOnce makes every write of the store leave a mark, as if each were under [Once] with its own key. So the outcome
// of a write can always be found out once PostgreSQL can be reached. Such a store cannot be on a standby: every InTx
// leaves a mark, even one that only reads, unless [TxOptions] make it ReadOnly.
func WithOnce() Option {
	return func(c *config) { c.repo.Marks = true }
}

// DeleteExpiredMarks deletes up to limit marks that are older than [MarkLifetime], oldest first, and returns how many;
// see [SessionRepository.DeleteExpired].
func (s *Store) DeleteExpiredMarks(ctx context.Context, limit int) (int64, error) {
	const op = "DeleteExpiredMarks"
	if err := check(op, batchSize(limit)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, s.repo(), op, (*queries).DeleteExpiredMarks, dbgen.DeleteExpiredMarksParams{
		Before: s.repo().Now().Add(-MarkLifetime), RowLimit: int32(limit),
	})
	return n, translate(op, err)
}
