package repo

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// SchemaError lists what statements rely on and the database lacks, or names the schema that sessions search before
// PostgreSQL's own.
type SchemaError struct {
	Missing []string
	Plugins int // how many of these the application makes, for a plugin
	Before  string
}

func (e SchemaError) Error() string {
	if e.Before != "" {
		return "search_path has schema " + e.Before + " before pg_catalog: what anybody makes there runs in place of " +
			"PostgreSQL's own. Remove pg_catalog from it, or use Open"
	}
	text := strings.Join(e.Missing, "; ") +
		". If another schema has it, name that in search_path; otherwise "
	switch {
	case e.Plugins == 0:
		return text + "run migrate up, or migrate adopt if Drizzle made the tables"
	case e.Plugins == len(e.Missing):
		return text + "make it in the application's migrations, as in db/plugins"
	}
	return text + "run migrate up, or migrate adopt if Drizzle made the tables; what a plugin has, make in the " +
		"application's migrations, as in db/plugins"
}

// uniqueKeys are the unique keys that statements rely on, beside that of each id: by table, each with its columns in
// the order of their names.
var uniqueKeys = map[string][]string{
	"user": {"email"}, "session": {"token"}, "organization": {"slug"}, "account": {"account_id,provider_id"},
	"member": {"organization_id,user_id"}, "team_member": {"membership_key", "team_id,user_id"},
}

// broughtBy are the migrations that make what the first does not.
var broughtBy = map[string]int{
	"team.member_count": 3, "team_member.membership_key": 3, "team_member (membership_key)": 6,
	"member (organization_id,user_id)": 7, "team_member (team_id,user_id)": 8, "account (account_id,provider_id)": 9,
}

// typesOf are the types that a column may have, by the kind of its field.
var typesOf = map[reflect.Kind][]string{
	reflect.String: {"text"}, reflect.Bool: {"boolean"}, // other types borrow their operators, or have anybody's
	reflect.Int32:  {"integer", "smallint", "bigint"},
	reflect.Struct: {"timestamp without time zone", "timestamp with time zone"},
}

// catalogFacts returns the columns of tables with their types, and the columns of their unique keys. It finds the
// tables by name as a statement does.
const catalogFacts = `WITH named AS (
	SELECT name, pg_catalog.to_regclass(CASE name WHEN 'user' THEN '"user"' ELSE name END)::pg_catalog.oid AS oid
	FROM pg_catalog.unnest($1::text[]) name
)
SELECT named.name, a.attname::text, pg_catalog.format_type(a.atttypid, NULL)
FROM named JOIN pg_catalog.pg_attribute a ON a.attrelid = named.oid WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT named.name, (SELECT pg_catalog.string_agg(a.attname::text, ',' ORDER BY a.attname::text)
	FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)), 'unique'
FROM named JOIN pg_catalog.pg_index i ON i.indrelid = named.oid
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts
UNION ALL
SELECT named.name, '(partitioned)', 'id,token' FROM named JOIN pg_catalog.pg_class c ON c.oid = named.oid
WHERE named.name = 'session' AND pg_catalog.pg_get_partkeydef(c.oid) = 'HASH (token)'
UNION ALL
SELECT '', 'TimeZone', pg_catalog.current_setting('TimeZone')`

// utcZones are the zones that a session may have if a column is with time zone: what is written there passes through
// the session's zone.
var utcZones = []string{"UTC", "Etc/UTC", "GMT", "Etc/GMT"}

// Plugin is what statements rely on of one of the server's plugins: its columns as table.column, with their kinds.
type Plugin struct {
	Name    string
	Columns map[string]reflect.Kind
}

// The plugins that core statements can use.
var (
	AdminPlugin = Plugin{"the admin plugin", map[string]reflect.Kind{
		"user.role": reflect.String, "user.banned": reflect.Bool, "user.ban_reason": reflect.String,
		"user.ban_expires": reflect.Struct, "session.impersonated_by": reflect.String,
	}}
	rolesPlugin = Plugin{"the organization plugin's dynamicAccessControl", map[string]reflect.Kind{
		"organization_role.organization_id": reflect.String, "organization_role.role": reflect.String,
		"organization_role.permission": reflect.String,
	}}
	ownedKeysPlugin = Plugin{"the API key plugin from 1.5 on", map[string]reflect.Kind{owner15: reflect.String}}
)

// partitioned stands in place of a column in the facts of a table that is partitioned by token, with its primary key.
const partitioned = "(partitioned)"

