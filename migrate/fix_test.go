package migrate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate"
)

// tangled has every kind of row that a unique index will refuse, or that Better Auth 1.7 will not find, between rows
// that are to stay as they are. It needs the columns of 1.7; K1 stands for the key of t1 and u1.
const tangled = people + `
INSERT INTO "user" (id, name, email) VALUES ('u3', 'Eve', 'eve@example.com');
INSERT INTO team (id, name, organization_id, created_at) VALUES ('t3', 'Team', 'o1', now());
INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES
	('m1', 'o1', 'u1', 'member', '2026-01-01'), ('m2', 'o1', 'u1', 'owner', '2026-01-02'), ('m3', 'o1', 'u1', 'admin , member,', '2026-01-03'),
	('m4', 'o1', 'u2', 'member', '2026-01-01'), ('m5', 'o1', 'u2', 'member', '2026-01-02'),
	('m6', 'o2', 'u2', 'owner', '2026-01-01'), ('m7', 'o2', 'u1', 'admin , billing', '2026-01-01'),
	('m8', 'o2', 'u3', '', '2026-01-01'), ('m9', 'o2', 'u3', 'owner', '2026-01-01');
INSERT INTO team_member (id, team_id, user_id, created_at, membership_key) VALUES
	('tm1', 't1', 'u1', '2026-01-01', NULL), ('tm2', 't1', 'u1', '2026-01-02', 'K1'), ('tm7', 't1', 'u1', NULL, NULL),
	('tm3', 't1', 'u2', NULL, NULL), ('tm4', 't1', 'u2', '2026-01-01', NULL),
	('tm5', 't2', 'u1', '2026-01-01', 'K1'), ('tm6', 't2', 'u2', '2026-01-01', 'of its own'), ('tm8', 't3', 'u2', NULL, NULL);
UPDATE team SET member_count = CASE id WHEN 't1' THEN 5 WHEN 't2' THEN 2 ELSE 9 END;
INSERT INTO account (id, provider_id, account_id, user_id, password, created_at, updated_at) VALUES
	('a1', 'github', 'x', 'u1', NULL, '2026-01-01', '2026-01-01'), ('a2', 'github', 'x', 'u1', NULL, '2026-01-02', '2026-01-05'),
	('a3', 'github', 'y', 'u1', NULL, '2026-01-02', '2026-01-09'), ('a4', 'github', 'y', 'u2', NULL, '2026-01-01', '2026-01-01'),
	('a5', 'github', 'y', 'u1', NULL, '2026-01-03', '2026-01-01'),
	('a6', 'gitlab', 'x', 'u1', NULL, '2026-01-01', '2026-01-01'), ('a7', 'gitlab', 'u2', 'u1', NULL, '2026-01-01', '2026-01-01'),
	('c1', 'credential', 'ada.canary@example.com', 'u1', 'p', '2026-01-01', '2026-01-01'),
	('c2', 'credential', 'u2', 'u2', 'old', '2026-01-01', '2026-01-01'), ('c3', 'credential', 'bob@example.com', 'u2', 'new', '2026-01-02', '2026-01-02'),
	('c4', 'credential', 'u3', 'u3', NULL, '2026-01-01', '2026-01-09'), ('c5', 'credential', 'ada.canary@example.com', 'u3', 'p', '2026-01-02', '2026-01-02'),
	('c6', 'credential', 'eve@example.com', 'u3', 'p', '2026-01-01', '2026-01-01');
`

// untangled is what Fix is to say of it.
var untangled = map[string]string{
	"account a1":      "deleted, duplicate of a2", // updated last
	"account a3":      "deleted, duplicate of a4", // of the user who had it first
	"account a5":      "deleted, duplicate of a4",
	"account c1":      "account_id set to the user's id",
	"account c2":      "deleted, duplicate of c3",
	"account c3":      "account_id set to the user's id",
	"account c4":      "deleted, duplicate of c5", // no password
	"account c5":      "account_id set to the user's id",
	"account c6":      "deleted, duplicate of c5",
	"member m1":       "role set to all that its duplicates had",
	"member m2":       "deleted, duplicate of m1",
	"member m3":       "deleted, duplicate of m1",
	"member m5":       "deleted, duplicate of m4",
	"member m8":       "role set to all that its duplicates had",
	"member m9":       "deleted, duplicate of m8",
	"team t1":         "member_count set to the number of its members",
	"team_member tm1": "deleted, duplicate of tm2", // has the key
	"team_member tm7": "deleted, duplicate of tm2",
	"team_member tm3": "deleted, duplicate of tm4", // NULL is the newest
	"team_member tm5": "membership_key cleared, it was another row's",
}

