-- team_member has no organization_id: every query but the user's own list reads the team with its organization,
-- so that no tenant reaches another's teams.

-- name: CreateTeamMembers :one
-- Everything that the verdict depends on is locked here, also what came after the earlier locks: memberships, existing
-- seats, and seats that the server adds meanwhile (DO UPDATE). So nothing remains to be checked afterwards.
WITH members AS (
    SELECT m.user_id FROM member m
    WHERE m.organization_id = @organization_id AND m.user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])))
    FOR KEY SHARE
), present AS (
    SELECT tm.user_id FROM team_member tm
    WHERE tm.team_id = @team_id AND tm.user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])))
    ORDER BY tm.id
    FOR KEY SHARE
), wanted AS (
    SELECT w.id, w.user_id
    FROM (SELECT pg_catalog.unnest(@ids::text[]) AS id, pg_catalog.unnest(@user_ids::text[]) AS user_id) w
    JOIN members ON members.user_id = w.user_id
), fresh AS (
    SELECT wanted.id, wanted.user_id,
        pg_catalog.translate(pg_catalog.rtrim(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
            '[' || pg_catalog.to_json(@team_id::text)::text || ',' || pg_catalog.to_json(wanted.user_id)::text || ']',
            'UTF8')), 'base64'), '='), '+/', '-_') AS key
    FROM wanted
    WHERE wanted.user_id <> ALL(ARRAY(SELECT present.user_id FROM present))
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (
            SELECT 1 FROM team t WHERE t.id = @team_id AND t.organization_id = @organization_id) THEN 'not found'
        WHEN (SELECT pg_catalog.count(*) FROM wanted) < pg_catalog.cardinality(@user_ids::text[]) THEN 'not a member'
        WHEN (SELECT pg_catalog.count(*) FROM fresh) > 0
            AND (SELECT pg_catalog.count(*) FROM fresh) + greatest(
                (SELECT t.member_count FROM team t WHERE t.id = @team_id),
                (SELECT pg_catalog.count(*) FROM team_member tm WHERE tm.team_id = @team_id
                    AND sqlc.narg('max_members')::bigint IS NOT NULL)
            ) > sqlc.narg('max_members')::bigint THEN 'too many members'
        ELSE ''
    END::text AS outcome
), seats AS (
    INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
    SELECT fresh.id, @team_id, fresh.user_id, @now::timestamp, fresh.key
    FROM fresh
    WHERE (SELECT outcome FROM verdict) = ''
    ON CONFLICT (team_id, user_id) DO UPDATE SET user_id = excluded.user_id
    RETURNING id
), made AS (
    SELECT seats.id FROM seats JOIN fresh ON fresh.id = seats.id
), counted AS (
    UPDATE team SET member_count = member_count + (SELECT pg_catalog.count(*) FROM made), updated_at = @now::timestamp
    WHERE id = @team_id
      AND EXISTS (SELECT 1 FROM made)
)
SELECT CASE WHEN outcome = '' AND (SELECT pg_catalog.count(*) FROM seats) < (SELECT pg_catalog.count(*) FROM fresh)
    THEN ('rows made: ' || (SELECT pg_catalog.count(*) FROM seats)::text)::integer::text ELSE outcome END::text AS outcome
FROM verdict;

-- name: ListTeamMembersOfUsers :many
SELECT tm.*
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[]))) WITH ORDINALITY wanted (user_id, place)
JOIN team_member tm ON tm.user_id = wanted.user_id
JOIN team t ON t.id = tm.team_id
WHERE tm.team_id = @team_id AND t.organization_id = @organization_id
ORDER BY wanted.place;

-- name: GetTeamMember :one
SELECT tm.* FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.id = @id AND t.organization_id = @organization_id;

-- name: GetTeamMemberWithUser :one
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team_member tm
JOIN team t ON t.id = tm.team_id
JOIN "user" u ON u.id = tm.user_id
WHERE tm.id = @id AND t.organization_id = @organization_id;

-- name: GetTeamMemberByUser :one
SELECT tm.* FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.team_id = @team_id AND tm.user_id = @user_id AND t.organization_id = @organization_id;

