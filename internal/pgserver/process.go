package pgserver

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

// account is the user that a private server runs as: PostgreSQL refuses to run as root. The zero account is the caller.
type account struct {
	uid, gid  int
	other     bool // uid and gid are another user's
	namespace bool // the caller, but seen by the server as a plain user
}

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read it after done
}

// spawn starts cmd from a thread that lives until cmd ends, because Linux ties Pdeathsig to the parent's thread, not
// to its process.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, <-started
}

// kill ends the process, unless it has ended: then another may have its pid.
func (p *process) kill() {
	select {
	case <-p.done:
	default:
		killGroup(p.cmd.Process)
		<-p.done
	}
}

func (p *process) ending() error {
	if p.err == nil {
		return errors.New("it ended at once")
	}
	return fmt.Errorf("it ended: %w", p.err)
}
