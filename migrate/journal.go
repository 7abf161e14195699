package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

type drizzleMigration struct {
	tag, hash string
	when      int64
}

// readJournal reads a folder of drizzle-kit 0.31.
func readJournal(folder string) ([]drizzleMigration, error) {
	content, err := os.ReadFile(filepath.Join(folder, "meta", "_journal.json"))
	if err != nil {
		return nil, fmt.Errorf("drizzle-kit's journal: %w", err)
	}
	var journal struct {
		Entries []struct {
			When int64  `json:"when"`
			Tag  string `json:"tag"`
		} `json:"entries"`
	}
	if err := json.Unmarshal(content, &journal); err != nil {
		return nil, fmt.Errorf("drizzle-kit's journal: %w", err)
	}
	var list []drizzleMigration
	for _, entry := range journal.Entries {
		sql, err := os.ReadFile(filepath.Join(folder, filepath.Base(entry.Tag)+".sql"))
		if err != nil {
			return nil, fmt.Errorf("drizzle-kit's journal: %w", err)
		}
		digest := sha256.Sum256(sql)
		list = append(list, drizzleMigration{entry.Tag, hex.EncodeToString(digest[:]), entry.When})
	}
	return list, nil
}

// noteJournal tells drizzle-kit 0.31 that its migrations are applied, as its own migrate does: by a row with the file's
// hash and the journal's time for each migration that is newer than the newest row. It returns their names.
func (m *Migrator) noteJournal(ctx context.Context, list []drizzleMigration) ([]string, error) {
	noted := []string{}
	err := pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		if err := makeMissing(ctx, tx, []own{
			{`SELECT pg_catalog.to_regnamespace('drizzle') IS NOT NULL`, `CREATE SCHEMA "drizzle"`},
			{is("drizzle", "__drizzle_migrations"), `CREATE TABLE "drizzle"."__drizzle_migrations" (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`},
		}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE "drizzle"."__drizzle_migrations" IN ROW EXCLUSIVE MODE`); err != nil {
			return lockTimeout(err)
		}
		if err := m.trust(ctx, true, true); err != nil { // again: fix may have waited for others
			return err
		}
		var last int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(pg_catalog.max(created_at), 0) FROM "drizzle"."__drizzle_migrations"`).Scan(&last); err != nil {
			return err
		}
		for _, d := range list {
			if d.when <= last {
				continue
			}
			if _, err := tx.Exec(ctx, `INSERT INTO "drizzle"."__drizzle_migrations" (hash, created_at) VALUES ($1, $2)`, d.hash, d.when); err != nil {
				return err
			}
			noted = append(noted, d.tag)
		}
		return nil
	})
	return noted, err
}
