-- Leads: one list of states, calls reported again, imports, locks, the people behind them, whose they are
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1210000-0000-4000-8000-000000000001\''
\set other '\'c1210000-0000-4000-8000-000000000002\''
\set ada '\'c1210000-0000-4000-8000-0000000000a1\''
\set bob '\'c1210000-0000-4000-8000-0000000000a2\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Leads One'), (:other, 'Leads Two');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@crm-leads.example'), (:bob, 'bob@crm-leads.example');
\o
\set ECHO all

-- FAULT: two vocabularies in one column; calls map into the one list, which a CHECK holds
SELECT o.outcome, o.booked, platform.lead_status_for_call(o.outcome, o.booked) FROM (VALUES (NULL, false), ('Transferred', false), ('Callback Requested', false), ('declined', false), ('not_interested', false),
	('Not-Interested', false), ('declined', true), ('hung up', NULL), ('', false)) AS o (outcome, booked);
INSERT INTO platform.leads (organization_id, status) VALUES (:org, 'New');
INSERT INTO platform.leads (organization_id, status) VALUES (:org, 'Callback Requested');
SELECT t.said, platform.lead_sentiment(t.said) FROM (VALUES ('I am FRUSTRATED, thanks'), ('that is great'), ('much appreciated'), ('so upset'), ('hello'), (''), (NULL)) AS t (said);

-- a call makes one lead, whoever reports it how often
SELECT id AS lead, status, created FROM platform.record_call_lead(:org, 'call-1', '(312) 555-0101', 'Carl', summary => 'He was angry.') \gset
SELECT :'status' AS status, :'created' AS created, r.status AS now, r.created AS again, r.id = :'lead' AS same FROM platform.record_call_lead(:org, 'call-1', call_outcome => 'Transferred', call_duration_seconds => 61) r;
SELECT status FROM platform.record_call_lead(:org, 'call-1');
SELECT status FROM platform.record_call_lead(:org, 'call-1', appointment_booked => true, metadata => '{"a": 1}');
SELECT status FROM platform.record_call_lead(:org, 'call-1', call_outcome => 'declined');
SELECT phone, name, sentiment, call_duration_seconds, call_outcome, appointment_booked, metadata FROM platform.leads WHERE id = :'lead';
-- what was set by hand stays
UPDATE platform.leads SET status = 'closed_won', flagged_for_review = true WHERE id = :'lead';
SELECT r.status, flagged_at IS NOT NULL AS flagged FROM platform.record_call_lead(:org, 'call-1', call_outcome => 'declined') r, platform.leads l WHERE l.id = :'lead';
-- the same call id elsewhere is another call; a number that is none is no number
SELECT created, status FROM platform.record_call_lead(:other, 'call-1', 'anonymous', call_outcome => 'declined');
SELECT phone, sentiment FROM platform.leads WHERE organization_id = :other;
SELECT platform.record_call_lead(:org, NULL);
SELECT platform.record_call_lead(:org, 'x', sentiment => 'furious');
SELECT platform.record_call_lead(:org, 'x', metadata => '[]');
SELECT platform.record_call_lead(:org, 'x', call_duration_seconds => -1);
INSERT INTO platform.leads (organization_id, phone) VALUES (:org, 'call me');

-- import: each once, in any form; what is wrong is said, and the rest comes in
SELECT id AS lead FROM platform.record_call_lead(:org, 'call-1', '(312) 555-0101', 'Carl', call_duration_seconds => 61, call_outcome => 'Transferred') \gset
SELECT line, outcome, reason FROM platform.import_leads(:org, '[{"name": "Dora", "phone": "312 555 0102", "email": "Dora@Example.com"}, {"phone": "+13125550102"}, {"email": "dora@example.com"},
	{"email": "DORA@example.com"}, {"key": "7", "name": "Key", "status": "demo_set"}, {"name": "nobody"}, {"phone": "12"}, {"email": "a b@c"}, {"phone": 7}, {"key": "8", "status": "New"}, 5, null, {"key": ""}]');
SELECT outcome, count(*) FROM platform.import_leads(:org, '[{"phone": "312-555-0102"}, {"key": "7"}, {"key": "9"}]') GROUP BY outcome ORDER BY outcome COLLATE "C";
SELECT count(*), count(*) FILTER (WHERE outcome = 'created') AS created, count(*) FILTER (WHERE status = 'demo_set') AS demo FROM platform.leads LEFT JOIN platform.import_leads(:org, '[]') ON true WHERE organization_id = :org;
SELECT count(*) FROM platform.import_leads(:org, (SELECT jsonb_agg(jsonb_build_object('key', 'n' || g)) FROM generate_series(1, 500) g)) WHERE outcome = 'created';
SELECT count(*) FROM platform.import_leads(:org, (SELECT jsonb_agg(jsonb_build_object('key', 'n' || g)) FROM generate_series(1, 501) g));
DELETE FROM platform.leads WHERE import_key ~ '^key:n';
SELECT platform.import_leads(:org, '{}');
SELECT platform.import_leads(:org, NULL);
SELECT outcome, reason FROM platform.import_leads(:org, jsonb_build_array(jsonb_build_object('key', repeat('k', 241)), jsonb_build_object('key', repeat('k', 240))));

