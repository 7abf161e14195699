package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// ErrNotOurs says that a role which the migrator does not trust made, or could make at any time, something that the
// migrator relies on or would run: that role would act with the rights of this session. Nothing was changed from then
// on. It comes between two migrations if the first of them made what is not ours.
var ErrNotOurs = errors.New("what is there was made by somebody else, or may be; nothing more was changed")

// ErrNoTables says that tables are missing: some that the version table says were made or, from Verify, all.
var ErrNoTables = errors.New("tables are missing")

// trusted are the roles that the migrator works for: its own; superusers; the owner of the database, also by way of
// pg_database_owner, which owns public; and roles that one of these made it a member of. A stranger can GRANT his
// own role to anybody, so that makes nobody trusted; nor does, from PostgreSQL 16 on, the right to administer a role.
// Nor is the owner of the tables' schema trusted as such: whoever may create schemas can give one a name from
// search_path. After SET ROLE a session has two roles, and code in it can return to the one that logged in, so it must
// be trusted by both.
const trusted = `
WITH RECURSIVE me (oid) AS (
	SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN (session_user, current_user)
), sure (oid) AS (
	SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname = 'pg_database_owner'
	UNION SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
), mine (me, oid) AS (
	SELECT oid, oid FROM me
	UNION SELECT me, m.roleid FROM pg_catalog.pg_auth_members m JOIN mine ON m.member = mine.oid
	WHERE (m.grantor = me OR m.grantor IN (SELECT oid FROM sure)) AND (pg_catalog.to_jsonb(m) ->> 'inherit_option' IS DISTINCT FROM 'false'
		OR pg_catalog.to_jsonb(m) ->> 'set_option' IS DISTINCT FROM 'false')
), trusted (oid) AS (
	SELECT oid FROM sure UNION SELECT oid FROM mine GROUP BY oid HAVING pg_catalog.count(*) = (SELECT pg_catalog.count(*) FROM me)
)`

