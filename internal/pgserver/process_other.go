//go:build unix && !linux

package pgserver

import (
	"os/exec"
	"syscall"
)

// attributes put the child in its own session, where the terminal's Ctrl-C does not reach it and it cannot type into
// the terminal as its owner.
func attributes(as account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as.credential(), Setsid: true}
}

// leash stops the server when its standard input ends, and ends when the server does. The server does not get that
// pipe. sh gives a background child no standard input, hence descriptor 3.
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

// daemon is the server's command. Unless kept, it ends with its parent, whose end closes the pipe.
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

// leashed says whether the child of this process is a leash around the server, and not the server, unless it is kept.
const leashed = true
