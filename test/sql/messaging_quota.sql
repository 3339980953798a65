-- Where usage is kept, a message takes its segments when it is queued, and gives them back whenever it is not sent
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set a '\'5a150000-0000-4000-8000-000000000001\''
\set ada '\'5a150000-0000-4000-8000-0000000000a1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:a, 'Acme');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@messaging-quota.example');
INSERT INTO platform.sms_settings (organization_id, quiet_from, quiet_until) VALUES (:a, '0:00', '0:00');
INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES ('+13125550800', :a);
SELECT platform.apply_tier(:a, :ada, 'core');
UPDATE platform.usage_limits SET sms_cap = 4, sms_credit = 0 WHERE user_id = :ada;
CREATE TEMP VIEW quota AS SELECT l.sms_used AS used, c.remaining_sms AS remaining FROM platform.usage_limits l,
	platform.check_usage('5a150000-0000-4000-8000-000000000001', '5a150000-0000-4000-8000-0000000000a1') c WHERE l.user_id = '5a150000-0000-4000-8000-0000000000a1';
\o
\set ECHO all

-- queued: three segments are set aside
SELECT status, segments FROM platform.send_sms(:a, '3125550801', repeat('a', 400), 'auto_eta');
SELECT * FROM quota;
-- two more do not fit, one does; what is refused counts nothing, neither here nor in the minute
SELECT allowed, reason FROM platform.may_send_sms(:a, '3125550802', 'auto_eta', 2);
SELECT status, reason IS NOT NULL AS for_a_reason FROM platform.send_sms(:a, '3125550802', repeat('a', 200), 'auto_eta');
SELECT status FROM platform.send_sms(:a, '3125550802', 'a', 'auto_eta');
SELECT * FROM quota;
SELECT sum(count) FROM platform.sms_outbound_throttle WHERE organization_id = :a;
-- canceled, failed, opted out: they are free again; FAULT of old: they were not
SELECT platform.cancel_sms(:a, id) FROM platform.outbound_sms_log WHERE organization_id = :a AND segments = 1;
SELECT * FROM quota;
SELECT platform.complete_sms(tenant, id, lease_id, 'failed', error => 'unreachable') FROM platform.claim_sms(:a);
SELECT * FROM quota;
SELECT status FROM platform.send_sms(:a, '3125550803', repeat('a', 400), 'auto_eta');
SELECT route FROM platform.receive_sms('3125550803', '3125550800', 'STOP', 'messaging-quota-1');
SELECT * FROM quota;
-- a lease that ended for the last time gives them back too
SELECT status FROM platform.send_sms(:a, '3125550804', repeat('a', 400), 'auto_eta');
SELECT segments FROM platform.claim_sms(:a);
UPDATE platform.outbound_sms_log SET attempts = max_attempts, lease_until = now() - interval '1 s' WHERE organization_id = :a AND status = 'sending';
SELECT count(*) FROM platform.claim_sms(:a);
SELECT * FROM quota;
-- sent: used
SELECT status FROM platform.send_sms(:a, '3125550805', repeat('a', 200), 'auto_eta', 'once');
SELECT platform.complete_sms(tenant, id, lease_id, 'sent', 'messaging-quota-SM1') FROM platform.claim_sms(:a);
SELECT * FROM quota;
SELECT segments, phone_number FROM platform.usage_sms WHERE organization_id = :a;
-- the same key takes nothing more
SELECT created FROM platform.send_sms(:a, '3125550805', repeat('a', 200), 'auto_eta', 'once');
SELECT * FROM quota;
ROLLBACK;
