-- Who may do what with chatbots: members cannot lift callEnabled, exceed the package, or see others
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set one '''caacce00-0000-4000-8000-000000000001'''
\set two '''caacce00-0000-4000-8000-000000000002'''
\set both '''caacce00-0000-4000-8000-0000000000b1'''
\set chat '''caacce00-0000-4000-8000-0000000000b2'''
\set hidden '''caacce00-0000-4000-8000-0000000000b3'''
\set old '''caacce00-0000-4000-8000-0000000000b4'''
\set off '''caacce00-0000-4000-8000-0000000000a1'''
\set bot '''caacce00-0000-4000-8000-0000000000c1'''
\set given '''caacce00-0000-4000-8000-0000000000c2'''
\set other '''caacce00-0000-4000-8000-0000000000c3'''
BEGIN;
INSERT INTO platform.organizations (id, name, settings) VALUES
	(:one, 'Access one', '{"features": {"callEnabled": true}, "branding": {}}'), (:two, 'Access two', '{"features": {"callEnabled": false}}');
INSERT INTO platform.ai_models (id, provider, model_type, model_name, display_name, is_active) VALUES (:off, 'test', 'both', 'access-off', 'Access off', false);
INSERT INTO platform.chatbot_packages (id, name, enable_chat, enable_call, is_public, is_active) VALUES
	(:both, 'Access both', true, true, true, true), (:chat, 'Access chat', true, false, true, true),
	(:hidden, 'Access hidden', true, true, false, true), (:old, 'Access old', true, true, true, false);
INSERT INTO platform.chatbots (id, organization_id, package_id, name, enabled_call) VALUES
	(:bot, :one, :both, 'Access bot', false), (:given, :one, NULL, 'Access given', false), (:other, :two, :both, 'Access other', false);
CREATE FUNCTION pg_temp.act(organization uuid, role text) RETURNS void LANGUAGE sql AS
	$$ SELECT platform.set_context($1, 'caacce00-0000-4000-8000-0000000000d1', $2) $$;
SAVEPOINT s;
\set ECHO all
-- an administrator of an organization with calls
SELECT pg_temp.act(:one, 'admin');
SET LOCAL ROLE platform_test_member;
SAVEPOINT e;
SELECT name FROM platform.chatbot_packages WHERE name LIKE 'Access%' ORDER BY name COLLATE "C";
SELECT name FROM platform.chatbots ORDER BY name COLLATE "C";
SELECT count(*) AS hidden_models FROM platform.ai_models WHERE model_name = 'access-off';
SELECT count(*) > 0 AS shown FROM platform.call_models();
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :both, 'Access new') RETURNING name, enabled_chat, enabled_call;
INSERT INTO platform.chatbots (name) VALUES ('Access default') RETURNING organization_id, enabled_chat, enabled_call;
UPDATE platform.chatbots SET enabled_call = true WHERE id = :bot RETURNING enabled_call, settings -> 'call' IS NOT NULL AS has_settings;
UPDATE platform.chatbots SET enabled_chat = false WHERE id = :bot RETURNING enabled_chat, enabled_call;
SELECT platform.set_call_settings(:one, :bot, '{"silenceTimeout": 77}') -> 'silenceTimeout' AS timeout;
UPDATE platform.chatbots SET deleted_at = now() WHERE name = 'Access new';
ROLLBACK TO e;
-- not what the package forbids, not from a package that is not on offer, no calls without a package
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_call) VALUES (:one, :chat, 'too much', true);
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :hidden, 'too much');
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :old, 'too much');
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, 'caacce00-0000-4000-8000-0000000000bf', 'too much');
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, name, enabled_call) VALUES (:one, 'too much', true);
ROLLBACK TO e;
UPDATE platform.chatbots SET enabled_call = true WHERE id = :given;
ROLLBACK TO e;
UPDATE platform.chatbots SET package_id = :both WHERE id = :given;
ROLLBACK TO e;
UPDATE platform.chatbots SET organization_id = :two WHERE id = :bot;
ROLLBACK TO e;
DELETE FROM platform.chatbots WHERE id = :bot;
ROLLBACK TO e;
-- packages and models are the platform's
UPDATE platform.chatbot_packages SET enable_call = true WHERE id = :chat;
ROLLBACK TO e;
INSERT INTO platform.ai_models (provider, model_name, display_name) VALUES ('test', 'mine', 'Mine');
ROLLBACK TO e;
SELECT platform.set_package_capabilities(:chat, enable_call => true);
ROLLBACK TO e;
SELECT platform.apply_package_capabilities(:chat);
ROLLBACK TO e;
-- the switch is the platform's; other settings are the organization's
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}, "branding": {"logo": "x"}}' WHERE id = :one;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": false}}' WHERE id = :one;
ROLLBACK TO e;
UPDATE platform.organizations SET settings = '{}' WHERE id = :one;
ROLLBACK TO s;

