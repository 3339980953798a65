/*
 * uuid7.c
 *	  Time-ordered keys: UUID version 7 (RFC 9562, section 5.7).
 *
 * Layout: 48 bits of Unix milliseconds, the version, 12 bits of the fraction
 * of the millisecond (section 6.2, method 3), the variant, 62 random bits.
 * Within a backend keys strictly increase even when the clock stands or steps
 * back: the last timestamp, counted in 1/4096 ms, is raised by one. The random
 * bits come from the server's strong generator, for many keys at a time; a
 * backend never has another one's, since it fetches its first ones itself.
 */
#include "core/platform.h"

#include <sys/time.h>
#include <time.h>

#include "common/pg_prng.h"
#include "port/pg_bswap.h"
#include "utils/timestamp.h"

#include "core/uuid7.h"

#define FRACTIONS_PER_MS	4096

#define RANDOM_BYTES	8		/* of a key */
#define RANDOM_POOL		512		/* fetched at a time: one key's would cost as much */

static uint64 last_fraction = 0;

static uint8 pool[RANDOM_POOL];
static int	pool_used = RANDOM_POOL;

static void
take_random(uint8 *bytes)
{
	if (pool_used == RANDOM_POOL)
	{
		if (!pg_strong_random(pool, RANDOM_POOL))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		pool_used = 0;
	}
	memcpy(bytes, pool + pool_used, RANDOM_BYTES);
	pool_used += RANDOM_BYTES;
}

void
platform_make_uuid7(pg_uuid_t *uuid)
{
	struct timespec now;
	uint64		fraction;
	uint64		high;

	clock_gettime(CLOCK_REALTIME, &now);
	fraction = (uint64) now.tv_sec * 1000 * FRACTIONS_PER_MS +
		(uint64) now.tv_nsec * FRACTIONS_PER_MS / 1000000;
	if (fraction <= last_fraction)
		fraction = last_fraction + 1;
	last_fraction = fraction;

	high = pg_hton64((fraction / FRACTIONS_PER_MS) << 16 |
					 UINT64CONST(0x7000) | fraction % FRACTIONS_PER_MS);
	memcpy(uuid->data, &high, sizeof(high));
	take_random(uuid->data + UUID_LEN - RANDOM_BYTES);
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
}

PG_FUNCTION_INFO_V1(platform_uuid7);

/*
 * platform.uuid7() returns uuid
 *
 * A key for a new row: version 7, strictly increasing within a session, and
 * by time across sessions.
 */
Datum
platform_uuid7(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	platform_make_uuid7(uuid);
	PG_RETURN_UUID_P(uuid);
}

PG_FUNCTION_INFO_V1(platform_uuid7_time);

/*
 * platform.uuid7_time(uuid uuid) returns timestamptz
 *
 * The moment a version 7 key was made, to the millisecond; 22023 for a uuid
 * of another version.
 */
Datum
platform_uuid7_time(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = PG_GETARG_UUID_P(0);
	uint64		high;
	int64		milliseconds;

	if (uuid->data[6] >> 4 != 7 || uuid->data[8] >> 6 != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("uuid is not of version 7")));
	memcpy(&high, uuid->data, sizeof(high));
	milliseconds = (int64) (pg_ntoh64(high) >> 16);
	PG_RETURN_TIMESTAMPTZ(milliseconds * 1000 -
						  (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
}
