/*
 * nonce.c
 *	  Random nonces, drawn from a small buffer of the process.
 *
 * The buffer belongs to the process that filled it: one that a fork cloned
 * would give out the same nonces twice.  It is either zeroes in the child, by
 * the kernel, or the process id tells.  What is given out is overwritten.
 */
#include "core/platform.h"

#include <unistd.h>

#include "miscadmin.h"

#include "core/crypto.h"
#include "core/key_memory.h"
#include "core/nonce.h"

typedef struct NonceBuffer
{
	pid_t		owner;
	size_t		available;
	uint8		bytes[2048];
} NonceBuffer;

static NonceBuffer *buffer = NULL;

void
platform_draw_nonce(uint8 *nonce, size_t length)
{
	pid_t		process = platform_key_memory_wiped_on_fork ? MyProcPid : getpid();

	if (buffer == NULL)
		buffer = platform_key_memory(sizeof(NonceBuffer));
	if (buffer->owner != process || buffer->available < length)
	{
		platform_random_bytes(buffer->bytes, sizeof(buffer->bytes));
		buffer->available = sizeof(buffer->bytes);
		buffer->owner = process;
	}
	buffer->available -= length;
	memcpy(nonce, buffer->bytes + buffer->available, length);
	platform_wipe(buffer->bytes + buffer->available, length);
}
