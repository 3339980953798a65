/*
 * consent.c
 *	  Consent to the recording of a call, and recordings, which may need it.
 *
 * The call's row has the newest consent, consent_logs every one. An
 * organization that demands consent (settings.calls.requireRecordingConsent)
 * stores no recording of a call whose newest consent is not one: the trigger
 * asks, whoever inserts.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inet.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "calls/calls.h"
#include "calls/events.h"
#include "core/argument.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/touch.h"

#define VERSION_MAX		63
#define USER_AGENT_MAX	500
#define URL_MAX			2048
#define PATH_MAX_LENGTH	1024

PG_FUNCTION_INFO_V1(platform_record_consent);
PG_FUNCTION_INFO_V1(platform_verify_call_consent);
PG_FUNCTION_INFO_V1(platform_add_call_recording);
PG_FUNCTION_INFO_V1(platform_list_call_recordings);
PG_FUNCTION_INFO_V1(platform_renew_recording_url);
PG_FUNCTION_INFO_V1(platform_check_recording);

/* The other party agreed. */
static const char *const consenting[] = {
	"ivr_played", "verbal_yes", "dtmf_confirm", "written", NULL
};

static const char *const not_consenting[] = {"assumed", "none", NULL};

/*
 * platform.record_consent(organization_id uuid, call_id uuid, method text,
 *						   audio_offset_ms integer DEFAULT NULL, at timestamptz DEFAULT NULL,
 *						   version text DEFAULT '1.0', ip inet DEFAULT NULL,
 *						   user_agent text DEFAULT NULL)
 *		RETURNS uuid
 *
 * The other party's consent to the recording of the call: ivr_played, verbal_yes,
 * dtmf_confirm, written; or its lack: assumed, none. It is kept in the call's row,
 * which a later one replaces and then is not verified, and for good in
 * consent_logs, of which the id is returned. version is that of the text that was
 * read out. Members: their organization. Errors: 22004; 22023; 42501; PT404 no
 * such call; PT422 no such method; 25006.
 */
Datum
platform_record_consent(PG_FUNCTION_ARGS)
{
	static PlatformQuery record =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "WITH call AS (UPDATE platform.calls SET consent_method = $3,"
					   " consent_audio_offset_ms = $4, consent_timestamp = $5,"
					   " consent_verified_by = NULL, consent_verified_at = NULL"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
					   " RETURNING id, organization_id)"
					   " INSERT INTO platform.consent_logs (organization_id, call_id, method,"
					   " audio_offset_ms, consented_at, version, ip, user_agent)"
					   " SELECT organization_id, id, $3, $4, $5, $6, $7, $8 FROM call RETURNING id",
					   UUIDOID, UUIDOID, TEXTOID, INT4OID, TIMESTAMPTZOID, TEXTOID, INETOID, TEXTOID);
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[8];
	bool		nulls[8];
	text	   *method;

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "call_id");
	platform_require_argument(fcinfo, 2, "method");
	platform_require_argument(fcinfo, 5, "version");
	method = PG_GETARG_TEXT_PP(2);
	if (!platform_voice_is_one_of(method, consenting) &&
		!platform_voice_is_one_of(method, not_consenting))
		platform_rule_violation("method must be ivr_played, verbal_yes, dtmf_confirm, written, assumed or none");
	if (!PG_ARGISNULL(3) && PG_GETARG_INT32(3) < 0)
		platform_bad_argument("audio_offset_ms must not be below zero");
	(void) platform_required_text(fcinfo, 5, "version", VERSION_MAX);
	(void) platform_optional_text(fcinfo, 7, "user_agent", USER_AGENT_MAX);
	platform_copy_arguments(fcinfo, 0, 8, values, nulls);
	platform_voice_set_time(values, nulls, 4, platform_voice_moment(fcinfo, 4));

	platform_query_begin();
	if (platform_query_run(&record, values, nulls) == 0)
		platform_no_such("call");
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/*
 * platform.verify_call_consent(organization_id uuid, call_id uuid) RETURNS boolean
 *
 * The caller has heard the consent and confirms it. False when it was confirmed
 * before. Members: their organization, as a user. Errors: 22004; 42501; PT404 no
 * such call; PT409 there is no consent to confirm; 25006.
 */
