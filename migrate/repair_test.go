package migrate_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/migrate"
)

// childDSN makes a child of the test binary, which goes up and down for ever, to be killed.
const childDSN = "AUTHDB_TEST_MIGRATE_CHILD"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(childDSN); dsn != "" {
		fmt.Fprintln(os.Stderr, upAndDown(dsn))
		os.Exit(1)
	}
	// Most of them wait for the server, or on purpose.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func upAndDown(dsn string) error {
	ctx := context.Background()
	m, err := migrate.Open(ctx, dsn, migrate.Options{InsecureTLS: true})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		if err := m.Up(ctx); err != nil {
			return err
		}
		if err := m.Goto(ctx, rand.IntN(m.Latest())); err != nil {
			return err
		}
	}
}

// child starts one, and returns once it is connected.
func child(t *testing.T, dsn string) *osexec.Cmd {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDSN+"="+dsn)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	return cmd
}

func kill(t *testing.T, cmd *osexec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // says that it was killed
}

// repaired runs Repair once, and then Up, and fails the test unless each leaves a clean and right database.
func repaired(t *testing.T, dsn string) migrate.Repaired {
	t.Helper()
	m := migrator(t, dsn, migrate.Options{})
	defer func() { _ = m.Close() }()
	r, err := m.Repair(t.Context())
	if err != nil {
		t.Errorf("repair: %v", err)
		return r
	}
	wantVersion(t, m, r.Version)
	right(t, m)
	if err := m.Up(t.Context()); err != nil {
		t.Errorf("up after repair %+v: %v", r, err)
	}
	wantVersion(t, m, m.Latest())
	right(t, m)
	if s := status(t, m); s.Pending() || s.Troubled() {
		t.Errorf("status after repair %+v: %v", r, states(s))
	}
	return r
}

// TestKilled: kill -9 at any moment, on the way up or down, with and without somebody in the way of an index. One
// Repair puts it right.
func TestKilled(t *testing.T) {
	t.Parallel()
	n := kit.Hard(t, 6, 60)
	conn, dsn := database(t)
	dirty, broken := 0, 0
	for i := range n {
		cmd := child(t, dsn)
		release := func() {}
		if i%2 == 1 { // while it waits for a writer
			await(t, conn, `SELECT 1 WHERE to_regclass('organization') IS NOT NULL`)
			if other, err := pgx.ConnectConfig(t.Context(), conn.Config()); err != nil {
				t.Fatal(err)
			} else {
				_, err := other.Exec(t.Context(), `SET lock_timeout = 2000; BEGIN; LOCK TABLE member, session, "user", organization IN ROW EXCLUSIVE MODE`)
				if err != nil { // the tables went meanwhile
					_, _ = other.Exec(t.Context(), "ROLLBACK")
				}
				release = func() { _ = other.Close(context.Background()) }
			}
		}
		time.Sleep(rand.N(400 * time.Millisecond))
		kill(t, cmd)
		time.AfterFunc(rand.N(time.Second), release)
		r := repaired(t, dsn)
		if r.Dirty {
			dirty++
		}
		if len(r.Done) > 1 {
			broken++
		}
		if t.Failed() {
			t.Fatalf("kill %d of %d: %+v", i+1, n, r)
		}
	}
	m := migrator(t, dsn, migrate.Options{})
	verified(t, m)
	t.Logf("%d kills: %d left it dirty, %d of these with an INVALID index; all recovered by one repair", n, dirty, broken)
	if n >= 50 && (dirty < 10 || broken < 3) {
		t.Error("too few of the kills hit a migration")
	}
}

// TestKilledWhileTheServerGoesOn: the server works for the dead, where it does not notice. Repair does not look before
// that is over.
func TestKilledWhileTheServerGoesOn(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 9)
	_ = m.Close()
	commit := with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
	cmd := child(t, dsn)
	await(t, conn, building)
	var pid int
	if err := conn.QueryRow(t.Context(), `SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database()`).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	kill(t, cmd)
	short := migrator(t, dsn, migrate.Options{LockTimeout: 10 * time.Second})
	done := inBackground(func() error {
		_, err := short.Repair(t.Context())
		return err
	})
	// The server ends it, which leaves the INVALID index that Repair drops once the writer is gone.
	await(t, conn, fmt.Sprintf(`SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = %d)`, pid))
	await(t, conn, `SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('virtualxid', 'relation') AND database IS NOT DISTINCT FROM (SELECT oid FROM pg_database WHERE datname = current_database()) OR NOT granted AND locktype = 'virtualxid'`)
	commit()
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantVersion(t, short, 9)
	if list := invalid(t, conn); len(list) > 0 {
		t.Error(list)
	}
	_ = short.Close()
	repaired(t, dsn)
}

