package relations_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
	"pgregory.net/rapid"
)

// graphTables are the tables of a random graph, parents first: the most rows that each gets, and its columns as
// name=kind. A kind is a key of graphValues, id, or the table that the column references; with ? it may be NULL. No two
// rows have the same unique columns.
var graphTables = []struct {
	name    string
	most    int
	columns string
	unique  string
}{
	{"user", 7, "name=text email=id email_verified=bool image=text? created_at=time updated_at=time", ""},
	{"organization", 4, "name=text slug=id logo=text? metadata=text? created_at=time", ""},
	{"team", 6, "name=text organization_id=organization created_at=time updated_at=time? member_count=count", ""},
	{"member", 20, "organization_id=organization user_id=user role=text created_at=time", "organization_id user_id"},
	{"team_member", 20, "team_id=team user_id=user created_at=time? membership_key=id?", "team_id user_id"},
	{"invitation", 15, "organization_id=organization inviter_id=user email=text role=text? team_id=text? " +
		"status=status expires_at=time created_at=time", ""},
	{"session", 15, "user_id=user token=id expires_at=time created_at=time updated_at=time ip_address=text? " +
		"user_agent=text? active_organization_id=text? active_team_id=text?", ""},
	{"account", 12, "user_id=user account_id=text provider_id=text access_token=text? refresh_token=text? " +
		"id_token=text? access_token_expires_at=time? refresh_token_expires_at=time? scope=text? password=text? " +
		"created_at=time updated_at=time", "provider_id account_id"},
}

// graphNow is the clock of the loads. What ends then or before has expired.
const graphNow = "2026-07-01T12:00:00.123"

var graphValues = map[string][]any{
	"bool":   {false, true},
	"count":  {0, 1, 1 << 30},
	"text":   {"", "x", "Zoë, 'ö' \\ \"q\"", "admin,member"},
	"status": {authdb.StatusPending, authdb.StatusAccepted, authdb.StatusRejected, authdb.StatusCanceled},
	"time": { // few, so that ties are many
		graphNow, "2026-07-01T12:00:00.122999", "2026-07-01T12:00:00.123001", "2026-07-01T12:00:00.124", "1999-12-31T23:59:59.999999",
	},
}

type randomGraph map[string][]map[string]any

func drawGraph(rt *rapid.T) randomGraph {
	g := randomGraph{}
	for _, table := range graphTables {
		taken := map[string]bool{}
		for i := range rapid.IntRange(0, table.most).Draw(rt, table.name) {
			// The letter shuffles the order of ids against that of insertion.
			id := rapid.SampledFrom([]string{"z", "a", "Z", "_", "9"}).Draw(rt, "id") + table.name + fmt.Sprint(i)
			row := map[string]any{"id": id}
			for column := range strings.FieldsSeq(table.columns) {
				name, kind, _ := strings.Cut(column, "=")
				kind, nullable := strings.CutSuffix(kind, "?")
				values := graphValues[kind]
				for _, parent := range g[kind] {
					values = append(values, parent["id"])
				}
				if kind == "id" {
					values = []any{id}
				}
				if len(values) == 0 { // no row to reference
					row = nil
					break
				}
				if !nullable || rapid.Bool().Draw(rt, "set") {
					row[name] = rapid.SampledFrom(values).Draw(rt, name)
				}
			}
			key := ""
			for name := range strings.FieldsSeq(table.unique) {
				key += fmt.Sprintf("%q", row[name])
			}
			if row != nil && (key == "" || !taken[key]) {
				taken[key] = true
				g[table.name] = append(g[table.name], row)
			}
		}
	}
	return g
}

// ask is what a test asks of a relation: none, all, or the oldest or newest n.
type ask struct {
	asked  bool
	n      int
	newest bool
}

var everyRow = ask{asked: true}

func drawAsk(rt *rapid.T) ask {
	return ask{
		rapid.Bool().Draw(rt, "asked"), rapid.SampledFrom([]int{0, 1, 2, 3, 1 << 30}).Draw(rt, "n"), rapid.Bool().Draw(rt, "newest"),
	}
}

func (a ask) rows() authdb.Rows {
	switch {
	case !a.asked:
		return authdb.Rows{}
	case a.n == 0:
		return authdb.All()
	case a.newest:
		return authdb.Newest(a.n)
	}
	return authdb.Oldest(a.n)
}

const (
	unexpired = ` AND x.expires_at > '` + graphNow + `'`
	pending   = unexpired + ` AND x.status = 'pending'`
)

