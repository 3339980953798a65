/*
 * top_ups.c
 *	  What is bought beside the tier: each payment is credited once.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "usage/limits.h"

PG_FUNCTION_INFO_V1(platform_apply_top_up);

/* Of all that was bought and is not used. */
#define CREDIT_MAX INT64CONST(1000000000000)

static PlatformQuery find_payment =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT organization_id OPERATOR(pg_catalog.=) $3 AND user_id OPERATOR(pg_catalog.=) $4"
				   " AND package OPERATOR(pg_catalog.=) $5, call_seconds, sms_segments"
				   " FROM platform.usage_top_ups"
				   " WHERE provider OPERATOR(pg_catalog.=) $1 AND payment_id OPERATOR(pg_catalog.=) $2",
				   TEXTOID, TEXTOID, UUIDOID, UUIDOID, TEXTOID);

static PlatformQuery find_package =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
				   "SELECT 1 FROM platform.usage_top_up_packages"
				   " WHERE package OPERATOR(pg_catalog.=) $1 AND is_active",
				   TEXTOID);

static PlatformQuery insert_payment =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "INSERT INTO platform.usage_top_ups (organization_id, user_id, provider,"
				   " payment_id, package, call_seconds, sms_segments, price_cents, currency)"
				   " SELECT $3, $4, $1, $2, p.package, p.call_seconds, p.sms_segments,"
				   " p.price_cents, p.currency FROM platform.usage_top_up_packages AS p"
				   " WHERE p.package OPERATOR(pg_catalog.=) $5 AND p.is_active"
				   " ON CONFLICT (provider, payment_id) DO NOTHING"
				   " RETURNING call_seconds, sms_segments",
				   TEXTOID, TEXTOID, UUIDOID, UUIDOID, TEXTOID);

/* Amounts of calls and messages. */
typedef struct TopUp
{
	int64		amount[USAGE_KINDS];
} TopUp;

static void
read_amounts(int column, TopUp *top_up)
{
	top_up->amount[USAGE_CALL] = platform_row_int64(0, column);
	top_up->amount[USAGE_SMS] = platform_row_int64(0, column + 1);
}

/* Was it credited before? PT409 when it was for something else. */
static bool
find_first(const Datum *values, TopUp *top_up)
{
	if (platform_query_run(&find_payment, values, NULL) == 0)
		return false;
	if (!platform_row_bool(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_WRONG_STATE),
				 errmsg("payment was credited for another customer or package")));
	read_amounts(2, top_up);
	return true;
}

/* The payment's row; false: it was there before. */
static bool
insert_first(const pg_uuid_t *organization, const pg_uuid_t *user, text *package,
			 const Datum *values, TopUp *top_up)
{
	if (find_first(values, top_up))
		return false;
	if (platform_query_run(&find_package, &values[4], NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("top-up \"%s\" does not exist", text_to_cstring(package))));
	(void) platform_caps_create(organization, user, NULL, NULL);
	if (platform_query_run(&insert_payment, values, NULL) > 0)
	{
		read_amounts(1, top_up);
		return true;
	}
	if (!find_first(values, top_up))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not credit the payment because of a concurrent change")));
	return false;
}

static bool
credit_body(UsageChange *change, void *arg)
{
	const TopUp *top_up = arg;
	UsageLimits *limits = &change->limits;

	for (int kind = 0; kind < USAGE_KINDS; kind++)
	{
		limits->credit[kind] += top_up->amount[kind];
		if (limits->credit[kind] > CREDIT_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("credit out of range")));
	}
	return true;
}

/*
 * platform.apply_top_up(organization_id uuid, user_id uuid, package text, payment_id text,
 *		provider text DEFAULT 'stripe')
 *		RETURNS (duplicate boolean, call_seconds bigint, sms_segments bigint,
 *				 call_credit bigint, sms_credit bigint, limit_state text,
 *				 sms_limit_state text, remaining_seconds bigint, remaining_sms bigint)
 *
 * Credits a payment for a package of usage_top_up_packages, once: announced again
 * it credits nothing. What is bought stays until it is used, over periods and
 * without a plan; an operator's pause stays too. Operators. Errors: 42501; 22004;
 * 22023; PT404 no such package, organization or user; PT409 the payment was credited
 * to another customer or for another package; 22003; 25006.
 */
Datum
platform_apply_top_up(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_caps_uuid(fcinfo, 0, "organization_id");
	pg_uuid_t  *user = platform_caps_uuid(fcinfo, 1, "user_id");
	text	   *package = platform_required_text(fcinfo, 2, "package", 63);
	text	   *payment = platform_required_text(fcinfo, 3, "payment_id", 255);
	text	   *provider = platform_required_text(fcinfo, 4, "provider", 63);
	Datum		keys[5];
	TopUp		top_up;
	UsageChange change;
	bool		first;
	Datum		values[9];
	bool		nulls[9] = {false};

	platform_require_operator("apply a top-up");
	platform_require_module(&platform_caps_module);
	keys[0] = PointerGetDatum(provider);
	keys[1] = PointerGetDatum(payment);
	keys[2] = UUIDPGetDatum(organization);
	keys[3] = UUIDPGetDatum(user);
	keys[4] = PointerGetDatum(package);
	platform_query_begin();
	first = insert_first(organization, user, package, keys, &top_up);
	platform_query_end();

	platform_caps_open(&change);
	(void) platform_caps_change(&change, organization, user, false,
								first ? credit_body : platform_caps_nothing, &top_up);
	platform_caps_evaluate(&change.limits);
	platform_caps_close(&change);

	values[0] = BoolGetDatum(!first);
	values[1] = Int64GetDatum(top_up.amount[USAGE_CALL]);
	values[2] = Int64GetDatum(top_up.amount[USAGE_SMS]);
	values[3] = Int64GetDatum(change.limits.credit[USAGE_CALL]);
	values[4] = Int64GetDatum(change.limits.credit[USAGE_SMS]);
	values[5] = CStringGetTextDatum(platform_caps_state_name(change.limits.state[USAGE_CALL]));
	values[6] = CStringGetTextDatum(platform_caps_state_name(change.limits.state[USAGE_SMS]));
	values[7] = Int64GetDatum(platform_caps_remaining(&change.limits, USAGE_CALL));
	values[8] = Int64GetDatum(platform_caps_remaining(&change.limits, USAGE_SMS));
	PG_RETURN_DATUM(platform_return_row(fcinfo, values, nulls));
}
