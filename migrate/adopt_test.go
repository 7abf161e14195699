package migrate_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate"
)

// columns17 are those of Better Auth 1.7, under the names of either family.
func columns17(t *testing.T, conn *pgx.Conn, key string) {
	t.Helper()
	byHand(t, conn, 3)
	exec(t, conn, `ALTER TABLE team_member ADD CONSTRAINT `+key+` UNIQUE (membership_key)`)
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		make    func(t *testing.T, conn *pgx.Conn)
		version int
		family  string
		notes   int
	}{
		{"family A", func(*testing.T, *pgx.Conn) {}, 1, "drizzle-kit 0.31", 0},
		{"family B", func(t *testing.T, c *pgx.Conn) { exec(t, c, familyB) }, 1, "drizzle-kit 1.0", 0},
		{"without the redundant index", func(t *testing.T, c *pgx.Conn) { exec(t, c, "DROP INDEX organization_slug_uidx") }, 1, "drizzle-kit 0.31", 1},
		{"family A of Better Auth 1.7", func(t *testing.T, c *pgx.Conn) { columns17(t, c, "team_member_membership_key_unique") }, 1, "drizzle-kit 0.31", 0},
		{"family B of Better Auth 1.7", func(t *testing.T, c *pgx.Conn) {
			exec(t, c, familyB)
			columns17(t, c, "team_member_membership_key_key")
		}, 1, "drizzle-kit 1.0", 0},
		{"the columns without their key", func(t *testing.T, c *pgx.Conn) { byHand(t, c, 3) }, 1, "drizzle-kit 0.31", 0},
		{"with the inviter's index", func(t *testing.T, c *pgx.Conn) { byHand(t, c, 2) }, 2, "drizzle-kit 0.31", 0},
		{"with the inviter's index, of Better Auth 1.7", func(t *testing.T, c *pgx.Conn) {
			byHand(t, c, 2)
			columns17(t, c, "team_member_membership_key_unique")
		}, 3, "drizzle-kit 0.31", 0},
		{"with an index of later", func(t *testing.T, c *pgx.Conn) { byHand(t, c, 7, 10) }, 1, "drizzle-kit 0.31", 0},
		// That the rows are filled, no catalog proves.
		{"with everything", func(t *testing.T, c *pgx.Conn) { byHand(t, c, append([]int{2, 3}, from(5)...)...) }, 3, "drizzle-kit 0.31", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, dsn := database(t)
			byHand(t, conn, 1)
			tt.make(t, conn)
			exec(t, conn, people+`INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ('tm1', 't1', 'u1', now())`)
			m := migrator(t, dsn, migrate.Options{})
			before := everything(t, conn)
			if err := m.Up(t.Context()); !errors.Is(err, migrate.ErrForeignTables) {
				t.Errorf("up: %v", err)
			}
			dry, err := m.Adopt(t.Context(), migrate.AdoptOptions{DryRun: true})
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
				t.Fatalf("a dry run changed (-before +after):\n%s", diff)
			}
			a, err := m.Adopt(t.Context(), migrate.AdoptOptions{})
			if err != nil || a.Version != tt.version || a.Family != tt.family || len(a.Notes) != tt.notes {
				t.Fatalf("%v: %+v\n%s", err, a, a.Diff)
			}
			if diff := cmp.Diff(a, dry); diff != "" {
				t.Errorf("the dry run said otherwise (-wet +dry):\n%s", diff)
			}
			wantVersion(t, m, tt.version)
			want := all(1, newest, migrate.StatePending, all(1, tt.version, migrate.StateApplied, nil))
			if diff := cmp.Diff(want, states(status(t, m))); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			if again, err := m.Adopt(t.Context(), migrate.AdoptOptions{}); err != nil || again.Version != tt.version {
				t.Errorf("again: %v, %+v", err, again)
			}

			if err := m.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantVersion(t, m, newest)
			if v := verified(t, m); v.Family != tt.family || len(v.Notes) != tt.notes {
				t.Errorf("got %+v", v)
			}
			if diff := cmp.Diff(all(1, newest, migrate.StateApplied, nil), states(status(t, m))); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			got := collect(t, conn, `SELECT membership_key FROM team_member UNION ALL SELECT member_count::text FROM team WHERE id = 't1'`)
			if diff := cmp.Diff([]string{membershipKey("t1", "u1"), "1"}, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if a, err := m.Adopt(t.Context(), migrate.AdoptOptions{}); err != nil || a.Version != newest {
				t.Errorf("once it is up: %v, %+v", err, a)
			}
		})
	}
}

