/*
 * quality.c
 *	  How a call over the network sounds: the E-model of ITU-T G.107, simplified.
 *
 * R = 93.2 - Id - Ie,eff: the model's rating with all its defaults, less what
 * delay and loss take away.
 *
 *	Id		delay: 0.024 d + 0.11 (d - 177.3) beyond 177.3 ms, the common
 *			simplification of G.107's formula for a call without echo (Cole and
 *			Rosenbluth, 2001); d is half the round trip, a packet of 20 ms, and a
 *			jitter buffer of twice the jitter
 *	Ie,eff	loss: Ie + (95 - Ie) Ppl / (Ppl + Bpl), G.107 (7-29) for random loss,
 *			with Ie 0 and Bpl 25.1: G.711 with concealment, G.113 appendix I
 *
 * MOS from R as in G.107 annex B.
 */
#include "core/platform.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "calls/quality.h"
#include "core/error.h"

#define R_DEFAULT		93.2
#define PACKET_MS		20.0
#define JITTER_BUFFER	2.0
#define DELAY_KNEE_MS	177.3
#define LOSS_IE			0.0
#define LOSS_BPL		25.1

double
platform_estimate_mos_value(double round_trip_ms, double jitter_ms, double loss_percent)
{
	double		delay = round_trip_ms / 2 + PACKET_MS + JITTER_BUFFER * jitter_ms;
	double		r = R_DEFAULT - 0.024 * delay;
	double		mos;

	if (delay > DELAY_KNEE_MS)
		r -= 0.11 * (delay - DELAY_KNEE_MS);
	r -= LOSS_IE + (95 - LOSS_IE) * loss_percent / (loss_percent + LOSS_BPL);
	if (r <= 0)
		return 1;
	mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
	return Max(mos, 1);
}

Datum
platform_mos_numeric(double mos)
{
	return DirectFunctionCall2(numeric_round,
							   DirectFunctionCall1(float8_numeric, Float8GetDatum(mos)),
							   Int32GetDatum(2));
}

double
platform_quality_argument(FunctionCallInfo fcinfo, int argument, const char *name, double most)
{
	double		value;

	if (PG_ARGISNULL(argument))
		return 0;
	value = PG_GETARG_FLOAT8(argument);
	if (isnan(value) || value < 0 || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 0 and %.0f", name, most)));
	return value;
}

PG_FUNCTION_INFO_V1(platform_estimate_mos);

/*
 * platform.estimate_mos(round_trip_time_ms double precision, jitter_ms double precision DEFAULT 0,
 *						 packet_loss_percent double precision DEFAULT 0)
 *		RETURNS numeric
 *
 * How a call with that delay, jitter and loss sounds: the mean opinion score, 1
 * (bad) to 4.4 (as good as a telephone gets), by the E-model of ITU-T G.107,
 * simplified. NULL counts as 0; NULL when all are. Errors: 22023 below 0, loss
 * above 100, delays above 60000 ms.
 */
Datum
platform_estimate_mos(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) && PG_ARGISNULL(1) && PG_ARGISNULL(2))
		PG_RETURN_NULL();
	return platform_mos_numeric(platform_estimate_mos_value(
		platform_quality_argument(fcinfo, 0, "round_trip_time_ms", QUALITY_MS_MAX),
		platform_quality_argument(fcinfo, 1, "jitter_ms", QUALITY_MS_MAX),
		platform_quality_argument(fcinfo, 2, "packet_loss_percent", 100)));
}
