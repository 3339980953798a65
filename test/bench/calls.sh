#!/bin/bash
# calls.sh - what the life of a call costs: the trigger that guards its state
# beside an empty C trigger, PL/pgSQL with a CASE, and PL/pgSQL that looks the
# transition up in a table; then search_transcripts() as a member beside the same
# query as the tables' owner, and beside what a member gets under row security.
#
# Transitions: every row of an unlogged table goes from pending to ringing, in_progress
# and completed. The triggers fill in the moments, the duration and updated_at; where
# there is none, or an empty one, the UPDATE gives them, so that all variants
# store the same rows. One table per variant, vacuumed between rounds, variants
# interleaved. What a trigger costs is the time of its variant less that without
# a trigger. First with module calls alone, then also with webhooks, which are told
# of each transition.
. "$(dirname "$0")/lib.sh"

ROWS=$(bench_scaled 200000)
ROUNDS=$(bench_scaled 5)
UTTERANCES=$(bench_scaled 1000000)
ORGANIZATIONS=100

support=$(bench_c "$(dirname "$0")/support/support.c")
q "DROP EXTENSION platform CASCADE" "DROP SCHEMA platform CASCADE" "CREATE EXTENSION platform" \
	"SELECT count(*) FROM platform.install('{calls}')" "SELECT platform.grant_member('platform_test_member')"
q "CREATE FUNCTION bench_empty_trigger() RETURNS trigger LANGUAGE c AS '$support'"
q "CREATE TABLE bench_transitions (was text, becomes text, PRIMARY KEY (was, becomes))" \
	"INSERT INTO bench_transitions VALUES ('pending', 'ringing'), ('pending', 'in_progress'), ('pending', 'failed'),
		('pending', 'canceled'), ('ringing', 'in_progress'), ('ringing', 'no_answer'), ('ringing', 'busy'),
		('ringing', 'canceled'), ('ringing', 'failed'), ('in_progress', 'completed'), ('in_progress', 'failed')"
moments="
	IF NEW.status IN ('ringing', 'in_progress') AND NEW.started_at IS NULL THEN NEW.started_at := now(); END IF;
	IF NEW.status = 'in_progress' AND NEW.answered_at IS NULL THEN NEW.answered_at := greatest(now(), NEW.started_at); END IF;
	IF NEW.status IN ('completed', 'failed', 'no_answer', 'busy', 'canceled') THEN
		IF NEW.ended_at IS NULL THEN NEW.ended_at := greatest(now(), NEW.started_at, NEW.answered_at); END IF;
		NEW.duration := greatest(0, floor(extract(epoch FROM NEW.ended_at - NEW.answered_at)));
	END IF;"
q "CREATE FUNCTION bench_case() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		IF NEW.status <> OLD.status THEN
			IF NOT (CASE OLD.status
				WHEN 'pending' THEN NEW.status IN ('ringing', 'in_progress', 'failed', 'canceled')
				WHEN 'ringing' THEN NEW.status IN ('in_progress', 'no_answer', 'busy', 'canceled', 'failed')
				WHEN 'in_progress' THEN NEW.status IN ('completed', 'failed')
				ELSE false END) THEN
				RAISE EXCEPTION 'a call that is % cannot become %', OLD.status, NEW.status;
			END IF; $moments
		END IF;
		NEW.updated_at := now();
		RETURN NEW;
	END \$\$" \
	"CREATE FUNCTION bench_table() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		IF NEW.status <> OLD.status THEN
			IF NOT EXISTS (SELECT FROM bench_transitions t WHERE t.was = OLD.status AND t.becomes = NEW.status) THEN
				RAISE EXCEPTION 'a call that is % cannot become %', OLD.status, NEW.status;
			END IF; $moments
		END IF;
		NEW.updated_at := now();
		RETURN NEW;
	END \$\$"

variants=(none empty_c check_call plpgsql_case plpgsql_table)
calls=("" "bench_empty_trigger()" "platform.check_call()" "bench_case()" "bench_table()")
for i in "${!variants[@]}"; do
	q "CREATE UNLOGGED TABLE t_${variants[$i]} (LIKE platform.calls INCLUDING DEFAULTS)
			WITH (fillfactor = 45, autovacuum_enabled = false)" \
		"INSERT INTO t_${variants[$i]} (organization_id, source, from_number, to_number, call_sid)
			SELECT platform.uuid7(), 'twilio', '+13125550100', '+13125550199', 'CA' || i FROM generate_series(1, $ROWS) i"
	[ -z "${calls[$i]}" ] || q "CREATE TRIGGER guard BEFORE UPDATE ON t_${variants[$i]}
			FOR EACH ROW EXECUTE FUNCTION ${calls[$i]}"
done
q "CHECKPOINT"

# transitions ROUNDS VARIANT...: medians of the three updates of each row, together.
transitions() {
	local rounds=$1 round variant status sets
	local -A given=([ringing]="started_at = now()" [in_progress]="answered_at = now()" [completed]="ended_at = now(), duration = 0")
	shift
	for ((round = 0; round <= rounds; round++)); do
		for variant in "$@"; do
			echo "ALTER TABLE t_$variant DISABLE TRIGGER USER;"
			echo "UPDATE t_$variant SET status = 'pending', started_at = NULL, answered_at = NULL, ended_at = NULL, duration = NULL;"
			echo "ALTER TABLE t_$variant ENABLE TRIGGER USER;"
			for status in ringing in_progress completed; do
				echo "VACUUM t_$variant;"
				[ "$round" = 0 ] || printf '%s\n' "\\echo $variant" '\timing on'
				sets="status = '$status'"
				[[ $variant != none && $variant != empty_c ]] || sets="$sets, updated_at = now(), ${given[$status]}"
				echo "UPDATE t_$variant SET $sets;"
				[ "$round" = 0 ] || echo '\timing off'
			done
		done
	done >"$BENCH_TMP/session.sql"
	"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" |
		awk '/^Time: / { sum += $2; if (++n % 3 == 0) { print name "\t" sum; sum = 0 }; next } { name = $1 }' |
		bench_medians time $((ROWS * 3)) | tee "$BENCH_TMP/medians"
	bench_title "cost of the trigger itself, beside the empty C trigger and beside check_call()"
	awk 'NR == 1 { next }
		NR == 2 { base = $3; next }
		NR == 3 { empty = $3 - base }
		NR == 4 { ours = $3 - base }
		{ line[++n] = $1; cost[n] = $3 - base }
		END { for (i = 1; i <= n; i++) printf "%-40s %12.1f ns/row %9.2f %9.2f\n", line[i], cost[i], cost[i] / empty, cost[i] / ours }' "$BENCH_TMP/medians"
}

