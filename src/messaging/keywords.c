/*
 * keywords.c
 *	  Is a message a command? classify_sms_keyword()
 *
 * The words are rows of sms_keywords, kept in memory under the rules of
 * core/cache.h, folded as messages are. A word that means several things, in
 * one language or in two, means the one that wins: opting out wins always.
 */
#include "core/platform.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "core/argument.h"
#include "core/cache.h"
#include "core/query.h"
#include "core/result.h"
#include "messaging/messaging.h"

#define PHRASE_BYTES	128
#define PHRASE_WORDS	8

/* From strict to loose: what a looser one finds, it finds also where a stricter would. */
typedef enum KeywordMatch
{
	MATCH_EXACT,
	MATCH_WHOLE,
	MATCH_SENTENCE,
	MATCH_ANYWHERE
} KeywordMatch;

#define MATCH_ALLOWED(match)	(1 << (match))

typedef struct KeywordEntry
{
	char		phrase[PHRASE_BYTES];
	SmsKeyword	keyword;
	int			allowed;		/* bits of matches */
	int			nlanguages;
	char		languages[SMS_LANGUAGES_MAX][SMS_LANGUAGE_BYTES];
} KeywordEntry;

static const char *const keyword_names[] = {
	"OPT_OUT", "OPT_IN", "HELP", "CONFIRM", "DECLINE", "RESCHEDULE", "FILLER", "COLLISION_CHOICE",
};

static const char *const match_names[] = {"exact", "whole", "sentence", "anywhere"};

static PlatformCache cache = {.name = "sms keywords", .tables = {"sms_keywords"}};
static MemoryContext context = NULL;
static HTAB *phrases = NULL;

void
platform_keywords_init(void)
{
	platform_cache_register(&cache);
}

const char *
platform_sms_keyword_name(SmsKeyword keyword)
{
	return keyword >= lengthof(keyword_names) ? NULL : keyword_names[keyword];
}

static int
find_name(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	elog(ERROR, "unexpected word \"%s\"", name);
}

/* Words first to last with spaces between them; false when that is too long for a phrase. */
static bool
join(const SmsWords *words, int first, int last, char *phrase)
{
	size_t		used = 0;

	memset(phrase, 0, PHRASE_BYTES);
	for (int i = first; i <= last; i++)
	{
		size_t		length = strlen(words->words[i]);

		if (used + length + 2 > PHRASE_BYTES)
			return false;
		if (i > first)
			phrase[used++] = ' ';
		memcpy(phrase + used, words->words[i], length);
		used += length;
	}
	return used > 0;
}

static void
add_language(KeywordEntry *entry, const char *language)
{
	if (entry->nlanguages < SMS_LANGUAGES_MAX)
		strlcpy(entry->languages[entry->nlanguages++], language, SMS_LANGUAGE_BYTES);
}

static void
add_phrase(const char *word, const char *language, SmsKeyword keyword, KeywordMatch match)
{
	SmsWords	words;
	char		phrase[PHRASE_BYTES];
	KeywordEntry *entry;
	bool		found;
	int			allowed = MATCH_ALLOWED(match);

	platform_sms_fold(word, strlen(word), &words);
	if (words.count == 0)
	{
		memset(phrase, 0, sizeof(phrase));
		strlcpy(phrase, words.raw, sizeof(phrase));
	}
	else if (!join(&words, 0, words.count - 1, phrase))
		return;
	/* a word by itself is also a sentence, and one in it */
	for (int i = MATCH_EXACT; i < match; i++)
		allowed |= MATCH_ALLOWED(i);
	entry = hash_search(phrases, phrase, HASH_ENTER, &found);
	if (!found || keyword < entry->keyword)
	{
		entry->keyword = keyword;
		entry->allowed = allowed;
		entry->nlanguages = 0;
		add_language(entry, language);
	}
	else if (keyword == entry->keyword)
	{
		entry->allowed |= allowed;
		add_language(entry, language);
	}
}

