package migrate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb/migrate"
)

const ownTables = `CREATE TABLE authdb.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
	CREATE TABLE authdb.schema_history (version bigint PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamp NOT NULL);`

const counting = `CREATE FUNCTION public.spring() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_catalog.nextval('public.sprung'); RETURN NEW; END $$;
	CREATE FUNCTION public.sprung() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN pg_catalog.nextval('public.sprung'); END $$;`

// strangers is a schema that search_path names first.
const (
	strangersFirst = `DO $$ BEGIN EXECUTE pg_catalog.format('ALTER DATABASE %I SET search_path = strangers, public', pg_catalog.current_database()); END $$`
	strangers      = `CREATE SCHEMA strangers; GRANT USAGE ON SCHEMA strangers TO PUBLIC`
)

// onDDL is what an administrator once hung on the database for mallory.
const onDDL = `CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.sprung(); END $$;
	ALTER FUNCTION public.on_ddl OWNER TO mallory; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.on_ddl();`

// TestWhatAStrangerMade before us, or hung on what is ours, is refused, and none of it runs: the kind is CVE-2022-2625.
// Each line is made by a superuser as ours, then by mallory, who may create in the database and in public.
func TestWhatAStrangerMade(t *testing.T) {
	t.Parallel()
	up := func(m *migrate.Migrator) error { return m.Up(t.Context()) }
	look := func(m *migrate.Migrator) error {
		_, _, version := m.Version(t.Context())
		_, status := m.Status(t.Context())
		_, verify := m.Verify(t.Context(), migrate.VerifyOptions{})
		for _, err := range []error{version, status, verify} {
			if !errors.Is(err, migrate.ErrNotOurs) {
				return err
			}
		}
		return version
	}
	adopt := func(opts migrate.AdoptOptions) func(m *migrate.Migrator) error {
		return func(m *migrate.Migrator) error { _, err := m.Adopt(t.Context(), opts); return err }
	}
	for _, tt := range []struct {
		name          string
		version       int // of ours, before
		ours, mallory string
		run           func(*migrate.Migrator) error
		want          string
	}{
		{"the schema that is searched first", 0, strangersFirst, strangers, up, "belongs to"},
		{"the schema that is searched first, to look at", 0, strangersFirst, strangers, look, "belongs to"},
		{"the schema that is searched first, to adopt", 0, strangersFirst, strangers, adopt(migrate.AdoptOptions{DryRun: true}), "belongs to"},
		{"the schema", 0, ``, `CREATE SCHEMA authdb`, up, "schema authdb belongs to"},
		{"the schema, with a trigger on its tables", 0, ``, `CREATE SCHEMA authdb; ` + ownTables + `
			CREATE TRIGGER t BEFORE INSERT OR TRUNCATE ON authdb.schema_migrations EXECUTE FUNCTION public.spring()`, up, "has the trigger t"},
		{"a version without tables", 0, ``, `CREATE SCHEMA authdb; ` + ownTables + `INSERT INTO authdb.schema_migrations VALUES (15, false)`, up, "schema authdb belongs to"},
		{"a version table in our schema", 0, `CREATE SCHEMA authdb; GRANT ALL ON SCHEMA authdb TO mallory`, ownTables, up, "table authdb.schema_migrations belongs to"},
		{
			"a history in our schema", 0, `CREATE SCHEMA authdb; GRANT ALL ON SCHEMA authdb TO mallory`,
			`CREATE TABLE authdb.schema_history (version bigint PRIMARY KEY, name text, sha256 text, applied_at timestamp, x bigint DEFAULT public.sprung())`,
			up, "table authdb.schema_history belongs to",
		},
		{
			"a trigger on ours", 3, `GRANT USAGE ON SCHEMA authdb TO mallory; GRANT TRIGGER ON authdb.schema_history TO mallory`,
			`CREATE TRIGGER t BEFORE INSERT ON authdb.schema_history FOR EACH ROW EXECUTE FUNCTION public.spring()`, up, "has the trigger t",
		},
		{"a default that calls", 3, `ALTER TABLE authdb.schema_history ADD COLUMN x bigint DEFAULT public.sprung()`, ``, up, "uses function public.sprung()"},
		{"a domain's check", 3, `CREATE DOMAIN small AS integer CHECK (public.sprung() > 0); ALTER TABLE team ALTER member_count TYPE small`, ``, up, "table public.team uses function public.sprung()"},
		{
			"a column of a row of domains", 3, `CREATE DOMAIN small AS integer CHECK (public.sprung() > 0); CREATE TYPE pair AS (a small[]);
			ALTER TABLE team ADD CHECK (name::pair IS NOT NULL)`, ``, up, "table public.team uses function public.sprung()",
		},
		{
			"an operator's function", 3, `CREATE FUNCTION same(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'; ALTER FUNCTION same OWNER TO mallory;
			CREATE OPERATOR public.=== (FUNCTION = public.same, LEFTARG = integer, RIGHTARG = integer); ALTER TABLE team ADD CHECK (member_count OPERATOR(public.===) 0)`,
			``, up, "table public.team uses function public.same(integer,integer)",
		},
		{
			"an index's function", 3, `CREATE FUNCTION cmp(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0'; ALTER FUNCTION cmp OWNER TO mallory;
			CREATE OPERATOR CLASS odd FOR TYPE integer USING btree AS OPERATOR 3 =, FUNCTION 1 public.cmp(integer, integer); CREATE INDEX odd ON team (member_count odd)`,
			``, up, "table public.team uses function public.cmp(integer,integer)",
		},
		{
			"a function's function", 3, `CREATE FUNCTION ours() RETURNS bigint BEGIN ATOMIC SELECT public.sprung(); END; ALTER TABLE team ADD CHECK (public.ours() > 0)`,
			``, up, "table public.team uses function public.sprung()",
		},
		{"a check that calls", 3, `ALTER TABLE authdb.schema_history ADD CHECK (public.sprung() > 0)`, ``, up, "uses function public.sprung()"},
		{"a rule", 3, `CREATE RULE r AS ON INSERT TO authdb.schema_history DO ALSO SELECT public.sprung()`, ``, up, "has the rule r"},
		{
			"a version table to look at", 1, `DROP SCHEMA authdb CASCADE`, `CREATE SCHEMA authdb; GRANT USAGE ON SCHEMA authdb TO PUBLIC; ` + ownTables + `
			INSERT INTO authdb.schema_migrations VALUES (15, false); GRANT SELECT ON ALL TABLES IN SCHEMA authdb TO PUBLIC`, look, "table authdb.schema_migrations belongs to",
		},
		{"a view for a table", 3, `ALTER TABLE authdb.schema_migrations RENAME TO x;
			CREATE VIEW authdb.schema_migrations AS SELECT 15 * public.sprung() AS version, false AS dirty`, ``, look, "is no plain table"},
		{"a view for the history", 3, `DROP TABLE authdb.schema_history;
			CREATE VIEW authdb.schema_history AS SELECT public.sprung() AS version, '' AS name, '' AS sha256, now()::timestamp AS applied_at`, ``, look, "is no plain table"},
		{"a policy", 3, `ALTER TABLE authdb.schema_migrations ENABLE ROW LEVEL SECURITY`, ``, look, "is no plain table"},
		{"an heir", 3, `GRANT USAGE ON SCHEMA authdb TO mallory; CREATE TABLE x () INHERITS (authdb.schema_migrations)`, ``, look, "is no plain table"},
		{"the mark, in form", 14, `GRANT ALL ON SCHEMA authdb TO mallory`, `CREATE TABLE authdb.mark (id text PRIMARY KEY, operation text NOT NULL, answer text, created_at timestamp NOT NULL);
			CREATE INDEX "mark_createdAt_idx" ON authdb.mark (created_at)`, up, "table authdb.mark belongs to"},
		{
			"a trigger on a table", 3, `GRANT TRIGGER ON team TO mallory`,
			`CREATE TRIGGER t BEFORE UPDATE ON team FOR EACH ROW EXECUTE FUNCTION public.spring()`, up, "table public.team has the trigger t",
		},
		{
			"a trigger's condition", 3, `GRANT TRIGGER ON team TO mallory`, `CREATE FUNCTION public.may() RETURNS boolean LANGUAGE sql AS 'SELECT public.sprung() > 0';
			CREATE TRIGGER t BEFORE UPDATE ON team FOR EACH ROW WHEN (public.may()) EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()`,
			up, "table public.team uses function public.may()",
		},
		{
			"a table that changes along", 15, `GRANT REFERENCES ON account TO mallory`,
			`CREATE TABLE public.along (p text, a text, FOREIGN KEY (p, a) REFERENCES account (provider_id, account_id) ON UPDATE CASCADE)`,
			adopt(migrate.AdoptOptions{Fix: true, DryRun: true}), "table public.along is changed or read along, and belongs to",
		},
		{
			"a trigger of PostgreSQL's own functions", 3, `GRANT TRIGGER ON team TO mallory`,
			`CREATE TRIGGER t BEFORE UPDATE ON team FOR EACH ROW WHEN (pg_catalog.query_to_xml('SELECT public.sprung()', false, false, '') IS NOT NULL)
			EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()`, up, "table public.team lets others hang triggers or keys on it",
		},
		{"the right to a trigger", 3, `GRANT TRIGGER ON authdb.schema_history TO PUBLIC`, ``, up, "REVOKE TRIGGER, REFERENCES ON authdb.schema_history FROM PUBLIC"},
		{"the right to a key", 3, `GRANT REFERENCES (id) ON "user" TO mallory`, ``, up, `REVOKE TRIGGER, REFERENCES ON public."user" FROM`},
		{"an heir of a table", 3, `CREATE TABLE heir () INHERITS (team); ALTER TABLE heir OWNER TO mallory`, ``, up, "table public.heir is changed or read along, and belongs to"},
		{
			"a trigger on an heir", 3, `CREATE TABLE heir () INHERITS (team); GRANT TRIGGER ON heir TO mallory`,
			`CREATE TRIGGER t BEFORE UPDATE ON heir FOR EACH ROW EXECUTE FUNCTION public.spring()`, up, "table public.heir has the trigger t",
		},
		{
			"a check of an heir's heir", 3, `CREATE TABLE heir () INHERITS (team); CREATE TABLE heirs () INHERITS (heir); ALTER TABLE heirs ADD CHECK (public.sprung() > 0)`,
			``, up, "table public.heirs uses function public.sprung()",
		},
		{
			"a trigger on a partition", 3, `ALTER TABLE team_member RENAME TO old; CREATE TABLE team_member (LIKE old) PARTITION BY LIST (id);
			CREATE TABLE part PARTITION OF team_member DEFAULT; GRANT TRIGGER ON part TO mallory`,
			`CREATE TRIGGER t BEFORE UPDATE ON part FOR EACH ROW EXECUTE FUNCTION public.spring()`, up, "table public.part has the trigger t",
		},
		{
			"a table that a rule of ours writes to", 3, `CREATE TABLE log (id text); CREATE RULE r AS ON UPDATE TO team DO ALSO INSERT INTO log VALUES (old.id);
			ALTER TABLE log OWNER TO mallory`, ``, up, "table public.log is changed or read along, and belongs to",
		},
		{
			"a view that a policy of ours reads", 3, `CREATE VIEW v AS SELECT 't' AS id; CREATE POLICY p ON team USING (id IN (SELECT id FROM v)); ALTER VIEW v OWNER TO mallory`,
			``, up, "table public.v is changed or read along, and belongs to",
		},
		{
			"a trigger on a table that refers to ours", 6, `CREATE TABLE seat (id text PRIMARY KEY, member text REFERENCES member ON DELETE CASCADE); GRANT TRIGGER ON seat TO mallory`,
			`CREATE TRIGGER t BEFORE DELETE ON seat FOR EACH ROW EXECUTE FUNCTION public.spring()`,
			adopt(migrate.AdoptOptions{Fix: true, DryRun: true}), "table public.seat has the trigger t",
		},
		{
			"a table that refers to one that refers to ours", 6, `CREATE TABLE seat (id text PRIMARY KEY, member text REFERENCES member ON DELETE CASCADE); GRANT REFERENCES ON seat TO mallory`,
			`CREATE TABLE public.along (seat text REFERENCES seat ON DELETE CASCADE)`,
			adopt(migrate.AdoptOptions{Fix: true, DryRun: true}), "table public.along is changed or read along, and belongs to",
		},
		{"a table", 3, `ALTER TABLE team OWNER TO mallory`, ``, up, "table public.team belongs to"},
		{
			"a view for a table that keys refer to, to adopt", 1, `DROP SCHEMA authdb CASCADE; DROP TABLE organization CASCADE;
			INSERT INTO team (id, name, organization_id, created_at) VALUES ('t', 't', 'o', now())`,
			`CREATE VIEW public.organization AS SELECT 'x' AS id WHERE public.sprung() > 0; GRANT SELECT ON public.organization TO PUBLIC`,
			adopt(migrate.AdoptOptions{DryRun: true}), "table public.organization belongs to",
		},
		{"the tables", 0, ``, file(t, "0001_baseline.up.sql"), adopt(migrate.AdoptOptions{}), "table public.account belongs to"},
		{
			"a trigger on a table, with a fix", 1, `DROP SCHEMA authdb CASCADE; GRANT TRIGGER ON member TO mallory`,
			`CREATE TRIGGER t BEFORE DELETE ON member FOR EACH ROW EXECUTE FUNCTION public.spring()`,
			adopt(migrate.AdoptOptions{Fix: true, Superset: true, DryRun: true}), "table public.member has the trigger t",
		},
		{"an event trigger", 0, onDDL, ``, up, "event trigger e runs function public.on_ddl()"},
		{"an event trigger, to look", 3, onDDL, ``, look, "event trigger e runs function public.on_ddl()"},
		{"an event trigger, to adopt", 1, `DROP SCHEMA authdb CASCADE; ` + onDDL, ``, adopt(migrate.AdoptOptions{}), "event trigger e runs function public.on_ddl()"},
		{"drizzle's schema", 1, `DROP SCHEMA authdb CASCADE`, `CREATE SCHEMA drizzle`, adopt(migrate.AdoptOptions{DrizzleJournal: drizzleFolder(t)}), "schema drizzle belongs to"},
		{
			"drizzle's journal", 1, `DROP SCHEMA authdb CASCADE; CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
			GRANT USAGE ON SCHEMA drizzle TO mallory; GRANT TRIGGER ON drizzle.__drizzle_migrations TO mallory`,
			`CREATE TRIGGER t BEFORE INSERT ON drizzle.__drizzle_migrations FOR EACH ROW EXECUTE FUNCTION public.spring()`,
			adopt(migrate.AdoptOptions{DrizzleJournal: drizzleFolder(t)}), "has the trigger t",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			name, _ := role(t, conn, dsn)
			as := func(role, sql string) {
				exec(t, conn, "SET ROLE "+role)
				exec(t, conn, strings.ReplaceAll(sql, "mallory", name))
				exec(t, conn, "RESET ROLE")
			}
			as("none", `CREATE SEQUENCE sprung; GRANT ALL ON SEQUENCE sprung TO PUBLIC; GRANT CREATE ON SCHEMA public TO mallory;
				DO $$ BEGIN EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO mallory', pg_catalog.current_database()); END $$`)
			as(name, counting)
			if tt.version > 0 {
				m := migrator(t, dsn, migrate.Options{})
				mustGoto(t, m, tt.version)
				_ = m.Close()
			}
			as("none", tt.ours)
			as(name, tt.mallory)
			before := everything(t, conn)
			exec(t, conn, `SELECT pg_catalog.setval('public.sprung', 1, false)`) // everything looks into views too
			m := migrator(t, dsn, migrate.Options{})
			err := tt.run(m)
			if !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if got := collect(t, conn, `SELECT is_called::text FROM public.sprung`); got[0] != "false" {
				t.Error("what a stranger made has run")
			}
			if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

// TestWhatIsOurs is not refused: of a role that this one is a member of, of the owner of the database, and triggers of
// the application's own; nor is a stranger's that is disabled.
func TestWhatIsOurs(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	owner, as := role(t, conn, dsn)
	member, asMember := role(t, conn, dsn)
	stranger, _ := role(t, conn, dsn)
	exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+owner+`; GRANT `+owner+` TO `+member+`;
		DO $$ BEGIN EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO `+owner+`', pg_catalog.current_database()); END $$`)
	at := func(dsn string, version int) {
		m := migrator(t, dsn, migrate.Options{})
		mustGoto(t, m, version)
		_ = m.Close()
	}
	at(as, 3)
	exec(t, conn, `SET ROLE `+owner+`; CREATE FUNCTION public.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
		CREATE TRIGGER touch BEFORE UPDATE ON team FOR EACH ROW EXECUTE FUNCTION public.touched();
		CREATE FUNCTION public.noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$; RESET ROLE;
		CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION public.noted(); `+strings.ReplaceAll(onDDL, "mallory", stranger)+`
		ALTER EVENT TRIGGER e DISABLE`)
	at(asMember, 8)
	// A superuser is a member of nobody, though it may do everything.
	super := migrator(t, dsn, migrate.Options{})
	if err := super.Up(t.Context()); !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), "belongs to "+owner) {
		t.Errorf("got %v", err)
	}
	if _, _, err := super.Version(t.Context()); !errors.Is(err, migrate.ErrNotOurs) {
		t.Errorf("got %v", err)
	}
	exec(t, conn, `DO $$ BEGIN EXECUTE pg_catalog.format('ALTER DATABASE %I OWNER TO `+owner+`', pg_catalog.current_database()); END $$`)
	if err := super.Up(t.Context()); err != nil {
		t.Error(err)
	}
	exec(t, conn, `DO $$ BEGIN EXECUTE pg_catalog.format('ALTER DATABASE %I OWNER TO CURRENT_USER', pg_catalog.current_database()); END $$`)
}

