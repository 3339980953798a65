-- The way out: claims, leases, reports, what they mean for conversations, quotas and automations; messages for later
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set a '\'5a130000-0000-4000-8000-000000000001\''
\set b '\'5a130000-0000-4000-8000-000000000002\''
\set ada '\'5a130000-0000-4000-8000-0000000000a1\''
\set call '\'5a130000-0000-4000-8000-0000000000c1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:a, 'Acme Plumbing'), (:b, 'Best Heating');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@messaging-sender.example');
INSERT INTO platform.profiles (organization_id, user_id, google_review_url) VALUES (:a, :ada, 'https://g.page/acme');
INSERT INTO platform.sms_settings (organization_id, quiet_from, quiet_until) VALUES (:a, '0:00', '0:00'), (:b, '0:00', '0:00');
INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES ('+13125550500', NULL);
CREATE TEMP VIEW queue AS SELECT q.body, q.status, q.attempts, q.claimed_by, q.provider_message_id, q.error_message, m.status AS message, m.failed_at IS NOT NULL AS message_failed
FROM platform.outbound_sms_log q LEFT JOIN platform.messages m ON m.id = q.id AND m.organization_id = q.organization_id WHERE q.organization_id = '5a130000-0000-4000-8000-000000000001' ORDER BY q.id;
SELECT platform.send_sms(:a, '312555060' || i, 'Message ' || i, 'auto_eta', send_after => now() - interval '1 hour' + i * interval '1 s') FROM generate_series(1, 5) AS i;
SELECT platform.send_sms(:a, '3125550606', 'Later', 'auto_eta', send_after => now() + interval '1 hour');
SELECT platform.send_sms(:b, '3125550601', 'Other', 'auto_eta');
SELECT platform.set_context(:a, :ada, 'agent');
GRANT SELECT ON queue TO platform_test_member;
SET ROLE platform_test_member;
\o
\set ECHO all

-- the oldest first, each once, not before their time, nobody else's
SELECT body, from_number, to_number, segments, source, attempt, lease_until > now() AS leased, tenant = :a AS own FROM platform.claim_sms(worker => 'w1', "limit" => 2);
SELECT body FROM platform.claim_sms("limit" => 10);
SELECT count(*) AS none_left FROM platform.claim_sms();
SELECT * FROM queue;
RESET ROLE;
SELECT id AS m1, lease_id AS l1 FROM platform.outbound_sms_log WHERE body LIKE '%Message 1' AND organization_id = :a \gset
SELECT id AS m2, lease_id AS l2 FROM platform.outbound_sms_log WHERE body LIKE '%Message 2' AND organization_id = :a \gset
SELECT id AS m3, lease_id AS l3 FROM platform.outbound_sms_log WHERE body LIKE '%Message 3' AND organization_id = :a \gset
SELECT id AS later FROM platform.outbound_sms_log WHERE body LIKE '%Later' AND organization_id = :a \gset
SET ROLE platform_test_member;
-- the lease is the fence
SELECT platform.complete_sms(:a, :'m1', :'m1') IS NULL AS not_mine;
SELECT platform.complete_sms(:a, :'m1', :'l1', 'sent', 'SM1');
SELECT platform.complete_sms(:a, :'m1', :'l1', 'failed') IS NULL AS over;
SELECT platform.complete_sms(:a, :'m2', :'l2', 'failed', error => 'no such number');
SELECT platform.complete_sms(:a, :'m3', :'l3', 'retry', error => 'busy', retry_in => '0');
SELECT * FROM queue WHERE body ~ '[123]';
-- again, with a lease of its own; after the last attempt it has failed
SELECT lease_id AS l3b, attempt FROM platform.claim_sms() \gset
SELECT :attempt AS attempt, platform.complete_sms(:a, :'m3', :'l3', 'sent') IS NULL AS old_lease, platform.complete_sms(:a, :'m3', :'l3b', 'retry', retry_in => '0') AS status;
SELECT lease_id AS l3c FROM platform.claim_sms() \gset
SELECT platform.complete_sms(:a, :'m3', :'l3c', 'retry', error => 'busy for ever') AS status;
SELECT * FROM queue WHERE body ~ '3';
-- taken back
SELECT platform.cancel_sms(:a, :'later'), platform.cancel_sms(:a, :'later') AS again, platform.cancel_sms(:a, :'m1') AS sent;
RESET ROLE;
-- leases that ended: again, or failed after the last attempt
UPDATE platform.outbound_sms_log SET lease_until = now() - interval '1 s' WHERE organization_id = :a AND status = 'sending';
UPDATE platform.outbound_sms_log SET attempts = max_attempts WHERE organization_id = :a AND body LIKE '%Message 5';
SELECT body, attempt FROM platform.claim_sms(:a);
SELECT * FROM queue WHERE body ~ '[45]';
-- the provider's key is one message's
SAVEPOINT s;
\set SHOW_CONTEXT never
SELECT platform.complete_sms(:a, id, lease_id, 'sent', 'SM1') FROM platform.outbound_sms_log WHERE organization_id = :a AND status = 'sending'; ROLLBACK TO s;
\set SHOW_CONTEXT errors

