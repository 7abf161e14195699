package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zerostarter/authdb/internal/pgserver"
)

// TestCrashes lets a server crash under writes that are to be done once: what was reported as done is there once, what
// was reported as not done is not there, and Resolve tells of the rest. Whoever does again what ended with an error, the
// control, does it twice.
func TestCrashes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := private(t)
	setUpLoad(t, server)
	l := newLoad(t, server.DSN(), "crash")
	l.busy(t)
	var longest time.Duration
	twice := func() (n int) { // of the control
		for _, done := range counts(t, server, `SELECT what, count(*) FROM watch.naive GROUP BY what`) {
			n += max(0, done-1)
		}
		return n
	}
	// A crash may meet the control between two calls: then there are more.
	for n := 0; n < sizeOf(t).crashes || n < 20 && twice() == 0; n++ {
		_ = sleep(ctx, rand.N(20*pause))
		l.faults.Add(1)
		if err := server.Crash(ctx, []pgserver.Crash{pgserver.Immediate, pgserver.Kill}[n%2]); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, l.busy(t))
	}
	total := l.judge(t, server)
	record(t, "crashes of the server under 16 workers", l.faults.Load())
	l.record(t, total, longest)
	if total[naiveTwice] == 0 {
		t.Error("the control does no harm")
	}
}
