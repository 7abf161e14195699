package pgserver

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// attributes put the child in a session of its own, out of reach of the terminal's Ctrl-C, and the terminal, into which it
// could type as its owner, out of the child's; and end it with its parent. Root without the right to become another user, and a user without a name, show themselves to the
// child as nobody, in a namespace.
func attributes(as account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Credential: as.credential(), Setsid: true, Pdeathsig: syscall.SIGQUIT}
	if as.namespace {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody(), HostID: os.Geteuid(), Size: 1}}
	}
	return attr
}

// daemon is the server's command. It ends with its parent unless it is to be kept.
func daemon(as account, keep bool, name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = attributes(as)
	if keep {
		cmd.SysProcAttr.Pdeathsig = 0
	}
	return cmd, nil
}

// leashed says that the process of a server that is not kept is not the server's own.
const leashed = false

func nobody() int {
	if u, err := user.Lookup("nobody"); err == nil {
		if uid, err := strconv.Atoi(u.Uid); err == nil {
			return uid
		}
	}
	return 1000
}
