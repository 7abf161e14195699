-- name: LiftBans :exec
-- Those that are over, as the server does when their users sign in.
UPDATE "user" SET banned = false, ban_reason = NULL, ban_expires = NULL, updated_at = @now
WHERE id = ANY(ARRAY(SELECT pg_catalog.unnest(@ids::text[]))) AND banned AND ban_expires < @now;
