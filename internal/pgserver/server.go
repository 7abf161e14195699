package pgserver

import "sync"

// Server is a PostgreSQL that answers.
type Server struct {
	dsn     string
	socket  string // the DSN of the Unix socket, "" where there is none
	origin  string
	version string
	dir     string // "" when external
	bin     string
	proc    *process // nil when external
	by      *launcher

	stopping sync.Once
	stopErr  error
}

// DSN names the maintenance database, as a URL; for an external server it is DATABASE_URL as given.
func (s *Server) DSN() string { return s.dsn }

// DSNFor names another database of the same server. Everything else of [Server.DSN] is kept.
func (s *Server) DSNFor(database string) string { return withDatabase(s.dsn, database) }

// SocketDSNFor is DSNFor by the Unix socket, without a password; "" if there is no socket or the server is external.
func (s *Server) SocketDSNFor(database string) string {
	if s.socket == "" {
		return ""
	}
	return withDatabase(s.socket, database)
}

// External reports whether the server came from DATABASE_URL. Stop leaves it alone, so whoever makes databases there
// must drop them.
func (s *Server) External() bool { return s.proc == nil }

// Origin says in words where the server comes from: DATABASE_URL, the directory of its binaries, or the download.
func (s *Server) Origin() string { return s.origin }

// Version is the server_version without the packager's suffix, such as 15.18.
func (s *Server) Version() string { return s.version }

// Dir is the directory that holds data, socket and log, or "" when the server is external.
func (s *Server) Dir() string { return s.dir }

// PID is the id of the process that was started, or 0 if the server is external. A kept server's is its own.
func (s *Server) PID() int {
	if s.External() {
		return 0
	}
	return s.proc.cmd.Process.Pid
}
