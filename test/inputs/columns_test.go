package inputs_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	texttemplate "text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// extra are columns of each table: one that can be NULL, a list, and one whose name must be in quotes.
type extra struct {
	Plan  *string
	Tags  []string
	Level int    `db:"Level Of"`
	other string //nolint:unused // not exported, and so no column
}

// withExtra returns a store whose tables have those columns.
func withExtra(t *testing.T) *kit.Fixture {
	t.Helper()
	s := kit.NewFixture(t)
	kit.Exec(t, s.Store, onAllTables(`ALTER TABLE TABLE_NAME ADD COLUMN plan text, ADD COLUMN tags text[],
		ADD COLUMN "Level Of" integer NOT NULL DEFAULT 0`))
	return s
}

func columnsOf[T any](t *testing.T, s *authdb.Store, table string) *authdb.Columns[T] {
	t.Helper()
	return kit.Must[*authdb.Columns[T]](t)(authdb.NewColumns[T](t.Context(), s, table))
}

// TestColumnsAreRead: every method that returns rows of a table brings their columns, by the id of the row, in as many
// round trips and with the same answer as without.
func TestColumnsAreRead(t *testing.T) {
	t.Parallel()
	s := withExtra(t)
	c := newCast(t, s.Store)
	kit.Exec(t, s.Store, onAllTables(`UPDATE TABLE_NAME SET plan = 'of ' || id, tags = ARRAY[id], "Level Of" = length(id)`))
	columns := map[string]*authdb.Columns[extra]{}
	for _, table := range allTables {
		columns[table] = columnsOf[extra](t, s.Store, table)
	}
	a := arguments{t, parameterNames(t), func(method, leaf string, at any) bool {
		switch at := at.(type) {
		case *string:
			*at = c.text(method, leaf)
			return *at != ""
		case *bool:
			*at = leaf == "p.AllowUnverified"
			return true
		case *time.Time:
			*at = s.Now.Add(time.Hour)
		case *int:
			*at = 1_000
		case *authdb.Rows:
			*at = authdb.All()
		case *time.Duration:
			return false
		}
		return true
	}}
	seen := map[string]int{}
	allMethods(s.Store, func(method string, _ reflect.Value) {
		call := func(on *authdb.Store, ctx context.Context) []reflect.Value {
			repository, name, _ := strings.Cut(method, ".")
			f := reflect.ValueOf(on).Elem().FieldByName(repository).MethodByName(name)
			return f.Call(a.of(ctx, method, f))
		}
		undo := errors.New("undo")
		var plain, asked []any
		run := func(ctx context.Context, got *[]any) {
			if err := s.InTx(t.Context(), func(tx *authdb.Store) error {
				for _, out := range call(tx, ctx) {
					if out.Kind() != reflect.Func {
						*got = append(*got, out.Interface())
					}
				}
				return undo
			}); !errors.Is(err, undo) {
				t.Errorf("%s: %v", method, err)
			}
		}
		run(t.Context(), &plain)
		ctx := t.Context()
		for _, table := range allTables {
			ctx = columns[table].Read(ctx)
		}
		run(ctx, &asked)
		if strings.Contains(method, ".Create") || method == "Accounts.Link" || method == "Invitations.Accept" {
			return // which make rows, of other ids and without values
		}
		if diff := cmp.Diff(jsonOf(t, plain), jsonOf(t, asked)); diff != "" {
			t.Errorf("%s answers otherwise with columns:\n%s", method, diff)
		}
		for table, ids := range idsIn(reflect.ValueOf(asked)) {
			for id := range ids {
				row, ok := columns[table].Of(ctx, id)
				switch {
				case !ok && !strings.Contains(method, ".Load"):
					t.Errorf("%s returns %s %s without its columns", method, table, id)
				case !ok:
				case row.Plan == nil || *row.Plan != "of "+id || !slices.Equal(row.Tags, []string{id}) || row.Level != len(id):
					t.Errorf("%s: %s %s has %v %v %d", method, table, id, row.Plan, row.Tags, row.Level)
				default:
					seen[table]++
				}
			}
		}
	})
	for _, table := range allTables {
		if seen[table] == 0 {
			t.Errorf("no method returns columns of %s", table)
		}
	}
	t.Logf("rows with columns: %v", seen)
}

func jsonOf(t *testing.T, v any) string { return string(kit.Must[[]byte](t)(json.Marshal(v))) }

// idsIn are the ids of the rows in v, by their tables.
func idsIn(v reflect.Value) map[string]map[string]bool {
	ids := map[string]map[string]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface, reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			if table := kit.Column(v.Type().Name()); slices.Contains(allTables, table) && v.FieldByName("ID").String() != "" {
				if ids[table] == nil {
					ids[table] = map[string]bool{}
				}
				ids[table][v.FieldByName("ID").String()] = true
			}
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		}
	}
	walk(v)
	return ids
}

