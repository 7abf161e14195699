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

-- name: ListTeamMembersByUsers :many
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.user_id = ANY(@user_ids::text[])
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: PickTeamMembersByUsers :many
SELECT sqlc.embed(tm), sqlc.embed(t)
FROM unnest(@user_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team_member c WHERE c.user_id = parent.id AND NOT @newest::boolean
     ORDER BY coalesce(c.created_at, '0001-01-01'), c.id LIMIT @row_limit)
    UNION ALL
    (SELECT c.id FROM team_member c WHERE c.user_id = parent.id AND @newest::boolean
     ORDER BY coalesce(c.created_at, '0001-01-01') DESC, c.id DESC LIMIT @row_limit)
) picked
JOIN team_member tm ON tm.id = picked.id
JOIN team t ON t.id = tm.team_id
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: ListTeamMembersByTeams :many
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team_member tm JOIN "user" u ON u.id = tm.user_id
WHERE tm.team_id = ANY(@team_ids::text[])
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: PickTeamMembersByTeams :many
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM unnest(@team_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team_member c WHERE c.team_id = parent.id AND NOT @newest::boolean
     ORDER BY coalesce(c.created_at, '0001-01-01'), c.id LIMIT @row_limit)
    UNION ALL
    (SELECT c.id FROM team_member c WHERE c.team_id = parent.id AND @newest::boolean
     ORDER BY coalesce(c.created_at, '0001-01-01') DESC, c.id DESC LIMIT @row_limit)
) picked
JOIN team_member tm ON tm.id = picked.id
JOIN "user" u ON u.id = tm.user_id
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: ListTeamMembersByOrganizations :many
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM team t
JOIN team_member tm ON tm.team_id = t.id
JOIN "user" u ON u.id = tm.user_id
WHERE t.organization_id = ANY(@organization_ids::text[])
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;

-- name: PickTeamMembersByOrganizations :many
-- Of the teams that PickTeamsByOrganizations picks; a limit of NULL takes all.
SELECT sqlc.embed(tm), sqlc.embed(u)
FROM unnest(@organization_ids::text[]) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND NOT @newest_teams::boolean
     ORDER BY c.created_at, c.id LIMIT sqlc.narg('team_limit')::integer)
    UNION ALL
    (SELECT c.id FROM team c WHERE c.organization_id = parent.id AND @newest_teams::boolean
     ORDER BY c.created_at DESC, c.id DESC LIMIT sqlc.narg('team_limit')::integer)
) t
CROSS JOIN LATERAL (
    (SELECT c.id FROM team_member c WHERE c.team_id = t.id AND NOT @newest::boolean
     ORDER BY coalesce(c.created_at, '0001-01-01'), c.id LIMIT sqlc.narg('row_limit')::integer)
    UNION ALL
    (SELECT c.id FROM team_member c WHERE c.team_id = t.id AND @newest::boolean
     ORDER BY coalesce(c.created_at, '0001-01-01') DESC, c.id DESC LIMIT sqlc.narg('row_limit')::integer)
) picked
JOIN team_member tm ON tm.id = picked.id
JOIN "user" u ON u.id = tm.user_id
ORDER BY coalesce(tm.created_at, '0001-01-01'), tm.id;
