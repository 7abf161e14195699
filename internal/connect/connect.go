// Package connect holds the rules of every connection of this module: verified TLS, time zone UTC, bounded waiting.
package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrInsecureTLS says that a remote host would be reached without verifying its certificate.
var ErrInsecureTLS = errors.New("insecure TLS: the host is remote and its certificate is not verified; set sslmode=verify-full")

// Timeout bounds a connection's start unless the DSN says otherwise.
const Timeout = 10 * time.Second

// Apply applies the rules to c. With insecure, TLS stays as it is.
func Apply(c *pgx.ConnConfig, insecure bool) error {
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = Timeout
	}
	pin(c)
	if insecure {
		return nil
	}
	return requireVerifiedTLS(&c.Config)
}

// pin sets what statements and their answers depend on, by start-up parameters, which override the role and the
// database. The DSN's own are dropped, in whatever case they are spelled: of several, PostgreSQL takes the last one
// sent.
func pin(c *pgx.ConnConfig) {
	params := map[string]string{"timezone": "UTC", "client_encoding": "UTF8", "standard_conforming_strings": "on", "datestyle": "ISO"}
	for key, value := range c.RuntimeParams {
		if _, pinned := params[strings.ToLower(key)]; !pinned {
			params[key] = value
		}
	}
	c.RuntimeParams = params
}

// safePath sets the search path, if this is PostgreSQL's process $1. It replaces "$user" by the schema of that name, or
// by nothing if that does not exist or is a stranger's, removes pg_catalog, which is then searched first, and pg_temp,
// and adds $2 at the end. Its operators are PostgreSQL's own, even if the path names pg_catalog last. It also sets what
// pin cannot, since poolers refuse such start-up parameters: otherwise NULL in a list would be a text, and names in
// answers would have quotes. If session has partitions, it makes PostgreSQL keep its plans: a plan for any token looks
// more expensive than one for each, but planning each time takes ten times as long.
const safePath = `SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', (
	SELECT pg_catalog.string_agg(CASE WHEN name[1] OPERATOR(pg_catalog.=) '"$user"' OR pg_catalog.lower(name[1]) OPERATOR(pg_catalog.=) '$user' THEN (
		SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace
		WHERE nspname OPERATOR(pg_catalog.=) current_user AND nspowner OPERATOR(pg_catalog.=) ANY (
			SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname OPERATOR(pg_catalog.=) current_user
			UNION SELECT datdba FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
		)) ELSE name[1] END, ', ' ORDER BY n)
	FROM pg_catalog.regexp_matches(pg_catalog.current_setting('search_path') COLLATE pg_catalog."C",
		'"(?:[^"]|"")*"|[^",[:space:]][^,[:space:]]*', 'g') WITH ORDINALITY names (name, n)
	WHERE name[1] OPERATOR(pg_catalog.<>) ALL (ARRAY['"pg_catalog"', '"pg_temp"'])
		AND pg_catalog.lower(name[1]) OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog', 'pg_temp'])
), $2::pg_catalog.text), false),
	pg_catalog.set_config('array_nulls', 'on', false), pg_catalog.set_config('quote_all_identifiers', 'off', false),
	CASE WHEN pg_catalog.current_setting('plan_cache_mode') OPERATOR(pg_catalog.=) 'auto' AND EXISTS (
		SELECT FROM pg_catalog.pg_class WHERE relname OPERATOR(pg_catalog.=) 'session' AND relkind OPERATOR(pg_catalog.=) 'p')
	THEN pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false) END
WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1::bigint`

// SecurePath keeps others' objects from replacing the tables, or what is PostgreSQL's. Any role with CREATE on the
// database can make a schema with the name of this role, which "$user" finds before public; and the path may name
// pg_catalog late. Other schemas in the path stay. It must come after whatever sets the path. A pooler, which lends its
// sessions to others, returns a number that is no process of PostgreSQL's, so there the path stays as it is.
func SecurePath(ctx context.Context, conn *pgconn.PgConn) error {
	return setPath(ctx, conn, nil)
}

// PutTempLast is SecurePath, also for temporary tables and types: unless the path names pg_temp last, it is searched
// before other schemas.
func PutTempLast(ctx context.Context, conn *pgconn.PgConn) error {
	return setPath(ctx, conn, []byte("pg_temp"))
}

func setPath(ctx context.Context, conn *pgconn.PgConn, last []byte) error {
	pid := strconv.AppendUint(nil, uint64(conn.PID()), 10)
	return conn.ExecParams(ctx, safePath, [][]byte{pid, last}, nil, nil, nil).Read().Err
}

// requireVerifiedTLS upgrades the default sslmode (prefer: any certificate, or plaintext) to verify-full for every
// remote host, and refuses a weaker mode that somebody chose.
func requireVerifiedTLS(c *pgconn.Config) error {
	ways := []*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}
	ways = append(ways, c.Fallbacks...)
	var kept []*pgconn.FallbackConfig
	upgraded := map[string]bool{}
	for i, way := range ways {
		switch {
		case isLocal(way.Host) || isVerified(way.TLSConfig):
		case way.TLSConfig != nil && c.ChannelBinding == "require": // an impostor cannot prove that it knows the password
		case way.TLSConfig == nil && (upgraded[way.Host] || c.ChannelBinding == "require" && len(kept) > 0):
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

// RefusedTLS reports whether err says that a remote host, the last that was tried, does not speak TLS. Otherwise
// PostgreSQL's answer is the cause.
func RefusedTLS(c *pgconn.Config, err error) bool {
	last := c.Host
	if n := len(c.Fallbacks); n > 0 {
		last = c.Fallbacks[n-1].Host
	}
	text := err.Error()
	return !isLocal(last) && strings.Contains(text[strings.LastIndex(text, "\n")+1:], "refused TLS")
}

// readOnly is the SQLSTATE of a write that a standby, or a transaction that only reads, refuses.
const readOnly = "25006"

// LeaveStandbys closes a connection if PostgreSQL refuses a write because it is a standby, to which a failover or an
// address of several led: the pool makes another. A pooler, and PostgreSQL 13, do not tell whether it is one.
func LeaveStandbys(c *pgconn.Config) {
	first := c.OnPgError
	c.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == readOnly && conn.ParameterStatus("in_hot_standby") != "off" {
			return false
		}
		return first == nil || first(conn, err)
	}
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
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
