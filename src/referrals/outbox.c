/*
 * outbox.c
 *	  What referred customers do: attribute_referral(), record_referral_payment(),
 *	  record_referral_refund(), record_referral_cancellation().
 *
 * Each writes one row of referral_outbox, in the customer's own tenant, and waits
 * for nobody but who records the same: a payment neither fails nor is late because
 * something is going on with the referrer's money. What follows for the referrer
 * is done by apply_referral_events().
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "core/row.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_attribute_referral);
PG_FUNCTION_INFO_V1(platform_record_referral_payment);
PG_FUNCTION_INFO_V1(platform_record_referral_refund);
PG_FUNCTION_INFO_V1(platform_record_referral_cancellation);

#define AMOUNT_MOST INT64CONST(1000000000000)

#define KEY_MOST	255

static Datum
uuid_text(Datum uuid)
{
	return CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(uuid_out, uuid)));
}

/* The moment of an argument; NULL: now. */
static Datum
moment(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? TimestampTzGetDatum(GetCurrentTimestamp()) :
		PG_GETARG_DATUM(argument);
}

static void
require_recorder(FunctionCallInfo fcinfo, const char *action)
{
	platform_require_module(&platform_referrals_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_operator(action);
	platform_require_argument(fcinfo, 1, "user_id");
}

/* The referral that the user is known to have come with; false when with none. */
static bool
find_signup(Datum user, Datum *referral)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT referral_id FROM platform.referral_outbox"
					   " WHERE kind OPERATOR(pg_catalog.=) 'signup' AND event_key OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	bool		isnull;

	if (platform_query_run(&find, &user, NULL) == 0)
		return false;
	*referral = platform_row_datum_copy(0, 1, &isnull);
	return true;
}

/* Tells the customer's own profile who brought him. */
static void
mark_profile(const Datum *signup)
{
	static PlatformQuery mark =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.profiles SET referred_by_code = $3, referred_by_user_id = $4,"
					   " signup_ip = COALESCE(signup_ip, $5)"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND user_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, UUIDOID, INETOID);
	bool		nulls[5] = {false, false, false, false, DatumGetPointer(signup[4]) == NULL};

	platform_query_run(&mark, signup, nulls);
}

/* Writes the attribution, once; true when this call did. */
static bool
insert_signup(FunctionCallInfo fcinfo, const ReferralCode *code, Datum user)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "INSERT INTO platform.referral_outbox (organization_id, user_id, kind, event_key,"
					   " referral_id, referral_code, signup_ip, occurred_at)"
					   " VALUES ($1, $2, 'signup', $3, platform.uuid7(), $4, $5, $6)"
					   " ON CONFLICT (kind, event_key) DO NOTHING",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, INETOID, TIMESTAMPTZOID);
	Datum		ip = PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3);
	Datum		values[6] = {
		PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), user, CStringGetTextDatum(code->code), ip, moment(fcinfo, 4)
	};
	Datum		signup[5] = {values[0], values[1], values[3], UUIDPGetDatum(&code->user), ip};
	bool		nulls[6] = {false, false, false, false, PG_ARGISNULL(3), false};

	if (!platform_insert_once(&insert, values, nulls))
		return false;
	mark_profile(signup);
	return true;
}

/*
 * platform.attribute_referral(organization_id uuid, user_id uuid, code text,
 *							   ip inet DEFAULT NULL, signup_at timestamptz DEFAULT NULL)
 *		RETURNS (referral_id uuid, attributed boolean, reason text)
 *
 * That user, new in that organization, came with that code, once for all: the first
 * code counts. attributed is true when this call did it; reason tells why not:
 * PROGRAM_OFF, NOT_FOUND, INACTIVE, SELF, ALREADY_REFERRED (then with the referral's
 * id). signup_at NULL: now. Operators. Errors: 22004; 42501; 23503 no such user
 * or organization; 23514 signup_at; 25006.
 */
