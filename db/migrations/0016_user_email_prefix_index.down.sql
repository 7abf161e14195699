DROP INDEX CONCURRENTLY IF EXISTS "user_email_prefix_idx";
