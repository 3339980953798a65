/*
 * adopt.h
 *	  A table that is there already becomes the one that a migration declares.
 */
#ifndef PLATFORM_ADOPT_H
#define PLATFORM_ADOPT_H

#include "migrate/migrate.h"

typedef struct Adoption
{
	const Migration *migration;
	const char *script;			/* the text that the nodes' locations refer to */
	CreateStmt *create;
	const char *table;
	Oid			relid;
} Adoption;

/* Is a relation of that name in our schema? */
extern bool platform_table_exists(const CreateStmt *create);

/*
 * Makes the table of a CREATE TABLE fit it; 42501 unless the current user owns
 * it, 42804 for a type without an assignment cast, 23xxx for rows that break a
 * declared constraint. whole: the declaration is complete, so that a column which
 * it does not say to be NOT NULL becomes one that takes nulls.
 */
extern void platform_adopt_table(const Migration *migration, const Statement *statement,
								 bool whole);

/* Drops an index that has the name of a CREATE INDEX but other columns. */
extern void platform_adopt_index(const Migration *migration, const Statement *statement);

/* The constraints' part of platform_adopt_table(). */
extern void platform_adopt_constraints(const Adoption *adoption);

/* One ALTER TABLE action on the table. */
extern void platform_adopt_alter(const Adoption *adoption, AlterTableType action,
								 const char *name, Node *definition);

#endif							/* PLATFORM_ADOPT_H */
