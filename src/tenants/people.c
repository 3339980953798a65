/*
 * people.c
 *	  Triggers of users and profiles.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "core/guard.h"
#include "core/timezone.h"
#include "tenants/tenants.h"

/* The text with A to Z in lower case, or NULL when there is none of them. */
static char *
fold_ascii(char *text)
{
	bool		changed = false;

	for (char *c = text; *c; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
		{
			*c += 'a' - 'A';
			changed = true;
		}
	}
	return changed ? text : NULL;
}

PG_FUNCTION_INFO_V1(platform_check_user);

/*
 * platform.check_user() returns trigger
 *
 * Stores the email with its ASCII letters in lower case, so that one mailbox
 * is one user; keeps updated_at. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER users_check BEFORE INSERT OR UPDATE ON platform.users
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_user();
 */
Datum
platform_check_user(PG_FUNCTION_ARGS)
{
	static const char *const columns[] = {"email", NULL};
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_user",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	TenantTrigger *state = platform_tenant_trigger(fcinfo, trigger, columns);
	HeapTuple	row = platform_trigger_row(trigger);

	if (platform_column_given(trigger, state->columns[0]))
	{
		char	   *email = platform_column_text(trigger, row, state->columns[0]);

		if (email != NULL && fold_ascii(email) != NULL)
		{
			int			attnum = state->columns[0];
			Datum		value = CStringGetTextDatum(email);
			bool		isnull = false;

			row = heap_modify_tuple_by_cols(row, RelationGetDescr(trigger->tg_relation),
											1, &attnum, &value, &isnull);
		}
	}
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		row = platform_touch_row(&state->touch, trigger, row);
	return PointerGetDatum(row);
}

PG_FUNCTION_INFO_V1(platform_check_profile);

/*
 * platform.check_profile() returns trigger
 *
 * The business time zone must be known (22023), the business hours readable
 * (PT422); updated_at is kept. Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER profiles_check BEFORE INSERT OR UPDATE ON platform.profiles
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_profile();
 */
Datum
platform_check_profile(PG_FUNCTION_ARGS)
{
	static const char *const columns[] = {"business_timezone", "business_hours", NULL};
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_profile",
												  GUARD_BEFORE | GUARD_ROW |
												  GUARD_INSERT | GUARD_UPDATE);
	TenantTrigger *state = platform_tenant_trigger(fcinfo, trigger, columns);
	HeapTuple	row = platform_trigger_row(trigger);
	char	   *zone;
	Datum		hours;
	bool		isnull;

	if (platform_column_given(trigger, state->columns[0]) &&
		(zone = platform_column_text(trigger, row, state->columns[0])) != NULL)
		platform_require_timezone(zone);
	if (platform_column_given(trigger, state->columns[1]))
	{
		hours = heap_getattr(row, state->columns[1], RelationGetDescr(trigger->tg_relation), &isnull);
		if (!isnull)
			platform_check_business_hours(DatumGetJsonbP(hours));
	}
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		row = platform_touch_row(&state->touch, trigger, row);
	return PointerGetDatum(row);
}
