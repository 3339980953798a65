-- migration 600 usage: foreign keys, row security, triggers, views, tiers and packages
-- requires: tenants ops

-- up

ALTER TABLE platform.usage_limits
	DROP CONSTRAINT IF EXISTS usage_limits_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_limits_user_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_limits_tier_snapshot_id_fkey,
	ADD CONSTRAINT usage_limits_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id),
	ADD CONSTRAINT usage_limits_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id),
	ADD CONSTRAINT usage_limits_tier_snapshot_id_fkey
		FOREIGN KEY (tier_snapshot_id) REFERENCES platform.tier_snapshots (id);
ALTER TABLE platform.usage_periods
	DROP CONSTRAINT IF EXISTS usage_periods_organization_id_user_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_periods_tier_snapshot_id_fkey,
	ADD CONSTRAINT usage_periods_organization_id_user_id_fkey
		FOREIGN KEY (organization_id, user_id) REFERENCES platform.usage_limits (organization_id, user_id),
	ADD CONSTRAINT usage_periods_tier_snapshot_id_fkey
		FOREIGN KEY (tier_snapshot_id) REFERENCES platform.tier_snapshots (id);
ALTER TABLE platform.usage_tier_changes
	DROP CONSTRAINT IF EXISTS usage_tier_changes_organization_id_user_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_tier_changes_tier_snapshot_id_fkey,
	ADD CONSTRAINT usage_tier_changes_organization_id_user_id_fkey
		FOREIGN KEY (organization_id, user_id) REFERENCES platform.usage_limits (organization_id, user_id),
	ADD CONSTRAINT usage_tier_changes_tier_snapshot_id_fkey
		FOREIGN KEY (tier_snapshot_id) REFERENCES platform.tier_snapshots (id);
ALTER TABLE platform.usage_alerts
	DROP CONSTRAINT IF EXISTS usage_alerts_organization_id_user_id_fkey,
	ADD CONSTRAINT usage_alerts_organization_id_user_id_fkey
		FOREIGN KEY (organization_id, user_id) REFERENCES platform.usage_limits (organization_id, user_id);
ALTER TABLE platform.usage_snapshots
	DROP CONSTRAINT IF EXISTS usage_snapshots_organization_id_user_id_fkey,
	ADD CONSTRAINT usage_snapshots_organization_id_user_id_fkey
		FOREIGN KEY (organization_id, user_id) REFERENCES platform.usage_limits (organization_id, user_id);
ALTER TABLE platform.subscriptions
	DROP CONSTRAINT IF EXISTS subscriptions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS subscriptions_user_id_fkey,
	ADD CONSTRAINT subscriptions_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id),
	ADD CONSTRAINT subscriptions_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);
ALTER TABLE platform.usage_top_ups
	DROP CONSTRAINT IF EXISTS usage_top_ups_organization_id_user_id_fkey,
	ADD CONSTRAINT usage_top_ups_organization_id_user_id_fkey
		FOREIGN KEY (organization_id, user_id) REFERENCES platform.usage_limits (organization_id, user_id);
ALTER TABLE platform.sms_reservations
	DROP CONSTRAINT IF EXISTS sms_reservations_organization_id_user_id_fkey,
	ADD CONSTRAINT sms_reservations_organization_id_user_id_fkey
		FOREIGN KEY (organization_id, user_id) REFERENCES platform.usage_limits (organization_id, user_id);
ALTER TABLE platform.user_premium_features
	DROP CONSTRAINT IF EXISTS user_premium_features_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS user_premium_features_user_id_fkey,
	ADD CONSTRAINT user_premium_features_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id),
	ADD CONSTRAINT user_premium_features_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);

ALTER TABLE platform.usage_tiers ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.tier_snapshots ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.usage_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.usage_periods ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.usage_tier_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.call_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.usage_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.usage_snapshots ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.usage_top_up_packages ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.usage_top_ups ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.user_premium_features ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.premium_features ENABLE ROW LEVEL SECURITY;

-- What is sold is for everybody. A customer sees what is its own, its organization's
-- administrators all of that; nobody but operators changes anything.
DROP POLICY IF EXISTS usage_tiers_member_select ON platform.usage_tiers;
CREATE POLICY usage_tiers_member_select ON platform.usage_tiers FOR SELECT
	USING (is_active);
DROP POLICY IF EXISTS tier_snapshots_member_select ON platform.tier_snapshots;
CREATE POLICY tier_snapshots_member_select ON platform.tier_snapshots FOR SELECT
	USING (true);
