-- Health scores: every threshold, all four churn alerts with their beginnings and ends, history, e-mails; operators only
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
-- The tables of other modules are replaced by plain ones, so that the test depends on none of them.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT format('ALTER TABLE platform.%I RENAME TO %I', relname, relname || '_aside') FROM pg_class WHERE relnamespace = 'platform'::regnamespace AND relkind IN ('r', 'p')
	AND relname IN ('usage_limits', 'calls', 'leads', 'agents', 'webhook_subscriptions', 'subscriptions', 'active_sessions') \gexec
CREATE TABLE platform.usage_limits (organization_id uuid, call_used_seconds integer, call_cap_seconds integer, sms_cap integer);
CREATE TABLE platform.calls (organization_id uuid, created_at timestamptz);
CREATE TABLE platform.leads (organization_id uuid, created_at timestamptz);
CREATE TABLE platform.agents (organization_id uuid);
CREATE TABLE platform.webhook_subscriptions (organization_id uuid, active boolean);
CREATE TABLE platform.subscriptions (organization_id uuid, status text);
CREATE TABLE platform.active_sessions (organization_id uuid, last_active_at timestamptz);
CREATE FUNCTION pg_temp.org(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT platform.uuid5('40000000-0000-4000-8000-000000000140', name) $$;
CREATE FUNCTION pg_temp.customer(name text, age interval DEFAULT '0') RETURNS uuid LANGUAGE sql AS $$
	INSERT INTO platform.organizations (id, name, created_at) VALUES (pg_temp.org(name), name, now() - age) RETURNING id $$;
CREATE FUNCTION pg_temp.raised(customer text) RETURNS TABLE (alert_type text, severity text, title text, score_before int, score_after int) LANGUAGE sql AS $$
	SELECT a.alert_type, a.severity, a.title, a.score_before, a.score_after FROM platform.open_churn_alerts(pg_temp.org(customer)) a ORDER BY 1 $$;
\set ECHO all
-- what is read from where
SELECT * FROM platform.health_sources();

-- usage: percent = minutes used of minutes included, both rounded up
SELECT count(pg_temp.customer('usage ' || n)) FROM generate_series(1, 11) n;
INSERT INTO platform.usage_limits SELECT pg_temp.org('usage ' || n), used, cap, 0
FROM (VALUES (1, 0, 6000), (2, 540, 6000), (3, 541, 6000), (4, 1740, 6000), (5, 1741, 6000), (6, 2940, 6000), (7, 2941, 6000), (8, 4800, 6000), (9, 4801, 6000), (10, 60, 0)) v (n, used, cap);
SELECT scored >= 11 AS scored FROM platform.calculate_health_scores();
SELECT o.name, factors #>> '{usage,percent}' AS percent, usage_score FROM platform.customer_health_scores h JOIN platform.organizations o ON o.id = organization_id WHERE name LIKE 'usage %' ORDER BY length(name), name;
-- engagement: days since the last activity, and contacts of a week
SELECT count(pg_temp.customer('idle ' || n)), count(pg_temp.customer('contacts ' || n)) FROM generate_series(1, 8) n;
INSERT INTO platform.active_sessions SELECT pg_temp.org('idle ' || n), now() - age FROM (VALUES (1, '0'::interval), (2, '1 day'), (3, '25 hours'), (4, '3 days'), (5, '73 hours'), (6, '7 days'), (7, '14 days'), (8, '337 hours')) v (n, age);
INSERT INTO platform.leads SELECT pg_temp.org('contacts ' || n), now() - interval '6 days' FROM (VALUES (1, 0), (2, 1), (3, 4), (4, 5), (5, 9), (6, 10), (7, 11)) v (n, leads), generate_series(1, leads);
INSERT INTO platform.leads SELECT pg_temp.org('contacts 8'), now() - interval '8 days' FROM generate_series(1, 20);
SELECT written FROM platform.calculate_health_scores();
SELECT o.name, factors #>> '{engagement,idle_days}' AS idle_days, factors #>> '{engagement,contacts}' AS contacts, engagement_score FROM platform.customer_health_scores h
JOIN platform.organizations o ON o.id = organization_id WHERE name ~ '^(idle|contacts) ' ORDER BY name;
-- adoption: agent, webhook, calendar, SMS, personal phone
SELECT count(pg_temp.customer('adoption ' || n)) FROM generate_series(1, 6) n;
INSERT INTO platform.users (id, email) VALUES (pg_temp.org('user'), 'user@health.example');
INSERT INTO platform.agents VALUES (pg_temp.org('adoption 1')), (pg_temp.org('adoption 1')), (pg_temp.org('adoption 6'));
INSERT INTO platform.webhook_subscriptions VALUES (pg_temp.org('adoption 2'), true), (pg_temp.org('adoption 3'), false), (pg_temp.org('adoption 6'), true);
INSERT INTO platform.profiles (organization_id, user_id, cal_com_url, user_personal_phone) VALUES (pg_temp.org('adoption 4'), pg_temp.org('user'), 'https://cal.com/x', NULL),
	(pg_temp.org('adoption 5'), pg_temp.org('user'), NULL, '+14155550100'), (pg_temp.org('adoption 6'), pg_temp.org('user'), 'https://cal.com/x', '+14155550100');
INSERT INTO platform.usage_limits VALUES (pg_temp.org('adoption 6'), 0, 60, 1);
SELECT written FROM platform.calculate_health_scores();
SELECT o.name, factors -> 'adoption' AS adoption, feature_adoption_score AS points FROM platform.customer_health_scores JOIN platform.organizations o ON o.id = organization_id WHERE name LIKE 'adoption %' ORDER BY name;
-- payment: the state of the best subscription
SELECT count(pg_temp.customer('payment ' || s)) FROM unnest('{active,trialing,past_due,canceled,unpaid,paused,two,none}'::text[]) s;
INSERT INTO platform.subscriptions SELECT pg_temp.org('payment ' || s), s FROM unnest('{active,trialing,past_due,canceled,unpaid,paused}'::text[]) s;
INSERT INTO platform.subscriptions VALUES (pg_temp.org('payment two'), 'canceled'), (pg_temp.org('payment two'), 'trialing');
-- without a row there the organization's own; a plan without a subscription is none
SELECT pg_temp.customer('payment plan') IS NOT NULL;
UPDATE platform.organizations SET plan_status = 'past_due', stripe_subscription_id = 'sub_health' WHERE id = pg_temp.org('payment plan');
UPDATE platform.organizations SET plan_status = 'past_due' WHERE id = pg_temp.org('payment none');
SELECT written FROM platform.calculate_health_scores();
SELECT o.name, factors #>> '{payment,status}' AS status, payment_score FROM platform.customer_health_scores JOIN platform.organizations o ON o.id = organization_id WHERE name LIKE 'payment %' ORDER BY name;
-- grades and risks
SELECT s AS score, platform.calculate_health_grade(s) AS grade, platform.calculate_churn_risk(s) AS risk FROM unnest('{100,90,89,80,79,70,69,60,59,40,39,0,NULL}'::int[]) s;
SELECT bool_and(grade = platform.calculate_health_grade(score) AND risk_level = platform.calculate_churn_risk(score)) AS agree,
	bool_and(score = usage_score + engagement_score + feature_adoption_score + payment_score) AS sums FROM platform.customer_health_scores;

-- nothing changed: nothing written; one customer is written when asked for
SELECT written, alerts_raised FROM platform.calculate_health_scores();
SELECT * FROM platform.calculate_health_scores(pg_temp.org('adoption 6'));
-- a day later all rows are
UPDATE platform.customer_health_scores SET last_calculated = now() - interval '25 hours' WHERE organization_id = pg_temp.org('adoption 6');
SELECT written FROM platform.calculate_health_scores();

-- churn: a healthy customer, and how it goes down
SELECT pg_temp.customer('Acme', '90 days') IS NOT NULL;
INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES (pg_temp.org('Acme'), pg_temp.org('user'), 'owner');
INSERT INTO platform.usage_limits VALUES (pg_temp.org('Acme'), 3600, 6000, 100);
INSERT INTO platform.active_sessions VALUES (pg_temp.org('Acme'), now() - interval '2 hours');
INSERT INTO platform.agents VALUES (pg_temp.org('Acme'));
INSERT INTO platform.leads SELECT pg_temp.org('Acme'), now() - interval '3 days' FROM generate_series(1, 10);
INSERT INTO platform.subscriptions VALUES (pg_temp.org('Acme'), 'active');
INSERT INTO platform.calls SELECT pg_temp.org('Acme'), now() - interval '35 days' + i * interval '6 hours' FROM generate_series(1, 139) i;
SELECT scored, written, alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT score, grade, risk_level, factors -> 'calls' AS calls FROM platform.customer_health_scores WHERE organization_id = pg_temp.org('Acme');
-- FAULT of old: a slow decline never alerted, for a score was compared with the one before. No step is 15 points, together they are
UPDATE platform.usage_limits SET call_used_seconds = 1200 WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
DELETE FROM platform.leads WHERE organization_id = pg_temp.org('Acme');
UPDATE platform.usage_limits SET sms_cap = 0 WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT * FROM pg_temp.raised('Acme');
-- once, however often it is calculated; worse becomes more severe, on the same alert
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
DELETE FROM platform.agents WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT * FROM pg_temp.raised('Acme');
-- FAULT of old: payment_issue was never raised. A payment fails: below 40, and an e-mail is due, given out once
UPDATE platform.subscriptions SET status = 'past_due' WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT * FROM pg_temp.raised('Acme');
SELECT organization, email, score FROM platform.claim_churn_emails();
SELECT count(*) FROM platform.claim_churn_emails();
SELECT email_due, email_sent, email_sent_at IS NOT NULL AS sent_at FROM platform.churn_alerts WHERE organization_id = pg_temp.org('Acme') ORDER BY alert_type;
-- FAULT of old: usage_decline was never raised. The calls stop
DELETE FROM platform.calls WHERE organization_id = pg_temp.org('Acme') AND created_at > now() - interval '6 days';
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT alert_type, severity, title FROM pg_temp.raised('Acme') WHERE alert_type = 'usage_decline';
DELETE FROM platform.calls WHERE organization_id = pg_temp.org('Acme') AND created_at > now() - interval '8 days';
UPDATE platform.active_sessions SET last_active_at = now() - interval '8 days' WHERE organization_id = pg_temp.org('Acme');
UPDATE platform.customer_health_scores SET last_activity_at = now() - interval '8 days' WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT * FROM pg_temp.raised('Acme');
SELECT organization, score, change, open_alerts FROM platform.customer_health WHERE organization = 'Acme';
-- FAULT of old: nobody knew who resolved an alert. Acknowledged, resolved: the score of now is the one to compare with, and the kind stays away for a week
SELECT alert_id AS drop FROM platform.open_churn_alerts(pg_temp.org('Acme')) WHERE alert_type = 'score_drop' \gset
SELECT platform.set_context(NULL, 'Carol');
SELECT platform.acknowledge_churn_alert(:'drop'), platform.acknowledge_churn_alert(:'drop') AS again;
SELECT platform.resolve_churn_alert(:'drop', 'called them'), platform.resolve_churn_alert(:'drop') AS again;
SELECT acknowledged_by, resolved_by, resolution_notes, auto_resolved FROM platform.churn_alerts WHERE id = :'drop';
SELECT baseline_score = score AS from_here FROM platform.customer_health_scores WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT alert_id AS idle FROM platform.open_churn_alerts(pg_temp.org('Acme')) WHERE alert_type = 'inactivity' \gset
SELECT platform.resolve_churn_alert(:'idle');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
UPDATE platform.churn_alerts SET resolved_at = now() - interval '8 days' WHERE id = :'idle';
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Acme'));
-- all is well again: what is open resolves itself
UPDATE platform.subscriptions SET status = 'active' WHERE organization_id = pg_temp.org('Acme');
UPDATE platform.active_sessions SET last_active_at = now() WHERE organization_id = pg_temp.org('Acme');
INSERT INTO platform.calls SELECT pg_temp.org('Acme'), now() - i * interval '5 hours' FROM generate_series(0, 33) i;
SELECT alerts_raised, alerts_resolved FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT alert_type, resolved, auto_resolved, resolved_by FROM platform.churn_alerts WHERE organization_id = pg_temp.org('Acme') ORDER BY created_at, alert_type, resolved_by;
-- between half of a drop and the whole nothing begins and nothing ends
UPDATE platform.customer_health_scores SET baseline_score = score + 14 WHERE organization_id = pg_temp.org('Acme');
UPDATE platform.churn_alerts SET resolved_at = now() - interval '8 days' WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised, alerts_resolved FROM platform.calculate_health_scores(pg_temp.org('Acme'));
UPDATE platform.customer_health_scores SET baseline_score = score + 15 WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised, alerts_resolved FROM platform.calculate_health_scores(pg_temp.org('Acme'));
UPDATE platform.customer_health_scores SET baseline_score = score + 8 WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised, alerts_resolved FROM platform.calculate_health_scores(pg_temp.org('Acme'));
UPDATE platform.customer_health_scores SET baseline_score = score + 7 WHERE organization_id = pg_temp.org('Acme');
SELECT alerts_raised, alerts_resolved FROM platform.calculate_health_scores(pg_temp.org('Acme'));

-- FAULT of old: who never did anything was never inactive. He is, too, a new one is not yet
SELECT pg_temp.customer('Silent', '8 days') IS NOT NULL, pg_temp.customer('New', '6 days') IS NOT NULL;
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Silent'));
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('New'));
SELECT * FROM pg_temp.raised('Silent');
-- FAULT of old: a score of 0 was taken for none. It is a score: what falls to it is told, what stays there is not told again
SELECT pg_temp.customer('Zero') IS NOT NULL;
INSERT INTO platform.subscriptions VALUES (pg_temp.org('Zero'), 'trialing');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Zero'));
UPDATE platform.subscriptions SET status = 'canceled' WHERE organization_id = pg_temp.org('Zero');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Zero'));
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Zero'));
SELECT * FROM pg_temp.raised('Zero');
-- a fall below 40 of less than 15 points: no drop to speak of, but an e-mail
SELECT pg_temp.customer('Edge') IS NOT NULL;
INSERT INTO platform.subscriptions VALUES (pg_temp.org('Edge'), 'active');
INSERT INTO platform.active_sessions VALUES (pg_temp.org('Edge'), now());
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Edge'));
UPDATE platform.active_sessions SET last_active_at = now() - interval '2 days' WHERE organization_id = pg_temp.org('Edge');
UPDATE platform.customer_health_scores SET last_activity_at = NULL WHERE organization_id = pg_temp.org('Edge');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Edge'));
SELECT * FROM pg_temp.raised('Edge');
SELECT organization, email, score FROM platform.claim_churn_emails(10);
-- few calls that become fewer say nothing
SELECT pg_temp.customer('Few') IS NOT NULL;
INSERT INTO platform.calls SELECT pg_temp.org('Few'), now() - interval '20 days' FROM generate_series(1, 39);
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Few'));
INSERT INTO platform.calls VALUES (pg_temp.org('Few'), now() - interval '20 days');
SELECT alerts_raised FROM platform.calculate_health_scores(pg_temp.org('Few'));
SELECT * FROM pg_temp.raised('Few');

