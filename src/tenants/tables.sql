-- migration 10 tenants: organizations, their people, and the people they serve

-- up

-- The root of every tenant: the only table of kind 'tenant' whose key is id alone.
-- status is the platform's word (expired, cancelled and suspended switch every
-- feature off, as deleted_at does); plan_status is what the payment provider says.
CREATE TABLE IF NOT EXISTS platform.organizations (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	name text NOT NULL,
	slug text,
	description text,
	tier text NOT NULL DEFAULT 'core',
	status text NOT NULL DEFAULT 'active',
	status_before text,
	status_reason text,
	timezone text NOT NULL DEFAULT 'UTC',
	locale text NOT NULL DEFAULT 'en',
	billing_anchor_day smallint NOT NULL DEFAULT 1,
	settings jsonb NOT NULL DEFAULT '{"features": {"callEnabled": false}}',
	plan text,
	plan_status text NOT NULL DEFAULT 'active',
	stripe_customer_id text,
	stripe_subscription_id text,
	created_by uuid,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT organizations_pkey PRIMARY KEY (id),
	CONSTRAINT organizations_slug_key UNIQUE (slug),
	CONSTRAINT organizations_stripe_customer_id_key UNIQUE (stripe_customer_id),
	CONSTRAINT organizations_name_check CHECK (length(name) BETWEEN 1 AND 255),
	CONSTRAINT organizations_slug_check CHECK (length(slug) <= 100 AND slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
	CONSTRAINT organizations_tier_check CHECK (length(tier) BETWEEN 1 AND 63),
	CONSTRAINT organizations_status_check CHECK (status IN ('trial', 'active', 'past_due', 'grace_period', 'expired', 'cancelled', 'suspended')),
	CONSTRAINT organizations_locale_check CHECK (locale ~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$'),
	CONSTRAINT organizations_billing_anchor_day_check CHECK (billing_anchor_day BETWEEN 1 AND 31),
	CONSTRAINT organizations_settings_check CHECK (jsonb_typeof(settings) = 'object'),
	CONSTRAINT organizations_plan_status_check CHECK (plan_status IN ('active', 'past_due', 'canceled', 'trialing', 'incomplete'))
);
CREATE INDEX IF NOT EXISTS organizations_status_idx ON platform.organizations (status);
CREATE INDEX IF NOT EXISTS organizations_created_by_idx ON platform.organizations (created_by);
COMMENT ON TABLE platform.organizations IS
	'The tenants. Features are off for one that is expired, cancelled, suspended or deleted.';
COMMENT ON COLUMN platform.organizations.timezone IS
	'IANA name; the organization''s days and months begin in it.';
COMMENT ON COLUMN platform.organizations.billing_anchor_day IS
	'First day of the monthly window, 1 to 31; clamped to the length of the month.';
COMMENT ON COLUMN platform.organizations.settings IS
	'The organization''s own, but for the key "features", which only an operator changes.';
COMMENT ON COLUMN platform.organizations.status IS
	'The platform''s state: expired, cancelled and suspended are inactive.';
COMMENT ON COLUMN platform.organizations.status_before IS
	'What platform.resume_organization() restores.';
COMMENT ON COLUMN platform.organizations.plan_status IS
	'The state of the subscription at the payment provider.';

-- People. One may belong to several organizations, so the table has no tenant: it
-- is the same everywhere and tenant tables refer to it.
CREATE TABLE IF NOT EXISTS platform.users (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	email text NOT NULL,
	full_name text,
	avatar_url text,
	platform_role text NOT NULL DEFAULT 'user',
	status text NOT NULL DEFAULT 'active',
	active_organization_id uuid,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT users_pkey PRIMARY KEY (id),
	CONSTRAINT users_email_key UNIQUE (email),
	CONSTRAINT users_email_check CHECK (length(email) <= 255 AND email ~ '^[^@\s]+@[^@\s]+$'),
	CONSTRAINT users_platform_role_check CHECK (platform_role IN ('master_admin', 'user')),
	CONSTRAINT users_status_check CHECK (status IN ('active', 'inactive', 'pending', 'suspended'))
);
COMMENT ON TABLE platform.users IS
	'People who sign in. What one may do in an organization is in organization_members.';
COMMENT ON COLUMN platform.users.email IS
	'Stored with its ASCII letters in lower case.';
COMMENT ON COLUMN platform.users.platform_role IS
	'Role on the platform as a whole; never a role in an organization, never a state of payment.';
COMMENT ON COLUMN platform.users.active_organization_id IS
	'The organization last switched to with platform.switch_organization().';

-- A user's place in an organization.
CREATE TABLE IF NOT EXISTS platform.organization_members (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	role text NOT NULL DEFAULT 'member',
	invite_id uuid,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT organization_members_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT organization_members_organization_id_user_id_key UNIQUE (organization_id, user_id),
	CONSTRAINT organization_members_role_check CHECK (role IN ('owner', 'admin', 'manager', 'operator', 'compliance', 'analyst', 'agent', 'viewer', 'member'))
);
CREATE INDEX IF NOT EXISTS organization_members_user_id_idx ON platform.organization_members (user_id);
COMMENT ON TABLE platform.organization_members IS
	'Who belongs to an organization, and as what. Owners and admins administer it.';

-- What a user is to one organization: the business card and its telephone settings.
-- role and billing_status are apart, so that a payment never changes a right.
CREATE TABLE IF NOT EXISTS platform.profiles (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	email text,
	full_name text,
	phone text,
	user_personal_phone text,
	business_name text,
	area_code text,
	industry text,
	role text NOT NULL DEFAULT 'user',
	status text NOT NULL DEFAULT 'active',
	billing_status text NOT NULL DEFAULT 'none',
	tier text NOT NULL DEFAULT 'core',
	account_type text NOT NULL DEFAULT 'business',
	affiliate_name text,
	referrer_id uuid,
	referred_by_user_id uuid,
	referred_by_code text,
	signup_ip inet,
	payout_email text,
	payout_method text NOT NULL DEFAULT 'paypal',
	cal_com_url text,
	cal_user_id text,
	cal_event_type_id text,
	transfer_number text,
	business_hours jsonb NOT NULL DEFAULT '{
		"monday": {"open": "08:00", "close": "18:00", "closed": false},
		"tuesday": {"open": "08:00", "close": "18:00", "closed": false},
		"wednesday": {"open": "08:00", "close": "18:00", "closed": false},
		"thursday": {"open": "08:00", "close": "18:00", "closed": false},
		"friday": {"open": "08:00", "close": "18:00", "closed": false},
		"saturday": {"open": "09:00", "close": "14:00", "closed": false},
		"sunday": {"closed": true}}',
	business_timezone text NOT NULL DEFAULT 'America/Chicago',
	emergency_24_7 boolean NOT NULL DEFAULT false,
	appointment_sms_enabled boolean NOT NULL DEFAULT true,
	post_call_sms_enabled boolean NOT NULL DEFAULT false,
	notification_preferences jsonb NOT NULL DEFAULT '{
		"email_on_booking": true, "sms_on_booking": true,
		"email_on_low_usage": true, "sms_on_low_usage": true}',
	google_review_url text,
	review_request_enabled boolean NOT NULL DEFAULT false,
	review_request_template text,
	review_request_delay_hours integer NOT NULL DEFAULT 24,
	consent_accepted_at timestamptz,
	consent_version text NOT NULL DEFAULT '1.0',
	onboarding_step integer NOT NULL DEFAULT 0,
	deploy_error text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT profiles_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT profiles_organization_id_user_id_key UNIQUE (organization_id, user_id),
	CONSTRAINT profiles_business_name_check CHECK (length(business_name) BETWEEN 2 AND 80),
	CONSTRAINT profiles_area_code_check CHECK (area_code ~ '^[0-9]{3}$'),
	CONSTRAINT profiles_industry_check CHECK (industry IN ('hvac', 'plumbing', 'electrical')),
	CONSTRAINT profiles_role_check CHECK (role IN ('user', 'owner', 'seller', 'admin')),
	CONSTRAINT profiles_status_check CHECK (status IN ('active', 'inactive', 'pending', 'suspended')),
	CONSTRAINT profiles_billing_status_check CHECK (billing_status IN ('none', 'active', 'past_due', 'revoked')),
	CONSTRAINT profiles_account_type_check CHECK (account_type IN ('business', 'affiliate', 'both')),
	CONSTRAINT profiles_transfer_number_check CHECK (transfer_number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT profiles_business_hours_check CHECK (jsonb_typeof(business_hours) = 'object'),
	CONSTRAINT profiles_notification_preferences_check CHECK (jsonb_typeof(notification_preferences) = 'object'),
	CONSTRAINT profiles_review_request_delay_hours_check CHECK (review_request_delay_hours >= 0)
);
CREATE INDEX IF NOT EXISTS profiles_user_id_idx ON platform.profiles (user_id);
CREATE INDEX IF NOT EXISTS profiles_referrer_id_idx ON platform.profiles (referrer_id);
CREATE INDEX IF NOT EXISTS profiles_referred_by_user_id_idx ON platform.profiles (referred_by_user_id);
COMMENT ON TABLE platform.profiles IS
	'A user''s data within one organization. Members change the harmless part of their own.';
COMMENT ON COLUMN platform.profiles.role IS
	'The application''s role. Rights in the database come from organization_members.';
COMMENT ON COLUMN platform.profiles.billing_status IS
	'What payments did to the account; never a right.';
COMMENT ON COLUMN platform.profiles.business_hours IS
	'By English day name: {"open": "HH:MM", "close": "HH:MM", "closed": boolean}, in business_timezone.';

-- Callers and visitors: the people that an organization serves.
CREATE TABLE IF NOT EXISTS platform.end_users (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	external_id text,
	name text,
	email text,
	phone text,
	locale text,
	metadata jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	deleted_at timestamptz,
	CONSTRAINT end_users_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT end_users_organization_id_external_id_key UNIQUE (organization_id, external_id),
	CONSTRAINT end_users_external_id_check CHECK (length(external_id) BETWEEN 1 AND 255),
	CONSTRAINT end_users_email_check CHECK (length(email) <= 255 AND email ~ '^[^@\s]+@[^@\s]+$'),
	CONSTRAINT end_users_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT end_users_locale_check CHECK (locale ~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$'),
	CONSTRAINT end_users_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX IF NOT EXISTS end_users_organization_id_phone_idx
	ON platform.end_users (organization_id, phone) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS end_users_organization_id_email_idx
	ON platform.end_users (organization_id, email) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS end_users_organization_id_created_at_idx
	ON platform.end_users (organization_id, created_at DESC) WHERE deleted_at IS NULL;
COMMENT ON TABLE platform.end_users IS
	'Callers and visitors of an organization.';
COMMENT ON COLUMN platform.end_users.external_id IS
	'The organization''s own key for this person.';
COMMENT ON COLUMN platform.end_users.phone IS
	'E.164: a plus sign and 7 to 15 digits.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('organizations', 'tenant', '{organizations_slug_key,organizations_stripe_customer_id_key}', 'the root: distributed by id, which is its key'),
	('users', 'global', '{users_email_key}', 'a user may belong to several organizations'),
	('organization_members', 'tenant', '{}', NULL),
	('profiles', 'tenant', '{}', NULL),
	('end_users', 'tenant', '{}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS
	platform.end_users,
	platform.profiles,
	platform.organization_members,
	platform.users,
	platform.organizations;
DELETE FROM platform.table_kinds WHERE table_name IN (
	'organizations', 'users', 'organization_members', 'profiles', 'end_users');

-- checks

-- check: every timezone is known to the server
SELECT id, timezone FROM platform.organizations
WHERE lower(timezone) NOT IN (SELECT lower(name) FROM pg_catalog.pg_timezone_names);
-- check: every business timezone is known to the server
SELECT organization_id, user_id, business_timezone FROM platform.profiles
WHERE lower(business_timezone) NOT IN (SELECT lower(name) FROM pg_catalog.pg_timezone_names);
-- check: members belong to an organization and are users
SELECT m.organization_id, m.user_id FROM platform.organization_members m
WHERE NOT EXISTS (SELECT 1 FROM platform.organizations o WHERE o.id = m.organization_id)
   OR NOT EXISTS (SELECT 1 FROM platform.users u WHERE u.id = m.user_id);