DROP POLICY IF EXISTS usage_top_up_packages_member_select ON platform.usage_top_up_packages;
CREATE POLICY usage_top_up_packages_member_select ON platform.usage_top_up_packages FOR SELECT
	USING (is_active);
DROP POLICY IF EXISTS premium_features_member_select ON platform.premium_features;
CREATE POLICY premium_features_member_select ON platform.premium_features FOR SELECT
	USING (is_active);
DROP POLICY IF EXISTS usage_limits_self_select ON platform.usage_limits;
CREATE POLICY usage_limits_self_select ON platform.usage_limits FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS usage_periods_self_select ON platform.usage_periods;
CREATE POLICY usage_periods_self_select ON platform.usage_periods FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS usage_tier_changes_self_select ON platform.usage_tier_changes;
CREATE POLICY usage_tier_changes_self_select ON platform.usage_tier_changes FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS call_events_self_select ON platform.call_events;
CREATE POLICY call_events_self_select ON platform.call_events FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS sms_events_self_select ON platform.sms_events;
CREATE POLICY sms_events_self_select ON platform.sms_events FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS usage_alerts_self_select ON platform.usage_alerts;
CREATE POLICY usage_alerts_self_select ON platform.usage_alerts FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS usage_snapshots_self_select ON platform.usage_snapshots;
CREATE POLICY usage_snapshots_self_select ON platform.usage_snapshots FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS subscriptions_self_select ON platform.subscriptions;
CREATE POLICY subscriptions_self_select ON platform.subscriptions FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS usage_top_ups_self_select ON platform.usage_top_ups;
CREATE POLICY usage_top_ups_self_select ON platform.usage_top_ups FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS user_premium_features_self_select ON platform.user_premium_features;
CREATE POLICY user_premium_features_self_select ON platform.user_premium_features FOR SELECT
	USING (organization_id = platform.current_organization_id()
		AND (user_id = platform.current_user_id() OR platform.is_admin()));

-- A version for each change of a tier; none changes or goes.
CREATE OR REPLACE TRIGGER tier_snapshots_check BEFORE DELETE OR UPDATE ON platform.tier_snapshots
	FOR EACH ROW EXECUTE FUNCTION platform.check_tier_snapshot();
CREATE OR REPLACE TRIGGER tier_snapshots_refuse_truncate BEFORE TRUNCATE ON platform.tier_snapshots
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER tier_snapshots_notify AFTER INSERT OR DELETE OR UPDATE ON platform.tier_snapshots
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER usage_tiers_notify AFTER INSERT OR DELETE OR UPDATE ON platform.usage_tiers
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER usage_tiers_notify_truncate AFTER TRUNCATE ON platform.usage_tiers
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.tier_snapshots
	ENABLE ALWAYS TRIGGER tier_snapshots_notify;
ALTER TABLE platform.usage_tiers
	ENABLE ALWAYS TRIGGER usage_tiers_notify,
	ENABLE ALWAYS TRIGGER usage_tiers_notify_truncate;
CREATE OR REPLACE TRIGGER usage_tiers_record AFTER INSERT OR DELETE OR UPDATE ON platform.usage_tiers
	FOR EACH ROW EXECUTE FUNCTION platform.record_tier_snapshot();
CREATE OR REPLACE TRIGGER usage_tiers_touch BEFORE UPDATE ON platform.usage_tiers
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

CREATE OR REPLACE TRIGGER usage_limits_keep BEFORE INSERT OR UPDATE ON platform.usage_limits
	FOR EACH ROW EXECUTE FUNCTION platform.keep_usage_limits();
CREATE OR REPLACE TRIGGER usage_limits_record AFTER INSERT ON platform.usage_limits
	FOR EACH ROW EXECUTE FUNCTION platform.record_usage_period();
CREATE OR REPLACE TRIGGER usage_periods_touch BEFORE UPDATE ON platform.usage_periods
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER subscriptions_touch BEFORE UPDATE ON platform.subscriptions
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER usage_top_up_packages_touch BEFORE UPDATE ON platform.usage_top_up_packages
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER user_premium_features_touch BEFORE UPDATE ON platform.user_premium_features
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

