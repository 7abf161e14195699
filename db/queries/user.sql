-- name: CreateUser :one
INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at)
VALUES (@id, @name, @email, @email_verified, @image, @now::timestamp, @now)
RETURNING *;

-- name: CreateUsers :one
-- varchar stands for a text that may be NULL; see sqlc.yaml. If a trigger left rows out, the cast of a text to integer
-- fails and undoes the others, here and in similar queries.
WITH created AS (
    INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at)
    SELECT pg_catalog.unnest(@ids::text[]), pg_catalog.unnest(@names::text[]), pg_catalog.unnest(@emails::text[]),
        pg_catalog.unnest(@emails_verified::boolean[]), pg_catalog.unnest(@images::varchar[]), @now::timestamp, @now
    RETURNING 1
)
SELECT CASE WHEN (SELECT pg_catalog.count(*) FROM created) < pg_catalog.cardinality(@ids::text[])
    THEN ('rows made: ' || (SELECT pg_catalog.count(*) FROM created)::text)::integer ELSE 0 END::integer AS missing;

-- name: GetUser :one
SELECT * FROM "user" WHERE id = @id;

-- name: GetUserByEmail :one
SELECT * FROM "user" WHERE email = @email;

-- name: ListUsers :many
SELECT * FROM "user"
WHERE (sqlc.narg('verified')::boolean IS NULL OR email_verified = sqlc.narg('verified')::boolean)
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT (SELECT @row_limit::integer);

-- name: ListUsersNewest :many
SELECT * FROM "user"
WHERE (sqlc.narg('verified')::boolean IS NULL OR email_verified = sqlc.narg('verified')::boolean)
  AND (created_at, id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at DESC, id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountUsers :one
-- Planned on each call: an index has all users, but not which are verified.
SELECT pg_catalog.count(*) FROM "user"
WHERE (sqlc.narg('verified')::boolean IS NULL OR email_verified = sqlc.narg('verified')::boolean);

-- name: SearchUsers :many
-- Each key has an index of its own, in byte order: chr(1114111) is the last character. Address and name are two
-- parameters, since an address is lowered by the server's rules. Planned on each call, by how many rows a prefix is
-- likely to meet.
SELECT u.* FROM "user" u
WHERE u.id IN (
    (SELECT e.id FROM "user" e
     WHERE e.email ~>=~ @email_prefix::text
       AND e.email ~<~ (@email_prefix::text || pg_catalog.chr(1114111))
     ORDER BY e.email USING ~<~
     LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT n.id FROM "user" n
     WHERE pg_catalog.lower(n.name) ~>=~ pg_catalog.lower(@name_prefix::text)
       AND pg_catalog.lower(n.name) ~<~ (pg_catalog.lower(@name_prefix::text) || pg_catalog.chr(1114111))
     ORDER BY pg_catalog.lower(n.name) USING ~<~, n.id
     LIMIT (SELECT @row_limit::integer))
)
ORDER BY u.email
LIMIT (SELECT @row_limit::integer);

-- name: UpdateUser :one
UPDATE "user"
SET name = coalesce(sqlc.narg('name'), name),
    image = CASE WHEN @set_image::boolean THEN sqlc.narg('image') ELSE image END,
    updated_at = @now
WHERE id = @id
RETURNING *;

-- name: SetUserEmail :one
-- The user's present, unproved address is proved only by VerifyUserEmail, which removes what a squatter left. The
-- former address's pending invitations are closed: otherwise a user could join by the new address, be removed, take the
-- former one again and come back. A change that was asked for before the former address was proved is void once it is.
-- They are counted, which locks them before the user, as everywhere.
WITH former AS (
    SELECT u.email FROM "user" u WHERE u.id = @id AND @email::text <> ALL(ARRAY[u.email, pg_catalog.lower(u.email)])
      AND (sqlc.narg('former')::text IS NULL OR sqlc.narg('former') = ANY(ARRAY[u.email, pg_catalog.lower(u.email)]))
      AND (NOT @unproved::boolean OR NOT u.email_verified)
), uninvited AS (
    UPDATE invitation i SET status = 'canceled'
    FROM former
    WHERE i.email = ANY(ARRAY[former.email, pg_catalog.lower(former.email)])
      AND i.status = 'pending'
    RETURNING i.id
)
UPDATE "user" u
SET email = @email,
    email_verified = CASE WHEN @email = ANY(ARRAY[u.email, pg_catalog.lower(u.email)]) AND NOT u.email_verified THEN false
        ELSE coalesce(sqlc.narg('email_verified')::boolean, u.email_verified) END,
    updated_at = @now
WHERE u.id = @id
  AND (sqlc.narg('former')::text IS NULL OR sqlc.narg('former') = ANY(ARRAY[u.email, pg_catalog.lower(u.email)]))
  AND (NOT @unproved::boolean OR NOT u.email_verified)
  AND (SELECT pg_catalog.count(*) FROM uninvited) >= 0
RETURNING *;

-- name: VerifyUserEmail :one
-- An address that was changed meanwhile stays unverified. Whoever signed up with somebody else's address loses every
-- way in, as with Better Auth 1.7.25 (revokeUnprovenAccountAccess).
WITH target AS (
    SELECT u.id, u.email_verified FROM "user" u
    WHERE u.id = @id AND @email::text = ANY(ARRAY[u.email, pg_catalog.lower(u.email)])
), verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM target) THEN 'not found' ELSE '' END::text AS outcome
), revoked AS (
    DELETE FROM account
    WHERE user_id = (SELECT target.id FROM target WHERE NOT target.email_verified)
      AND NOT @keep_access::boolean
), verified AS (
    UPDATE "user" SET email_verified = true, updated_at = @now
    WHERE id = (SELECT target.id FROM target WHERE NOT target.email_verified)
)
SELECT outcome FROM verdict;

