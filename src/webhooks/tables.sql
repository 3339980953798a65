-- migration 90 webhooks: events, subscriptions, deliveries, attempts
-- requires: tenants

-- up

-- Append-only; written past the executor by emit_event(). Readers find what is new by
-- transaction: an event counts from the commit of its transaction on, whatever its id.
-- created_at is the time in the id. No foreign key: see core/event.h.
CREATE TABLE IF NOT EXISTS platform.webhook_events (
	id uuid NOT NULL,
	organization_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	occurred_at timestamptz NOT NULL,
	transaction_id xid8 NOT NULL,
	cluster_id bigint NOT NULL,
	event_type text COLLATE pg_catalog."C" NOT NULL,
	payload jsonb NOT NULL,
	idempotency_key text,
	CONSTRAINT webhook_events_pkey PRIMARY KEY (id, organization_id, created_at),
	CONSTRAINT webhook_events_event_type_check CHECK (length(event_type) BETWEEN 1 AND 256),
	CONSTRAINT webhook_events_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 255)
) PARTITION BY RANGE (created_at);
CREATE TABLE IF NOT EXISTS platform.webhook_events_default_daily PARTITION OF platform.webhook_events DEFAULT;
CREATE INDEX IF NOT EXISTS webhook_events_transaction_id_id_idx
	ON platform.webhook_events (transaction_id, id);
CREATE INDEX IF NOT EXISTS webhook_events_organization_id_created_at_idx
	ON platform.webhook_events (organization_id, created_at);
COMMENT ON TABLE platform.webhook_events IS
	'The outbox: what happened, in the transaction in which it happened. Append-only.';
COMMENT ON COLUMN platform.webhook_events.id IS
	'The webhook-id of all its deliveries.';
COMMENT ON COLUMN platform.webhook_events.occurred_at IS
	'When it happened, as the emitter says; the timestamp in the body.';
COMMENT ON COLUMN platform.webhook_events.transaction_id IS
	'The transaction that wrote it.';
COMMENT ON COLUMN platform.webhook_events.cluster_id IS
	'The database system whose transaction ids these are: a dump may be restored into another.';

-- Keys of events that were emitted with one, each once.
CREATE TABLE IF NOT EXISTS platform.webhook_event_keys (
	organization_id uuid NOT NULL,
	idempotency_key text COLLATE pg_catalog."C" NOT NULL,
	event_id uuid NOT NULL,
	fingerprint bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT webhook_event_keys_pkey PRIMARY KEY (organization_id, idempotency_key)
);
CREATE INDEX IF NOT EXISTS webhook_event_keys_created_at_idx ON platform.webhook_event_keys (created_at);
COMMENT ON TABLE platform.webhook_event_keys IS
	'Idempotency keys of events, kept as long as the events are.';
COMMENT ON COLUMN platform.webhook_event_keys.fingerprint IS
	'Hash of type and payload that came with the key.';

