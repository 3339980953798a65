/*
 * commissions.c
 *	  Earning, approving, taking back: release_referral_commissions(),
 *	  approve_referral_commission(), reject_referral_commission(),
 *	  extend_referral_hold(), cancel_referral(), clawback_referral().
 *
 * A payment earns its commission at once, also during the hold: it is pending until
 * the hold is over, and lost only when the referral is closed. What is taken back
 * leaves the payout that it was reserved for. While that is being paid it stays,
 * and becomes a debt afterwards; so does what was paid.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_release_referral_commissions);
PG_FUNCTION_INFO_V1(platform_approve_referral_commission);
PG_FUNCTION_INFO_V1(platform_reject_referral_commission);
PG_FUNCTION_INFO_V1(platform_extend_referral_hold);
PG_FUNCTION_INFO_V1(platform_cancel_referral);
PG_FUNCTION_INFO_V1(platform_clawback_referral);

#define IS	" OPERATOR(pg_catalog.=) "
#define OF_REFERRAL	"c.organization_id" IS "$1 AND c.referral_id" IS "$2"

/* The percentage of an amount, without fractions and without leaving 64 bits. */
static int64
part_of(int64 amount, int percent)
{
	return amount / 100 * percent + amount % 100 * percent / 100;
}

static void
insert_commission(const Referral *referral, const char *type, int64 amount, int month, int percent,
				  int64 invoice_amount, const char *invoice, const char *subscription)
{
	static PlatformQuery insert =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id,"
					   " commission_type, amount_cents, month_number, monthly_percent, invoice_cents,"
					   " stripe_invoice_id, stripe_subscription_id)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID, INT8OID, INT4OID, INT4OID, INT8OID, TEXTOID, TEXTOID);
	Datum		values[10] = {
		UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id), UUIDPGetDatum(&referral->referrer),
		CStringGetTextDatum(type), Int64GetDatum(amount), Int32GetDatum(month), Int32GetDatum(percent),
		Int64GetDatum(invoice_amount), CStringGetTextDatum(invoice), (Datum) 0
	};
	bool		nulls[10] = {false};

	nulls[5] = nulls[6] = month == 0;
	nulls[9] = subscription == NULL;
	if (subscription != NULL)
		values[9] = CStringGetTextDatum(subscription);
	platform_query_run(&insert, values, nulls);
}

int64
platform_referral_earn(Referral *referral, const ReferralSettings *settings, const char *invoice,
					   const char *subscription, int64 amount, TimestampTz paid_at, bool first)
{
	static PlatformQuery count =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals SET months_paid = $3, upfront_paid = upfront_paid OR $4,"
					   " upfront_paid_at = CASE WHEN $4 THEN $5 ELSE upfront_paid_at END,"
					   " status = CASE WHEN status" IS "'paid' THEN 'eligible' ELSE status END"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, INT4OID, BOOLOID, TIMESTAMPTZOID);
	bool		upfront = first && settings->upfront_amount_cents > 0;
	bool		month = referral->months_paid < settings->max_months;
	int64		monthly = month ? part_of(amount, settings->monthly_percent) : 0;
	Datum		values[5];

	if (!upfront && !month)
		return 0;
	if (month)
		referral->months_paid++;
	values[0] = UUIDPGetDatum(&referral->organization);
	values[1] = UUIDPGetDatum(&referral->id);
	values[2] = Int32GetDatum(referral->months_paid);
	values[3] = BoolGetDatum(upfront);
	values[4] = TimestampTzGetDatum(paid_at);
	platform_query_run(&count, values, NULL);
	if (upfront)
		insert_commission(referral, "upfront", settings->upfront_amount_cents, 0, 0, amount,
						  invoice, subscription);
	if (monthly > 0)
		insert_commission(referral, "monthly", monthly, referral->months_paid,
						  settings->monthly_percent, amount, invoice, subscription);
	platform_referral_sum_up(referral);
	platform_referral_read(referral);
	return (upfront ? settings->upfront_amount_cents : 0) + monthly;
}

void
platform_referral_sum_up(const Referral *referral)
{
	static PlatformQuery sum_up =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals r SET total_commission_cents = COALESCE((SELECT"
					   " pg_catalog.sum(c.amount_cents) FROM platform.referral_commissions c WHERE " OF_REFERRAL
					   " AND c.commission_type OPERATOR(pg_catalog.<>) 'debt'"
					   " AND c.status OPERATOR(pg_catalog.<>) 'clawed_back'), 0)"
					   " WHERE r.organization_id" IS "$1 AND r.id" IS "$2",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id)};

	platform_query_run(&sum_up, values, NULL);
}

