package migrations_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb/db/migrations"
)

// folder is one of these files; an empty text takes a file of the two good migrations away.
func folder(changes map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, sql := range map[string]string{
		"0001_one.up.sql": "CREATE TABLE one (id text);", "0001_one.down.sql": "DROP TABLE one;",
		"0002_two.up.sql":   "-- The index; alone.\nCREATE UNIQUE INDEX CONCURRENTLY \"two\" ON \"one\" USING btree (\"id\", \"x\");\n",
		"0002_two.down.sql": "DROP INDEX CONCURRENTLY \"two\"",
	} {
		m[name] = &fstest.MapFile{Data: []byte(sql)}
	}
	for name, sql := range changes {
		m[name] = &fstest.MapFile{Data: []byte(sql)}
		if sql == "" {
			delete(m, name)
		}
	}
	return m
}

func sum(s string) string {
	digest := sha256.Sum256([]byte(s))
	return hex.EncodeToString(digest[:])
}

// TestCarriageReturns: a checkout with other line ends has the same migrations.
func TestCarriageReturns(t *testing.T) {
	t.Parallel()
	crlf := fstest.MapFS{}
	names, err := fs.Glob(migrations.FS, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if name != "migrations.go" {
			crlf[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(content), "\n", "\r\n"))}
		}
	}
	want, err1 := migrations.Read(migrations.FS)
	got, err2 := migrations.Read(crlf)
	if diff := cmp.Diff(want, got); diff != "" || err1 != nil || err2 != nil {
		t.Errorf("%v, %v (-LF +CRLF):\n%s", err1, err2, diff)
	}
	if faults, err := migrations.Check(crlf); err != nil || len(faults) > 0 {
		t.Errorf("%v, %+v", err, faults)
	}
}

func TestReleasedMigrationsAreFine(t *testing.T) {
	t.Parallel()
	faults, err := migrations.Check(migrations.FS)
	if err != nil || len(faults) > 0 || faults == nil {
		t.Errorf("%v, %+v", err, faults)
	}
}

