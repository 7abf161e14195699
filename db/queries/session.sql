-- name: CreateSession :one
-- None for a user whom Better Auth's admin plugin has banned. If the plugin's columns exist, the user is locked, which
-- waits for a ban that is being set.
WITH holder AS (
    SELECT pg_catalog.to_jsonb(u.*) AS held FROM "user" u
    WHERE u.id = @user_id AND pg_catalog.to_jsonb(u.*) -> 'banned'::text IS NOT NULL
    FOR SHARE
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM holder WHERE held ->> 'banned'::text = 'true') THEN ''
        WHEN EXISTS (SELECT 1 FROM holder WHERE (held ->> 'ban_expires'::text)::timestamp < @now::timestamp) THEN 'ban over'
        ELSE 'banned'
    END::text AS outcome
), created AS (
    INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id,
        active_organization_id, active_team_id)
    SELECT @id, @expires_at, @token::text, @now::timestamp, @now, @ip_address, @user_agent, @user_id,
        @active_organization_id, @active_team_id
    WHERE (SELECT outcome FROM verdict) = ''
    RETURNING *
)
SELECT verdict.outcome, created.* FROM verdict LEFT JOIN created ON true;

-- name: CreateSessions :one
-- CreateSession for every place in a list, or none.
WITH holder AS (
    SELECT pg_catalog.to_jsonb(u.*) AS held FROM "user" u
    WHERE u.id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])))
      AND pg_catalog.to_jsonb(u.*) -> 'banned'::text IS NOT NULL
    ORDER BY u.id
    FOR SHARE
), barred AS (
    SELECT coalesce((held ->> 'ban_expires'::text)::timestamp < @now::timestamp, false) AS is_over FROM holder
    WHERE held ->> 'banned'::text = 'true'
), verdict AS (
    SELECT CASE
        WHEN EXISTS (SELECT 1 FROM barred WHERE NOT is_over) THEN 'banned'
        WHEN EXISTS (SELECT 1 FROM barred) THEN 'ban over'
        ELSE ''
    END::text AS outcome
), created AS (
    INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id,
        active_organization_id, active_team_id)
    SELECT pg_catalog.unnest(@ids::text[]), pg_catalog.unnest(@expiries::timestamp[]), pg_catalog.unnest(@tokens::text[]),
        @now::timestamp, @now, pg_catalog.unnest(@ip_addresses::varchar[]), pg_catalog.unnest(@user_agents::varchar[]),
        pg_catalog.unnest(@user_ids::text[]), pg_catalog.unnest(@active_organization_ids::varchar[]),
        pg_catalog.unnest(@active_team_ids::varchar[])
    WHERE (SELECT outcome FROM verdict) = ''
    RETURNING 1
)
SELECT outcome, CASE
    WHEN outcome = '' AND (SELECT pg_catalog.count(*) FROM created) < pg_catalog.cardinality(@ids::text[])
    THEN ('rows made: ' || (SELECT pg_catalog.count(*) FROM created)::text)::integer ELSE 0 END::integer AS missing
FROM verdict;

-- name: GetSession :one
SELECT * FROM session WHERE id = @id AND user_id = @user_id;

-- name: GetSessionByToken :one
SELECT * FROM session WHERE token = @token::text;

-- name: GetLiveSession :one
SELECT * FROM session WHERE token = @token::text AND user_id = @user_id AND expires_at > @now;

-- name: AuthenticateSession :one
-- Memberships are read from their tables: a session opens no organization or team that its user has left.
SELECT sqlc.embed(s), sqlc.embed(u), m.id AS member_id, m.role AS member_role, m.created_at AS member_created_at,
    t.id AS team_id, t.name AS team_name, t.created_at AS team_created_at, t.updated_at AS team_updated_at,
    t.member_count AS team_member_count
FROM session s
JOIN "user" u ON u.id = s.user_id
LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = s.user_id
LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
WHERE s.token = @token::text
  AND s.expires_at > @now;

