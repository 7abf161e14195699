package plans_test

import (
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// planNode is a node of a plan as EXPLAIN writes it.
type planNode struct {
	NodeType string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Index    string     `json:"Index Name"`
	Cond     string     `json:"Index Cond"`
	Subplan  string     `json:"Subplan Name"`      // "CTE" and a name
	CTE      string     `json:"CTE Name"`          // of a scan
	Hit      int64      `json:"Shared Hit Blocks"` // those of the children included
	Read     int64      `json:"Shared Read Blocks"`
	Plans    []planNode `json:"Plans"`
}

// part matches a partition of session, and an index of one.
var part = regexp.MustCompile(`^session_parts_\d+(?:_(\w+))?$`)

// whole is the table or index that one is a part of, or itself.
func whole(name string) string {
	found := part.FindStringSubmatch(name)
	if found == nil {
		return name
	}
	return map[string]string{
		"": "session", "pkey": "session_pkey", "token_key": "session_token_unique", "user_id_idx": "session_userId_idx",
		"expires_at_idx": "session_expiresAt_idx",
	}[found[1]]
}

// parts adds the partitions that the plan touches.
func (p planNode) parts(names map[string]bool) {
	if part.MatchString(p.Relation) {
		names[p.Relation] = true
	}
	for _, child := range p.Plans {
		child.parts(names)
	}
}

// walk adds the indexes that the plan searches, and the tables and indexes that it reads from end to end.
func (p planNode) walk(words map[string]bool) {
	switch index := whole(p.Index); {
	case p.NodeType == "Seq Scan":
		words["scan:"+whole(p.Relation)] = true
	case index != "" && p.Cond == "":
		words["scan:"+index] = true
	case index != "":
		words[index] = true
	}
	for _, child := range p.Plans {
		child.walk(words)
	}
}

// explained is a plan, and with ANALYZE what it took.
type explained struct {
	Plan planNode
	Time float64 `json:"Execution Time"` // ms, the triggers of foreign keys included
}

// access says which indexes a plan searches, and by "scan:" what it reads from end to end.
func (e explained) access() string {
	words := map[string]bool{}
	e.Plan.walk(words)
	return strings.Join(kit.KeysOf(words), " ")
}

// ctes adds the data-modifying CTEs of the plan, and the names of those that something in it reads.
func (p planNode) ctes(modifying map[string]planNode, read map[string]bool) {
	if name, ok := strings.CutPrefix(p.Subplan, "CTE "); ok && p.NodeType == "ModifyTable" {
		modifying[name] = p
	}
	if p.CTE != "" {
		read[p.CTE] = true
	}
	for _, child := range p.Plans {
		child.ctes(modifying, read)
	}
}

// buffers are the pages that the statement touched: those of its root, and of the CTEs that nothing reads, which run
// after it.
func (e explained) buffers() int64 {
	modifying, read := map[string]planNode{}, map[string]bool{}
	e.Plan.ctes(modifying, read)
	n := e.Plan.Hit + e.Plan.Read
	for name, cte := range modifying {
		if !read[name] {
			n += cte.Hit + cte.Read
		}
	}
	return n
}

// readAll are the queries that read every row: they count every row, or there are few.
var readAll = []string{"CountUsers", "CountOrganizations", "ListJWKS"}

// sentQueries returns the SQL of internal/dbgen and internal/admindb by name, and fails unless it has each query of db/queries.
func sentQueries(t *testing.T) map[string]string {
	t.Helper()
	read := func(pattern, regex string) (matches [][]string) {
		for _, file := range kit.Must[[]string](t)(filepath.Glob(pattern)) {
			text := string(kit.Must[[]byte](t)(os.ReadFile(file)))
			matches = append(matches, regexp.MustCompile(regex).FindAllStringSubmatch(text, -1)...)
		}
		return matches
	}
	queries, written := map[string]string{}, map[string]bool{}
	for _, m := range read("../../internal/*/*.sql.go", "(?s)\nconst \\w+ = `-- name: (\\w+) :\\w+\n(.*?)`\n") {
		queries[m[1]] = m[2]
	}
	const header = `(?m)^-- name: (\w+) :(?:one|many|exec|execrows)$`
	for _, m := range slices.Concat(read("../../db/queries/*.sql", header), read("../../db/queries/admin/*.sql", header)) {
		written[m[1]] = true
	}
	if diff := gocmp.Diff(kit.KeysOf(written), kit.KeysOf(queries)); diff != "" || len(queries) < 100 {
		t.Fatalf("queries (-db/queries +internal/dbgen):\n%s", diff)
	}
	return queries
}

// fill makes the rows of test/plans/data.sql: 16,000 users, or, at full size, 2 million.
func fill(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	ctx, begin := t.Context(), time.Now()
	sizes := fmt.Sprintf(`SET plans.users = %d; SET plans.crowd = %d; SET plans.devices = %d; SET default_statistics_target = %d;
		SET random_page_cost = %d`,
		kit.Hard(t, 16_000, 2_000_000), kit.Hard(t, 1_000, 10_000), kit.Hard(t, 200, 1_000),
		kit.Hard(t, 1_000, 100), // of few rows, all are looked at: the same plans each time,
		kit.Hard(t, 2, 4))       // and a scan is not much dearer than a search: the default would sometimes take one
	kit.Must[pgconn.CommandTag](t)(conn.Exec(ctx, sizes))
	kit.Must[pgconn.CommandTag](t)(conn.Exec(ctx, string(kit.Must[[]byte](t)(os.ReadFile("data.sql")))))
	kit.Must[pgconn.CommandTag](t)(conn.Exec(ctx, `INSERT INTO apikey (id, key, reference_id, created_at, updated_at)
		SELECT md5('key' || n), md5('secret' || n), md5('user' || n / 4), '2026-11-01', '2026-11-01'
		FROM generate_series(1, current_setting('plans.users')::integer) n`))
	kit.Must[pgconn.CommandTag](t)(conn.Exec(ctx,
		`VACUUM ANALYZE "user", session, account, verification, organization, team, member, team_member, invitation, apikey`))
	t.Logf("filled in %.0f s", time.Since(begin).Seconds())
}

// planner explains queries on one connection.
type planner struct {
	queries map[string]string
	names   map[string]string // by SQL
}

func newPlanner(t *testing.T) *planner {
	t.Helper()
	p := &planner{queries: sentQueries(t), names: map[string]string{}}
	for name, sql := range p.queries {
		p.names[sql] = name
	}
	return p
}

func (p *planner) prepare(t *testing.T, conn *pgx.Conn) (params map[string]int) {
	t.Helper()
	params = map[string]int{}
	for name, sql := range p.queries {
		kit.Must[pgconn.CommandTag](t)(conn.Exec(t.Context(), `PREPARE `+name+` AS `+sql))
		var n int
		if err := conn.QueryRow(t.Context(), `SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = lower($1)`,
			name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		params[name] = n
	}
	return params
}

// explain runs EXPLAIN EXECUTE, whose arguments are literals.
func explain(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, options, name string, args []any,
) (explained, error) {
	execute := `EXPLAIN (` + options + `FORMAT JSON) EXECUTE ` + name
	if len(args) > 0 {
		places := make([]string, len(args))
		for i := range args {
			places[i] = fmt.Sprintf("$%d", i+1)
		}
		execute += `(` + strings.Join(places, ", ") + `)`
	}
	var plans []explained
	if err := db.QueryRow(ctx, execute, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...).Scan(&plans); err != nil {
		return explained{}, fmt.Errorf("%s: %w", name, err)
	}
	return plans[0], nil
}

// TestPlans: on many rows, each query searches the indexes of plansFile and scans nothing, by its generic plan,
// which holds for any arguments; and so does each statement of each method by both kinds of plan, also for an
// organization with a crowd of members and a user with very many sessions, and the cascades that it sets off.
func TestPlans(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, kit.Plugged.DSN(t)))
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	fill(t, conn)
	p := newPlanner(t)
	params := p.prepare(t, conn)
	t.Run("queries", func(t *testing.T) { testQueryPlans(t, conn, params) })
	var estates []kit.Estate
	for i, name := range []string{"crowd", "usual"} {
		estates = append(estates, kit.Must[kit.Estate](t)(kit.NewEstate(ctx, conn, name, md5Of("org", 77*i), md5Of("user", 77*i))))
		t.Run(name, func(t *testing.T) { testMethodPlans(t, conn, p, estates[i]) })
		t.Run(name+" again", func(t *testing.T) { testSettledPlans(t, conn, p, estates[i]) })
	}
	if kit.Hard(t, 0, 1) == 1 { // what an index saves of few rows says nothing
		t.Run("indexes", func(t *testing.T) { testIndexes(t, conn, p, estates[0]) })
	}
}

