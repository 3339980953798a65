-- Integration accounts: errors, verification, one alert about an hour of errors; tokens that expire; webhook secrets that rotate.
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY terse
\set org '''53000000-0000-4000-8000-000000000001'''
\set one '''53000000-0000-4000-8000-0000000000a1'''
\set two '''53000000-0000-4000-8000-0000000000a2'''
\set nobody '''53000000-0000-4000-8000-00000000dead'''
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Health Co');
INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, status) VALUES
	(:one, :org, 'twilio', 'One', '{}', 'pending'), (:two, :org, 'whatsapp', 'Two', '{}', 'active');
CREATE VIEW pg_temp.health AS SELECT account_name, status, last_error, last_error_at = now() AS error_now, error_since = now() AS since_now, error_alerted_at IS NOT NULL AS alerted, last_verified_at = now() AS verified_now
	FROM platform.integration_accounts WHERE organization_id = '53000000-0000-4000-8000-000000000001' ORDER BY account_name COLLATE "C";
CREATE VIEW pg_temp.alerts AS SELECT alert_type, severity, title, message, dedup_key, source, occurrences, resolved_at IS NOT NULL AS closed FROM platform.ops_alerts
	WHERE organization_id = '53000000-0000-4000-8000-000000000001' ORDER BY id;
-- an error; a second one leaves when they began
SELECT platform.record_integration_error(:org, :one, 'authentication failed');
SELECT * FROM pg_temp.health;
UPDATE platform.integration_accounts SET error_since = now() - interval '59 minutes', last_error_at = now() - interval '59 minutes' WHERE id = :one;
SELECT platform.record_integration_error(:org, :one, repeat('ü', 2000)) AS alerted;
SELECT account_name, status, length(last_error), last_error_at = now() AS error_now, now() - error_since AS since FROM platform.integration_accounts WHERE id = :one;
SELECT * FROM pg_temp.alerts;
SELECT platform.alert_integration_errors();
-- after an hour: one alert, however often
UPDATE platform.integration_accounts SET error_since = now() - interval '60 minutes' WHERE id = :one;
SELECT platform.record_integration_error(:org, :one, 'still failing') AS alerted, platform.record_integration_error(:org, :one, 'still failing') AS again;
SELECT platform.alert_integration_errors();
SELECT * FROM pg_temp.alerts;
-- it works again: all is cleared, the alert closed; noted once a minute
SELECT platform.record_integration_verified(:org, :one), platform.record_integration_verified(:org, :one) AS again;
SELECT * FROM pg_temp.health;
SELECT occurrences, closed FROM pg_temp.alerts;
UPDATE platform.integration_accounts SET last_verified_at = now() - interval '61 s' WHERE id = :one;
-- of one that worked nothing but the time changes: updated_at stays, no trigger fires
ALTER TABLE platform.integration_accounts DISABLE TRIGGER integration_accounts_encrypt;
UPDATE platform.integration_accounts SET updated_at = '2020-01-01' WHERE id = :one;
ALTER TABLE platform.integration_accounts ENABLE TRIGGER integration_accounts_encrypt;
SELECT count(*) AS audited FROM platform.audit_logs WHERE organization_id = :org AND entity = 'integration_accounts' \gset
SELECT platform.record_integration_verified(:org, :one);
SELECT last_verified_at = now() AS verified, updated_at FROM platform.integration_accounts WHERE id = :one;
SELECT count(*) - :audited AS audited FROM platform.audit_logs WHERE organization_id = :org AND entity = 'integration_accounts';
-- errors that nobody reports any more are found by the job
UPDATE platform.integration_accounts SET status = 'error', error_since = now() - interval '2 hours', last_error = 'token revoked' WHERE id = :two;
SELECT platform.alert_integration_errors(), platform.alert_integration_errors() AS again;
SELECT title, message, occurrences FROM pg_temp.alerts WHERE NOT closed;
SELECT platform.record_integration_error(:org, :two, 'token revoked') AS again;
-- a plain UPDATE of the status tells the same
UPDATE platform.integration_accounts SET status = 'active' WHERE id = :two;
SELECT * FROM pg_temp.health WHERE account_name = 'Two';
UPDATE platform.integration_accounts SET status = 'error' WHERE id = :two;
SELECT * FROM pg_temp.health WHERE account_name = 'Two';
UPDATE platform.integration_accounts SET status = 'broken' WHERE id = :two;
-- one that is switched off stays so
UPDATE platform.integration_accounts SET status = 'inactive' WHERE id = :two;
SELECT platform.record_integration_error(:org, :two, 'x');
SELECT * FROM pg_temp.health WHERE account_name = 'Two';
SELECT platform.record_integration_verified(:org, :two);
SELECT * FROM pg_temp.health WHERE account_name = 'Two';
-- refused
SELECT platform.record_integration_error(:org, :nobody, 'x');
SELECT platform.record_integration_error(:org, :one, NULL);
SELECT platform.record_integration_error(NULL, :one, 'x');
SELECT platform.record_integration_error(:org, NULL, 'x');
SELECT platform.record_integration_verified(:org, :nobody);
SELECT platform.record_integration_verified(NULL, :one);
SELECT platform.record_integration_verified(:org, NULL);
SELECT platform.alert_integration_errors(0);
SELECT platform.alert_integration_errors(NULL);

