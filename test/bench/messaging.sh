#!/bin/bash
# messaging.sh - what a message costs: receive_sms() with 1,000,000 messages and
# 100,000 leads, and the minute's limit under 32 clients.
#
# 1. The plans of routing's look-ups: index-only scans. The history is asked for as
#    receive_sms() does; the peer asks for the direction alone, by an index on
#    (to_number, direction, created_at), and reads the rows.
# 2. receive_sms() of customers of a dedicated number, of a conversation that is
#    locked, of one that is known by its history, and of strangers; median
#    and 95th percentile a call, by pgbench with one client.
# 3. 32 clients ask for more places in a minute than there are.
. "$(dirname "$0")/lib.sh"

ROWS=${ROWS:-1000000} SECONDS_EACH=${SECONDS_EACH:-5}
q "INSERT INTO platform.organizations (id, name) SELECT ('5aa00000-0000-4000-8000-00000000' || to_char(i, 'FM0000'))::uuid, 'Business ' || i FROM generate_series(1, 1000) AS i" \
	"INSERT INTO platform.sms_settings (organization_id, quiet_from, quiet_until, per_minute) SELECT id, '0:00', '0:00', 6000 FROM platform.organizations WHERE name LIKE 'Business %'" \
	"INSERT INTO platform.sms_numbers (phone_number, organization_id) VALUES ('+13120000000', NULL)" \
	"INSERT INTO platform.sms_numbers (phone_number, organization_id) SELECT '+1312000' || to_char(i, 'FM0000'), ('5aa00000-0000-4000-8000-00000000' || to_char(i, 'FM0000'))::uuid FROM generate_series(1, 1000) AS i" \
	"INSERT INTO platform.messages (organization_id, direction, from_number, to_number, thread_id, body, status, created_at)
		SELECT ('5aa00000-0000-4000-8000-00000000' || to_char(1 + (i % 100000) % 1000, 'FM0000'))::uuid, CASE WHEN i < $ROWS / 2 THEN 'outbound' ELSE 'inbound' END,
			CASE WHEN i < $ROWS / 2 THEN '+13120000000' ELSE '+1773' || to_char(i % 100000, 'FM0000000') END,
			CASE WHEN i < $ROWS / 2 THEN '+1773' || to_char(i % 100000, 'FM0000000') ELSE '+13120000000' END,
			'+1773' || to_char(i % 100000, 'FM0000000'), 'Message ' || i, CASE WHEN i < $ROWS / 2 THEN 'sent' ELSE 'received' END,
			now() - (i / 100000) * interval '12 hours'
		FROM generate_series(0, $ROWS - 1) AS i" \
	"INSERT INTO platform.sms_thread_locks (from_number, to_number, organization_id, locked_until)
		SELECT '+1773' || to_char(i, 'FM0000000'), '+13120000000', ('5aa00000-0000-4000-8000-00000000' || to_char(1 + i % 1000, 'FM0000'))::uuid, now() + interval '1 day' FROM generate_series(0, 49999) AS i" \
	"CREATE TABLE bench_messages AS SELECT * FROM platform.messages" \
	"CREATE INDEX ON bench_messages (to_number, direction, created_at DESC) WHERE direction = 'outbound'"
if [ "$(q "SELECT count(*) FROM platform.schema_migrations WHERE module = 'crm'")" != 0 ]; then
	q "INSERT INTO platform.leads (organization_id, phone, created_at) SELECT ('5aa00000-0000-4000-8000-00000000' || to_char(1 + i % 1000, 'FM0000'))::uuid,
		'+1872' || to_char(i, 'FM0000000'), now() - i * interval '1 s' FROM generate_series(0, 99999) AS i"
	leads=yes
fi
q "VACUUM ANALYZE" "CHECKPOINT"
q "SELECT 'messages: ' || count(*) FROM platform.messages"

bench_title "plans of the look-ups"
q "EXPLAIN (COSTS OFF) SELECT organization_id FROM platform.messages WHERE to_number = '+17730012345' AND from_number = '+13120000000'
	AND created_at > now() - interval '72 hours' AND direction = 'outbound' AND failed_at IS NULL GROUP BY organization_id ORDER BY max(created_at) DESC LIMIT 9"
