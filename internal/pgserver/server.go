package pgserver

import "sync"

// Server is a PostgreSQL that answers.
type Server struct {
	dsn     string
	origin  string
	version string
	dir     string // "" when external
	bin     string
	pid     int
	proc    *process // nil when external
	by      *launcher

	stopping sync.Once
	stopErr  error
}

// DSN names the maintenance database, as a URL; for an external server it is DATABASE_URL as given.
func (s *Server) DSN() string { return s.dsn }

// DSNFor names another database of the same server. Everything else of [Server.DSN] is kept.
func (s *Server) DSNFor(database string) string { return withDatabase(s.dsn, database) }

// External says that the server came from DATABASE_URL. Stop leaves it alone, so whoever makes databases there drops
// them.
func (s *Server) External() bool { return s.proc == nil }

// Origin says for humans where the server comes from: DATABASE_URL, the directory of its binaries, or the download.
func (s *Server) Origin() string { return s.origin }

// Version is the server_version without the packager's suffix, such as 15.18.
func (s *Server) Version() string { return s.version }

// Dir is the directory that holds data, socket and log, or "" when the server is external.
func (s *Server) Dir() string { return s.dir }

// PID is the process id of the server, or 0 when it is external.
func (s *Server) PID() int { return s.pid }
