package names_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
)

// trapTypes are the types of the arguments of a trap; of a function with three or more, the first few.
var trapTypes = []string{
	"text", "integer", "bigint", "boolean", "timestamp", "text[]", "name",
	"varchar", "bpchar", `"char"`, "smallint", "numeric", "timestamptz", "date", "interval", "bytea", "json", "jsonb", "oid",
	"regclass", "varchar[]", "name[]",
}

// combinations returns each list of n of the types.
func combinations(types []string, n int) [][]string {
	if n == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for _, rest := range combinations(types, n-1) {
		for _, first := range types {
			all = append(all, append([]string{first}, rest...))
		}
	}
	return all
}

// traps is a script that makes, in public, whatever a statement might take in place of what it calls: functions of its
// names, operators of its signs and domains of its types, for all these types.
func traps(calls map[call]bool, operators map[string]bool) string {
	var b strings.Builder
	b.WriteString("SET check_function_bodies = off;\n")
	function := func(name string, args ...string) {
		fmt.Fprintf(&b, "CREATE FUNCTION public.%s(%s) RETURNS boolean LANGUAGE plpgsql AS '';\n", name, strings.Join(args, ", "))
	}
	for c := range calls {
		types := trapTypes
		if c.args > 2 {
			types = trapTypes[:max(3, 9-c.args)]
		}
		for _, args := range combinations(types, c.args) {
			function(c.name, args...)
		}
		if c.args > 0 {
			function(c.name, append(slices.Repeat([]string{"text"}, c.args-1), "VARIADIC anyarray")...)
		}
	}
	for _, args := range combinations(trapTypes, 2) {
		function("trap", args...)
		for sign := range operators {
			fmt.Fprintf(&b, "CREATE OPERATOR public.%s (FUNCTION = public.trap, LEFTARG = %s, RIGHTARG = %s);\n", sign, args[0], args[1])
		}
	}
	for _, name := range trapTypes {
		if !strings.ContainsAny(name, `[`) {
			fmt.Fprintf(&b, "CREATE DOMAIN public.%q AS pg_catalog.int4;\n", strings.Trim(name, `"`))
		}
	}
	return b.String()
}

// resolved tells what a statement was resolved to: the types of its parameters, and what it depends on that is not
// PostgreSQL's own, of functions, operators and types.
func resolved(ctx context.Context, conn *pgx.Conn, sql string) (params, takes string, err error) {
	err = undone(ctx, conn, func(tx pgx.Tx) error {
		const name = "authdb_names"
		if _, err := tx.Exec(ctx, "PREPARE "+name+" AS "+sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		defer func() { _ = conn.Deallocate(ctx, name) }()
		if err := tx.QueryRow(ctx, `SELECT pg_catalog.array_to_string(parameter_types, ', ')
			FROM pg_catalog.pg_prepared_statements WHERE name = $1`, name).Scan(&params); err != nil {
			return err
		}
		// The body is resolved when the function is made, and what it takes is written down.
		if _, err := tx.Exec(ctx, "CREATE FUNCTION public."+name+"("+params+") RETURNS void BEGIN ATOMIC "+sql+"; END",
			pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		// This too runs among the traps.
		return tx.QueryRow(ctx, `SELECT coalesce(pg_catalog.string_agg(
				pg_catalog.pg_describe_object(refclassid, refobjid, 0), ', ' ORDER BY refobjid), '')
			FROM pg_catalog.pg_depend
			WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
				AND objid OPERATOR(pg_catalog.=) $1::pg_catalog.regproc::pg_catalog.oid
				AND refclassid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_proc', 'pg_catalog.pg_operator',
					'pg_catalog.pg_type', 'pg_catalog.pg_cast']::pg_catalog.regclass[]::pg_catalog.oid[])`,
			"public."+name).Scan(&takes)
	})
	return params, takes, err
}

// undone calls f in a transaction and takes it back.
func undone(ctx context.Context, conn *pgx.Conn, f func(tx pgx.Tx) error) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	return f(tx)
}

// hostile makes a role that may do nothing but make things in public.
func hostile(t *testing.T, conn *pgx.Conn) (role string) {
	t.Helper()
	role = "authdb_test_" + strings.ToLower(rand.Text())
	exec(t, conn, "CREATE ROLE "+role+"; GRANT CREATE, USAGE ON SCHEMA public TO "+role)
	t.Cleanup(func() {
		ctx := context.Background()
		if _, err := conn.Exec(ctx, "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
		_ = conn.Close(ctx)
	})
	return role
}

// plugged has the tables of plugins, of which queries are, too.
var plugged = authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables)

func connect(t *testing.T) (conn *pgx.Conn, dsn string) {
	t.Helper()
	dsn = plugged.DSN(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return conn, dsn
}

func exec(t *testing.T, conn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, sql string,
) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%.300s: %v", sql, err)
	}
}

