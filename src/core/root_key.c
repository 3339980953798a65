/*
 * root_key.c
 *	  Root keys: where they come from, and what is made of them.
 *
 * From a root key HKDF-SHA256 makes the key that wraps data keys and the key of
 * the check value; the root key itself is overwritten at once.  What is kept
 * lives in key memory for the life of the backend, or until a setting changes.
 * A file is looked at before each use; a command or query runs again when a
 * version is missing, when the newest is asked for and when a check value
 * differs, and at most once a statement after it failed.
 */
#include "core/platform.h"

#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "core/base64.h"
#include "core/crypto.h"
#include "core/crypto_kdf.h"
#include "core/key_file.h"
#include "core/key_memory.h"
#include "core/root_key.h"

#define MAX_KEYS		64
#define MAX_UNLOCKED	8

#define HINT_CONFIGURE \
	"Make a key with platform.generate_root_key(), put the line into a file that only the server's user can read, and set platform.root_key_file."

/* In key memory: a fork sees an empty one. */
typedef struct RootKeys
{
	int			unlocked_count;
	int			count;
	bool		loaded;
	int32		newest;			/* of the source */
	PlatformRootKey unlocked[MAX_UNLOCKED];
	PlatformRootKey keys[MAX_KEYS];
	PlatformRootKeyText text;
} RootKeys;

typedef enum SourceKind
{
	SOURCE_NONE,
	SOURCE_FILE,
	SOURCE_COMMAND,
	SOURCE_QUERY
} SourceKind;

uint64		platform_root_key_generation = 0;

static char *key_file = NULL;
static char *key_command = NULL;
static char *key_query = NULL;
static int	command_timeout = 10;
static bool allow_data_directory = false;

static RootKeys *root_keys = NULL;
static PlatformFileStamp file_stamp;

/*
 * Commands and queries are asked once a statement for what they do not have: of
 * a failure what it was is remembered.
 */
static struct
{
	TimestampTz statement;
	int32		version;
	char		message[128];
	char		detail[256];
	const char *hint;
}			failure;
static TimestampTz asked_again = 0;

static SourceKind
source_kind(void)
{
	if (key_file != NULL && *key_file != '\0')
		return SOURCE_FILE;
	if (key_command != NULL && *key_command != '\0')
		return SOURCE_COMMAND;
	if (key_query != NULL && *key_query != '\0')
		return SOURCE_QUERY;
	return SOURCE_NONE;
}

const char *
platform_root_key_source(void)
{
	switch (source_kind())
	{
		case SOURCE_FILE:
			return psprintf("file \"%s\"", key_file);
		case SOURCE_COMMAND:
			return "platform.root_key_command";
		case SOURCE_QUERY:
			return "platform.root_key_query";
		case SOURCE_NONE:
			break;
	}
	return NULL;
}

/* ---- one key ---- */

/* What is kept of a root key, which is overwritten. */
static void
derive_key(int32 version, uint8 *bytes, PlatformRootKey *key)
{
	static const char salt[] = "platform.v1";
	static const char wrapping[] = "platform.v1 key that wraps data keys";
	static const char checking[] = "platform.v1 key of the check value";
	static const char checked[] = "platform.v1 check value";
	uint8		prk[PLATFORM_HKDF_PRK_SIZE];
	uint8		check_key[32];
	uint8		mac[32];

	platform_hkdf_extract(salt, strlen(salt), bytes, PLATFORM_ROOT_KEY_SIZE, prk);
	platform_hkdf_expand(prk, wrapping, strlen(wrapping),
						 key->wrapping_key, sizeof(key->wrapping_key));
	platform_hkdf_expand(prk, checking, strlen(checking), check_key, sizeof(check_key));
	platform_mac(PLATFORM_SHA256, check_key, sizeof(check_key), checked, strlen(checked), mac);
	memcpy(key->check_value, mac, PLATFORM_CHECK_VALUE_SIZE);
	key->version = version;
	platform_wipe(prk, sizeof(prk));
	platform_wipe(check_key, sizeof(check_key));
	platform_wipe(bytes, PLATFORM_ROOT_KEY_SIZE);
}

static PlatformRootKey *
find_version(PlatformRootKey *keys, int count, int32 version)
{
	for (int i = 0; i < count; i++)
		if (keys[i].version == version)
			return &keys[i];
	return NULL;
}

