-- migration 95 inbox: requests of providers, what is to be processed of them, unknown numbers
-- requires: tenants

-- up

-- What came, once, as it came; never changed. Written past the executor by
-- ingest_webhook(), and no foreign key: whole days leave at once.
CREATE TABLE IF NOT EXISTS platform.webhook_requests (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	account_id uuid NOT NULL,
	source text COLLATE pg_catalog."C" NOT NULL,
	url text,
	headers jsonb NOT NULL DEFAULT '{}',
	body bytea NOT NULL,
	received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT webhook_requests_pkey PRIMARY KEY (id, organization_id, created_at),
	CONSTRAINT webhook_requests_headers_check CHECK (jsonb_typeof(headers) = 'object')
) PARTITION BY RANGE (created_at);
CREATE TABLE IF NOT EXISTS platform.webhook_requests_default_daily PARTITION OF platform.webhook_requests DEFAULT;
COMMENT ON TABLE platform.webhook_requests IS
	'Verified requests of providers, byte by byte. A batch is one request.';
COMMENT ON COLUMN platform.webhook_requests.account_id IS
	'The integration account whose secret signed it.';
COMMENT ON COLUMN platform.webhook_requests.headers IS
	'Those that came, with lower-case names; without cookies and credentials.';
COMMENT ON COLUMN platform.webhook_requests.received_at IS
	'When it came, as the caller of ingest_webhook() says; its events have the same.';
COMMENT ON COLUMN platform.webhook_requests.created_at IS
	'When it was stored; its events have the same.';