-- Events are what bills are made from.
CREATE OR REPLACE TRIGGER call_events_refuse BEFORE DELETE OR UPDATE ON platform.call_events
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER call_events_refuse_truncate BEFORE TRUNCATE ON platform.call_events
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER sms_events_refuse BEFORE DELETE OR UPDATE ON platform.sms_events
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER sms_events_refuse_truncate BEFORE TRUNCATE ON platform.sms_events
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER usage_top_ups_refuse BEFORE DELETE OR UPDATE ON platform.usage_top_ups
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER usage_top_ups_refuse_truncate BEFORE TRUNCATE ON platform.usage_top_ups
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- What operators change by hand.
CREATE OR REPLACE TRIGGER usage_tiers_audit AFTER INSERT OR DELETE OR UPDATE ON platform.usage_tiers
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER usage_tiers_audit_truncate BEFORE TRUNCATE ON platform.usage_tiers
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER usage_limits_audit AFTER INSERT OR DELETE OR UPDATE ON platform.usage_limits
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER usage_limits_audit_truncate BEFORE TRUNCATE ON platform.usage_limits
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER usage_top_up_packages_audit AFTER INSERT OR DELETE OR UPDATE ON platform.usage_top_up_packages
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER usage_top_up_packages_audit_truncate BEFORE TRUNCATE ON platform.usage_top_up_packages
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER user_premium_features_audit AFTER INSERT OR DELETE OR UPDATE ON platform.user_premium_features
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER user_premium_features_audit_truncate BEFORE TRUNCATE ON platform.user_premium_features
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

CREATE OR REPLACE VIEW platform.usage_calls WITH (security_invoker = true) AS
SELECT e.organization_id, e.user_id, e.call_id,
	pg_catalog.sum(e.seconds)::bigint AS seconds,
	pg_catalog.sum(e.cost_cents)::bigint AS cost_cents,
	pg_catalog.min(e.occurred_at) AS occurred_at,
	pg_catalog.min(e.recorded_at) AS created_at,
	pg_catalog.max(e.recorded_at) AS updated_at,
	pg_catalog.max(e.sequence) AS reports,
	pg_catalog.max(e.phone_number) AS phone_number,
	pg_catalog.max(e.direction) AS direction,
	pg_catalog.max(e.agent_id) AS agent_id,
	pg_catalog.max(e.event_id) FILTER (WHERE e.sequence = 1) AS provider_call_id
FROM platform.call_events e
GROUP BY e.organization_id, e.user_id, e.call_id;
COMMENT ON VIEW platform.usage_calls IS
	'A row a call: its seconds after all corrections.';

CREATE OR REPLACE VIEW platform.usage_sms WITH (security_invoker = true) AS
SELECT e.organization_id, e.user_id, e.message_id,
	pg_catalog.sum(e.segments)::bigint AS segments,
	pg_catalog.sum(e.cost_cents)::bigint AS cost_cents,
	pg_catalog.min(e.occurred_at) AS occurred_at,
	pg_catalog.min(e.recorded_at) AS created_at,
	pg_catalog.max(e.recorded_at) AS updated_at,
	pg_catalog.max(e.sequence) AS reports,
	pg_catalog.max(e.phone_number) AS phone_number,
	pg_catalog.max(e.direction) AS direction,
	pg_catalog.max(e.agent_id) AS agent_id,
	pg_catalog.max(e.event_id) FILTER (WHERE e.sequence = 1) AS provider_message_id
FROM platform.sms_events e
GROUP BY e.organization_id, e.user_id, e.message_id;
COMMENT ON VIEW platform.usage_sms IS
	'A row a message: its segments after all corrections.';

CREATE OR REPLACE VIEW platform.usage_overview WITH (security_invoker = true) AS
SELECT l.organization_id, l.user_id, l.tier, l.plan_status, u.allowed, u.reason, u.limit_state, u.used_seconds, u.limit_seconds,
	u.remaining_seconds, u.sms_allowed, u.sms_reason, u.sms_limit_state, u.used_sms, u.limit_sms, u.remaining_sms, u.resets_at
FROM platform.usage_limits l
CROSS JOIN LATERAL platform.check_usage(l.organization_id, l.user_id) u;
COMMENT ON VIEW platform.usage_overview IS
	'Every customer with what check_usage() says.';

CREATE OR REPLACE VIEW platform.alerts WITH (security_invoker = true) AS
SELECT a.id, a.organization_id, a.alert_type, a.severity, a.user_id, a.phone_number, a.message, a.details,
	a.created_at, a.acknowledged_at, a.acknowledged_by, a.resolved_at, a.resolved_by
