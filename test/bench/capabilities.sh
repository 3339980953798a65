#!/bin/bash
# capabilities.sh - what chatbots and their calls pay for their rules: all triggers
# of a row together beside PL/pgSQL with the same look-ups; checking call settings;
# asking the gates.
#
# Rows go into, and change in, tables of the same shape: one without triggers, one
# with ours, one with a PL/pgSQL trigger that inherits from the package, keeps
# to it, checks both models, checks and completes the settings, and keeps
# updated_at. Likewise rows of calls: their numbers put into E.164, the gates of
# their chatbot, duration. What triggers cost is the time of a variant less that
# without.
. "$(dirname "$0")/lib.sh"

ROWS=20000
ROUNDS=$(bench_scaled 7)
ORGANIZATION="'be000000-0000-4000-8000-000000000001'"
PACKAGE="'be000000-0000-4000-8000-0000000000b1'"

support=$(bench_c "$(dirname "$0")/support/support.c")
q "CREATE FUNCTION bench_empty_trigger() RETURNS trigger LANGUAGE c AS '$support'"
q "INSERT INTO platform.organizations (id, name, settings) VALUES ($ORGANIZATION, 'Bench', '{\"features\": {\"callEnabled\": true}}')" \
	"INSERT INTO platform.chatbot_packages (id, name, enable_chat, enable_call, default_chat_model_id, default_call_model_id)
		SELECT $PACKAGE, 'Bench', true, true,
			(SELECT id FROM platform.ai_models WHERE model_name = 'gpt-4'), (SELECT id FROM platform.ai_models WHERE model_name = 'gpt-4o-realtime-preview')"

# The alternative: what one writes without the extension.
"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE FUNCTION bench_settings_violations(call jsonb) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	k text;
	v jsonb;
	bad text[] := '{}';
	voice text := coalesce(call ->> 'voiceId', 'alloy');
