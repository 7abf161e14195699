package authdb

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/connect"
	"github.com/zerostarter/authdb/internal/repo"
)

// Open connects to the database that dsn names, a URL or keyword string as pgx takes it, and pings it. It returns a
// store that owns the pool: call [Store.Close].
//
// Unless dsn says otherwise, connecting may take 10 seconds, idle connections close after 30 seconds and others after
// an hour, and one that does not answer a ping within a second is replaced. dsn's pool_ settings and
// default_query_exec_mode (exec or cache_describe behind PgBouncer) are respected. Every session runs in time zone UTC,
// in UTF-8, with standard_conforming_strings and ISO dates. A connection to a PostgreSQL that has become a standby is
// closed at the first write that it refuses.
//
// Tables are looked for along the search path of dsn, role or database. Wherever the path names them, pg_catalog is
// searched first and pg_temp last, so that nothing replaces what is PostgreSQL's, and no temporary table replaces
// another one. "$user" stays only if that schema exists and belongs to the role itself, the database's owner or a
// superuser: others may make one of that name. Behind a pooler the path stays as it is.
//
// A remote host is reached by TLS with its certificate verified (sslmode=verify-full), also if dsn names no sslmode or
// the default one, prefer. A weaker one in dsn, or a PostgreSQL without TLS, is refused with [ErrInsecureTLS] unless
// [WithInsecureTLS] is given. A local host (localhost, a loopback address, a Unix socket) is reached as dsn says.
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
		if !c.insecureTLS && connect.RefusedTLS(&cfg.ConnConfig.Config, err) {
			err = errors.Join(ErrInsecureTLS, err)
		}
		return nil, translate("Open", err)
	}
	s := newStore(repo.New(pool, c.repo))
	s.pool = pool
	return s, nil
}

func poolConfig(dsn string, c config) (*pgxpool.Config, error) {
	cfg, err := connect.Parse(dsn)
	if err != nil {
		return nil, err
	}
	for _, change := range c.poolConfig {
		change(cfg)
	}
	connect.LeaveStandbys(&cfg.ConnConfig.Config)
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
