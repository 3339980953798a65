-- demo 95 inbox: what a provider told Demo Voice Co, and a call for a number that is nobody's

INSERT INTO platform.webhook_queue (id, organization_id, request_id, account_id, source, event_type, phone_number, raw_payload, idempotency_key,
	received_at, status, due_at, attempts, last_attempt_at, processed_at, processed_by, result) VALUES
	('d0000000-0000-4000-8000-000000009501', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000009501', 'd0000000-0000-4000-8000-0000000000aa',
		'retell', 'call_ended', '+13125550100', '{"event": "call_ended", "call": {"call_id": "demo-1", "to_number": "+13125550100"}}', 'call_ended:demo-1',
		now() - interval '25 hours', 'processed', NULL, 1, now() - interval '25 hours', now() - interval '25 hours', 'system', 'success'),
	('d0000000-0000-4000-8000-000000009502', 'd0000000-0000-4000-8000-000000000001', NULL, 'd0000000-0000-4000-8000-0000000000aa',
		'retell', 'call_inbound', '+13125550177', '{"event": "call_inbound", "call_inbound": {"to_number": "+13125550177"}}', 'sha256:demo',
		now() - interval '2 hours', 'failed', NULL, 1, now() - interval '2 hours', NULL, NULL, 'unknown_number')
ON CONFLICT DO NOTHING;
INSERT INTO platform.webhook_requests (id, organization_id, account_id, source, url, headers, body, received_at, created_at)
SELECT q.request_id, q.organization_id, q.account_id, q.source, 'https://app.example.com/webhooks/retell', '{"content-type": "application/json"}',
	'{"event": "call_ended", "call": {"call_id": "demo-1", "to_number": "+13125550100"}}', q.received_at, q.created_at
FROM platform.webhook_queue q
WHERE q.id = 'd0000000-0000-4000-8000-000000009501'
	AND NOT EXISTS (SELECT 1 FROM platform.webhook_requests r WHERE r.id = q.request_id);
INSERT INTO platform.unknown_phone (id, organization_id, phone_number, event_type, raw_payload, webhook_id, received_at) VALUES
	('d0000000-0000-4000-8000-000000009503', 'd0000000-0000-4000-8000-000000000001', '+13125550177', 'call_inbound',
		'{"event": "call_inbound", "call_inbound": {"to_number": "+13125550177"}}', 'd0000000-0000-4000-8000-000000009502', now() - interval '2 hours')
ON CONFLICT DO NOTHING;
