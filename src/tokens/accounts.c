/*
 * accounts.c
 *	  Triggers that keep SQL statements from writing balances and entries, and
 *	  that give a new account its first entry.
 */
#include "core/platform.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "core/guard.h"
#include "core/query.h"
#include "tokens/entries.h"
#include "tokens/ledger.h"
#include "tokens/tokens.h"

PG_FUNCTION_INFO_V1(platform_check_token_account);
PG_FUNCTION_INFO_V1(platform_record_token_account);
PG_FUNCTION_INFO_V1(platform_refuse_ledger_change);
PG_FUNCTION_INFO_V1(platform_set_low_balance_thresholds);

/* What only the functions write. */
static const char *const kept_columns[] = {
	"user_id", "organization_id", "tokens_remaining", "held", "overage", "version", "held_until",
	"open_grants",
};

static void
refuse_columns(const TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < lengthof(kept_columns); i++)
	{
		AttrNumber	attnum = platform_trigger_column(trigger, kept_columns[i]);
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, attnum - 1);
		bool		old_null;
		bool		new_null;
		Datum		old = heap_getattr(trigger->tg_trigtuple, attnum, tupdesc, &old_null);
		Datum		new = heap_getattr(trigger->tg_newtuple, attnum, tupdesc, &new_null);

		if (old_null != new_null ||
			(!old_null && !datum_image_eq(old, new, attribute->attbyval, attribute->attlen)))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("column \"%s\" of table \"user_accounts\" cannot be changed by a statement",
							kept_columns[i]),
					 errhint("Use platform.grant_tokens(), platform.burn_tokens() or platform.adjust_tokens().")));
	}
}

/* The row with some columns replaced; all by value or null. */
static HeapTuple
with_columns(const TriggerData *trigger, HeapTuple row, int count, const char *const *names,
			 const Datum *values, const bool *nulls)
{
	int			attnums[8];

	Assert(count <= lengthof(attnums));
	for (int i = 0; i < count; i++)
		attnums[i] = platform_trigger_column(trigger, names[i]);
	return heap_modify_tuple_by_cols(row, RelationGetDescr(trigger->tg_relation), count, attnums,
									 (Datum *) values, (bool *) nulls);
}

static int64
column_int64(const TriggerData *trigger, HeapTuple row, const char *name)
{
	bool		isnull;
	Datum		value = heap_getattr(row, platform_trigger_column(trigger, name),
									 RelationGetDescr(trigger->tg_relation), &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* A higher limit makes overdraft of what was owed beyond the old one. */
static int64
overage_within_limit(const TriggerData *trigger, HeapTuple row)
{
	int64		overage = column_int64(trigger, row, "overage");
	int64		limit = column_int64(trigger, row, "overdraft_limit");

	/* With an overage the rest is below zero, and a limit below it is refused by its CHECK. */
	if (overage > 0 && limit >= 0)
		overage = Max(0, Min(overage, -limit - (column_int64(trigger, row, "tokens_remaining") -
												column_int64(trigger, row, "held"))));
	return overage;
}

/*
 * platform.check_token_account() returns trigger
 *
 * A new account starts with nothing but its balance; the balance and what goes
 * with it is not changed by statements, nor is an account with entries
 * deleted: 42501, for everybody. Keeps updated_at from going back, and overage to
 * what is owed beyond the overdraft limit.
 * Errors: 39P01 when fired otherwise.
 *
 *		CREATE TRIGGER user_accounts_check BEFORE INSERT OR DELETE OR UPDATE ON user_accounts
 *			FOR EACH ROW EXECUTE FUNCTION platform.check_token_account();
 */
Datum
platform_check_token_account(PG_FUNCTION_ARGS)
{
	static const char *const start[] = {
		"held", "overage", "version", "updated_at", "held_until", "open_grants"
	};
	static const char *const touched[] = {"updated_at", "overage"};
	TriggerData *trigger = platform_trigger_guard(fcinfo, "check_token_account",
												  GUARD_BEFORE | GUARD_ROW | GUARD_INSERT |
												  GUARD_UPDATE | GUARD_DELETE);
	HeapTuple	row = platform_trigger_row(trigger);
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[6] = {0};
	bool		nulls[6] = {false, false, false, false, true, true};

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		values[0] = values[1] = Int64GetDatum(0);
		values[2] = Int64GetDatum(column_int64(trigger, row, "tokens_remaining") != 0);
		values[3] = TimestampTzGetDatum(now);
		return PointerGetDatum(with_columns(trigger, row, lengthof(start), start, values, nulls));
	}
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		refuse_columns(trigger);
		values[0] = TimestampTzGetDatum(Max(now, column_int64(trigger, trigger->tg_trigtuple,
															  "updated_at")));
		values[1] = Int64GetDatum(overage_within_limit(trigger, row));
		return PointerGetDatum(with_columns(trigger, row, lengthof(touched), touched, values,
											nulls));
	}
	if (column_int64(trigger, row, "version") > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("a token account that has entries cannot be deleted")));
	return PointerGetDatum(row);
}

