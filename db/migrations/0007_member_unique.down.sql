DROP INDEX CONCURRENTLY IF EXISTS "member_organizationId_userId_uidx";
