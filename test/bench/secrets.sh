#!/bin/bash
# secrets.sh - what a secret of 200 bytes costs: encrypt_secret() and decrypt_secret()
# beside an empty C function, and beside pgcrypto's AES-CBC, which authenticates nothing.
#
# First one organization, so that its key is the one that was used last; then 64 of
# them in turn, and 3000, which is more than a session keeps unwrapped. What it
# costs to re-encrypt a table: reencrypt.sh.
. "$(dirname "$0")/lib.sh"

ROWS=100000
ROUNDS=$(bench_scaled 5)
CBC="decode('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')"
ORGANIZATION=00000000-0000-0000-0000-000000000000

support=$(bench_c "$(dirname "$0")/support/secrets.c")
q "CREATE SCHEMA bench" \
	"CREATE FUNCTION bench.empty(uuid, text, uuid, text, text DEFAULT '') RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS '$support', 'bench_empty_secret'" \
	"CREATE FUNCTION bench.empty_cbc(bytea, bytea, bytea, text) RETURNS bytea LANGUAGE c IMMUTABLE STRICT AS '$support', 'bench_empty_cbc'" \
	"INSERT INTO platform.organizations (id, name) SELECT ('c0de0005-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'bench ' || n FROM generate_series(0, 2999) n"
if [ "$(q "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgcrypto'")" = 1 ]; then
	q "CREATE EXTENSION pgcrypto SCHEMA bench"
	pgcrypto=yes
else
	echo "pgcrypto is not installed (Debian: postgresql-contrib): left out"
	pgcrypto=
fi

# secrets NAME ORGANIZATIONS: a table of secrets under so many organizations' keys.
secrets() {
	q "CREATE UNLOGGED TABLE bench.$1 WITH (autovacuum_enabled = false) AS
		SELECT ('c0de0005-0000-4000-8000-' || lpad((n % $2)::text, 12, '0'))::uuid AS o, '$ORGANIZATION'::uuid AS id,
			rpad('secret ' || n, 200, 'x') AS plain, convert_to(rpad('secret ' || n, 200, 'x'), 'UTF8') AS plain_bytes, ''::text AS envelope, ''::bytea AS cbc
		FROM generate_series(1, $ROWS) n" \
		"UPDATE bench.$1 SET envelope = platform.encrypt_secret(o, 'bench', id, plain) WHERE true"
	[ -z "$pgcrypto" ] || q "UPDATE bench.$1 SET cbc = bench.encrypt_iv(plain_bytes, $CBC, '0123456789abcdef', 'aes-cbc') WHERE true"
	q "VACUUM FULL bench.$1" "SELECT count(*) FROM bench.$1" >/dev/null
}

# both NAME: encrypt and decrypt every row of the table.
both() {
	local variants
	variants=("empty C function" "SELECT count(bench.empty(o, 'bench', id, plain)) FROM bench.$1"
		"encrypt_secret()" "SELECT count(platform.encrypt_secret(o, 'bench', id, plain)) FROM bench.$1")
	[ -z "$pgcrypto" ] || variants+=(
		"empty C function, bytea" "SELECT count(bench.empty_cbc(plain_bytes, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1"
		"pgcrypto encrypt_iv(aes-cbc)" "SELECT count(bench.encrypt_iv(plain_bytes, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1")
	bench_sql "$ROUNDS" "$ROWS" "${variants[@]}"
	variants=("empty C function" "SELECT count(bench.empty(o, 'bench', id, envelope)) FROM bench.$1"
		"decrypt_secret()" "SELECT count(platform.decrypt_secret(o, 'bench', id, envelope)) FROM bench.$1")
	[ -z "$pgcrypto" ] || variants+=(
		"empty C function, bytea" "SELECT count(bench.empty_cbc(cbc, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1"
		"pgcrypto decrypt_iv(aes-cbc)" "SELECT count(bench.decrypt_iv(cbc, $CBC, '0123456789abcdef', 'aes-cbc')) FROM bench.$1")
	bench_sql "$ROUNDS" "$ROWS" "${variants[@]}"
}

secrets one 1
secrets many 64
secrets thousands 3000
BENCH_PREAMBLE="SET jit = off; SET max_parallel_workers_per_gather = 0;"
bench_title "one organization, XAES-256-GCM"
both one
bench_title "64 organizations in turn, XAES-256-GCM"
both many
bench_title "3000 organizations in turn: keys are unwrapped anew"
both thousands
BENCH_PREAMBLE+=" SET platform.secret_suite = 'aes-256-gcm';"
bench_title "one organization, AES-256-GCM, encryptions counted"
bench_sql "$ROUNDS" "$ROWS" \
	"empty C function" "SELECT count(bench.empty(o, 'bench', id, plain)) FROM bench.one" \
	"encrypt_secret()" "SELECT count(platform.encrypt_secret(o, 'bench', id, plain)) FROM bench.one"

q "DROP TABLE bench.one, bench.many, bench.thousands"
