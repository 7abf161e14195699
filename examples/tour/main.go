// Command tour runs a Better Auth server and the Go service of examples/api on one database, and a browser that talks
// to both with one cookie. Both ends are printed as they happen. See run.sh.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/examples/api"
	"github.com/zerostarter/authdb/internal/term"
	"github.com/zerostarter/authdb/internal/testdb"
)

const secret = "a-secret-of-at-least-32-characters-that-both-sides-know"

// allowlist is a table of the application's own: who may sign up.
const allowlist = `CREATE TABLE allowlist (email text PRIMARY KEY); INSERT INTO allowlist VALUES ('ada@example.com')`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	// One of its own, on the server that DATABASE_URL names or on one that is started, with what the application makes.
	db, err := testdb.NewTemplate(plugins.Admin, plugins.TwoFactor, plugins.Tables, allowlist).Database(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Drop(context.Background())) }()
	store, err := authdb.Open(ctx, db.DSN, authdb.WithInsecureTLS(),
		authdb.WithPlugins(authdb.Plugins{Admin: true, RefuseBanned: true}))
	if err != nil {
		return err
	}
	defer store.Close()

	front, stop, err := betterAuth(db.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	service, err := api.New(ctx, store, secret)
	if err != nil {
		return err
	}
	back := httptest.NewServer(service)
	defer back.Close()

	t := tour{bases: map[string]string{"Better Auth": front, "Go": back.URL}, noted: map[string]string{}}
	ada, eve := &http.Client{Jar: jar(), Timeout: time.Minute}, &http.Client{Jar: jar(), Timeout: time.Minute}
	if err := t.walk(ctx, []step{
		{"Nobody is signed in", ada, "Go", "GET", "/me", "", "UNAUTHORIZED"},
		{
			"Ada signs up with Better Auth, which sets a cookie", ada, "Better Auth", "POST", "/api/auth/sign-up/email",
			`{"name":"Ada","email":"ada@example.com","password":"analytical engine"}`, `"ada@example.com"`,
		},
		{"The Go service knows her by that cookie", ada, "Go", "GET", "/me", "", `"Ada"`},
		{
			"She creates an organization in Go", ada, "Go", "POST", "/organizations",
			`{"name":"Analytical Engines","slug":"engines"}`, `"engines"`,
		},
		{"Better Auth lists it", ada, "Better Auth", "GET", "/api/auth/organization/list", "", `"engines"`},
		{
			"She makes it active in Better Auth", ada, "Better Auth", "POST", "/api/auth/organization/set-active",
			`{"organizationSlug":"engines"}`, `"engines"`,
		},
		{"The Go service sees her role there", ada, "Go", "GET", "/me", "", `"owner"`},
		{
			"The slug is taken, on either side", ada, "Go", "POST", "/organizations", `{"name":"Other","slug":"engines"}`,
			"slug taken",
		},
		{
			"She makes a team in Better Auth", ada, "Better Auth", "POST", "/api/auth/organization/create-team",
			`{"name":"Difference"}`, `"Difference"`,
		},
		{"The Go service lists it, beside the organization's first", ada, "Go", "GET", "/teams", "", `"Difference"`},
		{
			"She makes an API key in Better Auth", ada, "Better Auth", "POST", "/api/auth/api-key/create",
			`{"name":"laptop"}`, `"laptop"`,
		},
		{"The Go service takes it, and counts", ada, "Go", "GET", "/key", "", `"requests":1`},
		{"The list of users is for administrators", ada, "Go", "GET", "/users", "", "FORBIDDEN"},
	}); err != nil {
		return err
	}
	fmt.Printf("\n%s\n  Go           admin.Users.SetRole\n", term.Bold(os.Stdout, "So she is made one"))
	if err := setRole(ctx, store, "ada@example.com", "admin"); err != nil {
		return err
	}
	return t.walk(ctx, []step{
		{
			"Eve is not on the list of who may sign up", eve, "Better Auth", "POST", "/api/auth/sign-up/email",
			`{"name":"Eve","email":"eve@example.com","password":"eavesdropping"}`, `"code"`,
		},
		{"Ada puts her there, in Go", ada, "Go", "POST", "/allowlist", `{"email":"eve@example.com"}`, `"eve@example.com"`},
		{
			"Eve signs up", eve, "Better Auth", "POST", "/api/auth/sign-up/email",
			`{"name":"Eve","email":"eve@example.com","password":"eavesdropping"}`, `"eve@example.com"`,
		},
		{
			"Ada bans her in Better Auth", ada, "Better Auth", "POST", "/api/auth/admin/ban-user",
			`{"userId":"{id}","banReason":"spam"}`, `"banned":true`,
		},
		{"The Go service knows Eve no more", eve, "Go", "GET", "/me", "", "UNAUTHORIZED"},
		{
			"Nor does it let her sign in", eve, "Go", "POST", "/sign-in",
			`{"email":"eve@example.com","password":"eavesdropping"}`, "BANNED_USER",
		},
		{"Ada sees why: she may list the users now", ada, "Go", "GET", "/users", "", `"banned":true`},
		{
			"She lifts the ban in Better Auth", ada, "Better Auth", "POST", "/api/auth/admin/unban-user",
			`{"userId":"{id}"}`, `"banned":false`,
		},
		{"And bans Eve in Go", ada, "Go", "POST", "/users/{id}/ban", "{}", `"banned":true`},
		{
			"Better Auth refuses Eve", eve, "Better Auth", "POST", "/api/auth/sign-in/email",
			`{"email":"eve@example.com","password":"eavesdropping"}`, "BANNED_USER",
		},
		{"Ada signs out of Better Auth", ada, "Better Auth", "POST", "/api/auth/sign-out", "{}", `"success":true`},
		{"The Go service knows her no more", ada, "Go", "GET", "/me", "", "UNAUTHORIZED"},
	})
}

