-- Errors with their groups, latencies with percentiles, the black box, upgrade prompts, jobs, and the address of a client
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('40c00000-0000-4000-8000-000000000001', 'Logged'), ('40c00000-0000-4000-8000-000000000002', 'Other') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) VALUES ('40c00000-0000-4000-8000-0000000000a1', 'ann@logs.example'), ('40c00000-0000-4000-8000-0000000000a2', 'bob@logs.example') ON CONFLICT DO NOTHING;
\set org '''40c00000-0000-4000-8000-000000000001'''
\set other '''40c00000-0000-4000-8000-000000000002'''
\set ann '''40c00000-0000-4000-8000-0000000000a1'''
\set bob '''40c00000-0000-4000-8000-0000000000a2'''
\set ECHO all
BEGIN;
-- what differs between two occurrences does not count, what tells causes apart does
SELECT count(DISTINCT platform.error_fingerprint(t, m, e)) AS groups FROM (VALUES
	('Timeout', 'call 17 of user 40c00000-0000-4000-8000-0000000000a1 timed out after 3000ms', '/calls/17?x=1'),
	('Timeout', E'call 23  of user 7f\n timed out after 12ms', '/calls/99#top')) AS v (t, m, e);
SELECT count(DISTINCT platform.error_fingerprint(t, m, e)) AS groups FROM (VALUES
	('TypeError', 'no property "id" of null', NULL), ('TypeError', 'no property ''name'' of null', NULL)) AS v (t, m, e);
SELECT count(DISTINCT platform.error_fingerprint(t, m, e)) AS groups FROM (VALUES
	('Timeout', 'call timed out', '/a'), ('Error', 'call timed out', '/a'), ('Timeout', 'chat timed out', '/a'), ('Timeout', 'call timed out', '/b'),
	('Timeout', 'call timed out', NULL), ('Timeout', '', '/a'), ('Timeout', 'it''s', '/a')) AS v (t, m, e);
SELECT platform.error_fingerprint('Error', 'x') ~ '^[0-9a-f]{16}$' AS form, platform.error_fingerprint(NULL, 'x'), platform.error_fingerprint('x', NULL);
-- an error: defaults, long texts cut, secrets masked at any depth
SELECT platform.log_error(:org, 'plain') IS NOT NULL;
SELECT platform.log_error(NULL, repeat('m', 10001), '', NULL, repeat('s', 6000), '/login', 'POST', :ann, 'req 1',
	'{"Password": "hunter2", "user": {"api-key": "k", "tags": [{"accessToken": {"a": 1}}, "token"], "x_secret": null}, "n": 1}',
	'["plain", {"Authorization": ["Bearer x"], "cardNumber": 4111}]', '203.0.113.9', repeat('u', 2000)) IS NOT NULL;
SELECT organization_id, error_type, severity, length(message) AS message, length(stack_trace) AS stack, method, user_id, request_id, context, request_body, ip_address,
	length(user_agent) AS agent, length(fingerprint) AS fingerprint, resolved_at FROM platform.error_logs ORDER BY created_at;
