-- migration 620 crm: foreign keys, row security, triggers, views
-- requires: tenants ops

-- up

ALTER TABLE platform.agents
	DROP CONSTRAINT IF EXISTS agents_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS agents_user_id_fkey,
	ADD CONSTRAINT agents_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT agents_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id);
ALTER TABLE platform.agent_deployments
	DROP CONSTRAINT IF EXISTS agent_deployments_agent_id_organization_id_fkey,
	ADD CONSTRAINT agent_deployments_agent_id_organization_id_fkey
		FOREIGN KEY (agent_id, organization_id) REFERENCES platform.agents (id, organization_id) ON DELETE CASCADE;
ALTER TABLE platform.leads
	DROP CONSTRAINT IF EXISTS leads_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS leads_user_id_fkey,
	DROP CONSTRAINT IF EXISTS leads_owner_id_fkey,
	ADD CONSTRAINT leads_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT leads_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id),
	ADD CONSTRAINT leads_owner_id_fkey
		FOREIGN KEY (owner_id) REFERENCES platform.users (id);
ALTER TABLE platform.deals
	DROP CONSTRAINT IF EXISTS deals_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS deals_lead_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS deals_seller_id_fkey,
	DROP CONSTRAINT IF EXISTS deals_referrer_id_fkey,
	ADD CONSTRAINT deals_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT deals_lead_id_organization_id_fkey
		FOREIGN KEY (lead_id, organization_id) REFERENCES platform.leads (id, organization_id),
	ADD CONSTRAINT deals_seller_id_fkey
		FOREIGN KEY (seller_id) REFERENCES platform.users (id),
	ADD CONSTRAINT deals_referrer_id_fkey
		FOREIGN KEY (referrer_id) REFERENCES platform.users (id);
ALTER TABLE platform.commissions
	DROP CONSTRAINT IF EXISTS commissions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS commissions_seller_id_fkey,
	DROP CONSTRAINT IF EXISTS commissions_deal_id_organization_id_fkey,
	ADD CONSTRAINT commissions_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT commissions_seller_id_fkey
		FOREIGN KEY (seller_id) REFERENCES platform.users (id),
	ADD CONSTRAINT commissions_deal_id_organization_id_fkey
		FOREIGN KEY (deal_id, organization_id) REFERENCES platform.deals (id, organization_id);
ALTER TABLE platform.appointments
	DROP CONSTRAINT IF EXISTS appointments_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS appointments_user_id_fkey,
	DROP CONSTRAINT IF EXISTS appointments_lead_id_organization_id_fkey,
	ADD CONSTRAINT appointments_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT appointments_user_id_fkey
		FOREIGN KEY (user_id) REFERENCES platform.users (id),
	ADD CONSTRAINT appointments_lead_id_organization_id_fkey
		FOREIGN KEY (lead_id, organization_id) REFERENCES platform.leads (id, organization_id);
ALTER TABLE platform.appointment_changes
	DROP CONSTRAINT IF EXISTS appointment_changes_appointment_id_organization_id_fkey,
	ADD CONSTRAINT appointment_changes_appointment_id_organization_id_fkey
		FOREIGN KEY (appointment_id, organization_id) REFERENCES platform.appointments (id, organization_id) ON DELETE CASCADE;
ALTER TABLE platform.appointment_reminders
	DROP CONSTRAINT IF EXISTS appointment_reminders_appointment_id_organization_id_fkey,
	ADD CONSTRAINT appointment_reminders_appointment_id_organization_id_fkey
		FOREIGN KEY (appointment_id, organization_id) REFERENCES platform.appointments (id, organization_id) ON DELETE CASCADE;
ALTER TABLE platform.tracking_sessions
	DROP CONSTRAINT IF EXISTS tracking_sessions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS tracking_sessions_created_by_fkey,
	DROP CONSTRAINT IF EXISTS tracking_sessions_lead_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS tracking_sessions_appointment_id_organization_id_fkey,
	ADD CONSTRAINT tracking_sessions_organization_id_fkey
		FOREIGN KEY (organization_id) REFERENCES platform.organizations (id) ON DELETE CASCADE,
	ADD CONSTRAINT tracking_sessions_created_by_fkey
		FOREIGN KEY (created_by) REFERENCES platform.users (id),
	ADD CONSTRAINT tracking_sessions_lead_id_organization_id_fkey
		FOREIGN KEY (lead_id, organization_id) REFERENCES platform.leads (id, organization_id),
	ADD CONSTRAINT tracking_sessions_appointment_id_organization_id_fkey
		FOREIGN KEY (appointment_id, organization_id) REFERENCES platform.appointments (id, organization_id);
ALTER TABLE platform.tracking_points
	DROP CONSTRAINT IF EXISTS tracking_points_session_id_organization_id_fkey,
	ADD CONSTRAINT tracking_points_session_id_organization_id_fkey
		FOREIGN KEY (session_id, organization_id) REFERENCES platform.tracking_sessions (id, organization_id) ON DELETE CASCADE;