// CheckSchema returns a SchemaError if columns or unique keys are missing, or types or the session's time zone do not
// fit. It also checks plugins, and always those of the Repo.
func (r *Repo) CheckSchema(ctx context.Context, plugins ...Plugin) error {
	if r.Plugins.Admin {
		plugins = append(plugins, AdminPlugin)
	}
	if r.Plugins.DynamicRoles {
		plugins = append(plugins, rolesPlugin)
	}
	if r.Plugins.APIKeys {
		plugins = append(plugins, ownedKeysPlugin)
	}
	tables := slices.Sorted(maps.Keys(models))
	names := slices.Clone(tables)
	if r.marks { // looking for it needs a right to its schema
		names = append(names, "authdb.mark")
	}
	for _, p := range plugins {
		for column := range p.Columns {
			table, _, _ := strings.Cut(column, ".")
			names = append(names, table)
		}
	}
	slices.Sort(names)
	facts, err := r.facts(ctx, slices.Compact(names))
	if err != nil {
		return err
	}
	if before := facts[""]["before"]; before != "" {
		return SchemaError{Before: before}
	}
	missing := []string{}
	lacks := func(what string) {
		missing = append(missing, fmt.Sprintf("no %s, which migration %d makes", what, max(broughtBy[what], 1)))
	}
	for _, table := range tables {
		if len(facts[table]) == 0 {
			lacks("table " + table)
			continue
		}
		for field := range models[table].Fields() {
			of := field.Type
			if of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			name := table + "." + ColumnName(field.Name)
			if is, there := facts[table][ColumnName(field.Name)]; !there {
				lacks(name)
			} else if wrong := misfit(name, is, of.Kind(), facts[""]["TimeZone"]); wrong != "" {
				missing = append(missing, wrong)
			}
		}
		for _, key := range append([]string{"id"}, uniqueKeys[table]...) {
			if key == "id" && facts[table][partitioned] != "" { // its key has the token, too
				key = facts[table][partitioned]
			}
			if facts[table][" "+key] == "" {
				lacks(table + " (" + key + ")")
			}
		}
	}
	if r.marks && len(facts["authdb.mark"]) == 0 {
		missing = append(missing, "no table authdb.mark, which migration 15 makes")
	}
	others := len(missing)
	for _, p := range plugins {
		absent := ""
		for _, name := range slices.Sorted(maps.Keys(p.Columns)) {
			table, column, _ := strings.Cut(name, ".")
			if table == absent {
				continue
			}
			if is, there := facts[table][column]; !there && len(facts[table]) == 0 {
				absent = table
				missing = append(missing, "no table "+table+", which "+p.Name+" has")
			} else if !there {
				missing = append(missing, "no "+name+", which "+p.Name+" has")
			} else if wrong := misfit(name, is, p.Columns[name], facts[""]["TimeZone"]); wrong != "" {
				missing = append(missing, wrong)
			}
		}
	}
	if len(missing) > 0 {
		return SchemaError{Missing: missing, Plugins: len(missing) - others}
	}
	return nil
}

// misfit says what is wrong with the type of a column; empty if nothing is.
func misfit(name, is string, kind reflect.Kind, zone string) string {
	switch {
	case !slices.Contains(typesOf[kind], is):
		return fmt.Sprintf("%s is %s, not %s", name, is, typesOf[kind][0])
	case is == typesOf[reflect.Struct][1] && !slices.Contains(utcZones, zone):
		return fmt.Sprintf("%s is %s, but sessions do not run with timezone=UTC", name, is)
	}
	return ""
}

// facts returns the types of columns by table and column. A unique key is there by its columns after a space.
func (r *Repo) facts(ctx context.Context, tables []string) (map[string]map[string]string, error) {
	facts := map[string]map[string]string{}
	err := r.try(ctx, "CheckSchema", nil, func(ctx context.Context) error {
		clear(facts)
		on, err := r.acquire(ctx)
		if err != nil {
			return err
		}
		defer on.release()
		var path []string
		if err := on.QueryRow(ctx, `SELECT pg_catalog.current_schemas(true)`).Scan(&path); err != nil {
			return Failed(ctx, on.conn, err, false)
		}
		path = slices.DeleteFunc(path, func(schema string) bool { return strings.HasPrefix(schema, "pg_temp_") })
		if path[0] != "pg_catalog" { // what was planted there could answer the next query
			facts[""] = map[string]string{"before": path[0]}
			return nil
		}
		rows, err := on.Query(ctx, catalogFacts, tables)
		if err != nil {
			return Failed(ctx, on.conn, err, false)
		}
		var table, name, is string
		_, err = pgx.ForEachRow(rows, []any{&table, &name, &is}, func() error {
			if facts[table] == nil {
				facts[table] = map[string]string{}
			}
			if is == "unique" {
				name = " " + name
			}
			facts[table][name] = is
			return nil
		})
		return Failed(ctx, on.conn, err, false)
	})
	return facts, err
}
