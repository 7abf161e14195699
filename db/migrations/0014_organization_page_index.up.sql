-- Pages of all organizations.
CREATE INDEX CONCURRENTLY "organization_createdAt_id_idx" ON "organization" USING btree ("created_at", "id");
