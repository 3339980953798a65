/*
 * credentials.h
 *	  What the files of this module share.
 */
#ifndef PLATFORM_CREDENTIALS_H
#define PLATFORM_CREDENTIALS_H

#include "core/data_key.h"
#include "core/secret.h"

/* A column of platform.secret_columns. */
typedef struct SecretColumn
{
	const char *table;			/* qualified and quoted */
	const char *name;
	const char *purpose;
} SecretColumn;

/*
 * What is found in a column: a value that stands where an envelope should,
 * with the place to which it is bound.
 */
typedef void (*SecretVisitor) (const SecretColumn *column, const PlatformSecretPlace *place,
							   const char *value, size_t length, void *arg);

/*
 * Visits the secrets of the columns that are listed, as the caller; of one
 * organization, or of all for NULL; of one purpose, or of all. Columns that are
 * not there, or of no use, are passed over with a warning. True when there are
 * any and all were looked through.
 */
extern bool platform_scan_secrets(const pg_uuid_t *organization, const char *purpose,
								  SecretVisitor visit, void *arg);

#endif							/* PLATFORM_CREDENTIALS_H */