-- tokens that expire
UPDATE platform.integration_accounts SET token_expires_at = now() + interval '3 days', access_token = 'x' WHERE id = :one;
UPDATE platform.integration_accounts SET token_expires_at = now() - interval '1 day', access_token = 'x' WHERE id = :two;
SELECT account_id, account_type, account_name, token_expires_at - now() AS left, expired FROM platform.integration_tokens_expiring() WHERE organization_id = :org;
SELECT account_name FROM platform.integration_tokens_expiring('2 days') WHERE organization_id = :org;
SELECT account_name FROM platform.integration_tokens_expiring('-2 days') WHERE organization_id = :org;
SELECT account_name FROM platform.integration_tokens_expiring(NULL);
UPDATE platform.integration_accounts SET deleted_at = now() WHERE id = :two;
SELECT platform.set_context(:org::uuid, 'somebody');
SET LOCAL ROLE platform_test_member;
SELECT account_name FROM platform.integration_tokens_expiring('10 years');
RESET ROLE;
SELECT platform.set_context('00000000-0000-0000-0000-000000000000', 'somebody');
SET LOCAL ROLE platform_test_member;
SELECT account_name FROM platform.integration_tokens_expiring('10 years') WHERE organization_id = :org;
RESET ROLE;
-- deleted accounts are gone for all of these
SELECT platform.record_integration_error(:org, :two, 'x');
SELECT platform.record_integration_verified(:org, :two);
SELECT platform.rotate_integration_secret(:org, :two);

-- rotation: the old secret stays for a while
UPDATE platform.integration_accounts SET webhook_secret = 'the old secret' WHERE id = :one;
SELECT platform.rotate_integration_secret(:org, :one) AS new_secret \gset
SELECT :'new_secret' ~ '^whsec_[A-Za-z0-9+/]{43}=$' AS form, r.webhook_secret = :'new_secret' AS stored,
	platform.decrypt_secret(:org, 'integration_accounts.previous_webhook_secret', a.id, a.previous_webhook_secret) AS previous,
	a.previous_webhook_secret_expires_at - now() > interval '23:59' AS a_day, cardinality(a.data_key_ids) AS keys
FROM platform.integration_accounts a, platform.reveal_credentials(:org, a.id) r WHERE a.id = :one;
SELECT platform.rotate_integration_secret(:org, :one);
SELECT platform.rotate_integration_secret(:org, :one, '1 hour', force => true) <> :'new_secret' AS another;
SELECT platform.decrypt_secret(:org, 'integration_accounts.previous_webhook_secret', id, previous_webhook_secret) = :'new_secret' AS previous FROM platform.integration_accounts WHERE id = :one;
SELECT platform.rotate_integration_secret(:org, :one, '0', true) IS NOT NULL AS no_grace;
SELECT previous_webhook_secret, previous_webhook_secret_expires_at FROM platform.integration_accounts WHERE id = :one;
SELECT platform.rotate_integration_secret(:org, :one, '-1 s');
SELECT platform.rotate_integration_secret(:org, :one, '31 days 2 hours');
SELECT platform.rotate_integration_secret(:org, :one, NULL);
SELECT platform.rotate_integration_secret(:org, :one, '1 s', NULL);
SELECT platform.rotate_integration_secret(NULL, :one);
SELECT platform.rotate_integration_secret(:org, NULL);
SELECT platform.rotate_integration_secret(:org, :nobody);
ROLLBACK;
