package authdb

import (
	"context"
	"math"

	"github.com/zerostarter/authdb/internal/repo"
)

// Rows says how many rows of a relation GetFull or Load reads. [All], [Oldest] and [Newest] make one; the zero value
// asks for none.
type Rows struct {
	asked  bool
	limit  int
	newest bool
}

// All asks for every row of a relation, oldest first.
func All() Rows { return Rows{asked: true, limit: math.MaxInt32} }

// Oldest asks for the first n rows of a relation for each parent, oldest first.
func Oldest(n int) Rows { return Rows{asked: true, limit: n} }

// Newest asks for the last n rows of a relation for each parent, newest first.
func Newest(n int) Rows { return Rows{asked: true, limit: n, newest: true} }

func (r Rows) isAll() bool { return r.limit == math.MaxInt32 && !r.newest }

func (r Rows) rowLimit() int32 { return int32(r.limit) }

func (r Rows) check(field string) fault {
	if r.asked && (r.limit < 1 || r.limit > math.MaxInt32) {
		return fault{field: field, reason: "out of range"}
	}
	return fault{}
}

// loader collects the queries of one Load, and what is wrong with its arguments.
type loader struct {
	fault fault // the first one
	graph repo.Graph
}

func (l *loader) check(f fault) {
	if l.fault.reason == "" {
		l.fault = f
	}
}

// load adds the relations to every row, in one round trip and as of one moment.
func load[P, L any](
	ctx context.Context, op string, r *repo.Repo, rows []P, relations func(l *loader) (attach func(P) L),
) ([]L, error) {
	var l loader
	attach := relations(&l)
	if err := l.run(ctx, op, r, len(rows) > 0); err != nil {
		return nil, err
	}
	return each(rows, attach), nil
}

func (l *loader) run(ctx context.Context, op string, r *repo.Repo, hasRows bool) error {
	if err := check(op, l.fault); err != nil || !hasRows {
		return err
	}
	return translate(op, r.Load(ctx, op, &l.graph))
}

// getFull reads one row and its relations, in one round trip.
func getFull[P, R, T, L any](
	ctx context.Context, op string, r *repo.Repo, query func(*queries, context.Context, P) (R, error), p P,
	parent func(R) T, relations func(l *loader) (attach func(T) L), faults ...fault,
) (L, error) {
	var l loader
	var row R
	for _, f := range faults {
		l.check(f)
	}
	repo.Get(&l.graph, query, p, &row)
	attach := relations(&l)
	if err := l.run(ctx, op, r, true); err != nil {
		var none L
		return none, err
	}
	return attach(parent(row)), nil
}

// keysOf returns the keys of rows, each once, for a query.
func keysOf[P any](l *loader, rows []P, key func(P) string) []string {
	keys := distinct(rows, key)
	l.check(eachOf("id", keys, maxKey))
	return keys
}

// toMany adds a relation of many rows, if it is asked for: by a query for all of them, or by one with a limit. Both
// return the rows oldest first.
func toMany[T, PA, RA, PS, RS any](
	l *loader, field string, rows Rows, isAll bool, parent func(*T) string,
	all func(*queries, context.Context, PA) ([]RA, error), pa PA, itemOfAll func(RA) T,
	some func(*queries, context.Context, PS) ([]RS, error), ps PS, itemOfSome func(RS) T,
) *repo.Many[T] {
	if !rows.asked {
		return nil
	}
	l.check(rows.check(field))
	if isAll {
		return repo.ToMany(&l.graph, all, pa, itemOfAll, false, parent)
	}
	return repo.ToMany(&l.graph, some, ps, itemOfSome, rows.newest, parent)
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
