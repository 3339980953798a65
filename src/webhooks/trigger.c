/*
 * trigger.c
 *	  The triggers of webhook_subscriptions.
 *
 * Before a row is written: its rules, which messages name by column; what it
 * gives in clear is encrypted before any constraint is checked, so that no
 * message about a failing row shows it. After: the endpoint's row, which is there
 * from the first moment, and is due again when the subscription becomes active.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/base64.h"
#include "core/error.h"
#include "core/guard.h"
#include "core/query.h"
#include "core/row.h"
#include "core/signature.h"
#include "core/touch.h"
#include "core/url.h"
#include "webhooks/subscription.h"

PG_FUNCTION_INFO_V1(platform_check_webhook_subscription);
PG_FUNCTION_INFO_V1(platform_keep_webhook_endpoint);

#define SUBSCRIPTIONS_MAX	50	/* active ones of an organization */
#define SECRET_MIN			16
#define SECRET_MAX			256
#define HEADERS_MAX			32
#define HEADER_NAME_MAX		128
#define HEADER_VALUE_MAX	1024
#define SECRET_PREFIX		"whsec_"

typedef enum Column
{
	COLUMN_ID,
	COLUMN_ORGANIZATION,
	COLUMN_URL,
	COLUMN_SECRET,
	COLUMN_PREVIOUS_SECRET,
	COLUMN_EVENTS,
	COLUMN_HEADERS,
	COLUMN_SCHEME,
	COLUMN_ACTIVE,
	COLUMN_DISABLED_AT,
	COLUMN_DISABLED_REASON,
	COLUMNS
} Column;

static const char *const column_names[COLUMNS] = {
	[COLUMN_ID] = "id",
	[COLUMN_ORGANIZATION] = "organization_id",
	[COLUMN_URL] = "url",
	[COLUMN_SECRET] = "secret",
	[COLUMN_PREVIOUS_SECRET] = "previous_secret",
	[COLUMN_EVENTS] = "events",
	[COLUMN_HEADERS] = "headers",
	[COLUMN_SCHEME] = "scheme",
	[COLUMN_ACTIVE] = "active",
	[COLUMN_DISABLED_AT] = "disabled_at",
	[COLUMN_DISABLED_REASON] = "disabled_reason",
};

/* A row that is being written. */
typedef struct Write
{
	TupleDesc	desc;
	bool		update;
	AttrNumber	attnums[COLUMNS];
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	Datum		old_values[COLUMNS];
	bool		old_nulls[COLUMNS];

	/* for heap_modify_tuple_by_cols() */
	int			nreplaced;
	int			replaced[COLUMNS];
	Datum		replaced_values[COLUMNS];
	bool		replaced_nulls[COLUMNS];
} Write;

static PlatformQuery unknown_types =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
				   "SELECT t FROM pg_catalog.unnest($1) AS t WHERE NOT EXISTS (SELECT 1"
				   " FROM platform.webhook_event_types k WHERE k.event_type OPERATOR(pg_catalog.=) t) LIMIT 1",
				   TEXTARRAYOID);

static PlatformQuery count_active =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
				   "SELECT pg_catalog.count(*) FROM platform.webhook_subscriptions"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND active",
				   UUIDOID);

static PlatformQuery insert_endpoint =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "INSERT INTO platform.webhook_endpoints (subscription_id, organization_id, since, since_cluster)"
				   " VALUES ($1, $2, $3::pg_catalog.pg_snapshot, $4)"
				   " ON CONFLICT (subscription_id, organization_id) DO NOTHING",
				   UUIDOID, UUIDOID, TEXTOID, INT8OID);

static PlatformQuery wake_endpoint =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.webhook_endpoints SET due_at = $3, blocked_until = NULL, blocked_by = NULL,"
				   " breaker = 'closed', breaker_opened = 0, failures = 0, failing_since = NULL"
				   " WHERE subscription_id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID, TIMESTAMPTZOID);

pg_noreturn static void
refuse(const char *column, const char *message, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
			 errmsg("%s", message),
			 detail != NULL ? errdetail_internal("%s", detail) : 0,
			 err_generic_string(PG_DIAG_COLUMN_NAME, column)));
}

