/*
 * fraud.c
 *	  Signals, scores, reviews: add_referral_signal(), score_referral(),
 *	  review_referral(), and what staff reads for it.
 *
 * A signal is a row, once a referral, with the points it had when it was found; the
 * score is their sum. What follows is decided here and by the settings of then:
 *
 *	up to fraud_auto_approve_max	commissions below the limit approve themselves
 *	fraud_extended_hold_min ..		the hold is the extended one
 *	fraud_manual_review_min ..		nothing is approved nor paid before a review
 *	fraud_auto_reject_min ..		rejected
 *
 * A review holds for the score that it saw: a higher one wants another.
 */
#include "core/platform.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/alert.h"
#include "core/argument.h"
#include "core/error.h"
#include "core/identity.h"
#include "core/query.h"
#include "referrals/referrals.h"

PG_FUNCTION_INFO_V1(platform_add_referral_signal);
PG_FUNCTION_INFO_V1(platform_score_referral);
PG_FUNCTION_INFO_V1(platform_review_referral);
PG_FUNCTION_INFO_V1(platform_list_referral_signals);
PG_FUNCTION_INFO_V1(platform_referral_review_queue);

#define REVIEW_ALERT	"referral_review"
#define POINTS_MOST		1000

static PlatformModule crm_module = {"crm", 120, 0};

#define IS			" OPERATOR(pg_catalog.=) "
#define DOMAIN_OF(email)	"pg_catalog.split_part(pg_catalog.lower(" email "), '@', 2)"
/* Who reads it: what follows a plus sign is the same person's. */
#define MAILBOX_OF(email) \
	"pg_catalog.split_part(pg_catalog.split_part(pg_catalog.lower(" email "), '@', 1), '+', 1)" \
	" OPERATOR(pg_catalog.||) '@' OPERATOR(pg_catalog.||) " DOMAIN_OF(email)

#define SAME_IP \
	"r.signup_ip IS NOT NULL AND (EXISTS (SELECT FROM platform.profiles p" \
	" WHERE p.user_id" IS "r.referrer_id AND p.signup_ip" IS "r.signup_ip)" \
	" OR EXISTS (SELECT FROM platform.referrals o WHERE o.referrer_id" IS "r.referrer_id" \
	" AND o.id OPERATOR(pg_catalog.<>) r.id AND o.signup_ip" IS "r.signup_ip))"
#define SAME_DOMAIN \
	DOMAIN_OF("a.email") IS DOMAIN_OF("b.email") \
	" AND NOT EXISTS (SELECT FROM platform.referral_common_domains d" \
	" WHERE d.domain" IS DOMAIN_OF("b.email") ")"
#define SAME_PERSON \
	MAILBOX_OF("a.email") IS "(" MAILBOX_OF("b.email") ")" \
	" OR EXISTS (SELECT FROM platform.profiles p WHERE p.user_id" IS "r.referrer_id" \
	" AND (" MAILBOX_OF("p.payout_email") ")" IS "(" MAILBOX_OF("b.email") "))"
#define SAME_DAY \
	"(SELECT pg_catalog.count(*) FROM platform.referrals o WHERE o.referrer_id" IS "r.referrer_id" \
	" AND o.id OPERATOR(pg_catalog.<>) r.id" \
	" AND o.signup_at OPERATOR(pg_catalog.>=) pg_catalog.date_trunc('day', r.signup_at, 'UTC')" \
	" AND o.signup_at OPERATOR(pg_catalog.<) (pg_catalog.date_trunc('day', r.signup_at, 'UTC')" \
	" OPERATOR(pg_catalog.+) pg_catalog.make_interval(hours => 24)))" \
	" OPERATOR(pg_catalog.>=) t.fraud_velocity_min"

/* Of rows of platform.referral_signal_points AS s, those that hold for the referral. */
#define INSERT_SIGNALS(tables, condition) \
	"INSERT INTO platform.referral_fraud_signals (organization_id, referral_id, signal, points, reported_by)" \
	" SELECT r.organization_id, r.id, s.signal, s.points, 'platform'" \
	" FROM platform.referrals r CROSS JOIN platform.referral_signal_points s" \
	" CROSS JOIN platform.referral_settings t" tables \
	" WHERE r.organization_id" IS "$1 AND r.id" IS "$2 AND s.points OPERATOR(pg_catalog.>) 0" \
	" AND " condition " ON CONFLICT (organization_id, referral_id, signal) DO NOTHING"

