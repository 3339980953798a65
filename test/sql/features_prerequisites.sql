-- Prerequisites of features: chains, cycles refused when written and survived when read
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set SHOW_CONTEXT never
\set ECHO all
BEGIN;
\set one '''f1a63000-0000-4000-8000-000000000001'''
INSERT INTO platform.organizations (id, name) VALUES (:one, 'Prerequisites');
INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES ('flags_p1', '{}'), ('flags_p2', '{}'), ('flags_p3', '{}');
UPDATE platform.global_feature_flags SET prerequisites = '{flags_p1}' WHERE feature = 'flags_p2';
UPDATE platform.global_feature_flags SET prerequisites = '{flags_p2,flags_p1}' WHERE feature = 'flags_p3';
SELECT platform.is_feature_enabled(:one, 'flags_p3');
-- whatever switches one off switches off what needs it, and says which
SELECT platform.set_feature_flag(:one, 'flags_p1', false);
SELECT enabled, reason, layer, detail FROM platform.explain_feature(:one, 'flags_p3');
SELECT enabled, reason, layer, detail FROM platform.explain_feature(:one, 'flags_p2');
SELECT platform.set_feature_flag(:one, 'flags_p1', true);
SELECT platform.set_global_feature_flag('flags_p1', false);
SELECT enabled, reason, detail FROM platform.explain_feature(:one, 'flags_p2');
SELECT platform.set_global_feature_flag('flags_p1', true);
SELECT platform.is_feature_enabled(:one, 'flags_p3');
-- also an own row that says on
SELECT platform.set_feature_flag(:one, 'flags_p2', true);
SELECT platform.set_feature_flag(:one, 'flags_p1', false);
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_p2');
SELECT platform.clear_feature_flag(:one, 'flags_p1');
-- a window of a prerequisite bounds the answer that is kept
SELECT platform.set_feature_flag(:one, 'flags_p1', false, active_from => clock_timestamp() + interval '0.3 s');
SELECT platform.is_feature_enabled(:one, 'flags_p3');
SELECT pg_sleep(0.4);
SELECT platform.is_feature_enabled(:one, 'flags_p3');
SELECT platform.clear_feature_flag(:one, 'flags_p1');
-- by the targeting key, as the feature itself
SELECT platform.set_global_feature_flag('flags_p1', rollout => 50);
SELECT count(*) AS different FROM generate_series(1, 500) i
WHERE platform.is_feature_enabled(:one, 'flags_p3', i::text) <> (platform.rollout_bucket('flags_p1', i::text) < 50000);
SELECT platform.set_global_feature_flag('flags_p1', rollout => -1);

-- refused when written
SAVEPOINT s;
SELECT platform.set_global_feature_flag('flags_p1', prerequisites => '{flags_p1}');
ROLLBACK TO s;
SELECT platform.set_global_feature_flag('flags_p1', prerequisites => '{flags_p2}');
ROLLBACK TO s;
UPDATE platform.global_feature_flags SET prerequisites = '{recording,flags_p3}' WHERE feature = 'flags_p1';
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES ('flags_p4', '{flags_p4}');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES ('flags_p4', '{flags_missing}');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES ('flags_p4', '{NULL}');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES ('flags_p4', '{{recording},{survey}}');
ROLLBACK TO s;
\set VERBOSITY sqlstate
SELECT platform.set_global_feature_flag('flags_p1', prerequisites => '{flags_p2}');
ROLLBACK TO s;
\set VERBOSITY default
-- in one statement, both halves of a cycle
UPDATE platform.global_feature_flags SET prerequisites = CASE feature WHEN 'recording' THEN '{survey}' ELSE '{recording}' END::text[]
WHERE feature IN ('recording', 'survey');
ROLLBACK TO s;
-- nor a feature that is needed, unless both go at once
DELETE FROM platform.global_feature_flags WHERE feature = 'flags_p1';
ROLLBACK TO s;
UPDATE platform.global_feature_flags SET feature = 'flags_p0' WHERE feature = 'flags_p1';
ROLLBACK TO s;
DELETE FROM platform.org_feature_flags WHERE organization_id = :one;
DELETE FROM platform.global_feature_flags WHERE feature IN ('flags_p1', 'flags_p2', 'flags_p3');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES ('flags_q2', '{flags_q1}'), ('flags_q1', '{}');
ROLLBACK TO s;
-- a chain of 16 and no longer
DO $$
BEGIN
	FOR i IN 0 .. 16 LOOP
		INSERT INTO platform.global_feature_flags (feature, prerequisites)
		VALUES ('flags_chain' || i, CASE WHEN i > 0 THEN ARRAY['flags_chain' || i - 1] ELSE '{}' END);
	END LOOP;
END $$;
SELECT platform.is_feature_enabled(:one, 'flags_chain16');
INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES ('flags_chain17', '{flags_chain16}');
ROLLBACK TO s;
-- many ways to the same feature take no longer than one
DO $$
BEGIN
	INSERT INTO platform.global_feature_flags (feature) VALUES ('flags_a0'), ('flags_b0');
	FOR i IN 1 .. 15 LOOP
		INSERT INTO platform.global_feature_flags (feature, prerequisites) VALUES
			('flags_a' || i, ARRAY['flags_a' || i - 1, 'flags_b' || i - 1]), ('flags_b' || i, ARRAY['flags_b' || i - 1, 'flags_a' || i - 1]);
	END LOOP;
END $$;
SELECT platform.is_feature_enabled(:one, 'flags_a15', 'key');
ROLLBACK TO s;

-- read in spite of a cycle that came in some other way
ALTER TABLE platform.global_feature_flags DISABLE TRIGGER global_feature_flags_check_prerequisites;
UPDATE platform.global_feature_flags SET prerequisites = '{flags_p3}' WHERE feature = 'flags_p1';
ALTER TABLE platform.global_feature_flags ENABLE TRIGGER global_feature_flags_check_prerequisites;
SELECT enabled, reason, detail FROM platform.explain_feature(:one, 'flags_p3');
SELECT platform.is_feature_enabled(:one, 'flags_p1'), platform.is_feature_enabled(:one, 'flags_p1', 'key');
SELECT name, detail FROM platform.verify() WHERE NOT passed AND name LIKE '%its own prerequisite';
-- and a prerequisite that is gone
ALTER TABLE platform.global_feature_flags DISABLE TRIGGER global_feature_flags_check_prerequisites;
UPDATE platform.global_feature_flags SET prerequisites = '{flags_gone}' WHERE feature = 'flags_p1';
ALTER TABLE platform.global_feature_flags ENABLE TRIGGER global_feature_flags_check_prerequisites;
SELECT enabled, reason, detail FROM platform.explain_feature(:one, 'flags_p1');
ROLLBACK;
