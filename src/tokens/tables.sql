-- migration 30 tokens: accounts, entries, grants, holds, purchases; rates, calls, presence
-- requires: tenants

-- up

-- Ids of users and calls are compared byte by byte, whatever the locale of the database:
-- in en_US.UTF-8 that takes a third off what a burn costs.

-- One row an account. What a burn changes stands together: the log has less to
-- say of it. Its balance columns are written by the functions only, past
-- the executor: triggers on it do not fire for them. open_grants is read by C: see
-- platform.open_token_grants().
CREATE TABLE IF NOT EXISTS platform.user_accounts (
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id text COLLATE pg_catalog."C" NOT NULL,
	tokens_remaining bigint NOT NULL DEFAULT 100,
	version bigint NOT NULL DEFAULT 0,
	updated_at timestamptz NOT NULL DEFAULT now(),
	held bigint NOT NULL DEFAULT 0,
	held_until timestamptz,
	overdraft_limit bigint NOT NULL DEFAULT 0,
	overage bigint NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	subscription_tier text NOT NULL DEFAULT 'free',
	email text,
	low_balance_thresholds bigint[],
	open_grants bigint[],
	CONSTRAINT user_accounts_pkey PRIMARY KEY (user_id, organization_id),
	CONSTRAINT user_accounts_user_id_check CHECK (length(user_id) BETWEEN 1 AND 255),
	CONSTRAINT user_accounts_subscription_tier_check CHECK (subscription_tier IN ('free', 'pro', 'enterprise')),
	CONSTRAINT user_accounts_held_check CHECK (held >= 0),
	CONSTRAINT user_accounts_overdraft_limit_check CHECK (overdraft_limit BETWEEN 0 AND 1000000000000000),
	CONSTRAINT user_accounts_overage_check CHECK (overage >= 0),
	CONSTRAINT user_accounts_version_check CHECK (version >= 0),
	CONSTRAINT user_accounts_balance_check CHECK (tokens_remaining - held >= - overdraft_limit - overage)
) WITH (fillfactor = 50);
-- The original's, which knew no overdraft and no debt.
ALTER TABLE platform.user_accounts DROP CONSTRAINT IF EXISTS user_accounts_tokens_remaining_check;
CREATE INDEX IF NOT EXISTS user_accounts_organization_id_idx ON platform.user_accounts (organization_id);
CREATE INDEX IF NOT EXISTS user_accounts_email_idx ON platform.user_accounts (email);
COMMENT ON TABLE platform.user_accounts IS
	'Token accounts. tokens_remaining is the sum of the account''s entries in token_usage; only the functions change it.';
COMMENT ON COLUMN platform.user_accounts.tokens_remaining IS
	'The balance. What may be spent is less by held, and by grants that have expired and are not yet written off.';
COMMENT ON COLUMN platform.user_accounts.held IS
	'Sum of the open holds and of the live calls'' reservations.';
COMMENT ON COLUMN platform.user_accounts.overdraft_limit IS
	'How far below zero a burn with on_insufficient overdraft may go.';
COMMENT ON COLUMN platform.user_accounts.overage IS
	'Debt beyond the overdraft limit: what calls used after the account ran dry. Grants pay it first.';
COMMENT ON COLUMN platform.user_accounts.version IS
	'Number of entries so far; the version of the newest one.';
COMMENT ON COLUMN platform.user_accounts.held_until IS
	'Not later than the end of the hold that ends first.';
COMMENT ON COLUMN platform.user_accounts.low_balance_thresholds IS
	'Each time the balance falls to one of these, a row of low_balance_events tells.';
COMMENT ON COLUMN platform.user_accounts.open_grants IS
	'What is left of grants that are used before the rest: number, remaining, expiry, priority of each, in the order of use.';

