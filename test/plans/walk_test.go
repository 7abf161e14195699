package plans_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// storeCalls call what the store itself has.
var storeCalls = map[string]kit.MethodCall{
	"CheckSchema": func(ctx context.Context, s *authdb.Store, _ kit.Estate) error { return s.CheckSchema(ctx) },
	"Ping":        func(ctx context.Context, s *authdb.Store, _ kit.Estate) error { return s.Ping(ctx) },
	"DeleteExpiredMarks": func(ctx context.Context, s *authdb.Store, _ kit.Estate) error {
		return kit.ErrOf(s.DeleteExpiredMarks(ctx, 1))
	},
	"InTx": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		return s.InTx(ctx, func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Users.Update(ctx, w.Owner, authdb.UpdateUserParams{Name: authdb.Set("in a transaction")}))
		})
	},
	"texts": func(ctx context.Context, s *authdb.Store, w kit.Estate) error {
		for i, name := range oddTexts {
			one, many := fmt.Sprintf("one%d@texts.example", i), fmt.Sprintf("many%d@texts.example", i)
			_, err := s.Users.Create(ctx, authdb.CreateUserParams{Name: name, Email: one, Image: &name})
			_, manyErr := s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Name: name, Email: many}, {Name: name, Email: "x" + many, Image: &name}})
			_, sessionErr := s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{
				{UserID: w.Owner, UserAgent: name}, {UserID: w.Owner, ActiveTeamID: &name, ExpiresAt: kit.Today.Add(36 * time.Hour)},
			})
			_, codeErr := s.Verifications.Create(ctx, authdb.CreateVerificationParams{
				Identifier: authdb.Secret(one), Value: authdb.Secret(name), ExpiresAt: kit.Today.AddDate(20, 0, 0),
			})
			if err := errors.Join(err, manyErr, sessionErr, codeErr); err != nil {
				return err
			}
		}
		return nil
	},
}

// oddTexts mean something else under some setting.
var oddTexts = []string{"Zoë ☃ 𝄞", `\`, `it's \'x\'`, `"q", {a}`, "NULL", "null", "E'\\x41'", "$1 $$ -- /*", "01/02/2026", "a\tb"}

// walk calls each method once, as open's store, in a database that prepare has changed, and returns every row that is
// there afterwards, with its columns as text. Ids, tokens and times are the same in every walk.
func walk(t *testing.T, prepare string, open func(dsn string, opts ...authdb.Option) (*authdb.Store, error)) string {
	t.Helper()
	ctx, dsn := t.Context(), authdbtest.DSN(t)
	plain := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn+"&timezone=UTC"))
	defer func() { _ = plain.Close(ctx) }()
	for _, sql := range []string{sameStamps, prepare} {
		if _, err := plain.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	ids := 0
	next := func() string { ids++; return fmt.Sprintf("id%06d", ids) }
	store := kit.Must[*authdb.Store](t)(open(dsn, authdb.WithIDs(next), authdb.WithTokens(next),
		authdb.WithClock(func() time.Time { return kit.Today.Add(time.Duration(ids) * time.Minute) })))
	defer store.Close()
	for _, calls := range []map[string]kit.MethodCall{kit.MethodCalls, storeCalls} {
		for _, name := range kit.KeysOf(calls) {
			id := strings.ToLower(name) // it is part of addresses
			w := kit.Must[kit.Estate](t)(kit.NewEstate(ctx, plain, "."+id, "org."+id, "user."+id))
			if err := calls[name](ctx, store, w); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	var out strings.Builder
	for _, table := range tableNames {
		rows, err := plain.Query(ctx, `SELECT to_jsonb(t)::text FROM `+pgx.Identifier{table}.Sanitize()+` t ORDER BY id COLLATE "C"`)
		for _, row := range kit.Must[[]string](t)(pgx.CollectRows(kit.Must[pgx.Rows](t)(rows, err), pgx.RowTo[string])) {
			// What a timestamptz column holds, in UTC, is told like what the other holds.
			fmt.Fprintln(&out, table, zoneOfUTC.ReplaceAllString(row, `"`))
		}
	}
	return out.String()
}

var (
	tableNames = []string{
		"user", "session", "account", "verification", "organization", "team", "member", "team_member", "invitation",
	}
	zoneOfUTC = regexp.MustCompile(`\+00:00"`)
)

// sameStamps gives rows that are not ours the same times in every walk.
const sameStamps = `DO $$ DECLARE c record; BEGIN
	FOR c IN SELECT table_name, column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND column_default = 'now()'
	LOOP EXECUTE format('ALTER TABLE %I ALTER %I SET DEFAULT ''2026-09-01''', c.table_name, c.column_name); END LOOP;
END $$`

// zoned makes the n-th of every so many timestamp columns one with time zone.
func zoned(n, every int) string {
	return fmt.Sprintf(`SET timezone = 'UTC'; DO $$ DECLARE c record; BEGIN
	FOR c IN SELECT table_name, column_name FROM (SELECT table_name, column_name,
			row_number() OVER (ORDER BY table_name, column_name) AS n FROM information_schema.columns
			WHERE table_schema = 'public' AND data_type = 'timestamp without time zone') all_of_them WHERE n %% %d = %d
	LOOP EXECUTE format('ALTER TABLE %%I ALTER %%I TYPE timestamptz', c.table_name, c.column_name); END LOOP;
END $$`, every, n%every)
}

func inMode(mode pgx.QueryExecMode) func(string, ...authdb.Option) (*authdb.Store, error) {
	return func(dsn string, opts ...authdb.Option) (*authdb.Store, error) {
		return authdb.Open(context.Background(), dsn, append(opts, authdb.WithPoolConfig(func(c *pgxpool.Config) {
			c.ConnConfig.DefaultQueryExecMode = mode
		}))...)
	}
}

// TestZonedColumns: where an adapter made timestamp columns with time zone, all or some of them, each method stores the
// same instants.
func TestZonedColumns(t *testing.T) {
	t.Parallel()
	want := walk(t, "", inMode(pgx.QueryExecModeCacheStatement))
	for name, prepare := range map[string]string{"all": zoned(0, 1), "every other": zoned(1, 2)} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec} {
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(want, walk(t, prepare, inMode(mode))); diff != "" {
					t.Errorf("rows (-without +with time zone):\n%s", diff)
				}
			})
		}
	}
}

