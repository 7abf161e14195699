DROP INDEX CONCURRENTLY IF EXISTS "teamMember_teamId_userId_uidx";
