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

CREATE OR REPLACE FUNCTION platform.rotate_root_key(OUT version integer, OUT rewrapped bigint) RETURNS record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_rotate_root_key';
COMMENT ON FUNCTION platform.rotate_root_key() IS
	'Makes the newest root key of the source the active one and re-wraps all data keys under it; secrets stay as they are. Once committed, the old version is needed for older backups only. Recorded. Operators. Errors: 42501; PT409 the newest is active already; F0000 a root key is missing or wrong; XX001 a data key is damaged.';

CREATE OR REPLACE FUNCTION platform.check_root_key(version integer DEFAULT NULL, OUT root_version integer, OUT usable boolean, OUT reason text, OUT detail text) RETURNS record
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_check_root_key';
COMMENT ON FUNCTION platform.check_root_key(integer) IS
	'Is that version of the root key available, and the right one? NULL: the newest of the source. reason: NO_ROOT_KEY, WRONG_ROOT_KEY, or NULL. Operators. Errors: 42501.';

-- credentials: data keys

CREATE OR REPLACE FUNCTION platform.rotate_data_key(organization_id uuid, purpose text) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_rotate_data_key';
COMMENT ON FUNCTION platform.rotate_data_key(uuid, text) IS
	'Makes a new active data key and returns its number; the one before decrypts only. Secrets move to it when they are written next or re-encrypted. Makes the first one when there is none. Recorded. Operators. Errors: 42501, 22004, 22023, 23503 no such organization, F0000 no root key or a wrong one.';

CREATE OR REPLACE FUNCTION platform.destroy_data_key(organization_id uuid, purpose text, key_id integer DEFAULT NULL, force boolean DEFAULT false) RETURNS integer
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_destroy_data_key';
COMMENT ON FUNCTION platform.destroy_data_key(uuid, text, integer, boolean) IS
	'Erases a data key, or all of the organization and purpose for NULL: what is encrypted under it can never be read again. Refused while secrets use it, unless forced. Returns how many were erased. Backups still hold the wrapped key, of use to who has the root key of then. Recorded. Operators. Errors: 42501, 22004, 22023, PT404 no such key, PT409 in use.';

CREATE OR REPLACE FUNCTION platform.check_data_key(organization_id uuid, purpose text, kind text, key_id integer, OUT usable boolean, OUT reason text, OUT detail text) RETURNS record
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_check_data_key';
COMMENT ON FUNCTION platform.check_data_key(uuid, text, text, integer) IS
	'Can that data key be unwrapped? kind: secret or index. reason: NO_ROOT_KEY, WRONG_ROOT_KEY, UNKNOWN_KEY, KEY_DESTROYED, NOT_AUTHENTIC, or NULL. Operators. Errors: 42501, 22004, 22023.';

CREATE OR REPLACE FUNCTION platform.key_status(for_organization_id uuid DEFAULT NULL)
RETURNS TABLE (kind text, id integer, organization_id uuid, purpose text, state text, root_version integer,
	usable boolean, reason text, detail text, encryptions bigint, created_at timestamptz, retired_at timestamptz)
LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS $$
	(SELECT 'root', r.version, NULL::uuid, NULL::text, r.state, NULL::integer,
		c.usable, c.reason, c.detail, NULL::bigint, r.created_at, r.retired_at
	FROM platform.root_keys r, platform.check_root_key(r.version) c
	ORDER BY r.version)
	UNION ALL
	SELECT 'root', c.root_version, NULL, NULL, 'new', NULL, c.usable, c.reason, c.detail, NULL, NULL, NULL
	FROM platform.check_root_key() c
	WHERE NOT EXISTS (SELECT FROM platform.root_keys r WHERE r.version OPERATOR(pg_catalog.=) c.root_version)
		AND (c.usable OR NOT EXISTS (SELECT FROM platform.root_keys))
	UNION ALL
	(SELECT k.kind, k.id, k.organization_id, k.purpose, k.state, k.root_version,
		c.usable, c.reason, c.detail, n.encryptions, k.created_at, k.retired_at
	FROM platform.data_keys k
	LEFT JOIN platform.data_key_counts n
		ON n.key_id OPERATOR(pg_catalog.=) k.id AND n.organization_id OPERATOR(pg_catalog.=) k.organization_id,
		platform.check_data_key(k.organization_id, k.purpose, k.kind, k.id) c
	WHERE for_organization_id IS NULL OR k.organization_id OPERATOR(pg_catalog.=) for_organization_id
	ORDER BY k.organization_id, k.purpose, k.kind DESC, k.created_at, k.id)
