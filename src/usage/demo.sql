-- demo 100 usage: Demo Voice Co's owner has tier core, bought minutes, and used most of them

SELECT platform.apply_tier('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'core', starts_at => now() - interval '40 days')
WHERE NOT EXISTS (SELECT 1 FROM platform.usage_limits
	WHERE organization_id = 'd0000000-0000-4000-8000-000000000001' AND user_id = 'd0000000-0000-4000-8000-0000000000a1');
SELECT platform.record_call_usage('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'CA-demo-' || n, 400 + 37 * n, now() - interval '35 days' + n * interval '1 day',
	direction => 'inbound', cost_cents => 20 + n)
FROM pg_catalog.generate_series(1, 30) AS n;
SELECT platform.record_sms_usage('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'SM-demo-' || n, 1 + n % 2, now() - interval '1 hour', direction => 'outbound')
FROM pg_catalog.generate_series(1, 12) AS n;
SELECT platform.apply_top_up('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'sms_500', 'pi_demo_1');
