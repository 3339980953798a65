-- Codes, attribution once, payments through the outbox, holds, approvals; each fault of the older system
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1310000-0000-4000-8000-000000000001\''
\set far '\'c1310000-0000-4000-8000-000000000002\''
\set ada '\'c1310000-0000-4000-8000-0000000000a1\''
\set bob '\'c1310000-0000-4000-8000-0000000000b1\''
\set cyd '\'c1310000-0000-4000-8000-0000000000b2\''
\set dan '\'c1310000-0000-4000-8000-0000000000b3\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Referrer'), (:far, 'Far away');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@flow-a.example'), (:bob, 'bob@flow-b.example'), (:cyd, 'cyd@flow-c.example'), (:dan, 'dan@flow-d.example');
INSERT INTO platform.organization_members (organization_id, user_id) VALUES (:org, :ada), (:far, :bob), (:far, :cyd), (:far, :dan);
INSERT INTO platform.profiles (organization_id, user_id) VALUES (:far, :bob);
-- a customer has an agent, so that his age alone is no signal
INSERT INTO platform.agents (organization_id, user_id) VALUES (:far, :bob), (:far, :cyd), (:far, :dan);
CREATE TEMP VIEW ledger AS
	SELECT u.email, c.commission_type AS type, c.month_number AS month, c.amount_cents, c.status, c.approved_by, c.payout_id IS NOT NULL AS reserved, c.stripe_invoice_id AS invoice
	FROM platform.referral_commissions c JOIN platform.referrals r ON r.id = c.referral_id JOIN platform.users u ON u.id = r.referred_id
	WHERE c.organization_id = 'c1310000-0000-4000-8000-000000000001' ORDER BY u.email, c.created_at, c.id;
CREATE TEMP VIEW state AS
	SELECT u.email, r.status, r.months_paid AS months, r.total_commission_cents AS total, r.upfront_paid, r.eligible_at - r.first_payment_at AS hold, r.fraud_score AS score
	FROM platform.referrals r JOIN platform.users u ON u.id = r.referred_id
	WHERE r.organization_id = 'c1310000-0000-4000-8000-000000000001' ORDER BY u.email;
\o
\set ECHO all

-- the numbers of the program
SELECT is_active, upfront_amount_cents, monthly_percent, max_months, hold_days, extended_hold_days, min_payout_cents, auto_approve_under_cents,
	fraud_auto_approve_max, fraud_extended_hold_min, fraud_manual_review_min, fraud_auto_reject_min FROM platform.referral_settings;
INSERT INTO platform.referral_settings (id) VALUES (2);
UPDATE platform.referral_settings SET fraud_manual_review_min = 40;
UPDATE platform.referral_settings SET monthly_percent = 101;
UPDATE platform.referral_settings SET extended_hold_days = 29;

-- a code: eight of 32 characters, one for each user
SELECT code, created FROM platform.create_referral_code(:org, :ada) \gset
SELECT :'code' ~ '^[A-HJ-NP-Z2-9]{8}$' AS form, :'created' AS created;
SELECT code = :'code' AS same, created FROM platform.create_referral_code(:org, :ada);
SELECT platform.create_referral_code(:org, :bob);
SELECT platform.create_referral_code(:org);
SELECT platform.create_referral_code(NULL, :ada);
-- FAULT: users insert any code text, from no good random source: here a CHECK, and the server's strong random bytes
INSERT INTO platform.referral_codes (organization_id, user_id, code) VALUES (:org, :bob, 'BOBSCODE');
INSERT INTO platform.referral_codes (organization_id, user_id, code) VALUES (:org, :bob, 'bobscode');
INSERT INTO platform.referral_codes (organization_id, user_id, code) VALUES (:org, :bob, :'code');
SAVEPOINT many;
\o /dev/null
INSERT INTO platform.users (id, email) SELECT gen_random_uuid(), 'u' || g || '@flow-many.example' FROM generate_series(1, 500) g;
INSERT INTO platform.organization_members (organization_id, user_id) SELECT :org, id FROM platform.users WHERE email LIKE '%@flow-many.example';
SELECT platform.create_referral_code(:org, id) FROM platform.users WHERE email LIKE '%@flow-many.example';
\o
SELECT count(DISTINCT code) AS codes, (SELECT count(DISTINCT substr(code, p, 1)) FROM generate_series(1, 8) p, platform.referral_codes) AS characters
FROM platform.referral_codes WHERE organization_id = :org;
ROLLBACK TO many;

