-- tokens: the rate card

CREATE OR REPLACE FUNCTION platform.token_cost(mode text, used_turn boolean, seconds bigint, at timestamptz DEFAULT pg_catalog.now()) RETURNS bigint
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_token_cost';
COMMENT ON FUNCTION platform.token_cost(text, boolean, bigint, timestamptz) IS
	'The price in tokens of one stretch of a call that started at that moment: every started unit of the rate counts, by default a minute. 0 for no seconds; NULL for NULL. Modes: voice, voice-only, video. Errors: 22023, 22003, PT404 no rate.';
INSERT INTO platform.member_privileges VALUES ('function', 'token_cost(text, boolean, bigint, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_token_rate(mode text, used_turn boolean, tokens_per_minute bigint, rounding integer DEFAULT 60,
	valid_from timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_token_rate';
COMMENT ON FUNCTION platform.set_token_rate(text, boolean, bigint, integer, timestamptz) IS
	'Adds a version of a rate for calls that start at valid_from (NULL: now) or later, and returns its id. rounding: seconds of which every started one counts, 60, 6 or 1. Operators and platform staff. Errors: 42501, 22004, 22023, 23505 another rate begins then.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_token_rate(text, boolean, bigint, integer, timestamptz)', 'EXECUTE');

-- tokens: live calls

