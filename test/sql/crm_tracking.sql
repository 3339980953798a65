-- Tracking: hashes only, what the token shows and until when, at most 300 points
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set org '\'c1240000-0000-4000-8000-000000000001\''
\set other '\'c1240000-0000-4000-8000-000000000002\''
\set ada '\'c1240000-0000-4000-8000-0000000000a1\''
BEGIN;
\o /dev/null
INSERT INTO platform.organizations (id, name) VALUES (:org, 'Tracking One'), (:other, 'Tracking Two');
INSERT INTO platform.users (id, email) VALUES (:ada, 'ada@crm-tracking.example');
SELECT platform.set_context(:org, :ada, 'agent');
SET ROLE platform_test_member;
\o
\set ECHO all

SELECT id AS session, token, update_key, expires_at - now() > interval '7 hours' AS lasts FROM platform.start_tracking(:org, customer_phone => '312 555 0101', eta_minutes => 20) \gset
SELECT length(:'token') AS characters, :'token' <> :'update_key' AS differ, :'lasts' AS lasts;
SELECT customer_phone, created_by = :ada AS by_ada, status FROM platform.tracking_sessions;
SELECT token_hash FROM platform.tracking_sessions;
RESET ROLE;
-- FAULT: both secrets stood there in clear
SELECT token_hash = sha256(:'token') AS hash, update_key_hash = sha256(:'update_key') AS key_hash, to_jsonb(s)::text LIKE '%' || :'token' || '%' AS clear FROM platform.tracking_sessions s WHERE id = :'session';
-- nobody in particular, but with the token
SELECT platform.set_context(NULL) \g /dev/null
SET ROLE platform_test_member;
SELECT count(*) AS seen FROM platform.tracking_sessions;
SELECT status, eta_minutes, lat, lng FROM platform.track(:'token');
SELECT platform.add_tracking_point(:'update_key', 41.88, -87.63, 12, now() - interval '10 min');
SELECT platform.add_tracking_point(:'update_key', 41.89, -87.64, recorded_at => now() - interval '599.5 s') AS too_soon;
SELECT platform.add_tracking_point(:'update_key', 41.89, -87.64, recorded_at => now() - interval '9 min'), platform.add_tracking_point(:'update_key', 0, 0, recorded_at => now() - interval '20 min') AS earlier;
SELECT status, eta_minutes, lat, lng FROM platform.track(:'token');
SELECT lat, lng FROM platform.tracking_path(:'token');
SELECT lat FROM platform.tracking_path(:'token', 1);
-- the key shows nothing, the token tells nothing
SELECT platform.track(:'update_key');
SELECT platform.add_tracking_point(:'token', 1, 1);
SELECT platform.tracking_path('guess');
SELECT platform.track(NULL);
SELECT platform.add_tracking_point(:'update_key', 91, 0);
SELECT platform.add_tracking_point(:'update_key', 'NaN', 0);
SELECT platform.add_tracking_point(:'update_key', 0, -180.5);
SELECT platform.add_tracking_point(:'update_key', NULL, 0);
SELECT platform.tracking_path(:'token', 301);
SELECT platform.start_tracking(:org);
RESET ROLE;
-- at most 300 points, the last ones
INSERT INTO platform.tracking_points (organization_id, session_id, lat, lng, recorded_at) SELECT :org, :'session', g / 10.0, 0, now() - interval '8 min' + g * interval '1 s' FROM generate_series(1, 400) g;
SELECT count(*), min(lat), max(lat), bool_and(ordered) AS ordered FROM (SELECT lat, recorded_at >= lag(recorded_at, 1, recorded_at) OVER () AS ordered FROM platform.tracking_path(:'token')) p;
-- ended: only that it is
SELECT platform.end_tracking(:org, :'session'), platform.end_tracking(:org, :'session') AS again;
SELECT status, eta_minutes, lat, lng, recorded_at FROM platform.track(:'token');
SELECT count(*) FROM platform.tracking_path(:'token');
SELECT platform.add_tracking_point(:'update_key', 1, 1);
SELECT platform.end_tracking(:other, :'session');
-- FAULT: it never expired
UPDATE platform.tracking_sessions SET expires_at = now(), status = 'active' WHERE id = :'session';
SELECT platform.track(:'token');
SELECT platform.tracking_path(:'token');
SELECT platform.add_tracking_point(:'update_key', 1, 1);
SELECT platform.start_tracking(:org, ttl => '8 days');
SELECT platform.start_tracking(:org, ttl => '0');
SELECT platform.set_context(:other, :ada, 'agent') \g /dev/null
SET ROLE platform_test_member;
SELECT platform.end_tracking(:org, :'session');
SET ROLE platform_test_stranger;
SELECT platform.track(:'token');
ROLLBACK;
