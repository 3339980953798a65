#!/bin/bash
# audit.sh - what the audit trail costs: platform.audit_changes() beside the usual
# PL/pgSQL trigger that keeps to_jsonb(OLD) and to_jsonb(NEW), and an empty C trigger.
#
# An UPDATE of every row of a table with 12 columns, one table per variant, vacuumed
# between rounds, variants interleaved; 1,000,000 rows with BENCH_SCALE=1. Both trails
# have the same columns and indexes, and are emptied before each round. What a trigger
# costs is the time of its variant less that without a trigger; the second list is the
# processor time of the session.
. "$(dirname "$0")/lib.sh"

ROWS=$((1000000 / ${BENCH_SCALE:-1}))
ROUNDS=$(bench_scaled 3)

support=$(bench_c "$(dirname "$0")/support/support.c")
q "CREATE FUNCTION bench_empty_trigger() RETURNS trigger LANGUAGE c AS '$support'" \
	"CREATE TABLE bench_trail (LIKE platform.audit_logs_default INCLUDING ALL)" \
	"CREATE FUNCTION bench_plpgsql_audit() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
			INSERT INTO bench_trail (organization_id, action, entity, entity_id, old, new, actor, role_name)
			VALUES (NEW.organization_id, TG_OP, TG_TABLE_NAME, NEW.id, to_jsonb(OLD), to_jsonb(NEW),
				platform.current_subject(), current_user);
			RETURN NULL;
		END\$\$"

variants=(none empty_c audit_changes plpgsql)
calls=("" "bench_empty_trigger()" "platform.audit_changes('api_key')" "bench_plpgsql_audit()")
for i in "${!variants[@]}"; do
	q "CREATE TABLE t_${variants[$i]} (
			id uuid PRIMARY KEY, organization_id uuid NOT NULL, name text, email text, phone text, status text,
			api_key text, balance bigint, rate numeric, settings jsonb, created_at timestamptz, updated_at timestamptz)
			WITH (fillfactor = 45, autovacuum_enabled = false)" \
		"INSERT INTO t_${variants[$i]} SELECT platform.uuid7(), md5((i / 1000)::text)::uuid, 'Customer ' || i,
				'customer' || i || '@example.com', '+1415' || (5550000 + i), 'active', md5(i::text), i, 1.25,
				'{\"theme\": \"dark\", \"limits\": [10, 20]}', now(), now()
			FROM generate_series(1, $ROWS) i"
	[ -z "${calls[$i]}" ] || q "CREATE TRIGGER audit AFTER UPDATE ON t_${variants[$i]}
			FOR EACH ROW EXECUTE FUNCTION ${calls[$i]}"
done

# The server's own statistics of a statement: elapsed time, and time of the processor.
{
	printf '%s\n' "SET client_min_messages = log;"
	for ((round = 0; round <= ROUNDS; round++)); do
		for variant in "${variants[@]}"; do
			printf '%s;\n' "VACUUM t_$variant" "SET session_replication_role = replica" \
				"TRUNCATE platform.audit_logs, bench_trail" "RESET session_replication_role" "CHECKPOINT"
			printf '%s\n' "\\warn $([ "$round" = 0 ] && echo warm-up || echo "$variant")" "SET log_statement_stats = on;" \
				"UPDATE t_$variant SET balance = balance + 1, updated_at = now();" "SET log_statement_stats = off;"
		done
	done
} >"$BENCH_TMP/session.sql"
PGOPTIONS= "$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" 2>"$BENCH_TMP/stats" >/dev/null

report() {
	awk -v what="$1" '
		/^(warm-up|none|empty_c|audit_changes|plpgsql)$/ { name = $1; next }
		/ elapsed$/ && name != "warm-up" && name != "" {
			print name "\t" 1000 * (what == "cpu" ? $2 + $5 : $8); name = "" }' "$BENCH_TMP/stats" |
		bench_medians time "$ROWS" | tee "$BENCH_TMP/medians"
	awk 'NR == 3 { base = $3 } $1 == "audit_changes" { ours = $3 } $1 == "plpgsql" { usual = $3 } $1 == "none" { none = $3 }
		END { printf "cost of the trigger: audit_changes %.1f, plpgsql %.1f ns/row: %.2f times cheaper\n",
			ours - none, usual - none, (usual - none) / (ours - none) }' "$BENCH_TMP/medians"
}
bench_title "UPDATE of $ROWS rows, elapsed, median of $ROUNDS"
report elapsed
bench_title "the same, processor time of the session"
report cpu
