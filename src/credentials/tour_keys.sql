-- tour 54 Secrets: encrypted, bound to their place, under keys that rotate
\echo
\echo A secret is encrypted under a key of its organization and purpose, and opens in its own
\echo row only. The root key is in a file that make demo has written for this server.
\echo
\set ECHO queries
SELECT platform.encrypt_secret('00000000-0000-0000-0000-000000000000', 'tour.api_key',
	'00000000-0000-4000-8000-0000000000c1', 'correct horse') AS envelope \gset
SELECT :'envelope' AS envelope,
	platform.decrypt_secret('00000000-0000-0000-0000-000000000000', 'tour.api_key', '00000000-0000-4000-8000-0000000000c1', :'envelope');
SELECT plaintext, reason FROM platform.try_decrypt_secret('00000000-0000-0000-0000-000000000000', 'tour.api_key',
	'00000000-0000-4000-8000-0000000000c2', :'envelope');
\set ECHO none
\echo
\echo Keys rotate; what is under the old key stays readable until it is destroyed.
\echo
\set ECHO queries
SELECT platform.rotate_data_key('00000000-0000-0000-0000-000000000000', 'tour.api_key') > 0 AS rotated;
SELECT kind, purpose, state, root_version, usable FROM platform.key_status() WHERE purpose = 'tour.api_key' OR kind = 'root';
SELECT action, purpose, role_name FROM platform.secret_access_log WHERE purpose = 'tour.api_key';
