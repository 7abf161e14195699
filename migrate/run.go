package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// SQLSTATE codes, as in PostgreSQL's appendix A.
const (
	uniqueViolation  = "23505"
	lockNotAvailable = "55P03"
	dependentObjects = "2BP01"
)

// stall is how long a migration waits for a table's lock before it lets those go first who queue behind it.
const stall = 150 * time.Millisecond

// Up applies every migration that the database lacks, if any.
//
// Before it changes anything it returns [ErrDirty], [ErrForeignTables], [ErrNotOurs], [ErrNoTables] or, for rows that a
// unique index would refuse, a [*DuplicatesError]. Later it returns [ErrLockTimeout] or PostgreSQL's error for a
// migration. A migration that fails leaves nothing behind, and those before it stay applied. They also stay when what
// one of them made is not ours ([ErrNotOurs]), which default privileges can cause. When ctx ends, Up stops after the
// migration that is under way; see [Migrator.Cancel].
func (m *Migrator) Up(ctx context.Context) error { return m.UpTo(ctx, m.Latest()) }

// UpBy applies the next n migrations that the database lacks. Its errors are those of Up.
func (m *Migrator) UpBy(ctx context.Context, n int) error {
	version, err := m.begin(ctx)
	if err != nil {
		return err
	}
	return m.UpTo(ctx, min(version+n, m.Latest()))
}

// Down undoes the newest n migrations, or as many as there are. It drops their tables and columns with the data in them
// and does not ask. Its errors are those of Up.
func (m *Migrator) Down(ctx context.Context, n int) error {
	version, err := m.begin(ctx)
	if err != nil {
		return err
	}
	return m.Goto(ctx, max(version-n, 0))
}

// Goto applies or undoes migrations until version is the newest applied one; 0 undoes all. Like Down it drops tables
// and columns and does not ask; [Migrator.UpTo] never undoes. Its errors are those of Up, and [ErrUnknownVersion].
func (m *Migrator) Goto(ctx context.Context, version int) error { return m.move(ctx, version, true) }

// UpTo applies migrations until version is the newest applied one. If the database is newer, it returns [ErrUndoes] and
// changes nothing; its other errors are those of Goto.
func (m *Migrator) UpTo(ctx context.Context, version int) error { return m.move(ctx, version, false) }

func (m *Migrator) move(ctx context.Context, version int, undo bool) error {
	if version != 0 {
		if _, err := m.step(version); err != nil {
			return err
		}
	}
	current, err := m.begin(ctx)
	if err != nil {
		return err
	}
	if current == version && current != 0 {
		noted, err := m.history(ctx)
		if err != nil {
			return plain(err)
		}
		if newest(noted) == current { // saying so needs no rights
			m.log.Info("nothing to do", "version", current)
			return m.checkTables(ctx, current)
		}
	}
	if err := m.checkTarget(ctx, current, version); err != nil {
		return err
	}
	if version < current && !undo {
		return fmt.Errorf("%w: the database is at version %d; nothing was changed", ErrUndoes, current)
	}
	if err := m.open(ctx); err != nil {
		return err
	}
	for current != version {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted; the database is at version %d: %w", current, err)
		}
		if current, err = m.next(ctx, current, version); err != nil {
			return err
		}
	}
	return m.checkTables(ctx, version)
}

// begin takes the lock and returns the current version, which must be clean.
func (m *Migrator) begin(ctx context.Context) (int, error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	return m.clean(ctx)
}

// checkTarget returns the error, if any, that forbids the way from one version to another.
func (m *Migrator) checkTarget(ctx context.Context, current, version int) error {
	if current != 0 {
		if _, err := m.step(current); err != nil {
			return fmt.Errorf("the database is newer than this program: %w", err)
		}
		if err := m.checkTables(ctx, current); err != nil {
			return err
		}
	} else if version > 0 {
		foreign, err := m.hasTables(ctx)
		if err != nil {
			return err
		}
		if foreign {
			return ErrForeignTables
		}
	}
	if err := m.trust(ctx, true, false); err != nil {
		return err
	}
	return m.checkDuplicates(ctx, current, version)
}

