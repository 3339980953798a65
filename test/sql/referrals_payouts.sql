-- Payouts: the sum of what is reserved, each commission in one at most; clawbacks before, while and after it is paid; debts
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1320000-0000-4000-8000-000000000001\''
\set far '\'c1320000-0000-4000-8000-000000000002\''
\set ada '\'c1320000-0000-4000-8000-0000000000a1\''
\set bob '\'c1320000-0000-4000-8000-0000000000b1\''
\set cyd '\'c1320000-0000-4000-8000-0000000000b2\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Referrer'), (:far, 'Far away');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@pay-a.example'), (:bob, 'bob@pay-b.example'), (:cyd, 'cyd@pay-c.example');
INSERT INTO platform.organization_members (organization_id, user_id) VALUES (:org, :ada);
INSERT INTO platform.profiles (organization_id, user_id, payout_email) VALUES (:org, :ada, 'money@pay-a.example');
INSERT INTO platform.agents (organization_id, user_id) VALUES (:far, :bob), (:far, :cyd);
SELECT code FROM platform.create_referral_code(:org, :ada) \gset
SELECT referral_id AS bobs FROM platform.attribute_referral(:far, :bob, :'code', signup_at => now() - interval '60 days') \gset
SELECT referral_id AS cyds FROM platform.attribute_referral(:far, :cyd, :'code', signup_at => now() - interval '50 days') \gset
SELECT platform.record_referral_payment(:far, :bob, 'pb_1', 10000, now() - interval '40 days');
SELECT platform.record_referral_payment(:far, :cyd, 'pc_1', 4990, now() - interval '40 days');
CREATE TEMP VIEW ledger AS
	SELECT CASE r.referred_id WHEN 'c1320000-0000-4000-8000-0000000000b1' THEN 'bob' ELSE 'cyd' END AS who, c.commission_type AS type, c.amount_cents AS cents, c.status,
		(SELECT p.status FROM platform.payout_requests p WHERE p.id = c.payout_id) AS payout, c.clawback_due AS due, c.clawback_reason AS why
	FROM platform.referral_commissions c JOIN platform.referrals r ON r.id = c.referral_id
	WHERE c.organization_id = 'c1320000-0000-4000-8000-000000000001'
	ORDER BY c.created_at, c.commission_type = 'debt', CASE WHEN c.commission_type <> 'debt' THEN c.id END, who, c.amount_cents;
CREATE TEMP VIEW purse AS
	SELECT earned_cents AS earned, pending_cents AS pending, available_cents AS available, reserved_cents AS reserved, paid_cents AS paid, debt_cents AS debt, clawed_back_cents AS clawed_back,
		pending_cents + available_cents + reserved_cents + paid_cents - debt_cents = earned_cents - clawed_back_cents AS adds_up
	FROM platform.referral_dashboard WHERE user_id = 'c1320000-0000-4000-8000-0000000000a1';
CREATE TEMP VIEW broken AS SELECT name, detail FROM platform.verify() WHERE NOT passed;
\o
\set ECHO all

