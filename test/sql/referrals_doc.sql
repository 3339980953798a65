-- The examples of the page about referrals
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'c1360000-0000-4000-8000-000000000001\''
\set far '\'c1360000-0000-4000-8000-000000000002\''
\set ada '\'c1360000-0000-4000-8000-0000000000a1\''
\set bob '\'c1360000-0000-4000-8000-0000000000b1\''
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Example'), (:far, 'Customer');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@referrals-a.example'), (:bob, 'bob@referrals-b.example');
INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES (:org, :ada, 'owner');
\set ECHO all

SELECT code FROM platform.create_referral_code(:org, :ada) \gset
SELECT valid, reason FROM platform.validate_referral_code(lower(:'code'));

SELECT referral_id, attributed FROM platform.attribute_referral(:far, :bob, :'code', '198.51.100.7', now() - interval '41 days') \gset
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'in_1', 60000, now() - interval '40 days');
SELECT recorded, reason FROM platform.record_referral_payment(:far, :bob, 'in_1', 60000);                 -- false, DUPLICATE
SELECT platform.apply_referral_events();                                                                  -- 2

SELECT status, months_paid, total_commission_cents FROM platform.list_referrals(:org);                    -- eligible, 1, 8500
SELECT commission_type, amount_cents, status FROM platform.list_referral_commissions(:org) ORDER BY amount_cents;

SELECT platform.add_referral_signal(:org, :'referral_id', 'same_device', '{"device": "d1"}');             -- 25: no agent yet, and that
SELECT signal, points FROM platform.list_referral_signals(:org, :'referral_id');

SELECT payout_id, amount_cents, commissions FROM platform.request_payout(:org, :ada) \gset
SELECT platform.approve_payout(:org, :'payout_id');
SELECT platform.start_payout(:org, :'payout_id');                                                         -- 8500: send them
SELECT platform.pay_payout(:org, :'payout_id', 'wire 1');
SELECT recorded FROM platform.record_referral_refund(:far, :bob, 'in_1');
SELECT platform.apply_referral_events();
SELECT earned_cents, paid_cents, debt_cents FROM platform.referral_dashboard WHERE user_id = :ada;        -- 8500, 8500, 8500
ROLLBACK;
