-- migration 20 features: flags, limits, counters and their history
-- requires: tenants

-- up

-- One row a feature: its definition and the platform's own switch. enabled = false
-- is the kill switch: nothing overrides it.
CREATE TABLE IF NOT EXISTS platform.global_feature_flags (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	feature text NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	disabled_reason text,
	disabled_at timestamptz,
	disabled_by text,
	description text,
	default_enabled boolean NOT NULL DEFAULT true,
	kind text NOT NULL DEFAULT 'permission',
	rollout numeric(6,3),
	salt text,
	variants jsonb NOT NULL DEFAULT '[]',
	prerequisites text[] NOT NULL DEFAULT '{}',
	active_from timestamptz,
	active_to timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT global_feature_flags_pkey PRIMARY KEY (id),
	CONSTRAINT global_feature_flags_feature_key UNIQUE (feature),
	CONSTRAINT global_feature_flags_feature_check CHECK (feature ~ '^[a-z][a-z0-9_.-]{0,62}$'),
	CONSTRAINT global_feature_flags_kind_check CHECK (kind IN ('release', 'experiment', 'operational', 'kill_switch', 'permission')),
	CONSTRAINT global_feature_flags_rollout_check CHECK (rollout BETWEEN 0 AND 100),
	CONSTRAINT global_feature_flags_variants_check CHECK (jsonb_typeof(variants) = 'array'),
	CONSTRAINT global_feature_flags_active_check CHECK (active_from < active_to)
);
COMMENT ON COLUMN platform.global_feature_flags.default_enabled IS
	'The answer when no layer before it has one.';
COMMENT ON COLUMN platform.global_feature_flags.kind IS
	'What the flag is for; how long it is expected to live is in stale_feature_flags.';
COMMENT ON COLUMN platform.global_feature_flags.rollout IS
	'Percent of organizations, or targeting keys, for which it is on; NULL: no rollout, default_enabled decides.';
COMMENT ON COLUMN platform.global_feature_flags.salt IS
	'Names the rollout''s hash; the feature''s name at creation, unchanged by a rename.';
COMMENT ON COLUMN platform.global_feature_flags.variants IS
	'[{"name": text, "weight": integer, "payload": any}]';
COMMENT ON COLUMN platform.global_feature_flags.prerequisites IS
	'Features that must be on for the same organization.';
COMMENT ON COLUMN platform.global_feature_flags.active_from IS
	'The row counts while active_from <= now < active_to; outside the feature does not exist.';

-- What a plan includes.
CREATE TABLE IF NOT EXISTS platform.tier_features (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	tier text NOT NULL,
	feature text NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	daily_limit bigint,
	monthly_limit bigint,
	soft_percent smallint NOT NULL DEFAULT 80,
	enforcement text NOT NULL DEFAULT 'hard',
	active_from timestamptz,
	active_to timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT tier_features_pkey PRIMARY KEY (id),
	CONSTRAINT tier_features_tier_feature_key UNIQUE (tier, feature),
	CONSTRAINT tier_features_daily_limit_check CHECK (daily_limit >= 0),
	CONSTRAINT tier_features_monthly_limit_check CHECK (monthly_limit >= 0),
	CONSTRAINT tier_features_soft_percent_check CHECK (soft_percent BETWEEN 1 AND 100),
	CONSTRAINT tier_features_enforcement_check CHECK (enforcement IN ('hard', 'soft', 'off')),
	CONSTRAINT tier_features_active_check CHECK (active_from < active_to)
);
COMMENT ON COLUMN platform.tier_features.soft_percent IS
	'From this share of a limit on the state is soft.';
COMMENT ON COLUMN platform.tier_features.enforcement IS
	'hard refuses beyond the limit, soft lets pass and reports, off only counts.';

