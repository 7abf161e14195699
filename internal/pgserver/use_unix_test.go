//go:build unix && !aix && !solaris

package pgserver

import (
	"syscall"
	"testing"
)

// TestMarkIsKept: the server has its log from this process, and so may unlock it; its directory stays in use all the same.
func TestMarkIsKept(t *testing.T) {
	s := start(t, Options{})
	if err := syscall.Flock(int(s.by.log.Fd()), syscall.LOCK_UN); err != nil { // which is as if the server did
		t.Fatal(err)
	}
	if abandoned(aged(t, s.Dir())) {
		t.Error("the directory of a live server counts as abandoned")
	}
}
