// Better Auth's own suites for adapters (@better-auth/test-utils), over the tables that the migrations made: each of their
// schemas is a copy of the database that the PG variables name, with columns renamed and added as the options of the
// test say. They know user, session, account and verification.
import pg from "pg"
import { drizzle } from "drizzle-orm/node-postgres"
import { relations } from "drizzle-orm"
import { boolean, bigint, integer, jsonb, pgTable, text, timestamp } from "drizzle-orm/pg-core"
import { drizzleAdapter } from "@better-auth/drizzle-adapter"
import { getAuthTables } from "better-auth/db"
import { organization } from "better-auth/plugins/organization"
import { authFlowTestSuite, caseInsensitiveTestSuite, joinsTestSuite, normalTestSuite, testAdapter, transactionsTestSuite } from "@better-auth/test-utils/adapter"

// The migrations name columns so.
const snake = (s) => s.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase())
const template = process.env.PGDATABASE
const admin = new pg.Pool({ max: 2, database: "postgres" })
let pool, name, number = 0
const sqlType = (f) => Array.isArray(f.type) ? "text" : { string: "text", boolean: "boolean", number: f.bigint ? "bigint" : "integer", date: "timestamp", json: "jsonb", "string[]": "text[]", "number[]": "integer[]" }[f.type]
const column = (f, n) => {
  const t = sqlType(f)
  const c = { text: () => text(n), boolean: () => boolean(n), integer: () => integer(n), bigint: () => bigint(n, { mode: "number" }), timestamp: () => timestamp(n), jsonb: () => jsonb(n), "text[]": () => text(n).array(), "integer[]": () => integer(n).array() }[t]()
  if (f.required !== false) c.notNull()
  if (f.unique) c.unique()
  return c
}

const defaults = getAuthTables({ plugins: [organization({ teams: { enabled: true } })] })

// build makes the Drizzle objects of the options, with the relations that joins ask for.
function build(options) {
  const tables = getAuthTables(options), schema = {}
  for (const t of Object.values(tables)) {
    if (schema[t.modelName]) continue
    const columns = { id: text("id").primaryKey() }
    for (const [k, f] of Object.entries(t.fields)) columns[f.fieldName || k] = column(f, snake(f.fieldName || k))
    schema[t.modelName] = pgTable(snake(t.modelName), columns)
  }
  const renamed = ({ model, field }) =>
    Object.values(tables).find((t) => t.modelName === model || t === tables[model])?.fields[field]?.fieldName || field
  const model = (n) => tables[n]?.modelName ?? n
  for (const t of Object.values(tables)) {
    const rel = (r) => {
      const out = {}
      for (const [k, f] of Object.entries(t.fields)) if (f.references) {
        const m = model(f.references.model)
        out[m] = r.one(schema[m], { fields: [schema[t.modelName][f.fieldName || k]], references: [schema[m][renamed(f.references)]] })
      }
      for (const o of Object.values(tables)) for (const f of Object.values(o.fields)) if (f.references && model(f.references.model) === t.modelName) {
        if (f.unique) out[o.modelName] = r.one(schema[o.modelName])
        else out[o.modelName + "s"] = r.many(schema[o.modelName])
      }
      return out
    }
    schema[t.modelName + "Relations"] = relations(schema[t.modelName], rel)
  }
  return schema
}

// migrate makes a copy of the migrated database and changes in it what the options call by another name or add.
async function migrate(options) {
  const old = pool
  name = `${template}_${++number}`
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`)
  pool = new pg.Pool({ max: 5, database: name })
  pool.on("error", () => {}) // an idle connection to a copy that is dropped
  await old?.end()
  const q = (s) => pool.query(s)
  const tables = getAuthTables(options)
  for (const [key, t] of Object.entries(tables)) {
    const base = defaults[key], table = snake(t.modelName)
    if (base && table !== snake(base.modelName)) await q(`ALTER TABLE "${snake(base.modelName)}" RENAME TO "${table}"`)
    if (!base) await q(`CREATE TABLE "${table}" (id text PRIMARY KEY)`)
    for (const [k, f] of Object.entries(t.fields)) {
      const col = snake(f.fieldName || k), was = base?.fields[k] && snake(base.fields[k].fieldName || k)
      if (was && was !== col) await q(`ALTER TABLE "${table}" RENAME COLUMN "${was}" TO "${col}"`)
      else if (!was) await q(`ALTER TABLE "${table}" ADD COLUMN "${col}" ${sqlType(f)} ${f.required !== false ? "NOT NULL" : ""} ${f.unique ? "UNIQUE" : ""}`)
    }
  }
  const oldName = number > 1 && `${template}_${number - 1}`
  if (oldName) await admin.query(`DROP DATABASE ${oldName} WITH (FORCE)`)
}

const { execute } = await testAdapter({
  adapter: async (options) => {
    pool ?? (await migrate(options))
    const schema = build(options)
    return drizzleAdapter(drizzle(pool, { schema }), { provider: "pg", schema, transaction: true })
  },
  runMigrations: migrate,
  tests: [normalTestSuite(), transactionsTestSuite(), authFlowTestSuite(), joinsTestSuite(), caseInsensitiveTestSuite()],
  onFinish: async () => { await pool.end(); await admin.query(`DROP DATABASE ${name} WITH (FORCE)`); await admin.end() },
})
execute()