ALTER TABLE platform.agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.agent_deployments ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.leads ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.deals ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.commissions ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.appointments ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.appointment_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.appointment_reminders ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.tracking_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.tracking_points ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS agents_member_select ON platform.agents;
CREATE POLICY agents_member_select ON platform.agents FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS agents_admin_update ON platform.agents;
CREATE POLICY agents_admin_update ON platform.agents FOR UPDATE
	USING (organization_id = platform.current_organization_id() AND platform.is_admin())
	WITH CHECK (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS agent_deployments_member_select ON platform.agent_deployments;
CREATE POLICY agent_deployments_member_select ON platform.agent_deployments FOR SELECT
	USING (organization_id = platform.current_organization_id());
-- A tenant sees its leads, a seller his own, whosesoever; nobody writes another tenant's.
DROP POLICY IF EXISTS leads_member_select ON platform.leads;
CREATE POLICY leads_member_select ON platform.leads FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS leads_owner_select ON platform.leads;
CREATE POLICY leads_owner_select ON platform.leads FOR SELECT
	USING (owner_id = platform.current_user_id());
DROP POLICY IF EXISTS leads_member_insert ON platform.leads;
CREATE POLICY leads_member_insert ON platform.leads FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id()
		AND (user_id IS NULL OR user_id = platform.current_user_id() OR platform.is_admin())
		AND (owner_id IS NULL OR owner_id = platform.current_user_id() OR platform.is_admin()));
DROP POLICY IF EXISTS leads_member_update ON platform.leads;
CREATE POLICY leads_member_update ON platform.leads FOR UPDATE
	USING (organization_id = platform.current_organization_id())
	WITH CHECK (organization_id = platform.current_organization_id());
-- Money is seen by whom it is about and by administrators, and written by functions.
DROP POLICY IF EXISTS deals_seller_select ON platform.deals;
CREATE POLICY deals_seller_select ON platform.deals FOR SELECT
	USING (organization_id = platform.current_organization_id() AND seller_id = platform.current_user_id());
DROP POLICY IF EXISTS deals_admin_select ON platform.deals;
CREATE POLICY deals_admin_select ON platform.deals FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS commissions_seller_select ON platform.commissions;
CREATE POLICY commissions_seller_select ON platform.commissions FOR SELECT
	USING (organization_id = platform.current_organization_id() AND seller_id = platform.current_user_id());
DROP POLICY IF EXISTS commissions_admin_select ON platform.commissions;
CREATE POLICY commissions_admin_select ON platform.commissions FOR SELECT
	USING (organization_id = platform.current_organization_id() AND platform.is_admin());