static void
find_signals(const Referral *referral)
{
	static PlatformQuery find =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   INSERT_SIGNALS(" JOIN platform.users a ON a.id" IS "r.referrer_id"
									  " JOIN platform.users b ON b.id" IS "r.referred_id",
									  "CASE WHEN s.signal" IS "'same_ip' THEN " SAME_IP
									  " WHEN s.signal" IS "'same_email_domain' THEN " SAME_DOMAIN
									  " WHEN s.signal" IS "'self_referral' THEN " SAME_PERSON
									  " WHEN s.signal" IS "'velocity' THEN " SAME_DAY
									  " ELSE false END"),
					   UUIDOID, UUIDOID);
	static PlatformQuery find_no_agent =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   INSERT_SIGNALS("", "s.signal" IS "'no_agent'"
									  " AND r.signup_at OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-)"
									  " pg_catalog.make_interval(hours => 24 OPERATOR(pg_catalog.*) t.fraud_no_agent_days))"
									  " AND NOT EXISTS (SELECT FROM platform.agents g WHERE g.user_id" IS "r.referred_id)"),
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id)};

	platform_query_run(&find, values, NULL);
	if (platform_module_installed(&crm_module))
		platform_query_run(&find_no_agent, values, NULL);
}

void
platform_referral_add_signal(const Referral *referral, const char *signal)
{
	static PlatformQuery add =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   INSERT_SIGNALS("", "s.signal" IS "$3"),
					   UUIDOID, UUIDOID, TEXTOID);
	Datum		values[3] = {
		UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id), CStringGetTextDatum(signal)
	};

	platform_query_run(&add, values, NULL);
}

static int
sum_of_points(const Referral *referral)
{
	static PlatformQuery sum =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT CAST(COALESCE(pg_catalog.sum(points), 0) AS pg_catalog.int4)"
					   " FROM platform.referral_fraud_signals WHERE organization_id" IS "$1"
					   " AND referral_id" IS "$2",
					   UUIDOID, UUIDOID);
	Datum		values[2] = {UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id)};

	platform_query_run(&sum, values, NULL);
	return platform_row_int32(0, 1);
}

static char *
referral_key(const Referral *referral)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&referral->id)));
}

static void
tell_reviewers(const Referral *referral)
{
	PlatformAlert alert = {
		.type = REVIEW_ALERT,
		.organization = &referral->organization,
		.user = &referral->referrer,
		.title = "A referral is to be reviewed",
		.message = psprintf("Its fraud score is %d.", referral->fraud_score),
		.dedup_key = referral_key(referral),
		.source = "referrals",
	};

	platform_alert_raise(&alert, NULL);
}

static void
write_assessment(const Referral *referral)
{
	static PlatformQuery write =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals SET fraud_score = $3, fraud_reviewed = $4,"
					   " needs_review = $5, eligible_at = $6"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, INT4OID, BOOLOID, BOOLOID, TIMESTAMPTZOID);
	Datum		values[6] = {
		UUIDPGetDatum(&referral->organization), UUIDPGetDatum(&referral->id),
		Int32GetDatum(referral->fraud_score), BoolGetDatum(referral->fraud_reviewed),
		BoolGetDatum(referral->needs_review), TimestampTzGetDatum(referral->eligible_at)
	};
	bool		nulls[6] = {false, false, false, false, false, referral->eligible_at == REFERRAL_NEVER};

	platform_query_run(&write, values, nulls);
}

void
platform_referral_assess(Referral *referral, const ReferralSettings *settings)
{
	Referral	before = *referral;
	bool		reject;

	find_signals(referral);
	referral->fraud_score = sum_of_points(referral);
	if (referral->fraud_score > before.fraud_score)
		referral->fraud_reviewed = false;
	reject = platform_referral_is_open(referral) && !referral->fraud_reviewed &&
		referral->fraud_score >= settings->fraud_auto_reject_min;
	referral->needs_review = platform_referral_is_open(referral) && !referral->fraud_reviewed &&
		referral->fraud_score >= settings->fraud_manual_review_min && !reject;
	if (platform_referral_is(referral, "pending") && referral->first_payment_at != REFERRAL_NEVER &&
		referral->fraud_score >= settings->fraud_extended_hold_min)
		referral->eligible_at = Max(referral->eligible_at,
									referral->first_payment_at + settings->extended_hold_days * USECS_PER_DAY);

	if (referral->fraud_score != before.fraud_score || referral->eligible_at != before.eligible_at ||
		referral->fraud_reviewed != before.fraud_reviewed || referral->needs_review != before.needs_review)
		write_assessment(referral);
	if (referral->needs_review && !before.needs_review)
	{
		platform_payout_drop_referral(referral);
		tell_reviewers(referral);
	}
	else if (before.needs_review && !referral->needs_review)
		platform_alert_clear(&referral->organization, REVIEW_ALERT, referral_key(referral));
	if (reject)
		platform_referral_close(referral, "rejected",
								psprintf("fraud score %d", referral->fraud_score));
}