Datum
platform_verify_call_consent(PG_FUNCTION_ARGS)
{
	static PlatformQuery verify =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.calls SET consent_verified_by = $3,"
					   " consent_verified_at = pg_catalog.now()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
					   " AND consent_method OPERATOR(pg_catalog.=) ANY (ARRAY['ivr_played', 'verbal_yes',"
					   " 'dtmf_confirm', 'written', 'assumed']) AND consent_verified_at IS NULL",
					   UUIDOID, UUIDOID, UUIDOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT consent_verified_at IS NOT NULL FROM platform.calls"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL",
					   UUIDOID, UUIDOID);
	const pg_uuid_t *user;
	Datum		values[3];
	bool		verified;

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "call_id");
	user = platform_current_user();
	if (user == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a user can verify a consent")));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = UUIDPGetDatum(user);

	platform_query_begin();
	verified = platform_query_run(&verify, values, NULL) > 0;
	if (!verified)
	{
		if (platform_query_run(&find, values, NULL) == 0)
			platform_no_such("call");
		if (!platform_row_bool(0, 1))
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_WRONG_STATE),
					 errmsg("the call has no consent to verify")));
	}
	platform_query_end();
	PG_RETURN_BOOL(verified);
}

/*
 * Recordings.
 */

/*
 * platform.add_call_recording(organization_id uuid, call_id uuid,
 *							   recording_url text DEFAULT NULL, duration integer DEFAULT 0,
 *							   storage_path text DEFAULT NULL, url_expires_at timestamptz DEFAULT NULL)
 *		RETURNS uuid
 *
 * A recording of the call is available: at a URL, signed until url_expires_at if
 * that is given, or in the storage at storage_path. Returns its id; the call's
 * recording_url becomes this one. Event recording.available. Members: their organization. Errors: 22004;
 * 22023; 42501; PT403 the organization demands consent and the call has none;
 * PT404 no such call; PT422 neither URL nor path; 25006.
 */
Datum
platform_add_call_recording(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.call_recordings (organization_id, call_id, recording_url,"
					   " duration, storage_path, url_expires_at)"
					   " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id,"
					   " pg_catalog.jsonb_build_object('recording_id', id, 'call_id', call_id,"
					   " 'recording_url', recording_url, 'url_expires_at', url_expires_at,"
					   " 'storage_path', storage_path, 'duration', duration,"
					   " 'consent_captured', consent_captured, 'consent_method', consent_method)",
					   UUIDOID, UUIDOID, TEXTOID, INT4OID, TEXTOID, TIMESTAMPTZOID);
	static PlatformQuery note =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.calls SET recording_url = $3"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[6];
	bool		nulls[6];

	platform_require_argument(fcinfo, 1, "call_id");
	platform_require_argument(fcinfo, 3, "duration");
	(void) platform_optional_text(fcinfo, 2, "recording_url", URL_MAX);
	(void) platform_optional_text(fcinfo, 4, "storage_path", PATH_MAX_LENGTH);
	if (PG_GETARG_INT32(3) < 0)
		platform_bad_argument("duration must not be below zero");
	if (PG_ARGISNULL(2) && PG_ARGISNULL(4))
		platform_rule_violation("a recording must have a recording_url or a storage_path");
	platform_copy_arguments(fcinfo, 0, 6, values, nulls);

	platform_query_begin();
	platform_voice_require_call(organization, PG_GETARG_UUID_P(1));
	platform_query_run(&insert, values, nulls);
	*id = platform_row_uuid(0, 1);
	platform_call_emit_rows(organization, "recording.available", 1, 2);
	if (!PG_ARGISNULL(2))
		platform_query_run(&note, values, nulls);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/*
 * platform.list_call_recordings(organization_id uuid, call_id uuid)
 *		RETURNS TABLE (id uuid, recording_url text, url_expires_at timestamptz, url_expired boolean,
 *					   storage_path text, duration integer, consent_captured boolean,
 *					   consent_method text, consent_audio_offset_ms integer,
 *					   transcribed_at timestamptz, created_at timestamptz)
 *
 * The recordings of a call, the oldest first; url_expired: ask the storage for
 * another URL and store it with renew_recording_url(). Members: their
 * organization. Errors: 22004; 42501; PT404 no such call.
 */
Datum
platform_list_call_recordings(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT id, recording_url, url_expires_at,"
					   " COALESCE(url_expires_at OPERATOR(pg_catalog.<=) pg_catalog.now(), false),"
					   " storage_path, duration, consent_captured, consent_method,"
					   " consent_audio_offset_ms, transcribed_at, created_at"
					   " FROM platform.call_recordings"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND call_id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
					   " ORDER BY created_at, id",
					   UUIDOID, UUIDOID);

	return platform_voice_list_of_call(fcinfo, &list);
}

/*
 * platform.renew_recording_url(organization_id uuid, recording_id uuid, recording_url text,
 *								url_expires_at timestamptz DEFAULT NULL)
 *		RETURNS void
 *
 * Another signed URL for a recording. Members: their organization. Errors: 22004;
 * 22023; 42501; PT404 no such recording; 25006.
 */
Datum
platform_renew_recording_url(PG_FUNCTION_ARGS)
{
	static PlatformQuery renew =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.call_recordings SET recording_url = $3, url_expires_at = $4"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL",
					   UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID);
	Datum		values[4];
	bool		nulls[4];

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "recording_id");
	platform_require_argument(fcinfo, 2, "recording_url");
	(void) platform_required_text(fcinfo, 2, "recording_url", URL_MAX);
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);

	platform_query_begin();
	if (platform_query_run(&renew, values, nulls) == 0)
		platform_no_such("recording");
	platform_query_end();
	PG_RETURN_VOID();
}