FROM platform.ops_alerts a
UNION ALL
SELECT u.id, u.organization_id, 'usage_' || u.alert_type, u.severity, u.user_id, NULL,
	pg_catalog.format('%s of %s used', u.used, u.usage_limit),
	pg_catalog.jsonb_build_object('used', u.used, 'usage_limit', u.usage_limit, 'period_id', u.period_id),
	u.created_at, u.acknowledged_at, u.acknowledged_by, NULL, NULL
FROM platform.usage_alerts u;
COMMENT ON VIEW platform.alerts IS
	'Alerts of every kind: of operations, and of usage.';

INSERT INTO platform.usage_tiers (tier, name, aliases, call_cap_seconds, sms_cap, monthly_price) VALUES
	('core', 'Core', '{starter}', 9000, 250, 149),
	('pro', 'Pro', '{}', 18000, 1000, 249),
	('elite', 'Elite', '{}', 48000, 3000, 497),
	('scale', 'Scale', '{white_glove}', 180000, 5000, 997)
ON CONFLICT (tier) DO NOTHING;
INSERT INTO platform.usage_top_up_packages (package, call_seconds, sms_segments, price_cents) VALUES
	('call_300', 18000, 0, 19500),
	('call_800', 48000, 0, 52000),
	('sms_500', 0, 500, 5000),
	('sms_1000', 0, 1000, 10000)
ON CONFLICT (package) DO NOTHING;
INSERT INTO platform.premium_features (feature, monthly_price) VALUES
	('post_call_sms', 29),
	('review_requests', 19),
	('zapier_webhooks', 49)
ON CONFLICT (feature) DO NOTHING;

CREATE OR REPLACE TRIGGER subscriptions_audit AFTER INSERT OR DELETE OR UPDATE ON platform.subscriptions
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER subscriptions_audit_truncate BEFORE TRUNCATE ON platform.subscriptions
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER premium_features_audit AFTER INSERT OR DELETE OR UPDATE ON platform.premium_features
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER premium_features_audit_truncate BEFORE TRUNCATE ON platform.premium_features
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- down

DROP TRIGGER IF EXISTS premium_features_audit_truncate ON platform.premium_features;
DROP TRIGGER IF EXISTS premium_features_audit ON platform.premium_features;
DROP TRIGGER IF EXISTS subscriptions_audit_truncate ON platform.subscriptions;
DROP TRIGGER IF EXISTS subscriptions_audit ON platform.subscriptions;
CREATE OR REPLACE VIEW platform.alerts WITH (security_invoker = true) AS
SELECT a.id, a.organization_id, a.alert_type, a.severity, a.user_id, a.phone_number, a.message, a.details,
	a.created_at, a.acknowledged_at, a.acknowledged_by, a.resolved_at, a.resolved_by
FROM platform.ops_alerts a;
DROP VIEW IF EXISTS platform.usage_overview;
DROP VIEW IF EXISTS platform.usage_sms;
DROP VIEW IF EXISTS platform.usage_calls;

DROP TRIGGER IF EXISTS user_premium_features_audit_truncate ON platform.user_premium_features;
DROP TRIGGER IF EXISTS user_premium_features_audit ON platform.user_premium_features;
DROP TRIGGER IF EXISTS usage_top_up_packages_audit_truncate ON platform.usage_top_up_packages;
DROP TRIGGER IF EXISTS usage_top_up_packages_audit ON platform.usage_top_up_packages;
DROP TRIGGER IF EXISTS usage_limits_audit_truncate ON platform.usage_limits;
DROP TRIGGER IF EXISTS usage_limits_audit ON platform.usage_limits;
DROP TRIGGER IF EXISTS usage_tiers_audit_truncate ON platform.usage_tiers;
DROP TRIGGER IF EXISTS usage_tiers_audit ON platform.usage_tiers;
DROP TRIGGER IF EXISTS usage_top_ups_refuse_truncate ON platform.usage_top_ups;
DROP TRIGGER IF EXISTS usage_top_ups_refuse ON platform.usage_top_ups;
DROP TRIGGER IF EXISTS sms_events_refuse_truncate ON platform.sms_events;
DROP TRIGGER IF EXISTS sms_events_refuse ON platform.sms_events;
DROP TRIGGER IF EXISTS call_events_refuse_truncate ON platform.call_events;
DROP TRIGGER IF EXISTS call_events_refuse ON platform.call_events;
DROP TRIGGER IF EXISTS user_premium_features_touch ON platform.user_premium_features;
DROP TRIGGER IF EXISTS usage_top_up_packages_touch ON platform.usage_top_up_packages;
DROP TRIGGER IF EXISTS subscriptions_touch ON platform.subscriptions;
DROP TRIGGER IF EXISTS usage_periods_touch ON platform.usage_periods;
DROP TRIGGER IF EXISTS usage_limits_record ON platform.usage_limits;
DROP TRIGGER IF EXISTS usage_limits_keep ON platform.usage_limits;
DROP TRIGGER IF EXISTS usage_tiers_touch ON platform.usage_tiers;
DROP TRIGGER IF EXISTS usage_tiers_record ON platform.usage_tiers;
DROP TRIGGER IF EXISTS usage_tiers_notify_truncate ON platform.usage_tiers;
DROP TRIGGER IF EXISTS usage_tiers_notify ON platform.usage_tiers;
DROP TRIGGER IF EXISTS tier_snapshots_notify ON platform.tier_snapshots;
DROP TRIGGER IF EXISTS tier_snapshots_refuse_truncate ON platform.tier_snapshots;
DROP TRIGGER IF EXISTS tier_snapshots_check ON platform.tier_snapshots;