Datum
platform_attribute_referral(PG_FUNCTION_ARGS)
{
	Datum		result[3];
	bool		nulls[3] = {true, false, false};
	const char *reason;
	ReferralCode code;
	Datum		user;
	bool		attributed = false;

	require_recorder(fcinfo, "attribute a referral");
	user = uuid_text(PG_GETARG_DATUM(1));
	platform_query_begin();
	if (find_signup(user, &result[0]))
		reason = "ALREADY_REFERRED";
	else
		reason = platform_referral_find_code(PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2), &code);
	if (reason == NULL && platform_uuid_equal(&code.user, PG_GETARG_UUID_P(1)))
		reason = "SELF";
	if (reason == NULL)
	{
		attributed = insert_signup(fcinfo, &code, user);
		reason = attributed ? NULL : "ALREADY_REFERRED";
	}
	nulls[0] = !find_signup(user, &result[0]);
	platform_query_end();
	result[1] = BoolGetDatum(attributed);
	result[2] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
	nulls[2] = reason == NULL;
	PG_RETURN_DATUM(platform_return_row(fcinfo, result, nulls));
}

/* What is recorded: amount is that of a payment, subscription may be NULL. */
typedef struct ReferralRecord
{
	const char *kind;
	Datum		key;
	bool		has_amount;
	int64		amount;
	const text *subscription;
	Datum		at;
} ReferralRecord;

/* The row with that key; PT409 when it is another customer's, or of another amount. */
static Datum
find_record(FunctionCallInfo fcinfo, const ReferralRecord *record)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT id, user_id OPERATOR(pg_catalog.=) $3"
					   " AND organization_id OPERATOR(pg_catalog.=) $4, COALESCE(amount_cents, 0)"
					   " FROM platform.referral_outbox"
					   " WHERE kind OPERATOR(pg_catalog.=) $1 AND event_key OPERATOR(pg_catalog.=) $2",
					   TEXTOID, TEXTOID, UUIDOID, UUIDOID);
	Datum		values[4] = {
		CStringGetTextDatum(record->kind), record->key, PG_GETARG_DATUM(1), PG_GETARG_DATUM(0)
	};
	bool		isnull;

	if (platform_query_run(&find, values, NULL) == 0)
		elog(ERROR, "row of referral_outbox is gone");
	if (!platform_row_bool(0, 2))
		platform_wrong_state("it is recorded for another customer");
	if (record->has_amount && platform_row_int64(0, 3) != record->amount)
		platform_wrong_state("it is recorded with another amount");
	return platform_row_datum_copy(0, 1, &isnull);
}

/* Records it, once, of a customer who came with a code. */
static Datum
record_once(FunctionCallInfo fcinfo, const ReferralRecord *record)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "INSERT INTO platform.referral_outbox (organization_id, user_id, kind, event_key,"
					   " amount_cents, stripe_subscription_id, occurred_at, program_active)"
					   " SELECT $1, $2, $3, $4, $5, $6, $7, s.is_active FROM platform.referral_settings s"
					   " ON CONFLICT (kind, event_key) DO NOTHING",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID);
	Datum		values[7] = {
		PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), CStringGetTextDatum(record->kind), record->key,
		Int64GetDatum(record->amount), PointerGetDatum(record->subscription), record->at
	};
	bool		nulls[7] = {false, false, false, false, !record->has_amount, record->subscription == NULL, false};
	Datum		result[3] = {0};
	bool		result_nulls[3] = {false, false, false};
	const char *reason = NULL;
	Datum		referral;

	platform_query_begin();
	if (!find_signup(uuid_text(values[1]), &referral))
	{
		reason = "NOT_REFERRED";
		result_nulls[0] = true;
	}
	else
	{
		if (!platform_insert_once(&insert, values, nulls))
			reason = "DUPLICATE";
		result[0] = find_record(fcinfo, record);
	}
	platform_query_end();
	result[1] = BoolGetDatum(reason == NULL);
	result[2] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
	result_nulls[2] = reason == NULL;
	PG_RETURN_DATUM(platform_return_row(fcinfo, result, result_nulls));
}

