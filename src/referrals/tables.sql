-- migration 130 referrals: codes, the outbox of what customers do, referrals, commissions, payouts
-- requires: migrate

-- up

-- Every number of the program. One row.
CREATE TABLE IF NOT EXISTS platform.referral_settings (
	id smallint NOT NULL DEFAULT 1,
	is_active boolean NOT NULL DEFAULT true,
	upfront_amount_cents bigint NOT NULL DEFAULT 2500,
	monthly_percent integer NOT NULL DEFAULT 10,
	max_months integer NOT NULL DEFAULT 12,
	hold_days integer NOT NULL DEFAULT 30,
	extended_hold_days integer NOT NULL DEFAULT 45,
	min_payout_cents bigint NOT NULL DEFAULT 5000,
	auto_approve_under_cents bigint NOT NULL DEFAULT 10000,
	fraud_auto_approve_max integer NOT NULL DEFAULT 20,
	fraud_extended_hold_min integer NOT NULL DEFAULT 41,
	fraud_manual_review_min integer NOT NULL DEFAULT 61,
	fraud_auto_reject_min integer NOT NULL DEFAULT 81,
	fraud_velocity_min integer NOT NULL DEFAULT 3,
	fraud_quick_cancel_days integer NOT NULL DEFAULT 7,
	fraud_no_agent_days integer NOT NULL DEFAULT 14,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referral_settings_pkey PRIMARY KEY (id),
	CONSTRAINT referral_settings_id_check CHECK (id = 1),
	CONSTRAINT referral_settings_upfront_amount_cents_check CHECK (upfront_amount_cents BETWEEN 0 AND 1000000000),
	CONSTRAINT referral_settings_monthly_percent_check CHECK (monthly_percent BETWEEN 0 AND 100),
	CONSTRAINT referral_settings_max_months_check CHECK (max_months BETWEEN 0 AND 1200),
	CONSTRAINT referral_settings_holds_check CHECK (hold_days >= 0 AND extended_hold_days >= hold_days AND hold_days <= 3650 AND extended_hold_days <= 3650),
	CONSTRAINT referral_settings_min_payout_cents_check CHECK (min_payout_cents >= 1),
	CONSTRAINT referral_settings_auto_approve_under_cents_check CHECK (auto_approve_under_cents >= 0),
	CONSTRAINT referral_settings_scores_check CHECK (0 <= fraud_auto_approve_max AND fraud_auto_approve_max < fraud_extended_hold_min
		AND fraud_extended_hold_min <= fraud_manual_review_min AND fraud_manual_review_min <= fraud_auto_reject_min),
	CONSTRAINT referral_settings_fraud_velocity_min_check CHECK (fraud_velocity_min >= 1),
	CONSTRAINT referral_settings_fraud_quick_cancel_days_check CHECK (fraud_quick_cancel_days BETWEEN 0 AND 3650),
	CONSTRAINT referral_settings_fraud_no_agent_days_check CHECK (fraud_no_agent_days BETWEEN 0 AND 3650)
);
COMMENT ON TABLE platform.referral_settings IS
	'The referral program in numbers: one row. Amounts are in cents of one currency. A change counts for what happens from then on.';
COMMENT ON COLUMN platform.referral_settings.is_active IS
	'While it is off no code is valid and no payment earns anything; what is earned is still paid.';
COMMENT ON COLUMN platform.referral_settings.upfront_amount_cents IS
	'For the referred customer''s first payment; 0: nothing.';
COMMENT ON COLUMN platform.referral_settings.monthly_percent IS
	'Of each payment, for max_months payments; fractions of a cent are dropped.';
COMMENT ON COLUMN platform.referral_settings.hold_days IS
	'From the first payment until anything may be paid out; extended_hold_days from a score of fraud_extended_hold_min on.';
COMMENT ON COLUMN platform.referral_settings.auto_approve_under_cents IS
	'Up to this amount, and a score of at most fraud_auto_approve_max, a commission needs nobody''s approval.';
COMMENT ON COLUMN platform.referral_settings.fraud_manual_review_min IS
	'From this score on nothing is approved before a review; from fraud_auto_reject_min on the referral is rejected.';

