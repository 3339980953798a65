-- webhooks: events

CREATE OR REPLACE FUNCTION platform.emit_event(organization_id uuid, type text, payload jsonb DEFAULT '{}',
	idempotency_key text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_emit_event';
COMMENT ON FUNCTION platform.emit_event(uuid, text, jsonb, text, timestamptz) IS
	'Says that something happened; returns the event''s id, the webhook-id of its deliveries. It is delivered once the transaction has committed. A key that was used before: no new event, the id of the first. Members: for their own organization. Errors: 42501; 22004; 22023; PT404 no such organization; PT409 the key came with another type or payload; 25006.';
INSERT INTO platform.member_privileges VALUES
	('function', 'emit_event(uuid, text, jsonb, text, timestamptz)', 'EXECUTE');

-- webhooks: subscriptions

CREATE OR REPLACE FUNCTION platform.create_webhook_subscription(organization_id uuid, name text, url text, events text[],
	secret text DEFAULT NULL, scheme text DEFAULT 'standard', headers jsonb DEFAULT '{}', retry_policy text DEFAULT 'exponential',
	max_retries integer DEFAULT 9, timeout_ms integer DEFAULT 30000, OUT id uuid, OUT secret text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_webhook_subscription';
COMMENT ON FUNCTION platform.create_webhook_subscription(uuid, text, text, text[], text, text, jsonb, text, integer, integer) IS
	'A new subscription and its secret, which is not shown again. secret NULL: one is made. Administrators, for their organization. Errors: 42501; 22004; PT404 no such organization; PT422 url, events or headers break a rule; 22023 secret is no key; 23505 the url is taken; 23514; PT429 too many; F0000 no root key.';

CREATE OR REPLACE FUNCTION platform.rotate_webhook_secret(subscription uuid, overlap interval DEFAULT '24 hours', force boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_rotate_webhook_secret';
COMMENT ON FUNCTION platform.rotate_webhook_secret(uuid, interval, boolean) IS
	'A new secret, which is not shown again. For overlap (at most 30 days) requests are signed with the old one too. Administrators. Errors: 42501; 22004; 22023; PT404; PT409 an overlap runs, and no force; F0000 no root key.';

CREATE OR REPLACE FUNCTION platform.revoke_previous_webhook_secret(subscription uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_revoke_previous_webhook_secret';
COMMENT ON FUNCTION platform.revoke_previous_webhook_secret(uuid) IS
	'Ends the overlap of a rotation; false when there was none. Administrators. Errors: 42501, 22004, PT404.';

CREATE OR REPLACE FUNCTION platform.pause_webhook_subscription(subscription uuid, reason text DEFAULT 'paused') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_pause_webhook_subscription';
COMMENT ON FUNCTION platform.pause_webhook_subscription(uuid, text) IS
	'Holds its deliveries until it is resumed; false when it was not active. Administrators. Errors: 42501; 22004; 23514 reason not of 1 to 63 characters; PT404.';

CREATE OR REPLACE FUNCTION platform.resume_webhook_subscription(subscription uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resume_webhook_subscription';
COMMENT ON FUNCTION platform.resume_webhook_subscription(uuid) IS
	'Sends again, what was held first, and forgets past failures; false when it was active. Administrators. Errors: 42501; 22004; PT404; PT429 too many are active.';

CREATE OR REPLACE FUNCTION platform.check_webhook_url(url text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_webhook_url';
COMMENT ON FUNCTION platform.check_webhook_url(text) IS
	'Why webhooks cannot be sent to a url; NULL when they can. The address behind the name is looked at when a request is sent.';

INSERT INTO platform.member_privileges VALUES
	('function', 'create_webhook_subscription(uuid, text, text, text[], text, text, jsonb, text, integer, integer)', 'EXECUTE'),
	('function', 'rotate_webhook_secret(uuid, interval, boolean)', 'EXECUTE'),
	('function', 'revoke_previous_webhook_secret(uuid)', 'EXECUTE'),
	('function', 'pause_webhook_subscription(uuid, text)', 'EXECUTE'),
	('function', 'resume_webhook_subscription(uuid)', 'EXECUTE'),
	('function', 'check_webhook_url(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_webhook_subscription() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_webhook_subscription';
COMMENT ON FUNCTION platform.check_webhook_subscription() IS
	'Trigger function of webhook_subscriptions, BEFORE: keeps its rules and encrypts its secret. Errors: 39P01, PT422, PT409, PT429, 22023, F0000.';

CREATE OR REPLACE FUNCTION platform.keep_webhook_endpoint() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_keep_webhook_endpoint';
COMMENT ON FUNCTION platform.keep_webhook_endpoint() IS
	'Trigger function of webhook_subscriptions, AFTER: makes the endpoint''s row, and wakes it when the subscription becomes active. Errors: 39P01.';

-- webhooks: for workers

CREATE OR REPLACE FUNCTION platform.claim_webhook_deliveries("limit" integer DEFAULT 100, lease interval DEFAULT '1 minute')
RETURNS TABLE (delivery_id uuid, lease_id uuid, organization_id uuid, subscription_id uuid, event_id uuid, event_type text,
	attempt integer, url text, method text, headers jsonb, body bytea, timeout_ms integer, lease_until timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'platform_claim_webhook_deliveries';
COMMENT ON FUNCTION platform.claim_webhook_deliveries(integer, interval) IS
	'Up to limit (1 to 1000) deliveries that are due, each as the signed request to send. The caller commits, sends, and completes them before lease_until; then others get them. For workers: EXECUTE is the grant, no member has it. Errors: 22004, 22023, 25006, 40001, F0000 no root key.';

CREATE OR REPLACE FUNCTION platform.complete_webhook_delivery(delivery_id uuid, lease_id uuid, http_status integer DEFAULT NULL,
	duration_ms integer DEFAULT NULL, error text DEFAULT NULL, retry_after text DEFAULT NULL, response_body bytea DEFAULT NULL,
	OUT outcome text, OUT next_attempt_at timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_complete_webhook_delivery';
COMMENT ON FUNCTION platform.complete_webhook_delivery(uuid, uuid, integer, integer, text, text, bytea) IS
	'What came of a claimed request. http_status NULL: no answer, error says why (timeout, connect, dns, tls, address, too_large ...). retry_after: the header as it came. outcome: delivered, retrying (at next_attempt_at), failed, stale (somebody else''s by now: nothing changed), unknown. For workers: EXECUTE is the grant. Errors: 22004, 22023, 25006, 40001.';

CREATE OR REPLACE FUNCTION platform.complete_webhook_deliveries(delivery_ids uuid[], lease_ids uuid[], http_statuses integer[],
	durations_ms integer[] DEFAULT NULL, errors text[] DEFAULT NULL, retry_afters text[] DEFAULT NULL, response_bodies bytea[] DEFAULT NULL)
RETURNS TABLE (delivery_id uuid, outcome text, next_attempt_at timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'platform_complete_webhook_deliveries';
COMMENT ON FUNCTION platform.complete_webhook_deliveries(uuid[], uuid[], integer[], integer[], text[], text[], bytea[]) IS
	'complete_webhook_delivery() for up to 1000 at once, a row for each in their order. Arrays of one length; a NULL array says nothing of any. For workers: EXECUTE is the grant. Errors: 22004, 22023, 2202E, 25006, 40001.';

CREATE OR REPLACE FUNCTION platform.release_webhook_deliveries(delivery_ids uuid[], lease_ids uuid[]) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_webhook_deliveries';
COMMENT ON FUNCTION platform.release_webhook_deliveries(uuid[], uuid[]) IS
	'Gives back deliveries that were claimed and not sent: due again, the attempt does not count. Returns how many were still the caller''s. For workers: EXECUTE is the grant. Errors: 22004, 22023, 25006.';

CREATE OR REPLACE FUNCTION platform.next_webhook_wakeup() RETURNS timestamptz
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_next_webhook_wakeup';
COMMENT ON FUNCTION platform.next_webhook_wakeup() IS
	'When there is something to claim: now, a moment to come, or NULL when nothing waits. New events make it earlier: LISTEN platform_webhooks, or ask again. For workers: EXECUTE is the grant.';

-- A request is not answered in the transaction that makes it: what came of those before
-- is said first. pg_net takes the body as jsonb, whose text is the very bytes signed.
CREATE OR REPLACE FUNCTION platform.dispatch_with_pg_net("limit" integer DEFAULT 100, lease interval DEFAULT '5 minutes') RETURNS bigint
LANGUAGE sql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS $$
DELETE FROM platform.webhook_pg_net_requests r WHERE r.created_at < now() - interval '1 day';
WITH answered AS (
	DELETE FROM platform.webhook_pg_net_requests r
	USING (SELECT o.organization_id, o.delivery_id, p.status_code, p.timed_out, p.error_msg, p.headers
		FROM platform.webhook_pg_net_requests o
		JOIN net._http_response p ON p.id = o.request_id AND p.created >= o.created_at LIMIT 1000) AS p
	WHERE r.organization_id = p.organization_id AND r.delivery_id = p.delivery_id
	RETURNING r.delivery_id, r.lease_id,
		CASE WHEN p.status_code BETWEEN 100 AND 599 THEN p.status_code END AS status,
		CASE WHEN p.timed_out THEN 'timeout' ELSE p.error_msg END AS error,
		(SELECT h.value FROM jsonb_each_text(p.headers) h WHERE lower(h.key) = 'retry-after' LIMIT 1) AS retry_after)
SELECT count(c.outcome) FROM (
	SELECT array_agg(a.delivery_id) AS deliveries, array_agg(a.lease_id) AS leases, array_agg(a.status) AS statuses,
		array_agg(a.error) AS errors, array_agg(a.retry_after) AS retry_afters
	FROM answered a HAVING count(*) > 0) AS a,
	LATERAL platform.complete_webhook_deliveries(a.deliveries, a.leases, a.statuses, NULL, a.errors, a.retry_afters) AS c;
WITH sent AS (
	INSERT INTO platform.webhook_pg_net_requests (organization_id, delivery_id, lease_id, request_id)
	SELECT d.organization_id, d.delivery_id, d.lease_id,
		net.http_post(url => d.url, body => convert_from(d.body, 'UTF8')::jsonb, params => '{}'::jsonb, headers => d.headers, timeout_milliseconds => d.timeout_ms)
	FROM platform.claim_webhook_deliveries(dispatch_with_pg_net."limit", dispatch_with_pg_net.lease) AS d
	ON CONFLICT (organization_id, delivery_id) DO UPDATE
		SET lease_id = excluded.lease_id, request_id = excluded.request_id, created_at = excluded.created_at
	RETURNING 1)
SELECT count(*) FROM sent
$$;
COMMENT ON FUNCTION platform.dispatch_with_pg_net(integer, interval) IS
	'Hands up to limit (1 to 1000) deliveries that are due to the extension pg_net, after saying what came of those before; returns how many. Call it every few seconds. What pg_net loses is sent again when its lease ends: lease must be longer than the longest timeout and the time between two calls. For the owner of the tables. Errors: 42P01 without pg_net, and those of claim_webhook_deliveries().';

-- webhooks: deliveries

CREATE OR REPLACE FUNCTION platform.webhooks_enabled(organization_id uuid) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_webhooks_enabled';
COMMENT ON FUNCTION platform.webhooks_enabled(uuid) IS
	'Does the feature webhooks let the organization''s deliveries be sent? While it does not they are held. NULL for NULL.';

CREATE OR REPLACE FUNCTION platform.retry_webhook_delivery(delivery uuid) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_retry_webhook_delivery';
COMMENT ON FUNCTION platform.retry_webhook_delivery(uuid) IS
	'Attempts it now: one that waits, or one more attempt of one that failed or was cancelled. Administrators. Errors: 42501; 22004; PT404; PT409 it was delivered, or is under way.';

CREATE OR REPLACE FUNCTION platform.cancel_webhook_delivery(delivery uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_cancel_webhook_delivery';
COMMENT ON FUNCTION platform.cancel_webhook_delivery(uuid) IS
	'Gives up what is not finished; a request under way may still arrive. False when it was finished. Administrators. Errors: 42501, 22004, PT404.';

CREATE OR REPLACE FUNCTION platform.replay_webhook_delivery(delivery uuid) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_replay_webhook_delivery';
COMMENT ON FUNCTION platform.replay_webhook_delivery(uuid) IS
	'Sends an event once more, as a new delivery with the same webhook-id; returns its id. Administrators. Errors: 42501; 22004; PT404; PT409 a delivery of it is not finished.';

CREATE OR REPLACE FUNCTION platform.replay_webhook_events(subscription uuid, "from" timestamptz, "to" timestamptz DEFAULT NULL,
	states text[] DEFAULT '{failed,cancelled}') RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_replay_webhook_events';
COMMENT ON FUNCTION platform.replay_webhook_events(uuid, timestamptz, timestamptz, text[]) IS
	'Sends events emitted in [from, to) once more if their last delivery is in one of the states (delivered, failed, cancelled); NULL to: up to now. Returns how many. Administrators. Errors: 42501, 22004, 22023, PT404.';

CREATE OR REPLACE FUNCTION platform.send_test_webhook(subscription uuid, payload jsonb DEFAULT '{"test": true}') RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_send_test_webhook';
COMMENT ON FUNCTION platform.send_test_webhook(uuid, jsonb) IS
	'Sends one request of type webhook.test, attempted once; returns the delivery''s id. Administrators. Errors: 42501; 22004; PT404; PT409 the subscription is not active.';

CREATE OR REPLACE FUNCTION platform.list_webhook_deliveries(for_organization_id uuid, subscription uuid DEFAULT NULL, state text DEFAULT NULL,
	"limit" integer DEFAULT 100, before uuid DEFAULT NULL)
RETURNS TABLE (delivery_id uuid, subscription_id uuid, subscription_name text, event_id uuid, event_type text, replay integer,
	state text, retrying boolean, attempts integer, max_attempts integer, next_attempt_at timestamptz, response_status integer,
	response_time_ms integer, last_error text, created_at timestamptz, finished_at timestamptz)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT d.id, d.subscription_id, d.subscription_name, d.event_id, d.event_type, d.replay, d.state, d.retrying, d.attempts,
	d.max_attempts, d.next_attempt_at, d.response_status, d.response_time_ms, d.last_error, d.created_at, d.finished_at
FROM platform.webhook_subscriptions s
CROSS JOIN LATERAL (
	SELECT v.* FROM platform.webhook_delivery_states v
	WHERE v.subscription_id = s.id AND v.organization_id = s.organization_id
		AND (list_webhook_deliveries.state IS NULL OR v.state = list_webhook_deliveries.state)
		AND (list_webhook_deliveries.before IS NULL OR v.event_id < list_webhook_deliveries.before)
	ORDER BY v.event_id DESC, v.replay DESC LIMIT list_webhook_deliveries."limit") AS d
WHERE s.organization_id = list_webhook_deliveries.for_organization_id
	AND (list_webhook_deliveries.subscription IS NULL OR s.id = list_webhook_deliveries.subscription)
ORDER BY d.event_id DESC, d.subscription_id, d.replay DESC LIMIT list_webhook_deliveries."limit"
$$;
COMMENT ON FUNCTION platform.list_webhook_deliveries(uuid, uuid, text, integer, uuid) IS
	'Deliveries of an organization, newest events first: of one subscription, in one state (pending, held, delivering, delivered, failed, cancelled), of events before one (for the next page). As the caller sees the tables: administrators their organization''s.';

CREATE OR REPLACE FUNCTION platform.webhook_delivery_history(delivery uuid)
RETURNS TABLE (attempt integer, at timestamptz, outcome text, http_status integer, duration_ms integer, error text, response_body text)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT a.attempt, a.created_at, a.outcome, a.http_status, a.duration_ms, a.error, a.response_body
FROM platform.webhook_attempts a WHERE a.delivery_id = webhook_delivery_history.delivery
ORDER BY a.created_at
$$;
COMMENT ON FUNCTION platform.webhook_delivery_history(uuid) IS
	'The attempts of a delivery, in their order; duration in milliseconds. As the caller sees the table: administrators their organization''s.';

CREATE OR REPLACE FUNCTION platform.purge_webhooks(batch integer DEFAULT 10000)
RETURNS TABLE (table_name text, action text, rows bigint, more boolean)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_purge_webhooks';
COMMENT ON FUNCTION platform.purge_webhooks(integer) IS
	'Deletes what is older than organizations keep it, forgets secrets whose overlap is over, makes partitions of the days to come. A row for each table changed: dropped, deleted (at most batch rows), busy; more: call again. For a daily job. Operators. Errors: 42501, 22004, 22023.';

INSERT INTO platform.member_privileges VALUES
	('function', 'webhooks_enabled(uuid)', 'EXECUTE'),
	('function', 'retry_webhook_delivery(uuid)', 'EXECUTE'),
	('function', 'cancel_webhook_delivery(uuid)', 'EXECUTE'),
	('function', 'replay_webhook_delivery(uuid)', 'EXECUTE'),
	('function', 'replay_webhook_events(uuid, timestamptz, timestamptz, text[])', 'EXECUTE'),
	('function', 'send_test_webhook(uuid, jsonb)', 'EXECUTE'),
	('function', 'list_webhook_deliveries(uuid, uuid, text, integer, uuid)', 'EXECUTE'),
	('function', 'webhook_delivery_history(uuid)', 'EXECUTE'),
	('table', 'webhook_delivery_states', 'SELECT'),
	('table', 'webhook_endpoint_health', 'SELECT'),
	('table', 'webhook_queue_depth', 'SELECT');

INSERT INTO platform.member_privileges VALUES
	('table', 'webhook_events', 'SELECT'),
	('table', 'webhook_event_types', 'SELECT'),
	('table', 'webhook_endpoints', 'SELECT'),
	('table', 'webhook_deliveries', 'SELECT'),
	('table', 'webhook_attempts', 'SELECT'),
	('table', 'webhook_subscriptions', 'SELECT (id, organization_id, name, url, events, active, retry_policy, max_retries, timeout_ms, headers, created_by, created_at, updated_at, scheme, previous_secret_expires_at, retry_schedule, max_in_flight, rate_per_second, keep_responses, disabled_at, disabled_reason)'),
	('table', 'webhook_subscriptions', 'INSERT'),
	('table', 'webhook_subscriptions', 'UPDATE (name, url, secret, events, active, retry_policy, max_retries, timeout_ms, headers, scheme, retry_schedule, max_in_flight, rate_per_second, keep_responses)'),
	('table', 'webhook_subscriptions', 'DELETE');
