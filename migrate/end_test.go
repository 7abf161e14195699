package migrate_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/migrate"
)

// TestContextEndsAfterTheMigration that is under way, which is completed and noted.
func TestContextEndsAfterTheMigration(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 9)
	commit := with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
	ctx, cancel := context.WithCancel(t.Context())
	done := inBackground(func() error { return m.Up(ctx) })
	await(t, conn, building)
	cancel()
	commit()
	if err := <-done; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the database is at version 10") {
		t.Errorf("got %v", err)
	}
	wantVersion(t, m, 10)
	verified(t, m)
	if s := status(t, m); s.Troubled() {
		t.Errorf("status: %v", states(s))
	}
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}

	// While it waits for a lock, there is nothing under way.
	mustGoto(t, m, 2)
	with(t, conn, `LOCK TABLE team IN ACCESS SHARE MODE`)
	ctx, cancel = context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if err := m.Up(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	wantVersion(t, m, 2)
}

// TestCancel ends the statement that runs, and no other's.
func TestCancel(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 9)
	commit := with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
	for _, goal := range []int{10, 8} { // up, and down over an index of the same table
		if goal == 8 {
			commit()
			mustGoto(t, m, 10)
			commit = with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
		}
		done := inBackground(func() error { return m.Goto(t.Context(), goal) })
		await(t, conn, `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'authdb-migrate' AND wait_event_type = 'Lock'`)
		if err := m.Cancel(t.Context()); err != nil {
			t.Error(err)
		}
		if said, ok := errors.AsType[*pgconn.PgError](<-done); !ok || said.Code != "57014" {
			t.Errorf("got %v", said)
		}
		wantVersion(t, m, 9)
	}
	commit()
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
	verified(t, m)

	// Of a migrator that has nothing under way.
	idle := migrator(t, dsn, migrate.Options{})
	other, err := pgx.Connect(t.Context(), dsn) // a session without a name
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(context.Background()) }()
	slept := inBackground(func() error {
		_, err := other.Exec(t.Context(), "SELECT pg_sleep(1)")
		return err
	})
	await(t, conn, `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(1)'`)
	if err := idle.Cancel(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-slept; err != nil {
		t.Errorf("another session was cancelled: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := idle.Cancel(ctx); !errors.Is(err, migrate.ErrConnect) {
		t.Errorf("got %v", err)
	}
}

// TestWaitForDB: a server that comes up later is waited for, one that does not is not, and no error shows the password.
func TestWaitForDB(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil { // refuses, for now
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(address)
	late := dsnWith(t, dsnWith(t, dsnWith(t, dsnWith(t, dsn, "host", host), "port", port), "sslmode", "disable"), "password", "sesame")

	for _, wait := range []time.Duration{0, 600 * time.Millisecond} {
		begun := time.Now()
		_, err := migrate.Open(t.Context(), late, migrate.Options{InsecureTLS: true, WaitForDB: wait})
		if took := time.Since(begun); !errors.Is(err, migrate.ErrConnect) || strings.Contains(err.Error(), "sesame") || took < wait || took > wait+5*time.Second {
			t.Errorf("%v: %v after %v", wait, err, took)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := migrate.Open(ctx, late, migrate.Options{InsecureTLS: true, WaitForDB: time.Hour}); !errors.Is(err, migrate.ErrConnect) {
		t.Errorf("got %v", err)
	}

	network, server := pgconn.NetworkAddress(conn.Config().Host, conn.Config().Port)
	opened := inBackground(func() error {
		m, err := migrate.Open(t.Context(), late, migrate.Options{InsecureTLS: true, WaitForDB: time.Minute})
		if err == nil {
			_, _, err = m.Version(t.Context())
			err = errors.Join(err, m.Close())
		}
		return err
	})
	time.Sleep(600 * time.Millisecond)
	select {
	case err := <-opened:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	listener, err = net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial(network, server)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
	}()
	if err := <-opened; err != nil {
		t.Error(err)
	}

	for name, tt := range map[string]struct {
		dsn  string
		want error
	}{
		"a malformed DSN":      {"postgres://ada:sesame@[::1/x", migrate.ErrConnect},
		"a malformed setting":  {"postgres://ada:sesame@localhost/x?sslmode=sesame", migrate.ErrConnect},
		"a database not there": {dsnWith(t, dsn, "dbname", "nowhere_sesame_not"), migrate.ErrConnect},
	} {
		_, err := migrate.Open(t.Context(), tt.dsn, migrate.Options{InsecureTLS: true})
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "ada:sesame") || strings.Contains(err.Error(), "=sesame") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := migrate.Open(t.Context(), "postgres://ada:sesame@db.example.com/x?sslmode=require", migrate.Options{}); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("a certificate that nobody checks: %v", err)
	}
	if _, err := migrate.Open(t.Context(), dsn, migrate.WithFiles(migrate.Options{InsecureTLS: true}, files(t, map[string]string{"x.up.sql": "SELECT 1"}))); err == nil {
		t.Error("a file without a number")
	}
}

// TestDrop leaves nothing of authdb, and everything of others.
func TestDrop(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	exec(t, conn, `CREATE TABLE note (id text PRIMARY KEY); INSERT INTO note VALUES ('n'); CREATE SCHEMA drizzle; CREATE TABLE drizzle.x (id text)`)
	before := everything(t, conn)
	m := migrator(t, dsn, migrate.Options{})
	for range 2 { // nothing to drop, the second time
		if err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := m.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := m.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `CREATE TABLE authdb.kept (id text)`)
	if err := m.Drop(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"kept"}, collect(t, conn, `SELECT relname::text FROM pg_class WHERE relnamespace = 'authdb'::regnamespace AND relkind = 'r'`)); diff != "" {
		t.Errorf("in schema authdb (-want +got):\n%s", diff)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `CREATE TABLE about (id text, user_id text REFERENCES "user" (id))`)
	if said, ok := errors.AsType[*pgconn.PgError](m.Drop(t.Context())); !ok || said.Code != "2BP01" {
		t.Errorf("a table that refers to ours: %v", said)
	}
	wantVersion(t, m, 1)
}

// TestForce sets the version and the history, and looks at nothing.
func TestForce(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	for _, version := range []int{5, newest, 2, 0} {
		if err := m.Force(t.Context(), version); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, m, version)
		want := all(1, newest, migrate.StatePending, all(1, version, migrate.StateApplied, nil))
		if diff := cmp.Diff(want, states(status(t, m))); diff != "" {
			t.Errorf("%d (-want +got):\n%s", version, diff)
		}
	}
	if err := m.Force(t.Context(), newest+1); !errors.Is(err, migrate.ErrUnknownVersion) {
		t.Errorf("got %v", err)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `UPDATE authdb.schema_migrations SET dirty = true`)
	if err := m.Force(t.Context(), newest); err != nil {
		t.Error(err)
	}
	wantVersion(t, m, newest)
}

// TestUpAndDownBy count from where the database is, and stop at the ends.
func TestUpAndDownBy(t *testing.T) {
	t.Parallel()
	_, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	for _, step := range []struct{ by, want int }{{2, 2}, {1, 3}, {99, newest}, {1, newest}, {-3, newest - 3}, {-99, 0}, {-1, 0}} {
		var err error
		if step.by > 0 {
			err = m.UpBy(t.Context(), step.by)
		} else {
			err = m.Down(t.Context(), -step.by)
		}
		if err != nil {
			t.Errorf("%+v: %v", step, err)
		}
		wantVersion(t, m, step.want)
	}
}

// TestDownWithForeignNames: what undoes migration 6 knows the constraint by either name.
func TestDownWithForeignNames(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 5)
	want := state(t, conn)
	mustGoto(t, m, 6)
	exec(t, conn, familyBKey)
	if err := m.Down(t.Context(), 1); err != nil {
		t.Error(err)
	}
	wantVersion(t, m, 5)
	if diff := cmp.Diff(want, state(t, conn)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// failing fails the query of that number, before it is sent.
type failing struct{ at, seen int }

func (f *failing) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	f.seen++
	if f.seen != f.at {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func (*failing) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestEachQueryFails, one after the other: nothing is half done that one Repair, or the same call again, would not put
// right, and whatever changes nothing has changed nothing.
func TestEachQueryFails(t *testing.T) {
	t.Parallel()
	folder := drizzleFolder(t)
	to := func(version int) func(*migrate.Migrator) error {
		return func(m *migrate.Migrator) error { return m.Goto(context.Background(), version) }
	}
	adopt := func(opts migrate.AdoptOptions) func(*migrate.Migrator) error {
		return func(m *migrate.Migrator) error {
			_, err := m.Adopt(context.Background(), opts)
			return err
		}
	}
	repair := func(m *migrate.Migrator) error { _, err := m.Repair(context.Background()); return err }
	toStart := func(version int) func(*testing.T, *pgx.Conn, string) {
		return func(t *testing.T, _ *pgx.Conn, dsn string) {
			t.Helper()
			m := migrator(t, dsn, migrate.Options{})
			mustGoto(t, m, version)
			_ = m.Close()
		}
	}
	for _, tt := range []struct {
		name   string
		before func(*testing.T, *pgx.Conn, string)
		run    func(*migrate.Migrator) error
		reads  bool   // whether it changes nothing, failing or not
		undo   string // what before did
	}{
		{"files", toStart(2), to(4), false, ""},
		{"files, down", toStart(4), to(2), false, ""},
		{"an index", toStart(9), to(10), false, ""},
		{"an index, down", toStart(10), to(9), false, ""},
		{"an index by half", func(t *testing.T, c *pgx.Conn, dsn string) {
			t.Helper()
			toStart(9)(t, c, dsn)
			byHand(t, c, 10)
			exec(t, c, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"member_organizationId_createdAt_id_idx"'::regclass`)
		}, to(10), false, `DROP INDEX IF EXISTS "member_organizationId_createdAt_id_idx"`},
		{"what is there already", func(t *testing.T, c *pgx.Conn, dsn string) {
			t.Helper()
			toStart(1)(t, c, dsn)
			byHand(t, c, 2)
		}, to(2), false, `DROP INDEX IF EXISTS "invitation_inviterId_idx"`},
		{"a refusal", func(t *testing.T, c *pgx.Conn, dsn string) {
			t.Helper()
			toStart(1)(t, c, dsn)
			exec(t, c, `CREATE VIEW teams AS SELECT * FROM team`)
		}, func(m *migrate.Migrator) error {
			if said, ok := errors.AsType[*pgconn.PgError](m.Goto(context.Background(), 0)); !ok || said.Code != "2BP01" {
				return errors.New("not that")
			}
			return nil
		}, false, `DROP VIEW teams`},
		{"everything", toStart(2), to(0), false, ""},
		{"drop", toStart(1), func(m *migrate.Migrator) error { return m.Drop(context.Background()) }, false, ""},
		{"force", toStart(3), func(m *migrate.Migrator) error { return m.Force(context.Background(), 2) }, false, ""},
		{"up by", toStart(newest), func(m *migrate.Migrator) error { return m.UpBy(context.Background(), 1) }, true, ""},
		{"down by", toStart(0), func(m *migrate.Migrator) error { return m.Down(context.Background(), 1) }, false, ""},
		{"adopt", toStart(newest), adopt(migrate.AdoptOptions{Fix: true}), true, ""},
		{"a dry run of adopt", func(t *testing.T, c *pgx.Conn, dsn string) {
			t.Helper()
			toStart(0)(t, c, dsn)
			byHand(t, c, 1, 3)
			exec(t, c, tangled)
		}, adopt(migrate.AdoptOptions{Fix: true, DryRun: true}), true, ""},
		{"repair", toStart(newest), repair, true, ""},
		{"adopt, anew", func(t *testing.T, c *pgx.Conn, dsn string) {
			t.Helper()
			exec(t, c, `DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS authdb, drizzle CASCADE`)
			byHand(t, c, 1)
		}, adopt(migrate.AdoptOptions{DrizzleJournal: folder}), false, ""},
		{"repair, dirty", func(t *testing.T, c *pgx.Conn, dsn string) {
			t.Helper()
			toStart(9)(t, c, dsn)
			byHand(t, c, 10)
			exec(t, c, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"member_organizationId_createdAt_id_idx"'::regclass;
				UPDATE authdb.schema_migrations SET version = 10, dirty = true`)
		}, repair, false, `DROP INDEX IF EXISTS "member_organizationId_createdAt_id_idx"`},
		{"verify", toStart(newest), func(m *migrate.Migrator) error {
			_, err := m.Verify(context.Background(), migrate.VerifyOptions{})
			return err
		}, true, ""},
		{"status", toStart(newest), func(m *migrate.Migrator) error { _, err := m.Status(context.Background()); return err }, true, ""},
		{"plan", toStart(3), func(m *migrate.Migrator) error { _, err := m.Plan(context.Background(), 6); return err }, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			tt.before(t, conn, dsn)
			failed, stride := 0, kit.Hard(t, 7, 1)
			if tt.reads {
				stride = kit.Hard(t, 3, 1)
			}
			for at := 1 + rand.IntN(stride); ; at += stride {
				before := everything(t, conn)
				f := &failing{at: at + 2} // the first two are Open's
				m, err := migrate.Open(t.Context(), dsn, migrate.WithTracer(migrate.Options{InsecureTLS: true}, f))
				if err != nil {
					t.Fatal(err)
				}
				err = tt.run(m)
				_ = m.Close()
				through := f.seen < f.at
				if through && err != nil {
					t.Fatalf("nothing failed, but: %v", err)
				}
				if diff := cmp.Diff(before, everything(t, conn)); tt.reads && diff != "" {
					t.Errorf("query %d (-before +after):\n%s", at, diff)
				}
				if err != nil {
					failed++
				}
				if through {
					t.Logf("%d queries, one in %d failed, and for %d of them the call", f.seen-2, stride, failed)
					return
				}
				if !tt.reads {
					recovers(t, dsn, at)
					exec(t, conn, tt.undo)
					tt.before(t, conn, dsn)
				}
			}
		})
	}
}

// recovers does what the text of an error asks for, once.
func recovers(t *testing.T, dsn string, at int) {
	t.Helper()
	m := migrator(t, dsn, migrate.Options{})
	defer func() { _ = m.Close() }()
	if _, err := m.Repair(t.Context()); err != nil {
		t.Errorf("query %d: repair: %v", at, err)
	}
	version, dirty, err := m.Version(t.Context())
	if dirty || err != nil {
		t.Errorf("query %d: version %d, dirty %v, %v", at, version, dirty, err)
	}
	if s := status(t, m); s.Troubled() {
		t.Errorf("query %d: status %v", at, states(s))
	}
}
