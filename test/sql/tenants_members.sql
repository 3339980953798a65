-- Members: who may add, change and remove whom; owners; what each role sees; the lists.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''20000000-0000-4000-8000-000000000001'''
\set other '''20000000-0000-4000-8000-000000000002'''
\set owner '''20000000-0000-4000-8000-0000000000a1'''
\set admin '''20000000-0000-4000-8000-0000000000a2'''
\set agent '''20000000-0000-4000-8000-0000000000a3'''
\set viewer '''20000000-0000-4000-8000-0000000000a4'''
\set guest '''20000000-0000-4000-8000-0000000000a5'''
\set nobody '''20000000-0000-4000-8000-00000000dead'''
INSERT INTO platform.organizations (id, name, slug) VALUES (:org, 'Members Co', 'members-co'), (:other, 'Other Co', 'other-co');
INSERT INTO platform.users (id, email, full_name) VALUES
	(:owner, 'owner@members.example', 'Olga Owner'), (:admin, 'admin@members.example', 'Adam Admin'), (:agent, 'AGENT@members.example', 'Ann Agent'),
	(:viewer, 'viewer@members.example', NULL), (:guest, 'guest@members.example', 'Gus Guest');
-- as operator
SELECT platform.add_member(:org, :owner, 'owner'), platform.add_member(:org, :admin, 'admin'), platform.add_member(:org, :agent);
SELECT platform.add_member(:org, :agent, 'viewer') AS again, platform.add_member(:other, :guest, 'owner') AS other, platform.add_member(:other, :agent, 'viewer') AS second;
SELECT user_id, email, full_name, avatar_url, role, status, member_since = now() AS since_now FROM platform.list_members(:org);
SELECT user_id, role FROM platform.list_members(:other) ORDER BY 1;
SELECT email, role FROM platform.list_members('20000000-0000-4000-8000-00000000dead');
SELECT * FROM platform.user_organizations(:agent);
SELECT * FROM platform.user_organizations(:nobody);
SELECT * FROM platform.user_organizations();
SELECT platform.set_member_role(:org, :agent, 'agent'), platform.set_member_role(:org, :agent, 'agent') AS again;
SELECT platform.remove_member(:org, :nobody);
-- refused
SELECT platform.add_member(:org, :nobody);
SELECT platform.add_member(:nobody, :agent);
SELECT platform.add_member(:org, :viewer, 'king');
SELECT platform.set_member_role(:org, :viewer, 'admin');
SELECT platform.set_member_role(:org, :agent, 'king');
SELECT platform.add_member(NULL, :agent);
SELECT platform.add_member(:org, NULL);
SELECT platform.add_member(:org, :viewer, NULL);
SELECT platform.set_member_role(NULL, :agent, 'admin');
SELECT platform.set_member_role(:org, NULL, 'admin');
SELECT platform.set_member_role(:org, :agent, NULL);
SELECT platform.remove_member(NULL, :agent);
SELECT platform.remove_member(:org, NULL);
SELECT * FROM platform.list_members(NULL);
SELECT platform.switch_organization(NULL);
-- the last owner stays, whoever asks
SELECT platform.remove_member(:org, :owner);
SELECT platform.set_member_role(:org, :owner, 'admin');
DELETE FROM platform.organization_members WHERE organization_id = :org;
DELETE FROM platform.users WHERE id = :owner;
UPDATE platform.organization_members SET organization_id = '00000000-0000-0000-0000-000000000000' WHERE organization_id = :org AND user_id = :owner;
-- one statement may hand ownership over, and back
UPDATE platform.organization_members SET role = CASE role WHEN 'owner' THEN 'admin' ELSE 'owner' END
WHERE organization_id = :org AND role IN ('owner', 'admin');
UPDATE platform.organization_members SET role = CASE role WHEN 'owner' THEN 'admin' ELSE 'owner' END
WHERE organization_id = :org AND role IN ('owner', 'admin');
SELECT email, role FROM platform.list_members(:org);
-- an organization goes with its members; a deleted one needs no owner
SAVEPOINT gone;
DELETE FROM platform.organizations WHERE id = :org;
SELECT count(*) FROM platform.organization_members WHERE organization_id = :org;
ROLLBACK TO gone;
SELECT platform.delete_organization(:org);
SELECT platform.remove_member(:org, :owner);
SELECT platform.add_member(:org, :viewer);
ROLLBACK TO gone;
-- as owner: makes and removes owners, members, itself when it is not the last
SELECT platform.set_context(:org::uuid, :owner, 'owner');
SET LOCAL ROLE platform_test_member;
SELECT platform.add_member(:org, :viewer, 'owner'), platform.set_member_role(:org, :viewer, 'viewer');
SELECT platform.set_member_role(:org, :owner, 'member');
SELECT platform.remove_member(:org, :owner);
RESET ROLE;
-- as admin
SELECT platform.set_context(:org::uuid, :admin, 'admin');
SET LOCAL ROLE platform_test_member;
SELECT email, role FROM platform.list_members(:org);
SELECT platform.add_member(:org, :guest, 'manager'), platform.set_member_role(:org, :guest, 'analyst'), platform.remove_member(:org, :guest), platform.remove_member(:org, :guest) AS again;
-- an admin makes no owner, of itself or others, and unmakes none
SELECT platform.set_member_role(:org, :admin, 'owner');
SELECT platform.add_member(:org, :guest, 'owner');
SELECT platform.set_member_role(:org, :owner, 'viewer');
SELECT platform.remove_member(:org, :owner);
UPDATE platform.organization_members SET role = 'owner' WHERE user_id = :admin;
INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES (:org, :guest, 'owner');
DELETE FROM platform.organization_members WHERE role = 'owner';
-- nor a role of the platform
SELECT platform.set_member_role(:org, :agent, 'platform_admin');
SELECT platform.set_member_role(:org, :agent, 'master_admin');
UPDATE platform.users SET platform_role = 'master_admin' WHERE id = :admin;
UPDATE platform.users SET status = 'active' WHERE id = :admin;
UPDATE platform.users SET active_organization_id = :other WHERE id = :admin;
-- nor anything elsewhere
SELECT platform.add_member(:other, :admin, 'admin');
SELECT platform.set_member_role(:other, :guest, 'viewer');
SELECT platform.remove_member(:other, :guest);
SELECT email FROM platform.list_members(:other);
INSERT INTO platform.organization_members (organization_id, user_id) VALUES (:other, :admin);
UPDATE platform.organization_members SET organization_id = :other WHERE user_id = :agent;
UPDATE platform.organization_members SET user_id = :admin WHERE user_id = :agent;
UPDATE platform.organization_members SET role = 'viewer' WHERE organization_id = :other RETURNING user_id;
DELETE FROM platform.organization_members WHERE organization_id = :other RETURNING user_id;
SELECT * FROM platform.user_organizations(:guest);
RESET ROLE;
-- a token that says owner does not make one: the table does
SELECT platform.set_context(:org::uuid, :agent, 'owner');
SET LOCAL ROLE platform_test_member;
SELECT platform.set_member_role(:org, :agent, 'owner');
RESET ROLE;
-- as a plain member: sees, leaves, and nothing else
SELECT platform.set_context(:org::uuid, :agent, 'agent');
SET LOCAL ROLE platform_test_member;
SELECT email, role FROM platform.list_members(:org);
SELECT * FROM platform.user_organizations();
SELECT platform.switch_organization(:other);
SELECT name, role, active FROM platform.user_organizations(:agent);
SELECT active_organization_id FROM platform.users;
SELECT platform.switch_organization(:nobody);
SELECT platform.switch_organization('00000000-0000-0000-0000-000000000000');
SELECT platform.add_member(:org, :guest);
SELECT platform.set_member_role(:org, :agent, 'admin');
SELECT platform.remove_member(:org, :viewer);
INSERT INTO platform.organization_members (organization_id, user_id) VALUES (:org, :guest);
UPDATE platform.organization_members SET role = 'admin' WHERE user_id = :agent RETURNING role;
DELETE FROM platform.organization_members WHERE user_id = :viewer RETURNING user_id;
SELECT organization_id, user_id, role FROM platform.organization_members ORDER BY organization_id, user_id;
SAVEPOINT stays;
SELECT platform.remove_member(:org, :agent);
SELECT platform.switch_organization(:org);
ROLLBACK TO stays;
DELETE FROM platform.organization_members WHERE organization_id = :org RETURNING user_id;
RESET ROLE;
-- as a member without an identity, and as a stranger
SELECT platform.set_context(NULL);
SET LOCAL ROLE platform_test_member;
SELECT email FROM platform.list_members(:org);
SELECT * FROM platform.user_organizations();
SELECT platform.add_member(:org, :guest);
SELECT platform.remove_member(:org, :owner);
SELECT platform.switch_organization(:org);
SELECT count(*) FROM platform.organization_members;
SET LOCAL ROLE platform_test_stranger;
SELECT email FROM platform.list_members(:org);
SELECT count(*) FROM platform.organization_members;
RESET ROLE;
-- a member's own operators and search_path capture nothing that runs as the owner
SELECT platform.set_context(:org::uuid, :viewer, 'viewer');
CREATE SCHEMA trap AUTHORIZATION platform_test_member;
SET LOCAL ROLE platform_test_member;
CREATE FUNCTION trap.yes(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR trap.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = trap.yes);
SET LOCAL search_path = trap, pg_catalog;
SELECT count(*) FROM platform.list_members(:org);
SELECT name FROM platform.user_organizations();
RESET search_path;
RESET ROLE;
-- emails are one mailbox whatever their case
INSERT INTO platform.users (email) VALUES ('Owner@Members.Example');
UPDATE platform.users SET email = 'OLGA@MEMBERS.EXAMPLE' WHERE id = :owner RETURNING email, updated_at = now() AS now;
INSERT INTO platform.users (email) VALUES ('no mailbox');
INSERT INTO platform.users (email) VALUES (NULL);
INSERT INTO platform.users (email) VALUES ('OLGA@members.example') ON CONFLICT (email) DO UPDATE SET full_name = 'Olga' RETURNING email, full_name;
-- protocol
SELECT platform.check_member();
SELECT platform.keep_owner();
SELECT platform.check_user();
SELECT platform.check_profile();
CREATE TABLE wrong (id integer, role text, organization_id uuid, updated_at timestamptz);
CREATE TRIGGER wrong AFTER INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.check_member();
INSERT INTO wrong VALUES (1);
CREATE OR REPLACE TRIGGER wrong BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.keep_owner();
INSERT INTO wrong VALUES (1);
CREATE OR REPLACE TRIGGER wrong AFTER INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.check_user();
INSERT INTO wrong VALUES (1);
CREATE OR REPLACE TRIGGER wrong BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION platform.check_profile();
INSERT INTO wrong VALUES (1);
ROLLBACK;
