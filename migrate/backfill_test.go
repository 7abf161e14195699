package migrate_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/db/migrations"
)

// jsonString is JSON.stringify of a string: ECMA-262, QuoteJSONString.
func jsonString(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		short, has := map[rune]string{
			'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`,
		}[r]
		switch {
		case has:
			out.WriteString(short)
		case r < ' ':
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// membershipKey is Better Auth's: createHash("sha256").update(JSON.stringify([teamId, userId])).digest("base64url").
func membershipKey(team, user string) string {
	sum := sha256.Sum256([]byte("[" + jsonString(team) + "," + jsonString(user) + "]"))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestMembershipKey checks the test's own function against what Node printed.
func TestMembershipKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ team, user, want string }{
		{"team", "user", "cy-aL4Hyy0ZpbsKvA-WS2vxsgu95oYS20GSp_4_KdCQ"},
		{`t"\/<&>`, "u\x01\b\t\n\f\r\x1f\x7f", "xaIPkJ6OGoOf1TIygBIMEZLkdTo_yheaKTscodzWtPs"},
		{"té\u2028", "日本😀", "9yXtqzQJi3vtBGBSKCjA4mxFfVnLDiW858yVH3AzGHw"},
	} {
		if got := membershipKey(tt.team, tt.user); got != tt.want {
			t.Errorf("%q, %q: got %s, not %s", tt.team, tt.user, got, tt.want)
		}
	}
}

// backfill runs the file of migration 4 once more, as its comment advises, and returns how many rows that changed.
func backfill(t *testing.T, conn *pgx.Conn) (changed int64) {
	t.Helper()
	file, err := fs.ReadFile(migrations.FS, "0004_better_auth_1_7_backfill.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	results, err := conn.PgConn().Exec(t.Context(), string(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 {
		t.Fatalf("%d statements", len(results))
	}
	for _, result := range results {
		changed += result.CommandTag.RowsAffected()
	}
	return changed
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	mustGoto(t, m, 3)
	var control strings.Builder
	for r := rune(1); r <= ' '; r++ {
		control.WriteRune(r)
	}
	teams := []string{"team", `a"b`, `a\b`, `\"`, "é", "日本😀", "\u2028\u2029", "</script>&", control.String(), "\x7f\u0080", "', '", ""}
	users := append([]string{"user", "lonely"}, teams[1:]...)
	exec(t, conn, `INSERT INTO organization (id, name, slug, created_at) VALUES ('o', 'O', 'o', now())`)
	insert := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range users {
		insert(`INSERT INTO "user" (id, name, email) VALUES ($1, 'U', $2)`, id, fmt.Sprint(i))
	}
	wantKeys, wantCounts := map[string]string{}, map[string]int{"empty": 0}
	insert(`INSERT INTO team (id, name, organization_id, created_at) VALUES ('empty', 'T', 'o', now())`)
	for i, team := range teams {
		insert(`INSERT INTO team (id, name, organization_id, created_at) VALUES ($1, 'T', 'o', now())`, team)
		for j, user := range users {
			if user == "lonely" || j > i+1 {
				continue
			}
			id := fmt.Sprint("tm", i, "-", j)
			insert(`INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ($1, $2, $3, '2026-01-01')`, id, team, user)
			wantKeys[id] = membershipKey(team, user)
			wantCounts[team]++
		}
	}
	// Twice and more: the oldest gets the key, one without a time last, and of the same time the smaller id.
	for _, row := range []struct {
		id, user string
		created  any
		key      bool
	}{
		{"d1", "lonely", nil, false},
		{"d2", "lonely", "2026-01-02", false},
		{"d4", "lonely", "2026-01-01", false},
		{"d3", "lonely", "2026-01-01", true},
		{"e1", "é", nil, false}, // as tm of team and é, which is older
		{"e2", "日本😀", nil, false},
	} {
		team := "empty"
		if row.user != "lonely" {
			team = "\x7f\u0080"
		}
		insert(`INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ($1, $2, $3, $4::text::timestamp)`,
			row.id, team, row.user, row.created)
		wantKeys[row.id] = ""
		if row.key {
			wantKeys[row.id] = membershipKey(team, row.user)
		}
		wantCounts[team]++
	}
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(wantKeys, collectMap[string](t, conn, `SELECT id, coalesce(membership_key, '') FROM team_member`)); diff != "" {
			t.Errorf("%s: keys (-want +got):\n%s", when, diff)
		}
		if diff := cmp.Diff(wantCounts, collectMap[int](t, conn, `SELECT id, member_count FROM team`)); diff != "" {
			t.Errorf("%s: counts (-want +got):\n%s", when, diff)
		}
	}

	mustGoto(t, m, 4)
	check("after the migration")
	before := state(t, conn)
	if n := backfill(t, conn); n != 0 {
		t.Errorf("the second time changed %d rows", n)
	}
	if diff := cmp.Diff(before, state(t, conn)); diff != "" {
		t.Errorf("the second time (-before +after):\n%s", diff)
	}

	// What Better Auth 1.6 does meanwhile: counts that are off either way, a row without a key.
	exec(t, conn, `UPDATE team SET member_count = member_count + 1 WHERE id IN ('team', 'empty')`)
	exec(t, conn, `UPDATE team SET member_count = 0 WHERE id = 'é'`)
	exec(t, conn, `UPDATE team_member SET membership_key = NULL WHERE id IN ('tm0-0', 'd3')`)
	if n := backfill(t, conn); n != 5 {
		t.Errorf("healing changed %d rows", n)
	}
	check("after healing")
}

// TestRowsOfBetterAuth16: servers of 1.3 to 1.6, which know nothing of 1.7's columns, write on at the latest version,
// and the backfill takes in their rows.
func TestRowsOfBetterAuth16(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, people+`INSERT INTO team_member (id, team_id, user_id, created_at) VALUES
		('tm1', 't1', 'u1', now()), ('tm2', 't1', 'u2', now()), ('tm3', 't2', 'u1', NULL)`)
	type row = map[string]string
	keys := func() row {
		return collectMap[string](t, conn, `SELECT id, coalesce(membership_key, '') FROM team_member`)
	}
	counts := func() map[string]int { return collectMap[int](t, conn, `SELECT id, member_count FROM team`) }
	if diff := cmp.Diff(row{"tm1": "", "tm2": "", "tm3": ""}, keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"t1": 0, "t2": 0}, counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	backfill(t, conn)
	want := row{"tm1": membershipKey("t1", "u1"), "tm2": membershipKey("t1", "u2"), "tm3": membershipKey("t2", "u1")}
	if diff := cmp.Diff(want, keys()); diff != "" {
		t.Errorf("keys after the backfill (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"t1": 2, "t2": 1}, counts()); diff != "" {
		t.Errorf("counts after the backfill (-want +got):\n%s", diff)
	}
}

func collectMap[V any](t *testing.T, conn *pgx.Conn, sql string) map[string]V {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]V{}
	var key string
	var value V
	if _, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { m[key] = value; return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}
