package pgserver

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// localGlobs are where packages put the server: Debian, Red Hat, Alpine, Gentoo, from source, Homebrew, Postgres.app,
// Windows.
var localGlobs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/usr/lib*/postgresql-*/bin",
	"/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	`C:\Program Files\PostgreSQL\*\bin`,
}

// findLocal returns the directory of the server's binaries: $PGBIN, otherwise that of the initdb in PATH, otherwise the
// newest of the globs, otherwise "". It does not ask pg_config, which client packages install without a server.
func findLocal(globs []string) (string, error) {
	if dir := os.Getenv("PGBIN"); dir != "" {
		if !hasServer(dir) {
			return "", fmt.Errorf("PGBIN=%s: no initdb and postgres there", dir)
		}
		return dir, nil
	}
	if dir := inPath(); hasServer(dir) {
		return dir, nil
	}
	var found []string
	for _, glob := range globs {
		dirs, _ := filepath.Glob(glob) // errs only on a malformed pattern
		found = append(found, dirs...)
	}
	slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(pathVersion(b), pathVersion(a)) })
	for _, dir := range found {
		if hasServer(dir) {
			return dir, nil
		}
	}
	return "", nil
}

// inPath resolves symlinks, because postgres finds its files relative to where it really is.
func inPath() string {
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return ""
	}
	resolved, err := filepath.EvalSymlinks(initdb)
	if err != nil {
		return ""
	}
	return filepath.Dir(resolved)
}

func hasServer(dir string) bool {
	return filepath.IsAbs(dir) && executable(program(dir, "initdb")) && executable(program(dir, "postgres"))
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
}

func program(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}

var number = regexp.MustCompile(`\d+(\.\d+)?`)

// pathVersion is the last number in a path: 15, 9.6; 0 when there is none.
func pathVersion(path string) float64 {
	all := number.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	v, _ := strconv.ParseFloat(all[len(all)-1], 64)
	return v
}
