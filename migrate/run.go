package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/db/migrations"
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
// migration that the server refused leaves nothing behind, and those before it stay applied; so do they where what one of
// them made is not ours ([ErrNotOurs]), as default privileges have it. ctx ends it after the migration that is under way;
// see [Migrator.Cancel].
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
	version, dirty, err := m.Version(ctx)
	if err == nil && dirty {
		err = errRunRepair
	}
	return version, err
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
	err = m.conn.QueryRow(ctx, is(m.in(`SCHEMA."user"`))).Scan(&exist)
	return exist, err
}

// next takes one step towards version, or over those whose objects are there already, and returns where that led.
func (m *Migrator) next(ctx context.Context, current, version int) (int, error) {
	if current > version {
		step, err := m.step(current)
		if err != nil {
			return current, err
		}
		if err := m.run(ctx, step, current-1); err != nil {
			return current, err
		}
		return current - 1, m.forget(context.WithoutCancel(ctx), current-1)
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
		if err := m.force(there); err != nil {
			return current, err
		}
		return there, m.remember(context.WithoutCancel(ctx), current, there)
	}
	step, err := m.step(current + 1)
	if err != nil {
		return current, err
	}
	if err := m.run(ctx, step, step.Version); err != nil {
		return current, err
	}
	return step.Version, m.remember(context.WithoutCancel(ctx), current, step.Version)
}

// run applies or undoes one migration, again and again where a lock is in the way, until LockTimeout is over. It waits
// for a lock only briefly, since every reader queues behind it; but for an index that is built CONCURRENTLY, which
// blocks nobody.
func (m *Migrator) run(ctx context.Context, step migrations.Migration, target int) error {
	if err := m.ready(ctx, step); err != nil {
		return err
	}
	start := time.Now()
	wait := stall
	if step.Index != nil {
		if target == step.Version {
			if _, err := m.dropInvalid(ctx, step.Index, m.opts.LockTimeout); err != nil { // of a build that was ended
				return err
			}
		}
		wait = max(stall, m.opts.LockTimeout-time.Since(start))
	}
	if err := m.set("statement_timeout", m.opts.StatementTimeout); err != nil {
		return err
	}
	for {
		if err := m.idle(ctx, start.Add(m.opts.LockTimeout)); err != nil {
			return err
		}
		if err := m.set("lock_timeout", wait); err != nil {
			return err
		}
		err := m.migrate(target)
		if err == nil {
			m.log.Info("migrated", "name", step.Name, "version", target, "took", time.Since(start).Round(time.Millisecond))
			return nil
		}
		if err = m.settle(ctx, err, step, target); err == nil {
			return nil
		}
		if !errors.Is(err, ErrLockTimeout) || step.Index != nil || time.Since(start)+wait > m.opts.LockTimeout {
			return err
		}
		m.log.Info("waiting for a lock", "name", step.Name)
		if err := pause(ctx, stall+rand.N(stall)); err != nil {
			return err
		}
	}
}

// writtenTables finds the tables whose rows a migration writes.
var writtenTables = regexp.MustCompile(`(?m)^(?:INSERT INTO|UPDATE|DELETE FROM) ("\w+")`)

// ready asks before each migration whether all is ours still: those before it made tables, and waited for others. It asks
// under a lock of the tables that it will write to, which no reader and no writer waits for.
func (m *Migrator) ready(ctx context.Context, step migrations.Migration) error {
	return pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		for _, table := range writtenTables.FindAllStringSubmatch(step.Up+step.Down, -1) {
			if _, err := tx.Exec(ctx, m.in("LOCK TABLE SCHEMA."+table[1]+" IN ROW EXCLUSIVE MODE")); err != nil {
				return lockTimeout(plain(err))
			}
		}
		return m.trust(ctx, true, false)
	})
}

// migrate is golang-migrate's step to target.
func (m *Migrator) migrate(target int) error {
	if target == 0 {
		return ignoreNoChange(m.engine.Steps(-1))
	}
	return ignoreNoChange(m.engine.Migrate(uint(target)))
}

func ignoreNoChange(err error) error {
	if errors.Is(err, migrate.ErrNoChange) {
		return nil
	}
	return err
}

