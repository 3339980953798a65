/*
 * messaging.h
 *	  What the files of this module share.
 *
 *	fold.c			text as words, case and accents apart
 *	keywords.c		classify_sms_keyword()
 *	segments.c		sms_segments()
 *	texts.c			the built-in texts, by language
 *	templates.c		texts with variables: an organization's own
 *	opt_out.c		who wants no messages
 *	gates.c			may_send_sms(): sources, settings, quiet hours
 *	throttle.c		how many a minute
 *	send.c			send_sms()
 *	sender.c		claim_sms(), complete_sms() and what follows
 *	routing.c		for whom a message is
 *	receive.c		receive_sms()
 *	automation.c	messages that are sent later, by themselves
 *
 * Locks. Everything that concerns a customer's number holds its mutex to the end
 * of the transaction: who sends shares it, who receives or changes opt-outs has
 * it alone. So a message is queued before an opt-out, which then cancels it,
 * or after, and then it is refused; never unseen beside it. A sender that is just
 * claiming the message holds its row: the opt-out waits for it.
 */
#ifndef PLATFORM_MESSAGING_H
#define PLATFORM_MESSAGING_H

#include "utils/jsonb.h"

#include "core/module.h"
#include "core/phone.h"

#define SMS_BODY_MAX		1600	/* characters */
#define SMS_KEY_MAX			255
#define SMS_LOCK_HOURS		72
#define SMS_USER_PER_MINUTE	20

extern PlatformModule platform_messaging_module;

/* Once, from _PG_init. */
extern void platform_messaging_init(void);
extern void platform_keywords_init(void);
extern void platform_gates_init(void);
extern void platform_throttle_init(void);

/* platform.messaging_sending */
extern bool platform_messaging_sending;

/* The organization of the argument, which the caller may act for: 22004, 42501. */
extern pg_uuid_t *platform_sms_organization(FunctionCallInfo fcinfo, int argument);

/* A telephone number in its international form: 22004, PT422. */
extern char *platform_sms_phone(FunctionCallInfo fcinfo, int argument, const char *name, int region);

/* One of the words, which end with NULL: 22004, 22023. */
extern char *platform_sms_word(FunctionCallInfo fcinfo, int argument, const char *name,
							   const char *const *words);

/* An argument of a query. */
extern Datum platform_sms_text_or_null(const char *value, bool *isnull);

/*
 * Text as words: lower case, without accents, punctuation as a space. sentences[]
 * has for each word the number of its sentence.
 */
typedef struct SmsWords
{
	int			count;
	char	  **words;
	int		   *sentences;
	const char *raw;			/* without spaces at its ends, repeated characters once */
} SmsWords;

extern void platform_sms_fold(const char *text, size_t length, SmsWords *words);

/* The next character of UTF-8 that is known to be valid. */
extern uint32 platform_sms_next_character(const unsigned char **text);

/* In the order in which they win. */
typedef enum SmsKeyword
{
	SMS_OPT_OUT,
	SMS_OPT_IN,
	SMS_HELP,
	SMS_CONFIRM,
	SMS_DECLINE,
	SMS_RESCHEDULE,
	SMS_FILLER,
	SMS_CHOICE,
	SMS_NO_KEYWORD
} SmsKeyword;

/* ISO 639, two or three letters, lower case. */
#define SMS_LANGUAGE_BYTES	4
#define SMS_LANGUAGES_MAX	4
#define SMS_DEFAULT_LANGUAGE "en"

typedef struct SmsClass
{
	SmsKeyword	keyword;
	int			confidence;		/* percent */
	int			choice;			/* 1 to 9 */
	int			nlanguages;		/* of the word; an English one is understood everywhere */
	char		languages[SMS_LANGUAGES_MAX][SMS_LANGUAGE_BYTES];
} SmsClass;

extern void platform_sms_classify(const char *body, size_t length, SmsClass *answer);

/* In which language the command is answered; otherwise: where it does not say. */
extern const char *platform_sms_reply_language(const SmsClass *class, const char *otherwise);

/* NULL for none. */
extern const char *platform_sms_keyword_name(SmsKeyword keyword);

