-- What the steps of module legacy call: names found out, scripts expanded, tables of other modules spared, privileges.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
CREATE SCHEMA chatapp;
CREATE TABLE chatapp.chatbots (id uuid PRIMARY KEY, "chatbotType" text, "deletedAt" timestamptz, "Odd" text);
CREATE TABLE chatapp.chatbot_packages (id uuid PRIMARY KEY, chatbottype text, deleted_at timestamptz);
CREATE TABLE chatapp.organizations (id uuid PRIMARY KEY);
CREATE VIEW chatapp.users AS SELECT 1 AS id;
SELECT platform.legacy_relation('chatbots'), platform.legacy_relation('companies'), platform.legacy_relation('calls') IS NULL AS none,
	platform.legacy_relation('users') IS NULL AS no_view, platform.legacy_relation(NULL) IS NULL AS null_for_null;
SELECT t.name AS relation, c.name, platform.legacy_column(t.name, c.name)
FROM (VALUES ('chatbots'), ('chatbot_packages'), ('calls')) AS t (name), (VALUES ('type'), ('deleted'), ('company'), ('id'), ('Odd')) AS c (name)
ORDER BY t.name COLLATE "C", c.name COLLATE "C";
SELECT platform.legacy_column(NULL, 'id') IS NULL AS null_for_null, platform.legacy_column('chatbots', NULL) IS NULL AS null_too;
SELECT platform.run_legacy('chatbots', $$INSERT INTO {chatbots} (id, {chatbots.type}) VALUES ('00000000-0000-4000-8000-000000000001', '{} {x {"a": {}} {A}')$$);
SELECT platform.run_legacy('chatbots', $$INSERT INTO {chatbots} (id, {chatbots.type}) VALUES ('00000000-0000-4000-8000-000000000002', '{{chatbots} {{} {{{{id} {{')$$);
SELECT * FROM chatapp.chatbots;
SELECT platform.count_legacy('SELECT FROM {chatbots} WHERE {chatbots:live}') AS live, platform.count_legacy('SELECT FROM {chatbots} WHERE NOT ({chatbots:live})') AS deleted,
	platform.count_legacy('SELECT FROM {companies} WHERE {companies:live}') AS companies, platform.count_legacy(NULL) IS NULL AS null_for_null;
SELECT platform.run_legacy('chatbots', NULL), platform.run_legacy(NULL, 'SELECT 1 / 0');
SAVEPOINT s;
SELECT platform.run_legacy('', 'SELECT {chatbots.company}');
ROLLBACK TO s;
SELECT platform.run_legacy('', 'SELECT {memory:1.type}');
ROLLBACK TO s;
SELECT platform.run_legacy('', 'SELECT 1 / 0');
ROLLBACK TO s;
SELECT platform.count_legacy('DELETE FROM {chatbots} WHERE true');
ROLLBACK TO s;
SET LOCAL ROLE platform_test_member;
SELECT platform.run_legacy('', 'SELECT 1');
ROLLBACK TO s;
SET LOCAL ROLE platform_test_member;
SELECT platform.count_legacy('SELECT 1');
ROLLBACK TO s;
SET LOCAL ROLE platform_test_member;
SELECT platform.cut_legacy_avatars();
ROLLBACK TO s;
-- without an older schema of its own, the tables are ours, and keep their form
DROP VIEW chatapp.users;
DROP TABLE chatapp.chatbots, chatapp.chatbot_packages, chatapp.organizations;
SELECT platform.legacy_relation('chatbots'), platform.legacy_relation('companies');
SELECT platform.run_legacy('chatbots', 'DROP TABLE {chatbots}');
SELECT count(*) AS steps, bool_and(action = 'applied') AS applied FROM platform.install('{legacy}') WHERE module = 'legacy';
SELECT name, detail FROM platform.verify() WHERE NOT passed;
SELECT count(*) AS steps FROM platform.rollback((SELECT max(version) FROM platform.schema_migrations WHERE version < 900)) WHERE module = 'legacy';
SELECT name, detail FROM platform.verify() WHERE NOT passed;
ROLLBACK;
