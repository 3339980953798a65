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
