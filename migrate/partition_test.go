package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/migrate"
)

// TestPartitionSessions divides the table while others sign in, change and revoke sessions and delete users: afterwards
// there is what they left, row for row. Where changes are not noted, rows are lost and come back.
func TestPartitionSessions(t *testing.T) {
	t.Parallel()
	if lost, back := partitionBusy(t, true); lost != 0 || back != 0 {
		t.Errorf("%d rows lost or old, %d that were deleted came back", lost, back)
	}
	for range 10 {
		if lost, back := partitionBusy(t, false); lost+back > 0 {
			t.Logf("without notes, %d rows are lost or old, %d that were deleted came back", lost, back)
			return
		}
	}
	t.Error("without notes, nothing was lost and nothing came back: the test proves nothing")
}

func partitionBusy(t *testing.T, noted bool) (lost, back int) {
	t.Helper()
	ctx := t.Context()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{LockTimeout: time.Minute})
	if err := m.Up(ctx); err != nil {
		t.Fatal(err)
	}
	const workers, own, others = 4, 100, 20_000
	exec(t, conn, fmt.Sprintf(`INSERT INTO "user" (id, name, email) SELECT 'u' || n, '', n || '@example.com' FROM generate_series(0, %d) n;
		INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, user_agent)
			SELECT md5(n::text), 't' || n, 'u0', '2030-01-01', now(), now(), 'old' FROM generate_series(1, %d) n`, workers, others))
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var stop atomic.Bool
	var all sync.WaitGroup
	var left [workers + 1]map[string]string // the user_agent of each token
	run := func(isolation pgx.TxIsoLevel, sql string, args ...any) bool {
		for unseen := 0; ; {
			var tag pgconn.CommandTag
			err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: isolation}, func(tx pgx.Tx) (err error) {
				tag, err = tx.Exec(ctx, sql, args...)
				return err
			})
			switch {
			case err == nil && (tag.RowsAffected() == 1 || !noted):
				return true
			case err == nil && isolation == pgx.RepeatableRead && unseen < 10:
				unseen++ // it waited for the new table by a snapshot from before that was filled
			case err == nil:
				t.Errorf("%s meets no row", sql)
				return false
			case !strings.Contains(err.Error(), "40001"):
				if noted { // else what has come back may be in the way
					t.Error(err)
				}
				return false
			}
		}
	}
	for w := 1; w <= workers; w++ {
		left[w] = map[string]string{}
		all.Go(func() {
			user := fmt.Sprint("u", w)
			for i := 0; !stop.Load(); i++ {
				time.Sleep(time.Millisecond)
				token := fmt.Sprintf("w%d.%d", w, rand.IntN(own))
				isolation := []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead}[i%2]
				_, there := left[w][token]
				switch kind := rand.IntN(40); {
				case kind == 0: // the user goes, with all sessions, and comes back
					if run(isolation, `DELETE FROM "user" WHERE id = $1`, user) {
						clear(left[w])
					}
					run(isolation, `INSERT INTO "user" (id, name, email) VALUES ($1, '', $1)`, user)
				case !there:
					if run(isolation, `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, user_agent)
						VALUES (md5($1), $1, $2, '2030-01-01', now(), now(), 'new')`, token, user) {
						left[w][token] = "new"
					}
				case kind < 20:
					agent := fmt.Sprint(i)
					if run(isolation, `UPDATE session SET user_agent = $2 WHERE token = $1`, token, agent) {
						left[w][token] = agent
					}
				default:
					if run(isolation, `DELETE FROM session WHERE token = $1`, token) {
						delete(left[w], token)
					}
				}
			}
		})
	}
	if !noted {
		all.Go(func() {
			for !stop.Load() {
				_, _ = pool.Exec(ctx, `ALTER TABLE session DISABLE TRIGGER authdb_note`)
				time.Sleep(time.Millisecond)
			}
		})
	}
	did, err := m.PartitionSessions(ctx, 8)
	time.Sleep(10 * time.Millisecond) // they go on with the new table
	stop.Store(true)
	all.Wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("noted: %v; %d rows copied, %d changes copied again", noted, did.Copied, did.Changed)
	found := map[string]string{}
	rows, err := conn.Query(ctx, `SELECT token, user_agent FROM session WHERE user_id <> 'u0'`)
	if err != nil {
		t.Fatal(err)
	}
	var token, agent string
	if _, err := pgx.ForEachRow(rows, []any{&token, &agent}, func() error {
		found[token] = agent
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for w := 1; w <= workers; w++ {
		for token, agent := range left[w] {
			if found[token] != agent {
				lost++
			}
			delete(found, token)
		}
	}
	var untouched int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM session WHERE user_id = 'u0' AND user_agent = 'old'`).Scan(&untouched); err != nil || untouched != others {
		t.Errorf("%d of %d rows that nobody touched, %v", untouched, others, err)
	}
	if noted {
		if did.Changed == 0 {
			t.Error("nobody changed anything meanwhile")
		}
		afterwards(t, m, dsn)
	}
	return lost, len(found)
}

// afterwards: all that looks at the schema knows the layout.
func afterwards(t *testing.T, m *migrate.Migrator, dsn string) {
	t.Helper()
	ctx := t.Context()
	v, err := m.Verify(ctx, migrate.VerifyOptions{})
	if err != nil || !strings.Contains(strings.Join(v.Notes, "\n"), "session has 8 partitions") {
		t.Errorf("verify: %v\n%s%v", err, v.Diff, v.Notes)
	}
	if a, err := m.Adopt(ctx, migrate.AdoptOptions{DryRun: true}); err != nil {
		t.Errorf("adopt: %v %v", err, a)
	}
	if err := m.Up(ctx); err != nil {
		t.Errorf("up: %v", err)
	}
	if did, err := m.PartitionSessions(ctx, 8); err != nil || did.Copied != 0 {
		t.Errorf("again: %v, %v", did, err)
	}
	if _, err := m.PartitionSessions(ctx, 16); !errors.Is(err, migrate.ErrInTheWay) {
		t.Errorf("another number: %v", err)
	}
	if err := m.Goto(ctx, 10); err == nil || !strings.Contains(err.Error(), "session has 8 partitions") {
		t.Errorf("down to where its index is dropped: %v", err)
	}
	if err := m.Up(ctx); err != nil {
		t.Errorf("and up: %v", err)
	}
	s, err := authdb.Open(ctx, dsn, authdb.WithInsecureTLS())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CheckSchema(ctx); err != nil {
		t.Errorf("CheckSchema: %v", err)
	}
	var mode string
	if err := s.Pool().QueryRow(ctx, `SHOW plan_cache_mode`).Scan(&mode); err != nil || mode != "force_generic_plan" {
		t.Errorf("plan_cache_mode is %s, %v", mode, err)
	}
}

// TestPartitionInTheWay: what would be lost is named, and nothing is changed. What is no obstacle is there afterwards.
func TestPartitionInTheWay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	if _, err := m.PartitionSessions(ctx, 4); !errors.Is(err, migrate.ErrInTheWay) {
		t.Errorf("without tables: %v", err)
	}
	if err := m.Up(ctx); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 0, 1, 1025} {
		if _, err := m.PartitionSessions(ctx, n); !errors.Is(err, migrate.ErrInTheWay) {
			t.Errorf("%d: %v", n, err)
		}
	}
	for _, tt := range []struct{ what, make, undo string }{
		{"view public.v depends on it", `CREATE VIEW v AS SELECT * FROM session`, `DROP VIEW v`},
		{"function public.f(public.session) depends on it", `CREATE FUNCTION f(session) RETURNS integer LANGUAGE sql AS 'SELECT 1'`, `DROP FUNCTION f`},
		{
			"constraint device_session_id_fkey on table public.device depends on it",
			`CREATE TABLE device (session_id text REFERENCES session (id))`, `DROP TABLE device`,
		},
		{"sequence public.session_n_seq", `ALTER TABLE session ADD n serial`, `ALTER TABLE session DROP n`},
		{"column n, which is generated", `ALTER TABLE session ADD n text GENERATED ALWAYS AS (id) STORED`, `ALTER TABLE session DROP n`},
		{"column id, which is generated, or has rights", `GRANT SELECT (id) ON session TO PUBLIC`, `REVOKE SELECT (id) ON session FROM PUBLIC`},
		{"unique index public.one", `CREATE UNIQUE INDEX one ON session (user_id, ip_address)`, `DROP INDEX one`},
		{"publication p", `CREATE PUBLICATION p FOR TABLE session`, `DROP PUBLICATION p`},
		{
			"trigger t",
			`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER t AFTER INSERT ON session EXECUTE FUNCTION f()`,
			`DROP FUNCTION f CASCADE`,
		},
		{"row security", `ALTER TABLE session ENABLE ROW LEVEL SECURITY`, `ALTER TABLE session DISABLE ROW LEVEL SECURITY`},
		{"policy p", `CREATE POLICY p ON session`, `DROP POLICY p ON session`},
		{"INHERITED BY heir", `CREATE TABLE heir () INHERITS (session)`, `DROP TABLE heir`},
	} {
		exec(t, conn, tt.make)
		_, err := m.PartitionSessions(ctx, 4)
		if !errors.Is(err, migrate.ErrInTheWay) && !errors.Is(err, migrate.ErrDrift) || !strings.Contains(err.Error(), tt.what) {
			t.Errorf("%s: %v", tt.what, err)
		}
		exec(t, conn, tt.undo)
	}
	exec(t, conn, `ALTER TABLE session ADD impersonated_by text DEFAULT 'x' CHECK (impersonated_by <> '');
		CREATE INDEX "own index" ON session (impersonated_by) WHERE impersonated_by IS NOT NULL; GRANT SELECT, INSERT ON session TO PUBLIC;
		CREATE TABLE device (id text PRIMARY KEY); ALTER TABLE session ADD device text REFERENCES device`)
	describe := func() string {
		v, err := m.Verify(ctx, migrate.VerifyOptions{})
		if !errors.Is(err, migrate.ErrDrift) {
			t.Error(err)
		}
		return v.Diff.String()
	}
	before := describe()
	if _, err := m.PartitionSessions(ctx, 4); err != nil {
		t.Fatal(err)
	}
	if after := describe(); strings.ReplaceAll(after, " ON ONLY session ", " ON session ") != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	var comment, part string
	if err := conn.QueryRow(ctx, `SELECT obj_description('session'::regclass), (SELECT indexdef FROM pg_indexes WHERE indexname = 'own index')`).
		Scan(&comment, &part); err != nil || comment == "" || !strings.Contains(part, "WHERE (impersonated_by IS NOT NULL)") {
		t.Errorf("%q, %q, %v", comment, part, err)
	}
}

// TestPartitionGivesNoRight: who may not read the table reads neither what takes its place, nor what is made on the way.
func TestPartitionGivesNoRight(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{Log: slog.New(told(func(message string) {
		if message != "copied" {
			return
		}
		var n int
		if err := conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE relacl IS NOT NULL) FROM pg_class
			WHERE relnamespace = 'authdb'::regnamespace AND relname LIKE 'session%' AND relkind IN ('r', 'p')
			AND has_table_privilege('pg_monitor', oid, 'SELECT, INSERT, TRIGGER')`).Scan(&n); err != nil || n > 0 {
			t.Errorf("while rows are copied: %d tables, %v", n, err)
		}
	}))})
	if err := m.Up(ctx); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `GRANT UPDATE ON session TO pg_monitor; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO pg_monitor;
		ALTER DEFAULT PRIVILEGES IN SCHEMA authdb GRANT SELECT ON TABLES TO PUBLIC`)
	if _, err := m.PartitionSessions(ctx, 2); err != nil {
		t.Fatal(err)
	}
	var rights string
	if err := conn.QueryRow(ctx, `SELECT string_agg(DISTINCT c.relname || ' ' || a.grantee::regrole || ' ' || a.privilege_type, ', ')
		FROM pg_class c, aclexplode(c.relacl) a WHERE c.relname LIKE 'session%' AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner`).
		Scan(&rights); err != nil || rights != "session pg_monitor UPDATE" {
		t.Errorf("afterwards: %s, %v", rights, err)
	}
}

