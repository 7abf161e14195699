-- As for session; it also serves the sweep of Better Auth.
CREATE INDEX CONCURRENTLY "verification_expiresAt_idx" ON "verification" USING btree ("expires_at");