// TestSumsListEveryFile: one that is not listed could be edited, and nobody would notice.
func TestSumsListEveryFile(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, name := range names {
		content, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		want.WriteString(sum(string(content)) + "  " + name + "\n")
	}
	got, err := fs.ReadFile(migrations.FS, migrations.Sums)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("%s, which is: sha256sum *.sql (-want +got):\n%s", migrations.Sums, diff)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	list, err := migrations.Read(folder(map[string]string{"0002_two.down.sql": ""}))
	if err != nil {
		t.Fatal(err)
	}
	want := []migrations.Migration{
		{Version: 1, Name: "0001_one", Up: "CREATE TABLE one (id text);", Down: "DROP TABLE one;"},
		{
			Version: 2, Name: "0002_two", Up: list[1].Up,
			Index: &migrations.Index{Name: `"two"`, Table: `"one"`, Columns: `"id", "x"`, Unique: true},
		},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if list[0].Sum() != sum("CREATE TABLE one (id text);") {
		t.Errorf("got %s", list[0].Sum())
	}
	if list, err := migrations.Read(folder(map[string]string{"10_ten.up.sql": "SELECT 1", "9_nine.up.sql": "SELECT 1"})); err != nil || list[3].Version != 10 {
		t.Errorf("by number: %v, %+v", err, list)
	}
	for _, name := range []string{"one.up.sql", "0001-one.up.sql", "99999999999999999999_big.up.sql"} {
		if _, err := migrations.Read(folder(map[string]string{name: "SELECT 1"})); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	sums := sum("CREATE TABLE one (id text);") + "  0001_one.up.sql\n"
	for _, tt := range []struct {
		name    string
		changes map[string]string
		want    []migrations.Fault
	}{
		{"nothing", nil, []migrations.Fault{}},
		{"a released file as it was", map[string]string{migrations.Sums: sums}, []migrations.Fault{}},
		{"a gap", map[string]string{"0004_four.up.sql": "SELECT 1", "0004_four.down.sql": "SELECT 1"}, []migrations.Fault{
			{File: "0004_four.up.sql", Reason: "a number is left out before it"},
		}},
		{"a late start", map[string]string{"0001_one.up.sql": "", "0001_one.down.sql": ""}, []migrations.Fault{
			{File: "0002_two.up.sql", Reason: "a number is left out before it"},
		}},
		{"a double", map[string]string{"0002_twice.up.sql": "SELECT 1", "0002_twice.down.sql": "SELECT 1"}, []migrations.Fault{
			{File: "0002_two.up.sql", Reason: "another migration has this number"},
		}},
		{"three digits", map[string]string{"003_three.up.sql": "SELECT 1", "003_three.down.sql": "SELECT 1"}, []migrations.Fault{
			{File: "003_three.up.sql", Reason: "the number has not four digits"},
		}},
		{"no down", map[string]string{"0002_two.down.sql": ""}, []migrations.Fault{{File: "0002_two.down.sql", Reason: "missing or empty"}}},
		{"no up", map[string]string{"0003_three.down.sql": "SELECT 1"}, []migrations.Fault{{File: "0003_three.down.sql", Reason: "no up file"}}},
		{
			"CONCURRENTLY in company",
			map[string]string{
				"0002_two.up.sql":   "DROP INDEX IF EXISTS two; CREATE INDEX CONCURRENTLY two ON one (id)",
				"0002_two.down.sql": "DROP INDEX CONCURRENTLY two;\n-- and\nSELECT 1;",
			},
			[]migrations.Fault{
				{File: "0002_two.down.sql", Reason: "CONCURRENTLY must be alone in its file"},
				{File: "0002_two.up.sql", Reason: "CONCURRENTLY must be alone in its file"},
			},
		},
		{"an edited file", map[string]string{migrations.Sums: sums, "0001_one.up.sql": "CREATE TABLE one (id uuid);"}, []migrations.Fault{
			{File: "0001_one.up.sql", Reason: "edited after its release"},
		}},
		{"a released file that is gone", map[string]string{migrations.Sums: sums + sum("") + "  0001_gone.down.sql\n"}, []migrations.Fault{
			{File: "0001_gone.down.sql", Reason: "released, but missing"},
		}},
	} {
		faults, err := migrations.Check(folder(tt.changes))
		if diff := cmp.Diff(tt.want, faults); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
	for name, changes := range map[string]map[string]string{
		"no sum":       {migrations.Sums: "0001_one.up.sql\n"},
		"a short sum":  {migrations.Sums: "abc  0001_one.up.sql\n"},
		"a bad number": {"x_one.up.sql": "SELECT 1"},
	} {
		if faults, err := migrations.Check(folder(changes)); err == nil {
			t.Errorf("%s: %+v", name, faults)
		}
	}
}

// broken is a folder that cannot be read, or has files that cannot.
type broken struct {
	fstest.MapFS
	name string
}

func (b broken) Open(name string) (fs.File, error) {
	if name == b.name {
		return nil, errors.New("disk on fire")
	}
	return b.MapFS.Open(name)
}

func (b broken) ReadFile(name string) ([]byte, error) {
	if name == b.name {
		return nil, errors.New("disk on fire")
	}
	return b.MapFS.ReadFile(name)
}

func TestUnreadableFolder(t *testing.T) {
	t.Parallel()
	if _, err := migrations.Read(broken{folder(nil), "0001_one.up.sql"}); err == nil {
		t.Error("a file that cannot be read")
	}
	if faults, err := migrations.Check(broken{folder(nil), "0001_one.down.sql"}); err != nil || !slices.Contains(faults, migrations.Fault{File: "0001_one.down.sql", Reason: "missing or empty"}) {
		t.Errorf("a down file that cannot be read: %v, %+v", err, faults)
	}
}
