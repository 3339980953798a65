-- migration 100 usage: tiers, limits and their periods, events of calls and messages, subscriptions, top-ups
-- requires: tenants ops

-- up

-- What is sold. A change of what a customer gets or pays is a new row of tier_snapshots.
CREATE TABLE IF NOT EXISTS platform.usage_tiers (
	tier text NOT NULL,
	name text NOT NULL,
	aliases text[] NOT NULL DEFAULT '{}',
	call_cap_seconds bigint NOT NULL,
	sms_cap bigint NOT NULL,
	grace_seconds bigint NOT NULL DEFAULT 600,
	rollover_percent integer NOT NULL DEFAULT 100,
	overage_rate_minutes numeric(10,4) NOT NULL DEFAULT 0.15,
	overage_rate_sms numeric(10,4) NOT NULL DEFAULT 0.02,
	monthly_price numeric(10,2) NOT NULL,
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT usage_tiers_pkey PRIMARY KEY (tier),
	CONSTRAINT usage_tiers_tier_check CHECK (length(tier) BETWEEN 1 AND 63),
	CONSTRAINT usage_tiers_name_check CHECK (length(name) BETWEEN 1 AND 63),
	CONSTRAINT usage_tiers_call_cap_seconds_check CHECK (call_cap_seconds BETWEEN 0 AND 1000000000000),
	CONSTRAINT usage_tiers_sms_cap_check CHECK (sms_cap BETWEEN 0 AND 1000000000000),
	CONSTRAINT usage_tiers_grace_seconds_check CHECK (grace_seconds BETWEEN 0 AND 1000000000),
	CONSTRAINT usage_tiers_rollover_percent_check CHECK (rollover_percent BETWEEN 0 AND 1000),
	CONSTRAINT usage_tiers_overage_rate_minutes_check CHECK (overage_rate_minutes >= 0 AND overage_rate_minutes <> 'NaN'),
	CONSTRAINT usage_tiers_overage_rate_sms_check CHECK (overage_rate_sms >= 0 AND overage_rate_sms <> 'NaN'),
	CONSTRAINT usage_tiers_monthly_price_check CHECK (monthly_price >= 0 AND monthly_price <> 'NaN')
);
COMMENT ON TABLE platform.usage_tiers IS
	'What a tier includes in a period, and what it costs.';
COMMENT ON COLUMN platform.usage_tiers.aliases IS
	'Other names under which a payment provider may know it.';
COMMENT ON COLUMN platform.usage_tiers.grace_seconds IS
	'Seconds of calls beyond what is included before calls are stopped.';
COMMENT ON COLUMN platform.usage_tiers.rollover_percent IS
	'At most so much of the cap goes over, unused, into the next period.';

-- Prices and caps as they were. Rows are only added; effective_until is set once.
CREATE TABLE IF NOT EXISTS platform.tier_snapshots (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	tier_id text NOT NULL,
	tier_name text NOT NULL,
	free_minutes integer NOT NULL,
	free_sms integer NOT NULL,
	call_cap_seconds bigint NOT NULL,
	sms_cap bigint NOT NULL,
	grace_seconds bigint NOT NULL,
	rollover_percent integer NOT NULL,
	overage_rate_minutes numeric(10,4) NOT NULL,
	overage_rate_sms numeric(10,4) NOT NULL,
	monthly_price numeric(10,2),
	effective_from timestamptz NOT NULL DEFAULT clock_timestamp(),
	effective_until timestamptz,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT tier_snapshots_pkey PRIMARY KEY (id),
	CONSTRAINT tier_snapshots_effective_check CHECK (effective_from <= effective_until)
);
CREATE UNIQUE INDEX IF NOT EXISTS tier_snapshots_tier_id_idx
	ON platform.tier_snapshots (tier_id) WHERE effective_until IS NULL;
