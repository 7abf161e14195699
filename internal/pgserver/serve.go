package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/connect"
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

// serve starts the server on the cluster. If somebody takes the free port before the server binds it, it tries another.
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
	s := &Server{dir: l.dir, bin: l.bin, proc: proc, by: l}
	if sockets {
		s.socket = socketDSN(l.dir, l.port)
	}
	if s.dsn = s.socket; l.tcp {
		s.dsn = tcpDSN(l.port, l.password)
	}
	if s.version, err = l.waitReady(ctx, proc, cmp.Or(s.socket, s.dsn)); err == nil && l.tcp && sockets {
		err = l.setPassword(ctx, s.socket)
	}
	if err != nil {
		proc.kill()
		return nil, fmt.Errorf("the server did not start: %w%s", err, l.logTail())
	}
	return s, nil
}

// setPassword gives the superuser the password that TCP asks for.
func (l *launcher) setPassword(ctx context.Context, dsn string) error {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "ALTER ROLE postgres PASSWORD '"+l.password+"'").ReadAll()
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// spawn starts the server's process.
func (l *launcher) spawn() (*process, error) {
	cmd, err := daemon(l.as, l.opts.Keep, program(l.bin, "postgres"), l.serverArgs()...)
	if err != nil {
		return nil, err
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = l.dir, environ(l.as), l.log, l.log
	return spawn(cmd)
}

func (l *launcher) serverArgs() []string {
	directory, address := "", ""
	if l.tcp {
		address = "127.0.0.1"
	}
	if sockets {
		directory = filepath.Join(l.dir, socketName)
	}
	args := []string{"-D", filepath.Join(l.dir, dataName), "-p", strconv.Itoa(l.port), "-k", directory, "-h", address}
	args = append(args, settings...)
	for _, setting := range l.opts.Settings {
		args = append(args, "-c", setting)
	}
	return args
}

func (l *launcher) waitReady(ctx context.Context, proc *process, dsn string) (string, error) {
	for {
		version, err := ping(ctx, dsn)
		if _, isDSN := errors.AsType[connect.DSNError](err); err == nil || isDSN {
			return version, err
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

// logTail is the end of the log, which the server may have filled.
func (l *launcher) logTail() string {
	const most = 8 << 10
	info, err := l.log.Stat()
	if err != nil {
		return "" // without a log there is nothing to add
	}
	tail := make([]byte, min(info.Size(), most))
	n, _ := l.log.ReadAt(tail, info.Size()-int64(len(tail))) // it may be shorter by now
	return indent(string(tail[:n]))
}
