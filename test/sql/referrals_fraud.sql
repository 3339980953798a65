-- Signals of fraud as rows, their scores at each boundary, reviews; who may do what
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1330000-0000-4000-8000-000000000001\''
\set far '\'c1330000-0000-4000-8000-000000000002\''
\set ada '\'c1330000-0000-4000-8000-0000000000a1\''
\set eve '\'c1330000-0000-4000-8000-0000000000e1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Referrer'), (:far, 'Far away');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@fraud-a.example'), (:eve, 'eve@fraud-e.example');
INSERT INTO platform.organization_members (organization_id, user_id) VALUES (:org, :ada), (:far, :eve);
INSERT INTO platform.profiles (organization_id, user_id, signup_ip, payout_email) VALUES (:org, :ada, '203.0.113.1', 'Ada.Money+paypal@fraud-m.example');
SELECT code FROM platform.create_referral_code(:org, :ada) \gset
CREATE TEMP TABLE customer (n int PRIMARY KEY, what text, id uuid DEFAULT gen_random_uuid(), email text, ip inet, signup timestamptz, agent boolean, referral uuid);
-- what shows up by itself: one signal each
INSERT INTO customer (n, what, email, ip, signup, agent) VALUES
	(1, 'nothing', 'a@fraud-1.example', '203.0.113.9', '2026-02-01', true),
	(2, 'ip of the referrer', 'a@fraud-2.example', '203.0.113.1', '2026-02-02', true),
	(3, 'domain of the referrer', 'a@fraud-a.example', '203.0.113.3', '2026-02-03', true),
	(4, 'the referrer with a tag', 'ada+2@fraud-a.example', '203.0.113.4', '2026-02-04', true),
	(5, 'his payout address', 'ada.money@fraud-m.example', '203.0.113.5', '2026-02-05', true),
	(6, 'ip of another referral', 'a@fraud-6.example', '203.0.113.9', '2026-02-06', true),
	(7, 'no agent', 'a@fraud-7.example', NULL, '2026-02-07', false),
	(8, 'no agent, too early', 'a@fraud-8.example', NULL, now() - interval '13 days', false),
	(9, 'first of four that day', 'a@fraud-9.example', NULL, '2026-02-10 00:00+00', true),
	(10, 'second', 'a@fraud-10.example', NULL, '2026-02-10 11:00+00', true),
	(11, 'third', 'a@fraud-11.example', NULL, '2026-02-10 12:00+00', true),
	(12, 'fourth', 'a@fraud-12.example', NULL, '2026-02-10 23:59:59.999999+00', true),
	(13, 'the day after', 'a@fraud-13.example', NULL, '2026-02-11 00:00+00', true),
	(14, 'unknown address', 'a@fraud-14.example', NULL, '2026-02-14', true);
INSERT INTO platform.users (id, email) SELECT id, email FROM customer;
INSERT INTO platform.agents (organization_id, user_id) SELECT :far, id FROM customer WHERE agent;
UPDATE customer c SET referral = (platform.attribute_referral(:far, c.id, :'code', c.ip, c.signup)).referral_id;
SELECT platform.apply_referral_events();
CREATE TEMP VIEW score AS
	SELECT c.n, c.what, r.fraud_score AS score, r.status, r.needs_review AS review, r.fraud_reviewed AS reviewed, r.eligible_at - r.first_payment_at AS hold,
		(SELECT string_agg(s.signal, ' ' ORDER BY s.signal) FROM platform.referral_fraud_signals s WHERE s.referral_id = r.id) AS signals
	FROM customer c JOIN platform.referrals r ON r.id = c.referral ORDER BY c.n;
\o
\set ECHO all

-- signals and their points are rows
SELECT signal, points FROM platform.referral_signal_points ORDER BY signal;
SELECT domain FROM platform.referral_common_domains ORDER BY domain;

