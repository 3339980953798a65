-- Appointments: no overlap, what is left out, states, history, reminders however long before, claims
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1230000-0000-4000-8000-000000000001\''
\set other '\'c1230000-0000-4000-8000-000000000002\''
\set ada '\'c1230000-0000-4000-8000-0000000000a1\''
\set van '\'c1230000-0000-4000-8000-0000000000f1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Appointments One'), (:other, 'Appointments Two');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@crm-appointments.example');
SELECT platform.book_appointment(:other, 'Somebody', '2030-05-06 09:00+00');
SELECT platform.set_context(:org, :ada, 'agent');
SET ROLE platform_test_member;
\o
\set ECHO all

-- an hour in the organization's calendar, unless something else is said
SELECT id AS first, created FROM platform.book_appointment(:org, 'Carl', '2030-05-06 09:00+00', customer_phone => '(312) 555-0101', cal_booking_uid => 'cal-1') \gset
SELECT end_time, duration_minutes, calendar_id = organization_id AS organizations, customer_phone, status, source FROM platform.appointments WHERE id = :'first';
-- FAULT: the booking's id is not unique: here it comes in once
SELECT id = :'first' AS same, created FROM platform.book_appointment(:org, 'Carl', '2030-05-06 09:00+00', cal_booking_uid => 'cal-1');
-- FAULT: no check of overlaps
SELECT platform.book_appointment(:org, 'Dora', '2030-05-06 09:30+00');
SELECT platform.book_appointment(:org, 'Dora', '2030-05-06 08:30+00', '2030-05-06 10:30+00');
SELECT platform.book_appointment(:org, 'Dora', '2030-05-06 08:59+00', '2030-05-06 09:00:00.000001+00');
-- said so that one can act on it, and without the other customer: from the function, by hand, moved, and of rows of one statement
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT platform.book_appointment(:org, 'Dora', '2030-05-06 09:30+00');
INSERT INTO platform.appointments (organization_id, customer_name, start_time) VALUES (:org, 'Dora', '2030-05-06 09:30+00');
INSERT INTO platform.appointments (organization_id, customer_name, start_time, calendar_id) VALUES (:org, 'Dora', '2030-05-06 12:00+00', :ada), (:org, 'Emil', '2030-05-06 12:30+00', :ada);
INSERT INTO platform.appointments (organization_id, customer_name, start_time) VALUES (:org, 'Dora', '2030-05-06 09:30+00') ON CONFLICT DO NOTHING;
-- what another organization's calendar has is nobody's business
INSERT INTO platform.appointments (organization_id, customer_name, start_time) VALUES (:other, 'Spy', '2030-05-06 09:30+00');
\set VERBOSITY sqlstate
-- without triggers the constraint holds
RESET ROLE;
SET session_replication_role = replica;
INSERT INTO platform.appointments (organization_id, calendar_id, customer_name, start_time, end_time) VALUES (:org, :org, 'Dora', '2030-05-06 09:30+00', '2030-05-06 10:30+00');
RESET session_replication_role;
SET ROLE platform_test_member;
-- one may begin when another ends; other calendars are other calendars
SELECT id AS second FROM platform.book_appointment(:org, 'Dora', '2030-05-06 10:00+00') \gset
SELECT created FROM platform.book_appointment(:org, 'Emil', '2030-05-06 09:30+00', '2030-05-06 09:50:30+00', calendar_id => :van);
SELECT created FROM platform.book_appointment(:org, 'Fred', '2030-05-06 09:30+00', user_id => :ada);
SELECT customer_name, start_time, end_time, status FROM platform.list_appointments(:org, '2030-05-06 09:45+00', '2030-05-06 10:00+00');
SELECT duration_minutes FROM platform.appointments WHERE calendar_id = :van;
-- FAULT: it may end before it starts
SELECT platform.book_appointment(:org, 'Gina', '2030-05-07 10:00+00', '2030-05-07 10:00+00');
INSERT INTO platform.appointments (organization_id, customer_name, start_time, end_time) VALUES (:org, 'Gina', '2030-05-07 10:00+00', '2030-05-07 09:00+00');
SELECT platform.book_appointment(:org, 'Gina', 'infinity');
SELECT platform.book_appointment(:org, 'Gina', NULL);
SELECT platform.book_appointment(:org, '', '2030-05-07 10:00+00');
SELECT platform.book_appointment(:org, 'Gina', '2030-05-07 10:00+00', customer_phone => '12');
SELECT platform.book_appointment(:org, 'Gina', '2030-05-07 10:00+00', customer_email => 'gina');
SELECT platform.book_appointment(:other, 'Gina', '2030-05-07 10:00+00');
INSERT INTO platform.appointments (organization_id, customer_name, start_time) VALUES (:other, 'Gina', '2030-05-07 10:00+00');
-- by hand, with a length
INSERT INTO platform.appointments (organization_id, customer_name, start_time, duration_minutes, calendar_id) VALUES (:org, 'Hugo', '2030-05-07 10:00+00', 30, :van) RETURNING end_time, duration_minutes;

