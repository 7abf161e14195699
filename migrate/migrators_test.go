package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	mdatabase "github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/migrate"
)

// foreignLock holds the lock of golang-migrate, as another program that uses it does.
func foreignLock(t *testing.T, conn *pgx.Conn) (release func()) {
	t.Helper()
	key, err := mdatabase.GenerateAdvisoryLockId(conn.Config().Database, "authdb", "schema_migrations")
	if err != nil {
		t.Fatal(err)
	}
	return with(t, conn, "SELECT pg_advisory_xact_lock("+key+")")
}

// TestManyMigrators: eight start at once on an empty database, again and again, and none fails, although an index is
// built CONCURRENTLY, which waits for every snapshot there is.
func TestManyMigrators(t *testing.T) {
	t.Parallel()
	rounds := kit.Hard(t, 3, 100)
	conn, dsn := database(t)
	var longest time.Duration
	for round := range rounds {
		begun := time.Now()
		errs := make(chan error)
		for range 8 {
			go func() {
				m, err := migrate.Open(t.Context(), dsn, migrate.Options{InsecureTLS: true, LockTimeout: time.Minute})
				if err == nil {
					err = errors.Join(m.Up(t.Context()), m.Close())
				}
				errs <- err
			}()
		}
		for range 8 {
			if err := <-errs; err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		longest = max(longest, time.Since(begun))
		if list := invalid(t, conn); len(list) > 0 {
			t.Errorf("round %d: %s", round, list)
		}
		m := migrator(t, dsn, migrate.Options{})
		wantVersion(t, m, newest)
		if round == 0 || round == rounds-1 {
			verified(t, m)
		}
		if s := status(t, m); s.Pending() || s.Troubled() {
			t.Errorf("round %d: %v", round, states(s))
		}
		if err := m.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = m.Close()
	}
	t.Logf("%d rounds of 8 migrators, the longest took %v", rounds, longest.Round(time.Millisecond))
}

// TestWaitForAnotherMigrator ends in time, whoever the other is, and changes nothing.
func TestWaitForAnotherMigrator(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 9)
	_ = m.Close()
	opts := migrate.Options{LockTimeout: 500 * time.Millisecond}
	for name, hold := range map[string]func() func(){
		"of this package": func() func() {
			other := migrator(t, dsn, migrate.Options{})
			mustGoto(t, other, 9)
			return func() { _ = other.Close() }
		},
		"of golang-migrate": func() func() { return foreignLock(t, conn) },
	} {
		release := hold()
		for verb, run := range map[string]func(*migrate.Migrator) error{
			"up":     func(m *migrate.Migrator) error { return m.Up(t.Context()) },
			"up by":  func(m *migrate.Migrator) error { return m.UpBy(t.Context(), 1) },
			"down":   func(m *migrate.Migrator) error { return m.Down(t.Context(), 1) },
			"force":  func(m *migrate.Migrator) error { return m.Force(t.Context(), 3) },
			"drop":   func(m *migrate.Migrator) error { return m.Drop(t.Context()) },
			"adopt":  func(m *migrate.Migrator) error { _, err := m.Adopt(t.Context(), migrate.AdoptOptions{}); return err },
			"repair": func(m *migrate.Migrator) error { _, err := m.Repair(t.Context()); return err },
		} {
			m := migrator(t, dsn, opts)
			begun := time.Now()
			err := run(m)
			if took := time.Since(begun); !errors.Is(err, migrate.ErrLockTimeout) || took < opts.LockTimeout || took > opts.LockTimeout+3*time.Second {
				t.Errorf("%s beside a migrator %s: %v after %v", verb, name, err, took)
			}
			wantVersion(t, m, 9)
			if verb == "up" { // what only reads waits for nobody, and a wait ends where the caller's patience does
				verified(t, m)
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				if err := migrator(t, dsn, migrate.Options{}).Up(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				cancel()
			}
			_ = m.Close()
		}
		release()
		m := migrator(t, dsn, migrate.Options{})
		mustGoto(t, m, 9)
		_ = m.Close()
	}
}

// TestForeignMigratorBetweenSteps: one that comes while this one is open is not waited for in the server, where its
// CREATE INDEX CONCURRENTLY would wait for us, and we for it.
func TestForeignMigratorBetweenSteps(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 9)
	key, err := mdatabase.GenerateAdvisoryLockId(conn.Config().Database, "authdb", "schema_migrations")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "SELECT pg_advisory_lock("+key+")")
	done := inBackground(func() error { return m.Goto(t.Context(), 10) })
	time.Sleep(300 * time.Millisecond)
	exec(t, conn, "CREATE INDEX CONCURRENTLY foreign_idx ON member (role)")
	exec(t, conn, "DROP INDEX foreign_idx; SELECT pg_advisory_unlock("+key+")")
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantVersion(t, m, 10)
	verified(t, m)
}