// relations are those of each With in SQL, and what its filters add to that. The related row is x; $1 is the parent.
var relations = map[string]string{
	"User.Sessions":                   `SELECT to_jsonb(x) FROM session x WHERE x.user_id = $1`,
	"User.LiveSessions":               unexpired,
	"User.Accounts":                   `SELECT to_jsonb(x) FROM account x WHERE x.user_id = $1`,
	"User.Members":                    `SELECT to_jsonb(x) || jsonb_build_object('organization', o) FROM member x, organization o WHERE o.id = x.organization_id AND x.user_id = $1`,
	"User.TeamMembers":                `SELECT to_jsonb(x) || jsonb_build_object('team', t) FROM team_member x, team t WHERE t.id = x.team_id AND x.user_id = $1`,
	"User.Invitations":                `SELECT to_jsonb(x) || jsonb_build_object('organization', o) FROM invitation x, organization o WHERE o.id = x.organization_id AND x.inviter_id = $1`,
	"User.PendingInvitations":         pending,
	"Organization.Members":            `SELECT to_jsonb(x) || jsonb_build_object('user', u) FROM member x, "user" u WHERE u.id = x.user_id AND x.organization_id = $1`,
	"Organization.Teams":              `SELECT to_jsonb(x) FROM team x WHERE x.organization_id = $1`,
	"Organization.TeamMembers":        ``, // of each of the teams: Team.Members
	"Organization.Invitations":        `SELECT to_jsonb(x) || jsonb_build_object('inviter', u) FROM invitation x, "user" u WHERE u.id = x.inviter_id AND x.organization_id = $1`,
	"Organization.PendingInvitations": pending,
	"Team.Members":                    `SELECT to_jsonb(x) || jsonb_build_object('user', u) FROM team_member x, "user" u WHERE u.id = x.user_id AND x.team_id = $1`,
}

const organizationsOfUser = `SELECT to_jsonb(o) || jsonb_build_object('member', x, 'member_count',
	(SELECT count(*) FROM member c WHERE c.organization_id = o.id)) FROM member x, organization o WHERE o.id = x.organization_id AND x.user_id = $1`

// selection is what a test asks for, by field of a With: relations, and filters by their names alone.
type selection struct {
	rows    map[string]ask
	filters map[string]bool
}

func drawSelection[With any](rt *rapid.T) selection {
	a := selection{map[string]ask{}, map[string]bool{}}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[With]()) {
		if field.Type == reflect.TypeFor[authdb.Rows]() {
			a.rows[field.Name] = drawAsk(rt)
		} else {
			a.filters[field.Name] = rapid.Bool().Draw(rt, field.Name)
		}
	}
	return a
}

func with[With any](a selection) (with With) {
	fields := reflect.ValueOf(&with).Elem()
	for name, ask := range a.rows {
		fields.FieldByName(name).Set(reflect.ValueOf(ask.rows()))
	}
	for name, on := range a.filters {
		fields.FieldByName(name).SetBool(on)
	}
	return with
}

// related is a row with the relations of a With, nil where they were not asked for.
func related[With any](o *oracle, row any, id string, a selection) map[string]any {
	o.t.Helper()
	full, parent := kit.AsRow(row), strings.TrimSuffix(reflect.TypeFor[With]().Name(), "With")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[With]()) {
		sql, ok := relations[parent+"."+field.Name]
		if !ok {
			o.t.Fatalf("%s.%s is not in relations", parent, field.Name)
		}
		if field.Type != reflect.TypeFor[authdb.Rows]() || sql == "" {
			continue
		}
		for filter, on := range a.filters {
			if on && strings.HasSuffix(filter, field.Name) {
				sql += relations[parent+"."+filter]
			}
		}
		rows := o.many(a.rows[field.Name], sql, id)
		if list, _ := rows.([]map[string]any); len(list) > 0 {
			o.seen[parent+"."+field.Name] = true
		}
		full[kit.Column(field.Name)] = rows
	}
	return full
}

