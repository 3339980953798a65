/*
 * deals.c
 *	  Deals and commissions: record_deal(), complete_deal(), void_deal(),
 *	  pay_commission().
 *
 * What two may try at once is decided by the row: each step is one UPDATE that
 * names the state it starts from, and whoever comes second finds it changed. Deals
 * are locked before their commissions.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "crm/crm.h"

PG_FUNCTION_INFO_V1(platform_record_deal);
PG_FUNCTION_INFO_V1(platform_complete_deal);
PG_FUNCTION_INFO_V1(platform_void_deal);
PG_FUNCTION_INFO_V1(platform_pay_commission);

#define WHOLE	10000			/* basis points */

/* The rate's part of an amount, half up, without leaving 64 bits. */
static int64
commission_of(int64 amount, int rate)
{
	return amount / WHOLE * rate + (amount % WHOLE * rate + WHOLE / 2) / WHOLE;
}

/*
 * platform.record_deal(organization_id uuid, amount_minor bigint, seller_id uuid DEFAULT NULL,
 *						lead_id uuid DEFAULT NULL, stripe_session_id text DEFAULT NULL,
 *						referrer_id uuid DEFAULT NULL, currency text DEFAULT 'usd',
 *						rate_basis_points integer DEFAULT 1000)
 *		RETURNS (deal_id uuid, commission_id uuid, created boolean)
 *
 * A sale that is not paid yet, with the seller's commission, which is locked until it is.
 * The same stripe_session_id once more returns what it made. Amounts are in the
 * currency's minor unit, the rate in hundredths of a percent, 0 to 10000; the
 * commission is rounded half up. Administrators of the organization. Errors: 22004; 22023;
 * 42501; PT409 that session is another deal's; PT422 below zero; 23503 no such seller,
 * lead or referrer; 23514 currency; 25006.
 */
Datum
platform_record_deal(PG_FUNCTION_ARGS)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.deals (organization_id, amount_minor, seller_id, lead_id,"
					   " stripe_session_id, referrer_id, currency) VALUES ($1, $2, $3, $4, $5, $6, $7)"
					   " ON CONFLICT (stripe_session_id) DO NOTHING RETURNING id",
					   UUIDOID, INT8OID, UUIDOID, UUIDOID, TEXTOID, UUIDOID, TEXTOID);
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT d.id, c.id FROM platform.deals d LEFT JOIN platform.commissions c"
					   " ON c.deal_id OPERATOR(pg_catalog.=) d.id"
					   " AND c.organization_id OPERATOR(pg_catalog.=) d.organization_id"
					   " AND c.seller_id OPERATOR(pg_catalog.=) d.seller_id"
					   " WHERE d.stripe_session_id OPERATOR(pg_catalog.=) $5"
					   " AND d.organization_id OPERATOR(pg_catalog.=) $1"
					   " AND d.amount_minor OPERATOR(pg_catalog.=) $2 AND d.currency OPERATOR(pg_catalog.=) $7"
					   " AND (d.seller_id OPERATOR(pg_catalog.=) $3 OR d.seller_id IS NULL AND $3 IS NULL)",
					   UUIDOID, INT8OID, UUIDOID, UUIDOID, TEXTOID, UUIDOID, TEXTOID);
	static PlatformQuery commission =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.commissions (organization_id, seller_id, deal_id,"
					   " deal_amount_minor, rate_basis_points, commission_minor, currency)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
					   UUIDOID, UUIDOID, UUIDOID, INT8OID, INT4OID, INT8OID, TEXTOID);
	Datum		values[8];
	bool		nulls[8];
	Datum		result[3];
	bool		result_nulls[3] = {false, true, false};
	bool		isnull;
	bool		created;

	(void) platform_crm_organization(fcinfo, 0);
	if (!platform_is_organization_admin())
		platform_require_operator("record a deal");
	platform_require_argument(fcinfo, 1, "amount_minor");
	(void) platform_optional_text(fcinfo, 4, "stripe_session_id", 255);
	platform_require_argument(fcinfo, 6, "currency");
	platform_require_argument(fcinfo, 7, "rate_basis_points");
	if (PG_GETARG_INT64(1) < 0)
		platform_rule_violation("amount_minor must not be below zero");
	if (PG_GETARG_INT32(7) < 0 || PG_GETARG_INT32(7) > WHOLE)
		platform_bad_argument("rate_basis_points must be between 0 and 10000");
	platform_copy_arguments(fcinfo, 0, 8, values, nulls);

	platform_query_begin();
	created = platform_query_run(&insert, values, nulls) > 0;
	if (created)
	{
		result[0] = platform_row_datum_copy(0, 1, &isnull);
		if (!nulls[2])
		{
			Datum		row[7] = {values[0], values[2], result[0], values[1], values[7],
			Int64GetDatum(commission_of(PG_GETARG_INT64(1), PG_GETARG_INT32(7))), values[6]};

			platform_query_run(&commission, row, NULL);
			result[1] = platform_row_datum_copy(0, 1, &result_nulls[1]);
		}
	}
	else
	{
		if (platform_query_run(&find, values, nulls) == 0)
			platform_wrong_state("the session is another deal's");
		result[0] = platform_row_datum_copy(0, 1, &isnull);
		result[1] = platform_row_datum_copy(0, 2, &result_nulls[1]);
	}
	platform_query_end();
	result[2] = BoolGetDatum(created);
	return platform_return_row(fcinfo, result, result_nulls);
}

/* The deal's status, locked against changes; PT404. */
static char *
lock_deal(const Datum *values)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT status FROM platform.deals WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
					   UUIDOID, UUIDOID);

	if (platform_query_run(&lock, values, NULL) == 0)
		platform_no_such("deal");
	return platform_row_cstring(0, 1);
}