-- the platform's staff switches it, in whatever organization it acts
SELECT pg_temp.act(:two, 'platform_admin');
SET LOCAL ROLE platform_test_member;
UPDATE platform.organizations SET settings = jsonb_set(settings, '{features,callEnabled}', 'true') RETURNING settings;
SELECT platform.calls_enabled();
ROLLBACK TO s;

-- where calls are off an administrator cannot lift that
SELECT pg_temp.act(:two, 'owner');
SET LOCAL ROLE platform_test_member;
SAVEPOINT e;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' WHERE id = :two;
ROLLBACK TO e;
UPDATE platform.organizations SET settings = jsonb_set(settings, '{features}', '{}') WHERE id = :two;
ROLLBACK TO e;
UPDATE platform.chatbots SET enabled_call = true WHERE id = :other;
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:two, :both, 'too much');
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_call) VALUES (:two, :both, 'chat only', false) RETURNING enabled_chat, enabled_call;
SELECT name FROM platform.chatbot_packages WHERE name LIKE 'Access%' ORDER BY name COLLATE "C";
-- nor see or change what is another organization's
SELECT name FROM platform.chatbots ORDER BY name COLLATE "C";
UPDATE platform.chatbots SET name = 'mine' WHERE id = :bot;
SELECT platform.call_settings(:one, :bot);
ROLLBACK TO e;
SELECT platform.set_call_settings(:one, :bot, '{}');
ROLLBACK TO e;
SELECT platform.set_call_settings(:two, :bot, '{}');
ROLLBACK TO e;
SELECT platform.widget_config(:bot);
ROLLBACK TO e;
SELECT platform.widget_config(:other) -> 'callEnabled' AS call;
INSERT INTO platform.chatbots (organization_id, name) VALUES (:one, 'theirs');
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, package_id, name) VALUES (:one, :both, 'theirs');
ROLLBACK TO s;

-- the platform's staff may switch calls on, with no right on the table but an administrator's
SELECT pg_temp.act(:two, 'platform_admin');
SET LOCAL ROLE platform_test_member;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' WHERE id = :two;
UPDATE platform.chatbots SET enabled_call = true WHERE id = :other RETURNING enabled_call;
SELECT * FROM platform.can_place_call(:two, :other);
ROLLBACK TO s;
-- switched off again, what was enabled stays enabled behind the gate
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' WHERE id = :two;
UPDATE platform.chatbots SET enabled_call = true WHERE id = :other;
UPDATE platform.organizations SET settings = '{"features": {"callEnabled": false}}' WHERE id = :two;
SELECT pg_temp.act(:two, 'admin');
SET LOCAL ROLE platform_test_member;
UPDATE platform.chatbots SET name = 'Access renamed' WHERE id = :other RETURNING enabled_call;
SELECT * FROM platform.can_place_call(:two, :other);
ROLLBACK TO s;

