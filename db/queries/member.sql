-- name: CreateMember :one
-- The address's pending invitations are closed, as by AcceptInvitation: they would be a way back in. A user's address
-- may have capitals, from an older server; an invitation's has none. IS NOT DISTINCT FROM makes the index on the
-- address the one that is used, since an organization may have very many invitations.
WITH verdict AS (
    SELECT CASE
        WHEN (SELECT pg_catalog.count(*) FROM (
            SELECT 1 FROM member m WHERE m.organization_id = @organization_id
            LIMIT coalesce(sqlc.narg('max_members')::bigint, 0)
        ) taken) >= coalesce(sqlc.narg('max_members')::bigint, 1) THEN 'too many members'
        ELSE ''
    END::text AS outcome
), created AS (
    INSERT INTO member (id, organization_id, user_id, role, created_at)
    SELECT @id, @organization_id, @user_id, @role, @now
    WHERE (SELECT outcome FROM verdict) = ''
), uninvited AS (
    UPDATE invitation i SET status = 'canceled'
    FROM "user" u
    WHERE u.id = @user_id
      AND i.organization_id IS NOT DISTINCT FROM @organization_id
      AND i.email = ANY(ARRAY[u.email, pg_catalog.lower(u.email)])
      AND i.status = 'pending'
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: CreateMembers :one
-- A limit of 0 is none. Members are counted once for each organization that has a limit. Planned on each call, by how
-- many rows there are.
WITH wanted AS (
    SELECT pg_catalog.unnest(@ids::text[]) AS id, pg_catalog.unnest(@organization_ids::text[]) AS organization_id,
        pg_catalog.unnest(@user_ids::text[]) AS user_id, pg_catalog.unnest(@roles::text[]) AS role,
        pg_catalog.unnest(@max_members::bigint[]) AS max_members
), crowded AS (
    SELECT limited.organization_id FROM (
        SELECT w.organization_id, pg_catalog.count(*) AS wanted, pg_catalog.min(nullif(w.max_members, 0)) AS max_members
        FROM wanted w GROUP BY w.organization_id
    ) limited
    WHERE limited.max_members IS NOT NULL
      AND limited.wanted + (
        SELECT pg_catalog.count(*) FROM member m WHERE m.organization_id = limited.organization_id
    ) > limited.max_members
), verdict AS (
    SELECT CASE WHEN EXISTS (SELECT 1 FROM crowded) THEN 'too many members' ELSE '' END::text AS outcome
), created AS (
    INSERT INTO member (id, organization_id, user_id, role, created_at)
    SELECT wanted.id, wanted.organization_id, wanted.user_id, wanted.role, @now
    FROM wanted
    WHERE (SELECT outcome FROM verdict) = ''
    RETURNING 1
), uninvited AS (
    UPDATE invitation i SET status = 'canceled'
    FROM wanted JOIN "user" u ON u.id = wanted.user_id
    WHERE i.organization_id = wanted.organization_id
      AND i.email = ANY(ARRAY[u.email, pg_catalog.lower(u.email)])
      AND i.status = 'pending'
      AND (SELECT outcome FROM verdict) = ''
)
SELECT CASE WHEN outcome = '' AND (SELECT pg_catalog.count(*) FROM created) < pg_catalog.cardinality(@ids::text[])
    THEN ('rows made: ' || (SELECT pg_catalog.count(*) FROM created)::text)::integer::text ELSE outcome END::text AS outcome
FROM verdict;

-- name: GetMember :one
SELECT * FROM member WHERE id = @id AND organization_id = @organization_id;

-- name: GetMemberWithUser :one
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.id = @id AND m.organization_id = @organization_id;

-- name: GetMemberByUser :one
SELECT * FROM member WHERE organization_id = @organization_id AND user_id = @user_id;

-- name: GetMemberByEmail :one
SELECT m.* FROM "user" u JOIN member m ON m.user_id = u.id
WHERE u.email = @email AND m.organization_id = @organization_id;

-- name: ListMembers :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = @organization_id
  AND ((SELECT sqlc.narg('role')::text) IS NULL OR (SELECT sqlc.narg('role')::text) IN (
    SELECT pg_catalog.btrim(given.role, @spaces::text)
    FROM pg_catalog.unnest(pg_catalog.string_to_array(m.role, ',')) given (role)))
  AND ((SELECT sqlc.narg('name')::text) IS NULL
    OR pg_catalog.strpos(pg_catalog.lower(u.email), sqlc.narg('email')::text) > 0
    OR pg_catalog.strpos(pg_catalog.lower(u.name), pg_catalog.lower(sqlc.narg('name')::text)) > 0)
  AND (m.created_at, m.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at, m.id
LIMIT (SELECT @row_limit::integer);

-- name: ListMembersNewest :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = @organization_id
  AND ((SELECT sqlc.narg('role')::text) IS NULL OR (SELECT sqlc.narg('role')::text) IN (
    SELECT pg_catalog.btrim(given.role, @spaces::text)
    FROM pg_catalog.unnest(pg_catalog.string_to_array(m.role, ',')) given (role)))
  AND ((SELECT sqlc.narg('name')::text) IS NULL
    OR pg_catalog.strpos(pg_catalog.lower(u.email), sqlc.narg('email')::text) > 0
    OR pg_catalog.strpos(pg_catalog.lower(u.name), pg_catalog.lower(sqlc.narg('name')::text)) > 0)
  AND (m.created_at, m.id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at DESC, m.id DESC
LIMIT (SELECT @row_limit::integer);

-- name: ListMembersByUser :many
SELECT sqlc.embed(m), sqlc.embed(o)
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = @user_id
  AND (m.created_at, m.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at, m.id
LIMIT (SELECT @row_limit::integer);

-- name: ListMembersByUserNewest :many
SELECT sqlc.embed(m), sqlc.embed(o)
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = @user_id
  AND (m.created_at, m.id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY m.created_at DESC, m.id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountMembers :one
-- Users are read only for a search. Planned on each call, by what is asked for.
SELECT pg_catalog.count(*) FROM member m
WHERE m.organization_id = @organization_id
  AND (sqlc.narg('role')::text IS NULL OR sqlc.narg('role')::text IN (
    SELECT pg_catalog.btrim(given.role, @spaces::text)
    FROM pg_catalog.unnest(pg_catalog.string_to_array(m.role, ',')) given (role)))
  AND (sqlc.narg('name')::text IS NULL
    OR (SELECT pg_catalog.strpos(pg_catalog.lower(u.email), sqlc.narg('email')::text) > 0
            OR pg_catalog.strpos(pg_catalog.lower(u.name), pg_catalog.lower(sqlc.narg('name')::text)) > 0
        FROM "user" u WHERE u.id = m.user_id));

-- name: CountMembersByUser :one
SELECT pg_catalog.count(*) FROM member WHERE user_id = @user_id;

-- name: LockMembership :exec
-- Waits for a removal that is under way.
SELECT m.id FROM member m
WHERE m.organization_id = @organization_id AND m.user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])))
ORDER BY m.id
FOR KEY SHARE;

-- name: LockMembershipOfOrganization :exec
-- Waits for a removal, or a deletion of the organization, that is under way.
SELECT m.id FROM organization o JOIN member m ON m.organization_id = o.id
WHERE m.organization_id = @organization_id AND m.user_id = @user_id
FOR KEY SHARE;

-- name: LockMembershipOfInvitation :exec
SELECT m.id FROM member m
WHERE m.organization_id = (SELECT i.organization_id FROM invitation i WHERE i.id = @invitation_id)
  AND m.user_id = @user_id
FOR KEY SHARE;

-- name: LockMembersOfUser :exec
-- Waits for those who are giving the user a team or an active organization.
SELECT m.id FROM member m WHERE m.user_id = @user_id ORDER BY m.id FOR UPDATE;

-- name: LockMember :exec
-- Waits for those who are giving the member a team or an active organization.
SELECT m.id FROM member m
WHERE m.organization_id = @organization_id
  AND m.id = coalesce((SELECT sqlc.narg('id')::text), (
    SELECT c.id FROM member c WHERE c.organization_id = @organization_id AND c.user_id = sqlc.narg('user_id')::text))
FOR UPDATE;

-- name: UpdateMember :one
-- FOR SHARE: the server, which takes no lock, must not remove the owner who stays at the same moment.
WITH target AS (
    SELECT m.id, m.role FROM member m WHERE m.id = @id AND m.organization_id = @organization_id
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM target) THEN 'not found'
        WHEN sqlc.narg('actor_id')::text IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM member a
                WHERE a.organization_id = @organization_id AND a.user_id = sqlc.narg('actor_id')::text
                  AND (a.role ~ @acting_pattern::text OR a.role ~ @permitted_pattern::text)
                  AND (a.role ~ @acting_pattern::text OR (SELECT target.role !~ @owner_pattern::text FROM target))
                  AND (a.role ~ @acting_pattern::text OR coalesce(sqlc.narg('role')::text !~ @owner_pattern::text, true))
                FOR SHARE) THEN 'not permitted'
        WHEN NOT sqlc.narg('role')::text ~ @owner_pattern::text
            AND (SELECT target.role ~ @owner_pattern::text FROM target)
            AND NOT EXISTS (
                SELECT 1 FROM member o
                WHERE o.organization_id = @organization_id
                  AND o.id <> @id
                  AND o.role ~ @owner_pattern::text
                FOR SHARE) THEN 'last owner'
        ELSE ''
    END::text AS outcome
), changed AS (
    UPDATE member m SET role = coalesce(sqlc.narg('role')::text, m.role)
    WHERE m.id = (SELECT target.id FROM target)
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: DeleteMember :one
-- The address's pending invitations are closed too, or the removed member could come back by one.
WITH target AS (
    SELECT m.id, m.user_id, m.role FROM member m
    WHERE m.organization_id = @organization_id
      AND m.id = coalesce(sqlc.narg('id')::text, (
        SELECT c.id FROM member c
        WHERE c.organization_id = @organization_id AND c.user_id = sqlc.narg('user_id')::text))
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM target) THEN 'not found'
        WHEN sqlc.narg('actor_id')::text IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM member a
                WHERE a.organization_id = @organization_id AND a.user_id = sqlc.narg('actor_id')::text
                  AND (a.role ~ @acting_pattern::text OR a.role ~ @permitted_pattern::text)
                  AND (a.role ~ @acting_pattern::text OR (SELECT target.role !~ @owner_pattern::text FROM target))
                FOR SHARE) THEN 'not permitted'
        WHEN (SELECT target.role ~ @owner_pattern::text FROM target)
            AND NOT EXISTS (
                SELECT 1 FROM member o
                WHERE o.organization_id = @organization_id
                  AND o.id <> (SELECT target.id FROM target)
                  AND o.role ~ @owner_pattern::text
                FOR SHARE) THEN 'last owner'
        ELSE ''
    END::text AS outcome
), gone AS (
    DELETE FROM member
    WHERE id = (SELECT target.id FROM target)
      AND (SELECT outcome FROM verdict) = ''
    RETURNING user_id
), seats AS (
    DELETE FROM team_member
    WHERE user_id = (SELECT gone.user_id FROM gone)
      AND team_id IN (SELECT t.id FROM team t WHERE t.organization_id = @organization_id)
    RETURNING team_id
), counted AS (
    UPDATE team SET member_count = greatest(member_count - 1, 0), updated_at = @now::timestamp
    WHERE id IN (SELECT seats.team_id FROM seats)
), cleared AS (
    UPDATE session s SET active_organization_id = nullif(s.active_organization_id, @organization_id),
        active_team_id = NULL, updated_at = @now
    WHERE s.user_id = (SELECT gone.user_id FROM gone)
      AND (s.active_organization_id = @organization_id
        OR s.active_team_id IN (SELECT t.id FROM team t WHERE t.organization_id = @organization_id))
), uninvited AS (
    UPDATE invitation i SET status = 'canceled'
    FROM "user" u
    WHERE u.id = (SELECT gone.user_id FROM gone)
      AND i.organization_id IS NOT DISTINCT FROM @organization_id
      AND i.email = ANY(ARRAY[u.email, pg_catalog.lower(u.email)])
      AND i.status = 'pending'
)
SELECT outcome FROM verdict;

