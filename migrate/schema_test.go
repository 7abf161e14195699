package migrate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb/migrate"
)

// TestSchemaIsWhatUpMakes, on an empty database and in one transaction.
func TestSchemaIsWhatUpMakes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, up := empty(t)
	if err := up.Up(ctx); err != nil {
		t.Fatal(err)
	}
	want, err := migrate.Live(ctx, up)
	if err != nil {
		t.Fatal(err)
	}
	conn, m := empty(t)
	sql, err := migrate.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
	got, err := migrate.Live(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 100 {
		t.Errorf("%d facts (-want +got):\n%s", len(got), diff)
	}
}
