/*
 * refund.c
 *	  Consumption taken back, by the key it was recorded under.
 *
 * A refund is an event of its own that reverses the first; nothing is changed
 * or deleted. Refunds of one event happen one after the other, under its row
 * lock, so that their sum never exceeds what was consumed.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/identity.h"
#include "features/usage.h"

PG_FUNCTION_INFO_V1(platform_refund_feature_usage);

static PlatformQuery find_original =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "SELECT id, consumed, overage, period_start, day::integer"
				   " FROM platform.feature_usage_events"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2"
				   " AND idempotency_key OPERATOR(pg_catalog.=) $3"
				   " AND kind OPERATOR(pg_catalog.=) ANY (ARRAY['consume', 'commit'])"
				   " FOR NO KEY UPDATE",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery find_refund =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT kind, amount, reverses FROM platform.feature_usage_events"
				   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
				   " AND feature OPERATOR(pg_catalog.=) $2"
				   " AND idempotency_key OPERATOR(pg_catalog.=) $3",
				   UUIDOID, TEXTOID, TEXTOID);

static PlatformQuery sum_refunds =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT pg_catalog.sum(consumed)::bigint, pg_catalog.sum(overage)::bigint"
				   " FROM platform.feature_usage_events"
				   " WHERE reverses OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   UUIDOID, UUIDOID);

/* The event that is taken back, and what is left of it. */
typedef struct Refundable
{
	pg_uuid_t	id;
	int64		left;
	int64		overage;
	TimestampTz period_start;
	int			day;
} Refundable;

/* Locks the event. */
static void
find_refundable(const pg_uuid_t *organization, text *feature, text *key, Refundable *original)
{
	Datum		values[3] = {
		UUIDPGetDatum(organization), PointerGetDatum(feature), PointerGetDatum(key)
	};

	platform_query_begin();
	if (platform_query_run(&find_original, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("no consumption with this idempotency key")));
	original->id = platform_row_uuid(0, 1);
	original->left = platform_row_int64(0, 2);
	original->overage = platform_row_int64(0, 3);
	original->period_start = platform_row_timestamptz_or(0, 4, 0);
	original->day = platform_row_int32(0, 5);
	platform_query_end();
}

/* Subtracts earlier refunds; the original is locked. */
static void
subtract_refunds(const pg_uuid_t *organization, Refundable *original)
{
	Datum		values[2] = {UUIDPGetDatum(&original->id), UUIDPGetDatum(organization)};

	platform_query_begin();
	platform_query_run(&sum_refunds, values, NULL);
	original->left += platform_row_int64_or(0, 1, 0);
	original->overage += platform_row_int64_or(0, 2, 0);
	platform_query_end();
}

/*
 * Was the refund with this key made before? amount 0 stands for "all". Sets
 * *refunded.
 */
static bool
refund_is_duplicate(const pg_uuid_t *organization, text *feature, text *refund_key,
					const Refundable *original, int64 amount, int64 *refunded)
{
	Datum		values[3] = {
		UUIDPGetDatum(organization), PointerGetDatum(feature), PointerGetDatum(refund_key)
	};
	bool		found;

	platform_query_begin();
	found = platform_query_run(&find_refund, values, NULL) > 0;
	if (found)
	{
		bool		isnull;
		Datum		reverses = platform_row_datum(0, 3, &isnull);

		if (strcmp(platform_row_cstring(0, 1), "refund") != 0 || isnull ||
			!platform_uuid_equal(DatumGetUUIDP(reverses), &original->id))
			platform_usage_key_conflict("It belongs to another event.");
		*refunded = platform_row_int64(0, 2);
		if (amount != 0 && amount != *refunded)
			platform_usage_key_conflict("The amount differs.");
	}
	platform_query_end();
	return found;
}

/* Records the refund and takes it off the counter. False: the key is taken. */
static bool
refund(const pg_uuid_t *organization, text *feature, text *refund_key, text *reason,
	   const Refundable *original, int64 amount)
{
	int64		overage = Min(amount, original->overage);
	CounterChange change = {.used = -amount, .overage = -overage, .day = original->day};
	UsageEvent	event = {
		.organization = organization,
		.feature = PointerGetDatum(feature),
		.kind = "refund",
		.key = refund_key,
		.amount = amount,
		.consumed = -amount,
		.overage = -overage,
		.period_start = original->period_start,
		.day = original->day,
		.occurred_at = GetCurrentTransactionStartTimestamp(),
		.reverses = &original->id,
		.reason = reason ? text_to_cstring(reason) : NULL,
	};

	if (!platform_usage_record(&event))
		return false;
	platform_counter_adjust(organization, event.feature, original->period_start, &change);
	return true;
}

/*
 * platform.refund_feature_usage(organization_id uuid, feature text, idempotency_key text,
 *								 amount bigint DEFAULT NULL, refund_key text DEFAULT NULL,
 *								 reason text DEFAULT NULL)
 *		RETURNS (refunded bigint, refundable bigint, duplicate boolean)
 *
 * Takes back what consume_feature() or commit_feature() counted under the key,
 * or amount of it, in the window where it was counted; NULL: all that is left,
 * which may be 0. refundable is what remains. With refund_key a repeated call
 * changes nothing and has duplicate = true. Operators. Errors: 42501; PT404 no
 * such consumption; PT422 amount exceeds what is left; PT409 refund_key was
 * used for something else; 22023 bad argument.
 */
Datum
platform_refund_feature_usage(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_usage_organization(fcinfo, 0);
	text	   *feature = platform_usage_feature(fcinfo, 1);
	text	   *key = platform_usage_key(fcinfo, 2);
	int64		amount = PG_ARGISNULL(3) ? 0 : platform_usage_amount(fcinfo, 3);
	text	   *refund_key = platform_usage_key(fcinfo, 4);
	text	   *reason = PG_ARGISNULL(5) ? NULL : PG_GETARG_TEXT_PP(5);
	Refundable	original;
	bool		duplicate;
	int64		refunded;
	Datum		values[3];
	bool		nulls[3] = {false};

	platform_require_module(&platform_features_module);
	platform_require_operator("refund feature usage");
	platform_usage_not_null(fcinfo, 2, "idempotency_key");

	for (;;)
	{
		find_refundable(organization, feature, key, &original);
		subtract_refunds(organization, &original);
		refunded = 0;
		duplicate = refund_key != NULL &&
			refund_is_duplicate(organization, feature, refund_key, &original, amount, &refunded);
		if (duplicate)
			break;

		refunded = amount == 0 ? original.left : amount;
		if (refunded > original.left)
			ereport(ERROR,
					(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
					 errmsg("amount exceeds what is left to refund"),
					 errdetail("Left are " INT64_FORMAT ".", original.left)));
		if (refunded == 0)
			break;
		if (refund(organization, feature, refund_key, reason, &original, refunded))
		{
			original.left -= refunded;
			break;
		}
	}

	values[0] = Int64GetDatum(refunded);
	values[1] = Int64GetDatum(original.left);
	values[2] = BoolGetDatum(duplicate);
	PG_RETURN_DATUM(platform_usage_return(fcinfo, values, nulls));
}