-- what the platform finds by itself when they sign up; what more there is to be found later is found at the next look
SELECT n, what, score, signals FROM score;
SELECT n, platform.score_referral(:org, referral) AS score FROM customer WHERE n IN (1, 9, 10, 11, 12, 13) ORDER BY n;
SELECT platform.referral_fraud_score(:org, referral) AS score, platform.referral_fraud_score(:far, referral) AS elsewhere FROM customer WHERE n = 12;
-- FAULT: common domains count
SAVEPOINT s;
INSERT INTO platform.referral_common_domains VALUES ('fraud-14.example');
\o /dev/null
INSERT INTO platform.users (id, email) VALUES ('c1330000-0000-4000-8000-0000000000c1', 'boss@fraud-14.example'), ('c1330000-0000-4000-8000-0000000000c2', 'other@gmail.com'), ('c1330000-0000-4000-8000-0000000000c3', 'boss@gmail.com');
INSERT INTO platform.organization_members (organization_id, user_id) VALUES (:far, 'c1330000-0000-4000-8000-0000000000c1'), (:far, 'c1330000-0000-4000-8000-0000000000c3');
SELECT code AS common FROM platform.create_referral_code(:far, 'c1330000-0000-4000-8000-0000000000c1') \gset
SELECT code AS gmail FROM platform.create_referral_code(:far, 'c1330000-0000-4000-8000-0000000000c3') \gset
INSERT INTO platform.users (id, email) VALUES ('c1330000-0000-4000-8000-0000000000c4', 'clerk@fraud-14.example');
SELECT platform.attribute_referral(:org, 'c1330000-0000-4000-8000-0000000000c4', :'common');
SELECT platform.attribute_referral(:org, 'c1330000-0000-4000-8000-0000000000c2', :'gmail');
SELECT platform.apply_referral_events();
\o
SELECT count(*) AS referrals, max(fraud_score) AS score FROM platform.referrals WHERE organization_id = :far;
ROLLBACK TO s;
-- a signal with 0 points is not looked for
SAVEPOINT s;
UPDATE platform.referral_signal_points SET points = 0 WHERE signal = 'no_agent';
DELETE FROM platform.referral_fraud_signals WHERE signal = 'no_agent';
SELECT platform.score_referral(:org, referral) AS score FROM customer WHERE n = 7;
ROLLBACK TO s;
-- cancelled within seven days, to the microsecond; later it is no sign
SAVEPOINT s;
\o /dev/null
SELECT platform.record_referral_cancellation(:far, id, 'sub_1', '2026-02-08 00:00+00') FROM customer WHERE n = 1;
SELECT platform.record_referral_cancellation(:far, id, cancelled_at => '2026-02-21 00:00:00.000001+00') FROM customer WHERE n = 14;
SELECT platform.record_referral_refund(:far, id, 'in_2') FROM customer WHERE n = 2;
SELECT platform.apply_referral_events();
\o
SELECT n, score, status, signals FROM score WHERE n IN (1, 2, 14);
SELECT recorded, reason FROM customer c, platform.record_referral_cancellation(:far, c.id, 'sub_1') WHERE n = 1;
SELECT recorded, reason FROM customer c, platform.record_referral_cancellation(:far, c.id) WHERE n = 14;
SELECT platform.record_referral_cancellation(:far, id, 'sub_1') FROM customer WHERE n = 14;
ROLLBACK TO s;

-- reported ones: once, with their points of then, or others
SELECT referral AS one FROM customer WHERE n = 1 \gset
SAVEPOINT s;
SELECT platform.add_referral_signal(:org, :'one', 'same_device', '{"device": "d1"}'), platform.add_referral_signal(:org, :'one', 'same_device', points => 50) AS again;
SELECT platform.add_referral_signal(:org, :'one', 'same_payment_method', points => 7);
SELECT platform.add_referral_signal(:org, :'one', 'refunded', points => 0);
SELECT signal, points, description, details, reported_by = current_user AS by_me FROM platform.list_referral_signals(:org, :'one');
SELECT platform.add_referral_signal(:org, :'one', 'witchcraft');
SELECT platform.add_referral_signal(:org, :'one', NULL);
SELECT platform.add_referral_signal(:org, :'one', 'self_referral', '[]');
SELECT platform.add_referral_signal(:org, :'one', 'self_referral', NULL);
SELECT platform.add_referral_signal(:org, :'one', 'self_referral', points => -1);
SELECT platform.add_referral_signal(:org, :'one', 'self_referral', points => 1001);
SELECT platform.add_referral_signal(:org, :ada, 'self_referral');
SELECT platform.add_referral_signal(:far, :'one', 'self_referral');
SELECT platform.score_referral(:org, NULL);
INSERT INTO platform.referral_signal_points (signal, points, description) VALUES ('vpn', 5, 'comes through a VPN');
SELECT platform.add_referral_signal(:org, :'one', 'vpn');
SELECT count(*) FROM platform.list_referral_signals(:org, :ada);
SELECT platform.list_referral_signals(NULL, :ada);
ROLLBACK TO s;

