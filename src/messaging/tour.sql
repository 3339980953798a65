-- tour 110 Messages: whose reply is it?
\echo
\echo Two businesses wrote to one customer from a number that they share. Neither takes the
\echo other one's conversation over: the customer is asked, and what was said waits.
\echo
\set ECHO queries
BEGIN;
SELECT route, auto_reply FROM platform.receive_sms('+13125550147', '+13125550180', 'Can we make it at noon?', 'tour-1');
SELECT route, method, auto_reply FROM platform.receive_sms('+13125550147', '+13125550180', '1', 'tour-2');
SELECT direction, body FROM platform.messages WHERE thread_id = '+13125550147' AND organization_id = 'd0000000-0000-4000-8000-000000000002' ORDER BY created_at;
\set ECHO none
\echo
\echo STOP wins over everything, however it is written; cancel my appointment is none.
\echo
\set ECHO queries
SELECT body, keyword, confidence FROM unnest('{stop!!,Who is this? Stop,please stop texting me,stop by tomorrow,cancel my appointment}'::text[]) AS body, platform.classify_sms_keyword(body);
SELECT status, to_number FROM platform.send_sms('d0000000-0000-4000-8000-000000000001', '(312) 555-0147', 'We are on our way', 'quick_action_enroute'), LATERAL (SELECT '+13125550147') AS t (to_number);
SELECT route, keyword, auto_reply FROM platform.receive_sms('+13125550147', '+13125550180', 'Stop', 'tour-3');
SELECT status, error_message FROM platform.outbound_sms_log WHERE to_number = '+13125550147';
SELECT status, reason FROM platform.send_sms('d0000000-0000-4000-8000-000000000001', '(312) 555-0147', 'Hello?', 'auto_eta');
ROLLBACK;
\set ECHO none
\echo
\echo What a message costs, and when it may go: quiet hours by the customer's clock.
\echo
\set ECHO queries
SELECT * FROM platform.sms_segments('Your technician arrives at 5 pm – don’t forget the dog');
SELECT allowed, reason, due_at AT TIME ZONE 'America/New_York' AS due_there FROM platform.may_send_sms('d0000000-0000-4000-8000-000000000001', '+12125550147', 'auto_reminder', at => '2031-01-15 23:30 America/New_York', timezone => 'America/New_York');
