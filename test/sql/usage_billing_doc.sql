-- The examples of the page about bills
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES ('a1010000-0000-4000-8000-000000000001', 'Example');
INSERT INTO platform.users (id, email) VALUES ('a1010000-0000-4000-8000-0000000000a1', 'billing-example@example.com');
SELECT platform.apply_tier('a1010000-0000-4000-8000-000000000001', 'a1010000-0000-4000-8000-0000000000a1', 'core', starts_at => now() - interval '40 days');
SELECT platform.record_call_usage('a1010000-0000-4000-8000-000000000001', 'a1010000-0000-4000-8000-0000000000a1', 'c1', 9600, now() - interval '35 days', cost_cents => 160);
SELECT platform.record_call_usage('a1010000-0000-4000-8000-000000000001', 'a1010000-0000-4000-8000-0000000000a1', 'c2', 300, now() - interval '1 day');
\o
\set ECHO all

SELECT periods, line_items, total_amount FROM platform.generate_billing_line_items(organization_id => 'a1010000-0000-4000-8000-000000000001');   -- 1, 2, 1.50
SELECT event_type, billed_units, unit_rate, total_amount, margin FROM platform.billing_line_items
WHERE organization_id = 'a1010000-0000-4000-8000-000000000001' ORDER BY event_type;
SELECT periods FROM platform.generate_billing_line_items(organization_id => 'a1010000-0000-4000-8000-000000000001');                             -- 0
SELECT line_items, total_amount, is_outdated FROM platform.bills WHERE organization_id = 'a1010000-0000-4000-8000-000000000001';

SELECT item, quantity, unit_rate, total_amount FROM platform.invoice_preview('a1010000-0000-4000-8000-000000000001', 'a1010000-0000-4000-8000-0000000000a1');

SELECT platform.open_billing_dispute(id, 'call was dropped') AS dispute FROM platform.billing_line_items
WHERE organization_id = 'a1010000-0000-4000-8000-000000000001' AND event_type = 'overage_minutes' \gset
SELECT status, credited FROM platform.resolve_billing_dispute(:'dispute', true, 0.50, 'goodwill');

UPDATE platform.usage_limits SET call_used_seconds = 9000 WHERE organization_id = 'a1010000-0000-4000-8000-000000000001';
SELECT status, records_checked, discrepancies_found, corrected
FROM platform.reconcile_usage(preview => false, organization_id => 'a1010000-0000-4000-8000-000000000001');                                      -- completed, 2, 1, 1
SELECT discrepancies_found FROM platform.reconcile_usage(organization_id => 'a1010000-0000-4000-8000-000000000001');                             -- 0
SELECT call_used_seconds, call_event_seconds, corrected_at IS NOT NULL AS corrected
FROM platform.reconciliation_discrepancies WHERE organization_id = 'a1010000-0000-4000-8000-000000000001';
ROLLBACK;
