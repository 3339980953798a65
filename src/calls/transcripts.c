/*
 * transcripts.c
 *	  What was said in calls: adding, reading, searching.
 *
 * Under row security a full-text index is of no use: @@ is not leakproof, so the
 * policy is applied first, row by row. The search checks the caller, then
 * runs as the owner of the tables with the organization in its own condition.
 *
 * The text search configuration is an argument of the query and becomes a
 * constant of its plan, which then uses whatever index there is on
 * to_tsvector(that configuration, content).
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "calls/calls.h"
#include "calls/events.h"
#include "core/argument.h"
#include "core/guard.h"
#include "core/query.h"

#define QUERY_MAX	1000
#define URL_MAX		2048

PG_FUNCTION_INFO_V1(platform_add_transcript);
PG_FUNCTION_INFO_V1(platform_call_transcript);
PG_FUNCTION_INFO_V1(platform_complete_call_transcript);
PG_FUNCTION_INFO_V1(platform_search_transcripts);
PG_FUNCTION_INFO_V1(platform_talk_time);
PG_FUNCTION_INFO_V1(platform_low_confidence_transcripts);
PG_FUNCTION_INFO_V1(platform_keep_transcript);

/*
 * platform.keep_transcript() returns trigger
 *
 * duration is end_time less start_time, whatever the statement says. Errors: 39P01
 * when fired otherwise.
 *
 *		CREATE TRIGGER call_transcripts_keep
 *			BEFORE INSERT OR UPDATE OF start_time, end_time, duration ON platform.call_transcripts
 *			FOR EACH ROW EXECUTE FUNCTION platform.keep_transcript();
 */
Datum
platform_keep_transcript(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "keep_transcript",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	row = platform_trigger_row(trigger);
	int			column = platform_trigger_column(trigger, "duration");
	bool		nulls[3];
	int64		start = DatumGetInt32(heap_getattr(row, platform_trigger_column(trigger, "start_time"),
												   desc, &nulls[0]));
	int64		end = DatumGetInt32(heap_getattr(row, platform_trigger_column(trigger, "end_time"),
												 desc, &nulls[1]));
	Datum		given = heap_getattr(row, column, desc, &nulls[2]);
	Datum		duration;
	bool		isnull = false;

	/* What is missing or out of range is the table's own constraints' business. */
	if (nulls[0] || nulls[1] || end <= start || start < 0)
		duration = Int32GetDatum(0);
	else
		duration = Int32GetDatum((int32) (end - start));
	if (!nulls[2] && DatumGetInt32(given) == DatumGetInt32(duration))
		return PointerGetDatum(row);
	return PointerGetDatum(heap_modify_tuple_by_cols(row, desc, 1, &column, &duration, &isnull));
}

static void
check_utterance(FunctionCallInfo fcinfo)
{
	text	   *role = PG_GETARG_TEXT_PP(2);
	text	   *content = PG_GETARG_TEXT_PP(3);

	if (!platform_text_is(role, "user") && !platform_text_is(role, "assistant") &&
		!platform_text_is(role, "system"))
		platform_rule_violation("role must be user, assistant or system");
	if (strspn(text_to_cstring(content), " \t\r\n\f\v") == VARSIZE_ANY_EXHDR(content))
		platform_rule_violation("content must not be empty");
	if (PG_GETARG_INT32(4) < 0)
		platform_rule_violation("start_time must not be below zero");
	if (PG_GETARG_INT32(5) <= PG_GETARG_INT32(4))
		platform_rule_violation("end_time must be after start_time");
}

static void
check_confidence(Datum confidence, const char *message)
{
	Datum		zero = NumericGetDatum(int64_to_numeric(0));
	Datum		one = NumericGetDatum(int64_to_numeric(1));

	if (!DatumGetBool(DirectFunctionCall2(numeric_ge, confidence, zero)) ||
		!DatumGetBool(DirectFunctionCall2(numeric_le, confidence, one)))
		platform_rule_violation(message);
}

