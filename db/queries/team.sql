-- name: CreateTeam :one
INSERT INTO team (id, name, organization_id, created_at, updated_at)
VALUES (@id, @name, @organization_id, @now, @now::timestamp)
RETURNING *;

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
LIMIT @row_limit;

-- name: CountTeams :one
SELECT count(*) FROM team WHERE organization_id = @organization_id;

-- name: UpdateTeam :one
UPDATE team SET name = coalesce(sqlc.narg('name'), name), updated_at = @now::timestamp
WHERE id = @id AND organization_id = @organization_id
RETURNING *;

-- name: DeleteTeam :execrows
DELETE FROM team WHERE id = @id AND organization_id = @organization_id;

-- name: ListTeamsByIDs :many
SELECT * FROM team WHERE id = ANY(@ids::text[]);

-- name: ListTeamsByOrganizations :many
SELECT * FROM team WHERE organization_id = ANY(@organization_ids::text[])
ORDER BY created_at, id;

-- name: PickTeamsByOrganizations :many
SELECT t.*
FROM unnest(@organization_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND NOT @newest::boolean
     ORDER BY c.created_at, c.id LIMIT @row_limit)
    UNION ALL
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND @newest::boolean
     ORDER BY c.created_at DESC, c.id DESC LIMIT @row_limit)
) picked
JOIN team t ON t.id = picked.id
ORDER BY t.created_at, t.id;