-- What the platform set for one organization. Members read it; only operators write it.
CREATE TABLE IF NOT EXISTS platform.org_feature_flags (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	feature text NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	disabled_reason text,
	disabled_at timestamptz,
	disabled_by text,
	daily_limit bigint,
	monthly_limit bigint,
	soft_percent smallint,
	enforcement text,
	active_from timestamptz,
	active_to timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT org_feature_flags_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT org_feature_flags_organization_id_feature_key UNIQUE (organization_id, feature),
	CONSTRAINT org_feature_flags_daily_limit_check CHECK (daily_limit >= 0),
	CONSTRAINT org_feature_flags_monthly_limit_check CHECK (monthly_limit >= 0),
	CONSTRAINT org_feature_flags_soft_percent_check CHECK (soft_percent BETWEEN 1 AND 100),
	CONSTRAINT org_feature_flags_enforcement_check CHECK (enforcement IN ('hard', 'soft', 'off')),
	CONSTRAINT org_feature_flags_active_check CHECK (active_from < active_to)
);
COMMENT ON COLUMN platform.org_feature_flags.daily_limit IS
	'NULL: the tier''s. 0: nothing.';
COMMENT ON COLUMN platform.org_feature_flags.monthly_limit IS
	'NULL: the tier''s. 0: nothing.';
COMMENT ON COLUMN platform.org_feature_flags.active_from IS
	'The row counts while active_from <= now < active_to; outside it is as if it were not there.';

-- What the organization's own administrators set. It can only narrow what the
-- platform allows: a feature is on when both say so, a limit is the smaller one.
CREATE TABLE IF NOT EXISTS platform.tenant_feature_flags (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	feature text NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	disabled_reason text,
	disabled_at timestamptz,
	disabled_by text,
	daily_limit bigint,
	monthly_limit bigint,
	active_from timestamptz,
	active_to timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT tenant_feature_flags_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT tenant_feature_flags_organization_id_feature_key UNIQUE (organization_id, feature),
	CONSTRAINT tenant_feature_flags_daily_limit_check CHECK (daily_limit >= 0),
	CONSTRAINT tenant_feature_flags_monthly_limit_check CHECK (monthly_limit >= 0),
	CONSTRAINT tenant_feature_flags_active_check CHECK (active_from < active_to)
);

-- Bought credit on top of the monthly limit, while it is active.
CREATE TABLE IF NOT EXISTS platform.feature_credits (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	feature text NOT NULL,
	amount bigint NOT NULL,
	reason text,
	active_from timestamptz NOT NULL DEFAULT now(),
	active_to timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT feature_credits_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT feature_credits_amount_check CHECK (amount > 0),
	CONSTRAINT feature_credits_active_check CHECK (active_from < active_to)
);
CREATE INDEX IF NOT EXISTS feature_credits_organization_id_feature_idx
	ON platform.feature_credits (organization_id, feature);

-- One row is one monthly window (slot 0; further slots only under contention, see
-- doc/features.md). days[n] is the window of the period's n-th local day. used
-- includes what is reserved. Written by direct table access: triggers on it do not fire.
CREATE TABLE IF NOT EXISTS platform.feature_usage (
	organization_id uuid NOT NULL,
	feature text NOT NULL,
	period_start timestamptz NOT NULL,
	slot smallint NOT NULL DEFAULT 0,
	period_end timestamptz NOT NULL,
	days bigint[] NOT NULL DEFAULT '{}',
	used bigint NOT NULL DEFAULT 0,
	unkeyed bigint NOT NULL DEFAULT 0,
	overage bigint NOT NULL DEFAULT 0,
	reserved bigint NOT NULL DEFAULT 0,
	reserved_until timestamptz,
	credit bigint NOT NULL DEFAULT 0,
	credit_day smallint NOT NULL DEFAULT 0,
	credit_daily_limit bigint,
	credit_monthly_limit bigint,
	slots smallint NOT NULL DEFAULT 0,
	announced smallint NOT NULL DEFAULT 0,
	CONSTRAINT feature_usage_pkey PRIMARY KEY (organization_id, feature, period_start, slot)
) WITH (fillfactor = 50);

