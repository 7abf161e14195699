// Package migrate brings a database to the schema of authdb, and tells how far it is from it. It is what cmd/migrate
// runs, for programs that migrate when they start:
//
//	m, err := migrate.Open(ctx, os.Getenv("DATABASE_URL"), migrate.Options{})
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	return m.Up(ctx)
//
// golang-migrate applies the files; this package adds what it lacks: one migrator at a time without a deadlock, no
// reader stalled behind a lock that is waited for, nothing left dirty by a migration that the server refused, and the
// comparison of the catalog with what the migrations make.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	mpgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/connect"
)

// The version table has a schema of its own: in public, drizzle-kit push would ask to drop it.
const (
	versionTable = `"authdb"."schema_migrations"`
	historyTable = `"authdb"."schema_history"`
)

// What open makes where it is missing: never IF NOT EXISTS, which believes what somebody else made meanwhile.
var own = []struct{ is, make string }{
	{`SELECT pg_catalog.to_regnamespace('authdb') IS NOT NULL`, `CREATE SCHEMA authdb`},
	{is(versionTable), `CREATE TABLE ` + versionTable + ` (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`},
	{is(historyTable), `CREATE TABLE ` + historyTable + ` (
		version bigint PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamp NOT NULL)`},
}

func is(table string) string { return `SELECT pg_catalog.to_regclass('` + table + `') IS NOT NULL` }

// pinned is what sessions of the migrator search: PostgreSQL's own schema, so that no function or operator that somebody
// made elsewhere is called in the place of one of its. The tables are named with their schema, and only the text of a
// migration is read while that is searched.
const pinned = "SET search_path = pg_catalog, pg_temp"

// lockKey is the advisory lock that one migrator of a database holds at a time.
const lockKey = 0x61757468_6462 // "authdb"

// DefaultLockTimeout is how long a migrator waits for others and for locks on tables unless its options say otherwise.
const DefaultLockTimeout = 15 * time.Second

// The kinds of failure that callers tell apart with errors.Is.
var (
	// ErrConnect: the database cannot be reached, or refuses the user.
	ErrConnect = errors.New("cannot connect")
	// ErrLockTimeout: another migrator, or a session that holds a lock on a table, took longer than LockTimeout.
	ErrLockTimeout = errors.New("lock timeout")
	// ErrDirty: a migration stopped half-way. Repair finds out how far it came.
	ErrDirty = errors.New("the database is dirty: a migration stopped half-way")
	// ErrForeignTables: the tables are there although no migration made them. Adopt takes them over.
	ErrForeignTables = errors.New("the tables are there already, and no migration made them (Drizzle did?): " +
		"run adopt; nothing was changed")
	// ErrDrift: the catalog is not what the migrations make.
	ErrDrift = errors.New("the schema is not what the migrations make")
	// ErrUnknownVersion: the database is newer than this program, or no migration has that number.
	ErrUnknownVersion = errors.New("no migration has that number")
	// ErrNoSchema: what the session's search_path names is not there, so that nothing says where tables belong.
	ErrNoSchema = errors.New("no schema for the tables: search_path names none that is there")
	// ErrUndoes: the way to the version undoes migrations, with tables and columns and what is in them.
	ErrUndoes = errors.New("the way there undoes migrations, with tables and columns and what is in them")
)

var errRunRepair = fmt.Errorf("%w: run repair", ErrDirty)

// Options change how a Migrator works. The zero value suits a deployment.
type Options struct {
	InsecureTLS      bool          // reach a remote host without verifying its certificate
	WaitForDB        time.Duration // how long to try to connect again; zero: once
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

	conn   *pgx.Conn // of the lock and of all that is read
	cfg    *pgx.ConnConfig
	path   []string // what its sessions would search
	schema string   // of these, the one that has the tables, or that gets them
	locked bool

	// What applies migrations, from the first on that does; it has a connection of its own, of this name.
	driver database.Driver
	engine *migrate.Migrate
	name   string
}

