/*
 * fanout.c
 *	  From events to deliveries.
 *
 * One worker at a time, under an advisory lock, turns what is new in
 * webhook_events into a delivery for each subscription that matches. What is new
 * is what a snapshot of now sees and the snapshot done does not: transactions
 * that had begun before and ended since (the late ones, by name), and those that
 * began after. So nothing is missed in whatever order transactions commit, and
 * nobody waits for one that stays open.
 *
 * Much that is new is done in parts: then the snapshot on the way to which we
 * are is kept, with the last event done. Events are taken by transaction and id.
 *
 * Transaction ids mean something in the database system that gave them. In one
 * into which a dump was restored all events of its own are new, and of the old
 * ones those that the kept snapshot does not see.
 */
#include "core/platform.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "core/query.h"
#include "webhooks/webhooks.h"

#define LOCK_CLASS		0xc402
#define MISSING_XID		UINT64CONST(0)

typedef struct Fanout
{
	int64		cluster;		/* of the snapshots kept */
	char	   *done;			/* NULL: nothing is done */
	char	   *until;			/* NULL: no part is under way */
	uint64		done_xmax;
	uint64		until_xmax;
	uint64		position;		/* transaction and id of the last event done */
	pg_uuid_t	position_id;
} Fanout;

typedef struct Event
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	char	   *type;
	uint64		transaction;	/* 0: this one */
	int64		cluster;
} Event;

typedef struct Subscription
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	int			max_attempts;
	int			npatterns;
	Datum	   *patterns;		/* text */
	char	   *since;			/* the snapshot of when it was made; NULL: not known */
	int64		since_cluster;
} Subscription;

typedef struct Delivery
{
	const Subscription *subscription;
	const Event *event;
} Delivery;

/* A growing array of what is to be inserted. */
typedef struct Deliveries
{
	int			count;
	int			size;
	Delivery   *deliveries;
} Deliveries;

static PlatformQuery read_state =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT cluster_id, done::pg_catalog.text, until::pg_catalog.text,"
				   " pg_catalog.pg_snapshot_xmax(done), pg_catalog.pg_snapshot_xmax(until),"
				   " position_transaction, position_id, pg_catalog.pg_current_snapshot()::pg_catalog.text"
				   " FROM platform.webhook_fanout");

static PlatformQuery current_snapshot =
	PLATFORM_QUERY(QUERY_READ | QUERY_LATEST,
				   "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text");

static PlatformQuery snapshot_xmax =
	PLATFORM_QUERY(QUERY_READ,
				   "SELECT pg_catalog.pg_snapshot_xmax($1::pg_catalog.pg_snapshot)", TEXTOID);

static PlatformQuery late_transactions =
	PLATFORM_QUERY(QUERY_READ,
				   "SELECT pg_catalog.array_agg(x) FROM pg_catalog.pg_snapshot_xip($1::pg_catalog.pg_snapshot) AS x"
				   " WHERE pg_catalog.pg_visible_in_snapshot(x, $2::pg_catalog.pg_snapshot)",
				   TEXTOID, TEXTOID);

#define AFTER_POSITION \
	" AND ROW(e.transaction_id, e.id) OPERATOR(pg_catalog.>) ROW($1, $2)"
#define IN_ORDER \
	" ORDER BY e.transaction_id, e.id LIMIT $3"
#define EVENT_COLUMNS \
	"SELECT e.id, e.organization_id, e.event_type, e.transaction_id, e.cluster_id FROM platform.webhook_events e"

static PlatformQuery late_events =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   EVENT_COLUMNS
				   " WHERE e.transaction_id OPERATOR(pg_catalog.=) ANY ($4)"
				   " AND e.cluster_id OPERATOR(pg_catalog.=) $5"
				   AFTER_POSITION IN_ORDER,
				   XID8OID, UUIDOID, INT8OID, XID8ARRAYOID, INT8OID);

static PlatformQuery new_events =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   EVENT_COLUMNS
				   " WHERE e.transaction_id OPERATOR(pg_catalog.<) $4"
				   " AND pg_catalog.pg_visible_in_snapshot(e.transaction_id, $5::pg_catalog.pg_snapshot)"
				   " AND e.cluster_id OPERATOR(pg_catalog.=) $6"
				   AFTER_POSITION IN_ORDER,
				   XID8OID, UUIDOID, INT8OID, XID8OID, TEXTOID, INT8OID);

