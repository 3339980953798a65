-- Alerts: repeated raises count up on the open one, states pass once, operators only
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('40a00000-0000-4000-8000-000000000001', 'Alerting'), ('40a00000-0000-4000-8000-000000000002', 'Other')
ON CONFLICT DO NOTHING;
\set org '''40a00000-0000-4000-8000-000000000001'''
\set other '''40a00000-0000-4000-8000-000000000002'''
\set ECHO all
BEGIN;
-- one open alert for organization, type and key; the newest text, the worst severity
SELECT alert_id AS first, occurrences FROM platform.raise_alert(:org, 'billing_spike', 'info', 'Usage rises', dedup_key => 'usage') \gset
SELECT :'occurrences' AS occurrences;
SELECT alert_id = :'first' AS same, occurrences FROM platform.raise_alert(:org, 'billing_spike', 'critical', 'Usage is ten times yesterday''s',
	'10 h instead of 1 h', 'usage', '{"factor": 10}', 'payment', '40a00000-0000-4000-8000-0000000000a1', '+14155550100');
SELECT alert_id = :'first' AS same, occurrences FROM platform.raise_alert(:org, 'billing_spike', 'warning', 'Usage is high', dedup_key => 'usage');
SELECT severity, title, message, occurrences, details, source, user_id, last_raised_at > created_at AS later, acknowledged_at FROM platform.ops_alerts WHERE id = :'first';
-- another organization, type or key is another alert; without a key each raise is
SELECT alert_id = :'first' AS same, occurrences FROM platform.raise_alert(:other, 'billing_spike', dedup_key => 'usage');
SELECT alert_id = :'first' AS same, occurrences FROM platform.raise_alert(:org, 'delivery_failures', dedup_key => 'usage');
SELECT alert_id = :'first' AS same, occurrences FROM platform.raise_alert(:org, 'billing_spike', dedup_key => 'calls');
SELECT occurrences FROM platform.raise_alert(:org, 'unknown_phone_spike');
SELECT occurrences FROM platform.raise_alert(:org, 'unknown_phone_spike');
-- the platform's own
SELECT occurrences FROM platform.raise_alert(NULL, 'webhook_queue_growth', dedup_key => 'alerts test');
SELECT organization_id, title, severity, source, details FROM platform.ops_alerts WHERE dedup_key = 'alerts test';
-- what is open: nobody looks after it, worst first
SELECT alert_type, severity, title, occurrences, acknowledged, dedup_key, details FROM platform.open_alerts(:org) ORDER BY severity, alert_type, dedup_key;
SELECT alert_type, severity FROM platform.open_alerts(:org, 'critical');
SELECT severity FROM platform.open_alerts(:org, max_rows => 1);
SELECT count(*) FROM platform.open_alerts(:org, max_rows => NULL);
-- acknowledged once; a worse severity makes it news again
SELECT platform.raise_alert(:org, 'latency', 'info', dedup_key => 'l') IS NOT NULL;
SELECT id AS latency FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'latency' \gset
SELECT platform.set_context(:org, 'Ann');
SELECT platform.acknowledge_alert(:'latency'), platform.acknowledge_alert(:'latency') AS again;
SELECT acknowledged_at IS NOT NULL AS acknowledged, acknowledged_by FROM platform.ops_alerts WHERE id = :'latency';
SELECT occurrences FROM platform.raise_alert(:org, 'latency', 'info', dedup_key => 'l');
SELECT acknowledged FROM platform.open_alerts(:org) WHERE alert_id = :'latency';
SELECT occurrences FROM platform.raise_alert(:org, 'latency', 'warning', dedup_key => 'l');
SELECT acknowledged, severity FROM platform.open_alerts(:org) WHERE alert_id = :'latency';
-- resolved once; after that it is a new alert
SELECT platform.resolve_alert(:'latency', 'more memory'), platform.resolve_alert(:'latency') AS again, platform.acknowledge_alert(:'latency') AS late;
SELECT resolved_at IS NOT NULL AS resolved, resolved_by, resolution_notes, auto_resolved FROM platform.ops_alerts WHERE id = :'latency';
SELECT alert_id = :'latency' AS same, occurrences FROM platform.raise_alert(:org, 'latency', dedup_key => 'l');
-- its cause is gone
SELECT platform.clear_alert(:org, 'latency', 'l'), platform.clear_alert(:org, 'latency', 'l') AS again, platform.clear_alert(NULL, 'webhook_queue_growth', 'alerts test') AS own;
SELECT count(*) FILTER (WHERE auto_resolved) AS auto, count(*) FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'latency';
-- the view over all alerts
SELECT alert_type, severity, phone_number, message, resolved_at IS NOT NULL AS resolved FROM platform.alerts WHERE organization_id = :org ORDER BY 1, 2, 5, 3;
-- a rolled-back raise leaves nothing
SAVEPOINT s;
SELECT occurrences FROM platform.raise_alert(:org, 'billing_spike', dedup_key => 'usage');
ROLLBACK TO s;
SELECT occurrences FROM platform.raise_alert(:org, 'billing_spike', dedup_key => 'usage');
-- bad input
\set VERBOSITY sqlstate
SAVEPOINT e;
SELECT platform.raise_alert(:org, NULL);
ROLLBACK TO e;
SELECT platform.raise_alert(:org, '');
ROLLBACK TO e;
SELECT platform.raise_alert(:org, 'x', 'fatal');
ROLLBACK TO e;
SELECT platform.raise_alert(:org, 'x', details => '[]');
ROLLBACK TO e;
SELECT platform.raise_alert(:org, 'x', dedup_key => '');
ROLLBACK TO e;
SELECT platform.raise_alert(:org, 'x', title => repeat('x', 256));
ROLLBACK TO e;
SELECT platform.raise_alert('40a00000-0000-4000-8000-00000000dead', 'x');
ROLLBACK TO e;
SELECT platform.acknowledge_alert(NULL);
ROLLBACK TO e;
SELECT platform.acknowledge_alert('40a00000-0000-4000-8000-00000000dead');
ROLLBACK TO e;
SELECT platform.resolve_alert('40a00000-0000-4000-8000-00000000dead');
ROLLBACK TO e;
SELECT platform.clear_alert(:org, 'x', NULL);
ROLLBACK TO e;
-- NULL severity, source and details are the defaults
SELECT occurrences FROM platform.raise_alert(:org, 'defaults', NULL, details => NULL, source => NULL);
SELECT severity, source, details FROM platform.ops_alerts WHERE organization_id = :org AND alert_type = 'defaults';
-- members, even their administrators and the platform's staff, may not: the tables are the operators'
SELECT platform.set_context(:org, 'Ann', 'owner');
SET LOCAL ROLE platform_test_member;
SAVEPOINT e;
SELECT * FROM platform.ops_alerts;
ROLLBACK TO e;
SELECT * FROM platform.alerts;
ROLLBACK TO e;
INSERT INTO platform.ops_alerts (alert_type, title) VALUES ('x', 'x');
ROLLBACK TO e;
SELECT platform.raise_alert(:org, 'x');
ROLLBACK TO e;
SELECT platform.acknowledge_alert(:'first');
ROLLBACK TO e;
SELECT platform.resolve_alert(:'first');
ROLLBACK TO e;
SELECT platform.clear_alert(:org, 'billing_spike', 'usage');
ROLLBACK TO e;
SELECT * FROM platform.open_alerts();
ROLLBACK TO e;
RESET ROLE;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.raise_alert(:org, 'x');
ROLLBACK;
