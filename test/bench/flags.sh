#!/bin/bash
# flags.sh - what is_feature_enabled() costs: beside an empty C function of the
# same signature, and beside the usual PL/pgSQL with two look-ups; as a policy
# over a million rows; what a cached flag takes; how long a cold fill takes;
# organizations_with_feature() beside a check a row.
. "$(dirname "$0")/lib.sh"

ORGANIZATIONS=10000
FEATURES=10
ROWS=1000000
PLPGSQL_ROWS=100000

support=$(bench_c "$(dirname "$0")/support/support.c")
q "CREATE FUNCTION bench_empty_check(organization_id uuid, feature text, targeting_key text DEFAULT NULL) RETURNS boolean
	LANGUAGE c STABLE PARALLEL SAFE AS '$support'"
q "CREATE FUNCTION bench_plpgsql_check(org uuid, name text, targeting_key text DEFAULT NULL) RETURNS boolean
	LANGUAGE plpgsql STABLE AS \$\$
	DECLARE
		on_globally boolean;
		on_here boolean;
	BEGIN
		SELECT enabled INTO on_globally FROM platform.global_feature_flags WHERE feature = name;
		IF on_globally IS NOT TRUE THEN RETURN false; END IF;
		SELECT enabled INTO on_here FROM platform.org_feature_flags WHERE organization_id = org AND feature = name;
		RETURN coalesce(on_here, true);
	END \$\$"

# History of the setting-up is of no interest: only caches are told.
q "SET session_replication_role = replica;
	INSERT INTO platform.organizations (id, name)
	SELECT pg_catalog.md5(i::text)::uuid, 'organization ' || i FROM generate_series(1, $ORGANIZATIONS) i;
	INSERT INTO platform.org_feature_flags (organization_id, feature, enabled, monthly_limit)
	SELECT pg_catalog.md5(i::text)::uuid, g.feature, i % 3 > 0, 1000 * (i % 7)
	FROM generate_series(1, $ORGANIZATIONS) i,
		(SELECT feature FROM platform.global_feature_flags ORDER BY feature LIMIT $FEATURES) g" \
	"VACUUM ANALYZE platform.organizations, platform.org_feature_flags"
feature=$(q "SELECT feature FROM platform.global_feature_flags ORDER BY feature LIMIT 1")
organization=$(q "SELECT pg_catalog.md5('1')::uuid")

# cost_ratio: of medians "base, check, PL/pgSQL" what the last two cost beyond the first
cost_ratio() {
	awk 'NR > 1 { ns[NR - 1] = $(NF - 2) }
		END { if (ns[2] - ns[1] > 0) printf "is_feature_enabled costs %.1f ns, PL/pgSQL %.0f ns: %.0f times\n", ns[2] - ns[1], ns[3] - ns[1], (ns[3] - ns[1]) / (ns[2] - ns[1]) }' "$BENCH_TMP/medians"
}
check_sql() { echo "SELECT count(*) FILTER (WHERE $1) FROM generate_series(1, $2) i"; }

bench_title "one check, $ROWS calls for one organization"
bench_sql 15 $ROWS \
	"empty C function" "$(check_sql "bench_empty_check('$organization', '$feature')" $ROWS)" \
	"is_feature_enabled" "$(check_sql "platform.is_feature_enabled('$organization', '$feature')" $ROWS)"
bench_title "beside PL/pgSQL with two look-ups, $PLPGSQL_ROWS calls"
bench_sql 7 $PLPGSQL_ROWS \
	"empty C function" "$(check_sql "bench_empty_check('$organization', '$feature')" $PLPGSQL_ROWS)" \
	"is_feature_enabled" "$(check_sql "platform.is_feature_enabled('$organization', '$feature')" $PLPGSQL_ROWS)" \
	"PL/pgSQL, two look-ups" "$(check_sql "bench_plpgsql_check('$organization', '$feature')" $PLPGSQL_ROWS)" | tee "$BENCH_TMP/medians"
cost_ratio

# A policy is not for the table's owner, nor for BYPASSRLS: the reader is an
# operator because it is a member of the role that owns platform's tables.
owner=$(q "SELECT quote_ident(tableowner) FROM pg_tables WHERE schemaname = 'platform' AND tablename = 'organizations'")
q "DROP ROLE IF EXISTS bench_flags_owner" "CREATE ROLE bench_flags_owner NOLOGIN" \
	"DROP ROLE IF EXISTS bench_flags_reader" "CREATE ROLE bench_flags_reader NOLOGIN" \
	"GRANT $owner TO bench_flags_reader"