// objections lists what is not ours, and whether merely reading is affected: by trusting it, running somebody's code or
// showing somebody's rows. The migrator relies on the tables that it names and, from there on, on whatever a change of
// their rows reaches: children, tables that refer to them, relations in their rules and policies. The tables $2 are the
// application's too, and may have its triggers; the migrator's, and drizzle-kit's journal, must be plain. PostgreSQL
// does not record who made a trigger or a rule, so nobody else may have the right to make one, nor be a member of a
// role that has it: a trigger can do harm with PostgreSQL's own functions alone, such as query_to_xml. What a table
// uses is followed as far as PostgreSQL records it: an index's operators and their functions, a domain's checks, a
// row's types. An event trigger runs for any table, also in the scratch schema of Verify.
const objections = trusted + `, named AS (
	SELECT c.oid, n.nspname <> $1 OR c.relname <> ALL ($2::text[]) AS plain, n.nspname = 'authdb' AND c.relname <> 'mark' AS looked
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'authdb' AND c.relname::text = ANY ($4::text[])
		OR $3 AND n.nspname = 'drizzle' AND c.relname = '__drizzle_migrations'
		OR n.nspname = $1 AND c.relname = ANY ($2::text[])
), part AS (
	SELECT oid AS rel, 'pg_class'::regclass::oid AS class, oid FROM pg_catalog.pg_class
	UNION ALL SELECT indrelid, 'pg_class'::regclass, indexrelid FROM pg_catalog.pg_index
	UNION ALL SELECT adrelid, 'pg_attrdef'::regclass, oid FROM pg_catalog.pg_attrdef
	UNION ALL SELECT conrelid, 'pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint
	UNION ALL SELECT tgrelid, 'pg_trigger'::regclass, oid FROM pg_catalog.pg_trigger
	UNION ALL SELECT ev_class, 'pg_rewrite'::regclass, oid FROM pg_catalog.pg_rewrite
	UNION ALL SELECT polrelid, 'pg_policy'::regclass, oid FROM pg_catalog.pg_policy
), leads (rel, oid) AS (
	SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits
	UNION ALL SELECT confrelid, conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'
	UNION ALL SELECT part.rel, d.refobjid FROM part JOIN pg_catalog.pg_depend d ON d.classid = part.class AND d.objid = part.oid
	WHERE part.class IN ('pg_rewrite'::regclass, 'pg_policy'::regclass) AND d.refclassid = 'pg_class'::regclass
), reached (oid) AS (
	SELECT oid FROM named UNION SELECT leads.oid FROM leads JOIN reached ON leads.rel = reached.oid
), relied AS (
	SELECT c.*, named.oid IS NOT NULL AS named, coalesce(named.plain, false) AS plain, coalesce(named.looked, false) AS looked,
		pg_catalog.format('table %I.%I ', n.nspname, c.relname) AS what
	FROM pg_catalog.pg_class c JOIN reached ON reached.oid = c.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	LEFT JOIN named ON named.oid = c.oid
), hang AS (
	SELECT what, a.grantee FROM relied, LATERAL (SELECT * FROM pg_catalog.aclexplode(relied.relacl) UNION ALL
		SELECT e.* FROM pg_catalog.pg_attribute c, pg_catalog.aclexplode(c.attacl) e WHERE c.attrelid = relied.oid) a
	WHERE a.privilege_type IN ('TRIGGER', 'REFERENCES') AND a.grantee <> relowner AND relowner IN (SELECT oid FROM trusted)
), member (grantee, oid) AS (
	SELECT grantee, grantee FROM hang UNION SELECT grantee, m.member FROM pg_catalog.pg_auth_members m JOIN member ON m.roleid = member.oid
), made (class, oid, owner) AS (
	SELECT 'pg_proc'::regclass::oid, oid, proowner FROM pg_catalog.pg_proc
	UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner FROM pg_catalog.pg_operator
	UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_catalog.pg_type
	UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner FROM pg_catalog.pg_opclass
	UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner FROM pg_catalog.pg_opfamily
), uses (rel, class, oid) AS (
	SELECT rel, class, part.oid FROM part JOIN relied ON relied.oid = rel
	UNION SELECT rel, needs.class, needs.oid FROM uses u, LATERAL (
		SELECT refclassid, refobjid FROM pg_catalog.pg_depend WHERE classid = u.class AND objid = u.oid
		UNION ALL SELECT refclassid, refobjid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend ON classid = 'pg_constraint'::regclass AND objid = k.oid
		WHERE u.class = 'pg_type'::regclass AND k.contypid = u.oid
		UNION ALL SELECT 'pg_type'::regclass, atttypid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_attribute ON attrelid = typrelid
		WHERE u.class = 'pg_type'::regclass AND t.oid = u.oid
		UNION ALL SELECT 'pg_operator'::regclass, amopopr FROM pg_catalog.pg_amop WHERE u.class = 'pg_opfamily'::regclass AND amopfamily = u.oid
		UNION ALL SELECT 'pg_proc'::regclass, amproc FROM pg_catalog.pg_amproc WHERE u.class = 'pg_opfamily'::regclass AND amprocfamily = u.oid
	) needs (class, oid) WHERE needs.class IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass)
)
SELECT pg_catalog.format('schema %I belongs to %I', nspname, pg_catalog.pg_get_userbyid(nspowner)), true
FROM pg_catalog.pg_namespace WHERE (nspname IN ($1, 'authdb') OR $3 AND nspname = 'drizzle') AND nspowner NOT IN (SELECT oid FROM trusted)
UNION ALL
SELECT what || CASE WHEN named THEN '' ELSE 'is changed or read along, and ' END || 'belongs to ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(relowner)), looked
FROM relied WHERE relowner NOT IN (SELECT oid FROM trusted)
UNION ALL
SELECT what || 'is no plain table', plain AND relnamespace::regnamespace::text = 'authdb'
FROM relied WHERE named AND relkind <> 'r' AND (plain OR relkind <> 'p') OR plain AND (relrowsecurity
	OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = relied.oid OR inhparent = relied.oid))
UNION ALL
SELECT what || 'has the trigger ' || pg_catalog.quote_ident(g.tgname), looked
FROM relied JOIN pg_catalog.pg_trigger g ON g.tgrelid = relied.oid AND NOT g.tgisinternal
JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid WHERE plain OR p.proowner NOT IN (SELECT oid FROM trusted)
UNION ALL
SELECT what || 'lets others hang triggers or keys on it: REVOKE TRIGGER, REFERENCES ON ' || pg_catalog.rtrim(pg_catalog.substr(what, 7)) || ' FROM ' ||
	CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END, false
FROM hang JOIN member USING (grantee) WHERE member.oid NOT IN (SELECT oid FROM trusted)
UNION ALL
SELECT what || 'has the rule ' || pg_catalog.quote_ident(r.rulename), looked
FROM relied JOIN pg_catalog.pg_rewrite r ON r.ev_class = relied.oid WHERE plain AND relkind = 'r'
UNION ALL
SELECT what || 'uses ' || pg_catalog.pg_describe_object(u.class, u.oid, 0), looked
FROM relied JOIN (uses JOIN made USING (class, oid)) u ON u.rel = relied.oid WHERE plain OR owner NOT IN (SELECT oid FROM trusted)
UNION ALL
SELECT pg_catalog.format('event trigger %I runs %s', evtname, pg_catalog.pg_describe_object('pg_proc'::regclass, p.oid, 0)), true
FROM pg_catalog.pg_event_trigger JOIN pg_catalog.pg_proc p ON p.oid = evtfoid
WHERE evtenabled <> 'D' AND p.proowner NOT IN (SELECT oid FROM trusted)`

