-- migration 610 messaging: foreign keys, row security, triggers, other names
-- requires: tenants ops

-- up

ALTER TABLE platform.sms_numbers
	DROP CONSTRAINT IF EXISTS sms_numbers_organization_id_fkey,
	ADD CONSTRAINT sms_numbers_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.messages
	DROP CONSTRAINT IF EXISTS messages_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS messages_user_id_fkey,
	ADD CONSTRAINT messages_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT messages_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);
ALTER TABLE platform.sms_inbound
	DROP CONSTRAINT IF EXISTS sms_inbound_organization_id_fkey,
	ADD CONSTRAINT sms_inbound_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.sms_opt_out
	DROP CONSTRAINT IF EXISTS sms_opt_out_organization_id_fkey,
	ADD CONSTRAINT sms_opt_out_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.opt_out_requests
	DROP CONSTRAINT IF EXISTS opt_out_requests_organization_id_fkey,
	ADD CONSTRAINT opt_out_requests_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id);
ALTER TABLE platform.sms_thread_locks
	DROP CONSTRAINT IF EXISTS sms_thread_locks_organization_id_fkey,
	ADD CONSTRAINT sms_thread_locks_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.sms_outbound_throttle
	DROP CONSTRAINT IF EXISTS sms_outbound_throttle_organization_id_fkey,
	ADD CONSTRAINT sms_outbound_throttle_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.sms_templates
	DROP CONSTRAINT IF EXISTS sms_templates_organization_id_fkey,
	ADD CONSTRAINT sms_templates_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.sms_settings
	DROP CONSTRAINT IF EXISTS sms_settings_organization_id_fkey,
	ADD CONSTRAINT sms_settings_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE;
ALTER TABLE platform.outbound_sms_log
	DROP CONSTRAINT IF EXISTS outbound_sms_log_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS outbound_sms_log_user_id_fkey,
	DROP CONSTRAINT IF EXISTS outbound_sms_log_source_fkey,
	ADD CONSTRAINT outbound_sms_log_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT outbound_sms_log_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id),
	ADD CONSTRAINT outbound_sms_log_source_fkey
		FOREIGN KEY (source) REFERENCES platform.sms_sources (source);
ALTER TABLE platform.sms_automation_log
	DROP CONSTRAINT IF EXISTS sms_automation_log_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS sms_automation_log_user_id_fkey,
	ADD CONSTRAINT sms_automation_log_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT sms_automation_log_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);

ALTER TABLE platform.sms_numbers ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_inbound ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_opt_out ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.opt_out_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_thread_locks ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_collision_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_inbound_rate_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_outbound_throttle ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_keywords ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.outbound_sms_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.sms_automation_log ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS sms_numbers_member_select ON platform.sms_numbers;
CREATE POLICY sms_numbers_member_select ON platform.sms_numbers FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS messages_member_select ON platform.messages;
CREATE POLICY messages_member_select ON platform.messages FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS sms_opt_out_member_select ON platform.sms_opt_out;
CREATE POLICY sms_opt_out_member_select ON platform.sms_opt_out FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS opt_out_requests_member_select ON platform.opt_out_requests;
CREATE POLICY opt_out_requests_member_select ON platform.opt_out_requests FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS sms_templates_member_select ON platform.sms_templates;
CREATE POLICY sms_templates_member_select ON platform.sms_templates FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS sms_settings_member_select ON platform.sms_settings;
CREATE POLICY sms_settings_member_select ON platform.sms_settings FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS outbound_sms_log_member_select ON platform.outbound_sms_log;
CREATE POLICY outbound_sms_log_member_select ON platform.outbound_sms_log FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS sms_automation_log_member_select ON platform.sms_automation_log;
CREATE POLICY sms_automation_log_member_select ON platform.sms_automation_log FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS sms_sources_member_select ON platform.sms_sources;
CREATE POLICY sms_sources_member_select ON platform.sms_sources FOR SELECT
	USING (true);
DROP POLICY IF EXISTS sms_keywords_member_select ON platform.sms_keywords;
CREATE POLICY sms_keywords_member_select ON platform.sms_keywords FOR SELECT
	USING (true);
