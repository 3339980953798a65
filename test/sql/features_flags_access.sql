-- Feature flags: who may see and set what; two writers, two rows, and what the platform set stands
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set own '''f1a61000-0000-4000-8000-000000000001'''
\set other '''f1a61000-0000-4000-8000-000000000002'''
\set user '''f1a61000-0000-4000-8000-0000000000aa'''
INSERT INTO platform.organizations (id, name) VALUES (:own, 'Own'), (:other, 'Other');
SELECT platform.set_feature_flag(:own, 'recording', true, monthly_limit => 100);
SELECT platform.set_feature_flag(:own, 'survey', false, 'not paid for');
SELECT platform.set_feature_flag(:other, 'recording', true);
SAVEPOINT s;

-- a member without an identity is nobody
SET LOCAL ROLE platform_test_member;
SELECT platform.is_feature_enabled(:own, 'recording'), platform.is_feature_enabled(:other, 'recording');
SELECT count(*) FROM platform.organizations_with_feature('recording');
SELECT * FROM platform.explain_feature(:own, 'recording');
ROLLBACK TO s;

-- a member sees its own organization
SELECT platform.set_context(:own, :user, 'member');
SET LOCAL ROLE platform_test_member;
SAVEPOINT m;
SELECT platform.is_feature_enabled(:own, 'recording'), platform.is_feature_enabled(:own, 'survey');
SELECT enabled, reason, layer FROM platform.explain_feature(:own, 'survey');
SELECT feature, enabled, monthly_limit FROM platform.organization_features(:own) WHERE feature IN ('recording', 'survey');
SELECT organization_id, feature, enabled FROM platform.org_feature_flags ORDER BY feature;
SELECT * FROM platform.organizations_with_feature('recording');
SELECT * FROM platform.organizations_with_feature('survey');
-- and of another nothing: false where policies ask, an error elsewhere
SELECT platform.is_feature_enabled(:other, 'recording'), platform.is_feature_enabled(:other, 'recording', 'key');
SELECT * FROM platform.feature_variant(:other, 'recording');
SELECT platform.require_feature(:other, 'recording');
ROLLBACK TO m;
SELECT * FROM platform.explain_feature(:other, 'recording');
ROLLBACK TO m;
SELECT * FROM platform.explain_feature(:other, 'no such feature');
ROLLBACK TO m;
SELECT * FROM platform.organization_features(:other);
ROLLBACK TO m;
SELECT * FROM platform.feature_state_at(:other, 'recording', '2020-01-01');
ROLLBACK TO m;
-- it sets nothing
SELECT platform.set_feature_flag(:own, 'recording', false);
ROLLBACK TO m;
SELECT platform.clear_feature_flag(:own, 'survey');
ROLLBACK TO m;
SELECT platform.set_global_feature_flag('recording', false);
ROLLBACK TO m;
SELECT platform.set_tier_feature('core', 'recording');
ROLLBACK TO m;
SELECT platform.clear_tier_feature('core', 'recording');
ROLLBACK TO m;
INSERT INTO platform.tenant_feature_flags (organization_id, feature, enabled) VALUES (:own, 'recording', false);
ROLLBACK TO m;
UPDATE platform.org_feature_flags SET monthly_limit = 1000000;
ROLLBACK TO m;
DELETE FROM platform.org_feature_flags;
ROLLBACK TO m;
INSERT INTO platform.org_feature_flags (organization_id, feature) VALUES (:own, 'webhooks');
ROLLBACK TO m;
SELECT count(*) FROM platform.global_feature_flags;
ROLLBACK TO m;
SELECT count(*) FROM platform.tier_features;
ROLLBACK TO m;
SELECT count(*) FROM platform.feature_flag_history;
ROLLBACK TO m;
SELECT count(*) FROM platform.stale_feature_flags;
ROLLBACK TO s;