// settle cleans up after a step that the server refused, which golang-migrate calls dirty and leaves to a person: a file
// is one transaction, but for an index built or dropped CONCURRENTLY, which may stay as an INVALID one.
func (m *Migrator) settle(ctx context.Context, err error, step migrations.Migration, target int) error {
	ctx = context.WithoutCancel(ctx) // or what is left would stay for ever
	refusal := refusalOf(err)
	if refusal == nil {
		if m.unnoted(ctx, err) {
			return lockTimeout(m.force(target))
		}
		return lockTimeout(err)
	}
	up := target == step.Version
	version := step.Version
	if up {
		version--
	}
	left := ""
	if step.Index != nil {
		invalid, err := m.dropInvalid(ctx, step.Index, stall)
		if invalid {
			version = step.Version - 1
		}
		if err != nil { // the next build drops it
			left = fmt.Sprintf(", with an INVALID index %s", step.Index.Name)
		}
	}
	if err := m.force(version); err != nil {
		return errors.Join(refusal, err)
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

// unnoted reports whether a migration was completed and only its version could not be written, as under somebody's lock
// on the version table: that table is called dirty before the file runs, and clean after it.
func (m *Migrator) unnoted(ctx context.Context, err error) bool {
	failure, ok := errors.AsType[*database.Error](err)
	if !ok {
		return false
	}
	said, ok := errors.AsType[*pgconn.PgError](failure.OrigErr)
	if !ok || said.SeverityUnlocalized != "ERROR" {
		return false
	}
	_, dirty, err := m.Version(ctx)
	return dirty && err == nil
}

// force sets the version, and that the database is clean.
func (m *Migrator) force(version int) error {
	if err := m.set("lock_timeout", m.opts.LockTimeout); err != nil {
		return err
	}
	if version == 0 {
		version = database.NilVersion
	}
	return m.engine.Force(version)
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
	if err := m.force(version); err != nil {
		return lockTimeout(err)
	}
	return m.align(ctx, version)
}

// Drop undoes every migration and removes the version table: what is left of authdb is nothing. What is not authdb's
// stays. It asks nobody. It returns [ErrDirty] or what the server said.
func (m *Migrator) Drop(ctx context.Context) error {
	if err := m.Goto(ctx, 0); err != nil {
		return err
	}
	source, db := m.engine.Close()
	m.engine = nil
	if _, err := m.conn.Exec(ctx, "DROP TABLE "+historyTable+", "+versionTable); err != nil {
		return errors.Join(source, db, plain(err))
	}
	_, err := m.conn.Exec(ctx, `DROP SCHEMA "authdb"`)
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == dependentObjects {
		err = nil // somebody keeps something else there
	}
	return errors.Join(source, db, plain(err))
}

// Cancel ends the migration that another goroutine has under way; the server undoes what it did.
func (m *Migrator) Cancel(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, m.cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConnect, err)
	}
	_, err = conn.Exec(ctx, "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity "+
		"WHERE datname = pg_catalog.current_database() AND application_name = $1", m.name)
	return errors.Join(plain(err), conn.Close(ctx))
}

// refusalOf returns what the server said to a migration that it certainly did not complete, nil if it may have done.
// golang-migrate's error of a file is a value, and a pointer where the version cannot be written; it does not unwrap.
func refusalOf(err error) *pgconn.PgError {
	failure, ok := errors.AsType[database.Error](err)
	if !ok {
		return nil
	}
	said, ok := errors.AsType[*pgconn.PgError](failure.OrigErr)
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

// lockTimeout tells a lock that golang-migrate, or the server, gave up waiting for.
func lockTimeout(err error) error {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if failure, isFailure := errors.AsType[database.Error](err); !ok && isFailure {
		said, ok = errors.AsType[*pgconn.PgError](failure.OrigErr)
	}
	if failure, isFailure := errors.AsType[*database.Error](err); !ok && isFailure {
		said, ok = errors.AsType[*pgconn.PgError](failure.OrigErr)
	}
	if ok && said.Code == lockNotAvailable || errors.Is(err, database.ErrLocked) || errors.Is(err, migrate.ErrLockTimeout) {
		return fmt.Errorf("%w: another session holds a lock", ErrLockTimeout)
	}
	return err
}
