package authdb

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/connect"
	"github.com/zerostarter/authdb/internal/testdb"
)

// TestTLSPolicy lists the ways by which Open would connect, in order: host, and verified, unverified or plaintext.
func TestTLSPolicy(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"host=db.example.com":                        "db.example.com:verified",
		"postgres://u:p@db.example.com/x":            "db.example.com:verified",
		"host=db.example.com sslmode=prefer":         "db.example.com:verified",
		"host=db.example.com sslmode=verify-full":    "db.example.com:verified",
		"host=db.example.com sslrootcert=system":     "db.example.com:verified",
		"host=10.0.0.5":                              "10.0.0.5:verified",
		"host=a.example.com,b.example.com":           "a.example.com:verified b.example.com:verified",
		"host=a.example.com,a.example.com port=1,2":  "a.example.com:verified a.example.com:verified",
		"host=localhost,b.example.com":               "localhost:unverified localhost:plaintext b.example.com:verified",
		"host=db.example.com sslmode=disable":        "refused",
		"host=db.example.com sslmode=allow":          "refused",
		"host=db.example.com sslmode=require":        "refused",
		"host=/tmp,db.example.com sslmode=disable":   "refused",
		"host=localhost.example.com sslmode=disable": "refused",
		"host=localhost":                             "localhost:unverified localhost:plaintext",
		"host=localhost sslmode=disable":             "localhost:plaintext",
		"host=127.0.0.1 sslmode=disable":             "127.0.0.1:plaintext",
		"host=::1 sslmode=disable":                   "::1:plaintext",
		"host=/var/run/postgresql":                   "/var/run/postgresql:plaintext",
		"postgres:///x?host=/var/run/postgresql":     "/var/run/postgresql:plaintext",
	} {
		if got := ways(poolConfig(dsn, newConfig(nil))); got != want {
			t.Errorf("%s: got %s, want %s", dsn, got, want)
		}
	}
	for dsn, want := range map[string]string{
		"host=db.example.com":                 "db.example.com:unverified db.example.com:plaintext",
		"host=db.example.com sslmode=disable": "db.example.com:plaintext",
		"host=db.example.com sslmode=require": "db.example.com:unverified",
	} {
		if got := ways(poolConfig(dsn, newConfig([]Option{WithInsecureTLS()}))); got != want {
			t.Errorf("%s with WithInsecureTLS: got %s, want %s", dsn, got, want)
		}
	}
	// The last word on TLS is Open's, whatever an option did.
	disable := WithPoolConfig(func(c *pgxpool.Config) { c.ConnConfig.TLSConfig, c.ConnConfig.Fallbacks = nil, nil })
	if got := ways(poolConfig("host=db.example.com", newConfig([]Option{disable}))); got != "refused" {
		t.Errorf("TLS taken away by an option: %s", got)
	}
}

func ways(cfg *pgxpool.Config, err error) string {
	if errors.Is(err, ErrInsecureTLS) {
		return "refused"
	}
	if err != nil {
		return err.Error()
	}
	c := cfg.ConnConfig
	list := []string{way(c.Host, c.TLSConfig)}
	for _, f := range c.Fallbacks {
		list = append(list, way(f.Host, f.TLSConfig))
	}
	return strings.Join(list, " ")
}

func way(host string, c *tls.Config) string {
	switch {
	case c == nil:
		return host + ":plaintext"
	case c.InsecureSkipVerify:
		return host + ":unverified"
	case c.ServerName != host:
		return host + ":verified as " + c.ServerName
	}
	return host + ":verified"
}

func TestPoolDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := poolConfig("host=/tmp timezone=Asia/Tokyo", newConfig(nil))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.ConnConfig.ConnectTimeout != 10*time.Second || cfg.MaxConnIdleTime != 30*time.Second || cfg.MaxConnLifetime != time.Hour ||
		cfg.MaxConnLifetimeJitter != 6*time.Minute || cfg.PingTimeout != time.Second {
		t.Errorf("connect %v, idle %v, lifetime %v", cfg.ConnConfig.ConnectTimeout, cfg.MaxConnIdleTime, cfg.MaxConnLifetime)
	}
	if zone := cfg.ConnConfig.RuntimeParams["timezone"]; zone != "UTC" {
		t.Errorf("time zone %s", zone)
	}
	cfg, err = poolConfig("host=/tmp connect_timeout=3 pool_max_conn_idle_time=30m pool_max_conn_lifetime=1h pool_max_conns=7 "+
		"default_query_exec_mode=exec", newConfig([]Option{WithTracer(nopTracer{})}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.ConnConfig.ConnectTimeout != 3*time.Second || cfg.MaxConnIdleTime != 30*time.Minute ||
		cfg.MaxConnLifetime != time.Hour || cfg.MaxConns != 7 || cfg.ConnConfig.DefaultQueryExecMode != pgx.QueryExecModeExec ||
		cfg.ConnConfig.Tracer != (nopTracer{}) {
		t.Errorf("the DSN or an option was not respected: %v %v %v", cfg.ConnConfig.ConnectTimeout, cfg.MaxConnIdleTime, cfg.MaxConnLifetime)
	}
}

type nopTracer struct{}

func (nopTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (nopTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// overSocket connects to the test server whatever host the DSN names, so that a remote host can be tried.
func overSocket(t *testing.T) (dsn string, opt Option) {
	t.Helper()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	target, err := pgx.ParseConfig(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(target.Host, target.Port)
	dsn = "host=db.example.com user=" + target.User + " dbname=" + db.Name
	if target.Password != "" {
		dsn += " password='" + target.Password + "'"
	}
	return dsn, WithPoolConfig(func(c *pgxpool.Config) {
		c.ConnConfig.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }
		c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}
	})
}

// TestNoPlaintextFallback: a remote server that refuses TLS is no reason to send the password in the clear.
func TestNoPlaintextFallback(t *testing.T) {
	t.Parallel()
	dsn, remote := overSocket(t)
	if s, err := Open(t.Context(), dsn, remote); err == nil {
		s.Close()
		t.Error("connected without TLS")
	} else if !errors.Is(err, ErrInsecureTLS) {
		t.Errorf("got %v, want ErrInsecureTLS", err)
	}
	if _, err := Open(t.Context(), dsn+" sslmode=disable", remote); !errors.Is(err, ErrInsecureTLS) {
		t.Errorf("got %v, want ErrInsecureTLS", err)
	}
	s, err := Open(t.Context(), dsn+" sslmode=disable", remote, WithInsecureTLS())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestOpen(t *testing.T) {
	t.Parallel()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })

	s, err := Open(t.Context(), db.DSN, WithInsecureTLS(), WithPoolConfig(func(c *pgxpool.Config) {
		// Whatever the spelling, of which the server would take the one that a map happens to give last.
		for _, key := range []string{"timezone", "TimeZone", "TIMEZONE", "Timezone"} {
			c.ConnConfig.RuntimeParams[key] = "Asia/Tokyo"
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		s.Pool().Reset()
		var zone string
		if err := s.Pool().QueryRow(t.Context(), "SHOW timezone").Scan(&zone); err != nil || zone != "UTC" {
			t.Fatalf("session time zone %s, %v", zone, err)
		}
	}
	first := s.Pool().Stat().NewConnsCount()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if n := s.Pool().Stat().NewConnsCount(); n != first {
		t.Errorf("a connection was thrown away: %d made, then %d", first, n)
	}
	s.Close()
	if err := s.Ping(t.Context()); err == nil {
		t.Error("Ping on a closed store")
	}
}

// TestSearchPath: tables are looked for where DSN, role or database say, then in pg_temp; what is PostgreSQL's, before.
func TestSearchPath(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db, err := testdb.Migrated(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	conn, err := pgx.Connect(ctx, db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(ctx, `CREATE SCHEMA app; ALTER DATABASE `+db.Name+` SET search_path = app, public`); err != nil {
		t.Fatal(err)
	}
	as := func(path string) Option { // as a DSN says it
		return WithPoolConfig(func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["search_path"] = path })
	}
	set := func(path string) Option {
		return WithPoolConfig(func(c *pgxpool.Config) {
			c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, `SELECT set_config('search_path', $1, false)`, path)
				return err
			}
		})
	}
	for want, opts := range map[string][]Option{
		`app, public, pg_temp`:          nil,
		`public, pg_temp`:               {as("public")},
		`"a, $user", "a "" b", pg_temp`: {as(`"$user",$user , "a, $user","a "" b"`)},
		`"$USER", X"$user", pg_temp`:    {as(`"$USER", $User, X"$user"`)},
		`public, app, pg_temp`:          {as("public"), set("public, app")},
		`pg_temp`:                       {set("")},
		`app, pg_temp`:                  {as("pg_temp, app")}, // the first one would count
		`public, x, pg_temp`:            {as("public, PG_Catalog,x, pg_catalog")},
		`y, "PG_TEMP", pg_temp`:         {as(`"pg_temp",y, "PG_TEMP", "pg_catalog"`)},
	} {
		s, err := Open(ctx, db.DSN, append(opts, WithInsecureTLS())...)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		var got string
		if err := s.Pool().QueryRow(ctx, "SHOW search_path").Scan(&got); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		s.Close()
	}

	// A pooler tells another process than the one that answers.
	hijacked, err := conn.PgConn().Hijack()
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []uint32{hijacked.PID + 1, 1<<32 - 1} {
		lent := *hijacked
		lent.PID = other
		through, err := pgconn.Construct(&lent)
		if err != nil {
			t.Fatal(err)
		}
		err = connect.PutTempLast(ctx, through)
		answer := through.ExecParams(ctx, "SHOW search_path", nil, nil, nil, nil).Read()
		if got := string(answer.Rows[0][0]); err != nil || strings.Contains(got, "pg_temp") {
			t.Errorf("behind a pooler: %s, %v", got, err)
		}
		if hijacked, err = through.Hijack(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUserSchema is searched in the place of "$user" if it is the role's own, or was made for it; one that another role
// made in its name is not, nor is one that is made later.
func TestUserSchema(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db, err := testdb.Migrated(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	conn, err := pgx.Connect(ctx, db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(ctx context.Context, sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Error(err)
		}
	}
	role, mallory := `"Authdb ""test"" `+rand.Text()+`"`, `"`+rand.Text()+`"`
	exec(ctx, `CREATE ROLE `+role+`; CREATE ROLE `+mallory)
	t.Cleanup(func() {
		ctx := context.Background()
		exec(ctx, `ALTER DATABASE `+db.Name+` OWNER TO CURRENT_USER; DROP OWNED BY `+role+`, `+mallory+`; DROP ROLE `+role+`, `+mallory)
		_ = conn.Close(ctx)
	})
	name := strings.ReplaceAll(strings.Trim(role, `"`), `""`, `"`)
	for _, tt := range []struct {
		do     string
		search bool
	}{
		{`SELECT`, false},
		{`CREATE SCHEMA ` + role + ` AUTHORIZATION ` + mallory, false},
		{`ALTER DATABASE ` + db.Name + ` OWNER TO ` + mallory, true},
		{`ALTER DATABASE ` + db.Name + ` OWNER TO CURRENT_USER; ALTER SCHEMA ` + role + ` OWNER TO ` + role, true},
		{`ALTER SCHEMA ` + role + ` OWNER TO CURRENT_USER; GRANT USAGE ON SCHEMA ` + role + ` TO PUBLIC`, true},
	} {
		exec(ctx, tt.do)
		s, err := Open(ctx, db.DSN, WithInsecureTLS(), WithPoolConfig(func(c *pgxpool.Config) {
			c.ConnConfig.RuntimeParams["role"] = name
		}))
		if err != nil {
			t.Fatal(err)
		}
		want, got := "public, pg_temp", ""
		if tt.search {
			want = role + ", " + want
		}
		if err := s.Pool().QueryRow(ctx, "SHOW search_path").Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", tt.do, got, err, want)
		}
		s.Close()
	}
}

// TestOpenFails: nothing answers, so Open does not return a store; and no error shows the password.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"no server":    "postgres://ada:hunter2@127.0.0.1:1/x",
		"no socket":    "host=/nonexistent user=ada password=hunter2",
		"bad port":     "postgres://ada:hunter2@127.0.0.1:many/x",
		"bad sslmode":  "postgres://ada:hunter2@127.0.0.1/x?sslmode=maybe",
		"bad settings": "postgres://ada:hunter2@127.0.0.1/x?pool_max_conns=none",
		"insecure":     "postgres://ada:hunter2@db.example.com/x?sslmode=disable",
		"spaces":       "host=h user=ada password = hunter2 sslmode=bogus",
		"upper case":   "host=h user=ada PASSWORD=hunter2 sslmode=bogus",
		"no scheme":    "postgres//ada:hunter2:y@h",
	} {
		s, err := Open(t.Context(), dsn)
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Op != "Open" {
			t.Errorf("%s: %v is no *Error of Open", name, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "host=/tmp"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// untold is a connection to a server that does not tell whether it is a standby.
type untold struct{ net.Conn }

func (c untold) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if at := bytes.Index(b[:n], []byte("in_hot_standby")); at >= 0 {
		b[at] = 'x'
	}
	return n, err
}

// TestStandbysAreLeft: a write that a read-only server refuses is tried on new connections, until one leads to another
// server; on a server that says that it is the primary, the transaction is at fault, and the connection stays.
func TestStandbysAreLeft(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db, err := testdb.Migrated(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	admin, err := pgx.Connect(ctx, db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	set := func(sql string) {
		if _, err := admin.Exec(ctx, "ALTER DATABASE "+pgx.Identifier{db.Name}.Sanitize()+" "+sql); err != nil {
			t.Error(err)
		}
	}
	network, address := pgconn.NetworkAddress(admin.Config().Host, admin.Config().Port)
	for _, tells := range []bool{false, true} {
		set("SET default_transaction_read_only = on")
		dials := 0
		store, err := Open(ctx, db.DSN, WithInsecureTLS(), WithPoolConfig(func(c *pgxpool.Config) {
			c.MaxConns = 1
			c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
				if dials++; dials == 4 {
					set("RESET default_transaction_read_only")
				}
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				if tells {
					return conn, err
				}
				return untold{conn}, err
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Users.Create(ctx, CreateUserParams{Email: "a@x.io"})
		if e, _ := errors.AsType[*Error](err); tells && (e == nil || !errors.Is(err, ErrReadOnly) || e.Retry != RetryNever || dials != 1) ||
			!tells && (err != nil || dials != 4) {
			t.Errorf("tells %v: %v after %d connections", tells, err, dials)
		}
		store.Close()
	}
}

// TestRemoteHostSaysWhy: what the server answers is the cause, not that TLS was offered first.
func TestRemoteHostSaysWhy(t *testing.T) {
	t.Parallel()
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	target, err := pgx.ParseConfig(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(target.Host, target.Port)
	for name, dsn := range map[string]string{
		"database":  "host=127.0.0.1 user=" + target.User + " dbname=nowhere",
		"parameter": "host=127.0.0.1 user=" + target.User + " dbname=" + db.Name + " options='-c nonsense=1'",
	} {
		if target.Password != "" {
			dsn += " password='" + target.Password + "'"
		}
		_, err := Open(t.Context(), dsn, WithPoolConfig(func(c *pgxpool.Config) {
			c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}
		}))
		if e, _ := errors.AsType[*Error](err); e == nil || errors.Is(err, ErrInsecureTLS) || e.SQLState == "" {
			t.Errorf("wrong %s: %v", name, err)
		}
	}
}