SELECT platform.redact_secrets('"secret"'), platform.redact_secrets('{"token": true, "tokens": [1], "a": {"b": [{"cookie": ""}]}}'), platform.redact_secrets('[]'), platform.redact_secrets(NULL);
-- groups: counts, worst severity, newest text; a critical error raises one alert
SELECT platform.log_error(:org, 'card ' || i || ' refused', 'PaymentError', (ARRAY['low', 'critical', 'high'])[i], user_id => (ARRAY[:ann, :bob, :ann]::uuid[])[i], endpoint => '/pay/' || i) IS NOT NULL AS logged
FROM generate_series(1, 3) i;
SELECT platform.log_error(:other, 'card 4 refused', 'PaymentError', 'critical', endpoint => '/pay/4', fingerprint => platform.error_fingerprint('PaymentError', 'card 1 refused', '/pay/1')) IS NOT NULL AS logged;
SELECT error_type, endpoint, message, severity, occurrences, open, organizations, users, first_seen < last_seen AS span FROM platform.error_groups() WHERE occurrences > 1;
SELECT error_type, occurrences FROM platform.error_groups(for_organization_id => :other);
SELECT count(*) FROM platform.error_groups(now() + interval '1 day');
SELECT count(*) FROM platform.error_groups("to" => now());
SELECT count(*) FROM platform.error_groups(max_rows => 1);
SELECT organization_id, severity, title, occurrences FROM platform.open_alerts() WHERE alert_type = 'critical_error' ORDER BY 1;
-- resolved as a group, of one organization or of all; what comes later is open
SELECT platform.error_fingerprint('PaymentError', 'card 1 refused', '/pay/1') AS group \gset
SELECT platform.resolve_errors(:'group', 'new key', :other), platform.resolve_errors(:'group', NULL, :other) AS again;
SELECT organization_id FROM platform.open_alerts() WHERE alert_type = 'critical_error';
SELECT platform.resolve_errors(:'group'), platform.resolve_errors('nothing') AS nothing;
SELECT count(*) FROM platform.open_alerts() WHERE alert_type = 'critical_error';
SELECT platform.log_error(:org, 'card 5 refused', 'PaymentError', endpoint => '/pay/5') IS NOT NULL AS logged;
SELECT occurrences, open FROM platform.error_groups() WHERE error_type = 'PaymentError';
SELECT occurrences, open FROM platform.error_groups(only_open => true) WHERE error_type = 'PaymentError';
-- a critical error of an organization that is gone is recorded all the same
SELECT platform.log_error('40c00000-0000-4000-8000-00000000dead', 'gone', severity => 'critical', fingerprint => 'gone') IS NOT NULL AS logged;
SELECT organization_id FROM platform.open_alerts() WHERE dedup_key = 'gone';
SELECT platform.resolve_errors('gone');
-- the reference's query of recent errors
SET LOCAL search_path = platform, pg_catalog;
SELECT error_type, endpoint, left(message, 20) AS message, created_at IS NOT NULL AS created_at, resolved_at
FROM error_logs
WHERE resolved_at IS NULL
ORDER BY created_at DESC
LIMIT 20;
RESET search_path;

-- latencies
SELECT platform.log_latency(:org, '/calls', 'GET', i * 10, 200, :ann, 'r' || i) AS slow, count(*) FROM generate_series(1, 100) i GROUP BY 1 ORDER BY 1;
SELECT platform.log_latency(NULL, '/calls', 'POST', 0), platform.log_latency(:org, '/calls', 'POST', 2000, 503) AS slow;
SET LOCAL platform.ops_slow_request = '5ms';
SELECT platform.log_latency(:org, '/fast', 'GET', 5) AS slow, platform.log_latency(:org, '/fast', 'GET', 4) AS fast;
SELECT * FROM platform.latency_percentiles ORDER BY endpoint, method;
SELECT sum(requests) AS requests, max(p99_ms) AS p99_ms, bool_and(hour = date_trunc('hour', hour)) AS hours FROM platform.latency_hourly WHERE endpoint = '/calls' AND method = 'GET';

-- FAULT of old: administrators changed the black box. Once an event, for good
SELECT platform.log_black_box(:org, 'evt_1', 'password_change', :ann, '{"by": "self"}', '203.0.113.9', 'curl'), platform.log_black_box(:other, 'evt_1', 'role_changed') AS again;
SELECT platform.log_black_box(NULL, 'evt_2', 'data_export', meta_data => NULL) AS own;
SELECT organization_id, event_id, action_type, user_id, ip_address, user_agent, meta_data FROM platform.black_box_logs WHERE event_id LIKE 'evt\__' ORDER BY event_id;
\set VERBOSITY sqlstate
SAVEPOINT e;
UPDATE platform.black_box_logs SET action_type = 'x';
ROLLBACK TO e;
DELETE FROM platform.black_box_logs;
ROLLBACK TO e;
TRUNCATE platform.black_box_logs;
ROLLBACK TO e;

