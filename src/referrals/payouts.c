/*
 * payouts.c
 *	  Reserving and paying: request_payout(), approve_payout(), start_payout(),
 *	  pay_payout(), reject_payout().
 *
 * A request reserves the very commissions that it is the sum of, and the debts; its
 * amount is always that sum, and what is earned later belongs to the next. A
 * commission that is clawed back leaves its payout, until that is started: from
 * then on its amount stays, and the commission becomes a debt once it is paid.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/audit.h"
#include "core/error.h"
#include "core/event.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_request_payout);
PG_FUNCTION_INFO_V1(platform_approve_payout);
PG_FUNCTION_INFO_V1(platform_start_payout);
PG_FUNCTION_INFO_V1(platform_pay_payout);
PG_FUNCTION_INFO_V1(platform_reject_payout);

#define IS	" OPERATOR(pg_catalog.=) "
#define THIS_PAYOUT	"organization_id" IS "$1 AND id" IS "$2"
#define PAYOUT_ALERT "payout_request"

/* A payout, whose user is locked. */
typedef struct ReferralPayout
{
	pg_uuid_t	organization;
	pg_uuid_t	id;
	pg_uuid_t	user;
	const char *status;
	int64		amount;
} ReferralPayout;

static void
set_keys(const ReferralPayout *payout, Datum *values)
{
	values[0] = UUIDPGetDatum(&payout->organization);
	values[1] = UUIDPGetDatum(&payout->id);
}

/* What stands in the table now. */
static void
read_payout(ReferralPayout *payout)
{
	static PlatformQuery read =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT user_id, status, amount_cents FROM platform.payout_requests WHERE " THIS_PAYOUT,
					   UUIDOID, UUIDOID);
	Datum		values[2];

	set_keys(payout, values);
	if (platform_query_run(&read, values, NULL) == 0)
		platform_no_such("payout");
	payout->user = platform_row_uuid(0, 1);
	payout->status = platform_row_cstring(0, 2);
	payout->amount = platform_row_int64(0, 3);
}

/* The payout of argument 1, with its user locked. */
static void
get_payout(FunctionCallInfo fcinfo, ReferralPayout *payout)
{
	platform_require_argument(fcinfo, 1, "payout_id");
	payout->organization = *PG_GETARG_UUID_P(0);
	payout->id = *PG_GETARG_UUID_P(1);
	read_payout(payout);
	platform_referral_lock_user(&payout->user);
	read_payout(payout);
}

static char *
payout_key(const ReferralPayout *payout)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&payout->id)));
}

static bool
payout_is(const ReferralPayout *payout, const char *status)
{
	return strcmp(payout->status, status) == 0;
}

static void
emit_payout(const ReferralPayout *payout, const char *type)
{
	static PlatformQuery describe =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('payout_id', id,"
					   " 'user_id', user_id, 'status', status, 'amount_cents', amount_cents,"
					   " 'payment_method', payment_method, 'rejection_reason', rejection_reason))"
					   " FROM platform.payout_requests WHERE " THIS_PAYOUT,
					   UUIDOID, UUIDOID);
	PlatformEvent event = {.organization = &payout->organization,.type = type};
	Datum		values[2];
	bool		isnull;

	if (!platform_event_is_installed())
		return;
	set_keys(payout, values);
	if (platform_query_run(&describe, values, NULL) == 0)
		elog(ERROR, "payout is gone");
	event.payload = DatumGetJsonbP(platform_row_datum_copy(0, 1, &isnull));
	platform_event_emit(&event, NULL);
}

bool
platform_payout_find_live(const pg_uuid_t *organization, const pg_uuid_t *user, pg_uuid_t *payout,
						  bool *processing)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT id, status" IS "'processing' FROM platform.payout_requests"
					   " WHERE organization_id" IS "$1 AND user_id" IS "$2"
					   " AND status" IS "ANY (ARRAY['pending', 'approved', 'processing'])",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(organization), UUIDPGetDatum(user)};

	if (platform_query_run(&find, values, NULL) == 0)
		return false;
	*payout = platform_row_uuid(0, 1);
	*processing = platform_row_bool(0, 2);
	return true;
}

