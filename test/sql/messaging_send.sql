-- Sending: every gate with its reason, keys, quiet hours by time zone, numbers, an exact throttle; nothing counts for what is refused
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set a '\'5a120000-0000-4000-8000-000000000001\''
\set b '\'5a120000-0000-4000-8000-000000000002\''
\set ada '\'5a120000-0000-4000-8000-0000000000a1\''
\set bob '\'5a120000-0000-4000-8000-0000000000b1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:a, 'Acme Plumbing'), (:b, 'Best Heating');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@messaging-send.example'), (:bob, 'bob@messaging-send.example');
INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES ('+13125550300', NULL), ('+13125550301', :a);
CREATE TEMP VIEW queue AS SELECT organization_id = '5a120000-0000-4000-8000-000000000001' AS of_a, from_number, to_number, body, segments, encoding, source, status, idempotency_key
FROM platform.outbound_sms_log WHERE organization_id IN ('5a120000-0000-4000-8000-000000000001', '5a120000-0000-4000-8000-000000000002') ORDER BY id;
CREATE FUNCTION pg_temp.places(organization uuid) RETURNS bigint LANGUAGE sql AS 'SELECT coalesce(sum(count), 0) FROM platform.sms_outbound_throttle t WHERE t.organization_id = organization';
\o
\set ECHO all

-- queued: on the own number as it is, on a shared one with the name of the business
SELECT status, reason, segments, due_at <= clock_timestamp() AS now, created FROM platform.send_sms(:a, '(312) 555-0401', 'On our way', 'quick_action_enroute', 'job-1');
SELECT status, segments FROM platform.send_sms(:b, '3125550401', 'On our way', 'quick_action_enroute');
SELECT status FROM platform.send_sms(:a, '3125550401', 'On our way', 'quick_action_enroute', from_number => '3125550300');
SELECT * FROM queue;
-- the key is the message
SELECT created, status, id = (SELECT id FROM platform.outbound_sms_log WHERE idempotency_key = 'job-1' AND organization_id = :a) AS same FROM platform.send_sms(:a, '3125550401', 'On our way', 'quick_action_enroute', 'job-1');
SAVEPOINT s;
SELECT platform.send_sms(:a, '3125550402', 'On our way', 'quick_action_enroute', 'job-1'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', 'Other words', 'quick_action_enroute', 'job-1'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', 'On our way', 'auto_eta', 'job-1'); ROLLBACK TO s;
-- another organization's keys are its own
SELECT created FROM platform.send_sms(:b, '3125550401', 'Hello', 'auto_eta', 'job-1');
SELECT pg_temp.places(:a) AS a, pg_temp.places(:b) AS b;

