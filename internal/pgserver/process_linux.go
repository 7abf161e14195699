package pgserver

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// attributes put the child in its own session, where the terminal's Ctrl-C does not reach it and it cannot type into
// the terminal as its owner, and end it with its parent. If root may not become another user, or the user has no name,
// the child sees itself as nobody, in a namespace.
func attributes(as account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Credential: as.credential(), Setsid: true, Pdeathsig: syscall.SIGQUIT}
	if as.namespace {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody(), HostID: os.Geteuid(), Size: 1}}
	}
	return attr
}

// daemon is the server's command. Unless kept, it ends with its parent.
func daemon(as account, keep bool, name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = attributes(as)
	if keep {
		cmd.SysProcAttr.Pdeathsig = 0
	}
	return cmd, nil
}

// leashed says whether the child of this process is a leash around the server, and not the server, unless it is kept.
const leashed = false

func nobody() int {
	if u, err := user.Lookup("nobody"); err == nil {
		if uid, err := strconv.Atoi(u.Uid); err == nil {
			return uid
		}
	}
	return 1000
}
