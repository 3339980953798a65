/*
 * notes.c
 *	  What staff says of a call: set_call_disposition(), add_call_note(),
 *	  call_notes().
 *
 * Writes run as the caller, so that row security, the columns' privileges and the
 * trigger see who really writes. The list of notes looks up their authors, whom
 * members may not read in table users.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "calls/calls.h"
#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"

#define NOTE_MAX	500

PG_FUNCTION_INFO_V1(platform_set_call_disposition);
PG_FUNCTION_INFO_V1(platform_add_call_note);
PG_FUNCTION_INFO_V1(platform_call_notes);

static const char *const dispositions[] = {
	"sale", "no_answer", "voicemail", "not_interested", "follow_up", "wrong_number",
	"callback_scheduled", "other", NULL
};

static const char *const tag_names[] = {
	"objection_raised", "competitor_mentioned", "pricing_discussed", "escalation_required",
	"decision_maker_reached", "follow_up_needed", "compliance_issue", "quality_concern",
	"positive_feedback", "technical_issue", NULL
};

/*
 * platform.set_call_disposition(organization_id uuid, call_id uuid, disposition text,
 *								 notes text DEFAULT NULL)
 *		RETURNS jsonb
 *
 * The outcome of a call as staff sees it: sale, no_answer, voicemail,
 * not_interested, follow_up, wrong_number, callback_scheduled, other; NULL takes it
 * back. notes NULL leaves what was noted. Who set it and when is the caller and
 * now. Returns call_id, disposition, disposition_set_at, disposition_set_by and
 * disposition_notes. Members: their organization. Errors: 22004; 42501; PT404
 * no such call; PT422 no such disposition; 25006.
 */
Datum
platform_set_call_disposition(PG_FUNCTION_ARGS)
{
	static PlatformQuery update =
		PLATFORM_QUERY(0,
					   "UPDATE platform.calls SET disposition = $3,"
					   " disposition_notes = COALESCE($4, disposition_notes)"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 AND deleted_at IS NULL"
					   " RETURNING pg_catalog.jsonb_build_object('call_id', id, 'disposition', disposition,"
					   " 'disposition_set_at', disposition_set_at, 'disposition_set_by', disposition_set_by,"
					   " 'disposition_notes', disposition_notes)",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	Datum		values[4];
	bool		nulls[4];
	bool		isnull;
	Datum		result;

	(void) platform_voice_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "call_id");
	if (!PG_ARGISNULL(2) && !platform_voice_is_one_of(PG_GETARG_TEXT_PP(2), dispositions))
		platform_rule_violation("disposition must be sale, no_answer, voicemail, not_interested, follow_up,"
							" wrong_number, callback_scheduled or other");
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);

	platform_query_begin();
	if (platform_query_run(&update, values, nulls) == 0)
		platform_no_such("call");
	result = platform_row_datum_copy(0, 1, &isnull);
	platform_query_end();
	PG_RETURN_DATUM(result);
}

static void
check_tags(ArrayType *tags)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i] || !platform_voice_is_one_of(DatumGetTextPP(elements[i]), tag_names))
			platform_rule_violation("tags must be objection_raised, competitor_mentioned, pricing_discussed,"
								" escalation_required, decision_maker_reached, follow_up_needed,"
								" compliance_issue, quality_concern, positive_feedback or technical_issue");
	}
}

/*
 * platform.add_call_note(organization_id uuid, call_id uuid, note text DEFAULT NULL,
 *						  tags text[] DEFAULT '{}', created_by uuid DEFAULT NULL)
 *		RETURNS uuid
 *
 * Adds a note of at most 500 characters, tags, or both; returns its id.
 * created_by NULL: the caller; operators may name another author. Members: their
 * organization. Errors: 22004 NULL, an author who is not known; 42501; PT404 no such
 * call; PT422 too long, no such tag, neither note nor tags; 23503 no such user;
 * 25006.
 */
Datum
platform_add_call_note(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(0,
					   "INSERT INTO platform.call_notes (organization_id, call_id, note, tags, created_by)"
					   " VALUES ($1, $2, $3, $4, $5) RETURNING id",
					   UUIDOID, UUIDOID, TEXTOID, TEXTARRAYOID, UUIDOID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	pg_uuid_t	author;
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	Datum		values[5];
	bool		nulls[5];

	platform_require_argument(fcinfo, 1, "call_id");
	platform_require_argument(fcinfo, 3, "tags");
	check_tags(PG_GETARG_ARRAYTYPE_P(3));
	if (PG_ARGISNULL(2) && ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(3)),
										  ARR_DIMS(PG_GETARG_ARRAYTYPE_P(3))) == 0)
		platform_rule_violation("a note must have a text, tags, or both");
	if (!PG_ARGISNULL(2) && !platform_text_fits(PG_GETARG_TEXT_PP(2), NOTE_MAX))
		platform_rule_violation("note must have 1 to 500 characters");
	author = platform_voice_user(fcinfo, 4, "created_by", "write a note for another user");
	platform_copy_arguments(fcinfo, 0, 5, values, nulls);
	values[4] = UUIDPGetDatum(&author);
	nulls[4] = false;

	platform_query_begin();
	platform_voice_require_call(organization, PG_GETARG_UUID_P(1));
	platform_query_run(&insert, values, nulls);
	*id = platform_row_uuid(0, 1);
	platform_query_end();
	PG_RETURN_UUID_P(id);
}

/*
 * platform.call_notes(organization_id uuid, call_id uuid, "limit" integer DEFAULT 100)
 *		RETURNS TABLE (id uuid, note text, tags text[], created_by uuid, author text,
 *					   created_at timestamptz, updated_at timestamptz)
 *
 * The notes of a call, the newest first; author is the name of created_by.
 * Members: their organization. Errors: 22004; 22023 limit outside 1 .. 100000;
 * 42501; PT404 no such call.
 */
Datum
platform_call_notes(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT n.id, n.note, n.tags, n.created_by, u.full_name, n.created_at, n.updated_at"
					   " FROM platform.call_notes n"
					   " LEFT JOIN platform.users u ON u.id OPERATOR(pg_catalog.=) n.created_by"
					   " WHERE n.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND n.call_id OPERATOR(pg_catalog.=) $2"
					   " ORDER BY n.created_at DESC, n.id DESC LIMIT $3",
					   UUIDOID, UUIDOID, INT4OID);
	pg_uuid_t  *organization = platform_voice_organization(fcinfo, 0);
	Datum		values[3];
	bool		nulls[3];

	platform_require_argument(fcinfo, 1, "call_id");
	(void) platform_limit_argument(fcinfo, 2, CALL_LIST_MAX);
	platform_query_begin();
	platform_voice_require_call(organization, PG_GETARG_UUID_P(1));
	platform_query_end();
	platform_copy_arguments(fcinfo, 0, 3, values, nulls);
	return platform_query_return_rows(fcinfo, &list, values, nulls);
}