/* What a restored dump had not done. */
static PlatformQuery foreign_events =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   EVENT_COLUMNS
				   " WHERE e.cluster_id OPERATOR(pg_catalog.<>) $4"
				   " AND (e.cluster_id OPERATOR(pg_catalog.<>) $5 OR $6 IS NULL"
				   " OR NOT pg_catalog.pg_visible_in_snapshot(e.transaction_id, $6::pg_catalog.pg_snapshot))"
				   AFTER_POSITION IN_ORDER,
				   XID8OID, UUIDOID, INT8OID, INT8OID, INT8OID, TEXTOID);

static PlatformQuery write_state =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "INSERT INTO platform.webhook_fanout AS f"
				   " (id, cluster_id, done, until, position_transaction, position_id)"
				   " VALUES (true, $1, $2::pg_catalog.pg_snapshot, $3::pg_catalog.pg_snapshot, $4, $5)"
				   " ON CONFLICT (id) DO UPDATE SET cluster_id = excluded.cluster_id, done = excluded.done,"
				   " until = excluded.until, position_transaction = excluded.position_transaction,"
				   " position_id = excluded.position_id",
				   INT8OID, TEXTOID, TEXTOID, XID8OID, UUIDOID);

/* Locked against being deleted before their deliveries are there. */
static PlatformQuery find_subscriptions =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "SELECT s.id, s.organization_id, s.events,"
				   " CASE WHEN s.retry_policy OPERATOR(pg_catalog.=) 'none' THEN 1"
				   " ELSE s.max_retries OPERATOR(pg_catalog.+) 1 END, e.since::pg_catalog.text, e.since_cluster"
				   " FROM platform.webhook_subscriptions s"
				   " LEFT JOIN platform.webhook_endpoints e ON e.subscription_id OPERATOR(pg_catalog.=) s.id"
				   " AND e.organization_id OPERATOR(pg_catalog.=) s.organization_id"
				   " WHERE s.organization_id OPERATOR(pg_catalog.=) ANY ($1)"
				   " ORDER BY s.organization_id, s.id FOR KEY SHARE OF s",
				   UUIDARRAYOID);

static PlatformQuery insert_deliveries =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "INSERT INTO platform.webhook_deliveries"
				   " (subscription_id, organization_id, event_id, event_type, max_attempts, next_retry_at, created_at)"
				   " SELECT u.s, u.o, u.e, u.t, u.m, u.d, $7 FROM ROWS FROM ("
				   "pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
				   " pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6)) AS u (s, o, e, t, m, d)"
				   " ON CONFLICT (subscription_id, event_id, replay, organization_id) DO NOTHING",
				   UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
				   TIMESTAMPTZARRAYOID, TIMESTAMPTZOID);

/*
 * Locks the rows even where there is nothing to change: a claim that finds
 * nothing left must not say so past deliveries that we are about to add.
 */
static PlatformQuery make_due =
	PLATFORM_QUERY(QUERY_OWNER | QUERY_LATEST | QUERY_INDEXED,
				   "INSERT INTO platform.webhook_endpoints AS e (subscription_id, organization_id, due_at)"
				   " SELECT u.s, u.o, $3 FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS u (s, o)"
				   " ON CONFLICT (subscription_id, organization_id) DO UPDATE"
				   " SET due_at = LEAST(e.due_at, GREATEST(excluded.due_at, e.blocked_until)),"
				   " scan_from = LEAST(e.scan_from, excluded.due_at),"
				   " gap_to = CASE WHEN e.gap_to OPERATOR(pg_catalog.>) excluded.due_at"
				   " THEN excluded.due_at ELSE e.gap_to END"
				   " WHERE e.due_at IS NULL OR e.due_at OPERATOR(pg_catalog.>) GREATEST(excluded.due_at, e.blocked_until)"
				   " OR e.scan_from OPERATOR(pg_catalog.>) excluded.due_at"
				   " OR e.gap_to OPERATOR(pg_catalog.>) excluded.due_at",
				   UUIDARRAYOID, UUIDARRAYOID, TIMESTAMPTZOID);

TimestampTz
platform_webhook_make_due(const pg_uuid_t *subscriptions, const pg_uuid_t *organizations, int count)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[3];

	values[0] = platform_uuid_array(subscriptions, count);
	values[1] = platform_uuid_array(organizations, count);
	values[2] = TimestampTzGetDatum(now);
	platform_query_run(&make_due, values, NULL);
	/* behind whatever was claimed before we had the locks; the clock may go back */
	return Max(now, GetCurrentTimestamp());
}

