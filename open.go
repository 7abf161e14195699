package authdb

import (
	"context"
	"crypto/tls"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/repo"
)

const (
	connectTimeout = 10 * time.Second
	maxIdleTime    = 30 * time.Second
	// pgxpool takes a lifetime of 0 as "already too old"; a century is its way to say unlimited.
	unlimited = 100 * 365 * 24 * time.Hour
)

// Open connects to the database that dsn names, a URL or keyword string as pgx takes it, and returns a store that
// owns the pool: call [Store.Close]. It answers only after a ping.
//
// Unless dsn says otherwise, connecting may take 10 seconds, idle connections close after 30 seconds and live ones
// are kept without limit. dsn's pool_ settings and default_query_exec_mode (exec or cache_describe behind PgBouncer)
// are respected. Every session runs in time zone UTC.
//
// A remote host is reached by TLS with its certificate verified (sslmode=verify-full), also where dsn names no
// sslmode; a weaker one in dsn is refused with [ErrInsecureTLS] unless [WithInsecureTLS] is given. A host that is
// local (localhost, a loopback address, a Unix socket) is reached as dsn says.
func Open(ctx context.Context, dsn string, opts ...Option) (*Store, error) {
	c := newConfig(opts)
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
		return nil, translate("Open", err)
	}
	s := newStore(pool, repo.New(pool, c.sources))
	s.pool = pool
	return s, nil
}

func poolConfig(dsn string, c config) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	// Before pgxpool reads them, pgx takes the pool_ settings for runtime parameters: so they are told from defaults.
	said, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	if said.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	if _, ok := said.RuntimeParams["pool_max_conn_idle_time"]; !ok {
		cfg.MaxConnIdleTime = maxIdleTime
	}
	if _, ok := said.RuntimeParams["pool_max_conn_lifetime"]; !ok {
		cfg.MaxConnLifetime = unlimited
	}
	for _, change := range c.poolConfig {
		change(cfg)
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if !c.insecureTLS {
		if err := requireVerifiedTLS(&cfg.ConnConfig.Config); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

// requireVerifiedTLS upgrades the default sslmode (prefer: any certificate, else plaintext) to verify-full for every
// remote host, and refuses the modes that somebody chose to be weaker.
func requireVerifiedTLS(c *pgconn.Config) error {
	ways := []*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}
	ways = append(ways, c.Fallbacks...)
	var kept []*pgconn.FallbackConfig
	upgraded := map[string]bool{}
	for i, way := range ways {
		switch {
		case isLocal(way.Host) || isVerified(way.TLSConfig):
		case way.TLSConfig == nil && upgraded[way.Host]:
			continue
		case way.TLSConfig != nil && i+1 < len(ways) && ways[i+1].Host == way.Host && ways[i+1].TLSConfig == nil:
			way.TLSConfig = verified(way.TLSConfig, way.Host)
			upgraded[way.Host] = true
		default:
			return ErrInsecureTLS
		}
		kept = append(kept, way)
	}
	c.TLSConfig = kept[0].TLSConfig
	c.Fallbacks = kept[1:]
	return nil
}

func isVerified(t *tls.Config) bool {
	return t != nil && !t.InsecureSkipVerify
}

func verified(t *tls.Config, host string) *tls.Config {
	t = t.Clone()
	t.InsecureSkipVerify = false
	t.VerifyPeerCertificate = nil
	t.ServerName = host
	return t
}

func isLocal(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
