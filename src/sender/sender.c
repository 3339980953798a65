/*
 * sender.c
 *	  The webhook sender: settings, starting and stopping.
 *
 * It is started by start_webhook_sender(), and then lives until it is stopped or
 * the server is; or with the server, when the library is preloaded and
 * platform.webhook_sender is on.
 */
#include "core/platform.h"

#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "core/query.h"
#include "sender/sender.h"

PG_FUNCTION_INFO_V1(platform_start_webhook_sender);

int			platform_sender_requests = 200;
int			platform_sender_poll = 100;

static bool sender_on = false;
static char *sender_databases = NULL;

#define RESTART_AFTER			5	/* seconds */
#define LAUNCH_AGAIN_AFTER		60

/* ---- with the server ---- */

static void
register_launcher(const char *database)
{
	BackgroundWorker worker = {{0}};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = LAUNCH_AGAIN_AFTER;
	strlcpy(worker.bgw_name, SENDER_LAUNCHER_NAME, BGW_MAXLEN);
	strlcpy(worker.bgw_type, SENDER_LAUNCHER_NAME, BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "platform", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "platform_sender_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_extra, database, BGW_EXTRALEN);
	RegisterBackgroundWorker(&worker);
}

static void
register_launchers(void)
{
	char	   *databases = pstrdup(sender_databases);
	List	   *names;
	ListCell   *cell;

	if (!SplitIdentifierString(databases, ',', &names))
	{
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("platform.webhook_sender_database is not a list of names")));
		return;
	}
#ifndef PLATFORM_SENDER
	ereport(WARNING,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("platform was built without the webhook sender")));
	return;
#endif
	foreach(cell, names)
		register_launcher(lfirst(cell));
}

/*
 * The server reads the first two when it starts; in a library that is loaded later
 * they can be no more than shown.
 */
void
platform_sender_init(void)
{
	bool		preload = process_shared_preload_libraries_in_progress;
	GucContext	context = preload ? PGC_POSTMASTER : PGC_SIGHUP;

	DefineCustomBoolVariable("platform.webhook_sender",
							 "Starts the webhook sender with the server, when the library is preloaded.",
							 NULL, &sender_on, false, context, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("platform.webhook_sender_database",
							   "Databases in which the webhook sender is started with the server.",
							   NULL, &sender_databases, "postgres", context, GUC_LIST_INPUT,
							   NULL, NULL, NULL);
	DefineCustomIntVariable("platform.webhook_sender_requests",
							"Requests that the webhook sender has under way at once.",
							NULL, &platform_sender_requests, 200, 1, SENDER_REQUESTS_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("platform.webhook_sender_poll",
							"How often the webhook sender looks for work.",
							NULL, &platform_sender_poll, 100, 1, 60000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	if (preload && sender_on)
		register_launchers();
}

/* ---- in a database ---- */

#ifdef PLATFORM_SENDER

/* Before 17 a server lets no worker be a role that cannot log in. */
static void
require_login(Oid owner)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
	bool		can;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for role %u", owner);
	can = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!can && PLATFORM_WORKER_NEEDS_LOGIN)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("role \"%s\" cannot log in", GetUserNameFromId(owner, false)),
				 errdetail("The webhook sender runs as the owner of the installation."),
				 errhint("ALTER ROLE ... LOGIN; it needs no password.")));
}

bool
platform_sender_register(Oid owner, pid_t notify, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {{0}};
	SenderStart start = {MyDatabaseId, owner};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_AFTER;
	worker.bgw_notify_pid = notify;
	strlcpy(worker.bgw_name, SENDER_NAME, BGW_MAXLEN);
	strlcpy(worker.bgw_type, SENDER_NAME, BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "platform", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "platform_sender_main", BGW_MAXLEN);
	memcpy(worker.bgw_extra, &start, sizeof(start));
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

static PlatformQuery find_sender =
	PLATFORM_QUERY(QUERY_READ | QUERY_OWNER,
				   "SELECT pid FROM pg_catalog.pg_stat_activity"
				   " WHERE datid OPERATOR(pg_catalog.=) $1 AND backend_type OPERATOR(pg_catalog.=) $2",
				   OIDOID, TEXTOID);

/* The process id of this database's sender; 0: there is none. */
static int
running_sender(void)
{
	Datum		values[2] = {ObjectIdGetDatum(MyDatabaseId), CStringGetTextDatum(SENDER_NAME)};
	int			result = 0;

	platform_query_begin();
	if (platform_query_run(&find_sender, values, NULL) > 0)
		result = platform_row_int32(0, 1);
	platform_query_end();
	return result;
}

static void
require_curl(void)
{
	const char *missing = platform_sender_load_curl();

	if (missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl is missing"),
				 errdetail("%s.", missing),
				 errhint("Install libcurl, version 7.66 or newer; on Debian the package libcurl4.")));
}

/*
 * platform.start_webhook_sender() returns integer
 *
 * Starts the webhook sender of this database, and returns its process id; when
 * one runs, that one's. It runs as the owner of the installation, and until
 * stop_webhook_sender() or the end of the server. EXECUTE is the grant; no
 * member has it. Errors: 0A000 libcurl is missing, or was when the library was
 * built; 25006 on a standby; 53000 no background worker is free; 55000 nothing is
 * installed, or the owner cannot log in.
 */
Datum
platform_start_webhook_sender(PG_FUNCTION_ARGS)
{
	Oid			owner;
	BackgroundWorkerHandle *handle;
	pid_t		pid = running_sender();

	PreventCommandDuringRecovery("start_webhook_sender()");
	if (pid != 0)
		PG_RETURN_INT32(pid);
	require_curl();
	owner = platform_relation_owner("webhook_deliveries");
	require_login(owner);
	if (!platform_sender_register(owner, MyProcPid, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("no background worker is free"),
				 errhint("Increase max_worker_processes.")));
	if (WaitForBackgroundWorkerStartup(handle, &pid) != BGWH_STARTED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the webhook sender could not be started"),
				 errhint("The server's log may say why.")));
	PG_RETURN_INT32(pid);
}

#else

Datum
platform_start_webhook_sender(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("platform was built without the webhook sender"),
			 errhint("Install libcurl's development files (on Debian the package libcurl4-openssl-dev), build and install again.")));
}

#endif							/* PLATFORM_SENDER */