/* Sets total_commission_cents of the user's referrals. */
static void
sum_up(const ReferralPayout *payout)
{
	static PlatformQuery sum =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals r SET total_commission_cents = s.total FROM"
					   " (SELECT c.organization_id, c.referral_id, COALESCE(pg_catalog.sum(c.amount_cents)"
					   " FILTER (WHERE c.status OPERATOR(pg_catalog.<>) 'clawed_back'"
					   " AND c.commission_type OPERATOR(pg_catalog.<>) 'debt'), 0) AS total"
					   " FROM platform.referral_commissions c WHERE c.organization_id" IS "$1"
					   " AND c.referrer_id" IS "$2 GROUP BY c.organization_id, c.referral_id) s"
					   " WHERE r.organization_id" IS "s.organization_id AND r.id" IS "s.referral_id"
					   " AND r.total_commission_cents OPERATOR(pg_catalog.<>) s.total",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(&payout->organization), UUIDPGetDatum(&payout->user)};

	platform_query_run(&sum, values, NULL);
}

/* Gives back what is reserved; what was clawed back meanwhile is, and leaves no debt. */
static void
free_commissions(const ReferralPayout *payout)
{
	static PlatformQuery give_back =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions c SET payout_id = NULL, clawback_due = false,"
					   " status = CASE WHEN c.clawback_due THEN 'clawed_back' ELSE c.status END"
					   " WHERE c.organization_id" IS "$1 AND c.payout_id" IS "$2",
					   UUIDOID, UUIDOID);
	Datum		values[2];

	set_keys(payout, values);
	platform_query_run(&give_back, values, NULL);
	sum_up(payout);
}

/* It comes to nothing. */
static void
close_payout(ReferralPayout *payout, Datum reason)
{
	static PlatformQuery reject =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.payout_requests SET status = 'rejected', rejection_reason = $3,"
					   " processed_by = $4 WHERE " THIS_PAYOUT,
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	Datum		values[4];

	free_commissions(payout);
	set_keys(payout, values);
	values[2] = reason;
	values[3] = CStringGetTextDatum(platform_caller_name());
	platform_query_run(&reject, values, NULL);
	platform_alert_clear(&payout->organization, PAYOUT_ALERT, payout_key(payout));
	payout->status = "rejected";
	emit_payout(payout, "payout.rejected");
}

void
platform_payout_shrink(const pg_uuid_t *organization, const pg_uuid_t *id)
{
	static PlatformQuery sum =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT CAST(COALESCE(pg_catalog.sum(amount_cents), 0) AS pg_catalog.int8)"
					   " FROM platform.referral_commissions WHERE organization_id" IS "$1 AND payout_id" IS "$2",
					   UUIDOID, UUIDOID);
	static PlatformQuery shrink =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.payout_requests SET amount_cents = $3 WHERE " THIS_PAYOUT,
					   UUIDOID, UUIDOID, INT8OID);
	ReferralPayout payout = {.organization = *organization,.id = *id};
	Datum		values[3];
	int64		amount;

	read_payout(&payout);
	set_keys(&payout, values);
	platform_query_run(&sum, values, NULL);
	amount = platform_row_int64(0, 1);
	if (amount == payout.amount)
		return;
	if (amount <= 0)
	{
		close_payout(&payout, CStringGetTextDatum("nothing is left to pay"));
		return;
	}
	values[2] = Int64GetDatum(amount);
	platform_query_run(&shrink, values, NULL);
	emit_payout(&payout, "payout.reduced");
}

