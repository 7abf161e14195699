-- name: Impersonate :one
-- Both users are locked: the roles and the ban stay as they are.
WITH verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = @user_id) THEN 'not found'
        WHEN NOT @trusted::boolean AND NOT EXISTS (
            SELECT 1 FROM "user" a
            WHERE a.id = @actor_id::text
              AND pg_catalog.string_to_array(coalesce(nullif(a.role, ''), @default_role::text), ',')
                OPERATOR(pg_catalog.&&) @permitted::text[]) THEN 'not permitted'
        WHEN EXISTS (
            SELECT 1 FROM "user" u
            WHERE u.id = @user_id
              AND pg_catalog.string_to_array(coalesce(nullif(u.role, ''), @default_role::text), ',')
                OPERATOR(pg_catalog.&&) @admin_roles::text[]) THEN 'not permitted'
        WHEN EXISTS (
            SELECT 1 FROM "user" u
            WHERE u.id = @user_id AND u.banned AND coalesce(u.ban_expires >= @now::timestamp, true)) THEN 'banned'
        ELSE ''
    END::text AS outcome
), lifted AS (
    UPDATE "user" SET banned = false, ban_reason = NULL, ban_expires = NULL, updated_at = @now
    WHERE id = @user_id AND banned AND (SELECT outcome FROM verdict) = ''
), created AS (
    INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id, impersonated_by)
    SELECT @id, @expires_at, @token::text, @now::timestamp, @now, @ip_address, @user_agent, @user_id, @actor_id
    WHERE (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: StopImpersonating :one
WITH borrowed AS (
    SELECT s.id FROM session s JOIN session o ON o.user_id = s.impersonated_by
    WHERE s.token = @token::text AND o.token = @own_token::text AND o.expires_at > @now
), verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM borrowed) THEN 'not found' ELSE '' END::text AS outcome
), gone AS (
    DELETE FROM session
    WHERE id = (SELECT borrowed.id FROM borrowed)
)
SELECT outcome FROM verdict;
