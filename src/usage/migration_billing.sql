-- migration 101 usage: bills, disputes, reconciliation
-- requires: tenants ops

-- up

ALTER TABLE platform.usage_periods ADD COLUMN IF NOT EXISTS billed_at timestamptz;
COMMENT ON COLUMN platform.usage_periods.billed_at IS
	'When its line items were last made; NULL: never.';
CREATE INDEX IF NOT EXISTS usage_periods_period_end_id_idx
	ON platform.usage_periods (period_end, id) WHERE closed_at IS NOT NULL AND (billed_at IS NULL OR rebill_at IS NOT NULL);

-- What a customer pays for a period, beside its plan. Rows are only added: what
-- changes later is an adjustment, what a dispute gives back a credit.
CREATE TABLE IF NOT EXISTS platform.billing_line_items (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	billing_period_id uuid NOT NULL,
	user_id uuid NOT NULL,
	phone_number text,
	event_type text NOT NULL,
	line_kind text NOT NULL,
	revision integer NOT NULL,
	event_ids uuid[] NOT NULL DEFAULT '{}',
	event_range_start timestamptz,
	event_range_end timestamptz,
	quantity bigint NOT NULL,
	billed_units numeric(20,4) NOT NULL,
	unit_rate numeric(10,4) NOT NULL,
	total_amount numeric(14,2) NOT NULL,
	provider_cost numeric(14,2) NOT NULL DEFAULT 0,
	margin numeric(14,2) NOT NULL,
	tier_snapshot_id uuid,
	provider_invoice_link text,
	dispute_id uuid,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT billing_line_items_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT billing_line_items_billing_period_id_organization_id_event__key
		UNIQUE NULLS NOT DISTINCT (billing_period_id, organization_id, event_type, tier_snapshot_id, revision, line_kind),
	CONSTRAINT billing_line_items_event_type_check CHECK (event_type IN ('call', 'sms', 'overage_minutes', 'overage_sms')),
	CONSTRAINT billing_line_items_line_kind_check CHECK (line_kind IN ('usage', 'adjustment', 'credit')),
	CONSTRAINT billing_line_items_revision_check CHECK (revision > 0),
	CONSTRAINT billing_line_items_margin_check CHECK (margin = total_amount - provider_cost)
);
CREATE INDEX IF NOT EXISTS billing_line_items_organization_id_user_id_billing_period_i_idx
	ON platform.billing_line_items (organization_id, user_id, billing_period_id);
CREATE INDEX IF NOT EXISTS billing_line_items_user_id_idx ON platform.billing_line_items (user_id);
CREATE INDEX IF NOT EXISTS billing_line_items_tier_snapshot_id_idx ON platform.billing_line_items (tier_snapshot_id);
CREATE INDEX IF NOT EXISTS billing_line_items_dispute_id_idx
	ON platform.billing_line_items (dispute_id) WHERE dispute_id IS NOT NULL;
COMMENT ON TABLE platform.billing_line_items IS
	'What a customer used in a period, and what it costs: the sum over the lines of a period, event type and version of the tier.';
COMMENT ON COLUMN platform.billing_line_items.billing_period_id IS
	'The row of usage_periods.';
COMMENT ON COLUMN platform.billing_line_items.phone_number IS
	'When all events have the same one.';
COMMENT ON COLUMN platform.billing_line_items.event_type IS
	'call, sms: what the plan includes; overage_minutes, overage_sms: what is beyond.';
COMMENT ON COLUMN platform.billing_line_items.line_kind IS
	'usage: as first billed; adjustment: the difference that events since then make; credit: given back by a dispute.';
COMMENT ON COLUMN platform.billing_line_items.revision IS
	'1 the first bill of the period, then the changes.';
COMMENT ON COLUMN platform.billing_line_items.event_ids IS
	'Rows of call_events or sms_events: all that this line and the earlier ones of its event type and tier version add up to.';
COMMENT ON COLUMN platform.billing_line_items.quantity IS
	'Seconds or segments, exact; signed in adjustments.';
COMMENT ON COLUMN platform.billing_line_items.billed_units IS
	'Minutes or segments.';
COMMENT ON COLUMN platform.billing_line_items.unit_rate IS
	'Dollars a minute or segment.';
COMMENT ON COLUMN platform.billing_line_items.margin IS
	'total_amount - provider_cost; the price of the plan is not in it.';
COMMENT ON COLUMN platform.billing_line_items.dispute_id IS
	'The newest dispute about it; of a credit, the one that gave it.';

CREATE TABLE IF NOT EXISTS platform.billing_disputes (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	line_item_id uuid NOT NULL,
	reason text NOT NULL,
	status text NOT NULL DEFAULT 'open',
	opened_by text,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	resolved_at timestamptz,
	resolved_by text,
	resolution_notes text,
	credit_amount numeric(14,2),
	CONSTRAINT billing_disputes_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT billing_disputes_reason_check CHECK (length(reason) BETWEEN 1 AND 10000),
	CONSTRAINT billing_disputes_status_check CHECK (status IN ('open', 'accepted', 'rejected')),
	CONSTRAINT billing_disputes_resolved_check CHECK ((status = 'open') = (resolved_at IS NULL)),
	CONSTRAINT billing_disputes_credit_check CHECK ((status = 'accepted') = (credit_amount IS NOT NULL)),
	CONSTRAINT billing_disputes_credit_amount_check CHECK (credit_amount >= 0)
);
CREATE UNIQUE INDEX IF NOT EXISTS billing_disputes_line_item_id_organization_id_idx
	ON platform.billing_disputes (line_item_id, organization_id) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS billing_disputes_line_item_id_idx ON platform.billing_disputes (line_item_id);
