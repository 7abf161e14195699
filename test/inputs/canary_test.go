package inputs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// A canary is a value that occurs nowhere else: long enough that random ids do not hold one of its forms by chance.
// Its beginning tells what it stands for.
const (
	anyCanary    = "zq7wk4"
	secretCanary = anyCanary + "s" // a token, a password, a code, an identifier or value of a verification
	emailCanary  = anyCanary + "e"
	valueCanary  = anyCanary + "v"
	idCanary     = anyCanary + "i"
)

var canaries atomic.Int64

func newCanary(kind string) string { return fmt.Sprintf("%s%08d", kind, canaries.Add(1)) }

// kindOf is the canary for a column, a parameter or a field of that name.
func kindOf(name string) string {
	switch name = strings.ToLower(strings.ReplaceAll(name[strings.LastIndex(name, ".")+1:], "_", "")); name {
	case "token", "tokens", "code", "value", "identifier", "hash", "password", "accesstoken", "refreshtoken", "idtoken":
		return secretCanary
	case "email":
		return emailCanary
	}
	return valueCanary
}

// scanner looks for canaries in all that a program might show.
type scanner struct {
	t        *testing.T
	mu       sync.Mutex
	outputs  int
	reported map[string]bool
	found    int
	errors   map[string]int // scanned of a kind
	thorough int            // how many of a kind are scanned in every form
}

// holds finds a canary as it is, in hex, as a list of bytes, and in base64 wherever in it the canary starts.
func holds(out, canary string) bool {
	return slices.ContainsFunc(formsOf(canary), func(form string) bool { return strings.Contains(out, form) })
}

var knownForms sync.Map

func formsOf(canary string) []string {
	if forms, ok := knownForms.Load(canary); ok {
		return forms.([]string)
	}
	hexed := hex.EncodeToString([]byte(canary))
	listed := strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]")
	literal := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(canary)), "[]byte{"), "}")
	forms := []string{
		canary, strings.ToUpper(canary), hexed, strings.ToUpper(hexed), listed, strings.ReplaceAll(listed, " ", ","), literal,
	}
	for shift := range 3 {
		// The characters at both ends mix with what is around.
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + canary))
		forms = append(forms, encoded[(shift*8+5)/6:(shift+len(canary))*8/6])
	}
	knownForms.Store(canary, forms)
	return forms
}

// clean reports the first output of a subject that holds a canary; its name is "subject by way".
func (s *scanner) clean(name, out string, kinds ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outputs++
	for _, canary := range kinds {
		if holds(out, canary) {
			s.found++
			subject, _, _ := strings.Cut(name, " by ")
			if !s.reported[subject+canary] {
				s.reported[subject+canary] = true
				s.t.Errorf("%s shows a %s: %.300s", name, canary, out)
			}
		}
	}
}

// printed is what each verb of fmt makes of a value, and what each handler of slog does.
func printed(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).With("v", v).Info("x", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&js, nil)).With("v", v).Info("x", "v", v, slog.Group("g", "v", v))
	out["slog text"], out["slog JSON"] = text.String(), js.String()
	return out
}

// row scans what a method returned, and each value in it: nothing that shows it shows a secret.
func (s *scanner) row(v reflect.Value) {
	s.t.Helper()
	if !v.IsValid() || !v.CanInterface() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return
		}
	case reflect.Slice, reflect.Struct:
	default:
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[*time.Time]() {
		return
	}
	name := v.Type().String()
	for how, out := range printed(v.Interface()) {
		s.clean(name+" by "+how, out, secretCanary)
	}
	encoded, err := json.Marshal(v.Interface())
	if err != nil {
		s.t.Error(err)
	}
	s.clean(name+" by JSON", string(encoded), secretCanary)
	switch v.Kind() {
	case reflect.Pointer:
		s.row(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			s.row(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			s.row(v.Field(i))
		}
		if v.CanAddr() {
			s.clean(name+" by pointer", fmt.Sprintf("%+v", v.Addr().Interface()), secretCanary)
		}
	}
}

// failure scans an error and all that errors.Is can reach from it: it holds no value at all.
func (s *scanner) failure(name string, err error) {
	s.t.Helper()
	e, ok := errors.AsType[*authdb.Error](err)
	if !ok {
		s.t.Errorf("%s: %T is no *Error", name, err)
		return
	}
	values := []any{
		err, *e, fmt.Errorf("service: %w", err), errors.Join(err, context.Canceled), []error{err}, struct{ Err error }{err},
	}
	// fmt calls no method of what an unexported field holds: there the ids of the rows that a write made show, and nothing else.
	hidden := any(struct{ err error }{err})
	s.clean(name+" by an unexported field", fmt.Sprintf("%s %q %+v %#v", hidden, hidden, hidden, hidden),
		secretCanary, emailCanary, valueCanary)
	// All errors print by the same few lines of code: beside other tests, the first of a kind is enough.
	kind, _, _ := strings.Cut(name, ": ")
	if twice := kit.SaidTwice(err.Error()); twice != "" {
		s.t.Errorf("%s says %q twice: %v", name, twice, err)
	}
	if s.errors[kind]++; s.errors[kind] > s.thorough {
		for _, out := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%s", any(*e))} {
			s.clean(name, out, anyCanary)
		}
		values = nil
	}
	for _, v := range values {
		for how, out := range printed(v) {
			s.clean(name+" by "+how, out, anyCanary)
		}
		encoded, jsonErr := json.Marshal(v)
		if jsonErr != nil {
			s.t.Error(jsonErr)
		}
		s.clean(name+" by JSON", string(encoded), anyCanary)
	}
	for _, inner := range errorTree(err) {
		s.clean(name+" by what it wraps", fmt.Sprintf("%s %+v %#v", inner, inner, inner), anyCanary)
		encoded, _ := json.Marshal(inner)
		s.clean(name+" by JSON of what it wraps", string(encoded), anyCanary)
	}
}

