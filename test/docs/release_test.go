package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRelease follows the recipe of CONTRIBUTING.md in a copy of what is committed, with this changelog and script.
func TestRelease(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "copy")
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		if _, err := os.Stat(dir); err == nil {
			cmd.Dir = dir
		}
		for _, entry := range os.Environ() { // git's own, as inside a hook, would lead elsewhere
			if !strings.HasPrefix(entry, "GIT_") {
				cmd.Env = append(cmd.Env, entry)
			}
		}
		cmd.Env = append(cmd.Env, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@example.com")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	at, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run("git", "clone", "--quiet", "--no-hardlinks", at, dir); err != nil {
		t.Fatal(out)
	}
	write(t, filepath.Join(dir, "CHANGELOG.md"), "# Changelog\n\n## Unreleased\n\n- The line.\n\n## 0.0.1 - 2020-01-01\n\n- Old.\n")
	write(t, filepath.Join(dir, "tools/release.sh"), file(t, "tools/release.sh"))
	if out, err := run("bash", "tools/release.sh", "v0.0.2"); err == nil || !strings.Contains(out, "not committed") {
		t.Errorf("with changes: %s", out)
	}
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", "x"}} {
		if out, err := run("git", args...); err != nil {
			t.Fatal(out)
		}
	}
	if out, err := run("bash", "tools/release.sh", "0.0.2"); err == nil {
		t.Errorf("without v: %s", out)
	}
	if out, err := run("bash", "tools/release.sh", "v0.0.2"); err != nil {
		t.Fatal(out)
	}
	changelog, err := os.ReadFile(filepath.Join(dir, "CHANGELOG.md"))
	if err != nil || !strings.Contains(string(changelog), "## Unreleased\n\n## 0.0.2 - ") {
		t.Errorf("%v\n%s", err, changelog)
	}
	out, err := run("git", "tag", "--list", "--format=%(contents)", "v0.0.2")
	if err != nil || !strings.Contains(out, "- The line.") || strings.Contains(out, "Old") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("bash", "tools/release.sh", "v0.0.2"); err == nil {
		t.Errorf("twice: %s", out)
	}
}
