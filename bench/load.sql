-- The rows of the benchmark. Each statement is one step, whose first line is what is shown; {users}, {sessions} and
-- {organizations} are numbers. Ids and tokens are as random as Better Auth's, but the same in each run. What is live
-- ends in 2100, so that the rows can be kept.

-- users
INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at)
SELECT md5('user' || i), 'User ' || i, 'user' || i || '@example.com', true,
    CASE WHEN i % 2 = 0 THEN 'https://example.com/' || i || '.png' END,
    timestamp '2025-01-01' + i * interval '1.001 s', timestamp '2025-02-01' + i * interval '1.001 s'
FROM generate_series(0, {users} - 1) i;

-- organizations
INSERT INTO organization (id, name, slug, logo, created_at, metadata)
SELECT md5('organization' || i), 'Organization ' || i, 'organization-' || i,
    CASE WHEN i % 2 = 0 THEN 'https://example.com/' || i || '.svg' END,
    timestamp '2025-01-01' + i * interval '1.001 s', CASE WHEN i % 3 = 0 THEN '{"plan":"team"}' END
FROM generate_series(0, {organizations} - 1) i;

-- teams
INSERT INTO team (id, name, organization_id, created_at, updated_at, member_count)
SELECT md5('team' || i), 'Team ' || i, md5('organization' || i % {organizations}),
    timestamp '2025-01-02' + i * interval '1.001 s', timestamp '2025-01-02' + i * interval '1.001 s', 0
FROM generate_series(0, 3 * {organizations} - 1) i;

-- members, two of each user
INSERT INTO member (id, organization_id, user_id, role, created_at)
SELECT md5('member' || i || n), md5('organization' || (i + n * (1 + i / {organizations})) % {organizations}),
    md5('user' || i), CASE WHEN n = 0 AND i < {organizations} THEN 'owner' ELSE 'member' END,
    timestamp '2025-01-03' + i * interval '1.001 s'
FROM generate_series(0, {users} - 1) i, generate_series(0, 1) n;

-- team members
INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
SELECT md5('seat' || i || n), md5('team' || (i + n * (1 + i / {organizations})) % {organizations}), md5('user' || i),
    timestamp '2025-01-04' + i * interval '1.001 s', md5('key' || i || n)
FROM generate_series(0, {users} - 1) i, generate_series(0, 1) n
WHERE n = 0 OR i % 2 = 0;

-- accounts
INSERT INTO account (id, account_id, provider_id, user_id, scope, password, created_at, updated_at)
SELECT md5('account' || i), md5('user' || i), 'credential', md5('user' || i), NULL, md5('salt' || i) || md5('hash' || i),
    timestamp '2025-01-01' + i * interval '1.001 s', timestamp '2025-01-01' + i * interval '1.001 s'
FROM generate_series(0, {users} - 1) i;

-- invitations
INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, created_at, inviter_id)
SELECT md5('invitation' || i), md5('organization' || i % {organizations}), 'guest' || i || '@example.com', 'member',
    NULL, 'pending', '2100-01-01', timestamp '2025-01-05' + i * interval '1.001 s',
    md5('user' || i % {organizations})
FROM generate_series(0, 5 * {organizations} - 1) i;

-- verifications
INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
SELECT md5('verification' || i), 'reset-password:' || md5('reset' || i), md5('user' || i), '2100-01-01',
    timestamp '2025-01-01' + i * interval '1.001 s', timestamp '2025-01-01' + i * interval '1.001 s'
FROM generate_series(0, {users} / 4 - 1) i;

-- sessions, with an active organization and team
INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id,
    active_organization_id, active_team_id)
SELECT md5('session' || i), '2100-01-01', md5('token' || i), timestamp '2025-03-01' + i * interval '1.001 s',
    timestamp '2025-03-01' + i * interval '1.001 s', '192.0.2.' || i % 250,
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    md5('user' || i % {users}), md5('organization' || i % {users} % {organizations}),
    md5('team' || i % {users} % {organizations})
FROM generate_series(0, {sessions} - 1) i;

