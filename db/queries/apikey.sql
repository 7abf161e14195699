-- name: CreateAPIKey :one
-- The owner is locked until the key exists. config_id has a default; before 1.5 there is no such column.
INSERT INTO apikey (id, name, start, reference_id, prefix, key, refill_interval, refill_amount, enabled,
    rate_limit_enabled, rate_limit_time_window, rate_limit_max, request_count, remaining, expires_at, created_at,
    updated_at, permissions, metadata)
SELECT @id, sqlc.narg('name'), sqlc.narg('start'), @reference_id::text, sqlc.narg('prefix'), @key::text,
    sqlc.narg('refill_interval'), sqlc.narg('refill_amount'), @enabled::boolean, @rate_limit_enabled::boolean,
    sqlc.narg('rate_limit_time_window'), sqlc.narg('rate_limit_max'), 0, sqlc.narg('remaining'), sqlc.narg('expires_at'),
    @now::timestamp, @now, sqlc.narg('permissions'), sqlc.narg('metadata')
WHERE EXISTS (SELECT 1 FROM "user" u WHERE u.id = @reference_id AND NOT @of_organization::boolean FOR KEY SHARE)
   OR EXISTS (SELECT 1 FROM organization o WHERE o.id = @reference_id AND @of_organization FOR KEY SHARE)
RETURNING *;

-- name: SetAPIKeyConfig :one
-- For a key that CreateAPIKey has just made.
UPDATE apikey SET config_id = @config_id, updated_at = @now WHERE id = @id
RETURNING *;

-- name: VerifyAPIKey :one
-- Calls with one key follow each other: each decides on the row as the one before left it, and charges or removes it in
-- the same statement. As on the server, a window begins anew after one without a request, and a refill sets remaining
-- to amount - 1. A refused call is charged nothing.
WITH held AS (
    SELECT * FROM apikey k WHERE k.key = @key::text LIMIT 1 FOR UPDATE
), seen AS (
    SELECT held.*,
        (held.remaining IS NOT NULL AND coalesce(held.refill_interval, 0) <> 0 AND coalesce(held.refill_amount, 0) <> 0
            AND coalesce(held.last_refill_at, held.created_at) + held.refill_interval * interval '1 millisecond'
                < @now::timestamp) AS refills,
        (@limits::boolean AND held.rate_limit_enabled IS NOT FALSE AND held.rate_limit_time_window IS NOT NULL
            AND held.rate_limit_max IS NOT NULL) AS is_limited,
        coalesce(held.last_request + held.rate_limit_time_window * interval '1 millisecond' < @now, true) AS starts
    FROM held
), verdict AS (
    SELECT seen.*, CASE
        WHEN @config_id::text <> '' AND coalesce(nullif(seen.config_id, ''), 'default') <> @config_id THEN 'invalid key'
        WHEN seen.enabled IS FALSE THEN 'disabled'
        WHEN seen.expires_at < @now THEN 'key expired'
        WHEN sqlc.narg('permissions')::text = '{}' THEN 'no permission'
        WHEN EXISTS (
            SELECT 1 FROM pg_catalog.jsonb_each(sqlc.narg('permissions')::text::jsonb) wanted (resource, actions)
            WHERE coalesce(wanted.actions IN ('[]'::jsonb, 'null'::jsonb)
                OR NOT nullif(seen.permissions, '')::jsonb -> wanted.resource @> wanted.actions, true)) THEN 'no permission'
        WHEN seen.remaining = 0 AND seen.refill_amount IS NULL THEN 'used up'
        WHEN seen.remaining <= 0 AND NOT seen.refills THEN 'usage exceeded'
        WHEN seen.is_limited AND NOT seen.starts AND coalesce(seen.request_count, 0) >= seen.rate_limit_max THEN 'rate limited'
        ELSE ''
    END::text AS outcome
    FROM seen
), gone AS (
    DELETE FROM apikey k
    WHERE k.id = (SELECT verdict.id FROM verdict WHERE verdict.outcome IN ('key expired', 'used up'))
), charged AS (
    UPDATE apikey k
    SET remaining = CASE WHEN verdict.refills THEN verdict.refill_amount - 1 ELSE verdict.remaining - 1 END,
        last_refill_at = CASE WHEN verdict.refills THEN @now ELSE verdict.last_refill_at END,
        request_count = CASE
            WHEN NOT verdict.is_limited THEN verdict.request_count
            WHEN verdict.starts THEN 1
            ELSE coalesce(verdict.request_count, 0) + 1
        END,
        last_request = CASE
            WHEN verdict.is_limited OR NOT @limits OR verdict.rate_limit_enabled IS FALSE THEN @now
            ELSE verdict.last_request
        END,
        updated_at = @now
    FROM verdict
    WHERE k.id = verdict.id AND verdict.outcome = ''
    RETURNING k.*
)
SELECT verdict.outcome, verdict.last_request AS limited_since, verdict.rate_limit_time_window AS limited_for, charged.*
FROM verdict LEFT JOIN charged ON true;