// oracle compares what a store loads with what plain SQL says.
type oracle struct {
	t     fataler
	ctx   context.Context
	db    authdb.DB
	store *authdb.Store
	known map[string][]map[string]any
	seen  map[string]bool // the relations that had rows
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newOracle(ctx context.Context, t fataler, db authdb.DB) *oracle {
	now, err := time.Parse("2006-01-02T15:04:05", graphNow)
	if err != nil {
		t.Fatalf("%v", err)
	}
	// Later by less than a millisecond, which is cut off.
	clock := func() time.Time { return now.Add(999 * time.Microsecond) }
	return &oracle{t, ctx, db, authdb.New(db, authdb.WithClock(clock)), map[string][]map[string]any{}, map[string]bool{}}
}

func (o *oracle) insert(g randomGraph) {
	o.t.Helper()
	for _, table := range graphTables {
		rows, err := json.Marshal(g[table.name])
		if err == nil && g[table.name] != nil {
			name := pgx.Identifier{table.name}.Sanitize()
			_, err = o.db.Exec(o.ctx, `INSERT INTO `+name+` SELECT * FROM jsonb_populate_recordset(NULL::`+name+`, $1::text::jsonb)`, string(rows))
		}
		if err != nil {
			o.t.Fatalf("insert into %s: %v", table.name, err)
		}
	}
}

// query returns rows of plain SQL.
func query[T any](o *oracle, scan pgx.RowToFunc[T], sql string, args ...any) []T {
	o.t.Helper()
	rows, err := o.db.Query(o.ctx, sql, args...)
	if err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
	list, err := pgx.CollectRows(rows, scan)
	if err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
	return list
}

// table returns the rows of a table as authdb has them.
func table[T any](o *oracle, name string) []T {
	return query(o, pgx.RowToStructByPos[T], `SELECT * FROM `+pgx.Identifier{name}.Sanitize())
}

// rows returns JSON rows of plain SQL; each query runs once.
func (o *oracle) rows(sql, parent string) []map[string]any {
	o.t.Helper()
	key := sql + parent
	if _, ok := o.known[key]; !ok {
		o.known[key] = query(o, pgx.RowTo[map[string]any], sql, parent)
	}
	rows := []map[string]any{}
	for _, row := range o.known[key] {
		rows = append(rows, maps.Clone(row)) // teams get their members
	}
	return rows
}

// many is what a to-many relation should be: nil if not asked for.
func (o *oracle) many(a ask, sql, parent string) any {
	o.t.Helper()
	switch {
	case !a.asked:
		return nil
	case a.newest && a.n > 0:
		sql += ` ORDER BY x.created_at DESC NULLS LAST, x.id DESC`
	default:
		sql += ` ORDER BY x.created_at NULLS FIRST, x.id`
	}
	if a.n > 0 {
		sql += fmt.Sprintf(` LIMIT %d`, a.n)
	}
	return o.rows(sql, parent)
}

// tree is a loaded row with what hangs on it, in the form of to_jsonb.
func tree(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Int64:
		return float64(v.Int())
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		list := []map[string]any{}
		for i := range v.Len() {
			list = append(list, tree(v.Index(i)).(map[string]any))
		}
		return list
	}
	if !v.Type().Field(0).Anonymous {
		return kit.AsRow(v.Interface())
	}
	row := kit.AsRow(v.Field(0).Interface())
	for i := 1; i < v.NumField(); i++ {
		row[kit.Column(v.Type().Field(i).Name)] = tree(v.Field(i))
	}
	return row
}

// same compares loaded rows, nil and empty told apart, with what want says of each parent.
func same[P, L any](o *oracle, parents []P, want func(P) map[string]any, got []L, err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatalf("%T: %v", got, err)
	}
	wants := []map[string]any{}
	for _, p := range parents {
		wants = append(wants, want(p))
	}
	if gots := tree(reflect.ValueOf(got)); !reflect.DeepEqual(any(wants), gots) {
		o.t.Fatalf("%T (-SQL +authdb):\n%s", got, cmp.Diff(any(wants), gots))
	}
}

func (o *oracle) users(parents []authdb.User, a selection) {
	o.t.Helper()
	got, err := o.store.Users.Load(o.ctx, parents, with[authdb.UserWith](a))
	same(o, parents, func(u authdb.User) map[string]any { return related[authdb.UserWith](o, u, u.ID, a) }, got, err)
}

func (o *oracle) organizations(
	parents []authdb.Organization, a selection, got []authdb.OrganizationWithRelations, err error,
) {
	o.t.Helper()
	teams := selection{maps.Clone(a.rows), a.filters}
	if a.rows["TeamMembers"].asked && !a.rows["Teams"].asked {
		teams.rows["Teams"] = everyRow
	}
	same(o, parents, func(org authdb.Organization) map[string]any {
		row := related[authdb.OrganizationWith](o, org, org.ID, teams)
		list, _ := row["teams"].([]map[string]any)
		for _, team := range list {
			team["members"] = o.many(a.rows["TeamMembers"], relations["Team.Members"], team["id"].(string))
		}
		return row
	}, got, err)
}

func (o *oracle) teams(parents []authdb.Team, a selection) {
	o.t.Helper()
	got, err := o.store.Teams.Load(o.ctx, parents, with[authdb.TeamWith](a))
	same(o, parents, func(t authdb.Team) map[string]any { return related[authdb.TeamWith](o, t, t.ID, a) }, got, err)
}

// parents draws up to 20 rows of a table, with repeats, and of a row that is gone.
func parents[T any](rt *rapid.T, o *oracle, name string, gone T) []T {
	return rapid.SliceOfN(rapid.SampledFrom(append(table[T](o, name), gone)), 0, 20).Draw(rt, name)
}

