package repo_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/testdb"
)

type query struct{ file, name, kind, sql string }

var queryHeader = regexp.MustCompile(`(?m)^-- name: (\w+) (:\w+)\n`)

// readQueries returns the queries of db/queries without their comments.
func readQueries(t *testing.T) []query {
	t.Helper()
	files, err := filepath.Glob("../../db/queries/*.sql")
	if err != nil || len(files) != 9 {
		t.Fatalf("query files: %v, %v", files, err)
	}
	var queries []query
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		headers := queryHeader.FindAllSubmatchIndex(content, -1)
		for i, h := range headers {
			end := len(content)
			if i+1 < len(headers) {
				end = headers[i+1][0]
			}
			sql := regexp.MustCompile(`(?m)^--.*\n?`).ReplaceAllString(string(content[h[1]:end]), "")
			queries = append(queries, query{
				filepath.Base(file), string(content[h[2]:h[3]]), string(content[h[4]:h[5]]), strings.TrimSpace(sql),
			})
		}
	}
	return queries
}

// stampColumns returns which of created_at and updated_at each table has.
func stampColumns(t *testing.T) map[string][]string {
	t.Helper()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	conn, err := pgx.Connect(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), `SELECT table_name::text, column_name::text FROM information_schema.columns
		WHERE table_schema = 'public' AND column_name IN ('created_at', 'updated_at')`)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	var table, column string
	if _, err := pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		columns[table] = append(columns[table], column)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return columns
}

var (
	insertInto = regexp.MustCompile(`INSERT INTO "?(\w+)"? \(([^)]*)\)`)
	updateSet  = regexp.MustCompile(`(?s)UPDATE "?(\w+)"?\s+SET (.*?)\nWHERE`)
)

// TestEveryWriteStamps: an insert names every stamp of its table, an update moves updated_at as Drizzle's $onUpdate
// does.
func TestEveryWriteStamps(t *testing.T) {
	columns := stampColumns(t)
	inserts, updates := 0, 0
	for _, q := range readQueries(t) {
		for _, m := range insertInto.FindAllStringSubmatch(q.sql, -1) {
			inserts++
			listed := regexp.MustCompile(`\w+`).FindAllString(m[2], -1)
			for _, column := range columns[m[1]] {
				if !slices.Contains(listed, column) {
					t.Errorf("%s: INSERT INTO %s leaves %s to its default", q.name, m[1], column)
				}
			}
		}
		for _, m := range updateSet.FindAllStringSubmatch(q.sql, -1) {
			updates++
			if slices.Contains(columns[m[1]], "updated_at") && !strings.Contains(m[2], "updated_at = @now") {
				t.Errorf("%s: UPDATE %s does not set updated_at", q.name, m[1])
			}
		}
		if strings.Contains(q.sql, "INSERT") && !insertInto.MatchString(q.sql) ||
			strings.Contains(q.sql, "UPDATE") && !updateSet.MatchString(q.sql) {
			t.Errorf("%s: a write that this test cannot read", q.name)
		}
	}
	if inserts < 13 || updates < 10 {
		t.Errorf("only %d inserts and %d updates found", inserts, updates)
	}
}

// TestPortableSQL keeps the rules that let the same queries run behind PgBouncer, on replicas and on Citus.
func TestPortableSQL(t *testing.T) {
	banned := regexp.MustCompile(`(?i)\b(now\(|current_timestamp|localtimestamp|clock_timestamp|current_date|skip locked|` +
		`ctid|nextval|advisory|random|listen|notify|using\b|not exists)`)
	for _, q := range readQueries(t) {
		if found := banned.FindString(q.sql); found != "" {
			t.Errorf("%s: %q does not work everywhere", q.name, found)
		}
		if regexp.MustCompile(`^(UPDATE|DELETE)`).MatchString(q.sql) && !strings.Contains(q.sql, "WHERE") {
			t.Errorf("%s: a write without WHERE", q.name)
		}
		if q.kind == ":many" && !strings.Contains(q.sql, "LIMIT @row_limit") && !strings.Contains(q.sql, "= ANY(@") &&
			!strings.Contains(q.sql, "FROM unnest(@") {
			t.Errorf("%s: a list without a limit", q.name)
		}
		if q.file == "session.sql" && strings.Contains(q.sql, "LATERAL") {
			t.Errorf("%s: LATERAL towards a table that Citus distributes", q.name)
		}
		// pgx's simple protocol appends to the query: a comment at its end would swallow that (GHSA-j38q-h3ph-jjpq).
		if strings.Contains(q.sql, "--") || !strings.HasSuffix(q.sql, ";") {
			t.Errorf("%s: ends in a comment, or does not end", q.name)
		}
	}
}

// TestTenantPredicate: a query on a table of an organization names the organization.
func TestTenantPredicate(t *testing.T) {
	exempt := map[string]string{
		"ListMembersByUser":        "keyed by the user, whose memberships they are",
		"CountMembersByUser":       "keyed by the user, whose memberships they are",
		"ListTeamMembersByUser":    "keyed by the user, whose memberships they are",
		"ListInvitationsByEmail":   "keyed by the recipient's address",
		"GetInvitationByRecipient": "keyed by the recipient's address",
		"CreateMembers":            "COPY: the organization is a column of each row",
	}
	for _, q := range readQueries(t) {
		switch q.file {
		case "team.sql", "member.sql", "team_member.sql", "invitation.sql":
		default:
			continue
		}
		if regexp.MustCompile(`^(List|Pick)\w+By(IDs|Users|Inviters|Teams|Organizations)$`).MatchString(q.name) {
			continue // a relation, keyed by rows that the caller has
		}
		_, isExempt := exempt[q.name]
		scoped := strings.Contains(q.sql, "organization_id = @organization_id") ||
			strings.HasPrefix(q.sql, "INSERT") && strings.Contains(q.sql, "@organization_id")
		if scoped == isExempt && q.name != "CreateMembers" {
			t.Errorf("%s: names the organization: %v, exempt: %v", q.name, scoped, isExempt)
		}
		delete(exempt, q.name)
	}
	for name := range exempt {
		t.Errorf("%s is exempt but no query", name)
	}
}

// TestGeneratedColumnLists: sqlc has replaced every * by the columns it stands for, so that a column more in a
// database changes no result.
func TestGeneratedColumnLists(t *testing.T) {
	files, err := filepath.Glob("../dbgen/*.sql.go")
	if err != nil || len(files) != 9 {
		t.Fatalf("generated files: %v, %v", files, err)
	}
	star := regexp.MustCompile(`(SELECT|RETURNING|,|\.)\s*\*`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := star.Find(content); found != nil {
			t.Errorf("%s: %s", file, found)
		}
	}
}
