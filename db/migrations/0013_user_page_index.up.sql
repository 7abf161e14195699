-- Pages of all users.
CREATE INDEX CONCURRENTLY "user_createdAt_id_idx" ON "user" USING btree ("created_at", "id");
