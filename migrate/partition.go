package migrate

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// ErrInTheWay says that table session cannot be partitioned as it is, or already has another number of partitions.
var ErrInTheWay = errors.New("table session cannot be partitioned")

// maxPartitions is far beyond what is useful.
const maxPartitions = 1024

// Partitioning is what PartitionSessions did.
type Partitioning struct {
	Partitions int   `json:"partitions"`
	Copied     int64 `json:"copied"`  // rows
	Changed    int64 `json:"changed"` // rows that others wrote meanwhile, and that were copied again
}

// inTheWay lists, in words, what prevents another table from taking session's place. All else is made again: columns,
// defaults, checks, foreign keys to other tables, indexes that are no keys, the owner, rights on the table.
const inTheWay = `WITH session AS (SELECT c.* FROM pg_catalog.pg_class c WHERE c.oid = $1::text::regclass::oid)
SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0) || ' depends on it'
FROM session s JOIN pg_catalog.pg_depend d ON d.deptype = 'n'
	AND (d.refclassid = 'pg_class'::regclass::oid AND d.refobjid = s.oid OR d.refclassid = 'pg_type'::regclass::oid AND d.refobjid = s.reltype)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.oid = d.objid AND k.conrelid = s.oid AND d.classid = 'pg_constraint'::regclass::oid)
UNION ALL
SELECT 'statistics ' || x.stxname::text FROM session s JOIN pg_catalog.pg_statistic_ext x ON x.stxrelid = s.oid
UNION ALL
SELECT 'trigger ' || t.tgname::text FROM session s JOIN pg_catalog.pg_trigger t ON t.tgrelid = s.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'policy ' || p.polname::text FROM session s JOIN pg_catalog.pg_policy p ON p.polrelid = s.oid
UNION ALL
SELECT 'row security' FROM session WHERE relrowsecurity
UNION ALL
SELECT 'rule ' || r.rulename::text FROM session s JOIN pg_catalog.pg_rewrite r ON r.ev_class = s.oid
UNION ALL
SELECT 'publication ' || p.pubname::text FROM session s JOIN pg_catalog.pg_publication_rel r ON r.prrelid = s.oid
	JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
UNION ALL
SELECT 'table ' || i.inhrelid::regclass::text FROM session s JOIN pg_catalog.pg_inherits i ON s.oid IN (i.inhrelid, i.inhparent)
UNION ALL
SELECT 'column ' || a.attname::text || ', which is generated, or has rights of its own'
FROM session s JOIN pg_catalog.pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.attgenerated <> '' OR a.attidentity <> '' OR a.attacl IS NOT NULL
UNION ALL
SELECT 'sequence ' || q.oid::regclass::text FROM session s
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass::oid AND d.refobjid = s.oid AND d.classid = 'pg_class'::regclass::oid
JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S'
UNION ALL
SELECT 'unique index ' || i.indexrelid::regclass::text FROM session s JOIN pg_catalog.pg_index i ON i.indrelid = s.oid
WHERE i.indisunique AND NOT i.indisprimary AND NOT EXISTS (
	SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = s.oid AND a.attname = 'token' AND a.attnum = ANY (i.indkey))
UNION ALL
SELECT 'constraint ' || k.conname::text FROM session s JOIN pg_catalog.pg_constraint k ON k.conrelid = s.oid AND k.contype = 'x'
ORDER BY 1`

