DROP INDEX CONCURRENTLY IF EXISTS "account_providerId_accountId_uidx";
