package rules_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

const guardsFile = "testdata/guards.txt"

// guard is one thing in the SQL that keeps a promise, and how to take it away.
type guard struct {
	query string                  // the query that loses it; empty for an index
	with  string                  // only in a batch that holds this query too; empty: wherever it is sent
	again bool                    // only where the batch has sent it before
	sql   string                  // the query without it
	index string                  // the index that is dropped instead
	every func(sql string) string // what becomes of every query instead
	label string                  // as in testdata/guards.txt
}

// rewrites is what a guard does to the text of a statement, which is one of a batch of those names.
func (g *guard) rewrites(sql string, batch []string, at int) string {
	if g != nil && g.every != nil {
		return g.every(sql)
	}
	if g == nil || g.query == "" || kit.QueryName(sql) != g.query || g.with != "" && !slices.Contains(batch, g.with) ||
		g.again && !slices.Contains(batch[:at], g.query) {
		return sql
	}
	return g.sql
}

// mutating is a DB that sends some queries without a guard, and notes what is sent.
type mutating struct {
	authdb.DB
	guard *atomic.Pointer[guard]
	sent  *traffic
	tries *tries // nil where nobody looks
}

// tries tells whether an operation sent a batch, or a query alone, again, because it had been the victim of a deadlock.
type tries struct {
	mu    sync.Mutex
	sent  map[string]bool
	again bool
}

func (r *tries) note(names []string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := strings.Join(names, " ")
	r.again = r.again || r.sent[key]
	r.sent[key] = true
}

func (r *tries) reset() (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	again = r.again
	r.again, r.sent = false, map[string]bool{}
	return again
}

func (m mutating) rewrite(sql string) string {
	m.sent.note([]string{sql})
	// In a transaction nothing is tried again by itself, and an operation may read twice.
	if _, ok := m.DB.(pgx.Tx); !ok && (isWrite(sql) || isLock(sql)) {
		m.tries.note([]string{kit.QueryName(sql)})
	}
	return m.guard.Load().rewrites(sql, nil, 0)
}

func (m mutating) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return m.DB.Exec(ctx, m.rewrite(sql), args...)
}

func (m mutating) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return m.DB.Query(ctx, m.rewrite(sql), args...)
}

func (m mutating) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return m.DB.QueryRow(ctx, m.rewrite(sql), args...)
}

func (m mutating) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	var texts, names []string
	for _, q := range b.QueuedQueries {
		texts, names = append(texts, q.SQL), append(names, kit.QueryName(q.SQL))
	}
	m.sent.note(texts)
	m.tries.note(names)
	for i, q := range b.QueuedQueries {
		q.SQL = m.guard.Load().rewrites(q.SQL, names, i)
	}
	return m.DB.SendBatch(ctx, b)
}

func (m mutating) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := m.DB.Begin(ctx)
	return mutatingTx{tx, mutating{tx, m.guard, m.sent, m.tries}}, err
}

// mutatingConn is mutating on a connection, which has a Conn like a transaction.
type mutatingConn struct {
	mutating
	conn *pgx.Conn
}

func (m mutatingConn) Conn() *pgx.Conn { return m.conn }

type mutatingTx struct {
	pgx.Tx
	m mutating
}

func (t mutatingTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.m.Exec(ctx, sql, args...)
}

func (t mutatingTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.m.Query(ctx, sql, args...)
}

func (t mutatingTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.m.QueryRow(ctx, sql, args...)
}

func (t mutatingTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.m.SendBatch(ctx, b)
}

func (t mutatingTx) Begin(ctx context.Context) (pgx.Tx, error) { return t.m.Begin(ctx) }

// traffic is what was sent: the text of each named query, and which were sent together.
type traffic struct {
	mu      sync.Mutex
	texts   map[string]string
	batches map[string][]string
}

func newTraffic() *traffic {
	return &traffic{texts: map[string]string{}, batches: map[string][]string{}}
}

