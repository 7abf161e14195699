package repo

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// Columns of a table that the generated queries do not know travel with them: whoever asks for them in the context has
// them added to what a query returns of their table, or to what it inserts and updates. A text is changed once.
type Columns struct {
	table         string
	names, types  []string // in quotes; as the server writes them
	list, aliased *regexp.Regexp
	insert        *regexp.Regexp
	update        *regexp.Regexp
	reads, writes sync.Map // by the text of a query: the text with the columns
	parts         sync.Map // by their places: some of the columns, as Columns
}

// models are the tables that have columns of others.
var models = map[string]reflect.Type{
	"user": reflect.TypeFor[dbgen.User](), "session": reflect.TypeFor[dbgen.Session](),
	"account": reflect.TypeFor[dbgen.Account](), "verification": reflect.TypeFor[dbgen.Verification](),
	"organization": reflect.TypeFor[dbgen.Organization](), "member": reflect.TypeFor[dbgen.Member](),
	"team": reflect.TypeFor[dbgen.Team](), "team_member": reflect.TypeFor[dbgen.TeamMember](),
	"invitation": reflect.TypeFor[dbgen.Invitation](),
}

// NewColumns looks the columns up in the catalog. dests are what their values are scanned into.
func (r *Repo) NewColumns(ctx context.Context, table string, names []string, dests []any) (*Columns, error) {
	model, ok := models[table]
	if !ok {
		return nil, MisuseError{"table", "unknown"}
	}
	var known []string
	for f := range model.Fields() {
		known = append(known, ColumnName(f.Name))
	}
	c := &Columns{table: table}
	for _, name := range names {
		if slices.Contains(known, name) {
			return nil, MisuseError{name, "a column that authdb knows itself"}
		}
		c.names = append(c.names, pgx.Identifier{name}.Sanitize())
	}
	if len(names) == 0 {
		return nil, MisuseError{"columns", "T has no exported field"}
	}
	quoted := regexp.QuoteMeta(pgx.Identifier{table}.Sanitize())
	if table != "user" {
		quoted = `"?` + table + `"?`
	}
	// An alias, if any, stands before each column of a list; an own list of an INSERT follows a parenthesis.
	list, aliases := `(^|[\s,])((?:\w+\.)?)`+known[0], ""
	for _, name := range known[1:] {
		list += `,\s+(?:\w+\.)?` + name
	}
	for _, name := range known[1:] {
		aliases += `(?:,\s+\w+\.` + name + ` AS ` + table + `_` + name + `)?`
	}
	c.list = regexp.MustCompile(list + `\b`)
	c.aliased = regexp.MustCompile(`(^|[\s,])(\w+\.)id AS ` + table + `_id` + aliases)
	c.insert = regexp.MustCompile(`(?:INSERT INTO )` + quoted + ` [(]`)
	c.update = regexp.MustCompile(`(?:UPDATE )` + quoted + `(?: [a-z]+)?[[:space:]]+SET `)
	return c, r.lookUp(ctx, c, names, dests)
}

func (r *Repo) lookUp(ctx context.Context, c *Columns, names []string, dests []any) error {
	return r.try(ctx, "NewColumns", nil, func(ctx context.Context) error {
		on, err := r.acquire(ctx)
		if err != nil {
			return err
		}
		defer on.release()
		rows, err := on.Query(ctx, `SELECT a.attname::text, pg_catalog.format_type(a.atttypid, NULL), a.atttypid
			FROM pg_catalog.pg_attribute a
			WHERE a.attrelid = $1::pg_catalog.regclass::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
			  AND a.attname::text = ANY($2::text[])`, pgx.Identifier{c.table}.Sanitize(), names)
		if err != nil {
			return Failed(ctx, on.conn, err, false)
		}
		types := make([]string, len(names))
		var wrong error
		var name, kind string
		var oid uint32
		if _, err := pgx.ForEachRow(rows, []any{&name, &kind, &oid}, func() error {
			at := slices.Index(names, name)
			if types[at] = kind; !scans(rows.Conn(), oid, dests[at]) {
				wrong = MisuseError{name, "the column is " + kind + ", the field " + reflect.TypeOf(dests[at]).Elem().String()}
			}
			return nil
		}); err != nil {
			return Failed(ctx, on.conn, err, false)
		}
		if wrong != nil {
			return wrong
		}
		if at := slices.Index(types, ""); at >= 0 {
			return MisuseError{names[at], "no such column"}
		}
		c.types = types
		return nil
	})
}

