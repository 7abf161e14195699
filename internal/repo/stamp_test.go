package repo_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/internal/testdb"
)

var (
	stamp   = time.Date(2026, 11, 1, 1, 30, 0, 123_000_000, time.UTC)
	stampID = "id-of-the-source"
	forged  = "forged"
	// A zone, a fold and a fraction that must not reach the database.
	given = time.Date(2031, 5, 6, 7, 8, 9, 123_456_789, time.FixedZone("odd", 5*3600+45*60))
)

// recorder notes the arguments that pgx gets, in the order of the queries.
type recorder struct {
	mu   sync.Mutex
	args [][]any
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.args = append(r.args, q.Args)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestStamps calls every generated query through the Repo, with a wrong value in each parameter that the Repo owns
// (Now, ids, stamps) and a hostile time in each that the caller owns, and looks at what reaches the database.
func TestStamps(t *testing.T) {
	db, err := testdb.Migrated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	cfg, err := pgx.ParseConfig(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{}
	cfg.Tracer = rec
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	r := repo.New(conn, repo.Sources{
		Now:   func() time.Time { return stamp.Add(456_789 * time.Nanosecond).In(time.FixedZone("odd", -5*3600)) },
		ID:    func() string { return stampID },
		Token: func() string { return stampID },
	})

	stamped := 0
	generated := reflect.TypeFor[*dbgen.Queries]()
	for i := range generated.NumMethod() {
		name := generated.Method(i).Name
		if name == "WithTx" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			params, owned := hostileParams(generated.Method(i).Type)
			rec.args = nil
			method := reflect.ValueOf(r).MethodByName(name)
			results := method.Call(append([]reflect.Value{reflect.ValueOf(t.Context())}, params...))
			// Whether the row exists does not matter here, only what was sent.
			if strings.HasPrefix(name, "Create") && generated.Method(i).Type.In(2).Kind() == reflect.Slice {
				checkRows(t, results[0]) // COPY shows no arguments, but the repo returns what it copied
			} else {
				checkArgs(t, rec.args, owned)
			}
			if owned > 0 {
				stamped++
			}
		})
	}
	if stamped < 20 {
		t.Errorf("only %d queries with a stamp found: the test looks in the wrong place", stamped)
	}
}

// hostileParams makes the arguments of a generated method and counts the fields that the Repo owns.
func hostileParams(method reflect.Type) (params []reflect.Value, owned int) {
	for i := 2; i < method.NumIn(); i++ { // 0 is the receiver, 1 the context
		p := reflect.New(method.In(i)).Elem()
		switch p.Kind() {
		case reflect.Struct:
			owned += fillHostile(p, strings.HasPrefix(method.In(i).Name(), "Create"))
		case reflect.Slice:
			if p.Type().Elem().Kind() == reflect.Struct {
				row := reflect.New(p.Type().Elem()).Elem()
				owned += fillHostile(row, true)
				p = reflect.Append(p, row)
			}
		}
		params = append(params, p)
	}
	return params, owned
}

func fillHostile(p reflect.Value, creates bool) (owned int) {
	for i := range p.NumField() {
		field := p.Field(i)
		name := p.Type().Field(i).Name
		isOwned := name == "Now" || name == "CreatedAt" || name == "UpdatedAt" ||
			creates && (name == "ID" || name == "MemberID" || name == "Token" || name == "Ids")
		if isOwned {
			owned++
		}
		switch v := field.Addr().Interface().(type) {
		case *time.Time:
			*v = given
			if strings.HasPrefix(name, "After") { // from a Cursor, which is UTC with all its digits
				*v = given.UTC()
			}
		case **time.Time:
			*v = new(given)
		case *string:
			if isOwned {
				*v = forged
			}
		case *[]string:
			*v = []string{forged}
		case *int32:
			*v = 1
		}
	}
	return owned
}

func checkArgs(t *testing.T, queries [][]any, owned int) {
	t.Helper()
	if len(queries) != 1 {
		t.Fatalf("%d queries reached the database, want 1", len(queries))
	}
	clock := 0
	for _, arg := range queries[0] {
		switch v := arg.(type) {
		case time.Time:
			checkTime(t, v, &clock)
		case *time.Time:
			checkTime(t, *v, &clock)
		case string:
			if v == forged {
				t.Error("an id or token of the caller's reached the database")
			}
			if v == stampID {
				clock++
			}
		case []string:
			if slices.Equal(v, []string{stampID}) {
				clock++
			}
		}
	}
	if clock < owned {
		t.Errorf("%d of %d stamps reached the database", clock, owned)
	}
}

func checkTime(t *testing.T, v time.Time, clock *int) {
	t.Helper()
	switch {
	case v.Location() != time.UTC:
		t.Errorf("%v reached the database in zone %v", v, v.Location())
	case v.Equal(stamp):
		*clock++
	case v.Equal(given): // the cursor
	case !v.Equal(given.Truncate(time.Millisecond)):
		t.Errorf("%v reached the database, want the clock's time or the caller's in milliseconds", v)
	}
}

func checkRows(t *testing.T, rows reflect.Value) {
	t.Helper()
	if rows.Len() != 1 {
		t.Fatalf("%d rows, want 1", rows.Len())
	}
	row := rows.Index(0)
	for i := range row.NumField() {
		switch v := row.Field(i).Interface().(type) {
		case time.Time:
			clock := 0
			checkTime(t, v, &clock)
			if name := row.Type().Field(i).Name; name != "ExpiresAt" && clock == 0 {
				t.Errorf("%s = %v, want the clock's time", name, v)
			}
		case string:
			if v == forged {
				t.Errorf("%s is the caller's", row.Type().Field(i).Name)
			}
		}
	}
}