bench_title "a transition of $ROWS rows, three times, median of $ROUNDS"
transitions "$ROUNDS" "${variants[@]}"

bench_title "an update that changes no state"
{
	for variant in "${variants[@]}"; do echo "VACUUM t_$variant;"; done
	for ((round = 0; round <= ROUNDS; round++)); do
		for variant in none empty_c check_call plpgsql_case; do
			echo "VACUUM t_$variant;"
			[ "$round" = 0 ] || printf '%s\n' "\\echo $variant" '\timing on'
			echo "UPDATE t_$variant SET call_quality = 3;"
			[ "$round" = 0 ] || echo '\timing off'
		done
	done
} >"$BENCH_TMP/session.sql"
"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" |
	awk '/^Time: / { print name "\t" $2; next } { name = $1 }' | bench_medians time "$ROWS"

q "SELECT count(*) FROM platform.install()"
bench_title "the same with webhooks, which are told: an event a row and transition"
transitions 1 none empty_c check_call

# Transcripts: the word of the search is in one of 97 utterances.
q "INSERT INTO platform.organizations (id, name)
		SELECT ('ca100000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'Organization ' || i FROM generate_series(1, $ORGANIZATIONS) i" \
	"INSERT INTO platform.calls (id, organization_id, status)
		SELECT ('ca100000-0000-4000-9000-' || lpad(i::text, 12, '0'))::uuid, ('ca100000-0000-4000-8000-' || lpad((i % $ORGANIZATIONS + 1)::text, 12, '0'))::uuid, 'completed'
		FROM generate_series(1, $UTTERANCES / 50) i" \
	"ALTER TABLE platform.call_transcripts DISABLE TRIGGER ALL" \
	"INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time, duration)
		SELECT c.organization_id, c.id, 'user', concat_ws(' ', 'customer', md5(n::text), 'asks', md5((n / 7)::text), CASE WHEN n % 97 = 0 THEN 'for a refund' END, 'and', md5((n % 5000)::text)), n % 50, n % 50 + 1, 1
		FROM generate_series(1, $UTTERANCES) n JOIN platform.calls c ON c.id = ('ca100000-0000-4000-9000-' || lpad((n % ($UTTERANCES / 50) + 1)::text, 12, '0'))::uuid" \
	"ALTER TABLE platform.call_transcripts ENABLE TRIGGER ALL" \
	"VACUUM ANALYZE platform.call_transcripts" "VACUUM ANALYZE platform.calls"
organization=ca100000-0000-4000-8000-000000000001
function="SELECT count(snippet) FROM platform.search_transcripts('$organization', 'refund');"
plain="SELECT count(snippet) FROM (
	SELECT ts_headline('english', f.content, f.query, 'StartSel=**, StopSel=**, MaxFragments=2, MinWords=5, MaxWords=20') AS snippet, f.rank FROM (
		SELECT t.content, q.query, ts_rank(to_tsvector('english', t.content), q.query) AS rank, t.created_at, t.id
		FROM websearch_to_tsquery('english', 'refund') AS q (query)
		JOIN platform.call_transcripts t ON to_tsvector('english', t.content) @@ q.query
		JOIN platform.calls c ON c.id = t.call_id AND c.organization_id = t.organization_id
		WHERE t.organization_id = '$organization' AND c.deleted_at IS NULL
		ORDER BY rank DESC, t.created_at DESC, t.id LIMIT 20) f) s;"
plain=${plain//$'\n'/ }
q "SELECT 'utterances found: ' || count(*) FROM platform.search_transcripts('$organization', 'refund', \"limit\" => 1000)"
{
	echo "SET jit = off;"
	echo "SET max_parallel_workers_per_gather = 0;"
	echo "BEGIN;"
	echo "SELECT platform.set_context('$organization', 'somebody') \\g /dev/null"
	for ((round = 0; round <= ROUNDS * 4; round++)); do
		for variant in owner_plain member_function owner_function member_plain; do
			[[ $variant == member_* ]] && echo "SET ROLE platform_test_member;"
			# Slow, so not as often.
			[[ $variant == member_plain && $((round % 8)) != 1 ]] && { echo "RESET ROLE;"; continue; }
			[ "$round" = 0 ] || printf '%s\n' "\\echo $variant" '\timing on'
			if [[ $variant == *_function ]]; then echo "$function"; else echo "$plain"; fi
			[ "$round" = 0 ] || echo '\timing off'
			[[ $variant == member_* ]] && echo "RESET ROLE;"
		done
	done
	echo "ROLLBACK;"
} >"$BENCH_TMP/session.sql"
bench_title "search over $UTTERANCES utterances of $ORGANIZATIONS organizations, median of $((ROUNDS * 4))"
"$BENCH_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" |
	awk '/^Time: / { print name "\t" $2; next } /_/ { name = $1 }' | bench_medians time 1
