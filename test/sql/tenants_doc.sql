-- The examples of doc/tenants.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
INSERT INTO platform.users (email, full_name) VALUES ('Grace@Acme.Example', 'Grace');
SELECT platform.create_organization('Acme Voice', timezone => 'Europe/Berlin',
	owner_user_id => (SELECT id FROM platform.users WHERE email = 'grace@acme.example')) AS acme \gset
SELECT name, slug, tier, timezone FROM platform.organizations WHERE id = :'acme';
SELECT platform.suspend_organization(:'acme', 'unpaid');
SELECT status, status_reason FROM platform.organizations WHERE id = :'acme';
SELECT platform.resume_organization(:'acme');
SELECT platform.create_personal_organization('demo_user') = platform.personal_organization_id('demo_user');
INSERT INTO platform.users (email, full_name) VALUES ('linus@acme.example', 'Linus');
SELECT platform.add_member(:'acme', id, 'agent') FROM platform.users WHERE email = 'linus@acme.example';
SELECT email, role FROM platform.list_members(:'acme');
SELECT platform.remove_member(:'acme', id) FROM platform.users WHERE email = 'grace@acme.example';
SELECT platform.set_context(:'acme', (SELECT id::text FROM platform.users WHERE email = 'linus@acme.example'));
SELECT platform.switch_organization(:'acme');
SELECT name, role, active FROM platform.user_organizations();
INSERT INTO platform.profiles (organization_id, user_id, business_timezone, business_hours)
SELECT :'acme', id, 'Europe/Berlin', '{"friday": {"open": "20:00", "close": "04:00"}}'
FROM platform.users WHERE email = 'grace@acme.example';
SELECT platform.is_business_open(:'acme', user_id, '2024-07-06 03:59+02') AS saturday_at_four,
	platform.is_business_open(:'acme', user_id, '2024-07-06 04:00+02') AS too_late
FROM platform.profiles WHERE organization_id = :'acme';
INSERT INTO platform.end_users (external_id, name, phone) VALUES ('crm-7', 'Eva', '+15550147')
ON CONFLICT (organization_id, external_id) DO UPDATE SET name = excluded.name, phone = excluded.phone
RETURNING organization_id = :'acme' AS own;
ROLLBACK;
