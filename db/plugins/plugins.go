// Package plugins has the tables and columns of Better Auth's plugins, for tests that play the application:
// authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables). In production they are the application's own to make.
package plugins

import (
	_ "embed"
	"strings"
)

// Admin and TwoFactor are columns of user and session, Tables those of API keys, dynamic access control, the second
// factor and JWT, as Better Auth 1.7.25 makes them. APIKeys14 is the table of API keys before 1.5, without the others.
var (
	//go:embed admin.sql
	Admin string
	//go:embed two_factor.sql
	TwoFactor string
	//go:embed tables.sql
	Tables string
	//go:embed api_key_1_4.sql
	APIKeys14 string
)

// Drizzle is the Drizzle schema of db/migrations with what Admin and TwoFactor add, and the table of the second factor.
func Drizzle(schema string) string {
	return strings.NewReplacer(
		`    image: text("image"),`, `    image: text("image"),
    role: text("role"),
    banned: boolean("banned").default(false),
    banReason: text("ban_reason"),
    banExpires: timestamp("ban_expires"),
    twoFactorEnabled: boolean("two_factor_enabled").default(false),`,
		`    activeTeamId: text("active_team_id"),`, `    activeTeamId: text("active_team_id"),
    impersonatedBy: text("impersonated_by"),`,
	).Replace(schema) + `
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
}
