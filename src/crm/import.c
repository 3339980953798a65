/*
 * import.c
 *	  Leads from lists: import_leads().
 *
 * A lead comes in once: its key is what the list calls "key", else its number,
 * else its address. So a list may be sent again, also by two at once, and adds what
 * is new. Imports of an organization wait for each other: two lists with the same
 * leads in another order would deadlock.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "core/argument.h"
#include "core/query.h"
#include "core/row.h"
#include "crm/crm.h"

#define IMPORT_MAX	500

PG_FUNCTION_INFO_V1(platform_import_leads);

/* What a lead of a list may have. */
enum
{
	FIELD_KEY,
	FIELD_NAME,
	FIELD_BUSINESS_NAME,
	FIELD_PHONE,
	FIELD_EMAIL,
	FIELD_TIER_INTEREST,
	FIELD_SERVICE_ADDRESS,
	FIELD_ISSUE_TYPE,
	FIELD_STATUS,
	FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
	"key", "name", "business_name", "phone", "email", "tier_interest", "service_address", "issue_type",
	"status",
};

static bool
is_status(const char *status)
{
	static const char *const statuses[] = {
		"new", "contacted", "demo_set", "booked", "transferred", "callback_requested", "not_interested",
		"closed_won", "dead",
	};

	for (int i = 0; i < lengthof(statuses); i++)
	{
		if (strcmp(statuses[i], status) == 0)
			return true;
	}
	return false;
}

/* Something before and after one @, without white space. */
static bool
is_email(const char *email)
{
	const char *at = strchr(email, '@');

	return at != NULL && at != email && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
		email[strcspn(email, " \t\n\r\v\f")] == '\0';
}

/* Reads the fields of a lead; returns why it cannot come in, or NULL. */
static const char *
read_fields(JsonbContainer *object, const PlatformPhoneRegion *region, char **fields)
{
	JsonbValue	value;

	for (int i = 0; i < FIELD_COUNT; i++)
	{
		fields[i] = NULL;
		if (getKeyJsonValueFromContainer(object, field_names[i], strlen(field_names[i]), &value) == NULL ||
			value.type == jbvNull || (value.type == jbvString && value.val.string.len == 0))
			continue;
		if (value.type != jbvString)
			return psprintf("%s is no text", field_names[i]);
		fields[i] = pnstrdup(value.val.string.val, value.val.string.len);
		if (pg_mbstrlen(fields[i]) > (i == FIELD_KEY ? 240 : 255))
			return psprintf("%s is too long", field_names[i]);
	}
	if (fields[FIELD_PHONE] != NULL)
	{
		char	   *e164 = palloc(PLATFORM_E164_SIZE);

		if (!platform_normalize_phone(fields[FIELD_PHONE], strlen(fields[FIELD_PHONE]), region, e164))
			return "phone is no telephone number";
		fields[FIELD_PHONE] = e164;
	}
	if (fields[FIELD_EMAIL] != NULL && !is_email(fields[FIELD_EMAIL]))
		return "email is no address";
	if (fields[FIELD_STATUS] == NULL)
		fields[FIELD_STATUS] = "new";
	else if (!is_status(fields[FIELD_STATUS]))
		return "status is none of a lead";
	if (fields[FIELD_KEY] != NULL)
		fields[FIELD_KEY] = psprintf("key:%s", fields[FIELD_KEY]);
	else if (fields[FIELD_PHONE] != NULL)
		fields[FIELD_KEY] = psprintf("phone:%s", fields[FIELD_PHONE]);
	else if (fields[FIELD_EMAIL] == NULL)
		return "there is neither key, phone nor email";
	else if (pg_mbstrlen(fields[FIELD_EMAIL]) > 240)
		return "email is too long";
	else
	{
		char	   *key = psprintf("email:%s", fields[FIELD_EMAIL]);

		for (char *c = key; *c; c++)
		{
			if (*c >= 'A' && *c <= 'Z')
				*c += 'a' - 'A';
		}
		fields[FIELD_KEY] = key;
	}
	return NULL;
}

