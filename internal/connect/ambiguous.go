package connect

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// settings are the names that a DSN may have: those of pgx and its pool, and parameters of a session. Any other comes
// as options=-c name=value. What has another name may be half a password, or a URL that is taken for a list of
// settings.
var settings = strings.Fields(`
	host port user password passfile dbname service servicefile connect_timeout target_session_attrs
	sslmode sslcert sslkey sslpassword sslrootcert sslsni sslcertmode sslnegotiation krbspn krbsrvname
	channel_binding require_auth min_protocol_version max_protocol_version
	default_query_exec_mode statement_cache_capacity description_cache_capacity
	pool_max_conns pool_min_conns pool_min_idle_conns pool_max_conn_lifetime pool_max_conn_lifetime_jitter
	pool_max_conn_idle_time pool_health_check_period pool_ping_timeout
	application_name client_encoding client_min_messages datestyle DateStyle default_transaction_deferrable
	default_transaction_isolation default_transaction_read_only extra_float_digits
	idle_in_transaction_session_timeout idle_session_timeout intervalstyle IntervalStyle jit lock_timeout log_statement
	options plan_cache_mode role row_security search_path session_replication_role statement_timeout
	standard_conforming_strings synchronous_commit tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval
	tcp_user_timeout timezone TimeZone transaction_timeout work_mem`)

// Ambiguous reports whether dsn is none, or one that may say another thing than its author meant, so that errors would
// show a part of its password, as the name of a host, database or parameter: a URL with quotes, a space or another
// scheme before it; a password whose @, / or ? nobody escaped; a value with a space that nobody quoted, or that goes on
// with a setting of its own. It asks nobody but the machine's own files.
func Ambiguous(dsn string) bool {
	c, err := pgconn.ParseConfigWithOptions(dsn, pgconn.ParseConfigOptions{ConnStringAllowedKeys: settings})
	if err != nil || swallows(c) {
		return true
	}
	scheme, rest, ok := strings.Cut(dsn, "://")
	if !ok || scheme != "postgres" && scheme != "postgresql" {
		return false
	}
	rest, query, _ := strings.Cut(rest, "?")
	if i := strings.LastIndex(rest, "@"); i >= 0 && strings.ContainsAny(rest[:i], "@/") {
		return true
	}
	authority, _, _ := strings.Cut(rest, "/")
	if authority != "" && !strings.Contains(rest, "@") && strings.Contains(query, "@") { // the ? may be the password's
		return true
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "@") {
			return true
		}
	}
	return false
}

var (
	passwordKey = regexp.MustCompile(`(?i)(passw(or)?d|pass|pwd)[\s\v]*[=:]`)
	hostName    = regexp.MustCompile(`^[\pL\pM\pN._-]*$`)
)

// swallows reports whether what errors show holds more than its own value: the rest of a list whose parts are not
// parted as pgx has it, by a comma or semicolon perhaps, or user:password. Names of users and databases may have anything
// but = and :, which psql does not take in a database's either; a host is a name, an address or a path.
func swallows(c *pgconn.Config) bool {
	if strings.ContainsAny(c.User+c.Database, "=:") {
		return true
	}
	for _, way := range append(c.Fallbacks, &pgconn.FallbackConfig{Host: c.Host}) {
		if network, _ := pgconn.NetworkAddress(way.Host, 0); network == "unix" {
			if passwordKey.MatchString(way.Host) {
				return true
			}
		} else if _, err := netip.ParseAddr(way.Host); err != nil && !hostName.MatchString(way.Host) {
			return true
		}
	}
	for _, value := range c.RuntimeParams {
		if passwordKey.MatchString(value) {
			return true
		}
	}
	return false
}
