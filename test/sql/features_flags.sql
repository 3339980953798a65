-- Feature flags: every layer and its reason, windows, limits, setters, and arguments that are nonsense
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set one '''f1a60000-0000-4000-8000-000000000001'''
\set two '''f1a60000-0000-4000-8000-000000000002'''
\set none '''f1a60000-0000-4000-8000-0000000000ff'''
INSERT INTO platform.organizations (id, name, tier) VALUES (:one, 'Flags one', 'flags_gold'), (:two, 'Flags two', 'core');

-- the reference's statements run as they are
SET LOCAL search_path = platform;
SELECT is_feature_enabled(:one, 'recording');
INSERT INTO org_feature_flags (organization_id, feature, enabled, disabled_reason)
VALUES (:one, 'recording', false, 'Billing issue')
ON CONFLICT (organization_id, feature) DO UPDATE SET enabled = false, disabled_reason = 'Billing issue';
SELECT is_feature_enabled(:one, 'recording'), is_feature_enabled(:two, 'recording');
INSERT INTO org_feature_flags (organization_id, feature, enabled)
VALUES (:one, 'recording', true)
ON CONFLICT (organization_id, feature) DO UPDATE SET enabled = true;
SELECT is_feature_enabled(:one, 'recording');
UPDATE global_feature_flags SET enabled = false, disabled_reason = 'Incident', disabled_by = 'ops' WHERE feature = 'recording';
SELECT is_feature_enabled(:one, 'recording'), is_feature_enabled(:two, 'recording');
UPDATE global_feature_flags SET enabled = true WHERE feature = 'recording';
SELECT is_feature_enabled(:one, 'recording'), is_feature_enabled(:two, 'recording');
DELETE FROM org_feature_flags WHERE organization_id = :one;
RESET search_path;

-- 1 unknown
SELECT * FROM platform.explain_feature(:one, 'flags_unknown');
-- 8 default, on and off
SELECT platform.set_global_feature_flag('flags_a');
SELECT * FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_global_feature_flag('flags_a', default_enabled => false);
SELECT * FROM platform.explain_feature(:one, 'flags_a');
-- 7 rollout
SELECT platform.set_global_feature_flag('flags_a', rollout => 100);
SELECT * FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_global_feature_flag('flags_a', rollout => 0);
SELECT * FROM platform.explain_feature(:one, 'flags_a');
-- 6 plan
SELECT platform.set_tier_feature('flags_gold', 'flags_a', daily_limit => 10, monthly_limit => 100);
SELECT * FROM platform.explain_feature(:one, 'flags_a');
SELECT * FROM platform.explain_feature(:two, 'flags_a');
SELECT platform.set_tier_feature('flags_gold', 'flags_a', enabled => false);
SELECT * FROM platform.explain_feature(:one, 'flags_a');
-- 5 the organization's own row, both ways
SELECT platform.set_feature_flag(:one, 'flags_a', true);
SELECT * FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_feature_flag(:one, 'flags_a', false, 'unpaid');
SELECT * FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_feature_flag(:one, 'flags_a', true);
-- 4 prerequisite
SELECT platform.set_global_feature_flag('flags_base', default_enabled => false);
SELECT platform.set_global_feature_flag('flags_a', prerequisites => '{flags_base}');
SELECT * FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_feature_flag(:one, 'flags_base', true);
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
-- 3 organization
UPDATE platform.organizations SET status = 'suspended' WHERE id = :one;
SELECT * FROM platform.explain_feature(:one, 'flags_a');
UPDATE platform.organizations SET status = 'active', deleted_at = now() WHERE id = :one;
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
UPDATE platform.organizations SET deleted_at = NULL WHERE id = :one;
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
SELECT * FROM platform.explain_feature(:none, 'flags_a');
-- 2 killed: nothing overrides it, and lifting it restores what was
SELECT platform.set_global_feature_flag('flags_a', false, 'incident 7');
SELECT * FROM platform.explain_feature(:one, 'flags_a');
SELECT enabled, disabled_reason, disabled_at = now() AS at_now, disabled_by = current_user AS by_me
FROM platform.global_feature_flags WHERE feature = 'flags_a';
UPDATE platform.global_feature_flags SET disabled_by = 'pager' WHERE feature = 'flags_a';
SELECT disabled_by, disabled_at = now() AS at_now FROM platform.global_feature_flags WHERE feature = 'flags_a';
SELECT platform.set_global_feature_flag('flags_a', true);
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
SELECT enabled, disabled_reason, disabled_at, disabled_by FROM platform.global_feature_flags WHERE feature = 'flags_a';
-- what the organization set narrows, and never widens
INSERT INTO platform.tenant_feature_flags (organization_id, feature, enabled, disabled_reason) VALUES (:one, 'flags_a', false, 'not now');
SELECT * FROM platform.explain_feature(:one, 'flags_a');
UPDATE platform.tenant_feature_flags SET enabled = true WHERE organization_id = :one;
SELECT enabled, reason, layer FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_feature_flag(:one, 'flags_a', false);
SELECT enabled, reason, layer FROM platform.explain_feature(:one, 'flags_a');
DELETE FROM platform.tenant_feature_flags WHERE organization_id = :one;

