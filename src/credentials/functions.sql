-- credentials: root keys

CREATE OR REPLACE FUNCTION platform.generate_root_key(version integer DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_generate_root_key';
COMMENT ON FUNCTION platform.generate_root_key(integer) IS
	'A fresh line for platform.root_key_file: version, colon, 64 hexadecimal digits. NULL: the version after the newest one known. Keeps nothing. Errors: 22023 version below 1.';

CREATE OR REPLACE FUNCTION platform.unlock(key bytea DEFAULT NULL, version integer DEFAULT NULL) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_unlock';
COMMENT ON FUNCTION platform.unlock(bytea, integer) IS
	'Gives this session a root key of 32 bytes, until it ends; returns its version. NULL version: the active one, else 1. NULL key: forgets what was given and returns NULL. Errors: 22023; F0000 the database was set up with another key.';

-- credentials: secrets

CREATE OR REPLACE FUNCTION platform.encrypt_secret(organization_id uuid, purpose text, row_id uuid, plaintext text, pointer text DEFAULT '') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_encrypt_secret';
COMMENT ON FUNCTION platform.encrypt_secret(uuid, text, uuid, text, text) IS
	'Encrypts a text under the data key of the organization and purpose, bound to the row and the place in it (RFC 6901 pointer). The first call for them makes the key. NULL for a NULL plaintext. Errors: 42501, 22004, 22023, 23503 no such organization, F0000 no root key or a wrong one, 25006.';

CREATE OR REPLACE FUNCTION platform.decrypt_secret(organization_id uuid, purpose text, row_id uuid, envelope text, pointer text DEFAULT '') RETURNS text
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_decrypt_secret';
COMMENT ON FUNCTION platform.decrypt_secret(uuid, text, uuid, text, text) IS
	'The text that encrypt_secret() encrypted, given the same place. NULL for NULL. Errors: 42501, 22004, 22023 no envelope, XX001 not authentic, 42704 unknown key, PT410 destroyed key, F0000 no root key or a wrong one.';
