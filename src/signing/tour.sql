-- tour 61 Signed webhooks: who sent this?
\echo
\echo GitHub signs the bytes of the body. The first secret that fits is named, so that secrets
\echo can be replaced one by one; anything else is false, with the reason.
\echo
\set ECHO queries
SELECT * FROM platform.check_github_webhook('Hello, World!',
	'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
	ARRAY['the next one', 'It''s a Secret to Everybody']);
SELECT * FROM platform.check_github_webhook('Hello, World?',
	'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
	ARRAY['It''s a Secret to Everybody']);
\set ECHO none
\echo
\echo Your own webhooks, after Standard Webhooks: a new secret, the header, and a receiver six
\echo minutes later.
\echo
\set ECHO queries
SELECT platform.generate_secret() AS secret \gset
SELECT platform.sign_standard_webhook('msg_1', now(), '{"type": "call.completed"}', ARRAY[:'secret']) AS signature \gset
SELECT * FROM platform.check_standard_webhook('msg_1', floor(extract(epoch FROM now()))::text, '{"type": "call.completed"}',
	:'signature', ARRAY[:'secret'], now => now() + interval '6 minutes');
\set ECHO none
