UPDATE "team" SET "member_count" = 0;
UPDATE "team_member" SET "membership_key" = NULL;
