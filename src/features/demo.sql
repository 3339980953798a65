-- demo 20 features: flags and limits of the two organizations

INSERT INTO platform.org_feature_flags (organization_id, feature, enabled, disabled_reason, daily_limit, monthly_limit) VALUES
	('d0000000-0000-4000-8000-000000000001', 'voice_operations', true, NULL, NULL, 20000),
	('d0000000-0000-4000-8000-000000000001', 'recording', true, NULL, 200, 4000),
	('d0000000-0000-4000-8000-000000000001', 'secret_shopper', false, 'not ordered', NULL, NULL),
	('d0000000-0000-4000-8000-000000000002', 'voice_operations', true, NULL, 100, 1000),
	('d0000000-0000-4000-8000-000000000002', 'live_translation', false, 'not in the plan', NULL, NULL)
ON CONFLICT DO NOTHING;
