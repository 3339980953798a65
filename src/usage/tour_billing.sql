-- tour 101 Bills: from events, to the cent, and back to the events
\echo
\echo A month that is over: 165 minutes of which the plan includes 150.
\echo
\set ECHO none
\o /dev/null
BEGIN;
INSERT INTO platform.users (id, email) VALUES ('d0000000-0000-4000-8000-0000000000b1', 'tour-bills@example.com') ON CONFLICT DO NOTHING;
SELECT platform.apply_tier('00000000-0000-0000-0000-000000000000', 'd0000000-0000-4000-8000-0000000000b1', 'core', starts_at => now() - interval '40 days');
\o
\set ECHO queries
SELECT count(platform.record_call_usage('00000000-0000-0000-0000-000000000000', 'd0000000-0000-4000-8000-0000000000b1',
	'tour bill ' || i, 900, now() - interval '35 days' + i * interval '1 hour', cost_cents => 20)) AS calls FROM generate_series(1, 11) AS i;
SELECT periods, line_items, total_amount FROM platform.generate_billing_line_items();
SELECT event_type, billed_units, unit_rate, total_amount, margin FROM platform.billing_line_items
WHERE user_id = 'd0000000-0000-4000-8000-0000000000b1' ORDER BY event_type;
SELECT e.source_id, e.amount FROM platform.billing_line_items b, platform.billing_line_item_events(b.id) AS e
WHERE b.user_id = 'd0000000-0000-4000-8000-0000000000b1' AND b.event_type = 'overage_minutes';
\set ECHO none
\echo
\echo A report that comes late makes an adjustment; the same again makes nothing.
\echo
\set ECHO queries
SELECT difference, late FROM platform.record_call_usage('00000000-0000-0000-0000-000000000000', 'd0000000-0000-4000-8000-0000000000b1', 'tour bill 3', 1200);
SELECT periods, line_items, adjustments, total_amount FROM platform.generate_billing_line_items();
SELECT periods, line_items, adjustments, total_amount FROM platform.generate_billing_line_items();
\set ECHO none
\echo
\echo Somebody changes a counter by hand. Reconciliation finds it, and sets it right from the events.
\echo
\set ECHO queries
UPDATE platform.usage_limits SET call_used_seconds = 5000 WHERE user_id = 'd0000000-0000-4000-8000-0000000000b1';
SELECT status, discrepancies_found, corrected FROM platform.reconcile_usage(preview => false);
SELECT status, discrepancies_found FROM platform.reconcile_usage();
\set ECHO none
ROLLBACK;
