package migrate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/migrate"
)

func config(t *testing.T, dsn string) *pgx.ConnConfig {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// pooled tells another process than the server's, as poolers do: their session is not the server's.
type pooled struct {
	net.Conn
	sent *atomic.Int64
}

func (c pooled) Write(b []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(b)
}

func (c pooled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if at := bytes.Index(b[:n], []byte{'K', 0, 0, 0, 12}); at >= 0 {
		pid := b[at+5 : at+9]
		binary.BigEndian.PutUint32(pid, binary.BigEndian.Uint32(pid)+1)
	}
	return n, err
}

// TestPoolerIsRefused: before anything is set or locked in a session that others use too, and at once, though a database
// that is starting is waited for.
func TestPoolerIsRefused(t *testing.T) {
	t.Parallel()
	_, dsn := database(t)
	cfg := config(t, dsn)
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	var sent atomic.Int64
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return pooled{conn, &sent}, err
	}
	m, err := migrate.OpenConfig(t.Context(), cfg, migrate.Options{InsecureTLS: true, WaitForDB: time.Hour})
	if !errors.Is(err, migrate.ErrPooler) || !errors.Is(err, migrate.ErrConnect) || m != nil {
		t.Errorf("got %v, %v", m, err)
	}
	// The start, the question and the end.
	if n := sent.Load(); n > 3+2 { // two more where a password is asked for
		t.Errorf("%d messages", n)
	}
}

// TestOpenConfig: what the caller has set is kept, and what the caller holds stays as it is.
func TestOpenConfig(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	cfg := config(t, dsn)
	cfg.RuntimeParams["application_name"] = "deploy"
	hooked := 0
	cfg.AfterConnect = func(context.Context, *pgconn.PgConn) error { hooked++; return nil }
	m, err := migrate.OpenConfig(t.Context(), cfg, migrate.Options{InsecureTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	var n int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE application_name = 'deploy' AND datname = current_database()`).Scan(&n); err != nil || n != 1 || hooked != 1 {
		t.Errorf("%d sessions, %d hooks, %v", n, hooked, err)
	}
	if cfg.RuntimeParams["timezone"] != "" {
		t.Error("the caller's configuration was changed")
	}
	refused := errors.New("refused")
	cfg.AfterConnect = func(context.Context, *pgconn.PgConn) error { return refused }
	if _, err := migrate.OpenConfig(t.Context(), cfg, migrate.Options{InsecureTLS: true}); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

// TestPatience: a server that ends idle sessions does not end one that waits for another migrator.
func TestPatience(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	for _, setting := range []string{"idle_session_timeout", "idle_in_transaction_session_timeout", "statement_timeout", "lock_timeout"} {
		exec(t, conn, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET `+setting+` = 3000', current_database()); END $$`)
	}
	m := migrator(t, dsn, migrate.Options{})
	time.Sleep(3500 * time.Millisecond)
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNothingToDoNeedsNoRight but to look: a service may call Up when it starts.
func TestNothingToDoNeedsNoRight(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	role, as := role(t, conn, dsn)
	exec(t, conn, `GRANT USAGE ON SCHEMA authdb TO `+role+`; GRANT SELECT ON ALL TABLES IN SCHEMA authdb TO `+role)
	open := func() *migrate.Migrator { return migrator(t, as, migrate.Options{}) }
	m := open()
	if err := m.Up(t.Context()); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	if s, err := m.Status(t.Context()); err != nil || s.Pending() || s.Troubled() {
		t.Errorf("status: %+v, %v", s, err)
	}
	_ = m.Close()
	owner := migrator(t, dsn, migrate.Options{})
	mustGoto(t, owner, newest-1)
	_ = owner.Close()
	m = open()
	defer func() { _ = m.Close() }()
	if err := m.Up(t.Context()); err == nil {
		t.Error("done without a right")
	}
	wantVersion(t, m, newest-1)
}

// TestOneTransaction: text, version and note are there together or not at all.
func TestOneTransaction(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 2)
	// The note is refused, after the text was run and the version written.
	exec(t, conn, `ALTER TABLE authdb.schema_history ADD CONSTRAINT late CHECK (version < 3)`)
	if err := m.Goto(t.Context(), 3); err == nil {
		t.Error("no error")
	}
	wantVersion(t, m, 2)
	exec(t, conn, `ALTER TABLE authdb.schema_history DROP CONSTRAINT late`)
	verified(t, m)
	// The other way, the version is refused.
	mustGoto(t, m, 3)
	exec(t, conn, `ALTER TABLE authdb.schema_migrations ADD CONSTRAINT late CHECK (version > 2)`)
	if err := m.Goto(t.Context(), 2); err == nil {
		t.Error("no error")
	}
	wantVersion(t, m, 3)
	exec(t, conn, `ALTER TABLE authdb.schema_migrations DROP CONSTRAINT late`)
	verified(t, m)
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestErrorsSayItOnce: no sentence of an error repeats another, for whatever reason it came.
func TestErrorsSayItOnce(t *testing.T) {
	t.Parallel()
	open := func(dsn string) error {
		_, err := migrate.Open(t.Context(), dsn, migrate.Options{InsecureTLS: true})
		return err
	}
	conn, dsn := database(t)
	byHand(t, conn, 1)
	exec(t, conn, duplicates+`; ALTER TABLE session DROP ip_address, ADD note text; ALTER TABLE team ALTER name TYPE varchar(9)`)
	m := migrator(t, dsn, migrate.Options{LockTimeout: 300 * time.Millisecond})
	other := migrator(t, dsn, migrate.Options{LockTimeout: 300 * time.Millisecond})
	adopt := func(m *migrate.Migrator, opts migrate.AdoptOptions) error {
		_, err := m.Adopt(t.Context(), opts)
		return err
	}
	for name, err := range map[string]error{
		"a host that is tried twice":   open("postgres://ada@127.0.0.1:1/x?sslmode=prefer"),
		"two hosts, each tried twice":  open("postgres://ada@127.0.0.1:1,127.0.0.1:2/x?sslmode=allow"),
		"no such name":                 open("postgres://ada@nowhere.invalid/x?sslmode=prefer"),
		"no such database":             open(dsn + "&dbname=nowhere"),
		"no such schema":               open(dsnWith(t, dsn, "search_path", "nowhere")),
		"tables of somebody":           m.Up(t.Context()),
		"a difference of each kind":    adopt(m, migrate.AdoptOptions{}),
		"a difference and a statement": adopt(m, migrate.AdoptOptions{Complete: true, Superset: true}),
		"another migrator":             adopt(other, migrate.AdoptOptions{}),
		"an unknown version":           m.Goto(t.Context(), 99),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, part := range strings.FieldsFunc(err.Error(), func(r rune) bool { return r == ';' || r == '\n' }) {
			if part = strings.TrimSpace(part); strings.Count(err.Error(), part) > 1 {
				t.Errorf("%s: %q is there twice: %v", name, part, err)
			}
		}
	}
}