-- valid in whatever case, and why not
SELECT t.name, v.* FROM (VALUES (1, 'as it is', :'code'), (2, 'lower', lower(:'code')), (3, 'spaces', '  ' || :'code' || E'\t\n'), (4, 'other', 'AAAAAAAA'),
	(5, 'short', left(:'code', 7)), (6, 'longer', :'code' || 'A'), (7, 'empty', ''), (8, 'null', NULL), (9, 'umlaut', 'ÄÄÄÄ'), (10, 'hostile', ''' OR 1=1')) AS t (n, name, code),
	platform.validate_referral_code(t.code) v ORDER BY t.n;
SELECT platform.set_referral_code_active(:org, :ada, false), platform.set_referral_code_active(:org, :ada, false) AS again;
SELECT * FROM platform.validate_referral_code(:'code');
SELECT attributed, reason FROM platform.attribute_referral(:far, :bob, :'code');
SELECT platform.set_referral_code_active(:org, :ada, true);
SELECT platform.set_referral_code_active(:org, :bob, true);
SELECT platform.set_referral_code_active(:org, :ada, NULL);
SAVEPOINT s;
UPDATE platform.users SET status = 'suspended' WHERE id = :ada;
SELECT * FROM platform.validate_referral_code(:'code');
ROLLBACK TO s;

-- FAULT: settings.is_active is ignored: here nobody comes with a code while it is off
SAVEPOINT s;
UPDATE platform.referral_settings SET is_active = false;
SELECT * FROM platform.validate_referral_code(:'code');
SELECT referral_id, attributed, reason FROM platform.attribute_referral(:far, :bob, :'code');
ROLLBACK TO s;

-- attribution: once, never oneself; a sign-up goes on whatever the code
SELECT referral_id, attributed, reason FROM platform.attribute_referral(:org, :ada, :'code');
SELECT referral_id, attributed, reason FROM platform.attribute_referral(:far, :bob, 'AAAAAAAA');
SELECT referral_id, attributed, reason FROM platform.attribute_referral(:far, :bob, NULL);
SELECT referral_id, attributed, coalesce(reason, 'none') AS reason FROM platform.attribute_referral(:far, :bob, lower(:'code'), '198.51.100.7', '2026-01-05 12:00+00') \gset
SELECT :'attributed' AS attributed, :'reason' AS reason;
SELECT referral_id = :'referral_id' AS same, attributed, reason FROM platform.attribute_referral(:far, :bob, :'code');
SELECT referral_id = :'referral_id' AS same, attributed, reason FROM platform.attribute_referral(:org, :bob, 'no code at all');
SELECT platform.attribute_referral(:far, NULL, :'code');
SELECT platform.attribute_referral(:far, :org, :'code');
SELECT platform.attribute_referral(:far, :cyd, :'code', signup_at => 'infinity');
-- in the customer's tenant so far: the outbox row, and his profile
SELECT organization_id = :far AS in_his_tenant, kind, status, signup_ip, occurred_at FROM platform.referral_outbox WHERE user_id = :bob;
SELECT referred_by_code = :'code' AS code, referred_by_user_id = :ada AS by_ada, signup_ip FROM platform.profiles WHERE user_id = :bob;
SELECT count(*) AS referrals FROM platform.referrals WHERE referrer_id = :ada;
-- applied: in the referrer's
SELECT platform.apply_referral_events(), platform.apply_referral_events() AS again;
SELECT id = :'referral_id' AS same, organization_id = :org AS in_her_tenant, referred_organization_id = :far AS of_his, status, signup_ip FROM platform.referrals WHERE referred_id = :bob;
SELECT status, outcome FROM platform.referral_outbox WHERE user_id = :bob;
-- FAULT: no unique referred user
INSERT INTO platform.referrals (organization_id, referrer_id, referred_id, referred_organization_id, referral_code) VALUES (:org, :ada, :bob, :far, :'code');
INSERT INTO platform.referrals (organization_id, referrer_id, referred_id, referred_organization_id, referral_code) VALUES (:org, :ada, :ada, :org, :'code');
INSERT INTO platform.referrals (organization_id, referrer_id, referred_id, referred_organization_id, referral_code, status) VALUES (:org, :ada, :dan, :far, :'code', 'eligible');

-- payments: of whom nobody brought nothing is recorded
SELECT event_id, recorded, reason FROM platform.record_referral_payment(:far, :cyd, 'in_0', 1000);
-- FAULT: replays pay twice: here the invoice counts once, whoever tells it how often
SELECT recorded, reason FROM platform.record_referral_payment(:far, :bob, 'in_1', 12999, now() - interval '10 days', 'sub_1');
SELECT recorded, reason FROM platform.record_referral_payment(:far, :bob, 'in_1', 12999, now(), 'sub_1');
SELECT platform.record_referral_payment(:far, :bob, 'in_1', 13000);
SELECT platform.record_referral_payment(:org, :bob, 'in_1', 12999);
SELECT platform.record_referral_payment(:far, :bob, NULL, 1);
SELECT platform.record_referral_payment(:far, :bob, '', 1);
SELECT platform.record_referral_payment(:far, :bob, repeat('x', 256), 1);
SELECT platform.record_referral_payment(:far, :bob, 'in_x', -1);
SELECT platform.record_referral_payment(:far, :bob, 'in_x', 1000000000001);
SELECT platform.record_referral_payment(:far, :bob, 'in_x', NULL);
SELECT platform.record_referral_payment(:far, :bob, 'in_x', 1, 'infinity');
SELECT platform.apply_referral_events(), platform.apply_referral_events() AS again;
-- FAULT: the upfront amount is lost from the total, which is written twice from one stale read: here it is the sum
-- FAULT: invoices during the hold earn nothing: here they earn at once, and wait; fractions of a cent are dropped
TABLE ledger;
TABLE state;
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'in_2', 19);
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'in_3', 9);
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'in_4', 0);
SELECT platform.apply_referral_events();
SELECT event_key, status, outcome FROM platform.referral_outbox WHERE user_id = :bob AND kind = 'payment' ORDER BY id;
TABLE ledger;
TABLE state;
-- FAULT: no unique month, invoice, upfront
INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id, commission_type, amount_cents, month_number) VALUES (:org, :'referral_id', :ada, 'monthly', 1, 1);
INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id, commission_type, amount_cents, month_number, stripe_invoice_id) VALUES (:org, :'referral_id', :ada, 'monthly', 1, 9, 'in_1');
INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id, commission_type, amount_cents) VALUES (:org, :'referral_id', :ada, 'upfront', 1);

-- the hold: 30 days from the first payment, to the microsecond
SELECT eligible_at - interval '1 microsecond' AS before, eligible_at AS over FROM platform.referrals WHERE id = :'referral_id' \gset
SELECT platform.release_referral_commissions(:'before') AS before, platform.release_referral_commissions(:'over') AS over, platform.release_referral_commissions(:'over') AS again;
TABLE ledger;
TABLE state;

-- later months are approved when they are earned, but what is too large wants somebody; exactly the limit does not
\o /dev/null
SELECT platform.attribute_referral(:far, :cyd, :'code', '198.51.100.8', now() - interval '100 days');
SELECT platform.record_referral_payment(:far, :cyd, 'cy_1', 1000, now() - interval '90 days');
SELECT platform.record_referral_payment(:far, :cyd, 'cy_2', 100009, now() - interval '60 days');
SELECT platform.record_referral_payment(:far, :cyd, 'cy_3', 100010, now() - interval '30 days');
\o
SELECT platform.apply_referral_events();
SELECT type, month, amount_cents, status, approved_by FROM ledger WHERE email LIKE 'cyd%';
SELECT c.id AS large FROM platform.referral_commissions c WHERE stripe_invoice_id = 'cy_3' \gset
SELECT platform.approve_referral_commission(:org, :'large', 'seen');
SELECT platform.approve_referral_commission(:org, :'large');
SELECT status, approved_by = current_user AS by_me, approved_at IS NOT NULL AS at, notes FROM platform.referral_commissions WHERE id = :'large';
-- FAULT: what an admin has looked at skips the hold: here the approval waits for its end
\o /dev/null
SELECT platform.attribute_referral(:far, :dan, :'code', '198.51.100.9');
SELECT platform.record_referral_payment(:far, :dan, 'da_1', 500000);
SELECT platform.apply_referral_events();
\o
SELECT id AS held FROM platform.referral_commissions WHERE stripe_invoice_id = 'da_1' AND commission_type = 'monthly' \gset
SELECT platform.approve_referral_commission(:org, :'held');
SELECT type, amount_cents, status, approved_by IS NULL AS nobody FROM ledger WHERE email LIKE 'dan%';
SELECT platform.review_referral(:org, r.id, true) FROM platform.referrals r WHERE referred_id = :dan;
SELECT type, amount_cents, status FROM ledger WHERE email LIKE 'dan%';
-- held for longer, with a reason
SELECT platform.extend_referral_hold(:org, :'held', now() + interval '60 days', 'card was reported');
SELECT platform.release_referral_commissions(now() + interval '31 days') AS upfront_only;
SELECT type, amount_cents, status FROM ledger WHERE email LIKE 'dan%';
SELECT platform.release_referral_commissions(now() + interval '60 days') AS held;
SELECT platform.extend_referral_hold(:org, :'held', now(), 'too late');
SELECT platform.extend_referral_hold(:org, :'large', now(), NULL);
SELECT platform.extend_referral_hold(:org, :'large', 'infinity', 'for ever');
-- rejected by hand: once, and out of the total
SELECT platform.reject_referral_commission(:org, :'held', 'no good'), platform.reject_referral_commission(:org, :'held', 'no good') AS again;
SELECT platform.reject_referral_commission(:org, :'held', NULL);
SELECT platform.reject_referral_commission(:org, :ada, 'none');
SELECT status, total FROM state WHERE email LIKE 'dan%';

-- twelve months and no more
\o /dev/null
SELECT platform.record_referral_payment(:far, :cyd, 'cy_' || g, 10000) FROM generate_series(4, 14) g;
SELECT platform.apply_referral_events();
\o
SELECT months, total FROM state WHERE email LIKE 'cyd%';
SELECT event_key, outcome FROM platform.referral_outbox WHERE user_id = :cyd AND status = 'ignored' ORDER BY id;
SELECT max(month) FROM ledger WHERE email LIKE 'cyd%';
-- FAULT: settings.is_active: what is paid while it is off earns nothing, also when it is applied later
SAVEPOINT s;
UPDATE platform.referral_settings SET is_active = false;
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'in_off', 1000);
UPDATE platform.referral_settings SET is_active = true;
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'in_on', 1000);
UPDATE platform.referral_settings SET is_active = false;
SELECT platform.apply_referral_events();
SELECT event_key, outcome FROM platform.referral_outbox WHERE event_key IN ('in_off', 'in_on') ORDER BY id;
ROLLBACK TO s;
-- other numbers: no amount for the first payment, no months
SAVEPOINT s;
UPDATE platform.referral_settings SET upfront_amount_cents = 0, max_months = 0;
\o /dev/null
SELECT platform.record_referral_payment(:far, :bob, 'in_none', 1000);
SELECT platform.apply_referral_events();
\o
SELECT outcome FROM platform.referral_outbox WHERE event_key = 'in_none';
ROLLBACK TO s;
SAVEPOINT s;
DELETE FROM platform.referral_settings WHERE id = 1;
SELECT platform.validate_referral_code(:'code');
ROLLBACK TO s;

-- the order of what happened, however it is drained; bounds
\o /dev/null
SELECT platform.record_referral_payment(:far, :bob, 'in_b' || g, 1000) FROM generate_series(1, 5) g;
\o
SELECT platform.apply_referral_events(2), platform.apply_referral_events(2) AS two, platform.apply_referral_events(2) AS one, platform.apply_referral_events(2) AS none;
SELECT platform.apply_referral_events(0);
SELECT platform.apply_referral_events(1001);
SELECT platform.apply_referral_events(NULL);
SELECT platform.release_referral_commissions(NULL, 0);
SELECT platform.release_referral_commissions(NULL, NULL);
-- webhooks of the referrer's organization hear of it, nobody of the customer's
SELECT event_type, count(*) FROM platform.webhook_events WHERE organization_id = :org GROUP BY event_type ORDER BY event_type;
SELECT count(*) AS far_away FROM platform.webhook_events WHERE organization_id = :far AND event_type LIKE 'referral%';
SELECT payload - 'referral_id' - 'referrer_id' AS payload FROM platform.webhook_events WHERE organization_id = :org AND event_type = 'referral.commission_earned' ORDER BY id LIMIT 2;
ROLLBACK;
