package repo_test

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/internal/testdb"
)

// TestExistsKnowsEveryTable: a row that is made in any of them can be looked for.
func TestExistsKnowsEveryTable(t *testing.T) {
	t.Parallel()
	r, pool := newRepo(t)
	rows, err := pool.Query(t.Context(), `SELECT table_name::text FROM information_schema.tables
		WHERE table_schema = 'public' AND table_name <> 'schema_migrations'`)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`^[a-z_]+$`).MatchString(table) {
			tables = append(tables, table)
		}
	}
	if len(tables) < 9 {
		t.Errorf("only %v", tables)
	}
	for _, table := range tables {
		if found, err := r.Exists(t.Context(), repo.Key{Table: table, ID: "nobody"}); err != nil || found {
			t.Errorf("%s: %v, %v", table, found, err)
		}
	}
	if _, err := r.Exists(t.Context(), repo.Key{Table: "passkey"}); err == nil {
		t.Error("an unknown table was looked up")
	}
	user, err := r.CreateUser(t.Context(), dbgen.CreateUserParams{Name: "x", Email: "x@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := r.Exists(t.Context(), repo.Key{Table: "user", ID: user.ID}); err != nil || !found {
		t.Errorf("%v, %v", found, err)
	}
}

// TestInTx: what can be committed is a transaction, and it alone keeps keys.
func TestInTx(t *testing.T) {
	t.Parallel()
	r, pool := newRepo(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	savepoint, err := tx.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, db := range map[string]repo.DB{"pool": pool, "pooled conn": conn, "conn": conn.Conn()} {
		if r := r.On(db); r.InTx() || r.Keys() != nil {
			t.Errorf("a %s is in a transaction", name)
		}
	}
	for name, db := range map[string]repo.DB{"tx": tx, "savepoint": savepoint} {
		if !r.On(db).InTx() {
			t.Errorf("a %s is in no transaction", name)
		}
	}
}

func newRepo(t *testing.T) (*repo.Repo, *pgxpool.Pool) {
	t.Helper()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		_ = db.Drop(context.Background())
	})
	s := repo.DefaultSources()
	s.Now = time.Now
	return repo.New(pool, s), pool
}