/* version:hex, and nothing else; false when the line is something else. */
static bool
parse_line(const char *line, const char *end, int32 *version, uint8 *bytes)
{
	int64		number = 0;

	if (line == end || *line < '1' || *line > '9')
		return false;
	while (line < end && *line >= '0' && *line <= '9')
	{
		number = number * 10 + (*line++ - '0');
		if (number > PG_INT32_MAX)
			return false;
	}
	*version = (int32) number;
	return line < end && *line == ':' &&
		platform_hex_decode(line + 1, end - line - 1, bytes, PLATFORM_ROOT_KEY_SIZE);
}

/* ---- the source ---- */

/* Keeps the key under its version; true when there was room. */
static bool
keep_key(int32 version, uint8 *bytes)
{
	PlatformRootKey *key = find_version(root_keys->keys, root_keys->count, version);

	if (key == NULL)
	{
		if (root_keys->count == MAX_KEYS)
			return false;
		key = &root_keys->keys[root_keys->count++];
	}
	derive_key(version, bytes, key);
	return true;
}

/* Takes the keys of the text over; *newest is the last one's version. */
static bool
parse_text(const PlatformRootKeyText *text, int32 *newest, PlatformKeyFault *fault)
{
	const char *line = text->bytes;
	const char *end = text->bytes + text->length;
	int			number = 0;

	*newest = 0;
	while (line < end)
	{
		const char *next = memchr(line, '\n', end - line);
		const char *last = next == NULL ? end : next;
		uint8		bytes[PLATFORM_ROOT_KEY_SIZE];
		bool		valid;

		number++;
		while (line < last && (*line == ' ' || *line == '\t'))
			line++;
		while (last > line && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
			last--;
		if (line < last && *line != '#')
		{
			valid = parse_line(line, last, newest, bytes) && keep_key(*newest, bytes);
			platform_wipe(bytes, sizeof(bytes));
			if (!valid)
				return platform_key_fault(fault, KEY_NO_ROOT_KEY, "root keys cannot be read",
										  psprintf("Line %d of %s is not a version, a colon and 64 hexadecimal digits, or there are more than %d keys.",
												   number, platform_root_key_source(), MAX_KEYS),
										  NULL);
		}
		line = next == NULL ? end : next + 1;
	}
	if (*newest == 0)
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, "no root key is configured",
								  psprintf("There is no key in %s.", platform_root_key_source()),
								  HINT_CONFIGURE);
	return true;
}

/* Is the file in the data directory, where base backups would copy it? */
static bool
in_data_directory(const char *path)
{
	char	   *file = realpath(path, NULL);
	char	   *directory = realpath(DataDir, NULL);
	size_t		length = directory == NULL ? 0 : strlen(directory);
	bool		inside = file != NULL && directory != NULL &&
		strncmp(file, directory, length) == 0 && file[length] == '/';

	free(file);
	free(directory);
	return inside;
}

static bool
read_key_file(PlatformRootKeyText *text, PlatformKeyFault *fault)
{
	const char *why = NULL;
	ssize_t		length = -1;
	int			file;

	if (!allow_data_directory && in_data_directory(key_file))
		why = "it must not be in the data directory, where every base backup would contain it";
	else
	{
		file = platform_key_file_open(key_file, sizeof(text->bytes), &file_stamp, &why);
		if (file >= 0)
			length = platform_key_file_read(file, &file_stamp, text->bytes, &why);
	}
	if (length < 0)
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, "root keys are not available",
								  psprintf("File \"%s\": %s.", key_file, why),
								  "The file is named by platform.root_key_file.");
	text->length = length;
	return true;
}

static bool
read_source(int32 version, PlatformRootKeyText *text, PlatformKeyFault *fault)
{
	switch (source_kind())
	{
		case SOURCE_FILE:
			return read_key_file(text, fault);
		case SOURCE_COMMAND:
			return platform_root_key_run_command(key_command, command_timeout, version, text, fault);
		case SOURCE_QUERY:
			return platform_root_key_run_query(key_query, text, fault);
		case SOURCE_NONE:
			break;
	}
	return platform_key_fault(fault, KEY_NO_ROOT_KEY, "no root key is configured",
							  NULL, HINT_CONFIGURE);
}

