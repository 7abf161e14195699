package migrate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate"
)

// TestSchemasOfOneDatabase: each has versions of its own, is verified, goes down and is dropped by itself, and leaves
// what both need to the other.
func TestSchemasOfOneDatabase(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	long := strings.Repeat("l", 60)
	exec(t, conn, `CREATE SCHEMA "two %s '"; CREATE SCHEMA `+long)
	open := func(path string) *migrate.Migrator {
		return migrator(t, dsnWith(t, dsn, "search_path", path), migrate.Options{})
	}
	paths := []string{"public", `"two %s '", public`, long}
	for _, path := range paths {
		m := open(path)
		if path != "public" {
			if _, err := m.Verify(t.Context(), migrate.VerifyOptions{}); !errors.Is(err, migrate.ErrNoTables) && path == long {
				t.Errorf("%s, before: %v", path, err)
			}
		}
		_ = m.Close()
	}
	// The first schema of a path that has the tables is the one: so the second is migrated before the first has any.
	for _, path := range []string{`"two %s '", public`, "public", long} {
		m := open(path)
		wantVersion(t, m, 0)
		if err := m.Up(t.Context()); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		verified(t, m)
		_ = m.Close()
	}
	tables := func(schema string) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace($1)`,
			pgx.Identifier{schema}.Sanitize()).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	for _, schema := range []string{"public", "two %s '", long} {
		if n := tables(schema); n != 9 {
			t.Errorf("%s has %d tables", schema, n)
		}
	}

	m := open(`"two %s '", public`)
	mustGoto(t, m, 9)
	verified(t, m) // though authdb.mark is there
	if s := status(t, m); s.Version != 9 || !s.Pending() || s.Troubled() {
		t.Errorf("%+v", s)
	}
	first := open("public")
	wantVersion(t, first, newest)
	verified(t, first)
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
	verified(t, m)
	if err := m.Drop(t.Context()); err != nil {
		t.Error(err)
	}
	_ = m.Close()
	if n := tables("two %s '"); n != 0 {
		t.Errorf("%d tables are left", n)
	}
	verified(t, first)
	_ = first.Close()
	last := open(long)
	if err := last.Drop(t.Context()); err != nil {
		t.Error(err)
	}
	_ = last.Close()
	first = open("public")
	verified(t, first)
	if err := first.Drop(t.Context()); err != nil {
		t.Error(err)
	}
	if left := collect(t, conn, `SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace IN
		('public'::regnamespace, to_regnamespace('authdb'))`); len(left) > 0 {
		t.Errorf("left in the end: %v", left)
	}
}

// TestSchemaOfTheUser: "$user" is the role's own schema, where that is there, and what is nowhere is said.
func TestSchemaOfTheUser(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	name, as := role(t, conn, dsn)
	exec(t, conn, `CREATE SCHEMA AUTHORIZATION `+name)
	exec(t, conn, `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO `+name+`', current_database()); END $$`)
	m := migrator(t, as, migrate.Options{})
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, m)
	var schema string
	if err := conn.QueryRow(t.Context(), `SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'team_member'`).Scan(&schema); err != nil || schema != name {
		t.Errorf("the tables are in %s, %v", schema, err)
	}
	if _, err := migrate.Open(t.Context(), dsnWith(t, dsn, "search_path", "nowhere"), migrate.Options{InsecureTLS: true}); !errors.Is(err, migrate.ErrNoSchema) {
		t.Errorf("nowhere: %v", err)
	}
}
