-- name: CreateInvitation :one
-- Of an address's pending invitations, the newest that could be accepted is extended; all others are closed. Owners
-- invite anybody, plain members invite members, all others invite anybody but owners. FOR SHARE: the server, which
-- takes no lock, must not demote the inviter at the same moment.
WITH good AS (
    SELECT i.id, i.inviter_id, i.role, i.created_at FROM invitation i
    JOIN member m ON m.organization_id = i.organization_id AND m.user_id = i.inviter_id
    WHERE i.organization_id = @organization_id AND i.email = @email AND i.status = 'pending' AND i.expires_at > @now
      AND (m.role ~ @owner_pattern::text OR coalesce(i.role, '') !~ @owner_pattern::text)
      AND (m.role !~ @plain_pattern::text OR coalesce(i.role, '') ~ @plain_pattern::text)
), standing AS (
    SELECT i.id FROM invitation i
    WHERE i.id = (SELECT good.id FROM good ORDER BY good.created_at DESC, good.id DESC LIMIT 1)
      AND i.status = 'pending'
    FOR NO KEY UPDATE
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (
            SELECT 1 FROM member m
            WHERE m.organization_id = @organization_id AND m.user_id = @inviter_id
            FOR SHARE) THEN 'not a member'
        WHEN NOT EXISTS (
            SELECT 1 FROM member m
            WHERE m.organization_id = @organization_id AND m.user_id = @inviter_id
              AND (m.role ~ @owner_pattern::text OR @role::text !~ @owner_pattern::text)
              AND (m.role !~ @plain_pattern::text OR @role::text ~ @plain_pattern::text)
            FOR SHARE) THEN 'not permitted'
        WHEN sqlc.narg('actor_id')::text IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM member a
                WHERE a.organization_id = @organization_id AND a.user_id = sqlc.narg('actor_id')::text
                  AND (a.role ~ @acting_pattern::text OR a.role ~ @permitted_pattern::text)
                  AND (a.role ~ @acting_pattern::text OR @role::text !~ @owner_pattern::text)
                FOR SHARE) THEN 'not permitted'
        WHEN EXISTS (
            SELECT 1 FROM "user" u JOIN member m ON m.user_id = u.id
            WHERE u.email = @email AND m.organization_id = @organization_id) THEN 'already a member'
        WHEN EXISTS (SELECT 1 FROM good WHERE good.inviter_id <> @inviter_id)
            AND NOT EXISTS (
                SELECT 1 FROM member m
                WHERE m.organization_id = @organization_id AND m.user_id = @inviter_id
                  AND m.role !~ @plain_pattern::text
                  AND (m.role ~ @owner_pattern::text OR NOT EXISTS (
                    SELECT 1 FROM good WHERE good.role ~ @owner_pattern::text))
                FOR SHARE) THEN 'not permitted'
        WHEN (SELECT pg_catalog.count(*) FROM team t
            WHERE t.organization_id = @organization_id AND t.id = ANY(ARRAY(SELECT pg_catalog.unnest(@team_ids::text[])))
            ) < pg_catalog.cardinality(@team_ids::text[]) THEN 'no such team'
        WHEN NOT EXISTS (SELECT 1 FROM standing)
            AND (SELECT pg_catalog.count(*) FROM invitation i WHERE i.organization_id = @organization_id
                AND i.status = 'pending' AND i.expires_at > @now
                AND sqlc.narg('max_pending')::bigint IS NOT NULL
            ) >= sqlc.narg('max_pending')::bigint THEN 'too many pending'
        ELSE ''
    END::text AS outcome
), closed AS (
    UPDATE invitation SET status = 'canceled'
    WHERE organization_id = @organization_id
      AND email = @email
      AND status = 'pending'
      AND id <> ALL(ARRAY(SELECT standing.id FROM standing))
      AND (SELECT outcome FROM verdict) = ''
), extended AS (
    UPDATE invitation SET role = @role::text, team_id = nullif(pg_catalog.array_to_string(@team_ids::text[], ','), ''),
        inviter_id = @inviter_id, expires_at = greatest(invitation.expires_at, @expires_at::timestamp)
    WHERE id = (SELECT standing.id FROM standing)
      AND (SELECT outcome FROM verdict) = ''
    RETURNING id
), created AS (
    INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, created_at, inviter_id)
    SELECT @id, @organization_id, @email, @role::text,
        nullif(pg_catalog.array_to_string(@team_ids::text[], ','), ''), 'pending',
        @expires_at::timestamp, @now, @inviter_id
    WHERE NOT EXISTS (SELECT 1 FROM standing)
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: LockPendingInvitations :exec
SELECT id FROM invitation
WHERE organization_id = @organization_id AND email = @email AND status = 'pending'
ORDER BY id
FOR NO KEY UPDATE;

