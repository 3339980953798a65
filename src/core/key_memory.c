/*
 * key_memory.c
 *	  Memory for keys: apart from the heap, not in core dumps, not inherited.
 */
#include "core/platform.h"

#include <sys/mman.h>
#include <unistd.h>

#include "storage/ipc.h"

#include "core/crypto.h"
#include "core/crypto_aead.h"
#include "core/key_memory.h"

#define MAX_REGIONS 8

bool		platform_key_memory_wiped_on_fork = true;

static struct
{
	void	   *pages;
	size_t		size;
}			regions[MAX_REGIONS];
static int	region_count = 0;

static void
wipe_at_exit(int code, Datum arg)
{
	/* it finds its contexts in key memory */
	platform_aead_forget();
	for (int i = 0; i < region_count; i++)
		platform_wipe(regions[i].pages, regions[i].size);
}

void *
platform_key_memory(size_t size)
{
	long		page = sysconf(_SC_PAGESIZE);
	void	   *pages;

	if (region_count == MAX_REGIONS)
		elog(ERROR, "too many regions of key memory");
	size = (size + page - 1) / page * page;
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not allocate memory for keys: %m")));
#ifdef MADV_DONTDUMP
	(void) madvise(pages, size, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
	if (madvise(pages, size, MADV_WIPEONFORK) != 0)
		platform_key_memory_wiped_on_fork = false;
#else
	platform_key_memory_wiped_on_fork = false;
#endif
	if (region_count == 0)
		on_proc_exit(wipe_at_exit, (Datum) 0);
	regions[region_count].pages = pages;
	regions[region_count++].size = size;
	return pages;
}
