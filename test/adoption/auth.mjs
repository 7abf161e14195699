// The configuration that a generator reads, beside the better-auth that it comes with: FORM is core, org or teams, and
// ADAPTER drizzle or kysely, which asks the database of DATABASE_URL what is there.
import { betterAuth } from "better-auth"
import { drizzleAdapter } from "better-auth/adapters/drizzle"
import { organization } from "better-auth/plugins"
import pg from "pg"

const { ADAPTER, DATABASE_URL, FORM } = process.env

export const auth = betterAuth({
  database:
    ADAPTER === "kysely"
      ? new pg.Pool({ connectionString: DATABASE_URL })
      : drizzleAdapter({}, { provider: "pg" }),
  secret: "kR7vTqY2nPzX9mWcB4sLhJ6dFgA1eU8o",
  baseURL: "http://127.0.0.1:3000",
  emailAndPassword: { enabled: true },
  plugins:
    FORM === "core" ? [] : [organization(FORM === "teams" ? { teams: { enabled: true } } : {})],
  telemetry: { enabled: false },
})
