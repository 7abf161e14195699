-- Without it, each purge scans the table, also when nothing has expired.
CREATE INDEX CONCURRENTLY "session_expiresAt_idx" ON "session" USING btree ("expires_at");
