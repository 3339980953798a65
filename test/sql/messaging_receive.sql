-- A message finds its organization, or nobody's; opting out comes before everything; nobody gets what is another's
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set a '\'5a110000-0000-4000-8000-000000000001\''
\set b '\'5a110000-0000-4000-8000-000000000002\''
\set c '\'5a110000-0000-4000-8000-000000000003\''
\set ada '\'5a110000-0000-4000-8000-0000000000a1\''
\set shared '\'+13125550200\''
\set own '\'+13125550201\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:a, 'Acme Plumbing'), (:b, 'Best Heating'), (:c, 'Cool Air');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@messaging-receive.example');
INSERT INTO platform.sms_settings (organization_id, quiet_from, quiet_until, help_phone) VALUES (:a, '0:00', '0:00', '+13125550299'), (:b, '0:00', '0:00', NULL), (:c, '0:00', '0:00', NULL);
INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES (:shared, NULL), (:own, :c);
-- what a sender does: queue, claim, report
CREATE FUNCTION pg_temp.deliver(organization uuid, phone text, body text DEFAULT 'We are on the way', number text DEFAULT '+13125550200') RETURNS text LANGUAGE sql AS $$
	SELECT platform.send_sms(organization, phone, body, 'quick_action_enroute', from_number => number);
	SELECT platform.complete_sms(tenant, id, lease_id, 'sent', 'OUT-' || id) FROM platform.claim_sms(organization);
$$;
CREATE FUNCTION pg_temp.name(id uuid) RETURNS text LANGUAGE sql AS 'SELECT o.name FROM platform.organizations o WHERE o.id = $1';
\o
\set ECHO all

-- a dedicated number is its organization's, whoever writes
SELECT route, method, pg_temp.name(organization_id), keyword, auto_reply, duplicate FROM platform.receive_sms('(312) 555-0101', :own, 'Are you open?', 'D1');
SELECT direction, from_number, to_number, thread_id, body, status, routing_method, auto_handled FROM platform.messages WHERE organization_id = :c;
-- the same message twice is one
SELECT route, method, pg_temp.name(organization_id), duplicate FROM platform.receive_sms('3125550101', :own, 'Are you open?', 'D1');
SELECT count(*) FROM platform.messages WHERE organization_id = :c;
-- a number that is nobody's
SELECT route, method, organization_id, auto_reply FROM platform.receive_sms('3125550101', '3125550777', 'Hello', 'D2');
-- a shared one: nobody knows the customer
SELECT route, method, organization_id, auto_reply FROM platform.receive_sms('3125550101', :shared, 'Hello', 'S1');

-- one organization wrote to the customer: it is its conversation
SELECT pg_temp.deliver(:a, '3125550102');
SELECT from_number, business_name, locked_until > now() + interval '71 hours' AS three_days FROM platform.sms_thread_locks WHERE organization_id = :a;
SELECT route, method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550102', :shared, 'Great, when?', 'S2');
-- FAULT of old: history with exactly one organization found nothing. Without the lock it is found
UPDATE platform.sms_thread_locks SET locked_until = now() - interval '1 s' WHERE organization_id = :a;
SELECT route, method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550102', :shared, 'Are you there?', 'S3');
-- older than 72 hours it is nobody's
UPDATE platform.messages SET created_at = created_at - interval '73 hours' WHERE organization_id = :a AND direction = 'outbound';
SELECT route, organization_id FROM platform.receive_sms('3125550102', :shared, 'Hello?', 'S4');
-- what failed is no conversation
SELECT status FROM platform.send_sms(:a, '3125550103', 'Hello', 'quick_action_enroute');
SELECT platform.complete_sms(tenant, id, lease_id, 'failed', error => 'no such number') FROM platform.claim_sms(:a);
SELECT route FROM platform.receive_sms('3125550103', :shared, 'Hello?', 'S5');
-- what is just being sent is one: the answer may be faster than the sender's report
SELECT status FROM platform.send_sms(:a, '3125550104', 'Hello', 'quick_action_enroute');
SELECT count(*) AS claimed FROM platform.claim_sms(:a);
SELECT route, method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550104', :shared, 'Yes?', 'S6');

