-- migrate: install, rollback, verify

CREATE OR REPLACE FUNCTION platform.install(modules text[] DEFAULT NULL)
RETURNS TABLE (version integer, module text, action text, duration interval)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_install';
COMMENT ON FUNCTION platform.install(text[]) IS
	'Makes or upgrades the tables: applies the missing migrations of all modules, or of the named ones and those they require, in one transaction. A row a step; a second call changes nothing. Errors: 42501 without CREATE on the schema, 22023 for an unknown module.';
