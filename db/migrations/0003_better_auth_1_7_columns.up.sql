-- Better Auth 1.7 refuses every request without these two. 1.3 to 1.6 write neither, so each may stay as it is.
ALTER TABLE "team" ADD COLUMN "member_count" integer DEFAULT 0 NOT NULL;
ALTER TABLE "team_member" ADD COLUMN "membership_key" text;