-- name: ListMembersByOrganizations :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM member m JOIN "user" u ON u.id = m.user_id
WHERE m.organization_id = ANY(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[])))
ORDER BY m.created_at, m.id;

-- name: PickMembersByOrganizations :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM member c WHERE c.organization_id = parent.id AND (SELECT NOT @newest::boolean)
     ORDER BY c.created_at, c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM member c WHERE c.organization_id = parent.id AND (SELECT @newest::boolean)
     ORDER BY c.created_at DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN member m ON m.id = picked.id
JOIN "user" u ON u.id = m.user_id
ORDER BY m.created_at, m.id;

-- name: ListMembersByUsers :many
SELECT sqlc.embed(m), sqlc.embed(o)
FROM member m JOIN organization o ON o.id = m.organization_id
WHERE m.user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])))
ORDER BY m.created_at, m.id;

-- name: PickMembersByUsers :many
SELECT sqlc.embed(m), sqlc.embed(o)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM member c WHERE c.user_id = parent.id AND (SELECT NOT @newest::boolean)
     ORDER BY c.created_at, c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM member c WHERE c.user_id = parent.id AND (SELECT @newest::boolean)
     ORDER BY c.created_at DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN member m ON m.id = picked.id
JOIN organization o ON o.id = m.organization_id
ORDER BY m.created_at, m.id;
