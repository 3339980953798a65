-- demo 70 capabilities: packages, and chatbots of the two organizations

INSERT INTO platform.chatbot_packages (id, name, slug, description, enable_chat, enable_call, default_chat_model_id, default_call_model_id) VALUES
	('d0000000-0000-4000-8000-0000000000b1', 'Front Desk', 'front-desk', 'Chats and answers the phone', true, true,
		(SELECT id FROM platform.ai_models WHERE provider = 'openai' AND model_name = 'gpt-4-turbo'),
		(SELECT id FROM platform.ai_models WHERE provider = 'openai' AND model_name = 'gpt-4o-realtime-preview')),
	('d0000000-0000-4000-8000-0000000000b2', 'Website Chat', 'website-chat', 'Chats', true, false,
		(SELECT id FROM platform.ai_models WHERE provider = 'anthropic' AND model_name = 'claude-3-haiku-20240307'), NULL)
ON CONFLICT DO NOTHING;

INSERT INTO platform.chatbots (id, organization_id, package_id, name, description, settings) VALUES
	('d0000000-0000-4000-8000-0000000000c1', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000b1',
		'Reception', 'Answers calls and chats', '{"welcomeMessage": "Hello! How can we help?", "call": {"callGreeting": "Demo Voice Co, good day!"}}'),
	('d0000000-0000-4000-8000-0000000000c2', 'd0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000b2',
		'Website', NULL, '{"welcomeMessage": "Questions? Ask away."}'),
	('d0000000-0000-4000-8000-0000000000c3', 'd0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1',
		'Dental Desk', NULL, '{}')
ON CONFLICT DO NOTHING;
