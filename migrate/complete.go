package migrate

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// completion makes the tables of another program those of the first migration, as far as that removes nothing and
// blocks nobody: statements in order, after any of which it may stop. The rest is left to a person, in words or SQL.
type completion struct {
	facts    []catalog.Fact // the catalog afterwards
	tables   []string       // those that exist before; no views and so on of the same name
	steps    []step
	filled   []string // columns with a default that the migrations do not give them
	remedies []string
}

// step is a statement, and a query for the ids of the rows that would make it fail.
type step struct {
	phase         int
	sql, obstacle string
}

// The order of statements: what needs a lock for a moment comes before what looks at every row.
const (
	makes = iota
	alters
	fills
	validates
	indexes
	tidies
)

func (c *completion) do(phase int, format string, args ...any) *step {
	c.steps = append(c.steps, step{phase: phase, sql: fmt.Sprintf(format, args...) + ";"})
	return &c.steps[len(c.steps)-1]
}

func (c *completion) byHand(format string, args ...any) {
	c.remedies = append(c.remedies, fmt.Sprintf(format, args...))
}

// becomes replaces the facts got by want in what the catalog is afterwards.
func (c *completion) becomes(want catalog.Fact, got ...catalog.Fact) {
	c.facts = append(catalog.Minus(c.facts, got), want)
}

func quote(names ...string) string { return pgx.Identifier(names).Sanitize() }

// complete plans for facts that live returned.
func (m *Migrator) complete(got []catalog.Fact) completion {
	c := completion{facts: got, remedies: otherNames(catalog.Compare(m.known(m.Latest()), got))}
	if len(c.remedies) > 0 {
		return c // nothing can be planned for tables and columns under other names
	}
	for _, f := range got {
		if f.Kind == "table" {
			c.tables = append(c.tables, f.Name)
		}
	}
	c.rename(catalog.Compare(m.known(m.Latest()), got))
	diff := m.difference(c.facts)
	fresh := map[string]bool{}
	for _, f := range diff.Missing {
		fresh[f.Name] = fresh[f.Name] || f.Kind == "table"
	}
	for _, f := range diff.Missing {
		table, name, _ := strings.Cut(f.Name, ".")
		fresh := fresh[table] && slices.Contains(m.known(1), f) // not what a later migration adds to it
		switch {
		case table == catalog.Own:
			c.byHand("drop what is there of %s, which migration 15 makes: no %s %s", quote(catalog.Own, "mark"), f.Kind, f.Name)
			continue
		case f.Kind == "table":
			_, rest, _ := strings.Cut(m.steps[0].Up, "CREATE TABLE "+quote(table))
			body, _, _ := strings.Cut(rest, ";")
			c.do(makes, "CREATE TABLE %s%s", quote(table), body)
		case f.Kind == "column" && !fresh:
			c.addColumn(f, table, name)
			continue
		case f.Kind == "constraint":
			c.addConstraint(f, table, name, fresh)
		case f.Kind == "index" && fresh:
			c.do(alters, "%s", f.Def)
		case f.Kind == "index":
			c.addIndex(f, table)
		}
		c.becomes(f)
	}
	for _, d := range diff.Different {
		table, name, _ := strings.Cut(d.Want.Name, ".")
		t, n := quote(table), quote(name)
		switch {
		case table == catalog.Own:
			c.byHand("drop %s, which migration 15 makes: another %s %s", quote(catalog.Own, "mark"), d.Want.Kind, d.Want.Name)
		case d.Want.Kind == "column":
			c.alterColumn(d, table, name)
		case d.Got.Def == d.Want.Def+" NOT VALID",
			d.Want.Kind == "constraint" && strings.HasPrefix(d.Want.Def, d.Got.Def+" ON DELETE"):
			if !strings.HasSuffix(d.Got.Def, "NOT VALID") {
				c.do(alters, "ALTER TABLE %s DROP CONSTRAINT %s, ADD CONSTRAINT %[2]s %s NOT VALID", t, n, d.Want.Def)
			}
			c.do(validates, "ALTER TABLE %s VALIDATE CONSTRAINT %s", t, n).obstacle = c.orphans(d.Want, table)
			c.becomes(d.Want, d.Got)
		case d.Want.Kind == "constraint":
			c.byHand("ALTER TABLE %s DROP CONSTRAINT %s;", t, n)
		case d.Got.Def == d.Want.Def+" INVALID":
			c.do(alters, "DROP INDEX CONCURRENTLY %s", n)
			c.addIndex(d.Want, table)
			c.becomes(d.Want, d.Got)
		case d.Want.Kind == "index":
			c.byHand("DROP INDEX CONCURRENTLY %s;", n)
		}
	}
	for _, f := range diff.Extra { // checks that an interrupted alterColumn left
		table, name, _ := strings.Cut(f.Name, ".")
		check := notNullCheck.FindStringSubmatch(name)
		if f.Kind != "constraint" || check == nil || !isNotNull(f, check[1]) || !slices.ContainsFunc(m.known(m.Latest()),
			func(k catalog.Fact) bool { return k.Kind == "column" && k.Name == table+"."+check[1] }) {
			continue
		}
		c.facts = catalog.Minus(c.facts, []catalog.Fact{f})
		drop := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", quote(table), quote(name))
		if !slices.ContainsFunc(c.steps, func(s step) bool { return s.sql == drop+";" }) {
			c.do(tidies, "%s", drop)
		}
	}
	slices.SortStableFunc(c.steps, func(a, b step) int { return cmp.Compare(a.phase, b.phase) })
	return c
}