// TestPartitionKilled: what was ended, or died, leaves a table that works as before, and the next one goes through.
func TestPartitionKilled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil { // which holds the lock
		t.Fatal(err)
	}
	m = migrator(t, dsn, migrate.Options{})
	exec(t, conn, `INSERT INTO "user" (id, name, email) VALUES ('u', '', '');
		INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at)
			SELECT md5(n::text), 't' || n, 'u', '2030-01-01', now(), now() FROM generate_series(1, 12000) n`)
	for _, name := range []string{"interrupted", "killed"} {
		within, interrupt := context.WithCancel(ctx)
		victim := migrator(t, dsnWith(t, dsn, "application_name", "victim"), migrate.Options{
			Log: slog.New(told(func(message string) {
				switch {
				case message != "copied":
				case name == "interrupted":
					interrupt()
				default:
					exec(t, conn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'`)
				}
			})),
		})
		if _, err := victim.PartitionSessions(within, 4); err == nil {
			t.Errorf("%s: no error", name)
		}
		interrupt()
		_ = victim.Close()
		exec(t, conn, `UPDATE session SET user_agent = '`+name+`' WHERE token = 't1'`)
		if v, err := m.Verify(ctx, migrate.VerifyOptions{}); (err == nil) != (name != "killed") {
			t.Errorf("%s: verify: %v\n%s", name, err, v.Diff)
		}
		if name == "killed" {
			exec(t, conn, `DO $$ BEGIN TRUNCATE session; RAISE EXCEPTION 'truncated';
				EXCEPTION WHEN raise_exception THEN IF SQLERRM = 'truncated' THEN RAISE; END IF; END $$`)
		}
	}
	if did, err := m.PartitionSessions(ctx, 4); err != nil {
		t.Errorf("the next one: %v, %v", did, err)
	}
	if v, err := m.Verify(ctx, migrate.VerifyOptions{}); err != nil {
		t.Errorf("verify: %v\n%s", err, v.Diff)
	}
	var n int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM session`).Scan(&n); err != nil || n != 12000 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// told is a handler that calls a function with each message.
type told func(message string)

func (told) Enabled(context.Context, slog.Level) bool { return true }

func (f told) Handle(_ context.Context, r slog.Record) error {
	f(r.Message)
	return nil
}

func (f told) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f told) WithGroup(string) slog.Handler      { return f }
