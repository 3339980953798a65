/*
 * place.c
 *	  Where rows were found last: see place.h.
 *
 * Four places make a set, 64 bytes, which a look-up reads at once. The hash chooses
 * the set; in a full one a place is taken from another key, in turn. When that has
 * happened as often as there are sets, there are more keys than room: the number of
 * sets doubles. All of it lives as long as the backend.
 */
#include "core/platform.h"

#include "utils/memutils.h"

#include "core/place.h"

#define PLACE_WAYS		4
#define PLACE_FIRST_SETS	64
#define PLACE_MOST_SETS	16384

static PlatformPlace *
place_set(const PlatformPlaces *places, uint32 hash)
{
	return &places->places[(hash & (places->nsets - 1)) * PLACE_WAYS];
}

PlatformPlace *
platform_place_find(PlatformPlaces *places, uint32 hash)
{
	PlatformPlace *set;

	if (places->nsets == 0)
		return NULL;
	set = place_set(places, hash);
	for (int i = 0; i < PLACE_WAYS; i++)
		if (set[i].hash == hash && ItemPointerIsValid(&set[i].tid))
			return &set[i];
	return NULL;
}

/* The place of the key, or a free one, or that of another key. */
static PlatformPlace *
place_take(PlatformPlaces *places, uint32 hash)
{
	PlatformPlace *set = place_set(places, hash);
	PlatformPlace *place = platform_place_find(places, hash);

	for (int i = 0; place == NULL && i < PLACE_WAYS; i++)
		if (!ItemPointerIsValid(&set[i].tid))
			place = &set[i];
	return place != NULL ? place : &set[places->displaced++ % PLACE_WAYS];
}

static void
place_grow(PlatformPlaces *places)
{
	PlatformPlaces new = {.nsets = places->nsets == 0 ? PLACE_FIRST_SETS : places->nsets * 2};

	/* Sets begin where lines of the processor's cache do. */
	new.memory = MemoryContextAllocZero(TopMemoryContext,
										(Size) new.nsets * PLACE_WAYS * sizeof(PlatformPlace) +
										PG_CACHE_LINE_SIZE);
	new.places = (PlatformPlace *) CACHELINEALIGN(new.memory);
	for (uint32 i = 0; i < places->nsets * PLACE_WAYS; i++)
		if (ItemPointerIsValid(&places->places[i].tid))
			*place_take(&new, places->places[i].hash) = places->places[i];
	if (places->memory != NULL)
		pfree(places->memory);
	*places = new;
	places->displaced = 0;
}

void
platform_place_remember(PlatformPlaces *places, uint32 hash, const ItemPointerData *tid,
						Buffer buffer, uint16 offset)
{
	PlatformPlace *place;

	if (places->displaced >= places->nsets && places->nsets < PLACE_MOST_SETS)
		place_grow(places);
	place = place_take(places, hash);
	place->hash = hash;
	place->tid = *tid;
	place->offset = offset;
	place->buffer = buffer;
}
