-- Subscriptions: their rules, URLs that are refused, secrets that nobody sees, rotation, rights
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '''91000000-0000-4000-8000-000000000001'''
\set other '''91000000-0000-4000-8000-000000000002'''
\set VERBOSITY terse
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Subscribing'), (:other, 'Other');
\set ECHO all

-- made: the secret is shown once, the table has it encrypted
SELECT id AS sub, secret FROM platform.create_webhook_subscription(:org, 'CRM', 'https://crm.example.com/hook', '{call.completed,recording.*}') \gset
SELECT :'secret' ~ '^whsec_[A-Za-z0-9+/]{43}=$' AS made, secret <> :'secret' AS encrypted, platform.envelope_key_id(secret) IS NOT NULL AS envelope,
	platform.decrypt_secret(organization_id, 'webhook_subscriptions.secret', id, secret) = :'secret' AS same,
	active, retry_policy, max_retries, timeout_ms, headers, scheme FROM platform.webhook_subscriptions WHERE id = :'sub';
SELECT count(*) AS endpoint FROM platform.webhook_endpoints WHERE subscription_id = :'sub';
-- a plain INSERT, as older programs do it; one without a secret gets one
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, secret, events)
VALUES (:org, 'plain', 'https://example.com/webhook/calls', 'your-hmac-secret', ARRAY['call.completed', 'recording.available']);
INSERT INTO platform.webhook_configs (organization_id, name, url, events) VALUES (:org, 'config', 'https://example.com/config', '{call_ended}');
SELECT name, secret ~ 'hmac' AS in_clear, platform.decrypt_secret(organization_id, 'webhook_subscriptions.secret', id, secret) ~ '^(your-hmac-secret$|whsec_)' AS readable
FROM platform.webhook_subscriptions WHERE organization_id = :org ORDER BY name COLLATE "C";
SELECT name, is_active, events FROM platform.webhook_configs WHERE organization_id = :org ORDER BY name COLLATE "C";
UPDATE platform.webhook_configs SET is_active = false WHERE organization_id = :org AND name = 'config';
SELECT active, disabled_reason, disabled_at = now() AS now FROM platform.webhook_subscriptions WHERE organization_id = :org AND name = 'config';
SELECT platform.resume_webhook_subscription(id), platform.resume_webhook_subscription(id) AS again FROM platform.webhook_subscriptions WHERE organization_id = :org AND name = 'config';
SELECT active, disabled_reason, disabled_at FROM platform.webhook_subscriptions WHERE organization_id = :org AND name = 'config';
SELECT platform.pause_webhook_subscription(id, 'not paid'), platform.pause_webhook_subscription(id) AS again FROM platform.webhook_subscriptions WHERE organization_id = :org AND name = 'config';
SELECT active, disabled_reason FROM platform.webhook_subscriptions WHERE organization_id = :org AND name = 'config';
-- envelopes stay, those of another place are refused
UPDATE platform.webhook_subscriptions SET secret = secret, name = 'CRM 2' WHERE id = :'sub';
SAVEPOINT s;
UPDATE platform.webhook_subscriptions a SET secret = b.secret FROM platform.webhook_subscriptions b WHERE a.id = :'sub' AND b.name = 'plain' AND b.organization_id = :org;
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET secret = 'short' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET secret = repeat('x', 257) WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET secret = 'whsec_' || repeat('%', 30) WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET id = platform.uuid7() WHERE id = :'sub';
ROLLBACK TO s;
-- events
SELECT pattern, (SELECT count(*) FROM platform.create_webhook_subscription(:org, pattern, 'https://example.com/' || n, ARRAY[pattern])) AS made
FROM (VALUES (1, '*'), (2, 'call.*'), (3, 'a.b.c.*')) AS p (n, pattern);
UPDATE platform.webhook_subscriptions SET events = '{}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET events = '{NULL}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET events = '{call.nonsense}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET events = '{*.call}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET events = '{call.*.x}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET events = '{call*}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET events = '{.*}' WHERE id = :'sub';
ROLLBACK TO s;
INSERT INTO platform.webhook_event_types VALUES ('order.created', 'An order was made');
UPDATE platform.webhook_subscriptions SET events = '{order.created}' WHERE id = :'sub';
-- headers
UPDATE platform.webhook_subscriptions SET headers = '{"Authorization": "Bearer abc", "x-n": "1"}' WHERE id = :'sub';
SAVEPOINT s;
UPDATE platform.webhook_subscriptions SET headers = '{"Webhook-Signature": "v1,x"}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET headers = '{"content-LENGTH": "1"}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET headers = '{"x": "a\r\nwebhook-id: 1"}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET headers = '{"x y": "a"}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET headers = '{"x": 1}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET headers = '{"x": {"y": "z"}}' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET headers = '[]' WHERE id = :'sub';
ROLLBACK TO s;
UPDATE platform.webhook_subscriptions SET headers = jsonb_build_object('x', repeat('a', 1025)) WHERE id = :'sub';
ROLLBACK TO s;
-- schemes: the secret must be a key of it
UPDATE platform.webhook_subscriptions SET scheme = 'github', secret = 'any text will do here' WHERE id = :'sub';
UPDATE platform.webhook_subscriptions SET scheme = 'standard' WHERE id = :'sub';
UPDATE platform.webhook_subscriptions SET scheme = 'twilio' WHERE id = :'sub';
ROLLBACK TO s;
-- at most fifty active ones; others do not count
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events)
SELECT :other, 'n' || n, 'https://example.com/' || n, '{*}' FROM generate_series(1, 50) n;
SAVEPOINT s;
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events) VALUES (:other, 'n51', 'https://example.com/51', '{*}');
ROLLBACK TO s;
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events, active) VALUES (:other, 'n51', 'https://example.com/51', '{*}', false);
SELECT platform.resume_webhook_subscription(id) FROM platform.webhook_subscriptions WHERE organization_id = :other AND name = 'n51';
ROLLBACK TO s;

