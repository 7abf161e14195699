package pgserver

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestPrivateServer(t *testing.T) {
	// A private server must not care for these.
	t.Setenv("PGPORT", "1")
	t.Setenv("PGSSLMODE", "require")
	t.Setenv("PGDATA", "/nowhere")
	s := start(t, Options{})
	for query, want := range map[string]string{
		"show server_version":   s.Version(),
		"show server_encoding":  "UTF8",
		"show fsync":            "off",
		"show max_connections":  "200",
		"show listen_addresses": "",
		"select current_user":   "postgres",
		"select lower('ÄA')":    "Äa", // the C locale
	} {
		if got := ask(t, s.DSN(), query); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if s.External() || s.Origin() == "" || s.Version() == "" || !alive(s.PID()) {
		t.Errorf("external %v, origin %q, version %q, pid %d", s.External(), s.Origin(), s.Version(), s.PID())
	}
}

func TestDSNForAnotherDatabase(t *testing.T) {
	s := start(t, Options{})
	const name = `a b/'"\%&?`
	conn, err := pgx.Connect(testContext(t), s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(testContext(t), "create database "+pgx.Identifier{name}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s.DSNFor(name), "select current_database()"); got != name {
		t.Errorf("got %q, want %q", got, name)
	}
}

// TestKept: what a server with a name has is there for the next one, and for one at a time.
func TestKept(t *testing.T) {
	name := "test-" + strconv.Itoa(os.Getpid())
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Join(cache, name)) })
	private(t)
	for i, query := range []string{"create table kept as select 'there' word", "select word from kept"} {
		s, err := Start(testContext(t), Options{Kept: name, TCP: i == 1})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(testContext(t), s.DSN())
		if err == nil {
			_, err = conn.Exec(testContext(t), query)
			conn.Close(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
		if _, err := Start(testContext(t), Options{Kept: name}); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second server: %v", err)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestTCP: nobody comes in without this server's own password.
func TestTCP(t *testing.T) {
	s, other := start(t, Options{TCP: true}), start(t, Options{TCP: true})
	u, err := url.Parse(s.DSN())
	if err != nil || u.Hostname() != "127.0.0.1" || u.Port() == "" {
		t.Fatalf("%s: no TCP address (%v)", s.DSN(), err)
	}
	if got := ask(t, s.DSN(), "show port"); got != u.Port() {
		t.Errorf("got port %s, want %s", got, u.Port())
	}
	for _, user := range []*url.Userinfo{url.User("postgres"), url.UserPassword("postgres", "postgres"), url.UserPassword("postgres", other.by.password)} {
		guess := *u
		guess.User = user
		conn, err := pgx.Connect(testContext(t), guess.String())
		var said *pgconn.PgError
		if err == nil {
			_ = conn.Close(context.Background())
		}
		if !errors.As(err, &said) && (err == nil || !strings.Contains(err.Error(), "password")) {
			t.Errorf("%v: %v", user, err)
		}
	}
	if got := ask(t, s.DSN(), "select count(*)::text from pg_hba_file_rules where type <> 'local' and auth_method <> 'scram-sha-256'"); got != "0" {
		t.Errorf("%s doors without a password", got)
	}
	if err := s.Crash(testContext(t), Immediate); err != nil {
		t.Fatal(err)
	}
	ask(t, s.DSN(), "select 'again'")
	if by := s.SocketDSNFor("postgres"); sockets && (strings.Contains(by, s.by.password) || ask(t, by, "select 'socket'") == "") {
		t.Error(by)
	}
}

func TestSeveralAtOnce(t *testing.T) {
	private(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := Start(testContext(t), Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestExternal(t *testing.T) {
	inner := start(t, Options{})
	t.Setenv("AUTHDB_POSTGRES", "")
	t.Setenv("DATABASE_URL", inner.DSN())
	s, err := Start(testContext(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.External() || s.DSN() != inner.DSN() || s.Version() != inner.Version() || s.Origin() != "DATABASE_URL" {
		t.Errorf("external %v, dsn %s, version %s, origin %s", s.External(), s.DSN(), s.Version(), s.Origin())
	}
	if s.Dir() != "" || s.PID() != 0 {
		t.Errorf("dir %q, pid %d", s.Dir(), s.PID())
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	ask(t, inner.DSN(), "select 'still there'")
}

func TestExternalErrorsHideThePassword(t *testing.T) {
	t.Setenv("AUTHDB_POSTGRES", "")
	for _, dsn := range []string{
		"postgres://user:geheim@127.0.0.1:1/db?connect_timeout=1",
		"host=127.0.0.1 port=1 user=u password=geheim",
		"postgres://user:ge/geheim@host:x/db",
		"password = geheim host",
		"mysql://u:geheim@host/db",
	} {
		t.Setenv("DATABASE_URL", dsn)
		_, err := Start(testContext(t), Options{})
		if err == nil || strings.Contains(err.Error(), "geheim") || !strings.Contains(err.Error(), "DATABASE_URL") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestUnknownRung(t *testing.T) {
	t.Setenv("AUTHDB_POSTGRES", "docker")
	if _, err := Start(testContext(t), Options{}); err == nil || !strings.Contains(err.Error(), "local or download") {
		t.Errorf("got %v", err)
	}
}

func TestNoPostgres(t *testing.T) {
	private(t)
	saved := localGlobs
	localGlobs = nil
	t.Cleanup(func() { localGlobs = saved })
	t.Setenv("PATH", t.TempDir())
	t.Setenv("PGBIN", "")
	t.Setenv("AUTHDB_POSTGRES", "local")
	if _, err := Start(testContext(t), Options{}); !errors.Is(err, ErrNoPostgres) {
		t.Errorf("got %v", err)
	}
}

func TestFailureShowsTheLog(t *testing.T) {
	private(t)
	l := &launcher{bin: start(t, Options{}).bin, as: serverAccount()}
	if err := l.probe(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := l.makeDir(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.removeDir() }()
	// There is no cluster in it.
	if _, err := l.serve(testContext(t)); err == nil || !strings.Contains(err.Error(), "could not access directory") {
		t.Errorf("got %v", err)
	}
}
