#!/bin/bash
# tokens_burn.sh - burns a second: over 100,000 accounts and on one hot account,
# beside the floor (one prepared statement that updates the balance and inserts
# the entry; on the hot account an insert alone), a PL/pgSQL burn that does the
# same, and a double-entry transfer in PL/pgSQL; WAL a burn; reading an account
# of a million entries. The transfer is an imitation: pgledger itself is not
# installed here; it stands for what such a ledger does, two balances and two
# entries under two row locks.
. "$(dirname "$0")/lib.sh"

ACCOUNTS=100000
ENTRIES=1000000
org=00000000-0000-0000-0000-000000000000

# The alternatives: a balance with a version, and a log with a unique key.
q "CREATE TABLE plain_accounts (user_id text NOT NULL, organization_id uuid NOT NULL, balance bigint NOT NULL, version bigint NOT NULL DEFAULT 0,
		PRIMARY KEY (user_id, organization_id)) WITH (fillfactor = 70)" \
	"CREATE TABLE plain_entries (id uuid NOT NULL DEFAULT platform.uuid7(), organization_id uuid NOT NULL, user_id text NOT NULL,
		at timestamptz NOT NULL DEFAULT clock_timestamp(), amount bigint NOT NULL, balance_after bigint NOT NULL, version bigint NOT NULL, key text NOT NULL,
		PRIMARY KEY (id, organization_id), UNIQUE (organization_id, user_id, key))" \
	"CREATE FUNCTION plain_burn(org uuid, account text, tokens bigint, k text, OUT burned bigint, OUT remaining bigint, OUT status text, OUT entry_id uuid, OUT duplicate boolean)
	LANGUAGE plpgsql AS \$\$
	DECLARE
		v bigint;
	BEGIN
		UPDATE plain_accounts SET balance = balance - tokens, version = version + 1
		WHERE user_id = account AND organization_id = org AND balance >= tokens RETURNING balance, version INTO remaining, v;
		IF NOT FOUND THEN burned := 0; status := 'insufficient'; RETURN; END IF;
		INSERT INTO plain_entries (organization_id, user_id, amount, balance_after, version, key)
		VALUES (org, account, - tokens, remaining, v, k) ON CONFLICT DO NOTHING RETURNING id INTO entry_id;
		duplicate := NOT FOUND;
		IF duplicate THEN
			UPDATE plain_accounts SET balance = balance + tokens, version = version - 1 WHERE user_id = account AND organization_id = org;
			SELECT id, balance_after INTO entry_id, remaining FROM plain_entries WHERE organization_id = org AND user_id = account AND key = k;
		END IF;
		burned := tokens;
		status := 'ok';
	END \$\$" \
	"CREATE FUNCTION plain_transfer(org uuid, payer text, payee text, tokens bigint, k text) RETURNS bigint LANGUAGE plpgsql AS \$\$
	DECLARE
		one plain_accounts;
		two plain_accounts;
	BEGIN
		PERFORM FROM plain_accounts WHERE organization_id = org AND user_id IN (payer, payee) ORDER BY user_id FOR UPDATE;
		UPDATE plain_accounts SET balance = balance - tokens, version = version + 1 WHERE organization_id = org AND user_id = payer RETURNING * INTO one;
		UPDATE plain_accounts SET balance = balance + tokens, version = version + 1 WHERE organization_id = org AND user_id = payee RETURNING * INTO two;
		IF one.balance < 0 THEN RAISE 'not enough'; END IF;
		INSERT INTO plain_entries (organization_id, user_id, amount, balance_after, version, key) VALUES
			(org, payer, - tokens, one.balance, one.version, k), (org, payee, tokens, two.balance, two.version, k);
		RETURN one.balance;
	END \$\$"
q "INSERT INTO platform.user_accounts (user_id, tokens_remaining) SELECT 'u' || i, 1000000000 FROM generate_series(0, $ACCOUNTS) i" \
	"INSERT INTO plain_accounts SELECT 'u' || i, '$org', 1000000000 FROM generate_series(0, $ACCOUNTS) i" \
	"INSERT INTO plain_accounts VALUES ('revenue', '$org', 0)" \
	"VACUUM ANALYZE platform.user_accounts, plain_accounts" "CHECKPOINT"

# variant NAME USER STATEMENT: a pgbench script with a fresh :key
variant() {
	printf '\\set key random(1, 9000000000000000000)\n\\set user %s\n%s\n' "$2" "$3" >"$BENCH_TMP/$1.sql"
}
burn="SELECT * FROM platform.burn_tokens('$org', 'u' || :user, 1, idempotency_key => 'call ' || :key);"
plpgsql="SELECT * FROM plain_burn('$org', 'u' || :user, 1, 'call ' || :key);"
floor="WITH a AS (UPDATE plain_accounts SET balance = balance - 1, version = version + 1 WHERE user_id = 'u' || :user AND organization_id = '$org' AND balance >= 1 RETURNING user_id, balance, version)
	INSERT INTO plain_entries (organization_id, user_id, amount, balance_after, version, key) SELECT '$org', user_id, -1, balance, version, 'call ' || :key FROM a;"