// md5Of is an id of test/plans/data.sql.
func md5Of(kind string, n int) string { return fmt.Sprintf("%x", md5.Sum(fmt.Append(nil, kind, n))) }

func testQueryPlans(t *testing.T, conn *pgx.Conn, params map[string]int) {
	kit.Must[pgconn.CommandTag](t)(conn.Exec(t.Context(), `SET plan_cache_mode = force_generic_plan`))
	want, found := readPlans(t), map[string]string{}
	for _, name := range kit.KeysOf(params) {
		e, err := explain(t.Context(), conn, "", name, make([]any, params[name]))
		if err != nil {
			t.Fatal(err)
		}
		access := e.access()
		if slices.Contains(readAll, name) {
			access = "all"
		} else if strings.Contains(access, "scan:") {
			t.Errorf("%s: %s", name, access)
		}
		found[name] = access
		// The key of a team and a user is as good as that of either, and more so the more rows there are.
		keyed := strings.Replace(access, "teamMember_teamId_userId_uidx", "teamMember_userId_idx", 1)
		if w := beginning(want[name]); beginning(access) == w || beginning(keyed) == w {
			found[name] = want[name]
		}
	}
	if os.Getenv("UPDATE_PLANS") != "" {
		writePlans(t, found)
	} else if diff := gocmp.Diff(want, found); diff != "" {
		t.Errorf("%s; if that is meant, run UPDATE_PLANS=1 go test ./test/plans (-listed +searched):\n%s", plansFile, diff)
	}
}