func (r *traffic) note(texts []string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, text := range texts {
		if name := kit.QueryName(text); name != "" {
			r.texts[name] = text
			names = append(names, name)
		}
	}
	r.batches[strings.Join(names, " ")] = names
}

var (
	lockPattern  = regexp.MustCompile(`\bFOR (UPDATE|NO KEY UPDATE|SHARE|KEY SHARE)( SKIP LOCKED)?`)
	writePattern = regexp.MustCompile(`\b(INSERT INTO|UPDATE|DELETE FROM)\b`)
)

func isLock(sql string) bool { return lockPattern.MatchString(sql) }

func isWrite(sql string) bool { return writePattern.MatchString(lockPattern.ReplaceAllString(sql, "")) }

// guards are all that the queries have which write or lock, which are sent along with such, or which decide who is
// signed in; and the unique indexes of the migrations.
func (r *traffic) guards(t *testing.T) []*guard {
	t.Helper()
	guarded := map[string]bool{
		"AuthenticateSession": true, "AuthenticateSessions": true, "AuthenticatePlatform": true,
		"AuthenticatePlatformRoles": true, "AuthenticatePlatforms": true, "AuthenticatePlatformsRoles": true,
	}
	without := map[string]bool{}
	var all []*guard
	for _, batch := range r.batches {
		action := ""
		for _, name := range batch {
			if sql := r.texts[name]; isWrite(sql) && action == "" {
				action = name
			}
		}
		for i, name := range batch {
			sql := r.texts[name]
			guarded[name] = guarded[name] || action != ""
			label, again := action+" without "+name, slices.Contains(batch[:i], name)
			if again {
				label += " again"
			}
			if action != "" && isLock(sql) && !isWrite(sql) && !without[label] {
				without[label] = true
				at := lockPattern.FindStringIndex(sql)[0]
				unlocked := sql[:at] + "LIMIT 0 " + sql[at:]
				all = append(all, &guard{query: name, with: action, again: again, sql: unlocked, label: label})
			}
		}
	}
	for name, ok := range guarded {
		if ok {
			found, err := guardsOf(name, r.texts[name])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, found...)
		}
	}
	for _, index := range []string{
		"member_organizationId_userId_uidx", "teamMember_teamId_userId_uidx", "team_member_membership_key_unique",
		"account_providerId_accountId_uidx",
	} {
		all = append(all, &guard{index: index, label: "index " + index})
	}
	slices.SortFunc(all, func(a, b *guard) int { return cmp.Compare(a.label, b.label) })
	return all
}

// sqlToken is a word, a literal, a parenthesis or an operator of a query.
type sqlToken struct {
	text       string
	start, end int
	depth      int
}

var tokenPattern = regexp.MustCompile(`'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\$\d+|[A-Za-z_][A-Za-z_0-9]*|\d+|::|<>|<=|>=|\|\||[^\sA-Za-z_0-9]`)

func sqlTokens(sql string) []sqlToken {
	var all []sqlToken
	depth := 0
	for _, at := range tokenPattern.FindAllStringIndex(sql, -1) {
		text := sql[at[0]:at[1]]
		if strings.HasPrefix(text, "--") {
			continue
		}
		if text == ")" {
			depth--
		}
		all = append(all, sqlToken{text, at[0], at[1], depth})
		if text == "(" {
			depth++
		}
	}
	return all
}

var endsCondition = []string{
	"GROUP", "ORDER", "LIMIT", "OFFSET", "FOR", "RETURNING", "UNION", "JOIN", "LEFT", "CROSS", "WHERE", "ON", "THEN", "WHEN", "ELSE",
	"END", "AS", ",", ";",
}