// TestRowsAreFilled although all that comes after is there already: no catalog proves that they are.
func TestRowsAreFilled(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 3)
	byHand(t, conn, 5)
	exec(t, conn, people+`INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ('tm1', 't1', 'u1', now())`)
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	verified(t, m)
	if diff := cmp.Diff([]string{membershipKey("t1", "u1")}, collect(t, conn, `SELECT coalesce(membership_key, '') FROM team_member`)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAdoptRefuses what is the schema of no version, says why, and changes nothing at all.
func TestAdoptRefuses(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	nothing := everything(t, conn)
	if _, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true}); !errors.Is(err, migrate.ErrNothingToAdopt) {
		t.Errorf("an empty database: %v", err)
	}
	if diff := cmp.Diff(nothing, everything(t, conn)); diff != "" {
		t.Fatalf("(-before +after):\n%s", diff)
	}
	byHand(t, conn, 1)
	exec(t, conn, duplicates)
	for _, tt := range []struct {
		name, do, undo string
		want           string
		superset       bool // whether that accepts it
		notes          int
	}{
		{"a missing column", `ALTER TABLE session DROP ip_address`, `ALTER TABLE session ADD ip_address text`, "missing    column session.ip_address text\n", false, 0},
		{
			"another type", `ALTER TABLE session ALTER ip_address TYPE varchar(45)`, `ALTER TABLE session ALTER ip_address TYPE text`,
			"different  column session.ip_address character varying(45)\n           wanted: text\n", false, 0,
		},
		{
			"a later column of another type", `ALTER TABLE team ADD member_count bigint NOT NULL DEFAULT 0; ALTER TABLE team_member ADD membership_key text`,
			`ALTER TABLE team DROP member_count; ALTER TABLE team_member DROP membership_key`,
			"different  column team.member_count bigint NOT NULL DEFAULT 0\n           wanted: integer NOT NULL DEFAULT 0\n", false, 0,
		},
		{
			"half a migration", `ALTER TABLE team_member ADD membership_key text`, `ALTER TABLE team_member DROP membership_key`,
			"missing    column team.member_count integer NOT NULL DEFAULT 0\n", false, 0,
		},
		{
			"a later index otherwise", `CREATE INDEX "member_organizationId_userId_uidx" ON member (role)`, `DROP INDEX "member_organizationId_userId_uidx"`,
			"different  index member.member_organizationId_userId_uidx CREATE INDEX \"member_organizationId_userId_uidx\" ON member USING btree (role)\n" +
				"           wanted: CREATE UNIQUE INDEX \"member_organizationId_userId_uidx\" ON member USING btree (organization_id, user_id)\n", false, 0,
		},
		{
			"a later table by half", `CREATE SCHEMA authdb; CREATE TABLE authdb.mark (id text PRIMARY KEY, operation text, created_at timestamp NOT NULL)`,
			`DROP SCHEMA authdb CASCADE`,
			"missing    column authdb.mark.answer text\n" +
				"missing    index authdb.mark.mark_createdAt_idx CREATE INDEX \"mark_createdAt_idx\" ON mark USING btree (created_at)\n" +
				"different  column authdb.mark.operation text\n           wanted: text NOT NULL\n", false, 0,
		},
		{"an extra column", `ALTER TABLE "user" ADD role text`, `ALTER TABLE "user" DROP role`, "extra      column user.role text\n", true, 0},
		{"an extra table", `CREATE TABLE passkey (id text)`, `DROP TABLE passkey`, "extra      table passkey\n", true, 0},
		{
			"a column that every insert must name", `ALTER TABLE account ADD issuer text; UPDATE account SET issuer = ''; ALTER TABLE account ALTER issuer SET NOT NULL`,
			`ALTER TABLE account DROP issuer`, "extra      column account.issuer text NOT NULL\n", true, 1,
		},
	} {
		exec(t, conn, tt.do)
		before := everything(t, conn)
		a, err := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
		if !errors.Is(err, migrate.ErrDrift) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, a.Diff.String()); diff != "" || len(a.Notes) != tt.notes {
			t.Errorf("%s: %s (-want +got):\n%s", tt.name, a.Notes, diff)
		}
		a, err = m.Adopt(t.Context(), migrate.AdoptOptions{Superset: true, DryRun: true})
		if tt.superset && (err != nil || len(a.Notes) != tt.notes) || !tt.superset && !errors.Is(err, migrate.ErrDrift) {
			t.Errorf("%s, superset: %v, %s", tt.name, err, a.Notes)
		}
		if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", tt.name, diff)
		}
		exec(t, conn, tt.undo)
	}
	exec(t, conn, `ALTER TABLE "user" ADD role text`)
	if a, err := m.Adopt(t.Context(), migrate.AdoptOptions{Superset: true}); err != nil || a.Version != 1 {
		t.Errorf("a superset: %v, %+v", err, a)
	}
	exec(t, conn, `UPDATE authdb.schema_migrations SET dirty = true`)
	if _, err := m.Adopt(t.Context(), migrate.AdoptOptions{}); !errors.Is(err, migrate.ErrDirty) {
		t.Errorf("dirty: %v", err)
	}
}

