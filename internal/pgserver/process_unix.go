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

// serverAccount is the caller or, for root, the user postgres or nobody.
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

// helper is a short command that ends with its context.
func helper(ctx context.Context, as account, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = attributes(as)
	return cmd
}

// requestStop signals the server, a child of this process. It does not read the pid from the data directory, where the
// server's user writes. If the child is a leash, pg_ctl signals as that user.
func requestStop(s *Server, mode string) {
	if leashed && !s.by.opts.Keep {
		askPgCtl(s, mode)
		return
	}
	signal := syscall.SIGINT
	if mode == string(Immediate) {
		signal = syscall.SIGQUIT
	}
	_ = s.proc.cmd.Process.Signal(signal) // if it fails, the process has ended
}

// killGroup kills the server's children too: it leads its session, and so its process group.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