// changed is what the rows that stay have otherwise than before.
var changed = map[string]map[string]any{
	"account c1":      {"account_id": "u1"},
	"account c3":      {"account_id": "u2"},
	"account c5":      {"account_id": "u3"},
	"member m1":       {"role": "member,owner,admin"},
	"member m8":       {"role": "owner"},
	"team t1":         {"member_count": 2.0},
	"team_member tm5": {"membership_key": nil},
}

// rows are all of public, by table and id, each with its xmin.
func rows(t *testing.T, conn *pgx.Conn) map[string]map[string]any {
	t.Helper()
	m := map[string]map[string]any{}
	for _, table := range collect(t, conn, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`) {
		for key, row := range collectMap[string](t, conn, `SELECT '`+table+` ' || id, (to_jsonb(x) || jsonb_build_object('xmin', xmin::text))::text FROM "`+table+`" x`) {
			var values map[string]any
			if err := json.Unmarshal([]byte(row), &values); err != nil {
				t.Fatal(err)
			}
			m[key] = values
		}
	}
	return m
}

// said is the report by table and id; a row that is in it twice fails the test.
func said(t *testing.T, fixed []migrate.Fix) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, f := range fixed {
		key := f.Table + " " + f.ID
		if _, twice := m[key]; twice {
			t.Errorf("%s is reported twice", key)
		}
		m[key] = f.Action
	}
	return m
}

func TestFix(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	byHand(t, conn, 1, 3)
	exec(t, conn, strings.ReplaceAll(tangled, "K1", membershipKey("t1", "u1")))
	m := migrator(t, dsn, migrate.Options{})
	before, all := rows(t, conn), everything(t, conn)

	dry, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(untangled, said(t, dry.Fixed)); diff != "" {
		t.Errorf("the dry run (-want +said):\n%s", diff)
	}
	if diff := cmp.Diff(all, everything(t, conn)); diff != "" {
		t.Fatalf("the dry run changed (-before +after):\n%s", diff)
	}
	a, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dry, a); diff != "" {
		t.Errorf("(-dry +wet):\n%s", diff)
	}
	want := []migrate.Duplicates{
		{Table: "team_member", Columns: []string{"membership_key"}, Keys: 1, Surplus: 1},
		{Table: "member", Columns: []string{"organization_id", "user_id"}, Keys: 3, Surplus: 4},
		{Table: "team_member", Columns: []string{"team_id", "user_id"}, Keys: 2, Surplus: 3},
		{Table: "account", Columns: []string{"provider_id", "account_id"}, Keys: 3, Surplus: 4},
	}
	if diff := cmp.Diff(want, a.Duplicates); diff != "" || a.Misplaced != 4 {
		t.Errorf("%d misplaced; found (-want +got):\n%s", a.Misplaced, diff)
	}

	// The database is as before, but for what was said.
	wantRows := map[string]map[string]any{}
	after := rows(t, conn)
	for key, row := range before {
		if strings.HasPrefix(untangled[key], "deleted") {
			continue
		}
		for column, value := range changed[key] {
			row[column], row["xmin"] = value, after[key]["xmin"]
		}
		wantRows[key] = row
	}
	if diff := cmp.Diff(wantRows, after); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}

	all = everything(t, conn)
	again, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
	if err != nil || len(again.Fixed)+len(again.Duplicates)+again.Misplaced > 0 {
		t.Errorf("the second time: %v, %+v", err, again)
	}
	if diff := cmp.Diff(all, everything(t, conn)); diff != "" {
		t.Errorf("the second time changed (-before +after):\n%s", diff)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, m)
}

// TestFixWithoutTheColumns: of Better Auth 1.6, which has no key and no count.
func TestFixWithoutTheColumns(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	byHand(t, conn, 1)
	exec(t, conn, duplicates)
	m := migrator(t, dsn, migrate.Options{})
	a, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
	want := map[string]string{
		"account a2": "deleted, duplicate of a3", "account a1": "deleted, duplicate of a3",
		"member m2": "deleted, duplicate of m1", "member m4": "deleted, duplicate of m6", "member m5": "deleted, duplicate of m6",
		"team_member tm2": "deleted, duplicate of tm1",
	}
	if diff := cmp.Diff(want, said(t, a.Fixed)); err != nil || diff != "" {
		t.Errorf("%v (-want +said):\n%s", err, diff)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, m)
}

// TestFixOfACurrentDatabase: a password that an import left under another id, where the unique indexes are there.
func TestFixOfACurrentDatabase(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	exec(t, conn, people+`INSERT INTO account (id, provider_id, account_id, user_id, password, created_at, updated_at) VALUES
		('c1', 'credential', 'u1', 'u1', 'old', '2026-01-01', '2026-01-01'), ('c2', 'credential', 'ada', 'u1', 'new', '2026-01-02', '2026-01-02'),
		('c3', 'credential', 'bob', 'u2', 'p', '2026-01-01', '2026-01-01'), ('c4', 'credential', 'u2', 'u2', 'p', '2025-01-01', '2026-01-01')`)
	m := migrator(t, dsn, migrate.Options{})
	a, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
	want := map[string]string{
		"account c1": "deleted, duplicate of c2", "account c2": "account_id set to the user's id",
		"account c3": "deleted, duplicate of c4", // of the same age, the one that is right already stays
	}
	if diff := cmp.Diff(want, said(t, a.Fixed)); err != nil || diff != "" || a.Misplaced != 2 || a.Version != newest {
		t.Errorf("%v, %+v (-want +said):\n%s", err, a, diff)
	}
}

// TestFixThatCannot: it is all or nothing, and of a table that nobody spoke of no row goes along.
func TestFixThatCannot(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	byHand(t, conn, 1, 3)
	exec(t, conn, tangled)
	m := migrator(t, dsn, migrate.Options{LockTimeout: 300 * time.Millisecond})
	for _, tt := range []struct{ name, do, undo, want string }{
		{
			"a row that refers to a duplicate", `CREATE TABLE badge (id text, member_id text REFERENCES member (id)); INSERT INTO badge VALUES ('b', 'm2')`,
			`DROP TABLE badge`, "23503",
		},
		{
			"a row that would go along", `CREATE TABLE badge (id text, member_id text REFERENCES member (id) ON DELETE CASCADE); INSERT INTO badge VALUES ('b', 'm2')`,
			`DROP TABLE badge`, "rows of public.badge would be deleted or changed along with duplicates of member",
		},
		{
			"a row that would forget", `CREATE TABLE badge (id text, tm_id text REFERENCES team_member (id) ON DELETE SET NULL); INSERT INTO badge VALUES ('b', 'tm1')`,
			`DROP TABLE badge`, "rows of public.badge would be deleted or changed along with duplicates of team_member",
		},
		{
			"a row that would change along", `ALTER TABLE account ADD CONSTRAINT account_both UNIQUE (id, account_id);
			CREATE TABLE badge (a text, b text, FOREIGN KEY (a, b) REFERENCES account (id, account_id) ON UPDATE CASCADE)`,
			`DROP TABLE badge; ALTER TABLE account DROP CONSTRAINT account_both`, "rows of public.badge would be changed along with those of account",
		},
	} {
		exec(t, conn, tt.do)
		before := everything(t, conn)
		for _, dry := range []bool{true, false} {
			_, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true, DryRun: dry, Superset: true})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
				t.Errorf("%s (-before +after):\n%s", tt.name, diff)
			}
		}
		exec(t, conn, tt.undo)
	}

	before := everything(t, conn)
	commit := with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
	if _, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true}); !errors.Is(err, migrate.ErrLockTimeout) {
		t.Errorf("a lock: %v", err)
	}
	commit()
	if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
		t.Errorf("a lock (-before +after):\n%s", diff)
	}
	// One that refers to rows that stay is in nobody's way.
	exec(t, conn, `CREATE TABLE badge (id text, member_id text REFERENCES member (id)); INSERT INTO badge VALUES ('b', 'm1')`)
	if _, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true, Superset: true}); err != nil {
		t.Error(err)
	}
}
