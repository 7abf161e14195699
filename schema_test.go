package authdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestCheckSchema takes away, or makes another, each column and each key in turn: it is named, with the migration that
// brings it, and nothing else is.
func TestCheckSchema(t *testing.T) {
	t.Parallel()
	s := authdbtest.New(t)
	ctx := t.Context()
	if err := s.CheckSchema(ctx); err != nil {
		t.Fatal(err)
	}
	says := func(sql, want string) {
		t.Helper()
		undo := errors.New("undo")
		if err := s.InTx(ctx, func(tx *authdb.Store) error {
			if _, err := tx.Tx().Exec(ctx, sql); err != nil {
				return err
			}
			err := tx.CheckSchema(ctx)
			e, _ := errors.AsType[*authdb.Error](err)
			if got, _, _ := strings.Cut(fmt.Sprint(e.Reason), ". If"); e == nil || !errors.Is(err, authdb.ErrSchema) || got != want {
				t.Errorf("%s: %v, want %s", sql, err, want)
			}
			return undo
		}); !errors.Is(err, undo) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	type fact struct {
		Kind       string
		Name       string
		Definition string
	}
	var steps []struct {
		Version        int
		Added, Removed []fact
	}
	content, err := os.ReadFile("migrate/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &steps); err != nil {
		t.Fatal(err)
	}
	brought := map[string]int{} // a column, and a key as (a,b), by its first migration
	for _, step := range steps {
		for _, f := range step.Added {
			table, column, _ := strings.Cut(f.Name, ".")
			if table == "authdb" {
				continue
			}
			if f.Kind != "column" {
				continue
			}
			if brought[f.Name] == 0 {
				brought[f.Name] = step.Version
			}
			inKey := map[string]bool{"id": true, "email": true, "token": true, "slug": true, "membership_key": true}[column] ||
				strings.HasSuffix(column, "_id")
			if !inKey { // which would go along
				says(fmt.Sprintf("ALTER TABLE %q DROP COLUMN %q CASCADE", table, column),
					fmt.Sprintf("no %s, which migration %d makes", f.Name, brought[f.Name]))
			}
		}
	}
	for key, migration := range map[string]int{
		"user (email)": 1, "session (token)": 1, "organization (slug)": 1, "team_member (membership_key)": 6,
		"member (organization_id,user_id)": 7, "team_member (team_id,user_id)": 8, "account (account_id,provider_id)": 9,
		"verification (id)": 1, "team (id)": 1,
	} {
		table, of, _ := strings.Cut(key, " ")
		says(fmt.Sprintf(`DO $$ DECLARE i record; BEGIN
			FOR i IN SELECT indexrelid::regclass AS name, k.conname FROM pg_index LEFT JOIN pg_constraint k ON k.conindid = indexrelid AND k.contype IN ('p', 'u')
				WHERE indrelid = '%q'::regclass AND indisunique AND (SELECT '(' || string_agg(attname, ',' ORDER BY attname) || ')'
					FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey)) = '%s'
			LOOP IF i.conname IS NOT NULL THEN EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT %%I CASCADE', '%[1]q', i.conname);
				ELSE EXECUTE format('DROP INDEX %%s', i.name); END IF; END LOOP; END $$`, table, of),
			fmt.Sprintf("no %s, which migration %d makes", key, migration))
	}
	says(`ALTER TABLE session ALTER COLUMN ip_address TYPE inet USING NULL`, "session.ip_address is inet, not text")
	says(`ALTER TABLE "user" ALTER COLUMN created_at TYPE date`, "user.created_at is date, not timestamp without time zone")
	says(`ALTER TABLE session ALTER COLUMN token TYPE varchar(255)`, "session.token is character varying, not text")
	says(`ALTER TABLE "user" RENAME TO users`, "no table user, which migration 1 makes")
	says(`ALTER TABLE member SET SCHEMA authdb`, "no table member, which migration 1 makes")
	for _, fine := range []string{
		`ALTER TABLE "user" ALTER COLUMN created_at TYPE timestamptz, ADD COLUMN extra text NOT NULL`,
		`DROP INDEX organization_slug_uidx`, // the constraint's is there
		`DROP TABLE authdb.mark`,
	} {
		undo := errors.New("undo")
		if err := s.InTx(ctx, func(tx *authdb.Store) error {
			if _, err := tx.Tx().Exec(ctx, fine); err != nil {
				return err
			}
			if err := tx.CheckSchema(ctx); err != nil {
				t.Errorf("%s: %v", fine, err)
			}
			return undo
		}); !errors.Is(err, undo) {
			t.Errorf("%s: %v", fine, err)
		}
	}
	kit.Exec(t, s, `ALTER TABLE team ALTER COLUMN updated_at TYPE timestamptz`)
	for zone, fits := range map[string]bool{"UTC": true, "Etc/UTC": true, "Asia/Tokyo": false, "Europe/London": false} {
		err := authdb.New(kit.PoolIn(t, s, zone, pgx.QueryExecModeCacheStatement)).CheckSchema(ctx)
		says := "team.updated_at is timestamp with time zone, but sessions do not run with timezone=UTC"
		if fits && err != nil || !fits && (!errors.Is(err, authdb.ErrSchema) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v", zone, err)
		}
	}
	marked := authdb.New(s.Pool(), authdb.WithOnce())
	kit.Exec(t, s, `ALTER TABLE authdb.mark RENAME TO gone`)
	if err := marked.CheckSchema(ctx); !errors.Is(err, authdb.ErrSchema) || !strings.Contains(err.Error(), "authdb.mark") {
		t.Errorf("no marks: %v", err)
	}
}

// TestPathBeforePostgreSQLs: a pool of the caller's that searches another schema before pg_catalog is refused, and nothing
// that is planted there is asked.
func TestPathBeforePostgreSQLs(t *testing.T) {
	t.Parallel()
	s := authdbtest.New(t)
	kit.Exec(t, s, `CREATE SCHEMA IF NOT EXISTS "a b"; CREATE TABLE planted (by text);
		CREATE FUNCTION planted(oid, oid) RETURNS boolean LANGUAGE sql AS $$INSERT INTO public.planted VALUES (''); SELECT true$$;
		CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = planted)`)
	for path, before := range map[string]string{
		"public, pg_catalog": "public", `public,"pg_catalog", pg_temp`: "public", "pg_temp, public, PG_Catalog": "public",
		`nowhere, "a b", pg_catalog, public`: "a b", "public": "", "pg_catalog, public, pg_temp": "", "nowhere, pg_catalog, public": "",
	} {
		config := s.Pool().Config()
		config.AfterConnect = nil
		config.ConnConfig.RuntimeParams["search_path"] = path
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		err = authdb.New(pool).CheckSchema(t.Context())
		says := "search_path has schema " + before + " before pg_catalog"
		if before == "" && err != nil || before != "" && (!errors.Is(err, authdb.ErrSchema) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v", path, err)
		}
		pool.Close()
	}
	var planted int
	if err := s.Pool().QueryRow(t.Context(), `SELECT count(*) FROM planted`).Scan(&planted); err != nil || planted > 0 {
		t.Errorf("%d calls of what is planted, %v", planted, err)
	}
}

// TestNoTables: a method on a database without them says what to do.
func TestNoTables(t *testing.T) {
	t.Parallel()
	s := authdbtest.New(t)
	store, err := authdb.Open(t.Context(), s.Pool().Config().ConnString(), authdb.WithInsecureTLS(),
		authdb.WithPoolConfig(func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["search_path"] = "nowhere" }))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for op, err := range map[string]error{
		"Users.Get": kit.ErrOf(store.Users.Get(t.Context(), "x")), "Users.Create": kit.ErrOf(store.Users.Create(t.Context(), authdb.CreateUserParams{Email: "a@x.io"})),
		"CheckSchema": store.CheckSchema(t.Context()),
	} {
		e, _ := errors.AsType[*authdb.Error](err)
		if e == nil || !errors.Is(err, authdb.ErrSchema) || !strings.Contains(err.Error(), "run migrate up") || e.Retry != authdb.RetryNever ||
			e.Outcome != authdb.OutcomeNotApplied {
			t.Errorf("%s: %v", op, err)
		}
	}
	kit.Exec(t, s, `CREATE FUNCTION looks() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM nowhere; RETURN NEW; END';
		CREATE TRIGGER looks BEFORE INSERT ON "user" FOR EACH ROW EXECUTE FUNCTION looks()`)
	if err := kit.ErrOf(s.Users.Create(context.Background(), authdb.CreateUserParams{Email: "a@x.io"})); errors.Is(err, authdb.ErrSchema) {
		t.Errorf("a trigger of the caller's: %v", err)
	}
}
