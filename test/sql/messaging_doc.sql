-- The examples of doc/messaging.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set call '5a160000-0000-4000-8000-0000000000c1'
SELECT platform.create_organization('Acme Plumbing') AS acme \gset
INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES ('+13125550100', NULL), ('+13125550101', :'acme');
INSERT INTO platform.sms_settings (organization_id, quiet_from, timezone, help_phone) VALUES (:'acme', '20:00', 'America/Chicago', '+13125550101');
SELECT status, segments FROM platform.send_sms(:'acme', '(312) 555-0142', 'We are on our way', 'quick_action_enroute', 'job 17',
	from_number => '+13125550100');
SELECT to_number, body FROM platform.claim_sms(:'acme');
SELECT route, keyword, auto_reply IS NOT NULL AS answered FROM platform.receive_sms('+13125550142', '+13125550100', 'Stop.', 'SM-1');
SELECT status, reason FROM platform.send_sms(:'acme', '+13125550142', 'Hello?', 'auto_eta');
INSERT INTO platform.sms_keywords (word, language, keyword, match) VALUES ('lopeta', 'fi', 'OPT_OUT', 'sentence');
SELECT keyword, confidence FROM platform.classify_sms_keyword('Lopeta! Kiitos');
SELECT keyword, confidence FROM platform.classify_sms_keyword('cancel my appointment');
SELECT status FROM platform.send_sms(:'acme', '+13125550143', 'Hello', 'auto_eta');
SELECT id AS sms, lease_id AS lease, body FROM platform.claim_sms(:'acme', 'sender 1') LIMIT 1 \gset
SELECT platform.complete_sms(:'acme', :'sms', :'lease', 'sent', 'SM-2');
SELECT platform.record_sms_status('SM-2', 'delivered');
SELECT platform.schedule_sms(:'acme', 'review_request', '+13125550143', variables => '{"customer_name": "Eve"}', call_id => :'call') IS NOT NULL AS scheduled;
SELECT queued, skipped FROM platform.run_sms_automation();
SELECT * FROM platform.sms_segments(repeat('a', 150));
SELECT * FROM platform.sms_segments(repeat('a', 149) || '’');
SELECT platform.opt_out_phone(:'acme', '312 555 0144', 'call');
SELECT allowed, reason FROM platform.may_send_sms(:'acme', '+13125550144', 'auto_eta');
SELECT platform.render_sms_template(:'acme', 'post_call');
SELECT platform.render_sms_template(:'acme', 'chosen', language => 'es');
ROLLBACK;
