-- core: keys

CREATE OR REPLACE FUNCTION platform.uuid7() RETURNS uuid
LANGUAGE c VOLATILE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_uuid7';
COMMENT ON FUNCTION platform.uuid7() IS
	'A time-ordered key: UUID version 7 (RFC 9562), strictly increasing within a session.';
INSERT INTO platform.member_privileges VALUES ('function', 'uuid7()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.uuid7_time(uuid uuid) RETURNS timestamptz
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_uuid7_time';
COMMENT ON FUNCTION platform.uuid7_time(uuid) IS
	'The moment a version 7 key was made, to the millisecond. Errors: 22023 for another version. NULL for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'uuid7_time(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.uuid5(namespace uuid, name text) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_uuid5';
COMMENT ON FUNCTION platform.uuid5(uuid, text) IS
	'The key of a name in a namespace: UUID version 5 (RFC 9562), over the name in UTF-8. NULL for NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'uuid5(uuid, text)', 'EXECUTE');

-- core: documents

CREATE OR REPLACE FUNCTION platform.merge_patch(target jsonb, patch jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_merge_patch';
COMMENT ON FUNCTION platform.merge_patch(jsonb, jsonb) IS
	'The target changed as RFC 7396 says: keys of the patch replace, objects are merged, null removes. NULL for a NULL patch; a NULL target is an empty object.';
INSERT INTO platform.member_privileges VALUES ('function', 'merge_patch(jsonb, jsonb)', 'EXECUTE');

-- core: telephone numbers

CREATE OR REPLACE FUNCTION platform.normalize_e164(phone text, default_region text DEFAULT 'US') RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_normalize_e164';
COMMENT ON FUNCTION platform.normalize_e164(text, text) IS
	'A telephone number in the form of ITU-T E.164: +, country code, number. One without country code is read as dialled in default_region (ISO 3166-1). NULL for NULL and for what is no telephone number. Errors: 22023 no such region.';
INSERT INTO platform.member_privileges VALUES ('function', 'normalize_e164(text, text)', 'EXECUTE');

-- core: triggers that any table may have

CREATE OR REPLACE FUNCTION platform.invalidate_cache() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_invalidate_cache';
COMMENT ON FUNCTION platform.invalidate_cache() IS
	'Trigger function, AFTER: tells every session at commit that the table''s contents changed. Errors: 39P01 when fired otherwise.';

CREATE OR REPLACE FUNCTION platform.refuse_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_refuse_change';
COMMENT ON FUNCTION platform.refuse_change() IS
	'Trigger function, BEFORE UPDATE, DELETE or TRUNCATE: refuses it for everybody. Errors: PT409; 39P01 when fired otherwise.';

CREATE OR REPLACE FUNCTION platform.touch_updated_at() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_touch_updated_at';
COMMENT ON FUNCTION platform.touch_updated_at() IS
	'Trigger function, BEFORE UPDATE FOR EACH ROW, argument: column, default updated_at. Sets it to now() in rows that change. Errors: 39P01, 22023, 42703, 42804.';

-- core: who calls

CREATE OR REPLACE FUNCTION platform.set_context(organization_id uuid, user_id text DEFAULT NULL, role text DEFAULT 'member') RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_set_context';
COMMENT ON FUNCTION platform.set_context(uuid, text, text) IS
	'Acts for an organization and as a user until the end of the transaction or the rollback to a savepoint before the call. Roles: owner, admin, platform_admin; any other is a plain member. Both NULL: removes what was set. Operators only. Errors: 42501; 22023 for an unusable role.';

CREATE OR REPLACE FUNCTION platform.current_organization_id() RETURNS uuid
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_current_organization_id';
COMMENT ON FUNCTION platform.current_organization_id() IS
	'The organization for which the caller acts; NULL when it has none.';
INSERT INTO platform.member_privileges VALUES ('function', 'current_organization_id()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.default_organization_id() RETURNS uuid
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_default_organization_id';
COMMENT ON FUNCTION platform.default_organization_id() IS
	'The caller''s organization, else the built-in default organization (all zeroes).';
INSERT INTO platform.member_privileges VALUES ('function', 'default_organization_id()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.current_user_id() RETURNS uuid
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_current_user_id';
COMMENT ON FUNCTION platform.current_user_id() IS
	'The caller''s user; NULL when it has none or its subject is no uuid.';
INSERT INTO platform.member_privileges VALUES ('function', 'current_user_id()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.current_subject() RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_current_subject';
COMMENT ON FUNCTION platform.current_subject() IS
	'The caller''s user as given: claim sub, or user_id of set_context(); NULL when there is none.';
INSERT INTO platform.member_privileges VALUES ('function', 'current_subject()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.is_admin() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_is_admin';
COMMENT ON FUNCTION platform.is_admin() IS
	'Does the caller administer its organization: role owner, admin or platform_admin, or an operator? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'is_admin()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.is_platform_admin() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_is_platform_admin';
COMMENT ON FUNCTION platform.is_platform_admin() IS
	'Is the caller of the platform''s staff: role platform_admin, or an operator? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'is_platform_admin()', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.is_operator() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_is_operator';
COMMENT ON FUNCTION platform.is_operator() IS
	'Is the current role an operator: superuser, BYPASSRLS, or a member of the role that owns the tables? Never NULL.';
INSERT INTO platform.member_privileges VALUES ('function', 'is_operator()', 'EXECUTE');

-- core: member roles

CREATE OR REPLACE FUNCTION platform.grant_member(role name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_grant_member';
COMMENT ON FUNCTION platform.grant_member(name) IS
	'Makes a role a member: grants what platform.member_privileges lists; later install() calls grant what is new. Idempotent. Operators only. Errors: 42501; 42704 missing role; 22023 PUBLIC or an operator; 55000 before install().';

CREATE OR REPLACE FUNCTION platform.revoke_member(role name) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_revoke_member';
COMMENT ON FUNCTION platform.revoke_member(name) IS
	'Takes back what grant_member() gave and forgets the role. Operators only. Errors: 42501; 42704 unknown role; 22023 PUBLIC; 55000 before install().';

-- core: signed tokens

CREATE OR REPLACE FUNCTION platform.authenticate(jwt text, OUT organization_id uuid, OUT user_id uuid, OUT subject text, OUT role text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_authenticate';
COMMENT ON FUNCTION platform.authenticate(text) IS
	'Acts as the one whom a signed token (RFC 7519) names, until the end of the transaction or the rollback to a savepoint before the call; returns who that is. Errors: 28000 not valid or NULL, with the reason; PT410 expired; F0000 keys not available.';
INSERT INTO platform.member_privileges VALUES ('function', 'authenticate(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.check_jwt(jwt text, OUT valid boolean, OUT reason text) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_check_jwt';
COMMENT ON FUNCTION platform.check_jwt(text) IS
	'What authenticate() would say of a token, without acting on it: VALID, MALFORMED, UNSUPPORTED, UNKNOWN_KEY, BAD_SIGNATURE, NO_EXPIRY, EXPIRED, NOT_YET_VALID, WRONG_ISSUER, WRONG_AUDIENCE or BAD_CLAIMS. Errors: F0000 keys not available.';
INSERT INTO platform.member_privileges VALUES ('function', 'check_jwt(text)', 'EXECUTE');
