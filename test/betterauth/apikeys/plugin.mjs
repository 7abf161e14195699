// The plugin of API keys for a server of a version, and the table of keys as it has it: of better-auth itself before
// 1.5, of a package of its own from then on.
import { boolean, integer, pgTable, text, timestamp } from "drizzle-orm/pg-core"

export async function apiKeys(version) {
  const old = version < "1.5"
  const { apiKey } = await import(old ? `better-auth-${version}/plugins` : `api-key-${version}`)
  const owner = old ? { userId: text("user_id").notNull() } : {
    referenceId: text("reference_id").notNull(),
    configId: text("config_id").default("default").notNull(),
  }
  const apikey = pgTable("apikey", {
    id: text("id").primaryKey(),
    name: text("name"),
    start: text("start"),
    prefix: text("prefix"),
    key: text("key").notNull(),
    ...owner,
    refillInterval: integer("refill_interval"),
    refillAmount: integer("refill_amount"),
    lastRefillAt: timestamp("last_refill_at"),
    enabled: boolean("enabled").default(true),
    rateLimitEnabled: boolean("rate_limit_enabled").default(true),
    rateLimitTimeWindow: integer("rate_limit_time_window").default(86400000),
    rateLimitMax: integer("rate_limit_max").default(10),
    requestCount: integer("request_count").default(0),
    remaining: integer("remaining"),
    lastRequest: timestamp("last_request"),
    expiresAt: timestamp("expires_at"),
    createdAt: timestamp("created_at").notNull(),
    updatedAt: timestamp("updated_at").notNull(),
    permissions: text("permissions"),
    metadata: text("metadata"),
  })
  return { apikey, plugin: apiKey({ enableMetadata: true, enableSessionForAPIKeys: true }) }
}