-- name: GetAPIKey :one
SELECT * FROM apikey
WHERE id = @id AND reference_id = @reference_id
  AND (@config_id::text = '' OR coalesce(nullif(config_id, ''), 'default') = @config_id);

-- name: ListAPIKeys :many
SELECT * FROM apikey
WHERE reference_id = @reference_id
  AND (@config_id::text = '' OR coalesce(nullif(config_id, ''), 'default') = @config_id)
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT (SELECT @row_limit::integer);

-- name: ListAPIKeysNewest :many
SELECT * FROM apikey
WHERE reference_id = @reference_id
  AND (@config_id::text = '' OR coalesce(nullif(config_id, ''), 'default') = @config_id)
  AND (created_at, id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at DESC, id DESC
LIMIT (SELECT @row_limit::integer);

-- name: UpdateAPIKey :one
UPDATE apikey
SET name = CASE WHEN @set_name::boolean THEN sqlc.narg('name') ELSE name END,
    enabled = coalesce(sqlc.narg('enabled'), enabled),
    expires_at = CASE WHEN @set_expires_at::boolean THEN sqlc.narg('expires_at') ELSE expires_at END,
    remaining = CASE WHEN @set_remaining::boolean THEN sqlc.narg('remaining') ELSE remaining END,
    refill_interval = CASE WHEN @set_refill::boolean THEN sqlc.narg('refill_interval') ELSE refill_interval END,
    refill_amount = CASE WHEN @set_refill THEN sqlc.narg('refill_amount') ELSE refill_amount END,
    rate_limit_enabled = coalesce(sqlc.narg('rate_limit_enabled'), rate_limit_enabled),
    rate_limit_time_window = coalesce(sqlc.narg('rate_limit_time_window'), rate_limit_time_window),
    rate_limit_max = coalesce(sqlc.narg('rate_limit_max'), rate_limit_max),
    permissions = CASE WHEN @set_permissions::boolean THEN sqlc.narg('permissions') ELSE permissions END,
    metadata = CASE WHEN @set_metadata::boolean THEN sqlc.narg('metadata') ELSE metadata END,
    updated_at = @now
WHERE id = @id AND reference_id = @reference_id
  AND (@config_id::text = '' OR coalesce(nullif(config_id, ''), 'default') = @config_id)
RETURNING *;

-- name: DeleteAPIKey :execrows
DELETE FROM apikey
WHERE id = @id AND reference_id = @reference_id
  AND (@config_id::text = '' OR coalesce(nullif(config_id, ''), 'default') = @config_id);

-- name: DeleteAPIKeysByOwner :execrows
DELETE FROM apikey
WHERE reference_id = @reference_id
  AND (@config_id::text = '' OR coalesce(nullif(config_id, ''), 'default') = @config_id);

-- name: DeleteAPIKeysOfUnverified :execrows
-- Asks what the verdict asks, of a user who is locked.
DELETE FROM apikey
WHERE reference_id = (SELECT u.id FROM "user" u WHERE u.id = @id AND NOT u.email_verified
    AND @email::text = ANY(ARRAY[u.email, pg_catalog.lower(u.email)]));

-- name: DeleteAPIKeysOfUnproved :execrows
-- DeleteAPIKeysOfUnverified for who signs in by the proof.
DELETE FROM apikey
WHERE reference_id = (SELECT u.id FROM "user" u WHERE u.email = @email AND NOT u.email_verified);

-- name: DeleteAPIKeysOfGone :execrows
-- The keys of a user or an organization that was just deleted; none if that was refused.
DELETE FROM apikey
WHERE reference_id = @reference_id
  AND NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = @reference_id)
  AND NOT EXISTS (SELECT 1 FROM organization o WHERE o.id = @reference_id);
