-- demo 80 calls: calls of Demo Voice Co with what was said and noted

INSERT INTO platform.conversations (id, organization_id, chatbot_id, end_user_id, channel, subject) VALUES
	('d0000000-0000-4000-8000-0000000000d1', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1', 'd0000000-0000-4000-8000-0000000000e1', 'twilio', 'Invoice 1042')
ON CONFLICT DO NOTHING;

INSERT INTO platform.calls (id, organization_id, chatbot_id, end_user_id, conversation_id, call_sid, source, direction, status, from_number, to_number,
	started_at, answered_at, ended_at, ai_provider, model_id, summary, call_quality, sentiment_score, disposition, disposition_set_at, disposition_set_by,
	consent_method, consent_timestamp, consent_audio_offset_ms, created_at) VALUES
	('d0000000-0000-4000-8000-000000000ca1', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1', 'd0000000-0000-4000-8000-0000000000e1',
		'd0000000-0000-4000-8000-0000000000d1', 'CA-demo-1', 'twilio', 'inbound', 'completed', '+13125550147', '+13125550100',
		now() - interval '26 hours', now() - interval '26 hours' + interval '6 s', now() - interval '26 hours' + interval '97 s', 'openai', 'gpt-4o-realtime-preview',
		'Asks for a refund of invoice 1042; is promised an answer.', 4, -20, 'follow_up', now() - interval '25 hours', 'd0000000-0000-4000-8000-0000000000a3',
		'ivr_played', now() - interval '26 hours' + interval '7 s', 1000, now() - interval '26 hours'),
	('d0000000-0000-4000-8000-000000000ca2', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1', NULL,
		NULL, NULL, 'web', 'inbound', 'completed', NULL, NULL,
		now() - interval '3 hours', now() - interval '3 hours', now() - interval '3 hours' + interval '42 s', 'openai', 'gpt-4o-realtime-preview',
		'Asks for the opening hours.', 5, 60, NULL, NULL, NULL, NULL, NULL, NULL, now() - interval '3 hours'),
	('d0000000-0000-4000-8000-000000000ca3', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000c1', 'd0000000-0000-4000-8000-0000000000e1',
		NULL, 'CA-demo-3', 'twilio', 'outbound', 'no_answer', '+13125550100', '+13125550147',
		now() - interval '2 hours', NULL, now() - interval '2 hours' + interval '30 s', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, now() - interval '2 hours')
ON CONFLICT DO NOTHING;

INSERT INTO platform.call_transcripts (id, organization_id, call_id, role, content, start_time, end_time, confidence) VALUES
	('d0000000-0000-4000-8000-000000007001', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca1', 'assistant', 'Demo Voice Co, good day! How can I help you?', 0, 2600, 0.99),
	('d0000000-0000-4000-8000-000000007002', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca1', 'user', 'You charged me twice. I want a refund for invoice ten forty-two.', 3100, 7900, 0.93),
	('d0000000-0000-4000-8000-000000007003', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca1', 'assistant', 'I am sorry. I see two payments and will have one of them refunded.', 8300, 12400, 0.98),
	('d0000000-0000-4000-8000-000000007004', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca1', 'user', 'When will that be?', 12900, 14000, 0.61),
	('d0000000-0000-4000-8000-000000007005', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca2', 'user', 'Are you open on Saturday?', 500, 1900, 0.97),
	('d0000000-0000-4000-8000-000000007006', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca2', 'assistant', 'Yes, from nine to two.', 2300, 3900, 0.99)
ON CONFLICT DO NOTHING;

INSERT INTO platform.call_notes (id, organization_id, call_id, tags, note, created_by) VALUES
	('d0000000-0000-4000-8000-000000009001', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000ca1', '{follow_up_needed,pricing_discussed}', 'Paid twice indeed; refund on its way', 'd0000000-0000-4000-8000-0000000000a3')
ON CONFLICT DO NOTHING;