/* ---- how far we are ---- */

static uint64
row_xid(uint64 row, int column)
{
	bool		isnull;
	Datum		value = platform_row_datum(row, column, &isnull);

	return isnull ? MISSING_XID : U64FromFullTransactionId(DatumGetFullTransactionId(value));
}

/*
 * The snapshot "xmin:xmax:xip,..." with our own transaction among those in
 * progress: the server leaves it out, but more events may follow from it.
 */
static char *
with_own_transaction(char *snapshot)
{
	FullTransactionId own = GetTopFullTransactionIdIfAny();
	uint64		xid = U64FromFullTransactionId(own);
	char	   *next = strchr(snapshot, ':') + 1;
	StringInfoData text;

	if (!FullTransactionIdIsValid(own) || xid >= strtoull(next, NULL, 10))
		return snapshot;
	next = strchr(next, ':') + 1;
	initStringInfo(&text);
	appendBinaryStringInfo(&text, snapshot, (int) (next - snapshot));
	while (*next != '\0' && strtoull(next, NULL, 10) < xid)
	{
		size_t		length = strcspn(next, ",");

		appendBinaryStringInfo(&text, next, (int) length);
		appendStringInfoChar(&text, ',');
		next += next[length] == ',' ? length + 1 : length;
	}
	if (text.data[text.len - 1] != ',' && text.data[text.len - 1] != ':')
		appendStringInfoChar(&text, ',');
	appendStringInfo(&text, UINT64_FORMAT, xid);
	if (*next != '\0')
		appendStringInfo(&text, ",%s", next);
	return text.data;
}

char *
platform_webhook_current_snapshot(void)
{
	platform_query_run(&current_snapshot, NULL, NULL);
	return with_own_transaction(platform_row_cstring(0, 1));
}

static uint64
xmax_of(const char *snapshot)
{
	Datum		value = CStringGetTextDatum(snapshot);

	platform_query_run(&snapshot_xmax, &value, NULL);
	return row_xid(0, 1);
}

/* Reads the state; begins the way to a snapshot of now when none is under way. */
static void
read_fanout(Fanout *fanout)
{
	uint64		count = platform_query_run(&read_state, NULL, NULL);
	bool		isnull;
	Datum		id;
	char	   *now;

	memset(fanout, 0, sizeof(*fanout));
	fanout->cluster = (int64) GetSystemIdentifier();
	if (count == 0)
	{
		/* somebody emptied the table */
		platform_query_run(&write_state, (Datum[]) {Int64GetDatum(fanout->cluster), 0, 0, 0, 0},
						   (bool[]) {false, true, true, true, true});
		platform_query_run(&read_state, NULL, NULL);
	}
	fanout->cluster = platform_row_int64_or(0, 1, fanout->cluster);
	fanout->done = platform_row_cstring(0, 2);
	fanout->until = platform_row_cstring(0, 3);
	fanout->done_xmax = row_xid(0, 4);
	fanout->until_xmax = row_xid(0, 5);
	fanout->position = row_xid(0, 6);
	id = platform_row_datum(0, 7, &isnull);
	if (!isnull)
		fanout->position_id = *DatumGetUUIDP(id);
	now = platform_row_cstring(0, 8);
	if (fanout->until == NULL)
	{
		fanout->until = with_own_transaction(now);
		fanout->until_xmax = xmax_of(fanout->until);
		fanout->position = MISSING_XID;
		memset(&fanout->position_id, 0, sizeof(fanout->position_id));
	}
}

/* finished: all events before until are done. */
static void
write_fanout(const Fanout *fanout, bool finished)
{
	const char *done = finished ? fanout->until : fanout->done;
	Datum		values[5] = {Int64GetDatum(fanout->cluster)};
	bool		nulls[5] = {false, done == NULL, finished, finished, finished};

	if (done != NULL)
		values[1] = CStringGetTextDatum(done);
	if (!finished)
	{
		values[2] = CStringGetTextDatum(fanout->until);
		values[3] = FullTransactionIdGetDatum(FullTransactionIdFromU64(fanout->position));
		values[4] = UUIDPGetDatum(&fanout->position_id);
	}
	platform_query_run(&write_state, values, nulls);
}

