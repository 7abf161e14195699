-- name: CreateTeam :one
WITH verdict AS (
    SELECT CASE
        WHEN (SELECT pg_catalog.count(*) FROM (
            SELECT 1 FROM team t WHERE t.organization_id = @organization_id
            LIMIT coalesce(sqlc.narg('max_teams')::bigint, 0)
        ) taken) >= coalesce(sqlc.narg('max_teams')::bigint, 1) THEN 'too many teams'
        ELSE ''
    END::text AS outcome
), created AS (
    INSERT INTO team (id, name, organization_id, created_at, updated_at)
    SELECT @id, @name, @organization_id, @now::timestamp, @now::timestamp
    WHERE (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: GetTeam :one
SELECT * FROM team WHERE id = @id AND organization_id = @organization_id;

-- name: GetTeamWithOrganization :one
SELECT sqlc.embed(t), sqlc.embed(o)
FROM team t JOIN organization o ON o.id = t.organization_id
WHERE t.id = @id AND t.organization_id = @organization_id;

-- name: ListTeams :many
SELECT * FROM team
WHERE organization_id = @organization_id
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT (SELECT @row_limit::integer);

-- name: ListTeamsNewest :many
SELECT * FROM team
WHERE organization_id = @organization_id
  AND (created_at, id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at DESC, id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountTeams :one
SELECT pg_catalog.count(*) FROM team WHERE organization_id = @organization_id;

-- name: UpdateTeam :one
UPDATE team SET name = coalesce(sqlc.narg('name'), name), updated_at = @now::timestamp
WHERE id = @id AND organization_id = @organization_id
RETURNING *;

-- name: RecountTeamMembers :one
WITH counted AS (
    UPDATE team SET member_count = (SELECT pg_catalog.count(*) FROM team_member tm WHERE tm.team_id = team.id),
        updated_at = @now::timestamp
    WHERE organization_id = @organization_id
      AND member_count <> (SELECT pg_catalog.count(*) FROM team_member tm WHERE tm.team_id = team.id)
    RETURNING id
)
SELECT pg_catalog.count(*) FROM counted;

-- name: LockTeam :exec
-- Waits for those who are joining the team or making it active.
SELECT id FROM team WHERE id = @id AND organization_id = @organization_id FOR UPDATE;

-- name: LockTeamToJoin :exec
-- Better Auth 1.7 reserves a seat by updating the team's count.
SELECT id FROM team WHERE id = @id AND organization_id = @organization_id FOR NO KEY UPDATE;

-- name: LockTeamsOfInvitation :exec
SELECT t.id FROM team t
WHERE t.id = ANY(ARRAY(
    SELECT pg_catalog.btrim(named.id) FROM pg_catalog.unnest(pg_catalog.string_to_array(
        (SELECT i.team_id FROM invitation i WHERE i.id = @invitation_id), ',')) named (id)))
  AND t.organization_id = (SELECT i.organization_id FROM invitation i WHERE i.id = @invitation_id)
ORDER BY t.id
FOR NO KEY UPDATE;

-- name: DeleteTeam :one
-- An invitation's list is edited as text, each team between two commas of its own: Citus cannot use array_to_string on
-- a column of the table that is updated.
WITH verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (
            SELECT 1 FROM team t WHERE t.id = @id AND t.organization_id = @organization_id) THEN 'not found'
        WHEN NOT @allow_last::boolean
            AND NOT EXISTS (
                SELECT 1 FROM team o
                WHERE o.organization_id = @organization_id
                  AND o.id <> @id
                FOR SHARE) THEN 'last team'
        ELSE ''
    END::text AS outcome
), cleared AS (
    UPDATE session s SET active_team_id = NULL, updated_at = @now
    WHERE s.user_id = ANY(ARRAY(SELECT tm.user_id FROM team_member tm WHERE tm.team_id = @id))
      AND s.active_team_id = @id
      AND (SELECT outcome FROM verdict) = ''
), rewritten AS (
    UPDATE invitation i
    SET team_id = nullif(pg_catalog.btrim(pg_catalog.replace(pg_catalog.replace(
        ',' || pg_catalog.replace(pg_catalog.regexp_replace(pg_catalog.btrim(i.team_id), '[ ]*,[ ]*', ',', 'g'), ',', ',,') || ',',
        ',' || @id || ',', ''), ',,', ','), ','), '')
    WHERE i.organization_id = @organization_id
      AND i.status = 'pending'
      AND @id IN (
        SELECT pg_catalog.btrim(named.id)
        FROM pg_catalog.unnest(pg_catalog.string_to_array(i.team_id, ',')) named (id))
      AND (SELECT outcome FROM verdict) = ''
), gone AS (
    DELETE FROM team
    WHERE id = @id
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: ListTeamsByOrganizations :many
SELECT * FROM team WHERE organization_id = ANY(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[])))
ORDER BY created_at, id;

-- name: PickTeamsByOrganizations :many
SELECT t.*
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND (SELECT NOT @newest::boolean)
     ORDER BY c.created_at, c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND (SELECT @newest::boolean)
     ORDER BY c.created_at DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN team t ON t.id = picked.id
ORDER BY t.created_at, t.id;