-- name: LockUser :exec
-- Keeps away every insert of a row that refers to the user, such as a sign-in. It is the only lock of this strength on
-- a row that others refer to; an operation that also locks an organization locks that first.
SELECT id FROM "user" WHERE id = @id
FOR UPDATE;

-- name: LockUserAsIs :exec
-- Keeps the user and the address as they are.
SELECT id FROM "user" WHERE id = @id FOR KEY SHARE;

-- name: LockUserAccounts :exec
SELECT id FROM "user" WHERE id = @id
FOR NO KEY UPDATE;

-- name: DeleteUser :one
-- Pending invitations of the user's and the successor's addresses to the organizations are closed: they would be a way
-- back in.
WITH sole AS (
    SELECT m.organization_id FROM member m
    WHERE m.user_id = @id
      AND m.role ~ @owner_pattern::text
      AND NOT EXISTS (
        SELECT 1 FROM member o
        WHERE o.organization_id = m.organization_id
          AND o.user_id <> m.user_id
          AND o.role ~ @owner_pattern::text
        FOR SHARE)
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = @id) THEN 'not found'
        WHEN (SELECT sqlc.narg('successor_id')::text) IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = (SELECT sqlc.narg('successor_id')::text)) THEN 'no successor'
        WHEN EXISTS (SELECT 1 FROM sole)
            AND (SELECT sqlc.narg('successor_id')::text) IS NULL AND NOT (SELECT @delete_organizations::boolean) THEN 'last owner'
        ELSE ''
    END::text AS outcome
), owned AS (
    SELECT sole.organization_id FROM sole WHERE (SELECT outcome FROM verdict) = ''
), heir AS (
    INSERT INTO member (id, organization_id, user_id, role, created_at)
    SELECT pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
            @seed::text || owned.organization_id, 'UTF8')), 'hex'), 32),
        owned.organization_id, sqlc.narg('successor_id')::text, @owner_role::text, @now::timestamp
    FROM owned
    WHERE (SELECT sqlc.narg('successor_id')::text) IS NOT NULL
    ON CONFLICT (organization_id, user_id) DO UPDATE
    SET role = CASE WHEN member.role = '' THEN @owner_role::text ELSE member.role || ',' || @owner_role::text END
), closed AS (
    UPDATE session s SET active_organization_id = NULL, active_team_id = NULL, updated_at = @now
    WHERE s.user_id = ANY(ARRAY(
        SELECT m.user_id FROM member m
        WHERE m.organization_id IN (SELECT owned.organization_id FROM owned) AND m.user_id <> @id))
      AND s.active_organization_id IN (SELECT owned.organization_id FROM owned)
      AND (SELECT @delete_organizations::boolean)
), dropped AS (
    DELETE FROM organization
    WHERE id IN (SELECT owned.organization_id FROM owned)
      AND (SELECT @delete_organizations::boolean)
    RETURNING id
), uninvited AS (
    UPDATE invitation i SET status = 'canceled'
    FROM "user" u
    WHERE u.id = @id
      AND i.organization_id = ANY(ARRAY(SELECT m.organization_id FROM member m WHERE m.user_id = @id))
      AND i.organization_id <> ALL(ARRAY(SELECT dropped.id FROM dropped))
      AND i.email = ANY(ARRAY[u.email, pg_catalog.lower(u.email)])
      AND i.status = 'pending'
      AND (SELECT outcome FROM verdict) = ''
), joined AS (
    UPDATE invitation i SET status = 'canceled'
    FROM "user" u
    WHERE u.id = (SELECT sqlc.narg('successor_id')::text)
      AND i.organization_id = ANY(ARRAY(SELECT owned.organization_id FROM owned))
      AND i.email = ANY(ARRAY[u.email, pg_catalog.lower(u.email)])
      AND i.status = 'pending'
), seats AS (
    DELETE FROM team_member
    WHERE user_id = @id
      AND (SELECT outcome FROM verdict) = ''
    RETURNING team_id
), counted AS (
    UPDATE team SET member_count = greatest(member_count - 1, 0), updated_at = @now::timestamp
    WHERE id IN (SELECT seats.team_id FROM seats)
      AND NOT ((SELECT @delete_organizations::boolean) AND organization_id IN (SELECT owned.organization_id FROM owned))
), gone AS (
    DELETE FROM "user"
    WHERE id = @id
      AND (SELECT outcome FROM verdict) = ''
)
SELECT verdict.outcome, ARRAY(SELECT sole.organization_id FROM sole ORDER BY 1)::text[] AS organization_ids
FROM verdict;
