package migrate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/migrate"
)

// organizationsOfOld are the tables of an organization as Better Auth's generator made them for a while, on those of the
// core: without invitation.created_at, slugs that may be NULL, defaults where none are wanted and none where they are.
const organizationsOfOld = `
ALTER TABLE session ADD active_organization_id text, ADD active_team_id text;
CREATE TABLE organization (id text PRIMARY KEY, name text NOT NULL, slug text CONSTRAINT organization_slug_unique UNIQUE,
	logo text, metadata text, created_at timestamp NOT NULL DEFAULT now());
CREATE TABLE team (id text PRIMARY KEY, name text NOT NULL, created_at timestamp NOT NULL DEFAULT now(), updated_at timestamp DEFAULT now(),
	organization_id text NOT NULL CONSTRAINT team_organization_id_organization_id_fk REFERENCES organization ON DELETE CASCADE);
CREATE TABLE member (id text PRIMARY KEY, role text NOT NULL, created_at timestamp NOT NULL DEFAULT now(),
	user_id text NOT NULL CONSTRAINT member_user_id_user_id_fk REFERENCES "user" ON DELETE CASCADE,
	organization_id text NOT NULL CONSTRAINT member_organization_id_organization_id_fk REFERENCES organization ON DELETE CASCADE);
CREATE TABLE team_member (id text PRIMARY KEY, created_at timestamp NOT NULL DEFAULT now(),
	user_id text NOT NULL CONSTRAINT team_member_user_id_user_id_fk REFERENCES "user" ON DELETE CASCADE,
	team_id text NOT NULL CONSTRAINT team_member_team_id_team_id_fk REFERENCES team ON DELETE CASCADE);
CREATE TABLE invitation (id text PRIMARY KEY, email text NOT NULL, role text, status text NOT NULL, expires_at timestamp NOT NULL,
	inviter_id text NOT NULL CONSTRAINT invitation_inviter_id_user_id_fk REFERENCES "user" ON DELETE CASCADE,
	organization_id text NOT NULL CONSTRAINT invitation_organization_id_organization_id_fk REFERENCES organization ON DELETE CASCADE, team_id text);
CREATE INDEX "member_userId_idx" ON member (user_id);
INSERT INTO "user" (id, name, email) VALUES ('u1', 'Ada', 'ada@example.com');
INSERT INTO organization (id, name, slug) VALUES ('o1', 'One', 'one');
INSERT INTO invitation (id, email, status, expires_at, inviter_id, organization_id) VALUES ('i1', 'b@example.com', 'pending', now(), 'u1', 'o1')`

// core makes the four tables that are there without the organization plugin.
func core(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	byHand(t, conn, 1)
	exec(t, conn, `DROP TABLE invitation, team_member, member, team, organization;
		ALTER TABLE session DROP active_organization_id, DROP active_team_id`)
}

// works fails the test unless the database is one on which the library works.
func works(t *testing.T, dsn string) {
	t.Helper()
	store, err := authdb.Open(t.Context(), dsn, authdb.WithInsecureTLS())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := store.Users.List(t.Context(), authdb.ListUsersParams{}); err != nil {
		t.Error(err)
	}
}

