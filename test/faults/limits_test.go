package faults_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/pgserver"
)

// limit is something by which a server refuses or ends what it was asked, though the network is sound.
type limit struct {
	name  string
	arm   func(ctx context.Context, l *limits, a *attempt) error       // just before the call
	state string                                                       // its SQLSTATE, where it has one of no kind
	errs  []error                                                      // of which a call that fails has one
	ends  authdb.Outcome                                               // what must come of a call under Once
	inTx  func(ctx context.Context, l *limits, tx *authdb.Store) error // the call is made in an InTx, which then does this, once
	costs bool                                                         // so much time that only the full size tries it with every write
	slow  bool                                                         // the context ends soon: until then the call waits
}

// is reports whether an error is one that may come of the limit.
func (l limit) is(err *authdb.Error) bool {
	return l.state != "" && err.SQLState == l.state || l.state == "" && len(l.errs) == 0 ||
		slices.ContainsFunc(l.errs, func(kind error) bool { return errors.Is(err, kind) })
}

// fails and succeeds are what must come of a call under Once.
const (
	fails    = authdb.OutcomeNotApplied
	succeeds = authdb.OutcomeApplied
)

var timedOut = []error{authdb.ErrTimeout}

const diskFull = "53100"

var limitsToTry = []limit{
	{name: "statement_timeout", errs: timedOut, ends: fails, arm: atGate(0, "SET statement_timeout = 20", "")},
	{name: "lock_timeout in a statement", errs: timedOut, ends: fails, arm: atGate(0, "SET lock_timeout = 20", "")},
	{name: "lock_timeout at the commit", errs: timedOut, ends: fails, arm: atGate(1, "SET lock_timeout = 20", "")},
	{name: "cancelled in a statement", errs: timedOut, ends: fails, arm: atGate(0, "", cancelBackend)},
	{name: "cancelled at the commit", errs: timedOut, ends: fails, arm: atGate(1, "", cancelBackend)},
	{name: "terminated in a statement", ends: succeeds, arm: atGate(0, "", terminate)},
	{name: "terminated at the commit", ends: succeeds, arm: atGate(1, "", terminate)},
	{name: "terminated while idle", ends: succeeds, arm: func(ctx context.Context, l *limits, _ *attempt) error { return l.endIdle(ctx) }},
	{name: "idle_session_timeout", ends: succeeds, arm: func(ctx context.Context, l *limits, a *attempt) error {
		return errors.Join(a.set(ctx, "SET idle_session_timeout = 20"), l.awaitNobody(ctx))
	}},
	{name: "idle_in_transaction_session_timeout", errs: timedOut, ends: fails, arm: nothing, inTx: func(ctx context.Context, l *limits, tx *authdb.Store) error {
		_, err := tx.Tx().Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 20")
		return errors.Join(err, l.awaitNobody(ctx))
	}},
	{name: "terminated in a transaction", ends: succeeds, arm: nothing, inTx: func(ctx context.Context, l *limits, _ *authdb.Store) error {
		return l.endIdle(ctx)
	}},
	{name: "read only", errs: []error{authdb.ErrReadOnly}, ends: fails, arm: func(ctx context.Context, _ *limits, a *attempt) error {
		return a.set(ctx, "SET default_transaction_read_only = on")
	}},
	{name: "disk full", state: diskFull, ends: fails, arm: func(ctx context.Context, _ *limits, a *attempt) error {
		return a.set(ctx, "SET watch.disk = on")
	}},
	{name: "no slot left", errs: []error{authdb.ErrUnavailable, context.DeadlineExceeded}, ends: fails, slow: true, costs: true, arm: func(ctx context.Context, l *limits, a *attempt) error {
		return l.fill(ctx, a, false)
	}},
	{name: "no slot left for a while", ends: succeeds, costs: true, arm: func(ctx context.Context, l *limits, a *attempt) error {
		return l.fill(ctx, a, true)
	}},
}

func nothing(context.Context, *limits, *attempt) error { return nil }

// limits is a server of the test's own, and a world on it.
type limits struct {
	*world
	slots []*pgx.Conn // all that the others leave
}

const cancelBackend, terminate = "pg_cancel_backend", "pg_terminate_backend"

