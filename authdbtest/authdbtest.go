// Package authdbtest helps to test code that uses authdb against a real PostgreSQL: [New] gives a test a store on a
// database of its own, and a factory per table makes the rows that the test is not about.
//
//	func TestInvite(t *testing.T) {
//		store := authdbtest.New(t)
//		org := authdbtest.Organization(t, store)
//		...
//	}
//
// Tables of the tests' own go into the template, by [WithSchema].
//
// The server is the one that DATABASE_URL names, whose role must be allowed to create databases. Without it, one
// starts from the PostgreSQL installed on the machine, or from a download that is kept; it ends with the test process.
package authdbtest

import (
	"context"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/testdb"
)

// New returns a store on a fresh, migrated database that no other test sees, and closes it when the test ends; its Pool is
// there for DDL of the test's own. It fails the test if there is no PostgreSQL, or if a connection is still in use some
// seconds after the test has ended.
func New(t testing.TB, opts ...authdb.Option) *authdb.Store {
	t.Helper()
	return open(t, DSN(t), opts)
}

func open(t testing.TB, dsn string, opts []authdb.Option) *authdb.Store {
	t.Helper()
	// A test server need not speak TLS, wherever it runs.
	store, err := authdb.Open(t.Context(), dsn, append([]authdb.Option{authdb.WithInsecureTLS()}, opts...)...)
	if err != nil {
		t.Fatalf("authdbtest: %v", err)
	}
	t.Cleanup(func() { closeIn(t, store.Close, patience) })
	return store
}

// patience is how long a test may go on using the connections of its store when it has ended.
const patience = 10 * time.Second

func closeIn(t testing.TB, closeStore func(), patience time.Duration) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		closeStore()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Errorf("authdbtest: a connection is still in use: rows or a transaction that nobody has closed")
	}
}

// DSN returns the DSN of a fresh, migrated database, for tests that open it themselves. On the server of DATABASE_URL
// the database is dropped when the test ends, but kept and named in the log when it failed.
func DSN(t testing.TB) string {
	t.Helper()
	return dsn(t, testdb.Migrated)
}

func dsn(t testing.TB, create func(context.Context) (*testdb.Database, error)) string {
	t.Helper()
	db, err := create(t.Context())
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
