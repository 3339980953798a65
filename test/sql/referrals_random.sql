-- Whatever may happen, in a random order: after it all sums are those that plain SQL makes of what happened
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES ('c1350000-0000-4000-8000-000000000001', 'Referrers'), ('c1350000-0000-4000-8000-000000000002', 'Customers');
CREATE TEMP TABLE referrer (n int PRIMARY KEY, id uuid DEFAULT gen_random_uuid(), code text);
CREATE TEMP TABLE customer (n int PRIMARY KEY, id uuid DEFAULT gen_random_uuid(), referrer int, referral uuid);
INSERT INTO referrer (n) SELECT generate_series(1, 4);
INSERT INTO customer (n, referrer) SELECT g, 1 + g % 4 FROM generate_series(1, 20) g;
INSERT INTO platform.users (id, email) SELECT id, 'referrer@random-r' || n || '.example' FROM referrer;
INSERT INTO platform.users (id, email) SELECT id, 'customer@random-c' || n || '.example' FROM customer;
INSERT INTO platform.organization_members (organization_id, user_id) SELECT 'c1350000-0000-4000-8000-000000000001', id FROM referrer;
INSERT INTO platform.agents (organization_id, user_id) SELECT 'c1350000-0000-4000-8000-000000000002', id FROM customer;
UPDATE referrer SET code = (platform.create_referral_code('c1350000-0000-4000-8000-000000000001', id)).code;
UPDATE customer c SET referral = (platform.attribute_referral('c1350000-0000-4000-8000-000000000002', c.id, r.code, signup_at => now() - c.n * interval '25 hours')).referral_id
FROM referrer r WHERE r.n = c.referrer;
UPDATE platform.referral_settings SET min_payout_cents = 1000;
-- what was done by hand and is in no outbox
CREATE TEMP TABLE by_hand (referral uuid, what text, at_event int);
CREATE TEMP TABLE done (step int, what text, detail text);
-- the same numbers in every version
CREATE FUNCTION pg_temp.pick(step int, salt text, choices int) RETURNS int LANGUAGE sql AS
	$$ SELECT (('x' || left(md5(step || salt), 8))::bit(32)::bigint % choices)::int $$;
