-- name: CreateInvitation :one
INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, created_at, inviter_id)
VALUES (@id, @organization_id, @email, @role, @team_id, @status, @expires_at, @now, @inviter_id)
RETURNING *;

-- name: GetInvitation :one
SELECT * FROM invitation WHERE id = @id AND organization_id = @organization_id;

-- name: GetInvitationWithInviter :one
SELECT sqlc.embed(i), sqlc.embed(u)
FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.id = @id AND i.organization_id = @organization_id;

-- name: GetInvitationByRecipient :one
-- The recipient knows the id from the link; the address keeps everybody else out.
SELECT sqlc.embed(i), sqlc.embed(o), sqlc.embed(u)
FROM invitation i
JOIN organization o ON o.id = i.organization_id
JOIN "user" u ON u.id = i.inviter_id
WHERE i.id = @id AND i.email = @email;

-- name: GetPendingInvitation :one
SELECT * FROM invitation
WHERE organization_id = @organization_id AND email = @email AND status = 'pending' AND expires_at > @now
ORDER BY created_at DESC, id DESC
LIMIT 1;

-- name: ListInvitations :many
SELECT sqlc.embed(i), sqlc.embed(u)
FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.organization_id = @organization_id
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
  AND (sqlc.narg('team_id')::text IS NULL OR sqlc.narg('team_id')::text = ANY(string_to_array(i.team_id, ',')))
  AND (i.created_at, i.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY i.created_at, i.id
LIMIT @row_limit;

-- name: ListInvitationsByEmail :many
SELECT sqlc.embed(i), sqlc.embed(o), sqlc.embed(u)
FROM invitation i
JOIN organization o ON o.id = i.organization_id
JOIN "user" u ON u.id = i.inviter_id
WHERE i.email = @email
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
  AND (i.created_at, i.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY i.created_at, i.id
LIMIT @row_limit;

-- name: CountInvitations :one
SELECT count(*) FROM invitation
WHERE organization_id = @organization_id
  AND (NOT @pending::boolean OR (status = 'pending' AND expires_at > @now));

-- name: UpdateInvitation :one
UPDATE invitation
SET role = CASE WHEN @set_role::boolean THEN sqlc.narg('role') ELSE role END,
    team_id = CASE WHEN @set_team_id::boolean THEN sqlc.narg('team_id') ELSE team_id END,
    expires_at = coalesce(sqlc.narg('expires_at'), expires_at)
WHERE id = @id AND organization_id = @organization_id
RETURNING *;

-- name: DeleteInvitation :execrows
DELETE FROM invitation WHERE id = @id AND organization_id = @organization_id;

-- name: ListInvitationsByOrganizations :many
SELECT sqlc.embed(i), sqlc.embed(u)
FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.organization_id = ANY(@organization_ids::text[])
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
ORDER BY i.created_at, i.id;

-- name: PickInvitationsByOrganizations :many
SELECT sqlc.embed(i), sqlc.embed(u)
FROM unnest(@organization_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM invitation c
     WHERE c.organization_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND NOT @newest::boolean
     ORDER BY c.created_at, c.id LIMIT @row_limit)
    UNION ALL
    (SELECT c.id FROM invitation c
     WHERE c.organization_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND @newest::boolean
     ORDER BY c.created_at DESC, c.id DESC LIMIT @row_limit)
) picked
JOIN invitation i ON i.id = picked.id
JOIN "user" u ON u.id = i.inviter_id
ORDER BY i.created_at, i.id;

-- name: ListInvitationsByInviters :many
SELECT sqlc.embed(i), sqlc.embed(o)
FROM invitation i JOIN organization o ON o.id = i.organization_id
WHERE i.inviter_id = ANY(@inviter_ids::text[])
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
ORDER BY i.created_at, i.id;

-- name: PickInvitationsByInviters :many
SELECT sqlc.embed(i), sqlc.embed(o)
FROM unnest(@inviter_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM invitation c
     WHERE c.inviter_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND NOT @newest::boolean
     ORDER BY c.created_at, c.id LIMIT @row_limit)
    UNION ALL
    (SELECT c.id FROM invitation c
     WHERE c.inviter_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND @newest::boolean
     ORDER BY c.created_at DESC, c.id DESC LIMIT @row_limit)
) picked
JOIN invitation i ON i.id = picked.id
JOIN organization o ON o.id = i.organization_id
ORDER BY i.created_at, i.id;
