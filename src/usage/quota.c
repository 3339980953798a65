/*
 * quota.c
 *	  What messaging asks: may an organization send so many segments?
 *
 * The reservation has the message's id. It is for the first of the organization's
 * customers, in the order of their ids, that may send; an organization without
 * customers that have a plan, or bought something, is not limited. Rights are the
 * caller's to check.
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/gate.h"
#include "usage/reserve.h"

#define QUOTA_DAYS_MAX 31

/*
 * Why nobody of them may send so much: NULL, the customer may; limited false:
 * the organization has no limits.
 */
static const char *
find_customer(const pg_uuid_t *organization, int64 segments, pg_uuid_t *customer, bool *limited)
{
	Datum		key = UUIDPGetDatum(organization);
	const char *reason = NULL;
	PlatformRow row;

	*limited = false;
	if (!platform_module_installed(&platform_caps_module))
		return NULL;
	platform_caps_open_read(&row);
	platform_row_scan_begin(&row, &key, 1, true);
	while (platform_row_scan_next(&row))
	{
		UsageLimits limits;
		const char *objection;

		platform_caps_load(&row, &limits);
		platform_caps_see_now(&row, &limits);
		objection = platform_caps_shortage(&limits, segments);
		if (objection != NULL && strcmp(objection, "NO_PLAN") == 0)
			continue;
		*limited = true;
		if (objection == NULL)
		{
			*customer = limits.user;
			reason = NULL;
			break;
		}
		if (reason == NULL)
			reason = objection;
	}
	platform_row_scan_end(&row);
	platform_row_close(&row);
	return reason;
}

static const char *
quota_check(const pg_uuid_t *organization, int segments)
{
	pg_uuid_t	customer;
	bool		limited;

	return find_customer(organization, segments, &customer, &limited);
}

static const char *
quota_reserve(const pg_uuid_t *organization, const pg_uuid_t *message, int segments)
{
	UsageReservation reservation = {.id = *message, .organization = *organization,
		.segments = segments};
	const char *reason;
	bool		limited;

	if (!platform_module_installed(&platform_caps_module))
		return NULL;
	if (platform_caps_find_reservation(organization, message))
		return NULL;
	reason = find_customer(organization, segments, &reservation.user, &limited);
	if (reason != NULL || !limited)
		return reason;
	reservation.expires_at = GetCurrentTimestamp() + QUOTA_DAYS_MAX * USECS_PER_DAY;
	platform_caps_reserve(&reservation);
	return reservation.reason;
}

/* What the provider calls the message; without that, what we call it. */
static void
quota_commit(const pg_uuid_t *organization, const pg_uuid_t *message, int segments,
			 const char *to_number, const char *provider_message_id)
{
	UsageReport report = {.kind = USAGE_SMS, .organization = *organization, .amount = segments,
		.at = GetCurrentTimestamp()};

	if (!platform_module_installed(&platform_caps_module))
		return;
	report.key = cstring_to_text(provider_message_id != NULL ? provider_message_id :
								 DatumGetCString(DirectFunctionCall1(uuid_out,
																	 UUIDPGetDatum(message))));
	report.phone_number = to_number != NULL ? cstring_to_text(to_number) : NULL;
	report.direction = cstring_to_text("outbound");
	(void) platform_caps_commit(message, &report, false);
}

static void
quota_release(const pg_uuid_t *organization, const pg_uuid_t *message)
{
	bool		found;

	if (platform_module_installed(&platform_caps_module))
		(void) platform_caps_release_reservation(organization, message, false, &found);
}

static const PlatformSmsQuota quota = {
	.check = quota_check,
	.reserve = quota_reserve,
	.commit = quota_commit,
	.release = quota_release,
};

void
platform_caps_quota_init(void)
{
	platform_sms_quota = &quota;
}
