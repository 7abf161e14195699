-- name: CreateUser :one
INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at)
VALUES (@id, @name, @email, @email_verified, @image, @now, @now)
RETURNING *;

-- name: CreateUsers :copyfrom
INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at)
VALUES (@id, @name, @email, @email_verified, @image, @created_at, @updated_at);

-- name: GetUser :one
SELECT * FROM "user" WHERE id = @id;

-- name: GetUserByEmail :one
SELECT * FROM "user" WHERE email = @email;

-- name: ListUsers :many
SELECT * FROM "user"
WHERE (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT @row_limit;

-- name: CountUsers :one
SELECT count(*) FROM "user";

-- name: UpdateUser :one
UPDATE "user"
SET name = coalesce(sqlc.narg('name'), name),
    image = CASE WHEN @set_image::boolean THEN sqlc.narg('image') ELSE image END,
    updated_at = @now
WHERE id = @id
RETURNING *;

-- name: SetUserEmail :one
UPDATE "user" SET email = @email, email_verified = @email_verified, updated_at = @now
WHERE id = @id
RETURNING *;

-- name: VerifyUserEmail :one
-- Keyed by the address that was proved: an address changed meanwhile stays unverified.
UPDATE "user" SET email_verified = true, updated_at = @now
WHERE email = @email
RETURNING *;

-- name: DeleteUser :execrows
DELETE FROM "user" WHERE id = @id;

-- name: ListUsersByIDs :many
SELECT * FROM "user" WHERE id = ANY(@ids::text[]);
