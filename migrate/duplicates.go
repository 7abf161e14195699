package migrate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/zerostarter/authdb/db/migrations"
)

// Duplicates counts the rows of a table that a unique index would refuse.
type Duplicates struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Keys    int      `json:"keys"`    // how many values of the columns have more than one row
	Surplus int      `json:"surplus"` // how many rows there are beyond one for each value
}

// DuplicatesError says that rows are in the way of unique indexes. It holds no value of a row.
type DuplicatesError struct {
	Found   []Duplicates
	Version int  // of the database, now
	Changed bool // whether migrations were applied before they were found
}

// Error names the tables and the queries that list the rows.
func (e *DuplicatesError) Error() string {
	var text strings.Builder
	text.WriteString("rows are in the way of a unique index; ")
	if e.Changed {
		fmt.Fprintf(&text, "the database is at version %d", e.Version)
	} else {
		text.WriteString("nothing was changed")
	}
	text.WriteString(". Leave one row for each value, or run adopt --fix, and try again:")
	for _, d := range e.Found {
		fmt.Fprintf(&text, "\n  %s (%s): duplicated values: %d, surplus rows: %d; their ids, oldest first:\n    %s",
			d.Table, strings.Join(d.Columns, ", "), d.Keys, d.Surplus, d.Query())
	}
	return text.String()
}

// Query returns SQL that lists the ids of the rows, a line for each value. Every table has an id and a created_at.
func (d Duplicates) Query() string {
	columns := `"` + strings.Join(d.Columns, `", "`) + `"`
	return fmt.Sprintf(`SELECT pg_catalog.array_agg("id" ORDER BY "created_at", "id") FROM "%s" WHERE (%s) IS NOT NULL `+
		`GROUP BY %[2]s HAVING pg_catalog.count(*) > 1;`, d.Table, columns)
}

const hasColumns = `SELECT pg_catalog.count(*) = $3 FROM pg_catalog.pg_attribute
WHERE attrelid = pg_catalog.to_regclass($1)::oid AND attname = ANY ($2::text[]) AND NOT attisdropped`

// has reports whether a table with these columns exists.
func (m *Migrator) has(ctx context.Context, table string, columns ...string) (there bool, err error) {
	err = m.conn.QueryRow(ctx, hasColumns, m.in("SCHEMA."+table), columns, len(columns)).Scan(&there)
	return there, err
}

// findDuplicates looks for rows that the index would refuse: none if its table or columns are yet to be made.
func (m *Migrator) findDuplicates(ctx context.Context, i *migrations.Index) (Duplicates, error) {
	d := Duplicates{Table: strings.Trim(i.Table, `"`), Columns: strings.Split(strings.Trim(i.Columns, `"`), `", "`)}
	if there, err := m.has(ctx, i.Table, d.Columns...); err != nil || !there {
		return d, err
	}
	count := fmt.Sprintf(`SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(n - 1), 0)::bigint FROM (SELECT pg_catalog.count(*) AS n FROM %s `+
		`WHERE (%s) IS NOT NULL GROUP BY %[2]s HAVING pg_catalog.count(*) > 1) AS d`, m.in("SCHEMA."+i.Table), i.Columns)
	return d, m.conn.QueryRow(ctx, count).Scan(&d.Keys, &d.Surplus)
}

// checkDuplicates returns a *DuplicatesError if a unique index between the two versions would refuse rows.
func (m *Migrator) checkDuplicates(ctx context.Context, from, to int) error {
	found, err := m.duplicates(ctx, from, to)
	if err == nil && len(found) > 0 {
		err = &DuplicatesError{Found: found, Version: from}
	}
	return err
}

func (m *Migrator) duplicates(ctx context.Context, from, to int) ([]Duplicates, error) {
	found := []Duplicates{}
	for _, s := range m.steps {
		if s.Version <= from || s.Version > to || s.Index == nil || !s.Index.Unique {
			continue
		}
		d, err := m.findDuplicates(ctx, s.Index)
		if err != nil {
			return nil, fmt.Errorf("look for duplicates in %s: %w", d.Table, plain(err))
		}
		if d.Keys > 0 {
			found = append(found, d)
		}
	}
	return found, nil
}

const isInvalid = `SELECT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1)::oid
	AND indrelid = pg_catalog.to_regclass($2)::oid AND NOT indisvalid)`

// dropInvalid drops the index if it is INVALID, and reports whether it was. A valid one of that name, or one on another
// table, is somebody else's. It waits at most wait for the transactions that use the table, and blocks neither reads
// nor writes meanwhile.
func (m *Migrator) dropInvalid(ctx context.Context, i *migrations.Index, wait time.Duration) (invalid bool, err error) {
	if err := m.conn.QueryRow(ctx, isInvalid, m.in("SCHEMA."+i.Name), m.in("SCHEMA."+i.Table)).Scan(&invalid); err != nil || !invalid {
		return false, plain(err)
	}
	const set = "SET lock_timeout = %d"
	if _, err := m.conn.Exec(ctx, fmt.Sprintf(set, wait.Milliseconds())); err != nil {
		return true, plain(err)
	}
	_, err = m.conn.Exec(ctx, m.in("DROP INDEX CONCURRENTLY SCHEMA."+i.Name))
	if _, err := m.conn.Exec(ctx, fmt.Sprintf(set, m.opts.LockTimeout.Milliseconds())); err != nil {
		return true, plain(err)
	}
	if err != nil {
		return true, fmt.Errorf("drop the INVALID index %s: %w", i.Name, lockTimeout(plain(err)))
	}
	return true, nil
}