/* Reads the source for that version, 0 for the newest. */
static bool
load_keys(int32 version, PlatformKeyFault *fault)
{
	int32		newest;
	bool		loaded;

	if (source_kind() == SOURCE_FILE)
	{
		/* what is no longer in the file is no longer there */
		root_keys->count = 0;
		platform_wipe(root_keys->keys, sizeof(root_keys->keys));
	}
	loaded = read_source(version, &root_keys->text, fault) &&
		parse_text(&root_keys->text, &newest, fault);
	platform_wipe(&root_keys->text, sizeof(root_keys->text));
	root_keys->loaded = loaded;
	if (loaded)
		root_keys->newest = newest;
	return loaded;
}

/* The same of a command or query, unless it has just failed. */
static bool
ask_source(int32 version, PlatformKeyFault *fault)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (failure.statement == statement && failure.version == version)
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, pstrdup(failure.message),
								  failure.detail[0] == '\0' ? NULL : pstrdup(failure.detail),
								  failure.hint);
	if (load_keys(version, fault))
		return true;
	failure.statement = statement;
	failure.version = version;
	strlcpy(failure.message, fault->message, sizeof(failure.message));
	strlcpy(failure.detail, fault->detail == NULL ? "" : fault->detail, sizeof(failure.detail));
	failure.hint = fault->hint;
	return false;
}

/* Sees to it that the source's keys are those of now; the version is wanted. */
static bool
refresh_keys(int32 version, PlatformKeyFault *fault)
{
	if (source_kind() == SOURCE_FILE)
		return (root_keys->loaded &&
				platform_key_file_unchanged(key_file, sizeof(root_keys->text.bytes), &file_stamp)) ||
			load_keys(version, fault);
	if (source_kind() == SOURCE_NONE)
		return load_keys(version, fault);
	return (version != 0 && find_version(root_keys->keys, root_keys->count, version) != NULL) ||
		ask_source(version, fault);
}

static const char *
known_versions(void)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < root_keys->count; i++)
		appendStringInfo(&text, "%s%d", i == 0 ? "" : ", ", root_keys->keys[i].version);
	return text.data;
}

const PlatformRootKey *
platform_root_key_find(int32 version, PlatformKeyFault *fault)
{
	PlatformRootKey *key;

	if (root_keys == NULL)
		root_keys = platform_key_memory(sizeof(RootKeys));
	if (root_keys->unlocked_count > 0)
	{
		if (version == 0)
			return &root_keys->unlocked[root_keys->unlocked_count - 1];
		key = find_version(root_keys->unlocked, root_keys->unlocked_count, version);
		if (key != NULL)
			return key;
		if (source_kind() == SOURCE_NONE)
		{
			platform_key_fault(fault, KEY_NO_ROOT_KEY,
							   psprintf("root key version %d is not available", version),
							   "This session was given others by platform.unlock(), and no source is configured.",
							   NULL);
			return NULL;
		}
	}

	if (!refresh_keys(version, fault))
		return NULL;
	key = find_version(root_keys->keys, root_keys->count,
					   version == 0 ? root_keys->newest : version);
	if (key == NULL)
		platform_key_fault(fault, KEY_NO_ROOT_KEY,
						   psprintf("root key version %d is not available", version),
						   psprintf("There are versions %s in %s.",
									known_versions(), platform_root_key_source()),
						   "Put that version back, before the newest one, until rotate_root_key() has replaced it.");
	return key;
}

static const char *
check_value_text(const uint8 *value)
{
	char	   *text = palloc(2 * PLATFORM_CHECK_VALUE_SIZE + 1);

	platform_hex_encode(value, PLATFORM_CHECK_VALUE_SIZE, text);
	return text;
}

/* Has the key that check value? */
static bool
check_key(const PlatformRootKey *key, const uint8 *check_value, const char *source,
		  PlatformKeyFault *fault)
{
	if (platform_bytes_equal(key->check_value, check_value, PLATFORM_CHECK_VALUE_SIZE))
		return true;
	return platform_key_fault(fault, KEY_WRONG_ROOT_KEY,
							  psprintf("root key version %d is not the one that this database was set up with",
									   key->version),
							  psprintf("Its check value is %s, expected is %s; it comes from %s.",
									   check_value_text(key->check_value),
									   check_value_text(check_value), source),
							  "Put the key with the expected check value there; platform.key_status() lists what the database needs.");
}

