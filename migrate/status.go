package migrate

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// The states of a migration.
const (
	StateApplied = "applied"
	StatePending = "pending"
	StateDirty   = "dirty"   // it stopped half-way
	StateEdited  = "edited"  // applied, but the file was changed since
	StateLate    = "late"    // never applied: it came after a newer one was
	StateMissing = "missing" // applied, but this program has no such file
)

// MigrationStatus is the state of one migration.
type MigrationStatus struct {
	Version   int        `json:"version"`
	Name      string     `json:"name"`
	State     string     `json:"state"`
	SHA256    string     `json:"sha256"`     // of the file; if that is missing, of the one that was applied
	AppliedAt *time.Time `json:"applied_at"` // nil if not applied, or applied by golang-migrate alone
}

// Status is the state of a database.
type Status struct {
	Version    int               `json:"version"`
	Dirty      bool              `json:"dirty"`
	Latest     int               `json:"latest"`
	Migrations []MigrationStatus `json:"migrations"`
}

// Pending reports whether Up would apply anything.
func (s Status) Pending() bool {
	return slices.ContainsFunc(s.Migrations, func(m MigrationStatus) bool { return m.State == StatePending })
}

// Troubled reports whether a migration was edited, came late or is missing. Up ignores these.
func (s Status) Troubled() bool {
	return slices.ContainsFunc(s.Migrations, func(m MigrationStatus) bool {
		return m.State == StateEdited || m.State == StateLate || m.State == StateMissing
	})
}

// Status returns the state of each migration that this program has or the database remembers, oldest first. It waits
// for nobody and changes nothing.
func (m *Migrator) Status(ctx context.Context) (Status, error) {
	version, dirty, err := m.Version(ctx)
	if err != nil {
		return Status{}, plain(err)
	}
	known, err := m.history(ctx)
	if err != nil {
		return Status{}, plain(err)
	}
	last := newest(known)
	if _, err := m.step(version); err != nil && version > 0 {
		if _, ok := known[version]; !ok {
			known[version] = applied{} // a newer program's, or another's
		}
	}
	status := Status{Version: version, Dirty: dirty, Latest: m.Latest(), Migrations: []MigrationStatus{}}
	for _, s := range m.steps {
		a, isKnown := known[s.Version]
		delete(known, s.Version)
		one := MigrationStatus{Version: s.Version, Name: s.Name, SHA256: s.Sum()}
		switch {
		case dirty && s.Version == version:
			one.State = StateDirty
		case s.Version > version:
			one.State = StatePending
		case !isKnown && s.Version > last: // the history lacks it
			one.State = StateApplied
		case !isKnown:
			one.State = StateLate
		case !s.HasSum(a.sum):
			one.State, one.AppliedAt = StateEdited, &a.at
		default:
			one.State, one.AppliedAt = StateApplied, &a.at
		}
		status.Migrations = append(status.Migrations, one)
	}
	for version, a := range known {
		one := MigrationStatus{Version: version, Name: a.name, State: StateMissing, SHA256: a.sum}
		if !a.at.IsZero() {
			one.AppliedAt = &a.at
		}
		status.Migrations = append(status.Migrations, one)
	}
	slices.SortFunc(status.Migrations, func(a, b MigrationStatus) int { return cmp.Compare(a.Version, b.Version) })
	return status, nil
}

// Plan returns the migrations that Goto would run on the way to version, in order.
func (m *Migrator) Plan(ctx context.Context, version int) ([]PlannedMigration, error) {
	current, err := m.clean(ctx)
	if err != nil {
		return nil, err
	}
	plan := []PlannedMigration{}
	for current < version {
		there, err := m.alreadyThere(ctx, current, version)
		if err != nil {
			return nil, err
		}
		if there > current {
			current = there
			continue
		}
		step, err := m.step(current + 1)
		if err != nil {
			return nil, err
		}
		plan = append(plan, PlannedMigration{step.Version, step.Name, step.Up})
		current++
	}
	for ; current > version; current-- {
		step, err := m.step(current)
		if err != nil {
			return nil, err
		}
		plan = append(plan, PlannedMigration{step.Version, step.Name, step.Down})
	}
	return plan, nil
}

// PlannedMigration is a migration and the SQL that it would run.
type PlannedMigration struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	SQL     string `json:"sql"`
}
