package faults_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// bouncer is a PgBouncer that pools by transaction.
type bouncer struct {
	port     int
	version  string
	prepares bool // it knows prepared statements, as it does from 1.21 on

	mu      sync.Mutex
	console *pgconn.PgConn
}

const bouncerINI = `[databases]
* = %s

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
admin_users = admin
pool_mode = transaction
default_pool_size = %d
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
`

// pooling is how a PgBouncer is set.
type pooling struct {
	servers int  // connections to the server; 0: enough
	forgets bool // also from 1.21 on it knows no prepared statements
}

// findBouncer returns the binary, or "" if there is none.
func findBouncer() string {
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		return path
	}
	const debian = "/usr/sbin/pgbouncer" // not in the PATH of everybody
	if _, err := os.Stat(debian); err == nil {
		return debian
	}
	return ""
}

// startBouncer starts a PgBouncer before the server that dsn names, for all its databases. It returns nil if none is
// installed, which is a failure where CI is set.
func startBouncer(t *testing.T, dsn string, o pooling) *bouncer {
	t.Helper()
	path := findBouncer()
	if path == "" {
		say := t.Logf
		if os.Getenv("CI") != "" {
			say = t.Errorf
		}
		say("nothing is cut behind PgBouncer: it is not installed (Debian: apt-get install pgbouncer)")
		return nil
	}
	var err error
	for range 3 { // another process may take the free port first
		var b *bouncer
		if b, err = launchBouncer(t, path, dsn, o); err == nil {
			return b
		}
	}
	t.Fatal(err)
	return nil
}

func launchBouncer(t *testing.T, path, dsn string, o pooling) (*bouncer, error) {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b := &bouncer{version: strings.TrimPrefix(strings.SplitN(string(out), "\n", 2)[0], "PgBouncer ")}
	var major, minor int
	if _, err := fmt.Sscanf(b.version, "%d.%d", &major, &minor); err != nil {
		return nil, fmt.Errorf("%s: %q: %w", path, out, err)
	}
	knows := major > 1 || minor >= 21
	b.prepares = knows && !o.forgets

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return nil, err
	}
	server, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	target := fmt.Sprintf("host=%s port=%d user=%s", server.Host, server.Port, server.User)
	if server.Password != "" {
		target += " password='" + strings.ReplaceAll(server.Password, "'", "''") + "'"
	}
	ini := fmt.Sprintf(bouncerINI, target, b.port, cmp.Or(o.servers, 20))
	switch {
	case b.prepares:
		ini += "max_prepared_statements = 200\n"
	case knows:
		ini += "max_prepared_statements = 0\n"
	}
	dir, err := os.MkdirTemp("", "authdb-pgbouncer-")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "ini")
	if err := errors.Join(os.WriteFile(file, []byte(ini), 0o600), handToBouncer(dir, file)); err != nil {
		return nil, err
	}
	args := []string{file}
	if name := bouncerUser(); name != "" {
		args = append([]string{"-u", name}, args...)
	}
	var log bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	ctx, cancel := context.WithTimeout(t.Context(), ceiling)
	defer cancel()
	for {
		b.console, err = pgconn.Connect(ctx, fmt.Sprintf("postgres://admin@127.0.0.1:%d/pgbouncer?sslmode=disable", b.port))
		if err == nil {
			t.Cleanup(func() { _ = b.console.Close(context.Background()) })
			return b, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("PgBouncer ended: %s", log.String())
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

// bouncerUser is whom PgBouncer becomes where it is started by root, which it refuses to be; postgres reaches the
// socket of a private server.
func bouncerUser() string {
	if os.Geteuid() != 0 {
		return ""
	}
	for _, name := range []string{"postgres", "nobody"} {
		if _, err := user.Lookup(name); err == nil {
			return name
		}
	}
	return ""
}

// handToBouncer makes files the user's that PgBouncer becomes.
func handToBouncer(paths ...string) error {
	name := bouncerUser()
	if name == "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, uid, -1); err != nil {
			return err
		}
	}
	return nil
}

