package authdb

import (
	"context"
	"strconv"
)

// Position is a place in the log of a database: at least as far as all that was committed before [Store.Position] gave
// it. The zero value is the beginning, which every server has behind it.
//
// As text (a cookie, a header, JSON) it is opaque and URL-safe. It holds no row, and is unsigned: who edits it waits
// for longer, or reads what is older, than who was given it.
//
// It counts for the servers that replicate from one another, physically, and for as long as they do: not for those of
// another database, nor for a standby that goes on following a former primary.
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

// UnmarshalText reads what [Position.String] gave, and returns [ErrInvalidInput] for anything else.
func (p *Position) UnmarshalText(text []byte) error {
	at, err := strconv.ParseUint(string(text), 16, 64)
	if read := (Position{at}); len(text) == 0 || err == nil && read.String() == string(text) {
		*p = read
		return nil
	}
	return check("Position.UnmarshalText", fault{field: "position", reason: "malformed"})
}

// Position returns how far the log of the primary is: give it to [Store.WaitFor] of a standby, and all that this
// program wrote before Position was called is seen there. Call it after the write, or after the commit of its
// transaction; in a transaction it returns [ErrInTransaction]. It takes one round trip, and three where
// synchronous_commit is off for the store's sessions, since it waits then for the log to be written. What a transaction
// commits that turns that off for itself alone may come behind the position.
//
// On a standby it is what that has replayed, so that another one can be asked for no less.
func (s *Store) Position(ctx context.Context) (Position, error) {
	at, err := s.repo().Position(ctx)
	return Position{at}, translate("Position", err)
}

// WaitFor returns nil as soon as the server of the store has all up to a position: on a primary at once, on a standby
// when it has replayed it. What is read after that, on the same server, is at least as new. It asks every few
// milliseconds, by a connection that it gives back each time, until ctx is over, or for 5 seconds where ctx has no
// deadline.
//
// It returns [ErrBehind] where the standby has not come so far by then, since it lags, or its replay is paused or
// cannot go on: ask the primary. That is to do with any other error, too. In a transaction, which may see an older
// state for as long as it is open, it returns [ErrInTransaction].
//
// A store knows of no other server than the one that its connections lead to. So it must have a standby to itself:
// behind an address that leads to several, WaitFor speaks of the one that it met.
func (s *Store) WaitFor(ctx context.Context, p Position) error {
	return translate("WaitFor", s.repo().WaitFor(ctx, p.at))
}