if [ -n "${leads:-}" ]; then q "EXPLAIN (COSTS OFF) SELECT organization_id FROM platform.leads WHERE phone = '+18720012345' ORDER BY created_at DESC LIMIT 1"; fi

bench_title "look-up of the history, 10,000 customers"
bench_sql 5 10000 \
	"organization in the index" "SELECT count(*) FROM generate_series(1, 10000) AS i, LATERAL (SELECT organization_id FROM platform.messages WHERE to_number = '+1773' || to_char(i * 7 % 100000, 'FM0000000')
		AND from_number = '+13120000000' AND created_at > now() - interval '72 hours' AND direction = 'outbound' AND failed_at IS NULL GROUP BY organization_id) AS h" \
	"rows read (the index of old)" "SELECT count(*) FROM generate_series(1, 10000) AS i, LATERAL (SELECT organization_id FROM bench_messages WHERE to_number = '+1773' || to_char(i * 7 % 100000, 'FM0000000')
		AND from_number = '+13120000000' AND created_at > now() - interval '72 hours' AND direction = 'outbound' AND failed_at IS NULL GROUP BY organization_id) AS h"

# latency NAME FROM TO: the call alone, its commit's flush apart (synchronous_commit off)
latency() {
	cat >"$BENCH_TMP/receive" <<SQL
\\set c random($2)
\\set n random(1, 1000000000)
SELECT platform.receive_sms('$1' || lpad(:c::text, 7, '0'), '$3', 'When will you come?', 'B' || :client_id || '-' || :n || clock_timestamp());
SQL
	(cd "$BENCH_TMP" && rm -f pgbench_log.* && PGOPTIONS='-c synchronous_commit=off' "$BENCH_BIN/pgbench" -n -M prepared -c 1 -T "$(bench_scaled "$SECONDS_EACH")" -l -f "$BENCH_TMP/receive" >/dev/null 2>"$BENCH_TMP/err") || { cat "$BENCH_TMP/err" >&2; die "pgbench failed"; }
	cat "$BENCH_TMP"/pgbench_log.* | awk '{print $3}' | sort -n | awk -v name="$4" '{ v[NR] = $1 }
		END { printf "%-40s %8d calls  median %6.3f ms  95%% %6.3f ms\n", name, NR, v[int((NR + 1) / 2)] / 1000, v[int(NR * 0.95)] / 1000 }'
}
bench_title "receive_sms(), one client"
latency +1773 "0, 99999" +13120000007 "dedicated number"
latency +1773 "0, 49999" +13120000000 "shared number, locked"
latency +1773 "50000, 99999" +13120000000 "shared number, by history"
if [ -n "${leads:-}" ]; then latency +1872 "0, 99999" +13120000000 "shared number, by lead"; fi
latency +1930 "0, 999999" +13120000000 "shared number, unknown"
q "SELECT route || ', ' || coalesce(method, '-') || ': ' || count(*) FROM platform.sms_inbound GROUP BY route, method ORDER BY 1"

bench_title "32 clients, 1000 places in a minute"
q "UPDATE platform.sms_settings SET per_minute = 1000 WHERE organization_id = '5aa00000-0000-4000-8000-000000000001'"
cat >"$BENCH_TMP/send" <<SQL
\\set n random(0, 9999999)
SELECT platform.send_sms('5aa00000-0000-4000-8000-000000000001', '+1605' || lpad(:n::text, 7, '0'), 'On our way', 'auto_eta', send_after => '2031-01-01 12:00+00');
SQL
"$BENCH_BIN/pgbench" -n -M prepared -c 32 -j 4 -t 100 -f "$BENCH_TMP/send" 2>&1 | grep -E "tps|failed"
q "SELECT 'asked for 3200: ' || string_agg(to_char(window_minute AT TIME ZONE 'UTC', 'HH24:MI') || ' has ' || count, ', ' ORDER BY window_minute)
	FROM platform.sms_outbound_throttle WHERE organization_id = '5aa00000-0000-4000-8000-000000000001'" \
	"SELECT 'messages queued: ' || count(*) || ', due in the first minute ' || count(*) FILTER (WHERE send_after < '2031-01-01 12:01+00')
	FROM platform.outbound_sms_log WHERE organization_id = '5aa00000-0000-4000-8000-000000000001'"
