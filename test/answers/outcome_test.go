package answers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/migrate"
)

// scenario is a write that is cut. Its rows carry mark in their names, and are all there or none.
type scenario struct {
	name string
	rows int
	run  func(ctx context.Context, s *authdb.Store, mark string) error
}

var scenarios = []scenario{
	{"create", 1, func(ctx context.Context, s *authdb.Store, mark string) error {
		_, err := s.Users.Create(ctx, authdb.CreateUserParams{Name: mark, Email: mark + "@example.com"})
		return err
	}},
	{"sign-up in a batch", 2, func(ctx context.Context, s *authdb.Store, mark string) error {
		_, err := s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{User: authdb.CreateUserParams{Name: mark, Email: mark + "@example.com"}, Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: new(authdb.Secret("hash"))}})
		return err
	}},
	{"transaction", 2, func(ctx context.Context, s *authdb.Store, mark string) error {
		return s.InTx(ctx, func(tx *authdb.Store) error {
			for i := range 2 {
				p := authdb.CreateUserParams{Name: mark, Email: fmt.Sprintf("%s.%d@example.com", mark, i)}
				if _, err := tx.Users.Create(ctx, p); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"transaction that keeps quiet", 2, func(ctx context.Context, s *authdb.Store, mark string) error {
		return s.InTx(ctx, func(tx *authdb.Store) error {
			for i := range 2 {
				_, _ = tx.Users.Create(ctx, authdb.CreateUserParams{Name: mark, Email: fmt.Sprintf("%s.%d@example.com", mark, i)})
			}
			return nil
		})
	}},
}

// tally counts what a run of cuts has shown.
type tally struct{ cuts, success, unknown, unknownApplied, trusting int }

// TestConnectionCut cuts the connection at every boundary of the protocol, and holds what the error says against what
// the database holds. What was certainly not applied is done again, on the next connection. A classifier that trusts
// pgconn.SafeToRetry is the control: it must be wrong somewhere.
func TestConnectionCut(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	o := newObserver(t, dsn)
	var all tally
	for _, sc := range scenarios {
		for _, mode := range cutModes {
			n := &tally{}
			for _, kind := range cutKinds {
				for at := 0; cutOnce(t, o, dsn, sc, mode, cut{kind, at}, n); at++ {
				}
			}
			t.Logf("%s, %v: %+v", sc.name, mode, *n)
			if n.cuts < len(cutKinds) || n.unknownApplied == 0 || n.unknown == n.unknownApplied {
				t.Errorf("%s, %v: the cuts miss a verdict, or too few are sure: %+v", sc.name, mode, *n)
			}
			all.cuts += n.cuts
			all.unknown += n.unknown
			all.trusting += n.trusting
		}
	}
	if all.trusting == 0 {
		t.Error("trusting SafeToRetry was never wrong: the test cuts in the wrong places, or pgx was repaired")
	}
	t.Logf("%d cuts, %d unknown, SafeToRetry wrong at %d", all.cuts, all.unknown, all.trusting)
}

// cutOnce reports whether the boundary was there. Past the last one, the write must succeed.
func cutOnce(
	t *testing.T, o *observer, dsn string, sc scenario, mode pgx.QueryExecMode, at cut, n *tally,
) (wasCut bool) {
	t.Helper()
	mark := "m" + strings.ToLower(repo.RandomID())
	f := newFaultyPool(t, dsn, mode, false)
	f.conn.arm(at)
	err := sc.run(t.Context(), f.Store, mark)
	wasCut = f.conn.wasCut()
	where := fmt.Sprintf("%s, %v, %v", sc.name, mode, at)

	outcome, verdict := authdb.OutcomeApplied, authdb.OutcomeApplied
	if err != nil {
		e := asError(t, err)
		outcome = e.Outcome
		if errors.Is(err, authdb.ErrCommitUnknown) != (outcome == authdb.OutcomeUnknown) || (e.Retry == authdb.RetryResolve) != (outcome == authdb.OutcomeUnknown) {
			t.Errorf("%s: %v says %v and %v", where, err, e.Outcome, e.Retry)
		}
		// At once, while the server may still be at work.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var resolveErr error
		if verdict, resolveErr = o.Resolve(ctx, err); resolveErr != nil || verdict == authdb.OutcomeUnknown {
			t.Errorf("%s: Resolve: %v, %v", where, verdict, resolveErr)
		}
	}
	f.pool.Close()
	o.settled(t)
	rows := o.count(t, `SELECT count(DISTINCT u.id) + count(a.id) FROM "user" u LEFT JOIN account a ON a.user_id = u.id
		WHERE u.name = $1`, mark)
	truth := authdb.OutcomeNotApplied
	switch rows {
	case 0:
	case sc.rows:
		truth = authdb.OutcomeApplied
	default:
		t.Errorf("%s: half done: %d of %d rows", where, rows, sc.rows)
	}
	if outcome != authdb.OutcomeUnknown && outcome != truth {
		t.Errorf("%s: %v says %v, but it is %v", where, err, outcome, truth)
	}
	if verdict != truth {
		t.Errorf("%s: %v is resolved as %v, but it is %v", where, err, verdict, truth)
	}
	if !wasCut {
		if err != nil {
			t.Errorf("%s: %v without a cut", where, err)
		}
		return false
	}
	n.cuts++
	switch {
	case err == nil:
		n.success++
	case outcome == authdb.OutcomeNotApplied:
		t.Errorf("%s: %v was not done again", where, err)
	default:
		n.unknown++
		if truth == authdb.OutcomeApplied {
			n.unknownApplied++
		}
	}
	if e, ok := errors.AsType[*authdb.Error](err); ok && truth == authdb.OutcomeApplied && pgconn.SafeToRetry(e.Cause()) { //nolint:forbidigo // the control
		n.trusting++
	}
	return true
}

// TestSafeToRetryIsWrong pins the fault of pgx because of which this package judges for itself. When it fails, pgx was
// repaired.
func TestSafeToRetryIsWrong(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	o := newObserver(t, dsn)
	f := newFaultyPool(t, dsn, pgx.QueryExecModeCacheStatement, false)
	tx, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	user, err := authdb.New(tx).Users.Create(t.Context(), newUser("ghost@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	f.conn.arm(cut{"drop read", 0})
	err = tx.Commit(t.Context())
	if !errors.Is(err, pgconn.ErrConnClosed) || !pgconn.SafeToRetry(err) { //nolint:forbidigo // what is pinned
		t.Errorf("the commit's answer was lost: %v", err)
	}
	if _, err := o.Users.Get(t.Context(), user.ID); err != nil {
		t.Errorf("it was committed: %v", err)
	}
}

// TestResolveWaits: the row is on its way, so that whoever only looks does not find it.
func TestResolveWaits(t *testing.T) {
	t.Parallel()
	writes := map[string]func(ctx context.Context, s *authdb.Store) error{
		"create": func(ctx context.Context, s *authdb.Store) error {
			_, err := s.Users.Create(ctx, newUser("late@example.com"))
			return err
		},
		"transaction": func(ctx context.Context, s *authdb.Store) error {
			return s.InTx(ctx, func(tx *authdb.Store) error {
				_, err := tx.Users.Create(ctx, newUser("late@example.com"))
				return err
			})
		},
	}
	for name, write := range writes {
		for _, tt := range []struct {
			name string
			end  func(*gate, *testing.T)
			want authdb.Outcome
		}{
			{"committed late", (*gate).open, authdb.OutcomeApplied},
			{"killed", (*gate).killWaiting, authdb.OutcomeNotApplied},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				dsn := newDSN(t)
				g := newGate(t, newObserver(t, dsn))
				f := newFaultyPool(t, dsn, pgx.QueryExecModeCacheStatement, true)
				result := async(func() error { return write(t.Context(), f.Store) })
				g.reached(t)
				f.conn.sever()
				err := <-result
				if e := asError(t, err); e.Outcome != authdb.OutcomeUnknown {
					t.Fatal(err)
				}
				if n := g.count(t, `SELECT count(*) FROM "user"`); n != 0 {
					t.Fatal("the row is there already")
				}

				short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				got, again := g.Resolve(short, err)
				if got != authdb.OutcomeUnknown || !errors.Is(again, context.DeadlineExceeded) {
					t.Errorf("while it is open: %v, %v", got, again)
				}
				type answer struct {
					outcome authdb.Outcome
					err     error
				}
				answers := make(chan answer, 1)
				go func() {
					outcome, err := g.Resolve(t.Context(), again)
					answers <- answer{outcome, err}
				}()
				tt.end(g, t)
				if got := <-answers; got.outcome != tt.want || got.err != nil {
					t.Errorf("got %v, %v, want %v", got.outcome, got.err, tt.want)
				}
			})
		}
	}
}

// TestResolveSaysWhy: what proves nothing leaves the outcome unknown, and says so.
func TestResolveSaysWhy(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	o := newObserver(t, dsn)
	g := newGate(t, o)
	f := newFaultyPool(t, dsn, pgx.QueryExecModeCacheStatement, true)
	result := async(func() error {
		_, err := f.Users.Create(t.Context(), newUser("late@example.com"))
		return err
	})
	g.reached(t)
	f.conn.sever()
	err := <-result
	g.killWaiting(t)

	cfg := parsePool(t, dsn)
	cfg.ConnConfig.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		return addressed{conn}, nil
	}
	for reason, s := range map[string]*authdb.Store{
		"asked at another address":          authdb.New(openPool(t, cfg)),
		"PostgreSQL's process is not known": authdb.New(struct{ authdb.DB }{o.pool}),
		"":                                  o.Store,
	} {
		got, err := s.Resolve(t.Context(), err)
		if e, _ := errors.AsType[*authdb.Error](err); reason != "" && (got != authdb.OutcomeUnknown || e == nil || e.Reason != reason) {
			t.Errorf("%v, %v, want %q", got, err, reason)
		} else if reason == "" && (got != authdb.OutcomeNotApplied || err != nil) {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// TestResolveOnAStandby: what is not there may be on the primary.
func TestResolveOnAStandby(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, err := pgserver.Start(ctx, pgserver.Options{Private: true, Settings: []string{"wal_level=replica"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	m, err := migrate.Open(ctx, server.DSN(), migrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		t.Fatal(err)
	}
	f := newFaultyPool(t, server.DSN(), pgx.QueryExecModeCacheStatement, false)
	if _, err := f.Users.Create(ctx, newUser("prepares@example.com")); err != nil {
		t.Fatal(err)
	}
	f.conn.arm(cut{"drop read", 0})
	_, lost := f.Users.Create(ctx, newUser("lost@example.com"))
	for _, sql := range []string{`DELETE FROM "user"`, `CHECKPOINT`} { // to disk, before it is asked for there
		if _, err := f.pool.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.Resolve(ctx, lost); got != authdb.OutcomeNotApplied || err != nil {
		t.Fatalf("on the primary: %v, %v", got, err)
	}
	f.pool.Close()
	if err := os.WriteFile(filepath.Join(server.Dir(), "data", "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.Crash(ctx, pgserver.Immediate); err != nil {
		t.Fatal(err)
	}
	got, err := authdb.New(openPool(t, parsePool(t, server.DSN()))).Resolve(ctx, lost)
	if e, _ := errors.AsType[*authdb.Error](err); got != authdb.OutcomeUnknown || e == nil || e.Reason != "asked on a standby" {
		t.Errorf("on a standby: %v, %v", got, err)
	}
}

// addressed is a connection by way of another address.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "elsewhere"} }

// TestResolveForgetsSavepoints: rows that a savepoint has taken back say nothing of the commit.
func TestResolveForgetsSavepoints(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := newDSN(t)
	o := newObserver(t, dsn)
	f := newFaultyPool(t, dsn, pgx.QueryExecModeCacheStatement, true)
	err := f.InTx(ctx, func(tx *authdb.Store) error {
		_ = tx.InTx(ctx, func(in *authdb.Store) error {
			_, _ = in.Users.Create(ctx, newUser("a@example.com"))
			_ = in.InTx(ctx, func(in *authdb.Store) error {
				_, err := in.Users.Create(ctx, newUser("b@example.com"))
				return err
			})
			return errors.New("boom")
		})
		_, err := tx.Verifications.DeleteByIdentifier(ctx, "x")
		f.conn.arm(cut{"drop read", 0})
		return err
	})
	if !errors.Is(err, authdb.ErrCommitUnknown) {
		t.Fatal(err)
	}
	if got, err := o.Resolve(ctx, err); got != authdb.OutcomeUnknown || !errors.Is(err, authdb.ErrCommitUnknown) {
		t.Errorf("it was committed, and %v, %v", got, err)
	}
}

// TestContextErrors: whatever the moment and whoever notices, the error is that of the context, and says whether
// anything can have been applied.
func TestContextErrors(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	g := newGate(t, newObserver(t, dsn))
	watcher := func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, CancelRequestDelay: 0, DeadlineDelay: time.Minute}
	}
	open := func(t *testing.T, change func(*pgxpool.Config)) (*authdb.Store, *pgxpool.Pool) {
		cfg := parsePool(t, dsn)
		cfg.MaxConns = 1
		change(cfg)
		pool := openPool(t, cfg)
		s := authdb.New(pool)
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s, pool
	}
	plain := func(*pgxpool.Config) {}
	custom := func(c *pgxpool.Config) { c.ConnConfig.BuildContextWatcherHandler = watcher }
	create := func(ctx context.Context, s *authdb.Store) error {
		_, err := s.Users.Create(ctx, newUser(repo.RandomID()+"@example.com"))
		return err
	}
	inTx := func(ctx context.Context, s *authdb.Store) error {
		return s.InTx(ctx, func(tx *authdb.Store) error { return create(ctx, tx) })
	}
	batch := func(ctx context.Context, s *authdb.Store) error {
		_, err := s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{User: newUser(repo.RandomID() + "@example.com"), Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: new(authdb.Secret("hash"))}})
		return err
	}
	// held is a table that nobody can read.
	held := func(t *testing.T) (release func()) {
		tx, err := g.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `LOCK TABLE verification`); err != nil {
			t.Fatal(err)
		}
		return func() { _ = tx.Rollback(context.Background()) }
	}
	wait := func(ctx context.Context, s *authdb.Store) error {
		_, err := s.Verifications.Get(ctx, "x")
		return err
	}
	waits := func(t *testing.T) {
		until(t, "it waits", func(ctx context.Context) (bool, error) {
			return g.ask(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'verification'::regclass
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
		})
	}
	const cancelled, expired = "cancelled", "expired"
	for name, tt := range map[string]struct {
		change  func(*pgxpool.Config)
		write   func(ctx context.Context, s *authdb.Store) error
		outcome authdb.Outcome
	}{
		"create in flight":                      {plain, create, authdb.OutcomeUnknown},
		"batch in flight":                       {plain, batch, authdb.OutcomeUnknown},
		"commit in flight":                      {plain, inTx, authdb.OutcomeUnknown},
		"create that the server is told to end": {custom, create, authdb.OutcomeNotApplied},
		"batch that the server is told to end":  {custom, batch, authdb.OutcomeNotApplied},
		"commit that the server is told to end": {custom, inTx, authdb.OutcomeNotApplied},
	} {
		for _, how := range []string{cancelled, expired} {
			t.Run(name+"/"+how, func(t *testing.T) {
				s, _ := open(t, tt.change)
				ctx, cancel := context.WithCancel(t.Context())
				if how == expired {
					ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(300*time.Millisecond))
				}
				defer cancel()
				result := async(func() error { return tt.write(ctx, s) })
				g.reached(t)
				if how == cancelled {
					cancel()
				}
				err := <-result
				e := asError(t, err)
				if !errors.Is(err, ctx.Err()) || e.Outcome != tt.outcome {
					t.Errorf("%v, outcome %v, retry %v", err, e.Outcome, e.Retry)
				}
				until(t, "the server gives up", func(ctx context.Context) (bool, error) {
					return g.ask(ctx, `SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`)
				})
			})
		}
	}
	for name, change := range map[string]func(*pgxpool.Config){"default": plain, "custom": custom} {
		t.Run("read in flight/"+name, func(t *testing.T) {
			s, _ := open(t, change)
			ctx, cancel := context.WithCancel(t.Context())
			defer held(t)()
			result := async(func() error { return wait(ctx, s) })
			waits(t)
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) || asError(t, err).Outcome != authdb.OutcomeNotApplied {
				t.Error(err)
			}
		})
	}

	t.Run("nothing was sent", func(t *testing.T) {
		s, pool := open(t, plain)
		conn, err := pgx.ConnectConfig(t.Context(), parsePool(t, dsn).ConnConfig)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for _, how := range []string{cancelled, expired} {
			ctx, cancel := context.WithCancel(t.Context())
			retry := authdb.RetryNever
			if how == expired {
				ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
				retry = authdb.RetryTransaction
			}
			cancel()
			held, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for where, on := range map[string]*authdb.Store{"pool": s, "conn": authdb.New(conn), "pooled conn": authdb.New(held)} {
				for name, write := range map[string]func(context.Context, *authdb.Store) error{"create": create, "batch": batch, "InTx": inTx} {
					err := write(ctx, on)
					if e := asError(t, err); !errors.Is(err, ctx.Err()) || e.Outcome != authdb.OutcomeNotApplied || e.Retry != retry {
						t.Errorf("%s on a %s: %v, %v, %v", name, where, err, e.Outcome, e.Retry)
					}
				}
			}
			// The pool's one connection is taken: this waits in vain.
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			if how == cancelled {
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(20*time.Millisecond, cancel)
			}
			err = create(ctx, s)
			if e := asError(t, err); !errors.Is(err, ctx.Err()) || e.Outcome != authdb.OutcomeNotApplied || e.Retry != retry {
				t.Errorf("waiting for a connection: %v, %v, %v", err, e.Outcome, e.Retry)
			}
			cancel()
			held.Release()
		}
	})
	t.Run("a transaction goes on with a context that is over", func(t *testing.T) {
		s, _ := open(t, plain)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.InTx(ctx, func(tx *authdb.Store) error {
			defer held(t)()
			result := async(func() error { return wait(ctx, tx) })
			waits(t)
			cancel()
			for i, err := range []error{<-result, create(ctx, tx), create(ctx, tx)} {
				if e := asError(t, err); !errors.Is(err, context.Canceled) || e.Outcome != authdb.OutcomeNotApplied {
					t.Errorf("%d: %v", i, err)
				}
			}
			return nil
		})
		if e := asError(t, err); !errors.Is(err, context.Canceled) || e.Outcome != authdb.OutcomeNotApplied {
			t.Error(err)
		}
	})
	t.Run("a savepoint whose own context is over", func(t *testing.T) {
		s, _ := open(t, func(c *pgxpool.Config) {
			c.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, `SET session_replication_role = replica`) // past the gate
				return err
			}
		})
		for name, end := range map[string]func(cancel func()) error{
			"failed":   func(cancel func()) error { cancel(); return errors.New("boom") },
			"finished": func(cancel func()) error { cancel(); return nil },
		} {
			email := name + "@example.com"
			if err := s.InTx(t.Context(), func(tx *authdb.Store) error {
				if _, err := tx.Users.Create(t.Context(), newUser("outer-"+email)); err != nil {
					return err
				}
				ctx, cancel := context.WithCancel(t.Context())
				if err := tx.InTx(ctx, func(in *authdb.Store) error {
					if _, err := in.Users.Create(ctx, newUser("inner-"+email)); err != nil {
						return err
					}
					return end(cancel)
				}); err == nil {
					t.Errorf("%s: no error", name)
				}
				return nil
			}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n := g.count(t, `SELECT count(*) FROM "user" WHERE email = $1`, "outer-"+email); n != 1 {
				t.Errorf("%s: the outer part was lost", name)
			}
			if n := g.count(t, `SELECT count(*) FROM "user" WHERE email = $1`, "inner-"+email); n != 0 {
				t.Errorf("%s: the inner part returned an error and was committed", name)
			}
		}
	})
}

// TestInTxRetries: what PostgreSQL ends for another's sake runs again, all of it.
func TestInTxRetries(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, param, value string) (*authdb.Store, *observer) {
		dsn := newDSN(t)
		cfg := parsePool(t, dsn)
		cfg.ConnConfig.RuntimeParams[param] = value
		return authdb.New(openPool(t, cfg)), newObserver(t, dsn)
	}
	// both runs fn twice at once; each one's first attempt waits at meet for the other's.
	both := func(t *testing.T, s *authdb.Store, fn func(tx *authdb.Store, i int, meet func()) error) (runs int64) {
		t.Helper()
		var meeting, finished sync.WaitGroup
		var count atomic.Int64
		meeting.Add(2)
		for i := range 2 {
			finished.Go(func() {
				var once sync.Once
				if err := s.InTx(t.Context(), func(tx *authdb.Store) error {
					count.Add(1)
					return fn(tx, i, func() {
						once.Do(func() {
							meeting.Done()
							meeting.Wait()
						})
					})
				}); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		finished.Wait()
		return count.Load()
	}
	ctx := t.Context()

	t.Run("deadlock", func(t *testing.T) {
		s, o := open(t, "deadlock_timeout", "50ms")
		var ids [2]string
		for i := range ids {
			u, err := s.Users.Create(ctx, newUser(fmt.Sprint(i, "@example.com")))
			if err != nil {
				t.Fatal(err)
			}
			ids[i] = u.ID
		}
		runs := both(t, s, func(tx *authdb.Store, i int, meet func()) error {
			for step := range 2 {
				name := fmt.Sprint("by ", i)
				if _, err := tx.Users.Update(ctx, ids[(i+step)%2], authdb.UpdateUserParams{Name: authdb.Set(name)}); err != nil {
					return err
				}
				meet()
			}
			return nil
		})
		if runs < 3 || o.count(t, `SELECT count(DISTINCT name) FROM "user"`) != 1 {
			t.Errorf("%d runs", runs)
		}
	})

	s, o := open(t, "application_name", "retries")
	o.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$`)
	o.exec(t, `CREATE TRIGGER refuse BEFORE INSERT ON "user" FOR EACH ROW WHEN (NEW.name = 'statement')
		EXECUTE FUNCTION refuse()`)
	o.exec(t, `CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT ON "user" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		WHEN (NEW.name = 'commit') EXECUTE FUNCTION refuse()`)
	refused := func(tx *authdb.Store, name string) error {
		_, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: name, Email: "x@example.com"})
		return err
	}
	for _, when := range []string{"statement", "commit"} {
		t.Run("bounded/"+when, func(t *testing.T) {
			runs := 0
			var last error
			err := s.InTx(ctx, func(tx *authdb.Store) error {
				runs++
				last = refused(tx, when)
				return last
			})
			e := asError(t, err)
			if runs != 10 || e.SQLState != "40001" || e.Outcome != authdb.OutcomeNotApplied || e.Retry != authdb.RetryTransaction {
				t.Errorf("%d runs, %v", runs, err)
			}
			if when == "statement" && err != last { //nolint:errorlint // the very error is the contract
				t.Errorf("the error of fn became %v", err)
			}
		})
	}
	t.Run("ends with the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		runs := 0
		err := s.InTx(ctx, func(tx *authdb.Store) error {
			err := refused(tx, "statement")
			if runs++; runs == 2 {
				cancel()
			}
			return err
		})
		if e := asError(t, err); runs != 2 || !errors.Is(err, context.Canceled) || e.SQLState != "40001" || e.Outcome != authdb.OutcomeNotApplied {
			t.Errorf("%d runs, %v", runs, err)
		}
	})
	t.Run("not in a savepoint", func(t *testing.T) {
		outer, inner := 0, 0
		err := s.InTx(ctx, func(tx *authdb.Store) error {
			outer++
			return tx.InTx(ctx, func(in *authdb.Store) error {
				inner++
				return refused(in, "statement")
			})
		})
		if outer != 10 || inner != 10 || asError(t, err).SQLState != "40001" {
			t.Errorf("%d outer and %d inner runs, %v", outer, inner, err)
		}
	})
	t.Run("not in the caller's transaction", func(t *testing.T) {
		runs := 0
		err := pgx.BeginFunc(ctx, o.pool, func(tx pgx.Tx) error {
			return authdb.New(tx).InTx(ctx, func(in *authdb.Store) error {
				runs++
				return refused(in, "statement")
			})
		})
		if runs != 1 || asError(t, err).SQLState != "40001" {
			t.Errorf("%d runs, %v", runs, err)
		}
	})
}

// TestInTxDoesNotRetryTheUnknown: a commit that ends in 40001 is retried, one whose answer is lost is not.
func TestInTxDoesNotRetryTheUnknown(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	o := newObserver(t, dsn)
	f := newFaultyPool(t, dsn, pgx.QueryExecModeCacheStatement, false)
	runs := 0
	err := f.InTx(t.Context(), func(tx *authdb.Store) error {
		runs++
		_, err := tx.Users.Create(t.Context(), newUser("once@example.com"))
		f.conn.arm(cut{"drop read", 0})
		return err
	})
	if e := asError(t, err); runs != 1 || !errors.Is(err, authdb.ErrCommitUnknown) || e.Op != "InTx" {
		t.Errorf("%d runs, %v", runs, err)
	}
	if got, err := o.Resolve(t.Context(), err); got != authdb.OutcomeApplied || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}
