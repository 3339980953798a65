-- The examples of doc/capabilities.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\o /dev/null
SELECT platform.load_demo_data();
\o
\set ECHO all
SELECT * FROM platform.chatbot_capabilities(
	'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1');
CREATE TABLE visits (organization_id uuid, chatbot_id uuid, page text);
CREATE TRIGGER visits_enforce_chat BEFORE INSERT OR UPDATE ON visits
	FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('chat');
INSERT INTO visits VALUES ('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1', '/prices');
SELECT provider, model_name FROM platform.call_models();
SELECT * FROM platform.validate_call_settings('{"silenceTimeout": 5, "vadTreshold": 0.4}');
SELECT platform.set_call_settings(
	'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1',
	'{"silenceTimeout": 60, "voiceSettings": {"speed": 1.2}}') -> 'silenceTimeout' AS seconds;
SELECT platform.widget_config('d0000000-0000-4000-8000-0000000000c1') -> 'callEnabled' AS call;
SELECT name FROM platform.set_package_capabilities(
	'd0000000-0000-4000-8000-0000000000b1', enable_call => false);
SELECT platform.widget_config('d0000000-0000-4000-8000-0000000000c1') -> 'callEnabled' AS call;
ROLLBACK;
