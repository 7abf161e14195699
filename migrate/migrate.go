// Package migrate brings a database to the schema of authdb, and reports how the two differ. It is what cmd/migrate
// runs, for programs that migrate when they start:
//
//	m, err := migrate.Open(ctx, os.Getenv("DATABASE_URL"), migrate.Options{})
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	return m.Up(ctx)
//
// golang-migrate applies the files, on the one connection of a [Migrator]. This package adds what it lacks: one
// migrator at a time without deadlocks; no reader queues behind a migration that waits for a lock; a file, its version
// and its line in the history commit together; and the catalog is compared with what the migrations make.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	engine "github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/connect"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// pinned is the search path of a migrator's session: PostgreSQL's own schema, so that nobody's function or operator is
// called in place of PostgreSQL's. Tables are named with their schema; only the text of a migration runs while that
// schema is searched.
const pinned = "search_path = pg_catalog, pg_temp"

// patient turns off the time-outs that would end the session while it waits for others.
const patient = `SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
	WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`

// lockKey is the advisory lock that only one migrator of a database holds at a time.
const lockKey = 0x61757468_6462 // "authdb"

// DefaultLockTimeout is how long a migrator waits for others and for locks on tables unless its options say otherwise.
const DefaultLockTimeout = 15 * time.Second

// The kinds of failure that callers tell apart with errors.Is.
var (
	// ErrConnect: the database cannot be reached, or refuses the user.
	ErrConnect = errors.New("cannot connect")
	// ErrPooler: the connection leads through a pooler, such as PgBouncer, which would lend this session's locks and
	// settings to others. Nothing was set or locked.
	ErrPooler = errors.New("through a pooler, whose sessions others use too: connect to PostgreSQL itself; nothing was changed")
	// ErrLockTimeout: another migrator, or a session that holds a lock on a table, took longer than LockTimeout.
	ErrLockTimeout = errors.New("lock timeout")
	// ErrDirty: a migration stopped half-way. Repair finds out how far it got.
	ErrDirty = errors.New("the database is dirty: a migration stopped half-way")
	// ErrForeignTables: the tables exist although no migration made them. Adopt takes them over.
	ErrForeignTables = errors.New("the tables are there already, and no migration made them (Drizzle did?): " +
		"run adopt; nothing was changed")
	// ErrDrift: the catalog is not what the migrations make.
	ErrDrift = errors.New("the schema is not what the migrations make")
	// ErrUnknownVersion: the database is newer than this program, or no migration has that number.
	ErrUnknownVersion = errors.New("no migration has that number")
	// ErrNoSchema: no schema in the session's search_path exists, so nothing says where the tables belong.
	ErrNoSchema = errors.New("no schema for the tables: search_path names none that exists")
	// ErrUndoes: to reach the version, migrations would be undone, and tables and columns dropped with their data.
	ErrUndoes = errors.New("going to that version undoes migrations and drops tables and columns with their data")
)

var errRunRepair = fmt.Errorf("%w: run repair", ErrDirty)

// Options change how a Migrator works. The zero value suits a deployment.
type Options struct {
	InsecureTLS      bool          // connect to a remote host without verifying its certificate
	WaitForDB        time.Duration // how long to try to connect; zero: once
	LockTimeout      time.Duration // zero: DefaultLockTimeout
	StatementTimeout time.Duration // of each migration; zero: none
	Log              *slog.Logger  // progress; nil: nowhere

	files  fs.FS           // of tests; nil: the embedded ones
	tracer pgx.QueryTracer // of tests
}

// Migrator is a connection to a database and the migrations for it. It is for one goroutine at a time.
type Migrator struct {
	opts  Options
	files fs.FS
	steps []migrations.Migration
	log   *slog.Logger

	conn   *pgx.Conn
	cfg    *pgx.ConnConfig
	path   []string // the schemas that its sessions would search
	schema string   // the one of these that has, or gets, the tables
	locked bool
	ledger ledger
	engine int64 // the advisory lock of golang-migrate's own driver, which its CLI and other programs take
	opened bool  // the version table exists, and is as it should be
}

// Open connects to the database that dsn names. It takes no lock and changes nothing. It returns [ErrConnect],
// [ErrPooler], [ErrNoSchema] or authdb.ErrInsecureTLS.
func Open(ctx context.Context, dsn string, opts Options) (*Migrator, error) {
	cfg, err := connect.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: the DSN is %w", ErrConnect, err)
	}
	return OpenConfig(ctx, cfg.ConnConfig, opts)
}

