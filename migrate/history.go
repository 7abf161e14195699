package migrate

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// remember notes that the migrations after from, up to to, are applied.
func (m *Migrator) remember(ctx context.Context, from, to int) error {
	for _, s := range m.steps {
		if s.Version <= from || s.Version > to {
			continue
		}
		if _, err := m.conn.Exec(ctx, "INSERT INTO "+at(m.journal.history)+` (version, name, sha256, applied_at)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (version) DO UPDATE SET name = excluded.name, sha256 = excluded.sha256, applied_at = excluded.applied_at`,
			s.Version, s.Name, s.Sum(), time.Now().UTC()); err != nil {
			return plain(err)
		}
	}
	return nil
}

// forget notes that what comes after version is not applied.
func (m *Migrator) forget(ctx context.Context, version int) error {
	_, err := m.conn.Exec(ctx, "DELETE FROM "+at(m.journal.history)+" WHERE version > $1", version)
	return plain(err)
}

// align makes the history that of a database at version: golang-migrate alone knows none, and a process may end between
// a migration and its note. What is left out before the newest that it knows came late, and was never applied.
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
	if err := m.conn.QueryRow(ctx, is(catalog.Own, m.journal.history)).Scan(&there); err != nil || !there {
		return known, err
	}
	rows, err := m.conn.Query(ctx, "SELECT version, name, sha256, applied_at FROM "+at(m.journal.history))
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