-- the boundaries: what a score means for a payment made 44 and one made 46 days ago
\o /dev/null
CREATE TEMP TABLE bound (score int, days int, id uuid DEFAULT gen_random_uuid(), referral uuid);
INSERT INTO bound (score, days) SELECT s, d FROM unnest(ARRAY[0, 20, 21, 40, 41, 60, 61, 80, 81]) s, unnest(ARRAY[29, 44, 46]) d;
INSERT INTO platform.users (id, email) SELECT id, 'a@fraud-b' || score || '-' || days || '.example' FROM bound;
INSERT INTO platform.agents (organization_id, user_id) SELECT :far, id FROM bound;
SELECT count(*) FROM (SELECT id, row_number() OVER () AS day FROM bound) b, platform.attribute_referral(:far, b.id, :'code', signup_at => now() - b.day * interval '100 days');
SELECT platform.apply_referral_events();
UPDATE bound b SET referral = r.id FROM platform.referrals r WHERE r.referred_id = b.id;
SELECT platform.add_referral_signal(:org, referral, 'same_device', points => score) FROM bound;
SELECT platform.record_referral_payment(:far, id, 'in_' || score || '_' || days, 10000, now() - days * interval '1 day') FROM bound;
SELECT platform.apply_referral_events();
SELECT platform.release_referral_commissions();
CREATE TEMP VIEW meaning AS
	SELECT b.score, b.days, r.status, r.eligible_at - r.first_payment_at AS hold, r.needs_review AS review,
		(SELECT string_agg(c.amount_cents || ' ' || c.status, ', ' ORDER BY c.amount_cents DESC) FROM platform.referral_commissions c WHERE c.referral_id = r.id) AS commissions
	FROM bound b JOIN platform.referrals r ON r.id = b.referral ORDER BY b.score, b.days;
\o
-- FAULT: the extended hold is a fixed 30: here 45 from a score of 41 on
TABLE meaning;
SELECT fraud_score, signals, held_cents, status FROM platform.referral_review_queue() ORDER BY fraud_score, status;
SELECT count(*) FROM platform.referral_review_queue(1);
SELECT platform.referral_review_queue(0);
SELECT count(*), min(severity) AS severity, min(message COLLATE "C") AS message FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'referral_review' AND resolved_at IS NULL;
-- a review: nothing wrong, while the hold goes on; or rejected, with everything
SELECT b.score, b.days, platform.review_referral(:org, b.referral, b.score = 61, CASE b.days WHEN 46 THEN 'called them' END) FROM bound b WHERE score IN (61, 80) ORDER BY b.score, b.days;
SELECT * FROM meaning WHERE score IN (61, 80);
SELECT DISTINCT rejection_reason, fraud_reviewed_by = current_user AS by_me, review_note FROM platform.referrals r JOIN bound b ON b.referral = r.id WHERE score = 80 ORDER BY 1;
SELECT count(*) FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'referral_review' AND resolved_at IS NULL;
SELECT platform.review_referral(:org, referral, true) FROM bound WHERE score = 80 AND days = 29;
SELECT platform.review_referral(:org, referral, NULL) FROM bound WHERE score = 61 AND days = 29;
SELECT platform.review_referral(:org, :ada, true);
-- a review holds for the score it saw
SELECT platform.add_referral_signal(:org, referral, 'same_payment_method', points => 0) FROM bound WHERE score = 61 AND days = 46;
SELECT review, status FROM meaning WHERE score = 61 AND days = 46;
SELECT amount_cents FROM platform.request_payout(:org, :ada);
SELECT platform.add_referral_signal(:org, referral, 'velocity', points => 1) FROM bound WHERE score = 61 AND days = 46;
SELECT review, status, commissions FROM meaning WHERE score = 61 AND days = 46;
-- while it waits its commissions are in no payout, also those that were approved and reserved
SELECT available_cents, reserved_cents, payout_cents FROM platform.referral_dashboard WHERE user_id = :ada;
SELECT platform.reject_payout(:org, payout_id, 'again') FROM platform.referral_dashboard WHERE user_id = :ada;
SELECT available_cents, pending_cents > 3500 AS pending FROM platform.referral_dashboard WHERE user_id = :ada;
SELECT amount_cents FROM platform.request_payout(:org, :ada);
SELECT count(*) FROM platform.referral_commissions c JOIN bound b ON b.referral = c.referral_id WHERE c.payout_id IS NOT NULL AND b.score = 61 AND b.days = 46;
SELECT platform.add_referral_signal(:org, referral, 'quick_cancel', points => 19) FROM bound WHERE score = 61 AND days = 46;
SELECT status, commissions FROM meaning WHERE score = 61 AND days = 46;
-- a suspicious one's later payments wait for somebody; reviewed, they don't
\o /dev/null
SELECT platform.record_referral_payment(:far, id, 'later_' || score, 1000) FROM bound WHERE score IN (20, 21, 41) AND days = 46;
SELECT platform.apply_referral_events();
\o
SELECT score, commissions FROM meaning WHERE score IN (20, 21, 41) AND days = 46;
SELECT platform.review_referral(:org, referral, true) FROM bound WHERE score = 21 AND days = 46;
SELECT score, commissions FROM meaning WHERE score = 21 AND days = 46;
SELECT name, detail FROM platform.verify() WHERE NOT passed;
-- everything about an organization goes with it
SAVEPOINT s;
DELETE FROM platform.organizations WHERE id IN (:org, :far);
SELECT (SELECT count(*) FROM platform.referrals WHERE organization_id = :org) AS referrals, (SELECT count(*) FROM platform.referral_commissions WHERE organization_id = :org) AS commissions,
	(SELECT count(*) FROM platform.payout_requests WHERE organization_id = :org) AS payouts, (SELECT count(*) FROM platform.referral_outbox WHERE organization_id = :far) AS outbox;
