-- Deliveries: matching, signed requests, leases and their fence, schedule, limits, breaker, holding, replay
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY terse
SET client_min_messages = error;
\set org '''92000000-0000-4000-8000-000000000001'''
\set other '''92000000-0000-4000-8000-000000000002'''
\o /dev/null
SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) WHERE current_setting('platform.root_key_file') = '';
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Delivering'), (:other, 'Other');
CREATE TEMP TABLE secrets (name text, id uuid, secret text);
CREATE TEMP TABLE claimed AS SELECT 0 AS n, * FROM platform.claim_webhook_deliveries(1) LIMIT 0;
CREATE FUNCTION pg_temp.subscribe(org uuid, name text, VARIADIC events text[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO secrets SELECT name, c.id, c.secret FROM platform.create_webhook_subscription(org, name, 'https://' || name || '.example/hook', events) c
$$;
-- the subscription of that name
CREATE FUNCTION pg_temp.sub(text) RETURNS uuid LANGUAGE sql AS 'SELECT id FROM secrets WHERE name = $1';
-- claims, and keeps what was claimed; new events are looked for a hundred times a second, and less often after
-- a claim that got all it asked for
CREATE FUNCTION pg_temp.claim(n integer DEFAULT 100, lease interval DEFAULT '1 minute') RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_sleep(0.012);
	WITH c AS (INSERT INTO claimed SELECT (SELECT coalesce(max(n), 0) + 1 FROM claimed), * FROM platform.claim_webhook_deliveries(n, lease) RETURNING 1),
		k AS MATERIALIZED (SELECT count(*) AS k FROM c)
	SELECT k FROM k, LATERAL pg_sleep(CASE WHEN k = n THEN 0.1 ELSE 0 END)
$$;
-- completes the newest claims of a subscription
CREATE FUNCTION pg_temp.complete(sub text, status integer, error text DEFAULT NULL, retry_after text DEFAULT NULL, most integer DEFAULT 1000) RETURNS TABLE (outcome text, again interval) LANGUAGE sql AS $$
	SELECT r.outcome, r.next_attempt_at - clock_timestamp() FROM (
		SELECT array_agg(delivery_id) AS ids, array_agg(lease_id) AS leases, count(*)::int AS n FROM (
			SELECT c.* FROM claimed c JOIN platform.webhook_deliveries d ON d.id = c.delivery_id AND d.lease_id = c.lease_id
			WHERE c.subscription_id = pg_temp.sub(sub) ORDER BY c.n DESC, c.event_id LIMIT most) x) c,
		platform.complete_webhook_deliveries(c.ids, c.leases, array_fill(status, ARRAY[c.n]), array_fill(7, ARRAY[c.n]), array_fill(error, ARRAY[c.n]), array_fill(retry_after, ARRAY[c.n])) r
$$;
-- time passes: what waits is due
CREATE FUNCTION pg_temp.later() RETURNS void LANGUAGE sql AS $$
	UPDATE platform.webhook_deliveries SET next_retry_at = now() - interval '1 second' WHERE status = 'pending';
	UPDATE platform.webhook_endpoints SET due_at = now(), blocked_until = NULL, blocked_by = NULL, scan_from = '-infinity', gap_from = NULL, gap_to = NULL WHERE true;
$$;
CREATE FUNCTION pg_temp.states() RETURNS TABLE (name text, event_type text, state text, retrying boolean, attempts integer, response_status integer, last_error text) LANGUAGE sql AS $$
	SELECT subscription_name, event_type, state, retrying, attempts, response_status, last_error FROM platform.webhook_delivery_states
	WHERE organization_id::text LIKE '92000000%' ORDER BY subscription_name COLLATE "C", event_id, replay
$$;
-- before there is a subscription: for nobody
SELECT platform.emit_event(:org, 'call.completed');
SELECT pg_temp.subscribe(:org, 'exact', 'call.completed', 'recording.available');
SELECT pg_temp.subscribe(:org, 'family', 'call.*');
SELECT pg_temp.subscribe(:org, 'all', '*');
SELECT pg_temp.subscribe(:other, 'foreign', '*');
\o
\set ECHO all

-- each event to who asked for it: exactly, by family, all; never to another organization, nor from before
SELECT count(platform.emit_event(:org, t, jsonb_build_object('type', t, 'text', 'ü')))
FROM (VALUES ('call.completed'), ('call.failed'), ('calls.completed'), ('callXcompleted'), ('call'), ('call.a.b'), ('recording.available')) v (t) WHERE t !~ 'X';
SELECT pg_temp.claim();
SELECT s.name, array_agg(c.event_type ORDER BY c.event_id) FROM claimed c JOIN secrets s ON s.id = c.subscription_id GROUP BY s.name ORDER BY s.name COLLATE "C";
-- nobody gets them twice
SELECT pg_temp.claim();
-- a request: where, what, signed with the secret as its own functions verify it
SELECT attempt, url, method, timeout_ms, headers - '{webhook-id,webhook-timestamp,webhook-signature}'::text[] AS headers, headers ->> 'webhook-id' = event_id::text AS id,
	convert_from(body, 'UTF8')::jsonb - 'timestamp' AS body, lease_until - clock_timestamp() BETWEEN interval '55 s' AND interval '60 s' AS lease,
	platform.verify_standard_webhook(headers ->> 'webhook-id', headers ->> 'webhook-timestamp', body, headers ->> 'webhook-signature', ARRAY[s.secret]) AS valid,
	platform.verify_standard_webhook(headers ->> 'webhook-id', headers ->> 'webhook-timestamp', body || ' ', headers ->> 'webhook-signature', ARRAY[s.secret]) AS changed
FROM claimed c JOIN secrets s ON s.id = c.subscription_id WHERE s.name = 'exact' ORDER BY event_id;
SELECT (convert_from(body, 'UTF8')::jsonb ->> 'timestamp')::timestamptz = e.occurred_at AS occurred_at, convert_from(body, 'UTF8') = convert_from(body, 'UTF8')::jsonb::text AS as_jsonb_writes_it
FROM claimed c JOIN platform.webhook_events e ON e.id = c.event_id WHERE c.subscription_id = pg_temp.sub('exact') ORDER BY c.event_id LIMIT 1;
-- delivered; what was claimed and not sent is given back, and the attempt does not count
SELECT * FROM pg_temp.complete('all', 204);
SELECT platform.release_webhook_deliveries(array_agg(delivery_id), array_agg(lease_id)) FROM claimed WHERE subscription_id = pg_temp.sub('family');
SELECT platform.release_webhook_deliveries(array_agg(delivery_id), array_agg(lease_id)) AS again FROM claimed WHERE subscription_id = pg_temp.sub('family');
SELECT name, state, attempts, count(*) FROM pg_temp.states() GROUP BY 1, 2, 3 ORDER BY name COLLATE "C";
SELECT pg_temp.claim();
SELECT DISTINCT attempt FROM claimed WHERE n = (SELECT max(n) FROM claimed);
SELECT DISTINCT outcome FROM pg_temp.complete('family', 200);

-- the schedule, with a fifth more or less: 5 s; 429, 502, 504 and timeouts wait a minute at least
SELECT outcome, again BETWEEN interval '3.9 s' AND interval '6 s' AS five_seconds FROM pg_temp.complete('exact', 500);
SELECT pg_temp.claim();
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT outcome, again BETWEEN interval '239 s' AND interval '360 s' AS five_minutes FROM pg_temp.complete('exact', 302);
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT outcome, again BETWEEN interval '23 min' AND interval '36 min' AS half_an_hour FROM pg_temp.complete('exact', NULL, 'connect: refused');
SELECT * FROM pg_temp.states() WHERE name = 'exact';
SELECT attempt, outcome, http_status, duration_ms, error FROM platform.webhook_delivery_history((SELECT id FROM platform.webhook_deliveries WHERE subscription_id = pg_temp.sub('exact') ORDER BY event_id LIMIT 1));
-- how long each kind of answer makes it wait at the first attempt
CREATE FUNCTION pg_temp.first_delay(status integer, error text, retry_after text) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
	waits interval;
BEGIN
	UPDATE platform.webhook_deliveries SET attempts = 0 WHERE subscription_id = pg_temp.sub('exact');
	UPDATE platform.webhook_endpoints SET failures = 0, breaker = 'closed' WHERE subscription_id = pg_temp.sub('exact');
	PERFORM pg_temp.later();
	PERFORM pg_temp.claim();
	SELECT min(again) INTO waits FROM pg_temp.complete('exact', status, error, retry_after);
	RETURN waits;
END $$;
SELECT what, pg_temp.first_delay(status, error, retry_after) BETWEEN least - interval '1.5 s' AND most AS within FROM (VALUES
	(1, '500', 500, NULL, NULL, interval '4 s', interval '6 s'),
	(2, '429', 429, NULL, NULL, '48 s', '72 s'),
	(3, '502', 502, NULL, NULL, '48 s', '72 s'),
	(4, '504', 504, NULL, NULL, '48 s', '72 s'),
	(5, 'timeout', NULL, 'timeout', NULL, '48 s', '72 s'),
	(6, '503 and 120 seconds', 503, NULL, '120', '120 s', '120 s'),
	(7, 'less than the schedule', 503, NULL, '1', '4 s', '6 s'),
	(8, 'at most a day', 503, NULL, '99999999999999999999', '24 h', '24 h'),
	(9, 'a date', 503, NULL, to_char(now() AT TIME ZONE 'UTC' + interval '10 min', 'Dy, DD Mon YYYY HH24:MI:SS') || ' GMT', '9 min 50 s', '10 min'),
	(10, 'RFC 850', 503, NULL, to_char(now() AT TIME ZONE 'UTC' + interval '10 min', 'FMDay, DD-Mon-YY HH24:MI:SS') || ' GMT', '9 min 50 s', '10 min'),
	(11, 'asctime', 503, NULL, to_char(now() AT TIME ZONE 'UTC' + interval '10 min', 'Dy Mon ') || lpad(to_char(now() AT TIME ZONE 'UTC' + interval '10 min', 'FMDD'), 2) || to_char(now() AT TIME ZONE 'UTC' + interval '10 min', ' HH24:MI:SS YYYY'), '9 min 50 s', '10 min'),
	(12, 'a date gone by', 503, NULL, 'Sun, 06 Nov 1994 08:49:37 GMT', '4 s', '6 s'),
	(13, 'no date', 503, NULL, 'Sun, 06 Nov 1994', '4 s', '6 s'),
	(14, 'the 31st of June', 503, NULL, 'Sun, 31 Jun 2099 08:49:37 GMT', '4 s', '6 s'),
	(15, 'negative', 503, NULL, '-5', '4 s', '6 s'),
	(16, 'nonsense', 503, NULL, 'soon', '4 s', '6 s'),
	(17, 'empty', 503, NULL, '', '4 s', '6 s')) v (n, what, status, error, retry_after, least, most) ORDER BY n;
-- a schedule of its own; fixed; none; the last attempt
UPDATE platform.webhook_subscriptions SET retry_schedule = '{100,200}' WHERE id = pg_temp.sub('exact');
SELECT pg_temp.first_delay(500, NULL, NULL) BETWEEN interval '78 s' AND interval '120 s' AS first;
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT DISTINCT again BETWEEN interval '158 s' AND interval '240 s' AS second FROM pg_temp.complete('exact', 500);
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT DISTINCT again BETWEEN interval '158 s' AND interval '240 s' AS third FROM pg_temp.complete('exact', 500);
UPDATE platform.webhook_subscriptions SET retry_schedule = NULL, retry_policy = 'fixed' WHERE id = pg_temp.sub('exact');
SELECT pg_temp.first_delay(500, NULL, NULL) BETWEEN interval '238 s' AND interval '360 s' AS fixed;
UPDATE platform.webhook_subscriptions SET retry_policy = 'none' WHERE id = pg_temp.sub('exact');
SELECT platform.emit_event(:org, 'recording.available') IS NOT NULL;
SELECT pg_temp.claim();
SELECT DISTINCT outcome FROM pg_temp.complete('all', 200);
SELECT * FROM pg_temp.complete('exact', 500);
UPDATE platform.webhook_subscriptions SET retry_policy = 'exponential' WHERE id = pg_temp.sub('exact');
UPDATE platform.webhook_deliveries SET attempts = 9 WHERE subscription_id = pg_temp.sub('exact') AND status = 'pending';
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('exact', 500);
SELECT * FROM pg_temp.states() WHERE name = 'exact';

-- the fence: a result without the lease changes nothing and is logged
SELECT platform.emit_event(:other, 'call.completed') IS NOT NULL;
SELECT pg_temp.claim();
SELECT c.delivery_id AS d, c.lease_id AS lease FROM claimed c WHERE subscription_id = pg_temp.sub('foreign') \gset
SELECT * FROM platform.complete_webhook_delivery(:'d', platform.uuid7(), 200);
SELECT status, attempts FROM platform.webhook_deliveries WHERE id = :'d';
-- the lease ends: it is claimed again, the first holder's result is stale
UPDATE platform.webhook_deliveries SET lease_until = now() - interval '1 second' WHERE id = :'d';
UPDATE platform.webhook_endpoints SET due_at = now() WHERE subscription_id = pg_temp.sub('foreign');
SELECT pg_temp.claim();
SELECT attempt, lease_id <> :'lease' AS another FROM claimed WHERE delivery_id = :'d' ORDER BY n DESC LIMIT 1;
SELECT * FROM platform.complete_webhook_delivery(:'d', :'lease', 200, 99);
SELECT status, attempts FROM platform.webhook_deliveries WHERE id = :'d';
SELECT outcome FROM pg_temp.complete('foreign', 200);
SELECT * FROM platform.complete_webhook_delivery(:'d', :'lease', 200);
SELECT outcome, next_attempt_at FROM platform.complete_webhook_delivery(platform.uuid7(), :'lease', 200);
SELECT attempt, outcome, http_status, duration_ms FROM platform.webhook_delivery_history(:'d');
-- one whose worker dies each time is given up in the end
SELECT platform.emit_event(:other, 'call.completed') IS NOT NULL;
SELECT pg_temp.claim();
UPDATE platform.webhook_deliveries SET attempts = 10, lease_until = now() - interval '1 second' WHERE status = 'delivering' AND organization_id = :other;
UPDATE platform.webhook_endpoints SET due_at = now() WHERE subscription_id = pg_temp.sub('foreign');
SELECT pg_temp.claim();
SELECT state, attempts, last_error FROM pg_temp.states() WHERE name = 'foreign' AND state = 'failed';
-- the same delivery twice in one batch
SELECT platform.emit_event(:other, 'call.completed') IS NOT NULL;
SELECT pg_temp.claim();
SELECT r.outcome FROM (SELECT delivery_id, lease_id FROM claimed WHERE n = (SELECT max(n) FROM claimed)) c,
	platform.complete_webhook_deliveries(ARRAY[c.delivery_id, c.delivery_id], ARRAY[c.lease_id, c.lease_id], '{200,500}') r;

-- one that takes long: what was delivered behind it is passed over, and it is not forgotten
SELECT platform.emit_event(:other, 'call.completed') IS NOT NULL;
SELECT pg_temp.claim();
SELECT c.delivery_id AS slow FROM claimed c WHERE n = (SELECT max(n) FROM claimed) \gset
SELECT count(platform.emit_event(:other, 'call.completed')) FROM generate_series(1, 3), pg_sleep(0.1);
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('foreign', 200, most => 3);
SELECT pg_temp.claim(), pg_sleep(0.1);
UPDATE platform.webhook_endpoints SET due_at = now() WHERE subscription_id = pg_temp.sub('foreign');
SELECT pg_temp.claim();
SELECT gap_from = (SELECT next_retry_at FROM platform.webhook_deliveries WHERE id = :'slow') AS after_the_slow_one, gap_to - gap_from > interval '0.2 s' AS wide FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
SELECT platform.emit_event(:other, 'call.completed') IS NOT NULL;
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('foreign', 200, most => 1);
UPDATE platform.webhook_deliveries SET lease_until = now() - interval '1 second' WHERE id = :'slow';
UPDATE platform.webhook_endpoints SET due_at = now() WHERE subscription_id = pg_temp.sub('foreign');
SELECT pg_temp.claim();
SELECT delivery_id = :'slow' AS the_slow_one, attempt FROM claimed WHERE n = (SELECT max(n) FROM claimed);
SELECT outcome FROM pg_temp.complete('foreign', 200);

-- limits: requests at once, requests a second, a fair share for each
UPDATE platform.webhook_subscriptions SET max_in_flight = 2 WHERE id = pg_temp.sub('foreign');
SELECT count(platform.emit_event(:other, 'call.completed')) FROM generate_series(1, 5);
SELECT pg_temp.claim();
SELECT pg_temp.claim();
SELECT blocked_by FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
SELECT outcome FROM pg_temp.complete('foreign', 200, most => 1);
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('foreign', 200);
UPDATE platform.webhook_subscriptions SET max_in_flight = 100, rate_per_second = 1 WHERE id = pg_temp.sub('foreign');
SELECT pg_temp.claim();
SELECT pg_temp.claim();
SELECT blocked_by, blocked_until - clock_timestamp() BETWEEN interval '0' AND interval '1 s' AS soon FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
UPDATE platform.webhook_subscriptions SET rate_per_second = NULL WHERE id = pg_temp.sub('foreign');
SELECT outcome FROM pg_temp.complete('foreign', 200);
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('foreign', 200);
SELECT count(platform.emit_event(:other, 'call.completed')) FROM generate_series(1, 20);
SELECT count(platform.emit_event(:org, 'survey.completed')) FROM generate_series(1, 2);
SELECT pg_temp.claim(4);
SELECT s.name, count(*) FROM claimed c JOIN secrets s ON s.id = c.subscription_id WHERE n = (SELECT max(n) FROM claimed) GROUP BY s.name ORDER BY s.name COLLATE "C";
SELECT pg_temp.claim();
SELECT DISTINCT outcome FROM pg_temp.complete('all', 200);

-- the breaker: ten failures open it; then one request decides
SELECT DISTINCT outcome FROM pg_temp.complete('foreign', 500);
SELECT breaker, breaker_opened, failures, blocked_by, blocked_until - clock_timestamp() BETWEEN interval '55 s' AND interval '60 s' AS a_minute FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
SELECT severity, title, source FROM platform.ops_alerts WHERE organization_id = :other AND alert_type = 'delivery_failures' AND resolved_at IS NULL;
SELECT platform.emit_event(:other, 'call.completed') IS NOT NULL;
SELECT pg_temp.claim();
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT breaker FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('foreign', 500);
SELECT breaker, breaker_opened, blocked_until - clock_timestamp() BETWEEN interval '115 s' AND interval '120 s' AS two_minutes FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('foreign', 200);
SELECT breaker, breaker_opened, failures, failing_since, blocked_by FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
SELECT count(*) AS open_alerts FROM platform.ops_alerts WHERE organization_id = :other AND resolved_at IS NULL;

-- five days of failures disable it, with ten at least; its deliveries are held and go on later
UPDATE platform.webhook_endpoints SET failing_since = now() - interval '6 days', failures = 8 WHERE subscription_id = pg_temp.sub('foreign');
SELECT pg_temp.claim(1);
SELECT outcome FROM pg_temp.complete('foreign', 500);
SELECT active FROM platform.webhook_subscriptions WHERE id = pg_temp.sub('foreign');
SELECT pg_temp.later();
SELECT pg_temp.claim(1);
SELECT outcome FROM pg_temp.complete('foreign', 500);
SELECT active, disabled_reason FROM platform.webhook_subscriptions WHERE id = pg_temp.sub('foreign');
SELECT severity, occurrences FROM platform.ops_alerts WHERE organization_id = :other AND alert_type = 'delivery_failures' AND resolved_at IS NULL;
SELECT platform.emit_event(:other, 'call.failed') IS NOT NULL;
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT state, count(*) FROM pg_temp.states() WHERE name = 'foreign' GROUP BY state ORDER BY state COLLATE "C";
SELECT held, pending > 15 AS waits FROM platform.webhook_queue_depth WHERE subscription_id = pg_temp.sub('foreign');
SELECT platform.resume_webhook_subscription(pg_temp.sub('foreign'));
SELECT pg_temp.later();
SELECT pg_temp.claim() > 15 AS again;
SELECT count(*) FROM platform.webhook_deliveries WHERE organization_id = :other AND event_type = 'call.failed' AND status = 'delivering';
SELECT DISTINCT outcome FROM pg_temp.complete('foreign', 200);
-- 410 disables at once
SELECT platform.emit_event(:other, 'call.failed') IS NOT NULL;
SELECT pg_temp.claim();
SELECT * FROM pg_temp.complete('foreign', 410);
SELECT active, disabled_reason FROM platform.webhook_subscriptions WHERE id = pg_temp.sub('foreign');
SELECT platform.resume_webhook_subscription(pg_temp.sub('foreign'));
-- the kill switch holds and drops nothing, for one organization and for all
SELECT platform.emit_event(:other, 'call.answered') IS NOT NULL;
INSERT INTO platform.org_feature_flags (organization_id, feature, enabled) VALUES (:other, 'webhooks', false);
SELECT pg_temp.claim();
SELECT event_type, state FROM pg_temp.states() WHERE name = 'foreign' AND state = 'held';
SELECT blocked_by FROM platform.webhook_endpoints WHERE subscription_id = pg_temp.sub('foreign');
DELETE FROM platform.org_feature_flags WHERE organization_id = :other;
SELECT pg_temp.later();
BEGIN;
UPDATE platform.global_feature_flags SET enabled = false, disabled_reason = 'test' WHERE feature = 'webhooks';
SELECT pg_temp.claim();
ROLLBACK;
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('foreign', 200);

-- retry, cancel, replay, test
SELECT id AS failed FROM platform.webhook_deliveries WHERE subscription_id = pg_temp.sub('exact') AND status = 'failed' AND event_type = 'recording.available' ORDER BY event_id DESC LIMIT 1 \gset
SELECT platform.retry_webhook_delivery(:'failed');
SELECT status, attempts, max_attempts FROM platform.webhook_deliveries WHERE id = :'failed';
SELECT pg_temp.claim();
SELECT platform.retry_webhook_delivery(:'failed');
SELECT platform.cancel_webhook_delivery(:'failed'), platform.cancel_webhook_delivery(:'failed') AS again;
SELECT next_retry_at IS NULL AS out_of_the_index FROM platform.webhook_deliveries WHERE id = :'failed';
SELECT outcome FROM claimed c, platform.complete_webhook_delivery(c.delivery_id, c.lease_id, 200) WHERE delivery_id = :'failed' ORDER BY n DESC LIMIT 1;
SELECT platform.replay_webhook_delivery(:'failed') AS replayed \gset
SELECT platform.replay_webhook_delivery(:'failed');
SELECT status, replay, attempts, event_id = (SELECT event_id FROM platform.webhook_deliveries WHERE id = :'failed') AS same_event FROM platform.webhook_deliveries WHERE id = :'replayed';
SELECT pg_temp.claim();
SELECT outcome FROM pg_temp.complete('exact', 200);
SELECT platform.retry_webhook_delivery(:'replayed');
SELECT platform.replay_webhook_events(pg_temp.sub('exact'), now() - interval '1 hour');
SELECT platform.replay_webhook_events(pg_temp.sub('exact'), now() - interval '1 hour') AS they_wait;
SELECT platform.replay_webhook_events(pg_temp.sub('exact'), '-infinity', 'infinity', '{delivered}');
SELECT platform.replay_webhook_events(pg_temp.sub('exact'), now() + interval '1 hour', states => '{delivered}');
SELECT platform.replay_webhook_events(pg_temp.sub('exact'), now(), states => '{pending}');
SELECT name, event_type, replay, state FROM platform.list_webhook_deliveries(:org, pg_temp.sub('exact')) l JOIN secrets s ON s.id = l.subscription_id ORDER BY l.event_id, replay;
SELECT pg_temp.claim();
SELECT DISTINCT outcome FROM pg_temp.complete('exact', 200);
SELECT platform.send_test_webhook(pg_temp.sub('all')) AS test \gset
SELECT pg_temp.claim();
SELECT event_type, convert_from(body, 'UTF8')::jsonb -> 'data' AS data FROM claimed WHERE delivery_id = :'test';
SELECT outcome FROM pg_temp.complete('all', 500);
SELECT state FROM platform.webhook_delivery_states WHERE id = :'test';
SELECT count(*) FROM platform.list_webhook_deliveries(:org, state => 'failed');
SELECT count(*) FROM platform.list_webhook_deliveries(:org, "limit" => 3);

-- rotation: both secrets verify; scheme of another kind; headers of one's own; bodies that were kept
SELECT platform.rotate_webhook_secret(pg_temp.sub('exact')) AS new_secret \gset
UPDATE platform.webhook_subscriptions SET headers = '{"x-tenant": "7"}', keep_responses = true WHERE id = pg_temp.sub('exact');
SELECT platform.emit_event(:org, 'recording.available') IS NOT NULL;
SELECT pg_temp.claim();
SELECT platform.verify_standard_webhook(headers ->> 'webhook-id', headers ->> 'webhook-timestamp', body, headers ->> 'webhook-signature', ARRAY[s.secret]) AS old,
	platform.verify_standard_webhook(headers ->> 'webhook-id', headers ->> 'webhook-timestamp', body, headers ->> 'webhook-signature', ARRAY[:'new_secret']) AS new, headers ->> 'x-tenant' AS own
FROM claimed c JOIN secrets s ON s.id = c.subscription_id WHERE s.name = 'exact' ORDER BY n DESC LIMIT 1;
SELECT r.outcome FROM (SELECT * FROM claimed WHERE subscription_id = pg_temp.sub('exact') ORDER BY n DESC LIMIT 1) c,
	platform.complete_webhook_delivery(c.delivery_id, c.lease_id, 500, 3, response_body => convert_to(repeat('ü', 3000), 'UTF8')) r;
SELECT octet_length(response_body), response_body = repeat('ü', 1024) AS whole_characters FROM platform.webhook_deliveries WHERE subscription_id = pg_temp.sub('exact') ORDER BY event_id DESC LIMIT 1;
SELECT pg_temp.later();
SELECT pg_temp.claim();
SELECT r.outcome FROM (SELECT * FROM claimed WHERE subscription_id = pg_temp.sub('exact') ORDER BY n DESC LIMIT 1) c,
	platform.complete_webhook_delivery(c.delivery_id, c.lease_id, 200, 3, response_body => '\x41ff0042') r;
SELECT response_body FROM platform.webhook_deliveries WHERE subscription_id = pg_temp.sub('exact') ORDER BY event_id DESC LIMIT 1;
UPDATE platform.webhook_subscriptions SET scheme = 'github', secret = 'sixteen characters', keep_responses = false WHERE id = pg_temp.sub('exact');
SELECT platform.emit_event(:org, 'recording.available') IS NOT NULL;
SELECT pg_temp.claim();
SELECT array_agg(k ORDER BY k COLLATE "C") AS headers, platform.verify_github_webhook(body, headers ->> 'x-hub-signature-256', ARRAY['sixteen characters']) AS valid
FROM (SELECT * FROM claimed WHERE subscription_id = pg_temp.sub('exact') ORDER BY n DESC LIMIT 1) c, jsonb_object_keys(headers) k GROUP BY body, headers;
SELECT outcome FROM pg_temp.complete('exact', 200);
SELECT DISTINCT outcome FROM pg_temp.complete('all', 200);
-- a secret that cannot be read holds its own endpoint only
UPDATE platform.data_keys SET state = 'destroyed', wrapped = NULL, destroyed_at = now() WHERE organization_id = :other AND purpose = 'webhook_subscriptions.secret';
SELECT platform.emit_event(:other, 'call.completed') IS NOT NULL, platform.emit_event(:org, 'call.completed') IS NOT NULL;
SELECT pg_temp.claim();
SELECT s.name FROM claimed c JOIN secrets s ON s.id = c.subscription_id WHERE n = (SELECT max(n) FROM claimed) ORDER BY s.name COLLATE "C";
SELECT alert_type FROM platform.ops_alerts WHERE organization_id = :other AND resolved_at IS NULL AND alert_type LIKE 'webhook%';
SELECT platform.pause_webhook_subscription(pg_temp.sub('foreign'));

-- in the transaction itself, for small sites; the worker finds it done
SET platform.webhook_fanout = sync;
BEGIN;
SELECT platform.emit_event(:org, 'translation.completed') IS NOT NULL;
SELECT count(*) FROM platform.webhook_deliveries WHERE event_type = 'translation.completed';
COMMIT;
RESET platform.webhook_fanout;
SELECT pg_temp.claim();
SELECT pg_temp.claim();
SELECT count(*) FROM platform.webhook_deliveries WHERE event_type = 'translation.completed';
SELECT platform.next_webhook_wakeup() BETWEEN clock_timestamp() AND clock_timestamp() + interval '65 s' AS when_leases_end;
SELECT platform.emit_event(:org, 'call.started') IS NOT NULL;
SELECT platform.next_webhook_wakeup() - clock_timestamp() < interval '1 ms' AS now;
-- what was restored from another server's dump and not done is done, once, and then what is new here
UPDATE platform.webhook_events SET cluster_id = cluster_id WHERE false;
UPDATE platform.webhook_fanout SET cluster_id = 1, done = '1:1:', until = NULL WHERE true;
ALTER TABLE platform.webhook_events DISABLE TRIGGER webhook_events_refuse;
UPDATE platform.webhook_events SET cluster_id = 1 WHERE organization_id = :org AND event_type = 'call.started';
ALTER TABLE platform.webhook_events ENABLE TRIGGER webhook_events_refuse;
SELECT platform.emit_event(:org, 'call.answered') IS NOT NULL;
SELECT pg_temp.claim() + pg_temp.claim() + coalesce((SELECT pg_temp.claim() FROM pg_sleep(0.06)), 0) > 0 AS claimed;
SELECT s.name, d.event_type, count(*) FROM platform.webhook_deliveries d JOIN secrets s ON s.id = d.subscription_id
WHERE d.organization_id = :org AND event_type IN ('call.started', 'call.answered') GROUP BY 1, 2 ORDER BY s.name COLLATE "C", 2;
-- health
SELECT name, active, breaker, attempts > 0 AS attempts, success_rate BETWEEN 0 AND 1 AS rate, p50_ms, p95_ms FROM platform.webhook_endpoint_health
WHERE organization_id IN (:org, :other) ORDER BY name COLLATE "C";
-- arguments
\set VERBOSITY sqlstate
SELECT platform.claim_webhook_deliveries(0);
SELECT platform.claim_webhook_deliveries(1001);
SELECT platform.claim_webhook_deliveries(NULL);
SELECT platform.claim_webhook_deliveries(1, '0');
SELECT platform.claim_webhook_deliveries(1, '2 days');
SELECT platform.complete_webhook_delivery(NULL, platform.uuid7());
SELECT platform.complete_webhook_delivery(platform.uuid7(), platform.uuid7(), 99);
SELECT platform.complete_webhook_delivery(platform.uuid7(), platform.uuid7(), 0);
SELECT platform.complete_webhook_delivery(platform.uuid7(), platform.uuid7(), 200, -1);
SELECT platform.complete_webhook_deliveries(ARRAY[platform.uuid7()], '{}', '{}');
SELECT platform.complete_webhook_deliveries(ARRAY[NULL::uuid], ARRAY[platform.uuid7()], '{200}');
SELECT count(*) FROM platform.complete_webhook_deliveries('{}', '{}', '{}');
SELECT platform.release_webhook_deliveries('{}', '{}');
SELECT platform.retry_webhook_delivery(platform.uuid7());
SELECT platform.replay_webhook_delivery(NULL);
SELECT platform.send_test_webhook(pg_temp.sub('foreign'));
SELECT platform.purge_webhooks(0);
\set VERBOSITY terse
-- members: administrators see their deliveries, others none
BEGIN;
SELECT platform.set_context(:org, 'ada', 'admin');
SET LOCAL ROLE platform_test_member;
SELECT count(*) > 0 AS own, count(*) FILTER (WHERE organization_id <> :org) AS others FROM platform.webhook_deliveries;
SELECT count(*) > 0 FROM platform.list_webhook_deliveries(:org);
SELECT count(*) FROM platform.list_webhook_deliveries(:other);
SELECT count(*) > 0 AS attempts FROM platform.webhook_attempts;
SELECT count(*) FROM platform.webhook_endpoint_health;
SAVEPOINT m;
SELECT platform.next_webhook_wakeup();
ROLLBACK TO m;
SELECT platform.purge_webhooks();
ROLLBACK TO m;
RESET ROLE;
SELECT platform.set_context(:org, 'ada');
SET LOCAL ROLE platform_test_member;
SELECT count(*) FROM platform.webhook_deliveries;
SELECT count(*) FROM platform.webhook_attempts;
ROLLBACK;
-- what is old goes, when its organization says so
UPDATE platform.organizations SET settings = settings || '{"webhooks": {"retentionDays": 7}}' WHERE id = :org;
SELECT count(*) FROM platform.purge_webhooks() WHERE action = 'deleted';
INSERT INTO platform.webhook_events (id, organization_id, created_at, occurred_at, transaction_id, cluster_id, event_type, payload)
SELECT id, org, platform.uuid7_time(id), now(), '1', 1, 'call.completed', '{}' FROM (VALUES
	(:org::uuid, to_timestamp(extract(epoch FROM now()) - 8 * 86400)), (:other, to_timestamp(extract(epoch FROM now()) - 8 * 86400)), (:org, to_timestamp(extract(epoch FROM now()) - 6 * 86400))) v (org, at),
	LATERAL (SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(extract(epoch FROM now())::bigint), 12, '0'))::uuid) i (id);