-- windows: a row counts from active_from until before active_to, else the next layer decides
SELECT platform.set_feature_flag(:one, 'flags_a', true, active_from => '2000-01-01', active_to => '2001-01-01');
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_feature_flag(:one, 'flags_a', active_to => '2999-01-01');
SELECT enabled, reason, detail FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_feature_flag(:one, 'flags_a', active_from => '2998-01-01');
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_tier_feature('flags_gold', 'flags_a', true, active_to => '2001-01-01');
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_global_feature_flag('flags_a', active_to => '2001-01-01');
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
SELECT platform.set_global_feature_flag('flags_a', active_to => 'infinity');
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_a');
-- an answer that is kept holds no longer than its window
SELECT platform.set_feature_flag(:two, 'flags_a', true, active_from => '-infinity', active_to => clock_timestamp() + interval '0.3 s');
SELECT platform.set_feature_flag(:two, 'flags_base', true);
SELECT platform.is_feature_enabled(:two, 'flags_a'), platform.is_feature_enabled(:two, 'flags_a');
SELECT pg_sleep(0.4);
SELECT platform.is_feature_enabled(:two, 'flags_a');

-- limits: the organization's, else the tier's; NULL leaves, -1 removes; credit on top; the tenant's own is the smaller
SELECT platform.clear_feature_flag(:one, 'flags_a');
SELECT platform.clear_feature_flag(:one, 'flags_a');
SELECT platform.set_tier_feature('flags_gold', 'flags_a', true, active_to => 'infinity');
SELECT enabled, reason, daily_limit, monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_a';
SELECT platform.set_feature_flag(:one, 'flags_a', true, monthly_limit => 50);
SELECT reason, daily_limit, monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_a';
SELECT platform.set_feature_flag(:one, 'flags_a', daily_limit => 0);
SELECT reason, daily_limit, monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_a';
INSERT INTO platform.feature_credits (organization_id, feature, amount, active_to) VALUES
	(:one, 'flags_a', 7, NULL), (:one, 'flags_a', 1000, '2999-01-01'), (:one, 'flags_base', 5, NULL);
INSERT INTO platform.feature_credits (organization_id, feature, amount, active_from, active_to) VALUES
	(:one, 'flags_a', 30000, '2000-01-01', '2001-01-01'), (:one, 'flags_a', 9223372036854775807, '2998-01-01', NULL);
