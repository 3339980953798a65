-- migration 590 webhooks: foreign keys, row security, triggers, partitions, views
-- requires: tenants credentials

-- up

ALTER TABLE platform.webhook_event_keys
	DROP CONSTRAINT IF EXISTS webhook_event_keys_organization_id_fkey,
	ADD CONSTRAINT webhook_event_keys_organization_id_fkey
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

-- down

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
