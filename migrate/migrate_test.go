package migrate_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/migrate"
)

// catalogFacts lists tables, columns, constraints, indexes that no constraint owns, triggers and functions of the
// schema public, and of authdb but for what the migrator keeps there. PostgreSQL 18 keeps NOT NULL as constraints
// (contype n), which the columns say already.
const catalogFacts = `
WITH relations AS (
	SELECT oid, relname::text, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace
	UNION ALL
	SELECT oid, 'authdb.' || relname, relkind FROM pg_class
	WHERE relnamespace = to_regnamespace('authdb') AND relname !~ '^schema_(migrations|history)'
)
SELECT 'table ' || relname FROM relations WHERE relkind IN ('r', 'v', 'm', 'S', 'p')
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
	|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
	|| coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a
JOIN relations c ON c.oid = a.attrelid AND c.relkind = 'r'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || c.relname || '.' || k.conname || ' ' || replace(pg_get_constraintdef(k.oid), 'public.', '')
FROM pg_constraint k JOIN relations c ON c.oid = k.conrelid
WHERE k.contype <> 'n'
UNION ALL
SELECT 'index ' || c.relname || '.' || i.relname || ' ' || replace(pg_get_indexdef(i.oid), 'public.', '')
	|| CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN relations c ON c.oid = x.indrelid
WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1`

func facts(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT fact COLLATE "C" FROM (`+catalogFacts+`) f(fact) ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// empty returns a connection to a database with nothing in it, and a migrator for it.
func empty(t *testing.T) (*pgx.Conn, *migrate.Migrator) {
	t.Helper()
	return emptyWith(t, migrate.Options{})
}

func emptyWith(t *testing.T, opts migrate.Options) (*pgx.Conn, *migrate.Migrator) {
	t.Helper()
	db, err := testdb.Empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "REVOKE CREATE ON SCHEMA public FROM PUBLIC") // as from PostgreSQL 15 on
	opts.InsecureTLS = true
	m, err := migrate.Open(t.Context(), db.DSN, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		_ = conn.Close(ctx)
		if err := db.Drop(ctx); err != nil {
			t.Error(err)
		}
	})
	return conn, m
}

// TestBaselineCatalog compares version 1 with the list written from the DDL that drizzle-kit generates.
func TestBaselineCatalog(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	if err := m.Goto(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("testdata/catalog_0001.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(want) != 106 {
		t.Fatalf("%d facts wanted, not 106", len(want))
	}
	if diff := cmp.Diff(want, facts(t, conn)); diff != "" {
		t.Errorf("catalog (-want +got):\n%s", diff)
	}
}

// TestEachMigration takes every migration up, down and up again. What each changes is in facts.json.
func TestEachMigration(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 1)
	before := facts(t, conn)
	for version := 2; version <= newest; version++ {
		mustGoto(t, m, version)
		right(t, m)
		after := facts(t, conn)
		if err := m.Down(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, m, version-1)
		if diff := cmp.Diff(before, facts(t, conn)); diff != "" {
			t.Errorf("version %d undone (-before +after):\n%s", version, diff)
		}
		mustGoto(t, m, version)
		if diff := cmp.Diff(after, facts(t, conn)); diff != "" {
			t.Errorf("version %d up, down, up (-first +second):\n%s", version, diff)
		}
		if list := invalid(t, conn); len(list) > 0 {
			t.Errorf("version %d: %s", version, list)
		}
		before = after
	}
}

func TestDownRemovesEverything(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	before := facts(t, conn)
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	up := facts(t, conn)
	if err := m.Up(t.Context()); err != nil {
		t.Errorf("up on a current database: %v", err)
	}
	version, dirty, err := m.Version(t.Context())
	if version == 0 || dirty || err != nil {
		t.Errorf("version %d, dirty %v, %v", version, dirty, err)
	}
	if err := m.Down(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if v, dirty, err := m.Version(t.Context()); v != 0 || dirty || err != nil {
		t.Errorf("version %d, dirty %v, %v", v, dirty, err)
	}
	if diff := cmp.Diff(before, facts(t, conn)); diff != "" {
		t.Errorf("after down (-before +after):\n%s", diff)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(up, facts(t, conn)); diff != "" {
		t.Errorf("after up, down, up (-first +second):\n%s", diff)
	}
}

// TestVersionTableStaysOutOfPublic: there, drizzle-kit push would ask to drop it.
func TestVersionTableStaysOutOfPublic(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 1)
	var schema string
	if err := conn.QueryRow(t.Context(),
		`SELECT table_schema FROM information_schema.tables WHERE table_name = 'schema_migrations'`).Scan(&schema); err != nil {
		t.Fatal(err)
	}
	if schema != "authdb" {
		t.Errorf("the version table is in schema %s", schema)
	}
}

// TestUpRefusesForeignTables: a database that Drizzle made is left alone, and not dirty.
func TestUpRefusesForeignTables(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	if _, err := conn.Exec(t.Context(), `CREATE TABLE "user" (id text PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrForeignTables) {
		t.Errorf("got %v", err)
	}
	if v, dirty, err := m.Version(t.Context()); v != 0 || dirty || err != nil {
		t.Errorf("version %d, dirty %v, %v", v, dirty, err)
	}
}
