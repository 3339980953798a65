/*
 * worker.c
 *	  The background workers: the sender, and the launcher that starts it with the
 *	  server.
 *
 * The sender runs as the owner of the installation, one in a database: whoever
 * comes second ends. In its loop it claims as many deliveries as it may have under
 * way, sends them, and stores results some at a time. Wake-ups by NOTIFY are a
 * courtesy; it looks for work every platform.webhook_sender_poll in any case.
 *
 * An error ends a transaction, not the worker: it is logged, and tried again
 * later, the longer the more often it came. What could not be stored is lost, and
 * the delivery's lease brings it back. On SIGTERM requests have a second to
 * finish; then the leases of the rest are released.
 *
 * The launcher is there because a server that starts knows a database by name and
 * nothing about its installation. It connects as superuser, runs no SQL, finds
 * the owner, registers the sender and ends.
 */
#include "core/platform.h"

#include <signal.h>

#include "access/xact.h"
#include "commands/async.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/module.h"
#include "core/query.h"
#include "sender/sender.h"

#ifdef PLATFORM_SENDER

#define LOCK_CLASS		0xc403
#define CHANNEL			"platform_webhooks"
#define BATCH			100
#define MEMORY_BUDGET	(16 * 1024 * 1024)
#define RESULTS_AFTER	10		/* ms that a result waits for others */
#define GRACE			1000	/* ms */
#define QUEUE_AGAIN		5000	/* ms, while there is no queue */
#define WAIT_LONGEST	60000	/* ms, after errors */
#define SAY_EVERY		1000	/* ms */

static volatile sig_atomic_t in_transaction = false;

/* Bytes of bodies that a delivery had of late, a little too many. */
static Size body_bytes = 16 * 1024;

static TimestampTz next_claim = 0;
static TimestampTz results_since = 0;
static int	errors_in_a_row = 0;
static uint64 nsent = 0;

/* Ends the query that is running, too. */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	if (in_transaction)
	{
		InterruptPending = true;
		QueryCancelPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

static TimestampTz
later(int64 milliseconds)
{
	return GetCurrentTimestamp() + milliseconds * 1000;
}

/* ---- transactions ---- */

typedef struct Work
{
	void		(*run) (struct Work *work);
	SenderRequest **requests;
	int			count;
	Size		bytes;
	bool		exists;
} Work;

static void
run_find(Work *work)
{
	work->exists = platform_sender_queue_exists();
}

static void
run_claim(Work *work)
{
	work->count = platform_sender_claim(work->count, &work->bytes);
}

static void
run_complete(Work *work)
{
	platform_sender_complete(work->requests, work->count);
}

static void
run_release(Work *work)
{
	work->count = platform_sender_release(work->requests, work->count);
}

/* An error is logged; the cancelled query of a worker that ends is none. */
static void
recover(void)
{
	HOLD_INTERRUPTS();
	QueryCancelPending = false;
	MemoryContextSwitchTo(TopMemoryContext);
	if (!ShutdownRequestPending || geterrcode() != ERRCODE_QUERY_CANCELED)
		EmitErrorReport();
	AbortCurrentTransaction();
	FlushErrorState();
	platform_sender_forget_taken();
	RESUME_INTERRUPTS();
}

/* Does the work, which is one transaction; false when it failed. */
static bool
attempt(Work *work)
{
	volatile bool done = false;

	in_transaction = true;
	pgstat_report_activity(STATE_RUNNING, NULL);
	PG_TRY();
	{
		work->run(work);
		done = true;
	}
	PG_CATCH();
	{
		recover();
	}
	PG_END_TRY();
	in_transaction = false;
	/* one that came too late to cancel anything */
	QueryCancelPending = false;
	errors_in_a_row = done ? 0 : errors_in_a_row + 1;
	return done;
}

/* ---- the loop ---- */

/* How many deliveries may be claimed: in requests, and in memory for their bodies. */
static int
claim_limit(void)
{
	int			requests = Min(platform_sender_count_free(), BATCH);
	int			bodies = (int) (MEMORY_BUDGET / body_bytes) - platform_sender_count_under_way() -
		platform_sender_count_finished();

	return Min(requests, bodies);
}

/* Milliseconds until it is tried again after errors. */
static int
wait_after_errors(void)
{
	return Min(WAIT_LONGEST, 1000 << Min(errors_in_a_row - 1, 6));
}

/* Claims when it is time to, or when so many are free that it pays. */
static void
claim_some(void)
{
	static bool	more = false;	/* the last one got all that it asked for */
	Work		work = {run_claim};
	int			limit = claim_limit();

	/* a large one goes alone */
	if (limit < 1 && platform_sender_count_under_way() + platform_sender_count_finished() == 0)
		limit = 1;
	if (limit < 1 || (GetCurrentTimestamp() < next_claim && !(more && limit >= BATCH / 2)))
		return;
	work.count = limit;
	if (!attempt(&work))
	{
		next_claim = later(wait_after_errors());
		more = false;
		return;
	}
	more = work.count == limit;
	next_claim = later(more ? 0 : platform_sender_poll);
	if (work.count > 0)
		body_bytes = Max(Max(work.bytes / work.count, body_bytes - body_bytes / 8), 1024);
}

/* Stores so many results: all of them or, when that fails, one by one. */
static void
store(SenderRequest **requests, int count)
{
	Work		work = {run_complete, requests, count};

	if (!attempt(&work) && count > 1)
		for (int i = 0; i < count && !ShutdownRequestPending; i++)
		{
			work.requests = &requests[i];
			work.count = 1;
			(void) attempt(&work);
		}
	nsent += count;
	for (int i = 0; i < count; i++)
		platform_sender_give_back(requests[i]);
}

/* Stores results when there are many, or when nobody would wait for more. */
static void
store_some(bool all)
{
	SenderRequest *requests[BATCH];
	int			count = platform_sender_count_finished();

	if (count == 0)
		return;
	if (results_since == 0)
		results_since = GetCurrentTimestamp();
	if (!all && count < BATCH / 2 && platform_sender_count_under_way() > 0 &&
		!TimestampDifferenceExceeds(results_since, GetCurrentTimestamp(), RESULTS_AFTER))
		return;
	while ((count = platform_sender_finished(requests, BATCH)) > 0)
		store(requests, count);
	results_since = 0;
	/* an endpoint that had as many requests as it takes may have others now */
	if (errors_in_a_row == 0)
		next_claim = 0;
}

/* For pg_stat_activity: how it goes. */
static void
say(void)
{
	static TimestampTz said = 0;
	TimestampTz now = GetCurrentTimestamp();
	char		text[128];

	if (!TimestampDifferenceExceeds(said, now, SAY_EVERY))
		return;
	said = now;
	snprintf(text, sizeof(text), "%d under way, " UINT64_FORMAT " done",
			 platform_sender_count_under_way(), nsent);
	pgstat_report_activity(STATE_IDLE, text);
}

/* Until the next claim, an answer, a result that waits, or the latch. */
static void
wait_for_something(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		milliseconds = next_claim <= now ? 0 : (long) ((next_claim - now + 999) / 1000);

	if (claim_limit() < 1)
		milliseconds = platform_sender_poll;
	if (platform_sender_count_finished() > 0)
		milliseconds = Min(milliseconds, RESULTS_AFTER);
	if (platform_sender_count_under_way() > 0)
	{
		/* a signal ends this wait as well; one that comes just before is seen after it */
		platform_sender_wait((int) Min(milliseconds, 100));
		milliseconds = 0;
	}
	if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
				  PG_WAIT_EXTENSION) & WL_LATCH_SET)
		ResetLatch(MyLatch);
}

