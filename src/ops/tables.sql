-- migration 40 ops: alerts, the audit trail, retention
-- requires: tenants

-- up

-- One row an alert, counted up while it is open.
CREATE TABLE IF NOT EXISTS platform.ops_alerts (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	alert_type text NOT NULL,
	severity text NOT NULL DEFAULT 'warning',
	title text NOT NULL,
	message text,
	details jsonb NOT NULL DEFAULT '{}',
	user_id uuid,
	phone_number text,
	source text NOT NULL DEFAULT 'system',
	dedup_key text,
	occurrences bigint NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	last_raised_at timestamptz NOT NULL DEFAULT now(),
	escalated_at timestamptz NOT NULL DEFAULT now(),
	acknowledged_at timestamptz,
	acknowledged_by text,
	resolved_at timestamptz,
	resolved_by text,
	resolution_notes text,
	auto_resolved boolean NOT NULL DEFAULT false,
	CONSTRAINT ops_alerts_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT ops_alerts_alert_type_check CHECK (length(alert_type) BETWEEN 1 AND 63),
	CONSTRAINT ops_alerts_severity_check CHECK (severity IN ('info', 'warning', 'critical')),
	CONSTRAINT ops_alerts_title_check CHECK (length(title) BETWEEN 1 AND 255),
	CONSTRAINT ops_alerts_details_check CHECK (jsonb_typeof(details) = 'object'),
	CONSTRAINT ops_alerts_source_check CHECK (length(source) BETWEEN 1 AND 63),
	CONSTRAINT ops_alerts_dedup_key_check CHECK (length(dedup_key) BETWEEN 1 AND 255),
	CONSTRAINT ops_alerts_occurrences_check CHECK (occurrences > 0)
);
CREATE UNIQUE INDEX IF NOT EXISTS ops_alerts_organization_id_alert_type_dedup_key_idx
	ON platform.ops_alerts (organization_id, alert_type, dedup_key) WHERE resolved_at IS NULL;
CREATE INDEX IF NOT EXISTS ops_alerts_severity_last_raised_at_idx
	ON platform.ops_alerts (severity, last_raised_at DESC) WHERE resolved_at IS NULL;
CREATE INDEX IF NOT EXISTS ops_alerts_organization_id_created_at_idx
	ON platform.ops_alerts (organization_id, created_at DESC);
COMMENT ON TABLE platform.ops_alerts IS
	'What the people who run the platform should look at. While one is open, the same again counts up on it.';
COMMENT ON COLUMN platform.ops_alerts.organization_id IS
	'Whom it is about; the default organization for the platform itself.';
COMMENT ON COLUMN platform.ops_alerts.dedup_key IS
	'Names the cause within organization and type: at most one alert of it is open. NULL: never the same.';
COMMENT ON COLUMN platform.ops_alerts.occurrences IS
	'How often it was raised since it was opened.';
COMMENT ON COLUMN platform.ops_alerts.escalated_at IS
	'When it got its present severity.';
COMMENT ON COLUMN platform.ops_alerts.source IS
	'The part that raised it: webhook, error_rate, latency, payment, system ...';
COMMENT ON COLUMN platform.ops_alerts.auto_resolved IS
	'The cause went away; nobody closed it by hand.';

-- Written past the executor, to the partition of the statement's time. No foreign
-- key: the trail outlives what it is about. The primary key is in the order in
-- which an organization's trail is read, and saves an index.
CREATE TABLE IF NOT EXISTS platform.audit_logs (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
	action text NOT NULL,
	action_type text,
	entity text COLLATE pg_catalog."C",
	entity_id text COLLATE pg_catalog."C",
	old jsonb,
	new jsonb,
	changed text[],
	actor_id uuid,
	actor text COLLATE pg_catalog."C",
	role_name text,
	user_id uuid,
	ip inet,
	user_agent text,
	metadata jsonb,
	CONSTRAINT audit_logs_pkey PRIMARY KEY (organization_id, created_at, id)
) PARTITION BY RANGE (created_at);
CREATE INDEX IF NOT EXISTS audit_logs_entity_id_created_at_idx
	ON platform.audit_logs (entity_id, created_at);
CREATE INDEX IF NOT EXISTS audit_logs_actor_created_at_idx
	ON platform.audit_logs (actor, created_at) WHERE actor IS NOT NULL;
COMMENT ON TABLE platform.audit_logs IS
	'Who changed what: a row for each changed row of an audited table, and what the application reports. Append-only.';
COMMENT ON COLUMN platform.audit_logs.created_at IS
	'Start of the statement.';
COMMENT ON COLUMN platform.audit_logs.action IS
	'INSERT, UPDATE, DELETE or TRUNCATE of a row, or a word of the application.';
COMMENT ON COLUMN platform.audit_logs.entity IS
	'The table, with its schema unless that is platform; or what the application names.';
COMMENT ON COLUMN platform.audit_logs.entity_id IS
	'The row''s primary key without organization_id, its parts separated by a colon.';
COMMENT ON COLUMN platform.audit_logs.old IS
	'Of a DELETE or TRUNCATE the row, of an UPDATE the columns that changed, before it; secrets are masked.';
COMMENT ON COLUMN platform.audit_logs.new IS
	'Of an INSERT the row, of an UPDATE the columns that changed, after it; secrets are masked.';
COMMENT ON COLUMN platform.audit_logs.changed IS
	'Of an UPDATE: the columns whose value changed.';
COMMENT ON COLUMN platform.audit_logs.actor_id IS
	'The user that the caller''s token or context named, when it is a uuid.';
COMMENT ON COLUMN platform.audit_logs.actor IS
	'The same as given.';
COMMENT ON COLUMN platform.audit_logs.role_name IS
	'The database role.';
COMMENT ON COLUMN platform.audit_logs.user_id IS
	'The user whom it concerns.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('ops_alerts', 'tenant', '{}', NULL),
	('audit_logs', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.audit_logs,
	platform.ops_alerts;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'ops_alerts', 'audit_logs');

-- checks

-- check: an alert's cause is open once
SELECT organization_id, alert_type, dedup_key FROM platform.ops_alerts
WHERE resolved_at IS NULL AND dedup_key IS NOT NULL
GROUP BY organization_id, alert_type, dedup_key HAVING pg_catalog.count(*) > 1;