CREATE TABLE IF NOT EXISTS platform.webhook_event_types (
	event_type text COLLATE pg_catalog."C" NOT NULL,
	description text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT webhook_event_types_pkey PRIMARY KEY (event_type),
	CONSTRAINT webhook_event_types_event_type_check CHECK (length(event_type) <= 256
		AND event_type ~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$')
);
COMMENT ON TABLE platform.webhook_event_types IS
	'The catalogue of event types: what subscriptions may ask for.';

CREATE TABLE IF NOT EXISTS platform.webhook_subscriptions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	name text NOT NULL,
	url text NOT NULL,
	secret text NOT NULL,
	events text[] NOT NULL,
	active boolean NOT NULL DEFAULT true,
	retry_policy text NOT NULL DEFAULT 'exponential',
	max_retries integer NOT NULL DEFAULT 9,
	timeout_ms integer NOT NULL DEFAULT 30000,
	headers jsonb NOT NULL DEFAULT '{}',
	created_by uuid,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	scheme text NOT NULL DEFAULT 'standard',
	previous_secret text,
	previous_secret_expires_at timestamptz,
	retry_schedule integer[],
	max_in_flight integer NOT NULL DEFAULT 100,
	rate_per_second integer,
	keep_responses boolean NOT NULL DEFAULT false,
	disabled_at timestamptz,
	disabled_reason text,
	CONSTRAINT webhook_subscriptions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT webhook_subscriptions_organization_id_url_key UNIQUE (organization_id, url),
	CONSTRAINT webhook_subscriptions_name_check CHECK (length(name) BETWEEN 1 AND 100),
	CONSTRAINT webhook_subscriptions_url_check CHECK (length(url) BETWEEN 1 AND 2048),
	CONSTRAINT webhook_subscriptions_events_check CHECK (cardinality(events) >= 1 AND cardinality(events) <= 100
		AND array_position(events, NULL) IS NULL),
	CONSTRAINT webhook_subscriptions_retry_policy_check CHECK (retry_policy IN ('none', 'fixed', 'exponential')),
	CONSTRAINT webhook_subscriptions_max_retries_check CHECK (max_retries BETWEEN 0 AND 50),
	CONSTRAINT webhook_subscriptions_timeout_ms_check CHECK (timeout_ms BETWEEN 100 AND 120000),
	CONSTRAINT webhook_subscriptions_headers_check CHECK (jsonb_typeof(headers) = 'object'),
	CONSTRAINT webhook_subscriptions_scheme_check CHECK (scheme IN ('standard', 'svix', 'stripe', 'github', 'slack', 'retell')),
	CONSTRAINT webhook_subscriptions_previous_secret_check CHECK ((previous_secret IS NULL) = (previous_secret_expires_at IS NULL)),
	CONSTRAINT webhook_subscriptions_retry_schedule_check CHECK (cardinality(retry_schedule) >= 1 AND cardinality(retry_schedule) <= 50
		AND 0 <= ALL (retry_schedule) AND 604800 >= ALL (retry_schedule)),
	CONSTRAINT webhook_subscriptions_max_in_flight_check CHECK (max_in_flight BETWEEN 1 AND 10000),
	CONSTRAINT webhook_subscriptions_rate_per_second_check CHECK (rate_per_second BETWEEN 1 AND 100000),
	CONSTRAINT webhook_subscriptions_disabled_reason_check CHECK (length(disabled_reason) BETWEEN 1 AND 63)
);
CREATE INDEX IF NOT EXISTS webhook_subscriptions_organization_id_idx
	ON platform.webhook_subscriptions (organization_id) WHERE active;
CREATE INDEX IF NOT EXISTS webhook_subscriptions_created_by_idx
	ON platform.webhook_subscriptions (created_by) WHERE created_by IS NOT NULL;
COMMENT ON TABLE platform.webhook_subscriptions IS
	'Who wants to hear of which events, and where. While one is not active its deliveries are held, not dropped.';
COMMENT ON COLUMN platform.webhook_subscriptions.secret IS
	'Encrypted by the trigger; what is written in clear is encrypted there.';
COMMENT ON COLUMN platform.webhook_subscriptions.events IS
	'Types; * is all of them, family.* all that begin with family and a full stop.';
COMMENT ON COLUMN platform.webhook_subscriptions.retry_policy IS
	'exponential: after retry_schedule. fixed: always after its first entry. none: no retry.';
COMMENT ON COLUMN platform.webhook_subscriptions.max_retries IS
	'Attempts after the first.';
COMMENT ON COLUMN platform.webhook_subscriptions.headers IS
	'Further headers of each request: names with texts.';
COMMENT ON COLUMN platform.webhook_subscriptions.scheme IS
	'How requests are signed.';
COMMENT ON COLUMN platform.webhook_subscriptions.previous_secret IS
	'After a rotation: signs beside the new one until previous_secret_expires_at.';
COMMENT ON COLUMN platform.webhook_subscriptions.retry_schedule IS
	'Seconds before each retry, the last one for all further; NULL: that of Standard Webhooks.';
COMMENT ON COLUMN platform.webhook_subscriptions.max_in_flight IS
	'Requests under way at once.';
COMMENT ON COLUMN platform.webhook_subscriptions.rate_per_second IS
	'Requests begun a second; NULL: any number.';
COMMENT ON COLUMN platform.webhook_subscriptions.keep_responses IS
	'Keep the first 2 kB of what the receiver answers.';
COMMENT ON COLUMN platform.webhook_subscriptions.disabled_reason IS
	'Why it is not active: paused, failing, gone, or the caller''s own.';

