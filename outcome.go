package authdb

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/repo"
)

// SQLSTATE codes, as in PostgreSQL's appendix A, about states and not about rows. The first two are the beginnings of
// many.
const (
	connectionException      = "08"
	operatorShutdown         = "57P0"
	featureNotSupported      = "0A000"
	divisionByZero           = "22012"
	idleInTransactionTimeout = "25P03"
	transactionTimeout       = "25P04"
	serializationFailure     = "40001"
	deadlockDetected         = "40P01"
	tooManyConnections       = "53300"
	lockNotAvailable         = "55P03"
	queryCanceled            = "57014"
)

// Outcome says what became of a write that returned an error.
type Outcome int

const (
	// OutcomeNotApplied means that nothing was changed, and nothing will be.
	OutcomeNotApplied Outcome = iota
	// OutcomeUnknown means that the answer was lost. The error is [ErrCommitUnknown]; ask [Store.Resolve].
	OutcomeUnknown
	// OutcomeApplied means that everything was changed as asked. No error says so, only [Store.Resolve].
	OutcomeApplied
)

// String returns "not applied", "unknown" or "applied".
func (o Outcome) String() string {
	switch o {
	case OutcomeNotApplied:
		return "not applied"
	case OutcomeUnknown:
		return "unknown"
	case OutcomeApplied:
		return "applied"
	}
	return "invalid"
}

// MarshalText returns the text of [Outcome.String], for JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// RetryClass says whether it makes sense to do again what returned an error.
type RetryClass int

const (
	// RetryNever means that it would fail again, or the caller's context was cancelled.
	RetryNever RetryClass = iota
	// RetryTransaction means that it may succeed after a pause, and nothing was applied. In a transaction, run all of it
	// again.
	RetryTransaction
	// RetryResolve means that it may have been applied. Ask [Store.Resolve] first.
	RetryResolve
)

// String returns "never", "transaction" or "resolve".
func (c RetryClass) String() string {
	switch c {
	case RetryNever:
		return "never"
	case RetryTransaction:
		return "transaction"
	case RetryResolve:
		return "resolve"
	}
	return "invalid"
}

// MarshalText returns the text of [RetryClass.String], for JSON.
func (c RetryClass) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// written is translate for a statement of r that writes. If it commits by itself, a lost answer leaves its outcome
// unknown; in a transaction that is open, the transaction is lost with it.
func written(r *repo.Repo, op string, err error) error {
	if err == nil || r.InTx() || isNotApplied(err) {
		return translate(op, err)
	}
	return unknown(op, err, repo.KeysOf(err), repo.ProcessOf(err))
}

// affected is written for a write that must have met a row. It inserts nothing, so a foreign key that it violates is
// that of a row which points at its own.
func affected(r *repo.Repo, op string, rows int64, err error) error {
	if err == nil && rows == 0 {
		err = pgx.ErrNoRows
	}
	err = written(r, op, err)
	if e, ok := errors.AsType[*Error](err); ok && e.SQLState == foreignKeyViolation {
		e.kinds, e.Field = []error{ErrReferenced}, ""
	}
	return err
}

// unknown is the error of a write whose answer was lost.
func unknown(op string, err error, keys []repo.Key, process uint32) error {
	e := &Error{
		Op: op, Outcome: OutcomeUnknown, Retry: RetryResolve, kinds: []error{ErrCommitUnknown}, cause: err, process: process,
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		e.SQLState = pgErr.Code
	}
	for _, k := range keys {
		e.Keys = append(e.Keys, Key(k))
	}
	e.addContextErrors()
	return e
}

// isNotApplied reports whether the error of a commit, or of a statement that commits by itself, proves that it changed
// nothing. Only an answer of the server's does, or that nothing was sent. What pgx says of an error's safety does not:
// see TestSafeToRetryIsWrong.
func isNotApplied(err error) bool {
	if _, ok := errors.AsType[*Error](err); ok || repo.NotSent(err) {
		return true
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return !isShutdown(pgErr) && !isFatal(pgErr)
	}
	// A batch that has met no row can lose its end as well.
	_, lost := errors.AsType[*repo.FaultError](err)
	return errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, pgx.ErrNoRows) && !lost
}

// isShutdown reports whether the server, or a pooler before it, said that it ends the connection. It can say so after
// the commit, while that waits for a standby.
func isShutdown(err *pgconn.PgError) bool {
	return strings.HasPrefix(err.Code, operatorShutdown) || strings.HasPrefix(err.Code, connectionException)
}

// isFatal reports whether the error ended the connection. A PANIC can come after the commit was written down.
func isFatal(err *pgconn.PgError) bool {
	severity := err.SeverityUnlocalized
	if severity == "" {
		severity = err.Severity
	}
	return severity == "FATAL" || severity == "PANIC"
}

// Resolve finds out what became of the write or the [Store.InTx] that returned err. It knows without asking the
// database if err is not [ErrCommitUnknown]: nil is OutcomeApplied, any other error OutcomeNotApplied.
//
// Otherwise it looks for the rows of [Error.Keys]. If one is there, the outcome is OutcomeApplied, for they were made
// together. A row that is not there may still be on its way, so Resolve first waits until the server has no process
// left that could bring it; then it is OutcomeNotApplied for good. A row that was deleted again meanwhile, or by the
// transaction itself, looks like that, too. Without keys (only updates or deletes) the outcome stays OutcomeUnknown.
//
// Call it on a store on a pool or on a connection of its own, with a context that sets a limit: together with
// OutcomeUnknown it returns the error that ended it, such as that of the context or [ErrUnavailable], and may be called
// again. On a store in a transaction it returns [ErrInvalidInput].
//
// The wait needs to know the server's process. Behind PgBouncer and the like it does not, and waits for all statements
// of the role that run when it begins: there it can miss a statement that the pooler has not passed on yet. After a
// failover the answer is that of the server that is asked, which must be the primary.
func (s *Store) Resolve(ctx context.Context, err error) (Outcome, error) {
	const op = "Resolve"
	if err == nil {
		return OutcomeApplied, nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Outcome != OutcomeUnknown {
		return OutcomeNotApplied, nil
	}
	if len(e.Keys) == 0 {
		return OutcomeUnknown, nil
	}
	if s.repo.InTx() {
		return OutcomeUnknown, &Error{Op: op, Field: "store", Reason: "in a transaction", kinds: []error{ErrInvalidInput}}
	}
	outcome := e.Outcome
	var since *time.Time
	err = repo.Poll(ctx, func() (bool, error) {
		// In this order: what ended before the rows are looked for is seen then.
		now, unfinished, err := s.repo.Unfinished(ctx, e.process, since)
		if err != nil {
			return false, err
		}
		since = &now
		found, err := s.anyExists(ctx, e.Keys)
		switch {
		case err != nil:
			return false, err
		case found:
			outcome = OutcomeApplied
		case !unfinished:
			outcome = OutcomeNotApplied
		}
		return outcome != OutcomeUnknown, nil
	})
	return outcome, translate(op, err)
}

func (s *Store) anyExists(ctx context.Context, keys []Key) (bool, error) {
	for _, k := range keys {
		if found, err := s.repo.Exists(ctx, repo.Key(k)); found || err != nil {
			return found, err
		}
	}
	return false, nil
}