// OpenConfig is [Open] for the caller's configuration, say with a password that was just fetched, or a DialFunc. It
// works on a copy, calls the caller's AfterConnect first, and requires the same of TLS as [Open].
func OpenConfig(ctx context.Context, config *pgx.ConnConfig, opts Options) (*Migrator, error) {
	cfg := config.Copy()
	if err := connect.Apply(cfg, opts.InsecureTLS); err != nil {
		return nil, err
	}
	if opts.LockTimeout == 0 {
		opts.LockTimeout = DefaultLockTimeout
	}
	m := &Migrator{opts: opts, files: opts.files, log: opts.Log, cfg: cfg}
	if m.files == nil {
		m.files = migrations.FS
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if m.steps, err = migrations.Read(m.files); err != nil {
		return nil, err
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "authdb-migrate"
	}
	first := cfg.AfterConnect
	cfg.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if first != nil {
			if err := first(ctx, conn); err != nil {
				return err
			}
		}
		return m.prepare(ctx, conn)
	}
	if opts.tracer != nil {
		cfg.Tracer = opts.tracer
	}
	if m.conn, err = m.connect(ctx); err != nil {
		return nil, err
	}
	if err := m.findSchema(ctx); err != nil {
		return nil, errors.Join(err, m.conn.Close(context.WithoutCancel(ctx)))
	}
	return m, nil
}

// prepare sets up a new session. PostgreSQL is told to end the statements of a migrator that was killed, where its
// operating system can tell. The first session says what a store's session would search. It is asked by a function
// without arguments, so that no overload can stand in for it. JIT is off: compiling the catalog's queries would take a
// hundred times as long as running them.
func (m *Migrator) prepare(ctx context.Context, conn *pgconn.PgConn) error {
	pid, err := conn.Exec(ctx, "SELECT pg_catalog.pg_backend_pid()").ReadAll()
	if err != nil {
		return err
	}
	if string(pid[0].Rows[0][0]) != strconv.FormatUint(uint64(conn.PID()), 10) {
		return ErrPooler
	}
	_, _ = conn.Exec(ctx, "SET client_connection_check_interval = 250").ReadAll()
	if m.schema == "" {
		if err := connect.SecurePath(ctx, conn); err != nil {
			return err
		}
		results, err := conn.Exec(ctx, "SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))").ReadAll()
		if err != nil {
			return err
		}
		m.path = nil
		for _, row := range results[0].Rows {
			m.path = append(m.path, string(row[0]))
		}
	}
	_, err = conn.Exec(ctx, "SET jit = off; SET "+pinned+"; "+timeouts("SET ", m.opts.LockTimeout, 0)+"; "+patient).ReadAll()
	return err
}

// findSchema decides which schema has the tables: the first on the search path with a "user", as for a statement that
// names no schema; or else the first, which gets them.
func (m *Migrator) findSchema(ctx context.Context) error {
	if len(m.path) == 0 {
		return ErrNoSchema
	}
	var database string
	err := m.conn.QueryRow(ctx, `SELECT pg_catalog.current_database(), coalesce((SELECT s FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY p (s, n)
		WHERE EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname = 'user' AND c.relkind <> 'i' AND n.nspname = s) ORDER BY n LIMIT 1), ($1::text[])[1])`, m.path).Scan(&database, &m.schema)
	if err != nil {
		return plain(err)
	}
	m.ledger = ledgerOf(m.schema)
	id, err := engine.GenerateAdvisoryLockId(database, catalog.Own, m.ledger.versions)
	if err == nil {
		m.engine, err = strconv.ParseInt(id, 10, 64)
	}
	return err
}

// in replaces SCHEMA. by the schema of the tables.
func (m *Migrator) in(sql string) string {
	return strings.ReplaceAll(sql, "SCHEMA.", pgx.Identifier{m.schema}.Sanitize()+".")
}

// connect tries until WaitForDB is over: a database that is starting refuses at first.
func (m *Migrator) connect(ctx context.Context) (*pgx.Conn, error) {
	end := time.Now().Add(m.opts.WaitForDB)
	for {
		conn, err := pgx.ConnectConfig(ctx, m.cfg)
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, ErrPooler):
			return nil, fmt.Errorf("%w: %w", ErrConnect, ErrPooler)
		}
		if !time.Now().Before(end) || pause(ctx, 250*time.Millisecond) != nil {
			return nil, fmt.Errorf("%w: %w", ErrConnect, onceError{err})
		}
		m.log.Info("waiting for the database")
	}
}