-- One row an entry. Append-only, written past the executor. The id of an entry
-- with an idempotency key is made from the key: looking for the id finds the key.
CREATE TABLE IF NOT EXISTS platform.token_usage (
	id uuid NOT NULL,
	organization_id uuid NOT NULL,
	"timestamp" timestamptz NOT NULL,
	amount bigint,
	tokens_used bigint NOT NULL DEFAULT 0,
	balance_after bigint,
	version bigint,
	shortfall bigint NOT NULL DEFAULT 0,
	fingerprint bigint,
	duration_seconds integer,
	used_turn boolean,
	user_id text COLLATE pg_catalog."C" NOT NULL,
	kind text,
	mode text,
	session_id text COLLATE pg_catalog."C",
	idempotency_key text,
	rate_id uuid,
	reverses uuid,
	paid_by bigint[],
	reason text,
	CONSTRAINT token_usage_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT token_usage_organization_id_user_id_version_key UNIQUE (organization_id, user_id, version),
	CONSTRAINT token_usage_kind_check CHECK (kind IN ('burn', 'capture', 'grant', 'refund', 'expire', 'adjust', 'transfer')),
	CONSTRAINT token_usage_mode_check CHECK (mode IN ('voice', 'video')),
	CONSTRAINT token_usage_tokens_used_check CHECK (tokens_used >= 0),
	CONSTRAINT token_usage_shortfall_check CHECK (shortfall >= 0),
	CONSTRAINT token_usage_duration_seconds_check CHECK (duration_seconds >= 0),
	CONSTRAINT token_usage_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 255)
);

-- An older log knew burns alone: they are numbered in the order of time, and an opening
-- entry before them makes their sum the account's balance. The same for accounts
-- without a log. Once there are triggers it is theirs to see to that.
UPDATE platform.token_usage e
SET kind = 'burn', amount = - e.tokens_used, version = o.version, balance_after = o.balance
FROM (
	SELECT t.id, t.organization_id,
		(coalesce(a.tokens_remaining, - sum(t.tokens_used) OVER w) + sum(t.tokens_used) OVER w <> 0)::integer
			+ row_number() OVER (w ORDER BY t."timestamp", t.id) AS version,
		coalesce(a.tokens_remaining, - sum(t.tokens_used) OVER w) + sum(t.tokens_used) OVER w
			- sum(t.tokens_used) OVER (w ORDER BY t."timestamp", t.id) AS balance
	FROM platform.token_usage t
	LEFT JOIN platform.user_accounts a ON a.organization_id = t.organization_id AND a.user_id = t.user_id
	WHERE t.version IS NULL
	WINDOW w AS (PARTITION BY t.organization_id, t.user_id)) o
WHERE e.id = o.id AND e.organization_id = o.organization_id AND e.version IS NULL;
INSERT INTO platform.token_usage (id, organization_id, user_id, "timestamp", kind, amount, balance_after, version, reason)
SELECT platform.uuid7(), o.organization_id, o.user_id, o.since, 'grant', o.amount, o.amount, 1, 'opening balance'
FROM (
	SELECT a.organization_id, a.user_id, LEAST(a.created_at, min(e."timestamp")) AS since,
		a.tokens_remaining - coalesce(sum(e.amount), 0)::bigint AS amount
	FROM platform.user_accounts a
	LEFT JOIN platform.token_usage e ON e.organization_id = a.organization_id AND e.user_id = a.user_id
	WHERE a.version = 0
	GROUP BY a.organization_id, a.user_id) o
WHERE o.amount <> 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.token_usage'::regclass AND g.tgname = 'token_usage_refuse');
UPDATE platform.user_accounts a
SET version = e.version
FROM (
	SELECT t.organization_id, t.user_id, max(t.version) AS version FROM platform.token_usage t
	GROUP BY t.organization_id, t.user_id) e
WHERE a.version = 0 AND e.organization_id = a.organization_id AND e.user_id = a.user_id
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
		WHERE g.tgrelid = 'platform.user_accounts'::regclass AND g.tgname = 'user_accounts_check');
ALTER TABLE platform.token_usage
	ALTER COLUMN amount SET NOT NULL,
	ALTER COLUMN balance_after SET NOT NULL,
	ALTER COLUMN version SET NOT NULL,
	ALTER COLUMN kind SET NOT NULL;