void
platform_payout_drop_referral(const Referral *referral)
{
	static PlatformQuery drop =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referral_commissions c SET payout_id = NULL"
					   " WHERE c.organization_id" IS "$1 AND c.payout_id" IS "$2 AND c.referral_id" IS "$3"
					   " AND c.commission_type OPERATOR(pg_catalog.<>) 'debt'",
					   UUIDOID, UUIDOID, UUIDOID);
	Datum		values[3];
	pg_uuid_t	payout;
	bool		processing;

	if (!platform_payout_find_live(&referral->organization, &referral->referrer, &payout, &processing) ||
		processing)
		return;
	values[0] = UUIDPGetDatum(&referral->organization);
	values[1] = UUIDPGetDatum(&payout);
	values[2] = UUIDPGetDatum(&referral->id);
	if (platform_query_run(&drop, values, NULL) > 0)
		platform_payout_shrink(&referral->organization, &payout);
}

/* What may be paid out to $2 now, and his debts. */
#define PAYABLE \
	"FROM platform.referral_commissions c JOIN platform.referrals r" \
	" ON r.organization_id" IS "c.organization_id AND r.id" IS "c.referral_id" \
	" WHERE c.organization_id" IS "$1 AND c.referrer_id" IS "$2 AND c.status" IS "'approved'" \
	" AND c.payout_id IS NULL AND (c.commission_type" IS "'debt' OR NOT r.needs_review)"

/* The address that the profile names. */
static Datum
payout_email(const Datum *keys, bool *isnull)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT payout_email FROM platform.profiles WHERE organization_id" IS "$1"
					   " AND user_id" IS "$2",
					   UUIDOID, UUIDOID);

	*isnull = true;
	if (platform_query_run(&find, keys, NULL) == 0)
		return (Datum) 0;
	return platform_row_datum_copy(0, 1, isnull);
}

/* Makes the request and reserves what it is the sum of; returns how many commissions. */
static int
reserve(ReferralPayout *payout, Datum *values, const bool *nulls)
{
	static PlatformQuery reserve =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "WITH mine AS (SELECT c.id, c.amount_cents " PAYABLE "),"
					   " request AS (INSERT INTO platform.payout_requests (organization_id, user_id, amount_cents,"
					   " payment_method, payment_email, notes)"
					   " SELECT $1, $2, CAST(pg_catalog.sum(m.amount_cents) AS pg_catalog.int8), $3, $4, $5 FROM mine m"
					   " RETURNING id, amount_cents),"
					   " reserved AS (UPDATE platform.referral_commissions c SET payout_id = q.id"
					   " FROM request q, mine m WHERE c.organization_id" IS "$1 AND c.id" IS "m.id RETURNING 1)"
					   " SELECT q.id, q.amount_cents, (SELECT pg_catalog.count(*) FROM reserved) FROM request q",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID);

	if (platform_query_run(&reserve, values, nulls) != 1)
		elog(ERROR, "payout was not made");
	payout->id = platform_row_uuid(0, 1);
	payout->amount = platform_row_int64(0, 2);
	payout->status = "pending";
	return platform_row_int64(0, 3);
}

/* PT422 unless there is enough; values: the organization and the user. */
static void
require_enough(const Datum *values)
{
	static PlatformQuery sum =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT CAST(COALESCE(pg_catalog.sum(c.amount_cents), 0) AS pg_catalog.int8) " PAYABLE,
					   UUIDOID, UUIDOID);
	ReferralSettings settings;
	int64		amount;

	platform_referral_read_settings(&settings);
	platform_query_run(&sum, values, NULL);
	amount = platform_row_int64(0, 1);
	if (amount < settings.min_payout_cents)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_RULE_VIOLATION),
				 errmsg("there is too little to pay out"),
				 errdetail("Available are " INT64_FORMAT " cents, the least is " INT64_FORMAT ".", amount,
						   settings.min_payout_cents)));
}

static void
tell_of_request(const ReferralPayout *payout)
{
	PlatformAlert alert = {
		.severity = "info",
		.type = PAYOUT_ALERT,
		.organization = &payout->organization,
		.user = &payout->user,
		.title = "A payout is requested",
		.message = psprintf(INT64_FORMAT " cents", payout->amount),
		.dedup_key = payout_key(payout),
		.source = "referrals",
	};

	platform_alert_raise(&alert, NULL);
}

