-- Rights: who sees and writes which rows and columns of organizations, users, profiles and end users.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''30000000-0000-4000-8000-000000000001'''
\set other '''30000000-0000-4000-8000-000000000002'''
\set owner '''30000000-0000-4000-8000-0000000000a1'''
\set agent '''30000000-0000-4000-8000-0000000000a2'''
\set foreigner '''30000000-0000-4000-8000-0000000000b1'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Rights Co'), (:other, 'Foreign Co');
INSERT INTO platform.users (id, email) VALUES (:owner, 'owner@rights.example'), (:agent, 'agent@rights.example'), (:foreigner, 'foreigner@rights.example');
INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES (:org, :owner, 'owner'), (:org, :agent, 'agent'), (:other, :foreigner, 'owner');
INSERT INTO platform.profiles (organization_id, user_id, full_name) VALUES (:org, :owner, 'Olga'), (:org, :agent, 'Ann'), (:other, :foreigner, 'Fred');
INSERT INTO platform.end_users (organization_id, external_id, name, phone) VALUES (:org, 'e1', 'Eva', '+15550100'), (:other, 'e1', 'Finn', '+15550101');
-- a plain member reads its organization
SELECT platform.set_context(:org::uuid, :agent, 'agent');
SET LOCAL ROLE platform_test_member;
SELECT name FROM platform.organizations;
SELECT email FROM platform.users;
-- of profiles (pay-out address, sign-up address) only its own
SELECT full_name FROM platform.profiles ORDER BY full_name;
SELECT name FROM platform.end_users;
-- the fault of old systems: a user changes its own row, and is an administrator
UPDATE platform.profiles SET role = 'admin' WHERE user_id = :agent;
UPDATE platform.profiles SET status = 'active', tier = 'scale' WHERE user_id = :agent;
UPDATE platform.profiles SET billing_status = 'active' WHERE user_id = :agent;
UPDATE platform.profiles SET organization_id = :other WHERE user_id = :agent;
UPDATE platform.profiles SET user_id = :owner WHERE user_id = :agent;
INSERT INTO platform.profiles (organization_id, user_id, role) VALUES (:org, :agent, 'admin');
UPDATE platform.organization_members SET role = 'owner' WHERE user_id = :agent RETURNING role;
UPDATE platform.users SET platform_role = 'master_admin' WHERE id = :agent;
-- what it may: the harmless part of its own profile and user row
UPDATE platform.profiles SET full_name = 'Anna', business_timezone = 'europe/berlin' WHERE user_id = :agent RETURNING full_name, business_timezone, updated_at = now() AS now;
UPDATE platform.profiles SET business_timezone = 'Mars/Olympus' WHERE user_id = :agent;
UPDATE platform.profiles SET business_name = 'x' WHERE user_id = :agent;
UPDATE platform.users SET full_name = 'Anna', avatar_url = repeat('u', 600) RETURNING email, full_name, length(avatar_url);
-- not those of others
UPDATE platform.profiles SET full_name = 'Hacked' WHERE user_id <> :agent RETURNING full_name;
UPDATE platform.users SET full_name = 'Hacked' WHERE id <> :agent RETURNING full_name;
DELETE FROM platform.profiles;
INSERT INTO platform.profiles (organization_id, user_id) VALUES (:org, :foreigner);
INSERT INTO platform.profiles (organization_id, user_id) VALUES (:other, :agent);
INSERT INTO platform.users (email) VALUES ('new@rights.example');
DELETE FROM platform.users;
-- end users: those of its organization, which is the default
INSERT INTO platform.end_users (external_id, name, phone) VALUES ('e2', 'Gita', '+15550102') RETURNING organization_id = :org AS own;
UPDATE platform.end_users SET name = 'Eve', deleted_at = now() WHERE external_id = 'e1' RETURNING name, updated_at = now() AS now;
INSERT INTO platform.end_users (organization_id, name) VALUES (:other, 'Mole');
UPDATE platform.end_users SET name = 'Hacked' WHERE organization_id = :other RETURNING name;
UPDATE platform.end_users SET organization_id = :other WHERE external_id = 'e1';
INSERT INTO platform.end_users (phone) VALUES ('0555 0102');
INSERT INTO platform.end_users (external_id) VALUES ('e2');
DELETE FROM platform.end_users;
TRUNCATE platform.end_users;
-- the organization is for administrators
UPDATE platform.organizations SET name = 'Hacked' RETURNING name;
UPDATE platform.organizations SET settings = '{}' WHERE id = :org RETURNING settings;
RESET ROLE;
-- an administrator changes what is the organization's own
SELECT platform.set_context(:org::uuid, :owner, 'owner');
SET LOCAL ROLE platform_test_member;
UPDATE platform.organizations SET name = 'Rights & Co', locale = 'de-DE', description = 'all of it' RETURNING name, locale, updated_at = now() AS now;
UPDATE platform.organizations SET settings = settings || '{"branding": {"primaryColor": "#3B82F6"}}' RETURNING settings;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": false}}' RETURNING settings;
-- not what the platform set
UPDATE platform.organizations SET settings = jsonb_set(settings, '{features,callEnabled}', 'true');
UPDATE platform.organizations SET settings = settings - 'features';
UPDATE platform.organizations SET settings = settings || '{"features": null}';
UPDATE platform.organizations SET settings = jsonb_set(settings, '{features,chatEnabled}', 'true');
UPDATE platform.organizations SET settings = '{}';
UPDATE platform.organizations SET settings = '[]';
UPDATE platform.organizations SET settings = NULL;
UPDATE platform.organizations SET tier = 'scale';
UPDATE platform.organizations SET status = 'active';
UPDATE platform.organizations SET status_before = 'active';
UPDATE platform.organizations SET timezone = 'UTC';
UPDATE platform.organizations SET billing_anchor_day = 2;
UPDATE platform.organizations SET plan = 'x';
UPDATE platform.organizations SET plan_status = 'active';
UPDATE platform.organizations SET stripe_customer_id = 'cus_1';
UPDATE platform.organizations SET stripe_subscription_id = 'sub_1';
UPDATE platform.organizations SET slug = 'rights-co';
UPDATE platform.organizations SET deleted_at = NULL;
UPDATE platform.organizations SET created_at = now();
UPDATE platform.organizations SET updated_at = now();
UPDATE platform.organizations SET id = :other;
INSERT INTO platform.organizations (name) VALUES ('Free Co');
DELETE FROM platform.organizations;
-- not another's
UPDATE platform.organizations SET name = 'Hacked' WHERE id = :other RETURNING name;
UPDATE platform.profiles SET full_name = 'Boss' WHERE user_id = :agent RETURNING full_name;
-- an administrator reads all profiles of the organization
SELECT full_name FROM platform.profiles ORDER BY full_name;
SELECT count(*) FROM platform.organizations WHERE id = :other;
RESET ROLE;
-- the same organization without features in its settings: the platform's staff and operators may
UPDATE platform.organizations SET settings = '{"theme": "dark"}' WHERE id = :org;
SET LOCAL ROLE platform_test_member;
UPDATE platform.organizations SET settings = '{"theme": "light"}' RETURNING settings;
UPDATE platform.organizations SET settings = '{"theme": "light", "features": {}}';
RESET ROLE;
SELECT platform.set_context(:org::uuid, :owner, 'platform_admin');
SET LOCAL ROLE platform_test_member;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' RETURNING settings;
RESET ROLE;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": false}}', tier = 'elite' WHERE id = :org RETURNING settings, tier;
-- without an identity: nothing
SELECT platform.set_context(NULL);
SET LOCAL ROLE platform_test_member;
SELECT (SELECT count(*) FROM platform.organizations) AS organizations, (SELECT count(*) FROM platform.users) AS users, (SELECT count(*) FROM platform.organization_members) AS members,
	(SELECT count(*) FROM platform.profiles) AS profiles, (SELECT count(*) FROM platform.end_users) AS end_users;
INSERT INTO platform.end_users (name) VALUES ('Mole');
UPDATE platform.organizations SET name = 'Hacked' RETURNING name;
-- a stranger: not even the schema
SET LOCAL ROLE platform_test_stranger;
SELECT count(*) FROM platform.organizations;
SELECT count(*) FROM platform.end_users;
RESET ROLE;
-- an operator sees all
SELECT name FROM platform.organizations WHERE id IN (:org, :other) ORDER BY id;
ROLLBACK;
