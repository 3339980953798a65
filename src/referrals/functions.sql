-- referrals: codes

CREATE OR REPLACE FUNCTION platform.create_referral_code(organization_id uuid, user_id uuid DEFAULT NULL, OUT code text, OUT created boolean) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_referral_code';
COMMENT ON FUNCTION platform.create_referral_code(uuid, uuid) IS
	'The code of a user (NULL: the caller) of that organization, made when he has none: eight random characters. Members: their own. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'create_referral_code(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.validate_referral_code(code text, OUT valid boolean, OUT reason text) RETURNS record
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_validate_referral_code';
COMMENT ON FUNCTION platform.validate_referral_code(text) IS
	'May somebody sign up with that code, in whatever case? If not, why: PROGRAM_OFF, NOT_FOUND (also of NULL), INACTIVE. Any member role.';
INSERT INTO platform.member_privileges VALUES ('function', 'validate_referral_code(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_referral_code_active(organization_id uuid, user_id uuid, active boolean) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_referral_code_active';
COMMENT ON FUNCTION platform.set_referral_code_active(uuid, uuid, boolean) IS
	'Switches a user''s code off and on: off, nobody signs up with it; who has come stays. True when that changed something. Platform staff, never for themselves. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_referral_code_active(uuid, uuid, boolean)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_referral_codes(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (organization_id uuid, user_id uuid, code text, is_active boolean, referrals bigint, created_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_list_referral_codes';
COMMENT ON FUNCTION platform.list_referral_codes(uuid, uuid, integer) IS
	'Codes with how many came by them, the newest first; NULL: all, no limit. Users their own, platform staff all. Errors: 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_referral_codes(uuid, uuid, integer)', 'EXECUTE');

-- referrals: what referred customers do

CREATE OR REPLACE FUNCTION platform.attribute_referral(organization_id uuid, user_id uuid, code text, ip inet DEFAULT NULL, signup_at timestamptz DEFAULT NULL,
	OUT referral_id uuid, OUT attributed boolean, OUT reason text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_attribute_referral';
COMMENT ON FUNCTION platform.attribute_referral(uuid, uuid, text, inet, timestamptz) IS
	'That user of that organization signed up with that code: once for all. If this call did not do it, why: PROGRAM_OFF, NOT_FOUND, INACTIVE, SELF, ALREADY_REFERRED. Operators. Errors: 22004, 42501, 23503, 23514, 25006.';

CREATE OR REPLACE FUNCTION platform.record_referral_payment(organization_id uuid, user_id uuid, invoice_id text, amount_cents bigint, paid_at timestamptz DEFAULT NULL, subscription_id text DEFAULT NULL,
	OUT event_id uuid, OUT recorded boolean, OUT reason text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_referral_payment';
COMMENT ON FUNCTION platform.record_referral_payment(uuid, uuid, text, bigint, timestamptz, text) IS
	'The customer paid an invoice, in cents: recorded once by its id, for apply_referral_events(). If it was not, why: DUPLICATE, NOT_REFERRED. Operators. Errors: 22004, 22023, 42501, PT409 that invoice is another customer''s or amount, PT422, 23514, 25006.';

CREATE OR REPLACE FUNCTION platform.record_referral_refund(organization_id uuid, user_id uuid, invoice_id text, kind text DEFAULT 'refund', refunded_at timestamptz DEFAULT NULL,
	OUT event_id uuid, OUT recorded boolean, OUT reason text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_referral_refund';
COMMENT ON FUNCTION platform.record_referral_refund(uuid, uuid, text, text, timestamptz) IS
	'The customer got an invoice''s money back, or disputes it (kind refund, dispute): all commissions of his referral will be clawed back. Recorded once by kind and invoice; reasons as of a payment. Operators. Errors: 22004, 22023, 42501, PT409, 23514, 25006.';

CREATE OR REPLACE FUNCTION platform.record_referral_cancellation(organization_id uuid, user_id uuid, subscription_id text DEFAULT NULL, cancelled_at timestamptz DEFAULT NULL,
	OUT event_id uuid, OUT recorded boolean, OUT reason text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_record_referral_cancellation';
COMMENT ON FUNCTION platform.record_referral_cancellation(uuid, uuid, text, timestamptz) IS
	'The customer left: what is not paid yet will be clawed back. Recorded once by the subscription, without one by the user; reasons as of a payment. Operators. Errors: 22004, 22023, 42501, PT409, 23514, 25006.';

CREATE OR REPLACE FUNCTION platform.apply_referral_events(max_rows integer DEFAULT 100) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_apply_referral_events';
COMMENT ON FUNCTION platform.apply_referral_events(integer) IS
	'Does what follows for referrers from queued rows of referral_outbox, the oldest max_rows (1 to 1000); returns how many there were. A job; one at a time, a second one waits. Operators. Errors: 22004, 22023, 42501, 25006.';

-- referrals: referrals and their scores

CREATE OR REPLACE FUNCTION platform.list_referrals(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL, for_status text DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (referral_id uuid, organization_id uuid, referrer_id uuid, referred_id uuid, status text, signup_at timestamptz, first_payment_at timestamptz, eligible_at timestamptz,
	months_paid integer, total_commission_cents bigint, needs_review boolean)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_list_referrals';
COMMENT ON FUNCTION platform.list_referrals(uuid, uuid, text, integer) IS
	'Referrals by their referrer, the newest first; NULL: all, in every state, no limit. Users their own, platform staff all. Errors: 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_referrals(uuid, uuid, text, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.referral_fraud_score(for_organization_id uuid, for_referral_id uuid) RETURNS integer
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT CAST(COALESCE(pg_catalog.sum(s.points), 0) AS pg_catalog.int4)
FROM platform.referral_fraud_signals s
WHERE s.organization_id OPERATOR(pg_catalog.=) for_organization_id AND s.referral_id OPERATOR(pg_catalog.=) for_referral_id
$$;
COMMENT ON FUNCTION platform.referral_fraud_score(uuid, uuid) IS
	'The sum of the points of a referral''s signals; 0 without any. Operators.';

CREATE OR REPLACE FUNCTION platform.score_referral(organization_id uuid, referral_id uuid) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_score_referral';
COMMENT ON FUNCTION platform.score_referral(uuid, uuid) IS
	'Looks for signals of fraud now, with their consequences, and returns the score. Happens by itself at each payment and when a hold ends. Platform staff. Errors: 22004, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'score_referral(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.add_referral_signal(organization_id uuid, referral_id uuid, signal text, details jsonb DEFAULT '{}', points integer DEFAULT NULL) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_referral_signal';
COMMENT ON FUNCTION platform.add_referral_signal(uuid, uuid, text, jsonb, integer) IS
	'Reports a sign of fraud of referral_signal_points, once, with its points there (NULL) or others, 0 to 1000; the consequences follow at once. Returns the score. Platform staff, never about their own. Errors: 22004, 22023, 42501, PT404, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'add_referral_signal(uuid, uuid, text, jsonb, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_referral_signals(organization_id uuid, referral_id uuid)
RETURNS TABLE (signal text, points integer, description text, details jsonb, reported_by text, created_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_list_referral_signals';
COMMENT ON FUNCTION platform.list_referral_signals(uuid, uuid) IS
	'What speaks against a referral, the heaviest first. Platform staff. Errors: 22004, 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_referral_signals(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.referral_review_queue(max_rows integer DEFAULT 100)
RETURNS TABLE (organization_id uuid, referral_id uuid, referrer_id uuid, referred_id uuid, fraud_score integer, status text, signals text[], held_cents bigint, signup_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_referral_review_queue';
COMMENT ON FUNCTION platform.referral_review_queue(integer) IS
	'Referrals that wait for review_referral(), the oldest first, at most max_rows, 1 to 1000. Platform staff. Errors: 22004, 22023, 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'referral_review_queue(integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.review_referral(organization_id uuid, referral_id uuid, approve boolean, note text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_review_referral';
COMMENT ON FUNCTION platform.review_referral(uuid, uuid, boolean, text) IS
	'Nothing is wrong with it at its present score, while its hold goes on; or it is rejected, and what is not paid clawed back. Returns its status. Platform staff, neither referrer nor referred. Errors: 22004, 22023, 42501, PT404, PT409 it is over, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'review_referral(uuid, uuid, boolean, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.cancel_referral(organization_id uuid, referral_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_cancel_referral';
COMMENT ON FUNCTION platform.cancel_referral(uuid, uuid, text) IS
	'The customer left: what is neither paid nor being paid is clawed back. False when it was cancelled. Platform staff, never the referrer. Errors: 22004, 22023, 42501, PT404, PT409 it is rejected or clawed back, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'cancel_referral(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.clawback_referral(organization_id uuid, referral_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_clawback_referral';
COMMENT ON FUNCTION platform.clawback_referral(uuid, uuid, text) IS
	'Takes back all that it earned; what was paid becomes a debt, which the next payout deducts. False when it was clawed back. Platform staff, never the referrer. Errors: 22004, 22023, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'clawback_referral(uuid, uuid, text)', 'EXECUTE');

-- referrals: commissions

CREATE OR REPLACE FUNCTION platform.list_referral_commissions(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL, for_status text DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (commission_id uuid, organization_id uuid, referral_id uuid, referrer_id uuid, commission_type text, month_number integer, amount_cents bigint, status text,
	payout_id uuid, created_at timestamptz, approved_at timestamptz, paid_at timestamptz, clawed_back_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_list_referral_commissions';
COMMENT ON FUNCTION platform.list_referral_commissions(uuid, uuid, text, integer) IS
	'Commissions and debts in cents, the newest first; NULL: all, in every state, no limit. Users their own, platform staff all. Errors: 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_referral_commissions(uuid, uuid, text, integer)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.release_referral_commissions(at timestamptz DEFAULT NULL, max_rows integer DEFAULT 1000) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_release_referral_commissions';
COMMENT ON FUNCTION platform.release_referral_commissions(timestamptz, integer) IS
	'Ends holds that are over at that moment (NULL: now) and approves what needs nobody''s approval, of at most max_rows referrals (1 to 1000); returns how many commissions. A job. Operators. Errors: 22004, 22023, 42501, 25006.';

CREATE OR REPLACE FUNCTION platform.approve_referral_commission(organization_id uuid, commission_id uuid, notes text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_approve_referral_commission';
COMMENT ON FUNCTION platform.approve_referral_commission(uuid, uuid, text) IS
	'Approves a pending commission by hand; while its hold or a review goes on it stays pending, and is approved after. Returns its status. Platform staff, never the referrer. Errors: 22004, 22023, 42501, PT404, PT409 it is not pending, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'approve_referral_commission(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.reject_referral_commission(organization_id uuid, commission_id uuid, reason text) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reject_referral_commission';
COMMENT ON FUNCTION platform.reject_referral_commission(uuid, uuid, text) IS
	'Claws back a commission that is not paid, out of the payout that it is reserved for. False when it was clawed back. Platform staff, never the referrer. Errors: 22004, 22023, 42501, PT404, PT409 it is paid or being paid, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'reject_referral_commission(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.extend_referral_hold(organization_id uuid, commission_id uuid, until timestamptz, reason text) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_extend_referral_hold';
COMMENT ON FUNCTION platform.extend_referral_hold(uuid, uuid, timestamptz, text) IS
	'Holds a pending commission until then at least. Platform staff, never the referrer. Errors: 22004, 22023, 42501, PT404, PT409 it is not pending, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'extend_referral_hold(uuid, uuid, timestamptz, text)', 'EXECUTE');

-- referrals: payouts

CREATE OR REPLACE FUNCTION platform.request_payout(organization_id uuid, user_id uuid DEFAULT NULL, payment_method text DEFAULT 'manual', payment_email text DEFAULT NULL, notes text DEFAULT NULL,
	OUT payout_id uuid, OUT amount_cents bigint, OUT commissions integer) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_request_payout';
COMMENT ON FUNCTION platform.request_payout(uuid, uuid, text, text, text) IS
	'Asks for all that a user (NULL: the caller) may have, less his debts, and reserves it; the amount is computed, never given. Members: their own. Errors: 22004, 22023, 42501, PT409 one is under way, PT422 too little, or paypal without an address, 23514, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'request_payout(uuid, uuid, text, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.approve_payout(organization_id uuid, payout_id uuid, admin_notes text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_approve_payout';
COMMENT ON FUNCTION platform.approve_payout(uuid, uuid, text) IS
	'A pending payout may be paid; false when it was approved. Platform staff, never its user. Errors: 22004, 22023, 42501, PT404, PT409, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'approve_payout(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.start_payout(organization_id uuid, payout_id uuid) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_payout';
COMMENT ON FUNCTION platform.start_payout(uuid, uuid) IS
	'An approved payout is to be sent now; returns its cents, which stay what they are from then on. Platform staff, never its user. Errors: 22004, 42501, PT404, PT409 it is not approved, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'start_payout(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.pay_payout(organization_id uuid, payout_id uuid, payment_reference text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_pay_payout';
COMMENT ON FUNCTION platform.pay_payout(uuid, uuid, text) IS
	'The money of a payout that was started has arrived: exactly what is reserved for it is paid, once. Returns its cents. Platform staff, never its user. Errors: 22004, 22023, 42501, PT404, PT409 it is not processing, XX001, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'pay_payout(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.reject_payout(organization_id uuid, payout_id uuid, reason text) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reject_payout';
COMMENT ON FUNCTION platform.reject_payout(uuid, uuid, text) IS
	'A payout comes to nothing: its commissions are free again. False when it was rejected. Platform staff, never its user, who may while it is pending. Errors: 22004, 22023, 42501, PT404, PT409 it is paid, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'reject_payout(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_payout_requests(for_organization_id uuid DEFAULT NULL, for_user_id uuid DEFAULT NULL, for_status text DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (payout_id uuid, organization_id uuid, user_id uuid, amount_cents bigint, status text, payment_method text, payment_email text, payment_reference text, commissions bigint,
	rejection_reason text, created_at timestamptz, approved_at timestamptz, paid_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_list_payout_requests';
COMMENT ON FUNCTION platform.list_payout_requests(uuid, uuid, text, integer) IS
	'Payouts in cents with how many commissions and debts they have, the newest first; NULL: all, in every state, no limit. Users their own, platform staff all. Errors: 42501.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_payout_requests(uuid, uuid, text, integer)', 'EXECUTE');

-- referrals: trigger functions

CREATE OR REPLACE FUNCTION platform.check_referral() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_referral';
COMMENT ON FUNCTION platform.check_referral() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of referrals: how a status follows another, what never changes, closed_at, updated_at. Errors: PT409, 39P01.';

CREATE OR REPLACE FUNCTION platform.check_referral_commission() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_referral_commission';
COMMENT ON FUNCTION platform.check_referral_commission() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of referral_commissions: how a status follows another, what never changes, moments, updated_at. Errors: PT409, 39P01.';

CREATE OR REPLACE FUNCTION platform.check_payout_request() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_payout_request';
COMMENT ON FUNCTION platform.check_payout_request() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of payout_requests: how a status follows another, an amount that only falls, moments, updated_at. Errors: PT409, 39P01.';

-- referrals: what members read; they write nothing

INSERT INTO platform.member_privileges VALUES
	('table', 'referral_settings', 'SELECT (id, is_active, upfront_amount_cents, monthly_percent, max_months, hold_days, min_payout_cents)'),
	('table', 'referral_codes', 'SELECT'),
	('table', 'referrals', 'SELECT (id, organization_id, referrer_id, referred_id, referral_code, status, signup_at, first_payment_at, eligible_at, upfront_paid, upfront_paid_at, months_paid, total_commission_cents, needs_review, closed_at, created_at, updated_at)'),
	('table', 'payout_requests', 'SELECT (id, organization_id, user_id, amount_cents, status, payment_method, payment_email, payment_reference, notes, approved_at, processed_at, paid_at, rejection_reason, created_at, updated_at)'),
	('table', 'referral_commissions', 'SELECT (id, organization_id, referral_id, referrer_id, commission_type, amount_cents, month_number, status, extended_hold_until, payout_id, paid_at, approved_at, clawed_back_at, reverses_id, created_at, updated_at)'),
	('table', 'referral_dashboard', 'SELECT');
