-- name: CreateVerification :one
-- It becomes the newest of its identifier, even if the clock that made another one was ahead.
INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
SELECT @id, @identifier::text, @value::text, @expires_at, made.at, made.at
FROM (SELECT greatest(@now::timestamp, pg_catalog.max(v.created_at) + interval '1 millisecond') AS at
    FROM verification v WHERE v.identifier = @identifier::text) made
RETURNING *;

-- name: GetVerification :one
SELECT * FROM verification WHERE id = @id;

-- name: GetVerificationByIdentifier :one
-- The newest is chosen before its expiry is checked: a value that was replaced does not come back when the newer one
-- expires.
SELECT v.* FROM verification v
WHERE v.id = (
    SELECT newest.id FROM verification newest
    WHERE newest.identifier = @identifier::text
    ORDER BY newest.created_at DESC, newest.id DESC
    LIMIT 1
) AND v.identifier = @identifier::text AND v.expires_at > @now;

-- name: ListVerifications :many
SELECT * FROM verification
WHERE identifier = @identifier::text
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT (SELECT @row_limit::integer);

-- name: ListVerificationsNewest :many
SELECT * FROM verification
WHERE identifier = @identifier::text
  AND (created_at, id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at DESC, id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountVerifications :one
SELECT pg_catalog.count(*) FROM verification WHERE identifier = @identifier::text;

-- name: UpdateVerification :one
UPDATE verification
SET value = coalesce(sqlc.narg('value')::text, value),
    expires_at = coalesce(sqlc.narg('expires_at'), expires_at),
    updated_at = @now
WHERE id = @id
RETURNING *;

-- name: UpdateVerificationsByIdentifier :execrows
UPDATE verification
SET value = coalesce(sqlc.narg('value')::text, value),
    expires_at = coalesce(sqlc.narg('expires_at'), expires_at),
    updated_at = @now
WHERE identifier = @identifier::text;

-- name: ReserveVerification :one
-- The id is made from the identifier, so the primary key lets one caller win.
WITH reserved AS (
    INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
    VALUES (@id, @identifier::text, @value::text, @expires_at, @now::timestamp, @now)
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM reserved) THEN 'reserved' ELSE '' END::text AS outcome;

-- name: ConsumeVerification :one
-- As in Better Auth, the newest counts and the older ones are deleted with it, even if it has expired and proves
-- nothing. EXISTS locks it before it is deleted, which would hide it.
WITH newest AS (
    SELECT v.id, v.value FROM verification v
    WHERE v.identifier = @identifier::text
      AND v.id = (
        SELECT n.id FROM verification n WHERE n.identifier = @identifier::text
        ORDER BY n.created_at DESC, n.id DESC LIMIT 1)
    FOR UPDATE
), gone AS (
    DELETE FROM verification v
    WHERE v.identifier = @identifier::text
      AND EXISTS (SELECT 1 FROM newest)
      AND (sqlc.narg('value')::text IS NULL OR sqlc.narg('value')::text = (SELECT newest.value FROM newest))
    RETURNING *
)
SELECT * FROM gone
WHERE expires_at > @now::timestamp
  AND id = (SELECT newest.id FROM newest);

-- name: LockVerifications :exec
SELECT id FROM verification WHERE identifier = @identifier::text
ORDER BY id
FOR UPDATE;

-- name: ConsumeCode :one
-- The value is a code, a colon and the number of wrong guesses so far. FOR UPDATE: the newest may have been made, and
-- guessed at, while this waited for the lock on older ones.
WITH newest AS (
    SELECT v.id, v.value, pg_catalog.regexp_replace(v.value, ':[0-9]{1,6}$', '') AS code,
        coalesce(substring(v.value FROM ':([0-9]{1,6})$'), '0')::integer AS attempts
    FROM verification v
    WHERE v.identifier = @identifier::text
      AND v.id = (
        SELECT n.id FROM verification n WHERE n.identifier = @identifier::text
        ORDER BY n.created_at DESC, n.id DESC LIMIT 1)
      AND v.expires_at > @now
    FOR UPDATE
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM newest) THEN 'not found'
        WHEN (SELECT attempts FROM newest) >= @max_attempts::integer THEN 'too many attempts'
        WHEN (SELECT code FROM newest) <> @code::text THEN 'wrong code'
        ELSE ''
    END::text AS outcome
), gone AS (
    DELETE FROM verification WHERE identifier = @identifier::text
      AND (SELECT outcome FROM verdict) = ''
), missed AS (
    UPDATE verification
    SET value = (SELECT newest.code || ':' || (newest.attempts + 1)::text FROM newest), updated_at = @now
    WHERE identifier = @identifier::text
      AND id = (SELECT newest.id FROM newest)
      AND (SELECT outcome FROM verdict) = 'wrong code'
)
SELECT outcome FROM verdict;

-- name: DeleteExpiredVerifications :execrows
-- As for sessions. What an expired one had replaced goes too, so that it does not count again; OFFSET 0 makes
-- PostgreSQL look it up by identifier.
DELETE FROM verification WHERE id = ANY(ARRAY(
    SELECT past.id
    FROM (
        SELECT due.id, due.identifier, due.created_at FROM verification due
        WHERE due.expires_at <= @now
        ORDER BY due.expires_at
        LIMIT (SELECT @row_limit::integer)
        FOR UPDATE SKIP LOCKED
    ) expired
    CROSS JOIN LATERAL (
        SELECT replaced.id FROM verification replaced
        WHERE replaced.identifier = expired.identifier
          AND (replaced.created_at, replaced.id) <= (expired.created_at, expired.id)
        OFFSET 0
    ) past
));

-- name: DeleteVerification :execrows
-- And what it had replaced; see DeleteExpiredVerifications.
DELETE FROM verification WHERE id = ANY(ARRAY(
    SELECT past.id
    FROM (SELECT named.id, named.identifier, named.created_at FROM verification named WHERE named.id = @id) gone
    CROSS JOIN LATERAL (
        SELECT replaced.id FROM verification replaced
        WHERE replaced.identifier = gone.identifier
          AND (replaced.created_at, replaced.id) <= (gone.created_at, gone.id)
        OFFSET 0
    ) past
));

-- name: DeleteVerificationsByIdentifier :execrows
DELETE FROM verification WHERE identifier = @identifier::text;