SELECT monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_a';
SELECT monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_base';
INSERT INTO platform.tenant_feature_flags (organization_id, feature, daily_limit, monthly_limit) VALUES (:one, 'flags_a', 5, 60);
SELECT daily_limit, monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_a';
SELECT platform.set_feature_flag(:one, 'flags_a', daily_limit => -1, monthly_limit => -1);
SELECT daily_limit, monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_a';
UPDATE platform.feature_credits SET amount = 9223372036854775807 WHERE organization_id = :one AND feature = 'flags_a' AND active_from > '2001-01-01' AND active_to IS NULL AND active_from < '2998-01-01';
DELETE FROM platform.tenant_feature_flags WHERE organization_id = :one;
SELECT monthly_limit FROM platform.organization_features(:one) WHERE feature = 'flags_a';

-- lists
SELECT feature, enabled, reason, layer FROM platform.organization_features(:one) WHERE feature LIKE 'flags%' OR feature IN ('recording', 'webhooks');
SELECT count(*) FROM platform.organization_features(:none) WHERE enabled;
SELECT o FROM platform.organizations_with_feature('flags_base') o WHERE o IN (:one, :two) ORDER BY 1;
SELECT platform.set_feature_flag(:two, 'flags_base', false);
SELECT o FROM platform.organizations_with_feature('flags_base') o WHERE o IN (:one, :two) ORDER BY 1;
SELECT count(*) FROM platform.organizations_with_feature('flags_unknown');
SELECT count(*) FROM platform.organizations_with_feature(NULL);
SELECT bool_and(platform.is_feature_enabled(o.id, 'flags_base') = (o.id IN (SELECT platform.organizations_with_feature('flags_base'))))
FROM platform.organizations o;
-- the same when the whole does not fit into the cache
SET LOCAL platform.features_cache_size = '256kB';
INSERT INTO platform.organizations (id, name) SELECT md5('flags' || i)::uuid, 'Many' FROM generate_series(1, 3000) i;
INSERT INTO platform.org_feature_flags (organization_id, feature, monthly_limit)
SELECT md5('flags' || i)::uuid, f, i FROM generate_series(1, 3000) i, unnest('{flags_a,flags_base}'::text[]) f;
SELECT count(*) FROM platform.organizations_with_feature('flags_base') o JOIN platform.organizations t ON t.id = o WHERE name = 'Many';
SELECT count(*) FILTER (WHERE platform.is_feature_enabled(id, 'flags_base')), count(*) FROM platform.organizations WHERE name = 'Many';
SELECT sum(total_bytes) < 1024 * 1024 AS bounded FROM pg_backend_memory_contexts WHERE name = 'platform features';
RESET platform.features_cache_size;
SELECT count(*) FILTER (WHERE platform.is_feature_enabled(id, 'flags_base')), count(*) FROM platform.organizations WHERE name = 'Many';
SELECT sum(total_bytes) / 6000 < 150 AS small FROM pg_backend_memory_contexts WHERE name = 'platform features';

-- require_feature
SELECT platform.require_feature(:one, 'flags_base');
SAVEPOINT s;
SELECT platform.require_feature(:two, 'flags_base');
ROLLBACK TO s;
SELECT platform.require_feature(:two, 'flags_unknown');
ROLLBACK TO s;
\set VERBOSITY sqlstate
SELECT platform.require_feature(:two, 'flags_base');
ROLLBACK TO s;
SELECT platform.require_feature(:two, 'flags_unknown');
ROLLBACK TO s;

-- nonsense: false, or a clear error
SELECT o, left(f, 20) AS feature, length(f), platform.is_feature_enabled(o, f)
FROM (VALUES (:one::uuid, 'flags_base'), (NULL, 'flags_base'), (:one, NULL), (NULL, NULL), (:one, ''), (:one, repeat('x', 1000000)),
	(:one, repeat('x', 63)), (:one, 'FLAGS_BASE'), (:one, 'flags_base '), (:one, 'flags_bas'), (:one, 'flags_basf'), (:one, 'e'), (:none, 'flags_base')) v (o, f);
