package authdb

import (
	"context"
	"errors"

	"github.com/zerostarter/authdb/internal/repo"
)

// Outcome says what became of a write that returned an error.
type Outcome int

const (
	// OutcomeNotApplied means that nothing was changed, and nothing will be.
	OutcomeNotApplied Outcome = iota
	// OutcomeUnknown means that the answer was lost. The error is [ErrCommitUnknown]; ask [Store.Resolve].
	OutcomeUnknown
	// OutcomeApplied means that everything was changed as asked. An error has it if the row that came back cannot be read.
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

// RetryClass says whether to try again what returned an error.
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

// Resolve finds out what became of the write or the [Store.InTx] that returned err. It knows without asking the
// database if err is not [ErrCommitUnknown]: nil is OutcomeApplied, any other error OutcomeNotApplied.
//
// For a write under [Once] or [WithOnce], Resolve always knows once PostgreSQL answers, and the answer is final: a
// write that was not applied cannot be applied later.
//
// Otherwise Resolve looks for a row that the write made. If it is there, the outcome is OutcomeApplied. If not, the
// write may still be on its way: Resolve waits until the PostgreSQL process that got the write has ended, and looks
// again. A row that was deleted since looks as if it had never been made. If this proves nothing, the outcome is
// OutcomeUnknown, and the error says why: the write made no row, or Resolve asks on a standby, through a pooler, or at
// another address than the write. The clock of PostgreSQL's machine must not be set back meanwhile.
//
// OutcomeUnknown always comes with an error, such as that of ctx or [ErrUnavailable], and Resolve may be called again.
// The store must be on a pool or a connection of its own; in a transaction Resolve returns [ErrInvalidInput]. After a
// failover the store must lead to the new primary, whose answer counts.
func (s *Store) Resolve(ctx context.Context, err error) (Outcome, error) {
	const op = "Resolve"
	if err == nil {
		return OutcomeApplied, nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Outcome != OutcomeUnknown {
		if ok {
			return e.Outcome, nil
		}
		return OutcomeNotApplied, nil
	}
	if s.repo().IsTx() {
		return OutcomeUnknown, check(op, fault{field: "store", reason: "in a transaction"})
	}
	applied, err := s.repo().Resolve(ctx, e.lost)
	switch {
	case err != nil:
		return OutcomeUnknown, stillUnknown(translate(op, err), e.lost)
	case applied:
		return OutcomeApplied, nil
	}
	return OutcomeNotApplied, nil
}

// stillUnknown makes err, with which Resolve of lost failed, an error that can be resolved again.
func stillUnknown(err error, lost *repo.Lost) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.lost, e.Outcome, e.Retry = lost, OutcomeUnknown, RetryResolve
		e.kinds = append(e.kinds, ErrCommitUnknown)
	}
	return err
}
