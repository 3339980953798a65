/*
 * place.h
 *	  Where rows were found last: memory that spares an index.
 *
 * What it says is a guess: the place may be empty by now, or another row's. Who
 * asks looks there, and at the index when it is not what was wanted. So nothing has
 * to be told when rows move or go.
 */
#ifndef PLATFORM_PLACE_H
#define PLATFORM_PLACE_H

#include "storage/buf.h"
#include "storage/itemptr.h"

typedef struct PlatformPlace
{
	uint32		hash;			/* of the key */
	ItemPointerData tid;		/* to which the index leads; invalid: nothing is known */
	uint16		offset;			/* where in its page the row was */
	Buffer		buffer;			/* where its page was */
} PlatformPlace;

/* Zeros are an empty one. It grows with what it has to hold, to a megabyte. */
typedef struct PlatformPlaces
{
	PlatformPlace *places;
	void	   *memory;			/* that they are in */
	uint32		nsets;			/* a power of two */
	uint32		displaced;		/* since it grew */
} PlatformPlaces;

/* NULL: nothing is known. Good until the next platform_place_remember(). */
extern PlatformPlace *platform_place_find(PlatformPlaces *places, uint32 hash);

extern void platform_place_remember(PlatformPlaces *places, uint32 hash, const ItemPointerData *tid,
									Buffer buffer, uint16 offset);

#endif							/* PLATFORM_PLACE_H */
