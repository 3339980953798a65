#!/bin/bash
# secrets.sh - what a secret of 200 bytes costs: encrypt_secret() and decrypt_secret()
# beside an empty C function, beside what the crypto library alone needs for it, and
# beside pgcrypto's AES-CBC, which authenticates nothing.
#
# First one organization, so that keys are those that were used last; then 64 of them
# in turn, where each secret needs its key derived and set anew, and 9000, which is
# more than a session keeps unwrapped. What it costs to re-encrypt a table: reencrypt.sh.
. "$(dirname "$0")/lib.sh"

ROWS=100000
ROUNDS=$(bench_scaled 5)
CBC="decode('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')"
ORGANIZATION=00000000-0000-0000-0000-000000000000

support=$(bench_c "$(dirname "$0")/support/secrets.c")
q "CREATE SCHEMA bench" \
	"CREATE FUNCTION bench.empty(uuid, text, uuid, text, text DEFAULT '') RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS '$support', 'bench_empty_secret'" \
	"CREATE FUNCTION bench.library(uuid, text, uuid, text, boolean, boolean) RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS '$support', 'bench_library'" \
	"CREATE FUNCTION bench.empty_cbc(bytea, bytea, bytea, text) RETURNS bytea LANGUAGE c IMMUTABLE STRICT AS '$support', 'bench_empty_cbc'" \
	"INSERT INTO platform.organizations (id, name) SELECT ('c0de0005-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'bench ' || n FROM generate_series(0, 8999) n"
if [ "$(q "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgcrypto'")" = 1 ]; then
	q "CREATE EXTENSION pgcrypto SCHEMA bench"
	pgcrypto=yes
else
	echo "pgcrypto is not installed (Debian: postgresql-contrib): left out"
	pgcrypto=
fi

unlock="SELECT platform.unlock(decode(repeat('5a', 32), 'hex')) IS NOT NULL WHERE current_setting('platform.root_key_file') = ''"

# secrets NAME ORGANIZATIONS: a table of secrets under so many organizations' keys.
secrets() {
	q "CREATE UNLOGGED TABLE bench.$1 WITH (autovacuum_enabled = false) AS
		SELECT ('c0de0005-0000-4000-8000-' || lpad((n % $2)::text, 12, '0'))::uuid AS o, '$ORGANIZATION'::uuid AS id,
			rpad('secret ' || n, 200, 'x') AS plain, convert_to(rpad('secret ' || n, 200, 'x'), 'UTF8') AS plain_bytes, ''::text AS envelope, ''::bytea AS cbc
		FROM generate_series(1, $ROWS) n"
	"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -c "LOAD 'platform'" -c "$unlock" -c "UPDATE bench.$1 SET envelope = platform.encrypt_secret(o, 'bench', id, plain) WHERE true" >/dev/null
	[ -z "$pgcrypto" ] || q "UPDATE bench.$1 SET cbc = bench.encrypt_iv(plain_bytes, $CBC, '0123456789abcdef', 'aes-cbc') WHERE true"
	q "VACUUM FULL bench.$1" "SELECT count(*) FROM bench.$1" >/dev/null
}

# both NAME DERIVED: encrypt and decrypt every row of the table; whether each needs its key derived.
both() {
	local variants
	variants=("empty C function" "SELECT count(bench.empty(o, 'bench', id, plain)) FROM bench.$1"
		"the crypto library alone" "SELECT count(bench.library(o, 'bench', id, plain, true, $2)) FROM bench.$1"
		"encrypt_secret()" "SELECT count(platform.encrypt_secret(o, 'bench', id, plain)) FROM bench.$1")
	[ -z "$pgcrypto" ] || variants+=(
		"empty C function, bytea" "SELECT count(bench.empty_cbc(plain_bytes, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1"
		"pgcrypto encrypt_iv(aes-cbc)" "SELECT count(bench.encrypt_iv(plain_bytes, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1")
	bench_sql "$ROUNDS" "$ROWS" "${variants[@]}" | tee "$BENCH_TMP/medians"
	ratio
	variants=("empty C function" "SELECT count(bench.empty(o, 'bench', id, envelope)) FROM bench.$1"
		"the crypto library alone" "SELECT count(bench.library(o, 'bench', id, envelope, false, $2)) FROM bench.$1"
		"decrypt_secret()" "SELECT count(platform.decrypt_secret(o, 'bench', id, envelope)) FROM bench.$1")
	[ -z "$pgcrypto" ] || variants+=(
		"empty C function, bytea" "SELECT count(bench.empty_cbc(cbc, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1"
		"pgcrypto decrypt_iv(aes-cbc)" "SELECT count(bench.decrypt_iv(cbc, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1")
	bench_sql "$ROUNDS" "$ROWS" "${variants[@]}" | tee "$BENCH_TMP/medians"
	ratio
}

# each over its own empty function
ratio() {
	awk 'NR > 1 { ns[NR - 1] = $(NF - 2) }
		END { if (5 in ns && ns[3] > ns[1]) printf "ours costs %.2f us, of it the library %.2f us; pgcrypto %.2f us: %.1f times\n",
			(ns[3] - ns[1]) / 1000, (ns[2] - ns[1]) / 1000, (ns[5] - ns[4]) / 1000, (ns[5] - ns[4]) / (ns[3] - ns[1]) }' "$BENCH_TMP/medians"
}

secrets one 1
secrets many 64
secrets thousands 9000
BENCH_PREAMBLE="SET jit = off; SET max_parallel_workers_per_gather = 0; LOAD 'platform'; $unlock;"
bench_title "one organization, XAES-256-GCM"
both one false
bench_title "64 organizations in turn, XAES-256-GCM"
both many true
bench_title "9000 organizations in turn: keys are unwrapped anew"
both thousands true
BENCH_PREAMBLE+=" SET platform.secret_suite = 'aes-256-gcm';"
bench_title "one organization, AES-256-GCM, encryptions counted"
bench_sql "$ROUNDS" "$ROWS" \
	"empty C function" "SELECT count(bench.empty(o, 'bench', id, plain)) FROM bench.one" \
	"encrypt_secret()" "SELECT count(platform.encrypt_secret(o, 'bench', id, plain)) FROM bench.one"

q "DROP TABLE bench.one, bench.many, bench.thousands"
