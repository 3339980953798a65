-- Where leads, agents and appointments are kept: the newest lead routes, an agent's number is its organization's, YES confirms the next appointment
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set a '\'5a170000-0000-4000-8000-000000000001\''
\set b '\'5a170000-0000-4000-8000-000000000002\''
\set ada '\'5a170000-0000-4000-8000-0000000000a1\''
\set cal '\'5a170000-0000-4000-8000-0000000000c1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:a, 'Acme'), (:b, 'Best');
INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES ('+13125550900', NULL);
INSERT INTO platform.leads (organization_id, name, phone, created_at) VALUES (:a, 'Eve', '+13125550901', now() - interval '2 days'), (:b, 'Eve', '+13125550901', now() - interval '1 day'), (:a, 'Ed', '+13125550902', now());
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@messaging-crm.example');
INSERT INTO platform.agents (organization_id, user_id, phone_number, nickname) VALUES (:a, :ada, '+13125550910', 'Acme');
INSERT INTO platform.appointments (organization_id, calendar_id, customer_name, customer_phone, start_time, end_time, status) VALUES
	(:a, :cal, 'Ed', '+13125550902', now() - interval '1 day', now() - interval '23 hours', 'booked'),
	(:a, :cal, 'Ed', '+13125550902', now() + interval '1 day', now() + interval '25 hours', 'booked'),
	(:a, :cal, 'Ed', '+13125550902', now() + interval '2 days', now() + interval '49 hours', 'booked'),
	(:b, :cal, 'Ed', '+13125550902', now() + interval '1 hour', now() + interval '2 hours', 'booked');
CREATE FUNCTION pg_temp.name(id uuid) RETURNS text LANGUAGE sql AS 'SELECT o.name FROM platform.organizations o WHERE o.id = $1';
CREATE TEMP VIEW appointment AS SELECT pg_temp.name(organization_id), start_time > now() AS future, status FROM platform.appointments WHERE customer_phone = '+13125550902' ORDER BY organization_id, start_time;
\o
\set ECHO all

-- the newest lead of that number, as it is
SELECT route, method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550901', '3125550900', 'Hello', 'messaging-crm-1');
SELECT route, method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550902', '3125550900', 'Hello', 'messaging-crm-2');
SELECT route FROM platform.receive_sms('5550902', '3125550900', 'Hello', 'messaging-crm-3', region => 'DE');
-- FAULT of old: with a conversation the lead of another was taken. A conversation comes first
INSERT INTO platform.messages (organization_id, direction, from_number, to_number, thread_id, body, status) VALUES (:a, 'outbound', '+13125550900', '+13125550901', '+13125550901', 'Hello', 'sent');
SELECT method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550901', '3125550900', 'Hello again', 'messaging-crm-4');
-- an agent's number
SELECT method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550903', '3125550910', 'Hello', 'messaging-crm-5');
-- yes: the next appointment with that organization, and no other
SELECT route, keyword, auto_reply FROM platform.receive_sms('3125550902', '3125550900', 'Yes!', 'messaging-crm-6');
SELECT * FROM appointment;
SELECT keyword_detected, auto_handled FROM platform.messages WHERE body = 'Yes!' AND organization_id = :a;
-- no is noted, and people see to it
SELECT keyword FROM platform.receive_sms('3125550902', '3125550900', 'no', 'messaging-crm-7');
SELECT keyword_detected, auto_handled FROM platform.messages WHERE body = 'no' AND organization_id = :a;
-- yes, once more: the one after it; then there is none
SELECT keyword FROM platform.receive_sms('3125550902', '3125550900', 'ok', 'messaging-crm-8');
SELECT keyword FROM platform.receive_sms('3125550902', '3125550900', 'y', 'messaging-crm-9');
SELECT provider_message_id, action_taken FROM platform.sms_inbound WHERE provider_message_id IN ('messaging-crm-8', 'messaging-crm-9') ORDER BY provider_message_id COLLATE "C";
SELECT * FROM appointment;
-- the look-up is in the index alone
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT organization_id FROM platform.leads WHERE phone = '+13125550901' ORDER BY created_at DESC LIMIT 1;
ROLLBACK;