// TestWhoMadeARole is a member of it from PostgreSQL 16 on, to administer it: that alone is no trust in what it makes.
func TestWhoMadeARole(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	master, as := role(t, conn, dsn)
	made, _ := role(t, conn, dsn)
	setTrue := ""
	if collect(t, conn, `SHOW server_version_num`)[0] >= "160000" { // before, whoever administers a role is a member of it
		exec(t, conn, `GRANT `+made+` TO `+master+` WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`)
		setTrue = ` WITH SET TRUE`
	}
	exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+master+`, `+made+`;
		DO $$ BEGIN EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO `+master+`', pg_catalog.current_database()); END $$`)
	m := migrator(t, as, migrate.Options{})
	mustGoto(t, m, 3)
	exec(t, conn, `GRANT TRIGGER ON team TO `+made+`; SET ROLE `+made+`; CREATE FUNCTION public.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
		CREATE TRIGGER touch BEFORE UPDATE ON team FOR EACH ROW EXECUTE FUNCTION public.touched(); RESET ROLE`)
	_ = m.Close()
	m = migrator(t, as, migrate.Options{})
	if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), "has the trigger touch") {
		t.Errorf("got %v", err)
	}
	_ = m.Close()
	exec(t, conn, `GRANT `+made+` TO `+master+setTrue)
	if err := migrator(t, as, migrate.Options{}).Up(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWhoMadeUsAMember: a role that somebody administers and grants to the migrator's is not ours for that, nor where the
// migrator is a superuser. One that a superuser grants is.
func TestWhoMadeUsAMember(t *testing.T) {
	t.Parallel()
	for _, super := range []bool{false, true} {
		conn, dsn := database(t)
		evil, _ := role(t, conn, dsn)
		victim, as := role(t, conn, dsn)
		mallory, _ := role(t, conn, dsn)
		if super {
			victim, as = collect(t, conn, `SELECT pg_catalog.quote_ident(session_user)`)[0], dsn
		}
		exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+victim+`, `+evil+`; GRANT `+evil+` TO `+mallory+` WITH ADMIN OPTION;
			DO $$ BEGIN EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO `+victim+`', pg_catalog.current_database()); END $$`)
		m := migrator(t, as, migrate.Options{})
		mustGoto(t, m, 3)
		exec(t, conn, `ALTER TABLE team OWNER TO `+evil+`; SET ROLE `+mallory+`; GRANT `+evil+` TO `+victim+`; RESET ROLE`)
		if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), "table public.team belongs to "+evil) {
			t.Errorf("got %v", err)
		}
		exec(t, conn, `SET ROLE `+mallory+`; REVOKE `+evil+` FROM `+victim+`; RESET ROLE; GRANT `+evil+` TO `+victim)
		if err := m.Up(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestWhoLoggedIn counts too: what runs as the role that a session took can go back to the one that it logged in as.
func TestWhoLoggedIn(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	app, as := role(t, conn, dsn)
	deploy, asDeploy := role(t, conn, dsn)
	exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+app+`;
		DO $$ BEGIN EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO `+app+`', pg_catalog.current_database()); END $$`)
	m := migrator(t, as, migrate.Options{})
	mustGoto(t, m, 3)
	_ = m.Close()
	exec(t, conn, `GRANT `+app+` TO `+deploy)
	for other, version := range map[string]int{dsn: 3, asDeploy: 4} {
		m = migrator(t, dsnWith(t, other, "role", app), migrate.Options{})
		if err := m.Goto(t.Context(), version); errors.Is(err, migrate.ErrNotOurs) != (other == dsn) || other != dsn && err != nil {
			t.Errorf("to %d: %v", version, err)
		}
		_ = m.Close()
	}
}

