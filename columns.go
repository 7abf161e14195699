package authdb

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/zerostarter/authdb/internal/repo"
)

// Columns are columns of a table that authdb does not know, such as those of Better Auth's additionalFields and
// plugins. T is a struct of the caller's that names them: a field's column is its db tag, or its name in snake case. A
// struct in T is one column, not several. NULL is read as the zero value; a field that must tell them apart is a
// pointer or a [Change].
//
// A context asks for them, as with [Once], and they travel in the statements that are sent anyway. Calls with other
// contexts cost no more. A context may be used by many goroutines.
type Columns[T any] struct {
	columns *repo.Columns
	fields  []int
}

// NewColumns looks up the columns of T in a table, such as "user" or "team_member". Call it once, when the program
// starts. It returns [ErrInvalidInput] for a table that authdb does not have, a column that the table does not have,
// one of another type, or one that authdb knows itself; the error's Field is the column.
func NewColumns[T any](ctx context.Context, s *Store, table string) (*Columns[T], error) {
	const op = "NewColumns"
	c := &Columns[T]{}
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil, check(op, fault{field: "columns", reason: "T is no struct"})
	}
	var names []string
	var dests []any
	for i := range t.NumField() {
		f := t.Field(i)
		name, tagged := f.Tag.Lookup("db")
		if !f.IsExported() || name == "-" {
			continue
		}
		if !tagged {
			name = repo.ColumnName(f.Name)
		}
		holds := f.Type
		for holds.Kind() == reflect.Pointer {
			holds = holds.Elem()
		}
		dest := reflect.New(holds).Interface()
		if change, ok := dest.(interface{ column() any }); ok {
			dest = reflect.New(reflect.TypeOf(change.column()).Elem().Elem()).Interface()
		}
		names, dests, c.fields = append(names, name), append(dests, dest), append(c.fields, i)
	}
	var err error
	if c.columns, err = s.repo().NewColumns(ctx, table, names, dests); err != nil {
		return nil, translate(op, err)
	}
	return c, nil
}

// found holds the columns that a context's calls have read.
type found[T any] struct {
	mu   sync.Mutex
	rows map[string]T
}

// foundOf is the context key of a found.
type foundOf[T any] struct{ *Columns[T] }

// Read returns a context whose calls also read the columns, for [Columns.Of]: every Get, List, Load, Authenticate and
// other call that returns rows which it has read from the table, in the same round trip. Middleware may make the
// context, and a handler call Of with the request's. What was found is kept as long as the context.
func (c *Columns[T]) Read(ctx context.Context) context.Context {
	if ctx.Value(foundOf[T]{c}) != nil {
		return ctx
	}
	all := &found[T]{rows: map[string]T{}}
	ctx = context.WithValue(ctx, foundOf[T]{c}, all)
	return repo.WithColumns(ctx, c.columns, func() ([]any, func()) {
		var id *string
		row := reflect.New(reflect.TypeFor[T]()).Elem()
		dests := []any{&id}
		values := make([]reflect.Value, len(c.fields)) // pointers, since a join without a row gives NULL
		for at, i := range c.fields {
			if change, ok := row.Field(i).Addr().Interface().(interface{ column() any }); ok {
				dests = append(dests, change.column())
				continue
			}
			value := reflect.New(reflect.PointerTo(row.Field(i).Type()))
			values[at], dests = value.Elem(), append(dests, value.Interface())
		}
		return dests, func() {
			if id == nil {
				return
			}
			for at, i := range c.fields {
				if values[at].IsValid() && !values[at].IsNil() {
					row.Field(i).Set(values[at].Elem())
				}
				inUTC(row.Field(i).Addr().Interface())
			}
			all.mu.Lock()
			defer all.mu.Unlock()
			all.rows[*id] = row.Interface().(T)
		}
	})
}

// inUTC converts a time that was read to UTC: pgx gives times of timestamptz columns the program's zone.
func inUTC(field any) {
	switch f := field.(type) {
	case *time.Time:
		*f = f.UTC()
	case **time.Time:
		if *f != nil {
			**f = (*f).UTC()
		}
	case *Change[time.Time]:
		inUTC(&f.value)
	}
}

// Of returns the columns of the row with that id, if a call with ctx has read them. ctx is what Read returned, or is
// derived from it.
func (c *Columns[T]) Of(ctx context.Context, id string) (columns T, ok bool) {
	all, _ := ctx.Value(foundOf[T]{c}).(*found[T])
	if all == nil {
		return columns, false
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	columns, ok = all.rows[id]
	return columns, ok
}

// Write returns a context with which Create, CreateMany, Update and every other call that inserts a row into the table,
// or renews one as Invitations.Create and Accounts.Link do, stores these values in it, in the same statement. A field
// that is a [Change] and not set is left out: an Update leaves its column, and a new row gets its default.
//
// Such a call returns [ErrInvalidInput], with the column as Field, for a value that does not fit its column, or that
// would be changed: a fraction for a whole number, an infinity of type real, a name of more than 63 bytes, bytes in a
// JSON value that are not UTF-8. Rounding by the column's own type does not count: numeric(5,2), timestamp(0), money, a
// fraction as real or double precision, the nanoseconds of a time of day or an interval, the order of a jsonb, blanks
// beyond the length of a varchar(3). Timestamps are stored as UTC, in milliseconds; a date and a time of day are those
// of the value's own zone. With default_query_exec_mode=exec, pgx goes only by the Go type: give a text as a string
// there.
func (c *Columns[T]) Write(ctx context.Context, values T) context.Context {
	row := reflect.ValueOf(values)
	args, use := make([]any, 0, len(c.fields)), make([]int, 0, len(c.fields))
	for at, i := range c.fields {
		arg := row.Field(i).Interface()
		if change, ok := arg.(interface{ argument() (any, bool) }); ok {
			var set bool
			if arg, set = change.argument(); !set {
				continue
			}
		}
		args, use = append(args, arg), append(use, at)
	}
	return repo.WithValues(ctx, c.columns, use, args)
}