-- FAULT of old: the last who sent took the conversation over. Two wrote: the customer is asked
SELECT pg_temp.deliver(:a, '3125550105', 'Plumber at 5'), pg_temp.deliver(:b, '3125550105', 'Heating at 6');
SELECT pg_temp.name(organization_id) AS still FROM platform.sms_thread_locks WHERE from_number = '+13125550105';
SELECT route, method, organization_id, message_id, auto_reply FROM platform.receive_sms('3125550105', :shared, 'Can you come later?', 'C1');
-- FAULT of old: the message went to the first of them meanwhile. It is nobody's
SELECT count(*) FROM platform.messages WHERE direction = 'inbound' AND from_number = '+13125550105';
SELECT status, business_names, customer_choice, expires_at > now() AS open FROM platform.sms_collision_log WHERE from_number = '+13125550105';
-- a digit out of range is no answer; another message is asked about again
SELECT route, keyword, auto_reply FROM platform.receive_sms('3125550105', :shared, '3', 'C2');
-- the answer delivers all that waited, in its order
SELECT array_position(business_names, 'Best Heating') AS choice FROM platform.sms_collision_log WHERE from_number = '+13125550105' AND status = 'pending' \gset
SELECT route, method, pg_temp.name(organization_id), keyword, auto_reply FROM platform.receive_sms('3125550105', :shared, :'choice', 'C3');
SELECT pg_temp.name(organization_id), body, routing_method, auto_handled FROM platform.messages WHERE direction = 'inbound' AND from_number = '+13125550105' ORDER BY created_at;
SELECT status, customer_choice = :choice AS chosen, pg_temp.name(resolved_organization_id) FROM platform.sms_collision_log WHERE from_number = '+13125550105';
-- now it is theirs, without more questions
SELECT route, method, pg_temp.name(organization_id) FROM platform.receive_sms('3125550105', :shared, 'Thank you', 'C4');
-- until another one writes again
SELECT pg_temp.deliver(:a, '3125550105', 'Still at 5?');
SELECT pg_temp.name(organization_id) AS lock_of FROM platform.sms_thread_locks WHERE from_number = '+13125550105';
SELECT route FROM platform.receive_sms('3125550105', :shared, 'Yes', 'C5');
-- FAULT of old: the question never expired, and a later 1 was its answer
UPDATE platform.sms_collision_log SET expires_at = now() - interval '1 s' WHERE from_number = '+13125550105' AND status = 'pending';
DELETE FROM platform.sms_inbound_rate_limits WHERE from_number = '+13125550105';
SELECT route, keyword FROM platform.receive_sms('3125550105', :shared, '1', 'C6');
SELECT status, count(*) FROM platform.sms_collision_log WHERE from_number = '+13125550105' GROUP BY status ORDER BY status COLLATE "C";
-- without a question a digit is a message like any other
SELECT pg_temp.deliver(:a, '3125550106');
SELECT route, keyword, pg_temp.name(organization_id), auto_reply FROM platform.receive_sms('3125550106', :shared, '1', 'C7');

