-- load_demo_data: examples of every installed module; again adds nothing and changes nothing; operators only.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
SELECT module, description FROM platform.load_demo_data() WHERE module = 'tenants';
SELECT name, slug, tier, timezone, billing_anchor_day, settings -> 'features' AS features FROM platform.organizations WHERE slug IN ('demo-voice-co', 'northside-dental') ORDER BY id;
SELECT email, role FROM platform.list_members('d0000000-0000-4000-8000-000000000001');
SELECT name, role FROM platform.user_organizations('d0000000-0000-4000-8000-0000000000a3');
SELECT p.full_name, p.business_name, p.business_hours -> 'saturday' AS saturday FROM platform.profiles p WHERE organization_id = 'd0000000-0000-4000-8000-000000000001' ORDER BY 1;
SELECT name, phone FROM platform.end_users WHERE organization_id = 'd0000000-0000-4000-8000-000000000001' ORDER BY 1;
SELECT o.name, f.feature, f.enabled, f.disabled_reason, f.daily_limit, f.monthly_limit FROM platform.org_feature_flags f JOIN platform.organizations o ON o.id = f.organization_id
WHERE o.slug IN ('demo-voice-co', 'northside-dental') ORDER BY o.id, f.feature COLLATE "C";
UPDATE platform.organizations SET tier = 'elite' WHERE slug = 'demo-voice-co';
DELETE FROM platform.end_users WHERE external_id = 'crm-1002';
CREATE TEMPORARY TABLE before AS SELECT (SELECT count(*) FROM platform.organizations) AS organizations, (SELECT count(*) FROM platform.users) AS users,
	(SELECT count(*) FROM platform.organization_members) AS members, (SELECT count(*) FROM platform.profiles) AS profiles, (SELECT count(*) FROM platform.end_users) + 1 AS end_users;
SELECT count(*) > 0 AS loaded FROM platform.load_demo_data();
SELECT * FROM before EXCEPT SELECT (SELECT count(*) FROM platform.organizations), (SELECT count(*) FROM platform.users),
	(SELECT count(*) FROM platform.organization_members), (SELECT count(*) FROM platform.profiles), (SELECT count(*) FROM platform.end_users);
SELECT tier FROM platform.organizations WHERE slug = 'demo-voice-co';
SELECT count(*) AS failed_checks FROM platform.verify() WHERE NOT passed;
-- not for members, also when granted by hand
SET LOCAL ROLE platform_test_member;
SELECT * FROM platform.load_demo_data();
RESET ROLE;
GRANT EXECUTE ON FUNCTION platform.load_demo_data() TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SELECT * FROM platform.load_demo_data();
RESET ROLE;
-- the catalogue is read-only for all but its owner
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.demo_data;
INSERT INTO platform.demo_data VALUES (1, 'x', 'x', 'x');
RESET ROLE;
ROLLBACK;
