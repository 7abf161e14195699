-- name: GetSignIn :one
-- The user of an address, and the password's hash. Better Auth 1.7 reads only the account whose account_id is the
-- user's id, earlier versions any.
SELECT sqlc.embed(u), coalesce(a.id, '')::text AS account_id, coalesce(a.password, '')::text AS password
FROM "user" u
LEFT JOIN account a ON a.id = (
    SELECT c.id FROM account c
    WHERE c.user_id = u.id AND c.provider_id = 'credential' AND (c.account_id = u.id OR @any_account_id::boolean)
    ORDER BY c.account_id <> u.id, c.created_at, c.id
    LIMIT 1)
WHERE u.email = @email;

-- name: GetPassword :one
-- GetSignIn for a user who is signed in.
SELECT sqlc.embed(u), coalesce(a.id, '')::text AS account_id, coalesce(a.password, '')::text AS password
FROM "user" u
LEFT JOIN account a ON a.id = (
    SELECT c.id FROM account c
    WHERE c.user_id = u.id AND c.provider_id = 'credential' AND (c.account_id = u.id OR @any_account_id::boolean)
    ORDER BY c.account_id <> u.id, c.created_at, c.id
    LIMIT 1)
WHERE u.id = @user_id;

-- name: SignInByPassword :one
-- CreateSession for a user who gave the right password, if it was not changed since. The user is locked first, as when
-- a password is set, then the account. If a second factor is wanted, a challenge, with which the server goes on, is
-- made in place of the session. A trusted device is as good as a second factor, and gets a new identifier.
WITH holder AS (
    SELECT u.id, u.email_verified, pg_catalog.to_jsonb(u.*) AS held FROM "user" u WHERE u.id = @user_id
    FOR SHARE
), credential AS (
    SELECT a.id FROM account a
    WHERE a.id = @account_id AND a.user_id = (SELECT holder.id FROM holder) AND a.password = @password::text
    FOR SHARE
), trusted AS (
    SELECT v.id FROM verification v
    WHERE v.identifier = @device::text AND v.value = @user_id AND v.expires_at > @now
    FOR UPDATE
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM credential) THEN 'wrong password'
        WHEN @verified_only::boolean AND NOT (SELECT email_verified FROM holder) THEN 'not verified'
        WHEN EXISTS (
            SELECT 1 FROM holder WHERE held ->> 'banned'::text = 'true' AND (held ->> 'ban_expires'::text)::timestamp < @now::timestamp)
            THEN 'ban over'
        WHEN EXISTS (SELECT 1 FROM holder WHERE held ->> 'banned'::text = 'true') THEN 'banned'
        WHEN NOT EXISTS (SELECT 1 FROM holder WHERE held ->> 'two_factor_enabled'::text = 'true') THEN ''
        WHEN @trusted::boolean OR EXISTS (SELECT 1 FROM trusted) THEN 'trusted'
        ELSE 'second factor'
    END::text AS outcome
), challenged AS (
    INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
    SELECT pg_catalog.unnest(@challenge_ids::text[]), pg_catalog.unnest(@challenges::text[]),
        pg_catalog.unnest(@challenge_values::text[]), @challenge_expires_at, @now::timestamp, @now
    WHERE (SELECT outcome FROM verdict) = 'second factor'
), forgotten AS (
    DELETE FROM verification
    WHERE identifier = @device::text AND (SELECT outcome FROM verdict) = 'trusted'
    RETURNING id
), renewed AS (
    INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
    SELECT @new_device_id, @new_device::text, @user_id, @device_expires_at, @now::timestamp, @now
    WHERE EXISTS (SELECT 1 FROM forgotten)
), created AS (
    INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
    SELECT @id, @expires_at, @token::text, @now::timestamp, @now, @ip_address, @user_agent, @user_id
    WHERE (SELECT outcome FROM verdict) = ANY(ARRAY['', 'trusted'])
    RETURNING *
)
SELECT verdict.outcome, created.* FROM verdict LEFT JOIN created ON true;

-- name: LockUserByEmail :exec
SELECT id FROM "user" WHERE email = @email
FOR UPDATE;

-- name: SignInProved :one
-- CreateSession for the user of an address that was just proved, or for a new one. What an unproved user had before may
-- be a squatter's: Better Auth 1.7 removes all of it, 1.6 the password and the sessions. A proof that names the user is
-- no sign-in if the address was proved before. FOR UPDATE: another user may have the address since it was locked.
WITH holder AS (
    SELECT u.id, u.email_verified, pg_catalog.to_jsonb(u.*) AS held FROM "user" u
    WHERE u.email = @email
      AND (@user_id::text = '' OR u.id = @user_id::text)
    FOR UPDATE
), newcomer AS (
    INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
    SELECT @new_user_id, @name, @email, true, @now::timestamp, @now
    WHERE @sign_up::boolean AND NOT EXISTS (SELECT 1 FROM holder)
    RETURNING id
), verdict AS (
    SELECT CASE
        WHEN EXISTS (SELECT 1 FROM newcomer) THEN ''
        WHEN NOT EXISTS (SELECT 1 FROM holder) THEN 'nobody'
        WHEN @no_session::boolean THEN 'no session'
        WHEN @user_id::text <> '' AND (SELECT email_verified FROM holder) THEN 'no session'
        WHEN EXISTS (
            SELECT 1 FROM holder WHERE held ->> 'banned'::text = 'true' AND (held ->> 'ban_expires'::text)::timestamp < @now::timestamp)
            THEN 'ban over'
        WHEN EXISTS (SELECT 1 FROM holder WHERE held ->> 'banned'::text = 'true') THEN 'banned'
        ELSE ''
    END::text AS outcome
), unproved AS (
    SELECT holder.id FROM holder WHERE NOT holder.email_verified AND (SELECT outcome FROM verdict) <> 'ban over'
), revoked AS (
    DELETE FROM account
    WHERE user_id = (SELECT unproved.id FROM unproved)
      AND (@revoke_accounts::boolean OR (@revoke_password::boolean AND provider_id = 'credential'))
), ended AS (
    DELETE FROM session
    WHERE user_id = (SELECT unproved.id FROM unproved)
      AND (@revoke_accounts::boolean OR @revoke_password::boolean)
    RETURNING token
), verified AS (
    UPDATE "user" SET email_verified = true, updated_at = @now
    WHERE id = (SELECT unproved.id FROM unproved)
), created AS (
    INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
    SELECT @id, @expires_at, @token::text, @now::timestamp, @now, @ip_address, @user_agent,
        coalesce((SELECT holder.id FROM holder), @new_user_id)
    WHERE (SELECT outcome FROM verdict) = ''
    RETURNING *
)
SELECT verdict.outcome, coalesce((SELECT holder.id FROM holder), '')::text AS holder_id,
    ARRAY(SELECT ended.token FROM ended)::text[] AS ended, created.*