INSERT INTO platform.webhook_deliveries (organization_id, subscription_id, event_id, event_type, max_attempts, status, finished_at)
SELECT e.organization_id, CASE e.organization_id WHEN :org THEN pg_temp.sub('all') ELSE pg_temp.sub('foreign') END, e.id, e.event_type, 1, 'delivered', e.created_at FROM platform.webhook_events e WHERE transaction_id = '1';
INSERT INTO platform.webhook_attempts (delivery_id, organization_id, created_at, subscription_id, attempt, outcome)
SELECT d.id, d.organization_id, d.finished_at, d.subscription_id, 1, 'delivered' FROM platform.webhook_deliveries d WHERE finished_at < now() - interval '1 day';
SELECT table_name, action, rows, more FROM platform.purge_webhooks();
SELECT count(*) FROM platform.webhook_events WHERE transaction_id = '1';
UPDATE platform.organizations SET settings = '{"webhooks": {"retentionDays": 1}}' WHERE id = :org;
SELECT table_name, action, rows, more FROM platform.purge_webhooks(1);
-- a day that is over for everybody is dropped
CREATE TABLE platform.webhook_events_2001_01_01 PARTITION OF platform.webhook_events FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-01-02 00:00+00');
SELECT table_name, action FROM platform.purge_webhooks() WHERE action = 'dropped';
SELECT to_regclass('platform.webhook_events_2001_01_01');

\set ECHO none
DELETE FROM platform.ops_alerts WHERE organization_id IN (:org, :other);
DELETE FROM platform.organizations WHERE id IN (:org, :other);
DELETE FROM platform.webhook_events WHERE organization_id IN (:org, :other);
DELETE FROM platform.webhook_attempts WHERE organization_id IN (:org, :other);