var (
	column       = regexp.MustCompile(`(?s)^(.+?)( NOT NULL)?( DEFAULT .+)?$`) // the parts of a definition
	numbers      = regexp.MustCompile(`^(uuid|integer|bigint|smallint)$`)
	notNullCheck = regexp.MustCompile(`^authdb_(\w+)_not_null$`)
)

// isNotNull reports whether a constraint is the check that alterColumn makes, valid or not yet.
func isNotNull(f catalog.Fact, name string) bool {
	return strings.TrimSuffix(f.Def, " NOT VALID") == "CHECK (("+name+" IS NOT NULL))"
}

// addColumn adds a column. A NOT NULL one gets a default and keeps it, since the program that writes the table does not
// know the column.
func (c *completion) addColumn(f catalog.Fact, table, name string) {
	def, parts := f.Def, column.FindStringSubmatch(f.Def)
	if parts[2] != "" && parts[3] == "" {
		if !strings.HasPrefix(def, "timestamp") {
			c.byHand("ALTER TABLE %s ADD COLUMN %s %s, with a value for each row", quote(table), quote(name), def)
			return
		}
		def += " DEFAULT now()"
		c.filled = append(c.filled, f.Name)
	}
	c.do(makes, "ALTER TABLE %s ADD COLUMN %s %s", quote(table), quote(name), def)
	c.becomes(f)
}

// alterColumn adds a NOT NULL or a default that is missing, and drops a NOT NULL that should not be there. SET NOT NULL
// relies on a validated check, so that it does not scan the rows under its lock.
func (c *completion) alterColumn(d catalog.Change, table, name string) {
	want, got := column.FindStringSubmatch(d.Want.Def), column.FindStringSubmatch(d.Got.Def)
	t, n := quote(table), quote(name)
	alter := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s", t, n)
	switch {
	case strings.HasPrefix(got[1], want[1]+" ") && !strings.HasPrefix(got[1], want[1]+" COLLATE"): // an identity, say
		c.byHand("%s must be %s", d.Want.Name, d.Want.Def)
		return
	case want[1] == "text" && numbers.MatchString(got[1]):
		c.byHand("%s must be text, and is %s: authdb does not work with such ids", d.Want.Name, got[1])
		return
	case want[1] != got[1]:
		c.byHand("%s TYPE %s;", alter, want[1])
		return
	case got[3] != "" && want[3] == "":
		c.byHand("%s DROP DEFAULT;", alter)
		return
	case got[3] != "" && want[3] != got[3]:
		c.byHand("%s SET%s;", alter, want[3])
		return
	case want[3] != got[3]:
		c.do(alters, "%s SET%s", alter, want[3])
	}
	plain := "authdb_" + name + "_not_null"
	check := quote(plain)
	switch other := slices.IndexFunc(c.facts, func(f catalog.Fact) bool {
		return f.Kind == "constraint" && f.Name == table+"."+plain && !isNotNull(f, name)
	}); {
	case want[2] == got[2]:
	case want[2] == "":
		c.do(alters, "%s DROP NOT NULL", alter)
	case other >= 0:
		c.byHand("ALTER TABLE %s DROP CONSTRAINT %s;", t, check)
		return
	default:
		c.do(alters, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s, ADD CONSTRAINT %[2]s CHECK (%s IS NOT NULL) NOT VALID",
			t, check, n)
		if value, ok := strings.CutPrefix(want[3], " DEFAULT "); ok {
			c.do(fills, "UPDATE %s SET %s = %s WHERE %[2]s IS NULL", t, n, value)
		}
		validate := c.do(validates, "ALTER TABLE %s VALIDATE CONSTRAINT %s", t, check)
		if want[3] == "" {
			validate.obstacle = fmt.Sprintf("SELECT id FROM SCHEMA.%s WHERE %s IS NULL", t, n)
		}
		c.do(tidies, "%s SET NOT NULL", alter)
		c.do(tidies, "ALTER TABLE %s DROP CONSTRAINT %s", t, check)
	}
	c.becomes(d.Want, d.Got)
}

