/*
 * module.h
 *	  Is the installation there, and new enough for this library?
 */
#ifndef PLATFORM_MODULE_H
#define PLATFORM_MODULE_H

/*
 * A module's requirement: the number of the newest migration (see
 * platform.migrations) that its C code relies on.  Declare one static
 * variable per module and call platform_require_module() at the head of each
 * SQL-callable function that touches tables.
 */
typedef struct PlatformModule
{
	const char *name;
	int			version;
	uint64		checked;		/* cache generation of the last success */
} PlatformModule;

extern void platform_module_init(void);

/*
 * Raises 55000 with the hint to run platform.install() unless the migration
 * is applied.  Costs one comparison while nothing changed.
 */
extern void platform_require_module(PlatformModule *module);

/* The same question without the error. */
extern bool platform_module_installed(PlatformModule *module);

/* Oid of platform.<name>, or InvalidOid; remembered until a relation changes. */
extern Oid	platform_relation_oid(const char *name, bool missing_ok);

#endif							/* PLATFORM_MODULE_H */
