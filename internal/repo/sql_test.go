package repo_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/internal/testdb"
)

type query struct{ file, name, kind, sql string }

var queryHeader = regexp.MustCompile(`(?m)^-- name: (\w+) (:\w+)\n`)

// readQueries returns the queries of db/queries without their comments.
func readQueries(t *testing.T) []query {
	t.Helper()
	files, err := filepath.Glob("../../db/queries/*.sql")
	if err != nil || len(files) < 10 {
		t.Fatalf("query files: %v, %v", files, err)
	}
	admin, err := filepath.Glob("../../db/queries/admin/*.sql")
	if err != nil || len(admin) == 0 {
		t.Fatalf("query files: %v, %v", admin, err)
	}
	files = append(files, admin...)
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

// stampColumns returns which of created_at and updated_at each table has, by its name as the queries have it.
func stampColumns(t *testing.T) map[string][]string {
	t.Helper()
	db, err := testdb.NewTemplate(plugins.Tables).Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	conn, err := pgx.Connect(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), `SELECT CASE table_schema WHEN 'authdb' THEN 'authdb.' ELSE '' END || table_name,
		column_name::text FROM information_schema.columns
		WHERE table_schema IN ('public', 'authdb') AND column_name IN ('created_at', 'updated_at')`)
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
	insertInto = regexp.MustCompile(`INSERT INTO "?([\w.]+)"? \(([^)]*)\)`)
	updateSet  = regexp.MustCompile(`(?:^|[()]\s*)UPDATE "?([\w.]+)"?(?: \w+)?\s+SET `) // alone, or in a CTE
	onConflict = regexp.MustCompile(`ON CONFLICT \(\w+, \w+\) DO UPDATE\s+SET `)
	setsStamp  = regexp.MustCompile(`updated_at = @now\b`)
)

// TestEveryWriteStamps: an insert names every stamp of its table, an update moves updated_at as Drizzle's $onUpdate
// does.
func TestEveryWriteStamps(t *testing.T) {
	columns := stampColumns(t)
	inserts, updates := 0, 0
	for _, q := range readQueries(t) {
		for _, m := range insertInto.FindAllStringSubmatch(q.sql, -1) {
			inserts++
			if columns[m[1]] == nil {
				t.Errorf("%s: INSERT INTO %s, which is no table", q.name, m[1])
			}
			listed := regexp.MustCompile(`\w+`).FindAllString(m[2], -1)
			for _, column := range columns[m[1]] {
				if !slices.Contains(listed, column) {
					t.Errorf("%s: INSERT INTO %s leaves %s to its default", q.name, m[1], column)
				}
			}
		}
		sets := [][2]string{} // a table and what is set there
		for _, at := range updateSet.FindAllStringSubmatchIndex(q.sql, -1) {
			sets = append(sets, [2]string{q.sql[at[2]:at[3]], upToWhere(q.sql[at[1]:])})
		}
		for _, at := range onConflict.FindAllStringIndex(q.sql, -1) {
			into := insertInto.FindAllStringSubmatch(q.sql[:at[0]], -1)
			sets = append(sets, [2]string{into[len(into)-1][1], upToWhere(q.sql[at[1]:])})
		}
		for _, m := range sets {
			updates++
			if columns[m[0]] == nil {
				t.Errorf("%s: UPDATE %s, which is no table", q.name, m[0])
			}
			if slices.Contains(columns[m[0]], "updated_at") && !setsStamp.MatchString(m[1]) {
				t.Errorf("%s: UPDATE %s does not set updated_at", q.name, m[0])
			}
		}
		// Whatever writes must have been read above: a lock does not.
		writes := strings.NewReplacer("FOR NO KEY UPDATE", "", "FOR UPDATE", "").Replace(q.sql)
		if n := len(insertInto.FindAllString(q.sql, -1)); n != strings.Count(writes, "INSERT") {
			t.Errorf("%s: %d inserts, of which this test can read %d", q.name, strings.Count(writes, "INSERT"), n)
		}
		if len(sets) != strings.Count(writes, "UPDATE") {
			t.Errorf("%s: %d updates, of which this test can read %d", q.name, strings.Count(writes, "UPDATE"), len(sets))
		}
	}
	if inserts < 20 || updates < 35 {
		t.Errorf("only %d inserts and %d updates found", inserts, updates)
	}
}