CREATE OR REPLACE FUNCTION platform.start_call_session(organization_id uuid, room_id text, mode text, user_id text DEFAULT NULL,
	used_turn boolean DEFAULT false, on_exhausted text DEFAULT 'continue', reserve_minutes integer DEFAULT 1,
	grace_seconds integer DEFAULT 90, at timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_call_session';
COMMENT ON FUNCTION platform.start_call_session(uuid, text, text, text, boolean, text, integer, integer, timestamptz) IS
	'Starts a call, sets the price of its first reserve_minutes aside as far as there is, and returns its session. user_id pays; NULL or anonymous_...: nobody. grace_seconds without a heartbeat: lost; NULL: it sends none. Starts without funds too. Members: for themselves or anonymous, administrators for their organization. Errors: 22004, 22023, 42501, 23503 no such organization, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'start_call_session(uuid, text, text, text, boolean, text, integer, integer, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.heartbeat_call_session(session uuid, used_turn boolean DEFAULT NULL, at timestamptz DEFAULT NULL,
	OUT status text, OUT billing text, OUT burned bigint, OUT shortfall bigint, OUT charged bigint, OUT remaining bigint,
	OUT granted_seconds bigint, OUT valid_seconds bigint, OUT verdict text, OUT reason text, OUT duration_seconds bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_heartbeat_call_session';
COMMENT ON FUNCTION platform.heartbeat_call_session(uuid, boolean, timestamptz) IS
	'The call lives: burns what is due, renews the reservation, says how long the balance lasts. used_turn from now on; NULL: as before. billing: current, billed, exhausted (shortfall is debt), unbilled, refunded (burned is below zero), deferred, anonymous. verdict: continue, or the call''s on_exhausted. Never raises because of billing. Members: their own calls. Errors: 22004, 22023, PT404 no such call, 42501, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'heartbeat_call_session(uuid, boolean, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.end_call_session(session uuid, at timestamptz DEFAULT NULL,
	OUT status text, OUT billing text, OUT burned bigint, OUT shortfall bigint, OUT charged bigint, OUT remaining bigint,
	OUT granted_seconds bigint, OUT valid_seconds bigint, OUT verdict text, OUT reason text, OUT duration_seconds bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_end_call_session';
COMMENT ON FUNCTION platform.end_call_session(uuid, timestamptz) IS
	'Ends the call: burns the rest, releases the reservation, fills end_time, duration_seconds and credit_cost; an end before what was metered gives the difference back. Again: changes nothing unless at is earlier than the end, answers the same cost. Never raises because of billing. Members: their own calls. Errors: 22004, 22023, PT404 no such call, 42501, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'end_call_session(uuid, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.call_session_status(session uuid,
	OUT status text, OUT billing text, OUT burned bigint, OUT shortfall bigint, OUT charged bigint, OUT remaining bigint,
	OUT granted_seconds bigint, OUT valid_seconds bigint, OUT verdict text, OUT reason text, OUT duration_seconds bigint)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_call_session_status';
COMMENT ON FUNCTION platform.call_session_status(uuid) IS
	'How a call stands, in the columns of heartbeat_call_session(), without being a heartbeat. Members: their own calls. Errors: 22004, PT404 no such call, 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'call_session_status(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.meter_active_sessions("limit" bigint DEFAULT 10000, at timestamptz DEFAULT NULL,
	OUT metered bigint, OUT tokens bigint, OUT shortfall bigint, OUT unbilled bigint, OUT closed bigint, OUT skipped bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_meter_active_sessions';
COMMENT ON FUNCTION platform.meter_active_sessions(bigint, timestamptz) IS
	'Burns what is due of live calls, at most limit of them (NULL: all), up to now or to their last heartbeat; closes those whose end was noted, which may give something back, and those whose heartbeats stopped for longer than their grace. For a scheduler. Never raises because of billing. Operators. Errors: 42501, 22023, 25006.';

CREATE OR REPLACE FUNCTION platform.settle_unbilled_usage("limit" bigint DEFAULT 1000,
	OUT settled bigint, OUT tokens bigint, OUT failed bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_settle_unbilled_usage';
COMMENT ON FUNCTION platform.settle_unbilled_usage(bigint) IS
	'Bills open rows of unbilled_usage, at most limit (NULL: all), each once; what the balance does not cover becomes debt. For a scheduler. Operators. Errors: 42501, 22023, 25006.';

CREATE OR REPLACE FUNCTION platform.list_call_sessions(organization_id uuid, user_id text DEFAULT NULL,
	"from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL, "limit" integer DEFAULT 100)
RETURNS TABLE (session_id uuid, room_id text, caller text, mode text, used_turn boolean, status text,
	start_time timestamptz, end_time timestamptz, duration_seconds bigint, charged bigint)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_list_call_sessions';
COMMENT ON FUNCTION platform.list_call_sessions(uuid, text, timestamptz, timestamptz, integer) IS
	'Calls that started in [from, to), newest first; NULL: no bound, any user. caller: who pays. Members: their own, administrators their organization''s. Errors: 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_call_sessions(uuid, text, timestamptz, timestamptz, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_unbilled_usage(organization_id uuid, user_id text DEFAULT NULL,
	include_settled boolean DEFAULT false, "limit" integer DEFAULT 100)
RETURNS TABLE (id uuid, caller text, session_id uuid, tokens bigint, mode text, used_turn boolean, reason text,
	attempts integer, created_at timestamptz, settled_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_list_unbilled_usage';
COMMENT ON FUNCTION platform.list_unbilled_usage(uuid, text, boolean, integer) IS
	'What could not be billed, newest first; NULL: any user. Members: their own, administrators their organization''s. Errors: 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_unbilled_usage(uuid, text, boolean, integer)', 'EXECUTE');

-- tokens: presence

CREATE OR REPLACE FUNCTION platform.heartbeat_presence(organization_id uuid, host_id text, room_id text,
	is_available boolean DEFAULT true, room_token text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_heartbeat_presence';
COMMENT ON FUNCTION platform.heartbeat_presence(uuid, text, text, boolean, text) IS
	'The host is there, in this room, to be called or not. room_token NULL: as before. Members: themselves, administrators any host of their organization. Errors: 42501, 22004, 22023, 23503 no such organization.';
INSERT INTO platform.member_privileges VALUES ('function', 'heartbeat_presence(uuid, text, text, boolean, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.available_hosts(organization_id uuid DEFAULT NULL, max_age interval DEFAULT '2 minutes')
RETURNS TABLE (host_id text, room_id text, last_seen timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_available_hosts';
COMMENT ON FUNCTION platform.available_hosts(uuid, interval) IS
	'Hosts that are available and were heard of within max_age, latest first. NULL: the caller''s organization, else the default one. Members: their own. Errors: 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'available_hosts(uuid, interval)', 'EXECUTE');

INSERT INTO platform.member_privileges VALUES
	('table', 'token_rates', 'SELECT'),
	('table', 'call_sessions', 'SELECT'),
	('table', 'unbilled_usage', 'SELECT'),
	('table', 'user_presence', 'SELECT (organization_id, host_id, is_available, room_id, updated_at)'),
	('table', 'active_calls', 'SELECT'),
	('table', 'daily_billing_summary', 'SELECT'),
	('table', 'user_token_summary', 'SELECT'),
	('table', 'daily_token_usage', 'SELECT');

-- tokens: accounts and entries

CREATE OR REPLACE FUNCTION platform.burn_tokens(organization_id uuid, user_id text, amount bigint, mode text DEFAULT NULL, used_turn boolean DEFAULT NULL,
	session_id text DEFAULT NULL, idempotency_key text DEFAULT NULL, on_insufficient text DEFAULT 'reject',
	OUT burned bigint, OUT shortfall bigint, OUT remaining bigint, OUT status text, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_burn_tokens';
COMMENT ON FUNCTION platform.burn_tokens(uuid, text, bigint, text, boolean, text, text, text) IS
	'Takes tokens off an account and records it. on_insufficient: reject (all or nothing), partial (what there is), overdraft (all or nothing, down to the overdraft limit). A refusal is an answer: status insufficient or no_account. With a key a repeated call returns the first answer. Members: their own account. Errors: 42501, 22004, 22023, PT409 key used with other arguments, 22003, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'burn_tokens(uuid, text, bigint, text, boolean, text, text, text)', 'EXECUTE');

INSERT INTO platform.member_privileges VALUES
	('table', 'user_accounts', 'SELECT'),
	('table', 'token_usage', 'SELECT'),
	('table', 'token_grants', 'SELECT'),
	('table', 'token_holds', 'SELECT'),
	('table', 'token_packages', 'SELECT'),
	('table', 'token_purchases', 'SELECT'),
	('table', 'low_balance_events', 'SELECT'),
	('table', 'token_postings', 'SELECT');

CREATE OR REPLACE FUNCTION platform.check_token_account() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_token_account';
COMMENT ON FUNCTION platform.check_token_account() IS
	'Trigger function of user_accounts: statements change no balance and delete no account that has entries, for anybody. Errors: 42501; 39P01 when fired otherwise.';

CREATE OR REPLACE FUNCTION platform.record_token_account() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_token_account';
COMMENT ON FUNCTION platform.record_token_account() IS
	'Trigger function of user_accounts: the entry of an opening balance. Errors: 39P01 when fired otherwise.';

CREATE OR REPLACE FUNCTION platform.refuse_ledger_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_refuse_ledger_change';
COMMENT ON FUNCTION platform.refuse_ledger_change() IS
	'Trigger function, BEFORE: refuses the operation for everybody. Errors: 42501; 39P01 when fired otherwise.';

CREATE OR REPLACE FUNCTION platform.reserve_tokens(organization_id uuid, user_id text, amount bigint, ttl interval DEFAULT '5 minutes',
	idempotency_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT hold_id uuid, OUT reserved bigint, OUT remaining bigint, OUT available bigint, OUT status text, OUT expires_at timestamptz, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reserve_tokens';
COMMENT ON FUNCTION platform.reserve_tokens(uuid, text, bigint, interval, text, text) IS
	'Sets tokens aside, all or nothing, until capture_tokens(), release_tokens() or expires_at (at most 31 days from now). A refusal is an answer: status insufficient or no_account. With a key a repeated call returns the same hold. Members: their own account. Errors: 42501, 22004, 22023, PT409 key used with another amount, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'reserve_tokens(uuid, text, bigint, interval, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.capture_tokens(organization_id uuid, hold_id uuid, amount bigint DEFAULT NULL,
	OUT captured bigint, OUT released bigint, OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_capture_tokens';
COMMENT ON FUNCTION platform.capture_tokens(uuid, uuid, bigint) IS
	'Burns tokens of a hold (NULL: all of it) and frees the rest. A repeated call returns the first answer. Members: their own account. Errors: 42501, 22004, 22023, PT404 no such hold, PT409 released or captured with another amount, PT410 expired, PT422 amount exceeds it, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'capture_tokens(uuid, uuid, bigint)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.release_tokens(organization_id uuid, hold_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_tokens';
COMMENT ON FUNCTION platform.release_tokens(uuid, uuid) IS
	'Frees a hold. True when this call did; false when it was released or has expired before. Members: their own account. Errors: 42501, 22004, PT404 no such hold, PT409 captured, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'release_tokens(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.grant_tokens(organization_id uuid, user_id text, amount bigint, source text DEFAULT 'grant', expires_at timestamptz DEFAULT NULL,
	priority integer DEFAULT 100, idempotency_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT granted bigint, OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_grant_tokens';
COMMENT ON FUNCTION platform.grant_tokens(uuid, text, bigint, text, timestamptz, integer, text, text) IS
	'Gives tokens. Those of a lower priority (0 to 255; purchases have 200) are used first, within one those that expire first; expires_at NULL: never. With a key a repeated call returns the first answer. Operators. Errors: 42501, 22004, 22023, PT404 no such account, PT409 key used with other arguments, 22003, 25006.';

CREATE OR REPLACE FUNCTION platform.purchase_tokens(organization_id uuid, user_id text, package text, payment_id text, provider text DEFAULT 'stripe',
	OUT tokens bigint, OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_purchase_tokens';
COMMENT ON FUNCTION platform.purchase_tokens(uuid, text, text, text, text) IS
	'Credits a payment for a package of token_packages, once: announced again it credits nothing. remaining is the balance now. Operators. Errors: 42501, 22004, 22023, PT404 no such account or package, PT409 the payment was credited to another account or for another package, 25006.';

CREATE OR REPLACE FUNCTION platform.expire_tokens(batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_expire_tokens';
COMMENT ON FUNCTION platform.expire_tokens(integer) IS
	'Writes the entries of grants whose time is over and ends such holds, of at most batch grants and as many holds; returns how many were ended. Tidies only: nothing that is spent from or reported counts them. Operators. Errors: 42501, 22004, 22023, 25006.';

CREATE OR REPLACE FUNCTION platform.refund_tokens(organization_id uuid, entry_id uuid, amount bigint DEFAULT NULL, idempotency_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT refunded bigint, OUT refundable bigint, OUT remaining bigint, OUT refund_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_refund_tokens';
COMMENT ON FUNCTION platform.refund_tokens(uuid, uuid, bigint, text, text) IS
	'Takes back a burn or capture, or amount tokens of it (NULL: all that is left), to the grants that paid; what returns to one that is over expires. With a key a repeated call changes nothing. Operators. Errors: 42501, 22004, 22023, PT404 no such entry, PT422 no burn or amount exceeds what is left, PT409 key used with other arguments, 25006.';

CREATE OR REPLACE FUNCTION platform.transfer_tokens(organization_id uuid, from_user_id text, to_user_id text, amount bigint, idempotency_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT from_remaining bigint, OUT to_remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_transfer_tokens';
COMMENT ON FUNCTION platform.transfer_tokens(uuid, text, text, bigint, text, text) IS
	'Moves tokens between two accounts of an organization, or raises; expiring tokens keep their expiry. With a key a repeated call moves nothing. Administrators of the organization. Errors: 42501, 22004, 22023, PT402 not enough, PT404 no such account, PT409 key used with other arguments, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'transfer_tokens(uuid, text, text, bigint, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.adjust_tokens(organization_id uuid, user_id text, amount bigint, reason text, idempotency_key text DEFAULT NULL,
	OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_adjust_tokens';
COMMENT ON FUNCTION platform.adjust_tokens(uuid, text, bigint, text, text) IS
	'Corrects a balance by a signed amount, with a reason. Operators. Errors: 42501, 22004, 22023, PT402 more than is available, PT404 no such account, PT409 key used with another amount, 22003, 25006.';

CREATE OR REPLACE FUNCTION platform.token_balance(organization_id uuid, user_id text,
	OUT balance bigint, OUT held bigint, OUT expired bigint, OUT available bigint, OUT overdraft_limit bigint, OUT overage bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_token_balance';
COMMENT ON FUNCTION platform.token_balance(uuid, text) IS
	'What an account has: the sum of its entries, what of it is held, what belongs to grants whose time is over, and what is left to spend. NULLs without such an account. Members: their own account. Errors: 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'token_balance(uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.token_balance_at(organization_id uuid, user_id text, at timestamptz) RETURNS bigint
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_token_balance_at';
COMMENT ON FUNCTION platform.token_balance_at(uuid, text, timestamptz) IS
	'An account''s balance at a moment, after all entries up to it; 0 before the first, NULL without such an account. Members: their own account. Errors: 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'token_balance_at(uuid, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.token_statement(organization_id uuid, user_id text, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL)
RETURNS TABLE (version bigint, "timestamp" timestamptz, kind text, amount bigint, balance_after bigint, shortfall bigint, mode text, used_turn boolean,
	duration_seconds integer, session_id text, idempotency_key text, reason text, entry_id uuid, reverses uuid)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_token_statement';
COMMENT ON FUNCTION platform.token_statement(uuid, text, timestamptz, timestamptz) IS
	'An account''s entries from a moment on and before another (NULL: all), in their order, each with the balance after it. Members: their own account. Errors: 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'token_statement(uuid, text, timestamptz, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.open_token_grants(organization_id uuid, user_id text)
RETURNS TABLE (number bigint, remaining bigint, expires_at timestamptz, priority integer, expired boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_open_token_grants';
COMMENT ON FUNCTION platform.open_token_grants(uuid, text) IS
	'What a balance consists of, in the order of use: a row a grant with tokens left, and one without number for all of a priority that never expire. expired: over, and only what holds need is still there. Members: their own account. Errors: 42501, 22004, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'open_token_grants(uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_low_balance_thresholds(organization_id uuid, user_id text, thresholds bigint[]) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_low_balance_thresholds';
COMMENT ON FUNCTION platform.set_low_balance_thresholds(uuid, text, bigint[]) IS
	'Up to eight balances: each fall to one of them or below is told by a row of low_balance_events, once until the balance is above it again. NULL: none. Members: their own account. Errors: 42501, 22004, 22023, PT404 no such account, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_low_balance_thresholds(uuid, text, bigint[])', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.verify_token_accounts(for_organization_id uuid DEFAULT NULL)
RETURNS TABLE (organization_id uuid, user_id text, problem text, expected numeric, found numeric)
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
WITH account AS (
	SELECT a.* FROM platform.user_accounts a
	WHERE for_organization_id IS NULL OR a.organization_id = for_organization_id
), entry AS (
	SELECT e.*,
		pg_catalog.lag(e.balance_after, 1, 0::bigint) OVER w AS balance_before,
		pg_catalog.lag(e.version, 1, 0::bigint) OVER w AS version_before,
		pg_catalog.lag(e."timestamp") OVER w AS time_before
	FROM platform.token_usage e
	WHERE for_organization_id IS NULL OR e.organization_id = for_organization_id
	WINDOW w AS (PARTITION BY e.organization_id, e.user_id ORDER BY e.version)
), total AS (
	SELECT e.organization_id, e.user_id, pg_catalog.sum(e.amount) AS balance, pg_catalog.max(e.version) AS version
	FROM entry e GROUP BY e.organization_id, e.user_id
), held AS (
	SELECT h.organization_id, h.user_id, pg_catalog.sum(h.amount) AS amount FROM (
		SELECT t.organization_id, t.user_id, t.amount FROM platform.token_holds t WHERE t.status = 'open'
		UNION ALL
		SELECT s.organization_id, s.user_id, s.reserved FROM platform.call_sessions s WHERE s.status = 'live' AND s.reserved > 0
	) AS h GROUP BY h.organization_id, h.user_id
), open_grant AS (
	SELECT a.organization_id, a.user_id, a.open_grants[i] AS number, a.open_grants[i + 1] AS remaining
	FROM account a, pg_catalog.generate_series(1, pg_catalog.cardinality(a.open_grants), 4) AS i
), portion AS (
	SELECT e.organization_id, e.user_id, e.paid_by[i] AS number, pg_catalog.sum(pg_catalog.sign(e.amount) * e.paid_by[i + 1]) AS remaining
	FROM entry e, pg_catalog.generate_series(1, pg_catalog.cardinality(e.paid_by), 2) AS i
	WHERE e.paid_by[i] <> 0
	GROUP BY e.organization_id, e.user_id, e.paid_by[i]
), refund AS (
	SELECT e.organization_id, e.user_id, e.reverses, pg_catalog.sum(e.amount) AS amount
	FROM entry e WHERE e.kind = 'refund' GROUP BY e.organization_id, e.user_id, e.reverses
)
SELECT a.organization_id, a.user_id, 'balance', coalesce(t.balance, 0), a.tokens_remaining::numeric
FROM account a LEFT JOIN total t USING (organization_id, user_id) WHERE a.tokens_remaining <> coalesce(t.balance, 0)
UNION ALL
SELECT a.organization_id, a.user_id, 'version', coalesce(t.version, 0), a.version
FROM account a LEFT JOIN total t USING (organization_id, user_id) WHERE a.version <> coalesce(t.version, 0)
UNION ALL
SELECT a.organization_id, a.user_id, 'held', coalesce(h.amount, 0), a.held
FROM account a LEFT JOIN held h USING (organization_id, user_id) WHERE a.held <> coalesce(h.amount, 0)
UNION ALL
SELECT a.organization_id, a.user_id, 'limit', - a.overdraft_limit::numeric - a.overage, a.tokens_remaining::numeric - a.held
FROM account a WHERE a.tokens_remaining::numeric - a.held < - a.overdraft_limit::numeric - a.overage OR a.held < 0
UNION ALL
SELECT a.organization_id, a.user_id, 'overage', GREATEST(0, - a.overdraft_limit::numeric - a.tokens_remaining + a.held), a.overage
FROM account a WHERE a.overage > GREATEST(0, - a.overdraft_limit::numeric - a.tokens_remaining + a.held)
UNION ALL
SELECT organization_id, user_id, 'open grant', coalesce(p.remaining, 0), coalesce(o.remaining, 0)
FROM open_grant o FULL JOIN portion p USING (organization_id, user_id, number)
WHERE coalesce(o.remaining, 0) <> coalesce(p.remaining, 0) OR o.remaining <= 0
UNION ALL
SELECT o.organization_id, o.user_id, 'grant without record', o.number, NULL
FROM open_grant o WHERE o.number > 0 AND NOT EXISTS (SELECT 1 FROM platform.token_grants g
	WHERE g.organization_id = o.organization_id AND g.user_id = o.user_id AND g.number = o.number AND g.amount >= o.remaining)
UNION ALL
SELECT g.organization_id, g.user_id, 'grant without entry', g.amount, NULL
FROM platform.token_grants g
WHERE (for_organization_id IS NULL OR g.organization_id = for_organization_id)
	AND NOT EXISTS (SELECT 1 FROM platform.token_usage e
		WHERE e.id = g.id AND e.organization_id = g.organization_id AND e.user_id = g.user_id
		AND e.version = g.number AND e.amount = g.amount)
UNION ALL
SELECT p.organization_id, p.user_id, 'purchase without entry', p.tokens, NULL
FROM platform.token_purchases p
WHERE (for_organization_id IS NULL OR p.organization_id = for_organization_id)
	AND NOT EXISTS (SELECT 1 FROM platform.token_usage e
		WHERE e.id = p.entry_id AND e.organization_id = p.organization_id AND e.user_id = p.user_id AND e.amount = p.tokens)
UNION ALL
SELECT h.organization_id, h.user_id, 'capture without entry', h.captured, NULL
FROM platform.token_holds h
WHERE h.status = 'captured' AND (for_organization_id IS NULL OR h.organization_id = for_organization_id)
	AND NOT EXISTS (SELECT 1 FROM platform.token_usage e
		WHERE e.id = h.entry_id AND e.organization_id = h.organization_id AND e.user_id = h.user_id AND e.tokens_used = h.captured)
UNION ALL
SELECT e.organization_id, e.user_id, 'entry without account', NULL, e.version
FROM total e WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.organization_id = e.organization_id AND a.user_id = e.user_id)
UNION ALL
SELECT e.organization_id, e.user_id, 'missing entry', e.version_before + 1, e.version
FROM entry e WHERE e.version <> e.version_before + 1
UNION ALL
SELECT e.organization_id, e.user_id, 'running balance', e.balance_before::numeric + e.amount, e.balance_after
FROM entry e WHERE e.balance_after <> e.balance_before::numeric + e.amount
UNION ALL
SELECT e.organization_id, e.user_id, 'time of entry', NULL, e.version
FROM entry e WHERE e."timestamp" < e.time_before
UNION ALL
SELECT e.organization_id, e.user_id, 'kind of entry', NULL, e.version
FROM entry e
WHERE CASE WHEN e.kind IN ('burn', 'capture') THEN e.tokens_used <> - e.amount
	WHEN e.kind IN ('grant', 'refund') THEN e.tokens_used <> 0 OR (e.amount <= 0 AND e.version > 1)
	WHEN e.kind = 'expire' THEN e.tokens_used <> 0 OR e.amount >= 0
	ELSE e.tokens_used <> 0 OR e.amount = 0 END
UNION ALL
SELECT r.organization_id, r.user_id, 'refund', e.tokens_used, r.amount
FROM refund r LEFT JOIN platform.token_usage e ON e.id = r.reverses AND e.organization_id = r.organization_id AND e.user_id = r.user_id
WHERE r.amount > coalesce(e.tokens_used, 0)
$$;
COMMENT ON FUNCTION platform.verify_token_accounts(uuid) IS
	'The invariants of accounts and entries: a row for each that is broken, none when all is well. NULL: of all organizations. As the caller sees the tables: operators. No errors of its own.';

CREATE OR REPLACE FUNCTION platform.reconcile_tokens(preview boolean DEFAULT true, for_organization_id uuid DEFAULT NULL)
RETURNS TABLE (organization_id uuid, user_id text, balance bigint, expected_balance bigint, held bigint, expected_held bigint, fixed boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reconcile_tokens';
COMMENT ON FUNCTION platform.reconcile_tokens(boolean, uuid) IS
	'A row for each account whose row differs from its entries, holds and calls; preview false computes it anew from them. Entries are never changed; an account that has none gets its opening entry. NULL: all organizations. Operators. Errors: 42501, 25006.';