CREATE FUNCTION pg_temp.one_step(step int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	org uuid := 'c1350000-0000-4000-8000-000000000001';
	far uuid := 'c1350000-0000-4000-8000-000000000002';
	who record;
	ref record;
	pay record;
	com record;
	what int := pg_temp.pick(step, 'what', 100);
	said text;
BEGIN
	SELECT * INTO who FROM customer WHERE n = 1 + pg_temp.pick(step, 'who', 20);
	SELECT * INTO ref FROM referrer WHERE n = 1 + pg_temp.pick(step, 'referrer', 4);
	SELECT * INTO pay FROM platform.payout_requests p WHERE p.user_id = ref.id AND p.status IN ('pending', 'approved', 'processing');
	CASE
	WHEN what < 40 THEN
		said := 'payment';
		PERFORM platform.record_referral_payment(far, who.id, 'random_' || step, pg_temp.pick(step, 'amount', 130000), now() - pg_temp.pick(step, 'days', 80) * interval '1 day');
	WHEN what < 42 THEN
		said := 'refund';
		PERFORM platform.record_referral_refund(far, who.id, 'random_' || pg_temp.pick(step, 'invoice', step), CASE what WHEN 40 THEN 'refund' ELSE 'dispute' END);
	WHEN what < 43 THEN
		said := 'cancellation';
		PERFORM platform.record_referral_cancellation(far, who.id);
	WHEN what < 55 THEN
		said := 'apply';
		PERFORM platform.apply_referral_events(1 + pg_temp.pick(step, 'batch', 20));
	WHEN what < 61 THEN
		said := 'release';
		PERFORM platform.release_referral_commissions(now() + pg_temp.pick(step, 'ahead', 20) * interval '1 day');
	WHEN what < 70 THEN
		said := 'commission';
		SELECT * INTO com FROM platform.referral_commissions c WHERE c.referral_id = who.referral AND c.status = 'pending' ORDER BY c.month_number LIMIT 1;
		IF com.id IS NULL THEN
			RETURN;
		ELSIF what < 68 THEN
			PERFORM platform.approve_referral_commission(org, com.id);
		ELSIF what < 69 THEN
			PERFORM platform.reject_referral_commission(org, com.id, 'random');
		ELSE
			PERFORM platform.extend_referral_hold(org, com.id, now() + interval '3 days', 'random');
		END IF;
	WHEN what < 71 THEN
		said := 'clawback';
		PERFORM platform.clawback_referral(org, id, 'random') FROM platform.referrals WHERE id = who.referral AND what = 70 AND step % 3 = 0;
	WHEN what < 73 THEN
		said := 'signal';
		PERFORM platform.add_referral_signal(org, id, 'same_device', points => 15 + pg_temp.pick(step, 'points', 85)) FROM platform.referrals WHERE id = who.referral;
	WHEN what < 75 THEN
		said := 'review';
		PERFORM platform.review_referral(org, id, step % 4 > 0) FROM platform.referrals WHERE id = who.referral AND status IN ('pending', 'eligible', 'paid') AND needs_review;
	WHEN pay.id IS NULL THEN
		said := 'request';
		PERFORM platform.request_payout(org, ref.id);
	WHEN what < 78 THEN
		said := 'reject';
		PERFORM platform.reject_payout(org, pay.id, 'random');
	WHEN pay.status = 'pending' THEN
		said := 'approve';
		PERFORM platform.approve_payout(org, pay.id);
	WHEN pay.status = 'approved' THEN
		said := 'start';
		PERFORM platform.start_payout(org, pay.id);
	ELSE
		said := 'pay';
		PERFORM platform.pay_payout(org, pay.id, 'random_' || step);
	END CASE;
	INSERT INTO done VALUES (step, said, NULL);
EXCEPTION WHEN SQLSTATE 'PT422' OR SQLSTATE 'PT409' THEN
	INSERT INTO done VALUES (step, said, SQLSTATE);
END $$;
-- what must hold after each step
CREATE TEMP TABLE wrong (step int, what text);
CREATE FUNCTION pg_temp.look(step int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO wrong SELECT step, 'purse' FROM platform.referral_dashboard
	WHERE organization_id = 'c1350000-0000-4000-8000-000000000001'
		AND (pending_cents + available_cents + reserved_cents + paid_cents - debt_cents <> earned_cents - clawed_back_cents
		OR reserved_cents <> coalesce(payout_cents, 0) OR least(pending_cents, available_cents, reserved_cents, paid_cents, debt_cents) < 0);
$$;
-- plans are made for what there is, not for the empty tables of the beginning
SELECT pg_temp.one_step(s), CASE WHEN s % 20 = 0 THEN pg_temp.look(s) END FROM generate_series(1, 100) s;
ANALYZE platform.referrals, platform.referral_commissions, platform.referral_outbox, platform.referral_fraud_signals, platform.payout_requests;
SELECT pg_temp.one_step(s), CASE WHEN s % 20 = 0 THEN pg_temp.look(s) END FROM generate_series(101, 600) s;
SELECT platform.apply_referral_events(1000);
SELECT pg_temp.look(0);
\o
\set ECHO all

-- everything happened, and some of it was refused
SELECT what, count(*) > 2 AS often FROM done GROUP BY what ORDER BY what COLLATE "C";
SELECT count(*) > 20 AS refused FROM done WHERE detail IS NOT NULL;
SELECT outcome, count(*) > 0 AS some FROM platform.referral_outbox WHERE organization_id = 'c1350000-0000-4000-8000-000000000002' GROUP BY outcome ORDER BY outcome COLLATE "C";
SELECT status, count(*) > 0 AS some FROM platform.referrals WHERE organization_id = 'c1350000-0000-4000-8000-000000000001' GROUP BY status ORDER BY status COLLATE "C";
SELECT commission_type, status, count(*) > 0 AS some FROM platform.referral_commissions WHERE organization_id = 'c1350000-0000-4000-8000-000000000001' GROUP BY 1, 2 ORDER BY commission_type COLLATE "C", status COLLATE "C";
-- at no step did a purse not add up
SELECT count(*) FROM wrong;
-- what was earned, made anew from the outbox: 2500 for the first payment, a tenth of twelve
WITH payment AS (
	SELECT o.user_id, o.event_key, o.amount_cents, row_number() OVER (PARTITION BY o.user_id ORDER BY o.id) AS n
	FROM platform.referral_outbox o WHERE o.organization_id = 'c1350000-0000-4000-8000-000000000002' AND o.kind = 'payment' AND o.amount_cents > 0
		AND NOT EXISTS (SELECT FROM platform.referral_outbox e WHERE e.user_id = o.user_id AND e.kind <> 'signup' AND e.kind <> 'payment' AND e.id < o.id)
		AND o.outcome <> 'REFERRAL_IS_CLOSED'),
expected AS (
	SELECT c.referral, sum(CASE WHEN p.n = 1 THEN 2500 ELSE 0 END + CASE WHEN p.n <= 12 THEN p.amount_cents * 10 / 100 ELSE 0 END) AS earned
	FROM payment p JOIN customer c ON c.id = p.user_id GROUP BY c.referral),
found AS (
	SELECT referral_id AS referral, sum(amount_cents) AS earned FROM platform.referral_commissions
	WHERE organization_id = 'c1350000-0000-4000-8000-000000000001' AND commission_type <> 'debt' GROUP BY referral_id)
SELECT count(*) FILTER (WHERE e.earned IS DISTINCT FROM f.earned) AS differ, count(*) > 10 AS referrals FROM expected e FULL JOIN found f USING (referral);
-- what went out is what was paid: payments less the debts deducted; and each payout is the sum of its rows
SELECT count(*) FILTER (WHERE p.out IS DISTINCT FROM c.paid) AS differ, count(*) > 2 AS referrers
FROM (SELECT user_id, sum(amount_cents) AS out FROM platform.payout_requests WHERE organization_id = 'c1350000-0000-4000-8000-000000000001' AND status = 'paid' GROUP BY user_id) p
FULL JOIN (SELECT referrer_id AS user_id, sum(amount_cents) AS paid FROM platform.referral_commissions WHERE organization_id = 'c1350000-0000-4000-8000-000000000001' AND paid_at IS NOT NULL GROUP BY referrer_id) c USING (user_id);
-- nobody got anything for a customer whose money went back, but what he owes
SELECT count(*) FROM (SELECT r.id FROM platform.referrals r JOIN platform.referral_commissions c ON c.referral_id = r.id
	WHERE r.organization_id = 'c1350000-0000-4000-8000-000000000001' AND r.status = 'clawed_back' AND NOT EXISTS (SELECT FROM platform.referral_commissions d WHERE d.referral_id = r.id AND d.clawback_due)
	GROUP BY r.id HAVING sum(CASE WHEN c.paid_at IS NOT NULL AND c.commission_type <> 'debt' OR c.commission_type = 'debt' THEN c.amount_cents ELSE 0 END) <> 0) x;
-- the ledger's history never went backwards
SELECT count(*) FROM platform.audit_logs a WHERE a.organization_id = 'c1350000-0000-4000-8000-000000000001' AND a.entity = 'referral_commissions' AND a.action = 'UPDATE'
	AND (a.old ->> 'status', a.new ->> 'status') IN (('paid', 'approved'), ('approved', 'pending'), ('clawed_back', 'approved'), ('clawed_back', 'paid'), ('pending', 'paid'));
SELECT name, detail FROM platform.verify() WHERE NOT passed;
ROLLBACK;
