-- The examples of the page about health
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
INSERT INTO platform.organizations (id, name, plan_status, stripe_subscription_id) VALUES ('a1400000-0000-4000-8000-000000000001', 'Example', 'active', 'sub_1');
\set ECHO all

SELECT scored FROM platform.calculate_health_scores('a1400000-0000-4000-8000-000000000001');
SELECT score, grade, risk_level, payment_score, factors -> 'payment' AS payment
FROM platform.customer_health_scores WHERE organization_id = 'a1400000-0000-4000-8000-000000000001';
SELECT platform.calculate_health_grade(85), platform.calculate_churn_risk(85);                    -- B, low

UPDATE platform.organizations SET plan_status = 'past_due' WHERE id = 'a1400000-0000-4000-8000-000000000001';
SELECT alerts_raised FROM platform.calculate_health_scores('a1400000-0000-4000-8000-000000000001');
SELECT alert_type, severity, title FROM platform.open_churn_alerts('a1400000-0000-4000-8000-000000000001');
UPDATE platform.health_settings SET value = 10 WHERE name = 'inactive_days';
ROLLBACK;
