-- Without it, the invitations that a user sent, and each delete of a user, scan the table.
CREATE INDEX CONCURRENTLY "invitation_inviterId_idx" ON "invitation" USING btree ("inviter_id");
