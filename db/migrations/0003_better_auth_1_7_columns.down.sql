ALTER TABLE "team_member" DROP COLUMN "membership_key";
ALTER TABLE "team" DROP COLUMN "member_count";
