/*
 * key_file.h
 *	  Files with keys: who may have touched them, and have they changed?
 */
#ifndef PLATFORM_KEY_FILE_H
#define PLATFORM_KEY_FILE_H

#include <sys/stat.h>
#include <time.h>

/* What tells one version of a file from another. */
typedef struct PlatformFileStamp
{
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec modified;
	struct timespec changed;
} PlatformFileStamp;

/*
 * Opens a regular file of the server's user or root, of at most max_size
 * bytes, that its group cannot write and others cannot access at all.  Returns
 * a transient file, or -1 with *fault: why not.
 */
extern int	platform_key_file_open(const char *path, off_t max_size,
								   PlatformFileStamp *stamp, const char **fault);

/* Reads and closes it: stamp->size bytes, or fewer when it became shorter; -1 with *fault. */
extern ssize_t platform_key_file_read(int file, const PlatformFileStamp *stamp,
									  void *bytes, const char **fault);

/* Is the file still that version, and still in good hands? */
extern bool platform_key_file_unchanged(const char *path, off_t max_size,
										const PlatformFileStamp *stamp);

#endif							/* PLATFORM_KEY_FILE_H */