-- Reasons for suspicion, and what each weighs.
CREATE TABLE IF NOT EXISTS platform.referral_signal_points (
	signal text COLLATE pg_catalog."C" NOT NULL,
	points integer NOT NULL,
	description text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referral_signal_points_pkey PRIMARY KEY (signal),
	CONSTRAINT referral_signal_points_signal_check CHECK (signal ~ '^[a-z][a-z0-9_]{0,62}$'),
	CONSTRAINT referral_signal_points_points_check CHECK (points BETWEEN 0 AND 1000)
);
COMMENT ON TABLE platform.referral_signal_points IS
	'Signs of fraud and their points; with 0 points one is not looked for. A change counts for signals from then on.';

CREATE TABLE IF NOT EXISTS platform.referral_common_domains (
	domain text COLLATE pg_catalog."C" NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referral_common_domains_pkey PRIMARY KEY (domain),
	CONSTRAINT referral_common_domains_domain_check CHECK (domain ~ '^[a-z0-9.-]{1,253}$')
);
COMMENT ON TABLE platform.referral_common_domains IS
	'E-mail domains of everybody: that two people share one says nothing.';

CREATE TABLE IF NOT EXISTS platform.referral_codes (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	code text COLLATE pg_catalog."C" NOT NULL,
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referral_codes_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT referral_codes_user_id_key UNIQUE (user_id),
	CONSTRAINT referral_codes_code_key UNIQUE (code),
	CONSTRAINT referral_codes_code_check CHECK (code ~ '^[A-HJ-NP-Z2-9]{8}$')
);
CREATE INDEX IF NOT EXISTS referral_codes_organization_id_created_at_idx ON platform.referral_codes (organization_id, created_at DESC);
COMMENT ON TABLE platform.referral_codes IS
	'With whose code a customer comes. A user has one; what it earns is under the organization for which it was made.';

