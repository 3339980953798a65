-- What is over leaves the inbox: bytes by the day, events by their organization's time; what waits keeps its bytes, but not for ever
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '''95700000-0000-4000-8000-000000000001'''
\set short '''95700000-0000-4000-8000-000000000002'''
\set account '''95700000-0000-4000-8000-0000000000a1'''
-- names of partitions carry the day: here they carry its distance from this one
CREATE FUNCTION pg_temp.shown(name text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(name, '_\d{4}_\d{2}_\d{2}$', '') || coalesce(' day ' || to_date(substring(name FROM '\d{4}_\d{2}_\d{2}$'), 'YYYY_MM_DD') - (now() AT TIME ZONE 'UTC')::date, '') $$;
CREATE FUNCTION pg_temp.day(i int) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT (date_trunc('day', now() AT TIME ZONE 'UTC') + make_interval(days => i)) AT TIME ZONE 'UTC' $$;
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
INSERT INTO platform.organizations (id, name, settings) VALUES (:org, 'Kept', '{}'), (:short, 'Kept short', '{"webhooks": {"retentionDays": 5}}');
INSERT INTO platform.users (id, email) VALUES ('95700000-0000-4000-8000-0000000000b1', 'retention@example.com');
-- today's partition and a week's are there; it has a default one
SELECT pg_temp.shown(c.relname) AS partition, c.relrowsecurity FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'platform.webhook_requests'::regclass
	AND (pg_temp.shown(c.relname) ~ ' day [0-7]$' OR c.relname ~ 'default') ORDER BY pg_temp.shown(c.relname) COLLATE "C";
\set ECHO none
SELECT format('CREATE TABLE platform.%I PARTITION OF platform.webhook_requests FOR VALUES FROM (%L) TO (%L)', 'webhook_requests' || to_char(pg_temp.day(-i) AT TIME ZONE 'UTC', '_YYYY_MM_DD'), pg_temp.day(-i), pg_temp.day(1 - i)) FROM unnest('{1,6,31,32,33,40,45,50,100,110}'::int[]) i \gexec
\set ECHO all
-- one event a day and organization, and its bytes; of some days one waits, for a worker or for a number
CREATE FUNCTION pg_temp.came(organization uuid, days int, status text, result text DEFAULT NULL, due boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
	INSERT INTO platform.webhook_requests (id, organization_id, account_id, source, body, received_at, created_at)
		VALUES (md5(organization || '/' || days)::uuid, organization, '95700000-0000-4000-8000-0000000000a1', 'kept', 'bytes', pg_temp.day(-days) + interval '1 h', pg_temp.day(-days) + interval '1 h');
	INSERT INTO platform.webhook_queue (id, organization_id, request_id, account_id, source, event_type, phone_number, raw_payload, received_at, created_at, status, result, due_at)
		VALUES (md5(organization || '/' || days)::uuid, organization, md5(organization || '/' || days)::uuid, '95700000-0000-4000-8000-0000000000a1', 'kept', days::text, '+13125550180', '{}',
			pg_temp.day(-days) + interval '1 h', pg_temp.day(-days) + interval '1 h', status, result, CASE WHEN due THEN now() END);
	INSERT INTO platform.unknown_phone (organization_id, phone_number, event_type, webhook_id, received_at)
		SELECT organization, '+13125550180', days::text, md5(organization || '/' || days)::uuid, pg_temp.day(-days) WHERE result = 'unknown_number' $$;
CREATE VIEW pg_temp.kept AS SELECT o.name, q.event_type::int AS days, q.status, r.body IS NOT NULL AS bytes
	FROM platform.webhook_queue q JOIN platform.organizations o ON o.id = q.organization_id LEFT JOIN platform.webhook_requests r ON r.id = q.request_id WHERE q.source = 'kept' ORDER BY 1, 2;
SELECT pg_temp.came(:org, d, 'processed') FROM unnest('{1,6,31,32,50}'::int[]) d;
SELECT pg_temp.came(:org, 40, 'received', NULL, true), pg_temp.came(:org, 45, 'failed', 'unknown_number'), pg_temp.came(:org, 100, 'received', NULL, true), pg_temp.came(:org, 110, 'failed', 'unknown_number');
SELECT pg_temp.came(:short, d, 'dead') FROM unnest('{1,6,31,40}'::int[]) d;
INSERT INTO platform.unknown_phone (organization_id, phone_number, event_type, received_at, resolved_at, resolution) VALUES
	(:org, '+13125550181', 'by hand', pg_temp.day(-20), NULL, NULL), (:org, '+13125550182', 'by hand', pg_temp.day(-40), NULL, NULL), (:org, '+13125550183', 'by hand', pg_temp.day(-40), now(), 'spam'), (:org, '+13125550184', 'by hand', pg_temp.day(-100), NULL, NULL);
INSERT INTO platform.webhook_keys (organization_id, account_id, source, idempotency_key, webhook_id, fingerprint, created_at, expires_at) VALUES
	(:org, :account, 'kept', 'old', platform.uuid7(), '', now() - interval '401 days', NULL), (:org, :account, 'kept', 'young', platform.uuid7(), '', now() - interval '399 days', NULL),
	(:org, :account, 'kept', 'window over', platform.uuid7(), '', now() - interval '1 hour', now() - interval '50 min'), (:org, :account, 'kept', 'window', platform.uuid7(), '', now() - interval '1 minute', now() + interval '9 min');

-- days that are over for everybody, and of which nothing waits, are dropped; other rows are deleted with their bytes
CREATE TEMP TABLE purged AS SELECT * FROM platform.purge_inbox();
SELECT table_name, action, rows, more FROM purged WHERE action <> 'dropped' ORDER BY table_name;
SELECT string_agg(d::text, ' ' ORDER BY d) AS days_left FROM generate_series(25, 120) d WHERE to_regclass('platform.webhook_requests' || to_char(pg_temp.day(-d) AT TIME ZONE 'UTC', '_YYYY_MM_DD')) IS NOT NULL;
SELECT count(*) FILTER (WHERE action = 'dropped') AS dropped FROM purged;
SELECT * FROM kept;
SELECT phone_number, resolution FROM platform.unknown_phone WHERE organization_id = :org ORDER BY phone_number COLLATE "C";
SELECT idempotency_key FROM platform.webhook_keys WHERE organization_id = :org ORDER BY 1;
-- the next call drops the days of which nothing waits any more
SELECT pg_temp.shown(table_name), action FROM platform.purge_inbox() ORDER BY 1;
SELECT count(*) FROM platform.purge_inbox();
-- what waits can be kept for ever, and nothing at all be deleted
SELECT count(*) FROM platform.purge_inbox(keep => NULL, keep_keys => NULL);
SELECT pg_temp.came(:org, 130, 'received', NULL, true);
SELECT count(*) FROM platform.purge_inbox(keep_waiting => NULL);
SELECT days, bytes FROM kept WHERE days = 130;
-- a batch at a time
SELECT pg_temp.came(:org, d, 'processed') FROM generate_series(131, 133) d;
SELECT table_name, action, rows, more FROM platform.purge_inbox(2);
SELECT table_name, action, rows, more FROM platform.purge_inbox(2);
-- the parts of a batch share its bytes: these go with the last one
INSERT INTO platform.webhook_requests (id, organization_id, account_id, source, body, received_at, created_at) VALUES ('95700000-0000-4000-8000-0000000000c1', :org, :account, 'kept', 'batch', pg_temp.day(-60), pg_temp.day(-60));
INSERT INTO platform.webhook_queue (organization_id, request_id, account_id, source, event_type, received_at, created_at, status, due_at) VALUES
	(:org, '95700000-0000-4000-8000-0000000000c1', :account, 'kept', '60', pg_temp.day(-60), pg_temp.day(-60), 'processed', NULL), (:org, '95700000-0000-4000-8000-0000000000c1', :account, 'kept', '60', pg_temp.day(-60), pg_temp.day(-60), 'received', now());
SELECT table_name, action, rows FROM platform.purge_inbox();
SELECT status, bytes FROM kept WHERE days = 60;
UPDATE platform.webhook_queue SET status = 'processed', due_at = NULL WHERE organization_id = :org AND event_type = '60';
SELECT table_name, action, rows FROM platform.purge_inbox() ORDER BY 1;
-- bytes whose event somebody deleted go when their day is over
INSERT INTO platform.webhook_requests (organization_id, account_id, source, body, received_at, created_at) VALUES (:org, :account, 'kept', 'nobody''s', pg_temp.day(-29), pg_temp.day(-29)), (:org, :account, 'kept', 'nobody''s', pg_temp.day(-31), pg_temp.day(-31));
SELECT table_name, action, rows FROM platform.purge_inbox();
-- who, and what with
SELECT platform.purge_inbox(0);
SELECT platform.purge_inbox(1000001);
SELECT platform.purge_inbox(NULL);
SELECT platform.purge_inbox(keep => '-1 s');
SELECT platform.purge_inbox(keep => '1 month');
SELECT platform.purge_inbox(keep_keys => '36601 days');
SET LOCAL ROLE platform_test_member;
SELECT platform.purge_inbox();
RESET ROLE;
-- a request of a day without partition is kept in the default one, and moves
\set ECHO none
SELECT format('DROP TABLE platform.%I', 'webhook_requests' || to_char(pg_temp.day(0) AT TIME ZONE 'UTC', '_YYYY_MM_DD')) AS command \gset
:command;
\set ECHO all
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret) VALUES (:account, :org, 'custom', 'c', '{}', 'secret');
SELECT i.status FROM (VALUES ('{"id": "1", "type": "t"}'::bytea)) v (body), platform.ingest_webhook('stripe', :account, platform.sign_webhook_request('stripe', v.body, '{secret}'), v.body) i;
SELECT pg_temp.shown(tableoid::regclass::text) FROM platform.webhook_requests WHERE account_id = :account AND source = 'stripe';
SELECT pg_temp.shown(partition_name) FROM platform.create_log_partitions() WHERE table_name = 'webhook_requests';
SELECT pg_temp.shown(tableoid::regclass::text), convert_from(body, 'UTF8') AS body FROM platform.webhook_requests WHERE account_id = :account AND source = 'stripe';
SELECT convert_from(i.body, 'UTF8') AS body FROM platform.webhook_queue q, platform.inbound_request(q.organization_id, q.id) i WHERE q.account_id = :account AND q.source = 'stripe';
ROLLBACK;