// TestColumnsAreWritten: every method that makes a row stores them, a required one included, and Update sets them.
func TestColumnsAreWritten(t *testing.T) {
	t.Parallel()
	type required struct {
		Region string
		Since  time.Time
	}
	s := kit.NewFixture(t)
	ctx := t.Context()
	kit.Exec(t, s.Store, onAllTables(`ALTER TABLE TABLE_NAME ADD COLUMN region varchar(20) NOT NULL, ADD COLUMN since timestamp NOT NULL`))
	since := s.Now.UTC().Truncate(time.Second)
	for _, table := range allTables {
		ctx = columnsOf[required](t, s.Store, table).Write(ctx, required{"eu " + table, since})
	}
	user := kit.Must[authdb.UserWithAccount](t)(s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{
		User: authdb.CreateUserParams{Email: "a@x.io", EmailVerified: true}, Account: authdb.CreateAccountParams{ProviderID: "github", AccountID: "1"},
	})).User
	guest := kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Email: "b@x.io", EmailVerified: true}))
	many := kit.Must[[]authdb.User](t)(s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Email: "c@x.io"}, {Email: "d@x.io"}}))
	org := kit.Must[authdb.Organization](t)(s.Organizations.Create(ctx, authdb.CreateOrganizationParams{Slug: "x", OwnerID: user.ID, DefaultTeam: true}))
	kit.Must[authdb.Member](t)(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: many[0].ID}))
	kit.Must[[]authdb.Member](t)(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: org.ID, UserID: many[1].ID}}))
	team := kit.Must[authdb.Team](t)(s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID}))
	kit.Must[authdb.TeamMember](t)(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: org.ID, TeamID: team.ID, UserID: many[0].ID}))
	kit.Must[authdb.Session](t)(s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user.ID}))
	kit.Must[[]authdb.Session](t)(s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: user.ID}}))
	kit.Must[authdb.Account](t)(s.Accounts.Create(ctx, authdb.CreateAccountParams{UserID: user.ID, ProviderID: "gitlab", AccountID: "1"}))
	kit.Must[authdb.Account](t)(s.Accounts.Link(ctx, authdb.CreateAccountParams{UserID: user.ID, ProviderID: "google", AccountID: "1"}))
	kit.Must[authdb.Verification](t)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{Identifier: "a", ExpiresAt: since.Add(time.Hour)}))
	if err := s.Verifications.Reserve(ctx, authdb.CreateVerificationParams{Identifier: "b", ExpiresAt: since.Add(time.Hour)}); err != nil {
		t.Error(err)
	}
	invitation := kit.Must[authdb.Invitation](t)(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: org.ID, InviterID: user.ID, Email: guest.Email, TeamIDs: []string{team.ID},
	}))
	kit.Must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: invitation.ID, UserID: guest.ID}))
	rows := 0
	tables := kit.ReadTables(t, s.Store)
	for table, all := range tables {
		for id, row := range all {
			rows++
			if row["region"] != "eu "+table || row["since"] != kit.JSONTime(since) {
				t.Errorf("%s %s has %v %v", table, id, row["region"], row["since"])
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows", rows)
	}
	users := columnsOf[required](t, s.Store, "user")
	moved := users.Read(users.Write(t.Context(), required{"us", since.Add(time.Hour)}))
	kit.Must[authdb.User](t)(s.Users.Update(moved, guest.ID, authdb.UpdateUserParams{Name: authdb.Set("B")}))
	if got, ok := users.Of(moved, guest.ID); !ok || got != (required{"us", since.Add(time.Hour)}) {
		t.Error(got, ok)
	}
	// Each table's Update, with the values of another region.
	other := t.Context()
	for _, table := range allTables {
		other = columnsOf[required](t, s.Store, table).Write(other, required{"us", since.Add(time.Hour)})
	}
	one := func(table string) (id string) {
		for id = range kit.ReadTables(t, s.Store)[table] {
			return id
		}
		return id
	}
	member, account := one("member"), kit.Must[authdb.Page[authdb.Account]](t)(s.Accounts.List(t.Context(), authdb.ListAccountsParams{UserID: user.ID})).Items[0]
	session := kit.Must[authdb.Page[authdb.Session]](t)(s.Sessions.List(t.Context(), authdb.ListSessionsParams{UserID: user.ID})).Items[0]
	verification := one("verification")
	undo := errors.New("undo")
	for table, update := range map[string]struct {
		id string
		do func(tx *authdb.Store) error
	}{
		"session": {session.ID, func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Sessions.UpdateByToken(other, session.Token, authdb.UpdateSessionParams{}))
		}},
		"account": {account.ID, func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Accounts.Update(other, user.ID, account.ID, authdb.UpdateAccountParams{}))
		}},
		"verification": {verification, func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Verifications.Update(other, verification, authdb.UpdateVerificationParams{}))
		}},
		"organization": {org.ID, func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Organizations.Update(other, org.ID, authdb.UpdateOrganizationParams{}))
		}},
		"member": {member, func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Members.Update(other, org.ID, member, authdb.UpdateMemberParams{}))
		}},
		"team": {team.ID, func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Teams.Update(other, org.ID, team.ID, authdb.UpdateTeamParams{}))
		}},
	} {
		if err := s.InTx(t.Context(), func(tx *authdb.Store) error {
			if err := update.do(tx); err != nil {
				return err
			}
			var changed []string
			rows, err := tx.Tx().Query(t.Context(), "SELECT id FROM "+table+" WHERE region = 'us' AND since = $1", since.Add(time.Hour))
			if err != nil {
				return err
			}
			if changed, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
				return err
			}
			if !slices.Equal(changed, []string{update.id}) {
				t.Errorf("updating %s %s changes %v", table, update.id, changed)
			}
			return undo
		}); !errors.Is(err, undo) {
			t.Errorf("%s: %v", table, err)
		}
	}
	// What changes rows of a table along the way does not touch their columns.
	if err := s.InTx(t.Context(), func(tx *authdb.Store) error {
		if _, err := tx.Sessions.SetActiveOrganization(t.Context(), authdb.SetActiveOrganizationParams{
			UserID: user.ID, Token: session.Token, OrganizationID: org.ID,
		}); err != nil {
			return err
		}
		if _, err := tx.Organizations.Delete(other, org.ID); err != nil {
			return err
		}
		var n int
		if err := tx.Tx().QueryRow(t.Context(), "SELECT count(*) FROM session WHERE region = 'us'").Scan(&n); err != nil || n != 0 {
			t.Errorf("deleting an organization changes the columns of %d sessions, %v", n, err)
		}
		return undo
	}); !errors.Is(err, undo) {
		t.Error(err)
	}
	want := tables
	want["user"][guest.ID] = maps.Clone(want["user"][guest.ID])
	want["user"][guest.ID]["region"], want["user"][guest.ID]["since"], want["user"][guest.ID]["name"] = "us", kit.JSONTime(since.Add(time.Hour)), "B"
	want["user"][guest.ID]["updated_at"] = kit.ReadTables(t, s.Store)["user"][guest.ID]["updated_at"]
	s.Holds(t, want)
	for name, call := range map[string]func() error{
		"without": func() error {
			return kit.ErrOf(s.Users.Create(t.Context(), authdb.CreateUserParams{Email: "none@x.io"}))
		},
		"too long": func() error {
			return kit.ErrOf(s.Users.Create(users.Write(t.Context(), required{strings.Repeat("x", 21), since}), authdb.CreateUserParams{Email: "none@x.io"}))
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	s.Holds(t, want)
}

// TestColumnsAreLookedUp: at the start, not at a request.
func TestColumnsAreLookedUp(t *testing.T) {
	t.Parallel()
	s, ctx := withExtra(t), t.Context()
	field := func(_ any, err error) string {
		e, _ := errors.AsType[*authdb.Error](err)
		if e == nil || !errors.Is(err, authdb.ErrInvalidInput) {
			return err.Error()
		}
		return e.Field + ": " + e.Reason
	}
	for want, got := range map[string]string{
		"table: unknown":                          field(authdb.NewColumns[extra](ctx, s.Store, "users")),
		"missing: no such column":                 field(authdb.NewColumns[struct{ Missing string }](ctx, s.Store, "user")),
		"name: a column that authdb knows itself": field(authdb.NewColumns[struct{ Name string }](ctx, s.Store, "user")),
		"plan: the column is text, the field int": field(authdb.NewColumns[struct{ Plan *int }](ctx, s.Store, "user")),
		"columns: T has no exported field":        field(authdb.NewColumns[struct{ plan string }](ctx, s.Store, "user")),
		"columns: T is no struct":                 field(authdb.NewColumns[string](ctx, s.Store, "user")),
		`a"; DROP TABLE: no such column`: field(authdb.NewColumns[struct {
			X string `db:"a\"; DROP TABLE"`
		}](ctx, s.Store, "user")),
		"store: without a database: make it by Open, or by New with one that is not nil": field(
			authdb.NewColumns[extra](ctx, nil, "user")),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if _, err := authdb.NewColumns[struct{ Plan *int }](ctx, s.Store, "user"); errors.Is(err, authdb.ErrCommitUnknown) {
		t.Errorf("a wrong column: %v", err)
	}
}

// TestColumnsBelongToTheKey: under Once, other values are another call, and the same ones the same, whatever is read.
func TestColumnsBelongToTheKey(t *testing.T) {
	t.Parallel()
	type values struct {
		Plan *string
		Tags []string
		Data map[string]any
		IP   *netip.Addr
		N    kind
		Any  any `db:"data2"`
	}
	type part struct{ Region, Plan authdb.Change[string] }
	s := withExtra(t)
	kit.Exec(t, s.Store, `ALTER TABLE "user" ADD COLUMN data jsonb, ADD COLUMN data2 jsonb, ADD COLUMN ip inet, ADD COLUMN n integer, ADD COLUMN region text`)
	users, parts := columnsOf[values](t, s.Store, "user"), columnsOf[part](t, s.Store, "user")
	write := func(v values) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context { return users.Write(ctx, v) }
	}
	data := func(text string) (m map[string]any) {
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	ip := func(text string) *netip.Addr { return new(netip.MustParseAddr(text)) }
	for i, test := range []struct {
		first, second func(context.Context) context.Context
		same          bool
	}{
		{write(values{Plan: new("pro"), Tags: []string{"a"}}), write(values{Plan: new("pro"), Tags: []string{"a"}}), true},
		{write(values{Plan: new("pro")}), write(values{Plan: new("free")}), false},
		{write(values{Plan: new("pro")}), func(ctx context.Context) context.Context { return ctx }, false},
		{write(values{}), func(ctx context.Context) context.Context { return users.Read(users.Write(ctx, values{})) }, true},
		{write(values{Tags: nil}), write(values{Tags: []string{}}), false},
		{write(values{Tags: []string{"a", "b"}}), write(values{Tags: []string{"a b"}}), false},
		{write(values{Data: data(`{"a":"b c:d"}`)}), write(values{Data: data(`{"a":"b","c":"d"}`)}), false},
		{write(values{Data: data(`{"a":1}`)}), write(values{Data: data(`{"a":"1"}`)}), false},
		{write(values{Data: data(`{"a":1,"b":[2],"c":null}`)}), write(values{Data: data(`{"c":null,"b":[2],"a":1}`)}), true},
		{write(values{IP: ip("10.0.0.1")}), write(values{IP: ip("10.0.0.2")}), false},
		{write(values{IP: ip("10.0.0.1")}), write(values{IP: ip("10.0.0.1")}), true},
		{write(values{N: 1}), write(values{N: 2}), false}, // which print alike
		{write(values{Any: struct{ Grant string }{"x"}}), write(values{Any: struct{ Revoke string }{"x"}}), false},
		{write(values{Any: kind(1)}), write(values{Any: 1}), false},
		{write(values{Any: struct{ Grant string }{"x"}}), write(values{Any: struct{ Grant string }{"x"}}), true},
		{write(values{Any: plans()}), write(values{Any: plans()}), true},
		{write(values{Any: plans()}), write(values{Any: admins()}), false}, // of two types with one name
		{write(values{Any: plans()}), write(values{Any: kinds()}), false},
		{write(values{Any: lists{}}), write(values{Any: lists{List: []string{}}}), false},
		{write(values{Any: lists{}}), write(values{Any: lists{Map: map[string]int{}}}), false},
		{write(values{Any: new([]string)}), write(values{Any: &[]string{}}), false},
		{write(values{Any: [][]string{nil}}), write(values{Any: [][]string{{}}}), false},
		{write(values{Any: lists{List: []string{}}}), write(values{Any: lists{List: []string{}}}), true},
		{write(values{Any: []*texttemplate.Template(nil)}), write(values{Any: []*htmltemplate.Template(nil)}), false},
		{write(values{Any: map[string]*texttemplate.Template(nil)}), write(values{Any: map[string]*htmltemplate.Template(nil)}), false},
		{
			func(ctx context.Context) context.Context { return parts.Write(ctx, part{Region: authdb.Set("x")}) },
			func(ctx context.Context) context.Context { return parts.Write(ctx, part{Plan: authdb.Set("x")}) }, false,
		},
	} {
		key := authdb.Once(t.Context(), fmt.Sprint("key ", i))
		p := authdb.CreateUserParams{Email: fmt.Sprint(i, "@x.io")}
		kit.Must[authdb.User](t)(s.Users.Create(test.first(key), p))
		switch _, err := s.Users.Create(test.second(key), p); {
		case test.same && err != nil:
			t.Errorf("%d: %v", i, err)
		case !test.same:
			kit.Fails(t, err, authdb.ErrInvalidInput, "Users.Create", "once")
		}
	}
}

type lists struct {
	List []string
	Map  map[string]int
}

type kind int

func (kind) String() string { return "kind" }

func plans() any {
	type doc struct {
		A int `json:"plan"`
	}
	return []doc{{1}}
}

func admins() any {
	type doc struct {
		A int `json:"admin"`
	}
	return []doc{{1}}
}

func kinds() any {
	type doc struct {
		A kind `json:"plan"`
	}
	return []doc{{1}}
}

// TestColumnsThatDoNotFit: a value is refused by its column's name before anything is sent, and no connection is lost.
func TestColumnsThatDoNotFit(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	kit.Exec(t, s.Store, `ALTER TABLE "user" ADD COLUMN n integer, ADD COLUMN text text[]`)
	user := authdbtest.User(t, s.Store)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		pool := kit.PoolIn(t, s.Store, "UTC", mode)
		store := authdb.New(pool)
		type number struct{ N *int64 }
		type texts struct{ Text []string }
		numbers, lists := columnsOf[number](t, store, "user"), columnsOf[texts](t, store, "user")
		before := pool.Stat().NewConnsCount()
		for field, ctx := range map[string]context.Context{
			"n":    numbers.Write(t.Context(), number{new(int64(1 << 40))}),
			"text": lists.Write(t.Context(), texts{[]string{"a", "b\x00"}}),
		} {
			for _, ctx := range []context.Context{ctx, authdb.Once(ctx, "key")} {
				kit.Fails(t, kit.ErrOf(store.Users.Update(ctx, user.ID, authdb.UpdateUserParams{})), authdb.ErrInvalidInput, "Users.Update", field)
			}
		}
		if n := pool.Stat().NewConnsCount() - before; n != 0 {
			t.Errorf("%v: %d new connections", mode, n)
		}
	}
}

// TestColumnsAreNotCut: a length of the column's is its own to refuse by, not a cast's to cut by.
func TestColumnsAreNotCut(t *testing.T) {
	t.Parallel()
	type values struct {
		Country string
		Codes   []string
		Short   string
	}
	s := kit.NewFixture(t)
	kit.Exec(t, s.Store, `ALTER TABLE "user" ADD COLUMN country char(2), ADD COLUMN codes char(3)[], ADD COLUMN short varchar(2)`)
	users := columnsOf[values](t, s.Store, "user")
	want := values{"US", []string{"eng", "deu"}, "ab"}
	ctx := users.Read(users.Write(t.Context(), want))
	user := kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Email: "a@x.io"}))
	if got, _ := users.Of(ctx, user.ID); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for _, long := range []values{{"USA", nil, ""}, {"", []string{"engl"}, ""}, {"", nil, "abc"}} {
		if err := kit.ErrOf(s.Users.Update(users.Write(t.Context(), long), user.ID, authdb.UpdateUserParams{})); err == nil {
			t.Errorf("%+v is stored", long)
		}
	}
}