/*
 * platform.request_payout(organization_id uuid, user_id uuid DEFAULT NULL,
 *						   payment_method text DEFAULT 'manual', payment_email text DEFAULT NULL,
 *						   notes text DEFAULT NULL)
 *		RETURNS (payout_id uuid, amount_cents bigint, commissions integer)
 *
 * Asks for all that the user (NULL: the caller) may have: approved commissions that no
 * payout has, of referrals that wait for no review, less his debts. They are reserved;
 * the amount is their sum. payment_method: manual, paypal, stripe, bank_transfer;
 * payment_email NULL: that of his profile. Members: their own. Errors: 22004; 22023; 42501;
 * PT409 one is under way; PT422 less than the least, or paypal without an address;
 * 23514; 25006.
 */
Datum
platform_request_payout(PG_FUNCTION_ARGS)
{
	static const bool no_nulls[3] = {false};
	ReferralPayout payout = {{{0}}};
	Datum		values[5];
	bool		nulls[5] = {false};
	Datum		result[3];
	pg_uuid_t	live;
	bool		processing;

	platform_require_module(&platform_referrals_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	platform_require_organization(PG_GETARG_UUID_P(0));
	payout.organization = *PG_GETARG_UUID_P(0);
	payout.user = platform_referral_user_argument(fcinfo, 1);
	values[0] = UUIDPGetDatum(&payout.organization);
	values[1] = UUIDPGetDatum(&payout.user);
	values[2] = PointerGetDatum(platform_required_text(fcinfo, 2, "payment_method", 32));
	values[3] = PointerGetDatum(platform_optional_text(fcinfo, 3, "payment_email", 255));
	values[4] = PointerGetDatum(platform_optional_text(fcinfo, 4, "notes", REFERRAL_TEXT_MOST));
	nulls[3] = PG_ARGISNULL(3);
	nulls[4] = PG_ARGISNULL(4);

	platform_query_begin();
	platform_referral_lock_user(&payout.user);
	if (platform_payout_find_live(&payout.organization, &payout.user, &live, &processing))
		platform_wrong_state("a payout is under way");
	require_enough(values);
	if (nulls[3])
		values[3] = payout_email(values, &nulls[3]);
	if (nulls[3] && strcmp(text_to_cstring(DatumGetTextPP(values[2])), "paypal") == 0)
		platform_rule_violation("payment_email is required for paypal");
	result[2] = Int32GetDatum(reserve(&payout, values, nulls));
	tell_of_request(&payout);
	emit_payout(&payout, "payout.requested");
	platform_query_end();
	result[0] = UUIDPGetDatum(&payout.id);
	result[1] = Int64GetDatum(payout.amount);
	PG_RETURN_DATUM(platform_return_row(fcinfo, result, (bool *) no_nulls));
}

/* The payout of argument 1 for staff who are not its user. */
static void
get_payout_for_staff(FunctionCallInfo fcinfo, ReferralPayout *payout)
{
	get_payout(fcinfo, payout);
	platform_referral_require_other(&payout->user);
}

/* PT409 unless it has one of the states. */
static void
require_status(const ReferralPayout *payout, const char *status, const char *or_status)
{
	if (!payout_is(payout, status) && (or_status == NULL || !payout_is(payout, or_status)))
		platform_wrong_state(psprintf("the payout is %s", payout->status));
}

/*
 * platform.approve_payout(organization_id uuid, payout_id uuid, admin_notes text DEFAULT NULL)
 *		RETURNS boolean
 *
 * A pending payout may be paid. False when it was approved. Platform staff, never its
 * user. Errors: 22004; 22023; 42501; PT404; PT409 it is past that; 25006.
 */
Datum
platform_approve_payout(PG_FUNCTION_ARGS)
{
	static PlatformQuery approve =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.payout_requests SET status = 'approved', approved_by = $3,"
					   " admin_notes = COALESCE($4, admin_notes) WHERE " THIS_PAYOUT,
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	PlatformAuditEntry entry = {.action = "payout_approved",.entity = "payout_requests"};
	ReferralPayout payout;
	text	   *notes;
	Datum		values[4];
	bool		nulls[4] = {false};

	platform_referral_require_staff(fcinfo, "approve a payout");
	notes = platform_optional_text(fcinfo, 2, "admin_notes", REFERRAL_TEXT_MOST);
	platform_query_begin();
	get_payout_for_staff(fcinfo, &payout);
	require_status(&payout, "pending", "approved");
	if (payout_is(&payout, "approved"))
	{
		platform_query_end();
		PG_RETURN_BOOL(false);
	}
	set_keys(&payout, values);
	values[2] = CStringGetTextDatum(platform_caller_name());
	values[3] = PointerGetDatum(notes);
	nulls[3] = notes == NULL;
	platform_query_run(&approve, values, nulls);
	platform_alert_clear(&payout.organization, PAYOUT_ALERT, payout_key(&payout));
	entry.organization = &payout.organization;
	entry.entity_id = payout_key(&payout);
	entry.user = &payout.user;
	platform_audit_write(&entry, NULL);
	emit_payout(&payout, "payout.approved");
	platform_query_end();
	PG_RETURN_BOOL(true);
}

/*
 * platform.start_payout(organization_id uuid, payout_id uuid) RETURNS bigint
 *
 * An approved payout is to be sent now: returns its cents, which from now on stay what
 * they are. Before, they may become less. Platform staff, never its user. Errors: 22004; 42501; PT404;
 * PT409 it is not approved; 25006.
 */
Datum
platform_start_payout(PG_FUNCTION_ARGS)
{
	static PlatformQuery start =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.payout_requests SET status = 'processing', processed_by = $3"
					   " WHERE " THIS_PAYOUT,
					   UUIDOID, UUIDOID, TEXTOID);
	ReferralPayout payout;
	Datum		values[3];

	platform_referral_require_staff(fcinfo, "start a payout");
	platform_query_begin();
	get_payout_for_staff(fcinfo, &payout);
	require_status(&payout, "approved", NULL);
	set_keys(&payout, values);
	values[2] = CStringGetTextDatum(platform_caller_name());
	platform_query_run(&start, values, NULL);
	emit_payout(&payout, "payout.processing");
	platform_query_end();
	PG_RETURN_INT64(payout.amount);
}

