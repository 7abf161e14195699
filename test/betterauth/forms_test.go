//go:build betterauth && adoption

package betterauth_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// TestForms adopts the tables of every form that Better Auth's generators have given them, and runs the whole suite on
// each of the catalogs that they end in: beside the newest server, at full size beside each.
func TestForms(t *testing.T) {
	files, err := filepath.Glob("../../migrate/testdata/forms/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	forms := map[string][]string{} // by their catalog
	sql := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		sql[name] = string(content)
		facts := fmt.Sprint(adopted(t, authdbtest.DSN(t), sql[name]))
		forms[facts] = append(forms[facts], name)
	}
	var mu sync.Mutex
	var lines []string
	t.Cleanup(func() {
		slices.Sort(lines)
		fmt.Printf("%d forms end in %d catalogs:\n%s\n", len(files), len(forms), strings.Join(lines, "\n"))
	})
	servers := versions[len(versions)-1:]
	if os.Getenv("AUTHDB_ADOPTION") == "full" {
		servers = versions
	}
	for _, names := range forms {
		for _, v := range servers {
			t.Run(names[0]+" "+v.exact, func(t *testing.T) {
				t.Parallel()
				dsn := authdbtest.DSN(t)
				w := newWorldOn(t, dsn, schemaFor(t, adopted(t, dsn, sql[names[0]])), v.exact)
				w.suite()
				for _, wrong := range w.wrong {
					t.Error(wrong)
				}
				if w.n != v.checks {
					t.Errorf("%d checks, want %d", w.n, v.checks)
				}
				mu.Lock()
				defer mu.Unlock()
				lines = append(lines, fmt.Sprintf("%s: better-auth %s: %d checks, %d failed", strings.Join(names, ", "), v.exact, w.n, len(w.wrong)))
			})
		}
	}
}

// adopted gives a database the form, takes it over, and returns its catalog.
func adopted(t *testing.T, dsn, form string) []catalog.Fact {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "DROP SCHEMA authdb, public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	if a, err := testdb.Adopt(t.Context(), dsn, form); err != nil {
		t.Fatalf("%v\n%s", err, a.Diff)
	}
	facts, err := catalog.Read(t.Context(), conn, "public", catalog.Own)
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

var timestamps = regexp.MustCompile(`timestamp\("(\w+)"\)`)

// schemaFor writes the Drizzle schema of an application whose times have a zone where those of the catalog do.
func schemaFor(t *testing.T, facts []catalog.Fact) string {
	t.Helper()
	content, err := os.ReadFile("node_modules/schema.mjs")
	if err != nil {
		t.Fatal(err)
	}
	tables := strings.Split(string(content), "pgTable(\n  \"")
	for i, text := range tables[1:] {
		table, _, _ := strings.Cut(text, `"`)
		tables[i+1] = timestamps.ReplaceAllStringFunc(text, func(column string) string {
			name := timestamps.FindStringSubmatch(column)[1]
			if slices.ContainsFunc(facts, func(f catalog.Fact) bool {
				return f.Name == table+"."+name && strings.HasPrefix(f.Def, "timestamp with time zone")
			}) {
				return strings.TrimSuffix(column, ")") + ", { withTimezone: true })"
			}
			return column
		})
	}
	f, err := os.CreateTemp("node_modules", "schema-*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	if _, err := f.WriteString(strings.Join(tables, "pgTable(\n  \"")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(f.Name())
}
