-- Rows for the tests of plans, in one transaction. All sizes follow from plans.users; every organization has 10 members
-- and every team 4, whatever the size. Beside them stand an organization with plans.crowd members and a user with
-- plans.devices sessions. Ids are md5 sums: of the length and the disorder of Better Auth's.
--
--     psql -c 'SET plans.users = 16000; SET plans.crowd = 1000; SET plans.devices = 200' -f test/plans/data.sql
--
-- Indexes and constraints are dropped first and made again from the filled tables, which is faster by far.
BEGIN;
SET LOCAL maintenance_work_mem = '256MB';
SET LOCAL work_mem = '128MB';

CREATE TEMP TABLE rebuild ON COMMIT DROP AS
    SELECT 1 AS place, conrelid::regclass AS tab, conname AS name,
        format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS sql, contype = 'f' AS is_reference
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f')
    UNION ALL
    SELECT 2, indrelid::regclass, relname, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON '), false
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'));

DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT * FROM rebuild ORDER BY is_reference DESC LOOP
        IF r.place = 1 THEN
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', r.tab, r.name);
        ELSE
            EXECUTE format('DROP INDEX %I', r.name);
        END IF;
    END LOOP;
END $$;

CREATE TEMP TABLE size ON COMMIT DROP AS
    SELECT current_setting('plans.users')::integer AS users, current_setting('plans.users')::integer / 10 AS orgs,
        current_setting('plans.users')::integer / 4 AS teams, current_setting('plans.crowd')::integer AS crowd,
        current_setting('plans.devices')::integer AS devices, timestamp '2026-11-01' AS today;

-- Emptied in the same transaction, so that wal_level=minimal writes no log.
TRUNCATE "user", session, account, verification, organization, team, member, team_member, invitation;

INSERT INTO "user" SELECT md5('user' || n), 'User ' || n, 'user' || n || '@example.com', n % 10 > 0, NULL,
    today - n * interval '30 seconds', today - n * interval '30 seconds' FROM size, generate_series(0, users - 1) n;

INSERT INTO organization SELECT md5('org' || n), 'Organization ' || n, 'organization-' || n, NULL,
    today - n * interval '5 minutes', format('{"plan":"pro","address":"%s"}', repeat('x', 400)) FROM size, generate_series(0, orgs - 1) n;

-- User n is in organization n % orgs; the first of each owns it.
INSERT INTO member SELECT md5('member' || n), md5('org' || n % orgs), md5('user' || n),
    CASE WHEN n < orgs THEN 'owner' WHEN n % 7 = 0 THEN 'admin,member' ELSE 'member' END,
    today - n * interval '30 seconds' FROM size, generate_series(0, users - 1) n;

-- The crowd of organization 0, and user 0 in 50 organizations.
INSERT INTO member SELECT md5('crowd' || n), md5('org0'), md5('user' || n), 'member', today - n * interval '1 second'
    FROM size, generate_series(1, crowd) n WHERE n % orgs > 0;
INSERT INTO member SELECT md5('busy' || n), md5('org' || n), md5('user0'), 'admin', today - n * interval '1 hour'
    FROM size, generate_series(1, 50) n;

-- Team n is of organization n % orgs; 4 of the 10 members of that are in it.
INSERT INTO team SELECT md5('team' || n), 'Team ' || n, md5('org' || n % orgs), today - n * interval '2 minutes', today, 4
    FROM size, generate_series(0, teams - 1) n;
INSERT INTO team_member SELECT md5('seat' || n), md5('team' || n % teams), md5('user' || (n % teams) % orgs + orgs * (n / teams)),
    today - n * interval '30 seconds',
    translate(rtrim(encode(sha256(convert_to(format('["%s","%s"]', md5('team' || n % teams), md5('user' || (n % teams) % orgs + orgs * (n / teams))),
        'UTF8')), 'base64'), '='), '+/', '-_')
    FROM size, generate_series(0, users - 1) n;