// atGate shuts a gate. Once the call stands there, something is done to it and the gate opens; or nothing, until it ends.
func atGate(gate int, set, do string) func(ctx context.Context, l *limits, a *attempt) error {
	return func(ctx context.Context, l *limits, a *attempt) error {
		if err := a.set(ctx, set); err != nil {
			return err
		}
		open, err := l.shut(ctx, gate)
		if err != nil {
			return err
		}
		a.run.meanwhile(func() {
			defer open()
			if pid, _, ok := l.comer(ctx, a.run); ok && do != "" {
				_, _ = l.gate.Exec(context.WithoutCancel(ctx), "SELECT "+do+"($1)", pid)
				return
			}
			_ = a.run.until(context.WithoutCancel(ctx), func() bool { return a.run.delivered })
		})
		return nil
	}
}

// set changes a setting of the one connection that the store has.
func (a *attempt) set(ctx context.Context, sql string) error {
	_, err := a.store.Pool().Exec(ctx, sql)
	return err
}

const byStore = `FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cut'`

func (l *limits) awaitNobody(ctx context.Context) error {
	return l.await(ctx, "the store's connections end", func() (bool, error) {
		return l.ask(ctx, l.watch, "SELECT NOT EXISTS (SELECT "+byStore+")")
	})
}

// endIdle ends the connections of the store.
func (l *limits) endIdle(ctx context.Context) error {
	if _, err := l.watch.Exec(ctx, "SELECT pg_terminate_backend(pid) "+byStore); err != nil {
		return err
	}
	return l.awaitNobody(ctx)
}

// fill takes every slot of the server, the store's too, until the run is over or, if it ends, until the store has been
// refused.
func (l *limits) fill(ctx context.Context, a *attempt, ends bool) error {
	a.store.Pool().Reset()
	if err := l.awaitNobody(ctx); err != nil {
		return err
	}
	for {
		conn, err := pgx.ConnectConfig(ctx, l.config)
		if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "53300" {
			break
		}
		if err != nil {
			return err
		}
		l.slots = append(l.slots, conn)
	}
	const few = 3 // one stays for the store, and what it may leave behind
	a.run.meanwhile(func() {
		refused := func() bool { return a.run.delivered || ends && len(a.run.links) > 1 }
		_ = a.run.until(context.WithoutCancel(ctx), refused)
		for _, conn := range l.slots[max(0, len(l.slots)-few):] {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
		l.slots = l.slots[:max(0, len(l.slots)-few)]
		_ = l.await(context.WithoutCancel(ctx), "a slot is free", func() (bool, error) {
			return l.ask(context.WithoutCancel(ctx), l.watch, `SELECT count(*) < current_setting('max_connections')::int - 1
				FROM pg_stat_activity WHERE backend_type = 'client backend'`)
		})
	})
	return nil
}

// fullSQL makes a table that is on a full disk, and lets every change of a table be noted there, too, for whoever sets
// watch.disk.
const (
	fullSQL = `
		CREATE TABLE watch.full (what text NOT NULL);
		CREATE FUNCTION watch.fill() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO watch.full VALUES (TG_TABLE_NAME); RETURN NULL; END $$;`
	fullTable = `CREATE TRIGGER full_disk AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW
		WHEN (pg_catalog.current_setting('watch.disk', true) = 'on') EXECUTE FUNCTION watch.fill();`
	fullDisk = "/dev/full"
)

func (l *limits) fillDisk(t *testing.T, server *pgserver.Server) {
	t.Helper()
	ctx := t.Context()
	if _, err := os.Stat(fullDisk); err != nil {
		t.Fatalf("no disk can be full here: %v", err)
	}
	sql := fullSQL
	for _, table := range tables {
		sql += fmt.Sprintf(fullTable, pgx.Identifier{table}.Sanitize())
	}
	var path string
	if _, err := l.admin.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
	if err := l.admin.QueryRow(ctx, `SELECT pg_relation_filepath('watch.full')`).Scan(&path); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(server.Dir(), "data", path)
	if err := errors.Join(os.Remove(file), os.Symlink(fullDisk, file)); err != nil {
		t.Fatal(err)
	}
}

// TestLimits has a server refuse or end every write in every way but that of the network. The control is a write of two
// statements without a transaction.
func TestLimits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := private(t, "max_connections=24", "superuser_reserved_connections=0")
	l := &limits{world: newWorldAt(t, server.DSN(), nil)}
	l.fillDisk(t, server)
	defer l.close()
	h := &harness{size: sizeOf(t), references: map[string]reference{}, messages: map[string][2]int{}, tally: newTally()}
	names := slices.Sorted(maps.Keys(writes))
	modes := ways(nil)
	var done, failed, naiveHalf int
	for i, lim := range limitsToTry {
		for n, name := range names {
			for m := range min(h.size.modes, len(modes)) {
				c := cell{name: name, way: modes[(i+n+m)%len(modes)], kind: kind{name: lim.name}}
				if lim.inTx != nil && (name == "InTxWith" || strings.HasPrefix(name, "Verifications.ConsumeCode")) {
					continue // which refuse to be part of a transaction
				}
				each := h.size.each
				if lim.costs && h.size.modes == 1 {
					each *= 4
				}
				if (i+n)%each > 0 {
					continue
				}
				if _, ok := h.references[name]; !ok {
					h.references[name] = refer(t, l.world, name)
				}
				for _, c.flavor = range []flavor{plain, withOnce} {
					err, cellErr := l.try(ctx, h, c, lim)
					if cellErr != nil {
						t.Fatalf("%s: %v", c, cellErr)
					}
					if done++; err != nil {
						failed++
					}
				}
			}
		}
		half, err := l.control(ctx, h, lim)
		if err != nil {
			t.Fatalf("control, %s: %v", lim.name, err)
		}
		if half {
			naiveHalf++
		}
	}
	h.tally.report(t)
	sum := h.tally.sum
	record(t, fmt.Sprintf("calls of %d writes under %d limits of the server", len(writes), len(limitsToTry)), done)
	record(t, "calls that failed", failed)
	record(t, "half done", sum(half))
	record(t, "done twice", sum(twice))
	record(t, "false verdicts, or none where there must be one", sum(wrong)+sum(unresolved)+sum(mute)+sum(unmarked))
	record(t, "control, two statements without a transaction: half done, of as many limits", naiveHalf)
	if naiveHalf == 0 {
		t.Error("the control does no harm")
	}
}

