package docs_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// serve runs until ctx is over, which signal.NotifyContext ends at SIGTERM.
func serve(ctx context.Context, l net.Listener, dsn string, log *slog.Logger) error {
	store, err := authdb.Open(ctx, dsn, authdb.WithLogger(log), authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.MaxConns = 20
	}))
	if err != nil {
		return err
	}
	defer store.Close() // waits for the connections that are in use
	if err := store.CheckSchema(ctx); err != nil {
		return err // authdb.ErrSchema says what is missing, and which migration brings it
	}

	server := &http.Server{Handler: routes(store), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
	}()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func routes(store *authdb.Store) http.Handler {
	mux := http.NewServeMux()
	// Live: the process works. It does not ask the database, whose failure no restart cures.
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	// Ready: requests can be served.
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := store.Ping(ctx); err != nil {
			http.Error(w, "no database", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// purge deletes what has expired. Call it from a job, every few minutes; any number of them may run at once.
func purge(ctx context.Context, store *authdb.Store) error {
	const limit = 1000
	for _, deleteSome := range []func(context.Context, int) (int64, error){
		store.Sessions.DeleteExpired, store.Verifications.DeleteExpired, store.DeleteExpiredMarks,
	} {
		for n := int64(limit); n == limit; {
			var err error
			if n, err = deleteSome(ctx, limit); err != nil {
				return err
			}
		}
	}
	return nil
}

// openBehindPgBouncer is for transaction pooling, where the next transaction may be on another connection, which has not
// prepared the statement. In a DSN, default_query_exec_mode=exec says the same.
func openBehindPgBouncer(ctx context.Context, dsn string) (*authdb.Store, error) {
	return authdb.Open(ctx, dsn, authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}))
}

func TestOperateGuide(t *testing.T) {
	t.Parallel()
	dsn := authdbtest.DSN(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	done := make(chan error)
	go func() { done <- serve(ctx, l, dsn, slog.New(slog.NewTextHandler(&log, nil))) }()
	for _, path := range []string{"/livez", "/readyz"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := serve(t.Context(), l, emptyDatabase(t), slog.Default()); err == nil || !strings.Contains(err.Error(), "schema does not fit") {
		t.Errorf("without a schema: %v", err)
	}
}

func TestPurgeGuide(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	authdbtest.Session(t, store, func(p *authdb.CreateSessionParams) { p.ExpiresAt = time.Now().Add(-time.Hour) })
	live := authdbtest.Session(t, store)
	if err := purge(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM session").Scan(&n); n != 1 || err != nil {
		t.Errorf("%d sessions, %v", n, err)
	}
	if _, err := store.Sessions.GetByToken(t.Context(), live.Token); err != nil {
		t.Error(err)
	}
}

func TestPgBouncerGuide(t *testing.T) {
	t.Parallel()
	store, err := openBehindPgBouncer(t.Context(), authdbtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if mode := store.Pool().Config().ConnConfig.DefaultQueryExecMode; mode != pgx.QueryExecModeExec {
		t.Errorf("mode %s", mode)
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