// TestGroupsRights are those of its members: that the migrator is one of them makes the others no friends.
func TestGroupsRights(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	group, _ := role(t, conn, dsn)
	between, _ := role(t, conn, dsn)
	owner, as := role(t, conn, dsn)
	mallory, _ := role(t, conn, dsn)
	exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+owner+`, `+group+`; GRANT `+group+` TO `+owner+`, `+between+`;
		DO $$ BEGIN EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO `+owner+`', pg_catalog.current_database()); END $$`)
	m := migrator(t, as, migrate.Options{})
	mustGoto(t, m, 3)
	exec(t, conn, `GRANT TRIGGER ON team TO `+group)
	refused := func(who string) {
		t.Helper()
		if err := m.UpBy(t.Context(), 1); !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), "REVOKE TRIGGER, REFERENCES ON public.team FROM "+group) {
			t.Errorf("%s: got %v", who, err)
		}
	}
	refused("a member")
	exec(t, conn, `REVOKE `+group+` FROM `+between)
	if err := m.UpBy(t.Context(), 1); err != nil {
		t.Errorf("alone: %v", err)
	}
	exec(t, conn, `GRANT `+group+` TO `+between+`; GRANT `+between+` TO `+owner+`, `+mallory)
	refused("a member of a member")
	exec(t, conn, `ALTER TABLE team OWNER TO `+group) // who owns a table is trusted with it
	if err := m.UpBy(t.Context(), 1); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