-- What happens at the referred customer, in its own tenant and transaction. What
-- it means for the referrer, who may be another tenant's, is done by
-- apply_referral_events().
CREATE TABLE IF NOT EXISTS platform.referral_outbox (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	kind text NOT NULL,
	event_key text COLLATE pg_catalog."C" NOT NULL,
	referral_id uuid,
	referral_code text,
	signup_ip inet,
	amount_cents bigint,
	stripe_subscription_id text,
	program_active boolean NOT NULL DEFAULT true,
	occurred_at timestamptz NOT NULL DEFAULT now(),
	status text NOT NULL DEFAULT 'queued',
	outcome text,
	applied_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referral_outbox_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT referral_outbox_kind_event_key_key UNIQUE (kind, event_key),
	CONSTRAINT referral_outbox_kind_check CHECK (kind IN ('signup', 'payment', 'refund', 'dispute', 'cancellation')),
	CONSTRAINT referral_outbox_event_key_check CHECK (length(event_key) BETWEEN 1 AND 255),
	CONSTRAINT referral_outbox_signup_check CHECK ((kind = 'signup') = (referral_id IS NOT NULL) AND (kind = 'signup') = (referral_code IS NOT NULL)),
	CONSTRAINT referral_outbox_amount_check CHECK ((kind = 'payment') = (amount_cents IS NOT NULL) AND amount_cents BETWEEN 0 AND 1000000000000),
	CONSTRAINT referral_outbox_occurred_at_check CHECK (isfinite(occurred_at)),
	CONSTRAINT referral_outbox_status_check CHECK (status IN ('queued', 'applied', 'ignored')),
	CONSTRAINT referral_outbox_applied_check CHECK ((status = 'queued') = (applied_at IS NULL) AND (status = 'queued') = (outcome IS NULL))
);
CREATE INDEX IF NOT EXISTS referral_outbox_id_idx ON platform.referral_outbox (id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS referral_outbox_user_id_created_at_idx ON platform.referral_outbox (user_id, created_at);
CREATE INDEX IF NOT EXISTS referral_outbox_organization_id_created_at_idx ON platform.referral_outbox (organization_id, created_at DESC);
COMMENT ON TABLE platform.referral_outbox IS
	'The outbox of the program: what referred customers did, each once, queued until apply_referral_events() has done what follows for their referrers.';
COMMENT ON COLUMN platform.referral_outbox.event_key IS
	'By which it is recognised: of a signup the user, else the invoice or subscription at the payment provider.';
COMMENT ON COLUMN platform.referral_outbox.referral_id IS
	'Of a signup: the id that the referral gets.';
COMMENT ON COLUMN platform.referral_outbox.program_active IS
	'Was the program on when it was recorded?';
COMMENT ON COLUMN platform.referral_outbox.outcome IS
	'What came of it: REFERRED, EARNED, CANCELLED, CLAWED_BACK; or why nothing did.';

CREATE TABLE IF NOT EXISTS platform.referrals (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	referrer_id uuid NOT NULL,
	referred_id uuid NOT NULL,
	referred_organization_id uuid NOT NULL,
	referral_code text NOT NULL,
	status text NOT NULL DEFAULT 'pending',
	signup_ip inet,
	signup_at timestamptz NOT NULL DEFAULT now(),
	first_payment_at timestamptz,
	eligible_at timestamptz,
	upfront_paid boolean NOT NULL DEFAULT false,
	upfront_paid_at timestamptz,
	months_paid integer NOT NULL DEFAULT 0,
	total_commission_cents bigint NOT NULL DEFAULT 0,
	fraud_score integer NOT NULL DEFAULT 0,
	needs_review boolean NOT NULL DEFAULT false,
	fraud_reviewed boolean NOT NULL DEFAULT false,
	fraud_reviewed_at timestamptz,
	fraud_reviewed_by text,
	review_note text,
	rejection_reason text,
	closed_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referrals_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT referrals_referred_id_key UNIQUE (referred_id),
	CONSTRAINT referrals_status_check CHECK (status IN ('pending', 'eligible', 'paid', 'rejected', 'cancelled', 'clawed_back')),
	CONSTRAINT referrals_self_check CHECK (referrer_id <> referred_id),
	CONSTRAINT referrals_payment_check CHECK ((first_payment_at IS NULL) = (eligible_at IS NULL) AND eligible_at >= first_payment_at),
	CONSTRAINT referrals_eligible_check CHECK (status NOT IN ('eligible', 'paid') OR eligible_at IS NOT NULL),
	CONSTRAINT referrals_upfront_check CHECK (upfront_paid = (upfront_paid_at IS NOT NULL)),
	CONSTRAINT referrals_closed_check CHECK ((status IN ('rejected', 'cancelled', 'clawed_back')) = (closed_at IS NOT NULL)),
	CONSTRAINT referrals_months_paid_check CHECK (months_paid >= 0),
	CONSTRAINT referrals_total_commission_cents_check CHECK (total_commission_cents >= 0),
	CONSTRAINT referrals_fraud_score_check CHECK (fraud_score >= 0)
);
CREATE INDEX IF NOT EXISTS referrals_referrer_id_signup_at_idx ON platform.referrals (referrer_id, signup_at DESC);
CREATE INDEX IF NOT EXISTS referrals_organization_id_status_signup_at_idx ON platform.referrals (organization_id, status, signup_at DESC);
CREATE INDEX IF NOT EXISTS referrals_referral_code_idx ON platform.referrals (referral_code);
CREATE INDEX IF NOT EXISTS referrals_eligible_at_idx ON platform.referrals (eligible_at) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS referrals_signup_at_idx ON platform.referrals (signup_at) WHERE needs_review;
COMMENT ON TABLE platform.referrals IS
	'Who brought whom: one referrer for each referred user. Under the referrer''s organization; its state goes as its trigger allows.';
COMMENT ON COLUMN platform.referrals.status IS
	'pending: in its hold, or before the first payment; eligible: the hold is over; paid: all months are earned and paid; rejected: fraud; cancelled: the customer left; clawed_back: the customer got money back.';
COMMENT ON COLUMN platform.referrals.eligible_at IS
	'When the hold ends: the first payment and hold_days, or extended_hold_days.';
COMMENT ON COLUMN platform.referrals.upfront_paid IS
	'The commission for the first payment was earned.';
COMMENT ON COLUMN platform.referrals.months_paid IS
	'Payments of which a percentage was earned.';
COMMENT ON COLUMN platform.referrals.total_commission_cents IS
	'What was earned and not clawed back; kept by the functions, exactly the sum of the rows.';
COMMENT ON COLUMN platform.referrals.fraud_score IS
	'The points of its signals.';
COMMENT ON COLUMN platform.referrals.needs_review IS
	'Nothing is approved nor paid before somebody looked at it.';
COMMENT ON COLUMN platform.referrals.fraud_reviewed IS
	'Somebody found nothing wrong at this score; a higher one wants another look.';
COMMENT ON COLUMN platform.referrals.rejection_reason IS
	'Why it was rejected, cancelled or clawed back.';

CREATE TABLE IF NOT EXISTS platform.referral_fraud_signals (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	referral_id uuid NOT NULL,
	signal text COLLATE pg_catalog."C" NOT NULL,
	points integer NOT NULL,
	details jsonb NOT NULL DEFAULT '{}',
	reported_by text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referral_fraud_signals_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT referral_fraud_signals_organization_id_referral_id_signal_key UNIQUE (organization_id, referral_id, signal),
	CONSTRAINT referral_fraud_signals_points_check CHECK (points BETWEEN 0 AND 1000),
	CONSTRAINT referral_fraud_signals_details_check CHECK (jsonb_typeof(details) = 'object')
);
CREATE INDEX IF NOT EXISTS referral_fraud_signals_signal_created_at_idx ON platform.referral_fraud_signals (signal, created_at DESC);
COMMENT ON TABLE platform.referral_fraud_signals IS
	'What speaks against a referral, each sign once, with the points it had then. Their sum is the score.';
COMMENT ON COLUMN platform.referral_fraud_signals.reported_by IS
	'The word platform: found by scoring; else who reported it.';

CREATE TABLE IF NOT EXISTS platform.payout_requests (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	amount_cents bigint NOT NULL,
	status text NOT NULL DEFAULT 'pending',
	payment_method text NOT NULL DEFAULT 'manual',
	payment_email text,
	payment_reference text,
	notes text,
	admin_notes text,
	approved_by text,
	approved_at timestamptz,
	processed_by text,
	processed_at timestamptz,
	paid_at timestamptz,
	rejection_reason text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT payout_requests_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT payout_requests_amount_cents_check CHECK (amount_cents > 0),
	CONSTRAINT payout_requests_status_check CHECK (status IN ('pending', 'approved', 'processing', 'paid', 'rejected')),
	CONSTRAINT payout_requests_payment_method_check CHECK (payment_method IN ('manual', 'paypal', 'stripe', 'bank_transfer')),
	CONSTRAINT payout_requests_payment_email_check CHECK (length(payment_email) <= 255 AND payment_email ~ '^[^@\s]+@[^@\s]+$'),
	CONSTRAINT payout_requests_payment_reference_check CHECK (length(payment_reference) BETWEEN 1 AND 255),
	CONSTRAINT payout_requests_approved_check CHECK (status NOT IN ('approved', 'processing', 'paid') OR approved_at IS NOT NULL),
	CONSTRAINT payout_requests_paid_check CHECK ((status = 'paid') = (paid_at IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS payout_requests_organization_id_user_id_idx
	ON platform.payout_requests (organization_id, user_id) WHERE status IN ('pending', 'approved', 'processing');
CREATE INDEX IF NOT EXISTS payout_requests_user_id_created_at_idx ON platform.payout_requests (user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS payout_requests_organization_id_created_at_idx ON platform.payout_requests (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS payout_requests_created_at_idx ON platform.payout_requests (created_at) WHERE status IN ('pending', 'approved', 'processing');
COMMENT ON TABLE platform.payout_requests IS
	'Requests for what a referrer has earned: at most one is under way for each. The amount is that of the commissions reserved for it, never the user''s word.';
COMMENT ON COLUMN platform.payout_requests.status IS
	'pending; approved; processing: being sent, so its amount stays; paid; rejected: its commissions are free again.';

CREATE TABLE IF NOT EXISTS platform.referral_commissions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	referral_id uuid NOT NULL,
	referrer_id uuid NOT NULL,
	commission_type text NOT NULL,
	amount_cents bigint NOT NULL,
	month_number integer,
	invoice_cents bigint,
	monthly_percent integer,
	stripe_invoice_id text COLLATE pg_catalog."C",
	stripe_subscription_id text,
	status text NOT NULL DEFAULT 'pending',
	extended_hold_until timestamptz,
	hold_reason text,
	approved_by text,
	approved_at timestamptz,
	payout_id uuid,
	paid_at timestamptz,
	clawback_due boolean NOT NULL DEFAULT false,
	clawback_reason text,
	clawed_back_at timestamptz,
	reverses_id uuid,
	notes text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT referral_commissions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT referral_commissions_organization_id_referral_id_month_numb_key UNIQUE (organization_id, referral_id, month_number),
	CONSTRAINT referral_commissions_organization_id_referral_id_stripe_inv_key UNIQUE (organization_id, referral_id, stripe_invoice_id, commission_type),
	CONSTRAINT referral_commissions_organization_id_reverses_id_key UNIQUE (organization_id, reverses_id),
	CONSTRAINT referral_commissions_commission_type_check CHECK (commission_type IN ('upfront', 'monthly', 'debt')),
	CONSTRAINT referral_commissions_amount_check CHECK (amount_cents <> 0 AND (commission_type = 'debt') = (amount_cents < 0)),
	CONSTRAINT referral_commissions_month_check CHECK ((commission_type = 'monthly') = (month_number IS NOT NULL) AND month_number >= 1),
	CONSTRAINT referral_commissions_debt_check CHECK ((commission_type = 'debt') = (reverses_id IS NOT NULL)
		AND (commission_type <> 'debt' OR status IN ('approved', 'paid'))),
	CONSTRAINT referral_commissions_status_check CHECK (status IN ('pending', 'approved', 'paid', 'clawed_back')),
	CONSTRAINT referral_commissions_payout_check CHECK (payout_id IS NULL OR status IN ('approved', 'paid') OR (status = 'clawed_back' AND paid_at IS NOT NULL)),
	CONSTRAINT referral_commissions_paid_check CHECK (CASE status WHEN 'paid' THEN paid_at IS NOT NULL AND payout_id IS NOT NULL
		WHEN 'clawed_back' THEN true ELSE paid_at IS NULL END),
	CONSTRAINT referral_commissions_clawback_check CHECK ((status = 'clawed_back') = (clawed_back_at IS NOT NULL)
		AND (NOT clawback_due OR (status IN ('approved', 'paid') AND payout_id IS NOT NULL)))
);
CREATE UNIQUE INDEX IF NOT EXISTS referral_commissions_organization_id_referral_id_idx
	ON platform.referral_commissions (organization_id, referral_id) WHERE commission_type = 'upfront';
CREATE INDEX IF NOT EXISTS referral_commissions_referral_id_created_at_idx ON platform.referral_commissions (referral_id, created_at);
CREATE INDEX IF NOT EXISTS referral_commissions_referrer_id_created_at_idx ON platform.referral_commissions (referrer_id, created_at DESC);
CREATE INDEX IF NOT EXISTS referral_commissions_organization_id_status_created_at_idx ON platform.referral_commissions (organization_id, status, created_at DESC);
CREATE INDEX IF NOT EXISTS referral_commissions_payout_id_idx ON platform.referral_commissions (payout_id);
CREATE INDEX IF NOT EXISTS referral_commissions_referral_id_idx ON platform.referral_commissions (referral_id) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS referral_commissions_referrer_id_idx ON platform.referral_commissions (referrer_id) WHERE status = 'approved' AND payout_id IS NULL;
COMMENT ON TABLE platform.referral_commissions IS
	'The ledger of the program: what referrers earned, and what they owe because it was paid before the customer got money back. Written by functions alone.';
COMMENT ON COLUMN platform.referral_commissions.commission_type IS
	'upfront: for the first payment; monthly: a part of a payment; debt: below zero, a paid commission clawed back, which the next payout deducts.';
COMMENT ON COLUMN platform.referral_commissions.status IS
	'pending: in its hold, or to be approved by hand; approved: may be paid out, reserved when payout_id is set; paid; clawed_back.';
COMMENT ON COLUMN platform.referral_commissions.invoice_cents IS
	'The payment that earned it, and the percentage of then.';
COMMENT ON COLUMN platform.referral_commissions.extended_hold_until IS
	'Held for longer than its referral, by somebody who says why in hold_reason.';
COMMENT ON COLUMN platform.referral_commissions.approved_by IS
	'The word auto, or who approved it; while it is pending the hold is still to end.';
COMMENT ON COLUMN platform.referral_commissions.payout_id IS
	'The payout that it is reserved for, or was paid by: never two.';
COMMENT ON COLUMN platform.referral_commissions.clawback_due IS
	'Clawed back while its payout was on its way: it becomes a debt when that is paid, and nothing when it is rejected.';
COMMENT ON COLUMN platform.referral_commissions.reverses_id IS
	'Of a debt: the commission that was clawed back after it had been paid.';

INSERT INTO platform.referral_settings DEFAULT VALUES
ON CONFLICT (id) DO NOTHING;

INSERT INTO platform.referral_signal_points (signal, points, description) VALUES
	('same_ip', 10, 'signed up from an address of the referrer, or of another of his referrals'),
	('same_email_domain', 15, 'e-mail of the referrer''s domain, which is not a common one'),
	('quick_cancel', 20, 'cancelled within fraud_quick_cancel_days of the first payment, or of signing up'),
	('refunded', 25, 'a refund or dispute'),
	('self_referral', 30, 'the same person under another address'),
	('same_payment_method', 25, 'pays with the referrer''s card or account'),
	('same_device', 15, 'uses the referrer''s device'),
	('velocity', 15, 'fraud_velocity_min or more other referrals of the same day (UTC)'),
	('no_agent', 10, 'no agent fraud_no_agent_days after signing up')
ON CONFLICT (signal) DO NOTHING;

INSERT INTO platform.referral_common_domains (domain) VALUES
	('gmail.com'), ('yahoo.com'), ('hotmail.com'), ('outlook.com'), ('icloud.com'), ('aol.com')
ON CONFLICT (domain) DO NOTHING;

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('referral_settings', 'global', '{}', 'one program for all'),
	('referral_signal_points', 'global', '{}', 'one program for all'),
	('referral_common_domains', 'global', '{}', 'one program for all'),
	('referral_codes', 'tenant', '{referral_codes_user_id_key,referral_codes_code_key}', NULL),
	('referral_outbox', 'tenant', '{referral_outbox_kind_event_key_key}', NULL),
	('referrals', 'tenant', '{referrals_referred_id_key}', NULL),
	('referral_fraud_signals', 'tenant', '{}', NULL),
	('payout_requests', 'tenant', '{}', NULL),
	('referral_commissions', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.referral_commissions,
	platform.payout_requests,
	platform.referral_fraud_signals,
	platform.referrals,
	platform.referral_outbox,
	platform.referral_codes,
	platform.referral_common_domains,
	platform.referral_signal_points,
	platform.referral_settings;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'referral_settings', 'referral_signal_points', 'referral_common_domains', 'referral_codes', 'referral_outbox',
	'referrals', 'referral_fraud_signals', 'payout_requests', 'referral_commissions');

-- checks

-- check: the program has its numbers
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM platform.referral_settings);
-- check: a payout is exactly what is reserved for it or was paid by it
SELECT p.id FROM platform.payout_requests p
WHERE p.status <> 'rejected' AND p.amount_cents IS DISTINCT FROM
	(SELECT sum(c.amount_cents) FROM platform.referral_commissions c WHERE c.payout_id = p.id AND c.organization_id = p.organization_id);
-- check: nothing is reserved for a rejected payout, nothing paid without one
SELECT c.id FROM platform.referral_commissions c JOIN platform.payout_requests p ON p.id = c.payout_id AND p.organization_id = c.organization_id
WHERE p.status = 'rejected' OR p.user_id <> c.referrer_id OR (c.paid_at IS NOT NULL) <> (p.status = 'paid');
-- check: a debt is what was paid and clawed back
SELECT d.id FROM platform.referral_commissions d LEFT JOIN platform.referral_commissions c ON c.id = d.reverses_id AND c.organization_id = d.organization_id
WHERE d.commission_type = 'debt' AND (c.id IS NULL OR c.amount_cents <> -d.amount_cents OR c.status <> 'clawed_back' OR c.paid_at IS NULL);
-- check: what was paid and clawed back is a debt
SELECT c.id FROM platform.referral_commissions c
WHERE c.status = 'clawed_back' AND c.paid_at IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM platform.referral_commissions d WHERE d.reverses_id = c.id AND d.organization_id = c.organization_id);
-- check: a referral's total is the sum of its commissions, its score that of its signals
SELECT r.id FROM platform.referrals r
WHERE r.total_commission_cents <> (SELECT coalesce(sum(c.amount_cents), 0) FROM platform.referral_commissions c
		WHERE c.referral_id = r.id AND c.organization_id = r.organization_id AND c.commission_type <> 'debt' AND c.status <> 'clawed_back')
	OR r.fraud_score <> (SELECT coalesce(sum(s.points), 0) FROM platform.referral_fraud_signals s
		WHERE s.referral_id = r.id AND s.organization_id = r.organization_id);
