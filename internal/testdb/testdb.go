// Package testdb makes migrated databases for tests, each a clone of one template.
package testdb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/migrate"
)

// Database is a database of its own.
type Database struct {
	DSN  string
	Name string

	host *host
}

// host is the process's PostgreSQL with the template in it.
type host struct {
	server   *pgserver.Server
	admin    *pgxpool.Pool
	template string
	strategy string
}

var start = sync.OnceValues(func() (*host, error) {
	ctx := context.Background()
	server, err := pgserver.Start(ctx, pgserver.Options{})
	if err != nil {
		return nil, err
	}
	admin, err := pgxpool.New(ctx, server.DSN())
	if err != nil {
		return nil, err
	}
	h := &host{server: server, admin: admin}
	// A copy of files beats the default, a copy by log, for a small template; PostgreSQL 14 knows nothing else.
	if !strings.HasPrefix(server.Version(), "14.") {
		h.strategy = " STRATEGY file_copy"
	}
	hash, err := migrationsHash()
	if err != nil {
		return nil, err
	}
	h.template = "authdb_template_" + hash
	if partitions := os.Getenv(partitionsVariable); partitions != "" {
		h.template += "_" + partitions
	}
	return h, h.makeTemplate(ctx, h.template, "template0", migrateUp)
})

// partitionsVariable is set to how many partitions table session is to have, for tests of that layout.
const partitionsVariable = "AUTHDB_SESSION_PARTITIONS"

// Migrated returns a new database with every migration applied. The first call starts the server and makes the
// template.
func Migrated(ctx context.Context) (*Database, error) {
	h, err := start()
	if err != nil {
		return nil, err
	}
	return h.create(ctx, h.template)
}

// Template is a schema of the caller's on top of the migrations.
type Template struct {
	sql  []string
	once sync.Once
	name string
	err  error
}

// NewTemplate returns the template that each of sql has been run on, in order.
func NewTemplate(sql ...string) *Template { return &Template{sql: sql} }

// Database returns a new database of the template. The first call makes that, or finds what another process made.
func (t *Template) Database(ctx context.Context) (*Database, error) {
	h, err := start()
	if err != nil {
		return nil, err
	}
	t.once.Do(func() {
		sum := sha256.New()
		for _, sql := range t.sql {
			fmt.Fprintf(sum, "%d\n%s", len(sql), sql)
		}
		t.name = h.template + "_" + hex.EncodeToString(sum.Sum(nil))[:16]
		t.err = h.makeTemplate(context.WithoutCancel(ctx), t.name, h.template, func(ctx context.Context, dsn string) error {
			return run(ctx, dsn, t.sql)
		})
	})
	if t.err != nil {
		return nil, t.err
	}
	return h.create(ctx, t.name)
}

func run(ctx context.Context, dsn string, sql []string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	for i, text := range sql {
		if _, err = conn.Exec(ctx, text); err != nil {
			err = fmt.Errorf("schema, text %d: %w", i+1, err)
			break
		}
	}
	return errors.Join(err, conn.Close(ctx))
}

// Empty returns a new database with nothing in it.
func Empty(ctx context.Context) (*Database, error) {
	h, err := start()
	if err != nil {
		return nil, err
	}
	return h.create(ctx, "template0")
}

func (h *host) create(ctx context.Context, template string) (*Database, error) {
	name := "authdb_test_" + strings.ToLower(rand.Text())
	create := "CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(template) + h.strategy
	if _, err := h.admin.Exec(ctx, create); err != nil {
		return nil, fmt.Errorf("clone %s: %w", template, err)
	}
	return &Database{DSN: h.server.DSNFor(name), Name: name, host: h}, nil
}

// Private reports whether the server, and so the database, ends with the process.
func (d *Database) Private() bool { return !d.host.server.External() }

// Drop removes the database. On a private server it only ends its life earlier.
func (d *Database) Drop(ctx context.Context) error {
	if d.Private() {
		return nil // the server's directory goes as a whole
	}
	_, err := d.host.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(d.Name)+" WITH (FORCE)")
	return err
}

// makeTemplate makes the database that holds the schema. The name carries a hash of the migrations, so that processes on
// one server share it; the lock lets one of them build it. One of that name which another role made is not believed: its
// triggers and functions would act with the rights of the tests. Nobody else ever gets in: whoever stayed would keep every
// test from a clone.
func (h *host) makeTemplate(
	ctx context.Context, name, from string, fill func(ctx context.Context, dsn string) error,
) error {
	conn, err := h.admin.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext($1))", name); err != nil {
		return err
	}
	defer func() { _, _ = conn.Exec(ctx, "SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtext($1))", name) }()
	var ours bool
	err = conn.QueryRow(ctx, `SELECT datdba = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
		FROM pg_catalog.pg_database WHERE datname = $1`, name).Scan(&ours)
	switch {
	case err == nil && !ours:
		return fmt.Errorf("database %s, the template of the tests, belongs to another role: drop it, or run the tests as that role", name)
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return err
	case err != nil:
		if err := h.build(ctx, conn, name, from, fill); err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+quote(name)+" ALLOW_CONNECTIONS false")
	return err
}

func (h *host) build(
	ctx context.Context, conn *pgxpool.Conn, name, from string, fill func(ctx context.Context, dsn string) error,
) error {
	building := name + "_building"
	for _, sql := range []string{
		"DROP DATABASE IF EXISTS " + quote(building),
		"CREATE DATABASE " + quote(building) + " TEMPLATE " + quote(from) + " ALLOW_CONNECTIONS false",
		"REVOKE CONNECT, TEMPORARY ON DATABASE " + quote(building) + " FROM PUBLIC",
		"ALTER DATABASE " + quote(building) + " ALLOW_CONNECTIONS true",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if err := fill(ctx, h.server.DSNFor(building)); err != nil {
		return err
	}
	// What has closed its connection may not have ended yet.
	_, err := conn.Exec(ctx, "ALTER DATABASE "+quote(building)+" RENAME TO "+quote(name))
	return err
}

func migrateUp(ctx context.Context, dsn string) error {
	m, err := migrate.Open(ctx, dsn, migrate.Options{InsecureTLS: true})
	if err != nil {
		return err
	}
	err = m.Up(ctx)
	if partitions := os.Getenv(partitionsVariable); partitions != "" && err == nil {
		var n int
		if n, err = strconv.Atoi(partitions); err == nil {
			_, err = m.PartitionSessions(ctx, n)
		}
	}
	return errors.Join(err, m.Close())
}

func migrationsHash() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:16], err
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