-- URLs: what may be sent to
SELECT url, platform.check_webhook_url(url) AS refused FROM (VALUES
	('https://example.com'), ('https://example.com/'), ('HTTPS://Example.COM:8443/a/b?c=d#e'), ('https://example.com.'), ('https://a-b.c_d.example/%20x'),
	('https://8.8.8.8/'), ('https://[2606:4700:4700::1111]:443/hook'), ('https://xn--bcher-kva.example/')) AS u (url);
-- private addresses and names, in every spelling
SELECT short, coalesce(platform.check_webhook_url(url), 'ACCEPTED') AS refused FROM (VALUES
	('https://127.0.0.1/'), ('https://127.1/'), ('https://127.0.1/'), ('https://2130706433/'), ('https://0x7f000001/'), ('https://0x7f.0.0.1/'), ('https://0X7F.1/'),
	('https://017700000001/'), ('https://0177.0.0.1/'), ('https://127.0.0.01/'), ('https://127.0.0.1./'), ('https://0/'), ('https://0.0.0.0/'),
	('https://10.1.2.3/'), ('https://172.16.0.1/'), ('https://172.31.255.255/'), ('https://192.168.1.1/'), ('https://169.254.169.254/latest/meta-data/'),
	('https://2852039166/'), ('https://0xa9fea9fe/'), ('https://0251.0376.0251.0376/'), ('https://169.254.43518/'), ('https://100.100.100.200/'), ('https://192.0.0.192/'),
	('https://198.18.0.1/'), ('https://224.0.0.1/'), ('https://255.255.255.255/'), ('https://256.1.1.1/'), ('https://1.2.3.4.5/'),
	('https://[::1]/'), ('https://[::]/'), ('https://[0:0:0:0:0:0:0:1]/'), ('https://[::127.0.0.1]/'), ('https://[::ffff:127.0.0.1]/'), ('https://[::ffff:7f00:1]/'),
	('https://[::ffff:a9fe:a9fe]/'), ('https://[64:ff9b::7f00:1]/'), ('https://[64:ff9b::169.254.169.254]/'), ('https://[64:ff9b:1::1]/'), ('https://[2002:7f00:1::]/'),
	('https://[2001:0:7f00:1::]/'), ('https://[fc00::1]/'), ('https://[fd00:ec2::254]/'), ('https://[fe80::1]/'), ('https://[fe80::1%25eth0]/'), ('https://[fec0::1]/'),
	('https://[ff02::1]/'), ('https://[2001:db8::1]/'), ('https://[2606:4700::5efe:7f00:1]/'), ('https://[::1'), ('https://[127.0.0.1]/'),
	('https://localhost/'), ('https://LOCALHOST/'), ('https://localhost./'), ('https://a.localhost/'), ('https://localhost.localdomain/'), ('https://printer.local/'),
	('https://metadata.google.internal/'), ('https://db.internal./'), ('https://intranet/'), ('https://metadata/'), ('https://kubernetes.default.svc/'),
	('https://router.lan/'), ('https://x.home.arpa/'), ('https://1.0.0.127.in-addr.arpa/'), ('https://127.0.0.1.local/'),
	('http://example.com/'), ('ftp://example.com/'), ('example.com'), ('//example.com/'), ('https:/example.com'), ('https:example.com'), ('file:///etc/passwd'), ('javascript:alert(1)'), (''),
	('https://user@example.com/'), ('https://user:password@example.com/'), ('https://example.com@127.0.0.1/'), ('https://127.0.0.1\@example.com/'), ('https://example.com\.evil/'),
	('https:///'), ('https://'), ('https://?x'), ('https://#x'), ('https://./'), ('https://a..b/'), ('https://-a.example/'), ('https://%31%32%37.0.0.1/'), ('https://127。0。0。1/'),
	('https://①②⑦.0.0.1/'), (E'https://exam\tple.com/'), ('https://example.com/ x'), (E'https://example.com/\r\nx'), ('https://example.com:0/'), ('https://example.com:65536/'),
	('https://example.com:/'), ('https://example.com:80a/'), ('https://[2606:4700:4700::1111]x/'), ('https://' || repeat('a', 64) || '.example/'), ('https://e.example/' || repeat('a', 2048))) AS u (url)
	CROSS JOIN LATERAL (SELECT regexp_replace(left(u.url, 60), '[^ -~]', '?', 'g')) AS s (short);
