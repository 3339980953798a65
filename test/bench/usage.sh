#!/bin/bash
# usage.sh - what consumption costs: increment_feature_usage() beside a plain
# prepared UPDATE of a counter's row by its primary key, PL/pgSQL, and C over SPI.
#
# 1. 8 clients over 100,000 counters (10,000 organizations, 10 features each).
# 2. 32 clients on one counter of one organization, and over 100,000 counters.
# 3. 32 clients run into a limit: is it exact?
#
# The peers update the same rows of the same table by its primary key. PL/pgSQL
# and SPI check a limit in the same statement, and nothing else: no flag, no
# organization, no calendar, no second window. Ours does all of that. Limits are
# set, and far away. A last line has a plain UPDATE of a table as narrow as a
# hand-written one, which writes less WAL.
. "$(dirname "$0")/lib.sh"

q "INSERT INTO platform.organizations (id, name)
	SELECT ('b0000000-0000-4000-8000-0000000' || i)::uuid, 'Organization ' || i FROM generate_series(10000, 19999) AS i" \
	"INSERT INTO platform.global_feature_flags (feature) SELECT 'bench_' || f FROM generate_series(0, 9) AS f" \
	"INSERT INTO platform.tier_features (tier, feature, daily_limit, monthly_limit)
	SELECT tier, 'bench_' || f, 1000000000, 1000000000 FROM generate_series(0, 9) AS f,
		(SELECT DISTINCT tier FROM platform.organizations WHERE tier IS NOT NULL) AS t" \
	"CREATE TABLE bench_counters (organization_id uuid, feature text, used bigint, used_today bigint,
		PRIMARY KEY (organization_id, feature)) WITH (fillfactor = 50)" \
	"INSERT INTO bench_counters SELECT ('b0000000-0000-4000-8000-0000000' || i)::uuid, 'bench_' || f, 0, 0
		FROM generate_series(10000, 19999) AS i, generate_series(0, 9) AS f" \
	"CREATE FUNCTION bench_plpgsql_increment(organization uuid, name text, amount bigint) RETURNS boolean LANGUAGE plpgsql AS \$\$
	BEGIN
		UPDATE platform.feature_usage AS u SET used = u.used + amount
		WHERE u.organization_id = organization AND u.feature = name AND u.period_start = date_trunc('month', now()) AND u.slot = 0
			AND u.used + amount <= 1000000000;
		RETURN FOUND;
	END \$\$" \
	"CREATE FUNCTION bench_spi_increment(uuid, text, bigint) RETURNS boolean LANGUAGE c
		AS '$(bench_c "$(dirname "$0")/support/usage.c")'" \
	"SELECT 'counters: ' || count(platform.increment_feature_usage(('b0000000-0000-4000-8000-0000000' || i)::uuid, 'bench_' || f))
		FROM generate_series(10000, 19999) AS i, generate_series(0, 9) AS f" \
	"VACUUM FULL platform.feature_usage" "VACUUM ANALYZE" "CHECKPOINT"

# script NAME "EXPRESSION" [one]: a pgbench file; :id and :name are the counter
script() {
	local key="\\set i random(10000, 19999)
\\set f random(0, 9)"
	local sql=$2 id="('b0000000-0000-4000-8000-0000000' || :i)::uuid" name="'bench_' || :f"
	if [ "${3:-}" = one ]; then
		key=
		id="'b0000000-0000-4000-8000-000000010000'::uuid" name="'bench_0'"
	fi
	sql=${sql//:id/$id}
	printf '%s\n%s;\n' "$key" "${sql//:name/$name}" >"$BENCH_TMP/$1"
}

month=$(q "SELECT date_trunc('month', now() AT TIME ZONE 'UTC')")
plain="UPDATE platform.feature_usage SET used = used + 1 WHERE organization_id = :id AND feature = :name AND period_start = '$month+00' AND slot = 0"
narrow="UPDATE bench_counters SET used = used + 1, used_today = used_today + 1 WHERE organization_id = :id AND feature = :name"
for scope in many one; do
	script $scope.plain "$plain" $scope
	script $scope.narrow "$narrow" $scope
	script $scope.plpgsql "SELECT bench_plpgsql_increment(:id, :name, 1)" $scope
	script $scope.spi "SELECT bench_spi_increment(:id, :name, 1)" $scope
	script $scope.ours "SELECT platform.increment_feature_usage(:id, :name)" $scope
done

ROUNDS=${ROUNDS:-5} SECONDS_EACH=${SECONDS_EACH:-6}
q "SELECT pg_stat_reset()" >/dev/null
bench_title "8 clients, 100,000 counters"
bench_tps "$ROUNDS" "$SECONDS_EACH" 8 "plain UPDATE" "$BENCH_TMP/many.plain" "increment_feature_usage" "$BENCH_TMP/many.ours" \
	"PL/pgSQL" "$BENCH_TMP/many.plpgsql" "C over SPI" "$BENCH_TMP/many.spi" \
	"plain UPDATE, narrow table" "$BENCH_TMP/many.narrow"
sleep 1
q "SELECT 'HOT share of the updates of feature_usage: ' || round(n_tup_hot_upd::numeric / n_tup_upd, 4)
	FROM pg_stat_user_tables WHERE relname = 'feature_usage'"

bench_title "32 clients: one counter, beside 100,000 counters"
# 32 sessions fill their flag caches first: longer runs
bench_tps "$ROUNDS" $((2 * SECONDS_EACH)) 32 "plain UPDATE of one row" "$BENCH_TMP/one.plain" \
	"increment_feature_usage, one counter" "$BENCH_TMP/one.ours" "PL/pgSQL, one row" "$BENCH_TMP/one.plpgsql" \
	"increment_feature_usage, 100,000" "$BENCH_TMP/many.ours" "plain UPDATE, 100,000" "$BENCH_TMP/many.plain" |
	tee "$BENCH_TMP/hot"
awk '/one counter/ { hot = $(NF - 1) } /usage, 100,000/ { printf "one counter beside no contention: %.3f\n", hot / $(NF - 1) }' "$BENCH_TMP/hot"

bench_title "32 clients run into a limit"
q "INSERT INTO platform.org_feature_flags (organization_id, feature, monthly_limit)
	VALUES ('b0000000-0000-4000-8000-000000010000', 'bench_1', 50000)"
sed 's/bench_0/bench_1/' "$BENCH_TMP/one.ours" >"$BENCH_TMP/limit"
"$BENCH_BIN/pgbench" -n -M prepared -c 32 -j 4 -t 2000 -f "$BENCH_TMP/limit" 2>&1 | grep failed
q "SELECT 'asked for 64000, limit 50000, used ' || sum(used) || ', in ' || count(*) || ' rows'
	FROM platform.feature_usage WHERE organization_id = 'b0000000-0000-4000-8000-000000010000' AND feature = 'bench_1'"
