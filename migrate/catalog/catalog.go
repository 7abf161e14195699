// Package catalog describes a schema by facts that are the same on every PostgreSQL version, and compares two schemas.
package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
)

// Fact is one object of a schema: a table, column, constraint, index or trigger, or something that decides who reads
// and writes a table's rows: row security, a policy, a rule, a grant to PUBLIC.
type Fact struct {
	Kind string `json:"kind"`
	Name string `json:"name"` // table, or table.object; in authdb's own schema with authdb. before it
	Def  string `json:"definition,omitempty"`
}

// String is the fact in one line.
func (f Fact) String() string { return Line(f.Kind + " " + f.Name + " " + f.Def) }

// longest is how many characters of a line are shown.
const longest = 2000

// Line is text in one printable line, since a catalog's names and expressions may hold anything: control characters are
// escaped as in Go, and a very long text is cut.
func Line(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimRight(text, " ") {
		if n++; n > longest {
			return b.String() + "…"
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

func (f Fact) key() string { return f.Kind + " " + f.Name }

func compare(a, b Fact) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) }

// query lists the facts of a schema and of authdb's own; of the migrator's tables there, only whether they are UNLOGGED
// and what PUBLIC may do. Column order is no fact. PostgreSQL 18's NOT NULL constraints (contype n) are left out, since
// columns have them, and so is an index that a constraint owns. Pretty-printed definitions name objects of the first
// schema without it; the table of an index in the other one is fixed by hand. The owner of a table is a fact if it is
// not that of "user", or of the version table. A name in the first schema that looks like one in the other is quoted.
const query = `
WITH tables AS (
	SELECT c.oid, CASE WHEN pg_catalog.starts_with(c.relname::text, 'authdb') THEN '"' || c.relname::text || '"' ELSE c.relname::text END AS relname,
		c.relname AS plain, u.relowner AS owner
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	LEFT JOIN pg_catalog.pg_class u ON u.relnamespace = n.oid AND u.relname = 'user'
	WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
	UNION ALL
	SELECT c.oid, 'authdb.' || c.relname::text, c.relname, u.relowner
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	LEFT JOIN pg_catalog.pg_class u ON u.relnamespace = n.oid AND u.relname = 'schema_migrations'
	WHERE n.nspname = $2 AND c.relkind IN ('r', 'p') AND NOT pg_catalog.starts_with(c.relname::text, 'schema_migrations') AND NOT pg_catalog.starts_with(c.relname::text, 'schema_history')
), journal AS (
	SELECT c.relname, c.relacl, c.relpersistence
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $2 AND c.relkind = 'r' AND (pg_catalog.starts_with(c.relname::text, 'schema_migrations') OR pg_catalog.starts_with(c.relname::text, 'schema_history'))
)
SELECT 'table', t.relname, pg_catalog.concat_ws(' ',
	CASE WHEN c.relpersistence <> 'p' THEN 'UNLOGGED' END,
	'PARTITION BY ' || pg_catalog.pg_get_partkeydef(t.oid),
	(SELECT 'INHERITS ' || pg_catalog.string_agg(i.inhparent::regclass::text, ', ')
		FROM pg_catalog.pg_inherits i WHERE i.inhrelid = t.oid),
	(SELECT 'INHERITED BY ' || pg_catalog.string_agg(i.inhrelid::regclass::text, ', ')
		FROM pg_catalog.pg_inherits i WHERE i.inhparent = t.oid),
	CASE WHEN c.relowner <> t.owner THEN 'OWNER ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) END)
FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.oid
UNION ALL
SELECT 'row security', t.relname, CASE WHEN c.relforcerowsecurity THEN 'FORCED' ELSE 'ENABLED' END
FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relrowsecurity
UNION ALL
SELECT 'policy', t.relname || '.' || p.polname::text, pg_catalog.concat_ws(' ',
	CASE WHEN p.polpermissive THEN 'PERMISSIVE FOR' ELSE 'RESTRICTIVE FOR' END,
	CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
	'TO ' || (SELECT pg_catalog.string_agg(
		CASE r WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ')
		FROM pg_catalog.unnest(p.polroles) r),
	'USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
	'WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')
FROM tables t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT 'rule', t.relname || '.' || r.rulename::text, pg_catalog.regexp_replace(pg_catalog.pg_get_ruledef(r.oid, true), '[[:space:]]+', ' ', 'g')
FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
UNION ALL
SELECT 'grant', t.relname || '.PUBLIC', pg_catalog.string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.oid, pg_catalog.aclexplode(c.relacl) a
WHERE a.grantee = 0::oid GROUP BY t.relname
UNION ALL
SELECT 'grant', t.relname || '.' || c.attname::text || '.PUBLIC', pg_catalog.string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
FROM tables t JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid, pg_catalog.aclexplode(c.attacl) a
WHERE a.grantee = 0::oid GROUP BY t.relname, c.attname
UNION ALL
SELECT 'grant', 'authdb.' || c.relname::text || '.PUBLIC', pg_catalog.string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
FROM journal c, pg_catalog.aclexplode(c.relacl) a
WHERE a.grantee = 0::oid GROUP BY c.relname
UNION ALL
SELECT 'table', 'authdb.' || c.relname::text, 'UNLOGGED' FROM journal c WHERE c.relpersistence <> 'p'
UNION ALL
SELECT 'column', t.relname || '.' || a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)
	|| CASE WHEN a.attcollation <> y.typcollation THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END
	|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
	|| CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'n'
		AND k.conkey OPERATOR(pg_catalog.=) ARRAY[a.attnum] AND NOT k.convalidated) THEN ' NOT VALID' ELSE '' END
	|| CASE WHEN a.attidentity <> '' THEN ' IDENTITY' ELSE '' END
	|| coalesce(CASE WHEN a.attgenerated <> '' THEN ' GENERATED AS ' ELSE ' DEFAULT ' END
		|| pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
FROM tables t
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraint', t.relname || '.' || k.conname::text, pg_catalog.pg_get_constraintdef(k.oid)
	|| CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indexrelid = k.conindid AND x.indrelid = t.oid
		AND NOT x.indisvalid) THEN ' INVALID' ELSE '' END
	|| CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgenabled IN ('D', 'R'))
		THEN ' DISABLED' ELSE '' END
FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype <> 'n'
UNION ALL
SELECT 'index', t.relname || '.' || i.relname::text, pg_catalog.replace(pg_catalog.pg_get_indexdef(i.oid, 0, true),
		' ON ' || t.oid::regclass::text || ' ', ' ON ' || pg_catalog.quote_ident(t.plain) || ' ')
	|| CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
FROM tables t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger', t.relname || '.' || g.tgname::text, pg_catalog.pg_get_triggerdef(g.oid, true)
	|| CASE g.tgenabled WHEN 'D' THEN ' DISABLED' WHEN 'R' THEN ' ENABLED FOR REPLICAS' WHEN 'A' THEN ' ENABLED ALWAYS' ELSE '' END
FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal`

// Database is a connection or a transaction.
type Database interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Own is the schema of authdb's own tables.
const Own = "authdb"

// Read returns the sorted facts of a schema and of own, which is [Own] or a schema that stands in for it. Definitions
// name neither, so that they compare with those of other schemas. Only functions and operators of PostgreSQL's own
// schema are called: the query is parsed while nothing else is searched. It runs while the schema is searched, so that
// definitions leave out its name.
func Read(ctx context.Context, db Database, schema, own string) (facts []Fact, err error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx))) }()
	if _, err = tx.Exec(ctx, "SET LOCAL search_path = pg_catalog, pg_temp"); err == nil {
		_, err = tx.Exec(ctx, "DECLARE authdb_facts NO SCROLL CURSOR FOR "+query, schema, own)
	}
	if err == nil {
		_, err = tx.Exec(ctx, "SET LOCAL search_path = "+pgx.Identifier{schema}.Sanitize()+", pg_temp")
	}
	var rows pgx.Rows
	if err == nil {
		rows, err = tx.Query(ctx, "FETCH ALL FROM authdb_facts")
	}
	if err == nil {
		facts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Fact, err error) {
			err = row.Scan(&f.Kind, &f.Name, &f.Def)
			return f, err
		})
	}
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

