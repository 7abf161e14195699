// Asks a real Better Auth 1.7.25 (npm i better-auth@1.7.25; node capture.mjs) for cookies session_data that are signed by
// a key of its JWT plugin, in memory, and writes session-data-jwks.json.
import { betterAuth } from "better-auth"
import { memoryAdapter } from "better-auth/adapters/memory"
import { admin, jwt } from "better-auth/plugins"
import { writeFileSync } from "fs"

const secret = "example-secret-of-thirty-two-characters-or-more"
const out = { betterAuthVersion: "1.7.25", secret, cookies: [] }
for (const [made, base, cookieCache, plugin] of [
  ["as made", "https://app.example.com", {}, {}],
  ["maxAge 60, version 2", "https://app.example.com", { maxAge: 60, version: "2" }, {}],
  ["jwt.issuer of its own", "https://app.example.com/base", {}, { jwt: { issuer: "https://issuer.example.com" } }],
]) {
  const db = { user: [], session: [], account: [], verification: [], jwks: [] }
  const auth = betterAuth({
    secret, baseURL: base, basePath: "/api/auth", database: memoryAdapter(db), emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: true, strategy: "jwt", ...cookieCache } },
    plugins: [admin(), jwt({ sessionCookieCache: true, ...plugin })],
    rateLimit: { enabled: false }, telemetry: { enabled: false }, logger: { disabled: true },
  })
  const { baseURL } = await auth.$context
  const r = await auth.handler(new Request(baseURL + "/sign-up/email", {
    method: "POST", headers: { "content-type": "application/json", origin: new URL(base).origin, "user-agent": "example/1.0" },
    body: JSON.stringify({ name: "Ada", email: "ada@example.com", password: "analytical engine" }),
  }))
  const set = Object.fromEntries(r.headers.getSetCookie().map((line) => line.split(";")[0].split("=")).map(([n, ...v]) => [n, decodeURIComponent(v.join("="))]))
  const find = (name) => Object.entries(set).find(([n]) => n.endsWith(name))[1]
  const token = find("session_token")
  const headers = { cookie: r.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ") }
  const { token: issued } = await (await auth.handler(new Request(baseURL + "/token", { headers }))).json()
  const { id, publicKey, createdAt } = db.jwks[0]
  out.cookies.push({
    made_with: made, base_url: base, value: find("session_data"), token_cookie: token, token: token.split(".")[0],
    plugin_token: issued, session: db.session[0],
    jwks_row: { id, public_key: publicKey, private_key: "", created_at: createdAt },
    payload: JSON.parse(Buffer.from(find("session_data").split(".")[1], "base64url").toString()),
  })
}
writeFileSync("session-data-jwks.json", JSON.stringify(out, null, 1) + "\n")
