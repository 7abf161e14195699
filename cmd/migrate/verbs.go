package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/migrate"
)

//go:embed usage.txt
var usage string

// common are the flags of every verb.
const common = " database-url insecure-tls json wait-for-db lock-timeout statement-timeout "

// verb is one thing that the command does, with a database or without.
type verb struct {
	words    string // how it is called
	min, max int    // arguments
	flags    string // beside the common ones
	online   func(ctx context.Context, m *migrate.Migrator, c config, args []string, p *printer) error
	offline  func(c config, args []string, p *printer) error
}

var verbs map[string]verb

func init() { // the verbs print the usage, which names them
	verbs = map[string]verb{
		"up":        {"up takes a number of migrations, or nothing for all", 0, 1, "dry-run", up, nil},
		"partition": {"partition takes a number", 1, 1, "yes", partition, nil},
		"down":      {"down takes the number of migrations to undo", 1, 1, "dry-run yes", down, nil},
		"goto":      {"goto takes a version", 1, 1, "dry-run yes", goTo, nil},
		"version":   {"version takes nothing", 0, 0, "", version, nil},
		"force":     {"force takes a version", 1, 1, "yes", force, nil},
		"drop":      {"drop takes --yes", 0, 0, "yes", drop, nil},
		"status":    {"status takes nothing", 0, 0, "", status, nil},
		"verify":    {"verify takes nothing", 0, 0, "superset", verify, nil},
		"adopt":     {"adopt takes nothing", 0, 0, "superset complete fix dry-run drizzle-journal yes", adopt, nil},
		"repair":    {"repair takes nothing", 0, 0, "", repair, nil},
		"create":    {"create takes a name", 1, 1, "dir", nil, create},
		"check":     {"check takes nothing", 0, 0, "dir", nil, check},
		"schema":    {"schema takes nothing", 0, 0, "", nil, schema},
	}
}

func number(s string, least int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least {
		return 0, fmt.Errorf("%w: %q is no number from %d on", errUsage, s, least)
	}
	return n, nil
}

// asked is the question of every verb that takes something away: without --yes, or --dry-run, it stays undone.
func (c config) asked(what string) error {
	if c.yes || c.dryRun {
		return nil
	}
	return fmt.Errorf("%w: %s: say --yes", errUsage, what)
}

func up(ctx context.Context, m *migrate.Migrator, c config, args []string, p *printer) error {
	n := m.Latest()
	if len(args) == 1 {
		var err error
		if n, err = number(args[0], 1); err != nil {
			return err
		}
	}
	return move(ctx, m, c, p, func(current int) int { return min(current+n, max(current, m.Latest())) },
		func() error { return m.UpBy(ctx, n) })
}

func down(ctx context.Context, m *migrate.Migrator, c config, args []string, p *printer) error {
	n, err := number(args[0], 1)
	if err != nil {
		return err
	}
	if err := c.asked("down undoes migrations and drops tables and columns with their data"); err != nil {
		return err
	}
	return move(ctx, m, c, p, func(current int) int { return max(current-n, 0) }, func() error { return m.Down(ctx, n) })
}

func goTo(ctx context.Context, m *migrate.Migrator, c config, args []string, p *printer) error {
	to, err := number(args[0], 0)
	if err != nil {
		return err
	}
	if to == 0 {
		if err := c.asked("goto 0 drops every table"); err != nil {
			return err
		}
	}
	return move(ctx, m, c, p, func(int) int { return to }, func() error {
		if c.yes {
			return m.Goto(ctx, to)
		}
		err := m.UpTo(ctx, to) // which asks under the lock, so that nobody can change the answer
		if errors.Is(err, migrate.ErrUndoes) {
			err = c.asked(err.Error())
		}
		return err
	})
}

// move runs what changes the version, or with --dry-run prints the way to the version that target names.
func move(ctx context.Context, m *migrate.Migrator, c config, p *printer, target func(current int) int, run func() error) error {
	if c.dryRun {
		current, _, err := m.Version(ctx)
		if err != nil {
			return err
		}
		plan, err := m.Plan(ctx, target(current))
		if err != nil {
			return err
		}
		return p.plan(plan)
	}
	if err := run(); err != nil {
		return err
	}
	return version(ctx, m, c, nil, p)
}

