-- Subscriptions: events twice, late and in any order; periods, cancellation, another subscription; malformed ones
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('ca500400-0000-4000-8000-000000000001', 'Subscribed') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) SELECT ('ca500400-0000-4000-8000-0000000000a' || i)::uuid, 'subscribed-' || i || '@example.com' FROM generate_series(1, 8) i
ON CONFLICT DO NOTHING;
\set org '''ca500400-0000-4000-8000-000000000001'''
\set u1 '''ca500400-0000-4000-8000-0000000000a1'''
\set u2 '''ca500400-0000-4000-8000-0000000000a2'''
\set u3 '''ca500400-0000-4000-8000-0000000000a3'''
\set u4 '''ca500400-0000-4000-8000-0000000000a4'''
-- an event of a subscription: made so many seconds from now, its period in days from now
CREATE FUNCTION pg_temp.event(id text, kind text, made numeric, subscription text, status text, tier text, first numeric, last numeric, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'type', 'customer.subscription.' || kind, 'created', floor(extract(epoch FROM now()) + made),
		'data', jsonb_build_object('object', jsonb_build_object('id', subscription, 'customer', 'cus_1', 'status', status, 'cancel_at_period_end', false,
			'current_period_start', floor(extract(epoch FROM now()) + first * 86400), 'current_period_end', floor(extract(epoch FROM now()) + last * 86400),
			'metadata', jsonb_build_object('tier', tier)) || more))
$$;
\set apply 'SELECT applied, reason, status, current_tier AS tier, plan_status AS plan, round(extract(epoch FROM period_start - now()) / 86400) AS start, round(extract(epoch FROM period_end - now()) / 86400) AS "end" FROM platform.apply_subscription_event'
\set limits 'SELECT tier, plan_status AS plan, call_used_seconds AS used, call_cap_seconds AS cap, call_credit AS credit, round(extract(epoch FROM period_start - now()) / 86400) AS start, round(extract(epoch FROM period_end - now()) / 86400) AS "end", plan_ends_at IS NOT NULL AS ends FROM platform.usage_limits WHERE user_id ='
\set ECHO all
BEGIN;
-- incomplete gives nothing, active gives the tier and the period
:apply(:org, :u1, pg_temp.event('e1', 'created', -1000, 'sub_1', 'incomplete', 'core', -10, 20));
SELECT allowed, reason FROM platform.check_usage(:org, :u1);
:apply(:org, :u1, pg_temp.event('e2', 'updated', -990, 'sub_1', 'active', 'core', -10, 20));
:limits :u1;
-- twice is once; what is older changes nothing
SELECT used_seconds FROM platform.record_call_usage(:org, :u1, 'c1', 500);
:apply(:org, :u1, pg_temp.event('e2', 'updated', -990, 'sub_1', 'active', 'core', -10, 20));
:apply(:org, :u1, pg_temp.event('e1', 'created', -1000, 'sub_1', 'incomplete', 'core', -10, 20));
:limits :u1;
-- within a second: a deletion is newer than an update, an update than a creation, and one that was applied is known
:apply(:org, :u1, pg_temp.event('e3', 'updated', -980, 'sub_1', 'active', 'pro', -10, 20));
:apply(:org, :u1, pg_temp.event('e4', 'updated', -980, 'sub_1', 'past_due', 'pro', -10, 20));
:apply(:org, :u1, pg_temp.event('e3', 'updated', -980, 'sub_1', 'active', 'pro', -10, 20));
:apply(:org, :u1, pg_temp.event('e5', 'created', -980, 'sub_1', 'active', 'core', -10, 20));
SELECT status, tier, last_event_ids FROM platform.subscriptions WHERE stripe_subscription_id = 'sub_1';
:limits :u1;
SELECT allowed, reason FROM platform.check_usage(:org, :u1);
-- cancellation at the end of the period, and its withdrawal
:apply(:org, :u1, pg_temp.event('e6', 'updated', -970, 'sub_1', 'active', 'pro', -10, 20, '{"cancel_at_period_end": true}'));
:limits :u1;
:apply(:org, :u1, pg_temp.event('e7', 'updated', -960, 'sub_1', 'active', 'pro', -10, 20));
:limits :u1;
-- cancelled now: caps are gone, what was bought stays and what was used of the caps does not use it up
SELECT call_credit FROM platform.apply_top_up(:org, :u1, 'call_300', 'sub_pay_1');
:apply(:org, :u1, pg_temp.event('e8', 'deleted', -950, 'sub_1', 'canceled', 'pro', -10, 20));
:limits :u1;
SELECT allowed, reason, remaining_seconds, sms_allowed, sms_reason FROM platform.check_usage(:org, :u1);
:apply(:org, :u1, pg_temp.event('e8', 'deleted', -950, 'sub_1', 'canceled', 'pro', -10, 20));
-- an update that was sent before and comes after does not bring it back
:apply(:org, :u1, pg_temp.event('e9', 'updated', -955, 'sub_1', 'active', 'pro', -10, 20));
SELECT call_used_seconds AS used, call_cap_seconds AS cap, plan_status, closed_at IS NOT NULL AS closed FROM platform.usage_periods WHERE user_id = :u1 ORDER BY period_start, id;
-- a new one begins a period; the end of the old one does not end it
:apply(:org, :u1, pg_temp.event('f1', 'created', -900, 'sub_2', 'active', 'elite', 0, 30));
:apply(:org, :u1, pg_temp.event('e10', 'deleted', -890, 'sub_1', 'canceled', 'pro', -10, 20));
:limits :u1;
SELECT reason, tier FROM platform.usage_tier_changes WHERE user_id = :u1 ORDER BY id;

