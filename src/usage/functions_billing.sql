-- usage: bills

CREATE OR REPLACE FUNCTION platform.check_billing_line_item() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_check_billing_line_item';
COMMENT ON FUNCTION platform.check_billing_line_item() IS
	'Trigger function, BEFORE DELETE OR UPDATE FOR EACH ROW of billing_line_items: refuses all but naming a dispute or the provider''s invoice. Errors: PT409, 39P01.';

CREATE OR REPLACE FUNCTION platform.generate_billing_line_items(period_id uuid DEFAULT NULL, organization_id uuid DEFAULT NULL, max_periods integer DEFAULT 1000,
	OUT periods bigint, OUT line_items bigint, OUT adjustments bigint, OUT total_amount numeric)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_generate_billing_line_items';
COMMENT ON FUNCTION platform.generate_billing_line_items(uuid, uuid, integer) IS
	'Makes the line items of a closed period, or (NULL) of at most max_periods that are due, the oldest first: closed and never billed, or changed since. What was billed before is adjusted by the difference; the same again writes nothing. total_amount: dollars written. Operators. Errors: 42501, 22004, 22023, PT404 no such period, PT409 it is not over, 25006.';

CREATE OR REPLACE FUNCTION platform.invoice_preview(organization_id uuid, user_id uuid, period_id uuid DEFAULT NULL)
RETURNS TABLE (item text, description text, quantity numeric, unit_rate numeric, total_amount numeric, tier_snapshot_id uuid)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_invoice_preview' ROWS 10;
COMMENT ON FUNCTION platform.invoice_preview(uuid, uuid, uuid) IS
	'What a period (NULL: the present one) costs by what is known now: plan, add_on, call, sms, overage_minutes, overage_sms, credit. Dollars; minutes or segments. Writes nothing. Members: themselves; administrators: their organization. Errors: 42501, 22004, PT404 no such customer or period.';
INSERT INTO platform.member_privileges VALUES ('function', 'invoice_preview(uuid, uuid, uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.billing_line_item_events(line_item_id uuid)
RETURNS TABLE (event_id uuid, kind text, source_id text, event_type text, amount bigint, occurred_at timestamptz)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT e.id, 'call', e.call_id, e.event_type, e.seconds, e.occurred_at
FROM platform.billing_line_items b
JOIN platform.call_events e ON e.period_id = b.billing_period_id AND e.organization_id = b.organization_id AND e.id = ANY (b.event_ids)
WHERE b.id = $1
UNION ALL
SELECT e.id, 'sms', e.message_id, e.event_type, e.segments, e.occurred_at
FROM platform.billing_line_items b
JOIN platform.sms_events e ON e.period_id = b.billing_period_id AND e.organization_id = b.organization_id AND e.id = ANY (b.event_ids)
WHERE b.id = $1
ORDER BY 6, 1
$$;
COMMENT ON FUNCTION platform.billing_line_item_events(uuid) IS
	'The events that a line item bills: seconds of calls, or segments of messages. Members: as they see lines and events.';
INSERT INTO platform.member_privileges VALUES ('function', 'billing_line_item_events(uuid)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.billing_line_items_of_event(event_id uuid)
RETURNS TABLE (line_item_id uuid, billing_period_id uuid, event_type text, line_kind text, revision integer, total_amount numeric)
LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
SELECT b.id, b.billing_period_id, b.event_type, b.line_kind, b.revision, b.total_amount
FROM (SELECT id, organization_id, period_id FROM platform.call_events UNION ALL SELECT id, organization_id, period_id FROM platform.sms_events) AS e
JOIN platform.billing_line_items b ON b.billing_period_id = e.period_id AND b.organization_id = e.organization_id AND e.id = ANY (b.event_ids)
WHERE e.id = $1
ORDER BY b.revision, b.event_type, b.id
$$;
COMMENT ON FUNCTION platform.billing_line_items_of_event(uuid) IS
	'The line items that bill an event: one, or two of a call that began within the limit and ended beyond it, and their adjustments. Members: as they see lines and events.';
INSERT INTO platform.member_privileges VALUES ('function', 'billing_line_items_of_event(uuid)', 'EXECUTE');

-- usage: disputes

CREATE OR REPLACE FUNCTION platform.open_billing_dispute(line_item_id uuid, reason text) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_open_billing_dispute';
COMMENT ON FUNCTION platform.open_billing_dispute(uuid, text) IS
	'Opens a dispute about a line item, or returns the one that is open. Operators. Errors: 42501, 22004, 22023, PT404 no such line item, PT409 a credit, 25006.';

CREATE OR REPLACE FUNCTION platform.resolve_billing_dispute(dispute_id uuid, accepted boolean, credit_amount numeric DEFAULT NULL, notes text DEFAULT NULL,
	OUT status text, OUT credited numeric, OUT credit_line_item_id uuid)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resolve_billing_dispute';
COMMENT ON FUNCTION platform.resolve_billing_dispute(uuid, boolean, numeric, text) IS
	'Ends a dispute. Accepted, it gives back so many dollars (NULL: all that the line item still costs) by a credit in the same period. Operators. Errors: 42501, 22004, 22023 more than that, below 0, or a credit with a refusal; PT404; PT409 it has ended; 25006.';

-- usage: reconciliation

CREATE OR REPLACE FUNCTION platform.reconcile_usage(run_type text DEFAULT 'manual', preview boolean DEFAULT true, organization_id uuid DEFAULT NULL, max_customers integer DEFAULT NULL,
	OUT run_id uuid, OUT status text, OUT records_checked bigint, OUT discrepancies_found bigint, OUT corrected bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reconcile_usage';
COMMENT ON FUNCTION platform.reconcile_usage(text, boolean, uuid, integer) IS
	'Compares the counters of all periods with the sums of their events, in one snapshot: a discrepancy is more than 5 percent and 60 seconds, or 5 percent and 5 segments. preview false sets the counters right. max_customers: only so many, then resume_reconciliation() goes on. Operators. Errors: 42501, 22004, 22023, PT404 no such organization, 25006.';

CREATE OR REPLACE FUNCTION platform.resume_reconciliation(run_id uuid, max_customers integer DEFAULT NULL,
	OUT status text, OUT records_checked bigint, OUT discrepancies_found bigint, OUT corrected bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_resume_reconciliation';
COMMENT ON FUNCTION platform.resume_reconciliation(uuid, integer) IS
	'The next batch of a run that is running or failed (NULL: all the rest); the totals so far. Of one that is completed nothing is done. Operators. Errors: 42501, 22004, 22023, PT404 no such run, 25006.';

INSERT INTO platform.member_privileges VALUES
	('table', 'billing_line_items', 'SELECT (id, organization_id, billing_period_id, user_id, phone_number, event_type, line_kind, revision, event_ids, event_range_start, event_range_end, quantity, billed_units, unit_rate, total_amount, tier_snapshot_id, provider_invoice_link, dispute_id, created_at)'),
	('table', 'billing_disputes', 'SELECT'),
	('table', 'bills', 'SELECT');