-- name: LockPendingInvitationsOfUser :exec
-- The pending invitations of a user and a successor in the organizations of the user.
SELECT i.id FROM invitation i
WHERE i.organization_id = ANY(ARRAY(SELECT m.organization_id FROM member m WHERE m.user_id = @user_id))
  AND i.email IN (
    SELECT pg_catalog.unnest(ARRAY[u.email, pg_catalog.lower(u.email)]) FROM "user" u
    WHERE u.id IN (@user_id, @successor_id))
  AND i.status = 'pending'
ORDER BY i.id
FOR NO KEY UPDATE;

-- name: LockInvitation :exec
SELECT id FROM invitation WHERE id = @id FOR NO KEY UPDATE;

-- name: AcceptInvitation :one
-- The address's other pending invitations to the organization are closed. Organization, role and teams come from the
-- row alone; teams that no longer exist are ignored, as by Better Auth. The inviter must still be allowed to send it;
-- see CreateInvitation. A membership that the server adds meanwhile is locked (DO UPDATE), since the seats depend on
-- it.
WITH invited AS (
    SELECT i.organization_id, pg_catalog.lower(i.email) = pg_catalog.lower(u.email) AS is_recipient,
        u.email_verified AS is_verified,
        i.status = 'pending' AS is_pending, i.status = 'accepted' AS is_accepted, i.expires_at <= @now AS has_expired,
        EXISTS (SELECT 1 FROM member m WHERE m.organization_id = i.organization_id AND m.user_id = u.id) AS is_member
    FROM invitation i JOIN "user" u ON u.id = @user_id
    WHERE i.id = @id
), open_teams AS (
    SELECT t.id, t.member_count FROM invitation i
    JOIN team t ON t.organization_id = i.organization_id
        AND t.id = ANY(ARRAY(
            SELECT pg_catalog.btrim(named.id)
            FROM pg_catalog.unnest(pg_catalog.string_to_array(i.team_id, ',')) named (id)))
    WHERE i.id = @id
      AND t.id <> ALL(ARRAY(SELECT tm.team_id FROM team_member tm WHERE tm.user_id = @user_id))
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM invited) THEN 'not found'
        WHEN NOT (SELECT is_recipient FROM invited) THEN 'not the recipient'
        WHEN NOT @allow_unverified::boolean AND NOT (SELECT is_verified FROM invited) THEN 'not verified'
        WHEN (SELECT is_accepted FROM invited) AND (SELECT is_member FROM invited) THEN 'already accepted'
        WHEN NOT (SELECT is_pending FROM invited) THEN 'not pending'
        WHEN (SELECT has_expired FROM invited) THEN 'expired'
        WHEN NOT EXISTS (
            SELECT 1 FROM invitation i
            JOIN member m ON m.organization_id = i.organization_id AND m.user_id = i.inviter_id
            WHERE i.id = @id
              AND (m.role ~ @owner_pattern::text OR coalesce(i.role, '') !~ @owner_pattern::text)
              AND (m.role !~ @plain_pattern::text OR coalesce(i.role, '') ~ @plain_pattern::text)
            FOR SHARE) THEN 'not permitted'
        WHEN NOT (SELECT is_member FROM invited)
            AND (SELECT pg_catalog.count(*) FROM member m
                WHERE m.organization_id = (SELECT invited.organization_id FROM invited)
                AND sqlc.narg('max_members')::bigint IS NOT NULL
            ) >= sqlc.narg('max_members')::bigint THEN 'too many members'
        WHEN EXISTS (
            SELECT 1 FROM open_teams
            WHERE greatest(open_teams.member_count,
                (SELECT pg_catalog.count(*) FROM team_member tm WHERE tm.team_id = open_teams.id)
            ) >= sqlc.narg('max_team_members')::bigint
        ) THEN 'team full'
        ELSE ''
    END::text AS outcome
), claimed AS (
    UPDATE invitation SET status = 'accepted'
    WHERE id = @id
      AND (SELECT outcome FROM verdict) = ''
    RETURNING organization_id, email, role
), closed AS (
    UPDATE invitation i SET status = 'canceled'
    FROM claimed
    WHERE i.organization_id IS NOT DISTINCT FROM claimed.organization_id
      AND i.email = ANY(ARRAY[claimed.email, pg_catalog.lower(claimed.email),
        (SELECT u.email FROM "user" u WHERE u.id = @user_id)])
      AND i.status = 'pending'
      AND i.id <> @id
), joined AS (
    INSERT INTO member (id, organization_id, user_id, role, created_at)
    SELECT @member_id::text, claimed.organization_id, @user_id, coalesce(nullif(claimed.role, ''), 'member'), @now
    FROM claimed
    ON CONFLICT (organization_id, user_id) DO UPDATE SET user_id = excluded.user_id
), seats AS (
    INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
    SELECT pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
            @member_id::text || open_teams.id, 'UTF8')), 'hex'), 32),
        open_teams.id, @user_id, @now::timestamp,
        pg_catalog.translate(pg_catalog.rtrim(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
            '[' || pg_catalog.to_json(open_teams.id)::text || ',' || pg_catalog.to_json(@user_id::text)::text || ']',
            'UTF8')), 'base64'), '='), '+/', '-_')
    FROM open_teams
    WHERE EXISTS (SELECT 1 FROM claimed)
    ON CONFLICT DO NOTHING
    RETURNING team_id
), counted AS (
    UPDATE team SET member_count = member_count + 1, updated_at = @now::timestamp
    WHERE id IN (SELECT seats.team_id FROM seats)
)
SELECT outcome FROM verdict;