-- users with so many rows in each relation
CREATE TEMPORARY TABLE fan AS
SELECT rows, k, 'fan-' || rows || '-' || k AS user_id, n, (7919 * k + 104729 * rows + n) % {organizations} AS org
FROM (VALUES (2), (5), (20)) f (rows), generate_series(1, 50) k, LATERAL generate_series(0, rows - 1) n;
INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
SELECT DISTINCT user_id, 'Fan ' || user_id, user_id || '@example.com', true, timestamp '2025-06-01',
    timestamp '2025-06-01' FROM fan;
INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
SELECT md5(user_id || '/' || n), '2100-01-01', md5('token' || user_id || '/' || n), timestamp '2025-06-01' + n * interval '1 s',
    timestamp '2025-06-01', '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', user_id FROM fan;
INSERT INTO account (id, account_id, provider_id, user_id, access_token, access_token_expires_at, scope, created_at,
    updated_at)
SELECT md5(user_id || '/' || n), md5('identity' || user_id || '/' || n), 'provider-' || n, user_id, md5('access' || user_id || '/' || n),
    '2100-01-01', 'openid,email', timestamp '2025-06-01' + n * interval '1 s', timestamp '2025-06-01' FROM fan;
INSERT INTO member (id, organization_id, user_id, role, created_at)
SELECT md5(user_id || '/' || n), md5('organization' || org), user_id, 'admin', timestamp '2025-06-01' + n * interval '1 s'
FROM fan;
INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
SELECT md5(user_id || '/' || n), md5('team' || org), user_id, timestamp '2025-06-01' + n * interval '1 s',
    md5('key' || user_id || '/' || n) FROM fan;
INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
SELECT md5(user_id || '/' || n), md5('organization' || org), 'friend' || n || '-' || user_id || '@example.com', 'member', 'pending',
    '2100-01-01', timestamp '2025-06-01' + n * interval '1 s', user_id FROM fan;

-- organizations with so many members
CREATE TEMPORARY TABLE big AS
SELECT members, k, 'org-' || members || '-' || k AS organization_id, teams, seats, invitations
FROM (VALUES (20, 50, 3, 5, 5), (1000, 10, 20, 25, 100), (15000, 1, 0, 0, 0))
    b (members, count, teams, seats, invitations), LATERAL generate_series(1, count) k;
INSERT INTO organization (id, name, slug, created_at)
SELECT organization_id, organization_id, organization_id, timestamp '2025-06-02' FROM big;
INSERT INTO member (id, organization_id, user_id, role, created_at)
SELECT md5(organization_id || '/' || n), organization_id, md5('user' || (9973 * k + members + n * 7) % {users}),
    CASE n WHEN 0 THEN 'owner' ELSE 'member' END, timestamp '2025-06-02' + n * interval '1.001 s'
FROM big, LATERAL generate_series(0, members - 1) n;
INSERT INTO team (id, name, organization_id, created_at, updated_at, member_count)
SELECT md5(organization_id || '-' || t), 'Team ' || t, organization_id, timestamp '2025-06-03' + t * interval '1 s',
    timestamp '2025-06-03', seats
FROM big, LATERAL generate_series(1, teams) t;
INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
SELECT md5(organization_id || t || '/' || n), md5(organization_id || '-' || t),
    md5('user' || (9973 * k + members + (t * seats + n) % members * 7) % {users}),
    timestamp '2025-06-04' + (100 * t + n) * interval '1 s', md5('key' || organization_id || t || '/' || n)
FROM big, LATERAL generate_series(1, teams) t, LATERAL generate_series(0, seats - 1) n;
INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
SELECT md5(organization_id || '/' || n), organization_id, 'guest' || n || '-' || organization_id || '@example.com', 'member',
    'pending', '2100-01-01', timestamp '2025-06-05' + n * interval '1 s', md5('user' || (9973 * k + members) % {users})
FROM big, LATERAL generate_series(1, invitations) n;

-- counts of team members
UPDATE team SET member_count = c.n
FROM (SELECT team_id, count(*) n FROM team_member GROUP BY 1) c WHERE c.team_id = team.id;