SELECT platform.check_webhook_url(NULL);
SET LOCAL platform.webhook_urls = 'http';
SELECT platform.check_webhook_url('http://example.com/'), platform.check_webhook_url('http://127.0.0.1/') IS NULL AS private;
SET LOCAL platform.webhook_urls = 'any';
SELECT platform.check_webhook_url('http://127.0.0.1:8080/'), platform.check_webhook_url('http://localhost/'), platform.check_webhook_url('https://[::1]/'), platform.check_webhook_url('http://2130706433/') IS NULL AS odd;
RESET platform.webhook_urls;
SAVEPOINT s;
UPDATE platform.webhook_subscriptions SET url = 'https://127.0.0.1/' WHERE id = :'sub';
ROLLBACK TO s;

-- rotation: both sign for a while
UPDATE platform.webhook_subscriptions SET secret = :'secret' WHERE id = :'sub';
SELECT platform.rotate_webhook_secret(:'sub') AS second \gset
SELECT :'second' <> :'secret' AS another, platform.decrypt_secret(organization_id, 'webhook_subscriptions.secret', id, secret) = :'second' AS new,
	platform.decrypt_secret(organization_id, 'webhook_subscriptions.secret', id, previous_secret) = :'secret' AS old,
	previous_secret_expires_at - clock_timestamp() BETWEEN interval '23:59' AND interval '24:00' AS a_day FROM platform.webhook_subscriptions WHERE id = :'sub';
