package authdbtest_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

var billing = authdbtest.WithSchema(
	`CREATE TABLE billing_customer (user_id text PRIMARY KEY REFERENCES "user" (id) ON DELETE CASCADE, plan text NOT NULL)`,
	`CREATE INDEX ON billing_customer (plan); CREATE SEQUENCE runs; SELECT nextval('runs')`)

// ExampleWithSchema tests code that has a table of its own beside authdb's. In a program, the function is a test.
func ExampleWithSchema() {
	_ = func(t *testing.T) { // func TestBilling(t *testing.T) {
		store := billing.New(t) // billing is a variable of the package: var billing = authdbtest.WithSchema(schemaSQL)
		user := authdbtest.User(t, store)
		if err := store.InTx(t.Context(), func(tx *authdb.Store) error {
			_, err := tx.Tx().Exec(t.Context(), `INSERT INTO billing_customer VALUES ($1, 'free')`, user.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	// Output:
}

// TestWithSchema: the statements run once, each test has a database of its own, and nobody can hold the template.
func TestWithSchema(t *testing.T) {
	t.Parallel()
	for range 3 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			store := billing.New(t)
			user := authdbtest.User(t, store)
			var runs, rows int
			err := store.Pool().QueryRow(t.Context(), `WITH added AS (INSERT INTO billing_customer VALUES ($1, 'free') RETURNING 1)
				SELECT (SELECT last_value FROM runs), (SELECT count(*) FROM added) + (SELECT count(*) FROM billing_customer)`,
				user.ID).Scan(&runs, &rows)
			if err != nil || runs != 1 || rows != 1 {
				t.Errorf("run %d times, %d rows: %v", runs, rows, err)
			}
		})
	}
}

// TestSchemasAreSeveral: other texts are another schema; one with an error says which text it is in, each time, and leaves
// nothing that a later one would believe.
func TestSchemasAreSeveral(t *testing.T) {
	t.Parallel()
	name := "t_" + strings.ToLower(rand.Text())
	for want, sql := range [][]string{
		{}, {"CREATE TABLE " + name + " (a int); SELECT 1", "SELECT 2"}, {"CREATE TABLE " + name + " (a int, b int)", "SELECT 2"},
	} {
		var columns int
		store := authdbtest.WithSchema(sql...).New(t)
		err := store.Pool().QueryRow(t.Context(),
			`SELECT count(*) FROM information_schema.columns WHERE table_name = $1`, name).Scan(&columns)
		if err != nil || columns != want {
			t.Errorf("%q: %d columns, %v", sql, columns, err)
		}
	}
	for range 2 {
		r := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }()
			authdbtest.WithSchema("SELECT 1", "CREATE TABLE "+name+" (nonsense)").DSN(r)
		}()
		if !strings.Contains(r.says, "text 2") || !strings.Contains(r.says, "42601") {
			t.Errorf("it says %q", r.says)
		}
	}
}

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	says string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.says = fmt.Sprintf(format, args...)
	panic(r.says)
}