/*
 * platform.add_transcript(organization_id uuid, call_id uuid, role text, content text,
 *						   start_time integer, end_time integer, confidence numeric DEFAULT NULL,
 *						   audio_url text DEFAULT NULL, metadata jsonb DEFAULT NULL)
 *		RETURNS uuid
 *
 * Adds an utterance of user, assistant or system; times in milliseconds from the
 * answer of the call, confidence from 0 to 1. Returns its id. Members: their
 * organization. Errors: 22004; 22023; 42501; PT404 no such call; PT422 no such role,
 * empty content, times out of order, confidence out of range, metadata that is
 * no object; 25006.
 */
Datum
platform_add_transcript(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.call_transcripts (organization_id, call_id, role, content,"
					   " start_time, end_time, duration, confidence, audio_url, metadata)"
					   " SELECT $1, $2, $3, $4, $5, $6, $6 OPERATOR(pg_catalog.-) $5, $7, $8, $9"
					   " FROM platform.calls c WHERE c.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND c.id OPERATOR(pg_catalog.=) $2 AND c.deleted_at IS NULL"
					   " RETURNING id",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, INT4OID, INT4OID, NUMERICOID, TEXTOID,
					   JSONBOID);
	static const char *const names[] = {"call_id", "role", "content", "start_time", "end_time"};
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[9];
	bool		nulls[9];

	(void) platform_voice_organization(fcinfo, 0);
	for (int i = 0; i < lengthof(names); i++)
		platform_require_argument(fcinfo, i + 1, names[i]);
	check_utterance(fcinfo);
	if (!PG_ARGISNULL(6))
		check_confidence(PG_GETARG_DATUM(6), "confidence must be between 0 and 1");
	(void) platform_optional_text(fcinfo, 7, "audio_url", URL_MAX);
	if (!PG_ARGISNULL(8) && !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(8)))
		platform_rule_violation("metadata must be an object");
	platform_copy_arguments(fcinfo, 0, 9, values, nulls);

	platform_query_begin();
	if (platform_query_run(&insert, values, nulls) == 0)
		platform_no_such("call");
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/*
 * platform.call_transcript(organization_id uuid, call_id uuid)
 *		RETURNS TABLE (id uuid, role text, content text, start_time integer, end_time integer,
 *					   duration integer, confidence numeric, audio_url text, metadata jsonb)
 *
 * The utterances of a call in their order. Members: their organization. Errors:
 * 22004; 42501; PT404 no such call.
 */
Datum
platform_call_transcript(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT id, role, content, start_time, end_time, duration, confidence,"
					   " audio_url, metadata FROM platform.call_transcripts"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND call_id OPERATOR(pg_catalog.=) $2 ORDER BY start_time, id",
					   UUIDOID, UUIDOID);

	return platform_voice_list_of_call(fcinfo, &list);
}

/*
 * platform.complete_call_transcript(organization_id uuid, call_id uuid,
 *									 transcript_url text DEFAULT NULL)
 *		RETURNS boolean
 *
 * All that was said is there: the call and its recordings are transcribed.
 * transcript_url NULL leaves what was. False when it was complete before. Events
 * transcript.completed, recording.transcribed. Members: their organization.
 * Errors: 22004; 22023; 42501; PT404 no such call; 25006.
 */
