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
	"sync/atomic"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// Columns are columns of a table that the generated queries do not know. If the context asks for them, they are added
// to what a query returns, inserts or updates in their table. Each text is rewritten once.
type Columns struct {
	table         string
	names, types  []string // in quotes; as PostgreSQL writes them
	casts         []string // the types with their schema, without a length
	oids, bases   []uint32 // of the types, and of what they are domains and arrays of
	list, aliased *regexp.Regexp
	insert        *regexp.Regexp
	update        *regexp.Regexp
	reads, writes sync.Map // from a query's text to the text with the columns
	parts         sync.Map // from places to Columns with only those
	count, texts  atomic.Int64
	passing       bool // a part that is not kept in parts
}

// models are the tables whose extra columns can be asked for.
var models = map[string]reflect.Type{
	"user": reflect.TypeFor[dbgen.User](), "session": reflect.TypeFor[dbgen.Session](),
	"account": reflect.TypeFor[dbgen.Account](), "verification": reflect.TypeFor[dbgen.Verification](),
	"organization": reflect.TypeFor[dbgen.Organization](), "member": reflect.TypeFor[dbgen.Member](),
	"team": reflect.TypeFor[dbgen.Team](), "team_member": reflect.TypeFor[dbgen.TeamMember](),
	"invitation": reflect.TypeFor[dbgen.Invitation](),
}

// NewColumns looks the columns up in the catalog. Their values are scanned into dests.
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
	// An alias, if any, precedes each column of a list. The column list of an INSERT follows a parenthesis.
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
	c.update = regexp.MustCompile(`(?:UPDATE)(?: ` + quoted + `(?: [a-z]+)?)?[[:space:]]+SET `)
	return c, r.lookUp(ctx, c, names, dests)
}

