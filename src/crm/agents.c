/*
 * agents.c
 *	  Who answers a number, and how that came to be: agent_for_number(),
 *	  start_agent_deploy(), finish_agent_deploy(), set_agent_status().
 *
 * A number belongs to one agent, as it is written in E.164: no part of it finds
 * an agent, nor does the provider's id, which many agents share.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/argument.h"
#include "core/identity.h"
#include "core/query.h"
#include "core/result.h"
#include "crm/crm.h"

PG_FUNCTION_INFO_V1(platform_agent_for_number);
PG_FUNCTION_INFO_V1(platform_start_agent_deploy);
PG_FUNCTION_INFO_V1(platform_finish_agent_deploy);
PG_FUNCTION_INFO_V1(platform_set_agent_status);

/*
 * platform.agent_for_number(phone text, region text DEFAULT 'US')
 *		RETURNS TABLE (agent uuid, organization_id uuid, user_id uuid, provider_agent_id text,
 *					   phone_number text, status text, answers boolean, transfer_number text)
 *
 * The agent whose number that is, in whatever form it is written; no row when there
 * is none or phone is NULL or no number. answers: is its status active? Members: of
 * their organization; operators: of all. Errors: 22004, 22023 region.
 */
Datum
platform_agent_for_number(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ,
					   "SELECT id, organization_id, user_id, agent_id, phone_number, status,"
					   " status OPERATOR(pg_catalog.=) 'active', transfer_number FROM platform.agents"
					   " WHERE phone_number OPERATOR(pg_catalog.=) $1",
					   TEXTOID);
	const PlatformPhoneRegion *region = platform_region_argument(fcinfo, 1);
	char		e164[PLATFORM_E164_SIZE];
	text	   *phone = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
	Datum		value = (Datum) 0;
	bool		isnull = true;

	platform_require_module(&platform_crm_module);
	if (phone != NULL &&
		platform_normalize_phone(VARDATA_ANY(phone), VARSIZE_ANY_EXHDR(phone), region, e164))
	{
		value = CStringGetTextDatum(e164);
		isnull = false;
	}
	return platform_query_return_rows(fcinfo, &find, &value, &isnull);
}

/* The deployment with that request's id: its agent and its own id. */
static bool
find_deployment(const Datum *values, pg_uuid_t *agent, pg_uuid_t *deployment)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT agent_id, id FROM platform.agent_deployments"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND deploy_request_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, TEXTOID);
	Datum		keys[2] = {values[0], values[2]};

	if (platform_query_run(&find, keys, NULL) == 0)
		return false;
	*agent = platform_row_uuid(0, 1);
	*deployment = platform_row_uuid(0, 2);
	return true;
}

/*
 * platform.start_agent_deploy(organization_id uuid, user_id uuid, deploy_request_id text,
 *							   nickname text DEFAULT NULL, industry text DEFAULT NULL,
 *							   provider text DEFAULT NULL)
 *		RETURNS (agent uuid, deployment uuid, started boolean)
 *
 * Begins to make the user's agent at the provider: the row is made, or becomes
 * pending again unless it is active and goes on to answer. The same
 * deploy_request_id once more starts nothing. NULL: as it is, or the default.
 * Operators. Errors: 22004; 22023; 42501; PT404 the user is no member; PT409 the user's
 * agent is another organization's, or suspended; 23514 industry; 25006.
 */
