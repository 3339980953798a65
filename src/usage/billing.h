/*
 * billing.h
 *	  What bills and reconciliation share.
 *
 *	billing_lines.c		generate_billing_line_items(), invoice_preview()
 *	billing_disputes.c	disputes; line items are not changed
 *	reconcile.c			reconcile_usage(): counters against events
 *	reconcile_correct.c	setting counters right
 *
 * Statements over sets are large and use names of pg_catalog as they are, with
 * search_path set to it around each.
 */
#ifndef PLATFORM_CAPS_BILLING_H
#define PLATFORM_CAPS_BILLING_H

#include "core/module.h"
#include "core/query.h"

extern PlatformModule platform_billing_module;

/* Around queries: nothing is found along the caller's search_path. */
extern int	platform_billing_pin(void);
extern void platform_billing_unpin(int level);

/* platform_query_run() between those two. */
extern uint64 platform_billing_run(PlatformQuery *query, const Datum *values, const bool *nulls);

/* Periods and customers of one call, at most. */
#define BILLING_MAX_COUNT 1000000

/* Corrects what the run found and has not corrected; how many periods that were. */
extern int64 platform_billing_correct(const pg_uuid_t *run);

#endif							/* PLATFORM_CAPS_BILLING_H */
