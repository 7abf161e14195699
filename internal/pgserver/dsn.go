package pgserver

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// The DSNs of private servers name port and sslmode, so that PGPORT and PGSSLMODE have no effect. For every other
// variable that is set they name the parameter that undoes it; only if it is set, since older programs may not know it.

func socketDSN(dir string, port int) string {
	host := strings.ReplaceAll(escape(filepath.Join(dir, socketName)), "%2F", "/")
	return fmt.Sprintf("postgres:///postgres?host=%s&port=%d&user=postgres&sslmode=disable", host, port) + undone()
}

func tcpDSN(port int, password string) string {
	return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port) + undone()
}

func undone() (params string) {
	for _, v := range []struct{ name, param string }{
		{"PGOPTIONS", "options="},
		{"PGTARGETSESSIONATTRS", "target_session_attrs=any"},
		{"PGCONNECT_TIMEOUT", "connect_timeout=10"},
		{"PGCHANNELBINDING", "channel_binding=prefer"},
		{"PGREQUIREAUTH", "require_auth="},
		{"PGSSLNEGOTIATION", "sslnegotiation=postgres"},
		{"PGSSLROOTCERT", "sslrootcert="},
		{"PGSSLCERT", "sslcert="},
		{"PGSSLKEY", "sslkey="},
		{"PGSSLCERTMODE", "sslcertmode=allow"},
		{"PGMINPROTOCOLVERSION", "min_protocol_version=3.0"},
		{"PGMAXPROTOCOLVERSION", "max_protocol_version=latest"},
	} {
		if os.Getenv(v.name) != "" {
			params += "&" + v.param
		}
	}
	return params
}

// withDatabase edits the text of dsn instead of building a new one: what it does not know, it keeps.
func withDatabase(dsn, database string) string {
	scheme, rest, isURL := strings.Cut(dsn, "://")
	if !isURL || (scheme != "postgres" && scheme != "postgresql") {
		// The last of several equal keywords counts.
		return strings.TrimSpace(dsn + " dbname=" + quote(database))
	}
	user, rest := cutUserinfo(rest)
	rest, query, _ := strings.Cut(rest, "?")
	hosts, _, _ := strings.Cut(rest, "/")
	out := scheme + "://" + user + hosts + "/" + escape(database)
	if query = withoutDatabase(query); query != "" {
		out += "?" + query
	}
	return out
}

// cutUserinfo splits as libpq and pgx do: an @ before the first slash ends the userinfo, whatever it holds.
func cutUserinfo(s string) (user, rest string) {
	if i := strings.IndexAny(s, "@/"); i >= 0 && s[i] == '@' {
		return s[:i+1], s[i+1:]
	}
	return "", s
}

// withoutDatabase drops the parameters that would override the path.
func withoutDatabase(query string) string {
	var kept []string
	for param := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(param, "=")
		if name, err := url.QueryUnescape(key); err == nil && (name == "dbname" || name == "database") {
			continue
		}
		kept = append(kept, param)
	}
	return strings.Join(kept, "&")
}

// escape is for paths and parameters alike; libpq does not read + as a space.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