// TestUserSchema: a schema that another role has given this one's name is no place for tables, nor is it searched.
func TestUserSchema(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	owner, as := role(t, conn, dsn)
	mallory, _ := role(t, conn, dsn)
	exec(t, conn, `GRANT CREATE, USAGE ON SCHEMA public TO `+owner+`;
		DO $$ BEGIN EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO `+owner+`, `+mallory+`', pg_catalog.current_database()); END $$;
		SET ROLE `+mallory+`; CREATE SCHEMA `+owner+`; GRANT ALL ON SCHEMA `+owner+` TO PUBLIC; CREATE TABLE `+owner+`."user" (); RESET ROLE`)
	m := migrator(t, as, migrate.Options{})
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, conn, `SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'session'`); len(got) != 1 || got[0] != "public" {
		t.Errorf("got %q", got)
	}
}

// TestWhoIsWaitedFor has made a trigger that nobody sees yet: it is looked for again when the lock is there, before any
// row is written.
func TestWhoIsWaitedFor(t *testing.T) {
	t.Parallel()
	adopt := func(opts migrate.AdoptOptions) func(m *migrate.Migrator) error {
		return func(m *migrate.Migrator) error { _, err := m.Adopt(t.Context(), opts); return err }
	}
	for _, tt := range []struct {
		name    string
		version int
		table   string
		run     func(*migrate.Migrator) error
	}{
		{"by a file", 3, "public.team", func(m *migrate.Migrator) error { return m.Goto(t.Context(), 4) }},
		{"by a file, down", 4, "public.team_member", func(m *migrate.Migrator) error { return m.Goto(t.Context(), 3) }},
		{"by the version table", 3, "authdb.schema_migrations", func(m *migrate.Migrator) error { return m.Force(t.Context(), 2) }},
		{"by a fix", 6, "public.member", adopt(migrate.AdoptOptions{Fix: true})},
		{"by drizzle's journal", 3, "drizzle.__drizzle_migrations", adopt(migrate.AdoptOptions{DrizzleJournal: drizzleFolder(t)})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			mallory, _ := role(t, conn, dsn)
			exec(t, conn, `CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
				CREATE SEQUENCE sprung; GRANT ALL ON SEQUENCE sprung TO PUBLIC; GRANT CREATE ON SCHEMA public TO `+mallory)
			exec(t, conn, counting)
			m := migrator(t, dsn, migrate.Options{})
			mustGoto(t, m, tt.version)
			_ = m.Close()
			const create = `CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON `
			exec(t, conn, people+create+tt.table+` EXECUTE FUNCTION spring(); DROP TRIGGER t ON `+tt.table+`; ALTER FUNCTION spring() OWNER TO `+mallory+`;
				GRANT USAGE ON SCHEMA authdb, drizzle TO `+mallory+`; GRANT TRIGGER ON `+tt.table+` TO `+mallory)
			commit := with(t, conn, `SET LOCAL ROLE `+mallory+`; `+create+tt.table+` EXECUTE FUNCTION public.spring()`)
			exec(t, conn, `REVOKE TRIGGER ON `+tt.table+` FROM `+mallory)
			done := inBackground(func() error { return tt.run(migrator(t, dsn, migrate.Options{})) })
			await(t, conn, `SELECT FROM pg_locks WHERE NOT granted AND relation = '`+tt.table+`'::regclass`)
			commit()
			if err := <-done; !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), "table "+tt.table+" has the trigger t") {
				t.Errorf("got %v", err)
			}
			if got := collect(t, conn, `SELECT is_called::text FROM public.sprung`); got[0] != "false" {
				t.Error("what a stranger made has run")
			}
		})
	}
}

