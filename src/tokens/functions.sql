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