/* Referrals of which everything is earned and paid are done. */
static void
finish_referrals(const ReferralPayout *payout)
{
	static PlatformQuery finish =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals r SET status = 'paid' FROM platform.referral_settings s"
					   " WHERE r.organization_id" IS "$1 AND r.status" IS "'eligible'"
					   " AND r.months_paid OPERATOR(pg_catalog.>=) s.max_months"
					   " AND EXISTS (SELECT FROM platform.referral_commissions c WHERE c.organization_id" IS "$1"
					   " AND c.referral_id" IS "r.id AND c.payout_id" IS "$2)"
					   " AND NOT EXISTS (SELECT FROM platform.referral_commissions c WHERE c.organization_id" IS "$1"
					   " AND c.referral_id" IS "r.id AND c.status" IS "ANY (ARRAY['pending', 'approved']))"
					   " RETURNING r.id",
					   UUIDOID, UUIDOID);
	Datum		values[2];
	uint64		count;
	pg_uuid_t  *ids;

	set_keys(payout, values);
	count = platform_query_run(&finish, values, NULL);
	ids = palloc(sizeof(pg_uuid_t) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
		ids[i] = platform_row_uuid(i, 1);
	for (uint64 i = 0; i < count; i++)
	{
		Referral	referral = {.organization = payout->organization,.id = ids[i]};

		platform_referral_read(&referral);
		platform_referral_emit(&referral, "referral.paid", 0, NULL);
	}
}

