package methods_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/kit"
)

// sentArgs notes the arguments of each named query.
type sentArgs struct{ queries []pgx.TraceBatchQueryData }

func (s *sentArgs) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	s.queries = append(s.queries, pgx.TraceBatchQueryData{SQL: q.SQL, Args: q.Args})
	return ctx
}

func (s *sentArgs) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *sentArgs) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (s *sentArgs) TraceBatchQuery(_ context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	s.queries = append(s.queries, q)
}

func (s *sentArgs) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TestStamps calls each method with a clock in an odd zone, and looks at the parameters of each query that reaches the
// database: what is the clock's is the clock's, in UTC and milliseconds, and no id is drawn twice or for nothing.
func TestStamps(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	sent := &sentArgs{}
	var drawn atomic.Int64
	draw := func() string { return fmt.Sprintf("drawn-%d", drawn.Add(1)) }
	store := kit.Must[*authdb.Store](t)(authdb.Open(ctx, authdbtest.DSN(t), authdb.WithTracer(sent),
		authdb.WithClock(func() time.Time { return kit.Today.Add(456_789 * time.Nanosecond).In(time.FixedZone("odd", -5*3600)) }),
		authdb.WithIDs(draw), authdb.WithTokens(draw)))
	defer store.Close()
	stamps := 0
	for i, name := range kit.KeysOf(kit.MethodCalls) {
		n := fmt.Sprintf(".%d", i)
		w, err := kit.NewEstate(ctx, store.Pool(), n, "org"+n, "user"+n)
		if err != nil {
			t.Fatal(err)
		}
		sent.queries = nil
		before := drawn.Load()
		if err := kit.MethodCalls[name](ctx, store, w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen := map[string]bool{}
		for _, q := range sent.queries {
			stamps += checkStamps(t, name, q, seen)
		}
		if isCopy := strings.HasSuffix(name, "CreateMany") && name != "TeamMembers.CreateMany"; !isCopy && int(drawn.Load()-before) != len(seen) {
			t.Errorf("%s: %d ids drawn, %d sent", name, drawn.Load()-before, len(seen))
		}
	}
	if stamps < 60 {
		t.Errorf("only %d stamps found: the test looks in the wrong place", stamps)
	}
}

// checkStamps looks at one query, whose arguments have the names of its parameters, and adds the ids to seen.
func checkStamps(t *testing.T, method string, q pgx.TraceBatchQueryData, seen map[string]bool) (stamps int) {
	t.Helper()
	name := kit.QueryName(q.SQL)
	query, ok := reflect.TypeFor[*dbgen.Queries]().MethodByName(name)
	if !ok || query.Type.NumIn() < 3 || query.Type.In(2).Kind() != reflect.Struct {
		return 0
	}
	params := query.Type.In(2)
	if params.NumField() != len(q.Args) {
		t.Fatalf("%s: %s has %d parameters and %d arguments", method, name, params.NumField(), len(q.Args))
	}
	for i, arg := range q.Args {
		field := params.Field(i).Name
		if at, ok := arg.(*time.Time); ok && at != nil {
			arg = *at
		}
		switch v := arg.(type) {
		case time.Time:
			isClock := v.Equal(kit.Today)
			if field == "Now" {
				stamps++
			}
			if v.Location() != time.UTC || !v.Equal(v.Truncate(time.Millisecond)) || field == "Now" && !isClock {
				t.Errorf("%s: %s = %v in %s", method, field, v, name)
			}
		case string:
			if strings.HasPrefix(v, "drawn-") {
				seen[v] = true
			} else if field == "ID" && strings.HasPrefix(name, "Create") {
				t.Errorf("%s: %s = %q in %s", method, field, v, name)
			}
		case []string:
			for _, id := range slices.DeleteFunc(slices.Clone(v), func(s string) bool { return !strings.HasPrefix(s, "drawn-") }) {
				seen[id] = true
			}
		}
	}
	return stamps
}
