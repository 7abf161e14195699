-- name: AuthenticatePlatform :one
-- AuthenticateSession with the plugin's columns. An impersonated session is banned if either user is, or if
-- who impersonates was deleted.
SELECT sqlc.embed(s), sqlc.embed(u), m.id AS member_id, m.role AS member_role, m.created_at AS member_created_at,
    t.id AS team_id, t.name AS team_name, t.created_at AS team_created_at, t.updated_at AS team_updated_at,
    t.member_count AS team_member_count,
    (coalesce(u.banned AND coalesce(u.ban_expires >= @now::timestamp, true), false) OR coalesce(s.impersonated_by <> '' AND NOT EXISTS (
        SELECT 1 FROM "user" i
        WHERE i.id = s.impersonated_by
            AND NOT coalesce(i.banned AND coalesce(i.ban_expires >= @now::timestamp, true), false)), false))::boolean AS barred,
    ARRAY[]::text[] AS roles
FROM session s
JOIN "user" u ON u.id = s.user_id
LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = s.user_id
LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
WHERE s.token = @token::text
  AND s.expires_at > @now;

-- name: AuthenticatePlatformRoles :one
-- AuthenticatePlatform with the roles that the active organization defined itself, each with what it permits, if the
-- user's may be among them: to split the user's list here takes six times as long.
SELECT sqlc.embed(s), sqlc.embed(u), m.id AS member_id, m.role AS member_role, m.created_at AS member_created_at,
    t.id AS team_id, t.name AS team_name, t.created_at AS team_created_at, t.updated_at AS team_updated_at,
    t.member_count AS team_member_count,
    (coalesce(u.banned AND coalesce(u.ban_expires >= @now::timestamp, true), false) OR coalesce(s.impersonated_by <> '' AND NOT EXISTS (
        SELECT 1 FROM "user" i
        WHERE i.id = s.impersonated_by
            AND NOT coalesce(i.banned AND coalesce(i.ban_expires >= @now::timestamp, true), false)), false))::boolean AS barred,
    ARRAY(SELECT ARRAY[r.role, r.permission] FROM organization_role r
        WHERE r.organization_id = m.organization_id
          AND pg_catalog.strpos(m.role, r.role) > 0)::text[] AS roles
FROM session s
JOIN "user" u ON u.id = s.user_id
LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = s.user_id
LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
WHERE s.token = @token::text
  AND s.expires_at > @now;

-- name: Impersonate :one
-- Both users are locked: the roles and the ban stay as they are.
WITH verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = @user_id) THEN 'not found'
        WHEN EXISTS (
            SELECT 1 FROM "user" a
            WHERE a.id = @actor_id::text AND a.banned AND coalesce(a.ban_expires >= @now::timestamp, true)) THEN 'not permitted'
        WHEN NOT EXISTS (
            SELECT 1 FROM "user" a
            WHERE a.id = @actor_id
              AND (@trusted::boolean OR pg_catalog.string_to_array(coalesce(nullif(a.role, ''), @default_role::text), ',')
                OPERATOR(pg_catalog.&&) @permitted::text[])) THEN 'not permitted'
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
