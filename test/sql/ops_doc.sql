-- The examples of the page about operations
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\set ECHO all

SELECT occurrences FROM platform.raise_alert(NULL, 'webhook_queue_growth', 'warning', dedup_key => 'inbox');
SELECT occurrences FROM platform.raise_alert(NULL, 'webhook_queue_growth', 'critical', 'The queue grows', dedup_key => 'inbox');
SELECT severity, title, occurrences, acknowledged FROM platform.open_alerts() WHERE alert_type = 'webhook_queue_growth';
SELECT platform.clear_alert(NULL, 'webhook_queue_growth', 'inbox');

CREATE TABLE customer_keys (id integer PRIMARY KEY, label text, api_key text);
CREATE TRIGGER customer_keys_audit AFTER INSERT OR DELETE OR UPDATE ON customer_keys
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('api_key');
CREATE TRIGGER customer_keys_audit_truncate BEFORE TRUNCATE ON customer_keys
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes('api_key');

INSERT INTO customer_keys VALUES (1, 'first', 'sk_live_1');
UPDATE customer_keys SET label = 'main', api_key = 'sk_live_2';
SELECT action, changed, old, new FROM platform.audit_history('public.customer_keys', '1');

SELECT platform.audit_log(NULL, 'data_export', 'customers', metadata => '{"rows": 1200}') IS NOT NULL;
SELECT platform.audit_row_at('public.customer_keys', '1', clock_timestamp());

SELECT platform.log_error(NULL, 'call 17 timed out', 'Timeout', endpoint => '/calls/17', context => '{"token": "t", "try": 2}') IS NOT NULL;
SELECT platform.log_error(NULL, 'call 99 timed out', 'Timeout', endpoint => '/calls/99') IS NOT NULL;
SELECT message, occurrences, open FROM platform.error_groups() WHERE error_type = 'Timeout';
SELECT platform.resolve_errors(platform.error_fingerprint('Timeout', 'call 17 timed out', '/calls/17'), 'more workers');

SELECT platform.log_latency(NULL, '/calls', 'GET', 40, 200), platform.log_latency(NULL, '/calls', 'GET', 1200, 200);
SELECT endpoint, requests, p50_ms, slow FROM platform.latency_percentiles WHERE endpoint = '/calls';

SELECT platform.client_ip('10.0.0.1', '198.51.100.1, 203.0.113.9, 10.0.0.7', '{10.0.0.0/8}');     -- 203.0.113.9
SELECT platform.log_black_box(NULL, 'evt_1', 'data_export'), platform.log_black_box(NULL, 'evt_1', 'data_export');   -- true, false

SELECT platform.start_job('nightly', '20 hours'), platform.start_job('nightly', '20 hours');      -- true, false
SELECT platform.finish_job('nightly', metadata => '{"rows": 12}');

SELECT platform.claim_idempotency_key(NULL, 'import', platform.generate_idempotency_key('{"row": 1}'));   -- true
SELECT platform.claim_idempotency_key(NULL, 'import', platform.generate_idempotency_key('{"row": 1}'));   -- false
SELECT platform.acquire_lock('deploy:7', 'server-1', '2 minutes') AS lease \gset
SELECT platform.acquire_lock('deploy:7', 'server-2') AS lease_of_another;                         -- NULL
SELECT platform.extend_lock('deploy:7', :'lease'), platform.release_lock('deploy:7', :'lease');   -- true, true

INSERT INTO platform.retention_policies (name, table_name, time_column, keep, scrub_columns)
VALUES ('forgotten callers', 'end_users', 'deleted_at', '30 days', '{name,email,phone}');
SELECT action, rows, more FROM platform.purge_logs(policy => 'forgotten callers');
ROLLBACK;