SELECT platform.is_feature_enabled(:one, 'flags_base', ''), platform.is_feature_enabled(:one, 'flags_base', repeat('x', 1000000));
SELECT enabled, reason FROM platform.explain_feature(:one, repeat('x', 1000000));
SELECT enabled FROM platform.explain_feature(:one, 'flags_base', repeat('x', 1000000));
SELECT * FROM platform.feature_variant(NULL, 'flags_a');
SELECT platform.require_feature(:one, repeat('x', 1000000));
ROLLBACK TO s;
SELECT platform.require_feature(NULL, 'flags_a');
ROLLBACK TO s;
SELECT * FROM platform.explain_feature(:one, NULL);
ROLLBACK TO s;
SELECT * FROM platform.organization_features(NULL);
ROLLBACK TO s;
SELECT platform.set_feature_flag(:one, NULL, true);
ROLLBACK TO s;
SELECT platform.set_feature_flag(:one, 'flags_unknown', true);
ROLLBACK TO s;
SELECT platform.set_feature_flag(:none, 'flags_a', true);
ROLLBACK TO s;
INSERT INTO platform.org_feature_flags (organization_id, feature) VALUES (:one, 'flags_unknown');
ROLLBACK TO s;
-- a new row says whether it is on: a limit alone switches nothing on
SELECT platform.set_feature_flag(:one, 'survey', monthly_limit => 5);
ROLLBACK TO s;
\set VERBOSITY terse
SELECT platform.set_feature_flag(:one, 'survey', monthly_limit => 5);
ROLLBACK TO s;
SELECT platform.set_feature_flag(:one, 'flags_a', enforcement => 'strict');
ROLLBACK TO s;
SELECT platform.set_feature_flag(:one, 'flags_a', active_from => '2001-01-01', active_to => '2000-01-01');
ROLLBACK TO s;
SELECT platform.set_global_feature_flag('Flags A');
ROLLBACK TO s;
SELECT platform.set_global_feature_flag('');
ROLLBACK TO s;
SELECT platform.set_global_feature_flag(repeat('x', 64));
ROLLBACK TO s;
SELECT platform.set_global_feature_flag('flags_a', rollout => 100.001);
ROLLBACK TO s;
SELECT platform.set_global_feature_flag('flags_a', rollout => 'NaN');
ROLLBACK TO s;
SELECT platform.set_global_feature_flag('flags_a', kind => 'other');
ROLLBACK TO s;
SELECT platform.set_tier_feature('flags_gold', 'flags_unknown');
ROLLBACK TO s;
SELECT platform.set_tier_feature('flags_gold', 'flags_a', soft_percent => 0::smallint);
ROLLBACK TO s;
TRUNCATE platform.org_feature_flags;
ROLLBACK TO s;
DELETE FROM platform.global_feature_flags WHERE feature = 'flags_base';
ROLLBACK TO s;
UPDATE platform.global_feature_flags SET feature = 'flags_b' WHERE feature = 'flags_a';
ROLLBACK TO s;
-- removed when nothing names it any more
SELECT platform.clear_tier_feature('flags_gold', 'flags_a'), platform.clear_tier_feature('flags_gold', 'flags_a');
DELETE FROM platform.org_feature_flags WHERE feature = 'flags_a';
DELETE FROM platform.feature_credits WHERE feature = 'flags_a';
DELETE FROM platform.global_feature_flags WHERE feature = 'flags_a';
SELECT platform.is_feature_enabled(:one, 'flags_a');

-- flags that have outlived their kind
INSERT INTO platform.global_feature_flags (feature, kind, created_at) VALUES
	('flags_old_release', 'release', now() - interval '41 days'), ('flags_new_release', 'release', now() - interval '39 days'),
	('flags_old_experiment', 'experiment', now() - interval '41 days'), ('flags_old_operational', 'operational', now() - interval '8 days'),
	('flags_old_permission', 'permission', now() - interval '1 year'), ('flags_old_kill_switch', 'kill_switch', now() - interval '1 year');
SELECT feature, kind, expected_days, stale_since < now() AS stale FROM platform.stale_feature_flags WHERE feature LIKE 'flags%' ORDER BY feature;
ROLLBACK;