/* Of one that somebody looks at now: assesses it, and approves what may be. */
static void
settle(Referral *referral)
{
	ReferralSettings settings;

	platform_referral_read_settings(&settings);
	platform_referral_assess(referral, &settings);
	platform_referral_release(referral, &settings, GetCurrentTimestamp());
}

/*
 * platform.add_referral_signal(organization_id uuid, referral_id uuid, signal text,
 *								details jsonb DEFAULT '{}', points integer DEFAULT NULL)
 *		RETURNS integer
 *
 * Reports a sign of fraud, once a referral; points NULL: those of its row in
 * referral_signal_points, else 0 to 1000. The consequences follow at once. Returns the
 * score. Platform staff. Errors: 22004; 22023; 42501; PT404 no such referral or signal;
 * 23514 details are no object; 25006.
 */
Datum
platform_add_referral_signal(PG_FUNCTION_ARGS)
{
	static PlatformQuery add =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "INSERT INTO platform.referral_fraud_signals (organization_id, referral_id, signal,"
					   " details, points, reported_by)"
					   " SELECT $1, $2, s.signal, $4, COALESCE($5, s.points), $6"
					   " FROM platform.referral_signal_points s WHERE s.signal" IS "$3"
					   " ON CONFLICT (organization_id, referral_id, signal) DO NOTHING",
					   UUIDOID, UUIDOID, TEXTOID, JSONBOID, INT4OID, TEXTOID);
	static PlatformQuery known =
		PLATFORM_QUERY(REFERRAL_READ,
					   "SELECT 1 FROM platform.referral_signal_points WHERE signal" IS "$1",
					   TEXTOID);
	Referral	referral;
	Datum		values[6];
	bool		nulls[6] = {false};

	platform_referral_require_staff(fcinfo, "report a signal of fraud");
	(void) platform_required_text(fcinfo, 2, "signal", 63);
	platform_require_argument(fcinfo, 3, "details");
	nulls[4] = PG_ARGISNULL(4);
	if (!nulls[4] && (PG_GETARG_INT32(4) < 0 || PG_GETARG_INT32(4) > POINTS_MOST))
		platform_bad_argument(psprintf("points must be between 0 and %d", POINTS_MOST));
	platform_query_begin();
	if (platform_query_run(&known, &PG_GETARG_DATUM(2), NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PLATFORM_NOT_FOUND),
				 errmsg("there is no such signal"),
				 errhint("Signals are the rows of platform.referral_signal_points.")));
	platform_referral_get(fcinfo, 1, &referral);
	platform_referral_require_other(&referral.referrer);
	for (int i = 0; i < 5; i++)
		values[i] = nulls[i] ? (Datum) 0 : PG_GETARG_DATUM(i);
	values[5] = CStringGetTextDatum(platform_caller_name());
	platform_query_run(&add, values, nulls);
	settle(&referral);
	platform_query_end();
	PG_RETURN_INT32(referral.fraud_score);
}

/*
 * platform.score_referral(organization_id uuid, referral_id uuid) RETURNS integer
 *
 * Looks for signals now, with their consequences, and returns the score. The same
 * happens at each payment and when a hold ends. Platform staff. Errors: 22004;
 * 42501; PT404; 25006.
 */
Datum
platform_score_referral(PG_FUNCTION_ARGS)
{
	Referral	referral;

	platform_referral_require_staff(fcinfo, "score a referral");
	platform_query_begin();
	platform_referral_get(fcinfo, 1, &referral);
	settle(&referral);
	platform_query_end();
	PG_RETURN_INT32(referral.fraud_score);
}

/*
 * platform.review_referral(organization_id uuid, referral_id uuid, approve boolean,
 *							note text DEFAULT NULL) RETURNS text
 *
 * Somebody looked at it: nothing is wrong at its present score, or it is rejected, and
 * what is not paid is clawed back. A hold goes on all the same. Returns the
 * referral's status. Platform staff, but neither referrer nor referred. Errors: 22004;
 * 22023; 42501; PT404; PT409 it is over; 25006.
 */
