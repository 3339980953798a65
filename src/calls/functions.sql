-- calls: the course of a call

CREATE OR REPLACE FUNCTION platform.start_call(organization_id uuid, chatbot_id uuid DEFAULT NULL, source text DEFAULT 'web', direction text DEFAULT 'inbound',
	from_number text DEFAULT NULL, to_number text DEFAULT NULL, call_sid text DEFAULT NULL, end_user_id uuid DEFAULT NULL,
	conversation_id uuid DEFAULT NULL, integration_account_id uuid DEFAULT NULL, ai_provider text DEFAULT NULL, model_id text DEFAULT NULL,
	status text DEFAULT 'pending', at timestamptz DEFAULT NULL, region text DEFAULT 'US',
	OUT id uuid, OUT created boolean, OUT current_status text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_start_call';
COMMENT ON FUNCTION platform.start_call(uuid, uuid, text, text, text, text, text, uuid, uuid, uuid, text, text, text, timestamptz, text) IS
	'Records a call that begins: pending, ringing or in_progress. With a call_sid that the organization has, nothing is created and that call answered. Numbers without country code are read as dialled in region. Members: their organization. Errors: 22004, 22023, 42501, PT409 call_sid of another organization, PT422 no telephone number, 23503, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'start_call(uuid, uuid, text, text, text, text, text, uuid, uuid, uuid, text, text, text, timestamptz, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.advance_call(organization_id uuid, call_id uuid, status text, at timestamptz DEFAULT NULL,
	duration integer DEFAULT NULL, error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_advance_call';
COMMENT ON FUNCTION platform.advance_call(uuid, uuid, text, timestamptz, integer, text, text) IS
	'A report that the call came into that state at that moment (NULL, or in the future: now). outcome: advanced, repeated, late (moments that were not known are filled in), over (it has ended otherwise). States that it skips are passed through. duration: seconds of talk, when the answer was not reported. Members: their organization. Errors: 22004, 22023, 42501, PT404, PT409 no way leads there, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'advance_call(uuid, uuid, text, timestamptz, integer, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.advance_call(organization_id uuid, call_sid text, status text, at timestamptz DEFAULT NULL,
	duration integer DEFAULT NULL, error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_advance_call';
COMMENT ON FUNCTION platform.advance_call(uuid, text, text, timestamptz, integer, text, text) IS
	'The same for a call named by the provider''s key, or by its id as text.';
INSERT INTO platform.member_privileges VALUES ('function', 'advance_call(uuid, text, text, timestamptz, integer, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.end_call(organization_id uuid, call_id uuid, reason text DEFAULT 'completed', at timestamptz DEFAULT NULL,
	error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_end_call';
COMMENT ON FUNCTION platform.end_call(uuid, uuid, text, timestamptz, text, text) IS
	'Ends the call as fits its state and the reason: completed, user_hangup, agent_ended, timeout, error. outcome over: it had ended, nothing changes. Members: their organization. Errors: 22004, 22023, 42501, PT404, 25006.';
INSERT INTO platform.member_privileges VALUES ('function', 'end_call(uuid, uuid, text, timestamptz, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.end_call(organization_id uuid, call_sid text, reason text DEFAULT 'completed', at timestamptz DEFAULT NULL,
	error_code text DEFAULT NULL, error_message text DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_end_call';
COMMENT ON FUNCTION platform.end_call(uuid, text, text, timestamptz, text, text) IS
	'The same for a call named by the provider''s key, or by its id as text.';
INSERT INTO platform.member_privileges VALUES ('function', 'end_call(uuid, text, text, timestamptz, text, text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.correct_call(organization_id uuid, call_id uuid, reason text, status text DEFAULT NULL,
	started_at timestamptz DEFAULT NULL, answered_at timestamptz DEFAULT NULL, ended_at timestamptz DEFAULT NULL,
	OUT id uuid, OUT outcome text, OUT current_status text, OUT previous_status text, OUT talk_seconds integer)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_correct_call';
COMMENT ON FUNCTION platform.correct_call(uuid, uuid, text, text, timestamptz, timestamptz, timestamptz) IS
	'Puts a call''s state and moments right, against the transitions too; NULL leaves what is. Moments that do not belong to the state are removed. Operators. Errors: 42501, 22004, 22023, PT404, 25006.';

CREATE OR REPLACE FUNCTION platform.end_stale_calls(unanswered interval DEFAULT '10 minutes', answered interval DEFAULT '4 hours', "limit" integer DEFAULT 1000) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
WITH stale AS (
	SELECT c.id, c.organization_id FROM platform.calls c
	WHERE c.deleted_at IS NULL AND (
		c.status IN ('pending', 'ringing') AND COALESCE(c.started_at, c.created_at) < pg_catalog.now() - unanswered OR
		c.status = 'in_progress' AND COALESCE(c.answered_at, c.started_at, c.created_at) < pg_catalog.now() - answered)
	ORDER BY c.created_at, c.id
	LIMIT "limit" FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
	UPDATE platform.calls c
	SET status = CASE c.status WHEN 'ringing' THEN 'no_answer' ELSE 'failed' END,
		end_reason = 'timeout',
		error_code = CASE c.status WHEN 'in_progress' THEN 'call_lost' ELSE c.error_code END,
		ended_at = GREATEST(c.updated_at, c.answered_at, c.started_at)
	FROM stale s
	WHERE c.id = s.id AND c.organization_id = s.organization_id
	RETURNING 1
)
SELECT pg_catalog.count(*) FROM ended
$$;
COMMENT ON FUNCTION platform.end_stale_calls(interval, interval, integer) IS
	'Ends calls of which nobody reported the end: not answered, or talking, for longer than that. Their end is the last sign of them. Returns how many, at most limit (NULL: all); those that are being written wait for the next time. For a scheduler. As the caller sees the table: operators.';

-- calls: triggers

CREATE OR REPLACE FUNCTION platform.check_call() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_call';
COMMENT ON FUNCTION platform.check_call() IS
	'Trigger function, BEFORE INSERT OR UPDATE FOR EACH ROW of calls: transitions of status and their moments, duration, E.164, who set the disposition, updated_at. Errors: PT409 no such transition; PT422 no telephone number; 39P01.';

-- calls: what members read and write

INSERT INTO platform.member_privileges VALUES
	('table', 'calls', 'SELECT'),
	('table', 'calls', 'UPDATE (disposition, disposition_set_at, disposition_set_by, disposition_notes, notes, call_quality)'),
	('table', 'conversations', 'SELECT'),
	('table', 'conversations', 'INSERT (id, organization_id, chatbot_id, end_user_id, channel, subject, metadata)'),
	('table', 'conversations', 'UPDATE (end_user_id, status, subject, metadata, closed_at)');
