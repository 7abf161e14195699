package faults_test

import (
	"os"
	"testing"
)

// size is how much is tried: a sample as part of make test, the usual size of make test/faults, or the full one.
type size struct {
	workers            int
	ways               int          // in which each write is cut, of all there are
	guess              int          // messages of each side that are cut, where it is too long to count them first
	cuts               [flavors]int // of each write in each way; -n is one in every n-th way
	crashes            int
	failovers, lagging int // to a synchronous standby, and to one that lags
	modes              int // of pgx, in which each write meets each limit of the server
	pooled             int // rounds of each of many workers behind PgBouncer
}

func sizeOf(t *testing.T) size {
	t.Helper()
	const all = 100
	switch name := os.Getenv("AUTHDB_FAULTS"); name {
	case "":
		return size{workers: 2, ways: 1, guess: 8, cuts: [flavors]int{-2, 1, -2, -3}, crashes: 1, failovers: 1, lagging: 1, pooled: 2, modes: 1}
	case "usual":
		return size{workers: 4, ways: all, cuts: [flavors]int{1, 2, 1, -4}, crashes: 6, failovers: 2, lagging: 1, pooled: 25, modes: 1}
	case "full":
		return size{workers: 4, ways: all, cuts: [flavors]int{12, 12, 5, 1}, crashes: 50, failovers: 10, lagging: 5, pooled: 500, modes: 5}
	default:
		t.Fatalf("AUTHDB_FAULTS=%s: must be usual or full", name)
		return size{}
	}
}
