-- Deals and commissions: rounding, once, states in their order, bounds, who may
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1220000-0000-4000-8000-000000000001\''
\set other '\'c1220000-0000-4000-8000-000000000002\''
\set ada '\'c1220000-0000-4000-8000-0000000000a1\''
\set bob '\'c1220000-0000-4000-8000-0000000000a2\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Deals One'), (:other, 'Deals Two');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@crm-deals.example'), (:bob, 'bob@crm-deals.example');
\o
\set ECHO all

-- ten percent, half up, in minor units
SELECT count(*) FROM (VALUES (0, 1000), (4, 1000), (5, 1000), (49900, 1000), (49995, 1000), (12345, 10000), (12345, 0), (9223372036854775807, 9999)) AS d (amount, rate),
	platform.record_deal(:org, d.amount, :ada, rate_basis_points => d.rate) r WHERE r.created;
SELECT deal_amount_minor, rate_basis_points, commission_minor, status FROM platform.commissions WHERE organization_id = :org ORDER BY 1, 2;
SELECT deal_id AS deal, commission_id AS commission, created FROM platform.record_deal(:org, 49900, :ada, stripe_session_id => 'cs_crm_1') \gset
SELECT deal_id = :'deal' AS same, commission_id = :'commission' AS same_commission, created FROM platform.record_deal(:org, 49900, :ada, stripe_session_id => 'cs_crm_1');
SELECT commission_id IS NULL AS nobodys, created FROM platform.record_deal(:org, 100);
SELECT platform.record_deal(:org, 49901, :ada, stripe_session_id => 'cs_crm_1');
SELECT platform.record_deal(:other, 49900, :ada, stripe_session_id => 'cs_crm_1');
SELECT platform.record_deal(:org, -1, :ada);
SELECT platform.record_deal(:org, NULL, :ada);
SELECT platform.record_deal(:org, 1, :ada, rate_basis_points => 10001);
SELECT platform.record_deal(:org, 1, :ada, currency => 'dollars');
SELECT platform.record_deal(:org, 1, :org);

-- FAULT: paid from any state: here only what is payable, and that only what was paid for
SELECT platform.pay_commission(:org, :'commission');
SELECT platform.complete_deal(:org, :'deal'), platform.complete_deal(:org, :'deal') AS again;
SELECT d.status AS deal, d.paid_at IS NOT NULL AS paid_at, c.status, c.payable_at IS NOT NULL AS payable_at FROM platform.deals d, platform.commissions c WHERE d.id = :'deal' AND c.id = :'commission';
-- FAULT: the amount may be negative or of any size: here from 0 to the deal's amount
SELECT platform.pay_commission(:org, :'commission', -1);
UPDATE platform.commissions SET status = 'paid', paid_minor = -1 WHERE id = :'commission';
SELECT platform.pay_commission(:org, :'commission', 49901);
SAVEPOINT s;
SELECT platform.pay_commission(:org, :'commission', 0) AS nothing;
ROLLBACK TO s;
SELECT platform.pay_commission(:org, :'commission', payout_reference => 'wire 7') AS paid;
SELECT status, commission_minor, paid_minor, payout_reference, approved_at IS NOT NULL AS approved FROM platform.commissions WHERE id = :'commission';
SELECT platform.pay_commission(:org, :'commission');
-- what is paid stays, whoever writes
UPDATE platform.commissions SET status = 'payable' WHERE id = :'commission';
UPDATE platform.commissions SET paid_minor = 1 WHERE id = :'commission';
UPDATE platform.commissions SET commission_minor = 1 WHERE id = :'commission';
UPDATE platform.commissions SET seller_id = :bob WHERE id = :'commission';
UPDATE platform.deals SET amount_minor = 1 WHERE id = :'deal';
INSERT INTO platform.commissions (organization_id, seller_id, deal_id, deal_amount_minor, commission_minor, status) VALUES (:org, :bob, :'deal', 100, 10, 'payable');
INSERT INTO platform.commissions (organization_id, seller_id, deal_id, deal_amount_minor, commission_minor) VALUES (:org, :bob, :'deal', 100, -10);
UPDATE platform.commissions SET payout_reference = 'wire 8' WHERE id = :'commission' RETURNING status;

-- refunded: what is paid stays and is told, what is not is void
SELECT platform.void_deal(:org, :'deal'), platform.void_deal(:org, :'deal') AS again;
SELECT c.status, (SELECT count(*) FROM platform.ops_alerts a WHERE a.organization_id = :org AND a.alert_type = 'commission_paid_for_refunded_deal') AS alerts FROM platform.commissions c WHERE c.id = :'commission';
SELECT deal_id AS deal2, commission_id AS commission2 FROM platform.record_deal(:org, 1000, :ada) \gset
SELECT platform.void_deal(:org, :'deal2');
SELECT status, voided_at IS NOT NULL AS voided FROM platform.commissions WHERE id = :'commission2';
SELECT platform.complete_deal(:org, :'deal2');
SELECT platform.pay_commission(:org, :'commission2');
SELECT platform.void_deal(:org, :ada);
SELECT platform.complete_deal(:org, NULL);
SELECT platform.pay_commission(:org, :ada);
-- the trail has it
SELECT action FROM platform.audit_logs WHERE entity = 'commissions' AND entity_id = :'commission' ORDER BY created_at, id;

-- who sees what: sellers their own, administrators all; who pays: staff, never the seller
SELECT deal_id AS deal3, commission_id AS commission3 FROM platform.record_deal(:org, 2000, :bob) \gset
SELECT platform.complete_deal(:org, :'deal3');
SELECT platform.set_context(:org, :bob, 'agent') \g /dev/null
SET ROLE platform_test_member;
SELECT commission_minor, status FROM platform.list_commissions(:org);
SELECT amount_minor FROM platform.deals;
SELECT platform.pay_commission(:org, :'commission3');
SELECT platform.record_deal(:org, 1, :bob);
UPDATE platform.commissions SET status = 'paid';
SELECT platform.complete_deal(:org, :'deal3');
RESET ROLE;
SELECT platform.set_context(:org, :ada, 'owner') \g /dev/null
SET ROLE platform_test_member;
SELECT count(*) > 3 AS all_of_them FROM platform.commissions;
SELECT count(*) AS bobs FROM platform.list_commissions(:org, :bob, 'payable');
SELECT created FROM platform.record_deal(:org, 3000);
SELECT platform.pay_commission(:org, :'commission3');
SELECT platform.record_deal(:other, 3000);
RESET ROLE;
SELECT platform.set_context(:org, :bob, 'platform_admin') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.pay_commission(:org, :'commission3') AS ones_own;
RESET ROLE;
SELECT platform.set_context(:other, :ada, 'platform_admin') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.pay_commission(:org, :'commission3', 150) AS by_staff;
RESET ROLE;
SELECT approved_by = :ada AS by_ada, paid_minor FROM platform.commissions WHERE id = :'commission3';
ROLLBACK;