-- refused, with the reason; FAULT of old: any source but the word manual was taken
SELECT source, status, reason, id IS NULL AS nothing, created FROM unnest('{manual,Manual,free,auto_post_calls,system_opt_out2}'::text[]) AS source, platform.send_sms(:a, '3125550401', 'x', source);
SELECT phone, reason FROM unnest('{911,nobody,+0123,12345678901234567}'::text[]) AS phone, platform.send_sms(:a, phone, 'x', 'auto_eta');
SELECT reason FROM platform.send_sms(:a, '3125550401', 'x', 'auto_eta', from_number => '3125550999');
SELECT reason FROM platform.send_sms(:b, '3125550401', 'x', 'auto_eta', from_number => '3125550301');
SELECT reason FROM platform.send_sms(:b, '3125550401', repeat('x', 1600), 'auto_eta');
SELECT status FROM platform.send_sms(:a, '3125550401', repeat('x', 1600), 'auto_eta');
UPDATE platform.sms_numbers SET is_active = false WHERE phone_number = '+13125550300';
SELECT reason FROM platform.send_sms(:b, '3125550401', 'x', 'auto_eta');
UPDATE platform.sms_numbers SET is_active = true WHERE phone_number = '+13125550300';
INSERT INTO platform.sms_settings (organization_id, sending_enabled) VALUES (:b, false);
SELECT reason FROM platform.send_sms(:b, '3125550401', 'x', 'auto_eta') UNION ALL SELECT reason FROM platform.may_send_sms(:b, '3125550401', 'auto_eta');
UPDATE platform.sms_settings SET sending_enabled = true WHERE organization_id = :b;
UPDATE platform.organizations SET status = 'suspended' WHERE id = :b;
SELECT reason FROM platform.send_sms(:b, '3125550401', 'x', 'auto_eta') UNION ALL SELECT reason FROM platform.may_send_sms(:b, '3125550401', 'auto_eta');
UPDATE platform.organizations SET status = 'active' WHERE id = :b;
-- opt-outs: of the organization, of all; FAULT of old: the global one was not looked at without a shared number
SELECT platform.opt_out_phone(:a, '3125550403');
SELECT reason FROM platform.send_sms(:a, '3125550403', 'x', 'auto_eta') UNION ALL SELECT coalesce(reason, status) FROM platform.send_sms(:b, '3125550403', 'x', 'auto_eta');
SELECT platform.opt_out_phone(:a, '3125550404', everywhere => true);
SELECT reason FROM platform.send_sms(:a, '3125550404', 'x', 'auto_eta') UNION ALL SELECT reason FROM platform.send_sms(:b, '3125550404', 'x', 'auto_eta') UNION ALL SELECT reason FROM platform.may_send_sms(:b, '3125550404', 'auto_eta');
-- FAULT of old: two opt-outs of one number were an error, and that was taken for none
SELECT platform.opt_out_phone(:a, '3125550404'), count(*) FROM platform.sms_opt_out WHERE phone = '+13125550404' GROUP BY 1;
SELECT reason FROM platform.send_sms(:a, '3125550404', 'x', 'auto_eta');
-- the confirmation of an opt-out may go
SELECT status FROM platform.send_sms(:a, '3125550404', 'You are unsubscribed', 'system_opt_out');
-- what was refused took no place
SELECT count(*) FILTER (WHERE of_a) = pg_temp.places(:a) AS a, count(*) FILTER (WHERE NOT of_a) = pg_temp.places(:b) AS b FROM queue;

-- an opt-out cancels what is queued for the number, from that organization
SELECT status FROM platform.send_sms(:a, '3125550405', 'x', 'auto_eta') UNION ALL SELECT status FROM platform.send_sms(:b, '3125550405', 'x', 'auto_eta');
SELECT platform.opt_out_phone(:a, '3125550405'), platform.opt_out_phone(:a, '3125550405') AS again;
SELECT of_a, status FROM queue WHERE to_number = '+13125550405';
SELECT platform.opt_in_phone(:a, '3125550405'), platform.opt_in_phone(:a, '3125550405') AS again;
SELECT of_a, status FROM queue WHERE to_number = '+13125550405';

-- quiet hours: 21:00 to 08:00 of the customer, else of the organization, also when clocks change
CREATE FUNCTION pg_temp.due(at timestamptz, zone text DEFAULT NULL, source text DEFAULT 'auto_reminder') RETURNS TABLE (reason text, due timestamptz) LANGUAGE sql AS
	$$ SELECT reason, due_at FROM platform.may_send_sms('5a120000-0000-4000-8000-000000000001', '3125550401', source, at => at, timezone => zone) $$;
UPDATE platform.organizations SET timezone = 'America/Chicago' WHERE id = :a;
SELECT at, zone, d.* FROM (VALUES ('2031-01-15 20:59:59-06', NULL), ('2031-01-15 21:00-06', NULL), ('2031-01-15 23:30-06', NULL), ('2031-01-16 03:00-06', NULL), ('2031-01-16 07:59:59.5-06', NULL), ('2031-01-16 08:00-06', NULL),
	('2031-01-15 20:00-06', 'America/New_York'), ('2031-01-15 20:00-06', 'America/Los_Angeles'), ('2031-03-08 23:00-06', NULL), ('2031-11-01 23:00-05', NULL), ('2031-12-31 23:00-06', NULL), ('2031-06-01 01:00+05:30', 'Asia/Kolkata')) AS t (at, zone), pg_temp.due(at::timestamptz, zone) AS d;