-- What changes all the time about a subscription's receiver; whoever claims its
-- deliveries holds this row.
CREATE TABLE IF NOT EXISTS platform.webhook_endpoints (
	subscription_id uuid NOT NULL,
	organization_id uuid NOT NULL,
	due_at timestamptz,
	blocked_until timestamptz,
	blocked_by text,
	scan_from timestamptz NOT NULL DEFAULT '-infinity',
	gap_from timestamptz,
	gap_to timestamptz,
	breaker text NOT NULL DEFAULT 'closed',
	breaker_opened integer NOT NULL DEFAULT 0,
	failures integer NOT NULL DEFAULT 0,
	failing_since timestamptz,
	last_success_at timestamptz,
	last_failure_at timestamptz,
	rate_at timestamptz,
	since pg_snapshot,
	since_cluster bigint,
	CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (subscription_id, organization_id),
	CONSTRAINT webhook_endpoints_breaker_check CHECK (breaker IN ('closed', 'open', 'half_open')),
	CONSTRAINT webhook_endpoints_blocked_by_check CHECK (blocked_by IN ('breaker', 'full', 'rate', 'held', 'killed')),
	CONSTRAINT webhook_endpoints_gap_check CHECK ((gap_from IS NULL) = (gap_to IS NULL)),
	CONSTRAINT webhook_endpoints_failures_check CHECK (failures >= 0)
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS webhook_endpoints_due_at_idx
	ON platform.webhook_endpoints (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE platform.webhook_endpoints IS
	'State of the receivers, one row a subscription. Written by the functions only.';
COMMENT ON COLUMN platform.webhook_endpoints.due_at IS
	'Nothing can be claimed before; NULL: nothing waits, or it is held.';
COMMENT ON COLUMN platform.webhook_endpoints.blocked_until IS
	'New deliveries do not make it due before.';
COMMENT ON COLUMN platform.webhook_endpoints.scan_from IS
	'No unfinished delivery is due earlier: a claim looks from here on, past what is finished.';
COMMENT ON COLUMN platform.webhook_endpoints.gap_from IS
	'Between this and gap_to there is none either: what is behind a request that takes long and was delivered since.';
COMMENT ON COLUMN platform.webhook_endpoints.breaker IS
	'Circuit breaker. open: nothing is sent until blocked_until, then one request (half_open) decides.';
COMMENT ON COLUMN platform.webhook_endpoints.breaker_opened IS
	'How often in a row it has opened; each time it stays open twice as long.';
COMMENT ON COLUMN platform.webhook_endpoints.failures IS
	'In a row.';
COMMENT ON COLUMN platform.webhook_endpoints.failing_since IS
	'The first of these failures.';
COMMENT ON COLUMN platform.webhook_endpoints.rate_at IS
	'When the next request may begin, as far as rate_per_second says.';

COMMENT ON COLUMN platform.webhook_endpoints.since IS
	'When the subscription was made: events of transactions that it sees were before, and are not delivered; NULL: all are.';
COMMENT ON COLUMN platform.webhook_endpoints.since_cluster IS
	'The database system of whose transactions since speaks.';

-- One row an event and subscription. What a claim and a result change is in no index,
-- but for a retry: a page has room for the three versions of a row.
CREATE TABLE IF NOT EXISTS platform.webhook_deliveries (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	subscription_id uuid NOT NULL,
	event_id uuid NOT NULL,
	replay integer NOT NULL DEFAULT 0,
	attempts integer NOT NULL DEFAULT 0,
	max_attempts integer NOT NULL,
	status text NOT NULL DEFAULT 'pending',
	next_retry_at timestamptz DEFAULT clock_timestamp(),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	finished_at timestamptz,
	delivered_at timestamptz,
	lease_until timestamptz,
	lease_id uuid,
	response_status integer,
	response_time_ms integer,
	event_type text COLLATE pg_catalog."C" NOT NULL,
	last_error text,
	response_body text,
	payload jsonb,
	CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT webhook_deliveries_subscription_id_event_id_replay_organiza_key UNIQUE (subscription_id, event_id, replay, organization_id),
	CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('pending', 'delivering', 'delivered', 'failed', 'cancelled')),
	CONSTRAINT webhook_deliveries_finished_check CHECK ((finished_at IS NULL) = (status IN ('pending', 'delivering'))),
	CONSTRAINT webhook_deliveries_next_retry_at_check CHECK (finished_at IS NOT NULL OR next_retry_at IS NOT NULL),
	CONSTRAINT webhook_deliveries_attempts_check CHECK (attempts >= 0),
	CONSTRAINT webhook_deliveries_max_attempts_check CHECK (max_attempts > 0),
	CONSTRAINT webhook_deliveries_replay_check CHECK (replay >= 0)
) WITH (fillfactor = 30);
CREATE INDEX IF NOT EXISTS webhook_deliveries_subscription_id_next_retry_at_idx
	ON platform.webhook_deliveries (subscription_id, next_retry_at) WHERE next_retry_at IS NOT NULL;
COMMENT ON TABLE platform.webhook_deliveries IS
	'An event on its way to a subscription. Claims and results are written past the executor: triggers on it do not fire for them. failed is the dead letter: kept, and can be sent again.';
COMMENT ON COLUMN platform.webhook_deliveries.replay IS
	'0: the event''s first delivery; each replay counts up.';
COMMENT ON COLUMN platform.webhook_deliveries.attempts IS
	'Begun so far: counted when it is claimed.';
COMMENT ON COLUMN platform.webhook_deliveries.status IS
	'pending with attempts: a retry. pending or delivering of a subscription that is not active counts as held.';
COMMENT ON COLUMN platform.webhook_deliveries.next_retry_at IS
	'Not to be attempted before. Of a finished one it says nothing any more. Who writes it by hand sets due_at and scan_from of the endpoint, too.';
COMMENT ON COLUMN platform.webhook_deliveries.lease_id IS
	'Of the claim that has it; only who shows it may complete the delivery.';
COMMENT ON COLUMN platform.webhook_deliveries.lease_until IS
	'When the claim is taken for lost.';
COMMENT ON COLUMN platform.webhook_deliveries.response_status IS
	'HTTP status of the last attempt; NULL: there was no answer.';
COMMENT ON COLUMN platform.webhook_deliveries.payload IS
	'Of a test; NULL: the event''s.';

-- The moment tells the attempts of a delivery apart, whoever reports them.
CREATE TABLE IF NOT EXISTS platform.webhook_attempts (
	delivery_id uuid NOT NULL,
	organization_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	subscription_id uuid NOT NULL,
	attempt integer NOT NULL,
	duration_ms integer,
	http_status integer,
	outcome text NOT NULL,
	error text,
	response_body text,
	CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, organization_id, created_at),
	CONSTRAINT webhook_attempts_outcome_check CHECK (outcome IN ('delivered', 'failed', 'lost', 'stale'))
) PARTITION BY RANGE (created_at);
CREATE TABLE IF NOT EXISTS platform.webhook_attempts_default_daily PARTITION OF platform.webhook_attempts DEFAULT;
CREATE INDEX IF NOT EXISTS webhook_attempts_subscription_id_created_at_idx
	ON platform.webhook_attempts (subscription_id, created_at);