-- an administrator narrows its own organization, by the function or by the table
SELECT platform.set_context(:own, :user, 'admin');
SET LOCAL ROLE platform_test_member;
SAVEPOINT m;
SELECT platform.set_feature_flag(:own, 'recording', false, 'holidays');
SELECT platform.is_feature_enabled(:own, 'recording');
SELECT enabled, reason, layer, detail FROM platform.explain_feature(:own, 'recording');
SELECT feature, enabled, disabled_reason, disabled_by = :user AS by_me FROM platform.tenant_feature_flags;
UPDATE platform.tenant_feature_flags SET enabled = true, monthly_limit = 50 WHERE feature = 'recording';
SELECT enabled, monthly_limit FROM platform.organization_features(:own) WHERE feature = 'recording';
INSERT INTO platform.tenant_feature_flags (organization_id, feature, enabled) VALUES (:own, 'webhooks', false);
SELECT platform.is_feature_enabled(:own, 'webhooks');
SELECT platform.clear_feature_flag(:own, 'webhooks');
SELECT platform.is_feature_enabled(:own, 'webhooks');
-- what the platform set stands: neither raised nor switched on again
SELECT platform.set_feature_flag(:own, 'recording', true, monthly_limit => 1000000);
SELECT enabled, monthly_limit FROM platform.organization_features(:own) WHERE feature = 'recording';
SELECT platform.set_feature_flag(:own, 'survey', true);
SELECT platform.is_feature_enabled(:own, 'survey');
SELECT platform.clear_feature_flag(:own, 'survey'), platform.clear_feature_flag(:own, 'survey');
SELECT platform.is_feature_enabled(:own, 'survey');
SELECT feature, enabled, monthly_limit FROM platform.org_feature_flags ORDER BY feature;
SAVEPOINT m;
SELECT platform.set_feature_flag(:own, 'recording', enforcement => 'off');
ROLLBACK TO m;
UPDATE platform.org_feature_flags SET monthly_limit = NULL;
ROLLBACK TO m;
-- nor another organization's
SELECT platform.set_feature_flag(:other, 'recording', false);
ROLLBACK TO m;
SELECT platform.clear_feature_flag(:other, 'recording');
ROLLBACK TO m;
INSERT INTO platform.tenant_feature_flags (organization_id, feature, enabled) VALUES (:other, 'recording', false);
ROLLBACK TO m;
UPDATE platform.tenant_feature_flags SET organization_id = :other;
ROLLBACK TO m;
SELECT platform.set_global_feature_flag('recording', false);
ROLLBACK TO s;
-- the history names the user
SELECT platform.set_context(:own, :user, 'owner');
SET LOCAL ROLE platform_test_member;
SELECT platform.set_feature_flag(:own, 'recording', false, 'holidays');
RESET ROLE;
SELECT source, feature, new ->> 'enabled' AS enabled, changed_by, subject, reason FROM platform.feature_flag_history
WHERE organization_id = :own AND source = 'tenant_feature_flags';
ROLLBACK TO s;

-- the platform's staff is a member by its role, and sets what operators set
SELECT platform.set_context(NULL, :user, 'platform_admin');
SET LOCAL ROLE platform_test_member;
SELECT platform.set_global_feature_flag('recording', false, 'incident');
SELECT platform.set_feature_flag(:other, 'survey', false);
SELECT platform.set_tier_feature('core', 'webhooks', false);
RESET ROLE;
SELECT feature, enabled, disabled_reason, disabled_by = :user AS by_staff FROM platform.global_feature_flags WHERE feature = 'recording';
SELECT feature, enabled FROM platform.org_feature_flags WHERE organization_id = :other ORDER BY feature;
SELECT source, feature, tier, changed_by, subject = :user AS by_staff FROM platform.global_feature_flag_history WHERE subject = :user ORDER BY id;
ROLLBACK TO s;

-- who was granted nothing may call nothing
SET LOCAL ROLE platform_test_stranger;
SELECT platform.is_feature_enabled(:own, 'recording');
ROLLBACK TO s;
GRANT USAGE ON SCHEMA platform TO platform_test_stranger;
SET LOCAL ROLE platform_test_stranger;
SAVEPOINT m;
SELECT platform.is_feature_enabled(:own, 'recording');
ROLLBACK TO m;
SELECT platform.set_global_feature_flag('recording', false);
ROLLBACK TO m;
SELECT platform.murmur3('');
ROLLBACK TO m;
SELECT count(*) FROM platform.org_feature_flags;
ROLLBACK TO s;

-- no argument of a setting opens anything
SELECT platform.set_context(:own, :user, 'member');
SET LOCAL ROLE platform_test_member;
SAVEPOINT m;
SET LOCAL platform.kill_switches = 'recording';
ROLLBACK TO m;
SET LOCAL platform.features_cache_size = '1GB';
ROLLBACK TO m;
ROLLBACK;

-- as a policy: each organization sees its rows while it has the feature
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:own, 'Own'), (:other, 'Other');
SELECT platform.set_feature_flag(:other, 'recording', false);
CREATE TABLE flags_recordings (organization_id uuid NOT NULL, n integer);
INSERT INTO flags_recordings VALUES (:own, 1), (:other, 2), ('f1a61000-0000-4000-8000-000000000003', 3);
ALTER TABLE flags_recordings ENABLE ROW LEVEL SECURITY;
CREATE POLICY flags_recordings_member_select ON flags_recordings FOR SELECT
	USING (platform.is_feature_enabled(organization_id, 'recording'));
GRANT SELECT ON flags_recordings TO platform_test_member;
SELECT platform.set_context(:own);
SET LOCAL ROLE platform_test_member;
SELECT n FROM flags_recordings;
RESET ROLE;
SELECT platform.set_context(:other);
SET LOCAL ROLE platform_test_member;
SELECT n FROM flags_recordings;
ROLLBACK;
