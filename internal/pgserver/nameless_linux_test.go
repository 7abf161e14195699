package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNamelessUser: a uid without a line in /etc/passwd, and without a home, as containers give it, has a server too.
func TestNamelessUser(t *testing.T) {
	private(t)
	if os.Geteuid() != 0 {
		return // nobody can become it
	}
	dir, err := os.MkdirTemp("/tmp", "authdb-nameless-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "child")
	const uid = 1_234_567
	if err := errors.Join(os.WriteFile(program, binary, 0o755), os.Chown(dir, uid, uid)); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{"HOME=/", "HOME="} {
		child := exec.Command(program)
		child.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, home, "AUTHDB_POSTGRES=local", childMode + "=once"}
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), dir) {
			t.Errorf("%s: %v: %s", home, err, out)
		}
	}
}
