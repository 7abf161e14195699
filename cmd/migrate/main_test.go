package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/migrate"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "authdb-migrate")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "migrate")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// TestSessions runs the built binary as testdata/*.txt say, and compares what it prints, to both outputs, and its exit
// code. A line "$ migrate ARGS" runs it, "$ sql STATEMENTS" changes the database, "$ file NAME" writes an empty file of
// that name to the working folder. UPDATE_SESSIONS=1 writes the files anew.
func TestSessions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if os.Getenv("UPDATE_SESSIONS") != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// replay runs the commands of a session and returns it as it goes now.
func replay(t *testing.T, session string) string {
	t.Helper()
	dsn, conn := database(t)
	dir := t.TempDir()
	var got strings.Builder
	for line := range strings.Lines(session) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") || line == "" {
			got.WriteString(line + "\n")
			continue
		}
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue // what a command printed the last time
		}
		got.WriteString(line + "\n")
		word, rest, _ := strings.Cut(command, " ")
		switch word {
		case "migrate":
			got.WriteString(stable(call(t, dsn, dir, rest)))
		case "sql":
			if _, err := conn.Exec(t.Context(), rest); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		case "file":
			file := filepath.Join(dir, rest)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("no command %s", word)
		}
	}
	return got.String()
}

var (
	instants  = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)
	durations = regexp.MustCompile(`took=\S+`)
	addresses = regexp.MustCompile(`host=\S+`)
)

// stable leaves out what differs from run to run.
func stable(s string) string {
	s = instants.ReplaceAllString(s, "TIME")
	s = durations.ReplaceAllString(s, "took=TIME")
	return addresses.ReplaceAllString(s, "host=HOST")
}

func call(t *testing.T, dsn, dir, args string) string {
	t.Helper()
	cmd := exec.Command(binary, strings.Fields(args)...)
	cmd.Dir = dir
	cmd.Env = []string{"DATABASE_URL=" + dsn, "PATH=" + os.Getenv("PATH")}
	for i, arg := range cmd.Args {
		if arg == "NONE" { // no database is named
			cmd.Env, cmd.Args = cmd.Env[1:], append(cmd.Args[:i:i], cmd.Args[i+1:]...)
			break
		}
	}
	out, errs, code := output(t, cmd)
	var got strings.Builder
	got.WriteString(out)
	for line := range strings.Lines(errs) {
		// The one before may not have gone yet, and the machine may be slow.
		if strings.Contains(line, "waiting for another migrator") || strings.HasPrefix(line, "msg=working ") {
			continue
		}
		got.WriteString("! " + line)
	}
	if code != 0 {
		got.WriteString("exit " + string(rune('0'+code)) + "\n")
	}
	return got.String()
}

func output(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return out.String(), errs.String(), code
}

func database(t *testing.T) (string, *pgx.Conn) {
	t.Helper()
	db, err := testdb.Empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "REVOKE CREATE ON SCHEMA public FROM PUBLIC"); err != nil { // as from PostgreSQL 15 on
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		_ = conn.Close(ctx)
		if err := db.Drop(ctx); err != nil {
			t.Error(err)
		}
	})
	return db.DSN, conn
}