// beginnings are indexes that serve as well as those which begin with them: version and statistics decide.
var beginnings = strings.NewReplacer("teamMember_teamId_userId_uidx", "teamMember_teamId_idx",
	"member_organizationId_userId_uidx", "member_organizationId_idx", "user_email_prefix_idx", "user_email_unique")

func beginning(access string) string {
	return strings.Join(slices.Compact(slices.Sorted(strings.FieldsSeq(beginnings.Replace(access)))), " ")
}

// plansFile has the indexes that each query searches, which UPDATE_PLANS=1 writes.
const plansFile = "testdata/plans.txt"

func readPlans(t *testing.T) map[string]string {
	t.Helper()
	plans := map[string]string{}
	for line := range strings.Lines(string(kit.Must[[]byte](t)(os.ReadFile(plansFile)))) {
		name, access, _ := strings.Cut(strings.TrimSpace(line), ":")
		plans[name] = strings.TrimSpace(access)
	}
	return plans
}

func writePlans(t *testing.T, plans map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, name := range kit.KeysOf(plans) {
		b.WriteString(strings.TrimSpace(name+": "+plans[name]) + "\n")
	}
	if err := os.WriteFile(plansFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// explainer is a transaction that explains what it is asked to run, before it does.
type explainer struct {
	pgx.Tx
	p      *planner
	report func(query string, e explained)
	err    error // the first one, which the transaction would hide
	// What is told of a query that the server plans anew on each call, if it is asked.
	replans func(query string)
}

// settles asks for the plan of a query ten times. PostgreSQL looks at the arguments of the first five; from then on it
// keeps one plan for all, or does not.
func (x *explainer) settles(ctx context.Context, name string, args []any) error {
	if _, err := x.Tx.Exec(ctx, `DEALLOCATE `+name); err != nil {
		return err
	}
	if _, err := x.Tx.Exec(ctx, `PREPARE `+name+` AS `+x.p.queries[name]); err != nil {
		return err
	}
	for range 10 {
		if _, err := explain(ctx, x.Tx, "", name, args); err != nil {
			return err
		}
	}
	var kept bool
	err := x.Tx.QueryRow(ctx, `SELECT custom_plans <= 5 FROM pg_prepared_statements WHERE name = lower($1)`, name).Scan(&kept)
	if err == nil && !kept {
		x.replans(name)
	}
	return err
}

// each explains statements one after the other, with their effects, which it then takes back.
func (x *explainer) each(ctx context.Context, statements ...*pgx.QueuedQuery) (err error) {
	defer func() { x.err = cmp.Or(x.err, err) }()
	if _, err := x.Tx.Exec(ctx, `SAVEPOINT explained`); err != nil {
		return err
	}
	for _, q := range statements {
		if kit.QueryName(q.SQL) == "" { // it reads no table
			continue
		}
		name := x.p.names[q.SQL[strings.Index(q.SQL, "\n")+1:]]
		if name == "" {
			return fmt.Errorf("not in internal/dbgen: %s", q.SQL)
		}
		e, err := explain(ctx, x.Tx, "ANALYZE, BUFFERS, ", name, q.Arguments)
		if err != nil {
			return err
		}
		x.report(name, e)
		if x.replans != nil {
			err = x.settles(ctx, name, q.Arguments)
		}
		if err != nil {
			return err
		}
	}
	_, err = x.Tx.Exec(ctx, `ROLLBACK TO explained; RELEASE explained`)
	return err
}

// An error of the explanation ends the transaction, and with it what follows.

func (x *explainer) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	_ = x.each(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	return x.Tx.Query(ctx, sql, args...)
}

func (x *explainer) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	_ = x.each(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	return x.Tx.QueryRow(ctx, sql, args...)
}

func (x *explainer) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	_ = x.each(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	return x.Tx.Exec(ctx, sql, args...)
}

func (x *explainer) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	_ = x.each(ctx, b.QueuedQueries...)
	return x.Tx.SendBatch(ctx, b)
}

var errUndo = errors.New("undo")

// undone calls f in a transaction and takes it back.
func undone(ctx context.Context, conn *pgx.Conn, f func(tx pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return errUndo
	})
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}

