-- tour 84 Referrals: who brought whom, and what it earns
\echo
\echo Dora of Northside Dental came with a code of Ada, of another organization, and paid twice.
\echo That stands in the outbox of her own tenant, until a worker does what follows for Ada.
\echo
\set ECHO queries
BEGIN;
SELECT kind, event_key, amount_cents, status FROM platform.referral_outbox ORDER BY id;
SELECT platform.apply_referral_events() AS applied;
SELECT commission_type, month_number, amount_cents, status FROM platform.list_referral_commissions('d0000000-0000-4000-8000-000000000001')
ORDER BY month_number NULLS FIRST;
\set ECHO none
\echo
\echo The same invoice once more earns nothing; a large one does, and suffices for a payout, which
\echo reserves what it is the sum of.
\echo
\set ECHO queries
SELECT recorded, reason FROM platform.record_referral_payment('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'in_demo_2', 19900);
SELECT recorded, reason FROM platform.record_referral_payment('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'in_demo_3', 30000);
SELECT platform.apply_referral_events() AS applied;
SELECT payout_id, amount_cents, commissions FROM platform.request_payout('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1') \gset
SELECT :amount_cents AS amount_cents, :commissions AS commissions;
SELECT platform.approve_payout('d0000000-0000-4000-8000-000000000001', :'payout_id') AS approved;
SELECT platform.start_payout('d0000000-0000-4000-8000-000000000001', :'payout_id') AS cents_to_send;
\set ECHO none
\echo
\echo While the money is on its way, Dora disputes a payment. What is sent stays, and becomes a debt.
\echo
\set ECHO queries
SELECT recorded FROM platform.record_referral_refund('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'in_demo_1', 'dispute');
SELECT platform.apply_referral_events() AS applied;
SELECT platform.pay_payout('d0000000-0000-4000-8000-000000000001', :'payout_id', 'wire 1') AS cents_paid;
SELECT earned_cents, paid_cents, clawed_back_cents, debt_cents FROM platform.referral_dashboard WHERE code = 'ADAVXCE2';
SELECT severity, title, message FROM platform.ops_alerts WHERE alert_type = 'referral_clawback';
ROLLBACK;