/* Sum of the amounts in a column of the last result. */
static int64
sum_of_rows(uint64 count, int column)
{
	int64		sum = 0;

	for (uint64 i = 0; i < count; i++)
		sum += platform_row_int64(i, column);
	return sum;
}

int
platform_referral_release(Referral *referral, const ReferralSettings *settings, TimestampTz at)
{
	static PlatformQuery end_hold =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals SET status = 'eligible'"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID);
	static PlatformQuery approve =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions c SET status = 'approved',"
					   " approved_by = COALESCE(c.approved_by, 'auto')"
					   " WHERE " OF_REFERRAL " AND c.status" IS "'pending'"
					   " AND (c.extended_hold_until IS NULL OR c.extended_hold_until OPERATOR(pg_catalog.<=) $3)"
					   " AND (c.approved_by IS NOT NULL OR ($4 AND c.amount_cents OPERATOR(pg_catalog.<=) $5))"
					   " RETURNING c.amount_cents",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, BOOLOID, INT8OID);
	Datum		values[5];
	uint64		count;
	int64		amount;

	if (!platform_referral_is_open(referral) || referral->needs_review ||
		referral->eligible_at == REFERRAL_NEVER || referral->eligible_at > at)
		return 0;
	values[0] = UUIDPGetDatum(&referral->organization);
	values[1] = UUIDPGetDatum(&referral->id);
	values[2] = TimestampTzGetDatum(at);
	values[3] = BoolGetDatum(referral->fraud_reviewed ||
							 referral->fraud_score <= settings->fraud_auto_approve_max);
	values[4] = Int64GetDatum(settings->auto_approve_under_cents);
	if (platform_referral_is(referral, "pending"))
	{
		platform_query_run(&end_hold, values, NULL);
		referral->status = "eligible";
		platform_referral_emit(referral, "referral.eligible", 0, NULL);
	}
	count = platform_query_run(&approve, values, NULL);
	amount = sum_of_rows(count, 1);
	if (count > 0)
		platform_referral_emit(referral, "referral.commission_approved", amount, NULL);
	return count;
}

int64
platform_referral_make_debts(const pg_uuid_t *organization, const pg_uuid_t *referral,
							 const pg_uuid_t *payout, const char *reason)
{
	static PlatformQuery make =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "WITH gone AS (UPDATE platform.referral_commissions c SET status = 'clawed_back',"
					   " clawback_due = false, clawback_reason = COALESCE($4, c.clawback_reason)"
					   " WHERE c.organization_id" IS "$1 AND c.status" IS "'paid'"
					   " AND c.commission_type OPERATOR(pg_catalog.<>) 'debt'"
					   " AND (c.referral_id" IS "$2 OR (c.payout_id" IS "$3 AND c.clawback_due))"
					   " RETURNING c.id, c.referral_id, c.referrer_id, c.amount_cents, c.clawback_reason)"
					   " INSERT INTO platform.referral_commissions (organization_id, referral_id, referrer_id,"
					   " commission_type, amount_cents, status, reverses_id, clawback_reason)"
					   " SELECT $1, g.referral_id, g.referrer_id, 'debt', OPERATOR(pg_catalog.-) g.amount_cents,"
					   " 'approved', g.id, g.clawback_reason FROM gone g"
					   " RETURNING OPERATOR(pg_catalog.-) amount_cents",
					   UUIDOID, UUIDOID, UUIDOID, TEXTOID);
	Datum		values[4] = {
		UUIDPGetDatum(organization), UUIDPGetDatum(referral), UUIDPGetDatum(payout),
		reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason)
	};
	bool		nulls[4] = {false, referral == NULL, payout == NULL, reason == NULL};

	return sum_of_rows(platform_query_run(&make, values, nulls), 1);
}

/* What is not paid, out of the payout that it is reserved for unless that is under way. */
static int64
take_back_unpaid(const Referral *referral, bool processing, const char *reason)
{
	static PlatformQuery take =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions c SET status = 'clawed_back', payout_id = NULL,"
					   " clawback_reason = $3 WHERE " OF_REFERRAL
					   " AND c.commission_type OPERATOR(pg_catalog.<>) 'debt'"
					   " AND c.status" IS "ANY (ARRAY['pending', 'approved'])"
					   " AND (c.payout_id IS NULL OR NOT $4) RETURNING c.amount_cents",
					   UUIDOID, UUIDOID, TEXTOID, BOOLOID);
	Datum		values[4] = {
		UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id),
		CStringGetTextDatum(reason), BoolGetDatum(processing)
	};

	return sum_of_rows(platform_query_run(&take, values, NULL), 1);
}