// planned calls a method after some set-up, and reports the plan of each of its statements and the tables that it
// scanned, those of its cascades too.
func planned(
	ctx context.Context, tx pgx.Tx, p *planner, of kit.Estate, setUp string, call kit.MethodCall, report func(query string, e explained),
	replans func(query string),
) (scanned []string, err error) {
	if _, err := tx.Exec(ctx, setUp); err != nil {
		return nil, err
	}
	scans := func() (n map[string]int, err error) { // since the server last took notice of them
		return n, tx.QueryRow(ctx, `SELECT jsonb_object_agg(relname, seq_scan) FROM pg_stat_xact_user_tables`).Scan(&n)
	}
	before, err := scans()
	if err != nil {
		return nil, err
	}
	x := &explainer{Tx: tx, p: p, report: report, replans: replans}
	err = call(ctx, authdb.New(x, authdb.WithClock(func() time.Time { return kit.Today })), of)
	if err = cmp.Or(x.err, err); err != nil {
		return nil, err
	}
	after, err := scans()
	for _, table := range kit.KeysOf(after) {
		if after[table] > before[table] {
			scanned = append(scanned, table)
		}
	}
	return scanned, err
}

// moreCalls are calls of methods with other arguments than those of kit.MethodCalls, and so with other work.
var moreCalls = map[string]kit.MethodCall{
	"Users.Delete of the only owner, handed over": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		if err := s.Members.Leave(ctx, w.Org, w.Of("heir")); err != nil {
			return err
		}
		return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: w.Owner, SuccessorID: w.Of("heir")}))
	},
	"Users.Delete of the only owner, with the organization": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		if err := s.Members.Leave(ctx, w.Org, w.Of("heir")); err != nil {
			return err
		}
		return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: w.Owner, DeleteOrganizations: true}))
	},
	"Members.List of a role": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.InPage(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: w.Org, Role: authdb.RoleOwner}))
	},
	"Members.List of a name": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.InPages(ctx, s.Members.List, authdb.ListMembersParams{OrganizationID: w.Org, Search: w.Email})
	},
	"Members.Count of a name": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.Counted(s.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: w.Org, Search: w.Email}))
	},
	"Users.List of the proved": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.InPages(ctx, s.Users.List, authdb.ListUsersParams{Verified: new(true)})
	},
	"Users.Search for many": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.Some(s.Users.Search(ctx, authdb.SearchUsersParams{Prefix: "U"}))
	},
	"Invitations.List of a status": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.InPages(ctx, s.Invitations.List, authdb.ListInvitationsParams{OrganizationID: w.Org, Status: authdb.StatusPending})
	},
	"Invitations.ListByRecipient of a status": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.InPages(ctx, s.Invitations.ListByRecipient,
			authdb.ListInvitationsByRecipientParams{UserID: w.Of("joiner"), Status: authdb.StatusPending})
	},
	"Organizations.GetFull with all": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.ErrOf(s.Organizations.GetFull(ctx, w.Org, kit.Ask[authdb.OrganizationWith](authdb.All(), false)))
	},
	"Organizations.GetFull of what is pending": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.ErrOf(s.Organizations.GetFull(ctx, w.Org, kit.Ask[authdb.OrganizationWith](authdb.Newest(5), true)))
	},
	"Users.GetFull of the newest": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.ErrOf(s.Users.GetFull(ctx, w.Owner, kit.Ask[authdb.UserWith](authdb.Newest(5), true)))
	},
	"Teams.GetFull of the newest": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return kit.ErrOf(s.Teams.GetFull(ctx, w.Org, w.Of("team"), kit.Ask[authdb.TeamWith](authdb.Newest(5), true)))
	},
}

