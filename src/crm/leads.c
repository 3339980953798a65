/*
 * leads.c
 *	  Leads from calls, and who works on one: lead_status_for_call(),
 *	  lead_sentiment(), record_call_lead(), claim_lead(), release_lead().
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "crm/crm.h"

PG_FUNCTION_INFO_V1(platform_lead_status_for_call);
PG_FUNCTION_INFO_V1(platform_lead_sentiment);
PG_FUNCTION_INFO_V1(platform_record_call_lead);
PG_FUNCTION_INFO_V1(platform_claim_lead);
PG_FUNCTION_INFO_V1(platform_release_lead);

/* The status that an outcome of a call makes of a lead. */
static const char *
status_for_call(const char *outcome, bool booked)
{
	static const struct
	{
		const char *outcome;
		const char *status;
	}			outcomes[] = {
		{"booked", "booked"},
		{"appointment_booked", "booked"},
		{"transferred", "transferred"},
		{"transfer", "transferred"},
		{"callback", "callback_requested"},
		{"callback_requested", "callback_requested"},
		{"declined", "not_interested"},
		{"not_interested", "not_interested"},
	};
	char	   *word;

	if (booked)
		return "booked";
	if (outcome == NULL)
		return "new";
	word = pstrdup(outcome);
	for (char *c = word; *c; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
		else if (*c == ' ' || *c == '-')
			*c = '_';
	}
	for (int i = 0; i < lengthof(outcomes); i++)
	{
		if (strcmp(outcomes[i].outcome, word) == 0)
			return outcomes[i].status;
	}
	return "new";
}

/*
 * platform.lead_status_for_call(call_outcome text, appointment_booked boolean DEFAULT false)
 *		RETURNS text
 *
 * The status of a lead after a call: booked when an appointment was made, else by
 * the outcome (any case, blanks and hyphens as underscores): booked, transferred,
 * callback_requested, not_interested (also declined); new for others and NULL. Anybody.
 */
Datum
platform_lead_status_for_call(PG_FUNCTION_ARGS)
{
	char	   *outcome = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(status_for_call(outcome, !PG_ARGISNULL(1) && PG_GETARG_BOOL(1))));
}

/* Does the text contain the word, whose letters are lower case, in any case? */
static bool
contains(const char *text, const char *word)
{
	size_t		length = strlen(word);

	for (; *text; text++)
	{
		if (pg_strncasecmp(text, word, length) == 0)
			return true;
	}
	return false;
}

static const char *
sentiment_of(const char *text)
{
	static const char *const negative[] = {"frustrat", "angry", "upset"};
	static const char *const positive[] = {"great", "thank", "appreciat"};

	for (int i = 0; i < lengthof(negative); i++)
	{
		if (contains(text, negative[i]))
			return "negative";
	}
	for (int i = 0; i < lengthof(positive); i++)
	{
		if (contains(text, positive[i]))
			return "positive";
	}
	return "neutral";
}

/*
 * platform.lead_sentiment(text text) RETURNS text
 *
 * How a conversation sounds, by its words, for where nothing better judged it:
 * negative with frustrat-, angry or upset, else positive with great, thank- or
 * appreciat-, else neutral. NULL for NULL. Anybody.
 */
