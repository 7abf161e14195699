// Package pgserver gives tests and demos a real PostgreSQL on any machine that has Go: the one that DATABASE_URL names,
// otherwise a private server from the binaries installed here, otherwise one from a pinned download.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrNoPostgres says that there is no way to get a PostgreSQL here.
var ErrNoPostgres = errors.New(
	"no PostgreSQL: set DATABASE_URL, or install the server (Debian: apt-get install postgresql)")

// Options say how a private server is started.
type Options struct {
	TCP      bool         // also listen on a free port of 127.0.0.1, with a password, which is in the DSN
	Keep     bool         // the server outlives this process; SIGINT to its PID stops it
	Private  bool         // start a private server even if DATABASE_URL names one
	Kept     string       // the name under which its files stay for the next start; empty: Stop removes them
	Settings []string     // such as wal_level=replica, over those of a throw-away server
	Progress func(string) // gets a sentence on each slow step; nil: silent
}

func (o Options) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// Start returns a PostgreSQL: the one that DATABASE_URL names, unless opts ask for a private one; otherwise a private
// one from local binaries, or from a pinned download. ctx bounds only the start.
//
// The environment variable AUTHDB_POSTGRES restricts it to one kind of private server: local or download; download-14
// and so on are older versions.
func Start(ctx context.Context, opts Options) (*Server, error) {
	only := os.Getenv("AUTHDB_POSTGRES")
	major, isDownload := strings.CutPrefix(only, "download")
	if only != "" && only != "local" && !isDownload {
		return nil, fmt.Errorf("AUTHDB_POSTGRES=%s: must be local or download", only)
	}
	if dsn := os.Getenv("DATABASE_URL"); dsn != "" && only == "" && !opts.Private {
		return external(ctx, dsn)
	}
	if !isDownload {
		bin, err := findLocal(localGlobs)
		if err != nil {
			return nil, err
		}
		if bin != "" {
			return startLocal(ctx, bin, opts)
		}
		opts.say("no PostgreSQL server is installed here")
	}
	if only == "local" {
		return nil, ErrNoPostgres
	}
	return startDownload(ctx, major, opts)
}

func startLocal(ctx context.Context, bin string, opts Options) (*Server, error) {
	opts.say("using PostgreSQL in %s", bin)
	s, err := launch(ctx, bin, opts)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL in %s does not start (AUTHDB_POSTGRES=download uses another): %w", bin, err)
	}
	s.origin = bin
	return s, nil
}

func startDownload(ctx context.Context, major string, opts Options) (*Server, error) {
	p, err := thisPackage(major)
	bin := ""
	if err == nil {
		bin, err = download(ctx, p, opts)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; the download failed: %w", ErrNoPostgres, err)
	}
	s, err := launch(ctx, bin, opts)
	if err != nil {
		return nil, fmt.Errorf("downloaded PostgreSQL does not start: %w", err)
	}
	s.origin = "download of PostgreSQL " + p.version
	return s, nil
}
