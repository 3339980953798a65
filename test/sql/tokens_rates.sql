-- The rate card: started units, versions that never change, who may add one
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

-- started minutes
SELECT s AS seconds, platform.token_cost('voice', false, s) AS voice, platform.token_cost('voice', true, s) AS voice_turn,
	platform.token_cost('video', false, s) AS video, platform.token_cost('video', true, s) AS video_turn
FROM unnest('{-1,0,1,59,60,61,119,120,121,3600,3601}'::bigint[]) AS s;
SELECT platform.token_cost('voice-only', true, 61) AS voice_only, platform.token_cost('video', true, 1000000000) AS long;
SELECT platform.token_cost(NULL, true, 1), platform.token_cost('voice', NULL, 1), platform.token_cost('voice', true, NULL);
SELECT platform.token_cost('fax', true, 1);
SELECT platform.token_cost('video', true, 1000000001);

BEGIN;
-- by the second and by six seconds; whole tokens, rounded up once
SELECT platform.set_token_rate('voice', false, 7, 1) IS NOT NULL AS by_second, platform.set_token_rate('voice', true, 7, 6) IS NOT NULL AS by_six;
SELECT s AS seconds, platform.token_cost('voice', false, s, clock_timestamp()) AS by_second,
	ceil(s * 7 / 60.0) AS expected, platform.token_cost('voice', true, s, clock_timestamp()) AS by_six,
	ceil(ceil(s / 6.0) * 6 * 7 / 60.0) AS expected_six
FROM unnest('{0,1,5,6,7,8,9,12,13,59,60,61,3599}'::bigint[]) AS s;
-- what was valid before is still
SELECT platform.token_cost('voice', false, 61, now() - interval '1 second') AS before;
-- a future one waits for its time
SELECT platform.set_token_rate('video', false, 10, valid_from => now() + interval '1 day') IS NOT NULL AS later;
SELECT platform.token_cost('video', false, 61) AS today, platform.token_cost('video', false, 61, now() + interval '1 day') AS tomorrow,
	platform.token_cost('video', false, 61, now() + interval '1 day' - interval '1 microsecond') AS just_before;
-- free
SELECT platform.set_token_rate('video', true, 0, valid_from => now() + interval '2 days') IS NOT NULL AS free;
SELECT platform.token_cost('video', true, 61, now() + interval '2 days') AS nothing;
-- every price is the least number of tokens that pays for all units
SELECT count(*) AS wrong FROM generate_series(0, 4000) AS s, (VALUES (false, 1), (true, 6)) AS r (turn, unit)
WHERE platform.token_cost('voice', turn, s, clock_timestamp()) <> ceil(ceil(s::numeric / unit) * unit * 7 / 60);
ROLLBACK;
-- the cache forgets what was rolled back
SELECT platform.token_cost('voice', false, 61, clock_timestamp()) AS voice;

-- refused
SELECT platform.set_token_rate(NULL, false, 1);
SELECT platform.set_token_rate('voice', NULL, 1);
SELECT platform.set_token_rate('voice', false, NULL);
SELECT platform.set_token_rate('voice', false, 1, NULL);
SELECT platform.set_token_rate('fax', false, 1);
SELECT platform.set_token_rate('voice', false, -1);
SELECT platform.set_token_rate('voice', false, 1000001);
SELECT platform.set_token_rate('voice', false, 1, 30);
SELECT platform.set_token_rate('voice', false, 1, valid_from => now() - interval '1 second');
SELECT platform.set_token_rate('voice', false, 1, valid_from => 'infinity');
BEGIN;
SELECT platform.set_token_rate('voice', false, 3, valid_from => '2100-01-01') IS NOT NULL AS set;
\set VERBOSITY terse
SELECT platform.set_token_rate('voice', false, 3, valid_from => '2100-01-01');
\set VERBOSITY default
ROLLBACK;
UPDATE platform.token_rates SET tokens_per_minute = 9 WHERE mode = 'voice';
DELETE FROM platform.token_rates WHERE mode = 'voice';
TRUNCATE platform.token_rates;

-- members read the card and the platform's staff extends it
BEGIN;
SELECT platform.set_context('00000000-0000-0000-0000-000000000000', 'someone');
SET LOCAL ROLE platform_test_member;
SELECT mode, used_turn, tokens_per_minute, rounding, valid_from FROM platform.token_rates ORDER BY tokens_per_minute, mode;
SELECT platform.token_cost('video', true, 61) AS cost;
SAVEPOINT a;
SELECT platform.set_token_rate('voice', false, 1);
ROLLBACK TO a;
INSERT INTO platform.token_rates (mode, used_turn, tokens_per_minute, valid_from) VALUES ('voice', false, 0, now());
ROLLBACK;
BEGIN;
SELECT platform.set_context('00000000-0000-0000-0000-000000000000', 'staff', 'platform_admin');
SET LOCAL ROLE platform_test_member;
SELECT platform.set_token_rate('voice', false, 5) IS NOT NULL AS set;
SELECT tokens_per_minute, created_by FROM platform.token_rates WHERE created_by IS NOT NULL;
ROLLBACK;
BEGIN;
SET LOCAL ROLE platform_test_stranger;
SELECT platform.token_cost('video', true, 61);
ROLLBACK;
