package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/migrate"
)

const (
	crashWorkers = 16
	invitations  = 400 // of each worker
)

// crashSetup are the rows that the workers write about, and what notes each row that they make or change. Whatever a
// private server saves elsewhere, a commit that was answered is on its way to the disk.
const crashSetup = `
	ALTER DATABASE postgres SET synchronous_commit = on;
	INSERT INTO "user" (id, name, email) SELECT 'worker' || w, '', 'worker' || w || '@example.com' FROM generate_series(0, $workers - 1) w;
	INSERT INTO organization (id, name, slug, created_at) VALUES ('org', '', 'org', now());
	INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES ('owner', 'org', 'worker0', 'owner', now());
	INSERT INTO "user" (id, name, email, email_verified)
		SELECT format('guest.%s.%s', w, i), '', format('guest.%s.%s@example.com', w, i), true
		FROM generate_series(0, $workers - 1) w, generate_series(0, $invitations - 1) i;
	INSERT INTO invitation (id, organization_id, email, role, expires_at, created_at, inviter_id)
		SELECT id, 'org', email, 'member', now() + interval '1 day', now(), 'worker0' FROM "user" WHERE id LIKE 'guest%';
	CREATE SCHEMA watch;
	CREATE TABLE watch.trace (what text NOT NULL);
	CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO watch.trace VALUES (TG_TABLE_NAME || ' ' || (to_jsonb(NEW) ->> TG_ARGV[0])); RETURN NULL; END $$;
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON "user" FOR EACH ROW EXECUTE FUNCTION watch.note('name');
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON verification FOR EACH ROW EXECUTE FUNCTION watch.note('identifier');
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON member FOR EACH ROW EXECUTE FUNCTION watch.note('user_id');
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON invitation FOR EACH ROW EXECUTE FUNCTION watch.note('id');
`

// deed is one write of a worker, with what it leaves in the trace, and what became of it.
type deed struct {
	traces  []string
	err     error
	outcome authdb.Outcome
	askErr  error // of Resolve
}

