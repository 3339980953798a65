-- migration 40 ops: alerts, the audit trail, logs, their retention
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
-- Without the time: then entries about one row share a key in the index.
CREATE INDEX IF NOT EXISTS audit_logs_entity_id_idx ON platform.audit_logs (entity_id);
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

-- One row an error; what belongs together has the same fingerprint.
CREATE TABLE IF NOT EXISTS platform.error_logs (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	error_type text NOT NULL DEFAULT 'Error',
	message text NOT NULL,
	severity text NOT NULL DEFAULT 'medium',
	fingerprint text COLLATE pg_catalog."C" NOT NULL,
	stack_trace text,
	endpoint text,
	method text,
	user_id uuid,
	request_id text,
	context jsonb NOT NULL DEFAULT '{}',
	request_body jsonb,
	ip_address inet,
	user_agent text,
	resolved_at timestamptz,
	resolved_by text,
	resolution_notes text,
	CONSTRAINT error_logs_pkey PRIMARY KEY (organization_id, created_at, id),
	CONSTRAINT error_logs_severity_check CHECK (severity IN ('low', 'medium', 'high', 'critical')),
	CONSTRAINT error_logs_stack_trace_check CHECK (length(stack_trace) <= 5000)
) PARTITION BY RANGE (created_at);
CREATE INDEX IF NOT EXISTS error_logs_fingerprint_created_at_idx
	ON platform.error_logs (fingerprint, created_at DESC);
CREATE INDEX IF NOT EXISTS error_logs_created_at_idx
	ON platform.error_logs (created_at DESC) WHERE resolved_at IS NULL;
CREATE INDEX IF NOT EXISTS error_logs_severity_created_at_idx
	ON platform.error_logs (severity, created_at DESC);
CREATE INDEX IF NOT EXISTS error_logs_user_id_created_at_idx
	ON platform.error_logs (user_id, created_at DESC) WHERE user_id IS NOT NULL;
COMMENT ON TABLE platform.error_logs IS
	'Errors of the application. Groups are the rows with one fingerprint.';
COMMENT ON COLUMN platform.error_logs.organization_id IS
	'Whose request failed; the default organization for the platform itself.';
COMMENT ON COLUMN platform.error_logs.fingerprint IS
	'What errors of one cause have in common: see platform.error_fingerprint().';
COMMENT ON COLUMN platform.error_logs.context IS
	'Members with names of secrets are masked, as in request_body.';

CREATE TABLE IF NOT EXISTS platform.latency_logs (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	endpoint text COLLATE pg_catalog."C" NOT NULL,
	method text NOT NULL,
	duration_ms integer NOT NULL,
	status_code integer,
	user_id uuid,
	request_id text,
	is_slow boolean NOT NULL DEFAULT false,
	CONSTRAINT latency_logs_pkey PRIMARY KEY (organization_id, created_at, id),
	CONSTRAINT latency_logs_duration_ms_check CHECK (duration_ms >= 0),
	CONSTRAINT latency_logs_status_code_check CHECK (status_code BETWEEN 100 AND 599)
) PARTITION BY RANGE (created_at);
CREATE INDEX IF NOT EXISTS latency_logs_endpoint_created_at_idx
	ON platform.latency_logs (endpoint, created_at);
COMMENT ON TABLE platform.latency_logs IS
	'How long requests took.';
COMMENT ON COLUMN platform.latency_logs.is_slow IS
	'It took at least platform.ops_slow_request, as that was then.';

CREATE TABLE IF NOT EXISTS platform.black_box_logs (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	event_id text COLLATE pg_catalog."C" NOT NULL,
	user_id uuid,
	action_type text NOT NULL,
	"timestamp" timestamptz NOT NULL DEFAULT clock_timestamp(),
	ip_address inet,
	user_agent text,
	meta_data jsonb NOT NULL DEFAULT '{}',
	CONSTRAINT black_box_logs_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT black_box_logs_event_id_key UNIQUE (event_id),
	CONSTRAINT black_box_logs_event_id_check CHECK (length(event_id) BETWEEN 1 AND 255),
	CONSTRAINT black_box_logs_action_type_check CHECK (length(action_type) BETWEEN 1 AND 63),
	CONSTRAINT black_box_logs_meta_data_check CHECK (jsonb_typeof(meta_data) = 'object')
);
CREATE INDEX IF NOT EXISTS black_box_logs_organization_id_timestamp_idx
	ON platform.black_box_logs (organization_id, "timestamp");
CREATE INDEX IF NOT EXISTS black_box_logs_user_id_timestamp_idx
	ON platform.black_box_logs (user_id, "timestamp") WHERE user_id IS NOT NULL;
COMMENT ON TABLE platform.black_box_logs IS
	'Sensitive actions, for good: nobody changes or deletes a row.';
COMMENT ON COLUMN platform.black_box_logs.event_id IS
	'The reporter''s own; an event is recorded once.';

