package connect

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DSNError says why a DSN is none. It shows nothing of it, which may hold a password.
type DSNError string

func (e DSNError) Error() string { return string(e) }

const (
	errEmpty   DSNError = "empty: set DATABASE_URL, or PGHOST and its like"
	errService DSNError = "of a service that no service file has: unset PGSERVICE, or name the file in PGSERVICEFILE"
	errFile    DSNError = "a file that it names, such as sslrootcert, cannot be read: "
	errAsIs    DSNError = "malformed (not shown, as it may hold a password): it must begin with postgres:// or be a list of " +
		"name=value; in a URL's user, password and database write %40 for @, %2F for / and %3F for ?; in a list, quote a " +
		"value with spaces; settings are parted by spaces in a list, by & behind a URL's ?; users and databases have no = " +
		"and :, a host's port is a setting of its own; parameters that are not known go in options=-c name=value"
)

const (
	maxIdleTime = 30 * time.Second
	// How often pgxpool looks for idle connections: its own minute would let them live for 90 seconds.
	healthCheckPeriod = 10 * time.Second
	// How long an idle connection may take to show that it is alive, before a request gets another.
	pingTimeout = time.Second
	// A server that was replaced, or an address that now leads elsewhere, is found by connections that are new.
	maxLifetime = time.Hour
)

// Parse reads a DSN, in every place that takes one: what pgx and its pool know, and no other. It returns a DSNError.
// What the DSN does not say of the pool has the defaults of this module.
func Parse(dsn string) (*pgxpool.Config, error) {
	if dsn == "" && os.Getenv("PGHOST")+os.Getenv("PGSERVICE")+os.Getenv("PGDATABASE")+os.Getenv("PGUSER") == "" {
		return nil, errEmpty
	}
	if Ambiguous(dsn) {
		_, err := pgx.ParseConfig(dsn)
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, errFile + DSNError(file.Err.Error())
		}
		if err != nil && strings.Contains(err.Error(), "failed to read service") {
			return nil, errService
		}
		return nil, errAsIs
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errAsIs
	}
	// Before pgxpool reads them, pgx takes the pool_ settings for runtime parameters: so they are told from defaults.
	said, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errAsIs
	}
	says := func(name string) bool { _, ok := said.RuntimeParams[name]; return ok }
	if !says("pool_max_conn_idle_time") {
		cfg.MaxConnIdleTime = maxIdleTime
	}
	if !says("pool_health_check_period") {
		cfg.HealthCheckPeriod = healthCheckPeriod
	}
	if !says("pool_ping_timeout") {
		cfg.PingTimeout = pingTimeout
	}
	if !says("pool_max_conn_lifetime") {
		cfg.MaxConnLifetime = maxLifetime
	}
	if !says("pool_max_conn_lifetime_jitter") {
		cfg.MaxConnLifetimeJitter = cfg.MaxConnLifetime / 10
	}
	return cfg, nil
}