SAVEPOINT s;
SELECT platform.rotate_webhook_secret(:'sub');
ROLLBACK TO s;
SELECT platform.rotate_webhook_secret(:'sub', force => true) AS third \gset
SELECT platform.decrypt_secret(organization_id, 'webhook_subscriptions.secret', id, previous_secret) = :'second' AS old FROM platform.webhook_subscriptions WHERE id = :'sub';
SELECT platform.revoke_previous_webhook_secret(:'sub') AS revoked, platform.revoke_previous_webhook_secret(:'sub') AS again;
SELECT length(platform.rotate_webhook_secret(:'sub', '0')), previous_secret FROM platform.webhook_subscriptions WHERE id = :'sub';
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT platform.rotate_webhook_secret(:'sub', '31 days');
ROLLBACK TO s;
SELECT platform.rotate_webhook_secret(:'sub', '-1 second');
ROLLBACK TO s;
SELECT platform.rotate_webhook_secret(:'sub', NULL);
ROLLBACK TO s;
SELECT platform.rotate_webhook_secret(NULL);
ROLLBACK TO s;
SELECT platform.rotate_webhook_secret(platform.uuid7());
ROLLBACK TO s;
SELECT platform.create_webhook_subscription(:org, 'x', 'https://x.example', NULL);
ROLLBACK TO s;
SELECT platform.create_webhook_subscription('91000000-0000-4000-8000-00000000ffff', 'x', 'https://x.example', '{*}');
ROLLBACK TO s;
SELECT platform.create_webhook_subscription(:org, '', 'https://x.example', '{*}');
ROLLBACK TO s;
SELECT platform.create_webhook_subscription(:org, 'x', 'https://crm.example.com/hook', '{*}');
ROLLBACK TO s;
SELECT platform.create_webhook_subscription(:org, 'x', 'https://x.example', '{*}', retry_policy => 'sometimes');
ROLLBACK TO s;
SELECT platform.create_webhook_subscription(:org, 'x', 'https://x.example', '{*}', timeout_ms => 99);
ROLLBACK TO s;
SELECT platform.create_webhook_subscription(:org, 'x', 'https://x.example', '{*}', max_retries => -1);
ROLLBACK TO s;
\set VERBOSITY terse
-- what verify_secrets() looks through, it finds in order
SELECT table_name, column_name, purpose FROM platform.secret_columns WHERE table_name = 'webhook_subscriptions' ORDER BY 2;

-- members see their own, and no secret; administrators change them
SELECT platform.set_context(:org, 'ada');
SET LOCAL ROLE platform_test_member;
SELECT count(*), count(DISTINCT organization_id) FROM (SELECT organization_id, name, url, events FROM platform.webhook_subscriptions) s;
SAVEPOINT m;
SELECT secret FROM platform.webhook_subscriptions;
ROLLBACK TO m;
SELECT * FROM platform.webhook_subscriptions;
ROLLBACK TO m;
SELECT previous_secret FROM platform.webhook_subscriptions;
ROLLBACK TO m;
SELECT name FROM platform.webhook_configs;
ROLLBACK TO m;
SELECT platform.create_webhook_subscription(:org, 'x', 'https://x.example', '{*}');
ROLLBACK TO m;
SELECT platform.rotate_webhook_secret(:'sub');
ROLLBACK TO m;
UPDATE platform.webhook_subscriptions SET name = 'changed' WHERE id = :'sub';
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events) VALUES (:org, 'x', 'https://x.example', '{*}');
ROLLBACK TO m;
SELECT * FROM platform.claim_webhook_deliveries();
ROLLBACK TO m;
RESET ROLE;
SELECT platform.set_context(:org, 'ada', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT id AS made FROM platform.create_webhook_subscription(:org, 'by admin', 'https://x.example', '{*}') \gset
SELECT name FROM platform.webhook_subscriptions WHERE id = :'made';
SELECT length(platform.rotate_webhook_secret(:'sub'));
UPDATE platform.webhook_subscriptions SET name = 'changed', secret = 'another secret of mine' WHERE id = :'sub';
INSERT INTO platform.webhook_subscriptions (name, url, secret, events) VALUES ('plain by admin', 'https://y.example', 'a secret of sixteen', '{*}');
SELECT organization_id = :org AS own, name FROM platform.webhook_subscriptions WHERE url IN ('https://y.example', 'https://crm.example.com/hook') ORDER BY name COLLATE "C";
DELETE FROM platform.webhook_subscriptions WHERE url = 'https://y.example';
SAVEPOINT m;
SELECT secret FROM platform.webhook_subscriptions;
ROLLBACK TO m;
UPDATE platform.webhook_subscriptions SET organization_id = :other WHERE id = :'sub';
ROLLBACK TO m;
SELECT platform.create_webhook_subscription(:other, 'x', 'https://x.example', '{*}');
ROLLBACK TO m;
RESET ROLE;
SELECT id AS foreign FROM platform.webhook_subscriptions WHERE organization_id = :other AND name = 'n1' \gset
SET LOCAL ROLE platform_test_member;
\set VERBOSITY sqlstate
SELECT platform.rotate_webhook_secret(:'foreign');
ROLLBACK TO m;
SELECT platform.pause_webhook_subscription(:'foreign');
ROLLBACK TO m;
SELECT platform.send_test_webhook(:'foreign');
ROLLBACK TO m;
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events) VALUES (:other, 'x', 'https://x.example', '{*}');
ROLLBACK;
