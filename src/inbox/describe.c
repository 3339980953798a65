/*
 * describe.c
 *	  Which events a request has: their types, the keys by which they are
 *	  recognised when they come again, the number of ours that they concern.
 *
 * A key has the event's kind in it: what begins and ends a call has the same id.
 * Meta sends batches, and after a failure it sends their parts in others; so each
 * part is an event of its own, in the form in which Meta would send it alone.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/base64.h"
#include "core/http_headers.h"
#include "inbox/inbox.h"

#define KEY_MAX		255
#define UNNAMED		"event"

typedef struct Events
{
	const InboxRequest *request;
	InboxEvent *events;
	int			count;
	int			capacity;
} Events;

static InboxEvent *
add_event(Events *events, const Jsonb *payload)
{
	InboxEvent *event;

	if (events->count == events->capacity)
	{
		events->capacity *= 2;
		events->events = repalloc_huge(events->events, events->capacity * sizeof(InboxEvent));
	}
	event = &events->events[events->count++];
	memset(event, 0, sizeof(InboxEvent));
	event->payload = payload;
	event->event_type = UNNAMED;
	return event;
}

/* A header in the database's encoding; NULL when there is none. */
static const char *
header_text(const InboxRequest *request, const char *name)
{
	PlatformBytes value = platform_find_header(request->headers, name);

	if (value.data == NULL || value.length == 0)
		return NULL;
	return pg_any_to_server(pnstrdup((const char *) value.data, value.length), value.length, PG_UTF8);
}

/* The international form; "whatsapp:" and its like don't count. NULL when it is no number. */
static const char *
phone_number(const char *text, bool international)
{
	const PlatformPhoneRegion *region = platform_phone_region(PLATFORM_DEFAULT_REGION,
															  strlen(PLATFORM_DEFAULT_REGION));
	char	   *e164 = palloc(PLATFORM_E164_SIZE);
	const char *colon;

	if (text == NULL)
		return NULL;
	if ((colon = strchr(text, ':')) != NULL)
		text = colon + 1;
	if (international && *text != '+')
		text = psprintf("+%s", text);
	return platform_normalize_phone(text, strlen(text), region, e164) ? e164 : NULL;
}

static bool
begins(const char *text, const char *with)
{
	return text != NULL && strncmp(text, with, strlen(with)) == 0;
}

