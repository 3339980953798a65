-- install() on a schema that holds older and half-made tables: they are made to fit, and nothing of the user's is lost
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

BEGIN;
SELECT count(*) > 0 AS removed FROM platform.rollback(0);

-- a half-made older organizations: types, nulls, a constraint of our name that says something else
CREATE TABLE platform.organizations (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	name varchar(100) NOT NULL,
	tier varchar(20),
	timezone text,
	billing_anchor_day integer,
	created_at timestamp DEFAULT '2020-02-02',
	crm_number integer UNIQUE,
	CONSTRAINT organizations_status_check CHECK (length(name) > 1)
);
CREATE INDEX my_own_idx ON platform.organizations (lower(name));
CREATE INDEX organizations_status_idx ON platform.organizations (crm_number);
CREATE POLICY my_own_policy ON platform.organizations FOR SELECT USING (crm_number > 0);
COMMENT ON COLUMN platform.organizations.crm_number IS 'mine';
INSERT INTO platform.organizations (id, name, tier, timezone, billing_anchor_day, created_at, crm_number) VALUES
	('10000000-0000-4000-8000-0000000ad001', 'Old one', 'pro', 'Europe/Berlin', 15, '2021-01-01', 1),
	('10000000-0000-4000-8000-0000000ad002', 'Old two', NULL, NULL, NULL, '2022-02-22', 2);
CREATE TABLE platform.users (id uuid PRIMARY KEY, email varchar(255) NOT NULL UNIQUE);
INSERT INTO platform.users VALUES ('10000000-0000-4000-8000-0000000ad00f', 'one@example.com');

-- flags as the reference had them: integer limits, counters in the row, enabled may be null
CREATE TABLE platform.org_feature_flags (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	organization_id uuid NOT NULL REFERENCES platform.organizations (id) ON DELETE CASCADE,
	feature text NOT NULL,
	enabled boolean DEFAULT true,
	disabled_reason text,
	disabled_at timestamptz,
	disabled_by uuid REFERENCES platform.users (id),
	daily_limit integer,
	monthly_limit integer,
	current_daily_usage integer DEFAULT 0,
	current_monthly_usage integer DEFAULT 0,
	usage_reset_at timestamptz,
	created_at timestamptz DEFAULT now(),
	updated_at timestamptz DEFAULT now(),
	UNIQUE (organization_id, feature)
);
CREATE INDEX idx_org_feature_flags_org ON platform.org_feature_flags (organization_id, feature);
INSERT INTO platform.org_feature_flags (id, organization_id, feature, enabled, disabled_by, daily_limit, current_daily_usage) VALUES
	('20000000-0000-4000-8000-0000000ad001', '10000000-0000-4000-8000-0000000ad001', 'recording', NULL, NULL, 10, 3),
	('20000000-0000-4000-8000-0000000ad002', '10000000-0000-4000-8000-0000000ad001', 'survey', false, '10000000-0000-4000-8000-0000000ad00f', NULL, 0);

SELECT version, module, action FROM platform.install() WHERE version IN (1, 10, 20);

-- all is as declared, and what was there is there
SELECT name, detail FROM platform.verify() WHERE NOT passed AND name NOT LIKE '%known feature';
SELECT id, name, tier, timezone, billing_anchor_day, status, created_at, crm_number
FROM platform.organizations WHERE crm_number IS NOT NULL ORDER BY id;
SELECT feature, enabled, disabled_by, daily_limit, current_daily_usage FROM platform.org_feature_flags ORDER BY feature;
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull
FROM pg_attribute WHERE attrelid = 'platform.org_feature_flags'::regclass AND attnum > 0 AND NOT attisdropped
	AND attname IN ('id', 'enabled', 'disabled_by', 'daily_limit', 'current_daily_usage', 'soft_percent', 'updated_at') ORDER BY attname COLLATE "C";
SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = 'platform.org_feature_flags'::regclass AND contype IN ('p', 'u') ORDER BY conname;
-- organizations kept its key; the users' foreign key, whose type no longer fitted, is gone
SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE (conrelid = 'platform.organizations'::regclass AND conname IN ('organizations_pkey', 'organizations_crm_number_key', 'organizations_status_check'))
	OR conname = 'org_feature_flags_disabled_by_fkey' ORDER BY conname;
SELECT indexname FROM pg_indexes WHERE indexname IN ('my_own_idx', 'idx_org_feature_flags_org', 'organizations_status_idx') ORDER BY indexname;
SELECT pg_get_indexdef('platform.organizations_status_idx'::regclass);
SELECT polname FROM pg_policy WHERE polname = 'my_own_policy';
SELECT col_description('platform.organizations'::regclass, attnum) FROM pg_attribute
WHERE attrelid = 'platform.organizations'::regclass AND attname = 'crm_number';
-- the second run finds nothing to do
SELECT bool_and(action = 'present') AS present FROM platform.install();
ROLLBACK;

