-- tokens: accounts and entries

CREATE OR REPLACE FUNCTION platform.burn_tokens(organization_id uuid, user_id text, amount bigint, mode text DEFAULT NULL, used_turn boolean DEFAULT NULL,
	session_id text DEFAULT NULL, idempotency_key text DEFAULT NULL, on_insufficient text DEFAULT 'reject',
	OUT burned bigint, OUT shortfall bigint, OUT remaining bigint, OUT status text, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_burn_tokens';
COMMENT ON FUNCTION platform.burn_tokens(uuid, text, bigint, text, boolean, text, text, text) IS
	'Takes tokens off an account and records it. on_insufficient: reject (all or nothing), partial (what there is), overdraft (all or nothing, down to the overdraft limit). A refusal is an answer: status insufficient or no_account. With a key a repeated call returns the first answer. Members: their own account. Errors: 42501, 22023, PT409 key used with other arguments, 22003, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'burn_tokens(uuid, text, bigint, text, boolean, text, text, text)', 'EXECUTE');

INSERT INTO platform.member_privileges VALUES
	('table', 'user_accounts', 'SELECT'),
	('table', 'token_usage', 'SELECT'),
	('table', 'token_grants', 'SELECT'),
	('table', 'token_holds', 'SELECT'),
	('table', 'token_packages', 'SELECT'),
	('table', 'token_purchases', 'SELECT'),
	('table', 'low_balance_events', 'SELECT');

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
	'Sets tokens aside, all or nothing, until capture_tokens(), release_tokens() or expires_at (at most 31 days from now). A refusal is an answer: status insufficient or no_account. With a key a repeated call returns the same hold. Members: their own account. Errors: 42501, 22023, PT409 key used with another amount, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'reserve_tokens(uuid, text, bigint, interval, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.capture_tokens(organization_id uuid, hold_id uuid, amount bigint DEFAULT NULL,
	OUT captured bigint, OUT released bigint, OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_capture_tokens';
COMMENT ON FUNCTION platform.capture_tokens(uuid, uuid, bigint) IS
	'Burns tokens of a hold (NULL: all of it) and frees the rest. A repeated call returns the first answer. Members: their own account. Errors: 42501, 22023, PT404 no such hold, PT409 released or captured with another amount, PT410 expired, PT422 amount exceeds it, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'capture_tokens(uuid, uuid, bigint)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.release_tokens(organization_id uuid, hold_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_tokens';
COMMENT ON FUNCTION platform.release_tokens(uuid, uuid) IS
	'Frees a hold. True when this call did; false when it was released or has expired before. Members: their own account. Errors: 42501, 22023, PT404 no such hold, PT409 captured, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'release_tokens(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.grant_tokens(organization_id uuid, user_id text, amount bigint, source text DEFAULT 'grant', expires_at timestamptz DEFAULT NULL,
	priority integer DEFAULT 100, idempotency_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT granted bigint, OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_grant_tokens';
COMMENT ON FUNCTION platform.grant_tokens(uuid, text, bigint, text, timestamptz, integer, text, text) IS
	'Gives tokens. Those of a lower priority (0 to 255; purchases have 200) are used first, within one those that expire first; expires_at NULL: never. With a key a repeated call returns the first answer. Operators. Errors: 42501, 22023, PT404 no such account, PT409 key used with other arguments, 22003, 25006.';

CREATE OR REPLACE FUNCTION platform.purchase_tokens(organization_id uuid, user_id text, package text, payment_id text, provider text DEFAULT 'stripe',
	OUT tokens bigint, OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_purchase_tokens';
COMMENT ON FUNCTION platform.purchase_tokens(uuid, text, text, text, text) IS
	'Credits a payment for a package of token_packages, once: announced again it credits nothing. remaining is the balance now. Operators. Errors: 42501, 22023, PT404 no such account or package, PT409 the payment was credited to another account or for another package, 25006.';

CREATE OR REPLACE FUNCTION platform.expire_tokens(batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_expire_tokens';
COMMENT ON FUNCTION platform.expire_tokens(integer) IS
	'Writes the entries of grants whose time is over and ends such holds, of at most batch grants and as many holds; returns how many were ended. Tidies only: nothing that is spent from or reported counts them. Operators. Errors: 42501, 22023, 25006.';

CREATE OR REPLACE FUNCTION platform.refund_tokens(organization_id uuid, entry_id uuid, amount bigint DEFAULT NULL, idempotency_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT refunded bigint, OUT refundable bigint, OUT remaining bigint, OUT refund_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_refund_tokens';
COMMENT ON FUNCTION platform.refund_tokens(uuid, uuid, bigint, text, text) IS
	'Takes back a burn or capture, or amount tokens of it (NULL: all that is left), to the grants that paid; what returns to one that is over expires. With a key a repeated call changes nothing. Operators. Errors: 42501, 22023, PT404 no such entry, PT422 no burn or amount exceeds what is left, PT409 key used with other arguments, 25006.';

CREATE OR REPLACE FUNCTION platform.transfer_tokens(organization_id uuid, from_user_id text, to_user_id text, amount bigint, idempotency_key text DEFAULT NULL, reason text DEFAULT NULL,
	OUT from_remaining bigint, OUT to_remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_transfer_tokens';
COMMENT ON FUNCTION platform.transfer_tokens(uuid, text, text, bigint, text, text) IS
	'Moves tokens between two accounts of an organization, or raises; expiring tokens keep their expiry. With a key a repeated call moves nothing. Administrators of the organization. Errors: 42501, 22023, PT402 not enough, PT404 no such account, PT409 key used with other arguments, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'transfer_tokens(uuid, text, text, bigint, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.adjust_tokens(organization_id uuid, user_id text, amount bigint, reason text, idempotency_key text DEFAULT NULL,
	OUT remaining bigint, OUT entry_id uuid, OUT duplicate boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_adjust_tokens';
COMMENT ON FUNCTION platform.adjust_tokens(uuid, text, bigint, text, text) IS
	'Corrects a balance by a signed amount, with a reason. Operators. Errors: 42501, 22023, PT402 more than is available, PT404 no such account, PT409 key used with another amount, 22003, 25006.';

CREATE OR REPLACE FUNCTION platform.token_balance(organization_id uuid, user_id text,
	OUT balance bigint, OUT held bigint, OUT expired bigint, OUT available bigint, OUT overdraft_limit bigint, OUT overage bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_token_balance';
COMMENT ON FUNCTION platform.token_balance(uuid, text) IS
	'What an account has: the sum of its entries, what of it is held, what belongs to grants whose time is over, and what is left to spend. NULLs without such an account. Members: their own account. Errors: 42501, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'token_balance(uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.token_balance_at(organization_id uuid, user_id text, at timestamptz) RETURNS bigint
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_token_balance_at';
COMMENT ON FUNCTION platform.token_balance_at(uuid, text, timestamptz) IS
	'An account''s balance at a moment, after all entries up to it; 0 before the first, NULL without such an account. Members: their own account. Errors: 42501, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'token_balance_at(uuid, text, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.token_statement(organization_id uuid, user_id text, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL)
RETURNS TABLE (version bigint, "timestamp" timestamptz, kind text, amount bigint, balance_after bigint, shortfall bigint, mode text, used_turn boolean,
	duration_seconds integer, session_id text, idempotency_key text, reason text, entry_id uuid, reverses uuid)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_token_statement';
COMMENT ON FUNCTION platform.token_statement(uuid, text, timestamptz, timestamptz) IS
	'An account''s entries from a moment on and before another (NULL: all), in their order, each with the balance after it. Members: their own account. Errors: 42501, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'token_statement(uuid, text, timestamptz, timestamptz)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.open_token_grants(organization_id uuid, user_id text)
RETURNS TABLE (number bigint, remaining bigint, expires_at timestamptz, priority integer, expired boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_open_token_grants';
COMMENT ON FUNCTION platform.open_token_grants(uuid, text) IS
	'What a balance consists of, in the order of use: a row a grant with tokens left, and one without number for all of a priority that never expire. expired: over, and only what holds need is still there. Members: their own account. Errors: 42501, 22023.';
INSERT INTO platform.member_privileges VALUES ('function', 'open_token_grants(uuid, text)', 'EXECUTE');