/* What is being paid: decided when that ends. */
static int64
mark_processing(const Referral *referral, const char *reason)
{
	static PlatformQuery mark =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions c SET clawback_due = true, clawback_reason = $3"
					   " WHERE " OF_REFERRAL " AND c.commission_type OPERATOR(pg_catalog.<>) 'debt'"
					   " AND c.status" IS "'approved' AND c.payout_id IS NOT NULL AND NOT c.clawback_due"
					   " RETURNING c.amount_cents",
					   UUIDOID, UUIDOID, TEXTOID);
	Datum		values[3] = {
		UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id), CStringGetTextDatum(reason)
	};

	return sum_of_rows(platform_query_run(&mark, values, NULL), 1);
}

int64
platform_referral_close(Referral *referral, const char *status, const char *reason)
{
	static PlatformQuery close =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals SET status = $3, rejection_reason = $4, needs_review = false"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	Datum		values[4] = {
		UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id),
		CStringGetTextDatum(status), CStringGetTextDatum(reason)
	};
	pg_uuid_t	payout;
	bool		processing = false;
	bool		live;
	int64		amount;

	platform_query_run(&close, values, NULL);
	live = platform_payout_find_live(&referral->organization, &referral->referrer, &payout, &processing);
	amount = take_back_unpaid(referral, processing, reason);
	if (live && !processing && amount > 0)
		platform_payout_shrink(&referral->organization, &payout);
	if (strcmp(status, "clawed_back") == 0)
	{
		amount += mark_processing(referral, reason);
		amount += platform_referral_make_debts(&referral->organization, &referral->id, NULL, reason);
	}
	platform_referral_sum_up(referral);
	platform_referral_read(referral);
	platform_referral_emit(referral, psprintf("referral.%s", status), amount, reason);
	return amount;
}

/*
 * platform.release_referral_commissions(at timestamptz DEFAULT NULL, max_rows integer DEFAULT 1000)
 *		RETURNS integer
 *
 * Ends the holds that are over at that moment (NULL: now), and approves what needs
 * nobody's approval or has it: of at most max_rows referrals, 1 to 1000. A job; returns
 * how many commissions were approved. Operators. Errors: 22004; 22023; 42501; 25006.
 */
Datum
platform_release_referral_commissions(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT x.organization_id, x.id FROM ("
					   "SELECT r.organization_id, r.id, r.referrer_id FROM platform.referrals r"
					   " WHERE r.status" IS "'pending' AND NOT r.needs_review"
					   " AND r.eligible_at OPERATOR(pg_catalog.<=) $1"
					   " UNION SELECT r.organization_id, r.id, r.referrer_id FROM platform.referral_commissions c"
					   " JOIN platform.referrals r ON r.organization_id" IS "c.organization_id"
					   " AND r.id" IS "c.referral_id CROSS JOIN platform.referral_settings s"
					   " WHERE c.status" IS "'pending' AND r.status" IS "ANY (ARRAY['eligible', 'paid'])"
					   " AND NOT r.needs_review AND r.eligible_at OPERATOR(pg_catalog.<=) $1"
					   " AND (c.extended_hold_until IS NULL OR c.extended_hold_until OPERATOR(pg_catalog.<=) $1)"
					   " AND (c.approved_by IS NOT NULL"
					   " OR (c.amount_cents OPERATOR(pg_catalog.<=) s.auto_approve_under_cents AND (r.fraud_reviewed"
					   " OR r.fraud_score OPERATOR(pg_catalog.<=) s.fraud_auto_approve_max)))) AS x"
					   " ORDER BY x.referrer_id, x.id LIMIT $2",
					   TIMESTAMPTZOID, INT8OID);
	ReferralSettings settings;
	Referral   *referrals;
	TimestampTz at;
	Datum		values[2];
	uint64		count;
	int			released = 0;

	platform_require_module(&platform_referrals_module);
	platform_require_operator("release commissions");
	at = PG_ARGISNULL(0) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(0);
	values[0] = TimestampTzGetDatum(at);
	values[1] = Int64GetDatum(platform_count_argument(fcinfo, 1, "max_rows", REFERRAL_BATCH_MOST));
	platform_query_begin();
	platform_referral_lock_worker();
	platform_referral_read_settings(&settings);
	count = platform_query_run(&find, values, NULL);
	referrals = palloc(sizeof(Referral) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		referrals[i].organization = platform_row_uuid(i, 1);
		referrals[i].id = platform_row_uuid(i, 2);
	}
	for (uint64 i = 0; i < count; i++)
	{
		Referral   *referral = &referrals[i];

		CHECK_FOR_INTERRUPTS();
		/* so that the results of its queries are freed with it */
		platform_query_begin();
		if (platform_referral_find(&referral->organization, &referral->id, referral))
		{
			platform_referral_assess(referral, &settings);
			released += platform_referral_release(referral, &settings, at);
		}
		platform_query_end();
	}
	platform_query_end();
	PG_RETURN_INT32(released);
}