func (m *Migrator) hasTables(ctx context.Context) (exist bool, err error) {
	err = m.conn.QueryRow(ctx, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", m.in(`SCHEMA."user"`)).Scan(&exist)
	return exist, err
}

// next takes one step towards version, or passes over migrations whose objects exist already, and returns the new
// version.
func (m *Migrator) next(ctx context.Context, current, version int) (int, error) {
	if current > version {
		step, err := m.step(current)
		if err != nil {
			return current, err
		}
		shared, err := m.isShared(ctx)
		if err != nil {
			return current, err
		}
		if shared && strings.Contains(step.Down, `"`+catalog.Own+`"`) {
			m.log.Info("kept, for another schema of this database", "name", step.Name)
			return current - 1, m.set(ctx, current-1)
		}
		if err := m.run(ctx, step, false); err != nil {
			return current, err
		}
		return current - 1, nil
	}
	there, err := m.alreadyThere(ctx, current, version)
	if err != nil {
		return current, err
	}
	if there > current {
		if err := m.trust(ctx, true, false); err != nil { // the objects that exist may be a stranger's
			return current, err
		}
		m.log.Info("already there", "from", current+1, "to", there)
		return there, m.set(ctx, there)
	}
	step, err := m.step(current + 1)
	if err != nil {
		return current, err
	}
	if err := m.run(ctx, step, true); err != nil {
		return current, err
	}
	return step.Version, nil
}

// isShared reports whether another schema of the database is migrated too. Both use what migrations make in authdb's
// own schema.
func (m *Migrator) isShared(ctx context.Context) (shared bool, err error) {
	err = m.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'authdb' AND c.relkind = 'r' AND pg_catalog.starts_with(c.relname::text, 'schema_migrations') AND c.relname::text <> $1::text)`,
		m.ledger.versions).Scan(&shared)
	return shared, plain(err)
}

// run applies or undoes one migration.
func (m *Migrator) run(ctx context.Context, step migrations.Migration, up bool) error {
	start := time.Now()
	end, wait := start.Add(m.opts.LockTimeout), stall
	if step.Index != nil {
		if n, err := m.sessionPartitions(ctx); err != nil || n > 0 && step.Index.Table == `"session"` {
			return errors.Join(err, fmt.Errorf("%s: session has %d partitions, where PostgreSQL makes and drops no index CONCURRENTLY; "+
				"the database is at version %d", step.Name, n, target(step, !up)))
		}
		if up {
			if _, err := m.dropInvalid(ctx, step.Index, m.opts.LockTimeout); err != nil { // left by an interrupted build
				return err
			}
		}
		wait = max(stall, time.Until(end)) // CONCURRENTLY blocks nobody
	}
	return m.patiently(ctx, step.Name, end, wait, func() error {
		alone, err := m.migrate(step, up, wait)
		if alone && err != nil { // it ran; only the version is missing
			err = m.set(context.WithoutCancel(ctx), target(step, up))
		}
		if err != nil {
			return m.settle(ctx, err, step, up)
		}
		m.log.Info("migrated", "name", step.Name, "version", target(step, up), "took", time.Since(start).Round(time.Millisecond))
		return nil
	})
}

// patiently repeats until end what waits for a lock only briefly, since every reader queues behind that wait.
func (m *Migrator) patiently(ctx context.Context, name string, end time.Time, wait time.Duration, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, ErrLockTimeout) || time.Now().Add(wait).After(end) {
			return err
		}
		m.log.Info("waiting for a lock", "name", name)
		if err := pause(ctx, stall+rand.N(stall)); err != nil {
			return err
		}
	}
}

// writtenTables finds the tables whose rows a migration writes.
var writtenTables = regexp.MustCompile(`(?m)^(?:INSERT INTO|UPDATE|DELETE FROM) ("\w+")`)

// ready checks, in the transaction of a migration, that all is still ours: earlier migrations made tables and waited
// for others. It first locks the tables that the migration writes.
func (m *Migrator) ready(ctx context.Context, step migrations.Migration) error {
	for _, table := range writtenTables.FindAllStringSubmatch(step.Up+step.Down, -1) {
		if _, err := m.conn.Exec(ctx, m.in("LOCK TABLE SCHEMA."+table[1]+" IN ROW EXCLUSIVE MODE")); err != nil {
			return err
		}
	}
	return m.trust(ctx, true, false)
}

// target is the version that a step leads to.
func target(step migrations.Migration, up bool) int {
	if up {
		return step.Version
	}
	return step.Version - 1
}

// settle cleans up after a failed step and says where it left the database. What PostgreSQL refused left nothing,
// except that an index built or dropped CONCURRENTLY may stay INVALID: settle drops it and sets the version back.
func (m *Migrator) settle(ctx context.Context, err error, step migrations.Migration, up bool) error {
	ctx = context.WithoutCancel(ctx) // the clean-up must not be cut short
	refusal := refusalOf(err)
	if refusal == nil || m.conn.IsClosed() {
		return plain(err)
	}
	version, left := target(step, !up), ""
	if step.Index != nil {
		invalid, err := m.dropInvalid(ctx, step.Index, stall)
		if invalid {
			version = step.Version - 1
		}
		if err != nil { // the next build drops it
			left = fmt.Sprintf(", with an INVALID index %s", step.Index.Name)
		}
		if err := m.set(ctx, version); err != nil {
			return errors.Join(refusal, err)
		}
	}
	switch {
	case refusal.Code == lockNotAvailable:
		return fmt.Errorf("%w: %s waits for another session; the database is at version %d%s", ErrLockTimeout, step.Name, version, left)
	case refusal.Code == uniqueViolation && up && step.Index != nil:
		if d, err := m.findDuplicates(ctx, step.Index); err == nil && d.Keys > 0 {
			return &DuplicatesError{Found: []Duplicates{d}, Version: version, Changed: true}
		}
	}
	return fmt.Errorf("%s was refused, and the database is at version %d%s: %w", step.Name, version, left, refusal)
}

// set sets a clean version and the history that goes with it.
func (m *Migrator) set(ctx context.Context, version int) error {
	return pgx.BeginFunc(ctx, m.conn, func(pgx.Tx) error {
		if err := m.write(ctx, version, false); err != nil {
			return lockTimeout(plain(err))
		}
		return m.align(ctx, version)
	})
}

// Force sets which migration is the newest applied one, 0 for none, and marks the database clean. It does not look at
// the schema; [Migrator.Repair] does. It returns [ErrUnknownVersion].
func (m *Migrator) Force(ctx context.Context, version int) error {
	if version != 0 {
		if _, err := m.step(version); err != nil {
			return err
		}
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	if err := m.open(ctx); err != nil {
		return err
	}
	return m.set(ctx, version)
}

// Drop undoes every migration and removes the version table, and with them everything of authdb's. What is not authdb's
// stays. It does not ask. It returns [ErrDirty] or PostgreSQL's error.
func (m *Migrator) Drop(ctx context.Context) error {
	if err := m.Goto(ctx, 0); err != nil {
		return err
	}
	m.opened = false
	if _, err := m.conn.Exec(ctx, "DROP TABLE "+at(m.ledger.history)+", "+at(m.ledger.versions)); err != nil {
		return plain(err)
	}
	_, err := m.conn.Exec(ctx, `DROP SCHEMA "authdb"`)
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == dependentObjects {
		err = nil // somebody else keeps something there
	}
	return plain(err)
}

// Cancel ends the statement that another goroutine has under way; PostgreSQL undoes what it did.
func (m *Migrator) Cancel(ctx context.Context) error {
	if err := m.conn.PgConn().CancelRequest(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrConnect, err)
	}
	return nil
}

// refusalOf returns PostgreSQL's error for a migration that it surely did not complete, or nil.
func refusalOf(err error) *pgconn.PgError {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || said.SeverityUnlocalized != "ERROR" { // FATAL: the connection is gone
		return nil
	}
	return withoutDetail(said)
}

// withoutDetail leaves out the fields that quote values of a row.
func withoutDetail(e *pgconn.PgError) *pgconn.PgError {
	return &pgconn.PgError{Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: e.Message}
}

// plain is err without the fields that quote values of a row.
func plain(err error) error {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return withoutDetail(said)
	}
	return err
}

// lockTimeout turns PostgreSQL's lock time-out into ErrLockTimeout.
func lockTimeout(err error) error {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == lockNotAvailable {
		return fmt.Errorf("%w: another session holds a lock", ErrLockTimeout)
	}
	return err
}
