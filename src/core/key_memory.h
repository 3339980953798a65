/*
 * key_memory.h
 *	  Memory for keys: apart from the heap, not in core dumps, not inherited.
 */
#ifndef PLATFORM_KEY_MEMORY_H
#define PLATFORM_KEY_MEMORY_H

/*
 * Zeroed pages for the life of the process, overwritten when it ends.  Where
 * the kernel can do so they are left out of core dumps and are zeroes again in
 * a forked process: keep in them also what says that they hold something.
 */
extern void *platform_key_memory(size_t size);

/* Does the kernel keep a forked process from inheriting them? */
extern bool platform_key_memory_wiped_on_fork;

#endif							/* PLATFORM_KEY_MEMORY_H */
