-- The index goes along with the constraint; undoing the migration before expects it, and so does applying this one again.
ALTER TABLE "team_member" DROP CONSTRAINT IF EXISTS "team_member_membership_key_unique";
-- As drizzle-kit 1.0 names it.
ALTER TABLE "team_member" DROP CONSTRAINT IF EXISTS "team_member_membership_key_key";
CREATE UNIQUE INDEX "team_member_membership_key_unique" ON "team_member" USING btree ("membership_key");
