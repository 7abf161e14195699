package authdb_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// methodTracer collects the methods for which something was sent.
type methodTracer struct {
	mu      sync.Mutex
	methods []string
}

func (m *methodTracer) add(ctx context.Context) context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.methods = append(m.methods, authdb.Method(ctx))
	return ctx
}

// seen returns the methods since the last call, each once.
func (m *methodTracer) seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	methods := slices.Compact(m.methods)
	m.methods = nil
	return methods
}

func (m *methodTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return m.add(ctx)
}

func (m *methodTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return m.add(ctx)
}

func (m *methodTracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return m.add(ctx)
}

func (*methodTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)             {}
func (*methodTracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData)         {}
func (*methodTracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)             {}
func (*methodTracer) TraceAcquireEnd(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireEndData) {}

func TestMethod(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := authdbtest.New(t).Pool().Config().ConnString()
	tracer := &methodTracer{}
	opened, err := authdb.Open(ctx, dsn, authdb.WithTracer(tracer))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	once := authdb.New(pool, authdb.WithOnce())

	for name, s := range map[string]*authdb.Store{
		"Open": opened, "New of a pool": authdb.New(pool), "New of a connection": authdb.New(conn), "New of a tx": authdb.New(tx),
		"WithTx": opened.WithTx(tx), "with marks": once,
	} {
		t.Run(name, func(t *testing.T) {
			user := authdb.User{ID: "id"}
			for want, call := range map[string]func(){
				"Users.Get":  func() { _, _ = s.Users.Get(ctx, "id") },
				"Users.List": func() { _, _ = s.Users.List(ctx, authdb.ListUsersParams{}) },
				"Users.Load": func() {
					_, _ = s.Users.Load(ctx, []authdb.User{user}, authdb.UserWith{Sessions: authdb.All(), Accounts: authdb.All()})
				},
				"Users.Delete": func() { _, _ = s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: "id"}) },
				"Users.SetEmail": func() {
					_, _ = s.Users.SetEmail(ctx, "id", authdb.SetEmailParams{Email: "x@example.com", Verified: true})
				},
				"Sessions.Authenticate": func() { _, _ = s.Sessions.Authenticate(ctx, "token") },
				"Sessions.ListByTokens": func() { _, _ = s.Sessions.ListByTokens(ctx, []authdb.Secret{"token"}) },
				"Invitations.GetByRecipient": func() {
					_, _ = s.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{InvitationID: "id", UserID: "id"})
				},
				"DeleteExpiredMarks": func() { _, _ = s.DeleteExpiredMarks(ctx, 1) },
				"Ping":               func() { _ = s.Ping(ctx) },
				"InTx":               func() { _ = s.InTx(ctx, func(*authdb.Store) error { return nil }) },
			} {
				tracer.seen()
				call()
				if got := tracer.seen(); !slices.Equal(got, []string{want}) {
					t.Errorf("%s: got %v", want, got)
				}
			}
			// Under a key a method's name is written with a digest of what it is about, which is none of a tracer's.
			tracer.seen()
			_, _ = s.Users.SetEmail(authdb.Once(ctx, name), "id", authdb.SetEmailParams{Email: "x@example.com", Verified: true})
			if got := tracer.seen(); len(got) > 0 && !slices.Equal(got, []string{"Users.SetEmail"}) {
				t.Errorf("under Once: got %v", got)
			}
		})
	}

	t.Run("in a transaction", func(t *testing.T) {
		tracer.seen()
		if err := opened.InTx(ctx, func(tx *authdb.Store) error {
			_, _ = tx.Users.Get(ctx, "id")
			_, err := tx.Tx().Exec(ctx, "SELECT 1")
			return err
		}); err != nil {
			t.Error(err)
		}
		if got := tracer.seen(); !slices.Equal(got, []string{"InTx", "Users.Get", "", "InTx"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestLogger(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := authdbtest.New(t).Pool()
	const secret = "ada@example.com"
	logged := func(fn func(tx *authdb.Store, call int) error) string {
		var log bytes.Buffer
		store := authdb.New(pool, authdb.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		call := 0
		_ = store.InTx(ctx, func(tx *authdb.Store) error {
			if call++; call == 3 {
				return nil
			}
			_, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: secret})
			if err != nil {
				t.Error(err)
			}
			return fn(tx, call)
		})
		return log.String()
	}
	raise := func(code string) func(tx *authdb.Store, call int) error {
		return func(tx *authdb.Store, _ int) error {
			_, err := tx.Tx().Exec(ctx, "DO $$ BEGIN RAISE EXCEPTION '"+secret+"' USING ERRCODE = '"+code+"'; END $$")
			return err
		}
	}
	for name, test := range map[string]struct {
		fn   func(tx *authdb.Store, call int) error
		want []string // a part of each line
	}{
		"an error": {func(*authdb.Store, int) error { return errors.New("own") }, nil},
		"victim": {raise("40001"), []string{
			`level=INFO msg="authdb: repeat" method=InTx attempt=1 reason="transaction failed for another's sake" sqlstate=40001`,
			`method=InTx attempt=2 reason="transaction failed for another's sake" sqlstate=40001`,
		}},
		"connection lost": {func(tx *authdb.Store, call int) error {
			if call > 1 {
				return errors.New("own")
			}
			_, err := tx.Tx().Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
			return err
		}, []string{`attempt=1 reason="connection lost" sqlstate=57P01`}},
		"rollback failed": {func(tx *authdb.Store, call int) error {
			if _, err := tx.Tx().Query(ctx, "SELECT generate_series(1, 3)"); err != nil {
				return err
			}
			return errors.New("own")
		}, []string{`level=WARN msg="authdb: connection dropped" reason="rollback failed" pid=`}},
		"rollback to a savepoint failed": {func(tx *authdb.Store, call int) error {
			if call > 1 {
				return errors.New("own")
			}
			return tx.InTx(ctx, func(tx *authdb.Store) error {
				_, _ = tx.Tx().Query(ctx, "SELECT generate_series(1, 3)")
				return errors.New("own")
			})
		}, []string{`msg="authdb: connection dropped" reason="rollback failed" pid=`, `attempt=1 reason="connection lost"`}},
	} {
		t.Run(name, func(t *testing.T) {
			log := logged(test.fn)
			lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
			if log == "" {
				lines = nil
			}
			if len(lines) != len(test.want) || strings.Contains(log, secret) {
				t.Fatalf("got\n%s", log)
			}
			for i, want := range test.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("got\n%s\nwant\n%s", lines[i], want)
				}
			}
		})
	}
}
