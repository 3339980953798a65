-- sessions

CREATE OR REPLACE FUNCTION platform.create_session(organization_id uuid, user_id uuid, ip inet DEFAULT NULL, user_agent text DEFAULT NULL, ttl interval DEFAULT '30 days') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_create_session';
COMMENT ON FUNCTION platform.create_session(uuid, uuid, inet, text, interval) IS
	'Signs a user in and returns the session''s token, 43 characters, which is stored nowhere. The oldest sessions beyond platform.sessions_per_user are revoked. Operators only. Errors: 42501; 22004 NULL; 22023 ttl not within 1 second and 400 days; PT404 unknown user or organization; PT409 inactive user.';

CREATE OR REPLACE FUNCTION platform.verify_session(token text,
	OUT valid boolean, OUT reason text, OUT session_id uuid, OUT organization_id uuid, OUT user_id uuid, OUT expires_at timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_verify_session';
COMMENT ON FUNCTION platform.verify_session(text) IS
	'Whose session is it? reason: VALID, UNKNOWN, REVOKED, EXPIRED, USER_INACTIVE or ORGANIZATION_DELETED; the others are NULL unless valid. Writes nothing, sees what is committed now. NULL is UNKNOWN.';
INSERT INTO platform.member_privileges VALUES ('function', 'verify_session(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.touch_session(token text, every interval DEFAULT '1 minute') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_touch_session';
COMMENT ON FUNCTION platform.touch_session(text, interval) IS
	'Is the session valid? If so last_active_at becomes now, written at most once in that time. Errors: 22004 NULL interval; 22023 negative interval; 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'touch_session(text, interval)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.revoke_session(organization_id uuid, session_id uuid, reason text DEFAULT 'user_revoked') RETURNS boolean
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_revoke_session';
COMMENT ON FUNCTION platform.revoke_session(uuid, uuid, text) IS
	'Ends a session. False when it has ended before. Members: their own; administrators their organization''s. Errors: 42501; 22004 NULL; 22023 reason not of 1 to 63 characters; PT404 no such session.';
INSERT INTO platform.member_privileges VALUES ('function', 'revoke_session(uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.revoke_sessions(organization_id uuid, user_id uuid, except_session_id uuid DEFAULT NULL, reason text DEFAULT 'user_revoked_all') RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_revoke_sessions';
COMMENT ON FUNCTION platform.revoke_sessions(uuid, uuid, uuid, text) IS
	'Ends a user''s sessions but the one excepted; returns how many were live. After a change of password: reason password_changed. Members: their own; administrators their organization''s. Errors: 42501; 22004 NULL; 22023 reason not of 1 to 63 characters.';
INSERT INTO platform.member_privileges VALUES ('function', 'revoke_sessions(uuid, uuid, uuid, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.list_sessions(organization_id uuid, user_id uuid DEFAULT NULL, include_ended boolean DEFAULT false)
RETURNS TABLE (session_id uuid, user_id uuid, ip_address inet, user_agent text, device_type text,
	created_at timestamptz, last_active_at timestamptz, expires_at timestamptz, revoked_at timestamptz, revoked_reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'platform_list_sessions';
COMMENT ON FUNCTION platform.list_sessions(uuid, uuid, boolean) IS
	'A user''s sessions, newest first; NULL: all that the caller may see, its own or, for administrators and operators, the organization''s. Errors: 42501 another organization or user; 22004 NULL organization.';
INSERT INTO platform.member_privileges VALUES ('function', 'list_sessions(uuid, uuid, boolean)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.purge_sessions(older_than interval DEFAULT '30 days', batch integer DEFAULT 1000) RETURNS bigint
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_purge_sessions';
COMMENT ON FUNCTION platform.purge_sessions(interval, integer) IS
	'Deletes at most batch sessions that expired or were revoked longer ago than that; returns how many. Jobs may overlap. Operators only. Errors: 42501; 22004 NULL; 22023 negative interval or batch below 1.';

CREATE OR REPLACE FUNCTION platform.revoke_member_sessions() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_revoke_member_sessions';
COMMENT ON FUNCTION platform.revoke_member_sessions() IS
	'Trigger function of organization_members, AFTER DELETE: ends the user''s sessions in that organization. Errors: 39P01 when fired otherwise.';

INSERT INTO platform.member_privileges VALUES
	('table', 'active_sessions', 'SELECT (id, organization_id, user_id, ip_address, user_agent, device_type, last_active_at, created_at, expires_at, revoked_at, revoked_reason)');
