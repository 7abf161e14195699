//go:build betterauth

package betterauth_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
)

const (
	secret   = "kR7vTqY2nPzX9mWcB4sLhJ6dFgA1eU8o"
	password = "correct horse battery ﬁsh" // NFKC changes it
	ours     = "authdb"                    // the application_name of this package's connections
)

// check counts what was looked at and keeps what was wrong, so that a control can ask for a run to fail.
type check struct {
	mu    sync.Mutex
	n     int
	wrong []string
	notes []string
}

func (c *check) ok(ok bool, format string, args ...any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if !ok {
		_, file, line, _ := runtime.Caller(1)
		for skip := 2; strings.HasSuffix(file, "harness_test.go"); skip++ {
			_, file, line, _ = runtime.Caller(skip)
		}
		c.wrong = append(c.wrong, fmt.Sprintf("%s:%d: ", file[strings.LastIndexByte(file, '/')+1:], line)+fmt.Sprintf(format, args...))
	}
	return ok
}

// fail adds what is wrong where it is not counted what was looked at.
func (c *check) fail(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *check) equal(what string, got, want any) bool {
	return c.ok(cmp.Equal(want, got), "%s: %v, want %v", what, got, want)
}

// is checks that a call of this package returned the error that is wanted; nil wants success.
func (c *check) is(what string, err, want error) bool {
	return c.ok(isError(err, want), "%s: %v, want %v", what, err, want)
}

// must ends the group: nothing after it makes sense without it.
func (c *check) must(ok bool) {
	if !ok {
		runtime.Goexit()
	}
}

func (c *check) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// group runs checks that end at the first must that fails.
func (c *check) group(run func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	<-done
}

// one returns what a call returned, or ends the group.
func one[T any](c *check) func(value T, err error) T {
	return func(value T, err error) T {
		c.must(c.is("call", err, nil))
		return value
	}
}

// world is one server, its database, and this package on it.
type world struct {
	*check
	*authdb.Store
	t       *testing.T
	ctx     context.Context
	version betterauth.Version
	base    string
	cookies *betterauth.Cookies
	auth    *betterauth.Authenticator
	log     *lines
}

// lines is what the server wrote to its standard error.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.buf.String()
	return text[max(0, len(text)-1500):]
}

// newWorld migrates a database and starts the server of that version, such as 1.7.25, on it. before changes the
// database first.
func newWorld(t *testing.T, exact string, before ...string) *world {
	t.Helper()
	return newWorldOn(t, authdbtest.DSN(t), "schema.mjs", exact, before...)
}

// newWorldOn is newWorld on a database, for which the server has that Drizzle schema.
func newWorldOn(t *testing.T, dsn, schema, exact string, before ...string) *world {
	t.Helper()
	store, err := authdb.Open(t.Context(), dsn, authdb.WithInsecureTLS(), authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.MaxConns = 16
		c.ConnConfig.RuntimeParams["application_name"] = ours
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	for _, sql := range before {
		if _, err := store.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		check: &check{}, Store: store, t: t, ctx: t.Context(), cookies: cookies, log: &lines{},
		auth: &betterauth.Authenticator{Sessions: store.Sessions, Cookies: cookies},
	}
	if _, err := fmt.Sscanf(exact, "%d.%d.%d", &w.version[0], &w.version[1], &w.version[2]); err != nil {
		t.Fatal(err)
	}
	w.start(exact, dsn, schema)
	return w
}

// start runs server.mjs, which ends with its input, however this process ends.
func (w *world) start(exact, dsn, schema string) {
	w.t.Helper()
	line, _, _ := strings.Cut(strings.TrimPrefix(exact, "1."), ".")
	cmd := exec.Command("node", "server.mjs", "1."+line)
	cmd.Env = append(os.Environ(), "SECRET="+secret, "SCHEMA="+schema)
	cmd.Env = append(cmd.Env, pgEnv(w.t, dsn)...)
	var keyed bool
	if err := w.Pool().QueryRow(w.ctx, `SELECT to_regclass('apikey') IS NOT NULL`).Scan(&keyed); err != nil {
		w.t.Fatal(err)
	} else if keyed {
		cmd.Env = append(cmd.Env, "API_KEYS=1")
	}
	cmd.Stderr = w.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("the server wrote:\n%s", w.log.tail())
		}
	})
	said, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		w.t.Fatalf("the server did not start: %v\n%s", err, w.log.tail())
	}
	got, base, _ := strings.Cut(strings.TrimSpace(said), " ")
	if got != exact {
		w.t.Fatalf("the server is %s, not %s", got, exact)
	}
	w.base = base
}

