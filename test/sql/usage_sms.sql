-- Segments set aside: all or none, a refusal counts nothing, each settled once, also when its time is over
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
INSERT INTO platform.organizations (id, name) VALUES ('ca500500-0000-4000-8000-000000000001', 'Messages') ON CONFLICT DO NOTHING;
INSERT INTO platform.users (id, email) SELECT ('ca500500-0000-4000-8000-0000000000a' || i)::uuid, 'messages-' || i || '@example.com' FROM generate_series(1, 3) i
ON CONFLICT DO NOTHING;
\set org '''ca500500-0000-4000-8000-000000000001'''
\set u1 '''ca500500-0000-4000-8000-0000000000a1'''
\set u2 '''ca500500-0000-4000-8000-0000000000a2'''
\set reserve 'SELECT allowed, reason, remaining_sms AS remaining, duplicate, expires_at > now() AS lasts FROM platform.reserve_sms'
\set state 'SELECT sms_used, sms_reserved, sms_reserved_until IS NOT NULL AS until FROM platform.usage_limits WHERE user_id = '
\set ECHO all
BEGIN;
SELECT sms_cap FROM platform.apply_tier(:org, :u1, 'core');
:reserve(:org, :u1);
:reserve(:org, :u1, 3, '1 hour', 'k1');
:reserve(:org, :u1, 3, '1 hour', 'k1');
:state :u1;
-- all or none; a refusal counts nothing and stops nothing
:reserve(:org, :u1, 247, '1 hour');
:state :u1;
SELECT remaining_sms, sms_allowed, sms_limit_state, allowed FROM platform.check_usage(:org, :u1);
:reserve(:org, :u1, 246, '1 hour', 'k2');
:reserve(:org, :u1, 1);
SELECT remaining_sms, sms_allowed, sms_reason, sms_limit_state, allowed, reason FROM platform.check_usage(:org, :u1);
SELECT count(*) FROM platform.sms_reservations WHERE organization_id = :org;
-- commit: as many as were used; again is nothing
SELECT id AS k1 FROM platform.sms_reservations WHERE organization_id = :org AND idempotency_key = 'k1' \gset
SELECT id AS k2 FROM platform.sms_reservations WHERE organization_id = :org AND idempotency_key = 'k2' \gset
SELECT duplicate, used_segments, remaining_segments FROM platform.commit_sms(:org, :'k1', 'm1', 2, '+14155550100', 3);
SELECT duplicate, used_segments, remaining_segments FROM platform.commit_sms(:org, :'k1', 'm1', 2);
:state :u1;
SELECT message_id, segments, cost_cents, direction, phone_number FROM platform.usage_sms WHERE organization_id = :org;
-- release: once
SELECT platform.release_sms(:org, :'k2'), platform.release_sms(:org, :'k2');
:state :u1;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT platform.commit_sms(:org, :'k1', 'other', 2);
ROLLBACK TO s;
SELECT platform.commit_sms(:org, :'k2', 'm2');
ROLLBACK TO s;
SELECT platform.release_sms(:org, :'k1');
ROLLBACK TO s;
SELECT platform.release_sms(:org, 'ca500500-0000-4000-8000-0000000000ff');
ROLLBACK TO s;
SELECT platform.commit_sms(:org, 'ca500500-0000-4000-8000-0000000000ff', 'x');
ROLLBACK TO s;
SELECT platform.commit_sms(:org, :'k1', NULL);
ROLLBACK TO s;
SELECT platform.reserve_sms(:org, :u1, 4, '1 hour', 'k1');
ROLLBACK TO s;
SELECT platform.reserve_sms(:org, :u1, 0);
ROLLBACK TO s;
SELECT platform.reserve_sms(:org, :u1, NULL);
ROLLBACK TO s;
SELECT platform.reserve_sms(:org, :u1, 1, '32 days');
ROLLBACK TO s;
SELECT platform.reserve_sms(:org, :u1, 1, '0');
ROLLBACK TO s;
SELECT platform.reserve_sms(:org, 'ca500500-0000-4000-8000-0000000000ff');
ROLLBACK TO s;
\set VERBOSITY default
-- over: free again for whoever looks, and settled by the next reservation
:reserve(:org, :u1, 240, '1 hour', 'k3');
UPDATE platform.sms_reservations SET expires_at = now() - interval '1 second' WHERE organization_id = :org AND idempotency_key = 'k3';
UPDATE platform.usage_limits SET sms_reserved_until = now() - interval '1 second' WHERE user_id = :u1;
SELECT remaining_sms FROM platform.check_usage(:org, :u1);
:state :u1;
:reserve(:org, :u1, 200, '1 hour', 'k4');
:state :u1;
SELECT idempotency_key, segments, status FROM platform.sms_reservations WHERE organization_id = :org ORDER BY id;
-- a commit that comes too late is recorded, and frees nothing a second time
SELECT id AS k3 FROM platform.sms_reservations WHERE organization_id = :org AND idempotency_key = 'k3' \gset
SELECT used_segments, remaining_segments FROM platform.commit_sms(:org, :'k3', 'm3');
:state :u1;
-- a key of one that is over, or was released, sets nothing aside
:reserve(:org, :u1, 246, '1 hour', 'k2');
UPDATE platform.sms_reservations SET expires_at = now() - interval '1 second' WHERE organization_id = :org AND idempotency_key = 'k4';
:reserve(:org, :u1, 200, '1 hour', 'k4');
-- without a plan nothing is set aside
:reserve(:org, :u2);
-- while an operator has paused it neither
SELECT platform.force_pause(:org, :u1, 'check', 'infinity');
:reserve(:org, :u1);
ROLLBACK;
