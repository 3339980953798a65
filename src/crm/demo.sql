-- demo 120 crm: an agent, leads, a deal with its commission, and appointments of Demo Voice Co

INSERT INTO platform.agents (id, organization_id, user_id, agent_id, phone_number, nickname, status, provider_region) VALUES
	('d0000000-0000-4000-8000-0000000000ab', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a1', 'agent_master', '+13125550100', 'Demo Voice Co', 'active', 'us-central')
ON CONFLICT DO NOTHING;

INSERT INTO platform.leads (id, organization_id, owner_id, name, phone, email, status, summary, sentiment, call_duration_seconds, call_outcome, appointment_booked, call_id, created_at) VALUES
	('d0000000-0000-4000-8000-00000000ed01', 'd0000000-0000-4000-8000-000000000001', NULL, 'Eva Caller', '+13125550147', 'eva@customer.example', 'not_interested', 'Upset about an invoice.', 'negative', 91, 'declined', false, 'demo-call-1', now() - interval '26 hours'),
	('d0000000-0000-4000-8000-00000000ed02', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'Eva Caller', '(312) 555-0147', NULL, 'booked', 'A great talk; the furnace is to be looked at.', 'positive', 140, 'booked', true, 'demo-call-2', now() - interval '2 hours'),
	('d0000000-0000-4000-8000-00000000ed03', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'Finn Visitor', '312-555-0148', 'finn@customer.example', 'demo_set', NULL, NULL, NULL, NULL, false, NULL, now() - interval '1 day')
ON CONFLICT DO NOTHING;

INSERT INTO platform.deals (id, organization_id, lead_id, seller_id, stripe_session_id, amount_minor) VALUES
	('d0000000-0000-4000-8000-00000000de01', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-00000000ed03', 'd0000000-0000-4000-8000-0000000000a3', 'cs_demo_1', 49900)
ON CONFLICT DO NOTHING;
INSERT INTO platform.commissions (id, organization_id, seller_id, deal_id, deal_amount_minor, commission_minor) VALUES
	('d0000000-0000-4000-8000-00000000dec1', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'd0000000-0000-4000-8000-00000000de01', 49900, 4990)
ON CONFLICT DO NOTHING;

INSERT INTO platform.appointments (id, organization_id, user_id, lead_id, customer_name, customer_phone, start_time, end_time, issue_type, source, location) VALUES
	('d0000000-0000-4000-8000-00000000ab01', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'd0000000-0000-4000-8000-00000000ed02', 'Eva Caller', '+13125550147',
		date_trunc('day', now()) + interval '2 days 9 hours', date_trunc('day', now()) + interval '2 days 10 hours', 'furnace', 'retell_internal', '12 Lake Street'),
	('d0000000-0000-4000-8000-00000000ab02', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3', 'd0000000-0000-4000-8000-00000000ed03', 'Finn Visitor', '+13125550148',
		date_trunc('day', now()) + interval '2 days 10 hours', date_trunc('day', now()) + interval '2 days 11 hours', 'boiler', 'manual', '7 Elm Street')
ON CONFLICT DO NOTHING;
