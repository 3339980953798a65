-- migration 590 webhooks: foreign keys, row security, triggers, partitions, views
-- requires: tenants credentials

-- up

ALTER TABLE platform.webhook_event_keys
	DROP CONSTRAINT IF EXISTS webhook_event_keys_organization_id_fkey,
	ADD CONSTRAINT webhook_event_keys_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.webhook_pg_net_requests
	DROP CONSTRAINT IF EXISTS webhook_pg_net_requests_organization_id_fkey,
	ADD CONSTRAINT webhook_pg_net_requests_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.webhook_subscriptions
	DROP CONSTRAINT IF EXISTS webhook_subscriptions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS webhook_subscriptions_created_by_fkey,
	ADD CONSTRAINT webhook_subscriptions_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT webhook_subscriptions_created_by_fkey
		FOREIGN KEY (created_by) REFERENCES platform.users (id);
ALTER TABLE platform.webhook_endpoints
	DROP CONSTRAINT IF EXISTS webhook_endpoints_subscription_id_organization_id_fkey,
	ADD CONSTRAINT webhook_endpoints_subscription_id_organization_id_fkey
		FOREIGN KEY (subscription_id, organization_id) REFERENCES platform.webhook_subscriptions (id, organization_id) ON DELETE CASCADE;
ALTER TABLE platform.webhook_deliveries
	DROP CONSTRAINT IF EXISTS webhook_deliveries_subscription_id_organization_id_fkey,
	ADD CONSTRAINT webhook_deliveries_subscription_id_organization_id_fkey
		FOREIGN KEY (subscription_id, organization_id) REFERENCES platform.webhook_subscriptions (id, organization_id) ON DELETE CASCADE;

ALTER TABLE platform.webhook_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_events_default_daily ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_event_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_event_types ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_attempts_default_daily ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_pg_net_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_fanout ENABLE ROW LEVEL SECURITY;

-- Payloads and receivers' answers are for administrators; secrets for nobody.
DROP POLICY IF EXISTS webhook_events_admin_select ON platform.webhook_events;
CREATE POLICY webhook_events_admin_select ON platform.webhook_events FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS webhook_event_types_member_select ON platform.webhook_event_types;
CREATE POLICY webhook_event_types_member_select ON platform.webhook_event_types FOR SELECT
	USING (true);
DROP POLICY IF EXISTS webhook_subscriptions_member_select ON platform.webhook_subscriptions;
CREATE POLICY webhook_subscriptions_member_select ON platform.webhook_subscriptions FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS webhook_subscriptions_admin_insert ON platform.webhook_subscriptions;
CREATE POLICY webhook_subscriptions_admin_insert ON platform.webhook_subscriptions FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS webhook_subscriptions_admin_update ON platform.webhook_subscriptions;
CREATE POLICY webhook_subscriptions_admin_update ON platform.webhook_subscriptions FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS webhook_subscriptions_admin_delete ON platform.webhook_subscriptions;
CREATE POLICY webhook_subscriptions_admin_delete ON platform.webhook_subscriptions FOR DELETE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS webhook_endpoints_member_select ON platform.webhook_endpoints;
CREATE POLICY webhook_endpoints_member_select ON platform.webhook_endpoints FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS webhook_deliveries_admin_select ON platform.webhook_deliveries;
CREATE POLICY webhook_deliveries_admin_select ON platform.webhook_deliveries FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS webhook_attempts_admin_select ON platform.webhook_attempts;
CREATE POLICY webhook_attempts_admin_select ON platform.webhook_attempts FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());

CREATE OR REPLACE TRIGGER webhook_events_refuse BEFORE UPDATE ON platform.webhook_events
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER webhook_attempts_refuse BEFORE UPDATE ON platform.webhook_attempts
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER webhook_subscriptions_check BEFORE INSERT OR UPDATE ON platform.webhook_subscriptions
	FOR EACH ROW EXECUTE FUNCTION platform.check_webhook_subscription();
CREATE OR REPLACE TRIGGER webhook_subscriptions_endpoint AFTER INSERT OR UPDATE ON platform.webhook_subscriptions
	FOR EACH ROW EXECUTE FUNCTION platform.keep_webhook_endpoint();