DROP POLICY IF EXISTS user_premium_features_self_select ON platform.user_premium_features;
DROP POLICY IF EXISTS usage_top_ups_self_select ON platform.usage_top_ups;
DROP POLICY IF EXISTS subscriptions_self_select ON platform.subscriptions;
DROP POLICY IF EXISTS usage_snapshots_self_select ON platform.usage_snapshots;
DROP POLICY IF EXISTS usage_alerts_self_select ON platform.usage_alerts;
DROP POLICY IF EXISTS sms_events_self_select ON platform.sms_events;
DROP POLICY IF EXISTS call_events_self_select ON platform.call_events;
DROP POLICY IF EXISTS usage_tier_changes_self_select ON platform.usage_tier_changes;
DROP POLICY IF EXISTS usage_periods_self_select ON platform.usage_periods;
DROP POLICY IF EXISTS usage_limits_self_select ON platform.usage_limits;
DROP POLICY IF EXISTS premium_features_member_select ON platform.premium_features;
DROP POLICY IF EXISTS usage_top_up_packages_member_select ON platform.usage_top_up_packages;
DROP POLICY IF EXISTS tier_snapshots_member_select ON platform.tier_snapshots;
DROP POLICY IF EXISTS usage_tiers_member_select ON platform.usage_tiers;

ALTER TABLE platform.user_premium_features
	DROP CONSTRAINT IF EXISTS user_premium_features_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS user_premium_features_user_id_fkey;
ALTER TABLE platform.sms_reservations
	DROP CONSTRAINT IF EXISTS sms_reservations_organization_id_user_id_fkey;
ALTER TABLE platform.usage_top_ups
	DROP CONSTRAINT IF EXISTS usage_top_ups_organization_id_user_id_fkey;
ALTER TABLE platform.subscriptions
	DROP CONSTRAINT IF EXISTS subscriptions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS subscriptions_user_id_fkey;
ALTER TABLE platform.usage_snapshots
	DROP CONSTRAINT IF EXISTS usage_snapshots_organization_id_user_id_fkey;
ALTER TABLE platform.usage_alerts
	DROP CONSTRAINT IF EXISTS usage_alerts_organization_id_user_id_fkey;
ALTER TABLE platform.usage_tier_changes
	DROP CONSTRAINT IF EXISTS usage_tier_changes_organization_id_user_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_tier_changes_tier_snapshot_id_fkey;
ALTER TABLE platform.usage_periods
	DROP CONSTRAINT IF EXISTS usage_periods_organization_id_user_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_periods_tier_snapshot_id_fkey;
ALTER TABLE platform.usage_limits
	DROP CONSTRAINT IF EXISTS usage_limits_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_limits_user_id_fkey,
	DROP CONSTRAINT IF EXISTS usage_limits_tier_snapshot_id_fkey;

-- checks

-- check: row security of limits and events is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.usage_limits'::regclass, 'platform.call_events'::regclass, 'platform.sms_events'::regclass) AND NOT relrowsecurity;
-- check: prices of the past cannot be changed
SELECT t.name FROM (VALUES ('tier_snapshots_check'), ('tier_snapshots_refuse_truncate')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.tier_snapshots'::regclass AND g.tgname = t.name AND g.tgenabled <> 'D');
-- check: changes of tiers reach the caches
SELECT t.name FROM (VALUES ('usage_tiers_notify'), ('usage_tiers_notify_truncate')) AS t (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.usage_tiers'::regclass AND g.tgname = t.name AND g.tgenabled = 'A');
