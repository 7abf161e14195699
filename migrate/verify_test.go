package migrate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// TestFactsAreWhatTheMigrationsMake: facts.json, which stands in where no scratch schema can be made, is up to date.
// UPDATE_FACTS=1 writes it.
func TestFactsAreWhatTheMigrationsMake(t *testing.T) {
	t.Parallel()
	_, m := empty(t)
	want, err := migrate.ScratchChanges(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_FACTS") != "" {
		if err := os.WriteFile("facts.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("facts.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("facts.json; if that is meant, run UPDATE_FACTS=1 go test -run TestFacts ./migrate (-want +got):\n%s", diff)
	}
}

// familyB gives a database of the migrations the 12 names that drizzle-kit 1.0 chooses.
const familyB = `
ALTER TABLE "user" RENAME CONSTRAINT user_email_unique TO user_email_key;
ALTER TABLE session RENAME CONSTRAINT session_token_unique TO session_token_key;
ALTER TABLE organization RENAME CONSTRAINT organization_slug_unique TO organization_slug_key;
ALTER TABLE session RENAME CONSTRAINT session_user_id_user_id_fk TO session_user_id_user_id_fkey;
ALTER TABLE account RENAME CONSTRAINT account_user_id_user_id_fk TO account_user_id_user_id_fkey;
ALTER TABLE team RENAME CONSTRAINT team_organization_id_organization_id_fk TO team_organization_id_organization_id_fkey;
ALTER TABLE member RENAME CONSTRAINT member_organization_id_organization_id_fk TO member_organization_id_organization_id_fkey;
ALTER TABLE member RENAME CONSTRAINT member_user_id_user_id_fk TO member_user_id_user_id_fkey;
ALTER TABLE team_member RENAME CONSTRAINT team_member_team_id_team_id_fk TO team_member_team_id_team_id_fkey;
ALTER TABLE team_member RENAME CONSTRAINT team_member_user_id_user_id_fk TO team_member_user_id_user_id_fkey;
ALTER TABLE invitation RENAME CONSTRAINT invitation_organization_id_organization_id_fk TO invitation_organization_id_organization_id_fkey;
ALTER TABLE invitation RENAME CONSTRAINT invitation_inviter_id_user_id_fk TO invitation_inviter_id_user_id_fkey;
`

const familyBKey = `ALTER TABLE team_member RENAME CONSTRAINT team_member_membership_key_unique TO team_member_membership_key_key;`

// noScratch fails the test if a scratch schema is still there a while after it was asked to go.
func noScratch(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	await(t, conn, `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname LIKE 'authdb_scratch%')`)
}

func TestEachVersionVerifies(t *testing.T) {
	t.Parallel()
	conn, m := empty(t)
	for version := 1; version <= m.Latest(); version++ {
		mustGoto(t, m, version)
		before := everything(t, conn)
		v := verified(t, m)
		want := migrate.Verification{Version: version, Family: "drizzle-kit 0.31", Expected: "scratch schema", Notes: []string{}, Diff: v.Diff}
		if diff := cmp.Diff(want, v); diff != "" || !v.Diff.Empty() || v.Diff.String() != "" {
			t.Errorf("version %d (-want +got):\n%s%s", version, diff, v.Diff)
		}
		if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
			t.Errorf("version %d: verify changed (-before +after):\n%s", version, diff)
		}
	}
	exec(t, conn, `UPDATE authdb.schema_migrations SET dirty = true`)
	if _, err := m.Verify(t.Context(), migrate.VerifyOptions{}); !errors.Is(err, migrate.ErrDirty) {
		t.Errorf("dirty: %v", err)
	}
}

