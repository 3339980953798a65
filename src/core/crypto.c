/*
 * crypto.c
 *	  Hashes, MACs, random bytes and signatures (OpenSSL, EVP).
 *
 * OpenSSL's handles are unknown to the server's memory contexts, so an error
 * must not jump over their release: between creating and freeing one nothing
 * here allocates or raises, failures come back as values, and a handle that
 * outlives its function belongs to a memory context by a reset callback.  One
 * context a hash lives as long as the backend and is begun anew each time; HMAC is
 * made of it, because the library's own takes half as long again, most of it for
 * copies, and keeps the key in its context.
 * The library's error queue is emptied after each failure: the server's own TLS
 * code would read our leftovers as its own.
 */
#include "core/platform.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>


#include "core/crypto.h"

typedef enum KeyKind
{
	KEY_RSA,
	KEY_P256,
	KEY_ED25519
} KeyKind;

struct PlatformPublicKey
{
	KeyKind		kind;
	EVP_PKEY   *pkey;
	MemoryContextCallback release;
};

static const struct
{
	const char *name;
	int			size;
	int			block;
}			hashes[] =
{
	[PLATFORM_SHA1] = {"SHA1", 20, 64},
	[PLATFORM_SHA256] = {"SHA256", 32, 64},
	[PLATFORM_SHA384] = {"SHA384", 48, 128},
	[PLATFORM_SHA512] = {"SHA512", 64, 128},
};

#define MAX_BLOCK	128

static EVP_MD_CTX *hash_contexts[lengthof(hashes)];

void
platform_crypto_error(const char *what)
{
	unsigned long code = ERR_get_error();

	ERR_clear_error();
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("could not compute %s", what),
			 errdetail_log("OpenSSL: %s", code == 0 ? "no reason given" : ERR_reason_error_string(code))));
}

int
platform_hash_size(PlatformHash hash)
{
	return hashes[hash].size;
}

/* The backend's context for a hash, ready to begin, or NULL. */
static EVP_MD_CTX *
hash_context(PlatformHash hash)
{
	EVP_MD_CTX *context = hash_contexts[hash];

	if (context == NULL)
	{
		EVP_MD	   *md = EVP_MD_fetch(NULL, hashes[hash].name, NULL);

		context = EVP_MD_CTX_new();
		if (md == NULL || context == NULL || EVP_DigestInit_ex2(context, md, NULL) != 1)
		{
			EVP_MD_CTX_free(context);
			context = NULL;
		}
		EVP_MD_free(md);
		hash_contexts[hash] = context;
	}
	return context;
}

/* The hash of a block, if there is one, and then of parts. */
static bool
hash_parts(PlatformHash hash, const uint8 *block, const PlatformBytes *parts, int nparts,
		   uint8 *digest)
{
	EVP_MD_CTX *context = hash_context(hash);
	unsigned int size = 0;
	bool		done;

	done = context != NULL && EVP_DigestInit_ex2(context, NULL, NULL) == 1 &&
		(block == NULL || EVP_DigestUpdate(context, block, hashes[hash].block) == 1);
	for (int i = 0; i < nparts && done; i++)
		done = EVP_DigestUpdate(context, parts[i].data, parts[i].length) == 1;
	return done && EVP_DigestFinal_ex(context, digest, &size) == 1 && size == hashes[hash].size;
}

void
platform_hash_parts(PlatformHash hash, const PlatformBytes *parts, int nparts, uint8 *digest)
{
	if (!hash_parts(hash, NULL, parts, nparts, digest))
		platform_crypto_error("a hash");
}

