-- The index of the next migration's constraint, which would build it under a lock.
CREATE UNIQUE INDEX CONCURRENTLY "team_member_membership_key_unique" ON "team_member" USING btree ("membership_key");