-- upgrade prompts: shown, answered, counted
SELECT platform.show_upgrade_prompt(:org, :ann, 'limit_reached', 'calls') AS prompt \gset
SELECT platform.show_upgrade_prompt(:org, :bob, 'limit_reached') AS bobs \gset
SELECT platform.answer_upgrade_prompt(:org, :'prompt', 'dismissed'), platform.answer_upgrade_prompt(:org, :'prompt', 'dismissed') AS again, platform.answer_upgrade_prompt(:org, :'prompt', 'converted') AS later;
SELECT user_id, trigger_reason, clicked, dismissed, converted, clicked_at IS NOT NULL AS clicked_at FROM platform.upgrade_prompts_shown ORDER BY shown_at;
SELECT * FROM platform.upgrade_prompt_results ORDER BY trigger_reason;

-- jobs: one runs, when it is due
SELECT platform.start_job('nightly', '1 hour'), platform.start_job('nightly', '0') AS running, platform.start_job('other', '0') AS other;
SELECT platform.finish_job('nightly', 'failed', 'disk full', '{"rows": 3}'), platform.finish_job('nightly') AS again, platform.finish_job('unknown') AS unknown;
SELECT job_name, last_result, error_message, metadata, run_count, running_until, finished_at >= last_run_at AS finished FROM platform.scheduled_job_runs WHERE job_name = 'nightly';
SELECT platform.start_job('nightly', '1 hour') AS not_due, platform.start_job('nightly', '0', worker => 'w2') AS due;
SELECT run_count, last_run_by, running_until > last_run_at AS leased FROM platform.scheduled_job_runs WHERE job_name = 'nightly';
-- a worker that died is replaced after its lease
UPDATE platform.scheduled_job_runs SET running_until = now() - interval '1 second' WHERE job_name = 'nightly';
SELECT platform.start_job('nightly') AS taken_over;

-- FAULT of old: the first address of X-Forwarded-For was believed. Only what trusted proxies wrote counts
SELECT platform.client_ip('10.0.0.1', '1.2.3.4, 203.0.113.9', '{10.0.0.0/8}') AS behind_one,
	platform.client_ip('198.51.100.7', '1.2.3.4', '{10.0.0.0/8}') AS forged,
	platform.client_ip('10.0.0.1', '1.2.3.4', '{}') AS no_proxy, platform.client_ip('10.0.0.1', '1.2.3.4') AS default_none,
	platform.client_ip('10.0.0.1', 'evil, 203.0.113.9 , 10.0.0.2', '{10.0.0.0/8}') AS behind_two,
	platform.client_ip('10.0.0.1', '10.0.0.3,10.0.0.2', '{10.0.0.0/8}') AS all_trusted,
	platform.client_ip('10.0.0.1', 'unknown', '{10.0.0.0/8}') AS no_address, platform.client_ip('10.0.0.1', '', '{10.0.0.0/8}') AS empty;
SELECT platform.client_ip('::1', '203.0.113.9:4711', '{::1}') AS with_port, platform.client_ip('::1', '[2001:db8::7]:443', '{::1,NULL}') AS v6_port,
	platform.client_ip('::1', '2001:db8::7', '{::1}') AS v6, platform.client_ip(NULL, '1.2.3.4', '{}') AS nobody, platform.client_ip('::1', NULL, '{::1}') AS none,
	platform.client_ip('::1', '1.2.3.4/8', '{::1}') AS network;

-- FAULT of old: most writes ignored that they had failed. What is not recorded is an error
SELECT platform.log_error(:org, NULL);
ROLLBACK TO e;
SELECT platform.log_error(:org, 'x', severity => 'fatal');
ROLLBACK TO e;
SELECT platform.resolve_errors(NULL);
ROLLBACK TO e;
SELECT platform.log_latency(:org, NULL, 'GET', 1);
ROLLBACK TO e;
SELECT platform.log_latency(:org, '/', 'GET', NULL);
ROLLBACK TO e;
SELECT platform.log_latency(:org, '/', 'GET', -1);
ROLLBACK TO e;
SELECT platform.log_latency(:org, '/', 'GET', 1, 99);
ROLLBACK TO e;
SELECT platform.log_black_box(:org, NULL, 'x');
ROLLBACK TO e;
SELECT platform.log_black_box(:org, 'e', '');
ROLLBACK TO e;
SELECT platform.log_black_box(:org, 'e', 'x', meta_data => '1');
ROLLBACK TO e;
SELECT platform.show_upgrade_prompt(:org, NULL, 'x');
ROLLBACK TO e;
SELECT platform.show_upgrade_prompt(:org, '40c00000-0000-4000-8000-00000000dead', 'x');
ROLLBACK TO e;
SELECT platform.answer_upgrade_prompt(:org, '40c00000-0000-4000-8000-00000000dead', 'clicked');
ROLLBACK TO e;
SELECT platform.show_upgrade_prompt(:org, :ann, 'x') AS prompt \gset
SELECT platform.answer_upgrade_prompt(:org, :'prompt', 'ignored');
ROLLBACK TO e;
SELECT platform.start_job(NULL);
ROLLBACK TO e;
SELECT platform.start_job('x', '-1 s');
ROLLBACK TO e;
SELECT platform.start_job('x', '0', '0');
ROLLBACK TO e;
SELECT platform.finish_job('x', 'maybe');
ROLLBACK TO e;

