/*
 * claims.c
 *	  Claims of a token, and PostgREST's way of handing them over.
 *
 * PostgREST logs in as one role, verifies the token and leaves the claims in
 * settings that every SQL user may write.  They are believed only in sessions
 * whose login role is listed in platform.trusted_authenticators.
 *
 * State: one identity with copies of the texts it was made from, in the memory
 * context "platform claims"; it is made anew when a text differs.  Whether the
 * login role is trusted is remembered until the list or a role changes.
 */
#include "core/platform.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "core/claims.h"

/* The settings, from the one that holds all claims to its predecessors. */
enum
{
	CLAIMS_ALL,
	CLAIMS_SUBJECT,
	CLAIMS_METADATA,
	CLAIMS_SOURCES
};

static const char *const claim_settings[CLAIMS_SOURCES] = {
	"request.jwt.claims",
	"request.jwt.claim.sub",
	"request.jwt.claim.app_metadata",
};

static char *trusted_authenticators = NULL;
static Oid	judged_role = InvalidOid;	/* login role of the last judgement */
static bool judged_trusted = false;
static uint64 judgement_generation = 0;

static MemoryContext claims_context = NULL;
static char *known_texts[CLAIMS_SOURCES];
static PlatformIdentity *known_identity = NULL;

/* ---- which login roles are trusted ---- */

static void
forget_judgement(void)
{
	judgement_generation++;
	judged_role = InvalidOid;
}

static bool
check_trusted_authenticators(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	bool		valid = SplitIdentifierString(copy, ',', &names);

	if (!valid)
		GUC_check_errdetail("List syntax is invalid.");
	else
		list_free(names);
	pfree(copy);
	return valid;
}

static void
assign_trusted_authenticators(const char *newval, void *extra)
{
	forget_judgement();
}

static void
authenticators_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	forget_judgement();
}

static bool
role_is_listed(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);
	char	   *copy = pstrdup(trusted_authenticators);
	bool		listed = false;
	List	   *names;
	ListCell   *cell;

	if (name != NULL && SplitIdentifierString(copy, ',', &names))
	{
		foreach(cell, names)
			listed = listed || strcmp(lfirst(cell), name) == 0;
		list_free(names);
	}
	pfree(copy);
	if (name != NULL)
		pfree(name);
	return listed;
}

static bool
judge_role(Oid role)
{
	uint64		generation = judgement_generation;
	bool		trusted = role_is_listed(role);

	/* what changed during the look-up is not remembered */
	if (generation == judgement_generation)
	{
		judged_role = role;
		judged_trusted = trusted;
	}
	return trusted;
}

static inline bool
session_is_trusted(void)
{
	Oid			role = GetSessionUserId();

	return likely(role == judged_role) ? judged_trusted : judge_role(role);
}

/* ---- from claims to an identity ---- */

/* A string or nothing; an empty one is nothing. */
static bool
read_text(const PlatformJson *json, const char **text)
{
	*text = platform_json_text(json);
	if (json != NULL && *text == NULL)
		return false;
	if (*text != NULL && **text == '\0')
		*text = NULL;
	return true;
}

/* What app_metadata says; nothing when it is missing. */
static bool
read_metadata(const PlatformJson *metadata, PlatformClaims *claims)
{
	const char *organization;

	if (metadata != NULL && !platform_json_is_object(metadata))
		return false;
	if (!read_text(platform_json_get(metadata, "organization_id"), &organization) ||
		!read_text(platform_json_get(metadata, "platform_role"), &claims->role))
		return false;
	claims->has_organization = organization != NULL;
	if (organization != NULL && !platform_parse_uuid(organization, &claims->organization))
		return false;
	return claims->role == NULL || platform_identity_role_is_valid(claims->role);
}

bool
platform_claims_read(const PlatformJson *payload, PlatformClaims *claims)
{
	memset(claims, 0, sizeof(PlatformClaims));
	return read_text(platform_json_get(payload, "sub"), &claims->subject) &&
		read_metadata(platform_json_get(payload, "app_metadata"), claims) &&
		(claims->has_organization || claims->subject != NULL);
}