-- One row an event. due_at alone says what can be claimed: when it is to be tried, or while it
-- is being processed, when its lease ends. Indexes are few: an event is written three times.
CREATE TABLE IF NOT EXISTS platform.webhook_queue (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	request_id uuid,
	account_id uuid,
	source text COLLATE pg_catalog."C" NOT NULL DEFAULT 'custom',
	event_type text COLLATE pg_catalog."C" NOT NULL,
	phone_number text,
	user_id uuid,
	agent_id text,
	raw_payload jsonb,
	idempotency_key text,
	received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	status text NOT NULL DEFAULT 'received',
	due_at timestamptz DEFAULT clock_timestamp(),
	attempts integer NOT NULL DEFAULT 0,
	max_attempts integer NOT NULL DEFAULT 10,
	last_attempt_at timestamptz,
	lease_id uuid,
	claimed_by text,
	processed_at timestamptz,
	processed_by text,
	result text,
	reason text,
	error_message text,
	replays integer NOT NULL DEFAULT 0,
	first_id uuid,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT webhook_queue_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT webhook_queue_source_check CHECK (length(source) BETWEEN 1 AND 63),
	CONSTRAINT webhook_queue_event_type_check CHECK (length(event_type) BETWEEN 1 AND 255),
	CONSTRAINT webhook_queue_status_check CHECK (status IN ('received', 'processing', 'processed', 'failed', 'dead', 'duplicate', 'rejected', 'conflict')),
	CONSTRAINT webhook_queue_due_check CHECK (due_at IS NULL OR status IN ('received', 'processing', 'failed')),
	CONSTRAINT webhook_queue_lease_check CHECK ((lease_id IS NULL) = (status <> 'processing')),
	CONSTRAINT webhook_queue_attempts_check CHECK (attempts >= 0),
	CONSTRAINT webhook_queue_max_attempts_check CHECK (max_attempts BETWEEN 1 AND 100),
	CONSTRAINT webhook_queue_result_check CHECK (length(result) BETWEEN 1 AND 63),
	CONSTRAINT webhook_queue_replays_check CHECK (replays >= 0)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS webhook_queue_source_due_at_idx
	ON platform.webhook_queue (source, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhook_queue_organization_id_received_at_idx
	ON platform.webhook_queue (organization_id, received_at);
CREATE INDEX IF NOT EXISTS webhook_queue_account_id_received_at_idx
	ON platform.webhook_queue (account_id, received_at) WHERE reason IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhook_queue_phone_number_idx
	ON platform.webhook_queue (phone_number) WHERE phone_number IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhook_queue_user_id_idx
	ON platform.webhook_queue (user_id) WHERE user_id IS NOT NULL;
COMMENT ON TABLE platform.webhook_queue IS
	'Events of providers: each is processed once, tried again when that fails, and can be replayed.';
COMMENT ON COLUMN platform.webhook_queue.request_id IS
	'The request in which it came: its bytes are in webhook_requests.';
COMMENT ON COLUMN platform.webhook_queue.phone_number IS
	'The number of ours that it concerns, in E.164.';
COMMENT ON COLUMN platform.webhook_queue.raw_payload IS
	'What the body says, for reading and for handlers; of a batch this event''s part. NULL: the body is neither JSON nor a form.';
COMMENT ON COLUMN platform.webhook_queue.idempotency_key IS
	'By which its account recognises the event when it comes again.';
COMMENT ON COLUMN platform.webhook_queue.due_at IS
	'When it can be claimed; of one that is being processed, when its lease ends. NULL: not at all.';
COMMENT ON COLUMN platform.webhook_queue.result IS
	'What came of it: success, failed, skipped, unknown_number, or the handler''s own word.';
COMMENT ON COLUMN platform.webhook_queue.reason IS
	'Why it was rejected, or what it is the same as.';
COMMENT ON COLUMN platform.webhook_queue.first_id IS
	'Of a duplicate or a conflict: the event that came first with its key.';

-- Keys of what came, each once, whatever becomes of the rows.
CREATE TABLE IF NOT EXISTS platform.webhook_keys (
	organization_id uuid NOT NULL,
	account_id uuid NOT NULL,
	source text COLLATE pg_catalog."C" NOT NULL,
	idempotency_key text COLLATE pg_catalog."C" NOT NULL,
	webhook_id uuid NOT NULL,
	fingerprint bytea NOT NULL,
	created_at timestamptz NOT NULL,
	expires_at timestamptz,
	CONSTRAINT webhook_keys_pkey PRIMARY KEY (organization_id, account_id, source, idempotency_key)
);
CREATE INDEX IF NOT EXISTS webhook_keys_created_at_idx ON platform.webhook_keys (created_at);
CREATE INDEX IF NOT EXISTS webhook_keys_expires_at_idx
	ON platform.webhook_keys (expires_at) WHERE expires_at IS NOT NULL;
COMMENT ON TABLE platform.webhook_keys IS
	'What came already. A key belongs to one account and source.';
COMMENT ON COLUMN platform.webhook_keys.fingerprint IS
	'SHA-256 of the event that came with it.';
COMMENT ON COLUMN platform.webhook_keys.expires_at IS
	'From then on the same is new: of keys made of the content, as the provider gives none. NULL: never.';

CREATE TABLE IF NOT EXISTS platform.webhook_handlers (
	source text COLLATE pg_catalog."C" NOT NULL,
	event_type text COLLATE pg_catalog."C" NOT NULL,
	handler text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT webhook_handlers_pkey PRIMARY KEY (source, event_type),
	CONSTRAINT webhook_handlers_source_check CHECK (length(source) BETWEEN 1 AND 63),
	CONSTRAINT webhook_handlers_event_type_check CHECK (length(event_type) BETWEEN 1 AND 255),
	CONSTRAINT webhook_handlers_handler_check CHECK (length(handler) BETWEEN 1 AND 255)
);
COMMENT ON TABLE platform.webhook_handlers IS
	'Which function process_inbound() calls for which events. It runs as its owner.';
COMMENT ON COLUMN platform.webhook_handlers.event_type IS
	'One type; * for those of the source that no other row names.';
COMMENT ON COLUMN platform.webhook_handlers.handler IS
	'schema.function, of (organization_id uuid, webhook_id uuid, event_type text, payload jsonb).';

CREATE TABLE IF NOT EXISTS platform.unknown_phone (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	phone_number text NOT NULL,
	event_type text NOT NULL,
	raw_payload jsonb,
	webhook_id uuid,
	received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	resolved_at timestamptz,
	resolved_by uuid,
	resolution text,
	notes text,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT unknown_phone_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT unknown_phone_phone_number_check CHECK (length(phone_number) BETWEEN 1 AND 63),
	CONSTRAINT unknown_phone_resolution_check CHECK (length(resolution) BETWEEN 1 AND 63),
	CONSTRAINT unknown_phone_resolved_check CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX IF NOT EXISTS unknown_phone_organization_id_received_at_idx ON platform.unknown_phone (organization_id, received_at);
CREATE INDEX IF NOT EXISTS unknown_phone_phone_number_idx ON platform.unknown_phone (phone_number);
CREATE INDEX IF NOT EXISTS unknown_phone_received_at_idx
	ON platform.unknown_phone (received_at) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS unknown_phone_webhook_id_organization_id_idx
	ON platform.unknown_phone (webhook_id, organization_id) WHERE resolved_at IS NULL AND webhook_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS unknown_phone_webhook_id_idx
	ON platform.unknown_phone (webhook_id) WHERE webhook_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS unknown_phone_resolved_by_idx
	ON platform.unknown_phone (resolved_by) WHERE resolved_by IS NOT NULL;
COMMENT ON TABLE platform.unknown_phone IS
	'Events for numbers that are nobody''s yet. They wait in the queue until the number is assigned.';
COMMENT ON COLUMN platform.unknown_phone.resolution IS
	'matched_agent: the number was assigned, and the event replayed. Otherwise spam, ignored or a word of one''s own.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('webhook_requests', 'tenant', '{}', NULL),
	('webhook_queue', 'tenant', '{}', NULL),
	('webhook_keys', 'tenant', '{}', NULL),
	('webhook_handlers', 'global', '{}', 'one set of handlers for all organizations'),
	('unknown_phone', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.unknown_phone,
	platform.webhook_handlers,
	platform.webhook_keys,
	platform.webhook_queue,
	platform.webhook_requests;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'webhook_requests', 'webhook_queue', 'webhook_keys', 'webhook_handlers', 'unknown_phone');

-- checks

-- check: what waits is due, and nothing else is
SELECT id, organization_id FROM platform.webhook_queue
WHERE due_at IS NOT NULL AND status NOT IN ('received', 'processing', 'failed')
   OR due_at IS NULL AND status IN ('received', 'processing');