Datum
platform_complete_call_transcript(PG_FUNCTION_ARGS)
{
	static PlatformQuery complete =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.calls SET transcribed_at = pg_catalog.now(),"
					   " transcript_url = COALESCE($3, transcript_url)"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
					   " AND transcribed_at IS NULL"
					   " RETURNING pg_catalog.jsonb_build_object('call_id', id, 'call_sid', call_sid,"
					   " 'transcript_url', transcript_url)",
					   UUIDOID, UUIDOID, TEXTOID);
	static PlatformQuery complete_recordings =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.call_recordings SET transcribed_at = pg_catalog.now()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND call_id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
					   " AND transcribed_at IS NULL"
					   " RETURNING pg_catalog.jsonb_build_object('recording_id', id, 'call_id', call_id)",
					   UUIDOID, UUIDOID, TEXTOID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	Datum		values[3];
	bool		nulls[3];
	bool		completed;

	platform_require_argument(fcinfo, 1, "call_id");
	(void) platform_optional_text(fcinfo, 2, "transcript_url", URL_MAX);
	platform_copy_arguments(fcinfo, 0, 3, values, nulls);

	platform_query_begin();
	completed = platform_query_run(&complete, values, nulls) > 0;
	if (completed)
	{
		uint64		recordings;

		platform_call_emit_rows(organization, "transcript.completed", 1, 1);
		recordings = platform_query_run(&complete_recordings, values, nulls);
		platform_call_emit_rows(organization, "recording.transcribed", recordings, 1);
	}
	else
		platform_voice_require_call(organization, PG_GETARG_UUID_P(1));
	platform_query_end();
	PG_RETURN_BOOL(completed);
}

/*
 * platform.search_transcripts(organization_id uuid, query text,
 *							   language regconfig DEFAULT 'english', role text DEFAULT NULL,
 *							   "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL,
 *							   "limit" integer DEFAULT 20)
 *		RETURNS TABLE (id uuid, call_id uuid, speaker text, start_time integer, snippet text,
 *					   rank real, created_at timestamptz)
 *
 * Utterances that match the query, the best first, with what was found between **
 * and **. The query is written as for a search engine (websearch_to_tsquery):
 * words, "a phrase", or, -without; nothing in it is an error. role: user,
 * assistant or system only; from and to bound created_at. Calls that are deleted
 * are left out. The index is for english; other languages are as fast with an
 * index of their own. Members: their organization. Errors: 22004; 22023; 42501;
 * 42704 no such language.
 */
