package pgserver

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// Stop shuts a private server down, which ends its sessions, and removes its directory. It leaves an external server
// alone, and may be called again.
func (s *Server) Stop() error {
	if s.External() {
		return nil
	}
	s.stopping.Do(func() { s.stopErr = s.stop() })
	return s.stopErr
}

func (s *Server) stop() error {
	if !s.shutDown("fast", 10*time.Second) && !s.shutDown("immediate", 5*time.Second) {
		s.proc.kill()
	}
	if err := s.by.removeDir(); err != nil {
		return fmt.Errorf("removing the directory of the stopped server: %w", err)
	}
	return nil
}

// shutDown asks the server to end in a mode of pg_ctl, and reports whether it did in time.
func (s *Server) shutDown(mode string, patience time.Duration) bool {
	requestStop(s, mode)
	select {
	case <-s.proc.done:
		return true
	case <-time.After(patience):
		return false
	}
}

// askPgCtl stops the server as its own user, who can signal nobody else's process.
func askPgCtl(s *Server, mode string) {
	_, _ = s.by.run(context.Background(), "pg_ctl", "stop", "-W", "-D", filepath.Join(s.dir, dataName), "-m", mode)
}