/* ---- events ---- */

/* Adds the rows of the last query to events[]. */
static int
take_events(Event *events, int count)
{
	uint64		rows = SPI_processed;

	for (uint64 i = 0; i < rows; i++, count++)
	{
		events[count].id = platform_row_uuid(i, 1);
		events[count].organization = platform_row_uuid(i, 2);
		events[count].type = platform_row_cstring(i, 3);
		events[count].transaction = row_xid(i, 4);
		events[count].cluster = platform_row_int64(i, 5);
	}
	return count;
}

static int
read_late(const Fanout *fanout, Event *events, int limit)
{
	Datum		snapshots[2];
	Datum		values[5];
	bool		isnull;

	if (fanout->done == NULL || fanout->position >= fanout->done_xmax)
		return 0;
	snapshots[0] = CStringGetTextDatum(fanout->done);
	snapshots[1] = CStringGetTextDatum(fanout->until);
	platform_query_run(&late_transactions, snapshots, NULL);
	values[3] = platform_row_datum_copy(0, 1, &isnull);
	if (isnull)
		return 0;
	values[0] = FullTransactionIdGetDatum(FullTransactionIdFromU64(fanout->position));
	values[1] = UUIDPGetDatum(&fanout->position_id);
	values[2] = Int64GetDatum(limit);
	values[4] = Int64GetDatum(fanout->cluster);
	platform_query_run(&late_events, values, NULL);
	return take_events(events, 0);
}

static int
read_events(const Fanout *fanout, Event *events, int limit)
{
	int			count = read_late(fanout, events, limit);
	bool		begun = fanout->position >= fanout->done_xmax;
	Datum		values[6];

	if (count == limit || fanout->until_xmax <= fanout->done_xmax)
		return count;
	/* no event has the nil id: all of the first transaction come after it */
	values[0] = FullTransactionIdGetDatum(FullTransactionIdFromU64(begun ? fanout->position : fanout->done_xmax));
	values[1] = UUIDPGetDatum(begun ? &fanout->position_id : &platform_nil_uuid);
	values[2] = Int64GetDatum(limit - count);
	values[3] = FullTransactionIdGetDatum(FullTransactionIdFromU64(fanout->until_xmax));
	values[4] = CStringGetTextDatum(fanout->until);
	values[5] = Int64GetDatum(fanout->cluster);
	platform_query_run(&new_events, values, NULL);
	return take_events(events, count);
}

/* Events that came with a dump and that its state had not reached. */
static int
read_foreign(const Fanout *fanout, int64 here, Event *events, int limit)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = FullTransactionIdGetDatum(FullTransactionIdFromU64(fanout->position));
	values[1] = UUIDPGetDatum(&fanout->position_id);
	values[2] = Int64GetDatum(limit);
	values[3] = Int64GetDatum(here);
	values[4] = Int64GetDatum(fanout->cluster);
	nulls[5] = fanout->done == NULL;
	if (!nulls[5])
		values[5] = CStringGetTextDatum(fanout->done);
	platform_query_run(&foreign_events, values, nulls);
	return take_events(events, 0);
}

/* ---- deliveries ---- */

static Subscription *
read_subscriptions(const Event *events, int nevents, int *count)
{
	pg_uuid_t  *organizations = palloc(nevents * sizeof(pg_uuid_t));
	int			norganizations = 0;
	Subscription *subscriptions;
	Datum		value;

	for (int i = 0; i < nevents; i++)
		organizations[i] = events[i].organization;
	qsort(organizations, nevents, sizeof(pg_uuid_t), platform_compare_uuids);
	for (int i = 0; i < nevents; i++)
		if (i == 0 || !platform_uuid_equal(&organizations[i], &organizations[norganizations - 1]))
			organizations[norganizations++] = organizations[i];
	value = platform_uuid_array(organizations, norganizations);
	*count = (int) platform_query_run(&find_subscriptions, &value, NULL);
	subscriptions = palloc(Max(*count, 1) * sizeof(Subscription));
	for (int i = 0; i < *count; i++)
	{
		bool		isnull;

		subscriptions[i].id = platform_row_uuid(i, 1);
		subscriptions[i].organization = platform_row_uuid(i, 2);
		deconstruct_array(DatumGetArrayTypePCopy(platform_row_datum(i, 3, &isnull)), TEXTOID, -1,
						  false, TYPALIGN_INT, &subscriptions[i].patterns, NULL,
						  &subscriptions[i].npatterns);
		subscriptions[i].max_attempts = platform_row_int32(i, 4);
		subscriptions[i].since = platform_row_cstring(i, 5);
		subscriptions[i].since_cluster = platform_row_int64_or(i, 6, 0);
	}
	return subscriptions;
}

