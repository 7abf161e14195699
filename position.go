package authdb

import (
	"context"
	"strconv"
)

// Position is a place in PostgreSQL's log. Everything that was committed before the call of [Store.Position] is before
// it. The zero value is the beginning, which every primary and standby has passed.
//
// As text (a cookie, a header, JSON) it is opaque and URL-safe. It holds no row, and is unsigned: whoever edits it
// waits longer, or reads older rows.
//
// It is valid for a primary and its physical standbys, as long as they replicate: not for another cluster, nor for a
// standby that goes on following a former primary.
type Position struct{ at uint64 }

// IsZero reports whether p is the beginning.
func (p Position) IsZero() bool { return p == Position{} }

// String is the position as text; the beginning is the empty text.
func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	return strconv.FormatUint(p.at, 16)
}

// MarshalText returns the text of [Position.String].
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what [Position.String] returned, and returns [ErrInvalidInput] for anything else.
func (p *Position) UnmarshalText(text []byte) error {
	at, err := strconv.ParseUint(string(text), 16, 64)
	if read := (Position{at}); len(text) == 0 || err == nil && read.String() == string(text) {
		*p = read
		return nil
	}
	return check("Position.UnmarshalText", fault{field: "position", reason: "malformed"})
}

// Position returns the primary's present place in its log. After [Store.WaitFor] with it, a standby has everything that
// was committed before Position was called. Call it after the write, or after the commit of its transaction; in a
// transaction it returns [ErrInTransaction]. It takes one round trip, or three if synchronous_commit is off for the
// store's sessions, since it then waits for the log to be written. A transaction that turns synchronous_commit off for
// itself may come after the position.
//
// On a standby it returns what that has replayed, so that another standby can be asked for no less.
func (s *Store) Position(ctx context.Context) (Position, error) {
	at, err := s.repo().Position(ctx)
	return Position{at}, translate("Position", err)
}

// WaitFor returns nil as soon as the store's PostgreSQL has everything up to a position: on a primary at once, on a
// standby when it has replayed it. What is read there afterwards is at least as new. It asks every few milliseconds, by
// a connection that it gives back each time, until ctx is over, or for 5 seconds if ctx has no deadline.
//
// It returns [ErrBehind] if the standby has not come so far by then, because it lags, or because its replay is paused
// or cannot go on. After this and any other error, ask the primary. In a transaction, which may see an older state for
// as long as it is open, it returns [ErrInTransaction].
//
// The store must lead to one standby alone: behind an address of several, WaitFor only speaks of the one that it met.
func (s *Store) WaitFor(ctx context.Context, p Position) error {
	return translate("WaitFor", s.repo().WaitFor(ctx, p.at))
}
