-- Queries that run as the tables' owner take nothing from the caller's search_path
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set own '''f1a69000-0000-4000-8000-000000000001'''
INSERT INTO platform.organizations (id, name) VALUES (:own, 'Hostile');
-- whoever runs one of these as somebody else than the member is caught
CREATE SCHEMA evil;
GRANT ALL ON SCHEMA evil TO platform_test_member;
SET LOCAL ROLE platform_test_member;
CREATE FUNCTION evil.trap(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'platform_test_member' THEN RAISE EXCEPTION '% ran as another role', $1; END IF;
	RETURN true;
END $$;
DO $$
DECLARE
	type text;
	operator text;
BEGIN
	FOREACH type IN ARRAY '{text,uuid,jsonb,boolean,integer,bigint,smallint,numeric,timestamptz,text[]}'::text[] LOOP
		FOREACH operator IN ARRAY '{=,<>,<,<=,>,>=}'::text[] LOOP
			EXECUTE format('CREATE FUNCTION evil.op_%s_%s(%3$s, %3$s) RETURNS boolean LANGUAGE sql AS $f$ SELECT evil.trap(%4$L) $f$',
				translate(operator, '=<>', 'elg'), replace(replace(type, '[]', '_array'), ' ', '_'), type, type || ' ' || operator);
			EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = evil.op_%s_%s)',
				operator, type, translate(operator, '=<>', 'elg'), replace(type, '[]', '_array'));
		END LOOP;
	END LOOP;
	FOREACH operator IN ARRAY '{+,-,*}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION evil.op_%s(numeric, integer) RETURNS numeric LANGUAGE sql AS $f$ SELECT evil.trap(%L)::integer::numeric $f$', ascii(operator), 'numeric ' || operator);
		EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = evil.op_%s)', operator, ascii(operator));
	END LOOP;
	FOREACH operator IN ARRAY '{to_jsonb,jsonb_each,unnest,now,clock_timestamp,upper,lower}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION evil.%I() RETURNS boolean LANGUAGE sql AS $f$ SELECT evil.trap(%1$L) $f$', operator);
	END LOOP;
	CREATE DOMAIN evil.int4 AS text;
	CREATE DOMAIN evil.text AS integer;
	CREATE DOMAIN evil.jsonb AS integer;
END $$;
RESET ROLE;
SELECT platform.set_context(:own, 'someone', 'admin');
SET LOCAL search_path = evil, pg_catalog;
SET LOCAL ROLE platform_test_member;
-- the trap works
SELECT 1::pg_catalog.numeric * 2 AS trapped;
SELECT platform.is_feature_enabled(:own, 'recording'), platform.is_feature_enabled(:own, 'recording', 'key');
SELECT enabled, reason FROM platform.explain_feature(:own, 'recording');
SELECT platform.set_feature_flag(:own, 'recording', false, 'by its administrator');
SELECT platform.set_feature_flag(:own, 'recording', daily_limit => 5);
SELECT enabled, reason, layer FROM platform.explain_feature(:own, 'recording');
SELECT enabled, reason FROM platform.feature_state_at(:own, 'recording', '2001-01-01');
SELECT pg_catalog.count(*) FROM platform.organization_features(:own);
SELECT pg_catalog.count(*) FROM platform.organizations_with_feature('survey');
SELECT * FROM platform.feature_variant(:own, 'survey');
INSERT INTO platform.tenant_feature_flags (organization_id, feature, enabled) VALUES (:own, 'survey', false);
UPDATE platform.tenant_feature_flags SET enabled = true WHERE feature OPERATOR(pg_catalog.=) 'survey';
DELETE FROM platform.tenant_feature_flags WHERE feature OPERATOR(pg_catalog.=) 'survey';
SELECT platform.clear_feature_flag(:own, 'recording');
RESET ROLE;
SELECT platform.set_context(NULL, 'staff', 'platform_admin');
SET LOCAL ROLE platform_test_member;
SELECT platform.set_global_feature_flag('flags_hostile', rollout => 50, prerequisites => '{recording,survey}', variants => '[{"name": "a", "weight": 1}]');
SELECT platform.set_global_feature_flag('flags_hostile', false, 'staff');
SELECT platform.set_tier_feature('core', 'flags_hostile', false);
SELECT platform.set_feature_flag(:own, 'flags_hostile', true);
SELECT platform.clear_tier_feature('core', 'flags_hostile'), platform.clear_feature_flag(:own, 'flags_hostile');
ROLLBACK;