$$;
COMMENT ON FUNCTION platform.key_status(uuid) IS
	'Root keys, then data keys, of one organization or of all: their state, and whether they can be used or why not. state new: the source has it, rotate_root_key() has not yet taken it. encryptions: with AES-256-GCM only. Operators. Errors: 42501.';

-- credentials: secrets

CREATE OR REPLACE FUNCTION platform.encrypt_secret(organization_id uuid, purpose text, row_id uuid, plaintext text, pointer text DEFAULT '') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_encrypt_secret';
COMMENT ON FUNCTION platform.encrypt_secret(uuid, text, uuid, text, text) IS
	'Encrypts a text under the data key of the organization and purpose, bound to the row and the place in it (RFC 6901 pointer). The first call for them makes the key. NULL for a NULL plaintext. Errors: 42501, 22004, 22023, 23503 no such organization, F0000 no root key or a wrong one, 25006, PT429 key worn out.';

CREATE OR REPLACE FUNCTION platform.decrypt_secret(organization_id uuid, purpose text, row_id uuid, envelope text, pointer text DEFAULT '') RETURNS text
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_decrypt_secret';
COMMENT ON FUNCTION platform.decrypt_secret(uuid, text, uuid, text, text) IS
	'The text that encrypt_secret() encrypted, given the same place. NULL for NULL. Errors: 42501, 22004, 22023 no envelope, XX001 not authentic, 42704 unknown key, PT410 destroyed key, F0000 no root key or a wrong one.';

CREATE OR REPLACE FUNCTION platform.try_decrypt_secret(organization_id uuid, purpose text, row_id uuid, envelope text, pointer text DEFAULT '', OUT plaintext text, OUT reason text) RETURNS record
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'platform_try_decrypt_secret';
COMMENT ON FUNCTION platform.try_decrypt_secret(uuid, text, uuid, text, text) IS
	'decrypt_secret() for listings: NULL and a reason instead of an error: MALFORMED, UNSUPPORTED, NO_ROOT_KEY, WRONG_ROOT_KEY, UNKNOWN_KEY, KEY_DESTROYED, NOT_AUTHENTIC, BAD_ENCODING. Errors: 42501, 22004, 22023.';

CREATE OR REPLACE FUNCTION platform.reencrypt_secret(organization_id uuid, purpose text, row_id uuid, envelope text, pointer text DEFAULT '') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_reencrypt_secret';
COMMENT ON FUNCTION platform.reencrypt_secret(uuid, text, uuid, text, text) IS
	'The same secret under the active key; the same envelope when it is under it already. NULL for NULL. Errors: those of decrypt_secret() and encrypt_secret().';

CREATE OR REPLACE FUNCTION platform.envelope_key_id(envelope text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'platform_envelope_key_id';
COMMENT ON FUNCTION platform.envelope_key_id(text) IS
	'The number of the data key of an envelope; NULL when it is none.';
INSERT INTO platform.member_privileges VALUES ('function', 'envelope_key_id(text)', 'EXECUTE');

CREATE OR REPLACE FUNCTION platform.secret_index(organization_id uuid, purpose text, value text) RETURNS bytea
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_secret_index';
COMMENT ON FUNCTION platform.secret_index(uuid, text, text) IS
	'Blind index: HMAC-SHA256 of a value under a key of the organization and purpose, for finding what is encrypted. The key survives rotations. NULL for NULL, and where nothing can be written while there is no key yet. Errors: 42501, 22004, 22023, 23503, F0000.';

CREATE OR REPLACE FUNCTION platform.verify_secrets(for_organization_id uuid DEFAULT NULL)
RETURNS TABLE (table_name text, column_name text, organization_id uuid, key_id integer, readable boolean,
	secrets bigint, reason text, ids uuid[])
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_verify_secrets';
COMMENT ON FUNCTION platform.verify_secrets(uuid) IS
	'Decrypts every secret of the columns in platform.secret_columns, of one organization or of all, and counts them by key and by why they cannot be read; ids: rows of the first ten that cannot. No bad secret ends it. Operators. Errors: 42501.';

CREATE OR REPLACE FUNCTION platform.begin_secret_input() RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'platform_begin_secret_input';
COMMENT ON FUNCTION platform.begin_secret_input() IS
	'Until the end of the transaction the statements that follow reach neither the server''s log nor the statistics: for callers who must send secrets as literals. That it was called is logged. Errors: 25P01 outside a transaction block.';

INSERT INTO platform.member_privileges VALUES ('table', 'secret_access_log', 'SELECT');