// TestColumnsKeepWhatTheyAreGiven: a column holds the value, or it is refused by name before anything is sent; whatever
// the program's and the session's zones are, and however pgx sends it. What a type or the column's own scale rounds, it
// says itself.
func TestColumnsKeepWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	s := kit.NewFixture(t)
	user := authdbtest.User(t, s.Store)
	kit.Exec(t, s.Store, `CREATE DOMAIN doc AS jsonb; CREATE DOMAIN label AS name; CREATE DOMAIN tag AS label; CREATE DOMAIN moment AS timestamp; CREATE DOMAIN day AS date`)
	at := time.Date(2099, 1, 1, 23, 30, 0, 123456789, time.FixedZone("", -5*3600))
	long, short := strings.Repeat("n", 64), strings.Repeat("é", 31)
	var pools []*pgxpool.Pool
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec} {
		pools = append(pools, kit.PoolIn(t, s.Store, "Asia/Tokyo", mode))
	}
	for _, test := range []struct {
		column string
		value  any
		want   string
	}{
		{"name", long, refused},
		{"name", new(long), refused},
		{"name", sql.NullString{String: long, Valid: true}, refused},
		{"name", sql.NullString{}, "NULL"},
		{"name", short, short},
		{"name[]", []string{"a", long}, refused},
		{"name[]", []*string{nil, new(long)}, refused},
		{"name[]", [][]string{{"a"}, {long}}, refused},
		{"name[]", []string{"a", short}, "{a," + short + "}"},
		{"label", long, refused},
		{"tag", long, refused},
		{"tag", short, short},
		{"tag[]", []string{long}, refused},
		{"real", 1e39, refused},
		{"real", -math.MaxFloat64, refused},
		{"real", 1e-46, refused},
		{"real", sql.NullFloat64{Float64: 1e39, Valid: true}, refused},
		{"real", sql.Null[float64]{V: 1e39, Valid: true}, refused},
		{"real", new(1e39), refused},
		{"real", 0.1, "0.1"},
		{"real", 0.0, "0"},
		{"real", math.Inf(-1), "-Infinity"},
		{"real", math.NaN(), "NaN"},
		{"real[]", []float64{1, 1e39}, refused},
		{"real[]", []float64{1, math.Inf(1)}, "{1,Infinity}"},
		{"smallint", 1.5, refused},
		{"integer", float32(0.1), refused},
		{"bigint", math.NaN(), refused},
		{"bigint", new(-0.5), refused},
		{"bigint", sql.NullFloat64{Float64: 0.1, Valid: true}, refused},
		{"integer[]", []float64{1, 1.5}, refused},
		{"integer", 3.0, "3"},
		{"integer", 1 << 31, refused},
		{"smallint", uint64(math.MaxUint64), refused},
		{"numeric(5,2)", 1.005, "1.01"}, // the column's own scale
		{"numeric", 0.1, "0.1"},
		{"uuid", []byte{1, 2}, refused},
		{"uuid", []byte(nil), "NULL"},
		{"uuid", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"},
		{"uuid", "no uuid", refused},
		{"integer", "1.5", refused},
		{"integer", new("15"), "15"},
		{"timestamp", "2099-01-01 00:00:00-05", refused},
		{"inet", netip.MustParseAddr("fe80::1%eth0"), refused},
		{"inet", netip.MustParseAddr("fe80::1"), "fe80::1/128"},
		{"inet[]", []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}, refused},
		{"varchar(3)", "ab   ", "ab "}, // the column's own length
		{"jsonb", map[string]any{"a": []any{"\xff"}}, refused},
		{"jsonb", map[string]int{"\xff": 1}, refused},
		{"json", &lists{List: []string{"a\xff"}}, refused},
		{"jsonb[]", []map[string]string{{}, {"a": "\xff"}}, refused},
		{"doc", struct{ A *string }{new("\xff")}, refused},
		{"timestamp", at, "2099-01-02 04:30:00.123"},
		{"timestamp", sql.NullTime{Time: at, Valid: true}, "2099-01-02 04:30:00.123"},
		{"timestamp", sql.NullTime{}, "NULL"},
		{"timestamp", sql.Null[time.Time]{V: at, Valid: true}, "2099-01-02 04:30:00.123"},
		{"timestamp[]", []*time.Time{&at, nil}, `{"2099-01-02 04:30:00.123",NULL}`},
		{"timestamptz[]", []time.Time{at}, `{"2099-01-02 13:30:00.123+09"}`},
		{"moment", at, "2099-01-02 04:30:00.123"},
		{"date", at, "2099-01-01"},
		{"date[]", []time.Time{at}, "{2099-01-01}"},
		{"day", &at, "2099-01-01"},
		{"time", at, "23:30:00.123456"},
	} {
		kit.Exec(t, s.Store, `ALTER TABLE "user" DROP COLUMN IF EXISTS v, ADD COLUMN v `+test.column)
		columns := columnsOf[struct{ V any }](t, s.Store, "user")
		for _, pool := range pools {
			before := pool.Stat().NewConnsCount()
			got := refused
			_, err := authdb.New(pool).Users.Update(columns.Write(t.Context(), struct{ V any }{test.value}), user.ID, authdb.UpdateUserParams{})
			if err == nil {
				if err := pools[1].QueryRow(t.Context(), `SELECT coalesce(v::text, 'NULL') FROM "user" WHERE id = $1`, user.ID).Scan(&got); err != nil {
					t.Fatal(err)
				}
			} else {
				kit.Fails(t, err, authdb.ErrInvalidInput, "Users.Update", "v")
			}
			if got != test.want || pool.Stat().NewConnsCount() > max(before, 1) {
				t.Errorf("%T %v in %s is %s, want %s", test.value, test.value, test.column, got, test.want)
			}
		}
	}
	if at.Location() == time.UTC {
		t.Error("the caller's time is changed")
	}
}