// TestDrizzleJournal: the rows are those that drizzle-kit 0.31 writes, and only once.
func TestDrizzleJournal(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "CREATE TABLE \"account\" ();--> statement-breakpoint\n", "ALTER TABLE é\r\n"
	hash := func(sql string) string {
		sum := sha256.Sum256([]byte(sql))
		return hex.EncodeToString(sum[:])
	}
	conn, dsn := database(t)
	byHand(t, conn, 1)
	m := migrator(t, dsn, migrate.Options{})
	before := everything(t, conn)
	adopt := func(opts migrate.AdoptOptions) ([]string, error) {
		opts.DrizzleJournal = folder
		a, err := m.Adopt(t.Context(), opts)
		return a.Journal, err
	}
	// A folder that cannot be read is noticed before anything is changed.
	for _, journal := range []string{"", "{", `{"entries":[{"when":1,"tag":"0000_gone"}]}`} {
		if journal != "" {
			write("meta/_journal.json", journal)
		}
		if _, err := adopt(migrate.AdoptOptions{Fix: true}); err == nil || !strings.Contains(err.Error(), "journal") {
			t.Errorf("%q: %v", journal, err)
		}
	}
	write("meta/_journal.json", `{"version":"7","dialect":"postgresql","entries":[
		{"idx":0,"version":"7","when":1790000000001,"tag":"0000_first","breakpoints":true},
		{"idx":1,"version":"7","when":1790000000002,"tag":"0001_second","breakpoints":true}]}`)
	write("0000_first.sql", first)
	write("0001_second.sql", second)
	if _, err := adopt(migrate.AdoptOptions{DryRun: true}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	rows := func() []string {
		return collect(t, conn, `SELECT id || ' ' || hash || ' ' || created_at FROM drizzle.__drizzle_migrations ORDER BY id`)
	}
	want := []string{"1 " + hash(first) + " 1790000000001", "2 " + hash(second) + " 1790000000002"}
	noted, err := adopt(migrate.AdoptOptions{})
	if err != nil || !slices.Equal(noted, []string{"0000_first", "0001_second"}) {
		t.Errorf("%v, %v", noted, err)
	}
	if diff := cmp.Diff(want, rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if noted, err := adopt(migrate.AdoptOptions{}); err != nil || len(noted) > 0 {
		t.Errorf("again: %v, %v", noted, err)
	}
	if diff := cmp.Diff(want, rows()); diff != "" {
		t.Errorf("rows after the second time (-want +got):\n%s", diff)
	}
	// drizzle-kit goes by the newest row alone.
	exec(t, conn, `DELETE FROM drizzle.__drizzle_migrations WHERE id = 1`)
	if noted, err := adopt(migrate.AdoptOptions{}); err != nil || len(noted) > 0 {
		t.Errorf("with the newest only: %v, %v", noted, err)
	}
	exec(t, conn, `DELETE FROM drizzle.__drizzle_migrations; INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('x', 1790000000001)`)
	if noted, err := adopt(migrate.AdoptOptions{}); err != nil || !slices.Equal(noted, []string{"0001_second"}) {
		t.Errorf("with the oldest only: %v, %v", noted, err)
	}
}

// drizzleFolder has one migration of drizzle-kit.
func drizzleFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := errors.Join(
		os.Mkdir(filepath.Join(folder, "meta"), 0o755),
		os.WriteFile(filepath.Join(folder, "meta", "_journal.json"), []byte(`{"entries":[{"when":1,"tag":"0000_first"}]}`), 0o644),
		os.WriteFile(filepath.Join(folder, "0000_first.sql"), []byte("SELECT 1"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestSchemaOfAnyName: no text is put together from it as SQL or as a format.
func TestSchemaOfAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{`x', 'y`, `%[1]d"x%`, `a"."b`, `SCHEMA.x`} {
		conn, dsn := database(t)
		exec(t, conn, `CREATE SCHEMA `+pgx.Identifier{name}.Sanitize())
		dsn = dsnWith(t, dsn, "search_path", pgx.Identifier{name}.Sanitize())
		m := migrator(t, dsn, migrate.Options{})
		err := m.Up(t.Context())
		_, fixing := m.Adopt(t.Context(), migrate.AdoptOptions{Fix: true})
		_, looking := m.Verify(t.Context(), migrate.VerifyOptions{})
		if err := errors.Join(err, fixing, looking, m.CheckTables(t.Context())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = m.Close()
		exec(t, conn, `DROP SCHEMA authdb CASCADE; SET search_path = `+pgx.Identifier{name}.Sanitize()+`;
			DROP INDEX "session_userId_idx"; DROP TABLE team_member; ALTER TABLE member DROP CONSTRAINT member_user_id_user_id_fk`)
		m = migrator(t, dsn, migrate.Options{})
		a, err := m.Adopt(t.Context(), migrate.AdoptOptions{Superset: true, Complete: true})
		if err == nil {
			err = m.Up(t.Context())
		}
		if err != nil || len(a.Complete) != 9 { // a table with a column of a later migration, an index and three keys
			t.Errorf("%s, to adopt: %v, %d statements", name, err, len(a.Complete))
		}
		verified(t, m)
	}
}