// TestCrashes lets a server crash under writes that are to be done once: what was reported as done is there once, what
// was reported as not done is not there, and Resolve tells of the rest.
func TestCrashes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, err := pgserver.Start(ctx, pgserver.Options{Private: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	m, err := migrate.Open(ctx, server.DSN(), migrate.Options{InsecureTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		t.Fatal(err)
	}
	setup := strings.NewReplacer("$workers", fmt.Sprint(crashWorkers), "$invitations", fmt.Sprint(invitations)).Replace(crashSetup)
	query(t, server, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, setup, pgx.QueryExecModeSimpleProtocol)
		return err
	})
	query(t, server, func(conn *pgx.Conn) error {
		var setting string
		if err := conn.QueryRow(ctx, "SHOW synchronous_commit").Scan(&setting); err != nil || setting != "on" {
			t.Fatalf("synchronous_commit is %s (%v)", setting, err)
		}
		return nil
	})
	store, err := authdb.Open(ctx, server.DSN(), authdb.WithOnce(), authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.MaxConns = crashWorkers
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()

	began := time.Now()
	var (
		stop             atomic.Bool
		applied, spanned atomic.Int64
		crashes          atomic.Int64
		workers          sync.WaitGroup
		deeds            [crashWorkers][]deed
	)
	for n := range crashWorkers {
		workers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				before := crashes.Load()
				d := do(ctx, store, n, i)
				deeds[n] = append(deeds[n], d)
				if crashes.Load() != before {
					spanned.Add(1)
				}
				if d.err == nil {
					applied.Add(1)
				} else {
					_ = sleep(ctx, 5*pause)
				}
			}
		})
	}
	finish := func() {
		stop.Store(true)
		workers.Wait()
	}
	defer finish()
	for n := range sizeOf(t).crashes {
		const enough = 20 * crashWorkers // to call the server busy
		from := applied.Load()
		for deadline := time.Now().Add(ceiling); applied.Load() < from+enough; {
			if time.Now().After(deadline) {
				t.Fatalf("after %d crashes next to nothing is written", n)
			}
			_ = sleep(ctx, pause)
		}
		_ = sleep(ctx, rand.N(20*pause))
		crashes.Add(1)
		if err := server.Crash(ctx, []pgserver.Crash{pgserver.Immediate, pgserver.Kill}[n%2]); err != nil {
			t.Fatal(err)
		}
	}
	finish()

	found := map[string]int{}
	query(t, server, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT what, count(*) FROM watch.trace GROUP BY what`)
		if err != nil {
			return err
		}
		var what string
		var count int
		_, err = pgx.ForEachRow(rows, []any{&what, &count}, func() error {
			found[what] = count
			return nil
		})
		return err
	})
	var total [figures]int
	for _, d := range slices.Concat(deeds[:]...) {
		for _, f := range d.judge(found) {
			total[f]++
			if f != success && f != refused && f != resolved && total[f] <= 3 {
				t.Errorf("%s: %v, %v: %v (Resolve: %v)", figureNames[f], d.traces, d.outcome, d.err, d.askErr)
			}
		}
	}
	t.Logf("%d crashes in %s, %d calls in progress at one", crashes.Load(), time.Since(began).Round(time.Second), spanned.Load())
	for _, f := range []figure{success, refused, resolved, wrong, half, twice, unresolved} {
		t.Logf("%7d %s", total[f], figureNames[f])
	}
	if spanned.Load() == 0 {
		t.Error("no call was in progress at a crash")
	}
}

// query runs something on a connection of its own.
func query(t *testing.T, server *pgserver.Server, run func(conn *pgx.Conn) error) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := run(conn); err != nil {
		t.Fatal(err)
	}
}

// do is the i-th deed of a worker.
func do(ctx context.Context, s *authdb.Store, worker, i int) deed {
	ctx, cancel := context.WithTimeout(ctx, ceiling)
	defer cancel()
	own, tag := fmt.Sprint("worker", worker), fmt.Sprintf("%d.%d", worker, i)
	var d deed
	kind := i % 4
	if kind == 2 && i/4 >= invitations {
		kind = 0
	}
	switch kind {
	case 0:
		d.traces = []string{"user " + tag}
		_, d.err = s.Users.Create(ctx, authdb.CreateUserParams{Name: tag, Email: tag + "@example.com"})
	case 1:
		d.traces = []string{"user " + tag}
		_, d.err = s.Users.Update(ctx, own, authdb.UpdateUserParams{Name: authdb.Set(tag)})
	case 2:
		guest := fmt.Sprintf("guest.%d.%d", worker, i/4)
		d.traces = []string{"member " + guest, "invitation " + guest}
		_, d.err = s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: guest, UserID: guest, AllowUnverified: true})
	case 3:
		other := tag + " again"
		d.traces = []string{"user " + tag, "verification " + tag, "user " + other}
		d.err = s.InTx(ctx, func(tx *authdb.Store) error {
			if _, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: tag, Email: tag + "@example.com"}); err != nil {
				return err
			}
			if _, err := tx.Verifications.Create(ctx, authdb.CreateVerificationParams{
				Identifier: authdb.Secret(tag), ExpiresAt: time.Now().Add(time.Hour),
			}); err != nil {
				return err
			}
			_, err := tx.Users.Update(ctx, own, authdb.UpdateUserParams{Name: authdb.Set(other)})
			return err
		})
	}
	// Until the server answers again.
	for d.outcome, d.askErr = s.Resolve(ctx, d.err); d.outcome == authdb.OutcomeUnknown && d.askErr != nil; {
		if sleep(ctx, 5*pause) != nil {
			break
		}
		d.outcome, d.askErr = s.Resolve(ctx, d.err)
	}
	return d
}

// judge holds what was reported of a deed against what was found, and returns what it counts as.
func (d deed) judge(found map[string]int) (count []figure) {
	if errors.Is(d.err, authdb.ErrCommitUnknown) {
		count = append(count, resolved)
	} else if d.err != nil {
		count = append(count, refused)
	} else {
		count = append(count, success)
	}
	done := 0
	for _, what := range d.traces {
		if found[what] > 1 {
			return append(count, twice)
		}
		done += found[what]
	}
	switch {
	case d.outcome == authdb.OutcomeUnknown:
		return append(count, unresolved)
	case done != 0 && done != len(d.traces):
		return append(count, half)
	case (d.outcome == authdb.OutcomeApplied) != (done > 0):
		return append(count, wrong)
	}
	return count
}
