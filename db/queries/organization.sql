-- name: CreateOrganization :one
-- One statement, so that no organization is ever without its owner.
WITH created AS (
    INSERT INTO organization (id, name, slug, logo, created_at, metadata)
    VALUES (@id, @name, @slug, @logo, @now, @metadata)
    RETURNING *
), owner AS (
    INSERT INTO member (id, organization_id, user_id, role, created_at)
    VALUES (@member_id, @id, @owner_id, @owner_role, @now)
)
SELECT * FROM created;

-- name: GetOrganization :one
SELECT * FROM organization WHERE id = @id;

-- name: GetOrganizationBySlug :one
SELECT * FROM organization WHERE slug = @slug;

-- name: ListOrganizations :many
SELECT * FROM organization
WHERE (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT @row_limit;

-- name: CountOrganizations :one
SELECT count(*) FROM organization;

-- name: UpdateOrganization :one
UPDATE organization
SET name = coalesce(sqlc.narg('name'), name),
    slug = coalesce(sqlc.narg('slug'), slug),
    logo = CASE WHEN @set_logo::boolean THEN sqlc.narg('logo') ELSE logo END,
    metadata = CASE WHEN @set_metadata::boolean THEN sqlc.narg('metadata') ELSE metadata END
WHERE id = @id
RETURNING *;

-- name: DeleteOrganization :execrows
DELETE FROM organization WHERE id = @id;

-- name: ListOrganizationsByIDs :many
SELECT * FROM organization WHERE id = ANY(@ids::text[]);

-- name: ListOrganizationsByUser :many
SELECT sqlc.embed(m), sqlc.embed(o), (SELECT count(*) FROM member c WHERE c.organization_id = o.id) AS member_count
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = @user_id
  AND (m.created_at, m.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at, m.id
LIMIT @row_limit;
