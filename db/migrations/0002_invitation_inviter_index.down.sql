DROP INDEX CONCURRENTLY IF EXISTS "invitation_inviterId_idx";
