package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Replicates are the settings of a server that can have a standby.
var Replicates = []string{"wal_level=replica", "max_wal_senders=8", "wal_keep_size=256MB"}

// Standby starts a standby that follows the server, which must be private and have the settings of [Replicates]. It
// shuts the server down to copy its files, since a download has no pg_basebackup, and starts it again. The standby has
// the server's settings; stop it separately.
func (s *Server) Standby(ctx context.Context) (standby *Server, err error) {
	if s.External() || !sockets {
		return nil, errors.New("only a private server that is reached by a socket can have a standby")
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	l := &launcher{bin: s.by.bin, version: s.by.version, as: s.by.as, tcp: s.by.tcp, password: s.by.password, opts: s.by.opts}
	primary := fmt.Sprintf("primary_conninfo=host='%s' port=%d user=postgres", filepath.Join(s.dir, socketName), s.by.port)
	l.opts.Keep, l.opts.Kept, l.opts.Settings = false, "", append(slices.Clip(l.opts.Settings), primary)
	if err := l.makeDir(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = l.removeDir()
		}
	}()
	if !s.shutDown("fast", startTimeout) {
		return nil, errors.New("the server does not stop")
	}
	copyErr := l.copyCluster(ctx, filepath.Join(s.dir, dataName))
	again, err := s.by.serveOnce(ctx)
	if err := errors.Join(copyErr, err); err != nil {
		return nil, err
	}
	s.proc = again.proc
	standby, err = l.serve(ctx)
	if err == nil {
		standby.origin = s.origin
	}
	return standby, err
}

// copyCluster makes a standby's data directory from that of a server which is down. It copies as the server's user,
// since links in its directory may lead anywhere.
func (l *launcher) copyCluster(ctx context.Context, from string) error {
	data := filepath.Join(l.dir, dataName)
	if err := errors.Join(os.Mkdir(data, 0o700), l.handOver(data)); err != nil {
		return err
	}
	if _, err := l.runFile(ctx, "cp", "-R", from+"/.", data); err != nil {
		return err
	}
	_, err := l.runFile(ctx, "cp", "/dev/null", filepath.Join(data, "standby.signal"))
	return err
}
