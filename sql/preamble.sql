-- The head of the extension script. It runs as the bootstrap superuser when a
-- database owner creates the extension (trusted = true), with our schema on the
-- search_path: names and operators are qualified, nothing is OR REPLACE.
\echo Use "CREATE EXTENSION platform" to load this file. \quit

SET LOCAL check_function_bodies = off;

-- A schema "platform" that somebody else made first is refused.
CREATE FUNCTION platform.require_safe_schema() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_require_safe_schema';
SELECT platform.require_safe_schema();
DROP FUNCTION platform.require_safe_schema();

-- The catalogue of migrations: read-only, filled below from src/*/*.sql.
CREATE TABLE platform.migrations (
	version integer NOT NULL,
	module text NOT NULL,
	description text NOT NULL,
	requires text[] NOT NULL DEFAULT '{}',
	optional boolean NOT NULL DEFAULT false,
	up text NOT NULL,
	down text NOT NULL DEFAULT '',
	checks text NOT NULL DEFAULT '',
	CONSTRAINT migrations_pkey PRIMARY KEY (version)
);
COMMENT ON TABLE platform.migrations IS
	'The steps of platform.install(), in order of version: how each is applied, undone and checked. Read-only.';
COMMENT ON COLUMN platform.migrations.optional IS
	'Applied only where install() is given the module by name; upgraded wherever the module is.';

-- What a member role gets from platform.grant_member(). object is a function's
-- signature or a table's name, without the schema.
CREATE TABLE platform.member_privileges (
	kind text NOT NULL,
	object text NOT NULL,
	privilege text NOT NULL,
	CONSTRAINT member_privileges_pkey PRIMARY KEY (kind, object, privilege),
	CONSTRAINT member_privileges_kind_check CHECK (kind IN ('function', 'table'))
);
COMMENT ON TABLE platform.member_privileges IS
	'What platform.grant_member() grants: functions by signature, tables by name. Read-only.';

-- The examples of each module, filled below from src/*/demo.sql.
CREATE TABLE platform.demo_data (
	position integer NOT NULL,
	module text NOT NULL,
	description text NOT NULL,
	statements text NOT NULL,
	CONSTRAINT demo_data_pkey PRIMARY KEY (position)
);
COMMENT ON TABLE platform.demo_data IS
	'What platform.load_demo_data() runs, in order of position. Read-only.';
