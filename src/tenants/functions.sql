-- tenants: organizations

CREATE OR REPLACE FUNCTION platform.create_organization(name text, slug text DEFAULT NULL, tier text DEFAULT 'core', timezone text DEFAULT 'UTC', owner_user_id uuid DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_organization';
COMMENT ON FUNCTION platform.create_organization(text, text, text, text, uuid) IS
	'Makes an organization and its owner a member; without a slug one is made from the name. Operators only. Errors: 42501; 22004 NULL name; 22023 unknown time zone; PT404 unknown user; 23505 slug taken; 23514.';

CREATE OR REPLACE FUNCTION platform.personal_organization_id(user_id text) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_personal_organization_id';
COMMENT ON FUNCTION platform.personal_organization_id(text) IS
	'Key of the organization that stands for a user who is known only as a user: UUID version 5 of the id. Reads nothing. NULL for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'personal_organization_id(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.create_personal_organization(user_id text, name text DEFAULT NULL) RETURNS uuid
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_personal_organization';
COMMENT ON FUNCTION platform.create_personal_organization(text, text) IS
	'Makes the user''s personal organization unless it exists; returns its key. The name defaults to the id. Operators only. Errors: 42501; 22004 NULL user; 23514 a name that is empty or too long.';

CREATE OR REPLACE FUNCTION platform.suspend_organization(organization_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_suspend_organization';
COMMENT ON FUNCTION platform.suspend_organization(uuid, text) IS
	'Switches everything off for an organization until it is resumed. False when it was suspended already. Operators only. Errors: 42501; 22004 NULL; PT404.';

CREATE OR REPLACE FUNCTION platform.resume_organization(organization_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resume_organization';
COMMENT ON FUNCTION platform.resume_organization(uuid) IS
	'Gives a suspended organization back the status that it had. False when it is not suspended. Operators only. Errors: 42501; 22004 NULL; PT404.';

CREATE OR REPLACE FUNCTION platform.delete_organization(organization_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_delete_organization';
COMMENT ON FUNCTION platform.delete_organization(uuid) IS
	'Marks an organization deleted: every feature is off, its rows and its slug stay. False when it was. Operators only. Errors: 42501; 22004 NULL; PT404; PT409 the default organization.';

CREATE OR REPLACE FUNCTION platform.restore_organization(organization_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_restore_organization';
COMMENT ON FUNCTION platform.restore_organization(uuid) IS
	'Takes delete_organization() back. False when it is not deleted. Operators only. Errors: 42501; 22004 NULL; PT404.';

CREATE OR REPLACE FUNCTION platform.check_organization() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_organization';
COMMENT ON FUNCTION platform.check_organization() IS
	'Trigger function of organizations: known time zone (22023), settings.features for the platform only (42501), updated_at. Errors: 39P01.';

-- tenants: members

CREATE OR REPLACE FUNCTION platform.add_member(organization_id uuid, user_id uuid, role text DEFAULT 'member') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_add_member';
COMMENT ON FUNCTION platform.add_member(uuid, uuid, text) IS
	'Makes a user a member; false when it is one, whose role stays. For owners and admins of the organization and operators. Errors: 42501; 22004 NULL; PT404; 23514 unknown role.';
INSERT INTO platform.member_privileges VALUES ('function', 'add_member(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.set_member_role(organization_id uuid, user_id uuid, role text) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_member_role';
COMMENT ON FUNCTION platform.set_member_role(uuid, uuid, text) IS
	'Changes the role of a member; false when it has that role. For owners and admins of the organization and operators; only an owner makes or unmakes an owner. Errors: 42501; 22004 NULL; PT404; PT409 the last owner; 23514 unknown role.';
INSERT INTO platform.member_privileges VALUES ('function', 'set_member_role(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.remove_member(organization_id uuid, user_id uuid) RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_remove_member';
COMMENT ON FUNCTION platform.remove_member(uuid, uuid) IS
	'Ends a membership, also one''s own; false when there is none. For owners and admins of the organization and operators; only an owner removes an owner. Errors: 42501; 22004 NULL; PT409 the last owner.';
INSERT INTO platform.member_privileges VALUES ('function', 'remove_member(uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_members(organization_id uuid) RETURNS TABLE (user_id uuid, email text, full_name text, avatar_url text, role text, status text, member_since timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'platform_list_members';
COMMENT ON FUNCTION platform.list_members(uuid) IS
	'The members of the caller''s organization, or of any for an operator, by email. Errors: 42501 another organization; 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_members(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.user_organizations(user_id uuid DEFAULT NULL) RETURNS TABLE (organization_id uuid, name text, slug text, role text, status text, active boolean)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'platform_user_organizations';
COMMENT ON FUNCTION platform.user_organizations(uuid) IS
	'The organizations that a user belongs to, by name; NULL stands for the caller. Errors: 42501 another user, for all but operators.';
INSERT INTO platform.member_privileges VALUES ('function', 'user_organizations(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.switch_organization(organization_id uuid) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_switch_organization';
COMMENT ON FUNCTION platform.switch_organization(uuid) IS
	'Notes in the caller''s user row for which organization its next token is to be. Rights of this session stay. Errors: 42501 unless it is a member there; 22004 NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'switch_organization(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_member() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_member';
COMMENT ON FUNCTION platform.check_member() IS
	'Trigger function of organization_members: only an owner makes, changes or removes an owner (42501); updated_at. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.keep_owner() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_keep_owner';
COMMENT ON FUNCTION platform.keep_owner() IS
	'Trigger function of organization_members: the last owner stays (PT409), also when two leave at once. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.check_user() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_user';
COMMENT ON FUNCTION platform.check_user() IS
	'Trigger function of users: ASCII letters of the email in lower case; updated_at. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.check_profile() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_profile';
COMMENT ON FUNCTION platform.check_profile() IS
	'Trigger function of profiles: known business time zone (22023), readable business hours (PT422), updated_at. Errors: 39P01.';

CREATE OR REPLACE FUNCTION platform.is_open(organization_id uuid, at timestamptz DEFAULT now(), emergency boolean DEFAULT false) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_is_open';
COMMENT ON FUNCTION platform.is_open(uuid, timestamptz, boolean) IS
	'Is one of the organization''s businesses open at that moment, each by the hours of its profile in its time zone, or for an emergency at any time? For members of the organization. Errors: 42501; 22004 NULL; PT404 no profile.';
INSERT INTO platform.member_privileges VALUES ('function', 'is_open(uuid, timestamptz, boolean)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.is_business_open(organization_id uuid, user_id uuid, at timestamptz DEFAULT now(), emergency boolean DEFAULT false) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_is_business_open';
COMMENT ON FUNCTION platform.is_business_open(uuid, uuid, timestamptz, boolean) IS
	'Is the business of that member''s profile open at that moment, by its hours in its time zone, or for an emergency at any time? For members of the organization. Errors: 42501; 22004 NULL; PT404 no profile.';
INSERT INTO platform.member_privileges VALUES ('function', 'is_business_open(uuid, uuid, timestamptz, boolean)', 'EXECUTE');

-- tenants: examples

CREATE OR REPLACE FUNCTION platform.load_demo_data() RETURNS TABLE (module text, description text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'platform_load_demo_data';
COMMENT ON FUNCTION platform.load_demo_data() IS
	'Fills in examples: two organizations and what each installed module adds to them; a row a module. Idempotent, restores nothing that was changed. Operators only. Errors: 42501; 55000 before install().';

-- tenants: what members may do with the tables; which rows is in the policies

INSERT INTO platform.member_privileges VALUES
	('table', 'organizations', 'SELECT'),
	('table', 'organizations', 'UPDATE (name, description, locale, settings)'),
	('table', 'users', 'SELECT'),
	('table', 'users', 'UPDATE (full_name, avatar_url)'),
	('table', 'organization_members', 'SELECT'),
	('table', 'organization_members', 'INSERT (organization_id, user_id, role, invite_id)'),
	('table', 'organization_members', 'UPDATE (role)'),
	('table', 'organization_members', 'DELETE'),
	('table', 'profiles', 'SELECT'),
	('table', 'profiles', 'INSERT (organization_id, user_id, email, full_name, phone, user_personal_phone, business_name, area_code, industry, cal_com_url, transfer_number, business_hours, business_timezone, emergency_24_7, appointment_sms_enabled, post_call_sms_enabled, notification_preferences, google_review_url, review_request_enabled, review_request_template, review_request_delay_hours)'),
	('table', 'profiles', 'UPDATE (email, full_name, phone, user_personal_phone, business_name, area_code, industry, cal_com_url, transfer_number, business_hours, business_timezone, emergency_24_7, appointment_sms_enabled, post_call_sms_enabled, notification_preferences, google_review_url, review_request_enabled, review_request_template, review_request_delay_hours)'),
	('table', 'end_users', 'SELECT'),
	('table', 'end_users', 'INSERT (organization_id, external_id, name, email, phone, locale, metadata)'),
	('table', 'end_users', 'UPDATE (external_id, name, email, phone, locale, metadata, deleted_at)');
