-- dispatch_with_pg_net(): what it hands over verifies, what comes back is completed, what is lost is sent again
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY terse
SET client_min_messages = error;
\set org '''98000000-0000-4000-8000-000000000001'''
\o /dev/null
SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) WHERE current_setting('platform.root_key_file') = '';
INSERT INTO platform.organizations (id, name) VALUES (:org, 'By pg_net');
-- what other tests left
SELECT count(c.delivery_id) FROM generate_series(1, 5) t, LATERAL (SELECT pg_sleep(0.105 + 0 * t)) s, platform.claim_webhook_deliveries(1000 + 0 * t) c;
CREATE TEMP TABLE secrets AS SELECT n, c.id, c.secret FROM generate_series(1, 2) n, platform.create_webhook_subscription(:org, 'receiver ' || n, 'https://n' || n || '.example/hook', '{call.*}') c;
-- as pg_net does it: no request is made; tests say what came back
CREATE FUNCTION pg_temp.install_pg_net() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CREATE SCHEMA net;
	CREATE TABLE net.http_request_queue (id bigserial, url text, headers jsonb, body bytea, timeout_milliseconds integer);
	CREATE TABLE net._http_response (id bigint, status_code integer, content_type text, headers jsonb, content text, timed_out boolean, error_msg text, created timestamptz NOT NULL DEFAULT now());
	CREATE FUNCTION net.http_post(url text, body jsonb, params jsonb, headers jsonb, timeout_milliseconds integer) RETURNS bigint LANGUAGE sql AS
		'INSERT INTO net.http_request_queue (url, headers, body, timeout_milliseconds) VALUES ($1, $4, convert_to($2::text, ''UTF8''), $5) RETURNING id';
END $$;
-- new events are looked for a hundred times a second
CREATE FUNCTION pg_temp.dispatch(n integer DEFAULT 100, lease interval DEFAULT '5 minutes') RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_sleep(0.105);
	SELECT platform.dispatch_with_pg_net(n, lease)
$$;
\o
\set ECHO all

SELECT platform.dispatch_with_pg_net();
SELECT pg_temp.install_pg_net();
SELECT pg_temp.dispatch();
SELECT count(platform.emit_event(:org, 'call.completed', jsonb_build_object('n', n, 'text', 'ü€😀 "\/' || E'\t\u2028', 'number', 1.10, 'deep', '{"zz": [1e400, null, {"b": 1, "aa": 2}]}'::jsonb))) FROM generate_series(1, 3) n;
SELECT pg_temp.dispatch();
SELECT pg_temp.dispatch();
-- the bytes are those that were signed
SELECT q.url, q.timeout_milliseconds, count(*), bool_and(platform.verify_standard_webhook(q.headers ->> 'webhook-id', q.headers ->> 'webhook-timestamp', q.body, q.headers ->> 'webhook-signature', ARRAY[s.secret])) AS verified
FROM net.http_request_queue q JOIN secrets s ON q.url = 'https://n' || s.n || '.example/hook' GROUP BY 1, 2 ORDER BY 1;
-- what came back; one has no answer
INSERT INTO net._http_response (id, status_code, headers, timed_out, error_msg)
	SELECT q.id, a.status, a.headers, a.timed_out, a.error FROM net.http_request_queue q
	JOIN (VALUES (1, 1, 200, '{}'::jsonb, NULL::boolean, NULL), (1, 2, 503, '{"Retry-After": "3600"}', NULL, NULL), (1, 3, NULL, NULL, true, 'Timeout of 30000 ms reached'),
		(2, 1, NULL, NULL, NULL, 'Couldn''t resolve host name'), (2, 2, 0, '{}', false, NULL)) AS a (receiver, event, status, headers, timed_out, error)
	ON q.url = 'https://n' || a.receiver || '.example/hook' AND (convert_from(q.body, 'UTF8')::jsonb #>> '{data,n}')::integer = a.event;
SELECT pg_temp.dispatch();
SELECT s.n AS receiver, e.payload ->> 'n' AS event, d.status, d.attempts, d.response_status, d.last_error, d.next_retry_at > now() + interval '59 minutes' AS later
FROM secrets s JOIN platform.webhook_deliveries d ON d.subscription_id = s.id JOIN platform.webhook_events e ON e.id = d.event_id ORDER BY 1, 2;
SELECT count(*) FROM platform.webhook_pg_net_requests WHERE organization_id = :org;
-- lost: sent again when the lease has ended, and the answer to the new request counts
UPDATE platform.webhook_deliveries SET lease_until = now() - interval '1 second' WHERE organization_id = :org AND status = 'delivering';
UPDATE platform.webhook_endpoints SET due_at = now() WHERE organization_id = :org;
SELECT pg_temp.dispatch();
SELECT count(*), min(request_id) = (SELECT max(id) FROM net.http_request_queue) AS the_new_one FROM platform.webhook_pg_net_requests WHERE organization_id = :org;
INSERT INTO net._http_response (id, status_code) SELECT max(id), 204 FROM net.http_request_queue;
SELECT pg_temp.dispatch();
SELECT d.status, d.attempts, d.response_status FROM platform.webhook_deliveries d JOIN platform.webhook_events e ON e.id = d.event_id
WHERE d.subscription_id = (SELECT id FROM secrets WHERE n = 2) AND e.payload ->> 'n' = '3';
SELECT count(*) FROM platform.webhook_pg_net_requests WHERE organization_id = :org;
-- bounds
SELECT platform.dispatch_with_pg_net(0);
SELECT platform.dispatch_with_pg_net(NULL);
SELECT platform.dispatch_with_pg_net(lease => '0');
BEGIN;
CREATE ROLE stranger_to_pg_net;
GRANT USAGE ON SCHEMA platform TO stranger_to_pg_net;
SET ROLE stranger_to_pg_net;
SELECT platform.dispatch_with_pg_net();
ROLLBACK;
DROP SCHEMA net CASCADE;
DELETE FROM platform.organizations WHERE id = :org;