// guardsOf finds the guards of a query: each condition by itself where several are joined by AND, and so on.
func guardsOf(query, sql string) (all []*guard, err error) {
	seen := map[string]int{}
	add := func(at int, what, text, mutated string) {
		label := fmt.Sprintf("%s:%d %s %s", query, strings.Count(sql[:at], "\n"), what,
			strings.Join(strings.Fields(text), " "))
		if seen[label]++; seen[label] > 1 {
			label += fmt.Sprintf(" (%d)", seen[label])
		}
		all = append(all, &guard{query: query, sql: mutated, label: label})
	}
	replace := func(start, end int, by string) string { return sql[:start] + by + sql[end:] }
	ts := sqlTokens(sql)
	known := map[int]bool{} // the ANDs that some condition holds
	for i, tok := range ts {
		next := ""
		if i+1 < len(ts) {
			next = ts[i+1].text
		}
		switch {
		case tok.text == "WHERE", tok.text == "ON" && next != "CONFLICT", tok.text == "WHEN",
			tok.text == "AND" && !known[i]:
			first := i + 1
			if tok.text == "AND" { // a condition in a list of columns, as "a AND b AS name"
				for first = i; first > 0 && (ts[first-1].depth > tok.depth || ts[first-1].depth == tok.depth &&
					ts[first-1].text != "," && ts[first-1].text != "RETURNING" && ts[first-1].text != "SELECT"); first-- {
				}
			}
			last := first
			var ands []int
			or := false
			for ; last < len(ts) && ts[last].depth >= tok.depth && (ts[last].depth > tok.depth ||
				!slices.Contains(endsCondition, ts[last].text)); last++ {
				if ts[last].depth == tok.depth && ts[last].text == "AND" {
					ands = append(ands, last)
					known[last] = true
				}
				or = or || ts[last].depth == tok.depth && ts[last].text == "OR"
			}
			if tok.text == "WHEN" && (last+1 >= len(ts) || ts[last].text != "THEN" || ts[last+1].text[0] != '\'') {
				continue // no verdict
			}
			if or && len(ands) > 0 {
				return nil, fmt.Errorf("AND beside OR in %s", sql[ts[first].start:ts[last-1].end])
			}
			if tok.text == "WHEN" && ts[last+1].text != "''" {
				add(tok.start, "never", ts[last+1].text, replace(ts[first].start, ts[last-1].end,
					"false AND ("+sql[ts[first].start:ts[last-1].end]+")"))
				if len(ands) == 0 {
					continue // always is another outcome, not a guard less
				}
			}
			for from, k := first, 0; k <= len(ands); k++ {
				to := last
				if k < len(ands) {
					to = ands[k]
				}
				start, end := ts[from].start, ts[to-1].end
				add(start, "no", sql[start:end], replace(start, end, "(true OR ("+sql[start:end]+"))"))
				from = to + 1
			}
		case tok.text == "FOR" && isLock(sql[tok.start:min(len(sql), tok.start+20)]):
			lock := lockPattern.FindString(sql[tok.start:])
			add(tok.start, "no", lock, replace(tok.start, tok.start+len(lock), ""))
			if strings.HasSuffix(lock, " SKIP LOCKED") {
				waits := strings.TrimSuffix(lock, " SKIP LOCKED")
				add(tok.start, "no", "SKIP LOCKED", replace(tok.start, tok.start+len(lock), waits))
			}
		case tok.text == "ON" && next == "CONFLICT":
			last := i
			for last < len(ts) && ts[last].depth >= tok.depth && ts[last].text != "RETURNING" && ts[last].text != ";" {
				last++
			}
			text := sql[tok.start:ts[last-1].end]
			add(tok.start, "no", strings.SplitN(text, " SET", 2)[0], replace(tok.start, ts[last-1].end, ""))
		case tok.text == "greatest":
			open, comma := i+1, i+1
			for ; ts[comma].text != "," || ts[comma].depth != ts[open].depth+1; comma++ {
			}
			end := comma
			for ; ts[end].text != ")" || ts[end].depth != ts[open].depth; end++ {
			}
			for _, part := range [][2]int{{ts[open].end, ts[comma-1].end}, {ts[comma+1].start, ts[end-1].end}} {
				text := sql[part[0]:part[1]]
				add(tok.start, "greatest without", text, replace(part[0], part[1], "CASE WHEN false THEN "+text+" END"))
			}
		case tok.text == "ORDER" && next == "BY":
			for j := i + 2; j < len(ts); j++ {
				end := ts[j].depth < tok.depth || ts[j].depth == tok.depth && slices.Contains(endsCondition, ts[j].text)
				if !end && j < len(ts)-1 {
					continue
				}
				last := j
				if !end {
					last++
				}
				key := ts[last-1]
				start := last - 1
				for ; ts[start-1].text != "," && ts[start-1].text != "BY" || ts[start-1].depth != tok.depth; start-- {
				}
				text := sql[ts[start].start:key.end]
				if key.text == "DESC" {
					add(ts[start].start, "reversed", text, replace(key.start, key.end, "ASC"))
				} else {
					add(ts[start].start, "reversed", text, replace(key.end, key.end, " DESC"))
				}
				if !end || ts[j].text != "," {
					break
				}
			}
		}
	}
	return all, nil
}

