-- tour 10 Two customers who cannot see each other
\echo
\echo Each customer is an organization, with its own time zone and billing day.
\echo
\set ECHO queries
SELECT name, tier, timezone, billing_anchor_day FROM platform.organizations
WHERE slug IN ('demo-voice-co', 'northside-dental') ORDER BY name;
\set ECHO none
\echo
\echo Your application connects as an ordinary role. grant_member() lets it in; for whom it
\echo acts is set by you (here), or proven by a signed token (platform.authenticate).
\echo Cleo works for Demo Voice Co, and sees its callers only.
\echo
\set ECHO queries
CREATE ROLE demo_app;
\o /dev/null
SELECT platform.grant_member('demo_app');
\o
BEGIN;
\o /dev/null
SELECT platform.set_context('d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000a3');
\o
SET LOCAL ROLE demo_app;
SELECT name, phone FROM platform.end_users ORDER BY name;
COMMIT;
\set ECHO none
\echo
\echo The same query, acting for Northside Dental; and with no identity at all.
\echo
\set ECHO queries
BEGIN;
\o /dev/null
SELECT platform.set_context('d0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-0000000000b1');
\o
SET LOCAL ROLE demo_app;
SELECT name, phone FROM platform.end_users ORDER BY name;
COMMIT;
BEGIN;
SET LOCAL ROLE demo_app;
SELECT name, phone FROM platform.end_users ORDER BY name;
COMMIT;
