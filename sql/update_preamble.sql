-- The head of every update script: the catalogues are emptied and filled again
-- below, every function is created or replaced. What the older version had and
-- this one has not is dropped in sql/update--<from>.sql, which comes next.
\echo Use "ALTER EXTENSION platform UPDATE" to load this file. \quit

SET LOCAL check_function_bodies = off;

DELETE FROM platform.migrations WHERE true;
DELETE FROM platform.member_privileges WHERE true;
DELETE FROM platform.demo_data WHERE true;
