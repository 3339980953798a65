-- Agents: one for each user and number, found by the whole number only, deployments once, states
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1200000-0000-4000-8000-000000000001\''
\set other '\'c1200000-0000-4000-8000-000000000002\''
\set ada '\'c1200000-0000-4000-8000-0000000000a1\''
\set bob '\'c1200000-0000-4000-8000-0000000000a2\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Agents One'), (:other, 'Agents Two');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@crm-agents.example'), (:bob, 'bob@crm-agents.example');
INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES (:org, :ada, 'owner'), (:other, :bob, 'owner');
\o
\set ECHO all

-- a deployment starts once for a request
SELECT agent AS ada_agent, deployment, started FROM platform.start_agent_deploy(:org, :ada, 'req-1', 'Ada Plumbing', 'plumbing') \gset
SELECT :'started' AS started, agent = :'ada_agent' AS same, deployment = :'deployment' AS same_deployment, started AS again FROM platform.start_agent_deploy(:org, :ada, 'req-1');
SELECT platform.finish_agent_deploy(:org, :'deployment', true, 'master', '(415) 555-1234', 'PN1', 'us-west');
SELECT platform.finish_agent_deploy(:org, :'deployment', false, error => 'late') AS stays;
SELECT nickname, industry, provider, agent_id, phone_number, status, provider_number_id, provider_region, deploy_request_id, deployed_at IS NOT NULL AS deployed FROM platform.agents WHERE organization_id = :org;
-- a second one while it answers: it goes on, and a failure changes nothing but the trace
SELECT deployment AS second FROM platform.start_agent_deploy(:org, :ada, 'req-2') \gset
SELECT platform.finish_agent_deploy(:org, :'second', false, error => 'no capacity');
SELECT deploy_request_id, status, error FROM platform.agent_deployments WHERE organization_id = :org ORDER BY 1;

-- FAULT: the provider's agent is shared by everybody, and finds nobody; nor do the last ten digits
SELECT deployment AS bobs FROM platform.start_agent_deploy(:other, :bob, 'req-1') \gset
SELECT platform.finish_agent_deploy(:other, :'bobs', true, 'master', '+44 4155 551234');
SELECT organization_id = :org AS one, phone_number, provider_agent_id, answers FROM platform.agent_for_number('+14155551234');
SELECT organization_id = :other AS two, phone_number FROM platform.agent_for_number('+444155551234');
SELECT count(*) FROM unnest('{+524155551234,5551234,155551234,master,"",+1415555123,+141555512345}'::text[]) AS p (phone), platform.agent_for_number(p.phone);
SELECT p.phone, a.organization_id = :org AS one FROM unnest('{4155551234,"1-415-555-1234","tel:+1 415 555 1234"}'::text[]) AS p (phone) LEFT JOIN LATERAL platform.agent_for_number(p.phone) a ON true;
SELECT count(*) FROM platform.agent_for_number(NULL);
SELECT platform.agent_for_number('4155551234', 'XX');
SELECT platform.agent_for_number('4155551234', NULL);
-- FAULT: duplicates are refused, nothing is deleted, no number is made up
INSERT INTO platform.agents (organization_id, user_id) VALUES (:org, :ada);
UPDATE platform.agents SET phone_number = '+14155551234' WHERE organization_id = :other;
UPDATE platform.agents SET phone_number = 'UNKNOWN_1' WHERE organization_id = :org;
UPDATE platform.agents SET phone_number = NULL WHERE organization_id = :org;
SELECT count(*) FROM platform.agents WHERE organization_id IN (:org, :other);
SELECT platform.start_agent_deploy(:other, :ada, 'x');
-- states
UPDATE platform.agents SET status = 'deployed' WHERE organization_id = :org;
SELECT platform.set_agent_status(:org, :'ada_agent', 'disabled', 'holiday'), platform.set_agent_status(:org, :'ada_agent', 'disabled') AS again;
SELECT answers, status FROM platform.agent_for_number('4155551234');
SELECT platform.set_agent_status(:org, :'ada_agent', 'failed');
SAVEPOINT s;
SELECT platform.set_agent_status(:org, :'ada_agent', 'retired', 'left');
SELECT count(*) AS number_is_free FROM platform.agent_for_number('4155551234');
SELECT platform.set_agent_status(:org, :'ada_agent', 'active');
ROLLBACK TO s;
SELECT platform.set_agent_status(:org, :'ada_agent', 'active');
SELECT platform.set_agent_status(:org, :ada, 'disabled');
SELECT platform.finish_agent_deploy(:org, :ada, true);
SELECT platform.start_agent_deploy(:org, NULL, 'x');
SELECT platform.start_agent_deploy(:org, :ada, '');

-- a member sees its organization's; administrators switch them off and on and set what is theirs
SELECT platform.set_context(:org, :ada, 'owner') \g /dev/null
SET ROLE platform_test_member;
SELECT count(*) AS own, (SELECT count(*) FROM platform.agent_for_number('+444155551234')) AS foreign FROM platform.agents;
SELECT platform.set_agent_status(:org, :'ada_agent', 'disabled'), platform.set_agent_status(:org, :'ada_agent', 'active');
UPDATE platform.agents SET tone = 'warm', transfer_number = '415 555 0000';
SELECT tone, transfer_number FROM platform.agents;
UPDATE platform.agents SET phone_number = '+14155559999';
SELECT platform.set_agent_status(:org, :'ada_agent', 'retired');
SELECT platform.set_agent_status(:other, :'ada_agent', 'disabled');
SELECT platform.start_agent_deploy(:org, :ada, 'mine');
RESET ROLE;
SELECT platform.set_context(:org, :bob, 'agent') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.set_agent_status(:org, :'ada_agent', 'disabled');
UPDATE platform.agents SET tone = 'cold';
SELECT tone FROM platform.agents;
RESET ROLE;
SET ROLE platform_test_stranger;
SELECT platform.agent_for_number('4155551234');
ROLLBACK;
