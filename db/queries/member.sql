-- name: CreateMember :one
INSERT INTO member (id, organization_id, user_id, role, created_at)
VALUES (@id, @organization_id, @user_id, @role, @now)
RETURNING *;

-- name: CreateMembers :copyfrom
INSERT INTO member (id, organization_id, user_id, role, created_at)
VALUES (@id, @organization_id, @user_id, @role, @created_at);

-- name: GetMember :one
SELECT * FROM member WHERE id = @id AND organization_id = @organization_id;

-- name: GetMemberWithUser :one
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.id = @id AND m.organization_id = @organization_id;

-- name: GetMemberByUser :one
-- Better Auth's races leave duplicates; the oldest counts.
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = @organization_id AND m.user_id = @user_id
ORDER BY m.created_at, m.id
LIMIT 1;

-- name: GetMemberByEmail :one
SELECT sqlc.embed(m), sqlc.embed(u)
FROM "user" u JOIN member m ON m.user_id = u.id
WHERE u.email = @email AND m.organization_id = @organization_id
ORDER BY m.created_at, m.id
LIMIT 1;

-- name: ListMembers :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = @organization_id
  AND (sqlc.narg('role')::text IS NULL OR sqlc.narg('role')::text = ANY(regexp_split_to_array(btrim(m.role), '\s*,\s*')))
  AND (m.created_at, m.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at, m.id
LIMIT @row_limit;

-- name: ListMembersByUser :many
SELECT sqlc.embed(m), sqlc.embed(o)
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = @user_id
  AND (m.created_at, m.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at, m.id
LIMIT @row_limit;

-- name: CountMembers :one
SELECT count(*) FROM member WHERE organization_id = @organization_id;

-- name: CountMembersByUser :one
SELECT count(*) FROM member WHERE user_id = @user_id;

-- name: UpdateMember :one
UPDATE member SET role = coalesce(sqlc.narg('role'), role)
WHERE id = @id AND organization_id = @organization_id
RETURNING *;

-- name: DeleteMember :execrows
DELETE FROM member WHERE id = @id AND organization_id = @organization_id;

-- name: ListMembersByOrganizations :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = ANY(@organization_ids::text[])
ORDER BY m.created_at, m.id;

-- name: PickMembersByOrganizations :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM unnest(@organization_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM member c WHERE c.organization_id = parent.id AND NOT @newest::boolean
     ORDER BY c.created_at, c.id LIMIT @row_limit)
    UNION ALL
    (SELECT c.id FROM member c WHERE c.organization_id = parent.id AND @newest::boolean
     ORDER BY c.created_at DESC, c.id DESC LIMIT @row_limit)
) picked
JOIN member m ON m.id = picked.id
JOIN "user" u ON u.id = m.user_id
ORDER BY m.created_at, m.id;

-- name: ListMembersByUsers :many
SELECT sqlc.embed(m), sqlc.embed(o)
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = ANY(@user_ids::text[])
ORDER BY m.created_at, m.id;

-- name: PickMembersByUsers :many
SELECT sqlc.embed(m), sqlc.embed(o)
FROM unnest(@user_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM member c WHERE c.user_id = parent.id AND NOT @newest::boolean
     ORDER BY c.created_at, c.id LIMIT @row_limit)
    UNION ALL
    (SELECT c.id FROM member c WHERE c.user_id = parent.id AND @newest::boolean
     ORDER BY c.created_at DESC, c.id DESC LIMIT @row_limit)
) picked
JOIN member m ON m.id = picked.id
JOIN organization o ON o.id = m.organization_id
ORDER BY m.created_at, m.id;
