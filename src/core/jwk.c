/*
 * jwk.c
 *	  The keys that sign tokens: a JWK Set file (RFC 7517).
 *
 * A key is of use when it is meant for signatures, its algorithm (RFC 7518,
 * RFC 8037) is one of ours and its strength is what that algorithm asks for;
 * others are passed over, as section 5 wants it, with a line in the server's
 * log.  The algorithm is the key's: what a token's header says can only agree.
 *
 * State: the keys of the file as it was when last looked at, in the memory
 * context "platform jwt keys", with secrets overwritten when it goes.  A file
 * that cannot be used leaves no keys behind.
 */
#include "core/platform.h"

#include "utils/guc.h"
#include "utils/memutils.h"

#include "core/base64.h"
#include "core/crypto.h"
#include "core/json.h"
#include "core/jwk.h"
#include "core/key_file.h"

#define MAX_FILE_SIZE	(1024 * 1024)
#define MAX_KEYS		64

/* A secret that is overwritten with its memory context. */
typedef struct Secret
{
	MemoryContextCallback release;
	size_t		length;
	uint8		bytes[FLEXIBLE_ARRAY_MEMBER];
} Secret;

static const struct
{
	const char *name;
	const char *key_type;
	const char *curve;
	int			secret_least;	/* bytes: RFC 7518, section 3.2 */
}			algorithms[] =
{
	/* the first of a key type is what a key without "alg" is for */
	[JWA_HS256] = {"HS256", "oct", NULL, 32},
	[JWA_HS384] = {"HS384", "oct", NULL, 48},
	[JWA_HS512] = {"HS512", "oct", NULL, 64},
	[JWA_RS256] = {"RS256", "RSA", NULL, 0},
	[JWA_ES256] = {"ES256", "EC", "P-256", 0},
	[JWA_EDDSA] = {"EdDSA", "OKP", "Ed25519", 0},
};

static char *keys_file = NULL;

static MemoryContext keys_context = NULL;
static PlatformJwkSet *known_keys = NULL;
static PlatformFileStamp known_stamp;

PlatformJwa
platform_jwa(const char *name)
{
	for (int i = 0; i < lengthof(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return (PlatformJwa) i;
	return JWA_UNKNOWN;
}

const char *
platform_jwa_name(PlatformJwa algorithm)
{
	return algorithms[algorithm].name;
}

/* ---- one key ---- */

static void
release_secret(void *arg)
{
	Secret	   *secret = arg;

	platform_wipe(secret->bytes, secret->length);
}

/*
 * Decodes a member; its bytes live, and are overwritten, with the current
 * memory context.  NULL when it is missing or no base64url.
 */
static Secret *
read_bytes(const PlatformJson *key, const char *member)
{
	const PlatformJson *json = platform_json_get(key, member);
	const char *text = platform_json_text(json);
	Secret	   *secret;
	int			length;

	if (text == NULL)
		return NULL;
	secret = palloc0(offsetof(Secret, bytes) + PLATFORM_BASE64URL_DECODED(strlen(text)));
	secret->length = PLATFORM_BASE64URL_DECODED(strlen(text));
	secret->release.func = release_secret;
	secret->release.arg = secret;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &secret->release);
	length = platform_base64url_decode(text, strlen(text), secret->bytes);
	platform_json_wipe(json);
	if (length <= 0)
		return NULL;
	secret->length = length;
	return secret;
}

/* Is the key meant for checking signatures (sections 4.2 and 4.3)? */
static bool
key_verifies(const PlatformJson *key)
{
	const char *use = platform_json_text(platform_json_get(key, "use"));
	const PlatformJson *operations = platform_json_get(key, "key_ops");
	bool		verifies = operations == NULL;

	for (size_t i = 0; i < platform_json_length(operations); i++)
	{
		const char *operation = platform_json_text(platform_json_item(operations, i));

		verifies = verifies || (operation != NULL && strcmp(operation, "verify") == 0);
	}
	return verifies && (use == NULL || strcmp(use, "sig") == 0);
}

/* The key's algorithm: its alg, else the first for its type. */
static PlatformJwa
key_algorithm(const PlatformJson *key)
{
	const char *type = platform_json_text(platform_json_get(key, "kty"));
	const char *curve = platform_json_text(platform_json_get(key, "crv"));
	const char *name = platform_json_text(platform_json_get(key, "alg"));

	for (int i = 0; type != NULL && i < lengthof(algorithms); i++)
	{
		if (strcmp(algorithms[i].key_type, type) != 0 ||
			(name != NULL && strcmp(algorithms[i].name, name) != 0))
			continue;
		if (algorithms[i].curve == NULL ||
			(curve != NULL && strcmp(algorithms[i].curve, curve) == 0))
			return (PlatformJwa) i;
	}
	return JWA_UNKNOWN;
}

static PlatformPublicKey *
read_public_key(const PlatformJson *key, PlatformJwa algorithm)
{
	Secret	   *first = read_bytes(key, algorithm == JWA_RS256 ? "n" : "x");
	Secret	   *second = read_bytes(key, algorithm == JWA_RS256 ? "e" : "y");

	if (first == NULL || (second == NULL && algorithm != JWA_EDDSA))
		return NULL;
	if (algorithm == JWA_RS256)
		return platform_rsa_key(first->bytes, first->length, second->bytes, second->length);
	if (first->length != 32)
		return NULL;
	if (algorithm == JWA_EDDSA)
		return platform_ed25519_key(first->bytes);
	return second->length == 32 ? platform_p256_key(first->bytes, second->bytes) : NULL;
}

/* Fills *result and returns NULL, or returns why the key is of no use. */
static const char *
read_key(const PlatformJson *key, PlatformJwk *result)
{
	const PlatformJson *id = platform_json_get(key, "kid");

	memset(result, 0, sizeof(PlatformJwk));
	if (!key_verifies(key))
		return "it is not meant for signatures";
	result->algorithm = key_algorithm(key);
	if (result->algorithm == JWA_UNKNOWN)
		return "its type, curve or algorithm is not supported";
	if (id != NULL)
	{
		if (platform_json_text(id) == NULL)
			return "its id is not a string";
		result->id = pstrdup(platform_json_text(id));
	}

	if (algorithms[result->algorithm].secret_least > 0)
	{
		Secret	   *secret = read_bytes(key, "k");

		if (secret == NULL)
			return "its value is missing or malformed";
		if (secret->length < algorithms[result->algorithm].secret_least)
			return "its secret is too short for its algorithm";
		result->secret = secret->bytes;
		result->secret_length = secret->length;
		return NULL;
	}
	result->public_key = read_public_key(key, result->algorithm);
	return result->public_key == NULL ? "its value is missing, malformed or too weak" : NULL;
}

/* ---- the file ---- */

static void
keys_unavailable(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("keys to verify tokens are not available"),
			 errdetail_log("File \"%s\": %s.", keys_file, why),
			 errhint("The server's log tells the operator why.")));
}

