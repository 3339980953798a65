/*
 * uuid5.c
 *	  Keys made from names: UUID version 5 (RFC 9562, section 5.5).
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"

#include "core/crypto.h"
#include "core/uuid5.h"

void
platform_make_uuid5(const pg_uuid_t *name_space, const char *name, size_t length, pg_uuid_t *uuid)
{
	PlatformBytes parts[] = {{name_space->data, UUID_LEN}, {(const uint8 *) name, length}};
	uint8		digest[PLATFORM_HASH_MAX_SIZE];

	platform_hash_parts(PLATFORM_SHA1, parts, lengthof(parts), digest);
	memcpy(uuid->data, digest, UUID_LEN);
	uuid->data[6] = (uuid->data[6] & 0x0f) | 0x50;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
}

PG_FUNCTION_INFO_V1(platform_uuid5);

/*
 * platform.uuid5(namespace uuid, name text) returns uuid
 *
 * The key of a name in a namespace: version 5, over the UTF-8 form of the
 * name.  NULL for NULL.
 */
Datum
platform_uuid5(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));
	text	   *name = PG_GETARG_TEXT_PP(1);
	char	   *utf8 = pg_server_to_any(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), PG_UTF8);
	size_t		length = utf8 == VARDATA_ANY(name) ? VARSIZE_ANY_EXHDR(name) : strlen(utf8);

	platform_make_uuid5(PG_GETARG_UUID_P(0), utf8, length, uuid);
	PG_RETURN_UUID_P(uuid);
}
