package repo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	maxAttempts  = 10
	firstBackoff = 5 * time.Millisecond
	maxBackoff   = 500 * time.Millisecond
)

const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// Retry calls fn, which must be a whole transaction, until it is not the victim of another one: at most 10 times, with
// a pause that grows and varies, and not once ctx is over. It returns the last error, together with that of ctx if that
// ended it.
func Retry(ctx context.Context, fn func() error) error {
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		err := fn()
		if attempt == maxAttempts || !isVictim(err) {
			return err
		}
		if ctxErr := pause(ctx, rand.N(backoff)); ctxErr != nil {
			return errors.Join(err, ctxErr)
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// isVictim reports whether the server says that the transaction failed for another's sake. Of any other error, and of
// one that ended the connection, the caller must judge what it means.
func isVictim(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.SeverityUnlocalized != "FATAL" &&
		(pgErr.Code == serializationFailure || pgErr.Code == deadlockDetected)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Poll calls fn until it says that it is done or fails, with pauses that grow. It returns the error of ctx once that is
// over.
func Poll(ctx context.Context, fn func() (done bool, err error)) error {
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		if done, err := fn(); done || err != nil {
			return err
		}
		if err := pause(ctx, backoff); err != nil {
			return err
		}
	}
}
