package connect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/connect"
)

// TestParse: every place takes what pgxpool takes, an answer for each DSN that is none shows nothing of it, and what is
// not said has a default.
func TestParse(t *testing.T) {
	for _, name := range []string{"PGHOST", "PGSERVICE", "PGDATABASE", "PGUSER"} {
		t.Setenv(name, "")
	}
	for dsn, want := range map[string]string{
		"":                                    "empty",
		"postgres://ada:se@same@h/db":         "malformed",
		"postgres://ada:sesame@h/db?nonsense": "malformed",
		"host=h password=sesame sslmode=verify-full sslrootcert=/nowhere/sesame.pem": "a file that it names, such as sslrootcert, cannot be read",
		"host=h pool_max_conns=sesame": "malformed",
	} {
		cfg, err := connect.Parse(dsn)
		if _, ok := errors.AsType[connect.DSNError](err); !ok || cfg != nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	cfg, err := connect.Parse("host=/tmp pool_max_conns=5 default_query_exec_mode=exec pool_max_conn_lifetime=2h pool_ping_timeout=3s")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MaxConns != 5 || cfg.ConnConfig.DefaultQueryExecMode != pgx.QueryExecModeExec || cfg.MaxConnLifetime != 2*time.Hour ||
		cfg.MaxConnLifetimeJitter != 12*time.Minute || cfg.PingTimeout != 3*time.Second || cfg.MaxConnIdleTime != 30*time.Second {
		t.Errorf("%+v", cfg)
	}
	for name := range cfg.ConnConfig.RuntimeParams {
		t.Errorf("%s is sent to the server", name)
	}
	t.Setenv("PGHOST", "/tmp")
	if _, err := connect.Parse(""); err != nil {
		t.Errorf("by the environment: %v", err)
	}
}

// TestPins: what changes the meaning of statements and answers is the module's, however the DSN spells it.
func TestPins(t *testing.T) {
	t.Parallel()
	c, err := pgx.ParseConfig("host=/tmp DateStyle=German client_encoding=LATIN1 TimeZone=Asia/Tokyo standard_conforming_strings=off")
	if err != nil {
		t.Fatal(err)
	}
	if err := connect.Apply(c, false); err != nil {
		t.Fatal(err)
	}
	if got := c.RuntimeParams; len(got) != 4 || got["datestyle"] != "ISO" || got["client_encoding"] != "UTF8" || got["timezone"] != "UTC" ||
		got["standard_conforming_strings"] != "on" {
		t.Errorf("%v", got)
	}
}

// TestChannelBinding proves the server as a certificate does, to whoever has a password: TLS without a certificate is
// enough, and none is not.
func TestChannelBinding(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]error{
		"host=db.example.com channel_binding=require sslmode=require": nil,
		"host=db.example.com channel_binding=require sslmode=prefer":  nil,
		"host=db.example.com channel_binding=require":                 nil,
		"host=db.example.com channel_binding=require sslmode=disable": connect.ErrInsecureTLS,
		"host=db.example.com channel_binding=prefer sslmode=require":  connect.ErrInsecureTLS,
	} {
		c, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if err := connect.Apply(c, false); !errors.Is(err, want) {
			t.Errorf("%s: %v", dsn, err)
		}
		if want == nil && (c.TLSConfig == nil || len(c.Fallbacks) > 0) {
			t.Errorf("%s: plaintext is left", dsn)
		}
	}
}

// TestRefusedTLS is the cause for a remote host alone, and only where that was tried last.
func TestRefusedTLS(t *testing.T) {
	t.Parallel()
	refused, other := errors.New("db: server refused TLS connection"), errors.New("db: password authentication failed")
	for _, test := range []struct {
		host string
		err  error
		want bool
	}{
		{"db.example.com", refused, true},
		{"db.example.com", errors.Join(other, refused), true},
		{"db.example.com", errors.Join(refused, other), false},
		{"127.0.0.1", refused, false},
		{"/tmp", errors.Join(refused, other), false},
	} {
		if got := connect.RefusedTLS(&pgconn.Config{Host: test.host}, test.err); got != test.want {
			t.Errorf("%s, %v: %v", test.host, test.err, got)
		}
	}
}