Datum
platform_review_referral(PG_FUNCTION_ARGS)
{
	static PlatformQuery record =
		PLATFORM_QUERY(REFERRAL_WRITE,
					   "UPDATE platform.referrals SET fraud_reviewed = $3, fraud_reviewed_at = pg_catalog.now(),"
					   " fraud_reviewed_by = $4, review_note = $5"
					   " WHERE organization_id" IS "$1 AND id" IS "$2",
					   UUIDOID, UUIDOID, BOOLOID, TEXTOID, TEXTOID);
	Referral	referral;
	text	   *note;
	Datum		values[5];
	bool		nulls[5] = {false};

	platform_referral_require_staff(fcinfo, "review a referral");
	platform_require_argument(fcinfo, 2, "approve");
	note = platform_optional_text(fcinfo, 3, "note", REFERRAL_TEXT_MOST);
	platform_query_begin();
	platform_referral_get(fcinfo, 1, &referral);
	platform_referral_require_other(&referral.referrer);
	platform_referral_require_other(&referral.referred);
	if (!platform_referral_is_open(&referral))
		platform_wrong_state(psprintf("the referral is %s", referral.status));
	for (int i = 0; i < 3; i++)
		values[i] = PG_GETARG_DATUM(i);
	values[3] = CStringGetTextDatum(platform_caller_name());
	values[4] = PointerGetDatum(note);
	nulls[4] = note == NULL;
	platform_query_run(&record, values, nulls);
	referral.fraud_reviewed = PG_GETARG_BOOL(2);
	if (PG_GETARG_BOOL(2))
		settle(&referral);
	else
	{
		platform_referral_close(&referral, "rejected",
								note == NULL ? "rejected by review" : text_to_cstring(note));
		platform_alert_clear(&referral.organization, REVIEW_ALERT, referral_key(&referral));
	}
	platform_query_end();
	PG_RETURN_TEXT_P(cstring_to_text(referral.status));
}

/*
 * platform.list_referral_signals(organization_id uuid, referral_id uuid)
 *		RETURNS TABLE (signal text, points integer, description text, details jsonb,
 *					   reported_by text, created_at timestamptz)
 *
 * What speaks against a referral, the heaviest first. Platform staff. Errors: 22004; 42501.
 */
Datum
platform_list_referral_signals(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_INDEXED,
					   "SELECT f.signal, f.points, s.description, f.details, f.reported_by, f.created_at"
					   " FROM platform.referral_fraud_signals f JOIN platform.referral_signal_points s"
					   " ON s.signal" IS "f.signal WHERE f.organization_id" IS "$1 AND f.referral_id" IS "$2"
					   " ORDER BY f.points DESC, f.signal",
					   UUIDOID, UUIDOID);
	Datum		values[2];

	platform_referral_require_staff(fcinfo, "list signals of fraud");
	platform_require_argument(fcinfo, 1, "referral_id");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	return platform_query_return_rows(fcinfo, &list, values, NULL);
}

/*
 * platform.referral_review_queue(max_rows integer DEFAULT 100)
 *		RETURNS TABLE (organization_id uuid, referral_id uuid, referrer_id uuid, referred_id uuid,
 *					   fraud_score integer, status text, signals text[], held_cents bigint, signup_at timestamptz)
 *
 * Referrals that wait for a review, the oldest first; at most max_rows, 1 to 1000.
 * Platform staff. Errors: 22004; 22023; 42501.
 */
Datum
platform_referral_review_queue(PG_FUNCTION_ARGS)
{
	static PlatformQuery list =
		PLATFORM_QUERY(QUERY_READ | QUERY_OWNER | QUERY_INDEXED,
					   "SELECT r.organization_id, r.id, r.referrer_id, r.referred_id, r.fraud_score, r.status,"
					   " ARRAY(SELECT CAST(f.signal AS pg_catalog.text) FROM platform.referral_fraud_signals f"
					   " WHERE f.organization_id" IS "r.organization_id AND f.referral_id" IS "r.id"
					   " ORDER BY f.points DESC, f.signal),"
					   " CAST(COALESCE((SELECT pg_catalog.sum(c.amount_cents) FROM platform.referral_commissions c"
					   " WHERE c.organization_id" IS "r.organization_id AND c.referral_id" IS "r.id"
					   " AND c.commission_type OPERATOR(pg_catalog.<>) 'debt'"
					   " AND c.status" IS "ANY (ARRAY['pending', 'approved'])), 0) AS pg_catalog.int8), r.signup_at"
					   " FROM platform.referrals r WHERE r.needs_review ORDER BY r.signup_at, r.id LIMIT $1",
					   INT8OID);
	Datum		limit;

	platform_require_module(&platform_referrals_module);
	if (!platform_is_platform_staff())
		platform_require_operator("list referrals to be reviewed");
	limit = Int64GetDatum(platform_count_argument(fcinfo, 0, "max_rows", REFERRAL_BATCH_MOST));
	return platform_query_return_rows(fcinfo, &list, &limit, NULL);
}