floor=${floor//$'\n'/ }
variant uniform_floor "random(1, $ACCOUNTS)" "$floor"
variant uniform_burn "random(1, $ACCOUNTS)" "$burn"
variant uniform_plpgsql "random(1, $ACCOUNTS)" "$plpgsql"
variant hot_insert 0 "INSERT INTO plain_entries (organization_id, user_id, amount, balance_after, version, key) VALUES ('$org', 'u0', -1, 0, 0, 'call ' || :key);"
variant hot_burn 0 "$burn"
variant hot_plpgsql 0 "$plpgsql"
variant hot_transfer 0 "SELECT plain_transfer('$org', 'u0', 'revenue', 1, 'call ' || :key);"

bench_before() {
	case $1 in
	*"late release"*) export PGOPTIONS="-c platform.early_lock_release=off" ;;
	*) export PGOPTIONS= ;;
	esac
}

# Full pages after the checkpoint are written by a round that is not counted: whose
# turn is first would pay for them.
bench_title "$ACCOUNTS accounts, 8 clients"
uniform=("floor: one statement" "$BENCH_TMP/uniform_floor.sql" \
	"burn_tokens" "$BENCH_TMP/uniform_burn.sql" \
	"burn_tokens, late release" "$BENCH_TMP/uniform_burn.sql" \
	"PL/pgSQL burn" "$BENCH_TMP/uniform_plpgsql.sql")
bench_tps 1 4 8 "${uniform[@]}" >/dev/null
bench_tps 5 4 8 "${uniform[@]}"

for clients in 1 32 64; do
	bench_title "one account, $clients clients"
	bench_tps 3 4 $clients \
		"floor: insert alone" "$BENCH_TMP/hot_insert.sql" \
		"burn_tokens" "$BENCH_TMP/hot_burn.sql" \
		"burn_tokens, late release" "$BENCH_TMP/hot_burn.sql" \
		"PL/pgSQL burn" "$BENCH_TMP/hot_plpgsql.sql" \
		"double entry (imitates pgledger)" "$BENCH_TMP/hot_transfer.sql"
done

# Full pages after a checkpoint apart, as they depend on how often there is one. Many burns:
# pages of an index fill at about the same time, and there are few or many splits in a thousand.
BURNS=$(bench_scaled 100000)
bench_title "WAL a burn with key, bytes without full pages, of $BURNS"
q "CREATE EXTENSION IF NOT EXISTS pg_walinspect" 2>/dev/null || true
wal() {
	local from to
	from=$(q "SELECT pg_current_wal_insert_lsn()")
	"$BENCH_BIN/pgbench" -n -M prepared -c 8 -j 2 -t $((BURNS / 8)) -f "$BENCH_TMP/$2.sql" >/dev/null 2>&1
	to=$(q "SELECT pg_current_wal_flush_lsn()")
	printf '%-40s %12s\n' "$1" "$(q "SELECT round(sum(record_length - fpi_length) / ($BURNS / 8 * 8)) FROM pg_get_wal_records_info('$from', '$to') WHERE resource_manager IN ('Heap', 'Heap2', 'Btree', 'Transaction')")"
}
if [ "$(q "SELECT count(*) FROM pg_extension WHERE extname = 'pg_walinspect'")" = 1 ]; then
	wal "floor: one statement" uniform_floor
	wal "burn_tokens" uniform_burn
	wal "burn_tokens, one account" hot_burn
	wal "PL/pgSQL burn" uniform_plpgsql
else
	echo "pg_walinspect is not installed"
fi

bench_title "an account of $ENTRIES entries"
q "SET session_replication_role = replica;
	INSERT INTO platform.user_accounts (user_id, tokens_remaining, version) VALUES ('long', $ENTRIES, $ENTRIES);
	INSERT INTO platform.token_usage (id, organization_id, user_id, \"timestamp\", amount, balance_after, version, kind)
	SELECT platform.uuid7(), '$org', 'long', '2024-01-01'::timestamptz + i * '1 minute'::interval, 1, i, i, 'adjust' FROM generate_series(1, $ENTRIES) i" \
	"VACUUM ANALYZE platform.token_usage"
bench_sql 9 1 \
	"token_balance" "SELECT * FROM platform.token_balance('$org', 'long')" \
	"token_balance_at, the first days" "SELECT platform.token_balance_at('$org', 'long', '2024-01-03')" \
	"token_balance_at, the middle" "SELECT platform.token_balance_at('$org', 'long', '2025-01-01')" \
	"token_statement, a day of 1440 entries" "SELECT count(*) FROM platform.token_statement('$org', 'long', '2025-01-01', '2025-01-02')" \
	"token_statement, the last hour" "SELECT count(*) FROM platform.token_statement('$org', 'long', '2024-01-01'::timestamptz + ($ENTRIES - 60) * '1 minute'::interval)"
