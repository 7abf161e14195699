package authdb

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/repo"
)

// The number of rows in a page.
const (
	DefaultLimit = 50     // if Limit is 0
	MaxLimit     = 10_000 // a greater Limit is [ErrInvalidInput]
)

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items"` // empty, not nil, if there are none
	Next  Cursor `json:"next"`  // where the next page starts; zero on the last page
}

// Cursor is a place in a list: after one row, in the order of created_at and id. The zero value is the start. It stays
// right while rows come and go. It has no direction: a list goes on from it newest or oldest first. So the page before
// a page is the list in the other direction from the [CursorAt] of its first row.
//
// As text (JSON, a query parameter) it is opaque and URL-safe. It holds the row's time and id, unsigned: whoever edits
// it sees another page of the same list, and no other rows.
type Cursor struct {
	createdAt time.Time
	id        string
}

// from is where a page begins: c or, for the start, one of the two ends of all rows.
func (c Cursor) from(newest bool) Cursor {
	if c.IsZero() {
		c.createdAt, c.id = repo.PageStart(newest)
	}
	return c
}

// CursorAt returns the place after the row with that created_at and id, as the caller's own query has read them.
func CursorAt(createdAt time.Time, id string) Cursor {
	return Cursor{repo.Instant(repo.Micros(createdAt)), id}
}

// Key returns created_at and id of the row that c is after, for the caller's own query. Oldest first, the next rows
// have a (created_at, id) greater than these, also at the start, which is less than any row.
func (c Cursor) Key() (createdAt time.Time, id string) { return c.createdAt, c.id }

// ParseCursor returns the cursor that [Cursor.String] gave, or [ErrInvalidInput] for any other text.
func ParseCursor(text string) (Cursor, error) {
	var c Cursor
	err := c.UnmarshalText([]byte(text))
	return c, err
}

// String returns the cursor as text, such as a query parameter. The start is the empty text.
func (c Cursor) String() string {
	text, _ := c.MarshalText() // never fails
	return string(text)
}

// IsZero reports whether c is the start of a list; as [Page.Next], whether there is no further page.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// MarshalText encodes the cursor; the start is the empty text.
func (c Cursor) MarshalText() ([]byte, error) {
	if c.IsZero() {
		return nil, nil
	}
	raw := binary.BigEndian.AppendUint64(nil, uint64(repo.Micros(c.createdAt)))
	return base64.RawURLEncoding.AppendEncode(nil, append(raw, c.id...)), nil
}

// UnmarshalText decodes what [Cursor.MarshalText] encoded, and returns [ErrInvalidInput] for anything else.
func (c *Cursor) UnmarshalText(encoded []byte) error {
	const op = "Cursor.UnmarshalText"
	if len(encoded) == 0 {
		*c = Cursor{}
		return nil
	}
	raw, err := base64.RawURLEncoding.AppendDecode(nil, encoded)
	if err != nil || len(raw) < 8 {
		return check(op, fault{field: "cursor", reason: "malformed"})
	}
	at := repo.Instant(int64(binary.BigEndian.Uint64(raw)))
	row := string(raw[8:])
	if err := check(op, required("cursor", row, maxKey)); err != nil {
		return err
	}
	if at.Year() < -4712 || at.Year() > 294_276 { // the range of a timestamp
		return check(op, fault{field: "cursor", reason: "out of range"})
	}
	*c = Cursor{at, row}
	return nil
}

// pageOf checks where a page begins and how long it is.
func pageOf(after Cursor, limit int) fault {
	if f := text("after", after.id, maxKey); f.reason != "" {
		return f
	}
	return pageSize(limit)
}

// pageSize checks a Limit. A list reads one row more than a page, to see whether there is a next one.
func pageSize(limit int) fault {
	if limit < 0 || limit > MaxLimit {
		return fault{field: "limit", reason: "out of range"}
	}
	return fault{}
}

func rowLimit(limit int) int32 {
	if limit == 0 {
		limit = DefaultLimit
	}
	return int32(limit) + 1
}

// nonEmpty returns a filter by s; nil, which filters nothing, for the empty text.
func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return new(s) // &s would allocate for an empty text, too
}

// queries is short for the receiver in the name of a generated query, such as (*queries).GetUser.
type queries = repo.Queries

// get runs a query for one row or value.
func get[P, R, T any](
	ctx context.Context, r *repo.Repo, op string,
	query func(*queries, context.Context, P) (R, error), p P, item func(R) T,
) (T, error) {
	row, err := repo.Read(ctx, r, op, query, p)
	return answer(op, row, err, item)
}

// list runs a query for the rows of a page, and one more.
func list[P, R, T any](
	ctx context.Context, r *repo.Repo, op string,
	query func(*queries, context.Context, P) ([]R, error), p P, limit int, item func(R) T, cursor func(T) Cursor,
) (Page[T], error) {
	rows, err := repo.Read(inPage(ctx, limit), r, op, query, p)
	return page(op, rows, err, limit, item, cursor)
}

// inPage is ctx for a query of a page of that limit.
func inPage(ctx context.Context, limit int) context.Context {
	return repo.InPage(ctx, int(rowLimit(limit))-1)
}

// page makes a page from its rows and the one more.
func page[R, T any](
	op string, rows []R, err error, limit int, item func(R) T, cursor func(T) Cursor,
) (Page[T], error) {
	if err != nil {
		return Page[T]{}, translate(op, err)
	}
	rows, more := repo.CutPage(rows, rowLimit(limit))
	page := Page[T]{Items: each(rows, item)}
	if more {
		page.Next = cursor(page.Items[len(rows)-1])
	}
	return page, nil
}

// answer converts a row, unless there was an error.
func answer[R, T any](op string, row R, err error, item func(R) T) (T, error) {
	if err != nil {
		var none T
		return none, translate(op, err)
	}
	return item(row), nil
}

// answers converts rows in order; nil if there was an error.
func answers[R, T any](op string, rows []R, err error, item func(R) T) ([]T, error) {
	if err != nil {
		return nil, translate(op, err)
	}
	return each(rows, item), nil
}

// each converts rows in order.
func each[R, T any](rows []R, item func(R) T) []T {
	items := make([]T, len(rows))
	for i, row := range rows {
		items[i] = item(row)
	}
	return items
}

// itself converts nothing.
func itself[T any](v T) T { return v }

// countOf gives a query without parameters the form of one that takes them.
func countOf(
	query func(*queries, context.Context) (int64, error),
) func(*queries, context.Context, struct{}) (int64, error) {
	return func(q *queries, ctx context.Context, _ struct{}) (int64, error) { return query(q, ctx) }
}

// walkLimit is the number of rows that an iterator fetches at a time if Limit is 0.
const walkLimit = 1_000

// eachItem iterates over the items of all pages of list, from where p starts. Each walk has its own place.
func eachItem[P, T any](
	ctx context.Context, p P, place func(*P) (after *Cursor, limit *int), list func(context.Context, P) (Page[T], error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p := p
		after, limit := place(&p)
		if *limit == 0 {
			*limit = walkLimit
		}
		for {
			page, err := list(ctx, p)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next.IsZero() {
				return
			}
			*after = page.Next
		}
	}
}