// scans reports whether a value of that type can be read into dest. Of no bytes, pgx says what they lack, or else
// that it has no way.
func scans(conn *pgx.Conn, oid uint32, dest any) bool {
	if conn == nil {
		return true
	}
	m := conn.TypeMap()
	err := m.PlanScan(oid, m.FormatCodeForOID(oid), dest).Scan([]byte{}, dest)
	return err == nil || !strings.HasPrefix(err.Error(), "cannot scan")
}

// ColumnName is how the column of a field is called: ActiveTeamID is active_team_id.
func ColumnName(field string) string {
	var b strings.Builder
	for i, c := range []rune(field) {
		if unicode.IsUpper(c) && i > 0 && startsWord(field, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// startsWord tells the first letter of a word, also of one behind an abbreviation.
func startsWord(field string, i int) bool {
	lower := func(at int) bool { return at < len(field) && unicode.IsLower(rune(field[at])) }
	return lower(i-1) || lower(i+1) && unicode.IsUpper(rune(field[i-1])) || unicode.IsDigit(rune(field[i-1]))
}

type columnsKey struct{}

// asked is what a context asks of columns; before it, what it asked already.
type asked struct {
	before *asked
	*Columns
	// The values of one row, its id first, and what becomes of them.
	dests func() (dests []any, keep func())
	args  []any // what a write stores, if it is asked for
}

// WithColumns returns a context whose reads bring the columns.
func WithColumns(ctx context.Context, c *Columns, dests func() ([]any, func())) context.Context {
	return context.WithValue(ctx, columnsKey{}, &asked{before: columnsOf(ctx), Columns: c, dests: dests})
}

// WithValues returns a context whose writes store those of the columns that use has the places of.
func WithValues(ctx context.Context, c *Columns, use []int, args []any) context.Context {
	if len(use) == 0 {
		return ctx
	}
	c = c.part(use)
	for i, kind := range c.types {
		if strings.HasPrefix(kind, "timestamp") {
			args[i] = utcOf(args[i])
		}
	}
	return context.WithValue(ctx, columnsKey{}, &asked{before: columnsOf(ctx), Columns: c, args: args})
}

// utcOf makes the times in an argument fit a timestamp column, as utc does.
func utcOf(arg any) any {
	switch t := arg.(type) {
	case time.Time:
		return utc(t)
	case *time.Time:
		return UTC(t)
	case []time.Time:
		all := slices.Clone(t)
		for i := range all {
			all[i] = utc(all[i])
		}
		return all
	}
	return arg
}

func (c *Columns) part(use []int) *Columns {
	if len(use) == len(c.names) {
		return c
	}
	key := fmt.Sprint(use)
	if p, ok := c.parts.Load(key); ok {
		return p.(*Columns)
	}
	p := &Columns{table: c.table, insert: c.insert, update: c.update}
	for _, i := range use {
		p.names, p.types = append(p.names, c.names[i]), append(p.types, c.types[i])
	}
	made, _ := c.parts.LoadOrStore(key, p)
	return made.(*Columns)
}

func columnsOf(ctx context.Context) *asked {
	a, _ := ctx.Value(columnsKey{}).(*asked)
	return a
}

// generated are the queries on db, with the columns that ctx asks for.
func generated(ctx context.Context, db dbgen.DBTX) *queries {
	if a := columnsOf(ctx); a != nil {
		db = columned{db, a}
	}
	return dbgen.New(db)
}

// columned is a database that adds columns to each statement.
type columned struct {
	db    dbgen.DBTX
	asked *asked
}

func (c columned) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	sql, args, _ = c.asked.rewrite(sql, args)
	return c.db.Exec(ctx, sql, args...)
}

func (c columned) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	sql, args, more := c.asked.rewrite(sql, args)
	rows, err := c.db.Query(ctx, sql, args...)
	return columnedRows{rows, more}, err
}

func (c columned) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	sql, args, more := c.asked.rewrite(sql, args)
	return columnedRow{c.db.QueryRow(ctx, sql, args...), more}
}