// upToWhere returns what an update sets: up to its own WHERE, or to its end.
func upToWhere(sql string) string {
	set, depth := inParentheses(sql), 0
	for i, r := range set {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case depth == 0 && strings.HasPrefix(set[i:], "WHERE"):
			return set[:i]
		}
	}
	return set
}

// skipsLocked are the queries that pass over rows which others hold. Citus refuses that on session and verification.
var skipsLocked = map[string]string{
	"DeleteExpiredMarks":         "a purge must wait for nobody",
	"DeleteExpiredSessions":      "a purge must wait for nobody",
	"DeleteExpiredVerifications": "a purge must wait for nobody",
}

// TestPortableSQL keeps the rules that let the same queries run behind PgBouncer, on replicas and on Citus. There all
// tables but session and verification are reference tables.
func TestPortableSQL(t *testing.T) {
	banned := regexp.MustCompile(`(?i)\b(now\(|current_timestamp|localtimestamp|clock_timestamp|current_date|` +
		`ctid|nextval|advisory|random|listen|notify|using\b)`)
	skipped := maps.Clone(skipsLocked)
	for _, q := range readQueries(t) {
		if found := banned.FindString(strings.ReplaceAll(q.sql, " USING ~<~", "")); found != "" { // an order, no join
			t.Errorf("%s: %q does not work everywhere", q.name, found)
		}
		// Citus refuses what is STABLE of the columns of a row that changes. Of parameters it is worked out before.
		if found := regexp.MustCompile(`\b(concat|concat_ws|format|array_to_string)\([^@]`).
			FindString(q.sql); found != "" {
			t.Errorf("%s: %s is STABLE", q.name, found)
		}
		// Where it works out a condition with NULL for a limit, nothing is done and nobody hears of it.
		if found := regexp.MustCompile(`\) taken\) (<|>=) sqlc`).FindString(q.sql); found != "" {
			t.Errorf("%s: %s compares with a limit that may be NULL", q.name, found)
		}
		for _, subquery := range antiJoins(t, q) {
			if found := regexp.MustCompile(`\b(FROM|JOIN) (session|verification)\b`).FindString(subquery); found != "" {
				t.Errorf("%s: NOT EXISTS towards a table that Citus distributes: %s", q.name, found)
			}
		}
		if regexp.MustCompile(`(?i)skip locked`).MatchString(q.sql) != (skipsLocked[q.name] != "") {
			t.Errorf("%s: SKIP LOCKED does not work everywhere; exempt: %q", q.name, skipsLocked[q.name])
		}
		delete(skipped, q.name)
		if regexp.MustCompile(`^(UPDATE|DELETE)`).MatchString(q.sql) && !strings.Contains(q.sql, "WHERE") {
			t.Errorf("%s: a write without WHERE", q.name)
		}
		if q.kind == ":many" && !strings.Contains(q.sql, "LIMIT (SELECT @row_limit::integer)") &&
			!strings.Contains(q.sql, "SELECT pg_catalog.unnest(@") && !strings.Contains(q.sql, "RETURNING") {
			t.Errorf("%s: a list without a limit", q.name)
		}
		// PostgreSQL thinks that it knows better with the number at hand, and plans on each call.
		if found := regexp.MustCompile(`ANY\(@|FROM pg_catalog.unnest\(@|LIMIT @`).FindString(q.sql); found != "" {
			t.Errorf("%s: %s without a SELECT around the parameter", q.name, found)
		}
		ownRow := regexp.MustCompile(`LATERAL \(SELECT pg_catalog.to_jsonb\(u\.\*\) AS held OFFSET 0\)`)
		if q.file == "session.sql" && strings.Contains(ownRow.ReplaceAllString(q.sql, ""), "LATERAL") {
			t.Errorf("%s: LATERAL towards a table that Citus distributes", q.name)
		}
		// pgx's simple protocol appends to the query: a comment at its end would swallow that (GHSA-j38q-h3ph-jjpq).
		if strings.Contains(q.sql, "--") || !strings.HasSuffix(q.sql, ";") {
			t.Errorf("%s: ends in a comment, or does not end", q.name)
		}
	}
	for name := range skipped {
		t.Errorf("%s may skip rows but is no query", name)
	}
}

