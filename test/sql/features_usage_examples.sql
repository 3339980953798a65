-- The examples of doc/usage.md.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('a6000000-0000-4000-8000-000000000001', 'Examples');
INSERT INTO platform.org_feature_flags (organization_id, feature, daily_limit, monthly_limit) VALUES
	('a6000000-0000-4000-8000-000000000001', 'recording', 10, 100);
\set ECHO all
SELECT platform.increment_feature_usage('a6000000-0000-4000-8000-000000000001', 'recording');
SELECT * FROM platform.usage_period('month', '2024-02-29 12:00+00', 'Europe/Berlin');
SELECT * FROM platform.usage_period('month', '2024-03-30 12:00+00', 'UTC', '2024-01-31 00:00+00');
SELECT allowed, consumed, used, remaining, state, duplicate
FROM platform.consume_feature('a6000000-0000-4000-8000-000000000001', 'recording', 3, 'call-4711');
SELECT allowed, consumed, used, remaining, state, duplicate
FROM platform.consume_feature('a6000000-0000-4000-8000-000000000001', 'recording', 3, 'call-4711');
SELECT allowed, consumed, overage, reason
FROM platform.consume_feature('a6000000-0000-4000-8000-000000000001', 'recording', 312, at_limit => 'overflow');
SELECT feature, allowed, reason
FROM platform.consume_features('a6000000-0000-4000-8000-000000000001', '{recording,transcription}');
CREATE TABLE minutes (organization_id uuid NOT NULL, minutes integer NOT NULL);
CREATE TRIGGER minutes_consume BEFORE INSERT ON minutes
	FOR EACH ROW EXECUTE FUNCTION platform.consume_feature_on_insert('survey', 'minutes');
INSERT INTO minutes VALUES ('a6000000-0000-4000-8000-000000000001', 12);
SELECT * FROM platform.refund_feature_usage('a6000000-0000-4000-8000-000000000001', 'recording', 'call-4711', 1, 'refund-1');
SELECT reservation_id, allowed FROM platform.reserve_feature('a6000000-0000-4000-8000-000000000001', 'transcription', 60) \gset
SELECT allowed, consumed FROM platform.commit_feature('a6000000-0000-4000-8000-000000000001', :'reservation_id', 42);
SELECT feature, period, used, usage_limit, remaining, state
FROM platform.feature_usage_report('a6000000-0000-4000-8000-000000000001') WHERE used > 0;
SELECT * FROM platform.reconcile_feature_usage();
\set ECHO none
DROP TABLE minutes;
DELETE FROM platform.organizations WHERE id = 'a6000000-0000-4000-8000-000000000001';
DELETE FROM platform.feature_usage_events WHERE organization_id = 'a6000000-0000-4000-8000-000000000001';
