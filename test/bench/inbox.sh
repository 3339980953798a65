#!/bin/bash
# inbox.sh - ingest_webhook() beside what it replaces: a PL/pgSQL function that verifies
# the same signature with hmac() and inserts the payload, and that plain INSERT alone.
#
# Stripe's scheme, a body of 1 kB, 16 clients, each request a transaction; then the same
# event again and again, which is what providers and attackers send; then processing by a
# handler beside a hand-written loop with SKIP LOCKED.
. "$(dirname "$0")/lib.sh"

ROUNDS=5
SECONDS_EACH=3
CLIENTS=16
ORGANIZATION=c0de0095-0000-4000-8000-000000000001
ACCOUNT=c0de0095-0000-4000-8000-0000000000a1

if [ "$(q "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgcrypto'")" = 1 ]; then
	q "CREATE SCHEMA bench" "CREATE EXTENSION pgcrypto SCHEMA bench"
	hmac=bench.hmac
else
	echo "pgcrypto is not installed (Debian: postgresql-contrib): the peer verifies with platform.hmac()"
	q "CREATE SCHEMA bench"
	hmac=platform.hmac
fi
q "INSERT INTO platform.organizations (id, name) VALUES ('$ORGANIZATION', 'bench')" \
	"INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret)
		VALUES ('$ACCOUNT', '$ORGANIZATION', 'custom', 'bench', '{}', 'bench secret')" \
	"CREATE TABLE bench.secrets (account uuid PRIMARY KEY, secret text)" \
	"INSERT INTO bench.secrets VALUES ('$ACCOUNT', 'bench secret')" \
	"CREATE TABLE bench.webhook_queue (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), event_type text, raw_payload jsonb,
		idempotency_key text UNIQUE, received_at timestamptz DEFAULT clock_timestamp(), processed_at timestamptz)" \
	"CREATE INDEX ON bench.webhook_queue (received_at) WHERE processed_at IS NULL" \
	"CREATE TABLE bench.effects (webhook_id uuid)" \
	"CREATE FUNCTION bench.body(n bigint) RETURNS bytea LANGUAGE sql AS \$\$
		SELECT convert_to(format('{\"id\": \"evt_%s\", \"type\": \"charge.succeeded\", \"data\": \"%s\"}', n, repeat('x', 950)), 'UTF8') \$\$" \
	"CREATE FUNCTION bench.ingest(account uuid, headers jsonb, body bytea) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE
		header text := headers ->> 'stripe-signature';
		t text := substring(header FROM 't=([0-9]+)');
		given text := substring(header FROM 'v1=([0-9a-f]+)');
		key text;
		payload jsonb;
	BEGIN
		SELECT s.secret INTO key FROM bench.secrets s WHERE s.account = ingest.account;
		IF abs(extract(epoch FROM clock_timestamp()) - t::bigint) > 300
			OR encode($hmac(convert_to(t || '.', 'UTF8') || body, convert_to(key, 'UTF8'), 'sha256'), 'hex') <> given THEN
			RETURN 'rejected';
		END IF;
		payload := convert_from(body, 'UTF8')::jsonb;
		INSERT INTO bench.webhook_queue (event_type, raw_payload, idempotency_key)
			VALUES (payload ->> 'type', payload, payload ->> 'id') ON CONFLICT (idempotency_key) DO NOTHING;
		RETURN CASE WHEN FOUND THEN 'accepted' ELSE 'duplicate' END;
	END \$\$" \
	"CREATE FUNCTION bench.handle(organization_id uuid, webhook_id uuid, event_type text, payload jsonb) RETURNS void LANGUAGE plpgsql AS \$\$
		BEGIN INSERT INTO bench.effects VALUES (webhook_id); END \$\$" \
	"CREATE FUNCTION bench.process(n integer) RETURNS bigint LANGUAGE plpgsql AS \$\$
	DECLARE
		r record;
		done bigint := 0;
	BEGIN
		FOR r IN SELECT id, event_type, raw_payload FROM bench.webhook_queue WHERE processed_at IS NULL
			ORDER BY received_at LIMIT n FOR UPDATE SKIP LOCKED LOOP
			BEGIN
				PERFORM bench.handle('$ORGANIZATION', r.id, r.event_type, r.raw_payload);
				UPDATE bench.webhook_queue SET processed_at = clock_timestamp() WHERE id = r.id;
				done := done + 1;
			EXCEPTION WHEN OTHERS THEN NULL;
			END;
		END LOOP;
		RETURN done;
	END \$\$"