// TestDrift changes one thing at a time, and reads what verify says of it, from a scratch schema and from the facts that
// the program has.
func TestDrift(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	m := migrator(t, dsn, migrate.Options{})
	builtIn := migrator(t, dsnWith(t, dsn, "default_transaction_read_only", "on"), migrate.Options{})
	for _, tt := range []struct {
		name, do, undo string
		want           string
		superset       string // what is left then
	}{
		{
			"a missing table", `ALTER TABLE verification SET SCHEMA elsewhere`, `ALTER TABLE elsewhere.verification SET SCHEMA public`,
			"missing    table verification\n", "same",
		},
		{
			"an extra table", `CREATE TABLE note (id text PRIMARY KEY)`, `DROP TABLE note`,
			"extra      table note\n", "",
		},
		{
			"a missing column", `ALTER TABLE session DROP COLUMN ip_address`, `ALTER TABLE session ADD COLUMN ip_address text`,
			"missing    column session.ip_address text\n", "same",
		},
		{
			"an extra column", `ALTER TABLE "user" ADD COLUMN role text`, `ALTER TABLE "user" DROP COLUMN role`,
			"extra      column user.role text\n", "",
		},
		{
			"another type", `ALTER TABLE session ALTER ip_address TYPE varchar(45)`, `ALTER TABLE session ALTER ip_address TYPE text`,
			"different  column session.ip_address character varying(45)\n           wanted: text\n", "same",
		},
		{
			"nullable", `ALTER TABLE organization ALTER slug DROP NOT NULL`, `ALTER TABLE organization ALTER slug SET NOT NULL`,
			"different  column organization.slug text\n           wanted: text NOT NULL\n", "same",
		},
		{
			"another default", `ALTER TABLE "user" ALTER created_at SET DEFAULT timezone('utc', now())`, `ALTER TABLE "user" ALTER created_at SET DEFAULT now()`,
			"different  column user.created_at timestamp without time zone NOT NULL DEFAULT timezone('utc'::text, now())\n" +
				"           wanted: timestamp without time zone NOT NULL DEFAULT now()\n", "same",
		},
		{
			"a default with the schema's name in it", `ALTER TABLE organization ALTER metadata SET DEFAULT 'public.x "public".y'`,
			`ALTER TABLE organization ALTER metadata DROP DEFAULT`,
			"different  column organization.metadata text DEFAULT 'public.x \"public\".y'::text\n           wanted: text\n", "same",
		},
		{
			"another collation", `ALTER TABLE "user" ALTER email TYPE text COLLATE "C"`, `ALTER TABLE "user" ALTER email TYPE text COLLATE "default"`,
			"different  column user.email text COLLATE \"C\" NOT NULL\n           wanted: text NOT NULL\n", "same",
		},
		{
			"an identity", `ALTER TABLE team ALTER member_count DROP DEFAULT; ALTER TABLE team ALTER member_count ADD GENERATED ALWAYS AS IDENTITY`,
			`ALTER TABLE team ALTER member_count DROP IDENTITY; ALTER TABLE team ALTER member_count SET DEFAULT 0`,
			"different  column team.member_count integer NOT NULL IDENTITY\n           wanted: integer NOT NULL DEFAULT 0\n", "same",
		},
		{
			"a generated column", `ALTER TABLE organization DROP logo; ALTER TABLE organization ADD logo text GENERATED ALWAYS AS ('x') STORED`,
			`ALTER TABLE organization DROP logo; ALTER TABLE organization ADD logo text`,
			"different  column organization.logo text GENERATED AS 'x'::text\n           wanted: text\n", "same",
		},
		{
			"a missing constraint", `ALTER TABLE session DROP CONSTRAINT session_token_unique`, `ALTER TABLE session ADD CONSTRAINT session_token_unique UNIQUE (token)`,
			"missing    constraint session.session_token_unique UNIQUE (token)\n", "same",
		},
		{
			"an extra constraint", `ALTER TABLE member ADD CONSTRAINT known CHECK (role <> '')`, `ALTER TABLE member DROP CONSTRAINT known`,
			"extra      constraint member.known CHECK ((role <> ''::text))\n", "",
		},
		{
			"another reference", `ALTER TABLE session DROP CONSTRAINT session_user_id_user_id_fk, ADD CONSTRAINT session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES "user" (id)`,
			`ALTER TABLE session DROP CONSTRAINT session_user_id_user_id_fk, ADD CONSTRAINT session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE`,
			"different  constraint session.session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES \"user\"(id)\n" +
				"           wanted: FOREIGN KEY (user_id) REFERENCES \"user\"(id) ON DELETE CASCADE\n", "same",
		},
		{
			"deferrable", `ALTER TABLE session ALTER CONSTRAINT session_user_id_user_id_fk DEFERRABLE`,
			`ALTER TABLE session ALTER CONSTRAINT session_user_id_user_id_fk NOT DEFERRABLE`,
			"different  constraint session.session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES \"user\"(id) ON DELETE CASCADE DEFERRABLE\n" +
				"           wanted: FOREIGN KEY (user_id) REFERENCES \"user\"(id) ON DELETE CASCADE\n", "same",
		},
		{
			"a missing index", `DROP INDEX invitation_email_idx`, `CREATE INDEX invitation_email_idx ON invitation (email)`,
			"missing    index invitation.invitation_email_idx CREATE INDEX invitation_email_idx ON invitation USING btree (email)\n", "same",
		},
		{
			"an extra index", `CREATE INDEX user_role_idx ON "user" (lower(email))`, `DROP INDEX user_role_idx`,
			"extra      index user.user_role_idx CREATE INDEX user_role_idx ON \"user\" USING btree (lower(email))\n", "",
		},
		{
			"another index", `DROP INDEX invitation_email_idx; CREATE INDEX invitation_email_idx ON invitation USING hash (email)`,
			`DROP INDEX invitation_email_idx; CREATE INDEX invitation_email_idx ON invitation (email)`,
			"different  index invitation.invitation_email_idx CREATE INDEX invitation_email_idx ON invitation USING hash (email)\n" +
				"           wanted: CREATE INDEX invitation_email_idx ON invitation USING btree (email)\n", "same",
		},
		{
			"a partial index", `DROP INDEX invitation_email_idx; CREATE INDEX invitation_email_idx ON invitation (email) WHERE status = 'pending'`,
			`DROP INDEX invitation_email_idx; CREATE INDEX invitation_email_idx ON invitation (email)`,
			"different  index invitation.invitation_email_idx CREATE INDEX invitation_email_idx ON invitation USING btree (email) WHERE status = 'pending'::text\n" +
				"           wanted: CREATE INDEX invitation_email_idx ON invitation USING btree (email)\n", "same",
		},
		{
			"an INVALID index", `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'invitation_email_idx'::regclass`,
			`UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'invitation_email_idx'::regclass`,
			"different  index invitation.invitation_email_idx CREATE INDEX invitation_email_idx ON invitation USING btree (email) INVALID\n" +
				"           wanted: CREATE INDEX invitation_email_idx ON invitation USING btree (email)\n", "same",
		},
		{
			"a trigger", `CREATE TRIGGER guard BEFORE UPDATE ON member FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
			`DROP TRIGGER guard ON member`,
			"extra      trigger member.guard CREATE TRIGGER guard BEFORE UPDATE ON member FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()\n", "",
		},
		{
			"no marks", `ALTER TABLE authdb.mark SET SCHEMA elsewhere`, `ALTER TABLE elsewhere.mark SET SCHEMA authdb`,
			"missing    table authdb.mark\n", "same",
		},
		{
			"marks by another index", `DROP INDEX authdb."mark_createdAt_idx"; CREATE INDEX "mark_createdAt_idx" ON authdb.mark (created_at, id)`,
			`DROP INDEX authdb."mark_createdAt_idx"; CREATE INDEX "mark_createdAt_idx" ON authdb.mark (created_at)`,
			"different  index authdb.mark.mark_createdAt_idx CREATE INDEX \"mark_createdAt_idx\" ON mark USING btree (created_at, id)\n" +
				"           wanted: CREATE INDEX \"mark_createdAt_idx\" ON mark USING btree (created_at)\n", "same",
		},
		{
			"marks of another type", `ALTER TABLE authdb.mark ALTER answer TYPE varchar(9)`, `ALTER TABLE authdb.mark ALTER answer TYPE text`,
			"different  column authdb.mark.answer character varying(9)\n           wanted: text\n", "same",
		},
		{
			"an extra table beside the marks", `CREATE TABLE authdb.note (id text)`, `DROP TABLE authdb.note`,
			"extra      table authdb.note\n", "",
		},
		{
			"a table of the same name elsewhere", `CREATE TABLE mark (id text)`, `DROP TABLE mark`,
			"extra      table mark\n", "",
		},
		{
			"row security", `ALTER TABLE session ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`, `ALTER TABLE session DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY`,
			"extra      row security session FORCED\n", "",
		},
		{
			"a policy", `CREATE POLICY none ON session FOR SELECT TO CURRENT_USER USING (user_id = 'x') `, `DROP POLICY none ON session`,
			"extra      policy session.none PERMISSIVE FOR SELECT TO postgres USING ((user_id = 'x'::text))\n", "",
		},
		{
			"another owner", `ALTER TABLE account OWNER TO pg_monitor`, `ALTER TABLE account OWNER TO CURRENT_USER`,
			"different  table account OWNER pg_monitor\n           wanted: as the migrations make it\n", "same",
		},
		{
			"what passes for the marks", `CREATE TABLE "authdb.mark" (x text); CREATE TABLE authdb ("mark.y" text)`, `DROP TABLE "authdb.mark", authdb`,
			"extra      table \"authdb\"\nextra      table \"authdb.mark\"\n", "",
		},
		{
			"a journal of everybody", `GRANT UPDATE ON authdb.schema_migrations TO PUBLIC`, `REVOKE ALL ON authdb.schema_migrations FROM PUBLIC`,
			"extra      grant authdb.schema_migrations.PUBLIC UPDATE\n", "",
		},
		{
			"an UNLOGGED journal", `ALTER TABLE authdb.schema_history SET UNLOGGED`, `ALTER TABLE authdb.schema_history SET LOGGED`,
			"extra      table authdb.schema_history UNLOGGED\n", "",
		},
		{
			"another owner of the marks", `ALTER TABLE authdb.mark OWNER TO pg_monitor`, `ALTER TABLE authdb.mark OWNER TO CURRENT_USER`,
			"different  table authdb.mark OWNER pg_monitor\n           wanted: as the migrations make it\n", "same",
		},
		{
			"foreign keys that are disabled", `ALTER TABLE team DISABLE TRIGGER ALL`, `ALTER TABLE team ENABLE TRIGGER ALL`,
			`different  constraint team.team_organization_id_organization_id_fk FOREIGN KEY (organization_id) REFERENCES organization(id) ON DELETE CASCADE DISABLED
           wanted: FOREIGN KEY (organization_id) REFERENCES organization(id) ON DELETE CASCADE
different  constraint team_member.team_member_team_id_team_id_fk FOREIGN KEY (team_id) REFERENCES team(id) ON DELETE CASCADE DISABLED
           wanted: FOREIGN KEY (team_id) REFERENCES team(id) ON DELETE CASCADE
`, "same",
		},
		{
			"a foreign key for replicas", `UPDATE pg_trigger SET tgenabled = 'R' WHERE tgrelid = 'session'::regclass`, `UPDATE pg_trigger SET tgenabled = 'O' WHERE tgrelid = 'session'::regclass`,
			"different  constraint session.session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES \"user\"(id) ON DELETE CASCADE DISABLED\n" +
				"           wanted: FOREIGN KEY (user_id) REFERENCES \"user\"(id) ON DELETE CASCADE\n", "same",
		},
		{
			"NOT VALID", `ALTER TABLE session DROP CONSTRAINT session_user_id_user_id_fk, ADD CONSTRAINT session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE NOT VALID`,
			`ALTER TABLE session VALIDATE CONSTRAINT session_user_id_user_id_fk`,
			"different  constraint session.session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES \"user\"(id) ON DELETE CASCADE NOT VALID\n" +
				"           wanted: FOREIGN KEY (user_id) REFERENCES \"user\"(id) ON DELETE CASCADE\n", "same",
		},
		{
			"a key by an INVALID index", `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'session_token_unique'::regclass`,
			`UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'session_token_unique'::regclass`,
			"different  constraint session.session_token_unique UNIQUE (token) INVALID\n           wanted: UNIQUE (token)\n", "same",
		},
		{
			"a trigger that is disabled", `CREATE TRIGGER guard BEFORE UPDATE ON member FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); ALTER TABLE member DISABLE TRIGGER guard`,
			`DROP TRIGGER guard ON member`,
			"extra      trigger member.guard CREATE TRIGGER guard BEFORE UPDATE ON member FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger() DISABLED\n", "",
		},
		{
			"a rule", `CREATE RULE quiet AS ON DELETE TO session DO INSTEAD NOTHING`, `DROP RULE quiet ON session`,
			"extra      rule session.quiet CREATE RULE quiet AS ON DELETE TO session DO INSTEAD NOTHING;\n", "",
		},
		{
			"an heir", `CREATE TABLE elsewhere.more () INHERITS (verification)`, `DROP TABLE elsewhere.more`,
			"different  table verification INHERITED BY elsewhere.more\n           wanted: as the migrations make it\n", "same",
		},
		{
			"UNLOGGED", `ALTER TABLE verification SET UNLOGGED`, `ALTER TABLE verification SET LOGGED`,
			"different  table verification UNLOGGED\n           wanted: as the migrations make it\n", "same",
		},
		{
			"grants to PUBLIC", `GRANT SELECT, DELETE ON session TO PUBLIC; GRANT UPDATE (password) ON account TO PUBLIC`, `REVOKE ALL ON session FROM PUBLIC; REVOKE ALL (password) ON account FROM PUBLIC`,
			"extra      grant account.password.PUBLIC UPDATE\nextra      grant session.PUBLIC DELETE, SELECT\n", "",
		},
		{
			"grants to PUBLIC by default", `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; GRANT SELECT ON session TO PUBLIC`,
			`ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC; REVOKE ALL ON session FROM PUBLIC`,
			"extra      grant session.PUBLIC SELECT\n", "",
		},
		{
			"a domain", `CREATE DOMAIN elsewhere.text AS text; ALTER TABLE session ALTER ip_address TYPE elsewhere.text`, `ALTER TABLE session ALTER ip_address TYPE text; DROP DOMAIN elsewhere.text`,
			"different  column session.ip_address elsewhere.text\n           wanted: text\n", "same",
		},
		{
			"a name that acts on a terminal", "CREATE TABLE \"\x1b[2Jx\u202e\r\nversion 15: no drift\" ()", "DROP TABLE \"\x1b[2Jx\u202e\r\nversion 15: no drift\"",
			`extra      table \x1b[2Jx\u202e\r\nversion 15: no drift` + "\n", "",
		},
	} {
		if tt.superset == "same" {
			tt.superset = tt.want
		}
		exec(t, conn, `CREATE SCHEMA IF NOT EXISTS elsewhere`)
		exec(t, conn, tt.do)
		for from, m := range map[string]*migrate.Migrator{"scratch schema": m, "program": builtIn} {
			want, superset := tt.want, m == builtIn
			if superset {
				want = tt.superset
			}
			v, err := m.Verify(t.Context(), migrate.VerifyOptions{Superset: superset})
			if strings.Contains(tt.want, "wanted: as the") && len(v.Notes) == 0 {
				t.Errorf("%s: no note", tt.name)
			}
			if diff := cmp.Diff(want, v.Diff.String()); diff != "" || errors.Is(err, migrate.ErrDrift) != (want != "") || v.Expected != from {
				t.Errorf("%s, %s, superset %v: %v (-want +got):\n%s", tt.name, v.Expected, superset, err, diff)
			}
		}
		exec(t, conn, tt.undo)
		verified(t, builtIn)
	}
	noScratch(t, conn)
}

// TestNotes are on what is no difference, but decides who reads and writes, or is found by name, and remain with Superset.
func TestNotes(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	mallory, _ := role(t, conn, dsn)
	exec(t, conn, `REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
	for _, tt := range []struct{ name, do, want, undo string }{
		{
			"a schema that others may create in", `GRANT CREATE ON SCHEMA public TO PUBLIC, mallory`,
			"others may create in schema public, which is searched: PUBLIC, mallory", `REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
		},
		{
			"their function", `SET ROLE mallory; CREATE FUNCTION public.to_json(text) RETURNS json LANGUAGE sql AS 'SELECT NULL::json'; RESET ROLE`,
			"function public.to_json(text) of mallory", `DROP FUNCTION public.to_json(text)`,
		},
		{
			"their operator", `SET ROLE mallory; CREATE FUNCTION public.same(name, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
			CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = varchar, FUNCTION = public.same); RESET ROLE`,
			"operator public.=(name,character varying) of mallory", `DROP OPERATOR public.= (name, varchar); REVOKE CREATE ON SCHEMA public FROM mallory`,
		},
		{"their schema, searched first", `CREATE SCHEMA first AUTHORIZATION mallory`, "others may create in schema first, which is searched: mallory", `DROP SCHEMA first`},
		{
			"schemas that others may make", `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mallory', current_database()); END $$`,
			"others may create schemas: mallory. A schema named like a role that connects is searched before public",
			`DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM mallory', current_database()); END $$`,
		},
		{
			"rights", `GRANT SELECT, UPDATE ON session TO mallory; GRANT SELECT (password) ON account TO mallory`,
			"beside their owner, mallory has rights on tables: SELECT, UPDATE", `REVOKE ALL ON session FROM mallory; REVOKE ALL (password) ON account FROM mallory`,
		},
		{"no foreign keys", `DO $$ BEGIN EXECUTE format('ALTER ROLE mallory IN DATABASE %I SET session_replication_role = replica', current_database()); END $$`, "sessions of mallory begin with session_replication_role=replica", `DO $$ BEGIN EXECUTE format('ALTER ROLE mallory IN DATABASE %I RESET ALL', current_database()); END $$`},
		{"row security", `ALTER TABLE session ENABLE ROW LEVEL SECURITY`, "row security session: only rows that a policy lets through", `ALTER TABLE session DISABLE ROW LEVEL SECURITY`},
		{"all tables of another", `SET search_path = public; ` + owners(t, conn, "mallory"), "tables belong to mallory, which is neither", owners(t, conn, "CURRENT_USER")},
	} {
		exec(t, conn, strings.ReplaceAll(tt.do, "mallory", mallory))
		m := migrator(t, dsnWith(t, dsn, "search_path", "first, public"), migrate.Options{})
		v, err := m.Verify(t.Context(), migrate.VerifyOptions{Superset: true})
		if want := strings.ReplaceAll(tt.want, "mallory", mallory); err != nil || len(v.Notes) == 0 || !strings.Contains(strings.Join(v.Notes, "\n"), want) {
			t.Errorf("%s: %v, %q", tt.name, err, v.Notes)
		}
		exec(t, conn, strings.ReplaceAll(tt.undo, "mallory", mallory))
		if v := verified(t, m); len(v.Notes) > 0 && !strings.HasPrefix(tt.name, "a schema") && !strings.HasPrefix(tt.name, "their") {
			t.Errorf("%s, undone: %q", tt.name, v.Notes)
		}
		_ = m.Close()
	}
}

// owners gives every table to a role.
func owners(t *testing.T, conn *pgx.Conn, role string) string {
	t.Helper()
	return strings.Join(collect(t, conn, `SELECT 'ALTER TABLE public.' || quote_ident(relname) || ' OWNER TO `+role+`;' FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`), " ")
}

// TestRequiredColumnOfAPlugin: superset lets it through, and says what will come of it.
func TestRequiredColumnOfAPlugin(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	m := migrator(t, dsn, migrate.Options{})
	exec(t, conn, `ALTER TABLE account ADD COLUMN issuer text NOT NULL;
		ALTER TABLE account ADD COLUMN filled text NOT NULL DEFAULT '';
		ALTER TABLE account ADD COLUMN numbered int NOT NULL GENERATED ALWAYS AS IDENTITY;
		CREATE TABLE passkey (id text NOT NULL);
		ALTER TABLE authdb.mark ADD COLUMN tenant text NOT NULL`)
	v, err := m.Verify(t.Context(), migrate.VerifyOptions{Superset: true})
	const without = " is NOT NULL without a default: authdb's inserts, which do not name it, will fail"
	want := []string{"column account.issuer" + without, "column authdb.mark.tenant" + without}
	if diff := cmp.Diff(want, v.Notes); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestVerifyOfFamilyB(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	m := migrator(t, dsn, migrate.Options{})
	exec(t, conn, familyB+familyBKey)
	if v := verified(t, m); v.Family != "drizzle-kit 1.0" {
		t.Errorf("got %+v", v)
	}
	// A constraint of both names is one too many.
	exec(t, conn, `ALTER TABLE session ADD CONSTRAINT session_token_unique UNIQUE (token)`)
	v, err := m.Verify(t.Context(), migrate.VerifyOptions{})
	if want := "extra      constraint session.session_token_key UNIQUE (token)\n"; !errors.Is(err, migrate.ErrDrift) || v.Diff.String() != want {
		t.Errorf("%v\n%s", err, v.Diff)
	}
	// As is one of the other family's name that is otherwise not the same.
	exec(t, conn, `ALTER TABLE session DROP CONSTRAINT session_token_unique, DROP CONSTRAINT session_token_key;
		ALTER TABLE session ADD CONSTRAINT session_token_key UNIQUE (token, user_id)`)
	v, err = m.Verify(t.Context(), migrate.VerifyOptions{})
	if want := "different  constraint session.session_token_unique UNIQUE (token, user_id)\n           wanted: UNIQUE (token)\n"; !errors.Is(err, migrate.ErrDrift) || v.Diff.String() != want {
		t.Errorf("%v\n%s", err, v.Diff)
	}
}

func TestVerifyWithoutTheRedundantIndex(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	m := migrator(t, dsn, migrate.Options{})
	exec(t, conn, `DROP INDEX organization_slug_uidx`)
	v := verified(t, m)
	if len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "organization_slug_uidx is missing") {
		t.Errorf("got %q", v.Notes)
	}
	exec(t, conn, `CREATE INDEX organization_slug_uidx ON organization (name)`)
	if _, err := m.Verify(t.Context(), migrate.VerifyOptions{Superset: true}); !errors.Is(err, migrate.ErrDrift) {
		t.Errorf("another index of that name: %v", err)
	}
}

// role makes a role for the time of the test, and returns a DSN to log in as it.
func role(t *testing.T, conn *pgx.Conn, dsn string) (name, as string) {
	t.Helper()
	name = "authdb_test_" + strings.ToLower(rand.Text())
	exec(t, conn, "CREATE ROLE "+name+" LOGIN PASSWORD '"+name+"'")
	t.Cleanup(func() {
		ctx := context.Background()
		other, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := other.Exec(ctx, "DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name); err != nil {
			t.Error(err)
		}
		_ = other.Close(ctx)
	})
	return name, dsnWith(t, dsnWith(t, dsn, "user", name), "password", name)
}

// TestVerifyWithoutTheRightToCreate: a role that may only look gets an answer nevertheless.
func TestVerifyWithoutTheRightToCreate(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	name, as := role(t, conn, dsn)
	exec(t, conn, `GRANT USAGE ON SCHEMA authdb TO `+name+`; GRANT SELECT ON ALL TABLES IN SCHEMA authdb TO `+name)
	m := migrator(t, as, migrate.Options{})
	if v := verified(t, m); v.Expected != "program" || v.Version != newest {
		t.Errorf("got %+v", v)
	}
	if s := status(t, m); s.Pending() || s.Troubled() {
		t.Errorf("got %+v", s)
	}
	if err := m.Down(t.Context(), 1); err == nil {
		t.Error("down as a role that may only look")
	}
	verified(t, m)
}

// TestOtherSchema: all goes by search_path, and a schema's name may be any.
func TestOtherSchema(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"app", `We"ird. Schema`, "text"} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			quoted := pgx.Identifier{schema}.Sanitize()
			exec(t, conn, "CREATE SCHEMA "+quoted)
			m := migrator(t, dsnWith(t, dsn, "search_path", quoted), migrate.Options{})
			if err := m.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			v := verified(t, m)
			if v.Version != newest {
				t.Errorf("got %+v", v)
			}
			if list := collect(t, conn, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace`); len(list) > 0 {
				t.Errorf("in public: %s", list)
			}
			value := schema + `.x ` + quoted + `.y`
			exec(t, conn, "ALTER TABLE "+quoted+".organization ALTER metadata SET DEFAULT '"+value+"'")
			v, err := m.Verify(t.Context(), migrate.VerifyOptions{})
			if want := "different  column organization.metadata text DEFAULT '" + value + "'::text\n           wanted: text\n"; !errors.Is(err, migrate.ErrDrift) || v.Diff.String() != want {
				t.Errorf("%v\n%s", err, v.Diff)
			}
			exec(t, conn, "ALTER TABLE "+quoted+".organization ALTER metadata DROP DEFAULT")
			// A table of the same name next door is another.
			exec(t, conn, `CREATE TABLE public."user" (id text PRIMARY KEY);
				ALTER TABLE `+quoted+`.session DROP CONSTRAINT session_user_id_user_id_fk,
				ADD CONSTRAINT session_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES public."user" (id) ON DELETE CASCADE`)
			v, err = m.Verify(t.Context(), migrate.VerifyOptions{})
			if !errors.Is(err, migrate.ErrDrift) || !strings.Contains(v.Diff.String(), `REFERENCES public."user"(id)`) {
				t.Errorf("%v\n%s", err, v.Diff)
			}
		})
	}
}

// TestOwnSchemaIsSearched: the facts are the same, wherever authdb's own schema is in the search_path.
func TestOwnSchemaIsSearched(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	exec(t, conn, `CREATE SCHEMA IF NOT EXISTS app; CREATE TABLE app.mark (id text)`)
	for _, path := range []string{"public,authdb", "public,app,authdb"} {
		verified(t, migrator(t, dsnWith(t, dsn, "search_path", path), migrate.Options{}))
	}
}

// TestScratchSchemaThatFails leaves nothing behind, whether a migration fails in it or the caller gives up.
func TestScratchSchemaThatFails(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{"fails": "SELECT 1/0", "takes long": "SELECT pg_sleep(60)"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := migrated(t)
			exec(t, conn, `UPDATE authdb.schema_migrations SET version = 16`)
			m := migrator(t, dsn, migrate.WithFiles(migrate.Options{}, files(t, map[string]string{"0016_bad.up.sql": sql})))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := m.Verify(ctx, migrate.VerifyOptions{})
			if err == nil || errors.Is(err, migrate.ErrDrift) {
				t.Errorf("got %v", err)
			}
			noScratch(t, conn)
		})
	}
}

// TestReadersWaitForNoMigrator: what only reads does not wait for a migrator at work.
func TestReadersWaitForNoMigrator(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 9)
	commit := with(t, conn, `LOCK TABLE member IN ROW EXCLUSIVE MODE`)
	done := inBackground(func() error { return m.Goto(t.Context(), 10) })
	await(t, conn, building)

	begun := time.Now()
	reader := migrator(t, dsn, migrate.Options{})
	if s := status(t, reader); !s.Dirty || s.Version != 10 {
		t.Errorf("got %+v", s)
	}
	if v, dirty, err := reader.Version(t.Context()); v != 10 || !dirty || err != nil {
		t.Errorf("got %d, %v, %v", v, dirty, err)
	}
	if _, err := reader.Verify(t.Context(), migrate.VerifyOptions{}); !errors.Is(err, migrate.ErrDirty) {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	commit()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestUpInASchemaThatIsThere: who may not make the schema authdb can still use one that was made for it.
func TestUpInASchemaThatIsThere(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	name, as := role(t, conn, dsn)
	m := migrator(t, as, migrate.Options{})
	if err := m.Up(t.Context()); err == nil {
		t.Error("made the schema without the right to")
	}
	exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+name+`; CREATE SCHEMA authdb AUTHORIZATION `+name)
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
	wantVersion(t, m, m.Latest())
}

// TestVerifyWhatNobodyMade: an empty database is none that a service works on; one that Drizzle made is compared with
// what all migrations make, also for a role that may only read and write rows.
func TestVerifyWhatNobodyMade(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	if _, err := m.Verify(t.Context(), migrate.VerifyOptions{}); !errors.Is(err, migrate.ErrNoTables) || !strings.Contains(err.Error(), "run up") {
		t.Errorf("empty: %v", err)
	}
	_ = m.Close()
	byHand(t, conn, 1)
	name, service := role(t, conn, dsn)
	exec(t, conn, `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO `+name)
	for _, dsn := range []string{dsn, service} {
		m = migrator(t, dsn, migrate.Options{})
		v, err := m.Verify(t.Context(), migrate.VerifyOptions{})
		if !errors.Is(err, migrate.ErrDrift) || !strings.Contains(err.Error(), "run adopt") || v.Version != m.Latest() ||
			len(v.Diff.Extra) > 0 || !slices.ContainsFunc(v.Diff.Missing, func(f catalog.Fact) bool { return f.Name == "team.member_count" }) {
			t.Errorf("of the first migration alone: %v, %+v", err, v)
		}
		_ = m.Close()
	}
	byHand(t, conn, append([]int{2, 3}, from(5)...)...)
	for _, dsn := range []string{dsn, service} {
		m = migrator(t, dsn, migrate.Options{})
		v, err := m.Verify(t.Context(), migrate.VerifyOptions{})
		if err != nil || !slices.ContainsFunc(v.Notes, func(s string) bool { return strings.HasPrefix(s, "no migration made") }) {
			t.Errorf("with everything: %v, %+v", err, v)
		}
		_ = m.Close()
	}
}
