// Package connect holds the rules by which every connection of this module is made: TLS that is checked, a time zone
// that is UTC, an end to waiting.
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
var ErrInsecureTLS = errors.New("insecure TLS: the host is remote and its certificate is not verified (sslmode=verify-full)")

// Timeout bounds a connection's start unless the DSN says otherwise.
const Timeout = 10 * time.Second

// Apply makes c keep the rules. With insecure, TLS stays as it is.
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

// pin sets what statements and their answers rest on, whatever the DSN, the role or the database says: a start-up
// parameter counts more than those. The DSN's is dropped in whatever case it is spelled: of several, the server takes
// the last one sent.
func pin(c *pgx.ConnConfig) {
	params := map[string]string{"timezone": "UTC", "client_encoding": "UTF8", "standard_conforming_strings": "on"}
	for key, value := range c.RuntimeParams {
		if _, pinned := params[strings.ToLower(key)]; !pinned {
			params[key] = value
		}
	}
	c.RuntimeParams = params
}

// tempLast names pg_temp at the end of the search path, whatever that is, if this is the server's process $1.
const tempLast = `SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
	nullif(pg_catalog.current_setting('search_path'), ''), 'pg_temp'), false)
WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1::bigint`

// PutTempLast keeps temporary tables and types from standing in for those of the search path: where that does not name
// pg_temp, it is searched before everything else. It must come after whatever sets the path. A pooler, which lends its
// sessions to others, tells a number that is no process of the server's, so there the path stays as it is.
func PutTempLast(ctx context.Context, conn *pgconn.PgConn) error {
	pid := strconv.AppendUint(nil, uint64(conn.PID()), 10)
	return conn.ExecParams(ctx, tempLast, [][]byte{pid}, nil, nil, nil).Read().Err
}

// requireVerifiedTLS upgrades the default sslmode (prefer: any certificate, else plaintext) to verify-full for every
// remote host, and refuses the weaker modes, which somebody chose.
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
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
