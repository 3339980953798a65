-- EXECUTE is the grant: nothing is left to PUBLIC, and the extension's owner
-- (who is not the functions' owner when the extension is trusted) passes it on.
CREATE FUNCTION platform.secure_extension() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_secure_extension';
SELECT platform.secure_extension();
DROP FUNCTION platform.secure_extension();