/* How the message is sent. */
typedef struct SmsSize
{
	const char *encoding;
	int			units;			/* septets, or UTF-16 code units */
	int			segments;
} SmsSize;

extern void platform_sms_measure(const char *body, size_t length, SmsSize *size);

/* The mutex of a customer's number, until the end of the transaction. */
extern void platform_sms_lock_phone(const char *phone);
extern void platform_sms_share_phone(const char *phone);

/* Texts; those from the first shared one on are the platform's own. */
typedef enum SmsText
{
	SMS_TEXT_POST_CALL,
	SMS_TEXT_REVIEW_REQUEST,
	SMS_TEXT_APPOINTMENT_REMINDER,
	SMS_TEXT_OPT_OUT,
	SMS_TEXT_OPT_IN,
	SMS_TEXT_HELP,
	SMS_TEXT_RESCHEDULE,
	SMS_TEXT_CHOSEN,
	SMS_TEXT_OPT_IN_ELSEWHERE,
	SMS_TEXT_RATE_LIMIT,
	SMS_TEXT_SHARED_OPT_IN,
	SMS_TEXT_SHARED_HELP,
	SMS_TEXT_UNKNOWN,
	SMS_TEXT_ASK,
	SMS_TEXTS
} SmsText;

#define SMS_TEXT_IS_SHARED(kind)	((kind) >= SMS_TEXT_SHARED_OPT_IN)

typedef enum SmsVariable
{
	SMS_BUSINESS,
	SMS_CUSTOMER_NAME,
	SMS_REVIEW_LINK,
	SMS_PHONE,
	SMS_TIME,
	SMS_OPTIONS,
	SMS_VARIABLES
} SmsVariable;

/* By SmsVariable; NULL: not known. */
typedef struct SmsValues
{
	const char *values[SMS_VARIABLES];
} SmsValues;

extern const char *platform_sms_text_name(SmsText kind);

/* The built-in text; NULL in a language that has none. */
extern const char *platform_sms_built_in(SmsText kind, const char *language);

/* What stands for a variable that is not known. */
extern const char *platform_sms_neutral(SmsVariable variable, const char *language);

/*
 * The organization's text of that kind in that language, else the platform's, else
 * both in English, with its variables put in; within a query pair.
 */
extern char *platform_sms_compose(const pg_uuid_t *organization, SmsText kind,
								  const char *language, const SmsValues *values);

/*
 * The same with the values of an object; language NULL: the organization's. Not
 * within a query pair. PT404.
 */
extern text *platform_sms_rendered(const pg_uuid_t *organization, SmsText kind,
								   const char *language, Jsonb *values);

/* A language as an argument; NULL for NULL: 22023. */
extern char *platform_sms_language(FunctionCallInfo fcinfo, int argument);

/* The organization, as far as sending is concerned. */
typedef struct SmsSettings
{
	pg_uuid_t	organization;
	char	   *business;
	bool		active;
	bool		sending_enabled;
	const char *timezone;
	int64		quiet_from;		/* microseconds of the day */
	int64		quiet_until;
	int			per_minute;
	char	   *help_phone;
	char		language[SMS_LANGUAGE_BYTES];
} SmsSettings;

/* False when there is no such organization; within a query pair. */
extern bool platform_sms_settings(const pg_uuid_t *organization, SmsSettings *settings);

typedef struct SmsSource
{
	bool		quiet_hours;
	bool		ignores_opt_out;
	bool		operators_only;
} SmsSource;

/* NULL when there is none of that name; good until the next command. */
extern const SmsSource *platform_sms_source(const char *name);

/* The moment itself, or when the quiet hours end that it is in. */
extern TimestampTz platform_sms_after_quiet_hours(const SmsSettings *settings,
												  const char *timezone, TimestampTz at);

/*
 * Takes a place in the minute of that moment; when it may wait, in the first
 * minute with a place, to which *at is moved. False when there is none. user
 * NULL: for the organization.
 */
extern bool platform_sms_take_place(const pg_uuid_t *organization, const pg_uuid_t *user,
									int per_minute, bool may_wait, TimestampTz *at);

/* How many were taken in the minute; within a query pair. */
extern int	platform_sms_places_taken(const pg_uuid_t *organization, const pg_uuid_t *user,
									  TimestampTz at);

