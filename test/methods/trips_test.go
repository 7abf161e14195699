package methods_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// methodRow is a line of the table in docs/cost.md.
var methodRow = regexp.MustCompile("(?m)^\\| `(\\w+\\.\\w+)` \\| (\\d+) \\| (.*?) ?\\|$")

// documentedStatements reads the table in docs/cost.md.
func documentedStatements(t *testing.T) map[string]int64 {
	t.Helper()
	statements := map[string]int64{}
	_, table, _ := cutTable(string(kit.Must[[]byte](t)(os.ReadFile("../../docs/cost.md"))))
	for _, m := range methodRow.FindAllStringSubmatch(table, -1) {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		statements[m[1]] = n
	}
	return statements
}

// cutTable returns the section of docs/cost.md that has the statements, and what is around it.
func cutTable(doc string) (before, table, after string) {
	begin := strings.Index(doc, "## Statements\n")
	end := begin + strings.Index(doc[begin:], "\n## Plans\n")
	return doc[:begin], doc[begin:end], doc[end:]
}

// withStatements is docs/cost.md with a row for each of these methods. The table keeps its order and its last column; a
// new method comes at the end of its repository's.
func withStatements(doc string, statements map[string]int64) string {
	before, table, after := cutTable(doc)
	at := methodRow.FindAllStringIndex(table, -1)
	first, last := at[0][0], at[len(at)-1][1]
	var names []string
	notes := map[string]string{} // the last column
	for _, m := range methodRow.FindAllStringSubmatch(table, -1) {
		if _, ok := statements[m[1]]; ok && !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
		notes[m[1]] = m[3]
	}
	for _, name := range kit.KeysOf(statements) {
		if _, ok := notes[name]; !ok {
			names = append(names, name)
		}
	}
	place := func(name string) int {
		field, _ := reflect.TypeFor[authdb.Store]().FieldByName(name[:strings.IndexByte(name, '.')])
		return field.Index[0]
	}
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	for i, name := range names {
		names[i] = strings.TrimSuffix(fmt.Sprintf("| `%s` | %d | %s", name, statements[name], notes[name]), " ") + " |"
	}
	return before + table[:first] + strings.Join(names, "\n") + table[last:] + after
}

// sameDoc compares a document with what it is to be; UPDATE_DOCS=1, which make docs sets, writes it.
func sameDoc(t *testing.T, name, want string) {
	t.Helper()
	if string(kit.Must[[]byte](t)(os.ReadFile(name))) == want {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Errorf("%s is stale: run make docs", name)
	} else if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
		t.Error(err)
	}
}

