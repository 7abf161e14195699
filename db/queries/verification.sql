-- name: CreateVerification :one
INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
VALUES (@id, @identifier, @value, @expires_at, @now, @now)
RETURNING *;

-- name: GetVerification :one
SELECT * FROM verification WHERE id = @id;

-- name: GetVerificationByIdentifier :one
-- Newest first, expiry second: a value that a newer one replaced does not come back when the newer one ends.
SELECT v.* FROM verification v
WHERE v.id = (
    SELECT newest.id FROM verification newest
    WHERE newest.identifier = @identifier
    ORDER BY newest.created_at DESC, newest.id DESC
    LIMIT 1
) AND v.identifier = @identifier AND v.expires_at > @now;

-- name: ListVerifications :many
SELECT * FROM verification
WHERE identifier = @identifier
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT @row_limit;

-- name: CountVerifications :one
SELECT count(*) FROM verification WHERE identifier = @identifier;

-- name: UpdateVerification :one
UPDATE verification
SET value = coalesce(sqlc.narg('value'), value),
    expires_at = coalesce(sqlc.narg('expires_at'), expires_at),
    updated_at = @now
WHERE id = @id
RETURNING *;

-- name: UpdateVerificationsByIdentifier :execrows
UPDATE verification
SET value = coalesce(sqlc.narg('value'), value),
    expires_at = coalesce(sqlc.narg('expires_at'), expires_at),
    updated_at = @now
WHERE identifier = @identifier;

-- name: DeleteVerification :execrows
DELETE FROM verification WHERE id = @id;

-- name: DeleteVerificationsByIdentifier :execrows
DELETE FROM verification WHERE identifier = @identifier;
