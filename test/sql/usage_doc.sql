-- The examples of the page about usage caps
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
BEGIN;
\o /dev/null
SELECT * FROM platform.load_demo_data();
\o
\set ECHO all

SELECT changed, current_tier, call_cap_seconds, sms_cap, limit_state
FROM platform.apply_tier('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 'starter');

SELECT duplicate, difference, used_seconds, remaining_seconds, limit_state
FROM platform.record_call_usage('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 'call-1', 300);
SELECT duplicate, difference, used_seconds, remaining_seconds, limit_state
FROM platform.record_call_usage('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 'call-1', 312);

SELECT allowed, reason, limit_state, used_seconds, limit_seconds, remaining_sms
FROM platform.check_usage('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3');

SELECT reservation_id, allowed, remaining_sms
FROM platform.reserve_sms('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 2) \gset
SELECT used_segments, remaining_segments FROM platform.commit_sms('d0000000-0000-4000-8000-000000000002', :'reservation_id', 'SM1');

SELECT duplicate, call_credit, limit_state FROM platform.apply_top_up('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 'call_300', 'pi_1');
SELECT duplicate, call_credit, limit_state FROM platform.apply_top_up('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 'call_300', 'pi_1');

SELECT platform.roll_usage_periods() >= 0 AS rolled;

SELECT platform.force_pause('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3', 'card reported stolen', 'infinity');
SELECT allowed, reason FROM platform.check_usage('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3');
SELECT platform.clear_force('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000a3');
ROLLBACK;