// try makes one call under a limit, and judges it.
func (l *limits) try(ctx context.Context, h *harness, c cell, lim limit) (callErr, err error) {
	a, err := h.begin(ctx, l.world, c)
	if err != nil {
		return nil, err
	}
	h.tally.add(c, cuts)
	call := a.write.run
	if lim.inTx != nil {
		var once sync.Once
		call = func(ctx context.Context, s *authdb.Store) (result any, err error) {
			err = s.InTx(ctx, func(tx *authdb.Store) error {
				result, err = a.write.run(ctx, tx)
				if a.isRefusal(err) {
					err = nil
				}
				if err == nil {
					once.Do(func() { err = lim.inTx(ctx, l, tx) })
				}
				return err
			})
			return result, err
		}
	}
	if err := lim.arm(ctx, l, a); err != nil {
		return nil, errors.Join(err, a.finish(ctx))
	}
	if lim.slow {
		var stop context.CancelFunc
		a.ctx, stop = context.WithTimeout(a.ctx, 25*pause)
		defer stop()
	}
	result, callErr := call(a.ctx, a.store)
	if e, ok := errors.AsType[*authdb.Error](callErr); callErr != nil && !a.isRefusal(callErr) && (!ok || !lim.is(e)) {
		h.tally.fault(c, wrong, "%v is not as expected: %v %s", callErr, lim.errs, lim.state)
	}
	succeeded := callErr == nil || a.isRefusal(callErr)
	if c.flavor == withOnce && succeeded != (lim.ends == succeeds) {
		h.tally.fault(c, wrong, "%v, where the outcome must be %v", callErr, lim.ends)
	}
	return callErr, h.judge(ctx, a, result, callErr, func() {})
}

// control writes twice, and has the limit between.
func (l *limits) control(ctx context.Context, h *harness, lim limit) (half bool, err error) {
	a, err := h.begin(ctx, l.world, cell{name: "Users.Create", way: way{mode: pgx.QueryExecModeExec}, flavor: naive, kind: kind{name: lim.name}})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, a.finish(ctx)) }()
	if _, err := a.store.Pool().Exec(ctx, `INSERT INTO "user" (id, name, email) VALUES ('naive', '', 'naive@example.com')`); err != nil {
		return false, err
	}
	if err := lim.arm(ctx, l, a); err != nil {
		return false, err
	}
	callCtx, stop := context.WithTimeout(a.ctx, 25*pause)
	defer stop()
	_, err = a.store.Pool().Exec(callCtx, `INSERT INTO verification (id, identifier, value, expires_at) VALUES ('naive', '', '', now())`)
	return err != nil, nil
}
