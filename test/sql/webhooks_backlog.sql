-- Finished deliveries are passed over by claims: behind one that takes long, many at one moment, many before the first that waits
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY terse
SET client_min_messages = error;
\set org '''97000000-0000-4000-8000-000000000001'''
\o /dev/null
SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) WHERE current_setting('platform.root_key_file') = '';
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Backlog');
SELECT id AS sub FROM platform.create_webhook_subscription(:org, 'receiver', 'https://receiver.example/hook', '{call.*}') \gset
UPDATE platform.webhook_subscriptions SET max_in_flight = 10000 WHERE id = :'sub';
CREATE TEMP TABLE claimed AS SELECT 0 AS n, * FROM platform.claim_webhook_deliveries(1) LIMIT 0;
CREATE FUNCTION pg_temp.emit(n integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(platform.emit_event('97000000-0000-4000-8000-000000000001', 'call.completed')) FROM generate_series(1, n)
$$;
-- claims so often, as a worker does; what is new is looked for a hundred times a second
CREATE FUNCTION pg_temp.claim(times integer) RETURNS bigint LANGUAGE sql AS $$
	WITH c AS (INSERT INTO claimed SELECT t, c.* FROM generate_series(1, times) t, LATERAL (SELECT pg_sleep(0.105 + 0 * t)) s, platform.claim_webhook_deliveries(1000 + 0 * t) c
		WHERE c.organization_id = '97000000-0000-4000-8000-000000000001' RETURNING 1)
	SELECT count(*) FROM c
$$;
-- completes all that was claimed but the oldest so many
CREATE FUNCTION pg_temp.complete(keep integer DEFAULT 0) RETURNS TABLE (outcome text, count bigint) LANGUAGE sql AS $$
	WITH done AS (DELETE FROM claimed WHERE delivery_id IN (SELECT d.id FROM platform.webhook_deliveries d JOIN claimed c ON c.delivery_id = d.id ORDER BY d.next_retry_at OFFSET keep) RETURNING delivery_id, lease_id)
	SELECT r.outcome, count(*) FROM (SELECT (row_number() OVER () - 1) / 1000 AS part, * FROM done) d
		JOIN LATERAL platform.complete_webhook_delivery(d.delivery_id, d.lease_id, 200) r ON true GROUP BY 1
$$;
-- what other tests left
SELECT pg_temp.claim(5);
CREATE TEMP VIEW state AS SELECT count(*) FILTER (WHERE finished_at IS NULL) AS unfinished, count(*) FILTER (WHERE next_retry_at IS NULL) AS out_of_the_index
	FROM platform.webhook_deliveries WHERE subscription_id = :'sub';
\o
\set ECHO all

-- behind one that takes long: taken out of the index of those that are due, some by each claim
SELECT pg_temp.emit(700);
SELECT pg_temp.claim(8);
SELECT * FROM pg_temp.complete(keep => 1);
SELECT pg_temp.emit(1);
SELECT pg_temp.claim(1);
SELECT * FROM state;
UPDATE platform.webhook_endpoints SET gap_from = NULL, gap_to = NULL WHERE subscription_id = :'sub';
SELECT pg_temp.emit(1);
SELECT pg_temp.claim(1);
SELECT * FROM state;
-- what is left of them is a gap by now, or not; the one that takes long is not forgotten
UPDATE platform.webhook_deliveries SET lease_until = now() - interval '1 second' WHERE subscription_id = :'sub' AND status = 'delivering';
UPDATE platform.webhook_endpoints SET due_at = now() WHERE subscription_id = :'sub';
SELECT pg_temp.claim(1);
SELECT attempt, count(*) FROM claimed GROUP BY 1 ORDER BY 1;
SELECT outcome, count FROM pg_temp.complete() ORDER BY 1;
SELECT unfinished FROM state;
-- taken out, it can be sent again
SELECT id AS again FROM platform.webhook_deliveries WHERE subscription_id = :'sub' AND next_retry_at IS NULL ORDER BY id LIMIT 1 \gset
SELECT platform.replay_webhook_delivery(:'again') IS NOT NULL AS replayed;
SELECT pg_temp.claim(1);
SELECT * FROM pg_temp.complete();

-- many at one moment, that somebody cancelled: nothing is in front of what comes
SELECT pg_temp.emit(3000);
SELECT pg_temp.claim(13);
UPDATE platform.webhook_deliveries SET status = 'cancelled', finished_at = now(), lease_id = NULL, lease_until = NULL, next_retry_at = now() - interval '1 hour' WHERE subscription_id = :'sub' AND finished_at IS NULL;
UPDATE platform.webhook_endpoints SET scan_from = now() - interval '1 day', gap_from = NULL, gap_to = NULL WHERE subscription_id = :'sub';
TRUNCATE claimed;
SELECT pg_temp.emit(1);
SELECT pg_temp.claim(8);
SELECT * FROM pg_temp.complete();

-- many before the first that waits, as after a restore: each claim passes some, and the next begins behind them
UPDATE platform.webhook_endpoints SET scan_from = '-infinity', gap_from = NULL, gap_to = NULL WHERE subscription_id = :'sub';
SELECT pg_temp.emit(1);
SELECT pg_temp.claim(8);
SELECT * FROM pg_temp.complete();
SELECT scan_from > now() - interval '1 hour' AS behind_them FROM platform.webhook_endpoints WHERE subscription_id = :'sub';
SELECT unfinished FROM state;
SELECT pending, delivering, due FROM platform.webhook_queue_depth WHERE subscription_id = :'sub';

-- more behind one that takes long than a claim passes: the next goes on behind those, before all are taken out
TRUNCATE claimed;
SELECT pg_temp.emit(1);
SELECT pg_temp.claim(1);
UPDATE platform.webhook_deliveries d SET next_retry_at = f.at + f.n * interval '1 microsecond'
	FROM (SELECT c.id, o.next_retry_at AS at, row_number() OVER () AS n FROM platform.webhook_deliveries c, platform.webhook_deliveries o
		WHERE c.subscription_id = :'sub' AND c.status = 'cancelled' AND o.id = (SELECT delivery_id FROM claimed)) f WHERE d.id = f.id;
SELECT pg_temp.emit(1);
SELECT pg_temp.claim(3);
SELECT * FROM pg_temp.complete();
SELECT unfinished FROM state;

-- written by hand: verify() says that no claim would see it, and what the docs say mends it
CREATE TEMP VIEW sound AS SELECT passed FROM platform.verify() WHERE name = '90 webhooks: claims look at all that is not finished';
SELECT * FROM sound;
UPDATE platform.webhook_deliveries SET status = 'pending', finished_at = NULL, max_attempts = 2, next_retry_at = now() - interval '1 day' WHERE id = :'again';
SELECT pg_temp.claim(1);
SELECT * FROM sound;
UPDATE platform.webhook_endpoints SET due_at = now(), blocked_until = NULL, blocked_by = NULL, scan_from = '-infinity', gap_from = NULL, gap_to = NULL WHERE subscription_id = :'sub';
SELECT * FROM sound;
SELECT pg_temp.claim(8);
SELECT * FROM pg_temp.complete();
DELETE FROM platform.organizations WHERE id = :org;