// Diff is how a schema differs from the wanted one.
type Diff struct {
	Missing   []Fact   `json:"missing"`
	Extra     []Fact   `json:"extra"`
	Different []Change `json:"different"`
}

// Change is an object whose definition differs.
type Change struct {
	Want Fact `json:"want"`
	Got  Fact `json:"got"`
}

// Empty reports whether there is no difference.
func (d Diff) Empty() bool { return len(d.Missing)+len(d.Extra)+len(d.Different) == 0 }

// WithoutExtra returns d without Extra.
func (d Diff) WithoutExtra() Diff {
	d.Extra = []Fact{}
	return d
}

// Brief returns d with one fact for a whole table.
func (d Diff) Brief() Diff {
	d.Missing, d.Extra = tables(d.Missing), tables(d.Extra)
	return d
}

func tables(facts []Fact) []Fact {
	return slices.DeleteFunc(slices.Clone(facts), func(f Fact) bool {
		return slices.ContainsFunc(facts, func(t Fact) bool { return t.Kind == "table" && strings.HasPrefix(f.Name, t.Name+".") })
	})
}

// String returns a line for each difference, and one for a whole table.
func (d Diff) String() string {
	var b strings.Builder
	d = d.Brief()
	for _, f := range d.Missing {
		fmt.Fprintf(&b, "missing    %s\n", f)
	}
	for _, f := range d.Extra {
		fmt.Fprintf(&b, "extra      %s\n", f)
	}
	for _, c := range d.Different {
		fmt.Fprintf(&b, "different  %s\n", c.Got)
		fmt.Fprintf(&b, "           wanted: %s\n", Line(cmp.Or(c.Want.Def, "as the migrations make it")))
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

// Minus returns the facts of a that are not among b, compared by all fields.
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
