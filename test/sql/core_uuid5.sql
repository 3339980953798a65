-- uuid5: the known answers of RFC 9562, appendix A.4; NULL, empty and long names, privileges.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
SELECT platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com');
-- the name is taken as UTF-8, to its last byte
SELECT platform.uuid5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', U&'https://example.com/\00e9');
SELECT platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', '');
SELECT platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', pg_catalog.repeat('x', 1048576));
SELECT platform.uuid5(NULL, 'x') IS NULL AS no_namespace, platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', NULL) IS NULL AS no_name;
SET ROLE platform_test_member;
SELECT platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com');
SET ROLE platform_test_stranger;
SELECT platform.uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com');
RESET ROLE;
