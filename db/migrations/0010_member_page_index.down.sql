DROP INDEX CONCURRENTLY IF EXISTS "member_organizationId_createdAt_id_idx";
