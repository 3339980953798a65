#!/bin/bash
# usage_caps.sh - calls recorded a second, over 100,000 customers and on one, beside
# the floor (one prepared statement that adds to the limits row and inserts the
# event, into tables of the same shape without triggers) and a PL/pgSQL function
# that does what record_call_usage() does; check_usage() beside PL/pgSQL with the same look-ups.
. "$(dirname "$0")/lib.sh"

CUSTOMERS=${CUSTOMERS:-100000}
org=00000000-0000-0000-0000-000000000000

q "INSERT INTO platform.users (id, email) SELECT pg_catalog.format('be000000-0000-4000-8000-%s', lpad(i::text, 12, '0'))::uuid, 'u' || i || '@example.com' FROM generate_series(0, $CUSTOMERS) i" \
	"INSERT INTO platform.usage_limits (organization_id, user_id, call_cap_seconds, sms_cap, grace_seconds, plan_status, tier, tier_snapshot_id)
		SELECT '$org', u.id, 900000000000, 250, 600, 'active', 'core', s.id FROM platform.users u, platform.tier_snapshots s
		WHERE u.email LIKE 'u%@example.com' AND s.tier_id = 'core' AND s.effective_until IS NULL" \
	"CREATE TABLE plain_limits (LIKE platform.usage_limits INCLUDING ALL) WITH (fillfactor = 50)" \
	"CREATE TABLE plain_events (LIKE platform.call_events INCLUDING ALL)" \
	"ALTER TABLE plain_events ALTER id SET DEFAULT platform.uuid7()" \
	"INSERT INTO plain_limits SELECT * FROM platform.usage_limits" \
	"CREATE FUNCTION plain_record(org uuid, usr uuid, call text, s bigint, OUT used bigint, OUT state text, OUT duplicate boolean) LANGUAGE plpgsql AS \$\$
	DECLARE
		l plain_limits;
		total bigint;
	BEGIN
		SELECT * INTO l FROM plain_limits WHERE organization_id = org AND user_id = usr FOR UPDATE;
		duplicate := EXISTS (SELECT FROM plain_events WHERE organization_id = org AND call_id = call);
		used := l.call_used_seconds;
		IF NOT duplicate THEN
			used := used + s;
			total := l.call_cap_seconds + l.call_credit + l.rollover_seconds + l.grace_seconds;
			state := CASE WHEN used >= total THEN 'hard' WHEN used * 100 >= total * 80 THEN 'soft' ELSE 'under' END;
			UPDATE plain_limits SET call_used_seconds = used, limit_state = state, hard_stop_active = state = 'hard', updated_at = clock_timestamp()
			WHERE organization_id = org AND user_id = usr;
			INSERT INTO plain_events (organization_id, user_id, period_id, tier_snapshot_id, occurred_at, recorded_at, seconds, total_seconds, sequence, event_type, call_id)
			VALUES (org, usr, l.period_id, l.tier_snapshot_id, clock_timestamp(), clock_timestamp(), s, s, 1, 'usage', call);
		END IF;
	END \$\$" \
	"CREATE FUNCTION plain_check(org uuid, usr uuid, OUT allowed boolean, OUT reason text, OUT limit_state text, OUT remaining_seconds bigint, OUT remaining_sms bigint,
		OUT resets_at timestamptz, OUT sms_allowed boolean, OUT sms_reason text, OUT sms_limit_state text, OUT used_seconds bigint, OUT limit_seconds bigint,
		OUT used_sms bigint, OUT limit_sms bigint) LANGUAGE plpgsql STABLE AS \$\$
	DECLARE
		l plain_limits;
		t platform.usage_tiers;
		forced boolean;
		moment timestamptz := clock_timestamp();
	BEGIN
		IF NOT (platform.is_operator() OR platform.current_organization_id() = org AND (platform.current_user_id() = usr OR platform.is_admin())) THEN
			RAISE insufficient_privilege;
		END IF;
		SELECT * INTO l FROM plain_limits WHERE organization_id = org AND user_id = usr;
		IF NOT FOUND THEN allowed := false; reason := 'NO_PLAN'; RETURN; END IF;
		WHILE moment >= l.period_end LOOP
			SELECT * INTO t FROM platform.usage_tiers WHERE tier = l.tier;
			l.rollover_seconds := greatest(0, least(l.call_cap_seconds + l.rollover_seconds - l.call_used_seconds, l.call_cap_seconds));
			l.call_used_seconds := 0;
			l.call_cap_seconds := t.call_cap_seconds;
			l.period_end := l.period_end + l.period_step;
		END LOOP;
		IF l.sms_reserved > 0 AND l.sms_reserved_until <= moment THEN
			SELECT coalesce(sum(segments), 0) INTO l.sms_reserved FROM platform.sms_reservations
			WHERE organization_id = org AND user_id = usr AND status = 'open' AND expires_at > moment;
		END IF;
		used_seconds := l.call_used_seconds;
		limit_seconds := l.call_cap_seconds + l.call_credit + l.rollover_seconds + l.grace_seconds;
		remaining_seconds := greatest(0, limit_seconds * l.hard_limit_threshold / 100 - used_seconds);
		limit_state := CASE WHEN used_seconds * 100 >= limit_seconds * l.hard_limit_threshold THEN 'hard'
			WHEN used_seconds * 100 >= limit_seconds * l.soft_limit_threshold THEN 'soft' ELSE 'under' END;
		used_sms := l.sms_used;
		limit_sms := l.sms_cap + l.sms_credit;
		remaining_sms := greatest(0, limit_sms * l.hard_limit_threshold / 100 - used_sms - l.sms_reserved);
		sms_limit_state := CASE WHEN used_sms * 100 >= limit_sms * l.hard_limit_threshold THEN 'hard'
			WHEN used_sms * 100 >= limit_sms * l.soft_limit_threshold THEN 'soft' ELSE 'under' END;
		resets_at := l.period_end;
		forced := l.force_until > moment;
		reason := CASE WHEN l.force_pause AND forced THEN 'PAUSED' WHEN l.force_resume AND forced THEN 'FORCED' WHEN remaining_seconds > 0 THEN 'OK'
			WHEN l.limit_action <> 'block' THEN 'OVERAGE' WHEN limit_seconds > 0 OR l.plan_status = 'active' THEN 'HARD_STOP'
			WHEN l.plan_status = 'none' THEN 'NO_PLAN' ELSE 'PLAN_ENDED' END;
		allowed := reason IN ('OK', 'FORCED', 'OVERAGE');
		sms_reason := CASE WHEN l.force_pause AND forced THEN 'PAUSED' WHEN l.force_resume AND forced THEN 'FORCED' WHEN remaining_sms > 0 THEN 'OK'
			WHEN l.limit_action <> 'block' THEN 'OVERAGE' WHEN limit_sms > 0 OR l.plan_status = 'active' THEN 'HARD_STOP'
			WHEN l.plan_status = 'none' THEN 'NO_PLAN' ELSE 'PLAN_ENDED' END;
		sms_allowed := sms_reason IN ('OK', 'FORCED', 'OVERAGE');
	END \$\$" \
	"VACUUM ANALYZE platform.usage_limits, plain_limits" "CHECKPOINT"