// everything loads what rt draws, by each method.
func (o *oracle) everything(rt *rapid.T) {
	s, ctx := o.store, o.ctx
	o.users(parents(rt, o, "user", authdb.User{ID: "gone"}), drawSelection[authdb.UserWith](rt))
	a := drawSelection[authdb.OrganizationWith](rt)
	orgs := parents(rt, o, "organization", authdb.Organization{ID: "gone"})
	loaded, err := s.Organizations.Load(ctx, orgs, with[authdb.OrganizationWith](a))
	o.organizations(orgs, a, loaded, err)
	for _, org := range table[authdb.Organization](o, "organization") {
		a := drawSelection[authdb.OrganizationWith](rt)
		full, err := s.Organizations.GetFull(ctx, org.ID, with[authdb.OrganizationWith](a))
		o.organizations([]authdb.Organization{org}, a, []authdb.OrganizationWithRelations{full}, err)
	}
	o.teams(parents(rt, o, "team", authdb.Team{ID: "gone", OrganizationID: "gone"}), drawSelection[authdb.TeamWith](rt))

	for _, u := range table[authdb.User](o, "user") {
		page, err := s.Organizations.ListByUser(ctx, authdb.ListOrganizationsByUserParams{UserID: u.ID})
		if diff := cmp.Diff(o.many(everyRow, organizationsOfUser, u.ID), tree(reflect.ValueOf(page.Items))); diff != "" || err != nil {
			rt.Fatalf("ListByUser (-SQL +authdb): %v\n%s", err, diff)
		}
	}
}

// TestLoadIsWhatPlainSQLSays: on random graphs, any selection is what one plain query for each relation and parent
// returns; in a transaction, and on the pool after its commit.
func TestLoadIsWhatPlainSQLSays(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			store := authdbtest.New(t)
			pool, seen := kit.PoolIn(t, store, "Asia/Tokyo", mode), map[string]bool{}
			rapid.Check(t, func(rt *rapid.T) {
				kit.Exec(t, store, `DELETE FROM "user"; DELETE FROM organization`)
				if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					o := newOracle(t.Context(), rt, tx)
					o.insert(drawGraph(rt))
					o.everything(rt)
					return nil
				}); err != nil {
					rt.Fatal(err)
				}
				o := newOracle(t.Context(), rt, pool)
				o.seen = seen
				o.everything(rt)
			})
			for name, sql := range relations {
				if strings.HasPrefix(sql, "SELECT") && !seen[name] {
					t.Errorf("no graph has rows of %s: graphTables", name)
				}
			}
		})
	}
}

// TestLoadOfAThousand: the same for a thousand parents at once.
func TestLoadOfAThousand(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	kit.Exec(t, store, `
		INSERT INTO "user" SELECT 'u' || n, 'x', n || '@x', true, NULL, now(), now() FROM generate_series(1, 1000) n;
		INSERT INTO organization SELECT 'o' || n, 'x', 'o' || n, NULL, now() FROM generate_series(1, 1000) n;
		INSERT INTO team SELECT 't' || n, 'x', 'o' || n % 700 + 1, now() + n % 3 * interval '1 s' FROM generate_series(1, 1000) n;
		INSERT INTO member SELECT 'm' || n, 'o' || n % 500 + 1, 'u' || n % 999 + 1, 'x', now() + n % 7 * interval '1 ms'
			FROM generate_series(1, 3000) n;
		INSERT INTO team_member SELECT 'x' || n, 't' || n % 500 + 1, 'u' || n % 900 + 1, CASE WHEN n % 5 > 0 THEN now() END
			FROM generate_series(1, 2000) n;
		INSERT INTO session SELECT 's' || n, '2026-07-02', 's' || n, now() + n % 3 * interval '1 ms', now(), '', '',
			'u' || n % 500 + 1 FROM generate_series(1, 2000) n`)
	o := newOracle(t.Context(), t, store.Pool())
	two := ask{asked: true, n: 2, newest: true}
	o.users(table[authdb.User](o, "user"), selection{
		map[string]ask{"Sessions": two, "Accounts": everyRow, "Members": everyRow, "TeamMembers": two}, map[string]bool{"LiveSessions": true},
	})
	orgs, a := table[authdb.Organization](o, "organization"), selection{rows: map[string]ask{"Members": two, "TeamMembers": everyRow}}
	loaded, err := o.store.Organizations.Load(o.ctx, orgs, with[authdb.OrganizationWith](a))
	o.organizations(orgs, a, loaded, err)
	o.teams(table[authdb.Team](o, "team"), selection{rows: map[string]ask{"Members": two}})
}
