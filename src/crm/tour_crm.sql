-- tour 82 Leads and appointments: who called, and when we come
\echo
\echo A number finds its agent in whatever form it is written, and by the whole of it:
\echo a number abroad with the same last ten digits finds nobody.
\echo
\set ECHO queries
SELECT p.written, a.phone_number, a.status, a.answers
FROM (VALUES ('(312) 555-0100'), ('+1 312 555 0100'), ('+44 312 555 0100')) AS p (written)
LEFT JOIN LATERAL platform.agent_for_number(p.written) AS a ON true;
SELECT name, calls, total_duration_seconds, bookings, last_status, last_sentiment
FROM platform.customer_by_phone('d0000000-0000-4000-8000-000000000001', '312.555.0147');
\set ECHO none
\echo
\echo A list of leads is sent twice, and what is wrong in it is said.
\echo
\set ECHO queries
BEGIN;
SELECT line, outcome, reason FROM platform.import_leads('d0000000-0000-4000-8000-000000000001',
	'[{"name": "Hal", "phone": "312 555 0160"}, {"name": "Hal again", "phone": "+13125550160"}, {"name": "Nobody"}]');
\set ECHO none
\echo
\echo One calendar, one customer at a time, whoever writes: a constraint holds it.
\echo
\set ECHO queries
SAVEPOINT before;
INSERT INTO platform.appointments (organization_id, user_id, customer_name, start_time)
VALUES ('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'Hal', date_trunc('day', now()) + interval '2 days 9 hours 30 minutes');
ROLLBACK TO before;
INSERT INTO platform.appointments (organization_id, user_id, customer_name, start_time)
VALUES ('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'Ivy', date_trunc('day', now()) + interval '2 days 11 hours')
RETURNING customer_name AS booked, duration_minutes;
SELECT platform.reschedule_appointment('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-00000000ab01',
	date_trunc('day', now()) + interval '3 days 9 hours', reason => 'asked for') AS moved;
SELECT change, new_start_time - old_start_time AS moved_by, reason FROM platform.appointment_changes
WHERE appointment_id = 'd0000000-0000-4000-8000-00000000ab01' ORDER BY id;
SELECT minutes_before, status FROM platform.appointment_reminders
WHERE appointment_id = 'd0000000-0000-4000-8000-00000000ab01' ORDER BY status, minutes_before;
\set ECHO none
\echo
\echo A commission is payable when the deal is paid for, and never more than the deal.
\echo
\set ECHO queries
SAVEPOINT before;
SELECT platform.pay_commission('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-00000000dec1');
ROLLBACK TO before;
SELECT platform.complete_deal('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-00000000de01');
SAVEPOINT before;
SELECT platform.pay_commission('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-00000000dec1', -1);
ROLLBACK TO before;
SELECT platform.pay_commission('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-00000000dec1') AS paid_cents;
ROLLBACK;
