-- Events become deliveries however many there are that nobody asked for; none from before the subscription
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
SET client_min_messages = error;
\set org '''94000000-0000-4000-8000-000000000001'''
\set silent '''94000000-0000-4000-8000-000000000002'''
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Hearing'), (:silent, 'Silent');
\o
\set ECHO all

-- two from before, one of the transaction itself, one after; thousands of others
SELECT count(platform.emit_event(:org, t)) FROM unnest('{call.failed,call.failed}'::text[]) t;
BEGIN;
SELECT platform.emit_event(:org, 'call.started') IS NOT NULL AS emitted;
SAVEPOINT s;
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events) VALUES (:org, 'hears', 'https://hears.example/', '{call.*}');
RELEASE s;
COMMIT;
SELECT count(platform.emit_event(:silent, 'call.failed')) FROM generate_series(1, 5000);
SELECT count(platform.emit_event(:org, 'lead_created')) FROM generate_series(1, 1000);
SELECT platform.emit_event(:org, 'call.completed') IS NOT NULL AS emitted;
SELECT platform.next_webhook_wakeup() - clock_timestamp() < interval '1 ms' AS now;
SELECT event_type FROM platform.claim_webhook_deliveries(10) WHERE organization_id = :org;
SELECT event_type FROM pg_sleep(0.02), platform.claim_webhook_deliveries(10) WHERE organization_id = :org;
-- where it is not known when a subscription was made, it hears of all that is new
UPDATE platform.webhook_endpoints SET since = NULL, since_cluster = NULL WHERE organization_id = :org;
SELECT platform.emit_event(:org, 'call.answered') IS NOT NULL AS emitted FROM pg_sleep(0.02);
SELECT event_type FROM platform.claim_webhook_deliveries(10) WHERE organization_id = :org;
SELECT event_type, status FROM platform.webhook_deliveries WHERE organization_id = :org ORDER BY event_id;
-- one event for forty: each receiver gets its own, however few a claim takes of each
INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events) SELECT :silent, 'n' || n, 'https://n' || n || '.example/', '{call.*}' FROM generate_series(1, 40) n;
SELECT platform.emit_event(:silent, 'call.answered') IS NOT NULL AS emitted FROM pg_sleep(0.02);
CREATE TEMP TABLE claimed AS SELECT * FROM platform.claim_webhook_deliveries(100);
INSERT INTO claimed SELECT * FROM platform.claim_webhook_deliveries(100);
INSERT INTO claimed SELECT * FROM platform.claim_webhook_deliveries(100);
SELECT count(*), count(DISTINCT subscription_id) AS receivers, count(DISTINCT event_id) AS events FROM claimed WHERE organization_id = :silent;

\set ECHO none
DELETE FROM platform.organizations WHERE id IN (:org, :silent);
DELETE FROM platform.webhook_events WHERE organization_id IN (:org, :silent);