// pgEnv names a database to node-postgres, which fills in what a URL leaves out in another way than pgx.
func pgEnv(t *testing.T, dsn string) []string {
	t.Helper()
	target, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"PGHOST=" + target.Host, fmt.Sprint("PGPORT=", target.Port), "PGUSER=" + target.User,
		"PGPASSWORD=" + target.Password, "PGDATABASE=" + target.Database, "BETTER_AUTH_TELEMETRY=0",
	}
}

func (w *world) is17() bool { return w.version[1] >= 7 }

func (w *world) exec(sql string, args ...any) {
	_, err := w.Pool().Exec(w.ctx, sql, args...)
	w.must(w.is("SQL", err, nil))
}

func (w *world) number(sql string, args ...any) (n int) {
	w.must(w.is("SQL", w.Pool().QueryRow(w.ctx, sql, args...).Scan(&n), nil))
	return n
}

var transport = &http.Transport{MaxIdleConnsPerHost: 32}

// browser is somebody with cookies.
type browser struct {
	w    *world
	http http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Error(err)
	}
	return &browser{w: w, http: http.Client{Jar: jar, Timeout: time.Minute, Transport: transport}}
}

// with returns a browser with the cookie that this package makes for a token.
func (w *world) with(token string) *browser {
	b := w.browser()
	at, err := url.Parse(w.base)
	if err != nil {
		w.t.Error(err)
	}
	b.http.Jar.SetCookies(at, []*http.Cookie{w.cookies.Cookie(authdb.Secret(token), authdb.SessionLifetime)})
	return b
}

// answer is a response, whose body is JSON or nil.
type answer struct {
	status int
	body   any
	header http.Header
	err    error
}

// at follows keys and indexes into the body; nil where there is nothing.
func (a answer) at(path ...any) any { return at(a.body, path...) }

func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// text is at for strings.
func (a answer) text(path ...any) string {
	s, _ := a.at(path...).(string)
	return s
}

func (a answer) list(path ...any) []any {
	l, _ := a.at(path...).([]any)
	return l
}

// texts is one field of each element of a list.
func (a answer) texts(field string, path ...any) []string {
	var all []string
	for _, row := range a.list(path...) {
		s, _ := at(row, field).(string)
		all = append(all, s)
	}
	return all
}

func (a answer) String() string {
	body, _ := json.Marshal(a.body)
	return fmt.Sprintf("%d %.600s %v", a.status, body, a.err)
}

type object = map[string]any

// get and post ask the server, by a path behind /api/auth or one of its own.
func (b *browser) get(path string) answer            { return b.do(http.MethodGet, path, nil) }
func (b *browser) post(path string, body any) answer { return b.do(http.MethodPost, path, body) }

func (b *browser) do(method, path string, body any) answer {
	if !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/test/") {
		path = "/api/auth" + path
	}
	var reader io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return answer{err: err}
		}
		reader = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(b.w.ctx, method, b.w.base+path, reader)
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", b.w.base)
	response, err := b.http.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{err: err}
	}
	if len(raw) > 0 && json.Unmarshal(raw, &a.body) != nil {
		a.body = string(raw)
	}
	return a
}

// done checks that the server did it.
func (w *world) done(what string, a answer) answer {
	w.must(w.ok(a.err == nil && a.status == http.StatusOK, "%s: %v", what, a))
	return a
}

// refused checks that the server answered with that status.
func (w *world) refused(what string, a answer, status int) {
	w.ok(a.err == nil && a.status == status, "%s: %v, want %d", what, a, status)
}

// cookie is the session cookie that the browser sends.
func (b *browser) cookie() string {
	at, err := url.Parse(b.w.base)
	if err != nil {
		return ""
	}
	for _, c := range b.http.Jar.Cookies(at) {
		if c.Name == b.w.cookies.Name() {
			return c.Value
		}
	}
	return ""
}

// token is the token in it.
func (b *browser) token() string {
	token, err := b.w.cookies.Verify(b.cookie())
	b.w.must(b.w.is("verify the server's cookie", err, nil))
	return string(token)
}
