//go:build unix

package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestWhatIsGivenAway is the two directories that the server writes to, and nobody else enters them.
func TestWhatIsGivenAway(t *testing.T) {
	t.Setenv("SECRET", "of the caller")
	s := start(t, Options{})
	uid := os.Geteuid()
	if s.by.as.other {
		uid = s.by.as.uid
	}
	for name, want := range map[string]struct {
		uid  int
		mode os.FileMode
	}{
		".": {os.Geteuid(), 0o700}, logName: {os.Geteuid(), 0o600}, dataName: {uid, 0o700}, socketName: {uid, 0o700},
	} {
		info, err := os.Lstat(filepath.Join(s.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "." && s.by.as.other {
			want.mode = 0o710 // for that user's group to pass
		}
		if owner(info) != want.uid || info.Mode().Perm() != want.mode {
			t.Errorf("%s: owner %d, %v", name, owner(info), info.Mode())
		}
	}
	if env := strings.Join(environ(account{other: true}), "\n"); strings.Contains(env, "SECRET") || !strings.Contains(env, "PATH=") {
		t.Error(env)
	}
	if env := strings.Join(environ(account{}), "\n"); !strings.Contains(env, "SECRET") {
		t.Error(env)
	}
}

// TestSteady: no server lives where others may put another directory in the place of its own.
func TestSteady(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o755: true, 0o775: false, 0o757: false, 0o777 | os.ModeSticky: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if steady(dir) != want || steady(below) != want {
			t.Errorf("%v: %v, below %v", mode, steady(dir), steady(below))
		}
	}
	if as := serverAccount(); as.other {
		if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chown(dir, as.uid, as.gid)); err != nil {
			t.Fatal(err)
		}
		if steady(dir) || steady(below) {
			t.Error("another user's directory is steady")
		}
		t.Setenv("TMPDIR", below)
		if root, err := tempRoot(as); err != nil || root == below {
			t.Errorf("%s, %v", root, err)
		}
	}
}

// TestServersUserMovesNothing: where the server runs as another user than this one, that user can neither put a link in
// the place of what this process writes, nor have it signal another process. Elsewhere there is no such user.
func TestServersUserMovesNothing(t *testing.T) {
	s := start(t, Options{})
	victim := exec.Command("sleep", "600")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = victim.Wait() }()
	defer func() { _ = victim.Process.Kill() }()

	target := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(target, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.by.as.other {
		for _, script := range []string{
			"mv log old && ln -s " + target + " log", "rm -f log && ln -s " + target + " log", "mv data old", "mv s old", "touch x", "cat log", "chmod 777 .",
		} {
			cmd := helper(testContext(t), s.by.as, "/bin/sh", "-c", script)
			cmd.Dir = s.Dir()
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("the server's user did: %s: %s", script, out)
			}
		}
	}
	// A server whose pid file names somebody else's process, from the start on.
	postgres := program(s.by.bin, "postgres")
	s.by.bin = t.TempDir()
	wrapper := `#!/bin/sh
echo; (for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6 7 8 9 10; do
	[ -s "$2/postmaster.pid" ] && echo ` + strconv.Itoa(victim.Process.Pid) + ` > "$2/postmaster.pid"; sleep 0.01; done; done) &
exec ` + postgres + ` "$@"
`
	if err := os.WriteFile(program(s.by.bin, "postgres"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(s.by.bin), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Crash(testContext(t), Immediate); err != nil {
		t.Fatal(err)
	}
	if s.PID() == victim.Process.Pid || s.PID() <= 1 {
		t.Errorf("the server's pid is %d", s.PID())
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if !alive(victim.Process.Pid) {
		t.Error("another process was ended")
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "mine" {
		t.Errorf("%s, %v", text, err)
	}
}