static bool
is_changed(const Write *write, Column column)
{
	Form_pg_attribute attribute;

	if (!write->update)
		return true;
	if (write->nulls[column] || write->old_nulls[column])
		return write->nulls[column] != write->old_nulls[column];
	attribute = TupleDescAttr(write->desc, write->attnums[column] - 1);
	return !datumIsEqual(write->values[column], write->old_values[column],
						 attribute->attbyval, attribute->attlen);
}

static void
replace(Write *write, Column column, Datum value, bool isnull)
{
	write->replaced[write->nreplaced] = write->attnums[column];
	write->replaced_values[write->nreplaced] = value;
	write->replaced_nulls[write->nreplaced] = isnull;
	write->nreplaced++;
}

/* ---- rules ---- */

static void
check_key(const Write *write)
{
	if (write->update && (is_changed(write, COLUMN_ID) || is_changed(write, COLUMN_ORGANIZATION)))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("a webhook subscription cannot change its id or organization"),
				 errdetail("Its secret is encrypted for them.")));
}

static void
check_url(const Write *write)
{
	text	   *url;
	PlatformUrlFault fault;

	if (write->nulls[COLUMN_URL] || !is_changed(write, COLUMN_URL))
		return;
	url = DatumGetTextPP(write->values[COLUMN_URL]);
	fault = platform_url_check(VARDATA_ANY(url), VARSIZE_ANY_EXHDR(url));
	if (fault != URL_OK)
		refuse("url", "webhooks cannot be sent to this url",
			   psprintf("The url: %s.", platform_url_reason(fault)));
}

/* Patterns are well-formed, and exact types in the catalogue. */
static void
check_events(const Write *write)
{
	Datum	   *patterns;
	Datum	   *types;
	bool	   *nulls;
	int			count;
	int			ntypes = 0;
	Datum		value;

	if (write->nulls[COLUMN_EVENTS] || !is_changed(write, COLUMN_EVENTS))
		return;
	deconstruct_array(DatumGetArrayTypeP(write->values[COLUMN_EVENTS]), TEXTOID, -1, false,
					  TYPALIGN_INT, &patterns, &nulls, &count);
	if (count == 0)
		refuse("events", "a webhook subscription must ask for at least one event",
			   "'*' stands for all of them.");
	types = palloc(count * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		text	   *pattern;

		if (nulls[i])
			refuse("events", "events cannot have null elements", NULL);
		pattern = DatumGetTextPP(patterns[i]);
		if (!platform_webhook_pattern_is_valid(VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern)))
			refuse("events", psprintf("\"%s\" is no event type", TextDatumGetCString(patterns[i])),
				   "Events are types, families such as 'call.*', or '*'.");
		if (memchr(VARDATA_ANY(pattern), '*', VARSIZE_ANY_EXHDR(pattern)) == NULL)
			types[ntypes++] = patterns[i];
	}
	if (ntypes == 0)
		return;
	value = PointerGetDatum(construct_array(types, ntypes, TEXTOID, -1, false, TYPALIGN_INT));
	platform_query_begin();
	if (platform_query_run(&unknown_types, &value, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("event type \"%s\" is not in the catalogue", platform_row_cstring(0, 1)),
				 errhint("See platform.webhook_event_types; an operator may add to it."),
				 err_generic_string(PG_DIAG_COLUMN_NAME, "events")));
	platform_query_end();
}

/* A token of RFC 9110. */
static bool
is_header_name(const char *name, int length)
{
	if (length == 0 || length > HEADER_NAME_MAX)
		return false;
	for (int i = 0; i < length; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
			  (name[i] >= '0' && name[i] <= '9') ||
			  (name[i] != '\0' && strchr("!#$%&'*+-.^_`|~", name[i]) != NULL)))
			return false;
	return true;
}

/* One line: no character that would begin another header. */
static bool
is_header_value(const char *value, int length)
{
	if (length > HEADER_VALUE_MAX)
		return false;
	for (int i = 0; i < length; i++)
		if ((uint8) value[i] < ' ' && value[i] != '\t')
			return false;
		else if (value[i] == 0x7f || IS_HIGHBIT_SET(value[i]))
			return false;
	return true;
}