-- what the provider reports, in any order
SELECT platform.record_sms_status('SM1', 'sent') AS a, platform.record_sms_status('SM1', 'delivered') AS b, platform.record_sms_status('SM1', 'delivered') AS c, platform.record_sms_status('SM1', 'undelivered', 'late') AS d, platform.record_sms_status('SM99', 'delivered') IS NULL AS unknown;
SELECT status, message, message_failed FROM queue WHERE provider_message_id = 'SM1';
SELECT lease_id AS l FROM platform.outbound_sms_log WHERE organization_id = :a AND status = 'sending' \gset
SELECT platform.complete_sms(:a, id, lease_id, 'sent', 'SM4') FROM platform.outbound_sms_log WHERE organization_id = :a AND status = 'sending';
SELECT platform.record_sms_status('SM4', 'undelivered', 'unreachable');
SELECT * FROM queue WHERE provider_message_id = 'SM4';
SELECT platform.record_sms_status('SM4', 'maybe'); ROLLBACK TO s;

-- opted out by other ways than our functions: never claimed
SELECT status FROM platform.send_sms(:a, '3125550607', 'Never', 'auto_eta');
INSERT INTO platform.sms_opt_out (organization_id, phone) VALUES (:a, '+13125550607');
SELECT count(*) FROM platform.claim_sms(:a);
SELECT body, status, error_message, message FROM queue WHERE body ~ 'Never';
-- sending switched off: what is queued waits, and nothing is counted
SELECT status FROM platform.send_sms(:a, '3125550608', 'Waits', 'auto_eta');
UPDATE platform.sms_settings SET sending_enabled = false WHERE organization_id = :a;
SELECT count(*) FROM platform.claim_sms(:a);
UPDATE platform.sms_settings SET sending_enabled = true WHERE organization_id = :a;
SELECT body FROM platform.claim_sms(:a);
-- what the platform itself sends is no conversation of the organization
SELECT status FROM platform.send_sms(:a, '3125550609', 'Which business?', 'system_disambiguation');
SELECT platform.complete_sms(tenant, id, lease_id) FROM platform.claim_sms(:a);
SELECT body, status, message FROM queue WHERE body ~ 'Which';
SELECT count(*) FROM platform.sms_thread_locks WHERE from_number = '+13125550609';

