-- History of flags: who changed what, append-only, and what was on at a moment
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set SHOW_CONTEXT never
\set ECHO all
BEGIN;
\set one '''f1a64000-0000-4000-8000-000000000001'''
CREATE TEMP VIEW history AS
	SELECT source, feature, tier, old, new, reason, changed_by = current_user AS by_me, id FROM platform.global_feature_flag_history WHERE feature IN ('flags_h', 'flags_n', 'flags_o')
	UNION ALL
	SELECT source, feature, NULL, old, new, reason, changed_by = current_user, id FROM platform.feature_flag_history
	WHERE organization_id = 'f1a64000-0000-4000-8000-000000000001';
CREATE TEMP VIEW brief AS
	SELECT source, feature, tier, old ->> 'enabled' AS old, new ->> 'enabled' AS new, reason, by_me FROM history ORDER BY id;

INSERT INTO platform.organizations (id, name, tier) VALUES (:one, 'History', 'flags_tier');
SELECT platform.set_global_feature_flag('flags_h', description => 'For the history');
SELECT platform.set_global_feature_flag('flags_h', false, 'incident');
SELECT platform.set_global_feature_flag('flags_h', true, 'over');
SELECT platform.set_tier_feature('flags_tier', 'flags_h', false);
SELECT platform.set_feature_flag(:one, 'flags_h', true, 'promised by sales');
UPDATE platform.org_feature_flags SET enabled = false, disabled_reason = 'unpaid' WHERE organization_id = :one;
INSERT INTO platform.tenant_feature_flags (organization_id, feature) VALUES (:one, 'flags_h');
DELETE FROM platform.tenant_feature_flags WHERE organization_id = :one;
UPDATE platform.organizations SET tier = 'core' WHERE id = :one;
SELECT * FROM brief;
SELECT old, new FROM history WHERE source = 'organizations' ORDER BY id;
SELECT old, new - 'disabled_at' - 'disabled_by' AS new FROM history WHERE source = 'global_feature_flags' ORDER BY id LIMIT 2;
-- what changes nothing leaves no trace
UPDATE platform.org_feature_flags SET enabled = enabled, updated_at = now() WHERE organization_id = :one;
UPDATE platform.organizations SET name = 'Other name', settings = '{}' WHERE id = :one;
SELECT platform.set_global_feature_flag('flags_h');
SELECT count(*) FROM history;
-- another name is an end and a beginning
SELECT platform.set_global_feature_flag('flags_n');
UPDATE platform.global_feature_flags SET feature = 'flags_o' WHERE feature = 'flags_n';
DELETE FROM platform.global_feature_flags WHERE feature = 'flags_o';
SELECT feature, old IS NOT NULL AS was, new IS NOT NULL AS is FROM history WHERE feature IN ('flags_n', 'flags_o') ORDER BY id;
-- a failed setter leaves its reason to nobody
SAVEPOINT s;
\set VERBOSITY terse
SELECT platform.set_feature_flag(:one, 'flags_h', true, 'lost', active_from => '2001-01-01', active_to => '2000-01-01');
\set VERBOSITY default
ROLLBACK TO s;
UPDATE platform.org_feature_flags SET enabled = true WHERE organization_id = :one;
SELECT * FROM brief WHERE source = 'org_feature_flags';

-- rows are only added
UPDATE platform.feature_flag_history SET reason = 'changed' WHERE organization_id = :one;
ROLLBACK TO s;
DELETE FROM platform.feature_flag_history WHERE organization_id = :one;
ROLLBACK TO s;
TRUNCATE platform.feature_flag_history;
ROLLBACK TO s;
DELETE FROM platform.global_feature_flag_history WHERE feature = 'flags_h';
ROLLBACK TO s;
TRUNCATE platform.global_feature_flag_history;
ROLLBACK TO s;
-- and stay when the organization goes
DELETE FROM platform.organizations WHERE id = :one;
SELECT source, old IS NOT NULL AS was, new IS NOT NULL AS is FROM history WHERE tier IS NULL AND source <> 'global_feature_flags' ORDER BY id DESC LIMIT 2;
ROLLBACK TO s;
ROLLBACK;

-- was it on then? A history with known times, written by the triggers' own shape
BEGIN;
ALTER TABLE platform.organizations DISABLE TRIGGER organizations_record;
INSERT INTO platform.organizations (id, name, tier, created_at) VALUES (:one, 'History', 'gold', '2020-01-01');
ALTER TABLE platform.global_feature_flags DISABLE TRIGGER global_feature_flags_record;
ALTER TABLE platform.tier_features DISABLE TRIGGER tier_features_record;
ALTER TABLE platform.org_feature_flags DISABLE TRIGGER org_feature_flags_record;
INSERT INTO platform.global_feature_flags (feature, created_at, default_enabled, rollout, prerequisites) VALUES ('flags_s', '2020-01-01', false, NULL, '{}'), ('flags_base', '2020-01-01', true, NULL, '{}');
INSERT INTO platform.tier_features (tier, feature, created_at) VALUES ('gold', 'flags_s', '2020-01-01');
INSERT INTO platform.org_feature_flags (organization_id, feature, enabled, created_at) VALUES (:one, 'flags_s', false, '2020-01-01');

