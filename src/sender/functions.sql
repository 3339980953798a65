-- sender: the background worker that sends webhooks

CREATE OR REPLACE FUNCTION platform.start_webhook_sender() RETURNS integer
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_webhook_sender';
COMMENT ON FUNCTION platform.start_webhook_sender() IS
	'Starts the background worker that sends this database''s webhooks, and returns its process id; when one runs, that one''s. It lives until stop_webhook_sender() or the end of the server. EXECUTE is the grant, no member has it. Errors: 0A000 libcurl is missing, or was when the library was built; 25006 on a standby; 53000 no background worker is free; 55000 nothing is installed, or its owner cannot log in.';

CREATE OR REPLACE FUNCTION platform.stop_webhook_sender(wait interval DEFAULT '10 seconds') RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
SELECT coalesce(pg_catalog.bool_or(pg_catalog.pg_terminate_backend(a.pid,
	(1000 OPERATOR(pg_catalog.*) pg_catalog.date_part('epoch', wait))::pg_catalog.int8)), false)
FROM pg_catalog.pg_stat_activity a
WHERE a.backend_type OPERATOR(pg_catalog.=) 'platform webhook sender'
	AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
$$;
COMMENT ON FUNCTION platform.stop_webhook_sender(interval) IS
	'Ends this database''s webhook sender, after its requests had a second to finish, and waits for its end. False when none runs, or when it did not end in that time. For the role it runs as, the owner of the installation, and superusers. Errors: 42501.';

CREATE OR REPLACE FUNCTION platform.webhook_sender_status()
RETURNS TABLE (pid integer, started_at timestamptz, runs_as name, doing text)
LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 1
AS $$
SELECT a.pid, a.backend_start, a.usename, a.query
FROM pg_catalog.pg_stat_activity a
WHERE a.backend_type OPERATOR(pg_catalog.=) 'platform webhook sender'
	AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
$$;
COMMENT ON FUNCTION platform.webhook_sender_status() IS
	'This database''s webhook sender: its process, since when, as whom, and how many requests are under way and done; no row when none runs. For the owner of the installation and superusers.';