Datum
platform_start_agent_deploy(PG_FUNCTION_ARGS)
{
	static PlatformQuery member =
		PLATFORM_QUERY(QUERY_READ | QUERY_LATEST | QUERY_OWNER,
					   "SELECT 1 FROM platform.organization_members"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND user_id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID);
	static PlatformQuery upsert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.agents AS a (organization_id, user_id, deploy_request_id,"
					   " nickname, industry, provider, provisioned_by) VALUES ($1, $2, $3, $4,"
					   " COALESCE($5, 'hvac'), COALESCE($6, 'retell'), $7)"
					   " ON CONFLICT (user_id) DO UPDATE SET deploy_request_id = $3, deploy_error = NULL,"
					   " nickname = COALESCE($4, a.nickname), industry = COALESCE($5, a.industry),"
					   " provider = COALESCE($6, a.provider), provisioned_by = $7,"
					   " status = CASE WHEN a.status OPERATOR(pg_catalog.=) 'active' THEN 'active' ELSE 'pending' END,"
					   " status_reason = NULL"
					   " WHERE a.organization_id OPERATOR(pg_catalog.=) $1 RETURNING id",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID);
	static PlatformQuery insert =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "INSERT INTO platform.agent_deployments (organization_id, agent_id, deploy_request_id,"
					   " requested_by) VALUES ($1, $2, $3, $4) RETURNING id",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	pg_uuid_t	agent;
	pg_uuid_t	deployment;
	Datum		values[7];
	bool		nulls[7];
	Datum		result[3];
	bool		no_nulls[3] = {false, false, false};
	bool		started;

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_operator("deploy an agent");
	platform_require_argument(fcinfo, 1, "user_id");
	(void) platform_required_text(fcinfo, 2, "deploy_request_id", 255);
	(void) platform_optional_text(fcinfo, 3, "nickname", 255);
	platform_copy_arguments(fcinfo, 0, 6, values, nulls);
	values[6] = CStringGetTextDatum(platform_caller_name());
	nulls[6] = false;

	platform_query_begin();
	if (platform_query_run(&member, values, NULL) == 0)
		platform_no_such("member");
	started = !find_deployment(values, &agent, &deployment);
	if (started)
	{
		if (platform_query_run(&upsert, values, nulls) == 0)
			platform_wrong_state("the user has an agent in another organization");
		agent = platform_row_uuid(0, 1);
		/* whoever sent the same request at once has written it by now */
		started = !find_deployment(values, &agent, &deployment);
	}
	if (started)
	{
		Datum		row[4] = {values[0], UUIDPGetDatum(&agent), values[2], values[6]};

		platform_query_run(&insert, row, NULL);
		deployment = platform_row_uuid(0, 1);
	}
	platform_query_end();
	result[0] = UUIDPGetDatum(&agent);
	result[1] = UUIDPGetDatum(&deployment);
	result[2] = BoolGetDatum(started);
	return platform_return_row(fcinfo, result, no_nulls);
}

/*
 * platform.finish_agent_deploy(organization_id uuid, deployment_id uuid, succeeded boolean,
 *								agent_id text DEFAULT NULL, phone_number text DEFAULT NULL,
 *								provider_number_id text DEFAULT NULL, provider_region text DEFAULT NULL,
 *								error text DEFAULT NULL, region text DEFAULT 'US')
 *		RETURNS text
 *
 * What came of a deployment: the agent is active, with what is given (NULL: as it
 * is), or failed; an active one stays so. Returns the agent's status. A deployment that is finished stays as it is.
 * Operators. Errors: 22004; 22023; 42501; PT404 no such deployment; PT409 the agent
 * is suspended, disabled or retired by now; PT422 no number; 23505 the number is another agent's; 23514 active
 * without a number or an agent_id; 25006.
 */
