DROP INDEX CONCURRENTLY IF EXISTS "organization_createdAt_id_idx";
