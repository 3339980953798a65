#!/bin/bash
# signing.sh - what a signature costs, over bodies of 200 bytes with a secret a row:
# hmac() beside pgcrypto's, verify_standard_webhook() beside the same in SQL over
# pgcrypto (lists of secrets and signatures, tolerance) and beside the least that SQL
# can do (one secret, one signature). Then the other schemes, and what rotation adds.
. "$(dirname "$0")/lib.sh"

ROWS=20000
ROUNDS=9
now="to_timestamp(1700000000)"

q "CREATE EXTENSION pgcrypto" \
	"CREATE FUNCTION bench_verify(id text, sent_at text, body bytea, signature text, secrets text[], now timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS \$\$
		SELECT sent_at ~ '^[0-9]{1,15}\$' AND abs(extract(epoch FROM now)::bigint - sent_at::bigint) <= 300
			AND EXISTS (SELECT FROM unnest(secrets) s, unnest(string_to_array(signature, ' ')) v
				WHERE v = 'v1,' || encode(hmac(convert_to(id || '.' || sent_at || '.', 'UTF8') || body, decode(replace(s, 'whsec_', ''), 'base64'), 'sha256'), 'base64')) \$\$" \
	"CREATE FUNCTION bench_verify_least(id text, sent_at text, body bytea, signature text, secret text, now timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS \$\$
		SELECT abs(extract(epoch FROM now)::bigint - sent_at::bigint) <= 300
			AND signature = 'v1,' || encode(hmac(convert_to(id || '.' || sent_at || '.', 'UTF8') || body, decode(replace(secret, 'whsec_', ''), 'base64'), 'sha256'), 'base64') \$\$"

q "CREATE TABLE requests AS
	SELECT *, platform.sign_standard_webhook(id, $now, body, ARRAY[secret]) AS standard,
		platform.sign_stripe_webhook(body, ARRAY[secret], $now) AS stripe, platform.sign_github_webhook(body, secret) AS github,
		platform.sign_slack_webhook($now, body, secret) AS slack, platform.sign_retell_webhook(body, secret, $now) AS retell,
		platform.sign_twilio_webhook(url, form, secret) AS twilio,
		platform.sign_standard_webhook(id, $now, body, ARRAY[ed25519]) AS v1a
	FROM (SELECT 'msg_' || md5(i::text) AS id, convert_to(rpad('{\"type\": \"call.completed\", \"n\": ' || i || ', \"text\": \"', 198, 'x') || '\"}', 'UTF8') AS body,
			platform.generate_secret() AS secret, gen_random_bytes(32) AS key, 'https://example.com/webhooks/twilio/voice/' || i || '?a=b' AS url,
			convert_to('CallSid=CA' || md5(i::text) || '&From=%2B14158675309&To=%2B18005551212&CallStatus=completed&Duration=' || i || '&Direction=inbound', 'UTF8') AS form,
			platform.generate_secret('whsk_') AS ed25519
		FROM generate_series(1, $ROWS) i) s" \
	"ALTER TABLE requests ADD public_key text" "UPDATE requests SET public_key = platform.webhook_public_key(ed25519) WHERE true" \
	"VACUUM (FULL, ANALYZE) requests"
q "SELECT 'bodies of ' || round(avg(length(body))) || ' bytes; hmac the same: ' || bool_and(platform.hmac(body, key) = hmac(body, key, 'sha256'))
	|| '; valid to all three: ' || bool_and(platform.verify_standard_webhook(id, '1700000000', body, standard, ARRAY[secret], $now)
		AND bench_verify(id, '1700000000', body, standard, ARRAY[secret], $now) AND bench_verify_least(id, '1700000000', body, standard, secret, $now)) FROM requests"

# "first", then ours, then alternatives, which cost so many times ours
ratios() {
	awk 'NR > 1 { ns[NR - 1] = $(NF - 1) }
		END { if (ns[2] > 0) for (i = 3; i in ns; i++) printf "ours costs %.2f us, alternative %d %.2f us: %.1f times\n", ns[2] / 1000, i - 2, ns[i] / 1000, ns[i] / ns[2] }' "$BENCH_TMP/medians"
}

bench_title "HMAC-SHA256, $ROWS rows, a key a row"
bench_sql $ROUNDS $ROWS \
	"reading the bodies" "SELECT count(body) + count(key) FROM requests" \
	"hmac" "SELECT count(platform.hmac(body, key)) + count(key) FROM requests" \
	"pgcrypto" "SELECT count(public.hmac(body, key, 'sha256')) + count(key) FROM requests" | tee "$BENCH_TMP/medians"
ratios

bench_title "verifying $ROWS requests of Standard Webhooks"
bench_sql $ROUNDS $ROWS \
	"reading them" "SELECT count(*) FILTER (WHERE id <> '' AND body <> '' AND standard <> '' AND secret <> '') FROM requests" \
	"verify_standard_webhook" "SELECT count(*) FILTER (WHERE platform.verify_standard_webhook(id, '1700000000', body, standard, ARRAY[secret], $now)) FROM requests" \
	"SQL over pgcrypto" "SELECT count(*) FILTER (WHERE bench_verify(id, '1700000000', body, standard, ARRAY[secret], $now)) FROM requests" \
	"SQL: one secret, one signature" "SELECT count(*) FILTER (WHERE bench_verify_least(id, '1700000000', body, standard, secret, $now)) FROM requests" | tee "$BENCH_TMP/medians"
ratios

bench_title "other schemes, signing, rotation"
bench_sql 5 $ROWS \
	"reading them" "SELECT count(*) FILTER (WHERE id <> '' AND body <> '' AND standard <> '' AND secret <> '') FROM requests" \
	"sign_standard_webhook" "SELECT count(platform.sign_standard_webhook(id, $now, body, ARRAY[secret])) FROM requests" \
	"check_standard_webhook" "SELECT count(*) FILTER (WHERE (platform.check_standard_webhook(id, '1700000000', body, standard, ARRAY[secret], $now)).ok) FROM requests" \
	"verify_standard_webhook, 3 secrets" "SELECT count(*) FILTER (WHERE platform.verify_standard_webhook(id, '1700000000', body, standard, ARRAY['b3RoZXI=', 'b3RoZXJz', secret], $now)) FROM requests" \
	"verify_stripe_webhook" "SELECT count(*) FILTER (WHERE platform.verify_stripe_webhook(body, stripe, ARRAY[secret], $now)) FROM requests" \
	"verify_github_webhook" "SELECT count(*) FILTER (WHERE platform.verify_github_webhook(body, github, ARRAY[secret])) FROM requests" \
	"verify_slack_webhook" "SELECT count(*) FILTER (WHERE platform.verify_slack_webhook('1700000000', body, slack, ARRAY[secret], $now)) FROM requests" \
	"verify_retell_webhook" "SELECT count(*) FILTER (WHERE platform.verify_retell_webhook(body, retell, ARRAY[secret], $now)) FROM requests" \
	"verify_twilio_webhook, a form" "SELECT count(*) FILTER (WHERE platform.verify_twilio_webhook(url, form, twilio, ARRAY[secret])) FROM requests" \
	"Ed25519 (v1a), a tenth of the rows" "SELECT count(*) FILTER (WHERE platform.verify_standard_webhook(id, '1700000000', body, v1a, ARRAY[public_key], $now)) FROM (SELECT * FROM requests LIMIT $ROWS / 10) r"
