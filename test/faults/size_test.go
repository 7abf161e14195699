package faults_test

import (
	"os"
	"testing"
	"time"
)

// size is how much is tried: a sample as part of make test, the usual size of make test/faults, or the full one.
type size struct {
	workers            int
	ways               int          // in which each write is cut, of all there are
	guess              int          // messages of each side that are cut, where it is too long to count them first
	cuts               [flavors]int // of each write in each way; -n is one in every n-th way
	crashes            int
	failovers, lagging int // to a synchronous standby, and to one that lags
	each               int // n-th write meets each limit of the server,
	modes              int // in so many modes of pgx
	pooled             int // rounds of each of many workers behind PgBouncer
	rounds             int // of servers whose clocks are wrong
	soakers            int
	soak               time.Duration
}

const all = 100

var sizes = map[string]size{
	"": {
		workers: 2, ways: 1, guess: 8, cuts: [flavors]int{-2, 1, -2, -3}, crashes: 1, failovers: 1, lagging: 1,
		rounds: 20, each: 16, modes: 1, pooled: 2, soakers: 8, soak: 2 * time.Second,
	},
	"usual": {
		workers: 4, ways: all, cuts: [flavors]int{2, 3, 2, -4}, crashes: 6, failovers: 3, lagging: 1,
		rounds: 200, each: 1, modes: 1, pooled: 25, soakers: 16, soak: 40 * time.Second,
	},
	"full": {
		workers: 4, ways: all, cuts: [flavors]int{16, 18, 9, 2}, crashes: 50, failovers: 10, lagging: 5,
		rounds: 5_000, each: 1, modes: 2, pooled: 500, soakers: 32, soak: 10 * time.Minute,
	},
}

func sizeOf(t *testing.T) size {
	t.Helper()
	s, ok := sizes[os.Getenv("AUTHDB_FAULTS")]
	if !ok {
		t.Fatalf("AUTHDB_FAULTS=%s: must be usual or full", os.Getenv("AUTHDB_FAULTS"))
	}
	return s
}
