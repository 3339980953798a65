-- Bills from events: priced by the version in force, made once, adjusted by the difference, traced both ways; disputes; previews; who may see them
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('10100000-0000-4000-8000-000000000001', 'Billed'), ('10100000-0000-4000-8000-000000000002', 'Other') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) VALUES ('10100000-0000-4000-8000-0000000000a1', 'billed-1@example.com'), ('10100000-0000-4000-8000-0000000000a2', 'billed-2@example.com') ON CONFLICT DO NOTHING;
\set org '''10100000-0000-4000-8000-000000000001'''
\set ann '''10100000-0000-4000-8000-0000000000a1'''
\set bob '''10100000-0000-4000-8000-0000000000a2'''
\set lines 'event_type, line_kind AS kind, revision AS rev, quantity, billed_units AS units, unit_rate AS rate, total_amount AS total, provider_cost AS cost, margin, cardinality(event_ids) AS events, phone_number'
\set ECHO all
BEGIN;
-- a tier of ten minutes and two messages, whose prices change in the middle of the first period
INSERT INTO platform.usage_tiers (tier, name, call_cap_seconds, sms_cap, grace_seconds, rollover_percent, overage_rate_minutes, overage_rate_sms, monthly_price) VALUES ('billed', 'Billed', 600, 2, 60, 0, 0.15, 0.02, 10);
SELECT changed, limit_state FROM platform.apply_tier(:org, :ann, 'billed', starts_at => now() - interval '45 days');
SELECT duplicate, late FROM platform.record_call_usage(:org, :ann, 'b1', 500, now() - interval '44 days', phone_number => '+14155550101', cost_cents => 50);
SELECT duplicate, late FROM platform.record_call_usage(:org, :ann, 'b2', 300, now() - interval '43 days', phone_number => '+14155550101', cost_cents => 31);
SELECT duplicate, late FROM platform.record_call_usage(:org, :ann, 'b3', 91, now() - interval '42 days', cost_cents => 10);
SELECT duplicate, late FROM platform.record_call_usage(:org, :ann, 'b4', 0, now() - interval '42 days');
SELECT duplicate, late FROM platform.record_sms_usage(:org, :ann, 'bm1', 5, now() - interval '42 days', cost_cents => 3);
-- the period is over: its bill; the present one has none
SELECT id AS period FROM platform.usage_periods WHERE organization_id = :org AND closed_at IS NOT NULL \gset
SELECT id AS present FROM platform.usage_periods WHERE organization_id = :org AND closed_at IS NULL \gset
SELECT * FROM platform.generate_billing_line_items(organization_id => :org);
SELECT :lines FROM platform.billing_line_items WHERE organization_id = :org ORDER BY event_type;
-- again: nothing, by period and by what is due
SELECT * FROM platform.generate_billing_line_items(organization_id => :org);
SELECT * FROM platform.generate_billing_line_items(:'period');
-- from a line to its events, and back
SELECT b.event_type, e.source_id, e.amount FROM platform.billing_line_items b, platform.billing_line_item_events(b.id) AS e WHERE b.organization_id = :org ORDER BY b.event_type, e.source_id;
SELECT b.event_type, b.line_kind, b.total_amount FROM platform.call_events e, platform.billing_line_items_of_event(e.id) AS b WHERE e.organization_id = :org AND e.call_id = 'b2';
SELECT count(*) AS events, count(*) FILTER (WHERE NOT EXISTS (SELECT FROM platform.billing_line_items_of_event(e.id))) AS untraced FROM platform.call_events e WHERE e.organization_id = :org;
-- a correction and a call that come late make adjustments, of the difference
SELECT duplicate, difference, late FROM platform.record_call_usage(:org, :ann, 'b3', 31, cost_cents => 4);
SELECT duplicate, difference, late FROM platform.record_call_usage(:org, :ann, 'b5', 600, now() - interval '44 days 12 hours');
SELECT is_outdated FROM platform.bills WHERE organization_id = :org;
SELECT * FROM platform.generate_billing_line_items(organization_id => :org);
SELECT :lines FROM platform.billing_line_items WHERE organization_id = :org AND revision = 2 ORDER BY event_type;
SELECT event_type, sum(quantity) AS quantity, sum(total_amount) AS total FROM platform.billing_line_items WHERE organization_id = :org GROUP BY 1 ORDER BY 1;
-- what was bought after the fact takes overage back: the line goes to zero, its events leave it
UPDATE platform.usage_periods SET call_credit = 5000, rebill_at = now() WHERE id = :'period';
SELECT * FROM platform.generate_billing_line_items(:'period');
SELECT :lines FROM platform.billing_line_items WHERE organization_id = :org AND revision = 3 ORDER BY event_type;
SELECT line_items, revision, total_amount, credits, is_outdated FROM platform.bills WHERE organization_id = :org;
UPDATE platform.usage_periods SET call_credit = 0, rebill_at = now() WHERE id = :'period';
SELECT * FROM platform.generate_billing_line_items(:'period');
-- prices are those of the call, not of today
UPDATE platform.usage_tiers SET overage_rate_minutes = 9.99, monthly_price = 99 WHERE tier = 'billed';
SELECT * FROM platform.generate_billing_line_items(:'period');
-- a change of prices within a period: calls keep what was in force when they ended
SELECT changed FROM platform.apply_tier(:org, :ann, 'billed');
SELECT difference, late FROM platform.record_call_usage(:org, :ann, 'p1', 700, now() - interval '1 day');
SELECT difference, late FROM platform.record_call_usage(:org, :ann, 'p2', 60);
SELECT item, description, quantity, unit_rate, total_amount FROM platform.invoice_preview(:org, :ann);
-- add-ons are on it
INSERT INTO platform.user_premium_features (organization_id, user_id, feature, monthly_price) VALUES (:org, :ann, 'review_requests', 19);
INSERT INTO platform.user_premium_features (organization_id, user_id, feature, monthly_price, starts_at, ends_at) VALUES (:org, :ann, 'zapier_webhooks', 49, now() - interval '44 days', now() - interval '40 days');
SELECT item, description, total_amount FROM platform.invoice_preview(:org, :ann) WHERE item = 'add_on';
SELECT item, description, quantity, unit_rate, total_amount FROM platform.invoice_preview(:org, :ann, :'period');
-- disputes: one is open at a time, an accepted one gives back, not more than there is
SELECT id AS line FROM platform.billing_line_items WHERE organization_id = :org AND event_type = 'overage_sms' \gset
SELECT platform.open_billing_dispute(:'line', 'not sent') AS dispute \gset
SELECT platform.open_billing_dispute(:'line', 'again') = :'dispute' AS same;
SELECT dispute_id = :'dispute' AS named FROM platform.billing_line_items WHERE id = :'line';
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT platform.resolve_billing_dispute(:'dispute', true, 0.07);
ROLLBACK TO s;
SELECT platform.resolve_billing_dispute(:'dispute', true, -0.01);
ROLLBACK TO s;
SELECT platform.resolve_billing_dispute(:'dispute', true, 'NaN');
ROLLBACK TO s;
SELECT platform.resolve_billing_dispute(:'dispute', false, 0.01);
ROLLBACK TO s;
\set VERBOSITY default
SELECT status, credited, credit_line_item_id IS NOT NULL AS has_credit FROM platform.resolve_billing_dispute(:'dispute', true, 0.02, 'half a proof');
SELECT platform.open_billing_dispute(:'line', 'still wrong') AS dispute2 \gset
SELECT status, credited FROM platform.resolve_billing_dispute(:'dispute2', true);
SELECT platform.open_billing_dispute(:'line', 'more') AS dispute3 \gset
SELECT status, credited, credit_line_item_id FROM platform.resolve_billing_dispute(:'dispute3', false);
SELECT line_kind, quantity, total_amount, margin FROM platform.billing_line_items WHERE organization_id = :org AND line_kind = 'credit' ORDER BY id;
-- a credit is no difference to adjust
SELECT * FROM platform.generate_billing_line_items(:'period');
SELECT item, total_amount FROM platform.invoice_preview(:org, :ann, :'period') WHERE item = 'credit';
-- refused
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT platform.resolve_billing_dispute(:'dispute', true);
ROLLBACK TO s;
SELECT platform.resolve_billing_dispute(:'line', true);
ROLLBACK TO s;
SELECT platform.resolve_billing_dispute(NULL, true);
ROLLBACK TO s;
SELECT platform.resolve_billing_dispute(:'dispute', NULL);
ROLLBACK TO s;
SELECT platform.open_billing_dispute(NULL, 'x');
ROLLBACK TO s;
SELECT platform.open_billing_dispute(:'line', NULL);
ROLLBACK TO s;
SELECT platform.open_billing_dispute(:'line', '');
ROLLBACK TO s;
SELECT platform.open_billing_dispute(:'period', 'x');
ROLLBACK TO s;
SELECT platform.open_billing_dispute(id, 'x') FROM platform.billing_line_items WHERE organization_id = :org AND line_kind = 'credit' LIMIT 1;
ROLLBACK TO s;
SELECT platform.generate_billing_line_items(:'present');
ROLLBACK TO s;
SELECT platform.generate_billing_line_items(:'line');
ROLLBACK TO s;
SELECT platform.generate_billing_line_items(:'period', '10100000-0000-4000-8000-000000000002');
ROLLBACK TO s;
SELECT platform.generate_billing_line_items(max_periods => 0);
ROLLBACK TO s;
SELECT platform.generate_billing_line_items(max_periods => NULL);
ROLLBACK TO s;
SELECT platform.invoice_preview(:org, :bob);
ROLLBACK TO s;
SELECT platform.invoice_preview(:org, :ann, :'line');
ROLLBACK TO s;
SELECT platform.invoice_preview(NULL, :ann);
ROLLBACK TO s;
-- line items stay
UPDATE platform.billing_line_items SET total_amount = 0, margin = - provider_cost WHERE id = :'line';
ROLLBACK TO s;
DELETE FROM platform.billing_line_items WHERE id = :'line';
ROLLBACK TO s;
SET LOCAL client_min_messages = warning;
TRUNCATE platform.billing_line_items CASCADE;
ROLLBACK TO s;
\set VERBOSITY default
UPDATE platform.billing_line_items SET provider_invoice_link = 'https://example.com/in_1' WHERE id = :'line' RETURNING provider_invoice_link;
-- the customer sees its bills and previews, not costs and margins, and changes nothing
SELECT platform.set_context(:org, :ann);
SET LOCAL ROLE platform_test_member;
SELECT count(*) > 0 AS sees, sum(total_amount) FROM platform.billing_line_items;
SELECT line_items, total_amount, credits FROM platform.bills;
SELECT count(*) FROM platform.billing_disputes;
SELECT count(*) FROM platform.invoice_preview(:org, :ann, :'period');
SELECT count(*) FROM platform.billing_line_item_events(:'line');
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT margin FROM platform.billing_line_items;
ROLLBACK TO s;
SELECT platform.invoice_preview(:org, :bob);
ROLLBACK TO s;
SELECT platform.invoice_preview('10100000-0000-4000-8000-000000000002', :ann);
ROLLBACK TO s;
SELECT platform.generate_billing_line_items();
ROLLBACK TO s;
SELECT platform.open_billing_dispute(:'line', 'x');
ROLLBACK TO s;
SELECT platform.resolve_billing_dispute(:'dispute', true);
ROLLBACK TO s;
SELECT platform.reconcile_usage();
ROLLBACK TO s;
SELECT platform.resume_reconciliation(:'line');
ROLLBACK TO s;
UPDATE platform.billing_line_items SET provider_invoice_link = 'x';
ROLLBACK TO s;
INSERT INTO platform.billing_disputes (organization_id, user_id, line_item_id, reason) VALUES (:org, :ann, :'line', 'x');
ROLLBACK TO s;
SELECT count(*) FROM platform.reconciliation_runs;
ROLLBACK TO s;
SELECT count(*) FROM platform.reconciliation_discrepancies;
ROLLBACK TO s;
\set VERBOSITY default
RESET ROLE;
-- another customer sees none
SELECT platform.set_context(:org, :bob);
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.billing_line_items;
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT count(*) FROM platform.bills;
ROLLBACK TO s;
SELECT platform.invoice_preview(:org, :ann);
ROLLBACK TO s;
\set VERBOSITY default
RESET ROLE;
ROLLBACK;