func errorTree(err error) (all []error) {
	all = append(all, err)
	switch w := err.(type) { //nolint:errorlint // walks the tree itself
	case interface{ Unwrap() error }:
		all = append(all, errorTree(w.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			all = append(all, errorTree(inner)...)
		}
	}
	return all
}

// allMethods is methods with the iterators.
func allMethods(s *authdb.Store, f func(method string, fn reflect.Value)) {
	repositories := reflect.ValueOf(s).Elem()
	for i := range repositories.NumField() {
		if field := repositories.Type().Field(i); field.IsExported() {
			for j := range repositories.Field(i).NumMethod() {
				if name := repositories.Field(i).Type().Method(j).Name; name != "Settings" { // which asks nothing
					f(field.Name+"."+name, repositories.Field(i).Method(j))
				}
			}
		}
	}
}

// aviary is a database in which each text is a canary, and what was seen of it.
type aviary struct {
	*scanner
	dsn   string
	store *authdb.Store
	cast  cast
	names map[string][]string
	fails map[string]map[string]bool // the kinds of failure, and the methods that had it
	kinds map[error]bool
}

// ids and tokens are canaries too.
func canarySources() []authdb.Option {
	return []authdb.Option{
		authdb.WithIDs(func() string { return newCanary(idCanary) }), authdb.WithTokens(func() string { return newCanary(secretCanary) }),
	}
}

func newAviary(t *testing.T) *aviary {
	t.Helper()
	a := &aviary{
		scanner: &scanner{t: t, reported: map[string]bool{}, errors: map[string]int{}, thorough: kit.Hard(t, 5, 1_000_000)}, dsn: authdbtest.DSN(t), names: parameterNames(t),
		fails: map[string]map[string]bool{}, kinds: map[error]bool{},
	}
	admin := kit.Must[*pgx.Conn](t)(pgx.Connect(t.Context(), a.dsn))
	_, err := admin.Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET log_error_verbosity = terse', current_database()); END $$`)
	if err != nil {
		t.Fatal(err)
	}
	_ = admin.Close(t.Context())
	a.store = a.open(nil)
	a.cast = newCast(t, a.store)
	for _, user := range []string{a.cast.owner.ID, a.cast.guest.ID} {
		authdbtest.Session(t, a.store, func(p *authdb.CreateSessionParams) { p.UserID = user })
	}
	a.plant()
	return a
}

// open returns a store on a pool of one connection.
func (a *aviary) open(change func(*pgxpool.Config)) *authdb.Store {
	a.t.Helper()
	store := kit.Must[*authdb.Store](a.t)(authdb.Open(a.t.Context(), a.dsn, append(canarySources(), authdb.WithInsecureTLS(),
		authdb.WithPoolConfig(func(cfg *pgxpool.Config) {
			cfg.MaxConns = 1
			if change != nil {
				change(cfg)
			}
		}))...))
	a.t.Cleanup(store.Close)
	return store
}

// plant makes a canary of each text that is no key: no column is without.
func (a *aviary) plant() {
	t, c := a.t, &a.cast
	t.Helper()
	kit.Exec(t, a.store, `UPDATE "user" SET email = $1 || substr(md5(id), 1, 8) || '@x.io'`, emailCanary)
	kit.Exec(t, a.store, `UPDATE invitation SET email = u.email FROM "user" u WHERE u.id = $1`, c.guest.ID)
	kit.Exec(t, a.store, `UPDATE account SET provider_id = $1, account_id = $2 WHERE id = $3`, newCanary(valueCanary), newCanary(valueCanary), c.account.ID)
	kit.Exec(t, a.store, `UPDATE verification SET value = $1 || ':0'`, newCanary(secretCanary))
	kit.Exec(t, a.store, `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
		VALUES ($1, $2, $3, $4, $4, '2000-01-01', $5)`,
		newCanary(idCanary), c.org.ID, newCanary(emailCanary), newCanary(valueCanary), c.owner.ID)
	kit.Exec(t, a.store, `UPDATE member SET role = $1 WHERE id = $2`, newCanary(valueCanary), c.member.ID)
	kit.Exec(t, a.store, `UPDATE team_member SET membership_key = $1 WHERE user_id = $2`, newCanary(valueCanary), c.owner.ID)

	ctx := t.Context()
	rows := kit.Must[pgx.Rows](t)(a.store.Pool().Query(ctx, `SELECT table_name, column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND data_type = 'text'`))
	type column struct{ Table, Column string }
	all := kit.Must[[]column](t)(pgx.CollectRows(rows, pgx.RowToStructByPos[column]))
	if len(all) < 45 {
		t.Errorf("only %d columns", len(all))
	}
	for _, c := range all {
		table, column := pgx.Identifier{c.Table}.Sanitize(), pgx.Identifier{c.Column}.Sanitize()
		kit.Exec(t, a.store, `UPDATE `+table+` SET `+column+` = $1 || substr(md5(id), 1, 8)
			WHERE NOT EXISTS (SELECT FROM `+table+` WHERE `+column+` LIKE $2)`, kindOf(c.Column), anyCanary+"%")
	}
	c.reread(t, a.store)
}

// wellMeant fills a leaf so that the method succeeds.
func (a *aviary) wellMeant(method, leaf string, at any) bool {
	switch at := at.(type) {
	case *string:
		*at = a.cast.text(method, leaf)
		switch {
		case *at == "", strings.HasSuffix(leaf, ".By"):
			return false
		case strings.HasSuffix(leaf, "Metadata"):
			*at = kit.AsJSON(newCanary(valueCanary))
		case !strings.Contains(*at, anyCanary) && kindOf(leaf) == emailCanary:
			*at = newCanary(emailCanary) + "@x.io"
		case !strings.Contains(*at, anyCanary):
			*at = newCanary(kindOf(leaf))
		}
	case *time.Time:
		*at = time.Now().Add(time.Hour)
	case *int:
		if strings.HasSuffix(method, ".DeleteExpired") {
			*at = 10
		}
	case *bool:
		*at = strings.HasPrefix(leaf, "with.") || leaf == "p.InTx"
	case *authdb.Rows:
		*at = authdb.All()
	}
	return true
}

// strange fills a leaf with a canary that no row has.
func strange(method, leaf string, at any) bool {
	switch at := at.(type) {
	case *string:
		if *at = newCanary(kindOf(leaf)); kindOf(leaf) == emailCanary {
			*at += "@x.io"
		}
		return leaf != "a.UserID" && method+leaf != "Accounts.Linkp.Password"
	case *int:
		*at = 1
	case *time.Time:
		*at = time.Now().Add(time.Hour)
	case *bool:
		*at = strings.HasPrefix(leaf, "with.") || leaf == "p.InTx"
	case *authdb.Rows:
		*at = authdb.All()
	}
	return true
}

// call calls a method of s and returns what it returned; the items of an iterator as a slice.
func (a *aviary) call(ctx context.Context, s *authdb.Store, method string, fill func(method, leaf string, at any) bool) ([]reflect.Value, error) {
	a.t.Helper()
	repository, name, _ := strings.Cut(method, ".")
	f := reflect.ValueOf(s).Elem().FieldByName(repository).MethodByName(name)
	results := f.Call(arguments{a.t, a.names, fill}.of(ctx, method, f))
	if results[0].Kind() != reflect.Func {
		return results[:len(results)-1], kit.LastError(results)
	}
	items := reflect.MakeSlice(reflect.SliceOf(results[0].Type().In(0).In(0)), 0, 0)
	for item, err := range results[0].Seq2() {
		if !err.IsNil() {
			return nil, err.Interface().(error)
		}
		items = reflect.Append(items, item)
	}
	return []reflect.Value{items}, nil
}

// failed notes an error of a kind; none is none.
func (a *aviary) failed(kind, method string, err error) {
	a.t.Helper()
	if err == nil {
		return
	}
	a.failure(kind+": "+method, err)
	if a.fails[kind] == nil {
		a.fails[kind] = map[string]bool{}
	}
	a.fails[kind][method] = true
	for _, inner := range errorTree(err) {
		if reflect.TypeOf(inner).Comparable() {
			a.kinds[inner] = true
		}
	}
}

// inTx runs f on a transaction that is rolled back.
func (a *aviary) inTx(pool *pgxpool.Pool, options pgx.TxOptions, before string, f func(s *authdb.Store)) {
	a.t.Helper()
	a.inTxs(pool, options, before, func(_ pgx.Tx, s *authdb.Store) { f(s) })
}

func (a *aviary) inTxs(pool *pgxpool.Pool, options pgx.TxOptions, before string, f func(tx pgx.Tx, s *authdb.Store)) {
	a.t.Helper()
	tx := kit.Must[pgx.Tx](a.t)(pool.BeginTx(a.t.Context(), options))
	defer func() { _ = tx.Rollback(context.WithoutCancel(a.t.Context())) }()
	if before != "" {
		if _, err := tx.Exec(a.t.Context(), before); err != nil && before != abort {
			a.t.Fatal(err)
		}
	}
	f(tx, authdb.New(tx, canarySources()...))
}

const abort = "SELECT 1/0"

// each runs f on a savepoint of tx that is rolled back, but on tx itself where that is aborted.
func (a *aviary) each(tx pgx.Tx, f func(s *authdb.Store)) {
	a.t.Helper()
	on := tx
	if tx.Conn().PgConn().TxStatus() != 'E' {
		on = kit.Must[pgx.Tx](a.t)(tx.Begin(a.t.Context()))
		defer func() { _ = on.Rollback(context.WithoutCancel(a.t.Context())) }()
	}
	f(authdb.New(on, canarySources()...))
}

var allTables = []string{"user", "session", "account", "verification", "organization", "team", "member", "team_member", "invitation"}

func onAllTables(sql string) string {
	var b strings.Builder
	for _, table := range allTables {
		b.WriteString(strings.ReplaceAll(sql, "TABLE_NAME", pgx.Identifier{table}.Sanitize()) + ";")
	}
	return b.String()
}

// TestCanary looks for the values of rows and arguments in everything that a program may print, log or encode.
func TestCanary(t *testing.T) {
	t.Parallel()
	a := newAviary(t)
	log := openServerLog(t, a.store)
	a.successes()
	a.params()
	a.inputs()
	a.everyMethodFails()
	a.storeFails()
	a.conflicts()
	a.refusals()
	a.collisions()
	a.triggers()
	a.sentinels()
	log.scan(a)

	pairs := 0
	for kind, methods := range a.fails {
		pairs += len(methods)
		if len(methods) == 0 {
			t.Errorf("nothing failed by %s", kind)
		}
	}
	methods := 0
	allMethods(a.store, func(string, reflect.Value) { methods++ })
	t.Logf("%d outputs of %d methods scanned, %d kinds of failure, %d of a kind and a method; %d show a canary",
		a.outputs, methods, len(a.fails), pairs, a.found)
	if methods < 125 || len(a.fails) < 45 || pairs < 1_400 || a.outputs < 15_000 {
		t.Error("too few")
	}
}

// successes: every method succeeds once, and what it returns is scanned.
func (a *aviary) successes() {
	a.t.Helper()
	allMethods(a.store, func(method string, _ reflect.Value) {
		a.inTx(a.store.Pool(), pgx.TxOptions{}, "", func(s *authdb.Store) {
			results, err := a.call(a.t.Context(), s, method, a.wellMeant)
			if err != nil {
				a.t.Errorf("%s: %v", method, err)
			}
			for _, result := range results {
				a.row(result)
			}
		})
	})
}

// params: what is given to a method prints no secret either.
func (a *aviary) params() {
	a.t.Helper()
	seen := map[reflect.Type]bool{}
	allMethods(a.store, func(method string, f reflect.Value) {
		for _, p := range (arguments{a.t, a.names, strange}).of(a.t.Context(), method, f) {
			if p.Kind() == reflect.Slice {
				p = p.Index(0)
			}
			if p.Kind() != reflect.Struct || !strings.HasSuffix(p.Type().Name(), "Params") || seen[p.Type()] {
				continue
			}
			seen[p.Type()] = true
			for how, out := range printed(p.Interface()) {
				a.clean(p.Type().String()+" by "+how, out, secretCanary)
			}
			a.clean(p.Type().String()+" in a struct", fmt.Sprintf("%+v", struct{ P any }{p.Interface()}), secretCanary)
		}
	})
	if len(seen) < 35 {
		a.t.Errorf("only %d types of params", len(seen))
	}
}

// inputs: each text of each method is refused for each reason; beside other tests, for one of them.
func (a *aviary) inputs() {
	a.t.Helper()
	turn, share := 0, kit.Hard(a.t, 4, 1)
	spoils := []struct {
		kind  string
		spoil func(string) string
	}{
		{"NUL byte", func(s string) string { return s + "\x00" }},
		{"not UTF-8", func(s string) string { return s + "\xff" }},
		{"too long", func(s string) string { return strings.Repeat(s, 70_000/len(s)) }},
		{"malformed", func(s string) string { return s + ",@" }},
		{"another", func(s string) string { return s + "@" }}, // with it, each leaf meets each in turn
	}
	allMethods(a.store, func(method string, f reflect.Value) {
		var leaves []string
		arguments{a.t, a.names, func(_, leaf string, at any) bool {
			if _, ok := at.(*string); ok {
				leaves = append(leaves, leaf)
			}
			return true
		}}.of(a.t.Context(), method, f)
		for _, hostile := range leaves {
			for _, way := range spoils {
				if turn++; turn%share != 0 {
					continue
				}
				a.inTx(a.store.Pool(), pgx.TxOptions{}, "", func(s *authdb.Store) {
					_, err := a.call(a.t.Context(), s, method, func(method, leaf string, at any) bool {
						text, ok := at.(*string)
						if leaf != hostile || !ok {
							return a.wellMeant(method, leaf, at)
						}
						*text = way.spoil(newCanary(kindOf(leaf)))
						return true
					})
					a.failed("invalid input, "+way.kind, method, err)
				})
			}
		}
	})
}

// cutConn closes itself once something was written while cut is set.
type cutConn struct {
	net.Conn
	cut *atomic.Bool
}

func (c *cutConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if c.cut.Load() {
		_ = c.Close()
	}
	return n, err
}

// everyMethodFails lets each method fail in every way in which each of them can.
func (a *aviary) everyMethodFails() {
	t := a.t
	t.Helper()
	ctx := t.Context()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancelLate := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer cancelLate()
	readOnly := pgx.TxOptions{AccessMode: pgx.ReadOnly}
	noTables := onAllTables(`ALTER TABLE TABLE_NAME SET SCHEMA gone`)
	noNames := onAllTables(`ALTER TABLE TABLE_NAME RENAME COLUMN id TO other`)
	for _, way := range []struct {
		kind    string
		ctx     context.Context
		options pgx.TxOptions
		before  string
		fill    func(method, leaf string, at any) bool
	}{
		{"unknown keys", ctx, pgx.TxOptions{}, "", strange},
		{"canceled context", canceled, pgx.TxOptions{}, "", a.wellMeant},
		{"deadline", late, pgx.TxOptions{}, "", a.wellMeant},
		{"repeatable read", ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, "", a.wellMeant},
		{"serializable", ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, "", a.wellMeant},
		{"read only", ctx, readOnly, "", a.wellMeant},
		{"aborted transaction", ctx, pgx.TxOptions{}, abort, a.wellMeant},
		{"no permission", ctx, pgx.TxOptions{}, "SET LOCAL ROLE pg_monitor", a.wellMeant},
		{"no table", ctx, pgx.TxOptions{}, "CREATE SCHEMA gone;" + noTables, a.wellMeant},
		{"no column", ctx, pgx.TxOptions{}, noNames, a.wellMeant},
		{"check", ctx, pgx.TxOptions{}, onAllTables(`ALTER TABLE TABLE_NAME ADD CHECK (id IS NULL) NOT VALID`), a.wellMeant},
		{"not null", ctx, pgx.TxOptions{}, onAllTables(`ALTER TABLE TABLE_NAME ADD extra text NOT NULL DEFAULT '';
			ALTER TABLE TABLE_NAME ALTER extra DROP DEFAULT`), a.wellMeant},
		{"exclusion", ctx, pgx.TxOptions{}, `INSERT INTO "user" (id, name, email) VALUES ('` + idCanary + `x', '` +
			valueCanary + `000', '` + emailCanary + `x'); ALTER TABLE "user" ADD EXCLUDE USING btree (email_verified WITH =)
			WHERE (name LIKE '` + valueCanary + `000%')`, a.wellMeant},
		{"rows of NULL", ctx, pgx.TxOptions{}, `ALTER TABLE "user" ALTER name DROP NOT NULL; UPDATE "user" SET name = NULL`, a.wellMeant},
		{"another type", ctx, pgx.TxOptions{}, onAllTables(`ALTER TABLE TABLE_NAME ALTER created_at TYPE text USING '` + valueCanary + `'`), a.wellMeant},
	} {
		a.inTxs(a.store.Pool(), way.options, way.before, func(tx pgx.Tx, _ *authdb.Store) {
			allMethods(a.store, func(method string, _ reflect.Value) {
				a.each(tx, func(s *authdb.Store) {
					_, err := a.call(way.ctx, s, method, way.fill)
					a.failed(way.kind, method, err)
				})
			})
		})
		if len(a.fails[way.kind]) < 1 {
			t.Errorf("%s: nothing failed", way.kind)
		}
	}
	a.store.Pool().Reset() // its statements were prepared for tables of another type

	locker := kit.Must[pgx.Tx](t)(kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, a.dsn)).Begin(ctx))
	t.Cleanup(func() { _ = locker.Conn().Close(context.Background()) })
	var tables []string
	for _, table := range allTables {
		tables = append(tables, pgx.Identifier{table}.Sanitize())
	}
	if _, err := locker.Exec(ctx, `LOCK TABLE `+strings.Join(tables, ", ")+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"statement_timeout", "lock_timeout"} {
		impatient := a.open(func(cfg *pgxpool.Config) { cfg.MaxConns = 1 })
		// Not for what Open itself sends, which takes longer where the machine is busy.
		kit.Must[pgconn.CommandTag](t)(impatient.Pool().Exec(ctx, `SET `+setting+` = '3ms'`))
		allMethods(a.store, func(method string, _ reflect.Value) {
			_, err := a.call(ctx, impatient, method, a.wellMeant)
			a.failed(setting, method, err)
		})
	}
	if err := locker.Rollback(ctx); err != nil {
		t.Fatal(err)
	}

	cut := &atomic.Bool{}
	fragile := a.open(func(cfg *pgxpool.Config) {
		network, address := pgconn.NetworkAddress(cfg.ConnConfig.Host, cfg.ConnConfig.Port)
		cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &cutConn{conn, cut}, err
		}
	})
	closed := a.open(nil)
	closed.Close()
	over := kit.Must[pgx.Tx](t)(a.store.Pool().Begin(ctx))
	if err := over.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	allMethods(a.store, func(method string, _ reflect.Value) {
		cut.Store(false)
		if err := fragile.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		cut.Store(true)
		soon, cancel := context.WithTimeout(ctx, 30*time.Millisecond) // nothing will come of the next connections
		defer cancel()
		_, err := a.call(soon, fragile, method, a.wellMeant)
		a.failed("connection cut", method, err)
		if err == nil {
			t.Errorf("%s: no error on a connection that was cut", method)
		}
		_, err = a.call(ctx, closed, method, a.wellMeant)
		a.failed("closed pool", method, err)
		_, err = a.call(ctx, authdb.New(over), method, a.wellMeant)
		a.failed("transaction over", method, err)
	})
	// What is lost while it is prepared is not unknown.
	cut.Store(false)
	expired := kit.MethodCalls["Sessions.DeleteExpired"]
	if err := expired(ctx, fragile, kit.Estate{}); err != nil && !errors.Is(err, kit.ErrNone) {
		t.Fatal(err)
	}
	cut.Store(true)
	soon, cancelSoon := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancelSoon()
	err := expired(soon, fragile, kit.Estate{})
	a.failed("connection cut", "Sessions.DeleteExpired", err)
	for name, s := range map[string]*authdb.Store{"connection cut": fragile, "transaction over": authdb.New(over)} {
		_, resolveErr := s.Resolve(soon, err)
		a.failed(name, "Resolve", resolveErr)
	}
	cut.Store(false)
}

