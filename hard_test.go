package authdb_test

import (
	"os"
	"testing"
)

// hard chooses the size of a test: make test/hard runs the full one.
func hard(t testing.TB, ci, full int) int {
	t.Helper()
	if os.Getenv("AUTHDB_HARD") != "" {
		return full
	}
	return ci
}
