-- inbox: requests come in

CREATE OR REPLACE FUNCTION platform.ingest_webhook(source text, account text, headers jsonb, body bytea,
	url text DEFAULT NULL, received_at timestamptz DEFAULT NULL, OUT id uuid, OUT status text, OUT reason text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_ingest_webhook';
COMMENT ON FUNCTION platform.ingest_webhook(text, text, jsonb, bytea, text, timestamptz) IS
	'Verifies a request of a provider with the secrets of an integration account (its id or webhook_url) and stores its events: accepted, duplicate (id is the first one''s), conflict (same key, other content: kept, not processed) or rejected, with the reason. EXECUTE is the grant; only operators say received_at. Errors: 42501; 22023; 40001; 25006; those of decrypt_secret().';

CREATE OR REPLACE FUNCTION platform.list_inbound(organization_id uuid DEFAULT NULL, status text DEFAULT NULL,
	source text DEFAULT NULL, phone_number text DEFAULT NULL, before timestamptz DEFAULT NULL, "limit" integer DEFAULT 50)
RETURNS TABLE (webhook_id uuid, tenant uuid, provider text, event_type text, phone text, state text, result text, reason text,
	error_message text, attempts integer, replays integer, due_at timestamptz, received_at timestamptz, processed_at timestamptz)
LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED ROWS 50
AS $$
SELECT q.id, q.organization_id, q.source, q.event_type, q.phone_number, q.status, q.result, q.reason,
	q.error_message, q.attempts, q.replays, q.due_at, q.received_at, q.processed_at
FROM platform.webhook_queue q
WHERE ($1 IS NULL OR q.organization_id OPERATOR(pg_catalog.=) $1)
	AND ($2 IS NULL OR q.status OPERATOR(pg_catalog.=) $2)
	AND ($3 IS NULL OR q.source OPERATOR(pg_catalog.=) $3)
	AND ($4 IS NULL OR q.phone_number OPERATOR(pg_catalog.=) $4)
	AND ($5 IS NULL OR q.received_at OPERATOR(pg_catalog.<) $5)
ORDER BY q.received_at DESC, q.id DESC
LIMIT $6
$$;
COMMENT ON FUNCTION platform.list_inbound(uuid, text, text, text, timestamptz, integer) IS
	'Events of providers that the caller may see, the newest first: of an organization, status, source, number, received before a moment. NULL: any; limit NULL: all.';

CREATE OR REPLACE FUNCTION platform.inbound_request(organization_id uuid, webhook_id uuid)
RETURNS TABLE (request_id uuid, source text, url text, headers jsonb, body bytea, received_at timestamptz)
LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED ROWS 1
AS $$
SELECT r.id, r.source, r.url, r.headers, r.body, r.received_at
FROM platform.webhook_queue q
JOIN platform.webhook_requests r ON r.id OPERATOR(pg_catalog.=) q.request_id
	AND r.organization_id OPERATOR(pg_catalog.=) q.organization_id
	AND r.created_at OPERATOR(pg_catalog.=) q.created_at
WHERE q.organization_id OPERATOR(pg_catalog.=) $1 AND q.id OPERATOR(pg_catalog.=) $2
$$;
COMMENT ON FUNCTION platform.inbound_request(uuid, uuid) IS
	'The request in which an event came, byte by byte, if the caller may see it; of a batch all of it. No row for one that was rejected or a duplicate.';

CREATE OR REPLACE FUNCTION platform.list_unknown_phones(organization_id uuid DEFAULT NULL, include_resolved boolean DEFAULT false)
RETURNS TABLE (tenant uuid, phone_number text, events bigint, first_received_at timestamptz, last_received_at timestamptz, resolution text)
LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED ROWS 50
AS $$
SELECT u.organization_id, u.phone_number, pg_catalog.count(*), pg_catalog.min(u.received_at), pg_catalog.max(u.received_at), u.resolution
FROM platform.unknown_phone u
WHERE ($1 IS NULL OR u.organization_id OPERATOR(pg_catalog.=) $1) AND (u.resolved_at IS NULL OR $2)
GROUP BY u.organization_id, u.phone_number, u.resolution
ORDER BY pg_catalog.max(u.received_at) DESC, u.phone_number COLLATE pg_catalog."C"
$$;
COMMENT ON FUNCTION platform.list_unknown_phones(uuid, boolean) IS
	'Numbers that are nobody''s, that the caller may see, with how many events wait for them; also those that were resolved, if that is asked for.';

-- inbox: workers

CREATE OR REPLACE FUNCTION platform.claim_inbound(worker text, batch integer DEFAULT 10, lease interval DEFAULT '1 minute',
	only_source text DEFAULT NULL)
RETURNS TABLE (id uuid, organization_id uuid, lease_id uuid, attempt integer, source text, event_type text, phone_number text,
	user_id uuid, payload jsonb, headers jsonb, body bytea, received_at timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'platform_claim_inbound';
COMMENT ON FUNCTION platform.claim_inbound(text, integer, interval, text) IS
	'Up to batch (1 to 1000) events that are due, of each source its share, for a worker to complete before the lease (up to a day) ends. Where the feature webhooks is off they wait. Operators only. Errors: 42501; 22004; 22023; 25006.';

CREATE OR REPLACE FUNCTION platform.extend_inbound_lease(organization_id uuid, webhook_id uuid, lease_id uuid,
	lease interval DEFAULT '1 minute') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_extend_inbound_lease';
COMMENT ON FUNCTION platform.extend_inbound_lease(uuid, uuid, uuid, interval) IS
	'The lease ends that long from now; false when the event is no longer the lease''s. Operators only. Errors: 42501; 22004; 22023; 25006.';

CREATE OR REPLACE FUNCTION platform.complete_inbound(organization_id uuid, webhook_id uuid, lease_id uuid,
	result text DEFAULT 'success', error text DEFAULT NULL, retry_in interval DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_complete_inbound';
COMMENT ON FUNCTION platform.complete_inbound(uuid, uuid, uuid, text, text, interval) IS
	'What came of a claimed event: failed (tried again, or dead), dead, unknown_number (tried again, then waits until its number is assigned), or processed with any other word. Returns the status; NULL, without effect, when the event is no longer the lease''s. Operators only. Errors: 42501; 22004; 22023; 25006.';

-- inbox: handlers

CREATE OR REPLACE FUNCTION platform.register_inbound_handler(source text, event_type text, handler text) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_register_inbound_handler';
COMMENT ON FUNCTION platform.register_inbound_handler(text, text, text) IS
	'process_inbound() calls schema.function(organization_id uuid, webhook_id uuid, event_type text, payload jsonb), which returns text or void, for events of the type, or of all others of the source (*). It runs as its owner. Replaces an earlier one; returns its name. Operators with the rights of that owner. Errors: 42501; 22004; 22023 no such function; 25006.';

CREATE OR REPLACE FUNCTION platform.unregister_inbound_handler(source text, event_type text) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_unregister_inbound_handler';
COMMENT ON FUNCTION platform.unregister_inbound_handler(text, text) IS
	'The handler is called no more; false when there was none. Operators only. Errors: 42501; 22004; 25006.';

CREATE OR REPLACE FUNCTION platform.process_inbound(batch integer DEFAULT 100, only_source text DEFAULT NULL,
	OUT processed bigint, OUT skipped bigint, OUT failed bigint, OUT dead bigint, OUT unknown bigint, OUT held bigint) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_process_inbound';
COMMENT ON FUNCTION platform.process_inbound(integer, text) IS
	'Calls the handlers of up to batch (1 to 1000) events that are due, as their owners and in this transaction: their effects happen once. One that fails is undone, and tried again later. Operators only. Errors: 42501; 22004; 22023; 25006; a cancellation undoes the call.';

-- inbox: again

CREATE OR REPLACE FUNCTION platform.replay_inbound(organization_id uuid, webhook_id uuid) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_replay_inbound';
COMMENT ON FUNCTION platform.replay_inbound(uuid, uuid) IS
	'The stored event is processed again, with all its attempts; also one in conflict. Returns how often it was replayed. Operators, and administrators for their organization. Errors: 42501; 22004; PT404; PT409 it waits, was rejected or is a duplicate; 25006.';

CREATE OR REPLACE FUNCTION platform.replay_inbound_range(organization_id uuid, from_time timestamptz, to_time timestamptz,
	statuses text[] DEFAULT '{failed,dead}', only_source text DEFAULT NULL, only_event_type text DEFAULT NULL,
	batch integer DEFAULT 10000) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_replay_inbound_range';
COMMENT ON FUNCTION platform.replay_inbound_range(uuid, timestamptz, timestamptz, text[], text, text, integer) IS
	'Replays what was received in [from_time, to_time) and is processed, failed, dead or in conflict, up to batch events; returns how many. Organization NULL: all, for operators. Operators, and administrators for their organization. Errors: 42501; 22004; 22023; 25006.';

CREATE OR REPLACE FUNCTION platform.resolve_unknown_phone(organization_id uuid, phone_number text,
	resolution text DEFAULT 'matched_agent', notes text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resolve_unknown_phone';
COMMENT ON FUNCTION platform.resolve_unknown_phone(uuid, text, text, text) IS
	'The number (E.164) was assigned: events that wait for it are processed again; with any other resolution they are done. Returns how many. Organization NULL: all, for operators. Operators, and administrators for their organization. Errors: 42501; 22004; 22023; 25006.';

CREATE OR REPLACE FUNCTION platform.replay_unknown_phone() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_replay_unknown_phone';
COMMENT ON FUNCTION platform.replay_unknown_phone() IS
	'Trigger function, AFTER INSERT OR UPDATE FOR EACH ROW, argument: column, default phone_number. What waits for that number in the row''s organization, or in the platform''s own, is processed again. Errors: 39P01, 22023, 42703.';

-- inbox: retention

CREATE OR REPLACE FUNCTION platform.purge_inbox(batch integer DEFAULT 10000, keep interval DEFAULT '30 days',
	keep_keys interval DEFAULT '400 days', keep_waiting interval DEFAULT '90 days')
RETURNS TABLE (table_name text, action text, rows bigint, more boolean)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'platform_purge_inbox';
COMMENT ON FUNCTION platform.purge_inbox(integer, interval, interval, interval) IS
	'Deletes what is done and older than keep (or the organization''s setting webhooks.retentionDays), what waits after keep_waiting, and their bytes by the day; keys after keep_keys. NULL for a time: nothing of it. A row for each table changed (dropped, deleted, busy), at most batch rows of each; more: call again. For a daily job. Operators only. Errors: 42501; 22004; 22023; 25006.';

CREATE OR REPLACE FUNCTION platform.delete_inbox() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_delete_inbox';
COMMENT ON FUNCTION platform.delete_inbox() IS
	'Trigger function, AFTER DELETE FOR EACH ROW of organizations: what its inbox holds goes with it. Errors: 39P01.';

INSERT INTO platform.member_privileges VALUES
	('function', 'list_inbound(uuid, text, text, text, timestamptz, integer)', 'EXECUTE'),
	('function', 'inbound_request(uuid, uuid)', 'EXECUTE'),
	('function', 'list_unknown_phones(uuid, boolean)', 'EXECUTE'),
	('function', 'replay_inbound(uuid, uuid)', 'EXECUTE'),
	('function', 'replay_inbound_range(uuid, timestamptz, timestamptz, text[], text, text, integer)', 'EXECUTE'),
	('function', 'resolve_unknown_phone(uuid, text, text, text)', 'EXECUTE'),
	('table', 'webhook_requests', 'SELECT'),
	('table', 'webhook_queue', 'SELECT'),
	('table', 'unknown_phone', 'SELECT'),
	('table', 'inbound_health', 'SELECT');
