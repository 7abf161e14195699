// Package connect holds the rules by which every connection of this module is made: TLS that is checked, a time zone
// that is UTC, an end to waiting.
package connect

import (
	"crypto/tls"
	"errors"
	"net/netip"
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
	setUTC(c)
	if insecure {
		return nil
	}
	return requireVerifiedTLS(&c.Config)
}

// setUTC overrides the DSN's zone in whatever case it is spelled: of several, the server takes the last one sent.
func setUTC(c *pgx.ConnConfig) {
	params := map[string]string{"timezone": "UTC"}
	for key, value := range c.RuntimeParams {
		if !strings.EqualFold(key, "timezone") {
			params[key] = value
		}
	}
	c.RuntimeParams = params
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
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
