package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// AdoptOptions change how a database is taken over.
type AdoptOptions struct {
	Superset       bool   // accept tables, columns, indexes and so on that the migrations do not make
	Complete       bool   // make what is missing
	Fix            bool   // resolve the rows that unique indexes would refuse
	DryRun         bool   // change nothing, and say what would be changed
	DrizzleJournal string // a folder of drizzle-kit's migrations, to be noted as applied; empty: none
}

// Adoption is what Adopt found and did.
type Adoption struct {
	Version    int          `json:"version"` // the newest that the catalog proves
	Family     string       `json:"family"`  // who named the constraints: catalog.FamilyA or B
	Notes      []string     `json:"notes"`
	Complete   []string     `json:"complete"`   // the statements by which Complete makes what is missing, in order
	Remedies   []string     `json:"remedies"`   // what is left to a person: SQL, or a sentence
	Drizzle    []string     `json:"drizzle"`    // lines to add to the Drizzle schema for what Complete and Up make
	Duplicates []Duplicates `json:"duplicates"` // rows in the way of later migrations; without Fix, Up refuses
	Misplaced  int          `json:"misplaced"`  // credential accounts whose account_id is not the user's id
	Capitals   int          `json:"capitals"`   // users whose address has capitals: Better Auth does not find them
	Fixed      []Fix        `json:"fixed"`
	Journal    []string     `json:"journal"` // migrations of drizzle-kit that were noted as applied
	Diff       catalog.Diff `json:"diff"`
}

// Fix is a row that was changed.
type Fix struct {
	Table  string `json:"table"`
	ID     string `json:"id"`
	Action string `json:"action"`
}

// ErrNothingToAdopt says that the database has no tables of authdb. Up makes them.
var ErrNothingToAdopt = errors.New("nothing to adopt: the tables are not there; run up")

// Adopt takes over a database that drizzle-kit made, at the newest version that its catalog proves; Up brings the rest.
// On a database that was taken over already it only looks for what is in the way of Up, and with Fix resolves it.
//
// Before it changes anything it returns [ErrNothingToAdopt], [ErrDirty] or, if the catalog is that of no version and
// Complete does not make it so, [ErrDrift] with the difference. If it stops while it completes, what it made stays, and
// the next call goes on from there.
func (m *Migrator) Adopt(ctx context.Context, opts AdoptOptions) (Adoption, error) {
	a := Adoption{
		Notes: []string{}, Complete: []string{}, Remedies: []string{}, Drizzle: []string{}, Duplicates: []Duplicates{},
		Fixed: []Fix{}, Journal: []string{}, Diff: catalog.Compare(nil, nil),
	}
	var journal []drizzleMigration
	if opts.DrizzleJournal != "" {
		var err error
		if journal, err = readJournal(opts.DrizzleJournal); err != nil {
			return a, err
		}
	}
	if !opts.DryRun {
		if err := m.lock(ctx); err != nil {
			return a, err
		}
	}
	version, err := m.clean(ctx)
	if err != nil {
		return a, err
	}
	a.Version = version
	journaled := opts.DrizzleJournal != ""
	if err := m.trust(ctx, true, journaled); err != nil { // first: reading a view or a policy may run anybody's code
		return a, err
	}
	if version == 0 {
		if err := m.prove(ctx, &a, opts); err != nil {
			return a, err
		}
		if err := m.trust(ctx, true, journaled); err != nil { // again: Complete, or somebody else, made more
			return a, err
		}
	}
	if a.Duplicates, err = m.duplicates(ctx, a.Version, m.Latest()); err != nil {
		return a, err
	}
	if there, err := m.has(ctx, `"account"`, "provider_id", "account_id", "user_id"); err != nil {
		return a, plain(err)
	} else if there {
		if err := m.conn.QueryRow(ctx, m.in(countMisplaced)).Scan(&a.Misplaced); err != nil {
			return a, plain(err)
		}
	}
	if err := m.conn.QueryRow(ctx, m.in(countCapitals)).Scan(&a.Capitals); err != nil {
		return a, plain(err)
	}
	switch {
	case opts.Fix && opts.DryRun && len(a.Complete) > 0:
		a.Notes = append(a.Notes, "--fix can say which rows it changes only after --complete has run")
	case opts.Fix:
		if a.Fixed, err = m.fix(ctx, opts.DryRun); err != nil {
			return a, plain(err)
		}
	}
	if opts.DryRun {
		return a, nil
	}
	if opts.DrizzleJournal != "" {
		if a.Journal, err = m.noteJournal(ctx, journal); err != nil {
			return a, plain(err)
		}
	}
	if version != 0 {
		return a, nil
	}
	if err := m.open(ctx); err != nil {
		return a, err
	}
	return a, m.set(ctx, a.Version)
}