// readers read a table in a loop, and tell the longest time that one took.
func readers(t *testing.T, conn *pgx.Conn, table string) (stop func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	worst := make(chan time.Duration, 1)
	other, err := pgx.ConnectConfig(t.Context(), conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		var longest time.Duration
		for ctx.Err() == nil {
			begun := time.Now()
			if _, err := other.Exec(context.WithoutCancel(ctx), "SELECT count(*) FROM "+table); err != nil {
				t.Error(err)
				break
			}
			longest = max(longest, time.Since(begun))
			time.Sleep(5 * time.Millisecond)
		}
		_ = other.Close(context.WithoutCancel(ctx))
		worst <- longest
	}()
	return func() time.Duration { cancel(); return <-worst }
}

// TestReadersBehindABlockedMigration: a transaction that reads a table for 3 s keeps an ALTER TABLE waiting, and the
// other readers do not queue behind that, as they do where nobody sets a lock_timeout.
func TestReadersBehindABlockedMigration(t *testing.T) {
	t.Parallel()
	const blocker, limit = 3 * time.Second, 300 * time.Millisecond
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 2)

	measure := func(run func() error) (stall, noise, took time.Duration) {
		t.Helper()
		commit := with(t, conn, `LOCK TABLE team IN ACCESS SHARE MODE`)
		team, quiet := readers(t, conn, "team"), readers(t, conn, "verification")
		begun := time.Now()
		done := inBackground(run)
		time.Sleep(blocker)
		commit()
		if err := <-done; err != nil {
			t.Error(err)
		}
		took = time.Since(begun)
		return team(), quiet(), took
	}
	stall, noise, took := measure(func() error { return m.Goto(t.Context(), 3) })
	t.Logf("behind a migration that waits: worst read %v (of a table that nobody locks: %v); done after %v",
		stall.Round(time.Millisecond), noise.Round(time.Millisecond), took.Round(time.Millisecond))
	if stall-noise > limit {
		t.Errorf("a reader was stalled for %v", stall)
	}
	if took < blocker {
		t.Errorf("it took %v", took)
	}
	wantVersion(t, m, 3)

	plain, err := pgx.ConnectConfig(t.Context(), conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close(context.Background()) }()
	stall, noise, _ = measure(func() error {
		_, err := plain.Exec(t.Context(), `ALTER TABLE team ADD COLUMN extra int`)
		return err
	})
	t.Logf("behind a plain ALTER TABLE: worst read %v (%v)", stall.Round(time.Millisecond), noise.Round(time.Millisecond))
	if stall < blocker/2 {
		t.Errorf("nobody was stalled by a plain ALTER TABLE, so the test sees nothing: %v", stall)
	}
}

// TestLockForEver: a session that never lets go, whatever it holds. Up and Down give up in time, and nothing is dirty.
func TestLockForEver(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond
	for _, tt := range []struct {
		name, lock  string
		start, goal int
	}{
		{"a file", `LOCK TABLE team IN ACCESS SHARE MODE`, 2, 3},
		{"a file, down", `LOCK TABLE team IN ACCESS SHARE MODE`, 3, 2},
		{"an index", `LOCK TABLE member IN ROW EXCLUSIVE MODE`, 9, 10},
		{"an index, down", `LOCK TABLE member IN ROW EXCLUSIVE MODE`, 10, 9},
		{"the version table", `LOCK TABLE authdb.schema_migrations IN SHARE MODE`, 2, 3},
		{"the version table, index", `LOCK TABLE authdb.schema_migrations IN SHARE MODE`, 9, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			m := migrator(t, dsn, migrate.Options{LockTimeout: timeout})
			mustGoto(t, m, tt.start)
			commit := with(t, conn, tt.lock)
			begun := time.Now()
			err := m.Goto(t.Context(), tt.goal)
			if took := time.Since(begun); !errors.Is(err, migrate.ErrLockTimeout) || took > timeout+3*time.Second {
				t.Errorf("%v after %v", err, took)
			}
			if v, dirty, err := m.Version(t.Context()); dirty || err != nil {
				t.Errorf("version %d, dirty %v, %v", v, dirty, err)
			}
			commit()
			if err := m.Up(t.Context()); err != nil {
				t.Error(err)
			}
			verified(t, m)
		})
	}
}

// TestLockOnTheVersionTable that comes while an index is built: the migration is done, and noted once that is possible.
func TestLockOnTheVersionTable(t *testing.T) {
	t.Parallel()
	for _, forEver := range []bool{false, true} {
		t.Run(fmt.Sprint(forEver), func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			m := migrator(t, dsn, migrate.Options{LockTimeout: 2 * time.Second})
			mustGoto(t, m, 9)
			write := with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
			done := inBackground(func() error { return m.Goto(t.Context(), 10) })
			await(t, conn, building)
			read := with(t, conn, `LOCK TABLE authdb.schema_migrations IN SHARE MODE`)
			write()
			if !forEver {
				time.Sleep(2500 * time.Millisecond)
				read()
				if err := <-done; err != nil {
					t.Error(err)
				}
				wantVersion(t, m, 10)
				verified(t, m)
				return
			}
			if err := <-done; !errors.Is(err, migrate.ErrLockTimeout) {
				t.Errorf("got %v", err)
			}
			read()
			_ = m.Close()
			if r := repaired(t, dsn); !r.Dirty || r.Version != 10 {
				t.Errorf("got %+v", r)
			}
		})
	}
}