-- a member that administers nothing reads
SELECT pg_temp.act(:one, 'agent');
SET LOCAL ROLE platform_test_member;
SAVEPOINT e;
SELECT name FROM platform.chatbots ORDER BY name COLLATE "C";
SELECT platform.call_settings(:one, :bot) = platform.default_call_settings() AS reads;
UPDATE platform.chatbots SET name = 'mine' WHERE id = :bot;
SELECT platform.set_call_settings(:one, :bot, '{}');
ROLLBACK TO e;
INSERT INTO platform.chatbots (organization_id, name) VALUES (:one, 'mine');
ROLLBACK TO s;
-- nobody sees nothing
SET LOCAL ROLE platform_test_member;
SELECT (SELECT count(*) FROM platform.chatbots) AS bots, (SELECT count(*) FROM platform.chatbot_packages) AS packages, (SELECT count(*) FROM platform.ai_models) AS models,
	(SELECT count(*) FROM platform.call_models()) AS call_models;
SAVEPOINT e;
SELECT platform.widget_config(:bot);
ROLLBACK TO e;
SELECT platform.call_settings(:one, :bot);
ROLLBACK TO e;
SELECT platform.validate_call_settings('{"x": 1}'), platform.default_call_settings() IS NOT NULL AS defaults;
ROLLBACK TO s;

-- a table of one's own
CREATE TABLE access_visits (organization_id uuid, chatbot_id uuid, transferred_to uuid, page text);
CREATE TRIGGER access_visits_enforce_call BEFORE INSERT OR UPDATE ON access_visits
	FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('call');
CREATE TRIGGER access_visits_enforce_transfer BEFORE INSERT OR UPDATE ON access_visits
	FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('chat', 'transferred_to');
GRANT INSERT, UPDATE, SELECT ON access_visits TO platform_test_member;
UPDATE platform.chatbots SET enabled_call = true WHERE id = :bot;
SAVEPOINT e;
INSERT INTO access_visits VALUES (:one, :bot, NULL, '1'), (:one, NULL, :given, '2'), (:one, NULL, NULL, '3'), (NULL, NULL, NULL, '4');
INSERT INTO access_visits VALUES (:one, :given, NULL, '5');
ROLLBACK TO e;
INSERT INTO access_visits VALUES (:one, NULL, :other, '5');
ROLLBACK TO e;
INSERT INTO access_visits VALUES (NULL, :bot, NULL, '5');
ROLLBACK TO e;
INSERT INTO access_visits VALUES (:one, :bot, NULL, '1'), (:one, NULL, NULL, '3');
SAVEPOINT e;
UPDATE access_visits SET chatbot_id = :given WHERE page = '3';
ROLLBACK TO e;
-- what is switched off stops what is new and lets what runs be finished
UPDATE platform.chatbots SET enabled_call = false WHERE id = :bot;
UPDATE access_visits SET page = 'one' WHERE page = '1';
UPDATE access_visits SET chatbot_id = NULL WHERE page = 'one';
UPDATE access_visits SET chatbot_id = :bot WHERE page = 'one';
ROLLBACK TO e;
SELECT pg_temp.act(:one, 'agent');
SET LOCAL ROLE platform_test_member;
INSERT INTO access_visits VALUES (:one, :bot, NULL, '6');
SAVEPOINT f;
INSERT INTO access_visits VALUES (:two, NULL, :other, '7');
ROLLBACK TO f;
RESET ROLE;
SAVEPOINT f;
-- attached wrongly
CREATE TRIGGER access_visits_enforce_x BEFORE INSERT ON access_visits FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('fax');
INSERT INTO access_visits VALUES (:one);
ROLLBACK TO f;
CREATE TRIGGER access_visits_enforce_x BEFORE INSERT ON access_visits FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability();
INSERT INTO access_visits VALUES (:one);
ROLLBACK TO f;
CREATE TRIGGER access_visits_enforce_x BEFORE INSERT ON access_visits FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('chat', 'nowhere');
INSERT INTO access_visits VALUES (:one);
ROLLBACK TO f;
CREATE TRIGGER access_visits_enforce_x BEFORE INSERT ON access_visits FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('chat', 'page');
INSERT INTO access_visits VALUES (:one);
ROLLBACK TO f;
CREATE TRIGGER access_visits_enforce_x AFTER INSERT ON access_visits FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('chat');
INSERT INTO access_visits VALUES (:one);
ROLLBACK;
