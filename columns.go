package authdb

import (
	"context"
	"reflect"

	"github.com/zerostarter/authdb/internal/repo"
)

// Columns are columns of a table that authdb does not know, such as those of Better Auth's additionalFields and of its
// plugins. T is a struct of the caller's that names them: the column of a field is its db tag, or its name in snake
// case. A column that can be NULL needs a field that can be nil.
//
// They are asked for in the context, as [Once] is, and travel in the statements that are sent anyway. Who does not ask
// pays nothing.
type Columns[T any] struct {
	columns *repo.Columns
	fields  []int
}

// NewColumns looks the columns of T up in a table, such as "user" or "team_member": once, when the program starts. It
// returns [ErrInvalidInput] for a table that authdb does not have, a column that the table does not have, one of
// another type, or one that authdb knows itself; the error's Field is the column.
func NewColumns[T any](ctx context.Context, s *Store, table string) (*Columns[T], error) {
	const op = "NewColumns"
	c := &Columns[T]{}
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil, check(op, fault{field: "columns", reason: "malformed"})
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
		names, dests, c.fields = append(names, name), append(dests, reflect.New(holds).Interface()), append(c.fields, i)
	}
	var err error
	if c.columns, err = s.repo().NewColumns(ctx, table, names, dests); err != nil {
		return nil, translate(op, err)
	}
	return c, nil
}

// Read returns a context whose calls also bring the columns, and where to find them by the id of their row: after a
// Get, a List, a Load, Authenticate and every other call that returns rows of the table which it has read, in the
// same round trip. What was found stays there for the calls after it. The two are for one goroutine.
func (c *Columns[T]) Read(ctx context.Context) (context.Context, map[string]T) {
	found := map[string]T{}
	return repo.WithColumns(ctx, c.columns, func() ([]any, func()) {
		var id *string
		row := reflect.New(reflect.TypeFor[T]()).Elem()
		dests := []any{&id}
		var values []reflect.Value // pointers to what is NULL where a join found no row
		for _, i := range c.fields {
			value := reflect.New(reflect.PointerTo(row.Field(i).Type()))
			values, dests = append(values, value.Elem()), append(dests, value.Interface())
		}
		return dests, func() {
			if id == nil {
				return
			}
			for at, i := range c.fields {
				if !values[at].IsNil() {
					row.Field(i).Set(values[at].Elem())
				}
			}
			found[*id] = row.Interface().(T)
		}
	}), found
}

// Write returns a context whose Create, CreateMany and Update, and every other call that inserts a row into the table,
// store these values in it, in the same statement.
func (c *Columns[T]) Write(ctx context.Context, values T) context.Context {
	row, args := reflect.ValueOf(values), make([]any, len(c.fields))
	for at, i := range c.fields {
		args[at] = row.Field(i).Interface()
	}
	return repo.WithValues(ctx, c.columns, args)
}