// TestComplete changes a baseline, and reads by which statements adopt makes it one again, in one run, with the rows that
// are there. Without being asked it only shows them.
func TestComplete(t *testing.T) {
	t.Parallel()
	one := func(sql ...string) []string { return sql }
	for _, tt := range []struct {
		name, do string
		want     []string // the statements, or what they begin with
		drizzle  string
		notes    int
	}{
		{name: "a nullable column", do: `ALTER TABLE session DROP ip_address`, want: one(`ALTER TABLE "session" ADD COLUMN "ip_address" text;`), drizzle: `ipAddress: text("ip_address"),`},
		{
			name: "a time that is required", do: `ALTER TABLE account DROP updated_at; INSERT INTO account (id, account_id, provider_id, user_id) VALUES ('a1', 'x', 'x', 'u1')`,
			want:    one(`ALTER TABLE "account" ADD COLUMN "updated_at" timestamp without time zone NOT NULL DEFAULT now();`),
			drizzle: `updatedAt: timestamp("updated_at").defaultNow().$onUpdate(() => new Date()).notNull(),`,
		},
		{name: "a default", do: `ALTER TABLE invitation ALTER status DROP DEFAULT`, want: one(`ALTER TABLE "invitation" ALTER COLUMN "status" SET DEFAULT 'pending'::text;`), drizzle: `status: text("status").default("pending").notNull(),`},
		{
			name: "NOT NULL with a default", do: `ALTER TABLE "user" ALTER email_verified DROP NOT NULL; UPDATE "user" SET email_verified = NULL`,
			want: one(
				`ALTER TABLE "user" DROP CONSTRAINT IF EXISTS "authdb_email_verified_not_null", ADD CONSTRAINT "authdb_email_verified_not_null" CHECK ("email_verified" IS NOT NULL) NOT VALID;`,
				`UPDATE "user" SET "email_verified" = false WHERE "email_verified" IS NULL;`,
				`ALTER TABLE "user" VALIDATE CONSTRAINT "authdb_email_verified_not_null";`,
				`ALTER TABLE "user" ALTER COLUMN "email_verified" SET NOT NULL;`,
				`ALTER TABLE "user" DROP CONSTRAINT "authdb_email_verified_not_null";`,
			),
			drizzle: `emailVerified: boolean("email_verified").default(false).notNull(),`,
		},
		{name: "a NOT NULL too much", do: `ALTER TABLE account ALTER scope SET NOT NULL`, want: one(`ALTER TABLE "account" ALTER COLUMN "scope" DROP NOT NULL;`), drizzle: `scope: text("scope"),`},
		{name: "an index", do: `DROP INDEX "account_userId_idx"`, want: one(`CREATE INDEX CONCURRENTLY "account_userId_idx" ON account USING btree (user_id);`), drizzle: `index("account_userId_idx").on(table.userId),`},
		{name: "an index of another name", do: `ALTER INDEX "account_userId_idx" RENAME TO a`, want: one(`ALTER INDEX "a" RENAME TO "account_userId_idx";`), drizzle: `index("account_userId_idx").on(table.userId),`},
		{
			name: "an INVALID index", do: `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"account_userId_idx"'::regclass`,
			want: one(`DROP INDEX CONCURRENTLY "account_userId_idx";`, `CREATE INDEX CONCURRENTLY "account_userId_idx" ON account USING btree (user_id);`),
		},
		{
			name: "a unique key", do: `ALTER TABLE session DROP CONSTRAINT session_token_unique`,
			want:    one(`CREATE UNIQUE INDEX CONCURRENTLY "session_token_unique" ON "session" USING btree (token);`, `ALTER TABLE "session" ADD CONSTRAINT "session_token_unique" UNIQUE USING INDEX "session_token_unique";`),
			drizzle: `token: text("token").notNull().unique(),`,
		},
		{
			name: "a unique key of another name", do: `ALTER TABLE session RENAME CONSTRAINT session_token_unique TO "t""k"`,
			want: one(`ALTER TABLE "session" RENAME CONSTRAINT "t""k" TO "session_token_unique";`),
		},
		{
			name: "a unique index in the place of a key", do: `ALTER TABLE session DROP CONSTRAINT session_token_unique; CREATE UNIQUE INDEX tokens ON session (token)`,
			want: one(`ALTER TABLE "session" ADD CONSTRAINT "session_token_unique" UNIQUE USING INDEX "tokens";`),
		},
		{
			name: "a primary key", do: `ALTER TABLE verification DROP CONSTRAINT verification_pkey`,
			want: one(`CREATE UNIQUE INDEX CONCURRENTLY "verification_pkey" ON "verification" USING btree (id);`, `ALTER TABLE "verification" ADD CONSTRAINT "verification_pkey" PRIMARY KEY USING INDEX "verification_pkey";`),
		},
		{
			name: "a foreign key", do: `ALTER TABLE team DROP CONSTRAINT team_organization_id_organization_id_fk`,
			want: one(`ALTER TABLE "team" ADD CONSTRAINT "team_organization_id_organization_id_fk" FOREIGN KEY (organization_id) REFERENCES organization(id) ON DELETE CASCADE NOT VALID;`,
				`ALTER TABLE "team" VALIDATE CONSTRAINT "team_organization_id_organization_id_fk";`),
			drizzle: `.references(() => organization.id, { onDelete: "cascade" }),`,
		},
		{
			name: "a foreign key that deletes nothing, of another name", do: `ALTER TABLE team DROP CONSTRAINT team_organization_id_organization_id_fk, ADD FOREIGN KEY (organization_id) REFERENCES organization`,
			want: one(`ALTER TABLE "team" RENAME CONSTRAINT "team_organization_id_fkey" TO "team_organization_id_organization_id_fk";`,
				`ALTER TABLE "team" DROP CONSTRAINT "team_organization_id_organization_id_fk", ADD CONSTRAINT "team_organization_id_organization_id_fk" FOREIGN KEY (organization_id) REFERENCES organization(id) ON DELETE CASCADE NOT VALID;`,
				`ALTER TABLE "team" VALIDATE CONSTRAINT "team_organization_id_organization_id_fk";`),
		},
		{
			name: "a foreign key that is NOT VALID", do: `ALTER TABLE team DROP CONSTRAINT team_organization_id_organization_id_fk,
				ADD CONSTRAINT team_organization_id_organization_id_fk FOREIGN KEY (organization_id) REFERENCES organization ON DELETE CASCADE NOT VALID`,
			want: one(`ALTER TABLE "team" VALIDATE CONSTRAINT "team_organization_id_organization_id_fk";`),
		},
		{name: "the tables of teams", do: `DROP TABLE team_member, team; ALTER TABLE session DROP active_team_id`, want: slices.Repeat(one(""), 9), drizzle: `export const teamMember = pgTable(`},
		{name: "half a migration", do: `ALTER TABLE team_member ADD membership_key text`, want: one(`ALTER TABLE "team" ADD COLUMN "member_count" integer NOT NULL DEFAULT 0;`), drizzle: `memberCount: integer("member_count").default(0).notNull(),`},
		{
			name: "a time with a zone", do: `ALTER TABLE session ALTER created_at TYPE timestamptz, ALTER created_at DROP DEFAULT`,
			want:    one(`ALTER TABLE "session" ALTER COLUMN "created_at" SET DEFAULT now();`),
			drizzle: `createdAt: timestamp("created_at", { withTimezone: true }).defaultNow().notNull(),`, notes: 1,
		},
		{
			name: "a time with digits", do: `ALTER TABLE "user" ALTER updated_at TYPE timestamp(3), ALTER updated_at DROP NOT NULL`,
			want:    slices.Repeat(one(""), 5),
			drizzle: `updatedAt: timestamp("updated_at", { precision: 3 }).defaultNow().$onUpdate(() => new Date()).notNull(),`, notes: 1,
		},
		{
			name: "a default that stays", do: `ALTER TABLE team_member ALTER created_at SET DEFAULT CURRENT_TIMESTAMP, ALTER created_at SET NOT NULL`,
			want:    one(`ALTER TABLE "team_member" ALTER COLUMN "created_at" DROP NOT NULL;`),
			drizzle: `createdAt: timestamp("created_at").defaultNow(),`, notes: 1,
		},
		{name: "times with a zone", do: `ALTER TABLE team ALTER created_at TYPE timestamptz; ALTER TABLE session ALTER expires_at TYPE timestamptz(3); ALTER TABLE "user" ALTER created_at SET DEFAULT CURRENT_TIMESTAMP`, notes: 1},
		{name: "the present by default", do: `ALTER TABLE member ALTER created_at SET DEFAULT now(); ALTER TABLE organization ALTER created_at SET DEFAULT (now() AT TIME ZONE 'utc')`, notes: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			byHand(t, conn, 1)
			exec(t, conn, people+tt.do)
			completes(t, conn, dsn, len(tt.want), func(a migrate.Adoption) {
				for i, want := range tt.want {
					if !strings.HasPrefix(a.Complete[i], want) {
						t.Errorf("statement %d: got\n%s\nwant\n%s", i, a.Complete[i], want)
					}
				}
				if text := strings.Join(a.Drizzle, "\n"); !strings.Contains(text, "  "+tt.drizzle) && !strings.Contains(text, tt.drizzle+"\n") {
					t.Errorf("for Drizzle:\n%s", text)
				}
				if len(a.Notes) != tt.notes {
					t.Errorf("notes: %q", a.Notes)
				}
			})
		})
	}
	for name, prepare := range map[string]func(*testing.T, *pgx.Conn) int{
		"without organizations": func(t *testing.T, conn *pgx.Conn) int {
			core(t, conn)
			return 21
		},
		"users alone": func(t *testing.T, conn *pgx.Conn) int {
			core(t, conn)
			exec(t, conn, `DROP TABLE account, session, verification`)
			return 27
		},
		"organizations of old": func(t *testing.T, conn *pgx.Conn) int {
			core(t, conn)
			exec(t, conn, organizationsOfOld)
			return 14
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			completes(t, conn, dsn, prepare(t, conn), func(migrate.Adoption) {})
		})
	}
}