-- Administrators set quiet hours and the like; how many a minute is an operator's.
DROP POLICY IF EXISTS sms_settings_admin_insert ON platform.sms_settings;
CREATE POLICY sms_settings_admin_insert ON platform.sms_settings FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS sms_settings_admin_update ON platform.sms_settings;
CREATE POLICY sms_settings_admin_update ON platform.sms_settings FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());

CREATE OR REPLACE TRIGGER sms_numbers_touch BEFORE UPDATE ON platform.sms_numbers
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER messages_touch BEFORE UPDATE ON platform.messages
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER sms_opt_out_touch BEFORE UPDATE ON platform.sms_opt_out
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER sms_thread_locks_touch BEFORE UPDATE ON platform.sms_thread_locks
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER sms_templates_touch BEFORE UPDATE ON platform.sms_templates
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER outbound_sms_log_touch BEFORE UPDATE ON platform.outbound_sms_log
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER sms_automation_log_touch BEFORE UPDATE ON platform.sms_automation_log
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER sms_settings_check BEFORE INSERT OR UPDATE ON platform.sms_settings
	FOR EACH ROW EXECUTE FUNCTION platform.check_sms_settings();
CREATE OR REPLACE TRIGGER opt_out_requests_refuse BEFORE UPDATE OR DELETE ON platform.opt_out_requests
	FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER opt_out_requests_refuse_truncate BEFORE TRUNCATE ON platform.opt_out_requests
	FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();
CREATE OR REPLACE TRIGGER sms_keywords_notify AFTER INSERT OR DELETE OR UPDATE ON platform.sms_keywords
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER sms_keywords_notify_truncate AFTER TRUNCATE ON platform.sms_keywords
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.sms_keywords
	ENABLE ALWAYS TRIGGER sms_keywords_notify,
	ENABLE ALWAYS TRIGGER sms_keywords_notify_truncate;
CREATE OR REPLACE TRIGGER sms_sources_notify AFTER INSERT OR DELETE OR UPDATE ON platform.sms_sources
	FOR EACH ROW EXECUTE FUNCTION platform.invalidate_cache();
CREATE OR REPLACE TRIGGER sms_sources_notify_truncate AFTER TRUNCATE ON platform.sms_sources
	FOR EACH STATEMENT EXECUTE FUNCTION platform.invalidate_cache();
ALTER TABLE platform.sms_sources
	ENABLE ALWAYS TRIGGER sms_sources_notify,
	ENABLE ALWAYS TRIGGER sms_sources_notify_truncate;
CREATE OR REPLACE TRIGGER sms_numbers_audit AFTER INSERT OR DELETE OR UPDATE ON platform.sms_numbers
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_numbers_audit_truncate BEFORE TRUNCATE ON platform.sms_numbers
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_opt_out_audit AFTER INSERT OR DELETE OR UPDATE ON platform.sms_opt_out
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_opt_out_audit_truncate BEFORE TRUNCATE ON platform.sms_opt_out
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_settings_audit AFTER INSERT OR DELETE OR UPDATE ON platform.sms_settings
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_settings_audit_truncate BEFORE TRUNCATE ON platform.sms_settings
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_templates_audit AFTER INSERT OR DELETE OR UPDATE ON platform.sms_templates
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_templates_audit_truncate BEFORE TRUNCATE ON platform.sms_templates
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_keywords_audit AFTER INSERT OR DELETE OR UPDATE ON platform.sms_keywords
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_keywords_audit_truncate BEFORE TRUNCATE ON platform.sms_keywords
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_sources_audit AFTER INSERT OR DELETE OR UPDATE ON platform.sms_sources
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER sms_sources_audit_truncate BEFORE TRUNCATE ON platform.sms_sources
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

-- Wishes to get no messages are kept for good, and so are opt-outs. What waits has no finished_at.
INSERT INTO platform.retention_policies (name, table_name, time_column, keep) VALUES
	('messages', 'messages', 'created_at', '2 years'),
	('messages as delivered', 'sms_inbound', 'created_at', '90 days'),
	('messages sent', 'outbound_sms_log', 'finished_at', '2 years'),
	('scheduled messages', 'sms_automation_log', 'run_at', '1 year'),
	('questions which business', 'sms_collision_log', 'created_at', '90 days')
ON CONFLICT (name) DO NOTHING;

