-- webhooks: events

CREATE OR REPLACE FUNCTION platform.emit_event(organization_id uuid, type text, payload jsonb DEFAULT '{}',
	idempotency_key text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_emit_event';
COMMENT ON FUNCTION platform.emit_event(uuid, text, jsonb, text, timestamptz) IS
	'Says that something happened; returns the event''s id, the webhook-id of its deliveries. It is delivered once the transaction has committed. A key that was used before: no new event, the id of the first. Members: for their own organization. Errors: 42501; 22004; 22023; PT404 no such organization; PT409 the key came with another type or payload; 25006.';
INSERT INTO platform.member_privileges VALUES
	('function', 'emit_event(uuid, text, jsonb, text, timestamptz)', 'EXECUTE');

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
