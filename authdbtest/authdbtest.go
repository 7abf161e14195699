// Package authdbtest helps to test code that uses authdb on a real PostgreSQL: [New] gives a test a store on its own
// database, and a factory for each table makes the rows that the test is not about.
//
//	func TestInvite(t *testing.T) {
//		store := authdbtest.New(t)
//		org := authdbtest.Organization(t, store)
//		...
//	}
//
// [WithSchema] adds the tests' own tables to the template.
//
// The PostgreSQL is the one that DATABASE_URL names, whose role must be allowed to create databases. Without it, the
// one installed on the machine is started, or a download that is kept; it ends with the test process.
package authdbtest

import (
	"context"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/testdb"
)

// New returns a store on a fresh, migrated database that no other test sees, and closes it when the test ends. Its Pool
// can run the test's own DDL. New fails the test if there is no PostgreSQL, or if a connection is still in use some
// seconds after the test has ended.
func New(t testing.TB, opts ...authdb.Option) *authdb.Store {
	t.Helper()
	return open(t, DSN(t), opts)
}

func open(t testing.TB, dsn string, opts []authdb.Option) *authdb.Store {
	t.Helper()
	// A PostgreSQL for tests need not have TLS, wherever it runs.
	store, err := authdb.Open(t.Context(), dsn, append([]authdb.Option{authdb.WithInsecureTLS()}, opts...)...)
	if err != nil {
		t.Fatalf("authdbtest: %v", err)
	}
	t.Cleanup(func() { closeIn(t, store.Close, patience) })
	return store
}

// patience is how long a test may go on using its store's connections after it has ended.
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

// DSN returns the DSN of a fresh, migrated database, for tests that open it themselves. If DATABASE_URL is set, the
// database is dropped when the test ends, or kept and named in the log if the test failed.
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