// TestColumnsOfJSON: what encodes to a text as it is, or is not encoded, is stored.
func TestColumnsOfJSON(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	kit.Exec(t, s.Store, `ALTER TABLE "user" ADD COLUMN v jsonb`)
	columns, user := columnsOf[struct{ V any }](t, s.Store, "user"), authdbtest.User(t, s.Store)
	for want, value := range map[string]any{
		`{"a": "\ufffd", "b": null}`: map[string]any{"a": "\ufffd", "b": nil},
		`{}`: struct {
			A string `json:"-"`
			b string
		}{"\xff", "\xff"},
		`"2099-01-01T00:00:00Z"`: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		`"/w=="`:                 []byte{255},
	} {
		ctx := columns.Write(t.Context(), struct{ V any }{[]any{value}})
		kit.Must[authdb.User](t)(s.Users.Update(ctx, user.ID, authdb.UpdateUserParams{}))
		var same bool
		if err := s.Pool().QueryRow(ctx, `SELECT v = jsonb_build_array($1::text::jsonb) FROM "user"`, want).Scan(&same); err != nil || !same {
			t.Errorf("%v: not %s, %v", value, want, err)
		}
	}
}

// TestColumnsOfRenewed: inviting again and linking again set them too.
func TestColumnsOfRenewed(t *testing.T) {
	t.Parallel()
	s := withExtra(t)
	org, owner := kit.Owned(t, s)
	for table, renew := range map[string]func(ctx context.Context) (id string, err error){
		"invitation": func(ctx context.Context) (string, error) {
			i, err := s.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: owner.ID, Email: "a@x.io"})
			return i.ID, err
		},
		"account": func(ctx context.Context) (string, error) {
			a, err := s.Accounts.Link(ctx, authdb.CreateAccountParams{UserID: owner.ID, ProviderID: "github", AccountID: "1"})
			return a.ID, err
		},
	} {
		columns := columnsOf[extra](t, s.Store, table)
		for level := range 3 {
			ctx := columns.Read(columns.Write(t.Context(), extra{Level: level}))
			id := kit.Must[string](t)(renew(ctx))
			if got, ok := columns.Of(ctx, id); !ok || got.Level != level {
				t.Errorf("%s: %v %v, want %d", table, got.Level, ok, level)
			}
		}
	}
	// Of the others that the address has pending, none.
	other := authdbtest.Invitation(t, s.Store, func(p *authdb.CreateInvitationParams) {
		p.OrganizationID, p.InviterID, p.Email = org.ID, owner.ID, "b@x.io"
	})
	kit.Exec(t, s.Store, `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id, "Level Of")
		SELECT 'twin', organization_id, email, role, status, expires_at, created_at - interval '1 hour', inviter_id, 5 FROM invitation WHERE id = $1`, other.ID)
	columns := columnsOf[extra](t, s.Store, "invitation")
	kit.Must[authdb.Invitation](t)(s.Invitations.Create(columns.Write(t.Context(), extra{Level: 9}),
		authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: owner.ID, Email: "b@x.io"}))
	if n := kit.Count(t, s.Store, `SELECT count(*) FROM invitation WHERE id = 'twin' AND status = 'canceled' AND "Level Of" = 5`); n != 1 {
		t.Error("what is canceled along has other columns")
	}
}

