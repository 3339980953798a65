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

extern PlatformFeatureGate platform_feature_gate;
extern PlatformUsageGate platform_usage_gate;

#endif							/* PLATFORM_GATE_H */
