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
SELECT
  run_type, status,
  records_checked, discrepancies_found,
  started_at, completed_at
FROM reconciliation_runs
ORDER BY started_at DESC
LIMIT 10;
-- what the two documents say of the columns of these tables: missing ones, of which we have another name
\o
SELECT d.t AS table, d.c AS column FROM (
	SELECT split_part(l, ':', 1) AS t, unnest(string_to_array(split_part(l, ':', 2), ' ')) AS c FROM unnest(ARRAY[
		'profiles:user_id email business_name area_code role tier industry cal_com_url transfer_number business_hours post_call_sms_enabled review_request_enabled deploy_error',
		'agents:id user_id agent_id phone_number nickname status inbound_webhook_url deploy_request_id provider provider_number_id updated_at',
		'leads:id user_id phone name business_name transcript summary sentiment status call_duration_seconds appointment_booked flagged_for_review',
		'messages:id user_id thread_id direction from_number to_number body created_at',
		'appointments:id user_id customer_name customer_phone customer_email start_time end_time status notes cal_booking_uid',
		'subscriptions:id user_id stripe_subscription_id stripe_customer_id tier status current_period_start current_period_end',
		'usage_limits:user_id tier call_cap_seconds call_used_seconds call_credit sms_cap sms_used sms_credit period_start period_end limit_state hard_stop_active',
		'webhook_queue:id phone_number user_id event_type raw_payload idempotency_key received_at processed_at processed_by result error_message attempts',
		'error_logs:id error_type endpoint user_id message stack_trace request_body resolved_at resolved_by resolution_notes created_at',
		'ops_alerts:id alert_type severity user_id message details acknowledged_at acknowledged_by',
		'customer_health_scores:id user_id score grade risk_level factors last_calculated',
		'churn_alerts:id user_id reason severity resolved_at',
		'reconciliation_runs:id run_type started_at completed_at status records_checked discrepancies_found discrepancy_details triggered_by',
		'active_sessions:id user_id token_hash ip_address user_agent created_at last_active revoked_at',
		'usage_calls:id user_id call_id phone_number direction seconds provider_call_id created_at',
		'usage_sms:id user_id message_id phone_number direction provider_message_id created_at',
		'sms_opt_out:id phone', 'sms_thread_locks:from_number locked_until', 'outbound_sms_log:id to_number body status created_at',
		'audit_logs:id user_id actor_id action action_type entity entity_id ip user_agent metadata created_at', 'black_box_logs:event_id user_id action_type timestamp ip_address user_agent meta_data',
		'latency_logs:endpoint method duration_ms status_code user_id request_id is_slow', 'upgrade_prompts_shown:user_id prompt_type trigger_reason clicked dismissed converted shown_at',
		'dialer_queue:lead_id created_by status', 'deals:lead_id seller_id referrer_id stripe_session_id status', 'commissions:seller_id deal_id status approved_at', 'consent_logs:user_id version ip user_agent created_at']) AS l) AS d
WHERE NOT EXISTS (SELECT FROM information_schema.columns k WHERE k.table_schema = 'platform' AND k.table_name = d.t AND k.column_name = d.c) ORDER BY 1, 2;
RESET search_path;
ROLLBACK;