-- STOP: FAULT of old: nothing was stored. On a shared number it is for all, and for whom the customer was talking with
SELECT route, keyword, pg_temp.name(organization_id), auto_reply FROM platform.receive_sms('3125550106', :shared, 'Stop.', 'O1');
SELECT pg_temp.name(organization_id), phone, global_opt_out, source, to_number, keyword FROM platform.sms_opt_out WHERE phone = '+13125550106' ORDER BY global_opt_out;
SELECT channel, request_type, global_opt_out, message_id FROM platform.opt_out_requests WHERE phone_number = '+13125550106' ORDER BY global_opt_out;
-- confirmed once
SELECT keyword, auto_reply FROM platform.receive_sms('3125550106', :shared, 'STOP', 'O2');
-- FAULT of old: who was unknown never reached STOP
SELECT route, keyword, organization_id, auto_reply FROM platform.receive_sms('3125550107', :shared, 'unsubscribe', 'O3');
SELECT global_opt_out FROM platform.sms_opt_out WHERE phone = '+13125550107';
-- FAULT of old: nor who was in the middle of a question
SELECT pg_temp.deliver(:a, '3125550108'), pg_temp.deliver(:b, '3125550108');
SELECT route FROM platform.receive_sms('3125550108', :shared, 'What?', 'O4');
SELECT route, keyword FROM platform.receive_sms('3125550108', :shared, 'stop', 'O5');
SELECT reason FROM platform.send_sms(:b, '3125550108', 'Hello', 'auto_eta') UNION ALL SELECT reason FROM platform.send_sms(:c, '3125550108', 'Hello', 'auto_eta');
-- FAULT of old: the sixth message was dropped, also when it said STOP
SELECT route, auto_reply FROM generate_series(1, 7) AS i, platform.receive_sms('3125550109', :own, 'Message ' || i, 'L' || i);
SELECT route, keyword FROM platform.receive_sms('3125550109', :own, 'STOP', 'L8');
SELECT pg_temp.name(organization_id), global_opt_out FROM platform.sms_opt_out WHERE phone = '+13125550109';
SELECT count_10min, count_daily, block_reason, blocked_until > now() AS blocked FROM platform.sms_inbound_rate_limits WHERE from_number = '+13125550109';
-- nothing is lost: it is there, for nobody
SELECT count(*) FROM platform.sms_inbound WHERE route = 'rate_limited' AND from_number = '+13125550109';
-- after ten minutes it goes on; twenty a day are the end, without notice, until midnight
UPDATE platform.sms_inbound_rate_limits SET blocked_until = now() - interval '1 s', window_start = now() - interval '11 min', count_daily = 19 WHERE from_number = '+13125550109';
SELECT route, auto_reply FROM platform.receive_sms('3125550109', :own, 'Again', 'L9');
SELECT route, auto_reply FROM platform.receive_sms('3125550109', :own, 'Again', 'L10');
SELECT block_reason, blocked_until = date_trunc('day', now()) + interval '1 day' AS midnight FROM platform.sms_inbound_rate_limits WHERE from_number = '+13125550109';
UPDATE platform.sms_inbound_rate_limits SET window_date = window_date - 1, blocked_until = now() - interval '1 s', window_start = now() - interval '1 hour' WHERE from_number = '+13125550109';
SELECT route FROM platform.receive_sms('3125550109', :own, 'Next day', 'L11');

-- START: FAULT of old: it took back what was said to every organization. On a dedicated number it is for that one
SELECT platform.opt_out_phone(:a, '3125550109'), platform.opt_out_phone(:b, '3125550109', 'call');
SELECT route, keyword, pg_temp.name(organization_id), auto_reply FROM platform.receive_sms('3125550109', :own, 'START', 'T1');
SELECT pg_temp.name(organization_id), source FROM platform.sms_opt_out WHERE phone = '+13125550109' ORDER BY organization_id;
-- changes nothing: no answer
SELECT keyword, auto_reply FROM platform.receive_sms('3125550109', :own, 'start', 'T2');
-- on the shared number it takes back what was said there
SELECT keyword, auto_reply FROM platform.receive_sms('3125550106', :shared, 'Unstop', 'T3');
SELECT count(*) FROM platform.sms_opt_out WHERE phone = '+13125550106';
-- it does not undo what was said elsewhere, and says so
SELECT auto_reply IS NOT NULL AS confirmed FROM platform.receive_sms('3125550110', :shared, 'STOP', 'T4') UNION ALL SELECT auto_reply IS NOT NULL FROM platform.receive_sms('3125550110', :own, 'STOP', 'T5');
SELECT auto_reply FROM platform.receive_sms('3125550110', :own, 'START', 'T6');
SELECT reason FROM platform.send_sms(:c, '3125550110', 'Hello', 'auto_eta');

