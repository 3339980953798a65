/*
 * nonce.c
 *	  Random nonces, drawn from a small buffer of the process.
 *
 * The buffer belongs to the process that filled it: one that a fork cloned
 * would give out the same nonces twice.  It is either zeroes in the child, by
 * the kernel, or the process id tells.  What is given out is overwritten.
 *
 * Long nonces for a key have a first half in common, 256 of them: XAES derives a
 * key from it, which is then done once for all of these.  Their second halves
 * alone, random 96 bits each, meet with a probability of 2^-81, and two groups
 * share a first half with 2^-96.  Which key it is goes by its number: were two
 * keys to have the same, all that they had in common is the first half.
 */
#include "core/platform.h"

#include <unistd.h>

#include "miscadmin.h"

#include "core/crypto.h"
#include "core/crypto_aead.h"
#include "core/key_memory.h"
#include "core/nonce.h"

#define HALF_SIZE	(PLATFORM_XAES_NONCE_SIZE / 2)
#define GROUP_SIZE	256

typedef struct NonceBuffer
{
	pid_t		owner;
	size_t		available;
	uint8		bytes[2048];

	/* the group in progress: its key, its first half, how many are left */
	int			left;
	int32		key_id;
	uint8		half[HALF_SIZE];
} NonceBuffer;

static NonceBuffer *buffer = NULL;

/* The buffer, with so many bytes of this very process. */
static NonceBuffer *
have_bytes(size_t length)
{
	pid_t		process = platform_key_memory_wiped_on_fork ? MyProcPid : getpid();

	if (buffer == NULL)
		buffer = platform_key_memory(sizeof(NonceBuffer));
	if (buffer->owner != process)
		buffer->left = 0;
	if (buffer->owner != process || buffer->available < length)
	{
		platform_random_bytes(buffer->bytes, sizeof(buffer->bytes));
		buffer->available = sizeof(buffer->bytes);
		buffer->owner = process;
	}
	return buffer;
}

void
platform_draw_nonce(uint8 *nonce, size_t length)
{
	have_bytes(length)->available -= length;
	memcpy(nonce, buffer->bytes + buffer->available, length);
	platform_wipe(buffer->bytes + buffer->available, length);
}

void
platform_draw_long_nonce(int32 key_id, uint8 *nonce)
{
	NonceBuffer *group = have_bytes(PLATFORM_XAES_NONCE_SIZE);

	if (group->left == 0 || group->key_id != key_id)
	{
		platform_draw_nonce(group->half, HALF_SIZE);
		group->key_id = key_id;
		group->left = GROUP_SIZE;
	}
	group->left--;
	memcpy(nonce, group->half, HALF_SIZE);
	platform_draw_nonce(nonce + HALF_SIZE, HALF_SIZE);
}