INSERT INTO platform.secret_columns (table_name, column_name, purpose) VALUES
	('webhook_subscriptions', 'secret', 'webhook_subscriptions.secret'),
	('webhook_subscriptions', 'previous_secret', 'webhook_subscriptions.secret')
ON CONFLICT (schema_name, table_name, column_name) DO NOTHING;

SELECT platform.create_log_partitions();

CREATE OR REPLACE VIEW platform.webhook_delivery_states WITH (security_invoker = true) AS
SELECT d.id, d.organization_id, d.subscription_id, s.name AS subscription_name, d.event_id, d.event_type, d.replay,
	CASE WHEN d.status = 'pending' AND NOT (s.active AND platform.webhooks_enabled(d.organization_id)) THEN 'held' ELSE d.status END AS state,
	d.status = 'pending' AND d.attempts > 0 AS retrying,
	d.attempts, d.max_attempts, CASE WHEN d.status = 'pending' THEN d.next_retry_at END AS next_attempt_at,
	d.response_status, d.response_time_ms, d.last_error, d.response_body, d.created_at, d.finished_at, d.delivered_at
FROM platform.webhook_deliveries d
JOIN platform.webhook_subscriptions s ON s.id = d.subscription_id AND s.organization_id = d.organization_id;
COMMENT ON VIEW platform.webhook_delivery_states IS
	'Deliveries with what is to be known of them: held while the subscription is not active or the feature webhooks is off, retrying after a failed attempt.';

CREATE OR REPLACE VIEW platform.webhook_endpoint_health WITH (security_invoker = true) AS
SELECT s.id AS subscription_id, s.organization_id, s.name, s.url, s.active, s.disabled_reason, e.breaker, e.failures, e.failing_since,
	e.last_success_at, e.last_failure_at, a.attempts, a.success_rate, a.p50_ms, a.p95_ms, o.oldest_due
FROM platform.webhook_subscriptions s
LEFT JOIN platform.webhook_endpoints e ON e.subscription_id = s.id AND e.organization_id = s.organization_id
CROSS JOIN LATERAL (
	SELECT count(*) AS attempts,
		round(count(*) FILTER (WHERE t.outcome = 'delivered') / nullif(count(*), 0)::numeric, 4) AS success_rate,
		percentile_disc(0.5) WITHIN GROUP (ORDER BY t.duration_ms) AS p50_ms,
		percentile_disc(0.95) WITHIN GROUP (ORDER BY t.duration_ms) AS p95_ms
	FROM platform.webhook_attempts t
	WHERE t.subscription_id = s.id AND t.created_at > now() - interval '1 day' AND t.outcome <> 'stale') AS a
CROSS JOIN LATERAL (
	SELECT min(d.next_retry_at) AS oldest_due FROM platform.webhook_deliveries d
	WHERE d.subscription_id = s.id AND d.next_retry_at >= coalesce(e.scan_from, '-infinity') AND d.next_retry_at <= now()
		AND d.finished_at IS NULL) AS o;
COMMENT ON VIEW platform.webhook_endpoint_health IS
	'How receivers do: attempts of the last 24 hours with their success rate (0 to 1) and median and 95th percentile in milliseconds, failures in a row, the oldest delivery that is due. Attempts are shown to administrators.';

CREATE OR REPLACE VIEW platform.webhook_queue_depth WITH (security_invoker = true) AS
SELECT s.id AS subscription_id, s.organization_id, s.name, q.pending, q.retrying, q.delivering, q.due,
	NOT (s.active AND platform.webhooks_enabled(s.organization_id)) AS held, q.oldest
FROM platform.webhook_subscriptions s
LEFT JOIN platform.webhook_endpoints e ON e.subscription_id = s.id AND e.organization_id = s.organization_id
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE d.status = 'pending') AS pending,
		count(*) FILTER (WHERE d.status = 'pending' AND d.attempts > 0) AS retrying,
		count(*) FILTER (WHERE d.status = 'delivering') AS delivering,
		count(*) FILTER (WHERE d.status = 'pending' AND d.next_retry_at <= now()) AS due,
		min(d.created_at) AS oldest
	FROM platform.webhook_deliveries d
	WHERE d.subscription_id = s.id AND d.next_retry_at >= coalesce(e.scan_from, '-infinity') AND d.finished_at IS NULL) AS q;
