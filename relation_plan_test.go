package authdb_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/authdbtest"
)

// fullReads are the queries that no index serves, by the table that they read in full, and why that is right.
var fullReads = map[string]string{
	"ListUsers of user":                  "administration; the index on created_at comes with the hardening migrations",
	"CountUsers of user":                 "administration; counts every row",
	"ListOrganizations of organization":  "administration; the index on created_at comes with the hardening migrations",
	"CountOrganizations of organization": "administration; counts every row",
	"GetAccountByProvider of account":    "its unique index comes with the hardening migrations",
}

// plan is a node of a plan as EXPLAIN writes it.
type plan struct {
	NodeType    string `json:"Node Type"`
	Relation    string `json:"Relation Name,omitempty"`
	IndexCond   string `json:"Index Cond,omitempty"`
	RecheckCond string `json:"Recheck Cond,omitempty"` // of an index
	Filter      string `json:",omitempty"`
	Plans       []plan `json:",omitempty"`
}

// fullReads adds the tables that the plan reads in full: by a scan of the table, or of an index from end to end, which
// is what the planner takes where a scan of the table is forbidden.
func (p plan) fullReads(tables map[string]bool) {
	switch p.NodeType {
	case "Index Scan", "Index Only Scan", "Bitmap Heap Scan":
		if p.IndexCond+p.RecheckCond == "" {
			tables[p.Relation] = true
		}
	case "ModifyTable": // of what a scan finds
	default:
		if p.Relation != "" {
			tables[p.Relation] = true
		}
	}
	for _, child := range p.Plans {
		child.fullReads(tables)
	}
}

// generatedQueries returns the SQL of internal/dbgen by name, and fails unless it has each query of db/queries.
func generatedQueries(t *testing.T) map[string]string {
	t.Helper()
	queries := map[string]string{}
	for pattern, regex := range map[string]string{
		"internal/dbgen/*.sql.go": "(?s)\nconst \\w+ = `-- name: (\\w+) :\\w+\n(.*?)`\n",
		"db/queries/*.sql":        `(?m)^-- name: (\w+) :(?:one|many|exec|execrows)$()`,
	} {
		for _, file := range must[[]string](t)(filepath.Glob(pattern)) {
			text := string(must[[]byte](t)(os.ReadFile(file)))
			for _, match := range regexp.MustCompile(regex).FindAllStringSubmatch(text, -1) {
				queries[match[1]] += match[2]
			}
		}
	}
	for name, sql := range queries {
		if sql == "" {
			t.Errorf("%s is not in internal/dbgen", name)
		}
	}
	return queries
}

// TestEachQueryUsesAnIndex: with scans of tables forbidden, one remains in a plan only where no index serves. The plan
// is the generic one, which holds for any arguments.
func TestEachQueryUsesAnIndex(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn := must[*pgx.Conn](t)(pgx.Connect(ctx, authdbtest.DSN(t)))
	defer func() { _ = conn.Close(ctx) }()
	must[pgconn.CommandTag](t)(conn.Exec(ctx, `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
		SET enable_hashjoin = off; SET enable_mergejoin = off`)) // these would walk an index from end to end
	found := map[string]string{}
	for name, sql := range generatedQueries(t) {
		must[pgconn.CommandTag](t)(conn.Exec(ctx, `PREPARE `+name+` AS `+sql))
		var params int
		if err := conn.QueryRow(ctx, `SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = lower($1)`,
			name).Scan(&params); err != nil {
			t.Fatal(err)
		}
		execute := `EXPLAIN (FORMAT JSON) EXECUTE ` + name
		if params > 0 {
			execute += `(NULL` + strings.Repeat(`, NULL`, params-1) + `)`
		}
		var explained []struct{ Plan plan }
		if err := conn.QueryRow(ctx, execute, pgx.QueryExecModeSimpleProtocol).Scan(&explained); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tables := map[string]bool{}
		explained[0].Plan.fullReads(tables)
		for table := range tables {
			found[name+" of "+table] = fullReads[name+" of "+table]
			if found[name+" of "+table] == "" {
				text, _ := json.MarshalIndent(explained[0].Plan, "", " ")
				t.Errorf("%s reads all of %s:\n%s\n%s", name, table, sql, text)
			}
		}
	}
	if diff := cmp.Diff(fullReads, found); diff != "" {
		t.Errorf("full reads (-allowed +found):\n%s", diff)
	}
}