-- texts: built in, or the organization's own
SELECT platform.render_sms_template(:a, 'review_request', '{"customer_name": "Eve"}');
SELECT platform.render_sms_template(:b, 'review_request');
SELECT platform.render_sms_template(:b, 'post_call', '{"business": "{review_link}"}');
SELECT platform.set_sms_template(:a, 'post_call', 'Hi {customer_name}, this is {business}. {review_link}');
SELECT platform.render_sms_template(:a, 'post_call', '{"customer_name": "Eve", "other": 1}'), platform.render_sms_template(:b, 'post_call');
SELECT platform.set_sms_template(:a, 'post_call', NULL);
SELECT platform.set_sms_template(:a, 'post_call', 'Hi {customer}'); ROLLBACK TO s;
SELECT platform.set_sms_template(:a, 'hello', 'Hi'); ROLLBACK TO s;
SELECT platform.render_sms_template(:a, 'help', '[]'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.set_sms_template(:a, 'post_call', 'Mine'); ROLLBACK TO s;

-- FAULT of old: delays were in a process's memory. For later: rows, which a restart does not lose; one a call
SELECT platform.schedule_sms(:a, 'post_call', '(312) 555-0611', call_id => :call) AS post_call \gset
SELECT platform.schedule_sms(:a, 'post_call', '3125550611', call_id => :call) = :'post_call' AS same;
SELECT platform.schedule_sms(:a, 'review_request', '3125550611', variables => '{"customer_name": "Eve"}', call_id => :call) AS review \gset
SELECT platform.schedule_sms(:a, 'appointment_reminder', '3125550612', 'At 5 pm', dedup_key => 'reminder 1', timezone => 'UTC') AS reminder \gset
SELECT automation_type, status, to_number, message_body, dedup_key, run_at > now() + interval '59 s' AS later, run_at > now() + interval '23 hours' AS next_day FROM platform.sms_automation_log WHERE organization_id = :a ORDER BY id;
-- nothing but what is due
SELECT * FROM platform.run_sms_automation();
SELECT automation_type, status, sms_id IS NOT NULL AS handed_over FROM platform.sms_automation_log WHERE organization_id = :a ORDER BY id;
SELECT platform.complete_sms(tenant, id, lease_id, 'sent', 'SM-R') FROM platform.claim_sms(:a);
-- FAULT of old: the log was updated by telephone number: another row of that number is as it was
UPDATE platform.sms_automation_log SET run_at = now() - interval '1 s' WHERE id = :'post_call';
SELECT * FROM platform.run_sms_automation();
SELECT platform.complete_sms(tenant, id, lease_id, 'failed', error => 'unreachable') FROM platform.claim_sms(:a);
SELECT automation_type, status, sent_at IS NOT NULL AS sent, error_message FROM platform.sms_automation_log WHERE organization_id = :a ORDER BY id;
-- what is not allowed when its time has come is skipped; FAULT of old: such a message kept its quota
SELECT platform.opt_out_phone(:a, '3125550611');
UPDATE platform.sms_automation_log SET run_at = now() - interval '1 s' WHERE id = :'review';
SELECT * FROM platform.run_sms_automation();
SELECT status, error_message FROM platform.sms_automation_log WHERE id = :'review';
-- an opt-out after that cancels it in the queue
SELECT platform.schedule_sms(:a, 'post_call', '3125550613', delay => '0', dedup_key => 'x') IS NOT NULL AS scheduled;
SELECT * FROM platform.run_sms_automation();
SELECT platform.opt_out_phone(:a, '3125550613');
SELECT status, error_message FROM platform.sms_automation_log WHERE dedup_key = 'x' AND organization_id = :a;
-- a full minute, or sending switched off: it waits
SELECT platform.schedule_sms(:a, 'post_call', '3125550614', delay => '0') AS waits \gset
UPDATE platform.sms_settings SET sending_enabled = false WHERE organization_id = :a;
SELECT * FROM platform.run_sms_automation();
SELECT status, error_message, run_at > clock_timestamp() AS later FROM platform.sms_automation_log WHERE id = :'waits';
SELECT platform.cancel_scheduled_sms(:a, :'waits'), platform.cancel_scheduled_sms(:a, :'waits') AS again;
SELECT platform.cancel_scheduled_sms(:a, :a); ROLLBACK TO s;

-- listings
SELECT phone, last_direction, messages, unanswered, opted_out FROM platform.list_sms_threads(:a, 3) ORDER BY phone COLLATE "C";
SELECT direction, body, status, source FROM platform.sms_thread(:a, '+13125550601');
SELECT count(*) FROM platform.list_sms_threads(:a, before => now() - interval '1 year');
-- counters of what is over
INSERT INTO platform.sms_outbound_throttle (organization_id, window_minute, count) VALUES (:a, '2020-01-01', 3);
INSERT INTO platform.sms_inbound_rate_limits (from_number, window_date, window_start, last_message_at) VALUES ('+13125550601', '2020-01-01', '2020-01-01', '2020-01-01');
SELECT platform.purge_sms_counters('2020-01-02'), platform.purge_sms_counters('2020-01-02') AS again;

-- rights and arguments
SAVEPOINT s;
SET ROLE platform_test_member;
SELECT platform.record_sms_status('SM1', 'delivered'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.run_sms_automation(); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.claim_sms(:b); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.complete_sms(:b, :'m1', :'l1'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.cancel_sms(:b, :'m1'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT platform.schedule_sms(:b, 'post_call', '3125550611'); ROLLBACK TO s;
SET ROLE platform_test_member;
SELECT count(*) FROM platform.list_sms_threads(:b);
SELECT count(*) FROM platform.sms_thread(:b, '+13125550601');
UPDATE platform.outbound_sms_log SET status = 'queued' WHERE organization_id = :a; ROLLBACK TO s;
SELECT platform.claim_sms("limit" => 0); ROLLBACK TO s;
SELECT platform.claim_sms(lease => '0'); ROLLBACK TO s;
SELECT platform.claim_sms(lease => '2 days'); ROLLBACK TO s;
SELECT platform.complete_sms(:a, :'m1', :'l1', 'perhaps'); ROLLBACK TO s;
SELECT platform.complete_sms(:a, :'m1', :'l1', 'retry', retry_in => '-1 s'); ROLLBACK TO s;
SELECT platform.complete_sms(:a, NULL, :'l1'); ROLLBACK TO s;
SELECT platform.cancel_sms(:a, :a); ROLLBACK TO s;
SELECT platform.schedule_sms(:a, 'birthday', '3125550611'); ROLLBACK TO s;
SELECT platform.schedule_sms(:a, 'post_call', 'x'); ROLLBACK TO s;
SELECT platform.schedule_sms(:a, 'post_call', '3125550611', delay => '-1 s'); ROLLBACK TO s;
SELECT platform.schedule_sms(:a, 'post_call', '3125550611', timezone => 'Mars'); ROLLBACK TO s;
SELECT platform.run_sms_automation(0); ROLLBACK TO s;
SET ROLE platform_test_stranger;
SELECT platform.claim_sms(); ROLLBACK TO s;
ROLLBACK;
