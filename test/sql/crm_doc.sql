-- The examples of the page about CRM, and the common queries of an older system as they are
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'c1260000-0000-4000-8000-000000000001\''
\set user '\'c1260000-0000-4000-8000-0000000000a1\''
BEGIN;
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Example');
INSERT INTO platform.users (id, email) VALUES (:user, 'ada@crm-doc.example');
INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES (:org, :user, 'owner');
\set ECHO all

SELECT agent, deployment FROM platform.start_agent_deploy(:org, :user, 'deploy-1', 'Lake Plumbing', 'plumbing') \gset
SELECT platform.finish_agent_deploy(:org, :'deployment', true, 'agent_master', '(415) 555-1234');       -- active
SELECT phone_number, answers FROM platform.agent_for_number('415-555-1234');                            -- +14155551234, true

SELECT status, created FROM platform.record_call_lead(:org, 'call-77', '(312) 555-0101', 'Carl', summary => 'He was upset.', call_outcome => 'Callback Requested');  -- callback_requested
SELECT line, outcome FROM platform.import_leads(:org, '[{"name": "Dora", "phone": "312 555 0102"}, {"phone": "+13125550102"}]');       -- created, existing
SELECT name, calls, last_status, last_sentiment FROM platform.customer_by_phone(:org, '312.555.0101');

SELECT deal_id, commission_id FROM platform.record_deal(:org, 49900, :user, stripe_session_id => 'cs_123') \gset
SELECT platform.complete_deal(:org, :'deal_id');
SELECT platform.pay_commission(:org, :'commission_id', payout_reference => 'wire 7');                  -- 4990

SELECT id FROM platform.book_appointment(:org, 'Carl', '2030-05-06 09:00+00', customer_phone => '(312) 555-0101') \gset
SELECT platform.reschedule_appointment(:org, :'id', '2030-05-07 09:00+00', reason => 'asked for');
SELECT change, old_start_time, new_start_time, reason FROM platform.appointment_changes WHERE appointment_id = :'id' ORDER BY id;
SELECT id, lease_id, customer_phone FROM platform.claim_due_reminders(:org, 'sender-1');

SELECT id AS session, token, update_key FROM platform.start_tracking(:org, eta_minutes => 20) \gset
SELECT platform.add_tracking_point(:'update_key', 41.88, -87.63, 12);
SELECT status, eta_minutes, lat, lng FROM platform.track(:'token');
SELECT platform.end_tracking(:org, :'session');

-- every event of an appointment is there for webhooks
SELECT event_type FROM platform.webhook_events WHERE organization_id = :org ORDER BY id;

-- queries of the older system, for their statements and columns
SET search_path = platform;
\o /dev/null
SELECT * FROM agents
WHERE phone_number = '+14155551234';
SELECT
  id, event_type, phone_number,
  processed_at, error_message, attempts
FROM webhook_queue
WHERE processed_at IS NULL
ORDER BY received_at DESC
LIMIT 50;
SELECT
  error_type, endpoint, message,
  created_at, resolved_at
FROM error_logs
WHERE resolved_at IS NULL
ORDER BY created_at DESC
LIMIT 20;
SELECT
  grade,
  COUNT(*) as count
FROM customer_health_scores
GROUP BY grade
ORDER BY grade;
SELECT
  tier,
  call_used_seconds,
  call_cap_seconds,
  call_credit,
  sms_used,
  sms_cap,
  sms_credit,
  limit_state
FROM usage_limits
WHERE user_id = 'c1260000-0000-4000-8000-0000000000a1';
\o
RESET search_path;
ROLLBACK;