// Open connects to the database that dsn names. It takes no lock and changes nothing. It returns [ErrConnect],
// [ErrNoSchema] or authdb.ErrInsecureTLS.
func Open(ctx context.Context, dsn string, opts Options) (*Migrator, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: malformed DSN", ErrConnect) // pgx's text may quote the password
	}
	if connect.Ambiguous(dsn) {
		return nil, fmt.Errorf("%w: malformed DSN (not shown, as it may hold a password): it must begin with postgres:// or be a list of name=value; "+
			"in a URL's user, password and database write %%40 for @, %%2F for / and %%3F for ?; in a list, quote a value with spaces; "+
			"parameters that are not known go in options=-c name=value", ErrConnect)
	}
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
	if m.steps, err = migrations.Read(m.files); err != nil {
		return nil, err
	}
	cfg.AfterConnect = m.prepare
	cfg.Tracer = opts.tracer
	if m.conn, err = m.connect(ctx); err != nil {
		return nil, err
	}
	m.name = fmt.Sprintf("authdb-migrate-%d", m.conn.PgConn().PID())
	if err := m.findSchema(ctx); err != nil {
		return nil, errors.Join(err, m.conn.Close(context.WithoutCancel(ctx)))
	}
	return m, nil
}

// prepare makes a new session that of a migrator. The server ends what it does for one that was killed, where its system
// can tell. What the session would search is asked once, of the first one: by a call that nothing can stand in for, as
// it has no argument.
func (m *Migrator) prepare(ctx context.Context, conn *pgconn.PgConn) error {
	_, _ = conn.Exec(ctx, "SET client_connection_check_interval = 250").ReadAll()
	if m.schema == "" {
		results, err := conn.Exec(ctx, "SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))").ReadAll()
		if err != nil {
			return err
		}
		m.path = nil
		for _, row := range results[0].Rows {
			m.path = append(m.path, string(row[0]))
		}
	}
	_, err := conn.Exec(ctx, pinned).ReadAll()
	return err
}

// findSchema decides where the tables are: in the first schema that has a "user", as a statement that names it without
// one would; or will be.
func (m *Migrator) findSchema(ctx context.Context) error {
	if len(m.path) == 0 {
		return ErrNoSchema
	}
	err := m.conn.QueryRow(ctx, `SELECT coalesce((SELECT s FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY p (s, n) WHERE EXISTS (
		SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname = 'user' AND c.relkind <> 'i' AND n.nspname = s) ORDER BY n LIMIT 1), ($1::text[])[1])`, m.path).Scan(&m.schema)
	return plain(err)
}

// in replaces SCHEMA. by the schema of the tables.
func (m *Migrator) in(sql string) string {
	return strings.ReplaceAll(sql, "SCHEMA.", pgx.Identifier{m.schema}.Sanitize()+".")
}

// connect tries until WaitForDB is over: a database that starts refuses at first.
func (m *Migrator) connect(ctx context.Context) (*pgx.Conn, error) {
	end := time.Now().Add(m.opts.WaitForDB)
	for {
		conn, err := pgx.ConnectConfig(ctx, m.cfg)
		if err == nil {
			if _, err = conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d; SET statement_timeout = 0", m.opts.LockTimeout.Milliseconds())); err == nil {
				return conn, nil
			}
			_ = conn.Close(ctx)
		}
		if !time.Now().Before(end) || pause(ctx, 250*time.Millisecond) != nil {
			return nil, fmt.Errorf("%w: %w", ErrConnect, err)
		}
		m.log.Info("waiting for the database")
	}
}

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
	if err := m.poll(ctx, end, "SELECT pg_catalog.pg_try_advisory_lock($1)", lockKey); err != nil {
		return err
	}
	if err := m.idle(ctx, end); err != nil {
		_, _ = m.conn.Exec(context.WithoutCancel(ctx), "SELECT pg_catalog.pg_advisory_unlock($1)", lockKey)
		return err
	}
	m.locked = true
	return nil
}

// idle waits until nobody works through golang-migrate, which has a lock of its own: a program that knows nothing of
// ours, or the server for a migrator that was killed, whose statement it may go on with.
func (m *Migrator) idle(ctx context.Context, end time.Time) error {
	var name string
	if err := m.conn.QueryRow(ctx, "SELECT pg_catalog.current_database()").Scan(&name); err != nil {
		return err
	}
	id, err := database.GenerateAdvisoryLockId(name, "authdb", "schema_migrations")
	if err != nil {
		return err
	}
	key, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return err
	}
	return m.poll(ctx, end, "SELECT CASE WHEN pg_catalog.pg_try_advisory_lock($1) THEN pg_catalog.pg_advisory_unlock($1) ELSE false END", key)
}