// completes takes a database over, first without --complete, which shows the number of statements, then dry.
func completes(t *testing.T, conn *pgx.Conn, dsn string, statements int, look func(migrate.Adoption)) {
	t.Helper()
	ids := func() (list []string) {
		for _, table := range collect(t, conn, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`) {
			list = append(list, collect(t, conn, fmt.Sprintf(`SELECT '%s ' || id FROM %[1]q ORDER BY 1`, table))...)
		}
		return list
	}
	m := migrator(t, dsn, migrate.Options{})
	before, rows := everything(t, conn), ids()
	shown, err := m.Adopt(t.Context(), migrate.AdoptOptions{DryRun: true})
	if errors.Is(err, migrate.ErrDrift) != (statements > 0) || len(shown.Complete) != statements || len(shown.Drizzle) > 0 || len(shown.Remedies) > 0 {
		t.Errorf("without being asked: %v, %d statements\n%s\n%s", err, len(shown.Complete), strings.Join(shown.Complete, "\n"), shown.Remedies)
	}
	if _, err := m.Adopt(t.Context(), migrate.AdoptOptions{Complete: true, DryRun: true, Fix: true}); err != nil {
		t.Error(err)
	}
	dry, err := m.Adopt(t.Context(), migrate.AdoptOptions{Complete: true, DryRun: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, dry.Diff)
	}
	if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
		t.Fatalf("a dry run changed (-before +after):\n%s", diff)
	}
	wet, err := m.Adopt(t.Context(), migrate.AdoptOptions{Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dry, wet); diff != "" {
		t.Errorf("the dry run said otherwise (-dry +wet):\n%s", diff)
	}
	if diff := cmp.Diff(shown.Complete, wet.Complete); diff != "" {
		t.Errorf("what was shown is not what was run (-shown +run):\n%s", diff)
	}
	if diff := cmp.Diff(rows, ids()); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, m)
	works(t, dsn)
	look(wet)
}

// TestCompleteGoesOn: whichever statement was the last that ran, and though an index was left INVALID, the next call ends
// where an uninterrupted one does.
func TestCompleteGoesOn(t *testing.T) {
	t.Parallel()
	prepared := func() (*pgx.Conn, string) {
		conn, dsn := database(t)
		core(t, conn)
		exec(t, conn, organizationsOfOld+`;
			ALTER TABLE session DROP CONSTRAINT session_token_unique; ALTER TABLE verification DROP CONSTRAINT verification_pkey;
			ALTER TABLE account DROP CONSTRAINT account_user_id_user_id_fk, ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES "user"`)
		return conn, dsn
	}
	conn, dsn := prepared()
	a, err := migrator(t, dsn, migrate.Options{}).Adopt(t.Context(), migrate.AdoptOptions{Complete: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, a.Diff)
	}
	want := facts(t, conn)
	for n := range a.Complete {
		conn, dsn := prepared()
		for _, sql := range a.Complete[:n+1] {
			exec(t, conn, sql)
		}
		if strings.Contains(a.Complete[n], "CONCURRENTLY") { // as if it had been ended
			exec(t, conn, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = (SELECT max(oid) FROM pg_class WHERE relkind = 'i'
				AND relnamespace = 'public'::regnamespace)`)
		}
		m := migrator(t, dsn, migrate.Options{})
		again, err := m.Adopt(t.Context(), migrate.AdoptOptions{Complete: true})
		if err != nil {
			t.Errorf("after %s: %v\n%s", a.Complete[n], err, again.Diff)
		}
		if diff := cmp.Diff(want, facts(t, conn)); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", a.Complete[n], diff)
		}
	}
	t.Logf("%d statements, each of them the last", len(a.Complete))
}

