#!/bin/bash
# webhooks.sh - events a second at 16 clients; deliveries claimed, signed, completed
# and logged a second, by 100 with 4 workers and one by one with 16, beside a queue
# written by hand; what a claim takes with a backlog of a blocked endpoint, with a
# million done, while a snapshot is held; what other queues do.
#
# Other queues come from npm: graphile-worker and pg-boss; without node or the
# registry they are skipped. pgmq, PgQ and River are skipped, and said to be.
. "$(dirname "$0")/lib.sh"

org=90000000-0000-4000-8000-000000000001
payload='{"call_id": "c1234567890", "duration": 312, "from": "+15551234567", "to": "+15557654321"}'
endpoints=8
events=$(bench_scaled 50000)

q "INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Bench')" \
	"SELECT count(platform.create_webhook_subscription('$org', 'n' || n, 'https://n' || n || '.example/hook', '{call.*}')) FROM generate_series(1, $endpoints) n" \
	"UPDATE platform.webhook_subscriptions SET max_in_flight = 10000" \
	"CREATE TABLE plain_events (LIKE platform.webhook_events INCLUDING ALL)" \
	"CREATE TABLE plain_queue (id uuid PRIMARY KEY DEFAULT platform.uuid7(), payload jsonb NOT NULL, status text NOT NULL DEFAULT 'pending',
		due_at timestamptz NOT NULL DEFAULT clock_timestamp(), attempts integer NOT NULL DEFAULT 0, lease_until timestamptz, finished_at timestamptz)" \
	"CREATE INDEX ON plain_queue (due_at) WHERE status = 'pending'" >/dev/null

# ---- other queues ----
peers=
if command -v node npm >/dev/null && npm --prefix "$BENCH_TMP" --cache "$BENCH_TMP/npm" install --silent --no-audit --no-fund \
	graphile-worker@0.16.6 pg-boss@10.3.2 pg >/dev/null 2>&1; then
	peer() { node "$(dirname "$0")/support/webhook_peers.mjs" "$BENCH_TMP" "$PGDATABASE" "$@" 2>/dev/null; }
	if peer install; then peers=yes; fi
fi

# ---- emit ----
cat >"$BENCH_TMP/plain.sql" <<SQL
INSERT INTO plain_events (id, organization_id, created_at, occurred_at, transaction_id, cluster_id, event_type, payload)
	VALUES (platform.uuid7(), '$org', clock_timestamp(), clock_timestamp(), pg_current_xact_id(), 1, 'call.completed', '$payload');
SQL
echo "SELECT platform.emit_event('$org', 'call.completed', '$payload');" >"$BENCH_TMP/emit.sql"
printf '\\set key random(1, 9000000000000000000)\n%s\n' "SELECT platform.emit_event('$org', 'call.completed', '$payload', 'call ' || :key);" >"$BENCH_TMP/emit_key.sql"
echo "INSERT INTO pgboss.job (name, data) VALUES ('q', '$payload');" >"$BENCH_TMP/boss.sql"
echo "SELECT graphile_worker.add_job('x', '$payload');" >"$BENCH_TMP/graphile.sql"
variants=("INSERT of the same row" "$BENCH_TMP/plain.sql" "emit_event" "$BENCH_TMP/emit.sql" "emit_event with a key" "$BENCH_TMP/emit_key.sql")
if [ -n "$peers" ]; then variants+=("pg-boss: its INSERT" "$BENCH_TMP/boss.sql" "graphile-worker: add_job" "$BENCH_TMP/graphile.sql"); fi
bench_title "events, 16 clients"
bench_tps 5 4 16 "${variants[@]}"
q "TRUNCATE platform.webhook_events, platform.webhook_event_keys, plain_events" "UPDATE platform.webhook_fanout SET done = NULL, until = NULL WHERE true" >/dev/null