-- a table of calls that knew no tenant, with rows, and a key that others refer to
BEGIN;
CREATE TABLE platform.test_calls (
	id uuid PRIMARY KEY,
	call_sid varchar(255),
	status text
);
CREATE TABLE platform.test_refers (call_id uuid REFERENCES platform.test_calls (id));
CREATE TABLE platform.test_free (id uuid PRIMARY KEY, n smallint DEFAULT 3);
INSERT INTO platform.test_calls VALUES
	('30000000-0000-4000-8000-0000000ad001', 'CA1', 'completed'),
	('30000000-0000-4000-8000-0000000ad002', 'CA2', NULL);
INSERT INTO platform.test_refers VALUES ('30000000-0000-4000-8000-0000000ad001');
INSERT INTO platform.test_free VALUES ('30000000-0000-4000-8000-0000000ad003', NULL);
INSERT INTO platform.migrations (version, module, description, up, down) VALUES
	(990, 'test_calls', 'calls of a tenant', $$
CREATE TABLE IF NOT EXISTS platform.test_calls (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL,
	call_sid text,
	status text NOT NULL DEFAULT 'pending',
	tags text[] NOT NULL DEFAULT '{}',
	CONSTRAINT test_calls_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT test_calls_call_sid_key UNIQUE (call_sid),
	CONSTRAINT test_calls_status_check CHECK (status IN ('pending', 'completed'))
);
CREATE TABLE IF NOT EXISTS platform.test_free (
	id uuid NOT NULL,
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	n bigint NOT NULL DEFAULT 7,
	CONSTRAINT test_free_pkey PRIMARY KEY (id, organization_id)
);
CREATE INDEX IF NOT EXISTS test_calls_organization_id_status_idx ON platform.test_calls (organization_id, status);
$$, 'DROP TABLE platform.test_calls, platform.test_free');
SAVEPOINT before;
SELECT version, action FROM platform.install(ARRAY['test_calls']) WHERE version = 990;
SELECT * FROM platform.test_calls ORDER BY id;
SELECT * FROM platform.test_free;
SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'platform.test_calls'::regclass AND a.attnum > 0 ORDER BY a.attname;
SELECT conrelid::regclass AS table, conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid::regclass::text LIKE 'platform.test_%' AND contype <> 'n' ORDER BY 1, 2;
SELECT name, detail FROM platform.verify() WHERE NOT passed;
SELECT version, action FROM platform.install(ARRAY['test_calls']) WHERE version = 990;

-- an organization of one's own, instead of the default one
ROLLBACK TO before;
SELECT platform.set_context('10000000-0000-4000-8000-0000000ad001');
SELECT version, action FROM platform.install(ARRAY['test_calls']) WHERE version = 990;
SELECT DISTINCT organization_id FROM platform.test_calls;

-- what cannot be made to fit is said, by table and column, and nothing changes
ROLLBACK TO before;
ALTER TABLE platform.test_free ALTER COLUMN n DROP DEFAULT, ALTER COLUMN n TYPE text;
SELECT * FROM platform.install(ARRAY['test_calls']);
ROLLBACK TO before;
UPDATE platform.test_calls SET status = 'unheard of';
SELECT * FROM platform.install(ARRAY['test_calls']);
ROLLBACK TO before;
UPDATE platform.test_calls SET call_sid = 'CA';
SELECT * FROM platform.install(ARRAY['test_calls']);
ROLLBACK TO before;
DROP TABLE platform.test_free;
CREATE VIEW platform.test_free AS SELECT 1 AS id;
SELECT * FROM platform.install(ARRAY['test_calls']);
ROLLBACK TO before;
CREATE SEQUENCE platform.test_calls_organization_id_status_idx;
SELECT * FROM platform.install(ARRAY['test_calls']);
ROLLBACK TO before;
-- nor does one owner's install() take over another's table
ALTER TABLE platform.schema_migrations OWNER TO platform_test_stranger;
GRANT USAGE, CREATE ON SCHEMA platform TO platform_test_stranger;
GRANT SELECT ON platform.migrations TO platform_test_stranger;
SELECT * FROM platform.install(ARRAY['test_calls']);
ROLLBACK;

-- not even a superuser's: to fill a table runs its owner's triggers
BEGIN;
SELECT count(*) > 0 AS removed FROM platform.rollback(0);
CREATE TABLE platform.organizations (id uuid PRIMARY KEY, name text);
INSERT INTO platform.organizations VALUES ('10000000-0000-4000-8000-0000000ad001', NULL);
ALTER TABLE platform.organizations OWNER TO platform_test_stranger;
\set VERBOSITY terse
SELECT * FROM platform.install();
\set VERBOSITY default
ROLLBACK;

-- a table schema_migrations of another tool is no list of ours
BEGIN;
SELECT count(*) > 0 AS removed FROM platform.rollback(0);
CREATE TABLE platform.schema_migrations (version varchar PRIMARY KEY);
INSERT INTO platform.schema_migrations VALUES ('20200101000000');
SELECT * FROM platform.install();
ROLLBACK;