// poll asks until the answer is yes. A wait in the server would hold a snapshot, which another's CREATE INDEX
// CONCURRENTLY waits for, a deadlock.
func (m *Migrator) poll(ctx context.Context, end time.Time, sql string, key int64) error {
	for {
		var yes bool
		if err := m.conn.QueryRow(ctx, sql, key).Scan(&yes); err != nil || yes {
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

// open makes the version table if it is missing, and starts golang-migrate, which keeps a connection to itself. Its name
// is how Cancel finds it.
func (m *Migrator) open(ctx context.Context) (err error) {
	if m.engine != nil {
		return nil
	}
	if err := m.trust(ctx, true, false); err != nil {
		return err
	}
	if err := pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		for _, o := range own {
			var there bool
			err := tx.QueryRow(ctx, o.is).Scan(&there)
			if err == nil && !there {
				_, err = tx.Exec(ctx, o.make)
			}
			if err != nil {
				return fmt.Errorf("make the version table: %w", plain(err))
			}
		}
		if _, err := tx.Exec(ctx, "LOCK TABLE "+versionTable+", "+historyTable+" IN ROW EXCLUSIVE MODE"); err != nil {
			return lockTimeout(plain(err))
		}
		return m.trust(ctx, true, false)
	}); err != nil {
		return err
	}
	cfg := m.cfg.Copy()
	cfg.RuntimeParams["application_name"] = m.name
	// golang-migrate has a lock of its own, which it would wait for without an end.
	cfg.RuntimeParams["lock_timeout"] = strconv.FormatInt(m.opts.LockTimeout.Milliseconds(), 10)
	pool := stdlib.OpenDB(*cfg)
	defer func() {
		if err != nil {
			err = errors.Join(err, pool.Close())
		}
	}()
	if err := pool.PingContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrConnect, err)
	}
	driver, err := mpgx.WithInstance(pool, &mpgx.Config{MigrationsTable: versionTable, MigrationsTableQuoted: true})
	if err != nil {
		return lockTimeout(err)
	}
	m.driver = inSchema{driver, "SET search_path = " + pgx.Identifier{m.schema}.Sanitize() + ", pg_temp"}
	source, err := iofs.New(m.files, ".")
	if err != nil {
		return err
	}
	if m.engine, err = migrate.NewWithInstance("embedded", source, "postgres", m.driver); err != nil {
		return err
	}
	version, dirty, err := m.Version(ctx)
	if err != nil || dirty {
		return err
	}
	return m.align(ctx, version)
}

// inSchema lets the text of a migration, and nothing that golang-migrate sends itself, find the tables by name.
type inSchema struct {
	database.Driver
	set string
}

// Run runs the text of a migration while the schema of the tables is searched.
func (d inSchema) Run(migration io.Reader) error {
	if err := d.Driver.Run(strings.NewReader(d.set)); err != nil {
		return err
	}
	if err := d.Driver.Run(migration); err != nil {
		_ = d.Driver.Run(strings.NewReader(pinned)) // or the connection is gone, or the next migration sets it again
		return err
	}
	return d.Driver.Run(strings.NewReader(pinned))
}

// set changes a setting of golang-migrate's connection.
func (m *Migrator) set(name string, d time.Duration) error {
	return m.driver.Run(strings.NewReader(fmt.Sprintf("SET %s = %d", name, d.Milliseconds())))
}

// Close ends the connections.
func (m *Migrator) Close() error {
	var source, db error
	if m.engine != nil {
		source, db = m.engine.Close() // and the pool
	}
	return errors.Join(source, db, m.conn.Close(context.Background()))
}

// Version returns the newest applied migration, 0 if none is, and whether one stopped half-way: that one then, or the
// one after it on the way down.
func (m *Migrator) Version(ctx context.Context) (version int, dirty bool, err error) {
	var there bool
	if err := m.trust(ctx, false, false); err != nil {
		return 0, false, err
	}
	if err := m.conn.QueryRow(ctx, is(versionTable)).Scan(&there); err != nil || !there {
		return 0, false, err
	}
	err = m.conn.QueryRow(ctx, "SELECT version, dirty FROM "+versionTable+" LIMIT 1").Scan(&version, &dirty)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return max(version, 0), dirty, err // golang-migrate writes -1 for none
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