static void
handle_wakeups(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	if (notifyInterruptPending)
	{
		ProcessNotifyInterrupt(false);
		if (errors_in_a_row == 0)
			next_claim = 0;
	}
}

/* Requests that answer soon are stored, the others given back. */
static void
finish_up(void)
{
	TimestampTz until = later(GRACE);
	SenderRequest *requests[BATCH];
	int			released = 0;
	int			count;

	while (platform_sender_count_under_way() > 0 && GetCurrentTimestamp() < until)
	{
		platform_sender_wait(20);
		platform_sender_perform();
	}
	store_some(true);
	platform_sender_abort();
	while ((count = platform_sender_finished(requests, BATCH)) > 0)
	{
		Work		work = {run_release, requests, count};

		if (attempt(&work))
			released += work.count;
		for (int i = 0; i < count; i++)
			platform_sender_give_back(requests[i]);
	}
	ereport(LOG,
			(errmsg("webhook sender ends: %llu requests done, %d given back",
					(unsigned long long) nsent, released)));
}

/* Waits for the tables; a worker that is told to end does so here. */
static void
wait_for_queue(void)
{
	Work		work = {run_find};

	while (!ShutdownRequestPending && !(attempt(&work) && work.exists))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, QUEUE_AGAIN,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		handle_wakeups();
	}
}

/* ---- starting ---- */

static void
set_settings(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"lock_timeout", "10s"},
		{"jit", "off"},
	};

	for (int i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION);
}

/* One sender in a database. */
static bool
become_the_sender(void)
{
	LOCKTAG		tag;
	bool		result;

	StartTransactionCommand();
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, LOCK_CLASS);
	result = LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	if (result)
		Async_Listen(CHANNEL);
	CommitTransactionCommand();
	return result;
}

/*
 * Exit code 0 ends it for good, any other and a crash of the server start it
 * anew.
 */
void
platform_sender_main(Datum argument)
{
	SenderStart start;
	const char *missing;

	memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));
	pqsignal(SIGTERM, handle_sigterm);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(start.database, start.owner,
											  platform_worker_connect_flags());
	set_settings();
	missing = platform_sender_load_curl();
	if (missing != NULL)
	{
		ereport(LOG,
				(errmsg("webhook sender cannot start: libcurl is missing"),
				 errdetail("%s.", missing)));
		proc_exit(0);
	}
	if (!become_the_sender())
	{
		ereport(LOG, (errmsg("webhook sender ends: this database has one")));
		proc_exit(0);
	}
	platform_sender_requests_start();
	ereport(LOG, (errmsg("webhook sender starts, with %s", platform_sender_curl.version())));

	wait_for_queue();
	while (!ShutdownRequestPending)
	{
		handle_wakeups();
		platform_sender_perform();
		store_some(false);
		claim_some();
		say();
		wait_for_something();
	}
	finish_up();
	proc_exit(0);
}

/* The owner of the installation, or InvalidOid while there is none. */
static Oid
find_owner(void)
{
	Oid			result = InvalidOid;

	StartTransactionCommand();
	if (OidIsValid(platform_relation_oid("webhook_deliveries", true)))
		result = platform_relation_owner("webhook_deliveries");
	CommitTransactionCommand();
	return result;
}

void
platform_sender_launcher_main(Datum argument)
{
	Oid			owner;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, NULL, 0);
	while (!OidIsValid(owner = find_owner()) ||
		   !platform_sender_register(owner, 0, NULL))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, QUEUE_AGAIN,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	proc_exit(0);
}

#endif							/* PLATFORM_SENDER */
