package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/migrate"
)

// canary stands for what an error must not show.
const canary = "ada.canary@example.com"

// people are the rows that the others refer to, as Better Auth 1.6 writes them.
const people = `
INSERT INTO "user" (id, name, email) VALUES ('u1', 'Ada', 'ada.canary@example.com'), ('u2', 'Bob', 'bob@example.com');
INSERT INTO organization (id, name, slug, created_at) VALUES ('o1', 'One', 'one', now()), ('o2', 'Two', 'two', now());
INSERT INTO team (id, name, organization_id, created_at) VALUES ('t1', 'Team', 'o1', now()), ('t2', 'Team', 'o2', now());
`

// duplicates has one pair of member twice and one three times, one of team_member twice, one of account three times.
const duplicates = people + `
INSERT INTO member (id, organization_id, user_id, created_at) VALUES
	('m1', 'o1', 'u1', '2026-01-01'), ('m2', 'o1', 'u1', '2026-01-02'), ('m3', 'o1', 'u2', '2026-01-01'),
	('m4', 'o2', 'u1', '2026-01-03'), ('m5', 'o2', 'u1', '2026-01-02'), ('m6', 'o2', 'u1', '2026-01-01');
INSERT INTO team_member (id, team_id, user_id, created_at) VALUES
	('tm1', 't1', 'u1', '2026-01-01'), ('tm2', 't1', 'u1', NULL), ('tm3', 't2', 'u1', NULL);
INSERT INTO account (id, provider_id, account_id, user_id, updated_at, created_at) VALUES
	('a1', 'github', 'ada.canary@example.com', 'u1', now(), '2026-01-01'),
	('a2', 'github', 'ada.canary@example.com', 'u2', now(), '2026-01-02'),
	('a3', 'github', 'ada.canary@example.com', 'u1', now(), '2026-01-03'),
	('a4', 'gitlab', 'ada.canary@example.com', 'u1', now(), '2026-01-03');
`

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func collect(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// state is everything that a refused migration must leave alone.
func state(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	list := append(facts(t, conn), invalid(t, conn)...)
	for _, table := range collect(t, conn, `SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`) {
		// With xmin, which tells a row that was written anew.
		list = append(list, collect(t, conn, fmt.Sprintf(`SELECT '%s ' || x.xmin::text || x::text FROM %[1]q x ORDER BY 1`, table))...)
	}
	return list
}

func invalid(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	return collect(t, conn, `SELECT 'INVALID ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid`)
}

func wantVersion(t *testing.T, m *migrate.Migrator, want int) {
	t.Helper()
	if v, dirty, err := m.Version(t.Context()); v != want || dirty || err != nil {
		t.Errorf("version %d, dirty %v, %v; want %d", v, dirty, err, want)
	}
}

func mustGoto(t *testing.T, m *migrate.Migrator, version int) {
	t.Helper()
	if err := m.Goto(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// with opens another connection to the database of conn, in a transaction that has run sql, and its end.
func with(t *testing.T, conn *pgx.Conn, sql string) (commit func()) {
	t.Helper()
	other, err := pgx.ConnectConfig(t.Context(), conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	exec(t, other, "BEGIN; "+sql)
	return func() { t.Helper(); exec(t, other, "COMMIT") }
}

// await polls until the condition holds.
func await(t *testing.T, conn *pgx.Conn, condition string) {
	t.Helper()
	for range 400 {
		var holds bool
		if err := conn.QueryRow(t.Context(), "SELECT EXISTS ("+condition+")").Scan(&holds); err != nil {
			t.Fatal(err)
		}
		if holds {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("still not: %s", condition)
}

// inBackground runs f, whose error the channel brings.
func inBackground(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

const (
	building = `SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database() AND lockers_total > 0`
)

func TestUpRefusesDuplicates(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 2)
	exec(t, conn, duplicates)
	before := state(t, conn)

	members := migrate.Duplicates{Table: "member", Columns: []string{"organization_id", "user_id"}, Keys: 2, Surplus: 3}
	teamMembers := migrate.Duplicates{Table: "team_member", Columns: []string{"team_id", "user_id"}, Keys: 1, Surplus: 1}
	accounts := migrate.Duplicates{Table: "account", Columns: []string{"provider_id", "account_id"}, Keys: 1, Surplus: 2}
	var text string
	for _, tt := range []struct {
		name string
		run  func() error
		want []migrate.Duplicates
	}{
		{"up", func() error { return m.Up(t.Context()) }, []migrate.Duplicates{members, teamMembers, accounts}},
		{"to 8", func() error { return m.Goto(t.Context(), 8) }, []migrate.Duplicates{members, teamMembers}},
		{"to 7", func() error { return m.Goto(t.Context(), 7) }, []migrate.Duplicates{members}},
		{"up again", func() error { return m.Up(t.Context()) }, []migrate.Duplicates{members, teamMembers, accounts}},
	} {
		err := tt.run()
		got, ok := errors.AsType[*migrate.DuplicatesError](err)
		if !ok {
			t.Fatalf("%s: got %v", tt.name, err)
		}
		if diff := cmp.Diff(&migrate.DuplicatesError{Found: tt.want, Version: 2}, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", tt.name, diff)
		}
		wantVersion(t, m, 2)
		if diff := cmp.Diff(before, state(t, conn)); diff != "" {
			t.Errorf("%s: (-before +after):\n%s", tt.name, diff)
		}
		text = err.Error()
	}
	for _, part := range []string{
		"nothing was changed",
		"member (organization_id, user_id): duplicated values: 2, surplus rows: 3;",
		"team_member (team_id, user_id): duplicated values: 1, surplus rows: 1;",
		"account (provider_id, account_id): duplicated values: 1, surplus rows: 2;",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in: %s", part, text)
		}
	}
	if strings.Contains(text, canary) || strings.Contains(text, "github") {
		t.Errorf("the error shows a value: %s", text)
	}

	// The queries in the text find what is in the way, and without it Up works.
	var ids [][]string
	for line := range strings.Lines(text) {
		query := strings.TrimSpace(line)
		if !strings.HasPrefix(query, "SELECT ") {
			continue
		}
		rows, err := conn.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, found...)
	}
	if diff := cmp.Diff([][]string{{"m1", "m2"}, {"m6", "m5", "m4"}, {"tm1", "tm2"}, {"a1", "a2", "a3"}}, ids); diff != "" {
		t.Errorf("rows listed (-want +got):\n%s", diff)
	}
	mustGoto(t, m, 6) // none of these asks for more
	for i, table := range []string{"member", "member", "team_member", "account"} {
		if _, err := conn.Exec(t.Context(), "DELETE FROM "+table+" WHERE id = ANY ($1)", ids[i][1:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestKeysOfTeamMembers: the constraint on membership_key is checked for like the others, and NULL is no duplicate.
func TestKeysOfTeamMembers(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 4)
	exec(t, conn, people+`INSERT INTO team_member (id, team_id, user_id, membership_key) VALUES
		('tm1', 't1', 'u1', 'k'), ('tm2', 't2', 'u1', 'k'), ('tm3', 't1', 'u2', NULL), ('tm4', 't2', 'u2', NULL)`)
	got, ok := errors.AsType[*migrate.DuplicatesError](m.Goto(t.Context(), 5))
	want := []migrate.Duplicates{{Table: "team_member", Columns: []string{"membership_key"}, Keys: 1, Surplus: 1}}
	if !ok || !cmp.Equal(want, got.Found) {
		t.Fatalf("got %v", got)
	}
	wantVersion(t, m, 4)
	exec(t, conn, `UPDATE team_member SET membership_key = NULL WHERE id = 'tm2'`)
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNoScanOnceTheIndexesAreThere: a table that cannot even be read does not stop an Up that has nothing to do.
func TestNoScanOnceTheIndexesAreThere(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	with(t, conn, `LOCK TABLE member, team_member, account IN ACCESS EXCLUSIVE MODE`)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := m.Up(ctx); err != nil {
		t.Error(err)
	}
}

// TestDirtyComesFirst: of a database that stopped half-way, rows say nothing.
func TestDirtyComesFirst(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 2)
	exec(t, conn, duplicates+`UPDATE authdb.schema_migrations SET dirty = true`)
	if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrDirty) {
		t.Errorf("got %v", err)
	}
	// The first migration undone by half.
	exec(t, conn, `UPDATE authdb.schema_migrations SET version = -1`)
	if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrDirty) {
		t.Errorf("got %v", err)
	}
	if v, dirty, err := m.Version(t.Context()); v != 0 || !dirty || err != nil {
		t.Errorf("version %d, dirty %v, %v", v, dirty, err)
	}
}

// TestDuplicatesThatArriveDuringTheBuild: the check cannot see them, and the index fails after it began.
func TestDuplicatesThatArriveDuringTheBuild(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		table            string
		start, want      int // where Up begins, and where it ends
		row, copy, clean string
	}{
		{
			"member", 2, 6,
			`INSERT INTO member (id, organization_id, user_id, created_at) VALUES ('m1', 'o1', 'u1', now())`,
			`INSERT INTO member (id, organization_id, user_id, created_at) VALUES ('m2', 'o1', 'u1', now())`,
			`DELETE FROM member WHERE id = 'm2'`,
		},
		{
			"team_member", 7, 7,
			`INSERT INTO team_member (id, team_id, user_id) VALUES ('tm1', 't1', 'u1')`,
			`INSERT INTO team_member (id, team_id, user_id) VALUES ('tm2', 't1', 'u1')`,
			`DELETE FROM team_member WHERE id = 'tm2'`,
		},
		{
			"account", 7, 8,
			`INSERT INTO account (id, provider_id, account_id, user_id, updated_at) VALUES ('a1', 'github', '` + canary + `', 'u1', now())`,
			`INSERT INTO account (id, provider_id, account_id, user_id, updated_at) VALUES ('a2', 'github', '` + canary + `', 'u2', now())`,
			`DELETE FROM account WHERE id = 'a2'`,
		},
	} {
		t.Run(tt.table, func(t *testing.T) {
			t.Parallel()
			conn, m := empty(t)
			mustGoto(t, m, tt.want)
			want := facts(t, conn)
			mustGoto(t, m, tt.start)
			exec(t, conn, people+tt.row)

			commit := with(t, conn, tt.copy)
			done := inBackground(func() error { return m.Up(t.Context()) })
			await(t, conn, building)
			commit()
			err := <-done
			got, ok := errors.AsType[*migrate.DuplicatesError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if len(got.Found) != 1 || got.Found[0].Table != tt.table || got.Found[0].Keys != 1 || got.Found[0].Surplus != 1 {
				t.Errorf("got %+v", got.Found)
			}
			if text := err.Error(); !strings.Contains(text, fmt.Sprint("the database is at version ", tt.want)) ||
				strings.Contains(text, "nothing was changed") || strings.Contains(text, canary) {
				t.Errorf("got %s", text)
			}
			wantVersion(t, m, tt.want)
			if diff := cmp.Diff(want, append(facts(t, conn), invalid(t, conn)...)); diff != "" {
				t.Errorf("catalog (-want +got):\n%s", diff)
			}
			exec(t, conn, tt.clean)
			if err := m.Up(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRefusedSteps: whatever the server refuses leaves a database that is not dirty, and the same call works once the
// reason is gone.
func TestRefusedSteps(t *testing.T) {
	t.Parallel()
	to := func(version int) func(context.Context, *migrate.Migrator) error {
		return func(ctx context.Context, m *migrate.Migrator) error { return m.Goto(ctx, version) }
	}
	down := func(ctx context.Context, m *migrate.Migrator) error { return m.Down(ctx, 1) }
	const (
		read   = `LOCK TABLE team IN ACCESS SHARE MODE`
		write  = `LOCK TABLE member IN ROW EXCLUSIVE MODE`
		access = `LOCK TABLE member IN ACCESS EXCLUSIVE MODE`
	)
	short, slow := migrate.Options{LockTimeout: 400 * time.Millisecond}, migrate.Options{
		LockTimeout: 400 * time.Millisecond, StatementTimeout: 200 * time.Millisecond,
	}
	for _, tt := range []struct {
		name, block string
		opts        migrate.Options
		start       int
		run         func(context.Context, *migrate.Migrator) error
		code        string // of what the server said; empty for ErrLockTimeout
		want, last  int    // the version after the refusal, and after the second call
		invalid     bool   // whether an index stays INVALID until then
	}{
		{"a file", read, short, 2, to(4), "", 2, 4, false},
		{"before an index is there", access, short, 9, to(10), "", 9, 10, false},
		{"an index half built", write, short, 9, to(10), "", 9, 10, true},
		{"an index half built in too long", write, slow, 9, to(10), "57014", 9, 10, true},
		{"down: a file", read, short, 3, down, "", 3, 2, false},
		{"to a version below", read, short, 3, to(2), "", 3, 2, false},
		{"down: before the index goes", access, short, 10, down, "", 10, 9, false},
		// What began to go goes: version 10 would name an index that serves nobody.
		{"down: an index half gone", write, short, 10, down, "", 9, 8, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, m := emptyWith(t, tt.opts)
			mustGoto(t, m, tt.last)
			last := facts(t, conn)
			mustGoto(t, m, tt.want)
			want := facts(t, conn)
			mustGoto(t, m, tt.start)

			commit := with(t, conn, tt.block)
			begun := time.Now()
			err := tt.run(t.Context(), m)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			said, ok := errors.AsType[*pgconn.PgError](err)
			if isTimeout := errors.Is(err, migrate.ErrLockTimeout); isTimeout != (tt.code == "") || ok && said.Code != tt.code {
				t.Fatalf("got %v", err)
			}
			commit()
			if !strings.Contains(err.Error(), fmt.Sprint("at version ", tt.want)) && !strings.Contains(err.Error(), "holds a lock") {
				t.Errorf("got %v", err)
			}
			wantVersion(t, m, tt.want)
			if left := invalid(t, conn); (len(left) > 0) != tt.invalid {
				t.Errorf("INVALID: %v", left)
			} else if diff := cmp.Diff(want, facts(t, conn)); len(left) == 0 && diff != "" {
				t.Errorf("catalog (-want +got):\n%s", diff)
			}
			if err := tt.run(t.Context(), m); err != nil {
				t.Error(err)
			}
			wantVersion(t, m, tt.last)
			if left := invalid(t, conn); len(left) > 0 && tt.start < tt.last {
				t.Errorf("INVALID: %v", left)
			} else if diff := cmp.Diff(last, facts(t, conn)); len(left) == 0 && diff != "" {
				t.Errorf("catalog at last (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLostConnection: nobody knows what the server did, so the database is dirty until a person has looked.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	db, err := testdb.Empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	conn, err := pgx.Connect(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	m, err := migrate.Open(t.Context(), db.DSN, migrate.Options{InsecureTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	mustGoto(t, m, 9)
	with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
	done := inBackground(func() error { return m.Goto(t.Context(), 10) })
	await(t, conn, building)
	exec(t, conn, `SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()`)
	if err := <-done; err == nil {
		t.Error("no error")
	}
	_ = m.Close() // fails, as its connection did

	m, err = migrate.Open(t.Context(), db.DSN, migrate.Options{InsecureTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrDirty) {
		t.Errorf("got %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestRefusedBaseline: a table of one's own that refers to user keeps version 1 from being undone.
func TestRefusedBaseline(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 1)
	exec(t, conn, `CREATE TABLE note (id text PRIMARY KEY, user_id text REFERENCES "user" (id))`)
	before := state(t, conn)
	if said, ok := errors.AsType[*pgconn.PgError](m.Down(t.Context(), 1)); !ok || said.Code != "2BP01" {
		t.Errorf("got %v", said)
	}
	wantVersion(t, m, 1)
	if diff := cmp.Diff(before, state(t, conn)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestIndexOfThatName: one that somebody made by hand stays, and one that a broken build left goes.
func TestIndexOfThatName(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 9)
	exec(t, conn, `CREATE INDEX "member_organizationId_createdAt_id_idx" ON member (role)`)
	before := state(t, conn)
	if said, ok := errors.AsType[*pgconn.PgError](m.Goto(t.Context(), 10)); !ok || said.Code != "42P07" {
		t.Errorf("got %v", said)
	}
	wantVersion(t, m, 9)
	if diff := cmp.Diff(before, state(t, conn)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}

	exec(t, conn, `UPDATE pg_index SET indisvalid = false
		WHERE indexrelid = '"member_organizationId_createdAt_id_idx"'::regclass`)
	if err := m.Goto(t.Context(), 10); err != nil {
		t.Error(err)
	}
	if list := invalid(t, conn); len(list) > 0 {
		t.Error(list)
	}
}