// TestColumnsTwice: asked for or written twice, also in parts and by several Columns of a table, they come once, and
// the last value counts.
func TestColumnsTwice(t *testing.T) {
	t.Parallel()
	type plan struct{ Plan *string }
	s := withExtra(t)
	org, owner := kit.Owned(t, s)
	all, plans := columnsOf[extra](t, s.Store, "organization"), columnsOf[plan](t, s.Store, "organization")
	ctx := all.Read(plans.Read(all.Read(t.Context())))
	ctx = plans.Write(all.Write(all.Write(ctx, extra{Level: 1}), extra{Plan: new("a"), Level: 2}), plan{new("b")})
	created := kit.Must[authdb.Organization](t)(s.Organizations.Create(ctx, authdb.CreateOrganizationParams{Slug: "y", OwnerID: owner.ID}))
	updated := kit.Must[authdb.Organization](t)(s.Organizations.Update(ctx, org.ID, authdb.UpdateOrganizationParams{}))
	for _, id := range []string{created.ID, updated.ID} {
		one, _ := all.Of(ctx, id)
		two, _ := plans.Of(ctx, id)
		if one.Level != 2 || one.Plan == nil || *one.Plan != "b" || two.Plan == nil || *two.Plan != "b" {
			t.Errorf("got %+v, %+v", one, two)
		}
	}
	// The other way round, the last has all of them.
	ctx = all.Write(plans.Write(t.Context(), plan{new("b")}), extra{Plan: new("c"), Level: 3})
	kit.Must[authdb.Organization](t)(s.Organizations.Update(ctx, org.ID, authdb.UpdateOrganizationParams{}))
	if n := kit.Count(t, s.Store, `SELECT count(*) FROM organization WHERE plan = 'c' AND "Level Of" = 3`); n != 1 {
		t.Error("not the last value")
	}
}

