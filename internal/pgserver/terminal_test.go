//go:build linux

package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoTerminal: neither the server nor what it is made with is in the session of the caller, whose terminal the
// server's user could type into as its owner; and all that the server has started still ends with it.
func TestNoTerminal(t *testing.T) {
	s := start(t, Options{})
	if got := session(t, s.PID()); got != s.PID() {
		t.Errorf("the server %d is in session %d", s.PID(), got)
	}
	cmd := helper(testContext(t), s.by.as, "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if got := session(t, cmd.Process.Pid); got != cmd.Process.Pid {
		t.Errorf("the helper %d is in session %d", cmd.Process.Pid, got)
	}
	killGroup(cmd.Process)
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
}

func session(t *testing.T, pid int) (session int) {
	t.Helper()
	id, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return int(id)
}

// TestKeptCluster is none that another user could have written to.
func TestKeptCluster(t *testing.T) {
	s := start(t, Options{})
	kept := s.by.keptCluster()
	if _, err := os.Stat(kept); (err != nil) != s.by.as.other {
		t.Errorf("%q: %v", kept, err)
	}
	if other := (&launcher{as: account{other: true}}).keptCluster(); other != "" {
		t.Errorf("got %s", other)
	}
}

// TestLogDoesNotAct on the terminal, nor is all of it read.
func TestLogDoesNotAct(t *testing.T) {
	log, err := os.Create(filepath.Join(t.TempDir(), logName))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l := &launcher{log: log}
	if got := l.logTail(); got != "" {
		t.Errorf("got %q", got)
	}
	_, err = fmt.Fprint(log, strings.Repeat("long ago\n", 10_000), strings.Repeat("x", 100_000), "\nFATAL: \x1b]0;owned\a\u009b2J\r!\n\n")
	if got := l.logTail(); err != nil || len(got) > 10_000 || !strings.HasSuffix(got, "\n\tFATAL: \\x1b]0;owned\\a\\u009b2J\\r!") {
		t.Errorf("%d bytes: %.200q, %v", len(got), got[max(0, len(got)-200):], err)
	}
}
