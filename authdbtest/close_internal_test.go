package authdbtest

import (
	"testing"
	"time"
)

// record is a test that fails without failing this one.
type record struct {
	testing.TB
	failed bool
}

func (r *record) Helper()               {}
func (r *record) Errorf(string, ...any) { r.failed = true }

// TestLeakedConnection fails the test that has it, and keeps nobody waiting.
func TestLeakedConnection(t *testing.T) {
	t.Parallel()
	store := New(t)
	conn, err := store.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leaks, sound := &record{TB: t}, &record{TB: t}
	closeIn(leaks, store.Close, time.Millisecond)
	conn.Release()
	closeIn(sound, store.Close, time.Minute)
	if !leaks.failed || sound.failed {
		t.Errorf("leaked: %v, closed: %v", leaks.failed, sound.failed)
	}
}
