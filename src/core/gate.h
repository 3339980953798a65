/*
 * gate.h
 *	  What modules say for each other: may an organization do this now?
 *
 * A module that keeps such a gate puts its function here in its init; where it
 * is NULL, or the module's tables are not installed, the gate is open. None of
 * them asks who calls.
 */
#ifndef PLATFORM_GATE_H
#define PLATFORM_GATE_H

/* Is the feature on for the organization? Kept by features. */
typedef bool (*PlatformFeatureGate) (const pg_uuid_t *organization,
									 const char *feature, int length);

/*
 * Why the organization may start nothing more that is counted: a constant in
 * capitals, such as HARD_STOP; NULL while it may. Kept by usage.
 */
typedef const char *(*PlatformUsageGate) (const pg_uuid_t *organization);

/*
 * What an organization may still send by SMS, in segments. Kept by usage, asked
 * by messaging. The message's id is the reservation's: every one of these may be
 * called again for the same message without further effect. They are called in
 * the transaction that queues or finishes the message, also between
 * platform_query_begin() and _end(), and may wait for other transactions.
 */
typedef struct PlatformSmsQuota
{
	/* Why so many segments may not be sent now, without taking any: NULL, they may. */
	const char *(*check) (const pg_uuid_t *organization, int segments);

	/*
	 * Takes so many segments, and returns NULL; or takes none and returns why: a
	 * constant in capitals, such as USAGE_CAP_REACHED.
	 */
	const char *(*reserve) (const pg_uuid_t *organization, const pg_uuid_t *message,
							int segments);

	/* The message was sent: what was reserved is used, as so many segments. */
	void		(*commit) (const pg_uuid_t *organization, const pg_uuid_t *message,
						   int segments, const char *to_number,
						   const char *provider_message_id);

	/* It will not be sent: what was reserved is free again. */
	void		(*release) (const pg_uuid_t *organization, const pg_uuid_t *message);
} PlatformSmsQuota;

extern PlatformFeatureGate platform_feature_gate;
extern PlatformUsageGate platform_usage_gate;
extern const PlatformSmsQuota *platform_sms_quota;

#endif							/* PLATFORM_GATE_H */