/* Had the event's transaction committed when the subscription was made? */
static bool
is_older(const Event *event, const Subscription *subscription)
{
	char	   *text = subscription->since;
	uint64		xmin;
	uint64		xmax;

	if (text == NULL || event->transaction == MISSING_XID ||
		event->cluster != subscription->since_cluster)
		return false;
	xmin = strtoull(text, &text, 10);
	xmax = strtoull(text + 1, &text, 10);
	if (event->transaction < xmin || event->transaction >= xmax)
		return event->transaction < xmin;
	while (text[0] != '\0' && text[1] != '\0')
		if (strtoull(text + 1, &text, 10) == event->transaction)
			return false;
	return true;
}

static bool
wants(const Subscription *subscription, const Event *event)
{
	size_t		length = strlen(event->type);

	if (is_older(event, subscription))
		return false;
	for (int i = 0; i < subscription->npatterns; i++)
	{
		text	   *pattern = DatumGetTextPP(subscription->patterns[i]);

		if (platform_webhook_pattern_matches(VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern),
											 event->type, length))
			return true;
	}
	return false;
}

static void
add_delivery(Deliveries *deliveries, const Subscription *subscription, const Event *event)
{
	if (deliveries->count == deliveries->size)
	{
		deliveries->size *= 2;
		deliveries->deliveries = repalloc(deliveries->deliveries, deliveries->size * sizeof(Delivery));
	}
	deliveries->deliveries[deliveries->count++] = (Delivery) {subscription, event};
}

/* By subscription, as they are claimed: then they are together in the table. */
static int
compare_deliveries(const void *a, const void *b)
{
	const Delivery *x = a;
	const Delivery *y = b;

	if (x->subscription != y->subscription)
		return x->subscription < y->subscription ? -1 : 1;
	return x->event < y->event ? -1 : x->event > y->event;
}