/* Writes it unless its key is there; returns whether it did, and its id. */
static bool
write_lead(const Datum organization, char **fields, pg_uuid_t *id)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.leads (organization_id, import_key, name, business_name, phone,"
					   " email, tier_interest, service_address, issue_type, status)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
					   " ON CONFLICT (organization_id, import_key) DO NOTHING RETURNING id",
					   UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
					   TEXTOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT id FROM platform.leads WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND import_key OPERATOR(pg_catalog.=) $2",
					   UUIDOID, TEXTOID);
	Datum		values[FIELD_COUNT + 1] = {organization};
	bool		nulls[FIELD_COUNT + 1] = {false};
	bool		created;

	for (int i = 0; i < FIELD_COUNT; i++)
		platform_set_text(values, nulls, i + 1, fields[i] ? cstring_to_text(fields[i]) : NULL);
	created = platform_query_run(&insert, values, nulls) > 0;
	if (!created && platform_query_run(&find, values, NULL) == 0)
		platform_wrong_state("the lead is being deleted");
	*id = platform_row_uuid(0, 1);
	return created;
}

/*
 * platform.import_leads(organization_id uuid, leads jsonb, region text DEFAULT 'US')
 *		RETURNS TABLE (line integer, lead_id uuid, outcome text, reason text)
 *
 * Adds the leads of an array of at most 500 objects with key, name, business_name,
 * phone, email, tier_interest, service_address, issue_type, status (all texts; others are
 * ignored) and says of each, from line 1: created; existing, when one with its key (else number,
 * else address) was imported before, which stays as it is; or refused, and why.
 * Members: their organization. Errors: 22004; 22023; 42501; PT422 no array, more
 * than 500; 25006.
 */
Datum
platform_import_leads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const PlatformPhoneRegion *region;
	Jsonb	   *leads;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	lead;
	int			line = 0;
	struct
	{
		char		what[16];
		pg_uuid_t	organization;
	}			name = {"crm import"};

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_argument(fcinfo, 1, "leads");
	region = platform_region_argument(fcinfo, 2);
	leads = PG_GETARG_JSONB_P(1);
	if (!JB_ROOT_IS_ARRAY(leads) || JB_ROOT_IS_SCALAR(leads))
		platform_rule_violation("leads must be an array");
	if (JB_ROOT_COUNT(leads) > IMPORT_MAX)
		platform_rule_violation(psprintf("leads must be at most %d", IMPORT_MAX));
	InitMaterializedSRF(fcinfo, 0);

	memcpy(&name.organization, PG_GETARG_UUID_P(0), UUID_LEN);
	platform_mutex_lock(hash_bytes_extended((unsigned char *) &name, sizeof(name), 0));
	platform_query_begin();
	iterator = JsonbIteratorInit(&leads->root);
	while ((token = JsonbIteratorNext(&iterator, &lead, true)) != WJB_DONE)
	{
		char	   *fields[FIELD_COUNT];
		const char *reason;
		pg_uuid_t	id;
		Datum		values[4];
		bool		nulls[4] = {false, true, false, true};

		if (token != WJB_ELEM)
			continue;
		values[0] = Int32GetDatum(++line);
		if (lead.type != jbvBinary || !JsonContainerIsObject(lead.val.binary.data))
			reason = "it is no object";
		else
			reason = read_fields(lead.val.binary.data, region, fields);
		if (reason != NULL)
		{
			values[2] = CStringGetTextDatum("refused");
			values[3] = CStringGetTextDatum(reason);
			nulls[3] = false;
		}
		else
		{
			values[2] = CStringGetTextDatum(write_lead(PG_GETARG_DATUM(0), fields, &id) ? "created" : "existing");
			values[1] = UUIDPGetDatum(&id);
			nulls[1] = false;
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	platform_query_end();
	return (Datum) 0;
}