-- below the least, to the cent: 2500 + 499 pending of cyd, 2500 + 1000 of bob
SELECT platform.request_payout(:org, :ada);
SELECT platform.apply_referral_events(), platform.release_referral_commissions();
TABLE purse;
UPDATE platform.referral_settings SET min_payout_cents = 6500;
\set VERBOSITY default
SELECT platform.request_payout(:org, :ada);
\set VERBOSITY sqlstate
UPDATE platform.referral_settings SET min_payout_cents = 6499;
-- the amount is computed, what it is made of reserved; FAULT: any amount, by the user
SELECT platform.request_payout(:org, :ada, 'cash');
SELECT platform.request_payout(:org, :ada, 'paypal', 'no address');
SELECT platform.request_payout(:org, :ada, NULL);
SELECT platform.request_payout(:org, NULL);
SELECT platform.request_payout(:far, :ada);
SELECT payout_id AS p1, amount_cents, commissions FROM platform.request_payout(:org, :ada, 'paypal', notes => 'please') \gset
SELECT :amount_cents AS amount_cents, :commissions AS commissions, payment_email, status FROM platform.payout_requests WHERE id = :'p1';
TABLE purse;
TABLE ledger;
SELECT severity, alert_type, title, message, resolved_at IS NOT NULL AS resolved FROM platform.ops_alerts WHERE organization_id = :org ORDER BY id;
-- FAULT: a second request pays the same commissions, once the first is approved
SELECT platform.request_payout(:org, :ada);
SELECT platform.pay_payout(:org, :'p1');
SELECT platform.start_payout(:org, :'p1');
SELECT platform.approve_payout(:org, :'p1', 'fine'), platform.approve_payout(:org, :'p1') AS again;
SELECT platform.request_payout(:org, :ada);
SELECT resolved_at IS NOT NULL AS resolved FROM platform.ops_alerts WHERE organization_id = :org;
-- FAULT: marking it paid pays what was approved later, and what is in its hold: here exactly what is reserved
\o /dev/null
SELECT platform.record_referral_payment(:far, :bob, 'pb_2', 60000);
SELECT platform.apply_referral_events();
\o
TABLE ledger;
SELECT platform.pay_payout(:org, :'p1', 'wire 1');
SELECT platform.start_payout(:org, :'p1') AS to_be_sent;
SELECT platform.pay_payout(:org, :'p1', 'wire 1');
SELECT platform.pay_payout(:org, :'p1', 'wire 1');
TABLE ledger;
TABLE purse;
SELECT amount_cents, status, payment_reference, approved_by = current_user AS approved, processed_by = current_user AS processed, paid_at IS NOT NULL AS paid_at FROM platform.payout_requests WHERE id = :'p1';
TABLE broken;
-- FAULT: 'paid' stops the later months: here it is said when nothing more is to come, and ends when more does
SELECT id = :'bobs' AS bobs, status, months_paid FROM platform.referrals WHERE organization_id = :org ORDER BY signup_at;
SAVEPOINT s;
\o /dev/null
UPDATE platform.referral_settings SET max_months = 2, min_payout_cents = 1;
SELECT payout_id AS px FROM platform.request_payout(:org, :ada) \gset
SELECT platform.approve_payout(:org, :'px'), platform.start_payout(:org, :'px'), platform.pay_payout(:org, :'px');
\o
SELECT id = :'bobs' AS bobs, status FROM platform.referrals WHERE organization_id = :org ORDER BY signup_at;
\o /dev/null
UPDATE platform.referral_settings SET max_months = 3;
SELECT platform.record_referral_payment(:far, :bob, 'pb_3', 1000);
SELECT platform.apply_referral_events();
\o
SELECT status, months_paid FROM platform.referrals WHERE id = :'bobs';
ROLLBACK TO s;

-- FAULT: clawing back what is paid leaves no debt: the next payout deducts it
SELECT recorded FROM platform.record_referral_refund(:far, :cyd, 'pc_1');
SELECT recorded, reason FROM platform.record_referral_refund(:far, :cyd, 'pc_1');
SELECT platform.record_referral_refund(:far, :cyd, 'pc_1', 'theft');
SELECT platform.record_referral_refund(:far, :cyd, 'pc_1', NULL);
SELECT platform.apply_referral_events();
TABLE ledger;
TABLE purse;
SELECT status, rejection_reason, total_commission_cents, fraud_score FROM platform.referrals WHERE id = :'cyds';
SELECT severity, alert_type, title, message FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'referral_clawback';
TABLE broken;
-- later payments of him earn nothing
SELECT recorded FROM platform.record_referral_payment(:far, :cyd, 'pc_2', 4990);
SELECT recorded FROM platform.record_referral_refund(:far, :cyd, 'pc_2', 'dispute');
SELECT platform.apply_referral_events();
SELECT kind, event_key, outcome FROM platform.referral_outbox WHERE user_id = :cyd ORDER BY id;
SELECT severity FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'referral_clawback';
-- 6000 of bob less 2999
UPDATE platform.referral_settings SET min_payout_cents = 3002;
SELECT platform.request_payout(:org, :ada);
UPDATE platform.referral_settings SET min_payout_cents = 3001;
SELECT payout_id AS p2, amount_cents, commissions FROM platform.request_payout(:org, :ada) \gset
SELECT :amount_cents AS amount_cents, :commissions AS commissions;
TABLE purse;
-- rejected: everything is free again, and asked for anew; who asked may withdraw, staff too
SELECT platform.reject_payout(:org, :'p2', 'not now'), platform.reject_payout(:org, :'p2', 'not now') AS again;
TABLE purse;
SELECT platform.approve_payout(:org, :'p2');
SELECT platform.pay_payout(:org, :'p2');
SELECT platform.reject_payout(:org, :'p1', 'too late');
SELECT platform.reject_payout(:org, :'p1', NULL);
SELECT platform.reject_payout(:org, :ada, 'none');
SELECT payout_id AS p3 FROM platform.request_payout(:org, :ada) \gset

