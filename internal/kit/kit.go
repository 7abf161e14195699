// Package kit is what the tests of the root and those under test/ share: a store with a clock that stands still, rows as
// PostgreSQL writes them, a call of each method.
package kit

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
)

// Returns checks what a call returns: returns(t, want)(call()).
func Returns[T any](t *testing.T, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("returned (-want +got):\n%s", diff)
		}
	}
}

func ErrOf[T any](_ T, err error) error { return err }

func Fails(t *testing.T, err, kind error, op, field string) {
	t.Helper()
	e, ok := errors.AsType[*authdb.Error](err)
	if !ok || !slices.Equal(e.Unwrap(), []error{kind}) || e.Op != op || e.Field != field {
		t.Errorf("got %v, want %v of %s, field %q", err, kind, op, field)
	}
}

func NotFound(t *testing.T, errs map[string]error) {
	t.Helper()
	for op, err := range errs {
		Fails(t, err, authdb.ErrNotFound, op, "")
	}
}

var namePattern = regexp.MustCompile(`^-- name: (\w+) `)

// QueryName is the name that sqlc puts into the text of a query.
func QueryName(sql string) string {
	if m := namePattern.FindStringSubmatch(sql); m != nil {
		return m[1]
	}
	return ""
}

// Hard chooses the size of a test: make test/hard runs the full one.
func Hard(t testing.TB, ci, full int) int {
	t.Helper()
	if os.Getenv("AUTHDB_HARD") != "" {
		return full
	}
	return ci
}

func AsJSON(text string) string {
	quoted, _ := json.Marshal(text) // never fails for a string
	return string(quoted)
}

// Methods calls f for each method of each repository, by its name as in Error.Op.
func Methods(store *authdb.Store, f func(op string, method reflect.Value)) {
	repositories := reflect.ValueOf(store).Elem()
	for i := range repositories.NumField() {
		field := repositories.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		for j := range repositories.Field(i).NumMethod() {
			if name := repositories.Field(i).Type().Method(j).Name; !strings.HasPrefix(name, "All") && name != "Settings" {
				f(field.Name+"."+name, repositories.Field(i).Method(j))
			}
		}
	}
}

func LastError(results []reflect.Value) error {
	err, _ := results[len(results)-1].Interface().(error)
	return err
}

func Count(t *testing.T, s *authdb.Store, sql string, args ...any) (n int) {
	t.Helper()
	if err := s.Pool().QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func KeysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func NewID() string { return strings.ToLower(crand.Text()) }

// AtOnce makes n calls at the same moment and returns their errors. A panic is one.
func AtOnce(n int, call func(i int) error) []error {
	errs, start := make([]error, n), make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// Succeeded counts the calls that went well; each other one must have failed in a way that is expected.
func Succeeded(t *testing.T, errs []error, expected ...error) (n int) {
	t.Helper()
	for _, err := range errs {
		if err == nil {
			n++
		} else if !slices.ContainsFunc(expected, func(kind error) bool { return errors.Is(err, kind) }) {
			t.Errorf("unexpected: %v", err)
		}
	}
	return n
}

func Exec(t *testing.T, store *authdb.Store, sql string, args ...any) {
	t.Helper()
	if _, err := store.Pool().Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func Must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// SaidTwice is a part of a text that stands there twice, between colons: of one attempt, or all of an attempt; empty if
// there is none. A word or two may come again.
func SaidTwice(text string) string {
	seen := map[string]bool{}
	for _, attempt := range regexp.MustCompile(`; |\s*\n\s*`).Split(text, -1) {
		if seen[attempt] && len(attempt) > 12 {
			return attempt
		}
		seen[attempt] = true
		within := map[string]bool{}
		for part := range strings.SplitSeq(attempt, ": ") {
			if within[part] && len(part) > 12 {
				return part
			}
			within[part] = true
		}
	}
	return ""
}

var ErrNone = errors.New("no rows")

func InPage[T any](p authdb.Page[T], err error) error { return Counted(int64(len(p.Items)), err) }

type newest struct{}

// Newest makes OnePage ask for the newest first.
func Newest(ctx context.Context) context.Context { return context.WithValue(ctx, newest{}, true) }

// OnePage asks for the first page of a list.
func OnePage[P, T any](ctx context.Context, list func(context.Context, P) (authdb.Page[T], error), p P) error {
	if ctx.Value(newest{}) != nil {
		p = NewestFirst(p)
	}
	return InPage(list(ctx, p))
}

// InPages asks for both orders, which must agree.
func InPages[P, T any](ctx context.Context, list func(context.Context, P) (authdb.Page[T], error), p P) error {
	oldest, newest := InPage(list(ctx, p)), InPage(list(ctx, NewestFirst(p)))
	if !errors.Is(newest, oldest) {
		return fmt.Errorf("%v, but newest first: %v", oldest, newest) //nolint:errorlint // of neither kind
	}
	return oldest
}

func InAll[T any](seq iter.Seq2[T, error]) error {
	items, err := Collect(seq, 1)
	return Counted(int64(len(items)), err)
}

func Some[T any](rows []T, err error) error { return Counted(int64(len(rows)), err) }

func Counted(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNone
	}
	return err
}

var (
	ExecModes = []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	}
	SessionZones = []string{"UTC", "Asia/Tokyo", "America/New_York", "America/St_Johns"}
)

// PoolIn returns a caller's pool on the store's database, with sessions in a zone and in an exec mode.
func PoolIn(t *testing.T, store *authdb.Store, zone string, mode pgx.QueryExecMode) *pgxpool.Pool {
	t.Helper()
	cfg := store.Pool().Config()
	cfg.ConnConfig.RuntimeParams["timezone"] = zone
	cfg.ConnConfig.DefaultQueryExecMode = mode
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func ModeName(mode pgx.QueryExecMode) string {
	return map[pgx.QueryExecMode]string{
		pgx.QueryExecModeCacheStatement: "cache_statement", pgx.QueryExecModeCacheDescribe: "cache_describe",
		pgx.QueryExecModeDescribeExec: "describe_exec", pgx.QueryExecModeExec: "exec",
		pgx.QueryExecModeSimpleProtocol: "simple_protocol",
	}[mode]
}
