package answers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/testdb"
)

// A cut ends a connection at a boundary of the protocol.
type cut struct {
	kind string
	at   int // the n-th write or read from when it was armed
}

// cutKinds are all sides of a write and of a read.
var cutKinds = []string{
	"before write", "within write", "after write",
	"before read", "drop read", "1 byte of read", "half of read", "all but 1 byte of read",
}

var errCut error = &net.OpError{Op: "cut", Err: io.EOF}

// faultyConn is the client's end of a connection.
type faultyConn struct {
	net.Conn
	mu            sync.Mutex
	cut           cut
	armed, done   bool
	writes, reads int
}

func (c *faultyConn) arm(at cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut, c.armed, c.writes, c.reads = at, true, 0, 0
}

// wasCut reports whether the boundary was reached.
func (c *faultyConn) wasCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// sever closes the connection under the client.
func (c *faultyConn) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	_ = c.Close()
}

// next counts a write or read, and reports whether the cut is in it.
func (c *faultyConn) next(verb string, n *int) (kind string, cutHere bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return "", true
	}
	if !c.armed || !strings.HasSuffix(c.cut.kind, verb) {
		return "", false
	}
	*n++
	if *n-1 != c.cut.at {
		return "", false
	}
	return strings.TrimSuffix(c.cut.kind, " "+verb), true
}

func (c *faultyConn) Write(b []byte) (int, error) {
	kind, cutHere := c.next("write", &c.writes)
	if !cutHere {
		return c.Conn.Write(b)
	}
	n := 0
	switch kind {
	case "within":
		n, _ = c.Conn.Write(b[:len(b)/2])
	case "after":
		if n, _ = c.Conn.Write(b); n == len(b) {
			c.sever()
			return n, nil
		}
	}
	c.sever()
	return n, errCut
}

func (c *faultyConn) Read(b []byte) (int, error) {
	kind, cutHere := c.next("read", &c.reads)
	if !cutHere {
		return c.Conn.Read(b)
	}
	n := 0
	if kind != "" && kind != "before" { // the server has answered by now
		n, _ = c.Conn.Read(b)
	}
	switch kind {
	case "drop":
		n = 0
	case "1 byte of":
		n = min(n, 1)
	case "half of":
		n /= 2
	case "all but 1 byte of":
		n = max(n-1, 0)
	}
	c.sever()
	if n > 0 {
		return n, nil
	}
	return 0, errCut
}

// faultyPool is a store on one connection that can be cut.
type faultyPool struct {
	*authdb.Store
	pool *pgxpool.Pool
	conn *faultyConn
}

// newFaultyPool connects at once. Once that connection is cut the next one is sound; with mute there is none, and no
// cancel request of pgx's.
func newFaultyPool(t *testing.T, dsn string, mode pgx.QueryExecMode, mute bool) *faultyPool {
	t.Helper()
	f := &faultyPool{}
	cfg := parsePool(t, dsn)
	cfg.MaxConns = 1
	cfg.ConnConfig.DefaultQueryExecMode = mode
	cfg.ConnConfig.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		if f.conn != nil {
			return conn, nil
		}
		f.conn = &faultyConn{Conn: conn}
		return f.conn, nil
	}
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if mute && f.conn != nil {
			return nil, errCut
		}
		return dial(ctx, network, addr)
	}
	f.pool = openPool(t, cfg)
	f.Store = authdb.New(f.pool)
	if err := f.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func parsePool(t *testing.T, dsn string) *pgxpool.Config {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func openPool(t *testing.T, cfg *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newDSN names a database of its own.
func newDSN(t *testing.T) string {
	t.Helper()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	return db.DSN
}

// observer looks at a database from outside.
type observer struct {
	*authdb.Store
	pool *pgxpool.Pool
}

func newObserver(t *testing.T, dsn string) *observer {
	t.Helper()
	cfg := parsePool(t, dsn)
	cfg.ConnConfig.RuntimeParams["application_name"] = "observer"
	pool := openPool(t, cfg)
	return &observer{authdb.New(pool), pool}
}

// until waits for a condition, and not for ever.
func until(t *testing.T, what string, done func(ctx context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		switch is, err := done(ctx); {
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case is:
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (o *observer) ask(ctx context.Context, sql string, args ...any) (bool, error) {
	var yes bool
	err := o.pool.QueryRow(ctx, sql, args...).Scan(&yes)
	return yes, err
}

// settled waits until nobody else is connected, so that what the database holds is final.
func (o *observer) settled(t *testing.T) {
	t.Helper()
	until(t, "the other connections end", func(ctx context.Context) (bool, error) {
		return o.ask(ctx, `SELECT NOT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'observer')`)
	})
}

func (o *observer) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := o.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (o *observer) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := o.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// gate stops each transaction that makes a user at its commit.
type gate struct {
	*observer
	holder *pgxpool.Conn
}

// newGate returns a gate that is shut.
func newGate(t *testing.T, o *observer) *gate {
	t.Helper()
	o.exec(t, `CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$`)
	o.exec(t, `CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON "user" DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION gate()`)
	holder, err := o.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{o, holder}
	t.Cleanup(holder.Release)
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_lock(42)`); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	if _, err := g.holder.Exec(t.Context(), `SELECT pg_advisory_unlock(42)`); err != nil {
		t.Fatal(err)
	}
}

// reached waits until a commit stands at the gate.
func (g *gate) reached(t *testing.T) {
	t.Helper()
	until(t, "a commit reaches the gate", func(ctx context.Context) (bool, error) {
		return g.ask(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
	})
}

func (g *gate) killWaiting(t *testing.T) {
	t.Helper()
	g.exec(t, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}

// async runs a write that will not return by itself.
func async(write func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- write() }()
	return result
}

func newUser(email string) authdb.CreateUserParams {
	return authdb.CreateUserParams{Name: "x", Email: email}
}

func asError(t *testing.T, err error) *authdb.Error {
	t.Helper()
	e, ok := errors.AsType[*authdb.Error](err)
	if !ok {
		t.Fatalf("%v is a %T, want an *Error", err, err)
	}
	return e
}

var cutModes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

func (c cut) String() string { return fmt.Sprintf("%s %d", c.kind, c.at) }
