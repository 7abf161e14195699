// A Better Auth server for the tests: node server.mjs 1.7 serves version 1.7.x of package.json on the database that the
// PG variables name, with the secret of SECRET. It prints its version and its address, and ends with its input.
//
// There are two servers on the same rows: /api/auth, and /api/limited with room for three members in an organization and
// two in a team. Where the schema has the tables of plugins, there are three more with those: /api/plugged, /api/strict,
// which wants addresses proved, and /api/quiet, which signs nobody in that signs up, but who proves an address, and
// encrypts its codes; with API_KEYS, /api/keyed has the plugin of API keys; with TOUR, /api/auth has all of these, and a
// list of who may sign up. /test/… is what Better Auth offers to its own process alone.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { drizzle } from "drizzle-orm/node-postgres"
import pg from "pg"
import { pieces, related } from "./guide.mjs"

const version = process.argv[2]
// db/migrations/drizzle.ts, which drizzle-kit finds to be what the migrations make, or a variant of it.
const schema = await import(`./node_modules/${process.env.SCHEMA}`)
const load = (path) => import(`better-auth-${version}${path}`)
const [{ betterAuth }, { organization }, { drizzleAdapter }, { toNodeHandler }] = await Promise.all(
  ["", "/plugins/organization", "/adapters/drizzle", "/node"].map(load),
)
const { admin, twoFactor, magicLink, emailOTP } = await load("/plugins")

const keyed = process.env.API_KEYS && (await (await import("./apikeys/plugin.mjs")).apiKeys(version))

const pool = new pg.Pool({ max: 20, application_name: "better-auth" })
const db = drizzle(pool, { schema })
let statements = 0
pool.on("connect", (client) => {
  const query = client.query
  client.query = (...args) => (statements++, query.apply(client, args))
})
const resets = new Map()
const mails = []
const mail = (kind, to, token) => void mails.push({ kind, to, token })

// onList lets nobody sign up who is not on the application's own list.
const onList = async ({ email }) => (await pool.query("SELECT FROM allowlist WHERE email = $1", [email])).rowCount > 0 && undefined

// reversed is an encryption that Go's test has, too.
const reversed = async (text) => [...text].reverse().join("")

function plugged(base, basePath, emailAndPassword, { more = [], tables = {}, proofs = {}, codes = {}, hooks } = {}) {
  return betterAuth({
    databaseHooks: hooks,
    baseURL: base,
    basePath,
    secret: process.env.SECRET,
    database: drizzleAdapter(db, { provider: "pg", schema: { ...schema, ...tables } }),
    emailAndPassword: {
      enabled: true,
      sendResetPassword: async ({ user, token }) => mail("reset", user.email, token),
      ...emailAndPassword,
    },
    emailVerification: {
      sendOnSignIn: true,
      ...proofs,
      sendVerificationEmail: async ({ user, token }) => mail("verification", user.email, token),
    },
    user: {
      changeEmail: {
        enabled: true,
        sendChangeEmailConfirmation: async ({ user, token }) => mail("change", user.email, token),
        sendChangeEmailVerification: async ({ user, token }) => mail("change", user.email, token),
      },
    },
    plugins: [
      organization({ teams: { enabled: true } }),
      admin(),
      twoFactor({}),
      magicLink({ sendMagicLink: async ({ email, token }) => mail("link", email, token) }),
      emailOTP({
        sendVerificationOTP: async ({ email, otp }) => mail("code", email, otp),
        changeEmail: { enabled: true },
        ...codes,
      }),
      ...more,
    ],
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
  })
}

function serve(base, basePath, limits, teamLimits, more = [], tables = {}) {
  return betterAuth({
    baseURL: base,
    basePath,
    secret: process.env.SECRET,
    database: drizzleAdapter(db, { provider: "pg", schema: { ...schema, ...tables } }),
    emailAndPassword: {
      enabled: true,
      sendResetPassword: async ({ user, token }) => void resets.set(user.email, token),
    },
    user: { deleteUser: { enabled: true } },
    plugins: [organization({ teams: { enabled: true, ...teamLimits }, ...limits }), ...more],
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
  })
}

const json = (response, status, value) => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(value ?? null))
}

const server = createServer()
server.listen(0, "127.0.0.1", () => {
  const base = `http://127.0.0.1:${server.address().port}`
  const auth = process.env.TOUR
    ? plugged(base, "/api/auth", {}, { more: [keyed.plugin], tables: { apikey: keyed.apikey }, hooks: { user: { create: { before: onList } } } })
    : serve(base, "/api/auth", {}, {})
  const limited = serve(base, "/api/limited", { membershipLimit: 3 }, { maximumMembersPerTeam: 2 })
  const handlers = { auth: toNodeHandler(auth), limited: toNodeHandler(limited) }
  const keys = keyed && serve(base, "/api/keyed", {}, {}, [keyed.plugin], { apikey: keyed.apikey })
  if (keys) handlers.keyed = toNodeHandler(keys)
  if (schema.twoFactor) {
    handlers.plugged = toNodeHandler(plugged(base, "/api/plugged", {}))
    handlers.strict = toNodeHandler(
      plugged(base, "/api/strict", { requireEmailVerification: true, revokeSessionsOnPasswordReset: true }),
    )
    handlers.quiet = toNodeHandler(plugged(base, "/api/quiet", { autoSignIn: false }, {
      proofs: { autoSignInAfterVerification: true },
      codes: { storeOTP: { encrypt: reversed, decrypt: reversed } },
    }))
  }

  server.on("request", async (request, response) => {
    const [, area, name] = new URL(request.url, base).pathname.split("/")
    if (area === "api") return handlers[name](request, response)
    try {
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      const body = JSON.parse(Buffer.concat(chunks).toString() || "{}")
      switch (name) {
        case "mails":
          return json(response, 200, mails.splice(0))
        case "reset-token":
          return json(response, 200, resets.get(body.email))
        case "add-member":
          return json(response, 200, await auth.api.addMember({ body }))
        case "limited-add-member":
          return json(response, 200, await limited.api.addMember({ body }))
        case "guide": {
          const headers = new Headers(Object.entries(request.headers).map(([key, value]) => [key, String(value)]))
          const own = { auth, headers, schema, db: related(pool, schema) }
          return json(response, 200, await pieces[body.name](own, { ...body.args, now: new Date() }))
        }
        case "api-key":
          return json(response, 200, await keys.api[body.method]({ body: body.body }))
        case "statements":
          return json(response, 200, statements)
        case "adapter": {
          const { internalAdapter } = await auth.$context
          return json(response, 200, await internalAdapter[body.method](...body.args))
        }
      }
      json(response, 404, null)
    } catch (error) {
      json(response, error.statusCode ?? 500, { message: String(error) })
    }
  })

  const { version: exact } = JSON.parse(readFileSync(`node_modules/better-auth-${version}/package.json`))
  console.log(exact, base)
})

process.stdin.on("end", () => process.exit()).resume()