func version(ctx context.Context, m *migrate.Migrator, _ config, _ []string, p *printer) error {
	v, dirty, err := m.Version(ctx)
	if err != nil {
		return err
	}
	if err := p.version(v, dirty); err != nil {
		return err
	}
	if dirty {
		return migrate.ErrDirty
	}
	return nil
}

func force(ctx context.Context, m *migrate.Migrator, c config, args []string, p *printer) error {
	v, err := number(args[0], 0)
	if err != nil {
		return err
	}
	if err := c.asked("force says what is applied, without a look at the schema"); err != nil {
		return err
	}
	if err := m.Force(ctx, v); err != nil {
		return err
	}
	return version(ctx, m, c, nil, p)
}

func drop(ctx context.Context, m *migrate.Migrator, c config, _ []string, p *printer) error {
	if err := c.asked("drop removes every table of authdb"); err != nil {
		return err
	}
	if err := m.Drop(ctx); err != nil {
		return err
	}
	return p.version(0, false)
}

func status(ctx context.Context, m *migrate.Migrator, _ config, _ []string, p *printer) error {
	s, err := m.Status(ctx)
	if err != nil {
		return err
	}
	if err := p.status(s); err != nil {
		return err
	}
	switch {
	case s.Dirty:
		return migrate.ErrDirty
	case s.Troubled():
		return fmt.Errorf("%w: a migration was edited, came late or is missing", migrate.ErrDrift)
	}
	if err := m.CheckTables(ctx); err != nil || !s.Pending() {
		return err
	}
	return errPending
}

func verify(ctx context.Context, m *migrate.Migrator, c config, _ []string, p *printer) error {
	v, err := m.Verify(ctx, migrate.VerifyOptions{Superset: c.superset})
	if err != nil && !errors.Is(err, migrate.ErrDrift) {
		return err
	}
	return errors.Join(p.verification(v), err)
}

func adopt(ctx context.Context, m *migrate.Migrator, c config, _ []string, p *printer) error {
	if c.fix {
		if err := c.asked("adopt --fix deletes and changes rows, which --dry-run lists"); err != nil {
			return err
		}
	}
	a, err := m.Adopt(ctx, migrate.AdoptOptions{
		Superset: c.superset, Complete: c.complete, Fix: c.fix, DryRun: c.dryRun, DrizzleJournal: c.journal,
	})
	if err != nil && !errors.Is(err, migrate.ErrDrift) {
		return err
	}
	return errors.Join(p.adoption(a, err == nil, c), err)
}

func partition(ctx context.Context, m *migrate.Migrator, c config, args []string, p *printer) error {
	n, err := number(args[0], 2)
	if err != nil {
		return err
	}
	if err := c.asked("partition divides table session, and no key keeps its ids unique from then on"); err != nil {
		return err
	}
	did, err := m.PartitionSessions(ctx, n)
	if err != nil {
		return err
	}
	return p.partitioned(did)
}

func repair(ctx context.Context, m *migrate.Migrator, _ config, _ []string, p *printer) error {
	r, err := m.Repair(ctx)
	if err != nil {
		return err
	}
	return p.repaired(r)
}

// create makes the next migration's files.
func create(c config, args []string, p *printer) error {
	if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(args[0]) {
		return fmt.Errorf("%w: a name has lower-case letters, digits and _", errUsage)
	}
	dir := c.dir
	if dir == "" {
		dir = filepath.Join("db", "migrations")
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("%w: no folder %s: name it with --dir", errUsage, dir)
	}
	list, err := migrations.Read(os.DirFS(dir))
	if err != nil {
		return err
	}
	next := 1
	if len(list) > 0 {
		next = list[len(list)-1].Version + 1
	}
	var files []string
	for _, suffix := range []string{"up", "down"} {
		file := filepath.Join(dir, fmt.Sprintf("%04d_%s.%s.sql", next, args[0], suffix))
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		files = append(files, file)
	}
	return p.created(files)
}

// check needs no database.
func check(c config, _ []string, p *printer) error {
	var files fs.FS = migrations.FS
	if c.dir != "" {
		files = os.DirFS(c.dir)
	}
	list, err := migrations.Read(files)
	if err != nil {
		return err
	}
	faults, err := migrations.Check(files)
	if err != nil {
		return err
	}
	if err := p.checked(len(list), faults); err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d faults", len(faults))
	}
	return nil
}

// schema needs no database.
func schema(_ config, _ []string, p *printer) error {
	sql, err := migrate.Schema()
	if err != nil {
		return err
	}
	return p.schema(sql)
}