CREATE TABLE IF NOT EXISTS platform.upgrade_prompts_shown (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	prompt_type text NOT NULL,
	trigger_reason text,
	shown_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	clicked boolean GENERATED ALWAYS AS (clicked_at IS NOT NULL) STORED,
	clicked_at timestamptz,
	dismissed boolean GENERATED ALWAYS AS (dismissed_at IS NOT NULL) STORED,
	dismissed_at timestamptz,
	converted boolean GENERATED ALWAYS AS (converted_at IS NOT NULL) STORED,
	converted_at timestamptz,
	CONSTRAINT upgrade_prompts_shown_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT upgrade_prompts_shown_prompt_type_check CHECK (length(prompt_type) BETWEEN 1 AND 63)
);
CREATE INDEX IF NOT EXISTS upgrade_prompts_shown_organization_id_user_id_shown_at_idx
	ON platform.upgrade_prompts_shown (organization_id, user_id, shown_at);
CREATE INDEX IF NOT EXISTS upgrade_prompts_shown_user_id_idx
	ON platform.upgrade_prompts_shown (user_id);
COMMENT ON TABLE platform.upgrade_prompts_shown IS
	'Whom the application asked to upgrade, why, and what came of it.';

CREATE TABLE IF NOT EXISTS platform.scheduled_job_runs (
	job_name text NOT NULL,
	last_run_at timestamptz NOT NULL,
	last_run_by text NOT NULL,
	running_until timestamptz,
	finished_at timestamptz,
	last_result text,
	run_count bigint NOT NULL DEFAULT 0,
	error_message text,
	metadata jsonb NOT NULL DEFAULT '{}',
	CONSTRAINT scheduled_job_runs_pkey PRIMARY KEY (job_name),
	CONSTRAINT scheduled_job_runs_job_name_check CHECK (length(job_name) BETWEEN 1 AND 63),
	CONSTRAINT scheduled_job_runs_last_result_check CHECK (last_result IN ('success', 'failed', 'skipped'))
);
COMMENT ON TABLE platform.scheduled_job_runs IS
	'The last run of each job.';
COMMENT ON COLUMN platform.scheduled_job_runs.last_run_at IS
	'When it began.';
COMMENT ON COLUMN platform.scheduled_job_runs.running_until IS
	'While it runs: when another worker may take it for dead.';

CREATE TABLE IF NOT EXISTS platform.retention_policies (
	name text NOT NULL,
	table_name text NOT NULL,
	time_column text NOT NULL DEFAULT 'created_at',
	keep interval NOT NULL,
	scrub_columns text[],
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT retention_policies_pkey PRIMARY KEY (name),
	CONSTRAINT retention_policies_name_check CHECK (length(name) BETWEEN 1 AND 63),
	CONSTRAINT retention_policies_keep_check CHECK (keep >= interval '1 day'),
	CONSTRAINT retention_policies_scrub_columns_check CHECK (cardinality(scrub_columns) > 0)
);
COMMENT ON TABLE platform.retention_policies IS
	'What platform.purge_logs() removes, and when.';
COMMENT ON COLUMN platform.retention_policies.time_column IS
	'A row''s time is over when this is older than keep; NULL in it: never.';
COMMENT ON COLUMN platform.retention_policies.scrub_columns IS
	'These become NULL and the row stays; NULL: the row is deleted.';

INSERT INTO platform.retention_policies (name, table_name, time_column, keep, scrub_columns) VALUES
	('audit trail', 'audit_logs', 'created_at', '2 years', NULL),
	('errors', 'error_logs', 'created_at', '90 days', NULL),
	('personal data of errors', 'error_logs', 'created_at', '30 days', '{request_body,ip_address,user_agent}'),
	('latencies', 'latency_logs', 'created_at', '30 days', NULL),
	('resolved alerts', 'ops_alerts', 'resolved_at', '1 year', NULL),
	('upgrade prompts', 'upgrade_prompts_shown', 'shown_at', '2 years', NULL)
ON CONFLICT (name) DO NOTHING;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('ops_alerts', 'tenant', '{}', NULL),
	('audit_logs', 'tenant', '{}', NULL),
	('error_logs', 'tenant', '{}', NULL),
	('latency_logs', 'tenant', '{}', NULL),
	('black_box_logs', 'tenant', '{black_box_logs_event_id_key}', NULL),
	('upgrade_prompts_shown', 'tenant', '{}', NULL),
	('scheduled_job_runs', 'global', '{}', 'jobs of the platform'),
	('retention_policies', 'global', '{}', 'one policy for all organizations')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.retention_policies,
	platform.scheduled_job_runs,
	platform.upgrade_prompts_shown,
	platform.black_box_logs,
	platform.latency_logs,
	platform.error_logs,
	platform.audit_logs,
	platform.ops_alerts;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'ops_alerts', 'audit_logs', 'error_logs', 'latency_logs', 'black_box_logs',
	'upgrade_prompts_shown', 'scheduled_job_runs', 'retention_policies');

-- checks

-- check: an alert's cause is open once
SELECT organization_id, alert_type, dedup_key FROM platform.ops_alerts
WHERE resolved_at IS NULL AND dedup_key IS NOT NULL
GROUP BY organization_id, alert_type, dedup_key HAVING pg_catalog.count(*) > 1;