-- sources that answer the customer do not wait
SELECT * FROM pg_temp.due('2031-01-15 23:30-06', source => 'auto_confirmation');
-- own hours; none
INSERT INTO platform.sms_settings (organization_id, quiet_from, quiet_until, timezone) VALUES (:a, '12:00', '14:30', 'Europe/Berlin');
SELECT at, d.* FROM unnest('{2031-01-15 11:59+01,2031-01-15 12:00+01,2031-01-15 14:29+01,2031-01-15 14:30+01,2031-01-15 23:00+01}'::timestamptz[]) AS at, pg_temp.due(at) AS d;
UPDATE platform.sms_settings SET quiet_from = '0:00', quiet_until = '0:00' WHERE organization_id = :a;
SELECT * FROM pg_temp.due('2031-01-15 03:00+01');
-- a message waits in the queue
UPDATE platform.sms_settings SET quiet_from = '21:00', quiet_until = '08:00', timezone = NULL WHERE organization_id = :a;
SELECT status, due_at FROM platform.send_sms(:a, '3125550406', 'Tomorrow', 'auto_reminder', send_after => '2031-01-15 23:30-06');

-- FAULT of old: the throttle was read, then written. As many as the minute has, and not one more (not while a minute ends)
\o /dev/null
SELECT pg_sleep(61 - extract(second FROM clock_timestamp())) WHERE extract(second FROM clock_timestamp()) > 55;
\o
UPDATE platform.sms_settings SET per_minute = 5 WHERE organization_id = :b;
DELETE FROM platform.sms_outbound_throttle WHERE organization_id = :b;
SELECT coalesce(reason, status) AS outcome, count(*) FROM generate_series(1, 8) AS i, platform.send_sms(:b, '312555' || to_char(1000 + i, 'FM0000'), 'x', 'auto_eta') GROUP BY 1 ORDER BY min(coalesce(reason, status) COLLATE "C");
SELECT pg_temp.places(:b);
SELECT reason FROM platform.may_send_sms(:b, '3125550401', 'auto_eta');
-- rolled back, a place is free again
UPDATE platform.sms_settings SET per_minute = 6 WHERE organization_id = :b;
SAVEPOINT place;
SELECT status FROM platform.send_sms(:b, '3125550401', 'x', 'auto_eta');
SELECT reason FROM platform.send_sms(:b, '3125550401', 'x', 'auto_eta');
ROLLBACK TO place;
SELECT status FROM platform.send_sms(:b, '3125550401', 'x', 'auto_eta');
-- what waits for its time goes to the next minute with a place
SELECT due_at, count(*) FROM generate_series(1, 14) AS i, platform.send_sms(:b, '312555' || to_char(2000 + i, 'FM0000'), 'x', 'auto_reminder', send_after => '2031-01-15 09:00+00', timezone => 'UTC') GROUP BY 1 ORDER BY 1;
UPDATE platform.sms_settings SET per_minute = 0 WHERE organization_id = :b;
SELECT reason FROM platform.send_sms(:b, '3125550401', 'x', 'auto_reminder', send_after => '2031-01-15 10:00+00', timezone => 'UTC');
UPDATE platform.sms_settings SET per_minute = 60 WHERE organization_id = :b;