Datum
platform_finish_agent_deploy(PG_FUNCTION_ARGS)
{
	static PlatformQuery lock =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT a.id, a.status FROM platform.agents a JOIN platform.agent_deployments d"
					   " ON d.agent_id OPERATOR(pg_catalog.=) a.id"
					   " AND d.organization_id OPERATOR(pg_catalog.=) a.organization_id"
					   " WHERE d.organization_id OPERATOR(pg_catalog.=) $1 AND d.id OPERATOR(pg_catalog.=) $2"
					   " FOR NO KEY UPDATE OF a",
					   UUIDOID, UUIDOID);
	static PlatformQuery finish =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.agent_deployments SET status = CASE WHEN $3 THEN 'succeeded' ELSE 'failed' END,"
					   " error = $4, finished_at = pg_catalog.clock_timestamp()"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2"
					   " AND status OPERATOR(pg_catalog.=) 'started'",
					   UUIDOID, UUIDOID, BOOLOID, TEXTOID);
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.agents SET agent_id = COALESCE($4, agent_id),"
					   " phone_number = COALESCE($5, phone_number),"
					   " provider_number_id = COALESCE($6, provider_number_id),"
					   " provider_region = COALESCE($7, provider_region), deploy_error = $8,"
					   " status = CASE WHEN $3 THEN 'active' WHEN status OPERATOR(pg_catalog.=) 'active'"
					   " THEN 'active' ELSE 'failed' END"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2"
					   " RETURNING status",
					   UUIDOID, UUIDOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID);
	const PlatformPhoneRegion *region;
	pg_uuid_t	agent;
	Datum		values[8];
	bool		nulls[8];
	Datum		finishing[4];
	bool		finishing_nulls[4] = {false, false, false, false};
	char	   *status;

	(void) platform_crm_organization(fcinfo, 0);
	platform_require_operator("deploy an agent");
	platform_require_argument(fcinfo, 1, "deployment_id");
	platform_require_argument(fcinfo, 2, "succeeded");
	(void) platform_optional_text(fcinfo, 3, "agent_id", 255);
	(void) platform_optional_text(fcinfo, 7, "error", 10000);
	region = platform_region_argument(fcinfo, 8);
	platform_copy_arguments(fcinfo, 0, 8, values, nulls);
	platform_set_text(values, nulls, 4, platform_phone_argument(fcinfo, 4, "phone_number", region));

	platform_query_begin();
	if (platform_query_run(&lock, values, NULL) == 0)
		platform_no_such("deployment");
	agent = platform_row_uuid(0, 1);
	status = platform_row_cstring(0, 2);
	for (int i = 0; i < 3; i++)
		finishing[i] = values[i];
	finishing[3] = values[7];
	finishing_nulls[3] = nulls[7];
	if (platform_query_run(&finish, finishing, finishing_nulls) > 0)
	{
		if (strcmp(status, "suspended") == 0 || strcmp(status, "disabled") == 0 ||
			strcmp(status, "retired") == 0)
			platform_wrong_state(psprintf("the agent is %s", status));
		values[1] = UUIDPGetDatum(&agent);
		platform_query_run(&update, values, nulls);
		status = platform_row_cstring(0, 1);
	}
	platform_query_end();
	PG_RETURN_TEXT_P(cstring_to_text(status));
}

/*
 * platform.set_agent_status(organization_id uuid, agent uuid, status text,
 *							 reason text DEFAULT NULL)
 *		RETURNS boolean
 *
 * Switches an agent off and on: administrators of the organization between active and disabled,
 * operators to any status that may follow. True when that changed something. Errors:
 * 22004; 22023; 42501; PT404 no such agent; PT409 it may not follow; 23514 no such
 * status, or active without a number; 25006.
 */
Datum
platform_set_agent_status(PG_FUNCTION_ARGS)
{
	static PlatformQuery find =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "SELECT status FROM platform.agents WHERE organization_id OPERATOR(pg_catalog.=) $1"
					   " AND id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
					   UUIDOID, UUIDOID);
	static PlatformQuery update =
		PLATFORM_QUERY(QUERY_LATEST | QUERY_OWNER,
					   "UPDATE platform.agents SET status = $3, status_reason = $4"
					   " WHERE organization_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
					   UUIDOID, UUIDOID, TEXTOID, TEXTOID);
	Datum		values[4];
	bool		nulls[4];
	text	   *status;
	char	   *before;
	bool		changed;

	(void) platform_crm_organization(fcinfo, 0);
	if (!platform_is_organization_admin())
		platform_require_operator("change an agent");
	platform_require_argument(fcinfo, 1, "agent");
	(void) platform_required_text(fcinfo, 2, "status", 32);
	(void) platform_optional_text(fcinfo, 3, "reason", 1000);
	status = PG_GETARG_TEXT_PP(2);
	platform_copy_arguments(fcinfo, 0, 4, values, nulls);

	platform_query_begin();
	if (platform_query_run(&find, values, NULL) == 0)
		platform_no_such("agent");
	before = platform_row_cstring(0, 1);
	changed = !platform_text_is(status, before);
	if (changed)
	{
		bool		on_off = (strcmp(before, "active") == 0 && platform_text_is(status, "disabled")) ||
			(strcmp(before, "disabled") == 0 && platform_text_is(status, "active"));

		if (!on_off)
			platform_require_operator("change an agent but to disable and enable it");
		platform_query_run(&update, values, nulls);
	}
	platform_query_end();
	PG_RETURN_BOOL(changed);
}
