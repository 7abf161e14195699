DROP INDEX CONCURRENTLY IF EXISTS "team_member_membership_key_unique";
