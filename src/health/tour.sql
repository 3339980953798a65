-- tour 45 Customer health: who may leave, and why
\echo
\echo A customer with a subscription and agents, seen healthy.
\echo
\set ECHO queries
INSERT INTO platform.organizations (id, name, created_at, plan_status, stripe_subscription_id)
VALUES ('d0000000-0000-4000-8000-000000000450', 'Tour Plumbing', now() - interval '60 days', 'active', 'sub_tour');
SELECT scored, alerts_raised FROM platform.calculate_health_scores();
SELECT organization, score, grade, risk_level, open_alerts FROM platform.customer_health ORDER BY organization;
\set ECHO none
\echo
\echo The payment fails. Calculated twice, told once.
\echo
\set ECHO queries
UPDATE platform.organizations SET plan_status = 'past_due' WHERE name = 'Tour Plumbing';
SELECT alerts_raised FROM platform.calculate_health_scores();
SELECT alerts_raised FROM platform.calculate_health_scores();
SELECT organization, alert_type, severity, title FROM platform.open_churn_alerts() ORDER BY alert_type;
\set ECHO none
\echo
\echo It is paid, and what was about the payment ends by itself.
\echo
\set ECHO queries
UPDATE platform.organizations SET plan_status = 'active' WHERE name = 'Tour Plumbing';
SELECT alerts_resolved FROM platform.calculate_health_scores();
SELECT alert_type, title FROM platform.open_churn_alerts() ORDER BY alert_type;
DELETE FROM platform.organizations WHERE name = 'Tour Plumbing';
\set ECHO none