/* Opt-outs; the callers hold the phone's mutex and are within a query pair. */
typedef struct SmsOptOut
{
	const pg_uuid_t *organization;
	const char *phone;
	bool		everywhere;
	const char *channel;		/* sms, email, call, manual */
	const char *to_number;		/* ours, that was told; or NULL */
	const char *keyword;
	const char *message_id;
} SmsOptOut;

typedef enum SmsOptOutState
{
	SMS_WANTED,
	SMS_OPTED_OUT,
	SMS_OPTED_OUT_EVERYWHERE
} SmsOptOutState;

extern SmsOptOutState platform_sms_opt_out_state(const pg_uuid_t *organization, const char *phone);

/* Adds it, and cancels what is queued; was it new? */
extern bool platform_sms_opt_out(const SmsOptOut *opt_out);

/* Takes back what was said to to_number, or all but global ones of the organization. */
extern bool platform_sms_opt_in(const SmsOptOut *opt_in);

/* A message to be sent. */
typedef struct SmsSend
{
	pg_uuid_t	organization;
	const char *to_number;		/* E.164; NULL: what was given is none */
	const char *from_number;	/* E.164, or NULL: one is chosen */
	const char *body;
	const char *source;
	const char *idempotency_key;
	const char *timezone;
	TimestampTz send_after;		/* DT_NOBEGIN: now */
	const pg_uuid_t *user;
	const pg_uuid_t *lead;
} SmsSend;

typedef struct SmsSendAnswer
{
	const char *reason;			/* why not; NULL: it is queued */
	pg_uuid_t	id;
	const char *status;
	int			segments;
	TimestampTz send_after;
	bool		created;
} SmsSendAnswer;

/* Not within a query pair. */
extern void platform_sms_send(const SmsSend *send, SmsSendAnswer *answer);

/* The first reason of settings and source that stands against it; NULL: none. */
extern const char *platform_sms_closed_gate(const SmsSettings *settings, const char *source,
											const SmsSource **found);

/* Tells the quota, if there is one, that the message will not be sent. */
extern void platform_sms_release_quota(const pg_uuid_t *organization, const pg_uuid_t *message);

/* Messages that are no longer sent: their quota, rows of messages and automations. */
extern void platform_sms_after_cancel(uint64 count, const char *reason);

/* An event for webhooks about one message; type as in core/event.h. */
extern void platform_sms_event(const pg_uuid_t *organization, const char *type,
							   const pg_uuid_t *message, const char *customer, const char *detail);

/* For whom a message on a shared number is. */
typedef enum SmsMethod
{
	SMS_METHOD_NONE,
	SMS_METHOD_NUMBER,
	SMS_METHOD_LOCK,
	SMS_METHOD_HISTORY,
	SMS_METHOD_LEAD,
	SMS_METHOD_CHOICE
} SmsMethod;

#define SMS_OPTIONS_MAX		9

typedef struct SmsRoute
{
	SmsMethod	method;
	pg_uuid_t	organization;
	int			noptions;		/* more than one: only the customer knows */
	pg_uuid_t	options[SMS_OPTIONS_MAX];
} SmsRoute;

extern const char *platform_sms_method_name(SmsMethod method);

/* What kind of number of ours is it? Within a query pair, as the next ones. */
typedef enum SmsNumber
{
	SMS_NUMBER_UNKNOWN,
	SMS_NUMBER_SHARED,
	SMS_NUMBER_DEDICATED
} SmsNumber;

extern SmsNumber platform_sms_find_number(const char *number, pg_uuid_t *organization);

/* with_leads: also by leads, where these are kept. */
extern void platform_sms_route(const char *customer, const char *number, TimestampTz now,
							   bool with_leads, SmsRoute *route);

/* The customer's next appointment, where these are kept; false when there is none to confirm. */
extern bool platform_sms_confirm_appointment(const pg_uuid_t *organization, const char *customer);

/* The conversation is the organization's for 72 hours, unless it is another's. */
extern void platform_sms_lock_thread(const char *customer, const char *number,
									 const SmsSettings *settings, TimestampTz now, bool chosen);

#endif							/* PLATFORM_MESSAGING_H */
