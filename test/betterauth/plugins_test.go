//go:build betterauth

package betterauth_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
)

var plugged = authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables)

// newPluggedWorld is newWorld with the plugins' columns and tables, on which /api/plugged and its like are served.
func newPluggedWorld(t *testing.T, exact string) *world {
	t.Helper()
	return newWorldOn(t, plugged.DSN(t), pluggedSchema(t), exact)
}

// pluggedSchema writes the Drizzle schema of an application with the plugins.
func pluggedSchema(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("node_modules/schema.mjs")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp("node_modules", "schema-*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	if _, err := f.WriteString(plugins.Drizzle(string(content))); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(f.Name())
}
