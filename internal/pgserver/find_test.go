package pgserver

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func fakeServer(t *testing.T, dir string, names ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(program(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustFind(t *testing.T, globs []string, want string) {
	t.Helper()
	if got, err := findLocal(globs); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestFindOrder(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "path")
	fakeServer(t, path)
	t.Setenv("PATH", path)
	t.Setenv("PGBIN", "")
	globs := []string{filepath.Join(root, "pg", "*", "bin"), filepath.Join(root, "other", "pgsql-*")}
	mustFind(t, globs, "")

	fakeServer(t, filepath.Join(root, "pg", "9.6", "bin"), "initdb", "postgres")
	newest := fakeServer(t, filepath.Join(root, "other", "pgsql-17"), "initdb", "postgres")
	fakeServer(t, filepath.Join(root, "pg", "16", "bin"), "initdb", "postgres")
	fakeServer(t, filepath.Join(root, "pg", "18", "bin"), "initdb", "pg_config") // half of it
	fakeServer(t, filepath.Join(root, "pg", "latest", "bin"), "initdb", "postgres")
	mustFind(t, globs, newest)

	inPath := fakeServer(t, filepath.Join(root, "elsewhere"), "initdb", "postgres")
	if err := os.Symlink(program(inPath, "initdb"), program(path, "initdb")); err != nil {
		t.Fatal(err)
	}
	mustFind(t, globs, inPath)

	explicit := fakeServer(t, filepath.Join(root, "explicit"), "initdb", "postgres")
	t.Setenv("PGBIN", explicit)
	mustFind(t, globs, explicit)
	t.Setenv("PGBIN", path)
	if _, err := findLocal(globs); err == nil || !strings.Contains(err.Error(), "PGBIN") {
		t.Errorf("got %v", err)
	}
}

func TestNotExecutable(t *testing.T) {
	dir := fakeServer(t, t.TempDir(), "initdb", "postgres")
	if err := os.Chmod(program(dir, "postgres"), 0o644); err != nil {
		t.Fatal(err)
	}
	if hasServer(dir) && runtime.GOOS != "windows" {
		t.Error("a file that cannot be executed is taken for the server")
	}
}
