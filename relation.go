package authdb

import (
	"context"
	"math"
	"slices"

	"github.com/zerostarter/authdb/internal/repo"
)

// Rows says how many rows of a relation a Load brings: none unless it comes from [All], [Oldest] or [Newest].
type Rows struct {
	asked  bool
	limit  int
	newest bool
}

// All asks for every row of a relation, oldest first.
func All() Rows { return Rows{asked: true, limit: math.MaxInt32} }

// Oldest asks for the first n rows of a relation, oldest first; n for each parent.
func Oldest(n int) Rows { return Rows{asked: true, limit: n} }

// Newest asks for the last n rows of a relation, newest first; n for each parent.
func Newest(n int) Rows { return Rows{asked: true, limit: n, newest: true} }

func (r Rows) isAll() bool { return r.limit == math.MaxInt32 && !r.newest }

func (r Rows) rowLimit() int32 { return int32(r.limit) }

func (r Rows) check(field string) fault {
	if r.asked && (r.limit < 1 || r.limit > math.MaxInt32) {
		return fault{field: field, reason: "out of range"}
	}
	return fault{}
}

// loader collects the queries of one Load.
type loader struct {
	op      string
	faults  []fault
	queries []repo.Query
}

// loadMany brings what relations asks for to every parent, in one round trip.
func loadMany[P, L any](
	ctx context.Context, op string, r *repo.Repo, parents []P, id func(P) string,
	relations func(l *loader, ids []string) (attach func(P) L),
) ([]L, error) {
	ids := distinct(parents, id)
	l := &loader{op: op, faults: []fault{eachOf("id", ids, maxID)}}
	attach := relations(l, ids)
	if len(parents) == 0 {
		l.queries = nil
	}
	if err := l.run(ctx, r); err != nil {
		return nil, err
	}
	return each(parents, attach, nil), nil
}

// first is the one result of loadMany for one parent.
func first[L any](loaded []L, err error) (L, error) {
	if err != nil {
		var none L
		return none, err
	}
	return loaded[0], nil
}

func (l *loader) run(ctx context.Context, r *repo.Repo) error {
	if err := check(l.op, l.faults...); err != nil {
		return err
	}
	if len(l.queries) == 0 {
		return nil
	}
	return translate(l.op, r.Pipeline(ctx, l.queries...))
}

// related are the rows of a to-many relation, by parent.
type related[T any] struct {
	asked bool
	rows  map[string][]T
}

// of returns the rows of a parent: nil if they were not asked for, empty if there are none.
func (r *related[T]) of(parent string) []T {
	if rows, ok := r.rows[parent]; ok || !r.asked {
		return rows
	}
	return []T{}
}

// toMany adds the query of a to-many relation, if it is asked for. The query returns its rows oldest first.
func toMany[T any](
	l *loader, field string, rows Rows, parent func(*T) string, query func(r *repo.Repo) ([]T, error),
) *related[T] {
	rel := &related[T]{asked: rows.asked}
	if rows.asked {
		l.faults = append(l.faults, rows.check(field))
		l.queries = append(l.queries, func(r *repo.Repo) error {
			found, err := query(r)
			if rows.newest {
				slices.Reverse(found)
			}
			rel.rows = group(found, parent)
			return err
		})
	}
	return rel
}

// group sorts rows to their parents and keeps their order.
func group[T any](rows []T, parent func(*T) string) map[string][]T {
	if len(rows) == 0 {
		return nil
	}
	if one := parent(&rows[0]); isOnly(rows, parent, one) {
		return map[string][]T{one: rows}
	}
	counts := map[string]int{}
	for i := range rows {
		counts[parent(&rows[i])]++
	}
	groups := make(map[string][]T, len(counts))
	for i := range rows {
		key := parent(&rows[i])
		if groups[key] == nil {
			groups[key] = make([]T, 0, counts[key])
		}
		groups[key] = append(groups[key], rows[i])
	}
	return groups
}

// isOnly reports whether all rows have one parent: the usual case, which needs no counting.
func isOnly[T any](rows []T, parent func(*T) string, one string) bool {
	for i := range rows {
		if parent(&rows[i]) != one {
			return false
		}
	}
	return true
}

// toOne adds the query of a to-one relation, if it is asked for. The row of a key is nil if it was not, or is gone.
func toOne[R, T any](
	l *loader, asked bool, keys []string, query func(r *repo.Repo, keys []string) ([]R, error), item func(R) T, id func(T) string,
) (of func(key string) *T) {
	found := map[string]*T{}
	if !asked || len(keys) == 0 {
		return func(string) *T { return nil }
	}
	l.faults = append(l.faults, eachOf("id", keys, maxID))
	l.queries = append(l.queries, func(r *repo.Repo) error {
		rows, err := query(r, keys)
		for _, row := range rows {
			one := item(row)
			found[id(one)] = &one
		}
		return err
	})
	return func(key string) *T { return found[key] }
}

// distinct returns the keys of rows, each once.
func distinct[P any](rows []P, key func(P) string) []string {
	if len(rows) == 1 {
		return []string{key(rows[0])}
	}
	seen := make(map[string]bool, len(rows))
	keys := make([]string, 0, len(rows))
	for _, row := range rows {
		if k := key(row); !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return keys
}

func itself(s string) string { return s }
