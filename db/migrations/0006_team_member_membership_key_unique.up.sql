ALTER TABLE "team_member" ADD CONSTRAINT "team_member_membership_key_unique" UNIQUE USING INDEX "team_member_membership_key_unique";
