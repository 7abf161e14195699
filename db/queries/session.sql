-- name: CreateSession :one
INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id,
    active_organization_id, active_team_id)
VALUES (@id, @expires_at, @token, @now, @now, @ip_address, @user_agent, @user_id,
    @active_organization_id, @active_team_id)
RETURNING *;

-- name: CreateSessions :copyfrom
INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id,
    active_organization_id, active_team_id)
VALUES (@id, @expires_at, @token, @created_at, @updated_at, @ip_address, @user_agent, @user_id,
    @active_organization_id, @active_team_id);

-- name: GetSession :one
SELECT * FROM session WHERE id = @id AND user_id = @user_id;

-- name: GetSessionByToken :one
SELECT sqlc.embed(s), sqlc.embed(u)
FROM session s JOIN "user" u ON u.id = s.user_id
WHERE s.token = @token;

-- name: ListSessionsByTokens :many
SELECT sqlc.embed(s), sqlc.embed(u)
FROM session s JOIN "user" u ON u.id = s.user_id
WHERE s.token = ANY(@tokens::text[])
ORDER BY array_position(@tokens::text[], s.token);

-- name: ListSessions :many
SELECT * FROM session
WHERE user_id = @user_id
  AND (NOT @live::boolean OR expires_at > @now)
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT @row_limit;

-- name: CountSessions :one
SELECT count(*) FROM session
WHERE user_id = @user_id AND (NOT @live::boolean OR expires_at > @now);

-- name: UpdateSessionByToken :one
UPDATE session
SET expires_at = coalesce(sqlc.narg('expires_at'), expires_at),
    ip_address = CASE WHEN @set_ip_address::boolean THEN sqlc.narg('ip_address') ELSE ip_address END,
    user_agent = CASE WHEN @set_user_agent::boolean THEN sqlc.narg('user_agent') ELSE user_agent END,
    updated_at = @now
WHERE token = @token
RETURNING *;

-- name: DeleteSession :execrows
DELETE FROM session WHERE id = @id AND user_id = @user_id;

-- name: DeleteSessionByToken :execrows
DELETE FROM session WHERE token = @token;

-- name: DeleteSessionsByTokens :execrows
DELETE FROM session WHERE token = ANY(@tokens::text[]);

-- name: DeleteSessionsByUser :execrows
DELETE FROM session WHERE user_id = @user_id;

-- name: ListSessionsByUsers :many
SELECT * FROM session
WHERE user_id = ANY(@user_ids::text[]) AND (NOT @live::boolean OR expires_at > @now)
ORDER BY created_at, id;

-- name: PickSessionsByUsers :many
-- By rank, not by LATERAL as elsewhere: Citus has none towards a distributed table.
SELECT ranked.id, ranked.expires_at, ranked.token, ranked.created_at, ranked.updated_at, ranked.ip_address,
    ranked.user_agent, ranked.user_id, ranked.active_organization_id, ranked.active_team_id
FROM (
    SELECT s.*, row_number() OVER (
        PARTITION BY s.user_id
        ORDER BY CASE WHEN @newest::boolean THEN s.created_at END DESC, CASE WHEN @newest::boolean THEN s.id END DESC,
            s.created_at, s.id
    ) AS place
    FROM session s
    WHERE s.user_id = ANY(@user_ids::text[]) AND (NOT @live::boolean OR s.expires_at > @now)
) ranked
WHERE ranked.place <= @row_limit::integer
ORDER BY ranked.created_at, ranked.id;
