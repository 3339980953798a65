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

-- core: triggers that any table may have

CREATE OR REPLACE FUNCTION platform.invalidate_cache() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_invalidate_cache';
COMMENT ON FUNCTION platform.invalidate_cache() IS
	'Trigger function, AFTER: tells every session at commit that the table''s contents changed. Errors: 39P01 when fired otherwise.';
