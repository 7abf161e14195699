package plans_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/migrate"
)

// TestSessionPartitions: of a session table that has partitions, each statement that looks for one token touches one, by a
// plan for any token. Left to itself, the server would plan it for each.
func TestSessionPartitions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := kit.Plugged.DSN(t)
	m := kit.Must[*migrate.Migrator](t)(migrate.Open(ctx, dsn, migrate.Options{InsecureTLS: true}))
	_, err := m.PartitionSessions(ctx, 8)
	if err := errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	p := newPlanner(t)
	p.prepare(t, conn)
	of := kit.Must[kit.Estate](t)(kit.NewEstate(ctx, conn, "1", "org", "owner"))
	byToken, seen := regexp.MustCompile(`(?s)\b(?:FROM|UPDATE) session\b.*\btoken = \$\d`), map[string]bool{}
	replans := map[string]bool{}
	for _, name := range kit.KeysOf(kit.MethodCalls) {
		if !strings.HasPrefix(name, "Sessions.") {
			continue
		}
		for _, mode := range []string{"force_generic_plan", "auto"} {
			again := func(query string) { replans[query] = true }
			if mode != "auto" {
				again = nil
			}
			if err := undone(ctx, conn, func(tx pgx.Tx) error {
				_, err := planned(ctx, tx, p, of, `SET LOCAL plan_cache_mode = `+mode, kit.MethodCalls[name], func(query string, e explained) {
					if !byToken.MatchString(p.queries[query]) {
						return
					}
					parts := map[string]bool{}
					if e.Plan.parts(parts); len(parts) != 1 {
						t.Errorf("%s, %s: %s touches %q", name, mode, query, kit.KeysOf(parts))
					}
					seen[query] = true
				}, again)
				return err
			}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	want := 0
	for name, sql := range p.queries {
		if byToken.MatchString(sql) {
			want++
			ofPlugin := name == "StopImpersonating" || strings.HasPrefix(name, "AuthenticatePlatform") // which the walk has not
			if !seen[name] && !ofPlugin {
				t.Errorf("%s was not sent", name)
			}
		}
	}
	t.Logf("%d statements look for a token; left to itself, the server plans anew %q", want, kit.KeysOf(replans))
	if want < 8 || !replans["AuthenticateSession"] {
		t.Error("too few: the test proves nothing")
	}
}