// TestCompleteRefuses what rows are in the way of, and what only a person can decide, before it changes anything.
func TestCompleteRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, do, remedy string }{
		{"a slug that is NULL", `ALTER TABLE organization ALTER slug DROP NOT NULL; UPDATE organization SET slug = NULL`, `rows in the way: 2; resolve those that this lists: SELECT id FROM "organization" WHERE "slug" IS NULL;`},
		{
			"a token that is there twice", `ALTER TABLE session DROP CONSTRAINT session_token_unique;
				INSERT INTO session (id, token, user_id, expires_at, updated_at) SELECT 's' || n, 'canary', 'u1', now(), now() FROM generate_series(1, 3) n`,
			`rows in the way: 1; resolve those that this lists: SELECT pg_catalog.min(id) FROM "session" WHERE (token) IS NOT NULL GROUP BY token HAVING pg_catalog.count(*) > 1;`,
		},
		{
			"orphans", `ALTER TABLE team_member DROP CONSTRAINT team_member_user_id_user_id_fk; INSERT INTO team_member (id, team_id, user_id) VALUES ('x', 't1', 'nobody')`,
			`rows in the way: 1; resolve those that this lists: SELECT id FROM "team_member" c WHERE "user_id" IS NOT NULL AND NOT EXISTS (SELECT FROM "user" p WHERE p.id = c."user_id");`,
		},
		{
			"rows of a table that is not there", `DROP TABLE organization CASCADE`,
			`rows in the way: 2; resolve those that this lists: SELECT id FROM "team" WHERE "organization_id" IS NOT NULL;`,
		},
		{"a column with values that nobody knows", `ALTER TABLE session DROP token`, `ALTER TABLE "session" ADD COLUMN "token" text NOT NULL, with a value for each row`},
		{"another type", `ALTER TABLE session ALTER user_agent TYPE varchar(255)`, `ALTER TABLE "session" ALTER COLUMN "user_agent" TYPE text;`},
		{"uuid ids", `ALTER TABLE team_member DROP CONSTRAINT team_member_team_id_team_id_fk; ALTER TABLE team_member ALTER team_id TYPE uuid USING NULL`, `team_member.team_id must be text, and is uuid: authdb does not work with such ids`},
		{"varchar ids", `ALTER TABLE verification ALTER id TYPE varchar(36)`, `ALTER TABLE "verification" ALTER COLUMN "id" TYPE text;`},
		{"another collation", `ALTER TABLE verification ALTER identifier TYPE text COLLATE "C"`, `ALTER TABLE "verification" ALTER COLUMN "identifier" TYPE text;`},
		{"a generated column", `ALTER TABLE session DROP ip_address, ADD ip_address text GENERATED ALWAYS AS (token) STORED`, `session.ip_address must be text`},
		{"a later column in camel case", `ALTER TABLE team ADD "memberCount" integer NOT NULL DEFAULT 0`, `ALTER TABLE "team" RENAME COLUMN "memberCount" TO "member_count";`},
		{"a default of another value", `ALTER TABLE invitation ALTER status SET DEFAULT 'accepted'`, `ALTER TABLE "invitation" ALTER COLUMN "status" SET DEFAULT 'pending'::text;`},
		{"a default of two lines", `ALTER TABLE invitation ALTER status SET DEFAULT E'a\nb'`, `ALTER TABLE "invitation" ALTER COLUMN "status" SET DEFAULT 'pending'::text;`},
		{"a type of two lines", "CREATE DOMAIN \"a\nb\" AS text; ALTER TABLE session ALTER user_agent TYPE \"a\nb\"", `ALTER TABLE "session" ALTER COLUMN "user_agent" TYPE text;`},
		{"a default that is not wanted", `ALTER TABLE session ALTER ip_address SET DEFAULT '::1'`, `ALTER TABLE "session" ALTER COLUMN "ip_address" DROP DEFAULT;`},
		{
			"a foreign key that empties", `ALTER TABLE account DROP CONSTRAINT account_user_id_user_id_fk,
				ADD CONSTRAINT account_user_id_user_id_fk FOREIGN KEY (user_id) REFERENCES "user" ON DELETE SET NULL`,
			`ALTER TABLE "account" DROP CONSTRAINT "account_user_id_user_id_fk";`,
		},
		{
			"a check of the name of ours", `ALTER TABLE "user" ALTER email_verified DROP NOT NULL, ADD CONSTRAINT authdb_email_verified_not_null CHECK (email <> 'x')`,
			`ALTER TABLE "user" DROP CONSTRAINT "authdb_email_verified_not_null";`,
		},
		{
			"an index of the name of a key", `ALTER TABLE session DROP CONSTRAINT session_token_unique; CREATE UNIQUE INDEX session_token_unique ON session (token) WHERE user_id <> ''`,
			`DROP INDEX CONCURRENTLY "session_token_unique";`,
		},
		{
			"an INVALID index of the name of a key", `ALTER TABLE session DROP CONSTRAINT session_token_unique; CREATE UNIQUE INDEX session_token_unique ON session (user_id);
			UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'session_token_unique'::regclass`,
			`DROP INDEX CONCURRENTLY "session_token_unique";`,
		},
		{"an index otherwise", `DROP INDEX "team_organizationId_idx"; CREATE INDEX "team_organizationId_idx" ON team (name)`, `DROP INDEX CONCURRENTLY "team_organizationId_idx";`},
		{"a column in camel case", `ALTER TABLE invitation RENAME expires_at TO "expiresAt"`, `ALTER TABLE "invitation" RENAME COLUMN "expiresAt" TO "expires_at";`},
		{"a plural", `ALTER TABLE team_member RENAME TO "TeamMembers"`, `ALTER TABLE "TeamMembers" RENAME TO "team_member";`},
		{"a plural of those whom all refer to", `ALTER TABLE "user" RENAME TO users`, `ALTER TABLE "users" RENAME TO "user";`},
		{"marks by half", `CREATE SCHEMA authdb; CREATE TABLE authdb.mark (id text PRIMARY KEY, operation text NOT NULL, answer text)`, `drop what is there of "authdb"."mark", which migration 15 makes: no column authdb.mark.created_at`},
		{"marks otherwise", `CREATE SCHEMA authdb; CREATE TABLE authdb.mark (id text PRIMARY KEY, operation text NOT NULL, answer text, created_at date NOT NULL);
			CREATE INDEX "mark_createdAt_idx" ON authdb.mark (created_at)`, `drop "authdb"."mark", which migration 15 makes: another column authdb.mark.created_at`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			byHand(t, conn, 1)
			exec(t, conn, people+tt.do+`; DROP INDEX "member_userId_idx"`) // which could be made
			m := migrator(t, dsn, migrate.Options{})
			before := everything(t, conn)
			for _, opts := range []migrate.AdoptOptions{{}, {Complete: true, DryRun: true}, {Complete: true}} {
				a, err := m.Adopt(t.Context(), opts)
				if !errors.Is(err, migrate.ErrDrift) || !slices.Contains(a.Remedies, tt.remedy) || strings.Contains(fmt.Sprint(err, a), "canary") {
					t.Errorf("%+v: %v\n%s\n%s", opts, err, strings.Join(a.Remedies, "\n"), a.Diff)
				}
			}
			if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
	// An application's own table of nearly the same name is not taken for one of ours, nor a check named as we name them.
	conn, dsn := database(t)
	core(t, conn)
	exec(t, conn, `CREATE TABLE teams (id text PRIMARY KEY, name text)`)
	exec(t, conn, `CREATE TABLE app (id text CONSTRAINT authdb_id_not_null CHECK (id IS NOT NULL));
		ALTER TABLE "user" ADD CONSTRAINT authdb_name_not_null CHECK (name <> 'root'), ADD admin text, ADD CONSTRAINT authdb_admin_not_null CHECK (admin IS NOT NULL)`)
	defer func() {
		if got := collect(t, conn, `SELECT conname::text FROM pg_constraint WHERE conname LIKE 'authdb%'`); len(got) != 3 {
			t.Errorf("of the application's checks there are %s", got)
		}
	}()
	if a, err := migrator(t, dsn, migrate.Options{}).Adopt(t.Context(), migrate.AdoptOptions{Complete: true, Superset: true}); err != nil {
		t.Errorf("teams of its own: %v\n%s", err, a.Remedies)
	}
}

// TestCompleteGivesWay: a lock that somebody holds is asked for again and again, and readers pass meanwhile.
func TestCompleteGivesWay(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	core(t, conn)
	other, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(t.Context()) }()
	exec(t, other, `BEGIN; LOCK TABLE session IN ACCESS SHARE MODE`)
	brief := migrator(t, dsn, migrate.Options{LockTimeout: time.Second})
	_, err = brief.Adopt(t.Context(), migrate.AdoptOptions{Complete: true})
	if !errors.Is(err, migrate.ErrLockTimeout) || !strings.Contains(err.Error(), `ALTER TABLE "session"`) {
		t.Errorf("got %v", err)
	}
	if err := brief.Close(); err != nil {
		t.Fatal(err)
	}
	m := migrator(t, dsn, migrate.Options{LockTimeout: time.Hour})
	done := inBackground(func() error {
		_, err := m.Adopt(t.Context(), migrate.AdoptOptions{Complete: true})
		return err
	})
	await(t, conn, `SELECT 1 FROM pg_locks WHERE relation = 'session'::regclass AND NOT granted`)
	exec(t, conn, `SET statement_timeout = '1min'`)
	exec(t, conn, `SELECT count(*) FROM session`)
	exec(t, other, `COMMIT`)
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantVersion(t, m, 1)
}

