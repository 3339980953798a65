/*
 * subscriptions.c
 *	  Subscriptions from SQL: making them, their secrets, pausing.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/signature.h"
#include "core/url.h"
#include "core/uuid7.h"
#include "webhooks/subscription.h"

PG_FUNCTION_INFO_V1(platform_create_webhook_subscription);
PG_FUNCTION_INFO_V1(platform_rotate_webhook_secret);
PG_FUNCTION_INFO_V1(platform_revoke_previous_webhook_secret);
PG_FUNCTION_INFO_V1(platform_pause_webhook_subscription);
PG_FUNCTION_INFO_V1(platform_resume_webhook_subscription);
PG_FUNCTION_INFO_V1(platform_check_webhook_url);

#define OVERLAP_DAYS_MAX 30

static PlatformQuery find_subscription =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST,
				   "SELECT organization_id FROM platform.webhook_subscriptions"
				   " WHERE id OPERATOR(pg_catalog.=) $1",
				   UUIDOID);

static PlatformQuery insert_subscription =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "INSERT INTO platform.webhook_subscriptions"
				   " (id, organization_id, name, url, events, secret, scheme, headers, retry_policy,"
				   " max_retries, timeout_ms, created_by)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
				   " (SELECT u.id FROM platform.users u WHERE u.id OPERATOR(pg_catalog.=) $12))",
				   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID,
				   INT4OID, INT4OID, UUIDOID);

static PlatformQuery rotate_secret =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.webhook_subscriptions SET secret = $2,"
				   " previous_secret = CASE WHEN $3 OPERATOR(pg_catalog.>) $4 THEN secret END,"
				   " previous_secret_expires_at = CASE WHEN $3 OPERATOR(pg_catalog.>) $4 THEN $3 END"
				   " WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND ($5 OR previous_secret_expires_at IS NULL"
				   " OR previous_secret_expires_at OPERATOR(pg_catalog.<=) $4)",
				   UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID);

static PlatformQuery revoke_previous =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "WITH old AS (SELECT id, organization_id, previous_secret_expires_at OPERATOR(pg_catalog.>) $2 AS live"
				   " FROM platform.webhook_subscriptions WHERE id OPERATOR(pg_catalog.=) $1"
				   " AND previous_secret IS NOT NULL FOR NO KEY UPDATE)"
				   " UPDATE platform.webhook_subscriptions s"
				   " SET previous_secret = NULL, previous_secret_expires_at = NULL FROM old"
				   " WHERE s.id OPERATOR(pg_catalog.=) old.id"
				   " AND s.organization_id OPERATOR(pg_catalog.=) old.organization_id RETURNING old.live",
				   UUIDOID, TIMESTAMPTZOID);

static PlatformQuery pause_subscription =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.webhook_subscriptions SET active = false, disabled_reason = $2"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND active",
				   UUIDOID, TEXTOID);

static PlatformQuery resume_subscription =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST,
				   "UPDATE platform.webhook_subscriptions SET active = true"
				   " WHERE id OPERATOR(pg_catalog.=) $1 AND NOT active",
				   UUIDOID);

pg_uuid_t
platform_require_webhook_subscription(const pg_uuid_t *id)
{
	Datum		value = UUIDPGetDatum(id);
	pg_uuid_t	organization;

	if (platform_query_run(&find_subscription, &value, NULL) > 0)
	{
		organization = platform_row_uuid(0, 1);
		if (platform_may_act_for(&organization))
		{
			platform_require_administrator(&organization, "manage webhooks");
			return organization;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_PLATFORM_NOT_FOUND),
			 errmsg("webhook subscription %s does not exist",
					DatumGetCString(DirectFunctionCall1(uuid_out, value)))));
}

/*
 * platform.create_webhook_subscription(organization_id uuid, name text, url text, events text[],
 *		secret text DEFAULT NULL, scheme text DEFAULT 'standard', headers jsonb DEFAULT '{}',
 *		retry_policy text DEFAULT 'exponential', max_retries integer DEFAULT 9,
 *		timeout_ms integer DEFAULT 30000, OUT id uuid, OUT secret text)
 *
 * A new subscription and its secret, which is not shown again. NULL secret: one is
 * made. timeout_ms: milliseconds. Administrators, for their organization. Errors:
 * 42501; 22004; PT404 no such organization; PT422 url, events or headers break a
 * rule; 22023 secret is no key of the scheme; 23505 the organization has one with
 * that url; 23514; PT429 too many; F0000 no root key.
 */