// storeFails: what is no method of a repository. A new method of Store must be scanned here.
func (a *aviary) storeFails() {
	t := a.t
	t.Helper()
	ctx := t.Context()
	known := []string{
		"CheckSchema", "Close", "DeleteExpiredMarks", "InTx", "InTxWith", "Ping", "Pool", "Position", "Resolve", "Tx", "WaitFor", "WithTx",
	}
	for m := range reflect.TypeFor[*authdb.Store]().Methods() {
		if !slices.Contains(known, m.Name) {
			t.Errorf("Store.%s is not scanned", m.Name)
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	a.failed("canceled context", "Ping", a.store.Ping(canceled))
	a.failed("canceled context", "CheckSchema", a.store.CheckSchema(canceled))
	a.failed("canceled context", "Position", kit.ErrOf(a.store.Position(canceled)))
	a.failed("canceled context", "WaitFor", a.store.WaitFor(canceled, authdb.Position{}))
	if err := a.store.InTx(ctx, func(tx *authdb.Store) error {
		a.failed("in a transaction", "Position", kit.ErrOf(tx.Position(ctx)))
		a.failed("in a transaction", "WaitFor", tx.WaitFor(ctx, authdb.Position{}))
		return nil
	}); err != nil {
		t.Error(err)
	}
	a.failed("read only", "InTxWith", a.store.InTxWith(ctx, authdb.TxOptions{ReadOnly: true}, func(tx *authdb.Store) error {
		return kit.ErrOf(tx.Users.Create(ctx, authdb.CreateUserParams{Name: newCanary(valueCanary), Email: newCanary(valueCanary) + "@x.io"}))
	}))
	a.failed("another schema", "CheckSchema", a.store.InTx(ctx, func(tx *authdb.Store) error {
		_, err := tx.Tx().Exec(ctx, `ALTER TABLE "user" RENAME COLUMN name TO called`)
		if err == nil {
			err = tx.CheckSchema(ctx)
		}
		return err
	}))
	a.failed("canceled context", "DeleteExpiredMarks", kit.ErrOf(a.store.DeleteExpiredMarks(canceled, 1)))
	key := authdb.Once(ctx, newCanary(secretCanary))
	for _, in := range []context.Context{key, key, authdb.Once(ctx, "")} {
		a.failed("once", "InTx", a.store.InTx(in, func(*authdb.Store) error { return nil }))
	}
	a.failed("misuse", "InTxWith", a.store.InTxWith(ctx, authdb.TxOptions{IsoLevel: pgx.TxIsoLevel(newCanary(valueCanary))},
		func(*authdb.Store) error { return nil }))
	a.failed("misuse", "Ping", a.store.WithTx(nil).Ping(ctx))
	if err := a.store.InTx(ctx, func(tx *authdb.Store) error {
		a.failed("misuse", "Tx.Commit", tx.Tx().Commit(ctx))
		a.failed("misuse", "Tx.Rollback", tx.Tx().Rollback(ctx))
		return nil
	}); err != nil {
		t.Error(err)
	}
	a.failed("canceled context", "InTx", a.store.InTx(canceled, func(*authdb.Store) error { return nil }))
	a.failed("swallowed error", "InTx", a.store.InTx(ctx, func(tx *authdb.Store) error {
		_, _ = tx.Users.Create(ctx, authdb.CreateUserParams{Name: newCanary(valueCanary), Email: a.cast.owner.Email})
		return nil
	}))
	kit.Exec(t, a.store, `ALTER TABLE session ALTER CONSTRAINT session_user_id_user_id_fk DEFERRABLE INITIALLY DEFERRED`)
	a.failed("deferred constraint", "InTx", a.store.InTx(ctx, func(tx *authdb.Store) error {
		return kit.ErrOf(tx.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: newCanary(idCanary)}))
	}))
	a.failed("deferred constraint", "Sessions.Create",
		kit.ErrOf(a.store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: newCanary(idCanary)})))
	kit.Exec(t, a.store, `ALTER TABLE session ALTER CONSTRAINT session_user_id_user_id_fk NOT DEFERRABLE`)
	if a.fails["deferred constraint"] == nil {
		t.Error("no deferred constraint")
	}

	secret := newCanary(secretCanary)
	for kind, dsn := range map[string]string{
		"weak TLS":        "postgres://u:" + secret + "@192.0.2.1/d?sslmode=require",
		"malformed DSN":   "postgres://u:" + secret + "@h:port/d",
		"unescaped":       "postgres://u:1/" + secret + "@127.0.0.1/d",
		"semicolons":      "host=127.0.0.1;port=1;user=u;password=" + secret,
		"malformed words": "host=h password=" + secret + " port=" + secret,
		"no such setting": "postgres://u:" + secret + "@localhost/d?sslmode=" + secret,
		"no server":       "postgres://u:" + secret + "@127.0.0.1:1/d?connect_timeout=1",
		"no such socket":  "host=/nowhere user=u password=" + secret,
	} {
		store, err := authdb.Open(ctx, dsn)
		if err == nil {
			store.Close()
			t.Errorf("%s: opened", kind)
		}
		a.failed("open, "+kind, "Open", err)
	}
	var cursor authdb.Cursor
	a.failed("malformed cursor", "Cursor.UnmarshalText", cursor.UnmarshalText([]byte(secret+"!")))
	a.failed("malformed cursor", "Cursor.UnmarshalText", cursor.UnmarshalText([]byte(secret)))
	var position authdb.Position
	a.failed("malformed position", "Position.UnmarshalText", position.UnmarshalText([]byte(secret)))
}

