package authdb

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/connect"
	"github.com/zerostarter/authdb/internal/repo"
)

const (
	maxIdleTime = 30 * time.Second
	// How often pgxpool looks for idle connections: its own minute would let them live for 90 seconds.
	healthCheckPeriod = 10 * time.Second
	// pgxpool takes a lifetime of 0 as "already too old"; a century is its way to say unlimited.
	unlimited = 100 * 365 * 24 * time.Hour
)

// Open connects to the database that dsn names, a URL or keyword string as pgx takes it, and returns a store that
// owns the pool: call [Store.Close]. It answers only after a ping.
//
// Unless dsn says otherwise, connecting may take 10 seconds, idle connections close after 30 seconds and live ones
// are kept without limit. dsn's pool_ settings and default_query_exec_mode (exec or cache_describe behind PgBouncer)
// are respected. Every session runs in time zone UTC, in UTF-8 and with standard_conforming_strings.
//
// Tables are looked for along the search path of dsn, role or database; pg_temp is put last on it, so that no temporary
// table stands in for one of them, and "$user" stays only where that schema is there and belongs to the role itself, the
// database's owner or a superuser: others may make one of that name. Behind a pooler the path stays as it is.
//
// A remote host is reached by TLS with its certificate verified (sslmode=verify-full), also where dsn names no sslmode
// or the default one, prefer. A weaker one in dsn, or a server without TLS, is refused with [ErrInsecureTLS] unless
// [WithInsecureTLS] is given. A host that is local (localhost, a loopback address, a Unix socket) is reached as dsn
// says.
func Open(ctx context.Context, dsn string, opts ...Option) (*Store, error) {
	c := newConfig(opts)
	if c.repo.Misuse != (repo.MisuseError{}) {
		return nil, translate("Open", c.repo.Misuse)
	}
	cfg, err := poolConfig(dsn, c)
	if err != nil {
		return nil, translate("Open", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, translate("Open", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		if !c.insecureTLS && strings.Contains(err.Error(), "refused TLS") {
			err = errors.Join(ErrInsecureTLS, err)
		}
		return nil, translate("Open", err)
	}
	s := newStore(repo.New(pool, c.repo))
	s.pool = pool
	return s, nil
}

func poolConfig(dsn string, c config) (*pgxpool.Config, error) {
	if connect.Ambiguous(dsn) {
		return nil, pgconn.NewParseConfigError("", "an @ behind the host", nil)
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	// Before pgxpool reads them, pgx takes the pool_ settings for runtime parameters: so they are told from defaults.
	said, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	if _, ok := said.RuntimeParams["pool_max_conn_idle_time"]; !ok {
		cfg.MaxConnIdleTime = maxIdleTime
	}
	if _, ok := said.RuntimeParams["pool_max_conn_lifetime"]; !ok {
		cfg.MaxConnLifetime = unlimited
	}
	if _, ok := said.RuntimeParams["pool_health_check_period"]; !ok {
		cfg.HealthCheckPeriod = healthCheckPeriod
	}
	for _, change := range c.poolConfig {
		change(cfg)
	}
	err = connect.Apply(cfg.ConnConfig, c.insecureTLS)
	first, timeout := cfg.AfterConnect, cfg.ConnConfig.ConnectTimeout
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if first != nil {
			if err := first(ctx, conn); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return connect.PutTempLast(ctx, conn.PgConn())
	}
	return cfg, err
}