/*
 * platform.complete_deal(organization_id uuid, deal_id uuid) RETURNS boolean
 *
 * The checkout is completed: the deal is paid, and its commissions become payable. True when
 * this call did it, false when it was done. Operators. Errors: 22004; 42501; PT404
 * no such deal; PT409 it is canceled or refunded; 25006.
 */
Datum
platform_complete_deal(PG_FUNCTION_ARGS)
{
	static PlatformQuery complete =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.deals SET status = 'paid' WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	static PlatformQuery unlock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.commissions SET status = 'payable'"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND deal_id OPERATOR(pg_catalog.=) $2"
					   " AND status OPERATOR(pg_catalog.=) 'pending_locked'",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	bool		completed;

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_operator("complete a deal");
	platform_require_argument(fcinfo, 1, "deal_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	completed = strcmp(lock_deal(values), "paid") != 0;
	if (completed)
	{
		platform_query_run(&complete, values, NULL);
		platform_query_run(&unlock, values, NULL);
	}
	platform_query_end();
	PG_RETURN_BOOL(completed);
}

/*
 * platform.void_deal(organization_id uuid, deal_id uuid) RETURNS text
 *
 * The deal comes to nothing: one that was pending is canceled, a paid one is
 * refunded, and its commissions that are not paid are void. One that is paid stays, and the alert
 * commission_paid_for_refunded_deal is raised. Returns the deal's status; once more
 * changes nothing. Operators. Errors: 22004; 42501; PT404 no such deal; 25006.
 */
Datum
platform_void_deal(PG_FUNCTION_ARGS)
{
	static PlatformQuery close =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.deals SET status = CASE WHEN status OPERATOR(pg_catalog.=) 'pending' THEN 'canceled'"
					   " ELSE 'refunded' END WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 RETURNING status",
					   UUIDOID, UUIDOID);
	static PlatformQuery undo =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.commissions SET status = 'void'"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND deal_id OPERATOR(pg_catalog.=) $2"
					   " AND status OPERATOR(pg_catalog.=) ANY (ARRAY['pending_locked', 'payable'])",
					   UUIDOID, UUIDOID);
	static PlatformQuery paid =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.commissions WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND deal_id OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'paid'",
					   UUIDOID, UUIDOID);
	pg_uuid_t  *organization = platform_crm_organization(fcinfo, 0);
	Datum		values[2];
	char	   *status;
	bool		alert = false;

	platform_require_operator("void a deal");
	platform_require_argument(fcinfo, 1, "deal_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	platform_query_begin();
	status = lock_deal(values);
	if (strcmp(status, "pending") == 0 || strcmp(status, "paid") == 0)
	{
		platform_query_run(&close, values, NULL);
		status = platform_row_cstring(0, 1);
		platform_query_run(&undo, values, NULL);
		alert = platform_query_run(&paid, values, NULL) > 0;
	}
	platform_query_end();
	if (alert)
	{
		PlatformAlert refunded = {
			.type = "commission_paid_for_refunded_deal",
			.organization = organization,
			.title = "A deal was refunded whose commission is paid",
			.dedup_key = DatumGetCString(DirectFunctionCall1(uuid_out, values[1])),
			.source = "crm",
		};

		platform_alert_raise(&refunded, NULL);
	}
	PG_RETURN_TEXT_P(cstring_to_text(status));
}

/*
 * platform.pay_commission(organization_id uuid, commission_id uuid,
 *						   amount_minor bigint DEFAULT NULL, payout_reference text DEFAULT NULL)
 *		RETURNS bigint
 *
 * Approves a payable commission as paid, once; returns what is paid: the commission,
 * or amount_minor instead, from 0 to the deal's amount. Platform staff, but never the seller. Errors: 22004; 22023; 42501;
 * PT404 no such commission; PT409 it is not payable; PT422 amount_minor out of
 * bounds; 25006.
 */
Datum
platform_pay_commission(PG_FUNCTION_ARGS)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT status, seller_id, commission_minor, deal_amount_minor FROM platform.commissions"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2"
					   " FOR NO KEY UPDATE",
					   UUIDOID, UUIDOID);
	static PlatformQuery pay =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.commissions SET status = 'paid', paid_minor = $3,"
					   " payout_reference = $4, approved_by = $5"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, INT8OID, TEXTOID, TEXTOID);
	const pg_uuid_t *self;
	pg_uuid_t	seller;
	Datum		values[5];
	bool		nulls[5];
	char	   *status;
	int64		amount;

	platform_require_module(&platform_crm_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	if (!platform_is_platform_staff())
		platform_require_operator("pay a commission");
	platform_require_argument(fcinfo, 1, "commission_id");
	(void) platform_optional_text(fcinfo, 3, "payout_reference", 255);
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);

	platform_query_begin();
	if (platform_query_run(&lock, values, NULL) == 0)
		platform_no_such("commission");
	status = platform_row_cstring(0, 1);
	seller = platform_row_uuid(0, 2);
	amount = nulls[2] ? platform_row_int64(0, 3) : PG_GETARG_INT64(2);
	if (amount < 0 || amount > platform_row_int64(0, 4))
		platform_rule_violation("amount_minor must be between 0 and the deal's amount");
	self = platform_current_user();
	if (self != NULL && platform_uuid_equal(self, &seller))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to pay one's own commission")));
	if (strcmp(status, "payable") != 0)
		platform_wrong_state(psprintf("the commission is %s, not payable", status));
	values[2] = Int64GetDatum(amount);
	nulls[2] = false;
	values[4] = CStringGetTextDatum(platform_caller_name());
	nulls[4] = false;
	platform_query_run(&pay, values, nulls);
	platform_query_end();
	PG_RETURN_INT64(amount);
}