// conflicts: every unique constraint and every foreign key, and what stands in the way of a delete.
func (a *aviary) conflicts() {
	t, c, ctx := a.t, a.cast, a.t.Context()
	t.Helper()
	kit.Exec(t, a.store, `CREATE TABLE customer (user_id text REFERENCES "user", organization_id text REFERENCES organization)`)
	defer kit.Exec(t, a.store, `DROP TABLE customer`)
	kit.Exec(t, a.store, `INSERT INTO customer VALUES ($1, $2)`, c.guest.ID, c.org.ID)

	github := func() authdb.CreateAccountParams {
		return authdb.CreateAccountParams{
			UserID: c.plain.ID, ProviderID: c.account.ProviderID, AccountID: c.account.AccountID, AccessToken: new(authdb.Secret(newCanary(secretCanary))),
		}
	}
	user := func() authdb.CreateUserParams {
		return authdb.CreateUserParams{Name: newCanary(valueCanary), Email: c.owner.Email}
	}
	for _, call := range []struct {
		method string
		f      func(s *authdb.Store) error
	}{
		{"Users.Create", func(s *authdb.Store) error { return kit.ErrOf(s.Users.Create(ctx, user())) }},
		{"Users.CreateMany", func(s *authdb.Store) error {
			return kit.ErrOf(s.Users.CreateMany(ctx, []authdb.CreateUserParams{user()}))
		}},
		{"Users.SetEmail", func(s *authdb.Store) error {
			return kit.ErrOf(s.Users.SetEmail(ctx, c.guest.ID, authdb.SetEmailParams{Email: c.owner.Email, Verified: true}))
		}},
		{"Users.CreateWithAccount", func(s *authdb.Store) error {
			_, err := s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{User: user(), Account: authdb.CreateAccountParams{ProviderID: newCanary(valueCanary), AccountID: "1"}})
			return err
		}},
		{"Users.CreateWithAccount", func(s *authdb.Store) error {
			account, another := github(), user()
			account.UserID, another.Email = "", newCanary(emailCanary)+"@x.io"
			_, err := s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{User: another, Account: account})
			return err
		}},
		{"Organizations.Create", func(s *authdb.Store) error {
			return kit.ErrOf(s.Organizations.Create(ctx, authdb.CreateOrganizationParams{Name: newCanary(valueCanary), Slug: c.org.Slug, OwnerID: c.owner.ID}))
		}},
		{"Organizations.Update", func(s *authdb.Store) error {
			other := authdbtest.Organization(t, s)
			return kit.ErrOf(s.Organizations.Update(ctx, other.ID, authdb.UpdateOrganizationParams{Slug: authdb.Set(c.org.Slug)}))
		}},
		{"Accounts.Create", func(s *authdb.Store) error { return kit.ErrOf(s.Accounts.Create(ctx, github())) }},
		{"Accounts.Link", func(s *authdb.Store) error { return kit.ErrOf(s.Accounts.Link(ctx, github())) }},
		{"Members.Create", func(s *authdb.Store) error {
			return kit.ErrOf(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: c.org.ID, UserID: c.plain.ID, Role: newCanary(valueCanary)}))
		}},
		{"Members.CreateMany", func(s *authdb.Store) error {
			return kit.ErrOf(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: c.org.ID, UserID: c.plain.ID, Role: newCanary(valueCanary)}}))
		}},
		{"Verifications.Reserve", func(s *authdb.Store) error {
			p := authdb.CreateVerificationParams{Identifier: authdb.Secret(newCanary(secretCanary)), ExpiresAt: time.Now().Add(time.Hour)}
			if err := s.Verifications.Reserve(ctx, p); err != nil {
				return err
			}
			return s.Verifications.Reserve(ctx, p)
		}},
		{"Invitations.Create", func(s *authdb.Store) error {
			return kit.ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: c.org.ID, InviterID: c.owner.ID, Email: c.plain.Email}))
		}},
	} {
		a.inTx(a.store.Pool(), pgx.TxOptions{}, "", func(s *authdb.Store) {
			err := call.f(s)
			if !errors.Is(err, authdb.ErrConflict) {
				t.Errorf("%s: %v, want a conflict", call.method, err)
			}
			a.failed("conflict", call.method, err)
		})
	}
	for kind, call := range map[string]func(s *authdb.Store) error{
		"still referenced": func(s *authdb.Store) error {
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: c.guest.ID}))
		},
		"still referenced, organization": func(s *authdb.Store) error { return kit.ErrOf(s.Organizations.Delete(ctx, c.org.ID)) },
	} {
		a.inTx(a.store.Pool(), pgx.TxOptions{}, "", func(s *authdb.Store) {
			err := call(s)
			if !errors.Is(err, authdb.ErrReferenced) {
				t.Errorf("%s: %v", kind, err)
			}
			a.failed(kind, "Delete", err)
		})
	}

	// Every id is one that there is, then every token is.
	for kind, opts := range map[string][]authdb.Option{
		"id taken":    {authdb.WithIDs(func() string { return idCanary + "taken" }), canarySources()[1]},
		"token taken": {canarySources()[0], authdb.WithTokens(func() string { return string(c.session.Token) })},
	} {
		a.inTxs(a.store.Pool(), pgx.TxOptions{}, "", func(tx pgx.Tx, _ *authdb.Store) {
			for _, sql := range []string{
				`INSERT INTO "user" (id, name, email) VALUES ($1, $1, $1)`,
				`INSERT INTO organization (id, name, slug, created_at) VALUES ($1, $1, $1, '2026-01-01')`,
				`INSERT INTO team (id, name, organization_id, created_at) VALUES ($1, $1, $1, '2026-01-01')`,
				`INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ($1, $1, $1, '2026-01-01', '2026-01-01')`,
				`INSERT INTO account (id, account_id, provider_id, user_id, updated_at) VALUES ($1, $1, $1, $1, '2026-01-01')`,
				`INSERT INTO verification (id, identifier, value, expires_at) VALUES ($1, $1, $1, '2026-01-01')`,
				`INSERT INTO member (id, organization_id, user_id, created_at) VALUES ($1, $1, $1, '2026-01-01')`,
				`INSERT INTO team_member (id, team_id, user_id) VALUES ($1, $1, $1)`,
				`INSERT INTO invitation (id, organization_id, email, expires_at, inviter_id) VALUES ($1, $1, $1, '2026-01-01', $1)`,
			} {
				if _, err := tx.Exec(ctx, sql, idCanary+"taken"); err != nil {
					t.Fatal(err)
				}
			}
			allMethods(a.store, func(method string, _ reflect.Value) {
				on := kit.Must[pgx.Tx](t)(tx.Begin(ctx))
				defer func() { _ = on.Rollback(context.WithoutCancel(ctx)) }()
				_, err := a.call(ctx, authdb.New(on, opts...), method, a.wellMeant)
				a.failed(kind, method, err)
			})
		})
	}
	if len(a.fails["id taken"]) < 12 || len(a.fails["token taken"]) < 2 {
		t.Errorf("id taken: %v, token taken: %v", a.fails["id taken"], a.fails["token taken"])
	}
}

