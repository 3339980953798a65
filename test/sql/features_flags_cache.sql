-- What a session remembers of flags follows its own changes, ROLLBACK, savepoints, every isolation level and parallel workers
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
\set one '''f1a66000-0000-4000-8000-000000000001'''
INSERT INTO platform.organizations (id, name) VALUES (:one, 'Cache');
SELECT platform.set_global_feature_flag('flags_c');
SELECT platform.is_feature_enabled(:one, 'flags_c');
-- ROLLBACK
BEGIN;
SELECT platform.set_global_feature_flag('flags_c', false);
SELECT platform.is_feature_enabled(:one, 'flags_c');
ROLLBACK;
SELECT platform.is_feature_enabled(:one, 'flags_c');
-- ROLLBACK TO, RELEASE
BEGIN;
SAVEPOINT a;
SELECT platform.set_feature_flag(:one, 'flags_c', false);
SELECT platform.is_feature_enabled(:one, 'flags_c');
SAVEPOINT b;
SELECT platform.set_feature_flag(:one, 'flags_c', true);
SELECT platform.is_feature_enabled(:one, 'flags_c');
ROLLBACK TO b;
SELECT platform.is_feature_enabled(:one, 'flags_c');
SAVEPOINT c;
SELECT platform.clear_feature_flag(:one, 'flags_c');
RELEASE c;
SELECT platform.is_feature_enabled(:one, 'flags_c');
ROLLBACK TO a;
SELECT platform.is_feature_enabled(:one, 'flags_c');
ROLLBACK;
-- an error in a function's block
DO $$
BEGIN
	BEGIN
		PERFORM platform.set_global_feature_flag('flags_c', false);
		RAISE NOTICE 'inside: %', platform.is_feature_enabled('f1a66000-0000-4000-8000-000000000001', 'flags_c');
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RAISE NOTICE 'after: %', platform.is_feature_enabled('f1a66000-0000-4000-8000-000000000001', 'flags_c');
	END;
END $$;
-- own changes in every isolation level
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT platform.is_feature_enabled(:one, 'flags_c');
SELECT platform.set_global_feature_flag('flags_c', false);
SELECT platform.is_feature_enabled(:one, 'flags_c');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT platform.set_feature_flag(:one, 'flags_c', false);
SELECT platform.is_feature_enabled(:one, 'flags_c');
ROLLBACK;
SELECT platform.is_feature_enabled(:one, 'flags_c');
BEGIN READ ONLY;
SELECT platform.is_feature_enabled(:one, 'flags_c'), enabled FROM platform.explain_feature(:one, 'flags_c');
COMMIT;
-- every table it remembers, however it is changed
CREATE FUNCTION flags_check(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM platform.is_feature_enabled('f1a66000-0000-4000-8000-000000000001', 'flags_c');
	EXECUTE $1;
	RETURN (SELECT reason || ' ' || enabled FROM platform.explain_feature('f1a66000-0000-4000-8000-000000000001', 'flags_c'))
		|| ' ' || platform.is_feature_enabled('f1a66000-0000-4000-8000-000000000001', 'flags_c');
END $$;
BEGIN;
SELECT flags_check($$UPDATE platform.organizations SET status = 'suspended' WHERE id = 'f1a66000-0000-4000-8000-000000000001'$$);
SELECT flags_check($$UPDATE platform.organizations SET status = 'active', tier = 'flags_t' WHERE id = 'f1a66000-0000-4000-8000-000000000001'$$);
SELECT flags_check($$INSERT INTO platform.tier_features (tier, feature, enabled) VALUES ('flags_t', 'flags_c', false)$$);
SELECT flags_check($$UPDATE platform.tier_features SET enabled = true WHERE tier = 'flags_t'$$);
SELECT flags_check($$INSERT INTO platform.org_feature_flags (organization_id, feature, enabled) VALUES ('f1a66000-0000-4000-8000-000000000001', 'flags_c', false)$$);
SELECT flags_check($$UPDATE platform.org_feature_flags SET enabled = true WHERE feature = 'flags_c'$$);
SELECT flags_check($$INSERT INTO platform.tenant_feature_flags (organization_id, feature, enabled) VALUES ('f1a66000-0000-4000-8000-000000000001', 'flags_c', false)$$);
SELECT flags_check($$DELETE FROM platform.tenant_feature_flags WHERE feature = 'flags_c'$$);
SELECT flags_check($$MERGE INTO platform.org_feature_flags f USING (VALUES ('flags_c')) v (feature) ON f.feature = v.feature WHEN MATCHED THEN DELETE$$);
SELECT flags_check($$DELETE FROM platform.tier_features WHERE tier = 'flags_t'$$);
SELECT flags_check($$DELETE FROM platform.organizations WHERE id = 'f1a66000-0000-4000-8000-000000000001'$$);
ROLLBACK;
-- in the middle of a statement: the row of the change already sees it
BEGIN;
SELECT i, CASE WHEN i = 2 THEN (SELECT flags_check('UPDATE platform.global_feature_flags SET enabled = false WHERE feature = ''flags_c''')) END AS change,
	platform.is_feature_enabled(:one, 'flags_c') FROM generate_series(1, 3) i;
ROLLBACK;
-- parallel workers, before and after a change of this transaction
CREATE TABLE flags_rows AS SELECT i FROM generate_series(1, 20000) i;
ALTER TABLE flags_rows SET (parallel_workers = 2);
ANALYZE flags_rows;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT count(*) FILTER (WHERE platform.is_feature_enabled(:one, 'flags_c')) FROM flags_rows;
SELECT platform.set_feature_flag(:one, 'flags_c', false);
SELECT count(*) FILTER (WHERE platform.is_feature_enabled(:one, 'flags_c')) FROM flags_rows;
SELECT platform.set_context(:one);
GRANT SELECT ON flags_rows TO platform_test_member;
SET LOCAL ROLE platform_test_member;
SELECT count(*) FILTER (WHERE platform.is_feature_enabled(:one, 'flags_c')), count(*) FILTER (WHERE platform.is_feature_enabled(:one, 'recording')) FROM flags_rows;
ROLLBACK;
DROP TABLE flags_rows;
DROP FUNCTION flags_check;
DELETE FROM platform.organizations WHERE id = :one;
DELETE FROM platform.global_feature_flags WHERE feature = 'flags_c';