// sameGuard is a label without what changes with the lines and parameters of its query.
func sameGuard(label string) string {
	return regexp.MustCompile(`^(\w+):\d+ |\$\d+`).ReplaceAllString(label, "$1 ")
}

// TestGuards takes each guard away from the SQL, one at a time, and runs the scenario that testdata/guards.txt names for
// it: that one must fail, or the guard is held by no test. At full size each scenario that sends the query runs for
// each guard. UPDATE_GUARDS=1 writes the file anew; GUARD=text looks at the guards with that in their names only, and
// tells what fails without them.
func TestGuards(t *testing.T) {
	t.Parallel()
	full, update := kit.Hard(t, 0, 1) == 1, os.Getenv("UPDATE_GUARDS") != ""
	only := os.Getenv("GUARD")
	begin := time.Now()
	stages := newStages(t, 3)

	all := scenarios(t)
	sends := make([]*traffic, len(all))
	sent := newTraffic()
	stages.each(len(all), func(s *stage, i int) {
		sends[i] = newTraffic()
		if err := s.run(all[i], nil, sends[i]); err != nil {
			t.Errorf("%s: %v", all[i].name, err)
		}
	})
	for _, r := range sends {
		for name, text := range r.texts {
			sent.texts[name] = text
		}
		for key, batch := range r.batches {
			sent.batches[key] = batch
		}
	}
	everyWriteIsSent(t, sent)
	if t.Failed() {
		return
	}
	plain := time.Since(begin)

	guards := sent.guards(t)
	stages.prepares(t, sent, guards)
	listed := readGuards(t)
	reasons := map[string]string{}
	for label, entry := range listed {
		if strings.HasPrefix(entry, "= ") {
			reasons[sameGuard(label)] = entry
		}
	}
	named := map[string]int{}
	for i, sc := range all {
		if _, ok := named[sc.name]; ok {
			t.Fatalf("two scenarios are called %q", sc.name)
		}
		named[sc.name] = i
	}

	var killed, runs, kills atomic.Int64
	verdicts := make([]string, len(guards))
	stages.each(len(guards), func(s *stage, i int) {
		g := guards[i]
		if only != "" && !strings.Contains(g.label, only) {
			return
		}
		entry, ok := listed[g.label]
		if !ok && !update {
			t.Errorf("%s: not in %s; see UPDATE_GUARDS there", g.label, guardsFile)
			return
		}
		if update && !ok {
			entry = reasons[sameGuard(g.label)]
		}
		verdicts[i] = entry
		reason, isEquivalent := strings.CutPrefix(entry, "= ")
		candidates := []int{}
		j, isNamed := named[entry]
		if isNamed {
			candidates = append(candidates, j)
		}
		// The others have their turn where luck, such as the order of rows, lets the guard pass that one.
		if full || update || isNamed {
			for j := range all {
				if _, sends := sends[j].texts[g.query]; (sends || g.index != "") && !slices.Contains(candidates, j) {
					candidates = append(candidates, j)
				}
			}
		}
		caught := []string{}
		for _, j := range candidates {
			runs.Add(1)
			if err := s.run(all[j], g, nil); err != nil {
				caught = append(caught, all[j].name)
				if only != "" {
					t.Logf("%s: %s: %v", g.label, all[j].name, err)
				}
				if !full {
					break
				}
			}
		}
		kills.Add(int64(len(caught)))
		switch {
		// What PostgreSQL happens to do, it may do otherwise when it has counted the rows.
		case isEquivalent && (len(caught) > 0 && !strings.Contains(reason, "happens to") || reason == ""):
			t.Errorf("%s: listed as of no effect, but %q fails without it", g.label, caught)
		case isEquivalent:
		// The foreign key of a session table with partitions is the newest, so that sessions go after the memberships.
		case os.Getenv("AUTHDB_SESSION_PARTITIONS") != "" && strings.Contains(g.label, "LockMembersOfUser"):
		case len(caught) == 0:
			t.Errorf("%s: nothing fails without it", g.label)
			verdicts[i] = "?"
		default:
			killed.Add(1)
			if !slices.Contains(caught, entry) {
				if full && !update {
					t.Errorf("%s: %q does not fail without it", g.label, entry)
				}
				verdicts[i] = caught[0]
			}
		}
	})
	if update && only == "" {
		writeGuards(t, guards, verdicts)
	} else if only == "" {
		for label := range listed {
			if !slices.ContainsFunc(guards, func(g *guard) bool { return g.label == label }) {
				t.Errorf("%s: in %s, but there is no such guard", label, guardsFile)
			}
		}
	}
	equivalent := 0
	for _, v := range verdicts {
		if strings.HasPrefix(v, "= ") {
			equivalent++
		}
	}
	t.Logf("%d scenarios in %v; %d guards of %d queries: %d killed, %d of no effect, %d survivors; "+
		"%d runs, of which %d failed as they must, in %v",
		len(all), plain.Round(time.Millisecond), len(guards), len(sent.texts), killed.Load(), equivalent,
		len(guards)-int(killed.Load())-equivalent, runs.Load(), kills.Load(), time.Since(begin).Round(time.Millisecond))
}