-- under way: the amount stays, and a refund meanwhile becomes a debt when it is paid
SELECT platform.approve_payout(:org, :'p3'), platform.start_payout(:org, :'p3') AS cents;
SELECT platform.start_payout(:org, :'p3');
SAVEPOINT under_way;
SELECT recorded FROM platform.record_referral_refund(:far, :bob, 'pb_1', 'dispute');
SELECT platform.apply_referral_events();
TABLE ledger;
TABLE purse;
SELECT severity, title FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'referral_clawback' AND severity = 'critical';
SELECT platform.clawback_referral(:org, :'bobs') AS again;
SELECT platform.reject_referral_commission(:org, id, 'being paid') FROM platform.referral_commissions WHERE clawback_due;
SAVEPOINT s;
SELECT platform.pay_payout(:org, :'p3');
TABLE ledger;
TABLE purse;
SELECT total_commission_cents FROM platform.referrals WHERE id = :'bobs';
TABLE broken;
SELECT platform.request_payout(:org, :ada);
ROLLBACK TO s;
-- failed under way: it was never paid, so it is clawed back without a debt, and the old debt is open again
SELECT platform.reject_payout(:org, :'p3', 'account closed');
TABLE ledger;
TABLE purse;
SELECT total_commission_cents FROM platform.referrals WHERE id = :'bobs';
TABLE broken;
ROLLBACK TO under_way;
-- FAULT: 'cancelled' is no state of the table: here it is one; a cancellation meanwhile leaves what is under way
SELECT platform.cancel_referral(:org, :'bobs', 'left'), platform.cancel_referral(:org, :'bobs') AS again;
SELECT who, type, cents, status, payout, due FROM ledger WHERE who = 'bob';
SELECT platform.pay_payout(:org, :'p3');
TABLE purse;
TABLE broken;
ROLLBACK TO under_way;

-- before it is under way what is clawed back leaves it; with nothing left it is rejected
SELECT platform.pay_payout(:org, :'p3');
\o /dev/null
INSERT INTO platform.users (id, email) VALUES ('c1320000-0000-4000-8000-0000000000b3', 'dan@pay-d.example');
INSERT INTO platform.agents (organization_id, user_id) VALUES (:far, 'c1320000-0000-4000-8000-0000000000b3');
SELECT referral_id AS dans FROM platform.attribute_referral(:far, 'c1320000-0000-4000-8000-0000000000b3', :'code', signup_at => now() - interval '45 days') \gset
SELECT platform.record_referral_payment(:far, 'c1320000-0000-4000-8000-0000000000b3', 'pd_1', 20000, now() - interval '40 days');
SELECT platform.record_referral_payment(:far, :bob, 'pb_4', 30000);
SELECT platform.apply_referral_events();
\o
SELECT payout_id AS p4, amount_cents, commissions FROM platform.request_payout(:org, :ada) \gset
SELECT :amount_cents AS amount_cents, :commissions AS commissions;
SELECT platform.approve_payout(:org, :'p4');
SELECT platform.reject_referral_commission(:org, id, 'typo') FROM platform.referral_commissions WHERE stripe_invoice_id = 'pd_1' AND commission_type = 'monthly';
SELECT amount_cents, status FROM platform.payout_requests WHERE id = :'p4';
SELECT platform.cancel_referral(:org, :'dans', 'left');
SELECT amount_cents, status FROM platform.payout_requests WHERE id = :'p4';
SELECT platform.clawback_referral(:org, :'bobs', 'fraud');
SELECT amount_cents, status, rejection_reason FROM platform.payout_requests WHERE id = :'p4';
TABLE purse;
TABLE broken;
SELECT platform.cancel_referral(:org, :'bobs');
SELECT platform.clawback_referral(:org, :'dans', 'also'), platform.clawback_referral(:org, :ada) AS none;
SELECT platform.clawback_referral(:org, NULL);