# ---- claim and complete ----
empty() {
	q "TRUNCATE platform.webhook_events, platform.webhook_deliveries, platform.webhook_attempts, plain_queue" \
		"UPDATE platform.webhook_endpoints SET due_at = NULL, scan_from = '-infinity', gap_from = NULL, gap_to = NULL WHERE true" "CHECKPOINT"
}
# Deliveries of all endpoints, made and waiting; as many rows in the other queue. What
# is drained was logged whole since the checkpoint, as in a queue that is drained all the time.
fill() {
	q "UPDATE platform.webhook_subscriptions SET active = false WHERE active" \
		"SELECT count(platform.emit_event('$org', 'call.completed', '$payload')) FROM generate_series(1, $1)" >/dev/null
	until [ "$(q "SELECT count(*) FROM platform.claim_webhook_deliveries(1)" "SELECT platform.next_webhook_wakeup() IS NULL" | tail -1)" = t ]; do :; done
	q "UPDATE platform.webhook_subscriptions SET active = true WHERE NOT active" \
		"INSERT INTO plain_queue (payload) SELECT '$payload' FROM generate_series(1, $1 * $endpoints)" >/dev/null
	q "VACUUM ANALYZE platform.webhook_deliveries" "VACUUM ANALYZE plain_queue"
}
cat >"$BENCH_TMP/ours1.sql" <<SQL
SELECT coalesce(c.delivery_id, '$org') AS id, coalesce(c.lease_id, '$org') AS lease, c.body IS NULL AS nothing FROM (VALUES (1)) v LEFT JOIN platform.claim_webhook_deliveries(1) c ON true \gset
SELECT outcome FROM platform.complete_webhook_delivery(:id, :lease, 200, 20);
SQL
cat >"$BENCH_TMP/plain1.sql" <<SQL
WITH c AS (UPDATE plain_queue SET status = 'active', attempts = attempts + 1, lease_until = now() + interval '1 min' WHERE id = (SELECT id FROM plain_queue WHERE status = 'pending' AND due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, payload) SELECT coalesce(c.id, '$org') AS id, c.payload IS NULL AS nothing FROM (VALUES (1)) v LEFT JOIN c ON true \gset
UPDATE plain_queue SET status = 'done', finished_at = now() WHERE id = :id AND status = 'active';
SQL
cat >"$BENCH_TMP/ours100.sql" <<SQL
SELECT coalesce(array_agg(delivery_id), '{}') AS ids, coalesce((array_agg(lease_id))[1], '$org') AS lease, count(body) FROM platform.claim_webhook_deliveries(100) \gset
SELECT count(c.delivery_id) FROM (SELECT ids, lease, ARRAY[cardinality(ids)] AS n FROM (SELECT :ids::uuid[] AS ids, :lease::uuid AS lease) w) w, platform.complete_webhook_deliveries(ids, array_fill(lease, n), array_fill(200, n), array_fill(20, n)) c;
SQL
cat >"$BENCH_TMP/plain100.sql" <<SQL
WITH c AS (UPDATE plain_queue SET status = 'active', attempts = attempts + 1, lease_until = now() + interval '1 min' WHERE id IN (SELECT id FROM plain_queue WHERE status = 'pending' AND due_at <= now() ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id, payload) SELECT coalesce(array_agg(id), '{}') AS ids, count(payload) FROM c \gset
UPDATE plain_queue SET status = 'done', finished_at = now() WHERE id = ANY (:ids::uuid[]) AND status = 'active';
SQL
delivered() { q "SELECT count(*) FROM platform.webhook_deliveries WHERE status = 'delivered'"; }
plain_done() { q "SELECT count(*) FROM plain_queue WHERE status = 'done'"; }

# drained NAME FILE CLIENTS SECONDS COUNT: "name<TAB>finished a second"
drained() {
	local before after
	before=$($5)
	"$BENCH_BIN/pgbench" -n -M prepared -c "$3" -j "$(($3 < 4 ? $3 : 4))" -T "$4" -f "$2" >/dev/null 2>"$BENCH_TMP/pgbench.err" ||
		{ cat "$BENCH_TMP/pgbench.err" >&2; die "pgbench failed: $1"; }
	after=$($5)
	printf '%s\t%s\n' "$1" $(((after - before) / $4))
}
# both TITLE N CLIENTS ROUNDS SECONDS
both() {
	bench_title "$1, finished a second"
	local round
	for ((round = 0; round < $(bench_scaled "$4"); round++)); do
		empty
		fill "$events"
		drained "queue written by hand, SKIP LOCKED" "$BENCH_TMP/plain$2.sql" "$3" "$(bench_scaled "$5")" plain_done
		drained "claim, sign, complete, log" "$BENCH_TMP/ours$2.sql" "$3" "$(bench_scaled "$5")" delivered
	done | bench_medians rate
}
both "by 100, 4 workers" 100 4 3 2
both "one by one, 16 workers" 1 16 3 4
q "SELECT CASE WHEN max(attempts) > 1 THEN 'a delivery was claimed twice' END FROM platform.webhook_deliveries"
if [ -n "$peers" ]; then
	bench_title "other queues, 4 workers of node: finished a second"
	printf '%-40s %12s\n' "pg-boss, by 100" "$(peer pg-boss "$(bench_scaled 10000)")" "graphile-worker" "$(peer graphile-worker "$(bench_scaled 20000)")"
else
	bench_title "graphile-worker, pg-boss: skipped (need node, npm and its registry)"
fi
for peer in "pgmq: Debian has none, and the packages of npm call it without bringing it" "PgQ: Debian's package goes into Debian's own server only" "River: needs Go and its modules"; do
	printf '%s\n' "skipped: $peer"
done

# ---- what a claim takes ----
# The first subscription is blocked by its breaker, and by being full; the others have work.
claim="SELECT count(body) FROM platform.claim_webhook_deliveries(10)"
blocked=$(q "SELECT id FROM platform.webhook_subscriptions ORDER BY id LIMIT 1")
backlog() {
	q "INSERT INTO platform.webhook_deliveries (organization_id, subscription_id, event_id, event_type, replay, max_attempts, next_retry_at)
		SELECT '$org', '$blocked', e.id, 'call.completed', n, 10, now() - interval '1 day' + n * interval '1 microsecond'
		FROM (SELECT id FROM platform.webhook_events LIMIT 1) e, generate_series(coalesce((SELECT max(replay) FROM platform.webhook_deliveries), 0) + 1, coalesce((SELECT max(replay) FROM platform.webhook_deliveries), 0) + $1) n" \
		"UPDATE platform.webhook_endpoints SET due_at = now() + interval '1 hour', scan_from = '-infinity', blocked_until = now() + interval '1 hour', blocked_by = 'breaker', breaker = 'open' WHERE subscription_id = '$blocked'" \
		"VACUUM ANALYZE platform.webhook_deliveries"
}
fill "$(bench_scaled 3000)"
have=0
for pending in 1000 10000 100000 1000000; do
	pending=$(bench_scaled "$pending")
	backlog $((pending - have))
	have=$pending
	bench_title "a claim of 10 with $pending pending deliveries of an endpoint whose breaker is open"
	bench_sql 40 10 "claim" "$claim"
done
q "UPDATE platform.webhook_endpoints SET due_at = now(), blocked_until = NULL, blocked_by = NULL, breaker = 'closed' WHERE subscription_id = '$blocked'" \
	"UPDATE platform.webhook_subscriptions SET max_in_flight = 5 WHERE id = '$blocked'"
bench_title "the same with one that takes five at once, and answers none"
bench_sql 40 10 "claim" "$claim"
q "UPDATE platform.webhook_subscriptions SET max_in_flight = 10000 WHERE id = '$blocked'"
until [ "$(q "SELECT count(*) FROM platform.webhook_deliveries WHERE status = 'pending'")" = 0 ]; do
	"$BENCH_BIN/pgbench" -n -M prepared -c 4 -j 2 -T 2 -f "$BENCH_TMP/ours100.sql" >/dev/null 2>&1
done
fill "$(bench_scaled 3000)"
bench_title "the same with $have of them done"
bench_sql 40 10 "claim" "$claim"

bench_title "a claim of 10 while a session holds a snapshot: before, and after workers went on for a while"
fill "$(bench_scaled 60000)"
bench_sql 40 10 "claim" "$claim"
"$BENCH_BIN/psql" -X -q -c "BEGIN ISOLATION LEVEL REPEATABLE READ" -c "SELECT 1" -c "SELECT pg_sleep(600)" >/dev/null 2>&1 &
holder=$!
sleep 1
"$BENCH_BIN/pgbench" -n -M prepared -c 4 -j 2 -T "$(bench_scaled 60)" -f "$BENCH_TMP/ours100.sql" -R 60 >/dev/null 2>&1
bench_sql 40 10 "claim" "$claim"
kill $holder
q "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'" >/dev/null
