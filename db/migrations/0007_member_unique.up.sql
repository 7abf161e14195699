-- Of two servers that add a user at once, one loses.
CREATE UNIQUE INDEX CONCURRENTLY "member_organizationId_userId_uidx" ON "member" USING btree ("organization_id", "user_id");