INSERT INTO platform.global_feature_flag_history (source, feature, old, new, changed_by, changed_at) VALUES
	('global_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": true, "default_enabled": true, "variants": [], "prerequisites": []}', 'test', '2021-01-01'),
	('global_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": false, "default_enabled": true, "variants": [], "prerequisites": []}', 'test', '2021-02-01'),
	('global_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": true, "default_enabled": false, "variants": [], "prerequisites": []}', 'test', '2021-03-01'),
	('global_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": true, "default_enabled": false, "variants": [], "prerequisites": ["flags_base"]}', 'test', '2021-11-01');
INSERT INTO platform.global_feature_flag_history (source, feature, tier, old, new, changed_by, changed_at) VALUES
	('tier_features', 'flags_s', 'gold', NULL, '{"tier": "gold", "feature": "flags_s", "enabled": true, "soft_percent": 80, "enforcement": "hard", "active_from": "2021-04-10", "active_to": "2021-04-20"}', 'test', '2021-04-01'),
	('tier_features', 'flags_s', 'gold', NULL, '{"tier": "gold", "feature": "flags_s", "enabled": true, "soft_percent": 80, "enforcement": "hard"}', 'test', '2021-06-01');
INSERT INTO platform.feature_flag_history (organization_id, source, feature, old, new, changed_by, changed_at) VALUES
	(:one, 'organizations', NULL, '{"tier": "silver", "status": "active", "timezone": "UTC", "deleted_at": null, "billing_anchor_day": 1}', '{"tier": "silver", "status": "suspended", "timezone": "UTC", "deleted_at": null, "billing_anchor_day": 1}', 'test', '2021-03-10'),
	(:one, 'organizations', NULL, NULL, '{"tier": "gold", "status": "active", "timezone": "UTC", "deleted_at": null, "billing_anchor_day": 1}', 'test', '2021-03-20'),
	(:one, 'org_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": true}', 'test', '2021-05-01'),
	(:one, 'org_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": false}', 'test', '2021-05-10'),
	(:one, 'org_feature_flags', 'flags_s', NULL, NULL, 'test', '2021-05-20'),
	(:one, 'tenant_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": false}', 'test', '2021-07-01'),
	(:one, 'tenant_feature_flags', 'flags_s', NULL, '{"feature": "flags_s", "enabled": true}', 'test', '2021-08-01');
SELECT at, s.*
FROM unnest('{2019-01-01,2021-01-15,2021-02-01,2021-03-01,2021-03-15,2021-03-25,2021-04-05,2021-04-10,2021-04-19,2021-04-20,2021-05-01,2021-05-15,2021-05-25,2021-06-15,2021-07-15,2021-08-15,2021-12-01}'::timestamptz[]) at,
	LATERAL platform.feature_state_at(:one, 'flags_s', at) s;
-- rows without any history count as they are, from their creation on
SELECT at, s.enabled, s.reason FROM unnest('{2019-01-01,2020-06-01,2022-01-01}'::timestamptz[]) at, LATERAL platform.feature_state_at(:one, 'flags_base', at) s;
SELECT enabled, reason FROM platform.feature_state_at(:one, 'flags_unknown', now());
SELECT enabled, reason, detail FROM platform.feature_state_at('f1a64000-0000-4000-8000-0000000000ff', 'flags_base', '2022-01-01');
-- the session's own answer is not touched by looking back
SELECT platform.is_feature_enabled(:one, 'flags_s');
SAVEPOINT s;
SELECT platform.feature_state_at(:one, 'flags_s', NULL);
ROLLBACK TO s;
SELECT platform.feature_state_at(:one, 'flags_s', 'infinity');
ROLLBACK TO s;
SELECT platform.feature_state_at(NULL, 'flags_s', now());
ROLLBACK;

-- listeners hear of it
LISTEN platform_feature_flags;
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:one, 'History');
SELECT platform.set_feature_flag(:one, 'recording', false);
SELECT platform.set_feature_flag(:one, 'recording', true);
UPDATE platform.organizations SET name = 'Not about flags' WHERE id = :one;
DELETE FROM platform.organizations WHERE id = :one;
ROLLBACK;
UNLISTEN platform_feature_flags;