// allCalls are those of kit.MethodCalls, each list of them newest first, too, and moreCalls.
func allCalls() map[string]kit.MethodCall {
	calls := maps.Clone(kit.MethodCalls)
	for name, call := range kit.MethodCalls {
		if strings.Contains(name, ".List") {
			calls[name+", newest first"] = func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
				return call(kit.Newest(ctx), s, w)
			}
		}
	}
	maps.Copy(calls, moreCalls)
	return calls
}

func testMethodPlans(t *testing.T, conn *pgx.Conn, p *planner, of kit.Estate) {
	ctx := t.Context()
	calls := allCalls()
	for _, name := range kit.KeysOf(calls) {
		if name == "Users.Count" || name == "Organizations.Count" {
			continue // they read all
		}
		// Where a crowd is a large part of all, as it is of few rows, a scan is right for it: a plan of its own takes one.
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"}[:kit.Hard(t, 1, 2)] {
			var text strings.Builder
			var scanned []string
			if err := undone(ctx, conn, func(tx pgx.Tx) (err error) {
				scanned, err = planned(ctx, tx, p, of, `SET LOCAL plan_cache_mode = `+mode, calls[name], func(query string, e explained) {
					access := e.access()
					fmt.Fprintf(&text, "\n\t%-32s %7d buffers %9.2f ms  %s", query, e.buffers(), e.Time, access)
					if strings.Contains(access, "scan:") {
						t.Errorf("%s, %s: %s: %s", name, mode, query, access)
					}
				}, nil)
				return err
			}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(scanned) > 0 {
				t.Errorf("%s, %s: scans %v", name, mode, scanned)
			}
			if kit.Hard(t, 0, 1) == 1 {
				t.Logf("%s, %s:%s", name, mode, text.String())
			}
		}
	}
}

// replanned are the queries that the server plans anew on each call; each says beside it why that is right.
var replanned = []string{"CountMembers", "CountUsers", "CreateMembers", "SearchUsers"}