/*
 * platform.record_token_account() returns trigger
 *
 * The entry of a new account's opening balance. Errors: 39P01.
 *
 *		CREATE TRIGGER user_accounts_record AFTER INSERT ON user_accounts
 *			FOR EACH ROW EXECUTE FUNCTION platform.record_token_account();
 */
Datum
platform_record_token_account(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "record_token_account",
												  GUARD_AFTER | GUARD_ROW | GUARD_INSERT);
	HeapTuple	row = trigger->tg_trigtuple;
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	LedgerAccount account = {0};
	LedgerEntry entry = {.kind = "grant", .duration_seconds = -1};
	PlatformAppend entries;
	bool		isnull;

	account.balance = column_int64(trigger, row, "tokens_remaining");
	if (account.balance == 0)
		return PointerGetDatum(NULL);
	account.organization = *DatumGetUUIDP(heap_getattr(row, platform_trigger_column(trigger, "organization_id"),
													   tupdesc, &isnull));
	account.user_id = DatumGetTextPP(heap_getattr(row, platform_trigger_column(trigger, "user_id"),
												  tupdesc, &isnull));
	account.version = column_int64(trigger, row, "version");
	account.now = column_int64(trigger, row, "updated_at");
	entry.amount = account.balance;
	entry.reason = cstring_to_text(LEDGER_OPENING);
	platform_ledger_entry_id(&account, NULL, &entry.id);

	platform_entries_open(&entries, 1);
	platform_entries_add(&entries, &account, &entry);
	platform_append_flush(&entries);
	platform_append_close(&entries);
	return PointerGetDatum(NULL);
}

/*
 * platform.refuse_ledger_change() returns trigger
 *
 * Refuses the operation for everybody, the table's owner included: 42501.
 * Errors: 39P01 unless it fires BEFORE.
 *
 *		CREATE TRIGGER <table>_refuse BEFORE INSERT OR DELETE OR UPDATE ON <table>
 *			FOR EACH ROW EXECUTE FUNCTION platform.refuse_ledger_change();
 *		CREATE TRIGGER <table>_refuse_truncate BEFORE TRUNCATE ON <table>
 *			FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_ledger_change();
 */
Datum
platform_refuse_ledger_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = platform_trigger_guard(fcinfo, "refuse_ledger_change",
												  GUARD_BEFORE | GUARD_ROW | GUARD_STATEMENT |
												  GUARD_INSERT | GUARD_UPDATE | GUARD_DELETE |
												  GUARD_TRUNCATE);

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("table \"%s\" is written by functions only",
					RelationGetRelationName(trigger->tg_relation))));
}

#define THRESHOLDS_MAX 8

static PlatformQuery set_thresholds =
	PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
				   "UPDATE platform.user_accounts SET low_balance_thresholds = $3"
				   " WHERE user_id OPERATOR(pg_catalog.=) $1"
				   " AND organization_id OPERATOR(pg_catalog.=) $2",
				   TEXTOID, UUIDOID, INT8ARRAYOID);

/*
 * platform.set_low_balance_thresholds(organization_id uuid, user_id text, thresholds bigint[])
 *		RETURNS void
 *
 * Up to eight balances. Each time the account's balance falls from above one of
 * them to it or below, a row of low_balance_events tells; a rise above arms it
 * again. NULL or an empty array: none. Members for their own account. Errors:
 * 42501; 22004; 22023 more of them, a NULL among them; PT404 no such account; 25006.
 */
Datum
platform_set_low_balance_thresholds(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *organization = platform_tokens_organization(fcinfo, 0);
	text	   *user_id = platform_tokens_user(fcinfo, 1);
	ArrayType  *thresholds = PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2);
	Datum		values[3] = {PointerGetDatum(user_id), UUIDPGetDatum(organization)};
	bool		nulls[3] = {false};
	uint64		count;

	platform_require_module(&platform_tokens_module);
	platform_tokens_require_account(organization, user_id);
	nulls[2] = thresholds == NULL || ARR_NDIM(thresholds) == 0;
	if (!nulls[2] && (ARR_NDIM(thresholds) != 1 || ARR_HASNULL(thresholds) ||
					  ARR_DIMS(thresholds)[0] > THRESHOLDS_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("thresholds must be at most %d numbers", THRESHOLDS_MAX)));
	values[2] = PointerGetDatum(thresholds);
	platform_query_begin();
	count = platform_query_run(&set_thresholds, values, nulls);
	platform_query_end();
	if (count == 0)
		platform_tokens_no_account(user_id);
	PG_RETURN_VOID();
}