# sides NUMBER: the three ways, for events numbered by that expression of pgbench.
sides() {
	local signed="platform.sign_webhook_request('stripe', b.body, ARRAY['bench secret'])"
	printf '\\set n %s\n' "$1" | tee "$BENCH_TMP/insert.sql" "$BENCH_TMP/plpgsql.sql" "$BENCH_TMP/platform.sql" >/dev/null
	echo "INSERT INTO bench.webhook_queue (event_type, raw_payload, idempotency_key)
		SELECT p ->> 'type', p, p ->> 'id' FROM (SELECT convert_from(b.body, 'UTF8')::jsonb AS p, $signed FROM (SELECT bench.body(:n) AS body) b) s
		ON CONFLICT (idempotency_key) DO NOTHING;" >>"$BENCH_TMP/insert.sql"
	echo "SELECT bench.ingest('$ACCOUNT', $signed, b.body) FROM (SELECT bench.body(:n) AS body) b;" >>"$BENCH_TMP/plpgsql.sql"
	echo "SELECT i.status FROM (SELECT bench.body(:n) AS body) b, platform.ingest_webhook('stripe', '$ACCOUNT', $signed, b.body) i;" >>"$BENCH_TMP/platform.sql"
}

# Every run begins with empty tables.
bench_before() {
	q "TRUNCATE bench.webhook_queue" "TRUNCATE platform.unknown_phone, platform.webhook_queue, platform.webhook_requests, platform.webhook_keys" CHECKPOINT
}

bench_title "a new event each time, $CLIENTS clients (each signs its request first)"
sides 'random(1, 1000000000000)'
bench_tps "$ROUNDS" "$SECONDS_EACH" "$CLIENTS" \
	"plain INSERT, nothing verified" "$BENCH_TMP/insert.sql" \
	"PL/pgSQL: verify, INSERT" "$BENCH_TMP/plpgsql.sql" \
	"ingest_webhook()" "$BENCH_TMP/platform.sql"

bench_title "the same hundred events again and again"
sides 'random(1, 100)'
bench_tps "$ROUNDS" "$SECONDS_EACH" "$CLIENTS" \
	"plain INSERT, nothing verified" "$BENCH_TMP/insert.sql" \
	"PL/pgSQL: verify, INSERT" "$BENCH_TMP/plpgsql.sql" \
	"ingest_webhook()" "$BENCH_TMP/platform.sql"

bench_title "20000 events processed by a handler, 100 a transaction, one worker"
q "SELECT platform.register_inbound_handler('stripe', '*', 'bench.handle')"
for ((round = 0; round < $(bench_scaled 3); round++)); do
	for side in "hand-written loop in PL/pgSQL" "process_inbound()"; do
		bench_before
		if [[ $side == process* ]]; then
			q "INSERT INTO platform.webhook_queue (organization_id, source, event_type, raw_payload)
				SELECT '$ORGANIZATION', 'stripe', 'charge.succeeded', convert_from(bench.body(n), 'UTF8')::jsonb FROM generate_series(1, 20000) n" \
				"VACUUM ANALYZE platform.webhook_queue"
			call="SELECT processed FROM platform.process_inbound(100, 'stripe');"
		else
			q "INSERT INTO bench.webhook_queue (event_type, raw_payload, idempotency_key)
				SELECT 'charge.succeeded', convert_from(bench.body(n), 'UTF8')::jsonb, n FROM generate_series(1, 20000) n" \
				"VACUUM ANALYZE bench.webhook_queue"
			call="SELECT bench.process(100);"
		fi
		for ((i = 0; i < 200; i++)); do echo "$call"; done >"$BENCH_TMP/drain.sql"
		begun=$(date +%s%N)
		"$BENCH_BIN/psql" -X -q -o /dev/null -f "$BENCH_TMP/drain.sql"
		ended=$(date +%s%N)
		printf '%s\t%s\n' "$side" "$((20000 * 1000000000 / (ended - begun)))"
	done
done | bench_medians rate
q "SELECT platform.unregister_inbound_handler('stripe', '*')" >/dev/null