// prove finds the newest version that the catalog holds; parts of later migrations may be there too. With Complete it
// first makes what is missing.
func (m *Migrator) prove(ctx context.Context, a *Adoption, opts AdoptOptions) error {
	before, err := m.live(ctx)
	if err != nil {
		return err
	}
	a.Family = before.family
	got := before.facts
	c := m.complete(got)
	if exist, err := m.hasTables(ctx); err != nil || !exist && len(c.remedies) == 0 {
		return cmp.Or(err, ErrNothingToAdopt)
	}
	a.Remedies = append(a.Remedies, c.remedies...)
	if len(c.remedies) == 0 {
		if a.Remedies, err = m.obstacles(ctx, c.steps); err != nil {
			return err
		}
	}
	for _, s := range c.steps {
		a.Complete = append(a.Complete, s.sql)
	}
	if opts.Complete {
		got = c.facts
	}
	a.Diff = m.difference(got)
	a.Notes = append(append(m.unfilled(a.Diff.Extra), remedy(a.Diff)...), before.notes()...)
	if opts.Superset {
		a.Diff = a.Diff.WithoutExtra()
	}
	if !a.Diff.Empty() || len(a.Remedies) > 0 {
		return driftError(a, opts)
	}
	if opts.Complete {
		a.Drizzle = m.drizzle(before.facts, append(c.filled, before.filled...), before.retyped)
	}
	if opts.Complete && !opts.DryRun {
		if err := m.trust(ctx, true, false); err != nil {
			return err
		}
		if err := m.finish(ctx, c.steps); err != nil {
			return err
		}
		after, err := m.live(ctx)
		if err != nil {
			return err
		}
		got = after.facts
		if a.Diff = m.difference(got); opts.Superset {
			a.Diff = a.Diff.WithoutExtra()
		}
		if !a.Diff.Empty() { // somebody else changed it meanwhile
			return ErrDrift
		}
	}
	if !catalog.Contains(got, m.known(1)) {
		a.Notes = append(a.Notes, redundantNote)
	}
	for next := 1; next != a.Version; next = m.covered(got, a.Version, m.Latest()) {
		a.Version = next
	}
	return nil
}

// driftError is ErrDrift with advice.
func driftError(a *Adoption, opts AdoptOptions) error {
	var help []string
	if len(a.Complete) > 0 && !opts.Complete {
		help = append(help, "adopt --complete makes what is missing")
	}
	if len(a.Diff.Extra) > 0 {
		help = append(help, "--superset accepts what is extra")
	}
	if len(a.Remedies) > 0 {
		help = append(help, "what is left to you is listed")
	}
	return fmt.Errorf("%w, and nothing was changed: %s", ErrDrift, strings.Join(help, "; "))
}

// difference compares a catalog with that of the first migration. What later migrations make is no difference, unless
// it is incomplete or defined differently.
func (m *Migrator) difference(got []catalog.Fact) catalog.Diff {
	base := slices.DeleteFunc(m.known(1), func(f catalog.Fact) bool { return f.Name == redundantIndex })
	latest := catalog.Compare(m.known(m.Latest()), got)
	diff := catalog.Compare(base, got)
	diff.Extra = latest.Extra
	for _, c := range latest.Different {
		if !slices.Contains(diff.Different, c) {
			diff.Different = append(diff.Different, c)
		}
	}
	for _, s := range m.steps[1:] {
		if happened, half := m.happened(got, s.Version); !happened {
			diff.Missing = append(diff.Missing, half.Missing...)
		}
	}
	return diff
}

const (
	countMisplaced = `SELECT pg_catalog.count(*) FROM SCHEMA."account" WHERE provider_id = 'credential' AND account_id <> user_id`
	countCapitals  = `SELECT pg_catalog.count(*) FROM SCHEMA."user" WHERE email <> pg_catalog.lower(email)`
)

// LowerEmails is the SQL that lowers the addresses counted in Capitals of [Adoption], except those that two users would
// then share.
const LowerEmails = `UPDATE "user" u SET email = pg_catalog.lower(email) WHERE email <> pg_catalog.lower(email) ` +
	`AND NOT EXISTS (SELECT FROM "user" o WHERE o.id <> u.id AND pg_catalog.lower(o.email) = pg_catalog.lower(u.email));`