COMMENT ON TABLE platform.webhook_attempts IS
	'What became of each attempt. Append-only; never holds a signature.';
COMMENT ON COLUMN platform.webhook_attempts.outcome IS
	'delivered, failed; lost: nobody told before the lease ended; stale: told too late, and changed nothing.';

-- How far events have been turned into deliveries.
CREATE TABLE IF NOT EXISTS platform.webhook_fanout (
	id boolean NOT NULL DEFAULT true,
	cluster_id bigint,
	done pg_snapshot,
	until pg_snapshot,
	position_transaction xid8,
	position_id uuid,
	CONSTRAINT webhook_fanout_pkey PRIMARY KEY (id),
	CONSTRAINT webhook_fanout_id_check CHECK (id)
);
COMMENT ON TABLE platform.webhook_fanout IS
	'One row: how far events have been turned into deliveries.';
COMMENT ON COLUMN platform.webhook_fanout.done IS
	'All events whose transactions it sees are done.';
COMMENT ON COLUMN platform.webhook_fanout.until IS
	'The snapshot on the way to which it is; NULL: none.';
COMMENT ON COLUMN platform.webhook_fanout.position_transaction IS
	'With position_id: the last event done on that way.';

-- Requests that pg_net has and has not answered; one a delivery, under its newest lease.
CREATE TABLE IF NOT EXISTS platform.webhook_pg_net_requests (
	organization_id uuid NOT NULL,
	delivery_id uuid NOT NULL,
	lease_id uuid NOT NULL,
	request_id bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT webhook_pg_net_requests_pkey PRIMARY KEY (organization_id, delivery_id)
);
CREATE INDEX IF NOT EXISTS webhook_pg_net_requests_request_id_idx
	ON platform.webhook_pg_net_requests (request_id);
COMMENT ON TABLE platform.webhook_pg_net_requests IS
	'What dispatch_with_pg_net() handed over and has no answer to yet.';
