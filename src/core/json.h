/*
 * json.h
 *	  JSON whose text must not leak into errors or logs.
 *
 * The server's parser quotes its input when it fails; this one fails with
 * NULL.  Objects with a repeated member are refused, as are U+0000, invalid
 * UTF-8, text after the value and nesting deeper than 2048.
 */
#ifndef PLATFORM_JSON_H
#define PLATFORM_JSON_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

typedef struct json_t PlatformJson;

/* An object or array, freed with the current memory context; NULL when invalid. */
extern const PlatformJson *platform_json_parse(const char *text, size_t length);

/* The same, but numbers are doubles where an integer is beyond 64 bits. */
extern const PlatformJson *platform_json_parse_wide(const char *text, size_t length);

/* The first again; tells where it is invalid, from 1 (0: nowhere in particular). */
extern const PlatformJson *platform_json_parse_located(const char *text, size_t length,
													   int *line, int *column);

extern bool platform_json_is_object(const PlatformJson *json);
extern bool platform_json_is_array(const PlatformJson *json);

/* A member; NULL when it is missing or null, or when json is no object. */
extern const PlatformJson *platform_json_get(const PlatformJson *json, const char *key);

/* Is there such a member, be it null? */
extern bool platform_json_has(const PlatformJson *json, const char *key);

/* Items of an array; 0 and NULL for anything else. */
extern size_t platform_json_length(const PlatformJson *json);
extern const PlatformJson *platform_json_item(const PlatformJson *json, size_t index);

/*
 * The text of a string, NULL for anything else; as long-lived as the parsed
 * value.  A text that the database's encoding may not have is NULL too.
 */
extern const char *platform_json_text(const PlatformJson *json);

/* The value of a number; false for anything else. */
extern bool platform_json_number(const PlatformJson *json, double *number);

/*
 * The server's form of the value; NULL when it has a text that the database's
 * encoding may not have.
 */
extern Jsonb *platform_json_to_jsonb(const PlatformJson *json);

/* Appends a member's name as a step of a pointer (RFC 6901, section 4). */
extern void platform_append_step(StringInfo pointer, const char *name, int length);

/* Overwrites every string of a value that held secrets. */
extern void platform_json_wipe(const PlatformJson *json);

#endif							/* PLATFORM_JSON_H */
