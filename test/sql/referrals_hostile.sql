-- No function of referrals looks anything up along the caller's search_path, whoever calls
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'c1370000-0000-4000-8000-000000000001\''
\set far '\'c1370000-0000-4000-8000-000000000002\''
\set ada '\'c1370000-0000-4000-8000-0000000000a1\''
\set bob '\'c1370000-0000-4000-8000-0000000000b1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Hostile'), (:far, 'Far away');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@hostile-a.example'), (:bob, 'bob@hostile-b.example');
INSERT INTO platform.organization_members (organization_id, user_id) VALUES (:org, :ada);
\ir ../kit/hostile.sql
\o
\set ECHO all

SET LOCAL search_path = evil, pg_catalog;
-- it is hostile
SAVEPOINT s;
SELECT 1 = 1;
ROLLBACK TO s;
SELECT code, created FROM platform.create_referral_code(:org, :ada) \gset
SELECT valid, reason FROM platform.validate_referral_code(:'code');
SELECT referral_id, attributed FROM platform.attribute_referral(:far, :bob, :'code', '198.51.100.7'::pg_catalog.inet, '2026-01-01 00:00+00'::pg_catalog.timestamptz) \gset
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'hostile_1', 200000, '2026-01-02 00:00+00'::pg_catalog.timestamptz);
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'hostile_1', 200000);
SELECT recorded FROM platform.record_referral_payment(:far, :bob, 'hostile_2', 60000);
SELECT platform.apply_referral_events();
SELECT platform.score_referral(:org, :'referral_id') AS score;
SELECT platform.add_referral_signal(:org, :'referral_id', 'same_device') AS score;
-- FAULT: a score function without a search_path
SELECT platform.referral_fraud_score(:org, :'referral_id') AS score;
SELECT signal, points FROM platform.list_referral_signals(:org, :'referral_id');
SELECT fraud_score FROM platform.referral_review_queue();
SELECT platform.release_referral_commissions();
SELECT commission_id AS commission FROM platform.list_referral_commissions(:org) WHERE month_number OPERATOR(pg_catalog.=) 1 \gset
SELECT platform.extend_referral_hold(:org, :'commission', '2026-01-03 00:00+00', 'hostile');
SELECT platform.approve_referral_commission(:org, :'commission');
SELECT platform.review_referral(:org, :'referral_id', true);
SELECT payout_id, amount_cents FROM platform.request_payout(:org, :ada) \gset
SELECT platform.reject_payout(:org, :'payout_id', 'again');
SELECT platform.reject_referral_commission(:org, :'commission', 'no');
SELECT payout_id, amount_cents FROM platform.request_payout(:org, :ada, 'manual') \gset
SELECT platform.approve_payout(:org, :'payout_id');
SELECT platform.start_payout(:org, :'payout_id');
SELECT recorded FROM platform.record_referral_refund(:far, :bob, 'hostile_1');
SELECT recorded FROM platform.record_referral_cancellation(:far, :bob);
SELECT platform.apply_referral_events();
SELECT platform.pay_payout(:org, :'payout_id') AS paid;
ROLLBACK TO s;
-- a member
SELECT platform.set_context(:org, :ada, 'owner') \g /dev/null
SET LOCAL ROLE platform_test_member;
SELECT created FROM platform.create_referral_code(:org);
SELECT referrals FROM platform.list_referral_codes();
SELECT earned_cents FROM platform.referral_dashboard;
ROLLBACK;