-- moved: what was to be before stays
SELECT platform.reschedule_appointment(:org, :'first', '2030-05-06 09:30+00', reason => 'late');
\set VERBOSITY terse
UPDATE platform.appointments SET start_time = '2030-05-06 10:15+00', end_time = '2030-05-06 10:45+00' WHERE id = :'first';
\set VERBOSITY sqlstate
SELECT platform.reschedule_appointment(:org, :'first', '2030-05-08 09:00+00', reason => 'asked for');
UPDATE platform.appointments SET status = 'confirmed' WHERE id = :'first';
SELECT platform.reschedule_appointment(:org, :'first', '2030-05-08 10:00+00', reason => 'asked for');
UPDATE platform.appointments SET start_time = '2030-05-08 12:00+00', end_time = '2030-05-08 14:00+00' WHERE id = :'first';
SELECT platform.cancel_appointment(:org, :'first', 'ill');
SELECT platform.cancel_appointment(:org, :'first', 'again');
SELECT change, old_status, new_status, old_start_time, new_start_time, new_end_time, reason, changed_by = :ada AS by_ada FROM platform.appointment_changes WHERE appointment_id = :'first' ORDER BY id;
SELECT status, cancelled_at IS NOT NULL AS cancelled, change_reason, duration_minutes FROM platform.appointments WHERE id = :'first';
-- over is over; its time is free
SELECT platform.reschedule_appointment(:org, :'first', '2030-05-09 12:00+00');
SELECT platform.set_appointment_status(:org, :'first', 'booked');
SELECT platform.set_appointment_status(:org, :'second', 'done');
SELECT platform.set_appointment_status(:org, :ada, 'confirmed');
SELECT platform.reschedule_appointment(:org, :ada, '2030-05-09 12:00+00');
UPDATE platform.appointment_changes SET reason = 'rewritten';
SELECT created FROM platform.book_appointment(:org, 'Ines', '2030-05-08 12:00+00');
SELECT count(*) AS foreign FROM platform.appointments WHERE organization_id <> :org;

-- reminders: a day and an hour before, and what else is asked for
RESET ROLE;
SELECT minutes_before, due_at, status FROM platform.appointment_reminders WHERE appointment_id = :'second' ORDER BY 1;
UPDATE platform.appointments SET reminder_minutes = 10080, reminder_offsets = '{60,60,30}' WHERE id = :'second';
SELECT minutes_before, due_at, status FROM platform.appointment_reminders WHERE appointment_id = :'second' ORDER BY status COLLATE "C", 1;
SELECT status, count(*) FROM platform.appointment_reminders WHERE appointment_id = :'first' GROUP BY 1;
UPDATE platform.appointments SET reminder_offsets = '{0}' WHERE id = :'second';
DELETE FROM platform.appointments WHERE organization_id IN (:org, :other);
-- FAULT: longer before than 60 minutes never sent; FAULT: only when status is booked
INSERT INTO platform.appointments (organization_id, customer_name, start_time, status, reminder_offsets) VALUES
	(:org, 'A scheduled', now() + interval '20 hours', 'scheduled', '{1199}'), (:org, 'B confirmed', now() + interval '30 hours', 'confirmed', '{1500}'),
	(:org, 'C pending', now() + interval '2 days', 'pending', '{1440}'), (:org, 'D off', now() + interval '3 days', 'booked', '{60}'), (:org, 'E begun', now() + interval '4 days', 'booked', '{60}');