// remake returns the statements that give table $2 what session, $1, has: its keys, with token added to the primary
// key; its foreign keys; its other indexes; owner, rights and comment. First they revoke what default privileges
// granted: whoever may not read session must not read its copy.
const remake = `WITH session AS (SELECT c.* FROM pg_catalog.pg_class c WHERE c.oid = $1::text::regclass::oid)
SELECT sql FROM (
SELECT 0 AS n, pg_catalog.format('REVOKE ALL ON %s FROM %s', $2::text,
	CASE a.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END) AS sql
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a WHERE c.oid = $2::text::regclass::oid AND a.grantee <> c.relowner
UNION
SELECT 1, pg_catalog.format('ALTER TABLE %s OWNER TO %I', $2::text, pg_catalog.pg_get_userbyid(relowner))
FROM session WHERE relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
UNION ALL
SELECT 2, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::text, k.conname, CASE k.contype
	WHEN 'p' THEN 'PRIMARY KEY (id, token)' ELSE pg_catalog.pg_get_constraintdef(k.oid) END)
FROM session s JOIN pg_catalog.pg_constraint k ON k.conrelid = s.oid AND k.contype IN ('p', 'u', 'f')
UNION ALL
SELECT 3, pg_catalog.replace(pg_catalog.pg_get_indexdef(i.indexrelid), ' ON ' || s.oid::regclass::text || ' USING ', ' ON ' || $2::text || ' USING ')
FROM session s JOIN pg_catalog.pg_index i ON i.indrelid = s.oid
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
UNION ALL
SELECT 4, pg_catalog.format('GRANT %s ON %s TO %s%s', a.privilege_type, $2::text,
	CASE a.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
	CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM session s, pg_catalog.aclexplode(s.relacl) a WHERE a.grantee <> s.relowner
UNION ALL
SELECT 5, pg_catalog.format('COMMENT ON TABLE %s IS %L', $2::text, pg_catalog.obj_description(s.oid, 'pg_class')) FROM session s
) statements WHERE n <= $3::integer ORDER BY n, sql`

//go:embed partition.sql
var noting string

// partitioner is the work on one database. Its names are those of the table, of the copy that takes its place, of the
// table of rows that changed meanwhile, and of the function that notes these.
type partitioner struct {
	*Migrator
	old, made, changed, note string
	did                      Partitioning
}

// PartitionSessions divides the table session into n hash partitions by token, while others read and write it. It
// copies the rows, notes by a trigger what changes meanwhile and copies that again, and puts the copy in the table's
// place under a lock that it takes as Up does. If the table has n partitions already, it does nothing. After a kill it
// begins anew. When ctx ends, it stops after the rows that are under way; see [Migrator.Cancel].
//
// A transaction at REPEATABLE READ or SERIALIZABLE that waits for the table while the copy takes its place may not see
// all rows, as after any rewrite of a table (PostgreSQL, "Caveats" of concurrency control). Writes of authdb run at READ
// COMMITTED.
//
// Afterwards no key makes the ids of sessions unique; those that authdb and Better Auth make are unique by chance.
// PartitionSessions returns [ErrInTheWay] with what is in the way, before anything is changed, [ErrDrift] with what
// Verify would say, the errors of Up, or PostgreSQL's.
func (m *Migrator) PartitionSessions(ctx context.Context, n int) (Partitioning, error) {
	if n < 2 || n > maxPartitions {
		return Partitioning{}, fmt.Errorf("%w into %d: it takes 2 to %d", ErrInTheWay, n, maxPartitions)
	}
	version, err := m.begin(ctx)
	if err != nil {
		return Partitioning{}, err
	}
	if version != m.Latest() {
		return Partitioning{}, fmt.Errorf("%w at version %d: run up first", ErrInTheWay, version)
	}
	if err := m.open(ctx); err != nil {
		return Partitioning{}, err
	}
	in := func(name string) string { return at(name + strings.TrimPrefix(m.ledger.versions, "schema_migrations")) }
	p := &partitioner{
		Migrator: m, did: Partitioning{Partitions: n},
		old: m.in("SCHEMA.session"), made: in("session_parts"), changed: in("session_changed"), note: in("note_session"),
	}
	there, err := m.sessionPartitions(ctx)
	switch {
	case err != nil:
		return Partitioning{}, err
	case there == n:
		m.log.Info("nothing to do", "partitions", n)
		return p.did, nil
	case there > 0:
		return Partitioning{}, fmt.Errorf("%w again: it has %d partitions", ErrInTheWay, there)
	}
	if err := p.clear(ctx); err != nil { // what a killed run left
		return Partitioning{}, err
	}
	if err := p.check(ctx); err != nil {
		return Partitioning{}, err
	}
	if err = p.do(ctx); err != nil && !m.conn.IsClosed() {
		err = errors.Join(plain(err), p.clear(context.WithoutCancel(ctx)))
	}
	return p.did, plain(err)
}