-- states are kept, whoever writes
UPDATE platform.payout_requests SET status = 'pending' WHERE id = :'p1';
UPDATE platform.payout_requests SET amount_cents = 1 WHERE id = :'p1';
UPDATE platform.referral_commissions SET amount_cents = 1 WHERE commission_type = 'upfront' AND organization_id = :org;
UPDATE platform.referral_commissions SET status = 'approved' WHERE status = 'paid' AND organization_id = :org;
UPDATE platform.referral_commissions SET status = 'paid' WHERE status = 'clawed_back' AND organization_id = :org;
UPDATE platform.referrals SET status = 'pending' WHERE id = :'bobs';
UPDATE platform.referrals SET referrer_id = :cyd WHERE id = :'bobs';
INSERT INTO platform.payout_requests (organization_id, user_id, amount_cents, status) VALUES (:org, :ada, 100, 'approved');
INSERT INTO platform.payout_requests (organization_id, user_id, amount_cents) VALUES (:org, :ada, -1);
INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id, commission_type, amount_cents, status) VALUES (:org, :'dans', :ada, 'upfront', 1, 'approved');
INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id, commission_type, amount_cents) VALUES (:org, :'dans', :ada, 'monthly', -1);
INSERT INTO platform.payout_requests (organization_id, user_id, amount_cents) VALUES (:org, :ada, 100) RETURNING status;
INSERT INTO platform.payout_requests (organization_id, user_id, amount_cents) VALUES (:org, :ada, 100);
UPDATE platform.payout_requests SET amount_cents = 101 WHERE amount_cents = 100 AND organization_id = :org;
UPDATE platform.payout_requests SET status = 'paid' WHERE amount_cents = 100 AND organization_id = :org;
-- made past the functions it is found, and not paid
SELECT detail IS NOT NULL AS found FROM broken WHERE name LIKE '%payout is exactly%';
SELECT platform.approve_payout(:org, id) FROM platform.payout_requests WHERE amount_cents = 100 AND organization_id = :org;
SELECT platform.start_payout(:org, id) FROM platform.payout_requests WHERE amount_cents = 100 AND organization_id = :org;
SELECT platform.pay_payout(:org, id) FROM platform.payout_requests WHERE amount_cents = 100 AND organization_id = :org;

-- listings, the trail, what webhooks hear
SELECT amount_cents, status, commissions, rejection_reason FROM platform.list_payout_requests(:org) ORDER BY created_at, payout_id;
SELECT count(*) FROM platform.list_payout_requests(:org, :ada, 'rejected', 1);
SELECT commission_type, amount_cents, status FROM platform.list_referral_commissions(:org, :ada, 'paid') ORDER BY amount_cents, commission_type;
SELECT referred_id = :bob AS bob, status, months_paid, total_commission_cents FROM platform.list_referrals(:org, :ada) ORDER BY signup_at;
SELECT count(*) FROM platform.list_referral_codes(:org) WHERE referrals = 3;
SELECT count(*) FROM platform.list_referral_codes(max_rows => 0);
SELECT count(*) > 0 AS all FROM platform.list_referral_codes(max_rows => NULL);
SELECT count(*) FROM platform.list_referrals(max_rows => -1);
SELECT entity, action, count(*) FROM platform.audit_logs WHERE organization_id = :org AND (entity LIKE 'referral%' OR entity = 'payout_requests') GROUP BY 1, 2 ORDER BY entity COLLATE "C", action COLLATE "C";
SELECT event_type, count(*) FROM platform.webhook_events WHERE organization_id = :org AND event_type LIKE 'payout%' GROUP BY event_type ORDER BY event_type;
SELECT payload - 'payout_id' - 'user_id' AS payload FROM platform.webhook_events WHERE organization_id = :org AND event_type = 'payout.paid' ORDER BY id LIMIT 1;
ROLLBACK;