-- FAULT of old: every calculation added to the history. A row for a day on which the score changed
SELECT count(*), count(DISTINCT calculated_on) AS days FROM platform.customer_health_history WHERE organization_id = pg_temp.org('Acme');
UPDATE platform.customer_health_history SET calculated_on = calculated_on - 1, score = 99 WHERE organization_id = pg_temp.org('Acme');
SELECT written FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT count(*) FROM platform.customer_health_history WHERE organization_id = pg_temp.org('Acme');
UPDATE platform.usage_limits SET call_used_seconds = 3600 WHERE organization_id = pg_temp.org('Acme');
SELECT written FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT (now() AT TIME ZONE 'UTC')::date - calculated_on AS days_ago, h.score = s.score AS present FROM platform.customer_health_history h JOIN platform.customer_health_scores s USING (organization_id) WHERE organization_id = pg_temp.org('Acme') ORDER BY 1;
-- the rules are rows
UPDATE platform.health_thresholds SET points = 24 WHERE signal = 'usage_percent' AND threshold = 50;
UPDATE platform.health_settings SET value = 95 WHERE name = 'grade_a';
SELECT written FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SELECT usage_score FROM platform.customer_health_scores WHERE organization_id = pg_temp.org('Acme');
SELECT platform.calculate_health_grade(94);
SELECT entity, changed, new FROM platform.audit_logs WHERE entity IN ('health_thresholds', 'health_settings') AND action = 'UPDATE' AND created_at >= now() ORDER BY id;
-- who is gone is not scored, and its alerts end; nor is the default organization
UPDATE platform.organizations SET status = 'cancelled' WHERE id = pg_temp.org('Silent');
UPDATE platform.organizations SET deleted_at = now() WHERE id = pg_temp.org('Zero');
SELECT scored, alerts_resolved FROM platform.calculate_health_scores(pg_temp.org('Silent'));
SELECT scored, alerts_resolved FROM platform.calculate_health_scores(pg_temp.org('Zero'));
SELECT scored FROM platform.calculate_health_scores('00000000-0000-0000-0000-000000000000');
-- FAULT of old: the first thousand only. All customers
SELECT scored AS before FROM platform.calculate_health_scores() \gset
SELECT count(pg_temp.customer('many ' || i)) FROM generate_series(1, 1200) i;
SELECT scored - :before AS scored, written FROM platform.calculate_health_scores();
-- the reference's query
SET LOCAL search_path = platform, pg_catalog;
SELECT
  grade,
  COUNT(*) as count
