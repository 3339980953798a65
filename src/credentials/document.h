/*
 * document.h
 *	  A provider's document: finding and replacing its secret strings.
 *
 * In a stored document a secret string is {"$enc": "<envelope>"}.
 */
#ifndef PLATFORM_DOCUMENT_H
#define PLATFORM_DOCUMENT_H

#include "utils/jsonb.h"

/* JSON pointers of secret strings; a part * matches any. */
typedef struct DocumentPaths
{
	int			count;
	const char **paths;
} DocumentPaths;

typedef enum DocumentLeafKind
{
	LEAF_TEXT,					/* a string at one of the paths, in clear */
	LEAF_ENVELOPE,				/* an encrypted one, wherever it stands */
	LEAF_NULL					/* as a replacement only */
} DocumentLeafKind;

typedef struct DocumentLeaf
{
	DocumentLeafKind kind;
	const char *text;			/* not terminated */
	int			length;
} DocumentLeaf;

/* Looks at a leaf, and changes it if it is to be replaced. */
typedef void (*DocumentVisitor) (const char *pointer, DocumentLeaf *leaf, void *arg);

/*
 * The document with its leaves as the visitor leaves them. Errors: PT422 naming
 * the pointer when the document is no object, or what stands at one of the
 * paths is no string.
 */
extern Jsonb *platform_document_map(Jsonb *document, const DocumentPaths *paths,
									DocumentVisitor visit, void *arg);

/* The encrypted leaf at a pointer; false when there is none. */
extern bool platform_document_envelope(Jsonb *document, const char *pointer, DocumentLeaf *leaf);

#endif							/* PLATFORM_DOCUMENT_H */
