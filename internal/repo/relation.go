package repo

import (
	"context"
	"slices"
)

// Graph holds the queries of the relations that a Load is asked for.
type Graph struct{ steps []Step }

// Load runs the queries of g in one round trip and on one snapshot; see [Repo.Snapshot].
func (r *Repo) Load(ctx context.Context, name string, g *Graph) error {
	if len(g.steps) == 0 {
		return nil
	}
	return r.Snapshot(ctx, name, g.steps...)
}

// Get adds a query for one row.
func Get[P, R any](g *Graph, query func(*queries, context.Context, P) (R, error), p P, answer *R) {
	g.add(ask(query, p, answer))
}

func (g *Graph) add(s Step) {
	if g.steps == nil {
		g.steps = make([]Step, 0, 8)
	}
	g.steps = append(g.steps, s)
}

// Many are the rows of a relation by parent. It is nil if the relation was not asked for.
type Many[T any] struct {
	parent string // of all rows; groups is nil then
	rows   []T
	groups map[string][]T
}

// Of returns the rows of a parent in the order of the query, or reversed: nil if they were not asked for, empty if
// there are none.
func (m *Many[T]) Of(parent string) []T {
	if m == nil {
		return nil
	}
	rows := m.groups[parent]
	if m.groups == nil && m.parent == parent {
		rows = m.rows
	}
	if rows == nil {
		return []T{}
	}
	return rows
}

// ToMany adds a query for a relation of many rows.
func ToMany[P, R, T any](
	g *Graph, query func(*queries, context.Context, P) ([]R, error), p P, item func(R) T,
	reversed bool, parent func(*T) string,
) *Many[T] {
	m := &Many[T]{}
	g.add(Step{run: func(ctx context.Context, q *queries) error {
		rows, err := items(ctx, q, query, p, item)
		if reversed {
			slices.Reverse(rows)
		}
		m.group(rows, parent)
		return err
	}})
	return m
}

func items[P, R, T any](
	ctx context.Context, q *queries, query func(*queries, context.Context, P) ([]R, error), p P, item func(R) T,
) ([]T, error) {
	rows, err := query(q, ctx, p)
	items := make([]T, len(rows))
	for i, row := range rows {
		items[i] = item(row)
	}
	return items, err
}

// group sorts rows to their parents and keeps their order.
func (m *Many[T]) group(rows []T, parent func(*T) string) {
	if len(rows) == 0 {
		return
	}
	m.parent, m.rows = parent(&rows[0]), rows
	alone := true
	for i := range rows {
		alone = alone && parent(&rows[i]) == m.parent
	}
	if alone { // the usual case needs no counting
		return
	}
	counts := map[string]int{}
	for i := range rows {
		counts[parent(&rows[i])]++
	}
	m.groups = make(map[string][]T, len(counts))
	for i := range rows {
		key := parent(&rows[i])
		if m.groups[key] == nil {
			m.groups[key] = make([]T, 0, counts[key])
		}
		m.groups[key] = append(m.groups[key], rows[i])
	}
}
