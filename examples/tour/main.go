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
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/examples/api"
	"github.com/zerostarter/authdb/internal/term"
	"github.com/zerostarter/authdb/internal/testdb"
)

const secret = "a-secret-of-at-least-32-characters-that-both-sides-know"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	db, err := testdb.Migrated(ctx) // one of its own, on the server that DATABASE_URL names or on one that is started
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Drop(context.Background())) }()
	store, err := authdb.Open(ctx, db.DSN, authdb.WithInsecureTLS())
	if err != nil {
		return err
	}
	defer store.Close()

	front, stop, err := betterAuth(db.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	service, err := api.New(store, secret)
	if err != nil {
		return err
	}
	back := httptest.NewServer(service)
	defer back.Close()

	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	b := &browser{
		http:  http.Client{Jar: jar, Timeout: time.Minute},
		bases: map[string]string{"Better Auth": front, "Go": back.URL},
	}
	steps := []struct {
		title, side, method, path, body, want string
	}{
		{"Nobody is signed in", "Go", "GET", "/me", "", "UNAUTHORIZED"},
		{
			"Ada signs up with Better Auth, which sets a cookie", "Better Auth", "POST", "/api/auth/sign-up/email",
			`{"name":"Ada","email":"ada@example.com","password":"analytical engine"}`, `"ada@example.com"`,
		},
		{"The Go service knows her by that cookie", "Go", "GET", "/me", "", `"Ada"`},
		{
			"She creates an organization in Go", "Go", "POST", "/organizations",
			`{"name":"Analytical Engines","slug":"engines"}`, `"engines"`,
		},
		{"Better Auth lists it", "Better Auth", "GET", "/api/auth/organization/list", "", `"engines"`},
		{
			"She makes it active in Better Auth", "Better Auth", "POST", "/api/auth/organization/set-active",
			`{"organizationSlug":"engines"}`, `"engines"`,
		},
		{"The Go service sees her role there", "Go", "GET", "/me", "", `"owner"`},
		{"The slug is taken, on either side", "Go", "POST", "/organizations", `{"name":"Other","slug":"engines"}`, "slug taken"},
		{"She signs out of Better Auth", "Better Auth", "POST", "/api/auth/sign-out", "{}", `"success":true`},
		{"The Go service knows her no more", "Go", "GET", "/me", "", "UNAUTHORIZED"},
	}
	for _, s := range steps {
		fmt.Printf("\n%s\n", term.Bold(os.Stdout, s.title))
		if err := b.do(ctx, s.side, s.method, s.path, s.body, s.want); err != nil {
			return err
		}
	}
	return nil
}

// folded is JSON in lines that fit a terminal, broken behind commas.
func folded(text string) string {
	var lines []string
	for _, part := range strings.SplitAfter(text, ",") {
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
	cmd := exec.Command("node", "server.mjs", "1.7")
	cmd.Dir = "test/betterauth"
	cmd.Env = append(os.Environ(), "SECRET="+secret, "PGHOST="+target.Host, fmt.Sprint("PGPORT=", target.Port),
		"PGUSER="+target.User, "PGPASSWORD="+target.Password, "PGDATABASE="+target.Database, "SCHEMA=schema.mjs",
		"BETTER_AUTH_TELEMETRY=0")
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

var token = regexp.MustCompile(`"token":"[^"]*"`) // is nobody else's business

type browser struct {
	http  http.Client // hosts differ by the port alone, so both get the cookie
	bases map[string]string
}

func (b *browser) do(ctx context.Context, side, method, path, body, want string) error {
	r, err := http.NewRequestWithContext(ctx, method, b.bases[side]+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", b.bases["Better Auth"])
	start := time.Now()
	response, err := b.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	text := token.ReplaceAllString(strings.TrimSpace(string(answer)), `"token":"…"`)
	fmt.Printf("  %-11s  %-4s %-33s %d in %d ms\n%s\n", side, method, path, response.StatusCode,
		time.Since(start).Milliseconds(), folded(text))
	if !strings.Contains(text, want) {
		return fmt.Errorf("%s %s: no %s in the answer", method, path, want)
	}
	return nil
}
