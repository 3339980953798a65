/*
 * triggers.c
 *	  How the states of referrals, commissions and payouts follow each other, whoever
 *	  writes, and what of a row never changes.
 */
#include "core/platform.h"

#include "core/argument.h"
#include "core/change.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_check_referral);
PG_FUNCTION_INFO_V1(platform_check_referral_commission);
PG_FUNCTION_INFO_V1(platform_check_payout_request);

/* PT409 unless a new row begins in that state. */
static void
require_beginning(const PlatformChange *row, const char *what, const char *status)
{
	if (row->old == NULL && !platform_change_has_status(row, row->row, status))
		platform_wrong_state(psprintf("%s begins as %s", what, status));
}

/*
 * platform.check_referral() returns trigger
 *
 * pending; eligible once its hold is over; paid, and back when it earns again; or closed as
 * rejected, cancelled, clawed_back, of which the last may follow the others. Who brought
 * whom never changes. PT409. Keeps closed_at and updated_at. Errors: 39P01 when fired
 * otherwise.
 *
 *		CREATE TRIGGER referrals_check BEFORE INSERT OR UPDATE ON platform.referrals
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_referral();
 */
Datum
platform_check_referral(PG_FUNCTION_ARGS)
{
	static const PlatformTransition transitions[] = {
		{"pending", {"eligible", "rejected", "cancelled", "clawed_back"}},
		{"eligible", {"paid", "rejected", "cancelled", "clawed_back"}},
		{"paid", {"eligible", "rejected", "cancelled", "clawed_back"}},
		{"rejected", {"clawed_back"}},
		{"cancelled", {"clawed_back"}},
	};
	static const char *const fixed[] = {
		"referrer_id", "referred_id", "referred_organization_id", "referral_code", "signup_at",
	};
	PlatformChange row = platform_change_begin(fcinfo, "check_referral", GUARD_BEFORE);

	require_beginning(&row, "a referral", "pending");
	platform_change_keeps(&row, "a referral", fixed, lengthof(fixed));
	if (platform_change_follows(&row, "a referral", transitions, lengthof(transitions)) &&
		row.old != NULL && !platform_change_has_status(&row, row.row, "eligible") &&
		!platform_change_has_status(&row, row.row, "paid"))
		platform_change_set_now(&row, "closed_at");
	return platform_change_end(&row);
}

/*
 * platform.check_referral_commission() returns trigger
 *
 * pending, approved, paid, in this order; clawed_back from each. A debt begins as
 * approved. Whose it is, of what, and how much never changes, nor by what it was paid:
 * PT409. Keeps the moments of its states and updated_at. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER referral_commissions_check BEFORE INSERT OR UPDATE ON platform.referral_commissions
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_referral_commission();
 */
Datum
platform_check_referral_commission(PG_FUNCTION_ARGS)
{
	static const PlatformTransition transitions[] = {
		{"pending", {"approved", "clawed_back"}},
		{"approved", {"paid", "clawed_back"}},
		{"paid", {"clawed_back"}},
	};
	static const char *const fixed[] = {
		"referral_id", "referrer_id", "commission_type", "amount_cents", "month_number", "invoice_cents",
		"monthly_percent", "stripe_invoice_id", "reverses_id",
	};
	static const char *const paid[] = {"payout_id", "paid_at"};
	PlatformChange row = platform_change_begin(fcinfo, "check_referral_commission", GUARD_BEFORE);
	char	   *type = platform_change_get_text(&row, row.row, "commission_type");

	if (type != NULL && strcmp(type, "debt") == 0)
		require_beginning(&row, "a debt", "approved");
	else
		require_beginning(&row, "a commission", "pending");
	platform_change_keeps(&row, "a commission", fixed, lengthof(fixed));
	if (row.old != NULL && platform_change_has_status(&row, row.old, "paid"))
		platform_change_keeps(&row, "a paid commission", paid, lengthof(paid));
	if (!platform_change_follows(&row, "a commission", transitions, lengthof(transitions)))
		return platform_change_end(&row);
	if (platform_change_has_status(&row, row.row, "approved"))
		platform_change_set_now(&row, "approved_at");
	else if (platform_change_has_status(&row, row.row, "paid"))
		platform_change_set_now(&row, "paid_at");
	else if (platform_change_has_status(&row, row.row, "clawed_back"))
		platform_change_set_now(&row, "clawed_back_at");
	return platform_change_end(&row);
}

/* PT409 when the amount rises, or changes although the money is on its way. */
static void
check_amount(const PlatformChange *row)
{
	bool		isnull;
	int64		before;
	int64		after;

	if (row->old == NULL || !platform_change_is_new(row, "amount_cents"))
		return;
	before = DatumGetInt64(platform_change_get(row, row->old, "amount_cents", &isnull));
	after = DatumGetInt64(platform_change_get(row, row->row, "amount_cents", &isnull));
	if (!platform_change_has_status(row, row->old, "pending") &&
		!platform_change_has_status(row, row->old, "approved"))
		platform_wrong_state("the amount of a payout that is being paid cannot change");
	if (after > before)
		platform_wrong_state("the amount of a payout cannot rise");
}

/*
 * platform.check_payout_request() returns trigger
 *
 * pending, approved, processing, paid, in this order; rejected from each but paid. Whose it is never changes; its amount only falls, and only before it
 * is processing: PT409. Keeps the moments of its states and updated_at. Errors:
 * 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER payout_requests_check BEFORE INSERT OR UPDATE ON platform.payout_requests
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_payout_request();
 */
Datum
platform_check_payout_request(PG_FUNCTION_ARGS)
{
	static const PlatformTransition transitions[] = {
		{"pending", {"approved", "rejected"}},
		{"approved", {"processing", "rejected"}},
		{"processing", {"paid", "rejected"}},
	};
	static const char *const fixed[] = {"user_id"};
	PlatformChange row = platform_change_begin(fcinfo, "check_payout_request", GUARD_BEFORE);

	require_beginning(&row, "a payout", "pending");
	platform_change_keeps(&row, "a payout", fixed, lengthof(fixed));
	check_amount(&row);
	if (!platform_change_follows(&row, "a payout", transitions, lengthof(transitions)) || row.old == NULL)
		return platform_change_end(&row);
	if (platform_change_has_status(&row, row.row, "approved"))
		platform_change_set_now(&row, "approved_at");
	else
		platform_change_set_now(&row, "processed_at");
	if (platform_change_has_status(&row, row.row, "paid"))
		platform_change_set_now(&row, "paid_at");
	return platform_change_end(&row);
}
