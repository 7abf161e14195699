package authdb

import (
	"context"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// MarkLifetime is how long a mark is kept: how late a second call under the same key of [Once], or a call of
// [Store.Resolve], may come.
const MarkLifetime = 24 * time.Hour

// Once returns a context under which a write, or an [Store.InTx] with all its writes, is done at most once: a second
// call with the same key, from this process or another, changes nothing. A key stands for one write, such as the id of
// a message, or an Idempotency-Key header together with who sent it. Whoever knows a key can read its answer.
//
// The second call returns what the first one made or changed, as it is now, or nil where the method returns only an
// error. It returns [ErrAlreadyDone] where the answer is gone: from InTx, Consume, CreateMany but of team members, and
// whatever returns deleted rows or a count. A call that was refused has left no mark, and may be made again with the
// same key, except one whose refusal is to be remembered: [ErrNotFound] and [ErrWrongCode] are returned again. While
// the first call is under way, the second waits for it.
//
// A lost answer makes the method try again by itself until ctx is over, for a minute at most; only then it returns
// [ErrCommitUnknown], and [Store.Resolve] is final. An attempt takes two round trips where it would take one.
//
// The marks are rows of authdb.mark (migration 15), on which the role needs SELECT, INSERT, UPDATE and DELETE, and
// USAGE on the schema; [Store.DeleteExpiredMarks] purges them. Once needs a store on a pool or a connection. A method
// returns [ErrInvalidInput] with Field "once" for an empty key, one that was used for another method, with another
// argument or given up by Resolve, and in a transaction of the caller's. Times, password hashes and a provider's tokens
// may be others in the second call: made anew, they are. A single connection that was lost cannot try again. After a
// failover to a standby that lacks the write, it was never done.
func Once(ctx context.Context, key string) context.Context { return repo.WithKey(ctx, key) }

// WithOnce makes every write of the store leave a mark, as if each were under [Once] with a key of its own. So the
// outcome of a write can always be found out once PostgreSQL can be reached. Such a store cannot be on a standby: every
// InTx leaves a mark, even one that only reads, unless [TxOptions] make it ReadOnly.
func WithOnce() Option {
	return func(c *config) { c.repo.Marks = true }
}

// DeleteExpiredMarks deletes up to limit marks that are older than [MarkLifetime], the oldest first, and returns how
// many; see [SessionRepository.DeleteExpired].
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