ROLLBACK TO s;

-- who may what. FAULT: users insert payout requests of any amount, approved: here nobody writes but the functions
SELECT platform.set_context(:org, :ada, 'owner') \g /dev/null
SET ROLE platform_test_member;
SELECT code = :'code' AS code, created FROM platform.create_referral_code(:org);
SELECT valid FROM platform.validate_referral_code(:'code');
SELECT count(*) AS codes FROM platform.list_referral_codes();
SELECT count(*) > 10 AS hers FROM platform.list_referrals();
SELECT count(*) > 10 AS commissions FROM platform.list_referral_commissions();
SELECT count(*) AS payouts FROM platform.list_payout_requests();
SELECT code = :'code' AS code, referrals > 10 AS referrals, payout_status FROM platform.referral_dashboard;
SELECT upfront_amount_cents, monthly_percent, max_months, hold_days, min_payout_cents FROM platform.referral_settings;
SELECT fraud_auto_reject_min FROM platform.referral_settings;
SELECT signup_ip FROM platform.referrals;
SELECT fraud_score FROM platform.referrals;
SELECT count(*) FROM platform.referral_fraud_signals;
SELECT count(*) FROM platform.referral_outbox;
SELECT count(*) FROM platform.referral_signal_points;
INSERT INTO platform.payout_requests (organization_id, user_id, amount_cents) VALUES (:org, :ada, 100000);
INSERT INTO platform.referral_codes (organization_id, user_id, code) VALUES (:org, :ada, 'AAAAAAAA');
INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id, commission_type, amount_cents) VALUES (:org, :'one', :ada, 'upfront', 100000);
UPDATE platform.payout_requests SET amount_cents = 1;
UPDATE platform.referral_commissions SET status = 'approved';
UPDATE platform.referrals SET status = 'eligible';
UPDATE platform.referral_settings SET upfront_amount_cents = 1000000;
DELETE FROM platform.referral_commissions;
SELECT platform.attribute_referral(:org, :eve, :'code');
SELECT platform.record_referral_payment(:far, :eve, 'in', 1);
SELECT platform.record_referral_refund(:far, :eve, 'in');
SELECT platform.record_referral_cancellation(:far, :eve);
SELECT platform.apply_referral_events();
SELECT platform.release_referral_commissions();
SELECT platform.review_referral(:org, :'one', true);
SELECT platform.score_referral(:org, :'one');
SELECT platform.add_referral_signal(:org, :'one', 'velocity');
SELECT platform.list_referral_signals(:org, :'one');
SELECT platform.referral_review_queue();
-- FAULT: a score function with the owner's rights, callable by anyone
SELECT platform.referral_fraud_score(:org, :'one');
SELECT platform.cancel_referral(:org, :'one');
SELECT platform.clawback_referral(:org, :'one');
SELECT platform.set_referral_code_active(:org, :ada, true);
SELECT platform.approve_payout(:org, payout_id) FROM platform.list_payout_requests();
SELECT platform.start_payout(:org, payout_id) FROM platform.list_payout_requests();
SELECT platform.pay_payout(:org, payout_id) FROM platform.list_payout_requests();
SELECT platform.approve_referral_commission(:org, commission_id) FROM platform.list_referral_commissions(max_rows => 1);
SELECT platform.reject_referral_commission(:org, commission_id, 'x') FROM platform.list_referral_commissions(max_rows => 1);
SELECT platform.extend_referral_hold(:org, commission_id, now(), 'x') FROM platform.list_referral_commissions(max_rows => 1);
SELECT count(*) FROM platform.list_payout_requests(for_user_id => :eve);
SELECT platform.create_referral_code(:org, :eve);
SELECT platform.request_payout(:org, :eve);
SELECT platform.request_payout(:far);
-- her own request she may take back
SELECT payout_id AS own FROM platform.list_payout_requests(for_status => 'pending') \gset
SELECT platform.reject_payout(:org, :'own', 'changed my mind');
SELECT payout_id AS own FROM platform.request_payout(:org) \gset
SELECT payment_email, payment_method, commissions FROM platform.list_payout_requests(for_status => 'pending');
RESET ROLE;
-- another one sees nothing of it
SELECT platform.set_context(:org, :eve, 'owner') \g /dev/null
SET ROLE platform_test_member;
SELECT (SELECT count(*) FROM platform.list_referrals()) AS referrals, (SELECT count(*) FROM platform.list_referral_commissions()) AS commissions,
	(SELECT count(*) FROM platform.list_payout_requests()) AS payouts, (SELECT count(*) FROM platform.list_referral_codes()) AS codes, (SELECT count(*) FROM platform.referral_dashboard) AS dashboards;