/*
 * platform.pay_payout(organization_id uuid, payout_id uuid, payment_reference text DEFAULT NULL)
 *		RETURNS bigint
 *
 * The money of a payout that was started has arrived: exactly what is reserved for it is paid,
 * and the debts in it are deducted. Returns its cents. What was clawed back meanwhile
 * becomes a debt. Platform staff, never its user. Errors: 22004; 22023; 42501; PT404;
 * PT409 it is not processing; XX001 it is not the sum of its commissions; 25006.
 */
Datum
platform_pay_payout(PG_FUNCTION_ARGS)
{
	static PlatformQuery pay =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.payout_requests SET status = 'paid', payment_reference = $3,"
					   " processed_by = $4 WHERE " THIS_PAYOUT,
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	static PlatformQuery pay_commissions =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "WITH paid AS (UPDATE platform.referral_commissions c SET status = 'paid'"
					   " WHERE c.organization_id" IS "$1 AND c.payout_id" IS "$2 RETURNING c.amount_cents)"
					   " SELECT CAST(COALESCE(pg_catalog.sum(p.amount_cents), 0) AS pg_catalog.int8) FROM paid p",
					   UUIDOID, UUIDOID);
	ReferralPayout payout;
	text	   *reference;
	Datum		values[4];
	bool		nulls[4] = {false};

	platform_referral_require_staff(fcinfo, "pay a payout");
	reference = platform_optional_text(fcinfo, 2, "payment_reference", 255);
	platform_query_begin();
	get_payout_for_staff(fcinfo, &payout);
	require_status(&payout, "processing", NULL);
	set_keys(&payout, values);
	platform_query_run(&pay_commissions, values, NULL);
	if (platform_row_int64(0, 1) != payout.amount)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the payout is not the sum of its commissions")));
	values[2] = PointerGetDatum(reference);
	nulls[2] = reference == NULL;
	values[3] = CStringGetTextDatum(platform_caller_name());
	platform_query_run(&pay, values, nulls);
	if (platform_referral_make_debts(&payout.organization, NULL, &payout.id, NULL) > 0)
		sum_up(&payout);
	finish_referrals(&payout);
	emit_payout(&payout, "payout.paid");
	platform_query_end();
	PG_RETURN_INT64(payout.amount);
}

/*
 * platform.reject_payout(organization_id uuid, payout_id uuid, reason text) RETURNS boolean
 *
 * It comes to nothing, also when it failed under way: its commissions are free again, but
 * those that were clawed back meanwhile. False when it was rejected. Platform staff, never
 * its user; who asked for it, while it is pending. Errors: 22004; 22023; 42501; PT404;
 * PT409 it is paid; 25006.
 */
Datum
platform_reject_payout(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *self = platform_current_user();
	ReferralPayout payout;
	Datum		reason;
	bool		own;
	bool		done;

	platform_require_module(&platform_referrals_module);
	platform_require_argument(fcinfo, 0, "organization_id");
	if (!platform_is_platform_staff())
		platform_require_organization(PG_GETARG_UUID_P(0));
	reason = PointerGetDatum(platform_required_text(fcinfo, 2, "reason", REFERRAL_TEXT_MOST));
	platform_query_begin();
	get_payout(fcinfo, &payout);
	own = self != NULL && platform_uuid_equal(self, &payout.user);
	if (own && !payout_is(&payout, "pending") && !payout_is(&payout, "rejected"))
		platform_referral_require_other(&payout.user);
	if (!own && !platform_is_platform_staff())
		platform_require_operator("reject a payout");
	done = payout_is(&payout, "rejected");
	if (!done)
	{
		if (payout_is(&payout, "paid"))
			platform_wrong_state("the payout is paid");
		close_payout(&payout, reason);
	}
	platform_query_end();
	PG_RETURN_BOOL(!done);
}
