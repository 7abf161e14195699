DROP INDEX CONCURRENTLY "invitation_inviterId_idx";