// TestAnyColumnMayBeZoned: whichever one of the timestamp columns has a time zone, or has none where the others do, no
// parameter of a query is taken for two types.
func TestAnyColumnMayBeZoned(t *testing.T) {
	t.Parallel()
	ctx, queries := t.Context(), sentQueries(t)
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, kit.Plugged.DSN(t)))
	defer func() { _ = conn.Close(context.Background()) }()
	columns := kit.Must[int](t)(pgx.CollectExactlyOneRow(kit.Must[pgx.Rows](t)(conn.Query(ctx, `SELECT count(*) FROM information_schema.columns
		WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'`)), pgx.RowTo[int]))
	var prepared int
	for n := range columns {
		for name, prepare := range map[string]string{
			"alone": zoned(n, columns), "but one": zoned(0, 1) + ";" + strings.ReplaceAll(strings.ReplaceAll(zoned(n, columns),
				"timestamp without", "timestamp with"), "TYPE timestamptz", "TYPE timestamp"),
		} {
			tx := kit.Must[pgx.Tx](t)(conn.Begin(ctx))
			if _, err := tx.Exec(ctx, prepare); err != nil {
				t.Fatal(err)
			}
			for query, sql := range queries {
				in := kit.Must[pgx.Tx](t)(tx.Begin(ctx))
				if _, err := in.Prepare(ctx, query, sql); err != nil {
					t.Errorf("%s, column %d %s: %v", query, n, name, err)
				}
				_ = in.Rollback(ctx)
				_ = conn.Deallocate(ctx, query)
				prepared++
			}
			_ = tx.Rollback(ctx)
		}
	}
	t.Logf("%d columns, %d statements prepared", columns, prepared)
}

// hostileSettings are those that change what statements and texts mean, what transactions are, or how answers look. An
// administrator gives them to a database, and no session asks for them.
var hostileSettings = []string{
	"client_encoding = 'LATIN1'", "DateStyle = 'SQL, DMY'", "IntervalStyle = 'sql_standard'", "TimeZone = 'Asia/Kathmandu'",
	"standard_conforming_strings = off", "backslash_quote = off", "array_nulls = off", "transform_null_equals = on",
	"default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on", "bytea_output = 'escape'",
	"extra_float_digits = -15", "statement_timeout = '30s'", "lock_timeout = '20s'", "plan_cache_mode = 'force_generic_plan'",
	"idle_in_transaction_session_timeout = '20s'", "row_security = off", "check_function_bodies = off", "work_mem = '64kB'",
	"enable_indexscan = off", "enable_hashjoin = off", "quote_all_identifiers = on", "default_text_search_config = 'german'",
	"client_min_messages = 'debug1'", "synchronous_commit = off", "search_path = public, pg_catalog",
}

func withHostile() string {
	var sql strings.Builder
	for _, setting := range hostileSettings {
		fmt.Fprintf(&sql, "EXECUTE format('ALTER DATABASE %%I SET %s', current_database());\n", strings.ReplaceAll(setting, "'", "''"))
	}
	return "DO $do$ BEGIN " + sql.String() + " END $do$"
}

// TestHostileSettings: whatever a database's sessions begin with, each method stores the same. The whole matrix, of
// servers, users and exec modes, is make test/matrix, which compares the digest.
func TestHostileSettings(t *testing.T) {
	t.Parallel()
	want := walk(t, "", inMode(pgx.QueryExecModeCacheStatement))
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeCacheDescribe,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, walk(t, withHostile(), inMode(mode))); diff != "" {
				t.Errorf("rows (-usual +hostile):\n%s", diff)
			}
		})
	}
	t.Logf("%d methods, %d settings, %d rows: %x", len(kit.MethodCalls)+len(storeCalls), len(hostileSettings), strings.Count(want, "\n"),
		sha256.Sum256([]byte(want)))
}
