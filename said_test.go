package authdb_test

import (
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestNothingIsSaidTwice where a connection fails in several ways; canaries look at each error that they see.
func TestNothingIsSaidTwice(t *testing.T) {
	t.Parallel()
	if kit.SaidTwice("a: connection refused; b: connection refused") != "" || kit.SaidTwice("connection refused\n\tconnection refused") == "" ||
		kit.SaidTwice("authdb: run migrate up: x: run migrate up") == "" {
		t.Error("the look for it sees what is not there, or nothing")
	}
	for _, dsn := range []string{
		"", "postgres://ada:x@127.0.0.1:1/x", "postgres://ada:x@127.0.0.1:1/x?sslmode=prefer&connect_timeout=2", "host=/nonexistent user=ada",
		"postgres://ada@localhost:1,localhost:2/x", "postgres://ada@127.0.0.1:1,127.0.0.1:2,127.0.0.1:1/x?sslmode=allow",
		"postgres://ada@db.invalid,db.invalid/x", "postgres://ada@127.0.0.1:many/x", "host=127.0.0.1 port=1 sslrootcert=/nowhere",
		"postgres://ada@db.example.com/x?sslmode=disable",
	} {
		store, err := authdb.Open(t.Context(), dsn)
		if err == nil { // the environment of the tests names a server
			store.Close()
			continue
		}
		if twice := kit.SaidTwice(err.Error()); twice != "" {
			t.Errorf("%q is said twice in %v", twice, err)
		}
	}
}