Datum
platform_create_webhook_subscription(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"organization_id", "name", "url", "events", NULL, "scheme", "headers", "retry_policy",
		"max_retries", "timeout_ms"
	};
	const pg_uuid_t *creator = platform_current_user();
	TupleDesc	tupdesc;
	pg_uuid_t	id;
	Datum		values[12];
	bool		nulls[12] = {false};
	Datum		answer[2];
	bool		answer_nulls[2] = {false};

	platform_require_module(&platform_webhooks_module);
	for (int i = 0; i < lengthof(names); i++)
		if (names[i] != NULL)
			platform_require_argument(fcinfo, i, names[i]);
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	platform_require_administrator(PG_GETARG_UUID_P(0), "manage webhooks");

	platform_make_uuid7(&id);
	values[0] = UUIDPGetDatum(&id);
	for (int i = 0; i < lengthof(names); i++)
		values[i + 1] = PG_GETARG_DATUM(i);
	if (PG_ARGISNULL(4))
		values[5] = CStringGetTextDatum(platform_signature_new_secret("whsec_"));
	nulls[11] = creator == NULL;
	if (creator != NULL)
		values[11] = UUIDPGetDatum(creator);
	platform_query_begin();
	platform_webhook_require_organization(PG_GETARG_UUID_P(0));
	platform_query_run(&insert_subscription, values, nulls);
	platform_query_end();

	answer[0] = UUIDPGetDatum(&id);
	answer[1] = values[5];
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), answer, answer_nulls)));
}

/*
 * platform.rotate_webhook_secret(subscription uuid, overlap interval DEFAULT '24 hours',
 *								  force boolean DEFAULT false) returns text
 *
 * A new secret, which is not shown again. For overlap (0 to 30 days) requests are
 * signed with the old one too, so that the receiver has time to change. While such
 * an overlap runs another rotation would end it early: refused unless force.
 * Administrators, for their organization. Errors: 42501; 22004; 22023; PT404; PT409
 * an overlap runs; F0000 no root key.
 */
Datum
platform_rotate_webhook_secret(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	char	   *secret = platform_signature_new_secret("whsec_");
	Datum		values[5];
	int64		overlap;

	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, "subscription");
	overlap = platform_require_interval(fcinfo, 1, "overlap", true, OVERLAP_DAYS_MAX);
	platform_require_argument(fcinfo, 2, "force");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(secret);
	values[2] = TimestampTzGetDatum(now + overlap);
	values[3] = TimestampTzGetDatum(now);
	values[4] = PG_GETARG_DATUM(2);
	platform_query_begin();
	(void) platform_require_webhook_subscription(PG_GETARG_UUID_P(0));
	if (platform_query_run(&rotate_secret, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("the secret was rotated a short while ago"),
				 errdetail("The one before still signs."),
				 errhint("Call revoke_previous_webhook_secret(), or rotate with force.")));
	platform_query_end();
	PG_RETURN_DATUM(values[1]);
}

/*
 * platform.revoke_previous_webhook_secret(subscription uuid) returns boolean
 *
 * Ends the overlap of a rotation: requests are signed with the new secret alone.
 * False when there was none. Administrators. Errors: 42501; 22004; PT404.
 */
Datum
platform_revoke_previous_webhook_secret(PG_FUNCTION_ARGS)
{
	Datum		values[2];
	bool		revoked;

	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, "subscription");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	platform_query_begin();
	(void) platform_require_webhook_subscription(PG_GETARG_UUID_P(0));
	revoked = platform_query_run(&revoke_previous, values, NULL) > 0 && platform_row_bool(0, 1);
	platform_query_end();
	PG_RETURN_BOOL(revoked);
}

/*
 * platform.pause_webhook_subscription(subscription uuid, reason text DEFAULT 'paused')
 *		returns boolean
 *
 * Holds its deliveries until it is resumed: new ones are added, none is sent; what is
 * under way goes on. False when it was not active. Administrators. Errors: 42501;
 * 22004; 23514 reason not of 1 to 63 characters; PT404.
 */
Datum
platform_pause_webhook_subscription(PG_FUNCTION_ARGS)
{
	Datum		values[2];
	bool		paused;

	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, "subscription");
	platform_require_argument(fcinfo, 1, "reason");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	(void) platform_require_webhook_subscription(PG_GETARG_UUID_P(0));
	paused = platform_query_run(&pause_subscription, values, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(paused);
}

/*
 * platform.resume_webhook_subscription(subscription uuid) returns boolean
 *
 * Sends again, what was held first; forgets past failures. False when it was
 * active. Administrators. Errors: 42501; 22004; PT404; PT429 too many are active.
 */
Datum
platform_resume_webhook_subscription(PG_FUNCTION_ARGS)
{
	Datum		value;
	bool		resumed;

	platform_require_module(&platform_webhooks_module);
	platform_require_argument(fcinfo, 0, "subscription");
	value = PG_GETARG_DATUM(0);
	platform_query_begin();
	(void) platform_require_webhook_subscription(PG_GETARG_UUID_P(0));
	resumed = platform_query_run(&resume_subscription, &value, NULL) > 0;
	platform_query_end();
	PG_RETURN_BOOL(resumed);
}

/*
 * platform.check_webhook_url(url text) returns text
 *
 * Why webhooks cannot be sent to a url, as far as its text tells; NULL when they
 * can, and for NULL. The name's address is looked at when a request is sent.
 */
Datum
platform_check_webhook_url(PG_FUNCTION_ARGS)
{
	text	   *url = PG_GETARG_TEXT_PP(0);
	const char *reason = platform_url_reason(platform_url_check(VARDATA_ANY(url),
																VARSIZE_ANY_EXHDR(url)));

	if (reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(reason));
}