// onceError is an error without repeated lines: a host that is tried with and without TLS may give the same answer
// twice.
type onceError struct{ error }

// Error is the text, in one line.
func (e onceError) Error() string {
	text := ""
	for line := range strings.Lines(e.error.Error()) {
		if line = strings.TrimSpace(line); !strings.Contains(text, line) {
			text += "; " + line
		}
	}
	return strings.ReplaceAll(strings.TrimPrefix(text, "; "), ":; ", ": ")
}

// Unwrap returns the error as it was.
func (e onceError) Unwrap() error { return e.error }

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// lock makes this the only migrator of the database. The lock ends with the connection.
func (m *Migrator) lock(ctx context.Context) error {
	if m.locked {
		return nil
	}
	end := time.Now().Add(m.opts.LockTimeout)
	if err := m.poll(ctx, end, lockKey); err != nil {
		return err
	}
	err := m.poll(ctx, end, m.engine)
	if err == nil {
		err = m.engineUnlock(ctx)
	}
	if err != nil {
		_, _ = m.conn.Exec(context.WithoutCancel(ctx), unlock, lockKey)
		return err
	}
	m.locked = true
	return nil
}

const unlock = "SELECT pg_catalog.pg_advisory_unlock($1)"

func (m *Migrator) engineUnlock(ctx context.Context) error {
	_, err := m.conn.Exec(ctx, unlock, m.engine)
	return err
}

// poll takes a lock as soon as it is free. To wait inside PostgreSQL would hold a snapshot, and deadlock with a CREATE
// INDEX CONCURRENTLY that waits for it.
func (m *Migrator) poll(ctx context.Context, end time.Time, key int64) error {
	for {
		var yes bool
		if err := m.conn.QueryRow(ctx, "SELECT pg_catalog.pg_try_advisory_lock($1)", key).Scan(&yes); err != nil || yes {
			return err
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("%w: another migrator is at work", ErrLockTimeout)
		}
		m.log.Info("waiting for another migrator")
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// open makes the version table if it is missing.
func (m *Migrator) open(ctx context.Context) error {
	if m.opened {
		return nil
	}
	if err := m.trust(ctx, true, false); err != nil {
		return err
	}
	if err := pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		if err := makeMissing(ctx, tx, m.ledger.owns()); err != nil {
			return fmt.Errorf("make the version table: %w", plain(err))
		}
		if _, err := tx.Exec(ctx, "LOCK TABLE "+at(m.ledger.versions)+", "+at(m.ledger.history)+" IN ROW EXCLUSIVE MODE"); err != nil {
			return lockTimeout(plain(err))
		}
		return m.trust(ctx, true, false)
	}); err != nil {
		return err
	}
	m.opened = true
	version, dirty, err := m.Version(ctx)
	if err != nil || dirty {
		return err
	}
	return m.align(ctx, version)
}

// Close ends the connection.
func (m *Migrator) Close() error { return m.conn.Close(context.Background()) }

// Version returns the newest applied migration, 0 if there is none. If dirty, a migration stopped half-way: the one
// returned, or, on the way down, the one after it.
func (m *Migrator) Version(ctx context.Context) (version int, dirty bool, err error) {
	var there bool
	if err := m.trust(ctx, false, false); err != nil {
		return 0, false, err
	}
	if err := m.conn.QueryRow(ctx, is(catalog.Own, m.ledger.versions)).Scan(&there); err != nil || !there {
		return 0, false, err
	}
	err = m.conn.QueryRow(ctx, "SELECT version, dirty FROM "+at(m.ledger.versions)+" LIMIT 1").Scan(&version, &dirty)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return max(version, 0), dirty, err // golang-migrate writes -1 for none
}

// clean is Version, or errRunRepair if the database is dirty.
func (m *Migrator) clean(ctx context.Context) (int, error) {
	version, dirty, err := m.Version(ctx)
	if err == nil && dirty {
		err = errRunRepair
	}
	return version, err
}

// Latest returns the number of the newest migration that this program knows.
func (m *Migrator) Latest() int { return m.steps[len(m.steps)-1].Version }

// step returns the migration of that number.
func (m *Migrator) step(version int) (migrations.Migration, error) {
	for _, s := range m.steps {
		if s.Version == version {
			return s, nil
		}
	}
	return migrations.Migration{}, fmt.Errorf("%w: %d", ErrUnknownVersion, version)
}