func (c *completion) addConstraint(f catalog.Fact, table, name string, fresh bool) {
	t, n := quote(table), quote(name)
	kind, columns, _ := strings.Cut(strings.TrimSuffix(f.Def, ")"), " (")
	switch {
	case fresh && kind != "FOREIGN KEY": // CREATE TABLE has it
	case fresh:
		c.do(alters, "ALTER TABLE %s ADD CONSTRAINT %s %s", t, n, f.Def)
	case kind == "FOREIGN KEY":
		c.do(alters, "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", t, n, f.Def)
		c.do(validates, "ALTER TABLE %s VALIDATE CONSTRAINT %s", t, n).obstacle = c.orphans(f, table)
	default:
		for _, other := range c.facts {
			if other.Kind != "index" || other.Name != f.Name {
				continue
			}
			ended := other
			ended.Def = strings.TrimSuffix(other.Def, " INVALID")
			if ended == other || shape(ended) != shape(f) { // not left by an interrupted build
				c.byHand("DROP INDEX CONCURRENTLY %s;", n)
				return
			}
			c.do(alters, "DROP INDEX CONCURRENTLY %s", n)
			c.facts = catalog.Minus(c.facts, []catalog.Fact{other})
		}
		c.addIndex(catalog.Fact{Def: fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s USING btree (%s)", n, t, columns)}, table)
		c.do(tidies, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %[2]s", t, n, kind)
	}
}

// addIndex builds an index while others write.
func (c *completion) addIndex(f catalog.Fact, table string) {
	built := c.do(indexes, "%s", strings.Replace(f.Def, "INDEX ", "INDEX CONCURRENTLY ", 1))
	if _, columns, _ := strings.Cut(strings.TrimSuffix(f.Def, ")"), " ("); strings.HasPrefix(f.Def, "CREATE UNIQUE") &&
		slices.Contains(c.tables, table) {
		built.obstacle = fmt.Sprintf("SELECT pg_catalog.min(id) FROM SCHEMA.%s WHERE (%s) IS NOT NULL "+
			"GROUP BY %[2]s HAVING pg_catalog.count(*) > 1", quote(table), columns)
	}
}

var foreignKey = regexp.MustCompile(`^FOREIGN KEY \((\w+)\) REFERENCES "?(\w+)"?\(id\)`)

// orphans is the query for rows that a foreign key would refuse; if the table it refers to is yet to be made, for all.
func (c *completion) orphans(f catalog.Fact, table string) string {
	key := foreignKey.FindStringSubmatch(f.Def)
	switch {
	case !slices.Contains(c.tables, table):
		return ""
	case !slices.Contains(c.tables, key[2]):
		return fmt.Sprintf("SELECT id FROM SCHEMA.%s WHERE %s IS NOT NULL", quote(table), quote(key[1]))
	}
	return fmt.Sprintf("SELECT id FROM SCHEMA.%s c WHERE %s IS NOT NULL AND NOT EXISTS ("+
		"SELECT FROM SCHEMA.%s p WHERE p.id = c.%[2]s)", quote(table), quote(key[1]), quote(key[2]))
}

// shape describes a constraint or an index without its name, and a foreign key without its ON DELETE.
func shape(f catalog.Fact) string {
	table, _, _ := strings.Cut(f.Name, ".")
	switch f.Kind {
	case "constraint":
		def, _, _ := strings.Cut(f.Def, " ON DELETE")
		return table + " " + strings.Replace(def, "PRIMARY KEY", "UNIQUE", 1)
	case "index":
		unique, def, _ := strings.Cut(f.Def, " USING btree ")
		if strings.HasPrefix(unique, "CREATE UNIQUE") {
			return table + " UNIQUE " + def
		}
		return table + " " + def
	}
	return ""
}

// rename gives constraints and indexes the names that the migrations give, since errors are told apart by name. A
// unique index becomes the constraint that is wanted.
func (c *completion) rename(diff catalog.Diff) {
	for _, f := range diff.Missing {
		i := slices.IndexFunc(diff.Extra, func(e catalog.Fact) bool {
			return shape(f) != "" && shape(e) == shape(f) && (e.Kind == "index" || e.Kind == f.Kind && e.Def[0] == f.Def[0])
		})
		if i < 0 || f.Name == redundantIndex {
			continue
		}
		table, name, _ := strings.Cut(f.Name, ".")
		other := diff.Extra[i]
		_, old, _ := strings.Cut(other.Name, ".")
		after := other
		after.Name, after.Kind = f.Name, f.Kind
		switch {
		case f.Kind == "index" && other.Kind == "index":
			c.do(makes, "ALTER INDEX %s RENAME TO %s", quote(old), quote(name))
			after.Def = f.Def
		case other.Kind == "index":
			kind, _, _ := strings.Cut(f.Def, " (")
			c.do(makes, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s", quote(table), quote(name), kind, quote(old))
			after.Def = f.Def
		default:
			c.do(makes, "ALTER TABLE %s RENAME CONSTRAINT %s TO %s", quote(table), quote(old), quote(name))
		}
		diff.Extra = slices.Delete(diff.Extra, i, i+1)
		c.becomes(after, other)
	}
}

// folded is a name without what generators vary: case, underscores and plural.
func folded(name string) string {
	return strings.TrimSuffix(strings.ToLower(strings.ReplaceAll(name, "_", "")), "s")
}

const renamed = "change the names in the application at the same moment: in its Drizzle schema, " +
	"or in Better Auth's modelName and fields"

// otherNames returns the statements that rename tables, or, if there are none, columns, to the names that the
// migrations give. A table counts as another under a different name only if it has its columns.
func otherNames(diff catalog.Diff) (sql []string) {
	others := map[string]string{} // names by their folded form
	for _, f := range diff.Extra {
		table, name, _ := strings.Cut(f.Name, ".")
		switch f.Kind {
		case "table":
			others[folded(table)] = table
		case "column":
			others[folded(table)+"."+folded(name)] = name
			others[table+"."+folded(name)] = name
		}
	}
	missing, strange := map[string]bool{}, map[string]bool{}
	for _, f := range diff.Missing {
		table, name, _ := strings.Cut(f.Name, ".")
		missing[table] = missing[table] || f.Kind == "table"
		if _, there := others[folded(table)+"."+folded(name)]; f.Kind == "column" && strings.Contains(f.Def, "NOT NULL") {
			strange[table] = strange[table] || !there
		}
	}
	for _, f := range diff.Missing {
		if other, there := others[folded(f.Name)]; f.Kind == "table" && there && !strange[f.Name] {
			sql = append(sql, fmt.Sprintf("ALTER TABLE %s RENAME TO %s;", quote(other), quote(f.Name)))
		}
	}
	if len(sql) > 0 {
		return append([]string{renamed}, sql...) // the columns come once these are renamed
	}
	for _, f := range diff.Missing {
		table, name, _ := strings.Cut(f.Name, ".")
		if other, there := others[table+"."+folded(name)]; f.Kind == "column" && there && !missing[table] {
			sql = append(sql, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s;", quote(table), quote(other), quote(name)))
		}
	}
	if len(sql) > 0 {
		sql = append([]string{renamed}, sql...)
	}
	return sql
}

// obstacles returns a sentence for each statement that rows would make fail.
func (m *Migrator) obstacles(ctx context.Context, steps []step) ([]string, error) {
	found := []string{}
	for _, s := range steps {
		if s.obstacle == "" {
			continue
		}
		var n int
		if err := m.conn.QueryRow(ctx, "SELECT pg_catalog.count(*) FROM ("+m.in(s.obstacle)+") o").Scan(&n); err != nil {
			return nil, plain(err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("rows in the way: %d; resolve those that this lists: %s;",
				n, strings.ReplaceAll(s.obstacle, "SCHEMA.", "")))
		}
	}
	return found, nil
}

// finish runs the statements of a completion.
func (m *Migrator) finish(ctx context.Context, steps []step) error {
	for i, s := range steps {
		name, wait := fmt.Sprintf("statement %d of %d", i+1, len(steps)), stall
		if s.phase == fills || s.phase == validates || s.phase == indexes { // these block nobody
			wait = m.opts.LockTimeout
		}
		if err := m.patiently(ctx, name, time.Now().Add(m.opts.LockTimeout), wait, func() error {
			if s.phase != fills {
				return lockTimeout(m.alone(ctx, s.sql, wait, func() {}))
			}
			return lockTimeout(pgx.BeginFunc(ctx, m.conn, func(pgx.Tx) error { // as a migration that writes rows
				d := driver{m: m, step: migrations.Migration{Up: s.sql}, wait: wait}
				return d.run(ctx, s.sql)
			}))
		}); err != nil {
			return fmt.Errorf("%w, at %s What came before stays; adopt --complete goes on from there", plain(err), s.sql)
		}
		m.log.Info("completed", "name", name)
	}
	return nil
}
