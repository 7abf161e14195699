// Package migrator applies the embedded migrations with golang-migrate.
package migrator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/golang-migrate/migrate/v4"
	mpgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/connect"
)

// The version table has a schema of its own: in public, drizzle-kit push would ask to drop it.
const (
	hasSchema    = `SELECT to_regnamespace('authdb') IS NOT NULL`
	createSchema = `CREATE SCHEMA authdb`
	hasTables    = `SELECT to_regclass('"user"') IS NOT NULL`
	versionTable = `"authdb"."schema_migrations"`
)

// lockKey is the advisory lock that one migrator of a database holds at a time.
const lockKey = 0x61757468_6462 // "authdb"

// Migrator is a connection to a database and the migrations for it. One at a time exists for a database.
type Migrator struct {
	m    *migrate.Migrate
	lock *sql.Conn
}

// ErrForeignTables says that the tables are there although no migration made them.
var ErrForeignTables = errors.New(`the tables are there already, and no migration made them (Drizzle did?): ` +
	`authdb works on them as they are; nothing was changed`)

// Options change how a Migrator connects.
type Options struct {
	InsecureTLS bool // as authdb.WithInsecureTLS
}

// Open connects to the database that dsn names, waits until no other Migrator works on it, and makes the version table
// there if it is missing.
func Open(ctx context.Context, dsn string, opts Options) (*Migrator, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("malformed DSN") // pgx's text may quote the password
	}
	if err := connect.Apply(cfg, opts.InsecureTLS); err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*cfg)
	lock, err := acquireLock(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	m, err := newMigrate(ctx, db)
	if err != nil {
		return nil, errors.Join(err, lock.Close(), db.Close())
	}
	return &Migrator{m, lock}, nil
}

// acquireLock polls. golang-migrate's own lock waits in the server, and there holds a snapshot that another's CREATE
// INDEX CONCURRENTLY waits for: a deadlock. The lock ends with its connection.
func acquireLock(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for {
		var locked bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockKey).Scan(&locked); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		if locked {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), conn.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func newMigrate(ctx context.Context, db *sql.DB) (*migrate.Migrate, error) {
	var exists bool
	if err := db.QueryRowContext(ctx, hasSchema).Scan(&exists); err != nil {
		return nil, err
	}
	if !exists {
		if _, err := db.ExecContext(ctx, createSchema); err != nil {
			return nil, fmt.Errorf("create schema authdb: %w", err)
		}
	}
	files, err := iofs.New(migrations.FS, ".")
	if err != nil {
		return nil, err
	}
	target, err := mpgx.WithInstance(db, &mpgx.Config{MigrationsTable: versionTable, MigrationsTableQuoted: true})
	if err != nil {
		return nil, err
	}
	return migrate.NewWithInstance("embedded", files, "postgres", target)
}

// Up applies every migration that the database lacks; none is no error. It returns ErrForeignTables rather than failing
// half-way on tables that it did not make.
func (m *Migrator) Up(ctx context.Context) error {
	if err := m.checkFresh(ctx); err != nil {
		return err
	}
	return ignoreNoChange(m.m.Up())
}

// Goto applies or undoes migrations until version is the newest applied one. Its errors are those of Up.
func (m *Migrator) Goto(ctx context.Context, version uint) error {
	if err := m.checkFresh(ctx); err != nil {
		return err
	}
	return ignoreNoChange(m.m.Migrate(version))
}

func (m *Migrator) checkFresh(ctx context.Context) error {
	version, _, err := m.Version()
	if err != nil || version > 0 {
		return err
	}
	var exist bool
	if err := m.lock.QueryRowContext(ctx, hasTables).Scan(&exist); err != nil {
		return err
	}
	if exist {
		return ErrForeignTables
	}
	return nil
}

// Down undoes the newest n migrations.
func (m *Migrator) Down(n int) error { return ignoreNoChange(m.m.Steps(-n)) }

// Version returns the newest applied migration, 0 if none is, and whether it stopped half-way.
func (m *Migrator) Version() (version uint, dirty bool, err error) {
	version, dirty, err = m.m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		err = nil
	}
	return version, dirty, err
}

// Close ends the connection.
func (m *Migrator) Close() error {
	srcErr, dbErr := m.m.Close() // closes the pool, but not a connection in use
	return errors.Join(srcErr, dbErr, m.lock.Close())
}

func ignoreNoChange(err error) error {
	if errors.Is(err, migrate.ErrNoChange) {
		return nil
	}
	return err
}