-- in the wrong order from the first: deleted, then created
:apply(:org, :u2, pg_temp.event('g2', 'deleted', -500, 'sub_3', 'canceled', 'core', -10, 20));
:apply(:org, :u2, pg_temp.event('g1', 'created', -510, 'sub_3', 'active', 'core', -10, 20));
SELECT allowed, reason FROM platform.check_usage(:org, :u2);

-- a renewal: our period was rolled already, or is not yet
:apply(:org, :u3, pg_temp.event('h1', 'created', -500, 'sub_4', 'active', 'core', -40, -10));
:limits :u3;
SELECT used_seconds FROM platform.record_call_usage(:org, :u3, 'c2', 100);
:apply(:org, :u3, pg_temp.event('h2', 'updated', -400, 'sub_4', 'active', 'core', -10, 21));
:limits :u3;
:apply(:org, :u3, pg_temp.event('h3', 'updated', -300, 'sub_4', 'active', 'core', 21, 50));
:limits :u3;
-- an end that is past does not make each event begin a period
SELECT used_seconds FROM platform.record_call_usage(:org, :u3, 'c3', 100);
:apply(:org, :u3, pg_temp.event('h4', 'updated', -200, 'sub_4', 'past_due', 'core', -10, -1));
SELECT used_seconds FROM platform.record_call_usage(:org, :u3, 'c4', 100);
SELECT used_seconds FROM platform.record_call_usage(:org, :u3, 'c5', 100);
-- unpaid ends the plan, payment gives it back
:apply(:org, :u3, pg_temp.event('h5', 'updated', -100, 'sub_4', 'unpaid', 'core', -10, 20));
SELECT allowed, reason FROM platform.check_usage(:org, :u3);
:apply(:org, :u3, pg_temp.event('h6', 'updated', -90, 'sub_4', 'active', 'core', -10, 20));
SELECT allowed, reason FROM platform.check_usage(:org, :u3);

-- the newer shape: period and tier are the item's
:apply(:org, :u4, jsonb_build_object('id', 'i1', 'type', 'customer.subscription.created', 'created', 1700000000, 'data', jsonb_build_object('object',
	jsonb_build_object('id', 'sub_5', 'status', 'trialing', 'items', jsonb_build_object('data', jsonb_build_array(jsonb_build_object(
		'current_period_start', floor(extract(epoch FROM now() - interval '2 days')), 'current_period_end', floor(extract(epoch FROM now() + interval '12 days')),
		'price', jsonb_build_object('lookup_key', 'white_glove'))))))));
SELECT period_step FROM platform.usage_limits WHERE user_id = :u4;
-- what is no subscription's
:apply(:org, :u4, '{"id": "j1", "type": "invoice.paid", "created": 1, "data": {"object": {}}}');
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.apply_subscription_event(:org, :u4, NULL);
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, '{}');
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, '[]');
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, '"x"');
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, pg_temp.event('x', 'updated', 0, 'sub_5', 'strange', 'core', -10, 20));
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, pg_temp.event('x', 'updated', 0, 'sub_5', 'active', 'core', 20, -10));
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, pg_temp.event('x', 'updated', 0, 'sub_5', 'active', 'nothing', -10, 20));
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, pg_temp.event(NULL, 'updated', 0, 'sub_5', 'active', 'core', -10, 20));
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u4, jsonb_set(pg_temp.event('x', 'updated', 0, 'sub_5', 'active', 'core', -10, 20), '{created}', '"now"'));
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, :u3, pg_temp.event('x', 'updated', 0, 'sub_5', 'active', 'core', -10, 20));
ROLLBACK TO s;
SELECT platform.apply_subscription_event(:org, 'ca500400-0000-4000-8000-0000000000ff', pg_temp.event('x', 'updated', 0, 'sub_9', 'active', 'core', -10, 20));
ROLLBACK TO s;
ROLLBACK;

-- months: from the 31st, by the anchor of the subscription
BEGIN;
\set VERBOSITY default
SELECT applied, plan_status FROM platform.apply_subscription_event(:org, :u1, '{"id": "m1", "type": "customer.subscription.created", "created": 1706688000, "data": {"object": {"id": "sub_m", "status": "active",
	"current_period_start": 1706695200, "current_period_end": 1709200800, "billing_cycle_anchor": 1706695200, "metadata": {"tier": "core"}}}}');
SELECT period_step, period_anchor, period_timezone FROM platform.usage_limits WHERE user_id = :u1;
ROLLBACK;
