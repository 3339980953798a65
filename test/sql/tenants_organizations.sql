-- Organizations: making, suspending, deleting them; time zones; personal organizations; operators only.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
-- the built-in one
SELECT id, name, slug, tier, status, timezone, locale, billing_anchor_day, settings, plan_status
FROM platform.organizations WHERE id = '00000000-0000-0000-0000-000000000000';
INSERT INTO platform.users (id, email) VALUES ('10000000-0000-4000-8000-0000000000a1', 'Owner@Tenants-Organizations.Example');
-- a slug from the name; the first free one
SELECT platform.create_organization('Acme  Voice & Söhne!') AS acme \gset
SELECT platform.create_organization('acme voice söhne', NULL, 'pro', 'Europe/Berlin', '10000000-0000-4000-8000-0000000000a1') AS second \gset
SELECT platform.create_organization('☎') AS symbols \gset
SELECT platform.create_organization(name => repeat('long name ', 25), timezone => 'america/chicago') AS long \gset
SELECT name, slug, tier, timezone, created_by, uuid_send(id) < uuid_send(platform.uuid7()) AS ordered
FROM platform.organizations WHERE id IN (:'acme', :'second', :'symbols') ORDER BY id;
SELECT length(slug), timezone FROM platform.organizations WHERE id = :'long';
SELECT u.email, m.role FROM platform.organization_members m JOIN platform.users u ON u.id = m.user_id WHERE m.organization_id = :'second';
SELECT count(platform.create_organization('Many')) FROM generate_series(1, 60);
SELECT count(DISTINCT slug), count(*) FILTER (WHERE slug ~ '^many(-[0-9]{1,2})?$') AS numbered, count(*) FILTER (WHERE slug ~ '^many-[0-9a-f]{8}$') > 0 AS random
FROM platform.organizations WHERE name = 'Many';
-- refused
SELECT platform.create_organization(NULL);
SELECT platform.create_organization('');
SELECT platform.create_organization('Other', 'many');
SELECT platform.create_organization('Other', 'No Slug');
SELECT platform.create_organization('Other', NULL, '');
SELECT platform.create_organization('Other', NULL, 'core', 'UTC', '10000000-0000-4000-8000-00000000dead');
SELECT length(name) FROM platform.organizations WHERE id = platform.create_organization(repeat('x', 1000000));
-- time zones: names of the database, in any case; no POSIX rules, no leap seconds
SELECT zone, platform.create_organization('Zone', NULL, 'core', zone) IS NOT NULL AS known
FROM unnest('{UTC,utc,Europe/Berlin,europe/berlin,EST5EDT,Etc/GMT+5,Asia/Kathmandu}'::text[]) AS zone;
SELECT platform.create_organization('Zone', NULL, 'core', 'Mars/Olympus');
SELECT platform.create_organization('Zone', NULL, 'core', '');
SELECT platform.create_organization('Zone', NULL, 'core', 'FOO-3');
SELECT platform.create_organization('Zone', NULL, 'core', '<foo>-3');
SELECT platform.create_organization('Zone', NULL, 'core', '../../../etc/passwd');
SELECT platform.create_organization('Zone', NULL, 'core', repeat('é', 500000));
UPDATE platform.organizations SET timezone = 'Nowhere' WHERE id = :'acme';
UPDATE platform.organizations SET timezone = NULL WHERE id = :'acme';
UPDATE platform.organizations SET timezone = 'Pacific/Apia' WHERE id = :'acme' RETURNING timezone;
-- values that break a rule
UPDATE platform.organizations SET billing_anchor_day = 32 WHERE id = :'acme';
UPDATE platform.organizations SET status = 'happy' WHERE id = :'acme';
UPDATE platform.organizations SET settings = '[]' WHERE id = :'acme';
UPDATE platform.organizations SET locale = 'german!' WHERE id = :'acme';
-- suspended and resumed: what was there comes back
UPDATE platform.organizations SET status = 'past_due' WHERE id = :'acme';
SELECT platform.suspend_organization(:'acme', 'unpaid');
SELECT platform.suspend_organization(:'acme', 'again');
SELECT status, status_before, status_reason FROM platform.organizations WHERE id = :'acme';
SELECT platform.resume_organization(:'acme');
SELECT platform.resume_organization(:'acme');
SELECT status, status_before, status_reason FROM platform.organizations WHERE id = :'acme';
SELECT platform.suspend_organization(:'acme');
SELECT status, status_reason FROM platform.organizations WHERE id = :'acme';
UPDATE platform.organizations SET status = 'expired', status_before = NULL WHERE id = :'acme';
SELECT platform.resume_organization(:'acme');
-- the state reaches the caches at once
UPDATE platform.organizations SET status = 'trial' WHERE id = :'acme';
SELECT platform.is_feature_enabled(:'acme', 'recording');
SELECT platform.suspend_organization(:'acme');
SELECT platform.is_feature_enabled(:'acme', 'recording');
SELECT platform.resume_organization(:'acme');
SELECT platform.is_feature_enabled(:'acme', 'recording');
INSERT INTO platform.organizations (name, status) SELECT 'State', status FROM unnest('{active,trial,past_due,grace_period,expired,cancelled,suspended}'::text[]) AS status;
SELECT status, platform.is_feature_enabled(id, 'recording') FROM platform.organizations WHERE name = 'State' ORDER BY 2, 1;
-- deleted and restored; the slug stays taken
SELECT platform.delete_organization(:'acme');
SELECT platform.delete_organization(:'acme');
SELECT deleted_at = now() AS deleted, slug FROM platform.organizations WHERE id = :'acme';
SELECT platform.create_organization('Successor', 'acme-voice-s-hne');
SELECT platform.restore_organization(:'acme');
SELECT platform.restore_organization(:'acme');
SELECT deleted_at FROM platform.organizations WHERE id = :'acme';
SELECT platform.delete_organization('00000000-0000-0000-0000-000000000000');
-- unknown and NULL
SELECT platform.suspend_organization('10000000-0000-4000-8000-00000000dead');
SELECT platform.resume_organization('10000000-0000-4000-8000-00000000dead');
SELECT platform.delete_organization('10000000-0000-4000-8000-00000000dead');
SELECT platform.restore_organization('10000000-0000-4000-8000-00000000dead');
SELECT platform.suspend_organization(NULL);
SELECT platform.resume_organization(NULL);
SELECT platform.delete_organization(NULL);
SELECT platform.restore_organization(NULL);
-- personal organizations: the same key everywhere, made once
SELECT platform.personal_organization_id('demo_user'), platform.personal_organization_id('demo_user') = platform.personal_organization_id('demo_User') AS same, platform.personal_organization_id(NULL) AS none;
SELECT platform.create_personal_organization('demo_user');
SELECT platform.create_personal_organization('demo_user', 'Another name') = platform.personal_organization_id('demo_user') AS same;
SELECT platform.create_personal_organization('10000000-0000-4000-8000-0000000000a1', 'Olga') AS personal \gset
SELECT o.name, o.slug, m.user_id, m.role FROM platform.organizations o LEFT JOIN platform.organization_members m ON m.organization_id = o.id
WHERE o.id IN (platform.personal_organization_id('demo_user'), :'personal') ORDER BY o.name COLLATE "C";
SELECT platform.create_personal_organization(NULL);
SELECT platform.create_personal_organization('');
SELECT platform.create_personal_organization(repeat('u', 256));
-- RFC 9562 appendix A.4, and names outside ASCII
SELECT platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com'),
	platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', ''), platform.uuid5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'http://söhne.example/☎'),
	platform.uuid5(NULL, 'x') AS none;