/* May a command or query have another key by now? Once a statement. */
static bool
ask_again(void)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (source_kind() == SOURCE_FILE || asked_again == statement)
		return false;
	asked_again = statement;
	return true;
}

const PlatformRootKey *
platform_root_key_checked(int32 version, const uint8 *check_value, PlatformKeyFault *fault)
{
	const PlatformRootKey *key = platform_root_key_find(version, fault);
	PlatformKeyFault ignored;

	if (key == NULL)
		return NULL;
	if (key >= root_keys->unlocked && key < root_keys->unlocked + MAX_UNLOCKED)
		return check_key(key, check_value, "platform.unlock()", fault) ? key : NULL;
	if (check_key(key, check_value, platform_root_key_source(), fault))
		return key;
	if (!ask_again() || !load_keys(version, &ignored))
		return NULL;
	key = find_version(root_keys->keys, root_keys->count, version);
	return key != NULL && check_key(key, check_value, platform_root_key_source(), fault) ? key : NULL;
}

/* ---- unlock ---- */

const PlatformRootKey *
platform_root_key_unlock(int32 version, const uint8 *bytes, const uint8 *check_value,
						 PlatformKeyFault *fault)
{
	uint8		copy[PLATFORM_ROOT_KEY_SIZE];
	PlatformRootKey made;
	PlatformRootKey *key;

	if (root_keys == NULL)
		root_keys = platform_key_memory(sizeof(RootKeys));
	memcpy(copy, bytes, sizeof(copy));
	derive_key(version, copy, &made);
	if (check_value != NULL && !check_key(&made, check_value, "platform.unlock()", fault))
		return NULL;

	key = find_version(root_keys->unlocked, root_keys->unlocked_count, version);
	if (key == NULL && root_keys->unlocked_count == MAX_UNLOCKED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot keep more than %d unlocked root keys", MAX_UNLOCKED)));
	if (key == NULL)
		key = &root_keys->unlocked[root_keys->unlocked_count++];
	*key = made;
	platform_wipe(&made, sizeof(made));
	platform_root_key_generation++;
	return key;
}

void
platform_root_key_lock(void)
{
	if (root_keys != NULL)
	{
		platform_wipe(root_keys->unlocked, sizeof(root_keys->unlocked));
		root_keys->unlocked_count = 0;
	}
	platform_root_key_generation++;
}

/* ---- settings ---- */

/* A new source begins from nothing. */
static void
source_changed(void)
{
	if (root_keys != NULL)
	{
		platform_wipe(root_keys->keys, sizeof(root_keys->keys));
		root_keys->count = 0;
		root_keys->loaded = false;
	}
	memset(&failure, 0, sizeof(failure));
	asked_again = 0;
	platform_root_key_generation++;
}

static void
assign_source(const char *newval, void *extra)
{
	source_changed();
}

static void
assign_allow(bool newval, void *extra)
{
	source_changed();
}

void
platform_root_key_init(void)
{
	DefineCustomStringVariable("platform.root_key_file",
							   "File with the root keys that protect secrets: lines version:hex, the newest last.",
							   "It must be outside the data directory and closed to other users.",
							   &key_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, assign_source, NULL);
	DefineCustomStringVariable("platform.root_key_command",
							   "Command that prints root keys, as platform.root_key_file has them.",
							   "%v is the version that is wanted, or latest. Not used when there is a file.",
							   &key_command, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, assign_source, NULL);
	DefineCustomIntVariable("platform.root_key_command_timeout",
							"How long platform.root_key_command may take.",
							NULL, &command_timeout, 10, 1, 3600, PGC_SIGHUP,
							GUC_SUPERUSER_ONLY | GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomStringVariable("platform.root_key_query",
							   "Query that returns root keys, as platform.root_key_file has them.",
							   "It runs as the owner of the tables. Not used when there is a file or a command.",
							   &key_query, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, assign_source, NULL);
	DefineCustomBoolVariable("platform.root_key_in_data_directory",
							 "Allows platform.root_key_file to be in the data directory.",
							 "Every base backup then contains the keys.",
							 &allow_data_directory, false, PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							 NULL, assign_allow, NULL);
}
