#!/bin/bash
# sender.sh - the webhook sender and a receiver on this machine that answers after 10 ms,
# over 1, 4 and 16 endpoints: deliveries a second from the first to the last, the
# time from commit to arrival when nothing else is to do, and memory.
. "$(dirname "$0")/lib.sh"

if ! command -v node >/dev/null; then
	echo "skipped: the receiver needs node"
	exit 0
fi
EVENTS=$(bench_scaled 20000)
org=93000000-0000-4000-8000-000000000001

mkfifo "$BENCH_TMP/stop"
node "$(dirname "$0")/../peers/receiver.mjs" --count <"$BENCH_TMP/stop" >"$BENCH_TMP/receiver" &
exec 9>"$BENCH_TMP/stop"
until grep -q listening "$BENCH_TMP/receiver"; do sleep 0.1; done
port=$(sed -n 's/^listening //p' "$BENCH_TMP/receiver")

# set_urls HOW: in a session that knows the setting
set_urls() { "$BENCH_BIN/psql" -X -q -c "LOAD 'platform'" -c "ALTER SYSTEM $1" -c "SELECT pg_reload_conf()" >/dev/null; }
set_urls "SET platform.webhook_urls = 'any'"
sleep 1
q "INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Bench')"
pid=$(q "SELECT platform.start_webhook_sender()") || { echo "skipped: there is no sender"; exit 0; }

# memory KEY...: of the sender's process, in MB
memory() {
	local key
	for key in "$@"; do awk -v key="$key:" '$1 == key { printf " %s %.1f MB", substr(key, 1, length(key) - 1), $2 / 1024 }' "/proc/$pid/status" 2>/dev/null || true; done
}

for endpoints in 1 4 16; do
	bench_title "$EVENTS deliveries to $endpoints endpoint(s)"
	q "DELETE FROM platform.webhook_subscriptions WHERE true" \
		"INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events, secret)
			SELECT '$org', 'e' || i, 'http://127.0.0.1:$port/slow/e' || i || '?ms=10', ARRAY['*'], platform.generate_secret() FROM generate_series(1, $endpoints) i" \
		"SELECT count(platform.emit_event('$org', 'call.completed', jsonb_build_object('call_id', i, 'duration', 312, 'text', repeat('x', 200)))) FROM generate_series(1, $EVENTS / $endpoints) i" >/dev/null
	until [ "$(q "SELECT count(*) FILTER (WHERE finished_at IS NOT NULL) >= $EVENTS / $endpoints * $endpoints FROM platform.webhook_deliveries")" = t ]; do sleep 0.5; done
	q "SELECT format('%s delivered, %s a second', count(*), round(count(*) / extract(epoch FROM max(delivered_at) - min(delivered_at)))) FROM platform.webhook_deliveries WHERE status = 'delivered'"
	echo "memory of the sender: private$(memory RssAnon), libraries$(memory RssFile), shared with the server$(memory RssShmem)"
done

bench_title "one event at a time, half a second apart: from commit to the answer, its 10 ms included"
q "DELETE FROM platform.webhook_subscriptions WHERE true" \
	"INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events, secret) VALUES ('$org', 'one', 'http://127.0.0.1:$port/slow/one?ms=10', '{*}', platform.generate_secret())"
for ((i = 0; i < $(bench_scaled 20); i++)); do
	q "SELECT platform.emit_event('$org', 'call.completed')" >/dev/null
	sleep 0.5
done
q "SELECT format('median %s ms, longest %s ms', round(1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric), round(1000 * max(t)))
	FROM (SELECT extract(epoch FROM d.delivered_at - e.created_at) AS t FROM platform.webhook_deliveries d JOIN platform.webhook_events e ON e.id = d.event_id) s"
q "SELECT platform.stop_webhook_sender()" >/dev/null
set_urls "RESET platform.webhook_urls"
exec 9>&-
