/*
 * capabilities.h
 *	  What the files of this module share.
 *
 *	cache.c			rows that gates look at, in memory
 *	gates.c			the gates, and the functions that ask them
 *	triggers.c		trigger functions of chatbots and packages
 *	enforce.c		the trigger function for everybody's tables
 *	packages.c		what a package loses is taken from its chatbots
 *	settings.c		call settings: rules and defaults
 *	settings_sql.c	the functions that read and write them; the widget's view
 */
#ifndef PLATFORM_CAPABILITIES_H
#define PLATFORM_CAPABILITIES_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "core/capability.h"
#include "core/module.h"

extern PlatformModule platform_capabilities_module;

extern void platform_capabilities_init(void);

typedef struct CapOrganization
{
	pg_uuid_t	id;
	bool		active;			/* neither deleted nor expired, cancelled, suspended */
	bool		calls;			/* settings.features.callEnabled is true */
} CapOrganization;

typedef struct CapPackage
{
	pg_uuid_t	id;
	bool		deleted;
	bool		offered;		/* active and public */
	bool		enabled[2];		/* by PlatformCapability */
	bool		has_model[2];
	pg_uuid_t	model[2];
} CapPackage;

typedef struct CapModel
{
	pg_uuid_t	id;
	bool		fits[2];		/* all false when it is deleted or inactive */
} CapModel;

typedef struct CapChatbotKey
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
} CapChatbotKey;

typedef struct CapChatbot
{
	CapChatbotKey key;
	bool		active;
	bool		enabled[2];
	bool		has_package;
	bool		has_model[2];
	pg_uuid_t	package;
	pg_uuid_t	model[2];
} CapChatbot;

/* cache.c: copies of cached rows, as they are now; false when there is none. */
extern void platform_capability_cache_init(void);
extern bool platform_cap_organization(const pg_uuid_t *id, CapOrganization *organization);
extern bool platform_cap_package(const pg_uuid_t *id, CapPackage *package);
extern bool platform_cap_model(const pg_uuid_t *id, CapModel *model);
extern bool platform_cap_chatbot(const pg_uuid_t *organization, const pg_uuid_t *id,
								 CapChatbot *chatbot);

/* gates.c */
extern const char *platform_capability_name(PlatformCapability capability);
extern PlatformCapability platform_capability_by_name(const char *name);
extern bool platform_model_fits(const pg_uuid_t *model, PlatformCapability capability);
pg_noreturn extern void platform_no_such_chatbot(const pg_uuid_t *chatbot);

/*
 * packages.c: who gives a chatbot capabilities of a package shares the lock; who
 * takes one from the package has it alone. Both hold it until they have
 * committed, so that none acts on what the other is about to change.
 */
extern void platform_package_share(const pg_uuid_t *package);
extern void platform_package_lock(const pg_uuid_t *package);

/* settings.c */
typedef struct CallSettingViolation
{
	const char *pointer;		/* RFC 6901, into the call settings */
	const char *rule;
	const char *message;
} CallSettingViolation;

/* The complete defaults, good for the life of the session. */
extern Jsonb *platform_call_defaults(void);

/* CallSettingViolation pointers in the current context; NIL when all is well. */
extern List *platform_call_settings_violations(const JsonbValue *call);

/* The call settings with defaults for what is missing; NULL when nothing is. */
extern JsonbValue *platform_call_settings_complete(const JsonbValue *call);

/* Raises PT422 with the violations as JSON in DETAIL. */
pg_noreturn extern void platform_call_settings_refuse(List *violations);

/*
 * Settings of a chatbot that are about to be written: PT422 when settings.call
 * breaks a rule. With complete, those with defaults for what is missing in it,
 * NULL when nothing is.
 */
extern Jsonb *platform_chatbot_settings_check(Jsonb *settings, bool complete);

#endif							/* PLATFORM_CAPABILITIES_H */