-- One row for each change of a counter that has a name: keyed consumption,
-- refunds, committed reservations, adjustments. Append-only.
CREATE TABLE IF NOT EXISTS platform.feature_usage_events (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	feature text NOT NULL,
	kind text NOT NULL,
	idempotency_key text,
	amount bigint NOT NULL,
	consumed bigint NOT NULL,
	overage bigint NOT NULL DEFAULT 0,
	period_start timestamptz NOT NULL,
	day smallint NOT NULL,
	occurred_at timestamptz NOT NULL,
	answer jsonb,
	reverses uuid,
	reason text,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT feature_usage_events_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT feature_usage_events_organization_id_feature_idempotency_ke_key UNIQUE (organization_id, feature, idempotency_key),
	CONSTRAINT feature_usage_events_kind_check CHECK (kind IN ('consume', 'refund', 'commit', 'adjust')),
	CONSTRAINT feature_usage_events_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS feature_usage_events_organization_id_feature_period_start_idx
	ON platform.feature_usage_events (organization_id, feature, period_start);
CREATE INDEX IF NOT EXISTS feature_usage_events_reverses_organization_id_idx
	ON platform.feature_usage_events (reverses, organization_id) WHERE reverses IS NOT NULL;

CREATE TABLE IF NOT EXISTS platform.feature_reservations (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	feature text NOT NULL,
	amount bigint NOT NULL,
	status text NOT NULL DEFAULT 'open',
	committed bigint,
	idempotency_key text,
	period_start timestamptz NOT NULL,
	day smallint NOT NULL,
	expires_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	settled_at timestamptz,
	answer jsonb,
	CONSTRAINT feature_reservations_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT feature_reservations_organization_id_feature_idempotency_ke_key UNIQUE (organization_id, feature, idempotency_key),
	CONSTRAINT feature_reservations_amount_check CHECK (amount > 0),
	CONSTRAINT feature_reservations_status_check CHECK (status IN ('open', 'committed', 'released', 'expired'))
);
CREATE INDEX IF NOT EXISTS feature_reservations_organization_id_feature_expires_at_idx
	ON platform.feature_reservations (organization_id, feature, expires_at) WHERE status = 'open';

-- A threshold that a period's usage has crossed; at most one row for each.
CREATE TABLE IF NOT EXISTS platform.feature_usage_thresholds (
	organization_id uuid NOT NULL,
	feature text NOT NULL,
	period text NOT NULL,
	period_start timestamptz NOT NULL,
	threshold text NOT NULL,
	used bigint NOT NULL,
	usage_limit bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT feature_usage_thresholds_pkey PRIMARY KEY (organization_id, feature, period, period_start, threshold),
	CONSTRAINT feature_usage_thresholds_period_check CHECK (period IN ('day', 'month')),
	CONSTRAINT feature_usage_thresholds_threshold_check CHECK (threshold IN ('soft', 'hard'))
);

-- Who changed which flag, from what, to what. Append-only. source names the table.
CREATE TABLE IF NOT EXISTS platform.feature_flag_history (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	source text NOT NULL,
	feature text,
	old jsonb,
	new jsonb,
	changed_by text NOT NULL,
	subject text,
	reason text,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT feature_flag_history_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT feature_flag_history_source_check CHECK (source IN ('org_feature_flags', 'tenant_feature_flags', 'organizations'))
);
CREATE INDEX IF NOT EXISTS feature_flag_history_organization_id_source_feature_changed_idx
	ON platform.feature_flag_history (organization_id, source, feature, changed_at DESC);
COMMENT ON COLUMN platform.feature_flag_history.source IS
	'The table; organizations for a change of tier, status, calendar or deletion.';
COMMENT ON COLUMN platform.feature_flag_history.old IS
	'The row without its keys and times; NULL when it was new.';
COMMENT ON COLUMN platform.feature_flag_history.new IS
	'The row without its keys and times; NULL when it was removed.';
COMMENT ON COLUMN platform.feature_flag_history.changed_by IS
	'The role.';
COMMENT ON COLUMN platform.feature_flag_history.subject IS
	'The user that the caller''s token or context named.';
COMMENT ON COLUMN platform.feature_flag_history.changed_at IS
	'When it was made; others saw it when its transaction was committed.';

CREATE TABLE IF NOT EXISTS platform.global_feature_flag_history (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	source text NOT NULL,
	feature text NOT NULL,
	tier text,
	old jsonb,
	new jsonb,
	changed_by text NOT NULL,
	subject text,
	reason text,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT global_feature_flag_history_pkey PRIMARY KEY (id),
	CONSTRAINT global_feature_flag_history_source_check CHECK (source IN ('global_feature_flags', 'tier_features'))
);
CREATE INDEX IF NOT EXISTS global_feature_flag_history_source_feature_changed_at_idx
	ON platform.global_feature_flag_history (source, feature, changed_at DESC);

COMMENT ON TABLE platform.global_feature_flags IS
	'The features: each one''s definition, its default, and the platform''s kill switch.';
COMMENT ON TABLE platform.tier_features IS
	'What each plan includes, and its limits.';
COMMENT ON TABLE platform.org_feature_flags IS
	'What the platform set for one organization. Members read it; operators write it.';
COMMENT ON TABLE platform.tenant_feature_flags IS
	'What the organization''s own administrators set. It narrows what the platform allows and never widens it.';
COMMENT ON TABLE platform.feature_credits IS
	'Bought usage on top of the monthly limit, while it is active.';
COMMENT ON TABLE platform.feature_usage IS
	'Counters: a row for each organization, feature and monthly window, and further slots under contention.';
COMMENT ON COLUMN platform.feature_usage.days IS
	'Usage by local day of the window; the first element is its first day.';
COMMENT ON COLUMN platform.feature_usage.used IS
	'Usage in the window, with what is reserved.';
COMMENT ON TABLE platform.feature_usage_events IS
	'Changes of counters that have a name: keyed consumption, refunds, commits, adjustments. Append-only.';
COMMENT ON TABLE platform.feature_reservations IS
	'Usage set aside until it is committed, released, or expires.';
COMMENT ON TABLE platform.feature_usage_thresholds IS
	'Thresholds that a period''s usage has crossed, each once.';
COMMENT ON TABLE platform.feature_flag_history IS
	'Who changed which flag of an organization, from what, to what. Append-only.';
COMMENT ON TABLE platform.global_feature_flag_history IS
	'Who changed which flag of the platform, from what, to what. Append-only.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('global_feature_flags', 'global', '{global_feature_flags_feature_key}', 'one definition for all organizations'),
	('tier_features', 'global', '{tier_features_tier_feature_key}', 'one catalogue of plans for all organizations'),
	('org_feature_flags', 'tenant', '{}', NULL),
	('tenant_feature_flags', 'tenant', '{}', NULL),
	('feature_credits', 'tenant', '{}', NULL),
	('feature_usage', 'tenant', '{}', NULL),
	('feature_usage_events', 'tenant', '{}', NULL),
	('feature_reservations', 'tenant', '{}', NULL),
	('feature_usage_thresholds', 'tenant', '{}', NULL),
	('feature_flag_history', 'tenant', '{}', NULL),
	('global_feature_flag_history', 'global', '{}', 'history of global tables')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.global_feature_flag_history,
	platform.feature_flag_history,
	platform.feature_usage_thresholds,
	platform.feature_reservations,
	platform.feature_usage_events,
	platform.feature_usage,
	platform.feature_credits,
	platform.tenant_feature_flags,
	platform.org_feature_flags,
	platform.tier_features,
	platform.global_feature_flags;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'global_feature_flags', 'tier_features', 'org_feature_flags', 'tenant_feature_flags', 'feature_credits',
	'feature_usage', 'feature_usage_events', 'feature_reservations', 'feature_usage_thresholds',
	'feature_flag_history', 'global_feature_flag_history');

-- checks

-- check: a feature's rows name a known feature
SELECT f.organization_id, f.feature FROM platform.org_feature_flags f
WHERE NOT EXISTS (SELECT 1 FROM platform.global_feature_flags g WHERE g.feature = f.feature);
-- check: counters are not negative
SELECT organization_id, feature, period_start FROM platform.feature_usage
GROUP BY organization_id, feature, period_start HAVING sum(used) < 0;
