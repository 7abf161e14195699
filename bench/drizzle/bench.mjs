// The workloads by Drizzle on node-postgres. Reads a request a line and writes an answer a line; see ../drizzle.go.
//
//   node bench.mjs '{"host": …}' plain|prepared
import { createHash, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { and, asc, eq, exists, gt, inArray, lte, ne, notExists, relations, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/node-postgres"
import { alias } from "drizzle-orm/pg-core"
import pg from "pg"
import * as tables from "./node_modules/schema.mjs"

const { user, session, account, organization, team, teamMember, member, invitation } = tables

const relationsOf = {
  userRelations: relations(user, ({ many }) => ({
    sessions: many(session),
    accounts: many(account),
    members: many(member),
    teamMembers: many(teamMember),
    invitations: many(invitation),
  })),
  sessionRelations: relations(session, ({ one }) => ({ user: one(user, { fields: [session.userId], references: [user.id] }) })),
  accountRelations: relations(account, ({ one }) => ({ user: one(user, { fields: [account.userId], references: [user.id] }) })),
  organizationRelations: relations(organization, ({ many }) => ({
    members: many(member),
    teams: many(team),
    invitations: many(invitation),
  })),
  teamRelations: relations(team, ({ one, many }) => ({
    organization: one(organization, { fields: [team.organizationId], references: [organization.id] }),
    members: many(teamMember),
  })),
  memberRelations: relations(member, ({ one }) => ({
    organization: one(organization, { fields: [member.organizationId], references: [organization.id] }),
    user: one(user, { fields: [member.userId], references: [user.id] }),
  })),
  teamMemberRelations: relations(teamMember, ({ one }) => ({
    team: one(team, { fields: [teamMember.teamId], references: [team.id] }),
    user: one(user, { fields: [teamMember.userId], references: [user.id] }),
  })),
  invitationRelations: relations(invitation, ({ one }) => ({
    organization: one(organization, { fields: [invitation.organizationId], references: [organization.id] }),
    inviter: one(user, { fields: [invitation.inviterId], references: [user.id] }),
  })),
}

const [at, form] = process.argv.slice(2)
const address = JSON.parse(at)
const pool = new pg.Pool({ ...address, max: 1, idleTimeoutMillis: 0, ssl: false })
const db = drizzle(pool, { schema: { ...tables, ...relationsOf } })

const agent = "bench/1.0"
const ip = "192.0.2.7"
const lifetime = 7 * 24 * 3600 * 1000
const insertRows = 1000
const newId = () => randomBytes(20).toString("base64url").slice(0, 26)
const inOrder = (table) => [asc(table.createdAt), asc(table.id)]

const authenticated = (token, now) =>
  db
    .select({ session, user, member, team })
    .from(session)
    .innerJoin(user, eq(user.id, session.userId))
    .leftJoin(member, and(eq(member.organizationId, session.activeOrganizationId), eq(member.userId, session.userId)))
    .leftJoin(teamMember, and(eq(teamMember.teamId, session.activeTeamId), eq(teamMember.userId, member.userId)))
    .leftJoin(team, and(eq(team.id, teamMember.teamId), eq(team.organizationId, member.organizationId)))
    .where(and(eq(session.token, token), gt(session.expiresAt, now)))
const userById = (id) => db.select().from(user).where(eq(user.id, id))
const userByEmail = (email) => db.select().from(user).where(eq(user.email, email))
const userFull = (id) =>
  db.query.user.findFirst({
    where: eq(user.id, id),
    with: {
      sessions: { orderBy: inOrder(session) },
      accounts: { orderBy: inOrder(account) },
      members: { orderBy: inOrder(member), with: { organization: true } },
      teamMembers: { orderBy: inOrder(teamMember), with: { team: true } },
      invitations: { orderBy: inOrder(invitation), with: { organization: true } },
    },
  })
const organizationFull = (id) =>
  db.query.organization.findFirst({
    where: eq(organization.id, id),
    with: {
      members: { orderBy: inOrder(member), with: { user: true } },
      teams: { orderBy: inOrder(team), with: { members: { orderBy: inOrder(teamMember), with: { user: true } } } },
      invitations: { orderBy: inOrder(invitation), with: { inviter: true } },
    },
  })
const page = (id, createdAt, afterId, limit) =>
  db
    .select({ member, user })
    .from(member)
    .innerJoin(user, eq(user.id, member.userId))
    .where(and(eq(member.organizationId, id), sql`(${member.createdAt}, ${member.id}) > (${createdAt}::timestamp, ${afterId})`))
    .orderBy(...inOrder(member))
    .limit(limit)

const given = sql.placeholder
const prepared = {
  authenticate: authenticated(given("token"), given("now")).prepare("authenticate"),
  userById: userById(given("id")).prepare("user_by_id"),
  userByEmail: userByEmail(given("email")).prepare("user_by_email"),
  userFull: userFull(given("id")).prepare("user_full"),
  organizationFull: organizationFull(given("id")).prepare("organization_full"),
  page: page(given("id"), given("createdAt"), given("afterId"), given("limit")).prepare("page"),
}
const one = ([row]) => row
const bare = (time) => time.replace("Z", "")

const reads = {
  plain: {
    authenticate: async (i) => one(await authenticated(i.token, new Date())),
    userByID: async (i) => one(await userById(i.userId)),
    userByEmail: async (i) => one(await userByEmail(i.email)),
    userFull: (i) => userFull(i.userId),
    organizationFull: (i) => organizationFull(i.organizationId),
    page: (i) => page(i.organizationId, bare(i.afterCreatedAt), i.afterId, i.limit),
  },
  prepared: {
    authenticate: async (i) => one(await prepared.authenticate.execute({ token: i.token, now: new Date() })),
    userByID: async (i) => one(await prepared.userById.execute({ id: i.userId })),
    userByEmail: async (i) => one(await prepared.userByEmail.execute({ email: i.email })),
    userFull: (i) => prepared.userFull.execute({ id: i.userId }),
    organizationFull: (i) => prepared.organizationFull.execute({ id: i.organizationId }),
    page: (i) =>
      prepared.page.execute({
        id: i.organizationId,
        createdAt: bare(i.afterCreatedAt),
        afterId: i.afterId,
        limit: i.limit,
      }),
  },
}

const newSession = (userId, now) => ({
  id: newId(),
  token: newId(),
  expiresAt: new Date(now.getTime() + lifetime),
  createdAt: now,
  updatedAt: now,
  ipAddress: ip,
  userAgent: agent,
  userId,
})
const membershipKey = (...ids) => createHash("sha256").update(JSON.stringify(ids)).digest("base64url")
const found = (row) => {
  if (!row) throw new Error("not found")
  return row
}
const other = alias(member, "other")

const writes = {
  createSession: async (i) => one(await db.insert(session).values(newSession(i.userId, new Date())).returning()),
  createOrganization: (i) =>
    db.transaction(async (tx) => {
      const createdAt = new Date()
      const [row] = await tx.insert(organization).values({ id: newId(), name: "New", slug: i.slug, createdAt }).returning()
      await tx.insert(member).values({ id: newId(), organizationId: row.id, userId: i.userId, role: "owner", createdAt })
      return row
    }),
  acceptInvitation: (i) =>
    db.transaction(async (tx) => {
      const createdAt = new Date()
      const recipient = tx
        .select({ email: user.email })
        .from(user)
        .where(and(eq(user.id, i.userId), eq(user.emailVerified, true)))
      const accepted = found(
        one(
          await tx
            .update(invitation)
            .set({ status: "accepted" })
            .where(
              and(
                eq(invitation.id, i.invitationId),
                eq(invitation.status, "pending"),
                gt(invitation.expiresAt, createdAt),
                inArray(invitation.email, recipient),
              ),
            )
            .returning(),
        ),
      )
      const { organizationId, role, teamId } = accepted
      const [joined] = await tx
        .insert(member)
        .values({ id: newId(), organizationId, userId: i.userId, role, createdAt })
        .returning()
      if (teamId) {
        const key = membershipKey(teamId, i.userId)
        await tx.insert(teamMember).values({ id: newId(), teamId, userId: i.userId, createdAt, membershipKey: key })
        await tx.update(team).set({ memberCount: sql`${team.memberCount} + 1` }).where(eq(team.id, teamId))
      }
      return { invitation: accepted, member: joined }
    }),
  changeRole: (i) =>
    db.transaction(async (tx) => {
      await tx.select({ id: organization.id }).from(organization).where(eq(organization.id, i.organizationId)).for("no key update")
      const others = tx
        .select({ id: other.id })
        .from(other)
        .where(and(eq(other.organizationId, i.organizationId), ne(other.id, i.memberId), eq(other.role, "owner")))
      return found(
        one(
          await tx
            .update(member)
            .set({ role: "admin" })
            .where(
              and(
                eq(member.id, i.memberId),
                eq(member.organizationId, i.organizationId),
                sql`(${member.role} <> 'owner' OR ${exists(others)})`,
              ),
            )
            .returning(),
        ),
      )
    }),
  deleteUser: (i) =>
    db.transaction(async (tx) => {
      const theirs = tx.select({ id: member.organizationId }).from(member).where(eq(member.userId, i.userId))
      await tx
        .select({ id: organization.id })
        .from(organization)
        .where(inArray(organization.id, theirs))
        .orderBy(organization.id)
        .for("no key update")
      const others = tx
        .select({ id: other.id })
        .from(other)
        .where(and(eq(other.organizationId, member.organizationId), ne(other.userId, i.userId), eq(other.role, "owner")))
      const alone = await tx
        .select({ id: member.id })
        .from(member)
        .where(and(eq(member.userId, i.userId), eq(member.role, "owner"), notExists(others)))
        .limit(1)
      if (alone.length) throw new Error("the only owner of an organization")
      const sessions = await tx.select().from(session).where(eq(session.userId, i.userId))
      const seats = tx.select({ id: teamMember.teamId }).from(teamMember).where(eq(teamMember.userId, i.userId))
      await tx.update(team).set({ memberCount: sql`${team.memberCount} - 1` }).where(inArray(team.id, seats))
      const address = tx.select({ email: user.email }).from(user).where(eq(user.id, i.userId))
      await tx
        .update(invitation)
        .set({ status: "canceled" })
        .where(
          and(
            inArray(invitation.email, address),
            eq(invitation.status, "pending"),
            inArray(invitation.organizationId, theirs),
          ),
        )
      await tx.delete(user).where(eq(user.id, i.userId))
      return sessions
    }),
  createSessions: (i) =>
    db.transaction(async (tx) => {
      const now = new Date()
      for (let left = i.limit; left > 0; left -= insertRows) {
        const rows = Array.from({ length: Math.min(left, insertRows) }, () => newSession(i.userId, now))
        await tx.insert(session).values(rows)
      }
    }),
  purge: (i) => {
    const due = db
      .select({ id: session.id })
      .from(session)
      .where(lte(session.expiresAt, new Date()))
      .orderBy(session.expiresAt)
      .limit(i.limit)
      .for("update", { skipLocked: true })
    return db.delete(session).where(inArray(session.id, due))
  },
}

const operations = { ...reads[form], ...(form === "plain" && writes) }

async function answer({ op, inputs, limit, least, look }) {
  const run = operations[op]
  if (look) return { rows: (await run(inputs[0])) ?? null }
  const times = []
  const cpu = process.cpuUsage()
  const began = performance.now()
  let last = began
  for (const input of inputs) {
    await run(input)
    const now = performance.now()
    times.push(Math.round((now - last) * 1e6))
    last = now
    if (limit > 0 && times.length >= least && now - began > limit) break
  }
  const { user: own, system } = process.cpuUsage(cpu)
  return { times, cpu: (own + system) * 1000 }
}

const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
say({
  operations: Object.keys(operations),
  version: `Drizzle ${version("drizzle-orm")}, node-postgres ${version("pg")}, Node ${process.versions.node}`,
})
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answer(JSON.parse(line)))
  } catch (error) {
    say({ error: String(error.cause ?? error) })
  }
}
await pool.end()
