package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/db/migrations"
)

// driver lets golang-migrate take one step on the connection of a Migrator. The text of a migration, the version and
// the history are one transaction. A migration that builds or drops an index CONCURRENTLY cannot run in one: only such
// a migration leaves the database dirty while it runs.
type driver struct {
	m    *Migrator
	step migrations.Migration
	up   bool
	wait time.Duration // for the lock of a table
	tx   pgx.Tx        // the transaction of the text, until its version is set
	done bool          // the text was run, outside of a transaction
}

var _ database.Driver = (*driver)(nil)

var (
	errNotHere = errors.New("migrate: not through golang-migrate") // the Migrator does it
	errMoved   = errors.New("another program has changed the version meanwhile; nothing was done: try again")
)

// Open fails: only golang-migrate's registry calls it, and this driver is not registered.
func (*driver) Open(string) (database.Driver, error) { return nil, errNotHere }

// Drop fails: it would drop what is not authdb's.
func (*driver) Drop() error { return errNotHere }

// Close leaves the connection to the Migrator.
func (*driver) Close() error { return nil }

// Lock waits for programs that use golang-migrate alone, and keeps them away. It does not keep the lock while an index
// is built CONCURRENTLY: the build would wait for those who wait for this lock inside PostgreSQL, and they for us. They
// find the database dirty instead.
func (d *driver) Lock() error {
	ctx := context.Background()
	err := d.m.poll(ctx, time.Now().Add(d.m.opts.LockTimeout), d.m.engine)
	if err == nil && d.step.Index != nil {
		err = d.m.engineUnlock(ctx)
	}
	return err
}

// Unlock releases what Lock took.
func (d *driver) Unlock() error {
	if d.step.Index != nil {
		return nil
	}
	return d.m.engineUnlock(context.Background())
}

// Version returns the row of the version table.
func (d *driver) Version() (version int, dirty bool, err error) {
	version, dirty, err = d.m.Version(context.Background())
	if version == 0 {
		version = database.NilVersion
	}
	return version, dirty, err
}

// SetVersion writes a clean version. A dirty one is written by Run, if at all.
func (d *driver) SetVersion(version int, dirty bool) error {
	ctx := context.Background()
	if max(version, 0) != target(d.step, d.up) {
		return errMoved
	}
	if dirty {
		return nil
	}
	tx := d.tx
	if d.tx = nil; tx == nil {
		var err error
		if tx, err = d.m.conn.Begin(ctx); err != nil {
			return err
		}
	}
	if err := d.note(ctx, version); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	return tx.Commit(ctx) // of the text too
}

func (d *driver) note(ctx context.Context, version int) error {
	if err := d.m.write(ctx, version, false); err != nil {
		return err
	}
	if d.up {
		return d.m.remember(ctx, version-1, version)
	}
	return d.m.forget(ctx, version)
}

// Run runs the text of a migration while the schema of the tables is searched.
func (d *driver) Run(text io.Reader) error {
	ctx := context.Background() // a Migrator whose context ends finishes what is under way
	sql, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	if d.step.Index != nil {
		return d.runAlone(ctx, string(sql))
	}
	tx, err := d.m.conn.Begin(ctx)
	if err != nil {
		return err
	}
	if err := d.run(ctx, string(sql)); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	d.tx = tx
	return nil
}

// run runs a text in a transaction, under locks that keep others from hanging triggers on the tables that it writes.
// Readers and writers do not wait for these locks.
func (d *driver) run(ctx context.Context, sql string) error {
	if err := d.m.send(ctx, timeouts("SET LOCAL ", d.wait, d.m.opts.StatementTimeout)); err != nil {
		return err
	}
	if err := d.m.ready(ctx, d.step); err != nil {
		return err
	}
	return d.m.send(ctx, "SET LOCAL "+d.m.searched()+"; "+sql+"; SET LOCAL "+pinned)
}

// runAlone runs a text outside of a transaction, with the database marked dirty.
func (d *driver) runAlone(ctx context.Context, sql string) error {
	if err := d.m.trust(ctx, true, false); err != nil {
		return err
	}
	version := target(d.step, d.up)
	if version == 0 {
		version = database.NilVersion
	}
	if err := d.m.write(ctx, version, true); err != nil {
		return err
	}
	return d.m.alone(ctx, sql, d.wait, func() { d.done = true })
}

// alone runs a statement outside of a transaction while the schema of the tables is searched, calls done when it is
// done, and restores the session's settings.
func (m *Migrator) alone(ctx context.Context, sql string, wait time.Duration, done func()) error {
	if err := m.send(ctx, timeouts("SET ", wait, m.opts.StatementTimeout)+"; SET "+m.searched()); err != nil {
		return err
	}
	err := m.send(ctx, sql)
	if err == nil {
		done()
	}
	return errors.Join(err, m.send(ctx, "SET "+pinned+"; "+timeouts("SET ", m.opts.LockTimeout, 0)))
}

// searched is the search path of a migration's text, which names the tables alone.
func (m *Migrator) searched() string {
	return "search_path = " + pgx.Identifier{m.schema}.Sanitize() + ", pg_temp"
}

// timeouts sets how long a statement may wait for a lock, and how long it may take.
func timeouts(set string, lock, statement time.Duration) string {
	return fmt.Sprintf("%slock_timeout = %d; %sstatement_timeout = %d", set, lock.Milliseconds(), set, statement.Milliseconds())
}

// send runs statements that have no arguments.
func (m *Migrator) send(ctx context.Context, sql string) error {
	_, err := m.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// write writes the one row of the version table as golang-migrate's own driver does; 0 and -1 are no version.
func (m *Migrator) write(ctx context.Context, version int, dirty bool) error {
	sql := "DELETE FROM " + at(m.ledger.versions)
	if version > 0 || dirty {
		sql += "; INSERT INTO " + at(m.ledger.versions) + fmt.Sprintf(" (version, dirty) VALUES (%d, %t)", version, dirty)
	}
	return m.send(ctx, sql)
}

// migrate takes golang-migrate's step. alone reports that a text which cannot run in a transaction is done, even if its
// version could not be written.
func (m *Migrator) migrate(step migrations.Migration, up bool, wait time.Duration) (alone bool, err error) {
	source, err := iofs.New(m.files, ".")
	if err != nil {
		return false, err
	}
	d := &driver{m: m, step: step, up: up, wait: wait}
	engine, err := migrate.NewWithInstance("embedded", source, "authdb", d)
	if err != nil {
		return false, err
	}
	n := 1
	if !up {
		n = -1
	}
	err = engine.Steps(n)
	return d.done, err
}