/* The status of a commission that is no debt; PT409 unless it is pending or, if also is not NULL, that. */
static char *
require_commission(FunctionCallInfo fcinfo, const Datum *values, const char *also, bool *reserved)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT status, commission_type, payout_id IS NOT NULL FROM platform.referral_commissions"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID);
	char	   *status;

	if (platform_query_run(&find, values, NULL) == 0)
		platform_no_such("commission");
	status = platform_row_cstring(0, 1);
	*reserved = platform_row_bool(0, 3);
	if (strcmp(platform_row_cstring(0, 2), "debt") == 0)
		platform_wrong_state("a debt is deducted from the next payout");
	if (strcmp(status, "pending") != 0 && (also == NULL || strcmp(status, also) != 0))
		platform_wrong_state(psprintf("the commission is %s", status));
	return status;
}

/*
 * platform.approve_referral_commission(organization_id uuid, commission_id uuid,
 *										notes text DEFAULT NULL) RETURNS text
 *
 * Approves a commission that is too large, or its referral too suspicious, to approve
 * itself. A hold goes on all the same: then it stays pending, and is approved when that is
 * over. Returns its status. Platform staff, never the referrer. Errors: 22004; 22023; 42501;
 * PT404; PT409 it is not pending; 25006.
 */
Datum
platform_approve_referral_commission(PG_FUNCTION_ARGS)
{
	static PlatformQuery approve =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions SET approved_by = $3, notes = COALESCE($4, notes)"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	ReferralSettings settings;
	Referral	referral;
	text	   *notes;
	Datum		values[4];
	bool		nulls[4] = {false};
	char	   *status;
	bool		reserved;

	platform_referral_require_staff(fcinfo, "approve a commission");
	notes = platform_optional_text(fcinfo, 2, "notes", REFERRAL_TEXT_MOST);
	platform_query_begin();
	values[1] = platform_referral_get_commission(fcinfo, 1, &referral);
	platform_referral_require_other(&referral.referrer);
	values[0] = PG_GETARG_DATUM(0);
	(void) require_commission(fcinfo, values, NULL, &reserved);
	values[2] = CStringGetTextDatum(platform_caller_name());
	values[3] = PointerGetDatum(notes);
	nulls[3] = notes == NULL;
	platform_query_run(&approve, values, nulls);
	platform_referral_read_settings(&settings);
	platform_referral_release(&referral, &settings, GetCurrentTimestamp());
	status = require_commission(fcinfo, values, "approved", &reserved);
	platform_query_end();
	PG_RETURN_TEXT_P(cstring_to_text(status));
}

/*
 * platform.reject_referral_commission(organization_id uuid, commission_id uuid, reason text)
 *		RETURNS boolean
 *
 * Claws a commission back that is not paid, out of the payout that it is reserved for.
 * False when it was clawed back. Platform staff, never the referrer. Errors: 22004; 22023;
 * 42501; PT404; PT409 it is paid, or being paid; 25006.
 */
