-- demo 130 referrals: Ada brought Dora of Northside Dental, who pays

INSERT INTO platform.referral_codes (id, organization_id, user_id, code) VALUES
	('d0000000-0000-4000-8000-000000000c01', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'ADAVXCE2')
ON CONFLICT DO NOTHING;
INSERT INTO platform.referral_outbox (id, organization_id, user_id, kind, event_key, referral_id, referral_code, signup_ip, amount_cents, occurred_at) VALUES
	('d0000000-0000-4000-8000-000000000f01', 'd0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'signup', 'd0000000-0000-4000-8000-0000000000b1', 'd0000000-0000-4000-8000-000000000d01', 'ADAVXCE2', '198.51.100.7', NULL, now() - interval '50 days'),
	('d0000000-0000-4000-8000-000000000f02', 'd0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'payment', 'in_demo_1', NULL, NULL, NULL, 19900, now() - interval '45 days'),
	('d0000000-0000-4000-8000-000000000f03', 'd0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1', 'payment', 'in_demo_2', NULL, NULL, NULL, 19900, now() - interval '15 days')
ON CONFLICT DO NOTHING;
