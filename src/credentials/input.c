/*
 * input.c
 *	  Keeping the literals of statements out of logs and statistics.
 */
#include "core/platform.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(platform_begin_secret_input);

/*
 * What prints statements, parameters or errors. Those that other
 * libraries define are set when they are there.
 */
static const struct
{
	const char *name;
	const char *value;
	bool		foreign;
}			muted[] =
{
	{"log_statement", "none", false},
	{"log_min_duration_statement", "-1", false},
	{"log_min_duration_sample", "-1", false},
	{"log_transaction_sample_rate", "0", false},
	{"log_min_messages", "log", false}, /* of errors: a message can quote a literal */
	{"log_min_error_statement", "panic", false},
	{"log_parameter_max_length", "0", false},
	{"log_parameter_max_length_on_error", "0", false},
	{"log_error_verbosity", "terse", false},
	{"debug_print_parse", "off", false},
	{"debug_print_rewritten", "off", false},
	{"debug_print_plan", "off", false},
	{"track_activities", "off", false},
	{"pg_stat_statements.track", "none", true},
	{"auto_explain.log_min_duration", "-1", true},
	{"pgaudit.log", "none", true},
};

/*
 * platform.begin_secret_input() returns void
 *
 * Until the end of the transaction, or the rollback to a savepoint before the
 * call: statements, their parameters and errors reach neither the server's log
 * nor pg_stat_activity, pg_stat_statements, auto_explain and pgaudit. For
 * callers who must send secrets as literals, in the statements after this one.
 * That it was called is logged, as is what secret_access_log records. EXECUTE is the grant. Errors:
 * 25P01 outside a transaction block.
 */
Datum
platform_begin_secret_input(PG_FUNCTION_ARGS)
{
	if (!IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_NO_ACTIVE_SQL_TRANSACTION),
				 errmsg("secret input can only begin in a transaction block"),
				 errhint("Run BEGIN first.")));
	ereport(LOG,
			(errmsg("logging of statements is off until the end of the transaction"),
			 errdetail("Role \"%s\" called begin_secret_input().",
					   GetUserNameFromId(GetUserId(), false)),
			 errhidestmt(true)));
	for (int i = 0; i < lengthof(muted); i++)
	{
		if (muted[i].foreign && GetConfigOption(muted[i].name, true, false) == NULL)
			continue;
		(void) set_config_option(muted[i].name, muted[i].value, PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	}
	PG_RETURN_VOID();
}
