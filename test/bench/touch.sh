#!/bin/bash
# touch.sh - what updated_at costs: platform.touch_updated_at() beside an empty
# C trigger, PL/pgSQL, and contrib's moddatetime (where it is installed).
#
# An UPDATE of every row of an unlogged table, one table per variant, vacuumed
# between rounds, variants interleaved. What a trigger costs is the time of its
# variant less that without a trigger.
. "$(dirname "$0")/lib.sh"

ROWS=200000
ROUNDS=$(bench_scaled 9)

support=$(bench_c "$(dirname "$0")/support/support.c")
q "CREATE FUNCTION bench_empty_trigger() RETURNS trigger LANGUAGE c AS '$support'"
q "CREATE FUNCTION bench_plpgsql_touch() RETURNS trigger LANGUAGE plpgsql AS
	\$\$BEGIN NEW.updated_at := now(); RETURN NEW; END\$\$"

variants=(none empty_c touch plpgsql)
calls=("" "bench_empty_trigger()" "platform.touch_updated_at()" "bench_plpgsql_touch()")
if [ "$(q "SELECT count(*) FROM pg_available_extensions WHERE name = 'moddatetime'")" = 1 ]; then
	q "CREATE EXTENSION moddatetime"
	variants+=(moddatetime)
	calls+=("moddatetime(updated_at)")
else
	echo "moddatetime is not installed (Debian: postgresql-contrib): left out"
fi

for i in "${!variants[@]}"; do
	q "CREATE UNLOGGED TABLE t_${variants[$i]} (
			id uuid NOT NULL, organization_id uuid NOT NULL, name text, email text, phone text,
			metadata jsonb NOT NULL DEFAULT '{}', n integer NOT NULL DEFAULT 0,
			created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now())
			WITH (fillfactor = 45, autovacuum_enabled = false)" \
		"INSERT INTO t_${variants[$i]} (id, organization_id, name, email, phone)
			SELECT platform.uuid7(), platform.uuid7(), 'name ' || i, 'user' || i || '@example.com', '+1555' || i
			FROM generate_series(1, $ROWS) i"
	[ -z "${calls[$i]}" ] || q "CREATE TRIGGER touch BEFORE UPDATE ON t_${variants[$i]}
			FOR EACH ROW EXECUTE FUNCTION ${calls[$i]}"
done
q "CHECKPOINT"

bench_title "UPDATE of $ROWS rows, median of $ROUNDS"
{
	for ((round = 0; round <= ROUNDS; round++)); do
		for variant in "${variants[@]}"; do
			echo "VACUUM t_$variant;"
			[ "$round" = 0 ] || printf '%s\n' "\\echo $variant" '\timing on'
			echo "UPDATE t_$variant SET n = n + 1;"
			[ "$round" = 0 ] || echo '\timing off'
		done
	done
} >"$BENCH_TMP/session.sql"
"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" |
	awk '/^Time: / { print name "\t" $2; next } { name = $1 }' |
	bench_medians time $ROWS | tee "$BENCH_TMP/medians"

bench_title "cost of the trigger itself, beside the empty C trigger"
awk 'NR == 1 { next }
	NR == 2 { base = $3; next }
	NR == 3 { empty = $3 - base }
	{ printf "%-40s %12.1f ns/row %9.2f\n", $1, $3 - base, ($3 - base) / empty }' "$BENCH_TMP/medians"