func (r *Repo) lookUp(ctx context.Context, c *Columns, names []string, dests []any) error {
	return r.try(ctx, "NewColumns", nil, func(ctx context.Context) error {
		on, err := r.acquire(ctx)
		if err != nil {
			return err
		}
		defer on.release()
		rows, err := on.Query(ctx, `SELECT a.attname::text, pg_catalog.format_type(a.atttypid, -1),
				pg_catalog.format('%I.%I', n.nspname, y.typname), a.atttypid, (
				WITH RECURSIVE base (oid, depth) AS (
					SELECT a.atttypid, 0 UNION ALL
					SELECT CASE b.typtype WHEN 'd' THEN b.typbasetype ELSE b.typelem END, depth + 1
					FROM pg_catalog.pg_type b JOIN base ON b.oid = base.oid
					WHERE b.typtype = 'd' OR b.typcategory = 'A' AND b.typelem <> 0::pg_catalog.oid
				) SELECT base.oid FROM base ORDER BY depth DESC LIMIT 1)
			FROM pg_catalog.pg_attribute a
			JOIN pg_catalog.pg_type y ON y.oid = a.atttypid JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
			WHERE a.attrelid = $1::pg_catalog.regclass::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
			  AND a.attname::text = ANY($2::text[])`, pgx.Identifier{c.table}.Sanitize(), names)
		if err != nil {
			return Failed(ctx, on.conn, err, false)
		}
		types := make([]string, len(names))
		c.oids, c.bases, c.casts = make([]uint32, len(names)), make([]uint32, len(names)), make([]string, len(names))
		var wrong error
		var name, kind, cast string
		var oid, base uint32
		if _, err := pgx.ForEachRow(rows, []any{&name, &kind, &cast, &oid, &base}, func() error {
			at := slices.Index(names, name)
			c.oids[at], c.bases[at], c.casts[at] = oid, base, cast
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

// scans reports whether a value of that type can be read into dest. Given no bytes, pgx complains about them, or else
// says that it cannot scan the type.
func scans(conn *pgx.Conn, oid uint32, dest any) bool {
	if conn == nil {
		return true
	}
	m := conn.TypeMap()
	err := m.PlanScan(oid, m.FormatCodeForOID(oid), dest).Scan([]byte{}, dest)
	return err == nil || !strings.HasPrefix(err.Error(), "cannot scan")
}

// ColumnName is the column's name of a field: active_team_id for ActiveTeamID.
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

// startsWord reports whether a letter is the first of a word, also after an abbreviation.
func startsWord(field string, i int) bool {
	lower := func(at int) bool { return at < len(field) && unicode.IsLower(rune(field[at])) }
	return lower(i-1) || lower(i+1) && unicode.IsUpper(rune(field[i-1])) || unicode.IsDigit(rune(field[i-1]))
}

type columnsKey struct{}

// asked is what a context asks of columns. before is what it asked earlier.
type asked struct {
	before *asked
	*Columns
	// For a read: where the values of one row go, its id first, and what then keeps them.
	dests  func() (dests []any, keep func())
	args   []any       // for a write: the values
	misuse MisuseError // what is wrong with args
}

// WithColumns returns a context whose reads return the columns, too.
func WithColumns(ctx context.Context, c *Columns, dests func() ([]any, func())) context.Context {
	return context.WithValue(ctx, columnsKey{}, &asked{before: columnsOf(ctx), Columns: c, dests: dests})
}

// WithValues returns a context whose writes store args in the columns at the places in use.
func WithValues(ctx context.Context, c *Columns, use []int, args []any) context.Context {
	if len(use) == 0 {
		return ctx
	}
	c = c.part(use)
	a := &asked{before: columnsOf(ctx), Columns: c, args: args}
	for i, kind := range c.types {
		args[i] = timed(c.bases[i], args[i])
		if !fits(c.oids[i], c.bases[i], args[i]) {
			a.misuse = MisuseError{strings.Trim(c.names[i], `"`), "the value does not fit " + kind}
		}
	}
	return context.WithValue(ctx, columnsKey{}, a)
}

// maxParts is how many choices of columns are kept, and maxTexts how many texts with each of them.
const maxParts, maxTexts = 100, 1000

func (c *Columns) part(use []int) *Columns {
	if len(use) == len(c.names) {
		return c
	}
	key := fmt.Sprint(use)
	if p, ok := c.parts.Load(key); ok {
		return p.(*Columns)
	}
	kept := c.count.Add(1) <= maxParts
	p := &Columns{table: c.table, insert: c.insert, update: c.update}
	for _, i := range use {
		p.names, p.types = append(p.names, c.names[i]), append(p.types, c.types[i])
		p.casts, p.oids, p.bases = append(p.casts, c.casts[i]), append(p.oids, c.oids[i]), append(p.bases, c.bases[i])
	}
	if !kept { // a stranger's PATCH may choose any of them
		p.passing = true
		return p
	}
	made, _ := c.parts.LoadOrStore(key, p)
	return made.(*Columns)
}

func columnsOf(ctx context.Context) *asked {
	if ctx == nil { // it is refused later
		return nil
	}
	a, _ := ctx.Value(columnsKey{}).(*asked)
	return a
}

// generated are the queries on db, with the columns that ctx asks for.
func generated(ctx context.Context, db dbgen.DBTX) *queries {
	if a := columnsOf(ctx); a != nil {
		db = columned{db, a}
	}
	return newQueries(db)
}

// columned is a database that adds columns to each statement.
type columned struct {
	db    dbgen.DBTX
	asked *asked
}

func (c columned) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	sql, args, _, _ = c.asked.rewrite(sql, args)
	return c.db.Exec(ctx, sql, args...)
}

func (c columned) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	sql, args, more, _ := c.asked.rewrite(sql, args)
	rows, err := c.db.Query(ctx, sql, args...)
	return columnedRows{rows, more, keepsOf(ctx)}, err
}

func (c columned) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	sql, args, more, _ := c.asked.rewrite(sql, args)
	return columnedRow{c.db.QueryRow(ctx, sql, args...), more, keepsOf(ctx)}
}

type columnedRows struct {
	pgx.Rows
	more  []*asked
	keeps *keeps
}

func (r columnedRows) Scan(dest ...any) error { return r.keeps.scan(r.Rows, dest, r.more) }

type columnedRow struct {
	pgx.Row
	more  []*asked
	keeps *keeps
}

func (r columnedRow) Scan(dest ...any) error { return r.keeps.scan(r.Row, dest, r.more) }

// keeps keep the values that an attempt has read, if it succeeds.
type keeps [][]func() // by row

type (
	keepsKey struct{}
	pageKey  struct{}
)

// InPage returns a context whose query may read one row more than rows. Of that one, nothing is kept.
func InPage(ctx context.Context, rows int) context.Context {
	if columnsOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, pageKey{}, rows)
}

func keepsOf(ctx context.Context) *keeps { return ctx.Value(keepsKey{}).(*keeps) }

// keeping is attempt, but keeps the columns that it reads only if it returns no error: a refusal has no rows.
func keeping(attempt func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		var read keeps
		err := attempt(context.WithValue(ctx, keepsKey{}, &read))
		if err == nil {
			for i, row := range read {
				if page, ok := ctx.Value(pageKey{}).(int); ok && i >= page {
					break
				}
				for _, keep := range row {
					keep()
				}
			}
		}
		return err
	}
}

