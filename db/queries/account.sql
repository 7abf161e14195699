-- name: CreateAccount :one
INSERT INTO account (id, account_id, provider_id, user_id, access_token, refresh_token, id_token,
    access_token_expires_at, refresh_token_expires_at, scope, password, created_at, updated_at)
VALUES (@id, @account_id, @provider_id, @user_id, sqlc.narg('access_token')::text, sqlc.narg('refresh_token')::text, sqlc.narg('id_token')::text,
    @access_token_expires_at, @refresh_token_expires_at, @scope, sqlc.narg('password')::text, @now::timestamp, @now)
RETURNING *;

-- name: GetAccount :one
SELECT * FROM account WHERE id = @id AND user_id = @user_id;

-- name: GetAccountWithUserByProvider :one
SELECT sqlc.embed(a), sqlc.embed(u)
FROM account a JOIN "user" u ON u.id = a.user_id
WHERE a.provider_id = @provider_id AND a.account_id = @account_id;

-- name: GetCredentialAccount :one
SELECT * FROM account
WHERE user_id = @user_id AND provider_id = 'credential' AND account_id = @user_id;

-- name: ListAccounts :many
SELECT * FROM account
WHERE user_id = @user_id
  AND (created_at, id) > (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at, id
LIMIT (SELECT @row_limit::integer);

-- name: ListAccountsNewest :many
SELECT * FROM account
WHERE user_id = @user_id
  AND (created_at, id) < (@after_created_at::timestamp, @after_id::text)
ORDER BY created_at DESC, id DESC
LIMIT (SELECT @row_limit::integer);

-- name: CountAccounts :one
SELECT pg_catalog.count(*) FROM account WHERE user_id = @user_id;

-- name: LinkAccount :one
-- If the user has the identity already, the newer tokens replace the older ones and the scopes are added. An identity
-- of another user stays as it is.
WITH linked AS (
    INSERT INTO account (id, account_id, provider_id, user_id, access_token, refresh_token, id_token,
        access_token_expires_at, refresh_token_expires_at, scope, created_at, updated_at)
    VALUES (@id, @account_id, @provider_id, @user_id, sqlc.narg('access_token')::text, sqlc.narg('refresh_token')::text, sqlc.narg('id_token')::text,
        @access_token_expires_at, @refresh_token_expires_at, @scope, @now::timestamp, @now)
    ON CONFLICT (provider_id, account_id) DO UPDATE
    SET access_token = coalesce(excluded.access_token, account.access_token),
        refresh_token = coalesce(excluded.refresh_token, account.refresh_token),
        id_token = coalesce(excluded.id_token, account.id_token),
        access_token_expires_at = coalesce(excluded.access_token_expires_at, account.access_token_expires_at),
        refresh_token_expires_at = coalesce(excluded.refresh_token_expires_at, account.refresh_token_expires_at),
        scope = (
            SELECT pg_catalog.string_agg(granted.scope, ',' ORDER BY granted.place)
            FROM (
                SELECT pg_catalog.btrim(s.scope) AS scope, pg_catalog.min(s.place) AS place
                FROM pg_catalog.unnest(pg_catalog.string_to_array(
                    coalesce(account.scope, '') || ',' || coalesce(excluded.scope, ''), ',')) WITH ORDINALITY s (scope, place)
                GROUP BY pg_catalog.btrim(s.scope)
            ) granted
            WHERE granted.scope <> ''
        ),
        updated_at = @now
    WHERE account.user_id = excluded.user_id
    RETURNING id
)
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM linked) THEN 'account taken' ELSE '' END::text AS outcome;

-- name: GetLinkedAccount :one
SELECT * FROM account
WHERE provider_id = @provider_id AND account_id = @account_id AND user_id = @user_id;

-- name: UpdateAccount :one
UPDATE account
SET access_token = CASE WHEN @set_access_token::boolean THEN sqlc.narg('access_token')::text ELSE access_token END,
    refresh_token = CASE WHEN @set_refresh_token::boolean THEN sqlc.narg('refresh_token')::text ELSE refresh_token END,
    id_token = CASE WHEN @set_id_token::boolean THEN sqlc.narg('id_token')::text ELSE id_token END,
    access_token_expires_at = CASE WHEN @set_access_token_expires_at::boolean
        THEN sqlc.narg('access_token_expires_at') ELSE access_token_expires_at END,
    refresh_token_expires_at = CASE WHEN @set_refresh_token_expires_at::boolean
        THEN sqlc.narg('refresh_token_expires_at') ELSE refresh_token_expires_at END,
    scope = CASE WHEN @set_scope::boolean THEN sqlc.narg('scope') ELSE scope END,
    updated_at = @now
WHERE id = @id AND user_id = @user_id
RETURNING *;

-- name: SetAccountPassword :execrows
UPDATE account SET password = @password::text, updated_at = @now
WHERE user_id = @user_id AND provider_id = 'credential' AND account_id = @user_id;

-- name: DeleteAccount :one
-- Not the last account that can sign in; a credential without a password cannot. The one that stays is locked, in case
-- the server deletes it at the same moment.
WITH verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM account a WHERE a.id = @id AND a.user_id = @user_id) THEN 'not found'
        WHEN NOT @allow_last::boolean
            AND NOT EXISTS (
                SELECT 1 FROM account o
                WHERE o.user_id = @user_id
                  AND o.id <> @id
                  AND (o.provider_id <> 'credential' OR o.password IS NOT NULL)
                FOR SHARE) THEN 'last account'
        ELSE ''
    END::text AS outcome
), gone AS (
    DELETE FROM account
    WHERE id = @id
      AND (SELECT outcome FROM verdict) = ''
)
SELECT outcome FROM verdict;

-- name: DeleteAccountsByUser :execrows
DELETE FROM account WHERE user_id = @user_id;

-- name: ListAccountsByUsers :many
SELECT * FROM account WHERE user_id = ANY(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[])))
ORDER BY created_at, id;

-- name: PickAccountsByUsers :many
SELECT a.*
FROM pg_catalog.unnest(ARRAY(SELECT pg_catalog.unnest(@user_ids::text[]))) parent (id)
CROSS JOIN LATERAL (
    (SELECT c.id FROM account c WHERE c.user_id = parent.id AND (SELECT NOT @newest::boolean)
     ORDER BY c.created_at, c.id LIMIT (SELECT @row_limit::integer))
    UNION ALL
    (SELECT c.id FROM account c WHERE c.user_id = parent.id AND (SELECT @newest::boolean)
     ORDER BY c.created_at DESC, c.id DESC LIMIT (SELECT @row_limit::integer))
) picked
JOIN account a ON a.id = picked.id
ORDER BY a.created_at, a.id;
