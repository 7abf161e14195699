//go:build betterauth

package betterauth_test

import (
	"os"
	"path/filepath"
	"strings"
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
	schema := strings.NewReplacer(
		`    image: text("image"),`, `    image: text("image"),
    role: text("role"),
    banned: boolean("banned").default(false),
    banReason: text("ban_reason"),
    banExpires: timestamp("ban_expires"),
    twoFactorEnabled: boolean("two_factor_enabled").default(false),`,
		`    activeTeamId: text("active_team_id"),`, `    activeTeamId: text("active_team_id"),
    impersonatedBy: text("impersonated_by"),`,
	).Replace(string(content)) + `
export const twoFactor = pgTable("two_factor", {
  id: text("id").primaryKey(),
  secret: text("secret").notNull(),
  backupCodes: text("backup_codes").notNull(),
  userId: text("user_id")
    .notNull()
    .references(() => user.id, { onDelete: "cascade" }),
  verified: boolean("verified").default(true),
  failedVerificationCount: integer("failed_verification_count").default(0),
  lockedUntil: timestamp("locked_until"),
})
`
	f, err := os.CreateTemp("node_modules", "schema-*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	if _, err := f.WriteString(schema); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(f.Name())
}