// refusals: what the operations refuse by their own rules.
func (a *aviary) refusals() {
	t, c, ctx := a.t, a.cast, a.t.Context()
	t.Helper()
	invite := func(edit func(p *authdb.CreateInvitationParams)) func(s *authdb.Store) error {
		return func(s *authdb.Store) error {
			p := authdb.CreateInvitationParams{
				OrganizationID: c.org.ID, InviterID: c.owner.ID, Email: newCanary(emailCanary) + "@x.io", Role: newCanary(valueCanary),
			}
			edit(&p)
			return kit.ErrOf(s.Invitations.Create(ctx, p))
		}
	}
	accept := func(userID string, p authdb.AcceptInvitationParams) func(s *authdb.Store) error {
		return func(s *authdb.Store) error {
			p.InvitationID, p.UserID = c.invitation.ID, userID
			return kit.ErrOf(s.Invitations.Accept(ctx, p))
		}
	}
	guess := authdb.ConsumeCodeParams{Identifier: c.verification.Identifier, Code: authdb.Secret(newCanary(secretCanary)), MaxAttempts: 1, InTx: true}
	ownerMember := kit.Must[authdb.Member](t)(a.store.Members.GetByUser(ctx, c.org.ID, c.owner.ID)).ID
	for _, r := range []struct {
		want   error
		before string
		f      func(s *authdb.Store) error
	}{
		{authdb.ErrNotMember, "", invite(func(p *authdb.CreateInvitationParams) { p.InviterID = c.guest.ID })},
		{authdb.ErrNotMember, "", func(s *authdb.Store) error {
			return kit.ErrOf(s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{UserID: c.owner.ID, Token: c.session.Token, OrganizationID: newCanary(idCanary)}))
		}},
		{authdb.ErrNotPermitted, "", invite(func(p *authdb.CreateInvitationParams) { p.InviterID, p.Role = c.plain.ID, authdb.RoleOwner })},
		{authdb.ErrReference, "", invite(func(p *authdb.CreateInvitationParams) { p.TeamIDs = []string{newCanary(idCanary)} })},
		{authdb.ErrLimitReached, "", invite(func(p *authdb.CreateInvitationParams) { p.MaxPending = 1 })},
		{authdb.ErrLimitReached, "", accept(c.guest.ID, authdb.AcceptInvitationParams{MaxMembers: 1})},
		{authdb.ErrLimitReached, "", accept(c.guest.ID, authdb.AcceptInvitationParams{MaxTeamMembers: 1})},
		{authdb.ErrLimitReached, "", func(s *authdb.Store) error {
			return kit.ErrOf(s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: c.org.ID, Name: newCanary(valueCanary), MaxTeams: 1}))
		}},
		{authdb.ErrNotRecipient, "", accept(c.plain.ID, authdb.AcceptInvitationParams{})},
		{authdb.ErrEmailNotVerified, `UPDATE "user" SET email_verified = false`, accept(c.guest.ID, authdb.AcceptInvitationParams{})},
		{authdb.ErrNotPending, `UPDATE invitation SET status = '` + newCanary(valueCanary) + `'`, accept(c.guest.ID, authdb.AcceptInvitationParams{})},
		{authdb.ErrNotPending, `UPDATE invitation SET status = 'canceled'`, func(s *authdb.Store) error {
			return kit.ErrOf(s.Invitations.Cancel(ctx, c.org.ID, c.invitation.ID))
		}},
		{authdb.ErrNotPending, `UPDATE invitation SET status = 'canceled'`, func(s *authdb.Store) error {
			return kit.ErrOf(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: c.invitation.ID, UserID: c.guest.ID, AllowUnverified: true}))
		}},
		{authdb.ErrExpired, `UPDATE invitation SET expires_at = '2000-01-01'`, accept(c.guest.ID, authdb.AcceptInvitationParams{})},
		{authdb.ErrLastOwner, "", func(s *authdb.Store) error { return s.Members.Leave(ctx, c.org.ID, c.owner.ID) }},
		{authdb.ErrLastOwner, "", func(s *authdb.Store) error {
			return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: c.org.ID, MemberID: ownerMember})
		}},
		{authdb.ErrLastOwner, "", func(s *authdb.Store) error {
			return kit.ErrOf(s.Members.Update(ctx, c.org.ID, ownerMember, authdb.UpdateMemberParams{Role: authdb.Set(newCanary(valueCanary))}))
		}},
		{authdb.ErrLastOwner, "", func(s *authdb.Store) error {
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: c.owner.ID}))
		}},
		{authdb.ErrReference, "", func(s *authdb.Store) error {
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: c.owner.ID, SuccessorID: newCanary(idCanary)}))
		}},
		{authdb.ErrLastTeam, `DELETE FROM team WHERE id <> '` + c.team.ID + `'`, func(s *authdb.Store) error {
			return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: c.org.ID, TeamID: c.team.ID})
		}},
		{authdb.ErrLastAccount, `DELETE FROM account WHERE provider_id = 'credential'`, func(s *authdb.Store) error {
			return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: c.owner.ID, ID: c.account.ID})
		}},
		{authdb.ErrBanned, `ALTER TABLE "user" ADD COLUMN banned boolean DEFAULT true`, func(s *authdb.Store) error {
			return kit.ErrOf(s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: c.owner.ID}))
		}},
		{authdb.ErrInTransaction, "", func(s *authdb.Store) error {
			guess := guess
			guess.InTx = false
			return s.Verifications.ConsumeCode(ctx, guess)
		}},
		{authdb.ErrWrongCode, "", func(s *authdb.Store) error { return s.Verifications.ConsumeCode(ctx, guess) }},
		{authdb.ErrTooManyAttempts, `UPDATE verification SET value = value || '9'`, func(s *authdb.Store) error {
			return s.Verifications.ConsumeCode(ctx, guess)
		}},
	} {
		a.inTx(a.store.Pool(), pgx.TxOptions{}, r.before, func(s *authdb.Store) {
			err := r.f(s)
			if !errors.Is(err, r.want) {
				t.Errorf("%v, want %v", err, r.want)
			}
			e, _ := errors.AsType[*authdb.Error](err)
			a.failed("refused, "+r.want.Error(), e.Op, err)
		})
	}
}

