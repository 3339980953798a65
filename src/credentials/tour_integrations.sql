-- tour 51 Integration accounts: secrets that nobody sees
\echo
\echo An account at Twilio, as an application writes it. The token never reaches the table:
\echo what stands there is encrypted for this row and this field.
\echo
\set ECHO queries
INSERT INTO platform.integration_accounts (organization_id, account_type, account_name, credentials)
VALUES ('d0000000-0000-4000-8000-000000000001', 'twilio', 'Main line',
	'{"accountSid": "AC1", "authToken": "a-very-secret-token", "phoneNumber": "+15550100"}') RETURNING id AS account \gset
SELECT jsonb_pretty(jsonb_set(credentials, '{authToken,$enc}', to_jsonb(left(credentials #>> '{authToken,$enc}', 12) || '...'))) AS stored
FROM platform.integration_accounts WHERE id = :'account';
\set ECHO none
\echo
\echo Members see the last four characters. A form may send those back: the token stays.
\echo
\set ECHO queries
SELECT display_name, credentials, status FROM platform.integrations WHERE id = :'account';
UPDATE platform.integration_accounts SET credentials = '{"accountSid": "AC1", "authToken": "****oken", "phoneNumber": "+15550199"}'
WHERE id = :'account';
\set ECHO none
\echo
\echo A request of Twilio's is verified without showing the token to anybody. Who may see it
\echo leaves a trace.
\echo
\set ECHO queries
SELECT platform.verify_twilio_request('d0000000-0000-4000-8000-000000000001', :'account', 'https://app.example/voice', 'CallSid=CA1',
	platform.sign_twilio_webhook('https://app.example/voice', 'CallSid=CA1', 'a-very-secret-token')) AS genuine;
SELECT credentials ->> 'authToken' AS token
FROM platform.reveal_credentials('d0000000-0000-4000-8000-000000000001', :'account', 'tour');
SELECT action, purpose, detail, role_name = current_user AS me FROM platform.secret_access_log WHERE row_id = :'account';
\set ECHO none
\echo
\echo Copied to another field, or to another customer's account, it is refused.
\echo
\set ECHO queries
UPDATE platform.integration_accounts SET access_token = credentials #>> '{authToken,$enc}' WHERE id = :'account';