CREATE INDEX IF NOT EXISTS token_usage_session_id_idx
	ON platform.token_usage (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS token_usage_reverses_idx
	ON platform.token_usage (reverses) WHERE reverses IS NOT NULL;
COMMENT ON TABLE platform.token_usage IS
	'The ledger: every change of an account''s balance. Append-only.';
COMMENT ON COLUMN platform.token_usage."timestamp" IS
	'When the account was changed, on the clock: never before the entry with the version before.';
COMMENT ON COLUMN platform.token_usage.amount IS
	'Signed: what the balance changed by.';
COMMENT ON COLUMN platform.token_usage.tokens_used IS
	'Of burn and capture: - amount. Of the others: 0.';
COMMENT ON COLUMN platform.token_usage.version IS
	'1, 2, 3 ... within the account.';
COMMENT ON COLUMN platform.token_usage.shortfall IS
	'What was asked and not covered. Of a call''s burn and of a capture it is part of tokens_used, and became debt.';
COMMENT ON COLUMN platform.token_usage.fingerprint IS
	'Hash of the arguments that came with the idempotency key.';
COMMENT ON COLUMN platform.token_usage.rate_id IS
	'The row of token_rates that priced it.';
COMMENT ON COLUMN platform.token_usage.reverses IS
	'Of a refund: the entry that it takes back.';
COMMENT ON COLUMN platform.token_usage.paid_by IS
	'Pairs of grant number and amount, when not all came from, or went to, the balance without grants.';

-- The record of grants. What is left of one is in the account's open_grants.
CREATE TABLE IF NOT EXISTS platform.token_grants (
	id uuid NOT NULL,
	organization_id uuid NOT NULL,
	user_id text COLLATE pg_catalog."C" NOT NULL,
	number bigint NOT NULL,
	amount bigint NOT NULL,
	priority smallint NOT NULL,
	expires_at timestamptz,
	source text NOT NULL,
	payment_id text,
	reason text,
	closed_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT token_grants_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT token_grants_organization_id_user_id_number_key UNIQUE (organization_id, user_id, number),
	CONSTRAINT token_grants_amount_check CHECK (amount > 0),
	CONSTRAINT token_grants_priority_check CHECK (priority BETWEEN 0 AND 255),
	CONSTRAINT token_grants_source_check CHECK (length(source) BETWEEN 1 AND 63)
);
CREATE INDEX IF NOT EXISTS token_grants_expires_at_idx
	ON platform.token_grants (expires_at) WHERE closed_at IS NULL AND expires_at IS NOT NULL;
COMMENT ON TABLE platform.token_grants IS
	'Tokens given to accounts: how many, until when, in which order they are used, and where they come from.';
COMMENT ON COLUMN platform.token_grants.id IS
	'That of the grant''s entry in token_usage.';
COMMENT ON COLUMN platform.token_grants.number IS
	'The version of the grant''s entry; names the grant in open_grants and paid_by.';
COMMENT ON COLUMN platform.token_grants.priority IS
	'Grants of a lower one are used first; within one, those that expire first.';
COMMENT ON COLUMN platform.token_grants.closed_at IS
	'When expire_tokens() found that it is over.';

CREATE TABLE IF NOT EXISTS platform.token_holds (
	id uuid NOT NULL,
	organization_id uuid NOT NULL,
	user_id text COLLATE pg_catalog."C" NOT NULL,
	amount bigint NOT NULL,
	status text NOT NULL DEFAULT 'open',
	captured bigint,
	entry_id uuid,
	idempotency_key text,
	reason text,
	expires_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	settled_at timestamptz,
	CONSTRAINT token_holds_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT token_holds_organization_id_user_id_idempotency_key_key UNIQUE (organization_id, user_id, idempotency_key),
	CONSTRAINT token_holds_amount_check CHECK (amount > 0),
	CONSTRAINT token_holds_captured_check CHECK (captured >= 0),
	CONSTRAINT token_holds_status_check CHECK (status IN ('open', 'captured', 'released', 'expired')),
	CONSTRAINT token_holds_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS token_holds_organization_id_user_id_expires_at_idx
	ON platform.token_holds (organization_id, user_id, expires_at) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS token_holds_expires_at_idx
	ON platform.token_holds (expires_at) WHERE status = 'open';
COMMENT ON TABLE platform.token_holds IS
	'Tokens set aside until they are captured, released, or the hold expires.';
COMMENT ON COLUMN platform.token_holds.entry_id IS
	'The entry of its capture.';

CREATE TABLE IF NOT EXISTS platform.token_packages (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	name text NOT NULL,
	tokens bigint NOT NULL,
	price_cents bigint,
	currency text NOT NULL DEFAULT 'USD',
	valid_days integer,
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT token_packages_pkey PRIMARY KEY (id),
	CONSTRAINT token_packages_name_key UNIQUE (name),
	CONSTRAINT token_packages_name_check CHECK (length(name) BETWEEN 1 AND 63),
	CONSTRAINT token_packages_tokens_check CHECK (tokens > 0),
	CONSTRAINT token_packages_price_cents_check CHECK (price_cents >= 0),
	CONSTRAINT token_packages_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
	CONSTRAINT token_packages_valid_days_check CHECK (valid_days BETWEEN 1 AND 3660)
);
-- An older one had prices in dollars, and what a token costs.
ALTER TABLE platform.token_packages ADD COLUMN IF NOT EXISTS price_usd numeric(10,2);
UPDATE platform.token_packages SET price_cents = coalesce(round(price_usd * 100), 0) WHERE price_cents IS NULL;
ALTER TABLE platform.token_packages
	ALTER COLUMN price_cents SET NOT NULL,
	DROP COLUMN price_usd,
	DROP COLUMN IF EXISTS price_per_token;
COMMENT ON TABLE platform.token_packages IS
	'What may be bought.';
COMMENT ON COLUMN platform.token_packages.price_cents IS
	'In the hundredth part of the currency''s unit.';
COMMENT ON COLUMN platform.token_packages.valid_days IS
	'Days until bought tokens expire; NULL: never.';

CREATE TABLE IF NOT EXISTS platform.token_purchases (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	user_id text COLLATE pg_catalog."C" NOT NULL,
	provider text NOT NULL,
	payment_id text NOT NULL,
	package text NOT NULL,
	tokens bigint NOT NULL,
	price_cents bigint NOT NULL,
	currency text NOT NULL,
	entry_id uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT token_purchases_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT token_purchases_provider_payment_id_key UNIQUE (provider, payment_id),
	CONSTRAINT token_purchases_provider_check CHECK (length(provider) BETWEEN 1 AND 63),
	CONSTRAINT token_purchases_payment_id_check CHECK (length(payment_id) BETWEEN 1 AND 200),
	CONSTRAINT token_purchases_tokens_check CHECK (tokens > 0),
	CONSTRAINT token_purchases_price_cents_check CHECK (price_cents >= 0)
);
CREATE INDEX IF NOT EXISTS token_purchases_organization_id_user_id_created_at_idx
	ON platform.token_purchases (organization_id, user_id, created_at);
COMMENT ON TABLE platform.token_purchases IS
	'Payments that were credited, each once.';
COMMENT ON COLUMN platform.token_purchases.payment_id IS
	'The payment provider''s own.';
COMMENT ON COLUMN platform.token_purchases.entry_id IS
	'The grant''s entry in token_usage.';

-- Each fall of a balance to a threshold or below it, once.
CREATE TABLE IF NOT EXISTS platform.low_balance_events (
	organization_id uuid NOT NULL,
	user_id text COLLATE pg_catalog."C" NOT NULL,
	version bigint NOT NULL,
	threshold bigint NOT NULL,
	balance bigint NOT NULL,
	created_at timestamptz NOT NULL,
	CONSTRAINT low_balance_events_pkey PRIMARY KEY (organization_id, user_id, version, threshold)
);
COMMENT ON TABLE platform.low_balance_events IS
	'A balance fell from above a threshold to it or below. A rise above arms the threshold again.';
COMMENT ON COLUMN platform.low_balance_events.version IS
	'That of the entry which did it.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('user_accounts', 'tenant', '{}', NULL),
	('token_usage', 'tenant', '{}', NULL),
	('token_grants', 'tenant', '{}', NULL),
	('token_holds', 'tenant', '{}', NULL),
	('token_packages', 'global', '{token_packages_name_key}', 'one catalogue for all organizations'),
	('token_purchases', 'tenant', '{token_purchases_provider_payment_id_key}', NULL),
	('low_balance_events', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- live calls

-- The rate card. A row is a version and never changes.
CREATE TABLE IF NOT EXISTS platform.token_rates (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	mode text NOT NULL,
	used_turn boolean NOT NULL,
	tokens_per_minute bigint NOT NULL,
	rounding integer NOT NULL DEFAULT 60,
	valid_from timestamptz NOT NULL,
	created_by text,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT token_rates_pkey PRIMARY KEY (id),
	CONSTRAINT token_rates_mode_used_turn_valid_from_key UNIQUE (mode, used_turn, valid_from),
	CONSTRAINT token_rates_mode_check CHECK (mode IN ('voice', 'video')),
	CONSTRAINT token_rates_tokens_per_minute_check CHECK (tokens_per_minute BETWEEN 0 AND 1000000),
	CONSTRAINT token_rates_rounding_check CHECK (rounding IN (1, 6, 60))
);

-- A call while it lives and afterwards. Pages have room for every row's next version, which
-- the first tick makes longer, so that a tick of the meter touches no index. What indexes
-- and ticks look at comes first: to find a column behind texts and NULLs takes time. Every charge
-- is the price of all seconds of the segment less what the segment has been
-- charged, so that it does not matter when and how often somebody asks.
CREATE TABLE IF NOT EXISTS platform.call_sessions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	start_time timestamptz NOT NULL DEFAULT now(),
	segment_charged bigint NOT NULL DEFAULT 0,
	charged bigint NOT NULL DEFAULT 0,
	reserved bigint NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	segment integer NOT NULL DEFAULT 0,
	sequence integer NOT NULL DEFAULT 0,
	reserve_minutes integer NOT NULL DEFAULT 0,
	used_turn boolean NOT NULL DEFAULT false,
	room_id text NOT NULL,
	mode text NOT NULL,
	status text NOT NULL DEFAULT 'live',
	on_exhausted text NOT NULL DEFAULT 'continue',
	credit_cost numeric(23,4) NOT NULL DEFAULT 0,
	user_id text COLLATE pg_catalog."C",
	segment_turn boolean,
	grace_seconds integer,
	rate_id uuid,
	turn_rate_id uuid,
	end_time timestamptz,
	duration_seconds bigint,
	heartbeat_at timestamptz,
	segment_started_at timestamptz,
	metered_through timestamptz,
	next_charge_at timestamptz,
	reserved_until timestamptz,
	segment_starts bigint[],
	CONSTRAINT call_sessions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT call_sessions_mode_check CHECK (mode IN ('voice', 'voice-only', 'video')),
	CONSTRAINT call_sessions_status_check CHECK (status IN ('live', 'ended', 'lost')),
	CONSTRAINT call_sessions_on_exhausted_check CHECK (on_exhausted IN ('continue', 'warn', 'cut')),
	CONSTRAINT call_sessions_grace_seconds_check CHECK (grace_seconds > 0),
	CONSTRAINT call_sessions_charged_check CHECK (charged >= 0),
	CONSTRAINT call_sessions_reserve_minutes_check CHECK (reserve_minutes BETWEEN 0 AND 1440),
	CONSTRAINT call_sessions_reserved_check CHECK (reserved >= 0)
) WITH (fillfactor = 38);
-- Calls of an older table were billed there, or never will be.
UPDATE platform.call_sessions s
SET status = CASE WHEN s.end_time IS NULL THEN 'lost' ELSE 'ended' END,
	end_time = GREATEST(coalesce(s.end_time, s.updated_at), s.start_time),
	duration_seconds = floor(EXTRACT(epoch FROM GREATEST(coalesce(s.end_time, s.updated_at), s.start_time) - s.start_time)),
	charged = coalesce((SELECT sum(u.tokens_used) FROM platform.token_usage u
		WHERE u.session_id = s.id::text AND u.organization_id = s.organization_id), 0)
WHERE s.status = 'live' AND s.rate_id IS NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
	WHERE g.tgrelid = 'platform.call_sessions'::regclass AND g.tgname = 'call_sessions_touch');
CREATE INDEX IF NOT EXISTS call_sessions_room_id_idx ON platform.call_sessions (room_id);
CREATE INDEX IF NOT EXISTS call_sessions_start_time_idx ON platform.call_sessions (start_time);
CREATE INDEX IF NOT EXISTS call_sessions_user_id_idx ON platform.call_sessions (user_id);
CREATE INDEX IF NOT EXISTS call_sessions_used_turn_start_time_idx ON platform.call_sessions (used_turn, start_time);
-- The live ones, in the order in which accounts are locked.
CREATE INDEX IF NOT EXISTS call_sessions_organization_id_user_id_id_idx
	ON platform.call_sessions (organization_id, user_id, id) WHERE status = 'live';
CREATE INDEX IF NOT EXISTS call_sessions_organization_id_start_time_idx
	ON platform.call_sessions (organization_id, start_time);

-- Who can be called, and where.
CREATE TABLE IF NOT EXISTS platform.user_presence (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	host_id text NOT NULL,
	is_available boolean NOT NULL DEFAULT true,
	room_id text NOT NULL,
	room_token text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT user_presence_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT user_presence_organization_id_host_id_key UNIQUE (organization_id, host_id)
);
CREATE INDEX IF NOT EXISTS user_presence_host_id_is_available_idx ON platform.user_presence (host_id, is_available);
CREATE INDEX IF NOT EXISTS user_presence_updated_at_idx ON platform.user_presence (updated_at);

-- What was used and could not be billed: a debt, settled once.
CREATE TABLE IF NOT EXISTS platform.unbilled_usage (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id text COLLATE pg_catalog."C" NOT NULL,
	session_id uuid NOT NULL,
	segment integer NOT NULL,
	sequence integer NOT NULL,
	tokens bigint NOT NULL,
	mode text NOT NULL,
	used_turn boolean NOT NULL,
	duration_seconds bigint NOT NULL,
	rate_id uuid,
	reason text NOT NULL,
	error_code text,
	error_message text,
	attempts integer NOT NULL DEFAULT 0,
	settled_at timestamptz,
	entry_id uuid NOT NULL,
	cancelled bigint NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT unbilled_usage_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT unbilled_usage_organization_id_session_id_segment_sequence_key UNIQUE (organization_id, session_id, segment, sequence),
	CONSTRAINT unbilled_usage_tokens_check CHECK (tokens >= 0),
	CONSTRAINT unbilled_usage_mode_check CHECK (mode IN ('voice', 'video')),
	CONSTRAINT unbilled_usage_reason_check CHECK (reason IN ('no_account', 'lock_timeout', 'error'))
);
CREATE INDEX IF NOT EXISTS unbilled_usage_attempts_created_at_idx ON platform.unbilled_usage (attempts, created_at) WHERE settled_at IS NULL;
CREATE INDEX IF NOT EXISTS unbilled_usage_organization_id_user_id_created_at_idx
	ON platform.unbilled_usage (organization_id, user_id, created_at);

COMMENT ON TABLE platform.token_rates IS
	'The rate card: tokens per minute by mode and use of TURN. Versions, only added to; a call is priced by those valid at its start.';
COMMENT ON COLUMN platform.token_rates.rounding IS
	'Seconds of which every started one counts: 60, 6 or 1.';
COMMENT ON TABLE platform.call_sessions IS
	'Calls with their meter. Rows may be inserted by SQL with room_id and mode alone; the meter''s columns belong to the functions.';
COMMENT ON COLUMN platform.call_sessions.used_turn IS
	'Has TURN been used at any time in the call? What is used now is segment_turn.';
COMMENT ON COLUMN platform.call_sessions.credit_cost IS
	'The price of the call in tokens, filled when it ends.';
COMMENT ON COLUMN platform.call_sessions.user_id IS
	'Who pays. NULL or beginning with anonymous_: nobody.';
COMMENT ON COLUMN platform.call_sessions.status IS
	'live, ended, or lost: closed because heartbeats stopped.';
COMMENT ON COLUMN platform.call_sessions.on_exhausted IS
	'What the application wants to be told when the balance is used up: continue, warn or cut.';
COMMENT ON COLUMN platform.call_sessions.grace_seconds IS
	'The call is lost when no heartbeat has come for so long. NULL: it sends none and lives until it is ended.';
COMMENT ON COLUMN platform.call_sessions.rate_id IS
	'The rate without TURN, fixed at the start; turn_rate_id is that with TURN.';
COMMENT ON COLUMN platform.call_sessions.segment IS
	'Number of the present stretch without a change of TURN, from 0. NULL in segment_turn and segment_started_at: as the call began.';
COMMENT ON COLUMN platform.call_sessions.segment_starts IS
	'Seconds from the start at which the segments after the first began.';
COMMENT ON COLUMN platform.call_sessions.charged IS
	'Tokens charged so far, without what was given back: entries of the account and rows of unbilled_usage.';
COMMENT ON COLUMN platform.call_sessions.sequence IS
	'Charges of the present segment so far. Session, segment and sequence make the id of the next entry.';
COMMENT ON COLUMN platform.call_sessions.metered_through IS
	'The moment up to which the time of the call is in its charges. NULL: nothing yet.';
COMMENT ON COLUMN platform.call_sessions.next_charge_at IS
	'The moment at which the next token is due. NULL: not known yet.';
COMMENT ON COLUMN platform.call_sessions.reserved IS
	'Part of held of the account: set aside for the next reserve_minutes, until reserved_until.';
COMMENT ON TABLE platform.user_presence IS
	'Hosts that can be called. updated_at is the last heartbeat.';
COMMENT ON TABLE platform.unbilled_usage IS
	'Charges of calls that could not be billed, with the reason; settle_unbilled_usage() tries again.';
COMMENT ON COLUMN platform.unbilled_usage.entry_id IS
	'The entry in token_usage that bills it, there once it is settled.';
COMMENT ON COLUMN platform.unbilled_usage.cancelled IS
	'Tokens by which the row was lessened because the call ended earlier than was metered.';
COMMENT ON COLUMN platform.unbilled_usage.error_code IS
	'SQLSTATE of the error, when it was one.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('token_rates', 'global', '{token_rates_mode_used_turn_valid_from_key}', 'one rate card for all organizations'),
	('call_sessions', 'tenant', '{}', NULL),
	('user_presence', 'tenant', '{}', NULL),
	('unbilled_usage', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.unbilled_usage,
	platform.user_presence,
	platform.call_sessions,
	platform.token_rates;
DELETE FROM platform.table_kinds WHERE table_name IN ('token_rates', 'call_sessions', 'user_presence', 'unbilled_usage');
DROP TABLE IF EXISTS
	platform.low_balance_events,
	platform.token_purchases,
	platform.token_packages,
	platform.token_holds,
	platform.token_grants,
	platform.token_usage,
	platform.user_accounts;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'user_accounts', 'token_usage', 'token_grants', 'token_holds', 'token_packages', 'token_purchases',
	'low_balance_events');

-- checks

-- check: accounts keep within what they may owe
SELECT organization_id, user_id FROM platform.user_accounts
WHERE tokens_remaining - held < - overdraft_limit - overage OR held < 0;
-- check: a closed call has an end
SELECT id, organization_id FROM platform.call_sessions WHERE status <> 'live' AND end_time IS NULL;
-- check: every mode has a rate from the beginning
SELECT m.mode, t.used_turn FROM (VALUES ('voice'), ('video')) AS m (mode), (VALUES (false), (true)) AS t (used_turn)
WHERE NOT EXISTS (SELECT 1 FROM platform.token_rates r
	WHERE r.mode = m.mode AND r.used_turn = t.used_turn AND r.valid_from = '-infinity');
