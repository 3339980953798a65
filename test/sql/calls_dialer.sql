-- The dialer's queue: order, leases, attempts, fences; a lead waits once
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set org '\'ca160000-0000-4000-8000-000000000001\''
\set other '\'ca160000-0000-4000-8000-000000000002\''
\set ada '\'ca160000-0000-4000-8000-0000000000a1\''
\set lead '\'ca160000-0000-4000-8000-0000000000d1\''
\set call '\'ca160000-0000-4000-8000-0000000000c1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Dialer One'), (:other, 'Dialer Two');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@calls-dialer.example');
INSERT INTO platform.calls (id, organization_id) VALUES (:call, :org);
SELECT platform.enqueue_dialer_job(:other, '+13125550199');
CREATE TEMP VIEW job AS SELECT to_number, status, priority, attempts, claimed_by, lease_id IS NOT NULL AS leased, last_error, call_id IS NOT NULL AS called, finished_at IS NOT NULL AS finished
FROM platform.dialer_queue WHERE organization_id = 'ca160000-0000-4000-8000-000000000001';
GRANT SELECT ON job TO platform_test_member;
SELECT platform.set_context(:org, :ada, 'agent');
SET ROLE platform_test_member;
\o
\set ECHO all

SELECT platform.enqueue_dialer_job(:org, '(312) 555-0101', metadata => '{"campaign": 7}', run_at => now() - interval '1 min') AS first \gset
SELECT platform.enqueue_dialer_job(:org, '030 55502', priority => 50, region => 'DE', from_number => '030 55500') IS NOT NULL AS queued;
SELECT platform.enqueue_dialer_job(:org, '3125550103', run_at => now() + interval '1 hour') IS NOT NULL AS queued;
-- a lead waits once, also while it is being called
SELECT platform.enqueue_dialer_job(:org, lead_id => :lead) AS led \gset
SELECT platform.enqueue_dialer_job(:org, '3125550104', :lead) = :'led' AS same;
-- lower priority first, then the oldest; not before their time
SELECT to_number, from_number, attempt, metadata, tenant = :org AS own, lease_until > now() AS leased FROM platform.claim_dialer_jobs(worker => 'w1', "limit" => 2);
SELECT to_number, lead_id = :lead AS led, attempt FROM platform.claim_dialer_jobs(:org, 'w2', 10, '1 hour');
SELECT count(*) AS none_left FROM platform.claim_dialer_jobs("limit" => 10);
SELECT platform.enqueue_dialer_job(:org, lead_id => :lead) = :'led' AS same;
SELECT * FROM job ORDER BY to_number COLLATE "C";

-- the claim's lease is the fence
SELECT lease_id AS lease FROM platform.dialer_queue WHERE id = :'first' \gset
SELECT platform.extend_dialer_lease(:org, :'first', :'lease', '10 min'), platform.extend_dialer_lease(:org, :'first', :'first') AS not_mine;
SELECT platform.finish_dialer_job(:org, :'first', :'first') IS NULL AS not_mine;
SELECT platform.finish_dialer_job(:org, :'first', :'lease', 'retry', 'busy', '0') AS status;
SELECT platform.finish_dialer_job(:org, :'first', :'lease') IS NULL AS over;
SELECT to_number, attempt, lease_id AS lease2, id = :'first' AS again FROM platform.claim_dialer_jobs() \gset
SELECT platform.finish_dialer_job(:org, :'first', :'lease') IS NULL AS old_lease, platform.finish_dialer_job(:org, :'first', :'lease2', 'retry', 'busy', '0') AS status;
SELECT lease_id AS lease3, attempt FROM platform.claim_dialer_jobs() \gset
-- the third attempt was the last
SELECT :attempt AS attempt, platform.finish_dialer_job(:org, :'first', :'lease3', 'retry', 'busy again') AS status;
SELECT * FROM job WHERE finished;
-- done, with the call
SELECT lease_id AS lease FROM platform.dialer_queue WHERE id = :'led' \gset
SELECT platform.finish_dialer_job(:org, :'led', :'lease', call_id => :call) AS status;
SELECT platform.enqueue_dialer_job(:org, lead_id => :lead) = :'led' AS same;
-- canceled: a dialer that has it learns it
SELECT id AS job, lease_id AS lease FROM platform.claim_dialer_jobs() \gset
SELECT platform.cancel_dialer_job(:org, :'job'), platform.cancel_dialer_job(:org, :'job') AS again, platform.finish_dialer_job(:org, :'job', :'lease') IS NULL AS canceled;