// fixes are the rules, in order, that resolve rows which unique indexes would refuse. Each returns the ids of the rows
// that it changed, and what it did; no row is changed twice. A rule whose column does not exist is skipped.
var fixes = []struct{ table, column, sql string }{
	// An identity stays with the user who had it first, in the row with a password, otherwise in the row updated last. The
	// identity of a credential account is its user, whatever account_id says: Better Auth 1.7 finds a password only under
	// the user's own id.
	{"account", "id", `WITH identified AS (
			SELECT id, provider_id, account_id, user_id, password, created_at, updated_at,
				CASE WHEN provider_id = 'credential' THEN user_id ELSE account_id END AS identity
			FROM SCHEMA."account"
		), owned AS (
			SELECT *, pg_catalog.first_value(user_id) OVER (PARTITION BY provider_id, identity ORDER BY created_at, id) AS owner
			FROM identified
		), ranked AS (
			SELECT id, pg_catalog.first_value(id) OVER w AS kept
			FROM owned
			WINDOW w AS (PARTITION BY provider_id, identity ORDER BY user_id <> owner, password IS NULL,
				updated_at DESC, account_id <> identity, created_at DESC, id DESC)
		)
		DELETE FROM SCHEMA."account" a USING ranked
		WHERE a.id = ranked.id AND ranked.id <> ranked.kept
		RETURNING a.id, 'deleted, duplicate of ' || ranked.kept`},
	{"account", "id", `UPDATE SCHEMA."account" SET account_id = user_id
		WHERE provider_id = 'credential' AND account_id <> user_id
		RETURNING id, 'account_id set to the user''s id'`},
	// The oldest membership stays, with the roles of all.
	{"member", "id", `WITH roles AS (
			SELECT organization_id, user_id, role, pg_catalog.min(place) AS place FROM (
				SELECT m.organization_id, m.user_id, r.role,
					pg_catalog.row_number() OVER (PARTITION BY m.organization_id, m.user_id ORDER BY m.created_at, m.id, r.n) AS place
				FROM SCHEMA."member" m, pg_catalog.regexp_split_to_table(pg_catalog.btrim(m.role), '[[:space:]]*,[[:space:]]*') WITH ORDINALITY r (role, n)
				WHERE (SELECT pg_catalog.count(*) FROM SCHEMA."member" d
					WHERE d.organization_id = m.organization_id AND d.user_id = m.user_id) > 1
			) every GROUP BY organization_id, user_id, role
		), merged AS (
			SELECT organization_id, user_id, pg_catalog.string_agg(role, ',' ORDER BY place) AS role
			FROM roles WHERE role <> '' GROUP BY organization_id, user_id
		), oldest AS (
			SELECT DISTINCT ON (organization_id, user_id) id, organization_id, user_id
			FROM SCHEMA."member" ORDER BY organization_id, user_id, created_at, id
		)
		UPDATE SCHEMA."member" m SET role = merged.role
		FROM merged JOIN oldest USING (organization_id, user_id)
		WHERE m.id = oldest.id AND m.role <> merged.role
		RETURNING m.id, 'role set to all that its duplicates had'`},
	{"member", "id", `WITH ranked AS (
			SELECT id, pg_catalog.first_value(id) OVER (PARTITION BY organization_id, user_id ORDER BY created_at, id) AS kept
			FROM SCHEMA."member"
		)
		DELETE FROM SCHEMA."member" m USING ranked
		WHERE m.id = ranked.id AND ranked.id <> ranked.kept
		RETURNING m.id, 'deleted, duplicate of ' || ranked.kept`},
	// The membership with Better Auth 1.7's key stays, otherwise the oldest. The column need not exist yet.
	{"team_member", "team_id", `WITH ranked AS (
			SELECT id, pg_catalog.first_value(id) OVER (PARTITION BY team_id, user_id
				ORDER BY pg_catalog.to_jsonb(tm) ->> 'membership_key' IS NULL, created_at NULLS LAST, id) AS kept
			FROM SCHEMA."team_member" tm
		)
		DELETE FROM SCHEMA."team_member" m USING ranked
		WHERE m.id = ranked.id AND ranked.id <> ranked.kept
		RETURNING m.id, 'deleted, duplicate of ' || ranked.kept`},
	// A key that is not made of the row's own team and user is another row's; migration 4 makes the right one.
	{"team_member", "membership_key", `UPDATE SCHEMA."team_member" SET membership_key = NULL
		WHERE membership_key IN (SELECT membership_key FROM SCHEMA."team_member" GROUP BY membership_key HAVING pg_catalog.count(*) > 1)
			AND membership_key <> pg_catalog.translate(pg_catalog.rtrim(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
				'[' || pg_catalog.to_json(team_id)::text || ',' || pg_catalog.to_json(user_id)::text || ']', 'UTF8')), 'base64'), '='), '+/', '-_')
		RETURNING id, 'membership_key cleared, it was another row''s'`},
	// The counts of the teams that lost a row, wherever a deletion made the count wrong.
	{"team", "member_count", `UPDATE SCHEMA."team" SET member_count = (SELECT pg_catalog.count(*) FROM SCHEMA."team_member" m WHERE m.team_id = "team".id)
		WHERE id = ANY ($1) AND member_count <> (SELECT pg_catalog.count(*) FROM SCHEMA."team_member" m WHERE m.team_id = "team".id)
		RETURNING id, 'member_count set to the number of its members'`},
}

