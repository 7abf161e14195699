//go:build unix && !linux

package pgserver

import (
	"os/exec"
	"syscall"
)

// attributes put the child in a session of its own, out of reach of the terminal's Ctrl-C, and the terminal, into which it
// could type as its owner, out of the child's.
func attributes(as account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as.credential(), Setsid: true}
}

// leash stops the server when its standard input ends, and ends when the server does. The server gets no part of that
// pipe. A child that sh starts in the background has no standard input of its own, hence descriptor 3.
const leash = `exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(read -r line; kill -QUIT $server) <&3 2>/dev/null &
watch=$!
exec 3<&-
wait $server
status=$?
kill $watch 2>/dev/null
exit $status`

// daemon is the server's command. It ends with its parent unless it is to be kept: the end of the parent is the end of
// the pipe whose other side the parent holds.
func daemon(as account, keep bool, name string, args ...string) (*exec.Cmd, error) {
	if keep {
		cmd := exec.Command(name, args...)
		cmd.SysProcAttr = attributes(as)
		return cmd, nil
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", leash, "sh", name}, args...)...)
	cmd.SysProcAttr = attributes(as)
	_, err := cmd.StdinPipe()
	return cmd, err
}

// leashed says that the process of a server that is not kept is not the server's own.
const leashed = true