// TestColumnsOfRefused: what a call did not return is not found.
func TestColumnsOfRefused(t *testing.T) {
	t.Parallel()
	s := withExtra(t)
	org, owner := kit.Owned(t, s)
	invitation := authdbtest.Invitation(t, s.Store, func(p *authdb.CreateInvitationParams) { p.OrganizationID, p.InviterID = org.ID, owner.ID })
	outsider := authdbtest.User(t, s.Store)
	invitations, users := columnsOf[extra](t, s.Store, "invitation"), columnsOf[extra](t, s.Store, "user")
	ctx := users.Read(invitations.Read(t.Context()))
	for name, err := range map[string]error{
		"invite": kit.ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: outsider.ID, Email: invitation.Email})),
		"accept": kit.ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: invitation.ID, UserID: outsider.ID})),
		"sign up": kit.ErrOf(s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{
			User:    authdb.CreateUserParams{ID: "new", Email: "new@x.io"},
			Account: authdb.CreateAccountParams{ProviderID: "github", AccountID: takenIdentity(t, s, owner.ID)},
		})),
	} {
		if err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	if _, ok := invitations.Of(ctx, invitation.ID); ok {
		t.Error("an invitation that nobody returned")
	}
	if _, ok := users.Of(ctx, "new"); ok {
		t.Error("a user that was not stored")
	}
}

