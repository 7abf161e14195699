package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// Verification is what Verify found.
type Verification struct {
	Version  int          `json:"version"`  // the one that the schema was compared with
	Family   string       `json:"family"`   // who named the constraints: catalog.FamilyA or B
	Expected string       `json:"expected"` // what it was compared with: scratch schema or program
	Notes    []string     `json:"notes"`    // what the differences mean, and other things worth knowing
	Diff     catalog.Diff `json:"diff"`
}

// VerifyOptions change what counts as drift.
type VerifyOptions struct {
	Superset bool // accept tables, columns, indexes and so on that the migrations do not make
}

// What PostgreSQL answers if no scratch schema can be made.
const (
	insufficientPrivilege = "42501"
	readOnly              = "25006"
)

// redundantIndex is a second unique index on a column that has a unique constraint. It has no use, and ZeroStarter
// dropped it later.
const redundantIndex = "organization.organization_slug_uidx"

const redundantNote = "index " + redundantIndex + " is missing; the unique constraint on that column makes it redundant"

// Verify compares the catalog with what the migrations up to the database's version make, or, if no migration made the
// tables, as with Drizzle, with what all of them make. It runs the migrations in a scratch schema, in a transaction
// that it rolls back. If the role may not create one, or PostgreSQL is a standby, it goes by what this program was
// built with. It returns [ErrDrift], with the difference in the Verification, [ErrNoTables] or [ErrDirty].
func (m *Migrator) Verify(ctx context.Context, opts VerifyOptions) (Verification, error) {
	version, err := m.clean(ctx)
	if err != nil {
		return Verification{}, err
	}
	if version > 0 {
		return m.verify(ctx, version, opts)
	}
	foreign, err := m.hasTables(ctx)
	if err != nil {
		return Verification{}, err
	}
	if !foreign {
		return Verification{}, fmt.Errorf("%w: schema %s has none: run up, or name the schema that has them in search_path",
			ErrNoTables, pgx.Identifier{m.schema}.Sanitize())
	}
	v, err := m.verify(ctx, m.Latest(), opts)
	if errors.Is(err, ErrDrift) {
		err = fmt.Errorf("%w: run adopt, and up", err)
	}
	v.Notes = append(v.Notes, "no migration made these tables; they are compared with what all make")
	return v, err
}

func (m *Migrator) verify(ctx context.Context, version int, opts VerifyOptions) (Verification, error) {
	want, source, err := m.expected(ctx, version)
	if err != nil {
		return Verification{}, err
	}
	got, err := m.live(ctx)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Version: version, Family: got.family, Expected: source}
	v.Diff = catalog.Compare(want, got.facts)
	v.Notes = append(append(m.unfilled(v.Diff.Extra), remedy(v.Diff)...), got.notes()...)
	around, err := m.surroundings(ctx)
	if err != nil {
		return Verification{}, err
	}
	v.Notes = append(v.Notes, around...)
	if opts.Superset {
		v.Diff = v.Diff.WithoutExtra()
	}
	v.Diff.Missing = slices.DeleteFunc(v.Diff.Missing, func(f catalog.Fact) bool {
		if f.Name != redundantIndex {
			return false
		}
		v.Notes = append(v.Notes, redundantNote)
		return true
	})
	shared, err := m.isShared(ctx)
	if err != nil {
		return v, err
	}
	v.Diff.Extra = slices.DeleteFunc(v.Diff.Extra, func(f catalog.Fact) bool {
		return shared && strings.HasPrefix(f.Name, catalog.Own+".") // the other schema's
	})
	if !v.Diff.Empty() {
		return v, ErrDrift
	}
	return v, nil
}

// unfilled returns a note for each extra column of our tables that every insert must name, which authdb's do not.
func (m *Migrator) unfilled(extra []catalog.Fact) []string {
	notes := []string{}
	for _, f := range extra {
		ours := slices.ContainsFunc(m.known(m.Latest()), func(k catalog.Fact) bool {
			return k.Kind == "table" && strings.HasPrefix(f.Name, k.Name+".")
		})
		if _, rest, required := strings.Cut(f.Def, " NOT NULL"); ours && required && rest == "" && f.Kind == "column" {
			notes = append(notes, "column "+f.Name+" is NOT NULL without a default: authdb's inserts, which do not name it, will fail")
		}
	}
	return notes
}

// reading is what live read.
type reading struct {
	facts   []catalog.Fact
	family  string
	retyped []catalog.Fact // columns that are tolerated although they have another type
	filled  []string       // columns that are tolerated although they have a default

	partitions int // of session; 0: none
}