Datum
platform_search_transcripts(PG_FUNCTION_ARGS)
{
	static PlatformQuery search =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT f.id, f.call_id, f.role, f.start_time,"
					   " pg_catalog.ts_headline($3, f.content, f.query,"
					   " 'StartSel=**, StopSel=**, MaxFragments=2, MinWords=5, MaxWords=20'),"
					   " f.rank, f.created_at FROM ("
					   " SELECT t.id, t.call_id, t.role, t.start_time, t.content, t.created_at, q.query,"
					   " pg_catalog.ts_rank(pg_catalog.to_tsvector($3, t.content), q.query) AS rank"
					   " FROM pg_catalog.websearch_to_tsquery($3, $2) AS q (query)"
					   " JOIN platform.call_transcripts t"
					   " ON pg_catalog.to_tsvector($3, t.content) OPERATOR(pg_catalog.@@) q.query"
					   " JOIN platform.calls c ON c.id OPERATOR(pg_catalog.=) t.call_id"
					   " AND c.organization_id OPERATOR(pg_catalog.=) t.organization_id"
					   " WHERE t.organization_id OPERATOR(pg_catalog.=) $1 AND c.deleted_at IS NULL"
					   " AND ($4 IS NULL OR t.role OPERATOR(pg_catalog.=) $4)"
					   " AND ($5 IS NULL OR t.created_at OPERATOR(pg_catalog.>=) $5)"
					   " AND ($6 IS NULL OR t.created_at OPERATOR(pg_catalog.<) $6)"
					   " ORDER BY rank DESC, t.created_at DESC, t.id LIMIT $7) AS f"
					   " ORDER BY f.rank DESC, f.created_at DESC, f.id",
					   UUIDOID, TEXTOID, REGCONFIGOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID);
	Datum		values[7];
	bool		nulls[7];

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "query");
	platform_require_argument(fcinfo, 2, "language");
	if (!SearchSysCacheExists1(TSCONFIGOID, PG_GETARG_DATUM(2)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration %u does not exist", PG_GETARG_OID(2))));
	(void) platform_required_text(fcinfo, 1, "query", QUERY_MAX);
	(void) platform_limit_argument(fcinfo, 6, CALL_LIST_MAX);
	platform_copy_arguments(fcinfo, 0, 7, values, nulls);
	return platform_query_return_rows(fcinfo, &search, values, nulls);
}

/*
 * platform.talk_time(organization_id uuid, call_id uuid)
 *		RETURNS (user_talk_time_ms bigint, assistant_talk_time_ms bigint,
 *				 user_utterances bigint, assistant_utterances bigint, user_share numeric)
 *
 * Who spoke for how long. user_share is the user's part of both, 0 to 1; NULL
 * when nobody spoke. Members: their organization. Errors: 22004; 42501; PT404 no
 * such call.
 */
Datum
platform_talk_time(PG_FUNCTION_ARGS)
{
	static PlatformQuery sum =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT s.u, s.a, s.nu, s.na,"
					   " CASE WHEN (s.u OPERATOR(pg_catalog.+) s.a) OPERATOR(pg_catalog.>) 0"
					   " THEN pg_catalog.round(s.u::pg_catalog.numeric OPERATOR(pg_catalog./)"
					   " (s.u OPERATOR(pg_catalog.+) s.a), 4) END FROM ("
					   " SELECT COALESCE(pg_catalog.sum(duration) FILTER (WHERE role OPERATOR(pg_catalog.=) 'user'), 0) AS u,"
					   " COALESCE(pg_catalog.sum(duration) FILTER (WHERE role OPERATOR(pg_catalog.=) 'assistant'), 0) AS a,"
					   " pg_catalog.count(*) FILTER (WHERE role OPERATOR(pg_catalog.=) 'user') AS nu,"
					   " pg_catalog.count(*) FILTER (WHERE role OPERATOR(pg_catalog.=) 'assistant') AS na"
					   " FROM platform.call_transcripts"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND call_id OPERATOR(pg_catalog.=) $2) AS s",
					   UUIDOID, UUIDOID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	Datum		values[2];
	bool		nulls[2];

	platform_require_argument(fcinfo, 1, "call_id");
	platform_copy_arguments(fcinfo, 0, 2, values, nulls);
	platform_query_begin();
	platform_voice_require_call(organization, PG_GETARG_UUID_P(1));
	platform_query_end();
	return platform_query_return_row(fcinfo, &sum, values, nulls);
}

/*
 * platform.low_confidence_transcripts(organization_id uuid, threshold numeric DEFAULT 0.70,
 *									   "limit" integer DEFAULT 50)
 *		RETURNS TABLE (id uuid, call_id uuid, role text, content text, confidence numeric,
 *					   start_time integer, created_at timestamptz)
 *
 * Utterances that were recognised with a confidence below the threshold, the worst
 * first: to be looked at. Members: their organization. Errors: 22004; 22023;
 * 42501; PT422 threshold outside 0 .. 1.
 */
Datum
platform_low_confidence_transcripts(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT t.id, t.call_id, t.role, t.content, t.confidence, t.start_time, t.created_at"
					   " FROM platform.call_transcripts t"
					   " JOIN platform.calls c ON c.id OPERATOR(pg_catalog.=) t.call_id"
					   " AND c.organization_id OPERATOR(pg_catalog.=) t.organization_id"
					   " WHERE t.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND t.confidence OPERATOR(pg_catalog.<) $2 AND c.deleted_at IS NULL"
					   " ORDER BY t.confidence, t.created_at DESC, t.id LIMIT $3",
					   UUIDOID, NUMERICOID, INT4OID);
	Datum		values[3];
	bool		nulls[3];

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "threshold");
	check_confidence(PG_GETARG_DATUM(1), "threshold must be between 0 and 1");
	(void) platform_limit_argument(fcinfo, 2, CALL_LIST_MAX);
	platform_copy_arguments(fcinfo, 0, 3, values, nulls);
	return platform_query_return_rows(fcinfo, &list, values, nulls);
}