// antiJoins returns the subqueries of each NOT EXISTS, nested ones too.
func antiJoins(t *testing.T, q query) (subqueries []string) {
	t.Helper()
	for _, at := range regexp.MustCompile(`(?i)not exists\s*\(`).FindAllStringIndex(q.sql, -1) {
		subqueries = append(subqueries, inParentheses(q.sql[at[1]:]))
	}
	return subqueries
}

// inParentheses returns the text up to the parenthesis that closes one opened before it.
func inParentheses(sql string) string {
	depth := 1
	for i, r := range sql {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return sql[:i]
			}
		}
	}
	return sql
}

// TestLocks: only what is there to lock does.
func TestLocks(t *testing.T) {
	strength := regexp.MustCompile(`\bFOR (NO KEY UPDATE|KEY SHARE|UPDATE|SHARE)\b`)
	locks, witnesses := 0, 0
	for _, q := range readQueries(t) {
		switch found := strength.FindAllString(q.sql, -1); {
		case strings.HasPrefix(q.name, "Lock"):
			locks++
			if len(found) != 1 || !strings.HasSuffix(q.sql, found[0]+";") || q.kind != ":exec" {
				t.Errorf("%s %s: a lock locks once, at its end, and returns nothing", q.name, q.kind)
			}
		case skipsLocked[q.name] != "":
		case slices.Contains([]string{"ConsumeCode", "ConsumeVerification", "CreateInvitation", "CreateTeamMembers"}, q.name):
			// reads a row that may have been made since the lock under one of its own
		case slices.Contains([]string{
			"CreateSession", "CreateSessions", "SignInByPassword", "SignInProved", "ResetPassword", "ChangePassword",
			"VerifyAPIKey",
		}, q.name): // decides by what it locks
		default:
			// A row that a decision rests on stays as it is, for the decision's transaction.
			rest := q.sql
			for _, at := range regexp.MustCompile(`EXISTS\s*\(`).FindAllStringIndex(q.sql, -1) {
				rest = strings.ReplaceAll(rest, inParentheses(q.sql[at[1]:]), "")
			}
			witnesses += len(found)
			if lost := strength.FindString(rest); lost != "" {
				t.Errorf("%s: %s outside of a lock and of EXISTS", q.name, lost)
			}
		}
	}
	if locks < 15 || witnesses < 6 {
		t.Errorf("only %d locks and %d witnesses found", locks, witnesses)
	}
}