type columnedRows struct {
	pgx.Rows
	more []*asked
}

func (r columnedRows) Scan(dest ...any) error { return scanMore(r.Rows, dest, r.more) }

type columnedRow struct {
	pgx.Row
	more []*asked
}

func (r columnedRow) Scan(dest ...any) error { return scanMore(r.Row, dest, r.more) }

func scanMore(row pgx.Row, dest []any, more []*asked) error {
	keeps := make([]func(), len(more))
	for i, a := range more {
		var dests []any
		dests, keeps[i] = a.dests()
		dest = append(dest, dests...)
	}
	if err := row.Scan(dest...); err != nil {
		return err
	}
	for _, keep := range keeps {
		keep()
	}
	return nil
}

// rewrite returns a statement with the columns that are asked for, and those of them that it returns, in order.
func (a *asked) rewrite(sql string, args []any) (string, []any, []*asked) {
	var more []*asked
	if a.before != nil {
		sql, args, more = a.before.rewrite(sql, args)
	}
	if a.dests != nil {
		to := a.cached(&a.reads, sql, a.reading)
		if to != sql {
			more = append(more, a)
		}
		return to, args, more
	}
	to := a.cached(&a.writes, sql, func(sql string) string { return a.writing(sql, len(args)) })
	if to != sql {
		args = append(slices.Clone(args), a.args...)
	}
	return to, args, more
}

func (c *Columns) cached(m *sync.Map, sql string, rewrite func(string) string) string {
	if to, ok := m.Load(sql); ok {
		return to.(string)
	}
	to := rewrite(sql)
	m.Store(sql, to)
	return to
}

// reading adds the columns to what a query returns: at the end of its own list, with the id of their row; within it, to
// each list of the table's columns.
func (c *Columns) reading(sql string) string {
	end := listEnd(sql)
	if end < 0 {
		return sql
	}
	var edits []edit
	found := false
	for _, pattern := range []*regexp.Regexp{c.list, c.aliased} {
		for _, m := range pattern.FindAllStringSubmatchIndex(sql, -1) {
			alias := sql[m[4]:m[5]]
			text := ", " + alias + strings.Join(c.names, ", "+alias)
			switch {
			case depth(sql, m[4]) > 0:
				edits = append(edits, edit{m[1], text})
			case m[1] <= end && !found:
				found = true // the first, where one has two
				edits = append(edits, edit{end, ", " + alias + "id" + text})
			}
		}
	}
	if !found {
		return sql
	}
	return edited(sql, edits)
}

// writing adds the columns to what a query inserts into their table, and to what a query whose name begins with Update
// sets there.
func (c *Columns) writing(sql string, params int) string {
	var edits []edit
	values, sets := "", ""
	for i, name := range c.names {
		value := "$" + strconv.Itoa(params+i+1) + "::" + c.types[i]
		values += ", " + value
		sets += name + " = " + value + ", "
	}
	for _, m := range c.insert.FindAllStringIndex(sql, -1) {
		columnsEnd := closing(sql, m[1])
		edits = append(edits, edit{columnsEnd, ", " + strings.Join(c.names, ", ")})
		rest := columnsEnd + 1
		word := rest + len(sql[rest:]) - len(strings.TrimLeftFunc(sql[rest:], unicode.IsSpace))
		end := selectEnd(sql, word)
		if !isWord(sql, word, "SELECT") { // a row in parentheses
			end = closing(sql, word+strings.IndexByte(sql[word:], '(')+1)
		}
		edits = append(edits, edit{end, values})
	}
	if strings.HasPrefix(sql, "-- name: Update") {
		for _, m := range c.update.FindAllStringIndex(sql, -1) {
			edits = append(edits, edit{m[1], sets})
		}
	}
	return edited(sql, edits)
}
