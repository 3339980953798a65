-- demo 40 ops: an open alert, and what came of upgrade prompts

INSERT INTO platform.ops_alerts (id, organization_id, alert_type, severity, title, message, source, dedup_key, occurrences) VALUES
	('d0000000-0000-4000-8000-000000000401', 'd0000000-0000-4000-8000-000000000001', 'billing_spike', 'warning',
	'Usage is three times that of last week', '96 minutes a day instead of 31', 'payment', 'usage', 3)
ON CONFLICT DO NOTHING;

INSERT INTO platform.upgrade_prompts_shown (id, organization_id, user_id, prompt_type, trigger_reason, clicked_at, dismissed_at, converted_at) VALUES
	('d0000000-0000-4000-8000-000000000411', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1',
	'limit_reached', 'calls', now(), NULL, now()),
	('d0000000-0000-4000-8000-000000000412', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3',
	'limit_reached', 'calls', NULL, now(), NULL)
ON CONFLICT DO NOTHING;