const duplicateTeams = `SELECT pg_catalog.array_agg(DISTINCT team_id) FROM (
	SELECT team_id FROM SCHEMA."team_member" GROUP BY team_id, user_id HAVING pg_catalog.count(*) > 1) d`

var errRollback = errors.New("roll back")

// fix runs the rules in one transaction. Meanwhile others can read the tables but not write to them.
func (m *Migrator) fix(ctx context.Context, dryRun bool) (done []Fix, err error) {
	err = pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		done = []Fix{}
		if err := m.send(ctx, timeouts("SET LOCAL ", m.opts.LockTimeout, 0)+"; "+m.in(
			`LOCK TABLE SCHEMA."account", SCHEMA."member", SCHEMA."team", SCHEMA."team_member" IN SHARE ROW EXCLUSIVE MODE`)); err != nil {
			return lockTimeout(err)
		}
		if err := m.trust(ctx, true, false); err != nil { // again: those it waited for may have hung triggers
			return err
		}
		var teams []string
		for _, f := range fixes {
			there, err := m.has(ctx, quote(f.table), f.column)
			if err == nil && there && f.column == "team_id" {
				err = tx.QueryRow(ctx, m.in(duplicateTeams)).Scan(&teams)
			}
			var args []any
			if f.column == "member_count" {
				args = []any{teams}
			}
			if err == nil && there {
				err = collectFixes(ctx, tx, &done, f.table, m.in(f.sql), args...)
			}
			if err != nil {
				return err
			}
		}
		if err := m.checkReferences(ctx, tx, done); err != nil {
			return err
		}
		if dryRun {
			return errRollback
		}
		return nil
	})
	if errors.Is(err, errRollback) {
		err = nil
	}
	return done, err
}

// checkReferences refuses fixes by which rows of another table were deleted or changed too: through a foreign key that
// follows a deletion, or an update of a column that the fixes set.
func (m *Migrator) checkReferences(ctx context.Context, tx pgx.Tx, done []Fix) error {
	rows, err := tx.Query(ctx, `SELECT conrelid::regclass::text, t.relname, confdeltype IN ('c', 'n', 'd'), confupdtype IN ('c', 'n', 'd')
			AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = confrelid AND a.attnum = ANY (confkey)
				AND a.attname IN ('account_id', 'role', 'membership_key', 'member_count'))
		FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = confrelid
		WHERE contype = 'f' AND confrelid IN (pg_catalog.to_regclass($1), pg_catalog.to_regclass($2), pg_catalog.to_regclass($3),
			pg_catalog.to_regclass($4)) ORDER BY 1, 2`,
		m.in(`SCHEMA."account"`), m.in(`SCHEMA."member"`), m.in(`SCHEMA."team_member"`), m.in(`SCHEMA."team"`))
	if err != nil {
		return err
	}
	var from, to string
	var deletes, updates bool
	_, err = pgx.ForEachRow(rows, []any{&from, &to, &deletes, &updates}, func() error {
		for _, f := range done {
			deleted := strings.HasPrefix(f.Action, "deleted")
			switch {
			case f.Table != to:
			case deleted && deletes:
				return fmt.Errorf("rows of %s would be deleted or changed along with duplicates of %s, to which it refers: "+
					"resolve these by hand; nothing was changed", from, to)
			case !deleted && updates:
				return fmt.Errorf("rows of %s would be changed along with those of %s, to which it refers: "+
					"resolve these by hand; nothing was changed", from, to)
			}
		}
		return nil
	})
	return err
}

func collectFixes(ctx context.Context, tx pgx.Tx, done *[]Fix, table, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	f := Fix{Table: table}
	_, err = pgx.ForEachRow(rows, []any{&f.ID, &f.Action}, func() error {
		*done = append(*done, f)
		return nil
	})
	return err
}
