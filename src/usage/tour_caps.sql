-- tour 100 Usage caps: minutes, messages, and what was bought
\echo
\echo Ben begins with tier core: 150 minutes a period, and ten of grace. His calls are recorded
\echo once, however often the provider reports them, and corrected when it changes its mind.
\echo
\set ECHO queries
SELECT current_tier, call_cap_seconds, sms_cap FROM platform.apply_tier('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a2', 'core');
SELECT duplicate, difference, used_seconds, limit_state
FROM platform.record_call_usage('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a2', 'CA-tour-1', 9000);
SELECT duplicate, difference, used_seconds, limit_state
FROM platform.record_call_usage('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a2', 'CA-tour-1', 9620);
SELECT allowed, reason, limit_state, remaining_seconds, sms_allowed, remaining_sms
FROM platform.check_usage('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a2');
\set ECHO none
\echo
\echo He buys 300 minutes. The payment is announced twice and credited once; the stop is over.
\echo
\set ECHO queries
SELECT duplicate, call_credit, limit_state FROM platform.apply_top_up('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a2', 'call_300', 'pi_tour_1');
SELECT duplicate, call_credit, limit_state FROM platform.apply_top_up('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a2', 'call_300', 'pi_tour_1');
SELECT alert_type, severity, message FROM platform.alerts
WHERE user_id = 'd0000000-0000-4000-8000-0000000000a2' AND alert_type LIKE 'usage%' ORDER BY created_at;
\set ECHO none