// testSettledPlans: the server keeps the plan of each statement of each method.
func testSettledPlans(t *testing.T, conn *pgx.Conn, p *planner, of kit.Estate) {
	calls := allCalls()
	found := map[string][]string{}
	for _, name := range kit.KeysOf(calls) {
		if err := undone(t.Context(), conn, func(tx pgx.Tx) error {
			_, err := planned(t.Context(), tx, p, of, `SET LOCAL plan_cache_mode = auto`, calls[name], func(string, explained) {},
				func(query string) { found[query] = append(found[query], name) })
			return err
		}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, query := range kit.KeysOf(found) {
		if !slices.Contains(replanned, query) {
			t.Errorf("%s is planned on each call: %q", query, found[query])
		}
	}
}

// byMembershipKey is how Better Auth 1.7 looks for a team member first.
const byMembershipKey = "ByMembershipKey"

// indexUses are what each index of the migrations is for: calls of methods, and the query in each that counts.
var indexUses = []struct{ index, use, query, method string }{
	{"invitation_inviterId_idx", "the invitations that a user sent", "ListInvitationsByInviters", "Users.GetFull"},
	{"invitation_inviterId_idx", "deleting a user: the cascade", "DeleteUser", "Users.Delete"},
	{"team_member_membership_key_unique", "Better Auth 1.7 adds a team member", byMembershipKey, ""},
	{"member_organizationId_userId_uidx", "one membership in a crowd", "GetMemberByUser", "Members.GetByUser"},
	{"teamMember_teamId_userId_uidx", "one team membership in a crowd", "GetTeamMemberByUser", "TeamMembers.GetByUser"},
	{"account_providerId_accountId_uidx", "sign-in through a provider", "GetAccountByProvider", "Accounts.GetWithUserByProvider"},
	{"member_organizationId_createdAt_id_idx", "a page of a crowd", "ListMembers", "Members.List"},
	{"session_expiresAt_idx", "purging 1,000 sessions", "DeleteExpiredSessions", "Sessions.DeleteExpired"},
	{"verification_expiresAt_idx", "purging 1,000 verifications", "DeleteExpiredVerifications", "Verifications.DeleteExpired"},
	{"user_createdAt_id_idx", "a page of all users", "ListUsers", "Users.List"},
	{"organization_createdAt_id_idx", "a page of all organizations", "ListOrganizations", "Organizations.List"},
	{"user_email_prefix_idx", "users by the beginning of an address", "SearchUsers", "Users.Search"},
	{"user_name_prefix_idx", "users by the beginning of a name", "SearchUsers", "Users.Search"},
}

// testIndexes shows what each index saves: it drops it, and takes that back.
func testIndexes(t *testing.T, conn *pgx.Conn, p *planner, of kit.Estate) {
	const custom = `SET LOCAL plan_cache_mode = force_custom_plan`
	ctx := t.Context()
	var key string
	if err := conn.QueryRow(ctx, `SELECT membership_key FROM team_member WHERE id = $1`, md5Of("seat", 7)).Scan(&key); err != nil {
		t.Fatal(err)
	}
	kit.Must[pgconn.CommandTag](t)(conn.Exec(ctx,
		`PREPARE `+byMembershipKey+` AS SELECT * FROM team_member WHERE membership_key = $1`))
	for _, u := range indexUses {
		drop := `DROP INDEX "` + u.index + `"`
		if u.query == byMembershipKey {
			drop = `ALTER TABLE team_member DROP CONSTRAINT "` + u.index + `"`
		}
		measure := func(setUp string) (best explained, scanned []string) {
			for range 3 { // the first reads from disk
				if err := undone(ctx, conn, func(tx pgx.Tx) (err error) {
					if u.method == "" {
						kit.Must[pgconn.CommandTag](t)(tx.Exec(ctx, setUp))
						best, err = explain(ctx, tx, "ANALYZE, BUFFERS, ", u.query, []any{key})
						return err
					}
					scanned, err = planned(ctx, tx, p, of, setUp, kit.MethodCalls[u.method], func(query string, e explained) {
						if query == u.query {
							best = e
						}
					}, nil)
					return err
				}); err != nil {
					t.Fatalf("%s: %v", u.use, err)
				}
			}
			return best, scanned
		}
		with, _ := measure(custom)
		without, scanned := measure(custom + `; ` + drop)
		if strings.HasSuffix(u.index, "_idx") && without.access() == with.access() && len(scanned) == 0 {
			t.Errorf("%s changes nothing in %s", u.index, u.query)
		}
		t.Logf("| `%s` | %s | %d | %.2f | %d | %.2f | %s |", u.index, u.use, with.buffers(), with.Time, without.buffers(), without.Time,
			strings.Join(scanned, ", "))
	}
}