// TestColumnsOfAPage: the row beyond it, which tells that there is another page, brings nothing.
func TestColumnsOfAPage(t *testing.T) {
	t.Parallel()
	s := withExtra(t)
	user := authdbtest.User(t, s.Store)
	for range 3 {
		authdbtest.Session(t, s.Store, kit.SessionOf(s, user.ID, time.Hour))
	}
	sessions := columnsOf[extra](t, s.Store, "session")
	all := kit.Must[authdb.Page[authdb.Session]](t)(s.Sessions.List(t.Context(), authdb.ListSessionsParams{UserID: user.ID})).Items
	ctx := sessions.Read(t.Context())
	kit.Must[authdb.Page[authdb.Session]](t)(s.Sessions.List(ctx, authdb.ListSessionsParams{UserID: user.ID, Limit: 2}))
	for i, session := range all {
		if _, ok := sessions.Of(ctx, session.ID); ok != (i < 2) {
			t.Errorf("row %d: %v", i, ok)
		}
	}
	for range 3 { // a list that decides first whether to answer
		authdbtest.Invitation(t, s.Store, func(p *authdb.CreateInvitationParams) { p.Email = user.Email })
	}
	invitations := columnsOf[extra](t, s.Store, "invitation")
	ctx = invitations.Read(t.Context())
	list := authdb.ListInvitationsByRecipientParams{UserID: user.ID}
	received := kit.Must[authdb.Page[authdb.ReceivedInvitation]](t)(s.Invitations.ListByRecipient(t.Context(), list)).Items
	list.Limit = 2
	kit.Must[authdb.Page[authdb.ReceivedInvitation]](t)(s.Invitations.ListByRecipient(ctx, list))
	for i, invitation := range received {
		if _, ok := invitations.Of(ctx, invitation.ID); ok != (i < 2) {
			t.Errorf("invitation %d: %v", i, ok)
		}
	}
}

// TestColumnsHaveTheirTypes: a type that somebody makes later, in a schema that is searched first, is not the column's.
func TestColumnsHaveTheirTypes(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	kit.Exec(t, s.Store, `CREATE SCHEMA first; CREATE TYPE mood AS ENUM ('good'); ALTER TABLE "user" ADD COLUMN mood mood, ADD COLUMN moods mood[]`)
	store := kit.Must[*authdb.Store](t)(authdb.Open(t.Context(), s.Pool().Config().ConnString(), authdb.WithInsecureTLS(),
		authdb.WithPoolConfig(func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["search_path"] = "first, public" })))
	defer store.Close()
	type moods struct {
		Mood  *string
		Moods []string
	}
	users := columnsOf[moods](t, store, "user")
	kit.Exec(t, s.Store, `CREATE FUNCTION first.steal(v text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''stolen''; END';
		CREATE DOMAIN first.mood AS public.mood CHECK (first.steal(VALUE::text))`)
	ctx := users.Read(users.Write(t.Context(), moods{new("good"), []string{"good"}}))
	user := kit.Must[authdb.User](t)(store.Users.Create(ctx, authdb.CreateUserParams{Email: "a@x.io"}))
	if got, _ := users.Of(ctx, user.ID); got.Mood == nil || *got.Mood != "good" || len(got.Moods) != 1 {
		t.Errorf("got %+v", got)
	}
}

func takenIdentity(t *testing.T, s *kit.Fixture, userID string) string {
	t.Helper()
	kit.Must[authdb.Account](t)(s.Accounts.Link(t.Context(), authdb.CreateAccountParams{UserID: userID, ProviderID: "github", AccountID: "taken"}))
	return "taken"
}

// TestColumnsInEachMode: also with the simple protocol, and of two tables at once.
func TestColumnsInEachMode(t *testing.T) {
	t.Parallel()
	s := withExtra(t)
	session := authdbtest.Session(t, s.Store)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheDescribe} {
		store := authdb.New(kit.PoolIn(t, s.Store, "UTC", mode))
		users, sessions := columnsOf[extra](t, store, "user"), columnsOf[extra](t, store, "session")
		ctx := sessions.Write(users.Write(t.Context(), extra{Plan: new(mode.String()), Tags: []string{"a", "b"}, Level: 7}), extra{Level: 8})
		kit.Must[authdb.User](t)(store.Users.Update(ctx, session.UserID, authdb.UpdateUserParams{}))
		kit.Must[authdb.Session](t)(store.Sessions.UpdateByToken(ctx, session.Token, authdb.UpdateSessionParams{ExpiresAt: authdb.Set(time.Now().Add(time.Hour))}))
		ctx = sessions.Read(users.Read(t.Context()))
		me := kit.Must[authdb.Authentication](t)(store.Sessions.Authenticate(ctx, session.Token))
		ofUser, _ := users.Of(ctx, me.User.ID)
		if diff := cmp.Diff(extra{Plan: new(mode.String()), Tags: []string{"a", "b"}, Level: 7}, ofUser, cmp.AllowUnexported(extra{})); diff != "" {
			t.Errorf("%v: %s", mode, diff)
		}
		if got, _ := sessions.Of(ctx, me.Session.ID); got.Level != 8 || got.Plan != nil {
			t.Errorf("%v: %v", mode, got)
		}
	}
}