// TestTenantPredicate: a query on a table of an organization names the organization. A relation, and what lists or counts
// the rows of a user, tell by their names that they do not; any other says why.
func TestTenantPredicate(t *testing.T) {
	exempt := map[string]string{
		"GetInvitationByRecipient":   "keyed by the recipient, whose address must be the invitation's",
		"LockInvitation":             "keyed by the id alone; returns nothing, and what follows asks whose it is",
		"CheckRecipient":             "keyed by the recipient; returns a word",
		"AcceptInvitation":           "keyed by the recipient, whose address must be the invitation's",
		"GetAcceptedInvitation":      "keyed by the recipient, who is a member",
		"RejectInvitation":           "keyed by the recipient, whose address must be the invitation's",
		"GetInvitationOfRecipient":   "keyed by the recipient, whose address must be the invitation's",
		"LockTeamMembership":         "keyed by the user, whose membership it is",
		"LockMembersOfUser":          "keyed by the user, whose memberships they are",
		"LockMembershipOfInvitation": "keyed by the invitation, whose organization it asks for",
		"LockTeamsOfInvitation":      "keyed by the invitation; returns nothing, and what follows asks whose they are",
		"CreateMembers":              "the organization is a column of each row",

		"LockPendingInvitationsOfUser": "keyed by the user, whose memberships they are",
	}
	listsByUser := regexp.MustCompile(`^(List|Count)\w+By(User|Recipient)(Newest)?$`) // whose rows they are
	// Where a query is scoped by the user in place of the organization, it says so.
	byUser := regexp.MustCompile(`\b((u|recipient)\.id|user_id) = @user_id\b|\bemail = @email\b`)
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
		isExempt = isExempt || listsByUser.MatchString(q.name)
		scoped := strings.Contains(q.sql, "organization_id = @organization_id") ||
			strings.HasPrefix(q.sql, "INSERT") && strings.Contains(q.sql, "@organization_id")
		if scoped == isExempt {
			t.Errorf("%s: names the organization: %v, exempt: %v", q.name, scoped, isExempt)
		}
		isLock := q.kind == ":exec" // it returns nothing
		if isExempt && q.name != "CreateMembers" && !isLock && !byUser.MatchString(q.sql) {
			t.Errorf("%s: names neither the organization nor the user", q.name)
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
	files, err := filepath.Glob("../*/*.sql.go")
	if err != nil || len(files) < 11 {
		t.Fatalf("generated files: %v, %v", files, err)
	}
	star := regexp.MustCompile(`(SELECT|RETURNING|,|\.)\s*\*`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A row as a whole, which no column can be taken for, is not a list of columns.
		content = regexp.MustCompile(`pg_catalog\.to_jsonb\(\w+\.\*\)`).ReplaceAll(content, nil)
		if found := star.Find(content); found != nil {
			t.Errorf("%s: %s", file, found)
		}
	}
}

// writesFirst are flights in which a verdict stands behind a write.
var writesFirst = map[string]string{
	"DeleteAPIKeysOfUnproved":    "asks what the verdict asks, of a user who is locked",
	"DeleteSessionsOfUnverified": "asks what the verdict asks, of a user who is locked",
	"ClearActiveOrganization":    "without the organization, which is locked, it has no members",
}

// TestVerdictsComeFirst: where a flight is refused it has written nothing, so no statement that refuses stands behind one
// that writes.
func TestVerdictsComeFirst(t *testing.T) {
	queries := map[string]string{}
	for _, q := range readQueries(t) {
		queries[q.name] = q.sql
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	exempt, verdicts := maps.Clone(writesFirst), 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			var wrote string // by a step before, in the order in which they are written down
			ast.Inspect(decl, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				name, ok := call.Fun.(*ast.Ident)
				if !ok || !slices.Contains([]string{"ask", "verdict", "judge", "must"}, name.Name) {
					return true
				}
				ast.Inspect(call.Args[0], func(n ast.Node) bool {
					selector, ok := n.(*ast.SelectorExpr)
					if !ok || queries[selector.Sel.Name] == "" {
						return true
					}
					query := selector.Sel.Name
					if name.Name != "ask" {
						verdicts++
						if wrote != "" && writesFirst[wrote] == "" {
							t.Errorf("%s: %s may refuse what %s has written", file, query, wrote)
						}
						delete(exempt, wrote)
					}
					if regexp.MustCompile(`\b(INSERT INTO|UPDATE "?\w+"?( \w+)?\s+SET|DELETE FROM)\b`).MatchString(queries[query]) {
						wrote = query
					}
					return true
				})
				return true
			})
		}
	}
	if verdicts < 20 {
		t.Errorf("only %d verdicts found", verdicts)
	}
	for name := range exempt {
		t.Errorf("%s stands before no verdict", name)
	}
}
