package migrate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/migrate"
)

// traps are functions and operators with the names of PostgreSQL's own, $1 for the functions, for all argument types
// that ours may have: an exact match in a schema that is searched is preferred to one of PostgreSQL's that takes a
// conversion. A sequence counts who steps into one, since a transaction that is rolled back would forget it.
const traps = `
CREATE SEQUENCE public.trapped;
GRANT ALL ON SEQUENCE public.trapped TO PUBLIC;
DO $do$
DECLARE
	types text[] := ARRAY['text', 'name', 'bigint', 'oid', 'varchar', 'integer', '"char"', 'boolean', 'text[]', 'name[]', 'oid[]', 'smallint',
		'smallint[]', 'int2vector', 'numeric', 'regclass', 'regnamespace', 'timestamp', 'jsonb', 'aclitem[]', 'pg_node_tree',
		'information_schema.sql_identifier'];
	body text := 'BEGIN PERFORM pg_catalog.nextval(''public.trapped''); RETURN NULL; END';
	f record; o text; a text; b text; c text;
BEGIN
	FOR f IN SELECT DISTINCT proname, n, pg_catalog.min(CASE WHEN prorettype::regtype::text LIKE 'any%%' THEN 'text' ELSE prorettype::regtype::text END) AS type FROM pg_catalog.pg_proc, pg_catalog.generate_series(1, 3) n
		WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ('%s'::text[]) AND (n = pronargs OR provariadic <> 0)
			AND prorettype::regtype::text NOT IN ('void', 'record', 'trigger')
		GROUP BY proname, n
	LOOP
		FOREACH a IN ARRAY types LOOP
			FOREACH b IN ARRAY CASE WHEN f.n > 1 THEN types[1:9] ELSE '{""}' END LOOP
				FOREACH c IN ARRAY CASE WHEN f.n > 2 THEN types[1:3] ELSE '{""}' END LOOP
					EXECUTE pg_catalog.format('CREATE FUNCTION public.%%I(%%s) RETURNS %%s LANGUAGE plpgsql AS %%L', f.proname,
						pg_catalog.concat_ws(', ', a, NULLIF(b, ''), NULLIF(c, '')), f.type, body);
				END LOOP;
			END LOOP;
		END LOOP;
	END LOOP;
	FOREACH a IN ARRAY types LOOP
		FOREACH b IN ARRAY types LOOP
			EXECUTE pg_catalog.format('CREATE FUNCTION public.trap_b(%%s, %%s) RETURNS boolean LANGUAGE plpgsql AS %%L', a, b, body);
			EXECUTE pg_catalog.format('CREATE FUNCTION public.trap_t(%%s, %%s) RETURNS text LANGUAGE plpgsql AS %%L', a, b, body);
			FOREACH o IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>=', '~', '!~', '~~', '||', '->>', '-', '+'] LOOP
				EXECUTE pg_catalog.format('CREATE OPERATOR public.%%s (LEFTARG = %%s, RIGHTARG = %%s, FUNCTION = public.%%s)', o, a, b,
					CASE WHEN o IN ('||', '->>', '-', '+') THEN 'trap_t' ELSE 'trap_b' END);
			END LOOP;
		END LOOP;
	END LOOP;
END $do$`

// trapsOfRows take rows of the tables, once they are there.
const trapsOfRows = `DO $do$ DECLARE r record; BEGIN
	FOR r IN SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
		EXECUTE pg_catalog.format('CREATE FUNCTION public.to_jsonb(public.%I) RETURNS jsonb LANGUAGE plpgsql AS %L', r.relname,
			'BEGIN PERFORM pg_catalog.nextval(''public.trapped''); RETURN NULL; END');
	END LOOP;
END $do$`

// words are what is followed by a bracket in the sources of what sends SQL.
func words(t *testing.T) string {
	t.Helper()
	var all []string
	for _, glob := range []string{"*.go", "catalog/*.go", "../cmd/migrate/*.go", "../db/migrations/*.sql"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatal(glob, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`\b([a-z][a-z0-9_]+)\(`).FindAllStringSubmatch(string(text), -1) {
				if m[1] != "name" { // is a type's too
					all = append(all, m[1])
				}
			}
		}
	}
	return "{" + strings.Join(all, ",") + "}"
}