// TestColumnsThatChange: a Change in the struct is left where it is not set, whatever else is written, and decodes from
// JSON; what is read comes as one that is set.
func TestColumnsThatChange(t *testing.T) {
	t.Parallel()
	type changes struct {
		Plan  authdb.Change[string]    `json:"plan,omitzero"`
		Level authdb.Change[int]       `json:"level,omitzero" db:"Level Of"`
		Until authdb.Change[time.Time] `json:"until,omitzero" db:"until"`
	}
	s := withExtra(t)
	kit.Exec(t, s.Store, `ALTER TABLE "user" ADD COLUMN until timestamp, ALTER COLUMN "Level Of" SET DEFAULT 5`)
	users := columnsOf[changes](t, s.Store, "user")
	user := kit.Must[authdb.User](t)(s.Users.Create(users.Write(t.Context(), changes{Plan: authdb.Set("a")}), authdb.CreateUserParams{Email: "a@x.io"}))
	for _, step := range []struct{ body, want string }{
		{`{}`, `{"plan":"a","level":5,"until":null}`}, // of the insert, whose default the column has
		{`{"level":7}`, `{"plan":"a","level":7,"until":null}`},
		{`{"plan":null,"until":"2099-01-01T05:00:00.123456+05:00"}`, `{"plan":null,"level":7,"until":"2099-01-01T00:00:00.123Z"}`},
		{`{"plan":"b","level":8,"until":null}`, `{"plan":"b","level":8,"until":null}`},
	} {
		var p changes
		if err := json.Unmarshal([]byte(step.body), &p); err != nil {
			t.Fatal(err)
		}
		ctx := users.Read(users.Write(t.Context(), p))
		kit.Must[authdb.User](t)(s.Users.Update(ctx, user.ID, authdb.UpdateUserParams{}))
		if got, _ := users.Of(ctx, user.ID); jsonOf(t, got) != step.want {
			t.Errorf("%s: %s, want %s", step.body, jsonOf(t, got), step.want)
		}
	}
	kit.Fails(t, kit.ErrOf(s.Users.Update(users.Write(t.Context(), changes{Level: authdb.SetNull[int]()}), user.ID, authdb.UpdateUserParams{})),
		authdb.ErrInvalidInput, "Users.Update", "Level Of")
	if _, err := authdb.NewColumns[struct{ Plan authdb.Change[int] }](t.Context(), s.Store, "user"); err == nil {
		t.Error("a Change of another type")
	}
}

// TestColumnsAreInUTC: as all times are, whatever zone they were given in and the column has.
func TestColumnsAreInUTC(t *testing.T) {
	t.Parallel()
	type times struct {
		Plain, Zoned time.Time
		Some         *time.Time
		Many         []time.Time
		Day          time.Time
	}
	s := kit.NewFixture(t)
	kit.Exec(t, s.Store, `ALTER TABLE "user" ADD COLUMN plain timestamp, ADD COLUMN zoned timestamptz, ADD COLUMN "some" timestamp,
		ADD COLUMN many timestamp[], ADD COLUMN day date`)
	users := columnsOf[times](t, s.Store, "user")
	at := time.Date(2099, 1, 1, 5, 0, 0, 123456789, time.FixedZone("", 5*3600))
	given := times{at, at, &at, []time.Time{at}, at}
	ctx := users.Read(users.Write(t.Context(), given))
	user := kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Email: "a@x.io"}))
	want := time.Date(2099, 1, 1, 0, 0, 0, 123e6, time.UTC)
	day := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) // which a date has no other of
	if got, _ := users.Of(ctx, user.ID); !reflect.DeepEqual(got, times{want, want, &want, []time.Time{want}, day}) {
		t.Errorf("got %v", got)
	}
	if given.Many[0] != at {
		t.Error("the caller's slice is changed")
	}
}

// TestColumnsAreForMany: one context serves many goroutines, and one that Read did not make has nothing.
func TestColumnsAreForMany(t *testing.T) {
	t.Parallel()
	s := withExtra(t)
	users, others := columnsOf[extra](t, s.Store, "user"), columnsOf[extra](t, s.Store, "user")
	ctx := users.Read(t.Context())
	rows := kit.Must[[]authdb.User](t)(s.Users.CreateMany(t.Context(), make20(func(i int) authdb.CreateUserParams {
		return authdb.CreateUserParams{Email: fmt.Sprint(i, "@x.io")}
	})))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, u := range rows {
				if _, err := s.Users.Get(ctx, u.ID); err != nil {
					t.Error(err)
				}
				if _, ok := users.Of(ctx, u.ID); !ok {
					t.Error("nothing found")
				}
			}
		})
	}
	wg.Wait()
	for name, of := range map[string]func() (extra, bool){
		"another context":  func() (extra, bool) { return users.Of(t.Context(), rows[0].ID) },
		"another Columns":  func() (extra, bool) { return others.Of(ctx, rows[0].ID) },
		"another row's id": func() (extra, bool) { return users.Of(ctx, "x") },
	} {
		if got, ok := of(); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func make20[T any](f func(i int) T) (all []T) {
	for i := range 20 {
		all = append(all, f(i))
	}
	return all
}
