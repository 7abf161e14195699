package standby_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
)

// repeats counts what a store tells of attempts that it repeats since the server ended them, of GetFull and of InTx.
type repeats struct {
	slog.Handler
	full, tx atomic.Int64
}

func (*repeats) Enabled(context.Context, slog.Level) bool { return true }

func (r *repeats) Handle(_ context.Context, record slog.Record) error {
	told := map[string]string{}
	record.Attrs(func(a slog.Attr) bool {
		told[a.Key] = a.Value.String()
		return true
	})
	switch ended := told["sqlstate"] == "40001" || told["sqlstate"] == "40P01"; {
	case ended && told["method"] == "Organizations.GetFull":
		r.full.Add(1)
	case ended && told["method"] == "InTx":
		r.tx.Add(1)
	}
	return nil
}

// recoveryConflicts: what a read is in the way of, a standby that waits for nobody ends. Reads of a store are
// repeated, and nobody hears of it. The same transactions by pgx alone fail.
func (p pair) recoveryConflicts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), ceiling)
	defer cancel()
	const members = 400
	exec(t, p.primary, fmt.Sprintf(`
		INSERT INTO "user" (id, name, email) SELECT 'member' || n, '', 'member' || n || '@example.com' FROM generate_series(1, %d) n;
		INSERT INTO organization (id, name, slug, created_at) VALUES ('org', '', 'org', now());
		INSERT INTO member (id, organization_id, user_id, role, created_at) SELECT id, 'org', id, 'member', now() FROM "user" WHERE id LIKE 'member%%'`, members))
	if err := p.waitFor(t, p.position(t), ceiling); err != nil {
		t.Fatal(err)
	}
	exec(t, p.standby, `ALTER SYSTEM SET max_standby_streaming_delay = 0`)
	exec(t, p.standby, `SELECT pg_reload_conf()`)
	told := &repeats{}
	store := open(t, p.servers[1], authdb.WithLogger(slog.New(told)))
	const enough = 5 // of each
	var failed atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	each := func(run func()) {
		all.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-stop:
					return
				default:
					run()
				}
			}
		})
	}
	// Rows that a snapshot of the standby may need are taken away.
	each(func() {
		_, err := p.primary.Pool().Exec(ctx, `UPDATE "user" SET name = name || 'x'`)
		if err == nil {
			_, err = p.primary.Pool().Exec(ctx, `VACUUM "user"`)
		}
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	for range 2 {
		each(func() {
			full, err := store.Organizations.GetFull(ctx, "org", authdb.OrganizationWith{Members: authdb.All()})
			if err != nil && ctx.Err() == nil {
				t.Errorf("GetFull: %v", err)
			} else if err == nil && len(full.Members) != members {
				t.Errorf("%d members", len(full.Members))
			}
		})
		each(func() {
			err := store.InTxWith(ctx, authdb.TxOptions{ReadOnly: true, IsoLevel: pgx.RepeatableRead}, func(tx *authdb.Store) error {
				_, err := tx.Users.Count(ctx, authdb.ListUsersParams{})
				time.Sleep(time.Millisecond) // idle in it, where the server closes the connection
				if err == nil {
					_, err = tx.Users.Count(ctx, authdb.ListUsersParams{})
				}
				return err
			})
			if err != nil && ctx.Err() == nil {
				t.Errorf("InTxWith: %v", err)
			}
		})
		each(func() {
			err := pgx.BeginTxFunc(ctx, p.standby.Pool(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
				var n int
				err := tx.QueryRow(ctx, `SELECT count(*) FROM "user"`).Scan(&n)
				if err == nil {
					err = tx.QueryRow(ctx, `SELECT count(*) FROM member JOIN "user" u ON u.id = user_id`).Scan(&n)
				}
				return err
			})
			if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && (pgErr.Code == "40001" || pgErr.Code == "40P01") {
				failed.Add(1)
			}
		})
	}
	for min(told.full.Load(), told.tx.Load(), failed.Load()) < enough {
		select {
		case <-ctx.Done():
			t.Fatalf("too few conflicts: %d of GetFull, %d of InTx, %d of pgx", told.full.Load(), told.tx.Load(), failed.Load())
		case <-time.After(10 * time.Millisecond):
		}
	}
	close(stop)
	all.Wait()
	t.Logf("%d attempts at GetFull and %d at InTx were ended by the standby, and repeated; %d transactions of pgx failed",
		told.full.Load(), told.tx.Load(), failed.Load())
}
