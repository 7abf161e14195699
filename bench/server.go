package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/migrate"
)

//go:embed load.sql
var loadSQL string

// settings are those of a server whose data matter: every commit is on the disk.
var settings = []string{
	"fsync=on", "synchronous_commit=on", "full_page_writes=on", "wal_level=replica", "autovacuum=on",
	"shared_buffers=1GB", "max_wal_size=4GB", "checkpoint_timeout=1h", "maintenance_work_mem=256MB", "jit=off",
}

const (
	prefix = "authdb_bench_"
	runDB  = prefix + "run"
)

// address is how a contender reaches the database of this run.
type address struct {
	Host     string `json:"host"` // or the directory of a socket
	Port     uint16 `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	Database string `json:"database"`
	Name     string `json:"application_name"`
}

func addressOf(dsn string) (address, error) {
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return address{}, err
	}
	return address{Host: cfg.Host, Port: cfg.Port, User: cfg.User, Password: cfg.Password, Database: cfg.Database}, nil
}

func (a address) dsn() string {
	query := url.Values{
		"host": {a.Host}, "port": {strconv.Itoa(int(a.Port))}, "application_name": {a.Name}, "sslmode": {"disable"},
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(a.User, a.Password), Path: "/" + a.Database, RawQuery: query.Encode(),
	}
	return u.String()
}

func (a address) isSocket() bool { return strings.HasPrefix(a.Host, "/") }

// server is a PostgreSQL with a database that is this run's alone, a copy of a template that is kept.
type server struct {
	*pgserver.Server
	admin       *pgx.Conn // on the database of the run
	socket, tcp address   // socket may be empty
}

func startServer(ctx context.Context, users, sessions, organizations int) (s *server, err error) {
	pg, err := pgserver.Start(ctx, pgserver.Options{
		TCP: true, Kept: "bench", Settings: settings,
		Progress: func(text string) { say("%s", text) },
	})
	if err != nil {
		return nil, err
	}
	s = &server{Server: pg}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(ctx))
		}
	}()
	admin, err := pgx.Connect(ctx, pg.DSN())
	if err != nil {
		return s, err
	}
	defer admin.Close(ctx)
	template, err := makeTemplate(ctx, pg, admin, users, sessions, organizations)
	if err != nil {
		return s, err
	}
	strategy := " STRATEGY file_copy"
	if strings.HasPrefix(pg.Version(), "14.") {
		strategy = ""
	}
	say("copying %s", template)
	for _, sql := range []string{
		"DROP DATABASE IF EXISTS " + runDB + " (FORCE)",
		"CREATE DATABASE " + runDB + " TEMPLATE " + template + strategy,
		"CHECKPOINT",
	} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			return s, err
		}
	}
	if s.tcp, err = addressOf(pg.DSNFor(runDB)); err != nil {
		return s, err
	}
	if dsn := pg.SocketDSNFor(runDB); dsn != "" {
		if s.socket, err = addressOf(dsn); err != nil {
			return s, err
		}
	} else if s.tcp.isSocket() {
		s.socket, s.tcp = s.tcp, address{}
	}
	if s.admin, err = pgx.Connect(ctx, pg.DSNFor(runDB)); err != nil {
		return s, err
	}
	_, err = s.admin.Exec(ctx, "SET synchronous_commit = off") // what it does is not measured
	return s, err
}

func (s *server) stop(ctx context.Context) error {
	if s.admin != nil {
		s.admin.Close(ctx)
	}
	if s.External() {
		if admin, err := pgx.Connect(ctx, s.DSN()); err == nil {
			_, _ = admin.Exec(ctx, "DROP DATABASE IF EXISTS "+runDB+" (FORCE)") // or the next run does
			admin.Close(ctx)
		}
	}
	return s.Stop()
}

// makeTemplate loads the rows, unless a former run did. Templates of other migrations and other rows are dropped.
func makeTemplate(
	ctx context.Context, pg *pgserver.Server, admin *pgx.Conn, users, sessions, organizations int,
) (string, error) {
	sums, err := migrations.FS.ReadFile("SHA256SUMS")
	if err != nil {
		return "", err
	}
	version := prefix + fmt.Sprintf("%x", sha256.Sum256(append(sums, loadSQL...)))[:8]
	name := fmt.Sprintf("%s_%d_%d_%d", version, users, sessions, organizations)
	rows, err := admin.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
	if err != nil {
		return "", err
	}
	present, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", err
	}
	for _, other := range present {
		if other == name {
			return name, nil
		}
		if !strings.HasPrefix(other, version) || strings.HasSuffix(other, "_loading") {
			if _, err := admin.Exec(ctx, "DROP DATABASE "+other+" (FORCE)"); err != nil {
				return "", err
			}
		}
	}
	loading := name + "_loading"
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+loading); err != nil {
		return "", err
	}
	numbers := strings.NewReplacer("{users}", strconv.Itoa(users), "{sessions}", strconv.Itoa(sessions),
		"{organizations}", strconv.Itoa(organizations))
	if err := load(ctx, pg.DSNFor(loading), numbers.Replace(loadSQL)); err != nil {
		return "", err
	}
	_, err = admin.Exec(ctx, "ALTER DATABASE "+loading+" RENAME TO "+name)
	return name, err
}

func load(ctx context.Context, dsn, text string) error {
	m, err := migrate.Open(ctx, dsn, migrate.Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	// What is loaded keeps the foreign keys; that need not be proved row by row.
	if _, err := conn.Exec(ctx, "SET synchronous_commit = off; SET session_replication_role = replica"); err != nil {
		return err
	}
	steps := append(strings.Split(text, "\n\n-- ")[1:], "vacuum\nVACUUM (ANALYZE)")
	for i, step := range steps {
		title, sql, _ := strings.Cut(step, "\n")
		began := time.Now()
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("loading %s: %w", title, err)
		}
		say("loading %d/%d %s: %.1f s", i+1, len(steps), title, time.Since(began).Seconds())
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
