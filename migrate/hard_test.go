package migrate_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/migrate"
)

// database returns the DSN of a database with nothing in it, and a connection to it.
func database(t *testing.T) (*pgx.Conn, string) {
	t.Helper()
	return connect(t, testdb.Empty)
}

// migrated is a database with every migration applied.
func migrated(t *testing.T) (*pgx.Conn, string) {
	t.Helper()
	return connect(t, testdb.Migrated)
}

func connect(t *testing.T, create func(context.Context) (*testdb.Database, error)) (*pgx.Conn, string) {
	t.Helper()
	db, err := create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "REVOKE CREATE ON SCHEMA public FROM PUBLIC") // as from PostgreSQL 15 on
	t.Cleanup(func() {
		ctx := context.Background()
		_ = conn.Close(ctx)
		if err := db.Drop(ctx); err != nil {
			t.Error(err)
		}
	})
	return conn, db.DSN
}

// migrator opens one, which may be a broken one at the end.
func migrator(t *testing.T, dsn string, opts migrate.Options) *migrate.Migrator {
	t.Helper()
	opts.InsecureTLS = true
	m, err := migrate.Open(t.Context(), dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// dsnWith adds a parameter to the DSN, such as a setting of the session.
func dsnWith(t *testing.T, dsn, key, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // a plus is one, to pgx
	return u.String()
}

// files are the embedded migrations with changes: an empty text takes a file away.
func files(t *testing.T, changes map[string]string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		m[name] = &fstest.MapFile{Data: []byte(file(t, name))}
	}
	for name, sql := range changes {
		m[name] = &fstest.MapFile{Data: []byte(sql)}
		if sql == "" {
			delete(m, name)
		}
	}
	return m
}

func file(t *testing.T, name string) string {
	t.Helper()
	content, err := fs.ReadFile(migrations.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// newest is the version of the last migration.
var newest = func() int {
	list, err := migrations.Read(migrations.FS)
	if err != nil {
		panic(err)
	}
	return list[len(list)-1].Version
}()

// from are the versions from one to the newest.
func from(version int) (versions []int) {
	for ; version <= newest; version++ {
		versions = append(versions, version)
	}
	return versions
}

// byHand applies the up files of these versions as Drizzle would have, without a version table.
func byHand(t *testing.T, conn *pgx.Conn, versions ...int) {
	t.Helper()
	list, err := migrations.Read(migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		exec(t, conn, strings.ReplaceAll(list[v-1].Up, "CONCURRENTLY ", ""))
	}
}

// everything is all that a database holds in any schema, with the xmin of each row of a table outside of authdb's own.
func everything(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	list := append(state(t, conn), collect(t, conn, `SELECT 'schema ' || nspname FROM pg_namespace
		WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1`)...)
	for _, table := range collect(t, conn, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') AND relkind = 'r' ORDER BY 1`) {
		list = append(list, "table "+table)
		list = append(list, collect(t, conn, fmt.Sprintf(`SELECT '%s ' || x::text FROM %[1]s x ORDER BY 1`, table))...)
	}
	return list
}

// verified fails the test unless the schema is that of its version.
func verified(t *testing.T, m *migrate.Migrator) migrate.Verification {
	t.Helper()
	v, err := m.Verify(t.Context(), migrate.VerifyOptions{})
	if err != nil {
		t.Errorf("verify: %v\n%s", err, v.Diff)
	}
	return v
}

// right does so by what the program knows, which is cheaper than a scratch schema.
func right(t *testing.T, m *migrate.Migrator) {
	t.Helper()
	version, _, err := m.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := migrate.Live(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(migrate.Known(m, version), got); diff != "" {
		t.Errorf("version %d (-want +got):\n%s", version, diff)
	}
}