-- leases that ended: again, or failed after the last attempt
RESET ROLE;
INSERT INTO platform.dialer_queue (id, organization_id, to_number, status, attempts, max_attempts, lease_id, lease_until, run_at) VALUES
	('ca160000-0000-4000-8000-0000000000e1', :org, '+13125550111', 'claimed', 1, 2, platform.uuid7(), now() - interval '1 s', now() - interval '1 hour'),
	('ca160000-0000-4000-8000-0000000000e2', :org, '+13125550112', 'claimed', 2, 2, platform.uuid7(), now() - interval '1 s', now() - interval '1 hour'),
	('ca160000-0000-4000-8000-0000000000e3', :org, '+13125550113', 'claimed', 1, 2, platform.uuid7(), now() + interval '1 hour', now() - interval '1 hour');
SET ROLE platform_test_member;
SELECT to_number, attempt FROM platform.claim_dialer_jobs("limit" => 10);
SELECT * FROM job WHERE to_number LIKE '+1312555011%' ORDER BY to_number COLLATE "C";

-- arguments
SAVEPOINT a;
SELECT platform.enqueue_dialer_job(:org); ROLLBACK TO a;
SELECT platform.enqueue_dialer_job(:org, 'nobody'); ROLLBACK TO a;
SELECT platform.enqueue_dialer_job(:org, '3125550101', max_attempts => 0); ROLLBACK TO a;
SELECT platform.enqueue_dialer_job(:org, '3125550101', metadata => '[]'); ROLLBACK TO a;
SELECT platform.enqueue_dialer_job(:org, '3125550101', priority => NULL); ROLLBACK TO a;
SELECT platform.enqueue_dialer_job(:other, '3125550101'); ROLLBACK TO a;
SELECT platform.claim_dialer_jobs(:other); ROLLBACK TO a;
SELECT platform.claim_dialer_jobs("limit" => 0); ROLLBACK TO a;
SELECT platform.claim_dialer_jobs(lease => '0'); ROLLBACK TO a;
SELECT platform.claim_dialer_jobs(lease => '2 days'); ROLLBACK TO a;
SELECT platform.finish_dialer_job(:org, :'first', :'lease', 'perhaps'); ROLLBACK TO a;
SELECT platform.finish_dialer_job(:org, :'first', :'lease', 'retry', retry_in => '-1 s'); ROLLBACK TO a;
SELECT platform.finish_dialer_job(:org, :'first', :'lease', call_id => :'first'); ROLLBACK TO a;
SELECT platform.finish_dialer_job(:org, :'first', NULL); ROLLBACK TO a;
SELECT platform.cancel_dialer_job(:org, :call); ROLLBACK TO a;
UPDATE platform.dialer_queue SET status = 'done'; ROLLBACK TO a;
SELECT count(*) FILTER (WHERE organization_id <> :org) AS others FROM platform.dialer_queue;
-- nobody has no queue; an operator without an organization has all
RESET ROLE;
SELECT platform.set_context(NULL);
SET ROLE platform_test_member;
SAVEPOINT a;
SELECT platform.claim_dialer_jobs(); ROLLBACK TO a;
RESET ROLE;
SELECT count(*) FROM platform.claim_dialer_jobs("limit" => 1000) WHERE to_number = '+13125550199';
ROLLBACK;
