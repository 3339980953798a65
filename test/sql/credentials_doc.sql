-- The examples of the page about keys and secrets
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
BEGIN;
SELECT platform.encrypt_secret('00000000-0000-0000-0000-000000000000', 'crm.api_key',
	'00000000-0000-4000-8000-0000000000c1', 'correct horse') AS envelope \gset
SELECT platform.decrypt_secret('00000000-0000-0000-0000-000000000000', 'crm.api_key',
	'00000000-0000-4000-8000-0000000000c1', :'envelope');                 -- correct horse
SELECT plaintext, reason FROM platform.try_decrypt_secret('00000000-0000-0000-0000-000000000000',
	'crm.api_key', '00000000-0000-4000-8000-0000000000c2', :'envelope');  -- another row: NOT_AUTHENTIC

SELECT platform.secret_index('00000000-0000-0000-0000-000000000000', 'crm.phone', '+15550100')
	= platform.secret_index('00000000-0000-0000-0000-000000000000', 'crm.phone', '+15550100');   -- t

CREATE TABLE public.my_table (id uuid, organization_id uuid, api_key text);
INSERT INTO platform.secret_columns (schema_name, table_name, column_name, purpose)
VALUES ('public', 'my_table', 'api_key', 'my_table.api_key');
INSERT INTO my_table SELECT id, o, platform.encrypt_secret(o, 'my_table.api_key', id, 'key')
FROM (VALUES ('00000000-0000-4000-8000-0000000000c1'::uuid, '00000000-0000-0000-0000-000000000000'::uuid)) v (id, o);
SELECT platform.rotate_data_key('00000000-0000-0000-0000-000000000000', 'my_table.api_key') AS new \gset
SELECT readable, secrets, reason FROM platform.verify_secrets('00000000-0000-0000-0000-000000000000') WHERE table_name = 'public.my_table';
UPDATE my_table SET api_key = platform.reencrypt_secret(organization_id, 'my_table.api_key', id, api_key)
WHERE platform.envelope_key_id(api_key) <> 1234;
SELECT platform.envelope_key_id(api_key) = :new AS moved FROM my_table;
SELECT platform.destroy_data_key('00000000-0000-0000-0000-000000000000', 'my_table.api_key',
	(SELECT id FROM platform.data_keys WHERE purpose = 'my_table.api_key' AND state = 'decrypt_only'));
SELECT kind, state, usable FROM platform.key_status() WHERE purpose = 'my_table.api_key' ORDER BY state;
ROLLBACK;

BEGIN;
SELECT platform.begin_secret_input();
SELECT platform.encrypt_secret('00000000-0000-0000-0000-000000000000', 'crm.api_key',
	'00000000-0000-4000-8000-0000000000c1', 'a literal') IS NOT NULL;   -- t
ROLLBACK;