// TestRepairWaitsForTheDead: one whose server does not notice. The lock is golang-migrate's.
func TestRepairWaitsForTheDead(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	m := migrator(t, dsn, migrate.Options{})
	if err := migrate.MarkDirty(t.Context(), m, newest); err != nil {
		t.Fatal(err)
	}
	_ = m.Close()
	release := foreignLock(t, conn)
	short := migrator(t, dsn, migrate.Options{LockTimeout: 300 * time.Millisecond})
	if _, err := short.Repair(t.Context()); !errors.Is(err, migrate.ErrLockTimeout) {
		t.Errorf("got %v", err)
	}
	release()
	repaired(t, dsn)
}

// TestRepair builds each state that a migrator can leave, and some that it cannot.
func TestRepair(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	const index = `"member_organizationId_createdAt_id_idx"`
	for _, tt := range []struct {
		name  string
		start int    // the version before
		sql   string // what of the migration was done
		dirty int    // what golang-migrate noted
		want  int
		done  int // lines
	}{
		{"the first, not begun", 0, "", 1, 0, 1},
		{"the first, done", 1, "", 1, 1, 1},
		{"the first, not undone", 1, "", -1, 1, 1},
		{"the first, undone", 1, file(t, "0001_baseline.down.sql"), -1, 0, 1},
		{"a file, not begun", 2, "", 3, 2, 1},
		{"a file, done", 2, file(t, "0003_better_auth_1_7_columns.up.sql"), 3, 3, 1},
		{"a file, not undone", 3, "", 2, 3, 1},
		{"a file, undone", 3, file(t, "0003_better_auth_1_7_columns.down.sql"), 2, 2, 1},
		{"rows, not begun", 3, "", 4, 3, 1},
		{"rows, done", 3, file(t, "0004_better_auth_1_7_backfill.up.sql"), 4, 3, 1},
		{"rows, not undone", 4, "", 3, 3, 1},
		{"rows, undone", 4, file(t, "0004_better_auth_1_7_backfill.down.sql"), 3, 3, 1},
		{"an index, not begun", 4, "", 5, 4, 1},
		{"an index, done", 4, file(t, "0005_team_member_membership_key_index.up.sql"), 5, 5, 1},
		{"an index that becomes a constraint, not begun", 5, "", 6, 5, 1},
		{"an index that becomes a constraint, done", 5, file(t, "0006_team_member_membership_key_unique.up.sql"), 6, 6, 1},
		{"an index that becomes a constraint, not undone", 6, "", 5, 6, 1},
		{"an index that becomes a constraint, undone", 6, file(t, "0006_team_member_membership_key_unique.down.sql"), 5, 5, 1},
		{"an index after rows, undone", 5, file(t, "0005_team_member_membership_key_index.down.sql"), 4, 4, 1},
		{"an index by half", 9, file(t, "0010_member_page_index.up.sql") + `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '` + index + `'::regclass`, 10, 9, 2},
		{"an index undone by half", 10, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '` + index + `'::regclass`, 9, 9, 2},
		{"an index of another's", 9, "CREATE INDEX " + index + " ON member (role)", 10, 9, 1},
		{"the table of marks, not begun", 14, "", 15, 14, 1},
		{"the table of marks, done", 14, file(t, "0015_mark.up.sql"), 15, 15, 1},
		{"the table of marks, undone", 15, file(t, "0015_mark.down.sql"), 14, 14, 1},
		{"the newest, done", newest, "", newest, newest, 1},
		{"the newest, not undone", newest, "", newest - 1, newest, 1},
		{"nothing", 7, "", 0, 7, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := migrator(t, dsn, migrate.Options{})
			mustGoto(t, m, tt.start)
			exec(t, conn, strings.ReplaceAll(tt.sql, "CONCURRENTLY ", ""))
			if tt.dirty != 0 {
				if err := migrate.MarkDirty(t.Context(), m, tt.dirty); err != nil {
					t.Fatal(err)
				}
				if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrDirty) {
					t.Errorf("up: %v", err)
				}
			}
			_ = m.Close()
			before := everything(t, conn)
			m = migrator(t, dsn, migrate.Options{})
			defer func() { _ = m.Close() }()
			r, err := m.Repair(t.Context())
			if err != nil || r.Dirty != (tt.dirty != 0) || r.Version != tt.want || len(r.Done) != tt.done {
				t.Errorf("%v: %+v", err, r)
			}
			wantVersion(t, m, tt.want)
			if list := invalid(t, conn); len(list) > 0 {
				t.Error(list)
			}
			if s := status(t, m); s.Troubled() {
				t.Errorf("status: %v", states(s))
			}
			if tt.dirty == 0 {
				if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
					t.Errorf("(-before +after):\n%s", diff)
				}
			}
			if strings.Contains(tt.name, "another's") { // which Up refuses, in so many words
				exec(t, conn, "DROP INDEX "+index)
			}
			if err := m.UpBy(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			right(t, m)
		})
	}
}

// TestRepairOfAnAdoptedDatabase: what of later migrations is there already, and an index that is not, say nothing of the
// one that stopped.
func TestRepairOfAnAdoptedDatabase(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	byHand(t, conn, 1)
	exec(t, conn, familyB+`DROP INDEX organization_slug_uidx; ALTER TABLE "user" ADD role text`)
	columns17(t, conn, "team_member_membership_key_key")
	m := migrator(t, dsn, migrate.Options{})
	if _, err := m.Adopt(t.Context(), migrate.AdoptOptions{Superset: true}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dirty, want int }{{2, 1}, {1, 1}, {4, 3}} {
		if err := migrate.MarkDirty(t.Context(), m, tt.dirty); err != nil {
			t.Fatal(err)
		}
		if r, err := m.Repair(t.Context()); err != nil || r.Version != tt.want {
			t.Errorf("dirty at %d: %v, %+v", tt.dirty, err, r)
		}
	}
	exec(t, conn, `ALTER TABLE "user" DROP role`)
	if err := m.Force(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, m)
}

// TestRepairWithoutHistory: golang-migrate alone notes no way, and either is found.
func TestRepairWithoutHistory(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	for _, tt := range []struct{ start, dirty, want int }{{1, -1, 1}, {1, 1, 1}, {2, 1, 1}, {2, 2, 2}, {2, 3, 2}} {
		mustGoto(t, m, tt.start)
		exec(t, conn, `DELETE FROM authdb.schema_history`)
		if err := migrate.MarkDirty(t.Context(), m, tt.dirty); err != nil {
			t.Fatal(err)
		}
		if r, err := m.Repair(t.Context()); err != nil || r.Version != tt.want {
			t.Errorf("%+v: %v, %+v", tt, err, r)
		}
		if err := m.UpBy(t.Context(), 1); err != nil { // which passes over what is there
			t.Errorf("%+v: %v", tt, err)
		}
		right(t, m)
	}
}

// TestRepairThatCannot says why, and changes nothing.
func TestRepairThatCannot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		start int
		sql   string
		dirty int
		want  []string
	}{
		{"half a file", 2, `ALTER TABLE team ADD member_count integer NOT NULL DEFAULT 0`, 3, []string{
			"0003_better_auth_1_7_columns is half done", "missing    column team_member.membership_key text\n",
		}},
		{"half a file, otherwise", 2, `ALTER TABLE team ADD member_count integer NOT NULL DEFAULT 0; ALTER TABLE team_member ADD membership_key integer`, 3, []string{
			"different  column team_member.membership_key integer\n           wanted: text\n",
		}},
		{"half of the first", 1, `DROP TABLE invitation`, -1, []string{"0001_baseline is", "missing    table invitation\n"}},
		{"half of the table of marks", 15, `DROP INDEX authdb."mark_createdAt_idx"`, 14, []string{"0015_mark is", "missing    index authdb.mark.mark_createdAt_idx"}},
		{"a migration that nobody knows", 15, "", 99, []string{"no migration has that number: 99"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			m := migrator(t, dsn, migrate.Options{})
			mustGoto(t, m, tt.start)
			exec(t, conn, tt.sql)
			if err := migrate.MarkDirty(t.Context(), m, tt.dirty); err != nil {
				t.Fatal(err)
			}
			before := everything(t, conn)
			_, err := m.Repair(t.Context())
			for _, part := range tt.want {
				if !errors.Is(err, migrate.ErrDirty) || !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

// TestBackendTerminated: by an administrator, or by a server that restarts.
func TestBackendTerminated(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	for _, version := range []int{10, 9} { // up, and down
		m := migrator(t, dsn, migrate.Options{})
		mustGoto(t, m, 19-version)
		commit := with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
		done := inBackground(func() error { return m.Goto(t.Context(), version) })
		const busy = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'authdb-migrate' AND wait_event_type = 'Lock'`
		await(t, conn, busy)
		exec(t, conn, `SELECT pg_terminate_backend(pid) FROM (`+busy+`) x`)
		if err := <-done; err == nil {
			t.Error("no error")
		}
		commit()
		_ = m.Close()
		if r := repaired(t, dsn); !r.Dirty || len(r.Done) != 2 {
			t.Errorf("got %+v", r)
		}
	}
}

// TestAnothersIndex of the name of a migration's stays, INVALID or not.
func TestAnothersIndex(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 6)
	exec(t, conn, `CREATE TABLE his (a text); INSERT INTO his VALUES ('x'), ('x')`)
	if _, err := conn.Exec(t.Context(), `CREATE UNIQUE INDEX CONCURRENTLY "member_organizationId_userId_uidx" ON his (a)`); err == nil {
		t.Fatal("there is an index on duplicates")
	}
	err := m.Up(t.Context())
	if got := collect(t, conn, `SELECT indrelid::regclass::text FROM pg_index WHERE NOT indisvalid`); err == nil || len(got) != 1 || got[0] != "his" {
		t.Errorf("%q, %v", got, err)
	}
}
