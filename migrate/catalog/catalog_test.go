package catalog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/migrate/catalog"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	same := catalog.Fact{Kind: "table", Name: "user"}
	column := catalog.Fact{Kind: "column", Name: "user.id", Def: "text NOT NULL"}
	other := catalog.Fact{Kind: "column", Name: "user.id", Def: "uuid NOT NULL"}
	gone := catalog.Fact{Kind: "index", Name: "user.i", Def: "CREATE INDEX i"}
	fresh := catalog.Fact{Kind: "constraint", Name: "user.i", Def: "UNIQUE (i)"} // of the same name, another kind
	d := catalog.Compare([]catalog.Fact{same, column, gone}, []catalog.Fact{fresh, same, other})
	want := catalog.Diff{
		Missing: []catalog.Fact{gone}, Extra: []catalog.Fact{fresh}, Different: []catalog.Change{{Want: column, Got: other}},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const text = "missing    index user.i CREATE INDEX i\nextra      constraint user.i UNIQUE (i)\n" +
		"different  column user.id uuid NOT NULL\n           wanted: text NOT NULL\n"
	if diff := cmp.Diff(text, d.String()); diff != "" || d.Empty() {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.WithoutExtra().Empty() || len(d.WithoutExtra().Extra) > 0 || len(d.Extra) != 1 {
		t.Errorf("without extra: %+v", d.WithoutExtra())
	}
	if none := catalog.Compare(nil, nil); !none.Empty() || none.String() != "" || none.Missing == nil || none.Extra == nil || none.Different == nil {
		t.Errorf("got %+v", none)
	}
	if same.String() != "table user" {
		t.Errorf("got %s", same)
	}
}

func TestMinusAndContains(t *testing.T) {
	t.Parallel()
	a, b := catalog.Fact{Kind: "table", Name: "a"}, catalog.Fact{Kind: "column", Name: "a.b", Def: "text"}
	otherwise := catalog.Fact{Kind: "column", Name: "a.b", Def: "uuid"}
	both := []catalog.Fact{a, b}
	if diff := cmp.Diff([]catalog.Fact{b}, catalog.Minus(both, []catalog.Fact{a, otherwise})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]catalog.Fact{a, b}, both); diff != "" {
		t.Errorf("the argument was changed:\n%s", diff)
	}
	if !catalog.Contains(both, []catalog.Fact{b}) || catalog.Contains(both, []catalog.Fact{otherwise}) || !catalog.Contains(nil, nil) {
		t.Error("contains")
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	constraint := func(name string) catalog.Fact { return catalog.Fact{Kind: "constraint", Name: name, Def: "d"} }
	want := []catalog.Fact{constraint("t.a_unique"), constraint("t.b_fk"), {Kind: "index", Name: "t.i_unique"}}
	for _, tt := range []struct {
		name   string
		got    []catalog.Fact
		facts  []catalog.Fact
		family string
	}{
		{"A", want, want, catalog.FamilyA},
		{"B", []catalog.Fact{constraint("t.a_key"), constraint("t.b_fkey")}, want[:2], catalog.FamilyB},
		{"some of each", []catalog.Fact{constraint("t.a_unique"), constraint("t.b_fkey")}, want[:2], catalog.FamilyB},
		{"both names", []catalog.Fact{constraint("t.a_key"), constraint("t.a_unique")}, []catalog.Fact{constraint("t.a_key"), constraint("t.a_unique")}, catalog.FamilyA},
		{"a name that nobody wants", []catalog.Fact{constraint("t.c_key")}, []catalog.Fact{constraint("t.c_key")}, catalog.FamilyA},
		{"an index", []catalog.Fact{{Kind: "index", Name: "t.a_key"}}, []catalog.Fact{{Kind: "index", Name: "t.a_key"}}, catalog.FamilyA},
	} {
		facts, family := catalog.Normalize(tt.got, want)
		if diff := cmp.Diff(tt.facts, facts); diff != "" || family != tt.family {
			t.Errorf("%s: %s (-want +got):\n%s", tt.name, family, diff)
		}
	}
}

// TestReadNamesNoSchema: the same tables in two schemas have the same facts, and text is left as it is, even where the
// schema's name is in it. So have those of two schemas that stand in for authdb's own, searched or not.
func TestReadNamesNoSchema(t *testing.T) {
	t.Parallel()
	db, err := testdb.Empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close(context.Background())
		_ = db.Drop(context.Background())
	})
	var before []catalog.Fact
	for _, schema := range []string{"app", `A "b".c`} {
		quoted, own := pgx.Identifier{schema}.Sanitize(), pgx.Identifier{schema + " own"}.Sanitize()
		path := quoted + ", public"
		if before != nil {
			path += ", " + own
		}
		if _, err := conn.Exec(t.Context(), `CREATE SCHEMA `+quoted+`; CREATE SCHEMA `+own+`; SET search_path = `+path+`;
			CREATE TABLE `+own+`.a (id text PRIMARY KEY, name text DEFAULT 'app own.x'); CREATE INDEX j ON `+own+`.a (name);
			CREATE TABLE `+own+`."t ""u" (id text); CREATE INDEX k ON `+own+`."t ""u" (id) WHERE id <> 'app own.';
			CREATE TABLE `+own+`.schema_migrations (id text); CREATE TABLE `+own+`.schema_history (id text);
			CREATE TYPE mood AS ENUM ('fine'); CREATE DOMAIN slug AS text COLLATE "C";
			CREATE TABLE a (id serial PRIMARY KEY, m mood DEFAULT 'fine', s slug, name text DEFAULT 'app.x "A ""b"".c".y', CHECK (m::text <> 'app.'));
			CREATE TABLE b (a_id int REFERENCES a (id), other text COLLATE "C", CONSTRAINT one EXCLUDE USING btree (a_id WITH =));
			CREATE INDEX i ON b (lower(other)) WHERE other <> 'app.';
			CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$;
			CREATE TRIGGER g BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION f();
			CREATE TABLE parts (id int) PARTITION BY RANGE (id); CREATE VIEW v AS SELECT 1`); err != nil {
			t.Fatal(err)
		}
		facts, err := catalog.Read(t.Context(), conn, schema, schema+" own")
		if err != nil {
			t.Fatal(err)
		}
		want := catalog.Sort([]catalog.Fact{
			{Kind: "table", Name: "a"},
			{Kind: "table", Name: "b"},
			{Kind: "table", Name: "parts", Def: "PARTITION BY RANGE (id)"},
			{Kind: "column", Name: "a.id", Def: "integer NOT NULL DEFAULT nextval('a_id_seq'::regclass)"},
			{Kind: "column", Name: "a.m", Def: "mood DEFAULT 'fine'::mood"},
			{Kind: "column", Name: "a.s", Def: "slug"},
			{Kind: "column", Name: "a.name", Def: `text DEFAULT 'app.x "A ""b"".c".y'::text`},
			{Kind: "column", Name: "b.a_id", Def: "integer"},
			{Kind: "column", Name: "b.other", Def: `text COLLATE "C"`},
			{Kind: "column", Name: "parts.id", Def: "integer"},
			{Kind: "constraint", Name: "a.a_pkey", Def: "PRIMARY KEY (id)"},
			{Kind: "constraint", Name: "a.a_m_check", Def: "CHECK (((m)::text <> 'app.'::text))"},
			{Kind: "constraint", Name: "b.b_a_id_fkey", Def: "FOREIGN KEY (a_id) REFERENCES a(id)"},
			{Kind: "constraint", Name: "b.one", Def: "EXCLUDE USING btree (a_id WITH =)"},
			{Kind: "index", Name: "b.i", Def: "CREATE INDEX i ON b USING btree (lower(other)) WHERE other <> 'app.'::text"},
			{Kind: "trigger", Name: "b.g", Def: "CREATE TRIGGER g BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION f()"},
			{Kind: "table", Name: "authdb.a"},
			{Kind: "table", Name: `authdb.t "u`},
			{Kind: "column", Name: "authdb.a.id", Def: "text NOT NULL"},
			{Kind: "column", Name: "authdb.a.name", Def: "text DEFAULT 'app own.x'::text"},
			{Kind: "column", Name: `authdb.t "u.id`, Def: "text"},
			{Kind: "constraint", Name: "authdb.a.a_pkey", Def: "PRIMARY KEY (id)"},
			{Kind: "index", Name: "authdb.a.j", Def: "CREATE INDEX j ON a USING btree (name)"},
			{Kind: "index", Name: `authdb.t "u.k`, Def: `CREATE INDEX k ON "t ""u" USING btree (id) WHERE id <> 'app own.'::text`},
		})
		if diff := cmp.Diff(want, facts); diff != "" {
			t.Errorf("schema %s (-want +got):\n%s", schema, diff)
		}
		if before != nil && !catalog.Compare(before, facts).Empty() {
			t.Errorf("schema %s:\n%s", schema, catalog.Compare(before, facts))
		}
		before = facts
	}
	if _, err := conn.Exec(t.Context(), "SET search_path = nowhere"); err != nil {
		t.Fatal(err)
	}
	if facts, err := catalog.Read(t.Context(), conn, "nowhere", "nowhere"); err != nil || len(facts) > 0 {
		t.Errorf("no schema: %v, %v", facts, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := catalog.Read(ctx, conn, "public", catalog.Own); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
