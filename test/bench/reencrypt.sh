#!/bin/bash
# reencrypt.sh - putting the secrets of 200,000 accounts under new keys, beside a plain
# UPDATE of the same rows.
#
# Each account has a token in its document, and a webhook secret. Rounds take turns: a plain
# UPDATE that renames every account, with the table's trigger; the same without it;
# then all data keys are rotated and reencrypt_credentials() runs. The table is vacuumed
# before each.
. "$(dirname "$0")/lib.sh"

ROWS=200000
ROUNDS=$(bench_scaled 3)

"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 <<SQL
SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) IS NOT NULL AS unlocked WHERE current_setting('platform.root_key_file') = '';
INSERT INTO platform.organizations (id, name) SELECT ('b1000000-0000-4000-8000-00000000000' || i)::uuid, 'Organization ' || i FROM generate_series(0, 9) i;
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials)
SELECT ('b1000000-0000-4000-8000-00000000000' || i % 10)::uuid, 'twilio', 'account ' || i,
	jsonb_build_object('accountSid', 'AC' || md5(i::text), 'authToken', md5('token' || i), 'phoneNumber', '+1555' || i)
FROM generate_series(1, $ROWS) i;
VACUUM ANALYZE platform.integration_accounts;
CHECKPOINT;
SQL

bench_title "$ROWS accounts, two secrets each, median of $ROUNDS"
{
	echo '\o /dev/null'
	echo "SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) IS NOT NULL AS unlocked WHERE current_setting('platform.root_key_file') = '';"
	for ((round = 0; round <= ROUNDS; round++)); do
		for variant in "plain UPDATE" "plain UPDATE without triggers" "reencrypt_credentials()"; do
			case $variant in
			plain*triggers) echo "ALTER TABLE platform.integration_accounts DISABLE TRIGGER USER;" ;;
			plain*) echo "ALTER TABLE platform.integration_accounts ENABLE TRIGGER USER;" ;;
			*) echo "SELECT platform.rotate_data_key(organization_id, purpose) FROM platform.data_keys WHERE state = 'active' AND kind = 'secret';" ;;
			esac
			echo "VACUUM platform.integration_accounts; CHECKPOINT;"
			[ "$round" = 0 ] || printf '%s\n' '\o' "\\echo '$variant'" '\timing on'
			case $variant in
			plain*) echo "UPDATE platform.integration_accounts SET account_name = 'renamed $round' WHERE true;" ;;
			*) echo "SELECT platform.reencrypt_credentials($ROWS) AS done \\gset" ;;
			esac
			[ "$round" = 0 ] || printf '%s\n' '\timing off' '\o /dev/null'
		done
	done
	echo '\o'
	echo "\\echo 'done:' :done"
} >"$BENCH_TMP/session.sql"
"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" |
	awk '/^Time: / { print name "\t" $2; next } /^done:/ { print > "/dev/stderr" } { name = $0 }' |
	bench_medians time $ROWS