// collisions: two transactions that cannot both go on.
func (a *aviary) collisions() {
	t, c, ctx := a.t, a.cast, a.t.Context()
	t.Helper()
	rename := func(s *authdb.Store, userID string) error {
		return kit.ErrOf(s.Users.Update(ctx, userID, authdb.UpdateUserParams{Name: authdb.Set(newCanary(valueCanary))}))
	}
	other := a.open(nil)
	a.inTx(a.store.Pool(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, `SELECT count(*) FROM "user"`, func(s *authdb.Store) {
		if err := rename(other, c.owner.ID); err != nil {
			t.Error(err)
		}
		a.failed("serialization failure", "Users.Update", rename(s, c.owner.ID))
	})
	a.inTx(a.store.Pool(), pgx.TxOptions{}, "", func(one *authdb.Store) {
		a.inTx(other.Pool(), pgx.TxOptions{}, "", func(two *authdb.Store) {
			if err := errors.Join(rename(one, c.owner.ID), rename(two, c.guest.ID)); err != nil {
				t.Fatal(err)
			}
			second := make(chan error, 1)
			go func() { second <- rename(two, c.owner.ID) }()
			// The server ends one of them, and the other goes on.
			a.failed("deadlock", "Users.Update", rename(one, c.guest.ID))
			a.failed("deadlock", "Users.Update", <-second)
		})
	})
	for _, kind := range []string{"serialization failure", "deadlock"} {
		if len(a.fails[kind]) == 0 {
			t.Errorf("no %s", kind)
		}
	}
}

// triggers: a function of the caller's own may put values into any error.
func (a *aviary) triggers() {
	t := a.t
	t.Helper()
	kit.Exec(t, a.store, `CREATE FUNCTION betray() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'no %', OLD USING ERRCODE = TG_ARGV[0], DETAIL = OLD::text, HINT = OLD::text;
	END $$`)
	kit.Exec(t, a.store, `CREATE FUNCTION cast_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		PERFORM OLD::text::integer; RETURN NULL; END $$`)
	kit.Exec(t, a.store, `CREATE FUNCTION quote_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		EXECUTE 'SELECT "' || OLD::text || '"'; RETURN NULL; END $$`)
	do := []string{"cast_it()", "quote_it()"}
	for _, code := range []string{
		"P0001", "XX000", "22P02", "22001", "23502", "23503", "23505", "23514", "25006", "28000", "3D000", "40001", "40P01",
		"42501", "42P01", "53100", "55000", "55P03", "57014", "58000",
	} {
		do = append(do, "betray('"+code+"')")
	}
	for _, what := range do {
		trigger := onAllTables(`CREATE TRIGGER betray BEFORE UPDATE OR DELETE ON TABLE_NAME FOR EACH ROW EXECUTE FUNCTION ` + what)
		kind := "trigger, " + what
		methods := []string{
			"Users.Update", "Sessions.UpdateByToken", "Accounts.SetPassword", "Verifications.Consume", "Verifications.ConsumeCode",
			"Organizations.Update", "Organizations.Delete", "Members.Update", "Teams.Update", "Teams.Delete", "TeamMembers.Delete", "Invitations.Accept",
		}
		methods = methods[:kit.Hard(t, 3, len(methods))]
		a.inTxs(a.store.Pool(), pgx.TxOptions{}, `SET LOCAL log_min_messages = panic;`+trigger, func(tx pgx.Tx, _ *authdb.Store) {
			for _, method := range methods {
				a.each(tx, func(s *authdb.Store) {
					_, err := a.call(t.Context(), s, method, a.wellMeant)
					a.failed(kind, method, err)
				})
			}
		})
		if len(a.fails[kind]) != len(methods) {
			t.Errorf("%s: only %d methods failed", kind, len(a.fails[kind]))
		}
	}
}

// sentinels: each error that the package exports was among those scanned.
func (a *aviary) sentinels() {
	a.t.Helper()
	seen := map[string]bool{}
	for kind := range a.kinds {
		seen[kind.Error()] = true
	}
	known := map[string]error{
		"ErrNotFound": authdb.ErrNotFound, "ErrConflict": authdb.ErrConflict, "ErrEmailTaken": authdb.ErrEmailTaken,
		"ErrSlugTaken": authdb.ErrSlugTaken, "ErrReference": authdb.ErrReference, "ErrReferenced": authdb.ErrReferenced,
		"ErrInvalidInput": authdb.ErrInvalidInput, "ErrInsecureTLS": authdb.ErrInsecureTLS,
		"ErrAlreadyMember": authdb.ErrAlreadyMember, "ErrAccountTaken": authdb.ErrAccountTaken,
		"ErrNotMember": authdb.ErrNotMember, "ErrNotPermitted": authdb.ErrNotPermitted, "ErrLastOwner": authdb.ErrLastOwner,
		"ErrLastTeam": authdb.ErrLastTeam, "ErrLastAccount": authdb.ErrLastAccount, "ErrLimitReached": authdb.ErrLimitReached,
		"ErrNotPending": authdb.ErrNotPending, "ErrExpired": authdb.ErrExpired, "ErrNotRecipient": authdb.ErrNotRecipient,
		"ErrEmailNotVerified": authdb.ErrEmailNotVerified, "ErrWrongCode": authdb.ErrWrongCode,
		"ErrTooManyAttempts": authdb.ErrTooManyAttempts, "ErrCommitUnknown": authdb.ErrCommitUnknown,
		"ErrUnavailable": authdb.ErrUnavailable, "ErrTimeout": authdb.ErrTimeout, "ErrIsolation": authdb.ErrIsolation,
		"ErrAlreadyDone": authdb.ErrAlreadyDone, "ErrInTransaction": authdb.ErrInTransaction,
		"ErrSchema": authdb.ErrSchema, "ErrReadOnly": authdb.ErrReadOnly, "ErrBanned": authdb.ErrBanned,
	}
	for _, name := range exportedErrors(a.t) {
		if name == "ErrBehind" { // which a standby alone provokes, test/standby, and which has no cause
			continue
		}
		if err, ok := known[name]; !ok || !seen[err.Error()] {
			a.t.Errorf("%s was not provoked", name)
		}
	}
}

// exportedErrors reads from the source which errors the package exports.
func exportedErrors(t *testing.T) (names []string) {
	t.Helper()
	for _, file := range kit.Must[[]string](t)(filepath.Glob("../../*.go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, decl := range kit.Must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), file, nil, 0)).Decls {
			if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, spec := range g.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						if strings.HasPrefix(name.Name, "Err") {
							names = append(names, name.Name)
						}
					}
				}
			}
		}
	}
	if len(names) < 20 {
		t.Errorf("only %v", names)
	}
	return names
}

