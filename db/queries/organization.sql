-- name: CreateOrganization :one
-- One statement, so that no organization is ever without its owner.
WITH created AS (
    INSERT INTO organization (id, name, slug, logo, created_at, metadata)
    VALUES (@id, @name, @slug, @logo, @now, @metadata)
    RETURNING *
), owner AS (
    INSERT INTO member (id, organization_id, user_id, role, created_at)
    VALUES (@member_id, @id, @owner_id, @owner_role, @now)
), first_team AS (
    INSERT INTO team (id, name, organization_id, created_at, updated_at, member_count)
    SELECT @team_id, @name, @id, @now, @now::timestamp, 1
    WHERE @default_team::boolean
    RETURNING id
), seat AS (
    INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
    SELECT @team_member_id, first_team.id, @owner_id, @now::timestamp,
        pg_catalog.translate(pg_catalog.rtrim(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
            '[' || pg_catalog.to_json(first_team.id)::text || ',' || pg_catalog.to_json(@owner_id::text)::text || ']',
            'UTF8')), 'base64'), '='), '+/', '-_')
    FROM first_team
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
LIMIT (SELECT @row_limit::integer);

-- name: ListOrganizationsNewest :many
SELECT * FROM organization
WHERE (created_at, id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at DESC, id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountOrganizations :one
SELECT pg_catalog.count(*) FROM organization;

-- name: LockOrganization :exec
-- Lets one operation of authdb at a time work on an organization's members, teams and invitations. Inserting a row that
-- only refers to the organization does not wait for this.
SELECT id FROM organization WHERE id = @organization_id
FOR NO KEY UPDATE;

-- name: LockOrganizations :exec
SELECT id FROM organization WHERE id = ANY(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[])))
ORDER BY id
FOR NO KEY UPDATE;

-- name: LockOrganizationsOfUser :exec
-- In order, so that two of these do not deadlock.
SELECT id FROM organization WHERE id IN (SELECT m.organization_id FROM member m WHERE m.user_id = @user_id)
ORDER BY id
FOR NO KEY UPDATE;

-- name: LockOrganizationsOfUserToDelete :exec
-- Also waits for those who are joining one or making it active.
SELECT id FROM organization WHERE id IN (SELECT m.organization_id FROM member m WHERE m.user_id = @user_id)
ORDER BY id
FOR UPDATE;

-- name: LockOrganizationOfInvitation :exec
SELECT id FROM organization WHERE id = (SELECT i.organization_id FROM invitation i WHERE i.id = @invitation_id)
FOR NO KEY UPDATE;

-- name: LockOrganizationToDelete :exec
-- Also waits for those who are joining it or making it active.
SELECT id FROM organization WHERE id = @id
FOR UPDATE;

-- name: UpdateOrganization :one
UPDATE organization
SET name = coalesce(sqlc.narg('name'), name),
    slug = coalesce(sqlc.narg('slug'), slug),
    logo = CASE WHEN @set_logo::boolean THEN sqlc.narg('logo') ELSE logo END,
    metadata = CASE WHEN @set_metadata::boolean THEN sqlc.narg('metadata') ELSE metadata END
WHERE id = @id
RETURNING *;

-- name: DeleteOrganization :one
WITH gone AS (
    DELETE FROM organization WHERE id = @id
    RETURNING id
)
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM gone) THEN 'not found' ELSE '' END::text AS outcome;

-- name: ListOrganizationsByUser :many
SELECT sqlc.embed(m), sqlc.embed(o),
    (SELECT pg_catalog.count(*) FROM member c WHERE c.organization_id = o.id) AS member_count
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = @user_id
  AND (m.created_at, m.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at, m.id
LIMIT (SELECT @row_limit::integer);

-- name: ListOrganizationsByUserNewest :many
SELECT sqlc.embed(m), sqlc.embed(o),
    (SELECT pg_catalog.count(*) FROM member c WHERE c.organization_id = o.id) AS member_count
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = @user_id
  AND (m.created_at, m.id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at DESC, m.id DESC
LIMIT (SELECT @row_limit::integer);
