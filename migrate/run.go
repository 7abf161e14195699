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

// stall is how long a migration may wait for the lock of a table before it gives way to those who queue behind it.
const stall = 150 * time.Millisecond

// Up applies every migration that the database lacks; none is no error.
//
// It returns [ErrDirty], [ErrForeignTables], [ErrNotOurs], [ErrNoTables], a [*DuplicatesError] for rows that a unique
// index will refuse, all five before anything is changed, [ErrLockTimeout], or what the server said to a migration. A
// migration that the server refused leaves nothing behind, and those before it stay applied; so do they where what one
// of them made is not ours ([ErrNotOurs]), as default privileges have it. ctx ends it after the migration that is under
// way; see [Migrator.Cancel].
func (m *Migrator) Up(ctx context.Context) error { return m.UpTo(ctx, m.Latest()) }

// UpBy applies the next n migrations that the database lacks. Its errors are those of Up.
func (m *Migrator) UpBy(ctx context.Context, n int) error {
	version, err := m.begin(ctx)
	if err != nil {
		return err
	}
	return m.UpTo(ctx, min(version+n, m.Latest()))
}

// Down undoes the newest n migrations, or as many as there are, with their tables and columns and what is in them: it
// asks nobody. Its errors are those of Up.
func (m *Migrator) Down(ctx context.Context, n int) error {
	version, err := m.begin(ctx)
	if err != nil {
		return err
	}
	return m.Goto(ctx, max(version-n, 0))
}

// Goto applies or undoes migrations until version is the newest applied one; 0 undoes all. What it undoes takes tables
// and columns along, as Down does, and it asks nobody: [Migrator.UpTo] never undoes. Its errors are those of Up, and
// [ErrUnknownVersion].
func (m *Migrator) Goto(ctx context.Context, version int) error { return m.move(ctx, version, true) }

// UpTo applies migrations until version is the newest applied one. It returns [ErrUndoes], before anything is changed,
// where that is behind the database; its other errors are those of Goto.
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
		if newest(noted) == current { // for which no right is needed
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

// begin takes the lock and returns the current version, which must be a clean one.
func (m *Migrator) begin(ctx context.Context) (int, error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	return m.clean(ctx)
}

// checkTarget says why the way from one version to another is not taken.
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

// next takes one step towards version, or over those whose objects are there already, and returns where that led.
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
		if err := m.trust(ctx, true, false); err != nil { // of what was looked for: it may be a stranger's
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

// isShared reports whether another schema of the database is migrated too: what migrations make in authdb's own schema is
// there for both.
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
			if _, err := m.dropInvalid(ctx, step.Index, m.opts.LockTimeout); err != nil { // of a build that was ended
				return err
			}
		}
		wait = max(stall, time.Until(end)) // which blocks nobody
	}
	return m.patiently(ctx, step.Name, end, wait, func() error {
		alone, err := m.migrate(step, up, wait)
		if alone && err != nil { // only its note is missing
			err = m.set(context.WithoutCancel(ctx), target(step, up))
		}
		if err != nil {
			return m.settle(ctx, err, step, up)
		}
		m.log.Info("migrated", "name", step.Name, "version", target(step, up), "took", time.Since(start).Round(time.Millisecond))
		return nil
	})
}

// patiently does what waits for a lock only briefly, since every reader queues behind it, again and again until end.
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

// ready asks in the transaction of a migration whether all is ours still: those before it made tables, and waited for
// others. It asks under a lock of the tables that it will write to.
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

// settle says what a step that failed has come to. One that the server refused has left nothing, but for an index built
// or dropped CONCURRENTLY, which may stay as an INVALID one: that is dropped, and the version is what it was.
func (m *Migrator) settle(ctx context.Context, err error, step migrations.Migration, up bool) error {
	ctx = context.WithoutCancel(ctx) // or what is left would stay for ever
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

// set sets the version, with the history that goes with it, and that the database is clean.
func (m *Migrator) set(ctx context.Context, version int) error {
	return pgx.BeginFunc(ctx, m.conn, func(pgx.Tx) error {
		if err := m.write(ctx, version, false); err != nil {
			return lockTimeout(plain(err))
		}
		return m.align(ctx, version)
	})
}

// Force says which migration is the newest applied one, without a look at the schema, and that the database is clean;
// 0 is none. It returns [ErrUnknownVersion]. [Migrator.Repair] looks.
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

// Drop undoes every migration and removes the version table: what is left of authdb is nothing. What is not authdb's
// stays. It asks nobody. It returns [ErrDirty] or what the server said.
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
		err = nil // somebody keeps something else there
	}
	return plain(err)
}

// Cancel ends the statement that another goroutine has under way; the server undoes what it did.
func (m *Migrator) Cancel(ctx context.Context) error {
	if err := m.conn.PgConn().CancelRequest(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrConnect, err)
	}
	return nil
}

// refusalOf returns what the server said to a migration that it did not complete, nil if it may have done.
func refusalOf(err error) *pgconn.PgError {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || said.SeverityUnlocalized != "ERROR" { // FATAL: the connection is gone
		return nil
	}
	return withoutDetail(said)
}

// withoutDetail leaves out what quotes values of a row.
func withoutDetail(e *pgconn.PgError) *pgconn.PgError {
	return &pgconn.PgError{Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: e.Message}
}

// plain is err without what quotes values of a row.
func plain(err error) error {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return withoutDetail(said)
	}
	return err
}

// lockTimeout tells a lock that the server gave up waiting for.
func lockTimeout(err error) error {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == lockNotAvailable {
		return fmt.Errorf("%w: another session holds a lock", ErrLockTimeout)
	}
	return err
}