/* Each subscription of an event's organization that wants it. */
static void
match_events(Deliveries *deliveries, const Event *events, int nevents,
			 const Subscription *subscriptions, int nsubscriptions)
{
	deliveries->count = 0;
	deliveries->size = 256;
	deliveries->deliveries = palloc(deliveries->size * sizeof(Delivery));
	for (int i = 0; i < nevents; i++)
	{
		int			low = 0;
		int			high = nsubscriptions;

		/* the first of the organization; they are sorted by it */
		while (low < high)
		{
			int			middle = (low + high) / 2;

			if (platform_compare_uuids(&subscriptions[middle].organization, &events[i].organization) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < nsubscriptions &&
			 platform_uuid_equal(&subscriptions[low].organization, &events[i].organization); low++)
			if (wants(&subscriptions[low], &events[i]))
				add_delivery(deliveries, &subscriptions[low], &events[i]);
	}
	qsort(deliveries->deliveries, deliveries->count, sizeof(Delivery), compare_deliveries);
}

/* Makes the endpoints due, locked in the order of their ids; returns since when they are. */
static TimestampTz
wake_endpoints(const Deliveries *deliveries)
{
	pg_uuid_t (*pairs)[2] = palloc(deliveries->count * sizeof(*pairs));
	pg_uuid_t  *subscriptions = palloc(deliveries->count * sizeof(pg_uuid_t));
	pg_uuid_t  *organizations = palloc(deliveries->count * sizeof(pg_uuid_t));
	int			npairs = 0;

	for (int i = 0; i < deliveries->count; i++)
	{
		const Subscription *subscription = deliveries->deliveries[i].subscription;

		if (i > 0 && subscription == deliveries->deliveries[i - 1].subscription)
			continue;
		pairs[npairs][0] = subscription->id;
		pairs[npairs++][1] = subscription->organization;
	}
	qsort(pairs, npairs, sizeof(*pairs), platform_compare_uuids);
	for (int i = 0; i < npairs; i++)
	{
		subscriptions[i] = pairs[i][0];
		organizations[i] = pairs[i][1];
	}
	return platform_webhook_make_due(subscriptions, organizations, npairs);
}

/*
 * Each event's deliveries are due a microsecond after those of the one before: so
 * a claim can begin where the last one of its endpoint ended.
 */
static void
write_deliveries(const Deliveries *deliveries, const Event *events)
{
	int			count = deliveries->count;
	TimestampTz now = wake_endpoints(deliveries);
	pg_uuid_t  *subscriptions = palloc(count * sizeof(pg_uuid_t));
	pg_uuid_t  *organizations = palloc(count * sizeof(pg_uuid_t));
	pg_uuid_t  *event_ids = palloc(count * sizeof(pg_uuid_t));
	char	  **types = palloc(count * sizeof(char *));
	int32	   *max_attempts = palloc(count * sizeof(int32));
	TimestampTz *due = palloc(count * sizeof(TimestampTz));
	Datum		values[7];

	for (int i = 0; i < count; i++)
	{
		const Delivery *delivery = &deliveries->deliveries[i];

		subscriptions[i] = delivery->subscription->id;
		organizations[i] = delivery->subscription->organization;
		event_ids[i] = delivery->event->id;
		types[i] = delivery->event->type;
		max_attempts[i] = delivery->subscription->max_attempts;
		due[i] = now + (delivery->event - events);
	}
	values[0] = platform_uuid_array(subscriptions, count);
	values[1] = platform_uuid_array(organizations, count);
	values[2] = platform_uuid_array(event_ids, count);
	values[3] = platform_text_array(types, count);
	values[4] = platform_int4_array(max_attempts, NULL, count);
	values[5] = platform_timestamptz_array(due, NULL, count);
	values[6] = TimestampTzGetDatum(now);
	platform_query_run(&insert_deliveries, values, NULL);
}

static bool
deliver_events(const Event *events, int nevents)
{
	int			nsubscriptions;
	Subscription *subscriptions = read_subscriptions(events, nevents, &nsubscriptions);
	Deliveries	deliveries;

	match_events(&deliveries, events, nevents, subscriptions, nsubscriptions);
	if (deliveries.count > 0)
		write_deliveries(&deliveries, events);
	return deliveries.count > 0;
}

static bool
lock_fanout(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, LOCK_CLASS);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * In a database system that the state does not know: first what the dump had not
 * done, then everything of here.
 */
static int
adopt_cluster(Fanout *fanout, int64 here, Event *events, int limit)
{
	int			count = read_foreign(fanout, here, events, limit);

	if (count < limit)
	{
		fanout->cluster = here;
		fanout->done = NULL;
		fanout->done_xmax = 0;
	}
	return count;
}

WebhookFanout
platform_webhook_fan_out(int limit)
{
	int64		here = (int64) GetSystemIdentifier();
	bool		adopted = false;
	bool		made;
	Event	   *events;
	Fanout		fanout;
	int			count;

	if (!lock_fanout())
		return FANOUT_NOTHING;
	read_fanout(&fanout);
	events = palloc(limit * sizeof(Event));
	if (fanout.cluster != here)
	{
		count = adopt_cluster(&fanout, here, events, limit);
		adopted = count < limit;
	}
	else
		count = read_events(&fanout, events, limit);
	if (count == 0 && fanout.position == MISSING_XID && !adopted)
		return FANOUT_NOTHING;
	made = count > 0 && deliver_events(events, count);
	if (count == limit)
	{
		fanout.position = events[count - 1].transaction;
		fanout.position_id = events[count - 1].id;
	}
	/* after what came from elsewhere, all of here is new */
	if (adopted)
		fanout.until = NULL;
	write_fanout(&fanout, count < limit);
	if (made)
		return FANOUT_MADE;
	return count == limit || adopted ? FANOUT_MORE : FANOUT_NOTHING;
}

bool
platform_webhook_has_new_events(void)
{
	Fanout		fanout;
	Event		event;

	read_fanout(&fanout);
	return fanout.cluster != (int64) GetSystemIdentifier() || read_events(&fanout, &event, 1) > 0;
}

void
platform_webhook_deliver_event(const pg_uuid_t *id, const pg_uuid_t *organization, const char *type)
{
	Event		event = {*id, *organization, unconstify(char *, type), MISSING_XID, 0};

	platform_query_begin();
	(void) deliver_events(&event, 1);
	platform_query_end();
}
