-- Partitions by month and retention by policy: what is over goes, what is not stays, also in append-only logs
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '''40d00000-0000-4000-8000-000000000001'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Retained') ON CONFLICT DO NOTHING;
-- names of partitions carry the month: here they carry its distance from this one
CREATE FUNCTION pg_temp.shown(name text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT substring(name FROM '^(.*)_\d{4}_\d{2}$') || ' month ' || (12 * (m[1]::int - date_part('year', now() AT TIME ZONE 'UTC')) + m[2]::int - date_part('month', now() AT TIME ZONE 'UTC'))
		FROM regexp_match(name, '_(\d{4})_(\d{2})$') m WHERE m IS NOT NULL), name) $$;
CREATE FUNCTION pg_temp.month(i int) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i)) AT TIME ZONE 'UTC' $$;
CREATE FUNCTION pg_temp.month_name(log text, i int) RETURNS text LANGUAGE sql AS $$
	SELECT log || to_char(pg_temp.month(i) AT TIME ZONE 'UTC', '_YYYY_MM') $$;
\set ECHO all
BEGIN;
-- this month's and the next three are there; asked again, nothing is missing
SELECT table_name, pg_temp.shown(partition_name) FROM platform.create_log_partitions() ORDER BY 1, pg_temp.shown(partition_name) COLLATE "C";
SELECT c.relname, count(*), bool_and(p.relrowsecurity) AS row_security FROM pg_inherits i JOIN pg_class c ON c.oid = inhparent JOIN pg_class p ON p.oid = inhrelid
WHERE c.relname IN ('audit_logs', 'error_logs', 'latency_logs') AND c.relkind = 'p' GROUP BY 1 ORDER BY 1;
SELECT table_name, pg_temp.shown(partition_name) FROM platform.create_log_partitions(4) ORDER BY 1, pg_temp.shown(partition_name) COLLATE "C";
SELECT count(*) FROM platform.create_log_partitions(0);
SELECT count(*) FROM platform.create_log_partitions(NULL);
-- an entry goes to its month; one of a month without partition to the default one, and moves when it gets one
INSERT INTO platform.audit_logs (organization_id, created_at, action) VALUES (:org, now(), 'now'), (:org, pg_temp.month(5), 'far'), (:org, pg_temp.month(6), 'farther');
SELECT action, pg_temp.shown(tableoid::regclass::text) FROM platform.audit_logs WHERE organization_id = :org ORDER BY created_at;
SELECT table_name, pg_temp.shown(partition_name) FROM platform.create_log_partitions(5) WHERE table_name = 'audit_logs';
SELECT action, pg_temp.shown(tableoid::regclass::text) FROM platform.audit_logs WHERE organization_id = :org ORDER BY created_at;
-- the new partition is append-only too
\set VERBOSITY sqlstate
SAVEPOINT e;
DELETE FROM platform.audit_logs WHERE action = 'far';
ROLLBACK TO e;
\set ECHO none
SELECT format('TRUNCATE platform.%I', pg_temp.month_name('audit_logs', 5)) AS command \gset
:command;
ROLLBACK TO e;
\set ECHO all
SELECT platform.create_log_partitions(-1);
ROLLBACK TO e;
SELECT platform.create_log_partitions(121);
ROLLBACK TO e;
-- no default partition, and no month: refused, with what to do
\set VERBOSITY default
DROP TABLE platform.latency_logs_default;
\set ECHO none
SELECT format('DROP TABLE platform.%I', pg_temp.month_name('latency_logs', 0)) AS command \gset
:command;
\set ECHO all
SAVEPOINT d;
SELECT platform.log_latency(:org, '/here', 'GET', 1);
ROLLBACK TO d;
SELECT pg_temp.shown(partition_name) FROM platform.create_log_partitions(4) WHERE table_name = 'latency_logs' ORDER BY pg_temp.shown(partition_name) COLLATE "C";
SELECT platform.log_latency(:org, '/here', 'GET', 1);
ROLLBACK TO e;

-- FAULT of old: hardly anything ever left. Partitions whose time is over are dropped, rows of the default one deleted, a batch a call
\set ECHO none
SELECT format('CREATE TABLE platform.%I PARTITION OF platform.latency_logs FOR VALUES FROM (%L) TO (%L)', pg_temp.month_name('latency_logs', -i), pg_temp.month(-i), pg_temp.month(1 - i)) FROM generate_series(1, 3) i \gexec
\set ECHO all
INSERT INTO platform.latency_logs (organization_id, created_at, endpoint, method, duration_ms) SELECT :org, pg_temp.month(-i), '/', 'GET', i FROM generate_series(0, 6) i;
SELECT duration_ms, pg_temp.shown(tableoid::regclass::text) FROM platform.latency_logs WHERE organization_id = :org ORDER BY 1;
UPDATE platform.retention_policies SET keep = now() - pg_temp.month(-1) WHERE name = 'latencies';
SELECT policy_name, pg_temp.shown(table_name), action, more FROM platform.purge_logs(2, 'latencies') ORDER BY pg_temp.shown(table_name) COLLATE "C";
SELECT policy_name, pg_temp.shown(table_name), action, more FROM platform.purge_logs(2, 'latencies') ORDER BY pg_temp.shown(table_name) COLLATE "C";
SELECT count(*) FROM platform.purge_logs(2, 'latencies');
SELECT duration_ms FROM platform.latency_logs WHERE organization_id = :org ORDER BY 1;
-- the audit trail leaves by its policy only
INSERT INTO platform.audit_logs (organization_id, created_at, action) SELECT :org, now() - make_interval(years => i), 'old ' || i FROM generate_series(1, 3) i;
SELECT policy_name, table_name, action, rows, more FROM platform.purge_logs(policy => 'audit trail');
SELECT action FROM platform.audit_logs WHERE organization_id = :org AND action LIKE 'old%' ORDER BY 1;
SAVEPOINT e;
\set VERBOSITY sqlstate
DELETE FROM platform.audit_logs WHERE action LIKE 'old%';
ROLLBACK TO e;
\set VERBOSITY default
-- FAULT of old: personal data was kept without limit. It goes before the row does
INSERT INTO platform.error_logs (organization_id, created_at, message, fingerprint, request_body, ip_address, user_agent, context)
SELECT :org, now() - make_interval(days => d), 'message', 'f', '{"name": "Ann"}', '203.0.113.9', 'curl', '{"kept": true}' FROM unnest('{1,31,32,91}'::int[]) d;
SELECT policy_name, action, sum(rows) AS rows, bool_or(more) AS more FROM platform.purge_logs() WHERE policy_name LIKE '%errors%' GROUP BY 1, 2 ORDER BY 1;
SELECT policy_name, action, sum(rows) FROM platform.purge_logs(1) WHERE policy_name LIKE '%errors%' GROUP BY 1, 2 ORDER BY 1;
SELECT date_part('day', now() - created_at) AS days, request_body, ip_address, user_agent, context FROM platform.error_logs WHERE organization_id = :org AND created_at > now() - interval '90 days' ORDER BY 1;
-- resolved alerts go, open ones stay, however old
INSERT INTO platform.ops_alerts (organization_id, alert_type, title, created_at, resolved_at) VALUES
	(:org, 'a', 'resolved long ago', '2020-01-01', '2020-01-02'), (:org, 'b', 'open', '2020-01-01', NULL), (:org, 'c', 'just resolved', '2020-01-01', now());
SELECT action, rows FROM platform.purge_logs(policy => 'resolved alerts');
SELECT title FROM platform.ops_alerts WHERE organization_id = :org ORDER BY 1;
-- policies of one's own, also for tables and columns that are not there
INSERT INTO platform.retention_policies (name, table_name, time_column, keep, scrub_columns) VALUES
	('no table', 'no_such_table', 'created_at', '1 day', NULL), ('no column', 'end_users', 'no_such_column', '1 day', NULL), ('no scrub', 'end_users', 'created_at', '1 day', '{name,none}'),
	('forgotten callers', 'end_users', 'deleted_at', '30 days', '{name,email,phone}');
INSERT INTO platform.end_users (organization_id, name, email, phone, deleted_at) VALUES (:org, 'Gone', 'gone@retention.example', '+14155550199', now() - interval '31 days'), (:org, 'Here', NULL, NULL, NULL);
SELECT * FROM platform.purge_logs() WHERE policy_name IN ('no table', 'no column', 'no scrub', 'forgotten callers') ORDER BY 1;
SELECT name, email, phone FROM platform.end_users WHERE organization_id = :org ORDER BY deleted_at;
UPDATE platform.retention_policies SET is_active = false WHERE name = 'forgotten callers';
-- who changed a policy is in the trail
SELECT action, entity_id, changed, new -> 'is_active' AS active FROM platform.audit_logs WHERE entity = 'retention_policies' AND entity_id = 'forgotten callers' ORDER BY id;
\set VERBOSITY sqlstate
SAVEPOINT e;
SELECT platform.purge_logs(policy => 'forgotten callers');
ROLLBACK TO e;
SELECT platform.purge_logs(policy => 'unknown');
ROLLBACK TO e;
SELECT platform.purge_logs(0);
ROLLBACK TO e;
SELECT platform.purge_logs(NULL);
ROLLBACK TO e;
INSERT INTO platform.retention_policies (name, table_name, keep) VALUES ('too short', 'error_logs', '1 hour');
ROLLBACK TO e;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.purge_logs();
ROLLBACK;
