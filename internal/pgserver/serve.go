package pgserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPort  = 5432 // names the socket only
	portAttempts = 3
	pollInterval = 10 * time.Millisecond
)

// settings trade durability, which a throw-away server does not need, for speed.
var settings = []string{
	"-F", // fsync=off
	"-c", "synchronous_commit=off",
	"-c", "full_page_writes=off",
	"-c", "autovacuum=off",
	"-c", "wal_level=minimal",
	"-c", "max_wal_senders=0",
	"-c", "shared_buffers=32MB",
	"-c", "max_connections=200",
}

// serve starts the server on the cluster. A free port can be taken before the server binds it: then another is tried.
func (l *launcher) serve(ctx context.Context) (s *Server, err error) {
	l.opts.say("starting the server")
	for range portAttempts {
		if err = l.choosePort(); err != nil {
			return nil, err
		}
		s, err = l.serveOnce(ctx)
		if err == nil || !l.tcp || !strings.Contains(err.Error(), "could not bind") {
			break
		}
	}
	return s, err
}

func (l *launcher) choosePort() error {
	l.port = defaultPort
	if !l.tcp {
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.port = listener.Addr().(*net.TCPAddr).Port
	return listener.Close()
}

func (l *launcher) serveOnce(ctx context.Context) (*Server, error) {
	proc, err := l.spawn()
	if err != nil {
		return nil, err
	}
	s := &Server{dsn: l.dsn(), dir: l.dir, bin: l.bin, proc: proc, by: l}
	if s.version, err = l.waitReady(ctx, proc, s.dsn); err != nil {
		proc.kill()
		return nil, fmt.Errorf("the server did not start: %w%s", err, l.logTail())
	}
	if s.pid = pidIn(filepath.Join(l.dir, dataName, "postmaster.pid")); s.pid == 0 {
		s.pid = proc.cmd.Process.Pid
	}
	return s, nil
}

func (l *launcher) dsn() string {
	if l.tcp {
		return tcpDSN(l.port)
	}
	return socketDSN(l.dir, l.port)
}

// spawn starts the server's process. Its log was made by makeDir, before the directory went to another user.
func (l *launcher) spawn() (*process, error) {
	log, err := os.OpenFile(filepath.Join(l.dir, logName), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd, err := daemon(l.as, l.opts.Keep, program(l.bin, "postgres"), l.serverArgs()...)
	if err != nil {
		return nil, err
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = l.dir, environ(), log, log
	return spawn(cmd)
}

func (l *launcher) serverArgs() []string {
	sockets, address := l.dir, ""
	if l.tcp {
		address = "127.0.0.1"
	}
	if runtime.GOOS == "windows" {
		sockets = ""
	}
	args := []string{"-D", filepath.Join(l.dir, dataName), "-p", strconv.Itoa(l.port), "-k", sockets, "-h", address}
	args = append(args, settings...)
	for _, setting := range l.opts.Settings {
		args = append(args, "-c", setting)
	}
	return args
}

func (l *launcher) waitReady(ctx context.Context, proc *process, dsn string) (string, error) {
	for {
		version, err := ping(ctx, dsn)
		if err == nil {
			return version, nil
		}
		select {
		case <-proc.done:
			return "", proc.ending()
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(pollInterval):
		}
	}
}

func (l *launcher) logTail() string {
	log, _ := os.ReadFile(filepath.Join(l.dir, logName)) // without a log there is nothing to add
	return indent(string(log))
}
