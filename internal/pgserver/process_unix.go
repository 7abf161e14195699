//go:build unix

package pgserver

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// serverAccount is the caller, or for root the user postgres, else nobody.
func serverAccount() account {
	if os.Geteuid() != 0 {
		return account{}
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			if uid > 0 {
				return account{uid: uid, gid: gid, other: true}
			}
		}
	}
	return account{namespace: true}
}

// credential makes a child of root another user, without root's groups.
func (a account) credential() *syscall.Credential {
	if !a.other {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// helper is a command that ends soon, and with its context.
func helper(ctx context.Context, as account, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = attributes(as)
	return cmd
}

// requestStop signals the server, which is a child of this process: what the data directory says of it counts for
// nothing, since the server's user writes there. Where the child is a leash, pg_ctl signals, as that user.
func requestStop(s *Server, mode string) {
	if leashed && !s.by.opts.Keep {
		askPgCtl(s, mode)
		return
	}
	signal := syscall.SIGINT
	if mode == string(Immediate) {
		signal = syscall.SIGQUIT
	}
	_ = s.proc.cmd.Process.Signal(signal) // one that is gone needs none
}

// killGroup reaches the server's own children too; the process is the leader of its session, and so of its group.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
