/*
 * referrals.c
 *	  What the functions of this module share: arguments, refusals, settings, one
 *	  referral with its referrer locked, and the events about it.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/event.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/row.h"
#include "referrals/referrals.h"

PlatformModule platform_referrals_module = {"referrals", 630, 0};

void
platform_referral_require_staff(FunctionCallInfo fcinfo, const char *action)
{
	platform_require_module(&platform_referrals_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	if (!platform_is_platform_staff())
		platform_require_operator(action);
}

void
platform_referral_require_other(const pg_uuid_t *user)
{
	const pg_uuid_t *self = platform_current_user();

	if (self != NULL && platform_uuid_equal(self, user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to decide about one's own referrals")));
}

pg_uuid_t
platform_referral_user_argument(FunctionCallInfo fcinfo, int argument)
{
	const pg_uuid_t *self = platform_current_user();
	pg_uuid_t	user;

	if (PG_ARGISNULL(argument) && self == NULL)
		platform_require_argument(fcinfo, argument, "user_id");
	user = PG_ARGISNULL(argument) ? *self : *PG_GETARG_UUID_P(argument);
	if (!platform_is_operator() && (self == NULL || !platform_uuid_equal(self, &user)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for another user's referrals")));
	return user;
}

void
platform_referral_read_settings(ReferralSettings *settings)
{
	static PlatformQuery read =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT is_active, upfront_amount_cents, monthly_percent, max_months, hold_days,"
					   " extended_hold_days, min_payout_cents, auto_approve_under_cents,"
					   " fraud_auto_approve_max, fraud_extended_hold_min, fraud_manual_review_min,"
					   " fraud_auto_reject_min, fraud_quick_cancel_days FROM platform.referral_settings");

	if (platform_query_run(&read, NULL, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"referral_settings\" has no row"),
				 errhint("INSERT INTO platform.referral_settings DEFAULT VALUES.")));
	settings->is_active = platform_row_bool(0, 1);
	settings->upfront_amount_cents = platform_row_int64(0, 2);
	settings->monthly_percent = platform_row_int32(0, 3);
	settings->max_months = platform_row_int32(0, 4);
	settings->hold_days = platform_row_int32(0, 5);
	settings->extended_hold_days = platform_row_int32(0, 6);
	settings->min_payout_cents = platform_row_int64(0, 7);
	settings->auto_approve_under_cents = platform_row_int64(0, 8);
	settings->fraud_auto_approve_max = platform_row_int32(0, 9);
	settings->fraud_extended_hold_min = platform_row_int32(0, 10);
	settings->fraud_manual_review_min = platform_row_int32(0, 11);
	settings->fraud_auto_reject_min = platform_row_int32(0, 12);
	settings->fraud_quick_cancel_days = platform_row_int32(0, 13);
}

static void
lock_name(const char *what, const pg_uuid_t *user)
{
	struct
	{
		char		what[24];
		pg_uuid_t	user;
	}			name;

	memset(&name, 0, sizeof(name));
	strlcpy(name.what, what, sizeof(name.what));
	if (user != NULL)
		name.user = *user;
	platform_mutex_lock(hash_bytes_extended((unsigned char *) &name, sizeof(name), 0));
}

void
platform_referral_lock_worker(void)
{
	lock_name("referrals worker", NULL);
}

void
platform_referral_lock_user(const pg_uuid_t *user)
{
	lock_name("referrals of", user);
}

void
platform_referral_read(Referral *referral)
{
	static PlatformQuery read =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT referrer_id, referred_id, status, signup_at, first_payment_at, eligible_at,"
					   " months_paid, fraud_score, fraud_reviewed, needs_review FROM platform.referrals"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id)};

	if (platform_query_run(&read, values, NULL) == 0)
		platform_no_such("referral");
	referral->referrer = platform_row_uuid(0, 1);
	referral->referred = platform_row_uuid(0, 2);
	referral->status = platform_row_cstring(0, 3);
	referral->signup_at = platform_row_timestamptz_or(0, 4, REFERRAL_NEVER);
	referral->first_payment_at = platform_row_timestamptz_or(0, 5, REFERRAL_NEVER);
	referral->eligible_at = platform_row_timestamptz_or(0, 6, REFERRAL_NEVER);
	referral->months_paid = platform_row_int32(0, 7);
	referral->fraud_score = platform_row_int32(0, 8);
	referral->fraud_reviewed = platform_row_bool(0, 9);
	referral->needs_review = platform_row_bool(0, 10);
}

bool
platform_referral_find(const pg_uuid_t *organization, const pg_uuid_t *id, Referral *referral)
{
	/* whose it is never changes */
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT referrer_id FROM platform.referrals"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(organization), UUIDPGetDatum(id)};
	pg_uuid_t	referrer;

	if (platform_query_run(&find, values, NULL) == 0)
		return false;
	referrer = platform_row_uuid(0, 1);
	platform_referral_lock_user(&referrer);
	referral->organization = *organization;
	referral->id = *id;
	platform_referral_read(referral);
	return true;
}

void
platform_referral_get(FunctionCallInfo fcinfo, int argument, Referral *referral)
{
	platform_require_argument(fcinfo, argument, "referral_id");
	if (!platform_referral_find(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(argument), referral))
		platform_no_such("referral");
}

Datum
platform_referral_get_commission(FunctionCallInfo fcinfo, int argument, Referral *referral)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT referral_id FROM platform.referral_commissions"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	pg_uuid_t	id;

	platform_require_argument(fcinfo, argument, "commission_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(argument);
	if (platform_query_run(&find, values, NULL) == 0)
		platform_no_such("commission");
	id = platform_row_uuid(0, 1);
	if (!platform_referral_find(PG_GETARG_UUID_P(0), &id, referral))
		platform_no_such("commission");
	return values[1];
}

bool
platform_referral_is(const Referral *referral, const char *status)
{
	return strcmp(referral->status, status) == 0;
}

bool
platform_referral_is_open(const Referral *referral)
{
	return platform_referral_is(referral, "pending") || platform_referral_is(referral, "eligible") ||
		platform_referral_is(referral, "paid");
}

void
platform_referral_emit(const Referral *referral, const char *type, int64 amount,
					   const char *reason)
{
	static PlatformQuery describe =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('referral_id', $1,"
					   " 'referrer_id', $2, 'status', $3, 'amount_cents', $4, 'reason', $5))",
					   UUIDOID, UUIDOID, TEXTOID, INT8OID, TEXTOID);
	PlatformEvent event = {.organization = &referral->organization,.type = type};
	Datum		values[5];
	bool		nulls[5] = {false};
	bool		isnull;

	if (!platform_event_is_installed())
		return;
	values[0] = UUIDPGetDatum(&referral->id);
	values[1] = UUIDPGetDatum(&referral->referrer);
	values[2] = CStringGetTextDatum(referral->status);
	values[3] = Int64GetDatum(amount);
	nulls[3] = amount == 0;
	values[4] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
	nulls[4] = reason == NULL;
	platform_query_run(&describe, values, nulls);
	event.payload = DatumGetJsonbP(platform_row_datum_copy(0, 1, &isnull));
	platform_event_emit(&event, NULL);
}
