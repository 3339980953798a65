-- migration 140 health: scores of customers, their history, churn alerts, and the rules
-- requires: tenants ops

-- up

-- One row a customer, that is, an organization.
CREATE TABLE IF NOT EXISTS platform.customer_health_scores (
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	score integer NOT NULL,
	grade text NOT NULL,
	risk_level text NOT NULL,
	usage_score integer NOT NULL,
	engagement_score integer NOT NULL,
	feature_adoption_score integer NOT NULL,
	payment_score integer NOT NULL,
	baseline_score integer NOT NULL,
	baseline_at timestamptz NOT NULL DEFAULT now(),
	last_activity_at timestamptz,
	factors jsonb NOT NULL DEFAULT '{}',
	last_calculated timestamptz NOT NULL DEFAULT now(),
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT customer_health_scores_pkey PRIMARY KEY (organization_id),
	CONSTRAINT customer_health_scores_score_check CHECK (score BETWEEN 0 AND 100),
	CONSTRAINT customer_health_scores_grade_check CHECK (grade IN ('A', 'B', 'C', 'D', 'F')),
	CONSTRAINT customer_health_scores_risk_level_check CHECK (risk_level IN ('low', 'medium', 'high', 'critical')),
	CONSTRAINT customer_health_scores_usage_score_check CHECK (usage_score BETWEEN 0 AND 100),
	CONSTRAINT customer_health_scores_engagement_score_check CHECK (engagement_score BETWEEN 0 AND 100),
	CONSTRAINT customer_health_scores_feature_adoption_score_check CHECK (feature_adoption_score BETWEEN 0 AND 100),
	CONSTRAINT customer_health_scores_payment_score_check CHECK (payment_score BETWEEN 0 AND 100),
	CONSTRAINT customer_health_scores_baseline_score_check CHECK (baseline_score BETWEEN 0 AND 100)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS customer_health_scores_score_idx ON platform.customer_health_scores (score);
COMMENT ON TABLE platform.customer_health_scores IS
	'How each customer fares: four parts of 25, a grade, a risk.';
COMMENT ON COLUMN platform.customer_health_scores.baseline_score IS
	'The highest score since somebody last looked after a drop: what the score is compared with.';
COMMENT ON COLUMN platform.customer_health_scores.last_activity_at IS
	'The last call, session or action in the audit trail; NULL: none ever seen.';
COMMENT ON COLUMN platform.customer_health_scores.factors IS
	'What the score was made of.';
COMMENT ON COLUMN platform.customer_health_scores.last_calculated IS
	'When this row was written: a calculation rewrites a row whose score changed, or that is a day old.';

-- One row a customer and day on which its score changed.
CREATE TABLE IF NOT EXISTS platform.customer_health_history (
	organization_id uuid NOT NULL,
	calculated_on date NOT NULL,
	score integer NOT NULL,
	grade text NOT NULL,
	risk_level text NOT NULL,
	factors jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT customer_health_history_pkey PRIMARY KEY (organization_id, calculated_on),
	CONSTRAINT customer_health_history_score_check CHECK (score BETWEEN 0 AND 100)
);
COMMENT ON TABLE platform.customer_health_history IS
	'The score of each customer on the days on which it changed; the last one of a day.';
COMMENT ON COLUMN platform.customer_health_history.calculated_on IS
	'The day in UTC.';

CREATE TABLE IF NOT EXISTS platform.churn_alerts (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	alert_type text NOT NULL,
	severity text NOT NULL,
	title text NOT NULL,
	message text,
	score_before integer,
	score_after integer,
	metadata jsonb NOT NULL DEFAULT '{}',
	email_due boolean NOT NULL DEFAULT false,
	email_sent boolean NOT NULL DEFAULT false,
	email_sent_at timestamptz,
	acknowledged boolean NOT NULL DEFAULT false,
	acknowledged_by text,
	acknowledged_at timestamptz,
	resolved boolean NOT NULL DEFAULT false,
	resolved_by text,
	resolved_at timestamptz,
	resolution_notes text,
	auto_resolved boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT churn_alerts_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT churn_alerts_alert_type_check CHECK (alert_type IN ('score_drop', 'inactivity', 'usage_decline', 'payment_issue')),
	CONSTRAINT churn_alerts_severity_check CHECK (severity IN ('low', 'medium', 'high', 'critical')),
	CONSTRAINT churn_alerts_resolved_check CHECK (resolved = (resolved_at IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS churn_alerts_organization_id_alert_type_idx
	ON platform.churn_alerts (organization_id, alert_type) WHERE NOT resolved;
CREATE INDEX IF NOT EXISTS churn_alerts_organization_id_created_at_idx
	ON platform.churn_alerts (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS churn_alerts_created_at_idx
	ON platform.churn_alerts (created_at DESC) WHERE NOT resolved;
COMMENT ON TABLE platform.churn_alerts IS
	'Customers who may leave, and why; one open alert of a kind for each.';
COMMENT ON COLUMN platform.churn_alerts.email_due IS
	'The score fell below where the customer is written to.';
COMMENT ON COLUMN platform.churn_alerts.auto_resolved IS
	'The cause went away; nobody closed it by hand.';

-- From threshold on (exclusive: above it) a signal gives so many points, up to the next one.
CREATE TABLE IF NOT EXISTS platform.health_thresholds (
	signal text NOT NULL,
	threshold double precision NOT NULL,
	exclusive boolean NOT NULL DEFAULT false,
	points integer NOT NULL,
	CONSTRAINT health_thresholds_pkey PRIMARY KEY (signal, threshold),
	CONSTRAINT health_thresholds_signal_check CHECK (signal IN ('usage_percent', 'idle_days', 'contacts', 'agents', 'webhooks', 'calendars', 'sms_cap', 'personal_phones')),
	CONSTRAINT health_thresholds_points_check CHECK (points BETWEEN 0 AND 25)
);
COMMENT ON TABLE platform.health_thresholds IS
	'Points of each signal, by the value from which they count.';
COMMENT ON COLUMN platform.health_thresholds.exclusive IS
	'They count above the threshold, not at it.';

CREATE TABLE IF NOT EXISTS platform.health_payment_states (
	status text NOT NULL,
	points integer NOT NULL,
	alert_severity text,
	CONSTRAINT health_payment_states_pkey PRIMARY KEY (status),
	CONSTRAINT health_payment_states_points_check CHECK (points BETWEEN 0 AND 25),
	CONSTRAINT health_payment_states_alert_severity_check CHECK (alert_severity IN ('low', 'medium', 'high', 'critical'))
);
COMMENT ON TABLE platform.health_payment_states IS
	'Points of the state of a subscription; other: of one not listed, none: without a subscription.';
COMMENT ON COLUMN platform.health_payment_states.alert_severity IS
	'Of the alert payment_issue; NULL: no alert.';

CREATE TABLE IF NOT EXISTS platform.health_settings (
	name text NOT NULL,
	value double precision NOT NULL,
	description text NOT NULL,
	CONSTRAINT health_settings_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE platform.health_settings IS
	'Where grades, risks and alerts begin.';

INSERT INTO platform.health_thresholds (signal, threshold, exclusive, points) VALUES
	('usage_percent', 0, false, 5),
	('usage_percent', 10, false, 15),
	('usage_percent', 30, false, 20),
	('usage_percent', 50, false, 25),
	('usage_percent', 80, true, 22),
	('idle_days', 0, false, 15),
	('idle_days', 1, true, 12),
	('idle_days', 3, true, 8),
	('idle_days', 7, true, 4),
	('idle_days', 14, true, 0),
	('contacts', 1, false, 4),
	('contacts', 5, false, 7),
	('contacts', 10, false, 10),
	('agents', 1, false, 10),
	('webhooks', 1, false, 5),
	('calendars', 1, false, 5),
	('sms_cap', 0, true, 3),
	('personal_phones', 1, false, 2)
ON CONFLICT (signal, threshold) DO NOTHING;

INSERT INTO platform.health_payment_states (status, points, alert_severity) VALUES
	('active', 25, NULL),
	('trialing', 20, NULL),
	('past_due', 5, 'high'),
	('canceled', 0, 'critical'),
	('unpaid', 5, 'high'),
	('other', 15, 'medium'),
	('none', 10, NULL)
ON CONFLICT (status) DO NOTHING;

INSERT INTO platform.health_settings (name, value, description) VALUES
	('grade_a', 90, 'grade A from this score on'),
	('grade_b', 80, 'grade B'),
	('grade_c', 70, 'grade C'),
	('grade_d', 60, 'grade D; below it F'),
	('risk_low', 80, 'risk low from this score on'),
	('risk_medium', 60, 'risk medium'),
	('risk_high', 40, 'risk high; below it critical'),
	('contact_days', 7, 'days over which contacts are counted'),
	('drop_medium', 15, 'points below the baseline: alert score_drop of severity medium'),
	('drop_high', 20, 'the same, high'),
	('drop_critical', 30, 'the same, critical'),
	('email_below', 40, 'a fall below this score makes an e-mail to the customer due'),
	('inactive_days', 7, 'days without activity: alert inactivity'),
	('decline_calls', 10, 'calls a week before, below which a decline does not count'),
	('decline_medium', 50, 'percent fewer calls than in the weeks before: alert usage_decline of severity medium'),
	('decline_high', 75, 'the same, high'),
	('decline_critical', 100, 'the same, critical'),
	('repeat_days', 7, 'days after an alert was resolved by hand before its kind may come again')
ON CONFLICT (name) DO NOTHING;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('customer_health_scores', 'tenant', '{}', NULL),
	('customer_health_history', 'tenant', '{}', NULL),
	('churn_alerts', 'tenant', '{}', NULL),
	('health_thresholds', 'global', '{}', 'one set of rules for all organizations'),
	('health_payment_states', 'global', '{}', 'one set of rules for all organizations'),
	('health_settings', 'global', '{}', 'one set of rules for all organizations')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.health_settings,
	platform.health_payment_states,
	platform.health_thresholds,
	platform.churn_alerts,
	platform.customer_health_history,
	platform.customer_health_scores;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'customer_health_scores', 'customer_health_history', 'churn_alerts',
	'health_thresholds', 'health_payment_states', 'health_settings');

-- checks

-- check: a score is the sum of its parts
SELECT organization_id FROM platform.customer_health_scores
WHERE score <> usage_score + engagement_score + feature_adoption_score + payment_score;
-- check: the parts of the score do not exceed 25
SELECT g.part FROM (SELECT CASE WHEN m.signal IN ('idle_days', 'contacts') THEN 'engagement' WHEN m.signal = 'usage_percent' THEN 'usage' ELSE 'adoption' END AS part, m.points
	FROM (SELECT t.signal, pg_catalog.max(t.points) AS points FROM platform.health_thresholds t GROUP BY t.signal) AS m) AS g
GROUP BY g.part HAVING pg_catalog.sum(g.points) > 25;
-- check: every setting is there
SELECT s.name FROM pg_catalog.unnest('{grade_a,grade_b,grade_c,grade_d,risk_low,risk_medium,risk_high,contact_days,drop_medium,drop_high,drop_critical,email_below,inactive_days,decline_calls,decline_medium,decline_high,decline_critical,repeat_days}'::text[]) AS s (name)
WHERE NOT EXISTS (SELECT 1 FROM platform.health_settings h WHERE h.name = s.name);