// sessionPartitions returns how many partitions table session has, or 0.
func (m *Migrator) sessionPartitions(ctx context.Context) (n int, err error) {
	err = m.conn.QueryRow(ctx, `SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid
		WHERE c.oid = pg_catalog.to_regclass($1)::oid AND c.relkind = 'p'`, m.in("SCHEMA.session")).Scan(&n)
	return n, plain(err)
}

func (p *partitioner) check(ctx context.Context) error {
	if v, err := p.verify(ctx, p.Latest(), VerifyOptions{Superset: true}); err != nil {
		return fmt.Errorf("%w\n%s", err, v.Diff)
	}
	rows, err := p.conn.Query(ctx, inTheWay, p.old)
	if err != nil {
		return plain(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(found) == 0 {
		return plain(err)
	}
	for i, what := range found {
		found[i] = catalog.Line(what)
	}
	return fmt.Errorf("%w while it has: %s", ErrInTheWay, strings.Join(slices.Compact(found), "; "))
}

// clear drops what was made beside the table.
func (p *partitioner) clear(ctx context.Context) error {
	return p.locked(ctx, "clear", func(tx pgx.Tx) error {
		return all(ctx, tx, "DROP TABLE IF EXISTS "+p.made, "DROP FUNCTION IF EXISTS "+p.note+"() CASCADE", "DROP TABLE IF EXISTS "+p.changed)
	})
}

func all(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// locked tries until LockTimeout to do what needs the lock of a table that others use.
func (p *partitioner) locked(ctx context.Context, name string, do func(tx pgx.Tx) error) error {
	return p.patiently(ctx, name, time.Now().Add(p.opts.LockTimeout), stall, func() error { return p.briefly(ctx, do) })
}

// briefly tries once. It gives up long before PostgreSQL would look for a deadlock.
func (p *partitioner) briefly(ctx context.Context, do func(tx pgx.Tx) error) error {
	return lockTimeout(pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, timeouts("SET LOCAL ", stall, 0)); err != nil {
			return err
		}
		return do(tx)
	}))
}

func (p *partitioner) do(ctx context.Context) error {
	whole := context.WithoutCancel(ctx) // Cancel ends a statement
	if err := p.locked(whole, "make the partitions", func(tx pgx.Tx) error { return p.prepare(whole, tx) }); err != nil {
		return err
	}
	if err := p.copy(ctx, whole); err != nil {
		return err
	}
	if _, err := p.conn.Exec(whole, "ANALYZE "+p.made); err != nil { // autovacuum does not for a partitioned table
		return err
	}
	return p.patiently(ctx, "take its place", time.Now().Add(p.opts.LockTimeout), stall, func() error {
		const few = 1000 // to copy while everybody waits
		for n := few; n >= few; {
			var err error
			if n, err = p.catchUp(ctx, whole); err != nil {
				return err
			}
		}
		return p.briefly(whole, func(tx pgx.Tx) error { return p.replace(whole, tx) })
	})
}

func (p *partitioner) prepare(ctx context.Context, tx pgx.Tx) error {
	stem, n := strings.TrimSuffix(p.made, `"`), p.did.Partitions
	if err := all(ctx, tx, strings.NewReplacer("SESSION", p.old, "MADE", p.made).Replace(`CREATE TABLE MADE (LIKE SESSION
		INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS)
		PARTITION BY HASH (token)`)); err != nil {
		return err
	}
	for i := range n {
		part := fmt.Sprintf(`%s_%d"`, stem, i)
		if err := all(ctx, tx, fmt.Sprintf(`CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS %d, REMAINDER %d)`, part, p.made, n, i)); err != nil {
			return err
		}
		if err := p.remake(ctx, tx, part, 1); err != nil { // its owner; the rest comes from the whole
			return err
		}
	}
	if err := p.remake(ctx, tx, p.made, 5); err != nil {
		return err
	}
	if err := all(ctx, tx, strings.NewReplacer("SESSION", p.old, "CHANGED", p.changed, "NOTE", p.note).Replace(noting)); err != nil {
		return err
	}
	if err := p.remake(ctx, tx, p.changed, 0); err != nil { // it has the tokens of live sessions: revoke
		return err
	}
	return p.trust(ctx, true, false)
}

