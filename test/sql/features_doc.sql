-- The examples of doc/features.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set SHOW_CONTEXT never
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
SELECT platform.create_organization('Acme Voice', tier => 'pro') AS acme \gset

-- a new feature, for the plan "pro" only, at most 100 a day
SELECT platform.set_global_feature_flag('voice_cloning', default_enabled => false, description => 'Cloned voices');
SELECT platform.set_tier_feature('pro', 'voice_cloning', true, daily_limit => 100);
SELECT enabled, reason, layer FROM platform.explain_feature(:'acme', 'voice_cloning');

-- one customer does not pay
SELECT platform.set_feature_flag(:'acme', 'voice_cloning', false, 'unpaid');
SELECT enabled, reason, detail FROM platform.explain_feature(:'acme', 'voice_cloning');
SELECT platform.clear_feature_flag(:'acme', 'voice_cloning');

-- an incident: off for everybody, and back
SELECT platform.set_global_feature_flag('voice_cloning', false, 'incident 7');
SELECT platform.require_feature(:'acme', 'voice_cloning');
SELECT platform.set_global_feature_flag('voice_cloning', true);
SELECT platform.is_feature_enabled(:'acme', 'voice_cloning');

-- as of now, and at a moment
SELECT feature, daily_limit FROM platform.organization_features(:'acme') WHERE feature = 'voice_cloning';
SELECT enabled, reason FROM platform.feature_state_at(:'acme', 'voice_cloning', '2001-01-01');

-- prerequisites
SELECT platform.set_global_feature_flag('voice_cloning', prerequisites => '{ai_features}');
SELECT platform.set_feature_flag(:'acme', 'ai_features', false);
SELECT reason, detail ->> 'prerequisite' AS prerequisite FROM platform.explain_feature(:'acme', 'voice_cloning');
SELECT platform.set_global_feature_flag('ai_features', prerequisites => '{voice_cloning}');

-- rollouts and variants
SELECT platform.set_global_feature_flag('new_greeting', rollout => 50,
	variants => '[{"name": "short", "weight": 3}, {"name": "long", "weight": 1, "payload": {"seconds": 20}}]');
SELECT platform.rollout_bucket('new_greeting', 'user 4') AS bucket,
	platform.is_feature_enabled(:'acme', 'new_greeting', 'user 4') AS enabled;
SELECT * FROM platform.feature_variant(:'acme', 'new_greeting', 'user 4');
SELECT platform.murmur3('gr1:123') % 100 + 1 AS unleash;

-- a policy, and a trigger
CREATE TABLE recordings (organization_id uuid NOT NULL);
ALTER TABLE recordings ENABLE ROW LEVEL SECURITY;
CREATE POLICY recordings_enabled ON recordings FOR SELECT
	USING (platform.is_feature_enabled(organization_id, 'recording'));
CREATE TABLE greetings (organization_id uuid NOT NULL, cloned boolean NOT NULL DEFAULT false);
CREATE TRIGGER greetings_enforce_voice_cloning BEFORE INSERT OR UPDATE ON greetings
	FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('voice_cloning', 'cloned');
INSERT INTO greetings VALUES (:'acme', false);
INSERT INTO greetings VALUES (:'acme', true);
ROLLBACK;