-- The crowd's first team, with half of it, and 100 teams more, all with user 0.
INSERT INTO team_member SELECT md5('crowdseat' || n), md5('team0'), md5('user' || n), today - n * interval '1 second', NULL
    FROM size, generate_series(1, crowd / 2) n WHERE n % orgs > 0;
INSERT INTO team SELECT md5('crowdteam' || n), 'Team ' || n, md5('org0'), today - n * interval '1 minute', today, 1
    FROM size, generate_series(1, 100) n;
INSERT INTO team_member SELECT md5('busyseat' || n), md5('crowdteam' || n), md5('user0'), today - n * interval '1 minute', NULL
    FROM size, generate_series(1, 100) n;
UPDATE team SET member_count = (SELECT count(*) FROM team_member WHERE team_id = md5('team0')) WHERE id = md5('team0');

-- Two sessions a user, over eight days: one in eight has expired.
INSERT INTO session SELECT md5('session' || n), made + interval '7 days', md5('token' || n), made, made, '192.0.2.1',
    'Mozilla/5.0 (X11; Linux x86_64)', md5('user' || n % users), CASE WHEN n % 2 = 0 THEN md5('org' || n % users % orgs) END,
    CASE WHEN n % 4 = 0 THEN md5('team' || n % users % orgs) END
    FROM size, generate_series(0, 2 * users - 1) n, LATERAL (SELECT today - interval '8 days' * (1 - n / (2.0 * users)) AS made) at;
INSERT INTO session SELECT md5('device' || n), today - n * interval '10 minutes' + interval '7 days', md5('devicetoken' || n),
    today - n * interval '10 minutes', today, '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64)', md5('user0'), md5('org0'), md5('team0')
    FROM size, generate_series(1, devices) n;

-- Three in four sign in with a password.
INSERT INTO account SELECT md5('account' || n), CASE WHEN n % 4 > 0 THEN md5('user' || n) ELSE n::text END,
    CASE WHEN n % 4 > 0 THEN 'credential' ELSE 'github' END, md5('user' || n), NULL, NULL, NULL, NULL, NULL, NULL,
    CASE WHEN n % 4 > 0 THEN repeat(md5('password' || n), 5) END, today - n * interval '30 seconds', today
    FROM size, generate_series(0, users - 1) n;
INSERT INTO account SELECT md5('identity' || n), 'identity' || n, 'google', md5('user0'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, today, today
    FROM size, generate_series(1, 5) n;

-- Two invitations an organization, by its owner; three in five accepted, one in five pending, half of those expired.
INSERT INTO invitation SELECT md5('invitation' || n), md5('org' || n % orgs), 'invited' || n || '@example.com', 'member',
    CASE WHEN n % 3 = 0 THEN md5('team' || n % orgs) END, (ARRAY['accepted', 'accepted', 'accepted', 'pending', 'canceled'])[1 + n % 5],
    today + (n % 2 * 4 - 2) * interval '1 day', today - n * interval '1 minute', md5('user' || n % orgs)
    FROM size, generate_series(0, 2 * orgs - 1) n;
INSERT INTO invitation SELECT md5('crowdinvitation' || n), md5('org0'), 'crowd' || n || '@example.com', 'member', md5('team0'),
    CASE WHEN n % 2 = 0 THEN 'pending' ELSE 'accepted' END, today + interval '2 days', today - n * interval '1 minute', md5('user0')
    FROM size, generate_series(1, crowd / 10) n;

-- One verification for two users, over two hours: half have expired.
INSERT INTO verification SELECT md5('verification' || n), 'reset-password:' || left(md5('reset' || n), 24), md5('user' || n),
    made + interval '1 hour', made, made
    FROM size, generate_series(0, users / 2 - 1) n, LATERAL (SELECT today - interval '2 hours' * (1 - n / (0.5 * users)) AS made) at;

DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT * FROM rebuild ORDER BY is_reference, place, tab::text, name LOOP
        EXECUTE r.sql;
    END LOOP;
END $$;
COMMIT;
