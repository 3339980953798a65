-- migrate: install, rollback, verify

CREATE OR REPLACE FUNCTION platform.install(modules text[] DEFAULT NULL)
RETURNS TABLE (version integer, module text, action text, duration interval)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_install';
COMMENT ON FUNCTION platform.install(text[]) IS
	'Makes or upgrades the tables: applies the missing migrations of all modules but the optional ones, or of the named ones and those they require, in one transaction. A row a step; a second call changes nothing. Errors: 42501 without CREATE on the schema, 22023 for an unknown module.';

CREATE OR REPLACE FUNCTION platform.rollback(to_version integer)
RETURNS TABLE (version integer, module text, action text, duration interval)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_rollback';
COMMENT ON FUNCTION platform.rollback(integer) IS
	'Undoes the migrations above a version (0: all) with their tables and rows, newest first, in one transaction. NULL undoes nothing. Errors: 42501 unless the caller may act as the tables'' owner, 22023 for a version that is not applied, 0A000 for a step that cannot be undone.';

CREATE OR REPLACE FUNCTION platform.verify()
RETURNS TABLE (name text, passed boolean, detail text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_verify';
COMMENT ON FUNCTION platform.verify() IS
	'Checks the installation, a row a check: whether what each step declares is there, and whether its data are sound. Errors: 42501 unless the caller may act as the tables'' owner, 55000 before install(); a failed check is a row.';

CREATE OR REPLACE FUNCTION platform.migration_status()
RETURNS TABLE (version integer, module text, description text, applied_at timestamptz, applied_by text, optional boolean)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_migration_status';
COMMENT ON FUNCTION platform.migration_status() IS
	'The migrations that are known or applied, by version. applied_at is NULL for one that install() would apply; an optional one only when its module is named. Errors: 42501 unless the caller may act as the tables'' owner.';