// show returns the rows of one of the console's SHOW commands that are about a database.
func (b *bouncer) show(ctx context.Context, what, database string) ([]map[string]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	results, err := b.console.Exec(ctx, "SHOW "+what).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	for _, values := range results[0].Rows {
		row := map[string]string{}
		for i, field := range results[0].FieldDescriptions {
			row[field.Name] = string(values[i])
		}
		if row["database"] == database {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// idle returns the servers of a database that PgBouncer waits for no more, or ok = false while it still has a client
// that came from one of ports. What such a client sent may not have been passed on yet.
func (b *bouncer) idle(ctx context.Context, database string, ports []int) (pids []string, ok bool, err error) {
	clients, err := b.show(ctx, "CLIENTS", database)
	if err != nil {
		return nil, false, err
	}
	for _, c := range clients {
		for _, port := range ports {
			if c["port"] == strconv.Itoa(port) {
				return nil, false, nil
			}
		}
	}
	servers, err := b.show(ctx, "SERVERS", database)
	if err != nil {
		return nil, false, err
	}
	pids = []string{}
	for _, s := range servers {
		if s["state"] == "idle" || s["state"] == "used" {
			pids = append(pids, s["remote_pid"])
		}
	}
	return pids, true, nil
}

// TestPooler runs every write through PgBouncer, and compares what it returns and the rows with those of a direct run; and
// then many callers on few connections. The control is a mode of pgx's that PgBouncer does not know.
func TestPooler(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	direct := newWorld(t, nil)
	b := startBouncer(t, direct.config.ConnString(), pooling{servers: 5})
	if b == nil {
		return
	}
	w := newWorld(t, b)
	defer w.close()
	h := &harness{bouncer: b, references: map[string]reference{}, messages: map[string][2]int{}}
	same := 0
	var modes []string
	for _, by := range ways(b) {
		if !by.bounced || len(modes) == sizeOf(t).ways {
			continue
		}
		modes = append(modes, modeName(by.mode))
		for name := range writes {
			if _, ok := h.references[name]; !ok {
				h.references[name] = refer(t, direct, name)
			}
			for _, f := range []flavor{plain, withOnce} {
				if _, err := h.measure(ctx, w, cell{name: name, way: by, flavor: f}); err != nil {
					t.Errorf("%s, %s, %s: %v", name, by, f, err)
				} else {
					same++
				}
			}
		}
	}
	record(t, fmt.Sprintf("PgBouncer %s: rows and results as direct, of %d writes, %s, WithOnce and not", b.version, len(writes), strings.Join(modes, ", ")), same)

	for _, by := range ways(b) {
		if by.bounced {
			calls, errs := crowd(t, w, by)
			record(t, fmt.Sprintf("calls of 16 workers on 5 connections, %s: errors", modeName(by.mode)), fmt.Sprintf("%d of %d", len(errs), calls))
			for _, err := range errs[:min(3, len(errs))] {
				t.Errorf("%s: %v", by, err)
			}
		}
	}
	control := newWorld(t, startBouncer(t, direct.config.ConnString(), pooling{servers: 5, forgets: true}))
	calls, errs := crowd(t, control, way{true, pgx.QueryExecModeCacheStatement})
	record(t, "control, cache_statement where PgBouncer knows no prepared statements: errors", fmt.Sprintf("%d of %d", len(errs), calls))
	if len(errs) == 0 {
		t.Error("the control makes no errors")
	}
}

// crowd lets 16 workers read and write.
func crowd(t *testing.T, w *world, by way) (calls int, errs []error) {
	t.Helper()
	const workers = 16
	ctx := t.Context()
	s, err := w.open(ctx, by, 0, "crowd", authdb.WithPoolConfig(func(c *pgxpool.Config) { c.MaxConns = workers }))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var mu sync.Mutex
	ended := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if err != nil {
			errs = append(errs, err)
		}
	}
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for range sizeOf(t).pooled {
				user, err := s.Users.Create(ctx, authdb.CreateUserParams{Email: made() + "@example.com"})
				ended(err)
				session, err := s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user.ID})
				ended(err)
				got, err := s.Sessions.Authenticate(ctx, session.Token)
				if err == nil && got.User.ID != user.ID {
					err = errors.New("another's session")
				}
				ended(err)
				ended(s.InTx(ctx, func(tx *authdb.Store) error {
					if _, err := tx.Organizations.Create(ctx, authdb.CreateOrganizationParams{Slug: "x" + made()[4:], OwnerID: user.ID}); err != nil {
						return err
					}
					return tx.Sessions.DeleteByToken(ctx, session.Token)
				}))
			}
		})
	}
	done.Wait()
	return calls, errs
}

// TestPoolerRefusesAParameter: what PgBouncer does not let through is named, at once, with what to do.
func TestPoolerRefusesAParameter(t *testing.T) {
	t.Parallel()
	dsn := authdbtest.DSN(t)
	b := startBouncer(t, dsn, pooling{})
	if b == nil {
		return
	}
	server, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, param := range []string{"search_path=public", "options=-c%20statement_timeout%3D5"} {
		begin := time.Now()
		_, err := authdb.Open(t.Context(), fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable&%s",
			server.User, b.port, server.Database, param))
		e, _ := errors.AsType[*authdb.Error](err)
		if e == nil || !errors.Is(err, authdb.ErrInvalidInput) || e.Retry != authdb.RetryNever || !strings.Contains(err.Error(), "ignore_startup_parameters") {
			t.Errorf("%s: %v after %v", param, err, time.Since(begin))
		}
	}
}