// everyWriteIsSent: a scenario sends each query of db/queries that writes or locks, so that no guard is overlooked.
func everyWriteIsSent(t *testing.T, sent *traffic) {
	t.Helper()
	files := kit.Must[[]string](t)(filepath.Glob("../../db/queries/*.sql"))
	files = append(files, kit.Must[[]string](t)(filepath.Glob("../../db/queries/admin/*.sql"))...)
	for _, file := range files {
		if filepath.Base(file) == "mark.sql" { // TestOnce and test/faults are about marks
			continue
		}
		content := string(kit.Must[[]byte](t)(os.ReadFile(file)))
		for _, text := range regexp.MustCompile(`(?m)^-- name: `).Split(content, -1)[1:] {
			name, rest, _ := strings.Cut(text, " ")
			kind, sql, _ := strings.Cut(rest, "\n")
			sql = regexp.MustCompile(`(?m)^\s*--.*$`).ReplaceAllString(sql, "")
			if kind != ":copyfrom" && (isWrite(sql) || isLock(sql)) && sent.texts[name] == "" {
				t.Errorf("no scenario sends %s", name)
			}
		}
	}
}

func readGuards(t *testing.T) map[string]string {
	t.Helper()
	listed := map[string]string{}
	content, err := os.ReadFile(guardsFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		if label, entry, ok := strings.Cut(line, "  <-  "); ok {
			listed[label] = entry
		}
	}
	return listed
}

func writeGuards(t *testing.T, guards []*guard, verdicts []string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# What keeps the promises of the queries, each with the scenario that fails without it: see TestGuards.
#
# Query and line, what is taken away, and behind the arrow the scenario, or "= " and why nothing changes without it.
# UPDATE_GUARDS=1 go test -run TestGuards ./test/rules finds the guards and the scenarios anew and keeps the reasons.

`)
	for i, g := range guards {
		b.WriteString(g.label + "  <-  " + verdicts[i] + "\n")
	}
	if err := os.WriteFile(guardsFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