// controls are statements, and whether a trap catches them.
var controls = map[string]bool{
	`SELECT cardinality($1::text[])`:                                   true,
	`SELECT convert_to($1::text, 'UTF8')`:                              true,
	`SELECT concat_ws(',', 'a'::text, 'b'::text)`:                      true,
	`SELECT $1::text || 1`:                                             true,
	`SELECT $1::text[] = ARRAY['a']`:                                   true,
	`SELECT pg_catalog.count(*) FROM "user" WHERE name = 'x'::varchar`: true,
	`SELECT pg_catalog.cardinality($1::text[]), 1 + $2::bigint`:        false,
	`SELECT $1::text OPERATOR(pg_catalog.||) 1`:                        false,
}

// statement is a text that can be prepared, and the types of its parameters where nobody has set a trap.
type statement struct {
	text
	params string
}

// TestResolution: with every such trap in public, each statement of the queries, of the migrations and of the Go files
// still means what it means without.
func TestResolution(t *testing.T) {
	ctx := t.Context()
	conn, _ := connect(t)
	role := hostile(t, conn)
	texts := inGo(t)
	texts["db/migrations"] = append(texts["db/migrations"], inFiles(t, "db/migrations/*.sql")...)
	for sql := range controls {
		texts["controls"] = append(texts["controls"], text{"control", sql})
	}

	statements, n := map[string][]statement{}, 0
	calls, operators := map[call]bool{}, map[string]bool{}
	for folder, texts := range texts {
		for _, x := range texts {
			if !isStatement(x.sql) {
				if folder == "internal/dbgen" || folder == "internal/admindb" {
					t.Errorf("%s: not read: %s", x.at, x.sql)
				}
				continue
			}
			x.sql = strings.TrimRight(x.sql, "; \n\t")
			params, takes, err := resolved(ctx, conn, x.sql)
			switch {
			case err != nil && slices.Contains(elsewhere, folder): // it is put together from parts
				t.Logf("%s/%s: not looked at: %v", folder, x.at, err)
				continue
			case err != nil || takes != "":
				t.Errorf("%s/%s: %v, takes %s\n%s", folder, x.at, err, takes, x.sql)
				continue
			}
			statements[folder] = append(statements[folder], statement{x, params})
			n++
			called, used := callsOf(x.sql)
			for _, c := range called {
				calls[call{name: c.name, args: c.args}] = true
			}
			for _, sign := range used {
				operators[sign] = true
			}
		}
	}
	script := traps(calls, operators)
	exec(t, conn, "SET ROLE "+role+";"+script+"RESET ROLE")
	t.Logf("%d statements, %d traps for %d functions and %d operators", n, strings.Count(script, "CREATE "),
		len(calls), len(operators))
	if len(statements["internal/dbgen"]) < 130 {
		t.Errorf("only %d queries", len(statements["internal/dbgen"]))
	}
	for folder, statements := range statements {
		t.Run(subTest(folder), func(t *testing.T) {
			for _, s := range statements {
				params, takes, err := resolved(ctx, conn, s.sql)
				caught := err != nil || takes != "" || params != s.params
				if caught != controls[s.sql] {
					t.Errorf("%s: takes %q; parameters %q, without traps %q; %v\n%s", s.at, takes, params, s.params, err, s.sql)
				}
			}
		})
	}
}
