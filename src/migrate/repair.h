/*
 * repair.h
 *	  An applied migration whose objects are gone in part is made whole.
 */
#ifndef PLATFORM_REPAIR_H
#define PLATFORM_REPAIR_H

#include "migrate/migrate.h"

/* The shapes of a version that are missing or different. */
extern List *platform_faulty_shapes(List *shapes, int version);

/* Is a statement of the migration about one of the tables (char *)? */
extern bool platform_concerns_tables(const Migration *migration, List *tables);

/*
 * Runs again what declares the faulty shapes, and all that is about a table
 * in recreated, to which it adds the tables that it had to create.  False when
 * faults remain that the migration's statements cannot mend.
 */
extern bool platform_repair(const Migration *migration, List *shapes, List **recreated);

#endif							/* PLATFORM_REPAIR_H */
