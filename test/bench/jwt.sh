#!/bin/bash
# jwt.sh - what a token costs: jwt_verify() and jwt_check() beside the usual SQL
# over pgcrypto (base64url by translate(), HMAC, claims as jsonb, exp looked at),
# jwt_sign() likewise; EdDSA; a token of 200 bytes of claims.
. "$(dirname "$0")/lib.sh"

TOKENS=20000
EDDSA=2000

q "CREATE EXTENSION pgcrypto" \
	"CREATE FUNCTION bench_encode(data bytea) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$
		SELECT translate(encode(data, 'base64'), E'+/=\n', '-_') \$\$" \
	"CREATE FUNCTION bench_decode(data text) RETURNS bytea LANGUAGE sql IMMUTABLE AS \$\$
		WITH t AS (SELECT translate(data, '-_', '+/') AS trans),
		rem AS (SELECT length(t.trans) % 4 AS remainder FROM t)
		SELECT decode(t.trans || CASE WHEN rem.remainder > 0 THEN repeat('=', 4 - rem.remainder) ELSE '' END, 'base64') FROM t, rem \$\$" \
	"CREATE FUNCTION bench_signature(signed text, secret text, algorithm text) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$
		WITH alg AS (SELECT CASE algorithm WHEN 'HS256' THEN 'sha256' WHEN 'HS384' THEN 'sha384' WHEN 'HS512' THEN 'sha512' ELSE '' END AS id)
		SELECT bench_encode(hmac(signed, secret, alg.id)) FROM alg \$\$" \
	"CREATE FUNCTION bench_sign(payload json, secret text, algorithm text DEFAULT 'HS256') RETURNS text LANGUAGE sql IMMUTABLE AS \$\$
		WITH header AS (SELECT bench_encode(convert_to('{\"alg\":\"' || algorithm || '\",\"typ\":\"JWT\"}', 'utf8')) AS data),
		payload AS (SELECT bench_encode(convert_to(payload::text, 'utf8')) AS data),
		signables AS (SELECT header.data || '.' || payload.data AS data FROM header, payload)
		SELECT signables.data || '.' || bench_signature(signables.data, secret, algorithm) FROM signables \$\$" \
	"CREATE FUNCTION bench_verify(token text, secret text, algorithm text DEFAULT 'HS256') RETURNS TABLE (header json, payload json, valid boolean) LANGUAGE sql IMMUTABLE AS \$\$
		SELECT j.header, j.payload, j.valid
			AND tstzrange(to_timestamp((j.payload ->> 'nbf')::double precision), to_timestamp((j.payload ->> 'exp')::double precision)) @> CURRENT_TIMESTAMP
		FROM (SELECT convert_from(bench_decode(r[1]), 'utf8')::json AS header, convert_from(bench_decode(r[2]), 'utf8')::json AS payload,
				r[3] = bench_signature(r[1] || '.' || r[2], secret, algorithm) AS valid
			FROM regexp_split_to_array(token, '\.') r) j \$\$"

secret=0123456789abcdef0123456789abcdef
claims="jsonb_build_object('sub', md5(i::text)::uuid, 'iss', 'https://issuer.example', 'iat', 1700000000, 'exp', 4102444800, 'aud', 'platform', 'n', i, 'name', repeat('x', 40))"
q "CREATE TABLE tokens AS SELECT $claims AS claims, platform.jwt_sign($claims, '$secret'::bytea) AS token FROM generate_series(1, $TOKENS) i" \
	"VACUUM ANALYZE tokens"
q "SELECT 'claims of ' || round(avg(length(claims::text))) || ' bytes, tokens of ' || round(avg(length(token))) || ' bytes; all valid to both: '
	|| bool_and((platform.jwt_check(token, ARRAY['$secret'::bytea], '{HS256}')).valid AND (SELECT valid FROM bench_verify(token, '$secret'))) FROM tokens"

# ratio NAME NAME...: "first", then ours, then the alternative, which costs so many times ours
ratio() {
	awk 'NR > 1 { ns[NR - 1] = $(NF - 1) }
		END { if (ns[2] > 0) printf "ours costs %.2f us, the SQL %.2f us: %.1f times\n", ns[2] / 1000, ns[3] / 1000, ns[3] / ns[2] }' "$BENCH_TMP/medians"
}
bench_title "verifying $TOKENS tokens, HS256"
bench_sql 9 $TOKENS \
	"reading the tokens" "SELECT max(token) FROM tokens" \
	"jwt_verify" "SELECT max(platform.jwt_verify(token, ARRAY['$secret'::bytea], '{HS256}') ->> 'sub') FROM tokens" \
	"SQL over pgcrypto" "SELECT max(v.payload ->> 'sub') FROM tokens, bench_verify(token, '$secret') v WHERE v.valid" | tee "$BENCH_TMP/medians"
ratio
bench_title "signing $TOKENS tokens, HS256"
bench_sql 9 $TOKENS \
	"reading the claims" "SELECT max(claims ->> 'sub') FROM tokens" \
	"jwt_sign" "SELECT max(length(platform.jwt_sign(claims, '$secret'::bytea))) FROM tokens" \
	"SQL over pgcrypto" "SELECT max(length(bench_sign(claims::json, '$secret'))) FROM tokens" | tee "$BENCH_TMP/medians"
ratio

q "CREATE TABLE ed AS SELECT platform.jwt_sign(claims, '$secret'::bytea, 'EdDSA') AS token FROM (SELECT claims FROM tokens LIMIT $EDDSA) c"
bench_title "EdDSA, $EDDSA tokens"
bench_sql 5 $EDDSA \
	"reading the tokens" "SELECT max(token) FROM ed" \
	"jwt_verify" "SELECT max((platform.jwt_verify(token, ARRAY[platform.ed25519_public_key('$secret')], '{EdDSA}')) ->> 'sub') FROM ed" \
	"jwt_sign" "SELECT max(length(platform.jwt_sign(claims, '$secret'::bytea, 'EdDSA'))) FROM (SELECT claims FROM tokens LIMIT $EDDSA) c"