-- the same errors by SQLSTATE
\set VERBOSITY sqlstate
SELECT platform.create_organization(NULL);
SELECT platform.create_organization('');
SELECT platform.create_organization('Other', 'many');
SELECT platform.create_organization('Other', NULL, 'core', 'UTC', '10000000-0000-4000-8000-00000000dead');
SELECT platform.create_organization('Zone', NULL, 'core', 'FOO-3');
SELECT platform.suspend_organization('10000000-0000-4000-8000-00000000dead');
SELECT platform.delete_organization('00000000-0000-0000-0000-000000000000');
SELECT platform.check_organization();
\set VERBOSITY terse
-- a trigger's protocol
SELECT platform.check_organization();
CREATE TABLE wrong (id integer, updated_at timestamptz);
CREATE TRIGGER wrong AFTER INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.check_organization();
INSERT INTO wrong VALUES (1);
CREATE OR REPLACE TRIGGER wrong BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.check_organization();
INSERT INTO wrong VALUES (1);
-- members and strangers may not
SELECT platform.set_context(:'second', '10000000-0000-4000-8000-0000000000a1', 'owner');
SET LOCAL ROLE platform_test_member;
SELECT platform.personal_organization_id('demo_user');
SELECT platform.create_organization('Mine');
SELECT platform.create_personal_organization('me');
SELECT platform.suspend_organization(:'second');
SELECT platform.resume_organization(:'second');
SELECT platform.delete_organization(:'second');
SELECT platform.restore_organization(:'second');
RESET ROLE;
-- granted by hand, the functions still ask who calls
GRANT EXECUTE ON FUNCTION platform.create_organization, platform.create_personal_organization, platform.suspend_organization, platform.resume_organization, platform.delete_organization, platform.restore_organization TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SELECT platform.create_organization('Mine');
SELECT platform.create_personal_organization('me');
SELECT platform.suspend_organization(:'second');
SELECT platform.resume_organization(:'second');
SELECT platform.delete_organization(:'second');
SELECT platform.delete_organization('00000000-0000-0000-0000-000000000000');
SELECT platform.restore_organization(:'second');
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.create_organization('Mine');
SELECT platform.personal_organization_id('demo_user');
RESET ROLE;
ROLLBACK;
