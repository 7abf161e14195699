package names_test

import (
	"slices"
	"strings"
	"testing"
)

// shadowable returns the calls of a text that are looked up along the search path.
func shadowable(sql string) (names []string) {
	calls, _ := callsOf(sql)
	for _, c := range calls {
		if c.schema != "pg_catalog" {
			names = append(names, c.name)
		}
	}
	return names
}

// elsewhere are the folders whose statements run as another session than the store's: the migrator's and the test
// server's.
var elsewhere = []string{"migrate", "migrate/catalog", "cmd/migrate", "internal/pgserver", "internal/pgserver/withpg"}

// TestCalls: every function that is called in a query, a migration or a Go file stands in pg_catalog by name. Only so is
// it certain which one that is: a function of another schema with just the argument types of a call is preferred to one
// of pg_catalog that takes any, or others. And no text has a backslash, which means another thing where a role or a
// database has standard_conforming_strings off.
func TestCalls(t *testing.T) {
	lint := func(t *testing.T, texts []text) {
		for _, x := range texts {
			for _, name := range shadowable(x.sql) {
				t.Errorf("%s: %s(…) is looked up along the search path; write pg_catalog.%s", x.at, name, name)
			}
			if strings.Contains(x.sql, `\`) {
				t.Errorf("%s: a backslash", x.at)
			}
		}
	}
	t.Run("queries", func(t *testing.T) {
		lint(t, append(inFiles(t, "db/queries/*.sql"), inFiles(t, "db/queries/admin/*.sql")...))
	})
	t.Run("migrations", func(t *testing.T) {
		texts := inFiles(t, "db/migrations/*.sql")
		for i := range texts {
			// It takes no argument, so none fits better; it is what drizzle-kit writes.
			texts[i].sql = strings.ReplaceAll(texts[i].sql, "DEFAULT now()", "")
		}
		lint(t, texts)
	})
	for folder, texts := range inGo(t) {
		t.Run(subTest(folder), func(t *testing.T) { lint(t, texts) })
	}
}

// subTest names the test of a folder: go/… or migrator/….
func subTest(folder string) string {
	if slices.Contains(elsewhere, folder) {
		return "migrator/" + folder
	}
	return "go/" + folder
}

// TestCallsLint: the linter sees what it must, and nothing else.
func TestCallsLint(t *testing.T) {
	for sql, want := range map[string]string{
		`SELECT cardinality($1::text[])`:                                                                 "cardinality",
		`SELECT Cardinality ($1)`:                                                                        "Cardinality",
		`SELECT "cardinality"(@ids)`:                                                                     `"cardinality"`,
		`SELECT public.f(1), pg_catalog.left(g(x), 1)`:                                                   "f g",
		`SELECT 1 FROM a JOIN b ON f(a.id) AND NOT g(b.id)`:                                              "f g",
		`SELECT substring(a, 1, 2), substring(a FROM 'b(c)')`:                                            "substring",
		`SELECT x FROM unnest(@ids::text[]) parent (id)`:                                                 "unnest",
		`SELECT 'f(x)' -- g(x)`:                                                                          "",
		`DO $$ BEGIN IF to_regclass('x') IS NULL THEN NULL; END IF; END $$`:                              "to_regclass",
		`WHERE a IN (SELECT 1) AND EXISTS (SELECT 1) AND b = ANY(ARRAY(SELECT)`:                          "",
		`INSERT INTO "user" (id) VALUES (@id) ON CONFLICT (id) DO NOTHING`:                               "",
		`INSERT INTO authdb.mark (id) SELECT f(@id)`:                                                     "f",
		`CREATE TABLE IF NOT EXISTS a (id text REFERENCES "user" ("id"), UNIQUE (id), PRIMARY KEY (id))`: "",
		`CREATE INDEX a ON b USING btree (lower(c))`:                                                     "lower",
		`SELECT coalesce(a, b), greatest(a, b), nullif(a, b), sqlc.narg('c'), sqlc.embed(d)`:             "",
		`pg_catalog.row_number() OVER (PARTITION BY a)`:                                                  "",
		`WITH RECURSIVE f (a) AS (SELECT g(1)), h (b) AS (SELECT 1) SELECT f(a) AS b FROM f`:             "g f",
	} {
		if got := strings.Join(shadowable(sql), " "); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	texts := inGo(t)
	for folder, atLeast := range map[string]int{"internal/dbgen": 130, "internal/repo": 3, "internal/connect": 1, "migrate": 10} {
		if n := len(texts[folder]); n < atLeast {
			t.Errorf("%s: only %d texts found", folder, n)
		}
	}
}