static void
check_headers(const Write *write)
{
	Jsonb	   *headers;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	int			count = 0;

	if (write->nulls[COLUMN_HEADERS] || !is_changed(write, COLUMN_HEADERS))
		return;
	headers = DatumGetJsonbP(write->values[COLUMN_HEADERS]);
	if (!JB_ROOT_IS_OBJECT(headers))
		return;					/* the table's constraint says it */
	iterator = JsonbIteratorInit(&headers->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			if (++count > HEADERS_MAX)
				refuse("headers", psprintf("there can be at most %d headers", HEADERS_MAX), NULL);
			if (!is_header_name(value.val.string.val, value.val.string.len))
				refuse("headers", "a name in headers is no name of a header", NULL);
			if (platform_webhook_header_is_reserved(value.val.string.val, value.val.string.len))
				refuse("headers", psprintf("header \"%.*s\" cannot be set", value.val.string.len,
										   value.val.string.val), NULL);
		}
		else if (token == WJB_VALUE &&
				 (value.type != jbvString ||
				  !is_header_value(value.val.string.val, value.val.string.len)))
			refuse("headers", "values in headers must be texts of one line in ASCII",
				   psprintf("They have at most %d characters.", HEADER_VALUE_MAX));
	}
}

/*
 * Active subscriptions bound the work that one event makes. Who adds one holds a
 * lock of the organization, and counts what was there before.
 */
static void
check_number(const Write *write)
{
	bool		active = !write->nulls[COLUMN_ACTIVE] && DatumGetBool(write->values[COLUMN_ACTIVE]);
	const pg_uuid_t *organization = DatumGetUUIDP(write->values[COLUMN_ORGANIZATION]);
	Datum		value = UUIDPGetDatum(organization);

	if (!active || !is_changed(write, COLUMN_ACTIVE))
		return;
	platform_mutex_lock(hash_bytes_extended(organization->data, UUID_LEN, 590));
	platform_query_begin();
	platform_query_run(&count_active, &value, NULL);
	if (platform_row_int64(0, 1) >= SUBSCRIPTIONS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_LIMIT_REACHED),
				 errmsg("an organization can have at most %d active webhook subscriptions",
						SUBSCRIPTIONS_MAX)));
	platform_query_end();
}

/* When and why it was disabled, whoever wrote active. */
static void
follow_active(Write *write, TimestampTz now)
{
	bool		active;

	if (write->nulls[COLUMN_ACTIVE] || !is_changed(write, COLUMN_ACTIVE))
		return;
	active = DatumGetBool(write->values[COLUMN_ACTIVE]);
	if (active && !(write->nulls[COLUMN_DISABLED_AT] && write->nulls[COLUMN_DISABLED_REASON]))
	{
		replace(write, COLUMN_DISABLED_AT, (Datum) 0, true);
		replace(write, COLUMN_DISABLED_REASON, (Datum) 0, true);
	}
	else if (!active)
	{
		if (write->nulls[COLUMN_DISABLED_AT])
			replace(write, COLUMN_DISABLED_AT, TimestampTzGetDatum(now), false);
		if (write->nulls[COLUMN_DISABLED_REASON])
			replace(write, COLUMN_DISABLED_REASON, CStringGetTextDatum("paused"), false);
	}
}

/* ---- secrets ---- */

static bool
decodes_secrets(const char *scheme)
{
	return strcmp(scheme, "standard") == 0 || strcmp(scheme, "svix") == 0;
}

void
platform_webhook_secret_to_key(const char *scheme, PlatformPlaintext *secret)
{
	const char *coded = secret->bytes;
	size_t		length = secret->length;
	uint8	   *bytes;
	char	   *key;

	if (!decodes_secrets(scheme) || strncmp(coded, SECRET_PREFIX, strlen(SECRET_PREFIX)) == 0 ||
		strncmp(coded, "whsk_", 5) == 0)
		return;
	bytes = palloc(PLATFORM_BASE64_DECODED(length));
	if (platform_base64_decode_loosely(coded, length, bytes) <= 0)
	{
		key = palloc(strlen(SECRET_PREFIX) + PLATFORM_BASE64_ENCODED(length));
		strcpy(key, SECRET_PREFIX);
		secret->length = strlen(SECRET_PREFIX) +
			platform_base64_encode((const uint8 *) coded, length, key + strlen(SECRET_PREFIX));
		platform_wipe(secret->bytes, length);
		pfree(secret->bytes);
		secret->bytes = key;
	}
	platform_wipe(bytes, PLATFORM_BASE64_DECODED(length));
	pfree(bytes);
}

