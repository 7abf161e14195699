-- As for member: a user is in a team once.
CREATE UNIQUE INDEX CONCURRENTLY "teamMember_teamId_userId_uidx" ON "team_member" USING btree ("team_id", "user_id");