/*
 * platform.record_referral_payment(organization_id uuid, user_id uuid, invoice_id text,
 *									amount_cents bigint, paid_at timestamptz DEFAULT NULL,
 *									subscription_id text DEFAULT NULL)
 *		RETURNS (event_id uuid, recorded boolean, reason text)
 *
 * The customer paid an invoice: recorded once by its id. reason tells why not:
 * DUPLICATE, NOT_REFERRED (the customer came with no code). paid_at NULL: now. Operators.
 * Errors: 22004; 22023; 42501; PT409 that invoice is another customer's or of another
 * amount; PT422 amount below zero or beyond 10^12 cents; 23514 paid_at; 25006.
 */
Datum
platform_record_referral_payment(PG_FUNCTION_ARGS)
{
	ReferralRecord record = {.kind = "payment",.has_amount = true};

	require_recorder(fcinfo, "record a payment");
	record.key = PointerGetDatum(platform_required_text(fcinfo, 2, "invoice_id", KEY_MOST));
	platform_require_argument(fcinfo, 3, "amount_cents");
	record.amount = PG_GETARG_INT64(3);
	if (record.amount < 0 || record.amount > AMOUNT_MOST)
		platform_rule_violation(psprintf("amount_cents must be between 0 and " INT64_FORMAT, AMOUNT_MOST));
	record.at = moment(fcinfo, 4);
	record.subscription = platform_optional_text(fcinfo, 5, "subscription_id", KEY_MOST);
	return record_once(fcinfo, &record);
}

/*
 * platform.record_referral_refund(organization_id uuid, user_id uuid, invoice_id text,
 *								   kind text DEFAULT 'refund', refunded_at timestamptz DEFAULT NULL)
 *		RETURNS (event_id uuid, recorded boolean, reason text)
 *
 * The customer got the money of an invoice back, or disputes it (kind dispute): all that
 * he brought is clawed back. Recorded once by kind and invoice; reasons as of a
 * payment. Operators. Errors: 22004; 22023 kind; 42501; PT409; 23514; 25006.
 */
Datum
platform_record_referral_refund(PG_FUNCTION_ARGS)
{
	ReferralRecord record = {0};

	require_recorder(fcinfo, "record a refund");
	record.key = PointerGetDatum(platform_required_text(fcinfo, 2, "invoice_id", KEY_MOST));
	platform_require_argument(fcinfo, 3, "kind");
	record.kind = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (strcmp(record.kind, "refund") != 0 && strcmp(record.kind, "dispute") != 0)
		platform_bad_argument("kind must be refund or dispute");
	record.at = moment(fcinfo, 4);
	return record_once(fcinfo, &record);
}

/*
 * platform.record_referral_cancellation(organization_id uuid, user_id uuid,
 *										 subscription_id text DEFAULT NULL,
 *										 cancelled_at timestamptz DEFAULT NULL)
 *		RETURNS (event_id uuid, recorded boolean, reason text)
 *
 * The customer left: what is not paid yet is clawed back. Recorded once by the
 * subscription, without one by the user; reasons as of a payment. Operators.
 * Errors: 22004; 22023; 42501; PT409; 23514; 25006.
 */
Datum
platform_record_referral_cancellation(PG_FUNCTION_ARGS)
{
	ReferralRecord record = {.kind = "cancellation"};

	require_recorder(fcinfo, "record a cancellation");
	record.subscription = platform_optional_text(fcinfo, 2, "subscription_id", KEY_MOST);
	record.key = record.subscription != NULL ? PointerGetDatum(record.subscription) :
		uuid_text(PG_GETARG_DATUM(1));
	record.at = moment(fcinfo, 3);
	return record_once(fcinfo, &record);
}