static void
fill(void)
{
	static PlatformQuery read =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT word, keyword, match, language FROM platform.sms_keywords"
					   " ORDER BY language COLLATE pg_catalog.\"C\"");
	HASHCTL		control = {.keysize = PHRASE_BYTES, .entrysize = sizeof(KeywordEntry)};
	uint64		count;

	platform_cache_begin_fill(&cache);
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "platform messaging",
										ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(context);
	control.hcxt = context;
	phrases = hash_create("platform sms keywords", 256, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	platform_query_begin();
	count = platform_query_run(&read, NULL, NULL);
	for (uint64 i = 0; i < count; i++)
		add_phrase(platform_row_cstring(i, 1), platform_row_cstring(i, 4),
				   find_name(keyword_names, lengthof(keyword_names), platform_row_cstring(i, 2)),
				   find_name(match_names, lengthof(match_names), platform_row_cstring(i, 3)));
	platform_query_end();
}

/* The entry of words first to last for that match; NULL for none. */
static const KeywordEntry *
find(const SmsWords *words, int first, int last, KeywordMatch match)
{
	char		phrase[PHRASE_BYTES];
	const KeywordEntry *entry;

	if (first > last || !join(words, first, last, phrase))
		return NULL;
	entry = hash_search(phrases, phrase, HASH_FIND, NULL);
	return entry != NULL && (entry->allowed & MATCH_ALLOWED(match)) ? entry : NULL;
}

static bool
is_filler(const SmsWords *words, int first, int last)
{
	const KeywordEntry *entry = find(words, first, last, MATCH_WHOLE);

	return entry != NULL && entry->keyword == SMS_FILLER;
}

/* Leaves fillers at both ends out. */
static void
trim(const SmsWords *words, int *first, int *last)
{
	bool		trimmed = true;

	while (trimmed)
	{
		trimmed = false;
		for (int length = Min(PHRASE_WORDS, *last - *first + 1); length > 0 && !trimmed; length--)
		{
			if (is_filler(words, *first, *first + length - 1))
			{
				*first += length;
				trimmed = true;
			}
			else if (is_filler(words, *last - length + 1, *last))
			{
				*last -= length;
				trimmed = true;
			}
		}
	}
}

static const KeywordEntry *
find_command(const SmsWords *words, int first, int last, KeywordMatch match)
{
	const KeywordEntry *entry = find(words, first, last, match);

	return entry != NULL && entry->keyword == SMS_FILLER ? NULL : entry;
}

/* The one that wins; either may be NULL. */
static const KeywordEntry *
winner(const KeywordEntry *a, const KeywordEntry *b)
{
	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	return b->keyword < a->keyword ? b : a;
}

/*
 * A message that is nothing but commands, such as "stop stop": the one that it
 * repeats, or opting out if that is among them. Words that mean something only
 * by themselves count only beside others of their kind.
 */
static const KeywordEntry *
find_repeated(const SmsWords *words)
{
	const KeywordEntry *result = NULL;
	const KeywordEntry *weak = NULL;
	bool		mixed = false;
	bool		fillers = false;

	for (int i = 0; i < words->count;)
	{
		const KeywordEntry *entry = NULL;
		int			length = Min(PHRASE_WORDS, words->count - i);

		while (length > 0 && (entry = find(words, i, i + length - 1, MATCH_EXACT)) == NULL)
			length--;
		if (entry == NULL)
			return NULL;
		i += length;
		if (entry->keyword == SMS_FILLER)
		{
			fillers = true;
			continue;
		}
		if (!(entry->allowed & MATCH_ALLOWED(MATCH_WHOLE)))
		{
			mixed |= weak != NULL && weak->keyword != entry->keyword;
			weak = entry;
			continue;
		}
		mixed |= result != NULL && result->keyword != entry->keyword;
		result = winner(result, entry);
	}
	if (result != NULL && result->keyword == SMS_OPT_OUT)
		return result;
	if (result == NULL && !mixed && !fillers)
		return weak;
	return mixed || weak != NULL ? NULL : result;
}

/* A sentence that opts out, whatever else is said; and what the first one says. */
static const KeywordEntry *
find_sentence(const SmsWords *words)
{
	const KeywordEntry *result = NULL;

	for (int begin = 0, end; begin < words->count; begin = end)
	{
		int			first = begin;
		int			last;
		const KeywordEntry *entry;

		for (end = begin; end < words->count && words->sentences[end] == words->sentences[begin];)
			end++;
		last = end - 1;
		trim(words, &first, &last);
		entry = find_command(words, first, last, MATCH_SENTENCE);
		if (entry != NULL && entry->keyword == SMS_OPT_OUT)
			return entry;
		if (begin == 0)
			result = entry;
	}
	return result;
}