SELECT platform.reject_payout(:org, :'own', 'envy');
SELECT platform.create_referral_code(:org);
RESET ROLE;
-- nobody: a role without identity may ask whether a code is valid
SELECT platform.set_context(NULL) \g /dev/null
SET ROLE platform_test_member;
SELECT valid FROM platform.validate_referral_code(:'code');
SELECT platform.create_referral_code(:org);
SELECT platform.request_payout(:org);
SELECT count(*) FROM platform.referral_codes;
SELECT count(*) FROM platform.list_referrals();
RESET ROLE;
-- staff: everything but their own
SELECT platform.set_context(:far, :eve, 'platform_admin') \g /dev/null
SET ROLE platform_test_member;
SELECT count(*) AS payouts FROM platform.list_payout_requests(:org, for_status => 'pending');
SELECT count(*) > 10 AS referrals FROM platform.list_referrals(:org);
SELECT count(*) AS rows_of_tables FROM platform.payout_requests;
SELECT count(*) >= 0 AS queue FROM platform.referral_review_queue();
SELECT count(*) >= 0 AS signals FROM platform.list_referral_signals(:org, :'one');
SELECT platform.approve_payout(:org, :'own', 'fine');
SELECT platform.start_payout(:org, :'own') > 0 AS started;
SELECT platform.pay_payout(:org, :'own', 'wire') > 0 AS paid;
SELECT platform.attribute_referral(:org, :eve, :'code');
SELECT platform.apply_referral_events();
UPDATE platform.payout_requests SET notes = 'x';
RESET ROLE;
SELECT platform.set_context(:far, :ada, 'platform_admin') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.review_referral(:org, :'one', true) AS ones_own;
SELECT platform.add_referral_signal(:org, :'one', 'velocity', points => 0) AS ones_own;
SELECT platform.clawback_referral(:org, :'one') AS ones_own;
SELECT platform.approve_payout(:org, :'own') AS ones_own;
SELECT platform.approve_referral_commission(:org, commission_id) AS ones_own FROM platform.list_referral_commissions(:org, max_rows => 1);
RESET ROLE;
SELECT id AS referred FROM customer WHERE n = 1 \gset
SELECT platform.set_context(:far, :'referred', 'platform_admin') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.review_referral(:org, :'one', true) AS by_the_referred;
RESET ROLE;
-- strangers: nothing
SET ROLE platform_test_stranger;
SELECT platform.validate_referral_code(:'code');
SELECT platform.create_referral_code(:org, :ada);
SELECT count(*) FROM platform.referral_commissions;
RESET ROLE;
ROLLBACK;