UPDATE platform.appointments SET reminder_enabled = false WHERE customer_name = 'D off';
UPDATE platform.appointment_reminders SET due_at = now() - minutes_before * interval '1 min' WHERE organization_id = :org AND status = 'queued';
UPDATE platform.appointments SET start_time = now() - interval '2 h', end_time = now() - interval '1 h', reminder_enabled = false WHERE customer_name = 'E begun';
UPDATE platform.appointment_reminders SET status = 'queued' WHERE appointment_id = (SELECT id FROM platform.appointments WHERE customer_name = 'E begun' AND organization_id = :org);
SELECT a.customer_name, r.status FROM platform.appointment_reminders r JOIN platform.appointments a ON a.id = r.appointment_id WHERE r.organization_id = :org ORDER BY a.customer_name COLLATE "C";
SELECT id AS reminder, lease_id AS lease, customer_name FROM platform.claim_due_reminders(:org, 'w1', 1) \gset
SELECT :'customer_name' AS first, c.customer_name, c.attempt, c.minutes_before FROM platform.claim_due_reminders(:org, 'w2') c ORDER BY c.customer_name COLLATE "C";
SELECT count(*) AS none_left FROM platform.claim_due_reminders(:org);
SELECT platform.finish_reminder(:org, :'reminder', :'lease', false, 'no line', '0') AS again, platform.finish_reminder(:org, :'reminder', :'lease') IS NULL AS not_mine;
SELECT lease_id AS lease2, attempt FROM platform.claim_due_reminders(:org) \gset
SELECT :attempt AS attempt, platform.finish_reminder(:org, :'reminder', :'lease2') AS status;
SELECT reminder_sent, reminder_last_sent_at IS NOT NULL AS told FROM platform.appointments a JOIN platform.appointment_reminders r ON r.appointment_id = a.id WHERE r.id = :'reminder';
SELECT a.customer_name, r.status, r.attempts, r.last_error FROM platform.appointment_reminders r JOIN platform.appointments a ON a.id = r.appointment_id WHERE r.organization_id = :org ORDER BY a.customer_name COLLATE "C";
-- a lease that has ended: due again, given up after five; an appointment that is moved takes its claimed reminder back
UPDATE platform.appointment_reminders SET lease_until = now() - interval '1 s', attempts = CASE minutes_before WHEN 1199 THEN 5 ELSE attempts END WHERE organization_id = :org AND status = 'claimed';
SELECT id AS late, lease_id AS late_lease, customer_name, attempt FROM platform.claim_due_reminders(:org) \gset
SELECT :'customer_name' AS customer, :attempt AS attempt;
SELECT status, last_error FROM platform.appointment_reminders WHERE organization_id = :org AND minutes_before = 1199;
SELECT platform.reschedule_appointment(:org, appointment_id, now() + interval '9 days') FROM platform.appointment_reminders WHERE id = :'late' \g /dev/null
SELECT platform.finish_reminder(:org, :'late', :'late_lease') IS NULL AS moved;
SELECT platform.claim_due_reminders(:org, "limit" => 0);
SELECT platform.claim_due_reminders(:org, lease => '0');
SELECT platform.finish_reminder(:org, NULL, :ada);
SET ROLE platform_test_member;
SELECT platform.claim_due_reminders(:other);
SELECT count(*) FROM platform.claim_due_reminders();
RESET ROLE;
SELECT platform.set_context(NULL) \g /dev/null
SET ROLE platform_test_member;
SELECT platform.claim_due_reminders();
ROLLBACK;
