package main_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/testdb"
)

// TestCommand runs the built binary: output, standard error and exit code of each verb and mistake.
func TestCommand(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "migrate")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	db, err := testdb.Empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })

	files, err := fs.Glob(migrations.FS, "*.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	latest := fmt.Sprintln(len(files))
	const noDatabase = "postgres://ada:hunter2@127.0.0.1:1/x"
	for _, tt := range []struct {
		name, args, url string
		code            int
		stdout, stderr  string
	}{
		{"before", "version", db.DSN, 0, "0\n", ""},
		{"up", "up", db.DSN, 0, latest, ""},
		{"up again", "up", db.DSN, 0, latest, ""},
		{"version", "version", db.DSN, 0, latest, ""},
		{"the flag wins", "-database-url " + db.DSN + " version", noDatabase, 0, latest, ""},
		{"down", "down " + strings.TrimSpace(latest), db.DSN, 0, "0\n", ""},
		{"help", "-h", "", 0, "migrate brings a database", ""},
		{"no verb", "", db.DSN, 2, "", "wrong usage"},
		{"unknown verb", "sideways", db.DSN, 2, "", "wrong usage"},
		{"unknown flag", "-x up", db.DSN, 2, "", "wrong usage"},
		{"down without a number", "down", db.DSN, 2, "", "wrong usage"},
		{"down all", "down 0", db.DSN, 2, "", "how many"},
		{"up with a number", "up 1", db.DSN, 2, "", "wrong usage"},
		{"no database named", "up", "", 2, "", "DATABASE_URL"},
		{"insecure", "up", "postgres://ada:hunter2@db.example.com/x?sslmode=disable", 1, "", "insecure TLS"},
		{"malformed", "up", "host=h user=u password = hunter2 sslmode=bogus", 1, "", "malformed DSN"},
		{"no database there", "up", noDatabase, 1, "", "migrate: "},
	} {
		cmd := exec.Command(binary, strings.Fields(tt.args)...)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+tt.url)
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		code := 0
		if err := cmd.Run(); err != nil {
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok {
				t.Fatal(err)
			}
			code = exit.ExitCode()
		}
		if code != tt.code || !strings.HasPrefix(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%s: exit %d\nstdout: %s\nstderr: %s", tt.name, code, stdout.String(), stderr.String())
		}
		if strings.Contains(stdout.String()+stderr.String(), "hunter2") {
			t.Errorf("%s: the password is shown", tt.name)
		}
		if (tt.stderr == "") != (stderr.String() == "") {
			t.Errorf("%s: stderr %q", tt.name, stderr.String())
		}
	}
}
