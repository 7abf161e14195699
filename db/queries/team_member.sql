-- team_member has no organization_id: every query but the user's own list reads the team with its organization,
-- so that no tenant reaches another's teams.

-- name: CreateTeamMember :one
INSERT INTO team_member (id, team_id, user_id, created_at)
SELECT @id::text, t.id, @user_id::text, @now::timestamp
FROM team t
WHERE t.id = @team_id AND t.organization_id = @organization_id
RETURNING *;

-- name: CreateTeamMembers :execrows
INSERT INTO team_member (id, team_id, user_id, created_at)
SELECT u.id, t.id, u.user_id, @now::timestamp
FROM team t, (SELECT unnest(@ids::text[]) AS id, unnest(@user_ids::text[]) AS user_id) u
WHERE t.id = @team_id AND t.organization_id = @organization_id;

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
-- Better Auth's races leave duplicates; the oldest counts.
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.team_id = @team_id AND tm.user_id = @user_id AND t.organization_id = @organization_id
ORDER BY tm.created_at NULLS FIRST, tm.id
LIMIT 1;

-- name: ListTeamMembers :many
-- created_at may be NULL: such a row counts as older than all others.
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team_member tm
JOIN team t ON t.id = tm.team_id
JOIN "user" u ON u.id = tm.user_id
WHERE tm.team_id = @team_id AND t.organization_id = @organization_id
  AND (coalesce(tm.created_at, '0001-01-01'), tm.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id
LIMIT @row_limit;

-- name: ListTeamMembersByUser :many
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.user_id = @user_id
  AND (coalesce(tm.created_at, '0001-01-01'), tm.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id
LIMIT @row_limit;

-- name: CountTeamMembers :one
SELECT count(*) FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.team_id = @team_id AND t.organization_id = @organization_id;

-- name: DeleteTeamMember :execrows
DELETE FROM team_member tm
WHERE tm.id = @id
  AND EXISTS (SELECT 1 FROM team t WHERE t.id = tm.team_id AND t.organization_id = @organization_id);

-- name: DeleteTeamMemberByUser :execrows
-- All of them: one removal ends the membership even where a race left it twice.
DELETE FROM team_member tm
WHERE tm.team_id = @team_id AND tm.user_id = @user_id
  AND EXISTS (SELECT 1 FROM team t WHERE t.id = tm.team_id AND t.organization_id = @organization_id);
