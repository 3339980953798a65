-- demo 30 tokens: token accounts, and a host who can be called

INSERT INTO platform.user_accounts (user_id, organization_id, tokens_remaining, subscription_tier) VALUES
	('demo_user', '00000000-0000-0000-0000-000000000000', 500, 'free'),
	('test_user_1', '00000000-0000-0000-0000-000000000000', 100, 'free'),
	('test_user_2', '00000000-0000-0000-0000-000000000000', 250, 'pro'),
	('developer', '00000000-0000-0000-0000-000000000000', 1000, 'enterprise'),
	('d0000000-0000-4000-8000-0000000000a1', 'd0000000-0000-4000-8000-000000000001', 300, 'pro'),
	('d0000000-0000-4000-8000-0000000000a3', 'd0000000-0000-4000-8000-000000000001', 20, 'free')
ON CONFLICT DO NOTHING;

INSERT INTO platform.user_presence (id, organization_id, host_id, room_id) VALUES
	('d0000000-0000-4000-8000-0000000000f1', '00000000-0000-0000-0000-000000000000', 'demo_user', 'demo-lobby'),
	('d0000000-0000-4000-8000-0000000000f2', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'front-desk')
ON CONFLICT DO NOTHING;
