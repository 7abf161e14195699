package pgserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestStopRemovesEverything(t *testing.T) {
	s := start(t, Options{})
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if alive(s.PID()) {
		t.Error("the server still runs")
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", s.Dir(), err)
	}
}

func TestServerEndsWithItsKilledParent(t *testing.T) {
	parent, pid, dir := runChild(t, "plain")
	if !alive(pid) {
		t.Fatal("the server does not run")
	}
	if abandoned(dir, serverAccount()) {
		t.Error("the directory of a live server counts as abandoned")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "the end of the server", func() bool { return !alive(pid) })
}

func TestKeptServerOutlivesItsParent(t *testing.T) {
	parent, pid, dir := runChild(t, "keep")
	if err := parent.Wait(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		requestStop("", filepath.Join(dir, dataName), pid, "immediate")
		eventually(t, "the end of the server", func() bool { return !alive(pid) })
	}()
	ask(t, socketDSN(dir, defaultPort), "select 'still there'")
	if abandoned(dir, serverAccount()) {
		t.Error("the directory of a live server counts as abandoned")
	}
}

func TestSweep(t *testing.T) {
	const nobody = "999999999"
	self := strconv.Itoa(os.Getpid())
	long := time.Now().Add(-2 * youth)
	for name, c := range map[string]struct {
		launcher, postmaster string
		made                 time.Time
		stays                bool
	}{
		"both dead":             {nobody, nobody, time.Now(), false},
		"old without server":    {nobody, "", long, false},
		"old without any pid":   {"", "", long, false},
		"young without server":  {nobody, "", time.Now(), true},
		"launcher lives":        {self, "", long, true},
		"only the server lives": {nobody, self, long, true},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			t.Setenv("TMPDIR", root)
			t.Setenv("TMP", root) // Windows
			dir := filepath.Join(root, dirPrefix+"1")
			writePID(t, filepath.Join(dir, pidName), c.launcher)
			writePID(t, filepath.Join(dir, dataName, "postmaster.pid"), c.postmaster)
			if err := os.Chtimes(dir, c.made, c.made); err != nil {
				t.Fatal(err)
			}
			sweep(serverAccount())
			if _, err := os.Stat(dir); (err == nil) != c.stays {
				t.Errorf("stays %v, want %v", err == nil, c.stays)
			}
		})
	}
}

func writePID(t *testing.T, file, pid string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if pid == "" {
		return
	}
	if err := os.WriteFile(file, []byte(pid+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCrash(t *testing.T) {
	s := start(t, Options{})
	for _, how := range []Crash{Immediate, Kill} {
		pid := s.PID()
		if err := s.Crash(testContext(t), how); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if s.PID() == pid || alive(pid) || !alive(s.PID()) {
			t.Errorf("%s: process %d became %d", how, pid, s.PID())
		}
		ask(t, s.DSN(), "select 'answers'")
	}
}

func TestPrivateBesideAnother(t *testing.T) {
	t.Setenv("AUTHDB_POSTGRES", "")
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")
	s, err := Start(testContext(t), Options{Private: true})
	if err != nil {
		t.Fatal(err)
	}
	if s.External() {
		t.Error("it is external")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := s.Crash(testContext(t), Kill); err == nil {
		t.Error("a server that was stopped crashes")
	}
}
