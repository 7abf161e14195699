package repo_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
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
	// How long something of the caller's lives.
	lifetime = 90*time.Minute + time.Millisecond
)

// queryMethods returns the methods of a Repo that are queries: the generated ones, and those in the files that are named
// after a file of queries.
func queryMethods(t *testing.T) (names []string) {
	t.Helper()
	generated := reflect.TypeFor[*dbgen.Queries]()
	for i := range generated.NumMethod() {
		if name := generated.Method(i).Name; name != "WithTx" {
			names = append(names, name)
		}
	}
	files, err := filepath.Glob("../../db/queries/*.sql")
	if err != nil || len(files) != 9 {
		t.Fatalf("query files: %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		parsed, err := parser.ParseFile(token.NewFileSet(), name+".go", nil, 0)
		if errors.Is(err, fs.ErrNotExist) { // its queries are in the file of what it is a part of
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.IsExported() {
				names = append(names, f.Name.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

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

func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.args = append(r.args, q.Args)
}

func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TestStamps calls every query through the Repo, generated or made of several, with a wrong value in each parameter that
// the Repo owns (Now, ids, stamps) and a hostile time in each that the caller owns, and looks at what reaches the
// database.
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

	stamped, composed := 0, []string{}
	generated, all := reflect.TypeFor[*dbgen.Queries](), reflect.TypeFor[*repo.Repo]()
	for _, name := range queryMethods(t) {
		shadow, _ := all.MethodByName(name)
		signature := shadow.Type
		if query, ok := generated.MethodByName(name); !ok {
			composed = append(composed, name)
		} else if query.Type.NumIn() != signature.NumIn() || query.Type.In(signature.NumIn()-1) != signature.In(signature.NumIn()-1) {
			t.Errorf("%s takes other parameters than the query that it shadows", name)
		}
		t.Run(name, func(t *testing.T) {
			// The ids are all the same: a row of before would be in the way of what comes behind it in a batch.
			if _, err := conn.Exec(t.Context(), `DELETE FROM "user"; DELETE FROM organization; DELETE FROM verification`); err != nil {
				t.Fatal(err)
			}
			params, owned := hostileParams(signature)
			rec.args = nil
			method := reflect.ValueOf(r).MethodByName(name)
			results := method.Call(append([]reflect.Value{reflect.ValueOf(t.Context())}, params...))
			// Whether the row exists does not matter here, only what was sent.
			if strings.HasPrefix(name, "Create") && signature.In(2).Kind() == reflect.Slice {
				checkRows(t, results[0]) // COPY shows no arguments, but the repo returns what it copied
			} else {
				checkArgs(t, rec.args, owned)
			}
			if owned > 0 {
				stamped++
			}
			if slices.Contains(composed, name) && len(rec.args) < 2 {
				t.Errorf("%d queries: not made of several", len(rec.args))
			}
		})
	}
	if stamped < 61 || len(composed) < 13 {
		t.Errorf("only %d queries with a stamp and %d made of several found: the test looks in the wrong place", stamped, len(composed))
	}
}

// hostileParams makes the arguments of a generated method and counts the fields that the Repo owns.
func hostileParams(method reflect.Type) (params []reflect.Value, owned int) {
	for i := 2; i < method.NumIn(); i++ { // 0 is the receiver, 1 the context
		p := reflect.New(method.In(i)).Elem()
		switch p.Kind() {
		case reflect.Struct:
			owned += fillHostile(p)
		case reflect.Slice:
			if p.Type().Elem().Kind() == reflect.Struct {
				row := reflect.New(p.Type().Elem()).Elem()
				owned += fillHostile(row)
				p = reflect.Append(p, row)
			}
		case reflect.Int64:
			if p.Type() == reflect.TypeFor[time.Duration]() {
				p.SetInt(int64(lifetime))
			}
		}
		params = append(params, p)
	}
	return params, owned
}

// makesRow are the first words of the queries that make a row, with an id of the Repo's.
var makesRow = regexp.MustCompile(`^(Create|Link|Reserve)`)

func fillHostile(p reflect.Value) (owned int) {
	for i := range p.NumField() {
		field := p.Field(i)
		isOwned, name := false, p.Type().Field(i).Name
		switch name {
		case "Now", "CreatedAt", "UpdatedAt", "MemberID", "TeamMemberID", "Seed", "Ids":
			isOwned = true
		case "ID", "Token":
			isOwned = makesRow.MatchString(p.Type().Name())
		case "TeamID":
			isOwned = p.Type() == reflect.TypeFor[dbgen.CreateOrganizationParams]()
		}
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
	if len(queries) == 0 {
		t.Fatal("no query reached the database")
	}
	clock := 0
	for _, arg := range slices.Concat(queries...) {
		switch v := arg.(type) {
		case time.Time:
			checkTime(t, v, &clock)
		case *time.Time:
			if v != nil {
				checkTime(t, *v, &clock)
			}
		case string:
			if v == forged {
				t.Error("an id or token of the caller's reached the database")
			}
			if v == stampID || v == reservedID {
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

// reservedID is the id of the empty identifier, as Better Auth 1.7 makes it.
var reservedID = func() string {
	sum := sha256.Sum256([]byte("reserve:"))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}()

func checkTime(t *testing.T, v time.Time, clock *int) {
	t.Helper()
	switch {
	case v.Location() != time.UTC:
		t.Errorf("%v reached the database in zone %v", v, v.Location())
	case v.Equal(stamp):
		*clock++
	case v.Equal(given): // the cursor
	case v.Equal(stamp.Add(lifetime)):
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