Datum
platform_reject_referral_commission(PG_FUNCTION_ARGS)
{
	static PlatformQuery reject =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions SET status = 'clawed_back', payout_id = NULL,"
					   " clawback_reason = $3 WHERE organization_id" IS "$1 AND id" IS "$2"
					   " AND status OPERATOR(pg_catalog.<>) 'clawed_back' RETURNING amount_cents",
					   UUIDOID, UUIDOID, TEXTOID);
	static PlatformQuery is_gone =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT 1 FROM platform.referral_commissions WHERE organization_id" IS "$1 AND id" IS "$2"
					   " AND status" IS "'clawed_back'",
					   UUIDOID, UUIDOID);
	Referral	referral;
	Datum		values[3];
	pg_uuid_t	payout;
	bool		processing = false;
	bool		reserved;
	int64		amount;

	platform_referral_require_staff(fcinfo, "reject a commission");
	values[2] = PointerGetDatum(platform_required_text(fcinfo, 2, "reason", REFERRAL_TEXT_MOST));
	platform_query_begin();
	values[1] = platform_referral_get_commission(fcinfo, 1, &referral);
	platform_referral_require_other(&referral.referrer);
	values[0] = PG_GETARG_DATUM(0);
	if (platform_query_run(&is_gone, values, NULL) > 0)
	{
		platform_query_end();
		PG_RETURN_BOOL(false);
	}
	(void) require_commission(fcinfo, values, "approved", &reserved);
	if (reserved)
		platform_payout_find_live(&referral.organization, &referral.referrer, &payout, &processing);
	if (processing)
		platform_wrong_state("the commission is being paid");
	platform_query_run(&reject, values, NULL);
	amount = platform_row_int64(0, 1);
	if (reserved)
		platform_payout_shrink(&referral.organization, &payout);
	platform_referral_sum_up(&referral);
	platform_referral_emit(&referral, "referral.commission_rejected", amount,
						   text_to_cstring(DatumGetTextPP(values[2])));
	platform_query_end();
	PG_RETURN_BOOL(true);
}

/*
 * platform.extend_referral_hold(organization_id uuid, commission_id uuid, until timestamptz, reason text)
 *		RETURNS void
 *
 * Holds a pending commission until then, however long its referral's hold is; once more
 * changes that. Platform staff, never the referrer. Errors: 22004; 22023 until is no
 * moment; 42501; PT404; PT409 it is not pending; 25006.
 */
Datum
platform_extend_referral_hold(PG_FUNCTION_ARGS)
{
	static PlatformQuery extend =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions SET extended_hold_until = $3, hold_reason = $4"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID);
	Referral	referral;
	Datum		values[4];
	bool		reserved;

	platform_referral_require_staff(fcinfo, "hold a commission");
	platform_require_argument(fcinfo, 2, "until");
	if (TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(2)))
		platform_bad_argument("until must be a moment");
	values[3] = PointerGetDatum(platform_required_text(fcinfo, 3, "reason", REFERRAL_TEXT_MOST));
	platform_query_begin();
	values[1] = platform_referral_get_commission(fcinfo, 1, &referral);
	platform_referral_require_other(&referral.referrer);
	values[0] = PG_GETARG_DATUM(0);
	values[2] = PG_GETARG_DATUM(2);
	(void) require_commission(fcinfo, values, NULL, &reserved);
	platform_query_run(&extend, values, NULL);
	platform_query_end();
	PG_RETURN_VOID();
}

/* cancel_referral() and clawback_referral(); true when this call closed it. */
static Datum
close_by_hand(FunctionCallInfo fcinfo, const char *action, const char *status)
{
	Referral	referral;
	text	   *reason;
	bool		done;

	platform_referral_require_staff(fcinfo, action);
	reason = platform_optional_text(fcinfo, 2, "reason", REFERRAL_TEXT_MOST);
	platform_query_begin();
	platform_referral_get(fcinfo, 1, &referral);
	platform_referral_require_other(&referral.referrer);
	done = platform_referral_is(&referral, status);
	if (!done)
		platform_referral_close(&referral, status, reason == NULL ? status : text_to_cstring(reason));
	platform_query_end();
	PG_RETURN_BOOL(!done);
}

/*
 * platform.cancel_referral(organization_id uuid, referral_id uuid, reason text DEFAULT NULL)
 *		RETURNS boolean
 *
 * The customer left: what is neither paid nor being paid is clawed back. False when it
 * was cancelled. Platform staff, never the referrer. Errors: 22004; 22023; 42501; PT404;
 * PT409 it is rejected or clawed back; 25006.
 */
Datum
platform_cancel_referral(PG_FUNCTION_ARGS)
{
	return close_by_hand(fcinfo, "cancel a referral", "cancelled");
}

/*
 * platform.clawback_referral(organization_id uuid, referral_id uuid, reason text DEFAULT NULL)
 *		RETURNS boolean
 *
 * All that it earned is taken back: what was paid becomes a debt, which the next
 * payout deducts. False when it was clawed back. Platform staff, never the
 * referrer. Errors: 22004; 22023; 42501; PT404; 25006.
 */
Datum
platform_clawback_referral(PG_FUNCTION_ARGS)
{
	return close_by_hand(fcinfo, "claw back a referral", "clawed_back");
}