# variant NAME CUSTOMER STATEMENT: a pgbench script with a fresh :key and :user
variant() {
	printf '\\set key random(1, 9000000000000000000)\n\\set n %s\n%s\n' "$2" "$3" >"$BENCH_TMP/$1.sql"
}
customer="('be000000-0000-4000-8000-' || lpad(:n::text, 12, '0'))::uuid"
record="SELECT * FROM platform.record_call_usage('$org', $customer, 'call ' || :key, 1);"
plpgsql="SELECT * FROM plain_record('$org', $customer, 'call ' || :key, 1);"
floor="WITH l AS (UPDATE plain_limits SET call_used_seconds = call_used_seconds + 1, updated_at = clock_timestamp() WHERE organization_id = '$org' AND user_id = $customer RETURNING user_id, period_id, tier_snapshot_id)
	INSERT INTO plain_events (organization_id, user_id, period_id, tier_snapshot_id, occurred_at, recorded_at, seconds, total_seconds, sequence, event_type, call_id)
	SELECT '$org', user_id, period_id, tier_snapshot_id, clock_timestamp(), clock_timestamp(), 1, 1, 1, 'usage', 'call ' || :key FROM l;"
floor=${floor//$'\n'/ }
variant floor "random(1, $CUSTOMERS)" "$floor"
variant record "random(1, $CUSTOMERS)" "$record"
variant plpgsql "random(1, $CUSTOMERS)" "$plpgsql"
variant hot_floor 0 "$floor"
variant hot_record 0 "$record"
variant hot_plpgsql 0 "$plpgsql"

bench_title "calls recorded a second, 8 clients over $CUSTOMERS customers"
bench_tps 5 4 8 "UPDATE + INSERT, prepared" "$BENCH_TMP/floor.sql" "record_call_usage()" "$BENCH_TMP/record.sql" "the same in PL/pgSQL" "$BENCH_TMP/plpgsql.sql"
bench_title "one busy customer, 8 clients"
bench_tps 3 3 8 "UPDATE + INSERT, prepared" "$BENCH_TMP/hot_floor.sql" "record_call_usage()" "$BENCH_TMP/hot_record.sql" "the same in PL/pgSQL" "$BENCH_TMP/hot_plpgsql.sql"

# Both with the same look-ups. A session that asks for a customer again knows where its
# row is; one that asks for the first time reads the index, as PL/pgSQL always does.
bench_title "check_usage(), a call; customers that the session asked for before"
ROWS=20000
BENCH_PREAMBLE="CREATE TEMP TABLE asked AS SELECT user_id FROM platform.usage_limits ORDER BY md5(user_id::text) LIMIT $ROWS; ANALYZE asked;"
bench_sql 5 "$ROWS" \
	"check_usage()" "SELECT count(platform.check_usage('$org', user_id)) FROM asked" \
	"the same in PL/pgSQL" "SELECT count(plain_check('$org', user_id)) FROM asked"
bench_title "check_usage(), a call; customers that are new to the session"
ROWS=$((CUSTOMERS / 7))
BENCH_PREAMBLE="CREATE TEMP TABLE asked AS SELECT user_id, row_number() OVER (ORDER BY md5(user_id::text)) / $ROWS AS part FROM platform.usage_limits; CREATE INDEX ON asked (part); ANALYZE asked;
	CREATE TEMP SEQUENCE ours; CREATE TEMP SEQUENCE plain;"
bench_sql 5 "$ROWS" \
	"check_usage()" "SELECT count(platform.check_usage('$org', user_id)) FROM asked WHERE part = (SELECT nextval('ours'))" \
	"the same in PL/pgSQL" "SELECT count(plain_check('$org', user_id)) FROM asked WHERE part = (SELECT nextval('plain'))"
