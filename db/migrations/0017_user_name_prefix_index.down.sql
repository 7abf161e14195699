DROP INDEX CONCURRENTLY IF EXISTS "user_name_prefix_idx";