# policy_table NAME ROWS EXPRESSION: rows of all organizations, read through the policy
policy_table() {
	q "CREATE TABLE $1 (organization_id uuid NOT NULL, n integer NOT NULL)" \
		"INSERT INTO $1 SELECT pg_catalog.md5((i % $ORGANIZATIONS + 1)::text)::uuid, i FROM generate_series(1, $2) i" \
		"VACUUM ANALYZE $1" \
		"ALTER TABLE $1 OWNER TO bench_flags_owner" \
		"ALTER TABLE $1 ENABLE ROW LEVEL SECURITY" \
		"CREATE POLICY p ON $1 FOR SELECT USING ($3)"
}
policy_table many_open $ROWS "n > 0"
policy_table many_empty $ROWS "bench_empty_check(organization_id, '$feature')"
policy_table many_cached $ROWS "platform.is_feature_enabled(organization_id, '$feature')"
policy_table few_open $PLPGSQL_ROWS "n > 0"
policy_table few_cached $PLPGSQL_ROWS "platform.is_feature_enabled(organization_id, '$feature')"
policy_table few_plpgsql $PLPGSQL_ROWS "bench_plpgsql_check(organization_id, '$feature')"
q "GRANT USAGE ON SCHEMA public TO bench_flags_owner" \
	"GRANT SELECT ON many_open, many_empty, many_cached, few_open, few_cached, few_plpgsql TO bench_flags_reader"

BENCH_PREAMBLE="SET ROLE bench_flags_reader;"
flags=$(q "SELECT count(*) FROM platform.org_feature_flags")
bench_title "as a policy over $ROWS rows, $flags flags of $ORGANIZATIONS organizations"
bench_sql 9 $ROWS \
	"empty C function" "SELECT count(*) FROM many_empty" \
	"is_feature_enabled" "SELECT count(*) FROM many_cached" \
	"n > 0" "SELECT count(*) FROM many_open"
bench_title "as a policy over $PLPGSQL_ROWS rows, beside PL/pgSQL"
bench_sql 5 $PLPGSQL_ROWS \
	"n > 0" "SELECT count(*) FROM few_open" \
	"is_feature_enabled" "SELECT count(*) FROM few_cached" \
	"PL/pgSQL, two look-ups" "SELECT count(*) FROM few_plpgsql" | tee "$BENCH_TMP/medians"
cost_ratio
bench_title "rows whose organization has the feature, among $ROWS"
bench_sql 7 $ROWS \
	"IN (organizations_with_feature())" "SELECT count(*) FROM many_open WHERE organization_id IN (SELECT platform.organizations_with_feature('$feature'))" \
	"is_feature_enabled() a row" "SELECT count(*) FROM many_open WHERE platform.is_feature_enabled(organization_id, '$feature')"
BENCH_PREAMBLE=

bench_title "cold fill of $flags flags, and what it takes"
{
	echo '\o /dev/null'
	for ((round = 0; round < $(bench_scaled 5); round++)); do
		# any change of a flag table makes every session read anew
		echo "UPDATE platform.global_feature_flags SET description = description WHERE feature = '$feature';"
		echo '\timing on'
		echo "SELECT count(*) FROM platform.organizations_with_feature('$feature');"
		echo '\timing off'
	done
	echo '\o'
	echo "SELECT 'bytes', total_bytes, used_bytes FROM (
		SELECT sum(total_bytes) AS total_bytes, sum(used_bytes) AS used_bytes
		FROM pg_backend_memory_contexts WHERE name = 'platform features') c;"
} >"$BENCH_TMP/fill.sql"
"$BENCH_BIN/psql" -X -q -A -t -F ' ' -f "$BENCH_TMP/fill.sql" |
	awk -v flags="$flags" -v organizations=$ORGANIZATIONS '
		/^Time:/ { ms[++n] = $2 }
		/^bytes/ { total = $2 }
		END {
			for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (ms[j] < ms[i]) { t = ms[i]; ms[i] = ms[j]; ms[j] = t }
			printf "cold fill, median of %d: %.1f ms, %.2f us a flag\n", n, ms[int((n + 1) / 2)], ms[int((n + 1) / 2)] * 1000 / flags
			printf "memory: %d bytes, %.1f a flag with its share of %d organizations\n", total, total / flags, organizations
		}'
q "DROP OWNED BY bench_flags_owner" "DROP OWNED BY bench_flags_reader" \
	"DROP ROLE bench_flags_owner" "DROP ROLE bench_flags_reader"