BEGIN
	FOR k, v IN SELECT key, value FROM jsonb_each(call) LOOP
		CASE k
			WHEN 'silenceTimeout' THEN
				IF jsonb_typeof(v) <> 'number' OR v::numeric NOT BETWEEN 30 AND 300 OR v::numeric <> trunc(v::numeric) THEN bad := bad || k; END IF;
			WHEN 'maxCallDuration' THEN
				IF jsonb_typeof(v) <> 'number' OR v::numeric NOT BETWEEN 60 AND 3600 OR v::numeric <> trunc(v::numeric) THEN bad := bad || k; END IF;
			WHEN 'vadThreshold' THEN
				IF jsonb_typeof(v) <> 'number' OR v::numeric NOT BETWEEN 0 AND 1 THEN bad := bad || k; END IF;
			WHEN 'callGreeting' THEN
				IF jsonb_typeof(v) <> 'string' OR length(v #>> '{}') > 500 OR (v #>> '{}') ~ '<[A-Za-z/!?]' THEN bad := bad || k; END IF;
			WHEN 'callButtonText' THEN
				IF jsonb_typeof(v) <> 'string' OR length(v #>> '{}') > 50 THEN bad := bad || k; END IF;
			WHEN 'endCallPhrase' THEN
				IF jsonb_typeof(v) <> 'string' THEN bad := bad || k; END IF;
			WHEN 'callButtonColor' THEN
				IF jsonb_typeof(v) <> 'string' OR (v #>> '{}') !~ '^#[0-9A-Fa-f]{6}$' THEN bad := bad || k; END IF;
			WHEN 'callButtonPosition' THEN
				IF (v #>> '{}') NOT IN ('bottom-right', 'bottom-left', 'top-right', 'top-left') THEN bad := bad || k; END IF;
			WHEN 'recordingEnabled', 'transcriptionEnabled', 'interruptionEnabled', 'echoCancellation', 'noiseSuppression' THEN
				IF jsonb_typeof(v) <> 'boolean' THEN bad := bad || k; END IF;
			WHEN 'voiceId' THEN
				IF jsonb_typeof(v) <> 'string' THEN bad := bad || k; END IF;
			WHEN 'voiceProvider' THEN
				IF (v #>> '{}') NOT IN ('openai', 'google', 'elevenlabs') THEN bad := bad || k; END IF;
			WHEN 'voiceSettings' THEN
				FOR k, v IN SELECT key, value FROM jsonb_each(call -> 'voiceSettings') LOOP
					CASE k
						WHEN 'pitch' THEN IF jsonb_typeof(v) <> 'number' OR v::numeric NOT BETWEEN -1 AND 1 THEN bad := bad || k; END IF;
						WHEN 'speed' THEN IF jsonb_typeof(v) <> 'number' OR v::numeric NOT BETWEEN 0.5 AND 2 THEN bad := bad || k; END IF;
						WHEN 'stability' THEN IF jsonb_typeof(v) <> 'number' OR v::numeric NOT BETWEEN 0 AND 1 THEN bad := bad || k; END IF;
						ELSE bad := bad || k;
					END CASE;
				END LOOP;
			ELSE bad := bad || k;
		END CASE;
	END LOOP;
	CASE coalesce(call ->> 'voiceProvider', 'openai')
		WHEN 'openai' THEN IF voice NOT IN ('alloy', 'echo', 'fable', 'onyx', 'nova', 'shimmer') THEN bad := bad || 'voiceId'::text; END IF;
		WHEN 'google' THEN IF voice !~ '^[a-z]{2,3}(-[A-Za-z0-9]+){3,}$|^[A-Z][a-z]+$' THEN bad := bad || 'voiceId'::text; END IF;
		ELSE IF voice !~ '^[A-Za-z0-9_-]{1,64}$' THEN bad := bad || 'voiceId'::text; END IF;
	END CASE;
	RETURN bad;
END $$;

CREATE FUNCTION bench_check_chatbot() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	package platform.chatbot_packages;
	calls boolean;
	bad text[];
BEGIN
	IF NEW.package_id IS NOT NULL THEN
		SELECT * INTO package FROM platform.chatbot_packages WHERE id = NEW.package_id;
		IF NOT FOUND OR package.deleted_at IS NOT NULL THEN RAISE 'no package'; END IF;
		IF TG_OP = 'INSERT' THEN
			NEW.enabled_chat := coalesce(NEW.enabled_chat, package.enable_chat);
			NEW.enabled_call := coalesce(NEW.enabled_call, package.enable_call);
			NEW.chat_model_id := coalesce(NEW.chat_model_id, package.default_chat_model_id);
			NEW.call_model_id := coalesce(NEW.call_model_id, package.default_call_model_id);
		END IF;
		IF (NEW.enabled_chat AND NOT package.enable_chat) OR (NEW.enabled_call AND NOT package.enable_call) THEN RAISE 'package'; END IF;
	END IF;
	IF NEW.enabled_call THEN
		SELECT coalesce((settings -> 'features' ->> 'callEnabled')::boolean, false) INTO calls FROM platform.organizations WHERE id = NEW.organization_id;
		IF NOT calls THEN RAISE 'organization'; END IF;
	END IF;
	IF NEW.chat_model_id IS NOT NULL THEN
		PERFORM 1 FROM platform.ai_models WHERE id = NEW.chat_model_id AND model_type IN ('chat', 'both') AND is_active AND deleted_at IS NULL;
		IF NOT FOUND THEN RAISE 'chat model'; END IF;
	END IF;
	IF NEW.call_model_id IS NOT NULL THEN
		PERFORM 1 FROM platform.ai_models WHERE id = NEW.call_model_id AND model_type IN ('call', 'both') AND is_active AND deleted_at IS NULL;
		IF NOT FOUND THEN RAISE 'call model'; END IF;
	END IF;
	IF NEW.settings ? 'call' THEN
		bad := bench_settings_violations(NEW.settings -> 'call');
		IF bad <> '{}' THEN RAISE 'settings %', bad; END IF;
	END IF;
	IF NEW.enabled_call THEN
		NEW.settings := NEW.settings || jsonb_build_object('call', platform.default_call_settings() || coalesce(NEW.settings -> 'call', '{}'));
	END IF;
	IF TG_OP = 'UPDATE' THEN NEW.updated_at := now(); END IF;
	RETURN NEW;
END $$;

CREATE FUNCTION bench_can_place_call(organization uuid, chatbot uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
	bot platform.chatbots;
BEGIN
	IF NOT coalesce((SELECT (settings -> 'features' ->> 'callEnabled')::boolean AND deleted_at IS NULL AND status NOT IN ('expired', 'cancelled', 'suspended')
		FROM platform.organizations WHERE id = organization), false) THEN RETURN false; END IF;
	SELECT * INTO bot FROM platform.chatbots WHERE id = chatbot AND organization_id = organization AND deleted_at IS NULL;
	IF NOT FOUND OR NOT bot.enabled_call OR bot.status <> 'active' THEN RETURN false; END IF;
	IF bot.package_id IS NOT NULL AND NOT (SELECT enable_call FROM platform.chatbot_packages WHERE id = bot.package_id) THEN RETURN false; END IF;
	IF bot.call_model_id IS NOT NULL AND NOT EXISTS (SELECT FROM platform.ai_models
		WHERE id = bot.call_model_id AND model_type IN ('call', 'both') AND is_active AND deleted_at IS NULL) THEN RETURN false; END IF;
	RETURN platform.is_feature_enabled(organization, 'voice_operations');
END $$;

CREATE FUNCTION bench_e164(number text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	digits text := regexp_replace(number, '[^0-9]', '', 'g');
BEGIN
	IF number !~ '^\s*\+' THEN
		digits := CASE length(digits) WHEN 10 THEN '1' || digits WHEN 11 THEN digits ELSE NULL END;
	END IF;
	IF digits IS NULL OR digits !~ '^[1-9][0-9]{6,14}$' THEN RAISE 'no telephone number'; END IF;
	RETURN '+' || digits;
END $$;

CREATE FUNCTION bench_check_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.from_number IS NOT NULL THEN NEW.from_number := bench_e164(NEW.from_number); END IF;
	IF NEW.to_number IS NOT NULL THEN NEW.to_number := bench_e164(NEW.to_number); END IF;
	IF NEW.duration IS NULL AND NEW.ended_at >= NEW.answered_at THEN
		NEW.duration := floor(extract(epoch FROM NEW.ended_at - NEW.answered_at));
	END IF;
	IF NEW.chatbot_id IS NOT NULL AND NOT bench_can_place_call(NEW.organization_id, NEW.chatbot_id) THEN RAISE 'gate'; END IF;
	RETURN NEW;
END $$;
SQL

bench_title "checking complete call settings (19 keys), $ROWS times"
BENCH_PREAMBLE="CREATE TEMP TABLE documents AS SELECT platform.default_call_settings() || jsonb_build_object('silenceTimeout', 30 + n % 200) AS call FROM generate_series(1, $ROWS) n; ANALYZE documents;"
bench_sql "$ROUNDS" "$ROWS" \
	"walking them (call IS NOT NULL)" "SELECT count(*) FROM documents WHERE call IS NOT NULL" \
	"validate_call_settings()" "SELECT count(*) FROM documents WHERE EXISTS (SELECT FROM platform.validate_call_settings(call))" \
	"PL/pgSQL" "SELECT count(*) FROM documents WHERE bench_settings_violations(call) <> '{}'" | tee "$BENCH_TMP/settings"
awk '/^validate/ { ours = $(NF - 1) } /^PL/ { printf "PL/pgSQL / validate_call_settings(): %.1f (a set-returning call included)\n", $(NF - 1) / ours }' "$BENCH_TMP/settings"

# The triggers of the row: the notifying ones too, as they stand on the table; but for
# the audit trail, which the others have not.
variants=(none empty_c platform plpgsql)
for variant in "${variants[@]}"; do
	q "CREATE UNLOGGED TABLE bots_$variant (LIKE platform.chatbots INCLUDING DEFAULTS) WITH (fillfactor = 45, autovacuum_enabled = false)" \
		"ALTER TABLE bots_$variant ALTER enabled_chat DROP NOT NULL, ALTER enabled_call DROP NOT NULL"
done
q "CREATE TRIGGER bots_check BEFORE INSERT OR UPDATE ON bots_empty_c FOR EACH ROW EXECUTE FUNCTION bench_empty_trigger()"
q "CREATE TRIGGER bots_check BEFORE INSERT OR UPDATE ON bots_plpgsql FOR EACH ROW EXECUTE FUNCTION bench_check_chatbot()"
"$BENCH_BIN/psql" -X -q -A -t -c "SELECT replace(replace(pg_get_triggerdef(oid), 'platform.chatbots', 'bots_platform'), 'chatbots_', 'bots_') || ';' FROM pg_trigger
	WHERE tgrelid = 'platform.chatbots'::regclass AND NOT tgisinternal AND tgfoid <> 'platform.audit_changes()'::regprocedure" | "$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1

# measure TITLE PREPARE STATEMENT: both with BOTS or CALLS for the variant's table.
in_variant() {
	local sql=${1//BOTS/bots_$2}
	echo "${sql//CALLS/calls_$2}"
}
measure() {
	local title=$1 prepare=$2 statement=$3 round variant
	bench_title "$title, $ROWS rows, median of $ROUNDS"
	{
		for ((round = 0; round <= ROUNDS; round++)); do
			for variant in "${variants[@]}"; do
				in_variant "$prepare" "$variant"
				[ "$round" = 0 ] || printf '%s\n' "\\echo $variant" '\timing on'
				in_variant "$statement" "$variant"
				[ "$round" = 0 ] || echo '\timing off'
			done
		done
	} >"$BENCH_TMP/session.sql"
	"$BENCH_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$BENCH_TMP/session.sql" |
		awk '/^Time: / { print name "\t" $2; next } { name = $1 }' |
		bench_medians time "$ROWS" | tee "$BENCH_TMP/medians"
	awk 'NR == 2 { base = $3 } { cost[$1] = $3 - base }
		END { printf "the triggers: ours %.0f ns/row, PL/pgSQL %.0f ns/row, %.1f times\n", cost["platform"], cost["plpgsql"], cost["plpgsql"] / cost["platform"] }' "$BENCH_TMP/medians"
}

measure "new chatbots of a package, with complete call settings" "TRUNCATE BOTS;" \
	"INSERT INTO BOTS (organization_id, package_id, name, enabled_chat, enabled_call, settings)
		SELECT $ORGANIZATION, $PACKAGE, 'bot', true, true, s FROM generate_series(1, $ROWS), (SELECT jsonb_build_object('call', platform.default_call_settings())) c (s);"
measure "new chatbots of a package, nothing said" "TRUNCATE BOTS;" \
	"INSERT INTO BOTS (organization_id, package_id, name) SELECT $ORGANIZATION, $PACKAGE, 'bot' FROM generate_series(1, $ROWS);"
measure "another setting" "TRUNCATE BOTS; INSERT INTO BOTS (organization_id, package_id, name, enabled_chat, enabled_call, settings)
		SELECT $ORGANIZATION, $PACKAGE, 'bot', true, true, s FROM generate_series(1, $ROWS), (SELECT jsonb_build_object('call', platform.default_call_settings())) c (s);" \
	"UPDATE BOTS SET settings = jsonb_set(settings, '{call,silenceTimeout}', '99');"
measure "another name" "TRUNCATE BOTS; INSERT INTO BOTS (organization_id, package_id, name, enabled_chat, enabled_call, settings)
		SELECT $ORGANIZATION, $PACKAGE, 'bot', true, true, s FROM generate_series(1, $ROWS), (SELECT jsonb_build_object('call', platform.default_call_settings())) c (s);" \
	"UPDATE BOTS SET name = 'new';"
measure "calls switched on" "TRUNCATE BOTS; INSERT INTO BOTS (organization_id, package_id, name, enabled_chat, enabled_call, settings)
		SELECT $ORGANIZATION, $PACKAGE, 'bot', true, false, s FROM generate_series(1, $ROWS), (SELECT jsonb_build_object('call', platform.default_call_settings())) c (s);" \
	"UPDATE BOTS SET enabled_call = true;"

bench_title "asking the gates of 1,000 chatbots, $ROWS times"
q "INSERT INTO platform.chatbots (organization_id, package_id, name) SELECT $ORGANIZATION, $PACKAGE, 'bot ' || n FROM generate_series(1, 1000) n"
BENCH_PREAMBLE="CREATE TEMP TABLE asked AS SELECT c.organization_id AS o, c.id AS c FROM platform.chatbots c, generate_series(1, $ROWS / 1000); ANALYZE asked;"
bench_sql "$ROUNDS" "$ROWS" \
	"no question" "SELECT count(o) FROM asked WHERE c IS NOT NULL" \
	"can_place_call()" "SELECT count(x.allowed) FROM asked, LATERAL platform.can_place_call(o, c) x" \
	"PL/pgSQL" "SELECT count(bench_can_place_call(o, c)) FROM asked" | tee "$BENCH_TMP/gates"
awk '/^can_place/ { ours = $(NF - 1) } /^PL/ { printf "PL/pgSQL / can_place_call(): %.1f\n", $(NF - 1) / ours }' "$BENCH_TMP/gates"

for variant in "${variants[@]}"; do
	q "CREATE UNLOGGED TABLE calls_$variant (LIKE platform.calls INCLUDING DEFAULTS) WITH (autovacuum_enabled = false)"
done
q "CREATE TRIGGER calls_check BEFORE INSERT ON calls_empty_c FOR EACH ROW EXECUTE FUNCTION bench_empty_trigger()" \
	"CREATE TRIGGER calls_check BEFORE INSERT ON calls_plpgsql FOR EACH ROW EXECUTE FUNCTION bench_check_call()" \
	"CREATE TRIGGER calls_check BEFORE INSERT OR UPDATE ON calls_platform FOR EACH ROW EXECUTE FUNCTION platform.check_call()" \
	"CREATE TRIGGER calls_enforce_call BEFORE INSERT OR UPDATE ON calls_platform FOR EACH ROW EXECUTE FUNCTION platform.enforce_capability('call')"
measure "new calls of 1,000 chatbots, with their gates" "TRUNCATE CALLS;" \
	"INSERT INTO CALLS (organization_id, chatbot_id, source, from_number, to_number, call_sid)
		SELECT b.organization_id, b.id, 'twilio', '+13125550100', '(312) 555-0199', 'CA' || n FROM platform.chatbots b, generate_series(1, $ROWS / 1000) n;"