void
platform_webhook_require_secret(const char *scheme, const char *secret, size_t length)
{
	PlatformSignatureScheme found;
	PlatformSignedRequest request = {{0}};
	PlatformPlaintext key = {NULL, length};
	PlatformBytes bytes;

	if (length < SECRET_MIN || length > SECRET_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("a webhook secret must have %d to %d bytes", SECRET_MIN, SECRET_MAX),
				 err_generic_string(PG_DIAG_COLUMN_NAME, "secret")));
	if (!platform_signature_find_scheme(scheme, strlen(scheme), &found) ||
		found == SIGNATURE_TWILIO || found == SIGNATURE_META)
		return;					/* the table's constraint says it */
	key.bytes = palloc(length + 1);
	memcpy(key.bytes, secret, length);
	key.bytes[length] = '\0';
	platform_webhook_secret_to_key(scheme, &key);
	request.id.data = request.body.data = (const uint8 *) "id";
	request.id.length = request.body.length = 2;
	bytes.data = (const uint8 *) key.bytes;
	bytes.length = key.length;
	/* 22023 when it is no key */
	pfree(platform_signature_sign(found, &request, &bytes, 1, GetCurrentTimestamp()));
	platform_secret_wipe(&key);
}

/*
 * The envelope of what was given: of a new secret, or the one that stands for it
 * already, as when a dump is restored.
 */
static Datum
encrypt_secret(const Write *write, Datum given)
{
	PlatformSecretPlace place = {
		DatumGetUUIDP(write->values[COLUMN_ORGANIZATION]), WEBHOOK_SECRET_PURPOSE,
		DatumGetUUIDP(write->values[COLUMN_ID]), NULL
	};
	text	   *secret = DatumGetTextPP(given);
	char	   *scheme = TextDatumGetCString(write->values[COLUMN_SCHEME]);
	PlatformPlaintext plain = {0};
	PlatformKeyFault fault;

	if (platform_secret_is_envelope(VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret)))
	{
		if (platform_secret_try_decrypt(&place, VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret),
										&plain, &fault))
		{
			platform_webhook_require_secret(scheme, plain.bytes, plain.length);
			platform_secret_wipe(&plain);
		}
		else if (fault.reason != KEY_NO_ROOT_KEY && fault.reason != KEY_WRONG_ROOT_KEY)
			refuse("secret", "the secret is an encrypted one of another place", NULL);
		return PointerGetDatum(secret);
	}
	plain = platform_secret_from_text(secret);
	platform_webhook_require_secret(scheme, plain.bytes, plain.length);
	secret = platform_secret_encrypt(&place, plain.bytes, plain.length);
	platform_secret_wipe(&plain);
	return PointerGetDatum(secret);
}

static void
encrypt_secrets(Write *write)
{
	bool		new_scheme = is_changed(write, COLUMN_SCHEME);

	for (int column = COLUMN_SECRET; column <= COLUMN_PREVIOUS_SECRET; column++)
	{
		Datum		envelope;

		if (write->nulls[column] || !(new_scheme || is_changed(write, column)))
			continue;
		envelope = encrypt_secret(write, write->values[column]);
		if (envelope != write->values[column])
			replace(write, column, envelope, false);
	}
}

/* ---- the triggers ---- */

static void
read_row(Write *write, const TriggerData *trigger, HeapTuple row, Datum *values, bool *nulls)
{
	for (int i = 0; i < COLUMNS; i++)
		values[i] = heap_getattr(row, write->attnums[i], write->desc, &nulls[i]);
}