// TestCapitals are counted, and the statement cures those that are nobody else's.
func TestCapitals(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	byHand(t, conn, 1)
	exec(t, conn, people+`INSERT INTO "user" (id, name, email) VALUES ('u3', 'Cy', 'Cy@Example.com'), ('u4', 'Bob', 'Bob@example.com')`)
	m := migrator(t, dsn, migrate.Options{})
	a, err := m.Adopt(t.Context(), migrate.AdoptOptions{})
	if err != nil || a.Capitals != 2 {
		t.Errorf("%v, %d", err, a.Capitals)
	}
	exec(t, conn, migrate.LowerEmails)
	if a, err := m.Adopt(t.Context(), migrate.AdoptOptions{}); err != nil || a.Capitals != 1 {
		t.Errorf("cured: %v, %d", err, a.Capitals)
	}
	if diff := cmp.Diff([]string{"cy@example.com"}, collect(t, conn, `SELECT email FROM "user" WHERE id = 'u3'`)); diff != "" {
		t.Error(diff)
	}
}

// TestCompleteLooksAgain before it writes rows, under their lock: at a trigger whose maker had the right to make it, and
// commits only while Complete waits.
func TestCompleteLooksAgain(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	byHand(t, conn, 1)
	mallory, _ := role(t, conn, dsn)
	exec(t, conn, people+`ALTER TABLE "user" ALTER email_verified DROP NOT NULL; UPDATE "user" SET email_verified = NULL;
		CREATE SEQUENCE sprung; GRANT ALL ON SEQUENCE sprung TO PUBLIC; GRANT CREATE ON SCHEMA public TO `+mallory+`; GRANT TRIGGER ON "user" TO `+mallory)
	other, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(t.Context()) }()
	exec(t, other, `SET ROLE `+mallory+`; `+counting)
	exec(t, other, `BEGIN; CREATE TRIGGER t BEFORE UPDATE ON "user" FOR EACH ROW EXECUTE FUNCTION public.spring()`)
	exec(t, conn, `REVOKE TRIGGER ON "user" FROM `+mallory)
	m := migrator(t, dsn, migrate.Options{LockTimeout: time.Hour})
	done := inBackground(func() error {
		_, err := m.Adopt(t.Context(), migrate.AdoptOptions{Complete: true, Superset: true})
		return err
	})
	await(t, conn, `SELECT 1 FROM pg_locks WHERE relation = '"user"'::regclass AND NOT granted`)
	exec(t, other, `COMMIT`)
	if err := <-done; !errors.Is(err, migrate.ErrNotOurs) || !strings.Contains(err.Error(), `table public."user" has the trigger t`) {
		t.Errorf("got %v", err)
	}
	if got := collect(t, conn, `SELECT is_called::text FROM public.sprung`); got[0] != "false" {
		t.Error("what a stranger made has run")
	}
}
