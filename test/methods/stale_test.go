package methods_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// stalePaths are the ways on which a statement goes to the server: alone, in a batch that reads or writes, in a
// transaction of ours.
var stalePaths = map[string]func(ctx context.Context, s *authdb.Store, w kit.Estate, n int) error{
	"a read": func(ctx context.Context, s *authdb.Store, w kit.Estate, _ int) error {
		return kit.ErrOf(s.Users.Get(ctx, w.Owner))
	},
	"a list": func(ctx context.Context, s *authdb.Store, w kit.Estate, _ int) error {
		return kit.InPage(s.Users.List(ctx, authdb.ListUsersParams{Limit: 3}))
	},
	"Authenticate": func(ctx context.Context, s *authdb.Store, w kit.Estate, _ int) error {
		return kit.ErrOf(s.Sessions.Authenticate(ctx, authdb.Secret(w.Of("token"))))
	},
	"a write": func(ctx context.Context, s *authdb.Store, w kit.Estate, n int) error {
		return kit.ErrOf(s.Users.Create(ctx, authdb.CreateUserParams{Email: fmt.Sprintf("stale%d@example.com", n)}))
	},
	"a snapshot": func(ctx context.Context, s *authdb.Store, w kit.Estate, _ int) error {
		return kit.ErrOf(s.Users.GetFull(ctx, w.Owner, kit.UserWith))
	},
	"a flight": func(ctx context.Context, s *authdb.Store, w kit.Estate, _ int) error {
		return kit.ErrOf(s.Users.VerifyEmail(ctx, w.Owner, authdb.VerifyEmailParams{Email: w.Email}))
	},
	"a bulk": func(ctx context.Context, s *authdb.Store, w kit.Estate, n int) error {
		return kit.ErrOf(s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Email: fmt.Sprintf("bulk%d@example.com", n)}}))
	},
	"a savepoint": func(ctx context.Context, s *authdb.Store, w kit.Estate, _ int) error {
		return s.InTx(ctx, func(tx *authdb.Store) error {
			return tx.InTx(ctx, func(in *authdb.Store) error { return kit.ErrOf(in.Users.Get(ctx, w.Owner)) })
		})
	},
	"under a key": func(ctx context.Context, s *authdb.Store, w kit.Estate, n int) error {
		return kit.ErrOf(s.Users.Create(authdb.Once(ctx, fmt.Sprint("stale", n)), authdb.CreateUserParams{
			Email: fmt.Sprintf("once%d@example.com", n),
		}))
	},
}

// TestTableChangesUnderPlans: a deploy alters the table of users while 64 callers use a warm pool. None of them notices,
// on any path, in any mode that keeps statements; each write is done once. The control, pgx alone, does.
func TestTableChangesUnderPlans(t *testing.T) {
	t.Parallel()
	// None writes the table anew, under which PostgreSQL shows it empty to a snapshot that is older.
	changes := []string{
		`ALTER TABLE "user" ADD COLUMN added%d text`, `ALTER TABLE "user" ALTER COLUMN name TYPE varchar -- %d`,
		`ALTER TABLE "user" ALTER COLUMN name TYPE text -- %d`, `ALTER TABLE "user" ALTER COLUMN created_at TYPE timestamptz -- %d`,
		`ALTER TABLE "user" DROP COLUMN added%d`, `ALTER TABLE "user" ALTER COLUMN created_at TYPE timestamp -- %d`,
	}
	const callers, rounds = 64, 2
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			ctx, dsn := t.Context(), authdbtest.DSN(t)
			setup := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn+"&timezone=UTC"))
			defer func() { _ = setup.Close(ctx) }()
			admin := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn+"&timezone=UTC"))
			defer func() { _ = admin.Close(ctx) }()
			w := kit.Must[kit.Estate](t)(kit.NewEstate(ctx, setup, "stale", "org", "owner"))
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, nil))
			s := kit.Must[*authdb.Store](t)(authdb.Open(ctx, dsn, authdb.WithLogger(logger), authdb.WithPoolConfig(func(c *pgxpool.Config) {
				c.MaxConns, c.ConnConfig.DefaultQueryExecMode = 8, mode
			})))
			defer s.Close()
			kit.Exec(t, s, `UPDATE session SET expires_at = '2100-01-01'`)
			var calls atomic.Int64
			all := func() {
				var wg sync.WaitGroup
				for i := range callers {
					wg.Go(func() {
						names := kit.KeysOf(stalePaths)
						name := names[i%len(names)]
						if err := stalePaths[name](ctx, s, w, int(calls.Add(1))); err != nil {
							e, _ := errors.AsType[*authdb.Error](err)
							t.Errorf("%s: %v (%+v)", name, err, e)
						}
					})
				}
				wg.Wait()
			}
			all() // every connection prepares
			noticed := 0
			for round := range rounds {
				for _, change := range changes {
					plain := func() error {
						rows, _ := setup.Query(ctx, `SELECT * FROM "user"`)
						rows.Close()
						return rows.Err()
					}
					if err := plain(); err != nil {
						t.Fatal(err)
					}
					var wg sync.WaitGroup
					wg.Go(all)
					kit.Must[pgconn.CommandTag](t)(admin.Exec(ctx, fmt.Sprintf(change, round+1), pgx.QueryExecModeSimpleProtocol))
					wg.Wait()
					if plain() != nil {
						noticed++
					}
					all()
				}
			}
			repeated := strings.Count(log.String(), "table has changed")
			if noticed == 0 || repeated == 0 && mode == pgx.QueryExecModeCacheStatement {
				t.Errorf("pgx alone noticed %d times, %d were repeated", noticed, repeated)
			}
			var written int64
			err := s.Pool().QueryRow(ctx, `SELECT count(*) FROM "user" WHERE email ~ '^(stale|bulk|once)[0-9]'`).Scan(&written)
			perRound := int64(0)
			for i := range callers {
				switch kit.KeysOf(stalePaths)[i%len(stalePaths)] {
				case "a write", "a bulk", "under a key":
					perRound++
				}
			}
			if want := perRound * int64(1+2*rounds*len(changes)); err != nil || written != want {
				t.Errorf("%d rows, want %d: %v", written, want, err)
			}
			t.Logf("%d calls, %d attempts repeated; pgx alone noticed %d of %d times",
				calls.Load(), repeated, noticed, rounds*len(changes))
		})
	}
}

// TestStalePlanInATransaction: a transaction of the caller's is lost, and says that it may be run again.
func TestStalePlanInATransaction(t *testing.T) {
	t.Parallel()
	ctx, admin := t.Context(), authdbtest.New(t)
	user := authdbtest.User(t, admin)
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, admin.Pool().Config().ConnString()))
	defer func() { _ = conn.Close(ctx) }()
	inTx := func() error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return kit.ErrOf(authdb.New(tx).Users.Get(ctx, user.ID)) })
	}
	if err := inTx(); err != nil {
		t.Fatal(err)
	}
	kit.Exec(t, admin, `ALTER TABLE "user" ALTER COLUMN name TYPE varchar`)
	var e *authdb.Error
	if err := inTx(); !errors.As(err, &e) || e.Retry != authdb.RetryTransaction || e.Outcome != authdb.OutcomeNotApplied {
		t.Errorf("the first: %v", err)
	}
	if err := inTx(); err != nil {
		t.Errorf("again: %v", err)
	}
}
