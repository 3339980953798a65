-- EXECUTE is the grant: nothing is left to PUBLIC, and the extension's owner
-- (who is not the functions' owner when the extension is trusted) passes it on.
REVOKE ALL ON ALL ROUTINES IN SCHEMA platform FROM PUBLIC;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA platform TO @extowner@ WITH GRANT OPTION;
REVOKE ALL ON platform.migrations, platform.member_privileges, platform.demo_data FROM PUBLIC;
GRANT SELECT ON platform.migrations, platform.member_privileges, platform.demo_data TO @extowner@ WITH GRANT OPTION;
