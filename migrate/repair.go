package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/zerostarter/authdb/migrate/catalog"
)

// Repaired is what Repair found and did.
type Repaired struct {
	Dirty   bool     `json:"dirty"`   // whether there was anything to repair
	From    int      `json:"from"`    // the version that was dirty
	Version int      `json:"version"` // the version now
	Done    []string `json:"done"`
}

// Repair makes a dirty database clean. The catalog says whether the migration that stopped, on the way up or down,
// happened, did not happen, or left an INVALID index, which Repair drops. A migration that only changes rows counts as
// not happened, since it can run again. If the catalog is none of these, Repair returns [ErrDirty] with the difference.
func (m *Migrator) Repair(ctx context.Context) (Repaired, error) {
	if err := m.lock(ctx); err != nil {
		return Repaired{}, err
	}
	version, dirty, err := m.Version(ctx)
	r := Repaired{Dirty: dirty, From: version, Version: version, Done: []string{}}
	if err != nil || !dirty {
		return r, err
	}
	// A migration on its way up left its own number; on its way down, the number before it, and its line in the history.
	known, err := m.history(ctx)
	if err != nil {
		return r, plain(err)
	}
	number := version
	if _, down := known[version+1]; down || version == 0 {
		number++
	}
	step, err := m.step(number)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrDirty, err)
	}
	got, err := m.live(ctx)
	if err != nil {
		return r, err
	}
	happened, diff := m.happened(got.facts, step.Version)
	if !diff.Empty() {
		return r, fmt.Errorf("%w: %s is half done; the catalog differs from what it makes:\n%s", ErrDirty, step.Name, diff)
	}
	if step.Index != nil {
		dropped, err := m.dropInvalid(ctx, step.Index, m.opts.LockTimeout)
		if err != nil {
			return r, err
		}
		if dropped {
			r.Done = append(r.Done, "dropped the INVALID index "+step.Index.Name)
		}
	}
	to := step.Version
	if !happened {
		to--
	}
	if err := m.open(ctx); err != nil {
		return r, err
	}
	if err := m.set(ctx, to); err != nil {
		return r, err
	}
	r.Version = to
	r.Done = append(r.Done, fmt.Sprintf("set version %d", to))
	return r, nil
}

// happened reports whether what a migration makes is in the catalog. Since its file is one transaction, that is all or
// nothing; otherwise happened returns the difference. It does not look at other drift, nor at plugins.
func (m *Migrator) happened(got []catalog.Fact, version int) (bool, catalog.Diff) {
	made := slices.DeleteFunc(catalog.Minus(m.known(version), m.known(version-1)), func(f catalog.Fact) bool {
		return f.Name == redundantIndex
	})
	missing := catalog.Minus(made, got)
	if len(missing) == len(made) {
		return false, catalog.Diff{}
	}
	return len(missing) == 0, catalog.Compare(made, got).WithoutExtra()
}
