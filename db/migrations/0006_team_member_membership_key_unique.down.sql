-- The index goes along: undoing the migration before finds it gone.
ALTER TABLE "team_member" DROP CONSTRAINT "team_member_membership_key_unique";
