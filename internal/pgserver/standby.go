package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Follow makes a server that has ended a standby of primary, with a copy of its data, at the server's former address.
// Both must be private, without TCP, and have the settings wal_level=replica and max_wal_senders. It needs
// pg_basebackup, which a download does not have.
func (s *Server) Follow(ctx context.Context, primary *Server) error {
	switch {
	case s.External() || primary.socket == "" || s.by.tcp:
		return errors.New("a standby and its primary are private servers with a Unix socket alone")
	case s.by.opts.Kept != "":
		return errors.New("a server whose files are kept is no standby")
	}
	select {
	case <-s.proc.done:
	default:
		return errors.New("this server has not ended")
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	data := filepath.Join(s.dir, dataName)
	if err := errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700), s.by.handOver(data)); err != nil {
		return err
	}
	_, err := s.by.run(ctx, "pg_basebackup", "-d", primary.socket, "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if err != nil {
		return fmt.Errorf("copying the primary: %w", err)
	}
	return s.restart(ctx)
}
