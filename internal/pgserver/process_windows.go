package pgserver

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

func serverAccount() account { return account{} }

// helper is a command that ends soon, and with its context.
func helper(ctx context.Context, _ account, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, name, args...)
}

// daemon is the server's command, out of reach of the console's Ctrl-C. Windows does not end it with its parent.
func daemon(_ account, _ bool, name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
	return cmd, nil
}

// requestStop leaves it to pg_ctl, because Windows has no signals.
func requestStop(bin, data string, _ int, mode string) {
	_ = exec.Command(program(bin, "pg_ctl"), "stop", "-W", "-D", data, "-m", mode).Run()
}

func killGroup(p *os.Process) { _ = p.Kill() }

func owner(fs.FileInfo) int { return os.Geteuid() }

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
