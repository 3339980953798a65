-- enforce_feature(): a table whose rows need a feature; and the module's triggers refuse to be misused
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set one '''f1a65000-0000-4000-8000-000000000001'''
\set two '''f1a65000-0000-4000-8000-000000000002'''
INSERT INTO platform.organizations (id, name) VALUES (:one, 'Enforce one'), (:two, 'Enforce two');
SELECT platform.set_feature_flag(:two, 'recording', false);
SELECT platform.set_feature_flag(:two, 'survey', false);
SELECT platform.set_feature_flag(:two, 'voice_operations', false);
CREATE TABLE flags_calls (organization_id uuid, n integer, recorded boolean, survey_id integer);
CREATE TRIGGER flags_calls_enforce_recording BEFORE INSERT OR UPDATE ON flags_calls
	FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording', 'recorded');
CREATE TRIGGER flags_calls_enforce_survey BEFORE INSERT OR UPDATE ON flags_calls
	FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('survey', 'survey_id');
SAVEPOINT s;
-- who has it may, who has not may do without
INSERT INTO flags_calls VALUES (:one, 1, true, 5), (:one, 2, false, NULL), (:two, 3, false, NULL), (:two, 4, NULL, NULL);
SAVEPOINT s;
INSERT INTO flags_calls VALUES (:two, 5, true);
ROLLBACK TO s;
INSERT INTO flags_calls VALUES (:two, 5, false, 1);
ROLLBACK TO s;
UPDATE flags_calls SET recorded = true WHERE n = 3;
ROLLBACK TO s;
UPDATE flags_calls SET organization_id = :two WHERE n = 1;
ROLLBACK TO s;
INSERT INTO flags_calls VALUES (NULL, 6, true);
ROLLBACK TO s;
INSERT INTO flags_calls VALUES ('f1a65000-0000-4000-8000-0000000000ff', 6, true);
ROLLBACK TO s;
\set VERBOSITY sqlstate
INSERT INTO flags_calls VALUES (:two, 5, true);
ROLLBACK TO s;
\set VERBOSITY default
-- switched off, it stops what is new and lets what runs be finished
SELECT platform.set_global_feature_flag('recording', false);
UPDATE flags_calls SET n = 10 WHERE n = 1;
SELECT n, recorded FROM flags_calls WHERE recorded;
UPDATE flags_calls SET recorded = true WHERE n = 2;
ROLLBACK TO s;
-- without a column every row needs it
CREATE TRIGGER flags_calls_enforce_voice BEFORE INSERT OR UPDATE ON flags_calls
	FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('voice_operations');
INSERT INTO flags_calls VALUES (:one, 7);
UPDATE flags_calls SET n = 30 WHERE n = 3;
ROLLBACK TO s;
-- COPY too
\copy flags_calls (organization_id, n, recorded) from stdin
f1a65000-0000-4000-8000-000000000002	8	t
\.
ROLLBACK TO s;
-- a member of another organization learns nothing from the error
GRANT INSERT ON flags_calls TO platform_test_member;
SAVEPOINT s;
SELECT platform.set_context(:one);
SET LOCAL ROLE platform_test_member;
INSERT INTO flags_calls VALUES (:one, 9, true);
INSERT INTO flags_calls VALUES (:two, 9, true);
ROLLBACK TO s;
SELECT platform.set_context(:two);
SET LOCAL ROLE platform_test_member;
INSERT INTO flags_calls VALUES (:one, 9, true);
ROLLBACK TO s;

-- attached wrongly
CREATE TRIGGER flags_calls_wrong BEFORE INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature();
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong BEFORE INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording', 'recorded', 'more');
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong BEFORE INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording', 'no_column');
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong AFTER INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording');
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong BEFORE INSERT ON flags_calls FOR EACH STATEMENT EXECUTE FUNCTION platform.enforce_feature('recording');
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong BEFORE DELETE ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording');
DELETE FROM flags_calls;
ROLLBACK TO s;
CREATE TABLE flags_no_tenant (n integer);
CREATE TRIGGER flags_no_tenant_enforce BEFORE INSERT ON flags_no_tenant FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording');
INSERT INTO flags_no_tenant VALUES (1);
ROLLBACK TO s;
CREATE TABLE flags_text_tenant (organization_id text);
CREATE TRIGGER flags_text_tenant_enforce BEFORE INSERT ON flags_text_tenant FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('recording');
INSERT INTO flags_text_tenant VALUES ('1');
ROLLBACK TO s;
CREATE TRIGGER flags_calls_unknown BEFORE INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.enforce_feature('flags_unknown');
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
SELECT platform.enforce_feature();
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong AFTER INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.check_feature_row();
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong AFTER INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.check_feature_definition();
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong BEFORE INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong BEFORE INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.check_feature_row();
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK TO s;
CREATE TRIGGER flags_calls_wrong AFTER INSERT ON flags_calls FOR EACH ROW EXECUTE FUNCTION platform.record_flag_change();
INSERT INTO flags_calls VALUES (:one, 1);
ROLLBACK;
