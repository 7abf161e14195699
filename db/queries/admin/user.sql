-- name: LiftBans :exec
-- Lifts bans that are over, as the server does when their users sign in.
UPDATE "user" SET banned = false, ban_reason = NULL, ban_expires = NULL, updated_at = @now
WHERE id = ANY(ARRAY(SELECT pg_catalog.unnest(@ids::text[]))) AND banned AND ban_expires < @now;

-- name: LockUserAndActor :exec
-- Keeps sign-ins of the user away, and the administrator's roles as they are.
SELECT id FROM "user" WHERE id = ANY(ARRAY[@id::text, @actor_id::text]) ORDER BY id
FOR UPDATE;

-- name: AdministerUser :one
-- Sets a role or a ban; a ban ends all sessions.
WITH verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = @id) THEN 'not found'
        WHEN @id = @actor_id::text AND sqlc.narg('banned')::boolean THEN 'not permitted'
        WHEN EXISTS (
            SELECT 1 FROM "user" a
            WHERE a.id = @actor_id AND a.banned AND coalesce(a.ban_expires >= @now::timestamp, true)) THEN 'not permitted'
        WHEN @actor_id <> ''::text AND NOT EXISTS (
            SELECT 1 FROM "user" a
            WHERE a.id = @actor_id
              AND (@trusted::boolean OR pg_catalog.string_to_array(coalesce(nullif(a.role, ''), @default_role::text), ',')
                OPERATOR(pg_catalog.&&) @permitted::text[])) THEN 'not permitted'
        ELSE ''
    END::text AS outcome
), changed AS (
    UPDATE "user" SET role = coalesce(sqlc.narg('role')::text, role),
        banned = coalesce(sqlc.narg('banned')::boolean, banned),
        ban_reason = CASE WHEN sqlc.narg('banned')::boolean IS NULL THEN ban_reason ELSE sqlc.narg('ban_reason') END,
        ban_expires = CASE WHEN sqlc.narg('banned')::boolean IS NULL THEN ban_expires ELSE sqlc.narg('ban_expires') END,
        updated_at = @now
    WHERE id = @id AND (SELECT outcome FROM verdict) = ''
), ended AS (
    DELETE FROM session WHERE user_id = @id AND sqlc.narg('banned')::boolean AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;