func (k *keeps) scan(row pgx.Row, dest []any, more []*asked) error {
	keeps := make([]func(), len(more))
	for i, a := range more {
		var dests []any
		dests, keeps[i] = a.dests()
		dest = append(dest, dests...)
	}
	err := row.Scan(dest...)
	if err == nil && len(more) > 0 { // a query that only decides has none
		*k = append(*k, keeps)
	}
	return err
}

// rewrite returns a statement with the columns that are asked for, and, in order, those that it returns. If a column
// was given two values, the last counts. A text that a passing choice has changed is passing, too.
func (a *asked) rewrite(sql string, args []any, later ...string) (_ string, _ []any, more []*asked, passing bool) {
	c, values := a.Columns, a.args
	if a.dests == nil && len(later) > 0 {
		var use []int
		for i, name := range c.names {
			if !slices.Contains(later, c.table+name) {
				use = append(use, i)
			}
		}
		c, values = c.part(use), make([]any, len(use))
		for i, from := range use {
			values[i] = a.args[from]
		}
	}
	if a.before != nil {
		if a.dests == nil {
			for _, name := range c.names {
				later = append(slices.Clip(later), c.table+name)
			}
		}
		sql, args, more, passing = a.before.rewrite(sql, args, later...)
	}
	if a.dests != nil {
		to := c.cached(&c.reads, sql, passing, c.reading)
		if to != sql {
			more = append(more, a)
		}
		return to, args, more, passing
	}
	to := c.cached(&c.writes, sql, passing, func(sql string) string { return c.writing(sql, len(args)) })
	if to != sql {
		args = append(slices.Clone(args), values...)
	}
	return to, args, more, passing || c.passing
}

func (c *Columns) cached(m *sync.Map, sql string, passing bool, rewrite func(string) string) string {
	if to, ok := m.Load(sql); ok {
		return to.(string)
	}
	to := rewrite(sql)
	if !passing && !c.passing && c.texts.Add(1) <= maxTexts {
		m.Store(sql, to)
	}
	return to
}

// others matches columns that were added behind a list: names in quotes, which generated queries use for "user" alone.
var others = regexp.MustCompile(`^(?:, (?:\w+\.)?"[^"]+")*`)

// reading adds the columns to what a query returns: at the end of its own list, with their row's id, and to each list
// of the table's columns inside of it.
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
				there := others.FindString(sql[m[1]:]) // other Columns may have asked for the same
				for _, name := range c.names {
					if !strings.Contains(there+",", ", "+alias+name+",") {
						edits = append(edits, edit{m[1], ", " + alias + name})
					}
				}
			case m[1] <= end && !found:
				found = true // only the first counts
				edits = append(edits, edit{end, ", " + alias + "id" + text})
			}
		}
	}
	if !found {
		return sql
	}
	return edited(sql, edits)
}

// renews reports whether an UPDATE behind that text belongs to an inserting query, for a row that exists already.
func renews(before string) bool {
	before = strings.TrimSpace(before)
	return strings.HasPrefix(before, "-- name: CreateInvitation") && strings.HasSuffix(before, "extended AS (") ||
		strings.HasPrefix(before, "-- name: LinkAccount") && strings.HasSuffix(before, " DO")
}

// writing adds the columns to what a query inserts into their table or updates there instead, and to what a query whose
// name begins with Update sets there.
func (c *Columns) writing(sql string, params int) string {
	if len(c.names) == 0 {
		return sql
	}
	var edits []edit
	values, sets := "", ""
	for i, name := range c.names {
		value := "$" + strconv.Itoa(params+i+1) + "::" + c.casts[i]
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
	for _, m := range c.update.FindAllStringIndex(sql, -1) {
		if strings.HasPrefix(sql, "-- name: Update") || len(edits) > 0 && renews(sql[:m[0]]) {
			edits = append(edits, edit{m[1], sets})
		}
	}
	return edited(sql, edits)
}