// serverLog is what the server writes from a moment on, where a test can read it: on the private servers.
type serverLog struct {
	path   string
	offset int64
}

func openServerLog(t *testing.T, s *authdb.Store) *serverLog {
	t.Helper()
	var data, verbosity string
	if err := s.Pool().QueryRow(t.Context(), `SELECT current_setting('data_directory'), current_setting('log_error_verbosity')`).Scan(&data, &verbosity); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(data), "log")
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || verbosity != "terse" {
		t.Logf("the server's log is not within reach: not scanned (%v)", err)
		return nil
	}
	return &serverLog{path, info.Size()}
}

// scan is on what the operations made the server write with log_error_verbosity=terse. The server that is not terse
// shows that there is something to find.
func (l *serverLog) scan(a *aviary) {
	a.t.Helper()
	if l == nil {
		return
	}
	const control = "yq8control"
	verbose := a.open(func(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["log_error_verbosity"] = "default" })
	for range 2 {
		_, _ = verbose.Pool().Exec(a.t.Context(), `INSERT INTO "user" (id, name, email) VALUES ($1, $1, $1)`, control)
	}
	content, err := os.ReadFile(l.path)
	if err != nil {
		a.t.Fatal(err)
	}
	written := string(content[l.offset:])
	if !holds(written, control) {
		a.t.Error("the log of a server that is not terse has no canary: this is not its log")
	}
	a.t.Logf("%d lines of the server's log scanned", strings.Count(written, "\n"))
	for line := range strings.SplitSeq(written, "\n") {
		a.clean("the server's log", line, anyCanary)
	}
}