-- name: ListTeamMembers :many
-- created_at may be NULL: such a row counts as older than all others.
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team_member tm
JOIN team t ON t.id = tm.team_id
JOIN "user" u ON u.id = tm.user_id
WHERE tm.team_id = @team_id AND t.organization_id = @organization_id
  AND (coalesce(tm.created_at, '0001-01-01'), tm.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id
LIMIT (SELECT @row_limit::integer);

-- name: ListTeamMembersNewest :many
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team_member tm
JOIN team t ON t.id = tm.team_id
JOIN "user" u ON u.id = tm.user_id
WHERE tm.team_id = @team_id AND t.organization_id = @organization_id
  AND (coalesce(tm.created_at, '0001-01-01'), tm.id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY coalesce(tm.created_at, '0001-01-01') DESC, tm.id DESC
LIMIT (SELECT @row_limit::integer);

-- name: ListTeamMembersByUser :many
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.user_id = @user_id
  AND (coalesce(tm.created_at, '0001-01-01'), tm.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id
LIMIT (SELECT @row_limit::integer);

-- name: ListTeamMembersByUserNewest :many
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.user_id = @user_id
  AND (coalesce(tm.created_at, '0001-01-01'), tm.id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY coalesce(tm.created_at, '0001-01-01') DESC, tm.id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountTeamMembers :one
SELECT pg_catalog.count(*) FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.team_id = @team_id AND t.organization_id = @organization_id;

-- name: LockTeamMember :exec
-- Waits for those who are making the team active.
SELECT tm.id FROM team_member tm
WHERE tm.id = coalesce((SELECT sqlc.narg('id')::text), (
    SELECT c.id FROM team_member c
    WHERE c.team_id = sqlc.narg('team_id')::text AND c.user_id = sqlc.narg('user_id')::text))
  AND EXISTS (SELECT 1 FROM team t WHERE t.id = tm.team_id AND t.organization_id = @organization_id)
FOR UPDATE;

-- name: LockTeamMembership :exec
-- Waits for a removal, or a deletion of the team or the organization, that is under way. Locks in their order.
SELECT tm.id FROM organization o
JOIN member m ON m.organization_id = o.id
JOIN team t ON t.organization_id = o.id
JOIN team_member tm ON tm.team_id = t.id AND tm.user_id = m.user_id
WHERE tm.team_id = @team_id AND tm.user_id = @user_id
FOR KEY SHARE;

-- name: DeleteTeamMember :one
WITH gone AS (
    DELETE FROM team_member tm
    WHERE tm.id = coalesce(sqlc.narg('id')::text, (
        SELECT c.id FROM team_member c
        WHERE c.team_id = sqlc.narg('team_id')::text AND c.user_id = sqlc.narg('user_id')::text))
      AND EXISTS (SELECT 1 FROM team t WHERE t.id = tm.team_id AND t.organization_id = @organization_id)
    RETURNING tm.team_id, tm.user_id
), counted AS (
    UPDATE team SET member_count = greatest(member_count - 1, 0), updated_at = @now::timestamp
    WHERE id IN (SELECT gone.team_id FROM gone)
), cleared AS (
    UPDATE session s SET active_team_id = NULL, updated_at = @now
    WHERE s.user_id = (SELECT gone.user_id FROM gone)
      AND s.active_team_id = (SELECT gone.team_id FROM gone)
)
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM gone) THEN 'not found' ELSE '' END::text AS outcome;

-- name: ListTeamMembersByUsers :many
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])))
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: PickTeamMembersByUsers :many
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team_member c WHERE c.user_id = parent.id AND (SELECT NOT @newest::boolean)
     ORDER BY coalesce(c.created_at, '0001-01-01'), c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM team_member c WHERE c.user_id = parent.id AND (SELECT @newest::boolean)
     ORDER BY coalesce(c.created_at, '0001-01-01') DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN team_member tm ON tm.id = picked.id
JOIN team t ON t.id = tm.team_id
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: ListTeamMembersByTeams :many
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team_member tm JOIN "user" u ON u.id = tm.user_id
WHERE tm.team_id = ANY(ARRAY(SELECT pg_catalog.unnest(@team_ids::text[])))
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: PickTeamMembersByTeams :many
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@team_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team_member c WHERE c.team_id = parent.id AND (SELECT NOT @newest::boolean)
     ORDER BY coalesce(c.created_at, '0001-01-01'), c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM team_member c WHERE c.team_id = parent.id AND (SELECT @newest::boolean)
     ORDER BY coalesce(c.created_at, '0001-01-01') DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN team_member tm ON tm.id = picked.id
JOIN "user" u ON u.id = tm.user_id
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: ListTeamMembersByOrganizations :many
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team t
JOIN team_member tm ON tm.team_id = t.id
JOIN "user" u ON u.id = tm.user_id
WHERE t.organization_id = ANY(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[])))
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: PickTeamMembersByOrganizations :many
-- Of the teams that PickTeamsByOrganizations picks; a limit of NULL takes all.
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND NOT @newest_teams::boolean
     ORDER BY c.created_at, c.id LIMIT sqlc.narg('team_limit')::integer)
    UNION ALL
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND @newest_teams::boolean
     ORDER BY c.created_at DESC, c.id DESC LIMIT sqlc.narg('team_limit')::integer)
) t
CROSS JOIN LATERAL (
    (SELECT c.id FROM team_member c WHERE c.team_id = t.id AND (SELECT NOT @newest::boolean)
     ORDER BY coalesce(c.created_at, '0001-01-01'), c.id LIMIT sqlc.narg('row_limit')::integer)
    UNION ALL
    (SELECT c.id FROM team_member c WHERE c.team_id = t.id AND (SELECT @newest::boolean)
     ORDER BY coalesce(c.created_at, '0001-01-01') DESC, c.id DESC LIMIT sqlc.narg('row_limit')::integer)
) picked
JOIN team_member tm ON tm.id = picked.id
JOIN "user" u ON u.id = tm.user_id
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;
