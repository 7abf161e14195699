DROP INDEX CONCURRENTLY IF EXISTS "verification_expiresAt_idx";
