-- demo 10 tenants: Demo Voice Co and Northside Dental with their people and callers

INSERT INTO platform.organizations (id, name, slug, tier, timezone, billing_anchor_day, settings) VALUES
	('d0000000-0000-4000-8000-000000000001', 'Demo Voice Co', 'demo-voice-co', 'pro', 'America/Chicago', 15,
		'{"features": {"callEnabled": true}, "branding": {"primaryColor": "#3B82F6"}}'),
	('d0000000-0000-4000-8000-000000000002', 'Northside Dental', 'northside-dental', 'core', 'Europe/Berlin', 1,
		'{"features": {"callEnabled": false}}')
ON CONFLICT DO NOTHING;

INSERT INTO platform.users (id, email, full_name, active_organization_id) VALUES
	('d0000000-0000-4000-8000-0000000000a1', 'ada@demo-voice.example', 'Ada Owner', 'd0000000-0000-4000-8000-000000000001'),
	('d0000000-0000-4000-8000-0000000000a2', 'ben@demo-voice.example', 'Ben Admin', 'd0000000-0000-4000-8000-000000000001'),
	('d0000000-0000-4000-8000-0000000000a3', 'cleo@demo-voice.example', 'Cleo Agent', 'd0000000-0000-4000-8000-000000000001'),
	('d0000000-0000-4000-8000-0000000000b1', 'dora@northside.example', 'Dora Dentist', 'd0000000-0000-4000-8000-000000000002')
ON CONFLICT DO NOTHING;

INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES
	('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'owner'),
	('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a2', 'admin'),
	('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'agent'),
	('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'owner'),
	('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 'viewer')
ON CONFLICT DO NOTHING;

INSERT INTO platform.profiles (organization_id, user_id, email, full_name, business_name, area_code, industry, role, transfer_number, business_timezone) VALUES
	('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'ada@demo-voice.example', 'Ada Owner', 'Demo Voice Co', '312', 'hvac', 'owner', '+13125550100', 'America/Chicago'),
	('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'cleo@demo-voice.example', 'Cleo Agent', 'Demo Voice Co', '312', 'hvac', 'user', '+13125550103', 'America/Chicago'),
	('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'dora@northside.example', 'Dora Dentist', 'Northside Dental', NULL, NULL, 'owner', '+493055500', 'Europe/Berlin')
ON CONFLICT DO NOTHING;

INSERT INTO platform.end_users (id, organization_id, external_id, name, email, phone, locale, metadata) VALUES
	('d0000000-0000-4000-8000-0000000000e1', 'd0000000-0000-4000-8000-000000000001', 'crm-1001', 'Eva Caller', 'eva@customer.example', '+13125550147', 'en-US', '{"source": "phone"}'),
	('d0000000-0000-4000-8000-0000000000e2', 'd0000000-0000-4000-8000-000000000001', 'crm-1002', 'Finn Visitor', 'finn@customer.example', '+13125550148', 'en-US', '{"source": "web"}'),
	('d0000000-0000-4000-8000-0000000000e3', 'd0000000-0000-4000-8000-000000000002', NULL, 'Gita Patient', NULL, '+493055501', 'de', '{}')
ON CONFLICT DO NOTHING;