-- other commands
SELECT keyword, auto_reply FROM platform.receive_sms('3125550111', :own, 'HELP', 'K1');
SELECT pg_temp.deliver(:a, '3125550112');
SELECT keyword, auto_reply FROM platform.receive_sms('3125550112', :shared, 'help!', 'K2') UNION ALL SELECT keyword, auto_reply FROM platform.receive_sms('3125550112', :shared, 'Can we reschedule?', 'K3')
UNION ALL SELECT keyword, auto_reply FROM platform.receive_sms('3125550112', :shared, 'yes', 'K4') UNION ALL SELECT keyword, auto_reply FROM platform.receive_sms('3125550112', :shared, 'no', 'K5');
SELECT body, keyword_detected, auto_handled FROM platform.messages WHERE thread_id = '+13125550112' AND direction = 'inbound' ORDER BY created_at;
SELECT keyword_detected, original_body, auto_response_sent, action_taken FROM platform.sms_keyword_responses WHERE from_number = '+13125550112' ORDER BY created_at;
-- HELP needs no business to be known, nor does it ask
SELECT route, keyword, auto_reply FROM platform.receive_sms('3125550113', :shared, 'HELP', 'K6');
SELECT route, keyword FROM platform.receive_sms('3125550105', :shared, 'HELP', 'K7');
-- FAULT of old: remove and exchange were taken for another time
SELECT keyword, auto_reply FROM platform.receive_sms('3125550114', :own, 'Please remove the old unit', 'K8');
-- FAULT of old: cancel my appointment ended the messages
SELECT keyword FROM platform.receive_sms('3125550114', :own, 'cancel my appointment', 'K9');
SELECT allowed, reason FROM platform.may_send_sms(:c, '3125550114', 'auto_eta');
-- pictures only; nothing at all
SELECT route, keyword FROM platform.receive_sms('3125550115', :own, NULL, 'P1') UNION ALL SELECT route, keyword FROM platform.receive_sms('3125550115', :own, '', 'P2');

-- arguments
SAVEPOINT s;
SELECT platform.receive_sms(NULL, :own, 'x', 'E1'); ROLLBACK TO s;
SELECT platform.receive_sms('TWILIO', :own, 'x', 'E1'); ROLLBACK TO s;
SELECT platform.receive_sms('3125550115', 'x', 'x', 'E1'); ROLLBACK TO s;
SELECT platform.receive_sms('3125550115', :own, 'x', NULL); ROLLBACK TO s;
SELECT platform.receive_sms('3125550115', :own, 'x', ''); ROLLBACK TO s;
SELECT platform.receive_sms('3125550115', :own, repeat('x', 1601), 'E1'); ROLLBACK TO s;
SELECT platform.receive_sms('3125550115', :own, 'x', 'E1', 'infinity'); ROLLBACK TO s;
SELECT platform.receive_sms('3125550115', :own, 'x', 'E1', region => 'XX'); ROLLBACK TO s;
-- operators only; members see their own
\o /dev/null
SELECT platform.set_context(:a, :ada, 'agent');
\o
SAVEPOINT s;
SET ROLE platform_test_member;
SELECT platform.receive_sms('3125550115', :own, 'x', 'E1'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT count(*) > 0 AS own, count(*) FILTER (WHERE organization_id <> :a) AS others FROM platform.messages;
SELECT count(*) > 0 AS own, count(*) FILTER (WHERE organization_id <> :a) AS others FROM platform.sms_opt_out;
SELECT phone_number FROM platform.sms_numbers WHERE phone_number LIKE '+1312555020%';
SELECT * FROM platform.sms_inbound; ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT * FROM platform.sms_thread_locks; ROLLBACK TO s;
SET ROLE platform_test_member;
INSERT INTO platform.sms_opt_out (phone) VALUES ('+13125550101'); ROLLBACK TO s;
SET ROLE platform_test_member;
DELETE FROM platform.sms_opt_out WHERE true; ROLLBACK TO s;
SET ROLE platform_test_stranger;
SELECT platform.receive_sms('3125550115', :own, 'x', 'E1'); ROLLBACK TO s;
ROLLBACK;
