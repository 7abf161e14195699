package pgserver

import (
	"context"
	"errors"
	"time"
)

// Crash says how a server ends without a shutdown.
type Crash string

// The ways to crash: Immediate is pg_ctl's mode; Kill kills the main process, which its children then notice.
const (
	Immediate Crash = "immediate"
	Kill      Crash = "kill"
)

// Crash ends a private server without a shutdown and starts it again on the same data, which it first recovers. Nothing
// is lost that was handed to the operating system.
func (s *Server) Crash(ctx context.Context, how Crash) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.End(ctx, how); err != nil {
		return err
	}
	return s.restart(ctx)
}

// End is the first half of Crash: the server stays down until [Server.Follow] makes it a standby.
func (s *Server) End(ctx context.Context, how Crash) error {
	if s.External() {
		return errors.New("this server is somebody else's")
	}
	select {
	case <-s.proc.done: // another process may have its pid by now
		return errors.New("this server has ended")
	default:
	}
	if how == Kill {
		killGroup(s.proc.cmd.Process)
	} else {
		requestStop(s, string(how))
	}
	select {
	case <-s.proc.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) restart(ctx context.Context) error {
	for {
		again, err := s.by.serveOnce(ctx)
		if err == nil {
			s.proc = again.proc
			return nil
		}
		// The children of a killed server may still use its memory, and the new one refuses to start then.
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return err
		}
	}
}