void
platform_hash(PlatformHash hash, const void *data, size_t length, uint8 *digest)
{
	PlatformBytes part = {data, length};

	platform_hash_parts(hash, &part, 1, digest);
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, data)), a key beyond a block being hashed first. */
void
platform_mac_parts(PlatformHash hash, const void *key, size_t key_length,
				   const PlatformBytes *parts, int nparts, uint8 *mac)
{
	int			block = hashes[hash].block;
	uint8		pad[MAX_BLOCK] = {0};
	uint8		digest[PLATFORM_HASH_MAX_SIZE];
	PlatformBytes inner = {digest, hashes[hash].size};
	bool		done = true;

	if (key_length > block)
	{
		PlatformBytes whole_key = {key, key_length};

		done = hash_parts(hash, NULL, &whole_key, 1, pad);
	}
	else if (key_length > 0)
		memcpy(pad, key, key_length);
	for (int i = 0; i < MAX_BLOCK; i++)
		pad[i] ^= 0x36;
	done = done && hash_parts(hash, pad, parts, nparts, digest);
	for (int i = 0; i < MAX_BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	done = done && hash_parts(hash, pad, &inner, 1, mac);
	platform_wipe(pad, block);
	if (!done)
		platform_crypto_error("a message authentication code");
}

void
platform_mac(PlatformHash hash, const void *key, size_t key_length,
			 const void *data, size_t length, uint8 *mac)
{
	PlatformBytes part = {data, length};

	platform_mac_parts(hash, key, key_length, &part, 1, mac);
}

bool
platform_bytes_equal(const void *a, const void *b, size_t length)
{
	return CRYPTO_memcmp(a, b, length) == 0;
}

void
platform_random_bytes(void *bytes, size_t length)
{
	if (!pg_strong_random(bytes, length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
}

void
platform_wipe(void *bytes, size_t length)
{
	OPENSSL_cleanse(bytes, length);
}

/* ---- public keys ---- */

static void
release_key(void *arg)
{
	PlatformPublicKey *key = arg;

	EVP_PKEY_free(key->pkey);
	key->pkey = NULL;
}

/* An empty key of the current memory context. */
static PlatformPublicKey *
new_key(KeyKind kind)
{
	PlatformPublicKey *key = palloc0(sizeof(PlatformPublicKey));

	key->kind = kind;
	key->release.func = release_key;
	key->release.arg = key;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &key->release);
	return key;
}

/* Fills the key from parameters and checks it; NULL when it is none. */
static PlatformPublicKey *
import_key(PlatformPublicKey *key, const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *import = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY_CTX *check = NULL;
	bool		valid;

	valid = import != NULL && params != NULL &&
		EVP_PKEY_fromdata_init(import) == 1 &&
		EVP_PKEY_fromdata(import, &key->pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;
	if (valid)
	{
		check = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
		valid = check != NULL && EVP_PKEY_public_check(check) == 1;
	}
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_CTX_free(import);
	if (!valid)
		ERR_clear_error();
	return valid ? key : NULL;
}

PlatformPublicKey *
platform_rsa_key(const uint8 *modulus, size_t modulus_length,
				 const uint8 *exponent, size_t exponent_length)
{
	PlatformPublicKey *key = new_key(KEY_RSA);
	OSSL_PARAM_BLD *builder = NULL;
	OSSL_PARAM *params = NULL;
	BIGNUM	   *n = BN_bin2bn(modulus, (int) modulus_length, NULL);
	BIGNUM	   *e = BN_bin2bn(exponent, (int) exponent_length, NULL);
	PlatformPublicKey *result = NULL;

	/* e = 1 would make every message its own signature */
	if (n != NULL && e != NULL && BN_num_bits(n) >= 2048 && BN_num_bits(n) <= 8192 &&
		BN_is_odd(e) && BN_num_bits(e) >= 2 && BN_num_bits(e) <= 64 &&
		(builder = OSSL_PARAM_BLD_new()) != NULL &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
	{
		params = OSSL_PARAM_BLD_to_param(builder);
		result = import_key(key, "RSA", params);
	}
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	BN_free(e);
	ERR_clear_error();
	return result;
}

PlatformPublicKey *
platform_p256_key(const uint8 *x, const uint8 *y)
{
	uint8		point[65] = {0x04}; /* uncompressed */
	OSSL_PARAM	params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end()
	};

	memcpy(point + 1, x, 32);
	memcpy(point + 33, y, 32);
	return import_key(new_key(KEY_P256), "EC", params);
}

PlatformPublicKey *
platform_ed25519_key(const uint8 *bytes)
{
	OSSL_PARAM	params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
										  unconstify(uint8 *, bytes), 32),
		OSSL_PARAM_construct_end()
	};

	return import_key(new_key(KEY_ED25519), "ED25519", params);
}

/* Appends 32 bytes as a DER INTEGER: no leading zeroes but before a high bit. */
static int
append_der_integer(uint8 *der, const uint8 *number)
{
	int			skip = 0;
	int			sign;

	while (skip < 31 && number[skip] == 0)
		skip++;
	sign = number[skip] >> 7;
	der[0] = 0x02;
	der[1] = (uint8) (32 - skip + sign);
	der[2] = 0;
	memcpy(der + 2 + sign, number + skip, 32 - skip);
	return 2 + der[1];
}

bool
platform_signature_matches(const PlatformPublicKey *key, const void *data, size_t length,
						   const uint8 *signature, size_t signature_length)
{
	uint8		der[72];
	EVP_MD_CTX *context;
	bool		matches;

	if (key->kind == KEY_P256)
	{
		int			size = 2;

		if (signature_length != 64)
			return false;
		size += append_der_integer(der + size, signature);
		size += append_der_integer(der + size, signature + 32);
		der[0] = 0x30;			/* SEQUENCE */
		der[1] = (uint8) (size - 2);
		signature = der;
		signature_length = size;
	}

	context = EVP_MD_CTX_new();
	matches = context != NULL &&
		EVP_DigestVerifyInit_ex(context, NULL, key->kind == KEY_ED25519 ? NULL : "SHA256",
								NULL, NULL, key->pkey, NULL) == 1 &&
		EVP_DigestVerify(context, signature, signature_length, data, length) == 1;
	EVP_MD_CTX_free(context);
	if (!matches)
		ERR_clear_error();
	return matches;
}

/* ---- private keys ---- */

void
platform_ed25519_sign(const uint8 *private_key, const void *data, size_t length, uint8 *signature)
{
	EVP_PKEY   *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, private_key, 32);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t		size = 64;
	bool		done;

	done = pkey != NULL && context != NULL &&
		EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, pkey, NULL) == 1 &&
		EVP_DigestSign(context, signature, &size, data, length) == 1 &&
		size == 64;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	if (!done)
		platform_crypto_error("a signature");
}

void
platform_ed25519_public(const uint8 *private_key, uint8 *public_key)
{
	EVP_PKEY   *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, private_key, 32);
	size_t		size = 32;
	bool		done;

	done = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, public_key, &size) == 1 && size == 32;
	EVP_PKEY_free(pkey);
	if (!done)
		platform_crypto_error("a public key");
}