CREATE OR REPLACE VIEW platform.phone_thread_owner WITH (security_invoker = true) AS
SELECT l.from_number, l.organization_id AS tenant_id, l.locked_until, l.last_outbound_at, l.business_name, l.to_number, l.created_at, l.updated_at
FROM platform.sms_thread_locks l;
COMMENT ON VIEW platform.phone_thread_owner IS
	'sms_thread_locks under the name that older systems use.';
CREATE OR REPLACE VIEW platform.sms_opt_outs WITH (security_invoker = true) AS
SELECT o.id, o.organization_id, o.phone, o.global_opt_out, o.opted_out_at, o.created_at, o.updated_at
FROM platform.sms_opt_out o;
COMMENT ON VIEW platform.sms_opt_outs IS
	'sms_opt_out under the name that older systems use.';
CREATE OR REPLACE VIEW platform.sms_keyword_responses WITH (security_invoker = true) AS
SELECT i.from_number, i.organization_id AS tenant_id, i.keyword AS keyword_detected, i.body AS original_body,
	i.auto_reply IS NOT NULL AS auto_response_sent, i.action_taken, i.created_at
FROM platform.sms_inbound i
WHERE i.keyword IS NOT NULL;
COMMENT ON VIEW platform.sms_keyword_responses IS
	'Messages that were commands, and what was done about them.';

-- down

DROP VIEW IF EXISTS platform.sms_keyword_responses;
DROP VIEW IF EXISTS platform.sms_opt_outs;
DROP VIEW IF EXISTS platform.phone_thread_owner;
DELETE FROM platform.retention_policies WHERE name IN (
	'messages', 'messages as delivered', 'messages sent', 'scheduled messages', 'questions which business');

DROP TRIGGER IF EXISTS sms_sources_audit_truncate ON platform.sms_sources;
DROP TRIGGER IF EXISTS sms_sources_audit ON platform.sms_sources;
DROP TRIGGER IF EXISTS sms_keywords_audit_truncate ON platform.sms_keywords;
DROP TRIGGER IF EXISTS sms_keywords_audit ON platform.sms_keywords;
DROP TRIGGER IF EXISTS sms_templates_audit_truncate ON platform.sms_templates;
DROP TRIGGER IF EXISTS sms_templates_audit ON platform.sms_templates;
DROP TRIGGER IF EXISTS sms_settings_audit_truncate ON platform.sms_settings;
DROP TRIGGER IF EXISTS sms_settings_audit ON platform.sms_settings;
DROP TRIGGER IF EXISTS sms_opt_out_audit_truncate ON platform.sms_opt_out;
DROP TRIGGER IF EXISTS sms_opt_out_audit ON platform.sms_opt_out;
DROP TRIGGER IF EXISTS sms_numbers_audit_truncate ON platform.sms_numbers;
DROP TRIGGER IF EXISTS sms_numbers_audit ON platform.sms_numbers;
DROP TRIGGER IF EXISTS sms_sources_notify_truncate ON platform.sms_sources;
DROP TRIGGER IF EXISTS sms_sources_notify ON platform.sms_sources;
DROP TRIGGER IF EXISTS sms_keywords_notify_truncate ON platform.sms_keywords;
DROP TRIGGER IF EXISTS sms_keywords_notify ON platform.sms_keywords;
DROP TRIGGER IF EXISTS opt_out_requests_refuse_truncate ON platform.opt_out_requests;
DROP TRIGGER IF EXISTS opt_out_requests_refuse ON platform.opt_out_requests;
DROP TRIGGER IF EXISTS sms_settings_check ON platform.sms_settings;
DROP TRIGGER IF EXISTS sms_automation_log_touch ON platform.sms_automation_log;
DROP TRIGGER IF EXISTS outbound_sms_log_touch ON platform.outbound_sms_log;
DROP TRIGGER IF EXISTS sms_templates_touch ON platform.sms_templates;
DROP TRIGGER IF EXISTS sms_thread_locks_touch ON platform.sms_thread_locks;
DROP TRIGGER IF EXISTS sms_opt_out_touch ON platform.sms_opt_out;
DROP TRIGGER IF EXISTS messages_touch ON platform.messages;
DROP TRIGGER IF EXISTS sms_numbers_touch ON platform.sms_numbers;

