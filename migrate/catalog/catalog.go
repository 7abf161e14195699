// Package catalog describes a schema by facts that are the same on every PostgreSQL, and compares two of them.
package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Fact is one object of a schema: a table, column, constraint, index or trigger.
type Fact struct {
	Kind string `json:"kind"`
	Name string `json:"name"` // table, or table.object; of authdb's own schema, authdb.table and so on
	Def  string `json:"definition,omitempty"`
}

// String is the fact in one line.
func (f Fact) String() string { return strings.TrimRight(f.Kind+" "+f.Name+" "+f.Def, " ") }

func (f Fact) key() string { return f.Kind + " " + f.Name }

func compare(a, b Fact) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) }

// query lists the facts of the current schema, and of authdb's own but for what the migrator keeps there. Column order
// is none of them. PostgreSQL 18 keeps NOT NULL as constraints (contype n), which the columns say already. An index that
// a constraint owns is the constraint's. What is in the current schema, definitions name without a schema, if they are
// asked for as for a person to read; the table of an index in the other one needs a hand.
const query = `
WITH tables AS (
	SELECT oid, relname::text FROM pg_class
	WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relkind IN ('r', 'p')
	UNION ALL
	SELECT oid, 'authdb.' || relname FROM pg_class
	WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind IN ('r', 'p')
		AND relname NOT IN ('schema_migrations', 'schema_history')
)
SELECT 'table', relname, '' FROM tables
UNION ALL
SELECT 'column', t.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
	|| CASE WHEN a.attcollation <> y.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END
	|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
	|| CASE WHEN a.attidentity <> '' THEN ' IDENTITY' ELSE '' END
	|| coalesce(CASE WHEN a.attgenerated <> '' THEN ' GENERATED AS ' ELSE ' DEFAULT ' END
		|| pg_get_expr(d.adbin, d.adrelid), '')
FROM tables t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraint', t.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype <> 'n'
UNION ALL
SELECT 'index', t.relname || '.' || i.relname,
	replace(pg_get_indexdef(i.oid, 0, true), ' ON ' || t.oid::regclass || ' ', ' ON ' || quote_ident(c.relname) || ' ')
	|| CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
FROM tables t JOIN pg_class c ON c.oid = t.oid
JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class i ON i.oid = x.indexrelid
WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger', t.relname || '.' || g.tgname, pg_get_triggerdef(g.oid, true)
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal`

// Querier is a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Own is the schema of authdb's own tables.
const Own = "authdb"

// Read returns the facts of the current schema and of own, which is [Own] or a schema that stands in for it, sorted.
// Definitions name neither, so that they compare with another's.
func Read(ctx context.Context, db Querier, own string) ([]Fact, error) {
	rows, err := db.Query(ctx, query, own)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	facts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Fact, err error) {
		err = row.Scan(&f.Kind, &f.Name, &f.Def)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	return Sort(facts), nil
}

// Sort sorts facts in place.
func Sort(facts []Fact) []Fact {
	slices.SortFunc(facts, compare)
	return facts
}

// Diff is how a schema differs from what it should be.
type Diff struct {
	Missing   []Fact   `json:"missing"`
	Extra     []Fact   `json:"extra"`
	Different []Change `json:"different"`
}

// Change is an object that is there, but otherwise.
type Change struct {
	Want Fact `json:"want"`
	Got  Fact `json:"got"`
}

// Empty reports whether the two are equal.
func (d Diff) Empty() bool { return len(d.Missing)+len(d.Extra)+len(d.Different) == 0 }

// WithoutExtra is the same but for what is there beyond what should be.
func (d Diff) WithoutExtra() Diff {
	d.Extra = []Fact{}
	return d
}

// String is one line for each difference, none for none.
func (d Diff) String() string {
	var b strings.Builder
	for _, f := range d.Missing {
		fmt.Fprintf(&b, "missing    %s\n", f)
	}
	for _, f := range d.Extra {
		fmt.Fprintf(&b, "extra      %s\n", f)
	}
	for _, c := range d.Different {
		fmt.Fprintf(&b, "different  %s\n", c.Got)
		fmt.Fprintf(&b, "           wanted: %s\n", c.Want.Def)
	}
	return b.String()
}

// Compare returns how got differs from want.
func Compare(want, got []Fact) Diff {
	d := Diff{Missing: []Fact{}, Extra: []Fact{}, Different: []Change{}}
	there := index(got)
	for _, f := range want {
		other, ok := there[f.key()]
		switch {
		case !ok:
			d.Missing = append(d.Missing, f)
		case other != f:
			d.Different = append(d.Different, Change{f, other})
		}
		delete(there, f.key())
	}
	for _, f := range got {
		if _, ok := there[f.key()]; ok {
			d.Extra = append(d.Extra, f)
		}
	}
	return d
}

// Minus returns the facts of a that are not among b, by all that they say.
func Minus(a, b []Fact) []Fact {
	there := index(b)
	return slices.DeleteFunc(slices.Clone(a), func(f Fact) bool { return there[f.key()] == f })
}

// Contains reports whether each of facts is among schema.
func Contains(schema, facts []Fact) bool { return len(Minus(facts, schema)) == 0 }

func index(facts []Fact) map[string]Fact {
	m := make(map[string]Fact, len(facts))
	for _, f := range facts {
		m[f.key()] = f
	}
	return m
}
