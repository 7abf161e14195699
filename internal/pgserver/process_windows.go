package pgserver

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

func serverAccount() account { return account{} }

// helper is a short command that ends with its context.
func helper(ctx context.Context, _ account, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, name, args...)
}

// daemon is the server's command, out of reach of the console's Ctrl-C. Windows does not end it with its parent.
func daemon(_ account, _ bool, name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
	return cmd, nil
}

// requestStop uses pg_ctl, because Windows has no signals.
func requestStop(s *Server, mode string) { askPgCtl(s, mode) }

func killGroup(p *os.Process) { _ = p.Kill() }

func owner(fs.FileInfo) int { return os.Geteuid() }