Datum
platform_lead_sentiment(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(sentiment_of(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

/*
 * platform.record_call_lead(organization_id uuid, call_id text, phone text DEFAULT NULL,
 *							 name text DEFAULT NULL, transcript text DEFAULT NULL,
 *							 summary text DEFAULT NULL, sentiment text DEFAULT NULL,
 *							 call_duration_seconds integer DEFAULT NULL, call_outcome text DEFAULT NULL,
 *							 appointment_booked boolean DEFAULT false, recording_url text DEFAULT NULL,
 *							 agent_id text DEFAULT NULL, service_address text DEFAULT NULL,
 *							 issue_type text DEFAULT NULL, metadata jsonb DEFAULT '{}',
 *							 region text DEFAULT 'US')
 *		RETURNS (id uuid, status text, created boolean)
 *
 * The lead that a call makes. Reported again, a call adds to its lead what
 * was not known; its status becomes lead_status_for_call(), but never new again,
 * and one that was set by hand (contacted, demo_set, closed_won, dead) stays. A
 * caller without a number, or with none that can be read, has none. sentiment
 * NULL: lead_sentiment() of summary, else of transcript. Members: their organization. Errors:
 * 22004; 22023; 42501; 23514 sentiment, duration; PT422 metadata that is no object; 25006.
 */
Datum
platform_record_call_lead(PG_FUNCTION_ARGS)
{
	static PlatformQuery upsert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.leads AS l (organization_id, call_id, phone, name, transcript,"
					   " summary, sentiment, call_duration_seconds, call_outcome, appointment_booked,"
					   " recording_url, agent_id, service_address, issue_type, metadata, status)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
					   " ON CONFLICT (organization_id, call_id) DO UPDATE SET"
					   " phone = COALESCE(excluded.phone, l.phone), name = COALESCE(excluded.name, l.name),"
					   " transcript = COALESCE(excluded.transcript, l.transcript),"
					   " summary = COALESCE(excluded.summary, l.summary),"
					   " sentiment = COALESCE(excluded.sentiment, l.sentiment),"
					   " call_duration_seconds = COALESCE(excluded.call_duration_seconds, l.call_duration_seconds),"
					   " call_outcome = COALESCE(excluded.call_outcome, l.call_outcome),"
					   " appointment_booked = l.appointment_booked OR excluded.appointment_booked,"
					   " recording_url = COALESCE(excluded.recording_url, l.recording_url),"
					   " agent_id = COALESCE(excluded.agent_id, l.agent_id),"
					   " service_address = COALESCE(excluded.service_address, l.service_address),"
					   " issue_type = COALESCE(excluded.issue_type, l.issue_type),"
					   " metadata = l.metadata OPERATOR(pg_catalog.||) excluded.metadata,"
					   " status = CASE WHEN excluded.status OPERATOR(pg_catalog.=) 'new'"
					   " OR l.status OPERATOR(pg_catalog.=) ANY (ARRAY['contacted', 'demo_set', 'closed_won', 'dead'])"
					   " OR l.appointment_booked AND l.status OPERATOR(pg_catalog.=) 'booked'"
					   " THEN l.status ELSE excluded.status END"
					   " RETURNING id, status, xmax OPERATOR(pg_catalog.=) 0",
					   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID,
					   BOOLOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID);
	char		e164[PLATFORM_E164_SIZE];
	const PlatformPhoneRegion *region;
	Datum		values[16];
	bool		nulls[16];
	Datum		result[3];
	bool		no_nulls[3] = {false, false, false};
	int			heard;

	(void) platform_crm_organization(fcinfo, 0);
	(void) platform_required_text(fcinfo, 1, "call_id", 255);
	platform_require_argument(fcinfo, 9, "appointment_booked");
	platform_require_argument(fcinfo, 14, "metadata");
	region = platform_region_argument(fcinfo, 15);
	if (!JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(14)))
		platform_rule_violation("metadata must be an object");
	platform_copy_arguments(fcinfo, 0, 15, values, nulls);
	if (!nulls[2])
	{
		text	   *phone = PG_GETARG_TEXT_PP(2);

		nulls[2] = !platform_normalize_phone(VARDATA_ANY(phone), VARSIZE_ANY_EXHDR(phone), region, e164);
		if (!nulls[2])
			values[2] = CStringGetTextDatum(e164);
	}
	heard = nulls[5] ? 4 : 5;
	if (nulls[6] && !nulls[heard])
	{
		values[6] = CStringGetTextDatum(sentiment_of(TextDatumGetCString(values[heard])));
		nulls[6] = false;
	}
	values[15] = CStringGetTextDatum(status_for_call(nulls[8] ? NULL : TextDatumGetCString(values[8]),
													 PG_GETARG_BOOL(9)));
	nulls[15] = false;

	platform_query_begin();
	platform_query_run(&upsert, values, nulls);
	for (int i = 0; i < 3; i++)
		result[i] = platform_row_datum_copy(0, i + 1, &no_nulls[i]);
	platform_query_end();
	return platform_return_row(fcinfo, result, no_nulls);
}

/* Runs what changes one lead: true when it did; PT404 when there is no such lead. */
static bool
change_lead(PlatformQuery *query, const Datum *values)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.leads WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	bool		changed;

	platform_query_begin();
	changed = platform_query_run(query, values, NULL) > 0;
	if (!changed && platform_query_run(&find, values, NULL) == 0)
		platform_no_such("lead");
	platform_query_end();
	return changed;
}

/*
 * platform.claim_lead(organization_id uuid, lead_id uuid, lease interval DEFAULT '15 minutes')
 *		RETURNS boolean
 *
 * The caller works on the lead until the lease (above zero, at most a day) ends, and may prolong it; false when
 * somebody else does. Members: their organization. Errors: 22004; 22023; 42501;
 * PT404 no such lead; 25006.
 */
Datum
platform_claim_lead(PG_FUNCTION_ARGS)
{
	static PlatformQuery claim =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.leads SET locked_by = $3,"
					   " lock_expires_at = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) $4"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2"
					   " AND (locked_by IS NULL OR locked_by OPERATOR(pg_catalog.=) $3"
					   " OR lock_expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())",
					   UUIDOID, UUIDOID, TEXTOID, INTERVALOID);
	Datum		values[4];

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "lead_id");
	(void) platform_require_interval(fcinfo, 2, "lease", false, 1);
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = CStringGetTextDatum(platform_caller_name());
	values[3] = PG_GETARG_DATUM(2);
	PG_RETURN_BOOL(change_lead(&claim, values));
}

/*
 * platform.release_lead(organization_id uuid, lead_id uuid) RETURNS boolean
 *
 * The caller works on it no longer; false when it did not. Members: their
 * organization. Errors: 22004; 42501; PT404 no such lead; 25006.
 */
Datum
platform_release_lead(PG_FUNCTION_ARGS)
{
	static PlatformQuery release =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.leads SET locked_by = NULL, lock_expires_at = NULL"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2"
					   " AND locked_by OPERATOR(pg_catalog.=) $3",
					   UUIDOID, UUIDOID, TEXTOID);
	Datum		values[3];

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "lead_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = CStringGetTextDatum(platform_caller_name());
	PG_RETURN_BOOL(change_lead(&release, values));
}
