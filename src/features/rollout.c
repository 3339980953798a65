/*
 * rollout.c
 *	  MurmurHash3 x86_32, and the buckets of percentage rollouts.
 *
 * The hash is that of Austin Appleby's public-domain MurmurHash3, as Unleash
 * and its SDKs use it; blocks are read in little-endian order on every
 * machine, so that a bucket is the same everywhere.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"

#include "features/flags.h"

PG_FUNCTION_INFO_V1(platform_murmur3);
PG_FUNCTION_INFO_V1(platform_rollout_bucket);

/* State of an incremental hash: up to three bytes wait for their block. */
typedef struct Murmur3
{
	uint32		hash;
	uint32		tail;
	int			tail_length;
	uint32		length;
} Murmur3;

static inline uint32
murmur3_scramble(uint32 block)
{
	block *= 0xcc9e2d51;
	block = pg_rotate_left32(block, 15);
	return block * 0x1b873593;
}

static void
murmur3_add(Murmur3 *state, const void *data, size_t length)
{
	const uint8 *bytes = data;

	for (size_t i = 0; i < length; i++)
	{
		state->tail |= (uint32) bytes[i] << (8 * state->tail_length);
		if (++state->tail_length == 4)
		{
			state->hash ^= murmur3_scramble(state->tail);
			state->hash = pg_rotate_left32(state->hash, 13);
			state->hash = state->hash * 5 + 0xe6546b64;
			state->tail = 0;
			state->tail_length = 0;
		}
	}
	state->length += (uint32) length;
}

static uint32
murmur3_finish(Murmur3 *state)
{
	uint32		hash = state->hash;

	if (state->tail_length > 0)
		hash ^= murmur3_scramble(state->tail);
	hash ^= state->length;
	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ (hash >> 16);
}

uint32
platform_murmur3_hash(const void *data, size_t length, uint32 seed)
{
	Murmur3		state = {.hash = seed};

	murmur3_add(&state, data, length);
	return murmur3_finish(&state);
}

/* Adds text of the database's encoding as UTF-8. */
static void
murmur3_add_text(Murmur3 *state, const char *string, int length)
{
	char	   *utf8 = length > 0 ? pg_server_to_any(string, length, PG_UTF8) : NULL;

	if (utf8 != NULL && utf8 != string)
		length = strlen(utf8);
	murmur3_add(state, utf8, length);
}

/* The hash of "salt:key". */
uint32
platform_rollout_hash(const char *salt, const char *key, int key_length, uint32 seed)
{
	Murmur3		state = {.hash = seed};

	murmur3_add_text(&state, salt, strlen(salt));
	murmur3_add(&state, ":", 1);
	murmur3_add_text(&state, key, key_length);
	return murmur3_finish(&state);
}

/*
 * platform.murmur3(data bytea, seed bigint DEFAULT 0) returns bigint
 *
 * MurmurHash3 x86_32 of data as an unsigned number, 0 .. 4294967295. NULL for
 * NULL. Any caller. Errors: 22023 for a seed outside 0 .. 4294967295.
 */
Datum
platform_murmur3(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	int64		seed = PG_GETARG_INT64(1);

	if (seed < 0 || seed > (int64) PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("seed must be between 0 and %u", PG_UINT32_MAX)));
	PG_RETURN_INT64((int64) platform_murmur3_hash(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data),
												  (uint32) seed));
}

/*
 * platform.rollout_bucket(salt text, key text) returns integer
 *
 * The place of key among 100000 equal buckets, 0 .. 99999: a feature with that
 * salt and a rollout of p percent is on for key when the bucket is less than
 * round(p * 1000). NULL for NULL. Any caller.
 */
Datum
platform_rollout_bucket(PG_FUNCTION_ARGS)
{
	text	   *key = PG_GETARG_TEXT_PP(1);
	char	   *salt = text_to_cstring(PG_GETARG_TEXT_PP(0));
	uint32		hash = platform_rollout_hash(salt, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key),
											 ROLLOUT_SEED);

	PG_RETURN_INT32((int32) (((uint64) hash * ROLLOUT_BUCKETS) >> 32));
}