// setRole is what an operator does once, so that there is an administrator.
func setRole(ctx context.Context, store *authdb.Store, email, role string) error {
	users, err := admin.New(ctx, store, admin.Options{})
	if err != nil {
		return err
	}
	user, err := store.Users.GetByEmail(ctx, email)
	if err != nil {
		return err
	}
	return users.SetRole(ctx, admin.SetRoleParams{UserID: user.ID, Roles: []string{role}})
}

// folded is JSON in lines that fit a terminal, broken behind commas and sentences.
func folded(text string) string {
	var lines []string
	for _, part := range strings.Split(strings.NewReplacer(",", ",\x00", ". ", ".\x00 ").Replace(text), "\x00") {
		if last := len(lines) - 1; last >= 0 && utf8.RuneCountInString(lines[last]+part) <= term.Width {
			lines[last] += part
		} else {
			lines = append(lines, "    "+part)
		}
	}
	return strings.Join(lines, "\n")
}

// betterAuth starts the server of test/betterauth, which ends with its input.
func betterAuth(dsn string) (base string, stop func() error, err error) {
	target, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", nil, errors.New("malformed DSN")
	}
	const dir = "test/betterauth"
	drizzle, err := os.ReadFile(filepath.Join(dir, "node_modules", "schema.mjs"))
	if err != nil {
		return "", nil, err
	}
	const schema = "tour.mjs" // with what the plugins add
	file := filepath.Join(dir, "node_modules", schema)
	if err := os.WriteFile(file, []byte(plugins.Drizzle(string(drizzle))), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.Command("node", "server.mjs", "1.7")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SECRET="+secret, "PGHOST="+target.Host, fmt.Sprint("PGPORT=", target.Port),
		"PGUSER="+target.User, "PGPASSWORD="+target.Password, "PGDATABASE="+target.Database, "SCHEMA="+schema,
		"API_KEYS=1", "TOUR=1", "BETTER_AUTH_TELEMETRY=0")
	var said bytes.Buffer
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return "", nil, fmt.Errorf("better auth did not start: %w\n%s", errors.Join(err, stop()), said.String())
	}
	version, base, _ := strings.Cut(strings.TrimSpace(line), " ")
	fmt.Printf("Better Auth %s and the Go service, on one database\n", version)
	return base, stop, nil
}

// step is a request by somebody, and what its answer has in it.
type step struct {
	title              string
	who                *http.Client // hosts differ by the port alone, so both get the cookie
	side, method, path string
	body, want         string
}

type tour struct {
	bases map[string]string
	noted map[string]string // the last id and key in an answer
}

func jar() http.CookieJar {
	j, _ := cookiejar.New(nil) // which never fails
	return j
}

func (t tour) walk(ctx context.Context, steps []step) error {
	for _, s := range steps {
		fmt.Printf("\n%s\n", term.Bold(os.Stdout, s.title))
		if err := t.do(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

var (
	secrets = regexp.MustCompile(`"(token|key)":"[^"]*"`) // are nobody else's business
	notable = regexp.MustCompile(`"(id|key)":"([^"]*)"`)
)

func (t tour) do(ctx context.Context, s step) error {
	body := strings.ReplaceAll(s.body, "{id}", t.noted["id"])
	path := strings.ReplaceAll(s.path, "{id}", t.noted["id"])
	r, err := http.NewRequestWithContext(ctx, s.method, t.bases[s.side]+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", t.bases["Better Auth"])
	if s.path == "/key" {
		r.Header.Set("X-Api-Key", t.noted["key"])
	}
	start := time.Now()
	response, err := s.who.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	for _, m := range notable.FindAllStringSubmatch(string(answer), -1) {
		t.noted[m[1]] = m[2]
	}
	text := secrets.ReplaceAllString(strings.TrimSpace(string(answer)), `"$1":"…"`)
	fmt.Printf("  %-11s  %-4s %-34s %d in %d ms\n%s\n", s.side, s.method, s.path, response.StatusCode,
		time.Since(start).Milliseconds(), folded(text))
	if !strings.Contains(text, s.want) {
		return fmt.Errorf("%s %s: no %s in the answer", s.method, s.path, s.want)
	}
	return nil
}