// remake gives a table the first kinds of what session has.
func (p *partitioner) remake(ctx context.Context, tx pgx.Tx, table string, kinds int) error {
	rows, err := tx.Query(ctx, remake, p.old, table, kinds)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	return all(ctx, tx, statements...)
}

// copy copies the rows in the order of their ids.
func (p *partitioner) copy(ctx, whole context.Context) error {
	batch := fmt.Sprintf(`WITH batch AS MATERIALIZED (SELECT * FROM %s WHERE id > $1 ORDER BY id LIMIT 5000),
		made AS (INSERT INTO %s SELECT * FROM batch ON CONFLICT DO NOTHING)
		SELECT pg_catalog.count(*), pg_catalog.max(id) FROM batch`, p.old, p.made)
	for last := new(""); last != nil; {
		var n int64
		var next *string
		if err := p.again(ctx, func(tx pgx.Tx) error { return tx.QueryRow(whole, batch, *last).Scan(&n, &next) }); err != nil {
			return err
		}
		p.did.Copied += n
		last = next
		p.log.Info("copied", "rows", p.did.Copied)
	}
	return nil
}

// catchUp copies again some of the rows that changed since they were copied, and returns how many.
func (p *partitioner) catchUp(ctx, whole context.Context) (n int, err error) {
	err = p.again(ctx, func(tx pgx.Tx) error {
		n, err = p.apply(whole, tx)
		return err
	})
	return n, err
}

// again repeats do while others are in its way, such as the deletion of a user whose sessions are copied.
func (p *partitioner) again(ctx context.Context, do func(tx pgx.Tx) error) error {
	for {
		err := pgx.BeginFunc(context.WithoutCancel(ctx), p.conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(context.WithoutCancel(ctx), timeouts("SET LOCAL ", stall, 0)); err != nil {
				return err
			}
			return do(tx)
		})
		said, ok := errors.AsType[*pgconn.PgError](err)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", ctx.Err())
		}
		if !ok || !slices.Contains([]string{"23503", "40001", "40P01", lockNotAvailable}, said.Code) {
			return err
		}
		if err := pause(ctx, stall); err != nil {
			return err
		}
	}
}

// apply is catchUp in a transaction. A change that commits later has a note of its own.
func (p *partitioner) apply(ctx context.Context, tx pgx.Tx) (int, error) {
	rows, err := tx.Query(ctx, "DELETE FROM "+p.changed+" WHERE n = ANY (ARRAY(SELECT n FROM "+p.changed+" ORDER BY n LIMIT 5000)) RETURNING token")
	if err != nil {
		return 0, err
	}
	tokens, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tokens) == 0 {
		return 0, err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM "+p.made+" WHERE token = ANY ($1)", tokens); err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+p.made+" SELECT * FROM "+p.old+" WHERE token = ANY ($1)", tokens)
	if err == nil {
		p.did.Changed += int64(len(tokens))
	}
	return len(tokens), err
}

// replace puts the copy in the table's place. It locks user first, as whoever deletes a user does.
func (p *partitioner) replace(ctx context.Context, tx pgx.Tx) error {
	if err := all(ctx, tx, p.in(`LOCK TABLE SCHEMA."user", SCHEMA.session IN ACCESS EXCLUSIVE MODE`)); err != nil {
		return err
	}
	for n := 1; n > 0; {
		var err error
		if n, err = p.apply(ctx, tx); err != nil {
			return err
		}
	}
	moved := p.made[strings.LastIndex(p.made, `."`)+1:]
	return all(ctx, tx, "DROP TABLE "+p.old, "DROP FUNCTION "+p.note+"()", "DROP TABLE "+p.changed,
		"ALTER TABLE "+p.made+" SET SCHEMA "+pgx.Identifier{p.schema}.Sanitize(),
		p.in("ALTER TABLE SCHEMA."+moved+" RENAME TO session"))
}
