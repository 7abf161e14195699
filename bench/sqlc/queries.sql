-- name: Authenticate :one
SELECT sqlc.embed(s), sqlc.embed(u), m.id AS member_id, m.role AS member_role, m.created_at AS member_created_at,
    t.id AS team_id, t.name AS team_name, t.created_at AS team_created_at, t.updated_at AS team_updated_at,
    t.member_count AS team_member_count
FROM session s
JOIN "user" u ON u.id = s.user_id
LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = m.user_id
LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
WHERE s.token = $1 AND s.expires_at > @now;

-- name: GetUser :one
SELECT * FROM "user" WHERE id = $1;

-- name: GetUserByEmail :one
SELECT * FROM "user" WHERE email = $1;

-- name: ListSessionsOfUser :many
SELECT * FROM session WHERE user_id = $1 ORDER BY created_at, id;

-- name: ListAccountsOfUser :many
SELECT * FROM account WHERE user_id = $1 ORDER BY created_at, id;

-- name: ListMembersOfUser :many
SELECT sqlc.embed(m), sqlc.embed(o) FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = $1 ORDER BY m.created_at, m.id;

-- name: ListTeamMembersOfUser :many
SELECT sqlc.embed(tm), sqlc.embed(t) FROM team_member tm JOIN team t ON t.id = tm.team_id
WHERE tm.user_id = $1 ORDER BY tm.created_at, tm.id;

-- name: ListInvitationsOfInviter :many
SELECT sqlc.embed(i), sqlc.embed(o) FROM invitation i JOIN organization o ON o.id = i.organization_id
WHERE i.inviter_id = $1 ORDER BY i.created_at, i.id;

-- name: GetOrganization :one
SELECT * FROM organization WHERE id = $1;

-- name: ListMembers :many
SELECT sqlc.embed(m), sqlc.embed(u) FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = $1 ORDER BY m.created_at, m.id;

-- name: ListTeams :many
SELECT * FROM team WHERE organization_id = $1 ORDER BY created_at, id;

-- name: ListTeamMembers :many
SELECT sqlc.embed(tm), sqlc.embed(u) FROM team t
JOIN team_member tm ON tm.team_id = t.id
JOIN "user" u ON u.id = tm.user_id
WHERE t.organization_id = $1 ORDER BY tm.created_at, tm.id;

-- name: ListInvitations :many
SELECT sqlc.embed(i), sqlc.embed(u) FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.organization_id = $1 ORDER BY i.created_at, i.id;

-- name: PageOfMembers :many
SELECT sqlc.embed(m), sqlc.embed(u) FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = $1 AND (m.created_at, m.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at, m.id LIMIT @row_limit;

-- name: CreateSession :one
INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
VALUES ($1, $2, $3, @now, @now, $4, $5, $6) RETURNING *;

-- name: CreateOrganization :one
INSERT INTO organization (id, name, slug, created_at) VALUES ($1, $2, $3, $4) RETURNING *;

-- name: CreateMember :one
INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING *;

-- name: ClaimInvitation :one
UPDATE invitation i SET status = 'accepted' FROM "user" u
WHERE i.id = $1 AND u.id = @user_id AND u.email = i.email AND u.email_verified
  AND i.status = 'pending' AND i.expires_at > @now
RETURNING i.*;

-- name: CreateTeamMember :exec
INSERT INTO team_member (id, team_id, user_id, created_at, membership_key) VALUES ($1, $2, $3, $4, $5);

-- name: CountSeat :exec
UPDATE team SET member_count = member_count + 1, updated_at = @now WHERE id = $1;

-- name: LockOrganization :exec
SELECT id FROM organization WHERE id = $1 FOR NO KEY UPDATE;

-- name: ChangeRole :one
UPDATE member m SET role = @role
WHERE m.id = $1 AND m.organization_id = $2
  AND (@role::text = 'owner' OR m.role <> 'owner' OR EXISTS (
    SELECT 1 FROM member o WHERE o.organization_id = $2 AND o.id <> $1 AND o.role = 'owner'))
RETURNING *;

-- name: LockOrganizationsOfUser :exec
SELECT id FROM organization WHERE id IN (SELECT organization_id FROM member WHERE user_id = $1)
ORDER BY id FOR NO KEY UPDATE;

-- name: OwnsAlone :one
SELECT EXISTS (
    SELECT 1 FROM member m WHERE m.user_id = $1 AND m.role = 'owner' AND NOT EXISTS (
        SELECT 1 FROM member o WHERE o.organization_id = m.organization_id AND o.user_id <> $1 AND o.role = 'owner'));

-- name: FreeSeats :exec
UPDATE team SET member_count = member_count - 1, updated_at = @now
WHERE id IN (SELECT team_id FROM team_member WHERE user_id = $1);

-- name: CancelInvitationsOfUser :exec
UPDATE invitation i SET status = 'canceled' FROM "user" u
WHERE u.id = $1 AND i.email = u.email AND i.status = 'pending'
  AND i.organization_id IN (SELECT m.organization_id FROM member m WHERE m.user_id = $1);

-- name: DeleteUser :execrows
DELETE FROM "user" WHERE id = $1;

-- name: CreateSessions :copyfrom
INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: PurgeSessions :execrows
DELETE FROM session WHERE id IN (
    SELECT s.id FROM session s WHERE s.expires_at <= @now ORDER BY s.expires_at LIMIT @row_limit FOR UPDATE SKIP LOCKED);