DROP POLICY IF EXISTS sms_settings_admin_update ON platform.sms_settings;
DROP POLICY IF EXISTS sms_settings_admin_insert ON platform.sms_settings;
DROP POLICY IF EXISTS sms_keywords_member_select ON platform.sms_keywords;
DROP POLICY IF EXISTS sms_sources_member_select ON platform.sms_sources;
DROP POLICY IF EXISTS sms_automation_log_member_select ON platform.sms_automation_log;
DROP POLICY IF EXISTS outbound_sms_log_member_select ON platform.outbound_sms_log;
DROP POLICY IF EXISTS sms_settings_member_select ON platform.sms_settings;
DROP POLICY IF EXISTS sms_templates_member_select ON platform.sms_templates;
DROP POLICY IF EXISTS opt_out_requests_member_select ON platform.opt_out_requests;
DROP POLICY IF EXISTS sms_opt_out_member_select ON platform.sms_opt_out;
DROP POLICY IF EXISTS messages_member_select ON platform.messages;
DROP POLICY IF EXISTS sms_numbers_member_select ON platform.sms_numbers;

ALTER TABLE platform.sms_automation_log
	DROP CONSTRAINT IF EXISTS sms_automation_log_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS sms_automation_log_user_id_fkey;
ALTER TABLE platform.outbound_sms_log
	DROP CONSTRAINT IF EXISTS outbound_sms_log_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS outbound_sms_log_user_id_fkey,
	DROP CONSTRAINT IF EXISTS outbound_sms_log_source_fkey;
ALTER TABLE platform.sms_settings
	DROP CONSTRAINT IF EXISTS sms_settings_organization_id_fkey;
ALTER TABLE platform.sms_templates
	DROP CONSTRAINT IF EXISTS sms_templates_organization_id_fkey;
ALTER TABLE platform.sms_outbound_throttle
	DROP CONSTRAINT IF EXISTS sms_outbound_throttle_organization_id_fkey;
ALTER TABLE platform.sms_thread_locks
	DROP CONSTRAINT IF EXISTS sms_thread_locks_organization_id_fkey;
ALTER TABLE platform.opt_out_requests
	DROP CONSTRAINT IF EXISTS opt_out_requests_organization_id_fkey;
ALTER TABLE platform.sms_opt_out
	DROP CONSTRAINT IF EXISTS sms_opt_out_organization_id_fkey;
ALTER TABLE platform.sms_inbound
	DROP CONSTRAINT IF EXISTS sms_inbound_organization_id_fkey;
ALTER TABLE platform.messages
	DROP CONSTRAINT IF EXISTS messages_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS messages_user_id_fkey;
ALTER TABLE platform.sms_numbers
	DROP CONSTRAINT IF EXISTS sms_numbers_organization_id_fkey;

-- checks

-- check: row security is on
SELECT t.name FROM (VALUES ('sms_numbers'), ('messages'), ('sms_inbound'), ('sms_opt_out'), ('opt_out_requests'), ('sms_thread_locks'), ('sms_collision_log'), ('sms_inbound_rate_limits'), ('sms_outbound_throttle'), ('sms_sources'), ('sms_keywords'), ('sms_templates'), ('sms_settings'), ('outbound_sms_log'), ('sms_automation_log')) AS t (name)
JOIN pg_catalog.pg_class c ON c.relname = t.name AND c.relnamespace = 'platform'::regnamespace
WHERE NOT c.relrowsecurity;
-- check: what was asked for stays as it is
SELECT t.name FROM (VALUES ('opt_out_requests', 'opt_out_requests_refuse'), ('sms_settings', 'sms_settings_check')) AS t (relation, name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
	WHERE c.relname = t.relation AND c.relnamespace = 'platform'::regnamespace AND g.tgname = t.name AND g.tgenabled <> 'D');
-- check: nothing is queued for who opted out
SELECT s.id, s.organization_id FROM platform.outbound_sms_log s
JOIN platform.sms_sources r ON r.source = s.source
WHERE s.status = 'queued' AND NOT r.ignores_opt_out AND EXISTS (SELECT 1 FROM platform.sms_opt_out o
	WHERE o.phone = s.to_number AND (o.global_opt_out OR o.organization_id = s.organization_id));
-- check: messages of one log are of one organization
SELECT m.id, m.organization_id FROM platform.messages m
JOIN platform.outbound_sms_log s ON s.id = m.id AND s.organization_id <> m.organization_id;