// TestHelpIsTheUsage: every verb and flag is in it, and it is what -h prints.
func TestHelpIsTheUsage(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("usage.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-h"}, {"--help"}, {"up", "--help"}} {
		out, errs, code := output(t, exec.Command(binary, args...))
		if out != string(want) || errs != "" || code != 0 {
			t.Errorf("%v: exit %d, stderr %q, stdout\n%s", args, code, errs, out)
		}
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`flags\.\w+Var\(&c\.\w+, "([\w-]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !strings.Contains(string(want), "--"+m[1]+" ") {
			t.Errorf("the usage does not name --%s", m[1])
		}
	}
}

// TestNoConnection: nothing of the password is shown.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ url, stderr string }{
		{"postgres://ada:hunter2@127.0.0.1:1/x", "cannot connect"},
		{"postgres://ada:hunter2@db.example.com/x?sslmode=disable", "insecure TLS"},
		{"host=h user=u password = hunter2 sslmode=bogus", "the DSN is malformed"},
		{"postgres://ada:1/hunter2@127.0.0.1/x", "the DSN is malformed"},
		{"postgresql://ada:1?hunter2@127.0.0.1/x", "the DSN is malformed"},
		{"postgresql://ada:a@hunter2@127.0.0.1:1/x", "the DSN is malformed"},
		{"'postgres://ada:hunter2@127.0.0.1:1/x?sslmode=prefer'", "the DSN is malformed"},
		{"host=127.0.0.1 port=1 password=a hunter2=b", "the DSN is malformed"},
		{"host=127.0.0.1;port=1;user=ada;password=hunter2", "the DSN is malformed"},
		{"postgres://127.0.0.1:1/x&user=ada&password=hunter2", "the DSN is malformed"},
	} {
		for _, format := range []string{"--json=false", "--json"} {
			cmd := exec.Command(binary, "up", format)
			cmd.Env = []string{"DATABASE_URL=" + tt.url}
			out, errs, code := output(t, cmd)
			if code != 7 || !strings.Contains(errs, tt.stderr) || strings.Contains(out+errs, "hunter2") {
				t.Errorf("%s: exit %d, %s%s", tt.url, code, out, errs)
			}
			if (out != "") != (format == "--json") {
				t.Errorf("%s: stdout %q", format, out)
			}
		}
	}
}

// TestNoPasswordInAFlag, where every user of the machine reads it.
func TestNoPasswordInAFlag(t *testing.T) {
	t.Parallel()
	for url, refused := range map[string]bool{
		"postgres://ada:hunter2@127.0.0.1:1/x":               true,
		"postgres://ada:hunt/er2@127.0.0.1:1/x":              true,
		"postgresql://:hunter2@127.0.0.1:1/x":                true,
		"postgres://127.0.0.1:1/x?user=a&password=hunter2":   true,
		"postgres://127.0.0.1:1/x?user=a&pass%77ord=hunter2": true,
		"postgres://127.0.0.1:1/x?sslpassword=hunter2":       true,
		"host=127.0.0.1 port=1 PASSWORD = 'hunter2'":         true,
		"password=hunter2":                                   true,
		"host='127.0.0.1'password=hunter2 port=1":            true,
		"host=127.0.0.1 port=1\vpassword=hunter2":            true,
		"host=127.0.0.1 port=1 password\v=hunter2":           true,
		"postgres://127.0.0.1:1/x?p%61ssword=hunter2&x=%zz":  true,
		"postgres://ada%3ahunter2%40127.0.0.1":               true,
		"postgres%3A//ada:hunter2%40127.0.0.1:1/x":           true,
		"postgres://ada:hunter2%40127.0.0.1:1/x?a=b":         true,
		"postgres://127.0.0.1:1/password":                    false,
		"postgres://127.0.0.1:1/x?user=ada%40tenant":         false,
		"postgres://ada%40tenant@127.0.0.1:1/x":              false,
		"postgres://ada@127.0.0.1:1/x?sslmode=disable":       false,
		"host=127.0.0.1 port=1 user=a dbname=password":       false,
	} {
		for _, flag := range []string{"--database-url=" + url, "-database-url=" + url} {
			out, errs, code := output(t, exec.Command(binary, "version", flag))
			if (code == 2) != refused || !refused && code != 7 || strings.Contains(errs, "DATABASE_URL, or PGPASSFILE") != refused || strings.Contains(out+errs, "hunter2") {
				t.Errorf("%s: exit %d, %s%s", url, code, out, errs)
			}
		}
	}
}

// TestMisplacedPassword: a connection string in another place is not shown by what is wrong with that.
func TestMisplacedPassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://ada:hunter2@127.0.0.1:1/x", "host=127.0.0.1 port=1 password=hunter2"} {
		for _, args := range [][]string{
			{dsn},
			{"up", dsn},
			{"up", "--", dsn},
			{dsn, "up"},
			{"goto", dsn},
			{"--wait-for-db", dsn, "up"},
			{"up", "--json=" + dsn},
			{"up", "--url=" + dsn},
			{"up", "--" + dsn},
			{"create", dsn},
			{"check", "--dir", dsn},
			{"adopt", "--drizzle-journal=" + dsn},
			{"-h", dsn},
		} {
			out, errs, code := output(t, exec.Command(binary, append([]string{"--json"}, args...)...))
			if code != 2 || strings.Contains(out+errs, "hunter2") || !strings.Contains(out+errs, "DATABASE_URL, or PGPASSFILE") {
				t.Errorf("%q: exit %d, %s%s", args, code, out, errs)
			}
		}
	}
}

// TestMakeDownAsks unless the command line, and nothing else, says yes=1.
func TestMakeDownAsks(t *testing.T) {
	t.Parallel()
	for args, yes := range map[string]bool{"yes=1": true, "yes=0": false, "yes=no": false, "yes=": false, "": false} {
		cmd := exec.Command("make", append([]string{"-C", "../..", "-n", "migrate/down"}, strings.Fields(args)...)...)
		cmd.Env = append(os.Environ(), "yes=1")
		if out, errs, code := output(t, cmd); code != 0 || strings.Contains(out, "--yes") != yes {
			t.Errorf("%q: exit %d, %s%s", args, code, out, errs)
		}
	}
}

// TestNamesDoNotAct on the terminal, in whatever verb, result or error they come up, and none is a line of its own.
func TestNamesDoNotAct(t *testing.T) {
	t.Parallel()
	dsn, conn := database(t)
	const evil = "\x1b[2J\x1b]0;x\a\r\b\u009b2J\u202e\u2066\U000e0041\nversion 15: no drift"
	quoted := pgx.Identifier{evil}.Sanitize()
	must(t, dsn, "up", "1")
	sql(t, conn, `INSERT INTO "user" (id, name, email) VALUES ('u', '', '')`)
	sql(t, conn, `INSERT INTO organization (id, name, slug, created_at) VALUES ('o', '', '', '2026-01-01')`)
	sql(t, conn, `INSERT INTO member (id, organization_id, user_id, created_at) VALUES (E'm`+"\x1b[2J\u202e\nx"+`', 'o', 'u', '2026-01-01'), ('n', 'o', 'u', '2026-01-02')`)
	sql(t, conn, `CREATE TABLE `+quoted+` (`+quoted+` text DEFAULT '`+evil+`' NOT NULL CONSTRAINT `+quoted+` CHECK (`+quoted+` <> '`+evil+`'))`)
	sql(t, conn, `ALTER TABLE session ADD COLUMN `+quoted+` text NOT NULL; CREATE RULE `+quoted+` AS ON DELETE TO session DO INSTEAD NOTHING`)
	sql(t, conn, `UPDATE authdb.schema_history SET name = '`+evil+`', sha256 = '`+evil+`'; INSERT INTO authdb.schema_history VALUES (99, '`+evil+`', '`+evil+`', now())`)
	long := strings.Repeat("x", 100_000)
	sql(t, conn, `ALTER TABLE session ADD COLUMN long text DEFAULT '`+long+`'`)
	check := func(args ...string) {
		t.Helper()
		out, errs, _ := migrateAt(t, dsn, args...)
		for _, r := range out + errs {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%v: %q is printed", args, r)
			}
		}
		for line := range strings.Lines(out + errs) {
			if strings.HasPrefix(line, "version 15") || strings.HasPrefix(line, "x") || len(line) > 10_000 && !slices.Contains(args, "--json") {
				t.Errorf("%v: %.100s", args, line)
			}
		}
		if slices.Contains(args, "--json") && !json.Valid([]byte(out)) {
			t.Errorf("%v: %s", args, out)
		}
		if out+errs == "" {
			t.Errorf("%v: nothing", args)
		}
	}
	for _, format := range []string{"--json=false", "--json"} {
		for _, args := range [][]string{{"verify"}, {"verify", "--superset"}, {"status"}, {"adopt", "--fix", "--dry-run"}, {"up", "3", "--dry-run"}, {"adopt", "--drizzle-journal", evil}, {evil}, {"create", "x", "--dir", evil}} {
			check(append(args, format)...)
		}
	}
	sql(t, conn, `DROP SCHEMA authdb CASCADE`)
	check("adopt")
	sql(t, conn, `CREATE SCHEMA authdb; CREATE TABLE authdb.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`)
	sql(t, conn, `CREATE RULE `+quoted+` AS ON DELETE TO authdb.schema_migrations DO INSTEAD NOTHING`)
	check("force", "1", "--yes")
}

// TestLockTimeout: another migrator holds the lock for ever.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	dsn, conn := database(t)
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", 0x61757468_6462); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	out, errs, code := output(t, exec.Command(binary, "--database-url", dsn, "up", "--lock-timeout=300ms"))
	if code != 5 || out != "" || !strings.Contains(errs, "another migrator") || time.Since(start) > 10*time.Second {
		t.Errorf("exit %d after %v, %s%s", code, time.Since(start), out, errs)
	}
	for _, verb := range []string{"version", "status", "verify"} { // they wait for nobody
		if _, errs, code := output(t, exec.Command(binary, "--database-url", dsn, verb, "--lock-timeout=300ms")); code == 5 {
			t.Errorf("%s: %s", verb, errs)
		}
	}
}

// TestSignals: the first ends the command after the migration under way, the second ends the migration.
func TestSignals(t *testing.T) {
	t.Parallel()
	dsn, conn := database(t)
	m, err := migrate.Open(t.Context(), dsn, migrate.Options{InsecureTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Goto(t.Context(), 9), m.Close()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		signals int
		version string
	}{{1, "10"}, {2, "10"}} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// An index that is built CONCURRENTLY waits for whoever writes.
		for _, table := range []string{"member", "session"} {
			if _, err := tx.Exec(t.Context(), "LOCK TABLE "+table+" IN ROW EXCLUSIVE MODE"); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(binary, "--database-url", dsn, "up", "--lock-timeout=60s")
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		awaitBuild(t, dsn)
		for range tt.signals {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond) // two signals of one kind at once are one
		}
		if tt.signals == 2 {
			_ = cmd.Wait() // though the lock is still held
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tt.signals == 1 {
			_ = cmd.Wait()
		}
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("%d signals: exit %d, %s", tt.signals, code, errs.String())
		}
		out, _, code := output(t, exec.Command(binary, "--database-url", dsn, "version"))
		if strings.TrimSpace(out) != tt.version || code != 0 {
			t.Errorf("%d signals: version %s, exit %d; %s", tt.signals, out, code, errs.String())
		}
	}
	if _, errs, code := output(t, exec.Command(binary, "--database-url", dsn, "up")); code != 0 {
		t.Errorf("up afterwards: %s", errs)
	}
}

func awaitBuild(t *testing.T, dsn string) {
	t.Helper()
	await(t, dsn, `SELECT EXISTS (SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database() AND lockers_total > 0)`)
}

func await(t *testing.T, dsn, query string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for range 2000 {
		var is bool
		if err := conn.QueryRow(t.Context(), query).Scan(&is); err != nil {
			t.Fatal(err)
		}
		if is {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", query)
}

// TestSchema: it prints SQL, with no database anywhere.
func TestSchema(t *testing.T) {
	t.Parallel()
	want, err := migrate.Schema()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "schema")
	cmd.Env = []string{}
	if out, errs, code := output(t, cmd); out != want || errs != "" || code != 0 {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	cmd = exec.Command(binary, "schema", "--json")
	cmd.Env = []string{}
	out, _, code := output(t, cmd)
	var got struct{ SQL string }
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.SQL != want || code != 0 {
		t.Errorf("exit %d, %v", code, err)
	}
}