// TestNobodysFunctionsAreCalled: a role that may create in the schema of the tables makes everything that a superuser who
// migrates, verifies and adopts could call by mistake. The kind is CVE-2018-1058.
func TestNobodysFunctionsAreCalled(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	mallory, _ := role(t, conn, dsn)
	exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+mallory)
	as := func(sql string) {
		exec(t, conn, `SET search_path = pg_catalog; SET ROLE `+mallory+`; `+sql+`; RESET ROLE; SET search_path = public`)
	}
	as(strings.ReplaceAll(strings.ReplaceAll(traps, "%s'::text[]", words(t)+"'::text[]"), "%%", "%"))
	for _, path := range []string{"public", `"$user", public`, "public, pg_catalog"} {
		dsn := dsnWith(t, dsn, "search_path", path)
		m := migrator(t, dsn, migrate.Options{})
		trapped := func(what string, errs ...error) {
			t.Helper()
			if err := errors.Join(errs...); err != nil && !errors.Is(err, migrate.ErrDrift) {
				t.Errorf("%s, %s: %v", path, what, err)
			}
			if got := collect(t, conn, `SELECT last_value::text || ' ' || is_called::text FROM public.trapped`); got[0] != "1 false" {
				t.Fatalf("%s, %s: somebody's function was called: %s", path, what, got)
			}
		}
		to := func(version int) {
			t.Helper()
			trapped("goto", m.Goto(t.Context(), version))
		}
		to(1)
		as(trapsOfRows)
		exec(t, conn, tangledRows)
		_, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
		trapped("adopt", err)
		to(3)
		exec(t, conn, `UPDATE team_member SET membership_key = 'x'`)
		_, err = m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
		trapped("adopt at 3", err)
		to(4)
		to(m.Latest())
		_, err = m.Verify(t.Context(), migrate.VerifyOptions{})
		trapped("verify", err)
		_, err = m.Status(t.Context())
		trapped("status", err)
		_, err = m.Plan(t.Context(), 0)
		trapped("plan", err)
		trapped("cancel", m.Cancel(t.Context()))
		exec(t, conn, `UPDATE authdb.schema_migrations SET dirty = true`)
		_, err = m.Repair(t.Context())
		trapped("repair", err)
		trapped("force", m.Force(t.Context(), 2), m.Force(t.Context(), m.Latest()))
		_ = m.Close()
		exec(t, conn, `DROP SCHEMA authdb CASCADE`)
		m = migrator(t, dsn, migrate.Options{})
		_, err = m.Adopt(t.Context(), migrate.AdoptOptions{Superset: true, DrizzleJournal: drizzleFolder(t)})
		trapped("adopt what is there", err)
		exec(t, conn, `DROP FUNCTION IF EXISTS public.to_jsonb("user"), public.to_jsonb(session), public.to_jsonb(account), public.to_jsonb(verification),
			public.to_jsonb(organization), public.to_jsonb(team), public.to_jsonb(member), public.to_jsonb(team_member), public.to_jsonb(invitation)`)
		trapped("drop", m.Drop(t.Context()))
		exec(t, conn, `DROP SCHEMA IF EXISTS drizzle CASCADE`)
		_ = m.Close()
	}
	if _, err := conn.Exec(context.Background(), `SET search_path = public; SELECT to_json('x'::text)`); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, conn, `SELECT is_called::text FROM public.trapped`); got[0] != "true" {
		t.Error("the traps catch nobody")
	}
}

const tangledRows = `INSERT INTO "user" (id, name, email) VALUES ('u1', '', 'u1@x'), ('u2', '', 'u2@x');
INSERT INTO organization (id, name, slug, created_at) VALUES ('o1', '', 'o1', '2026-01-01');
INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES ('m1', 'o1', 'u1', 'admin', '2026-01-01'), ('m2', 'o1', 'u1', 'member', '2026-01-02');
INSERT INTO team (id, name, organization_id, created_at) VALUES ('t1', '', 'o1', '2026-01-01');
INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ('tm1', 't1', 'u1', '2026-01-01'), ('tm2', 't1', 'u2', '2026-01-02');
INSERT INTO account (id, account_id, provider_id, user_id, updated_at) VALUES ('a1', 'x', 'github', 'u1', '2026-01-01'), ('a2', 'x', 'github', 'u1', '2026-01-02'),
	('a3', 'y', 'credential', 'u2', '2026-01-02');`
