package connect

import "strings"

// Ambiguous reports whether dsn is a URL with an @ behind its host, in its path or in a name of its query: a password
// with a / or ? in it that nobody escaped, of which errors would show the rest as the name of a database or setting.
func Ambiguous(dsn string) bool {
	scheme, rest, ok := strings.Cut(dsn, "://")
	if !ok || scheme != "postgres" && scheme != "postgresql" {
		return false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path, "@") {
		return true
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "@") {
			return true
		}
	}
	return false
}