-- FAULT of old: any user posted to the black box. Members: their own prompts, the address of a client, nothing else, and nobody makes himself admin
SELECT platform.show_upgrade_prompt(:org, :ann, 'x') AS prompt, platform.show_upgrade_prompt(:org, :bob, 'x') AS bobs \gset
SAVEPOINT e;
SELECT platform.set_context(:org, :ann);
SET LOCAL ROLE platform_test_member;
SELECT prompt_type, count(*) FROM platform.upgrade_prompts_shown GROUP BY 1 ORDER BY 1;
SELECT sum(shown) FROM platform.upgrade_prompt_results;
SELECT platform.show_upgrade_prompt(:org, :ann, 'own') IS NOT NULL AS own, platform.answer_upgrade_prompt(:org, :'prompt', 'clicked') AS answered;
SELECT platform.client_ip('10.0.0.1', '1.2.3.4', '{10.0.0.1}');
SAVEPOINT m;
SELECT platform.show_upgrade_prompt(:org, :bob, 'x');
ROLLBACK TO m;
SELECT platform.show_upgrade_prompt(:other, :ann, 'x');
ROLLBACK TO m;
SELECT platform.answer_upgrade_prompt(:org, :'bobs', 'clicked');
ROLLBACK TO m;
UPDATE platform.upgrade_prompts_shown SET converted_at = now();
ROLLBACK TO m;
INSERT INTO platform.upgrade_prompts_shown (user_id, prompt_type) VALUES (:ann, 'x');
ROLLBACK TO m;
SELECT platform.log_error(:org, 'x');
ROLLBACK TO m;
SELECT platform.log_latency(:org, '/', 'GET', 1);
ROLLBACK TO m;
SELECT platform.log_black_box(:org, 'e', 'x');
ROLLBACK TO m;
INSERT INTO platform.black_box_logs (event_id, action_type) VALUES ('forged', 'x');
ROLLBACK TO m;
SELECT * FROM platform.black_box_logs;
ROLLBACK TO m;
SELECT * FROM platform.error_logs;
ROLLBACK TO m;
SELECT * FROM platform.latency_logs;
ROLLBACK TO m;
SELECT * FROM platform.latency_percentiles;
ROLLBACK TO m;
SELECT * FROM platform.scheduled_job_runs;
ROLLBACK TO m;
SELECT * FROM platform.retention_policies;
ROLLBACK TO m;
SELECT platform.start_job('x');
ROLLBACK TO m;
SELECT platform.resolve_errors('x');
ROLLBACK TO m;
SELECT platform.purge_logs();
ROLLBACK TO m;
SELECT platform.create_log_partitions();
ROLLBACK TO m;
SELECT * FROM platform.audit_history('users', 'x');
ROLLBACK TO m;
UPDATE platform.users SET platform_role = 'master_admin' WHERE id = :ann;
ROLLBACK TO m;
UPDATE platform.profiles SET role = 'admin' WHERE user_id = :ann;
ROLLBACK TO m;
INSERT INTO platform.organization_members (user_id, role) VALUES (:ann, 'owner');
ROLLBACK TO m;
RESET ROLE;
-- its administrators see what all users were shown
SELECT platform.set_context(:org, :bob, 'admin');
SET LOCAL ROLE platform_test_member;
SELECT count(DISTINCT user_id) FROM platform.upgrade_prompts_shown;
ROLLBACK;