-- members: for their organization, in their own name, twenty a minute; no system messages
\o /dev/null
SELECT platform.set_context(:a, :ada, 'agent');
SELECT pg_sleep(61 - extract(second FROM clock_timestamp())) WHERE extract(second FROM clock_timestamp()) > 55;
\o
SAVEPOINT s;
SET ROLE platform_test_member;
SELECT status FROM platform.send_sms(:a, '3125550401', 'Done', 'quick_action_complete');
RESET ROLE;
SELECT user_id = :ada AS hers FROM platform.outbound_sms_log WHERE body = 'Done';
SET ROLE platform_test_member;
SELECT reason FROM platform.send_sms(:a, '3125550404', 'x', 'system_opt_out') UNION ALL SELECT reason FROM platform.may_send_sms(:a, '3125550404', 'system_opt_out');
SELECT coalesce(reason, status) AS outcome, count(*) FROM generate_series(1, 22) AS i, platform.send_sms(:a, '312555' || to_char(3000 + i, 'FM0000'), 'x', 'auto_eta') GROUP BY 1 ORDER BY min(coalesce(reason, status) COLLATE "C");
SELECT reason FROM platform.may_send_sms(:a, '3125550401', 'auto_eta');
SELECT platform.send_sms(:b, '3125550401', 'x', 'auto_eta'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.may_send_sms(:b, '3125550401', 'auto_eta'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.send_sms(:a, '3125550401', 'x', 'auto_eta', user_id => :bob); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.opt_out_phone(:b, '3125550401'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.opt_out_phone(:a, '3125550401', everywhere => true); ROLLBACK TO s;
-- what a customer said by SMS a member does not take back
SELECT platform.opt_out_phone(:a, '3125550407', 'sms'), platform.opt_out_phone(:a, '3125550408', 'call');
SAVEPOINT s;
SET ROLE platform_test_member;
SELECT platform.opt_in_phone(:a, '3125550408');
SELECT platform.opt_in_phone(:a, '3125550407'); ROLLBACK TO s;
SELECT platform.opt_in_phone(:a, '3125550407');
-- settings: administrators, but for how many a minute
SAVEPOINT s;
SET ROLE platform_test_member;
UPDATE platform.sms_settings SET quiet_from = '22:00' WHERE organization_id = :a RETURNING quiet_from; ROLLBACK TO s;
\o /dev/null
SELECT platform.set_context(:a, :ada, 'admin');
\o
SAVEPOINT s;
SET ROLE platform_test_member;
UPDATE platform.sms_settings SET quiet_from = '22:00' WHERE organization_id = :a RETURNING quiet_from;
UPDATE platform.sms_settings SET per_minute = 600 WHERE organization_id = :a; ROLLBACK TO s;
SET ROLE platform_test_member;
UPDATE platform.sms_settings SET timezone = 'Mars/Olympus' WHERE organization_id = :a; ROLLBACK TO s;
SET ROLE platform_test_member;
INSERT INTO platform.sms_settings (organization_id) VALUES (:b) ON CONFLICT (organization_id) DO UPDATE SET quiet_from = '1:00'; ROLLBACK TO s;

-- arguments
SELECT platform.send_sms(NULL, '3125550401', 'x', 'auto_eta'); ROLLBACK TO s;
SELECT platform.send_sms(:a, NULL, 'x', 'auto_eta'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', NULL, 'auto_eta'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', '', 'auto_eta'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', repeat('x', 1601), 'auto_eta'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', 'x', NULL); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', 'x', 'auto_eta', ''); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', 'x', 'auto_eta', send_after => 'infinity'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', 'x', 'auto_eta', timezone => 'Mars/Olympus'); ROLLBACK TO s;
SELECT platform.send_sms(:a, '3125550401', 'x', 'auto_eta', from_number => 'x'); ROLLBACK TO s;
SELECT platform.send_sms('5a120000-0000-4000-8000-00000000dead', '3125550401', 'x', 'auto_eta'); ROLLBACK TO s;
SELECT platform.may_send_sms('5a120000-0000-4000-8000-00000000dead', '3125550401', 'auto_eta'); ROLLBACK TO s;
SELECT platform.may_send_sms(:a, NULL, 'auto_eta'); ROLLBACK TO s;
SELECT platform.may_send_sms(:a, '3125550401', 'auto_eta', 0); ROLLBACK TO s;
SELECT allowed, reason FROM platform.may_send_sms(:a, 'x', 'auto_eta') UNION ALL SELECT allowed, reason FROM platform.may_send_sms(:a, '3125550401', 'manual');
SELECT platform.opt_out_phone(:a, 'x'); ROLLBACK TO s;
SELECT platform.opt_out_phone(:a, '3125550401', 'fax'); ROLLBACK TO s;
SELECT platform.opt_out_phone('5a120000-0000-4000-8000-00000000dead', '3125550401'); ROLLBACK TO s;
-- the record of wishes stays as it is
UPDATE platform.opt_out_requests SET phone_number = NULL WHERE organization_id = :a; ROLLBACK TO s;
DELETE FROM platform.opt_out_requests WHERE organization_id = :a; ROLLBACK TO s;
SELECT channel, request_type, count(*) FROM platform.opt_out_requests WHERE organization_id = :a GROUP BY 1, 2 ORDER BY min(channel COLLATE "C"), min(request_type COLLATE "C");
SET ROLE platform_test_stranger;
SELECT platform.send_sms(:a, '3125550401', 'x', 'auto_eta'); ROLLBACK TO s;
ROLLBACK;