COMMENT ON VIEW platform.webhook_queue_depth IS
	'What waits for each subscription: pending, of these retrying and due; delivering; whether they are held; when the oldest was made.';

CREATE OR REPLACE VIEW platform.webhook_configs WITH (security_invoker = true) AS
SELECT id, organization_id, created_by AS user_id, name, url, events, active AS is_active, secret, headers, created_at, updated_at
FROM platform.webhook_subscriptions;
COMMENT ON VIEW platform.webhook_configs IS
	'webhook_subscriptions under the name and with the columns of an older schema; can be written. For operators: it has the secret, encrypted.';

-- Headers may have what a receiver lets in by.
CREATE OR REPLACE TRIGGER webhook_subscriptions_audit AFTER INSERT OR DELETE OR UPDATE ON platform.webhook_subscriptions
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('secret', 'previous_secret', 'headers');
CREATE OR REPLACE TRIGGER webhook_subscriptions_audit_truncate BEFORE TRUNCATE ON platform.webhook_subscriptions
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes('secret', 'previous_secret', 'headers');

-- down

DROP TRIGGER IF EXISTS webhook_subscriptions_audit_truncate ON platform.webhook_subscriptions;
DROP TRIGGER IF EXISTS webhook_subscriptions_audit ON platform.webhook_subscriptions;
DROP VIEW IF EXISTS platform.webhook_configs, platform.webhook_queue_depth, platform.webhook_endpoint_health, platform.webhook_delivery_states;
DELETE FROM platform.secret_columns WHERE schema_name = 'platform' AND table_name = 'webhook_subscriptions';
DROP TRIGGER IF EXISTS webhook_subscriptions_endpoint ON platform.webhook_subscriptions;
DROP TRIGGER IF EXISTS webhook_subscriptions_check ON platform.webhook_subscriptions;
DROP TRIGGER IF EXISTS webhook_attempts_refuse ON platform.webhook_attempts;
DROP TRIGGER IF EXISTS webhook_events_refuse ON platform.webhook_events;
DROP POLICY IF EXISTS webhook_attempts_admin_select ON platform.webhook_attempts;
DROP POLICY IF EXISTS webhook_deliveries_admin_select ON platform.webhook_deliveries;
DROP POLICY IF EXISTS webhook_endpoints_member_select ON platform.webhook_endpoints;
DROP POLICY IF EXISTS webhook_subscriptions_admin_delete ON platform.webhook_subscriptions;
DROP POLICY IF EXISTS webhook_subscriptions_admin_update ON platform.webhook_subscriptions;
DROP POLICY IF EXISTS webhook_subscriptions_admin_insert ON platform.webhook_subscriptions;
DROP POLICY IF EXISTS webhook_subscriptions_member_select ON platform.webhook_subscriptions;
DROP POLICY IF EXISTS webhook_event_types_member_select ON platform.webhook_event_types;
DROP POLICY IF EXISTS webhook_events_admin_select ON platform.webhook_events;
ALTER TABLE platform.webhook_deliveries
	DROP CONSTRAINT IF EXISTS webhook_deliveries_subscription_id_organization_id_fkey;
ALTER TABLE platform.webhook_endpoints
	DROP CONSTRAINT IF EXISTS webhook_endpoints_subscription_id_organization_id_fkey;
ALTER TABLE platform.webhook_subscriptions
	DROP CONSTRAINT IF EXISTS webhook_subscriptions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS webhook_subscriptions_created_by_fkey;
ALTER TABLE platform.webhook_pg_net_requests
	DROP CONSTRAINT IF EXISTS webhook_pg_net_requests_organization_id_fkey;
ALTER TABLE platform.webhook_event_keys
	DROP CONSTRAINT IF EXISTS webhook_event_keys_organization_id_fkey;

-- checks

-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.webhook_events'::regclass, 'platform.webhook_subscriptions'::regclass,
	'platform.webhook_deliveries'::regclass, 'platform.webhook_attempts'::regclass)
  AND NOT relrowsecurity;
-- check: the partitioned logs take every row
SELECT t.name FROM (VALUES ('webhook_events'), ('webhook_attempts')) AS t (name)
JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = ('platform.' || t.name)::regclass
WHERE p.partdefid = 0;
