package migrate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/migrate"
)

// applyForm makes the tables of a generator, whose statements need not be in an order in which they run.
func applyForm(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	pending := strings.Split(sql, ";")
	for {
		var failed []string
		var last error
		for _, s := range pending {
			if _, err := conn.Exec(t.Context(), s); err != nil {
				failed, last = append(failed, s), err
			}
		}
		if len(failed) == 0 {
			return
		}
		if len(failed) == len(pending) {
			t.Fatal(last)
		}
		pending = failed
	}
}

// TestForms: whatever form Better Auth's generators have given the tables, adopt completes it to one on which the library
// works. testdata/forms has what they print (test/adoption); where a file has no newer neighbour, it is that of the later
// versions, too.
func TestForms(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/forms/*.sql")
	if err != nil || len(files) != 32 {
		t.Fatalf("%d forms, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sql"), func(t *testing.T) {
			t.Parallel()
			sql, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			conn, dsn := database(t)
			applyForm(t, conn, string(sql))
			m := migrator(t, dsn, migrate.Options{})
			opts := migrate.AdoptOptions{Complete: true, Superset: true}
			for range 3 {
				a, err := m.Adopt(t.Context(), opts)
				if err == nil {
					t.Logf("complete: %s\nnotes: %s\ndrizzle:\n%s", strings.Join(a.Complete, "\n"), a.Notes, strings.Join(a.Drizzle, "\n"))
					break
				}
				if !errors.Is(err, migrate.ErrDrift) {
					t.Fatal(err)
				}
				if len(a.Remedies) == 0 {
					t.Fatalf("%v\n%s", err, a.Diff)
				}
				for _, sql := range a.Remedies[1:] { // below a sentence
					exec(t, conn, sql)
				}
			}
			if err := m.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			if v, err := m.Verify(t.Context(), migrate.VerifyOptions{Superset: true}); err != nil {
				t.Errorf("%v\n%s", err, v.Diff)
			}
			store, err := authdb.Open(t.Context(), dsn, authdb.WithInsecureTLS())
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if err := store.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