-- name: AuthenticateSessions :many
-- AuthenticateSession for every place in a list.
SELECT sqlc.embed(s), sqlc.embed(u), m.id AS member_id, m.role AS member_role, m.created_at AS member_created_at,
    t.id AS team_id, t.name AS team_name, t.created_at AS team_created_at, t.updated_at AS team_updated_at,
    t.member_count AS team_member_count
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@tokens::text[]))) WITH ORDINALITY wanted (token, place)
JOIN session s ON s.token = wanted.token
JOIN "user" u ON u.id = s.user_id
LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = s.user_id
LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
WHERE s.expires_at > @now
ORDER BY wanted.place;

-- name: AuthenticatePlatforms :many
-- AuthenticateSessions with the admin plugin's columns, if they exist. An impersonated session is banned if either user
-- is, or if who impersonates was deleted.
SELECT sqlc.embed(s), sqlc.embed(u), m.id AS member_id, m.role AS member_role, m.created_at AS member_created_at,
    t.id AS team_id, t.name AS team_name, t.created_at AS team_created_at, t.updated_at AS team_updated_at,
    t.member_count AS team_member_count, coalesce(a.held ->> 'role'::text, '')::text AS role,
    (coalesce(a.held ->> 'banned'::text = 'true' AND coalesce((a.held ->> 'ban_expires'::text)::timestamp >= @now::timestamp,
        true), false) OR coalesce(pg_catalog.to_jsonb(s.*) ->> 'impersonated_by'::text <> '' AND NOT EXISTS (
            SELECT 1 FROM "user" i
            WHERE i.id = pg_catalog.to_jsonb(s.*) ->> 'impersonated_by'::text
              AND NOT coalesce(pg_catalog.to_jsonb(i.*) ->> 'banned'::text = 'true'
                  AND coalesce((pg_catalog.to_jsonb(i.*) ->> 'ban_expires'::text)::timestamp >= @now::timestamp, true), false)),
        false))::boolean AS banned,
    coalesce(a.held ->> 'ban_reason'::text, '')::text AS ban_reason,
    coalesce((a.held ->> 'ban_expires'::text)::timestamp, 'infinity')::timestamp AS ban_expires,
    coalesce(pg_catalog.to_jsonb(s.*) ->> 'impersonated_by'::text, '')::text AS impersonated_by,
    ARRAY[]::text[] AS roles
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@tokens::text[]))) WITH ORDINALITY wanted (token, place)
JOIN session s ON s.token = wanted.token
JOIN "user" u ON u.id = s.user_id
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(u.*) AS held OFFSET 0) a
LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = s.user_id
LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
WHERE s.expires_at > @now
ORDER BY wanted.place;

-- name: AuthenticatePlatformsRoles :many
-- AuthenticatePlatforms with the roles that the active organization defined itself, each with what it permits, if the
-- user's may be among them: to split the user's list here takes six times as long.
SELECT sqlc.embed(s), sqlc.embed(u), m.id AS member_id, m.role AS member_role, m.created_at AS member_created_at,
    t.id AS team_id, t.name AS team_name, t.created_at AS team_created_at, t.updated_at AS team_updated_at,
    t.member_count AS team_member_count, coalesce(a.held ->> 'role'::text, '')::text AS role,
    (coalesce(a.held ->> 'banned'::text = 'true' AND coalesce((a.held ->> 'ban_expires'::text)::timestamp >= @now::timestamp,
        true), false) OR coalesce(pg_catalog.to_jsonb(s.*) ->> 'impersonated_by'::text <> '' AND NOT EXISTS (
            SELECT 1 FROM "user" i
            WHERE i.id = pg_catalog.to_jsonb(s.*) ->> 'impersonated_by'::text
              AND NOT coalesce(pg_catalog.to_jsonb(i.*) ->> 'banned'::text = 'true'
                  AND coalesce((pg_catalog.to_jsonb(i.*) ->> 'ban_expires'::text)::timestamp >= @now::timestamp, true), false)),
        false))::boolean AS banned,
    coalesce(a.held ->> 'ban_reason'::text, '')::text AS ban_reason,
    coalesce((a.held ->> 'ban_expires'::text)::timestamp, 'infinity')::timestamp AS ban_expires,
    coalesce(pg_catalog.to_jsonb(s.*) ->> 'impersonated_by'::text, '')::text AS impersonated_by,
    ARRAY(SELECT ARRAY[r.role, r.permission] FROM organization_role r
        WHERE r.organization_id = m.organization_id
          AND pg_catalog.strpos(m.role, r.role) > 0)::text[] AS roles
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@tokens::text[]))) WITH ORDINALITY wanted (token, place)
JOIN session s ON s.token = wanted.token
JOIN "user" u ON u.id = s.user_id
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(u.*) AS held OFFSET 0) a
LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = s.user_id
LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
WHERE s.expires_at > @now
ORDER BY wanted.place;

