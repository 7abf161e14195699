package pgserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
	if abandoned(aged(t, dir)) {
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
	ask(t, socketDSN(dir, defaultPort), "select 'still there'")
	if abandoned(aged(t, dir)) {
		t.Error("the directory of a live server counts as abandoned")
	}
	bin, ok := keptIn(dir)
	if !ok {
		t.Fatal("it is not found")
	}
	if err := stopKept(testContext(t), dir, bin); err != nil { // StopKept would stop a demo's, too
		t.Error(err)
	}
	if _, err := os.Stat(dir); alive(pid) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("alive %v, %v", alive(pid), err)
	}
}

// TestNotKept: what is no server's directory is left alone, and so is one whose server ends with its process.
func TestNotKept(t *testing.T) {
	s := start(t, Options{})
	if _, ok := keptIn(s.Dir()); ok {
		t.Error("a server that ends with this process is taken for a kept one")
	}
	for _, text := range []string{"", "x", t.TempDir(), "relative/" + s.bin} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, keptName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if bin, ok := keptIn(dir); ok {
			t.Errorf("%q: %s", text, bin)
		}
	}
}

// aged makes a directory look as if it had been there for a while.
func aged(t *testing.T, dir string) string {
	t.Helper()
	long := time.Now().Add(-2 * youth)
	if err := os.Chtimes(dir, long, long); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSweep(t *testing.T) {
	for name, c := range map[string]struct {
		log, used, young, stays bool
	}{
		"of a dead server":     {log: true},
		"without a log":        {},
		"young":                {log: true, young: true, stays: true},
		"young without a log":  {young: true, stays: true},
		"of one that is alive": {log: true, used: true, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			t.Setenv("TMPDIR", root)
			t.Setenv("TMP", root) // Windows
			l := &launcher{}
			if err := l.makeDir(); err != nil {
				t.Fatal(err)
			}
			if !c.used {
				_, _ = l.log.Close(), l.held.Close()
			}
			if !c.log {
				_ = os.Remove(filepath.Join(l.dir, logName))
			}
			if !c.young {
				aged(t, l.dir)
			}
			sweep()
			if _, err := os.Stat(l.dir); (err == nil) != c.stays {
				t.Errorf("stays %v, want %v", err == nil, c.stays)
			}
			_, _ = l.log.Close(), l.held.Close()
		})
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
