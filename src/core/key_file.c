/*
 * key_file.c
 *	  Files with keys: who may have touched them, and have they changed?
 */
#include "core/platform.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/fd.h"

#include "core/key_file.h"

/* Keeps strangers from reading keys, and others from adding some. */
static const char *
file_fault(const struct stat *status, off_t max_size)
{
	if (!S_ISREG(status->st_mode))
		return "it is not a regular file";
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return "it must belong to the server's user or root";
	if (status->st_mode & (S_IWGRP | S_IRWXO))
		return "it must not be writable by its group or accessible to others (chmod 0640 or less)";
	if (status->st_size > max_size)
		return "it is too large";
	return NULL;
}

static void
make_stamp(const struct stat *status, PlatformFileStamp *stamp)
{
	memset(stamp, 0, sizeof(PlatformFileStamp));
	stamp->device = status->st_dev;
	stamp->inode = status->st_ino;
	stamp->size = status->st_size;
	stamp->modified = status->st_mtim;
	stamp->changed = status->st_ctim;
}

int
platform_key_file_open(const char *path, off_t max_size,
					   PlatformFileStamp *stamp, const char **fault)
{
	int			file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat status;

	if (file < 0)
	{
		*fault = strerror(errno);
		return -1;
	}
	*fault = fstat(file, &status) != 0 ? strerror(errno) : file_fault(&status, max_size);
	if (*fault != NULL)
	{
		CloseTransientFile(file);
		return -1;
	}
	make_stamp(&status, stamp);
	return file;
}

ssize_t
platform_key_file_read(int file, const PlatformFileStamp *stamp, void *bytes, const char **fault)
{
	ssize_t		length = 0;

	while (length < stamp->size)
	{
		ssize_t		got = read(file, (char *) bytes + length, stamp->size - length);

		if (got < 0)
		{
			*fault = strerror(errno);
			length = -1;
			break;
		}
		if (got == 0)
			break;
		length += got;
	}
	CloseTransientFile(file);
	return length;
}

bool
platform_key_file_unchanged(const char *path, off_t max_size, const PlatformFileStamp *stamp)
{
	struct stat status;
	PlatformFileStamp now;

	if (stat(path, &status) != 0 || file_fault(&status, max_size) != NULL)
		return false;
	make_stamp(&status, &now);
	return memcmp(&now, stamp, sizeof(PlatformFileStamp)) == 0;
}