/* The file's text in the current memory context, and the stamp of what was read. */
static Secret *
read_file(PlatformFileStamp *stamp)
{
	const char *fault;
	int			file = platform_key_file_open(keys_file, MAX_FILE_SIZE, stamp, &fault);
	ssize_t		length;
	Secret	   *text;

	if (file < 0)
		keys_unavailable(fault);
	text = palloc0(offsetof(Secret, bytes) + stamp->size + 1);
	text->length = stamp->size;
	text->release.func = release_secret;
	text->release.arg = text;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &text->release);
	length = platform_key_file_read(file, stamp, text->bytes, &fault);
	if (length < 0)
		keys_unavailable(fault);
	text->length = length;
	return text;
}

/* The usable keys of the text, in the given context. */
static PlatformJwkSet *
parse_keys(const Secret *text, MemoryContext context)
{
	const PlatformJson *root = platform_json_parse((const char *) text->bytes, text->length);
	const PlatformJson *array = platform_json_get(root, "keys");
	size_t		length = platform_json_length(array);
	PlatformJwkSet *set;
	MemoryContext saved;

	if (!platform_json_is_array(array))
		keys_unavailable("it is not a JWK Set");
	if (length > MAX_KEYS)
		keys_unavailable("it holds more than 64 keys");

	saved = MemoryContextSwitchTo(context);
	set = palloc0(offsetof(PlatformJwkSet, keys) + sizeof(PlatformJwk) * length);
	for (size_t i = 0; i < length; i++)
	{
		const char *fault = read_key(platform_json_item(array, i), &set->keys[set->count]);

		if (fault == NULL)
			set->keys[set->count++].number = (int) i + 1;
		else
			ereport(LOG,
					(errmsg("key %d of file \"%s\" is ignored: %s", (int) i + 1, keys_file, fault)));
	}
	MemoryContextSwitchTo(saved);
	if (set->count == 0)
		keys_unavailable("no key in it can be used");
	return set;
}

static void
forget_keys(void)
{
	MemoryContext context = keys_context;

	keys_context = NULL;
	known_keys = NULL;
	if (context != NULL)
		MemoryContextDelete(context);
}

/* An error on the way takes the new context with the caller's. */
static void
load_keys(void)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "platform jwt keys file",
											   ALLOCSET_SMALL_SIZES);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "platform jwt keys",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext saved = MemoryContextSwitchTo(work);
	PlatformJwkSet *keys;
	PlatformFileStamp stamp;

	keys = parse_keys(read_file(&stamp), context);
	MemoryContextSwitchTo(saved);
	MemoryContextDelete(work);

	MemoryContextSetParent(context, TopMemoryContext);
	keys_context = context;
	known_keys = keys;
	known_stamp = stamp;
}

const PlatformJwkSet *
platform_jwk_set(void)
{
	if (keys_file == NULL || *keys_file == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("keys to verify tokens are not configured"),
				 errhint("Set platform.jwt_keys_file.")));
	if (known_keys == NULL ||
		!platform_key_file_unchanged(keys_file, MAX_FILE_SIZE, &known_stamp))
	{
		forget_keys();
		load_keys();
	}
	return known_keys;
}

static void
assign_keys_file(const char *newval, void *extra)
{
	forget_keys();
}

void
platform_jwk_init(void)
{
	DefineCustomStringVariable("platform.jwt_keys_file",
							   "File with the keys (JWK Set) that sign tokens for platform.authenticate().",
							   "A relative path starts at the data directory.",
							   &keys_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, assign_keys_file, NULL);
}
