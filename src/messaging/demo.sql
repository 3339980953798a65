-- demo 110 messaging: a number that two businesses share, and one customer of both

INSERT INTO platform.sms_numbers (phone_number, organization_id, label) VALUES
	('+13125550180', NULL, 'shared'),
	('+13125550181', 'd0000000-0000-4000-8000-000000000001', 'Demo Voice Co')
ON CONFLICT DO NOTHING;

INSERT INTO platform.sms_settings (organization_id, quiet_from, quiet_until, timezone, help_phone) VALUES
	('d0000000-0000-4000-8000-000000000001', '21:00', '08:00', 'America/Chicago', '+13125550100')
ON CONFLICT DO NOTHING;

INSERT INTO platform.messages (id, organization_id, direction, from_number, to_number, thread_id, body, status, source, routing_method, created_at) VALUES
	('d0000000-0000-4000-8000-00000000b001', 'd0000000-0000-4000-8000-000000000001', 'outbound', '+13125550180', '+13125550147', '+13125550147', '[Demo Voice Co] Your refund of invoice 1042 is on its way.', 'delivered', 'auto_confirmation', NULL, now() - interval '5 hours'),
	('d0000000-0000-4000-8000-00000000b002', 'd0000000-0000-4000-8000-000000000001', 'inbound', '+13125550147', '+13125550180', '+13125550147', 'Thank you!', 'received', NULL, 'thread_lock', now() - interval '4 hours'),
	('d0000000-0000-4000-8000-00000000b003', 'd0000000-0000-4000-8000-000000000002', 'outbound', '+13125550180', '+13125550147', '+13125550147', '[Northside Dental] Your check-up is tomorrow at 10.', 'delivered', 'auto_reminder', NULL, now() - interval '3 hours')
ON CONFLICT DO NOTHING;

INSERT INTO platform.sms_thread_locks (from_number, to_number, organization_id, locked_until, last_outbound_at, business_name) VALUES
	('+13125550147', '+13125550180', 'd0000000-0000-4000-8000-000000000001', now() + interval '67 hours', now() - interval '5 hours', 'Demo Voice Co')
ON CONFLICT DO NOTHING;
