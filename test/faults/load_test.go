package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	loadWorkers  = 16
	naiveWorkers = 4
	invitations  = 400 // of each worker
)

// loadSetup are the rows that the workers write about, and what notes each row that they make or change. Whatever a
// private server saves elsewhere, a commit that was answered is on its way to the disk.
const loadSetup = `
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
	CREATE TABLE watch.naive (what text NOT NULL);
	CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO watch.trace VALUES (TG_TABLE_NAME || ' ' || (to_jsonb(NEW) ->> TG_ARGV[0])); RETURN NULL; END $$;
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON "user" FOR EACH ROW EXECUTE FUNCTION watch.note('name');
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON verification FOR EACH ROW EXECUTE FUNCTION watch.note('identifier');
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON member FOR EACH ROW EXECUTE FUNCTION watch.note('user_id');
	CREATE TRIGGER watch AFTER INSERT OR UPDATE ON invitation FOR EACH ROW EXECUTE FUNCTION watch.note('id');
`

// private starts a server of the test's own, with every migration applied.
func private(t *testing.T, settings ...string) *pgserver.Server {
	t.Helper()
	ctx := t.Context()
	server, err := pgserver.Start(ctx, pgserver.Options{Private: true, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	m, err := migrate.Open(ctx, server.DSN(), migrate.Options{InsecureTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		t.Fatal(err)
	}
	return server
}

// execOn runs SQL on a connection of its own.
func execOn(t *testing.T, server *pgserver.Server, sql string) {
	t.Helper()
	query(t, server, func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// setUpLoad makes what newLoad needs.
func setUpLoad(t *testing.T, server *pgserver.Server) {
	t.Helper()
	execOn(t, server, strings.NewReplacer("$workers", fmt.Sprint(loadWorkers), "$invitations", fmt.Sprint(invitations)).Replace(loadSetup))
	query(t, server, func(conn *pgx.Conn) error {
		var setting string
		if err := conn.QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&setting); err != nil || setting != "on" {
			t.Fatalf("synchronous_commit is %s (%v)", setting, err)
		}
		return nil
	})
}

// load is a crowd that writes to a server which fails under it.
type load struct {
	name    string // of what it makes
	loses   bool   // it is a control: what was acknowledged may be lost
	store   *authdb.Store
	faults  atomic.Int64 // so far
	applied atomic.Int64 // by the store
	spanned atomic.Int64 // calls that were in progress at a fault
	stop    func()
	deeds   [loadWorkers][]deed
}

// newLoad sets workers to it, each of whose writes is to be done once, and beside them naive ones: these do again what
// ended with an error. It is for one server, or several of which one accepts writes.
func newLoad(t *testing.T, dsn, name string) *load {
	t.Helper()
	ctx := t.Context()
	l := &load{name: name}
	var err error
	if l.store, err = authdb.Open(ctx, dsn, authdb.WithOnce(), authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.MaxConns = loadWorkers
	})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.store.Close)
	cfg := l.store.Pool().Config()
	cfg.MaxConns = naiveWorkers
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return farConn{conn, &l.faults}, err
	}
	naive, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(naive.Close)

	var stop atomic.Bool
	var workers sync.WaitGroup
	for n := range loadWorkers {
		workers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				before := l.faults.Load()
				d := do(ctx, l.store, name, n, i)
				l.deeds[n] = append(l.deeds[n], d)
				if l.faults.Load() != before {
					l.spanned.Add(1)
				}
				if d.err == nil {
					l.applied.Add(1)
				} else {
					_ = sleep(ctx, 5*pause)
				}
			}
		})
	}
	for n := range naiveWorkers {
		workers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				for !stop.Load() && sleep(ctx, 0) == nil {
					if _, err := naive.Exec(ctx, "INSERT INTO watch.naive VALUES ($1)", fmt.Sprintf("%s.%d.%d", name, n, i)); err == nil {
						break
					}
					_ = sleep(ctx, 5*pause)
				}
			}
		})
	}
	l.stop = func() {
		stop.Store(true)
		workers.Wait()
	}
	t.Cleanup(l.stop)
	return l
}

// farConn is a connection on which answers take a while, and are lost where the server fails meanwhile: as if the machine
// failed.
type farConn struct {
	net.Conn
	faults *atomic.Int64
}

func (c farConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	before := c.faults.Load()
	time.Sleep(5 * pause)
	if c.faults.Load() != before {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// busy waits until the store has written for a while, and returns how long the first write took to come.
func (l *load) busy(t *testing.T) (first time.Duration) {
	t.Helper()
	const enough = 20 * loadWorkers
	from, began := l.applied.Load(), time.Now()
	for l.applied.Load() < from+enough {
		if first == 0 && l.applied.Load() > from {
			first = time.Since(began)
		}
		if time.Since(began) > ceiling {
			t.Fatalf("after %d faults next to nothing is written", l.faults.Load())
		}
		_ = sleep(t.Context(), pause)
	}
	return first
}

// judge stops the crowd, holds what it was told against what the server holds, and counts it. It returns the figures.
func (l *load) judge(t *testing.T, server *pgserver.Server) (total [figures]int) {
	t.Helper()
	l.stop()
	found := counts(t, server, `SELECT what, count(*) FROM watch.trace GROUP BY what`)
	for _, d := range slices.Concat(l.deeds[:]...) {
		for _, f := range d.judge(found) {
			total[f]++
			if !l.loses && slices.Contains(mustBeZero, f) && total[f] <= 3 {
				t.Errorf("%s: %v, %v: %v (Resolve: %v)", figureNames[f], d.traces, d.outcome, d.err, d.askErr)
			}
		}
	}
	for _, n := range counts(t, server, `SELECT what, count(*) FROM watch.naive GROUP BY what`) {
		if n > 1 {
			total[naiveTwice]++
		}
	}
	return total
}

// record records what judge has counted.
func (l *load) record(t *testing.T, total [figures]int, longest time.Duration) {
	t.Helper()
	record(t, "calls that were in progress at one", l.spanned.Load())
	record(t, "acknowledged writes", total[success])
	record(t, "acknowledged, and lost", total[lost])
	record(t, "left to Resolve, which told", total[resolved])
	record(t, "refused", total[refused])
	record(t, "half done", total[half])
	record(t, "done twice", total[twice])
	record(t, "false verdicts, or none", total[wrong]+total[unresolved])
	record(t, "longest time until the first write, once the server answers", longest.Round(time.Millisecond))
	record(t, "control, which calls again: done twice", total[naiveTwice])
	if l.spanned.Load() == 0 {
		t.Error("no call was in progress at a fault")
	}
}

func counts(t *testing.T, server *pgserver.Server, sql string) map[string]int {
	t.Helper()
	found := map[string]int{}
	query(t, server, func(conn *pgx.Conn) error {
		rows, err := conn.Query(t.Context(), sql)
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
	return found
}

// deed is one write of a worker, with what it leaves in the trace, and what became of it.
type deed struct {
	traces  []string
	err     error
	outcome authdb.Outcome
	askErr  error // of Resolve
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
func do(ctx context.Context, s *authdb.Store, load string, worker, i int) deed {
	ctx, cancel := context.WithTimeout(ctx, ceiling)
	defer cancel()
	own, tag := fmt.Sprint("worker", worker), fmt.Sprintf("%s.%d.%d", load, worker, i)
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
	case d.err == nil && done == 0:
		return append(count, lost)
	case done != 0 && done != len(d.traces):
		return append(count, half)
	case (d.outcome == authdb.OutcomeApplied) != (done > 0):
		return append(count, wrong)
	}
	return count
}
