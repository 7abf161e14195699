package authdb_test

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/authdbtest"
)

// TestReadmeSamples runs the samples of the README as they stand, in a module of their own.
func TestReadmeSamples(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	samples := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(samples) != 2 {
		t.Fatalf("%d samples, want a function and its test", len(samples))
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	goMod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	goSum, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	// The library's own requirements, so that nothing is looked up.
	write("go.mod", strings.Replace(string(goMod), "module github.com/zerostarter/authdb", "module example.com/service", 1)+
		"\nrequire github.com/zerostarter/authdb v0.0.0\nreplace github.com/zerostarter/authdb => "+root+"\n")
	write("go.sum", string(goSum))
	write("service.go", samples[0][1])
	write("service_test.go", samples[1][1])
	if lines := strings.Count(samples[0][1], "\n"); lines > 20 {
		t.Errorf("the first sample has %d lines", lines)
	}
	cmd := osexec.Command("go", "test", "-v", "-vet=all", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "DATABASE_URL="+authdbtest.DSN(t))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestJoin") {
		t.Errorf("%v\n%s", err, out)
	}
}