-- name: ListSessionsByTokens :many
-- Each token brings its place: looking it up for each session would take time quadratic in their number.
SELECT sqlc.embed(s), sqlc.embed(u)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@tokens::text[]))) WITH ORDINALITY wanted (token, place)
JOIN session s ON s.token = wanted.token
JOIN "user" u ON u.id = s.user_id
ORDER BY wanted.place;

-- name: ListSessions :many
SELECT * FROM session
WHERE user_id = @user_id
  AND (NOT @live::boolean OR expires_at > @now)
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT (SELECT @row_limit::integer);

-- name: ListSessionsNewest :many
SELECT * FROM session
WHERE user_id = @user_id
  AND (NOT @live::boolean OR expires_at > @now)
  AND (created_at, id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at DESC, id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountSessions :one
SELECT pg_catalog.count(*) FROM session
WHERE user_id = @user_id AND (NOT @live::boolean OR expires_at > @now);

-- name: UpdateSessionByToken :one
UPDATE session
SET expires_at = coalesce(sqlc.narg('expires_at'), expires_at),
    ip_address = CASE WHEN @set_ip_address::boolean THEN sqlc.narg('ip_address') ELSE ip_address END,
    user_agent = CASE WHEN @set_user_agent::boolean THEN sqlc.narg('user_agent') ELSE user_agent END,
    updated_at = @now
WHERE token = @token::text
RETURNING *;

-- name: RefreshSession :one
-- Never an insert, so that a revoked session stays revoked. A session is due by its expiry, as in Better Auth, so no
-- refresh shortens one, and of many at once one writes. A session that was made for less than the lifetime is not
-- prolonged, nor one that impersonates; the admin plugin's column for that need not exist.
WITH refreshed AS (
    UPDATE session SET expires_at = @expires_at, updated_at = @now
    WHERE token = @token::text
      AND expires_at > @now
      AND expires_at <= @due
      AND expires_at - created_at > sqlc.arg('nearly')::timestamp - sqlc.arg('now')::timestamp
      AND pg_catalog.to_jsonb(session.*) ->> 'impersonated_by'::text IS NULL
    RETURNING id
)
SELECT EXISTS (SELECT 1 FROM refreshed);

-- name: GetLiveSessionByToken :one
SELECT * FROM session WHERE token = @token::text AND expires_at > @now;

-- name: LockLiveSession :exec
SELECT id FROM session WHERE token = @token::text AND user_id = @user_id AND expires_at > @now FOR NO KEY UPDATE;

-- name: SetActiveOrganization :one
-- The active team stays only if it is the organization's and the user is in it.
WITH target AS (
    SELECT s.id FROM session s
    WHERE s.token = @token::text
      AND s.user_id = @user_id
      AND s.expires_at > @now
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM target) THEN 'not found'
        WHEN sqlc.narg('organization_id')::text IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM member m
                WHERE m.organization_id = sqlc.narg('organization_id')
                  AND m.user_id = @user_id) THEN 'not a member'
        ELSE ''
    END::text AS outcome
), changed AS (
    UPDATE session s
    SET active_organization_id = sqlc.narg('organization_id'),
        active_team_id = (
            SELECT tm.team_id FROM team_member tm JOIN team t ON t.id = tm.team_id
            WHERE tm.team_id = s.active_team_id AND tm.user_id = @user_id
              AND t.organization_id = sqlc.narg('organization_id')
        ),
        updated_at = @now
    WHERE s.token = @token::text
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: SetActiveTeam :one
WITH target AS (
    SELECT s.id, s.active_organization_id FROM session s
    WHERE s.token = @token::text
      AND s.user_id = @user_id
      AND s.expires_at > @now
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM target) THEN 'not found'
        WHEN sqlc.narg('team_id')::text IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM team_member tm
                JOIN team t ON t.id = tm.team_id
                JOIN member m ON m.organization_id = t.organization_id AND m.user_id = tm.user_id
                WHERE tm.team_id = sqlc.narg('team_id') AND tm.user_id = @user_id
                  AND t.organization_id = (SELECT target.active_organization_id FROM target)) THEN 'not a member'
        ELSE ''
    END::text AS outcome
), changed AS (
    UPDATE session s SET active_team_id = sqlc.narg('team_id'), updated_at = @now
    WHERE s.token = @token::text
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: DeleteSession :execrows
DELETE FROM session WHERE id = @id AND user_id = @user_id;

-- name: DeleteSessionByToken :execrows
DELETE FROM session WHERE token = @token::text;

-- name: DeleteSessionsByTokens :execrows
DELETE FROM session WHERE token = ANY(ARRAY(SELECT pg_catalog.unnest(@tokens::text[])));

-- name: DeleteSessionsByUser :many
DELETE FROM session WHERE user_id = @user_id
RETURNING *;

-- name: DeleteSessionsOfUnverified :many
DELETE FROM session
WHERE user_id = (SELECT u.id FROM "user" u WHERE u.id = @user_id AND NOT u.email_verified
    AND @email::text = ANY(ARRAY[u.email, pg_catalog.lower(u.email)]))
  AND NOT @keep_access::boolean
RETURNING *;

-- name: DeleteOtherSessions :many
DELETE FROM session
WHERE user_id = @user_id
  AND id <> @id
RETURNING *;

-- name: DeleteExpiredSessions :execrows
-- SKIP LOCKED waits for nobody. Each row is checked again once it is locked, so one that was refreshed meanwhile stays.
DELETE FROM session WHERE token = ANY(ARRAY(
    SELECT due.token FROM session due
    WHERE due.expires_at <= (SELECT @now::timestamp)
    ORDER BY due.expires_at
    LIMIT (SELECT @row_limit::integer)
    FOR UPDATE SKIP LOCKED
));

-- name: ClearActiveOrganization :many
-- By the members: no index has the active id.
UPDATE session s SET active_organization_id = NULL, active_team_id = NULL, updated_at = @now
WHERE s.user_id = ANY(ARRAY(SELECT m.user_id FROM member m WHERE m.organization_id = @organization_id))
  AND s.active_organization_id = @organization_id
RETURNING *;

-- name: ListSessionsOfUser :many
-- All, since deleting the user ends all.
SELECT * FROM session WHERE user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])));

-- name: ListSessionsByUsers :many
SELECT * FROM session
WHERE user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[]))) AND (NOT @live::boolean OR expires_at > @now)
ORDER BY created_at, id;

-- name: PickSessionsByUsers :many
-- By rank, not by LATERAL as elsewhere: Citus allows no LATERAL to a distributed table.
SELECT ranked.id, ranked.expires_at, ranked.token, ranked.created_at, ranked.updated_at, ranked.ip_address,
    ranked.user_agent, ranked.user_id, ranked.active_organization_id, ranked.active_team_id
FROM (
    SELECT s.*, pg_catalog.row_number() OVER (
        PARTITION BY s.user_id
        ORDER BY CASE WHEN @newest::boolean THEN s.created_at END DESC, CASE WHEN @newest::boolean THEN s.id END DESC,
            s.created_at, s.id
    ) AS place
    FROM session s
    WHERE s.user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[]))) AND (NOT @live::boolean OR s.expires_at > @now)
) ranked
WHERE ranked.place <= @row_limit::integer
ORDER BY ranked.created_at, ranked.id;