/* The row on its way into the table. */
typedef struct RecordingRow
{
	const TriggerData *trigger;
	TupleDesc	desc;
	HeapTuple	row;
} RecordingRow;

static Datum
row_value(const RecordingRow *recording, HeapTuple row, const char *column, bool *isnull)
{
	return heap_getattr(row, platform_trigger_column(recording->trigger, column),
						recording->desc, isnull);
}

static Datum
recording_value(const RecordingRow *recording, const char *column, bool *isnull)
{
	return row_value(recording, recording->row, column, isnull);
}

/* Does a row itself say that there was consent? */
static bool
declares_consent(const RecordingRow *recording, HeapTuple row)
{
	bool		isnull;
	Datum		value = row_value(recording, row, "consent_captured", &isnull);

	if (isnull || !DatumGetBool(value))
		return false;
	value = row_value(recording, row, "consent_method", &isnull);
	return !isnull && platform_voice_is_one_of(DatumGetTextPP(value), consenting);
}

/*
 * PT403 when the call has no consent and the organization demands it; where it has
 * one it may be copied into the row.
 */
static void
take_consent(RecordingRow *recording, bool copy)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT c.consent_method, c.consent_audio_offset_ms,"
					   " COALESCE((o.settings OPERATOR(pg_catalog.#>)"
					   " ARRAY['calls', 'requireRecordingConsent'])"
					   " OPERATOR(pg_catalog.=) 'true'::pg_catalog.jsonb, false)"
					   " FROM platform.calls c JOIN platform.organizations o"
					   " ON o.id OPERATOR(pg_catalog.=) c.organization_id"
					   " WHERE c.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND c.id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	static const char *const names[] = {"consent_captured", "consent_method", "consent_audio_offset_ms"};
	int			columns[3];
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = recording_value(recording, "organization_id", &nulls[0]);
	values[1] = recording_value(recording, "call_id", &nulls[1]);
	/* The table's constraints speak later, also when there is no such call. */
	if (nulls[0] || nulls[1])
		return;
	platform_query_begin();
	if (platform_query_run(&find, values, NULL) > 0)
	{
		bool		demanded = platform_row_bool(0, 3);
		bool		given;

		values[1] = platform_row_datum_copy(0, 1, &nulls[1]);
		values[2] = platform_row_datum_copy(0, 2, &nulls[2]);
		given = !nulls[1] && platform_voice_is_one_of(DatumGetTextPP(values[1]), consenting);
		if (given && copy)
		{
			values[0] = BoolGetDatum(true);
			for (int i = 0; i < 3; i++)
				columns[i] = platform_trigger_column(recording->trigger, names[i]);
			platform_query_end();
			recording->row = heap_modify_tuple_by_cols(recording->row, recording->desc, 3, columns,
													   values, nulls);
			return;
		}
		if (demanded && !given)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_NOT_ENABLED),
					 errmsg("the call has no consent to be recorded"),
					 errdetail("The organization's setting calls.requireRecordingConsent demands it."),
					 errhint("Record it first, with platform.record_consent()."),
					 errtable(recording->trigger->tg_relation)));
	}
	platform_query_end();
}

/*
 * platform.check_recording() returns trigger
 *
 * A new recording takes over the consent of its call, unless it declares one
 * itself. Where the organization demands consent and there is none: PT403, also
 * when a row takes back what it declared.
 * updated_at is kept. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER call_recordings_check BEFORE INSERT OR UPDATE
 *			ON platform.call_recordings
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_recording();
 */
Datum
platform_check_recording(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_recording",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	RecordingRow recording = {
		.trigger = trigger,
		.desc = RelationGetDescr(trigger->tg_relation),
		.row = platform_trigger_row(trigger),
	};
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	bool		moved = !update;

	if (update)
	{
		bool		isnull;
		bool		was_null;
		Datum		call = recording_value(&recording, "call_id", &isnull);
		Datum		was = row_value(&recording, trigger->tg_trigtuple, "call_id", &was_null);

		moved = !isnull && !was_null &&
			!platform_uuid_equal(DatumGetUUIDP(call), DatumGetUUIDP(was));
	}
	if (!declares_consent(&recording, recording.row) &&
		(moved || declares_consent(&recording, trigger->tg_trigtuple)))
		take_consent(&recording, moved);
	if (update)
	{
		PlatformTouch touch;

		platform_touch_prepare(&touch, trigger, "updated_at");
		recording.row = platform_touch_row(&touch, trigger, recording.row);
	}
	return PointerGetDatum(recording.row);
}