CREATE INDEX IF NOT EXISTS billing_disputes_organization_id_user_id_created_at_idx
	ON platform.billing_disputes (organization_id, user_id, created_at);
CREATE INDEX IF NOT EXISTS billing_disputes_created_at_idx
	ON platform.billing_disputes (created_at) WHERE status = 'open';
COMMENT ON TABLE platform.billing_disputes IS
	'Objections to line items, and how they ended.';
COMMENT ON COLUMN platform.billing_disputes.credit_amount IS
	'Dollars that were given back.';

CREATE TABLE IF NOT EXISTS platform.reconciliation_runs (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	run_type text NOT NULL,
	scope_organization_id uuid,
	preview boolean NOT NULL DEFAULT true,
	started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	progress_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	completed_at timestamptz,
	status text NOT NULL DEFAULT 'running',
	customers_total bigint NOT NULL DEFAULT 0,
	customers_checked bigint NOT NULL DEFAULT 0,
	records_checked bigint NOT NULL DEFAULT 0,
	discrepancies_found bigint NOT NULL DEFAULT 0,
	corrected bigint NOT NULL DEFAULT 0,
	discrepancy_details jsonb NOT NULL DEFAULT '[]',
	triggered_by text NOT NULL,
	notes text,
	last_organization_id uuid,
	last_user_id uuid,
	CONSTRAINT reconciliation_runs_pkey PRIMARY KEY (id),
	CONSTRAINT reconciliation_runs_run_type_check CHECK (run_type IN ('nightly', 'manual', 'billing')),
	CONSTRAINT reconciliation_runs_status_check CHECK (status IN ('running', 'completed', 'failed')),
	CONSTRAINT reconciliation_runs_completed_check CHECK ((status = 'running') = (completed_at IS NULL)),
	CONSTRAINT reconciliation_runs_last_check CHECK ((last_organization_id IS NULL) = (last_user_id IS NULL))
);
CREATE INDEX IF NOT EXISTS reconciliation_runs_started_at_idx ON platform.reconciliation_runs (started_at DESC);
CREATE INDEX IF NOT EXISTS reconciliation_runs_progress_at_idx
	ON platform.reconciliation_runs (progress_at) WHERE status = 'running';
COMMENT ON TABLE platform.reconciliation_runs IS
	'Comparisons of counters with events, and how far they are.';
COMMENT ON COLUMN platform.reconciliation_runs.scope_organization_id IS
	'The organization that was compared; NULL: all.';
COMMENT ON COLUMN platform.reconciliation_runs.preview IS
	'It only looks.';
COMMENT ON COLUMN platform.reconciliation_runs.progress_at IS
	'When its last batch ended.';
COMMENT ON COLUMN platform.reconciliation_runs.records_checked IS
	'Periods compared.';
COMMENT ON COLUMN platform.reconciliation_runs.discrepancy_details IS
	'The hundred largest; all are in reconciliation_discrepancies.';
COMMENT ON COLUMN platform.reconciliation_runs.last_user_id IS
	'With last_organization_id, the last customer compared: where the next batch goes on.';

CREATE TABLE IF NOT EXISTS platform.reconciliation_discrepancies (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	run_id uuid NOT NULL,
	user_id uuid NOT NULL,
	period_id uuid NOT NULL,
	call_used_seconds bigint NOT NULL,
	call_event_seconds bigint NOT NULL,
	sms_used bigint NOT NULL,
	sms_event_segments bigint NOT NULL,
	corrected_at timestamptz,
	CONSTRAINT reconciliation_discrepancies_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT reconciliation_discrepancies_run_id_organization_id_user_id_key
		UNIQUE (run_id, organization_id, user_id, period_id)
);
CREATE INDEX IF NOT EXISTS reconciliation_discrepancies_organization_id_user_id_idx
	ON platform.reconciliation_discrepancies (organization_id, user_id);
COMMENT ON TABLE platform.reconciliation_discrepancies IS
	'Periods of which a run found counter and events apart.';
COMMENT ON COLUMN platform.reconciliation_discrepancies.call_used_seconds IS
	'The counter.';
COMMENT ON COLUMN platform.reconciliation_discrepancies.call_event_seconds IS
	'The sum of the events.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('billing_line_items', 'tenant', '{}', NULL),
	('billing_disputes', 'tenant', '{}', NULL),
	('reconciliation_runs', 'global', '{}', 'a run compares the customers of all organizations'),
	('reconciliation_discrepancies', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.reconciliation_discrepancies,
	platform.reconciliation_runs,
	platform.billing_disputes,
	platform.billing_line_items;
ALTER TABLE platform.usage_periods DROP COLUMN IF EXISTS billed_at;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'billing_line_items', 'billing_disputes', 'reconciliation_runs', 'reconciliation_discrepancies');

-- checks

-- check: a period has line items only when it was billed
SELECT p.id FROM platform.usage_periods p
WHERE p.billed_at IS NULL AND EXISTS (SELECT 1 FROM platform.billing_line_items b WHERE b.billing_period_id = p.id);
