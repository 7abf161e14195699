package standby_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/migrate"
)

const (
	ceiling = time.Minute // of every wait, which ends by a condition
	workers = 8
)

// pair is a primary and a standby that streams from it, with a store on each.
type pair struct {
	primary, standby *authdb.Store
	servers          [2]*pgserver.Server // the primary, the standby
}

// newPair starts both. Commits wait for the log, as they do where nobody says otherwise.
func newPair(t *testing.T) pair {
	t.Helper()
	ctx := t.Context()
	var p pair
	server, err := pgserver.Start(ctx, pgserver.Options{Private: true, Settings: append(pgserver.Replicates, "synchronous_commit=on")})
	p.servers[0] = started(t, server, err)
	m, err := migrate.Open(ctx, server.DSN(), migrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		t.Fatal(err)
	}
	standby, err := server.Standby(ctx)
	p.servers[1] = started(t, standby, err)
	p.primary, p.standby = open(t, server), open(t, standby)
	return p
}

func started(t *testing.T, server *pgserver.Server, err error) *pgserver.Server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func open(t *testing.T, server *pgserver.Server, opts ...authdb.Option) *authdb.Store {
	t.Helper()
	opts = append(opts, authdb.WithPoolConfig(func(c *pgxpool.Config) { c.MaxConns = 2 * workers }))
	s, err := authdb.Open(t.Context(), server.DSN(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// position is that of the primary.
func (p pair) position(t *testing.T) authdb.Position {
	t.Helper()
	at, err := p.primary.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// waitFor is WaitFor on the standby, for at most so long.
func (p pair) waitFor(t *testing.T, at authdb.Position, most time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	return p.standby.WaitFor(ctx, at)
}

func exec(t *testing.T, s *authdb.Store, sql string) {
	t.Helper()
	if _, err := s.Pool().Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
}

func ask[T any](t *testing.T, s *authdb.Store, sql string, args ...any) (answer T) {
	t.Helper()
	if err := s.Pool().QueryRow(t.Context(), sql, args...).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func user(t *testing.T, s *authdb.Store) authdb.User {
	t.Helper()
	u, err := s.Users.Create(t.Context(), authdb.CreateUserParams{Email: strings.ToLower(rand.Text()) + "@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return u
}