COMMENT ON COLUMN platform.webhook_pg_net_requests.request_id IS
	'As net.http_post() returned it.';

INSERT INTO platform.webhook_fanout DEFAULT VALUES ON CONFLICT (id) DO NOTHING;

INSERT INTO platform.webhook_event_types (event_type, description) VALUES
	('call.started', 'A call began to ring'),
	('call.answered', 'A call was answered'),
	('call.completed', 'A call ended after it was answered'),
	('call.failed', 'A call ended without being answered'),
	('call.disposition_set', 'Somebody said how a call went'),
	('recording.available', 'A recording can be fetched'),
	('recording.transcribed', 'A recording was transcribed'),
	('transcript.completed', 'A transcript is complete'),
	('translation.completed', 'A translation is complete'),
	('survey.completed', 'A survey was answered'),
	('scorecard.completed', 'A call was scored'),
	('evidence.exported', 'Evidence was exported'),
	('sms.received', 'A text message came in'),
	('sms.sent', 'A text message was sent'),
	('sms.delivered', 'A text message arrived'),
	('sms.failed', 'A text message did not arrive'),
	('sms.opted_out', 'A number wants no more text messages'),
	('sms.opted_in', 'A number wants text messages again'),
	('lead.created', 'There is a new lead'),
	('lead.status_changed', 'A lead is in another state'),
	('lead.assigned', 'Another seller looks after a lead'),
	('appointment.created', 'An appointment was made'),
	('appointment.rescheduled', 'An appointment was moved'),
	('appointment.cancelled', 'An appointment was cancelled'),
	('appointment.status_changed', 'An appointment is in another state'),
	('call_started', 'A call began'),
	('call_ended', 'A call ended'),
	('appointment_booked', 'An appointment was made'),
	('appointment_updated', 'An appointment was changed'),
	('lead_created', 'There is a new lead'),
	('sms_received', 'A text message came in'),
	('usage.soft_limit', 'A customer has used most of its calls or messages'),
	('usage.hard_limit', 'A customer has used all of its calls or messages'),
	('usage.blocked', 'A customer was stopped by its limit'),
	('webhook.test', 'Sent by send_test_webhook()')
ON CONFLICT (event_type) DO NOTHING;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('webhook_events', 'tenant', '{}', NULL),
	('webhook_event_keys', 'tenant', '{}', NULL),
	('webhook_event_types', 'global', '{}', 'one catalogue for all organizations'),
	('webhook_subscriptions', 'tenant', '{}', NULL),
	('webhook_endpoints', 'tenant', '{}', NULL),
	('webhook_deliveries', 'tenant', '{}', NULL),
	('webhook_attempts', 'tenant', '{}', NULL),
	('webhook_pg_net_requests', 'tenant', '{}', NULL),
	('webhook_fanout', 'local', '{}', 'the state of one database''s outbox')
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.webhook_pg_net_requests,
	platform.webhook_fanout,
	platform.webhook_attempts,
	platform.webhook_deliveries,
	platform.webhook_endpoints,
	platform.webhook_subscriptions,
	platform.webhook_event_types,
	platform.webhook_event_keys,
	platform.webhook_events;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'webhook_events', 'webhook_event_keys', 'webhook_event_types', 'webhook_subscriptions',
	'webhook_endpoints', 'webhook_deliveries', 'webhook_attempts', 'webhook_pg_net_requests', 'webhook_fanout');

-- checks

-- check: what is finished says so, and only that
SELECT id, organization_id FROM platform.webhook_deliveries
WHERE (finished_at IS NULL) <> (status IN ('pending', 'delivering'));
-- check: claims look at all that is not finished
SELECT d.id, d.organization_id, d.next_retry_at FROM platform.webhook_deliveries d
JOIN platform.webhook_subscriptions s ON s.id = d.subscription_id AND s.organization_id = d.organization_id
JOIN platform.webhook_endpoints e ON e.subscription_id = d.subscription_id AND e.organization_id = d.organization_id
WHERE d.finished_at IS NULL
	AND (d.next_retry_at < e.scan_from OR (d.next_retry_at > e.gap_from AND d.next_retry_at < e.gap_to)
		OR (s.active AND e.due_at IS NULL));
-- check: there is one state of the outbox
SELECT 'webhook_fanout' AS missing WHERE NOT EXISTS (SELECT 1 FROM platform.webhook_fanout);