FROM verdict LEFT JOIN created ON true;

-- name: CreateVerificationOfUser :one
-- CreateVerification for an address; without a value, it gets the id of the address's user. For an address that nobody
-- has only if anybody is set.
WITH created AS (
    INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
    SELECT @id, @identifier::text, coalesce(sqlc.narg('value')::text, u.id), @expires_at, made.at, made.at
    FROM (SELECT greatest(@now::timestamp, pg_catalog.max(v.created_at) + interval '1 millisecond') AS at
        FROM verification v WHERE v.identifier = @identifier::text) made
    LEFT JOIN "user" u ON u.email = @email
    WHERE @anybody::boolean OR u.id IS NOT NULL
)
SELECT u.* FROM "user" u WHERE u.email = @email;

-- name: ResetPassword :one
-- The user is locked before, so nobody signs in meanwhile. The verification is used up as by ConsumeVerification. With
-- an email, a code has proved that address instead.
WITH newest AS (
    SELECT v.id FROM verification v
    WHERE v.identifier = @identifier::text
      AND v.value = @user_id::text
      AND v.expires_at > @now::timestamp
      AND v.id = (
        SELECT n.id FROM verification n WHERE n.identifier = @identifier::text
        ORDER BY n.created_at DESC, n.id DESC LIMIT 1)
    FOR UPDATE
), verdict AS (
    SELECT CASE
        WHEN @email::text = '' AND NOT EXISTS (SELECT 1 FROM newest) THEN 'invalid token'
        WHEN NOT EXISTS (
            SELECT 1 FROM "user" u WHERE u.id = @user_id
              AND (@email::text = '' OR u.email = @email::text))
            THEN 'invalid token'
        ELSE ''
    END::text AS outcome
), gone AS (
    DELETE FROM verification
    WHERE identifier = @identifier::text
      AND (SELECT outcome FROM verdict) = ''
), verified AS (
    UPDATE "user" SET email_verified = true, updated_at = @now
    WHERE id = @user_id
      AND @email::text <> ''
      AND NOT email_verified
      AND (SELECT outcome FROM verdict) = ''
), changed AS (
    UPDATE account SET password = @password::text, updated_at = @now
    WHERE user_id = @user_id AND provider_id = 'credential' AND (account_id = @user_id OR @any_account_id::boolean)
      AND (SELECT outcome FROM verdict) = ''
    RETURNING id
), created AS (
    INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at)
    SELECT @account_id, @user_id, 'credential', @user_id, @password::text, @now::timestamp, @now
    WHERE (SELECT outcome FROM verdict) = ''
      AND NOT EXISTS (SELECT 1 FROM changed)
), ended AS (
    DELETE FROM session
    WHERE user_id = @user_id
      AND @revoke_sessions::boolean
      AND (SELECT outcome FROM verdict) = ''
    RETURNING token
)
SELECT verdict.outcome, ARRAY(SELECT ended.token FROM ended)::text[] AS ended FROM verdict;

-- name: ChangePassword :one
-- Only if the password is still the current one that was given. If the sessions end, a new one is made, so a ban
-- counts. The user is locked before.
WITH target AS (
    SELECT a.id FROM account a WHERE a.id = @account_id AND a.user_id = @user_id AND a.password = @current::text
    FOR NO KEY UPDATE
), holder AS (
    SELECT pg_catalog.to_jsonb(u.*) AS held FROM "user" u WHERE u.id = @user_id AND @revoke_sessions::boolean
), verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM target) THEN 'wrong password'
        WHEN EXISTS (
            SELECT 1 FROM holder WHERE held ->> 'banned'::text = 'true' AND (held ->> 'ban_expires'::text)::timestamp < @now::timestamp)
            THEN 'ban over'
        WHEN EXISTS (SELECT 1 FROM holder WHERE held ->> 'banned'::text = 'true') THEN 'banned'
        ELSE ''
    END::text AS outcome
), changed AS (
    UPDATE account SET password = @password::text, updated_at = @now
    WHERE id = @account_id
      AND (SELECT outcome FROM verdict) = ''
), ended AS (
    DELETE FROM session
    WHERE user_id = (SELECT @user_id::text FROM holder)
      AND (SELECT outcome FROM verdict) = ''
    RETURNING token
)
SELECT verdict.outcome, ARRAY(SELECT ended.token FROM ended)::text[] AS ended FROM verdict;

-- name: GetUserToChange :one
SELECT sqlc.embed(u), EXISTS (SELECT 1 FROM "user" o WHERE o.email = @email) AS taken
FROM "user" u WHERE u.id = @user_id;
