/*
 * quality.h
 *	  How a call over the network sounds: see quality.c.
 */
#ifndef PLATFORM_CALLS_QUALITY_H
#define PLATFORM_CALLS_QUALITY_H

#define QUALITY_MS_MAX 60000

/* The mean opinion score, 1 to 4.4. */
extern double platform_estimate_mos_value(double round_trip_ms, double jitter_ms,
										  double loss_percent);

/* With two decimals. */
extern Datum platform_mos_numeric(double mos);

/* A measurement from 0 to most; NULL: 0. 22023 otherwise. */
extern double platform_quality_argument(FunctionCallInfo fcinfo, int argument,
										const char *name, double most);

#endif							/* PLATFORM_CALLS_QUALITY_H */
