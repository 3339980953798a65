-- A webhook for a number that is nobody's is kept; once an agent has the number it is processed, once
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''95600000-0000-4000-8000-000000000001'''
\set platform '''00000000-0000-0000-0000-000000000000'''
\set own '''95600000-0000-4000-8000-0000000000a1'''
\set shared '''95600000-0000-4000-8000-0000000000a2'''
\set user '''95600000-0000-4000-8000-0000000000b1'''
\set second '''95600000-0000-4000-8000-0000000000b2'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Numbers');
INSERT INTO platform.users (id, email) VALUES (:user, 'numbers@example.com'), (:second, 'numbers2@example.com');
INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES (:org, :user, 'owner'), (:org, :second, 'member');
-- an account of the organization, and one of the platform, which receives for all
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret) VALUES
	(:own, :org, 'custom', 'Own', '{}', 'secret'), (:shared, :platform, 'custom', 'Shared', '{}', 'secret');
CREATE SCHEMA inbox_numbers;
CREATE TABLE inbox_numbers.calls (webhook_id uuid, agent uuid, call_id text);
-- as an application does it: whose number is that?
CREATE FUNCTION inbox_numbers.on_call(organization_id uuid, webhook_id uuid, event_type text, payload jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	its record;
BEGIN
	SELECT * INTO its FROM platform.webhook_queue q, platform.agent_for_number(q.phone_number) a WHERE q.id = webhook_id AND a.answers;
	IF NOT FOUND THEN RETURN 'unknown_number'; END IF;
	INSERT INTO inbox_numbers.calls VALUES (webhook_id, its.agent, payload #>> '{call,call_id}');
	RETURN 'success';
END $$;
SELECT platform.register_inbound_handler('retell', '*', 'inbox_numbers.on_call');
CREATE FUNCTION pg_temp.come(account text, call_id text, number text) RETURNS text LANGUAGE sql AS $$
	SELECT i.status FROM (SELECT convert_to(format('{"event": "call_started", "call": {"call_id": "%s", "to_number": "%s"}}', call_id, number), 'UTF8') AS body) b,
		platform.ingest_webhook('retell', account, platform.sign_webhook_request('retell', b.body, ARRAY['secret']), b.body) i $$;
CREATE VIEW pg_temp.queue AS SELECT idempotency_key AS key, status, result, attempts, replays FROM platform.webhook_queue
	WHERE account_id IN ('95600000-0000-4000-8000-0000000000a1', '95600000-0000-4000-8000-0000000000a2') ORDER BY idempotency_key COLLATE "C";

-- nobody has the numbers: three calls are kept, and told
SELECT pg_temp.come(:own, 'n1', '+13125550161'), pg_temp.come(:shared, 'n2', '+13125550161'), pg_temp.come(:own, 'n3', '+13125550162');
SELECT * FROM platform.process_inbound(only_source => 'retell');
SELECT * FROM queue;
SELECT phone_number, events FROM platform.list_unknown_phones(:org) ORDER BY phone_number COLLATE "C";
SELECT title, phone_number, occurrences FROM platform.ops_alerts WHERE alert_type = 'unknown_phone_spike' AND organization_id = :org ORDER BY phone_number COLLATE "C";
SELECT count(*) FROM inbox_numbers.calls;

-- an agent that is made is nobody's answer yet
SELECT started FROM platform.start_agent_deploy(:org, :user, 'numbers-1');
SELECT * FROM platform.process_inbound(only_source => 'retell');
-- deployed, it has the number: what came to its organization and to the platform waits no more, another number does
SELECT platform.finish_agent_deploy(:org, d.id, true, 'ag-1', '(312) 555-0161', 'pn-1') FROM platform.agent_deployments d WHERE d.organization_id = :org;
SELECT key, status, attempts, replays FROM queue;
SELECT * FROM platform.process_inbound(only_source => 'retell');
SELECT * FROM queue;
SELECT call_id, agent = (SELECT id FROM platform.agents WHERE user_id = :user) AS its FROM inbox_numbers.calls ORDER BY call_id;
SELECT phone_number, resolution, resolved_at IS NOT NULL AS resolved FROM platform.unknown_phone WHERE organization_id = :org ORDER BY phone_number COLLATE "C";
-- once: a later change of the agent, the same webhook again, and processing again add nothing
UPDATE platform.agents SET phone_number = '+13125550161', nickname = 'again' WHERE user_id = :user;
SELECT pg_temp.come(:own, 'n1', '+13125550161');
SELECT * FROM platform.process_inbound(only_source => 'retell');
SELECT call_id, count(*) FROM inbox_numbers.calls GROUP BY 1 ORDER BY 1;

-- a number that is written into the table, and an agent that answers again
INSERT INTO platform.agents (organization_id, user_id, agent_id, phone_number, status) VALUES (:org, :second, 'ag-2', '+1 312 555 0162', 'pending');
SELECT * FROM platform.process_inbound(only_source => 'retell');
UPDATE platform.agents SET status = 'active' WHERE user_id = :second;
SELECT * FROM platform.process_inbound(only_source => 'retell');
SELECT call_id, count(*) FROM inbox_numbers.calls GROUP BY 1 ORDER BY 1;
SELECT * FROM queue;

-- a number assigned in a transaction that was not committed when the handler looked: the event is tried again
SELECT pg_temp.come(:own, 'n4', '+13125550163');
SELECT unknown FROM platform.process_inbound(only_source => 'retell');
ALTER TABLE platform.agents DISABLE TRIGGER agents_replay;
UPDATE platform.agents SET phone_number = '+13125550163' WHERE user_id = :second;
ALTER TABLE platform.agents ENABLE TRIGGER agents_replay;
UPDATE platform.webhook_queue SET due_at = clock_timestamp() WHERE idempotency_key = 'call_started:n4' AND due_at > clock_timestamp();
SELECT processed FROM platform.process_inbound(only_source => 'retell');
SELECT * FROM queue WHERE key = 'call_started:n4';
SELECT resolution FROM platform.unknown_phone WHERE organization_id = :org AND phone_number = '+13125550163';

-- an organization takes its inbox with it
DELETE FROM platform.agents WHERE organization_id = :org;
SELECT count(*) > 0 AS events FROM platform.webhook_queue WHERE organization_id = :org;
DELETE FROM platform.organizations WHERE id = :org;
SELECT (SELECT count(*) FROM platform.webhook_queue WHERE organization_id = :org) AS events, (SELECT count(*) FROM platform.webhook_requests WHERE organization_id = :org) AS requests,
	(SELECT count(*) FROM platform.webhook_keys WHERE organization_id = :org) AS keys, (SELECT count(*) FROM platform.unknown_phone WHERE organization_id = :org) AS numbers;
CREATE TRIGGER organizations_wrong BEFORE DELETE ON platform.organizations FOR EACH ROW EXECUTE FUNCTION platform.delete_inbox();
DELETE FROM platform.organizations WHERE id = '95600000-0000-4000-8000-00000000dead';
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Numbers');
DELETE FROM platform.organizations WHERE id = :org;
ROLLBACK;