/* The same from a setting a claim, where only app_metadata is JSON. */
static bool
read_separate_claims(const char *subject, const char *metadata, PlatformClaims *claims)
{
	const PlatformJson *parsed = NULL;

	memset(claims, 0, sizeof(PlatformClaims));
	claims->subject = subject;
	if (metadata != NULL &&
		(parsed = platform_json_parse(metadata, strlen(metadata))) == NULL)
		return false;
	return read_metadata(parsed, claims) &&
		(claims->has_organization || claims->subject != NULL);
}

static void *
allocate_in_claims_context(Size size)
{
	return MemoryContextAlloc(claims_context, size);
}

/* Parses in the current memory context; the identity is made in the other. */
static PlatformIdentity *
identity_from_texts(const char *const *texts)
{
	PlatformClaims claims;
	bool		valid;

	if (texts[CLAIMS_ALL] != NULL)
		valid = platform_claims_read(platform_json_parse(texts[CLAIMS_ALL],
														 strlen(texts[CLAIMS_ALL])),
									 &claims);
	else
		valid = read_separate_claims(texts[CLAIMS_SUBJECT], texts[CLAIMS_METADATA], &claims);
	if (!valid)
		return NULL;
	return platform_identity_make(claims.has_organization ? &claims.organization : NULL,
								  claims.subject, claims.role, allocate_in_claims_context);
}

/* Replaces what is known; an error on the way leaves nothing known. */
static void
learn_identity(const char *const *texts)
{
	MemoryContext parsing;
	MemoryContext saved;
	PlatformIdentity *identity;

	if (claims_context == NULL)
		claims_context = AllocSetContextCreate(TopMemoryContext, "platform claims",
											   ALLOCSET_SMALL_SIZES);
	known_identity = NULL;
	memset(known_texts, 0, sizeof(known_texts));
	MemoryContextReset(claims_context);

	parsing = AllocSetContextCreate(CurrentMemoryContext, "platform claims parser",
									ALLOCSET_SMALL_SIZES);
	saved = MemoryContextSwitchTo(parsing);
	identity = identity_from_texts(texts);
	MemoryContextSwitchTo(saved);
	MemoryContextDelete(parsing);

	for (int i = 0; i < CLAIMS_SOURCES; i++)
		if (texts[i] != NULL)
			known_texts[i] = MemoryContextStrdup(claims_context, texts[i]);
	known_identity = identity;
}

static inline bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A setting's text; NULL when it is missing or, as after a reset, empty. */
static inline const char *
claim_text(int source)
{
	const char *text = GetConfigOption(claim_settings[source], true, false);

	return text == NULL || *text == '\0' ? NULL : text;
}

const PlatformIdentity *
platform_claims_identity(void)
{
	const char *texts[CLAIMS_SOURCES] = {NULL};

	if (!session_is_trusted())
		return NULL;
	texts[CLAIMS_ALL] = claim_text(CLAIMS_ALL);
	if (texts[CLAIMS_ALL] == NULL)
	{
		texts[CLAIMS_SUBJECT] = claim_text(CLAIMS_SUBJECT);
		texts[CLAIMS_METADATA] = claim_text(CLAIMS_METADATA);
	}
	for (int i = 0; i < CLAIMS_SOURCES; i++)
	{
		if (!same_text(texts[i], known_texts[i]))
		{
			learn_identity(texts);
			break;
		}
	}
	return known_identity;
}

void
platform_claims_init(void)
{
	DefineCustomStringVariable("platform.trusted_authenticators",
							   "Login roles whose request.jwt.claims settings are believed.",
							   "They verify tokens before they hand the claims over, as PostgREST does.",
							   &trusted_authenticators, "authenticator", PGC_SIGHUP,
							   GUC_LIST_INPUT | GUC_SUPERUSER_ONLY,
							   check_trusted_authenticators, assign_trusted_authenticators, NULL);
	CacheRegisterSyscacheCallback(AUTHOID, authenticators_changed, (Datum) 0);
}