// TestCanaryIsFound: the scanner finds what leaks. Not beside TestCanary, which reads the log that this writes to.
func TestCanaryIsFound(t *testing.T) { //nolint:paralleltest // see above
	store := authdbtest.New(t)
	canary := newCanary(emailCanary)
	_, err := store.Pool().Exec(t.Context(), `INSERT INTO "user" (id, name, email) SELECT n, $1, $1 FROM unnest(ARRAY['1', '2']) n`, canary)
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		t.Fatal(err)
	}
	encoded := kit.Must[[]byte](t)(json.Marshal(pgErr))
	type plain struct{ Token string }
	outputs := map[string]string{"JSON of a PgError": string(encoded), "a PgError by pointer's value": fmt.Sprintf("%+v", *pgErr)}
	for how, out := range printed(plain{canary}) {
		outputs["a struct by "+how] = out
	}
	for how, out := range printed([]byte(canary)) {
		outputs["bytes by "+how] = out
	}
	for shift := range 3 {
		outputs[fmt.Sprintf("base64, %d", shift)] = base64.URLEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary + "x"))
	}
	for how, out := range outputs {
		if !holds(out, canary) || !holds(out, anyCanary) {
			t.Errorf("%s: not found in %s", how, out)
		}
	}
	if holds(err.Error(), canary) || holds("zq 7e", anyCanary) {
		t.Error("found where it is not")
	}
	t.Logf("%d outputs that leak, all found", len(outputs))
}