CREATE INDEX IF NOT EXISTS tier_snapshots_tier_id_effective_from_idx
	ON platform.tier_snapshots (tier_id, effective_from);
CREATE INDEX IF NOT EXISTS tier_snapshots_effective_from_idx
	ON platform.tier_snapshots (effective_from);
COMMENT ON TABLE platform.tier_snapshots IS
	'Each version of a tier. Periods and events name the one in force, so that what was used is priced as it was sold.';
COMMENT ON COLUMN platform.tier_snapshots.free_minutes IS
	'call_cap_seconds in whole minutes.';
COMMENT ON COLUMN platform.tier_snapshots.effective_until IS
	'When the next version replaced it; NULL: the present one.';

-- One row a customer: the present period. Written past the executor: triggers do
-- not fire for what the functions write. Periods are in usage_periods.
CREATE TABLE IF NOT EXISTS platform.usage_limits (
	user_id uuid NOT NULL,
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	period_id uuid NOT NULL DEFAULT platform.uuid7(),
	period_start timestamptz NOT NULL DEFAULT now(),
	period_end timestamptz NOT NULL DEFAULT now() + interval '30 days',
	call_used_seconds bigint NOT NULL DEFAULT 0,
	sms_used bigint NOT NULL DEFAULT 0,
	call_cap_seconds bigint NOT NULL DEFAULT 0,
	sms_cap bigint NOT NULL DEFAULT 0,
	call_credit bigint NOT NULL DEFAULT 0,
	sms_credit bigint NOT NULL DEFAULT 0,
	rollover_seconds bigint NOT NULL DEFAULT 0,
	grace_seconds bigint NOT NULL DEFAULT 0,
	sms_reserved bigint NOT NULL DEFAULT 0,
	sms_reserved_until timestamptz,
	updated_at timestamptz NOT NULL DEFAULT now(),
	tier_snapshot_id uuid,
	tier_since timestamptz NOT NULL DEFAULT '-infinity',
	period_anchor timestamptz NOT NULL DEFAULT now(),
	period_step interval NOT NULL DEFAULT '30 days',
	plan_ends_at timestamptz,
	soft_limit_threshold integer NOT NULL DEFAULT 80,
	hard_limit_threshold integer NOT NULL DEFAULT 100,
	hard_stop_active boolean NOT NULL DEFAULT true,
	sms_hard_stop_active boolean NOT NULL DEFAULT true,
	force_pause boolean NOT NULL DEFAULT false,
	force_resume boolean NOT NULL DEFAULT false,
	force_until timestamptz,
	limit_state text NOT NULL DEFAULT 'hard',
	sms_limit_state text NOT NULL DEFAULT 'hard',
	limit_action text NOT NULL DEFAULT 'block',
	plan_status text NOT NULL DEFAULT 'none',
	period_timezone text NOT NULL DEFAULT 'UTC',
	tier text,
	last_warning_at timestamptz,
	last_block_at timestamptz,
	force_reason text,
	force_by text,
	subscription_id uuid,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT usage_limits_pkey PRIMARY KEY (organization_id, user_id),
	CONSTRAINT usage_limits_period_check CHECK (period_start < period_end),
	CONSTRAINT usage_limits_call_used_seconds_check CHECK (call_used_seconds BETWEEN 0 AND 1000000000000000),
	CONSTRAINT usage_limits_sms_used_check CHECK (sms_used BETWEEN 0 AND 1000000000000000),
	CONSTRAINT usage_limits_call_cap_seconds_check CHECK (call_cap_seconds BETWEEN 0 AND 1000000000000),
	CONSTRAINT usage_limits_sms_cap_check CHECK (sms_cap BETWEEN 0 AND 1000000000000),
	CONSTRAINT usage_limits_call_credit_check CHECK (call_credit BETWEEN 0 AND 1000000000000),
	CONSTRAINT usage_limits_sms_credit_check CHECK (sms_credit BETWEEN 0 AND 1000000000000),
	CONSTRAINT usage_limits_rollover_seconds_check CHECK (rollover_seconds BETWEEN 0 AND 10000000000000),
	CONSTRAINT usage_limits_grace_seconds_check CHECK (grace_seconds BETWEEN 0 AND 1000000000),
	CONSTRAINT usage_limits_sms_reserved_check CHECK (sms_reserved >= 0),
	CONSTRAINT usage_limits_thresholds_check CHECK (soft_limit_threshold >= 1 AND soft_limit_threshold <= hard_limit_threshold AND hard_limit_threshold <= 100),
	CONSTRAINT usage_limits_force_check CHECK (NOT (force_pause AND force_resume) AND (force_until IS NOT NULL) = (force_pause OR force_resume)),
	CONSTRAINT usage_limits_limit_state_check CHECK (limit_state IN ('under', 'soft', 'hard')),
	CONSTRAINT usage_limits_sms_limit_state_check CHECK (sms_limit_state IN ('under', 'soft', 'hard')),
	CONSTRAINT usage_limits_limit_action_check CHECK (limit_action IN ('warn', 'throttle', 'block', 'notify-billing')),
	CONSTRAINT usage_limits_plan_status_check CHECK (plan_status IN ('none', 'active', 'ended')),
	CONSTRAINT usage_limits_period_step_check CHECK (period_step >= interval '1 day')
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS usage_limits_user_id_idx ON platform.usage_limits (user_id);
CREATE INDEX IF NOT EXISTS usage_limits_period_end_idx ON platform.usage_limits (period_end);
CREATE INDEX IF NOT EXISTS usage_limits_tier_snapshot_id_idx ON platform.usage_limits (tier_snapshot_id);
COMMENT ON TABLE platform.usage_limits IS
	'What a customer may use in the present period, and has used. The limit is cap + credit + rollover + grace.';
COMMENT ON COLUMN platform.usage_limits.period_id IS
	'The row of usage_periods; the present one''s counters are here.';
COMMENT ON COLUMN platform.usage_limits.period_end IS
	'The first moment of the next period. One that is past is rolled by whoever writes next.';
COMMENT ON COLUMN platform.usage_limits.call_credit IS
	'Seconds bought; what a period does not use of them stays.';
COMMENT ON COLUMN platform.usage_limits.sms_credit IS
	'Segments bought; what a period does not use of them stays.';
COMMENT ON COLUMN platform.usage_limits.rollover_seconds IS
	'What was left of the cap of periods before, at most the tier''s rollover_percent of a cap.';
COMMENT ON COLUMN platform.usage_limits.sms_reserved IS
	'Segments of open sms_reservations.';
COMMENT ON COLUMN platform.usage_limits.sms_reserved_until IS
	'Not later than the end of the reservation that ends first.';
COMMENT ON COLUMN platform.usage_limits.limit_state IS
	'Of calls: under, soft from soft_limit_threshold percent of the limit, hard from hard_limit_threshold percent.';
COMMENT ON COLUMN platform.usage_limits.hard_stop_active IS
	'limit_state is hard and limit_action block. Nothing but this arithmetic sets it.';
COMMENT ON COLUMN platform.usage_limits.force_pause IS
	'An operator stops the customer until force_until, whatever the limit.';
COMMENT ON COLUMN platform.usage_limits.force_resume IS
	'An operator lets the customer go on until force_until, whatever the limit.';
COMMENT ON COLUMN platform.usage_limits.plan_status IS
	'none: never had a plan; ended: lost its caps, keeps what it bought.';
COMMENT ON COLUMN platform.usage_limits.plan_ends_at IS
	'When the caps are lost; NULL: no end is known.';
COMMENT ON COLUMN platform.usage_limits.tier_since IS
	'From when on tier_snapshot_id is in force; before, see usage_tier_changes.';
COMMENT ON COLUMN platform.usage_limits.period_anchor IS
	'Periods end at this moment plus whole steps, on the clock of period_timezone.';
COMMENT ON COLUMN platform.usage_limits.subscription_id IS
	'The row of subscriptions that the plan comes from.';

-- A row a customer and period, the present one included: its counters are final
-- when closed_at is set, and in usage_limits before. What comes later for a closed period
-- is counted here, and marks it.
CREATE TABLE IF NOT EXISTS platform.usage_periods (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	period_start timestamptz NOT NULL,
	period_end timestamptz NOT NULL,
	tier text,
	tier_snapshot_id uuid,
	plan_status text NOT NULL DEFAULT 'none',
	call_used_seconds bigint NOT NULL DEFAULT 0,
	call_cap_seconds bigint NOT NULL DEFAULT 0,
	call_credit bigint NOT NULL DEFAULT 0,
	rollover_seconds bigint NOT NULL DEFAULT 0,
	rollover_bound bigint NOT NULL DEFAULT 0,
	grace_seconds bigint NOT NULL DEFAULT 0,
	sms_used bigint NOT NULL DEFAULT 0,
	sms_cap bigint NOT NULL DEFAULT 0,
	sms_credit bigint NOT NULL DEFAULT 0,
	closed_at timestamptz,
	rebill_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT usage_periods_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT usage_periods_organization_id_user_id_period_start_key UNIQUE (organization_id, user_id, period_start),
	CONSTRAINT usage_periods_period_check CHECK (period_start < period_end),
	CONSTRAINT usage_periods_plan_status_check CHECK (plan_status IN ('none', 'active', 'ended'))
);
CREATE INDEX IF NOT EXISTS usage_periods_user_id_idx ON platform.usage_periods (user_id);
CREATE INDEX IF NOT EXISTS usage_periods_tier_snapshot_id_idx ON platform.usage_periods (tier_snapshot_id);
CREATE INDEX IF NOT EXISTS usage_periods_period_end_idx ON platform.usage_periods (period_end);
CREATE INDEX IF NOT EXISTS usage_periods_rebill_at_idx
	ON platform.usage_periods (rebill_at) WHERE rebill_at IS NOT NULL;
COMMENT ON TABLE platform.usage_periods IS
	'The periods of a customer, without gap. Of closed ones everything is final but for late events.';
COMMENT ON COLUMN platform.usage_periods.tier_snapshot_id IS
	'The prices in force at its start; events name theirs.';
COMMENT ON COLUMN platform.usage_periods.call_credit IS
	'Bought seconds that were there, with those bought during it.';
COMMENT ON COLUMN platform.usage_periods.rollover_bound IS
	'At most so many seconds went over into the next period.';
COMMENT ON COLUMN platform.usage_periods.rebill_at IS
	'When something changed after it was closed; bills made before are to be made anew.';

-- From when on which prices; events that are late look theirs up.
CREATE TABLE IF NOT EXISTS platform.usage_tier_changes (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	effective_from timestamptz NOT NULL,
	tier text NOT NULL,
	tier_snapshot_id uuid NOT NULL,
	reason text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT usage_tier_changes_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT usage_tier_changes_reason_check CHECK (reason IN ('tier', 'period', 'subscription'))
);
CREATE INDEX IF NOT EXISTS usage_tier_changes_organization_id_user_id_effective_from_idx
	ON platform.usage_tier_changes (organization_id, user_id, effective_from);
CREATE INDEX IF NOT EXISTS usage_tier_changes_tier_snapshot_id_idx
	ON platform.usage_tier_changes (tier_snapshot_id);
COMMENT ON TABLE platform.usage_tier_changes IS
	'When a customer''s tier, or its prices, changed.';

-- What was used, one row an event, append-only, written past the executor. The
-- sum over the rows of a call is its length: corrections are differences. They
-- belong to the moment, period and prices of the call.
CREATE TABLE IF NOT EXISTS platform.call_events (
	id uuid NOT NULL,
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	period_id uuid NOT NULL,
	tier_snapshot_id uuid,
	occurred_at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL,
	seconds bigint NOT NULL,
	total_seconds bigint NOT NULL,
	cost_cents bigint NOT NULL DEFAULT 0,
	sequence integer NOT NULL,
	event_type text NOT NULL,
	call_id text COLLATE pg_catalog."C" NOT NULL,
	event_id text COLLATE pg_catalog."C",
	direction text,
	phone_number text,
	agent_id text,
	reason text,
	CONSTRAINT call_events_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT call_events_organization_id_call_id_sequence_key UNIQUE (organization_id, call_id, sequence),
	CONSTRAINT call_events_event_type_check CHECK (event_type IN ('usage', 'correction', 'adjustment')),
	CONSTRAINT call_events_direction_check CHECK (direction IN ('inbound', 'outbound')),
	CONSTRAINT call_events_total_seconds_check CHECK (total_seconds >= 0)
);
CREATE INDEX IF NOT EXISTS call_events_period_id_idx ON platform.call_events (period_id);
CREATE UNIQUE INDEX IF NOT EXISTS call_events_organization_id_event_id_idx
	ON platform.call_events (organization_id, event_id) WHERE event_id IS NOT NULL;
COMMENT ON TABLE platform.call_events IS
	'Seconds of calls, as they were reported: the source of counters and bills. Append-only.';
COMMENT ON COLUMN platform.call_events.seconds IS
	'Signed: what this event added.';
COMMENT ON COLUMN platform.call_events.total_seconds IS
	'The call''s length as this event reported it.';
COMMENT ON COLUMN platform.call_events.sequence IS
	'1 the first report of the call, then its corrections.';
COMMENT ON COLUMN platform.call_events.cost_cents IS
	'Signed: what the provider charges for it.';
COMMENT ON COLUMN platform.call_events.event_id IS
	'The provider''s own key of the report: an organization has each once.';
COMMENT ON COLUMN platform.call_events.occurred_at IS
	'When the call ended; decides its period.';
COMMENT ON COLUMN platform.call_events.tier_snapshot_id IS
	'The prices in force then; NULL: there was no plan.';

CREATE TABLE IF NOT EXISTS platform.sms_events (
	id uuid NOT NULL,
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	period_id uuid NOT NULL,
	tier_snapshot_id uuid,
	occurred_at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL,
	segments bigint NOT NULL,
	total_segments bigint NOT NULL,
	cost_cents bigint NOT NULL DEFAULT 0,
	sequence integer NOT NULL,
	event_type text NOT NULL,
	message_id text COLLATE pg_catalog."C" NOT NULL,
	event_id text COLLATE pg_catalog."C",
	direction text,
	phone_number text,
	agent_id text,
	reason text,
	CONSTRAINT sms_events_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT sms_events_organization_id_message_id_sequence_key UNIQUE (organization_id, message_id, sequence),
	CONSTRAINT sms_events_event_type_check CHECK (event_type IN ('usage', 'correction', 'adjustment')),
	CONSTRAINT sms_events_direction_check CHECK (direction IN ('inbound', 'outbound')),
	CONSTRAINT sms_events_total_segments_check CHECK (total_segments >= 0)
);
CREATE INDEX IF NOT EXISTS sms_events_period_id_idx ON platform.sms_events (period_id);
CREATE UNIQUE INDEX IF NOT EXISTS sms_events_organization_id_event_id_idx
	ON platform.sms_events (organization_id, event_id) WHERE event_id IS NOT NULL;
COMMENT ON TABLE platform.sms_events IS
	'Segments of messages, as they were reported: the source of counters and bills. Append-only.';
COMMENT ON COLUMN platform.sms_events.segments IS
	'Signed: what this event added.';
COMMENT ON COLUMN platform.sms_events.total_segments IS
	'The message''s segments as this event reported them.';
COMMENT ON COLUMN platform.sms_events.sequence IS
	'1 the first report of the message, then its corrections.';
COMMENT ON COLUMN platform.sms_events.cost_cents IS
	'Signed: what the provider charges for it.';
COMMENT ON COLUMN platform.sms_events.tier_snapshot_id IS
	'The prices in force then; NULL: there was no plan.';

CREATE TABLE IF NOT EXISTS platform.usage_alerts (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	period_id uuid NOT NULL,
	alert_type text NOT NULL,
	severity text NOT NULL,
	used bigint NOT NULL,
	usage_limit bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	acknowledged_at timestamptz,
	acknowledged_by text,
	CONSTRAINT usage_alerts_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT usage_alerts_period_id_organization_id_alert_type_usage_lim_key UNIQUE (period_id, organization_id, alert_type, usage_limit),
	CONSTRAINT usage_alerts_alert_type_check CHECK (alert_type IN ('call_soft', 'call_hard', 'call_block', 'sms_soft', 'sms_hard', 'sms_block')),
	CONSTRAINT usage_alerts_severity_check CHECK (severity IN ('info', 'warning', 'critical'))
);
CREATE INDEX IF NOT EXISTS usage_alerts_user_id_alert_type_idx ON platform.usage_alerts (user_id, alert_type);
CREATE INDEX IF NOT EXISTS usage_alerts_organization_id_user_id_created_at_idx
	ON platform.usage_alerts (organization_id, user_id, created_at);
COMMENT ON TABLE platform.usage_alerts IS
	'A customer reached a part of its limit: once for each limit in a period, whatever goes up and down.';
COMMENT ON COLUMN platform.usage_alerts.usage_limit IS
	'Cap + credit + rollover + grace at that moment: what is bought later can be reached again.';

CREATE TABLE IF NOT EXISTS platform.usage_snapshots (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	source text NOT NULL,
	minutes_used bigint NOT NULL,
	cap_minutes bigint NOT NULL,
	remaining_minutes bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT usage_snapshots_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT usage_snapshots_source_check CHECK (length(source) BETWEEN 1 AND 63)
);
CREATE INDEX IF NOT EXISTS usage_snapshots_organization_id_user_id_created_at_idx
	ON platform.usage_snapshots (organization_id, user_id, created_at);
COMMENT ON TABLE platform.usage_snapshots IS
	'Minutes of calls at a moment, rounded up, for charts.';

CREATE TABLE IF NOT EXISTS platform.subscriptions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	stripe_subscription_id text NOT NULL,
	stripe_customer_id text,
	tier text,
	status text NOT NULL,
	current_period_start timestamptz,
	current_period_end timestamptz,
	cancel_at_period_end boolean NOT NULL DEFAULT false,
	cancel_at timestamptz,
	canceled_at timestamptz,
	ended_at timestamptz,
	last_event_at timestamptz NOT NULL,
	last_event_ids text[] NOT NULL DEFAULT '{}',
	last_event_rank integer NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT subscriptions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT subscriptions_stripe_subscription_id_key UNIQUE (stripe_subscription_id),
	CONSTRAINT subscriptions_status_check CHECK (status IN ('incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'canceled', 'unpaid', 'paused')),
	CONSTRAINT subscriptions_current_period_check CHECK (current_period_start < current_period_end)
);
CREATE INDEX IF NOT EXISTS subscriptions_organization_id_user_id_idx
	ON platform.subscriptions (organization_id, user_id);
CREATE INDEX IF NOT EXISTS subscriptions_user_id_idx ON platform.subscriptions (user_id);
COMMENT ON TABLE platform.subscriptions IS
	'Subscriptions as the payment provider''s newest event describes them.';
COMMENT ON COLUMN platform.subscriptions.last_event_at IS
	'When the provider made that event: older ones change nothing.';
COMMENT ON COLUMN platform.subscriptions.last_event_ids IS
	'The events of that second that were applied.';
COMMENT ON COLUMN platform.subscriptions.last_event_rank IS
	'Within a second: 0 created, 1 updated, 2 deleted.';

CREATE TABLE IF NOT EXISTS platform.usage_top_up_packages (
	package text NOT NULL,
	call_seconds bigint NOT NULL DEFAULT 0,
	sms_segments bigint NOT NULL DEFAULT 0,
	price_cents bigint NOT NULL,
	currency text NOT NULL DEFAULT 'USD',
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT usage_top_up_packages_pkey PRIMARY KEY (package),
	CONSTRAINT usage_top_up_packages_package_check CHECK (length(package) BETWEEN 1 AND 63),
	CONSTRAINT usage_top_up_packages_call_seconds_check CHECK (call_seconds BETWEEN 0 AND 1000000000),
	CONSTRAINT usage_top_up_packages_sms_segments_check CHECK (sms_segments BETWEEN 0 AND 1000000000),
	CONSTRAINT usage_top_up_packages_content_check CHECK (call_seconds > 0 OR sms_segments > 0),
	CONSTRAINT usage_top_up_packages_price_cents_check CHECK (price_cents >= 0),
	CONSTRAINT usage_top_up_packages_currency_check CHECK (currency ~ '^[A-Z]{3}$')
);
COMMENT ON TABLE platform.usage_top_up_packages IS
	'What may be bought beside a tier.';

CREATE TABLE IF NOT EXISTS platform.usage_top_ups (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	provider text NOT NULL,
	payment_id text NOT NULL,
	package text NOT NULL,
	call_seconds bigint NOT NULL,
	sms_segments bigint NOT NULL,
	price_cents bigint NOT NULL,
	currency text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT usage_top_ups_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT usage_top_ups_provider_payment_id_key UNIQUE (provider, payment_id),
	CONSTRAINT usage_top_ups_provider_check CHECK (length(provider) BETWEEN 1 AND 63),
	CONSTRAINT usage_top_ups_payment_id_check CHECK (length(payment_id) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS usage_top_ups_organization_id_user_id_created_at_idx
	ON platform.usage_top_ups (organization_id, user_id, created_at);
CREATE INDEX IF NOT EXISTS usage_top_ups_user_id_idx ON platform.usage_top_ups (user_id);
COMMENT ON TABLE platform.usage_top_ups IS
	'Payments that were credited, each once.';

CREATE TABLE IF NOT EXISTS platform.sms_reservations (
	id uuid NOT NULL,
	organization_id uuid NOT NULL,
	user_id uuid NOT NULL,
	segments bigint NOT NULL,
	status text NOT NULL DEFAULT 'open',
	idempotency_key text,
	message_id text,
	expires_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	settled_at timestamptz,
	CONSTRAINT sms_reservations_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT sms_reservations_organization_id_idempotency_key_key UNIQUE (organization_id, idempotency_key),
	CONSTRAINT sms_reservations_segments_check CHECK (segments > 0),
	CONSTRAINT sms_reservations_status_check CHECK (status IN ('open', 'committed', 'released', 'expired')),
	CONSTRAINT sms_reservations_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS sms_reservations_organization_id_user_id_expires_at_idx
	ON platform.sms_reservations (organization_id, user_id, expires_at) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS sms_reservations_user_id_idx ON platform.sms_reservations (user_id);
COMMENT ON TABLE platform.sms_reservations IS
	'Segments set aside for messages that are about to be sent.';

CREATE TABLE IF NOT EXISTS platform.user_premium_features (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	feature text NOT NULL,
	starts_at timestamptz NOT NULL DEFAULT now(),
	ends_at timestamptz,
	monthly_price numeric(10,2) NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT user_premium_features_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT user_premium_features_feature_check CHECK (length(feature) BETWEEN 1 AND 63),
	CONSTRAINT user_premium_features_period_check CHECK (starts_at <= ends_at),
	CONSTRAINT user_premium_features_monthly_price_check CHECK (monthly_price >= 0 AND monthly_price <> 'NaN')
);
CREATE UNIQUE INDEX IF NOT EXISTS user_premium_features_organization_id_user_id_feature_idx
	ON platform.user_premium_features (organization_id, user_id, feature) WHERE ends_at IS NULL;
CREATE INDEX IF NOT EXISTS user_premium_features_organization_id_user_id_starts_at_idx
	ON platform.user_premium_features (organization_id, user_id, starts_at);
CREATE INDEX IF NOT EXISTS user_premium_features_user_id_idx ON platform.user_premium_features (user_id);
COMMENT ON TABLE platform.user_premium_features IS
	'Add-ons of a customer: post_call_sms, review_requests, zapier_webhooks, and from when to when.';

CREATE TABLE IF NOT EXISTS platform.premium_features (
	feature text NOT NULL,
	monthly_price numeric(10,2) NOT NULL,
	is_active boolean NOT NULL DEFAULT true,
	CONSTRAINT premium_features_pkey PRIMARY KEY (feature),
	CONSTRAINT premium_features_feature_check CHECK (length(feature) BETWEEN 1 AND 63),
	CONSTRAINT premium_features_monthly_price_check CHECK (monthly_price >= 0 AND monthly_price <> 'NaN')
);
COMMENT ON TABLE platform.premium_features IS
	'The add-ons that are sold, and what they cost a month.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('usage_tiers', 'global', '{}', 'one catalogue for all organizations'),
	('tier_snapshots', 'global', '{}', 'versions of that catalogue'),
	('usage_limits', 'tenant', '{}', NULL),
	('usage_periods', 'tenant', '{}', NULL),
	('usage_tier_changes', 'tenant', '{}', NULL),
	('call_events', 'tenant', '{}', NULL),
	('sms_events', 'tenant', '{}', NULL),
	('usage_alerts', 'tenant', '{}', NULL),
	('usage_snapshots', 'tenant', '{}', NULL),
	('subscriptions', 'tenant', '{subscriptions_stripe_subscription_id_key}', NULL),
	('usage_top_up_packages', 'global', '{}', 'one catalogue for all organizations'),
	('usage_top_ups', 'tenant', '{usage_top_ups_provider_payment_id_key}', NULL),
	('sms_reservations', 'tenant', '{}', NULL),
	('user_premium_features', 'tenant', '{}', NULL),
	('premium_features', 'global', '{}', 'one catalogue for all organizations')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.premium_features,
	platform.user_premium_features,
	platform.sms_reservations,
	platform.usage_top_ups,
	platform.usage_top_up_packages,
	platform.subscriptions,
	platform.usage_snapshots,
	platform.usage_alerts,
	platform.sms_events,
	platform.call_events,
	platform.usage_tier_changes,
	platform.usage_periods,
	platform.usage_limits,
	platform.tier_snapshots,
	platform.usage_tiers;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'usage_tiers', 'tier_snapshots', 'usage_limits', 'usage_periods', 'usage_tier_changes', 'call_events', 'sms_events',
	'usage_alerts', 'usage_snapshots', 'subscriptions', 'usage_top_up_packages', 'usage_top_ups', 'sms_reservations',
	'user_premium_features', 'premium_features');

-- checks

-- check: a tier has one present version
SELECT t.tier FROM platform.usage_tiers t
WHERE NOT EXISTS (SELECT 1 FROM platform.tier_snapshots s WHERE s.tier_id = t.tier AND s.effective_until IS NULL);
-- check: the present period of every customer has its row
SELECT l.organization_id, l.user_id FROM platform.usage_limits l
WHERE NOT EXISTS (SELECT 1 FROM platform.usage_periods p
	WHERE p.id = l.period_id AND p.organization_id = l.organization_id AND p.closed_at IS NULL);
