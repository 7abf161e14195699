-- An identity at a provider belongs to one user. Without it, each sign-in through a provider scans the table too.
CREATE UNIQUE INDEX CONCURRENTLY "account_providerId_accountId_uidx" ON "account" USING btree ("provider_id", "account_id");