/* Words of Twilio as parts of a type: "no-answer" becomes "no_answer". */
static char *
type_of(const char *prefix, const char *word)
{
	char	   *type = psprintf("%s_%s", prefix, word);

	for (char *c = type; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	return type;
}

/*
 * Calls and messages, and what becomes of them. Without Twilio's token a call's or
 * message's id is the key, with its state and number in the sequence.
 */
static void
describe_twilio(const InboxRequest *request, InboxEvent *event, const JsonbContainer *root)
{
	const char *token = header_text(request, "i-twilio-idempotency-token");
	const char *call = platform_inbox_text(root, "CallSid");
	const char *message = platform_inbox_text(root, "MessageSid");
	const char *direction = platform_inbox_text(root, "Direction");
	const char *sequence = platform_inbox_text(root, "SequenceNumber");
	const char *state = NULL;
	bool		outbound = begins(direction, "outbound");
	static const char *const states[] = {
		"RecordingStatus", "TranscriptionStatus", "MessageStatus", "CallStatus", "SmsStatus"
	};

	if (message == NULL)
		message = platform_inbox_text(root, "SmsSid");
	for (int i = 0; i < lengthof(states) && state == NULL; i++)
		if ((state = platform_inbox_text(root, states[i])) != NULL && i < 2)
			event->event_type = type_of(i == 0 ? "recording" : "transcription", state);
	if (strcmp(event->event_type, UNNAMED) == 0 && state != NULL)
	{
		if (call != NULL && strcmp(state, "ringing") == 0 && !outbound)
			event->event_type = "call_inbound";
		else if (call != NULL && strcmp(state, "completed") == 0)
			event->event_type = "call_ended";
		else if (call != NULL)
			event->event_type = type_of("call", state);
		else if (message != NULL && strcmp(state, "received") == 0)
			event->event_type = "sms_inbound";
		else if (message != NULL)
		{
			event->event_type = type_of("sms", state);
			outbound = true;
		}
	}
	event->phone_number = phone_number(platform_inbox_text(root, outbound ? "From" : "To"), false);

	if (token != NULL)
		event->key = psprintf("token:%s", token);
	else if (call != NULL || message != NULL)
		event->key = psprintf("%s:%s:%s:%s", event->event_type, call != NULL ? call : message,
							  state != NULL ? state : "", sequence != NULL ? sequence : "");
}

/* {"event": "call_ended", "call": {...}}; of some events the object has their name. */
static void
describe_retell(InboxEvent *event, const JsonbContainer *root)
{
	const char *type = platform_inbox_text(root, "event");
	const JsonbContainer *call = platform_inbox_nested(root, "call");
	const char *id = NULL;

	if (call == NULL)
		call = platform_inbox_nested(root, "chat");
	if (call == NULL && type != NULL)
		call = platform_inbox_nested(root, type);
	if (type != NULL)
		event->event_type = type;
	event->agent = platform_inbox_text(call, "agent_id");
	event->phone_number =
		phone_number(platform_inbox_text(call, begins(platform_inbox_text(call, "direction"), "outbound") ?
										 "from_number" : "to_number"), false);
	id = platform_inbox_text(call, "call_id");
	if (id == NULL)
		id = platform_inbox_text(call, "chat_id");
	if (type != NULL && id != NULL)
		event->key = psprintf("%s:%s", type, id);
}

static void
describe_slack(InboxEvent *event, const JsonbContainer *root)
{
	const char *id = platform_inbox_text(root, "event_id");
	const char *type = platform_inbox_text(platform_inbox_nested(root, "event"), "type");

	if (type == NULL)
		type = platform_inbox_text(root, "type");
	if (type == NULL && platform_inbox_text(root, "command") != NULL)
		type = "slash_command";
	if (type != NULL)
		event->event_type = type;
	if (id != NULL)
		event->key = psprintf("id:%s", id);
}

/* The id and the type stand in the payload, or in headers. */
static void
describe_plain(InboxEvent *event, const char *id, const char *type)
{
	if (type != NULL)
		event->event_type = type;
	if (id != NULL)
		event->key = psprintf("id:%s", id);
}

/* ---- Meta's batches ---- */

/* The arrays of a change's value whose items are events, and how these are called. */
static const struct
{
	const char *name;
	const char *event_type;
}			meta_arrays[] = {
	{"messages", "message"}, {"statuses", "status"}, {"calls", "call"},
};

static bool
is_meta_array(const JsonbValue *name)
{
	for (int i = 0; i < lengthof(meta_arrays); i++)
		if (strlen(meta_arrays[i].name) == name->val.string.len &&
			memcmp(meta_arrays[i].name, name->val.string.val, name->val.string.len) == 0)
			return true;
	return false;
}

static void
push_name(JsonbParseState **state, const char *name)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, name);
	value.val.string.len = strlen(name);
	(void) pushJsonbValue(state, WJB_KEY, &value);
}

/* The members of an object but one; without a name: but the arrays of events. */
static void
push_members(JsonbParseState **state, const JsonbContainer *from, const char *except)
{
	JsonbIterator *iterator = JsonbIteratorInit(unconstify(JsonbContainer *, from));
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		skip = false;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			skip = except == NULL ? is_meta_array(&value) :
				value.val.string.len == strlen(except) &&
				memcmp(value.val.string.val, except, value.val.string.len) == 0;
		if ((token == WJB_KEY || token == WJB_VALUE) && !skip)
			(void) pushJsonbValue(state, token, &value);
	}
}

static void
push_array_of(JsonbParseState **state, const char *name)
{
	push_name(state, name);
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
}

/* Where in the batch an event is. */
typedef struct MetaPlace
{
	const JsonbContainer *root;
	const JsonbContainer *entry;
	const char *list;			/* changes, messaging or standby */
	JsonbValue *change;			/* an item of it */
} MetaPlace;