FROM customer_health_scores
WHERE organization_id IN (SELECT id FROM organizations WHERE name IN ('Acme', 'Edge', 'New'))
GROUP BY grade
ORDER BY grade;
RESET search_path;
-- nothing of it can be turned by the caller's search_path
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.floor(float8) RETURNS float8 LANGUAGE sql AS 'SELECT 1 / 0::float8';
CREATE FUNCTION hostile.less(float8, float8) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0 = 1';
CREATE OPERATOR hostile.>= (LEFTARG = float8, RIGHTARG = float8, FUNCTION = hostile.less);
SET LOCAL search_path = hostile, pg_catalog;
SELECT scored, written FROM platform.calculate_health_scores(pg_temp.org('Acme'));
SHOW search_path;
RESET search_path;
-- refused
\set VERBOSITY sqlstate
SAVEPOINT e;
SELECT platform.calculate_health_scores('40000000-0000-4000-8000-00000000dead');
ROLLBACK TO e;
SELECT platform.acknowledge_churn_alert(NULL);
ROLLBACK TO e;
SELECT platform.resolve_churn_alert('40000000-0000-4000-8000-00000000dead');
ROLLBACK TO e;
SELECT platform.resolve_churn_alert(:'drop', repeat('x', 10001));
ROLLBACK TO e;
SELECT platform.set_context(pg_temp.org('Acme'), pg_temp.org('user')::text, 'owner');
SET LOCAL ROLE platform_test_member;
SAVEPOINT m;
SELECT platform.calculate_health_scores();
ROLLBACK TO m;
SELECT * FROM platform.health_sources();
ROLLBACK TO m;
SELECT * FROM platform.customer_health_scores;
ROLLBACK TO m;
SELECT * FROM platform.customer_health;
ROLLBACK TO m;
SELECT * FROM platform.customer_health_history;
ROLLBACK TO m;
SELECT * FROM platform.churn_alerts;
ROLLBACK TO m;
SELECT platform.resolve_churn_alert(:'drop');
ROLLBACK TO m;
SELECT * FROM platform.open_churn_alerts();
ROLLBACK TO m;
SELECT * FROM platform.claim_churn_emails();
ROLLBACK TO m;
UPDATE platform.health_settings SET value = 0;
ROLLBACK;