-- the people behind them: FAULT: grouped by the text of the number; here by the number
INSERT INTO platform.leads (organization_id, phone, name, call_id, call_duration_seconds, sentiment, status, appointment_booked, created_at) VALUES
	(:org, '1 (312) 555-0101', 'Carl C.', 'call-2', 30, 'positive', 'booked', true, now() + interval '1 s'), (:org, '3125550101', NULL, 'call-3', 9, NULL, 'new', false, now() + interval '2 s'),
	(:org, NULL, 'Nobody', 'call-4', 5, NULL, 'new', false, now());
SELECT phone, name, leads, calls, total_duration_seconds, bookings, last_status, last_sentiment FROM platform.customer_by_phone(:org, '312.555.0101');
SELECT count(*) FROM platform.customer_by_phone(:org, NULL);
SELECT phone, leads, calls FROM platform.customers WHERE organization_id = :org ORDER BY phone COLLATE "C";

-- who works on it
SELECT platform.set_context(:org, :ada, 'agent') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.claim_lead(:org, :'lead'), platform.claim_lead(:org, :'lead', '1 hour') AS prolonged;
RESET ROLE;
SELECT platform.set_context(:org, :bob, 'agent') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.claim_lead(:org, :'lead') AS taken, platform.release_lead(:org, :'lead') AS not_mine;
RESET ROLE;
UPDATE platform.leads SET lock_expires_at = now() - interval '1 s' WHERE id = :'lead';
SET ROLE platform_test_member;
SELECT platform.claim_lead(:org, :'lead') AS over, platform.release_lead(:org, :'lead') AS mine;
SELECT platform.claim_lead(:org, :ada);
SELECT platform.claim_lead(:org, :'lead', '2 days');

-- FAULT: the tenant cannot see its leads; here it does, and writes them, but nobody else's
SELECT count(*) > 5 AS sees, count(*) FILTER (WHERE organization_id <> :org) AS others FROM platform.leads;
INSERT INTO platform.leads (organization_id, name, owner_id) VALUES (:org, 'Mine', :bob);
-- FAULT: a seller inserts with any user_id
INSERT INTO platform.leads (organization_id, name, user_id) VALUES (:org, 'Ada''s', :ada);
INSERT INTO platform.leads (organization_id, name) VALUES (:other, 'Theirs');
UPDATE platform.leads SET status = 'dead' WHERE organization_id = :other;
UPDATE platform.leads SET organization_id = :other WHERE id = :'lead';
SELECT platform.record_call_lead(:other, 'call-9');
SELECT platform.import_leads(:other, '[]');
RESET ROLE;
SELECT count(*) FILTER (WHERE status = 'dead') AS changed FROM platform.leads WHERE organization_id = :other;
-- a seller sees his own, also another organization's, and cannot write those
UPDATE platform.leads SET owner_id = :bob WHERE organization_id = :other;
SET ROLE platform_test_member;
SELECT organization_id = :other AS theirs, status FROM platform.leads WHERE owner_id = :bob ORDER BY 1;
UPDATE platform.leads SET status = 'dead' WHERE organization_id = :other RETURNING status;
RESET ROLE;
-- webhooks hear of leads, and not who they are; what changes nothing is no event
SELECT platform.set_context(NULL) \g /dev/null
INSERT INTO platform.organizations (id, name) VALUES ('c1210000-0000-4000-8000-000000000009', 'Leads Nine');
INSERT INTO platform.leads (organization_id, name, phone, owner_id) VALUES ('c1210000-0000-4000-8000-000000000009', 'Zoe', '+13125550177', :ada) RETURNING id AS zoe \gset
UPDATE platform.leads SET status = 'contacted', name = 'Zoe Z.' WHERE id = :'zoe';
UPDATE platform.leads SET status = 'contacted', owner_id = :ada WHERE id = :'zoe';
UPDATE platform.leads SET email = 'zoe@example.com' WHERE id = :'zoe';
UPDATE platform.leads SET status = 'demo_set', owner_id = :bob WHERE id = :'zoe';
SELECT status, created FROM platform.record_call_lead('c1210000-0000-4000-8000-000000000009', 'call-z', '+13125550177', 'Zoe', call_outcome => 'transferred');
SELECT event_type, payload - 'lead_id' AS payload FROM platform.webhook_events WHERE organization_id = 'c1210000-0000-4000-8000-000000000009' ORDER BY id;
SELECT count(*) AS tells_who FROM platform.webhook_events WHERE organization_id = 'c1210000-0000-4000-8000-000000000009' AND payload::text ~* 'zoe|0177';
-- a subscription may ask for each of them, and for those of appointments and messages
SELECT count(*) AS types FROM platform.webhook_event_types WHERE event_type ~ '^(lead|appointment|sms)\.';
RESET ROLE;
SET ROLE platform_test_stranger;
SELECT * FROM platform.leads;
ROLLBACK;