static const KeywordEntry *
find_anywhere(const SmsWords *words)
{
	const KeywordEntry *result = NULL;

	for (int i = 0; i < words->count; i++)
	{
		for (int last = i; last < Min(words->count, i + PHRASE_WORDS); last++)
			result = winner(result, find_command(words, i, last, MATCH_ANYWHERE));
	}
	return result;
}

static const KeywordEntry *
find_raw(const char *raw)
{
	char		phrase[PHRASE_BYTES] = {0};
	const KeywordEntry *entry;

	if (*raw == '\0' || strlen(raw) >= PHRASE_BYTES)
		return NULL;
	strlcpy(phrase, raw, sizeof(phrase));
	entry = hash_search(phrases, phrase, HASH_FIND, NULL);
	return entry != NULL && entry->keyword == SMS_FILLER ? NULL : entry;
}

/* The command, and how sure that is in percent. */
static const KeywordEntry *
find_keyword(const SmsWords *words, int *confidence)
{
	const KeywordEntry *entry;
	int			first = 0;
	int			last = words->count - 1;

	*confidence = 100;
	entry = words->count == 0 ? find_raw(words->raw) : find_command(words, 0, last, MATCH_EXACT);
	if (entry != NULL)
		return entry;
	*confidence = 95;
	trim(words, &first, &last);
	if ((entry = find_command(words, first, last, MATCH_WHOLE)) != NULL ||
		(entry = find_repeated(words)) != NULL)
		return entry;
	*confidence = 90;
	if ((entry = find_sentence(words)) != NULL)
		return entry;
	*confidence = 70;
	if ((entry = find_anywhere(words)) == NULL)
		*confidence = 0;
	return entry;
}

void
platform_sms_classify(const char *body, size_t length, SmsClass *answer)
{
	SmsWords	words;
	const KeywordEntry *entry;

	if (!platform_cache_is_valid(&cache))
		fill();
	platform_sms_fold(body, length, &words);
	memset(answer, 0, sizeof(SmsClass));
	if (words.count == 1 && words.words[0][0] >= '1' && words.words[0][0] <= '9' &&
		words.words[0][1] == '\0')
	{
		answer->keyword = SMS_CHOICE;
		answer->confidence = 100;
		answer->choice = words.words[0][0] - '0';
		return;
	}
	entry = find_keyword(&words, &answer->confidence);
	answer->keyword = entry == NULL ? SMS_NO_KEYWORD : entry->keyword;
	if (entry != NULL)
	{
		answer->nlanguages = entry->nlanguages;
		memcpy(answer->languages, entry->languages, sizeof(answer->languages));
	}
}

const char *
platform_sms_reply_language(const SmsClass *class, const char *otherwise)
{
	for (int i = 0; i < class->nlanguages; i++)
	{
		if (strcmp(class->languages[i], otherwise) == 0 ||
			strcmp(class->languages[i], SMS_DEFAULT_LANGUAGE) == 0)
			return otherwise;
	}
	return class->nlanguages > 0 ? class->languages[0] : otherwise;
}

PG_FUNCTION_INFO_V1(platform_classify_sms_keyword);

/*
 * platform.classify_sms_keyword(body text) RETURNS (keyword text, confidence numeric)
 *
 * Is the message a command? OPT_OUT, OPT_IN, HELP, CONFIRM, DECLINE, RESCHEDULE, by
 * the words of sms_keywords, or COLLISION_CHOICE for one digit from 1 to 9; NULL
 * when it is none. confidence: 1.00 the message is the word, punctuation and case
 * apart; 0.95 but for fillers such as please, or repeated; 0.90 one of its sentences
 * is; 0.70 it contains it; 0. NULL for NULL. EXECUTE is the grant.
 */
Datum
platform_classify_sms_keyword(PG_FUNCTION_ARGS)
{
	text	   *body = PG_GETARG_TEXT_PP(0);
	Datum		values[2];
	bool		nulls[2] = {false};
	SmsClass	class;

	platform_require_module(&platform_messaging_module);
	platform_sms_classify(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &class);
	values[0] = platform_sms_text_or_null(platform_sms_keyword_name(class.keyword), &nulls[0]);
	values[1] = NumericGetDatum(int64_div_fast_to_numeric(class.confidence, 2));
	return platform_return_row(fcinfo, values, nulls);
}
