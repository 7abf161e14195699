// The TypeScript half of docs/from-better-auth.md. guide_test.go runs it, beside the Go half.
import { asc, eq, relations } from "drizzle-orm"
import { drizzle } from "drizzle-orm/node-postgres"

/** A database whose schema has relations, as an application's own has. */
export function related(pool, schema) {
  const { invitation, member, organization, team, user } = schema
  return drizzle(pool, {
    schema: {
      ...schema,
      organizationRelations: relations(organization, ({ many }) => ({
        members: many(member),
        teams: many(team),
        invitations: many(invitation),
      })),
      memberRelations: relations(member, ({ one }) => ({
        organization: one(organization, { fields: [member.organizationId], references: [organization.id] }),
        user: one(user, { fields: [member.userId], references: [user.id] }),
      })),
      teamRelations: relations(team, ({ one }) => ({
        organization: one(organization, { fields: [team.organizationId], references: [organization.id] }),
      })),
      invitationRelations: relations(invitation, ({ one }) => ({
        organization: one(organization, { fields: [invitation.organizationId], references: [organization.id] }),
      })),
    },
  })
}

export const pieces = {
  async whoIs({ auth, headers }) {
    const me = await auth.api.getSession({ headers })
    return me?.user.name ?? "nobody"
  },

  async createOrganization({ auth, headers }, { name, slug }) {
    const org = await auth.api.createOrganization({ body: { name, slug }, headers })
    return org.id
  },

  async full({ db, schema: { organization } }, { slug }) {
    const org = await db.query.organization.findFirst({
      where: eq(organization.slug, slug),
      with: { members: { with: { user: true } }, teams: true, invitations: true },
    })
    return org.members.map((m) => m.user.name)
  },

  async page({ db, schema: { member } }, { organizationId }) {
    return db.query.member.findMany({
      where: eq(member.organizationId, organizationId),
      with: { user: true },
      orderBy: asc(member.createdAt),
      limit: 50,
      offset: 0,
    })
  },

  async signUp({ db, schema: { organization, user } }, { now, fail }) {
    await db.transaction(async (tx) => {
      await tx.insert(user).values({ id: "ts", name: "Ada", email: "ada@ts.example", createdAt: now, updatedAt: now })
      await tx.insert(organization).values({ id: "ts", name: "Acme", slug: fail ? "engines" : "ts", createdAt: now })
    })
  },
}
