#!/bin/bash
# inbox.sh - ingest_webhook() beside what it replaces: a PL/pgSQL function that verifies
# the same signature with hmac() and inserts the payload, and that plain INSERT alone.
#
# Stripe's scheme, a body of 1 kB, 16 clients, each request a transaction; then the same
# event again and again, which is what providers and attackers send; then claims and
# completions beside hand-written ones, and processing by a handler beside a hand-written
# loop, all with SKIP LOCKED. The peer keeps the payload alone: neither the bytes that were
# signed, nor headers, nor leases. Ratios are to the hand-written version.
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
		idempotency_key text UNIQUE, received_at timestamptz DEFAULT clock_timestamp(), claimed_until timestamptz, processed_at timestamptz)" \
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
	END \$\$" \
	"CREATE FUNCTION bench.claim(n integer) RETURNS SETOF bench.webhook_queue LANGUAGE plpgsql AS \$\$
	BEGIN
		RETURN QUERY UPDATE bench.webhook_queue q SET claimed_until = clock_timestamp() + interval '1 minute'
			WHERE q.id IN (SELECT c.id FROM bench.webhook_queue c WHERE c.processed_at IS NULL
				AND (c.claimed_until IS NULL OR c.claimed_until < clock_timestamp()) ORDER BY c.received_at LIMIT n FOR UPDATE SKIP LOCKED)
			RETURNING q.*;
	END \$\$" \
	"CREATE FUNCTION bench.complete(event uuid) RETURNS boolean LANGUAGE plpgsql AS \$\$
	BEGIN
		UPDATE bench.webhook_queue SET processed_at = clock_timestamp() WHERE id = event;
		RETURN FOUND;
	END \$\$"

# sides NUMBER: the three ways, for events numbered by that expression of pgbench.
sides() {
	local signed="platform.sign_webhook_request('stripe', b.body, ARRAY['bench secret'])"
	printf '\\set n %s\n' "$1" | tee "$BENCH_TMP/insert.sql" "$BENCH_TMP/plpgsql.sql" "$BENCH_TMP/platform.sql" >/dev/null
	echo "INSERT INTO bench.webhook_queue (event_type, raw_payload, idempotency_key)
		SELECT p ->> 'type', p, p ->> 'id' FROM (SELECT convert_from(b.body, 'UTF8')::jsonb AS p, $signed FROM (SELECT bench.body(:n) AS body) b) s
		ON CONFLICT (idempotency_key) DO NOTHING;" >>"$BENCH_TMP/insert.sql"
	echo "SELECT i.status FROM (SELECT bench.body(:n) AS body) b, bench.ingest('$ACCOUNT', $signed, b.body) i (status);" >>"$BENCH_TMP/plpgsql.sql"
	echo "SELECT i.status FROM (SELECT bench.body(:n) AS body) b, platform.ingest_webhook('stripe', '$ACCOUNT', $signed, b.body) i;" >>"$BENCH_TMP/platform.sql"
}

# Every run begins with empty tables.
bench_before() {
	q "TRUNCATE bench.webhook_queue" "TRUNCATE platform.unknown_phone, platform.webhook_queue, platform.webhook_requests, platform.webhook_keys" CHECKPOINT
}

ingest() {
	bench_tps "$ROUNDS" "$SECONDS_EACH" "$CLIENTS" \
		"PL/pgSQL: verify, INSERT" "$BENCH_TMP/plpgsql.sql" \
		"ingest_webhook()" "$BENCH_TMP/platform.sql" \
		"plain INSERT, nothing verified" "$BENCH_TMP/insert.sql"
}

bench_title "a new event each time, $CLIENTS clients (each signs its request first)"
sides 'random(1, 1000000000000)'
ingest

bench_title "the same hundred events again and again"
sides 'random(1, 100)'
ingest

EVENTS=20000

# Fills both queues, as ingesting would.
fill() {
	bench_before
	q "INSERT INTO platform.webhook_requests (id, organization_id, account_id, source, headers, body, created_at)
			SELECT platform.uuid7(), '$ORGANIZATION', '$ACCOUNT', 'stripe', '{}', bench.body(n), clock_timestamp() FROM generate_series(1, $EVENTS) n" \
		"INSERT INTO platform.webhook_queue (id, organization_id, request_id, account_id, source, event_type, raw_payload, idempotency_key, created_at)
			SELECT id, organization_id, id, account_id, source, 'charge.succeeded', convert_from(body, 'UTF8')::jsonb, id, created_at FROM platform.webhook_requests" \
		"INSERT INTO bench.webhook_queue (event_type, raw_payload, idempotency_key)
			SELECT 'charge.succeeded', convert_from(bench.body(n), 'UTF8')::jsonb, n FROM generate_series(1, $EVENTS) n" \
		"VACUUM ANALYZE platform.webhook_requests" "VACUUM ANALYZE platform.webhook_queue" "VACUUM ANALYZE bench.webhook_queue" CHECKPOINT
}

# drain BATCH [NAME SQL]...: one worker takes all events, a batch a transaction.
drain() {
	local batch=$1 round i n call begun ended names=() calls=()
	shift
	while [ $# -gt 1 ]; do names+=("$1"); calls+=("$2"); shift 2; done
	for ((round = 0; round < $(bench_scaled 5); round++)); do
		for n in "${!names[@]}"; do
			i=$(((n + round) % ${#names[@]}))
			fill
			for ((call = 0; call < EVENTS / batch; call++)); do echo "${calls[$i]}"; done >"$BENCH_TMP/drain.sql"
			begun=$(date +%s%N)
			"$BENCH_BIN/psql" -X -q -o /dev/null -f "$BENCH_TMP/drain.sql"
			ended=$(date +%s%N)
			printf '%s\t%s\n' "${names[$i]}" "$((EVENTS * 1000000000 / (ended - begun)))"
		done
	done | bench_medians rate
}

for batch in 100 1; do
	[ $batch = 100 ] || EVENTS=2000
	bench_title "$EVENTS events claimed and completed by one worker, $batch a transaction: events/s"
	drain $batch \
		"PL/pgSQL: claim(), complete()" "SELECT count(bench.complete(c.id)) FROM bench.claim($batch) c;" \
		"claim_inbound(), complete_inbound()" "SELECT count(platform.complete_inbound(c.organization_id, c.id, c.lease_id)) FROM platform.claim_inbound('bench', $batch, only_source => 'stripe') c;"
done

EVENTS=20000
q "SELECT platform.register_inbound_handler('stripe', '*', 'bench.handle')" >/dev/null
bench_title "$EVENTS events processed by a handler, 100 a transaction, one worker: events/s"
drain 100 \
	"PL/pgSQL: loop with a savepoint each" "SELECT bench.process(100);" \
	"process_inbound()" "SELECT processed FROM platform.process_inbound(100, 'stripe');"
q "SELECT platform.unregister_inbound_handler('stripe', '*')" >/dev/null
