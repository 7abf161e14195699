package main_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// faults makes each fault of docs/migrations.md. fixed, if not empty, is what status or the command itself must say
// afterwards; the exit code of then must be 0.
var faults = map[string]struct {
	make func(t *testing.T, dsn string, conn *pgx.Conn)
	then string // a command that works then; empty: the command itself is enough
}{
	"a migrator was killed, and the database is dirty": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "up")
		sql(t, conn, `UPDATE authdb.schema_migrations SET dirty = true`)
	}, "verify"},
	"a killed migrator left an INVALID index": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "up")
		sql(t, conn, `UPDATE authdb.schema_migrations SET dirty = true, version = 10`)
		sql(t, conn, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"member_organizationId_createdAt_id_idx"'::regclass`)
		for _, index := range []string{"session_expiresAt_idx", "verification_expiresAt_idx", "user_createdAt_id_idx", "organization_createdAt_id_idx"} {
			sql(t, conn, `DROP INDEX "`+index+`"`)
		}
	}, "up"},
	"golang-migrate's own command left it dirty": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "goto", "2")
		sql(t, conn, `UPDATE authdb.schema_migrations SET dirty = true, version = 3`)
	}, "up"},
	"the tables are there, but no version table": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "up", "1")
		sql(t, conn, `DROP SCHEMA authdb CASCADE`)
	}, "up"},
	"tables or columns are missing in a database that Better Auth made": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "up", "1")
		sql(t, conn, `DROP SCHEMA authdb CASCADE; DROP TABLE team_member; ALTER TABLE account DROP updated_at`)
		if _, errs, code := migrateAt(t, dsn, "adopt"); code != 4 || !strings.Contains(errs, "--complete") {
			t.Errorf("adopt: exit %d, %s", code, errs)
		}
	}, "up"},
	"rows are in the way of a unique index": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "goto", "2")
		sql(t, conn, `INSERT INTO "user" (id, name, email) VALUES ('u', '', 'ada@example.com')`)
		sql(t, conn, `INSERT INTO account (id, provider_id, account_id, user_id, updated_at)
			VALUES ('a', 'google', '1', 'u', '2026-01-01'), ('b', 'google', '1', 'u', '2026-01-01')`)
		if _, errs, code := migrateAt(t, dsn, "up"); code != 1 {
			t.Errorf("up: exit %d, %s", code, errs)
		}
	}, "up"},
	"up stopped at a lock, with some migrations applied": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "goto", "1")
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.Background()) }()
		if _, err := tx.Exec(t.Context(), "LOCK TABLE team IN ACCESS SHARE MODE"); err != nil {
			t.Fatal(err)
		}
		if _, errs, code := migrateAt(t, dsn, "up", "--lock-timeout=500ms"); code != 5 || !strings.Contains(errs, "at version 2") {
			t.Errorf("up: exit %d, %s", code, errs)
		}
	}, "verify"},
	"status shows that migration 7 came late, and so never was applied: go back before it, then up": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "up")
		sql(t, conn, `DELETE FROM authdb.schema_history WHERE version = 7`)
		if out, _, code := migrateAt(t, dsn, "status"); code != 4 || !strings.Contains(out, "late") {
			t.Errorf("status: exit %d, %s", code, out)
		}
	}, "up"},
	"an older program meets a newer database": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "up")
		sql(t, conn, `UPDATE authdb.schema_migrations SET version = 99`)
		if _, errs, code := migrateAt(t, dsn, "up"); code != 1 || !strings.Contains(errs, "newer than this program") {
			t.Errorf("up: exit %d, %s", code, errs)
		}
	}, ""},
	"the schema is not what verify wants, but for a plugin's tables": {func(t *testing.T, dsn string, conn *pgx.Conn) {
		must(t, dsn, "up")
		sql(t, conn, `CREATE TABLE passkey (id text PRIMARY KEY)`)
		if _, _, code := migrateAt(t, dsn, "verify"); code != 4 {
			t.Errorf("verify: exit %d", code)
		}
	}, ""},
	"it is a test database, and all of it may go": {func(t *testing.T, dsn string, _ *pgx.Conn) {
		must(t, dsn, "up")
	}, "up"},
}

// TestFaultList runs every line of the list in docs/migrations.md against the fault that it is for.
func TestFaultList(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/migrations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(doc), "## When something is wrong")
	lines := regexp.MustCompile("(?m)^\\| ([^|]+) \\| `migrate ([^`]+)` \\|$").FindAllStringSubmatch(list, -1)
	if len(lines) != len(faults) || len(lines) != strings.Count(list, "\n|")-2 {
		t.Fatalf("%d lines for %d faults", len(lines), len(faults))
	}
	for _, line := range lines {
		fault, ok := faults[line[1]]
		if !ok {
			t.Errorf("no fault %q", line[1])
			continue
		}
		t.Run(line[1], func(t *testing.T) {
			t.Parallel()
			dsn, conn := database(t)
			fault.make(t, dsn, conn)
			must(t, dsn, strings.Fields(line[2])...)
			if fault.then != "" {
				must(t, dsn, fault.then)
			}
		})
	}
}

func must(t *testing.T, dsn string, args ...string) {
	t.Helper()
	if out, errs, code := migrateAt(t, dsn, args...); code != 0 {
		t.Fatalf("migrate %v: exit %d\n%s%s", args, code, out, errs)
	}
}

func migrateAt(t *testing.T, dsn string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+dsn)
	return output(t, cmd)
}

func sql(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
