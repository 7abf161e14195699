-- Pages of an organization's members; without it, each sorts them all.
CREATE INDEX CONCURRENTLY "member_organizationId_createdAt_id_idx" ON "member" USING btree ("organization_id", "created_at", "id");
