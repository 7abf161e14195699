// Package authdbtest helps to test code that uses authdb against a real PostgreSQL: [New] gives a test a store on a
// database of its own, and a factory per table makes the rows that the test is not about.
//
//	func TestInvite(t *testing.T) {
//		store := authdbtest.New(t)
//		org := authdbtest.Organization(t, store)
//		...
//	}
//
// The server is the one that DATABASE_URL names, whose role must be allowed to create databases. Without it, one
// starts from the PostgreSQL installed on the machine, or from a download that is kept; it ends with the test process.
package authdbtest

import (
	"context"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/testdb"
)

// New returns a store on a fresh, migrated database that no other test sees, and closes it when the test ends. It
// fails the test if there is no PostgreSQL.
func New(t testing.TB, opts ...authdb.Option) *authdb.Store {
	t.Helper()
	// A test server need not speak TLS, wherever it runs.
	store, err := authdb.Open(t.Context(), DSN(t), append([]authdb.Option{authdb.WithInsecureTLS()}, opts...)...)
	if err != nil {
		t.Fatalf("authdbtest: %v", err)
	}
	t.Cleanup(store.Close)
	return store
}

// DSN returns the DSN of a fresh, migrated database, for tests that open it themselves. On the server of DATABASE_URL
// the database is dropped when the test ends, but kept and named in the log when it failed.
func DSN(t testing.TB) string {
	t.Helper()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatalf("authdbtest: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() && !db.Private() {
			t.Logf("authdbtest: kept database %s", db.Name)
			return
		}
		// t.Context is over by now.
		if err := db.Drop(context.Background()); err != nil {
			t.Errorf("authdbtest: drop %s: %v", db.Name, err)
		}
	})
	return db.DSN
}
