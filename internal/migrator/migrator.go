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
)

// The version table has a schema of its own: in public, drizzle-kit push would ask to drop it.
const (
	createSchema = `CREATE SCHEMA IF NOT EXISTS authdb`
	versionTable = `"authdb"."schema_migrations"`
)

// lockKey is the advisory lock that one migrator of a database holds at a time.
const lockKey = 0x61757468_6462 // "authdb"

// Migrator is a connection to a database and the migrations for it. One at a time exists for a database.
type Migrator struct {
	m    *migrate.Migrate
	lock *sql.Conn
}

// Open connects to the database that dsn names, waits until no other Migrator works on it, and makes the version table
// there if it is missing.
func Open(ctx context.Context, dsn string) (*Migrator, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["timezone"] = "UTC"
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
	if _, err := db.ExecContext(ctx, createSchema); err != nil {
		return nil, fmt.Errorf("create schema authdb: %w", err)
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

// Up applies every migration that the database lacks; none is no error.
func (m *Migrator) Up() error { return ignoreNoChange(m.m.Up()) }

// Goto applies or undoes migrations until version is the newest applied one.
func (m *Migrator) Goto(version uint) error { return ignoreNoChange(m.m.Migrate(version)) }

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
