package methods_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestOperationsNeedReadCommitted: with one snapshot for a whole transaction, an operation that waited for another would
// decide by what was before that. What locks first refuses, and changes nothing; all else works.
func TestOperationsNeedReadCommitted(t *testing.T) {
	t.Parallel()
	ctx, sent, undo, operations := t.Context(), &sentArgs{}, errors.New("undo"), 0
	clock := authdb.WithClock(func() time.Time { return kit.Today })
	store := kit.Must[*authdb.Store](t)(authdb.Open(ctx, authdbtest.DSN(t), authdb.WithTracer(sent), clock))
	t.Cleanup(store.Close)
	w := kit.Must[kit.Estate](t)(kit.NewEstate(ctx, store.Pool(), "1", "org", "owner"))
	want := kit.ReadTables(t, store)
	for _, name := range kit.KeysOf(kit.MethodCalls) {
		call := kit.MethodCalls[name]
		sent.queries = nil
		if err := store.InTx(ctx, func(tx *authdb.Store) error { return cmp.Or(call(ctx, tx, w), undo) }); !errors.Is(err, undo) {
			t.Errorf("%s in read committed: %v", name, err)
		}
		locks := slices.ContainsFunc(sent.queries, func(q pgx.TraceBatchQueryData) bool {
			return strings.HasPrefix(kit.QueryName(q.SQL), "Lock")
		})
		for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
			tx := kit.Must[pgx.Tx](t)(store.Pool().BeginTx(ctx, pgx.TxOptions{IsoLevel: level}))
			err := call(ctx, authdb.New(tx, clock), w)
			if !locks {
				_ = tx.Rollback(ctx)
				if err != nil {
					t.Errorf("%s in %s: %v", name, level, err)
				}
				continue
			}
			operations++
			_ = tx.Commit(ctx) // there is nothing to commit
			if e, ok := errors.AsType[*authdb.Error](err); !ok || e.Op != name || !errors.Is(err, authdb.ErrIsolation) {
				t.Errorf("%s in %s: %v", name, level, err)
			}
			if diff := gocmp.Diff(want, kit.ReadTables(t, store)); diff != "" {
				t.Fatalf("%s in %s changes something (-want +got):\n%s", name, level, diff)
			}
		}
	}
	t.Logf("%d refused", operations)
	if operations < 40 {
		t.Errorf("only %d", operations)
	}
}