// TestWhatIsMadeMeanwhile is looked at before the next migration: default privileges may give to others what the tables
// before had given to nobody.
func TestWhatIsMadeMeanwhile(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	mallory, _ := role(t, conn, dsn)
	exec(t, conn, `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO `+mallory)
	m := migrator(t, dsn, migrate.Options{})
	if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), "ON public.team FROM "+mallory) {
		t.Errorf("got %v", err)
	}
	wantVersion(t, m, 1)
	exec(t, conn, `REVOKE TRIGGER, REFERENCES ON ALL TABLES IN SCHEMA public FROM `+mallory)
	if err := m.Up(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTheOwnerOfTheDatabase is who owns public, from PostgreSQL 15 on: no other.
func TestTheOwnerOfTheDatabase(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	exec(t, conn, `CREATE SCHEMA app`)
	m := migrator(t, dsnWith(t, dsn, "search_path", "app, public"), migrate.Options{})
	mustGoto(t, m, 1)
	if notes := verified(t, m).Notes; len(notes) > 0 {
		t.Errorf("got %q", notes)
	}
}

// TestNoSchema: where search_path names nothing, the next in line would be temporary tables.
func TestNoSchema(t *testing.T) {
	t.Parallel()
	_, dsn := database(t)
	if _, err := migrate.Open(t.Context(), dsnWith(t, dsn, "search_path", "nowhere"), migrate.Options{InsecureTLS: true}); !errors.Is(err, migrate.ErrNoSchema) {
		t.Errorf("got %v", err)
	}
}

// TestTablesAreLookedFor although the version table says that there is nothing to do.
func TestTablesAreLookedFor(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	exec(t, conn, `ALTER TABLE verification RENAME TO gone`)
	lacking := migrator(t, dsn, migrate.Options{})
	if err := lacking.Up(t.Context()); !errors.Is(err, migrate.ErrNoTables) || !strings.Contains(err.Error(), "there is no") {
		t.Errorf("got %v", err)
	}
	_ = lacking.Close()
	exec(t, conn, `ALTER TABLE gone RENAME TO verification; DROP TABLE authdb.mark`)
	m := migrator(t, dsn, migrate.Options{})
	for _, err := range []error{m.Up(t.Context()), m.CheckTables(t.Context())} {
		if !errors.Is(err, migrate.ErrNoTables) || !strings.Contains(err.Error(), "there is no authdb.mark") {
			t.Errorf("got %v", err)
		}
	}
}

// TestUpToUndoesNothing, which Goto does.
func TestUpToUndoesNothing(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	m := migrator(t, dsn, migrate.Options{})
	before := everything(t, conn)
	for _, version := range []int{14, 1, 0} {
		if err := m.UpTo(t.Context(), version); !errors.Is(err, migrate.ErrUndoes) {
			t.Errorf("%d: %v", version, err)
		}
	}
	if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
