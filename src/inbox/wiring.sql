-- migration 595 inbox: foreign keys, row security, triggers, partitions, the view of its health
-- requires: tenants credentials

-- up

-- What ingest_webhook() writes has no foreign key to the organization: each check would
-- lock its one row for all sessions. What it leaves goes by trigger.
ALTER TABLE platform.webhook_queue
	DROP CONSTRAINT IF EXISTS webhook_queue_user_id_fkey,
	ADD CONSTRAINT webhook_queue_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id) ON DELETE SET NULL;
ALTER TABLE platform.unknown_phone
	DROP CONSTRAINT IF EXISTS unknown_phone_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS unknown_phone_webhook_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS unknown_phone_resolved_by_fkey,
	ADD CONSTRAINT unknown_phone_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT unknown_phone_webhook_id_organization_id_fkey
		FOREIGN KEY (webhook_id, organization_id) REFERENCES platform.webhook_queue (id, organization_id) ON DELETE CASCADE,
	ADD CONSTRAINT unknown_phone_resolved_by_fkey
		FOREIGN KEY (resolved_by) REFERENCES platform.users (id) ON DELETE SET NULL;

ALTER TABLE platform.webhook_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_requests_default_daily ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.webhook_handlers ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.unknown_phone ENABLE ROW LEVEL SECURITY;

-- What customers write and say is for administrators.
DROP POLICY IF EXISTS webhook_requests_admin_select ON platform.webhook_requests;
CREATE POLICY webhook_requests_admin_select ON platform.webhook_requests FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS webhook_queue_admin_select ON platform.webhook_queue;
CREATE POLICY webhook_queue_admin_select ON platform.webhook_queue FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS unknown_phone_admin_select ON platform.unknown_phone;
CREATE POLICY unknown_phone_admin_select ON platform.unknown_phone FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());

CREATE OR REPLACE TRIGGER webhook_requests_refuse BEFORE UPDATE ON platform.webhook_requests
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER organizations_delete_inbox AFTER DELETE ON platform.organizations
	FOR EACH ROW EXECUTE FUNCTION platform.delete_inbox();
CREATE OR REPLACE TRIGGER webhook_handlers_touch BEFORE UPDATE ON platform.webhook_handlers
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

SELECT platform.create_log_partitions();

CREATE OR REPLACE VIEW platform.inbound_health WITH (security_invoker = true) AS
SELECT s.organization_id, s.source, s.waiting, s.processing, s.failing, s.dead, s.unknown_numbers, s.conflicts,
	s.rejected_24h, s.duplicates_24h, s.processed_24h,
	CASE WHEN s.processed_24h + s.dead_24h > 0
		THEN pg_catalog.round(s.processed_24h::numeric / (s.processed_24h + s.dead_24h), 4) END AS success_rate_24h,
	pg_catalog.round(s.seconds[1]::numeric, 3) AS p50_seconds,
	pg_catalog.round(s.seconds[2]::numeric, 3) AS p95_seconds,
	s.oldest_due_at, s.last_received_at
FROM (
	SELECT q.organization_id, q.source,
		pg_catalog.count(*) FILTER (WHERE q.status = 'received') AS waiting,
		pg_catalog.count(*) FILTER (WHERE q.status = 'processing') AS processing,
		pg_catalog.count(*) FILTER (WHERE q.status = 'failed' AND coalesce(q.result, '') <> 'unknown_number') AS failing,
		pg_catalog.count(*) FILTER (WHERE q.status = 'dead') AS dead,
		pg_catalog.count(*) FILTER (WHERE q.status = 'failed' AND q.result = 'unknown_number') AS unknown_numbers,
		pg_catalog.count(*) FILTER (WHERE q.status = 'conflict') AS conflicts,
		pg_catalog.count(*) FILTER (WHERE q.status = 'rejected' AND q.received_at >= pg_catalog.now() - '24 hours'::interval) AS rejected_24h,
		pg_catalog.count(*) FILTER (WHERE q.status = 'duplicate' AND q.received_at >= pg_catalog.now() - '24 hours'::interval) AS duplicates_24h,
		pg_catalog.count(*) FILTER (WHERE q.status = 'processed' AND q.processed_at >= pg_catalog.now() - '24 hours'::interval) AS processed_24h,
		pg_catalog.count(*) FILTER (WHERE q.status = 'dead' AND q.last_attempt_at >= pg_catalog.now() - '24 hours'::interval) AS dead_24h,
		pg_catalog.percentile_cont('{0.5,0.95}'::double precision[]) WITHIN GROUP (ORDER BY EXTRACT(epoch FROM q.processed_at - q.received_at)::double precision)
			FILTER (WHERE q.status = 'processed' AND q.replays = 0 AND q.processed_at >= pg_catalog.now() - '24 hours'::interval) AS seconds,
		pg_catalog.min(q.due_at) FILTER (WHERE q.due_at <= pg_catalog.now()) AS oldest_due_at,
		pg_catalog.max(q.received_at) AS last_received_at
	FROM platform.webhook_queue q
	GROUP BY q.organization_id, q.source) AS s;
COMMENT ON VIEW platform.inbound_health IS
	'The inbox by organization and source: what waits and since when, what failed for good, how long it takes.';

CREATE OR REPLACE TRIGGER webhook_handlers_audit AFTER INSERT OR DELETE OR UPDATE ON platform.webhook_handlers
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER webhook_handlers_audit_truncate BEFORE TRUNCATE ON platform.webhook_handlers
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- down

DROP TRIGGER IF EXISTS webhook_handlers_audit_truncate ON platform.webhook_handlers;
DROP TRIGGER IF EXISTS webhook_handlers_audit ON platform.webhook_handlers;
DROP VIEW IF EXISTS platform.inbound_health;
DROP TRIGGER IF EXISTS webhook_handlers_touch ON platform.webhook_handlers;
DROP TRIGGER IF EXISTS organizations_delete_inbox ON platform.organizations;
DROP TRIGGER IF EXISTS webhook_requests_refuse ON platform.webhook_requests;
DROP POLICY IF EXISTS unknown_phone_admin_select ON platform.unknown_phone;
DROP POLICY IF EXISTS webhook_queue_admin_select ON platform.webhook_queue;
DROP POLICY IF EXISTS webhook_requests_admin_select ON platform.webhook_requests;
ALTER TABLE platform.unknown_phone
	DROP CONSTRAINT IF EXISTS unknown_phone_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS unknown_phone_webhook_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS unknown_phone_resolved_by_fkey;
ALTER TABLE platform.webhook_queue
	DROP CONSTRAINT IF EXISTS webhook_queue_user_id_fkey;

-- checks

-- check: row security is on
SELECT relname FROM pg_catalog.pg_class
WHERE oid IN ('platform.webhook_requests'::regclass, 'platform.webhook_queue'::regclass, 'platform.webhook_keys'::regclass,
	'platform.webhook_handlers'::regclass, 'platform.unknown_phone'::regclass)
  AND NOT relrowsecurity;
-- check: the partitioned log takes every row
SELECT 'webhook_requests' FROM pg_catalog.pg_partitioned_table
WHERE partrelid = 'platform.webhook_requests'::regclass AND partdefid = 0;