// methodNames are all exported methods of all repositories.
func methodNames() (names []string) {
	repositories := reflect.TypeFor[authdb.Store]()
	for i := range repositories.NumField() {
		if field := repositories.Field(i); field.IsExported() {
			for j := range field.Type.NumMethod() {
				if name := field.Type.Method(j).Name; name != "Settings" { // which asks nothing
					names = append(names, field.Name+"."+name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

// statementCounter counts what pgx is asked to send.
type statementCounter struct{ atomic.Int64 }

func (c *statementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.Add(1)
	return ctx
}

func (c *statementCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *statementCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	c.Add(int64(d.Batch.Len()))
	return ctx
}

func (c *statementCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (c *statementCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// measured is a store whose one connection counts.
type measured struct {
	*authdb.Store
	trips      atomic.Int64
	statements statementCounter
}

func measure(t *testing.T, dsn string, mode pgx.QueryExecMode, opts ...authdb.Option) *measured {
	t.Helper()
	m := &measured{}
	opts = append(opts, authdb.WithClock(func() time.Time { return kit.Today }),
		authdb.WithTracer(&m.statements), authdb.WithPoolConfig(func(cfg *pgxpool.Config) {
			cfg.MaxConns = 1
			cfg.ConnConfig.DefaultQueryExecMode = mode
			network, address := pgconn.NetworkAddress(cfg.ConnConfig.Host, cfg.ConnConfig.Port)
			cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return &kit.TripConn{Conn: conn, Trips: &m.trips}, err
			}
		}))
	m.Store = kit.Must[*authdb.Store](t)(authdb.Open(t.Context(), dsn, opts...))
	t.Cleanup(m.Close)
	return m
}

// TestEachMethodIsOneRoundTrip counts the round trips of each method at the wire, and its statements, where it succeeds
// and the connection has prepared them. docs/cost.md says how many statements there are, and is written from this with
// UPDATE_DOCS=1. In the exec modes that are not the default, a sample does.
func TestEachMethodIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	want := documentedStatements(t)
	if diff := cmp.Diff(methodNames(), kit.KeysOf(kit.MethodCalls)); diff != "" {
		t.Fatalf("methods (-code +tested):\n%s", diff)
	}
	for _, mode := range kit.ExecModes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			ctx, dsn := t.Context(), authdbtest.DSN(t)
			store := measure(t, dsn, mode)
			setup := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
			defer func() { _ = setup.Close(ctx) }()
			got := map[string]int64{}
			for i, name := range kit.KeysOf(kit.MethodCalls) {
				if mode != pgx.QueryExecModeCacheStatement && i%6 > 0 {
					continue
				}
				var trips, statements int64
				for _, run := range []string{"cold", "warm"} {
					n := fmt.Sprintf(".%d.%s", i, run)
					w, err := kit.NewEstate(ctx, setup, n, "org"+n, "user"+n)
					if err != nil {
						t.Fatal(err)
					}
					store.trips.Store(0)
					store.statements.Store(0)
					if err := kit.MethodCalls[name](ctx, store.Store, w); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					trips, statements = store.trips.Load(), store.statements.Load()
				}
				if mode == pgx.QueryExecModeDescribeExec {
					trips /= 2 // by its nature
				}
				if got[name] = statements; trips != 1 || os.Getenv("UPDATE_DOCS") == "" && statements != want[name] {
					t.Errorf("%s: %d round trips and %d statements, documented are 1 and %d", name, trips, statements, want[name])
				}
			}
			if mode == pgx.QueryExecModeCacheStatement {
				sameDoc(t, "../../docs/cost.md", withStatements(string(kit.Must[[]byte](t)(os.ReadFile("../../docs/cost.md"))), got))
			}
		})
	}
}

// TestRoundTripsUnderOnce holds docs/errors.md: a write takes one round trip more than without, and three statements:
// BEGIN, the mark and COMMIT, of which BEGIN takes the place of the question for the isolation. A read takes no more.
func TestRoundTripsUnderOnce(t *testing.T) {
	t.Parallel()
	ctx, dsn := t.Context(), authdbtest.DSN(t)
	store := measure(t, dsn, pgx.QueryExecModeCacheStatement, authdb.WithOnce())
	setup := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
	defer func() { _ = setup.Close(ctx) }()
	call := func(name, n string) (trips, statements int64) {
		w, err := kit.NewEstate(ctx, setup, n, "org"+n, "user"+n)
		if err != nil {
			t.Fatal(err)
		}
		store.trips.Store(0)
		store.statements.Store(0)
		if err := kit.MethodCalls[name](ctx, store.Store, w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return store.trips.Load(), store.statements.Load()
	}
	want := documentedStatements(t)
	for i, name := range kit.KeysOf(kit.MethodCalls) {
		call(name, fmt.Sprintf(".%d.cold", i))
		trips, statements := call(name, fmt.Sprintf(".%d.warm", i))
		got := fmt.Sprint(trips, " ", statements-want[name])
		switch isWrite := statements > want[name]; {
		case isWrite && got != "2 3" && got != "2 2", !isWrite && trips != 1:
			t.Errorf("%s: round trips, and statements more: %s, without 1", name, got)
		}
	}
}
