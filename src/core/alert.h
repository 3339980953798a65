/*
 * alert.h
 *	  Alerts for the people who run the platform: platform.ops_alerts.
 *
 *		PlatformAlert alert = {.severity = "critical", .type = "billing_spike",
 *		.organization = organization, .title = "Usage is ten times that of yesterday",
 *		.dedup_key = "usage"};
 *
 *		platform_alert_raise(&alert, NULL);
 *
 * While an alert with the same organization, type and dedup key is open, raising
 * it again counts up on it: exact, whatever the concurrency. Two transactions
 * that raise the same alert wait for each other, as with any row; one in
 * REPEATABLE READ or SERIALIZABLE may get 40001. Rolled back, nothing was raised.
 *
 * All of it does nothing when module ops is not installed. Rights are not asked
 * for: that is the caller's to do.
 */
#ifndef PLATFORM_ALERT_H
#define PLATFORM_ALERT_H

#include "utils/jsonb.h"

typedef struct PlatformAlert
{
	const char *severity;		/* info, warning, critical; NULL: warning */
	const char *type;			/* required: billing_spike, signature_failures ... */
	const pg_uuid_t *organization;	/* NULL: the platform's own, under the default organization */
	const char *title;			/* NULL: the type */
	const char *message;
	const char *dedup_key;		/* NULL: every raise is an alert of its own */
	const pg_uuid_t *user;
	const char *phone_number;
	const char *source;			/* the part that raises it; NULL: system */
	const Jsonb *details;		/* NULL: {} */
} PlatformAlert;

typedef struct PlatformAlertAnswer
{
	pg_uuid_t	id;
	int64		occurrences;	/* 1: this raise opened it */
} PlatformAlertAnswer;

/* Raises it; false when module ops is not installed. */
extern bool platform_alert_raise(const PlatformAlert *alert, PlatformAlertAnswer *answer);

/*
 * Closes the open alert with that type and key, because its cause is gone.
 * Returns whether there was one.
 */
extern bool platform_alert_clear(const pg_uuid_t *organization, const char *type,
								 const char *dedup_key);

#endif							/* PLATFORM_ALERT_H */
