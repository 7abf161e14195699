package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// WithFiles lets a test bring migrations of its own.
func WithFiles(opts Options, files fs.FS) Options {
	opts.files = files
	return opts
}

// WithTracer lets a test see each query, and fail it.
func WithTracer(opts Options, tracer pgx.QueryTracer) Options {
	opts.tracer = tracer
	return opts
}

// MarkDirty is what golang-migrate does before it runs a file on the way to version, -1 for none.
func MarkDirty(ctx context.Context, m *Migrator, version int) error {
	if err := errors.Join(m.lock(ctx), m.open(ctx)); err != nil {
		return err
	}
	return m.write(ctx, version, true)
}

// ScratchChanges is what facts.json must say: what each migration does in a scratch schema.
func ScratchChanges(ctx context.Context, m *Migrator) ([]byte, error) {
	list, before := []change{}, []catalog.Fact{}
	for _, s := range m.steps {
		after, err := m.scratch(ctx, s.Version)
		if err != nil {
			return nil, err
		}
		list = append(list, change{s.Version, catalog.Minus(before, after), catalog.Minus(after, before)})
		before = after
	}
	content, err := json.MarshalIndent(list, "", "  ")
	return append(content, '\n'), err
}

// Known is the catalog at a version, as the program was built with it.
func Known(m *Migrator, version int) []catalog.Fact { return m.known(version) }

// Live is the catalog of the database.
func Live(ctx context.Context, m *Migrator) ([]catalog.Fact, error) {
	r, err := m.live(ctx)
	return r.facts, err
}