// trust returns [ErrNotOurs] with what is not ours. Unless writes, only what affects reading counts: of the migrator's
// own tables, and of where the others are. With drizzle, its journal counts too. Tables that do not exist are fine.
// trust runs in the connection's transaction, if there is one: once that has locked a table, nobody is still adding a
// trigger to it, and nobody without the right can begin to.
func (m *Migrator) trust(ctx context.Context, writes, drizzle bool) error {
	rows, err := m.conn.Query(ctx, objections, m.schema, m.tables(m.Latest()), drizzle,
		[]string{m.ledger.versions, m.ledger.history, "mark"})
	if err != nil {
		return plain(err)
	}
	var found []string
	var text string
	var looks bool
	_, err = pgx.ForEachRow(rows, []any{&text, &looks}, func() error {
		if writes || looks {
			found = append(found, text)
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return plain(err)
	}
	slices.Sort(found)
	return fmt.Errorf("%w: %s. Drop it, or ALTER … OWNER TO a role of yours, and check each trigger that another role could make; "+
		"or log in as the owner, not as a superuser; or name another schema in search_path",
		ErrNotOurs, strings.Join(slices.Compact(found), "; "))
}

// tables returns the names of the tables that the migrations up to version make in the application's schema.
func (m *Migrator) tables(version int) []string {
	return slices.DeleteFunc(m.allTables(version), func(name string) bool { return strings.HasPrefix(name, catalog.Own+".") })
}

func (m *Migrator) allTables(version int) (names []string) {
	for _, f := range m.known(version) {
		if f.Kind == "table" {
			names = append(names, f.Name)
		}
	}
	return names
}

// CheckTables returns [ErrNoTables] if tables are missing that should exist at the version in the version table,
// authdb.mark among them. It changes nothing.
func (m *Migrator) CheckTables(ctx context.Context) error {
	version, _, err := m.Version(ctx)
	if err != nil {
		return err
	}
	return m.checkTables(ctx, version)
}

// checkTables returns [ErrNoTables] if the tables of a version are missing.
func (m *Migrator) checkTables(ctx context.Context, version int) error {
	if version == 0 {
		return nil
	}
	missing := []string{}
	if err := m.conn.QueryRow(ctx, `SELECT pg_catalog.array_agg(name) FROM pg_catalog.unnest($2::text[]) name WHERE NOT EXISTS (
		SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE (n.nspname::text = $1::text AND c.relname::text = name OR n.nspname::text = 'authdb' AND name = 'authdb.' || c.relname::text) AND c.relkind IN ('r', 'p'))`, m.schema, m.allTables(version)).Scan(&missing); err != nil || len(missing) == 0 {
		return plain(err)
	}
	return fmt.Errorf("%w: the version table says %d, and in schema %s there is no %s. If another schema has them, name it in search_path; "+
		"if they are nowhere, force 0 and up", ErrNoTables, version, pgx.Identifier{m.schema}.Sanitize(), strings.Join(missing, ", "))
}

// surroundings returns sentences on who else reads and writes the tables, and on what else is found by a name that is
// searched. $2 are the schemas that sessions search, $3 the tables.
const surroundings = trusted + `, own AS (
	SELECT c.oid, c.relname, c.relowner, c.relacl FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $1 AND c.relname = ANY ($3::text[]) OR n.nspname = 'authdb' AND c.relname = 'mark'
), known (oid) AS (
	SELECT oid FROM trusted UNION SELECT relowner FROM own
), searched AS (
	SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace WHERE nspname = ANY ($2::text[]) OR nspname IN ($1, 'authdb')
), makers AS (
	SELECT nspname, a.grantee FROM searched s, pg_catalog.aclexplode(coalesce(s.nspacl, pg_catalog.acldefault('n', s.nspowner))) a
	WHERE a.privilege_type = 'CREATE' UNION SELECT nspname, nspowner FROM searched
)
SELECT pg_catalog.format('others may create in schema %I, which is searched: %s. What they make is found by name: REVOKE CREATE ON SCHEMA %1$I FROM %2$s',
	nspname, pg_catalog.string_agg(CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END, ', ' ORDER BY grantee))
FROM makers WHERE grantee NOT IN (SELECT oid FROM known) GROUP BY nspname
UNION ALL
SELECT pg_catalog.format('others may create schemas: %s. A schema named like a role that connects is searched before public, where "$user" is: REVOKE CREATE ON DATABASE %I FROM %1$s',
	pg_catalog.string_agg(CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END, ', ' ORDER BY grantee), datname)
FROM pg_catalog.pg_database, pg_catalog.aclexplode(datacl) a
WHERE datname = pg_catalog.current_database() AND a.privilege_type = 'CREATE' AND grantee NOT IN (SELECT oid FROM known) GROUP BY datname
UNION ALL
SELECT pg_catalog.format('what others made has the name of something of PostgreSQL''s, and may be called in its place: %s. Drop it',
	pg_catalog.string_agg(what, ', ' ORDER BY what))
FROM (SELECT pg_catalog.format('function %s of %I', p.oid::regprocedure, pg_catalog.pg_get_userbyid(p.proowner)) AS what
	FROM pg_catalog.pg_proc p JOIN searched s ON s.oid = p.pronamespace WHERE p.proowner NOT IN (SELECT oid FROM known)
		AND EXISTS (SELECT FROM pg_catalog.pg_proc q WHERE q.proname = p.proname AND q.pronamespace = 'pg_catalog'::regnamespace)
	UNION ALL SELECT pg_catalog.format('operator %s of %I', o.oid::regoperator, pg_catalog.pg_get_userbyid(o.oprowner))
	FROM pg_catalog.pg_operator o JOIN searched s ON s.oid = o.oprnamespace WHERE o.oprowner NOT IN (SELECT oid FROM known)
		AND EXISTS (SELECT FROM pg_catalog.pg_operator q WHERE q.oprname = o.oprname AND q.oprnamespace = 'pg_catalog'::regnamespace)
) f HAVING pg_catalog.count(*) > 0
UNION ALL
SELECT DISTINCT pg_catalog.format('tables belong to %I, which is neither this role nor the owner of their schema or database: it reads and changes every row',
	pg_catalog.pg_get_userbyid(relowner)) FROM own WHERE relowner NOT IN (SELECT oid FROM trusted)
UNION ALL
SELECT pg_catalog.format('beside their owner, %I has rights on tables: %s', pg_catalog.pg_get_userbyid(a.grantee),
	pg_catalog.string_agg(DISTINCT a.privilege_type, ', '))
FROM own, LATERAL (SELECT * FROM pg_catalog.aclexplode(own.relacl) UNION ALL
	SELECT e.* FROM pg_catalog.pg_attribute c, pg_catalog.aclexplode(c.attacl) e WHERE c.attrelid = own.oid) a
WHERE a.grantee <> 0 AND a.grantee <> own.relowner GROUP BY a.grantee
UNION ALL
SELECT pg_catalog.format('sessions%s begin with %s: they check no foreign key and run no trigger. Unset it',
	coalesce(' of ' || pg_catalog.quote_ident(r.rolname), ''), setting)
FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) setting
WHERE setting LIKE 'session_replication_role=%' AND setting <> 'session_replication_role=origin'
	AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
ORDER BY 1`

func (m *Migrator) surroundings(ctx context.Context) ([]string, error) {
	rows, err := m.conn.Query(ctx, surroundings, m.schema, m.path, m.tables(m.Latest()))
	if err != nil {
		return nil, plain(err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// remedies say what an extra fact means and what to do about it, by its kind and a word of its definition.
var remedies = []struct{ kind, word, text string }{
	{"row security", "", "only rows that a policy lets through are there for roles that do not own the table; FORCED: for its owner too. " +
		"ALTER TABLE … DISABLE ROW LEVEL SECURITY, or connect as a role with BYPASSRLS"},
	{"policy", "", "decides which rows are there, while row security is on. DROP POLICY"},
	{"trigger", "", "changes or refuses what is written. DROP TRIGGER, unless you know it"},
	{"rule", "", "runs other statements than those that were sent. DROP RULE"},
	{"grant", "", "every role may. REVOKE … FROM PUBLIC"},
	{"table", "OWNER", "its owner reads and changes every row. ALTER TABLE … OWNER TO that of the others"},
	{"table", "UNLOGGED", "a crash empties it. ALTER TABLE … SET LOGGED"},
	{"table", "INHERITS", "its rows are the other table's too. ALTER TABLE … NO INHERIT"},
	{"table", "INHERITED", "the other table's rows are its too, and bound by none of its keys. ALTER TABLE … NO INHERIT"},
	{"constraint", "DISABLED", "nothing is checked. ALTER TABLE … ENABLE TRIGGER ALL, on both tables, and look for rows without a parent"},
	{"constraint", "INVALID", "its index is not used and need not hold. REINDEX INDEX CONCURRENTLY"},
	{"constraint", "NOT VALID", "older rows were not checked. ALTER TABLE … VALIDATE CONSTRAINT"},
	{"constraint", "NOT ENFORCED", "nothing is checked. ALTER TABLE … ALTER CONSTRAINT … ENFORCED"},
	{"constraint", "DEFERRABLE", "it may hold at commit only. ALTER TABLE … ALTER CONSTRAINT … NOT DEFERRABLE"},
}

// remedy returns a note for each difference that changes what rows mean or who reads them.
func remedy(d catalog.Diff) (notes []string) {
	facts := slices.Clone(d.Extra)
	for _, c := range d.Different {
		facts = append(facts, c.Got)
	}
	for _, f := range facts {
		for _, r := range remedies {
			if words := " " + f.Def + " "; f.Kind == r.kind && (r.word == "" || strings.Contains(words, " "+r.word+" ")) {
				notes = append(notes, f.Kind+" "+f.Name+": "+r.text)
			}
		}
	}
	return notes
}