DROP POLICY IF EXISTS appointments_member_select ON platform.appointments;
CREATE POLICY appointments_member_select ON platform.appointments FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS appointments_member_insert ON platform.appointments;
CREATE POLICY appointments_member_insert ON platform.appointments FOR INSERT
	WITH CHECK (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS appointments_member_update ON platform.appointments;
CREATE POLICY appointments_member_update ON platform.appointments FOR UPDATE
	USING (organization_id = platform.current_organization_id())
	WITH CHECK (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS appointment_changes_member_select ON platform.appointment_changes;
CREATE POLICY appointment_changes_member_select ON platform.appointment_changes FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS appointment_reminders_member_select ON platform.appointment_reminders;
CREATE POLICY appointment_reminders_member_select ON platform.appointment_reminders FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS tracking_sessions_member_select ON platform.tracking_sessions;
CREATE POLICY tracking_sessions_member_select ON platform.tracking_sessions FOR SELECT
	USING (organization_id = platform.current_organization_id());
DROP POLICY IF EXISTS tracking_points_member_select ON platform.tracking_points;
CREATE POLICY tracking_points_member_select ON platform.tracking_points FOR SELECT
	USING (organization_id = platform.current_organization_id());

CREATE OR REPLACE TRIGGER agents_check BEFORE INSERT OR UPDATE ON platform.agents
	FOR EACH ROW EXECUTE FUNCTION platform.check_agent();
-- Webhooks that came before somebody answered the number; nothing without module inbox.
CREATE OR REPLACE TRIGGER agents_replay AFTER INSERT OR UPDATE OF phone_number, status ON platform.agents
	FOR EACH ROW EXECUTE FUNCTION platform.replay_unknown_phone();
CREATE OR REPLACE TRIGGER leads_check BEFORE INSERT OR UPDATE ON platform.leads
	FOR EACH ROW EXECUTE FUNCTION platform.check_lead();
CREATE OR REPLACE TRIGGER leads_follow AFTER INSERT OR UPDATE OF status, owner_id ON platform.leads
	FOR EACH ROW EXECUTE FUNCTION platform.follow_lead();
CREATE OR REPLACE TRIGGER deals_check BEFORE INSERT OR UPDATE ON platform.deals
	FOR EACH ROW EXECUTE FUNCTION platform.check_deal();
CREATE OR REPLACE TRIGGER commissions_check BEFORE INSERT OR UPDATE ON platform.commissions
	FOR EACH ROW EXECUTE FUNCTION platform.check_commission();
CREATE OR REPLACE TRIGGER appointments_check BEFORE INSERT OR UPDATE ON platform.appointments
	FOR EACH ROW EXECUTE FUNCTION platform.check_appointment();
CREATE OR REPLACE TRIGGER appointments_follow AFTER INSERT OR UPDATE ON platform.appointments
	FOR EACH ROW EXECUTE FUNCTION platform.follow_appointment();
CREATE OR REPLACE TRIGGER appointment_reminders_touch BEFORE UPDATE ON platform.appointment_reminders
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();
CREATE OR REPLACE TRIGGER tracking_sessions_touch BEFORE UPDATE ON platform.tracking_sessions
	FOR EACH ROW EXECUTE FUNCTION platform.touch_updated_at();

CREATE OR REPLACE TRIGGER agents_audit AFTER INSERT OR DELETE OR UPDATE ON platform.agents
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER agents_audit_truncate BEFORE TRUNCATE ON platform.agents
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER deals_audit AFTER INSERT OR DELETE OR UPDATE ON platform.deals
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER deals_audit_truncate BEFORE TRUNCATE ON platform.deals
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER commissions_audit AFTER INSERT OR DELETE OR UPDATE ON platform.commissions
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes();
CREATE OR REPLACE TRIGGER commissions_audit_truncate BEFORE TRUNCATE ON platform.commissions
	FOR EACH STATEMENT EXECUTE FUNCTION platform.audit_changes();

INSERT INTO platform.retention_policies (name, table_name, time_column, keep) VALUES
	('tracking points', 'tracking_points', 'created_at', '30 days'),
	('sent reminders', 'appointment_reminders', 'created_at', '1 year')
ON CONFLICT (name) DO NOTHING;

CREATE OR REPLACE VIEW platform.customers WITH (security_invoker = true) AS
SELECT l.organization_id, l.phone,
	(pg_catalog.array_agg(l.name ORDER BY l.created_at DESC, l.id DESC) FILTER (WHERE l.name IS NOT NULL))[1] AS name,
	(pg_catalog.array_agg(l.email ORDER BY l.created_at DESC, l.id DESC) FILTER (WHERE l.email IS NOT NULL))[1] AS email,
	pg_catalog.count(*) AS leads,
	pg_catalog.count(*) FILTER (WHERE l.call_id IS NOT NULL OR l.call_duration_seconds IS NOT NULL) AS calls,
	COALESCE(pg_catalog.sum(l.call_duration_seconds), 0) AS total_duration_seconds,
	pg_catalog.count(*) FILTER (WHERE l.appointment_booked) AS bookings,
	pg_catalog.min(l.created_at) AS first_contact_at,
	pg_catalog.max(l.created_at) AS last_contact_at,
	(pg_catalog.array_agg(l.status ORDER BY l.created_at DESC, l.id DESC))[1] AS last_status,
	(pg_catalog.array_agg(l.sentiment ORDER BY l.created_at DESC, l.id DESC) FILTER (WHERE l.sentiment IS NOT NULL))[1] AS last_sentiment
FROM platform.leads l
WHERE l.phone IS NOT NULL
GROUP BY l.organization_id, l.phone;
COMMENT ON VIEW platform.customers IS
	'The people behind the leads of an organization, by telephone number: how often they called, how long, what came of it.';

-- down

DROP VIEW IF EXISTS platform.customers;
DELETE FROM platform.retention_policies WHERE name IN ('tracking points', 'sent reminders');

DROP TRIGGER IF EXISTS commissions_audit_truncate ON platform.commissions;
DROP TRIGGER IF EXISTS commissions_audit ON platform.commissions;
DROP TRIGGER IF EXISTS deals_audit_truncate ON platform.deals;
DROP TRIGGER IF EXISTS deals_audit ON platform.deals;
DROP TRIGGER IF EXISTS agents_audit_truncate ON platform.agents;
DROP TRIGGER IF EXISTS agents_audit ON platform.agents;
DROP TRIGGER IF EXISTS tracking_sessions_touch ON platform.tracking_sessions;
DROP TRIGGER IF EXISTS appointment_reminders_touch ON platform.appointment_reminders;
DROP TRIGGER IF EXISTS appointments_follow ON platform.appointments;
DROP TRIGGER IF EXISTS appointments_check ON platform.appointments;
DROP TRIGGER IF EXISTS commissions_check ON platform.commissions;
DROP TRIGGER IF EXISTS deals_check ON platform.deals;
DROP TRIGGER IF EXISTS leads_follow ON platform.leads;
DROP TRIGGER IF EXISTS leads_check ON platform.leads;
DROP TRIGGER IF EXISTS agents_replay ON platform.agents;
DROP TRIGGER IF EXISTS agents_check ON platform.agents;

DROP POLICY IF EXISTS tracking_points_member_select ON platform.tracking_points;
DROP POLICY IF EXISTS tracking_sessions_member_select ON platform.tracking_sessions;
DROP POLICY IF EXISTS appointment_reminders_member_select ON platform.appointment_reminders;
DROP POLICY IF EXISTS appointment_changes_member_select ON platform.appointment_changes;
DROP POLICY IF EXISTS appointments_member_update ON platform.appointments;
DROP POLICY IF EXISTS appointments_member_insert ON platform.appointments;
DROP POLICY IF EXISTS appointments_member_select ON platform.appointments;
DROP POLICY IF EXISTS commissions_admin_select ON platform.commissions;
DROP POLICY IF EXISTS commissions_seller_select ON platform.commissions;
DROP POLICY IF EXISTS deals_admin_select ON platform.deals;
DROP POLICY IF EXISTS deals_seller_select ON platform.deals;
DROP POLICY IF EXISTS leads_member_update ON platform.leads;
DROP POLICY IF EXISTS leads_member_insert ON platform.leads;
DROP POLICY IF EXISTS leads_owner_select ON platform.leads;
DROP POLICY IF EXISTS leads_member_select ON platform.leads;
DROP POLICY IF EXISTS agent_deployments_member_select ON platform.agent_deployments;
DROP POLICY IF EXISTS agents_admin_update ON platform.agents;
DROP POLICY IF EXISTS agents_member_select ON platform.agents;

ALTER TABLE platform.tracking_points
	DROP CONSTRAINT IF EXISTS tracking_points_session_id_organization_id_fkey;
ALTER TABLE platform.tracking_sessions
	DROP CONSTRAINT IF EXISTS tracking_sessions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS tracking_sessions_created_by_fkey,
	DROP CONSTRAINT IF EXISTS tracking_sessions_lead_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS tracking_sessions_appointment_id_organization_id_fkey;
ALTER TABLE platform.appointment_reminders
	DROP CONSTRAINT IF EXISTS appointment_reminders_appointment_id_organization_id_fkey;
ALTER TABLE platform.appointment_changes
	DROP CONSTRAINT IF EXISTS appointment_changes_appointment_id_organization_id_fkey;
ALTER TABLE platform.appointments
	DROP CONSTRAINT IF EXISTS appointments_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS appointments_user_id_fkey,
	DROP CONSTRAINT IF EXISTS appointments_lead_id_organization_id_fkey;
ALTER TABLE platform.commissions
	DROP CONSTRAINT IF EXISTS commissions_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS commissions_seller_id_fkey,
	DROP CONSTRAINT IF EXISTS commissions_deal_id_organization_id_fkey;
ALTER TABLE platform.deals
	DROP CONSTRAINT IF EXISTS deals_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS deals_lead_id_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS deals_seller_id_fkey,
	DROP CONSTRAINT IF EXISTS deals_referrer_id_fkey;
ALTER TABLE platform.leads
	DROP CONSTRAINT IF EXISTS leads_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS leads_user_id_fkey,
	DROP CONSTRAINT IF EXISTS leads_owner_id_fkey;
ALTER TABLE platform.agent_deployments
	DROP CONSTRAINT IF EXISTS agent_deployments_agent_id_organization_id_fkey;
ALTER TABLE platform.agents
	DROP CONSTRAINT IF EXISTS agents_organization_id_fkey,
	DROP CONSTRAINT IF EXISTS agents_user_id_fkey;

-- checks

-- check: row security is on
SELECT t.name FROM (VALUES ('agents'), ('agent_deployments'), ('leads'), ('deals'), ('commissions'), ('appointments'), ('appointment_changes'), ('appointment_reminders'), ('tracking_sessions'), ('tracking_points')) AS t (name)
JOIN pg_catalog.pg_class c ON c.relname = t.name AND c.relnamespace = 'platform'::regnamespace
WHERE NOT c.relrowsecurity;
-- check: states, numbers and reminders are kept
SELECT t.name FROM (VALUES ('agents', 'agents_check'), ('agents', 'agents_replay'), ('leads', 'leads_check'), ('deals', 'deals_check'), ('commissions', 'commissions_check'), ('appointments', 'appointments_check'), ('appointments', 'appointments_follow')) AS t (relation, name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
	WHERE c.relname = t.relation AND c.relnamespace = 'platform'::regnamespace AND g.tgname = t.name AND g.tgenabled <> 'D');
