package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// ledger names the migrator's tables: for each schema that it migrates a version table, as golang-migrate has it, and a
// history. They have a schema of their own: in public, drizzle-kit push would ask to drop them.
type ledger struct{ versions, history string }

// ledgerOf is the ledger of a schema; public's has golang-migrate's usual name.
func ledgerOf(schema string) ledger {
	suffix := ""
	if schema != "public" {
		suffix = "_" + schema
	}
	if len("schema_migrations"+suffix) > maxName {
		digest := sha256.Sum256([]byte(schema))
		suffix = "_" + hex.EncodeToString(digest[:16])
	}
	return ledger{"schema_migrations" + suffix, "schema_history" + suffix}
}

// maxName is the longest name in PostgreSQL, in bytes.
const maxName = 63

// at is a name in the migrator's schema, as SQL.
func at(name string) string { return pgx.Identifier{catalog.Own, name}.Sanitize() }

// own is an object that is made if it is missing. It is not made by IF NOT EXISTS, which accepts what somebody else
// made meanwhile.
type own struct{ is, make string }

func makeMissing(ctx context.Context, tx pgx.Tx, list []own) error {
	for _, o := range list {
		var there bool
		err := tx.QueryRow(ctx, o.is).Scan(&there)
		if err == nil && !there {
			_, err = tx.Exec(ctx, o.make)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l ledger) owns() []own {
	return []own{
		{`SELECT pg_catalog.to_regnamespace('authdb') IS NOT NULL`, `CREATE SCHEMA authdb`},
		{is(catalog.Own, l.versions), `CREATE TABLE ` + at(l.versions) + ` (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`},
		{is(catalog.Own, l.history), `CREATE TABLE ` + at(l.history) + ` (
			version bigint PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamp NOT NULL)`},
	}
}

// is asks the catalog, which needs no right to the schema.
func is(schema, table string) string {
	return `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ` + literal(schema) + ` AND c.relname = ` + literal(table) + `)`
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// remember notes that the migrations after from, up to to, are applied.
func (m *Migrator) remember(ctx context.Context, from, to int) error {
	for _, s := range m.steps {
		if s.Version <= from || s.Version > to {
			continue
		}
		if _, err := m.conn.Exec(ctx, "INSERT INTO "+at(m.ledger.history)+` (version, name, sha256, applied_at)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (version) DO UPDATE SET name = excluded.name, sha256 = excluded.sha256, applied_at = excluded.applied_at`,
			s.Version, s.Name, s.Sum(), time.Now().UTC()); err != nil {
			return plain(err)
		}
	}
	return nil
}

// forget notes that no migration after version is applied.
func (m *Migrator) forget(ctx context.Context, version int) error {
	_, err := m.conn.Exec(ctx, "DELETE FROM "+at(m.ledger.history)+" WHERE version > $1", version)
	return plain(err)
}

// align brings the history to version: golang-migrate alone writes none, and a process may end between a migration and
// its note. It adds only what is newer than the history: an older migration that is missing there came late and was
// never applied.
func (m *Migrator) align(ctx context.Context, version int) error {
	if err := m.forget(ctx, version); err != nil {
		return err
	}
	known, err := m.history(ctx)
	if err != nil {
		return err
	}
	return m.remember(ctx, newest(known), version)
}

// newest is the newest version of a history, 0 if it is empty.
func newest(known map[int]applied) int {
	version := 0
	for v := range known {
		version = max(version, v)
	}
	return version
}

type applied struct {
	name, sum string
	at        time.Time
}

func (m *Migrator) history(ctx context.Context) (map[int]applied, error) {
	known := map[int]applied{}
	var there bool
	if err := m.conn.QueryRow(ctx, is(catalog.Own, m.ledger.history)).Scan(&there); err != nil || !there {
		return known, err
	}
	rows, err := m.conn.Query(ctx, "SELECT version, name, sha256, applied_at FROM "+at(m.ledger.history))
	if err != nil {
		return nil, err
	}
	var version int
	var a applied
	_, err = pgx.ForEachRow(rows, []any{&version, &a.name, &a.sum, &a.at}, func() error {
		known[version] = a
		return nil
	})
	return known, err
}
