/*
 * capability.h
 *	  May a chatbot chat or take calls at this moment? (Module capabilities.)
 *
 * Answers come from memory: no query while nothing changed, but for the usage
 * gate, whose counters are never cached. They are those of this very moment in
 * every isolation level. Who calls is not asked: platform_require_organization()
 * comes first.
 */
#ifndef PLATFORM_CAPABILITY_H
#define PLATFORM_CAPABILITY_H

typedef enum PlatformCapability
{
	CAPABILITY_CHAT,
	CAPABILITY_CALL
} PlatformCapability;

/* In the order in which they are looked at: the first closed one is reported. */
typedef enum PlatformGate
{
	GATE_OPEN,					/* all of them */
	GATE_ORGANIZATION,
	GATE_PACKAGE,
	GATE_CHATBOT,
	GATE_MODEL,
	GATE_FEATURE,
	GATE_USAGE
} PlatformGate;

typedef struct PlatformCapabilityAnswer
{
	PlatformGate gate;			/* the first that is closed */
	const char *reason;			/* a constant in capitals; OPEN when none is */
	bool		chatbot_found;
} PlatformCapabilityAnswer;

/* chatbot NULL: a call by people, for which only the organization's own gates count. */
extern void platform_capability_check(const pg_uuid_t *organization, const pg_uuid_t *chatbot,
									  PlatformCapability capability,
									  PlatformCapabilityAnswer *answer);

/* PT404 no such chatbot, PT429 usage, PT403 any other gate, which DETAIL names. */
extern void platform_capability_require(const pg_uuid_t *organization, const pg_uuid_t *chatbot,
										PlatformCapability capability);

extern const char *platform_gate_name(PlatformGate gate);

#endif							/* PLATFORM_CAPABILITY_H */