/*
 * platform.check_webhook_subscription() returns trigger
 *
 * Keeps the rules of a subscription: a url that may be sent to, events that exist,
 * headers that can be sent, a number of active ones. Encrypts the secret that is
 * given in clear; an INSERT without one gets one that nobody knows, until it is
 * rotated. Keeps disabled_at, disabled_reason and updated_at. Errors: 39P01 when
 * fired otherwise; PT422 a rule is broken, the column is named; PT409 a changed
 * key; PT429 too many; 22023 a secret that is no key of the scheme; F0000 no root
 * key, or a wrong one.
 *
 *		CREATE TRIGGER webhook_subscriptions_check
 *			BEFORE INSERT OR UPDATE ON platform.webhook_subscriptions
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_webhook_subscription();
 */
Datum
platform_check_webhook_subscription(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_webhook_subscription",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	HeapTuple	row = platform_trigger_row(trigger);
	Write		write = {0};
	PlatformTouch touch;

	write.desc = RelationGetDescr(trigger->tg_relation);
	write.update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	for (int i = 0; i < COLUMNS; i++)
		write.attnums[i] = platform_trigger_column(trigger, column_names[i]);
	read_row(&write, trigger, row, write.values, write.nulls);
	if (write.update)
		read_row(&write, trigger, trigger->tg_trigtuple, write.old_values, write.old_nulls);
	/* what the table's constraints refuse is theirs to refuse */
	if (write.nulls[COLUMN_ID] || write.nulls[COLUMN_ORGANIZATION] || write.nulls[COLUMN_SCHEME])
		return PointerGetDatum(row);

	check_key(&write);
	check_url(&write);
	check_events(&write);
	check_headers(&write);
	check_number(&write);
	if (!write.update && write.nulls[COLUMN_SECRET])
	{
		write.nulls[COLUMN_SECRET] = false;
		write.values[COLUMN_SECRET] = CStringGetTextDatum(platform_signature_new_secret(SECRET_PREFIX));
	}
	encrypt_secrets(&write);
	follow_active(&write, GetCurrentTransactionStartTimestamp());
	if (write.nreplaced > 0)
		row = heap_modify_tuple_by_cols(row, write.desc, write.nreplaced, write.replaced,
										write.replaced_values, write.replaced_nulls);
	if (write.update)
	{
		platform_touch_prepare(&touch, trigger, "updated_at");
		row = platform_touch_row(&touch, trigger, row);
	}
	return PointerGetDatum(row);
}

/*
 * platform.keep_webhook_endpoint() returns trigger
 *
 * Makes the endpoint's row of a new subscription, from whose moment on events are
 * delivered; when one becomes active again
 * or gets another url, what was known of the endpoint's health is forgotten and
 * its deliveries are due. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER webhook_subscriptions_endpoint
 *			AFTER INSERT OR UPDATE ON platform.webhook_subscriptions
 *			FOR EACH ROW EXECUTE FUNCTION platform.keep_webhook_endpoint();
 */
Datum
platform_keep_webhook_endpoint(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "keep_webhook_endpoint",
												  GUARD_AFTER | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	HeapTuple	row = platform_trigger_row(trigger);
	Write		write = {0};
	Datum		values[4];
	bool		active;

	write.desc = RelationGetDescr(trigger->tg_relation);
	write.update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	for (int i = 0; i < COLUMNS; i++)
		write.attnums[i] = platform_trigger_column(trigger, column_names[i]);
	read_row(&write, trigger, row, write.values, write.nulls);
	values[0] = write.values[COLUMN_ID];
	values[1] = write.values[COLUMN_ORGANIZATION];
	platform_query_begin();
	if (!write.update)
	{
		values[2] = CStringGetTextDatum(platform_webhook_current_snapshot());
		values[3] = Int64GetDatum((int64) GetSystemIdentifier());
		platform_query_run(&insert_endpoint, values, NULL);
	}
	else
	{
		values[2] = TimestampTzGetDatum(GetCurrentTimestamp());
		read_row(&write, trigger, trigger->tg_trigtuple, write.old_values, write.old_nulls);
		active = DatumGetBool(write.values[COLUMN_ACTIVE]);
		if (active && (is_changed(&write, COLUMN_ACTIVE) || is_changed(&write, COLUMN_URL)))
			platform_query_run(&wake_endpoint, values, NULL);
	}
	platform_query_end();
	return PointerGetDatum(NULL);
}
