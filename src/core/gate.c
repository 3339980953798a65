/*
 * gate.c
 *	  What modules say for each other: see gate.h.
 */
#include "core/platform.h"

#include "core/account.h"
#include "core/gate.h"

PlatformFeatureGate platform_feature_gate = NULL;
PlatformUsageGate platform_usage_gate = NULL;
const PlatformSmsQuota *platform_sms_quota = NULL;
PlatformAccountFinder platform_account_finder = NULL;