/* The batch with this event alone; array NULL: the whole item of the list is the event. */
static Jsonb *
meta_alone(const MetaPlace *place, const char *array, JsonbValue *item)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_members(&state, place->root, "entry");
	push_array_of(&state, "entry");
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_members(&state, place->entry, place->list);
	push_array_of(&state, place->list);
	if (array == NULL)
		(void) pushJsonbValue(&state, WJB_ELEM, place->change);
	else
	{
		const JsonbContainer *change = place->change->val.binary.data;

		(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_members(&state, change, "value");
		push_name(&state, "value");
		(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_members(&state, platform_inbox_nested(change, "value"), NULL);
		push_array_of(&state, array);
		(void) pushJsonbValue(&state, WJB_ELEM, item);
		(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
		(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* The items of one of a change's arrays. */
static void
add_meta_items(Events *events, const MetaPlace *place, int kind)
{
	const JsonbContainer *value = platform_inbox_nested(place->change->val.binary.data, "value");
	const JsonbContainer *array = platform_inbox_nested(value, meta_arrays[kind].name);
	const char *number = platform_inbox_text(platform_inbox_nested(value, "metadata"),
											 "display_phone_number");

	if (array == NULL || !JsonContainerIsArray(array))
		return;
	for (uint32 i = 0; i < JsonContainerSize(array); i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(unconstify(JsonbContainer *, array), i);
		const JsonbContainer *object = item->type == jbvBinary ? item->val.binary.data : NULL;
		InboxEvent *event = add_event(events, meta_alone(place, meta_arrays[kind].name, item));
		const char *id = platform_inbox_text(object, "id");
		const char *state = platform_inbox_text(object, kind == 2 ? "event" : "status");
		const char *time = platform_inbox_text(object, "timestamp");

		event->event_type = meta_arrays[kind].event_type;
		event->phone_number = phone_number(number, true);
		if (id != NULL)
			event->key = psprintf("%s:%s:%s:%s", event->event_type, id,
								  state != NULL ? state : "", time != NULL ? time : "");
	}
}

/* Messenger and Instagram: an item is an event. */
static void
add_messaging(Events *events, const MetaPlace *place)
{
	const JsonbContainer *object = place->change->type == jbvBinary ? place->change->val.binary.data : NULL;
	InboxEvent *event = add_event(events, meta_alone(place, NULL, NULL));
	const char *id = platform_inbox_text(platform_inbox_nested(object, "message"), "mid");
	const char *time = platform_inbox_text(object, "timestamp");

	event->event_type = id != NULL ? "message" : "messaging";
	if (id != NULL)
		event->key = psprintf("message:%s:%s", id, time != NULL ? time : "");
}

static void
add_change(Events *events, const MetaPlace *place)
{
	int			before = events->count;

	if (place->change->type == jbvBinary)
		for (int kind = 0; kind < lengthof(meta_arrays); kind++)
			add_meta_items(events, place, kind);
	if (events->count == before)
	{
		InboxEvent *event = add_event(events, meta_alone(place, NULL, NULL));
		const char *field = place->change->type == jbvBinary ?
			platform_inbox_text(place->change->val.binary.data, "field") : NULL;

		if (field != NULL)
			event->event_type = field;
	}
}

static void
describe_meta(Events *events, const Jsonb *payload)
{
	static const char *const lists[] = {"changes", "messaging", "standby"};
	const JsonbContainer *entries = payload == NULL ? NULL : platform_inbox_nested(&payload->root, "entry");

	if (entries != NULL && JsonContainerIsArray(entries))
		for (uint32 i = 0; i < JsonContainerSize(entries); i++)
		{
			JsonbValue *entry = getIthJsonbValueFromContainer(unconstify(JsonbContainer *, entries), i);
			MetaPlace	place = {.root = &payload->root};

			if (entry->type != jbvBinary)
				continue;
			place.entry = entry->val.binary.data;
			for (int j = 0; j < lengthof(lists); j++)
			{
				const JsonbContainer *list = platform_inbox_nested(place.entry, lists[j]);

				place.list = lists[j];
				for (uint32 k = 0; list != NULL && JsonContainerIsArray(list) && k < JsonContainerSize(list); k++)
				{
					place.change = getIthJsonbValueFromContainer(unconstify(JsonbContainer *, list), k);
					if (j == 0)
						add_change(events, &place);
					else
						add_messaging(events, &place);
				}
			}
		}
	if (events->count == 0)
		(void) add_event(events, payload);
}

/* ---- all of them ---- */

static void
describe_one(const InboxRequest *request, InboxEvent *event, const Jsonb *payload)
{
	const JsonbContainer *root = payload == NULL ? NULL : &payload->root;

	switch (request->scheme)
	{
		case SIGNATURE_STANDARD:
			describe_plain(event, header_text(request, "webhook-id"), platform_inbox_text(root, "type"));
			break;
		case SIGNATURE_SVIX:
			describe_plain(event, header_text(request, "svix-id"), platform_inbox_text(root, "type"));
			if (event->key == NULL)
				describe_plain(event, header_text(request, "webhook-id"), NULL);
			break;
		case SIGNATURE_STRIPE:
			describe_plain(event, platform_inbox_text(root, "id"), platform_inbox_text(root, "type"));
			break;
		case SIGNATURE_GITHUB:
			describe_plain(event, header_text(request, "x-github-delivery"),
						   header_text(request, "x-github-event"));
			break;
		case SIGNATURE_SLACK:
			describe_slack(event, root);
			break;
		case SIGNATURE_TWILIO:
			describe_twilio(request, event, root);
			break;
		case SIGNATURE_RETELL:
			describe_retell(event, root);
			break;
		case SIGNATURE_META:
			break;
	}
}

/*
 * What makes the same event the same: its bytes, or the URL of a GET; of a part of a batch what it
 * says; of Stripe's events what they say but for a count that changes between deliveries.
 */
static void
take_fingerprint(const InboxRequest *request, InboxEvent *event)
{
	const char *text;

	if (event->payload == NULL ||
		(request->scheme != SIGNATURE_META && request->scheme != SIGNATURE_STRIPE))
	{
		const PlatformBytes *bytes = request->body.length == 0 && request->url.data != NULL ?
			&request->url : &request->body;

		platform_hash(PLATFORM_SHA256, bytes->data, bytes->length, event->fingerprint);
		return;
	}
	if (request->scheme == SIGNATURE_STRIPE && JB_ROOT_IS_OBJECT(event->payload))
	{
		JsonbParseState *state = NULL;

		(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_members(&state, &event->payload->root, "pending_webhooks");
		text = JsonbToCString(NULL, &JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL))->root, 0);
	}
	else
		text = JsonbToCString(NULL, unconstify(JsonbContainer *, &event->payload->root),
							  VARSIZE(event->payload));
	platform_hash(PLATFORM_SHA256, text, strlen(text), event->fingerprint);
}

/* A key is always there and fits into an index. */
static void
complete_key(InboxEvent *event)
{
	uint8		digest[INBOX_HASH_SIZE];
	char		hex[2 * INBOX_HASH_SIZE + 1];

	event->by_content = event->key == NULL;
	if (!event->by_content && strlen(event->key) <= KEY_MAX)
		return;
	if (event->by_content)
		memcpy(digest, event->fingerprint, sizeof(digest));
	else
		platform_hash(PLATFORM_SHA256, event->key, strlen(event->key), digest);
	platform_hex_encode(digest, sizeof(digest), hex);
	event->key = psprintf("%s:%s", event->by_content ? "sha256" : "long", hex);
}

static const char *
clip(const char *text, int characters)
{
	return text == NULL ? NULL : pnstrdup(text, pg_mbcharcliplen(text, strlen(text), characters));
}

InboxEvent *
platform_inbox_describe(const InboxRequest *request, int *count)
{
	Events		events = {.request = request, .capacity = 4};
	Jsonb	   *payload = platform_inbox_payload(request);

	events.events = palloc(events.capacity * sizeof(InboxEvent));
	if (request->scheme == SIGNATURE_META)
		describe_meta(&events, payload);
	else
		describe_one(request, add_event(&events, payload), payload);
	for (int i = 0; i < events.count; i++)
	{
		take_fingerprint(request, &events.events[i]);
		complete_key(&events.events[i]);
		events.events[i].event_type = clip(events.events[i].event_type, INBOX_TYPE_MAX);
	}
	*count = events.count;
	return events.events;
}
