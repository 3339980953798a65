-- Events: the outbox row, types, idempotency keys, rights; nothing without the commit
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '''90000000-0000-4000-8000-000000000001'''
\set other '''90000000-0000-4000-8000-000000000002'''
\set VERBOSITY terse
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Emitting'), (:other, 'Other');
\set ECHO all

-- one row, the id's time is the row's
SELECT platform.emit_event(:org, 'call.completed', '{"b": 1, "a": [null, "ü"]}') AS id \gset
SELECT event_type, payload, idempotency_key, created_at = platform.uuid7_time(id) AS time_of_id,
	occurred_at BETWEEN now() AND clock_timestamp() AS now, transaction_id = pg_current_xact_id() AS ours,
	tableoid::regclass::text ~ 'webhook_events_\d{4}_\d\d_\d\d$' AS of_a_day
FROM platform.webhook_events WHERE id = :'id';
-- defaults, NULLs, a moment that is given, a payload that is no object, a large one
SELECT platform.emit_event(:org, 'a') IS NOT NULL, platform.emit_event(:org, 'b', NULL, NULL, NULL) IS NOT NULL,
	platform.emit_event(:org, 'c', '"text"', occurred_at => '2001-02-03 04:05:06+00') IS NOT NULL,
	platform.emit_event(:org, 'd', to_jsonb(repeat('long ', 400000))) IS NOT NULL;
SELECT event_type, length(payload::text), CASE WHEN length(payload::text) < 99 THEN payload END AS payload, CASE event_type WHEN 'c' THEN occurred_at END AS occurred_at
FROM platform.webhook_events WHERE organization_id = :org AND event_type < 'e' COLLATE "C" AND event_type <> 'call.completed' ORDER BY event_type, id;
-- types
SELECT platform.emit_event(:org, t) IS NOT NULL FROM (VALUES ('a.b.c'), ('call_ended'), ('0'), ('_'), (repeat('x', 256))) AS v (t);
SAVEPOINT s;
SELECT platform.emit_event(:org, '');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'a..b');
ROLLBACK TO s;
SELECT platform.emit_event(:org, '.a');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'a.');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'call.*');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'Call');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'a b');
ROLLBACK TO s;
SELECT platform.emit_event(:org, repeat('x', 257));
ROLLBACK TO s;
\set VERBOSITY sqlstate
SELECT platform.emit_event(NULL, 'a');
ROLLBACK TO s;
SELECT platform.emit_event(:org, NULL);
ROLLBACK TO s;
SELECT platform.emit_event('90000000-0000-4000-8000-00000000ffff', 'a');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'a', occurred_at => 'infinity');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'a', idempotency_key => '');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'a', idempotency_key => repeat('k', 256));
ROLLBACK TO s;
\set VERBOSITY terse
-- a key: once within an organization
SELECT platform.emit_event(:org, 'call.failed', '{"n": 1}', 'key 1') AS first \gset
SELECT platform.emit_event(:org, 'call.failed', '{ "n":1 }', 'key 1') = :'first' AS same,
	platform.emit_event(:other, 'call.failed', '{"n": 1}', 'key 1') <> :'first' AS other_organization,
	platform.emit_event(:org, 'call.failed', '{"n": 1}', 'key 2') <> :'first' AS other_key;
SELECT count(*) FROM platform.webhook_events WHERE event_type = 'call.failed' AND organization_id IN (:org, :other);
SAVEPOINT s;
SELECT platform.emit_event(:org, 'call.failed', '{"n": 2}', 'key 1');
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'call.answered', '{"n": 1}', 'key 1');
ROLLBACK TO s;
-- rolled back, it did not happen, and the key is free
SELECT platform.emit_event(:org, 'call.answered', '{}', 'key 3') AS third \gset
ROLLBACK TO s;
SELECT platform.emit_event(:org, 'call.answered', '{"again": true}', 'key 3') <> :'third' AS anew;
SELECT count(*) FROM platform.webhook_events WHERE id = :'third';
-- append-only
\set VERBOSITY sqlstate
UPDATE platform.webhook_events SET payload = '{}' WHERE organization_id = :org;
\set VERBOSITY terse
ROLLBACK TO s;
-- members: for their organization; events are read by administrators
SELECT platform.set_context(:org, 'ada');
SET LOCAL ROLE platform_test_member;
SELECT platform.emit_event(:org, 'survey.completed') IS NOT NULL AS own;
SELECT count(*) FROM platform.webhook_events;
SAVEPOINT m;
SELECT platform.emit_event(:other, 'survey.completed');
ROLLBACK TO m;
INSERT INTO platform.webhook_events (id) VALUES (NULL);
ROLLBACK TO m;
RESET ROLE;
SELECT platform.set_context(:org, 'ada', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT count(*) > 10 AS own, count(*) FILTER (WHERE organization_id <> :org) AS others FROM platform.webhook_events;
SELECT event_type FROM platform.webhook_event_types WHERE event_type LIKE 'call.%' ORDER BY event_type;
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.emit_event(:org, 'a');
ROLLBACK TO s;
-- a transaction that only reads
SET TRANSACTION READ ONLY;
SELECT platform.emit_event(:org, 'a');
ROLLBACK;