func (r reading) notes() (notes []string) {
	var retyped []string
	for _, f := range r.retyped {
		retyped = append(retyped, f.Name)
	}
	if len(retyped) > 0 {
		notes = append(notes, "times of another type, which works as well: "+strings.Join(retyped, ", "))
	}
	if len(r.filled) > 0 {
		notes = append(notes, "extra defaults, which do no harm: "+strings.Join(r.filled, ", "))
	}
	if r.partitions > 0 {
		notes = append(notes, fmt.Sprintf("session has %d partitions by token: no key prevents two sessions with one id", r.partitions))
	}
	return notes
}

// live reads the facts of the schemas that the tables are in. Where a name or a definition differs without meaning
// anything, it is replaced by the migrations'.
func (m *Migrator) live(ctx context.Context) (r reading, err error) {
	if r.facts, err = catalog.Read(ctx, m.conn, m.schema, catalog.Own); err != nil {
		return r, lockTimeout(err)
	}
	r.facts, r.partitions = catalog.Undivided(r.facts)
	r.facts, r.family = catalog.Normalize(r.facts, m.known(m.Latest()))
	r.facts, r.retyped, r.filled = catalog.Tolerate(r.facts, m.known(m.Latest()))
	return r, nil
}

// expected returns what the migrations up to version make.
func (m *Migrator) expected(ctx context.Context, version int) ([]catalog.Fact, string, error) {
	facts, err := m.scratch(ctx, version)
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && (said.Code == insufficientPrivilege || said.Code == readOnly) {
		return m.known(version), "program", nil
	}
	// Default privileges and event triggers add to a new schema what no migration makes.
	known := m.known(version)
	facts = slices.DeleteFunc(facts, func(f catalog.Fact) bool {
		return slices.Contains([]string{"grant", "policy", "row security", "rule", "trigger"}, f.Kind) && !slices.Contains(known, f)
	})
	return facts, "scratch schema", plain(err)
}

// scratch runs the migrations in a schema that nobody else ever sees, with a second one in place of authdb's own.
// Indexes are built in the transaction, so not CONCURRENTLY.
func (m *Migrator) scratch(ctx context.Context, version int) (facts []catalog.Fact, err error) {
	tx, err := m.conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx))) }()
	schema := "authdb_scratch_" + strings.ToLower(rand.Text()) // nobody can have made it before
	own := schema + "_own"
	inScratch := strings.NewReplacer("CONCURRENTLY ", "", `"`+catalog.Own+`"`, own)
	if _, err := tx.Exec(ctx, "CREATE SCHEMA "+schema+"; SET LOCAL search_path = "+schema+", pg_temp"); err != nil {
		return nil, err
	}
	for _, s := range m.steps {
		if s.Version > version {
			break
		}
		if _, err := tx.Exec(ctx, inScratch.Replace(s.Up)); err != nil {
			return nil, fmt.Errorf("%s in a scratch schema: %w", s.Name, err)
		}
	}
	return catalog.Read(ctx, tx, schema, own)
}

// known returns what the migrations up to version make, as this program was built with.
func (m *Migrator) known(version int) []catalog.Fact {
	facts := []catalog.Fact{}
	for _, change := range changes() {
		if change.Version > version {
			break
		}
		facts = append(catalog.Minus(facts, change.Removed), change.Added...)
	}
	return catalog.Sort(facts)
}

// alreadyThere returns the newest version for which every object that the migrations after current make exists already,
// such as Better Auth's own columns. It returns current if the next migration has something to do, such as to change
// rows.
func (m *Migrator) alreadyThere(ctx context.Context, current, version int) (int, error) {
	if current == 0 {
		return 0, nil // an empty schema, or Adopt's business
	}
	got, err := m.live(ctx)
	if err != nil {
		return current, err
	}
	return m.covered(got.facts, current, version), nil
}

// covered is alreadyThere for given facts. If a migration makes what the next one removes, such as an index that
// becomes a constraint's, the two count together.
func (m *Migrator) covered(got []catalog.Fact, current, version int) int {
	before := m.known(current)
	for to := current + 1; to <= min(version, current+2); to++ {
		after := m.known(to)
		if catalog.Compare(m.known(to-1), after).Empty() {
			return current // it makes nothing, but may change rows
		}
		if added := catalog.Minus(after, before); len(added) > 0 && catalog.Contains(got, added) {
			return to
		}
	}
	return current
}
