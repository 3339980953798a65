/*
 * lists.c
 *	  What users see of their own, and the platform's staff of all:
 *	  list_referral_codes(), list_referrals(), list_referral_commissions(),
 *	  list_payout_requests().
 *
 * They read as the owner, for the user that the caller may ask about. Policies
 * that let staff see the tables too would keep everybody's queries from the indexes.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_list_referral_codes);
PG_FUNCTION_INFO_V1(platform_list_referrals);
PG_FUNCTION_INFO_V1(platform_list_referral_commissions);
PG_FUNCTION_INFO_V1(platform_list_payout_requests);

#define IS	" OPERATOR(pg_catalog.=) "
#define ARGUMENTS_MOST	4

/* $1 the organization, $2 the user: NULL, all. */
#define ASKED_FOR(t, user) \
	" WHERE ($1 IS NULL OR " t ".organization_id" IS "$1) AND ($2 IS NULL OR " t "." user IS "$2)"

/*
 * Arguments: the organization, the user, count - 3 more, the number of rows. NULL is
 * all, for others than staff their own; 42501 when they ask about somebody else, or are nobody.
 */
static Datum
return_list(FunctionCallInfo fcinfo, PlatformQuery *query, int count)
{
	const pg_uuid_t *self = platform_current_user();
	Datum		values[ARGUMENTS_MOST];
	bool		nulls[ARGUMENTS_MOST];

	platform_require_module(&platform_referrals_module);
	platform_copy_arguments(fcinfo, 0, count, values, nulls);
	if (!platform_is_platform_staff())
	{
		if (self == NULL || (!nulls[1] && !platform_uuid_equal(self, PG_GETARG_UUID_P(1))))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for another user's referrals")));
		values[1] = UUIDPGetDatum(self);
		nulls[1] = false;
	}
	return platform_query_return_rows(fcinfo, query, values, nulls);
}

/*
 * platform.list_referral_codes(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL,
 *								max_rows integer DEFAULT 100)
 *		RETURNS TABLE (organization_id uuid, user_id uuid, code text, is_active boolean,
 *					   referrals bigint, created_at timestamptz)
 *
 * Codes with how many came by them, the newest first; NULL: all, no limit. Users their
 * own, staff all. Errors: 42501; 2201W max_rows below zero.
 */
Datum
platform_list_referral_codes(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT c.organization_id, c.user_id, CAST(c.code AS pg_catalog.text), c.is_active,"
					   " (SELECT pg_catalog.count(*) FROM platform.referrals r"
					   " WHERE r.referrer_id" IS "c.user_id), c.created_at"
					   " FROM platform.referral_codes c" ASKED_FOR("c", "user_id")
					   " ORDER BY c.created_at DESC, c.id DESC LIMIT $3",
					   UUIDOID, UUIDOID, INT4OID);

	return return_list(fcinfo, &list, 3);
}

/*
 * platform.list_referrals(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL,
 *						   for_status text DEFAULT NULL, max_rows integer DEFAULT 100)
 *		RETURNS TABLE (referral_id uuid, organization_id uuid, referrer_id uuid, referred_id uuid,
 *					   status text, signup_at timestamptz, first_payment_at timestamptz,
 *					   eligible_at timestamptz, months_paid integer, total_commission_cents bigint,
 *					   needs_review boolean)
 *
 * Referrals by their referrer, the newest first; NULL: all, no limit. Users their own,
 * staff all. Errors: 42501; 2201W.
 */
Datum
platform_list_referrals(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT r.id, r.organization_id, r.referrer_id, r.referred_id, r.status, r.signup_at,"
					   " r.first_payment_at, r.eligible_at, r.months_paid, r.total_commission_cents,"
					   " r.needs_review FROM platform.referrals r" ASKED_FOR("r", "referrer_id")
					   " AND ($3 IS NULL OR r.status" IS "$3)"
					   " ORDER BY r.signup_at DESC, r.id DESC LIMIT $4",
					   UUIDOID, UUIDOID, TEXTOID, INT4OID);

	return return_list(fcinfo, &list, 4);
}

/*
 * platform.list_referral_commissions(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL,
 *									  for_status text DEFAULT NULL, max_rows integer DEFAULT 100)
 *		RETURNS TABLE (commission_id uuid, organization_id uuid, referral_id uuid, referrer_id uuid,
 *					   commission_type text, month_number integer, amount_cents bigint, status text,
 *					   payout_id uuid, created_at timestamptz, approved_at timestamptz,
 *					   paid_at timestamptz, clawed_back_at timestamptz)
 *
 * Commissions and debts in cents, the newest first; NULL: all, no limit. Users their
 * own, staff all. Errors: 42501; 2201W.
 */
Datum
platform_list_referral_commissions(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT c.id, c.organization_id, c.referral_id, c.referrer_id, c.commission_type,"
					   " c.month_number, c.amount_cents, c.status, c.payout_id, c.created_at, c.approved_at,"
					   " c.paid_at, c.clawed_back_at FROM platform.referral_commissions c"
					   ASKED_FOR("c", "referrer_id") " AND ($3 IS NULL OR c.status" IS "$3)"
					   " ORDER BY c.created_at DESC, c.id DESC LIMIT $4",
					   UUIDOID, UUIDOID, TEXTOID, INT4OID);

	return return_list(fcinfo, &list, 4);
}

/*
 * platform.list_payout_requests(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL,
 *								 for_status text DEFAULT NULL, max_rows integer DEFAULT 100)
 *		RETURNS TABLE (payout_id uuid, organization_id uuid, user_id uuid, amount_cents bigint,
 *					   status text, payment_method text, payment_email text, payment_reference text,
 *					   commissions bigint, rejection_reason text, created_at timestamptz,
 *					   approved_at timestamptz, paid_at timestamptz)
 *
 * Payouts in cents with how many commissions and debts they have, the newest first;
 * NULL: all, no limit. Users their own, staff all. Errors: 42501; 2201W.
 */
Datum
platform_list_payout_requests(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
					   "SELECT p.id, p.organization_id, p.user_id, p.amount_cents, p.status, p.payment_method,"
					   " p.payment_email, p.payment_reference,"
					   " (SELECT pg_catalog.count(*) FROM platform.referral_commissions c"
					   " WHERE c.payout_id" IS "p.id AND c.organization_id" IS "p.organization_id),"
					   " p.rejection_reason, p.created_at, p.approved_at, p.paid_at"
					   " FROM platform.payout_requests p" ASKED_FOR("p", "user_id")
					   " AND ($3 IS NULL OR p.status" IS "$3)"
					   " ORDER BY p.created_at DESC, p.id DESC LIMIT $4",
					   UUIDOID, UUIDOID, TEXTOID, INT4OID);

	return return_list(fcinfo, &list, 4);
}
