package authdb_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/zerostarter/authdb"
)

// saidTwice is a part of a text that stands there twice, between colons: of one attempt, or all of an attempt; empty if
// there is none. A word or two may come again.
func saidTwice(text string) string {
	seen := map[string]bool{}
	for _, attempt := range regexp.MustCompile(`; |\s*\n\s*`).Split(text, -1) {
		if seen[attempt] && len(attempt) > 12 {
			return attempt
		}
		seen[attempt] = true
		within := map[string]bool{}
		for part := range strings.SplitSeq(attempt, ": ") {
			if within[part] && len(part) > 12 {
				return part
			}
			within[part] = true
		}
	}
	return ""
}

// TestNothingIsSaidTwice where a connection fails in several ways; canaries look at each error that they see.
func TestNothingIsSaidTwice(t *testing.T) {
	t.Parallel()
	if saidTwice("a: connection refused; b: connection refused") != "" || saidTwice("connection refused\n\tconnection refused") == "" ||
		saidTwice("authdb: run migrate up: x: run migrate up") == "" {
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
		if twice := saidTwice(err.Error()); twice != "" {
			t.Errorf("%q is said twice in %v", twice, err)
		}
	}
}