-- name: GetAcceptedInvitation :one
SELECT sqlc.embed(i), sqlc.embed(m)
FROM invitation i JOIN member m ON m.organization_id = i.organization_id
WHERE i.id = @id AND m.user_id = @user_id;

-- name: GetInvitationOfRecipient :one
SELECT i.* FROM invitation i JOIN "user" u ON pg_catalog.lower(u.email) = pg_catalog.lower(i.email)
WHERE i.id = @id AND u.id = @user_id;

-- name: RejectInvitation :one
WITH verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM invitation i WHERE i.id = @id) THEN 'not found'
        WHEN NOT EXISTS (
            SELECT 1 FROM invitation i JOIN "user" u ON pg_catalog.lower(u.email) = pg_catalog.lower(i.email)
            WHERE i.id = @id AND u.id = @user_id) THEN 'not the recipient'
        WHEN NOT @allow_unverified::boolean
            AND NOT (SELECT u.email_verified FROM "user" u WHERE u.id = @user_id) THEN 'not verified'
        WHEN (SELECT i.status <> 'pending' FROM invitation i WHERE i.id = @id) THEN 'not pending'
        ELSE ''
    END::text AS outcome
), rejected AS (
    UPDATE invitation SET status = 'rejected'
    WHERE id = @id
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: CancelInvitation :one
WITH target AS (
    SELECT i.id, i.status FROM invitation i WHERE i.id = @id AND i.organization_id = @organization_id
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM target) THEN 'not found'
        WHEN (SELECT target.status <> 'pending' FROM target) THEN 'not pending'
        ELSE ''
    END::text AS outcome
), canceled AS (
    UPDATE invitation SET status = 'canceled'
    WHERE id = (SELECT target.id FROM target)
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: CancelExpiredInvitations :execrows
UPDATE invitation SET status = 'canceled'
WHERE organization_id = @organization_id
  AND status = 'pending'
  AND expires_at <= @now;

-- name: GetInvitation :one
SELECT * FROM invitation WHERE id = @id AND organization_id = @organization_id;

-- name: GetInvitationWithInviter :one
SELECT sqlc.embed(i), sqlc.embed(u)
FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.id = @id AND i.organization_id = @organization_id;

-- name: CheckRecipient :one
-- Says why a recipient gets nothing. The queries by recipient check again, in case the address changes in between.
SELECT CASE
    WHEN NOT EXISTS (SELECT 1 FROM "user" u WHERE u.id = @user_id) THEN 'not found'
    WHEN NOT @allow_unverified::boolean
        AND NOT (SELECT u.email_verified FROM "user" u WHERE u.id = @user_id) THEN 'not verified'
    ELSE ''
END::text AS outcome;

-- name: GetInvitationByRecipient :one
-- The recipient has the id from the link; the address keeps everybody else out.
SELECT sqlc.embed(i), sqlc.embed(o), sqlc.embed(u)
FROM "user" recipient
JOIN invitation i ON pg_catalog.lower(i.email) = pg_catalog.lower(recipient.email)
JOIN organization o ON o.id = i.organization_id
JOIN "user" u ON u.id = i.inviter_id
WHERE i.id = @id AND recipient.id = @user_id AND (recipient.email_verified OR @allow_unverified::boolean);

-- name: GetPendingInvitation :one
SELECT * FROM invitation
WHERE organization_id = @organization_id AND email = @email AND status = 'pending' AND expires_at > @now
ORDER BY created_at DESC, id DESC
LIMIT 1;

-- name: ListInvitations :many
SELECT sqlc.embed(i), sqlc.embed(u)
FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.organization_id = @organization_id
  AND (sqlc.narg('status')::text IS NULL OR i.status = sqlc.narg('status')::text)
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
  AND (sqlc.narg('team_id')::text IS NULL
    OR sqlc.narg('team_id')::text IN (
        SELECT pg_catalog.btrim(named.id) FROM pg_catalog.unnest(pg_catalog.string_to_array(i.team_id, ',')) named (id)))
  AND (i.created_at, i.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY i.created_at, i.id
LIMIT (SELECT @row_limit::integer);

-- name: ListInvitationsNewest :many
SELECT sqlc.embed(i), sqlc.embed(u)
FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.organization_id = @organization_id
  AND (sqlc.narg('status')::text IS NULL OR i.status = sqlc.narg('status')::text)
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
  AND (sqlc.narg('team_id')::text IS NULL
    OR sqlc.narg('team_id')::text IN (
        SELECT pg_catalog.btrim(named.id) FROM pg_catalog.unnest(pg_catalog.string_to_array(i.team_id, ',')) named (id)))
  AND (i.created_at, i.id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY i.created_at DESC, i.id DESC
LIMIT (SELECT @row_limit::integer);

-- name: ListInvitationsByRecipient :many
SELECT sqlc.embed(i), sqlc.embed(o), sqlc.embed(u)
FROM "user" recipient
JOIN invitation i ON i.email = ANY(ARRAY[recipient.email, pg_catalog.lower(recipient.email)])
JOIN organization o ON o.id = i.organization_id
JOIN "user" u ON u.id = i.inviter_id
WHERE recipient.id = @user_id AND (recipient.email_verified OR @allow_unverified::boolean)
  AND (sqlc.narg('status')::text IS NULL OR i.status = sqlc.narg('status')::text)
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
  AND (i.created_at, i.id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY i.created_at, i.id
LIMIT (SELECT @row_limit::integer);

-- name: ListInvitationsByRecipientNewest :many
SELECT sqlc.embed(i), sqlc.embed(o), sqlc.embed(u)
FROM "user" recipient
JOIN invitation i ON i.email = ANY(ARRAY[recipient.email, pg_catalog.lower(recipient.email)])
JOIN organization o ON o.id = i.organization_id
JOIN "user" u ON u.id = i.inviter_id
WHERE recipient.id = @user_id AND (recipient.email_verified OR @allow_unverified::boolean)
  AND (sqlc.narg('status')::text IS NULL OR i.status = sqlc.narg('status')::text)
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
  AND (i.created_at, i.id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY i.created_at DESC, i.id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountInvitations :one
SELECT pg_catalog.count(*) FROM invitation i
WHERE i.organization_id = @organization_id
  AND (sqlc.narg('status')::text IS NULL OR i.status = sqlc.narg('status')::text)
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
  AND (sqlc.narg('team_id')::text IS NULL
    OR sqlc.narg('team_id')::text IN (
        SELECT pg_catalog.btrim(named.id) FROM pg_catalog.unnest(pg_catalog.string_to_array(i.team_id, ',')) named (id)));

-- name: DeleteInvitation :execrows
DELETE FROM invitation WHERE id = @id AND organization_id = @organization_id;

-- name: ListInvitationsByOrganizations :many
SELECT sqlc.embed(i), sqlc.embed(u)
FROM invitation i JOIN "user" u ON u.id = i.inviter_id
WHERE i.organization_id = ANY(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[])))
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
ORDER BY i.created_at, i.id;

-- name: PickInvitationsByOrganizations :many
SELECT sqlc.embed(i), sqlc.embed(u)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@organization_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM invitation c
     WHERE c.organization_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND (SELECT NOT @newest::boolean)
     ORDER BY c.created_at, c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM invitation c
     WHERE c.organization_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND (SELECT @newest::boolean)
     ORDER BY c.created_at DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN invitation i ON i.id = picked.id
JOIN "user" u ON u.id = i.inviter_id
ORDER BY i.created_at, i.id;

-- name: ListInvitationsByInviters :many
SELECT sqlc.embed(i), sqlc.embed(o)
FROM invitation i JOIN organization o ON o.id = i.organization_id
WHERE i.inviter_id = ANY(ARRAY(SELECT pg_catalog.unnest(@inviter_ids::text[])))
  AND (NOT @pending::boolean OR (i.status = 'pending' AND i.expires_at > @now))
ORDER BY i.created_at, i.id;

-- name: PickInvitationsByInviters :many
SELECT sqlc.embed(i), sqlc.embed(o)
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@inviter_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM invitation c
     WHERE c.inviter_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND (SELECT NOT @newest::boolean)
     ORDER BY c.created_at, c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM invitation c
     WHERE c.inviter_id = parent.id AND (NOT @pending::boolean OR (c.status = 'pending' AND c.expires_at > @now))
       AND (SELECT @newest::boolean)
     ORDER BY c.created_at DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN invitation i ON i.id = picked.id
JOIN organization o ON o.id = i.organization_id
ORDER BY i.created_at, i.id;
