-- migration 60 sessions: sign-ins and their tokens' hashes
-- requires: tenants

-- up

-- One row a sign-in. The token itself is nowhere: its hash finds the row.
CREATE TABLE IF NOT EXISTS platform.active_sessions (
	id uuid NOT NULL DEFAULT platform.uuid7(),
	organization_id uuid NOT NULL DEFAULT platform.default_organization_id(),
	user_id uuid NOT NULL,
	token_hash text COLLATE pg_catalog."C" NOT NULL,
	ip_address inet,
	user_agent text,
	device_type text,
	last_active_at timestamptz NOT NULL DEFAULT now(),
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL DEFAULT (now() + interval '30 days'),
	revoked_at timestamptz,
	revoked_reason text,
	CONSTRAINT active_sessions_pkey PRIMARY KEY (id, organization_id),
	CONSTRAINT active_sessions_token_hash_key UNIQUE (token_hash),
	CONSTRAINT active_sessions_token_hash_check CHECK (token_hash ~ '^[0-9a-f]{64}$'),
	CONSTRAINT active_sessions_user_agent_check CHECK (length(user_agent) <= 500),
	CONSTRAINT active_sessions_device_type_check CHECK (device_type IN ('desktop', 'mobile', 'tablet')),
	CONSTRAINT active_sessions_revoked_reason_check CHECK (length(revoked_reason) BETWEEN 1 AND 63),
	CONSTRAINT active_sessions_revoked_check CHECK (revoked_reason IS NULL OR revoked_at IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS active_sessions_user_id_created_at_idx
	ON platform.active_sessions (user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS active_sessions_organization_id_user_id_created_at_idx
	ON platform.active_sessions (organization_id, user_id, created_at DESC) WHERE revoked_at IS NULL;
CREATE INDEX IF NOT EXISTS active_sessions_expires_at_idx
	ON platform.active_sessions (expires_at);
CREATE INDEX IF NOT EXISTS active_sessions_revoked_at_idx
	ON platform.active_sessions (revoked_at) WHERE revoked_at IS NOT NULL;
COMMENT ON TABLE platform.active_sessions IS
	'Sign-ins. A session is live until it expires or is revoked; purge_sessions() deletes those that ended long ago.';
COMMENT ON COLUMN platform.active_sessions.token_hash IS
	'SHA-256 of the token, 64 hexadecimal digits. Members cannot read it.';
COMMENT ON COLUMN platform.active_sessions.device_type IS
	'What the user agent looks like: desktop, mobile or tablet.';
COMMENT ON COLUMN platform.active_sessions.revoked_reason IS
	'session_limit_reached, user_revoked, user_revoked_all, password_changed, member_removed, or the caller''s own.';

INSERT INTO platform.table_kinds (table_name, kind, business_keys, reason) VALUES
	('active_sessions', 'tenant', '{active_sessions_token_hash_key}', NULL)
ON CONFLICT (table_name) DO NOTHING;

-- down

DROP TABLE IF EXISTS platform.active_sessions;
DELETE FROM platform.table_kinds WHERE table_name = 'active_sessions';

-- checks

-- check: no session ends before it begins
SELECT id, created_at, expires_at FROM platform.active_sessions WHERE expires_at < created_at;
