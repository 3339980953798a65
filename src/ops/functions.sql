-- ops: alerts

CREATE OR REPLACE FUNCTION platform.raise_alert(organization_id uuid, alert_type text, severity text DEFAULT 'warning', title text DEFAULT NULL, message text DEFAULT NULL,
	dedup_key text DEFAULT NULL, details jsonb DEFAULT '{}', source text DEFAULT 'system', user_id uuid DEFAULT NULL, phone_number text DEFAULT NULL,
	OUT alert_id uuid, OUT occurrences bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_raise_alert';
COMMENT ON FUNCTION platform.raise_alert(uuid, text, text, text, text, text, jsonb, text, uuid, text) IS
	'Opens an alert (severity info, warning or critical), or counts up on the open one with the same organization, type and dedup key; its severity never falls. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023, 23503, 55000.';

CREATE OR REPLACE FUNCTION platform.acknowledge_alert(alert_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_acknowledge_alert';
COMMENT ON FUNCTION platform.acknowledge_alert(uuid) IS
	'Somebody looks after the alert: true when this call said so first. Operators. Errors: 42501, 22004, PT404.';

CREATE OR REPLACE FUNCTION platform.resolve_alert(alert_id uuid, notes text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resolve_alert';
COMMENT ON FUNCTION platform.resolve_alert(uuid, text) IS
	'Closes the alert: true when this call did. Raised again after that it is a new one. Operators. Errors: 42501, 22004, 22023, PT404.';

CREATE OR REPLACE FUNCTION platform.clear_alert(organization_id uuid, alert_type text, dedup_key text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_clear_alert';
COMMENT ON FUNCTION platform.clear_alert(uuid, text, text) IS
	'Closes the open alert of that cause, because the cause is gone; false when none is open. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023.';

CREATE OR REPLACE FUNCTION platform.open_alerts(for_organization_id uuid DEFAULT NULL, least_severity text DEFAULT 'info', max_rows integer DEFAULT 100)
RETURNS TABLE (alert_id uuid, organization_id uuid, alert_type text, severity text, title text, message text, occurrences bigint,
	created_at timestamptz, last_raised_at timestamptz, acknowledged boolean, dedup_key text, details jsonb)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT a.id, a.organization_id, a.alert_type, a.severity, a.title, a.message, a.occurrences,
	a.created_at, a.last_raised_at, a.acknowledged_at IS NOT NULL, a.dedup_key, a.details
FROM platform.ops_alerts a
JOIN (VALUES ('info', 1), ('warning', 2), ('critical', 3)) AS s (name, rank) ON s.name = a.severity
WHERE a.resolved_at IS NULL
	AND (for_organization_id IS NULL OR a.organization_id = for_organization_id)
	AND s.rank >= CASE least_severity WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 ELSE 1 END
ORDER BY a.acknowledged_at IS NOT NULL, s.rank DESC, a.last_raised_at DESC, a.id
LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.open_alerts(uuid, text, integer) IS
	'Alerts that are not resolved: those nobody looks after first, then by severity, newest first. NULL: of all organizations, no limit. Operators (as the caller sees the table).';

-- ops: the audit trail

CREATE OR REPLACE FUNCTION platform.audit_changes() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_audit_changes';
COMMENT ON FUNCTION platform.audit_changes() IS
	'Trigger function, AFTER INSERT, UPDATE or DELETE FOR EACH ROW, and BEFORE TRUNCATE; arguments: columns with secrets, whose values are masked. Writes each change of a row to audit_logs. Errors: 39P01; 42703 a secret column is missing.';

CREATE OR REPLACE FUNCTION platform.audit_log(organization_id uuid, action text, entity text DEFAULT NULL, entity_id text DEFAULT NULL, metadata jsonb DEFAULT NULL,
	user_id uuid DEFAULT NULL, action_type text DEFAULT NULL, ip inet DEFAULT NULL, user_agent text DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_audit_log';
COMMENT ON FUNCTION platform.audit_log(uuid, text, text, text, jsonb, uuid, text, inet, text) IS
	'Writes an entry of the audit trail for what no row says, and returns its id. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.refuse_log_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_refuse_log_change';
COMMENT ON FUNCTION platform.refuse_log_change() IS
	'Trigger function, BEFORE UPDATE, DELETE or TRUNCATE: keeps a log append-only for everybody but purge_logs(). Errors: PT409; 39P01 when fired otherwise.';

-- ops: the life of logs

CREATE OR REPLACE FUNCTION platform.create_log_partitions(months_ahead integer DEFAULT 3)
RETURNS TABLE (table_name text, partition_name text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_log_partitions';
COMMENT ON FUNCTION platform.create_log_partitions(integer) IS
	'Makes the partitions that logs miss, for this month and the next ones, of daily logs for a week; a row for each. Months and days are those of UTC. For a daily or weekly job. Operators. Errors: 42501, 22023.';

CREATE OR REPLACE FUNCTION platform.purge_logs(batch integer DEFAULT 10000, policy text DEFAULT NULL)
RETURNS TABLE (policy_name text, table_name text, action text, rows bigint, more boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_purge_logs';
COMMENT ON FUNCTION platform.purge_logs(integer, text) IS
	'Applies retention_policies: a row for each table changed (deleted, scrubbed, dropped, busy, skipped), at most batch rows of each; more: call again. For a daily job. Operators. Errors: 42501, 22004, 22023, PT404, 55000.';

CREATE OR REPLACE FUNCTION platform.start_job(job_name text, every interval DEFAULT '0', lease interval DEFAULT '1 hour', worker text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_job';
COMMENT ON FUNCTION platform.start_job(text, interval, interval, text) IS
	'May the caller run the job now? True for one: when the last run began at least every ago and nobody runs it, or not for longer than lease. Commit before the work. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.finish_job(job_name text, result text DEFAULT 'success', error_message text DEFAULT NULL, metadata jsonb DEFAULT '{}') RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_finish_job';
COMMENT ON FUNCTION platform.finish_job(text, text, text, jsonb) IS
	'How the run of a job ended: success, failed or skipped; false when it was not running. Operators. Errors: 42501, 22004, 22023, 55000.';

-- ops: once, and one at a time

CREATE OR REPLACE FUNCTION platform.generate_idempotency_key(payload jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_generate_idempotency_key';
COMMENT ON FUNCTION platform.generate_idempotency_key(jsonb) IS
	'A key for what has none: SHA-256, in 64 hexadecimal digits, of the document''s text in UTF-8, which does not depend on the order of members or white space. NULL for NULL.';

CREATE OR REPLACE FUNCTION platform.claim_idempotency_key(organization_id uuid, scope text, key text, ttl interval DEFAULT '1 day') RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_claim_idempotency_key';
COMMENT ON FUNCTION platform.claim_idempotency_key(uuid, text, text, interval) IS
	'May the caller do what the key stands for? True for one until the ttl (up to 3660 days) is over; undone with its transaction. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023, 23503, 40001, 25006, 55000.';

CREATE OR REPLACE FUNCTION platform.release_idempotency_key(organization_id uuid, scope text, key text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_idempotency_key';
COMMENT ON FUNCTION platform.release_idempotency_key(uuid, text, text) IS
	'The work was not done after all: somebody else may claim the key. False when nobody had it. Operators. Errors: 42501, 22004, 22023, 25006, 55000.';

CREATE OR REPLACE FUNCTION platform.acquire_lock(lock_name text, instance_id text DEFAULT NULL, ttl interval DEFAULT '5 minutes', metadata jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_acquire_lock';
COMMENT ON FUNCTION platform.acquire_lock(text, text, interval, jsonb) IS
	'The lease of a lock that outlives the transaction; NULL when it is held, also by the same instance. One whose ttl (up to 366 days) is over is taken over. Commit before the work. Operators. Errors: 42501, 22004, 22023, 40001, 25006, 55000.';

CREATE OR REPLACE FUNCTION platform.extend_lock(lock_name text, lease_id uuid, ttl interval DEFAULT '5 minutes') RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_extend_lock';
COMMENT ON FUNCTION platform.extend_lock(text, uuid, interval) IS
	'The lock ends that long from now; false when it is no longer the lease''s, or its time was over. Operators. Errors: 42501, 22004, 22023, 25006, 55000.';

CREATE OR REPLACE FUNCTION platform.release_lock(lock_name text, lease_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_lock';
COMMENT ON FUNCTION platform.release_lock(text, uuid) IS
	'Anybody may take the lock; false, without effect, when it is no longer the lease''s. Operators. Errors: 42501, 22004, 22023, 25006, 55000.';

-- ops: errors, latencies, sensitive actions, upgrade prompts

CREATE OR REPLACE FUNCTION platform.log_error(organization_id uuid, message text, error_type text DEFAULT 'Error', severity text DEFAULT 'medium', stack_trace text DEFAULT NULL,
	endpoint text DEFAULT NULL, method text DEFAULT NULL, user_id uuid DEFAULT NULL, request_id text DEFAULT NULL, context jsonb DEFAULT '{}',
	request_body jsonb DEFAULT NULL, ip_address inet DEFAULT NULL, user_agent text DEFAULT NULL, fingerprint text DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_log_error';
COMMENT ON FUNCTION platform.log_error(uuid, text, text, text, text, text, text, uuid, text, jsonb, jsonb, inet, text, text) IS
	'Records an error of the application and returns its id; a critical one raises an alert. Long texts are cut, secrets in the documents masked. organization_id NULL: the platform''s own. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.error_fingerprint(error_type text, message text, endpoint text DEFAULT NULL) RETURNS text
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_error_fingerprint';
COMMENT ON FUNCTION platform.error_fingerprint(text, text, text) IS
	'What errors of one cause have in common: type, message and path without numbers, identifiers and quoted texts, hashed to 16 hexadecimal digits. NULL without type or message.';

CREATE OR REPLACE FUNCTION platform.redact_secrets(document jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_redact_secrets';
COMMENT ON FUNCTION platform.redact_secrets(jsonb) IS
	'The document with the values of members whose names speak of secrets (password, token, api_key ...) masked, at any depth.';

CREATE OR REPLACE FUNCTION platform.resolve_errors(fingerprint text, notes text DEFAULT NULL, for_organization_id uuid DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resolve_errors';
COMMENT ON FUNCTION platform.resolve_errors(text, text, uuid) IS
	'Marks the open errors of a group resolved, of one organization or (NULL) all, with their alert; returns how many. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.error_groups("from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL, only_open boolean DEFAULT false, for_organization_id uuid DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (fingerprint text, error_type text, endpoint text, message text, severity text, occurrences bigint, open bigint, organizations bigint, users bigint,
	first_seen timestamptz, last_seen timestamptz)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT e.fingerprint,
	(pg_catalog.array_agg(e.error_type ORDER BY e.created_at DESC))[1],
	(pg_catalog.array_agg(e.endpoint ORDER BY e.created_at DESC))[1],
	(pg_catalog.array_agg(e.message ORDER BY e.created_at DESC))[1],
	('{low,medium,high,critical}'::pg_catalog.text[])[pg_catalog.max(pg_catalog.array_position('{low,medium,high,critical}'::pg_catalog.text[], e.severity))],
	pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE e.resolved_at IS NULL),
	pg_catalog.count(DISTINCT e.organization_id), pg_catalog.count(DISTINCT e.user_id),
	pg_catalog.min(e.created_at), pg_catalog.max(e.created_at)
FROM platform.error_logs e
WHERE ("from" IS NULL OR e.created_at >= "from") AND ("to" IS NULL OR e.created_at < "to")
	AND (for_organization_id IS NULL OR e.organization_id = for_organization_id)
	AND (NOT only_open OR e.resolved_at IS NULL)
GROUP BY e.fingerprint
ORDER BY pg_catalog.count(*) DESC, pg_catalog.max(e.created_at) DESC, e.fingerprint
LIMIT max_rows
$$;
COMMENT ON FUNCTION platform.error_groups(timestamptz, timestamptz, boolean, uuid, integer) IS
	'Errors from a moment on and before another (NULL: all) by fingerprint, the most frequent first: counts, worst severity, newest text. Operators (as the caller sees the table).';

CREATE OR REPLACE FUNCTION platform.log_latency(organization_id uuid, endpoint text, method text, duration_ms integer, status_code integer DEFAULT NULL,
	user_id uuid DEFAULT NULL, request_id text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_log_latency';
COMMENT ON FUNCTION platform.log_latency(uuid, text, text, integer, integer, uuid, text) IS
	'Records how many milliseconds a request took; returns whether that is slow. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.log_black_box(organization_id uuid, event_id text, action_type text, user_id uuid DEFAULT NULL, meta_data jsonb DEFAULT '{}',
	ip_address inet DEFAULT NULL, user_agent text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_log_black_box';
COMMENT ON FUNCTION platform.log_black_box(uuid, text, text, uuid, jsonb, inet, text) IS
	'Records a sensitive action for good; false when the event was recorded before. Operators. Errors: 42501, 22004, 22023, 55000.';

CREATE OR REPLACE FUNCTION platform.show_upgrade_prompt(organization_id uuid, user_id uuid, prompt_type text, trigger_reason text DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_show_upgrade_prompt';
COMMENT ON FUNCTION platform.show_upgrade_prompt(uuid, uuid, text, text) IS
	'Records that a user was asked to upgrade; returns the prompt''s id. Operators, and users for themselves. Errors: 42501, 22004, 22023, 23503, 55000.';
INSERT INTO platform.member_privileges VALUES ('function', 'show_upgrade_prompt(uuid, uuid, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.answer_upgrade_prompt(organization_id uuid, prompt_id uuid, answer text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_answer_upgrade_prompt';
COMMENT ON FUNCTION platform.answer_upgrade_prompt(uuid, uuid, text) IS
	'What became of a prompt: clicked, dismissed or converted; true the first time. Operators, and users for their own. Errors: 42501, 22004, 22023, PT404, 55000.';
INSERT INTO platform.member_privileges VALUES
	('function', 'answer_upgrade_prompt(uuid, uuid, text)', 'EXECUTE'),
	('table', 'upgrade_prompts_shown', 'SELECT'),
	('table', 'upgrade_prompt_results', 'SELECT');

CREATE OR REPLACE FUNCTION platform.client_ip(remote_address inet, forwarded_for text, trusted_proxies inet[] DEFAULT '{}') RETURNS inet
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_client_ip';
COMMENT ON FUNCTION platform.client_ip(inet, text, inet[]) IS
	'Who called: the remote address, or behind trusted proxies (addresses and networks) the last one of X-Forwarded-For that is none. What the client put there itself never counts. NULL for a NULL address.';
INSERT INTO platform.member_privileges VALUES ('function', 'client_ip(inet, text, inet[])', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.audit_history(entity text, entity_id text, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL)
RETURNS TABLE (created_at timestamptz, action text, actor text, role_name text, changed text[], old jsonb, new jsonb, metadata jsonb)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT l.created_at, l.action, l.actor, l.role_name, l.changed, l.old, l.new, l.metadata
FROM platform.audit_logs l
WHERE l.entity = audit_history.entity AND l.entity_id = audit_history.entity_id
	AND ("from" IS NULL OR l.created_at >= "from") AND ("to" IS NULL OR l.created_at < "to")
ORDER BY l.created_at, l.id
$$;
COMMENT ON FUNCTION platform.audit_history(text, text, timestamptz, timestamptz) IS
	'The entries about one row or thing from a moment on and before another (NULL: all), in their order. Operators (as the caller sees the table).';

CREATE OR REPLACE FUNCTION platform.audit_row_at(entity text, entity_id text, at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
WITH entry AS (
	SELECT l.created_at, l.id, l.action, l.old, l.new, l.created_at <= audit_row_at.at AS before
	FROM platform.audit_logs l
	WHERE l.entity = audit_row_at.entity AND l.entity_id = audit_row_at.entity_id
		AND l.action IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
), known AS (
	SELECT DISTINCT ON (c.key) c.key, c.value FROM (
		SELECT e.before, e.created_at, e.id, v.key, v.value
		FROM entry e, LATERAL pg_catalog.jsonb_each(CASE WHEN e.before THEN e.new ELSE e.old END) AS v
	) AS c
	ORDER BY c.key, c.before DESC,
		CASE WHEN c.before THEN c.created_at END DESC, CASE WHEN c.before THEN c.id END DESC, c.created_at, c.id
)
SELECT CASE
	WHEN (SELECT e.action FROM entry e WHERE e.before ORDER BY e.created_at DESC, e.id DESC LIMIT 1) IN ('DELETE', 'TRUNCATE') THEN NULL
	WHEN (SELECT e.action FROM entry e WHERE NOT e.before ORDER BY e.created_at, e.id LIMIT 1) = 'INSERT' THEN NULL
	ELSE (SELECT pg_catalog.jsonb_object_agg(k.key, k.value) FROM known k) END
$$;
COMMENT ON FUNCTION platform.audit_row_at(text, text, timestamptz) IS
	'An audited row as it was at a moment, as far as the trail tells: columns that never changed while it was audited are missing when its INSERT and DELETE are. NULL: it was not there, or nothing is known. Operators (as the caller sees the table).';
